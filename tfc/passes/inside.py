"""inside: which dynamic slices lie inside their array wherever they begin, as attribute `inside`.

Starts are held within the array: where they are known to be there, nothing need be done for it in
every turn of a loop, and code for one length of an array is code for all. It stands behind what
changes the types of arrays, because the attribute is true of one type.
"""

from __future__ import annotations

from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Op, Value, sorted_attrs
from tfc.ir.walk import all_functions
from tfc.passes.intervals import Intervals, rebuild_known
from tfc.passes.options import PassOptions

_SLICES = frozenset({"dynamic_slice", "dynamic_update_slice"})


def inside(fn: Function, options: PassOptions) -> Function:
    """`fn` with the attribute set."""
    if not any(op.defn.name in _SLICES for f in all_functions(fn) for op in f.ops):
        return fn
    return rebuild_known(fn, _marked)


def _marked(build: Builder, op: Op, known: Intervals) -> tuple[Value, ...] | None:
    if op.defn.name == "dynamic_slice":
        (x, *starts), sizes = op.operands, op.attr("sizes")
    elif op.defn.name == "dynamic_update_slice":
        x, update, *starts = op.operands
        sizes = update.type.shape
    else:
        return None
    for start, n, size in zip(starts, x.type.shape, sizes, strict=True):
        interval = known[start]
        assert interval is not None
        if n != size and not (interval[0] >= 0 and interval[1] <= n - size):
            return None
    attrs = sorted_attrs({**op.kwargs, "inside": True}.items())
    return build.adopt(make_op(op.defn, op.operands, attrs, (), op.loc))
