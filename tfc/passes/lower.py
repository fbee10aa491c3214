"""lower: graph ops and the types of what is fed -> one Function of primitives, statically typed.

The second of the two passes that stand before the pipeline. In: ops of the user's graph in an
order in which they may run, the tensors whose values exist before (fed, or results of an earlier
stage), and the types of the variables. Out: a `Lowered` with the Function of every op that can be
lowered now, and the ops that must wait for the next stage: host ops (strings, files, `py_func`),
ops whose shapes depend on data that does not exist yet, and whatever depends on those.

Variables are data flow after this pass: a parameter for the content before the run, a result for
the content after it. Writes to one variable are totally ordered by the order of the ops; a plain
read sees the latest write among the ops it depends on; who takes a variable's own read, which it
stands for in expressions, that among the ops who takes it depends on: TensorFlow's reads share the
variable's memory. An op that takes a reference (`AssignAdd`, `Apply*`) sees the write before it.
Random number generators are hidden variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import field
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.records import dataclass
from tfc.base.shapes import shape_text
from tfc.ir.builder import Builder, constant_value
from tfc.ir.core import Function, Type, Value
from tfc.passes.arrays import Element, Elements, stacked
from tfc.passes.feed_views import Views, without_views
from tfc.passes.fold import as_constant
from tfc.passes.lessons import Lessons
from tfc.passes.lower_errors import NeedsRoom, NeedsValue, NotNative
from tfc.passes.residuals import Kept, NotTaken, Remade, counted_among, dense, residuals_among
from tfc.passes.shown import at_end
from tfc.passes.versions import (
    NONE,
    Versions,
    handed_on,
    is_snapshot,
    referenced,
    variable_of,
    versions_before,
    write_back,
    written_in,
)
from tfc.passes.wanted import fed_leaves, inputs_behind

MOST_BYTES = 2**63 - 1  # offsets in compiled code are 64 bits wide


@dataclass(frozen=True)
class Ref:
    """A reference to a variable's storage, as ops that take references see it.

    key: name of the variable op (or of the hidden state), under which a Session keeps the content.
    type: type of the latest content; None if there is none yet.
    """

    key: str
    lowering: Lowering = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.key

    @property
    def type(self) -> Type | None:
        value = self.lowering.contents.get((self.key, self.lowering.written.get(self.key, 0)))
        if value is not None:
            return value.type
        return self.lowering.variables.get(self.key)


@dataclass
class Lowered:
    """What `lower` made of the ops it was given."""

    function: Function
    inputs: list[tuple[str, Any]]  # per parameter: ("tensor", Tensor) or ("variable", key)
    outputs: list[tuple[str, Any]]  # per result: ("tensor", Tensor) or ("variable", key)
    states: dict[str, np.ndarray]  # initial content of hidden variables
    fed_statics: list[Any]  # available tensors whose value must be known to go further
    waiting: list[Any]  # ops for later stages, in order
    hosted: set[Any]  # waiting ops that Python runs because of what they are given
    wanted: list[Any]  # tensors whose value some waiting op needs in order to be lowered
    constants: dict[Any, np.ndarray]  # tensors among the outputs that never have another value
    driven: dict[Any, str]  # waiting ops with regions that Python drives, and why
    versions: dict[Any, Versions]  # writes that each lowered op depends on
    written: dict[str, int]  # number of the last write to each variable
    arrays: dict[Any, Elements | NotTaken]  # what is asked for and no one value
    views: Views  # waited for, and not among the outputs: available tensors in other shapes


class Lowering(Builder):
    """The Builder that lowering rules receive: it also knows variables, the op, and constants."""

    def __init__(self, name: str, variables: Mapping[str, Type | None], written: Mapping[str, int]):
        super().__init__(name)
        self.op: Any = None
        self.variables = variables
        self.contents: dict[tuple[str, int], Value] = {}
        self.written = dict(written)
        self.before = dict(written)  # write numbers that the variables' buffers hold now
        self.replaced: dict[str, int] = {}  # of what this op wrote: the write number before it
        self.variable_params: dict[str, Value] = {}
        self.states: dict[str, np.ndarray] = {}
        self.inputs: list[tuple[str, Any]] = []
        self.values: dict[Any, Any] = {}  # tensor -> Value, Ref or Kept; loop -> its count
        self.versions: dict[Any, Versions] = {}  # op -> writes it depends on, itself included
        self.available: dict[Value, Any] = {}  # parameter -> tensor
        self.fed_statics: dict[Any, None] = {}
        self.driven: dict[Any, str] = {}
        self.ragged: Set[Any] = frozenset()
        self.hosted: set[Any] = set()
        self.region_depth = 0
        self.residuals: dict[Any, list[Any]] = {}  # by owner: tensors that gradients want kept
        self.kept: dict[Any, Any] = {}  # what was kept of such a tensor: a Value or a Kept
        self.counted: set[Any] = set()  # loops whose number of iterations is asked for
        self.counts: dict[Any, int] = {}  # loops that always run that often
        self.lessons = Lessons()
        self.distinct: Mapping[Any, Sequence[str]] = {}  # Unique ops that serve updates of these
        self.padded: Set[Any] = frozenset()  # fed tensors with rows that stand for nothing
        self.shown: Mapping[Any, str] = {}  # fetches that are a variable's memory

    def static(self, value: Value) -> np.ndarray:
        """The array `value` stands for; raises NeedsValue if it is not known yet."""
        known = constant_value(value)
        if known is None:
            raise NeedsValue(value)
        return known

    def is_static(self, value: Value) -> bool:
        """Whether `static(value)` would succeed."""
        return constant_value(value) is not None

    def read(self, ref: Ref) -> Value:
        """The latest content of a variable, for an op that takes the reference.

        Raises:
          FailedPreconditionError: the variable has no content.
        """
        return self.content(ref.key, self.written.get(ref.key, 0))

    def write(self, ref: Ref, value: Value) -> Ref:
        """Make `value` the content of the variable from this op on."""
        number = self.written.get(ref.key, 0) + 1
        self.replaced.setdefault(ref.key, number - 1)
        self.written[ref.key] = number
        self.contents[ref.key, number] = value
        return ref

    def overwrite(self, key: str) -> int:
        """The number of a write whose content only a later stage has."""
        self.written[key] = self.written.get(key, 0) + 1
        return self.written[key]

    def state(self, suffix: str, type: Type, init: np.ndarray) -> Ref:
        """Hidden state of the op being lowered, kept per Session, `init` before its first run."""
        key = f"{self.op.name}/{suffix}"
        self.hidden_state(key, type, init)
        return Ref(key, self)

    def hidden_state(self, key: str, type: Type, init: np.ndarray) -> None:
        """Have the hidden state `key` from here on, if it is new."""
        if key not in self.states:
            self.states[key] = np.asarray(init)
            self.variable_param(key, type)

    def assert_(
        self,
        ok: Value,
        payload: Sequence[Value] = (),
        code: str = "InvalidArgumentError",
        message: str = "",
    ) -> None:
        """Fail the run with `message` unless every element of `ok` is true."""
        known = constant_value(ok)
        if known is not None and bool(known.all()):
            return
        p.assert_(self, ok, *payload, code=code, message=message, op=self.op.name)

    def content(self, key: str, number: int) -> Value:
        """Content of variable `key` after its write `number`."""
        value = self.contents.get((key, number))
        if value is not None:
            return value
        if number != self.before.get(key, 0):
            raise errors.InternalError(
                None, self.op, f"variable {key} was overwritten before {self.op.name} could read it"
            )
        type = self.variables.get(key)
        if type is None:
            raise errors.FailedPreconditionError(
                None, self.op, f"Attempting to use uninitialized value {key}"
            )
        return self.variable_param(key, type)

    def snapshot(self, tensor: Any, value: Any, seen: Versions) -> Any:
        """What a taker that depends on the writes `seen` finds in a variable's own read, whose
        value is `value`."""
        if not seen:
            return value
        return handed_on(self, tensor, tensor.op.inputs[0].op.name, value, seen)

    def variable_param(self, key: str, type: Type) -> Value:
        """A parameter for the content of a variable before this stage."""
        value = self.param(type)
        self.inputs.append(("variable", key))
        self.variable_params[key] = value
        self.contents[key, self.before.get(key, 0)] = value
        return value


def lower(
    name: str,
    ops: Sequence[Any],
    fetches: Sequence[Any],
    available: Mapping[Any, Type],
    statics: Mapping[Any, np.ndarray],
    variables: Mapping[str, Type | None],
    versions: Mapping[Any, Versions] | None = None,
    written: Versions = NONE,
    ragged: Set[Any] = frozenset(),
    lessons: Lessons | None = None,
    arrays: Mapping[Any, Elements | NotTaken] | None = None,
    distinct: Mapping[Any, Sequence[str]] | None = None,
    shown: Mapping[Any, str] | None = None,
    padded: Set[Any] = frozenset(),
) -> Lowered:
    """Lower the ops that can run now.

    ops: in order; every input is made by one of them or is a key of `available` or `statics`.
    fetches: tensors whose values are asked for in the end.
    available: tensors that exist, by type; they become parameters.
    statics: tensors that are lowered as constants.
    variables: type of each variable's content before this stage; None or absent: uninitialised.
    versions, written: what earlier stages left (empty for the first).
    ragged: tensors that are Python objects, such as arrays of several shapes.
    lessons: which guesses were wrong before.
    arrays: TensorArrays that exist and are empty, and what is never taken.
    distinct: `Unique` ops that serve updates of rows alone, with the variables
        (`passes/distinct.py`).
    shown: fetches that are a variable's memory, with its key (`passes/shown.py`).
    padded: fed tensors that were given more rows (`passes/padded.py`).

    Raises:
      FailedPreconditionError: an op reads a variable that has no content.
      InvalidArgumentError, ValueError: what an op's lowering finds wrong with its operands.
    """
    lessons = lessons or Lessons()
    while True:
        build = Lowering(name, variables, written)
        build.versions, build.values = dict(versions or {}), dict(arrays or {})
        build.ragged, build.lessons, build.padded = ragged, lessons, padded
        build.distinct, build.shown = distinct or {}, shown or {}
        try:
            return _lowered(build, ops, fetches, available, statics)
        except NeedsRoom as need:
            lessons.make_room(need.owner)


def _lowered(
    build: Lowering,
    ops: Sequence[Any],
    fetches: Sequence[Any],
    available: Mapping[Any, Type],
    statics: Mapping[Any, np.ndarray],
) -> Lowered:
    build.residuals, build.counted = residuals_among(ops), counted_among(ops)
    for tensor, array in statics.items():
        build.values[tensor] = as_constant(build, array)
    for tensor, type in available.items():
        if tensor not in statics:
            value = build.values[tensor] = build.param(type)
            build.inputs.append(("tensor", tensor))
            build.available[value] = tensor
    waiting, wanted = _lower_ops(build, ops, fetches)
    made = _results_of(build, fetches, available, statics, waiting, wanted)
    outputs, results, views = without_views(build, *made, {*fetches}, waiting)
    known = {what: constant_value(r) for (_, what), r in zip(outputs, results, strict=True)}
    asked = _asked(fetches, waiting, wanted)
    attrs = write_back(build, outputs, results)
    return Lowered(
        build.finish(results, attrs),
        build.inputs,
        outputs,
        build.states,
        list(build.fed_statics),
        waiting,
        build.hosted,
        wanted,
        {tensor: array for tensor, array in known.items() if array is not None},
        build.driven,
        build.versions,
        build.written,
        {t: v for t in asked if isinstance(v := build.values.get(t), Elements | NotTaken)},
        views,
    )


def _lower_ops(
    build: Lowering, ops: Sequence[Any], fetches: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Lower what can be lowered; the ops that wait, and the tensors whose values they need."""
    waiting: dict[Any, None] = {}
    wanted: dict[Any, None] = {}
    held: set[str] = set()  # variables that a waiting op writes: later writes wait too
    for op in ops:
        if not _must_wait(build, op, waiting, held):
            needed = _lower_op(build, op)
            if needed is None:
                continue
            wanted.update(dict.fromkeys(needed))
        waiting[op] = None
        # for those that depend on it; they find what its regions write when it has run
        written = {v.name: build.overwrite(v.name) for v in written_in(op)}
        build.versions[op] = {**versions_before(build, op), **written}
        held.update(referenced(op))
    return _still_needed(list(waiting), fetches), list(wanted)


def _still_needed(waiting: list[Any], fetches: Sequence[Any]) -> list[Any]:
    """The waiting ops without the constants that none of them and no fetch needs."""
    asked = {*fetches, *(t for op in waiting for t in op.inputs)}
    return [op for op in waiting if op.type != "Const" or op.outputs[0] in asked]


def _must_wait(build: Lowering, op: Any, waiting: Mapping[Any, None], held: set[str]) -> bool:
    hosted = op.defn.is_host(op) and op not in build.distinct
    if hosted or any(c in waiting for c in op.control_inputs):
        return True
    inputs = [t for t in op.inputs if not op.defn.leaves_out(t)]
    if any(t.op in waiting and t not in build.values for t in inputs):
        return True
    ragged = [t for t in inputs if t in build.ragged]
    if ragged:
        _take_ragged(build, op, ragged)
        return True
    return bool(held) and any(k in held for k in referenced(op))


def _take_ragged(build: Lowering, op: Any, ragged: Sequence[Any]) -> None:
    """Have Python run `op`, which is given arrays of several shapes, or strings."""
    if op.regions:
        text = all(t.dtype.base_dtype.short == "str" for t in ragged)
        build.driven[op] = f"it takes {'strings' if text else 'an array of several shapes'}"
    else:
        _have_hosted(build, op, "cannot take an array whose entries differ in shape")


def _have_hosted(build: Lowering, op: Any, reason: str) -> None:
    """Have Python run `op`, which has no native form for what it is given."""
    if op.defn.host is None:
        raise errors.UnimplementedError(None, op, f"{op.type} '{op.name}': {reason}")
    build.hosted.add(op)


def _lower_op(build: Lowering, op: Any) -> list[Any] | None:
    """Lower one op; None if that worked, else the tensors whose values it has to wait for."""
    build.op, build.loc = op, op.name
    build.replaced.clear()
    seen = versions_before(build, op)
    try:
        lower_one(build, op, seen)
    except NeedsValue as need:
        build.written.update(build.replaced)
        if need.token is not None:
            return [need.token]
        for tensor in fed_leaves(need.value, build.available):
            build.fed_statics[tensor] = None
        return inputs_behind(op, build.values, need.value)
    except NotNative as reason:
        build.written.update(build.replaced)
        if op.regions:
            build.driven[op] = str(reason)
        else:
            _have_hosted(build, op, str(reason))
        return []
    except errors.OpError:
        _raise_what_fails_first(build)
        raise
    return None


def _raise_what_fails_first(build: Lowering) -> None:
    """The error of an assert before, if it is known to fail: it may be what checks the operands of
    an op whose rule has just found that they do not fit."""
    for check in build.ops:
        if check.defn is p.assert_:
            known = [constant_value(v) for v in check.operands]
            try:
                if all(array is not None for array in known):
                    check.defn.eval(*known, **check.kwargs)
            except p.AssertionFailed as failed:
                op = build.op.graph.get_operation_by_name(failed.op)
                raise getattr(errors, failed.code)(None, op, failed.message) from None


def lower_one(build: Lowering, op: Any, seen: Versions) -> None:
    """Lower one op that sees the writes `seen`; the caller has cleared `build.replaced`.

    Raises:
      NeedsValue, NotNative: it cannot be lowered here.
    """
    results = apply_op(build, op, seen)
    changed = {k: build.written[k] for k in build.replaced}
    build.versions[op] = {**seen, **changed} if changed else seen
    for tensor, value in zip(op.outputs, results, strict=True):
        if isinstance(value, Value) and value.type.nbytes > MOST_BYTES:
            raise errors.InvalidArgumentError(
                None,
                op,
                f"Shape {shape_text(value.type.shape)} would have more than 2**63 - 1 bytes",
            )
        build.values.setdefault(tensor, value)


def apply_op(build: Lowering, op: Any, seen: Versions) -> Sequence[Any]:
    if op.outputs and op.outputs[0].dtype.is_ref_dtype and not op.inputs:
        return (Ref(op.name, build),)
    operands: list[Any] = []
    for tensor, is_ref in zip(op.inputs, op.defn.ref_inputs(op), strict=True):
        if op.defn.leaves_out(tensor):
            operands.append(None)
            continue
        value = Ref(variable_of(tensor).name, build) if is_ref else build.values[tensor]
        if isinstance(value, Ref) and not is_ref:
            value = build.content(value.key, seen.get(value.key, 0))
        elif tensor.dtype.is_ref_dtype and not is_ref:
            value = handed_on(build, tensor, variable_of(tensor).name, value, seen)
        elif is_snapshot(tensor):
            value = build.snapshot(tensor, value, seen)
        elif isinstance(value, Kept | Remade) and not op.defn.takes_kept:
            value = dense(build, value)
        if isinstance(value, Elements) and not op.defn.takes_arrays:
            raise NotNative(f"{op.type} takes no TensorArray whose elements differ in shape")
        operands.append(value)
    try:
        return tuple(op.defn.run_lower(build, op, operands))
    except ValueError as error:
        shapes = ", ".join(str(v.type) for v in operands if v and v.type is not None)
        raise errors.InvalidArgumentError(
            None, op, f"{error} for {op.type} '{op.name}' of ({shapes})"
        ) from error


def _asked(
    fetches: Sequence[Any], waiting: Sequence[Any], wanted: Sequence[Any]
) -> dict[Any, None]:
    """Tensors that are fetched or waited for."""
    asked = dict.fromkeys(fetches)
    for op in waiting:
        pairs = zip(op.inputs, op.defn.ref_inputs(op), strict=True)
        asked.update(dict.fromkeys(tensor for tensor, is_ref in pairs if not is_ref))
    asked.update(dict.fromkeys(wanted))
    return asked


def _results_of(
    build: Lowering,
    fetches: Sequence[Any],
    available: Mapping[Any, Type],
    statics: Mapping[Any, np.ndarray],
    waiting: Sequence[Any],
    wanted: Sequence[Any],
) -> tuple[list[tuple[str, Any]], list[Value]]:
    """What the function returns besides variables: tensors that are fetched or waited for."""
    outputs: list[tuple[str, Any]] = []
    results: list[Value] = []
    fetched, awaited = set(fetches), _asked((), waiting, wanted)
    for tensor in _asked(fetches, waiting, wanted):
        if tensor not in build.values or tensor in available or tensor in statics:
            continue
        value = build.values[tensor]
        value = build.values[tensor] = stacked(build, value)
        if isinstance(value, Elements):
            outputs.extend(("tensor", Element(tensor, k)) for k in value.items)
            results.extend(value.items.values())
            continue
        if isinstance(value, Ref):
            if tensor.dtype.base_dtype.short == "str":
                continue  # the content of a string variable stays on the host
            build.op = tensor.op
            number = build.versions.get(tensor.op, NONE).get(value.key, 0)
            if value.type is None and tensor not in fetched:
                continue  # a waiting op reads it, after the op that initialises it
            value = build.content(value.key, number)
        value = dense(build, value)
        if not isinstance(value, Value):
            continue  # what only ops of this stage can take
        if tensor in build.shown and tensor not in awaited:
            build.op = tensor.op
            value = at_end(build, build.shown[tensor], value)
        outputs.append(("tensor", tensor))
        results.append(value)
    return outputs, results
