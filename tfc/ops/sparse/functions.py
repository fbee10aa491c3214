"""The functions on one sparse tensor: placeholders, dense forms, order, shape, parts, rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.framework.tensor_util import constant_value
from tfc.ops import cast_ops, const_ops, gather_ops, reduction_ops, shape_ops
from tfc.ops.sparse.common import as_sparse


def known(shape: TensorShape, tensor: Tensor) -> Any:
    """The extents as numbers where the graph knows them all, else `tensor`."""
    return np.array(shape.as_list(), np.int64) if shape.is_fully_defined() else tensor


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A sparse tensor that must be fed: a SparseTensorValue or a tuple (indices, values,
    dense_shape).

    shape: what is known of its shape; where it is given, feeding the shape is not needed.
    """
    part = (lambda what: None) if name is None else lambda what: f"{name}/{what}"
    if shape is None:
        rank, dims = None, None
        extents = const_ops.placeholder(dtypes.int64, [None], part("shape"))
    elif isinstance(shape, Tensor):
        dims, rank = None, shape.get_shape()[0].value
        of_shape = cast_ops.to_int64(shape)
        extents = const_ops.placeholder_with_default(of_shape, of_shape.get_shape(), part("shape"))
    else:
        dims = as_shape([None if d in (-1, None) else d for d in as_shape(shape).as_list()])
        rank = dims.ndims
        numbers = [-1 if d is None else d for d in dims.as_list()]
        default = const_ops.constant(
            numbers, dtypes.int64, [rank], part("shape_default") or "Const"
        )
        extents = const_ops.placeholder_with_default(default, [rank], part("shape"))
    values = const_ops.placeholder(dtype, [None], part("values"))
    indices = const_ops.placeholder(dtypes.int64, [None, rank], part("indices"))
    result = SparseTensor(indices, values, extents)
    result._known_shape = dims
    return result


def sparse_tensor_to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The dense tensor, with `default_value` (zero, or the empty string) where nothing stands.

    Raises:
      TypeError: `sp_input` is not sparse. InvalidArgumentError, when run: places that are out of
        order or repeated, if they are validated.
    """
    sp_input = as_sparse(sp_input)
    dtype = sp_input.dtype.base_dtype
    if default_value is None:
        default_value = const_ops.zeros([], dtype)
    default = convert_to_tensor(default_value, dtype, "default_value")
    parts = (sp_input.indices, sp_input.dense_shape, sp_input.values, default)
    result = apply("SparseToDense", *parts, validate_indices=validate_indices, name=name)
    result.set_shape(sp_input.get_shape())
    return result


def sparse_from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """The elements of a dense tensor that are not zero (or the empty string)."""
    with name_scope(name, "dense_to_sparse", [tensor]):
        tensor = convert_to_tensor(tensor)
        zero = apply("ZerosLike", tensor)
        if tensor.dtype.base_dtype == dtypes.string:
            zero = convert_to_tensor("")
        places = apply("Where", apply("NotEqual", tensor, zero))
        values = gather_ops.gather_nd(tensor, places)
        return SparseTensor(places, values, shape_ops.shape(tensor, out_type=dtypes.int64))


def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The same sparse tensor with its places in order, the last dimension the fastest."""
    sp_input = as_sparse(sp_input)
    parts = (sp_input.indices, sp_input.values, sp_input.dense_shape)
    indices, values = apply("SparseReorder", *parts, name=name)
    shape = known(sp_input.get_shape(), sp_input.dense_shape)
    return SparseTensor(indices, values, shape)


def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """The same elements in another shape; one extent may be -1.

    Raises:
      ValueError, InvalidArgumentError: another number of elements.
    """
    sp_input = as_sparse(sp_input)
    wanted = cast_ops.cast(convert_to_tensor(shape), dtypes.int64)
    new = _known_reshape(sp_input.get_shape(), constant_value(wanted))
    with name_scope(name, "SparseReshape", [sp_input.values]) as scope:
        parts = (sp_input.indices, sp_input.dense_shape, wanted)
        indices, extents = apply("SparseReshape", *parts, name=scope)
        return SparseTensor(indices, sp_input.values, known(new, extents))


def _known_reshape(old: TensorShape, wanted: Any) -> TensorShape:
    """The new shape as far as it is known. Raises ValueError: other elements."""
    if wanted is None:
        return TensorShape(None)
    dims = [None if d == -1 else int(d) for d in np.ravel(wanted)]
    if dims.count(None) > 1:
        raise ValueError(f"At most one dimension can be inferred (-1). Found: {np.ravel(wanted)}")
    if not old.is_fully_defined() or dims.count(None) > 1 or min(d or 0 for d in [*dims, 0]) < 0:
        return TensorShape(None)  # whatever is wrong is found when it runs
    total = rest = 1
    for extent in old.as_list():
        total *= extent or 0
    for d in dims:
        rest *= 1 if d is None else d
    fits = rest and total % rest == 0 if None in dims else rest == total
    if not fits:
        raise ValueError(
            f"Cannot reshape a tensor with {total} elements to shape {dims} ({rest} elements)."
        )
    return TensorShape([total // rest if d is None else d for d in dims])


def sparse_transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Dimension i of the result is dimension `perm[i]` of the input; without `perm` the
    dimensions are reversed."""
    with name_scope(name, "SparseTranspose"):
        sp_input = as_sparse(sp_input)
        dims = sp_input.get_shape()
        if perm is None:
            count = sp_input.dense_shape.get_shape()[0].value
            if count is None:
                rank = apply("Size", sp_input.dense_shape)
                perm = rank - 1 - apply("Range", 0, rank, 1)
            else:
                perm = list(range(count))[::-1]
        turned = shape_ops.transpose(sp_input.indices)
        indices = shape_ops.transpose(gather_ops.gather(turned, perm))
        order = constant_value(convert_to_tensor(perm))
        if dims.is_fully_defined() and order is not None:
            extents: Any = np.array([dims.as_list()[k] for k in order], np.int64)
        else:
            extents = gather_ops.gather(sp_input.dense_shape, perm)
        return sparse_reorder(SparseTensor(indices, sp_input.values, extents))


def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """The part from `start` on, of `size`, which may reach beyond the end."""
    sp_input = as_sparse(sp_input)
    start, size = convert_to_tensor(start, dtypes.int64), convert_to_tensor(size, dtypes.int64)
    with name_scope(name, "SparseSlice", [sp_input.values]) as scope:
        parts = (sp_input.indices, sp_input.values, sp_input.dense_shape, start, size)
        return SparseTensor(*apply("SparseSlice", *parts, name=scope))


def sparse_retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The values where the bool vector `to_retain` says so."""
    sp_input = as_sparse(sp_input)
    to_retain = convert_to_tensor(to_retain)
    to_retain.get_shape()[0].merge_with(sp_input.values.get_shape()[0])
    where = shape_ops.reshape(apply("Where", to_retain), [-1])
    indices = gather_ops.gather(sp_input.indices, where)
    values = gather_ops.gather(sp_input.values, where)
    return SparseTensor(indices, values, apply("Identity", sp_input.dense_shape))


def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same values in a shape that is at least as large; without `new_shape` in the smallest
    that holds them.

    Raises:
      ValueError: another number of dimensions, or a smaller one, where the graph knows.
      InvalidArgumentError, when run: the same.
    """
    sp_input = as_sparse(sp_input)
    indices, values = apply("Identity", sp_input.indices), apply("Identity", sp_input.values)
    if new_shape is None:
        ends = reduction_ops.reduce_max(sp_input.indices, 0)
        low = const_ops.constant(0, dtypes.int64)
        extents = apply("Maximum", low, ends + const_ops.constant(1, dtypes.int64))
        return SparseTensor(indices, values, extents)
    wanted = cast_ops.cast(convert_to_tensor(new_shape), dtypes.int64)
    wanted.get_shape().assert_has_rank(1)
    old, new = sp_input.get_shape(), constant_value(wanted)
    sp_input.dense_shape.get_shape()[0].merge_with(wanted.get_shape()[0])
    if old.is_fully_defined() and new is not None:
        if any(a < b for a, b in zip(new.tolist(), old.as_list(), strict=True)):
            raise ValueError(
                "Requested new_shape should have dimension sizes >= sp_input.shape.  Found "
                f"new_shape ({new}), sp_input.shape ({old.as_list()})."
            )
        return SparseTensor(indices, values, wanted)
    ok = apply("All", apply("LessEqual", sp_input.dense_shape, wanted), [0])
    said = convert_to_tensor("Requested new_shape is smaller than sp_input.shape")
    check = apply("Assert", ok, [said, wanted, sp_input.dense_shape])
    with sp_input.graph.control_dependencies([check]):
        return SparseTensor(indices, values, apply("Identity", wanted))


def sparse_expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    """The same with a dimension of one element before dimension `axis` (at the end: -1)."""
    sp_input = as_sparse(sp_input)
    axis = -1 if axis is None else axis
    with name_scope(name, "expand_dims", [sp_input.values]):
        rank = sp_input.dense_shape.get_shape()[0].value
        known = constant_value(axis) if isinstance(axis, Tensor) else None
        axis = axis if known is None else int(known)
        if rank is None or not isinstance(axis, int | np.integer):
            return _expanded_when_run(sp_input, axis)
        if not -rank - 1 <= axis <= rank:
            raise ValueError(f"axis {axis} is out of range for rank {rank}")
        at = axis % (rank + 1)
        columns = apply("Unpack", sp_input.indices, num=rank, axis=1) if rank else []
        extents = apply("Unpack", sp_input.dense_shape, num=rank, axis=0) if rank else []
        zeros = apply("Cast", apply("ZerosLike", sp_input.values), DstT="int64")
        if rank:
            zeros = apply("ZerosLike", columns[0])
        columns = [*columns[:at], zeros, *columns[at:]]
        extents = [*extents[:at], const_ops.constant(1, dtypes.int64), *extents[at:]]
        indices = apply("Pack", columns, axis=1)
        result = SparseTensor(indices, sp_input.values, apply("Pack", extents))
        dims = sp_input.get_shape()
        if dims.ndims is not None:
            result._known_shape = dims[:at].concatenate([1]).concatenate(dims[at:])
        return result


def _expanded_when_run(sp_input: SparseTensor, axis: Any) -> SparseTensor:
    """`sparse_expand_dims` where only the run tells the axis or the rank."""
    axis = cast_ops.cast(convert_to_tensor(axis), dtypes.int64)
    extents, indices = sp_input.dense_shape, sp_input.indices
    rank = cast_ops.cast(shape_ops.size(extents), dtypes.int64)
    low = apply("GreaterEqual", axis, -rank - 1)
    fits = apply("LogicalAnd", low, apply("LessEqual", axis, rank))
    said = convert_to_tensor("axis is out of range for the rank")
    with sp_input.graph.control_dependencies([apply("Assert", fits, [said, axis, rank])]):
        at = shape_ops.reshape(apply("FloorMod", axis, rank + 1), [1])
    one = const_ops.constant([1], dtypes.int64)
    shape = apply("ConcatV2", [extents[: at[0]], one, extents[at[0] :]], 0)
    zeros = apply("Fill", apply("Pack", [shape_ops.shape(indices)[0], 1]), np.int64(0))
    columns = apply("ConcatV2", [indices[:, : at[0]], zeros, indices[:, at[0] :]], 1)
    return SparseTensor(columns, sp_input.values, shape)


def sparse_eye(
    num_rows: Any,
    num_columns: Any = None,
    dtype: DType = dtypes.float32,
    name: str | None = None,
) -> SparseTensor:
    """Ones on the diagonal of a matrix; how many rows and columns it has may be tensors."""
    columns = num_rows if num_columns is None else num_columns
    if isinstance(num_rows, Tensor) or isinstance(columns, Tensor):
        return _eye_when_run(num_rows, columns, dtype, name)
    with name_scope(name, "eye"):
        count = min(num_rows, columns)
        places = np.repeat(np.arange(count, dtype=np.int64)[:, None], 2, axis=1)
        ones = const_ops.ones([count], dtype)
        return SparseTensor(places, ones, np.array([num_rows, columns], np.int64))


def _eye_when_run(rows: Any, columns: Any, dtype: DType, name: str | None) -> SparseTensor:
    with name_scope(name, "eye", [rows, columns]):
        sides = [cast_ops.cast(convert_to_tensor(n), dtypes.int64) for n in (rows, columns)]
        for side in sides:
            side.get_shape().assert_has_rank(0)
        zero, one = (const_ops.constant(n, dtypes.int64) for n in (0, 1))
        diagonal = apply("Range", zero, apply("Minimum", *sides), one)
        ones = const_ops.ones(shape_ops.shape(diagonal), dtype)
        places = apply("Pack", [diagonal, diagonal], axis=1)
        return SparseTensor(places, ones, apply("Pack", sides))


def sparse_fill_empty_rows(
    sp_input: Any, default_value: Any, name: str | None = None
) -> tuple[SparseTensor, Tensor]:
    """The sparse tensor with `default_value` at the start of every row without a value, and
    which rows these are (bool)."""
    sp_input = as_sparse(sp_input)
    with name_scope(name, "SparseFillEmptyRows", [sp_input.values]):
        default = convert_to_tensor(default_value, sp_input.dtype.base_dtype)
        parts = (sp_input.indices, sp_input.values, sp_input.dense_shape, default)
        indices, values, empty, _ = apply("SparseFillEmptyRows", *parts)
        return SparseTensor(indices, values, sp_input.dense_shape), empty


def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The softmax of the values in every row of the last dimension; empty places stay empty.

    Raises:
      InvalidArgumentError, when run: less than two dimensions.
    """
    sp_input = as_sparse(sp_input)
    with name_scope(name, "SparseSoftmax", [sp_input.indices, sp_input.values]):
        parts = (sp_input.indices, sp_input.values, sp_input.dense_shape)
        return SparseTensor(sp_input.indices, apply("SparseSoftmax", *parts), sp_input.dense_shape)


def sparse_to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Tensor:
    """bool[..., vocab_size]: whether each number stands in the row of the last dimension.

    sp_input: integers in [0, vocab_size).
    """
    sp_input = as_sparse(sp_input)
    with name_scope(name, "SparseToIndicator", [sp_input.values]):
        ones = apply("OnesLike", apply("Cast", sp_input.values, DstT="bool"))
        marks = SparseTensor(sp_input.indices, ones, sp_input.dense_shape)
        merged = sparse_merge(sp_input, marks, vocab_size)
        return sparse_tensor_to_dense(merged, False, validate_indices=False)


def sparse_merge(
    sp_ids: Any,
    sp_values: Any,
    vocab_size: Any,
    name: str | None = None,
    already_sorted: bool = False,
) -> SparseTensor:
    """`sp_values` at the places whose last entry is the number that `sp_ids` holds there.

    sp_ids: one sparse tensor of numbers below `vocab_size`, or a list of them and of sizes: then
    each gives one more dimension.
    """
    several = isinstance(sp_ids, Sequence) and not isinstance(sp_ids, tuple)
    ids = [as_sparse(x) for x in (sp_ids if several else [sp_ids])]
    sizes = list(vocab_size) if several else [vocab_size]
    if len(ids) != len(sizes):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    sp_values = as_sparse(sp_values)
    with name_scope(name, "SparseMerge", [ids[0].values, sp_values.values]):
        rank = ids[0].dense_shape.get_shape()[0].value
        rank = apply("Size", ids[0].dense_shape) if rank is None else rank
        numbers = [apply("ExpandDims", cast_ops.to_int64(x.values), 1) for x in ids]
        outer = apply("Slice", ids[0].indices, [0, 0], [-1, rank - 1])
        extents = apply("Slice", ids[0].dense_shape, [0], [rank - 1])
        last = apply("Pack", [cast_ops.to_int64(convert_to_tensor(size)) for size in sizes])
        indices = apply("ConcatV2", [outer, *numbers], 1)
        shape = apply("ConcatV2", [extents, last], 0)
        result = SparseTensor(indices, sp_values.values, shape)
        if ids[0].get_shape().ndims is not None:
            known_sizes = [None if isinstance(v, Tensor) else int(v) for v in sizes]
            result._known_shape = ids[0].get_shape()[:-1].concatenate(known_sizes)
        return result if already_sorted else _reordered(result)


def _reordered(x: SparseTensor) -> SparseTensor:
    """`x` in order, of which as much of the shape is known."""
    result = sparse_reorder(x)
    result._known_shape = x.get_shape()
    return result
