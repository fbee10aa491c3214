# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""strip_mine: what a loop only adds up is added up once for several turns.

The gradient of weights that a loop reads is a sum over its turns, of a product each: of what a turn
was given, transposed, and of a gradient. A product of few rows costs what reading and writing the
sum costs. Here a loop of n turns becomes strips of s turns each (n is known, s divides it), which
keep what goes into the product, and one product of s times as many rows behind each strip; with
one strip, behind the loop. What is an entry of an array anyway, such as one that the loop before
kept for the gradient, is read there.

    while i in n: x = tape[i]; g = ...; total += dot(x, g)
 -> while k in n / s:
        while j in s: g = ...; kept[j] = g
        total += dot(tape[i : i + s], kept)

Sums of gradients that are kept (those of a bias) are made behind the strip as well. The terms of a
sum are added in another order than turn by turn; which, shapes alone decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.ir.builder import Builder, constant_value, make_op, with_operands
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.walk import live_ops, made_by, users
from tfc.passes.fresh import loop_turns
from tfc.passes.matching import is_splat
from tfc.passes.options import PassOptions
from tfc.passes.trip_count import leaves, stride_of
from tfc.prims.control import commits, invariants, while_

# Rows of a product from which on what it is added to hardly counts; and the fewest that a strip is
# made for to have.
DEEP, STRIP_DEPTH = 64, 512
LEAST_SUM = 1 << 12  # elements of a sum: smaller ones stay in the nearest cache
MOST_KEPT = 1 << 22  # bytes of a strip: what is kept comes from a cache


def strip_mine(fn: Function, options: PassOptions) -> Function:
    """`fn` with loops that add up products of few rows cut into strips."""
    if not any(op.regions for op in fn.ops):
        return fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {}
    for old in live_ops(fn):
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        build.loc = old.loc
        if op.regions:
            regions = tuple(strip_mine(region, options) for region in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, regions, op.loc)
        strips = _strips(op) if op.defn.name == "while" else None
        results = build.adopt(op) if strips is None else strips.write(build)
        new.update(zip(old.results, results, strict=True))
    return build.finish((new.get(v, v) for v in fn.results), fn.attrs)


# --- which ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """A value that is, in each turn, the entry of an array whose number a counter tells."""

    array: Value
    counter: Value
    stride: int


def _strips(loop: Op) -> _Strips | None:
    """How `loop` is cut into strips; None if it stays as it is."""
    turns = None if commits(loop) else loop_turns(loop)
    if turns is None or turns < 2:
        return None
    sums = _sums(loop)
    deferred = {k: terms for k, terms in sums.items() if any(map(_is_shallow, terms))}
    entries = _entries(loop, turns)
    found = dict.fromkeys(v for terms in deferred.values() for t in terms for v in _taken(t))
    for k, terms in sums.items():
        if all(v in found for t in terms for v in _taken(t)):
            deferred[k] = terms
    if not found:
        return None
    strides = {entries[v].stride for v in found if v in entries}
    stride = -1 if strides == {-1} else 1
    read = {v: entries[v] for v in found if v in entries and entries[v].stride == stride}
    kept = [v for v in found if v not in read]
    depth = min(_depth(t) for terms in deferred.values() for t in terms if _is_shallow(t))
    length = _length(turns, depth, sum(v.type.nbytes for v in kept))
    return None if length is None else _Strips(loop, turns, length, stride, deferred, read, kept)


def _length(turns: int, depth: int, nbytes: int) -> int | None:
    """Turns of a strip, of which each gives `depth` rows and keeps so many bytes."""
    fitting = [n for n in range(2, turns + 1) if turns % n == 0 and n * nbytes <= MOST_KEPT]
    return next((n for n in fitting if n * depth >= STRIP_DEPTH), fitting[-1] if fitting else None)


def _sums(loop: Op) -> dict[int, list[Value]]:
    """Carried values that turns add terms to, which nothing else reads: their places and terms, in
    order."""
    condition, body = loop.regions
    table, ends = users(body), list(body.results)

    def alone(value: Value) -> bool:
        return len(table.get(value, ())) + ends.count(value) == 1

    found: dict[int, list[Value]] = {}
    fixed = {v for v, same in zip(body.params, invariants(loop), strict=True) if same}
    tested = set(leaves(condition.results[0]))
    for k, (param, value) in enumerate(zip(body.params, body.results, strict=True)):
        terms: list[Value] = []
        while value is not param and (add := made_by(value, "add")) is not None and alone(value):
            a, b = add.operands
            term, value = (b, a) if _is_term(b, alone) else (a, b)
            if not _is_term(term, alone) or not fixed.isdisjoint(_taken(term)):
                break
            terms.append(term)
        if value is param and terms and alone(param) and condition.params[k] not in tested:
            found[k] = terms[::-1]
    return found


def _is_term(value: Value, alone: Callable[[Value], bool]) -> bool:
    """Whether `value`, which nothing else reads, is a product or a sum over axes."""
    if value.type.dtype not in dtypes.FLOATS or not alone(value):
        return False
    op = value.op
    if op is None:
        return False
    if op.defn.name in ("transpose", "reshape"):
        return _is_term(op.operands[0], alone)
    if op.defn.name == "reduce":
        return bool(op.attr("kind") == "add")
    return op.defn.name == "dot" and not any(op.attr("batch")) and bool(op.attr("contract")[0])


def _root(term: Value) -> Op:
    """The product or the sum that a term is, but for the order of its axes."""
    op = term.op
    assert op is not None
    return _root(op.operands[0]) if op.defn.name in ("transpose", "reshape") else op


def _taken(term: Value) -> tuple[Value, ...]:
    """What a term is made of."""
    return _root(term).operands


def _depth(term: Value) -> int:
    """Rows of a product."""
    op = _root(term)
    shape = op.operands[0].type.shape
    return prod(shape[d] for d in op.attr("contract")[0])


def _is_shallow(term: Value) -> bool:
    """Whether a term is a product that costs what it is added to."""
    large = term.type.size >= LEAST_SUM
    return large and _root(term).defn.name == "dot" and 0 < _depth(term) < DEEP


def _entries(loop: Op, turns: int) -> dict[Value, _Entry]:
    """The values in the body that are entries, from turn to turn the next, of arrays that never
    change; in another shape perhaps."""
    body, fixed = loop.regions[1], invariants(loop)
    found: dict[Value, _Entry] = {}
    for op in body.ops:
        if op.defn.name == "reshape" and op.operands[0] in found:
            found[op.result] = found[op.operands[0]]
        if op.defn.name != "dynamic_slice":
            continue
        array, counter, *others = op.operands
        whole = op.attr("sizes") == (1, *array.type.shape[1:])
        if not whole or array not in body.params or counter not in body.params:
            continue
        k = body.params.index(counter)
        first = constant_value(loop.operands[k])
        stride = stride_of(counter, body.results[k])
        if first is None or stride not in (1, -1) or not all(is_splat(v, 0) for v in others):
            continue
        ends = int(first.reshape(())), int(first.reshape(())) + stride * (turns - 1)
        if fixed[body.params.index(array)] and 0 <= min(ends) <= max(ends) < array.type.shape[0]:
            found[op.result] = _Entry(array, counter, stride)
    return found


# --- writing --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Strips:
    """A loop of `turns`, and the strips of `length` that it is cut into. sums: the places of what
    it adds up, and their terms. read: what of that are entries; they follow each other by `stride`,
    and `kept`, what strips keep of the rest, lies in the same order."""

    loop: Op
    turns: int
    length: int
    stride: int
    sums: Mapping[int, Sequence[Value]]
    read: Mapping[Value, _Entry]
    kept: Sequence[Value]

    def write(self, build: Builder) -> tuple[Value, ...]:
        """The results of the loop, appended to `build`."""
        count = self.turns // self.length
        if count == 1:
            return self._strip(build, self.loop.operands)
        body = self.loop.regions[1]
        params = [Value(v.type) for v in (*body.params, *_COUNTER)]
        outer = Builder(body.name, params)
        outer.loc = build.loc
        results = self._strip(outer, params[:-1])
        following = p.add(outer, params[-1], _number(outer, 1))
        regions = (_test(params, count, 1), outer.finish((*results, following), body.attrs))
        operands = (*self.loop.operands, _number(build, 0))
        return build.emit(while_, *operands, regions=regions)[:-1]

    def _strip(self, build: Builder, given: Sequence[Value]) -> tuple[Value, ...]:
        """What the loop carries after a strip that begins with `given`."""
        body, through = self.loop.regions[1], self._through()
        rooms = [
            p.splat(build, 0, Type(v.type.dtype, (self.length, *v.type.shape))) for v in self.kept
        ]
        first = 0 if self.stride > 0 else self.length - 1
        carried = (*(given[k] for k in through), *rooms, _number(build, first))
        made = build.emit(while_, *carried, regions=self._regions(through, rooms))
        after = {**dict(enumerate(given)), **dict(zip(through, made, strict=False))}
        kept = dict(zip(self.kept, made[len(through) :], strict=False))
        outside = dict(zip(body.params, given, strict=True))

        def of_strip(value: Value) -> Value:
            if value in kept:
                return kept[value]
            entry = self.read[value]
            array, start = outside[entry.array], outside[entry.counter]
            if self.stride < 0:
                back = p.constant(build, np.asarray(1 - self.length), dtype=start.type.dtype)
                start = p.add(build, start, back)
            zero = p.constant(build, np.zeros(()), dtype=start.type.dtype)
            zeros = [zero] * (array.type.rank - 1)
            sizes = (self.length, *array.type.shape[1:])
            part = p.dynamic_slice(build, array, start, *zeros, sizes=sizes)
            shape = (self.length, *value.type.shape)
            return part if part.type.shape == shape else p.reshape(build, part, shape=shape)

        for k, terms in self.sums.items():
            total = given[k]
            for term in terms:
                total = p.add(build, total, _of_strip(build, term, of_strip))
            after[k] = total
        return tuple(after[k] for k in range(len(given)))

    def _turn(self, ends: Sequence[Value], params: Sequence[Value]) -> Function:
        """What of the body is left in strips: what it carries on to `ends`, and what is kept."""
        body = self.loop.regions[1]
        whole = Function(body.name, tuple(params), body.ops, (*ends, *self.kept), body.attrs)
        return Function(body.name, tuple(params), tuple(live_ops(whole)), whole.results, body.attrs)

    def _through(self) -> list[int]:
        """The places of what strips carry: what changes, and what is read."""
        body, fixed = self.loop.regions[1], invariants(self.loop)
        places = [k for k in range(len(body.params)) if k not in self.sums]
        turn = self._turn([body.results[k] for k in places], body.params)
        read = {v for op in turn.ops for v in op.operands}
        return [k for k in places if body.params[k] in read or not fixed[k]]

    def _regions(self, through: Sequence[int], rooms: Sequence[Value]) -> tuple[Function, Function]:
        """Condition and body of a strip."""
        body = self.loop.regions[1]
        extra = [Value(v.type) for v in (*rooms, *_COUNTER)]
        params = [*(body.params[k] for k in through), *extra]
        ends = [body.results[k] for k in through]
        build = Builder(body.name, params)
        new: dict[Value, Value] = {}
        for old in self._turn(ends, params).ops:
            build.loc = old.loc
            op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
            new.update(zip(old.results, build.adopt(op), strict=True))
        at = extra[-1]
        filled = []
        for room, value in zip(extra, self.kept, strict=False):
            entry = p.reshape(build, new.get(value, value), shape=(1, *value.type.shape))
            zeros = [_number(build, 0)] * value.type.rank
            filled.append(p.dynamic_update_slice(build, room, entry, at, *zeros))
        following = p.add(build, at, _number(build, self.stride))
        results = (*(new.get(v, v) for v in ends), *filled, following)
        return _test(params, self.length, self.stride), build.finish(results, body.attrs)


_COUNTER = (Value(Type("i32", ())),)


def _number(build: Builder, n: int) -> Value:
    return p.constant(build, np.asarray(n, np.int32))


def _test(params: Sequence[Value], count: int, stride: int) -> Function:
    """The condition of a loop of `count` turns, whose last carried value counts up from zero, or
    down to it."""
    build = Builder("cond", [Value(v.type) for v in params])
    at = build.params[-1]
    up = stride > 0
    goes_on = (p.lt if up else p.ge)(build, at, _number(build, count if up else 0))
    return build.finish([goes_on])


def _of_strip(build: Builder, term: Value, of_strip: Callable[[Value], Value]) -> Value:
    """The term for all turns of a strip."""
    op = term.op
    assert op is not None
    name = op.defn.name
    if name == "transpose":
        inner = _of_strip(build, op.operands[0], of_strip)
        return p.transpose(build, inner, perm=op.attr("perm"))
    if name == "reshape":
        inner = _of_strip(build, op.operands[0], of_strip)
        return p.reshape(build, inner, shape=term.type.shape)
    taken = [of_strip(v) for v in op.operands]
    axes = list(op.attr("contract") if name == "dot" else (op.attr("dims"),))
    if len({dims.index(0) if 0 in dims else -1 for dims in axes} | {-1}) == 2:
        # Turns and the first axis, which is summed over in each, are one axis.
        taken = [_merged(build, x) for x in taken]
    else:
        axes = [(0, *(d + 1 for d in dims)) for dims in axes]
    if name == "dot":
        return p.dot(build, *taken, batch=((), ()), contract=tuple(axes))
    return p.reduce(build, taken[0], dims=tuple(sorted(axes[0])), kind="add")


def _merged(build: Builder, x: Value) -> Value:
    """`x` with its first two axes as one."""
    first, second, *others = x.type.shape
    return p.reshape(build, x, shape=(first * second, *others))
