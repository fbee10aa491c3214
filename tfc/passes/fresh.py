"""Which values are only room: every part is written before anything reads it.

Such are the tapes of gradients and the TensorArrays that a loop fills: entry number i in turn i,
from the first to the last or from the last to the first; and what updates at known places fill, one
after the other. Their first content, zeros, need not be there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tfc.base.dtypes import INTEGERS
from tfc.ir.builder import Builder, constant_value, make_op
from tfc.ir.core import Op, Value
from tfc.passes.matching import splat_array
from tfc.passes.trip_count import leaves, of_tests, stride_of
from tfc.prims.control import fusion, updates_of

ROOM = "room"
"""Hero of a kernel that stands for memory whose content nothing reads; no code."""


def overwritten(op: Op) -> frozenset[int]:
    """The carried values of `op`, if it is a loop, whose first content nothing reads."""
    if op.defn.name != "while":
        return frozenset()
    splats = [
        j for j, v in enumerate(op.operands) if v.type.size > 1 and splat_array(v) is not None
    ]
    filled = [j for j in splats if _filled_in_order(op, j)]
    if not filled:
        return frozenset()
    turns = loop_turns(op)
    return frozenset(
        j for j in filled if turns is not None and turns >= op.operands[j].type.shape[0]
    )


def loop_turns(op: Op) -> int | None:
    """How often the loop runs, if its test compares counters with constants."""
    condition, body = op.regions
    counters = {}
    for param in leaves(condition.results[0]):
        k = condition.params.index(param)
        first = constant_value(op.operands[k])
        if first is None:
            return None
        counters[param] = (body.params[k], body.results[k], first)
    return of_tests(condition.results[0], counters)


def _filled_in_order(op: Op, j: int) -> bool:
    """Whether turn number i writes the whole of entry i of carried value `j`, or of entry i from
    its end, and no turn reads any of it."""
    condition, body = op.regions
    updates = updates_of(op, j)
    if not updates or _reads(body.ops, body.params[j]) != 1 or body.params[j] in body.results:
        return False
    if _reads(condition.ops, condition.params[j]) or condition.params[j] in condition.results:
        return False
    x, update, at, *others = updates[0].operands
    whole = update.type.shape[1:] == x.type.shape[1:] and update.type.shape[0] == 1
    in_order = counts_up(op, at) or _counts_down(op, at, x.type.shape[0])
    return whole and all(_is_zero(v) for v in others) and in_order


def _reads(ops: tuple[Op, ...], value: Value) -> int:
    return sum(v is value for op in ops for v in op.operands)


def counts_up(op: Op, index: Value) -> bool:
    """Whether `index`, in the body, is 0 in the first turn and grows by one from turn to turn."""
    body = op.regions[1]
    if index not in body.params or index.type.dtype not in INTEGERS:
        return False
    k = body.params.index(index)
    return _is_zero(op.operands[k]) and stride_of(index, body.results[k]) == 1


def _counts_down(op: Op, index: Value, count: int) -> bool:
    """Whether `index`, in the body, is count - 1 in the first turn, and less by one from turn to
    turn."""
    body = op.regions[1]
    if index not in body.params or index.type.dtype not in INTEGERS:
        return False
    k = body.params.index(index)
    first = constant_value(op.operands[k])
    down = stride_of(index, body.results[k]) == -1
    return first is not None and first.size == 1 and int(first.reshape(())) == count - 1 and down


def _is_zero(value: Value) -> bool:
    known = constant_value(value)
    return known is not None and known.size == 1 and not known.any()


def filled_by_updates(ops: Sequence[Op], results: Collection[Value]) -> dict[Op, Value]:
    """Updates that are the first of several, which nothing stands between, and which together write
    every element once; with what they write over."""
    updates = (op for op in ops if op.defn.name == "dynamic_update_slice")
    bases = {op: op.operands[0] for op in updates if splat_array(op.operands[0]) is not None}
    if not bases:
        return {}
    readers: dict[Value, list[Op]] = {}
    for op in ops:
        for operand in dict.fromkeys(op.operands):
            readers.setdefault(operand, []).append(op)
    return {op: base for op, base in bases.items() if _fill(base, readers, results)}


def _fill(base: Value, readers: dict[Value, list[Op]], results: Collection[Value]) -> bool:
    """Whether all that becomes of `base`, up to the value that has no part of it, is updates of
    parts that have no element in common."""
    boxes: list[list[tuple[int, int]]] = []
    value, left = base, base.type.size
    while left > 0:
        (op, *others) = readers.get(value, [None])
        if op is None or others or op.defn.name != "dynamic_update_slice" or value in results:
            return False
        x, update, *starts = op.operands
        begins = [constant_value(start) for start in starts]
        if x is not value or update is value or not all(b is not None for b in begins):
            return False
        box = _box(begins, update.type.shape, value.type.shape)
        if not update.type.size or any(_meet(box, other) for other in boxes):
            return False
        boxes.append(box)
        value, left = op.result, left - update.type.size
    return left == 0


def _box(begins: Sequence[Any], part: Sequence[int], whole: Sequence[int]) -> list[tuple[int, int]]:
    """Where an update lies, clamped so that it fits."""
    firsts = (min(max(int(b), 0), n - m) for b, m, n in zip(begins, part, whole, strict=True))
    return [(first, first + m) for first, m in zip(firsts, part, strict=True)]


def _meet(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> bool:
    return all(lo < end and start < hi for (lo, hi), (start, end) in zip(a, b, strict=True))


def room(build: Builder, value: Value) -> Value:
    """Memory for `value`, a splat that nothing reads, appended to `build`."""
    region = Builder("kernel")
    region.fold_elements = -1
    body = region.finish([_made_again(region, value)])
    (made,) = build.emit(fusion, regions=(body,), hero=ROOM)
    return made


def _made_again(build: Builder, value: Value) -> Value:
    op = value.op
    assert op is not None, value
    operands = tuple(_made_again(build, v) for v in op.operands)
    (made,) = build.adopt(make_op(op.defn, operands, op.attrs, (), op.loc))
    return made
