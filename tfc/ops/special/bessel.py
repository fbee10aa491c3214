"""Modified Bessel functions of the first kind of order 0 and 1, and these times exp(-|x|).

Up to |x| = 30 the power series, whose terms are all positive; beyond it the asymptotic expansion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ir.core import Value
from tfc.ops.common import define_unary
from tfc.ops.const_ops import ones_like
from tfc.ops.loops import Calc, polynomial
from tfc.ops.lowering import to

_FROM = 30.0
_TERMS = 60
_EXPANSION = 26


def _power_series(order: int) -> tuple[float, ...]:
    """Of (x/2)^2: 1 / (k! (k + order)!)."""
    return tuple(float(1 / (math.factorial(k) * math.factorial(k + order))) for k in range(_TERMS))


def _expansion(order: int) -> tuple[float, ...]:
    """Of 1/x: the coefficients of sqrt(2 pi x) exp(-x) I(x)."""
    coefficients, c = [1.0], 1.0
    for k in range(1, _EXPANSION):
        c *= -(4 * order * order - (2 * k - 1) ** 2) / (8 * k)
        coefficients.append(c)
    return tuple(coefficients)


def _bessel(order: int, scaled: bool) -> Callable[..., Value]:
    def lower(build: Any, x: Value) -> Value:
        full = Calc(build)(to(build, x, "f64"))
        size = abs(full)
        near, far = size.atmost(_FROM), size.atleast(_FROM)
        small = polynomial(near * near * 0.25, _power_series(order))
        if order:
            small = small * near * 0.5
        large = polynomial(1 / far, _expansion(order)) / (far * (2 * math.pi)).sqrt()
        if scaled:
            value = (small * (-near).exp()).where(size <= _FROM, large)
        else:
            # two factors, since exp(x) overflows before the function does
            half = (far * 0.5).exp()
            value = small.where(size <= _FROM, large * half * half)
        value = size.where(size.differs(size), value)
        if scaled:
            value = value.of(0).where(size.equals(float("inf")), value)
        if order:
            value = (-value).where(full < 0, value)
        return to(build, value.value, x.type.dtype)

    return lower


def _over_x(op: Any, i0: Any, i1: Any) -> Any:
    """i0 - i1 / x, at 0 its limit."""
    x = op.inputs[0]
    zero = apply("Equal", x, x.dtype.as_numpy_dtype(0))
    safe = apply("Select", zero, ones_like(x), x)
    half = 0.5 * ones_like(x)
    return apply("Select", zero, half, i0 - i1 / safe)


def _i0_grad(op: Any, dy: Any) -> Any:
    return dy * apply("BesselI1", op.inputs[0])


def _i1_grad(op: Any, dy: Any) -> Any:
    return dy * _over_x(op, apply("BesselI0", op.inputs[0]), op.outputs[0])


def _i0e_grad(op: Any, dy: Any) -> Any:
    x = op.inputs[0]
    return dy * (apply("BesselI1e", x) - apply("Sign", x) * op.outputs[0])


def _i1e_grad(op: Any, dy: Any) -> Any:
    x, y = op.inputs[0], op.outputs[0]
    return dy * (_over_x(op, apply("BesselI0e", x), y) - apply("Sign", x) * y)


_HALF, _TYPES = ("f16", "bf16"), ("f32", "f64")
BesselI0 = define_unary(
    "BesselI0", (*_HALF, *_TYPES), "The modified Bessel function of order 0.",
    _bessel(0, scaled=False), _i0_grad,
)  # fmt: skip
BesselI1 = define_unary(
    "BesselI1", (*_HALF, *_TYPES), "The modified Bessel function of order 1.",
    _bessel(1, scaled=False), _i1_grad,
)  # fmt: skip
BesselI0e = define_unary(
    "BesselI0e", (*_HALF, *_TYPES), "exp(-|x|) times the modified Bessel function of order 0.",
    _bessel(0, scaled=True), _i0e_grad,
)  # fmt: skip
BesselI1e = define_unary(
    "BesselI1e", (*_HALF, *_TYPES), "exp(-|x|) times the modified Bessel function of order 1.",
    _bessel(1, scaled=True), _i1e_grad,
)  # fmt: skip


def bessel_i0(x: Any, name: str | None = None) -> Tensor:
    """The modified Bessel function of order 0."""
    return apply("BesselI0", x, name=name or "bessel_i0")


def bessel_i1(x: Any, name: str | None = None) -> Tensor:
    """The modified Bessel function of order 1."""
    return apply("BesselI1", x, name=name or "bessel_i1")


def bessel_i0e(x: Any, name: str | None = None) -> Tensor:
    """exp(-|x|) times the modified Bessel function of order 0."""
    return apply("BesselI0e", x, name=name or "bessel_i0e")


def bessel_i1e(x: Any, name: str | None = None) -> Tensor:
    """exp(-|x|) times the modified Bessel function of order 1."""
    return apply("BesselI1e", x, name=name or "bessel_i1e")
