"""Powers of float64 packets."""

from __future__ import annotations

from tfc.codegen.approx_core import (
    LN2_HI,
    LN2_LO,
    X,
    exp_parts,
    polynomial,
    scaled,
    split_exponent,
    two_product,
    two_sum,
)
from tfc.codegen.values import V, const

INF = float("inf")
# ln 2 to twice the precision.
LN2_1, LN2_2 = 0.6931471805599453, 2.3190468138462996e-17


def _log_pair(x: X, precise: bool) -> tuple[X, X]:
    """log(x) = high + low for positive finite x: low is zero where one double will do."""
    m, e = split_exponent(x)
    f, n = m - 1.0, e.number()
    s = f / (f + 2.0)
    if not precise:
        z = s * s
        half = f * f * 0.5
        low = s.fma(half + z * polynomial(z, "log_s"), n * LN2_LO["f64"])
        return n.fma(LN2_HI["f64"], f - (half - low)), x.of(0.0)
    # s = s + t exactly to twice the precision: d = f + 2 = d + dt.
    d = f + 2.0
    dt = f - (d - 2.0)
    t = (s.fma(-d, f) - s * dt) / d
    # 2/3 s^3 to twice the precision, the rest of the series in one double.
    z, zl = two_product(s, s)
    zl = zl + 2.0 * s * t
    c, cl = two_product(z, s)
    cl = cl + zl * s + z * t
    p, pl = two_product(c, c.of(0.6666666666666666))
    pl = pl + cl * 0.6666666666666666 + c * 3.700743415417188e-17
    rest = c * z * polynomial(z, "log_s5")
    high, low = two_sum(2.0 * s, p)
    low = low + (2.0 * t + pl + rest)
    a, al = two_product(n, n.of(LN2_1))
    total, err = two_sum(a, high)
    err = err + (al + n * LN2_2 + low)
    top = total + err
    return top, err - (top - total)


def pow64(x: X, y: X, double_log: bool) -> X:
    """x ** y: exp(y * log |x|), with the product to twice the precision if `double_log`."""
    a = abs(x)
    inside = x.of(1.0).where(_special(a), a)
    high, low = _log_pair(inside, double_log)
    product, error = two_product(y, high)
    error = error + y * low
    fits = abs(product) < 1000.0
    error = error.where(fits, 0.0)
    held = product.atmost(1000.0).atleast(-1000.0)
    p, whole, n = exp_parts(held)
    out = scaled((p + 1.0).fma(error, p + 1.0), whole, n)
    return _specials(x, y, a, out)


def _special(a: X) -> V:
    t = a.t
    return t.op("or", t.op("or", a.equals(0.0), a.equals(INF)), a.is_nan())


def _specials(x: X, y: X, a: X, out: X) -> X:
    t = x.t
    zero_or_inf = t.op("or", a.equals(0.0), a.equals(INF))
    grows = t.op("xor", a.equals(INF), y < 0.0)
    out = x.of(INF).where(grows, 0.0).where(zero_or_inf, out)
    # An infinite exponent: 1 stays 1, else it overflows or vanishes.
    endless = abs(y).equals(INF)
    up = t.op("xor", a < 1.0, y > 0.0)
    out = x.of(INF).where(up, 0.0).where(endless, out)
    out = x.of(1.0).where(t.op("and", endless, a.equals(1.0)), out)
    whole = y.floor().equals(y)
    half = y * 0.5
    odd = t.op("and", whole, t.op("xor", half.floor().equals(half), const(whole.type, True)))
    below = t.cmp("slt", x.bits().v, const(x.bits().v.type, 0))
    out = (-out).where(t.op("and", odd, below), out)
    not_whole = t.op("xor", whole, const(whole.type, True))
    finite = t.op("and", x < 0.0, abs(x) < INF)
    out = x.of(float("nan")).where(t.op("and", finite, not_whole), out)
    out = (x + y).where(t.cmp("uno", x.v, y.v), out)
    sure = t.op("or", x.equals(1.0), y.equals(0.0))
    return x.of(1.0).where(sure, out)
