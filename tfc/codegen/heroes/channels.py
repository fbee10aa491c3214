"""Convolutions of single channels (depthwise): each group has one channel and one output, so that
packets lie along the groups, in the images, the filter and the result alike.

Sums of several places stand side by side in registers: pixels of the result, or elements of the
filter in its gradient. What one of them reads at one step another reads at the next, and such loads
are written once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes.contract import STRAIGHT_FINISH, Finish
from tfc.codegen.heroes.micro import Side, load_packet
from tfc.codegen.heroes.ranges import Range, unravel, value_of
from tfc.codegen.index import Index
from tfc.codegen.packets import REGISTER, Packet
from tfc.codegen.values import V, const, i64, vec, vector_const
from tfc.prims.loop_nest import Contraction, Dim

Rows = Callable[[dict[int, Index], Index, V, int], None]

SIDE_BY_SIDE = 8  # sums of pixels; on targets of few registers half as many
MOST_PLACES = 16  # elements of a filter whose gradients are summed at the same time
UNROLLED = 12  # steps of the innermost loop that are written out
BLOCK = 256  # products added one after the other before they become one part of a long sum


class ChannelLoops:
    """The loops of contraction `c`. finish(index, packet) gets each packet of the result, and takes
    about `weight` instructions; `registers`: of the target."""

    def __init__(self, e: Emitter, c: Contraction, finish: Finish, weight: int, registers: int):
        self.e, self.t, self.c, self.finish = e, e.text, c, finish
        self.side = Side(c.dtype, 0)
        self.type = vec(REGISTER[c.dtype], e.lanes)
        self.floats = c.dtype in dtypes.FLOATS
        room = SIDE_BY_SIDE if registers > 16 else SIDE_BY_SIDE // 2
        self.most = max(1, min(room, STRAIGHT_FINISH // max(weight, 1)))
        self.mask: V | None = None

    # -- results ----------------------------------------------------------------------------------
    def images(self, bands: Range, a: V, b: V) -> None:
        """Bands of pixels: the sums over the window. All groups of some pixels before the next
        pixels: what these read is still near."""

        def write(index: dict[int, Index], at: Index, pointer: V, count: int) -> None:
            every = (0, self._group.extent)
            self.groups(every, pointer, b, lambda g, x, f: self._places(index, at, g, x, f, count))

        with self.t.loop(*bands) as loop:
            index, pointer = self._band(loop.index, a)
            self._rows(index, pointer, write)

    def filters(self, groups: Range, a: V, b: V) -> None:
        """Elements of the filter, of a range of groups: the sums over images and pixels."""

        def write(group: Index, x: V, dy: V) -> None:
            if self.c.strips * self.c.row.extent <= MOST_PLACES:
                self._all_places(group, x, dy)
                return
            with self.t.loop(0, self.c.strips) as loop:
                index, pointer = self._band(loop.index, x)
                self._rows(
                    index,
                    pointer,
                    lambda index, at, p, count: self._places(index, at, group, p, dy, count),
                )

        self.groups(groups, a, b, write)

    @property
    def _group(self) -> Dim:
        return self.c.outer[0]

    def groups(self, groups: Range, a: V, b: V, body: Callable[[Index, V, V], None]) -> None:
        """body(index, a, b) for each packet of groups, with the operands' pointers there."""
        e, t, extent = self.e, self.t, self._group.extent

        def packet(base: V | int, mask: V | None) -> None:
            self.mask = mask
            at = value_of(base)
            index = e.axis(base, 0, extent - 1, packet=True, mask=mask)
            body(index, t.gep(a, at, self.side.element), t.gep(b, at, self.side.element))
            self.mask = None

        group_packets(e, extent, groups, packet)

    def _band(self, flat: V, a: V) -> tuple[dict[int, Index], V]:
        """The indices of a band, and the pointer to it."""
        index = {}
        numbers = unravel(self.t, flat, [d.extent for d in self.c.bands])
        for d, number in zip(self.c.bands, numbers, strict=True):
            base: V | int = number if number.ref[0] == "%" else int(number.ref)
            if d.axis >= 0:
                index[d.axis] = self.e.axis(base, 0, d.extent - 1)
            a = self.t.gep(a, self.t.mul(number, d.a), self.side.element)
        return index, a

    def _rows(self, index: dict[int, Index], a: V, body: Rows) -> None:
        """body(index, place, pointer, count) for `count` places of a band at a time."""
        t, row = self.t, self.c.row
        whole = row.extent - row.extent % self.most
        if whole:
            with t.loop(0, whole, self.most) as loop:
                base: V | int = loop.index if loop.index.ref[0] == "%" else 0
                at = self.e.axis(base, 0, whole - self.most)
                pointer = t.gep(a, t.mul(loop.index, row.a), self.side.element)
                body(index, at, pointer, self.most)
        if whole < row.extent:
            pointer = t.gep(a, whole * row.a, self.side.element)
            body(index, Index(whole), pointer, row.extent - whole)

    def _places(
        self, index: dict[int, Index], at: Index, group: Index, a: V, b: V, count: int
    ) -> None:
        """Sums of `count` places side by side."""
        sums = self._sums([u * self.c.row.a for u in range(count)], a, b)
        for u, value in enumerate(sums):
            self._done(index | {self.c.row.axis: at + u}, group, value)

    def _all_places(self, group: Index, a: V, b: V) -> None:
        dims = (*self.c.bands, self.c.row)
        places = list(itertools.product(*(range(d.extent) for d in dims)))
        offsets = [sum(i * d.a for i, d in zip(at, dims, strict=True)) for at in places]
        for at, value in zip(places, self._sums(offsets, a, b), strict=True):
            self._done({d.axis: Index(i) for i, d in zip(at, dims, strict=True)}, group, value)

    def _done(self, index: dict[int, Index], group: Index, value: V) -> None:
        known = index | {self._group.axis: group}
        full = tuple(known.get(axis, Index()) for axis in range(self.c.rank))
        rounded = self.e.arithmetic.rounded(value, self.c.dtype)
        self.finish(full, Packet(rounded, self.c.dtype))

    # -- sums -------------------------------------------------------------------------------------
    def _sums(self, offsets: Sequence[int], a: V, b: V) -> list[V]:
        """For each offset: the sum of products over the inner loops, a read that much further."""
        zeros = [const(self.type, 0)] * len(offsets)
        return self._inner(self.c.inner, offsets, a, b, zeros)

    def _inner(
        self, dims: Sequence[Dim], offsets: Sequence[int], a: V, b: V, sums: list[V]
    ) -> list[V]:
        t, head, rest, element = self.t, dims[0], dims[1:], self.side.element
        if not rest and head.extent <= UNROLLED:
            return self._steps(head, head.extent, offsets, a, b, sums)
        if not rest:
            return self._long(head, offsets, a, b, sums)
        with t.loop(0, head.extent, carried=(a, b, *sums)) as loop:
            at, bt, *now = loop.carried
            if rest == dims[-1:] and rest[0].extent > UNROLLED:  # a part of its own
                zeros = [const(self.type, 0)] * len(now)
                parts = self._inner(rest, offsets, at, bt, zeros)
                now = [self._add(x, y) for x, y in zip(now, parts, strict=True)]
            else:
                now = self._inner(rest, offsets, at, bt, now)
            loop.next((t.gep(at, head.a, element), t.gep(bt, head.b, element), *now))
        return loop.results[2:]

    def _long(self, dim: Dim, offsets: Sequence[int], a: V, b: V, sums: list[V]) -> list[V]:
        """Many steps; the sum of more than two blocks is one of blocks."""
        t, element = self.t, self.side.element

        def steps(lo: V | int, hi: V | int, start: Sequence[V]) -> list[V]:
            with t.loop(lo, hi, carried=start) as loop:
                at = t.gep(a, t.mul(loop.index, dim.a), element)
                bt = t.gep(b, t.mul(loop.index, dim.b), element)
                loop.next(self._steps(dim, 1, offsets, at, bt, loop.carried))
            return loop.results

        if dim.extent <= 2 * BLOCK:
            return steps(0, dim.extent, sums)
        with t.loop(0, dim.extent, BLOCK, carried=sums) as blocks:
            end = t.minimum(t.add(blocks.index, i64(BLOCK)), i64(dim.extent))
            parts = steps(blocks.index, end, [const(self.type, 0)] * len(sums))
            pairs = zip(blocks.carried, parts, strict=True)
            blocks.next([self._add(x, y) for x, y in pairs])
        return blocks.results

    def _steps(
        self, dim: Dim, count: int, offsets: Sequence[int], a: V, b: V, sums: Sequence[V]
    ) -> list[V]:
        """`count` steps written out; each element of a is loaded once."""
        found: dict[int, V] = {}

        def of_a(offset: int) -> V:
            if offset not in found:
                found[offset] = self._load(a, offset)
            return found[offset]

        now = list(sums)
        for step in range(count):
            right = self._load(b, step * dim.b)
            now = [
                self._product(of_a(offset + step * dim.a), right, value)
                for offset, value in zip(offsets, now, strict=True)
            ]
        return now

    def _load(self, at: V, offset: int) -> V:
        pointer = self.t.gep(at, offset, self.side.element)
        raw = load_packet(self.e, pointer, self.side, self.e.lanes, self.mask)
        return self.e.arithmetic.to_register(raw, self.c.dtype)

    def _product(self, a: V, b: V, value: V) -> V:
        t = self.t
        return t.fma(a, b, value) if self.floats else t.op("add", value, t.op("mul", a, b))

    def _add(self, a: V, b: V) -> V:
        return self.t.op("fadd" if self.floats else "add", a, b)


def group_packets(
    e: Emitter, extent: int, groups: Range, body: Callable[[V | int, V | None], None]
) -> None:
    """body(first, mask) for each packet of a range of groups, of `extent`; the range ends with
    them, or with a packet."""
    t, lanes, (lo, hi) = e.text, e.lanes, groups
    whole = extent - extent % lanes
    tail = vector_const("i1", [lane < extent - whole for lane in range(lanes)])
    if isinstance(lo, int) and isinstance(hi, int):
        if whole:
            with t.loop(0, whole, lanes) as loop:
                body(loop.index if loop.index.ref[0] == "%" else 0, None)
        if whole < extent:
            body(whole, tail)
        return
    with t.loop(lo, t.minimum(value_of(hi), i64(whole)), lanes) as loop:
        body(loop.index, None)
    if whole < extent:
        with t.when(t.cmp("eq", value_of(hi), i64(extent))):
            body(whole, tail)
