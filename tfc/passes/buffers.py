"""buffers: where every value lies.

In: kernels, loops and branches in their final order. Out: each of them says in `out` where its
results go, one place per result: ("arena", offset), ("result", k) or ("param", k); a fusion in
`scratch` what it needs besides: ("arena", offset, bytes). The function says in `arena` how many
bytes one run needs, and in `live` the lower bound of that: the most bytes that any order of offsets
has to hold at one time.

A value, its reshapes and the views of it are one buffer. A result of the function is computed
where the caller wants it. A kernel writes over an operand that dies with it, or over the variable
whose new value it computes, if it reads nothing of that operand but the elements it is about to
write; over a variable only if, besides, nothing later reads its old value and no run can end later.
Other new values of variables are copied at the end by the entry function.

Regions are functions too, and share the arena: ("param", k) and ("result", k) are there what the
op around them is given and what it gives. What a loop carries has a home in the loop's `out` (none
if it never changes: then it is where the operand is), to which the operand is copied unless it dies
there. The body writes the next value over the home where it may, and says so as `donated`; else the
loop has in `spare` a second place for it (or nothing), and each turn reads the one and writes the
other. `flag` is where the condition goes. A loop that commits has its homes in the variables
themselves, and to its body they are what variables are to a function: written over when nothing
later in the turn reads the old value, and the run cannot end later in the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from tfc.base.records import dataclass
from tfc.base.target import aligned
from tfc.ir.builder import make_op, with_operands
from tfc.ir.core import Function, Op, Value, sorted_attrs
from tfc.passes.arena import Storage, assign_offsets, peak_of_live
from tfc.passes.kernels import IN_MEMORY, can_stop, in_place_operands
from tfc.passes.options import PassOptions
from tfc.prims.control import CONTROL, commits, invariants, looks_ahead
from tfc.prims.kernel_info import ALIASES, buffer_of, buffers_of, kernel_scratch

PAGE, APART = 4096, 576

Place = tuple[Any, ...]
Pairs = Sequence[tuple[int, int]]


@dataclass(eq=False)
class _Step:
    """A kernel, loop or branch, and when it runs: from `start` to `end`, later than `start` if it
    has regions, whose steps lie between."""

    op: Op
    start: int
    end: int = 0
    inner: list[_Frame] = field(default_factory=list)
    spares: list[Storage | None] = field(default_factory=list)
    private: Storage | None = None  # scratch of a kernel, flag of a loop


@dataclass(eq=False)
class _Frame:
    """Where the values of one function lie: `places` for what is outside of the arena, `storages`
    for what is in it. `donated`: parameters that results are to be written over. `whole`: they
    must not be left half written if the run ends here."""

    fn: Function
    donated: Pairs
    outermost: bool
    whole: bool
    steps: list[_Step] = field(default_factory=list)
    end: int = 0
    last_use: dict[Value, int] = field(default_factory=dict)
    places: dict[Value, Place] = field(default_factory=dict)
    storages: dict[Value, Storage] = field(default_factory=dict)

    def place(self, value: Value) -> Place:
        if value in self.places:
            return self.places[value]
        return ("arena", self.storages[value].offset)


def buffers(fn: Function, options: PassOptions) -> Function:
    """`fn` with a place for every result of a kernel; no two share one if switched off."""
    plan = _Plan(options.enabled("buffers"))
    frame = plan.frame(fn, fn.attr("donated", ()), outermost=True, whole=True)
    storages = list(dict.fromkeys(plan.storages))
    if not plan.sharing:
        for storage in storages:
            storage.start, storage.end = 0, plan.clock
    arena = assign_offsets(storages)
    placed = _placed(frame)
    known = {name: value for name, value in fn.attrs if name not in ("arena", "live")}
    known.update(arena=arena, live=peak_of_live(storages))
    return Function(
        placed.name, placed.params, placed.ops, placed.results, sorted_attrs(known.items())
    )


class _Plan:
    """Plans functions, inner ones as the outer one comes to them, on one clock and one arena."""

    def __init__(self, sharing: bool):
        self.sharing, self.clock = sharing, 0
        self.storages: list[Storage] = []

    def frame(
        self, fn: Function, donated: Pairs, outermost: bool = False, whole: bool = False
    ) -> _Frame:
        frame = _Frame(fn, donated, outermost, whole)
        for op in fn.ops:
            if op.defn.name == "fusion" or op.defn.name in CONTROL:
                frame.steps.append(self._step(op))
        frame.end = self._tick()
        _find_last_uses(frame)
        if self.sharing:
            _place_renewed(frame)
        _place_results(frame)
        for step in frame.steps:
            self._make_storages(frame, step)
        return frame

    def _tick(self) -> int:
        self.clock += 1
        return self.clock

    def _storage(self, size: int, start: int, end: int) -> Storage:
        self.storages.append(Storage(_room(size), start, end))
        return self.storages[-1]

    def _step(self, op: Op) -> _Step:
        step = _Step(op, self._tick())
        own: list[Storage] = []  # of a condition that is read in the middle of the body
        if op.defn.name == "while":
            condition, body = op.regions
            renewed = [(j, j) for j, fixed in enumerate(invariants(op)) if not fixed]
            before = len(self.storages)
            tests = self.frame(condition, ())
            own = self.storages[before:] if looks_ahead(op) else []
            step.inner = [tests, self.frame(body, renewed, whole=commits(op))]
        elif op.defn.name == "cond":
            step.inner = [self.frame(region, ()) for region in op.regions]
        step.end = self._tick() if step.inner else step.start
        for storage in own:
            storage.start, storage.end = step.start, step.end
        return step

    # -- in the arena ---------------------------------------------------------------------------
    def _make_storages(self, frame: _Frame, step: _Step) -> None:
        op = step.op
        taken: set[Storage] = set()
        overwritable = _overwritable(op) if self.sharing else [set()] * len(op.results)
        for result, operands in zip(op.results, overwritable, strict=True):
            if result in frame.places or buffer_of(result) is not result:
                continue
            storage = _dying(frame, step, result, operands, taken)
            if storage is None:
                storage = self._storage(result.type.nbytes, step.start, step.end)
            storage.end = max(step.end, frame.last_use[result])
            taken.add(storage)
            frame.storages[result] = storage
        if op.defn.name == "while":
            step.private = self._storage(1, step.start, step.end)
            step.spares = [
                self._storage(result.type.nbytes, step.start, step.end)
                if buffer_of(result) is result and not _is_renewed(step.inner[1], j)
                else None
                for j, result in enumerate(op.results)
            ]
        elif op.defn.name == "fusion" and (size := kernel_scratch(op)):
            step.private = self._storage(size, step.start, step.end)


def _room(size: int) -> int:
    """Bytes that a value of `size` takes. Arrays of whole pages, one behind the other, would lie in
    the same sets of a cache, element by element: nine of them, which the gates of an LSTM read and
    write side by side, take 0.5% of its training step less so."""
    return aligned(size) + (APART if size >= PAGE else 0)


def _dying(
    frame: _Frame, step: _Step, result: Value, operands: set[int], taken: set[Storage]
) -> Storage | None:
    """The storage of an operand that this step is the last to read and `result` may overwrite."""
    for k in sorted(operands):
        source = buffer_of(step.op.operands[k])
        storage = frame.storages.get(source)
        if storage is None or storage in taken or frame.last_use[source] != step.start:
            continue
        if storage.size != _room(result.type.nbytes) or storage.end != step.start:
            continue
        if _positions(step.op, source) <= operands:
            return storage
    return None


def _overwritable(op: Op) -> list[set[int]]:
    """For each result, the operands whose buffer it may take over."""
    if op.defn.name == "while":  # a home may be where the operand is, which is then not copied
        return [{j} for j in range(len(op.results))]
    return in_place_operands(op) if op.defn.name == "fusion" else [set()] * len(op.results)


def _positions(op: Op, buffer: Value) -> set[int]:
    """The operands of `op` that lie in `buffer`."""
    return {k for k, v in enumerate(op.operands) if buffer_of(v) is buffer}


def _find_last_uses(frame: _Frame) -> None:
    """The time at which each buffer is read last; the frame's end for results of the function."""
    last = frame.last_use
    for step in frame.steps:
        op = step.op
        early = [True] * len(op.operands)  # read before what lies between start and end
        if op.defn.name == "while":
            early = [not fixed for fixed in invariants(op)]
        elif op.defn.name == "cond":
            early = [True] + [False] * (len(op.operands) - 1)
        for result in op.results:
            last[result] = step.end
        for operand, first in zip(op.operands, early, strict=True):
            for source in buffers_of(operand):
                last[source] = max(last.get(source, 0), step.start if first else step.end)
    for value in frame.fn.results:
        last.update(dict.fromkeys(buffers_of(value), frame.end))


# --- outside of the arena -------------------------------------------------------------------


def _is_renewed(body: _Frame, j: int) -> bool:
    """Whether the body writes carried value j over the old one."""
    return ("param", j) == body.places.get(buffer_of(body.fn.results[j]))


def _place_renewed(frame: _Frame) -> None:
    """New values of variables, and of what a loop carries, that may be written where the old value
    lies."""
    fn = frame.fn
    maker = {r: step for step in frame.steps for r in step.op.results}
    last_read: dict[Value, int] = {}
    for step in frame.steps:
        for operand in step.op.operands:
            last_read.update(dict.fromkeys(buffers_of(operand), step.start))
    stops = max((s.end for s in frame.steps if _may_end(frame, s)), default=-1)
    # the new value of one variable may be the old one of another, which is copied at the end
    read_at_end = {buffer_of(fn.results[r]) for _, r in frame.donated}
    for param, result in frame.donated:
        old, new = fn.params[param], buffer_of(fn.results[result])
        if frame.outermost and old in read_at_end:
            continue
        first = max(stops, last_read.get(old, -1))
        current: Value | None = new
        while current is not None and current in maker and current not in frame.places:
            step = maker[current]
            late = step.start >= first and not _may_end(frame, step)
            over = _overwritable(step.op)[current.index]
            if not late or current.type.nbytes != old.type.nbytes:
                break
            if not _positions(step.op, old) <= over:
                break
            frame.places[current] = ("param", param)
            current = _written_over(frame, step, over)


def _may_end(frame: _Frame, step: _Step) -> bool:
    """Whether the run may end in `step` and leave what `frame` must keep whole half written."""
    return frame.whole and can_stop(step.op) and not commits(step.op)


def _written_over(frame: _Frame, step: _Step, over: set[int]) -> Value | None:
    """What `step` is the last to read, and may write over: it may lie where the result does."""
    for k in sorted(over):
        source = buffer_of(step.op.operands[k])
        dies = frame.last_use.get(source) == step.start
        if dies and source.op is not None and _positions(step.op, source) <= over:
            return source
    return None


def _place_results(frame: _Frame) -> None:
    """Results of the function are computed into the caller's memory. Of several equal ones, one;
    the entry function copies the others."""
    donated = {r for _, r in frame.donated} if frame.outermost else set()
    for k, value in enumerate(frame.fn.results):
        source = buffer_of(value)
        made = source.op is not None and source.op.defn.name not in ALIASES
        if made and k not in donated and source not in frame.places:
            frame.places[source] = ("result", k)
            _place_updated(frame, source)


def _place_updated(frame: _Frame, result: Value) -> None:
    """What a result is made of by writing parts of it, in its place too: nothing is copied."""
    current: Value | None = result
    while current is not None and (op := current.op) is not None and op.defn.name == "fusion":
        inner = op.regions[0].results[current.index].op
        if inner is None or inner.defn.name not in IN_MEMORY:
            break
        (step,) = (s for s in frame.steps if s.op is op)
        before = _written_over(frame, step, _overwritable(op)[current.index])
        if before is None or before in frame.places or before.type.nbytes != current.type.nbytes:
            break
        frame.places[before] = frame.places[current]
        current = before


# --- the function with its places -----------------------------------------------------------


def _placed(frame: _Frame) -> Function:
    fn, new = frame.fn, dict[Value, Value]()
    steps = {step.op: step for step in frame.steps}
    ops = []
    for old in fn.ops:
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        if (step := steps.get(old)) is not None:
            attrs = sorted_attrs({**op.kwargs, **_attrs(frame, step)}.items())
            inner = tuple(_placed(f) for f in step.inner) if step.inner else op.regions
            op = make_op(op.defn, op.operands, attrs, inner, op.loc)
        new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    attrs = fn.attrs
    if not frame.outermost and frame.donated:
        renewed = tuple((j, j) for j, _ in frame.donated if _is_renewed(frame, j))
        attrs = sorted_attrs({**dict(attrs), "donated": renewed}.items())
    results = tuple(new.get(v, v) for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, attrs)


def _attrs(frame: _Frame, step: _Step) -> dict[str, Any]:
    op, private = step.op, step.private
    fixed = invariants(op) if op.defn.name == "while" else [False] * len(op.results)
    found: dict[str, Any] = {
        "out": tuple(
            () if stays else frame.place(r) for r, stays in zip(op.results, fixed, strict=True)
        )
    }
    if op.defn.name == "while":
        assert private is not None
        found["flag"] = ("arena", private.offset)
        found["spare"] = tuple(("arena", s.offset) if s else () for s in step.spares)
    elif private is not None:
        found["scratch"] = ("arena", private.offset, private.size)
    return found
