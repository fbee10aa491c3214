"""Frames of a signal, and signals of overlapping frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ops import shape_rules as s
from tfc.ops.const_ops import constant, zeros
from tfc.ops.join_ops import concat
from tfc.ops.pad_ops import pad
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.shape_ops import expand_dims, reshape, transpose
from tfc.ops.shape_ops import rank as rank_of
from tfc.ops.shape_ops import shape as shape_of

Number = Any  # an int, or an int32 scalar tensor


def number(value: Any, what: str) -> Number:
    """`value` as an int where the graph knows it, else as a scalar tensor.

    Raises:
      ValueError: it is no scalar integer.
    """
    tensor = convert_to_tensor(value, name=what)
    if not tensor.dtype.base_dtype.is_integer:
        raise ValueError(f"{what} must be an integer. Got {tensor.dtype}")
    if tensor.get_shape().ndims not in (None, 0):
        raise ValueError(f"{what} must be a scalar, but has shape {tensor.get_shape()}")
    known = constant_value(tensor)
    if known is not None:
        return int(known)
    if tensor.dtype.base_dtype != dtypes.int32:
        tensor = apply("Cast", tensor, DstT=dtypes.int32)
    return tensor


def extent(x: Tensor, axis: int) -> Number:
    """The extent of an axis, counted from the end: a number where it is known."""
    dims = s.dims_of(x.get_shape())
    if dims is not None and not -len(dims) <= axis < len(dims):
        raise ValueError(f"axis {axis} is out of range for {x.name} of shape {x.get_shape()}")
    known = None if dims is None else dims[axis]
    return shape_of(x)[axis] if known is None else known


def vector(*numbers: Number) -> Tensor:
    """A vector of numbers that are known or not."""
    if any(isinstance(n, Tensor) for n in numbers):
        return apply("Pack", [n if isinstance(n, Tensor) else constant(n) for n in numbers])
    return constant(np.array(numbers, np.int32))


def at_least(x: Number, least: int) -> Number:
    """The greater of `x` and `least`."""
    return apply("Maximum", x, least) if isinstance(x, Tensor) else max(x, least)


def check_rank(x: Tensor, least: int) -> None:
    """ValueError if `x` surely has fewer axes."""
    rank = x.get_shape().ndims
    if rank is not None and rank < least:
        raise ValueError(f"Shape {x.get_shape()} must have rank at least {least}")


def pad_last(x: Tensor, before: Number, after: Number, value: Any = 0) -> Tensor:
    """`x` continued along its last axis."""
    rank = x.get_shape().ndims
    if rank is not None and not isinstance(before, Tensor) and not isinstance(after, Tensor):
        return pad(x, [[0, 0]] * (rank - 1) + [[before, after]], constant_values=value)
    outer = zeros(vector(rank_of(x) - 1 if rank is None else rank - 1, 2), dtype=dtypes.int32)
    ends = expand_dims(vector(before, after), 0)
    return pad(x, concat([outer, ends], 0), constant_values=value)


def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: Any = 0,
    axis: Any = -1,
    name: str | None = None,
) -> Tensor:
    """Frames of `frame_length` numbers, one every `frame_step`, along `axis`, which becomes two
    axes [frames, frame_length].

    pad_end: as many frames as steps begin within the signal, the last ones filled with `pad_value`;
    else only whole frames.

    Raises:
      ValueError: a length is no scalar integer, or there is no axis.
    """
    with name_scope(name, "frame", [signal, frame_length, frame_step, pad_value]):
        x = convert_to_tensor(signal, name="signal")
        check_rank(x, 1)
        length, step = number(frame_length, "frame_length"), number(frame_step, "frame_step")
        at = number(axis, "axis")
        rank, dims = x.get_shape().ndims, s.dims_of(x.get_shape())
        if not isinstance(at, Tensor) and rank is not None:
            if not -rank <= at < rank:
                raise ValueError(f"axis {at} is out of range for a signal of rank {rank}")
            at %= rank
            samples = extent(x, at)
        else:
            at = apply("FloorMod", at + rank_of(x), rank_of(x))
            samples = apply("GatherV2", shape_of(x), at, 0)
        if pad_end:
            count = -(-samples // step)
            missing = at_least(length + step * (count - 1) - samples, 0)
            x = _pad_at(x, at, missing, pad_value)
        else:
            count = at_least(1 + (samples - length) // step, 0)
        starts = expand_dims(_range(count) * step, 1)
        places = starts + expand_dims(_range(length), 0)
        frames = apply("GatherV2", x, places, at)
        static = _static_shape(dims, at, count, length)
        if static is not None:
            frames.set_shape(static)
        return frames


def _range(count: Number) -> Tensor:
    return apply("Range", 0, count, 1)


def _pad_at(x: Tensor, at: Number, missing: Number, value: Any) -> Tensor:
    rank = x.get_shape().ndims
    behind = (rank_of(x) if rank is None else rank) - 1 - at
    paddings = concat(
        [
            zeros(vector(at, 2), dtype=dtypes.int32),
            expand_dims(vector(0, missing), 0),
            zeros(vector(behind, 2), dtype=dtypes.int32),
        ],
        0,
    )
    value = convert_to_tensor(value, dtype=x.dtype.base_dtype)
    return pad(x, paddings, constant_values=value)


def _static_shape(
    dims: list[int | None] | None, at: Number, count: Number, length: Number
) -> list[int | None] | None:
    if dims is None:
        return None
    if isinstance(at, Tensor):
        return [None] * (len(dims) + 1)
    made = [None if isinstance(n, Tensor) else n for n in (count, length)]
    return [*dims[:at], *made, *dims[at + 1 :]]


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """The sum of frames [..., frames, frame_length], each `frame_step` numbers behind the one
    before: the inverse of `frame` where frames do not overlap.

    Raises:
      ValueError: the rank is below 2, or `frame_step` is no scalar integer.
    """
    with name_scope(name, "overlap_and_add", [signal, frame_step]):
        x = convert_to_tensor(signal, name="signal")
        check_rank(x, 2)
        step = number(frame_step, "frame_step")
        length, frames = extent(x, -1), extent(x, -2)
        dims = s.dims_of(x.get_shape())
        outer = shape_of(x)[:-2]
        total = length + step * (frames - 1)

        def shaped(y: Tensor, *inner: Number) -> Tensor:
            result = reshape(y, concat([outer, vector(*inner)], 0))
            if dims is not None:
                ends = [None if isinstance(n, Tensor) else n for n in inner]
                result.set_shape([*dims[:-2], *ends])
            return result

        if not isinstance(length, Tensor) and not isinstance(step, Tensor) and step == length:
            return shaped(x, total)
        # Frames are cut into segments of one step. With a frame's segments one below the other,
        # each row is shifted by one more segment than the row above, so that columns add up.
        segments = -(-length // step)
        x = shaped(pad_last(x, 0, segments * step - length), frames, segments, step)
        x = _exchange(x, -3, -2)
        x = shaped(x, segments, frames * step)
        x = pad_last(x, 0, segments * step)
        x = shaped(x, segments * (frames + segments), step)
        x = x[..., : segments * (frames + segments - 1), :]
        x = reduce_sum(shaped(x, segments, (frames + segments - 1) * step), -2)
        return shaped(x[..., :total], total)


def _exchange(x: Tensor, first: int, second: int) -> Tensor:
    rank = x.get_shape().ndims
    if rank is not None:
        order = list(range(rank))
        order[first], order[second] = order[second], order[first]
        return transpose(x, order)
    count = rank_of(x)
    return transpose(
        x, concat([apply("Range", 0, count - 3, 1), vector(count - 2, count - 3, count - 1)], 0)
    )
