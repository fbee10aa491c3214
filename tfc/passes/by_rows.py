"""Which kernels work row by row, and on which of their operands.

A kernel that is split into C chunks works by rows if chunk c makes the rows [c * n, (c + 1) * n) of
what it makes, along its first axis of more than one element; the last chunk, those that are left.
An operand of as many rows is read by rows if a chunk reads no other rows of it than those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from tfc.base.records import dataclass
from tfc.ir.core import Op, Type, Value
from tfc.passes.matching import ELEMENTWISE
from tfc.prims.contract_plan import hero_of, op_contraction, op_split
from tfc.prims.kernel_info import pieces_of

_OTHERS = frozenset(
    {"const", "broadcast", "concat", "dynamic_slice", "dynamic_update_slice", "dot"}
)
# Where rows and columns may be one loop of a kernel, its chunks are whole packets: no target's is
# wider.
WIDEST = 64


def rows_of(type: Type) -> int:
    """The extent of the first axis of more than one element; 1 if there is none."""
    return int(next((n for n in type.shape if n != 1), 1))


@dataclass(frozen=True)
class Rows:
    """How a kernel works by rows: how many there are, and how many are one chunk; the last chunk
    may have fewer."""

    count: int
    part: int

    def step(self, type: Type) -> int:
        """Bytes of a chunk of `type`."""
        return type.nbytes // self.count * self.part


def rows_split(kernel: Op, chunks: int) -> Rows | None:
    """How fusion `kernel` works by rows when it is split into `chunks`; None if it does not."""
    if chunks < 2 or not kernel.results or any(r.type.size == 0 for r in kernel.results):
        return None
    if any(_may_reorder(op) for op in kernel.regions[0].ops):
        return None
    if kernel.attr("hero") == "dot":
        return _rows_of_product(kernel, chunks)
    if kernel.attr("hero") != "loop":
        return None
    space = kernel.kwargs.get("space", kernel.results[0].type.shape)
    rows = int(next((n for n in space if n != 1), 1))
    if any(_parts_columns(op) for op in kernel.regions[0].ops):
        return Rows(rows, -(-rows // chunks)) if rows > chunks else None
    whole = rows % chunks == 0 and prod(space) // chunks % WIDEST == 0
    return Rows(rows, rows // chunks) if whole else None


def _parts_columns(op: Op) -> bool:
    """Whether `op` takes or joins parts of rows, so that rows and columns are no common loop."""
    if op.defn.name == "concat":
        return bool(op.attr("dim") == _first(op.result.type.shape) + 1)
    if op.defn.name != "slice":
        return False
    before, after = op.operands[0].type.shape, op.result.type.shape
    column = _first(after) + 1
    kept = [n for d, n in enumerate(before) if d != column]
    return before[column : column + 1] != after[column : column + 1] and kept == [
        n for d, n in enumerate(after) if d != column
    ]


def _rows_of_product(kernel: Op, chunks: int) -> Rows | None:
    c, split = op_contraction(kernel), op_split(kernel)
    a, rows, part = hero_of(kernel).operands[0], c.row.extent, split.extents[2]
    plain = not c.swapped and split.slices == 1 and split.parts == (1, 1, chunks, 1)
    first = c.row.axis == 0 and c.row.a * rows == a.type.size and rows_of(a.type) == rows
    return Rows(rows, part) if plain and first and -(-rows // chunks) == part else None


def _may_reorder(op: Op) -> bool:
    """Whether a kernel with `op` may go over its space in another order than by rows."""
    if op.defn.name in ELEMENTWISE:
        return False
    if op.defn.name == "reshape":
        before, after = op.operands[0].type.shape, op.result.type.shape
        return [n for n in before if n != 1] != [n for n in after if n != 1]
    if op.defn.name == "slice":
        return any(step != 1 for step in op.attr("stride"))
    return op.defn.name not in _OTHERS


def row_operands(kernel: Op, rows: int) -> list[bool]:
    """Of a kernel that works by rows, which operands it reads by rows."""
    region = kernel.regions[0]
    by_rows, otherwise, stores = set[Value](), set[Value](), set[Op]()
    for result in region.results:
        pieces, op = pieces_of(kernel, result), result.op
        if pieces and op is not None and op.defn.name != "concat":
            stores.add(op)
            by_rows.update(pieces)
            otherwise.update(v for k, v in enumerate(op.operands) if k != 1)
        else:
            by_rows.add(result)
    for op in reversed(region.ops):
        if op in stores or not op.results:
            continue
        if op.result in otherwise:
            otherwise.update(op.operands)
        if op.result in by_rows:
            for operand, keeps in zip(op.operands, _keeps(op, rows), strict=True):
                (by_rows if keeps else otherwise).add(operand)
    return [p in by_rows and p not in otherwise and rows_of(p.type) == rows for p in region.params]


def row_results(kernel: Op, rows: int) -> list[bool]:
    """Of a kernel that works by rows, which results it writes by rows: what it makes of them, that
    is, of one that it updates in memory the part that it writes."""
    found = []
    for result in kernel.regions[0].results:
        pieces, op = pieces_of(kernel, result), result.op
        if pieces and op is not None and op.defn.name != "concat":
            found.append(rows_of(op.operands[1].type) == rows)
        else:
            joined = not pieces or (op is not None and _joins_columns(op))
            found.append(rows_of(result.type) == rows and joined)
    return found


def _keeps(op: Op, rows: int) -> Iterator[bool]:
    """For each operand, whether rows of the result of `op` are made of the same rows of it."""
    name, after = op.defn.name, op.result.type.shape
    for number, operand in enumerate(op.operands):
        same = rows_of(operand.type) == rows_of(op.result.type) == rows
        first = _first(operand.type.shape)
        if name in ELEMENTWISE or name == "reshape":
            yield same
        elif name == "slice":
            yield same and not any(op.attr("start")[: first + 1])
        elif name == "concat":
            yield same and _joins_columns(op)
        elif name == "broadcast":
            yield same and op.attr("dims")[first] == _first(after)
        else:
            yield name == "dot" and number == 0 and op.operands[1] is not operand


def _joins_columns(op: Op) -> bool:
    """Whether a concat has its operands side by side in each row."""
    return op.defn.name == "concat" and bool(op.attr("dim") > _first(op.result.type.shape))


def _first(shape: Sequence[int]) -> int:
    return next((d for d, n in enumerate(shape) if n != 1), 0)
