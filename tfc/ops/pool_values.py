"""Lowering of pools: windows over every axis of an image or a volume, as TensorFlow's CPU kernels
treat numbers that have no order.

A maximum over the axes of images passes over NaN, and is the lowest finite number where a window
holds nothing greater; one over channels keeps a NaN that comes first. Volumes have -inf there, and
the lowest finite number only for the padding. (TensorFlow's kernel for volumes does so for full
packets of channels; what it gives for NaN in the channels that are left over depends on the
machine.) The gradient over images goes to the first element that none behind it exceeds; over
volumes to all that equal the result, or nearly so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.ir.core import Type, Value
from tfc.ops import windows as w
from tfc.ops.lowering import invalid

Geometry = tuple[tuple[int, ...], tuple[int, ...], w.Pairs]


def plain(build: Any, x: Value, attrs: dict[str, Any], deep: bool = False) -> Geometry:
    """Window, strides and padding over all axes of `x`, in its own layout.

    deep: whether windows over channels are possible.

    Raises:
      InvalidArgumentError: rank or window do not fit.
      UnimplementedError: windows over the batch, or over channels together with other axes.
    """
    layout = attrs.get("data_format", "NHWC")
    rank = len(layout)
    if x.type.rank != rank:
        raise invalid(build, f"tensor_in must be {rank}-dimensional")
    sizes, strides = tuple(attrs["ksize"]), list(attrs["strides"])
    channel = 1 if w.channels_first(layout) else rank - 1
    if sizes[0] != 1 or strides[0] != 1:
        raise _unimplemented(build, "Pooling is not yet supported on the batch dimension.")
    if sizes[channel] == 1:
        strides[channel] = 1  # as TensorFlow does, nothing is left out
    elif not deep:
        raise _unimplemented(build, "Pooling is not yet supported on the depth dimension.")
    elif strides[channel] != sizes[channel] or x.type.shape[channel] % sizes[channel]:
        raise _unimplemented(
            build,
            "Depthwise max pooling requires the depth window to equal the depth stride, and to "
            f"evenly divide the input depth: {sizes[channel]}, {strides[channel]} and "
            f"{x.type.shape[channel]}",
        )
    elif max(n for i, n in enumerate(sizes) if i != channel) > 1:
        raise _unimplemented(
            build,
            "MaxPooling supports exactly one of pooling across depth or pooling across "
            "width/height.",
        )
    wide = {"strides": (1, *strides, 1), "padding": attrs["padding"], "data_format": "NHWC"}
    if explicit := tuple(attrs.get("explicit_paddings") or ()):
        wide["explicit_paddings"] = (0, 0, *explicit, 0, 0)
        if any(n >= sizes[i // 2] for i, n in enumerate(explicit) if n):
            raise invalid(
                build,
                "Explicit padding must be less than the corresponding kernel size, but got "
                f"{list(explicit)} for {list(sizes)}",
            )
    at = w.window(build, x.type.shape, sizes, wide)
    return sizes, tuple(strides), at.padding


def _unimplemented(build: Any, message: str) -> errors.OpError:
    return errors.UnimplementedError(None, build.op, message)


def _reduce(build: Any, x: Value, geometry: Geometry, kind: str) -> Value:
    sizes, strides, padding = geometry
    reduced: Value = p.reduce_window(
        build,
        x,
        window=sizes,
        strides=strides,
        dilations=(1,) * len(sizes),
        padding=padding,
        kind=kind,
    )
    return reduced


def lower_max(build: Any, x: Value, attrs: dict[str, Any]) -> Value:
    """The maximum of each window."""
    geometry = sizes, strides, padding = plain(build, x, attrs, deep=len(x.type.shape) == 4)
    if x.type.dtype not in dtypes.FLOATS:
        return _reduce(build, x, geometry, "max")
    channel = 1 if w.channels_first(attrs.get("data_format", "NHWC")) else len(sizes) - 1
    if len(sizes) == 4 and sizes[channel] == 1:
        return _reduce(build, x, geometry, "fmax")
    known = _over(build, x, -np.inf)
    if len(sizes) == 4:
        best = _reduce(build, known, geometry, "max")
        first = p.slice_(build, x, start=(0,) * 4, limit=x.type.shape, stride=strides)
        return p.select(build, p.ne(build, first, first), first, best)
    best = _reduce(build, known, _late(x, geometry, attrs), "max")
    if not any(low or high for low, high in padding):
        return best
    counts = _window_counts(build, x.type.shape, "i32", geometry)
    touched = p.lt(build, counts, p.full_like(build, counts, int(np.prod(sizes))))
    return p.select(build, touched, _over(build, best, p.identity("fmax", x.type.dtype)), best)


def _over(build: Any, x: Value, low: Any) -> Value:
    """`low` where an element is not greater than that, as where it is NaN."""
    floor = p.full_like(build, x, low)
    return p.select(build, p.gt(build, x, floor), x, floor)


def _late(x: Value, geometry: Geometry, attrs: dict[str, Any]) -> Geometry:
    """Where windows over a volume begin: if a stride is greater than its window, TensorFlow's
    kernel for volumes takes half of what "SAME" leaves over off the front."""
    sizes, strides, padding = geometry
    if attrs["padding"] != "SAME":
        return geometry
    moved = []
    for n, k, stride, pads in zip(x.type.shape, sizes, strides, padding, strict=True):
        spare = n - (-(-n // stride) - 1) * stride - k
        skipped = spare // 2 if n and spare > 0 else 0
        moved.append((-skipped, skipped) if skipped else pads)
    return sizes, strides, tuple(moved)


def lower_max_grad(build: Any, x: Value, y: Value, dy: Value, attrs: dict[str, Any]) -> Value:
    """`dy` at the maxima of the windows."""
    geometry = sizes, strides, padding = plain(build, x, attrs)
    _check_gradient(build, "grad", dy, x, geometry)
    if len(sizes) == 5:
        _check_gradient(build, "orig_output", y, x, geometry)
        return p.scatter_near(build, x, y, dy, window=sizes, strides=strides, padding=padding)
    return p.select_and_scatter(build, x, dy, window=sizes, strides=strides, padding=padding)


def _check_gradient(build: Any, what: str, dy: Value, x: Value, geometry: Geometry) -> None:
    expected = tuple(
        max((n + low + high - k) // stride + 1, 0)
        for n, k, stride, (low, high) in zip(x.type.shape, *geometry, strict=True)
    )
    if dy.type.shape != expected:
        raise invalid(
            build,
            f"Expected {what} shape to be {list(expected)}, but got {list(dy.type.shape)}",
        )


def _pad(build: Any, v: Value, fill: Value, low: Sequence[int], high: Sequence[int]) -> Value:
    if not any(low) and not any(high):
        return v
    interior = (0,) * v.type.rank
    return p.pad(build, v, fill, low=tuple(low), high=tuple(high), interior=interior)


def lower_max_grad_grad(build: Any, x: Value, y: Value, ddx: Value, attrs: dict[str, Any]) -> Value:
    """`ddx` at the first element of each window that equals `y`; 0 where none does."""
    sizes, strides, padding = geometry = plain(build, x, attrs)
    _check_gradient(build, "orig_output", y, x, geometry)
    found = p.full_like(build, y, 0)
    if y.type.size == 0:
        return found
    low, high = tuple(a for a, _ in padding), tuple(b for _, b in padding)
    zero = p.constant(build, 0, x.type.dtype)
    wide, given = (_pad(build, v, zero, low, high) for v in (x, ddx))
    there = p.splat(build, True, Type("i1", x.type.shape))
    there = _pad(build, there, p.constant(build, False), low, high)
    for offset in reversed(list(np.ndindex(*sizes))):
        parts = (_part(build, v, offset, y.type.shape, strides) for v in (wide, given, there))
        part, value, inside = parts
        here = p.and_(build, inside, p.eq(build, part, y))
        found = p.select(build, here, value, found)
    return found


def _part(
    build: Any, x: Value, offset: Sequence[int], counts: Sequence[int], strides: Sequence[int]
) -> Value:
    """The element at `offset` of each window of a padded image."""
    limit = tuple(
        o + (n - 1) * stride + 1 for o, n, stride in zip(offset, counts, strides, strict=True)
    )
    part: Value = p.slice_(build, x, start=tuple(offset), limit=limit, stride=tuple(strides))
    return part


def argmax(build: Any, x: Value, geometry: Geometry) -> tuple[Value, Value]:
    """Maximum of each window of `x`, and the flat position of the first place it stands at."""
    sizes, strides, padding = geometry
    dims, best, place = x.type.shape, None, None
    counts = tuple(
        max((n + low + high - k) // stride + 1, 0)
        for n, k, stride, (low, high) in zip(dims, sizes, strides, padding, strict=True)
    )
    if 0 in counts or 0 in dims:
        return tuple(p.splat(build, 0, Type(t, counts)) for t in (x.type.dtype, "i64"))  # type: ignore[return-value]
    flat = p.reshape(build, p.iota(build, dtype="i64", shape=(x.type.size,), dim=0), shape=dims)
    lowest = p.constant(build, p.identity("max", x.type.dtype), x.type.dtype)
    low, high = [a for a, _ in padding], [b for _, b in padding]
    wide = _pad(build, x, lowest, low, high)
    where = _pad(build, flat, p.constant(build, -1, "i64"), low, high)
    for offset in np.ndindex(*sizes):
        part, at = (_part(build, v, offset, counts, strides) for v in (wide, where))
        if best is None or place is None:
            best, place = part, at
            continue
        inside = p.ge(build, at, p.full_like(build, at, 0))
        first = p.lt(build, place, p.full_like(build, place, 0))
        higher = p.and_(build, inside, p.or_(build, first, p.gt(build, part, best)))
        best, place = p.select(build, higher, part, best), p.select(build, higher, at, place)
    assert best is not None and place is not None
    return best, place


def _window_counts(build: Any, dims: Sequence[int], dtype: str, geometry: Geometry) -> Value:
    """How many elements of an image of extents `dims` each window covers."""
    total = np.ones((), np.int64)
    for d, k, stride, (low, high) in zip(dims, *geometry, strict=True):
        count = max((d + low + high - k) // stride + 1, 0)
        starts = np.arange(count) * stride - low
        covered = np.minimum(starts + k, d) - np.maximum(starts, 0)
        total = np.multiply.outer(total, covered)
    if not total.size or (total == total.flat[0]).all():
        least = int(total.flat[0]) if total.size else 1
        return p.splat(build, least, Type(dtype, total.shape))
    # the counts differ along padded axes only: a small constant, repeated along the others
    kept = [i for i, pads in enumerate(geometry[2]) if pads != (0, 0)]
    slim = total[tuple(slice(None) if i in kept else 0 for i in range(total.ndim))]
    small = p.constant(build, slim.astype(dtypes.numpy_dtype(dtype)))
    return p.broadcast(build, small, dims=tuple(kept), shape=total.shape)


def lower_avg(build: Any, x: Value, attrs: dict[str, Any]) -> Value:
    """The mean of each window; padding does not count."""
    geometry = plain(build, x, attrs)
    counts = _window_counts(build, x.type.shape, x.type.dtype, geometry)
    if len(x.type.shape) == 5:
        geometry = _late(x, geometry, attrs)
    total = _reduce(build, x, geometry, "add")
    return p.div(build, total, counts)


def lower_avg_grad(build: Any, dims: Sequence[int], dy: Value, attrs: dict[str, Any]) -> Value:
    """Each element of `dy` over its window's count, spread over that window."""
    zero = p.constant(build, 0, dy.type.dtype)
    image = p.broadcast(build, zero, dims=(), shape=tuple(dims))
    sizes, strides, padding = geometry = plain(build, image, attrs)
    _check_gradient(build, "grad", dy, image, geometry)
    if dy.type.size == 0:
        return image
    share = p.div(build, dy, _window_counts(build, dims, dy.type.dtype, geometry))
    if all(k <= stride for k, stride in zip(sizes, strides, strict=True)):
        return _spread_apart(build, share, dims, geometry)
    # The transpose of a window sum: dy spread out by the strides, summed over mirrored windows.
    low, high = [], []
    for d, n, k, stride, (before, _) in zip(
        dims, dy.type.shape, sizes, strides, padding, strict=True
    ):
        low.append(k - 1 - before)
        high.append(d - 1 + before - (n - 1) * stride)
    interior = tuple(stride - 1 for stride in strides)
    spread = p.pad(build, share, zero, low=tuple(low), high=tuple(high), interior=interior)
    rank = len(dims)
    return _reduce(build, spread, (sizes, (1,) * rank, ((0, 0),) * rank), "add")


def _spread_apart(build: Any, share: Value, dims: Sequence[int], geometry: Geometry) -> Value:
    """For each element of an image of extents `dims` what its window has; windows do not overlap,
    and what lies in none has 0."""
    shape: list[int] = []
    gaps: list[int] = []
    places: list[int] = []
    start, missing = [], []
    for d, n, k, stride, (before, _) in zip(dims, share.type.shape, *geometry, strict=True):
        places.append(len(shape))
        shape += [n, k] if stride > 1 else [n]
        gaps += [0, stride - k] if stride > 1 else [0]
        start.append(before)
        missing.append(max(before + d - n * stride, 0))
    zero, none = p.constant(build, 0, share.type.dtype), (0,) * len(shape)
    v = p.broadcast(build, share, dims=tuple(places), shape=tuple(shape))
    if any(gaps):
        v = p.pad(build, v, zero, low=none, high=tuple(gaps), interior=none)
    whole = (n * stride for n, stride in zip(share.type.shape, geometry[1], strict=True))
    v = p.reshape(build, v, shape=tuple(whole))
    v = _pad(build, v, zero, (0,) * len(dims), missing)
    limit = tuple(first + d for first, d in zip(start, dims, strict=True))
    cut: Value = p.slice_(build, v, start=tuple(start), limit=limit, stride=(1,) * len(dims))
    return cut
