"""Transpositions in registers: where all that is read lies along another axis than the result, or
is the same along it, packets are computed along that axis, and squares of as many packets as they
have lanes are turned before they are stored. Neither side is gone over in steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes.loop import inner_loops, outer_loops
from tfc.codegen.heroes.pack import turned
from tfc.codegen.heroes.ranges import Range, value_of
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, const, i64

Split = Callable[[Sequence[Index]], tuple[Index, ...]]

MOST_LANES = 16  # of a square: its packets are registers
PANEL = 4  # squares side by side that rows are gone over for
MOST_OPS = 8  # each is written for all packets of a square


def fits(
    k: Kernel, accesses: Sequence[Index], axes: Sequence[Index], extents: Sequence[int], across: int
) -> bool:
    """Whether the kernel can be done in squares. accesses: of what is read; axes: the last of each
    group that is one loop, of `extents`; across: the group along which operands lie."""
    lanes = side(k.e)
    plain = k.op.attr("hero") == "loop" and len(k.region.ops) <= MOST_OPS
    if not plain or len(k.region.results) != 1 or lanes == 1:
        return False
    result = k.region.results[0]
    if result.type.dtype == "i1" or result.type.dtype in dtypes.COMPLEX:
        return False
    if min(extents[across], extents[-1]) < lanes or k.space != result.type.shape:
        return False
    step = axes[across].terms[0][0]
    for access in accesses:
        if any(atom.source is not None for atom, _ in access.terms):
            return False
        if dict(access.terms).get(step, 0) not in (0, 1):
            return False
    return True


def side(e: Emitter) -> int:
    return min(e.lanes, MOST_LANES)


def write(k: Kernel, extents: Sequence[int], across: int, split: Split) -> None:
    """All squares. split: from one index for each group to one for each axis."""
    extent, last = extents[across], extents[-1]
    before, between = extents[:across], extents[across + 1 : -1]
    with k.e.with_lanes(side(k.e)):

        def part(at: tuple[Index, ...], rows: Range) -> None:
            def plane(middle: tuple[Index, ...]) -> None:
                Plane(k, rows, extent, last, lambda i, j: split((*at, i, *middle, j))).write()

            inner_loops(k, between, plane)

        if before:
            outer_loops(k, before, lambda at: part(at, (0, extent)))
        else:
            part((), k.chunk_range(extent, k.e.lanes))


class Plane:
    """The squares of `rows` (a range of `extent` that begins with a square), and of all `last`
    columns: panel by panel of some columns, so that cache lines that squares share, on either side,
    are met again soon. place: the index of a row and a column."""

    def __init__(
        self,
        k: Kernel,
        rows: Range,
        extent: int,
        last: int,
        place: Callable[[Index, Index], tuple[Index, ...]],
    ):
        self.k, self.e, self.t = k, k.e, k.t
        self.rows, self.extent, self.last, self.place = rows, extent, last, place

    def write(self) -> None:
        t, lanes = self.t, self.e.lanes
        whole, width = self.last - self.last % lanes, PANEL * lanes

        with t.loop(0, whole, width) as panel:
            end = t.minimum(t.add(panel.index, i64(width)), i64(whole))

            def squares(row: V, count: int) -> None:
                with t.loop(panel.index, end, lanes) as loop:
                    self.square((row, count), (loop.index, lanes))

            self.each_row(squares)
        if whole < self.last:
            self.each_row(lambda row, n: self.square((row, n), (i64(whole), self.last - whole)))

    def each_row(self, body: Callable[[V, int], None]) -> None:
        """body(first, count) for each square's rows."""
        t, lanes, (lo, hi) = self.t, self.e.lanes, self.rows
        whole = self.extent - self.extent % lanes
        static = isinstance(lo, int) and isinstance(hi, int)
        with t.loop(lo, whole if static else t.minimum(value_of(hi), i64(whole)), lanes) as loop:
            body(loop.index, lanes)
        if whole == self.extent:
            return
        if static:
            body(i64(whole), self.extent - whole)
            return
        some = t.cmp("slt", value_of(lo), value_of(hi))
        with t.when(t.op("and", some, t.cmp("eq", value_of(hi), i64(self.extent)))):
            body(i64(whole), self.extent - whole)

    def square(self, rows: tuple[V, int], columns: tuple[V, int]) -> None:
        """`count` rows and columns from a first one on."""
        e, result = self.e, self.k.region.results[0]
        row, column = self._packet(rows, self.extent), self._each(columns, self.last)
        found = []
        for n in range(columns[1]):
            value = e.value(result, self.place(row, column + n)).value
            assert isinstance(value, V)
            found.append(value)
        found += [const(found[0].type, 0)] * (e.lanes - len(found))
        row, column = self._each(rows, self.extent), self._packet(columns, self.last)
        for n, value in enumerate(turned(e, found)[: rows[1]]):
            packet = Packet(value, result.type.dtype)
            e.store(self.k.results[0], self.place(row + n, column), packet)

    def _packet(self, of: tuple[V, int], extent: int) -> Index:
        first, count = of
        mask = None if count == self.e.lanes else self.k.first_lanes(count)
        return self.e.axis(_number(first), 0, extent - 1, packet=True, mask=mask)

    def _each(self, of: tuple[V, int], extent: int) -> Index:
        first, count = of
        return self.e.axis(_number(first), 0, extent - count)


def _number(v: V) -> V | int:
    return v if v.ref[0] == "%" else int(v.ref)
