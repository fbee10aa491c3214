"""What lowering guesses where a shape depends on data, and runs whose guess was wrong."""

import logging

import numpy as np
import pytest

import tfc as tf
from tfc import prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.passes.linear import difference


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


X = np.arange(12.0)


def test_a_window_is_compiled_once_for_all_places(session):
    x, i = tf.placeholder(tf.float64, [12]), tf.placeholder(tf.int32, [])
    batch = x[i * 3 : (i + 1) * 3]
    for k in range(4):
        np.testing.assert_array_equal(session.run(batch, {x: X, i: k}), X[k * 3 : k * 3 + 3])
    assert session.statistics.misses == 1


@pytest.mark.parametrize("begin", [-14, -3, -1, 0, 8, 10, 11, 12, 20])
def test_a_window_that_reaches_out_is_as_short_as_numpys(session, begin):
    x, i = tf.placeholder(tf.float64, [12]), tf.placeholder(tf.int32, [])
    window = x[i : i + 4]
    gradient = tf.gradients(tf.reduce_sum(window * window), x)[0]
    want = X[begin : begin + 4]
    got, dx = session.run([window, gradient], {x: X, i: begin})
    np.testing.assert_array_equal(got, want)
    expected = np.zeros(12)
    expected[begin : begin + 4] = 2 * want
    np.testing.assert_array_equal(dx, expected)
    np.testing.assert_array_equal(session.run(window, {x: X, i: 5}), X[5:9])


def test_windows_with_strides_and_other_axes(session):
    x, i = tf.placeholder(tf.float64, [12, 5]), tf.placeholder(tf.int64, [])
    table = np.random.RandomState(0).randn(12, 5)
    y = x[2 * i : 7 + 2 * i : 3, ::-1, tf.newaxis]
    dx = tf.gradients(y, x, tf.ones([3, 5, 1], tf.float64) * 2.0)[0]
    for k in (0, 1, 2):
        got, grad = session.run([y, dx], {x: table, i: k})
        np.testing.assert_array_equal(got, table[2 * k : 7 + 2 * k : 3, ::-1, np.newaxis])
        want = np.zeros((12, 5))
        want[2 * k : 7 + 2 * k : 3] = 2.0
        np.testing.assert_array_equal(grad, want)
    assert session.statistics.misses == 1


def window_sum(x, count, width):
    return tf.while_loop(
        lambda i, s: i < count,
        lambda i, s: (i + 1, s * 0.5 + tf.reduce_sum(x[i : i + width] ** 2)),
        [0, tf.zeros([], tf.float64)],
    )[1]


def test_windows_in_loops_are_native(session, caplog):
    x = tf.placeholder(tf.float64, [12])
    y = window_sum(x, 9, 4)
    with caplog.at_level(logging.INFO, "tfc"):
        got, dx = session.run([y, tf.gradients(y, x)[0]], {x: X})
    assert caplog.messages == []
    want, grad = 0.0, np.zeros(12)
    for i in range(9):
        want, grad = want * 0.5 + np.sum(X[i : i + 4] ** 2), grad * 0.5
        grad[i : i + 4] += 2 * X[i : i + 4]
    np.testing.assert_allclose(got, want, rtol=1e-12)
    np.testing.assert_allclose(dx, grad, rtol=1e-12)


def test_windows_that_reach_out_of_a_loop_are_driven(session, caplog):
    v = tf.Variable(0.0, dtype=tf.float64)
    session.run(v.initializer)
    x = tf.placeholder(tf.float64, [12])
    count = tf.placeholder(tf.int32, [])
    counted = tf.assign_add(v, window_sum(x, count, 4))
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run(counted, {x: X, count: 12})
    assert len(caplog.messages) == 1
    want = 0.0
    for i in range(12):
        want = want * 0.5 + np.sum(X[i : i + 4] ** 2)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    np.testing.assert_allclose(session.run(v), want, rtol=1e-12)


def test_difference_of_linear_forms():
    build = Builder("f")
    i, j = build.param(Type("i32", ())), build.param(Type("i32", ()))
    two, five = (p.constant(build, np.asarray(n, np.int32)) for n in (2, 5))
    a = p.mul(build, p.add(build, i, two), five)  # 5i + 10
    b = p.sub(build, p.mul(build, five, i), two)  # 5i - 2
    assert difference(a, b) == 12
    wide = p.convert(build, a, dtype="i64")
    assert difference(p.neg(build, wide), p.neg(build, p.convert(build, b, dtype="i64"))) == -12
    assert difference(p.add(build, a, j), b) is None
    assert difference(p.add(build, a, j), p.add(build, j, b)) == 12
    assert difference(p.mul(build, i, j), p.mul(build, j, i)) is None
