"""Gradient of max pooling: each window's dy goes to the first greatest element of the window.

Windows that lie side by side are visited with what of x lies behind the last of them, so that each
element is finished once, by its window. Else the result is zeroed, then windows are visited in
row-major order and add to it where it lies. Packets lie along the last axis if that has windows of
one element. Chunks are ranges of the first axis; where windows overlap, if that has windows of one
element too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tfc.codegen.heroes.loop import nest
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.text import V, const, vec
from tfc.ir.core import Op
from tfc.prims.reduction import has_tiles

UNROLLED = 16  # windows of at most this many elements are written out

Place = tuple[tuple[Index, ...], V | None]  # an index into x, and i1: whether it exists


class Windows:
    """One select_and_scatter while its text is written."""

    def __init__(self, k: Kernel):
        self.k, self.e, self.t = k, k.e, k.t
        self.op: Op = k.hero
        self.x, self.dy = self.op.operands
        self.shape: tuple[int, ...] = self.x.type.shape or ()
        self.out: tuple[int, ...] = self.dy.type.shape or ()
        self.window: tuple[int, ...] = self.op.attr("window")
        self.tiles = has_tiles(self.op)

    def single(self, d: int) -> bool:
        """Whether windows along axis d are its elements."""
        plain = self.op.attr("strides")[d] == 1 and self.op.attr("padding")[d] == (0, 0)
        return self.window[d] == 1 and plain

    def place(self, at: tuple[Index, ...], offsets: tuple[Index, ...]) -> Place:
        """Where the element `offsets` of window `at` lies; its index is held inside x."""
        e, t, index, inside = self.e, self.t, [], None
        strides, padding = self.op.attr("strides"), self.op.attr("padding")
        for d, (i, offset) in enumerate(zip(at, offsets, strict=True)):
            position = i if self.single(d) else i * strides[d] + offset - padding[d][0]
            if position.lo < 0 or position.hi >= self.shape[d]:
                test = t.extract(e.in_range(position, 0, self.shape[d]).value, 0)
                inside = test if inside is None else t.op("and", inside, test)
                position = e.clamp(position, 0, self.shape[d] - 1)
            index.append(position)
        return tuple(index), inside

    def each_place(
        self, carried: list[V], body: Callable[[tuple[Index, ...], V, list[V]], list[V]]
    ) -> list[V]:
        """body(offsets, number, carried) for each element of a window, in row-major order; written
        out for small windows, else a loop."""
        count = math.prod(self.window)
        if count <= UNROLLED:
            for place in range(count):
                offsets = self.e.delinearize(place, self.window)
                carried = body(offsets, V(str(place), "i32"), carried)
            return carried
        with self.t.loop(0, count, carried=carried) as loop:
            offsets = self.e.delinearize(self.e.loop_axis(loop, count), self.window)
            number = self.t.cast("trunc", loop.index, "i32")
            loop.next(body(offsets, number, loop.carried))
        return loop.results

    @property
    def grid(self) -> tuple[int, ...]:
        """Tiles in each axis of x, the padding before it included."""
        padding = self.op.attr("padding")
        ends = (n + low for n, (low, _) in zip(self.shape, padding, strict=True))
        return tuple(-(-end // w) for end, w in zip(ends, self.window, strict=True))

    def gradient(self, at: tuple[Index, ...]) -> Packet:
        """dy of a window; zero for a tile that is none."""
        e, t, inside, index = self.e, self.t, None, []
        for i, extent in zip(at, self.out, strict=True):
            if i.hi >= extent:
                test = t.extract(e.in_range(i, 0, extent).value, 0)
                inside = test if inside is None else t.op("and", inside, test)
                i = e.clamp(i, 0, extent - 1)
            index.append(i)
        dy, zero = e.value(self.dy, tuple(index)), e.const(self.dy.type.dtype, 0)
        if inside is None:
            return dy
        return e.select(Packet(t.splat(inside, e.lanes), "i1"), dy, zero)

    def visit(self, at: tuple[Index, ...]) -> None:
        """One window, or a packet of neighbouring ones."""
        t, lanes = self.t, self.e.lanes
        chosen = self.choose(at)
        dy = self.gradient(at)
        zero = self.e.const(dy.dtype, 0)
        put = self.finish if self.tiles else self.add

        def give(offsets: tuple[Index, ...], number: V, nothing: list[V]) -> list[V]:
            index, inside = self.place(at, offsets)
            mine = Packet(t.cmp("eq", chosen, t.splat(number, lanes)), "i1")
            part = self.e.select(mine, dy, zero)
            if inside is None:
                put(index, part)
            else:
                with t.when(inside):
                    put(index, part)
            return nothing

        self.each_place([], give)

    def add(self, index: tuple[Index, ...], part: Packet) -> None:
        result = self.k.results[0]
        self.e.store(result, index, self.e.binary("add", self.e.load(result, index), part))

    def finish(self, index: tuple[Index, ...], part: Packet) -> None:
        self.k.finish(index, {self.op.result: part})

    def choose(self, at: tuple[Index, ...]) -> V:
        """The number of the place that holds the greatest element; -1 if none exists."""
        t, lanes = self.t, self.e.lanes

        def better(offsets: tuple[Index, ...], number: V, state: list[V]) -> list[V]:
            best, chosen = state
            index, inside = self.place(at, offsets)
            value = self.e.value(self.x, index).value
            none = t.cmp("slt", chosen, const(chosen.type, 0))
            greater = self.e.arithmetic.compare("gt", value, best, self.x.type.dtype)
            take = t.op("or", greater, none)
            if inside is not None:
                take = t.op("and", take, t.splat(inside, lanes))
            return [t.select(take, value, best), t.select(take, t.splat(number, lanes), chosen)]

        start = [self.e.const(self.x.type.dtype, 0).value, const(vec("i32", lanes), -1)]
        return self.each_place(start, better)[1]


def write(k: Kernel) -> None:
    """The whole kernel."""
    w = Windows(k)
    if k.chunks > 1 and not (w.shape and (w.tiles or w.single(0))):
        with k.t.when(k.t.cmp("eq", k.lo, V("0", "i64"))):
            k.chunks = 1
            _all(k, w)
        return
    _all(k, w)


def _all(k: Kernel, w: Windows) -> None:
    lanes = k.e.lanes if w.shape and w.single(len(w.shape) - 1) else 1
    if w.tiles and w.dy.type.size:
        with k.e.with_lanes(lanes):
            nest(k, w.grid, w.visit)
        return

    def clear(at: tuple[Index, ...]) -> None:
        zero = k.e.const(w.op.result.type.dtype, 0)
        if w.tiles:
            w.finish(at, zero)
        else:
            k.e.store(k.results[0], at, zero)

    nest(k, w.shape, clear)
    if w.dy.type.size:
        with k.e.with_lanes(lanes):
            nest(k, w.out, w.visit)
