"""first_turn: what a loop carries that begins as zeros is seen to be zeros in the first turn.

A recurrent cell multiplies its state, which begins as zeros, by weights in every turn, and what the
loop keeps of it for the gradient by what comes back. Where such a product reads the parts of a
joined operand (`prims/joined.py`), the state becomes `select(first, zeros, state)`, which the
kernel takes in: of a part that is zeros it multiplies one row, and adds what that gives to all of
them. So weights that are not finite give what they gave before.

    while i in n: y = dot(concat(x[i], h), w); tape[i] = h; h = ...
    while i in n back: total += dot(concat(x[i], tape[i]), g)
 -> h and tape[i] are select(i == 0, zeros, ...) there
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder, constant_value, make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops, made_by
from tfc.passes.fresh import counts_up, loop_turns
from tfc.passes.joins import JoinedProducts
from tfc.passes.matching import is_splat
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import is_once
from tfc.prims.control import invariants, updates_of


@dataclass(frozen=True)
class _First:
    """A value is zeros where `counter` is `number`."""

    counter: Value
    number: int


def first_turn(fn: Function, options: PassOptions) -> Function:
    """`fn` with loops whose products know that a part is zeros."""
    if not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    tapes: set[Value] = set()  # arrays whose entry 0 is zeros
    for old in live_ops(fn):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            regions = tuple(first_turn(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        zeros = _zeros(op) if op.defn.name == "while" else {}
        kept = _tapes(op, zeros)
        if op.defn.name == "while":
            op = _with_zeros(op, zeros, {k for k, v in enumerate(op.operands) if v in tapes})
        results = build.adopt(op)
        tapes.update(results[k] for k in kept)
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


def _zeros(loop: Op) -> dict[Value, _First]:
    """Parameters of the body that are zeros in the first turn, which a counter tells."""
    body = loop.regions[1]
    states = [
        param
        for param, start, same in zip(body.params, loop.operands, invariants(loop), strict=True)
        if param.type.rank == 2 and not same and is_splat(start, 0)
    ]
    turns = loop_turns(loop) if states else None
    for counter, start, following in zip(body.params, loop.operands, body.results, strict=True):
        number = constant_value(start)
        if number is not None and is_once(counter, following, turns):
            return dict.fromkeys(states, _First(counter, int(number)))
    return {}


def _tapes(loop: Op, zeros: Mapping[Value, _First]) -> list[int]:
    """The results of `loop` that keep, entry by entry, what is zeros in the first turn."""
    found = []
    for k, param in enumerate(loop.regions[1].params if zeros else ()):
        updates = updates_of(loop, k) if param.type.rank == 3 else None
        if updates is None or len(updates) != 1:
            continue
        x, update, at, *others = updates[0].operands
        whole = update.type.shape == (1, *x.type.shape[1:])
        in_front = counts_up(loop, at) and all(is_splat(v, 0) for v in others)
        if whole and in_front and _same_elements(update) in zeros:
            found.append(k)
    return found


def _same_elements(value: Value) -> Value:
    """What `value` is but for axes of one element."""
    while (op := made_by(value, "reshape")) is not None:
        value = op.operands[0]
    return value


def _with_zeros(loop: Op, zeros: Mapping[Value, _First], tapes: set[int]) -> Op:
    """`loop`, whose joined products take `select` for what is zeros in some turn."""
    condition, body = loop.regions
    fixed = invariants(loop)
    arrays = {body.params[k] for k in tapes if fixed[k]}
    joints = {taken[0] for taken in JoinedProducts(body.ops, body.results).taken.values()}
    firsts = {
        v: first
        for joint in joints
        for v in joint.operands
        if (first := zeros.get(v) or _of_tape(v, arrays)) is not None
    }
    if not firsts:
        return loop
    build = Builder(body.name, body.params)
    new: dict[Value, Value] = {}
    for old in body.ops:
        build.loc = old.loc
        operands = [new.get(v, v) for v in old.operands]
        if old in joints:
            operands = [
                _selected(build, after, new, firsts[v]) if v in firsts else after
                for v, after in zip(old.operands, operands, strict=True)
            ]
        op = with_operands(old, tuple(operands))
        new.update(zip(old.results, build.adopt(op), strict=True))
    changed = build.finish((new.get(v, v) for v in body.results), body.attrs)
    return make_op(loop.defn, loop.operands, loop.attrs, (condition, changed), loop.loc)


def _of_tape(value: Value, arrays: set[Value]) -> _First | None:
    """Where an entry of one of `arrays` is zeros."""
    entry = made_by(_same_elements(value), "dynamic_slice")
    if entry is None or entry.operands[0] not in arrays:
        return None
    array, at, *others = entry.operands
    whole = entry.attr("sizes") == (1, *array.type.shape[1:])
    counted = at.op is None and all(is_splat(v, 0) for v in others)
    return _First(at, 0) if whole and counted else None


def _selected(build: Builder, value: Value, new: Mapping[Value, Value], first: _First) -> Value:
    """`value`, or zeros in the turn in which it is zeros anyway."""
    counter = new.get(first.counter, first.counter)
    number = p.constant(build, np.asarray(first.number), dtype=counter.type.dtype)
    here = p.eq(build, counter, number)
    shape = value.type.shape
    zero = p.constant(build, np.zeros(()), dtype=value.type.dtype)
    zeros = p.broadcast(build, zero, dims=(), shape=shape)
    result: Value = p.select(build, p.broadcast(build, here, dims=(), shape=shape), zeros, value)
    return result
