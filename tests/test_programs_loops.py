"""Gradients of iterations that normalise a matrix by rows and by columns in turn."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
TURNS, SHARP = 7, 0.1


def _log_sum(x: np.ndarray, axis: int) -> np.ndarray:
    largest = x.max(axis, keepdims=True)
    return np.log(np.exp(x - largest).sum(axis)) + largest.squeeze(axis)


def _potentials(cost: np.ndarray) -> float:
    f, g = np.zeros(cost.shape[0]), np.zeros(cost.shape[1])
    for _ in range(TURNS):
        f = -SHARP * _log_sum((g - cost) / SHARP, 1)
        g = -SHARP * _log_sum((f[:, None] - cost) / SHARP, 0)
    return float(f.sum() + g.sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 60), (31, 17), (3, 2)])
def test_gradient_of_sinkhorn_iterations(shape: tuple[int, int], dtype: type) -> None:
    """What the loop keeps of a turn, a kernel writes that comes before the one of rows that reads
    it there."""
    rng = np.random.default_rng(0)
    given = rng.uniform(0, 1, shape)
    cost = tf.constant(given, dtype)

    def turn(i: tf.Tensor, f: tf.Tensor, g: tf.Tensor) -> tuple[tf.Tensor, ...]:
        f = -SHARP * tf.reduce_logsumexp((g[None] - cost) / SHARP, 1)
        g = -SHARP * tf.reduce_logsumexp((f[:, None] - cost) / SHARP, 0)
        return i + 1, f, g

    first = [0, tf.zeros(shape[0], dtype), tf.zeros(shape[1], dtype)]
    _, f, g = tf.while_loop(lambda i, f, g: i < TURNS, turn, first)
    total = tf.reduce_sum(f) + tf.reduce_sum(g)
    with tf.Session() as session:
        found, slope = session.run([total, tf.gradients(total, cost)[0]])
    close = 1e-4 if dtype is np.float32 else 1e-9
    np.testing.assert_allclose(found, _potentials(given), rtol=close)
    way = rng.standard_normal(shape)
    step = 1e-6
    change = (_potentials(given + step * way) - _potentials(given - step * way)) / (2 * step)
    assert abs(np.sum(slope * way) - change) < max(close * 10, 1e-6) * np.abs(slope * way).sum()
