"""Lowering of ops with regions: If and While become the primitives `cond` and `while`.

A region becomes a closed Function. Its parameters are, in this order: the region's own, the
variables (and hidden states of random ops) that it touches, and what it captures from outside.
Which variables it touches is found by lowering it: one that turns up is added, and the region is
lowered again.

A region is native only if every type in it is static and has a native form, and a loop's variables
keep their types. `NotNative` says why one is not; Python then drives it (`client/driven.py`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.shapes import shape_text
from tfc.ir import interp
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.passes import lower_arrays, lower_growth
from tfc.passes.arrays import Elements
from tfc.passes.live import params_of, region_ops, results_of
from tfc.passes.lower import (
    Lowering,
    Ref,
    lower_one,
)
from tfc.passes.lower_errors import NeedsValue, NotNative
from tfc.passes.lower_loop import Loop, keep_of_branches, remade
from tfc.passes.lower_unrolled import unrolled
from tfc.passes.residuals import (
    NOT_TAKEN,
    Kept,
    counted_among,
    dense,
    residuals_among,
    with_values,
)
from tfc.passes.trip_count import leaves, part_of
from tfc.passes.versions import Versions, handed_on, newest, variable_of, versions_before


class _Touched(Exception):
    """The region reads or writes a variable that it was not given."""

    def __init__(self, key: str):
        super().__init__(key)
        self.key = key


class RegionLowering(Lowering):
    """The Lowering of one region, inside that of the op that owns it."""

    def __init__(self, outer: Lowering, op: Any, region: Any, keys: Sequence[str], live: Set[str]):
        types = {key: outer.variables.get(key) for key in outer.variables}
        super().__init__(region.name.rpartition("/")[2] or "region", types, {})
        self.outer, self.region, self.keys = outer, region, list(keys)
        self.wanted, self.given = results_of(op, region), params_of(op, region)
        self.live, self.captured_reads = live, set[str]()
        self.counts, self.lessons = outer.counts, outer.lessons
        self.region_depth = outer.region_depth + 1
        self.captured: dict[Value, Value] = {}  # parameter -> what it is outside
        self.growths: list[Any] = []  # writes that may make an array larger
        self.grown: dict[Value, Value] = {}  # what they made -> what it was in the beginning

    def parameters(
        self, types: Sequence[Any], key_types: Sequence[Type], captures: dict[Any, Any]
    ) -> None:
        """Make the parameters, of the region, the variables and the captures. Empty TensorArrays
        are what they are outside."""
        for tensor, type in zip(self.given, types, strict=True):
            self.values[tensor] = type if isinstance(type, Elements) else self.param(type)
        for key, type in zip(self.keys, key_types, strict=True):
            self.contents[key, 0] = self.variable_params[key] = self.param(type)
        for tensor, value in captures.items():
            if isinstance(value, Elements):
                self.values[tensor] = value
            else:
                self.values[tensor] = with_values(value, self._capture)

    def _capture(self, value: Value) -> Value:
        """A value from outside, as the region has it."""
        made = remade(self, value)
        if made is not None:
            return made
        inside = self.param(value.type)
        self.captured[inside] = value
        return inside

    def static(self, value: Value) -> np.ndarray:
        known = constant_value(value)
        if known is not None:
            return known
        found = leaves(value)
        outside = [self._known_outside(leaf) for leaf in found]
        arrays = [array for array in outside if array is not None]
        if len(arrays) == len(found):
            result: np.ndarray = interp.run(part_of("static", found, self, [value]), arrays)[0]
            return result
        if all(leaf in self.captured for leaf in found):
            unknown = found[[array is None for array in outside].index(True)]
            raise NeedsValue(self.captured[unknown])
        raise NotNative(f"a shape in {self.op.name} depends on what the loop computes")

    def _known_outside(self, value: Value) -> np.ndarray | None:
        """What a parameter is, if it is a constant outside: large ones are captured."""
        build: Lowering = self
        while isinstance(build, RegionLowering) and value in build.captured:
            value = build.captured[value]
            build = build.outer
        return constant_value(value)

    def content(self, key: str, number: int) -> Value:
        if key not in self.keys:
            raise _Touched(key)
        return self.contents[key, number]

    def snapshot(self, tensor: Any, value: Any, seen: Versions) -> Any:
        """A variable's own read, made outside, is what the variable holds by now if the regions
        write it (it is `live`), since it shares its memory."""
        key = tensor.op.inputs[0].op.name
        if tensor.op in self.versions:
            return super().snapshot(tensor, value, seen)
        if key in self.live:
            return self.content(key, seen.get(key, 0))
        self.captured_reads.add(key)
        return value

    def write(self, ref: Ref, value: Value) -> Ref:
        if ref.key not in self.keys:
            raise _Touched(ref.key)
        return super().write(ref, value)

    def state(self, suffix: str, type: Type, init: np.ndarray) -> Ref:
        key = f"{self.op.name}/{suffix}"
        if key not in self.keys:
            self.outer.hidden_state(key, type, init)
            raise _Touched(key)
        return Ref(key, self)

    def hidden_state(self, key: str, type: Type, init: np.ndarray) -> None:
        self.outer.hidden_state(key, type, init)

    def run(self, kept: Sequence[Any]) -> None:
        """Lower the ops that the results and the tensors `kept` need."""
        ops = region_ops(self.region, [*self.wanted, *kept])
        self.residuals, self.counted = residuals_among(ops), counted_among(ops)
        for op in ops:
            if op.defn.is_host(op):
                raise NotNative(f"{op.type} '{op.name}' has no native form")
            self.op, self.loc = op, op.name
            self.replaced.clear()
            try:
                lower_one(self, op, versions_before(self, op))
            except errors.InvalidArgumentError as error:  # the run decides whether it matters
                raise NotNative(str(error)) from None

    def result(self, tensor: Any) -> Any:
        """The value of a tensor at the end of the region: a Value, a Kept or Elements."""
        return _content(self, tensor)

    def final(self, key: str) -> Value:
        """The content of a variable at the end."""
        return self.contents[key, self.written.get(key, 0)]


class _Owner:
    """An If or While being lowered: its captures, and the variables found so far."""

    def __init__(self, build: Lowering, op: Any, inputs: Sequence[Any], operands: Sequence[Any]):
        self.build, self.op = build, op
        self.seen = versions_before(build, op)
        pairs = zip(inputs, operands, strict=True)
        taken = ((t, lower_arrays.captured(build, self._read(t, v))) for t, v in pairs)
        self.captures = {t: v for t, v in taken if v is not None}
        self.keys: list[str] = []
        self.live: set[str] = set()  # variables that the regions write, and whose reads they take

    def _read(self, tensor: Any, operand: Any) -> Any:
        """An operand; of a reference that a write returned, the content then: a region reads it."""
        if not isinstance(operand, Ref):
            if operand is None or not tensor.dtype.is_ref_dtype:
                return operand
            return handed_on(self.build, tensor, variable_of(tensor).name, operand, self.seen)
        if not tensor.op.inputs:
            return operand
        return self.build.content(operand.key, self.seen.get(operand.key, 0))

    def entry(self, key: str, written: bool) -> Value:
        """The content of a variable as the regions find it: what was written last if they write
        it too, else what the op depends on.

        Raises:
          NotNative: it has none. Whether that matters, the run decides.
        """
        number = self.build.written.get(key, 0) if written else self.seen.get(key, 0)
        try:
            return self.build.content(key, number)
        except errors.FailedPreconditionError:
            raise NotNative(f"{key} is not initialized before '{self.op.name}'") from None

    def lowered(self, params: Sequence[Sequence[Any]]) -> list[RegionLowering]:
        """Each region lowered, with one list of variables that all of them take."""
        while True:
            types = [self.entry(key, written=True).type for key in self.keys]
            try:
                regions = []
                for region, given in zip(self.op.regions, params, strict=True):
                    inner = RegionLowering(self.build, self.op, region, self.keys, self.live)
                    inner.parameters(given, types, self.captures)
                    inner.run(self.kept(region))
                    regions.append(inner)
                taken = {key for inner in regions for key in inner.captured_reads}
                stale = {key for inner in regions for key in inner.written if key in taken}
                if not stale:
                    return regions
                self.live |= stale
            except _Touched as touched:
                if touched.key in self.keys:
                    raise
                self.keys.append(touched.key)
            except NeedsValue as need:
                self.build.static(need.value)  # in terms of what is outside of this one
                raise

    def kept(self, region: Any) -> list[Any]:
        """The tensors of `region` that gradients want kept."""
        return [t for t in self.build.residuals.get(self.op, ()) if t.op._region is region]

    def operands(self, regions: Sequence[RegionLowering]) -> list[Value]:
        """What the variables and captures parameters stand for."""
        written = {key for inner in regions for key in inner.written}
        contents = [self.entry(key, key in written) for key in self.keys]
        return [*contents, *regions[0].captured.values()]

    def write_back(self, regions: Sequence[RegionLowering], results: Sequence[Value]) -> None:
        """Make the results of the variables that a region wrote their contents."""
        written = {key for inner in regions for key in inner.written}
        for key, value in zip(self.keys, results, strict=True):
            if key in written:
                self.build.write(Ref(key, self.build), value)


def lower_while(build: Lowering, op: Any, operands: Sequence[Any]) -> list[Any]:
    """Results of a While, whose first inputs, as many as it has outputs, are the loop's variables.

    Raises:
      NotNative: it can neither be one native loop, nor its turns one after the other.
    """
    try:
        return _lower_loop(build, op, operands)
    except NotNative:
        count = len(op.outputs) - 1
        captured = operands[count:]
        rest = lambda values: _lower_loop(build, op, [*values, *captured])  # noqa: E731
        values = unrolled(build, op, operands[:count], rest)
        if values is None:
            raise
        return values


def _lower_loop(build: Lowering, op: Any, operands: Sequence[Any]) -> list[Any]:
    """The same, as one native loop."""
    carried = len(op.outputs) - 1  # the last one is the tape
    owner = _Owner(build, op, op.inputs[carried:], operands[carried:])
    given = list(operands[:carried])
    while True:
        given, regions, nexts = lower_arrays.learned(
            build, op, given, lambda types: owner.lowered([types, types])
        )
        loop = _loop_of(build, owner, regions, given, nexts)
        room = lower_growth.sizes(loop)
        carrying = [k for k, v in enumerate(given) if isinstance(v, Value)]
        larger = [carrying[k] for k, n in room.items() if n > loop.start[k].type.shape[0]]
        if not larger:
            break
        for k, n in room.items():
            given[carrying[k]] = lower_arrays.grown(build, given[carrying[k]], n)
    results = loop.emit()
    first = len(carrying)
    count = first + len(owner.keys)
    owner.write_back(regions, results[first:count])
    empty = {k: v for k, v in enumerate(given) if isinstance(v, Elements)}
    return lower_arrays.with_empty(results, empty, carried)


def _loop_of(
    build: Lowering,
    owner: _Owner,
    regions: Sequence[RegionLowering],
    given: Sequence[Any],
    nexts: Sequence[Any],
) -> Loop:
    """The loop of lowered regions, which carries what is no empty array."""
    op = owner.op
    test, body = regions
    if test.written:
        raise NotNative(f"the condition of '{op.name}' assigns to a variable")
    for tensor, value, was in zip(body.wanted, nexts, given, strict=True):
        if value.type != was.type:
            raise NotNative(f"{tensor.name} is {value.type} after an iteration and was {was.type}")
    first, next_values = ([v for v in vs if isinstance(v, Value)] for vs in (given, nexts))
    finals = [body.final(key) for key in owner.keys]
    go_on = test.result(test.wanted[0])
    if go_on.type.shape:
        raise no_scalar(op, go_on.type.shape)
    start = [*first, *owner.operands(regions)]
    return Loop(build, op, test, body, go_on, start, [*next_values, *finals, *body.captured])


def no_scalar(op: Any, shape: Sequence[int]) -> errors.OpError:
    """The error of a condition that is no scalar when the graph runs."""
    text = f"The condition of '{op.name}' must be a scalar, but it has shape {shape_text(shape)}"
    return errors.InvalidArgumentError(None, op, text)


def lower_if(build: Lowering, op: Any, operands: Sequence[Any]) -> list[Any]:
    """Results of an If; the first operand decides.

    Raises:
      NotNative: the branches give different types, or cannot be native.
    """
    pred, *captured = operands
    pred = dense(build, pred)
    if pred.type.shape:
        raise no_scalar(op, pred.type.shape)
    known = constant_value(pred)
    if known is not None:
        return _lower_taken(build, op, op.regions[0 if known else 1])
    owner = _Owner(build, op, op.inputs[1:], captured)
    branches = owner.lowered([[], []])
    if any(inner.growths for inner in branches):
        raise NotNative(f"a TensorArray grows in '{op.name}'")
    results = [[inner.result(t) for t in inner.wanted] for inner in branches]
    empty = lower_arrays.joined(branches, results)
    count = len(op.outputs) - 1  # the last one is the tape
    outputs = [t for k, t in enumerate(op.outputs[:count]) if k not in empty]
    for output, a, b in zip(outputs, *results, strict=True):
        if a.type != b.type:
            raise NotNative(f"{output.name} is {a.type} in one branch and {b.type} in the other")
    for inner, found in zip(branches, results, strict=True):
        found.extend(inner.final(key) for key in owner.keys)
    wanted = keep_of_branches(build, op, branches, results)
    functions = tuple(inner.finish(values) for inner, values in zip(branches, results, strict=True))
    values = list(build.emit(p.cond, pred, *owner.operands(branches), regions=functions))
    first, last = len(outputs), len(outputs) + len(owner.keys)
    owner.write_back(branches, values[first:last])
    for (tensor, was), value in zip(wanted, values[last:], strict=True):
        build.kept[tensor] = Kept(value, was.levels) if isinstance(was, Kept) else value
    return lower_arrays.with_empty(values, empty, count)


def _lower_taken(build: Lowering, op: Any, region: Any) -> list[Any]:
    """The results of the branch of an If that is always taken, whose ops become part of what is
    around it. The other one need not even have a form for these types."""
    wanted = [t for t in build.residuals.get(op, ()) if t.op._region is region]
    results = results_of(op, region)
    ops = region_ops(region, [*results, *wanted])
    for owner, tensors in residuals_among(ops).items():
        build.residuals[owner] = tensors
    build.counted = build.counted | counted_among(ops)
    around, seen = build.op, versions_before(build, op)
    replaced: dict[str, int] = {}
    try:
        for inner in ops:
            if inner.defn.is_host(inner):
                raise NotNative(f"{inner.type} '{inner.name}' has no native form")
            build.op, build.loc = inner, inner.name
            build.replaced.clear()
            lower_one(build, inner, newest([versions_before(build, inner), seen]))
            replaced = {**build.replaced, **replaced}
    finally:
        build.replaced.update(replaced)
        build.op, build.loc = around, around.name
    for tensor in build.residuals.get(op, ()):
        build.kept[tensor] = _content(build, tensor) if tensor in wanted else NOT_TAKEN
    return [_content(build, t) for t in results]


def _content(build: Lowering, tensor: Any) -> Any:
    """The value of a tensor; of a reference what it refers to."""
    value = build.values[tensor]
    if isinstance(value, Ref):
        number = build.versions.get(tensor.op, {}).get(value.key, 0)
        return build.content(value.key, number)
    return value
