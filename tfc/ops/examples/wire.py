"""The wire format of protocol buffers, as far as Example messages need it.

Nothing is allocated from a length before it is known to lie within the message, so a hostile one
costs no more than its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

Field = tuple[int, int, Any]  # number, wire type, value: int, or bytes


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it. Raises ValueError: it is cut off."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number is cut off or too long")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in their order. Raises ValueError: it is none."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if kind == 0:
            value, at = varint(data, at)
            yield number, kind, value
            continue
        if kind == 2:
            size, at = varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field has the unknown wire type {kind}")
        if size > len(data) - at:
            raise ValueError("a field is cut off")
        yield number, kind, data[at : at + size]
        at += size


def _messages(data: bytes, number: int) -> Iterator[bytes]:
    """The messages in the fields of that number."""
    for found, kind, value in fields(data):
        if found == number:
            if kind != 2:
                raise ValueError(f"field {number} is no message")
            yield value


def _map(data: bytes) -> dict[bytes, bytes]:
    """The entries of a map from strings to messages; the last one of a key counts."""
    result = {}
    for entry in _messages(data, 1):
        key = value = b""
        for number, kind, part in fields(entry):
            if kind == 2 and number == 1:
                key = part
            elif kind == 2 and number == 2:
                value = part
        result[key] = value
    return result


def example(data: bytes) -> dict[bytes, bytes]:
    """The Feature messages of an Example, by key. Raises ValueError: it is none."""
    result: dict[bytes, bytes] = {}
    for part in _messages(data, 1):
        result.update(_map(part))
    return result


_KINDS = {1: "string", 2: "float32", 3: "int64"}


def feature(data: bytes) -> tuple[str, np.ndarray] | None:
    """(dtype, values) of a Feature message, None if it holds nothing. Raises ValueError."""
    found = None
    for number, kind, value in fields(data):
        if number in _KINDS and kind == 2:
            found = number, value
    if found is None:
        return None
    number, body = found
    name = _KINDS[number]
    if number == 1:
        texts = list(_messages(body, 1))
        array = np.empty(len(texts), object)
        array[:] = texts
        return name, array
    numbers: list[Any] = []
    for at, kind, value in fields(body):
        if at == 1:
            numbers += _floats(kind, value) if number == 2 else integers(kind, value)
    return name, np.array(numbers, np.float32 if number == 2 else np.int64)


def _floats(kind: int, value: Any) -> list[float]:
    if kind not in (2, 5) or len(value) % 4:
        raise ValueError("a list of floats is none")
    return list(struct.unpack(f"<{len(value) // 4}f", value))


def integers(kind: int, value: Any) -> list[int]:
    """The signed integers of a field, one or packed. Raises ValueError: it is none."""
    if kind == 0:
        return [_signed(value)]
    if kind != 2:
        raise ValueError("a list of integers is none")
    result, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        result.append(_signed(number))
    return result


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def feature_lists(data: bytes) -> dict[bytes, list[bytes]]:
    """The lists of Feature messages of a SequenceExample, by key; its context is what `example`
    gives. Raises ValueError: it is none."""
    result: dict[bytes, list[bytes]] = {}
    for part in _messages(data, 2):
        for key, body in _map(part).items():
            result[key] = list(_messages(body, 1))
    return result
