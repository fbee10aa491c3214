"""Frequencies in the order of their numbers, and back."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops.compare_ops import where
from tfc.ops.reverse_ops import roll
from tfc.ops.shape_ops import rank as rank_of
from tfc.ops.shape_ops import shape as shape_of


def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """`x` with the frequency 0 moved from the front to the middle of the axes (all, if None)."""
    return _shifted(x, axes, name, "fftshift", forward=True)


def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """`x` with the frequency 0 moved from the middle to the front of the axes (all, if None)."""
    return _shifted(x, axes, name, "ifftshift", forward=False)


def _shifted(x: Any, axes: Any, name: str | None, default: str, forward: bool) -> Tensor:
    with name_scope(name, default) as scope:
        tensor = convert_to_tensor(x)
        dims = shape_of(tensor)
        if axes is None:
            rank = tensor.get_shape().ndims
            every = apply("Range", 0, rank_of(tensor), 1) if rank is None else list(range(rank))
            at, extents = every, dims
        elif isinstance(axes, int):
            at, extents = axes, dims[axes]
        else:
            at = convert_to_tensor(axes, dtype=dtypes.int32)
            at = where(at < 0, at + rank_of(tensor), at)
            extents = apply("GatherV2", dims, at, 0)
        half = apply("FloorDiv", extents, 2)
        return roll(tensor, half if forward else -half, at, name=scope)
