"""The random numbers of datasets: words of Philox, one after the other."""

from __future__ import annotations

import os

import numpy as np

from tfc.runtime import rng

_FIRST, _MOST = 64, 4096  # words made at a time


class Words:
    """32-bit words of the generator that two seeds of 64 bits start."""

    def __init__(self, seed: int, seed2: int):
        self._key = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], np.uint32)
        self._counter = np.array([0, 0, seed2 & 0xFFFFFFFF, seed2 >> 32 & 0xFFFFFFFF], np.uint32)
        self._count = _FIRST
        self._words: list[int] = []  # those that come next, the next one last

    def next(self) -> int:
        if not self._words:
            self._words = rng.bits(self._key, self._counter, self._count)[::-1].tolist()
            steps = np.array([self._count // 4], np.uint64)
            self._counter = rng.advance(self._counter, steps)[0]
            self._count = min(self._count * 2, _MOST)
        return self._words.pop()


def seeds_or_random(seed: int, seed2: int) -> tuple[int, int]:
    """The seeds; two zeros ask for seeds that nobody knows."""
    if seed or seed2:
        return seed, seed2
    first, second = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
    return first, second
