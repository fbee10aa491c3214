"""JPEG files as images: sequential and progressive ones of 8 bits, in any sampling."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from tfc.ops.image import jpeg_samples as samples
from tfc.ops.image.jpeg_entropy import ZIGZAG, Component, Scan, code_table, decode_scan

_MOST_PIXELS = 1 << 27
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_ALONE = {0x01, *range(0xD0, 0xD8)}


@dataclass
class _File:
    """What a file says."""

    width: int = 0
    height: int = 0
    progressive: bool = False
    components: list[Component] = field(default_factory=list)
    quantization: dict[int, np.ndarray] = field(default_factory=dict)
    codes: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    restart: int = 0
    jfif: bool = False
    adobe: int | None = None  # the transform that an Adobe segment names
    whole: bool = True


def shape_of(data: bytes) -> tuple[int, int, int]:
    """(height, width, channels) of a file. Raises ValueError: it is none."""
    file = _File()
    for kind, body, _ in _segments(data):
        if kind in _FRAMES | _OTHER_FRAMES:
            _read_frame(file, kind, body)
            return file.height, file.width, len(file.components)
    raise ValueError("there is no image in it")


def decode(
    data: bytes, channels: int = 0, accurate: bool = False, fancy: bool = True, cut: bool = False
) -> np.ndarray:
    """The image of a file, uint8[height, width, channels].

    channels: 1 or 3; 0: those of the file. cut: also of a file that ends too early.

    Raises:
      ValueError: it is no such file, or it ends too early.
    """
    file = _read(data, cut)
    planes = [_plane(file, c, accurate, fancy) for c in file.components]
    made = _pixels(file, planes, channels)
    return np.stack(made, 2)


def _segments(data: bytes):  # type: ignore[no-untyped-def]
    """(kind, body, where it ends) of each segment."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("it does not begin as JPEG files do")
    at = 2
    while at + 1 < len(data):
        if data[at] != 0xFF:
            at += 1  # what does not belong there
            continue
        kind = data[at + 1]
        at += 1 if kind == 0xFF else 2
        if kind in (0x00, 0xFF) or kind in _ALONE:
            continue
        if kind in (0xD8, 0xD9):
            yield kind, b"", at
            if kind == 0xD9:
                return
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if size < 2 or at + size > len(data):
            raise ValueError("a segment is cut off")
        yield kind, data[at + 2 : at + size], at + size
        at += size


def _read(data: bytes, cut: bool) -> _File:
    file, ended, seen = _File(), False, False
    for kind, body, end in _segments(data):
        if kind in _OTHER_FRAMES:
            raise ValueError("only Huffman codes and 8 bits in sequence or progression are read")
        if kind in _FRAMES:
            if file.components:
                raise ValueError("there are two images in it")
            _read_frame(file, kind, body)
            _lay_out(file)
        elif kind == 0xC4:
            _read_codes(file, body)
        elif kind == 0xDB:
            _read_quantization(file, body)
        elif kind == 0xDD and len(body) >= 2:
            file.restart = int.from_bytes(body[:2], "big")
        elif kind == 0xE0 and body[:5] == b"JFIF\0":
            file.jfif = True
        elif kind == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            file.adobe = body[11]
        elif kind == 0xDA:
            seen = True
            file.whole &= decode_scan(_read_scan(file, body), _entropy(data, end))
        elif kind == 0xD9:
            ended = True
    if not seen:
        raise ValueError("there is no image in it")
    if not (cut or (ended and file.whole)):
        raise ValueError("it ends too early, or its codes are none")
    return file


def _entropy(data: bytes, start: int) -> bytes:
    """The codes of a scan: up to the next mark that is none of theirs."""
    at = start
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return data[start:]
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return data[start:at]
        else:
            at += 2


def _read_frame(file: _File, kind: int, body: bytes) -> None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise ValueError("the description of the image is cut off")
    bits, count = body[0], body[5]
    file.height, file.width = (int.from_bytes(body[i : i + 2], "big") for i in (1, 3))
    file.progressive = kind == 0xC2
    if bits != 8:
        raise ValueError(f"samples of {bits} bits are not read")
    if not file.height or not file.width or file.height * file.width > _MOST_PIXELS:
        raise ValueError(f"an image of {file.width} x {file.height} is not read")
    if count not in (1, 3, 4):
        raise ValueError(f"an image of {count} components is not read")
    for i in range(6, 6 + 3 * count, 3):
        number, factors, table = body[i : i + 3]
        component = Component(number, factors >> 4, factors & 15, table)
        if not 1 <= component.across <= 4 or not 1 <= component.down <= 4:
            raise ValueError("sampling factors must be from 1 to 4")
        file.components.append(component)


def _lay_out(file: _File) -> None:
    """How many blocks each component has."""
    across = max(c.across for c in file.components)
    down = max(c.down for c in file.components)
    for c in file.components:
        c.blocks_across = -(-file.width * c.across // (8 * across))
        c.blocks_down = -(-file.height * c.down // (8 * down))
        c.wide = -(-file.width // (8 * across)) * c.across
        c.high = -(-file.height // (8 * down)) * c.down
        c.coefficients = array("i", bytes(4 * 64 * c.wide * c.high))


def _read_codes(file: _File, body: bytes) -> None:
    while body:
        counts = list(body[1:17])
        symbols = body[17 : 17 + sum(counts)]
        if len(counts) < 16 or len(symbols) < sum(counts):
            raise ValueError("a Huffman table is cut off")
        file.codes[body[0] >> 4, body[0] & 15] = code_table(counts, symbols)
        body = body[17 + sum(counts) :]


def _read_quantization(file: _File, body: bytes) -> None:
    while body:
        wide = 2 if body[0] >> 4 else 1
        numbers = np.frombuffer(body[1 : 1 + 64 * wide], ">u2" if wide == 2 else "u1")
        if len(numbers) < 64:
            raise ValueError("a quantization table is cut off")
        table = np.empty(64, np.int64)
        table[ZIGZAG] = numbers
        file.quantization[body[0] & 15] = table.reshape(8, 8)
        body = body[1 + 64 * wide :]


def _read_scan(file: _File, body: bytes) -> Scan:
    count = body[0] if body else 0
    if not 1 <= count <= 4 or len(body) < 4 + 2 * count:
        raise ValueError("the description of a scan is cut off")
    by_number = {c.number: c for c in file.components}
    chosen = []
    for i in range(1, 1 + 2 * count, 2):
        component = by_number.get(body[i])
        if component is None:
            raise ValueError("a scan names a component that is not there")
        tables = [file.codes.get((k, body[i + 1] >> 4 * (1 - k) & 15)) for k in (0, 1)]
        chosen.append((component, tables[0], tables[1]))
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    high, low = bits >> 4, bits & 15
    if file.progressive and (first > last or last > 63 or low > 13 or (first and count > 1)):
        raise ValueError("the description of a scan makes no sense")
    return Scan(chosen, first, last, high, low, file.restart, file.progressive)


def _plane(file: _File, c: Component, accurate: bool, fancy: bool) -> np.ndarray:
    """The samples of a component, one for each pixel."""
    table = file.quantization.get(c.table)
    if table is None:
        raise ValueError("a component names a quantization table that is not there")
    blocks = np.frombuffer(c.coefficients, np.intc).reshape(c.high, c.wide, 8, 8)
    x = samples.plane(samples.transformed(blocks, table, accurate))
    across = max(other.across for other in file.components)
    down = max(other.down for other in file.components)
    x = x[: -(-file.height * c.down // down), : -(-file.width * c.across // across)]
    if across % c.across or down % c.down:
        raise ValueError("sampling factors must divide one another")
    x = samples.upsampled(x, across // c.across, down // c.down, fancy)
    return x[: file.height, : file.width]


def _pixels(file: _File, planes: list[np.ndarray], channels: int) -> list[np.ndarray]:
    """The channels of the image."""
    if len(planes) == 1:
        return planes * (channels or 1)
    names = bytes(c.number for c in file.components)
    if len(planes) == 3:
        plain = not file.jfif and (file.adobe == 0 if file.adobe is not None else names == b"RGB")
        if channels == 1:
            return [samples.to_gray(planes)] if plain else planes[:1]
        return planes if plain else samples.to_rgb(planes)
    if file.adobe == 2:
        planes = [255 - p for p in samples.to_rgb(planes[:3])] + planes[3:]
    found = samples.from_ink(planes, file.adobe is not None)
    return [samples.to_gray(found)] if channels == 1 else found
