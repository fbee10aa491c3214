"""The microkernel: products of rows of a with packets of b, summed in registers.

It is unrolled over the register tile only; the inner loops are loops. For each element the sum is
one chain of fused multiply-adds (of multiplications and additions, for integers) from the first
step of the inner loops to the last.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.codegen.emitter import Emitter
from tfc.codegen.packets import MEMORY, REGISTER
from tfc.codegen.text import Loop
from tfc.codegen.values import V, const, i64, suffix, vec

UNROLLED = 160  # at most this many multiply-adds in a fully unrolled inner loop


@dataclass(frozen=True)
class Step:
    """One inner loop: its extent (i64 if known at run time), and how far a step goes in a and b."""

    extent: int | V
    a: int
    b: int


@dataclass(frozen=True)
class Piece:
    """Steps [lo, hi) of the rows at hand, where a lies in parts: the element of the first row at
    step lo, elements between rows, and between steps. zero: if given, an i1 that tells whether all
    of them are zeros, whatever lies there."""

    at: V
    lo: int
    hi: int
    rows: int
    step: int
    zero: V | None = None


def turns(steps: Sequence[Step]) -> int:
    """How often the body of loops around each other runs; their extents are known."""
    total = 1
    for step in steps:
        assert isinstance(step.extent, int), "only the outermost loop is cut into blocks"
        total *= step.extent
    return total


@dataclass(frozen=True)
class Side:
    """An operand as the microkernel reads it: its dtype, and elements between rows (of a) or
    packets (of b)."""

    dtype: str
    stride: int

    @property
    def element(self) -> str:
        return MEMORY[self.dtype]

    @property
    def size(self) -> int:
        return max(1, dtypes.by_short(self.dtype).size)


class Microkernel:
    """Multiplies `rows` rows of a by `packets` packets of b. mask: lanes of the last packet that
    may be read, None for all."""

    def __init__(
        self, e: Emitter, rows: int, packets: int, lanes: int, a: Side, b: Side, mask: V | None
    ):
        self.e, self.t = e, e.text
        self.rows, self.packets, self.lanes = rows, packets, lanes
        self.a, self.b, self.mask = a, b, mask
        self.register = REGISTER[a.dtype]
        self.type = vec(self.register, lanes)
        self.floats = a.dtype in dtypes.FLOATS

    def zeros(self) -> list[V]:
        """The sums before the first step."""
        return [const(self.type, 0)] * (self.rows * self.packets)

    def run(
        self,
        steps: Sequence[Step],
        a: V | Sequence[Piece],
        b: V,
        sums: Sequence[V],
        copy: V | None = None,
    ) -> list[V]:
        """`sums`, row by row, after all `steps` from the elements at `a` and `b` on. copy: where
        the packets of b are stored as well, step after step, in the register form."""
        if not isinstance(a, V):
            return self._pieces(steps[0], a, b, sums, copy)
        places = (a, b) if copy is None else (a, b, copy)
        return self._loops(steps, places, sums)

    def _pieces(
        self, step: Step, pieces: Sequence[Piece], b: V, sums: Sequence[V], copy: V | None
    ) -> list[V]:
        """The same, piece by piece."""
        now, places = list(sums), (b, b) if copy is None else (b, b, copy)
        for piece in pieces:
            _, here, *to = self._ahead(places, step, piece.lo)
            part = Step(piece.hi - piece.lo, piece.step, step.b)
            now = self._piece(piece, part, here, now, *to)
        return now

    def _piece(
        self, piece: Piece, part: Step, b: V, sums: Sequence[V], copy: V | None = None
    ) -> list[V]:
        """The same for one. Rows of zeros all add the same: zeros, unless b is not finite."""
        a = Side(self.a.dtype, piece.rows)
        micro = Microkernel(self.e, self.rows, self.packets, self.lanes, a, self.b, self.mask)

        def multiplied() -> Sequence[V]:
            return micro.run([part], piece.at, b, sums, copy)

        def skipped() -> Sequence[V]:
            row = micro.zeros_times(part, b, copy)
            return [self.t.op("fadd", s, row[k % self.packets]) for k, s in enumerate(sums)]

        if piece.zero is None:
            return list(multiplied())
        return self.t.choose(piece.zero, skipped, multiplied)

    def zeros_times(self, part: Step, b: V, copy: V | None) -> list[V]:
        """A row of zeros times the packets of b. As many steps are done side by side as the tile
        has rows, if there are so many: their sums do not wait for each other."""
        t, extent, zero = self.t, part.extent, const(self.type, 0)
        assert isinstance(extent, int)
        places = (b, b) if copy is None else (b, b, copy)

        def steps(places: Sequence[V], sums: Sequence[V], count: int) -> list[V]:
            now, (_, b, *copies) = list(sums), places
            for k in range(count):
                packets = [self._packet(b, k * part.b, p) for p in range(self.packets)]
                for copy in copies:
                    self._store(packets, copy, k)
                for p, packet in enumerate(packets, k * self.packets):
                    now[p] = t.fma(zero, packet, now[p])
            return now

        side, count = min(self.rows, extent), len(places)
        with t.loop(0, extent - extent % side, side, carried=(*places, *self.zeros())) as loop:
            here, now = self._carried(loop, count)
            now = steps(here, now, side)
            loop.next((*self._ahead(here, part, side), *now))
        sums = steps(loop.results[:count], loop.results[count:], extent % side)
        total = sums[: self.packets]
        for k in range(self.packets, len(sums)):
            total[k % self.packets] = t.op("fadd", total[k % self.packets], sums[k])
        return total

    def _loops(self, steps: Sequence[Step], places: Sequence[V], sums: Sequence[V]) -> list[V]:
        """The same. places: a, b and perhaps the copy."""
        head, rest = steps[0], steps[1:]
        if rest:
            apart = turns(rest)
            with self.t.loop(0, head.extent, carried=(*places, *sums)) as loop:
                here, now = self._carried(loop, len(places))
                now = self._loops(rest, here, now)
                loop.next((*self._ahead(here, head, 1, apart), *now))
            return loop.results[len(places) :]
        unit = self.rows * self.packets
        if isinstance(head.extent, int) and head.extent * unit <= UNROLLED and head.extent <= 16:
            return self._straight(head, head.extent, places, sums)
        unroll = 4 if unit <= 12 else 2
        return self._unrolled(head, unroll, places, sums)

    def _unrolled(self, step: Step, unroll: int, places: Sequence[V], sums: Sequence[V]) -> list[V]:
        t, extent, count = self.t, step.extent, len(places)
        if isinstance(extent, int):
            whole: int | V = extent - extent % unroll
        else:
            whole = t.op("and", extent, i64(-unroll))
        with t.loop(0, whole, unroll, carried=(*places, *sums)) as loop:
            here, now = self._carried(loop, count)
            now = self._straight(step, unroll, here, now)
            loop.next((*self._ahead(here, step, unroll), *now))
        places, sums = loop.results[:count], loop.results[count:]
        if isinstance(extent, int):
            return self._straight(step, extent % unroll, places, sums)
        with t.loop(whole, extent, carried=(*places, *sums)) as loop:
            here, now = self._carried(loop, count)
            now = self._straight(step, 1, here, now)
            loop.next((*self._ahead(here, step, 1), *now))
        return loop.results[count:]

    def _carried(self, loop: Loop, count: int) -> tuple[list[V], list[V]]:
        """The `count` pointers, and the sums, at the beginning of a turn."""
        return [self.t.opaque(p) for p in loop.carried[:count]], list(loop.carried[count:])

    def _straight(self, step: Step, count: int, places: Sequence[V], sums: Sequence[V]) -> list[V]:
        """`count` steps without a loop."""
        t, now, (a, b, *copies) = self.t, list(sums), places
        for k in range(count):
            packets = [self._packet(b, k * step.b, p) for p in range(self.packets)]
            for copy in copies:
                self._store(packets, copy, k)
            for row in range(self.rows):
                at = t.gep(a, k * step.a + row * self.a.stride, self.a.element)
                number = self.e.arithmetic.to_register(
                    t.load(self.a.element, at, self.a.size), self.a.dtype
                )
                many = t.splat(number, self.lanes)
                for p in range(self.packets):
                    place = row * self.packets + p
                    now[place] = self._multiply_add(many, packets[p], now[place])
        return now

    def _store(self, packets: Sequence[V], copy: V, step: int) -> None:
        """The packets of a step in the copy."""
        for p, packet in enumerate(packets):
            at = self.t.gep(copy, (step * self.packets + p) * self.lanes, self.register)
            self.t.store(packet, at, self.a.size)

    def _packet(self, b: V, offset: int, number: int) -> V:
        t, side = self.t, self.b
        at = t.gep(b, offset + number * side.stride, side.element)
        masked = self.mask if number == self.packets - 1 else None
        raw = load_packet(self.e, at, side, self.lanes, masked)
        return self.e.arithmetic.to_register(raw, side.dtype)

    def _multiply_add(self, a: V, b: V, c: V) -> V:
        if self.floats:
            return self.t.fma(a, b, c)
        return self.t.op("add", c, self.t.op("mul", a, b))

    def _ahead(self, places: Sequence[V], step: Step, count: int, apart: int = 1) -> list[V]:
        """The pointers `count` steps further; `apart`: steps in the copy for each of these."""
        t, (a, b, *copies) = self.t, places
        return [
            t.gep(a, step.a * count, self.a.element),
            t.gep(b, step.b * count, self.b.element),
            *(t.gep(c, apart * count * self.packets * self.lanes, self.register) for c in copies),
        ]


def load_packet(e: Emitter, at: V, side: Side, lanes: int, mask: V | None) -> V:
    """`lanes` neighbours as they lie in memory; those outside `mask` are not read, and zero."""
    type = vec(side.element, lanes)
    if mask is None:
        return e.text.load(type, at, side.size)
    zero = V("zeroinitializer", type)
    name = f"llvm.masked.load.{suffix(type)}.p0"
    return e.text.call(type, name, at, mask, zero, notes=(f"align {side.size}",))
