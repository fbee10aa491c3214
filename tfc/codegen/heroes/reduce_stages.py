"""The stages of a reduction kernel: the whole of it; or partial results per chunk and their end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.loop import nest, outer_loops, result_nest
from tfc.codegen.heroes.reduce import Reduction, States, neutral
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel, chunk_step
from tfc.codegen.values import V, i64
from tfc.ir.core import Op, Type
from tfc.prims.reduce_plan import accumulator, partial_offsets, reductions, uses_partials

Write = Callable[[Kernel], None]
Group = tuple[int, int]
Place = dict[Group, Index]


def stages(op: Op) -> Sequence[Write]:
    """The stages of a fusion whose hero is `reduce`."""
    shape = reductions(op)[0].operands[0].type.shape or ()
    if math.prod(shape) == 0:
        return (write_neutral,)
    return (write_partials, write_combined) if uses_partials(op) else (write_whole,)


def write_neutral(k: Kernel) -> None:
    """A reduction over nothing."""
    shape = reductions(k.op)[0].result.type.shape or ()
    values = {op.result: k.e.const(op.result.type.dtype, neutral(op)) for op in reductions(k.op)}
    groups = [(d, d + 1) for d in range(len(shape))]
    result_nest(k, shape, groups, lambda index: k.finish(index, values))


def write_whole(k: Kernel) -> None:
    """Kept axes outside, split into chunks; reduced ones inside."""
    r = Reduction(k)
    space = r.space
    if space.last_reduced:
        groups = space.kept

        def row(at: tuple[Index, ...]) -> None:
            here = dict(zip(groups, at, strict=True))
            last = space.extent(space.reduced[0])
            finish(r, here, r.rows(space.reduced, here, 0, last), lanes=1)

        each(k, [space.extent(g) for g in groups], row)
        return
    if not space.kept:  # one element
        nest(k, (), lambda _: finish(r, {}, r.columns((), {}, [{}], 0, 1)[0], lanes=k.e.lanes))
        return
    columns(r, 0, space.extent(space.reduced[0]) if space.reduced else 1, _finish_all)


def each(k: Kernel, extents: list[int], body: Callable[[tuple[Index, ...]], None]) -> None:
    """body(at) at each position; the first axis is split."""
    if extents:
        outer_loops(k, extents, body)
    else:
        nest(k, (), body)


def columns(
    r: Reduction, lo: V | int, hi: V | int, done: Callable[[Reduction, Place, States], None]
) -> None:
    """All kept positions, the last kept group in packets: several side by side, then the rest;
    the first reduced group over [lo, hi)."""
    k, space = r.k, r.space
    *outer, last = space.kept
    extent, lanes = space.extent(last), k.e.lanes
    side = max(1, min(k.target.registers // 4, extent // lanes))
    whole = extent - extent % (side * lanes)

    def block(at: Place, starts: list[Place]) -> None:
        for here, state in zip(starts, r.columns(space.reduced, at, starts, lo, hi), strict=True):
            done(r, at | here, state)

    def inner(at: tuple[Index, ...]) -> None:
        here = dict(zip(outer, at, strict=True))
        split = not outer and isinstance(hi, int) and k.chunks > 1
        low, high = k.chunk_range(extent, side * lanes) if split else (0, extent)
        if whole:
            end = whole if isinstance(high, int) else k.t.minimum(high, i64(whole))
            with k.t.loop(low, end, side * lanes) as loop:
                first = k.e.loop_axis(loop, extent, packet=True)
                block(here, [{last: first + n * lanes} for n in range(side)])
        if whole < extent:
            if isinstance(high, int) or isinstance(low, int):
                block(here, rest())
            else:
                mine = k.t.op("and", k.t.cmp("eq", high, i64(extent)), k.t.cmp("slt", low, high))
                with k.t.when(mine):
                    block(here, rest())

    def rest() -> list[Place]:
        out: list[Place] = []
        for start in range(whole, extent, lanes):
            mask = None if start + lanes <= extent else k.first_lanes(extent - start)
            out.append({last: k.e.axis(start, 0, extent - 1, packet=True, mask=mask)})
        return out

    if outer and isinstance(hi, int):
        outer_loops(k, [space.extent(g) for g in outer], inner)
    elif outer:
        plain_loops(k, [space.extent(g) for g in outer], (), inner)
    else:
        inner(())


def plain_loops(
    k: Kernel,
    extents: list[int],
    done: tuple[Index, ...],
    body: Callable[[tuple[Index, ...]], None],
) -> None:
    """body(at) at each position; nothing is split."""
    if len(done) == len(extents):
        body(done)
        return
    with k.t.loop(0, extents[len(done)]) as loop:
        plain_loops(k, extents, (*done, k.e.loop_axis(loop, extents[len(done)])), body)


def finish(r: Reduction, at: Place, state: States, lanes: int) -> None:
    with r.e.with_lanes(lanes):
        r.k.finish(r.result_index(at), r.narrow(state))


def _finish_all(r: Reduction, at: Place, state: States) -> None:
    finish(r, at, state, r.e.lanes)


# -- partial results ---------------------------------------------------------------------------
def _partials(k: Kernel) -> list[Buffer]:
    """Each reduction's [chunks, *kept shape] in scratch."""
    chunks = k.op.attr("chunks")
    out = []
    for op, offset in zip(reductions(k.op), partial_offsets(k.op), strict=True):
        shape = (chunks, *(op.result.type.shape or ()))
        ptr = k.t.gep(k.scratch, offset, "i8")
        out.append(Buffer(ptr, Type(accumulator(op), shape)))
    return out


def write_partials(k: Kernel) -> None:
    """For each chunk: a range of the first reduced group, reduced to scratch."""
    r = Reduction(k)
    space, t = r.space, k.t
    buffers = _partials(k)
    extent = space.extent(space.reduced[0])
    grain = r.row_grain if space.last_reduced and len(space.reduced) == 1 else 1
    step = chunk_step(extent, k.chunks, grain)
    with t.loop(k.lo, k.hi) as loop:
        chunk = k.e.loop_axis(loop, k.chunks)
        lo = t.minimum(t.mul(loop.index, step), i64(extent))
        hi = t.minimum(t.add(t.mul(loop.index, step), i64(step)), i64(extent))

        def store(r: Reduction, at: Place, state: States) -> None:
            index = (chunk, *r.result_index(at))
            for buffer, packet in zip(buffers, state, strict=True):
                k.e.store(buffer, index, packet)

        if not space.last_reduced:
            columns(r, lo, hi, store)
            return

        def row(at: tuple[Index, ...]) -> None:
            here = dict(zip(space.kept, at, strict=True))
            state = r.rows(space.reduced, here, lo, hi)
            with k.e.with_lanes(1):
                store(r, here, state)

        plain_loops(k, [space.extent(g) for g in space.kept], (), row)


def write_combined(k: Kernel) -> None:
    """Each result is its chunks' partial results in order, and then the epilogue."""
    r = Reduction(k)
    buffers, chunks = _partials(k), k.op.attr("chunks")
    shape = r.ops[0].result.type.shape or ()
    groups = [(d, d + 1) for d in range(len(shape))]

    def element(index: tuple[Index, ...]) -> None:
        def add(at: V, states: list[States]) -> list[States]:
            chunk = k.e.axis(at, 0, chunks - 1)
            loaded = [k.e.load(b, (chunk, *index)) for b in buffers]
            return [r.combine(states[0], loaded)]

        (state,) = r.loop(0, chunks, 1, [r.initial()], add)
        k.finish(index, r.narrow(state))

    with k.e.with_lanes(1 if math.prod(shape) == 1 else k.e.lanes):
        result_nest(k, shape, groups, element)
