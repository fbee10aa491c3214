"""Results whose neighbours in memory are the rows of a tile, few as they are: all of them.

The microkernel leaves packets of columns, row by row. Squares of as many rows and columns as a
packet has lanes are turned in registers, and stored column after column: then the tile lies as the
result does, and the epilogue gets whole packets of it, from the end of one column into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes.pack import turned
from tfc.codegen.index import Index
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, const, element_of, i64, vector_const

Give = Callable[[tuple[Index, ...], Packet], None]


def finish(
    e: Emitter,
    sums: Sequence[V],
    rows: int,
    col: V,
    cols: int,
    extent: int,
    size: int,
    dtype: str,
    give: Give,
) -> None:
    """Give a tile of all `rows` and `cols` columns from `col` on, of `extent`, packet by packet:
    give((column, row), packet). size: bytes of an element of `sums`."""
    t, lanes, type = e.text, e.lanes, sums[0].type
    element = element_of(type)
    # A packet's lanes past the last row are stored over by the next column; after the last one
    # there is room for them.
    stack = t.alloca(f"[{(len(sums) // rows * lanes + 1) * rows + lanes} x {element}]")
    _store(e, sums, rows, stack, size)
    count = cols * rows
    whole = count - count % lanes

    def packet(at: V | int, mask: V | None) -> None:
        here = i64(at) if isinstance(at, int) else at
        value = t.load(type, t.gep(stack, here, element), size)
        flat = e.axis(t.add(t.mul(col, rows), here), 0, extent * rows - 1, packet=True, mask=mask)
        rounded = Packet(e.arithmetic.rounded(value, dtype), dtype)
        give(e.delinearize(flat, (extent, rows)), rounded)

    if whole:
        with t.loop(0, whole, lanes) as loop:
            packet(loop.index, None)
    if whole < count:
        packet(whole, vector_const("i1", [lane < count - whole for lane in range(lanes)]))


def _store(e: Emitter, sums: Sequence[V], rows: int, stack: V, size: int) -> None:
    """The packets of a tile, turned."""
    t, lanes, type = e.text, e.lanes, sums[0].type
    packets = len(sums) // rows
    for p in range(packets):
        squares = []
        for first in range(0, rows, lanes):
            mine = [sums[row * packets + p] for row in range(first, min(rows, first + lanes))]
            mine += [const(type, 0)] * (lanes - len(mine))
            squares.append(turned(e, mine))
        for column in range(lanes):
            for s, square in enumerate(squares):
                at = (p * lanes + column) * rows + s * lanes
                t.store(square[column], t.gep(stack, at, element_of(type)), size)
