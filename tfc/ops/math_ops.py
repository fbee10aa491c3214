"""Arithmetic on two operands, and sums of many: Add to Xlogy, AddN, Range and LinSpace.

Gradients are written with TensorFlow's operators, so that the ops they add have its names:
always Shape, BroadcastGradientArgs, Sum and Reshape, whether or not anything was broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import COMPLEX, FLOATS, INEXACT, INTEGERS, NUMBERS, REALS, SIGNED
from tfc.framework import graph as graph_lib
from tfc.framework.opdef import apply
from tfc.ir.core import Value
from tfc.ops import complex_math, const_ops, shape_ops, sum_ops
from tfc.ops.common import broadcast_args, conj, define_binary, no_gradient, sum_to
from tfc.ops.lowering import is_complex

_WIDE = (*FLOATS, "i32", "i64")  # types of ops that TensorFlow has for no narrower integers

# ---- Add, Sub, Mul


def _add_grad(op: Any, dz: Any) -> list[Any]:
    sx, sy, rx, ry = broadcast_args(*op.inputs)
    return [sum_to(dz, rx, sx), sum_to(dz, ry, sy)]


def _sub_grad(op: Any, dz: Any) -> list[Any]:
    sx, sy, rx, ry = broadcast_args(*op.inputs)
    return [sum_to(dz, rx, sx), shape_ops.reshape(-apply("Sum", dz, ry), sy)]


def _mul_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    x, y = conj(x), conj(y)
    return [sum_to(dz * y, rx, sx), sum_to(x * dz, ry, sy)]


def _joined(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Concatenation of strings, element by element."""
    x, y = np.broadcast_arrays(x, y)
    pairs = zip(x.ravel(), y.ravel(), strict=True)
    out = np.empty(x.size, object)
    out[:] = [a + b for a, b in pairs]
    return out.reshape(x.shape)


Add = define_binary(
    "Add", (*NUMBERS, "str"), "x + y, with broadcasting; strings are joined.", p.add, _add_grad,
    host=_joined,
)  # fmt: skip
AddV2 = define_binary(  # what TensorFlow's `+` writes into graphs
    "AddV2", NUMBERS, "x + y, with broadcasting, of numbers only.", p.add, _add_grad
)
Sub = define_binary("Sub", NUMBERS, "x - y, with broadcasting.", p.sub, _sub_grad)
Mul = define_binary("Mul", NUMBERS, "x * y, with broadcasting.", p.mul, _mul_grad)


# ---- division


def _check_divisor(build: Any, y: Value) -> None:
    """A zero in an integer divisor fails the run."""
    if y.type.dtype in INTEGERS:
        ok = p.ne(build, y, p.full_like(build, y, 0))
        build.assert_(ok, (), "InvalidArgumentError", "Integer division by zero")


def _truncating_div(build: Any, x: Value, y: Value) -> Value:
    _check_divisor(build, y)
    return p.div(build, x, y)


def _truncated_quotient(build: Any, x: Value, y: Value) -> Value:
    quotient = _truncating_div(build, x, y)
    if x.type.dtype not in FLOATS:
        return quotient
    below = p.lt(build, quotient, p.full_like(build, quotient, 0))
    return p.select(build, below, p.ceil(build, quotient), p.floor(build, quotient))


def _floor_div(build: Any, x: Value, y: Value) -> Value:
    if x.type.dtype not in INTEGERS:
        return p.floor(build, p.div(build, x, y))
    _check_divisor(build, y)
    quotient = p.div(build, x, y)
    if x.type.dtype.startswith("u"):
        return quotient
    # Truncation rounded up exactly where the signs differ and something was left over.
    inexact = p.ne(build, p.rem(build, x, y), p.full_like(build, x, 0))
    differ = p.lt(build, p.xor(build, x, y), p.full_like(build, x, 0))
    below = p.sub(build, quotient, p.full_like(build, x, 1))
    return p.select(build, p.and_(build, inexact, differ), below, quotient)


def _truncating_mod(build: Any, x: Value, y: Value) -> Value:
    _check_divisor(build, y)
    return p.rem(build, x, y)


def _floor_mod(build: Any, x: Value, y: Value) -> Value:
    _check_divisor(build, y)
    rest = p.rem(build, x, y)
    if x.type.dtype.startswith("u"):
        return rest
    zero = p.full_like(build, x, 0)
    negative = p.xor(build, p.lt(build, x, zero), p.lt(build, y, zero))
    if x.type.dtype in INTEGERS:
        negative = p.and_(build, negative, p.ne(build, rest, zero))
        return p.select(build, negative, p.add(build, rest, y), rest)
    # As TensorFlow: where the signs of the operands differ, fmod(fmod(x, y) + y, y).
    wrapped = p.rem(build, p.add(build, rest, y), y)
    return p.select(build, negative, wrapped, rest)


def _quotient_grad(divide: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of x / y, written with the same kind of division."""

    def grad(op: Any, dz: Any) -> list[Any]:
        x, y = op.inputs
        sx, sy, rx, ry = broadcast_args(x, y)
        x, y = conj(x), conj(y)
        gx = sum_to(divide(dz, y), rx, sx)
        return [gx, sum_to(dz * divide(divide(-x, y), y), ry, sy)]

    return grad


def _floor_mod_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    quotient = apply("FloorDiv", x, y)
    return [sum_to(dz, rx, sx), sum_to(dz * apply("Neg", quotient), ry, sy)]


def _div_no_nan(build: Any, x: Value, y: Value) -> Value:
    zero = p.full_like(build, x, 0)
    return p.select(build, p.eq(build, y, zero), zero, p.div(build, x, y))


Div = define_binary(
    "Div", NUMBERS, "x / y with broadcasting; integers are rounded toward zero.", _truncating_div,
    _quotient_grad(lambda a, b: apply("Div", a, b)),
)  # fmt: skip
RealDiv = define_binary(
    "RealDiv", NUMBERS, "x / y of real or complex numbers, with broadcasting.", _truncating_div,
    _quotient_grad(lambda a, b: apply("RealDiv", a, b)),
)  # fmt: skip
TruncateDiv = define_binary(
    "TruncateDiv", NUMBERS, "x / y rounded toward zero.", _truncated_quotient, no_gradient
)
FloorDiv = define_binary(
    "FloorDiv", REALS, "The largest integer not above x / y.", _floor_div, no_gradient
)
Mod = define_binary("Mod", _WIDE, "The remainder of x / y with the sign of x.", _truncating_mod)
TruncateMod = define_binary(
    "TruncateMod", _WIDE, "The remainder of x / y with the sign of x.", _truncating_mod
)
FloorMod = define_binary(
    "FloorMod", REALS, "The remainder of x // y with the sign of y.", _floor_mod, _floor_mod_grad
)


def _div_no_nan_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    x, y = conj(x), conj(y)
    gx = sum_to(apply("DivNoNan", dz, y), rx, sx)
    return [gx, sum_to(dz * apply("DivNoNan", apply("DivNoNan", -x, y), y), ry, sy)]


DivNoNan = define_binary(
    "DivNoNan", INEXACT, "x / y, and 0 where y is 0.", _div_no_nan, _div_no_nan_grad
)

# ---- Pow, Maximum, Minimum, SquaredDifference, Atan2, Xdivy, Xlogy


def _pow(build: Any, x: Value, y: Value) -> Value:
    if is_complex(x):
        return complex_math.pow(build, x, y)
    if x.type.dtype in SIGNED:
        ok = p.ge(build, y, p.full_like(build, y, 0))
        message = "Integers to negative integer powers are not allowed"
        build.assert_(ok, (), "InvalidArgumentError", message)
    return p.pow_(build, x, y)


def _pow_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    z = op.outputs[0]
    sx, sy, rx, ry = broadcast_args(x, y)
    x, y, z = conj(x), conj(y), conj(z)
    gx = sum_to(dz * y * apply("Pow", x, y - 1), rx, sx)
    # The logarithm is taken only where it is finite, so that x == 0 gives no NaN.
    positive = not_equal(x, 0) if x.dtype.is_complex else x > 0
    log_x = apply("Select", positive, apply("Log", x), const_ops.zeros_like(x))
    return [gx, sum_to(dz * z * log_x, ry, sy)]


def not_equal(x: Any, y: Any) -> Any:
    """The op `NotEqual`."""
    return apply("NotEqual", x, y)


def _extremum_grad(selector: str) -> Callable[..., Any]:
    """The gradient goes to x where `x selector y` holds, to y elsewhere."""

    def grad(op: Any, dz: Any) -> list[Any]:
        x, y = op.inputs
        sx, sy = shape_ops.shape(x), shape_ops.shape(y)
        zeros = const_ops.zeros(shape_ops.shape(dz), dz.dtype.base_dtype)
        takes_x = apply(selector, x, y)
        rx, ry = apply("BroadcastGradientArgs", sx, sy)
        to_x = apply("Select", takes_x, dz, zeros)
        to_y = apply("Select", apply("LogicalNot", takes_x), dz, zeros)
        return [sum_to(to_x, rx, sx), sum_to(to_y, ry, sy)]

    return grad


def _squared_difference(build: Any, x: Value, y: Value) -> Value:
    difference = p.sub(build, x, y)
    if is_complex(x):
        return p.mul(build, complex_math.conj(build, difference), difference)
    return p.mul(build, difference, difference)


def _squared_difference_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    with graph_lib.control_dependencies([dz.op]):
        x_grad = sum_ops.scalar_mul(2.0, dz) * (x - y)
    return [sum_to(x_grad, rx, sx), -sum_to(x_grad, ry, sy)]


def _atan2_grad(op: Any, dz: Any) -> list[Any]:
    y, x = op.inputs
    sy, sx, ry, rx = broadcast_args(y, x)
    scaled = dz / (apply("Square", x) + apply("Square", y))
    return [sum_to(x * scaled, ry, sy), sum_to(-y * scaled, rx, sx)]


Pow = define_binary(
    "Pow", (*FLOATS, *SIGNED, *COMPLEX), "x to the power of y, with broadcasting.", _pow, _pow_grad
)
Maximum = define_binary(
    "Maximum", REALS, "The greater of x and y; NaN if either is.", p.max_,
    _extremum_grad("GreaterEqual"),
)  # fmt: skip
Minimum = define_binary(
    "Minimum",
    REALS,
    "The lesser of x and y; NaN if either is.",
    p.min_,
    _extremum_grad("LessEqual"),
)
SquaredDifference = define_binary(
    "SquaredDifference", (*_WIDE, *COMPLEX), "(x - y)(x - y), with broadcasting.",
    _squared_difference, _squared_difference_grad,
)  # fmt: skip
Atan2 = define_binary(
    "Atan2", FLOATS, "The angle of the point (y, x), in (-pi, pi].", p.atan2, _atan2_grad
)


def _xdivy(build: Any, x: Value, y: Value) -> Value:
    zero = p.full_like(build, x, 0)
    return p.select(build, p.eq(build, x, zero), zero, p.div(build, x, y))


def _xlogy(build: Any, x: Value, y: Value) -> Value:
    zero = p.full_like(build, x, 0)
    log = complex_math.log if is_complex(x) else p.log
    product = p.mul(build, x, log(build, y))
    return p.select(build, p.eq(build, x, zero), zero, product)


def _nonzero(x: Any) -> Any:
    return apply("Cast", not_equal(x, 0), DstT=x.dtype.base_dtype)


def _xdivy_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    gx = sum_to(apply("Xdivy", _nonzero(x), y) * dz, rx, sx)
    return [gx, sum_to(apply("Xdivy", -x, apply("Square", y)) * dz, ry, sy)]


def _xlogy_grad(op: Any, dz: Any) -> list[Any]:
    x, y = op.inputs
    sx, sy, rx, ry = broadcast_args(x, y)
    gx = sum_to(apply("Xlogy", _nonzero(x), y) * dz, rx, sx)
    return [gx, sum_to(apply("Xdivy", x, y) * dz, ry, sy)]


Xdivy = define_binary("Xdivy", INEXACT, "x / y, and 0 where x is 0.", _xdivy, _xdivy_grad)
Xlogy = define_binary("Xlogy", INEXACT, "x log(y), and 0 where x is 0.", _xlogy, _xlogy_grad)
