"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import data, layers, legacy_seq2seq, rnn, seq2seq, util

__all__ = ["data", "layers", "legacy_seq2seq", "rnn", "seq2seq", "util"]
