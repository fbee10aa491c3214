"""Functions of one operand, element by element, and the ops that their gradients use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import COMPLEX, FLOATS, INEXACT, INTEGERS, NUMBERS, SIGNED
from tfc.base.shapes import shape_text
from tfc.framework.graph import control_dependencies
from tfc.framework.opdef import apply
from tfc.ir.core import Value
from tfc.ops import complex_math, const_ops, shape_ops
from tfc.ops.common import conj, define, define_unary, same_shape, unchanged
from tfc.ops.lowering import invalid, is_complex, to

Lower = Callable[..., Value]
_SIGNED_NUMBERS = (*FLOATS, *SIGNED, *COMPLEX)


def _either(real: Lower, complex_: Lower) -> Lower:
    """`real` for real operands, `complex_` for complex ones."""

    def lower(build: Any, x: Value) -> Value:
        return (complex_ if is_complex(x) else real)(build, x)

    return lower


def _function(
    name: str, what: str, grad: Callable[..., Any] | None, allowed: tuple[str, ...] = INEXACT
) -> Any:
    """A function that is a primitive on reals and is in complex_math for complex numbers."""
    short = name.lower()
    lower = getattr(p, short)
    if COMPLEX[0] in allowed:
        lower = _either(lower, getattr(complex_math, short))
    return define_unary(name, allowed, what, lower, grad)


def _after(dy: Any, rule: Callable[[], Any]) -> Any:
    """The gradient that `rule` builds, its ops ordered after the one that made `dy`."""
    with control_dependencies([dy.op]):
        return rule()


# ---- algebra


def _square_grad(op: Any, dy: Any) -> Any:
    return _after(dy, lambda: dy * (2.0 * conj(op.inputs[0])))


def _square(build: Any, x: Value) -> Value:
    return p.mul(build, x, x)


def _reciprocal(build: Any, x: Value) -> Value:
    return p.div(build, p.full_like(build, x, 1), x)


def _keep_integers(real: Lower) -> Lower:
    """Rounding does nothing to integers."""
    return lambda build, x: x if x.type.dtype in INTEGERS else real(build, x)


Neg = define_unary("Neg", _SIGNED_NUMBERS, "-x.", p.neg, lambda op, dy: -dy)
Abs = define_unary(
    "Abs", (*FLOATS, *SIGNED), "|x|.", p.abs_, lambda op, dy: dy * apply("Sign", op.inputs[0])
)
Sign = define_unary(
    "Sign", _SIGNED_NUMBERS, "-1, 0 or 1 by the sign of x; z / |z| for complex numbers.",
    _either(p.sign, complex_math.sign),
    lambda op, dy: const_ops.zeros(shape_ops.shape(op.inputs[0]), dtype=op.inputs[0].dtype),
)  # fmt: skip
Square = define_unary("Square", NUMBERS, "x * x.", _square, _square_grad)
Sqrt = define_unary(
    "Sqrt", INEXACT, "The square root.", _either(p.sqrt, complex_math.sqrt),
    lambda op, dy: apply("SqrtGrad", op.outputs[0], dy),
)  # fmt: skip
Rsqrt = define_unary(
    "Rsqrt", INEXACT, "1 / sqrt(x).", _either(p.rsqrt, complex_math.rsqrt),
    lambda op, dy: apply("RsqrtGrad", op.outputs[0], dy),
)  # fmt: skip
Reciprocal = define_unary(
    "Reciprocal", INEXACT, "1 / x.", _reciprocal,
    lambda op, dy: apply("ReciprocalGrad", op.outputs[0], dy),
)  # fmt: skip
Inv = define_unary(
    "Inv", INEXACT, "1 / x.", _reciprocal,
    lambda op, dy: apply("ReciprocalGrad", op.outputs[0], dy),
)  # fmt: skip
Floor = define_unary(
    "Floor", FLOATS, "The greatest integer not above x.", p.floor, lambda op, dy: None
)
Ceil = define_unary("Ceil", FLOATS, "The least integer not below x.", p.ceil, lambda op, dy: None)
Rint = define_unary(
    "Rint", FLOATS, "The nearest integer, halves to even.", p.round_, lambda op, dy: None
)
Round = define_unary(
    "Round", _SIGNED_NUMBERS, "The nearest integer, halves to even; integers stay.",
    _keep_integers(p.round_), lambda op, dy: None,
)  # fmt: skip

# ---- exponentials and logarithms


def _exp_grad(op: Any, dy: Any) -> Any:
    return _after(dy, lambda: dy * conj(op.outputs[0]))


def _expm1_grad(op: Any, dy: Any) -> Any:
    return _after(dy, lambda: dy * apply("Exp", conj(op.inputs[0])))


def _log_grad(op: Any, dy: Any) -> Any:
    return _after(dy, lambda: dy * apply("Reciprocal", conj(op.inputs[0])))


def _log1p_grad(op: Any, dy: Any) -> Any:
    return _after(dy, lambda: dy * apply("Reciprocal", 1 + conj(op.inputs[0])))


Exp = _function("Exp", "e to the power of x.", _exp_grad)
Expm1 = _function("Expm1", "exp(x) - 1, exact for small x.", _expm1_grad)
Log = _function("Log", "The natural logarithm.", _log_grad)
Log1p = _function("Log1p", "log(1 + x), exact for small x.", _log1p_grad)

# ---- circular and hyperbolic functions


def _times(function: str, negative: bool = False) -> Callable[..., Any]:
    """The gradient dy * function(x), or its negative."""

    def grad(op: Any, dy: Any) -> Any:
        def rule() -> Any:
            factor = apply(function, conj(op.inputs[0]))
            return -dy * factor if negative else dy * factor

        return _after(dy, rule)

    return grad


def _tan_grad(op: Any, dy: Any) -> Any:
    def rule() -> Any:
        secant = apply("Reciprocal", apply("Cos", conj(op.inputs[0])))
        return dy * apply("Square", secant)

    return _after(dy, rule)


def _one_and_square(op: Any, dy: Any) -> tuple[Any, Any]:
    return const_ops.constant(1, dtype=dy.dtype), apply("Square", conj(op.inputs[0]))


def _arc_grad(sign: int) -> Callable[..., Any]:
    """Gradients of asin (1) and acos (-1): sign * dy / sqrt(1 - x^2)."""

    def grad(op: Any, dy: Any) -> Any:
        def rule() -> Any:
            x2 = apply("Square", conj(op.inputs[0]))
            one = const_ops.constant(1, dtype=dy.dtype)
            inverse = apply("Reciprocal", apply("Sqrt", apply("Sub", one, x2)))
            return dy * inverse if sign > 0 else -dy * inverse

        return _after(dy, rule)

    return grad


def _atan_grad(op: Any, dy: Any) -> Any:
    def rule() -> Any:
        one, x2 = _one_and_square(op, dy)
        return dy * apply("Reciprocal", apply("Add", one, x2))

    return _after(dy, rule)


def _atanh_grad(op: Any, dy: Any) -> Any:
    def rule() -> Any:
        one, x2 = _one_and_square(op, dy)
        return dy * apply("Reciprocal", apply("Sub", one, x2))

    return _after(dy, rule)


def _over(function: str) -> Callable[..., Any]:
    """The gradient dy / function(y)."""
    return lambda op, dy: _after(dy, lambda: dy / apply(function, conj(op.outputs[0])))


Sin = _function("Sin", "The sine.", _times("Cos"))
Cos = _function("Cos", "The cosine.", _times("Sin", negative=True))
Tan = _function("Tan", "The tangent.", _tan_grad)
Asin = _function("Asin", "The arc sine; NaN outside [-1, 1].", _arc_grad(1))
Acos = _function("Acos", "The arc cosine; NaN outside [-1, 1].", _arc_grad(-1))
Atan = _function("Atan", "The arc tangent.", _atan_grad)
Sinh = _function("Sinh", "The hyperbolic sine.", _times("Cosh"))
Cosh = _function("Cosh", "The hyperbolic cosine.", _times("Sinh"))
Tanh = _function(
    "Tanh", "The hyperbolic tangent.",
    lambda op, dy: _after(dy, lambda: apply("TanhGrad", conj(op.outputs[0]), dy)),
)  # fmt: skip
Asinh = _function("Asinh", "The inverse of sinh.", _over("Cosh"))
Acosh = _function("Acosh", "The inverse of cosh; NaN below 1.", _over("Sinh"))
Atanh = _function("Atanh", "The inverse of tanh; NaN outside [-1, 1].", _atanh_grad)
Sigmoid = define_unary(
    "Sigmoid", INEXACT, "1 / (1 + exp(-x)).", _either(p.logistic, complex_math.sigmoid),
    lambda op, dy: _after(dy, lambda: apply("SigmoidGrad", conj(op.outputs[0]), dy)),
)  # fmt: skip

# ---- gradient ops: functions of the result y and the incoming gradient dy


def _gradient_op(name: str, what: str, lower: Lower, grad: Callable[..., Any]) -> Any:
    def rule(build: Any, y: Value, dy: Value) -> Value:
        if y.type.shape != dy.type.shape:
            raise invalid(
                build,
                f"Incompatible shapes: {shape_text(y.type.shape)} vs. {shape_text(dy.type.shape)}",
            )
        return lower(build, y, dy)

    return define(
        name, "(y: T, dy: T) -> z: T", what, shape=same_shape, types_of={"T": INEXACT},
        lower=rule, grad=grad,
    )  # fmt: skip


def _conj_value(build: Any, x: Value) -> Value:
    return complex_math.conj(build, x) if is_complex(x) else x


def _sigmoid_grad(build: Any, y: Value, dy: Value) -> Value:
    return p.mul(build, p.mul(build, dy, y), p.sub(build, p.full_like(build, y, 1), y))


def _tanh_grad(build: Any, y: Value, dy: Value) -> Value:
    return p.mul(build, dy, p.sub(build, p.full_like(build, y, 1), p.mul(build, y, y)))


def _zero_where_zero(build: Any, dy: Value, slope: Value) -> Value:
    """`slope`, but 0 where `dy` is: of no gradient nothing flows back, even from a pole."""
    zero = p.full_like(build, dy, 0)
    return p.select(build, p.eq(build, dy, zero), zero, slope)


def _sqrt_grad(build: Any, y: Value, dy: Value) -> Value:
    y = _conj_value(build, y)
    slope = p.div(build, p.mul(build, dy, p.full_like(build, y, 0.5)), y)
    return _zero_where_zero(build, dy, slope)


def _rsqrt_grad(build: Any, y: Value, dy: Value) -> Value:
    y = _conj_value(build, y)
    cube = p.mul(build, p.mul(build, y, y), y)
    slope = p.mul(build, p.mul(build, dy, p.full_like(build, y, -0.5)), cube)
    return _zero_where_zero(build, dy, slope)


def _reciprocal_grad(build: Any, y: Value, dy: Value) -> Value:
    y = _conj_value(build, y)
    slope = p.mul(build, p.neg(build, dy), p.mul(build, y, y))
    return _zero_where_zero(build, dy, slope)


def _sigmoid_grad_grad(op: Any, dz: Any) -> list[Any]:
    a, b = conj(op.inputs[0]), conj(op.inputs[1])
    gb = dz * b
    return [gb - 2.0 * gb * a, apply("SigmoidGrad", a, dz)]


def _tanh_grad_grad(op: Any, dz: Any) -> list[Any]:
    a, b = conj(op.inputs[0]), conj(op.inputs[1])
    return [dz * -2.0 * b * a, apply("TanhGrad", a, dz)]


def _sqrt_grad_grad(op: Any, dz: Any) -> list[Any]:
    ga = dz / op.inputs[0]
    return [-conj(ga) * op.outputs[0], 0.5 * ga]


def _rsqrt_grad_grad(op: Any, dz: Any) -> list[Any]:
    a, b = conj(op.inputs[0]), op.inputs[1]
    return [-1.5 * conj(dz) * b * apply("Square", a), apply("RsqrtGrad", a, dz)]


def _reciprocal_grad_grad(op: Any, dz: Any) -> list[Any]:
    a, b = conj(op.inputs[0]), op.inputs[1]
    return [conj(dz) * -2.0 * b * a, apply("ReciprocalGrad", a, dz)]


SigmoidGrad = _gradient_op("SigmoidGrad", "dy y (1 - y).", _sigmoid_grad, _sigmoid_grad_grad)
TanhGrad = _gradient_op("TanhGrad", "dy (1 - y y).", _tanh_grad, _tanh_grad_grad)
SqrtGrad = _gradient_op("SqrtGrad", "dy / (2 y), 0 where dy is 0.", _sqrt_grad, _sqrt_grad_grad)
RsqrtGrad = _gradient_op(
    "RsqrtGrad", "-dy y^3 / 2, 0 where dy is 0.", _rsqrt_grad, _rsqrt_grad_grad
)
ReciprocalGrad = _gradient_op(
    "ReciprocalGrad", "-dy y y, 0 where dy is 0.", _reciprocal_grad, _reciprocal_grad_grad
)
InvGrad = _gradient_op(
    "InvGrad", "-dy y y, 0 where dy is 0.", _reciprocal_grad, _reciprocal_grad_grad
)

# ---- special functions


def _erf_grad(sign: float) -> Callable[..., Any]:
    def grad(op: Any, dy: Any) -> Any:
        factor = const_ops.constant(sign * 2 / math.sqrt(math.pi), dtype=dy.dtype)
        return _after(dy, lambda: dy * factor * apply("Exp", -apply("Square", op.inputs[0])))

    return grad


def _digamma_grad(op: Any, dy: Any) -> Any:
    def rule() -> Any:
        one = const_ops.constant(1, dtype=op.inputs[0].dtype)
        return dy * apply("Polygamma", one, op.inputs[0])

    return _after(dy, rule)


Erf = define_unary("Erf", FLOATS, "The Gauss error function.", p.erf, _erf_grad(1.0))
Erfc = define_unary("Erfc", FLOATS, "1 - erf(x).", p.erfc, _erf_grad(-1.0))
Lgamma = define_unary("Lgamma", FLOATS, "The logarithm of |gamma(x)|.", p.lgamma, _times("Digamma"))
Digamma = define_unary("Digamma", FLOATS, "The derivative of lgamma.", p.digamma, _digamma_grad)

# ---- classification of floats


def _is_nan(build: Any, x: Value) -> Value:
    return p.ne(build, x, x)


def _is_inf(build: Any, x: Value) -> Value:
    number = p.eq(build, x, x)
    return p.and_(build, number, p.not_(build, p.is_finite(build, x)))


def _classifier(name: str, what: str, lower: Lower) -> Any:
    return define_unary(name, FLOATS, what, lower, lambda op, dy: None, result="bool")


IsNan = _classifier("IsNan", "Whether x is NaN.", _is_nan)
IsInf = _classifier("IsInf", "Whether x is an infinity.", _is_inf)
IsFinite = _classifier("IsFinite", "Whether x is neither NaN nor infinite.", p.is_finite)

# ---- complex numbers

_PARTS = {"T": COMPLEX, "Tout": ("f32", "f64")}


def _part(name: str, what: str, lower: Lower, grad: Callable[..., Any]) -> Any:
    def rule(build: Any, x: Value, *, Tout: Any) -> Value:
        return to(build, lower(build, x), Tout.short)

    return define(
        name, "(input: T, Tout: type = float32) -> output: Tout", what, shape=unchanged,
        types_of=_PARTS, lower=rule, grad=lambda op, dy: [grad(op, dy)],
    )  # fmt: skip


def _complex(x: Any, y: Any) -> Any:
    """x + iy, of twice the width of its parts."""
    wide = dtypes.complex128 if x.dtype.base_dtype == dtypes.float64 else dtypes.complex64
    return apply("Complex", x, y, Tout=wide)


def _abs_grad(op: Any, dy: Any) -> Any:
    return _complex(dy, const_ops.zeros_like(dy)) * apply("Sign", op.inputs[0])


def _angle_grad(op: Any, dy: Any) -> Any:
    z = op.inputs[0]

    def rule() -> Any:
        re, im = real(z), imag(z)
        inverse = apply("Reciprocal", _complex(im, re))
        return -_complex(dy, const_ops.zeros_like(dy)) * inverse

    return _after(dy, rule)


def _zero_constant(dy: Any) -> Any:
    return const_ops.constant(0, dtype=dy.dtype)


Real = _part("Real", "The real part.", p.real,
             lambda op, dy: _complex(dy, _zero_constant(dy)))  # fmt: skip
Imag = _part("Imag", "The imaginary part.", p.imag,
             lambda op, dy: _complex(_zero_constant(dy), dy))  # fmt: skip
ComplexAbs = _part("ComplexAbs", "|z|.", complex_math.abs, _abs_grad)
Angle = _part("Angle", "The argument, in (-pi, pi].", complex_math.angle, _angle_grad)
Conj = define_unary(
    "Conj", COMPLEX, "The complex conjugate.", complex_math.conj, lambda op, dy: apply("Conj", dy)
)


def real(input: Any, name: str | None = None) -> Any:
    """The real part; `input` itself where it is real.

    Raises:
      TypeError: strings and bools have no parts.
    """
    return _part_of("Real", input, name)


def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part; zeros where `input` is real."""
    return _part_of("Imag", input, name)


def _part_of(op: str, input: Any, name: str | None) -> Any:
    from tfc.framework.graph import convert_to_tensor

    tensor = convert_to_tensor(input, name="input")
    if op == "Real" and tensor.dtype.base_dtype.short not in NUMBERS:
        raise TypeError(f"input must be a numeric tensor, but got tensor with dtype {tensor.dtype}")
    if not tensor.dtype.is_complex:
        return tensor if op == "Real" else const_ops.zeros_like(tensor)
    return apply(op, tensor, Tout=tensor.dtype.real_dtype, name=name)
