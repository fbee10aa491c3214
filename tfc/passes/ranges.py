"""ranges: what is decided because integers lie between known numbers.

A comparison that comes out in one way whatever the operands are, and any other integer that can
have one value only, becomes a constant; of a `min` or `max` the operand that is always the result
stands in its place; an `assert` that holds is not there. What a turn reads of an array, where each
turn writes an entry of its own, is what the array was filled with before the loop. So a loop over
the entries of an array does not ask in every turn whether its counter is the number of one, and
whether that has been written.
"""

from __future__ import annotations

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import all_functions, has_effects
from tfc.passes.dce import dce
from tfc.passes.intervals import KNOWN, TRUE, Intervals, rebuild_known, whole
from tfc.passes.matching import splat_array
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import counters
from tfc.prims.control import updates_of

_SOURCES = frozenset({"const", "iota", "broadcast"})


def ranges(fn: Function, options: PassOptions) -> Function:
    """`fn` with what is decided."""
    if not any(_may_be_decided(op) for f in all_functions(fn) for op in f.ops):
        return fn
    filled = _filled(fn)

    def rule(build: Builder, op: Op, known: Intervals) -> tuple[Value, ...] | None:
        if op.defn.name == "dynamic_slice" and op.operands[0] in filled:
            return _unwritten(build, op, known, filled[op.operands[0]])
        return _decided(build, op, known)

    return dce(rebuild_known(fn, rule), options)


def _may_be_decided(op: Op) -> bool:
    """Whether there is anything to find out about an op of this kind."""
    if op.defn.name == "assert":
        return True
    known = any(r.type.dtype in KNOWN for r in op.results)
    return known and op.defn.name not in _SOURCES


@dataclass(frozen=True)
class _Filled:
    """An array with one number everywhere, to which each turn of a loop writes an entry: that of a
    counter, to which it adds `stride`."""

    counter: Value
    stride: int
    number: np.ndarray


def _filled(fn: Function) -> dict[Value, _Filled]:
    """Such arrays, by parameter."""
    found = {}
    for op in (op for f in all_functions(fn) for op in f.ops if op.defn.name == "while"):
        body = op.regions[1]
        strides = counters(body.params, body.results)
        for j, array in enumerate(body.params):
            number = splat_array(op.operands[j]) if array.type.rank else None
            updates = updates_of(op, j) if number is not None else None
            if number is None or updates is None or len(updates) > 1:
                continue
            _, entry, start, *_ = updates[0].operands
            if strides.get(start) and entry.type.shape[0] == 1:
                found[array] = _Filled(start, strides[start], number)
    return found


def _unwritten(
    build: Builder, op: Op, known: Intervals, filled: _Filled
) -> tuple[Value, ...] | None:
    """What the dynamic slice `op` takes of such an array, if that is of the entry that this turn is
    the first to write; the other axes may begin anywhere."""
    array, start, *_ = op.operands
    interval, everything = known[start], whole(start.type)
    if start is not filled.counter or op.attr("sizes")[0] != 1 or not interval or not everything:
        return None
    if interval[0] < 0 or interval[1] >= array.type.shape[0]:
        return None  # entries at the ends may stand for several
    behind = interval[0] + filled.stride, interval[1] + filled.stride
    if behind[0] < everything[0] or behind[1] > everything[1]:
        return None  # the counter may wrap, and come to an entry again
    return (p.splat(build, filled.number, op.result.type),)


def _decided(build: Builder, op: Op, known: Intervals) -> tuple[Value, ...] | None:
    """What stands for the results of `op`; None if it stays."""
    if op.defn.name == "assert":
        return () if known[op.operands[0]] == TRUE else None
    if has_effects(op) or op.regions or len(op.results) != 1 or op.defn.name == "const":
        return None
    interval, type = known[op.result], op.result.type
    if interval is None or not type.size:
        return None
    if interval[0] == interval[1]:
        number = bool(interval[0]) if type.dtype == "i1" else interval[0]
        return (p.splat(build, number, type),)
    if op.defn.name in ("min", "max"):
        for value, other in (op.operands, op.operands[::-1]):
            if _always(op.defn.name, value, other, known):
                return (value,)
    return None


def _always(kind: str, value: Value, other: Value, known: Intervals) -> bool:
    """Whether the `min` or `max` of two is always the first."""
    mine, its = known[value], known[other]
    assert mine is not None and its is not None
    return mine[1] <= its[0] if kind == "min" else mine[0] >= its[1]
