"""PNG files: images as bytes and back. Every color type, bit depth and filter, and interlacing."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from tfc.base.records import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_OF_CHANNELS = {1: 0, 2: 4, 3: 2, 4: 6}
_CHANNELS_OF_COLOR = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# the passes of an interlaced file: first column and row, steps
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
           (0, 1, 1, 2))  # fmt: skip
_MOST_PIXELS = 1 << 29


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encode(image: np.ndarray, level: int = -1) -> bytes:
    """A file of a uint8 or uint16 image [height, width, channels] with 1 to 4 channels."""
    height, width, channels = image.shape
    pixels = image.astype(image.dtype.newbyteorder(">"))
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(height, -1)
    filtered = np.zeros((height, 1 + rows.shape[1]), np.uint8)  # each row: its filter, 0
    filtered[:, 1:] = rows
    depth, color = 8 * image.dtype.itemsize, _COLOR_OF_CHANNELS[channels]
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(filtered.tobytes(), level))
    return _SIGNATURE + body + _chunk(b"IEND", b"")


@dataclass
class _File:
    """What a file says. samples: [height, width, channels of the color type], as stored."""

    depth: int
    color: int
    samples: np.ndarray
    palette: np.ndarray | None
    transparent: bytes | None


def decode(data: bytes, channels: int, wide: bool) -> np.ndarray:
    """The image of a file, [height, width, channels], uint8 or (`wide`) uint16.

    channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; 0: those of the file.

    Raises:
      ValueError: the bytes are no PNG file.
    """
    file = _read(data)
    if file.color == 3:
        colors, alpha = _from_palette(file)
        full = 255
    else:
        colors, alpha, full = _plain(file)
    if not channels:
        color = 2 if file.color == 3 else file.color
        with_alpha = file.color == 3 and file.transparent is not None
        channels = 4 if with_alpha else _CHANNELS_OF_COLOR[color]
    if channels < 3 and colors.shape[2] == 3:
        colors = _gray(colors)
    elif channels >= 3 and colors.shape[2] == 1:
        colors = np.repeat(colors, 3, axis=2)
    if channels % 2 == 0:
        if alpha is None:
            # TensorFlow's filler is the greatest number of the file's depth, also below 8 bits
            alpha = np.full(colors.shape[:2], (1 << file.depth) - 1, colors.dtype)
        colors = np.concatenate([colors, alpha[:, :, None]], axis=2)
    if full == 65535:
        return colors if wide else (colors >> 8).astype(np.uint8)
    pixels = colors.astype(np.uint8)
    return pixels.astype(np.uint16) * 257 if wide else pixels


def _plain(file: _File) -> tuple[np.ndarray, np.ndarray | None, int]:
    """(colors, alpha, the greatest number) of a file without a palette."""
    samples, full = file.samples, 65535 if file.depth == 16 else 255
    alpha = None
    if file.color in (4, 6):
        return samples[:, :, :-1], samples[:, :, -1], full
    if file.transparent is not None:
        key = np.frombuffer(file.transparent, ">u2")[: samples.shape[2]]
        alpha = np.where((samples == key).all(axis=2), 0, full).astype(samples.dtype)
    if file.depth < 8:
        samples = samples * np.uint8(255 // ((1 << file.depth) - 1))
    return samples, alpha, full


def _from_palette(file: _File) -> tuple[np.ndarray, np.ndarray | None]:
    if file.palette is None:
        raise ValueError("a color image without a palette")
    index = file.samples[:, :, 0]
    if index.size and index.max() >= len(file.palette):
        raise ValueError("a color that the palette does not have")
    alpha = None
    if file.transparent is not None:
        table = np.full(256, 255, np.uint8)
        given = np.frombuffer(file.transparent, np.uint8)[:256]
        table[: len(given)] = given
        alpha = table[index]
    return file.palette[index], alpha


def _gray(colors: np.ndarray) -> np.ndarray:
    """Brightness as libpng computes it: weights in 15 bits; 16-bit sums are rounded, 8-bit sums
    are cut."""
    red, green, blue = (colors[:, :, c].astype(np.int64) for c in range(3))
    total = 9797 * red + 19234 * green + 3737 * blue
    total = (total + (16384 if colors.dtype.itemsize == 2 else 0)) >> 15
    same = (red == green) & (red == blue)
    return np.where(same, red, total).astype(colors.dtype)[:, :, None]


# ---- reading


def _read(data: bytes) -> _File:
    if data[:8] != _SIGNATURE:
        raise ValueError("Invalid PNG header, data size " + str(len(data)))
    at, body, palette, transparent, head = 8, [], None, None, None
    while True:
        if at + 12 > len(data):
            raise ValueError("the file ends early")
        size, kind = struct.unpack_from(">I4s", data, at)
        piece = data[at + 8 : at + 8 + size]
        if len(piece) != size or data[at + 8 + size : at + 12 + size] != struct.pack(
            ">I", zlib.crc32(kind + piece)
        ):
            raise ValueError(f"a damaged chunk {kind!r}")
        at += 12 + size
        if kind == b"IHDR":
            head = _header(piece)
        elif kind == b"PLTE":
            palette = np.frombuffer(piece[: size // 3 * 3], np.uint8).reshape(-1, 3)
        elif kind == b"tRNS":
            transparent = piece
        elif kind == b"IDAT":
            body.append(piece)
        elif kind == b"IEND":
            break
    if head is None:
        raise ValueError("there is no header")
    width, height, depth, color, interlaced = head
    samples = _samples(b"".join(body), width, height, depth, _CHANNELS_OF_COLOR[color], interlaced)
    return _File(depth, color, samples, palette, transparent)


def _header(piece: bytes) -> tuple[int, int, int, int, bool]:
    if len(piece) != 13:
        raise ValueError("a header of a wrong size")
    width, height, depth, color, method, filters, interlaced = struct.unpack(">IIBBBBB", piece)
    known = color in _DEPTHS and depth in _DEPTHS[color] and interlaced in (0, 1)
    if not known or method or filters or not width or not height:
        raise ValueError("a header of an unknown kind")
    if width * height > _MOST_PIXELS:
        raise ValueError(f"PNG size too large: {width} by {height}")
    return width, height, depth, color, bool(interlaced)


def _samples(
    body: bytes, width: int, height: int, depth: int, channels: int, interlaced: bool
) -> np.ndarray:
    """[height, width, channels], uint8 or uint16."""
    bits = depth * channels
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    need = sum(h * (1 + (w * bits + 7) // 8) for w, h in sizes if w > 0 and h > 0)
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(body, need)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(raw) < need:
        raise ValueError("the pixels end early")
    result = np.zeros((height, width, channels), np.uint16 if depth == 16 else np.uint8)
    at = 0
    for (x, y, dx, dy), (w, h) in zip(passes, sizes, strict=True):
        if w <= 0 or h <= 0:
            continue
        stride = (w * bits + 7) // 8
        rows = np.frombuffer(raw, np.uint8, h * (stride + 1), at).reshape(h, stride + 1)
        at += rows.size
        lines = _unfiltered(rows, max(bits // 8, 1))
        result[y::dy, x::dx] = _unpacked(lines, w, depth, channels)
    return result


def _unpacked(lines: np.ndarray, width: int, depth: int, channels: int) -> np.ndarray:
    if depth == 16:
        values = np.ascontiguousarray(lines).view(">u2").astype(np.uint16)
    elif depth == 8:
        values = lines
    else:
        shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
        values = (lines[:, :, None] >> shifts & np.uint8((1 << depth) - 1)).reshape(len(lines), -1)
    return values[:, : width * channels].reshape(len(lines), width, channels)


def _unfiltered(rows: np.ndarray, step: int) -> np.ndarray:
    """The bytes of each row; `step`: bytes from one pixel to the next."""
    lines = rows[:, 1:].copy()
    above = np.zeros(lines.shape[1], np.uint8)
    for kind, line in zip(rows[:, 0], lines, strict=True):
        if kind == 1:
            for c in range(step):
                line[c::step] = np.cumsum(line[c::step], dtype=np.uint8)
        elif kind == 2:
            line += above
        elif kind == 3:
            _average(line, above, step)
        elif kind == 4:
            _paeth(line, above, step)
        elif kind:
            raise ValueError(f"a row of an unknown filter {kind}")
        above = line
    return lines


def _average(line: np.ndarray, above: np.ndarray, step: int) -> None:
    values, up = line.tolist(), above.tolist()
    for i in range(len(values)):
        left = values[i - step] if i >= step else 0
        values[i] = (values[i] + (left + up[i] >> 1)) & 255
    line[:] = values


def _paeth(line: np.ndarray, above: np.ndarray, step: int) -> None:
    """Each byte plus that of its neighbours left, above and above left which is nearest to
    left + above - above left."""
    values, up = line.tolist(), above.tolist()
    for i in range(len(values)):
        left, corner = (values[i - step], up[i - step]) if i >= step else (0, 0)
        by_left, by_up = abs(up[i] - corner), abs(left - corner)
        by_corner = abs(left + up[i] - 2 * corner)
        if by_left <= by_up and by_left <= by_corner:
            near = left
        else:
            near = up[i] if by_up <= by_corner else corner
        values[i] = (values[i] + near) & 255
    line[:] = values
