"""Error functions and gamma functions as packet code."""

from __future__ import annotations

import math

from tfc.codegen.approx_core import MANTISSA, X, polynomial, to_double, to_single
from tfc.codegen.values import V

PI = math.pi
LOG_PI = 1.1447298858494002
HALF_LOG_TWO_PI = 0.9189385332046728
# The asymptotic series of lgamma (after x log x - x - log(x)/2 + log(2 pi)/2), in 1/x^2 over x.
STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)
# digamma: log x - 1/(2x) - sum of these over x^2, x^4, ...
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _series(x: X, coefficients: tuple[float, ...]) -> X:
    total = x.of(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total.fma(x, c)
    return total


def _erfc_positive(a: X) -> X:
    """erfc(a) for a >= 0: exp(-a^2) times a smooth function; a^2 to twice the precision."""
    from tfc.codegen.approx import exp

    most = 10.1 if a.kind == "f32" else 27.3
    a = a.atmost(most)
    s = (a - 2.0) / (a + 2.0)
    square = a * a
    lost = a.fma(a, -square)
    smooth = polynomial(s, "erfcx") / (a + a + 1.0)
    e = exp(-square)
    return e.fma(-lost, e) * smooth


def erf(x: X) -> X:
    """At most 1.5 ULP (float64: 2)."""
    a = abs(x)
    single = x.kind == "f32"
    near = 0.875 if single else 1.0
    inner = a.atmost(near)
    small = inner.fma(polynomial(inner * inner, "erf"), inner)
    far = 1.0 - (_erfc_beside_one(a) if single else _erfc_positive(a))
    return far.where(a >= near, small).signed_as(x)  # NaN: small


def _erfc_beside_one(a: X) -> X:
    """erfc(a) for a >= 0.875 in float32, with an error that is small beside 1: 2^log2(erfc(a)),
    its whole part added to the exponent."""
    log2 = polynomial(a.atmost(4.0), "log2_4_erfc")
    magic = 1.5 * 2.0 ** MANTISSA["f32"] - 2.0
    whole = log2 + magic  # its lowest bits: log2(erfc(a)), rounded to an integer
    part = log2 - (whole - magic)
    exponent = whole.bits().integer("shl", MANTISSA["f32"])
    return polynomial(part, "exp2_beside_one").bits().integer("add", exponent).float()


def erfc(x: X) -> X:
    """At most 4 ULP (float64: 8) where the result is normal."""
    a = abs(x)
    out = _erfc_positive(a)
    return (2.0 - out).where(x < 0.0, out)


def lgamma(x: X) -> X:
    """log |gamma(x)|; float32 by way of float64. inf at 0, -1, -2 …"""
    if x.kind == "f32":
        return to_single(lgamma(to_double(x)))
    from tfc.codegen.approx import log

    inf = float("inf")
    mirrored = x < 0.5
    # 1 - x for x < -1e-17 would lose x itself: then lgamma(x) = -log |x|.
    y = (1.0 - x).where(mirrored, x)
    value = _lgamma_right(y)
    sine = _sine_of_pi(x)
    reflected = LOG_PI - log(abs(sine)) - value
    out = reflected.where(mirrored, value)
    out = x.of(inf).where(is_pole(x), out)
    out = (-log(abs(x))).where(abs(x) < 1e-17, out)
    out = x.of(inf).where(abs(x).equals(inf), out)
    return x.where(x.is_nan(), out)


def is_pole(x: X) -> V:
    """Whether x is a pole: 0, -1, -2 …"""
    t = x.t
    return t.op("and", x.floor().equals(x), x <= 0.0)


def _lgamma_right(y: X) -> X:
    """lgamma for y >= 0.5."""
    from tfc.codegen.approx import log, log1p

    # 1.5 .. 2.5 by polynomial; 0.5 .. 1.5 one step down; 2.5 .. 8 up to six steps up.
    low = y < 1.5
    z = (y - 1.0).where(low, y - 2.0)
    product = y.of(1.0)
    for _ in range(6):
        step = z > 0.5
        product = (product * (z + 1.0)).where(step, product)
        z = (z - 1.0).where(step, z)
    near = z * polynomial(z.atmost(0.5), "lgamma")
    correction = (-log1p(y - 1.0)).where(low, log(product))
    far_y = y.atleast(8.0)
    inverse = 1.0 / far_y
    series = inverse * _series(inverse * inverse, STIRLING)
    far = (far_y - 0.5).fma(log(far_y) - 1.0, (HALF_LOG_TWO_PI - 0.5) + series)
    return (near + correction).where(y < 8.0, far)


def _sine_of_pi(x: X) -> X:
    """sin(pi * frac), frac = x less the whole number nearest to it."""
    from tfc.codegen.approx_trig import sin

    whole = X(x.t, x.t.intrinsic("roundeven", x.v))
    return sin((x - whole) * PI)


def digamma(x: X) -> X:
    """The derivative of lgamma; float32 by way of float64. NaN at 0, -1, -2 …"""
    if x.kind == "f32":
        return to_single(digamma(to_double(x)))
    from tfc.codegen.approx import log
    from tfc.codegen.approx_trig import tan

    mirrored = x < 0.5
    y = (1.0 - x).where(mirrored, x)
    total = y.of(0.0)
    for _ in range(8):
        step = y < 8.0
        total = (total - 1.0 / y).where(step, total)
        y = (y + 1.0).where(step, y)
    inverse = 1.0 / y
    z = inverse * inverse
    value = total + ((log(y) - 0.5 * inverse) - z * _series(z, DIGAMMA))
    whole = X(x.t, x.t.intrinsic("roundeven", x.v))
    reflected = value - PI / tan((x - whole) * PI)
    out = reflected.where(mirrored, value)
    return x.of(float("nan")).where(is_pole(x), out)
