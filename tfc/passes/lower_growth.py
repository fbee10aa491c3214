"""Arrays that a loop makes larger: how large is known if a counter says where it writes.

In a region, a write at a computed place of an array that may grow only takes note of the place.
When the loop is complete, and how often it runs is known, so is the largest place, and the loop is
lowered again with an array of that size.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.passes.arrays import Count
from tfc.passes.lower_errors import NeedsValue, NotNative
from tfc.passes.lower_loop import Loop
from tfc.passes.trip_count import deciding, trip_count


@dataclass(frozen=True)
class Growth:
    """A write at `index` to an array and its mask, which are these values of the region."""

    flow: Value
    mask: Value
    index: Value


def note(build: Any, flow: Value, mask: Value, index: Value, results: Sequence[Value]) -> None:
    """Take note of a write in a region; `results` are the array and the mask after it."""
    flow, mask = (build.grown.get(value, value) for value in (flow, mask))
    build.growths.append(Growth(flow, mask, index))
    build.grown.update(zip(results, (flow, mask), strict=True))


def sizes(loop: Loop) -> dict[int, int]:
    """For each value that the loop carries and makes larger, how many elements it needs.

    Raises:
      NotNative: no counter says that. NeedsValue: how often the loop runs has to be known first.
    """
    body = loop.body
    places = {param: k for k, param in enumerate(body.params)}
    found: dict[int, int] = {}
    for growth in body.growths:
        if growth.flow not in places or growth.mask not in places:
            raise _unknown(loop)
        top = _largest(loop, places, growth.index)
        for value in (growth.flow, growth.mask):
            k = places[value]
            found[k] = max(found.get(k, loop.start[k].type.shape[0]), top + 1)
    return found


def _unknown(loop: Loop) -> NotNative:
    return NotNative(f"how far a TensorArray grows in '{loop.op.name}' is not known")


def _largest(loop: Loop, places: dict[Value, int], index: Value) -> int:
    """The largest value that `index` has in any iteration; -1 if there is none."""
    param, offset = _linear(index)
    place = places.get(param)
    if place is None:
        raise _unknown(loop)
    again, step = _linear(loop.step[place])
    first = constant_value(loop.start[place])
    if again is not param or first is None:
        raise _unknown(loop)
    count = _count(loop, {places[g.flow] for g in loop.body.growths if g.flow in places})
    if not count:
        return -1
    ends = [int(first) + offset, int(first) + offset + step * (count - 1)]
    if min(ends) < 0:
        raise _unknown(loop)
    return max(ends)


def _linear(value: Value) -> tuple[Value, int]:
    """(x, c) where `value` is x + c, as far as that can be seen."""
    offset = 0
    while value.op is not None and value.op.defn.name in ("add", "sub"):
        a, b = value.op.operands
        known = constant_value(b)
        if known is None and value.op.defn.name == "add":
            a, known = b, constant_value(a)
        if known is None or known.shape:
            break
        offset += int(known) if value.op.defn.name == "add" else -int(known)
        value = a
    return value, offset


def _count(loop: Loop, growing: set[int]) -> int:
    """How often the loop runs, which must not depend on the arrays that grow."""
    if not growing.isdisjoint(deciding(loop.test, loop.body, loop.go_on, loop.step)):
        raise _unknown(loop)
    count = trip_count(loop.test, loop.body, loop.go_on, loop.start, loop.step)
    if count is not None:
        return count
    return _count_first(loop)


def _count_first(loop: Loop) -> int:
    """How often the loop runs, from a loop that only counts; known in the next stage."""
    build, token = loop.build, Count(loop.op)
    known = build.values.get(token)
    if known is not None:
        found = constant_value(known)
        assert found is not None
        return int(found)
    pure = not loop.body.keys  # running it twice changes no variable, and draws no random number
    if build.region_depth or not pure:
        raise _unknown(loop)
    start = [*loop.start, p.constant(build, np.zeros((), np.int32))]
    test, body = (_copy_with_counter(region) for region in (loop.test, loop.body))
    one = p.constant(body, np.asarray(1, np.int32))
    step = [*loop.step, p.add(body, body.params[-1], one)]
    regions = (test.finish([loop.go_on]), body.finish(step))
    count = build.emit(p.while_, *start, regions=regions)[-1]
    build.values[token] = count
    raise NeedsValue(count, token)


def _copy_with_counter(region: Any) -> Any:
    """A copy of a region's Lowering with one more parameter; both can be finished."""
    other = copy.copy(region)
    other.params, other.ops, other._known = [*region.params], [*region.ops], dict(region._known)
    other.param(Type("i32", ()))
    return other
