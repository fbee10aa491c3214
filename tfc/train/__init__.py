"""`tf.train`: optimizers, learning rates, the global step, checkpoints."""

from typing import Any as _Any

from tfc.io.files import write_graph
from tfc.io.records import summary_iterator
from tfc.train import queue_runner
from tfc.train.adagrad import AdadeltaOptimizer, AdagradOptimizer, ProximalAdagradOptimizer
from tfc.train.adagrad_da import AdagradDAOptimizer
from tfc.train.adam import AdamOptimizer
from tfc.train.checkpoint_reader import (
    NewCheckpointReader,
    list_variables,
    load_checkpoint,
    load_variable,
)
from tfc.train.checkpoint_state import (
    CheckpointState,
    checkpoint_exists,
    generate_checkpoint_state_proto,
    get_checkpoint_mtimes,
    get_checkpoint_state,
    latest_checkpoint,
    remove_checkpoint,
    update_checkpoint_state,
)
from tfc.train.cluster import ClusterSpec, replica_device_setter
from tfc.train.coordinator import (
    Coordinator,
    LooperThread,
    QueueRunner,
    add_queue_runner,
    start_queue_runners,
)
from tfc.train.ftrl import FtrlOptimizer
from tfc.train.gradient_descent import GradientDescentOptimizer, ProximalGradientDescentOptimizer
from tfc.train.hooks import (
    CheckpointSaverHook,
    CheckpointSaverListener,
    FeedFnHook,
    FinalOpsHook,
    GlobalStepWaiterHook,
    LoggingTensorHook,
    NanLossDuringTrainingError,
    NanTensorHook,
    SecondOrStepTimer,
    StepCounterHook,
    StopAtStepHook,
    SummarySaverHook,
)
from tfc.train.learning_rate import (
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    linear_cosine_decay,
    natural_exp_decay,
    noisy_linear_cosine_decay,
    piecewise_constant,
    piecewise_constant_decay,
    polynomial_decay,
)
from tfc.train.meta_graph import export_meta_graph, import_meta_graph
from tfc.train.momentum import MomentumOptimizer
from tfc.train.monitored_session import (
    ChiefSessionCreator,
    MonitoredSession,
    MonitoredTrainingSession,
    SessionCreator,
    SingularMonitoredSession,
    WorkerSessionCreator,
)
from tfc.train.moving_averages import ExponentialMovingAverage
from tfc.train.optimizer import Optimizer
from tfc.train.rmsprop import RMSPropOptimizer
from tfc.train.saver import Saver
from tfc.train.scaffold import Scaffold
from tfc.train.session_manager import SessionManager
from tfc.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from tfc.train.supervisor import Supervisor, basic_train_loop
from tfc.train.training_util import (
    assert_global_step,
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)


def __getattr__(name: str) -> _Any:
    """The messages of records and clusters, which `import tfc` does not load."""
    from tfc.io import example_protos

    if name in example_protos.MESSAGES:
        return example_protos.message(name)
    if name in ("ClusterDef", "JobDef", "SaverDef"):
        from tfc.io.protos import message

        return message(name)
    from tfc.base.renamed import no_attribute

    raise no_attribute("tfc.train", name)


__all__ = [
    "AdadeltaOptimizer",
    "AdagradDAOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "CheckpointSaverHook",
    "CheckpointSaverListener",
    "CheckpointState",
    "ChiefSessionCreator",
    "ClusterSpec",
    "Coordinator",
    "ExponentialMovingAverage",
    "FeedFnHook",
    "FinalOpsHook",
    "FtrlOptimizer",
    "GlobalStepWaiterHook",
    "GradientDescentOptimizer",
    "LoggingTensorHook",
    "LooperThread",
    "MomentumOptimizer",
    "MonitoredSession",
    "MonitoredTrainingSession",
    "NanLossDuringTrainingError",
    "NanTensorHook",
    "NewCheckpointReader",
    "Optimizer",
    "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer",
    "QueueRunner",
    "RMSPropOptimizer",
    "Saver",
    "Scaffold",
    "SecondOrStepTimer",
    "SessionCreator",
    "SessionManager",
    "SessionRunArgs",
    "SessionRunContext",
    "SessionRunHook",
    "SessionRunValues",
    "SingularMonitoredSession",
    "StepCounterHook",
    "StopAtStepHook",
    "SummarySaverHook",
    "Supervisor",
    "WorkerSessionCreator",
    "add_queue_runner",
    "assert_global_step",
    "basic_train_loop",
    "checkpoint_exists",
    "cosine_decay",
    "cosine_decay_restarts",
    "create_global_step",
    "exponential_decay",
    "export_meta_graph",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
    "import_meta_graph",
    "inverse_time_decay",
    "linear_cosine_decay",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "natural_exp_decay",
    "noisy_linear_cosine_decay",
    "piecewise_constant",
    "piecewise_constant_decay",
    "polynomial_decay",
    "queue_runner",
    "remove_checkpoint",
    "replica_device_setter",
    "start_queue_runners",
    "summary_iterator",
    "update_checkpoint_state",
    "write_graph",
]
