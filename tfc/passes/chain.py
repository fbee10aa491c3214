"""chain: kernels that work row by row on the same rows follow each other chunk by chunk.

Two kernels in a row of as many chunks, such that a chunk of the second one needs and changes
nothing of the first one's but what the same chunk of that made, are one job for the threads: who
does a chunk of the first does the same chunk of the second right after it. Nobody waits between
them, and what passes from one to the other is still in the nearest cache. The attribute `joined`
of a fusion says that it follows the kernel before it so. Kernels left whole that stand between two
of them, and have nothing to do with them, are moved in front. One that serves the next turn of a
loop only goes on with a chain in every turn if the chain makes what the condition reads: it would
have to wait for all threads to know whether there is a next turn.

A light kernel that has nothing at all to do with those before it goes beside them, in the same job:
with chunk c of theirs that share of its own chunks. So the gradient of a bias needs no job of its
own.

Decided from where values lie: two accesses to the same bytes, one of which writes, must both be by
rows of one buffer (passes/by_rows.py). The results are the same, whoever does which chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfc.base.records import dataclass
from tfc.ir.builder import make_op
from tfc.ir.core import Function, Op, Value, sorted_attrs
from tfc.ir.walk import has_effects
from tfc.passes.by_rows import Rows, row_operands, row_results, rows_split
from tfc.passes.options import PassOptions
from tfc.prims.contract_plan import op_split
from tfc.prims.control import CONTROL, looks_ahead, read_by, serves_next_turn
from tfc.prims.kernel_info import ALIASES, VIEWS, buffer_of, pieces_of, source_of_memory
from tfc.prims.reduce_plan import uses_partials

MOST_BETWEEN = 8  # kernels that are moved to the front
MOST_CHAINED = 16


_Part = tuple[int | Value, ...]
"""Rows of all of a buffer: bytes of a chunk; of a part of it: before that, where the part begins,
axis by axis, and its bytes."""


@dataclass(frozen=True)
class _Access:
    """Bytes [start, end) of a place, or of a parameter or result: whether they are written, and
    of which part of them it is rows; None if it is not by rows."""

    kind: str
    start: int
    end: int
    writes: bool
    part: _Part | None

    def hinders(self, other: _Access) -> bool:
        """Whether the order of the two accesses counts between chunks of different numbers."""
        if not (self.writes or other.writes) or self.kind != other.kind:
            return False
        if self.end <= other.start or other.end <= self.start:
            return False
        same = (self.start, self.end) == (other.start, other.end)
        return not (same and self.part is not None and self.part == other.part)


def chain(fn: Function, options: PassOptions) -> Function:
    """`fn` with the attribute `joined` on fusions that follow the one before chunk by chunk."""
    return _chained(fn, distinct=True)


def _chained(fn: Function, distinct: bool, tested: Sequence[int] = ()) -> Function:
    """distinct: parameters and results of `fn` share no memory but where `out` says so.
    tested: the results by which is told whether ops of `fn` that serve the next turn run."""
    line = _Line(fn, {op for k in tested if (op := fn.results[k].op) is not None})
    inner: dict[Op, tuple[Function, ...]] = {}
    for op in fn.ops:
        if op.defn.name in CONTROL:
            is_loop = op.defn.name == "while"
            tests = read_by(op.regions[0]) if is_loop and looks_ahead(op) else ()
            parts = zip(op.regions, ((), tests), strict=True)
            inner[op] = tuple(_chained(region, is_loop, read) for region, read in parts)
        if distinct and op.defn.name == "fusion":
            line.add_kernel(op)
        else:
            line.add_other(op)
    same = all(a is b for op, made in inner.items() for a, b in zip(op.regions, made, strict=True))
    return fn if same and not line.joined else _rebuilt(fn, line, inner)


def _rebuilt(fn: Function, line: _Line, inner: dict[Op, tuple[Function, ...]]) -> Function:
    """The function of the ops of `line`; `inner`: the regions of loops and branches."""
    new: dict[Value, Value] = {}
    ops = []
    for old in line.ops:
        operands = tuple(new.get(v, v) for v in old.operands)
        attrs, regions = old.attrs, inner.get(old, old.regions)
        if old in line.joined:
            known = {**old.kwargs, "joined": True}
            if old in line.always:
                del known["next_turn"]
            attrs = sorted_attrs(known.items())
        op = make_op(old.defn, operands, attrs, regions, old.loc)
        new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    results = tuple(new.get(v, v) for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, fn.attrs)


class _Line:
    """The ops of a function as they will stand. `joined`: fusions that follow the one before;
    `always`: those of them that shall run in every turn. `tested`: what makes that known.

    While a chain may go on: `head`, where it begins in `ops`; `accesses`, of its kernels, and
    `writes`, those of them that write; `chunks` and `length`; `between`: what has come after its
    last kernel.
    """

    def __init__(self, fn: Function, tested: set[Op]):
        self.fn, self.tested = fn, tested
        self.ops: list[Op] = []
        self.joined: set[Op] = set()
        self.always: set[Op] = set()
        self._params = {p: k for k, p in enumerate(fn.params)}
        self._end()

    def _end(self) -> None:
        self.head, self.chunks, self.length = 0, 0, 0
        self.accesses: list[_Access] = []
        self.writes: list[_Access] = []
        self.between: list[Op] = []

    def add_other(self, op: Op) -> None:
        """What is no kernel, or none that may be part of a chain."""
        self.ops.append(op)
        if op.defn.name not in ALIASES or self._waits(op):
            self._end()
        elif self.chunks:
            self.between.append(op)

    def _waits(self, op: Op) -> bool:
        """Whether where a view begins is only known when the kernels of the chain have run."""
        if op.defn.name not in VIEWS:
            return False
        makers = {buffer_of(start).op for start in op.operands[1:]}
        return any(at.defn.name == "fusion" and at in makers for at in self.ops[self.head :])

    def add_kernel(self, op: Op) -> None:
        self.ops.append(op)
        chunks = op.kwargs.get("chunks", 1)
        if chunks == 1:
            if has_effects(op) or len(self.between) >= MOST_BETWEEN:
                self._end()
            elif self.chunks:
                self.between.append(op)
            return
        rows = rows_split(op, chunks)
        if not rows and not _is_one_job(op):
            self._end()
            return
        accesses = self._accesses(op, rows)
        follows = rows is not None and chunks == self.chunks
        beside = chunks <= self.chunks and _may_go_beside(op)
        if (follows or beside) and self.length < MOST_CHAINED and self._fits(accesses):
            self.joined.add(op)
            if serves_next_turn(op) and not self.tested.isdisjoint(self.ops[self.head :]):
                self.always.add(op)
            self._note(accesses)
            self.length += 1
            self.between = []
            return
        self._end()
        self.head, self.chunks, self.length = len(self.ops) - 1, chunks, 1
        self._note(accesses)

    def _note(self, accesses: Sequence[_Access]) -> None:
        """A kernel of the chain has these."""
        self.accesses += accesses
        self.writes += (a for a in accesses if a.writes)

    def _fits(self, accesses: Sequence[_Access]) -> bool:
        """Whether the last op may go on with the chain; what is between has then been moved."""
        if self._hindered(accesses):
            return False
        moved = self._moved()
        if moved is None:
            return False
        chain = [op for op in self.ops[self.head :] if op not in moved]
        self.ops[self.head :] = [*moved, *chain]
        self.head += len(moved)
        return True

    def _hindered(self, accesses: Sequence[_Access]) -> bool:
        """Whether one of these must wait for all of the chain, or it for them."""
        return any(
            a.hinders(b) for b in accesses for a in (self.accesses if b.writes else self.writes)
        )

    def _moved(self) -> dict[Op, None] | None:
        """The kernels in between, with the aliases that they read and that stand behind the
        chain's head, in their order; None if one must stay."""
        behind = {op: at for at, op in enumerate(self.ops[self.head :])}
        moved: set[Op] = set()
        for op in self.between:
            if op.defn.name != "fusion":
                continue
            if self._hindered(self._accesses(op, None)):
                return None
            waiting = [op]
            while waiting:
                at = waiting.pop()
                if at in behind and at not in moved:
                    if at.defn.name == "fusion" and at not in self.between:
                        return None
                    moved.add(at)
                    waiting += [v.op for v in at.operands if v.op is not None]
        return dict.fromkeys(sorted(moved, key=behind.__getitem__))

    # -- where kernels read and write -----------------------------------------------------------
    def _accesses(self, kernel: Op, rows: Rows | None) -> list[_Access]:
        """All of `kernel`; rows: those that it works by, if it does."""
        reads = row_operands(kernel, rows.count) if rows else [False] * len(kernel.operands)
        writes = row_results(kernel, rows.count) if rows else [False] * len(kernel.results)
        found = [
            self._read(v, rows if by else None)
            for v, by in zip(kernel.operands, reads, strict=True)
        ]
        for k, result in enumerate(kernel.results):
            part = _updated(kernel, k, rows) if rows and writes[k] else None
            found.append(_at(kernel.attr("out")[k], result.type.nbytes, True, part))
        if scratch := kernel.kwargs.get("scratch"):
            found.append(_at(scratch[:2], scratch[2], True, None))
        return found

    def _read(self, value: Value, rows: Rows | None) -> _Access:
        buffer = buffer_of(value)
        part = _viewed(value, rows) if rows else None
        size, op = buffer.type.nbytes, buffer.op
        if op is None:
            return _at(("param", self._params[buffer]), size, False, part)
        if op.defn.name == "const":
            return _Access("const", 0, 0, False, None)
        return _at(op.attr("out")[buffer.index], size, False, part)


def _is_one_job(kernel: Op) -> bool:
    """Whether all of a kernel is done when its chunks are."""
    hero = kernel.attr("hero")
    if hero == "dot":
        return op_split(kernel).slices == 1
    return hero == "loop" or (hero == "reduce" and not uses_partials(kernel))


def _may_go_beside(kernel: Op) -> bool:
    """Whether chunks of a kernel may be done at any time, by anybody; not of one that would take
    the caches from those that it goes beside."""
    own = kernel.kwargs.get("scratch") or kernel.kwargs.get("keeps")
    light = bool(kernel.kwargs.get("light"))
    return light and _is_one_job(kernel) and not own and not serves_next_turn(kernel)


def _viewed(value: Value, rows: Rows) -> _Part | None:
    """The part of its buffer that `value` is; None if that is a view of a view."""
    source = source_of_memory(value)
    op = source.op
    if op is None or op.defn.name not in VIEWS:
        return (rows.step(value.type),)
    if buffer_of(source) is not source_of_memory(op.operands[0]):
        return None
    starts = op.operands[1:] or op.attr("start")
    return (*map(_start, starts), source.type.nbytes, rows.step(value.type))


def _updated(kernel: Op, number: int, rows: Rows) -> _Part:
    """The part of result `number` that `kernel`, which writes it by rows, writes."""
    region = kernel.regions[0]
    result = region.results[number]
    op = result.op
    if op is None or op.defn.name == "concat" or not pieces_of(kernel, result):
        return (rows.step(result.type),)
    outside = dict(zip(region.params, kernel.operands, strict=True))
    starts = [_start(outside.get(v, v)) for v in op.operands[2:]]
    part = op.operands[1].type
    return (*starts, part.nbytes, rows.step(part))


def _start(start: Value | int) -> Value | int:
    """Where a part begins along an axis: a number if that is known."""
    if isinstance(start, int):
        return start
    source = source_of_memory(start)
    if source.op is not None and source.op.defn.name == "const":
        array: np.ndarray = source.op.attr("value").array
        return int(array.reshape(-1)[0])
    return source


def _at(place: Sequence[object], size: int, writes: bool, part: _Part | None) -> _Access:
    kind, number = place[0], place[1]
    assert isinstance(kind, str) and isinstance(number, int)
    if kind == "arena":
        return _Access(kind, number, number + size, writes, part)
    return _Access(f"{kind} {number}", 0, size, writes, part)
