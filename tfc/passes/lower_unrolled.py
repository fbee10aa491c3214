"""A While that is no native loop, because shapes in it differ from turn to turn, as its turns one
after the other.

That needs a number of turns that follows from constants; then the index of each turn is a constant
too, and every shape that depends on it is known. Python drives what remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tfc.base import errors
from tfc.ir.builder import constant_value
from tfc.ir.core import Value
from tfc.passes.arrays import Elements
from tfc.passes.live import Needs, params_of, region_ops, results_of
from tfc.passes.lower import lower_one
from tfc.passes.lower_errors import NeedsValue, NotNative
from tfc.passes.versions import newest, versions_before, written_in

FIRST_TURNS = 4  # that may differ from the others
MOST_TURNS = 512
MOST_OPS = 8192  # of all turns together


def unrolled(
    build: Any, op: Any, given: Sequence[Any], native: Callable[[list[Any]], list[Any]]
) -> list[Any] | None:
    """The last values of the loop's variables, whose first are `given`; None if that cannot be.

    native: the last values by a native loop, from others. It is asked when shapes have become
    others and stay so.
    """
    turns = _Turns(build, op)
    if not _may_be(build, op, given, turns.inside):
        return None
    around = build.op
    try:
        return turns.run(given, native)
    except (NeedsValue, NotNative, errors.OpError):
        return None
    finally:
        turns.forget()
        build.op, build.loc = around, around.name
        build.replaced.update(turns.replaced)


class _Turns:
    """The turns of one loop as they are lowered."""

    def __init__(self, build: Any, op: Any):
        self.build, self.op = build, op
        self.test, self.body = (region_ops(r, results_of(op, r)) for r in op.regions)
        self.inside = _all_ops([*self.test, *self.body])
        self.seen = versions_before(build, op)
        self.replaced: dict[str, int] = {}

    def run(
        self, given: Sequence[Any], native: Callable[[list[Any]], list[Any]]
    ) -> list[Any] | None:
        """The last values; None if the number of turns is not known, or too large."""
        values = dict(enumerate(given))
        types = _types(values)
        tried, turn, left = {types}, 0, -1
        while left:
            if left < 0:
                go_on = self._goes_on(values)
                if not go_on:
                    return None if go_on is None else list(values.values())
                if turn == FIRST_TURNS:
                    left = self._count(values)
                    if left * len(self.inside) > MOST_OPS:
                        return None
            values = self._region(1, self.body, values)
            if not all(isinstance(v, Value | Elements) for v in values.values()):
                return None
            turn, left = turn + 1, left - (left > 0)
            before, types = types, _types(values)
            if types == before and types not in tried:
                tried.add(types)
                self.build.op = self.op
                with suppress(NotNative):
                    return native(list(values.values()))
        return list(values.values())

    def _count(self, values: Mapping[int, Any]) -> int:
        """How many turns are left, from the variables that decide it alone; very many if that is
        not known."""
        places = _deciding(self.op)
        results = results_of(self.op, self.op.regions[1])
        ops = region_ops(self.op.regions[1], [results[k] for k in places])
        deciding = {k: values[k] for k in places}
        written = dict(self.build.written)
        for turn in range(MOST_TURNS):
            go_on = self._goes_on(deciding)
            if go_on is None or written != self.build.written:
                break
            if not go_on:
                return turn
            deciding = self._region(1, ops, deciding)
        return MOST_OPS + 1

    def _goes_on(self, values: Mapping[int, Any]) -> bool | None:
        """The test; None if it is no constant."""
        (go_on,) = self._region(0, self.test, values).values()
        known = constant_value(go_on) if isinstance(go_on, Value) else None
        return None if known is None or known.shape else bool(known)

    def _region(self, number: int, ops: Sequence[Any], values: Mapping[int, Any]) -> dict[int, Any]:
        """The results of a region of the loop for these values: of the body at their places."""
        build, region = self.build, self.op.regions[number]
        self.forget()
        params, results = params_of(self.op, region), results_of(self.op, region)
        build.values.update((params[k], v) for k, v in values.items())
        for op in ops:
            build.op, build.loc = op, op.name
            build.replaced.clear()
            try:
                lower_one(build, op, newest([versions_before(build, op), self.seen]))
            finally:
                self.replaced = {**build.replaced, **self.replaced}
        return {k: build.values[results[k]] for k in (values if number else (0,))}

    def forget(self) -> None:
        """Let go what ops inside gave in the turn before."""
        for op in self.inside:
            self.build.versions.pop(op, None)
            for tensor in op.outputs:
                self.build.values.pop(tensor, None)
        for region in self.op.regions:
            for tensor in region.params:
                self.build.values.pop(tensor, None)


def _types(values: Mapping[int, Any]) -> tuple[Any, ...]:
    return tuple(v.type if isinstance(v, Value) else id(v) for v in values.values())


def _may_be(build: Any, op: Any, given: Sequence[Any], inside: Sequence[Any]) -> bool:
    """Whether the turns may be lowered here: no gradient asks what they did, they write no
    variable, and Python runs none of their ops."""
    kept = op in build.residuals or op in build.counted
    if kept or written_in(op) or not all(isinstance(v, Value | Elements) for v in given):
        return False
    return not any(o.type == "Residual" or o.defn.is_host(o) for o in inside)


def _all_ops(ops: Sequence[Any]) -> list[Any]:
    """These ops, and those of regions inside them."""
    found, owners = list(ops), [o for o in ops if o.regions]
    while owners:
        inner = [o for region in owners.pop().regions for o in region.ops]
        owners += [o for o in inner if o.regions]
        found += inner
    return found


def _deciding(op: Any) -> list[int]:
    """The places of the variables that tell how many turns there are."""
    results = results_of(op, op.regions[1])
    places = _needed(op, 0, results_of(op, op.regions[0]))
    while True:
        more = places | _needed(op, 1, [results[k] for k in places])
        if more == places:
            return sorted(places)
        places = more


def _needed(op: Any, number: int, tensors: Iterable[Any]) -> set[int]:
    """The places of the variables that these tensors of a region need."""
    region = op.regions[number]
    at = {t: k for k, t in enumerate(params_of(op, region))}
    needs = Needs(lambda o: o._region is region, at.keys())
    needs.take(tensors)
    return {at[t] for t in needs.stopped}
