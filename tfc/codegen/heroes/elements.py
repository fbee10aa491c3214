"""Kernels without a hero: every element of the results at its own index."""

from __future__ import annotations

import math

from tfc.codegen.heroes import squares
from tfc.codegen.heroes.loop import across_of, apart, result_nest
from tfc.codegen.heroes.streaming import streamed_or_not
from tfc.codegen.index import row_major
from tfc.codegen.kernels import Kernel
from tfc.codegen.spaces import Probe, merged_axes, probe_axes


def write(k: Kernel) -> None:
    """Store all results, packet by packet."""
    shape = k.space
    probe = Probe(k.e.buffers)
    axes = probe_axes(probe, shape)
    written = []
    for result in k.region.results:
        for value, place in k.stores(probe, result, axes):
            probe.value(value, axes)
            written.append(row_major(place, result.type.shape))
    read = probe.accesses
    groups = merged_axes([*read, *written, row_major(axes, shape)], axes, shape)
    across = across_of([*read, *written], axes, groups)
    extents = [math.prod(shape[a:b]) for a, b in groups]
    lasts = [axes[b - 1] for _, b in groups]
    if across is not None and squares.fits(k, read, lasts, extents, across):
        squares.write(k, extents, across, lambda merged: apart(k, shape, groups, merged))
        return
    streamed_or_not(
        k,
        extents,
        lambda: result_nest(k, shape, groups, lambda index: k.finish(index, {}), across),
    )
