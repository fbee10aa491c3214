"""Cumulative sums, products and maxima: a loop along one axis that carries what it has so far.

Packets lie along the last axis. Where that is the one scanned, as many rows as a packet has lanes
go together: their packets are turned in registers, so that each lane is a row, and turned back.
A row alone, or one whose elements are too much to be written out for all of them, is taken element
by element. The order is the same in each of these ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import parts, with_parts
from tfc.codegen.heroes.arg_reduce import one_by_one
from tfc.codegen.heroes.loop import nest
from tfc.codegen.heroes.pack import turned
from tfc.codegen.heroes.short_rows import COSTLY, MOST_WRITTEN_OUT
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, i64
from tfc.prims.reduce_plan import accumulator
from tfc.prims.reduction import identity

MOST_TURNED = 8  # packets of a square: with twice as many LLVM takes six times as long
TURNED = frozenset(dtypes.REALS) - {"i1"}


class Scan:
    """One cumulative while its text is written; 16-bit floats are carried as float32."""

    def __init__(self, k: Kernel):
        self.k, self.e, self.t, self.op = k, k.e, k.t, k.hero
        self.x = self.op.operands[0]
        self.shape: tuple[int, ...] = self.x.type.shape or ()
        self.dim: int = self.op.attr("dim")
        self.wide = accumulator(self.op)
        self.extent = self.shape[self.dim]
        self.others = [n for d, n in enumerate(self.shape) if d != self.dim]

    def start(self) -> Packet:
        return self.e.const(self.wide, identity(self.op.attr("kind"), self.x.type.dtype))

    def step(self, before: Packet, element: Packet) -> tuple[Packet, Packet]:
        """(what is carried on, the result) after one more element."""
        after = self.e.binary(self.op.attr("kind"), before, element)
        return after, before if self.op.attr("exclusive") else after

    def element(self, index: tuple[Index, ...]) -> Packet:
        return self.e.convert(self.e.value(self.x, index), self.wide)

    def finish(self, index: tuple[Index, ...], out: Packet) -> None:
        self.k.finish(index, {self.op.result: self.e.convert(out, self.x.type.dtype)})

    def line(self, kept: tuple[Index, ...]) -> None:
        """Each lane for itself."""
        start = self.start()
        with self.t.loop(0, self.extent, carried=parts(start)) as loop:
            step = self.e.loop_axis(loop, self.extent)
            at = (self.extent - 1) - step if self.op.attr("reverse") else step
            index = (*kept[: self.dim], at, *kept[self.dim :])
            before = with_parts(start, loop.carried)
            after, out = self.step(before, self.element(index))
            self.finish(index, out)
            loop.next(parts(after))

    # -- rows in squares ------------------------------------------------------------------------
    def is_turned(self) -> bool:
        """Whether there are rows to go together, and their elements are short to write."""
        lanes = self.e.lanes
        if self.x.type.dtype not in TURNED or lanes == 1:
            return False
        weight = sum(1 if op.defn.exact else COSTLY for op in self.k.region.ops)
        enough = 2 * math.prod(self.others) >= lanes and self.extent >= lanes
        return enough and weight * lanes <= MOST_WRITTEN_OUT

    def rows(self) -> None:
        """All rows, in blocks; chunks are whole blocks. Beyond the last row that row again."""
        t, e, rows = self.t, self.e, math.prod(self.others)
        with t.loop(*self.k.chunk_range(rows, e.lanes), e.lanes) as loop:
            block = []
            for n in range(e.lanes):
                number = t.minimum(t.add(loop.index, i64(n)), i64(rows - 1)) if n else loop.index
                block.append(e.delinearize(e.axis(number, 0, rows - 1), self.others))
            self.block(block)
            loop.next(())

    def block(self, rows: Sequence[tuple[Index, ...]]) -> None:
        """As many rows as a packet has lanes, square by square."""
        t, e, lanes = self.t, self.e, self.e.lanes
        whole = self.extent - self.extent % lanes
        rest, reverse = self.extent - whole, self.op.attr("reverse")
        state = self.start()
        if rest and reverse:
            state = self.square(rows, self.k.tail(self.extent), rest, state)
        with t.loop(0, whole, lanes, carried=parts(state)) as loop:
            first = loop.index
            if reverse:
                first = t.op("sub", i64(whole - lanes), first)
            at = e.axis(first, 0, self.extent - 1, packet=True)
            after = self.square(rows, at, lanes, with_parts(state, loop.carried))
            loop.next(parts(after))
        state = with_parts(state, loop.results)
        if rest and not reverse:
            self.square(rows, self.k.tail(self.extent), rest, state)

    def square(
        self, rows: Sequence[tuple[Index, ...]], at: Index, count: int, before: Packet
    ) -> Packet:
        """The first `count` elements of the packets `at` of the rows; what is carried on."""
        turn = [self.element((*row, at)).value for row in rows]
        columns: list[V] = turned(self.e, turn)
        places = range(count)
        for j in reversed(places) if self.op.attr("reverse") else places:
            before, out = self.step(before, Packet(columns[j], self.wide))
            columns[j] = out.value
        for row, packet in zip(rows, turned(self.e, columns), strict=True):
            self.finish((*row, at), Packet(packet, self.wide))
        return before


def write(k: Kernel) -> None:
    """The whole kernel."""
    scan = Scan(k)
    if scan.dim != len(scan.shape) - 1:
        nest(k, scan.others, scan.line)
        return
    with k.e.with_lanes(min(k.e.lanes, MOST_TURNED)):
        if scan.is_turned():
            scan.rows()
            return
    with k.e.with_lanes(1):
        one_by_one(k, scan.others, scan.line)
