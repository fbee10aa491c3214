"""GIF files as images: Pillow decodes the pixels of each frame; colors and frames on frames are
put together here, since TensorFlow does it in a way of its own: the image is as large as the
largest frame, what no frame covers is black, and no frame is disposed of."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np

from tfc.base.records import dataclass
from tfc.ops.image.jpeg import MOST_PIXELS


@dataclass
class _Frame:
    """left, top, width and height: where it lies. data: its codes. clear: the transparent color."""

    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    palette: np.ndarray | None
    data: bytes
    clear: int | None


def decode(data: bytes, animated: bool = True) -> np.ndarray:
    """All images of a file, uint8[frames, height, width, 3]; or (`animated` False) the first alone.

    Of a file that ends too early, the images before its end.

    Raises:
      ValueError: it is no such file, or no image in it is whole.
    """
    frames, indices, pixels = [], [], 0
    try:
        for frame in _frames(data):
            pixels += frame.width * frame.height
            if pixels > MOST_PIXELS:
                raise ValueError("its images are too large")
            indices.append(_indices(frame))
            frames.append(frame)
    except EOFError as error:
        if not frames:
            raise ValueError(f"{error}") from None
    if not frames:
        raise ValueError("there is no image in it")
    height, width = max(f.height for f in frames), max(f.width for f in frames)
    count = len(frames) if animated else 1
    if count * height * width > MOST_PIXELS:
        raise ValueError(f"{count} images of {width} x {height} are not read")
    result = np.zeros((count, height, width, 3), np.uint8)
    for k, (frame, index) in enumerate(zip(frames[:count], indices, strict=False)):
        if k:
            result[k] = result[k - 1]
        _paint(result[k], frame, index, k)
    return result


def _paint(canvas: np.ndarray, frame: _Frame, index: np.ndarray, k: int) -> None:
    part = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
    index = index[: part.shape[0], : part.shape[1]]
    shown = np.full(index.shape, True) if frame.clear is None else index != frame.clear
    if frame.palette is None:
        raise ValueError(f"image {k} has no palette")
    chosen = index[shown]
    if chosen.size and chosen.max() >= len(frame.palette):
        raise ValueError(f"image {k} has a color that its palette lacks")
    part[shown] = frame.palette[chosen]


def _indices(frame: _Frame) -> np.ndarray:
    """Colors [height, width] of a frame, by Pillow: as a file of this frame and no palette."""
    from PIL.GifImagePlugin import GifImageFile

    size = struct.pack("<HH", frame.width, frame.height)
    kind = bytes([64 if frame.interlaced else 0])
    alone = b"GIF89a" + size + bytes(3) + b"," + bytes(4) + size + kind + frame.data + b";"
    try:
        file = GifImageFile(io.BytesIO(alone))
        file.load()
    except Exception as error:  # whatever damaged bytes make of Pillow, it is the bytes' fault
        raise EOFError(f"{error}") from None
    return np.array(file)


def _frames(data: bytes) -> Iterator[_Frame]:
    """What the blocks of a file say. Raises EOFError: the file ends too early, or is damaged."""
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 13:
        raise ValueError("it does not begin as GIF files do")
    shared, at = _palette(data, data[10], 13)
    clear: int | None = None
    while True:
        kind = data[at : at + 1]
        if kind == b";":
            return
        if kind == b"!":
            control = data[at + 1 : at + 3] == b"\xf9\x04"
            if control and at + 7 <= len(data):
                clear = data[at + 6] if data[at + 3] & 1 else None
            at = _after_blocks(data, at + 2)
        elif kind == b"," and at + 10 <= len(data):
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
            own, start = _palette(data, flags, at + 10)
            at = _after_blocks(data, start + 1)
            if not width or not height:
                raise EOFError("an image of no size")
            palette = shared if own is None else own
            codes = data[start:at]
            yield _Frame(left, top, width, height, bool(flags & 64), palette, codes, clear)
            clear = None
        else:
            raise EOFError("it ends too early, or has a block of an unknown kind")


def _palette(data: bytes, flags: int, at: int) -> tuple[np.ndarray | None, int]:
    """The palette [colors, 3] that flags speak of, and where it ends."""
    if not flags & 128:
        return None, at
    end = at + (6 << (flags & 7))
    if end > len(data):
        raise EOFError("a palette is cut off")
    return np.frombuffer(data[at:end], np.uint8).reshape(-1, 3), end


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of blocks ends, each a byte for its size and as many bytes."""
    while at < len(data):
        size = data[at]
        at += 1 + size
        if not size:
            return at
    raise EOFError("it ends too early")
