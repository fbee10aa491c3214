"""One native loop: its regions, how often it runs, and what it keeps for a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.dtypes import numpy_dtype
from tfc.ir.builder import Builder, constant_value
from tfc.ir.core import Literal, Type, Value
from tfc.passes.lessons import CAPACITY, LEAST_CAPACITY
from tfc.passes.lower_arrays import storable
from tfc.passes.rematerialize import Invariants, Recipe, recipes
from tfc.passes.residuals import NOT_TAKEN, Kept, Level, Numbers, Remade, content, kept
from tfc.passes.trip_count import counters, most, trip_count

CONSTANT_ELEMENTS = 64  # constants up to this size are made again where they are used
I32 = Type("i32", ())
MOST_COUNTED = 2**31 - 1
FIRST_BYTES = 1 << 20
MOST_CAPACITY = 1024  # iterations, before anything is learned
BOUND_BYTES = 1 << 28  # room that is made at once for as often as a loop can run


class Loop:
    """A While whose regions are lowered: `start` are the operands, `step` what the body gives."""

    def __init__(
        self,
        build: Any,
        op: Any,
        test: Any,
        body: Any,
        go_on: Value,
        start: Sequence[Value],
        step: Sequence[Value],
    ):
        self.build, self.op, self.test, self.body = build, op, test, body
        self.go_on, self.start, self.step = go_on, list(start), list(step)

    def emit(self) -> list[Value]:
        """The loop's results, in the order of `start`; what it keeps goes to the Lowering."""
        build, op, body = self.build, self.op, self.body
        wanted = {t: storable(body, body.result(t)) for t in build.residuals.get(op, ())}
        never = [t for t, value in wanted.items() if value is NOT_TAKEN]
        build.kept.update((t, wanted.pop(t)) for t in never)
        outside = {t: self._unchanging(value) for t, value in wanted.items()}
        stored = {t: value for t, value in wanted.items() if outside[t] is None}
        again, values, counted = self._split(stored)
        count = None
        if wanted or op in build.counted:
            count = trip_count(self.test, body, self.go_on, self.start, self.step)
        entries = None if count is None else max(count, 1)  # primitives cannot index into nothing
        if count is not None:
            build.counts[op] = self._countable(count)
        elif stored or op in build.lessons.roomed:
            fixed = [content(value) for value in outside.values() if value is not None]
            entries = self._capacity([value.type for value in (*values, *fixed)])
        for tensor, value in outside.items():
            if value is not None:
                build.kept[tensor] = kept(value, Level(entries, False, op))
        size = len(self.start)
        if stored or (count is None and (entries is not None or op in build.counted)):
            self._keep(values, entries or 1)
        results = self._emit()
        if count is None and len(results) > size:
            build.values[op] = results[size]
            if entries is not None:
                self._check(results[size], entries)
        arrays: dict[Value, Any] = dict(zip(values, results[size + 1 :], strict=False))
        for value, stride in counted.items():
            assert entries is not None
            arrays[value] = self._counted(value, stride, entries)
        for tensor, value in stored.items():
            assert entries is not None
            recipe = again.get(value) if isinstance(value, Value) else None
            if recipe is None:
                build.kept[tensor] = kept_array(arrays[content(value)], value, entries)
            else:
                build.kept[tensor] = self._remade(recipe, arrays, entries)
        return results[:size]

    @cached_property
    def fixed(self) -> Invariants:
        """The body's invariants, found when a gradient first asks."""
        return Invariants(self.build, self.body)

    def _unchanging(self, value: Any) -> Any:
        """A value of the body as the same value outside, if nothing that changes goes into it."""
        found = unchanging(self.build, self.body, value)
        if found is None and isinstance(value, Value):
            return self.fixed.outside(value)
        return found

    def _split(
        self, stored: Mapping[Any, Any]
    ) -> tuple[dict[Value, Recipe], list[Value], dict[Value, int]]:
        """Of what gradients want: what is made again, what has to be kept, each value once, and the
        strides of counters, which are made of the number of the iteration."""
        plain = [v for v in dict.fromkeys(stored.values()) if isinstance(v, Value)]
        values = list(dict.fromkeys(content(v) for v in stored.values()))
        # inside other regions an array is kept of it, so it would not be made again for long
        if not plain or self.build.region_depth:
            return {}, values, {}
        strides = counters(self.body.params, self.step)
        again = recipes(self.fixed, plain, strides)
        values = [v for v in values if v not in again]
        values += [base for recipe in again.values() for base in recipe.bases]
        counted = {v: strides[v] for v in values if v in strides}
        return again, [v for v in dict.fromkeys(values) if v not in counted], counted

    def _remade(self, recipe: Recipe, arrays: Mapping[Value, Any], entries: int) -> Remade:
        """What is made of the arrays of its bases."""
        level = (Level(entries, False),)
        fixed = [Kept(self._unchanging(v), level) for v in recipe.fixed]
        return Remade(recipe.function, (*(arrays[b] for b in recipe.bases), *fixed), entries)

    def _counted(self, counter: Value, stride: int, entries: int) -> Remade:
        """What a counter was, made of the numbers of the iterations."""
        dtype = counter.type.dtype
        made = Builder("counter")
        number, first = made.param(counter.type), made.param(counter.type)
        step = p.constant(made, np.asarray(stride, numpy_dtype(dtype)))
        function = made.finish([p.add(made, first, p.mul(made, number, step))])
        start = Kept(self.start[self.body.params.index(counter)], (Level(entries, False),))
        return Remade(function, (Numbers(entries, dtype), start), entries)

    def _countable(self, count: int) -> int:
        """`count`, if an int32 can count to it. Raises ResourceExhaustedError."""
        if count > MOST_COUNTED:
            raise errors.ResourceExhaustedError(
                None, self.op, f"'{self.op.name}' runs {count} times, more than a gradient can keep"
            )
        return count

    def _capacity(self, types: Sequence[Type]) -> int:
        """How many iterations there is room for, where their number is not known: the most that
        there can be, if that is known and not too many; else what was learned from a run that had
        too little (see CAPACITY), at first some memory's worth."""
        turn = sum(type.nbytes for type in types)
        bound = most(self.test, self.body, self.go_on, self.start, self.step)
        if bound is not None and bound <= MOST_CAPACITY and bound * turn <= BOUND_BYTES:
            return max(bound, 1)
        found: int | None = self.build.lessons.capacities.get(self.op)
        if found is not None:
            return found
        return min(max(FIRST_BYTES // max(turn, 1), LEAST_CAPACITY), MOST_CAPACITY)

    def _check(self, count: Value, entries: int) -> None:
        """Fail, telling how often the loop ran, if there was no room for what it had to keep. The
        entries too many went over the last one."""
        enough = p.le(self.build, count, p.constant(self.build, np.asarray(entries, np.int32)))
        self.build.assert_(enough, (count,), CAPACITY, "{0}")

    def _emit(self) -> list[Value]:
        regions = (self.test.finish([self.go_on]), self.body.finish(self.step))
        return list(self.build.emit(p.while_, *self.start, regions=regions))

    def _keep(self, stored: Sequence[Value], entries: int) -> None:
        """Carry a counter, and for each value an array with an entry an iteration."""
        build, body = self.build, self.body
        self.start.append(p.constant(build, np.zeros((), np.int32)))
        self.test.param(I32)
        index = body.param(I32)
        one, zero = (p.constant(body, np.asarray(n, np.int32)) for n in (1, 0))
        self.step.append(p.add(body, index, one))
        for value in stored:
            shape = value.type.shape
            type = Type(value.type.dtype, (entries, *shape))
            self.start.append(p.splat(build, False if type.dtype == "i1" else 0, type))
            self.test.param(type)
            array = body.param(type)
            entry = p.reshape(body, value, shape=(1, *shape))
            starts = [index, *[zero] * len(shape)]
            self.step.append(p.dynamic_update_slice(body, array, entry, *starts))


def unchanging(build: Any, inner: Any, value: Any) -> Any:
    """A value of a region as the same value outside, if it is captured or constant."""
    if isinstance(value, Kept):
        found = unchanging(build, inner, value.value)
        return None if found is None else Kept(found, value.levels)
    if value in inner.captured:
        return inner.captured[value]
    return remade(build, value)


def kept_array(array: Value, value: Any, entries: int) -> Any:
    """`array`, which holds the entries of `value`, with the levels that this has itself."""
    if not isinstance(value, Kept):
        return array
    return Kept(array, (Level(entries, True), *value.levels))


def remade(build: Any, value: Value) -> Value | None:
    """`value` made again in the function of `build`, if it is a small constant or a splat."""
    known = constant_value(value)
    if known is None:
        return None
    made: Value | None = None
    if known.size <= CONSTANT_ELEMENTS:
        made = p.const(build, value=Literal(known))
    elif not any(known.strides):
        made = p.splat(build, known.flat[0], value.type)
    return made


def keep_of_branches(
    build: Any, op: Any, branches: Sequence[Any], results: Sequence[list[Value]]
) -> list[tuple[Any, Any]]:
    """Append to the branches' results what gradients want of them; the other branch gives zeros.

    The tensors, each with its value in its branch. What never changes goes to the Lowering at once.
    """
    found = []
    for tensor in build.residuals.get(op, ()):
        at = 0 if tensor.op._region is op.regions[0] else 1
        value = storable(branches[at], branches[at].result(tensor))
        if value is NOT_TAKEN:
            build.kept[tensor] = value
            continue
        outside = unchanging(build, branches[at], value)
        if outside is not None:
            build.kept[tensor] = outside
            continue
        stored = content(value)
        zero = False if stored.type.dtype == "i1" else 0
        results[at].append(stored)
        results[1 - at].append(p.splat(branches[1 - at], zero, stored.type))
        found.append((tensor, value))
    return found
