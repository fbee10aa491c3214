"""Batches of sparse tensors whose numbers of entries differ: few of them are compiled, and all are
right."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tfc.passes import padded

ROWS, COLUMNS, UNITS = 7, 40, 5


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def batch(random: np.random.RandomState, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    flat = np.sort(random.choice(ROWS * COLUMNS, count, replace=False))
    places = np.stack([flat // COLUMNS, flat % COLUMNS], 1)
    whole = np.zeros((ROWS, COLUMNS))
    values = random.randn(count)
    whole[places[:, 0], places[:, 1]] = values
    return places, values, whole


@pytest.mark.parametrize("known", (True, False))
def test_products_train_with_any_number_of_entries(known: bool) -> None:
    random = np.random.RandomState(0)
    sparse = tf.sparse_placeholder(tf.float64, [ROWS, COLUMNS] if known else None)
    start = random.randn(COLUMNS, UNITS)
    weights = tf.Variable(start)
    made = tf.sparse_tensor_dense_matmul(sparse, weights)
    loss = tf.reduce_sum(tf.square(made))
    step = tf.train.GradientDescentOptimizer(2.0**-7).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        misses = sess.statistics.misses
        for count in (1, 3, *range(20, 60)):
            places, values, whole = batch(random, count)
            feed = {sparse: (places, values, [ROWS, COLUMNS])}
            got, _ = sess.run([made, step], feed)
            np.testing.assert_allclose(got, whole @ start, rtol=1e-12, atol=1e-12)
            start -= 2.0**-6 * whole.T @ (whole @ start)
            np.testing.assert_allclose(sess.run(weights), start, rtol=1e-12)
        # four sizes as they are, one for the weights, and 24, 32, 48 and 64 rows
        assert sess.statistics.misses - misses <= padded.MOST_EXACT + 5


def test_what_has_rows_for_nothing_does_not_meet_what_is_not_finite() -> None:
    sparse = tf.sparse_placeholder(tf.float64, [ROWS, COLUMNS])
    weights = tf.placeholder(tf.float64, [COLUMNS, 2])
    made = tf.sparse_tensor_dense_matmul(sparse, weights)
    given = np.ones((COLUMNS, 2))
    given[0] = np.nan, np.inf
    with tf.Session() as sess:
        for count in range(1, 9):
            places = np.array([[k % ROWS, 1 + k] for k in range(count)])
            feed = {sparse: (places, np.ones(count), [ROWS, COLUMNS]), weights: given}
            got = sess.run(made, feed)
            want = np.bincount(places[:, 0], minlength=ROWS)
            np.testing.assert_array_equal(got, np.stack([want, want], 1))


@pytest.mark.parametrize("place", ([ROWS, 0], [0, COLUMNS], [-1, 0], [padded.LEAST, 0]))
def test_places_that_are_not_there_are_told(place: list[int]) -> None:
    sparse = tf.sparse_placeholder(tf.float32, [ROWS, COLUMNS])
    made = tf.sparse_tensor_dense_matmul(sparse, tf.ones([COLUMNS, 2]))
    with tf.Session() as sess:
        for count in range(1, 8):
            places = np.array([*[[0, k] for k in range(count)], place])
            with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
                sess.run(made, {sparse: (places, np.ones(count + 1), [ROWS, COLUMNS])})
            got = sess.run(made, {sparse: (places[:-1], np.ones(count), [ROWS, COLUMNS])})
            assert got[0].tolist() == [count, count]


def test_what_else_takes_the_rows_gets_them_as_they_are() -> None:
    sparse = tf.sparse_placeholder(tf.float64, [ROWS, COLUMNS])
    made = tf.sparse_tensor_dense_matmul(sparse, tf.ones([COLUMNS, 1], tf.float64))
    fetched = [made, sparse.values, tf.shape(sparse.indices), tf.reduce_mean(sparse.values)]
    with tf.Session() as sess:
        for count in range(1, 9):
            places = np.array([[0, k] for k in range(count)])
            feed = {sparse: (places, np.full(count, 2.0), [ROWS, COLUMNS])}
            product, values, shape, mean = sess.run(fetched, feed)
            assert product[0, 0] == 2.0 * count and values.tolist() == [2.0] * count
            assert shape.tolist() == [count, 2] and mean == 2.0


def test_what_is_waited_for_is_run() -> None:
    """A lookup that fails is told, however many sizes there have been."""
    sparse = tf.sparse_placeholder(tf.float64, [ROWS, COLUMNS])
    at = tf.placeholder(tf.int32, [])
    weights = tf.Variable(np.ones((COLUMNS, 2)))
    with tf.control_dependencies([tf.gather(tf.range(3), at)]):
        loss = tf.reduce_sum(tf.sparse_tensor_dense_matmul(sparse, weights))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    rows = tf.gather(tf.range(3), tf.unstack(sparse.indices, num=2, axis=1)[0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for count in range(1, 9):
            feed = {sparse: ([[4, k] for k in range(count)], np.ones(count), [ROWS, COLUMNS])}
            sess.run(step, {**feed, at: 2})
            with pytest.raises(tf.errors.InvalidArgumentError):
                sess.run(step, {**feed, at: 3})
            with pytest.raises(tf.errors.InvalidArgumentError):
                sess.run([step, rows.op], {**feed, at: 2})


def _ctc(random: np.random.RandomState, rows: int, classes: int):
    lengths = random.randint(1, 5, rows)
    places = np.array([(i, j) for i in range(rows) for j in range(lengths[i])])
    values = random.randint(0, classes - 1, len(places))
    values[np.cumsum(lengths)[lengths > 2] - 1] = classes - 1  # the end of a row may be a blank
    return places, values, [rows, lengths.max()]


@pytest.mark.parametrize("collapse", (False, True))
def test_ctc_losses_of_any_number_of_labels(collapse: bool) -> None:
    random, steps, rows, classes = np.random.RandomState(1), 12, 6, 5
    labels = tf.sparse_placeholder(tf.int32)
    logits = tf.placeholder(tf.float64, [steps, rows, classes])
    lengths = tf.constant([steps] * rows)
    losses = tf.nn.ctc_loss(labels, logits, lengths, preprocess_collapse_repeated=collapse)
    slope = tf.gradients(tf.reduce_sum(losses), logits)[0]
    with tf.Session() as sess:
        misses = sess.statistics.misses
        for _ in range(25):
            feed = {labels: _ctc(random, rows, classes), logits: random.randn(steps, rows, classes)}
            got = sess.run([losses, slope], feed)
            want = [_alone(feed[labels], feed[logits], i, collapse) for i in range(rows)]
            np.testing.assert_allclose(got[0], want, rtol=1e-10)
            moved = feed[logits].copy()
            moved[3, 2, 1] += 1e-6
            after = sess.run(losses, {**feed, logits: moved}).sum()
            np.testing.assert_allclose((after - got[0].sum()) / 1e-6, got[1][3, 2, 1], atol=1e-5)
        assert sess.statistics.misses - misses <= 2 * (padded.MOST_EXACT + 2)
        with pytest.raises(tf.errors.InvalidArgumentError, match="nonnegative"):
            sess.run(losses, {**feed, labels: ([[0, 0]] * 19, [-1] * 19, [rows, 19])})


def _alone(labels, logits: np.ndarray, row: int, collapse: bool) -> float:
    """The loss of one row, summed over all paths by the textbook's recursion."""
    places, values, _ = labels
    mine = [v for (i, _), v in zip(places, values, strict=True) if i == row]
    if collapse:
        mine = [v for k, v in enumerate(mine) if not k or v != mine[k - 1]]
    blank = logits.shape[2] - 1
    mine = [v for v in mine if v != blank]
    states = [blank, *(s for v in mine for s in (v, blank))]
    odds = np.exp(logits[:, row]) / np.exp(logits[:, row]).sum(1, keepdims=True)
    alpha = np.zeros(len(states))
    alpha[:2] = odds[0, states[:2]]
    for t in range(1, len(logits)):
        came = alpha.copy()
        came[1:] += alpha[:-1]
        for u in range(2, len(states)):
            if states[u] not in (blank, states[u - 2]):
                came[u] += alpha[u - 2]
        alpha = came * odds[t, states]
    return float(-np.log(alpha[-2:].sum()))


def test_room_is_little_more_than_asked_for() -> None:
    sizes = [padded.room_for(count) for count in range(1, 3000)]
    assert all(size >= count for count, size in enumerate(sizes, 1))
    assert all(size <= 1.5 * count for count, size in enumerate(sizes, 1) if count > 16)
    assert sorted(set(sizes))[:6] == [16, 24, 32, 48, 64, 96]
