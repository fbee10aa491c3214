"""entries: where only one entry of an array counts, a loop takes or gives that entry.

A loop that reads entry number i of an array in turn i is often given one that is zero but for an
entry: the gradient of what takes the last output of a recurrent network. It takes that entry
instead, and a turn whose number is not the entry's takes zeros. If that is the first turn, and all
that becomes of the entry is that a carried value which begins as zeros is added to it, the loop
begins with the entry. Likewise, of an array that a loop
fills turn by turn with what it carries as well, as it does with outputs that are its state, the
last entry is the last state: who takes that reads no array, and what nobody reads is not filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder, constant_value, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops, made_by, users
from tfc.passes.fresh import counts_up, loop_turns
from tfc.passes.matching import is_splat
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import is_once
from tfc.prims.control import invariants, updates_of


def entries(fn: Function, options: PassOptions) -> Function:
    """`fn` with loops that take and give single entries where nothing else of an array counts."""
    if not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    lasts: dict[Value, Value] = {}  # arrays, and what is made of them, by their last entry alone
    ops = live_ops(fn)
    table = users(Function(fn.name, fn.params, tuple(ops), fn.results))
    for old in ops:
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            regions = tuple(entries(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        if old.operands and old.operands[0] in lasts:
            _take_last(build, old, lasts, new)
            continue
        results = _taking_entries(build, op) if op.defn.name == "while" else build.adopt(op)
        new.update(zip(old.results, results, strict=True))
        if op.defn.name == "while":
            for array, state in _filled_with_state(op).items():
                last = old.results[array]
                if _is_read_last(last, 0, table, set(fn.results)):
                    shape = (1, *last.type.shape[1:])
                    lasts[last] = p.reshape(build, results[state], shape=shape)
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


# --- what a loop is given -------------------------------------------------------------------


@dataclass(frozen=True)
class _Only:
    """An array of which all but entry number `place` is zero: that entry, of the array's rank."""

    place: int
    entry: Value


def _taking_entries(build: Builder, loop: Op) -> tuple[Value, ...]:
    """The results of `loop`, appended to `build`; it takes entries for arrays that are zero but for
    one."""
    condition, body = loop.regions
    tested = {v for op in condition.ops for v in op.operands} | set(condition.results)
    table: Mapping[Value, Sequence[Op]] | None = None
    found: dict[Value, _Only] = {}  # by the parameter of the body
    for k, fixed in enumerate(invariants(loop)):
        param = body.params[k]
        if not fixed or param.type.rank < 1 or condition.params[k] in tested:
            continue
        only = _only_entry(build, loop.operands[k])
        if only is None:
            continue
        table = users(body) if table is None else table
        reads = table.get(param, ())
        if reads and all(_takes_entry(op, param) for op in reads):
            found[param] = only
    for param, only in tuple(found.items()):
        begun = _begun(build, loop, param, only)
        if begun is not None:
            loop, body = begun, begun.regions[1]
            del found[param]
    if not found:
        return build.adopt(loop)
    return build.adopt(_with_entries(loop, found))[: len(loop.results)]


def _begun(build: Builder, loop: Op, array: Value, only: _Only) -> Op | None:
    """`loop` with what it carries begun as the entry, and nothing of `array` read; None if that is
    not the same. (A negative zero that zeros were added to stays one.)"""
    condition, body = loop.regions
    table, ends = users(body), body.results

    def reader(value: Value) -> Op | None:
        (op, *others) = table.get(value, ()) or (None,)
        return None if others or value in ends else op

    read, *others = table[array]
    value = read.result
    total = reader(value)
    while total is not None and total.defn.name == "reshape":
        value = total.result
        total = reader(value)
    if others or total is None or total.defn.name != "add":
        return None
    carried = total.operands[0] if total.operands[1] is value else total.operands[1]
    index = read.operands[1]
    if not {carried, index} <= set(body.params) or reader(carried) is not total:
        return None
    place, counter = body.params.index(carried), body.params.index(index)
    first = constant_value(loop.operands[counter])
    once = is_once(index, body.results[counter], loop_turns(loop))
    tested = any(condition.params[place] in op.operands for op in condition.ops)
    if tested or not once or first is None or int(first) != only.place:
        return None
    if not is_splat(loop.operands[place], 0):
        return None
    operands = list(loop.operands)
    operands[place] = p.reshape(build, only.entry, shape=carried.type.shape)
    changed = Builder(body.name, body.params)
    new: dict[Value, Value] = {total.result: carried}
    for old in body.ops:
        changed.loc = old.loc
        if old is not total:
            op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
            new.update(zip(old.results, changed.adopt(op), strict=True))
    region = changed.finish((new.get(v, v) for v in ends), body.attrs)
    return make_op(loop.defn, tuple(operands), loop.attrs, (condition, region), loop.loc)


def _only_entry(build: Builder, array: Value) -> _Only | None:
    """The entry along the first axis of `array` that may differ from zero, if there is only one: of
    a pad, and of transposes of one."""
    perms = []
    axis, value = 0, array
    while (op := made_by(value, "transpose")) is not None:
        perms.append(op.attr("perm"))
        axis, value = op.attr("perm")[axis], op.operands[0]
    pad = made_by(value, "pad")
    if pad is None or not is_splat(pad.operands[1], 0) or any(pad.attr("interior")):
        return None
    low, high, entry = pad.attr("low"), pad.attr("high"), pad.operands[0]
    elsewhere = any(low[d] or high[d] for d in range(len(low)) if d != axis)
    if elsewhere or entry.type.shape[axis] != 1 or low[axis] < 0 or high[axis] < 0:
        return None
    for perm in reversed(perms):
        entry = p.transpose(build, entry, perm=perm)
    return _Only(low[axis], entry)


def _takes_entry(op: Op, array: Value) -> bool:
    """Whether `op` reads one whole entry of `array`."""
    if op.defn.name != "dynamic_slice" or op.operands[0] is not array:
        return False
    whole: bool = op.attr("sizes") == (1, *array.type.shape[1:])
    return whole and op.operands.count(array) == 1


def _with_entries(loop: Op, found: Mapping[Value, _Only]) -> Op:
    """`loop`, which carries the entries `found` as well, and reads them."""
    condition, body = loop.regions
    extra = [Value(only.entry.type) for only in found.values()]
    build = Builder(body.name, (*body.params, *extra))
    inside = dict(zip(found, extra, strict=True))
    new: dict[Value, Value] = {}
    for old in live_ops(body):
        build.loc = old.loc
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        results = (
            build.adopt(op)
            if not old.operands or old.operands[0] not in found
            else (_selected(build, op, found[old.operands[0]].place, inside[old.operands[0]]),)
        )
        new.update(zip(old.results, results, strict=True))
    ends = (*(new.get(v, v) for v in body.results), *extra)
    params = (*condition.params, *(Value(v.type) for v in extra))
    test = Function(condition.name, params, condition.ops, condition.results, condition.attrs)
    regions = (test, build.finish(ends, body.attrs))
    operands = (*loop.operands, *(only.entry for only in found.values()))
    return make_op(loop.defn, operands, loop.attrs, regions, loop.loc)


def _selected(build: Builder, op: Op, place: int, entry: Value) -> Value:
    """What `op`, a slice of one entry, reads: `entry` at `place`, and zeros elsewhere."""
    array, index = op.operands[:2]
    dtype = index.type.dtype

    def number(n: int) -> Value:
        return p.constant(build, np.asarray(n), dtype=dtype)

    last = array.type.shape[0] - 1
    at = p.min(build, p.max(build, index, number(0)), number(last))
    here = p.broadcast(build, p.eq(build, at, number(place)), dims=(), shape=entry.type.shape)
    zero = p.constant(build, np.zeros(()), dtype=entry.type.dtype)
    zeros = p.broadcast(build, zero, dims=(), shape=entry.type.shape)
    result: Value = p.select(build, here, entry, zeros)
    return result


# --- what a loop gives ----------------------------------------------------------------------


def _filled_with_state(loop: Op) -> dict[int, int]:
    """Arrays that `loop` carries whose last entry, in the end, is another value that it carries:
    the places of both."""
    body = loop.regions[1]
    found: dict[int, int] = {}
    for k, param in enumerate(body.params):
        if param.type.rank < 2 or body.results[k] is param:
            continue
        updates = updates_of(loop, k)
        if updates is None or len(updates) != 1:
            continue
        x, update, index, *others = updates[0].operands
        value = update
        while (op := made_by(value, "reshape")) is not None and value not in body.results:
            value = op.operands[0]
        whole = update.type.shape == (1, *x.type.shape[1:]) and all(is_splat(v, 0) for v in others)
        if not whole or value not in body.results or not counts_up(loop, index):
            continue
        if loop_turns(loop) == x.type.shape[0]:
            found[k] = body.results.index(value)
    return found


def _is_read_last(
    value: Value, axis: int, table: Mapping[Value, Sequence[Op]], kept: set[Value]
) -> bool:
    """Whether all that is read of `value` is its last entry along `axis`."""
    if value in kept or not table.get(value):
        return False
    for op in table[value]:
        if op.defn.name == "transpose":
            if not _is_read_last(op.result, op.attr("perm").index(axis), table, kept):
                return False
            continue
        extent = value.type.shape[axis]
        if op.defn.name != "slice" or op.attr("start")[axis] != extent - 1:
            return False
    return True


def _take_last(build: Builder, op: Op, lasts: dict[Value, Value], new: dict[Value, Value]) -> None:
    """Write what `op`, a transpose or the slice of the last entry, makes of an array."""
    value = lasts[op.operands[0]]
    if op.defn.name == "transpose":
        lasts[op.result] = p.transpose(build, value, perm=op.attr("perm"))
        return
    start, limit = list(op.attr("start")), list(op.attr("limit"))
    before = op.operands[0].type.shape
    for d, (was, now) in enumerate(zip(before, value.type.shape, strict=True)):
        if was != now:
            start[d], limit[d] = 0, 1
    new[op.result] = p.slice(
        build, value, start=tuple(start), limit=tuple(limit), stride=op.attr("stride")
    )
