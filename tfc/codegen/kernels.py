"""From a fusion op to the text of its native function.

A kernel is `i32 k(ptr ctx, ptr args, i64 lo, i64 hi, i64 room)`: args holds a pointer for each
operand, then each result, then two pointers of a kernel that `keeps` panels (`codegen/kept.py`),
then scratch; [lo, hi) is the range of chunks to do, of the `chunks` that the fusion is split into
(fixed ranges of its outermost axis). `room` is the number of a chunk that this thread does in this
job, so that no other thread has it: chunks that it does one after the other may use the same
scratch, that of chunk `room`, which stays in its cache. A kernel may have stages, each a function
of its own that starts after the one before has ended on all chunks; the first stage is split, the
others run whole (all are split for heroes in ALL_SPLIT). The value returned is 0, or the number of
the assert that failed, from 1 on, or CANCELLED.

The text holds no name: `@KERNEL` stands for it, so that equal kernels have equal text.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress

from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen import weave
from tfc.codegen.emitter import Buffer, Element, Emitter
from tfc.codegen.index import Index
from tfc.codegen.packets import Packet, bits_of
from tfc.codegen.text import Loop, Text
from tfc.codegen.values import V, i64, vector_const
from tfc.ir.core import Function, Op, Value
from tfc.ir.structure import kernel_key
from tfc.prims.indexing import clamped_starts, is_inside
from tfc.prims.kernel_info import pieces_of, source_of_memory

CANCELLED = -1  # the status of what was told to stop


def attributes(target: Target) -> str:
    """The attributes of functions that compute."""
    return f'noinline nounwind "frame-pointer"="none" "prefer-vector-width"="{target.vector_bits}"'


@dataclass(frozen=True)
class Stage:
    """One native function of a kernel: its symbol, a hash of its text and target; its text (name:
    `@KERNEL`); the declarations it needs, and definitions that it shares with others of its module;
    how many chunks it runs over; what the panels are that it keeps, if it keeps any; the routines
    of LAPACK that it calls."""

    symbol: str
    text: str
    declares: frozenset[str]
    chunks: int
    panels: str = ""
    foreign: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Characters that LLVM reads of it, if it is alone in its module."""
        return len(self.text) + sum(map(len, self.declares))

    def named(self) -> str:
        """The text with the stage's symbol; its globals are named after it."""
        return self.text.replace("@KERNEL", f"@{self.symbol}")


class Kernel:
    """A kernel under construction: what heroes see as `k`.

    k.e: the emitter; k.t: its text. k.region: the fusion's region; its parameters have buffers.
    """

    def __init__(self, op: Op, target: Target, chunks: int):
        self.op, self.target, self.chunks = op, target, chunks
        self.region: Function = op.regions[0]
        self.t = Text(target.half, target.scales, target.widens)
        self.e = Emitter(self.t, natural_lanes(op, target))
        self.status: V = V("0", "i32")
        self.lo, self.hi, self.room = (V(f"%{name}", "i64") for name in ("lo", "hi", "room"))
        count = len(op.operands)
        for position, param in enumerate(self.region.params):
            self.e.buffers[param] = Buffer(self.argument(position), param.type)
        self.results = [
            Buffer(self.argument(count + position), r.type) for position, r in enumerate(op.results)
        ]
        self._kept_at = count + len(op.results)
        self._scratch_at = self._kept_at + (2 if "keeps" in op.kwargs else 0)
        self._scratch: V | None = None
        self.panels = ""  # what the panels are that the kernel keeps

    # -- arguments ------------------------------------------------------------------------------
    def argument(self, position: int) -> V:
        """Pointer number `position` of args."""
        with self.t.at(self.t.root):
            return self.t.load("ptr", self.t.gep(V("%args", "ptr"), position, "ptr"), 8)

    @property
    def scratch(self) -> V:
        """The pointer to this fusion's scratch memory (`prims.kernel_info.kernel_scratch`)."""
        if self._scratch is None:
            self._scratch = self.argument(self._scratch_at)
        return self._scratch

    @property
    def kept(self) -> tuple[V, V]:
        """Of a kernel that keeps panels: where they lie, or null, if those in scratch are to be
        used; and null if they are yet to be written."""
        return self.argument(self._kept_at), self.argument(self._kept_at + 1)

    @property
    def hero(self) -> Op:
        """The op that names the kernel; the first, if several reductions share it."""
        name = self.op.attr("hero")
        return next(op for op in self.region.ops if op.defn.name == name)

    # -- iteration spaces -----------------------------------------------------------------------
    def chunk_range(self, extent: int, align: int = 1) -> tuple[V | int, V | int]:
        """What [lo, hi) chunks cover of range(extent): i64 bounds, Python ints if not split.

        Chunk c covers `step` positions from c * step on, step a multiple of `align`; the last
        chunks may be empty.
        """
        if self.chunks == 1:
            return 0, extent
        step = chunk_step(extent, self.chunks, align)
        t, end = self.t, i64(extent)
        return (
            t.minimum(t.mul(self.lo, step), end),
            t.minimum(t.mul(self.hi, step), end),
        )

    def for_packets(
        self,
        extent: int,
        body: Callable[[Index], None],
        lo: V | int = 0,
        hi: V | int | None = None,
        independent: bool = False,
    ) -> None:
        """body(index) for each packet of range(lo, hi) along an axis of `extent` elements; lo is a
        multiple of the lanes, and hi too, or `extent`. The last packet may be masked. independent:
        no packet reads what another one writes, so that several may be computed together."""
        hi = extent if hi is None else hi
        t, lanes = self.t, self.e.lanes
        whole = extent - extent % lanes
        if isinstance(lo, int) and isinstance(hi, int):
            if whole > lo:
                self._whole_packets(extent, body, lo, min(whole, hi), independent)
            if hi > whole:
                body(self.tail(extent))
            return
        low, high = (i64(x) if isinstance(x, int) else x for x in (lo, hi))
        if whole:
            last = t.minimum(high, i64(whole))
            self._whole_packets(extent, body, low, last, independent)
        if whole < extent:
            last = t.op("and", t.cmp("eq", high, i64(extent)), t.cmp("slt", low, high))
            with t.when(last):
                body(self.tail(extent))

    def _whole_packets(
        self,
        extent: int,
        body: Callable[[Index], None],
        lo: V | int,
        hi: V | int,
        independent: bool,
    ) -> None:
        lanes = self.e.lanes

        def packet(loop: Loop) -> None:
            body(self.e.loop_axis(loop, extent, packet=True))

        if independent and self.packets >= weave.LEAST_PACKETS:
            step = chunk_step(extent, self.chunks, lanes)
            grain = math.gcd(step, extent - extent % lanes) // lanes
            weave.packet_loop(self.t, (lo, hi), lanes, packet, self.target, grain)
        else:
            with self.t.loop(lo, hi, lanes) as loop:
                packet(loop)

    @property
    def packets(self) -> int:
        """How many packets the largest array has that the kernel computes."""
        sizes = (r.type.size for op in self.region.ops for r in op.results)
        return max(sizes, default=0) // self.e.lanes

    def tail(self, extent: int) -> Index:
        """The masked packet after the last whole one of an axis of `extent` elements."""
        lanes = self.e.lanes
        start = extent - extent % lanes
        return self.e.axis(start, 0, extent - 1, packet=True, mask=self.first_lanes(extent - start))

    def first_lanes(self, count: int) -> V:
        """The mask of the first `count` lanes."""
        return vector_const("i1", [lane < count for lane in range(self.e.lanes)])

    # -- results --------------------------------------------------------------------------------
    def finish(
        self,
        index: Sequence[Index | int],
        packets: Mapping[Value, Packet],
        mask: V | None = None,
    ) -> None:
        """Given the hero's finished packets at `index`, compute every result of the fusion there
        and store it. `mask`: lanes to store; those of the index's own mask in any case."""
        if not self.e.pinned:
            self.e.pinned = dependents(self.region, packets)
        e = self.e
        for value, packet in packets.items():
            e.put(value, index, packet)
        out = []  # all is read before anything is written
        for buffer, result in zip(self.results, self.region.results, strict=True):
            for value, place in self.stores(e, result, index):
                out.append((buffer, place, e.value(value, index)))
        for buffer, place, packet in out:
            e.store(buffer, place, packet, mask)

    @property
    def space(self) -> tuple[int, ...]:
        """The shape of the iteration space."""
        shape: tuple[int, ...] = self.op.kwargs.get("space", self.results[0].type.shape)
        return shape

    def stores(
        self, e: Emitter, result: Value, index: Sequence[Index | int]
    ) -> list[tuple[Value, Sequence[Index | int]]]:
        """What is written of `result` at `index` of the iteration space, and where."""
        pieces = pieces_of(self.op, result)
        if not pieces:
            return [(result, index)]
        op = result.op
        assert op is not None
        if op.defn.name == "concat":
            return _beside(op, index)
        x, update, *starts = op.operands
        shape = update.type.shape
        begins = clamped_starts(e, x.type, [Element(e, s) for s in starts], shape, is_inside(op))
        source = source_of_memory(update)
        within = [(source, index)] if pieces == [source] else _beside(source.op, index)
        found = list[tuple[Value, Sequence[Index | int]]]()
        for piece, at in within:
            extents = list(zip(at, source.type.shape, strict=True))
            inner = iter([i for i, n in extents if n > 1])
            place = [
                begin + next(inner) if n > 1 else begin
                for begin, n in zip(begins, shape, strict=True)
            ]
            for i, n in extents:
                if n == 1:  # zero, but where it is a packet of which one lane counts
                    place[-1] = place[-1] + i
            found.append((piece, place))
        return found

    def text(self) -> Stage:
        """The finished function."""
        head = (
            "define i32 @KERNEL(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) "
            f"{attributes(self.target)} {{\nentry:\n"
        )
        body = self.t.body()
        text = "\n".join(self.t.globals) + "\n" + head + body
        text += f"\nret i32 {self.status.ref}\n}}\n"
        digest = hashlib.sha256((self.target.key + text).encode()).hexdigest()
        declares = frozenset(self.t.declares.values())
        foreign = frozenset(self.t.foreign)
        return Stage(f"k{digest[:16]}", text, declares, self.chunks, self.panels, foreign)


def _beside(
    concat: Op | None, index: Sequence[Index | int]
) -> list[tuple[Value, Sequence[Index | int]]]:
    """What a concat takes, and where in its result each of them has its element `index`."""
    assert concat is not None
    dim, start, found = concat.attr("dim"), 0, list[tuple[Value, Sequence[Index | int]]]()
    for piece in concat.operands:
        found.append((piece, (*index[:dim], index[dim] + start, *index[dim + 1 :])))
        start += piece.type.shape[dim]
    return found


def chunk_step(extent: int, chunks: int, align: int = 1) -> int:
    """Positions per chunk."""
    step = -(-extent // chunks)
    return -(-step // align) * align


def natural_lanes(op: Op, target: Target) -> int:
    """Lanes of the kernel's packets: what the widest element type in it leaves room for; no more
    than the innermost axis needs, and one for scalars."""
    region = op.regions[0]
    values = [*region.params, *(r for inner in region.ops for r in inner.results)]
    bits = max((bits_of(v.type.dtype) for v in values if v.type.dtype != "i1"), default=8)
    lanes = target.lanes(max(bits, 8))
    longest = max((v.type.size for v in values), default=1)
    while lanes > 1 and lanes // 2 >= longest:
        lanes //= 2
    return lanes


def dependents(region: Function, heroes: Mapping[Value, Packet]) -> set[Value]:
    """The values of a region that depend on those of the hero."""
    found = set(heroes)
    for op in region.ops:
        if any(x in found for x in op.operands):
            found.update(op.results)
    return found


_written: dict[Hashable, list[Stage]] = {}
"""Kernels by what they are written from, the one used longest ago first. Networks that are unrolled
have few kernels that differ, and writing one costs a hundred times as much as its key."""

MOST_WRITTEN = 256
# Attributes that are the entry's concern:
PLACES = ("out", "scratch", "light", "joined", "next_turn")


def kernel_stages(op: Op, target: Target) -> list[Stage]:
    """The native functions of a fusion op, in the order in which they run."""
    key = target, kernel_key(op, apart_from=PLACES)
    stages = _written.pop(key, None)
    if stages is None:
        stages = write_stages(op, target)
        while len(_written) >= MOST_WRITTEN:
            with suppress(RuntimeError, StopIteration):  # other threads do so, too
                _written.pop(next(iter(_written)), None)
    _written[key] = stages
    return stages


def write_stages(op: Op, target: Target) -> list[Stage]:
    """What `kernel_stages` gives, written anew."""
    from tfc.codegen.heroes import ALL_SPLIT, stages_of

    chunks = op.kwargs.get("chunks", 1)
    every = op.attr("hero") in ALL_SPLIT
    stages = []
    for number, write in enumerate(stages_of(op)):
        kernel = Kernel(op, target, chunks if number == 0 or every else 1)
        write(kernel)
        stages.append(kernel.text())
    return stages
