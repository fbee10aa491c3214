"""last_turn: what a turn of a loop does for none but the next, as attribute `next_turn`.

An example is the gradient of a recurrent network: each turn ends with the product that gives the
gradient of the state before, and after the last turn nobody asks for the gradient of the first
state, zeros. An op of a body serves the next turn only if all it makes goes to carried values that
nothing reads after the loop, and whose next content the condition does not read either. An op with
effects is never one of them, nor is any op of a loop that commits, whose values outlast it.

Whether there is a next turn can then be told before these ops: the condition is read as soon as all
that it reads has been computed. Attributes are set where the work that the last turn is spared is
worth a branch in the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.ir.builder import make_op, with_operands
from tfc.ir.core import Function, Op, Value, sorted_attrs
from tfc.ir.walk import has_effects, live_ops
from tfc.passes.options import PassOptions
from tfc.passes.parallel import estimated_ns
from tfc.prims.contract_plan import op_flops
from tfc.prims.control import CONTROL, commits, read_by
from tfc.prims.kernel_info import ALIASES

LEAST_NS = 1_000.0  # of the ops of a body together
FLOPS_PER_NS = 100  # of a product, on one core at its best


def last_turn(fn: Function, options: PassOptions) -> Function:
    """`fn` with `next_turn` set on ops of the bodies of its loops."""
    if not any(op.defn.name in CONTROL for op in fn.ops):
        return fn
    read = {v for op in fn.ops for v in op.operands}.union(fn.results)
    new: dict[Value, Value] = {}
    ops = []
    for old in fn.ops:
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        if op.defn.name in CONTROL:
            inner = [last_turn(region, options) for region in op.regions]
            if op.defn.name == "while" and not commits(op):
                unread = [r not in read for r in old.results]
                inner[1] = _marked(inner[0], inner[1], unread)
            op = make_op(op.defn, op.operands, op.attrs, tuple(inner), op.loc)
        new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    results = tuple(new.get(v, v) for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, fn.attrs)


def _marked(condition: Function, body: Function, unread: Sequence[bool]) -> Function:
    """The body of a loop, with attributes. unread: of what it carries, whether nobody reads that
    after the loop."""
    if any(has_effects(op) for op in condition.ops):  # effects keep their order
        return body
    kept = set(read_by(condition))
    wanted = [r for j, r in enumerate(body.results) if j in kept or not unread[j]]
    needed = set(live_ops(Function(body.name, body.params, body.ops, tuple(wanted))))
    spared = {op for op in body.ops if op not in needed and op.defn.name not in ALIASES}
    if sum(map(_ns, spared)) < LEAST_NS:
        return body
    new: dict[Value, Value] = {}
    ops = []
    for old in body.ops:
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        if old in spared:
            attrs = sorted_attrs({**op.kwargs, "next_turn": True}.items())
            op = make_op(op.defn, op.operands, attrs, op.regions, op.loc)
        new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    results = tuple(new.get(v, v) for v in body.results)
    return Function(body.name, body.params, tuple(ops), results, body.attrs)


def _ns(op: Op) -> float:
    """About how long a kernel, loop or branch takes on one core; of a loop, a turn of it."""
    if op.defn.name != "fusion":
        return sum(_ns(inner) for region in op.regions for inner in region.ops)
    if op.attr("hero") == "while":
        return LEAST_NS  # as many turns as it likes
    flops = op_flops(op) if op.attr("hero") == "dot" else 0
    return max(estimated_ns(op), flops / FLOPS_PER_NS)
