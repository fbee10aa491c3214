"""How a workload would scale: a model of its kernels, measured on one core, and held against two.

    python benchmarks/scale.py mlp "tfc"

A kernel of c chunks that takes t on one core takes on p cores

    fork(p) + t * ceil(c / p) / c,  but at least  t / SATURATES  if it waits for memory,

a kernel of one chunk t, and what lies between kernels stays. `fork(p)` is the cost of handing out
a job and waiting for its end: measured for two threads, and p - 1 times as much for p, since the
caller writes to the line of each worker and all count down one number. SATURATES: how many cores
use up the bandwidth of memory; an assumption, of the size that servers have in each NUMA node.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import statistics
import time
from math import ceil

import numpy as np
from kernels import flops, setup, ticks_a_us

from tfc.base.options import options
from tfc.codegen import native, native_rt
from tfc.codegen.target import host
from tfc.ir.core import Op

CORES = (1, 2, 16, 64)
SATURATES = 8
CACHE = 1 << 20  # bytes: a kernel that moves more waits for memory
FORKS = 10_000

DRIVER = """
define i32 @nothing(ptr %ctx, ptr %args, i64 %lo, i64 %hi) { ret i32 0 }
define void @drive(ptr %fork, i64 %times, i64 %chunks) {
entry:
  br label %again
again:
  %k = phi i64 [0, %entry], [%next, %again]
  %status = call i32 %fork(ptr null, ptr @nothing, ptr null, i64 %chunks)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %times
  br i1 %more, label %again, label %end
end:
  ret void
}
"""


def fork_us(threads: int, chunks: int) -> float:
    """Microseconds of a job that does nothing, its workers awake."""
    code = native.compile_object(DRIVER, host(), {})
    library = native.load([code], ["drive"], {})
    drive = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
        library.addresses["drive"]
    )
    fork, times = native_rt.parallel_for_address(threads), []
    for _ in range(9):
        start = time.perf_counter()
        drive(fork, FORKS, chunks)
        times.append((time.perf_counter() - start) / FORKS * 1e6)
    return statistics.median(times)


def kernel_us(op: Op, alone: float, runs: int, cores: int, fork: float) -> float:
    """The model's time of a kernel's runs, which take `alone` on one core."""
    chunks = op.kwargs.get("chunks", 1)
    if chunks == 1 or cores == 1:
        return alone
    shared = alone * ceil(chunks / cores) / chunks
    moved = sum(v.type.nbytes for v in (*op.operands, *op.results))
    if not flops(op) and moved > CACHE:
        shared = max(shared, alone / SATURATES)
    return runs * fork * (cores - 1) + shared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", help="a module of peers/")
    parser.add_argument("entry", nargs="?", default="tfc")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    options.profile = 1
    row = importlib.import_module(args.row)
    size = np.ravel(row.SIZES)[args.size]
    setups = [setup(row.ENTRIES[args.entry], size, threads) for threads in (1, 2)]
    speed = ticks_a_us()
    for _ in range(args.rounds):
        for one in setups:
            one.round(speed, 0.1, row.per(**size))
            time.sleep(0.02)
    alone, two = setups
    times = [statistics.median(c) for c in zip(*alone.kernels, strict=True)]
    ops = [op for counters in alone.counters for op in counters.kernels]
    between = max(statistics.median(alone.walls) - sum(times), 0.0)
    fork = max(fork_us(2, 2) - fork_us(1, 2), 0.0)
    print(f"{row.TITLE}, {size}: fork and join of two threads {fork:.2f} us")
    for cores in CORES:
        runs = zip(ops, times, alone.counts, strict=True)
        total = between + sum(kernel_us(op, t, n, cores, fork) for op, t, n in runs)
        seen = {1: alone, 2: two}.get(cores)
        said = f"   measured {statistics.median(seen.walls):9.2f}" if seen else ""
        print(f"{cores:4} cores: model {total:9.2f} us{said}")


if __name__ == "__main__":
    main()
