"""What may be done from outside with ops of loops and branches: TensorFlow's rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def _branch(go: Any, v: Any, nested: bool = False) -> tuple[Any, Any]:
    """A condition, and a write in its first branch that its result does not need."""
    made = []

    def write() -> Any:
        made.append(v.assign_add(1.0))
        return tf.constant(3.0) * 1.0

    def outer() -> Any:
        return tf.cond(go, write, lambda: tf.constant(0.0)) if nested else write()

    return tf.cond(go, outer, lambda: tf.constant(4.0) * 1.0), made[0]


@pytest.mark.parametrize("nested", [False, True])
def test_waiting_for_an_op_of_a_branch(session, nested) -> None:
    """It runs once if its branch is taken; if not, what waits for it has no value, and it does not
    run either."""
    go, v = tf.placeholder(tf.bool, []), tf.Variable(1.0)
    value, write = _branch(go, v, nested)
    with tf.control_dependencies([write]):
        after = value + 1.0
        apart = tf.constant(5.0) + 1.0
    session.run(v.initializer)
    assert session.run([after, apart], {go: True}) == [4.0, 6.0]
    assert session.run(v) == 2.0
    for fetch in (after, apart):
        with pytest.raises(tf.errors.InvalidArgumentError, match="branch was not taken"):
            session.run(fetch, {go: False})
    assert session.run(v) == 2.0
    assert session.run(value, {go: False}) == 4.0


def test_waiting_for_an_op_of_the_branch_always_taken(session) -> None:
    v = tf.Variable(1.0)
    value, write = _branch(tf.constant(True), v)
    with tf.control_dependencies([write]):
        after = value + 1.0
    session.run(v.initializer)
    assert session.run(after) == 4.0 and session.run(v) == 2.0


def test_waiting_for_an_op_of_the_second_branch(session) -> None:
    go, v = tf.placeholder(tf.bool, []), tf.Variable(1.0)
    made = []

    def write() -> Any:
        made.append(v.assign_add(1.0).op)
        return tf.constant(1.0)

    tf.cond(go, lambda: tf.constant(0.0), write)
    with tf.control_dependencies(made):
        after = tf.identity(2.0)
    session.run(v.initializer)
    assert session.run(after, {go: False}) == 2.0 and session.run(v) == 2.0
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(after, {go: True})


def test_waiting_for_an_op_of_a_loop(session) -> None:
    v, made = tf.Variable(1.0), []

    def body(i: Any) -> Any:
        made.append(v.assign_add(1.0).op)
        return i + 1

    count = tf.while_loop(lambda i: i < 3, body, [0])
    with tf.control_dependencies(made):
        after = count + 1
    session.run(v.initializer)
    with pytest.raises(tf.errors.InvalidArgumentError, match="waits for 'while/AssignAdd'"):
        session.run(after)
    assert session.run(v) == 1.0


def test_ops_of_regions_are_neither_fetched_nor_fed(session) -> None:
    inner = []

    def keep(x: Any) -> Any:
        inner.append(x)
        return x

    loop = tf.while_loop(lambda i: i < 3, lambda i: keep(i + tf.constant(1)), [0])
    branch = tf.cond(loop > 1, lambda: keep(tf.constant(2.0)) * 2.0, lambda: 1.0)
    for tensor in inner:
        with pytest.raises(ValueError, match="has been marked as not fetchable"):
            session.run(tensor)
        with pytest.raises(ValueError, match="has been marked as not fetchable"):
            session.run(tensor.op)
        with pytest.raises(ValueError, match="may not be fed"):
            session.run(branch, {tensor: 1})
    assert session.run([loop, branch]) == [3, 4.0]


@pytest.mark.parametrize("by", ["native", "driven"])
def test_conditions_are_scalars(session, by) -> None:
    p = tf.placeholder(tf.bool, None)
    done = (lambda x: x) if by == "native" else (lambda x: tf.py_func(lambda a: a, [x], x.dtype))
    branch = tf.cond(p, lambda: done(tf.constant(1)), lambda: tf.constant(2))
    loop = tf.while_loop(
        lambda i: tf.logical_and(i < 3, p),
        lambda i: done(i + 1),
        [0],
        shape_invariants=[tf.TensorShape(None)],
    )
    assert session.run([branch, loop], {p: True}) == [1, 3]
    for fetch in (branch, loop):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"it has shape \[1\]"):
            session.run(fetch, {p: [True]})


def test_what_stands_for_operations_and_indices(session) -> None:
    """TensorFlow gives an operation's branch the predicate, and makes indices int64 alike."""
    go, v = tf.placeholder(tf.bool, []), tf.Variable(1.0)
    done = tf.cond(go, lambda: tf.group(v.assign_add(1.0)), lambda: tf.no_op())
    rows = tf.cond(
        go,
        lambda: tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 1])),
        lambda: tf.IndexedSlices(tf.zeros([1, 3]), tf.constant([2], tf.int64)),
    )
    session.run(v.initializer)
    assert rows.indices.dtype == tf.int64
    for value, want in ((True, [0, 1]), (False, [2])):
        flag, indices = session.run([done, rows.indices], {go: value})
        assert flag == value
        np.testing.assert_array_equal(indices, want)
    assert session.run(v) == 2.0
