"""What takes one output of a recurrent network, forward and backward, against what takes the state,
and against the network written out step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf

CELLS = {
    "lstm": tf.nn.rnn_cell.BasicLSTMCell,
    "gru": tf.nn.rnn_cell.GRUCell,
    "rnn": tf.nn.rnn_cell.BasicRNNCell,
}
STEPS = 5
X = np.random.RandomState(4).uniform(-1, 1, (3, STEPS, 4))


def _gradients(kind: str, unrolled: bool, take: Any) -> list[np.ndarray]:
    """A loss, and its gradients for the input and the weights."""
    with tf.Graph().as_default():
        tf.set_random_seed(7)
        x = tf.placeholder(tf.float64, X.shape)
        cell = CELLS[kind](6, dtype=tf.float64)
        if unrolled:
            steps, state = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float64)
            outputs = tf.stack(steps, axis=1)
        else:
            outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float64)
        loss = tf.reduce_sum(tf.square(take(outputs, state)))
        gradients = tf.gradients(loss, [x, *cell.variables])
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for k, variable in enumerate(cell.variables):
                random = np.random.RandomState(k)
                variable.load(random.uniform(-1, 1, variable.shape.as_list()), sess)
            found: list[np.ndarray] = sess.run([loss, *gradients], {x: X})
            return found


def _of_state(_: Any, state: Any) -> Any:
    return getattr(state, "h", state)


@pytest.mark.parametrize("kind", CELLS)
def test_last_output_is_state(kind: str) -> None:
    last = _gradients(kind, False, lambda outputs, _: outputs[:, -1])
    state = _gradients(kind, False, _of_state)
    for a, b in zip(last, state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("step", [0, 2, STEPS - 1])
def test_one_output(kind: str, step: int) -> None:
    looped = _gradients(kind, False, lambda outputs, _: outputs[:, step])
    unrolled = _gradients(kind, True, lambda outputs, _: outputs[:, step])
    for a, b in zip(looped, unrolled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_last_output_and_all() -> None:
    def both(outputs: Any, _: Any) -> Any:
        return outputs[:, -1] + tf.reduce_sum(outputs, axis=1)

    looped, unrolled = _gradients("lstm", False, both), _gradients("lstm", True, both)
    for a, b in zip(looped, unrolled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
