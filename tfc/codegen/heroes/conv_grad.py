"""conv_grad_filter: one contraction over all images and pixels.

The first stage makes padded copies of the images, the second contracts: each chunk of it has
elements of the filter, of all images or of a slice of their pixels; the third adds the slices. For
single channels the first stage sums parts of the lines, the second adds the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.codegen.heroes.channel_windows import write_filter_sums, write_filters
from tfc.codegen.heroes.channels import ChannelLoops
from tfc.codegen.heroes.contract import Contract, Finish
from tfc.codegen.heroes.dot import chunk_bounds, epilogue_weight, operand_pointer
from tfc.codegen.heroes.dot_plan import choose_tile
from tfc.codegen.heroes.images import Images
from tfc.codegen.heroes.ranges import part_range
from tfc.codegen.heroes.slices import sums_of, write_sums
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V
from tfc.ir.core import Op, Value
from tfc.prims.channel_plan import CHANNELS, channel_plan
from tfc.prims.conv_plan import FilterPlan, by_channel, conv_grad_filter_plan
from tfc.prims.kernel_info import kernel_scratch

Indices = tuple[Index, ...]
Give = Callable[[Indices, dict[Value, Packet]], None]


def stages(op: Op) -> Sequence[Callable[[Kernel], None]]:
    """One to three stages: there may be nothing to pad, and one slice; two for single channels."""
    hero = next(o for o in op.regions[0].ops if o.defn.name == "conv_grad_filter")
    if not hero.result.type.size:
        return (_write_products,)
    if channel_plan(hero) is not None:
        return (write_filters, write_filter_sums)
    plan = conv_grad_filter_plan(hero)
    first = (_write_images,) if plan.image.copies else ()
    last = (_write_sums,) if plan.split.slices > 1 else ()
    return (*first, _write_products, *last)


def _write_images(k: Kernel) -> None:
    """Padded copies of all images, each chunk its share of them."""
    plan = conv_grad_filter_plan(k.hero)
    if not plan.count:
        return
    t, images = k.t, Images(k.t, plan.image, plan.c.dtype)
    source = operand_pointer(k, k.hero, 0)
    first, end = k.chunk_range(plan.count)
    with t.loop(first, end) as loop:
        at = t.gep(source, t.mul(loop.index, plan.image.source_elements), images.element)
        to = t.gep(k.scratch, t.mul(loop.index, plan.image.elements), images.element)
        images.clear(to, 1)
        images.copy(at, to, 1)


def _write_products(k: Kernel) -> None:
    op = k.hero
    plan = conv_grad_filter_plan(op)
    source, dy = operand_pointer(k, op, 0), operand_pointer(k, op, 1)
    scratch = _scratch(k, plan) if kernel_scratch(k.op) else None
    if plan.image.copies:
        source = k.scratch
    if by_channel(plan.c):
        _write_channels(k, op, plan, source, dy)
        return
    with k.e.with_lanes(k.e.lanes if plan.c.col.extent > 1 else 1):
        tile = choose_tile(plan.c, plan.split, k.target, k.e.lanes)
        lo, hi = chunk_bounds(k, plan.split.chunks)
        finish, weight = _finisher(k, op, plan, k.finish), epilogue_weight(k)
        if plan.split.slices > 1:
            assert scratch is not None, "slices have sums"
            sums = sums_of(k, scratch, plan.split)

            def keep(index: Indices, values: dict[Value, Packet]) -> None:
                k.e.store(sums, (loops.slice, *index), values[op.result])

            finish, weight = _finisher(k, op, plan, keep), 1
        loops = Contract(k.e, plan.c, plan.split, tile, finish, weight, k.e.lanes)
        loops.chunks(lo, hi, source, dy, scratch, k.room)


def _scratch(k: Kernel, plan: FilterPlan) -> V:
    """What is behind the images."""
    return k.t.gep(k.scratch, plan.image_bytes, "i8") if plan.image.copies else k.scratch


def _write_sums(k: Kernel) -> None:
    """The slices together."""
    plan = conv_grad_filter_plan(k.hero)
    write_sums(k, sums_of(k, _scratch(k, plan), plan.split))


def _write_channels(k: Kernel, op: Op, plan: FilterPlan, source: V, dy: V) -> None:
    """Each chunk has groups of its own."""
    lo, hi = chunk_bounds(k, plan.split.chunks)
    with k.e.with_lanes(min(k.e.lanes, CHANNELS)), k.t.loop(lo, hi) as chunks:
        groups = part_range(k.t, chunks.index, plan.split.extents[0], plan.c.batches)
        finish = _finisher(k, op, plan, k.finish)
        loops = ChannelLoops(k.e, plan.c, finish, epilogue_weight(k), k.target.registers)
        loops.filters(groups, source, dy)


def _finisher(k: Kernel, op: Op, plan: FilterPlan, give: Give) -> Finish:
    """Takes the contraction's axes to those of the filter."""
    value = op.result
    shape = value.type.shape
    rank, each = len(shape), plan.c.col.extent

    def finish(index: tuple[Index, ...], packet: Packet) -> None:
        front, output = list(index[: rank - 1]), index[rank - 1] * each + index[rank]
        if plan.joined:
            pair = (int(shape[rank - 3]), int(shape[rank - 2]))
            front[rank - 3 : rank - 1] = k.e.delinearize(index[rank + 1], pair)
        give((*front, output), {value: packet})

    return finish
