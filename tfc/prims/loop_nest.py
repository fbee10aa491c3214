"""How dot is seen by the kernel that computes it: from shapes alone.

A `Contraction` is the loop nest that dot and the convolutions share:

    for outer...: for col: for band...: for row:
        out[outer, band, row, col] = sum over inner... of
            a[outer, band, row, inner] * b[outer, col, inner]

Each loop is a `Dim` with its extent and how far one step goes in a, in b (in elements) and along
which axis of the result. `col` is the axis that packets lie along; bands are rows that cannot be
merged with `row` into one loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.ir.core import Type

Ints = tuple[int, ...]

# Columns fewer than these leave part of a packet empty; and how many products in empty lanes are as
# much work as turning a square of packets.
PACKET, WORTH_TURNING = 16, 96


@dataclass(frozen=True)
class Dim:
    """One loop: `extent` steps of `a` and `b` elements along result axis `axis` (-1: none)."""

    extent: int
    a: int = 0
    b: int = 0
    axis: int = -1


@dataclass(frozen=True)
class Contraction:
    """The loop nest. `swapped`: a is the second operand of the op, b the first; `turned`:
    neighbours in the result are rows."""

    outer: tuple[Dim, ...]
    bands: tuple[Dim, ...]
    row: Dim
    col: Dim
    inner: tuple[Dim, ...]
    dtype: str
    rank: int  # of the result
    swapped: bool = False
    turned: bool = False

    @property
    def depth(self) -> int:
        return prod(d.extent for d in self.inner)

    @property
    def batches(self) -> int:
        return prod(d.extent for d in self.outer)

    @property
    def strips(self) -> int:
        return prod(d.extent for d in self.bands)

    @property
    def lines(self) -> int:
        """Rows in all bands: how often an element of b is used."""
        return self.strips * self.row.extent

    @property
    def flops(self) -> int:
        return 2 * self.depth * self.lines * self.col.extent * self.batches


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    out = [1] * len(shape)
    for d in range(len(shape) - 2, -1, -1):
        out[d] = out[d + 1] * shape[d + 1]
    return tuple(out)


def merged(dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Contracted loops with neighbours in memory as one loop; loops of one step dropped."""
    out: list[Dim] = []
    for d in dims:
        if d.extent == 1:
            continue
        last = out[-1] if out else None
        if last and last.a == d.a * d.extent and last.b == d.b * d.extent:
            out[-1] = Dim(last.extent * d.extent, d.a, d.b)
        else:
            out.append(d)
    return tuple(out) or (Dim(1),)


@lru_cache(256)
def dot_contraction(
    a: Type, b: Type, *, batch: tuple[Ints, Ints], contract: tuple[Ints, Ints]
) -> Contraction:
    """The loop nest of dot(a, b)."""
    ea, eb = static_shape(a), static_shape(b)
    sa, sb = strides(ea), strides(eb)
    pairs = enumerate(zip(*batch, strict=True))
    outer = [Dim(ea[p], sa[p], sb[q], axis) for axis, (p, q) in pairs]
    free_a = [d for d in range(len(ea)) if d not in batch[0] and d not in contract[0]]
    free_b = [d for d in range(len(eb)) if d not in batch[1] and d not in contract[1]]
    first = len(outer)
    rows = [Dim(ea[d], sa[d], 0, first + k) for k, d in enumerate(free_a)]
    first += len(rows)
    cols = [Dim(eb[d], 0, sb[d], first + k) for k, d in enumerate(free_b)]
    inner = [Dim(ea[p], sa[p], sb[q]) for p, q in zip(*contract, strict=True)]
    rank = first + len(cols)
    # Without columns the rows are what packets lie along; with few they may be.
    few = prod(d.extent for d in cols)
    swapped = prod(d.extent for d in rows) > 1 and (few == 1 or _turns(rows, cols, inner, a.dtype))
    if swapped:
        outer, inner = _flip(outer), _flip(inner)
        rows, cols = _flip(cols), _flip(rows)
    row, bands = _largest(rows)
    turned = swapped and few > 1
    many = [d for d in cols if d.extent > 1] or cols or [Dim(1)]
    outer += [d for d in cols if d is not many[-1]]
    return Contraction(
        tuple(outer), tuple(bands), row, many[-1], merged(inner), a.dtype, rank, swapped, turned
    )


def _turns(rows: Sequence[Dim], cols: Sequence[Dim], inner: Sequence[Dim], dtype: str) -> bool:
    """Whether columns that leave part of a packet empty are better done as rows: packets then lie
    along the rows, which are neighbours in memory, and are turned at the end."""
    long, short = ([d for d in dims if d.extent > 1] for dims in (rows, cols))
    if len(long) != 1 or len(short) != 1 or long[0].a != 1:
        return False
    packet = PACKET if dtypes.by_short(dtype).size <= 4 else PACKET // 2
    extent = short[0].extent
    empty = -extent % packet * prod(d.extent for d in inner)
    return extent < PACKET <= long[0].extent and empty >= WORTH_TURNING


def static_shape(type: Type) -> Ints:
    return tuple(int(d) for d in type.shape)


def _flip(dims: Sequence[Dim]) -> list[Dim]:
    return [replace(d, a=d.b, b=d.a) for d in dims]


def _largest(dims: Sequence[Dim]) -> tuple[Dim, list[Dim]]:
    """The loop with most steps, the last of equals; and the others."""
    if not dims:
        return Dim(1), []
    at = max(range(len(dims)), key=lambda k: (dims[k].extent, k))
    return dims[at], [d for k, d in enumerate(dims) if k != at]
