"""Iterators: they live in the Session, and give one element after the other; and what runs a
dataset to its end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.base.uninterrupted import Uninterrupted
from tfc.framework.opdef import OpDef
from tfc.framework.session_objects import Call
from tfc.ops import shape_rules as s
from tfc.ops.datasets.nodes import (
    UNKNOWN,
    Element,
    Elements,
    Function,
    Node,
    Run,
    boxed,
    node_of,
)
from tfc.ops.datasets.source_ops import TYPES
from tfc.ops.strings.common import invalid, vector

_NAMES = "container: str = '', shared_name: str = ''"


class Resource:
    """One iterator of a Session: nothing until it is initialised."""

    def __init__(self, key: str, types: Sequence[DType], shapes: Sequence[TensorShape]):
        self.key, self.types, self.shapes = key, types, shapes
        self.lock = threading.RLock()
        self.run: Run | None = None
        self.elements: Elements | None = None
        self.fresh = False
        self.given_back: deque[Element | Exception] = deque()

    def start(self, call: Call, node: Node) -> None:
        """Begin with the first element of `node`."""
        with self.held(call):
            self.run = Run(call)
            self.elements, self.fresh = node.elements(self.run), node.fresh
            self.given_back.clear()

    @contextmanager
    def held(self, call: Call) -> Iterator[None]:
        """The lock: elements are given to one run after the other."""
        wait = -1.0 if call.deadline is None else max(call.deadline - time.monotonic(), 0)
        got = False
        try:
            with Uninterrupted():  # or Ctrl-C might leave it held
                got = self.lock.acquire(timeout=wait)
            if not got:
                text = "Timed out waiting for an iterator"
                raise errors.DeadlineExceededError(None, call.op, text)
            yield
        finally:
            if got:
                self.lock.release()

    def next(self, call: Call) -> Element:
        """The next element, in memory of its own.

        Raises:
          FailedPreconditionError: it is not initialised. OutOfRangeError: there is none.
        """
        with self.held(call):
            if self.elements is None or self.run is None:
                raise errors.FailedPreconditionError(
                    None,
                    call.op,
                    "GetNext() failed because the iterator has not been initialized. Ensure that "
                    "you have run the initializer operation for this iterator before getting the "
                    "next element.",
                )
            self.run.call = call
            if self.given_back:
                item = self.given_back.popleft()
                if isinstance(item, Exception):
                    raise item
                return item
            try:
                with Uninterrupted():  # what it takes of its sources is not lost
                    element = next(self.elements)
            except StopIteration:
                raise errors.OutOfRangeError(None, call.op, "End of sequence") from None
        return element if self.fresh else tuple([np.array(c, order="C") for c in element])

    def give_back(self, items: Sequence[Element | Exception]) -> None:
        """Have `next` give these first, which it gave before, or raise them."""
        with self.lock:
            self.given_back.extendleft(reversed(items))


def _resource(call: Call, op: Any, shared_name: str) -> Resource:
    key = f"iterator/{shared_name or op.name}"
    types, shapes = op.get_attr("output_types"), op.get_attr("output_shapes")
    found: Resource = call.objects.get(key, lambda: Resource(key, types, shapes))
    return found


def _handle(*shapes: TensorShape) -> list[TensorShape]:
    return [s.shape_of([])]


class IteratorV2(
    OpDef, sig=f"IteratorV2(shared_name: str, container: str, {TYPES}) -> handle: resource"
):
    """An iterator of the Session, to be initialised with a dataset."""

    stateful = takes_session = True
    shape = _handle

    def host(call: Call, op: Any, *, shared_name: str) -> np.ndarray:
        return boxed(_resource(call, op, shared_name))


class OneShotIterator(OpDef, sig=f"OneShotIterator({TYPES}, {_NAMES}) -> handle: resource"):
    """An iterator that begins by itself, with the dataset that the op carries."""

    stateful = takes_session = True
    shape = _handle

    def host(call: Call, op: Any, *, shared_name: str) -> np.ndarray:
        resource = _resource(call, op, shared_name)
        if resource.elements is None:
            with resource.held(call):
                if resource.elements is None:
                    if op._dataset is None:
                        raise errors.UnimplementedError(
                            None, op, "the dataset of an imported iterator is not in the graph"
                        )
                    resource.start(call, node_of(call.value(op._dataset)))
        return boxed(resource)


class MakeIterator(OpDef, sig="MakeIterator(dataset: variant, iterator: resource) -> ()"):
    """Let an iterator begin with the first element of a dataset."""

    stateful = takes_session = True

    def shape(dataset: TensorShape, iterator: TensorShape) -> list[TensorShape]:
        return []

    def host(call: Call, op: Any, dataset: np.ndarray, iterator: np.ndarray) -> None:
        resource: Resource = iterator.item()
        resource.start(call, node_of(dataset))


def _element_shapes(*shapes: TensorShape, output_shapes: Sequence[TensorShape]) -> Any:
    return list(output_shapes)


class IteratorGetNext(
    OpDef, sig=f"IteratorGetNext(iterator: resource, {TYPES}) -> components: [output_types]"
):
    """The next element of an iterator."""

    stateful = takes_session = True
    shape = _element_shapes

    def host(call: Call, op: Any, iterator: np.ndarray) -> Element:
        resource: Resource = iterator.item()
        return resource.next(call)


class IteratorToStringHandle(
    OpDef, sig="IteratorToStringHandle(resource_handle: resource) -> string_handle: string"
):
    """The name of an iterator, by which its Session finds it."""

    stateful = True
    shape = _handle

    def host(handle: np.ndarray) -> np.ndarray:
        resource: Resource = handle.item()
        return vector([resource.key.encode()]).reshape(())


class IteratorFromStringHandleV2(
    OpDef,
    sig="IteratorFromStringHandleV2(string_handle: string, output_types: list(type) = [], "
    "output_shapes: list(shape) = []) -> resource_handle: resource",
):
    """The iterator of a name."""

    stateful = takes_session = True
    shape = _handle

    def host(
        call: Call,
        op: Any,
        string_handle: np.ndarray,
        *,
        output_types: Sequence[DType],
        output_shapes: Sequence[TensorShape],
    ) -> np.ndarray:
        if string_handle.ndim:
            raise invalid(op, "string_handle must be a scalar")
        key = string_handle.item().decode(errors="replace")
        if not key.startswith("iterator/"):
            raise invalid(op, f"Could not parse string_handle as a valid ResourceHandle: {key!r}")
        resource: Resource | None = call.objects.items.get(key)
        if resource is None:
            raise errors.NotFoundError(None, op, f"Resource {key} does not exist.")
        _check_fits(op, resource, output_types, output_shapes)
        return boxed(resource)


def _check_fits(
    op: Any, resource: Resource, types: Sequence[DType], shapes: Sequence[TensorShape]
) -> None:
    """Raises InvalidArgumentError if an iterator's elements are not what `op` expects."""
    if types and list(types) != list(resource.types):
        raise invalid(
            op,
            f"Number or types of components do not match: expected {[t.name for t in types]} but "
            f"got {[t.name for t in resource.types]}.",
        )
    for wanted, there in zip(shapes, resource.shapes, strict=False):
        if not wanted.is_compatible_with(there):
            raise invalid(
                op,
                f"Incompatible shapes at component: expected {wanted} but got {there}.",
            )


class DatasetToSingleElement(
    OpDef, sig=f"DatasetToSingleElement(dataset: variant, {TYPES}) -> components: [output_types]"
):
    """The one element of a dataset."""

    stateful = takes_session = True
    shape = _element_shapes

    def host(call: Call, op: Any, dataset: np.ndarray) -> Element:
        elements = node_of(dataset).elements(Run(call))
        try:
            found = next(elements)
        except StopIteration:
            raise invalid(op, "Dataset was empty.") from None
        for _ in elements:
            raise invalid(op, "Dataset had more than one element.")
        return tuple([np.array(c, order="C") for c in found])


class ReduceDataset(
    OpDef,
    sig="ReduceDataset(input_dataset: variant, initial_state: [Tstate], "
    f"other_arguments: [Targuments], {TYPES}, use_inter_op_parallelism: bool = True)"
    " -> components: [output_types]",
):
    """The last state, of a function that makes the next state of a state and an element."""

    stateful = takes_session = True
    shape = _element_shapes

    def host(
        call: Call, op: Any, dataset: np.ndarray, *rest: np.ndarray, Tstate: Sequence[DType]
    ) -> Element:
        run, count = Run(call), len(Tstate)
        function = Function(op, 0, rest[count:])
        state: Sequence[np.ndarray] = rest[:count]
        for element in node_of(dataset).elements(run):
            state = function(run, *state, *element)
        return tuple([np.array(c, order="C") for c in state])


class DatasetCardinality(
    OpDef, sig="DatasetCardinality(input_dataset: variant) -> cardinality: int64"
):
    """How many elements a dataset has: -1 infinitely many, -2 unknown."""

    stateful = True
    shape = _handle

    def host(dataset: np.ndarray) -> np.ndarray:
        size = node_of(dataset).size()
        return np.array(UNKNOWN if size is None else size, np.int64)
