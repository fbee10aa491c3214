"""The quantile of the normal distribution and the inverse error function.

Rational approximations of Wichura's algorithm AS 241 (1988), in float64: of q = p - 1/2 in the
middle, and of sqrt(-log(p)) in the tails.
"""

from __future__ import annotations

import math
from typing import Any

from tfc.framework.graph import Tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ir.core import Value
from tfc.ops.common import define_unary
from tfc.ops.const_ops import constant
from tfc.ops.loops import Calc, Term, polynomial
from tfc.ops.lowering import to

# Numerator and denominator, constant first: the middle, the near tail, the far tail.
_MIDDLE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_NEAR = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
     3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770,
     0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
     0.296560571828504891230, 0.0265321895265761230930, 0.00124266094738807843860,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(x: Term, of: tuple[tuple[float, ...], tuple[float, ...]]) -> Term:
    return polynomial(x, of[0]) / polynomial(x, of[1])


def _quantile(q: Term, tail: Term) -> Term:
    """The normal quantile of 1/2 + q, where `tail` is 1/2 - |q|, exactly."""
    middle = q * _ratio(0.180625 - q * q, _MIDDLE)
    r = (-tail.log()).sqrt()
    side = _ratio(r - 1.6, _NEAR).where(r <= 5.0, _ratio(r - 5.0, _FAR))
    side = (-side).where(q < 0, side)
    value = middle.where(abs(q) <= 0.425, side)
    infinity = q.of(float("inf"))
    value = ((-infinity).where(q < 0, infinity)).where(tail.equals(0), value)
    return value.where(tail >= 0, float("nan"))


def _ndtri(build: Any, x: Value) -> Value:
    place = Calc(build)(to(build, x, "f64"))
    tail = place.where(place < 0.5, 1 - place)
    return to(build, _quantile(place - 0.5, tail).value, x.type.dtype)


def _erfinv(build: Any, x: Value) -> Value:
    y = Calc(build)(to(build, x, "f64"))
    value = _quantile(y * 0.5, (1 - abs(y)) * 0.5) * math.sqrt(0.5)
    return to(build, value.value, x.type.dtype)


def _slope(half: bool) -> Any:
    """The inverse function's derivative from its result y: 1 over the density at y."""

    def grad(op: Any, dy: Any) -> Any:
        y = op.outputs[0]
        root = math.sqrt(math.pi) / 2 if half else math.sqrt(2 * math.pi)
        square = apply("Square", y)
        exponent = square if half else square / 2.0
        return dy * (constant(root, dtype=dy.dtype) * apply("Exp", exponent))

    return grad


Ndtri = define_unary(
    "Ndtri", ("f32", "f64"), "The normal distribution's quantile of x; NaN outside [0, 1].",
    _ndtri, _slope(half=False),
)  # fmt: skip
Erfinv = define_unary(
    "Erfinv", ("f32", "f64"), "The inverse of erf; NaN outside [-1, 1].", _erfinv,
    _slope(half=True),
)  # fmt: skip


def ndtri(x: Any, name: str | None = None) -> Tensor:
    """The x-quantile of the standard normal distribution; NaN outside [0, 1]."""
    with name_scope(name, "ndtri", [x]):
        return apply("Ndtri", x)


def erfinv(x: Any, name: str | None = None) -> Tensor:
    """The inverse of erf; NaN outside [-1, 1]."""
    with name_scope(name, "erfinv", [x]):
        return apply("Erfinv", x)


def erfcinv(x: Any, name: str | None = None) -> Tensor:
    """The inverse of erfc; NaN outside [0, 2]."""
    from tfc.framework.graph import convert_to_tensor

    with name_scope(name, "erfcinv", [x]):
        x = convert_to_tensor(x, name="start")
        return -ndtri(0.5 * x) * math.sqrt(0.5)
