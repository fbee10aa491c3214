"""Ops on sets of indices: DynamicStitch, DynamicPartition, Unique, ListDiff."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import found_places, reduction_ops, scan_ops, shape_ops, shape_rules
from tfc.ops.distinct_values import distinct_values
from tfc.ops.loops import Calc, Term
from tfc.ops.lowering import counted, invalid


def _rows_of(build: Any, indices: Sequence[Value]) -> int:
    """How many rows the indices name; asserts that none is negative. In a region all must be
    known."""
    indices = [index for index in indices if index.type.size]
    if not indices:
        return 0
    calc = Calc(build)
    if build.region_depth or all(build.is_static(index) for index in indices):
        rows = max(int(build.static(index).max()) for index in indices) + 1
    else:
        largest = [
            calc(p.reduce(build, index, dims=tuple(range(index.type.rank)), kind="max")).to("i64")
            for index in indices
        ]
        rows = counted(build, (functools.reduce(Term.atleast, largest) + 1).value)
    for index in indices:
        inside = (calc(index) >= 0).value
        message = "indices hold {0}, which is less than 0"
        build.assert_(inside, (index,), "InvalidArgumentError", message)
    return max(rows, 0)


class DynamicStitch(
    OpDef, sig="DynamicStitch(indices: N * int32, data: N * T) -> merged: T", T=ANY
):
    """Rows of several tensors put where their indices say; the later of two for one place wins. The
    largest index decides how many there are."""

    def shape(*shapes: TensorShape, op: Any, **_: Any) -> list[TensorShape]:
        count = len(shapes) // 2
        row: Any = None
        for index, data in zip(shapes[:count], shapes[count:], strict=True):
            where, dims = shape_rules.dims_of(index), shape_rules.dims_of(data)
            if where is None or dims is None:
                continue
            shape_rules.merge_dims(dims[: len(where)], where)
            row = shape_rules.merge_dims(row, dims[len(where) :])
        known = [shape_rules.static_ints(op, i) for i in range(count)]
        if row is None:
            return [shape_rules.unknown()]
        if any(k is None for k in known):
            return [shape_rules.shape_of([None, *row])]
        return [shape_rules.shape_of([max((max(k) for k in known if k), default=-1) + 1, *row])]

    def grad(op: Any, dy: Any) -> list[Any]:
        count = len(op.inputs) // 2
        indices = list(op.inputs)[:count]
        return [None] * count + [apply("GatherV2", dy, i, 0) for i in indices]

    def lower(build: Any, *values: Value, **_: Any) -> Value:
        count = len(values) // 2
        indices, data = values[:count], values[count:]
        rows = _rows_of(build, indices)
        row = data[0].type.shape[indices[0].type.rank :]
        merged = p.splat(build, 0, Type(data[0].type.dtype, (rows, *row)))
        for index, value in zip(indices, data, strict=True):
            if value.type.shape != (*index.type.shape, *row):
                raise invalid(
                    build,
                    "data must be indices.shape + a common suffix: "
                    f"{shape_text(value.type.shape)} vs. {shape_text((*index.type.shape, *row))}",
                )
            at = p.reshape(build, index, shape=(*index.type.shape, 1))
            merged = p.scatter(build, merged, at, value, dims=(0,), kind="set")
        return merged

    def host(*values: np.ndarray, **_: Any) -> np.ndarray:
        count = len(values) // 2
        indices, data = values[:count], values[count:]
        rows = max((int(i.max()) for i in indices if i.size), default=-1) + 1
        row = data[0].shape[indices[0].ndim :]
        merged = np.zeros((rows, *row), data[0].dtype)
        for index, value in zip(indices, data, strict=True):
            merged[index.ravel()] = value.reshape((index.size, *row))
        return merged


class DynamicPartition(
    OpDef,
    sig="DynamicPartition(data: T, partitions: int32, num_partitions: int)"
    " -> outputs: num_partitions * T",
    T=ANY,
):
    """The parts of `data` that go to each partition, in their order. A host op: how many go where
    is data."""

    def shape(
        data: TensorShape, partitions: TensorShape, *, num_partitions: int, **_: Any
    ) -> list[TensorShape]:
        shape_rules.check_attr("DynamicPartition", "num_partitions", num_partitions, 1)
        dims, where = shape_rules.dims_of(data), shape_rules.dims_of(partitions)
        if dims is None or where is None:
            return [shape_rules.unknown()] * num_partitions
        shape_rules.merge_dims(dims[: len(where)], where)
        return [shape_rules.shape_of([None, *dims[len(where) :]])] * num_partitions

    def grad(op: Any, *dys: Any) -> list[Any]:
        data, partitions = op.inputs
        shape = shape_ops.shape(partitions)
        places = shape_ops.reshape(scan_ops.range_(reduction_ops.reduce_prod(shape)), shape)
        parts = apply("DynamicPartition", places, partitions, len(dys))
        stitched = apply("DynamicStitch", parts, list(dys))
        return [shape_ops.reshape(stitched, shape_ops.shape(data)), None]

    def host(
        data: np.ndarray, partitions: np.ndarray, *, num_partitions: int, op: Any, **_: Any
    ) -> list[np.ndarray]:
        if data.shape[: partitions.ndim] != partitions.shape:
            raise errors.InvalidArgumentError(
                None, op, f"data.shape must start with partitions.shape, got data.shape = "
                f"{shape_text(data.shape)}, partitions.shape = {shape_text(partitions.shape)}",
            )  # fmt: skip
        bad = (partitions < 0) | (partitions >= num_partitions)
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            shown = f"[{','.join(map(str, place))}]" if place else ""
            raise errors.InvalidArgumentError(
                None, op, f"partitions{shown} = {partitions[place]} is not in "
                f"[0, {num_partitions})",
            )  # fmt: skip
        rows = data.reshape(partitions.size, *data.shape[partitions.ndim :])
        return found_places.parts(rows, partitions.reshape(-1), num_partitions)


def _distinct(x: np.ndarray, out_idx: DType) -> tuple[np.ndarray, np.ndarray]:
    """The different elements in their order, and the place of each element's like among them."""
    if x.ndim != 1:
        raise errors.InvalidArgumentError(None, None, "unique expects a 1D vector.")
    kept, rank = found_places.distinct(x)
    return x.take(kept), rank.astype(out_idx.as_numpy_dtype, copy=False)


class Unique(
    OpDef,
    sig="Unique(x: T, out_idx: type = int32) -> y: T, idx: out_idx",
    T=ANY,
    out_idx=INDEX,
):
    """The different elements of a vector in the order in which they come, and for each element the
    place of its like among them. A host op: how many there are is data. Where it only makes the
    rows of an update distinct (`passes/distinct.py`), elements stay in their places."""

    @classmethod
    def is_host(cls, op: Any) -> bool:
        return True

    def shape(x: TensorShape, **_: Any) -> list[TensorShape]:
        shape_rules.with_rank(x, 1)
        return [TensorShape([None]), x]

    def lower(build: Any, x: Value, *, out_idx: DType) -> tuple[Value, Value]:
        if x.type.rank != 1:
            raise invalid(build, "unique expects a 1D vector.")
        return distinct_values(build, x, out_idx.short)

    def host(x: np.ndarray, *, out_idx: DType, **_: Any) -> tuple[np.ndarray, np.ndarray]:
        return _distinct(x, out_idx)


class UniqueWithCounts(
    OpDef,
    sig="UniqueWithCounts(x: T, out_idx: type = int32) -> y: T, idx: out_idx, count: out_idx",
    T=ANY,
    out_idx=INDEX,
):
    """What `Unique` gives, and how often each of the different elements occurs. A host op."""

    def shape(x: TensorShape, **_: Any) -> list[TensorShape]:
        shape_rules.with_rank(x, 1)
        return [TensorShape([None]), x, TensorShape([None])]

    def host(x: np.ndarray, *, out_idx: DType, **_: Any) -> tuple[np.ndarray, ...]:
        values, index = _distinct(x, out_idx)
        count = np.bincount(index, minlength=len(values))
        return values, index, count.astype(out_idx.as_numpy_dtype)


class ListDiff(
    OpDef,
    sig="ListDiff(x: T, y: T, out_idx: type = int32) -> out: T, idx: out_idx",
    T=ANY,
    out_idx=INDEX,
):
    """The elements of vector x that are not in y, and where they are. A host op."""

    def shape(x: TensorShape, y: TensorShape, **_: Any) -> list[TensorShape]:
        shape_rules.with_rank(x, 1)
        shape_rules.with_rank(y, 1)
        return [TensorShape([None]), TensorShape([None])]

    def host(
        op: Any, x: np.ndarray, y: np.ndarray, *, out_idx: DType
    ) -> tuple[np.ndarray, np.ndarray]:
        for name, given in (("x", x), ("y", y)):
            if given.ndim != 1:
                raise errors.InvalidArgumentError(None, op, f"{name} should be a 1D vector.")
        kept = np.flatnonzero(~np.isin(x, y))
        return x[kept], kept.astype(out_idx.as_numpy_dtype)


# ---- the Python API


def dynamic_partition(
    data: Any, partitions: Any, num_partitions: int, name: str | None = None
) -> list[Tensor]:
    """The parts of `data` that go to each partition."""
    return apply("DynamicPartition", data, partitions, num_partitions, name=name)


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """Rows of several tensors put where their indices say."""
    return apply("DynamicStitch", indices, data, name=name)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """(the different elements of a vector, for each element the place of its like among them)."""
    return apply("Unique", x, out_idx=dtypes.as_dtype(out_idx), name=name)


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Any:
    """(the different elements of a vector, for each element the place of its like among them, how
    often each of the different ones occurs)."""
    return apply("UniqueWithCounts", x, out_idx=dtypes.as_dtype(out_idx), name=name)


def setdiff1d(x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None) -> Any:
    """(the elements of x that are not in y, where they are)."""
    return apply("ListDiff", x, y, out_idx=dtypes.as_dtype(index_dtype), name=name)


listdiff = setdiff1d
