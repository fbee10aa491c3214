"""Position of the first least or greatest element along an axis.

Where packets lie along the reduced axis each lane keeps the best of its own elements, and the
lanes are compared in the end; else each lane is a reduction of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from tfc.base import dtypes
from tfc.codegen.heroes.loop import nest, outer_loops
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, const, vec, vector_const

State = tuple[V, V]  # the best elements, and where they were found: i32, or i64; -1 for nothing


class ArgReduce:
    """One arg_reduce while its text is written."""

    def __init__(self, k: Kernel):
        self.k, self.e, self.t = k, k.e, k.t
        self.op = k.hero
        self.x = self.op.operands[0]
        self.shape: tuple[int, ...] = self.x.type.shape or ()
        self.dim: int = self.op.attr("dim")
        self.extent = self.shape[self.dim]
        self.dtype = self.x.type.dtype
        self.position = "i32" if self.extent < 2**31 else "i64"

    def better(self, a: V, b: V) -> V:
        """Whether a comes before b: greater (less), or a NaN where b is none."""
        t, kind = self.t, self.op.attr("kind")
        wins = self.e.arithmetic.compare("gt" if kind == "max" else "lt", a, b, self._ordered)
        if self.dtype not in dtypes.FLOATS:
            return wins
        return t.op("or", wins, t.op("and", t.cmp("uno", a, a), t.cmp("ord", b, b)))

    @property
    def _ordered(self) -> str:
        return "u8" if self.dtype == "i1" else self.dtype

    def element(self, index: tuple[Index, ...]) -> V:
        packet = self.e.value(self.x, index)
        value: V = self.e.convert(packet, self._ordered).value
        return value

    def start(self) -> State:
        lanes = self.e.lanes
        value = self.e.const(self._ordered, 0).value
        return value, const(vec(self.position, lanes), -1)

    def take(self, state: State, value: V, at: V, mask: V | None = None) -> State:
        """`state` with an element that comes after all in it."""
        t = self.t
        best, where = state
        chosen = t.op("or", self.better(value, best), t.cmp("slt", where, const(where.type, 0)))
        if mask is not None:
            chosen = t.op("and", chosen, mask)
        return t.select(chosen, value, best), t.select(chosen, at, where)

    def positions(self, base: V) -> V:
        """base + lane, in every lane."""
        t, lanes = self.t, self.e.lanes
        first = t.splat(t.cast("trunc", base, self.position), lanes)
        if lanes == 1:
            return first
        return t.op("add", first, vector_const(self.position, range(lanes)))

    def full_index(self, kept: tuple[Index, ...], at: Index) -> tuple[Index, ...]:
        return (*kept[: self.dim], at, *kept[self.dim :])

    def column(self, kept: tuple[Index, ...]) -> None:
        """Each lane for itself."""
        with self.t.loop(0, self.extent, carried=self.start()) as loop:
            at = self.e.loop_axis(loop, self.extent)
            where = self.t.cast("trunc", loop.index, self.position)
            where = self.t.splat(where, self.e.lanes)
            value = self.element(self.full_index(kept, at))
            loop.next(self.take((loop.carried[0], loop.carried[1]), value, where))
        self.finish(kept, loop.results[1])

    def row(self, kept: tuple[Index, ...]) -> None:
        """Packets along the reduced axis, which is the last."""
        t, e, lanes = self.t, self.e, self.e.lanes
        whole = self.extent - self.extent % lanes
        state = self.start()
        if whole:
            with t.loop(0, whole, lanes, carried=state) as loop:
                at = e.loop_axis(loop, self.extent, packet=True)
                value = self.element((*kept, at))
                here = self.positions(loop.index)
                loop.next(self.take((loop.carried[0], loop.carried[1]), value, here))
            state = loop.results[0], loop.results[1]
        if whole < self.extent:
            mask = self.k.first_lanes(self.extent - whole) if lanes > 1 else None
            at = self.k.tail(self.extent)
            here = self.positions(V(str(whole), "i64"))
            state = self.take(state, self.element((*kept, at)), here, mask)
        position = self.across(state)
        with e.with_lanes(1):
            self.finish(kept, position)

    def across(self, state: State) -> V:
        """The best of the lanes: on a tie the one found first."""
        t, lanes = self.t, self.e.lanes
        while lanes > 1:
            lanes //= 2
            halves = []
            for v in state:
                low = t.shuffle(v, None, range(lanes)) if lanes > 1 else t.extract(v, 0)
                high = t.shuffle(v, None, range(lanes, 2 * lanes)) if lanes > 1 else t.extract(v, 1)
                halves.append((low, high))
            (a, b), (at_a, at_b) = halves
            zero = const(at_a.type, 0)
            earlier = t.cmp("slt", at_b, at_a)
            tie = t.op("and", earlier, t.op("xor", self.better(a, b), const(earlier.type, True)))
            wins = t.op("or", t.op("or", self.better(b, a), tie), t.cmp("slt", at_a, zero))
            wins = t.op("and", wins, t.cmp("sge", at_b, zero))
            state = t.select(wins, b, a), t.select(wins, at_b, at_a)
        return state[1]

    def finish(self, kept: tuple[Index, ...], position: V) -> None:
        found = Packet(position, self.position)
        packet = self.e.convert(found, self.op.attr("dtype"))
        self.k.finish(kept, {self.op.result: packet})


def write(k: Kernel) -> None:
    """The whole kernel."""
    a = ArgReduce(k)
    kept = [n for d, n in enumerate(a.shape) if d != a.dim]
    if a.extent == 0:
        zero = k.e.const(a.op.attr("dtype"), 0)
        nest(k, kept, lambda at: k.finish(at, {a.op.result: zero}))
    elif a.dim == len(a.shape) - 1:
        one_by_one(k, kept, a.row)
    else:
        nest(k, kept, a.column)


def one_by_one(k: Kernel, extents: list[int], body: Callable[[tuple[Index, ...]], None]) -> None:
    """body at each position; the first axis is split."""
    if extents:
        outer_loops(k, extents, body)
    else:
        nest(k, (), body)
