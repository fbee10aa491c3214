"""The incomplete gamma functions, their derivatives by the order, and that of gamma samples.

Below x = a (or 1) the power series of the lower function converges fast, elsewhere the continued
fraction of the upper one. Both run as one loop over all elements until the slowest has converged,
in float64 for every dtype; with each term goes its derivative by a where that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ir.core import Type, Value
from tfc.ops.common import broadcast_args, define_binary, sum_to
from tfc.ops.loops import Calc, Term, any_of, polynomial, while_loop
from tfc.ops.lowering import to

_TYPES = ("f32", "f64")
_EPSILON = 2.0**-53  # of the series, whose terms only shrink
_SETTLED = 2.0**-50  # of the fraction, whose convergents waver in their last bits
_MOST_TURNS = 10_000_000  # about 8 sqrt(a) turns are taken; what has not converged then is NaN
_BIG = 2.0**52


def _turns(build: Any) -> Value:
    """The counter that a loop starts with."""
    return p.constant(build, 0, "i32")


def _flags(build: Any, like: Value, flag: bool) -> Value:
    """`flag` for every element of `like`."""
    flags: Value = p.splat(build, flag, Type("i1", like.type.shape))
    return flags


def _go_on(region: Any, turn: Value, moving: Value) -> Value:
    limit = p.full_like(region, turn, _MOST_TURNS)
    return p.and_(region, p.lt(region, turn, limit), any_of(region, moving))


def _next(region: Any, turn: Value) -> Value:
    return p.add(region, turn, p.full_like(region, turn, 1))


def _series(build: Any, a: Value, x: Value, slopes: bool) -> tuple[Term, Term]:
    """(s, ds/da), s the sum over n of x^n / ((a + 1) ... (a + n)), for x <= a or x <= 1; ds/da has
    converged only if `slopes`."""
    one, zero = p.full_like(build, a, 1), p.full_like(build, a, 0)
    moving = p.eq(build, one, one)

    def test(region: Any, turn: Value, moving: Value, *_: Value) -> Value:
        return _go_on(region, turn, moving)

    def body(
        region: Any, turn: Value, _moving: Value, r: Value, c: Value, s: Value, dc: Value,
        ds: Value, x: Value, slopes: Value,
    ) -> list[Value]:  # fmt: skip
        calc = Calc(region)
        above = calc(r) + 1
        factor = calc(x) / above
        slope = factor * calc(dc) - factor / above * calc(c)
        term = factor * calc(c)
        total, change = calc(s) + term, calc(ds) + slope
        unsettled = abs(slope) > abs(change) * _EPSILON
        more = (term > total * _EPSILON) | (calc(slopes) & unsettled)
        results = (more, above, term, total, slope, change)
        return [_next(region, turn), *(t.value for t in results)]

    start = [_turns(build), moving, a, one, one, zero, zero]
    results = while_loop(build, test, body, start, [x, _flags(build, a, slopes)])
    calc = Calc(build)
    done = ~calc(results[1])
    return calc(results[4]).where(done, float("nan")), calc(results[6]).where(done, float("nan"))


def _fraction(build: Any, a: Value, x: Value, slopes: bool) -> tuple[Term, Term]:
    """(f, df/da), f the continued fraction of the upper function, for x > 1 and x >= a; df/da has
    converged only if `slopes`."""
    calc = Calc(build)
    ta, tx = calc(a), calc(x)
    y = 1 - ta
    z = tx + y + 1
    one, zero = ta.of(1), ta.of(0)
    p1, q1 = tx + 1, z * tx
    ratio = p1 / q1
    dratio = ratio * tx / q1
    moving = one.equals(one)

    def test(region: Any, turn: Value, moving: Value, *_: Value) -> Value:
        return _go_on(region, turn, moving)

    start = [moving, zero, y, z, one, tx, p1, q1, zero, zero, zero, -tx, ratio, dratio]
    values = [_turns(build), *(t.value for t in start)]
    results = while_loop(build, test, _fraction_step, values, [_flags(build, a, slopes)])
    done = ~calc(results[1])
    return calc(results[-2]).where(done, float("nan")), calc(results[-1]).where(done, float("nan"))


def _fraction_step(region: Any, turn: Value, _moving: Value, *values: Value) -> list[Value]:
    """The next convergent p/q of the fraction, and its derivative by a."""
    calc = Calc(region)
    c, y, z, p2, q2, p1, q1, dp2, dq2, dp1, dq1, ratio, dratio, slopes = map(calc, values)
    c, y, z = c + 1, y + 1, z + 2
    yc = y * c
    pk, qk = p1 * z - p2 * yc, q1 * z - q2 * yc
    dpk = dp1 * z - p1 - dp2 * yc + p2 * c
    dqk = dq1 * z - q1 - dq2 * yc + q2 * c
    usable = qk.differs(0)
    after = (pk / qk).where(usable, ratio)
    dafter = ((dpk - after * dqk) / qk).where(usable, dratio)
    more = abs(after - ratio) > abs(after) * _SETTLED
    noise = ((abs(dpk) + abs(after * dqk)) / abs(qk) + abs(after)) * _SETTLED
    more = more | (slopes & (abs(dafter - dratio) > noise))
    large = (abs(pk) > _BIG) | (abs(qk) > _BIG)
    scale = pk.of(1 / _BIG).where(large, 1.0)
    kept = [v * scale for v in (p1, q1, pk, qk, dp1, dq1, dpk, dqk)]
    results = [more, c, y, z, *kept, after, dafter]
    return [_next(region, turn), *(t.value for t in results)]


def _parts(
    build: Any, a: Value, x: Value, slopes: bool
) -> tuple[Term, Term, Term, Term, Term, Term, Term]:
    """(by series?, series, its slope, fraction, its slope, a, x), in float64, where each method
    sees harmless operands in place of those of the other."""
    calc = Calc(build)
    ta, tx = calc(to(build, a, "f64")), calc(to(build, x, "f64"))
    valid = (ta > 0) & (tx > 0) & (ta < float("inf")) & (tx < float("inf"))
    by_series = valid & ((tx <= 1) | (tx <= ta))
    by_fraction = valid & ~by_series
    few, small = ta.where(by_series, 1).value, tx.where(by_series, 0).value
    series = _series(build, few, small, slopes)
    few, large = ta.where(by_fraction, 1).value, tx.where(by_fraction, 2).value
    fraction = _fraction(build, few, large, slopes)
    return (by_series, *series, *fraction, ta, tx)


def _log_front(a: Term, x: Term) -> Term:
    """log(x^a e^-x / gamma(a)). For large a by Stirling's series and x / a - 1: the three terms
    would cancel."""
    plain = a * x.log() - x - a.lgamma()
    inverse = 1 / a
    square = inverse * inverse
    series = inverse * polynomial(square, (1 / 12, -1 / 360, 1 / 1260))
    off = (x - a) / a
    large = (a / (2 * math.pi)).log() * 0.5 - a * (off - off.log1p()) - series
    return large.where(a > 200, plain)


def _lower_part(build: Any, a: Value, x: Value, upper: bool) -> Value:
    """P(a, x), or Q(a, x) = 1 - P(a, x)."""
    by_series, total, _, ratio, _, ta, tx = _parts(build, a, x, slopes=False)
    front = _log_front(ta, tx).exp()
    low, high = front * total / ta, front * ratio
    if upper:
        value = (1 - low).where(by_series, high)
    else:
        value = low.where(by_series, 1 - high)
    at_zero, at_infinity = (1.0, 0.0) if upper else (0.0, 1.0)
    infinite = float("inf")
    value = value.of(at_infinity).where(tx.equals(infinite), value)
    value = value.of(at_zero).where(ta.equals(infinite) & (tx < infinite), value)
    value = value.of(at_zero).where(tx.equals(0), value)
    if not upper:  # TensorFlow gives 0 for two infinities, and at x = 0 whatever a is
        value = value.of(0).where(ta.equals(infinite) & tx.equals(infinite), value)
    value = value.where((ta > 0) & (tx >= 0), float("nan"))
    if not upper:
        value = value.of(0).where(tx.equals(0), value)
    return to(build, value.value, x.type.dtype)


def _derivative(build: Any, a: Value, x: Value) -> Value:
    """dP(a, x) / da."""
    by_series, total, dtotal, ratio, dratio, ta, tx = _parts(build, a, x, slopes=True)
    log_x = tx.log()
    front = _log_front(ta, tx).exp()
    low = front / ta * (dtotal + total * (log_x - (ta + 1).digamma()))
    high = front * (dratio + ratio * (log_x - ta.digamma()))
    value = low.where(by_series, -high)
    value = value.of(0).where(tx.equals(0) | tx.equals(float("inf")), value)
    value = value.where((ta > 0) & (tx >= 0), float("nan"))
    return to(build, value.value, x.type.dtype)


def _sample_derivative(build: Any, a: Value, x: Value) -> Value:
    """dx / da of a gamma sample x of shape a: -dP/da over the density."""
    by_series, total, dtotal, ratio, dratio, ta, tx = _parts(build, a, x, slopes=True)
    log_x = tx.log()
    low = -(dtotal + total * (log_x - (ta + 1).digamma())) * tx / ta
    high = (dratio + ratio * (log_x - ta.digamma())) * tx
    value = low.where(by_series, high)
    value = value.of(0).where(tx.equals(0), value)
    value = value.where((ta > 0) & (tx >= 0), float("nan"))
    return to(build, value.value, x.type.dtype)


def _gradient(sign: int) -> Callable[..., Any]:
    def grad(op: Any, dz: Any) -> list[Any]:
        a, x = op.inputs
        sa, sx, ra, rx = broadcast_args(a, x)
        by_a = apply("IgammaGradA", a, x)
        by_x = apply("Exp", -x + (a - 1) * apply("Log", x) - apply("Lgamma", a))
        if sign < 0:
            by_a, by_x = -by_a, -by_x
        return [sum_to(by_a * dz, ra, sa), sum_to(by_x * dz, rx, sx)]

    return grad


Igamma = define_binary(
    "Igamma", _TYPES,
    "The lower regularised incomplete gamma function P(x, y): the integral of t^(x-1) e^-t from 0 "
    "to y, over gamma(x). NaN unless x > 0 and y >= 0.",
    lambda build, a, x: _lower_part(build, a, x, upper=False), _gradient(1),
)  # fmt: skip
Igammac = define_binary(
    "Igammac", _TYPES, "The upper regularised incomplete gamma function, 1 - P(x, y).",
    lambda build, a, x: _lower_part(build, a, x, upper=True), _gradient(-1),
)  # fmt: skip
IgammaGradA = define_binary("IgammaGradA", _TYPES, "The derivative of P(x, y) by x.", _derivative)
RandomGammaGrad = define_binary(
    "RandomGammaGrad", _TYPES,
    "The derivative of a gamma sample y by its shape parameter x.", _sample_derivative,
)  # fmt: skip


def igamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The lower regularised incomplete gamma function P(a, x), with broadcasting."""
    return apply("Igamma", a, x, name=name)


def igammac(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The upper regularised incomplete gamma function 1 - P(a, x), with broadcasting."""
    return apply("Igammac", a, x, name=name)
