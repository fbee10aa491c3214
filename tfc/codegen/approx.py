"""Transcendental functions as branch-free packet code of our own: exp and log and what is made of
them. trigonometry, error functions and gamma functions are in files of their own.

The same text serves float32 and float64, with coefficients by type. No fast-math: NaN, infinities,
denormal numbers and signed zeros come out as IEEE 754 says. UNARY and BINARY are the tables the
emitter looks functions up in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tfc.codegen import approx_gamma, approx_trig
from tfc.codegen.approx_core import (
    BIAS,
    LN2_HI,
    LN2_LO,
    MANTISSA,
    X,
    exp_parts,
    nearest,
    patched,
    polynomial,
    power_of_two,
    scaled,
    split_exponent,
    to_double,
    to_single,
)
from tfc.codegen.approx_pow import pow64
from tfc.codegen.text import Text
from tfc.codegen.values import V, const

INF = float("inf")
NAN = float("nan")
EXP_LEAST = {"f32": -104.0, "f64": -746.0}
MANTISSA_BITS = {"f32": 24, "f64": 53}
EXP_MOST = {"f32": 89.0, "f64": 710.0}
# From here on the result is 1.
TANH_MOST = {"f32": 9.02, "f64": 19.1}
LOGISTIC_MOST = {"f32": 30.0, "f64": 60.0}
LN2 = math.log(2.0)
# What rounding loses of it.
LN2_REST = {"f32": LN2 - float(np.float32(LN2)), "f64": 2.3190468138462996e-17}


def exp(x: X) -> X:
    """At most 1.0 ULP."""
    inside = x.atmost(EXP_MOST[x.kind]).atleast(EXP_LEAST[x.kind])
    p, whole, n = exp_parts(inside)
    return scaled(p + 1.0, whole, n)


def expm1(x: X) -> X:
    """At most 1.5 ULP."""
    inside = x.atmost(EXP_MOST[x.kind]).atleast(-40.0)
    p, whole, _ = exp_parts(inside)
    half = power_of_two(whole.integer("sub", 1))  # 2^n itself would overflow first
    out = p.fma(half, half - 0.5) * 2.0
    return x.where(x.equals(0.0), out)


def _log_core(f: X, e: X) -> X:
    """log(1 + f) + e * ln 2, for f in [-0.293, 0.415)."""
    kind, n = f.kind, e.number()
    half = f * f * 0.5
    if kind == "f32":
        tail = (f * f) * f
        low = tail.fma(polynomial(f, "log"), n * LN2_LO[kind]) - half
        return n.fma(LN2_HI[kind], f + low)
    s = f / (f + 2.0)
    z = s * s
    r = z * polynomial(z, "log_s")
    low = s.fma(half + r, n * LN2_LO[kind])
    return n.fma(LN2_HI[kind], f - (half - low))


def _log_special(x: X, out: X) -> X:
    """The logarithm of zero, negative numbers, infinity and NaN."""
    out = x.where(x.equals(INF), out)
    out = x.of(-INF).where(x.equals(0.0), out)
    out = x.of(NAN).where(x < 0.0, out)
    return x.where(x.is_nan(), out)


def log(x: X) -> X:
    """At most 1.0 ULP."""
    m, e = split_exponent(x)
    return _log_special(x, _log_core(m - 1.0, e))


def log1p(x: X) -> X:
    """At most 1.5 ULP: the logarithm of u = 1 + x, with what rounding u lost put back."""
    u = x + 1.0
    lost = (x - (u - 1.0)).where(x < 1.0, 1.0 - (u - x))
    m, e = split_exponent(u)
    f = m - 1.0
    scale = power_of_two(e.of(0).integer("sub", e))
    # From 2^25 (2^54) on nothing is lost, and 2^-e need not exist.
    small = x < 2.0 ** (MANTISSA_BITS[x.kind])
    f = (f + lost * scale).where(small, f)
    out = _log_special(u, _log_core(f, e))
    return x.where(x.equals(0.0), out)


def tanh(x: X) -> X:
    """At most 2.5 ULP: (e - 1) / (e + 1), e = exp(2|x|) = 2^n (1 + t) / (1 - t), t = tanh(r)."""
    kind = x.kind
    near = abs(x).atmost(TANH_MOST[kind])
    magic = 1.5 * 2.0 ** MANTISSA[kind] + BIAS[kind]
    biased = near.fma(2.0 / LN2, magic)  # its lowest bits: n, as an exponent
    n = biased - magic
    power = biased.bits().integer("shl", MANTISSA[kind]).float()
    r = n.fma(-LN2 / 2.0, near)
    z = r * r
    cubic = polynomial(z, "tanh")
    if kind == "f32":  # which has ln(2) to 28 bits: enough
        t = (r * z).fma(cubic, r)
    else:
        t = r + (r * z).fma(cubic, n * (-LN2_REST[kind] / 2.0))
    over = (power + 1.0).fma(t, power - 1.0)  # 2t where n is 0
    # The divisor has the dividend's error, which then is small beside 1.
    return (over / (1.0 - t).fma(2.0, over)).signed_as(x)


def logistic(x: X) -> X:
    """1 / (1 + exp(-x)); at most 2.5 ULP."""
    kind = x.kind
    near = x.atmost(LOGISTIC_MOST[kind]).atleast(EXP_LEAST[kind] - 2.0)
    n, whole = nearest(near, 1.0 / LN2)
    first = n.fma(-LN2, near)
    r = n.fma(-LN2_REST[kind], first)
    # exp(r) = (even + r odd) / (even - r odd), so one division does for both quotients. Both are
    # between 1.39 and 2, where rounding errors are least.
    z = first * first
    even, odd = polynomial(z, "exp_even"), polynomial(z, "exp_odd")
    above = scaled(r.fma(odd, even), whole, n)
    return above / (above + (-r).fma(odd, even))


def sinh(x: X) -> X:
    """At most 2 ULP."""
    a = abs(x)
    t = expm1(a.atmost(1.5))
    small = 0.5 * (t + t / (t + 1.0))
    half = _half_exp(a)
    return small.where(a < 1.0, half - 0.25 / half).signed_as(x)


def cosh(x: X) -> X:
    """At most 2 ULP."""
    half = _half_exp(abs(x))
    return half + 0.25 / half


def _half_exp(x: X) -> X:
    """exp(x) / 2, which overflows one step later than exp."""
    p, whole, n = exp_parts(x.atmost(EXP_MOST[x.kind] + 1.0))
    return scaled(p + 1.0, whole.integer("sub", 1), n - 1.0)


def asinh(x: X) -> X:
    """At most 3 ULP."""
    a = abs(x)
    square = a * a
    near = log1p(a + square / ((square + 1.0).sqrt() + 1.0))
    far = log(a) + 0.6931471805599453
    return near.where(a < 2.0**30, far).signed_as(x)


def acosh(x: X) -> X:
    """At most 3 ULP."""
    t = x - 1.0
    near = log1p(t + (t + t + t * t).sqrt())
    far = log(x) + 0.6931471805599453
    out = near.where(x < 2.0**30, far)
    return x.of(NAN).where(x < 1.0, out)


def atanh(x: X) -> X:
    """At most 3 ULP."""
    a = abs(x)
    out = (0.5 * log1p((a + a) / (1.0 - a))).signed_as(x)
    return x.where(x.equals(0.0), out)


def pow(x: X, y: X) -> X:
    """x ** y as C has it: at most 1 ULP in float32 and 2 in float64."""
    if x.kind == "f32":
        return to_single(pow64(to_double(x), to_double(y), double_log=False))
    return pow64(x, y, double_log=True)


def rem(x: X, y: X) -> X:
    """The exact remainder, with the sign of x. Where the quotient q has few digits, x - q * y is
    exact, and q is off by one at most; elsewhere, and for special values, the C library."""
    t = x.t
    quotient = x / y
    q = X(t, t.intrinsic("trunc", quotient.v))
    r = q.fma(-y, x)
    step = abs(y).signed_as(x)
    r = (r - step).where(abs(r) >= abs(y), r)
    r = (r + step).where(r * r.of(1.0).signed_as(x) < 0.0, r)
    r = r.signed_as(x)
    few = t.op("and", abs(quotient) < 2.0 ** (MANTISSA_BITS[x.kind] - 3), abs(y) < INF)
    rare = t.op("xor", few, const(few.type, True))
    return patched(r, rare, lambda a, b: t.op("frem", a, b), x, y)


def _unary(function: Callable[[X], X]) -> Callable[[Text, V], V]:
    return lambda t, v: function(X(t, v)).v


def _binary(function: Callable[[X, X], X]) -> Callable[[Text, V, V], V]:
    return lambda t, a, b: function(X(t, a), X(t, b)).v


UNARY: dict[str, Callable[[Text, V], V]] = {
    name: _unary(function)
    for name, function in {
        "exp": exp,
        "expm1": expm1,
        "log": log,
        "log1p": log1p,
        "tanh": tanh,
        "logistic": logistic,
        "sinh": sinh,
        "cosh": cosh,
        "asinh": asinh,
        "acosh": acosh,
        "atanh": atanh,
        "sin": approx_trig.sin,
        "cos": approx_trig.cos,
        "tan": approx_trig.tan,
        "asin": approx_trig.asin,
        "acos": approx_trig.acos,
        "atan": approx_trig.atan,
        "erf": approx_gamma.erf,
        "erfc": approx_gamma.erfc,
        "lgamma": approx_gamma.lgamma,
        "digamma": approx_gamma.digamma,
    }.items()
}
BINARY: dict[str, Callable[[Text, V, V], V]] = {
    "pow": _binary(pow),
    "rem": _binary(rem),
    "atan2": _binary(approx_trig.atan2),
}
