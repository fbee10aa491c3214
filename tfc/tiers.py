"""The thread that optimises first versions of functions (`codegen/first.py`) while they run.

A function asks for it with its second run: most functions of short programs, and those that give
variables their first values, run once. Then it waits a moment, so that a program that ends soon is
not kept. There is one thread, of low priority, and only while there is something to do. What must
not come in the middle of LLVM waits until it is through with a module: the end of the process,
whose static destructors would run meanwhile, and `fork`, whose child would find locks that nobody
opens. The child has no such thread, and keeps the first versions that were waiting.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tfc.base.records import dataclass
from tfc.base.uninterrupted import Uninterrupted

WAIT_SECONDS = 0.05  # from the second run of a function until it is compiled again
DISPATCH_WAIT_SECONDS = 0.2  # from the first native dispatch until that is
NICENESS = 10
_logger = logging.getLogger("tfc")


class Ended(Exception):
    """The process ends, or nobody wants the result any more."""


@dataclass
class Counts:
    """What has become of the functions that asked: optimised, failed with an error, dropped
    because the process ended, or the function did."""

    optimised: int = 0
    failed: int = 0
    dropped: int = 0


class Background:
    """A queue of functions, and the thread that takes from it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._jobs: list[tuple[float, Callable[[], bool]]] = []
        self._changed = threading.Condition()
        self._inside = threading.Lock()  # held by who is in LLVM, or must not be there
        self._thread: threading.Thread | None = None
        self._ended = False
        self._last: Callable[[], bool] | None = None

    def ask(self, job: Callable[[], bool], seconds: float | None = None) -> None:
        """Have `job` done after `seconds` (WAIT_SECONDS if None). It calls `compiling`, and says
        whether it did its work."""
        with Uninterrupted(), self._changed:  # Ctrl-C might leave it held
            if self._ended:
                self.counts.dropped += 1
                return
            wait = WAIT_SECONDS if seconds is None else seconds
            self._jobs.append((time.monotonic() + wait, job))
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="tfc tiers", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # there are no more threads; the next one to ask tries again
                    return
                self._thread = thread

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Around what must be through before the process ends or forks. Raises Ended."""
        with self._inside:
            if self._ended:
                raise Ended
            yield

    def wait(self, seconds: float = 600.0) -> bool:
        """Wait until there is nothing to do; false if that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, seconds)

    def end(self) -> None:
        """Drop all jobs, and return when the thread is no longer in LLVM."""
        with self._changed:
            self._ended = True
            self.counts.dropped += len(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
        while True:
            try:
                with self._inside:
                    return
            except KeyboardInterrupt:  # the thread is still there
                continue

    def _work(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while (job := self._next()) is not None:
            try:
                if job():
                    self.counts.optimised += 1
                else:
                    self.counts.dropped += 1
            except Ended:
                self.counts.dropped += 1
            except Exception:
                # The first version gives the same results, so the program goes on.
                self.counts.failed += 1
                _logger.exception("a function could not be optimised, and stays as slow as it is")
            with self._inside:  # with the job its machine code may go
                if self._ended:
                    self._last = job
                job = None

    def _next(self) -> Callable[[], bool] | None:
        """The next job when it is time for it; None: there is none, and the thread ends."""
        with self._changed:
            while self._jobs:
                first = min(self._jobs, key=lambda job: job[0])
                left = first[0] - time.monotonic()
                if left <= 0:
                    self._jobs.remove(first)
                    return first[1]
                self._changed.wait(left)
            self._thread = None
            self._changed.notify_all()
            return None

    def before_fork(self) -> None:
        with Uninterrupted(None):
            self._changed.acquire()
            self._inside.acquire()

    def after_fork_in_parent(self) -> None:
        self._inside.release()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        dropped = self.counts.dropped + len(self._jobs)
        self.__init__()  # type: ignore[misc]
        self.counts.dropped = dropped


background = Background()
atexit.register(background.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=background.before_fork,
        after_in_parent=background.after_fork_in_parent,
        after_in_child=background.after_fork_in_child,
    )
