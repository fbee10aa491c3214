"""Sums and maxima of sparse tensors along dimensions, dense or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import NUMBERS, REALS, numpy_dtype
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import cast_ops
from tfc.ops import shape_rules as s
from tfc.ops.lowering import invalid
from tfc.ops.reduction_ops import _reduced_shape as reduced_shape
from tfc.ops.sparse.common import check_arrays, check_parts, distinct_rows, extents_of
from tfc.ops.strings.common import invalid as host_invalid

_IN = (
    "(input_indices: int64, input_values: T, input_shape: int64, reduction_axes: int32, "
    "keep_dims: bool = False)"
)


def _axes(numbers: Any, rank: int, fail: Any) -> set[int]:
    """The axes to reduce."""
    for axis in numbers:
        if not -rank <= axis < rank:
            raise fail(f"Invalid reduction dimension {axis}, for input with {rank} dimensions.")
    return {int(axis) % rank for axis in numbers}


def _dense_shape(
    indices: TensorShape,
    values: TensorShape,
    shape: TensorShape,
    axes: TensorShape,
    *,
    keep_dims: bool,
    op: Any,
) -> list[TensorShape]:
    check_parts(indices, values, shape)
    dims, numbers = s.static_ints(op, 2), s.static_ints(op, 3)
    if dims is None or numbers is None:
        return [s.unknown()]
    if any(not -len(dims) <= axis < len(dims) for axis in numbers):
        return [s.unknown()]  # an error when it runs
    gone = {axis % len(dims) for axis in numbers}
    if keep_dims:
        return [s.shape_of([1 if d in gone else n for d, n in enumerate(dims)])]
    return [s.shape_of([n for d, n in enumerate(dims) if d not in gone])]


def _reduced(
    build: Any, indices: Value, values: Value, shape: Value, axes: Value, keep: bool, kind: str
) -> Value:
    dims = extents_of(build, shape, indices)
    numbers = build.static(axes).ravel().tolist()
    gone = _axes(numbers, len(dims), lambda text: invalid(build, text))
    kept = [d for d in range(len(dims)) if d not in gone]
    out = tuple(dims[d] for d in kept)
    dtype, count = values.type.dtype, indices.type.shape[0]
    columns = [
        p.slice(build, indices, start=(0, d), limit=(count, d + 1), stride=(1, 1)) for d in kept
    ]
    if not columns:
        at = p.splat(build, 0, Type("i64", (count, 0)))
    else:
        at = p.concat(build, *columns, dim=1) if len(columns) > 1 else columns[0]
    every = tuple(range(len(out)))
    zero = p.splat(build, 0, Type(dtype, out))
    if kind == "add":
        result = p.scatter(build, zero, at, values, dims=every, kind="add")
    else:  # where there is no value at all, the result is zero
        start = p.constant(build, _least(dtype))
        start = p.broadcast(build, start, dims=(), shape=out)
        most = p.scatter(build, start, at, values, dims=every, kind="max")
        ones = p.splat(build, 1, Type("i32", (count,)))
        there = p.splat(build, 0, Type("i32", out))
        there = p.scatter(build, there, at, ones, dims=every, kind="add")
        result = p.select(build, p.gt(build, there, p.full_like(build, there, 0)), most, zero)
    whole = tuple(1 if d in gone else n for d, n in enumerate(dims))
    return p.reshape(build, result, shape=whole) if keep else result


def _least(dtype: str) -> np.ndarray:
    kind = numpy_dtype(dtype)
    return np.array(np.iinfo(kind).min if np.dtype(kind).kind in "iu" else -np.inf, kind)


class SparseReduceSum(OpDef, sig="SparseReduceSum" + _IN + " -> output: T", T=NUMBERS):
    """The sum along axes, a dense tensor. Lowering needs the values of shape and axes."""

    shape = _dense_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        """Each value's is that of the sum that it went into."""
        indices, _, shape, axes = op.inputs
        kept = cast_ops.to_int64(reduced_shape(shape, axes))
        whole = apply("Reshape", dy, kept)
        extents = apply("ExpandDims", apply("Maximum", kept, np.int64(1)), 0)
        return [None, apply("GatherNd", whole, apply("FloorMod", indices, extents)), None, None]

    def lower(
        build: Any, indices: Value, values: Value, shape: Value, axes: Value, *, keep_dims: bool
    ) -> Value:
        return _reduced(build, indices, values, shape, axes, keep_dims, "add")


class SparseReduceMax(OpDef, sig="SparseReduceMax" + _IN + " -> output: T", T=REALS):
    """The maximum along axes, a dense tensor; 0 where there is no value."""

    shape = _dense_shape

    def lower(
        build: Any, indices: Value, values: Value, shape: Value, axes: Value, *, keep_dims: bool
    ) -> Value:
        return _reduced(build, indices, values, shape, axes, keep_dims, "max")


_OUT = " -> output_indices: int64, output_values: T, output_shape: int64"


def _sparse_shape(
    indices: TensorShape, values: TensorShape, shape: TensorShape, axes: TensorShape
) -> list[TensorShape]:
    check_parts(indices, values, shape)
    return [s.unknown(), s.unknown(), s.unknown()]


def _sparse_host(op: Any, arrays: tuple[np.ndarray, ...], keep: bool, combine: Any) -> Any:
    indices, values, shape, axes = arrays
    dims = check_arrays(op, indices, values, shape)
    gone = _axes(axes.ravel().tolist(), len(dims), lambda text: host_invalid(op, text))
    kept = [d for d in range(len(dims)) if d not in gone]
    rows, where = distinct_rows(indices[:, kept], [dims[d] for d in kept])
    first = np.full(len(rows), len(values))
    np.minimum.at(first, where, np.arange(len(values)))
    result = values[first]
    rest = np.ones(len(values), np.bool_)
    rest[first] = False
    combine.at(result, where[rest], values[rest])
    if not keep:
        return rows, result, np.array([dims[d] for d in kept], np.int64)
    places = np.zeros((len(rows), len(dims)), np.int64)
    places[:, kept] = rows
    return places, result, np.array([1 if d in gone else n for d, n in enumerate(dims)], np.int64)


class SparseReduceSumSparse(OpDef, sig="SparseReduceSumSparse" + _IN + _OUT, T=NUMBERS):
    """The sum along axes, a sparse tensor with a value wherever one was added."""

    shape = _sparse_shape

    def host(op: Any, *arrays: np.ndarray, keep_dims: bool) -> Any:
        return _sparse_host(op, arrays, keep_dims, np.add)


class SparseReduceMaxSparse(OpDef, sig="SparseReduceMaxSparse" + _IN + _OUT, T=REALS):
    """The maximum along axes, a sparse tensor."""

    shape = _sparse_shape

    def host(op: Any, *arrays: np.ndarray, keep_dims: bool) -> Any:
        return _sparse_host(op, arrays, keep_dims, np.maximum)
