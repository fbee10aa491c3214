"""Blocks that Ctrl-C does not break in the middle.

Python raises KeyboardInterrupt between any two bytecodes of the main thread. What is half done then
may be lost: an element that a pipeline has made of its source's, the count of what a native loop
did. Inside of `Uninterrupted` the signal's handler waits for the end of the block.

`_signal` is `signal` without its enumerations: a block takes 1.4 us, not 10.
"""

from __future__ import annotations

import _signal as signals  # type: ignore[import-not-found]
import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

GRACE = 0.05  # seconds
_SIGINT = int(signal.SIGINT)
_sending = threading.Lock()


class Uninterrupted:
    """A context in which SIGINT waits. It does nothing in other threads than the main one, and
    where no Python function handles the signal.

    grace: how many seconds the signal waits at most, as what a program runs in the block may take
    for ever; a second signal does not wait. None: to the end, whatever comes; also of such a block
    in another one. Other blocks in another one do nothing.
    raises: whether the handler is called at the end. If not, the signal is sent again soon after:
    for finalizers, whose errors are lost.
    """

    _before: Any = None  # the handler whose place this one has taken
    _outer: Uninterrupted | None = None  # which this one makes wait
    _firm = 0  # blocks without a grace that it is in
    _waiting = _ended = _fired = _overdue = False

    def __init__(self, grace: float | None = GRACE, raises: bool = True) -> None:
        self._grace, self._raises = grace, raises

    def __enter__(self) -> Uninterrupted:
        if threading.get_ident() == threading.main_thread().ident:
            before = signals.getsignal(_SIGINT)
            if isinstance(outer := getattr(before, "__self__", None), Uninterrupted):
                if self._grace is None:
                    outer._firm += 1
                    self._outer = outer
            elif callable(before):
                if self._grace is None:
                    self._firm = 1
                self._before = before
                signals.signal(_SIGINT, self._arrived)
        return self

    def __exit__(self, *error: object) -> None:
        if self._outer is not None:
            self._leave(self._outer)
        if self._before is None:
            return
        self._firm, self._ended = 0, True
        if self._waiting:
            with _sending:
                pass
            while self._fired:  # the signal is on its way, and its handler raises
                time.sleep(0.001)
        self._give_back()  # what has come until here has been handled when this returns
        if self._waiting:
            self._call_handler()

    def _leave(self, outer: Uninterrupted) -> None:
        self._outer = None
        outer._firm -= 1
        if outer._overdue and not outer._firm:
            if self._raises:
                outer._call_handler()
            else:
                outer._overdue = False
                after(0.001, outer._fire)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signal. `frame` is not kept: what lives in it is to go with it."""
        self._fired = False
        again, self._waiting = self._waiting, True
        if again and self._firm:
            self._overdue = True
        elif again:
            self._call_handler()
        elif self._grace is not None:
            after(self._grace, self._fire)

    def _fire(self) -> None:
        """Send the signal again, from another thread: the block has had its time."""
        with _sending:
            if not self._ended and self._waiting:
                self._fired = True
                send()

    def _call_handler(self) -> None:
        """The block is over, or broken."""
        self._waiting = self._overdue = False
        self._give_back()
        if self._raises:
            self._before(_SIGINT, sys._getframe())
        else:
            after(0.001, send)

    def _give_back(self) -> None:
        """Put the handler back, unless the block has set another one."""
        if getattr(signals.getsignal(_SIGINT), "__self__", None) is self:
            signals.signal(_SIGINT, self._before)


def is_waiting() -> bool:
    """Whether a SIGINT waits for the end of the block that the main thread is in."""
    block = getattr(signals.getsignal(_SIGINT), "__self__", None)
    return isinstance(block, Uninterrupted) and block._waiting


def after(seconds: float, function: Callable[[], None]) -> None:
    """Call `function` in a thread. The handler may come while the main thread starts one, and holds
    the locks of `threading`."""

    def wait() -> None:
        time.sleep(seconds)
        function()

    _thread.start_new_thread(wait, ())


def send(number: int = _SIGINT) -> None:
    """Send a signal to the main thread."""
    signal.pthread_kill(threading.main_thread().ident or 0, number)
