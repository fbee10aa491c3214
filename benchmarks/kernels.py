"""What a workload's time goes to: each native kernel on one and on two threads.

    python benchmarks/kernels.py mlp_loop "tfc" --size 0

runs the entry "tfc" of the row peers/mlp_loop.py. Figures are microseconds a step (or whatever the
row counts), medians over rounds in which one and two threads take turns. `flops` are those of
products; a kernel's time holds the fork, the join and what its threads wait for each other.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfc import compiler
from tfc.base.options import options
from tfc.codegen import native
from tfc.codegen.profile import Counters, clock
from tfc.codegen.target import host
from tfc.ir.core import Op
from tfc.prims.loop_nest import dot_contraction

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))


@dataclass
class Setup:
    """The workload on some number of threads: its call, its counters, and what each round gave:
    microseconds in all, and kernel by kernel."""

    run: Callable[[], object]
    counters: list[Counters]
    walls: list[float]
    kernels: list[list[float]]
    counts: list[int]

    def round(self, ticks_a_us: float, least: float, per: int) -> None:
        for counters in self.counters:
            counters.read()
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < least:
            self.run()
            calls += 1
        steps = calls * per
        self.walls.append((time.perf_counter() - start) * 1e6 / steps)
        read = [line for counters in self.counters for line in counters.read()]
        self.kernels.append([ticks / ticks_a_us / steps for _, _, ticks in read])
        self.counts = [count // steps for _, count, _ in read]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", help="a module of peers/")
    parser.add_argument("entry", nargs="?", default="tfc")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--least", type=float, default=0.1, help="seconds of a round")
    args = parser.parse_args()
    options.profile = 1
    row = importlib.import_module(args.row)
    size = row.SIZES[args.size]
    setups = [setup(row.ENTRIES[args.entry], size, threads) for threads in (1, 2)]
    speed = ticks_a_us()
    for _ in range(args.rounds):
        for one in setups:
            one.round(speed, args.least, row.per(**size))
            time.sleep(0.02)
    table(setups)


def setup(entry: Callable[..., Callable[[], object]], size: dict[str, int], threads: int) -> Setup:
    """The workload, compiled and warm."""
    options.threads = threads
    found: list[Counters] = []

    def observer(record: compiler.CompilationRecord) -> None:
        found.append(record.code.profile)

    compiler.observers.append(observer)
    run = entry(**size)
    for _ in range(2):
        run()
    compiler.observers.remove(observer)
    return Setup(run, [c for c in found if c.kernels], [], [], [])


def ticks_a_us() -> float:
    """Ticks in a microsecond of the clock that kernels are timed by."""
    name = clock(host())
    text = f"define i64 @now() {{\n%t = call i64 @{name}()\nret i64 %t\n}}\n"
    text += f"declare i64 @{name}()\n"
    library = native.load([native.compile_object(text, host(), {})], ["now"], {})
    now = ctypes.CFUNCTYPE(ctypes.c_int64)(library.addresses["now"])
    first, start = now(), time.perf_counter()
    time.sleep(0.2)
    return (now() - first) / (time.perf_counter() - start) / 1e6


def table(setups: list[Setup]) -> None:
    one, two = setups
    ops = [op for counters in one.counters for op in counters.kernels]
    columns = [[statistics.median(c) for c in zip(*s.kernels, strict=True)] for s in setups]
    print(f"{'1 thr':>8} {'2 thr':>8} {'ratio':>5} {'GF/s':>6} {'runs':>4} chunks kernel")
    for op, a, b, count in zip(ops, *columns, one.counts, strict=True):
        if count == 0:
            continue
        rate = f"{flops(op) * count / b / 1e3:6.0f}" if flops(op) else " " * 6
        chunks = op.kwargs.get("chunks", 1)
        print(f"{a:8.2f} {b:8.2f} {a / b:5.2f} {rate} {count:4} {chunks:6} {describe(op)}")
    totals = [sum(column) for column in columns]
    walls = [statistics.median(s.walls) for s in setups]
    for name, (a, b) in (("kernels", totals), ("in all", walls)):
        print(f"{a:8.2f} {b:8.2f} {a / b:5.2f} {'':6} {'':4} {'':6} {name}")


def flops(op: Op) -> int:
    """Of the product in a kernel."""
    for inner in op.regions[0].ops:
        if inner.defn.name == "dot":
            a, b = inner.operands
            return dot_contraction(a.type, b.type, **inner.kwargs).flops
    return 0


def describe(op: Op) -> str:
    """The kernel's hero, its results, what product it is, and the TensorFlow ops it came from."""
    name = op.attr("hero")
    for inner in op.regions[0].ops:
        if inner.defn.name == "dot":
            name = f"dot {inner.operands[0].type} {inner.operands[1].type}"
            name += f" {inner.attr('contract')}"
    results = " ".join(str(r.type) for r in op.results)
    return f"{name} -> {results}  [{len(op.regions[0].ops)} ops] {op.loc[:60]}"


if __name__ == "__main__":
    main()
