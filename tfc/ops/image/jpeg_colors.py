"""Samples of JPEG files as pixels where Pillow has no way to ask libjpeg for it: colors weighed
with their neighbours after the fast transform, what planes as they are stored become, and ink. In
libjpeg's integers, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WEIGHED = {(2, 1), (1, 2), (2, 2)}  # the steps, across and down, at which libjpeg can weigh


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


def is_weighed(width: int, across: int, down: int) -> bool:
    """Whether libjpeg weighs samples of which each stands for `across` and `down` pixels of an
    image that is so wide."""
    return (across, down) in WEIGHED and (across == 1 or -(-width // across) > 2)


def weighed(plane: np.ndarray, across: int, down: int) -> np.ndarray:
    """The plane [height, width] whose samples stand repeated `across` and `down` times in `plane`,
    enlarged with weights instead."""
    x = plane[::down, ::across].astype(np.int64)
    way = {(2, 1): _wider, (1, 2): _higher, (2, 2): _larger}[across, down]
    return way(x).astype(np.uint8)[: plane.shape[0], : plane.shape[1]]


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
    """Red, green and blue as luminance."""
    red, green, blue = (p.astype(np.int64) for p in planes)
    return (19595 * red + 38470 * green + 7471 * blue + 32768 >> 16).astype(np.uint8)


def from_ink(image: np.ndarray, inverted: bool) -> np.ndarray:
    """Cyan, magenta, yellow and black as red, green and blue. inverted: 255 is no ink."""
    inks = image.astype(np.int64) if inverted else 255 - image.astype(np.int64)
    return (inks[:, :, :3] * inks[:, :, 3:] // 255).astype(np.uint8)
