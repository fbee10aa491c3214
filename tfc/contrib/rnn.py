"""`tf.contrib.rnn`: re-exports, nothing else."""

from tfc.rnn.attention_cell import AttentionCellWrapper
from tfc.rnn.basic_cells import BasicRNNCell, GRUCell
from tfc.rnn.block_cells import GRUBlockCell, GRUBlockCellV2, LSTMBlockCell
from tfc.rnn.cell import LayerRNNCell, RNNCell
from tfc.rnn.contrib.convolutional import (
    Conv1DLSTMCell,
    Conv2DLSTMCell,
    Conv3DLSTMCell,
    ConvLSTMCell,
)
from tfc.rnn.contrib.coupled import CoupledInputForgetGateLSTMCell, TimeFreqLSTMCell
from tfc.rnn.contrib.gated import IntersectionRNNCell, UGRNNCell
from tfc.rnn.contrib.grid_lstm import BidirectionalGridLSTMCell, GridLSTMCell
from tfc.rnn.contrib.grouped import GLSTMCell
from tfc.rnn.contrib.independent import IndRNNCell, IndyGRUCell, IndyLSTMCell, SRUCell
from tfc.rnn.contrib.layer_norm import LayerNormBasicLSTMCell
from tfc.rnn.contrib.nas import NASCell
from tfc.rnn.contrib.phased import PhasedLSTMCell
from tfc.rnn.contrib.wrappers import CompiledWrapper, HighwayWrapper
from tfc.rnn.dropout_wrapper import DropoutWrapper
from tfc.rnn.fused import (
    FusedRNNCell,
    FusedRNNCellAdaptor,
    LSTMBlockFusedCell,
    LSTMBlockWrapper,
    TimeReversedFusedRNN,
)
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
    "BidirectionalGridLSTMCell",
    "CompiledWrapper",
    "Conv1DLSTMCell",
    "Conv2DLSTMCell",
    "Conv3DLSTMCell",
    "ConvLSTMCell",
    "CoupledInputForgetGateLSTMCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "EmbeddingWrapper",
    "FusedRNNCell",
    "FusedRNNCellAdaptor",
    "GLSTMCell",
    "GRUBlockCell",
    "GRUBlockCellV2",
    "GRUCell",
    "GridLSTMCell",
    "HighwayWrapper",
    "IndRNNCell",
    "IndyGRUCell",
    "IndyLSTMCell",
    "InputProjectionWrapper",
    "IntersectionRNNCell",
    "LSTMBlockCell",
    "LSTMBlockFusedCell",
    "LSTMBlockWrapper",
    "LSTMCell",
    "LSTMStateTuple",
    "LayerNormBasicLSTMCell",
    "LayerRNNCell",
    "MultiRNNCell",
    "NASCell",
    "OutputProjectionWrapper",
    "PhasedLSTMCell",
    "RNNCell",
    "ResidualWrapper",
    "SRUCell",
    "TimeFreqLSTMCell",
    "TimeReversedFusedRNN",
    "UGRNNCell",
    "best_effort_input_batch_size",
    "stack_bidirectional_dynamic_rnn",
    "stack_bidirectional_rnn",
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
    "transpose_batch_time",
]
