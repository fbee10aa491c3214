"""Streaming stores against ordinary ones: (x + x) * x over arrays of growing size, on two threads.

    python -m benchmarks.streaming

Above 1, streaming is faster: it should be from the size of the last cache on, where kernels begin
to do it (`tfc/codegen/heroes/streaming.py`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np

import tfc.prims as p
from benchmarks.timing import in_turns
from tests.codegen.run import native_call
from tfc.base.target import Target
from tfc.codegen import module, native_rt
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type

SIZES = (1, 4, 8, 16, 32, 40, 64, 128)  # MiB of the array


def kernel(elements: int) -> Function:
    """(x + x) * x, written to the result, as one kernel of 32 chunks."""
    inner, outer = Builder("k"), Builder("f")
    x = inner.param(Type("f32", (elements,)))
    region = inner.finish([p.mul(inner, p.add(inner, x, x), x)])
    place = {"hero": "loop", "out": (("result", 0),), "chunks": 32}
    made = outer.emit(p.fusion, outer.param(x.type), regions=(region,), **place)
    return outer.finish(made, (("arena", 0), ("donated", ())))


def lines(elements: int) -> np.ndarray:
    """An array that begins a cache line."""
    raw = np.ones(elements + 16, np.float32)
    begin = -raw.ctypes.data % 64 // 4
    return raw[begin : begin + elements]


def job(fn: Function, target: Target) -> Callable[[], int]:
    type = fn.results[0].type
    arrays = [lines(type.size), lines(type.size)]
    fork = native_rt.parallel_for_address(2)
    code = module.compile_function(fn, target)
    return native_call(code, arrays, np.zeros(64, np.uint8), np.zeros(10, np.int64), fork)


def main() -> None:
    plain, streamed = replace(host(), l3_bytes=1 << 60), replace(host(), l3_bytes=0)
    print(f"{'MiB':>5}{'plain, us':>12}{'streamed, us':>14}{'ratio':>8}")
    for size in SIZES:
        fn = kernel((size << 20) // 4)
        times = in_turns([job(fn, plain), job(fn, streamed)], rounds=7, least=0.02)
        a, b = (statistics.median(t) * 1e6 for t in times)
        print(f"{size:5}{a:12.0f}{b:14.0f}{a / b:8.2f}", flush=True)


if __name__ == "__main__":
    main()
