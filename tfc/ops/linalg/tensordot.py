"""tensordot: the product of two tensors, summed over chosen axes of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ops import shape_rules as s
from tfc.ops.compare_ops import where
from tfc.ops.const_ops import constant
from tfc.ops.join_ops import concat, stack
from tfc.ops.matmul_ops import matmul
from tfc.ops.reduction_ops import reduce_prod
from tfc.ops.shape_ops import rank as rank_of
from tfc.ops.shape_ops import reshape, transpose
from tfc.ops.shape_ops import shape as shape_of


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over `axes`. The free axes of a, then those of b, remain.

    axes: a number n, for the last n axes of a and the first n of b; or two axes; or two lists of
    axes; or a tensor of two rows of axes. Negative axes count from the end.

    Raises:
      ValueError: there are no such axes, or their extents differ.
    """
    with name_scope(name, "Tensordot", [a, b, axes]) as scope:
        x, y = convert_to_tensor(a, name="a"), convert_to_tensor(b, name="b")
        axes_x, axes_y = _contracted(x, axes)
        left, free_x, dims_x = _as_matrix(x, axes_x, contracted_first=False)
        right, free_y, dims_y = _as_matrix(y, axes_y, contracted_first=True)
        product = matmul(left, right)
        known = dims_x is not None and dims_y is not None
        dims = [*(dims_x or []), *(dims_y or [])]
        if known and None not in dims:
            return reshape(product, dims, name=scope)
        result = reshape(product, concat([free_x, free_y], 0), name=scope)
        if known:
            result.set_shape(dims)
        return result


def _contracted(x: Tensor, axes: Any) -> tuple[Any, Any]:
    """The axes of both operands: lists of integers, or tensors."""
    if isinstance(axes, Tensor) and constant_value(axes) is not None:
        axes = np.asarray(constant_value(axes))
        axes = int(axes) if axes.ndim == 0 else axes
    if isinstance(axes, Tensor):
        pair = convert_to_tensor(axes, dtype=dtypes.int32, name="axes")
        return pair[0], pair[1]
    if isinstance(axes, int | np.integer):
        rank = x.get_shape().ndims
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if rank is not None and axes > rank:
            raise ValueError(
                f"`axes` must not be larger than the number of dimensions of tensor {x}.  "
                f"Received {axes}, vs tensor dimensions {rank}."
            )
        return list(range(-int(axes), 0)), list(range(int(axes)))
    if not isinstance(axes, list | tuple):
        axes = np.asarray(constant_value(convert_to_tensor(axes, dtype=dtypes.int32, name="axes")))
        if not axes.ndim:
            return _contracted(x, int(axes))
    if len(axes) != 2:
        raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
    if any(isinstance(which, Tensor) for which in axes):
        first, second = (convert_to_tensor(which, dtype=dtypes.int32) for which in axes)
        return reshape(first, [-1]), reshape(second, [-1])
    one, two = (np.ravel(np.asarray(which, np.int64)).tolist() for which in axes)
    if len(one) != len(two):
        raise ValueError(
            f"Different number of contraction axes `a` and `b`, {len(one)} != {len(two)}."
        )
    return one, two


def _as_matrix(
    x: Tensor, axes: Any, contracted_first: bool
) -> tuple[Tensor, Tensor, list[int | None] | None]:
    """`x` with its contracted and its free axes each as one dimension; the shape of the free axes
    as a tensor, and as far as it is known."""
    dims = s.dims_of(x.get_shape())
    if dims is None or isinstance(axes, Tensor):
        return _as_matrix_when_run(x, axes, contracted_first)
    contracted = _checked(axes, len(dims))
    free = [axis for axis in range(len(dims)) if axis not in contracted]
    perm = contracted + free if contracted_first else free + contracted
    moved = x if perm == list(range(len(dims))) else transpose(x, perm)
    free_dims = [dims[axis] for axis in free]
    inner, outer = s.product([dims[axis] for axis in contracted]), s.product(free_dims)
    if inner is not None and outer is not None and None not in dims:
        matrix = reshape(moved, [inner, outer] if contracted_first else [outer, inner])
        return matrix, constant(np.array(free_dims, np.int32)), free_dims
    matrix, free_shape = _reshaped(
        x, moved, constant(np.array(contracted, np.int32)), constant(np.array(free, np.int32)),
        contracted_first,
    )  # fmt: skip
    return matrix, free_shape, free_dims


def _checked(axes: Sequence[int], rank: int) -> list[int]:
    for axis in axes:
        if not -rank <= axis < rank:
            kind = ValueError if axis < 0 else IndexError  # as a list of extents is indexed
            raise kind(f"axis {axis} is out of range for a tensor of rank {rank}")
    found = [axis % rank for axis in axes]
    if len(set(found)) != len(found):
        raise ValueError(f"`axes` must not repeat an axis. Received {list(axes)}.")
    return found


def _as_matrix_when_run(
    x: Tensor, axes: Any, contracted_first: bool
) -> tuple[Tensor, Tensor, None]:
    rank = rank_of(x)
    given = axes if isinstance(axes, Tensor) else constant(np.array(axes, np.int32))
    contracted = where(given >= 0, given, given + rank)
    free, _ = apply("ListDiff", apply("Range", 0, rank, 1), contracted)
    order = [contracted, free] if contracted_first else [free, contracted]
    moved = transpose(x, concat(order, 0))
    matrix, free_shape = _reshaped(x, moved, contracted, free, contracted_first)
    return matrix, free_shape, None


def _reshaped(
    x: Tensor, moved: Tensor, contracted: Tensor, free: Tensor, contracted_first: bool
) -> tuple[Tensor, Tensor]:
    sizes = shape_of(x)
    free_shape = apply("GatherV2", sizes, free, 0)
    extents = [reduce_prod(apply("GatherV2", sizes, contracted, 0)), reduce_prod(free_shape)]
    return reshape(moved, stack(extents if contracted_first else extents[::-1])), free_shape
