"""Sparse tensors whose values stay and whose places change, and softmax of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import FLOATS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import invalid, to
from tfc.ops.sparse.common import (
    check_parts,
    extents_of,
    keys,
    order_of,
    sorted_by_keys,
    taken,
)


class SparseReorder(
    OpDef,
    sig="SparseReorder(input_indices: int64, input_values: T, input_shape: int64)"
    " -> output_indices: int64, output_values: T",
    T=ANY,
):
    """The places in order, the last dimension the fastest, each with its value."""

    def shape(indices: TensorShape, values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        check_parts(indices, values, shape)
        places, (count,) = s.with_rank(indices, 2), s.with_rank(values, 1)
        return [s.shape_of(places), s.shape_of([count])]

    def grad(op: Any, _: Any, dy: Tensor) -> list[Any]:
        indices, _, shape = op.inputs
        count = apply("Size", op.inputs[1], out_type="int64")
        numbers = apply("Range", np.int64(0), count, np.int64(1))
        _, came_from = apply("SparseReorder", indices, numbers, shape)
        back = apply("InvertPermutation", came_from)
        return [None, apply("GatherV2", dy, back, 0), None]

    def lower(build: Any, indices: Value, values: Value, shape: Value) -> tuple[Value, Value]:
        dims = extents_of(build, shape, indices)
        return sorted_by_keys(build, indices, values, dims)

    host = by_lowering(lower)


class SparseReshape(
    OpDef,
    sig="SparseReshape(input_indices: int64, input_shape: int64, new_shape: int64)"
    " -> output_indices: int64, output_shape: int64",
):
    """The places of the same elements in another shape. Lowering needs both shapes' values."""

    def shape(
        indices: TensorShape, shape: TensorShape, new_shape: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        (count, rank), (old,) = s.with_rank(indices, 2), s.with_rank(shape, 1)
        (new,) = s.with_rank(new_shape, 1)
        s.merge_dim(rank, old)
        return [s.shape_of([count, new]), s.shape_of([new])]

    def grad(op: Any, *dys: Any) -> list[None]:
        return [None, None, None]

    def lower(build: Any, indices: Value, shape: Value, new_shape: Value) -> tuple[Value, Value]:
        dims = extents_of(build, shape, indices)
        wanted = [int(d) for d in build.static(new_shape).ravel()]
        total = int(np.prod(dims, dtype=object)) if dims else 1
        new = _resolved(build, total, wanted)
        rest = keys(build, indices, dims)
        columns: list[Value] = []
        for extent in reversed(new):
            size = p.full_like(build, rest, max(extent, 1))
            columns.insert(0, p.rem(build, rest, size))
            rest = p.div(build, rest, size)
        count = indices.type.shape[0]
        parts = [p.reshape(build, c, shape=(count, 1)) for c in columns]
        if not parts:
            places = p.splat(build, 0, Type("i64", (count, 0)))
        else:
            places = p.concat(build, *parts, dim=1) if len(parts) > 1 else parts[0]
        return places, p.constant(build, np.asarray(new, np.int64))


def _resolved(build: Any, total: int, wanted: list[int]) -> list[int]:
    """`wanted` with its -1 replaced."""
    if wanted.count(-1) > 1:
        raise invalid(build, "only one output dimension may be -1")
    if min(wanted, default=0) < -1:
        raise invalid(build, f"size must be non-negative, not {min(wanted)}")
    rest = int(np.prod([d for d in wanted if d != -1], dtype=object)) if wanted else 1
    new = list(wanted)
    if -1 in new:
        if rest == 0 or total % rest:
            raise invalid(
                build,
                f"Input to reshape is a SparseTensor with {total} dense values, but the requested "
                f"shape requires a multiple of {rest}.",
            )
        new[new.index(-1)] = total // rest
    elif rest != total:
        raise invalid(
            build,
            f"Input to reshape is a tensor with {total} dense values, but the requested shape has "
            f"{rest}",
        )
    return new


class SparseConcat(
    OpDef,
    sig="SparseConcat(indices: N * int64, values: N * T, shapes: N * int64, concat_dim: int)"
    " -> output_indices: int64, output_values: T, output_shape: int64",
    T=ANY,
):
    """Sparse tensors behind each other along a dimension, places in order."""

    grad = no_gradient

    def shape(*parts: TensorShape, op: Any, concat_dim: int) -> list[TensorShape]:
        count = len(parts) // 3
        entries: int | None = 0
        rank: int | None = None
        for k in range(count):
            check_parts(parts[k], parts[count + k], parts[2 * count + k])
            length, own = s.with_rank(parts[k], 2)
            entries = None if entries is None or length is None else entries + length
            rank = s.merge_dim(rank, own)
        return [s.shape_of([entries, rank]), s.shape_of([entries]), s.shape_of([rank])]

    def lower(build: Any, *parts: Value, concat_dim: int) -> tuple[Value, Value, Value]:
        count = len(parts) // 3
        indices, values, shapes = (parts[k * count : (k + 1) * count] for k in range(3))
        extents = [extents_of(build, x, i) for x, i in zip(shapes, indices, strict=True)]
        rank = len(extents[0])
        if not -rank <= concat_dim < rank:
            raise invalid(
                build,
                f"Concat dimension must be in range [{-rank}, {rank}), got {concat_dim}",
            )
        axis = concat_dim % rank
        for k, dims in enumerate(extents):
            if len(dims) != rank:
                raise invalid(build, f"Ranks of all input tensors must match: {rank}, {len(dims)}")
            if any(
                a != b for d, (a, b) in enumerate(zip(dims, extents[0], strict=True)) if d != axis
            ):
                raise invalid(
                    build,
                    f"Input shapes must match: expected {s.text(extents[0])} but got "
                    f"{s.text(dims)} at position {k}",
                )
        moved, at = [], 0
        for places, dims in zip(indices, extents, strict=True):
            step = np.zeros(rank, np.int64)
            step[axis] = at
            shift = p.broadcast_to(build, p.constant(build, step), places.type.shape)
            moved.append(p.add(build, places, shift))
            at += dims[axis]
        whole = [*extents[0][:axis], at, *extents[0][axis + 1 :]]
        every = p.concat(build, *moved, dim=0) if count > 1 else moved[0]
        data = p.concat(build, *values, dim=0) if count > 1 else values[0]
        every, data = sorted_by_keys(build, every, data, whole)
        return every, data, p.constant(build, np.asarray(whole, np.int64))

    host = by_lowering(lower)


class SparseSoftmax(
    OpDef,
    sig="SparseSoftmax(sp_indices: int64, sp_values: T, sp_shape: int64) -> output: T",
    T=FLOATS,
):
    """The softmax of the values in each row of the last dimension. What is not there stays out."""

    def shape(indices: TensorShape, values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        check_parts(indices, values, shape)
        return [s.shape_of(s.with_rank(values, 1))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        indices, _, shape = op.inputs
        out = op.outputs[0]
        total = apply("SparseRowSums", indices, dy * out, shape)
        return [None, (dy - total) * out, None]

    def lower(build: Any, indices: Value, values: Value, shape: Value) -> Value:
        rows, count = _row_numbers(build, indices, shape)
        wide = to(build, values, "f64" if values.type.dtype == "f64" else "f32")
        type = Type(wide.type.dtype, (count,))
        least = p.splat(build, -np.inf, type)
        most = p.scatter(build, least, rows, wide, dims=(0,), kind="max")
        power = p.exp(build, p.sub(build, wide, p.gather(build, most, rows, dims=(0,))))
        sums = p.scatter(build, p.splat(build, 0, type), rows, power, dims=(0,), kind="add")
        result = p.div(build, power, p.gather(build, sums, rows, dims=(0,)))
        return to(build, result, values.type.dtype)


class SparseRowSums(
    OpDef,
    sig="SparseRowSums(indices: int64, values: T, shape: int64) -> output: T",
    T=FLOATS,
):
    """For each value the sum of those in its row of the last dimension: what the gradient of
    SparseSoftmax needs, and no TensorFlow op gives."""

    def shape(indices: TensorShape, values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        return [values]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, apply("SparseRowSums", op.inputs[0], dy, op.inputs[2]), None]

    def lower(build: Any, indices: Value, values: Value, shape: Value) -> Value:
        rows, count = _row_numbers(build, indices, shape)
        start = p.splat(build, 0, Type(values.type.dtype, (count,)))
        sums = p.scatter(build, start, rows, values, dims=(0,), kind="add")
        return p.gather(build, sums, rows, dims=(0,))


def _row_numbers(build: Any, indices: Value, shape: Value) -> tuple[Value, int]:
    """A number for the row that each value stands in, as a column, and how many there may be: as
    many as values, so that no memory goes to rows that are empty."""
    dims = extents_of(build, shape, indices)
    if len(dims) < 2:
        raise invalid(build, "Input should have rank >= 2, but received shape: " + s.text(dims))
    count, rank = indices.type.shape
    outer = p.slice(build, indices, start=(0, 0), limit=(count, rank - 1), stride=(1, 1))
    numbers = keys(build, outer, dims[:-1])
    order = order_of(build, numbers)
    ordered = taken(build, numbers, order)
    if not count:
        return p.reshape(build, numbers, shape=(0, 1)), 0
    first = p.slice(build, ordered, start=(0,), limit=(1,), stride=(1,))
    rest = p.slice(build, ordered, start=(0,), limit=(count - 1,), stride=(1,))
    before = p.concat(build, first, rest, dim=0) if count > 1 else first
    new = to(build, p.ne(build, ordered, before), "i64")
    ids = p.cumulative(build, new, dim=0, kind="add", exclusive=False, reverse=False)
    at = p.reshape(build, order, shape=(count, 1))
    start = p.splat(build, 0, Type("i64", (count,)))
    placed = p.scatter(build, start, at, ids, dims=(0,), kind="set")
    return p.reshape(build, placed, shape=(count, 1)), count
