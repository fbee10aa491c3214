"""Resampling along one axis: which elements an output element is made of, and how they are read.

Sizes are known when an op is lowered, so positions and weights are constant tables, computed in
float32 as TensorFlow's kernels compute them. An image is resized axis by axis, which costs a few
reads an axis instead of their product. Where the table is regular, no table is read: steps are
strided slices, repeats are broadcasts, and their transposes are sums over blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.ir.core import Value

# Up to so many taps are written out: from 224 pixels to 50, six taps take 0.33 ms, and 6.2 as a
# reduction. More of them would be more code than they save.
UNROLLED = 16

_CUBIC_STEPS = 1024


Linear = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Taps:
    """Output element i is the sum over k of weight[i, k] * x[index[i, k]].

    used: False where an entry only fills the table. weight None: all ones.
    """

    index: np.ndarray
    weight: np.ndarray | None
    used: np.ndarray


def scale_of(size: int, new: int, align_corners: bool) -> np.float32:
    """Input elements an output element."""
    if align_corners and new > 1:
        return np.float32(np.float32(size - 1) / np.float32(new - 1))
    return np.float32(np.float32(size) / np.float32(new))


def positions(size: int, new: int, align_corners: bool, half_pixel: bool) -> np.ndarray:
    """Where each output element lies between the input elements."""
    scale, at = scale_of(size, new, align_corners), np.arange(new, dtype=np.float32)
    if half_pixel:
        return (at + np.float32(0.5)) * scale - np.float32(0.5)
    return at * scale


def nearest(size: int, new: int, align_corners: bool, half_pixel: bool) -> np.ndarray:
    """The input element that each output element repeats."""
    scale, at = scale_of(size, new, align_corners), np.arange(new, dtype=np.float32)
    place = (at + np.float32(0.5)) * scale if half_pixel else at * scale
    whole = np.floor(place)
    if align_corners:  # the nearest, halves upward
        whole = np.where(place - whole >= np.float32(0.5), whole + 1, whole)
    return np.clip(whole.astype(np.int64), 0, size - 1)


def linear(size: int, new: int, align_corners: bool, half_pixel: bool) -> Linear:
    """(element below, element above, how far between them) of each output element."""
    place = positions(size, new, align_corners, half_pixel)
    whole = np.floor(place)
    below = np.clip(whole.astype(np.int64), 0, size - 1)
    above = np.clip(np.ceil(place).astype(np.int64), 0, size - 1)
    return below, above, place - whole


def cubic(size: int, new: int, align_corners: bool, half_pixel: bool) -> Taps:
    """Four neighbours, by a table of 1024 steps of the cubic convolution.

    With half-pixel centers the cubic is that of Keys, and neighbours outside do not count; without
    them it is steeper (-0.75), and the border is repeated.
    """
    place = positions(size, new, align_corners, half_pixel)
    whole = np.floor(place)
    step = np.rint((place - whole) * np.float32(_CUBIC_STEPS)).astype(np.int64)
    near, far = _cubic_table(-0.5 if half_pixel else -0.75)
    rest = _CUBIC_STEPS - step
    weight = np.stack([far[step], near[step], near[rest], far[rest]], axis=1)
    wanted = whole.astype(np.int64)[:, None] + np.arange(-1, 3)
    index = np.clip(wanted, 0, size - 1)
    used = np.ones(index.shape, bool)
    if half_pixel:
        used = index == wanted
        weight = np.where(used, weight, np.float32(0))
        total = weight[:, 0] + weight[:, 1] + weight[:, 2] + weight[:, 3]
        large = np.abs(total) >= np.float32(1000) * np.finfo(np.float32).tiny
        over = np.float32(1) / np.where(large, total, np.float32(1))
        weight = np.where(large[:, None], weight * over[:, None], weight)
    return Taps(index, weight.astype(np.float32), used)


def _cubic_table(a: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a neighbour nearer than 1, and of one beyond, by step."""
    x = (np.arange(_CUBIC_STEPS + 1) / _CUBIC_STEPS).astype(np.float32)
    t = x.astype(np.float64)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    t = (x + np.float32(1)).astype(np.float64)
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return near.astype(np.float32), far.astype(np.float32)


def area(size: int, new: int, align_corners: bool) -> Taps:
    """The elements that an output element covers, by how much of each it covers; of one element
    there is nothing else."""
    if size == 1:
        return single(np.zeros(new, np.int64))
    scale, at = scale_of(size, new, align_corners), np.arange(new + 1, dtype=np.float32)
    begin, end = at[:-1] * scale, at[1:] * scale
    first, last = np.floor(begin).astype(np.int64), np.ceil(end).astype(np.int64)
    cells = first[:, None] + np.arange(max(int((last - first).max()), 1))
    used = cells < np.maximum(last, first + 1)[:, None]
    low, high = begin[:, None], end[:, None]
    left, right = cells.astype(np.float32), (cells + 1).astype(np.float32)
    starts = np.where(right > high, scale, right - low)
    weight = np.where(left < low, starts, np.where(right > high, high - left, np.float32(1)))
    weight = np.where(used, weight, 0).astype(np.float32)
    return Taps(np.clip(cells, 0, size - 1), weight, used)


def transposed(taps: Taps, size: int) -> Taps:
    """What each of the `size` input elements gives to the output: the gradient's taps."""
    new = taps.index.shape[0]
    dense: list[dict[int, float]] = [{} for _ in range(size)]
    weight = np.ones(taps.index.shape) if taps.weight is None else taps.weight
    for i in range(new):
        for k in np.flatnonzero(taps.used[i]):
            row = dense[taps.index[i, k]]
            row[i] = row.get(i, 0.0) + float(weight[i, k])
    most = max((len(row) for row in dense), default=0)
    index = np.zeros((size, max(most, 1)), np.int64)
    values, used = np.zeros(index.shape), np.zeros(index.shape, bool)
    for j, row in enumerate(dense):
        index[j, : len(row)], values[j, : len(row)] = list(row), list(row.values())
        used[j, : len(row)] = True
    return Taps(index, None if np.all(values[used] == 1) else values, used)


def single(index: np.ndarray) -> Taps:
    """One element for each output element."""
    column = index[:, None]
    return Taps(column, None, np.ones(column.shape, bool))


def two(below: np.ndarray, above: np.ndarray, between: np.ndarray) -> Taps:
    """`linear` as taps."""
    weight = np.stack([np.float32(1) - between, between], axis=1)
    index = np.stack([below, above], axis=1)
    return Taps(index, weight, np.ones(index.shape, bool))


# ---- as primitives


def take(build: Any, x: Value, axis: int, index: np.ndarray) -> Value:
    """`x[..., index, ...]`: the axis becomes the axes of `index`."""
    dims, flat = x.type.shape, index.ravel()
    before, after = dims[:axis], dims[axis + 1 :]
    out = (*before, *index.shape, *after)
    regular = _regular(build, x, axis, flat)
    if regular is not None:
        return regular if regular.type.shape == out else p.reshape(build, regular, shape=out)
    table = p.constant(build, index.astype(np.int32)[..., None])
    taken = p.gather(build, x, table, dims=(axis,))
    n, lead = index.ndim, len(before)
    order = (*range(n, n + lead), *range(n), *range(n + lead, len(out)))
    return taken if not lead else p.transpose(build, taken, perm=order)


def _regular(build: Any, x: Value, axis: int, flat: np.ndarray) -> Value | None:
    """Elements at equal steps, or each as often, without a table."""
    dims, count = x.type.shape, len(flat)
    if not count:
        return None
    step = int(flat[1] - flat[0]) if count > 1 else 1
    if step > 0 and np.array_equal(flat, flat[0] + step * np.arange(count)):
        if count == dims[axis]:
            return x
        start, limit = [0] * len(dims), list(dims)
        start[axis], limit[axis] = int(flat[0]), int(flat[-1]) + 1
        strides = tuple(step if d == axis else 1 for d in range(len(dims)))
        return p.slice(build, x, start=tuple(start), limit=tuple(limit), stride=strides)
    times = count // dims[axis]
    if times > 1 and np.array_equal(flat, np.repeat(np.arange(dims[axis]), times)):
        wide = (*dims[: axis + 1], times, *dims[axis + 1 :])
        kept = tuple(d for d in range(len(wide)) if d != axis + 1)
        x = p.broadcast(build, x, dims=kept, shape=wide)
        return p.reshape(build, x, shape=(*dims[:axis], count, *dims[axis + 1 :]))
    return None


def along(build: Any, table: np.ndarray, like: Value, axis: int) -> Value:
    """A constant table over the axes of `like` from `axis` on, repeated over the others."""
    value = p.constant(build, table)
    places = tuple(range(axis, axis + table.ndim))
    return p.broadcast(build, value, dims=places, shape=like.type.shape)


def resample(build: Any, x: Value, axis: int, taps: Taps) -> Value:
    """The axis of the float `x` resampled by `taps`."""
    if taps.index.shape[1] > UNROLLED:
        taken = take(build, x, axis, taps.index)
        if taps.weight is not None:
            taken = _weighted(build, taken, axis, taps.weight)
        taken = _only(build, taken, axis, taps.used)
        return p.reduce(build, taken, dims=(axis + 1,), kind="add")
    total: Value | None = None
    for k in range(taps.index.shape[1]):
        term = take(build, x, axis, taps.index[:, k])
        if taps.weight is not None:
            term = _weighted(build, term, axis, taps.weight[:, k])
        term = _only(build, term, axis, taps.used[:, k])
        total = term if total is None else p.add(build, total, term)
    assert total is not None
    return total


def _weighted(build: Any, x: Value, axis: int, weight: np.ndarray) -> Value:
    if np.all(weight == 1):
        return x
    table = weight.astype(dtypes.numpy_dtype(x.type.dtype))
    return p.mul(build, x, along(build, table, x, axis))


def _only(build: Any, x: Value, axis: int, used: np.ndarray) -> Value:
    """`x` where the table is used, else 0: an infinite pixel times 0 would be NaN."""
    if used.all():
        return x
    return p.select(build, along(build, used, x, axis), x, p.full_like(build, x, 0))


def lerp(
    build: Any, x: Value, axis: int, below: np.ndarray, above: np.ndarray, between: np.ndarray
) -> Value:
    """low + (high - low) * between along the axis."""
    low = take(build, x, axis, below)
    if not between.any():
        return low
    return _lerp_of(build, low, take(build, x, axis, above), axis, between)


def fills_packets(channels: int) -> bool:
    """Whether a pixel's channels leave few lanes of packets of 16 idle."""
    return channels * 4 >= -(-channels // 16) * 16 * 3


def bilinear(build: Any, x: Value, rows: Linear, columns: Linear) -> Value:
    """`lerp` along the columns of [N, H, W, C], then along the rows, of four pixels read at once:
    nothing lies in memory between the two."""
    sides = []
    for r in rows[:2]:
        left, right = (_pixels(build, x, r, c) for c in columns[:2])
        sides.append(_lerp_of(build, left, right, 2, columns[2]))
    return _lerp_of(build, sides[0], sides[1], 1, rows[2])


def _pixels(build: Any, x: Value, rows: np.ndarray, columns: np.ndarray) -> Value:
    """x[:, rows, columns]: each of these rows at each of these columns."""
    shape = (len(rows), len(columns), 1)
    tables = [p.constant(build, table.astype(np.int32)) for table in (rows, columns)]
    wide = [p.broadcast(build, t, dims=(d,), shape=shape) for d, t in enumerate(tables)]
    taken = p.gather(build, x, p.concat(build, *wide, dim=2), dims=(1, 2))
    return p.transpose(build, taken, perm=(2, 0, 1, 3))


def _lerp_of(build: Any, low: Value, high: Value, axis: int, between: np.ndarray) -> Value:
    weight = along(build, between.astype(np.float32), low, axis)
    return p.add(build, low, p.mul(build, p.sub(build, high, low), weight))
