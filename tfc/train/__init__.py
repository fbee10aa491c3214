"""`tf.train`: optimizers, learning rates, the global step, checkpoints.

What a program uses of it is loaded when it is asked for.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from tfc.base.later import later as _later
from tfc.base.later import table as _table
from tfc.base.renamed import no_attribute as _no_attribute

if _TYPE_CHECKING:
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
    from tfc.train.gradient_descent import (
        GradientDescentOptimizer,
        ProximalGradientDescentOptimizer,
    )
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

_LATER = {
    "queue_runner": "tfc.train.queue_runner",
    **_table("""
tfc.io.files: write_graph
tfc.io.records: summary_iterator
tfc.train.adagrad: AdadeltaOptimizer AdagradOptimizer ProximalAdagradOptimizer
tfc.train.adagrad_da: AdagradDAOptimizer
tfc.train.adam: AdamOptimizer
tfc.train.checkpoint_reader: NewCheckpointReader list_variables load_checkpoint load_variable
tfc.train.checkpoint_state: CheckpointState checkpoint_exists generate_checkpoint_state_proto
  get_checkpoint_mtimes get_checkpoint_state latest_checkpoint remove_checkpoint
  update_checkpoint_state
tfc.train.cluster: ClusterSpec replica_device_setter
tfc.train.coordinator: Coordinator LooperThread QueueRunner add_queue_runner start_queue_runners
tfc.train.ftrl: FtrlOptimizer
tfc.train.gradient_descent: GradientDescentOptimizer ProximalGradientDescentOptimizer
tfc.train.hooks: CheckpointSaverHook CheckpointSaverListener FeedFnHook FinalOpsHook
  GlobalStepWaiterHook LoggingTensorHook NanLossDuringTrainingError NanTensorHook
  SecondOrStepTimer StepCounterHook StopAtStepHook SummarySaverHook
tfc.train.learning_rate: cosine_decay cosine_decay_restarts exponential_decay inverse_time_decay
  linear_cosine_decay natural_exp_decay noisy_linear_cosine_decay piecewise_constant
  piecewise_constant_decay polynomial_decay
tfc.train.meta_graph: export_meta_graph import_meta_graph
tfc.train.momentum: MomentumOptimizer
tfc.train.monitored_session: ChiefSessionCreator MonitoredSession MonitoredTrainingSession
  SessionCreator SingularMonitoredSession WorkerSessionCreator
tfc.train.moving_averages: ExponentialMovingAverage
tfc.train.optimizer: Optimizer
tfc.train.rmsprop: RMSPropOptimizer
tfc.train.saver: Saver
tfc.train.scaffold: Scaffold
tfc.train.session_manager: SessionManager
tfc.train.session_run_hook: SessionRunArgs SessionRunContext SessionRunHook SessionRunValues
tfc.train.supervisor: Supervisor basic_train_loop
tfc.train.training_util: assert_global_step create_global_step get_global_step
  get_or_create_global_step global_step
"""),
}


def __getattr__(name: str) -> _Any:
    """What `import tfc` does not load, the messages of records and clusters too."""
    if name in _LATER:
        return _later("tfc.train", name, _LATER)
    from tfc.io import example_protos

    if name in example_protos.MESSAGES:
        return example_protos.message(name)
    if name in ("ClusterDef", "JobDef", "SaverDef"):
        from tfc.io.protos import message

        return message(name)
    raise _no_attribute("tfc.train", name)


__all__ = sorted(_LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
