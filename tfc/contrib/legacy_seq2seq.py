"""`tf.contrib.legacy_seq2seq`: re-exports, nothing else."""

from tfc.seq2seq.legacy import (
    basic_rnn_seq2seq,
    embedding_rnn_decoder,
    rnn_decoder,
    sequence_loss,
    sequence_loss_by_example,
    tied_rnn_seq2seq,
)

__all__ = [
    "basic_rnn_seq2seq",
    "embedding_rnn_decoder",
    "rnn_decoder",
    "sequence_loss",
    "sequence_loss_by_example",
    "tied_rnn_seq2seq",
]
