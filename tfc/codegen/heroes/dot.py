"""dot: any axes batched, contracted or free, in any order; the epilogue rides on register tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.codegen.heroes.contract import Contract, Finish
from tfc.codegen.heroes.dot_plan import choose_tile
from tfc.codegen.heroes.kept import KeptPanels
from tfc.codegen.heroes.parts import parts_of
from tfc.codegen.heroes.slices import sums_of, write_sums
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V
from tfc.ir.core import Op
from tfc.prims.contract_plan import op_split
from tfc.prims.loop_nest import dot_contraction


def stages(op: Op) -> Sequence[Callable[[Kernel], None]]:
    """Two stages where the inner loop is split, and one elsewhere."""
    return (_write, _write_sums) if op_split(op).slices > 1 else (_write,)


def _write(k: Kernel) -> None:
    """The contraction."""
    op = k.hero
    parts_of_a = parts_of(k, op)
    b = operand_pointer(k, op, 1)
    a = parts_of_a.at[0] if parts_of_a else operand_pointer(k, op, 0)
    c = dot_contraction(op.operands[0].type, op.operands[1].type, **op.kwargs)
    if c.swapped:
        a, b = b, a
    wide = k.e.lanes
    lanes = wide if c.col.extent > 1 else 1
    parts = op_split(k.op)
    while not parts.along and parts.parts[3] > 1 and parts.extents[3] % lanes:
        # Packets of bytes are wider than what parts are multiples of.
        lanes //= 2
    groups = parts_of_a.groups if parts_of_a else ()
    with k.e.with_lanes(lanes):
        tile = choose_tile(c, parts, k.target, lanes, groups)
        lo, hi = chunk_bounds(k, parts.chunks)
        if parts.slices > 1:
            sums = sums_of(k, k.scratch, parts)

            def keep(index: tuple[Index, ...], packet: Packet) -> None:
                k.e.store(sums, (loops.slice, *index), packet)

            loops = Contract(k.e, c, parts, tile, keep, 1, wide)
            loops.chunks(lo, hi, a, b, k.scratch, k.room)
            return
        weight = epilogue_weight(k)
        loops = Contract(k.e, c, parts, tile, finisher(k, op), weight, wide, parts_of_a)
        if k.op.kwargs.get("keeps"):
            loops.kept = KeptPanels(k, c, tile)
        scratch = k.scratch if parts.scratch else None
        loops.chunks(lo, hi, a, b, scratch, k.room)


def _write_sums(k: Kernel) -> None:
    """The slices together."""
    write_sums(k, sums_of(k, k.scratch, op_split(k.op)))


def finisher(k: Kernel, op: Op) -> Finish:
    """What takes the packets of the hero's result through the epilogue to memory."""
    value = op.result

    def finish(index: tuple[Index, ...], packet: Packet) -> None:
        k.finish(index, {value: packet})

    return finish


def operand_pointer(k: Kernel, op: Op, position: int) -> V:
    """The buffer of an operand of a hero that reads memory itself."""
    buffer = k.e.buffers.get(op.operands[position])
    if buffer is None:
        raise ValueError(f"operand {position} of {op.defn.name} is no parameter of its fusion")
    return buffer.ptr


def chunk_bounds(k: Kernel, chunks: int) -> tuple[V | int, V | int]:
    """The chunks this call is to do. A fusion may be left whole, but not be split otherwise."""
    if k.chunks == 1:
        return 0, chunks
    if k.chunks != chunks:
        name = k.op.attr("hero")
        raise ValueError(f"{name} is split into {chunks} chunks by its shapes, not {k.chunks}")
    return k.lo, k.hi


def epilogue_weight(k: Kernel) -> int:
    """About how many instructions finish one packet: the ops of the region and its results."""
    before: set[Op] = set()
    waiting = [v.op for v in k.hero.operands]
    while waiting:
        op = waiting.pop()
        if op is not None and op not in before:
            before.add(op)
            waiting += [v.op for v in op.operands]
    return len(k.region.ops) - 1 - len(before) + len(k.op.results)
