"""Kernels of rows: several reductions along the last axis, and element-wise work before, between
and after them, one row after the other. `prims/row_plan.py` says what happens in which pass over a
row. A reduction adds up in the order in which it would alone (`reduce.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfc.codegen.emitter import Buffer, parts, with_parts
from tfc.codegen.heroes import short_rows
from tfc.codegen.heroes.loop import nest
from tfc.codegen.heroes.reduce import Reduction, Space, States
from tfc.codegen.index import Index, row_major
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import MEMORY, Packet
from tfc.codegen.spaces import Probe, merged_axes, probe_axes
from tfc.codegen.values import const
from tfc.ir.core import Type, Value
from tfc.prims.row_plan import RowPass, row_plan

# Asking ahead gains where a row takes long to compute (norm, GELU and softmax of 4096 rows of 1024:
# 11%); a softmax alone, with one costly op, waits for memory anyway, and loses up to 10%.
COSTLY = 2
FAR = 1 << 20  # bytes of an array that is not taken to be in the nearer caches
Group = tuple[int, int]
Place = dict[Group, Index]


def write(k: Kernel) -> None:
    """All rows, split into chunks."""
    rows = _Rows(k)
    groups = rows.space.kept
    extents = [rows.space.extent(g) for g in groups]
    if not groups:
        nest(k, (), lambda _: rows.row({}))
        return
    count = math.prod(extents)
    if short_rows.fits(k, rows.plan, groups, count):
        first = [op for op in k.region.ops if op.defn.name == "reduce"]
        short_rows.write(k, rows.plan, Reduction(k, first, rows.space), count)
        return
    low, high = k.chunk_range(count)
    with k.t.loop(low, high) as loop:
        flat = k.e.loop_axis(loop, count)
        rows.row(dict(zip(groups, k.e.delinearize(flat, extents), strict=True)))


class _Rows:
    """The kernel while its text is written."""

    def __init__(self, k: Kernel):
        self.k, self.e = k, k.e
        self.plan = row_plan(k.op)
        self.space = self._space()
        self.e.pinned = {v for v, level in self.plan.level.items() if level}
        self.scratch: dict[Value, Buffer] = {}
        self.busiest = self._busiest()
        extent = self.plan.shape[-1]
        for value, offset in self.plan.kept.items():
            chunk = k.t.mul(k.lo, self.plan.scratch) if k.chunks > 1 else None
            base = k.t.gep(k.scratch, chunk, "i8") if chunk else k.scratch
            pointer = k.t.gep(base, offset, "i8")
            self.scratch[value] = Buffer(pointer, Type(value.type.dtype, (extent,)))

    def _busiest(self) -> RowPass | None:
        """The pass, after the first one, with most to compute; None if there is little in all."""
        costs = [0] * len(self.plan.passes)
        for op in self.k.region.ops:
            level = self.plan.level[op.results[0]]
            costly = not op.defn.exact and op.defn.name != "reduce"
            if costly and op.result.type.shape == self.plan.shape and 0 < level < len(costs):
                costs[level] += 1
        return self.plan.passes[costs.index(max(costs))] if sum(costs) >= COSTLY else None

    def _space(self) -> Space:
        """The last axis, and before it axes that are one loop where all accesses allow it."""
        shape, region = self.plan.shape, self.k.region
        probe = Probe(self.e.buffers)
        axes = probe_axes(probe, shape)
        for op in region.ops:
            if op.defn.name == "reduce":
                probe.value(op.operands[0], axes)
                probe.put(op.result, axes[:-1], probe.dummy(op.result.type.dtype))
        for result in region.results:
            probe.value(result, axes if result.type.shape == shape else axes[:-1])
        outer = merged_axes([*probe.accesses, row_major(axes, shape)], axes[:-1], shape[:-1])
        kept = tuple((a, b) for a, b in outer if math.prod(shape[a:b]) > 1)
        return Space(shape, kept, ((len(shape) - 1, len(shape)),))

    def row(self, at: Place) -> None:
        """One row: its passes, and then the results that have one element for it."""
        outer: tuple[Index, ...] = ()
        for number, one in enumerate(self.plan.passes):
            work = _Pass(self, one)
            outer = work.result_index(at)
            for value, packet in work.run(at).items():
                self._put_even(value, outer, packet)
            self._per_row(number + 1, outer)
        region = self.k.region
        with self.e.with_lanes(1):
            for value, buffer in zip(region.results, self.k.results, strict=True):
                if value.type.shape != self.plan.shape:
                    self.e.store(buffer, outer, self.e.value(value, outer))

    def _per_row(self, level: int, outer: tuple[Index, ...]) -> None:
        """Compute what the reductions so far decide of this row: once, not in every lane."""
        for op in self.k.region.ops:
            if op.defn.name == "reduce" or self.plan.level[op.results[0]] != level:
                continue
            if all(v.type.shape == self.plan.shape[:-1] for v in op.results):
                with self.e.with_lanes(1):
                    packets = [self.e.value(v, outer) for v in op.results]
                for value, packet in zip(op.results, packets, strict=True):
                    self._put_even(value, outer, packet)

    def _put_even(self, value: Value, outer: Sequence[Index], one: Packet) -> None:
        """`one`, of one lane, is `value` for the whole row."""
        with self.e.with_lanes(1):
            self.e.put(value, outer, one)
        lanes = self.e.lanes
        if lanes > 1:
            wide = with_parts(one, [self.k.t.splat(v, lanes) for v in parts(one)])
            self.e.put(value, outer, Packet(wide.value, wide.dtype, uniform=True))


class _Pass(Reduction):
    """One pass over a row."""

    def __init__(self, owner: _Rows, one: RowPass):
        first = [op for op in owner.k.region.ops if op.defn.name == "reduce"]
        super().__init__(owner.k, first, owner.space)
        self.owner, self.one = owner, one
        self.ops = one.reduces
        self.fetches_ahead = one is owner.busiest

    def run(self, at: Place) -> dict[Value, Packet]:
        """Write the pass; what it reduces to."""
        extent = self.space.shape[-1]
        if self.ops:
            state = self.rows(self.space.reduced, at, 0, extent)
            with self.e.with_lanes(1):
                return self.narrow(state)
        (group,) = self.space.reduced

        def packet(j: Index) -> None:
            self._element(self.operand_index(at | {group: j}))

        self.k.for_packets(extent, packet, independent=True)
        return {}

    def elements(self, at: Place) -> States:
        """What is reduced; what else the pass makes of these elements is stored."""
        self._element(self.operand_index(at))
        return super().elements(at)

    def _fetch_ahead(self, index: tuple[Index, ...]) -> None:
        """Ask for what the first pass over the next row reads: while this one computes, nothing
        else comes from memory. Past the last row that is a line of something else, or nothing."""
        e, t, shape = self.e, self.k.t, self.space.shape
        for param in self.k.region.params:
            if param.type.shape == shape and param.type.nbytes >= FAR:
                element = MEMORY[param.type.dtype]
                next_row = e.scalar(row_major(index, shape) + shape[-1])
                at = t.gep(e.buffers[param].ptr, next_row, element)
                read, near, data = (const("i32", n) for n in (0, 3, 1))
                t.call("void", "llvm.prefetch.p0", at, read, near, data)

    def _element(self, index: tuple[Index, ...]) -> None:
        e, region, scratch = self.e, self.k.region, self.owner.scratch
        for value in self.one.loads:
            if value in scratch:
                e.put(value, index, e.load(scratch[value], index[-1:]))
            else:
                e.put(value, index, e.load(self.k.results[region.results.index(value)], index))
        if self.fetches_ahead:
            self._fetch_ahead(index)
        kept = [(scratch[v], index[-1:], e.value(v, index)) for v in self.one.kept]
        made = [
            (self.k.results[n], index, e.value(region.results[n], index)) for n in self.one.results
        ]
        for op in self.ops:
            e.value(op.operands[0], index)  # before a store: it may be over what this reads
        for buffer, place, packet in (*kept, *made):
            e.store(buffer, place, packet)
