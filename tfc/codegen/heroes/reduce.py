"""Reductions: one or several over the same operand shape and dims, with producers and epilogue.

The kept axes are loops outside, the reduced ones inside. Where the last axis is reduced, packets
lie along it: up to four accumulators, combined pairwise, then halves of the packet with each other
down to one lane. Where it is kept, packets lie along it too, several side by side, and each lane
is a reduction of its own. Long float sums are made of blocks, so that rounding errors grow slowly.
Every order is written out here, from shapes and vector width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from tfc.base.records import dataclass
from tfc.codegen.emitter import parts, with_parts
from tfc.codegen.index import Index, row_major
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.spaces import Probe, merged_axes, probe_axes
from tfc.codegen.values import V, i64
from tfc.codegen.weave import LEAST_PACKETS, side_by_side
from tfc.ir.core import Op, Value
from tfc.prims.reduce_plan import accumulator, reductions
from tfc.prims.reduction import identity

ROW_ACCUMULATORS = 4
BLOCK = 256  # iterations of the innermost loop after which a float sum starts a new block

States = list[Packet]


@dataclass(frozen=True)
class Space:
    """The axes of the operand as groups (first, past last) that are one loop each, kept and
    reduced ones, in order."""

    shape: tuple[int, ...]
    kept: tuple[tuple[int, int], ...]
    reduced: tuple[tuple[int, int], ...]

    def extent(self, group: tuple[int, int]) -> int:
        return math.prod(self.shape[group[0] : group[1]])

    @property
    def last_reduced(self) -> bool:
        """Whether packets lie along a reduced axis."""
        if not self.kept or not self.reduced:
            return bool(self.reduced)
        return self.reduced[-1] > self.kept[-1]


class Reduction:
    """The reductions of one kernel, or of one of its stages, while its text is written."""

    def __init__(self, k: Kernel, ops: list[Op] | None = None, space: Space | None = None):
        self.k, self.e, self.t = k, k.e, k.t
        self.ops = reductions(k.op) if ops is None else ops
        self.dims: tuple[int, ...] = self.ops[0].attr("dims")
        self.space = space or self._space(self.ops[0].operands[0].type.shape or ())

    def _space(self, shape: tuple[int, ...]) -> Space:
        """Axes of one element are left out; neighbours of one kind merge where they can."""
        probe = Probe(self.e.buffers)
        axes = probe_axes(probe, shape)
        kept_axes = [axes[d] for d in range(len(shape)) if d not in self.dims]
        kept_shape = [shape[d] for d in range(len(shape)) if d not in self.dims]
        for op in self.ops:
            probe.value(op.operands[0], axes)
            probe.put(op.result, kept_axes, probe.dummy(op.result.type.dtype))
        for result in self.k.region.results:
            probe.value(result, kept_axes)
        groups = []
        accesses = [*probe.accesses, row_major(kept_axes, kept_shape)]
        for a, b in merged_axes(accesses, axes, shape):
            start = a
            for d in range(a + 1, b + 1):
                if d == b or (d in self.dims) != (start in self.dims):
                    groups.append((start, d))
                    start = d
        groups = [g for g in groups if math.prod(shape[g[0] : g[1]]) > 1]
        kept = tuple(g for g in groups if g[0] not in self.dims)
        return Space(shape, kept, tuple(g for g in groups if g[0] in self.dims))

    # -- indices --------------------------------------------------------------------------------
    def operand_index(self, at: dict[tuple[int, int], Index]) -> tuple[Index, ...]:
        """The operand's index, from one index per group."""
        index = [Index()] * len(self.space.shape)
        for (a, b), i in at.items():
            index[a:b] = self.e.delinearize(i, self.space.shape[a:b])
        return tuple(index)

    def result_index(self, at: dict[tuple[int, int], Index]) -> tuple[Index, ...]:
        full = self.operand_index(at)
        return tuple(i for d, i in enumerate(full) if d not in self.dims)

    # -- states: one accumulator per reduction --------------------------------------------------
    def initial(self) -> States:
        return [self.e.const(accumulator(op), neutral(op)) for op in self.ops]

    def combine(self, a: Sequence[Packet], b: Sequence[Packet]) -> States:
        return [
            self.e.binary(op.attr("kind"), x, y) for op, x, y in zip(self.ops, a, b, strict=True)
        ]

    def elements(self, at: dict[tuple[int, int], Index]) -> States:
        """The operands' packets; lanes outside a mask are neutral."""
        index = self.operand_index(at)
        out = []
        for op in self.ops:
            packet = self.e.convert(self.e.value(op.operands[0], index), accumulator(op))
            mask = None
            for i in at.values():
                mask = self.e.memory.both(mask, self.e.memory.mask_of(i, self.e.lanes))
            if mask is not None and self.space.last_reduced:
                start = self.e.const(accumulator(op), neutral(op))
                packet = self.e.select(Packet(mask, "i1"), packet, start)
            out.append(packet)
        return out

    def narrow(self, states: Sequence[Packet]) -> dict[Value, Packet]:
        """The finished packets, by value."""
        return {
            op.result: self.e.convert(s, op.result.type.dtype)
            for op, s in zip(self.ops, states, strict=True)
        }

    @property
    def blocked(self) -> bool:
        return any(
            op.attr("kind") == "add" and accumulator(op) in ("f32", "f64", "c64", "c128")
            for op in self.ops
        )

    # -- loops ----------------------------------------------------------------------------------
    def loop(
        self,
        lo: V | int,
        hi: V | int,
        step: int,
        states: list[States],
        body: Callable[[V, list[States]], list[States]],
    ) -> list[States]:
        """Carry `states` through body(index, states) for index in range(lo, hi, step)."""
        flat = [v for state in states for packet in state for v in parts(packet)]
        with self.t.loop(lo, hi, step, carried=flat) as loop:
            out = body(loop.index, _like(states, loop.carried))
            loop.next([v for state in out for packet in state for v in parts(packet)])
        return _like(states, loop.results)

    def long_loop(
        self,
        lo: V | int,
        hi: V | int,
        step: int,
        states: list[States],
        body: Callable[[V, list[States]], list[States]],
        trips: int,
    ) -> list[States]:
        """The same; a float sum of more than two blocks is summed block by block."""
        if not self.blocked or trips <= 2 * BLOCK:
            return self.loop(lo, hi, step, states, body)
        end = i64(hi) if isinstance(hi, int) else hi
        size = BLOCK * step

        def block(start: V, totals: list[States]) -> list[States]:
            stop = self.t.minimum(self.t.add(start, i64(size)), end)
            fresh = [self.initial() for _ in totals]
            sums = self.loop(start, stop, step, fresh, body)
            return [self.combine(total, s) for total, s in zip(totals, sums, strict=True)]

        return self.loop(lo, hi, size, states, block)

    def tree(self, states: list[States]) -> States:
        """All states combined pairwise, neighbours first."""
        while len(states) > 1:
            pairs = [self.combine(a, b) for a, b in zip(states[::2], states[1::2], strict=False)]
            states = pairs + states[len(pairs) * 2 :]
        return states[0]

    def across(self, state: States) -> States:
        """The lanes of each packet combined, halves with each other, to packets of one lane."""
        lanes = self.e.lanes
        while lanes > 1:
            lanes //= 2
            low = [self._lanes(p, range(lanes)) for p in state]
            high = [self._lanes(p, range(lanes, 2 * lanes)) for p in state]
            with self.e.with_lanes(lanes):
                state = self.combine(low, high)
        return state

    def _lanes(self, packet: Packet, which: range) -> Packet:
        t = self.t
        if len(which) == 1:
            return with_parts(packet, [t.extract(v, which[0]) for v in parts(packet)])
        return with_parts(packet, [t.shuffle(v, None, which) for v in parts(packet)])

    # -- along the last axis --------------------------------------------------------------------
    def rows(
        self,
        groups: Sequence[tuple[int, int]],
        at: dict[tuple[int, int], Index],
        lo: V | int,
        hi: V | int,
    ) -> States:
        """Reduce the given groups, the last in packets, the first over [lo, hi) (a multiple of
        `row_grain`, if it is the last), to one lane."""
        count = self.accumulators(self.space.extent(groups[-1]))
        states = self._row_loops(groups, at, lo, hi, [self.initial() for _ in range(count)])
        return self.across(self.tree(states))

    def accumulators(self, extent: int) -> int:
        """How many packets along an axis are added up side by side."""
        return max(1, min(ROW_ACCUMULATORS, extent // self.e.lanes))

    @property
    def row_grain(self) -> int:
        return self.accumulators(self.space.extent(self.space.reduced[-1])) * self.e.lanes

    def _row_loops(
        self,
        groups: Sequence[tuple[int, int]],
        at: dict[tuple[int, int], Index],
        lo: V | int,
        hi: V | int,
        states: list[States],
    ) -> list[States]:
        if len(groups) == 1:
            return self._row(groups[0], at, lo, hi, states)
        extent, inner = self.space.extent(groups[0]), self.space.extent(groups[1])
        fresh = self.blocked and inner >= 8 * self.row_grain

        def body(index: V, totals: list[States]) -> list[States]:
            here = at | {groups[0]: self._axis(index, extent)}
            start = [self.initial() for _ in totals] if fresh else totals
            sums = self._row_loops(groups[1:], here, 0, inner, start)
            if not fresh:
                return sums
            return [self.combine(a, b) for a, b in zip(totals, sums, strict=True)]

        return self.loop(lo, hi, 1, states, body)

    def _axis(self, index: V, extent: int, packet: bool = False) -> Index:
        base: V | int = index if index.ref[0] == "%" else int(index.ref)
        return self.e.axis(base, 0, extent - 1, packet)

    def _row(
        self,
        group: tuple[int, int],
        at: dict[tuple[int, int], Index],
        lo: V | int,
        hi: V | int,
        states: list[States],
    ) -> list[States]:
        """One axis in packets: whole rounds of all accumulators, then what is left."""
        extent, lanes, count = self.space.extent(group), self.e.lanes, len(states)
        step = count * lanes
        whole = extent - extent % step

        def round(index: V, accs: list[States]) -> list[States]:
            first = self._axis(index, extent, packet=True)
            region, out = self.t.scope.regions[-1], []
            marks = [len(region.lines)]
            for u, acc in enumerate(accs):
                out.append(self.combine(acc, self.elements(at | {group: first + u * lanes})))
                marks.append(len(region.lines))
            if len(accs) > 1 and self.k.packets >= LEAST_PACKETS:
                packets = [region.lines[a:b] for a, b in itertools.pairwise(marks)]
                taken = sum(len(parts(p)) for state in out for p in state)
                region.lines[marks[0] :] = side_by_side(packets, self.k.target, taken)
            return out

        def rest(accs: list[States]) -> list[States]:
            for u, start in enumerate(range(whole, extent, lanes)):
                full = start + lanes <= extent
                mask = None if full else self.k.first_lanes(extent - start)
                i = self.e.axis(start, 0, extent - 1, packet=True, mask=mask)
                accs[u] = self.combine(accs[u], self.elements(at | {group: i}))
            return accs

        if isinstance(lo, int) and isinstance(hi, int):
            if whole:
                states = self.long_loop(0, whole, step, states, round, whole // step)
            return rest(list(states))
        low, high = (i64(x) if isinstance(x, int) else x for x in (lo, hi))
        if whole:
            end = self.t.minimum(high, i64(whole))
            states = self.long_loop(low, end, step, states, round, whole // step)
        if whole < extent:  # at most one turn: only the last chunk has a rest
            start = self.t.intrinsic("smax", low, i64(whole))
            states = self.loop(start, high, extent, states, lambda _, accs: rest(list(accs)))
        return states

    # -- across the other axes ------------------------------------------------------------------
    def columns(
        self,
        groups: Sequence[tuple[int, int]],
        at: dict[tuple[int, int], Index],
        packets: Sequence[dict[tuple[int, int], Index]],
        lo: V | int,
        hi: V | int,
    ) -> list[States]:
        """For each of several packets (an index for the last kept group), reduce the groups."""
        if not groups:
            return [self.elements(at | p) for p in packets]
        states = [self.initial() for _ in packets]
        return self._column_loops(groups, at, packets, lo, hi, states)

    def _column_loops(
        self,
        groups: Sequence[tuple[int, int]],
        at: dict[tuple[int, int], Index],
        packets: Sequence[dict[tuple[int, int], Index]],
        lo: V | int,
        hi: V | int,
        states: list[States],
    ) -> list[States]:
        extent = self.space.extent(groups[0])
        if len(groups) > 1:

            def outer(index: V, accs: list[States]) -> list[States]:
                here = at | {groups[0]: self._axis(index, extent)}
                inner = self.space.extent(groups[1])
                return self._column_loops(groups[1:], here, packets, 0, inner, accs)

            return self.long_loop(lo, hi, 1, states, outer, extent)

        def body(index: V, accs: list[States]) -> list[States]:
            here = at | {groups[0]: self._axis(index, extent)}
            return [
                self.combine(acc, self.elements(here | p))
                for acc, p in zip(accs, packets, strict=True)
            ]

        several = max(1, ROW_ACCUMULATORS // len(packets))
        if several == 1 or not isinstance(hi, int) or extent < 4 * several:
            return self.long_loop(lo, hi, 1, states, body, extent)
        return self._unrolled_columns(groups[0], at, packets, states, several)

    def _unrolled_columns(
        self,
        group: tuple[int, int],
        at: dict[tuple[int, int], Index],
        packets: Sequence[dict[tuple[int, int], Index]],
        states: list[States],
        several: int,
    ) -> list[States]:
        """Few packets: `several` accumulators for each, for neighbouring positions."""
        extent, width = self.space.extent(group), len(packets)
        whole = extent - extent % several
        accs = [*states, *(self.initial() for _ in range(width * (several - 1)))]

        def add(acc: States, i: Index, p: dict[tuple[int, int], Index]) -> States:
            return self.combine(acc, self.elements(at | {group: i} | p))

        def body(index: V, now: list[States]) -> list[States]:
            i = self._axis(index, extent)
            return [
                add(now[u * width + n], i + u, p)
                for u in range(several)
                for n, p in enumerate(packets)
            ]

        accs = self.long_loop(0, whole, several, accs, body, whole // several)
        for u, position in enumerate(range(whole, extent)):
            for n, p in enumerate(packets):
                accs[u * width + n] = add(accs[u * width + n], Index(position), p)
        return [self.tree(accs[n::width]) for n in range(width)]


def _like(states: list[States], values: Sequence[V]) -> list[States]:
    """States of the same form, made of `values`."""
    rest = iter(values)
    return [
        [with_parts(packet, [next(rest) for _ in parts(packet)]) for packet in state]
        for state in states
    ]


def neutral(op: Op) -> object:
    """What a reduction starts from."""
    return identity(op.attr("kind"), op.result.type.dtype)
