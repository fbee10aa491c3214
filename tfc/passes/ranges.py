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
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import all_functions, has_effects
from tfc.passes.dce import dce
from tfc.passes.intervals import KNOWN, TRUE, Intervals, rebuild_known
from tfc.passes.matching import splat_array
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import stride_of
from tfc.prims.control import updates_of

_SOURCES = frozenset({"const", "iota", "broadcast"})


def ranges(fn: Function, options: PassOptions) -> Function:
    """`fn` with what is decided."""
    if not any(_may_be_decided(op) for f in all_functions(fn) for op in f.ops):
        return fn
    filled = _filled(fn)

    def rule(build: Builder, op: Op, known: Intervals) -> tuple[Value, ...] | None:
        if op.defn.name == "dynamic_slice" and op.operands[0] in filled:
            return _unwritten(build, op, known, *filled[op.operands[0]])
        return _decided(build, op, known)

    return dce(rebuild_known(fn, rule), options)


def _may_be_decided(op: Op) -> bool:
    """Whether there is anything to find out about an op of this kind."""
    if op.defn.name == "assert":
        return True
    known = any(r.type.dtype in KNOWN for r in op.results)
    return known and op.defn.name not in _SOURCES


def _filled(fn: Function) -> dict[Value, tuple[Op, np.ndarray]]:
    """By parameter, the arrays with one number everywhere to which each turn of a loop writes one
    entry, that of a counter: the update, and the number."""
    found: dict[Value, tuple[Op, np.ndarray]] = {}
    for op in (op for f in all_functions(fn) for op in f.ops if op.defn.name == "while"):
        body = op.regions[1]
        for j, array in enumerate(body.params):
            number = splat_array(op.operands[j])
            updates = updates_of(op, j) if number is not None and array.type.rank else None
            if number is not None and updates is not None and len(updates) == 1:
                (update,) = updates
                if _counts(body, update.operands[2]) and update.operands[1].type.shape[0] == 1:
                    found[array] = update, number
    return found


def _counts(body: Function, start: Value) -> bool:
    """Whether `start` is another number in every turn."""
    if start not in body.params:
        return False
    stride = stride_of(start, body.results[body.params.index(start)])
    return stride is not None and stride != 0


def _unwritten(
    build: Builder, op: Op, known: Intervals, update: Op, number: np.ndarray
) -> tuple[Value, ...] | None:
    """What the dynamic slice `op` takes, if that is of the entry that `update` is the first to
    write; the other axes may begin anywhere."""
    (array, start, *_), interval = op.operands, known[op.operands[1]]
    if start is not update.operands[2] or op.attr("sizes")[0] != 1 or interval is None:
        return None
    if interval[0] < 0 or interval[1] >= array.type.shape[0]:
        return None  # entries at the ends may stand for several
    return (p.splat(build, number, op.result.type),)


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
