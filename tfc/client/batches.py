"""Batches: examples in memory, some at a time, in an order that anyone can repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import index
from typing import Any

import numpy as np

from tfc.client.feeds import feed_entries
from tfc.framework.operation import Tensor


class Batches:
    """Examples in memory, for training in batches.

    `sess.run_loop(…, data=batches)` takes one batch a step, and gathers its rows in native code.
    `next(batches)` is the next batch as a feed_dict, for `sess.run`. Both go on where the last one
    stopped, so the same steps can be run either way:

        batches = tf.Batches({images: train_images, labels: train_labels}, size=100)
        sess.run_loop(train_op, 550, data=batches)
        for _ in range(550):
            sess.run(train_op, next(batches))

    An epoch has n // size batches, for n examples; the examples that are left over are not used in
    that epoch. With `shuffle`, epoch number e takes the examples in the order of the e-th
    `permutation(n)` of `np.random.default_rng(seed)`; without, each takes them as they are.

    Args:
      arrays: {placeholder: array}, with one entry for each example along the first axis. They are
        not copied if they have the placeholder's dtype and lie in C order, and must not change.
      size: examples of a batch.
      shuffle: whether the order differs from epoch to epoch.
      seed: of the order.

    Raises:
      TypeError: keys that are no tensors, or values that do not convert to their dtypes.
      ValueError: entries of another shape, different numbers of them, or fewer than `size`.
    """

    def __init__(
        self, arrays: Mapping[Tensor, Any], size: int, shuffle: bool = True, seed: int = 0
    ):
        if not isinstance(arrays, Mapping) or not arrays:
            raise TypeError(f"Batches takes a dictionary of tensors and arrays, not {arrays!r}")
        for key in arrays:
            if not isinstance(key, Tensor):
                raise TypeError(f"a key of Batches must be a tensor, but is {key!r}")
        self.graph = next(iter(arrays)).graph
        self.size = index(size)
        self.arrays = feed_entries(self.graph, arrays, "Batches", self.size)
        counts = {t.name: len(a) for t, a in self.arrays.items()}
        self.examples = min(counts.values())
        if len(set(counts.values())) > 1:
            raise ValueError(f"Batches takes as many entries of each array, but got {counts}")
        if not 1 <= self.size <= self.examples:
            raise ValueError(
                f"batches of {self.size} cannot be made of {self.examples} examples: an epoch "
                "would have none"
            )
        self.steps_per_epoch = self.examples // self.size
        self._shuffle, self._random = shuffle, np.random.default_rng(seed)
        self._waiting = np.empty((0, self.size), np.int64)

    def __iter__(self) -> Iterator[dict[Tensor, np.ndarray]]:
        return self

    def __next__(self) -> dict[Tensor, np.ndarray]:
        (rows,) = self.peek(1)
        self.advance(1)
        return {tensor: array[rows] for tensor, array in self.arrays.items()}

    def peek(self, count: int) -> np.ndarray:
        """The numbers of the examples of the next `count` batches, i64[count, size]."""
        missing = count - len(self._waiting)
        if missing > 0:
            epochs = [self._epoch() for _ in range(-(-missing // self.steps_per_epoch))]
            self._waiting = np.concatenate([self._waiting, *epochs])
        return self._waiting[:count]

    def advance(self, count: int) -> None:
        """Leave out the next `count` batches: they have been used."""
        self.peek(count)
        self._waiting = self._waiting[count:]

    def _epoch(self) -> np.ndarray:
        order = self._random.permutation(self.examples) if self._shuffle else None
        if order is None:
            order = np.arange(self.examples)
        used = order[: self.steps_per_epoch * self.size]
        return used.reshape(-1, self.size)
