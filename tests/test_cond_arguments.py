"""What tf.cond, tf.case and tf.switch_case refuse, and when. TensorFlow's classes."""

from __future__ import annotations

import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_a_predicate_is_a_scalar_when_the_graph_is_built() -> None:
    vector = tf.placeholder(tf.bool, [2])
    with pytest.raises(ValueError, match="must be rank 0 but is rank 1"):
        tf.cond(vector, lambda: 1, lambda: 2)
    later = tf.placeholder(tf.bool)
    chosen = tf.cond(later, lambda: 1, lambda: 2)
    with tf.Session() as session:
        assert session.run(chosen, {later: True}) == 1
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(chosen, {later: [True, False]})


def test_the_last_case_without_default_does_not_count_as_exclusive() -> None:
    x = tf.placeholder(tf.float32, [])
    pairs = [(x < 4.0, lambda: x * 2.0), (x < 3.0, lambda: x * 3.0)]
    open_end = tf.case(pairs, exclusive=True)
    closed = tf.case(pairs, default=lambda: x, exclusive=True)
    three = tf.case([*pairs, (x > 9.0, lambda: x)], exclusive=True)
    with tf.Session() as session:
        assert session.run([open_end, closed], {x: 3.5}) == [7.0, 7.0]
        assert session.run(open_end, {x: 1.0}) == 2.0
        for strict in (closed, three):
            with pytest.raises(tf.errors.InvalidArgumentError, match="exclusive=True"):
                session.run(strict, {x: 1.0})
        with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions"):
            session.run(open_end, {x: 5.0})


@pytest.mark.parametrize("numbers", [(0, 2), (1, 2), (-1, 0)])
def test_branches_are_numbered_from_zero(numbers: tuple[int, ...]) -> None:
    branches = {n: (lambda: tf.constant(1.0)) for n in numbers}
    with pytest.raises(ValueError, match="contiguous"):
        tf.switch_case(tf.constant(0), branches)
