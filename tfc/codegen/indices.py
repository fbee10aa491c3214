"""Index arithmetic, and the instructions that an index becomes when an address needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.base import dtypes
from tfc.codegen.index import Atom, Index, as_index, row_major
from tfc.codegen.memory import Memory, lane_numbers
from tfc.codegen.packet_ops import PacketOps
from tfc.codegen.packets import Packet, is_signed
from tfc.codegen.text import Loop, Scope, Text
from tfc.codegen.values import V, const, i64


class Indices(PacketOps):
    """The index half of the emitter."""

    def __init__(self, text: Text, lanes: int):
        super().__init__(text, lanes)
        self.memory = Memory(text, self.arithmetic, self.scalar, self.vector)
        self.tests = False  # whether the kernel itself tests what decides if parts of it run

    def linearize(self, index: Sequence[Index | int], shape: Sequence[int]) -> Index:
        return row_major(index, shape)

    def delinearize(self, flat: Index | int, shape: Sequence[int]) -> tuple[Index, ...]:
        """The index tuple of flat position `flat` in a dense array of `shape`."""
        out: list[Index] = []
        rest = as_index(flat)
        for extent in reversed(shape[1:]):
            out.append(self.index_mod(rest, extent))
            rest = self.index_floordiv(rest, extent)
        return (rest, *reversed(out)) if shape else ()

    def index_floordiv(self, index: Index | int, divisor: int) -> Index:
        return self._divided(as_index(index), divisor)[0]

    def index_mod(self, index: Index | int, divisor: int) -> Index:
        return self._divided(as_index(index), divisor)[1]

    def _divided(self, index: Index, divisor: int) -> tuple[Index, Index]:
        """(index // divisor, index % divisor), rounding down; divisor > 0."""
        if divisor == 1:
            return index, Index()
        parts = index.split(divisor)
        if parts is not None:
            return parts
        scope = index.scope(self.text.root)
        key = ("div", index, divisor, self.lanes)
        if key not in scope.memo:
            scope.memo[key] = self._quotient(scope, index, divisor)
        quotient = scope.memo[key]
        # The remainder stays a difference: put together again, the quotient cancels.
        rest = index - quotient * divisor
        return quotient, Index(rest.const, rest.terms, (0, divisor - 1))

    def _quotient(self, scope: Scope, index: Index, divisor: int) -> Index:
        """floor(index / divisor). Indices that fit are divided as 32-bit numbers."""
        t, lanes = self.text, self.lanes
        shift = -(index.lo // divisor) if index.lo < 0 else 0
        moved = index + shift * divisor

        def make() -> V:
            with t.at(scope):
                value = self.scalar(moved) if index.uniform else self.vector(moved, lanes)
                narrow = moved.hi < 2**31
                value = t.cast("trunc", value, "i32") if narrow else value
                value = t.op("udiv", value, const(value.type, divisor))
                return t.cast("zext", value, "i64") if narrow else value

        bounds = moved.lo // divisor, moved.hi // divisor
        return Index.of(self._atom(scope, bounds, make, index)) - shift

    def _atom(
        self, scope: Scope, bounds: tuple[int, int], value: V | Callable[[], V], source: Index
    ) -> Atom:
        """A computed atom: uniform if its source is, else with lanes of its own."""
        if source.uniform:
            return Atom(scope, bounds, value, source=source)
        mask = self.memory.mask_of(source, self.lanes)
        return Atom(scope, bounds, value, free=True, mask=mask, source=source)

    def index_from(self, packet: Packet) -> Index:
        """An integer packet as an index."""
        t, scope = self.text, self.text.scope
        value: V = packet.value
        if packet.uniform:
            value = t.extract(value, 0)
        wide = t.cast("sext" if is_signed(packet.dtype) else "zext", value, "i64")
        return Index.of(Atom(scope, (-(2**62), 2**62), wide, free=not packet.uniform))

    def packet_from(self, index: Index | int, dtype: str) -> Packet:
        """The index as numbers of `dtype` (iota)."""
        index = as_index(index)
        if index.is_const:
            return self.const(dtype, index.const)
        with self.text.at(index.scope(self.text.root)):
            fits = dtypes.INTEGERS if index.lo >= -(2**31) and index.hi < 2**31 else ()
            if index.uniform:
                value = self.text.splat(self.scalar(index), self.lanes)
            else:
                value = self.vector(index, self.lanes)
            source = "i64"
            if fits and dtype not in ("i64", "u64"):
                value, source = self.text.cast("trunc", value, "i32"), "i32"
            packet = Packet(value, source, index.uniform)
            return self.convert(packet, dtype)

    def in_range(self, index: Index | int, lo: int, hi: int) -> Packet:
        """i1: lo <= index < hi. A constant where the range of the index decides."""
        index = as_index(index)
        if lo <= index.lo and index.hi < hi:
            return self.const("i1", True)
        if index.hi < lo or index.lo >= hi:
            return self.const("i1", False)
        scope, key = index.scope(self.text.root), ("in", index, lo, hi, self.lanes)
        if key not in scope.memo:
            with self.text.at(scope):
                scope.memo[key] = self._range_test(index, lo, hi)
        test: Packet = scope.memo[key]
        return test

    def _range_test(self, index: Index, lo: int, hi: int) -> Packet:
        t, moved = self.text, index - lo
        narrow = moved.lo >= -(2**31) and moved.hi < 2**31 and hi - lo < 2**31
        if index.uniform:
            inside = t.cmp("ult", self.scalar(moved), i64(hi - lo))
            return Packet(t.splat(inside, self.lanes), "i1", True)
        v = self.vector(moved, self.lanes)
        if narrow:
            v = t.cast("trunc", v, "i32")
        return Packet(t.cmp("ult", v, const(v.type, hi - lo)), "i1")

    def clamp(self, index: Index | int, lo: int, hi: int) -> Index:
        """The index held within lo..hi (both included).

        A packet whose lanes run on by one is not moved: its lanes outside are masked, and loads
        there give zero; rules that clamp such an index select by `in_range` anyway.
        """
        index = as_index(index)
        if lo <= index.lo and index.hi <= hi:
            return index
        if lo == hi or (index.is_const and lo < hi):
            return Index(min(max(index.const, lo), hi))
        scope, key = index.scope(self.text.root), ("clamp", index, lo, hi, self.lanes)
        if key not in scope.memo:
            with self.text.at(scope):
                scope.memo[key] = Index.of(self._clamped(scope, index, lo, hi))
        clamped: Index = scope.memo[key]
        return clamped

    def _clamped(self, scope: Scope, index: Index, lo: int, hi: int) -> Atom:
        t = self.text
        if not index.varies_freely and index.lane_coef == 1 and self.lanes > 1:
            inside = self.in_range(index, lo, hi + 1).value
            mask = self.memory.both(self.memory.mask_of(index, self.lanes), inside)
            base = self.scalar(index)
            return Atom(scope, (lo, hi), base, packet=True, mask=mask, source=index)
        value = self.scalar(index) if index.uniform else self.vector(index, self.lanes)
        value = t.intrinsic("smax", value, const(value.type, lo))
        value = t.intrinsic("smin", value, const(value.type, hi))
        return self._atom(scope, (lo, hi), value, index)

    def known_within(self, index: Index | int, lo: int, hi: int) -> Index:
        """The index, which is known to be one of lo..hi (both included) wherever this is run. What
        is known in front of a test need not be so there, but is read there: that is clamped."""
        index = as_index(index)
        scope, key = index.scope(self.text.root), ("known", index, lo, hi)
        tested = self.tests and scope is not self.text.scope
        if (lo <= index.lo and index.hi <= hi) or not index.uniform or tested:
            return self.clamp(index, lo, hi)
        if key not in scope.memo:
            scope.memo[key] = Index.of(Atom(scope, (lo, hi), self.scalar(index), source=index))
        known: Index = scope.memo[key]
        return known

    def axis(
        self, base: V | int, lo: int, hi: int, packet: bool = False, mask: V | None = None
    ) -> Index:
        """An index with the values of a loop variable (or, with `packet`, of lanes base, base + 1,
        …, those of `mask` only), all of them in lo..hi (both included)."""
        if isinstance(base, int) and not (packet and self.lanes > 1):
            return Index(base)
        v = i64(base) if isinstance(base, int) else base
        packet = packet and self.lanes > 1
        return Index.of(Atom(self.text.scope, (lo, hi), v, packet=packet, mask=mask))

    def loop_axis(self, loop: Loop, extent: int, packet: bool = False) -> Index:
        """The variable of an open loop over an axis of `extent` elements."""
        base: V | int = loop.index if loop.index.ref[0] == "%" else int(loop.index.ref)
        return self.axis(base, 0, extent - 1, packet)

    def lanes_index(self, value: V, lo: int, hi: int) -> Index:
        """An i64 packet as an index that differs freely from lane to lane, within lo..hi."""
        return Index.of(Atom(self.text.scope, (lo, hi), value, free=self.lanes > 1))

    def scalar(self, index: Index) -> V:
        """The i64 value of the index in lane 0, each part computed where it becomes known."""
        t = self.text
        total, scope = i64(index.const), t.root
        terms = sorted(index.terms, key=lambda term: term[0].scope.depth)
        done: list[tuple[Atom, int]] = []
        for atom, coef in terms:
            assert not atom.free, "an index that varies freely has no scalar value"
            scope = atom.scope
            done.append((atom, coef))
            key = ("lin", index.const, tuple(done))
            if key not in scope.memo:
                with t.at(scope):
                    scope.memo[key] = t.add(total, t.mul(atom.value(), coef))
            total = scope.memo[key]
        return total

    def vector(self, index: Index, lanes: int) -> V:
        """The i64 value of the index in every lane."""
        t = self.text
        scope = index.scope(t.root)
        key = ("vec", index, lanes)
        known: V | None = scope.memo.get(key)
        if known is not None:
            return known
        with t.at(scope):
            even = tuple((a, c) for a, c in index.terms if not a.free)
            total = t.splat(self.scalar(Index(index.const, even)), lanes)
            if index.lane_coef and lanes > 1:
                step = const(total.type, index.lane_coef)
                ramp = lane_numbers(lanes)
                total = t.op("add", total, t.op("mul", ramp, step))
            for atom, coef in index.terms:
                if atom.free:
                    part = atom.value()
                    if coef != 1:
                        part = t.op("mul", part, const(part.type, coef))
                    total = part if total.ref == "splat (i64 0)" else t.op("add", total, part)
        scope.memo[key] = total
        return total
