"""The queues of TensorFlow: tf.FIFOQueue and the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes as types
from tfc.base.errors import InvalidArgumentError
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.random_seed import get_seed
from tfc.framework.tensor_util import constant_value


class QueueBase:
    """What queues have in common. An element is one tensor for each of `dtypes`; with `names`, a
    dict of them."""

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Tensor):
        """dtypes, shapes (None: any), names (None: none): those of the components. queue_ref: the
        handle.

        Raises:
          ValueError: another number of shapes or names than of dtypes.
        """
        self._dtypes = _dtypes_of(dtypes)
        count = len(self._dtypes)
        unknown = [TensorShape(None)] * count
        self._shapes = unknown if shapes is None else _shapes_of(shapes, count, partial=True)
        self._names = _names_of(names, count)
        self._queue_ref = queue_ref

    @staticmethod
    def from_list(index: int | Tensor, queues: Sequence[QueueBase]) -> QueueBase:
        """The queue number `index`, which must be known when the graph is built.

        Raises:
          TypeError: no list of queues. ValueError: `index` is not known. InvalidArgumentError:
          there is no such queue.
        """
        if not queues or not all(isinstance(q, QueueBase) for q in queues):
            raise TypeError("A list of queues expected")
        known = constant_value(convert_to_tensor(index))
        if known is None:
            raise ValueError("from_list takes an index that is known when the graph is built")
        if not 0 <= known < len(queues):
            raise InvalidArgumentError(None, None, f"index {known} is not in [0, {len(queues)})")
        return queues[int(known)]

    @property
    def queue_ref(self) -> Tensor:
        """The handle."""
        return self._queue_ref

    @property
    def name(self) -> str:
        return self._queue_ref.op.name

    @property
    def dtypes(self) -> list[Any]:
        return list(self._dtypes)

    @property
    def shapes(self) -> list[TensorShape]:
        return list(self._shapes)

    @property
    def names(self) -> list[str] | None:
        return self._names

    def enqueue(self, vals: Any, name: str | None = None) -> Any:
        """The Operation that adds one element, when there is room.

        Raises, when run: CancelledError, if the queue is closed.
        """
        with name_scope(name, f"{self.name}_enqueue", self._scope_values(vals)) as scope:
            parts = self._components(vals)
            for part, shape in zip(parts, self._shapes, strict=True):
                part.get_shape().assert_is_compatible_with(shape)
            return apply("QueueEnqueueV2", self._queue_ref, parts, name=scope)

    def enqueue_many(self, vals: Any, name: str | None = None) -> Any:
        """The Operation that adds the rows of the components as elements."""
        with name_scope(name, f"{self.name}_EnqueueMany", self._scope_values(vals)) as scope:
            parts = self._components(vals)
            rows = TensorShape([None])
            for part, shape in zip(parts, self._shapes, strict=True):
                extents = part.get_shape().with_rank_at_least(1)
                rows = rows.merge_with(extents[:1])
                extents[1:].assert_is_compatible_with(shape)
            return apply("QueueEnqueueManyV2", self._queue_ref, parts, name=scope)

    def dequeue(self, name: str | None = None) -> Any:
        """One element, when there is one: a tensor, a list of tensors, or a dict of them.

        Raises, when run: OutOfRangeError, if the queue is closed and empty.
        """
        name = name or f"{self.name}_Dequeue"
        parts = apply("QueueDequeueV2", self._queue_ref, component_types=self._dtypes, name=name)
        return self._result(parts, None)

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """`n` elements as rows, when there are as many.

        Raises, when run: OutOfRangeError, if the queue is closed and holds fewer.
        """
        return self._dequeue_rows("QueueDequeueManyV2", n, name or f"{self.name}_DequeueMany")

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """`n` elements as rows; those that are left, if the queue is closed."""
        return self._dequeue_rows("QueueDequeueUpToV2", n, name or f"{self.name}_DequeueUpTo")

    def _dequeue_rows(self, op: str, n: Any, name: str) -> Any:
        parts = apply(op, self._queue_ref, n, component_types=self._dtypes, name=name)
        known = constant_value(parts[0].op.inputs[1])
        rows = None if known is None or op == "QueueDequeueUpToV2" else int(known)
        return self._result(parts, TensorShape([rows]))

    def _result(self, parts: list[Tensor], rows: TensorShape | None) -> Any:
        for part, shape in zip(parts, self._shapes, strict=True):
            part.set_shape(shape if rows is None else rows.concatenate(shape))
        if self._names is not None:
            return dict(zip(self._names, parts, strict=True))
        return parts[0] if len(parts) == 1 else parts

    def _scope_values(self, vals: Any) -> list[Any]:
        if isinstance(vals, dict):
            return list(vals.values())
        return list(vals) if isinstance(vals, list | tuple) else [vals]

    def _components(self, vals: Any) -> list[Tensor]:
        """`vals` as tensors of the components' dtypes."""
        if isinstance(vals, dict):
            if self._names is None:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names) != sorted(vals):
                raise ValueError(
                    "Keys in dictionary to enqueue do not match names of Queue.  Dictionary: "
                    f"{sorted(vals)}, Queue: {sorted(self._names)}"
                )
            vals = [vals[k] for k in self._names]
        elif self._names is not None:
            raise ValueError("You must enqueue a dictionary in a Queue with names")
        elif not isinstance(vals, list | tuple):
            vals = [vals]
        if len(vals) != len(self._dtypes):
            raise ValueError(f"a queue of {len(self._dtypes)} components got {len(vals)}")
        pairs = zip(vals, self._dtypes, strict=True)
        return [convert_to_tensor(v, dtype, f"component_{i}") for i, (v, dtype) in enumerate(pairs)]

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Any:
        """The Operation after which the queue takes no elements; those that it holds remain."""
        return apply(
            "QueueCloseV2",
            self._queue_ref,
            cancel_pending_enqueues=cancel_pending_enqueues,
            name=name or f"{self.name}_Close",
        )

    def is_closed(self, name: str | None = None) -> Tensor:
        """Whether the queue is closed."""
        return apply("QueueIsClosedV2", self._queue_ref, name=name or f"{self.name}_Is_Closed")

    def size(self, name: str | None = None) -> Tensor:
        """How many elements the queue holds, int32."""
        return apply("QueueSizeV2", self._queue_ref, name=name or f"{self.name}_Size")


def _dtypes_of(dtypes: Any) -> list[Any]:
    return [types.as_dtype(d) for d in (dtypes if isinstance(dtypes, list | tuple) else [dtypes])]


def _shapes_of(shapes: Any, count: int, partial: bool = False) -> list[TensorShape]:
    """One shape or a list of them as a list, `()` being that of scalars."""
    if isinstance(shapes, TensorShape):
        shapes = [shapes]
    if not isinstance(shapes, list | tuple):
        raise TypeError("shapes must be a TensorShape or a list or tuple of TensorShapes.")
    if all(d is None or isinstance(d, int) for d in shapes):
        if partial:
            raise ValueError("When providing partial shapes, a list of shapes must be provided.")
        shapes = [shapes]
    found = [as_shape(shape) for shape in shapes]
    if not partial and not all(shape.is_fully_defined() for shape in found):
        raise ValueError(f"All shapes must be fully defined: {found}")
    if any(shape.ndims is None for shape in found):
        raise ValueError(f"All shapes must have a defined rank: {found}")
    if len(found) != count:
        raise ValueError("Queue shapes must have the same length as dtypes")
    return found


def _names_of(names: Any, count: int) -> list[str] | None:
    if not names:
        return None
    found = [names] if isinstance(names, str) else list(names)
    if len(found) != count:
        raise ValueError("List of queue names must have the same length as the list of dtypes")
    return found


class FIFOQueue(QueueBase):
    """Gives elements in the order in which they came."""

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "fifo_queue",
    ):
        """capacity: how many elements it holds. shared_name: queues of one name are one queue of
        the Session."""
        _make(self, "FIFOQueueV2", capacity, dtypes, shapes, names, shared_name, name)


class PaddingFIFOQueue(QueueBase):
    """As FIFOQueue, for elements with unknown dimensions: rows are filled up with zeros."""

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "padding_fifo_queue",
    ):
        """shapes: of known rank, for every component."""
        shapes = _shapes_of(shapes, len(_dtypes_of(dtypes)), partial=True)
        _make(self, "PaddingFIFOQueueV2", capacity, dtypes, shapes, names, shared_name, name)


class PriorityQueue(QueueBase):
    """Gives the element whose first component, an int64 scalar, is least."""

    def __init__(
        self,
        capacity: int,
        types: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "priority_queue",
    ):
        """types, shapes: those of the components after the priority."""
        dtypes, extents = _dtypes_of(types), None
        if shapes is not None:
            extents = [TensorShape([]), *_shapes_of(shapes, len(dtypes))]
        whole = ["int64", *dtypes]
        _make(self, "PriorityQueueV2", capacity, whole, extents, names, shared_name, name)


class RandomShuffleQueue(QueueBase):
    """Gives a random one of its elements."""

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ):
        """min_after_dequeue: how many elements stay while the queue is not closed. seed: as of
        random ops."""
        first, second = get_seed(seed)
        seeds = dict(min_after_dequeue=min_after_dequeue, seed=first or 0, seed2=second or 0)
        op = "RandomShuffleQueueV2"
        _make(self, op, capacity, dtypes, shapes, names, shared_name, name, **seeds)


def _make(
    queue: QueueBase,
    op: str,
    capacity: int,
    dtypes: Any,
    shapes: Any,
    names: Any,
    shared_name: str | None,
    name: str,
    **attrs: Any,
) -> None:
    """Add the op of a queue, and set it up."""
    found = _dtypes_of(dtypes)
    partial = op == "PaddingFIFOQueueV2"
    extents = None if shapes is None else _shapes_of(shapes, len(found), partial)
    handle = apply(
        op,
        component_types=found,
        shapes=extents or [],
        capacity=capacity,
        shared_name=shared_name or "",
        name=name,
        **attrs,
    )
    QueueBase.__init__(queue, found, extents, names, handle)
