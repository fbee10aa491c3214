"""Gradients of gathers in loops and branches: rows, as TensorFlow has them. Numbers are its own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import tfc as tf

V = np.arange(12.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def turns(count: Any, step: Any, start: Any) -> Any:
    return tf.while_loop(lambda i, a: i < count, lambda i, a: (i + 1, step(i, a)), [0, start])[1]


def values(fetch: Any, feeds: list[dict[Any, Any]]) -> list[Any]:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return [sess.run(fetch, feed) for feed in feeds]


@pytest.mark.parametrize("resource", [False, True])
def test_rows_of_a_loop(resource: bool, caplog: Any) -> None:
    """The last turn's first, behind a row of zeros."""
    v = tf.get_variable("v", initializer=V, use_resource=resource)
    n, k = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [None])
    y = turns(
        n, lambda i, a: a * 0.5 + tf.reduce_sum(tf.gather(v, k), 0), tf.zeros([3], tf.float64)
    )
    gradient = tf.gradients(y, v)[0]
    assert isinstance(gradient, tf.IndexedSlices)
    with caplog.at_level(logging.INFO, "tfc"):
        got = values(gradient, [{n: 2, k: [1, 3]}, {n: 0, k: [1]}, {n: 1, k: []}])
    assert caplog.messages == []
    np.testing.assert_array_equal(got[0].indices, [0, 1, 3, 1, 3])
    np.testing.assert_array_equal(got[0].values, np.repeat([[0, 1, 1, 0.5, 0.5]], 3, 0).T)
    np.testing.assert_array_equal(got[0].dense_shape, [4, 3])
    for rows in got[1:]:
        np.testing.assert_array_equal(rows.indices, [0])
        np.testing.assert_array_equal(rows.values, np.zeros([1, 3]))


@pytest.mark.parametrize("count", [0, 2])
def test_rows_of_turns_that_differ_in_number(count: int) -> None:
    v, n = tf.Variable(V), tf.placeholder(tf.int32, [])
    y = turns(
        n,
        lambda i, a: a * 0.5 + tf.reduce_sum(tf.gather(v, tf.range(i + 1)), 0),
        tf.zeros([3], tf.float64),
    )
    ((rows, indices, _),) = values(tf.gradients(y, v)[0], [{n: count}])
    np.testing.assert_array_equal(indices, [0, 0, 1, 0] if count else [0])
    np.testing.assert_array_equal(rows[:, 2], [0.0, 1.0, 1.0, 0.5] if count else [0.0])


def test_rows_of_branches() -> None:
    """Of the branch taken, and all rows as zeros of another one that gathers."""
    v, go = tf.Variable(V), tf.placeholder(tf.bool, [])
    both = tf.cond(go, lambda: tf.gather(v, [0, 2, 2]), lambda: tf.gather(v, [1]) * 2.0)
    one = tf.cond(go, lambda: tf.gather(v, [0, 2]), lambda: tf.ones([2, 3], tf.float64))
    mixed = tf.cond(go, lambda: tf.gather(v, [3, 3, 3, 3]), lambda: v * 2.0)
    found = [tf.gradients(y, v)[0] for y in (both, one, mixed)]
    yes, no = values(found, [{go: True}, {go: False}])
    np.testing.assert_array_equal(yes[0].indices, [0, 2, 2, 0, 1, 2, 3])
    np.testing.assert_array_equal(yes[0].values[:, 0], [1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(no[0].indices, [0, 1, 2, 3, 1])
    np.testing.assert_array_equal(no[0].values[:, 0], [0, 0, 0, 0, 2])
    np.testing.assert_array_equal(yes[1].indices, [0, 2])
    np.testing.assert_array_equal(no[1].indices, [0, 1, 2, 3])
    assert not no[1].values.any() and yes[1].values.all()
    np.testing.assert_array_equal(yes[2], [[0, 0, 0]] * 3 + [[4, 4, 4]])
    np.testing.assert_array_equal(no[2], np.full([4, 3], 2.0))


def test_only_rows_that_are_there_are_updated() -> None:
    """Momentum and Ftrl of a table that a loop looks up; a dense gradient moves the other rows."""
    tables = [tf.Variable(V * 0.1 + 0.1) for _ in range(2)]
    k = tf.placeholder(tf.int32, [])
    steps = []
    for v, optimizer in zip(
        tables, (tf.train.MomentumOptimizer(0.1, 0.9), tf.train.FtrlOptimizer(0.1)), strict=True
    ):
        look = lambda i, a, v=v: a * 0.5 + tf.nn.embedding_lookup(v, [k, (k + i) % 2])  # noqa: E731
        loss = tf.reduce_sum(turns(3, look, tf.zeros([2, 3], tf.float64)) ** 2)
        steps.append(optimizer.minimize(loss))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for at in (0, 2, 3):
            sess.run(steps, {k: at})
        momentum, ftrl = sess.run(tables)
    want = [
        [-0.3787, -0.58236874, -0.78603749],
        [0.21091094, 0.25060156, 0.29029219],
        [0.27124999, 0.30999999, 0.34874999],
        [0.38749999, 0.42624999, 0.46499999],
    ]
    np.testing.assert_allclose(momentum, want, atol=1e-7)
    want = [
        [-0.02294012, 0.05170397, 0.14062756],
        [0.02175766, 0.06169907, 0.14091472],
        [0.54878172, 0.64868575, 0.74861985],
        [0.84857266, 0.94853771, 1.04851112],
    ]
    np.testing.assert_allclose(ftrl, want, atol=1e-7)


def test_norm_of_rows() -> None:
    """Repeated rows count one by one in TensorFlow's global norm."""
    v = tf.Variable(V * 0.1 + 0.1)
    look = lambda i, a: a * 0.5 + tf.nn.embedding_lookup(v, [i, 0])  # noqa: E731
    norm = tf.global_norm(tf.gradients(turns(3, look, tf.zeros([2, 3], tf.float64)), v))
    np.testing.assert_allclose(values(norm, [{}]), [2.806243040080456])


def test_second_derivative_of_rows() -> None:
    x = tf.placeholder(tf.float64, [4])
    y = turns(
        3, lambda i, a: a * 0.5 + tf.reduce_sum(tf.gather(x, [i, 0]) ** 3), tf.zeros([], tf.float64)
    )
    first = tf.convert_to_tensor(tf.gradients(y, x)[0])
    second = tf.gradients(tf.reduce_sum(first * [1.0, 2.0, 3.0, 4.0]), x)[0]
    at = np.array([0.5, -0.3, 0.2, 0.7])
    ((d, dd),) = values([first, tf.convert_to_tensor(second)], [{x: at}])
    weights = np.array([0.25 + 0.25 + 0.5 + 1.0, 0.5, 1.0, 0.0])
    np.testing.assert_allclose(d, 3 * at**2 * weights)
    np.testing.assert_allclose(dd, 6 * at * weights * [1.0, 2.0, 3.0, 4.0])
