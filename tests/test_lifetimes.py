"""What native code has the address of stays where it is, whatever runs in between: handlers of
signals, finalizers, other threads, Ctrl-C between any two steps."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import known, native_runs, outcome
from tests.test_uninterrupted import interrupted_at
from tfc.client import fast_run, interrupt, plan, run_loop, state
from tfc.codegen import kernels, module, native, native_rt
from tfc.codegen.dispatch.layout import Entry, Table, Watch
from tfc.codegen.target import host

pytestmark = pytest.mark.usefixtures("fresh_graph")
ROOT = Path(__file__).resolve().parent.parent
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


def test_finalizers_of_the_program_run_code_that_is_garbage_with_them() -> None:
    """Of what is garbage, the collector calls what waits for weak references, then finalizers."""
    code = native.compile_object("define i32 @f() {\nret i32 7\n}", host(), {})
    found = []

    class Holder:
        def __init__(self) -> None:
            self.library, self.me = native.load([code], ["f"], {}), self

        def __del__(self) -> None:
            found.append(ctypes.CFUNCTYPE(ctypes.c_int)(self.library.addresses["f"])())

    Holder()
    gc.collect()
    assert found == [7]


def test_threads_compile_while_others_look_for_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of kernels changes while a thread goes through it."""
    library = native.Library({}, np.empty(0))
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


# --- finalizers in native dispatch ----------------------------------------------------------


@pytest.mark.parametrize("what", ["closes", "assigns", "takes the feed"])
def test_a_finalizer_while_native_dispatch_makes_a_large_result(what: str) -> None:
    """numpy's memory handler is the value of a context variable: setting it makes objects, which
    may start a collection of garbage."""
    n = 3_000_000
    v, x = tf.Variable(tf.ones([n])), tf.placeholder(tf.float32, [n])
    y = v * 2.0 + x
    shorter = tf.assign(v, tf.ones([3]), validate_shape=False)
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(shorter.op)
        sess.run(v.initializer)
        feed = {x: np.full(n, 5.0, np.float32)}
        known(sess, lambda: sess.run(y, feed))
        held = []

        class Finalized:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                held.append(1)
                if what == "closes":
                    sess.close()
                elif what == "assigns":
                    sess.run(shorter.op)
                else:
                    feed[x] = 0

        thresholds, work = gc.get_threshold(), functools.partial(sess.run, y, feed)
        gc.collect()
        gc.disable()
        try:
            Finalized()
            gc.set_threshold(1, 1, 1)
            gc.enable()
            found = outcome(work)  # makes nothing that the collector knows
        finally:
            gc.set_threshold(*thresholds)
            gc.enable()
        gc.collect()
        assert held
        assert what != "takes the feed" or isinstance(found, np.ndarray)
        if isinstance(found, np.ndarray):
            assert (found == 7.0).all()
        else:
            assert found[0] in (RuntimeError, tf.errors.InvalidArgumentError), found


# --- locks ----------------------------------------------------------------------------------


def test_what_runs_while_the_pool_is_made_may_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make, asked = native_rt._make_pool, []

    def asking(objects: Any) -> Any:
        if not asked:
            asked.append(1)
            asked.append(native_rt.the_pool())
        return make(objects)

    monkeypatch.setattr(native_rt, "_pools", [])
    monkeypatch.setattr(native_rt, "_make_pool", asking)
    thread = threading.Thread(target=lambda: asked.append(native_rt.the_pool()), daemon=True)
    thread.start()
    thread.join(30)
    assert len(asked) == 3 and asked[1] is asked[2]


def test_a_callable_that_is_made_while_the_session_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    x = tf.placeholder(tf.float32, [])
    sess = tf.Session()
    made = [sess.make_callable(x + 1.0, [x]) for _ in range(3)]
    clear = fast_run.FastRuns.clear

    def making(self: Any) -> None:
        sess._callables.add(fast_run.FastRuns(sess.graph, sess._runtime, lambda: False))
        clear(self)

    monkeypatch.setattr(fast_run.FastRuns, "clear", making)
    sess.close()
    assert len(made) == 3


def test_no_flag_is_set_that_is_no_longer_there() -> None:
    """The call that a signal is to end may have ended when the signal is looked at."""
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(lambda z: z < x, lambda z: z + 1.0, [0.0])
    with tf.Session() as sess:
        known(sess, lambda: sess.run(y, {x: 3.0}))  # somebody reads the signals
        other, record = ctypes.c_int32(0), interrupt._record
        before = signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            known(sess, lambda: sess.run(y, {x: 3.0}))
            fd = signal.set_wakeup_fd(interrupt._watch()._writer, warn_on_full_buffer=False)
            record[Watch.RUNNING] = ctypes.addressof(other)
            signal.raise_signal(signal.SIGUSR1)
            time.sleep(0.2)
        finally:
            record[Watch.RUNNING] = 0
            signal.set_wakeup_fd(fd)
            signal.signal(signal.SIGUSR1, before)
        assert other.value == 0


# --- the end of the process, and its children -----------------------------------------------

PROGRAM = """
import atexit, ctypes, faulthandler, os, signal, sys, threading, time
faulthandler.dump_traceback_later(60, exit=True)

libc = ctypes.CDLL(None)
libc.__cxa_atexit(libc.getchar, None, None)  # after the destructors of libraries that come later

@atexit.register
def last():  # after what is registered later
    print(compiled(100_000) if said else "ends", flush=True)

import numpy as np
import tfc as tf

said = []
count = iter(range(10**9))

def compiled(k):
    with tf.Graph().as_default() as graph:
        y = x = tf.placeholder(tf.float32, [None])
        for j, of in enumerate((tf.lgamma, tf.erf, tf.sin, tf.digamma, tf.tanh, tf.exp) * 4):
            y = of(y) * (k + j + 0.5)  # a kernel of much text
        return tf.Session(graph=graph).run(y, {x: np.zeros(3)}).shape[0]

def compiling():
    while True:
        compiled(next(count))

for _ in range(3):
    threading.Thread(target=compiling, daemon=True).start()
"""


def ended(end: str) -> tuple[int, str]:
    """How a process ends, and what it prints."""
    program = PROGRAM + textwrap.dedent(end)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TFC_CACHE": "off", "TFC_TIERS": "0"}
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env) as process:
        said = process.stdout.readline()
        time.sleep(0.2)  # other threads go on until there is something to read
        process.communicate(timeout=120)
    return process.returncode, said


def test_a_process_ends_while_other_threads_compile() -> None:
    assert ended("time.sleep(0.4)") == ended("time.sleep(0.5)") == (0, "ends\n")
    assert ended("time.sleep(0.45); said.append(1)") == (0, "3\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_is_forked_while_other_threads_compile() -> None:
    found = ended("""
        time.sleep(0.4)
        for k in range(8):
            time.sleep(0.003 * k)
            child = os.fork()
            if not child:
                signal.alarm(20)
                compiled(200_000 + k)
                os._exit(0)
            if status := os.waitpid(child, 0)[1]:
                print(status)
                break
        os._exit(0)
        """)
    assert found == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_session_that_another_thread_ran_is_closed_in_a_child() -> None:
    v, steps = tf.Variable(0), tf.placeholder(tf.int32, [])
    turns = tf.while_loop(lambda i: i < steps, lambda i: i + 1, [v + 0])
    endless = tf.while_loop(lambda z: z > 0.0, lambda z: tf.sqrt(z), [tf.cast(v, tf.float32) + 2.0])
    with tf.Session() as sess, tf.Session() as other:
        for each in (sess, other):
            each.run(v.initializer)
            each.run(turns, {steps: 3})
        thread = threading.Thread(target=lambda: outcome(lambda: sess.run(endless)))
        thread.start()
        while sess._runtime.lock.acquire(blocking=False):
            sess._runtime.lock.release()
        child = os.fork()
        if not child:
            signal.alarm(20)
            good = other.run(turns, {steps: 5}) == 5
            kind, text = outcome(lambda: sess.run(v))
            os._exit(0 if good and kind is tf.errors.CancelledError and "forked" in text else 1)
        status = os.waitpid(child, 0)[1]
        sess.close()
        thread.join()
        assert status == 0


def test_threads_write_more_kernels_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MOST_WRITTEN", 1)
    monkeypatch.setattr(kernels, "_written", {})
    monkeypatch.setattr(kernels, "write_stages", lambda op, target: [op])
    monkeypatch.setattr(kernels, "kernel_key", lambda op, apart_from: op)
    wrong: list[Any] = []

    def work(first: int) -> None:
        try:
            for n in range(20_000):
                assert kernels.kernel_stages(first + n % 7, host()) == [first + n % 7]  # type: ignore
        except BaseException as error:
            wrong.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(10 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


# --- imports --------------------------------------------------------------------------------


@pytest.mark.parametrize("file, line", [("prims/elementwise.py", 100), ("source_ops.py", 100)])
def test_what_ctrl_c_ends_can_be_imported_again(file: str, line: int) -> None:
    """Also what is imported when it is first used, by a statement in a function."""
    program = f"""
import signal, sys

def trace(frame, event, arg):
    if not frame.f_code.co_filename.endswith({file!r}):
        return None
    if frame.f_lineno > {line}:
        sys.settrace(None)
        signal.raise_signal(signal.SIGINT)
    return trace

sys.settrace(trace)
try:
    import tfc
    import tfc.client.pipeline
except KeyboardInterrupt:
    print("ended")
import tfc as tf
import tfc.client.pipeline
element = tf.data.Dataset.from_tensor_slices([1, 2]).make_one_shot_iterator().get_next()
with tf.Session() as sess:
    print(sess.run(element + 1))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "ended\n2\n", done.stderr
