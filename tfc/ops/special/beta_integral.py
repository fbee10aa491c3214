"""The regularised incomplete beta function, by its continued fraction."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_ops, shape_rules
from tfc.ops.common import reduce_sum
from tfc.ops.loops import Calc, Term, any_of, while_loop
from tfc.ops.lowering import invalid, to

_EPSILON = 2.0**-50
_TINY = 1e-300
_MOST_TURNS = 10_000_000  # what has not converged then is NaN


class Betainc(OpDef, sig="Betainc(a: T, b: T, x: T) -> z: T", T=("f32", "f64")):
    """The integral of t^(a-1) (1-t)^(b-1) from 0 to x, over the beta function of a and b. Operands
    have one shape or are scalars. NaN unless a, b > 0 and x is in [0, 1]."""

    def shape(a: TensorShape, b: TensorShape, x: TensorShape) -> list[TensorShape]:
        merged: Any = []
        for shape in (a, b, x):
            dims = shape_rules.dims_of(shape)
            if dims is None:
                return [shape_rules.unknown()]
            if dims:
                merged = shape_rules.merge_dims(merged, dims) if merged else dims
        return [shape_rules.shape_of(merged)]

    def grad(op: Any, dz: Any) -> list[Any]:
        a, b, x = op.inputs
        log_beta = apply("Lgamma", a) + apply("Lgamma", b) - apply("Lgamma", a + b)
        one = apply("OnesLike", x)
        log = (b - 1) * apply("Log1p", -x) + (a - 1) * apply("Log", x) - log_beta
        slope = apply("Exp", log) * dz
        _, axes = apply("BroadcastGradientArgs", shape_ops.shape(a + b), shape_ops.shape(x * one))
        return [None, None, shape_ops.reshape(reduce_sum(slope, axes), shape_ops.shape(x))]

    def lower(build: Any, a: Value, b: Value, x: Value) -> Value:
        shape: tuple[int, ...] = ()
        for value in (a, b, x):
            if value.type.shape and shape and value.type.shape != shape:
                raise invalid(
                    build,
                    f"Shapes of a, b and x are inconsistent: {shape_rules.text(shape)} vs. "
                    f"{shape_rules.text(value.type.shape)}",
                )
            shape = value.type.shape or shape
        calc = Calc(build)
        wide = [to(build, p.broadcast_to(build, v, shape), "f64") for v in (a, b, x)]
        return to(build, _regularised(*map(calc, wide)).value, x.type.dtype)


def _regularised(a: Term, b: Term, x: Term) -> Term:
    build = a.calc.build
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    swapped = inside & (x > (a + 1) / (a + b + 2))
    u, v = b.where(swapped, a), a.where(swapped, b)
    t = (1 - x).where(swapped, x)
    u, v, t = u.where(inside, 1), v.where(inside, 1), t.where(inside, 0.25)
    other = (x.where(swapped, 1 - x)).where(inside, 0.75)
    front = u * t.log() + v * other.log() + (u + v).lgamma() - u.lgamma() - v.lgamma()
    value = front.exp() * _fraction(build, u, v, t) / u
    value = (1 - value).where(swapped, value)
    value = x.of(0).where(x.equals(0), x.of(1).where(x.equals(1), value))
    return value.where((a > 0) & (b > 0) & (x >= 0) & (x <= 1), float("nan"))


def _off_zero(x: Term) -> Term:
    return x.of(_TINY).where(abs(x) < _TINY, x)


def _fraction(build: Any, a: Term, b: Term, x: Term) -> Term:
    """The continued fraction, evaluated from the front by Lentz's method."""
    d = 1 / _off_zero(1 - (a + b) * x / (a + 1))
    moving = d.equals(d)

    def test(region: Any, turn: Value, moving: Value, *_: Value) -> Value:
        limit = p.full_like(region, turn, _MOST_TURNS)
        return p.and_(region, p.lt(region, turn, limit), any_of(region, moving))

    def body(region: Any, turn: Value, _moving: Value, *values: Value) -> list[Value]:
        calc = Calc(region)
        c, d, h, m, a, b, x = map(calc, values)
        m = m + 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _off_zero(1 + even * d), _off_zero(1 + even / c)
        h = h * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _off_zero(1 + odd * d), _off_zero(1 + odd / c)
        change = d * c
        more = abs(change - 1) > _EPSILON
        following = p.add(region, turn, p.full_like(region, turn, 1))
        return [following, *(t.value for t in (more, c, d, h * change, m))]

    start = [moving, d.of(1), d, d, d.of(0)]
    values = [p.constant(build, 0, "i32"), *(t.value for t in start)]
    results = while_loop(build, test, body, values, [a.value, b.value, x.value])
    calc = Calc(build)
    return calc(results[4]).where(~calc(results[1]), float("nan"))


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularised incomplete beta function of x with parameters a and b."""
    return apply("Betainc", a, b, x, name=name)
