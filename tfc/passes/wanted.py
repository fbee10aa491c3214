"""Which tensors must be known before an op can be lowered whose shape depends on data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfc.ir.builder import constant_value
from tfc.ir.core import Value
from tfc.ir.walk import above

STATIC_FEED_ELEMENTS = 4096  # a fed array up to this size may join the signature for a shape


def inputs_behind(op: Any, values: Mapping[Any, Any], value: Value) -> list[Any]:
    """The inputs of `op` whose values tell `value`, which its lowering asked for.

    Those that `value` is computed from, where they are all that it is computed from: the others
    vary without it. Else (a rule looked through its operand) those that are computed from the
    source of `value` alone; if there are none, those that share with it what it is computed from.
    """
    given = [(t, v) for t in op.inputs if isinstance(v := values.get(t), Value)]
    met = _first_met(value, {v for _, v in given})
    if met is not None:
        return [t for t, v in given if v in met]
    source = value
    while source.op is not None and source.op.defn.name in ("reshape", "slice", "convert"):
        source = source.op.operands[0]
    behind = [t for t, v in given if _first_met(v, {source}) is not None]
    if behind:
        return behind
    varying = {v for v in above(value) if constant_value(v) is None}
    found = [t for t, v in given if not varying.isdisjoint(above(v))]
    return found or [t for t, _ in given]


def _first_met(value: Value, ends: set[Value]) -> set[Value] | None:
    """Those of `ends` nearest to `value` that it is computed from; None if more goes into it."""
    met: set[Value] = set()
    seen, stack = {value}, [value]
    while stack:
        value = stack.pop()
        if constant_value(value) is not None:
            continue
        if value in ends:
            met.add(value)
        elif value.op is None:
            return None
        else:
            fresh = [v for v in value.op.operands if v not in seen]
            seen.update(fresh)
            stack.extend(fresh)
    return met or None


def fed_leaves(value: Value, available: Mapping[Value, Any]) -> list[Any]:
    """The tensors that exist and that `value` is computed from.

    None if more goes into it; and none if it is less than they are, as a maximum is: computed in a
    stage of its own, it is met again more often than all that was fed.
    """
    leaves: dict[Any, None] = {}
    room = value.type.size
    seen = {value}
    stack = [value]
    while stack:
        value = stack.pop()
        if value.op is not None:
            fresh = [v for v in value.op.operands if v not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        elif value in available and value.type.size <= min(room, STATIC_FEED_ELEMENTS):
            leaves[available[value]] = None
            room -= value.type.size
        else:
            return []
    return list(leaves)
