"""Comparisons, logic, bitwise integer ops, and the choice between two tensors (Select, Where)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INTEGERS, NUMBERS, REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import ANY, OpDef, apply, public_name
from tfc.ir.core import Value
from tfc.ops import complex_math, const_ops, shape_rules
from tfc.ops.common import define, define_binary, define_unary, no_gradient, same_shape
from tfc.ops.found_places import true_places
from tfc.ops.lowering import invalid, is_complex

EQUALITY_TYPES = (*NUMBERS, "i1", "str")


def _comparison(
    name: str,
    allowed: tuple[str, ...],
    what: str,
    lower: Callable[..., Value],
    host: Callable[..., Any] | None = None,
) -> Any:
    return define_binary(name, allowed, what, lower, no_gradient, result="bool", host=host)


def _host_equal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(x == y, bool)


def _host_not_equal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(x != y, bool)


Equal = _comparison(
    "Equal", EQUALITY_TYPES, "Whether x == y, with broadcasting.", p.eq, _host_equal
)
NotEqual = _comparison(
    "NotEqual", EQUALITY_TYPES, "Whether x != y, with broadcasting.", p.ne, _host_not_equal
)
Less = _comparison("Less", REALS, "Whether x < y, with broadcasting.", p.lt)
LessEqual = _comparison("LessEqual", REALS, "Whether x <= y, with broadcasting.", p.le)
Greater = _comparison("Greater", REALS, "Whether x > y, with broadcasting.", p.gt)
GreaterEqual = _comparison("GreaterEqual", REALS, "Whether x >= y, with broadcasting.", p.ge)
LogicalAnd = _comparison("LogicalAnd", ("i1",), "x and y, with broadcasting.", p.and_)
LogicalOr = _comparison("LogicalOr", ("i1",), "x or y, with broadcasting.", p.or_)
LogicalNot = define_unary(
    "LogicalNot", ("i1",), "not x.", p.not_, lambda op, dy: None, result="bool"
)


def _approximately_equal(build: Any, x: Value, y: Value, *, tolerance: float) -> Value:
    if x.type.shape != y.type.shape:
        raise invalid(
            build,
            "x and y must be of the same shape. "
            f"x shape: {shape_text(x.type.shape)}. y shape: {shape_text(y.type.shape)}",
        )
    difference = p.sub(build, x, y)
    distance = (complex_math.abs if is_complex(x) else p.abs)(build, difference)
    return p.lt(build, distance, p.full_like(build, distance, tolerance))


ApproximateEqual = define(
    "ApproximateEqual",
    "(x: T, y: T, tolerance: float = 1e-05) -> z: bool",
    "Whether |x - y| < tolerance, for operands of one shape.",
    shape=same_shape,
    types_of={"T": NUMBERS},
    lower=_approximately_equal,
    grad=no_gradient,
)

# ---- bits


def _bitwise(name: str, what: str, lower: Callable[..., Value]) -> Any:
    return define_binary(name, INTEGERS, what, lower, no_gradient)


BitwiseAnd = _bitwise("BitwiseAnd", "The bits that are set in both x and y.", p.and_)
BitwiseOr = _bitwise("BitwiseOr", "The bits that are set in x or y.", p.or_)
BitwiseXor = _bitwise("BitwiseXor", "The bits that are set in one of x and y.", p.xor)


def _shift(primitive: Callable[..., Value]) -> Callable[..., Value]:
    """A shift by at least no bit and at most all but one, as TensorFlow clamps."""

    def lower(build: Any, x: Value, y: Value) -> Value:
        most = p.full_like(build, y, 8 * dtypes.by_short(y.type.dtype).size - 1)
        clamped = p.min(build, p.max(build, y, p.full_like(build, y, 0)), most)
        return primitive(build, x, clamped)

    return lower


LeftShift = _bitwise("LeftShift", "x shifted left by y bits.", _shift(p.shl))
RightShift = _bitwise("RightShift", "x shifted right by y bits, keeping the sign.", _shift(p.shr))
Invert = define_unary("Invert", INTEGERS, "Every bit flipped.", p.not_, lambda op, dy: None)


def _population_count(build: Any, x: Value) -> Value:
    return p.convert(build, p.popcount(build, x), dtype="u8")


PopulationCount = define_unary(
    "PopulationCount", INTEGERS, "How many bits are set.", _population_count,
    lambda op, dy: None, result="uint8",
)  # fmt: skip

# ---- Select and Where


class Select(OpDef, sig="Select(condition: bool, t: T, e: T) -> output: T", T=ANY):
    """`t` where the condition holds, `e` elsewhere. The condition has their shape, or is a scalar,
    or is a vector that chooses whole rows."""

    def shape(condition: TensorShape, t: TensorShape, e: TensorShape) -> Any:
        merged = shape_rules.merge_dims(shape_rules.dims_of(t), shape_rules.dims_of(e))
        wanted = shape_rules.dims_of(condition)
        if wanted is not None and merged is not None and wanted:
            if len(wanted) == 1 and len(merged) > 1:  # it says nothing of the result, as there
                shape_rules.merge_dim(wanted[0], merged[0])
            else:
                merged = shape_rules.merge_dims(merged, wanted)
        return [shape_rules.shape_of(merged)]

    def grad(op: Any, dy: Any) -> list[Any]:
        condition, t = op.inputs[0], op.inputs[1]
        zeros = const_ops.zeros_like(t)
        to_t = apply("Select", condition, dy, zeros)
        return [None, to_t, apply("Select", condition, zeros, dy)]

    def lower(build: Any, condition: Value, t: Value, e: Value) -> Value:
        c, shape = condition.type.shape, t.type.shape
        if e.type.shape != shape:
            raise invalid(
                build,
                "'then' and 'else' must have the same size.  but received: "
                f"{shape_text(shape)} vs. {shape_text(e.type.shape)}",
            )
        if c != shape:
            if c != () and (len(c) != 1 or not shape or c[0] != shape[0]):
                raise invalid(
                    build,
                    "Inputs must have the same shape as the condition, or its length: "
                    f"{shape_text(c)} vs. {shape_text(shape)}",
                )
            condition = p.broadcast(build, condition, dims=tuple(range(len(c))), shape=shape)
        return p.select(build, condition, t, e)

    def host(condition: np.ndarray, t: np.ndarray, e: np.ndarray) -> np.ndarray:
        extra = t.ndim - condition.ndim
        return np.where(condition.reshape(condition.shape + (1,) * extra), t, e)


class Where(OpDef, sig="Where(input: T) -> index: int64", T=(*NUMBERS, "i1")):
    """The positions of the elements that are true or not zero, one row each, in row-major order.

    A host op: how many rows there are is known only when it runs.
    """

    def shape(input: TensorShape) -> list[TensorShape]:
        return [TensorShape([None, input.ndims])]

    grad = no_gradient

    def host(input: np.ndarray) -> np.ndarray:
        return true_places(input)


# ---- the Python API


def _binary_function(op: str) -> Callable[..., Tensor]:
    def function(x: Any, y: Any, name: str | None = None) -> Tensor:
        return apply(op, x, y, name=name)

    function.__name__ = function.__qualname__ = public_name(op)
    function.__doc__ = f"The op `{op}`, with broadcasting."
    return function


equal, not_equal = _binary_function("Equal"), _binary_function("NotEqual")
less, less_equal = _binary_function("Less"), _binary_function("LessEqual")
greater, greater_equal = _binary_function("Greater"), _binary_function("GreaterEqual")
logical_and, logical_or = _binary_function("LogicalAnd"), _binary_function("LogicalOr")
bitwise_and, bitwise_or = _binary_function("BitwiseAnd"), _binary_function("BitwiseOr")
bitwise_xor = _binary_function("BitwiseXor")
left_shift, right_shift = _binary_function("LeftShift"), _binary_function("RightShift")


def logical_not(x: Any, name: str | None = None) -> Tensor:
    """not x."""
    return apply("LogicalNot", x, name=name)


def invert(x: Any, name: str | None = None) -> Tensor:
    """Every bit of integers flipped."""
    return apply("Invert", x, name=name)


def logical_xor(x: Any, y: Any, name: str = "LogicalXor") -> Tensor:
    """Whether exactly one of x and y holds."""
    either = apply("LogicalOr", x, y)
    both = apply("LogicalNot", apply("LogicalAnd", x, y))
    return apply("LogicalAnd", either, both, name=name)


def approximate_equal(x: Any, y: Any, tolerance: float = 1e-05, name: str | None = None) -> Tensor:
    """Whether |x - y| < tolerance, for operands of one shape."""
    return apply("ApproximateEqual", x, y, tolerance=tolerance, name=name)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Elements of `x` where the condition holds and of `y` elsewhere; with neither, the positions
    at which it holds, as int64[n, rank].

    Raises:
      ValueError: only one of x and y is given.
    """
    if x is None and y is None:
        tensor = convert_to_tensor(condition, name="condition")
        return apply("Where", tensor, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return apply("Select", condition, x, y, name=name)
