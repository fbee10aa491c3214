"""Datasets that hand on elements of others: some of them, again, in another order, from memory."""

from __future__ import annotations

import collections
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import DType
from tfc.base.records import dataclass
from tfc.framework.opdef import OpDef
from tfc.ops.datasets.file_cache import FileCache
from tfc.ops.datasets.nodes import (
    INFINITE,
    Elements,
    FromSource,
    Items,
    Node,
    Run,
    Through,
    boxed,
    node_of,
    scalar,
)
from tfc.ops.datasets.random import Words, seeds_or_random
from tfc.ops.datasets.source_ops import TYPES, handle
from tfc.ops.strings.common import invalid


class Take(Through):
    """The first `count` elements; all if it is negative."""

    def __init__(self, source: Node, count: int):
        super().__init__(source)
        self.count = count

    def elements(self, run: Run) -> Elements:
        return TakeElements(self, run)

    def size(self) -> int | None:
        whole = self.source.size()
        if self.count < 0 or whole is None:
            return whole
        return self.count if whole == INFINITE else min(whole, self.count)


class TakeElements(FromSource):
    def __init__(self, node: Take, run: Run):
        super().__init__(node, run)
        self.left = node.count

    def item(self) -> Any:
        if not self.left:
            raise StopIteration
        item = self.source.item()
        self.left -= 1
        return item

    def items(self, count: int) -> Items:
        found = self.source.items(count if self.left < 0 else min(count, self.left))
        if self.left > 0:
            self.left -= len(found)
        return found


class TakeDataset(
    OpDef, sig=f"TakeDataset(input_dataset: variant, count: int64, {TYPES}) -> handle: variant"
):
    """The first elements."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, count: np.ndarray) -> np.ndarray:
        return boxed(Take(node_of(source), scalar(op, "count", count)))


class Skip(Through):
    """All but the first `count` elements; none if it is negative."""

    def __init__(self, source: Node, count: int):
        super().__init__(source)
        self.count = count

    def elements(self, run: Run) -> Elements:
        return SkipElements(self, run)

    def size(self) -> int | None:
        whole = self.source.size()
        if self.count < 0:
            return 0
        return whole if whole is None or whole == INFINITE else max(whole - self.count, 0)


class SkipElements(FromSource):
    def __init__(self, node: Skip, run: Run):
        super().__init__(node, run)
        self.left = node.count

    def _skip(self) -> None:
        if self.left < 0:
            raise StopIteration
        while self.left:
            self.run.check()
            found = len(self.source.items(min(self.left, 4096)))
            self.left = self.left - found if found else 0

    def item(self) -> Any:
        self._skip()
        return self.source.item()

    def items(self, count: int) -> Items:
        if self.left < 0:
            return []
        self._skip()
        return self.source.items(count)


class SkipDataset(
    OpDef, sig=f"SkipDataset(input_dataset: variant, count: int64, {TYPES}) -> handle: variant"
):
    """All but the first elements."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, count: np.ndarray) -> np.ndarray:
        return boxed(Skip(node_of(source), scalar(op, "count", count)))


class Repeat(Through):
    """The elements `count` times; for ever if it is negative."""

    def __init__(self, source: Node, count: int):
        super().__init__(source)
        self.count = count

    def elements(self, run: Run) -> Elements:
        return RepeatElements(self, run)

    def size(self) -> int | None:
        whole = self.source.size()
        if self.count < 0:
            return whole if whole == 0 or whole is None else INFINITE
        if whole == INFINITE:
            return INFINITE if self.count else 0
        return whole if whole is None else whole * self.count


class RepeatElements(FromSource):
    """A pass that gives nothing ends it, if it repeats for ever."""

    def __init__(self, node: Repeat, run: Run):
        super().__init__(node, run)
        self.left = node.count
        self.empty = True

    def _again(self) -> None:
        """Begin the next pass. Raises StopIteration: there is none."""
        self.run.check()
        self.left -= 1
        if self.left == 0 or (self.left < 0 and self.empty):
            self.left = 0
            raise StopIteration
        self.source, self.empty = self.node.source.elements(self.run), True

    def item(self) -> Any:
        while self.left:
            try:
                item = self.source.item()
            except StopIteration:
                self._again()
                continue
            self.empty = False
            return item
        raise StopIteration

    def items(self, count: int) -> Items:
        found: list[Any] = []
        while self.left and len(found) < count:
            more = self.source.items(count - len(found))
            self.empty = self.empty and not len(more)
            if len(more) == count:
                return more
            found.extend(more)
            if len(found) < count:
                try:
                    self._again()
                except StopIteration:
                    break
        return found


class RepeatDataset(
    OpDef, sig=f"RepeatDataset(input_dataset: variant, count: int64, {TYPES}) -> handle: variant"
):
    """The elements, several times."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, count: np.ndarray) -> np.ndarray:
        return boxed(Repeat(node_of(source), scalar(op, "count", count)))


class Shard(Through):
    """Every element number k * shards + index."""

    def __init__(self, source: Node, shards: int, index: int):
        super().__init__(source)
        self.shards, self.index = shards, index

    def elements(self, run: Run) -> Elements:
        return ShardElements(self, run)

    def size(self) -> int | None:
        whole = self.source.size()
        if whole is None or whole == INFINITE:
            return whole
        return whole // self.shards + (self.index < whole % self.shards)


class ShardElements(FromSource):
    def __init__(self, node: Shard, run: Run):
        super().__init__(node, run)
        self.at, self.index, self.shards = 0, node.index, node.shards

    def item(self) -> Any:
        while True:
            item = self.source.item()
            self.at += 1
            if (self.at - 1) % self.shards == self.index:
                return item
            self.run.check()


class ShardDataset(
    OpDef,
    sig="ShardDataset(input_dataset: variant, num_shards: int64, index: int64, "
    f"require_non_empty: bool = False, {TYPES}) -> handle: variant",
):
    """One of `num_shards` parts."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, shards: np.ndarray, index: np.ndarray) -> np.ndarray:
        count, number = scalar(op, "num_shards", shards), scalar(op, "index", index)
        if count < 1:
            raise invalid(
                op, f"Number of shards must be greater than zero (currently num_shards = {count})."
            )
        if not 0 <= number < count:
            raise invalid(
                op,
                f"Index must be between 0 and {count - 1} (currently index = {number}).",
            )
        return boxed(Shard(node_of(source), count, number))


@dataclass
class _Slice:
    """The elements of one epoch that are in the buffer: their places, from start to end."""

    start: int
    end: int


class Shuffle(Through):
    """`epochs` passes over the elements, each a random one of `room` that wait in a buffer.

    reshuffle: every iterator has an order of its own, from seeds that a generator gives.
    """

    def __init__(
        self, source: Node, room: int, seeds: tuple[int, int], reshuffle: bool, epochs: int
    ):
        super().__init__(source)
        self.room, self.epochs = room, epochs
        self.seeds = seeds
        self.seed_words = Words(*seeds) if reshuffle else None
        self.lock = threading.Lock()

    def elements(self, run: Run) -> Elements:
        return ShuffleElements(self, run)

    def words(self) -> Words:
        """The random numbers of one pass."""
        if self.seed_words is None:
            return Words(*self.seeds)
        with self.lock:
            return Words(self.seed_words.next(), self.seed_words.next())

    def size(self) -> int | None:
        return Repeat(self.source, self.epochs).size()


class ShuffleElements(Elements):
    """The buffer is a ring: item number n lies at n modulo its room. Elements of an epoch come
    before all of the next one, which may wait behind them."""

    MOST_EPOCHS = 3  # in the buffer

    def __init__(self, node: Shuffle, run: Run):
        self.node, self.run, self.words = node, run, node.words()
        self.tables, self.room = node.tables, node.room
        self.source: Elements | None = None
        self.epoch = 0
        self.empty = True  # whether this epoch has given nothing so far
        self.ring: list[Any] = []
        self.held = 0
        self.slices: collections.deque[_Slice] = collections.deque()

    def item(self) -> Any:
        if self.held < self.room:
            self._fill()
            if not self.held:
                raise StopIteration
        first = self.slices[0]
        while first.start == first.end:
            self.slices.popleft()
            first, self.words = self.slices[0], self.node.words()
        ring, room, start = self.ring, self.room, first.start
        place = (start + self.words.next() % (first.end - start)) % room
        start %= room
        taken, ring[place] = ring[place], ring[start]
        ring[start] = None
        first.start += 1
        self.held -= 1
        return taken

    def _fill(self) -> None:
        if self.source is not None and self.held == self.room - 1:  # as nearly every time
            try:
                self._hold(self.source.item())
            except StopIteration:
                self.source = None
        while self.held < self.room:
            self.run.check()
            if self.source is None and not self._begin():
                return
            assert self.source is not None
            more = self.source.items(min(self.room - self.held, 4096))
            for item in more.tolist() if isinstance(more, np.ndarray) else more:
                self._hold(item)
            if not len(more):
                self.source = None

    def _hold(self, item: Any) -> None:
        last = self.slices[-1]
        if len(self.ring) < self.room:
            self.ring.append(item)
        else:
            self.ring[last.end % self.room] = item
        last.end += 1
        self.held += 1
        self.empty = False

    def _begin(self) -> bool:
        """Begin the next epoch; whether there is one, and the buffer may take it."""
        epochs = self.node.epochs
        if self.epoch == epochs or (self.epoch and self.empty):
            return False
        if len(self.slices) > self.MOST_EPOCHS and self.held:
            return False
        end = self.slices[-1].end if self.slices else 0
        self.slices.append(_Slice(end, end))
        self.source, self.empty = self.node.source.elements(self.run), True
        self.epoch += 1
        return True


def _shuffle(op: Any, inputs: Sequence[np.ndarray], reshuffle: bool, epochs: int = 1) -> np.ndarray:
    source, buffer_size, seed, seed2 = inputs
    room = scalar(op, "buffer_size", buffer_size)
    if room < 1:
        raise invalid(op, "buffer_size must be greater than zero.")
    seeds = seeds_or_random(scalar(op, "seed", seed), scalar(op, "seed2", seed2))
    return boxed(Shuffle(node_of(source), room, seeds, reshuffle, epochs))


class ShuffleDataset(
    OpDef,
    sig="ShuffleDataset(input_dataset: variant, buffer_size: int64, seed: int64, seed2: int64, "
    f"reshuffle_each_iteration: bool = True, {TYPES}) -> handle: variant",
):
    """The elements in random order, as far as a buffer lets them change places."""

    stateful = True
    shape = handle

    def host(op: Any, *inputs: np.ndarray, reshuffle_each_iteration: bool) -> np.ndarray:
        return _shuffle(op, inputs, reshuffle_each_iteration)


class ShuffleAndRepeatDataset(
    OpDef,
    sig="ShuffleAndRepeatDataset(input_dataset: variant, buffer_size: int64, seed: int64, "
    f"seed2: int64, count: int64, {TYPES}) -> handle: variant",
):
    """Shuffled passes one after the other, the next one getting into the buffer early."""

    stateful = True
    shape = handle

    def host(op: Any, *inputs: np.ndarray) -> np.ndarray:
        epochs = scalar(op, "count", inputs[4])
        if epochs < -1 or not epochs:
            raise invalid(op, "count must be greater than zero or equal to -1.")
        return _shuffle(op, inputs[:4], True, epochs)


class Same(Through):
    """The elements as they are."""

    def elements(self, run: Run) -> Elements:
        return self.source.elements(run)

    def size(self) -> int | None:
        return self.source.size()


class PrefetchDataset(
    OpDef,
    sig=f"PrefetchDataset(input_dataset: variant, buffer_size: int64, {TYPES}) -> handle: variant",
):
    """The elements as they are. They are made when they are asked for."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, buffer_size: np.ndarray) -> np.ndarray:
        if scalar(op, "buffer_size", buffer_size) < -1:
            raise invalid(
                op, "buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning"
            )
        return boxed(Same(node_of(source)))


class Cache(Through):
    """The elements as they were in the first whole pass."""

    def __init__(self, source: Node):
        super().__init__(source)
        self.fresh = False
        self.whole: list[Any] | None = None

    def elements(self, run: Run) -> Elements:
        return CacheElements(self, run)

    def size(self) -> int | None:
        return self.source.size()


class CacheElements(Elements):
    def __init__(self, node: Cache, run: Run):
        self.node, self.tables = node, node.tables
        self.at, self.kept = 0, node.whole or []
        self.source = node.source.elements(run) if node.whole is None else None

    def item(self) -> Any:
        if self.source is not None:
            try:
                item = self.source.item()
            except StopIteration:
                self.node.whole, self.source, self.at = self.kept, None, len(self.kept)
                raise
            self.kept.append(item)
            return item
        if self.at >= len(self.kept):
            raise StopIteration
        self.at += 1
        return self.kept[self.at - 1]


class CacheDataset(
    OpDef,
    sig=f"CacheDataset(input_dataset: variant, filename: string, {TYPES}) -> handle: variant",
):
    """The elements, kept by the first whole pass: in files, or in memory if they have no name."""

    stateful = True
    shape = handle

    def host(
        op: Any, source: np.ndarray, filename: np.ndarray, *, output_types: Sequence[DType]
    ) -> np.ndarray:
        if name := scalar(op, "filename", filename):
            return boxed(FileCache(op, node_of(source), name, output_types))
        return boxed(Cache(node_of(source)))
