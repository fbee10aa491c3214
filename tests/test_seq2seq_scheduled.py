"""Scheduled sampling: which inputs the network gets, and gradients through them."""

import numpy as np
import pytest

import tfc as tf
from tests.rnn_cells import basic_rnn, pattern, set_pattern

seq2seq, cells = tf.contrib.seq2seq, tf.nn.rnn_cell
X = pattern([3, 4, 2], 2)  # batch, time, depth
LENGTHS = [2, 4, 1]
TABLE = pattern([5, 2], 3)


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=3e-5, atol=3e-6)


def decode(helper, units=4, layer=None, **options):
    cell = cells.BasicRNNCell(units)
    decoder = seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32), layer)
    return seq2seq.dynamic_decode(decoder, **options)


def followed(w, projection, ids, made):
    """The outputs of a network whose input after a step is `made(output, id)` where an id says so,
    else the one given."""
    h, given, outputs = np.zeros([3, w[0].shape[1]]), X[:, 0], []
    for step in range(4):
        h = basic_rnn(given, h, *w)
        outputs.append(h @ projection)
        rows = zip(outputs[-1], ids[:, step], X[:, min(step + 1, 3)], strict=True)
        given = np.stack([made(out, i, x) for out, i, x in rows])
    return np.stack(outputs, 1)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["table", "function", "fed"])
def test_embedding(session, probability, kind):
    table = tf.get_variable("table", initializer=TABLE)
    embedding = (lambda ids: tf.nn.embedding_lookup(table, ids)) if kind == "function" else table
    chance = tf.placeholder(tf.float32, [])
    helper = seq2seq.ScheduledEmbeddingTrainingHelper(
        tf.constant(X.transpose(1, 0, 2) if kind == "fed" else X), LENGTHS, embedding,
        chance if kind == "fed" else probability, time_major=kind == "fed", seed=2,
        scheduling_seed=1,
    )  # fmt: skip
    outputs, _, lengths = decode(helper, 4, tf.layers.Dense(5, use_bias=False))
    gradient = tf.convert_to_tensor(tf.gradients(outputs.rnn_output, table)[0])
    _, kernel, bias, projection = set_pattern(session).values()
    table.load(TABLE, session)
    feed = {chance: probability} if kind == "fed" else {}
    out, ids, counts, slope = session.run([*outputs, lengths, gradient], feed)
    assert ids.dtype == np.int32 and ids.shape == (3, 4)
    np.testing.assert_array_equal(counts, LENGTHS)
    drawn = ids > -1
    assert drawn.any() == (probability > 0) and drawn.all() == (probability == 1)

    def made(_, i, x):
        return TABLE[i] if i > -1 else x

    wanted = followed((kernel, bias), projection, ids, made)
    for row, count in enumerate(LENGTHS):
        close(out[row, :count], wanted[row, :count])
    used = np.zeros(5, bool)  # by the last step there is no next input
    used[ids[:, :3][drawn[:, :3]]] = True
    assert not slope[~used].any() and slope.any() == (probability > 0)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["plain", "joined", "function"])
def test_outputs(session, probability, kind):
    beside = pattern([3, 4, 1], 4)
    given = X[:, :, :1] if kind == "joined" else X
    units = 1 if kind == "joined" else 2
    helper = seq2seq.ScheduledOutputTrainingHelper(
        tf.constant(given), LENGTHS, probability, seed=4,
        next_inputs_fn=(lambda out: out * 2 + 1) if kind == "function" else None,
        auxiliary_inputs=tf.constant(beside) if kind == "joined" else None,
    )  # fmt: skip
    outputs, state, _ = decode(helper, units)
    loss = tf.reduce_sum(outputs.rnn_output[1])
    gradient = tf.gradients(loss, tf.trainable_variables()[0])[0]
    weights = list(set_pattern(session).values())
    out, ids, analytic = session.run([*outputs, gradient])
    drawn = ids.astype(bool)
    assert drawn.any() == (probability > 0) and drawn.all() == (probability == 1)

    def network(kernel):
        h, x, found = np.zeros([3, units]), np.concatenate([given, beside], 2), []
        x = x if kind == "joined" else given
        now = x[:, 0]
        for step in range(4):
            h = basic_rnn(now, h, kernel, weights[1])
            found.append(h)
            after = min(step + 1, 3)
            own = h * 2 + 1 if kind == "function" else h
            own = np.concatenate([own, beside[:, after]], 1) if kind == "joined" else own
            now = np.where(drawn[:, step, None], own, x[:, after])
        return np.stack(found, 1)

    wanted = network(weights[0])
    for row, count in enumerate(LENGTHS):
        close(out[row, :count], wanted[row, :count])
    ends = []
    for step in (1e-3, -1e-3):
        moved = weights[0].astype(np.float64)
        moved[0, 0] += step
        ends.append(network(moved)[1].sum())
    np.testing.assert_allclose(analytic[0, 0], (ends[0] - ends[1]) / 2e-3, rtol=2e-3, atol=1e-5)


def test_choices_have_seeds(session):
    def ids(**seeds):
        helper = seq2seq.ScheduledEmbeddingTrainingHelper(
            tf.constant(X), [4, 4, 4], tf.constant(TABLE), 0.5, **seeds
        )
        with tf.variable_scope("d", reuse=tf.AUTO_REUSE):
            return decode(helper, 5)[0].sample_id

    found = [ids(seed=a, scheduling_seed=b) for a, b in ((1, 2), (1, 2), (1, 5), (3, 2))]
    session.run(tf.global_variables_initializer())
    one, same, other_rows, other_ids = session.run(found)
    np.testing.assert_array_equal(one, same)
    assert ((one > -1) != (other_rows > -1)).any()
    assert ((one > -1) == (other_ids > -1)).all() and (one != other_ids).any()


def test_mistakes_and_bounds(session):
    for make in (
        lambda p: seq2seq.ScheduledOutputTrainingHelper(tf.constant(X), LENGTHS, p),
        lambda p: seq2seq.ScheduledEmbeddingTrainingHelper(tf.constant(X), LENGTHS, TABLE, p),
    ):
        with pytest.raises(ValueError, match="sampling_probability must be either a scalar or"):
            make([[0.5]])
    helper = seq2seq.TrainingHelper(tf.constant(X), LENGTHS)
    outputs, _, lengths = decode(helper, maximum_iterations=-2)
    session.run(tf.global_variables_initializer())
    assert session.run(outputs.rnn_output).shape == (3, 0, 4)
    np.testing.assert_array_equal(session.run(lengths), [0, 0, 0])
