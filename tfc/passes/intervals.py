"""Between which numbers integers lie: for each value of a function the least and the greatest that
an element of it can be, as far as constants and the tests of loops tell.

A loop's counters (integers to which every turn adds the same) lie between where they start and what
the loop tests, or where they are after as many turns as the tests of other counters allow. Another
carried value keeps an interval if what a turn makes of it lies in that again. Sums that may wrap
are anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfc.base.dtypes import INTEGERS, numpy_dtype
from tfc.base.records import dataclass
from tfc.ir.builder import Builder, make_op, with_operands
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.walk import live_ops
from tfc.passes.matching import splat_array
from tfc.passes.trip_count import conjuncts, counters
from tfc.prims.control import CONTROL, invariants

Interval = tuple[int, int]  # both ends included

ROUNDS = 3  # of looking for carried values that keep an interval
KNOWN = frozenset((*INTEGERS, "i1"))  # of values of these something can be
TRUE, FALSE, EITHER = (1, 1), (0, 0), (0, 1)


def whole(type: Type) -> Interval | None:
    """All that an element of `type` can be; None if those are no integers."""
    if type.dtype == "i1":
        return EITHER
    if type.dtype not in INTEGERS:
        return None
    limits = np.iinfo(numpy_dtype(type.dtype))
    return int(limits.min), int(limits.max)


class Intervals:
    """The intervals of values, found as ops are added in their order. Values that nothing is known
    of may be anything."""

    def __init__(self, params: Sequence[Value] = (), given: Sequence[Interval | None] = ()):
        self._found: dict[Value, Interval] = {}
        for param, interval in zip(params, given, strict=False):
            self.set(param, interval)

    def __getitem__(self, value: Value) -> Interval | None:
        found = self._found.get(value)
        if found is not None or value.type.dtype not in KNOWN:
            return found
        number = splat_array(value)
        return whole(value.type) if number is None else (int(number), int(number))

    def set(self, value: Value, interval: Interval | None) -> None:
        """`value` lies in `interval`, if that is what its type can hold."""
        limits = self[value]
        if interval is None or limits is None or value.type.size == 0:
            return
        if limits[0] <= interval[0] <= interval[1] <= limits[1]:
            self._found[value] = interval

    def add(self, op: Op) -> None:
        """Find out about the results of `op`."""
        if not any(r.type.dtype in KNOWN for r in op.results):
            return
        if op.defn.name in CONTROL:
            ends = loop(op, self).around if op.defn.name == "while" else self.of_cond(op)
            for result, interval in zip(op.results, ends, strict=True):
                self.set(result, interval)
        elif op.defn.name in _RULES and len(op.results) == 1:
            intervals = [self[v] for v in op.operands]
            self.set(op.results[0], _RULES[op.defn.name](op, intervals))

    def of_cond(self, op: Op) -> list[Interval | None]:
        """The intervals of the results of a branch."""
        given = [self[v] for v in op.operands[1:]]
        test = self[op.operands[0]] or EITHER
        taken = [r for r, at in zip(op.regions, (1, 0), strict=True) if test[0] <= at <= test[1]]
        ends = [results_of(region, given) for region in taken]
        return [_union(*either) for either in zip(*ends, strict=True)]


Rule = Callable[[Builder, Op, Intervals], "tuple[Value, ...] | None"]


def rebuild_known(fn: Function, rule: Rule, given: Sequence[Interval | None] = ()) -> Function:
    """`fn`, of parameters in the intervals `given`, with its live ops passed through a Builder, and
    `rule` asked about each; it returns values of the same types, or None to keep the op. Regions
    are rebuilt first, by the same rule."""
    build, known = Builder(fn.name, fn.params), Intervals(fn.params, given)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple([new.get(v, v) for v in old.operands]))
        build.loc = old.loc
        if op.defn.name in CONTROL:
            op = _with_regions(op, rule, known)
        else:
            known.add(op)
        results = rule(build, op, known)
        if results is None:
            results = build.adopt(op)
        for result, made in zip(op.results, results, strict=True):
            known.set(made, known[result])
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


def _with_regions(op: Op, rule: Rule, known: Intervals) -> Op:
    """A loop or branch with its regions rebuilt."""
    if op.defn.name == "while":
        carried = loop(op, known)
        given, ends = [carried.around, carried.inside], carried.around
    else:
        given = [[known[v] for v in op.operands[1:]]] * 2
        ends = known.of_cond(op)
    pairs = zip(op.regions, given, strict=True)
    regions = tuple(rebuild_known(region, rule, inside) for region, inside in pairs)
    op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
    for result, interval in zip(op.results, ends, strict=True):
        known.set(result, interval)
    return op


def results_of(fn: Function, given: Sequence[Interval | None]) -> list[Interval | None]:
    """The intervals of the results of `fn`, of parameters in those given."""
    known = Intervals(fn.params, given)
    for op in fn.ops:
        known.add(op)
    return [known[r] for r in fn.results]


# -- loops ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Carried:
    """Intervals of what a loop carries: in its body, and in its condition or after it."""

    inside: list[Interval | None]
    around: list[Interval | None]


def loop(op: Op, known: Intervals) -> Carried:
    """What `op`, a loop over operands in `known`, carries."""
    condition, body = op.regions
    start = [known[v] for v in op.operands]
    fixed = invariants(op)
    if all(interval is None for interval in start):
        return Carried(start, start)
    at_test = [
        a if same else whole(v.type) for a, same, v in zip(start, fixed, op.operands, strict=True)
    ]
    limits = _limits(condition, at_test)
    counted = counters(body.params, body.results)
    strides = {j: counted[v] for j, v in enumerate(body.params) if v in counted}
    turns = _most_turns(start, strides, limits, body.params)
    inside, after = list(start), list(start)
    for j, stride in strides.items():
        inside[j], after[j] = _counted(start[j], stride, turns, limits.get(j), body.params[j].type)
    rest = [j for j in range(len(start)) if not fixed[j] and j not in strides]
    others = [j for j in rest if start[j] is not None]
    for _ in range(ROUNDS if others else 0):
        given = [_limited(a, limits.get(j)) for j, a in enumerate(inside)]
        ends = results_of(body, given)
        grown = [j for j in others if not _within(ends[j], inside[j])]
        for j in grown:
            inside[j] = after[j] = whole(body.params[j].type)
        if not grown:
            break
    else:
        for j in others:
            inside[j] = after[j] = whole(body.params[j].type)
    return Carried([_limited(a, limits.get(j)) for j, a in enumerate(inside)], after)


def _limits(condition: Function, given: Sequence[Interval | None]) -> dict[int, Interval]:
    """In which intervals carried values must lie for the loop to go on."""
    known = Intervals(condition.params, given)
    for op in condition.ops:
        known.add(op)
    places = {param: j for j, param in enumerate(condition.params)}
    found: dict[int, Interval] = {}
    for test in conjuncts(condition.results[0]):
        if test.op is None or test.op.defn.name not in _SWAPPED:
            continue
        a, b = test.op.operands
        for value, bound, kind in ((a, b, test.op.defn.name), (b, a, _SWAPPED[test.op.defn.name])):
            limit, everything = known[bound], whole(value.type)
            if value not in places or limit is None or everything is None:
                continue
            low, high = found.get(places[value], everything)
            if kind in ("lt", "le"):
                high = min(high, limit[1] - (kind == "lt"))
            else:
                low = max(low, limit[0] + (kind == "gt"))
            found[places[value]] = (low, high)
    return found


_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _most_turns(
    start: Sequence[Interval | None],
    strides: Mapping[int, int],
    limits: Mapping[int, Interval],
    params: Sequence[Value],
) -> int | None:
    """The most turns that a test of a counter allows; None if none tells. A counter that could wrap
    before its test fails tells nothing."""
    counts = []
    for j, stride in strides.items():
        first, limit, everything = start[j], limits.get(j), whole(params[j].type)
        if first is None or limit is None or everything is None:
            continue
        if stride > 0 and limit[1] + stride <= everything[1]:
            counts.append(max(0, (limit[1] - first[0]) // stride + 1))
        elif stride < 0 and limit[0] + stride >= everything[0]:
            counts.append(max(0, (first[1] - limit[0]) // -stride + 1))
    return min(counts, default=None)


def _counted(
    first: Interval | None, stride: int, turns: int | None, limit: Interval | None, type: Type
) -> tuple[Interval | None, Interval | None]:
    """A counter in the body, and in the condition or after the loop."""
    everything = whole(type)
    if first is None or everything is None:
        return everything, everything
    if turns == 0:
        return first, first
    inside: Interval | None = everything
    if turns is not None:
        inside = _moved(first, (0, (turns - 1) * stride), everything) or everything
    inside = _limited(inside, limit)
    assert inside is not None
    after = _union(first, _moved(inside, (stride, stride), everything))
    return inside, after or everything


def _moved(interval: Interval, by: Interval, everything: Interval) -> Interval | None:
    """The sums of two numbers, one of each interval (of which `by` may be the wrong way round);
    None if they may wrap."""
    low, high = interval[0] + min(by), interval[1] + max(by)
    return (low, high) if everything[0] <= low and high <= everything[1] else None


def _limited(interval: Interval | None, limit: Interval | None) -> Interval | None:
    """What of `interval` lies in `limit`; all of it if nothing does, for then nothing is run."""
    if interval is None or limit is None:
        return interval
    low, high = max(interval[0], limit[0]), min(interval[1], limit[1])
    return (low, high) if low <= high else interval


def _within(a: Interval | None, b: Interval | None) -> bool:
    return b is None or (a is not None and b[0] <= a[0] and a[1] <= b[1])


def _union(*intervals: Interval | None) -> Interval | None:
    known = [i for i in intervals if i is not None]
    if len(known) < len(intervals) or not known:
        return None
    return min(i[0] for i in known), max(i[1] for i in known)


# -- ops -----------------------------------------------------------------------------------------

_Rule = Callable[[Op, Sequence[Interval | None]], Interval | None]
_Found = Callable[..., Interval | None]
_RULES: dict[str, _Rule] = {}


def _rule(*names: str) -> Callable[[_Found], _Found]:
    """Marks what the intervals of the operands, all of them integers, make of the result's."""

    def note(found: _Found) -> _Found:
        def rule(op: Op, operands: Sequence[Interval | None]) -> Interval | None:
            return None if None in operands else found(op, *operands)

        _RULES.update(dict.fromkeys(names, rule))
        return found

    return note


@_rule("const")
def _const(op: Op) -> Interval | None:
    array: np.ndarray = op.attr("value").array
    return (int(array.min()), int(array.max())) if array.size and array.dtype != object else None


@_rule("iota")
def _iota(op: Op) -> Interval | None:
    return 0, op.attr("shape")[op.attr("dim")] - 1


@_rule("broadcast", "reshape", "transpose", "slice", "reverse")
def _same(op: Op, x: Interval) -> Interval | None:
    return x


def _first(op: Op, operands: Sequence[Interval | None]) -> Interval | None:
    return operands[0]


_RULES["dynamic_slice"] = _first


@_rule("concat", "pad")
def _either(op: Op, *xs: Interval) -> Interval | None:
    return _union(*xs)


def _updated(op: Op, operands: Sequence[Interval | None]) -> Interval | None:
    return _union(*operands[:2])


_RULES["dynamic_update_slice"] = _updated


@_rule("select")
def _select(op: Op, test: Interval, a: Interval, b: Interval) -> Interval | None:
    return {TRUE: a, FALSE: b}.get(test) or _union(a, b)


@_rule("add")
def _add(op: Op, a: Interval, b: Interval) -> Interval | None:
    return a[0] + b[0], a[1] + b[1]


@_rule("sub")
def _sub(op: Op, a: Interval, b: Interval) -> Interval | None:
    return a[0] - b[1], a[1] - b[0]


@_rule("neg")
def _neg(op: Op, a: Interval) -> Interval | None:
    return -a[1], -a[0]


@_rule("mul")
def _mul(op: Op, a: Interval, b: Interval) -> Interval | None:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


@_rule("max")
def _max(op: Op, a: Interval, b: Interval) -> Interval | None:
    return max(a[0], b[0]), max(a[1], b[1])


@_rule("min")
def _min(op: Op, a: Interval, b: Interval) -> Interval | None:
    return min(a[0], b[0]), min(a[1], b[1])


@_rule("div")
def _div(op: Op, a: Interval, b: Interval) -> Interval | None:
    if a[0] < 0 or b[0] < 1:
        return None
    return a[0] // b[1], a[1] // b[0]


@_rule("rem")
def _rem(op: Op, a: Interval, b: Interval) -> Interval | None:
    if a[0] < 0 or b[0] < 1:
        return None
    return 0, min(a[1], b[1] - 1)


@_rule("convert")
def _convert(op: Op, a: Interval) -> Interval | None:
    if op.result.type.dtype != "i1":
        return a
    return TRUE if a[0] > 0 or a[1] < 0 else FALSE if a == (0, 0) else EITHER


@_rule("not")
def _not(op: Op, a: Interval) -> Interval | None:
    return (1 - a[1], 1 - a[0]) if op.result.type.dtype == "i1" else None


@_rule("and")
def _and(op: Op, a: Interval, b: Interval) -> Interval | None:
    if op.result.type.dtype != "i1":
        return None
    return min(a[0], b[0]), min(a[1], b[1])


@_rule("or")
def _or(op: Op, a: Interval, b: Interval) -> Interval | None:
    if op.result.type.dtype != "i1":
        return None
    return max(a[0], b[0]), max(a[1], b[1])


@_rule("lt")
def _lt(op: Op, a: Interval, b: Interval) -> Interval | None:
    return TRUE if a[1] < b[0] else FALSE if a[0] >= b[1] else EITHER


@_rule("le")
def _le(op: Op, a: Interval, b: Interval) -> Interval | None:
    return TRUE if a[1] <= b[0] else FALSE if a[0] > b[1] else EITHER


@_rule("gt")
def _gt(op: Op, a: Interval, b: Interval) -> Interval | None:
    return _lt(op, b, a)


@_rule("ge")
def _ge(op: Op, a: Interval, b: Interval) -> Interval | None:
    return _le(op, b, a)


@_rule("eq")
def _eq(op: Op, a: Interval, b: Interval) -> Interval | None:
    if a == b and a[0] == a[1]:
        return TRUE
    return FALSE if a[1] < b[0] or b[1] < a[0] else EITHER


@_rule("ne")
def _ne(op: Op, a: Interval, b: Interval) -> Interval | None:
    return {TRUE: FALSE, FALSE: TRUE}.get(_eq(op, a, b) or EITHER, EITHER)


@_rule("reduce")
def _reduce(op: Op, x: Interval) -> Interval | None:
    kinds = ("and", "or") if op.result.type.dtype == "i1" else ("min", "max")
    return x if op.attr("kind") in kinds and op.operands[0].type.size else None


def _gather(op: Op, operands: Sequence[Interval | None]) -> Interval | None:
    return operands[0] if op.operands[0].type.size else None  # of nothing it gives zeros


_RULES["gather"] = _gather


def _arg_reduce(op: Op, operands: Sequence[Interval | None]) -> Interval | None:
    return 0, max(op.operands[0].type.shape[op.attr("dim")] - 1, 0)


_RULES["arg_reduce"] = _arg_reduce
