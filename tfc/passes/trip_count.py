"""How often a loop that is being lowered runs, where constants tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import INTEGERS, numpy_dtype
from tfc.ir import interp
from tfc.ir.builder import constant_value
from tfc.ir.core import Function, Value
from tfc.ir.walk import live_ops

# A loop whose test depends on constants, but not as on a counter, is run here to count its
# iterations, at some 20 us each; one that runs longer counts itself.
COUNTED_HERE = 4096


def trip_count(
    test: Any, body: Any, go_on: Value, start: Sequence[Value], step: Sequence[Value]
) -> int | None:
    """How often a loop runs, None if that is not known.

    test, body: the Lowerings of its regions. go_on: the result of the test. start, step: the
    operands, and their next values.
    """
    places = deciding(test, body, go_on, step)
    known = [constant_value(start[i]) for i in places]
    values = [v for v in known if v is not None]
    if len(values) < len(places):
        return None
    counters = {
        test.params[k]: (body.params[k], step[k], first)
        for k, first in zip(places, values, strict=True)
    }
    found = of_tests(go_on, counters)
    if found is not None:
        return found
    params = [test.params[i] for i in places]
    inner = [body.params[i] for i in places]
    holds = part_of("test", params, test, [go_on])
    following = part_of("step", inner, body, [step[i] for i in places])
    for count in range(COUNTED_HERE):
        if not interp.run(holds, values)[0]:
            return count
        values = list(interp.run(following, values))
    return None


def most(
    test: Any, body: Any, go_on: Value, start: Sequence[Value], step: Sequence[Value]
) -> int | None:
    """The most that a loop can run, as far as one of the tests that all have to hold tells by
    itself; None if none does. The arguments are those of `trip_count`."""
    counters = {
        param: (inner, following, first)
        for param, inner, following, value in zip(
            test.params, body.params, step, start, strict=False
        )
        if (first := constant_value(value)) is not None
    }
    counts = [
        of_tests(one, counters) for one in conjuncts(go_on) if counters.keys() >= {*leaves(one)}
    ]
    return min((count for count in counts if count is not None), default=None)


def conjuncts(test: Value) -> list[Value]:
    """Tests all of which hold if `test` does."""
    if test.op is None or test.op.defn.name != "and":
        return [test]
    return [found for v in test.op.operands for found in conjuncts(v)]


def leaves(value: Value) -> list[Value]:
    """The parameters that a value is computed from."""
    found: dict[Value, None] = {}
    seen, stack = {value}, [value]
    while stack:
        at = stack.pop()
        if at.op is None:
            found[at] = None
            continue
        fresh = [v for v in at.op.operands if v not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return list(found)


def deciding(test: Any, body: Any, go_on: Value, step: Sequence[Value]) -> list[int]:
    """Positions of the carried values that decide how often the loop runs: those the test reads,
    and those that their next values are made of."""
    where = {param: i for i, param in enumerate(test.params)}
    inner = {param: i for i, param in enumerate(body.params)}
    found = {where[v] for v in leaves(go_on)}
    stack = list(found)
    while stack:
        for leaf in leaves(step[stack.pop()]):
            place = inner[leaf]
            if place not in found:
                found.add(place)
                stack.append(place)
    return sorted(found)


def of_tests(go_on: Value, counters: Mapping[Value, tuple[Value, Value, np.ndarray]]) -> int | None:
    """The count of a loop that tests counters, by their parameters in the test; with several tests,
    all of which have to hold, the least of their counts."""
    if go_on.op is not None and go_on.op.defn.name == "and":
        tests = [v for v in go_on.op.operands if not _always(v)]
        counts = [of_tests(v, counters) for v in tests]
        known = [count for count in counts if count is not None]
        return min(known) if known and len(known) == len(counts) else None
    for tested in leaves(go_on):
        found = _of_counter(tested, go_on, *counters[tested])
        if found is not None:
            return found
    return None


def _always(test: Value) -> bool:
    known = constant_value(test)
    return known is not None and bool(known.all())


_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _of_counter(
    tested: Value, go_on: Value, param: Value, following: Value, first: np.ndarray
) -> int | None:
    """The count of a loop that tests a counter against a bound and adds a constant to it."""
    if param.type.dtype not in INTEGERS or go_on.op is None or go_on.op.defn.name not in _SWAPPED:
        return None
    kind, (a, b) = go_on.op.defn.name, go_on.op.operands
    if b is tested:
        kind, a, b = _SWAPPED[kind], b, a
    bound, stride = constant_value(b), stride_of(param, following)
    if a is not tested or bound is None or stride is None:
        return None
    count = _counted(kind, int(first.reshape(())), int(bound.reshape(())), stride)
    if count is None:
        return None
    limits = np.iinfo(numpy_dtype(param.type.dtype))
    fits = limits.min <= int(first.reshape(())) + count * stride <= limits.max
    return count if fits else None


def counters(params: Sequence[Value], following: Sequence[Value]) -> dict[Value, int]:
    """Those of the values that a loop carries that are counters, integers to which every turn adds
    the same, and what that is. following: their next values, as far as they have one."""
    found = {}
    for param, value in zip(params, following, strict=False):
        if param.type.dtype in INTEGERS and param.type.shape == ():
            stride = stride_of(param, value)
            if stride is not None:
                found[param] = stride
    return found


def stride_of(param: Value, following: Value) -> int | None:
    """What is added to a parameter to make `following`."""
    op = following.op
    if following.type.size != 1 or op is None or op.defn.name not in ("add", "sub"):
        return None
    a, b = op.operands
    if op.defn.name == "add" and b is param:
        a, b = b, a
    known = constant_value(b)
    if a is not param or known is None:
        return None
    return int(known.reshape(())) * (1 if op.defn.name == "add" else -1)


def is_once(counter: Value, following: Value, turns: int | None) -> bool:
    """Whether `counter` has its first value in the first of so many turns only: it is an integer
    that moves on and does not come round."""
    if not turns or counter.type.shape != () or counter.type.dtype not in INTEGERS:
        return False
    stride = stride_of(counter, following)
    bits = 8 * np.dtype(numpy_dtype(counter.type.dtype)).itemsize
    return bool(stride) and abs(stride or 0) * (turns - 1) < 1 << bits


def _counted(kind: str, first: int, bound: int, stride: int) -> int | None:
    """How many of first, first + stride, … are in a row less (or as `kind` says) than `bound`."""
    if kind in ("gt", "ge"):
        first, bound, stride = -first, -bound, -stride
    if kind in ("le", "ge"):
        bound += 1
    if first >= bound:
        return 0
    return None if stride <= 0 else -((first - bound) // stride)


def part_of(name: str, params: Sequence[Value], builder: Any, results: Sequence[Value]) -> Function:
    """The part of a function under construction that `results` need."""
    whole = Function(name, tuple(params), tuple(builder.ops), tuple(results))
    return Function(name, tuple(params), tuple(_pure(live_ops(whole), results)), tuple(results))


def _pure(ops: Sequence[Any], results: Sequence[Value]) -> list[Any]:
    """Those of `ops` that `results` are computed from."""
    needed = set(results)
    kept = []
    for op in reversed(ops):
        if any(r in needed for r in op.results):
            kept.append(op)
            needed.update(op.operands)
    kept.reverse()
    return kept
