"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import layers, legacy_seq2seq, rnn, seq2seq, util

__all__ = ["layers", "legacy_seq2seq", "rnn", "seq2seq", "util"]
