"""Sine, cosine, tangent and their inverses as packet code."""

from __future__ import annotations

from tfc.codegen.approx_core import (
    X,
    nearest,
    patched,
    polynomial,
    to_double,
    to_single,
)
from tfc.codegen.values import V, const

TWO_OVER_PI = 0.6366197723675814
# pi/2 in parts of 33 bits and a rest: n times a part is exact for n < 2^20.
PI_2 = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
PI_2_HI, PI_2_LO = 1.5707963267948966, 6.123233995736766e-17
LARGE = {"f32": 2.0**30, "f64": 2.0**20}
"""From here on the C library reduces the argument, lane by lane."""


def _reduced64(x: X) -> tuple[X, X, X]:
    """(r, tail, n): x = n * pi/2 + r + tail, |r| <= pi/4, for |x| < 2^20 in float64."""
    n, whole = nearest(x, TWO_OVER_PI)
    r1 = n.fma(-PI_2[0], x)
    r2 = n.fma(-PI_2[1], r1)
    t2 = n.fma(-PI_2[1], r1 - r2)
    r3 = n.fma(-PI_2[2], r2)
    t3 = n.fma(-PI_2[2], r2 - r3)
    low = n.fma(-PI_2[3], t2 + t3)
    r = r3 + low
    return r, low - (r - r3), whole


def _reduced32(x: X) -> tuple[X, X]:
    """(r, n) in float32, reduced in float64: for |x| < 2^30."""
    wide = to_double(x)
    n, whole = nearest(wide, TWO_OVER_PI)
    r = n.fma(-PI_2_LO, n.fma(-PI_2_HI, wide))
    t = x.t
    return to_single(r), X(t, t.cast("trunc", whole.v, "i32"))


def _sine_cosine(x: X) -> tuple[X, X, X]:
    """sin and cos of the reduced argument, and the quadrant."""
    if x.kind == "f32":
        r, n = _reduced32(x)
        z = r * r
        sine = (z * r).fma(polynomial(z, "sin"), r)
        w = z.fma(-0.5, 1.0)
        cosine = w + (z * z).fma(polynomial(z, "cos"), z.fma(-0.5, 1.0 - w))
        return sine, cosine, n
    r, tail, n = _reduced64(x)
    z = r * r
    half = z * 0.5
    sine = r + (z * r).fma(polynomial(z, "sin"), tail * (1.0 - half))
    w = 1.0 - half
    cosine = w + (((1.0 - w) - half) + (z * z).fma(polynomial(z, "cos"), -(r * tail)))
    return sine, cosine, n


def _turned(value: X, n: X) -> X:
    """-value where bit 1 of n is set."""
    sign = n.integer("and", 2).integer("shl", 30 if n.kind == "f32" else 62)
    return value.bits().integer("xor", sign).float()


def _odd(n: X) -> V:
    one = n.integer("and", 1)
    return n.t.cmp("ne", one.v, const(one.v.type, 0))


def sin(x: X) -> X:
    """At most 1.5 ULP."""
    sine, cosine, n = _sine_cosine(x)
    out = _turned(cosine.where(_odd(n), sine), n)
    out = x.where(x.equals(0.0), out)
    return _or_library("sin", x, out)


def cos(x: X) -> X:
    """At most 1.5 ULP."""
    sine, cosine, n = _sine_cosine(x)
    out = _turned(sine.where(_odd(n), cosine), n.integer("add", 1))
    even = _turned(cosine, n)
    return _or_library("cos", x, out.where(_odd(n), even))


def tan(x: X) -> X:
    """At most 3 ULP."""
    sine, cosine, n = _sine_cosine(x)
    odd = _odd(n)
    out = (-cosine).where(odd, sine) / sine.where(odd, cosine)
    out = x.where(x.equals(0.0), out)
    return _or_library("tan", x, out)


def _or_library(name: str, x: X, out: X) -> X:
    """`out`, but lanes of huge arguments are computed by the C library (in float64)."""

    def call(lane: V) -> V:
        value = x.t.call("double", name, x.t.cast("fpext", lane, "double"))
        return x.t.cast("fptrunc", value, lane.type)

    return patched(out, abs(x) >= LARGE[x.kind], call, x)


def asin(x: X) -> X:
    """At most 2 ULP: beyond 1/2, pi/2 - 2 asin(sqrt((1 - |x|) / 2)). NaN outside [-1, 1]."""
    a = abs(x)
    far = a > 0.5
    z = ((1.0 - a) * 0.5).where(far, a * a)
    s = z.sqrt().where(far, a)
    part = (s * z).fma(polynomial(z, "asin"), s)
    out = (PI_2_HI - (part + part - _low(x, PI_2_LO))).where(far, part)
    return out.signed_as(x)


def _low(x: X, value: float) -> X:
    """The part of pi/2 or pi/4 that the rounded constant lacks."""
    single = {PI_2_LO: -4.371139000186243e-08, PI_2_LO / 2: -2.1855695000931215e-08}
    return x.of(single[value] if x.kind == "f32" else value)


def acos(x: X) -> X:
    """At most 2 ULP. NaN outside [-1, 1]."""
    a = abs(x)
    far = a > 0.5
    z = ((1.0 - a) * 0.5).where(far, a * a)
    s = z.sqrt().where(far, a)
    part = (s * z).fma(polynomial(z, "asin"), s)
    twice = part + part
    beyond = (2.0 * PI_2_HI - (twice - _low(x, PI_2_LO) * 2.0)).where(x < 0.0, twice)
    near = PI_2_HI - (part.signed_as(x) - _low(x, PI_2_LO))
    return beyond.where(far, near)


def _atan_core(low: X, high: X) -> X:
    """atan(low / high) for 0 <= low <= high, high > 0: above tan(pi/8), pi/4 more than the arc
    tangent of (low - high) / (low + high)."""
    steep = low > high * 0.4142135623730950
    q = (low - high).where(steep, low) / (low + high).where(steep, high)
    z = q * q
    part = (z * q).fma(polynomial(z, "atan"), q)
    shifted = 0.7853981633974483 + (part + _low(low, PI_2_LO / 2))
    return shifted.where(steep, part)


def atan(x: X) -> X:
    """At most 2 ULP."""
    a = abs(x)
    inverse = a > 1.0
    one = x.of(1.0)
    out = _atan_core(one.where(inverse, a), a.where(inverse, one))
    out = (PI_2_HI - (out - _low(x, PI_2_LO))).where(inverse, out)
    out = x.of(PI_2_HI).where(a.equals(float("inf")), out)
    return out.signed_as(x)


def atan2(y: X, x: X) -> X:
    """At most 3 ULP: the angle of the point (x, y); signed zeros and infinities as in C."""
    inf = float("inf")
    a, b = abs(y), abs(x)
    swapped = a > b
    low, high = b.where(swapped, a), a.where(swapped, b)
    # Sums of huge numbers would overflow: halve both. Two infinities count as equal.
    top = 2.0**126 if x.kind == "f32" else 2.0**1022
    big = high > top
    low, high = (low * 0.25).where(big, low), (high * 0.25).where(big, high)
    both = low.equals(inf)
    one = x.of(1.0)
    low, high = one.where(both, low), one.where(both, high)
    nothing = high.equals(0.0)
    low, high = low, one.where(nothing, high)
    low = x.of(0.0).where(high.equals(inf), low)
    high = one.where(high.equals(inf), high)
    out = _atan_core(low, high)
    out = (PI_2_HI - (out - _low(x, PI_2_LO))).where(swapped, out)
    negative = x.t.cmp("slt", x.bits().v, const(x.bits().v.type, 0))
    out = (2.0 * PI_2_HI - (out - _low(x, PI_2_LO) * 2.0)).where(negative, out)
    out = out.signed_as(y)
    return (x + y).where(x.t.cmp("uno", x.v, y.v), out)
