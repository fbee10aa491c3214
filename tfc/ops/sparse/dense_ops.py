"""Sparse tensors with dense ones: SparseToDense, SparseTensorDenseMatMul, SparseTensorDenseAdd."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import COMPLEX, INDEX, NUMBERS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Value
from tfc.ops import reduction_ops
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import invalid
from tfc.ops.places import check_rows
from tfc.ops.sparse.common import check_parts, column, extents_of, keys, taken
from tfc.passes.padded import stand_for_something
from tfc.prims.effects import MAX_PAYLOAD


class SparseToDense(
    OpDef,
    sig="SparseToDense(sparse_indices: Tindices, output_shape: Tindices, sparse_values: T, "
    "default_value: T, validate_indices: bool = True) -> dense: T",
    T=ANY,
    Tindices=INDEX,
):
    """`default_value` everywhere but at the given places. Lowering needs the shape's value."""

    def shape(
        places: TensorShape,
        output_shape: TensorShape,
        values: TensorShape,
        default: TensorShape,
        *,
        op: Any,
    ) -> list[TensorShape]:
        s.with_rank_at_most(places, 2)
        s.with_rank(output_shape, 1)
        s.with_rank_at_most(values, 1)
        s.with_rank(default, 0)
        return [s.shape_of(s.static_dims(op, 1))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        values = op.inputs[2]
        at = apply("GatherNd", dy, _matrix(op.inputs[0]))
        if values.get_shape().ndims == 0:
            at = reduction_ops.reduce_sum(at)
        rest = reduction_ops.reduce_sum(dy) - reduction_ops.reduce_sum(at)
        return [None, None, at, rest]

    def lower(
        build: Any,
        places: Value,
        output_shape: Value,
        values: Value,
        default: Value,
        *,
        validate_indices: bool,
    ) -> Value:
        dims = tuple(int(d) for d in build.static(output_shape).ravel())
        if min(dims, default=0) < 0:
            raise invalid(build, f"output_shape {s.text(dims)} has a negative extent")
        shape = places.type.shape
        matrix = (shape or (1,)) + (1,) * (len(shape) < 2)
        if matrix[1] != len(dims):
            raise invalid(
                build,
                "output_shape has incorrect number of elements: "
                f"{len(dims)} should be: {matrix[1]}",
            )
        at = p.reshape(build, places, shape=matrix)
        check_rows(build, at, dims, "is out of bounds: need 0 <= index <")
        if validate_indices and matrix[0] > 1:
            _check_order(build, at, dims)
        if values.type.shape not in ((), matrix[:1]):
            raise invalid(
                build,
                f"sparse_values has incorrect shape {s.text(values.type.shape)}, should be [] or "
                f"{s.text(matrix[:1])}",
            )
        new = p.broadcast_to(build, values, matrix[:1])
        start = p.broadcast_to(build, default, dims)
        return p.scatter(build, start, at, new, dims=tuple(range(len(dims))), kind="set")

    host = by_lowering(lower)


def _matrix(places: Tensor) -> Tensor:
    """Places as rows of a matrix: a vector is of places of one entry, a scalar is one."""
    rank = places.get_shape().ndims
    if rank == 0:
        return apply("Reshape", places, [1, 1])
    return apply("ExpandDims", places, 1) if rank == 1 else places


def _check_order(build: Any, places: Value, dims: tuple[int, ...]) -> None:
    """Fail unless the places rise, each only once."""
    count = places.type.shape[0]
    numbers = keys(build, places, dims)
    before = p.slice(build, numbers, start=(0,), limit=(count - 1,), stride=(1,))
    after = p.slice(build, numbers, start=(1,), limit=(count,), stride=(1,))
    shown = min(places.type.shape[1], MAX_PAYLOAD - 1)
    entries = [
        p.slice(build, column(build, places, k), start=(1,), limit=(count,), stride=(1,))
        for k in range(shown)
    ]
    number = p.iota(build, dtype="i64", shape=after.type.shape, dim=0)
    number = p.add(build, number, p.full_like(build, number, 1))
    row = f"indices[{{0}}] = [{', '.join(f'{{{k + 1}}}' for k in range(shown))}]"
    payload = (number, *entries)
    build.assert_(p.ne(build, before, after), payload, message=f"{row} is repeated")
    message = (
        f"{row} is out of order. Many sparse ops require sorted indices.\n    Use "
        "`tf.sparse.reorder` to create a correctly ordered copy."
    )
    build.assert_(p.lt(build, before, after), payload, message=message)


class SparseTensorDenseMatMul(
    OpDef,
    sig="SparseTensorDenseMatMul(a_indices: Tindices, a_values: T, a_shape: int64, b: T, "
    "adjoint_a: bool = False, adjoint_b: bool = False,"
    " Tindices: type = int64) -> product: T",
    T=NUMBERS,
    Tindices=INDEX,
):
    """The product of a sparse and a dense matrix. Lowering needs the value of the shape."""

    pads = (0, 1)

    def shape(
        indices: TensorShape,
        values: TensorShape,
        shape: TensorShape,
        b: TensorShape,
        *,
        adjoint_a: bool,
        adjoint_b: bool,
        op: Any,
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        dims = s.static_dims(op, 2) or [None, None]
        if len(dims) != 2:
            raise ValueError(f"Shape must be rank 2 but is rank {len(dims)}")
        right = s.with_rank(b, 2)
        s.merge_dim(dims[0 if adjoint_a else 1], right[1 if adjoint_b else 0])
        return [s.shape_of([dims[1 if adjoint_a else 0], right[0 if adjoint_b else 1]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        """b's is the adjoint of `a` by dy; a value's is its row of dy times its row of b."""
        indices, values, shape, b = op.inputs
        adjoint_a, adjoint_b = op.get_attr("adjoint_a"), op.get_attr("adjoint_b")
        db = apply("SparseTensorDenseMatMul", indices, values, shape, dy, adjoint_a=not adjoint_a)
        if adjoint_b:
            db = _adjoint(db)
        rows, columns = apply("Unpack", indices, num=2, axis=1)
        if adjoint_a:
            rows, columns = columns, rows
        right = _adjoint(b) if adjoint_b else b
        of_b = apply("GatherV2", right, columns, 0)
        if b.dtype.is_complex and not adjoint_b or b.dtype.is_complex:
            of_b = apply("Conj", of_b)
        da = reduction_ops.reduce_sum(apply("GatherV2", dy, rows, 0) * of_b, 1)
        if adjoint_a and values.dtype.is_complex:
            da = apply("Conj", da)
        return [None, da, None, db]

    def lower(
        build: Any,
        indices: Value,
        values: Value,
        shape: Value,
        b: Value,
        *,
        adjoint_a: bool,
        adjoint_b: bool,
    ) -> Value:
        there = stand_for_something(build, indices, 0)
        if there is not None:  # the others are rows of zeros at the first place, and not added
            known = p.broadcast(build, there, dims=(0,), shape=indices.type.shape)
            indices = p.select(build, known, indices, p.full_like(build, indices, 0))
        dims = extents_of(build, shape, indices)
        if len(dims) != 2:
            raise invalid(build, "Tensor 'a_shape' must have 2 elements")
        if adjoint_b:
            b = p.transpose(build, b, perm=(1, 0))
            b = _conjugate(build, b)
        if adjoint_a:
            values = _conjugate(build, values)
        rows, inner = (1, 0) if adjoint_a else (0, 1)
        if dims[inner] != b.type.shape[0]:
            raise invalid(
                build,
                f"Cannot multiply A and B because inner dimension does not match: {dims[inner]} "
                f"vs. {b.type.shape[0]}.  Did you forget a transpose?  Dimensions of A: "
                f"{s.text(dims)}.  Dimensions of B: {s.text(b.type.shape)}",
            )
        picked = taken(build, b, column(build, indices, inner))
        weights = p.broadcast(build, values, dims=(0,), shape=picked.type.shape)
        at = column(build, indices, rows)
        if there is not None:
            at = p.select(build, there, at, p.full_like(build, at, -1))
        at = p.reshape(build, at, shape=(*at.type.shape, 1))
        zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(b.type.dtype)))
        start = p.broadcast(build, zero, dims=(), shape=(dims[rows], b.type.shape[1]))
        return p.scatter(build, start, at, p.mul(build, weights, picked), dims=(0,), kind="add")


def _conjugate(build: Any, x: Value) -> Value:
    if x.type.dtype not in COMPLEX:
        return x
    return p.complex(build, p.real(build, x), p.neg(build, p.imag(build, x)))


def _adjoint(x: Tensor) -> Tensor:
    turned = apply("Transpose", x, [1, 0])
    return apply("Conj", turned) if x.dtype.is_complex else turned


class SparseTensorDenseAdd(
    OpDef,
    sig="SparseTensorDenseAdd(a_indices: Tindices, a_values: T, a_shape: Tindices, b: T)"
    " -> output: T",
    T=NUMBERS,
    Tindices=INDEX,
):
    """A sparse tensor added to a dense one of its shape."""

    def shape(
        indices: TensorShape, values: TensorShape, shape: TensorShape, b: TensorShape
    ) -> list[TensorShape]:
        check_parts(indices, values, shape)
        return [b]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, apply("GatherNd", dy, op.inputs[0]), None, dy]

    def lower(build: Any, indices: Value, values: Value, shape: Value, b: Value) -> Value:
        dims = extents_of(build, shape, indices)
        if dims != b.type.shape:
            raise invalid(
                build,
                f"Dimensions of a {s.text(dims)} and of b {s.text(b.type.shape)} must be equal",
            )
        return p.scatter(build, b, indices, values, dims=tuple(range(len(dims))), kind="add")


def sparse_to_dense(
    sparse_indices: Any,
    output_shape: Any,
    sparse_values: Any,
    default_value: Any = 0,
    validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:
    """A tensor of `output_shape` with `sparse_values` at `sparse_indices`, `default_value`
    elsewhere.

    sparse_indices: a matrix of places, a vector of places in a vector, or a scalar.
    sparse_values: one for each place, or one for all. validate_indices: places must rise and be
    different from each other; else the later of two equal ones counts.

    Raises:
      InvalidArgumentError, when run: a place outside, or a place out of order.
    """
    parts = (sparse_indices, output_shape, sparse_values, default_value)
    return apply("SparseToDense", *parts, validate_indices=validate_indices, name=name)
