"""Local response normalisation and its gradient, for the powers that are roots and for others."""

import numpy as np
import pytest

import tfc as tf

BETAS = (0.5, 0.75, 1.0, 0.6, -0.5, 0.0)
SHAPES = ((2, 3, 5, 13), (1, 1, 7, 257), (1, 2, 2, 1), (2, 0, 3, 4))


def sums(x, radius):
    """Of each channel and `radius` others on each side."""
    padded = np.pad(x, ((0, 0),) * 3 + ((radius, radius),))
    return sum(padded[..., i : i + x.shape[-1]] for i in range(2 * radius + 1))


def normalised(x, radius, bias, alpha, beta):
    return x * (bias + alpha * sums(x * x, radius)) ** -beta


def gradient(dy, x, radius, bias, alpha, beta):
    base = bias + alpha * sums(x * x, radius)
    share = dy * x * base ** (-beta - 1)
    return dy * base**-beta - 2 * alpha * beta * x * sums(share, radius)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beta", BETAS)
def test_values_and_gradients(beta, shape):
    state = np.random.RandomState(len(shape))
    x, dy = (state.normal(0, 2, shape).astype(np.float32) for _ in range(2))
    for options in ((2, 2.0, 1e-4), (5, 1.0, 1.0), (0, 0.5, 0.25)):
        given = tf.constant(x)
        y = tf.nn.lrn(given, *options, beta)
        (dx,) = tf.gradients(y, given, tf.constant(dy))
        got, got_dx = tf.Session().run([y, dx])
        wide = x.astype(np.float64), dy.astype(np.float64)
        np.testing.assert_allclose(got, normalised(wide[0], *options, beta), rtol=1e-6, atol=1e-7)
        expected = gradient(wide[1], wide[0], *options, beta)
        np.testing.assert_allclose(got_dx, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 4e-3), ("bfloat16", 3e-2)])
@pytest.mark.parametrize("beta", BETAS)
def test_halves(beta, dtype, tolerance):
    x = np.random.RandomState(0).normal(0, 1, (2, 3, 4, 9)).astype(np.float32)
    narrow = tf.cast(tf.constant(x), dtype)
    y, used = tf.Session().run(
        [tf.cast(tf.nn.lrn(narrow, beta=beta), tf.float32), tf.cast(narrow, tf.float32)]
    )
    np.testing.assert_allclose(y, normalised(used.astype(np.float64), 5, 1, 1, beta), tolerance)


@pytest.mark.parametrize("beta", [0.5, 0.75, 1.0])
def test_ends_of_the_range(beta):
    """Nothing over nothing and all over all are NaN, as is a root of less than 0;
    what is large stays finite in between."""
    x = np.float32([[[[0, 0, 0, 1e15, 0, 0, np.inf]]]])
    y = tf.Session().run(tf.nn.lrn(x, 1, 0.0, 1.0, beta))[0, 0, 0]
    assert np.isnan(y[[0, 1, 6]]).all() and y[[2, 4, 5]].tolist() == [0, 0, 0]
    np.testing.assert_allclose(y[3], 1e15 * 1e30**-beta, rtol=1e-5)
    below = tf.Session().run(tf.nn.lrn(np.ones((1, 1, 1, 3), np.float32), 1, -9.0, 1.0, beta))
    assert (below < 0).all() if beta == 1 else np.isnan(below).all()
