"""`tf.contrib`: re-exports, nothing else."""

from tfc.contrib import crf, cudnn_rnn, data, grid_rnn, layers, legacy_seq2seq, rnn, seq2seq, util

__all__ = [
    "crf",
    "cudnn_rnn",
    "data",
    "grid_rnn",
    "layers",
    "legacy_seq2seq",
    "rnn",
    "seq2seq",
    "util",
]
