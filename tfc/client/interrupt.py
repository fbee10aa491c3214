"""What ends a native call before its time: a signal, a deadline, a Session that is closed.

Only calls of functions with loops are watched; all others are short, and pay nothing. Python runs
signal handlers in its main thread and between bytecodes, so a handler has to wait until a native
call returns. But the interpreter writes every signal to the *wakeup fd* as it arrives. A thread of
ours reads that, and sets the stop flag of the call that the main thread is in; the call returns
within a turn of its loop, and the handler runs. If it raises nothing, the call is made again.
Native dispatch (`codegen/dispatch/watch.py`) says in the process's WATCH record which flag that is.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from tfc import compiler
from tfc.base import errors
from tfc.base.uninterrupted import Uninterrupted
from tfc.codegen.dispatch.layout import Context, Watch
from tfc.runtime import python_abi

_record = np.zeros(len(Watch), np.int64)  # never freed: native code has its address
python_abi.keep_forever(_record)
_record[Watch.MAIN] = threading.main_thread().ident or 0
_flags: weakref.WeakValueDictionary[int, compiler.StopFlag] = weakref.WeakValueDictionary()
"""By address: those of native dispatch."""


class NativeCall(compiler.StopFlag):
    """A call in flight; `reason`: why it was told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.set()


class CallsInFlight:
    """The calls of one Session that take until they are told to stop, or long."""

    def __init__(self) -> None:
        self._calls: set[NativeCall] = set()
        self._closed = False

        self._lent: list[weakref.ref[compiler.LentContext]] = []
        self._lock = threading.RLock()  # finalizers may come back
        self._cut_off: set[int] = set()

    def close(self) -> None:
        """End all calls, of whatever threads, and those that begin later."""
        self._closed = True
        for call in list(self._calls):
            call.stop("closed")
        for reference in list(self._lent):
            if (lent := reference()) is not None:
                lent.stop.set()
                self._cut_off.add(int(lent.record[Context.THREAD]))

    def was_cut_off(self) -> bool:
        """Whether `close` found this thread in a native call; true once."""
        thread = threading.get_ident()
        found = thread in self._cut_off
        self._cut_off.discard(thread)
        return found

    def watch(self, lent: compiler.LentContext) -> None:
        """Let signals, and `close`, end the calls that native dispatch makes with a context."""
        lent.record[Context.WATCH] = _record.ctypes.data
        _flags[lent.stop.address] = lent.stop
        with self._lock:
            known = [r for r in self._lent if r() not in (None, lent)]
            self._lent = [*known, weakref.ref(lent)]
        if self._closed:
            lent.stop.set()
        if threading.current_thread() is threading.main_thread():
            _watch().find_cell()

    def run(
        self,
        executable: compiler.Executable,
        addresses: Sequence[int],
        threads: int,
        deadline: float | None = None,
        only_sigint: bool = False,
    ) -> bool:
        """Call `executable`. True when it has run to its end; False if a signal ended it, whose
        handler raised nothing.

        deadline: when it has to be over, by `time.monotonic`. only_sigint: no other signal ends it.

        Raises:
          DeadlineExceededError, CancelledError: the deadline has passed; the Session was closed.
          compiler.AssertFailed: see Executable. Whatever a signal handler raises.
        """
        call = NativeCall()
        self._calls.add(call)
        timer = None
        if deadline is not None:
            timer = threading.Timer(deadline - time.monotonic(), call.stop, ["deadline"])
            timer.daemon = True
            timer.start()
        try:
            if self._closed:
                call.stop("closed")
            if threading.current_thread() is threading.main_thread():
                _watch().run(call, only_sigint, executable, addresses, threads)
            else:
                executable(addresses, threads, call)
        except compiler.Cancelled:
            if call.reason == "signal":
                return False
            if call.reason == "deadline":
                raise time_is_over() from None
            raise session_is_closed() from None
        finally:
            if timer is not None:
                timer.cancel()
            self._calls.discard(call)
        return True


def check_deadline(deadline: float) -> None:
    """Raises DeadlineExceededError if `deadline` has passed."""
    if time.monotonic() >= deadline:
        raise time_is_over()


def session_is_closed() -> Exception:
    return errors.CancelledError(None, None, "Session has been closed.")


def time_is_over() -> Exception:
    return errors.DeadlineExceededError(None, None, "Timed out waiting for notification")


class _Watch:
    """The thread that reads the wakeup fd, and the call that it may stop."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._call: NativeCall | None = None
        self._only_sigint = self._cell_sought = False
        self._other = -1  # the fd of another library, which hears of each signal from us
        threading.Thread(target=self._read, name="tfc signals", daemon=True).start()
        self._arguments = (self._writer,), {"warn_on_full_buffer": False}
        _record[Watch.ARGS], _record[Watch.KEYWORDS] = map(id, self._arguments)
        _record[Watch.FD] = self._writer

    def run(
        self,
        call: NativeCall,
        only_sigint: bool,
        executable: compiler.Executable,
        addresses: Sequence[int],
        threads: int,
    ) -> None:
        """Call `executable`, stopped by `call` when a signal arrives; from the main thread."""
        before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if before != self._writer:
            self._other = before
        self._call, self._only_sigint = call, only_sigint
        try:
            executable(addresses, threads, call)
        finally:
            self._call = None
            if self._other != -1:  # else ours stays, and is not heeded
                signal.set_wakeup_fd(self._other)

    def find_cell(self) -> None:
        """Let native dispatch see by itself whether signals are written to our fd."""
        if self._cell_sought:
            return
        self._cell_sought = True
        with Uninterrupted():  # or the fd of another library might be lost
            self._find_cell()

    def _find_cell(self) -> None:
        before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if before != self._writer:
            self._other = before
        twin = os.dup(self._writer)
        _record[Watch.CELL] = python_abi.wakeup_fd_cell([self._writer, twin, self._writer, twin])
        signal.set_wakeup_fd(before, warn_on_full_buffer=before != self._writer)
        os.close(twin)

    def _read(self) -> None:
        while arrived := os.read(self._reader, 64):
            call = self._call
            if call is not None and (signal.SIGINT in arrived or not self._only_sigint):
                call.stop("signal")
            # The call may end meanwhile, and its flag go.
            if (running := _flags.get(int(_record[Watch.RUNNING]))) is not None:
                running.set()
                running = None
            if self._other != -1:
                with suppress(OSError):
                    os.write(self._other, arrived)

    def forget(self) -> None:
        """In a forked child: what is written here would be read in the parent."""
        _record[Watch.ARGS] = _record[Watch.RUNNING] = 0
        now = signal.set_wakeup_fd(-1)
        if now not in (-1, self._writer):
            signal.set_wakeup_fd(now)
        os.close(self._reader)
        os.close(self._writer)


_watches: list[_Watch] = []


def _watch() -> _Watch:
    """The one of the process. Only the main thread asks for it."""
    if not _watches:
        _watches.append(_Watch())
    return _watches[0]


def _after_fork() -> None:
    for watch in _watches:
        watch.forget()
    _watches.clear()
    _record[Watch.MAIN] = threading.get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
