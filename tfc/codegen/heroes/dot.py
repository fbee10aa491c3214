"""dot: any axes batched, contracted or free, in any order; the epilogue rides on register tiles."""

from __future__ import annotations

from tfc.codegen.heroes.contract import Contract, Finish
from tfc.codegen.heroes.dot_plan import choose_tile
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.text import V
from tfc.ir.core import Op
from tfc.prims.contract_plan import dot_contraction, split


def write(k: Kernel) -> None:
    """The only stage of a dot kernel."""
    op = k.hero
    a, b = (operand_pointer(k, op, position) for position in (0, 1))
    c = dot_contraction(op.operands[0].type, op.operands[1].type, **op.kwargs)
    if c.swapped:
        a, b = b, a
    wide = k.e.lanes
    lanes = wide if c.col.extent > 1 else 1
    with k.e.with_lanes(lanes):
        parts = split(c, light=True)
        tile = choose_tile(c, parts, k.target, lanes)
        loops = Contract(k.e, c, parts, tile, finisher(k, op), epilogue_weight(k), wide)
        scratch = k.scratch if parts.scratch else None
        lo, hi = chunk_bounds(k, parts.chunks)
        loops.chunks(lo, hi, a, b, scratch, shared=k.chunks == 1)


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
    return len(k.region.ops) - 1 + len(k.op.results)
