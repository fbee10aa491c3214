"""Approximated functions against longer arithmetic: the ULP bound that each one states."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.codegen.run import Running, fused, ulps
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.prims.numeric import logistic
from tfc.prims.prim import REGISTRY

Array = np.ndarray
COUNT = 20_000


def applied(name: str, dtype: str, *arrays: Array) -> Array:
    """Primitive `name`, compiled, on arrays of one shape."""
    b = Builder(name)
    values = [b.param(Type(dtype, a.shape)) for a in arrays]
    fn = b.finish([REGISTRY[name](b, *values)])
    return Running(fused(fn, "loop"))(*arrays)[0]


def samples(dtype: str, seed: int = 0) -> Array:
    """Every exponent, moderate numbers, a neighbourhood of zero, and all special values."""
    rng = np.random.default_rng(seed)
    kind = np.float32 if dtype == "f32" else np.float64
    unsigned = np.uint32 if dtype == "f32" else np.uint64
    bits = rng.integers(0, np.iinfo(unsigned).max, COUNT, dtype=unsigned, endpoint=True)
    spread = rng.standard_normal(COUNT) * np.exp(rng.uniform(-6, 5, COUNT))
    unit = rng.uniform(-1.25, 1.25, COUNT)
    info = np.finfo(kind)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -0.5, 2, -2, 88.73, -103.9, 709.79]
    limits = [info.max, info.min, info.tiny, info.smallest_subnormal, -745.1, 1 - info.epsneg]
    parts = [bits.view(kind), spread, unit, special, limits]
    with np.errstate(over="ignore"):
        return np.concatenate([np.asarray(x).astype(kind) for x in parts])


def exact(function: Callable[..., Array], dtype: str, *arrays: Array) -> Array:
    """In float64 for float32, in the 64-bit mantissas of x87 for float64."""
    wide = np.float64 if dtype == "f32" else np.longdouble
    with np.errstate(all="ignore"):
        return function(*(a.astype(wide) for a in arrays))


BOUNDS: dict[str, tuple[Callable[..., Array], float]] = {
    "exp": (np.exp, 1.1),
    "expm1": (np.expm1, 2.0),
    "log": (np.log, 1.0),
    "log1p": (np.log1p, 1.6),
    "tanh": (np.tanh, 2.5),
    "logistic": (logistic, 2.5),
    "sinh": (np.sinh, 2.5),
    "cosh": (np.cosh, 1.6),
    "asinh": (np.arcsinh, 2.5),
    "acosh": (np.arccosh, 2.5),
    "atanh": (np.arctanh, 2.5),
    "sin": (np.sin, 1.5),
    "cos": (np.cos, 1.5),
    "tan": (np.tan, 3.0),
    "asin": (np.arcsin, 2.5),
    "acos": (np.arccos, 1.6),
    "atan": (np.arctan, 2.4),
}


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_unary(name: str, dtype: str) -> None:
    function, bound = BOUNDS[name]
    x = samples(dtype)
    error = ulps(applied(name, dtype, x), exact(function, dtype, x))
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is {error[worst]} ULP off"


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", ["exp", "cosh", "logistic"])
def test_scaling_by_an_instruction_gives_the_same_bits(name: str, dtype: str) -> None:
    """AVX-512 multiplies by a power of two itself; the two factors of other targets round where it
    does: once, in results that are denormal."""
    x = np.concatenate([samples(dtype), np.linspace(-104, -86, 5000).astype(samples(dtype).dtype)])
    x = np.concatenate([x, np.linspace(-746, -707, 5000).astype(x.dtype)])
    b = Builder(name)
    fn = b.finish([REGISTRY[name](b, b.param(Type(dtype, x.shape)))])
    narrow = dataclasses.replace(host(), vector_bits=256, registers=16)
    (got,), (want,) = (Running(fused(fn, "loop"), at)(x) for at in (host(), narrow))
    nan = np.isnan(got)
    assert (nan == np.isnan(want)).all() and got[~nan].tobytes() == want[~nan].tobytes()


def spaced(first: float, last: float, sign: float = 1.0) -> Array:
    """Single floats from `first` to `last`, evenly spaced by their bits, times `sign`."""
    ends = np.array([first, last], np.float32).view(np.uint32).astype(np.int64)
    return np.arange(*ends, 1511).astype(np.uint32).view(np.float32) * np.float32(sign)


@pytest.mark.parametrize(
    "name, first, last, bound",
    [
        ("tanh", 1e-30, 0.17, 0.6),  # a polynomial alone
        ("tanh", 0.17, 1.0, 2.4),
        ("tanh", 1.0, 9.1, 1.6),
        ("logistic", 1e-6, 30.0, 2.4),
        ("logistic", 30.0, 104.0, 2.0),
    ],
)
def test_single_floats_of_a_range(name: str, first: float, last: float, bound: float) -> None:
    """Every 1,511th float of the range, and of its mirror image."""
    function = BOUNDS[name][0]
    for x in (spaced(first, last), spaced(first, last, -1.0)):
        got = applied(name, "f32", x)
        assert np.abs(got).max() <= 1.0
        error = ulps(got, exact(function, "f32", x))
        worst = int(np.argmax(error))
        assert error[worst] <= bound, f"{name}({x[worst]!r}) is {error[worst]} ULP off"
    if name == "tanh":
        assert applied(name, "f32", -x).tobytes() == (-got).tobytes()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_limits_of_logistic_and_tanh(dtype: str) -> None:
    kind = np.float32 if dtype == "f32" else np.float64
    huge = np.finfo(kind).max
    x = np.array([np.inf, huge, 1e5, 0.0, -0.0, -1e5, -huge, -np.inf, np.nan], kind)
    np.testing.assert_array_equal(
        applied("logistic", dtype, x), [1, 1, 1, 0.5, 0.5, 0, 0, 0, np.nan]
    )
    np.testing.assert_array_equal(
        applied("tanh", dtype, x), [1, 1, 1, 0.0, -0.0, -1, -1, -1, np.nan]
    )


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(
    "name, function, bound",
    [("pow", np.power, 1.5), ("atan2", np.arctan2, 2.5), ("rem", np.fmod, 0)],
)
def test_binary(name: str, function: Callable[..., Array], bound: float, dtype: str) -> None:
    x, y = samples(dtype), np.random.default_rng(2).permutation(samples(dtype, 1))
    if name == "pow":  # mostly where powers are numbers
        with np.errstate(invalid="ignore"):  # NaN and inf among the samples
            integers = np.round(y) % 50
        x, y = np.concatenate([x, np.abs(x), x]), np.concatenate([y, y, integers])
        y = np.where(np.isnan(y), 2, y).astype(x.dtype)
    error = ulps(applied(name, dtype, x, y), exact(function, dtype, x, y))
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{name}({x[worst]!r}, {y[worst]!r}) is {error[worst]} ULP off"


@pytest.mark.parametrize(
    "name, function, dtype, bound",
    [
        ("erf", math.erf, "f32", 1.5),
        ("erf", math.erf, "f64", 2.0),
        ("erfc", math.erfc, "f32", 4.0),
        ("erfc", math.erfc, "f64", 5.0),
    ],
)
def test_error_functions(
    name: str, function: Callable[[float], float], dtype: str, bound: float
) -> None:
    x = samples(dtype)[::5]
    want = np.array([function(float(v)) for v in x])
    error = ulps(applied(name, dtype, x), want)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is {error[worst]} ULP off"


def test_gamma_functions() -> None:
    lines = (Path(__file__).parent / "gamma_values.txt").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    x = np.array([float.fromhex(row[0]) for row in rows])
    for column, name in ((1, "lgamma"), (2, "digamma")):
        want = np.array([np.longdouble(row[column]) for row in rows])
        got = applied(name, "f64", x)
        # Next to a zero of the function only the absolute error is small.
        np.testing.assert_allclose(got, want.astype(np.float64), rtol=4e-15, atol=2e-15)
        single = x.astype(np.float32)
        exactly = single == x
        error = ulps(applied(name, "f32", single), want)[exactly]
        assert error.max() <= 1.0
        assert exactly.sum() >= 4


def test_gamma_poles_and_infinities() -> None:
    x = np.array([0.0, -0.0, -1.0, -2.0, np.inf, np.nan, 1e-300])
    np.testing.assert_array_equal(
        applied("lgamma", "f64", x)[:6], [np.inf, np.inf, np.inf, np.inf, np.inf, np.nan]
    )
    np.testing.assert_array_equal(
        applied("digamma", "f64", x)[:6], [np.nan, np.nan, np.nan, np.nan, np.inf, np.nan]
    )


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(
    "name",
    ["expm1", "log1p", "sin", "tan", "tanh", "sinh", "asinh", "atanh", "asin", "atan", "erf"],
)
def test_odd_functions_keep_the_sign_of_zero(name: str, dtype: str) -> None:
    zeros = np.array([0.0, -0.0], np.float32 if dtype == "f32" else np.float64)
    got = applied(name, dtype, zeros)
    assert (got == 0).all()
    assert np.signbit(got).tolist() == [False, True]


def test_half_types_are_rounded_once_from_float32() -> None:
    x = np.linspace(-4, 4, 999).astype(np.float16)
    got = applied("tanh", "f16", x)
    want = np.tanh(x.astype(np.float64)).astype(np.float16)
    assert (np.abs(got.view(np.int16).astype(int) - want.view(np.int16)) <= 1).all()
