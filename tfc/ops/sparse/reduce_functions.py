"""The functions that reduce sparse tensors."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops.sparse.common import as_sparse


def _reduce(
    op: str, sp_input: Any, axis: Any, keepdims: Any, reduction_axes: Any, keep_dims: Any
) -> Any:
    if axis is not None and reduction_axes is not None:
        raise ValueError("Cannot specify both 'axis' and 'reduction_axes'")
    if keepdims is not None and keep_dims is not None:
        raise ValueError("Cannot specify both 'keepdims' and 'keep_dims'")
    x = as_sparse(sp_input)
    axes = reduction_axes if axis is None else axis
    if axes is None:
        rank = x.dense_shape.get_shape()[0].value
        axes = apply("Range", 0, apply("Size", x.dense_shape), 1) if rank is None else range(rank)
        axes = list(axes) if isinstance(axes, range) else axes
    keep = bool(keep_dims if keepdims is None else keepdims)
    return apply(op, x.indices, x.values, x.dense_shape, axes, keep_dims=keep)


def sparse_reduce_sum(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The sum of a sparse tensor along `axis` (all axes, if None), a dense tensor.

    keepdims: reduced axes stay, with one element. reduction_axes, keep_dims: deprecated names.

    Raises:
      ValueError: both names of an argument. InvalidArgumentError, when run: there is no such axis.
    """
    return _reduce("SparseReduceSum", sp_input, axis, keepdims, reduction_axes, keep_dims)


def sparse_reduce_max(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The greatest of the values along `axis`, 0 where there is none; arguments and errors as of
    `sparse_reduce_sum`."""
    return _reduce("SparseReduceMax", sp_input, axis, keepdims, reduction_axes, keep_dims)


def sparse_reduce_sum_sparse(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> SparseTensor:
    """The sum along `axis` as a sparse tensor, with a value wherever one was added; arguments and
    errors as of `sparse_reduce_sum`."""
    parts = (sp_input, axis, keepdims, reduction_axes, keep_dims)
    return SparseTensor(*_reduce("SparseReduceSumSparse", *parts))


def sparse_reduce_max_sparse(
    sp_input: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    reduction_axes: Any = None,
    keep_dims: bool | None = None,
) -> SparseTensor:
    """The greatest along `axis` as a sparse tensor; arguments and errors as of
    `sparse_reduce_sum`."""
    parts = (sp_input, axis, keepdims, reduction_axes, keep_dims)
    return SparseTensor(*_reduce("SparseReduceMaxSparse", *parts))
