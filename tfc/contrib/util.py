"""`tf.contrib.util`: re-exports, nothing else."""

from tfc.framework.tensor_util import constant_value

__all__ = ["constant_value"]
