"""How a kernel of rows is computed: reductions along the last axis, and what is made from them and
for them, for one row after the other.

A row is gone over several times. Pass number p computes, element by element, what depends on
reductions of earlier passes, and reduces. What a later pass needs again is computed again where
that is a few cheap ops, and else kept in scratch memory: one row, so it stays in the nearest cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field

from tfc.base.records import dataclass
from tfc.base.target import aligned
from tfc.ir.core import Function, Op, Value
from tfc.prims.indexmap import operand_maps

Ints = tuple[int, ...]

# Loads and cheap ops that making an element again may cost: keeping it costs a store and a load.
MOST_AGAIN = 4
# What is kept may be a value from which the wanted one is made by as many cheap ops as this.
MOST_BEHIND = 3
LEAST_ROWS = 32  # twice the most chunks that a kernel falls into
LEAST_SPLIT = 1 << 16  # elements; a smaller reduction is not split
PACKET = 16  # elements of the widest packet: rows no longer are done as packets of rows


@dataclass
class RowPass:
    """One time over a row. `loads`: values that an earlier pass has stored; `reduces`: what is
    reduced; `kept`: what goes to scratch; `results`: numbers of the results that are written."""

    loads: list[Value] = field(default_factory=list)
    reduces: list[Op] = field(default_factory=list)
    kept: list[Value] = field(default_factory=list)
    results: list[int] = field(default_factory=list)


@dataclass
class RowPlan:
    """`shape`: rows, and the axis along them. `level`: for each value, how many passes must have
    ended before it can be computed. `kept`: with the byte of a row's scratch at which each begins;
    `scratch`: the bytes of one row."""

    shape: Ints
    level: dict[Value, int]
    passes: list[RowPass]
    kept: dict[Value, int]
    scratch: int

    @property
    def early_results(self) -> set[int]:
        """The results that are written before the last pass."""
        return {k for one in self.passes[:-1] for k in one.results}


def row_plan(op: Op) -> RowPlan:
    """The plan of fusion `op`, whose hero is `rows`."""
    region = op.regions[0]
    reduces = [inner for inner in region.ops if inner.defn.name == "reduce"]
    shape = reduces[0].operands[0].type.shape
    level = _levels(region)
    full = [v for v in region.results if v.type.shape == shape]
    last = max(level[v] for v in (*full, *(inner.operands[0] for inner in reduces)))
    passes = [RowPass() for _ in range(last + 1)]
    for inner in reduces:
        passes[level[inner.operands[0]]].reduces.append(inner)
    for number, value in enumerate(region.results):
        if value.type.shape == shape:
            passes[level[value]].results.append(number)
    _Keeper(region, shape, level, passes).run()
    kept: dict[Value, int] = {}
    at = 0
    for one in passes:
        for value in one.kept:
            kept[value] = at
            at += aligned(value.type.nbytes // value.type.size * shape[-1])
    return RowPlan(shape, level, passes, kept, at)


def row_scratch(op: Op) -> int:
    """Bytes of scratch of fusion `op`: a row for each chunk."""
    return row_plan(op).scratch * int(op.kwargs.get("chunks", 1))


def is_row_space(shape: Ints, dims: Ints) -> bool:
    """Whether reductions of `shape` along `dims` may be part of a kernel of rows: along the last
    axis, each chunk with whole rows."""
    rows, extent = math.prod(shape[:-1]), shape[-1] if shape else 0
    if dims != (len(shape) - 1,) or extent <= 1 or rows == 0:
        return False
    return rows >= LEAST_ROWS or rows * extent < LEAST_SPLIT


def _levels(region: Function) -> dict[Value, int]:
    level = dict.fromkeys(region.params, 0)
    for op in region.ops:
        at = max((level[v] for v in op.operands), default=0)
        at += op.defn.name == "reduce"
        level.update(dict.fromkeys(op.results, at))
    return level


class _Keeper:
    """Decides what is kept, from the last pass to the first."""

    def __init__(
        self, region: Function, shape: Ints, level: dict[Value, int], passes: Sequence[RowPass]
    ):
        self.region, self.shape, self.level, self.passes = region, shape, level, passes
        self.stored = {v for v in region.results if v.type.shape == shape}

    def run(self) -> None:
        for number in range(len(self.passes) - 1, -1, -1):
            one = self.passes[number]
            wanted = [op.operands[0] for op in one.reduces]
            wanted += [self.region.results[k] for k in one.results]
            self._visit([*wanted, *one.kept], number)

    def _visit(self, wanted: list[Value], number: int) -> None:
        """Find what the values `wanted` in pass `number` need of earlier ones."""
        loads = self.passes[number].loads
        seen: set[Value] = set()
        stack = list(wanted)
        while stack:
            value = stack.pop()
            if value in seen or value.op is None:
                continue
            seen.add(value)
            if self.level[value] < number:
                if value not in self.stored and self._cost(value, number) > MOST_AGAIN:
                    value = self._keep(value)
                if value in self.stored:
                    if value not in loads:
                        loads.append(value)
                    continue
            stack.extend(self._here(value))

    def _here(self, value: Value) -> list[Value]:
        """What of the same element `value` is made of."""
        op = value.op
        if op is None or op.defn.name == "reduce":
            return []
        maps = zip(op.operands, operand_maps(op), strict=True)
        return [v for v, at in maps if at is not None and at.is_identity]

    def _keep(self, value: Value) -> Value:
        """Keep `value`, or what it is cheaply made of; what was chosen."""
        wanted = value
        for _ in range(MOST_BEHIND):
            below = [v for v in self._here(value) if v.op is not None and not _is_even(v)]
            if value.op is None or not value.op.defn.cheap or len(below) != 1:
                break
            if self.level[below[0]] != self.level[value]:
                break
            value = below[0]
        if value in self.stored:  # made of it by more ops than may be done again
            value = wanted
        self.stored.add(value)
        self.passes[self.level[value]].kept.append(value)
        return value

    def _cost(self, value: Value, number: int) -> int:
        """What making `value` again in pass `number` costs, as far as MOST_AGAIN."""
        op = value.op
        if _is_even(value):
            return 0
        if op is None or (value in self.stored and self.level[value] < number):
            return 1
        if op.defn.name == "broadcast":
            return 1 if op.operands[0].op is None else MOST_AGAIN + 1
        here = self._here(value)
        if not op.defn.cheap or len(here) != len(op.operands):
            return MOST_AGAIN + 1
        cost = 1
        for operand in here:
            cost += self._cost(operand, number)
            if cost > MOST_AGAIN:
                break
        return cost


def _is_even(value: Value) -> bool:
    """Whether the elements of a row are equal, or known without computing."""
    op = value.op
    if op is not None and op.defn.name == "broadcast":
        return value.type.rank - 1 not in op.attr("dims")
    return op is not None and op.defn.name in ("const", "iota")
