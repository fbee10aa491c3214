"""Orders of axes for Transpose, of tensors whose rank may not be known yet."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ops.shape_ops import rank


def swapped_with_last(x: Tensor, axis: int) -> Any:
    """All axes of `x`, with `axis` and the last one exchanged: a list, or a vector that is
    computed."""
    known = x.get_shape().ndims
    if known is not None:
        _check(axis, known)
        order = list(range(known))
        order[axis], order[-1] = order[-1], order[axis]
        return order
    count = rank(x)
    axes, last, at = apply("Range", 0, count, 1), count - 1, axis % count
    others = apply("Select", apply("Equal", axes, last), _filled(axes, at), axes)
    return apply("Select", apply("Equal", axes, at), _filled(axes, last), others)


def moved_to_end(x: Tensor, axis: int) -> Any:
    """All axes of `x`, with `axis` after the others: a list, or a vector that is computed."""
    known = x.get_shape().ndims
    if known is not None:
        _check(axis, known)
        order = list(range(known))
        order.append(order.pop(axis))
        return order
    count = rank(x)
    at = axis % count
    spans = [apply("Range", 0, at, 1), apply("Range", at + 1, count, 1)]
    return apply("ConcatV2", [*spans, apply("ExpandDims", at, 0)], 0)


def _check(axis: int, rank: int) -> None:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for a tensor of rank {rank}")


def _filled(like: Tensor, number: Tensor) -> Tensor:
    result: Tensor = apply("ZerosLike", like) + number
    return result
