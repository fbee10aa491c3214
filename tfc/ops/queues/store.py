"""The content of queues: elements are tuples of arrays, one for each component."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.base.uninterrupted import Uninterrupted
from tfc.framework.session_objects import Call
from tfc.runtime import rng

Element = tuple[np.ndarray, ...]


class Fifo:
    """First in, first out. capacity: how many elements it holds, -1 for any number."""

    kind = "FIFOQueue"

    def __init__(self, name: str, capacity: int):
        self.name, self.capacity = name, capacity
        self.lock = threading.RLock()
        self.condition = threading.Condition(self.lock)
        self.items: list[Any] = []
        self.shapes: list[TensorShape] = []  # of the components; none: any
        self.types: list[DType] = []
        self.enqueues: list[object] = []  # those under way, in order: the first one goes on
        self.dequeues: list[object] = []
        self.closed = False
        self.cancelled = False

    def put(self, element: Element) -> None:
        self.items.append(element)

    def take(self) -> Element:
        element: Element = self.items.pop(0)
        return element

    def put_back(self, elements: list[Element]) -> None:
        """Have the elements again that were taken last."""
        self.items[:0] = elements

    def ready(self) -> bool:
        """Whether an element may be taken now."""
        return bool(self.items)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The lock, and no Ctrl-C between what belongs together: it comes while this waits."""
        with Uninterrupted(), self.lock:
            yield

    @contextmanager
    def _in_turn(self, call: Call, line: list[object]) -> Iterator[None]:
        """A context that begins when all before it in `line` have ended."""
        turn = object()
        try:
            line.append(turn)
            call.wait(self.condition, lambda: line[0] is turn)
            yield
        finally:
            if turn in line:
                line.remove(turn)
            self.condition.notify_all()

    def enqueue(self, call: Call, elements: list[Element]) -> None:
        """Add elements, each as soon as there is room.

        Raises:
          CancelledError: the queue is closed, or was closed with its enqueues while this waited.
        """
        with self._alone():
            if self.closed:
                raise errors.CancelledError(None, call.op, f"{self.kind} '{self.name}' is closed.")
            with self._in_turn(call, self.enqueues):
                for element in elements:
                    call.wait(self.condition, lambda: self.cancelled or self._has_room())
                    if self.cancelled:
                        text = "Enqueue operation was cancelled"
                        raise errors.CancelledError(None, call.op, text)
                    self.put(element)
                    self.condition.notify_all()

    def _has_room(self) -> bool:
        return self.capacity < 0 or len(self.items) < self.capacity

    def dequeue(self, call: Call, count: int, at_least: int) -> list[Element]:
        """`count` elements, which may be more than there is room for; at least `at_least` once the
        queue is closed.

        Raises:
          OutOfRangeError: the queue is closed and holds fewer, which stay.
        """
        taken: list[Element] = []
        with self._alone(), self._in_turn(call, self.dequeues):
            try:
                while len(taken) < count:
                    call.wait(self.condition, lambda: self.ready() or self._is_over())
                    if not self.items:
                        break
                    taken.append(self.take())
                    self.condition.notify_all()
                if len(taken) < min(count, max(at_least, 1)):
                    raise errors.OutOfRangeError(
                        None,
                        call.op,
                        f"{self.kind} '{self.name}' is closed and has insufficient elements "
                        f"(requested {count}, current size {len(taken)})",
                    )
            except BaseException:
                self.put_back(taken)
                raise
            return taken

    def _is_over(self) -> bool:
        """Whether no element will come any more than there is."""
        return self.closed and (bool(self.items) or not self.enqueues)

    def close(self, cancel_enqueues: bool) -> None:
        """Take no further elements; end enqueues that wait, if wanted."""
        with self._alone():
            self.closed = True
            self.cancelled = self.cancelled or cancel_enqueues
            self.condition.notify_all()

    def size(self) -> int:
        with self._alone():
            return len(self.items)


class RandomShuffle(Fifo):
    """Gives a random one of its elements; keeps `least` of them until it is closed."""

    kind = "RandomShuffleQueue"

    def __init__(self, name: str, capacity: int, least: int, seed: int, seed2: int):
        super().__init__(name, capacity)
        self.least = least
        if seed == 0 and seed2 == 0:
            seed, seed2 = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
        self._key = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], np.uint32)
        self._counter = np.array([0, 0, seed2 & 0xFFFFFFFF, seed2 >> 32 & 0xFFFFFFFF], np.uint32)
        self._words: list[int] = []

    def ready(self) -> bool:
        return len(self.items) > self.least

    def take(self) -> Element:
        if not self._words:
            self._words = rng.bits(self._key, self._counter, 4).tolist()
            self._counter = rng.advance(self._counter, np.array([1], np.uint64))[0]
        at = self._words.pop(0) % len(self.items)
        element: Element = self.items[at]
        self.items[at] = self.items[-1]
        self.items.pop()
        return element


class Priority(Fifo):
    """Gives the element whose first component is least; of equal ones the first."""

    kind = "PriorityQueue"

    def __init__(self, name: str, capacity: int):
        super().__init__(name, capacity)
        self._number = itertools.count()

    def put(self, element: Element) -> None:
        heapq.heappush(self.items, (int(element[0]), next(self._number), element))

    def take(self) -> Element:
        element: Element = heapq.heappop(self.items)[2]
        return element

    def put_back(self, elements: list[Element]) -> None:
        for element in elements:
            self.put(element)
