"""Numpy meanings that numpy itself lacks or leaves undefined: total integer arithmetic, conversions
as compiled code does them, special functions, and the wide types that sums accumulate in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes

Array = np.ndarray

_WIDE = {"f16": "f64", "bf16": "f64", "f32": "f64", "c64": "c128"}


def wide(x: Array) -> Array:
    """`x` in the type in which reference sums and products accumulate: f64 for every float, c128
    for every complex, integers as they are (they wrap)."""
    short = dtypes.short_of(x.dtype)
    return x.astype(dtypes.numpy_dtype(_WIDE.get(short, short)))


def precise(f: Callable[..., Any]) -> Callable[..., Array]:
    """`f` computed in float64 and rounded once to the operands' type."""

    def rounded(*xs: Array) -> Array:
        return np.asarray(f(*(x.astype(np.float64) for x in xs))).astype(xs[0].dtype)

    return rounded


def single(x: Array) -> Array:
    """Half-precision arrays as float32, the type compiled code computes them in."""
    return x.astype(np.float32) if dtypes.short_of(x.dtype) in ("f16", "bf16") else x


def is_float(x: Array) -> bool:
    return dtypes.short_of(x.dtype) in dtypes.FLOATS


def divide(x: Array, y: Array) -> Array:
    """x / y; integers truncate toward zero, x / 0 = 0, and the least integer / -1 is itself."""
    if x.dtype.kind not in "iu":
        result: Array = x / y
        return result
    quotient = np.floor_divide(x, np.where(y == 0, 1, y).astype(x.dtype))
    if x.dtype.kind == "i":
        inexact = x - quotient * y != 0
        quotient = quotient + (inexact & ((x < 0) != (y < 0))).astype(x.dtype)
    return np.where(y == 0, 0, quotient).astype(x.dtype)


def remainder(x: Array, y: Array) -> Array:
    """x - trunc(x / y) * y, with the sign of x; integers rem 0 give 0."""
    if x.dtype.kind not in "iu":
        result: Array = np.fmod(x, y)
        return result
    zero_or_minus_one = (y == 0) | ((y == -1) if x.dtype.kind == "i" else False)
    rest = np.fmod(x, np.where(zero_or_minus_one, 1, y).astype(x.dtype))
    return np.where(zero_or_minus_one, 0, rest).astype(x.dtype)


def power(x: Array, y: Array) -> Array:
    """x ** y. Integers wrap; to a negative power they give the truncated reciprocal, so 0 unless
    x is 1 or -1."""
    if x.dtype.kind not in "iu":
        # numpy replaces powers by a scalar 0.5 with sqrt, which gives NaN for -inf
        rows = precise(np.power)(x.reshape(-1), y.reshape(-1))
        return rows.reshape(x.shape)
    result, base, exponent = np.ones_like(x), x.copy(), np.where(y < 0, 0, y).astype(x.dtype)
    while np.any(exponent != 0):
        result = np.where(exponent & 1 != 0, result * base, result).astype(x.dtype)
        base, exponent = base * base, exponent >> 1
    if x.dtype.kind == "i":
        unit = np.where(x == 1, 1, np.where(x == -1, np.where(y & 1 != 0, -1, 1), 0))
        result = np.where(y < 0, unit, result)
    return result.astype(x.dtype)


def shift_left(x: Array, y: Array) -> Array:
    """x << y with y taken as unsigned; a shift past the width gives 0."""
    bits = x.dtype.itemsize * 8
    inside = (y >= 0) & (y < bits)
    shifted = np.left_shift(x, np.where(inside, y, 0).astype(x.dtype))
    return np.where(inside, shifted, 0).astype(x.dtype)


def shift_right(x: Array, y: Array) -> Array:
    """x >> y, arithmetic if signed, with y taken as unsigned; a shift past the width leaves only
    the sign."""
    bits = x.dtype.itemsize * 8
    inside = (y >= 0) & (y < bits)
    shifted = np.right_shift(x, np.where(inside, y, bits - 1).astype(x.dtype))
    past = shifted if x.dtype.kind == "i" else np.zeros_like(x)
    return np.where(inside, shifted, past)


def unsigned_view(x: Array) -> Array:
    """The bits of integers `x` as unsigned integers of the same width."""
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))


def popcount(x: Array) -> Array:
    result: Array = np.bitwise_count(unsigned_view(x)).astype(x.dtype)
    return result


def count_leading_zeros(x: Array) -> Array:
    """Zero bits above the highest one; the width for 0."""
    rest, bits = unsigned_view(x).copy(), x.dtype.itemsize * 8
    count = np.full(x.shape, bits, x.dtype)
    while np.any(rest != 0):
        count = np.where(rest != 0, count - 1, count).astype(x.dtype)
        rest = rest >> 1
    return count


def sign(x: Array) -> Array:
    """-1, 0 or 1; NaN and zeros of either sign stay themselves."""
    return np.where(x == 0, x, np.sign(x)).astype(x.dtype)


def _float_to_int(x: Array, short: str) -> Array:
    """Truncates. What does not fit, and NaN, gives the least value for i32 and i64; smaller types
    are the low bits of the i32, u32 and u64 those of the i64, but u64 holds what lies below 2**64
    too."""
    target = dtypes.numpy_dtype(short)
    if short == "u64":
        high = (x >= 2.0**63) & (x < 2.0**64)
        upper = np.where(high, x, 0).astype(np.uint64)
        return np.where(high, upper, _float_to_int(x, "i64").view(np.uint64))
    bits = 64 if short in ("i64", "u32") else 32
    signed = np.dtype(f"i{bits // 8}")
    bound = 2.0 ** (bits - 1)
    whole = np.trunc(x)
    fits = (whole >= -bound) & (whole < bound)
    safe = np.where(fits, whole, 0.0).astype(signed)
    return np.where(fits, safe, np.iinfo(signed).min).astype(target)


def convert(x: Array, short: str) -> Array:
    """`x` as `short`. Complex to real takes the real part; anything to i1 is `x != 0`; half types
    are reached through float32; float to integer as `_float_to_int` says."""
    target = dtypes.numpy_dtype(short)
    source = dtypes.short_of(x.dtype)
    if short == "i1":
        result: Array = x != 0
        return result
    if source in dtypes.COMPLEX and short not in dtypes.COMPLEX:
        return convert(x.real, short)
    if source in dtypes.FLOATS and short in dtypes.INTEGERS:
        return _float_to_int(x.astype(np.float64), short)
    if short in ("f16", "bf16"):
        return x.astype(np.float32).astype(target)
    return x.astype(target)


def _each(f: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of one Python float, over an array."""
    table = np.frompyfunc(f, 1, 1)

    def over(x: Array) -> Array:
        return np.asarray(table(x), dtype=np.float64)

    return over


def _lgamma(x: float) -> float:
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


def _digamma(x: float) -> float:
    """Psi by reflection, upward recurrence to 10, and the asymptotic series. Poles give NaN, as
    does -inf."""
    if math.isnan(x) or x == -math.inf or (x <= 0 and x == math.floor(x)):
        return math.nan
    if x == math.inf:
        return x
    reflected = 0.0
    if x < 0:
        # the tangent has period 1 in x: reduced to the nearest pole, where it is steep
        reflected, x = math.pi / math.tan(math.pi * (x - round(x))), 1.0 - x
    terms = [-reflected]
    while x < 10:
        terms.append(-1.0 / x)
        x += 1.0
    square = 1.0 / (x * x)
    series = 0.0
    for coefficient in _DIGAMMA_SERIES:
        series = square * (coefficient + series)
    return math.fsum([*terms, math.log(x), -0.5 / x, -series])


# B(2k) / 2k for k = 8 ... 1, in Horner order
_DIGAMMA_SERIES = (
    -3617 / 8160,
    1 / 12,
    -691 / 32760,
    1 / 132,
    -1 / 240,
    1 / 252,
    -1 / 120,
    1 / 12,
)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    result: Array = np.where(x < 0, e, 1) / (1 + e)
    return result


erf, erfc, lgamma, digamma = (_each(f) for f in (math.erf, math.erfc, _lgamma, _digamma))


def sort_rank(x: Array) -> Array:
    """Integers ordered as `x` is: -0.0 equals 0.0, and every NaN is one greatest value."""
    if not is_float(x):
        return x.astype(np.uint8) if x.dtype == np.bool_ else x
    width = x.dtype.itemsize
    x = np.where(x == 0, np.zeros((), x.dtype), np.where(np.isnan(x), _positive_nan(x), x))
    bits = np.ascontiguousarray(x).view(np.dtype(f"i{width}"))
    return np.where(bits >= 0, bits, bits ^ np.iinfo(bits.dtype).max)


def _positive_nan(x: Array) -> Array:
    result: Array = np.abs(np.array(np.nan, x.dtype))
    return result
