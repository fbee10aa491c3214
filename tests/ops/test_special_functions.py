"""Special functions against closed forms, series and integrals; gradients in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(build: Callable[..., Any], *arrays: Any, feed: bool = False) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        if not feed:
            return session.run(build(*[tf.constant(a) for a in arrays]))
        xs = [tf.placeholder(np.asarray(a).dtype) for a in arrays]
        return session.run(build(*xs), dict(zip(xs, arrays, strict=True)))


def erlang(a: int, x: float) -> float:
    """P(a, x) for whole a."""
    return 1 - math.exp(-x) * math.fsum(x**k / math.factorial(k) for k in range(a))


def test_igamma_of_whole_orders() -> None:
    a = np.array([[1.0], [2.0], [7.0], [20.0]])
    x = np.array([0.1, 1.0, 5.0, 12.0, 30.0])
    expected = np.array([[erlang(int(m), v) for v in x] for m in a[:, 0]])
    for feed in (False, True):
        np.testing.assert_allclose(run(tf.igamma, a, x, feed=feed), expected, atol=1e-14)
        np.testing.assert_allclose(run(tf.igammac, a, x, feed=feed), 1 - expected, atol=1e-14)
    single = run(tf.igamma, a.astype(np.float32), x.astype(np.float32))
    np.testing.assert_allclose(single, expected, rtol=2e-6, atol=1e-10)


def test_igamma_at_its_ends() -> None:
    inf, nan = np.inf, np.nan
    a = np.array([2.0, 2.0, inf, -1.0, 2.0, nan, 1e10])
    x = np.array([0.0, inf, 1.0, 1.0, -1.0, 1.0, 1e10])
    lower, upper = run(tf.igamma, a, x), run(tf.igammac, a, x)
    half = 0.5 + 1 / (3 * math.sqrt(2 * math.pi * 1e10))
    np.testing.assert_allclose(lower, [0, 1, 0, nan, nan, nan, half], rtol=1e-9)
    np.testing.assert_allclose(upper, [1, 0, 1, nan, nan, nan, 1 - half], rtol=1e-9)


def test_gradients_of_the_incomplete_gamma_functions() -> None:
    a, x = np.array([0.3, 2.5, 9.0, 40.0]), np.array([0.5, 2.0, 14.0, 35.0])
    check_gradient(tf.igamma, a, x)
    check_gradient(tf.igammac, a, x)


@settings(max_examples=10)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1))
def test_betainc_is_a_binomial_tail(a: int, b: int, x: float) -> None:
    n = a + b - 1
    expected = math.fsum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    found = run(tf.betainc, float(a), float(b), np.float32(x))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_betainc_broadcasts_scalars_only() -> None:
    x = np.array([0.0, 0.5, 1.0, -0.1, 2.0])
    found = run(lambda v: tf.betainc(np.float64(2), np.float64(2), v), x)
    np.testing.assert_allclose(found, [0, 0.5, 1, np.nan, np.nan], atol=1e-14)
    check_gradient(lambda v: tf.betainc(np.float64(2.5), np.float64(4), v), np.array([0.2, 0.7]))
    with pytest.raises(ValueError, match="must be equal"):
        tf.betainc(np.ones(2), np.ones(3), np.ones(3))


def test_inverse_normal_functions() -> None:
    q = np.array([1e-300, 1e-20, 0.01, 0.3, 0.5, 0.9, 1 - 1e-12])
    expected = [NormalDist().inv_cdf(v) for v in q]
    np.testing.assert_allclose(run(tf.math.ndtri, q), expected, rtol=1e-13, atol=1e-15)
    x = np.array([-0.999, -0.5, -1e-20, 0.0, 0.3, 0.99])
    y = run(tf.math.erfinv, x)
    np.testing.assert_allclose([math.erf(v) for v in y], x, rtol=1e-13)
    y = run(tf.math.erfcinv, x + 1)
    np.testing.assert_allclose([math.erfc(v) for v in y], x + 1, rtol=1e-12)
    ends = run(tf.math.erfinv, np.array([1, -1, 1.5, np.nan], np.float32))
    np.testing.assert_array_equal(ends, [np.inf, -np.inf, np.nan, np.nan])
    check_gradient(tf.math.erfinv, np.array([-0.6, 0.2, 0.8]))
    check_gradient(tf.math.ndtri, np.array([0.1, 0.5, 0.8]))


def bessel(order: int, x: float) -> float:
    """By the trapezoidal rule over a whole period, which converges geometrically."""
    t = np.linspace(0, np.pi, 2001)
    values = np.exp(x * np.cos(t)) * np.cos(order * t)
    return float((values[:-1] + values[1:]).sum() / 2 / 2000)


def test_bessel_functions() -> None:
    x = np.array([-35.0, -2.0, 0.0, 0.5, 10.0, 29.9, 30.1, 60.0])
    for order, plain, scaled in (
        (0, tf.math.bessel_i0, tf.math.bessel_i0e),
        (1, tf.math.bessel_i1, tf.math.bessel_i1e),
    ):
        expected = np.array([bessel(order, v) for v in x])
        np.testing.assert_allclose(run(plain, x), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(run(scaled, x), expected * np.exp(-abs(x)), rtol=1e-12)
        check_gradient(scaled, np.array([-3.0, 0.7, 32.0]))
        check_gradient(plain, np.array([-1.0, 0.0, 1.5]))


def test_zeta_and_polygamma_left_of_zero() -> None:
    found = run(tf.zeta, np.array([2.0, 3.0, 2.0, 3.0, 1.0]), np.array([-0.5, -2.5, 1, 0, 2]))
    direct = [
        math.fsum((q + n) ** -x for n in range(100000)) + (q + 99999.5) ** (1 - x) / (x - 1)
        for x, q in ((2, -0.5), (3, -2.5), (2, 1.0))
    ]
    np.testing.assert_allclose(found, [*direct, np.nan, np.inf], rtol=1e-9)


@settings(max_examples=10)
@given(st.integers(1, 9), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_cumulative_logsumexp(size: int, exclusive: bool, reverse: bool, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(2, size)) * 100
    work = x[:, ::-1] if reverse else x
    expected = np.logaddexp.accumulate(work, axis=1)
    if exclusive:
        expected = np.concatenate([np.full((2, 1), -np.inf), expected[:, :-1]], axis=1)
    expected = expected[:, ::-1] if reverse else expected
    options = {"exclusive": exclusive, "reverse": reverse}
    found = run(lambda v: tf.math.cumulative_logsumexp(v, -1, **options), x)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_functions_made_of_others() -> None:
    check_gradient(
        lambda v: tf.math.cumulative_logsumexp(v, 1), np.linspace(-1, 2, 6).reshape(2, 3)
    )
    x = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(run(tf.lbeta, x), [math.log(2 / math.factorial(5))], rtol=1e-12)
    assert run(lambda v: tf.math.polyval([1.0, -2.0, 3.0], v), np.float32(2)) == 3
    assert list(run(tf.math.reciprocal_no_nan, np.array([0.0, 4.0]))) == [0, 0.25]
    product = run(tf.math.multiply_no_nan, np.array([np.inf, 2.0]), np.array([0.0, 3.0]))
    assert list(product) == [0, 6]
    found = run(tf.math.xlog1py, np.array([0.0, 2.0]), np.array([-1.0, 1.0]))
    np.testing.assert_allclose(found, [0, 2 * math.log(2)])
    check_gradient(tf.math.xlog1py, np.array([1.0, 2.0]), np.array([0.5, 3.0]))
    a = np.array([1.0, -1.0, 0.0, 0.0, np.inf], np.float32)
    b = np.array([2.0, 2.0, -1.0, 0.0, 0.0], np.float32)
    np.testing.assert_array_equal(run(tf.math.nextafter, a, b), np.nextafter(a, b))
