"""A function after `buffers`, run on real bytes: kernels read and write the arena, the variables
and the results at the places they were given, loops keep what they carry at home and in spare.
What interp computes from values alone must come out, so a wrong offset, lifetime or in-place write
shows. What serves the next turn of a loop only is left out when it is known that there is none, and
its results are spoilt.

A *buffer* is (kind, number): arena offset, parameter, result or constant of the whole function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfc.base.dtypes import numpy_dtype
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.interp import run
from tfc.prims.control import invariants, looks_ahead, read_by, serves_next_turn
from tfc.prims.kernel_info import source_of_memory

Array = np.ndarray
Buffer = tuple[str, int]


class Memory:
    """The buffers of one run: parameters (variables among them are written), results, arena."""

    def __init__(self, fn: Function, arrays: Sequence[Array]):
        self.params = [np.array(a, order="C") for a in arrays]
        self.results = [np.zeros(v.type.shape, numpy_dtype(v.type.dtype)) for v in fn.results]
        self.arena = np.full(fn.attr("arena"), 0xA5, np.uint8)
        self.constants: list[Array] = []

    def bytes_of(self, at: Buffer, size: int) -> Array:
        kind, number = at
        if kind == "arena":
            assert number + size <= len(self.arena), f"{at} is beyond the arena"
            return self.arena[number : number + size]
        table = {"param": self.params, "result": self.results, "const": self.constants}[kind]
        flat = table[number].reshape(-1).view(np.uint8)
        assert len(flat) == size, f"{size} bytes do not fill {at}"
        return flat

    def read(self, at: Buffer, type: Type) -> Array:
        raw = self.bytes_of(at, type.nbytes)
        return raw.view(numpy_dtype(type.dtype)).reshape(type.shape).copy()

    def write(self, at: Buffer, array: Array) -> None:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.bytes_of(at, array.nbytes)[:] = raw

    def constant(self, array: Array) -> Buffer:
        self.constants.append(np.array(array, order="C"))
        return ("const", len(self.constants) - 1)


@dataclass
class Frame:
    """A function that runs, with the buffers of its parameters and those its results belong in.
    `ahead`: of a body with ops for the next turn only, its loop, and where the condition goes."""

    memory: Memory
    fn: Function
    params: Sequence[Buffer]
    results: Sequence[Buffer]
    ahead: tuple[Op, Buffer] | None = None
    ends: bool | None = None  # whether there is no next turn, once that is known
    at: dict[Value, Buffer] = field(default_factory=dict)
    views: list[tuple[Op, list[Array], Array]] = field(default_factory=list)

    def locate(self, place: Sequence[Any]) -> Buffer:
        kind, number = place[:2]
        if kind == "arena":
            return (kind, number)
        return (self.params if kind == "param" else self.results)[number]

    def read(self, value: Value) -> Array:
        return self.memory.read(self.at[value], value.type)

    def run(self) -> None:
        fn = self.fn
        self.at.update(zip(fn.params, self.params, strict=True))
        donated = {result: param for param, result in fn.attr("donated", ())}
        copies = []
        for k, value in enumerate(fn.results):
            source = source_of_memory(value)
            if source.op is None and k not in donated:  # copied before the first kernel
                copies.append((self.results[k], self.read(fn.params[fn.params.index(source)])))
        for to, array in copies:
            if to not in self.params:
                self.memory.write(to, array)
        for number, op in enumerate(fn.ops):
            if self.ends is None and self.ahead is not None:
                self.look_ahead(number)
            self.step(op)
        if self.ends is None and self.ahead is not None:
            self.look_ahead(len(fn.ops))
        for op, starts, shown in self.views:  # nothing has written to what they show
            now = run_op(op, [self.read(op.operands[0]), *starts])
            assert now.tobytes() == shown.tobytes(), op
        copies = []
        for k, value in enumerate(fn.results):
            to = self.params[donated[k]] if k in donated else self.results[k]
            early = source_of_memory(value).op is None and k not in donated
            if not early and self.at[value] != to:
                copies.append((to, self.read(value)))
        for to, array in copies:
            self.memory.write(to, array)

    def look_ahead(self, done: int) -> None:
        """Read the condition if all that it reads is among what the first `done` ops make."""
        assert self.ahead is not None
        op, flag = self.ahead
        tested = [self.fn.results[j] for j in read_by(op.regions[0])]
        if not {v.op for v in tested if v.op is not None} <= set(self.fn.ops[:done]):
            return
        after = []
        for k, value in enumerate(self.fn.results):
            early = source_of_memory(value).op is None and value is not self.fn.params[k]
            after.append(self.results[k] if early else self.at.get(value, self.results[k]))
        Frame(self.memory, op.regions[0], after, [flag]).run()
        self.ends = not self.memory.bytes_of(flag, 1)[0]

    def leave_out(self, op: Op) -> None:
        for result, out in zip(op.results, op.attr("out"), strict=True):
            if out:
                self.at[result] = self.locate(out)
                self.memory.bytes_of(self.at[result], result.type.nbytes)[:] = 0x5A
        if op.defn.name == "while":
            fixed = zip(op.results, op.operands, invariants(op), strict=True)
            self.at.update((r, self.at[v]) for r, v, stays in fixed if stays)

    def step(self, op: Op) -> None:
        if self.ends and serves_next_turn(op):
            self.leave_out(op)
            return
        match op.defn.name:
            case "const":
                self.at[op.result] = self.memory.constant(op.attr("value").array)
            case "reshape":
                self.at[op.result] = self.at[op.operands[0]]
            case "slice" | "dynamic_slice":
                starts = [self.read(v) for v in op.operands[1:]]
                shown = run_op(op, [self.read(op.operands[0]), *starts])
                self.views.append((op, starts, shown))
                self.at[op.result] = self.memory.constant(shown)
            case "fusion":
                self.kernel(op)
            case "while":
                self.loop(op)
            case "cond":
                taken = op.regions[0 if self.read(op.operands[0]) else 1]
                places = [self.locate(out) for out in op.attr("out")]
                operands = [self.at[v] for v in op.operands[1:]]
                Frame(self.memory, taken, operands, places).run()
                self.at.update(zip(op.results, places, strict=True))
            case name:
                raise AssertionError(f"{name} is no step")

    def loop(self, op: Op) -> None:
        condition, body = op.regions
        now, then, moving = [], [], []
        for j, fixed in enumerate(invariants(op)):
            at = self.at[op.operands[j]]
            now.append(at if fixed else self.locate(op.attr("out")[j]))
            if not fixed:
                moving.append((j, self.read(op.operands[j])))
            spare = op.attr("spare")[j]
            then.append(self.locate(spare) if spare else now[j])
        for j, array in moving:
            self.memory.write(now[j], array)
        homes = list(now)
        flag = self.locate(op.attr("flag"))
        ahead = (op, flag) if looks_ahead(op) else None
        first = True
        while True:
            if first or ahead is None:
                Frame(self.memory, condition, now, [flag]).run()
            first = False
            if not self.memory.bytes_of(flag, 1)[0]:
                break
            Frame(self.memory, body, now, then, ahead).run()
            now, then = then, now
        for j, array in [(j, self.memory.read(now[j], op.results[j].type)) for j, _ in moving]:
            self.memory.write(homes[j], array)
        self.at.update(zip(op.results, homes, strict=True))

    def kernel(self, op: Op) -> None:
        operands = [self.read(v) for v in op.operands]
        values = run(op.regions[0], operands)
        places = [self.locate(place) for place in op.attr("out")]
        self.check_overwritten(op, places, operands, values)
        if "scratch" in op.kwargs:
            _, offset, size = op.attr("scratch")
            assert offset + size <= len(self.memory.arena)
            self.memory.arena[offset : offset + size] = 0x5A
        for place, array in zip(places, values, strict=True):
            self.memory.write(place, array)
        self.at.update(zip(op.results, places, strict=True))

    def check_overwritten(
        self, op: Op, places: list[Buffer], operands: list[Array], values: tuple[Array, ...]
    ) -> None:
        """Where a result lies over an operand, elements written early must not change later ones:
        with every other element overwritten the rest must come out the same. A loop in registers
        writes over what it starts from when it has read that, or fills it as it reads it."""
        changed = [a.copy() for a in operands]
        dirty = False
        for place, array in zip(places, values, strict=True):
            for k, operand in enumerate(op.operands):
                at = self.at[operand]
                if not _overlap(at, operand.type.nbytes, place, array.nbytes):
                    continue
                assert at == place and operand.type.nbytes == array.nbytes, op
                dirty = op.attr("hero") != "while"
                raw = array.reshape(-1).view(changed[k].dtype)
                changed[k].reshape(-1)[::2] = raw[::2]
        if dirty:
            again = run(op.regions[0], changed)
            for one, other in zip(values, again, strict=True):
                assert one.reshape(-1)[1::2].tobytes() == other.reshape(-1)[1::2].tobytes(), op


def run_op(op: Op, operands: Sequence[Array]) -> Array:
    """What a primitive gives."""
    return np.asarray(op.defn.eval(*operands, **op.kwargs))


def run_on_bytes(fn: Function, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The results of `fn`, those of donated pairs read from the parameters at the end."""
    memory = Memory(fn, arrays)
    params = [("param", k) for k in range(len(fn.params))]
    Frame(memory, fn, params, [("result", k) for k in range(len(fn.results))]).run()
    donated = {result: param for param, result in fn.attr("donated", ())}
    return tuple(
        memory.params[donated[k]].reshape(v.type.shape) if k in donated else memory.results[k]
        for k, v in enumerate(fn.results)
    )


def _overlap(a: Buffer, a_size: int, b: Buffer, b_size: int) -> bool:
    if not a_size or not b_size or a[0] != b[0]:
        return False
    if a[0] != "arena":
        return a[1] == b[1]
    return a[1] < b[1] + b_size and b[1] < a[1] + a_size
