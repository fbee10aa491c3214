"""The functions of several sparse tensors, and of a sparse and a dense one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.ops import cast_ops, gather_ops, matmul_ops, reduction_ops, stitch_ops
from tfc.ops.sparse.common import as_sparse
from tfc.ops.sparse.functions import known


def _is_sparse(x: Any) -> bool:
    return isinstance(x, SparseTensor | SparseTensorValue)


def _three(*tensors: SparseTensor) -> list[Tensor]:
    return [part for x in tensors for part in (x.indices, x.values, x.dense_shape)]


def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """The sum of two sparse tensors, which is sparse, or of a sparse and a dense one.

    threshold: sums that are smaller in magnitude are left out of a sparse result; 0 keeps all.
    thresh: its deprecated name.

    Raises:
      TypeError: neither is sparse. ValueError: shapes that differ.
    """
    if threshold is not None and thresh is not None:
        raise ValueError("Cannot specify both 'thresh' and 'threshold'")
    limit = thresh if threshold is None else threshold
    if not _is_sparse(a) and not _is_sparse(b):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if not (_is_sparse(a) and _is_sparse(b)):
        sparse, dense = (as_sparse(a), b) if _is_sparse(a) else (as_sparse(b), a)
        return apply("SparseTensorDenseAdd", *_three(sparse), dense)
    a, b = as_sparse(a), as_sparse(b)
    real = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}
    dtype = a.dtype.base_dtype
    limit = convert_to_tensor(0 if limit is None else limit, real.get(dtype, dtype), "threshold")
    shape = a.get_shape().merge_with(b.get_shape())
    indices, values, extents = apply("SparseAdd", *_three(a, b), limit)
    return SparseTensor(indices, values, known(shape, extents))


def _extreme(op: str, a: Any, b: Any, name: str | None) -> SparseTensor:
    a, b = as_sparse(a), as_sparse(b)
    with name_scope(name, op, [a.indices, a.values, b.indices, b.values]):
        indices, values = apply(op, *_three(a, b))
        return SparseTensor(indices, values, a.dense_shape)


def sparse_maximum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The greater of two sparse tensors of one shape, element by element, at the places of both;
    what one lacks is 0."""
    return _extreme("SparseSparseMaximum", sp_a, sp_b, name)


def sparse_minimum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The smaller of two sparse tensors of one shape, element by element, at the places of both;
    what one lacks is 0."""
    return _extreme("SparseSparseMinimum", sp_a, sp_b, name)


def sparse_concat(
    axis: int | None,
    sp_inputs: Sequence[Any],
    name: str | None = None,
    expand_nonconcat_dim: bool = False,
    concat_dim: int | None = None,
    expand_nonconcat_dims: bool | None = None,
) -> SparseTensor:
    """Sparse tensors behind each other along `axis`, places in order.

    expand_nonconcat_dim: the other dimensions may differ, and become the largest of them;
    `expand_nonconcat_dims` is its other name. concat_dim: deprecated name of `axis`.

    Raises:
      TypeError: no list of sparse tensors. InvalidArgumentError, when run: other dimensions
        differ, or there is no such axis.
    """
    if axis is None:
        axis = concat_dim
    if expand_nonconcat_dims is not None:
        expand_nonconcat_dim = expand_nonconcat_dims
    if axis is None:
        raise ValueError("sparse_concat takes an axis")
    if not isinstance(sp_inputs, list | tuple):
        raise TypeError("sp_inputs must be a list of SparseTensors")
    inputs = [as_sparse(x) for x in sp_inputs]
    if not inputs:
        raise ValueError("sparse_concat takes at least one SparseTensor")
    if len(inputs) == 1:
        return inputs[0]
    indices = [x.indices for x in inputs]
    shapes = [cast_ops.to_int64(x.dense_shape) for x in inputs]
    dims = [x.get_shape() for x in inputs]
    if expand_nonconcat_dim:
        shapes, dims = _expanded(shapes, dims, axis)
    values = [x.values for x in inputs]
    parts = apply("SparseConcat", indices, values, shapes, concat_dim=axis, name=name)
    places, data, extents = parts
    return SparseTensor(places, data, known(_concat_shape(dims, axis), extents))


def _expanded(
    shapes: list[Tensor], dims: list[TensorShape], axis: int
) -> tuple[list[Tensor], list[TensorShape]]:
    """Every shape with the largest extents of all, but for `axis`."""
    largest = reduction_ops.reduce_max(apply("Pack", shapes), 0)
    rank = largest.get_shape()[0].value
    if rank is None:
        count = apply("Size", largest)
        own = apply("Equal", apply("Range", 0, count, 1), axis % count)
        return [apply("Select", own, x, largest) for x in shapes], [TensorShape(None)] * len(dims)
    at = axis % rank
    own = np.arange(rank) == at
    shapes = [apply("Select", own, shape, largest) for shape in shapes]
    if all(d.is_fully_defined() for d in dims):
        columns = zip(*(d.as_list() for d in dims), strict=True)
        most = [max(extent or 0 for extent in column) for column in columns]
        dims = [TensorShape([*most[:at], d.as_list()[at], *most[at + 1 :]]) for d in dims]
    return shapes, dims


def _concat_shape(dims: list[TensorShape], axis: int) -> TensorShape:
    rank = dims[0].ndims
    if rank is None or not all(d.is_fully_defined() for d in dims) or not -rank <= axis < rank:
        return TensorShape(None)
    rows = [d.as_list() for d in dims]
    at = axis % rank
    if any(r[:at] + r[at + 1 :] != rows[0][:at] + rows[0][at + 1 :] for r in rows):
        return TensorShape(None)  # an error when it runs
    return TensorShape([*rows[0][:at], sum(r[at] for r in rows), *rows[0][at + 1 :]])


class KeywordRequired:
    """The default of a first argument that stands for: arguments come by keyword."""

    def __repr__(self) -> str:
        return "KeywordRequired()"


def sparse_split(
    keyword_required: Any = KeywordRequired(),  # noqa: B008  (immutable)
    sp_input: Any = None,
    num_split: int | None = None,
    axis: Any = None,
    name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:
    """A sparse tensor in `num_split` parts along `axis`; the first are longer by one if it does
    not divide. All arguments come by keyword. split_dim: deprecated name of `axis`.

    Raises:
      ValueError: an argument without its keyword, or missing.
    """
    if not isinstance(keyword_required, KeywordRequired):
        raise ValueError("Keyword arguments are required for this function.")
    if sp_input is None or num_split is None:
        raise ValueError("sp_input is required" if sp_input is None else "num_split is required")
    axis = split_dim if axis is None else axis
    if axis is None:
        raise ValueError("axis is required")
    x = as_sparse(sp_input)
    dim = convert_to_tensor(axis, dtypes.int64)
    parts = apply("SparseSplit", dim, *_three(x), num_split=num_split, name=name)
    return [SparseTensor(*part) for part in zip(*parts, strict=True)]


def sparse_tensor_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse matrix `sp_a` and a dense matrix `b`, or of a dense one and a
    sparse one; `adjoint_a`, `adjoint_b`: transposed and conjugated first.

    Raises:
      ValueError: dimensions that do not fit. InvalidArgumentError, when run: the same, or places
        outside of the matrix.
    """
    if _is_sparse(b):
        turned = sparse_tensor_dense_matmul(b, sp_a, not adjoint_b, not adjoint_a, name)
        rows = apply("Transpose", turned, [1, 0])
        return apply("Conj", rows) if turned.dtype.is_complex else rows
    x = as_sparse(sp_a)
    with name_scope(name, "SparseTensorDenseMatMul", [x.indices, x.values, b]):
        b = convert_to_tensor(b, name="b")
        how: dict[str, Any] = dict(adjoint_a=adjoint_a, adjoint_b=adjoint_b)
        return apply("SparseTensorDenseMatMul", *_three(x), b, **how)


def sparse_matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of dense matrices of float32 or bfloat16, in float32. That they hold many zeros
    (`a_is_sparse`, `b_is_sparse`) changes nothing in the result."""
    a, b = (convert_to_tensor(x) for x in (a, b))
    for x in (a, b):
        if x.dtype.base_dtype not in (dtypes.float32, dtypes.bfloat16):
            raise TypeError(f"sparse_matmul takes float32 and bfloat16, not {x.dtype.name}")
    left, right = (cast_ops.cast(x, dtypes.float32) for x in (a, b))
    return matmul_ops.matmul(left, right, transpose_a, transpose_b, name=name)


def sparse_mask(a: IndexedSlices, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """The slices of `a` whose index is not among `mask_indices`."""
    with name_scope(name, "sparse_mask", [a.values, a.indices, mask_indices]):
        indices, kept = stitch_ops.setdiff1d(a.indices, mask_indices)
        values = gather_ops.gather(a.values, kept, name="values")
        return IndexedSlices(values, indices, a.dense_shape)
