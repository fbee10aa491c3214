"""`tf.contrib.rnn`: re-exports, nothing else."""

from tfc.rnn.basic_cells import BasicRNNCell, GRUCell
from tfc.rnn.cell import RNNCell
from tfc.rnn.dropout_wrapper import DropoutWrapper
from tfc.rnn.lstm_cells import BasicLSTMCell, LSTMCell, LSTMStateTuple
from tfc.rnn.static import static_bidirectional_rnn, static_rnn
from tfc.rnn.static import static_state_saving_rnn as static_state_saving_rnn
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
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
]
