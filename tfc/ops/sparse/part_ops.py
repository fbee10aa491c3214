"""Ops that give sparse tensors with as many values as their data says. They run in Python; their
gradients, whose sizes are known, do not."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import NUMBERS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.sparse.common import check_arrays, check_parts, looked_up, taken
from tfc.ops.strings.common import invalid


class SparseSlice(
    OpDef,
    sig="SparseSlice(indices: int64, values: T, shape: int64, start: int64, size: int64)"
    " -> output_indices: int64, output_values: T, output_shape: int64",
    T=ANY,
):
    """The part of a sparse tensor in a box, which may reach beyond its end."""

    def shape(
        indices: TensorShape,
        values: TensorShape,
        shape: TensorShape,
        start: TensorShape,
        size: TensorShape,
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        rank = s.with_rank(shape, 1)[0]
        s.merge_dim(rank, s.with_rank(start, 1)[0])
        s.merge_dim(rank, s.with_rank(size, 1)[0])
        return [s.shape_of([None, rank]), s.shape_of([None]), shape]

    def grad(op: Any, _: Any, dy: Tensor, __: Any) -> list[Any]:
        found = apply("SparseSliceGrad", dy, op.inputs[0], op.inputs[3], op.outputs[0])
        return [None, found, None, None, None]

    def host(
        op: Any,
        indices: np.ndarray,
        values: np.ndarray,
        shape: np.ndarray,
        start: np.ndarray,
        size: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        check_arrays(op, indices, values, shape)
        if start.shape != shape.shape or size.shape != shape.shape:
            raise invalid(op, "start and size must have an entry for each dimension")
        if (start < 0).any() or (size < 0).any():
            raise invalid(op, "start and size must not be negative")
        extents = np.clip(shape - start, 0, size)
        inside = ((indices >= start) & (indices - start < size)).all(axis=1)
        return indices[inside] - start, values[inside], extents


class SparseSliceGrad(
    OpDef,
    sig="SparseSliceGrad(backprop_val_grad: T, input_indices: int64, input_start: int64, "
    "output_indices: int64) -> val_grad: T",
    T=NUMBERS,
):
    """What the values of a slice pass back to those it was taken of."""

    def shape(
        dy: TensorShape, indices: TensorShape, start: TensorShape, out: TensorShape
    ) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(indices, 2)[:1])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        _, indices, start, out = op.inputs
        return [apply("SparseSliceGrad", dy, out + start, start * 0, indices), None, None, None]

    def lower(build: Any, dy: Value, indices: Value, start: Value, out: Value) -> Value:
        shift = p.broadcast(build, start, dims=(1,), shape=indices.type.shape)
        return looked_up(build, p.sub(build, indices, shift), out, dy)


class SparseSplit(
    OpDef,
    sig="SparseSplit(split_dim: int64, indices: int64, values: T, shape: int64, num_split: int)"
    " -> output_indices: num_split * int64, output_values: num_split * T, "
    "output_shape: num_split * int64",
    T=ANY,
):
    """A sparse tensor in parts along a dimension; the first ones are longer by one if it does not
    divide."""

    def shape(
        dim: TensorShape,
        indices: TensorShape,
        values: TensorShape,
        shape: TensorShape,
        *,
        num_split: int,
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        rank = s.with_rank(shape, 1)[0]
        each = [s.shape_of([None, rank]), s.shape_of([None]), shape]
        return [x for x in each for _ in range(num_split)]

    def host(
        op: Any,
        dim: np.ndarray,
        indices: np.ndarray,
        values: np.ndarray,
        shape: np.ndarray,
        *,
        num_split: int,
    ) -> list[np.ndarray]:
        dims = check_arrays(op, indices, values, shape)
        axis = int(dim)
        if not -len(dims) <= axis < len(dims):
            raise invalid(op, f"Input split_dim should be between {-len(dims)} and {len(dims)}")
        axis %= len(dims)
        if not 1 <= num_split <= dims[axis]:
            raise invalid(
                op,
                f"Input num_split should be between 1 and the splitting dimension size "
                f"({dims[axis]}), got {num_split}",
            )
        size, longer = divmod(dims[axis], num_split)
        places, parts, extents, at = [], [], [], 0
        for k in range(num_split):
            length = size + (k < longer)
            inside = (indices[:, axis] >= at) & (indices[:, axis] < at + length)
            moved, whole = indices[inside], shape.copy()
            moved[:, axis] -= at
            whole[axis] = length
            places.append(moved)
            parts.append(values[inside])
            extents.append(whole)
            at += length
        return [*places, *parts, *extents]


class SparseFillEmptyRows(
    OpDef,
    sig="SparseFillEmptyRows(indices: int64, values: T, dense_shape: int64, default_value: T)"
    " -> output_indices: int64, output_values: T, empty_row_indicator: bool, "
    "reverse_index_map: int64",
    T=ANY,
):
    """A sparse tensor with `default_value` at the start of every row that has no value."""

    def shape(
        indices: TensorShape,
        values: TensorShape,
        shape: TensorShape,
        default: TensorShape,
        *,
        op: Any,
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        s.with_rank(default, 0)
        count, rank = s.with_rank(indices, 2)
        known = s.static_dims(op, 2)
        rows = known[0] if known else None
        return [
            s.shape_of([None, rank]),
            s.shape_of([None]),
            s.shape_of([rows]),
            s.shape_of([count]),
        ]

    def grad(op: Any, _: Any, dy: Tensor, __: Any, ___: Any) -> list[Any]:
        dvalues, ddefault = apply("SparseFillEmptyRowsGrad", op.outputs[3], dy)
        return [None, dvalues, None, ddefault]

    def host(
        op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray, default: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        dims = check_arrays(op, indices, values, shape)
        if not dims:
            raise invalid(op, "Dense shape cannot be empty")
        empty = np.ones(dims[0], np.bool_)
        empty[indices[:, 0]] = False
        filled = np.zeros((int(empty.sum()), len(dims)), np.int64)
        filled[:, 0] = np.flatnonzero(empty)
        both = np.concatenate([indices, filled])
        data = np.concatenate([values, np.full(len(filled), default[()], values.dtype)])
        order = np.argsort(both[:, 0], kind="stable")
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return both[order], data[order], empty, back[: len(indices)]


class SparseFillEmptyRowsGrad(
    OpDef,
    sig="SparseFillEmptyRowsGrad(reverse_index_map: int64, grad_values: T)"
    " -> d_values: T, d_default_value: T",
    T=NUMBERS,
):
    """What filled rows pass back: to the values theirs, to the default all that is left."""

    def shape(back: TensorShape, dy: TensorShape) -> list[TensorShape]:
        s.with_rank(dy, 1)
        return [s.shape_of(s.with_rank(back, 1)), s.shape_of([])]

    def grad(op: Any, of_values: Tensor, of_default: Tensor) -> list[Any]:
        back, dy = op.inputs
        shape = apply("Shape", dy, out_type="int64")
        rest = of_values - of_default
        at = apply("ExpandDims", back, 1)
        return [None, apply("ScatterNd", at, rest, shape) + of_default]

    def lower(build: Any, back: Value, dy: Value) -> tuple[Value, Value]:
        ok = p.and_(
            build,
            p.ge(build, back, p.full_like(build, back, 0)),
            p.lt(build, back, p.full_like(build, back, dy.type.shape[0])),
        )
        build.assert_(ok, (back,), message="Elements in reverse index must be in range, got {0}")
        found = taken(build, dy, back)
        own = p.reduce(build, found, dims=(0,), kind="add")
        return found, p.sub(build, p.reduce(build, dy, dims=(0,), kind="add"), own)
