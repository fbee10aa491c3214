"""tf.contrib.seq2seq.BeamSearchDecoder, against a search in numpy, and gather_tree."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

seq2seq = tf.contrib.seq2seq
END = 1


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


class TableCell(tf.nn.rnn_cell.RNNCell):
    """Logits that depend on the id before and on how far it is: inputs [rows, 1], state [rows, 1]
    the ids so far as a number."""

    def __init__(self, table):
        super().__init__()
        self.table = tf.constant(table)

    @property
    def state_size(self):
        return 1

    @property
    def output_size(self):
        return int(self.table.get_shape()[1])

    def call(self, inputs, state):
        total = inputs + 3.0 * state
        row = tf.cast(tf.mod(total[:, 0], float(self.table.get_shape()[0].value)), tf.int32)
        return tf.gather(self.table, row), total


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def searched(table, start, beams, steps, weight):
    """The sequences, scores and lengths of one row, as the search goes by its definition."""
    found = [([], 0.0, False, 0, 0.0)] + [([], -np.inf, False, 0, 0.0)] * (beams - 1)
    for _ in range(steps):
        if all(f[2] for f in found):
            break
        new = []
        for ids, prob, ended, length, total in found:
            now = 3 * total + (ids[-1] if ids else start)
            logs = log_softmax(table[int(now) % len(table)])
            if ended:
                logs = np.full_like(logs, np.finfo(np.float32).min)
                logs[END] = 0
            for word, log in enumerate(logs):
                longer = length + int(not ended and word != END)
                penalty = ((5.0 + longer) / 6.0) ** weight
                stop = ended or word == END
                entry = ([*ids, word], prob + log, stop, length + int(not ended), now)
                new.append(((prob + log) / penalty, entry))
        order = sorted(range(len(new)), key=lambda k: -new[k][0])[:beams]
        found, scores = [new[k][1] for k in order], [new[k][0] for k in order]
    return found, scores


@pytest.mark.parametrize("weight", [0.0, 0.7])
@pytest.mark.parametrize("beams", [1, 3])
def test_against_a_search_in_numpy(session, beams, weight):
    table = np.random.RandomState(4).randn(13, 6).astype(np.float32) * 2
    starts = tf.placeholder(tf.int32, [None])
    cell = TableCell(table)
    first = tf.zeros([tf.size(starts) * beams, 1])
    decoder = seq2seq.BeamSearchDecoder(
        cell, lambda ids: tf.cast(ids, tf.float32)[..., None], starts, END, first, beams,
        length_penalty_weight=weight,
    )  # fmt: skip
    outputs, state, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=7)
    assert isinstance(outputs, seq2seq.FinalBeamSearchDecoderOutput)
    assert isinstance(state, seq2seq.BeamSearchDecoderState)
    steps = outputs.beam_search_decoder_output
    given = [2, 4, 0]
    ids, scores, probs, lengths, ended, sums = session.run(
        [outputs.predicted_ids, steps.scores, state.log_probs, state.lengths, state.finished,
         state.cell_state], {starts: given},
    )  # fmt: skip
    assert lengths.dtype == np.int64 and ids.shape[::2] == (3, beams)
    for row, start in enumerate(given):
        found, known = searched(table, start, beams, ids.shape[1], weight)
        np.testing.assert_allclose(scores[row, -1], known, rtol=1e-5)
        for beam, (words, prob, stop, length, total) in enumerate(found):
            words = words + [END] * (ids.shape[1] - len(words))
            np.testing.assert_allclose(probs[row, beam], prob, rtol=1e-5)
            assert ids[row, :, beam].tolist() == words
            assert (lengths[row, beam], ended[row, beam]) == (length, stop)
            if not stop:
                assert sums[row, beam, 0] == total


@pytest.mark.parametrize("known", [False, True])
def test_with_attention_and_coverage(session, known):
    """The history of the attention is that of the beams in the end, in a tensor. With shapes that
    are known it stays a TensorArray, as in TensorFlow 1.15."""
    beams, batch = 2, 2
    memory = tf.constant(np.random.RandomState(0).randn(batch, 3, 4).astype(np.float32))
    if not known:
        memory = tf.placeholder_with_default(memory, [None, None, 4])
    mechanism = seq2seq.BahdanauAttention(
        4, seq2seq.tile_batch(memory, beams), seq2seq.tile_batch(tf.constant([3, 2]), beams)
    )
    cell = seq2seq.AttentionWrapper(
        tf.nn.rnn_cell.GRUCell(4), mechanism, alignment_history=True, initial_cell_state=None
    )
    table = tf.constant(np.random.RandomState(1).randn(5, 4).astype(np.float32))

    def decoded(weight):
        with tf.variable_scope("d", reuse=tf.AUTO_REUSE, initializer=tf.ones_initializer()):
            decoder = seq2seq.BeamSearchDecoder(
                cell, table, [2, 3], END, cell.zero_state(batch * beams, tf.float32), beams,
                tf.layers.Dense(5, name="out"), coverage_penalty_weight=weight,
            )  # fmt: skip
            return seq2seq.dynamic_decode(decoder, maximum_iterations=4)

    plain, state, _ = decoded(0.0)
    history = state.cell_state.alignment_history
    assert isinstance(history, tf.TensorArray) == known
    history = history.stack() if known else history
    covered, last, _ = decoded(0.3)
    session.run(tf.global_variables_initializer())
    history, paid, ended, scores, probs = session.run([
        history, last.accumulated_attention_probs, last.finished,
        covered.beam_search_decoder_output.scores, last.log_probs,
    ])  # fmt: skip
    assert history.shape[1:] == (batch * beams, 3)
    np.testing.assert_allclose(history.sum(-1), 1, rtol=1e-5)
    assert not history[:, 2:, 2].any()  # behind the memory of the second row
    assert paid.shape == (batch, beams, 3)
    np.testing.assert_allclose(scores[:, -1][~ended], probs[~ended], rtol=1e-5)


def test_gather_tree(session):
    ids = [[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]], [[-1, -1, -1]]]
    parents = [[[0, 0, 0]], [[0, 1, 1]], [[2, 1, 2]], [[-1, -1, -1]]]
    found = seq2seq.gather_tree(ids, parents, [3], 10)
    assert found.get_shape().as_list() == [4, 1, 3] and found.dtype == tf.int32
    # of the kernel's own test in TensorFlow
    assert session.run(found).tolist() == [
        [[2, 2, 2]], [[6, 5, 6]], [[7, 8, 9]], [[10, 10, 10]],
    ]  # fmt: skip
    # what comes behind a first end is one as well
    again = seq2seq.gather_tree([[[5]], [[10]], [[6]]], [[[0]]] * 3, [3], 10)
    assert session.run(again).ravel().tolist() == [5, 10, 10]
    none = seq2seq.gather_tree([[[5]], [[6]]], [[[0]]] * 2, [0], 10)
    assert session.run(none).ravel().tolist() == [10, 10]
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(seq2seq.gather_tree(ids[:3], [[[0, 0, 0]], [[0, 1, 7]], [[2, 1, 2]]], [3], 10))


def test_gather_tree_from_array(session):
    values = np.arange(12).reshape(3, 1, 2, 2).astype(np.float32)
    parents = [[[0, 0]], [[0, 1]], [[1, 0]]]
    found = session.run(seq2seq.gather_tree_from_array(values, parents, [[3, 3]]))
    np.testing.assert_array_equal(found[:, 0, 0], values[[0, 1, 2], 0, [1, 1, 0]])
    np.testing.assert_array_equal(found[:, 0, 1], values[[0, 1, 2], 0, [0, 0, 1]])
    short = session.run(seq2seq.gather_tree_from_array(values, parents, [[3, 1]]))
    np.testing.assert_array_equal(short[1:, 0, 1], values[1:, 0, 1])


def test_mistakes():
    cell = TableCell(np.zeros((2, 3), np.float32))

    def made(**changes):
        given = dict(cell=cell, embedding=lambda i: tf.cast(i, tf.float32)[..., None],
                     start_tokens=[2, 2], end_token=1, initial_state=tf.zeros([6, 1]),
                     beam_width=3)  # fmt: skip
        return seq2seq.BeamSearchDecoder(**{**given, **changes})

    assert made().tracks_own_finished
    for error, message, change in [
        (TypeError, "cell", dict(cell=3)),
        (TypeError, "must be a Layer", dict(output_layer=3)),
        (ValueError, "must be a vector", dict(start_tokens=2)),
        (ValueError, "must be a scalar", dict(end_token=[2])),
        (ValueError, "tile_batch|batch_size", dict(initial_state=tf.zeros([4, 1]))),
        (ValueError, "known rank", dict(initial_state=tf.placeholder(tf.float32))),
    ]:
        with pytest.raises(error, match=message):
            made(**change)
    with pytest.raises(ValueError, match="attentional"):
        made(coverage_penalty_weight=0.5).initialize()
