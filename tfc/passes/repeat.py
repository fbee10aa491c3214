"""repeat: a lowered step -> a Function that runs it many times.

The loop commits: the variables, the collected values and the count of steps are written where they
lie, turn by turn, and a run that ends early leaves them as the last whole step did. All of them are
donated parameters, so there are no results but those. Sizes that differ from run to run (how many
steps, how often to collect) are values, not types: one Function serves them all.

The kernels of the step are those of `Session.run`. What is fed to it and kept of it is memory to
them, as it is there.

What a step is fed comes from its parameter directly, if it is the same in every step; from the row
of the step, of an array with one row a step; or from rows of resident data, whose numbers stand in
the row of the step in a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Literal, Type, Value
from tfc.passes.lower import Lowered
from tfc.passes.options import PassOptions
from tfc.passes.pipeline import make_kernels
from tfc.passes.regions import inline
from tfc.passes.registers import MOST_ELEMENTS

I64 = Type("i64", ())
# Numbers that the caller gives:
#   limit    steps to be done
#   every    values are collected in one row for `every` steps; those of the last step stay
#   phase    steps of the first row that were done before
#   offset   which row of arrays with one row a step the first step takes
GIVEN = ("limit", "every", "phase", "offset")
# and those that he finds afterwards, and sets to 0 before:
#   done     steps that were done
#   stopped  why there were no more: see Stops.meaning
COUNTED = ("done", "stopped")
_UNTIL = 1
_FIRST_NAN = 2  # of the first tensor; of the second it is one more

Name = tuple[str, Any]


@dataclass(frozen=True)
class Stops:
    """What ends a loop: a scalar bool that is true after a step, or a NaN in one of these."""

    until: Any = None
    not_nan: tuple[Any, ...] = ()

    def meaning(self, stopped: int) -> tuple[str | None, Any]:
        """Why a loop ended that has counted `stopped`, and the tensor that says so."""
        if stopped < _UNTIL:
            return None, None
        if stopped == _UNTIL:
            return "until", self.until
        return "nan", self.not_nan[stopped - _FIRST_NAN]


@dataclass(frozen=True)
class Fed:
    """How a tensor is fed: the same in every step ("same"); one row a step, of `rows` ("steps");
    or a batch of `rows` resident ones ("data"). `type` is what a step gets."""

    kind: str
    type: Type
    rows: int = 0

    @property
    def stored(self) -> Type:
        """The type of the parameter."""
        if self.kind == "same":
            return self.type
        inner = self.type.shape if self.kind == "steps" else self.type.shape[1:]
        return Type(self.type.dtype, (self.rows, *inner))


@dataclass(frozen=True)
class Repeated:
    """The function, of kernels of `made_of`, and what its parameters are: ("fed", tensor),
    ("table", None), ("variable", key), ("rows", tensor), ("control", name). The last `donated` of
    them are its results."""

    function: Function
    made_of: Function
    inputs: list[Name]
    donated: int


def repeat(
    step: Lowered,
    fed: Mapping[Any, Fed],
    statics: Mapping[Any, np.ndarray],
    variables: Mapping[str, Type],
    collected: Mapping[Any, int],
    table: Type | None,
    stops: Stops,
    options: PassOptions,
) -> Repeated:
    """`step`, repeated.

    fed: how each tensor is fed. statics: those that are constants of the step.
    variables: all that the step reads or writes, by type.
    collected: for each tensor to be collected, into how many rows.
    table: i64[steps, batch]: for each step the numbers of its rows of the data.
    """
    loop = _Loop(step, fed, statics, stops, options)
    for tensor, how in fed.items():
        loop.param("fed", tensor, how.stored)
    if table is not None:
        loop.param("table", None, table)
    written = [what for kind, what in step.outputs if kind == "variable"]
    for key in variables:
        if key not in written:
            loop.param("variable", key, variables[key])
    for name in GIVEN:
        loop.param("control", name, I64)
    fixed = len(loop.types)
    for key in written:
        loop.param("variable", key, variables[key])
    for tensor, rows in collected.items():
        type = loop.values[tensor]
        loop.param("rows", tensor, Type(type.dtype, (rows, *type.shape)))
    for name in COUNTED:
        loop.param("control", name, I64)
    donated = len(loop.types) - fixed
    small = sum(variables[key].size for key in written) <= MOST_ELEMENTS
    made = (loop.in_registers(donated) if small else None) or loop.of_kernels(donated)
    return Repeated(*made, list(loop.types), donated)


class _Loop:
    """The function under construction. `types`: its parameters, by what they are; `values`: the
    types of what the step is fed and of the tensors that it makes."""

    def __init__(
        self,
        step: Lowered,
        fed: Mapping[Any, Fed],
        statics: Mapping[Any, np.ndarray],
        stops: Stops,
        options: PassOptions,
    ):
        # what lasts from step to step is the loop's matter: see arrange
        fn = step.function
        attrs = [(name, value) for name, value in fn.attrs if name != "lasting"]
        fn = Function(fn.name, fn.params, fn.ops, fn.results, tuple(attrs))
        self.step, self.fed, self.statics = replace(step, function=fn), fed, statics
        self.stops = stops
        self.options = options
        self.types: dict[Name, Type] = {}
        self.values = {tensor: Literal(array).type for tensor, array in statics.items()}
        self.values.update((tensor, how.type) for tensor, how in fed.items())
        for (kind, what), result in zip(step.outputs, step.function.results, strict=True):
            if kind == "tensor":
                self.values[what] = result.type

    def param(self, kind: str, what: Any, type: Type) -> None:
        self.types[kind, what] = type

    # -- the loop -------------------------------------------------------------------------------
    def in_registers(self, donated: int) -> tuple[Function, Function] | None:
        """The loop as one kernel that keeps its values in registers, if it can be one, and what
        that is made of. Such a kernel has no sums of floats, whose bits would depend on what they
        are fused with."""
        tried = replace(self.options, records=[], hooks=[])
        plain = self._loop(donated, lambda part: part)
        fn = make_kernels(plain, tried)
        made = [op for op in fn.ops if op.defn.name not in ("const", "reshape")]
        if [op.attr("hero") for op in made if op.defn.name == "fusion"] != ["while"] or made[1:]:
            return None
        self.options.records.extend(tried.records)
        return fn, plain

    def of_kernels(self, donated: int) -> tuple[Function, Function]:
        """The loop as kernels, and the step. Its kernels are made as if it stood alone: the same as
        in `Session.run`, so that they give the same bits, and are compiled once for both."""
        quiet = replace(self.options, records=[], hooks=[])

        def make(part: Function) -> Function:
            is_step = part is self.step.function
            return make_kernels(part, self.options if is_step else quiet)

        return self._loop(donated, make), self.step.function

    def _loop(self, donated: int, make: Callable[[Function], Function]) -> Function:
        regions = (make(self._condition()), self._body(make))
        outer = Builder("repeat")
        params = [outer.param(type) for type in self.types.values()]
        results = outer.emit(p.while_, *params, regions=regions, commits=True)
        first = len(params) - donated
        pairs = tuple((first + k, k) for k in range(donated))
        return outer.finish(results[first:], (("donated", pairs),))

    def _params(self, build: Builder) -> dict[Name, Value]:
        return {name: build.param(type) for name, type in self.types.items()}

    def _condition(self) -> Function:
        build = Builder("go_on")
        at = self._params(build)
        more = p.lt(build, at["control", "done"], at["control", "limit"])
        on = p.eq(build, at["control", "stopped"], p.constant(build, np.int64(0)))
        return build.finish([p.and_(build, more, on)])

    def _body(self, make: Callable[[Function], Function]) -> Function:
        """What is fed, the step, and what is kept of it: three functions, one after the other."""
        build = Builder("turn")
        at = self._params(build)
        values: dict[Any, Value] = {}
        fed = inline(build, make(self._feeding()), list(at.values()))
        for (tensor, how), value in zip(self.fed.items(), fed, strict=True):
            row = how.kind == "steps"  # is read where it lies
            values[tensor] = _row(build, at["fed", tensor], value) if row else value
        for tensor, array in self.statics.items():
            values[tensor] = p.const(build, value=Literal(array))
        arguments = [
            values[what] if kind == "tensor" else at["variable", what]
            for kind, what in self.step.inputs
        ]
        after = dict(at)
        results = inline(build, make(self.step.function), arguments)
        for (kind, what), result in zip(self.step.outputs, results, strict=True):
            if kind == "tensor":
                values[what] = result
            else:
                after["variable", what] = result
        kept = [name for name in self.types if name[0] == "rows" or name[1] in COUNTED]
        given = [*at.values(), *(values[tensor] for tensor in self.values)]
        after.update(zip(kept, inline(build, make(self._keeping(kept)), given), strict=True))
        return build.finish([after[name] for name in self.types])

    # -- its parts ------------------------------------------------------------------------------
    def _feeding(self) -> Function:
        """From the loop's parameters, what the step is fed; where that is the row of an array,
        its number."""
        build = Builder("feed")
        at = self._params(build)
        done = at["control", "done"]
        results = []
        for tensor, how in self.fed.items():
            value = at["fed", tensor]
            if how.kind == "steps":
                value = p.add(build, done, at["control", "offset"])
            elif how.kind == "data":
                numbers = _row(build, at["table", None], done)
                numbers = p.reshape(build, numbers, shape=(*numbers.type.shape, 1))
                value = p.gather(build, value, numbers, dims=(0,))
            results.append(value)
        return build.finish(results)

    def _keeping(self, kept: Sequence[Name]) -> Function:
        """From the loop's parameters and the step's values, the next of what the loop itself
        carries: the collected rows, and what it counts."""
        build = Builder("keep")
        at = self._params(build)
        values = {tensor: build.param(type) for tensor, type in self.values.items()}
        done = at["control", "done"]
        since = p.add(build, done, at["control", "phase"])
        row = p.div(build, since, at["control", "every"])
        after: dict[Name, Value] = {}
        for kind, what in kept:
            if kind == "rows":
                value = values[what]
                entry = p.reshape(build, value, shape=(1, *value.type.shape))
                starts = [row, *[p.constant(build, np.int64(0))] * value.type.rank]
                after[kind, what] = p.dynamic_update_slice(build, at[kind, what], entry, *starts)
        after["control", "done"] = p.add(build, done, p.constant(build, np.int64(1)))
        after["control", "stopped"] = self._stopped(build, values)
        return build.finish([after[name] for name in kept])

    def _stopped(self, build: Builder, values: Mapping[Any, Value]) -> Value:
        """What ends the loop after this step: a NaN before `until`, the first tensor's before the
        others'."""
        result: Value = p.constant(build, np.int64(0))
        if self.stops.until is not None:
            yes = p.constant(build, np.int64(_UNTIL))
            result = p.select(build, values[self.stops.until], yes, result)
        for place, tensor in reversed([*enumerate(self.stops.not_nan, _FIRST_NAN)]):
            wrong = p.ne(build, values[tensor], values[tensor])
            if wrong.type.shape:
                wrong = p.reduce(build, wrong, dims=tuple(range(wrong.type.rank)), kind="or")
            nan = p.constant(build, np.int64(place))
            result = p.select(build, wrong, nan, result)
        return result


def _row(build: Builder, array: Value, number: Value) -> Value:
    shape = array.type.shape[1:]
    starts = [number, *[p.constant(build, np.int64(0))] * len(shape)]
    row: Value = p.dynamic_slice(build, array, *starts, sizes=(1, *shape))
    row = p.reshape(build, row, shape=shape)
    return row
