"""Panels that are kept from run to run: which kernels copy an operand to panels that other runs
could use again, and how much memory these take. From shapes and ops alone.

A product copies its second operand panel by panel (`contract_plan.packs`), or would gain from it
if that were for nothing. Where the operand holds the same in many runs, the panels can lie in
memory of their own and be copied once. The kernel then says so in its attribute `keeps`: bytes for
the panels.
"""

from __future__ import annotations

from tfc.base import dtypes
from tfc.base.target import aligned
from tfc.ir.core import Op, Value
from tfc.prims.channel_plan import channel_plan
from tfc.prims.contract_plan import WIDEST_TILE, hero_of, op_contraction, split
from tfc.prims.conv_plan import by_channel, window_plan
from tfc.prims.loop_nest import Contraction, ceil_div

WINDOWS = ("conv", "conv_grad_input")


def panel_operand(fusion: Op) -> Value | None:
    """The operand of a fusion that its kernel copies to panels which depend on it alone, and are
    the same for all rows. None: there is no such operand."""
    hero = fusion.attr("hero")
    if hero == "dot":
        c = op_contraction(fusion)
        parts = split(c, light=True, keeps=True)
        return _operand(fusion, 0 if c.swapped else 1) if parts.keeps and _works(c) else None
    if hero in WINDOWS and all(r.type.size for r in fusion.results):
        inner = hero_of(fusion)
        if channel_plan(inner) is not None:
            return None
        plan = window_plan(inner)
        one = all(d.extent == 1 for d in plan.c.outer)
        if by_channel(plan.c) or not (plan.split.pack and one and _works(plan.c)):
            return None
        return _operand(fusion, 1 if hero == "conv" else 0)
    return None


def panel_bytes(fusion: Op) -> int:
    """Bytes for all panels of a fusion that has a `panel_operand`, on any target."""
    if fusion.attr("hero") == "dot":
        c = op_contraction(fusion)
    else:
        c = window_plan(hero_of(fusion)).c
    wide = max(dtypes.by_short(c.dtype).size, 4 if c.dtype in dtypes.FLOATS else 1)
    return aligned(c.depth * ceil_div(c.col.extent, WIDEST_TILE) * WIDEST_TILE * wide)


def _operand(fusion: Op, position: int) -> Value:
    """What the hero's operand is, as an operand of its fusion."""
    param = hero_of(fusion).operands[position]
    found: Value = fusion.operands[fusion.regions[0].params.index(param)]
    return found


def _works(c: Contraction) -> bool:
    return c.flops > 0
