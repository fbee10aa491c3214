"""Session.run_loop: the same step many times, as native loops.

A `LoopPlan` is to `run_loop` what a Plan is to `run`: what is fetched and fed how, and the loops
compiled for it. A `LoopRun` is one call of it. The loop is entered again and again, for a tenth of
a second each time; in between Python looks after signals, callbacks and other threads. What a call
has done stays done (`passes/repeat.py`), so nothing depends on where a call ended.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from tfc import compiler
from tfc.base import dtypes, errors
from tfc.base.records import dataclass
from tfc.base.shapes import shape_text
from tfc.base.uninterrupted import Uninterrupted
from tfc.client.fetches import Fetches
from tfc.client.interrupt import time_is_over
from tfc.client.loop_plan import CompiledLoop, LoopFeeds, LoopPlan, table_rows
from tfc.client.runtime import Runtime, WrongGuess, as_op_error, out_of_memory
from tfc.client.state import Changed, aligned_empty
from tfc.framework.operation import Tensor
from tfc.passes.repeat import COUNTED, GIVEN
from tfc.runtime import memory
from tfc.runtime.python_abi import address_of

SECONDS = 0.1  # that one native call should take
FASTER = 16  # how much longer than the last one a call may be
_CONTROLS = (*GIVEN, *COUNTED)
_MOST = 1 << 62  # of what a native call is given as a number


@dataclass(frozen=True)
class LoopResult:
    """What `Session.run_loop` gives.

    values: what was collected, in the structure of the fetches. steps: how many were run.
    stopped: why there were no more: None (all of them were run), "until", "nan", "callback", "data"
    (it has ended), or "error" where an exception has this as its `result`. stopped_by: of "until"
    and "nan" the tensor; the first of those looked at, if several have a NaN.
    """

    values: Any
    steps: int
    stopped: str | None = None
    stopped_by: Tensor | None = None


class LoopRun:
    """One `run_loop`: how far it is, and what it has collected. `timeout`: seconds that a step may
    take; 0: any."""

    def __init__(
        self,
        runtime: Runtime,
        plan: LoopPlan,
        feeds: LoopFeeds,
        steps: int,
        every: int,
        timeout: float,
    ):
        self.runtime, self.plan, self.feeds = runtime, plan, feeds
        self.steps, self.every, self.timeout = steps, every, timeout
        self.done = 0
        self.stopped: str | None = None
        self.stopped_by: Tensor | None = None
        self.collected: dict[Tensor, np.ndarray] = {}
        self._rows: dict[Tensor, np.ndarray] = {}
        self._table = np.empty(0, np.int64)
        self._control = np.zeros(len(_CONTROLS), np.int64)
        self._pace = 1  # steps of a call that takes SECONDS
        self._fails_before = 0  # a step before this one fails, if not 0
        self._moved = True  # whether the last call did any step

    @property
    def rows(self) -> int:
        """Entries collected."""
        return self.done // self.every

    def values(self, elements: Iterable[Any]) -> list[Any]:
        """What was collected of each."""
        return [self.collected[e][: self.rows] if e in self.collected else None for e in elements]

    def row(self, elements: Iterable[Any]) -> list[Any]:
        """What was collected last of each, in memory of its own."""
        last = self.rows - 1
        return [self.collected[e][last].copy() if e in self.collected else None for e in elements]

    def advance(self, boundary: int) -> None:
        """Make one native call, of as many steps as it has time for; past no multiple of
        `boundary`, if that is not 0.

        Raises:
          tf.errors.OpError: what a step finds wrong; those before it are done.
        """
        with self.runtime.lock:
            self.runtime.check_open()
            loop = self.plan.compiled(self.runtime, self.feeds)
            self._make_arrays(loop)
            count = self._count(loop, boundary)
            start = time.perf_counter()
            try:
                self._call(loop, count)
            except Changed:
                return
            except compiler.AssertFailed as failure:
                error = as_op_error(self.runtime, failure)
                if isinstance(error, WrongGuess):
                    self.plan.learn(error)
                    return
                if self._moved or count == 1:
                    raise error from None
                # a loop in registers forgets what it did: the step that fails is found by halving
                self._fails_before = self.done + count
                return
            except errors.DeadlineExceededError:
                if count == 1:
                    raise
                self._pace = 1  # one of them takes too long, or all of them together do
                return
            except MemoryError as error:
                raise out_of_memory(loop.executable) from error
        took = max(time.perf_counter() - start, 1e-6)
        if count == 1 and 0 < self.timeout < took:
            raise time_is_over()
        aim = min(SECONDS, self.timeout / 4) if self.timeout else SECONDS
        self._pace = max(1, min(int(count * aim / took), self._pace * FASTER))

    def _make_arrays(self, loop: CompiledLoop) -> None:
        for tensor, type in loop.types.items():
            dtype = dtypes.numpy_dtype(type.dtype)
            there = self.collected.get(tensor)
            if there is None or there.shape[1:] != type.shape:
                if there is not None and self.rows:
                    raise ValueError(
                        f"run_loop collects {tensor.name!r} in one array, but its shape was "
                        f"{there.shape[1:]} and is {type.shape} from step {self.done + 1} on"
                    )
                self.collected[tensor] = self._collection(tensor, type.shape, dtype)
            rows = self._rows.get(tensor)
            if rows is None or rows.shape[1:] != type.shape:
                self._rows[tensor] = aligned_empty((loop.rows, *type.shape), dtype)
        data = self.feeds.data
        if data is not None and not self._table.size:
            self._table = np.zeros((table_rows(data.size), data.size), np.int64)

    def _collection(self, tensor: Tensor, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Memory for all that is collected of `tensor`."""
        shape = (self.steps // self.every, *shape)
        try:
            memory.check(math.prod(shape) * dtype.itemsize)
            return np.empty(shape, dtype)
        except (MemoryError, ValueError) as error:  # ValueError: more than a size can say
            raise errors.ResourceExhaustedError(
                None,
                tensor.op,
                f"OOM when allocating {dtype}{shape_text(shape)} for the values collected of "
                f"{tensor.name!r}; collect fewer of them (every={self.every})",
            ) from error

    def _count(self, loop: CompiledLoop, boundary: int) -> int:
        """The steps of the next call."""
        done = self.done
        count = min(
            self.steps - done, self._pace, _MOST, loop.rows * self.every - done % self.every
        )
        if self.feeds.data is not None:
            count = min(count, len(self._table))
        if self.feeds.per_step:
            count = min(count, self._entries_left())
        if boundary:
            count = min(count, boundary - done % boundary)
        if (end := (done + count) // self.every * self.every) > done:
            count = end - done  # what is collected last is then of the last step
        if self._fails_before:
            count = min(count, max(1, (self._fails_before - done) // 2))
        return count

    def _entries_left(self) -> int:
        """For how many steps the next call can have entries of the arrays with one a step."""
        fed, feeds = self.feeds.fed, self.feeds.per_step
        return min(fed[tensor].rows - self._offset(tensor)[1] for tensor in feeds)

    def _offset(self, tensor: Tensor) -> tuple[int, int]:
        """The entry from which on an array with one a step is passed, and which of the entries
        from there on is that of the next step. All that are passed exist."""
        first = min(self.done, len(self.feeds.per_step[tensor]) - self.feeds.fed[tensor].rows)
        return first, self.done - first

    def _call(self, loop: CompiledLoop, count: int) -> None:
        if self.feeds.data is not None:
            self._table[:count] = self.feeds.data.peek(count)
        offset = max((self._offset(tensor)[1] for tensor in self.feeds.per_step), default=0)
        every = min(self.every, _MOST)
        given = {"limit": count, "every": every, "phase": self.done % self.every}
        given["offset"] = offset
        self._control[:] = [given.get(name, 0) for name in _CONTROLS]
        runtime = self.runtime
        held = runtime.store.held(loop.variables)
        addresses = [
            held[what].address if kind == "variable" else self._address(kind, what)
            for kind, what in loop.repeated.inputs
        ]
        addresses += addresses[len(addresses) - loop.repeated.donated :]
        runtime.statistics.native_calls += 1
        deadline = time.monotonic() + self.timeout if self.timeout else None
        written = loop.repeated.inputs[len(loop.repeated.inputs) - loop.repeated.donated :]
        try:
            with runtime.store.writing(what for kind, what in written if kind == "variable"):
                runtime.calls.run(
                    loop.executable,
                    addresses,
                    runtime.threads,
                    deadline,
                    only_sigint=not self._moved,
                )
        finally:
            self._take()

    def _address(self, kind: str, what: Any) -> int:
        """Where an input of the loop lies."""
        match kind:
            case "fed" if what in self.feeds.per_step:
                return address_of(self.feeds.arrays[what][self._offset(what)[0] :])
            case "fed":
                return address_of(self.feeds.arrays[what])
            case "table":
                return address_of(self._table)
            case "rows":
                return address_of(self._rows[what])
        return address_of(self._control[_CONTROLS.index(what) :])

    def _take(self) -> None:
        """Count what the last call did, and keep what it collected."""
        moved, stopped = (int(self._control[_CONTROLS.index(name)]) for name in COUNTED)
        first, rows = self.rows, (self.done % self.every + moved) // self.every
        for tensor, array in self._rows.items():
            self.collected[tensor][first : first + rows] = array[:rows]
        if self.feeds.data is not None:
            self.feeds.data.advance(moved)
        self._moved = moved > 0
        self.done += moved
        self.stopped, self.stopped_by = self.plan.stops.meaning(stopped)


def drive(
    run: LoopRun,
    fetched: Fetches,
    callback: Callable[[int, Any], Any] | None,
    callback_every: int | None,
    progress: bool,
) -> LoopResult:
    """Make native calls until all steps are done, and report between them."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, but is {callback!r}")
    elements = fetched.elements
    bar = _progress_bar(run.steps) if progress else None
    boundary = (callback_every or 0) if callback is not None else 0
    called = time.perf_counter()
    try:
        while run.done < run.steps and run.stopped is None:
            before = run.done
            with Uninterrupted():  # what was done is counted
                run.advance(boundary)
            if bar is not None:
                bar.update(run.done - before)
            if callback is None or run.done == before or run.done % (boundary or run.every):
                continue
            if boundary or time.perf_counter() - called >= SECONDS:
                if callback(run.done, fetched.rebuild(run.row(elements))):
                    run.stopped = run.stopped or "callback"
                called = time.perf_counter()
        values = fetched.rebuild(run.values(elements))
        return LoopResult(values, run.done, run.stopped, run.stopped_by)
    except BaseException as error:
        result = LoopResult(fetched.rebuild(run.values(elements)), run.done, "error")
        with suppress(AttributeError):  # an exception of a callback may be of any class
            error.result = result  # type: ignore[attr-defined]
        raise
    finally:
        if bar is not None:
            bar.close()


def _progress_bar(steps: int) -> Any:
    try:
        return importlib.import_module("tqdm.auto").tqdm(total=steps, unit="step")
    except ImportError:
        raise ImportError("run_loop(progress=True) shows its progress through tqdm, which is not "
                          "installed") from None  # fmt: skip
