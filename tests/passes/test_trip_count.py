"""trip_count: counters in closed form against counting them."""

import numpy as np
import pytest

import tfc as tf
from tfc.passes import trip_count
from tfc.passes.lessons import capacity_for

HOLDS = {
    "lt": lambda x, b: x < b,
    "le": lambda x, b: x <= b,
    "gt": lambda x, b: x > b,
    "ge": lambda x, b: x >= b,
}


@pytest.mark.parametrize("kind", HOLDS)
def test_counters_in_closed_form(kind):
    for first in range(-7, 8):
        for bound in range(-7, 8):
            for stride in (-3, -2, -1, 0, 1, 2, 3):
                x, count = first, 0
                while HOLDS[kind](x, bound) and count < 50:
                    x, count = x + stride, count + 1
                want = None if count == 50 else count
                assert trip_count._counted(kind, first, bound, stride) == want


def trips(test, step, first, dtype=tf.int32):
    """The trip count that lowering finds; None if the loop had to count itself."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float64, [])
        i = tf.constant(first, dtype)
        y = tf.while_loop(lambda i, v: test(i), lambda i, v: (step(i), v * v), [i, x])[1]
        session.run(tf.gradients(y, x), {x: 1.0})
        return session.statistics.native_calls


@pytest.mark.parametrize(
    "test, step, first",
    [
        (lambda i: i < 100_000, lambda i: i + 1, 0),
        (lambda i: i >= 3, lambda i: i - 2, 50_001),
        (lambda i: i < 90_000, lambda i: 7 + i, 5),
        (lambda i: (i < 100_000) & (i <= 70_000), lambda i: i + 1, 0),
        (lambda i: tf.logical_and(i < 100_000, True), lambda i: i + 1, 0),
        (lambda i: (i < 50) & (i * i < 1000), lambda i: i * 2 + 1, 0),
    ],
)
def test_known_counts_need_one_native_function(test, step, first):
    assert trips(test, step, first) == 1


def test_a_counter_that_would_wrap_is_not_known_in_closed_form():
    assert trips(lambda i: i < 121, lambda i: i + 100, 0, tf.int8) == 1


def test_room_for_iterations_is_learned_once():
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float64, [])
        y = tf.while_loop(lambda v: v < 1e3, lambda v: v + 1e-1 + v * v * 1e-9, [x])
        gradient = tf.gradients(y, x)[0]
        for start in (0.0, 400.0, 0.5, 990.0):
            got = session.run(gradient, {x: start})
            slope, at = 1.0, start
            while at < 1e3:
                at, slope = at + 1e-1 + at * at * 1e-9, slope * (1 + at * 2e-9)
            np.testing.assert_allclose(got, slope, rtol=1e-9)
        statistics = session.statistics
        assert (statistics.native_calls, statistics.misses) == (5, 2)


def test_a_gradient_that_takes_nothing_kept_needs_no_room():
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float64, [])
        y = tf.while_loop(lambda v: v < 1e3, lambda v: v + 1e-1 + v * 1e-6, [x])
        gradient = tf.gradients(y, x)[0]
        for start, count in ((0.0, 9951), (990.0, 100)):
            got = session.run(gradient, {x: start})
            np.testing.assert_allclose(got, (1 + 1e-6) ** count, rtol=1e-9)
        assert (session.statistics.native_calls, session.statistics.misses) == (2, 1)


def test_room_grows_by_an_eighth_at_most():
    for count in (1, 7, 8, 9, 100, 129, 1000, 1025, 10**6 + 1, 2**30 - 1):
        room = capacity_for(count)
        assert count <= room <= max(count * 1.125 + 1, 8 * 2)
    rooms = {capacity_for(count) for count in range(1000, 2000)}
    assert len(rooms) <= 10


@pytest.mark.parametrize("counter_first", [True, False])
def test_the_most_that_a_loop_can_run_is_room_enough(counter_first):
    """A counter bounds a loop that ends when its value is large: nothing is guessed."""

    def test(i, v):
        tests = [i < 60, tf.reduce_sum(v) < 1e6]
        return tf.logical_and(*(tests if counter_first else tests[::-1]))

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float64, [200_000])
        n, y = tf.while_loop(test, lambda i, v: (i + 1, v * v), [0, x])
        gradient = tf.gradients(y, x)[0][7]
        for value, count in ((1.0, 60), (1.5, 2), (1.2, 4)):
            got = session.run([n, gradient], {x: np.full(200_000, value)})
            want = 2.0**count * value ** (2.0**count - 1)
            assert got[0] == count and np.isclose(got[1], want, rtol=1e-9)
        assert session.statistics.misses == 1
