"""Frames: the entry function, and each region of its loops and branches, while it is written: a
function, the pointers of its parameters, and the pointers its results belong at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from tfc.base.records import dataclass
from tfc.codegen.values import V
from tfc.ir.core import Function, Op, Value
from tfc.prims.control import looks_ahead, read_by, serves_next_turn
from tfc.prims.kernel_info import source_of_memory

Copy = tuple[V, V, int]  # to, from, bytes


@dataclass
class Ahead:
    """The condition of a loop that is read in its body. `flag`: where it goes. `waits`: ops that
    must have run before. `known`: whether it has been read."""

    condition: Function
    flag: V
    waits: set[Op]
    known: bool = False


def ahead_of(loop: Op, flag: V) -> Ahead | None:
    """How the body of `loop` tells whether there is a next turn, if ops of it ask."""
    if not looks_ahead(loop):
        return None
    condition, body = loop.regions
    makers = (body.results[j].op for j in read_by(condition))
    return Ahead(condition, flag, {op for op in makers if op is not None})


@dataclass
class Frame:
    """A function being written, with the pointers of its parameters and results. `whole`: until it
    writes to a parameter the run may end. `places`: where its values lie."""

    fn: Function
    params: Sequence[V]
    results: Sequence[V]
    whole: bool = False
    ahead: Ahead | None = None
    places: dict[Value, V] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places.update(zip(self.fn.params, self.params, strict=True))
        self._donated = {result: param for param, result in self.fn.attr("donated", ())}

    def wanted(self, result: int) -> V:
        """Where result number `result` belongs."""
        param = self._donated.get(result)
        return self.results[result] if param is None else self.params[param]

    def early_copies(self) -> list[Copy]:
        """Parameters that are results: copied before a kernel can overwrite them in place."""
        return [
            (self.wanted(k), self.places[source_of_memory(value)], value.type.nbytes)
            for k, value in enumerate(self.fn.results)
            if self._is_early(k)
        ]

    def late_copies(self) -> list[Copy]:
        """Results that were not computed where they belong."""
        return [
            (self.wanted(k), self.places[value], value.type.nbytes)
            for k, value in enumerate(self.fn.results)
            if not self._is_early(k) and self.places[value] != self.wanted(k)
        ]

    def _is_early(self, k: int) -> bool:
        source = source_of_memory(self.fn.results[k])
        if source.op is not None or k in self._donated:
            return False
        return self.places[source] != self.wanted(k)

    # -- in front of what serves the next turn only ---------------------------------------------
    def guard(self, op: Op) -> V | None:
        """The flag that says whether `op` has to run, if it may be left out."""
        ahead = self.ahead
        known = ahead is not None and ahead.known and serves_next_turn(op)
        return ahead.flag if ahead is not None and known else None

    def next_params(self) -> list[V]:
        """Before the late copies: where the results lie that have been computed; elsewhere for
        others."""
        return [
            self.wanted(k) if self._is_early(k) else self.places.get(value, self.wanted(k))
            for k, value in enumerate(self.fn.results)
        ]
