"""Loops whose shapes differ from turn to turn, in a number of turns that is known: native, turn by
turn. Numbers are numpy's; random ones those of the same loop driven by Python."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def session(caplog):
    caplog.set_level(logging.INFO, "tfc")
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def loop(count: Any, step: Any, *start: Any, shapes: Any = ([None],)) -> Any:
    return tf.while_loop(
        lambda i, *a: i < count,
        lambda i, *a: (i + 1, step(i, *a)),
        [0, *start],
        shape_invariants=[tf.TensorShape([]), *map(tf.TensorShape, shapes)],
        parallel_iterations=1,
    )[1:]


def driven(messages: list[str]) -> list[str]:
    return [m for m in messages if "driven by Python" in m]


@pytest.mark.parametrize("count", [0, 3, 40])
def test_a_vector_that_grows(session, caplog, count):
    x = tf.placeholder(tf.float64, [None])
    (y,) = loop(count, lambda i, a: tf.concat([a, a[-1:] * 0.5 + 1.0], 0), x)
    for at in ([2.0], [3.0, 4.0]):
        want = list(at)
        for _ in range(count):
            want.append(want[-1] * 0.5 + 1.0)
        np.testing.assert_allclose(session.run(y, {x: at}), want)
    assert caplog.messages == []


def test_shapes_by_the_index(session, caplog):
    x = tf.placeholder(tf.int32, [])
    (total,) = loop(9, lambda i, s: s + tf.reduce_sum(tf.range(i, i * i)) * x, 0, shapes=([],))
    want = sum(sum(range(i, i * i)) for i in range(9))
    assert session.run(total, {x: 2}) == 2 * want and caplog.messages == []


def test_shapes_that_become_others_once(session, caplog):
    """The turns that differ, and a loop for the rest, however many."""
    v = tf.placeholder(tf.float64, [3])
    (y,) = loop(5000, lambda i, a: a * 0.5 + v, tf.constant(0.0, tf.float64), shapes=(None,))
    (z,) = loop(300, lambda i, a: tf.concat([a, v[:1]], 0)[-2:] * 0.5, v[:0])
    at = np.array([1.0, 2.0, 3.0])
    got = session.run([y, z], {v: at})
    np.testing.assert_allclose(got[0], 2 * at)
    np.testing.assert_allclose(got[1], [0.25, 0.5])
    assert caplog.messages == []


@pytest.mark.parametrize("known", [True, False])
def test_branches_and_loops_inside(session, caplog, known):
    """Decisions that are known in a turn are taken anew in the next one."""
    x = tf.placeholder(tf.float64, [2])

    def step(i: Any, a: Any) -> Any:
        go = tf.equal(i % 2, 0) if known else tf.reduce_sum(a) + tf.cast(i, tf.float64) > 9.0
        more = tf.cond(go, lambda: a[:1] * 2.0, lambda: a[-1:] + 1.0)
        (inner,) = loop(i, lambda j, b: tf.concat([b, [tf.cast(i + j, tf.float64)]], 0), more)
        return tf.concat([a, inner], 0)

    (y,) = loop(5, step, x)
    at = np.array([0.5, 2.5])
    want = at
    for i in range(5):
        go = i % 2 == 0 if known else want.sum() + i > 9.0
        more = want[:1] * 2.0 if go else want[-1:] + 1.0
        want = np.concatenate([want, more, np.arange(i, 2 * i)])
    np.testing.assert_allclose(session.run(y, {x: at}), want)
    assert caplog.messages == []


def test_inside_a_native_loop(session, caplog):
    n = tf.placeholder(tf.int32, [])

    def row(i: Any, a: Any) -> Any:
        (b,) = loop(3, lambda j, b: tf.concat([b, [b[-1] + i]], 0), a[:1] + 1)
        return tf.reshape(b, [4])

    (y,) = loop(n, row, tf.zeros([4], tf.int32), shapes=([4],))
    want = np.zeros(4, int)
    for i in range(6):
        want = want[0] + 1 + i * np.arange(4)
    np.testing.assert_array_equal(session.run(y, {n: 6}), want)
    np.testing.assert_array_equal(session.run(y, {n: 0}), np.zeros(4))
    assert caplog.messages == []


@pytest.mark.parametrize("most", [100, 3])
def test_random_numbers_go_on_from_turn_to_turn(caplog, most):
    """most: how many entries stay; few of them make all but the first turns a loop."""

    def run(fed: bool) -> Any:
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(3)
            more = lambda: tf.random_uniform([2], seed=4)  # noqa: E731
            n = tf.placeholder(tf.int32, [])
            (y,) = loop(
                n if fed else 9,
                lambda i, a: tf.concat([a, more()], 0)[-most:],
                tf.zeros([1]),
            )
            return [sess.run(y, {n: 9}) for _ in range(2)]

    ours = run(False)
    assert driven(caplog.messages) == []
    by_python = run(True)
    assert driven(caplog.messages)
    np.testing.assert_array_equal(np.stack(ours), np.stack(by_python))
    assert (ours[0] != ours[1]).any()


def test_checks_of_a_turn(session, caplog):
    x = tf.placeholder(tf.float64, [1])

    def step(i: Any, a: Any) -> Any:
        with tf.control_dependencies([tf.Assert(tf.reduce_sum(a) < 20.0, ["sum", a])]):
            return tf.concat([a, a], 0)

    (y,) = loop(5, step, x)
    assert session.run(y, {x: [1.0]}).shape == (32,)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[sum\]"):
        session.run(y, {x: [2.0]})
    assert driven(caplog.messages) == []


def test_what_remains_driven(session, caplog):
    """Turns that the data decides, that write a variable, or of which a gradient asks."""
    x, v = tf.placeholder(tf.float64, [1]), tf.Variable(0.0, dtype=tf.float64)
    until = tf.while_loop(
        lambda a: tf.reduce_sum(a) < 5.0,
        lambda a: tf.concat([a, a], 0),
        [x],
        shape_invariants=[tf.TensorShape([None])],
    )

    def step(i: Any, a: Any) -> Any:
        with tf.control_dependencies([v.assign_add(tf.reduce_sum(a))]):
            return tf.concat([a, a], 0)

    (writes,) = loop(3, step, x)
    with tf.control_dependencies([writes]):
        written = v.read_value()
    (squares,) = loop(2, lambda i, a: tf.concat([a, a * a], 0), x)
    slope = tf.gradients(squares, x)[0]
    session.run(v.initializer)
    assert len(session.run(until, {x: [1.0]})) == 8
    assert session.run(written, {x: [1.0]}) == 7.0
    np.testing.assert_allclose(session.run(slope, {x: [2.0]}), [1 + 4 + 4 + 32])
    assert len(driven(caplog.messages)) >= 3
