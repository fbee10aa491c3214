"""Loops and branches whose values are few: all of them stay in registers.

The kernel's region holds one `while` or `cond`. Each element of what it carries is an LLVM value of
its own, and bodies are written in place as scalar code; what a loop is given and never changes may
be memory of any size. So may the arrays that it fills (attribute `filled`): they are copied to
where the result lies, if they are not there, and each turn ends with what it writes to them, when
all that it reads has been read. `passes/registers.py` says what may be written like this:
elementwise ops, moves to and from places known here, reads of memory at any place, checks, and more
of the same inside.

A loop polls the cancel flag in every turn: a load and a test that never depend on its values.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from tfc.codegen.emitter import Buffer, Element, parts, with_parts
from tfc.codegen.heroes.assert_ import fill_record
from tfc.codegen.heroes.scatter import copy_operand
from tfc.codegen.index import Index
from tfc.codegen.kernels import CANCELLED, Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, const, i64
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.walk import all_functions
from tfc.prims.control import CONTROL, invariants, updates_of
from tfc.prims.indexing import clamped_starts, is_inside

At = tuple[Index, ...]
Place = tuple[Value, At]


def write(k: Kernel) -> None:
    """The whole kernel. Its status is CANCELLED, or the number of the check that failed."""
    (op,) = k.region.ops
    named = {r.index: at for r, at in zip(k.region.results, k.results, strict=True)}
    filled = {j: named[j] for j in k.op.kwargs.get("filled", ())}
    for j, buffer in filled.items():
        copy_operand(k, op.operands[j], buffer)
    k.e.tests = True
    with k.e.with_lanes(1):
        writer = _Writer(k)
        if op.defn.name == "while":
            writer.loop(op, filled)
        else:
            writer.branch(op)
        for result, buffer in zip(k.region.results, k.results, strict=True):
            if result.index not in filled:
                for at in places(result.type):
                    k.e.store(buffer, at, k.e.value(result, at))


def checks_of(region: Function) -> list[Op]:
    """The asserts of a kernel's region in the order of their numbers, which start from 1."""
    return [op for f in all_functions(region) for op in f.ops if op.defn.name == "assert"]


def places(type: Type) -> list[At]:
    """The index of each element."""
    ranges = (range(n) for n in type.shape or ())
    return [tuple(Index(n) for n in at) for at in itertools.product(*ranges)]


class _Writer:
    def __init__(self, k: Kernel):
        self.k, self.e, self.t = k, k.e, k.t
        self.numbers = {op: n for n, op in enumerate(checks_of(k.region), 1)}
        with self.t.at(self.t.root):
            self.cancel = self.t.load("ptr", self.t.gep(V("%ctx", "ptr"), 2, "ptr"), 8)

    def region(self, fn: Function) -> None:
        """Write what of `fn` is not an expression; expressions are written where they are read."""
        for op in fn.ops:
            if op.defn.name == "while":
                self.loop(op, {})
            elif op.defn.name == "cond":
                self.branch(op)
            elif op.defn.name == "assert":
                self._check(op)

    # -- what regions are given -----------------------------------------------------------------
    def _bind(self, param: Value, operand: Value) -> None:
        """`param` stands for `operand` in its region."""
        e = self.e
        moving = operand in e.pinned
        if moving:
            e.pinned.add(param)
        if operand in e.buffers:
            e.buffers[param] = e.buffers[operand]
            return
        with self.t.at(self.t.scope if moving else self.t.root):
            for at in places(param.type):
                e.put(param, at, e.value(operand, at))

    def pin(self, fn: Function) -> None:
        """Whatever depends on values of this turn is computed in this turn, and so are slices that
        are known to lie inside their arrays if there is a turn."""
        pinned = self.e.pinned
        for op in fn.ops:
            known = op.defn.name in CONTROL or is_inside(op)
            if known or any(v in pinned for v in op.operands):
                pinned.update(op.results)

    # -- control --------------------------------------------------------------------------------
    def loop(self, op: Op, filled: Mapping[int, Buffer]) -> None:
        """A loop; `filled`: where the arrays lie that it fills."""
        condition, body = op.regions
        moving: list[tuple[int, At]] = []
        for j, fixed in enumerate(invariants(op)):
            if fixed:
                for region in op.regions:
                    self._bind(region.params[j], op.operands[j])
                continue
            self.e.pinned.update(region.params[j] for region in op.regions)
            if j in filled:
                self.e.buffers.update((region.params[j], filled[j]) for region in op.regions)
            else:
                moving += [(j, at) for at in places(op.results[j].type)]
        self.e.pinned.update(op.results)
        for region in op.regions:
            self.pin(region)
        first = [self.e.value(op.operands[j], at) for j, at in moving]
        with self.t.repeat(_flat(first)) as loop:
            carried = _packets(first, loop.carried)
            for (j, at), packet in zip(moving, carried, strict=True):
                for region in op.regions:
                    self.e.put(region.params[j], at, packet)
            self._poll()
            self.region(condition)
            loop.go_on(self.e.value(condition.results[0], ()).value)
            self.region(body)
            loop.next(_flat([self.e.value(body.results[j], at) for j, at in moving]))
            self._store([(filled[j], u) for j in filled for u in updates_of(op, j) or ()])
        for (j, at), packet in zip(moving, carried, strict=True):
            self.e.put(op.results[j], at, packet)
        for j, fixed in enumerate(invariants(op)):
            if fixed:
                self._bind(op.results[j], op.operands[j])

    def branch(self, op: Op) -> None:
        wanted: list[tuple[int, At]] = [
            (j, at) for j, result in enumerate(op.results) for at in places(result.type)
        ]
        for region in op.regions:
            for param, operand in zip(region.params, op.operands[1:], strict=True):
                self._bind(param, operand)
            self.pin(region)
        found: list[Packet] = []

        def arm(region: Function) -> list[V]:
            self.region(region)
            found[:] = [self.e.value(region.results[j], at) for j, at in wanted]
            return _flat(found)

        values = self.t.choose(
            self.e.value(op.operands[0], ()).value,
            lambda: arm(op.regions[0]),
            lambda: arm(op.regions[1]),
        )
        self.e.pinned.update(op.results)
        for (j, at), packet in zip(wanted, _packets(found, values), strict=True):
            self.e.put(op.results[j], at, packet)

    def _store(self, updates: Sequence[tuple[Buffer, Op]]) -> None:
        """Write all updates, in order, when all of them have been computed."""
        e = self.e
        stores = []
        for buffer, op in updates:
            x, update, *starts = op.operands
            shape = update.type.shape
            begins = clamped_starts(
                e, x.type, [Element(e, s) for s in starts], shape, is_inside(op)
            )
            for at in places(update.type):
                place = tuple(i + begin for i, begin in zip(at, begins, strict=True))
                stores.append((buffer, place, e.value(update, at)))
        for buffer, place, packet in stores:
            e.store(buffer, place, packet)

    def _poll(self) -> None:
        t = self.t
        flag = t.ins(f"load atomic i32, ptr {self.cancel.ref} monotonic, align 4", "i32")
        with t.when(t.cmp("ne", flag, const("i32", 0)), const("i32", CANCELLED)):
            pass

    def _check(self, op: Op) -> None:
        ok, number = op.operands[0], const("i32", self.numbers[op])
        for flat, at in enumerate(places(ok.type)):
            fine = self.e.value(ok, at).value
            with self.t.when(self.t.op("xor", fine, const("i1", True)), number):
                fill_record(self.k, op, i64(flat), at)


def _flat(packets: Sequence[Packet]) -> list[V]:
    return [v for packet in packets for v in parts(packet)]


def _packets(like: Sequence[Packet], values: Sequence[V]) -> list[Packet]:
    """`values`, made packets of the dtypes of `like`."""
    made, at = [], 0
    for packet in like:
        count = len(parts(packet))
        made.append(with_parts(packet, values[at : at + count]))
        at += count
    return made
