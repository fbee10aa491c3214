"""The scans of JPEG files: Huffman codes as coefficients, all at once or in several passes."""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

# where the k-th coefficient of a scan stands in a block of 8 rows; further ones of damaged files
# fall on the last
ZIGZAG = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]  # fmt: skip
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


@dataclass
class Component:
    """One kind of samples. across, down: samples for those of the least detailed kind. wide, high:
    its blocks, whole units of a scan of all components."""

    number: int
    across: int
    down: int
    table: int
    wide: int = 0
    high: int = 0
    blocks_across: int = 0  # those that hold a part of the image
    blocks_down: int = 0
    coefficients: array[int] = field(default_factory=lambda: array("i"))


@dataclass
class Scan:
    """What a scan says: its components with their tables, and which bits of which coefficients."""

    components: Sequence[tuple[Component, list[int] | None, list[int] | None]]
    first: int
    last: int
    high: int
    low: int
    restart: int
    progressive: bool


def code_table(counts: Sequence[int], symbols: bytes) -> list[int]:
    """For each 16 bits that may follow: length << 8 | symbol of the code that they begin with, 0
    for none. Raises ValueError: there are more codes than lengths allow."""
    entries: list[np.ndarray] = []
    at, used = 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            entries.append(np.full(1 << 16 - length, length << 8 | symbol))
            used += 1 << 16 - length
        at += count
    if used > 1 << 16 or at != len(symbols):
        raise ValueError("bad Huffman table")
    entries.append(np.zeros((1 << 16) - used, np.int64))
    found: list[int] = np.concatenate(entries).tolist()
    return found


class _Bits:
    """The bits of a part of a scan, from the first on; zeros after the last."""

    def __init__(self, data: bytes):
        clean = data.replace(b"\xff\x00", b"\xff")
        self.data, self.end, self.at = clean + bytes(16), 8 * len(clean), 0

    def symbol(self, table: list[int]) -> int:
        at = self.at
        start = at >> 3
        entry = table[int.from_bytes(self.data[start : start + 3], "big") >> 8 - (at & 7) & 0xFFFF]
        self.at = at + (entry >> 8 or 16)
        return entry & 0xFF

    def take(self, count: int) -> int:
        at = self.at
        start = at >> 3
        self.at = at + count
        return int.from_bytes(self.data[start : start + 4], "big") >> 32 - count - (at & 7) & (
            (1 << count) - 1
        )

    def signed(self, size: int) -> int:
        """A number of `size` bits: the lower half of them are the negative ones."""
        value = self.take(size)
        return value if value >> size - 1 else value - (1 << size) + 1


def decode_scan(scan: Scan, data: bytes) -> bool:
    """Put the coefficients of a scan into its components. Whether all of them were there.

    What is behind the last bit reads as zeros to the end of its unit; later units stay as they are.
    Codes that are none read as 0.
    """
    units, whole = _units(scan), True
    for part in _RESTART.split(data):
        bits = _Bits(part)
        block = _block_rule(scan, bits)
        mine = itertools.islice(units, scan.restart) if scan.restart else units
        count = 0
        for unit in mine:
            count += 1
            if bits.at > bits.end:
                whole = False
                continue
            for k, base in unit:
                block(k, base)
        whole &= bits.at <= bits.end
        if not scan.restart or count < scan.restart:
            return whole
    return whole and next(units, None) is None


def _units(scan: Scan) -> Iterator[list[tuple[int, int]]]:
    """The blocks of each unit in order: (which component of the scan, where its block begins)."""
    if len(scan.components) == 1:
        component = scan.components[0][0]
        for row in range(component.blocks_down):
            for column in range(component.blocks_across):
                yield [(0, 64 * (row * component.wide + column))]
        return
    first = scan.components[0][0]
    for row in range(first.high // first.down):
        for column in range(first.wide // first.across):
            yield [
                (k, 64 * ((row * c.down + y) * c.wide + column * c.across + x))
                for k, (c, _, _) in enumerate(scan.components)
                for y in range(c.down)
                for x in range(c.across)
            ]


def _block_rule(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    """What reads one block, from the start of a part on."""
    if not scan.progressive:
        return _sequential(scan, bits)
    if scan.first == 0:
        return _first_dc(scan, bits) if scan.high == 0 else _more_dc(scan, bits)
    return _first_ac(scan, bits) if scan.high == 0 else _more_ac(scan, bits)


def _needed(table: list[int] | None) -> list[int]:
    if table is None:
        raise ValueError("a scan names a Huffman table that is not there")
    return table


def _sequential(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    before = [0] * len(scan.components)
    symbol, signed = bits.symbol, bits.signed

    def block(k: int, base: int) -> None:
        component, dc, ac = scan.components[k]
        out = component.coefficients
        size = symbol(_needed(dc))
        if size:
            before[k] += signed(min(size, 16))
        out[base] = before[k]
        table, at = _needed(ac), 1
        while at < 64:
            code = symbol(table)
            size = code & 15
            if size:
                at += code >> 4
                value = signed(size)
                if at < 64:
                    out[base + ZIGZAG[at]] = value
                at += 1
            elif code == 0xF0:
                at += 16
            else:
                break

    return block


def _first_dc(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    before = [0] * len(scan.components)

    def block(k: int, base: int) -> None:
        component, dc, _ = scan.components[k]
        size = bits.symbol(_needed(dc))
        if size:
            before[k] += bits.signed(min(size, 16))
        component.coefficients[base] = before[k] << scan.low

    return block


def _more_dc(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    def block(k: int, base: int) -> None:
        if bits.take(1):
            scan.components[k][0].coefficients[base] |= 1 << scan.low

    return block


def _first_ac(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    component, _, ac = scan.components[0]
    out, table = component.coefficients, _needed(ac)
    left = 0  # blocks that end without a coefficient

    def block(_: int, base: int) -> None:
        nonlocal left
        if left:
            left -= 1
            return
        at = scan.first
        while at <= scan.last:
            code = bits.symbol(table)
            run, size = code >> 4, code & 15
            if size:
                at += run
                value = bits.signed(size)
                if at < 64:
                    out[base + ZIGZAG[at]] = value << scan.low
                at += 1
            elif run == 15:
                at += 16
            else:
                left = (1 << run) - 1 + (bits.take(run) if run else 0)
                break

    return block


def _more_ac(scan: Scan, bits: _Bits) -> Callable[[int, int], None]:
    component, _, ac = scan.components[0]
    out, table = component.coefficients, _needed(ac)
    plus, minus = 1 << scan.low, -1 << scan.low
    left = 0

    def refine(place: int) -> None:
        value = out[place]
        if bits.take(1) and not (abs(value) & plus):
            out[place] = value + (plus if value > 0 else minus)

    def block(_: int, base: int) -> None:
        nonlocal left
        at = scan.first
        while at <= scan.last and not left:
            code = bits.symbol(table)
            run, new = code >> 4, 0
            if code & 15:
                new = plus if bits.take(1) else minus
            elif run < 15:
                left = (1 << run) + (bits.take(run) if run else 0)
                break
            while at <= scan.last:
                place = base + ZIGZAG[at]
                if out[place]:
                    refine(place)
                elif run == 0:
                    if new:
                        out[place] = new
                    at += 1
                    break
                else:
                    run -= 1
                at += 1
        if left:
            for k in range(at, scan.last + 1):
                place = base + ZIGZAG[k]
                if out[place]:
                    refine(place)
            left -= 1

    return block
