"""hoist: what a loop computes anew in every turn from values that do not change moves before it.

A `while` takes the first values of what it carries; its regions (condition, body) take the carried
values, and the body returns their next ones. A carried value that the body returns untouched is
invariant, and so is what pure ops make of invariants. Such ops are computed once before the loop,
and what the rest of the body needs of them is carried as one more invariant. Every primitive is
total, so computing one for a loop that makes no turn is safe. Free ops (constants, broadcasts) stay
where they are used.
"""

from __future__ import annotations

from collections.abc import Collection

from tfc.ir.builder import Builder, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects, live_ops
from tfc.passes.kernels import is_free
from tfc.passes.options import PassOptions


def hoist(fn: Function, options: PassOptions) -> Function:
    """`fn` with the invariants of its loops, and of loops in them, computed outside."""
    if not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            regions = tuple(hoist(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        results = carry_out(build, op)[0] if op.defn.name == "while" else build.adopt(op)
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


def carry_out(
    build: Builder, loop: Op, wanted: Collection[Value] = ()
) -> tuple[tuple[Value, ...], dict[Value, Value]]:
    """The results of `loop`, its invariants hoisted into `build`; and by each of these what it is
    there. `wanted`: invariants that are hoisted though what makes them is free."""
    condition, body = loop.regions
    outer: dict[Value, Value] = {
        param: first
        for param, next_value, first in zip(body.params, body.results, loop.operands, strict=True)
        if next_value is param
    }
    moved = dict.fromkeys(op for op in body.ops if _invariant(op, outer))
    stay = [op for op in body.ops if op not in moved]
    needed = {v for op in stay for v in op.operands} | set(body.results)
    for op in reversed(moved):
        if is_free(op) and any(r in needed and r not in wanted for r in op.results):
            needed.update(op.operands)
            stay.append(op)
    crossing = [
        v for op in moved for v in op.results if v in needed and (v in wanted or not is_free(op))
    ]
    if not crossing:
        return build.adopt(loop), {}
    values: dict[Value, Value] = dict(outer)
    for op in _makers(list(moved), set(crossing)):
        build.loc = op.loc
        operands = tuple(values[v] for v in op.operands)
        # a new op in any case: a free one stays in the body as well
        made = build.adopt(make_op(op.defn, operands, op.attrs, op.regions, op.loc))
        values.update(zip(op.results, made, strict=True))
    extra = [Value(v.type) for v in crossing]
    left = set(stay)
    inside = tuple(op for op in body.ops if op in left)
    regions = (
        _carrying(condition, condition.ops, {}, [Value(v.type) for v in crossing], False),
        _carrying(body, inside, dict(zip(crossing, extra, strict=True)), extra, True),
    )
    carried = (*loop.operands, *(values[v] for v in crossing))
    build.loc = loop.loc
    results = build.adopt(make_op(loop.defn, carried, loop.attrs, regions, loop.loc))
    return results[: len(loop.results)], {v: values[v] for v in crossing}


def _makers(ops: list[Op], wanted: set[Value]) -> list[Op]:
    """Those of `ops`, in order, that the `wanted` values are made by."""
    found = []
    for op in reversed(ops):
        if any(r in wanted for r in op.results):
            found.append(op)
            wanted.update(op.operands)
    return found[::-1]


def _invariant(op: Op, outer: dict[Value, Value]) -> bool:
    """Whether `op` computes the same in every turn; if so its results join `outer`."""
    if has_effects(op) or any(v not in outer for v in op.operands):
        return False
    outer.update((result, result) for result in op.results)
    return True


def _carrying(
    region: Function,
    ops: tuple[Op, ...],
    known: dict[Value, Value],
    extra: list[Value],
    returned: bool,
) -> Function:
    """`region` of `ops` alone, with more parameters, some of which stand for values that are no
    longer computed in it; `returned`: they are results as well."""
    new = dict(known)
    kept = []
    for op in ops:
        changed = with_operands(op, tuple(new.get(v, v) for v in op.operands))
        if changed is not op:
            new.update(zip(op.results, changed.results, strict=True))
        kept.append(changed)
    results = tuple(new.get(v, v) for v in region.results)
    if returned:
        results += tuple(extra)
    return Function(region.name, (*region.params, *extra), tuple(kept), results, region.attrs)
