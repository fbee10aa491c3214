"""AddN and AccumulateN, Cross, Bincount, and the Python functions of two-operand arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.dtypes import NUMBERS, REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import OpDef, apply, public_name
from tfc.ir.core import Value
from tfc.ops import cast_ops, const_ops, reduction_ops, shape_rules
from tfc.ops.common import same_shape
from tfc.ops.host_forms import added_entries
from tfc.ops.lowering import one_shape, typed
from tfc.passes import lower_arrays
from tfc.passes.arrays import Elements


def _total(build: Any, *inputs: Value, **_: Any) -> Value:
    one_shape(build, *inputs)
    total = inputs[0]
    for value in inputs[1:]:
        total = p.add(build, total, value)
    return total


class AddN(OpDef, sig="AddN(inputs: N * T) -> sum: T", T=NUMBERS):
    """The sum of tensors of one shape."""

    takes_arrays = True
    shape = same_shape

    def lower(build: Any, *inputs: Any, op: Any) -> Any:
        if any(isinstance(v, Elements) for v in inputs):
            return lower_arrays.total(build, inputs)
        one_shape(build, *inputs)
        # What a read contributes to the gradient of an array is one element of it.
        kinds = [t.op.type == "TensorArrayReadGrad" for t in op.inputs]
        order = sorted(range(len(inputs)), key=kinds.__getitem__)
        total = inputs[order[0]]
        for k in order[1:]:
            add = lower_arrays.with_part if kinds[k] else p.add
            total = add(build, total, inputs[k])
        return total

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy] * len(op.inputs)

    def host(*inputs: np.ndarray) -> np.ndarray:
        return added_entries(inputs)


class AccumulateNV2(OpDef, sig="AccumulateNV2(inputs: N * T, shape: shape) -> sum: T", T=NUMBERS):
    """The sum of tensors of one shape, which is given."""

    lower = _total

    def shape(*shapes: TensorShape, shape: TensorShape, **_: Any) -> list[TensorShape]:
        return same_shape(shape, *shapes)

    def grad(op: Any, dy: Any) -> list[Any]:
        return [dy] * len(op.inputs)


class Cross(OpDef, sig="Cross(a: T, b: T) -> product: T", T=REALS):
    """The cross product of vectors of three elements, in the last dimension."""

    def shape(a: TensorShape, b: TensorShape, **_: Any) -> list[TensorShape]:
        merged = shape_rules.merge_dims(shape_rules.dims_of(a), shape_rules.dims_of(b))
        if merged is not None:
            if not merged:
                raise ValueError("Shape must be at least rank 1 but is rank 0")
            shape_rules.merge_dim(merged[-1], 3)
        return [shape_rules.shape_of(merged)]

    def grad(op: Any, dy: Any) -> list[Any]:
        u, v = op.inputs
        return [apply("Cross", v, dy), apply("Cross", dy, u)]

    def lower(build: Any, a: Value, b: Value, **_: Any) -> Value:
        one_shape(build, a, b)
        if a.type.rank == 0 or a.type.shape[-1] != 3:
            raise errors.FailedPreconditionError(
                None,
                build.op,
                "Cross-products are only defined for 3-element vectors, not for shape "
                f"{shape_text(a.type.shape)}.",
            )
        dim = a.type.rank - 1

        def turned(x: Value, by: int) -> Value:
            """The elements `by` places further on, cyclically."""
            return p.concat(
                build, _along(build, x, dim, by, 3), _along(build, x, dim, 0, by), dim=dim
            )

        left = p.mul(build, turned(a, 1), turned(b, 2))
        return p.sub(build, left, p.mul(build, turned(a, 2), turned(b, 1)))


def _along(build: Any, x: Value, dim: int, low: int, high: int) -> Value:
    start = tuple(low if d == dim else 0 for d in range(x.type.rank))
    limit = tuple(high if d == dim else n for d, n in enumerate(x.type.shape))
    return p.slice_(build, x, start=start, limit=limit, stride=(1,) * x.type.rank)


class Bincount(
    OpDef,
    sig="Bincount(arr: int32, size: int32, weights: T) -> bins: T",
    T=("i32", "i64", "f32", "f64"),
):
    """How often each number below `size` occurs in `arr`, or the sum of the weights there."""

    def shape(
        arr: TensorShape, size: TensorShape, weights: TensorShape, *, op: Any, **_: Any
    ) -> list[TensorShape]:
        return [shape_rules.shape_of(shape_rules.static_ints(op, 1) or [None])]

    def lower(build: Any, arr: Value, size: Value, weights: Value, **_: Any) -> Value:
        count = int(build.static(size).ravel()[0])
        ok = p.ge(build, arr, p.full_like(build, arr, 0))
        build.assert_(ok, (), "InvalidArgumentError", "Input arr must be non-negative!")
        if weights.type.size == 0:
            weights = p.splat(build, 1, typed(weights, arr.type.shape))
        start = p.splat(build, 0, typed(weights, (count,)))
        at = p.reshape(build, arr, shape=(arr.type.size, 1))
        flat = p.reshape(build, weights, shape=(arr.type.size,))
        return p.scatter(build, start, at, flat, dims=(0,), kind="add")


# ---- the Python API


def _function(op: str, what: str, public: str | None = None) -> Callable[..., Tensor]:
    def function(x: Any, y: Any, name: str | None = None) -> Tensor:
        return apply(op, x, y, name=name)

    function.__name__ = function.__qualname__ = public or public_name(op)
    function.__doc__ = what
    return function


add = _function("Add", "x + y, with broadcasting.")
subtract = _function("Sub", "x - y, with broadcasting.", "subtract")
multiply = _function("Mul", "x * y, with broadcasting.", "multiply")
realdiv = _function("RealDiv", "x / y of real or complex numbers.", "realdiv")
truncatediv = _function("TruncateDiv", "x / y, integers rounded toward zero.", "truncatediv")
floor_div = _function("FloorDiv", "The largest integer not above x / y.")
truncatemod = _function("TruncateMod", "The remainder of x / y with the sign of x.", "truncatemod")
floormod = mod = _function("FloorMod", "The remainder of x // y with the sign of y.", "floormod")
maximum = _function("Maximum", "The greater of x and y.")
minimum = _function("Minimum", "The lesser of x and y.")
squared_difference = _function("SquaredDifference", "(x - y)(x - y), with broadcasting.")
xdivy = _function("Xdivy", "x / y, and 0 where x is 0.")
xlogy = _function("Xlogy", "x log(y), and 0 where x is 0.")


def atan2(y: Any, x: Any, name: str | None = None) -> Tensor:
    """The angle of the point (x, y), from -pi to pi."""
    return apply("Atan2", y, x, name=name)


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product of vectors of three elements."""
    return apply("Cross", a, b, name=name)


def pow_(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x to the power of y."""
    with name_scope(name, "Pow", [x]) as scope:
        return apply("Pow", x, y, name=scope)


def div_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, and 0 where y is 0. Integers are cast to floats first."""
    with name_scope(name, "div_no_nan", [x, y]) as scope:
        return apply("DivNoNan", *_as_floats(*_pair(x, y)), name=scope)


def _as_floats(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Integers as the floats that true division makes of them; what is no integer as it is."""
    wider = _FLOAT_OF.get(x.dtype.base_dtype.short)
    if wider is None:
        return x, y
    dtype = dtypes.by_short(wider)
    return cast_ops.cast(x, dtype), cast_ops.cast(y, dtype)


def _pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both operands as tensors of one dtype, that of the first.

    Raises:
      TypeError: the dtypes differ.
    """
    a = convert_to_tensor(x, name="x")
    b = convert_to_tensor(y, dtype=None if hasattr(y, "op") else a.dtype.base_dtype, name="y")
    if a.dtype.base_dtype != b.dtype.base_dtype:
        raise TypeError(
            "x and y must have the same dtype, got "
            f"{a.dtype.base_dtype!r} != {b.dtype.base_dtype!r}"
        )
    return a, b


# What true division turns integers into.
_FLOAT_OF = {
    "u8": "f32", "i8": "f32", "u16": "f32", "i16": "f32", "i32": "f64", "i64": "f64",
    "u32": "f64", "u64": "f64",
}  # fmt: skip


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as real numbers: integers are cast to floats first."""
    with name_scope(name, "truediv", [x, y]) as scope:
        return apply("RealDiv", *_as_floats(*_pair(x, y)), name=scope)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 2 has it: integers are rounded down.

    Raises:
      ValueError: the dtypes differ.
    """
    with name_scope(name, "div", [x, y]) as scope:
        a = convert_to_tensor(x, name="x")
        b = convert_to_tensor(y, dtype=a.dtype.base_dtype, name="y")
        floating = a.dtype.is_floating or a.dtype.is_complex
        return apply("RealDiv" if floating else "FloorDiv", a, b, name=scope)


def floordiv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The largest integer not above x / y."""
    with name_scope(name, "floordiv", [x, y]) as scope:
        return apply("FloorDiv", x, y, name=scope)


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y by the rules of Python 3's `/`; a Python number if both are and there is no name."""
    if name is not None:
        return truediv(x, y, name=name)
    quotient: Tensor = x / y
    return quotient


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    """`scalar` times a tensor or IndexedSlices.

    Raises:
      ValueError: the first operand is not a scalar.
    """
    if not isinstance(x, Tensor | IndexedSlices) and not hasattr(x, "op"):
        x = convert_to_tensor(x, name="x")
    base = x.dtype.base_dtype
    factor = convert_to_tensor(scalar, dtype=base, name="scalar")
    rank = factor.get_shape().ndims
    if rank not in (None, 0):
        raise ValueError("Only scalar multiply works, got shape " + str(factor.get_shape()))
    if isinstance(x, IndexedSlices):
        return IndexedSlices(factor * x.values, x.indices, x.dense_shape)
    return apply("Mul", factor, x, name=name)


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of tensors of one shape; IndexedSlices among them are made dense.

    Raises:
      ValueError: there is nothing to add.
    """
    if not inputs or not isinstance(inputs, list | tuple):  # a tensor has no truth: TypeError
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same "
                         "dtype and shape")  # fmt: skip
    tensors = [convert_to_tensor(t) for t in inputs]
    if len(tensors) == 1:
        return const_ops.identity(tensors[0], name=name) if name else tensors[0]
    return apply("AddN", tensors, name=name)


def accumulate_n(
    inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Tensor:
    """The sum of tensors of one shape.

    Raises:
      ValueError: there is nothing to add, or the shapes are not compatible.
    """
    if not isinstance(inputs, list | tuple) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor with the same dtype/shape")
    tensors = [convert_to_tensor(t) for t in inputs]
    if any(t.dtype.base_dtype != tensors[0].dtype.base_dtype for t in tensors):
        raise ValueError("inputs must be a list of at least one Tensor with the same dtype/shape")
    if tensor_dtype is not None and dtypes.as_dtype(tensor_dtype) != tensors[0].dtype.base_dtype:
        raise TypeError(f"tensor_dtype is {tensor_dtype}, but input is of type {tensors[0].dtype}")
    merged = TensorShape(shape)
    for tensor in tensors:
        merged = merged.merge_with(tensor.get_shape())
    if len(tensors) == 1:
        return const_ops.identity(tensors[0], name=name) if name else tensors[0]
    return apply("AddN", tensors, name=name)


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = dtypes.int32,
) -> Tensor:
    """How often each number occurs in `arr`, or the sums of weights, from 0 to the greatest."""
    with name_scope("bincount"):
        numbers = convert_to_tensor(arr, name="arr", preferred_dtype=dtypes.int32)
        if numbers.dtype.base_dtype == dtypes.int64:
            numbers = cast_ops.cast(numbers, dtypes.int32)
        numbers = convert_to_tensor(numbers, dtype=dtypes.int32)
        some = apply("Greater", reduction_ops.reduce_prod(apply("Shape", numbers)), 0)
        size = cast_ops.cast(some, dtypes.int32) * (reduction_ops.reduce_max(numbers) + 1)
        if minlength is not None:
            size = apply("Maximum", convert_to_tensor(minlength, dtype=dtypes.int32), size)
        if maxlength is not None:
            size = apply("Minimum", convert_to_tensor(maxlength, dtype=dtypes.int32), size)
        if weights is None:
            weights = const_ops.constant(np.zeros(0), dtype=dtypes.as_dtype(dtype))
        return apply("Bincount", numbers, size, weights)
