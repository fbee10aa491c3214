"""Functions that compute orders of axes, on tensors whose rank only the feed tells."""

import numpy as np
import pytest

import tfc as tf

X = np.random.RandomState(0).randn(2, 3, 4)


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("axis, batch_dims", [(1, 0), (-1, 0), (2, 1), (1, 1)])
def test_gradient_of_gather(session, axis, batch_dims):
    x, i = tf.placeholder(tf.float64), tf.placeholder(tf.int32)
    index = np.array([[1, 0], [1, 1]], np.int32)
    y = tf.gather(x, i, axis=axis, batch_dims=batch_dims)
    weights = tf.placeholder(tf.float64)
    dx = tf.gradients(y, x, grad_ys=weights)[0]
    known = tf.constant(X)
    same = tf.gather(known, tf.constant(index), axis=axis, batch_dims=batch_dims)
    given = np.random.RandomState(1).randn(*same.shape.as_list())
    want = session.run([same, tf.gradients(same, known, grad_ys=tf.constant(given))[0]])
    got = session.run([y, dx], {x: X, i: index, weights: given})
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-12)
    by_hand = np.zeros_like(X)
    for place in np.ndindex(X.shape):
        moved = X.copy()
        moved[place] += 1.0
        by_hand[place] = np.sum((session.run(y, {x: moved, i: index}) - got[0]) * given)
    np.testing.assert_allclose(got[1], by_hand, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -1])
def test_sort_and_argsort(session, axis):
    x = tf.placeholder(tf.float64)
    got = session.run([tf.sort(x, axis), tf.argsort(x, axis)], {x: X})
    np.testing.assert_array_equal(got[0], np.sort(X, axis))
    np.testing.assert_array_equal(got[1], np.argsort(X, axis, kind="stable"))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cross_entropy_along_an_axis(session, axis):
    logits, labels = tf.placeholder(tf.float64), tf.placeholder(tf.float64)
    y = tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, axis=axis)
    p = np.abs(X) / np.abs(X).sum(axis, keepdims=True)
    shifted = X - X.max(axis, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    want = -(p * log_q).sum(axis)
    np.testing.assert_allclose(session.run(y, {logits: X, labels: p}), want, rtol=1e-12)


@pytest.mark.parametrize("rows", [(3, 2, 2), (2, 2, 2), (1, 1, 0)])
def test_division_of_an_embedding_among_tables(session, rows):
    tables = [tf.placeholder(tf.float64, [None, 2]) for _ in rows]
    ids = tf.placeholder(tf.int64, [None])
    found = tf.nn.embedding_lookup(tables, ids, partition_strategy="div")
    whole = np.arange(2.0 * sum(rows)).reshape(-1, 2)
    parts = np.split(whole, np.cumsum(rows)[:-1])
    feed = dict(zip(tables, parts, strict=True))
    feed[ids] = np.arange(sum(rows))[::-1]
    np.testing.assert_array_equal(session.run(found, feed), whole[::-1])
