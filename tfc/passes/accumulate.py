"""accumulate: a sum that a loop carries takes a gradient in at its place, not as a whole array.

The gradient of reading one entry of an array is zero but for that entry. Added to a total that the
loop carries, it costs the whole array in every turn, and a loop over n entries n * n. Here
`add(total, dynamic_update_slice(zeros, u, i))` becomes
`dynamic_update_slice(total, add(dynamic_slice(total, i), u), i)`, which is done in place; a `pad`
of `u` with zeros and a `scatter` of one row are taken alike.

The other entries have zero added, which changes nothing but a negative zero. A total that starts as
zeros has none: a sum is a negative zero only if both its terms are.
"""

from __future__ import annotations

import numpy as np

from tfc import prims as p
from tfc.ir.builder import Builder, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops
from tfc.passes.matching import is_splat
from tfc.passes.options import PassOptions


def accumulate(fn: Function, options: PassOptions) -> Function:
    """`fn` with its loops' totals updated in place."""
    if not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            regions = tuple(accumulate(region, options) for region in op.regions)
            if op.defn.name == "while":
                regions = (regions[0], _body(regions[1], op.operands))
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        new.update(zip(old.results, build.adopt(op), strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


def _body(body: Function, operands: tuple[Value, ...]) -> Function:
    """The body of a loop with every sum rewritten that leads from a carried zero to its next
    value."""
    entries: dict[Value, int] = {}
    for first, param, following in zip(operands, body.params, body.results, strict=True):
        if is_splat(first, 0):
            entries.update(_sums(param, following))
    if not entries:
        return body
    build = Builder(body.name, body.params)
    new: dict[Value, Value] = {}
    for old in live_ops(body):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        which = entries.get(old.results[0]) if old.results else None
        if which is None:
            results = build.adopt(op)
        else:
            results = (_added(build, op.operands[1 - which], op.operands[which].op),)
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in body.results), body.attrs)


def _sums(param: Value, following: Value) -> dict[Value, int]:
    """Sums between a carried value and its next one that add an entry, each with the operand that
    is the entry; none unless all that lies between are sums."""
    found: dict[Value, int] = {}
    value = following
    while value is not param:
        op = value.op
        if op is None or op.defn.name != "add":
            return {}
        a, b = op.operands
        which = 1 if _is_entry(b) else 0
        if _is_entry(op.operands[which]):
            found[value] = which
            value = op.operands[1 - which]
        else:
            value = b if b is param else a
    return found


def _is_entry(value: Value) -> bool:
    """Whether `value` is an array that is zero but for an entry."""
    op = value.op
    name = "" if op is None else op.defn.name
    if name not in ("dynamic_update_slice", "pad", "scatter"):
        return False
    assert op is not None
    if name == "dynamic_update_slice":
        return is_splat(op.operands[0], 0) and op.operands[1].type.size < value.type.size
    if name == "pad":
        widens = min(*op.attr("low"), *op.attr("high"), 0) == 0 and not any(op.attr("interior"))
        return widens and is_splat(op.operands[1], 0) and op.operands[0].type.size < value.type.size
    rows = op.operands[1].type.shape[:-1]
    return is_splat(op.operands[0], 0) and op.attr("kind") == "add" and all(n == 1 for n in rows)


def _added(build: Builder, total: Value, entry: Op | None) -> Value:
    """`total` with what `entry` makes added in its place."""
    assert entry is not None
    result: Value
    if entry.defn.name == "scatter":
        _, index, update = entry.operands
        result = p.scatter(build, total, index, update, dims=entry.attr("dims"), kind="add")
        return result
    if entry.defn.name == "pad":
        update = entry.operands[0]
        starts = [p.constant(build, np.asarray(n, np.int64)) for n in entry.attr("low")]
    else:
        _, update, *starts = entry.operands
    old = p.dynamic_slice(build, total, *starts, sizes=update.type.shape)
    result = p.dynamic_update_slice(build, total, p.add(build, old, update), *starts)
    return result
