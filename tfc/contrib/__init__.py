"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import rnn

__all__ = ["rnn"]
