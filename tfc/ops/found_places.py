"""Where elements stand: those that are true, those that differ, those of each part.

What host rules find whose results' shapes depend on data. numpy's own `argwhere`, `unique` and a
mask a part go over the elements several times, or sort where a table would do.
"""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 16  # elements whose places are found at a time: they stay in a near cache
SPREAD = 4  # integers that span no more than so many times their count are looked up in a table
FEW = 4  # parts that cost less, each with a pass of its own, than an order of all elements


def true_places(x: np.ndarray) -> np.ndarray:
    """int64[count, rank]: the places of the elements that are true or not 0, in row-major order."""
    if not x.ndim or not x.size:
        return np.argwhere(x).astype(np.int64)
    flat = (x if x.dtype == bool else x != 0).reshape(-1)
    places = np.empty((np.count_nonzero(flat), x.ndim), np.int64)
    end = 0
    for first in range(0, flat.size, BLOCK):
        rest = np.flatnonzero(flat[first : first + BLOCK])
        start, end = end, end + len(rest)
        rest += first
        for axis in range(x.ndim - 1, 0, -1):
            above = rest // x.shape[axis]
            rest -= above * x.shape[axis]
            places[start:end, axis] = rest
            rest = above
        places[start:end, 0] = rest
    return places


def distinct(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the places where an element of the vector differs from all before it, for each element which
    of these its like stands at). No NaN is like another; -0 is like 0."""
    count = x.size
    if x.dtype.kind in "iu" and count and int(x.max()) - int(x.min()) <= SPREAD * count:
        first = _first_by_table(x)
    elif x.dtype.kind in "iuf" and count:
        first = _first_sorted(x)
    else:
        first = _first_by_numpy(x)
    kept = np.flatnonzero(first == np.arange(count))
    rank = np.empty(count, np.int64)
    rank[kept] = np.arange(len(kept))
    return kept, rank.take(first)


def _first_by_table(x: np.ndarray) -> np.ndarray:
    """For each integer the place where it comes first."""
    wide = x if x.dtype.kind == "u" else x.astype(np.int64)
    offsets = (wide - wide.min()).astype(np.intp)
    places, table = np.arange(x.size), np.empty(int(offsets.max()) + 1, np.int64)
    table[offsets[::-1]] = places[::-1]  # of several for one place the last one stays
    return table.take(offsets)


def _first_sorted(x: np.ndarray) -> np.ndarray:
    """As `_first_by_table`, for real numbers: equal ones stand side by side when sorted."""
    count = x.size
    if x.dtype.itemsize <= 4 and count < 1 << 32:  # one word of bits and place; +0: no -0
        bits = (x + x.dtype.type(0)).view(f"u{x.dtype.itemsize}").astype(np.uint64)
        words = bits << np.uint64(32) | np.arange(count, dtype=np.uint64)
        words.sort()
        order = (words & np.uint64((1 << 32) - 1)).astype(np.intp)
    else:
        order = np.argsort(x)
    values = x.take(order)
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    least = np.minimum.reduceat(order, starts)
    first = np.empty(count, np.int64)
    first[order] = np.repeat(least, np.diff(starts, append=count))
    return first


def _first_by_numpy(x: np.ndarray) -> np.ndarray:
    _, first, inverse = np.unique(x, return_index=True, return_inverse=True, equal_nan=False)
    taken: np.ndarray = first.astype(np.int64).take(inverse.reshape(-1))
    return taken


def parts(rows: np.ndarray, part: np.ndarray, count: int) -> list[np.ndarray]:
    """The rows that go to each of `count` parts, in their order; `part` says where each goes."""
    if count <= FEW:
        return [rows.take(np.flatnonzero(part == k), axis=0) for k in range(count)]
    narrow = np.min_scalar_type(count - 1)  # stable orders of few bits are made digit by digit
    order = np.argsort(part.astype(narrow), kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=count))
    return np.split(rows.take(order, axis=0), ends[:-1])
