"""Scatter: the rows of the updates go, in order, to the places that the indices name.

The operand is copied first, unless the result lies in its own buffer. Rows outside are skipped.
Not split: the order of updates to one place is part of the meaning.
"""

from __future__ import annotations

import math

from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.loop import nest
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V, i64
from tfc.ir.core import Value


def write(k: Kernel) -> None:
    """The whole kernel."""
    if k.chunks > 1:
        with k.t.when(k.t.cmp("eq", k.lo, V("0", "i64"))):
            k.chunks = 1
            _all(k)
        return
    _all(k)


def _all(k: Kernel) -> None:
    op, t, e = k.hero, k.t, k.e
    x, index, _ = op.operands
    copy_operand(k, x, k.results[0])
    batch: tuple[int, ...] = (index.type.shape or ())[:-1]
    rows = math.prod(batch)
    if rows == 0 or x.type.size == 0:
        return
    with t.loop(0, rows) as loop:
        row = e.delinearize(e.loop_axis(loop, rows), batch)
        _row(k, row)


def copy_operand(k: Kernel, x: Value, result: Buffer) -> None:
    """Copy x to the result, unless that is its own buffer."""
    e, t = k.e, k.t
    shape: tuple[int, ...] = x.type.shape or ()

    def copy(at: tuple[Index, ...]) -> None:
        e.store(result, at, e.value(x, at))

    if x not in e.buffers:
        nest(k, shape, copy)
        return
    with t.when(t.cmp("ne", e.buffers[x].ptr, result.ptr)):
        nest(k, (math.prod(shape),), lambda at: copy(e.delinearize(at[0], shape)))


def _row(k: Kernel, row: tuple[Index, ...]) -> None:
    """One row of the updates."""
    op, t, e = k.hero, k.t, k.e
    x, index, update = op.operands
    dims: tuple[int, ...] = op.attr("dims")
    shape: tuple[int, ...] = x.type.shape or ()
    places: dict[int, Index] = {}
    inside: V | None = None
    with e.with_lanes(1):
        for number, d in enumerate(dims):
            entry = e.value(index, (*row, Index(number)))
            at = t.cast("sext" if entry.dtype[0] == "i" else "zext", entry.value, "i64")
            test = t.cmp("ult", at, i64(shape[d]))
            inside = test if inside is None else t.op("and", inside, test)
            places[d] = e.axis(at, 0, shape[d] - 1)
    rest = [d for d in range(len(shape)) if d not in dims]

    def store(at: tuple[Index, ...]) -> None:
        target = dict(zip(rest, at, strict=True)) | places
        full = tuple(target[d] for d in range(len(shape)))
        packet = e.value(update, (*row, *at))
        if op.attr("kind") != "set":
            packet = e.binary(op.attr("kind"), e.load(k.results[0], full), packet)
        e.store(k.results[0], full, packet)

    def block() -> None:
        with e.with_lanes(e.lanes if rest else 1):
            nest(k, [shape[d] for d in rest], store)

    if inside is None:
        block()
        return
    with t.when(inside):
        block()
