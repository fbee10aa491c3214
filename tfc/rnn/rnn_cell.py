"""`tf.nn.rnn_cell`: re-exports, nothing else."""

from tfc.rnn.basic_cells import BasicRNNCell, GRUCell
from tfc.rnn.cell import RNNCell
from tfc.rnn.dropout_wrapper import DropoutWrapper
from tfc.rnn.lstm_cells import BasicLSTMCell, LSTMCell, LSTMStateTuple
from tfc.rnn.wrappers import DeviceWrapper, MultiRNNCell, ResidualWrapper

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "GRUCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
    "ResidualWrapper",
]
