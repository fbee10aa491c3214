"""What random nests of loops and branches found: programs that failed or gave other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf

X = np.array([0.1, 0.2, 0.3])


def _doubled(x: Any) -> Any:
    """`x` and twice its square behind itself: a loop whose variable grows, driven by Python."""
    return tf.while_loop(
        lambda i, a: i < 1,
        lambda i, a: (i + 1, tf.concat([a, 2.0 * a * a], 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]


def _value(tensors: Any, feeds: Any) -> Any:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(tensors, feeds)


def test_a_later_stage_reads_what_an_earlier_one_wrote() -> None:
    """A branch that waits for a driven loop orders the read after the writes of another loop."""
    v = tf.get_variable("v", initializer=np.float64(0.5))
    count = tf.placeholder(tf.int32, [])

    def body(i: Any, token: Any) -> Any:
        with tf.control_dependencies([token]):
            written = v.assign_sub(0.25)
        with tf.control_dependencies([written]):
            return i + 1, tf.identity(token)

    token = tf.while_loop(lambda i, t: i < count, body, [0, tf.constant(0.0)])[1]
    grown = _doubled(tf.constant(X))
    branch = lambda: [grown, tf.identity(token)]  # noqa: E731
    done = tf.cond(tf.constant(True), branch, branch)[1]
    with tf.control_dependencies([done]):
        read = v.read_value()
        inside = tf.cond(count > 1, lambda: v.read_value() * 2.0, lambda: v.read_value())
    assert _value([read, inside], {count: 3}) == [-0.25, -0.5]


@pytest.mark.parametrize("inner", [False, True])
def test_a_branch_never_taken_in_a_loop(inner: bool) -> None:
    """sin, three times; what the other branch would keep for the gradient is nobody's."""
    x = tf.placeholder(tf.float64, [3])

    def never(a: Any) -> Any:
        if not inner:
            return tf.tanh(a)
        return tf.while_loop(lambda j, b: j < 2, lambda j, b: (j + 1, tf.tanh(b)), [0, a])[1]

    def body(i: Any, a: Any) -> Any:
        return i + 1, tf.cond(tf.constant(False), lambda: never(a), lambda: tf.sin(a))

    y = tf.while_loop(lambda i, a: i < 3, body, [0, x])[1]
    s = [X, np.sin(X), np.sin(np.sin(X))]
    expected = np.cos(s[0]) * np.cos(s[1]) * np.cos(s[2])
    np.testing.assert_allclose(_value(tf.gradients(y, x)[0], {x: X}), expected, rtol=1e-12)


@pytest.mark.parametrize("loop", [False, True])
def test_a_branch_never_taken_before_a_driven_loop(loop: bool) -> None:
    """Its residuals reach another stage, and with a loop around entries of a driven one; first and
    second derivatives of y + 2y², where y is sin(x) or x²."""
    x = tf.placeholder(tf.float64, [3])

    def branch(a: Any, other: Any) -> Any:
        return tf.cond(tf.constant(False), lambda: tf.tanh(a), lambda: other(a))

    if loop:
        y = tf.while_loop(lambda i, a: i < 1, lambda i, a: (i + 1, branch(a, tf.sin)), [0, x])[1]
        value, first, second = np.sin(X), np.cos(X), -np.sin(X)
    else:
        y = branch(x, tf.square)
        value, first, second = X * X, 2 * X, np.full(3, 2.0)
    g = tf.gradients(_doubled(y), x)[0]
    got = _value([g, tf.gradients(g, x)[0]], {x: X})
    np.testing.assert_allclose(got[0], (1 + 4 * value) * first, rtol=1e-12)
    np.testing.assert_allclose(got[1], 4 * first**2 + (1 + 4 * value) * second, rtol=1e-12)


@pytest.mark.parametrize("most", [1.0, 9.0])
def test_what_never_changes_is_asked_for_entry_by_entry(most: float) -> None:
    """A loop whose count only running tells, in a branch, keeps nothing that changes; a stage after
    it takes the gradient: x + n·sin(x) with n the turns until the sum is at least `most`."""
    x = tf.placeholder(tf.float64, [3])
    limit = tf.placeholder(tf.float64, [])

    def turns() -> Any:
        return tf.while_loop(
            lambda i, a: tf.reduce_sum(a) < limit, lambda i, a: (i + 1, a + tf.sin(x)), [0, x]
        )[1]

    def body(a: Any) -> Any:
        return tf.while_loop(
            lambda i, b: tf.logical_and(i < 100, tf.reduce_sum(b) < limit),
            lambda i, b: (i + 1, b + tf.sin(x) * x),
            [0, a],
        )[1]

    y = tf.cond(limit > 0.0, lambda: body(turns()), lambda: x)
    g = tf.gradients(_doubled(y), x)[0]
    n = 0
    while (X + n * np.sin(X)).sum() < most:
        n += 1
    value = X + n * np.sin(X)
    expected = (1 + 4 * value) * (1 + n * np.cos(X))
    np.testing.assert_allclose(_value(g, {x: X, limit: most}), expected, rtol=1e-12)


def test_gradients_of_a_loop_whose_variable_changes_its_shape() -> None:
    """The variable does not depend on what it was: its first value has a gradient of zeros, of its
    own shape, also if what comes after the loop tells the last shape."""
    x, z = tf.placeholder(tf.float64, [3]), tf.placeholder(tf.float64, [2])
    y = tf.while_loop(
        lambda i, a: i < 2,
        lambda i, a: (i + 1, tf.concat([x, x], 0) * tf.cast(i, tf.float64)),
        [0, z],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]
    y = tf.where(y > 1.0, y, tf.zeros([6], tf.float64))
    assert y.shape.as_list() == [6]
    dx, dz = _value(tf.gradients(y, [x, z]), {x: [1.0, 2.0, 3.0], z: [5.0, 5.0]})
    assert dx.tolist() == [0.0, 2.0, 2.0] and dz.tolist() == [0.0, 0.0]


def test_range_of_a_static_dimension_has_a_static_shape() -> None:
    x = tf.placeholder(tf.float64, [3, None])
    rows, columns = (tf.shape(x)[k] for k in range(2))
    assert tf.range(rows).shape.as_list() == [3]
    assert tf.range(2 * rows - 1).shape.as_list() == [5]
    assert tf.range(columns).shape.as_list() == [None]
