"""JPEG files with other words in their headers, which make libjpeg give planes as they are stored.

What stands in the scans is not touched: a header says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD8)}  # marks that no body follows
_SCAN, _ADOBE = 0xDA, 0xEE


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(mark, begin, end) of the bodies in front of the first scan, without their lengths."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        mark = data[at + 1]
        if mark in (0x00, 0xFF) or mark in _BARE:
            at += 1
            continue
        if mark == _SCAN:
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield mark, at + 4, end
        at = end


def _adobe(data: bytes) -> Iterator[int]:
    """Where the bodies begin that say how colors are stored."""
    for mark, begin, end in _segments(data):
        if mark == _ADOBE and end - begin >= 12 and data.startswith(b"Adobe", begin):
            yield begin


def untransformed(data: bytes) -> bytes:
    """The file, saying that its four colors are stored as they are."""
    changed = bytearray(data)
    for begin in _adobe(data):
        changed[begin + 11] = 0
    return bytes(changed)


def with_a_fourth(data: bytes, height: int, width: int, across: int, down: int) -> bytes:
    """A file of three components as one of four, of which no scan has the last: as many samples
    across and down as `across` and `down` say, of an image of that size. Colors are stored as they
    are.

    Raises:
      ValueError: there is no frame of three components in it.
    """
    changed = bytearray(data)
    for begin in _adobe(data):
        changed[begin] = 0
    for mark, begin, end in _segments(data):
        if mark in _FRAMES and end - begin == 15 and data[begin + 5] == 3:
            names = {data[begin + 6 + 3 * i] for i in range(3)}
            name = next(n for n in range(1, 5) if n not in names)
            body = changed[begin : begin + 1] + height.to_bytes(2, "big")
            body += width.to_bytes(2, "big") + b"\x04" + changed[begin + 6 : end]
            body += bytes([name, across << 4 | down, data[begin + 8]])
            changed[begin - 2 : end] = (len(body) + 2).to_bytes(2, "big") + body
            return bytes(changed)
    raise ValueError("there is no frame of three components")
