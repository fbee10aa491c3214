"""Calls of LLVM, which nothing may come in the middle of.

llvmlite frees a string twice that Ctrl-C finds it freeing: Ctrl-C waits for the end of such a
block, which takes as long as the calls do, and nothing could break those either. The end of the
process waits too, whose static destructors take away what LLVM works with, and so does `fork`,
whose child would have locks that nobody opens. Other threads that come to a block meanwhile wait
for the end of the fork; where the process ends, they end.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

from tfc.base.uninterrupted import Uninterrupted

MOST_SECONDS = 60.0  # that is waited for others: finalizers may run in their blocks


class Gate:
    """Knows which threads are inside, and lets nobody in while it is closed."""

    def __init__(self) -> None:
        self._door = threading.Lock()  # held by who has closed it
        self._inside: dict[int, int] = {}  # thread -> how many blocks it is in
        self._closed_by = 0
        self._ended = False

    @property
    def is_closed(self) -> bool:
        return self._closed_by != 0

    def enter(self) -> None:
        """Raises SystemExit, which ends a thread without a word: the process ends."""
        me = threading.get_ident()
        depth = self._inside.get(me, 0)
        self._inside[me] = depth + 1  # before a look at the gate: who closes it looks here then
        while not depth and self._closed_by not in (0, me):
            del self._inside[me]
            if self._ended:
                raise SystemExit
            with self._door:
                pass
            self._inside[me] = 1

    def leave(self) -> None:
        me = threading.get_ident()
        depth = self._inside[me] - 1
        if depth:
            self._inside[me] = depth
        else:
            del self._inside[me]

    def close(self) -> None:
        """Return when no other thread is inside."""
        self._door.acquire(timeout=MOST_SECONDS)
        self._closed_by = me = threading.get_ident()
        end = time.monotonic() + MOST_SECONDS
        while any(thread != me for thread in list(self._inside)) and time.monotonic() < end:
            time.sleep(0.0005)

    def open(self) -> None:
        self._closed_by = 0
        if self._door.locked():
            self._door.release()

    def end(self) -> None:
        """Close it for good."""
        with Uninterrupted(None):
            self._ended = True
            self.close()

    def after_fork_in_child(self) -> None:
        """The threads that wait outside are not here."""
        mine = self._inside.get(threading.get_ident())
        self.__init__()  # type: ignore[misc]
        if mine:
            self._inside[threading.get_ident()] = mine


gate = Gate()
atexit.register(gate.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=gate.close,
        after_in_parent=gate.open,
        after_in_child=gate.after_fork_in_child,
    )


class InsideLLVM(Uninterrupted):
    """A context around calls of LLVM. `raises`: see Uninterrupted."""

    def __init__(self, raises: bool = True) -> None:
        super().__init__(None, raises)

    def __enter__(self) -> InsideLLVM:
        super().__enter__()
        try:
            gate.enter()
        except BaseException:
            super().__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        gate.leave()
        super().__exit__(*error)
