"""`tf.nn`: re-exports, nothing else."""

from tfc.ops.nn import *
from tfc.rnn import rnn_cell
from tfc.rnn.dynamic import bidirectional_dynamic_rnn, dynamic_rnn
from tfc.rnn.raw import raw_rnn
from tfc.rnn.static import static_bidirectional_rnn, static_rnn, static_state_saving_rnn
