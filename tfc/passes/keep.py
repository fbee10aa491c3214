"""keep: products of weights that stay the same keep what they copy of them from run to run.

A kernel that copies an operand to panels before it multiplies (`prims/kept.py`) gets the attribute
`keeps`, the bytes of these panels, if the operand is the memory of a parameter that the function
says is `lasting`: a variable that it does not write; or a constant; in loops and branches too. It
then takes memory for panels from whoever calls the function, who knows whether they still are what
the operand holds. What it computes is the same with and without. A function without the attribute
`lasting` is called with nothing of that kind.
"""

from __future__ import annotations

from typing import Any

from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects
from tfc.passes.kernels import with_kernel_attrs
from tfc.passes.options import PassOptions
from tfc.prims.control import CONTROL, invariants
from tfc.prims.kept import panel_bytes, panel_operand
from tfc.prims.kernel_info import source_of_memory

LEAST_BYTES = 1 << 12  # of panels: fewer are copied in less time than it takes to look after them


def keep(fn: Function, options: PassOptions) -> Function:
    """`fn` with the attribute `keeps` on the kernels that keep panels."""
    if "lasting" not in dict(fn.attrs):
        return fn
    kept: dict[Op, int] = {}
    _find(fn, {fn.params[k] for k in fn.attr("lasting")}, kept)
    if not kept:
        return fn

    def attrs(op: Op) -> dict[str, Any]:
        return {"keeps": kept[op]} if op in kept else {}

    return with_kernel_attrs(fn, attrs)


def _find(fn: Function, lasting: set[Value], kept: dict[Op, int]) -> None:
    """Adds to `kept` the kernels of `fn`, in regions too, with the bytes of their panels."""

    def lasts(value: Value) -> bool:
        source = source_of_memory(value)
        return source in lasting or (source.op is not None and source.op.defn.name == "const")

    for op in fn.ops:
        if op.defn.name == "fusion":
            operand = None if has_effects(op) else panel_operand(op)
            if operand is not None and lasts(operand) and panel_bytes(op) >= LEAST_BYTES:
                kept[op] = panel_bytes(op)
        elif op.defn.name in CONTROL:
            is_loop = op.defn.name == "while"
            given = op.operands if is_loop else op.operands[1:]
            stays = invariants(op) if is_loop else [True] * len(given)
            for region in op.regions:
                pairs = zip(region.params, given, stays, strict=True)
                _find(region, {inner for inner, v, same in pairs if same and lasts(v)}, kept)
