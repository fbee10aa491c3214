"""Kernels of short rows: the lanes of a packet are rows that follow each other.

A row of few elements leaves most of a packet empty, and each of its reductions ends across lanes.
Here packet j holds element j of as many rows as a packet has lanes, all elements of a row are
written out, and what there is one of for each row is computed once for all of them. A reduction
adds up in the order in which it would alone (`reduce.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.pack import turned
from tfc.codegen.heroes.reduce import Reduction, States
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.text import Loop
from tfc.codegen.values import const, i64, vector_const
from tfc.ir.core import Op, Value
from tfc.prims.reduce_plan import accumulator
from tfc.prims.row_plan import PACKET, RowPlan

Group = tuple[int, int]
TURNED = frozenset(dtypes.REALS) - {"i1"}
MOST_WRITTEN_OUT = 1000  # instructions that the region is for all elements of a row, roughly
COSTLY = 10  # of an op that is not a single one


def fits(k: Kernel, plan: RowPlan, kept: Sequence[Group], rows: int) -> bool:
    """Whether the rows are one loop, and what is done to them is short enough to be written out."""
    extent, lanes = plan.shape[-1], k.e.lanes
    if len(kept) != 1 or lanes == 1 or rows < lanes or extent > PACKET:
        return False
    single = [op.defn.exact or op.defn.name == "reduce" for op in k.region.ops]
    weight = sum(1 if one else COSTLY for one in single)
    return weight * extent <= MOST_WRITTEN_OUT


def write(k: Kernel, plan: RowPlan, r: Reduction, rows: int) -> None:
    """All rows, split into chunks."""
    k.e.pinned = {v for op in k.region.ops for v in op.results}
    k.e.pinned.update(k.region.params)
    block = _Block(k, plan, r)
    low, high = k.chunk_range(rows, k.e.lanes)
    with k.t.loop(low, high, k.e.lanes) as loop:
        block.run(*_lines(k, loop, rows))


def _lines(k: Kernel, loop: Loop, rows: int) -> tuple[Index, list[Index]]:
    """The rows of an iteration as a packet, and one by one. What the last packet lacks is the last
    row again, read and written as often as there are lanes: one body of the loop serves all, and
    bodies as long as these take LLVM long to compile."""
    e, t, lanes = k.e, k.t, k.e.lanes
    if rows % lanes == 0:
        first = e.loop_axis(loop, rows)
        return e.loop_axis(loop, rows, packet=True), [first + n for n in range(lanes)]
    left = t.cast("trunc", t.op("sub", i64(rows), loop.index), "i32")
    mask = t.cmp("sgt", t.splat(left, lanes), vector_const("i32", range(lanes)))
    at = [t.minimum(t.add(loop.index, i64(n)), i64(rows - 1)) for n in range(lanes)]
    packet = e.axis(loop.index, 0, rows - 1, packet=True, mask=mask)
    return packet, [e.axis(v, 0, rows - 1) for v in at]


class _Block:
    """As many rows as a packet has lanes."""

    def __init__(self, k: Kernel, plan: RowPlan, r: Reduction):
        self.k, self.e, self.plan, self.r = k, k.e, plan, r
        (self.group,) = r.space.kept
        self.last = (len(plan.shape) - 1, len(plan.shape))

    def run(self, at: Index, rows: Sequence[Index]) -> None:
        """The rows `at`, in lanes, which are `rows`. Everything is computed before anything is
        stored."""
        e, shape, region = self.e, self.plan.shape, self.k.region
        elements = [self._index(at, Index(j)) for j in range(shape[-1])]
        outer = self.r.result_index({self.group: at})
        for param in region.params:
            if self._turns(param):
                self._load(param, elements, rows)
        for one in self.plan.passes:
            for op in one.reduces:
                single = Reduction(self.k, [op], self.r.space)
                for value, packet in single.narrow(_reduced(single, op, elements)).items():
                    e.put(value, outer, packet)
        made = []
        for result in region.results:
            places = elements if result.type.shape == shape else [outer]
            made.append((places, [e.value(result, index) for index in places]))
        for result, buffer, (places, packets) in zip(
            region.results, self.k.results, made, strict=True
        ):
            if self._turns(result):
                self._store(buffer, packets, rows)
                continue
            for index, packet in zip(places, packets, strict=True):
                e.store(buffer, index, packet)

    def _index(self, row: Index, j: Index) -> tuple[Index, ...]:
        return self.r.operand_index({self.group: row, self.last: j})

    def _turns(self, value: Value) -> bool:
        """Whether rows of `value` are loaded and stored one by one, and turned in registers."""
        return value.type.shape == self.plan.shape and value.type.dtype in TURNED

    def _squares(self) -> Iterator[tuple[int, Index]]:
        """The first elements of parts of a row that fit into a packet, and these elements."""
        e, extent = self.e, self.plan.shape[-1]
        for start in range(0, extent, e.lanes):
            mask = None
            if start + e.lanes > extent:
                mask = self.k.first_lanes(extent - start)
            yield start, e.axis(start, 0, extent - 1, packet=True, mask=mask)

    def _load(
        self, param: Value, elements: Sequence[tuple[Index, ...]], rows: Sequence[Index]
    ) -> None:
        """Row by row, turned to packets of neighbouring rows."""
        e, buffer = self.e, self.e.buffers[param]
        for start, columns in self._squares():
            lines = [e.load(buffer, self._index(row, columns)).value for row in rows]
            for index, line in zip(elements[start:], turned(e, lines), strict=False):
                e.put(param, index, Packet(line, param.type.dtype))

    def _store(self, buffer: Buffer, packets: Sequence[Packet], rows: Sequence[Index]) -> None:
        """Turned back to rows, which are stored from the last lane to the first: over what lanes
        of no row made of the last row goes the last row. (Of what there is one for each row, they
        have zeros.)"""
        e = self.e
        for start, columns in self._squares():
            lines = [packet.value for packet in packets[start : start + e.lanes]]
            lines += [const(lines[0].type, 0)] * (e.lanes - len(lines))
            for row, line in reversed(list(zip(rows, turned(e, lines), strict=True))):
                e.store(buffer, self._index(row, columns), Packet(line, packets[0].dtype))


def _reduced(r: Reduction, op: Op, elements: Sequence[tuple[Index, ...]]) -> States:
    """The reduction of each row. Element j is where lane j % lanes of accumulator j // lanes would
    have it; what no element falls into is neutral, and left out."""
    lanes, accumulators = r.e.lanes, r.accumulators(len(elements))
    slots: list[list[States | None]] = [[None] * lanes for _ in range(accumulators)]
    for j, index in enumerate(elements):
        slot, lane = slots[j // lanes % accumulators], j % lanes
        before = slot[lane] or r.initial()
        slot[lane] = r.combine(before, [_element(r, op, index)])
    while len(slots) > 1:
        pairs = [_both(r, a, b) for a, b in zip(slots[::2], slots[1::2], strict=False)]
        slots = pairs + slots[len(pairs) * 2 :]
    (left,) = slots
    while len(left) > 1:
        left = _both(r, left[: len(left) // 2], left[len(left) // 2 :])
    assert left[0] is not None, "a row has an element"
    return left[0]


def _element(r: Reduction, op: Op, index: tuple[Index, ...]) -> Packet:
    return r.e.convert(r.e.value(op.operands[0], index), accumulator(op))


def _both(
    r: Reduction, low: Sequence[States | None], high: Sequence[States | None]
) -> list[States | None]:
    """Two rows of slots combined, slot by slot."""
    pairs = zip(low, high, strict=True)
    return [r.combine(a, b) if a and b else a or b for a, b in pairs]
