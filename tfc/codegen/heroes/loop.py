"""The default loop nests: every element of the results at its own index, in packets along the last
axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V, i64

TILE = 16  # positions side by side in a tile: one cache line of float32


def across_of(
    accesses: Sequence[Index], axes: Sequence[Index], groups: Sequence[tuple[int, int]]
) -> int | None:
    """The group along which neighbours lie in memory where those along the last do not, as in a
    transposition; None if there is none."""
    lasts = [axes[b - 1] for _, b in groups]
    for access in accesses:
        coefs = dict(access.terms)
        along = [coefs.get(i.terms[0][0], 0) if i.terms else 0 for i in lasts]
        if along and abs(along[-1]) >= TILE and 1 in along[:-1]:
            return along.index(1)
    return None


def result_nest(
    k: Kernel,
    shape: Sequence[int],
    groups: Sequence[tuple[int, int]],
    body: Callable[[tuple[Index, ...]], None],
    across: int | None = None,
) -> None:
    """body(index) for each packet of `shape`, whose axes `groups` are one loop each; in tiles of
    the last group and group `across`, if given. No packet reads what another one writes."""
    extents = [math.prod(shape[a:b]) for a, b in groups]

    def each(merged: Sequence[Index]) -> None:
        body(apart(k, shape, groups, merged))

    if across is None:
        nest(k, extents, each, independent=True)
    else:
        tiled_nest(k, extents, across, each)


def apart(
    k: Kernel, shape: Sequence[int], groups: Sequence[tuple[int, int]], merged: Sequence[Index]
) -> tuple[Index, ...]:
    """An index for each axis of `shape`, from one for each group."""
    index: list[Index] = []
    for (a, b), m in zip(groups, merged, strict=True):
        index.extend(k.e.delinearize(m, shape[a:b]))
    return tuple(index)


def tiled_nest(
    k: Kernel, extents: Sequence[int], across: int, body: Callable[[tuple[Index, ...]], None]
) -> None:
    """body(indices) for each packet; for each packet of the last axis, TILE positions of axis
    `across` in a row: the cache lines that the lanes are in serve them all."""
    t, extent = k.t, extents[across]
    before, between = extents[:across], extents[across + 1 : -1]

    def tile(at: tuple[Index, ...], low: V, high: V) -> None:
        def packet(middle: tuple[Index, ...], j: Index) -> None:
            with t.loop(low, high) as loop:
                body((*at, k.e.loop_axis(loop, extent), *middle, j))

        inner_loops(
            k, between, lambda middle: k.for_packets(extents[-1], lambda j: packet(middle, j))
        )

    def tiles(at: tuple[Index, ...]) -> None:
        low, high = (0, extent) if before else k.chunk_range(extent, TILE)
        end = i64(high) if isinstance(high, int) else high
        with t.loop(low, high, TILE) as loop:
            tile(at, loop.index, t.minimum(t.add(loop.index, i64(TILE)), end))

    if before:
        outer_loops(k, before, tiles)
    else:
        tiles(())


def nest(
    k: Kernel,
    extents: Sequence[int],
    body: Callable[[tuple[Index, ...]], None],
    independent: bool = False,
) -> None:
    """body(indices) for each packet of an iteration space: the last axis in packets, the first
    split into the kernel's chunks. independent: no packet reads what another one writes."""
    if not extents:
        if k.chunks > 1:
            with k.t.when(k.t.cmp("eq", k.lo, V("0", "i64"))):
                body(())
        else:
            body(())
        return
    if len(extents) == 1:
        lo, hi = k.chunk_range(extents[0], k.e.lanes)
        k.for_packets(extents[0], lambda j: body((j,)), lo, hi, independent)
        return

    def row(at: tuple[Index, ...]) -> None:
        k.for_packets(extents[-1], lambda j: body((*at, j)), independent=independent)

    outer_loops(k, extents[:-1], row)


def outer_loops(
    k: Kernel, extents: Sequence[int], body: Callable[[tuple[Index, ...]], None]
) -> None:
    """body(indices) for each position of `extents`, one at a time; the first axis is split."""
    _outer(k, extents, (), body)


def inner_loops(
    k: Kernel, extents: Sequence[int], body: Callable[[tuple[Index, ...]], None]
) -> None:
    """The same; nothing is split."""
    _outer(k, extents, (), body, split=False)


def _outer(
    k: Kernel,
    extents: Sequence[int],
    done: tuple[Index, ...],
    body: Callable[[tuple[Index, ...]], None],
    split: bool = True,
) -> None:
    if len(done) == len(extents):
        body(done)
        return
    extent = extents[len(done)]
    lo, hi = k.chunk_range(extent) if split and not done else (0, extent)
    with k.t.loop(lo, hi) as loop:
        _outer(k, extents, (*done, k.e.loop_axis(loop, extent)), body, split)
