"""Compile a function of primitives as it stands and run it on arrays, without any passes.

Every op becomes a fusion of its own (`const` and `reshape` stay), each value gets its own place in
the arena. `check` compares with the interpreter.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.target import Target, aligned
from tfc.codegen import module
from tfc.codegen.target import host
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Op, Type, Value, sorted_attrs
from tfc.passes.kernels import is_hero
from tfc.prims.kernel_info import kernel_scratch


class Room:
    """Places in an arena, one behind the other. `size`: of it all."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, size: int) -> int:
        """Where there is room for `size` bytes more."""
        offset = self.size
        self.size += aligned(size)
        return offset

    @staticmethod
    def memory(size: int) -> np.ndarray:
        """An arena of a size that there is a Room of, and 64 bytes more, full of 0xAA."""
        return np.full(size + 64, 0xAA, np.uint8)


def place(fn: Function, chunks: int = 1) -> Function:
    """`fn` with every op in a fusion (those that are none yet) and every result in a place."""
    new: dict[Value, Value] = {v: v for v in fn.params}
    ops: list[Op] = []
    room = Room()
    for op in fn.ops:
        operands = tuple(new[v] for v in op.operands)
        if op.defn.name in ("const", "reshape"):
            made = make_op(op.defn, operands, op.attrs)
        else:
            fusion = op if op.defn.name == "fusion" else alone(op)
            attrs = dict(fusion.attrs) | {"chunks": chunks}
            scratch = kernel_scratch(with_attrs(fusion, operands, attrs))
            outs = []
            for result in op.results:
                outs.append(("arena", room.add(result.type.nbytes)))
            attrs["out"] = tuple(outs)
            if scratch:
                attrs["scratch"] = ("arena", room.add(scratch), scratch)
            made = with_attrs(fusion, operands, attrs)
        new.update(zip(op.results, made.results, strict=True))
        ops.append(made)
    results = tuple(new[v] for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, (("arena", room.size),))


def with_attrs(op: Op, operands: Sequence[Value], attrs: dict) -> Op:
    return make_op(op.defn, tuple(operands), sorted_attrs(attrs.items()), op.regions)


def alone(op: Op) -> Op:
    """A fusion of one op."""
    build = Builder(op.defn.name)
    build.fold_elements = 0
    params = [build.param(v.type) for v in op.operands]
    inner = make_op(op.defn, tuple(params), op.attrs, op.regions)
    build.ops.append(inner)
    hero = op.defn.name if is_hero(op) else "loop"
    region = build.finish(inner.results)
    return make_op(p.fusion, op.operands, (("hero", hero),), (region,))


def fused(fn: Function, hero: str, chunks: int = 1) -> Function:
    """The whole of `fn` as one kernel."""
    params = [Value(v.type) for v in fn.params]
    op = make_op(p.fusion, tuple(params), (("hero", hero),), (fn,))
    return place(Function(fn.name, tuple(params), (op,), op.results), chunks)


class Running:
    """A compiled, placed function."""

    def __init__(self, fn: Function, target: Target | None = None):
        self.fn = fn
        self.code = module.compile_function(fn, target or host())
        self.record = np.zeros(10, np.int64)

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run it; the arena is filled with 0xAA first. Raises RuntimeError with the status."""
        assert len(arrays) == len(self.fn.params)
        inputs = [
            np.ascontiguousarray(a, dtypes.numpy_dtype(v.type.dtype)).reshape(v.type.shape)
            for a, v in zip(arrays, self.fn.params, strict=True)
        ]
        outputs = [
            np.full(v.type.nbytes, 0x55, np.uint8)
            .view(dtypes.numpy_dtype(v.type.dtype))
            .reshape(v.type.shape)
            for v in self.fn.results
        ]
        arena = Room.memory(self.code.arena)
        fork = ctypes.cast(_fork, ctypes.c_void_p).value
        call = native_call(self.code, [*inputs, *outputs], arena, self.record, fork)
        status = call()
        if status:
            raise RuntimeError(status)
        return outputs


def native_call(
    code: module.NativeCode,
    arrays: Sequence[np.ndarray],
    arena: np.ndarray,
    record: np.ndarray,
    fork: int | None,
) -> Callable[[], int]:
    """A call of a compiled function, which returns its status.

    arrays: the buffers of parameters, then results. arena: 64 bytes more than the code asks for.
    fork: the address of a `parallel_for`.
    """
    buffers = [*arrays, *code.constants]
    table = (ctypes.c_void_p * max(len(buffers), 1))(*[a.ctypes.data for a in buffers])
    cancel = ctypes.c_int32(0)
    context = (ctypes.c_void_p * 6)(
        arena.ctypes.data + -arena.ctypes.data % 64,
        ctypes.addressof(table),
        ctypes.addressof(cancel),
        record.ctypes.data,
        fork,
        None,
    )
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(code.address)
    held = (code, buffers, table, cancel, arena, record)

    def call() -> int:
        assert held  # what the context points to lives as long as the call can be made
        return int(entry(ctypes.addressof(context)))

    return call


_KERNEL = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3)


@ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
def _fork(ctx: int, kernel: int, args: int, chunks: int) -> int:
    """Chunks one by one, last first: no result may depend on their order."""
    lowest = 0
    for chunk in reversed(range(abs(chunks))):
        lowest = _KERNEL(kernel)(ctx, args, chunk, chunk + 1, abs(chunks) - 1) or lowest
    return lowest


def build(*types: str, shape: tuple[int, ...] = ()) -> tuple[Builder, list[Value]]:
    """A Builder with parameters of these dtypes and one shape, which folds nothing."""
    b = Builder("f")
    b.fold_elements = 0
    return b, [b.param(Type(t, shape)) for t in types]


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """How far `got` is from `want` (of a wider type, or exact), in units of the last place of
    `got`'s dtype at `want`; 0 for equal infinities and for two NaNs, inf for one."""
    dtype = got.dtype
    with np.errstate(all="ignore"):
        got64, want64 = got.astype(np.longdouble), want.astype(np.longdouble)
        info = np.finfo(dtype)
        rounded = want64.astype(dtype)
        step = np.maximum(
            np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, info.max))),
            info.smallest_subnormal,
        ).astype(np.longdouble)
        distance = np.abs(got64 - want64) / step
    same = (np.isnan(got) & np.isnan(want)) | (got == rounded)
    return np.where(same, 0, np.where(np.isnan(distance), np.inf, distance)).astype(float)
