"""`tf.contrib.cudnn_rnn`: the cells that run without cuDNN. Re-exports, nothing else."""

from tfc.rnn.contrib.cudnn import CudnnCompatibleGRUCell, CudnnCompatibleLSTMCell

__all__ = ["CudnnCompatibleGRUCell", "CudnnCompatibleLSTMCell"]
