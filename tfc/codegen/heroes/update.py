"""dynamic_update_slice in memory: only what changes is written.

The operand is copied first, unless the result lies in its own buffer; so a loop that fills an array
place by place costs as much as what it fills.
"""

from __future__ import annotations

from tfc.codegen.emitter import Element
from tfc.codegen.heroes.loop import nest
from tfc.codegen.heroes.scatter import copy_operand
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.prims.indexing import clamped_starts, is_inside


def write(k: Kernel) -> None:
    """The whole kernel; not split."""
    op, e = k.hero, k.e
    x, update, *starts = op.operands
    copy_operand(k, x, k.results[0])
    shape: tuple[int, ...] = update.type.shape or ()
    if update.type.size == 0:
        return
    lanes = e.lanes
    while lanes > 1 and lanes // 2 >= (shape[-1] if shape else 1):
        lanes //= 2
    with e.with_lanes(lanes):
        begins = clamped_starts(e, x.type, [Element(e, s) for s in starts], shape, is_inside(op))

        def store(at: tuple[Index, ...]) -> None:
            place = tuple(i + begin for i, begin in zip(at, begins, strict=True))
            e.store(k.results[0], place, e.value(update, at))

        nest(k, shape, store)
