"""Stores that go past the caches, for results that no cache holds.

An ordinary store reads the line that it writes to; one that streams does not, which saves a third
of the traffic where each element is read once and written once. It pays from the size of the last
cache on (`benchmarks/streaming.py`); below it, or in a line just read, it costs.
So a kernel with such results has its loop twice, and where the entry has put the results decides,
which is known when it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tfc.base import dtypes
from tfc.base.target import ALIGNMENT
from tfc.codegen.emitter import Buffer
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V, i64
from tfc.prims.kernel_info import pieces_of


def streamed_or_not(k: Kernel, extents: Sequence[int], body: Callable[[], None]) -> None:
    """body(): the loops over `extents`, whose last one goes along neighbours in memory; a second
    time before that with streaming stores, for when its large results are in lines of their own."""
    large = _large(k, extents)
    if large:
        with k.t.when(_apart(k, large), returns=V("0", "i32")):
            k.e.memory.streamed = frozenset(r.ptr for r in large)
            body()
            k.e.memory.streamed = frozenset()
            k.t.line("fence seq_cst")  # they may pass the store that says this kernel has ended
    body()


def _large(k: Kernel, extents: Sequence[int]) -> list[Buffer]:
    """The results that are written whole lines at a time and exceed the last cache."""
    found = []
    for buffer, result in zip(k.results, k.region.results, strict=True):
        if buffer.type.nbytes < k.target.l3_bytes or buffer.type.dtype in dtypes.REAL_PART:
            continue
        size = buffer.type.nbytes // buffer.type.size
        rows_begin_lines = len(extents) == 1 or extents[-1] * size % ALIGNMENT == 0
        whole = ALIGNMENT % (k.e.lanes * size) == 0 and k.e.lanes > 1
        if (
            math.prod(extents) == buffer.type.size
            and rows_begin_lines
            and whole
            and not pieces_of(k.op, result)
        ):
            found.append(buffer)
    return found


def _apart(k: Kernel, large: Sequence[Buffer]) -> V:
    """Whether each of the results begins a line, and none is an operand's buffer."""
    t = k.t
    yes = V("true", "i1")
    for result in large:
        at = t.ins(f"ptrtoint ptr {result.ptr.ref} to i64", "i64")
        low = t.op("and", at, i64(ALIGNMENT - 1))
        yes = t.op("and", yes, t.cmp("eq", low, i64(0)))
        for param in k.region.params:
            yes = t.op("and", yes, t.cmp("ne", k.e.buffers[param].ptr, result.ptr))
    return yes
