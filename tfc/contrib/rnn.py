"""`tf.contrib.rnn`: re-exports, nothing else."""

from tfc.rnn.attention_cell import AttentionCellWrapper
from tfc.rnn.basic_cells import BasicRNNCell, GRUCell
from tfc.rnn.block_cells import GRUBlockCell, GRUBlockCellV2, LSTMBlockCell
from tfc.rnn.cell import LayerRNNCell, RNNCell
from tfc.rnn.contrib_cells import HighwayWrapper, LayerNormBasicLSTMCell, NASCell
from tfc.rnn.dropout_wrapper import DropoutWrapper
from tfc.rnn.fused import LSTMBlockFusedCell
from tfc.rnn.linear import EmbeddingWrapper, InputProjectionWrapper, OutputProjectionWrapper
from tfc.rnn.lstm_cells import BasicLSTMCell, LSTMCell, LSTMStateTuple
from tfc.rnn.shapes import batch_of as best_effort_input_batch_size
from tfc.rnn.shapes import swap_batch_and_time as transpose_batch_time
from tfc.rnn.stacked import stack_bidirectional_dynamic_rnn, stack_bidirectional_rnn
from tfc.rnn.static import static_bidirectional_rnn, static_rnn
from tfc.rnn.static import static_state_saving_rnn as static_state_saving_rnn
from tfc.rnn.wrappers import DeviceWrapper, MultiRNNCell, ResidualWrapper

__all__ = [
    "AttentionCellWrapper",
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "EmbeddingWrapper",
    "GRUBlockCell",
    "GRUBlockCellV2",
    "GRUCell",
    "HighwayWrapper",
    "InputProjectionWrapper",
    "LSTMBlockCell",
    "LSTMBlockFusedCell",
    "LSTMCell",
    "LSTMStateTuple",
    "LayerNormBasicLSTMCell",
    "LayerRNNCell",
    "MultiRNNCell",
    "NASCell",
    "OutputProjectionWrapper",
    "RNNCell",
    "ResidualWrapper",
    "best_effort_input_batch_size",
    "stack_bidirectional_dynamic_rnn",
    "stack_bidirectional_rnn",
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
    "transpose_batch_time",
]
