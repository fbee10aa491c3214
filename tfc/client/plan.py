"""Plans: how one set of fetches over one set of fed tensors runs, as stages.

Nearly every program is one stage: one native function. A host op (strings, files, `py_func`) or a
shape that depends on data ends a stage; what waits is lowered as a further Function when the
values exist, and cached by the types (and the values that decide shapes) that it met. A `Branch`
is a place where lowering goes on; a `Stage` is what it became for one signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from tfc import compiler
from tfc.base import dtypes, errors
from tfc.base.collector import no_collections
from tfc.base.records import dataclass
from tfc.client.driven import DrivenOp
from tfc.client.feeds import as_bytes, check_references, not_fed
from tfc.client.functions import Functions
from tfc.client.host import empty_arrays, object_array, run_host_op, value_of
from tfc.client.interrupt import check_deadline
from tfc.client.kept import KeptPanels
from tfc.client.needed import needed_ops
from tfc.client.outputs import Output, new_array
from tfc.client.runtime import Runtime, WrongGuess, call_native
from tfc.client.stage_cache import StageCache
from tfc.client.state import Changed, VariableStore
from tfc.framework.operation import Operation, Tensor
from tfc.framework.regions import Region
from tfc.ir.core import Type
from tfc.passes.arrays import Elements
from tfc.passes.distinct import distinct_among
from tfc.passes.feed_views import Views
from tfc.passes.lessons import Lessons
from tfc.passes.live import region_ops
from tfc.passes.lower import Lowered, lower
from tfc.passes.padded import MOST_EXACT, Padding
from tfc.passes.residuals import NotTaken, residuals_among
from tfc.passes.shown import shown_at_end
from tfc.runtime.python_abi import address_of

Environment = dict[Tensor, np.ndarray]


@dataclass
class Stage:
    """One native function, how it is bound, and the branch that goes on after it."""

    executable: compiler.Executable | None  # None: nothing to compute
    inputs: list[tuple[str, Any]]
    variables: dict[str, Type]  # those among them
    outputs: list[Output]
    touches_variables: bool
    host_ops: list[Operation]  # run in this order after the function
    driven: dict[Operation, DrivenOp]  # those of them that have regions
    arrays: dict[Tensor, Elements | NotTaken]  # TensorArrays that its results are elements of
    views: Views  # what its arguments are in other shapes
    rest: Branch | None
    offers: int = 0  # to native dispatch

    @cached_property
    def written(self) -> list[str]:
        """The variables that the function writes where they lie."""
        return [output.what for output in self.outputs if output.donor is not None]

    def kept(self, store: VariableStore) -> list[KeptPanels]:
        """What the function keeps between runs, in the order of its buffer table."""
        if self.executable is None or not self.executable.kept:
            return []
        first = self.executable.buffers - len(self.executable.code.constants)
        return [
            store.kept(
                self.inputs[form.slot][1]
                if form.slot < len(self.inputs)
                else self.executable.code.constants[form.slot - first],
                form,
            )
            for form in self.executable.kept
        ]

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to do after the native function."""
        return self.rest is None and not self.host_ops and not self.arrays

    def call(self, runtime: Runtime, values: Environment) -> None:
        """Run the native function. What it writes of variables is theirs when it returns."""
        if self.executable is None:
            return
        runtime.statistics.native_calls += 1
        if not self.touches_variables:
            self._call(runtime, values)
            return
        with runtime.lock:
            runtime.check_open()
            self._call(runtime, values)

    def run_host_ops(self, runtime: Runtime, values: Environment) -> None:
        for tensor, (source, shape) in self.views.items():
            values[tensor] = values[source].reshape(shape)
        for tensor, array in self.arrays.items():
            values[tensor] = object_array(tensor, array, values)
        for op in self.host_ops:
            runtime.statistics.host_stages += 1
            driven = self.driven.get(op)
            if driven is not None:
                results = driven.run(runtime, values)
            else:
                functions = Functions(runtime, Plan) if op.defn.takes_session else None
                results = run_host_op(op, values, runtime.store, runtime.deadline, functions)
            for tensor, result in zip(op.outputs, results, strict=True):
                values.setdefault(tensor, result)  # what is fed stays

    def _call(self, runtime: Runtime, values: Environment) -> None:
        store = runtime.store
        held = store.held(self.variables)
        addresses = [
            address_of(values[what]) if kind == "tensor" else held[what].address
            for kind, what in self.inputs
        ]
        fresh = []
        for output in self.outputs:
            if output.donor is not None:
                addresses.append(addresses[output.donor])
                continue
            array = new_array(runtime.graph, output)
            fresh.append((output, array))
            addresses.append(address_of(array))
        assert self.executable is not None
        kept = self.kept(store)  # lives until the call has ended
        addresses += [panels.address for panels in kept]
        with store.writing(self.written) if self.written else nullcontext():
            call_native(runtime, self.executable, addresses, held)
        for output, array in fresh:
            if output.is_variable:
                store.put(output.what, array)
            else:
                values[output.what] = array


class Branch:
    """Ops still to be lowered, and the stages they became for the signatures met so far.

    tensors: what exists when the branch is reached. statics: those of them whose values belong to
    the signature, because they decide a shape.
    """

    def __init__(
        self,
        plan: Plan,
        ops: Sequence[Operation],
        tensors: Sequence[Tensor],
        statics: Iterable[Tensor] = (),
        after: Lowered | None = None,
        constants: Mapping[Tensor, np.ndarray] | None = None,
        padded: Set[Tensor] = frozenset(),
    ):
        self.padded = padded
        self.plan, self.ops, self.tensors = plan, ops, list(tensors)
        self.statics = dict.fromkeys(statics)
        self.versions = after.versions if after else {}
        self.written = after.written if after else {}
        self.constants = constants or {}
        self.arrays = empty_arrays(after.arrays) if after else {}
        self.variables = list(plan.variables)
        self.stages = StageCache()
        self._types: tuple[int, tuple[Any, ...]] = (-1, ())  # as of that generation

    def run(self, runtime: Runtime, values: Environment) -> Stage:
        """Run the stage for these values.

        With variables the choice and the call are one step: their types may change in between.
        """
        if runtime.deadline is not None:
            check_deadline(runtime.deadline)
        while True:
            try:
                if self.variables:
                    with runtime.locked_in_time() if runtime.deadline else runtime.lock:
                        runtime.check_open()
                        stage = self._stage(runtime, values)
                        stage.call(runtime, values)
                else:
                    stage = self._stage(runtime, values)
                    stage.call(runtime, values)
                break
            except Changed:
                continue
            except WrongGuess as wrong:
                self.plan.lessons.learn(*wrong.lesson)
                self.stages.drop(self._key(runtime, values))
        stage.run_host_ops(runtime, values)
        return stage

    def _stage(self, runtime: Runtime, values: Environment) -> Stage:
        """The stage for these values, compiled now if their signature is new."""
        found: Stage | None = self.stages.get(self._key(runtime, values))
        if found is not None:
            runtime.statistics.hits += 1
            return found
        with runtime.lock, no_collections():
            return self._compile(runtime, values)

    def _key(self, runtime: Runtime, values: Mapping[Tensor, np.ndarray]) -> Any:
        known, generation = self._types, runtime.store.generation
        if known[0] != generation:  # asked for first: what changes meanwhile makes a new one
            known = generation, tuple(runtime.store.types(self.variables).values())
            self._types = known
        arrays = [values[t] for t in self.tensors]
        types = tuple([(a.dtype, a.shape) for a in arrays])
        if not self.statics:
            return types, known[1]
        return types, known[1], tuple(_contents(values[t]) for t in self.statics)

    def _compile(self, runtime: Runtime, values: Environment) -> Stage:
        available = {
            t: Type(t.dtype.base_dtype.short, values[t].shape)
            for t in self.tensors
            if values[t].dtype != object
        }
        while True:
            lowered = lower(
                self.plan.name,
                self.ops,
                self.plan.tensors,
                available,
                {**self.constants, **{t: values[t] for t in self.statics}},
                runtime.store.types(self.variables),
                self.versions,
                self.written,
                {t for t in self.tensors if t not in available},
                self.plan.lessons,
                self.arrays,
                self.plan.distinct,
                self.plan.shown,
                self.padded,
            )
            more = [t for t in lowered.fed_statics if t not in self.statics]
            if not more:
                break
            self.statics.update(dict.fromkeys(more))
        stage = self._make_stage(runtime, lowered)
        key = self._key(runtime, values)
        self.stages.put(key, stage, self.tensors, list(self.statics))
        return stage

    def _make_stage(self, runtime: Runtime, lowered: Lowered) -> Stage:
        executable, donors = None, {}
        runtime.store.put_missing(lowered.states)
        self.plan.states.update(lowered.states)
        if lowered.outputs or any(op.defn.effects for op in lowered.function.ops):
            signature = self.plan.describe(lowered.inputs)
            executable = compiler.compile_function(lowered.function, signature, runtime.options())
            donors = executable.donated
            runtime.statistics.misses += 1
            runtime.statistics.compile_seconds += executable.seconds
        outputs = [
            Output(
                kind == "variable",
                what,
                result.type.shape,
                dtypes.numpy_dtype(result.type.dtype),
                donors.get(index),
            )
            for index, ((kind, what), result) in enumerate(
                zip(lowered.outputs, lowered.function.results, strict=True)
            )
        ]
        touches = any(kind == "variable" for kind, _ in [*lowered.inputs, *lowered.outputs])
        named = zip(lowered.inputs, lowered.function.params, strict=True)
        variables = {what: param.type for (kind, what), param in named if kind == "variable"}
        exists = dict.fromkeys(self.tensors)
        exists.update(dict.fromkeys(o.what for o in outputs if not o.is_variable))
        exists.update(dict.fromkeys((*lowered.arrays, *lowered.views)))
        by_python = lowered.hosted.union(lowered.driven)
        by_python.update(op for op in lowered.waiting if self.plan.is_host(op))
        host_ops, rest = _runnable_host_ops(lowered.waiting, exists, by_python)
        wanted = residuals_among(self.ops)
        driven = {
            op: DrivenOp(op, lowered.driven[op], wanted.get(op, ()), self.plan.of_region)
            for op in host_ops
            if op.regions
        }
        branch = None
        if rest:
            statics = [t for t in lowered.wanted if t in exists]
            goes_on = host_ops or outputs or len(rest) < len(self.ops)
            if not goes_on and self.statics.keys() >= {*statics}:
                _stuck(rest[0])
            taken = {*statics, *(t for op in rest for t in op.inputs)}
            empty = empty_arrays(lowered.arrays)
            tensors = [t for t in exists if t in taken and t not in empty]
            constants = {**self.constants, **lowered.constants}
            known = {t: constants[t] for t in tensors if t in constants}
            branch = Branch(self.plan, rest, tensors, statics, lowered, known, self.padded)
        return Stage(
            executable, lowered.inputs, variables, outputs, touches, host_ops, driven,
            lowered.arrays, lowered.views, branch,
        )  # fmt: skip


class Plan:
    """How `elements` run in a Session when `fed` is fed."""

    def __init__(
        self,
        elements: Sequence[Any],
        fed: Sequence[Tensor],
        ops: Sequence[Operation] | None = None,
    ):
        self.elements, self.fed = elements, frozenset(fed)
        self.tensors = [e for e in elements if isinstance(e, Tensor)]
        self.string_feeds = [t for t in fed if t.dtype.short == "str"]
        self.ops = needed_ops(elements, self.fed) if ops is None else list(ops)
        for op in self.ops:
            if op.type == "Placeholder":
                not_fed(op)
            if not self.fed.isdisjoint(op.inputs):
                check_references(op, self.fed)
        self.variables = [op.name for op in self.ops if is_variable(op)]
        self.distinct = distinct_among(self.ops, self.tensors, self.fed)
        self.shown = shown_at_end(self.tensors, self.fed) if ops is None else {}
        names = [e.name for e in elements]
        self.lessons = Lessons()
        self.states: dict[str, np.ndarray] = {}  # hidden variables of its stages, at first
        self.name = "run"
        self.fetch_names = ", ".join(names)
        used = {t for op in self.ops for t in op.inputs}
        used.update(self.tensors)
        self.root = Branch(self, self.ops, [t for t in fed if t in used])
        self.padding = Padding(self.ops, frozenset(self.tensors), self.fed) if ops is None else None
        self.padded: Branch | None = None  # begins with fed rows added, which stand for nothing
        self.direct = not self.string_feeds  # native dispatch may know how to run it

    def of_region(
        self,
        region: Region,
        results: Sequence[Tensor],
        fed: Sequence[Tensor],
        kept: Sequence[Tensor],
        reads: Set[Tensor],
    ) -> Plan:
        """The plan of a region of one of the ops: some results, and the tensors `kept`. It makes
        the `reads` of variables outside itself. What it is fed is no user's: strings are bytes
        already, or TensorArrays of them."""
        wanted = [*results, *kept]
        plan = Plan(wanted, fed, region_ops(region, wanted, reads))
        plan.string_feeds, plan.states = [], self.states
        return plan

    def is_host(self, op: Operation) -> bool:
        """Whether Python runs `op` whatever it is given."""
        return op.defn.is_host(op) and op not in self.distinct

    def compile(self, runtime: Runtime, values: Environment) -> bool:
        """Compile the first stage for these values; false if it is there."""
        with runtime.lock:
            runtime.check_open()
            if self.stage_of(runtime, values) is not None:
                return False
            self.root._compile(runtime, values)
        return True

    def stage_of(self, runtime: Runtime, fed: Mapping[Tensor, np.ndarray]) -> Stage | None:
        """The first stage for these values, if it is there and no value decides a shape."""
        root = self.root
        self.direct = self.direct and not root.statics
        if not self.direct:
            return None
        found: Stage | None = root.stages.get(root._key(runtime, fed))
        return found

    def describe(self, inputs: Sequence[tuple[str, Any]]) -> str:
        """One line that names this plan in dumps."""
        feeds = ", ".join(what.name for kind, what in inputs if kind == "tensor")
        return f"fetch {self.fetch_names or 'nothing'}" + (f"; feed {feeds}" if feeds else "")

    def run(self, runtime: Runtime, values: Environment) -> list[Any]:
        """Arrays for the fetched elements (None for operations), from the fed `values`."""
        fed = dict(values)
        for tensor in self.string_feeds:
            values[tensor] = as_bytes(values[tensor])
        stage = self._root_for(runtime, values).run(runtime, values)
        if not stage.is_last:
            while stage.rest is not None:
                stage = stage.rest.run(runtime, values)
            self._show(runtime, values)
        if runtime.deadline is not None:
            check_deadline(runtime.deadline)
        values.update(fed)
        return [self._fetched(e, values, runtime.store) for e in self.elements]

    def _root_for(self, runtime: Runtime, values: Environment) -> Branch:
        """Where the run begins. Sparse tensors get more rows in `values`, if it begins there where
        they have some."""
        root, padding = self.root, self.padding
        if padding is None or not padding.pairs or len(root.stages) < MOST_EXACT:
            return root
        if root.stages.get(root._key(runtime, values)) is not None or not padding.pad(values):
            return root
        if self.padded is None:
            self.padded = Branch(self, padding.ops, root.tensors, root.statics, padded=padding.fed)
        return self.padded

    def _show(self, runtime: Runtime, values: Environment) -> None:
        """Put what later stages left of variables in the place of what was fetched of them."""
        with runtime.lock if self.shown else nullcontext():
            for tensor, key in self.shown.items():
                last, value = runtime.store.get(key), values.get(tensor)
                if last is not None and value is not None and last.array.size == value.size:
                    values[tensor] = last.array.reshape(value.shape).copy()

    def _fetched(
        self, element: Any, values: Environment, store: VariableStore
    ) -> np.ndarray | None:
        """A fetched array is the caller's own, so a fetched feed is a copy."""
        if not isinstance(element, Tensor):
            return None
        array = value_of(element, values, store)
        shared = element in self.fed or array.dtype == object
        return array.copy() if shared else array


def is_variable(op: Operation) -> bool:
    """Whether the op owns a variable's storage."""
    return not op.inputs and bool(op.outputs) and op.outputs[0].dtype.is_ref_dtype


def _runnable_host_ops(
    waiting: Sequence[Operation], exists: Mapping[Tensor, Any], by_python: Set[Operation]
) -> tuple[list[Operation], list[Operation]]:
    """The host ops among `waiting` that need nothing but what exists, and the rest."""
    known = dict(exists)
    host_ops: list[Operation] = []
    rest: dict[Operation, None] = {}
    for op in waiting:
        if op in by_python and _is_ready(op, known, rest):
            host_ops.append(op)
            known.update(dict.fromkeys(op.outputs))
        else:
            rest[op] = None
    if isinstance(exists, dict):
        exists.update(known)
    return host_ops, list(rest)


def _is_ready(op: Operation, known: Mapping[Tensor, Any], rest: Mapping[Operation, None]) -> bool:
    """Whether all that a host op takes is known; references are looked up when it runs."""
    pairs = zip(op.inputs, op.defn.ref_inputs(op), strict=True)
    missing = (t for t, is_ref in pairs if not is_ref and t not in known)
    if any(not t.dtype.is_ref_dtype or t.op in rest for t in missing):
        return False
    return not any(c in rest for c in op.control_inputs)


def _contents(array: np.ndarray) -> Any:
    return tuple(array.ravel().tolist()) if array.dtype == object else array.tobytes()


def _stuck(op: Operation) -> None:
    raise errors.InternalError(
        None, op, f"{op.type} {op.name!r} can neither be lowered nor run on the host"
    )
