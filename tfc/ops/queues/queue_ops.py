"""The ops of queues. A handle's value is the queue itself, an object of the Session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.opdef import OpDef
from tfc.framework.session_objects import Call
from tfc.ops import shape_rules as s
from tfc.ops.queues import store
from tfc.ops.strings.common import invalid

_MAKE = "component_types: list(type), shapes: list(shape) = [], capacity: int = -1, "
_NAMES = "container: str = '', shared_name: str = ''"


def _scalar(*shapes: TensorShape, **_: Any) -> list[TensorShape]:
    return [s.shape_of([])]


def _make(call: Call, op: Any, shared_name: str, build: Callable[[str], store.Fifo]) -> np.ndarray:
    """The handle of the Session's queue of that name.

    Raises:
      InvalidArgumentError: it was made with another capacity, or other dtypes or shapes.
    """
    name = shared_name or op.name
    shapes, capacity = list(op.get_attr("shapes")), op.get_attr("capacity")
    types = list(op.get_attr("component_types"))

    def made() -> store.Fifo:
        queue = build(name)
        queue.types, queue.shapes = types, shapes
        return queue

    queue = call.objects.get(f"queue/{name}", made)
    if queue.capacity != capacity:
        raise invalid(
            op,
            f"Shared queue '{name}' has capacity {queue.capacity} but requested capacity was "
            f"{capacity}",
        )
    if queue.types != types:
        raise invalid(
            op,
            f"Shared queue '{name}' has component types {[t.name for t in queue.types]} but "
            f"requested component types were {[t.name for t in types]}",
        )
    if queue.shapes != shapes:
        raise invalid(
            op,
            f"Shared queue '{name}' has component shapes {_texts(queue.shapes)} but requested "
            f"component shapes were {_texts(shapes)}",
        )
    handle = np.empty((), object)
    handle[()] = queue
    return handle


def _texts(shapes: Sequence[TensorShape]) -> str:
    return "[" + ",".join(shape_text(x.tuple) for x in shapes) + "]"


def _check(op: Any, queue: store.Fifo, rows: tuple[int, ...], parts: Sequence[np.ndarray]) -> None:
    """Raises InvalidArgumentError if what is added, `rows` of it, has not the queue's shapes."""
    for i, (part, shape) in enumerate(zip(parts, queue.shapes, strict=False)):
        wanted = TensorShape(rows).concatenate(shape)
        if not wanted.is_compatible_with(part.shape):
            raise invalid(
                op,
                f"Shape mismatch in tuple component {i}. Expected {shape_text(wanted.tuple)}, "
                f"got {shape_text(part.shape)}",
            )


class FIFOQueueV2(OpDef, sig=f"FIFOQueueV2({_MAKE}{_NAMES}) -> handle: resource"):
    """A queue that gives elements in the order in which they came."""

    stateful = takes_session = True
    shape = _scalar

    def host(call: Call, op: Any, *, capacity: int, shared_name: str) -> np.ndarray:
        return _make(call, op, shared_name, lambda name: store.Fifo(name, capacity))


class PaddingFIFOQueueV2(OpDef, sig=f"PaddingFIFOQueueV2({_MAKE}{_NAMES}) -> handle: resource"):
    """A queue of elements whose shapes may differ; several are filled up with zeros."""

    stateful = takes_session = True
    shape = _scalar

    def host(call: Call, op: Any, *, capacity: int, shared_name: str) -> np.ndarray:
        return _make(call, op, shared_name, lambda name: store.Fifo(name, capacity))


class PriorityQueueV2(
    OpDef,
    sig="PriorityQueueV2(component_types: list(type) = [], shapes: list(shape) = [], "
    f"capacity: int = -1, {_NAMES}) -> handle: resource",
):
    """A queue that gives the element with the least priority, an int64 that comes first."""

    stateful = takes_session = True
    shape = _scalar

    def host(call: Call, op: Any, *, capacity: int, shared_name: str) -> np.ndarray:
        return _make(call, op, shared_name, lambda name: store.Priority(name, capacity))


class RandomShuffleQueueV2(
    OpDef,
    sig=f"RandomShuffleQueueV2({_MAKE}min_after_dequeue: int = 0, seed: int = 0, "
    f"seed2: int = 0, {_NAMES}) -> handle: resource",
):
    """A queue that gives a random one of its elements."""

    stateful = takes_session = True
    shape = _scalar

    def host(
        call: Call,
        op: Any,
        *,
        capacity: int,
        min_after_dequeue: int,
        seed: int,
        seed2: int,
        shared_name: str,
    ) -> np.ndarray:
        def build(name: str) -> store.Fifo:
            return store.RandomShuffle(name, capacity, min_after_dequeue, seed, seed2)

        return _make(call, op, shared_name, build)


def _queue(handle: np.ndarray) -> store.Fifo:
    queue: store.Fifo = handle.item()
    return queue


class QueueEnqueueV2(
    OpDef,
    sig="QueueEnqueueV2(handle: resource, components: [Tcomponents], timeout_ms: int = -1) -> ()",
):
    """Add one element; waits for room."""

    stateful = takes_session = True

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        return []

    def host(call: Call, op: Any, handle: np.ndarray, *components: np.ndarray) -> None:
        queue = _queue(handle)
        _check(op, queue, (), components)
        queue.enqueue(call, [tuple(np.array(c) for c in components)])


class QueueEnqueueManyV2(
    OpDef,
    sig="QueueEnqueueManyV2(handle: resource, components: [Tcomponents], timeout_ms: int = -1)"
    " -> ()",
):
    """Add the rows of the components as elements."""

    stateful = takes_session = True

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        for part in shapes[1:]:
            s.with_rank_at_least(part, 1)
        return []

    def host(call: Call, op: Any, handle: np.ndarray, *components: np.ndarray) -> None:
        counts = {len(c) if c.ndim else -1 for c in components}
        if len(counts) != 1 or -1 in counts:
            raise invalid(op, "All components must have the same size in the 0th dimension")
        queue = _queue(handle)
        _check(op, queue, (len(components[0]),), components)
        rows = zip(*([np.array(row) for row in c] for c in components), strict=True)
        queue.enqueue(call, [_strings(row, components) for row in rows])


def _strings(row: tuple[np.ndarray, ...], components: Sequence[np.ndarray]) -> Any:
    """The element, string components as arrays of objects."""
    parts = []
    for value, whole in zip(row, components, strict=True):
        if whole.dtype == object:
            array = np.empty(whole.shape[1:], object)
            array[...] = value.tolist() if value.ndim else value.item()
            value = array
        parts.append(value)
    return tuple(parts)


def _unknown(*shapes: TensorShape, op: Any) -> list[TensorShape]:
    return [s.unknown()] * len(op.outputs)


def _stacked(op: Any, elements: list[Any], types: Sequence[DType]) -> list[np.ndarray]:
    """Elements as rows; shorter ones are filled up where the queue pads."""
    shapes = op.inputs[0].op.get_attr("shapes")
    pads = op.inputs[0].op.type == "PaddingFIFOQueueV2"
    results = []
    for k, dtype in enumerate(types):
        rows = [element[k] for element in elements]
        kind = dtype.as_numpy_dtype
        if not rows:
            inner = shapes[k].as_list() if k < len(shapes) else []
            results.append(np.empty((0, *(d or 0 for d in inner)), kind))
            continue
        extents = [row.shape for row in rows]
        if len(set(extents)) > 1 and not pads:
            raise invalid(op, f"elements of different shapes cannot be stacked: {extents[:2]}")
        largest = tuple(max(column) for column in zip(*extents, strict=True))
        whole = np.full((len(rows), *largest), b"" if kind is object else 0, kind)
        for i, row in enumerate(rows):
            box: Any = (i, *(slice(n) for n in row.shape))
            whole[box] = row if row.ndim else row[()]
        results.append(whole)
    return results


class QueueDequeueV2(
    OpDef,
    sig="QueueDequeueV2(handle: resource, component_types: list(type), timeout_ms: int = -1)"
    " -> components: [component_types]",
):
    """Take one element; waits for one."""

    stateful = takes_session = True
    shape = _unknown

    def host(call: Call, op: Any, handle: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(_queue(handle).dequeue(call, 1, 1)[0])


class QueueDequeueManyV2(
    OpDef,
    sig="QueueDequeueManyV2(handle: resource, n: int32, component_types: list(type), "
    "timeout_ms: int = -1) -> components: [component_types]",
):
    """Take n elements, as rows; waits until there are as many."""

    stateful = takes_session = True
    shape = _unknown

    def host(
        call: Call, op: Any, handle: np.ndarray, n: np.ndarray, *, component_types: Any
    ) -> list[np.ndarray]:
        count = _count(op, n)
        queue = _of_known_shapes(op, handle)
        return _stacked(op, queue.dequeue(call, count, count), component_types)


class QueueDequeueUpToV2(
    OpDef,
    sig="QueueDequeueUpToV2(handle: resource, n: int32, component_types: list(type), "
    "timeout_ms: int = -1) -> components: [component_types]",
):
    """Take n elements, as rows; those that are left, if the queue is closed."""

    stateful = takes_session = True
    shape = _unknown

    def host(
        call: Call, op: Any, handle: np.ndarray, n: np.ndarray, *, component_types: Any
    ) -> list[np.ndarray]:
        queue = _of_known_shapes(op, handle)
        return _stacked(op, queue.dequeue(call, _count(op, n), 1), component_types)


def _of_known_shapes(op: Any, handle: np.ndarray) -> store.Fifo:
    """The queue, whose elements can be stacked.

    Raises:
      InvalidArgumentError: it was made without shapes.
    """
    queue = _queue(handle)
    if not queue.shapes:
        raise invalid(
            op,
            f"{queue.kind}'s DequeueMany and DequeueUpTo require the components to have specified "
            "shapes.",
        )
    return queue


def _count(op: Any, n: np.ndarray) -> int:
    if n.ndim or n < 0:
        raise invalid(op, f"{op.type} must take a scalar that is not negative, but got {n}")
    return int(n)


class QueueCloseV2(
    OpDef, sig="QueueCloseV2(handle: resource, cancel_pending_enqueues: bool = False) -> ()"
):
    """Let a queue take no further elements."""

    stateful = True

    def shape(handle: TensorShape) -> list[TensorShape]:
        return []

    def host(handle: np.ndarray, *, cancel_pending_enqueues: bool) -> None:
        _queue(handle).close(cancel_pending_enqueues)


class QueueIsClosedV2(OpDef, sig="QueueIsClosedV2(handle: resource) -> is_closed: bool"):
    """Whether a queue is closed."""

    stateful = True
    shape = _scalar

    def host(handle: np.ndarray) -> np.ndarray:
        return np.array(_queue(handle).closed)


class QueueSizeV2(OpDef, sig="QueueSizeV2(handle: resource) -> size: int32"):
    """How many elements a queue holds."""

    stateful = True
    shape = _scalar

    def host(handle: np.ndarray) -> np.ndarray:
        return np.array(_queue(handle).size(), np.int32)
