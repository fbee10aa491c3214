"""Ctrl-C between any two lines leaves no lock held that others wait for, and no state half way."""

from __future__ import annotations

import gc
import linecache
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfc as tf
from tests.dispatch.common import outcome
from tfc import tiers
from tfc.base import collector
from tfc.base.later import later
from tfc.client import runtime
from tfc.codegen.inside_llvm import InsideLLVM
from tfc.ops.datasets import iterator_ops
from tfc.ops.queues import store

pytestmark = pytest.mark.usefixtures("fresh_graph")
# Where a `finally` ends in a call of C, Python looks for signals after that call only; tracing
# would put one in front of it.
LAST = (
    "if got:",
    "self.lock.release()",
    "try:",
    "_running.discard(me)  # Ctrl-C may come behind any call",
    "if not _running:",
    "gc.enable()",
)


def interrupted_at(line: int, work: Callable[[], Any], file: str) -> bool:
    """Do `work` with Ctrl-C at that many lines of a file; whether it came so far."""
    left = line

    def local(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line" and linecache.getline(file, frame.f_lineno).strip() not in LAST:
            left -= 1
            if not left:
                sys.settrace(None)
                frame.f_trace = None
                signal.raise_signal(signal.SIGINT)
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: local if frame.f_code.co_filename == file else None)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return left <= 0


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What `work` gives in another thread; None if that takes long."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(outcome(work)), daemon=True)
    thread.start()
    thread.join(20)
    return found[0] if found else None


def at_every_line(work: Callable[[], Any], file: Any, check: Callable[[], None]) -> None:
    work()
    line = 1
    while interrupted_at(line, work, file):
        check()
        line += 1
    assert line > 2


def test_a_queue() -> None:
    queue = tf.FIFOQueue(100, [tf.int32])
    put, got, size = queue.enqueue([7]), queue.dequeue(), queue.size()
    with tf.Session() as sess:

        def check() -> None:
            assert in_a_thread(lambda: sess.run(put)) is None
            count = in_a_thread(lambda: sess.run(size))
            assert count in (1, 2)
            for _ in range(count):
                assert in_a_thread(lambda: sess.run(got)) == 7

        at_every_line(lambda: (sess.run(put), sess.run(got)), store.__file__, check)


def test_an_iterator() -> None:
    iterator = tf.data.make_initializable_iterator(tf.data.Dataset.range(10**9))
    element, timed = iterator.get_next(), tf.RunOptions(timeout_in_ms=20_000)
    with tf.Session() as sess:
        sess.run(iterator.initializer)
        met = [-1]

        def check() -> None:
            found = in_a_thread(lambda: sess.run(element))
            assert found > met[-1]
            met.append(int(found))

        at_every_line(lambda: sess.run(element, options=timed), iterator_ops.__file__, check)


def test_a_run_in_time() -> None:
    v = tf.Variable(1.0)
    timed = tf.RunOptions(timeout_in_ms=20_000)
    with tf.Session() as sess:
        sess.run(v.initializer)

        def check() -> None:
            assert in_a_thread(lambda: sess.run(v)) == 1.0

        at_every_line(lambda: sess.run(v + 0.0, options=timed), runtime.__file__, check)


def test_asking_for_an_optimised_version() -> None:
    background = tiers.Background()

    def check() -> None:
        assert in_a_thread(lambda: background.ask(lambda: True, 0.0)) is None
        assert in_a_thread(lambda: background.wait(20))

    at_every_line(lambda: background.ask(lambda: True, 0.0), tiers.__file__, check)


def test_the_collector() -> None:
    def work() -> None:
        with collector.no_collections():
            pass

    def check() -> None:
        assert gc.isenabled()

    try:
        at_every_line(work, collector.__file__, check)
    finally:
        gc.enable()


def test_a_module_that_is_loaded_when_it_is_needed(tmp_path: Path, monkeypatch: Any) -> None:
    text = "import signal\nsignal.raise_signal(signal.SIGINT)\nvalue = 7\n"
    (tmp_path / "loaded_later.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        later(__name__, "it", {"it": "loaded_later:value"})
    assert sys.modules.pop("loaded_later").value == 7


# --- no code of the program in blocks of LLVM -----------------------------------------------


def test_handlers_and_the_collector_wait_for_llvm() -> None:
    """llvmlite's lock is held: a handler that waits for a Session would wait for a thread that
    waits for the lock."""
    seen: list[Any] = []

    def handler(number: int, frame: Any) -> None:
        seen.append(number)
        if len(seen) == 2:
            raise InterruptedError

    numbers = signal.SIGUSR1, signal.SIGALRM
    before = [signal.signal(number, handler) for number in numbers]
    try:
        with pytest.raises(InterruptedError), InsideLLVM():
            with InsideLLVM():
                assert not gc.isenabled()
                signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGALRM)
            assert not seen and not gc.isenabled()
        assert seen == list(numbers)
        end = time.monotonic() + 20
        while not gc.isenabled() and time.monotonic() < end:
            time.sleep(0.001)  # the thread that optimises first versions may be inside still
        assert gc.isenabled()
        with InsideLLVM(raises=False):
            signal.raise_signal(signal.SIGUSR1)
            assert len(seen) == 2
        end = time.monotonic() + 20
        while len(seen) < 3 and time.monotonic() < end:
            time.sleep(0.001)
        assert seen[2:] == [signal.SIGUSR1]
        assert [signal.getsignal(number) for number in numbers] == [handler] * 2
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)
