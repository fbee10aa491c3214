"""The entry function: `i32 run(ptr ctx)` computes where every kernel argument lies and calls the
kernels in order, those that are split through `parallel_for`; `while` and `cond` become loops and
branches in it. ctx is an array of 8-byte slots:

    0 arena   1 buffer table   2 cancel flag (i32*)   3 error record   4 parallel_for   5 services

The buffer table holds parameters, then results, then records of kept panels (`kept.py`), then
constants. `run` returns 0; or the number n of the assert that failed, with the record {n, flat
index, payload bits} filled in; or CANCELLED if the cancel flag was set before the first write to a
parameter: it is read before each kernel, and in every turn of a loop. In a loop that commits, each
turn is in this respect what else the function is; a run that ends in it leaves what it carries in
the buffers, as the last whole turn left it.

Function and regions are written alike, as frames (`frames.py`). Of a value that a loop carries, the
body's frame has the pointer to this turn's content as parameter and the pointer to the next turn's
as result; they are one if the body writes in place, else they are exchanged from turn to turn, so
nothing is copied. In a body with ops that serve the next turn only the condition is read as soon as
what it reads is there, and those ops, calls in chains too, are written behind its flag.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby
from typing import Any

import numpy as np

from tfc.base.dtypes import SIGNED
from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen import kept
from tfc.codegen.frames import Copy, Frame, ahead_of
from tfc.codegen.heroes.control import checks_of
from tfc.codegen.kept import Kept
from tfc.codegen.kernels import CANCELLED, Stage, kernel_stages
from tfc.codegen.packets import MEMORY
from tfc.codegen.profile import Profile
from tfc.codegen.steps import (
    FEW,
    NO_STATUS,
    WALK,
    Call,
    Panels,
    chains,
    joined_call,
    step_of,
    table_text,
)
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, i64
from tfc.ir.core import Function, Op, Type
from tfc.prims.control import CONTROL, commits, invariants
from tfc.prims.indexing import is_inside
from tfc.prims.kept import panel_operand
from tfc.prims.kernel_info import ALIASES, buffer_of, pieces_of

MOST_INLINE_COPIES = 64


@dataclass(frozen=True)
class Assert:
    """What a status says: class of tf.errors, message with {i} and {k}, TensorFlow op, and the
    types of the payload operands."""

    code: str
    message: str
    op: str
    payload: tuple[Type, ...]


class Entry:
    """The entry function under construction. `stages`: the kernels it calls, by symbol, and
    `order` in the order of the calls; `callers`: the ops that call each. `asserts`: by status.
    `profile`: the clock of its kernels, if `profiled`."""

    def __init__(self, fn: Function, target: Target, profiled: bool = False):
        self.fn, self.target = fn, target
        self.t = Text()
        self.constants: list[np.ndarray] = []
        self.asserts: dict[int, Assert] = {}
        self.kept: list[Kept] = []
        self._records = kept.count(fn)
        self.stages: dict[str, Stage] = {}
        self.order: list[str] = []
        self.callers: dict[str, list[Op]] = {}
        self.symbol = "run"
        self.profile = Profile(self.t, target) if profiled else None
        self._names: dict[V, tuple[str, int]] = {}  # pointers that have a name only
        self._computed: dict[V, V] = {}  # and those of them that have been computed
        self._waiting: list[Call] = []  # calls not yet written, of one frame and in a row
        self._tables: list[str] = []
        self._chains: list[str] = []
        self._most_args = 1
        self._may_stop = True  # as long as no parameter of a whole frame has been written
        self._settle: Callable[[], None] = lambda: None  # writes what must be done before it ends

    # -- where values lie -----------------------------------------------------------------------
    def _pointer(self, kind: str, number: int) -> V:
        """The name of the address of arena byte `number`, or of what slot `number` of the buffer
        table holds. Tables of steps take the name, instructions what `_at` gives for it."""
        name = V(f"%{kind}+{number}", "ptr")
        self._names[name] = (kind, number)
        return name

    def _at(self, pointer: V) -> V:
        """A pointer for instructions; one that is only named is computed at the entry's head."""
        if pointer not in self._names:
            return pointer
        if pointer not in self._computed:
            kind, number = self._names[pointer]
            t = self.t
            with t.at(t.root):
                if kind == "arena":
                    address = t.gep(V("%arena", "ptr"), number, "i8")
                else:
                    address = t.load("ptr", t.gep(V("%table", "ptr"), number, "ptr"), 8)
            self._computed[pointer] = address
        return self._computed[pointer]

    def _locate(self, frame: Frame, place: Sequence[Any]) -> V:
        """The address that an `out` attribute names in `frame`."""
        kind: str = place[0]
        number: int = place[1]
        if kind == "arena":
            return self._pointer(kind, number)
        table: Sequence[V] = frame.params if kind == "param" else frame.results
        return table[number]

    def _constant(self, array: np.ndarray) -> V:
        slot = len(self.fn.params) + len(self.fn.results) + self._records + len(self.constants)
        self.constants.append(np.ascontiguousarray(array))
        return self._pointer("slot", slot)

    def _view(self, frame: Frame, op: Op) -> V:
        """Where the elements that a slice takes begin."""
        t, (x, *starts) = self.t, op.operands
        at, step, offset = frame.places[x], x.type.nbytes, 0
        makers = {buffer_of(start).op for start in starts}
        if any(call.kernel in makers for call in self._waiting):
            self._write_calls()
        begins = starts or op.attr("start")
        for start, n, size in zip(begins, x.type.shape, op.result.type.shape, strict=True):
            step //= max(n, 1)
            if isinstance(start, int):
                offset += start * step
            elif n != size:
                place = self._at(frame.places[start])
                index = t.load(MEMORY[start.type.dtype], place, start.type.nbytes)
                signed = start.type.dtype in SIGNED
                number = t.cast("sext" if signed else "zext", index, "i64")
                if not is_inside(op):
                    number = t.minimum(t.intrinsic("smax", number, i64(0)), i64(n - size))
                at = t.gep(self._at(at), t.mul(number, step), "i8")
        if not offset:
            return at
        kind, byte = self._names.get(at, ("", 0))
        if kind == "arena":
            return self._pointer(kind, byte + offset)
        return t.gep(self._at(at), offset, "i8")

    # -- writing --------------------------------------------------------------------------------
    def write(self) -> None:
        fn, t = self.fn, self.t
        t.line("%arena = load ptr, ptr %ctx, align 8")
        for name, slot in (("table", 1), ("cancel", 2), ("record", 3), ("fork", 4)):
            t.line(f"%{name}.at = getelementptr ptr, ptr %ctx, i64 {slot}")
            t.line(f"%{name} = load ptr, ptr %{name}.at, align 8")
        count = len(fn.params)
        params = [self._pointer("slot", k) for k in range(count)]
        results = [self._pointer("slot", count + k) for k in range(len(fn.results))]
        self._frame(Frame(fn, params, results, whole=True))

    def _frame(self, frame: Frame) -> None:
        self._copy(frame.early_copies())
        for op in frame.fn.ops:
            polled = False
            if op.defn.name not in ALIASES and not op.kwargs.get("joined"):
                self._look_ahead(frame)
            if frame.whole and "out" in op.kwargs:
                polled = self._may_stop
                written = any(place[:1] == ("param",) for place in op.attr("out"))
                self._may_stop = self._may_stop and (commits(op) or not written)
            if op.defn.name in ("while", "cond"):
                self._write_calls()
                if polled:
                    self._poll()
            match op.defn.name:
                case "const":
                    frame.places[op.result] = self._constant(op.attr("value").array)
                case "reshape":
                    frame.places[op.result] = frame.places[op.operands[0]]
                case "slice" | "dynamic_slice":
                    frame.places[op.result] = self._view(frame, op)
                case "fusion":
                    self._kernel(frame, op, polled)
                case "while":
                    with self._guarded(frame.guard(op)):
                        self._while(frame, op)
                case "cond":
                    with self._guarded(frame.guard(op)):
                        self._cond(frame, op)
                case name:
                    raise ValueError(f"{name} outside a fusion has no code")
            if frame.ahead is not None:
                frame.ahead.waits.discard(op)
        self._look_ahead(frame)
        self._write_calls()
        self._copy(frame.late_copies())

    def _copy(self, copies: list[Copy]) -> None:
        """Parallel copies: a destination that others still read is written after them; in a cycle
        what one destination holds is saved first."""
        waiting = {to: (source, size) for to, source, size in copies if size and to != source}
        # LLVM writes short copies out, and takes quadratic time over thousands in one block
        name = "llvm.memcpy.p0.p0.i64" if len(waiting) <= MOST_INLINE_COPIES else "memcpy"
        readers = Counter(source for source, _ in waiting.values())
        free = [to for to in waiting if not readers[to]]
        saved: dict[V, V] = {}  # what was saved of places that are read in a cycle
        while waiting:
            if not free:  # nothing but cycles, in which each place is read once
                to, (_, size) = next(iter(waiting.items()))
                saved[to] = self.t.call("ptr", "malloc", i64(size))
                self._memcpy(saved[to], to, size, name)
                free.append(to)
            to = free.pop()
            source, size = waiting.pop(to)
            self._memcpy(to, saved.get(source) or source, size, name)
            if source not in saved:
                readers[source] -= 1
                if not readers[source] and source in waiting:
                    free.append(source)
        for spare in saved.values():
            self.t.call("void", "free", spare)

    def _memcpy(self, to: V, source: V, size: int, name: str = "llvm.memcpy.p0.p0.i64") -> None:
        to, source = self._at(to), self._at(source)
        if name == "memcpy":
            self.t.call("ptr", name, to, source, i64(size))
        else:
            self.t.call("void", name, to, source, i64(size), V("false", "i1"))

    # -- control --------------------------------------------------------------------------------
    def _look_ahead(self, frame: Frame) -> None:
        """Read the condition of the next turn, once all is there that it reads; not in a chain."""
        ahead = frame.ahead
        if ahead is not None and not ahead.waits and not ahead.known:
            self._write_calls()
            self._frame(Frame(ahead.condition, frame.next_params(), [ahead.flag]))
            ahead.known = True

    @contextmanager
    def _guarded(self, guard: V | None) -> Iterator[None]:
        """What is written inside runs only if the flag `guard` is set, if there is one."""
        with self.t.when(self._is_true(guard)) if guard is not None else nullcontext():
            yield

    def _while(self, frame: Frame, op: Op) -> None:
        t, attrs, operands = self.t, op.kwargs, [frame.places[v] for v in op.operands]
        condition, body = op.regions
        sizes = [v.type.nbytes for v in op.operands]
        homes = [
            at if fixed else self._locate(frame, place)
            for at, fixed, place in zip(operands, invariants(op), attrs["out"], strict=True)
        ]
        self._copy(list(zip(homes, operands, sizes, strict=True)))
        turned = [j for j, place in enumerate(attrs["spare"]) if place]
        spares = [self._locate(frame, attrs["spare"][j]) for j in turned]
        flag = self._locate(frame, attrs["flag"])
        ahead = ahead_of(op, flag)
        if ahead is not None:
            self._frame(Frame(condition, homes, [flag]))
        first = [self._at(home) for home in (*(homes[j] for j in turned), *spares)]
        with t.repeat(first) as loop:
            now, then = list(homes), list(homes)
            for j, at, other in zip(
                turned, loop.carried, loop.carried[len(turned) :], strict=False
            ):
                now[j], then[j] = at, other

            def bring_home() -> None:
                for j in turned:
                    if sizes[j]:
                        with t.when(t.cmp("ne", now[j], self._at(homes[j]))):
                            self._memcpy(homes[j], now[j], sizes[j])

            if commits(op):
                self._settle = bring_home
            if self._may_stop:
                self._poll()
            if ahead is None:
                self._frame(Frame(condition, now, [flag]))
            loop.go_on(self._is_true(flag))
            self._frame(Frame(body, now, then, commits(op), ahead))
            loop.next([then[j] for j in turned] + [now[j] for j in turned])
        bring_home()
        if commits(op):
            self._may_stop, self._settle = False, lambda: None
        frame.places.update(zip(op.results, homes, strict=True))

    def _cond(self, frame: Frame, op: Op) -> None:
        operands = [frame.places[v] for v in op.operands]
        places = [self._locate(frame, place) for place in op.attr("out")]

        def arm(region: Function) -> list[V]:
            self._frame(Frame(region, operands[1:], places))
            return []

        self.t.choose(
            self._is_true(operands[0]), lambda: arm(op.regions[0]), lambda: arm(op.regions[1])
        )
        frame.places.update(zip(op.results, places, strict=True))

    def _is_true(self, at: V) -> V:
        return self.t.cmp("ne", self.t.load("i8", self._at(at), 1), const("i8", 0))

    # -- kernels --------------------------------------------------------------------------------
    def _kernel(self, frame: Frame, op: Op, polled: bool) -> None:
        """Call the stages of a fusion."""
        outs = op.kwargs.get("out", ())
        places = [self._locate(frame, out) for out in outs]
        frame.places.update(zip(op.results, places, strict=True))
        checks = checks_of(op.regions[0])
        stops = bool(checks) or op.attr("hero") in CONTROL
        if not stops and all(r.type.size == 0 for r in op.results):
            return  # nothing to compute
        if op.attr("hero") == "room":
            return  # nothing reads what it holds at first
        arguments = [frame.places[x] for x in op.operands] + places
        records: tuple[Panels, ...] = ()
        stages = kernel_stages(op, self.target)
        if "keeps" in op.kwargs:
            records = (Panels(len(arguments), self._record(frame, op, stages[0])),)
            arguments += [records[0].record] * 2
        if scratch := op.kwargs.get("scratch"):
            arguments.append(self._locate(frame, scratch))
        self._most_args = max(self._most_args, len(arguments))
        base = len(self.asserts) if stops else NO_STATUS
        self.asserts.update((base + n, _assert_of(check)) for n, check in enumerate(checks, 1))
        polled = not self._copy_updated(frame, op, polled) and polled
        light, joined = (bool(op.kwargs.get(name)) for name in ("light", "joined"))
        for stage in stages:
            self.stages[stage.symbol] = stage
            self.order.append(stage.symbol)
            self.callers.setdefault(stage.symbol, []).append(op)
            call = Call(
                op, stage, tuple(arguments), base, polled, light, joined, records, frame.guard(op)
            )
            self._waiting.append(call)
            polled = False

    def _record(self, frame: Frame, op: Op, stage: Stage) -> V:
        """The record of the panels that a kernel keeps."""
        operand = panel_operand(op)
        assert operand is not None, "keep has seen to it"
        _, slot = self._names[frame.places[operand]]
        self.kept.append(Kept(slot, stage.panels, op.attr("keeps")))
        return self._pointer(
            "slot", len(self.fn.params) + len(self.fn.results) + len(self.kept) - 1
        )

    def _copy_updated(self, frame: Frame, op: Op, polled: bool) -> bool:
        """Before a kernel that writes parts of its results: those that do not lie over what they
        are an update of start as a copy of it. Whether there were any; the cancel flag is then read
        in front, if it is to be `polled`."""
        region, copied = op.regions[0], False
        for result, inner in zip(op.results, region.results, strict=True):
            maker = inner.op
            if pieces_of(op, inner) and maker is not None and maker.defn.name != "concat":
                source = op.operands[region.params.index(maker.operands[0])]
                if frame.places[source] != frame.places[result]:
                    if not copied:
                        self._write_calls()
                        if polled:
                            self._poll()
                    copied = True
                    with self._guarded(frame.guard(op)):
                        self._memcpy(frame.places[result], frame.places[source], result.type.nbytes)
        return copied

    def _write_calls(self) -> None:
        """Write the calls that wait: many in a row whose arguments all have names as a table."""
        calls, self._waiting = self._waiting, []
        if self.profile is None:
            calls = [self._chain(run) for run in chains(calls, lambda call: call.joined)]
        for (guard, named), group in groupby(calls, lambda c: (c.guard, self._is_named(c))):
            run = list(group)
            with self._guarded(guard):
                if named and len(run) >= FEW and self.profile is None:
                    self._write_table(run)
                    continue
                for call in run:
                    self._write_call(call)

    def _is_named(self, call: Call) -> bool:
        return not call.records and all(v in self._names for v in call.arguments)

    def _chain(self, calls: Sequence[Call]) -> Call:
        """One call that does each chunk of all `calls` in turn."""
        if len(calls) == 1:
            return calls[0]
        call, text = joined_call(f"{self.symbol}.chain{len(self._chains)}", calls)
        self._chains.append(text)
        self._most_args = max(self._most_args, len(call.arguments))
        return call

    def _write_table(self, calls: Sequence[Call]) -> None:
        steps = [step_of(call, self._names) for call in calls]
        name = f"{self.symbol}.{len(self._tables)}"
        self._tables.append(table_text(name, steps))
        status = self.t.ins(
            f"call i32 @walk(ptr %ctx, ptr %args, ptr @{name}.steps, i64 {len(steps)}, "
            f"ptr @{name}.arguments)",
            "i32",
        )
        with self.t.when(self.t.cmp("ne", status, const("i32", 0)), status):
            self._settle()

    def _write_call(self, call: Call) -> None:
        t, args = self.t, V("%args", "ptr")
        if call.polled:
            self._poll()
        for position, pointer in enumerate(call.arguments):
            t.store(self._at(pointer), t.gep(args, position, "ptr"), 8)
        begun = [(self._begin(panels), self._at(panels.record)) for panels in call.records]
        with self.profile.timed(call.kernel) if self.profile else nullcontext():
            name, chunks = call.stage.symbol, call.chunks
            if chunks == 1:
                status = t.ins(f"call i32 @{name}(ptr %ctx, ptr %args, i64 0, i64 1, i64 0)", "i32")
            else:
                fork = f"call i32 %fork(ptr %ctx, ptr @{name}, ptr %args, i64 {chunks})"
                status = t.ins(fork, "i32")
        for mode, record in begun:
            kept.end(t, record, mode)
        if call.base != NO_STATUS:
            self._stop_on(status, call.base)

    def _begin(self, panels: Panels) -> V:
        """Before a call whose kernel keeps panels."""
        runs = self._is_true(panels.guard) if panels.guard is not None else None
        return kept.begin(self.t, V("%args", "ptr"), panels.position, self._at(panels.record), runs)

    def _poll(self) -> None:
        """Stop if cancelled."""
        t = self.t
        flag = t.ins("load atomic i32, ptr %cancel monotonic, align 4", "i32")
        with t.when(t.cmp("ne", flag, const("i32", 0)), const("i32", CANCELLED)):
            self._settle()

    def _stop_on(self, status: V, base: int) -> None:
        """Leave the entry if a kernel, whose asserts have the numbers after `base`, did."""
        t, zero = self.t, const("i32", 0)
        number = t.op("add", status, const("i32", base))
        number = t.select(t.cmp("slt", status, zero), status, number)
        with t.when(t.cmp("ne", status, zero), number):
            self._settle()
            t.store(t.cast("sext", number, "i64"), V("%record", "ptr"), 8)

    # -- the module -----------------------------------------------------------------------------
    def module(self, known: Container[str]) -> tuple[str, list[str]]:
        """The text of the module, and the kernels it defines: those not in `known`."""
        new = [name for name in self.stages if name not in known]
        declares = dict.fromkeys(self.t.declares.values())
        for name in self.stages:
            if name in known:
                declares[f"declare i32 @{name}(ptr, ptr, i64, i64, i64)"] = None
        entry = (
            f"define i32 @{self.symbol}(ptr %ctx) nounwind {{\nentry:\n"
            f"%args = alloca [{self._most_args} x ptr], align 16\n{self.t.body()}\nret i32 0\n}}\n"
        )
        counters = [self.profile.counters()] if self.profile else []
        walk = [
            *([kept.TEXT] if self.kept else []),
            *([WALK, *self._tables] if self._tables else []),
        ]
        return self._text(new, declares, [*counters, *self._chains, *walk, entry]), new

    def kernels(self, names: Sequence[str]) -> str:
        """The text of a module of nothing but kernels of this entry."""
        return self._text(names, {}, [])

    def _text(self, names: Sequence[str], declares: dict[str, None], rest: list[str]) -> str:
        for name in names:
            declares.update(dict.fromkeys(sorted(self.stages[name].declares)))
        return "\n".join([*sorted(declares), *(self.stages[n].named() for n in names), *rest])


def _assert_of(op: Op) -> Assert:
    attrs = op.kwargs
    payload = tuple(v.type for v in op.operands[1:])
    return Assert(attrs["code"], attrs["message"], attrs["op"], payload)
