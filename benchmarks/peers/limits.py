"""What this machine can do at most: multiply-adds a second, and bytes to and from memory."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from llvmlite import binding as llvm

CHAINS = 12  # independent, so that a multiply-add need not wait for the one before
TURNS = 2_000_000
BYTES = 64 << 20  # of each array, more than caches hold
ROUNDS = 9


@dataclass(frozen=True)
class Limits:
    """Of all cores that this process may use, in a second."""

    operations: float
    bytes: float

    def seconds(self, operations: float, moved: float) -> float:
        return max(operations / self.operations, moved / self.bytes)

    def or_better(self, other: Limits) -> Limits:
        """Who else uses the machine while a limit is measured makes it too low."""
        return Limits(max(self.operations, other.operations), max(self.bytes, other.bytes))


def measured() -> Limits:
    cores = len(os.sched_getaffinity(0))
    width = 16 if llvm.get_host_cpu_features().get("avx512f") else 8
    engine, kernel = fused_multiply_adds(width)
    with ThreadPoolExecutor(cores) as pool:
        arithmetic = at_once(pool, cores, lambda: kernel(TURNS))
        count = BYTES // 4 // cores
        arrays = [np.ones((2, count), np.float32) for _ in range(cores)]
        memory = at_once(pool, cores, lambda: moved(arrays))
    del engine
    return Limits(2 * width * CHAINS * TURNS * cores / arithmetic, 2 * 4 * count * cores / memory)


def moved(arrays: list[np.ndarray]) -> None:
    """Read one of the arrays and write another of its size."""
    x, y = arrays.pop()
    np.multiply(x, np.float32(1.5), out=y)
    arrays.append((x, y))


def at_once(pool: ThreadPoolExecutor, cores: int, work: Callable[[], object]) -> float:
    """Seconds that all cores take when each does the work; the best of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        list(pool.map(lambda _: work(), range(cores)))
        times.append(time.perf_counter() - start)
    return min(times)


def fused_multiply_adds(width: int) -> tuple[object, Callable[[int], float]]:
    """A native function of `turns`, CHAINS multiply-adds of packets in each; and what keeps it."""
    packet = f"<{width} x float>"
    body = [
        f"%n{k} = call {packet} @llvm.fma.v{width}f32({packet} %c{k}, {packet} %s, {packet} %s)"
        for k in range(CHAINS)
    ]
    phis = [f"%c{k} = phi {packet} [ zeroinitializer, %start ], [ %n{k}, %turn ]"
            for k in range(CHAINS)]  # fmt: skip
    sums = [f"%t{k + 1} = fadd {packet} %t{k}, %n{k}" for k in range(CHAINS)]
    text = f"""
    declare {packet} @llvm.fma.v{width}f32({packet}, {packet}, {packet})
    define float @kernel(i64 %turns) {{
    start:
      %q = sitofp i64 %turns to float
      %r = fdiv float 0.5, %q
      %i = insertelement {packet} zeroinitializer, float %r, i32 0
      %s = shufflevector {packet} %i, {packet} poison, <{width} x i32> zeroinitializer
      br label %turn
    turn:
      %at = phi i64 [ 0, %start ], [ %next, %turn ]
      {chr(10).join(phis)}
      {chr(10).join(body)}
      %next = add i64 %at, 1
      %more = icmp slt i64 %next, %turns
      br i1 %more, label %turn, label %end
    end:
      %t0 = fadd {packet} %s, %s
      {chr(10).join(sums)}
      %x = extractelement {packet} %t{CHAINS}, i32 0
      ret float %x
    }}
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), target)
    engine.finalize_object()
    address = engine.get_function_address("kernel")
    return engine, ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(address)


if __name__ == "__main__":
    print(measured())
