"""The loops of `Session.run_loop`: which step is repeated, how it is fed, what was compiled."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfc import compiler
from tfc.base import dtypes, errors
from tfc.base.collector import no_collections
from tfc.base.records import dataclass
from tfc.client.batches import Batches
from tfc.client.plan import Plan
from tfc.client.runtime import Runtime, WrongGuess
from tfc.client.stage_cache import StageCache
from tfc.framework.graph import Graph
from tfc.framework.operation import Tensor
from tfc.ir.core import Type
from tfc.passes.lower import Lowered, lower
from tfc.passes.repeat import Fed, Repeated, Stops, repeat

ROW_BYTES = 1 << 18  # of values collected in one call
TABLE_BYTES = 1 << 20  # of the table of examples for one call
MOST_ROWS = 1 << 16


def stops_of(graph: Graph, elements: Sequence[Any], until: Any, stop_on_nan: Any) -> Stops:
    """What ends a loop that fetches `elements`, as the arguments of `Session.run_loop` say."""

    def tensor(what: Any) -> Tensor:
        found: Tensor = graph.as_graph_element(what, allow_operation=False)
        return found

    floating = [t for t in elements if isinstance(t, Tensor) and t.dtype.is_floating]
    if stop_on_nan is True:
        not_nan = tuple(floating)
    elif stop_on_nan is None or stop_on_nan is False:
        not_nan = ()
    else:
        wanted = stop_on_nan if isinstance(stop_on_nan, (list, tuple)) else [stop_on_nan]
        not_nan = tuple(tensor(t) for t in wanted)
    return Stops(tensor(until) if until is not None else None, not_nan)


@dataclass(frozen=True)
class LoopFeeds:
    """What each step is fed: the same, one entry a step, and batches."""

    same: Mapping[Tensor, np.ndarray]
    per_step: Mapping[Tensor, np.ndarray]
    data: Batches | None

    @cached_property
    def arrays(self) -> dict[Tensor, np.ndarray]:
        resident = self.data.arrays if self.data else {}
        return {**self.same, **self.per_step, **resident}

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal tensors fed in equal ways."""
        return tuple(self.same), tuple(self.per_step), tuple(self.data.arrays if self.data else ())

    def check(self, graph: Graph, steps: int) -> None:
        """Raises TypeError, ValueError: a tensor is fed twice, or is not of this graph, or has not
        one entry for each step."""
        if self.data is not None and self.data.graph is not graph:
            raise ValueError("data is for tensors of another graph")
        kinds = [self.same, self.per_step, self.data.arrays if self.data else {}]
        if len(self.arrays) < sum(map(len, kinds)):
            twice = [t.name for t in self.arrays if sum(t in kind for kind in kinds) > 1]
            raise ValueError(f"fed in more than one way: {', '.join(twice)}")
        for tensor, array in self.per_step.items():
            if len(array) != steps:
                raise ValueError(
                    f"per_step: {tensor.name!r} has {len(array)} entries, for {steps} steps"
                )

    @cached_property
    def fed(self) -> dict[Tensor, Fed]:
        """How each is fed. Arrays with an entry a step are passed a power of two of them at a
        time, so that one native function serves many numbers of steps."""
        found = {}
        for tensor, array in self.arrays.items():
            short, shape = tensor.dtype.base_dtype.short, array.shape
            if tensor in self.same:
                found[tensor] = Fed("same", Type(short, shape))
            elif tensor in self.per_step:
                rows = min(1 << (len(array).bit_length() - 1), MOST_ROWS)
                found[tensor] = Fed("steps", Type(short, shape[1:]), rows)
            else:
                assert self.data is not None
                found[tensor] = Fed("data", Type(short, (self.data.size, *shape[1:])), len(array))
        return found


@dataclass
class CompiledLoop:
    """A loop compiled for one signature. `variables`: those among its inputs. `rows`: places for
    each collected tensor; `types`: what one of its rows is."""

    executable: compiler.Executable
    repeated: Repeated
    variables: dict[str, Type]
    rows: int
    types: dict[Tensor, Type]


class LoopPlan:
    """How a step is repeated: the elements fetched, what ends the loop, what is fed."""

    def __init__(self, elements: Sequence[Any], stops: Stops, feeds: Sequence[Tensor]):
        until = stops.until
        if until is not None and until.dtype.base_dtype != dtypes.bool_:
            raise ValueError(
                f"until must be a bool tensor, but {until.name!r} is {until.dtype.base_dtype.name}"
            )
        for tensor in stops.not_nan:
            if not tensor.dtype.is_floating:
                raise ValueError(
                    f"stop_on_nan takes floating tensors, but {tensor.name!r} is "
                    f"{tensor.dtype.base_dtype.name}"
                )
        self.stops = stops
        also = [until, *stops.not_nan] if until is not None else stops.not_nan
        self.plan = Plan(list(dict.fromkeys([*elements, *also])), feeds)
        self.collected = [e for e in elements if isinstance(e, Tensor)]
        self._statics: list[Tensor] = []
        self._compiled = StageCache()

    def compiled(self, runtime: Runtime, feeds: LoopFeeds) -> CompiledLoop:
        """The loop for these feeds and the variables' types now. The caller holds the lock.

        Raises:
          UnimplementedError: the step is not one native function.
          FailedPreconditionError: a variable has no content.
        """
        fed = feeds.fed
        found: CompiledLoop | None = self._compiled.get(self._key(runtime, feeds))
        if found is None:
            with no_collections():
                step, statics = self._lower(runtime, fed, feeds)
                found = self._compile(runtime, step, fed, statics)
            self._compiled.put(self._key(runtime, feeds), found, list(fed), self._statics)
        return found

    def learn(self, wrong: WrongGuess) -> None:
        """Have the loops lowered anew, knowing better."""
        self.plan.lessons.learn(*wrong.lesson)
        self._compiled = StageCache()

    def _key(self, runtime: Runtime, feeds: LoopFeeds) -> Any:
        stored = [how.stored for how in feeds.fed.values()]
        return (
            tuple((type.dtype, type.shape) for type in stored),
            tuple(runtime.store.types(self.plan.variables).values()),
            tuple(feeds.same[t].tobytes() for t in self._statics),
            feeds.data.size if feeds.data is not None else 0,
        )

    def _lower(
        self, runtime: Runtime, fed: Mapping[Tensor, Fed], feeds: LoopFeeds
    ) -> tuple[Lowered, dict[Tensor, np.ndarray]]:
        for tensor in (*fed, *self.collected):
            if tensor.dtype.base_dtype.short == "str":
                raise _not_native(tensor.op, "strings have no native form")
        while True:
            statics = {t: feeds.same[t] for t in self._statics}
            step = lower(
                self.plan.name,
                self.plan.ops,
                self.plan.tensors,
                {t: how.type for t, how in fed.items()},
                statics,
                runtime.store.types(self.plan.variables),
                lessons=self.plan.lessons,
                distinct=self.plan.distinct,
                shown=self.plan.shown,
            )
            more = [t for t in step.fed_statics if t not in statics]
            if not more:
                break
            for tensor in more:
                if fed[tensor].kind != "same":
                    raise _not_native(
                        tensor.op,
                        f"the value of {tensor.name!r} decides a shape; feed it the same in "
                        "every step",
                    )
            self._statics += more
        if step.waiting:
            raise _waits(step)
        runtime.store.put_missing(step.states)
        return step, statics

    def _compile(
        self,
        runtime: Runtime,
        step: Lowered,
        fed: Mapping[Tensor, Fed],
        statics: Mapping[Tensor, np.ndarray],
    ) -> CompiledLoop:
        given = {t: how for t, how in fed.items() if t not in statics}
        types = _types_of(step, fed)
        for tensor in self.collected:
            if tensor not in types:
                raise _not_native(tensor.op, f"{tensor.name!r} is no array of one shape")
        until = self.stops.until
        if until is not None and types[until].shape:
            raise ValueError(f"until must be a scalar, but {until.name!r} is {types[until]}")
        row_bytes = sum(types[t].nbytes for t in self.collected)
        rows = max(1, min(ROW_BYTES // max(row_bytes, 1), MOST_ROWS))
        sizes = [how.type.shape[0] for how in given.values() if how.kind == "data"]
        table = Type("i64", (table_rows(sizes[0]), sizes[0])) if sizes else None
        start, options = time.perf_counter(), runtime.options()
        repeated = repeat(
            step,
            given,
            statics,
            _variable_types(runtime, step),
            dict.fromkeys(self.collected, rows),
            table,
            self.stops,
            options,
        )
        executable = compiler.compile_function(
            repeated.function,
            f"loop of {self.plan.describe(step.inputs)}",
            options,
            made_of=repeated.made_of,
        )
        runtime.statistics.misses += 1
        runtime.statistics.compile_seconds += time.perf_counter() - start
        named = zip(repeated.inputs, repeated.function.params, strict=True)
        variables = {what: param.type for (kind, what), param in named if kind == "variable"}
        collected = {t: types[t] for t in self.collected}
        return CompiledLoop(executable, repeated, variables, rows, collected)


def table_rows(size: int) -> int:
    """Steps for which one table says which examples their batches of `size` have."""
    return max(1, min(TABLE_BYTES // (8 * size), MOST_ROWS))


def _types_of(step: Lowered, fed: Mapping[Tensor, Fed]) -> dict[Any, Type]:
    """The types of the tensors that a step gives, and of those it is given."""
    types = {t: how.type for t, how in fed.items()}
    for (kind, what), result in zip(step.outputs, step.function.results, strict=True):
        if kind == "tensor":
            types[what] = result.type
    return types


def _variable_types(runtime: Runtime, step: Lowered) -> dict[str, Type]:
    """The types of the variables that the step reads or writes, which it must keep."""
    keys = dict.fromkeys(what for kind, what in step.inputs if kind == "variable")
    after = {}
    for (kind, what), result in zip(step.outputs, step.function.results, strict=True):
        if kind == "variable":
            keys[what], after[what] = None, result.type
    found = {}
    for key, type in runtime.store.types(keys).items():
        if type is None:
            op = runtime.graph.get_operation_by_name(key)
            raise errors.FailedPreconditionError(
                None, op, f"Attempting to use uninitialized value {key}"
            )
        if after.get(key, type) != type:
            op = runtime.graph.get_operation_by_name(key)
            raise _not_native(op, f"it is {type} before a step and {after[key]} after it")
        found[key] = type
    return found


def _waits(step: Lowered) -> Exception:
    op = step.waiting[0]
    if op in step.driven:
        return _not_native(op, step.driven[op])
    if op.defn.is_host(op) or op in step.hosted:
        return _not_native(op, "it runs in Python")
    return _not_native(op, "a shape in it depends on values that only a run can tell")


def _not_native(op: Any, reason: str) -> Exception:
    return errors.UnimplementedError(
        None,
        op,
        f"run_loop takes a step that is one native function, but {op.type} {op.name!r} cannot be "
        f"part of one: {reason}. Session.run runs it.",
    )
