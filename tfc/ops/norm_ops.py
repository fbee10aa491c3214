"""Norms and traces of tensors, and random crops: functions made of other ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import shape_ops
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import constant
from tfc.ops.control_ops import Assert, identity_with_dependencies
from tfc.ops.join_ops import concat
from tfc.ops.random_ops import random_uniform
from tfc.ops.reduction_ops import keep, reduce_all, reduce_max, reduce_sum
from tfc.ops.slice_ops import slice_
from tfc.ops.unary_api import abs_, conj

_SQUARES = ("euclidean", "fro", 2)
_AXES = "'axis' must be None, an integer, or a tuple of 2 unique integers"


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the main diagonal of every matrix."""
    from tfc.ops.linalg.diagonal_ops import matrix_diag_part

    with name_scope(name, "Trace", [x]) as scope:
        tensor = convert_to_tensor(x, name="x")
        return reduce_sum(matrix_diag_part(tensor), [-1], name=scope)


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The norm over `axis`: of vectors for an integer, of matrices for two, of all elements for
    None. The 2-norm of matrices is their greatest singular value.

    Raises:
      ValueError: `axis` or `ord` is none of those.
    """
    kept = keep(keepdims, keep_dims)
    axes = _norm_axes(axis)
    of_matrix = axes is not None and len(axes) == 2
    _check_order(ord, of_matrix)
    with name_scope(name, "norm", [tensor]):
        x = convert_to_tensor(tensor)
        if of_matrix and ord == 2 and axes is not None:
            result = _spectral(x, axes)
        elif ord in _SQUARES:
            result = apply("Sqrt", reduce_sum(x * conj(x), axes, True))
        else:
            result = _of_magnitudes(abs_(x), ord, axes, of_matrix)
        return result if kept else shape_ops.squeeze(result, axes)


def _norm_axes(axis: Any) -> tuple[int, ...] | None:
    if isinstance(axis, (tuple, list)) and len(axis) == 2:
        if not all(isinstance(a, int) for a in axis) or axis[0] == axis[1]:
            raise ValueError(f"{_AXES}, got {axis}")
        return tuple(axis)
    if axis is None:
        return None
    if not isinstance(axis, int):
        raise ValueError(f"{_AXES}, got {axis}")
    return (axis,)


def _check_order(ord: Any, of_matrix: bool) -> None:
    if of_matrix:
        known: list[Any] = ["euclidean", "fro", 1, 2, np.inf]
        if ord not in known:
            raise ValueError(f"'ord' must be a supported matrix norm in {known}, got {ord}")
        return
    named = ord in ("euclidean", 1, 2, np.inf)
    if not named and (isinstance(ord, str) or not np.isreal(ord) or ord <= 0):
        raise ValueError(f"'ord' must be a supported vector norm, got {ord}")


def _of_magnitudes(x: Tensor, ord: Any, axes: tuple[int, ...] | None, of_matrix: bool) -> Tensor:
    """The norm of order `ord`, not 2, of absolute values `x`; dimensions stay."""
    first = None if axes is None else axes[0]
    last = None if axes is None else axes[-1]
    if ord == 1:
        sums = reduce_sum(x, first, True)
        return reduce_max(sums, last, True) if of_matrix else sums
    if ord == np.inf:
        return reduce_max(reduce_sum(x, last, True) if of_matrix else x, first, True)
    return apply("Pow", reduce_sum(apply("Pow", x, ord), axes, True), 1.0 / ord)


def _spectral(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The greatest singular value over two axes, which stay."""
    rank = x.get_shape().ndims
    if rank is None:
        count = apply("Rank", x)
        last = apply("FloorMod", constant(list(axes)) + count, count)
        others, _ = apply("ListDiff", apply("Range", 0, count, 1), last)
        front = concat([others, last], 0)
        back = apply("InvertPermutation", front)
    else:
        for axis in axes:
            if not -rank <= axis < rank:
                raise ValueError(f"'axis' {axis} is out of range for a tensor of rank {rank}")
        pair = [axis % rank for axis in axes]
        order = [axis for axis in range(rank) if axis not in pair] + pair
        # TensorFlow finds the order in a loop, and so knows the rank alone of what is made of it;
        # a default that could be replaced is not folded either.
        front = apply("PlaceholderWithDefault", constant(order), shape=[rank])
        back = apply("InvertPermutation", front)
    from tfc.ops.linalg.decomposition_ops import svd

    values = svd(shape_ops.transpose(x, front), compute_uv=False)
    greatest = shape_ops.expand_dims(reduce_max(values, -1, True), -1)
    return shape_ops.transpose(greatest, back)


def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(`tensor` divided by its norm over `axis`, that norm with the axes kept). As for `norm`.

    Raises:
      ValueError: `axis` or `ord` is none of those of `norm`.
    """
    with name_scope(name, "normalize", [tensor]):
        x = convert_to_tensor(tensor)
        size = cast(norm(x, ord, axis=axis, keepdims=True), x.dtype.base_dtype)
        return x / size, size


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """A piece of `value` of shape `size`, from a random place. It is an error of the run if
    `value` is smaller."""
    with name_scope(name, "random_crop", [value, size]) as scope:
        value = convert_to_tensor(value, name="value")
        size = convert_to_tensor(size, dtype=dtypes.int32, name="size")
        shape = shape_ops.shape(value)
        fits = reduce_all(apply("GreaterEqual", shape, size))
        check = Assert(fits, ["Need value.shape >= size, got ", shape, size], summarize=1000)
        shape = identity_with_dependencies([check], shape)
        limit = shape - size + 1
        places = random_uniform(
            shape_ops.shape(shape), dtype=size.dtype, maxval=size.dtype.max, seed=seed
        )
        return slice_(value, begin=places % limit, size=size, name=scope)
