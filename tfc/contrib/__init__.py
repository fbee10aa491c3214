"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import legacy_seq2seq, rnn, seq2seq, util

__all__ = ["legacy_seq2seq", "rnn", "seq2seq", "util"]
