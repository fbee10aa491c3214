"""Clipping of values and of norms, and the norm over several tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import apply
from tfc.ops import cast_ops, const_ops, join_ops, reduction_ops, shape_ops


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """`t` with what is below the minimum or above the maximum replaced by it."""
    with name_scope(name, "clip_by_value", [t, clip_value_min, clip_value_max]) as scope:
        values = convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name="t")
        capped = apply("Minimum", values, clip_value_max)
        if not isinstance(t, IndexedSlices):
            values.get_shape().merge_with(capped.get_shape())
            result = apply("Maximum", capped, clip_value_min, name=scope)
            values.get_shape().merge_with(result.get_shape())
            return result
        result = apply("Maximum", capped, clip_value_min, name=scope)
        return IndexedSlices(result, t.indices, t.dense_shape)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """`t`, scaled down where its norm over `axes` (all of them if None) is above `clip_norm`.

    Raises:
      ValueError: `clip_norm` would broadcast `t` to another shape.
    """
    with name_scope(name, "clip_by_norm", [t, clip_norm]) as scope:
        values = convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name="t")
        squares = reduction_ops.reduce_sum(values * values, axes, keepdims=True)
        positive = squares > 0
        # The root is taken only where it is differentiable.
        safe = apply("Select", positive, squares, const_ops.ones_like(squares))
        norm = apply("Select", positive, apply("Sqrt", safe), squares)
        scaled = values * clip_norm
        values.get_shape().merge_with(scaled.get_shape())  # a norm must not make it larger
        largest = apply("Maximum", norm, _as_dtype(clip_norm, norm))
        result = apply("Identity", scaled / largest, name=scope)
        if isinstance(t, IndexedSlices):
            return IndexedSlices(result, t.indices, t.dense_shape)
        return result


def _as_dtype(value: Any, like: Tensor) -> Tensor:
    return convert_to_tensor(value, dtype=like.dtype.base_dtype)


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor:
    """The root of the sum of squares of all elements; None and empty entries are passed over.

    Raises:
      TypeError: `t_list` is not a sequence.
    """
    _check_sequence(t_list)
    tensors = [t for t in t_list if t is not None]
    with name_scope(name, "global_norm", tensors) as scope:
        halves = []
        for i, t in enumerate(tensors):
            values = t.values if isinstance(t, IndexedSlices) else t
            values = convert_to_tensor(values, name=f"t_{i}")
            halves.append(apply("L2Loss", values))
        half = reduction_ops.reduce_sum(join_ops.stack(halves, name="stack"))
        two = const_ops.constant(2.0, dtype=half.dtype)
        return apply("Sqrt", half * two, name=scope + "global_norm/" if scope else "global_norm")


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """The tensors scaled by clip_norm / max(global norm, clip_norm), and the global norm.

    Raises:
      TypeError: `t_list` is not a sequence.
    """
    _check_sequence(t_list)
    tensors = list(t_list)
    if use_norm is None:
        use_norm = global_norm(tensors, name)
    with name_scope(name, "clip_by_global_norm", [t for t in tensors if t is not None]) as scope:
        inverse = 1.0 / use_norm
        one = const_ops.constant(1.0, dtype=use_norm.dtype)
        limited = clip_norm * apply("Minimum", inverse, one / clip_norm)
        # An infinite or NaN norm makes every result NaN instead of zero.
        nan = const_ops.constant(np.nan, dtype=use_norm.dtype)
        scale = apply("Select", apply("IsFinite", use_norm), limited, nan)
        clipped: list[Any] = []
        for i, t in enumerate(tensors):
            if t is None:
                clipped.append(None)
                continue
            values = t.values if isinstance(t, IndexedSlices) else t
            values = convert_to_tensor(values, name=f"t_{i}")
            factor = cast_ops.cast(scale, values.dtype.base_dtype)
            value = const_ops.identity(values * factor, name=f"{scope}_{i}".replace("/_", "/t_"))
            sparse = isinstance(t, IndexedSlices)
            clipped.append(IndexedSlices(value, t.indices, t.dense_shape) if sparse else value)
        return clipped, use_norm


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """`t`, scaled down where its norm over its size is above `clip_norm`."""
    with name_scope(name, "clip_by_average_norm", [t, clip_norm]) as scope:
        values = convert_to_tensor(t, name="t")
        count = cast_ops.cast(shape_ops.size(values), values.dtype.base_dtype)
        axes = apply("Range", 0, shape_ops.rank(values), 1)
        squares = reduction_ops.reduce_sum(values * values, axes)
        inverse = apply("Rsqrt", squares)
        one = const_ops.constant(1.0, dtype=inverse.dtype)
        factor = apply("Minimum", inverse * count, one / clip_norm)
        return apply("Identity", values * clip_norm * factor, name=scope)


def _check_sequence(values: Any) -> None:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError("t_list should be a sequence")
