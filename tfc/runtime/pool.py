"""The process's thread pool, seen from Python: options, addresses, forks.

The pool itself is emitted code; `codegen/native_rt.py` makes the one `Pool` of the process from
its entry points. Everything here may be called from any thread.

Wait policies: how long an idle worker, or a caller whose chunks others still run, spins before it
sleeps. `active` for a machine of one's own, `passive` where other programs need the cores.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

# Turns of a spin loop; one `pause` is 10 to 40 ns, so `auto` bridges gaps of some 50 us.
WAIT_POLICIES = {"active": 1 << 40, "auto": 3000, "passive": 0}


class Pool:
    """Handles to the emitted functions `parallel_for_<n>`, `set_spins`, `workers`, `reset`."""

    def __init__(self, addresses: Mapping[str, int], policy: str):
        self.entries = {
            int(name.removeprefix("parallel_for_")): address
            for name, address in addresses.items()
            if name.startswith("parallel_for_")
        }
        self._set_spins = ctypes.CFUNCTYPE(None, ctypes.c_int64)(addresses["set_spins"])
        self._workers = ctypes.CFUNCTYPE(ctypes.c_int64)(addresses["workers"])
        self._reset = ctypes.CFUNCTYPE(None)(addresses["reset"])
        self.policy = ""
        self.set_policy(policy)
        os.register_at_fork(after_in_child=self._reset)

    def set_policy(self, policy: str) -> None:
        """Choose one of WAIT_POLICIES for the whole process. Raises ValueError for other names."""
        if policy not in WAIT_POLICIES:
            raise ValueError(f"wait policy {policy!r} is none of {', '.join(WAIT_POLICIES)}")
        self._set_spins(WAIT_POLICIES[policy])
        self.policy = policy

    def workers(self) -> int:
        """How many worker threads run now; they start with the first job that can use them."""
        return int(self._workers())

    def address(self, threads: int) -> int:
        """The `parallel_for` that uses at most `threads` threads, the caller's included.

        More threads than there are entries for count as the most there are. Raises ValueError
        if `threads` is not positive.
        """
        if threads < 1:
            raise ValueError(f"a pool needs at least one thread, not {threads}")
        return self.entries.get(threads) or self.entries[max(self.entries)]
