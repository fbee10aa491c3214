"""Zeta and Polygamma, which is also the gradient of Digamma."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ir.core import Value
from tfc.ops.common import broadcast_args, define_binary, sum_to
from tfc.ops.loops import Calc, Term, any_of, while_loop
from tfc.ops.lowering import to

_TYPES = ("f32", "f64")
_MOST_BELOW = 10_000_000  # terms with q + n < 0 before the sum is given up as NaN
_DIRECT = 9  # terms summed one by one; q is then large enough for the asymptotic series
# (2k)! / B_2k, k = 1, 2, ...: what divides the terms of the Euler-Maclaurin series.
_SERIES = (
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9,
    7.47242496e10, -2.950130727918164224e12, 1.1646782814350067249e14,
    -4.5979787224074726105e15, 1.8152105401943546773e17, -7.1661652561756670113e18,
)  # fmt: skip


def _hurwitz(build: Any, x: Value, q: Value) -> Value:
    """zeta(x, q) for x > 1 and q > 0, in the type of the operands (float64)."""
    minus = p.neg(build, x)
    total = p.pow_(build, q, minus)
    place, term = q, total
    for _ in range(_DIRECT):
        place = p.add(build, place, p.full_like(build, q, 1))
        term = p.pow_(build, place, minus)
        total = p.add(build, total, term)
    tail = p.div(build, p.mul(build, term, place), p.sub(build, x, p.full_like(build, x, 1)))
    total = p.add(build, total, tail)
    total = p.sub(build, total, p.mul(build, term, p.full_like(build, x, 0.5)))
    factor = p.full_like(build, x, 1)
    for k, divisor in enumerate(_SERIES):
        factor = p.mul(build, factor, p.add(build, x, p.full_like(build, x, 2 * k)))
        term = p.div(build, term, place)
        step = p.div(build, p.mul(build, factor, term), p.full_like(build, x, divisor))
        total = p.add(build, total, step)
        factor = p.mul(build, factor, p.add(build, x, p.full_like(build, x, 2 * k + 1)))
        term = p.div(build, term, place)
    return total


def _from_below(build: Any, x: Value, q: Value) -> tuple[Value, Value]:
    """The terms with q + n < 0, which whole x have a value for, and the q that is left then."""
    calc = Calc(build)

    def below(region: Any, q: Value) -> Term:
        return Calc(region)(q) < 0

    def test(region: Any, turn: Value, _total: Value, q: Value, _x: Value) -> Value:
        few = p.lt(region, turn, p.full_like(region, turn, _MOST_BELOW))
        return p.and_(region, few, any_of(region, below(region, q).value))

    def body(region: Any, turn: Value, total: Value, q: Value, x: Value) -> list[Value]:
        inner, negative = Calc(region), below(region, q)
        place, sum_ = inner(q), inner(total)
        more = sum_ + place.where(negative, 1).pow(-inner(x))
        results = more.where(negative, sum_).value, (place + 1).where(negative, place).value
        return [p.add(region, turn, p.full_like(region, turn, 1)), *results]

    start = [p.constant(build, 0, "i32"), p.full_like(build, q, 0), q]
    _, total, place = while_loop(build, test, body, start, [x])
    reached = calc(place) >= 0
    return calc(total).where(reached, float("nan")).value, place


def _zeta(build: Any, x: Value, q: Value) -> Value:
    calc = Calc(build)
    wide, at = calc(to(build, x, "f64")), calc(to(build, q, "f64"))
    whole, even = wide.equals(wide.floor()), (wide * 0.5).equals((wide * 0.5).floor())
    below = (at < 0) & (at > -float("inf")) & whole & at.differs(at.floor()) & (wide > 1)
    extra, reached = _from_below(build, wide.value, at.where(below, 1).value)
    place = calc(reached).where(below, at)
    value = calc(_hurwitz(build, wide.value, place.value)) + calc(extra)
    infinite, far = wide.equals(float("inf")), at.equals(float("inf"))
    limit = value.of(1).where(at.equals(1), value.of(0).where(at > 1, float("inf")))
    value = limit.where(infinite, value.of(0).where(far, value))
    value = value.where((at > 0) | below | (infinite & (at < 0)), float("nan"))
    value = value.of(float("inf")).where((at <= 0) & at.equals(at.floor()) & whole & even, value)
    value = value.where(wide >= 1, float("nan"))
    value = value.of(float("inf")).where(wide.equals(1), value)
    return to(build, value.value, x.type.dtype)


def _polygamma(build: Any, a: Value, x: Value) -> Value:
    order, at = to(build, a, "f64"), to(build, x, "f64")
    zero, one = p.full_like(build, at, 0), p.full_like(build, at, 1)
    above = p.add(build, order, one)
    factorial = p.exp(build, p.lgamma(build, above))
    half = p.mul(build, above, p.full_like(build, at, 0.5))
    even = p.eq(build, half, p.floor(build, half))
    sign = p.select(build, even, one, p.full_like(build, at, -1))
    value = p.mul(build, p.mul(build, sign, factorial), _zeta(build, above, at))
    whole = p.and_(build, p.eq(build, order, p.floor(build, order)), p.ge(build, order, zero))
    value = p.select(build, whole, value, p.full_like(build, at, float("nan")))
    value = p.select(build, p.eq(build, order, zero), p.digamma(build, at), value)
    return to(build, value, x.type.dtype)


def _zeta_grad(op: Any, dz: Any) -> list[Any]:
    x, q = op.inputs
    _, sq, _, rq = broadcast_args(x, q)
    return [None, sum_to(dz * (-x * apply("Zeta", x + 1, q)), rq, sq)]


def _polygamma_grad(op: Any, dz: Any) -> list[Any]:
    order, x = op.inputs
    _, sx, _, rx = broadcast_args(order, x)
    return [None, sum_to(dz * apply("Polygamma", order + 1, x), rx, sx)]


Zeta = define_binary(
    "Zeta", _TYPES,
    "The Hurwitz zeta function: the sum of (q + n)^-x over n >= 0, for x > 1. Infinite at the "
    "poles q = 0, -1, ..., NaN for other q below 0.", _zeta, _zeta_grad,
)  # fmt: skip
Polygamma = define_binary(
    "Polygamma", _TYPES,
    "The derivative of order `a` (a whole number) of digamma, for x > 0.", _polygamma,
    _polygamma_grad,
)  # fmt: skip


def zeta(x: Any, q: Any, name: str | None = None) -> Tensor:
    """The Hurwitz zeta function, the sum of (q + n)^-x over n >= 0."""
    return apply("Zeta", x, q, name=name)


def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivative of order `a` of digamma at x."""
    return apply("Polygamma", a, x, name=name)
