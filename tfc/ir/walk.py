"""Walks over functions: users, live ops, values by position. All iterative: a chain of 100,000
ops is an ordinary function."""

from __future__ import annotations

from tfc.ir.core import Function, Op, Value, attrs_key


def has_effects(op: Op) -> bool:
    """Whether `op`, or an op in its regions, must be kept, in order, and never merged."""
    if op.defn.effects or not op.regions:
        return bool(op.defn.effects)
    return any(o.defn.effects for r in op.regions for f in all_functions(r) for o in f.ops)


def live_ops(fn: Function) -> list[Op]:
    """The ops, in order, whose results reach the function's results or that have effects."""
    live: set[Value] = set(fn.results)
    kept = []
    for op in reversed(fn.ops):
        if not live.isdisjoint(op.results) or has_effects(op):
            kept.append(op)
            live.update(op.operands)
    kept.reverse()
    return kept


def users(fn: Function) -> dict[Value, list[Op]]:
    """For each value, the ops that take it as an operand, in order, once each."""
    table: dict[Value, list[Op]] = {v: [] for v in fn.params}
    for op in fn.ops:
        for operand in dict.fromkeys(op.operands):
            table.setdefault(operand, []).append(op)
        for result in op.results:
            table.setdefault(result, [])
    return table


def made_by(value: Value, name: str) -> Op | None:
    """The op that made `value`, if that is an application of the definition called `name`."""
    op = value.op
    return op if op is not None and op.defn.name == name else None


def all_functions(fn: Function) -> list[Function]:
    """`fn` and every region inside it, outermost first."""
    found, stack = [], [fn]
    while stack:
        current = stack.pop()
        found.append(current)
        for op in reversed(current.ops):
            stack.extend(reversed(op.regions))
    return found


def same_function(one: Function, other: Function) -> bool:
    """Whether two functions are equal op for op: names, types, definitions, attributes, origins,
    regions, and which value each operand is."""
    stack = [(one, other)]
    while stack:
        f, g = stack.pop()
        if not _same_frame(f, g):
            return False
        numbers: dict[Value, int] = {}
        others: dict[Value, int] = {}
        _number(f.params, numbers)
        _number(g.params, others)
        for a, b in zip(f.ops, g.ops, strict=True):
            if not _same_op(a, b, numbers, others):
                return False
            stack.extend(zip(a.regions, b.regions, strict=True))
            _number(a.results, numbers)
            _number(b.results, others)
        if [numbers.get(v) for v in f.results] != [others.get(v) for v in g.results]:
            return False
    return True


def _number(values: tuple[Value, ...], numbers: dict[Value, int]) -> None:
    for value in values:
        numbers[value] = len(numbers)


def _same_frame(f: Function, g: Function) -> bool:
    return (
        f.name == g.name
        and [p.type for p in f.params] == [p.type for p in g.params]
        and len(f.ops) == len(g.ops)
        and len(f.results) == len(g.results)
        and attrs_key(f.attrs) == attrs_key(g.attrs)
    )


def _same_op(a: Op, b: Op, numbers: dict[Value, int], others: dict[Value, int]) -> bool:
    return (
        a.defn is b.defn
        and a.loc == b.loc
        and attrs_key(a.attrs) == attrs_key(b.attrs)
        and [numbers.get(v) for v in a.operands] == [others.get(v) for v in b.operands]
        and [r.type for r in a.results] == [r.type for r in b.results]
        and len(a.regions) == len(b.regions)
    )


def above(value: Value) -> set[Value]:
    """`value`, and all that it is computed from."""
    found, stack = {value}, [value]
    while stack:
        op = stack.pop().op
        fresh = [v for v in op.operands if v not in found] if op is not None else []
        found.update(fresh)
        stack.extend(fresh)
    return found
