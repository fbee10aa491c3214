"""First versions: which kernels of a function are compiled fast before they are compiled well.

LLVM's code generation at level FAST takes a third to a half of the time, and gives the same bits
(`tests/codegen/test_levels.py`); the code takes 1 to 4 times as long to run. So a kernel begins
with it if that costs less than it saves in all the runs that there can be until the optimised code
is there, and a function has a first version if that saves enough. Functions with loops have none,
since what they take is not known before; but for the loops of `Session.run_loop`, which are left
and entered again all the time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tfc.base.records import dataclass
from tfc.codegen.entry import Entry
from tfc.ir.core import Op
from tfc.prims.control import commits

# Measured on two cores, AVX-512: level FAST saves 90 to 280 ns a character of LLVM text.
NS_CHARACTER = 120.0
LEAST_SAVED = 4e6  # ns: what a second compilation, a thread and a swap are worth
UNTIL_SWAP = 250e6  # ns from the first run to the swap, in which
MOST_RUNS = 100.0  # of a function are what counts, and in a loop all that there are
MOST_RUNS_ALONE = 10.0  # of one that is given nothing: it makes first values of variables
ALONE_BYTES = 64  # of a parameter that only counts random numbers
RUN_NS = 10_000.0  # of a run, apart from its kernels
# How much longer the fast code takes than the optimised one, as a part of the estimated time, by
# hero: products keep sums in registers (and estimates of convolutions are low), random numbers are
# integers one by one.
SLOWER = {
    "dot": 1.5,
    "conv": 8.0,
    "conv_grad_input": 8.0,
    "conv_grad_filter": 8.0,
    "rng_bits": 0.25,
    "rng_truncated_normal": 0.25,
}
SLOWER_ELSE = 1.0


@dataclass(frozen=True)
class Texts:
    """LLVM texts that are still to be optimised. modules: by the key of the machine code made
    fast. kernels: modules of one kernel each, by symbol, of those that other functions hold."""

    modules: dict[str, str]
    kernels: dict[str, str]

    def as_bytes(self) -> bytes:
        return json.dumps([self.modules, self.kernels]).encode()

    @staticmethod
    def of(content: bytes) -> Texts:
        """Of what `as_bytes` gave."""
        return Texts(*json.loads(content))


@dataclass(frozen=True)
class Pending:
    """What makes an optimised function of a first version: the texts, and the machine code, by key,
    that is optimised already. `texts` gives None if they were lost."""

    texts: Callable[[], Texts | None]
    codes: dict[str, bytes]


def fast_kernels(entry: Entry, names: Sequence[str], ns: Callable[[Op], float]) -> set[str]:
    """Those of the kernels `names` with which a first version of the function begins; `ns` says
    about how long a kernel takes. Empty: it is to have none."""
    callers = entry.callers.values()
    total = sum(ns(op) for ops in callers for op in ops) + RUN_NS
    alone = all(p.type.nbytes <= ALONE_BYTES for p in entry.fn.params)
    most = MOST_RUNS_ALONE if alone else MOST_RUNS
    if any(commits(op) for op in entry.fn.ops if op.defn.name == "while"):
        most = UNTIL_SWAP / total
    runs = max(1.0, min(UNTIL_SWAP / total, most))
    chosen, saved = set(), NS_CHARACTER * len(entry.t.body())
    for name in names:
        gain = NS_CHARACTER * entry.stages[name].size
        if runs * sum(ns(op) * _slower(op) for op in entry.callers[name]) <= gain:
            chosen.add(name)
            saved += gain
    return chosen if saved >= LEAST_SAVED else set()


def _slower(kernel: Op) -> float:
    return SLOWER.get(kernel.attr("hero"), SLOWER_ELSE)
