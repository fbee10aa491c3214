"""Where rows of a contraction's first operand lie: in one array, or in those that it is joined
of (`prims/joined.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.base.records import dataclass
from tfc.codegen.heroes.micro import Piece
from tfc.codegen.heroes.ranges import Range
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import MEMORY
from tfc.codegen.text import Text
from tfc.codegen.values import V, i64
from tfc.ir.core import Op, Value
from tfc.prims.joined import joined
from tfc.prims.loop_nest import strides

Left = V | Sequence[Piece]
Group = tuple[Range, Callable[[V], Left]]
"""Rows that lie together, and what the microkernel reads for a tile of them, by its first row."""


@dataclass(frozen=True)
class Parts:
    """The parts of a joined operand: first elements, elements between rows and between steps of
    each; how many rows, or steps if `steps`, each has; and what tells whether it is zeros."""

    at: Sequence[V]
    rows: Sequence[int]
    apart: Sequence[int]
    extents: Sequence[int]
    zero: Sequence[V | None]
    steps: bool
    depth: int
    dtype: str

    @property
    def groups(self) -> tuple[int, ...]:
        """How many rows lie together; none if all do."""
        return () if self.steps else tuple(self.extents)

    def of(self, t: Text, rows: Range) -> list[Group]:
        """A range of rows. Where parts are groups of rows, it is all of them."""
        if self.steps:
            return [(rows, lambda row: [self._piece(t, k, row) for k in range(len(self.at))])]
        return [self._group(t, k) for k in range(len(self.at))]

    def _group(self, t: Text, k: int) -> Group:
        first = sum(self.extents[:k])

        def left(row: V) -> Left:
            return [self._piece(t, k, t.add(row, i64(-first)))]

        return (first, first + self.extents[k]), left

    def _piece(self, t: Text, k: int, row: V) -> Piece:
        at = t.gep(self.at[k], t.mul(row, self.rows[k]), MEMORY[self.dtype])
        first = sum(self.extents[:k]) if self.steps else 0
        end = first + self.extents[k] if self.steps else self.depth
        return Piece(at, first, end, self.rows[k], self.apart[k], self.zero[k])


def parts_of(k: Kernel, dot: Op) -> Parts | None:
    """The parts of the first operand of `dot`, if the kernel is given those; else None."""
    found = None if dot.operands[0] in k.e.buffers else joined(dot)
    if found is None:
        return None
    a, contracted = dot.operands[0].type, dot.attr("contract")[0][0]
    apart = [strides(part.value.type.shape) for part in found.parts]
    return Parts(
        [k.e.buffers[part.value].ptr for part in found.parts],
        [s[1 - contracted] for s in apart],
        [s[contracted] for s in apart],
        found.extents,
        [None if part.zero is None else _flag(k, part.zero) for part in found.parts],
        found.steps,
        a.shape[contracted],
        a.dtype,
    )


def _flag(k: Kernel, value: Value) -> V:
    with k.e.with_lanes(1):
        flag = k.e.value(value, ()).value
    assert isinstance(flag, V)
    return flag
