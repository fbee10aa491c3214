"""Loops whose steps are fed the elements of a tf.data pipeline.

Elements are made in Python, in between native calls: as many as the next call has steps, stacked as
arrays with an entry a step. So that a step is fed what it would be fed through `Session.run`, what
was made too early waits: an element of another shape for a loop compiled for it, an error for the
steps in front of it, and what an iterator gave and no step took goes back to the iterator.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.shapes import TensorShape, shape_text
from tfc.base.uninterrupted import Uninterrupted, is_waiting
from tfc.client.functions import Functions
from tfc.client.loop_plan import LoopFeeds, LoopPlan
from tfc.client.needed import needed_ops
from tfc.client.plan import Plan
from tfc.client.run_loop import LoopRun
from tfc.client.runtime import Runtime
from tfc.client.state import aligned_empty
from tfc.framework.graph import Graph
from tfc.framework.operation import Tensor
from tfc.framework.session_objects import Call
from tfc.ops.datasets.iterator_ops import Resource
from tfc.ops.datasets.nodes import Element, Run, node_of

CHUNK_BYTES = 1 << 20  # of the elements of one native call
MOST_ELEMENTS = 256  # of one native call; one, where making them may depend on the step before


class Pipeline:
    """What gives elements, and the tensors that their components are fed to.

    Raises:
      TypeError, ValueError: it is no dataset and no iterator, its elements do not fit the tensors,
        or nothing that is fetched depends on an iterator's element.
    """

    def __init__(self, graph: Graph, data: Any, fetched: Sequence[Any]):
        key: Any = None
        if isinstance(data, Mapping):
            if len(data) != 1:
                raise ValueError(f"data must map one structure of tensors, but maps {len(data)}")
            ((key, data),) = data.items()
        variant = getattr(data, "_variant_tensor", None)
        self.is_iterator = variant is None
        self.source: Tensor = variant if variant is not None else _resource(data)
        if key is None and not self.is_iterator:
            raise TypeError("data says nothing of where a dataset goes: {placeholders: dataset}")
        if self.source.graph is not graph:
            raise ValueError("data is of another graph")
        self.tensors = _of_next(self.source, fetched) if key is None else _flat(graph, key)
        _check_fit(self.tensors, *data._components())
        self.most = 1 if _reads_variables(graph) else MOST_ELEMENTS

    def joined(self, feeds: LoopFeeds) -> LoopFeeds:
        """`feeds`, with the tensors of elements.

        Raises:
          ValueError: a tensor is fed twice.
        """
        fed = [*feeds.arrays, *self.tensors]
        if len(set(fed)) < len(fed):
            twice = dict.fromkeys(tensor.name for tensor in fed if fed.count(tensor) > 1)
            raise ValueError(f"fed in more than one way: {', '.join(twice)}")
        nothing = dict.fromkeys(self.tensors, np.empty(0))
        return replace(feeds, per_step={**feeds.per_step, **nothing})

    def stream(self, runtime: Runtime, timeout: float) -> Iterator[Element]:
        """The elements: of a dataset from the first one on, of an iterator from where it is."""
        functions = Functions(runtime, Plan)
        call = Call(runtime.store.objects, self.source.op, _deadline(timeout), functions)
        value = functions.value(self.source)
        run = None if self.is_iterator else Run(call)
        elements = None if run is None else node_of(value).elements(run)
        while True:
            call = replace(call, deadline=_deadline(timeout))
            if elements is None or run is None:
                resource: Resource = value.item()
                try:
                    element = resource.next(call)
                except errors.OutOfRangeError:
                    return
            else:
                run.call = call
                call.check()
                try:
                    element = next(elements)
                except StopIteration:
                    return
            call.check()
            yield element

    def give_back(self, runtime: Runtime, items: Sequence[Element | Exception]) -> None:
        """Have the iterator give these first."""
        if self.is_iterator and items:
            resource: Resource = Functions(runtime, Plan).value(self.source).item()
            resource.give_back(items)


def _deadline(timeout: float) -> float | None:
    return time.monotonic() + timeout if timeout else None


def _reads_variables(graph: Graph) -> bool:
    """Whether a function of a dataset does, which a step in front of it may have changed."""
    regions = [region for op in graph.get_operations() for region in op._functions]
    while regions:
        region = regions.pop()
        if any(tensor.dtype.is_ref_dtype for tensor in region.captures()):
            return True
        regions += [inner for op in region.ops for inner in op._functions]
    return False


def _resource(data: Any) -> Tensor:
    found = getattr(data, "_iterator_resource", None)
    if not isinstance(found, Tensor):
        raise TypeError(
            "data must be a tf.Batches, a tf.data.Iterator, or {placeholders: tf.data.Dataset}, "
            f"but is {data!r}"
        )
    return found


def _flat(graph: Graph, key: Any) -> list[Tensor]:
    if isinstance(key, tuple):
        return [tensor for part in key for tensor in _flat(graph, part)]
    try:
        tensor = graph.as_graph_element(key, allow_operation=False)
    except (TypeError, ValueError, KeyError) as error:
        raise TypeError(f"Cannot interpret key of data as Tensor: {error}") from None
    if not graph.is_feedable(tensor):
        raise ValueError(f"Tensor {tensor.name} may not be fed.")
    return [tensor]


def _of_next(resource: Tensor, fetched: Sequence[Any]) -> list[Tensor]:
    """The element of an iterator that the fetches depend on."""
    found = [
        op
        for op in needed_ops(fetched, set())
        if op.type == "IteratorGetNext" and op.inputs[0] is resource
    ]
    if len(found) != 1:
        raise ValueError(
            f"what is fetched must depend on one get_next() of the iterator {resource.op.name!r}, "
            f"but it depends on {len(found)}; {{placeholders: iterator}} feeds placeholders"
        )
    return list(found[0].outputs)


def _check_fit(
    tensors: Sequence[Tensor], types: Sequence[Any], shapes: Sequence[TensorShape]
) -> None:
    if len(tensors) != len(types):
        raise ValueError(f"data has {len(types)} components, for {len(tensors)} tensors")
    for tensor, type, shape in zip(tensors, types, shapes, strict=True):
        if type in (dtypes.string, dtypes.variant, dtypes.resource):
            raise errors.UnimplementedError(
                None, tensor.op, f"run_loop takes no data of {type.name}: it has no native form"
            )
        if tensor.dtype.base_dtype != type:
            raise TypeError(
                f"data: {tensor.name!r} is {tensor.dtype.base_dtype.name}, its component is "
                f"{type.name}"
            )
        if not tensor.shape.is_compatible_with(shape):
            raise ValueError(
                f"data: {tensor.name!r} has shape {tensor.shape}, its component has shape {shape}"
            )


class PipelineRun(LoopRun):
    """One `run_loop` whose steps are fed elements.

    What a step is fed, elements and arrays with an entry a step, is in chunks: arrays of as many
    entries as a native call may take, of which some hold elements and some of those are used.
    """

    def __init__(
        self,
        runtime: Runtime,
        plan: LoopPlan,
        feeds: LoopFeeds,
        steps: int,
        every: int,
        timeout: float,
        pipeline: Pipeline,
    ):
        super().__init__(runtime, plan, feeds, steps, every, timeout)
        self._pipeline = pipeline
        self._given = {t: a for t, a in feeds.per_step.items() if t not in pipeline.tensors}
        self._stream = pipeline.stream(runtime, timeout)
        self._waiting: deque[Element | Exception] = deque()
        self._chunk: list[Element] = []
        self._used = 0

    def advance(self, boundary: int) -> None:
        """As that of LoopRun, after making elements if none is left; at their end, stop.

        Raises:
          Also what makes elements raises.
        """
        if self._used == len(self._chunk):
            self._make()
            if is_waiting():
                return
            if not self._chunk:
                self.stopped = "data"
                return
        try:
            super().advance(boundary)
        except errors.OpError as error:
            if not isinstance(error, (errors.CancelledError, errors.UnimplementedError)):
                self._used += 1  # the step that failed took its element
            raise

    def close(self) -> None:
        """Give back what no step took."""
        with Uninterrupted():
            self._stream.close()  # type: ignore[attr-defined]
            items = [*self._chunk[self._used :], *self._waiting]
            self._chunk, self._used = [], 0
            self._waiting.clear()
            self._pipeline.give_back(self.runtime, items)

    def _make(self) -> None:
        """Make elements of one shape, for some steps."""
        self._chunk, self._used = [], 0
        first = self._next()
        if first is None:
            return
        if isinstance(first, Exception):
            self._waiting.popleft()
            raise first
        room = self._make_room(first)
        wanted = min(room, self.steps - self.done, self._pace)
        while len(self._chunk) < wanted and not is_waiting():
            item = self._next()
            if item is None or isinstance(item, Exception) or _shapes(item) != _shapes(first):
                break
            if room > 1:
                self._put(len(self._chunk), item)
            self._chunk.append(item)
            self._waiting.popleft()

    def _next(self) -> Element | Exception | None:
        """What waits first, made now if nothing waits; None at the end."""
        if not self._waiting:
            try:
                self._waiting.append(next(self._stream))
            except StopIteration:
                return None
            except Exception as error:
                self._waiting.append(error)
        return self._waiting[0]

    def _make_room(self, element: Element) -> int:
        """Have a chunk for so many elements of these shapes; one that is large is the chunk, where
        it lies."""
        entries = dict(zip(self._pipeline.tensors, element, strict=True))
        for tensor, value in entries.items():
            if not tensor.shape.is_compatible_with(value.shape):
                raise ValueError(
                    f"Cannot feed value of shape {shape_text(value.shape)} for Tensor "
                    f"{tensor.name!r}, which has shape {tensor.shape}"
                )
        entries |= {tensor: array[self.done] for tensor, array in self._given.items()}
        size = sum(value.nbytes for value in entries.values())
        most = max(1, min(CHUNK_BYTES // max(size, 1), self._pipeline.most, self.steps))
        rows = 1 << (most.bit_length() - 1)
        there = self.feeds.per_step
        if rows == 1:
            arrays = {t: np.asarray(value, order="C")[None] for t, value in entries.items()}
        elif all(there[t].shape == (rows, *v.shape) for t, v in entries.items()):
            return rows
        else:
            arrays = {t: aligned_empty((rows, *v.shape), v.dtype) for t, v in entries.items()}
        self.feeds = LoopFeeds(self.feeds.same, arrays, None)
        return rows

    def _put(self, row: int, element: Element) -> None:
        arrays = self.feeds.per_step
        for tensor, value in zip(self._pipeline.tensors, element, strict=True):
            arrays[tensor][row] = value
        for tensor, values in self._given.items():
            arrays[tensor][row] = values[self.done + row]

    def _offset(self, tensor: Tensor) -> tuple[int, int]:
        return 0, self._used

    def _entries_left(self) -> int:
        return len(self._chunk) - self._used

    def _take(self) -> None:
        before = self.done
        super()._take()
        self._used += self.done - before


def _shapes(element: Element) -> list[tuple[int, ...]]:
    return [component.shape for component in element]
