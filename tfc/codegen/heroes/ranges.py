"""Numbers of loops: flat positions to indices, parts to ranges."""

from __future__ import annotations

from collections.abc import Sequence

from tfc.codegen.text import Text
from tfc.codegen.values import V, i64

Range = tuple[V | int, V | int]


def unravel(t: Text, flat: V, extents: Sequence[int]) -> list[V]:
    """The index of flat position `flat` in a row-major space of `extents`."""
    out: list[V] = []
    rest = flat
    big = [d for d in extents if d != 1]
    for extent in reversed(extents):
        if extent == 1:
            out.append(i64(0))
        elif len(big) == 1:
            out.append(rest)
        elif static(rest):
            out.append(i64(int(rest.ref) % extent))
            rest = i64(int(rest.ref) // extent)
        else:
            out.append(t.op("urem", rest, i64(extent)))
            rest = t.op("udiv", rest, i64(extent))
        if extent != 1:
            big.pop()
    return out[::-1]


def value_of(x: V | int) -> V:
    return x if isinstance(x, V) else i64(x)


def static(x: V) -> bool:
    return x.ref[0] not in "%@"


def as_number(x: V) -> V | int:
    return int(x.ref) if static(x) else x


def share_range(t: Text, number: V, shares: int, extent: int) -> Range:
    """What share `number` of `shares` covers of range(extent): as many, or one less or more."""
    if shares == extent:
        return number, t.add(number, i64(1))
    lo = t.op("udiv", t.mul(number, extent), i64(shares))
    return lo, t.op("udiv", t.mul(t.add(number, i64(1)), extent), i64(shares))


def part_range(t: Text, number: V, step: int, extent: int) -> Range:
    """What part `number` of `step` positions covers of range(extent)."""
    if step >= extent:
        return 0, extent
    lo = t.mul(number, step)
    return lo, t.minimum(t.add(lo, i64(step)), i64(extent))
