"""BMP files as images: of 8, 24 or 32 bits, not compressed. Read here since the bytes are the
pixels, and TensorFlow takes them as they stand: without palettes, with the fourth byte as alpha."""

from __future__ import annotations

import struct

import numpy as np

from tfc.ops.image.jpeg import MOST_PIXELS


def decode(data: bytes, channels: int = 0) -> np.ndarray:
    """The image of a file, uint8[height, width, channels]; channels 0: those of the file.

    Raises:
      ValueError: it is no such file.
    """
    if data[:2] != b"BM" or len(data) < 32:
        raise ValueError("it does not begin as BMP files do")
    (start,) = struct.unpack_from("<i", data, 10)
    width, height, _, bits = struct.unpack_from("<iiHh", data, 18)
    stored = bits // 8
    if stored not in (1, 3, 4):
        raise ValueError(
            f"Number of channels inherent in the image must be 1, 3 or 4, was {stored}"
        )
    rows = abs(height)
    if width <= 0 or not rows or start < 0 or width * rows > MOST_PIXELS:
        raise ValueError(f"an image of {width} x {height} is not read")
    row = (stored * width + 3) // 4 * 4
    if len(data) != start + row * rows:
        raise ValueError(
            f"{rows} rows of {row} bytes from byte {start} are not {len(data)} bytes in all"
        )
    lines = np.frombuffer(data, np.uint8, row * rows, start).reshape(rows, row)
    pixels = lines[:, : width * stored].reshape(rows, width, stored)
    if height > 0:  # from the lowest line up
        pixels = pixels[::-1]
    colors = np.repeat(pixels, 3, 2) if stored == 1 and channels else pixels[:, :, :3]
    if stored > 1:
        colors = colors[:, :, ::-1]
    if (channels or stored) == 4:
        opaque = np.full((rows, width, 1), 255, np.uint8)
        colors = np.concatenate([colors, pixels[:, :, 3:] if stored == 4 else opaque], 2)
    return np.ascontiguousarray(colors)
