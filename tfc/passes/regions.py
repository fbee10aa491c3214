"""regions: what crosses the border of a region that need not.

Of a `while`: a carried value that nothing reads but its own next value goes; what reads the result
of one that the body never changes reads the operand; one that is a constant and never changes is
made inside instead; of several that never change and start as one value, one is carried, and of
several counters that start as one value and count in equal steps. A loop
whose condition is false for every value is not there. Of a `cond`: operands that no branch reads,
results that nobody reads or that both branches merely hand on; if the predicate is a constant, the
branch it picks stands in its place.

Inner regions first; a constant that comes to stand in one decides in the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfc.ir.builder import Builder, constant_value, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects, live_ops
from tfc.passes.dce import dce
from tfc.passes.kernels import is_scalar
from tfc.passes.matching import splat_array
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import counters
from tfc.prims.control import invariants


def regions(fn: Function, options: PassOptions) -> Function:
    """`fn` with as little carried into, through and out of its regions as can be."""
    if not any(op.regions for op in fn.ops):
        return fn
    used = _uses(fn)
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            inner = tuple(regions(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, inner, op.loc)
        wanted = [r in used for r in old.results]
        if op.defn.name == "while":
            results = _while(build, op, wanted)
        elif op.defn.name == "cond":
            results = _cond(build, op, wanted)
        else:
            results = build.adopt(op)
        new.update(zip(old.results, results, strict=True))
    return dce(build.finish((new.get(v, v) for v in fn.results), fn.attrs), options)


def inline(build: Builder, fn: Function, arguments: Sequence[Value]) -> list[Value]:
    """The ops of `fn` appended to `build`, its parameters being `arguments`; its results."""
    new = dict(zip(fn.params, arguments, strict=True))
    for op in fn.ops:
        build.loc = op.loc
        operands = tuple(new.get(v, v) for v in op.operands)
        # a new op in any case: one op stands in one place
        made = build.adopt(make_op(op.defn, operands, op.attrs, op.regions, op.loc))
        new.update(zip(op.results, made, strict=True))
    return [new.get(v, v) for v in fn.results]


def _uses(fn: Function) -> set[Value]:
    return set(fn.results).union(*(op.operands for op in live_ops(fn)))


# --- while ----------------------------------------------------------------------------------


def _while(build: Builder, op: Op, wanted: list[bool]) -> tuple[Value, ...]:
    """The results of loop `op`, appended to `build` with less to carry; those not `wanted` may be
    any value of their type."""
    condition, body = op.regions
    test = splat_array(condition.results[0])
    if test is not None and not test:
        return op.operands
    fixed = invariants(op)
    stands: dict[int, int] = {}  # a carried value that another, equal one stands for
    inside: dict[int, Op] = {}  # one that is made inside instead
    first: dict[tuple[Value, int | None], int] = {}
    strides = counters(body.params, body.results)
    for j, (operand, param) in enumerate(zip(op.operands, body.params, strict=True)):
        stride = strides.get(param)
        if not fixed[j] and stride is None:
            continue
        if fixed[j] and (maker := _cheap_constant(operand)) is not None:
            inside[j] = maker
        elif first.setdefault((operand, stride), j) != j:
            stands[j] = first[operand, stride]
    needed = _needed(op, wanted)
    needed |= {stands[j] for j in needed if j in stands}
    kept = [j for j in range(len(op.operands)) if j in needed and j not in stands | inside]
    if kept and len(kept) < len(op.operands):
        body = Function(
            body.name, body.params, body.ops, tuple(body.results[j] for j in kept), body.attrs
        )
        inner = tuple(_carrying(region, kept, stands, inside) for region in (condition, body))
        carried = tuple(op.operands[j] for j in kept)
        less = build.adopt(make_op(op.defn, carried, op.attrs, inner, op.loc))
        results = dict(zip(kept, less, strict=True))
    else:
        results = dict(enumerate(build.adopt(op)))
    results |= {j: results[k] for j, k in stands.items() if k in results}
    return tuple(
        operand if fixed[j] or j not in results else results[j]
        for j, operand in enumerate(op.operands)
    )


def _cheap_constant(value: Value) -> Op | None:
    """What makes `value`, if that is a constant that costs nothing to make again, or a splat."""
    op = value.op
    if op is not None and (is_scalar(op) or _is_splat(op)):
        return op
    return None


def _is_splat(op: Op) -> bool:
    return op.defn.name == "broadcast" and constant_value(op.operands[0]) is not None


def _needed(op: Op, wanted: list[bool]) -> set[int]:
    """The carried values that reach the condition, an effect, or a result that is `wanted`."""
    condition, body = op.regions
    place = {p: j for j, p in enumerate(body.params)}
    needed = {j for j, p in enumerate(condition.params) if p in _uses(condition)}
    needed |= {j for j, want in enumerate(wanted) if want}
    # what effects in the body need, whoever reads the results
    effects = Function(body.name, body.params, body.ops, ())
    needed |= {place[v] for v in _uses(effects) if v in place}
    makers = {r: o for o in body.ops for r in o.results}
    stack, seen = [body.results[j] for j in needed], set[Value]()
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in place:
            j = place[value]
            if j not in needed:
                needed.add(j)
            stack.append(body.results[j])
        elif (maker := makers.get(value)) is not None:
            stack.extend(maker.operands)
    return needed


def _carrying(
    region: Function, kept: Iterable[int], stands: dict[int, int], inside: dict[int, Op]
) -> Function:
    """`region` with the parameters `kept` alone; what is left of it reads no others."""
    build = Builder(region.name, [region.params[j] for j in kept])
    new: dict[Value, Value] = {region.params[j]: region.params[k] for j, k in stands.items()}
    for j, maker in inside.items():
        new[region.params[j]] = _made_again(build, maker)
    for op in live_ops(region):
        build.loc = op.loc
        operands = tuple(new.get(v, v) for v in op.operands)
        new.update(zip(op.results, build.adopt(with_operands(op, operands)), strict=True))
    return build.finish((new.get(v, v) for v in region.results), region.attrs)


def _made_again(build: Builder, maker: Op) -> Value:
    """The result of `maker`, a constant or the splat of one, in another function."""
    operands = tuple(_made_again(build, v.op) for v in maker.operands if v.op is not None)
    (value,) = build.adopt(make_op(maker.defn, operands, maker.attrs, (), maker.loc))
    return value


# --- cond -----------------------------------------------------------------------------------


def _cond(build: Builder, op: Op, wanted: list[bool]) -> tuple[Value, ...]:
    """The results of branch `op`, appended to `build` with less to take and give; those not
    `wanted` may be any value of their type."""
    test = splat_array(op.operands[0])
    if test is not None:
        return tuple(inline(build, op.regions[0 if test else 1], op.operands[1:]))
    on_true, on_false = op.regions
    same: dict[int, Value] = {}
    for k, (a, b) in enumerate(zip(on_true.results, on_false.results, strict=True)):
        if a in on_true.params and b in on_false.params:
            given = op.operands[1 + on_true.params.index(a)]
            if given is op.operands[1 + on_false.params.index(b)]:
                same[k] = given
    kept = [k for k, want in enumerate(wanted) if want and k not in same]
    bodies = [
        Function(r.name, r.params, r.ops, tuple(r.results[k] for k in kept), r.attrs)
        for r in op.regions
    ]
    if not kept and not has_effects(op):
        return tuple(same.get(k, r) for k, r in enumerate(op.results))
    first: dict[Value, int] = {}
    read = [set[Value].union(_uses(body)) for body in bodies]
    taken, stands = [], dict[int, int]()
    for j, operand in enumerate(op.operands[1:]):
        if not any(body.params[j] in uses for body, uses in zip(bodies, read, strict=True)):
            continue
        if first.setdefault(operand, j) != j:
            stands[j] = first[operand]
        else:
            taken.append(j)
    inner = tuple(_carrying(body, taken, stands, {}) for body in bodies)
    operands = (op.operands[0], *(op.operands[1 + j] for j in taken))
    made = build.adopt(make_op(op.defn, operands, op.attrs, inner, op.loc))
    results = {**dict(zip(kept, made, strict=True)), **same}
    return tuple(results.get(k, r) for k, r in enumerate(op.results))
