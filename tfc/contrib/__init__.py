"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import crf, data, layers, legacy_seq2seq, rnn, seq2seq, util

__all__ = ["crf", "data", "layers", "legacy_seq2seq", "rnn", "seq2seq", "util"]
