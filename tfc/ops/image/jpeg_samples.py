"""Coefficients of JPEG files as samples, and samples as pixels, in the arithmetic of integers that
libjpeg's results come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_Rows = list[np.ndarray]
# cos products by which the fast transform's coefficients are scaled, in 14 bits
_COSINES = np.array(
    [1.0, 1.387039845, 1.306562965, 1.175875602, 1.0, 0.785694958, 0.541196100, 0.275899379]
)
_SCALES = np.round(np.outer(_COSINES, _COSINES) * (1 << 14)).astype(np.int64)


def _fast(x: _Rows) -> _Rows:
    """The fast transform of eight rows: products keep 8 bits, cut off."""
    even, odd = x[0] + x[4], x[0] - x[4]
    low = x[2] + x[6]
    high = ((x[2] - x[6]) * 362 >> 8) - low
    a = [even + low, odd + high, odd - high, even - low]
    z13, z10, z11, z12 = x[5] + x[3], x[5] - x[3], x[1] + x[7], x[1] - x[7]
    b0 = z11 + z13
    z5 = (z10 + z12) * 473 >> 8
    b1 = (z10 * -669 >> 8) + z5 - b0
    b2 = ((z11 - z13) * 362 >> 8) - b1
    b3 = (z12 * 277 >> 8) - z5 + b2
    return [
        a[0] + b0, a[1] + b1, a[2] + b2, a[3] - b3, a[3] + b3, a[2] - b2, a[1] - b1, a[0] - b0
    ]  # fmt: skip


def _slow(x: _Rows) -> _Rows:
    """The accurate transform of eight rows, times 2**13."""
    z1 = (x[2] + x[6]) * 4433
    a2, a3 = z1 - x[6] * 15137, z1 + x[2] * 6270
    a0, a1 = (x[0] + x[4]) << 13, (x[0] - x[4]) << 13
    a = [a0 + a3, a1 + a2, a1 - a2, a0 - a3]
    t0, t1, t2, t3 = x[7], x[5], x[3], x[1]
    z5 = (t0 + t2 + t1 + t3) * 9633
    z1, z2 = (t0 + t3) * -7373, (t1 + t2) * -20995
    z3, z4 = (t0 + t2) * -16069 + z5, (t1 + t3) * -3196 + z5
    b = [
        t3 * 12299 + z1 + z4, t2 * 25172 + z2 + z3, t1 * 16819 + z2 + z4, t0 * 2446 + z1 + z3
    ]  # fmt: skip
    return [a[i] + b[i] for i in range(4)] + [a[i] - b[i] for i in (3, 2, 1, 0)]


def _descaled(rows: _Rows, bits: int) -> _Rows:
    half = 1 << bits - 1
    return [row + half >> bits for row in rows]


def transformed(blocks: np.ndarray, table: np.ndarray, accurate: bool) -> np.ndarray:
    """Samples uint8 of blocks of coefficients, both [down, across, 8, 8]."""
    x = blocks.astype(np.int64)
    if accurate:
        x = x * table
        rows = _descaled(_slow([x[:, :, i] for i in range(8)]), 11)
        x = np.stack(rows, 2)
        rows = _descaled(_slow([x[..., i] for i in range(8)]), 18)
    else:
        x = x * (table * _SCALES + (1 << 11) >> 12)
        x = np.stack(_fast([x[:, :, i] for i in range(8)]), 2)
        rows = [row >> 5 for row in _fast([x[..., i] for i in range(8)])]
    return np.clip(np.stack(rows, 3) + 128, 0, 255).astype(np.uint8)


def plane(samples: np.ndarray) -> np.ndarray:
    """Blocks [down, across, 8, 8] as one array [8 down, 8 across]."""
    down, across = samples.shape[:2]
    return samples.transpose(0, 2, 1, 3).reshape(8 * down, 8 * across)


def _neighbours(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The element before and the one after each along an axis, at the ends the element itself."""
    size = x.shape[axis]
    at = np.arange(size)
    return x.take(np.maximum(at - 1, 0), axis), x.take(np.minimum(at + 1, size - 1), axis)


def _woven(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    """first[0], second[0], first[1], ... along an axis."""
    both = np.stack([first, second], axis + 1)
    shape = list(first.shape)
    shape[axis] *= 2
    return both.reshape(shape)


def _wider(x: np.ndarray) -> np.ndarray:
    """Twice as wide, three parts of a sample to one of its neighbour's."""
    before, after = _neighbours(x, 1)
    left, right = 3 * x + before + 1 >> 2, 3 * x + after + 2 >> 2
    left[:, 0], right[:, -1] = x[:, 0], x[:, -1]
    return _woven(left, right, 1)


def _higher(x: np.ndarray) -> np.ndarray:
    above, below = _neighbours(x, 0)
    return _woven(3 * x + above + 1 >> 2, 3 * x + below + 2 >> 2, 0)


def _larger(x: np.ndarray) -> np.ndarray:
    above, below = _neighbours(x, 0)
    sums = _woven(3 * x + above, 3 * x + below, 0)
    before, after = _neighbours(sums, 1)
    left, right = 3 * sums + before + 8 >> 4, 3 * sums + after + 7 >> 4
    left[:, 0], right[:, -1] = 4 * sums[:, 0] + 8 >> 4, 4 * sums[:, -1] + 7 >> 4
    return _woven(left, right, 1)


def upsampled(x: np.ndarray, across: int, down: int, fancy: bool) -> np.ndarray:
    """Samples repeated `across` and `down` times, or with `fancy` weighed with their neighbours
    where it is twice."""
    ways: dict[tuple[int, int], Callable[[np.ndarray], np.ndarray]] = {
        (2, 1): _wider,
        (1, 2): _higher,
        (2, 2): _larger,
    }
    way = ways.get((across, down))
    if fancy and way is not None and (across == 1 or x.shape[1] > 2):
        return way(x.astype(np.int64)).astype(np.uint8)
    return x.repeat(down, 0).repeat(across, 1)


def to_rgb(planes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Luminance and two differences as red, green and blue."""
    y, blue, red = (p.astype(np.int64) for p in planes)
    b, r, half = blue - 128, red - 128, 1 << 15
    found = [
        y + (91881 * r + half >> 16),
        y + (-22554 * b - 46802 * r + half >> 16),
        y + (116130 * b + half >> 16),
    ]
    return [np.clip(p, 0, 255).astype(np.uint8) for p in found]


def to_gray(planes: Sequence[np.ndarray]) -> np.ndarray:
    """The luminance of red, green and blue."""
    r, g, b = (p.astype(np.int64) for p in planes)
    return (19595 * r + 38470 * g + 7471 * b + (1 << 15) >> 16).astype(np.uint8)


def from_ink(planes: Sequence[np.ndarray], inverted: bool) -> list[np.ndarray]:
    """Cyan, magenta, yellow and black as red, green and blue."""
    *inks, black = (p.astype(np.int64) for p in planes)
    if not inverted:
        inks, black = [255 - p for p in inks], 255 - black
    return [(p * black // 255).astype(np.uint8) for p in inks]
