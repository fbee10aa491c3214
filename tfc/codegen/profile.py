"""What TFC_PROFILE adds to the entry function: for each kernel that it calls, how often that was,
and for how many ticks of the processor's clock.

The counters are a global array of the module, written by the thread that runs the entry.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen.text import Text
from tfc.codegen.values import V, i64
from tfc.ir.core import Op

COUNTERS = "counters"


def clock(target: Target) -> str:
    """The intrinsic that reads the clock. The cycle counter of aarch64 is closed to programs; its
    timer is open."""
    timer = target.triple.startswith(("aarch64", "arm64"))
    return "llvm.readsteadycounter" if timer else "llvm.readcyclecounter"


@dataclass(frozen=True)
class Counters:
    """The counters of a loaded function. A kernel of several stages is counted stage by stage."""

    kernels: list[Op]
    address: int

    def read(self) -> list[tuple[Op, int, int]]:
        """For each stage its kernel, how often it ran, and the ticks it took; from 0 again."""
        cells = (ctypes.c_int64 * (2 * len(self.kernels))).from_address(self.address)
        found = [(op, cells[2 * k], cells[2 * k + 1]) for k, op in enumerate(self.kernels)]
        ctypes.memset(cells, 0, ctypes.sizeof(cells))
        return found


class Profile:
    """Writes the counting into the text of an entry."""

    def __init__(self, t: Text, target: Target):
        self.t, self.kernels = t, list[Op]()
        self._clock = clock(target)

    @contextmanager
    def timed(self, kernel: Op) -> Iterator[None]:
        """Count what is written inside as a run of `kernel`."""
        t, place = self.t, 2 * len(self.kernels)
        self.kernels.append(kernel)
        start = t.call("i64", self._clock)
        yield
        ticks = t.op("sub", t.call("i64", self._clock), start)
        for offset, more in enumerate((i64(1), ticks)):
            at = t.gep(V(f"@{COUNTERS}", "ptr"), place + offset, "i64")
            t.store(t.op("add", t.load("i64", at, 8), more), at, 8)

    def counters(self) -> str:
        """The definition of the array."""
        return f"@{COUNTERS} = global [{2 * len(self.kernels)} x i64] zeroinitializer, align 64"

    def found(self, address: int) -> Counters:
        """The array of the loaded function."""
        return Counters(self.kernels, address)
