"""What native code has the address of stays where it is, whatever runs in between: handlers of
signals, finalizers, other threads, Ctrl-C between any two steps."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import known, native_runs
from tests.test_uninterrupted import interrupted_at
from tfc.client import fast_run, plan, run_loop, state
from tfc.codegen import module, native
from tfc.codegen.dispatch.layout import Entry, Table

pytestmark = pytest.mark.usefixtures("fresh_graph")
SIZE = 1_000_000  # numbers of a variable whose memory goes back to the system


@contextmanager
def alarm(handler: Callable[[], Any]) -> Iterator[None]:
    """A signal in a moment, with this handler."""
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- handlers and finalizers that change what a run has begun with --------------------------


@pytest.mark.parametrize("what", ["closes", "assigns"])
def test_a_handler_in_the_middle_of_a_native_loop(what: str) -> None:
    """The loop is left for the handler, and entered again: not with the memory of before."""
    v, steps = tf.Variable(tf.ones([SIZE])), tf.placeholder(tf.int32, [])
    _, one = tf.while_loop(lambda i, z: i < steps, lambda i, z: (i + 1, tf.sqrt(z)), [0, 1.0])
    y = tf.reduce_sum(v * one)
    shorter = tf.assign(v, tf.ones([3]), validate_shape=False)
    with tf.Session() as sess:
        sess.run(v.initializer)
        seen = []

        def handler() -> None:
            if not seen:
                sess.close() if what == "closes" else sess.run(shorter.op)
            seen.append(1)

        feed = 10_000_000
        while not seen:
            feed *= 4
            with alarm(handler):
                if what == "closes":
                    with pytest.raises((tf.errors.CancelledError, RuntimeError)):
                        while True:
                            sess.run(y, {steps: feed})
                else:
                    found = sess.run(y, {steps: feed})
                    assert found == (3.0 if seen else SIZE)


@pytest.mark.parametrize("what", ["closes", "assigns"])
@pytest.mark.parametrize("kind", ["run", "run_loop"])
def test_something_runs_while_a_call_is_prepared(
    kind: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When addresses are collected the Session's lock is held; who comes in the same thread has
    it too."""
    v, x = tf.Variable(tf.ones([SIZE])), tf.placeholder(tf.float32, [])
    step = v.assign_add(tf.fill([SIZE], x)) if kind == "run_loop" else tf.reduce_sum(v * x)
    shorter = tf.assign(v, tf.ones([3]), validate_shape=False)
    where = plan if kind == "run" else run_loop
    address_of = where.address_of
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(shorter.op)
        sess.run(v.initializer)
        work = {
            "run": lambda: sess._run(step, {x: 2.0}),
            "run_loop": lambda: sess.run_loop(step.op, 2, {x: 2.0}).steps,
        }[kind]
        work()
        done = False

        def meanwhile(array: np.ndarray) -> int:
            nonlocal done
            if not done:
                done = True
                sess.close() if what == "closes" else sess.run(shorter.op)
            return address_of(array)

        monkeypatch.setattr(where, "address_of", meanwhile)
        try:
            assert work() == (2 if kind == "run_loop" else 2.0 * SIZE)
        except (tf.errors.CancelledError, tf.errors.InvalidArgumentError, RuntimeError) as error:
            assert kind == "run_loop", error
        assert done


def test_a_type_seen_in_the_middle_of_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that looks for a stage without the lock sees a variable's old type, and the new
    generation; that is not what the next run takes for true."""
    v = tf.Variable(tf.ones([SIZE]))
    y = v * 2.0
    shorter = tf.assign(v, tf.ones([3]), validate_shape=False)
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess._run(y)
        ((_, mine),) = [(k, p) for k, p in sess._plans.items() if p.tensors == [y]]

        class Seen(state.Buffer):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                mine.stage_of(sess._runtime, {})

        monkeypatch.setattr(state, "Buffer", Seen)
        sess._run(shorter.op)
        assert sess._run(y).tolist() == [2.0] * 3


# --- Ctrl-C in the middle of bookkeeping ----------------------------------------------------


def check_chain(entries: fast_run.FastRuns) -> None:
    """What native code walks through is held."""
    held = {entry.address: entry.record for entry in entries._entries.values()}
    address, met = int(entries.table[Table.FIRST]), set[int]()
    while address:
        assert address in held and address not in met
        met.add(address)
        address = int(held[address][Entry.NEXT])


def test_ctrl_c_while_entries_are_made_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_run, "MOST_ENTRIES", 3)
    monkeypatch.setattr(fast_run, "MOST_OFFERS", 1 << 30)
    monkeypatch.setattr("tests.test_uninterrupted.TRACED", [fast_run.__file__])
    x = tf.placeholder(tf.float32, [None])
    y = x + 1.0
    with tf.Session() as sess:
        values = [np.ones(n, np.float32) for n in range(1, 7)]
        for value in values * 3:
            sess.run(y, {x: value})
        line, reached = 0, True
        while reached:
            line, reached = line + 1, False
            for value in values * 2:
                _, inside = interrupted_at(line, lambda value=value: sess.run(y, {x: value}))
                reached |= inside
                check_chain(sess._fast)
                assert not sess._fast._lock.locked()
        assert line > 50
        assert known(sess, lambda: sess.run(y, {x: values[0]})).tolist() == [2.0]
        assert native_runs(sess) > 0


# --- tables that threads share --------------------------------------------------------------


def test_threads_compile_while_others_look_for_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of kernels changes while a thread goes through it."""
    library = native.Library({}, None)
    monkeypatch.setattr(native.Library, "__del__", lambda self: None)
    made, stop = {f"k{n}": library for n in range(2000)}, threading.Event()
    module._libraries.update(made)

    def work() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            module._libraries[f"more{n % 5000}"] = library
            module._libraries.pop(f"more{(n - 1000) % 5000}", None)

    before = sys.getswitchinterval()
    thread = threading.Thread(target=work)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for n in range(20):
            with tf.Graph().as_default(), tf.Session() as sess:
                x = tf.placeholder(tf.float32, [n + 1])
                assert sess.run(x * 3.0, {x: np.ones(n + 1)}).sum() == 3.0 * (n + 1)
    finally:
        sys.setswitchinterval(before)
        stop.set()
        thread.join()
        for name in [*made, *(k for k in list(module._libraries) if k.startswith("more"))]:
            module._libraries.pop(name, None)
