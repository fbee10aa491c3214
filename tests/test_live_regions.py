"""What of branches and loop bodies runs: what the fetched results need, as in TensorFlow."""

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def test_a_branch_runs_for_the_results_that_are_fetched(session):
    v, w, p = tf.Variable(0.0), tf.Variable(0.0), tf.placeholder(tf.bool, [])
    x = tf.placeholder(tf.float32, [])
    first, second = tf.cond(
        p,
        lambda: (tf.assign_add(v, 1.0) + x, tf.assign_add(w, 1.0) * 1.0),
        lambda: (tf.constant(5.0), tf.assign_sub(w, 7.0) * 1.0),
    )
    session.run(tf.global_variables_initializer())
    assert session.run(second, {p: True}) == 1.0
    assert session.run([v, w]) == [0.0, 1.0]
    assert session.run(first, {p: False, x: 1.0}) == 5.0
    assert session.run([v, w]) == [0.0, 1.0]
    assert session.run([first, second], {p: True, x: 1.0}) == [2.0, 2.0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="feed a value"):
        session.run(first, {p: True})


def test_what_a_fetched_result_waits_for_runs(session):
    v, p = tf.Variable(0.0), tf.placeholder(tf.bool, [])

    def counted():
        with tf.control_dependencies([tf.assign_add(v, 1.0)]):
            return tf.constant(2.0), tf.constant(3.0)

    first, second = tf.cond(p, counted, lambda: (tf.constant(0.0), tf.constant(1.0)))
    session.run(v.initializer)
    assert session.run(first, {p: True}) == 2.0 and session.run(v) == 1.0
    assert session.run(second, {p: False}) == 1.0 and session.run(v) == 1.0


def test_a_loop_runs_what_the_fetched_variables_need(session):
    v, w, x = tf.Variable(0.0), tf.Variable(0.0), tf.placeholder(tf.float32, [])

    def body(i, a, b, c):
        return i + 1, tf.assign_add(v, 10.0), tf.assign_add(w, 1.0) * x, c + b

    i, a, b, c = tf.while_loop(lambda i, *_: i < 3, body, [0, 0.0, 0.0, 0.0])
    session.run(tf.global_variables_initializer())
    assert session.run(i) == 3 and session.run([v, w]) == [0.0, 0.0]
    assert session.run(a) == 30.0 and session.run([v, w]) == [30.0, 0.0]
    assert session.run(c, {x: 2.0}) == 6.0 and session.run([v, w]) == [30.0, 3.0]
    assert session.run([i, a], {}) == [3, 60.0]


def test_conditions_in_loops_and_loops_in_conditions(session):
    v, x, p = tf.Variable(0.0), tf.placeholder(tf.float32, []), tf.placeholder(tf.bool, [])

    def body(i, a):
        found, _ = tf.cond(i < 2, lambda: (a + 1.0, tf.assign_add(v, x)), lambda: (a, x))
        return i + 1, found

    _, a = tf.while_loop(lambda i, a: i < 3, body, [0, 0.0])

    def loop():
        return tf.while_loop(
            lambda i, *_: i < 4, lambda i, b: (i + 1, tf.assign_add(v, x) + b), [0, 0.0]
        )

    turns, total = tf.cond(p, loop, lambda: [tf.constant(7), x])
    session.run(v.initializer)
    assert session.run(a) == 2.0 and session.run(v) == 0.0
    assert session.run(turns, {p: True}) == 4 and session.run(turns, {p: False}) == 7
    assert session.run(v) == 0.0
    assert session.run(total, {p: False, x: 3.0}) == 3.0
    session.run(total, {p: True, x: 3.0})
    assert session.run(v) == 12.0


def test_python_runs_what_is_fetched_only(session):
    p, x, calls = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, []), []

    def called(name, value):
        def note(k):
            calls.append(name)
            return k

        return tf.py_func(note, [value], tf.float32)

    a, b = tf.cond(
        p, lambda: (called("a", 1.0), called("b", x)), lambda: (tf.constant(0.0), tf.constant(1.0))
    )
    _, c, d = tf.while_loop(
        lambda i, *_: i < 2,
        lambda i, c, d: (i + 1, called("c", c), called("d", d + x)),
        [0, 0.0, 0.0],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape(None), tf.TensorShape(None)],
    )
    assert session.run(a, {p: True}) == 1.0 and calls == ["a"]
    assert session.run(b, {p: True, x: 4.0}) == 4.0 and calls == ["a", "b"]
    assert session.run(c) == 0.0 and calls[2:] == ["c", "c"]
    assert session.run(d, {x: 1.0}) == 2.0 and calls[4:] == ["d", "d"]
    assert session.run([c, d], {x: 1.0}) == [0.0, 2.0] and sorted(calls[6:]) == ["c", "c", "d", "d"]


def test_gradients_need_what_their_own_results_need(session):
    p, g, x = (tf.placeholder(t, []) for t in (tf.bool, tf.float64, tf.float64))
    v = tf.Variable(np.float64(0.0))
    a, b = tf.cond(p, lambda: (g * g * g, tf.assign_add(v, 1.0) * g * x), lambda: (g, g))
    _, c, d = tf.while_loop(
        lambda i, *_: i < 3,
        lambda i, c, d: (i + 1, c * g, d * c * x + tf.assign_add(v, 1.0)),
        [0, np.float64(1.0), np.float64(1.0)],
    )
    da, dc = tf.gradients(a, g)[0], tf.gradients(c, g)[0]
    session.run(v.initializer)
    assert session.run(da, {p: True, g: 2.0}) == 12.0
    assert session.run([da, a], {p: False, g: 2.0}) == [1.0, 2.0]
    assert session.run(dc, {g: 2.0}) == 12.0
    assert session.run(tf.gradients(dc, g)[0], {g: 2.0}) == 12.0
    assert session.run(v) == 0.0
    session.run([da, b], {p: True, g: 2.0, x: 1.0})
    session.run([dc, d], {g: 2.0, x: 1.0})
    assert session.run(v) == 4.0
    assert tf.gradients(a, x) == [None] and tf.gradients(c, x) == [None]


@pytest.mark.parametrize("known", [True, False])
def test_an_op_of_a_branch_waits_for_a_loop_outside(session, known):
    v, p = tf.Variable(0.0), tf.placeholder_with_default(True, [])
    loop = tf.while_loop(
        lambda i: i < 3, lambda i: i + tf.cast(v.assign_add(1.0) > 0.0, tf.int32), [0]
    )

    def late():
        with tf.control_dependencies([loop]):
            return tf.constant(2.0)

    result = tf.cond(tf.constant(True) if known else p, late, lambda: tf.constant(0.0))
    session.run(tf.global_variables_initializer())
    assert session.run(result) == 2.0
    assert session.run(v) == 3.0
