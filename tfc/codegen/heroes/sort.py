"""Sorting along an axis: a bottom-up merge sort of positions, by the keys they stand for; stable.

Scratch holds two arrays of positions for each chunk. In the end every operand is read at the
sorted positions. Keys of at most 32 bits make one *word* with their position: a number of 64 bits
that is as great as the pair. Long lines of words are sorted digit by digit; the first few of a
line are inserted where they belong among those found so far.
"""

from __future__ import annotations

from tfc.codegen.heroes.arg_reduce import one_by_one
from tfc.codegen.heroes.positions import Sort
from tfc.codegen.heroes.sort_words import Words, has_words
from tfc.codegen.kernels import Kernel


def write(k: Kernel) -> None:
    """The whole kernel: lines of the sorted axis one after the other."""
    lanes = k.e.lanes
    with k.e.with_lanes(1):
        sort = Words(k, lanes) if has_words(k.hero) else Sort(k)
        if sort.count:
            one_by_one(k, [n for d, n in enumerate(sort.shape) if d != sort.dim], sort.line)
