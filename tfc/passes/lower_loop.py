"""One native loop: its regions, how often it runs, and what it keeps for a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.ir.builder import constant_value
from tfc.ir.core import Literal, Type, Value
from tfc.passes.lower_errors import NeedsValue, NotNative
from tfc.passes.residuals import Kept, Level, content, kept
from tfc.passes.trip_count import trip_count

CONSTANT_ELEMENTS = 64  # constants up to this size are made again where they are used
I32 = Type("i32", ())


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
        build, op = self.build, self.op
        wanted = {t: self.body.result(t) for t in build.residuals.get(op, ())}
        outside = {t: unchanging(build, self.body, value) for t, value in wanted.items()}
        stored = [t for t in wanted if outside[t] is None]
        count = None
        if wanted or op in build.counted:
            count = trip_count(self.test, self.body, self.go_on, self.start, self.step)
        if count is None and stored:
            count = self._count_first()
        entries = None
        if count is not None:
            build.counts[op] = count
            entries = max(count, 1)  # index primitives clamp, and cannot into nothing
        for tensor, value in outside.items():
            if value is not None:
                build.kept[tensor] = kept(value, Level(entries, False))
        size = len(self.start)
        if stored or (op in build.counted and count is None):
            self._keep([content(wanted[t]) for t in stored], entries or 1)
        results = self._emit()
        if op in build.counted and count is None:
            build.values[build.counted[op]] = results[size]
        for tensor, array in zip(stored, results[size + 1 :], strict=False):
            inner = wanted[tensor]
            levels = inner.levels if isinstance(inner, Kept) else ()
            build.kept[tensor] = Kept(array, (Level(entries, True), *levels)) if levels else array
        return results[:size]

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

    def _count_first(self) -> int:
        """How often the loop runs, from a loop that only counts; known in the next stage."""
        build = self.build
        token = build.counted[self.op]
        known = build.values.get(token)
        if known is not None:
            found = constant_value(known)
            assert found is not None
            return int(found)
        if build.region_depth or not is_pure(self.body):
            raise NotNative(
                f"how often '{self.op.name}' runs is not known, and its gradient needs the values "
                "of every iteration"
            )
        start = [*self.start, p.constant(build, np.zeros((), np.int32))]
        test, body = (r.copy_with(I32) for r in (self.test, self.body))
        one = p.constant(body, np.asarray(1, np.int32))
        step = [*self.step, p.add(body, body.params[-1], one)]
        regions = (test.finish([self.go_on]), body.finish(step))
        count = build.emit(p.while_, *start, regions=regions)[-1]
        build.values[token] = count
        raise NeedsValue(count, token)


def is_pure(region: Any) -> bool:
    """Whether running the region twice changes nothing: no variable, no random number."""
    return not region.keys


def unchanging(build: Any, inner: Any, value: Any) -> Any:
    """A value of a region as the same value outside, if it is captured or constant."""
    if isinstance(value, Kept):
        found = unchanging(build, inner, value.value)
        return None if found is None else Kept(found, value.levels)
    if value in inner.captured:
        return inner.captured[value]
    known = constant_value(value)
    if known is not None and known.size <= CONSTANT_ELEMENTS:
        return p.const(build, value=Literal(known))
    return None


def keep_of_branches(
    build: Any, op: Any, branches: Sequence[Any], results: Sequence[list[Value]]
) -> list[tuple[Any, Any]]:
    """Append to the branches' results what gradients want of them; the other branch gives zeros.

    The tensors, each with its value in its branch. What never changes goes to the Lowering at once.
    """
    found = []
    for tensor in build.residuals.get(op, ()):
        at = 0 if tensor.op._region is op.regions[0] else 1
        value = branches[at].result(tensor)
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
