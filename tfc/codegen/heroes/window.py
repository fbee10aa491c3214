"""Gradients of max pooling: each window's dy goes to the first greatest element of the window, or
to all that are nearly as great.

Windows that lie side by side are visited with what of x lies behind the last of them, so that each
element is finished once, by its window. Else the result is zeroed, then windows are visited in
row-major order and add to it where it lies. Packets lie along the last axis if that has windows of
one element. Chunks are ranges of the first axis; where windows overlap, if that has windows of one
element too.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tfc.base import dtypes
from tfc.codegen.heroes.loop import nest
from tfc.codegen.index import Atom, Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, i64, vec
from tfc.ir.core import Op, Value
from tfc.prims.reduction import NEAR, has_tiles

UNROLLED = 16  # windows, or parts of them, of at most this many elements are written out
MOST_UNROLLED = 32  # of windows inside x, whose places are no more than an address each

Place = tuple[tuple[Index, ...], V | None]  # an index into x, and i1: whether it exists


class Windows:
    """One select_and_scatter while its text is written; or scatter_near, as a subclass."""

    def __init__(self, k: Kernel):
        self.k, self.e, self.t = k, k.e, k.t
        self.op: Op = k.hero
        self.x, self.dy = self.op.operands[0], self.op.operands[-1]
        self.shape: tuple[int, ...] = self.x.type.shape or ()
        self.out: tuple[int, ...] = self.dy.type.shape or ()
        self.window: tuple[int, ...] = self.op.attr("window")
        self.tiles = has_tiles(self.op)
        self.whole = False  # whether the window at hand lies inside x

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
            low, high = position.lo, position.hi
            if self.whole:
                bounds = max(low, 0), min(high, self.shape[d] - 1)
                position = Index(position.const, position.terms, bounds)
            elif low < 0 or high >= self.shape[d]:
                test = t.extract(e.in_range(position, 0, self.shape[d]).value, 0)
                inside = test if inside is None else t.op("and", inside, test)
                position = e.clamp(position, 0, self.shape[d] - 1)
            index.append(position)
        return tuple(index), inside

    def each_place(
        self, carried: list[V], body: Callable[[tuple[Index, ...], V, list[V]], list[V]]
    ) -> list[V]:
        """body(offsets, number, carried) for each element of a window, in row-major order; the
        inner axes written out, as many as make few elements, the outer ones loops."""
        return self._places((), i64(0), carried, body)

    def _places(
        self,
        done: tuple[Index, ...],
        number: V,
        carried: list[V],
        body: Callable[[tuple[Index, ...], V, list[V]], list[V]],
    ) -> list[V]:
        t, rest = self.t, self.window[len(done) :]
        if not rest:
            return body(done, _narrow(t, number), carried)
        step = math.prod(rest[1:])
        if rest[0] * step <= (MOST_UNROLLED if self.whole else UNROLLED):
            for n in range(rest[0]):
                after = t.add(number, i64(n * step))
                carried = self._places((*done, Index(n)), after, carried, body)
            return carried
        with t.loop(0, rest[0], carried=carried) as loop:
            after = t.add(number, t.mul(loop.index, step))
            offset = self.e.loop_axis(loop, rest[0])
            loop.next(self._places((*done, offset), after, loop.carried, body))
        return loop.results

    @property
    def grid(self) -> tuple[int, ...]:
        """Tiles in each axis of x, the padding before it included."""
        padding = self.op.attr("padding")
        ends = (n + low for n, (low, _) in zip(self.shape, padding, strict=True))
        return tuple(-(-end // w) for end, w in zip(ends, self.window, strict=True))

    def of_window(self, value: Value, at: tuple[Index, ...]) -> Packet:
        """What dy, or y, has of a window; zero for a tile that is none."""
        e, t, inside, index = self.e, self.t, None, []
        for i, extent in zip(at, self.out, strict=True):
            if i.hi >= extent:
                test = t.extract(e.in_range(i, 0, extent).value, 0)
                inside = test if inside is None else t.op("and", inside, test)
                i = e.clamp(i, 0, extent - 1)
            index.append(i)
        found, zero = e.value(value, tuple(index)), e.const(value.type.dtype, 0)
        if inside is None:
            return found
        return e.select(Packet(t.splat(inside, e.lanes), "i1"), found, zero)

    def visit(self, at: tuple[Index, ...]) -> None:
        """One window, or a packet of neighbouring ones. Those that lie inside x need no tests of
        their places."""
        t, strides, padding = self.t, self.op.attr("strides"), self.op.attr("padding")
        inside, ranges = None, dict[int, tuple[int, int]]()
        for d, i in enumerate(at):
            if self.single(d):
                continue
            low = -(-padding[d][0] // strides[d])
            high = (self.shape[d] + padding[d][0] - self.window[d]) // strides[d] + 1
            if low <= i.lo and i.hi < high:
                continue
            if low >= high:
                self._visit(at, False)
                return
            test = t.extract(self.e.in_range(i, low, high).value, 0)
            inside = test if inside is None else t.op("and", inside, test)
            ranges[d] = max(low, i.lo), min(high - 1, i.hi)
        if inside is None:
            self._visit(at, True)
            return
        with t.when(inside):
            self._visit(tuple(self._known_here(i, ranges.get(d)) for d, i in enumerate(at)), True)
        with t.when(t.op("xor", inside, V("true", "i1"))):
            self._visit(at, False)

    def _known_here(self, i: Index, bounds: tuple[int, int] | None) -> Index:
        """`i`, which has these bounds as far as this scope goes: what is read at places made of it
        is not read in front of it."""
        if bounds is None:
            return i
        return Index.of(Atom(self.t.scope, bounds, self.e.scalar(i)))

    def _visit(self, at: tuple[Index, ...], whole: bool) -> None:
        self.whole = whole
        takes = self.takes(at)
        dy = self.of_window(self.dy, at)
        zero = self.e.const(dy.dtype, 0)
        put = self.finish if self.tiles else self.add

        def give(offsets: tuple[Index, ...], number: V, nothing: list[V]) -> list[V]:
            index, inside = self.place(at, offsets)

            def element() -> None:
                put(index, self.e.select(takes(index, number), dy, zero))

            if inside is None:
                element()
            else:
                with self.t.when(inside):
                    element()
            return nothing

        self.each_place([], give)

    def takes(self, at: tuple[Index, ...]) -> Callable[[tuple[Index, ...], V], Packet]:
        """What says whether the element of x at an index (a place by number) gets a window's dy."""
        chosen, lanes = self.choose(at), self.e.lanes

        def mine(index: tuple[Index, ...], number: V) -> Packet:
            return Packet(self.t.cmp("eq", chosen, self.t.splat(number, lanes)), "i1")

        return mine

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


class NearWindows(Windows):
    """One scatter_near."""

    def takes(self, at: tuple[Index, ...]) -> Callable[[tuple[Index, ...], V], Packet]:
        e, dtype = self.e, self.x.type.dtype
        best = self.of_window(self.op.operands[1], at)
        near = e.const(dtype, NEAR) if dtype in dtypes.FLOATS else None

        def mine(index: tuple[Index, ...], number: V) -> Packet:
            value = e.value(self.x, index)
            if near is None:
                return e.compare("eq", value, best)
            return e.compare("lt", e.unary("abs", e.binary("sub", value, best)), near)

        return mine


def write(k: Kernel) -> None:
    """The whole kernel."""
    w = NearWindows(k) if k.hero.defn.name == "scatter_near" else Windows(k)
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


def _narrow(t: Text, number: V) -> V:
    """An i64 as i32."""
    if number.ref[0] == "%":
        return t.cast("trunc", number, "i32")
    return V(number.ref, "i32")
