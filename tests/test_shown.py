"""Fetched variables show their content at the end of the run, as TensorFlow's references do.

The numbers are those that TensorFlow 2.21 (`compat.v1`, no resource variables) gives for the same
programs, run many times.
"""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tfc.base.options import options

pytestmark = pytest.mark.usefixtures("fresh_graph")


@pytest.fixture(autouse=True, params=["python", "native"])
def _dispatch(request, monkeypatch):
    """Each test in Sessions that Python runs, and in Sessions that native code runs if it can."""
    monkeypatch.setattr(options, "fast_run", 0 if request.param == "python" else 2)


def variable(shape=(), **options):
    return tf.get_variable("v", shape, initializer=tf.zeros_initializer(), **options)


def after_two_runs(fetches):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return [
            [float(np.asarray(x).flat[0]) for x in session.run(fetches) if x is not None]
            for _ in range(2)
        ]


VIEWS = {
    "variable": lambda v: v,
    "value": lambda v: v.value(),
    "read_value": lambda v: v.read_value(),
    "identity": tf.identity,
    "identities": lambda v: tf.identity(tf.identity(v)),
    "stop_gradient": tf.stop_gradient,
    "reshape": lambda v: tf.reshape(v, [1, -1]),
    "expand_dims": lambda v: tf.expand_dims(v, 0),
    "squeeze": lambda v: tf.squeeze(tf.expand_dims(v, 0), 0),
    "check_numerics": lambda v: tf.check_numerics(v, "no number"),
    "default": lambda v: tf.placeholder_with_default(v, v.shape),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("shape", [(), (3,), (40, 30)])
def test_views_of_a_variable_show_what_is_written_after_the_read(view, shape):
    v = variable(shape)
    seen = view(v)
    with tf.control_dependencies([tf.convert_to_tensor(seen)]):
        written = v.assign_add(tf.ones(shape))
    assert after_two_runs([seen, written]) == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    "write, expected",
    [
        (lambda v: v.assign(v + 1), [[1, 1], [2, 2]]),
        (lambda v: v.assign([7.0, 7.0]), [[7, 7], [7, 7]]),
        (lambda v: tf.scatter_add(v, [0], [2.0]), [[2, 2], [4, 4]]),
        (lambda v: tf.cond(v[0] < 1, lambda: v.assign_add([1, 1]), lambda: v + 0), [[1, 1]] * 2),
    ],
)
def test_every_kind_of_write_shows(write, expected):
    v = variable((2,))
    assert after_two_runs([v, write(v)]) == expected


def test_what_is_computed_of_a_variable_is_a_copy():
    v = variable()
    doubled, copied = v * 2.0, v + 0.0
    assert after_two_runs([doubled, copied, v.assign_add(1.0)]) == [[0, 0, 1], [2, 1, 2]]


def test_results_of_writes_show_later_writes():
    v = variable()
    first = v.assign_add(1.0)
    with tf.control_dependencies([first]):
        second = v.assign_add(1.0)
    assert after_two_runs([first, tf.identity(first), second]) == [[2, 2, 2], [4, 4, 4]]


def test_the_global_step_beside_a_training_step():
    step = tf.train.get_or_create_global_step()
    w = variable()
    train = tf.train.AdamOptimizer(0.5).minimize(-w, global_step=step)
    average = tf.train.ExponentialMovingAverage(0.5)
    kept = average.apply([w])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run([step, train])[0] == 1
        assert session.run({"train": train, "step": step})["step"] == 2
        for turn in range(3, 6):  # native dispatch
            assert session.run([train, step])[1] == turn
        assert session.run([average.average(w), kept])[0] == pytest.approx(1.25, rel=1e-5)


def test_resource_variables_show_what_was_read():
    v = variable(use_resource=True)
    assert after_two_runs([v, v.assign_add(1.0)]) == [[0, 1], [1, 2]]


def test_the_last_stage_decides():
    v = variable((2,))
    host = tf.py_func(lambda x: x + np.float32(1), [v * 1.0], tf.float32, stateful=False)
    host.set_shape([2])
    read = v.read_value()
    passed = tf.py_func(lambda x: x * np.float32(10), [read], tf.float32)
    write = v.assign(host)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for turn in (1, 2):
            seen, given, _ = session.run([read, passed, write])
            np.testing.assert_array_equal(seen, [turn] * 2)
            assert given[0] in (10 * turn, 10 * turn - 10)


def test_another_shape_is_other_memory():
    v = tf.Variable(tf.ones([3]), validate_shape=False)
    with tf.Session() as session:
        session.run(v.initializer)
        seen, _ = session.run([v, tf.assign(v, tf.zeros([2]), validate_shape=False)])
        np.testing.assert_array_equal(seen, [1, 1, 1])
        assert session.run(v).shape == (2,)


def test_what_is_fed_stays():
    v = variable()
    seen = tf.identity(v.value())
    write = v.assign_add(1.0)
    with tf.Session() as session:
        session.run(v.initializer)
        assert session.run([seen, write], {v.value(): 5.0}) == [5, 1]


def test_a_compiled_training_loop_shows_the_same():
    step = tf.train.get_or_create_global_step()
    w = variable()
    train = tf.train.GradientDescentOptimizer(1.0).minimize(-w, global_step=step)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        results = session.run_loop([train, step, w], 3).values
        np.testing.assert_array_equal(results[1], [1, 2, 3])
        np.testing.assert_array_equal(results[2], [1, 2, 3])


def test_an_uninitialised_variable_is_an_error():
    v = variable()
    with tf.Session() as session, pytest.raises(tf.errors.FailedPreconditionError):
        session.run([v, v.initializer])
