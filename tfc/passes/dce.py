"""dce: ops that reach no result and have no effect are dropped, in regions too."""

from __future__ import annotations

from tfc.ir.builder import make_op
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops
from tfc.passes.options import PassOptions


def dce(fn: Function, options: PassOptions) -> Function:
    """`fn` without its dead ops. Parameters stay: they are the function's signature."""
    new: dict[Value, Value] = {}
    ops = []
    for old in live_ops(fn):
        regions = tuple(dce(region, options) for region in old.regions)
        op = _renewed(old, tuple([new.get(v, v) for v in old.operands]), regions)
        if op is not old:
            new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    if len(ops) == len(fn.ops) and all(a is b for a, b in zip(ops, fn.ops, strict=True)):
        return fn
    results = tuple(new.get(v, v) for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, fn.attrs)


def _renewed(op: Op, operands: tuple[Value, ...], regions: tuple[Function, ...]) -> Op:
    same = op.operands == operands and op.regions == regions  # equal are the same
    return op if same else make_op(op.defn, operands, op.attrs, regions, op.loc)
