"""Ctrl-C between any two lines leaves no lock held that others wait for, and no state half way."""

from __future__ import annotations

import gc
import linecache
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tfc as tf
from tests.dispatch.common import outcome
from tfc import tiers
from tfc.base import collector
from tfc.client import runtime
from tfc.ops.datasets import iterator_ops
from tfc.ops.queues import store

pytestmark = pytest.mark.usefixtures("fresh_graph")
# Where a `finally` ends in a call of C, Python looks for signals after that call only; tracing
# would put one in front of it.
LAST = ("if got:", "self.lock.release()", "gc.enable()")


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
