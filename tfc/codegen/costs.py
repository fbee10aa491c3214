"""What compiling each kernel of a function costs, measured by compiling it again, by itself."""

from __future__ import annotations

import time
from collections import Counter

from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen import native
from tfc.codegen.entry import Entry
from tfc.codegen.kernels import kernel_stages, write_stages
from tfc.codegen.target import FAST
from tfc.ir.core import Function
from tfc.ir.walk import all_functions


@dataclass(frozen=True)
class KernelCost:
    """One native function: its symbol (`run` for the entry), its hero, the ops it comes from, how
    often it is called, lines of its text, and milliseconds to write the text, to parse it and to
    make machine code of it: `fast`, for a first version, or `emit`, optimised. Text is written for
    all stages of a kernel at once: what that takes is told of the first."""

    symbol: str
    hero: str
    origin: str
    calls: int
    lines: int
    text: float
    parse: float
    fast: float
    emit: float

    @property
    def total(self) -> float:
        return self.text + self.parse + self.emit


def kernel_costs(fn: Function, target: Target) -> list[KernelCost]:
    """The cost of every kernel of `fn`, which `buffers` has given places, and of the entry; the
    dearest first."""
    start = time.perf_counter()
    entry = Entry(fn, target)
    entry.write()  # with kernels that have just been written, so this is what the entry takes
    text = (time.perf_counter() - start) * 1e3
    alone, _ = entry.module(known=dict.fromkeys(entry.stages))
    costs = [_cost(entry.symbol, "entry", "", 1, alone, text, target)]
    calls = Counter(entry.order)
    seen: set[str] = set()
    for op in (op for f in all_functions(fn) for op in f.ops if op.defn.name == "fusion"):
        if (
            kernel_stages(op, target)[0].symbol in seen
            or not calls[kernel_stages(op, target)[0].symbol]
        ):
            continue
        start = time.perf_counter()
        stages = write_stages(op, target)
        text = (time.perf_counter() - start) * 1e3
        for stage in stages:
            seen.add(stage.symbol)
            whole = entry.kernels([stage.symbol])
            costs.append(
                _cost(
                    stage.symbol, op.attr("hero"), op.loc, calls[stage.symbol], whole, text, target
                )
            )
            text = 0.0
    return sorted(costs, key=lambda cost: -cost.total)


def _cost(
    symbol: str, hero: str, origin: str, calls: int, text: str, ms: float, target: Target
) -> KernelCost:
    times: dict[str, float] = {}
    hasty: dict[str, float] = {}
    native.compile_object(text, target, times)
    native.compile_object(text, target, hasty, FAST)
    return KernelCost(
        symbol,
        hero,
        origin,
        calls,
        text.count("\n") + 1,
        ms,
        times["parse"] * 1e3,
        hasty["emit"] * 1e3,
        times["emit"] * 1e3,
    )
