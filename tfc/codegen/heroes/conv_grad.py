"""conv_grad_filter: one contraction over all images and pixels.

The first stage makes padded copies of the images, the second contracts; each chunk of it owns
elements of the filter, so that no sum is shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.codegen.heroes.channels import ChannelLoops
from tfc.codegen.heroes.contract import Contract, Finish
from tfc.codegen.heroes.dot import chunk_bounds, epilogue_weight, operand_pointer
from tfc.codegen.heroes.dot_plan import choose_tile
from tfc.codegen.heroes.images import Images
from tfc.codegen.heroes.ranges import part_range
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.text import V
from tfc.ir.core import Op
from tfc.prims.conv_plan import CHANNELS, FilterPlan, by_channel, conv_grad_filter_plan
from tfc.prims.kernel_info import kernel_scratch


def stages(op: Op) -> Sequence[Callable[[Kernel], None]]:
    """Two stages; one, if there is nothing to pad."""
    hero = next(o for o in op.regions[0].ops if o.defn.name == "conv_grad_filter")
    if hero.result.type.size and conv_grad_filter_plan(hero).image.copies:
        return (_write_images, _write_products)
    return (_write_products,)


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
    scratch = k.scratch if kernel_scratch(k.op) else None
    if plan.image.copies:
        source = k.scratch
        scratch = k.t.gep(k.scratch, plan.image_bytes, "i8")
    if by_channel(plan.c):
        _write_channels(k, op, plan, source, dy)
        return
    with k.e.with_lanes(k.e.lanes if plan.c.col.extent > 1 else 1):
        tile = choose_tile(plan.c, plan.split, k.target, k.e.lanes)
        lo, hi = chunk_bounds(k, plan.split.chunks)
        finish = _finisher(k, op, plan)
        loops = Contract(k.e, plan.c, plan.split, tile, finish, epilogue_weight(k), k.e.lanes)
        if not plan.split.scratch:
            scratch = None
        loops.chunks(lo, hi, source, dy, scratch, shared=k.chunks == 1)


def _write_channels(k: Kernel, op: Op, plan: FilterPlan, source: V, dy: V) -> None:
    """Each chunk has groups of its own."""
    lo, hi = chunk_bounds(k, plan.split.chunks)
    with k.e.with_lanes(min(k.e.lanes, CHANNELS)), k.t.loop(lo, hi) as chunks:
        groups = part_range(k.t, chunks.index, plan.split.extents[0], plan.c.batches)
        finish = _finisher(k, op, plan)
        loops = ChannelLoops(k.e, plan.c, finish, epilogue_weight(k), k.target.registers)
        loops.filters(groups, source, dy)


def _finisher(k: Kernel, op: Op, plan: FilterPlan) -> Finish:
    """Takes the contraction's axes to those of the filter."""
    value = op.result
    shape = value.type.shape
    rank, each = len(shape), plan.c.col.extent

    def finish(index: tuple[Index, ...], packet: Packet) -> None:
        front, output = list(index[: rank - 1]), index[rank - 1] * each + index[rank]
        if plan.joined:
            pair = (int(shape[rank - 3]), int(shape[rank - 2]))
            front[rank - 3 : rank - 1] = k.e.delinearize(index[rank + 1], pair)
        k.finish((*front, output), {value: packet})

    return finish
