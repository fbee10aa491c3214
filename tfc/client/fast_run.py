"""Runs that Python does not see: the native entries of a Session.

`Session.run` is a Python method until a signature is met again. Then the code of
`codegen/dispatch` takes its place in the class, in front of it: it looks for an *entry* that is
what was asked for, and if there is one it calls the compiled function and makes the results,
else it calls the Python method with the same arguments. A call that the native code could not
know (a list to be converted, a name as a key, nested fetches) comes back to it from the Python
method as `attempt`, with converted values and flat fetches.

What can be an entry is decided here, in `_bound`: a plan of one stage, of native code only, without
values that decide shapes, which writes each variable where it lies. Calls with loops are watched
(`interrupt.py`): one that is stopped is done again by Python, where signal handlers run. Sessions
with a time limit have no entries. An entry holds the addresses of cells,
not of variables: a variable may get other memory. It is good as long as the graph is not changed
but by appending and no variable appears or changes its type; the native code looks at both counts
in each run, and entries that are out of date are thrown away here. `close` changes the latter.

Entries are records that `codegen/dispatch/layout.py` describes, in arrays that the `_Entry` keeps,
together with all objects whose addresses are in them: an object that is held cannot be another one
at the same address. The native code holds the `_Entry` while it runs it. There are at most
MOST_ENTRIES; then one that was not used lately goes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfc import compiler
from tfc.base.cells import Cell
from tfc.base.uninterrupted import Uninterrupted
from tfc.client.fetches import Fetches, Part, flat_form, name_or_id
from tfc.client.plan import Plan, Stage
from tfc.client.runtime import Runtime
from tfc.client.state import pool_for
from tfc.codegen.dispatch import convert
from tfc.codegen.dispatch.layout import (
    Entry,
    Feed,
    Kind,
    Node,
    Number,
    Output,
    Table,
    Variable,
)
from tfc.framework.graph import Graph
from tfc.framework.operation import Tensor

MOST_ENTRIES = 128
LONG_NS = 10_000.0  # of a function's estimated time, from which on the GIL is released
_NUMBERS: dict[type, Number] = {
    np.float32: Number.FLOAT32,
    np.float64: Number.FLOAT64,
    np.bool_: Number.BOOL,
}
_TAKEN: dict[Number, tuple[type, ...]] = {
    Number.NONE: (),
    Number.FLOAT32: (float, np.float64, int, np.int64, np.int32),
    Number.FLOAT64: (float, int, np.int64, np.int32, np.float32),
    Number.INTEGER: (int, np.int64, np.int32),
    Number.BOOL: (bool,),
}
"""The types whose values native code converts, beside the numpy scalar of the dtype itself."""
MOST_OFFERS = 8  # of a stage; later only each OFFER_EVERY-th one is looked at
OFFER_EVERY = 64
HELPED = 32  # runs through `attempt` from one look to the next


class Call(NamedTuple):
    """What an entry is for. items: the objects that are fetched (of a dict, keys and values).
    elements: what they stand for. part: the whole of what is nested. keys: the fed tensors, in
    order. rooms: those of them whose values native code converts, and needs room for. names: what
    the keys were called by, if not themselves."""

    kind: Kind
    items: Sequence[Any]
    elements: Sequence[Any]
    part: Part | None
    keys: Sequence[Tensor]
    rooms: frozenset[Tensor] = frozenset()
    names: Sequence[Any] = ()


def flat_call(fetched: Fetches, keys: Sequence[Tensor]) -> Call:
    """What the Python method makes of any run."""
    return Call(Kind.LIST, fetched.elements, fetched.elements, None, keys)


def calls_of(
    graph: Graph,
    fetched: Fetches,
    fetches: Any,
    feed_dict: Any,
    keys: Sequence[Tensor],
    values: Mapping[Tensor, np.ndarray],
) -> list[Call]:
    """What a run may be known by: as it was called, if native code can make out the structure of
    the fetches and take the values as they are; then what the Python method makes of it."""
    form = flat_form(graph, fetches)
    direct = not feed_dict or (
        type(feed_dict) is dict
        and len(feed_dict) == len(keys)
        and all(type(key) in (Tensor, str) for key in feed_dict)
        and all(is_direct(v, values[k]) for k, v in zip(keys, feed_dict.values(), strict=True))
    )
    flat = flat_call(fetched, keys)
    if form is None or not direct:
        return [flat]
    given = feed_dict or {}
    rooms = rooms_of(keys, list(given.values()), values)
    return [Call(*form, keys, rooms, tuple(given)), flat]


def is_direct(value: Any, array: np.ndarray) -> bool:
    """Whether native code takes a fed value, which was converted to `array`, without help; of a
    list it may turn out that it does not."""
    if value is array:
        return True
    kind = type(value)
    if kind is np.ndarray:
        return value.dtype.num == array.dtype.num or (
            _is_real(value.dtype) and _is_real(array.dtype)
        )
    if kind is list:
        return array.ndim > 0 and _conversion(array.dtype) is not Number.NONE
    return array.ndim == 0 and (
        kind is array.dtype.type or kind in _TAKEN[_conversion(array.dtype)]
    )


def rooms_of(
    keys: Sequence[Tensor], given: Sequence[Any], values: Mapping[Tensor, np.ndarray]
) -> frozenset[Tensor]:
    """The tensors whose fed values are converted, but for single numbers."""
    return frozenset(
        key
        for key, value in zip(keys, given, strict=True)
        if value is not values[key] and type(value) in (np.ndarray, list)
    )


def _is_real(dtype: np.dtype) -> bool:
    """Whether numpy converts arrays of real numbers to and from this dtype by their values."""
    return 0 <= dtype.num <= convert.BOOL_TO_FLOAT64 or dtype.num == convert.FLOAT16


def _conversion(dtype: np.dtype) -> Number:
    """How Python numbers become elements of `dtype`."""
    return Number.INTEGER if dtype.kind in "iu" else _NUMBERS.get(dtype.type, Number.NONE)


class FastRuns:
    """The entries of a Session, or those of one callable. `table`: what native code is given."""

    def __init__(
        self,
        graph: Graph,
        runtime: Runtime,
        install: Callable[[], bool],
        runs: np.ndarray | None = None,
    ):
        """install: makes native dispatch ready; false if it cannot be had. runs: where native runs
        are counted, if not here."""
        self._runtime, self._install = runtime, install
        self._mutations = graph.mutations_cell
        self.table = np.zeros(len(Table), np.int64)
        self.table[Table.MUTATIONS] = self._mutations.address
        self.table[Table.GENERATION] = runtime.store.generation_cell.address
        self.runs = np.zeros(1, np.int64) if runs is None else runs
        self._told = self._helped = 0
        self._entries: dict[Any, _Entry] = {}  # the newest one is last, and first in the chain
        # Never waited for: finalizers that run in the middle of it may come back here.
        self._lock = threading.Lock()

    def is_time_to_look(self) -> bool:
        """Now and then true. A run that Python made known to native code is to be offered as it is
        then: it may be one that needs no help."""
        self._helped += 1
        return self._helped % HELPED == 0

    def new_runs(self) -> int:
        """Native runs since the last time this was asked."""
        now, before = int(self.runs[0]), self._told
        self._told = now
        return now - before

    def clear(self) -> None:
        """Forget all entries, unless somebody is adding one, which will be out of date."""
        self._alone(self._clear)

    def _alone(self, change: Callable[[], object]) -> None:
        """Make a change, unless somebody is in the middle of one."""
        with Uninterrupted():
            if self._lock.acquire(blocking=False):
                try:
                    change()
                finally:
                    self._lock.release()

    def _clear(self) -> None:
        self.table[Table.FIRST] = 0
        for entry in self._entries.values():
            entry.record[Entry.FAILED] = 1  # a call that is under way may look at it again
        self._entries.clear()

    def offer(
        self,
        calls: Callable[[], Sequence[Call]],
        plan: Plan,
        fed: Mapping[Tensor, np.ndarray],
        mutations: int,
        eager: bool = False,
    ) -> None:
        """Make an entry for the first of `calls` that has none. They are what `plan` runs, which
        was made when the graph had been changed `mutations` times. Not if its stage is met for the
        first time, unless `eager`; and seldom if it has been offered often: it is then something
        else that keeps native code from it."""
        store = self._runtime.store
        now = (self._mutations.value, store.generation)
        stage = plan.stage_of(self._runtime, fed)
        if stage is None or now[0] != mutations:
            return
        stage.offers += 1
        if not eager and (
            stage.offers == 1 or (stage.offers > MOST_OFFERS and stage.offers % OFFER_EVERY)
        ):
            return
        wanted = calls()
        bound = _bound(stage, wanted[0]) if self._install() else None
        if bound is None:
            plan.direct = False
            return
        some = bound

        def add() -> None:
            self._forget_old(now)
            any(self._add(call, some, fed) for call in wanted)

        self._alone(add)

    def _forget_old(self, now: tuple[int, int]) -> None:
        """Entries are for the graph and the variables as they are `now`."""
        if now != (self.table[Table.MUTATIONS_THEN], self.table[Table.GENERATION_THEN]):
            self._clear()
            self.table[Table.MUTATIONS_THEN], self.table[Table.GENERATION_THEN] = now

    def _add(self, call: Call, bound: _Bound, fed: Mapping[Tensor, np.ndarray]) -> bool:
        """Make an entry for `call`; false if there is one already."""
        key = _key(call, fed)
        known = self._entries.get(key)
        if known is not None:
            if known.is_for(bound.stage):
                if known.rooms >= call.rooms:
                    return False
                call = call._replace(rooms=known.rooms | call.rooms)
            self._remove(key)
        if len(self._entries) >= MOST_ENTRIES:
            self._evict()
        entry = _Entry(call, bound, fed, self._runtime, self.runs, self.table)
        entry.record[Entry.NEXT] = self.table[Table.FIRST]
        self._entries[key] = entry  # held before native code may find it
        self.table[Table.FIRST] = entry.address
        return True

    def _evict(self) -> None:
        """Remove the oldest entry that was not used since all had been."""
        unused = [key for key, entry in self._entries.items() if not entry.record[Entry.USED]]
        if not unused:
            for entry in self._entries.values():
                entry.record[Entry.USED] = 0
            unused = list(self._entries)
        self._remove(unused[0])

    def _remove(self, key: Any) -> None:
        """Take an entry out of the chain, and then let it go: whoever pointed to it points to the
        one behind it."""
        gone, known = self._entries[key], {e.address: e.record for e in self._entries.values()}
        gone.record[Entry.FAILED] = 1
        holder, field = self.table, int(Table.FIRST)
        while (address := int(holder[field])) not in (gone.address, 0):
            holder, field = known[address], int(Entry.NEXT)
        if address:
            holder[field] = gone.record[Entry.NEXT]
        del self._entries[key]


class FastCallable:
    """What `make_callable` returns the method `call` of, which is native. The slots are where the
    native code looks for the entries, and for the function that does what it cannot."""

    __slots__ = ("__weakref__", "_dispatch", "_python")

    call: Callable[..., Any]

    def __init__(self, table: np.ndarray, python: Callable[..., Any]):
        self._dispatch, self._python = table, python


class _Bound(NamedTuple):
    """How a call's elements and feeds are those of a stage's native function."""

    stage: Stage
    executable: compiler.Executable
    places: dict[Any, int]  # fed tensor or variable -> parameter
    results: dict[Tensor, int]  # tensor -> output


def _bound(stage: Stage, call: Call) -> _Bound | None:
    """None if native code cannot run `stage` alone."""
    executable = stage.executable
    if executable is None or not stage.is_last:
        return None
    places = {what: k for k, (_, what) in enumerate(stage.inputs)}
    results = {}
    for k, output in enumerate(stage.outputs):
        if output.donor is not None:
            if stage.inputs[output.donor][0] != "variable":
                return None
        elif output.is_variable or output.dtype == object:
            return None
        else:
            results[output.what] = k
    if any(kind == "tensor" and what not in call.keys for kind, what in stage.inputs):
        return None
    if any(isinstance(e, Tensor) and e not in results for e in call.elements):
        return None  # fed, or made in Python
    return _Bound(stage, executable, places, results)


def _key(call: Call, fed: Mapping[Tensor, np.ndarray]) -> Any:
    types = tuple((fed[t].dtype, fed[t].shape) for t in call.keys)
    items = call.part.key() if call.part else tuple(map(name_or_id, call.items))
    return call.kind, items, tuple(map(name_or_id, call.names or call.keys)), types


class _Entry:
    """An ENTRY record, and what must live as long as it."""

    __slots__ = ("_holds", "_kept", "_stage", "address", "record", "rooms")

    def __init__(
        self,
        call: Call,
        bound: _Bound,
        fed: Mapping[Tensor, np.ndarray],
        runtime: Runtime,
        runs: np.ndarray,
        table: np.ndarray,
    ):
        self._stage, self.rooms = bound.stage, call.rooms
        made = [output for output in bound.stage.outputs if output.donor is None]
        pooled = any(pool_for(output.shape, np.dtype(output.dtype)) for output in made)
        self._holds = bool(call.rooms) or pooled
        lent = bound.executable.lent(runtime.threads)
        self._kept: list[Any] = [call, runtime, runs, table, lent]
        if bound.executable.has_loops:
            runtime.calls.watch(lent)
        feeds = [
            word
            for tensor, name in zip(call.keys, call.names or call.keys, strict=True)
            for word in self._feed(tensor, name, fed[tensor], bound.places.get(tensor), lent)
        ]
        variables = self._variables(bound, runtime, lent)
        fresh = [k for k, output in enumerate(bound.stage.outputs) if output.donor is None]
        first = self._words([w for k in fresh for w in self._output(bound.stage, k, lent)])
        at = {k: first + 8 * len(Output) * n for n, k in enumerate(fresh)}
        outputs = {e: at[bound.results[e]] for e in call.elements if isinstance(e, Tensor)}
        results = [outputs.get(e, 0) for e in call.elements]
        root = self._words(self._node(call.part, outputs)) if call.part else 0
        self._kept += [*call.items, *call.keys]
        is_long = bound.executable.has_loops or bound.executable.estimated_ns >= LONG_NS
        lock, unlock = runtime.lock.acquire, runtime.lock.release
        self._kept += [lock, unlock]
        fields = {
            Entry.TABLE: table.ctypes.data,
            Entry.OWNER: id(self),
            Entry.KIND: call.kind,
            Entry.ITEMS_COUNT: len(call.elements),
            Entry.ITEMS: self._words([id(item) for item in call.items]),
            Entry.RESULTS: self._words(results),
            Entry.FEEDS_COUNT: len(call.keys),
            Entry.FEEDS: self._words(feeds),
            Entry.VARIABLES_COUNT: len(variables) // len(Variable),
            Entry.VARIABLES: self._words(variables),
            Entry.OUTPUTS_COUNT: len(fresh),
            Entry.OUTPUTS: first,
            Entry.CONTEXT: lent.record.ctypes.data,
            Entry.LOCK: id(lock) if bound.stage.touches_variables else 0,
            Entry.UNLOCK: id(unlock),
            Entry.LONG: int(is_long),
            Entry.RUNS: runs.ctypes.data,
            Entry.ROOT: root,
            Entry.CONVERTS: int(self._holds),
        }
        self.record = np.array([fields.get(field, 0) for field in Entry], np.int64)
        self.address = self.record.ctypes.data

    def is_for(self, stage: Stage) -> bool:
        """Whether the entry runs `stage`, and is to be used again."""
        return self._stage is stage and not self.record[Entry.FAILED]

    def _words(self, values: Sequence[int]) -> int:
        """The address of memory that holds `values`."""
        array = np.array([*values, 0], np.int64)
        self._kept.append(array)
        return int(array.ctypes.data)

    def _node(self, part: Part, outputs: Mapping[Any, int]) -> list[int]:
        """A NODE. outputs: OUTPUTs of tensors."""
        self._kept.append(part)
        fields = {
            Node.KIND: part.kind,
            Node.OBJECT: id(part.object),
            Node.COUNT: len(part.children),
            Node.CHILDREN: self._words([w for p in part.children for w in self._node(p, outputs)]),
            Node.KEYS: self._words([id(key) for key in part.keys]),
            Node.RESULT: outputs.get(part.element, 0),
            Node.MAKE: id(part.make) if part.make else 0,
        }
        return [int(fields[field]) for field in Node]

    def _cell(self) -> int:
        """The address of room for one element."""
        return self._words([0, 0])

    def _feed(
        self,
        tensor: Tensor,
        name: Any,
        array: np.ndarray,
        place: int | None,
        lent: compiler.LentContext,
    ) -> list[int]:
        """A FEED, known by `name`. One that the function does not take is checked all the same."""
        dtype = array.dtype
        limits = np.iinfo(dtype) if dtype.kind in "iu" else None
        room = np.empty(array.shape, dtype) if tensor in self.rooms else None
        self._kept += [dtype, dtype.type, room]
        fields = {
            Feed.KEY: id(name),
            Feed.DESCR: id(dtype),
            Feed.NUMBER: dtype.num,
            Feed.RANK: array.ndim,
            Feed.DIMS: self._words(array.shape),
            Feed.SLOT: self._cell() if place is None else lent.slot(place),
            Feed.SCALAR: id(dtype.type),
            Feed.CONVERSION: _conversion(dtype),
            Feed.LEAST: int(limits.min) if limits else 0,
            Feed.MOST: min(int(limits.max), 2**63 - 1) if limits else 0,
            Feed.CELL: self._cell(),
            Feed.SIZE: dtype.itemsize,
            Feed.REAL: int(_is_real(dtype)),
            Feed.ROOM: 0 if room is None else id(room),
            Feed.HELD: int(self._holds),
        }
        return [int(fields.get(field, 0)) for field in Feed]

    def _variables(self, bound: _Bound, runtime: Runtime, lent: compiler.LentContext) -> list[int]:
        """A VARIABLE for each parameter, each result in a parameter's buffer, and all that is kept.
        The versions of what is only read are a number that nobody looks at."""
        stage, store, ignored = bound.stage, runtime.store, Cell()
        count = len(stage.inputs)
        taken = [
            (store.cell(what), place, ignored)
            for place, (kind, what) in enumerate(stage.inputs)
            if kind == "variable"
        ]
        for place, output in enumerate(stage.outputs, count):
            if output.donor is not None:
                key = stage.inputs[output.donor][1]
                taken.append((store.cell(key), place, store.version(key)))
        for place, panels in enumerate(stage.kept(store), count + len(stage.outputs)):
            self._kept.append(panels)
            taken.append((panels.cell, place, ignored))
        words = []
        for cell, place, version in taken:
            self._kept += [cell, version]
            words += [cell.address, lent.slot(place), version.address]
        return words

    def _output(self, stage: Stage, number: int, lent: compiler.LentContext) -> list[int]:
        """An OUTPUT."""
        output = stage.outputs[number]
        dtype = np.dtype(output.dtype)
        pool = pool_for(output.shape, dtype)
        self._kept += [dtype, pool]
        fields = {
            Output.DESCR: id(dtype),
            Output.RANK: len(output.shape),
            Output.DIMS: self._words(output.shape),
            Output.SLOT: lent.slot(len(stage.inputs) + number),
            Output.CELL: self._cell(),
            Output.HANDLER: id(pool.handler) if pool else 0,
        }
        return [fields.get(field, 0) for field in Output]
