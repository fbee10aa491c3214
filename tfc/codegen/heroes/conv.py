"""conv, and conv_grad_input as the same loops over the dilated gradient and the turned filter.

Each chunk makes padded copies of its images, block by block, in scratch of its own, and contracts
windows of them, read in place, with the filter. Images of single channels are not copied.
"""

from __future__ import annotations

from tfc.codegen.heroes.channel_windows import write_windows
from tfc.codegen.heroes.channels import ChannelLoops
from tfc.codegen.heroes.contract import Contract, Finish
from tfc.codegen.heroes.dot import chunk_bounds, epilogue_weight, operand_pointer
from tfc.codegen.heroes.dot_plan import choose_tile
from tfc.codegen.heroes.images import Images
from tfc.codegen.heroes.kept import KeptPanels
from tfc.codegen.heroes.ranges import Range, part_range, unravel, value_of
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import MEMORY, Packet
from tfc.codegen.values import V, i64
from tfc.ir.core import Op
from tfc.prims.channel_plan import channel_plan
from tfc.prims.conv_plan import WindowPlan, by_channel, window_plan


def write(k: Kernel) -> None:
    """The only stage of a kernel around conv or conv_grad_input."""
    op = k.hero
    single = channel_plan(op)
    if single is not None:
        write_windows(k, single)
        return
    plan = window_plan(op)
    source, filters = operand_pointer(k, op, 0), operand_pointer(k, op, 1)
    if op.defn.name == "conv_grad_input":
        source, filters = filters, source
    filters = k.t.gep(filters, plan.filter_start, MEMORY[plan.c.dtype])
    packets = plan.c.col.extent > 1 or by_channel(plan.c)
    with k.e.with_lanes(k.e.lanes if packets else 1):
        lo, hi = chunk_bounds(k, plan.chunks)
        with k.t.loop(lo, hi) as chunks:
            _chunk(k, op, plan, chunks.index, source, filters)


def _chunk(k: Kernel, op: Op, plan: WindowPlan, chunk: V, source: V, filters: V) -> None:
    t, c = k.t, plan.c
    part, line_part, col_part = unravel(t, chunk, plan.parts)
    scratch = panel = partial = V("null", "ptr")
    if plan.chunk_bytes:
        each = plan.chunk_bytes if k.chunks > 1 else 0
        scratch = t.gep(k.scratch, t.mul(chunk, each), "i8")
        panel = t.gep(scratch, plan.image_bytes, "i8")
        partial = t.gep(panel, plan.split.panel, "i8")
    images = Images(t, plan.image, c.dtype)
    if plan.image.copies:
        images.clear(scratch, plan.block)
    lines = part_range(t, line_part, plan.lines, plan.strips)
    cols = part_range(t, col_part, plan.split.extents[3], c.col.extent)
    first, end = part_range(t, part, plan.images, plan.count)
    tile = choose_tile(c, plan.split, k.target, k.e.lanes)
    one = plan.image.source_elements
    with t.loop(first, end, plan.block) as blocks:
        at = t.gep(source, t.mul(blocks.index, one), images.element)
        count: V | int = plan.block
        if plan.images % plan.block or plan.count % plan.images:
            left = t.op("sub", value_of(end), blocks.index)
            count = t.minimum(left, i64(plan.block))
        if plan.image.copies:
            images.copy(at, scratch, count, _lines_of(k, plan, lines))
            at = scratch
        bands = lines
        if plan.block > 1 or plan.parts[1] == 1:
            bands = (0, t.mul(count, plan.strips) if isinstance(count, V) else count * plan.strips)
        finish = _finisher(k, op, plan, blocks.index)
        if by_channel(c):
            single = ChannelLoops(k.e, c, finish, epilogue_weight(k), k.target.registers)
            single.images(bands, at, filters)
        else:
            every = ((0, c.batches), bands, (0, c.row.extent), cols)
            loops = Contract(k.e, c, plan.split, tile, finish, epilogue_weight(k), k.e.lanes)
            if k.op.kwargs.get("keeps"):
                loops.kept = KeptPanels(k, c, tile, plan.filter_start)
                loops.kept.of_part((part, line_part))
            loops.ranges(every, at, filters, panel, partial)


def _lines_of(k: Kernel, plan: WindowPlan, bands: Range) -> tuple[V, V] | None:
    """The lines of the padded image that a part of its bands reads; None for all."""
    if not plan.by_lines:
        return None
    t, (step, need) = k.t, plan.reach
    lo, hi = (value_of(end) for end in bands)
    return t.mul(lo, step), t.add(t.mul(t.add(hi, i64(-1)), step), i64(need))


def _finisher(k: Kernel, op: Op, plan: WindowPlan, first: V) -> Finish:
    """Takes (image of the block, pixels, group, channel of the group) to the result's axes."""
    value, last = op.result, plan.count - 1

    def finish(index: tuple[Index, ...], packet: Packet) -> None:
        image, *pixels, group, channel = index
        base: Index | int = int(first.ref) if first.ref[0] != "%" else k.e.axis(first, 0, last)
        full = (image + base, *pixels, group * plan.c.col.extent + channel)
        k.finish(full, {value: packet})

    return finish
