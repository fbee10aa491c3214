"""Optimizers, decays and moving averages against their formulas in numpy, for random shapes, rates
and numbers of steps; gradients that are dense, and of gathered rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

Array = np.ndarray
Slots = dict[str, Array]
Step = Callable[[Array, Array, Slots, float], Array]
CHECK = settings(max_examples=8)


def descent(x: Array, g: Array, s: Slots, rate: float) -> Array:
    return x - rate * g


def momentum(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["a"] = 0.9 * s.get("a", 0 * x) + g
    return x - rate * s["a"]


def nesterov(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["a"] = 0.9 * s.get("a", 0 * x) + g
    return x - rate * (g + 0.9 * s["a"])


def adagrad(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["a"] = s.get("a", 0 * x + 0.1) + g * g
    return x - rate * g / np.sqrt(s["a"])


def adadelta(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["a"] = 0.95 * s.get("a", 0 * x) + 0.05 * g * g
    moved = s.get("u", 0 * x)
    update = np.sqrt(moved + 1e-6) / np.sqrt(s["a"] + 1e-6) * g
    s["u"] = 0.95 * moved + 0.05 * update**2
    return x - rate * update


def adam(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["t"] = s.get("t", np.array(0.0)) + 1
    s["m"] = 0.9 * s.get("m", 0 * x) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0 * x) + 0.001 * g * g
    corrected = rate * np.sqrt(1 - 0.999 ** s["t"]) / (1 - 0.9 ** s["t"])
    return x - corrected * s["m"] / (np.sqrt(s["v"]) + 1e-8)


def rmsprop(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["ms"] = 0.9 * s.get("ms", 0 * x + 1) + 0.1 * g * g
    s["mom"] = 0.5 * s.get("mom", 0 * x) + rate * g / np.sqrt(s["ms"] + 1e-10)
    return x - s["mom"]


def centered(x: Array, g: Array, s: Slots, rate: float) -> Array:
    s["ms"] = 0.9 * s.get("ms", 0 * x + 1) + 0.1 * g * g
    s["mg"] = 0.9 * s.get("mg", 0 * x) + 0.1 * g
    s["mom"] = 0.5 * s.get("mom", 0 * x) + rate * g / np.sqrt(s["ms"] - s["mg"] ** 2 + 1e-10)
    return x - s["mom"]


def ftrl(x: Array, g: Array, s: Slots, rate: float) -> Array:
    old = s.get("n", 0 * x + 0.1)
    s["n"] = old + g * g
    s["z"] = s.get("z", 0 * x) + g - (np.sqrt(s["n"]) - np.sqrt(old)) / rate * x
    z, l1, l2 = s["z"], 0.01, 0.02
    return np.where(abs(z) > l1, (np.sign(z) * l1 - z) / (np.sqrt(s["n"]) / rate + 2 * l2), 0.0)


OPTIMIZERS: dict[str, tuple[Callable[[float], tf.train.Optimizer], Step]] = {
    "descent": (tf.train.GradientDescentOptimizer, descent),
    "momentum": (lambda r: tf.train.MomentumOptimizer(r, 0.9), momentum),
    "nesterov": (lambda r: tf.train.MomentumOptimizer(r, 0.9, use_nesterov=True), nesterov),
    "adagrad": (tf.train.AdagradOptimizer, adagrad),
    "adadelta": (lambda r: tf.train.AdadeltaOptimizer(r, 0.95, 1e-6), adadelta),
    "adam": (tf.train.AdamOptimizer, adam),
    "rmsprop": (lambda r: tf.train.RMSPropOptimizer(r, 0.9, 0.5), rmsprop),
    "centered": (lambda r: tf.train.RMSPropOptimizer(r, 0.9, 0.5, centered=True), centered),
    "ftrl": (
        lambda r: tf.train.FtrlOptimizer(
            r, l1_regularization_strength=0.01, l2_regularization_strength=0.02
        ),
        ftrl,
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@CHECK
@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    steps=st.integers(1, 4),
    rate=st.sampled_from([0.25, 0.0625, 0.5]),
    seed=st.integers(0, 10**6),
)
def test_steps(name, shape, steps, rate, seed):
    make, step = OPTIMIZERS[name]
    r = np.random.RandomState(seed)
    start, gradients = r.uniform(-1, 1, shape), r.uniform(-1, 1, (steps, *shape))
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.Variable(start)
        g = tf.placeholder(tf.float64, shape)
        train = make(rate).apply_gradients([(g, x)])
        sess.run(tf.global_variables_initializer())
        expected, slots = start, {}
        for gradient in gradients:
            sess.run(train, {g: gradient})
            expected = step(expected, gradient, slots, rate)
        # rates such as 0.9 are rounded to float32 before they become float64, as in TensorFlow
        np.testing.assert_allclose(sess.run(x), expected, rtol=2e-5, atol=2e-5)


# Those that leave the rows that were not gathered as they are.
@pytest.mark.parametrize("name", ["descent", "adagrad"])
@CHECK
@given(
    rows=st.integers(1, 6), wanted=st.lists(st.integers(0, 5), max_size=6), seed=st.integers(0, 99)
)
def test_steps_of_gathered_rows(name, rows, wanted, seed):
    make, step = OPTIMIZERS[name]
    start = np.random.RandomState(seed).uniform(-1, 1, (rows, 3))
    indices = np.array([i % rows for i in wanted], np.int32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.Variable(start)
        loss = tf.reduce_sum(tf.gather(x, indices) ** 2)
        train = make(0.25).minimize(loss)
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        counts = np.bincount(indices, minlength=rows)[:, None]
        moved = step(start, 2 * start * counts, {}, 0.25)
        np.testing.assert_allclose(sess.run(x), np.where(counts > 0, moved, start), atol=1e-6)


DECAYS = {
    "exponential": (
        lambda at: tf.train.exponential_decay(0.5, at, 7, 0.5),
        lambda at: 0.5 * 0.5 ** (at / 7),
    ),
    "staircase": (
        lambda at: tf.train.exponential_decay(0.5, at, 7, 0.5, staircase=True),
        lambda at: 0.5 * 0.5 ** (at // 7),
    ),
    "natural": (
        lambda at: tf.train.natural_exp_decay(0.5, at, 7, 0.25),
        lambda at: 0.5 * np.exp(-0.25 * at / 7),
    ),
    "inverse": (
        lambda at: tf.train.inverse_time_decay(0.5, at, 7, 0.25),
        lambda at: 0.5 / (1 + 0.25 * at / 7),
    ),
    "polynomial": (
        lambda at: tf.train.polynomial_decay(0.5, at, 20, 0.125, power=2.0),
        lambda at: 0.375 * (1 - min(at, 20) / 20) ** 2 + 0.125,
    ),
    "cycle": (
        lambda at: tf.train.polynomial_decay(0.5, at, 20, 0.125, cycle=True),
        lambda at: 0.375 * (1 - at / (20 * max(1, np.ceil(at / 20)))) + 0.125,
    ),
    "cosine": (
        lambda at: tf.train.cosine_decay(0.5, at, 20, alpha=0.25),
        lambda at: 0.5 * (0.75 * 0.5 * (1 + np.cos(np.pi * min(at, 20) / 20)) + 0.25),
    ),
    "pieces": (
        lambda at: tf.train.piecewise_constant(at, [5, 11], [1.0, 0.5, 0.25]),
        lambda at: 1.0 if at <= 5 else 0.5 if at <= 11 else 0.25,
    ),
}


@pytest.mark.parametrize("name", DECAYS)
@CHECK
@given(at=st.integers(0, 100))
def test_decays(name, at):
    make, expected = DECAYS[name]
    with tf.Graph().as_default(), tf.Session() as sess:
        found = sess.run(make(tf.constant(at)))
        np.testing.assert_allclose(found, expected(at), rtol=1e-5, atol=1e-7)


@CHECK
@given(values=st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=5), counted=st.booleans())
def test_moving_average(values, counted):
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.Variable(values[0])
        steps = tf.Variable(0, trainable=False)
        average = tf.train.ExponentialMovingAverage(0.75, num_updates=steps if counted else None)
        update = average.apply([x])
        sess.run(tf.global_variables_initializer())
        expected = np.float64(values[0])
        for k, value in enumerate(values):
            x.load(value, sess)
            steps.load(k, sess)
            sess.run(update)
            decay = min(0.75, (1 + k) / (10 + k)) if counted else 0.75
            expected = decay * expected + (1 - decay) * value
        np.testing.assert_allclose(sess.run(average.average(x)), expected, rtol=1e-5, atol=1e-6)
