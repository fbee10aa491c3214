"""Calls of LLVM, which nothing may come in the middle of.

llvmlite frees a string twice that Ctrl-C finds it freeing: Ctrl-C waits for the end of such a
block, which takes as long as the calls do, and nothing could break those either. The end of the
process waits too, whose static destructors take away what LLVM works with, and so does `fork`,
whose child would have locks that nobody opens. Other threads that come to a block meanwhile wait
for the end of the fork; where the process ends, they end.
"""

from __future__ import annotations

import _signal as signals  # type: ignore[import-not-found]
import atexit
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from tfc.base.collector import no_collections
from tfc.base.uninterrupted import Uninterrupted, after, send

_SIGNALS = sorted(map(int, signal.valid_signals() - {signal.SIGINT}))
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
    """A context around calls of LLVM. `raises`: see Uninterrupted.

    llvmlite holds one lock in them. Whoever has it must not wait for anything else, so no code of
    the program runs here: handlers of all signals wait, and no garbage is collected.
    """

    _of_main: InsideLLVM | None = None  # the outermost one of the main thread

    def __init__(self, raises: bool = True) -> None:
        super().__init__(None, raises)
        self._handlers: dict[int, Any] = {}
        self._came: list[int] = []
        self._collector = no_collections()

    def __enter__(self) -> InsideLLVM:
        super().__enter__()
        try:
            if threading.get_ident() == threading.main_thread().ident:
                self._hold_handlers()
            self._collector.__enter__()
            gate.enter()
        except BaseException:
            self._give_handlers_back()
            super().__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        gate.leave()
        self._collector.__exit__(None, None, None)
        self._give_handlers_back()
        try:
            self._call_handlers(self._came)
        finally:
            super().__exit__(*error)

    def _hold_handlers(self) -> None:
        if InsideLLVM._of_main is not None:
            return
        InsideLLVM._of_main = self
        for number in _SIGNALS:
            handler = signals.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signals.signal(number, self._later)

    def _later(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)

    def _give_handlers_back(self) -> None:
        """Put them back, but those that something else has replaced."""
        for number, handler in self._handlers.items():
            if getattr(signals.getsignal(number), "__self__", None) is self:
                signals.signal(number, handler)
        if InsideLLVM._of_main is self:
            InsideLLVM._of_main = None

    def _call_handlers(self, came: Sequence[int]) -> None:
        """What has come is handled now; soon, if this is in a finalizer."""
        if not came:
            return
        try:
            if self._raises:
                self._handlers[came[0]](came[0], sys._getframe())
            else:
                after(0.001, functools.partial(send, came[0]))
        finally:
            self._call_handlers(came[1:])
