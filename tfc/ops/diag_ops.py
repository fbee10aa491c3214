"""Diagonals and bands of matrices, identity matrices, and updates of tensors by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import ANY, OpDef, apply, make_function
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.const_ops import ones, zeros
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import concat
from tfc.ops.lowering import invalid
from tfc.ops.places import check_rows
from tfc.ops.shape_ops import shape, transpose

_OF_DIAG = ("f16", "bf16", "f32", "f64", "i32", "i64", "c64", "c128")

NUMBERS = dtypes.NUMBERS
ELEMENTS = (*NUMBERS, "i1")


def _on_diagonal(build: Any, dims: Sequence[int], kind: str = "eq") -> Value:
    """Whether row and column of an element are equal, for matrices of extents `dims`[-2:]."""
    rank = len(dims)
    row = p.iota(build, dtype="i64", shape=tuple(dims), dim=rank - 2)
    column = p.iota(build, dtype="i64", shape=tuple(dims), dim=rank - 1)
    return p.eq(build, row, column)


def _zeros(build: Any, x: Value, dims: Sequence[int]) -> Value:
    zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(x.type.dtype)))
    return p.broadcast(build, zero, dims=(), shape=tuple(dims))


class MatrixDiag(OpDef, sig="MatrixDiag(diagonal: T) -> output: T", T=ELEMENTS):
    """Matrices with the vectors along the last axis of `diagonal` on their diagonals."""

    def shape(diagonal: TensorShape) -> list[TensorShape]:
        dims = s.with_rank_at_least(diagonal, 1)
        return [s.unknown() if dims is None else s.shape_of([*dims, dims[-1]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("MatrixDiagPart", dy)]

    def lower(build: Any, diagonal: Value) -> Value:
        dims = (*diagonal.type.shape, diagonal.type.shape[-1])
        wide = p.broadcast(build, diagonal, dims=tuple(range(len(dims) - 1)), shape=dims)
        return p.select(build, _on_diagonal(build, dims), wide, _zeros(build, diagonal, dims))


class MatrixDiagPart(OpDef, sig="MatrixDiagPart(input: T) -> diagonal: T", T=ELEMENTS):
    """The diagonals of the matrices along the last two axes."""

    def shape(input: TensorShape) -> list[TensorShape]:
        dims = s.with_rank_at_least(input, 2)
        if dims is None:
            return [s.unknown()]
        rows, columns = dims[-2:]
        least = None if rows is None or columns is None else min(rows, columns)
        return [s.shape_of([*dims[:-2], least])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        rows, columns = (s.dims_of(op.inputs[0].get_shape()) or [None, None])[-2:]
        if rows is not None and rows == columns:
            return [apply("MatrixDiag", dy)]
        return [apply("MatrixSetDiag", apply("ZerosLike", op.inputs[0]), dy)]

    def lower(build: Any, input: Value) -> Value:
        *batch, rows, columns = input.type.shape
        count = min(rows, columns)
        at = p.iota(build, dtype="i64", shape=(count, 1), dim=0)
        index = p.concat(build, at, at, dim=1)
        rank = input.type.rank
        taken = p.gather(build, input, index, dims=(rank - 2, rank - 1))
        return p.transpose(build, taken, perm=(*range(1, rank - 1), 0))


class MatrixSetDiag(OpDef, sig="MatrixSetDiag(input: T, diagonal: T) -> output: T", T=ELEMENTS):
    """`input` with other diagonals."""

    def shape(input: TensorShape, diagonal: TensorShape) -> list[TensorShape]:
        s.with_rank_at_least(input, 2)
        s.with_rank_at_least(diagonal, 1)
        return [input]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        none = zeros(shape(op.inputs[1]), dtype=dy.dtype.base_dtype)
        return [apply("MatrixSetDiag", dy, none), apply("MatrixDiagPart", dy)]

    def lower(build: Any, input: Value, diagonal: Value) -> Value:
        dims = input.type.shape
        count = min(dims[-2:])
        if diagonal.type.shape != (*dims[:-2], count):
            raise invalid(
                build,
                "must have diagonal.shape == input.shape[:-2] + min(input.shape[-2:]), but "
                f"received input shape: {s.text(dims)} and diagonal shape: "
                f"{s.text(diagonal.type.shape)}",
            )
        # along the axis of the greater extent the diagonal ends early
        longer = len(dims) - 1 if dims[-1] >= dims[-2] else len(dims) - 2
        rest = dims[longer] - count
        if rest:
            zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(input.type.dtype)))
            none = (0,) * diagonal.type.rank
            diagonal = p.pad(build, diagonal, zero, low=none, high=(*none[1:], rest), interior=none)
        kept = (*range(len(dims) - 2), longer)
        wide = p.broadcast(build, diagonal, dims=kept, shape=dims)
        return p.select(build, _on_diagonal(build, dims), wide, input)


def _check_band(build: Any, count: Value, extent: int, name: str, what: str) -> None:
    ok = p.le(build, count, p.full_like(build, count, extent))
    message = f"{name} must be negative or less or equal to number of {what} ({extent}) got: {{0}}"
    build.assert_(ok, (count,), message=message)


class MatrixBandPart(
    OpDef,
    sig="MatrixBandPart(input: T, num_lower: Tindex, num_upper: Tindex, Tindex: type = int64)"
    " -> band: T",
    T=ELEMENTS,
    Tindex=INDEX,
):
    """`input` with zeros beyond `num_lower` diagonals below and `num_upper` above the main one;
    negative numbers keep all."""

    def shape(input: TensorShape, lower: TensorShape, upper: TensorShape) -> list[TensorShape]:
        s.with_rank_at_least(input, 2)
        return [input]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("MatrixBandPart", dy, op.inputs[1], op.inputs[2]), None, None]

    def lower(build: Any, input: Value, num_lower: Value, num_upper: Value) -> Value:
        dims, rank = input.type.shape, input.type.rank
        _check_band(build, num_lower, dims[-2], "num_lower", "rows")
        _check_band(build, num_upper, dims[-1], "num_upper", "columns")
        row = p.iota(build, dtype="i64", shape=dims, dim=rank - 2)
        column = p.iota(build, dtype="i64", shape=dims, dim=rank - 1)

        def within(distance: Value, limit: Value) -> Value:
            limit = p.broadcast(build, p.convert(build, limit, dtype="i64"), dims=(), shape=dims)
            every = p.lt(build, limit, p.full_like(build, limit, 0))
            return p.or_(build, every, p.le(build, distance, limit))

        below = within(p.sub(build, row, column), num_lower)
        above = within(p.sub(build, column, row), num_upper)
        inside = p.and_(build, below, above)
        return p.select(build, inside, input, _zeros(build, input, dims))


class Diag(OpDef, sig="Diag(diagonal: T) -> output: T", T=_OF_DIAG):
    """A tensor of twice the rank with `diagonal` where both halves of the index are equal."""

    def shape(diagonal: TensorShape) -> list[TensorShape]:
        dims = s.with_rank_at_least(diagonal, 1)
        return [s.unknown() if dims is None else s.shape_of([*dims, *dims])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("DiagPart", dy)]

    def lower(build: Any, diagonal: Value) -> Value:
        count, dims = diagonal.type.size, diagonal.type.shape
        flat = p.reshape(build, diagonal, shape=(count,))
        square = MatrixDiag.lower(build, flat)
        return p.reshape(build, square, shape=(*dims, *dims))


class DiagPart(OpDef, sig="DiagPart(input: T) -> diagonal: T", T=_OF_DIAG):
    """The elements of a tensor of even rank where both halves of the index are equal."""

    def shape(input: TensorShape) -> list[TensorShape]:
        dims = s.dims_of(input)
        if dims is None:
            return [s.unknown()]
        half = len(dims) // 2
        if len(dims) % 2 or not dims:
            raise ValueError(f"Input must have even and non-zero rank, input rank is {len(dims)}")
        return [s.shape_of(s.merge_dims(dims[:half], dims[half:]))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("Diag", dy)]

    def lower(build: Any, input: Value) -> Value:
        dims = input.type.shape
        half = dims[: len(dims) // 2]
        count = int(np.prod(half, dtype=np.int64))
        part = MatrixDiagPart.lower(build, p.reshape(build, input, shape=(count, count)))
        return p.reshape(build, part, shape=half)


def _tensor_scatter(name: str, kind: str, doc: str, grad: Any) -> None:
    class TensorScatter(
        OpDef,
        sig=f"{name}(tensor: T, indices: Tindices, updates: T) -> output: T",
        T=NUMBERS if kind != "set" else ANY,
        Tindices=INDEX,
    ):
        __doc__ = doc

        def shape(
            tensor: TensorShape, indices: TensorShape, updates: TensorShape
        ) -> list[TensorShape]:
            s.check_scatter_nd(s.with_rank_at_least(tensor, 1), indices, updates)
            return [tensor]

        def lower(build: Any, tensor: Value, indices: Value, updates: Value) -> Value:
            depth, batch = indices.type.shape[-1], indices.type.shape[:-1]
            expected = batch + tensor.type.shape[depth:]
            if depth > tensor.type.rank or updates.type.shape != expected:
                raise invalid(
                    build,
                    f"updates must have shape {s.text(expected)}, not {s.text(updates.type.shape)}",
                )
            check_rows(build, indices, tensor.type.shape, "does not index into shape")
            if kind == "sub":
                updates, how = p.neg(build, updates), "add"
            else:
                how = kind
            dims = tuple(range(depth))
            return p.scatter(build, tensor, indices, updates, dims=dims, kind=how)

        host = by_lowering(lower) if kind == "set" else None

    if grad is not None:
        TensorScatter.grad = grad


def _update_grad(op: Any, dy: Tensor) -> list[Any]:
    _, indices, updates = op.inputs
    none = apply("ZerosLike", updates)
    return [apply("TensorScatterUpdate", dy, indices, none), None, apply("GatherNd", dy, indices)]


def _add_grad(op: Any, dy: Tensor) -> list[Any]:
    return [dy, None, apply("GatherNd", dy, op.inputs[1])]


def _sub_grad(op: Any, dy: Tensor) -> list[Any]:
    return [dy, None, -apply("GatherNd", dy, op.inputs[1])]


def _extremum_grad(op: Any, dy: Tensor) -> list[Any]:
    """`dy` in equal shares to the element and the updates that equal the result."""
    tensor, indices, updates = op.inputs
    kept = apply("Cast", apply("Equal", tensor, op.outputs[0]), DstT=dy.dtype)
    best = apply("GatherNd", op.outputs[0], indices)
    taken = apply("Cast", apply("Equal", updates, best), DstT=dy.dtype)
    extent = shape(tensor, out_type=indices.dtype)
    share = dy / (kept + apply("ScatterNd", indices, taken, extent))
    return [share * kept, None, apply("GatherNd", share, indices) * taken]


_tensor_scatter(
    "TensorScatterUpdate",
    "set",
    "`tensor` with rows of `updates` at the places of `indices`.",
    _update_grad,
)
_tensor_scatter("TensorScatterAdd", "add", "`tensor` with `updates` added.", _add_grad)
_tensor_scatter("TensorScatterSub", "sub", "`tensor` with `updates` subtracted.", _sub_grad)
_tensor_scatter("TensorScatterMax", "max", "The greater of both.", _extremum_grad)
_tensor_scatter("TensorScatterMin", "min", "The lesser of both.", _extremum_grad)


diag = make_function("Diag", "A tensor of twice the rank with `diagonal` on its diagonal.")
diag_part = make_function("DiagPart", "The diagonal of a tensor of even rank.")
matrix_band_part = make_function("MatrixBandPart", "`input` with zeros off a band of diagonals.")
tensor_scatter_update = make_function(
    "TensorScatterUpdate", "`tensor` with `updates` at the places of `indices`."
)
tensor_scatter_add = make_function("TensorScatterAdd", "`tensor` with `updates` added.")
tensor_scatter_sub = make_function("TensorScatterSub", "`tensor` with `updates` subtracted.")
tensor_scatter_max = make_function("TensorScatterMax", "The greater of `tensor` and `updates`.")
tensor_scatter_min = make_function("TensorScatterMin", "The lesser of `tensor` and `updates`.")
tensor_scatter_nd_update, tensor_scatter_nd_add = tensor_scatter_update, tensor_scatter_add
tensor_scatter_nd_sub, tensor_scatter_nd_max = tensor_scatter_sub, tensor_scatter_max
tensor_scatter_nd_min = tensor_scatter_min


def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Identity matrices: ones on the diagonal, zeros elsewhere."""
    with name_scope(name, "eye", [num_rows, num_columns, batch_shape]) as scope:
        columns = num_rows if num_columns is None else num_columns
        batch = [] if batch_shape is None else batch_shape
        known = [constant_value(v) if isinstance(v, Tensor) else v for v in (num_rows, columns)]
        if all(v is not None for v in known):
            rows_count, columns_count = (int(v) for v in known if v is not None)
            least: Any = min(rows_count, columns_count)
        else:
            least = apply("Minimum", num_rows, columns)
        if isinstance(batch, Tensor) or isinstance(least, Tensor):
            ends = [apply("Pack", [convert_to_tensor(least)])]
            diagonal_shape: Any = concat([batch, *ends], 0) if batch_shape is not None else ends[0]
        else:
            diagonal_shape = [*batch, least]
        diagonal = ones(diagonal_shape, dtype=dtype)
        if num_columns is None:
            return apply("MatrixDiag", diagonal, name=scope)
        if isinstance(diagonal_shape, list):
            whole: Any = [*batch, num_rows, columns]
        else:
            ends = [apply("Pack", [convert_to_tensor(v) for v in (num_rows, columns)])]
            whole = concat([batch, *ends], 0) if batch_shape is not None else ends[0]
        return apply("MatrixSetDiag", zeros(whole, dtype=dtype), diagonal, name=scope)


def matrix_transpose(
    a: Any, name: str | None = "matrix_transpose", conjugate: bool = False
) -> Tensor:
    """The last two axes exchanged."""
    with name_scope(name, "matrix_transpose", [a]):
        a = convert_to_tensor(a, name="a")
        rank = a.get_shape().ndims
        if rank is None:
            count = apply("Rank", a)
            order = concat(
                [apply("Range", 0, count - 2, 1), apply("Pack", [count - 1, count - 2])], 0
            )
            return transpose(a, order, conjugate=conjugate)
        if rank < 2:
            raise ValueError(
                f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {a.get_shape()}"
            )
        return transpose(a, [*range(rank - 2), rank - 1, rank - 2], conjugate=conjugate)
