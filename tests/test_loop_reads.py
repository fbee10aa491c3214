"""Loops and branches that write a variable and read it by name: a variable's read shares its memory
in TensorFlow, so each iteration finds what was written before it. Numbers are TensorFlow's."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def native(x: tf.Tensor) -> tf.Tensor:
    return x


def driven(x: tf.Tensor) -> tf.Tensor:
    """`x` by way of Python, so that the loop around it is no native function."""
    result = tf.py_func(lambda a: a, [x], x.dtype)
    result.set_shape(x.shape)
    return result


WAYS = pytest.mark.parametrize("by", [native, driven])


def run(fetch: Any, *variables: tf.Variable) -> tuple[Any, list[Any]]:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetch), sess.run(list(variables))


def loop(count: int, step: Callable[[], Any], by: Callable[[Any], Any]) -> Any:
    def body(i):
        with tf.control_dependencies([step()]):
            return by(i + 1)

    return tf.while_loop(lambda i: i < count, body, [tf.constant(0)])


@WAYS
def test_assignment_of_what_is_made_of_the_variable(by) -> None:
    v = tf.Variable(1.0)
    assert run(loop(4, lambda: v.assign(v * 2.0), by), v) == (4, [16.0])


@WAYS
def test_read_after_a_write_of_the_same_iteration(by) -> None:
    a, b = tf.Variable(0), tf.Variable(0)

    def step():
        with tf.control_dependencies([tf.assign_add(a, 1)]):
            return tf.assign_add(b, a)

    assert run(loop(10, step, by), a, b) == (10, [10, 55])


@WAYS
def test_written_in_a_branch_inside_a_loop(by) -> None:
    v, w = tf.Variable(2.0), tf.Variable(2.0)

    def step():
        always = tf.cond(tf.constant(True), lambda: v.assign(tf.square(v)), lambda: v)
        early = tf.cond(w < 10.0, lambda: w.assign(by(w + 3.0)), lambda: tf.identity(w))
        return tf.group(always, early)

    assert run(loop(4, step, by), v, w) == (4, [65536.0, 11.0])


@WAYS
def test_branch_that_writes_and_reads(by) -> None:
    v, go = tf.Variable(2.0), tf.Variable(0)

    def write():
        with tf.control_dependencies([v.assign(5.0)]):
            return by(tf.identity(v) * v)

    result = tf.cond(tf.equal(go, 0), write, lambda: tf.identity(v))
    assert run(result, v) == (25.0, [5.0])


@WAYS
def test_steps_of_an_optimizer_in_a_loop(by) -> None:
    w, x = tf.Variable([1.0, 2.0]), tf.constant([3.0, 4.0])

    def step():
        loss = tf.reduce_sum(tf.square(w * x - 1.0))
        return tf.train.GradientDescentOptimizer(0.01).minimize(loss)

    expected = np.array([1.0, 2.0])
    for _ in range(5):
        expected -= 0.01 * 2.0 * np.array([3.0, 4.0]) * (expected * [3.0, 4.0] - 1.0)
    count, (found,) = run(loop(5, step, by), w)
    assert count == 5
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@WAYS
def test_test_of_a_loop_reads_what_its_body_writes(by) -> None:
    v = tf.Variable(1.0)

    def body(i):
        with tf.control_dependencies([v.assign(v * 2.0)]):
            return by(i + 1)

    result = tf.while_loop(lambda i: v < 40.0, body, [tf.constant(0)])
    assert run(result, v) == (6, [64.0])


@WAYS
def test_what_no_iteration_writes_is_what_it_was(by) -> None:
    v, other = tf.Variable(3.0), tf.Variable(1.0)
    total = loop(3, lambda: other.assign_add(v), by)
    with tf.control_dependencies([total]):
        after = v.assign(0.0)
    assert run([total, after], v, other) == ([3, 0.0], [0.0, 10.0])


@WAYS
def test_read_after_a_loop_that_writes_in_the_same_run(by) -> None:
    v = tf.Variable(1.0)
    count = loop(4, lambda: v.assign(v * 2.0), by)
    with tf.control_dependencies([count]):
        after = v.read_value() + 0.5
        with tf.control_dependencies([v.assign_add(1.0)]):
            last = v.read_value()
    assert run([count, after, last], v)[0] == [4, 16.5, 17.0]


@WAYS
def test_read_after_a_branch_that_writes_in_the_same_run(by) -> None:
    v, w = tf.Variable(1.0), tf.Variable(True)
    done = tf.cond(w, lambda: by(tf.identity(v.assign(5.0))), lambda: tf.constant(0.0))
    with tf.control_dependencies([done]):
        after = v.read_value() * 2.0
    assert run([done, after], v) == ([5.0, 10.0], [5.0])


def test_test_of_a_loop_writes() -> None:
    """Every test counts, the last one too; TensorFlow: 4, and 8 in the second run."""
    v = tf.Variable(0)

    def test(i):
        with tf.control_dependencies([v.assign_add(1)]):
            return i < 3

    count = tf.while_loop(test, lambda i: i + 1, [tf.constant(0)])
    with tf.control_dependencies([count]):
        after = v.read_value()
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert sess.run([count, after]) == [3, 4]
        assert sess.run([count, after]) == [3, 8]


def test_gradient_of_an_explicit_read() -> None:
    v, go = tf.Variable([1.0, 2.0]), tf.placeholder(tf.bool, [])
    turns = tf.while_loop(
        lambda i, a: i < 2, lambda i, a: (i + 1, a + v.read_value() * v), [0, tf.zeros([2])]
    )[1]
    branch = tf.cond(go, lambda: v.read_value(), lambda: v * 3.0)
    found = [tf.gradients(y, v)[0] for y in (turns, branch)]
    with tf.Session() as sess:
        sess.run(v.initializer)
        for value, want in ((True, [1.0, 1.0]), (False, [3.0, 3.0])):
            got = sess.run(found, {go: value})
            np.testing.assert_array_equal(got, [[4.0, 8.0], want])


def test_no_gradient_where_nothing_flows() -> None:
    """TensorFlow: None, not zeros."""
    w, x = tf.constant(2.0), tf.constant(3.0)
    y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.stop_gradient(a * w)), [0, x])[1]
    by_x, by_w = tf.gradients(y, [x, w])
    assert by_w is None
    with tf.Session() as sess:
        assert sess.run([y, by_x]) == [24.0, 0.0]


@pytest.mark.parametrize("resource", [False, True])
def test_assigning_to_slices_at_the_index_of_a_loop(resource, caplog) -> None:
    v = tf.get_variable("v", initializer=np.zeros((4, 3)), use_resource=resource)
    w = tf.get_variable("w", initializer=np.zeros(6), use_resource=resource)
    count = tf.placeholder(tf.int32, [])

    def body(i):
        x = tf.cast(i, tf.float64)
        rows = v[i, ::-2].assign([x + 1.0, x + 2.0])
        parts = w[i : i + 2].assign([x + 1.0, w[-1 - i] + 7.0])
        with tf.control_dependencies([rows, parts]):
            return i + 1

    done = tf.while_loop(lambda i: i < count, body, [0])
    with tf.control_dependencies([done]):
        after = [v.read_value(), w.read_value()]
    want = np.zeros((4, 3)), np.zeros(6)
    with tf.Session() as sess, caplog.at_level(logging.INFO, "tfc"):
        sess.run(tf.global_variables_initializer())
        for n in (3, 4):
            got = sess.run(after, {count: n})
            for i in range(n):
                want[0][i, ::-2] = i + 1, i + 2
                want[1][i : i + 2] = i + 1, want[1][-1 - i] + 7
            for one, other in zip(got, want, strict=True):
                np.testing.assert_array_equal(one, other)
        with pytest.raises(tf.errors.InvalidArgumentError, match="slice index 4 of dimension 0"):
            sess.run(after, {count: 5})
    assert not [m for m in caplog.messages if "driven by Python" in m]
