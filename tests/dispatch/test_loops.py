"""Functions with loops: native dispatch runs them, and what ends them still does."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import known, native_runs
from tests.test_interrupt import SOON, run
from tfc.codegen.dispatch.layout import Entry
from tfc.runtime import python_abi

LONG = 10**15
PROGRAM = """
        n = tf.placeholder(tf.int64, [])
        v = tf.Variable(tf.ones([100]))
        sess.run(v.initializer)
        with tf.control_dependencies([v.assign_add(tf.ones([100]))]):
            start = tf.to_int64(v[0]) * 0
        turns = tf.while_loop(lambda i: i < n, lambda i: i + 1, [start])

        def native():
            before = sess._fast.runs[0]
            for _ in range(3):
                sess.run(turns, {n: np.int64(5)})
            return sess._fast.runs[0] > before
"""


def turns_of(n: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda i: i < n, lambda i: i + 1, [tf.constant(0, tf.int64)])


def test_loops_run_natively() -> None:
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [3])
    last = tf.while_loop(lambda i, z: i < n, lambda i, z: (i + 1, z * 2 + x), [0, x])[1]
    with tf.Session() as sess:
        value = np.float32([1, 2, 3])
        got = known(sess, lambda: sess.run(last, {n: np.int32(2), x: value}))
        np.testing.assert_array_equal(got, value * 7)
        call = sess.make_callable(last, [n, x])
        got = known(sess, lambda: call(np.int32(3), value))
        np.testing.assert_array_equal(got, value * 15)


def test_ctrl_c_ends_a_native_run_again_and_again() -> None:
    program = """
        for _ in range(3):
            print(native())
            before = sess.run(v)[0]
            at(0.3)
            try:
                sess.run(turns, {n: np.int64(10**15)})
            except KeyboardInterrupt:
                print(soon(), sess.run(v)[0] == before)
    """
    assert run(PROGRAM + program) == "True\nTrue True\n" * 3


def test_a_handler_that_raises_nothing_lets_a_native_run_go_on() -> None:
    program = """
        caught = []
        signal.signal(signal.SIGUSR1, lambda *_: caught.append(int(sess.run(turns, {n: 7}))))
        print(native())
        count = np.int64(2 * 10**9)
        at(0.1, signal.SIGUSR1); at(0.2, signal.SIGUSR1)
        print(sess.run(turns, {n: count}) == count, caught)
    """
    assert run(PROGRAM + program) == "True\nTrue [7, 7]\n"


def test_a_handler_that_closes_the_session() -> None:
    program = """
        signal.signal(signal.SIGUSR1, lambda *_: sess.close())
        print(native())
        at(0.2, signal.SIGUSR1)
        try:
            sess.run(turns, {n: np.int64(10**15)})
        except RuntimeError as error:
            print(error, soon())
    """
    assert run(PROGRAM + program) == "True\nAttempted to use a closed Session. True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell what is mapped")
def test_the_place_of_the_wakeup_fd_is_found() -> None:
    pipes = [os.pipe() for _ in range(2)]
    ends = [end for _, end in pipes]
    for end in ends:
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(-1)
    try:
        address = python_abi.wakeup_fd_cell([*ends, *ends])
        assert address != 0
        cell = ctypes.c_int32.from_address(address)
        for fd in (ends[0], -1, ends[1]):
            signal.set_wakeup_fd(fd)
            assert cell.value == fd
    finally:
        signal.set_wakeup_fd(before)
        for end in (end for pipe in pipes for end in pipe):
            os.close(end)


def test_the_wakeup_fd_of_others_is_left_to_them() -> None:
    program = """
        import socket
        print(native())
        mine, theirs = socket.socketpair()
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        print(native())
        at(0.2)
        try:
            sess.run(turns, {n: np.int64(10**15)})
        except KeyboardInterrupt:
            print(soon())
        mine.settimeout(5)
        print(mine.recv(1)[0] == signal.SIGINT, signal.set_wakeup_fd(-1) == theirs.fileno())
    """
    assert run(PROGRAM + program) == "True\nFalse\nTrue\nTrue True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ctrl_c_in_a_forked_child() -> None:
    program = """
        print(native(), flush=True)
        child = os.fork()
        if child == 0:
            sess.run(turns, {n: np.int64(5)})  # there is nobody yet who reads the child's fd
            good = native()
            at(0.2)
            try:
                sess.run(turns, {n: np.int64(10**15)})
            except KeyboardInterrupt:
                os._exit(7 if soon() and good else 8)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run(PROGRAM + program) == "True\n7\n"


def test_closing_a_session_ends_native_runs_of_other_threads() -> None:
    n = tf.placeholder(tf.int64, [])
    turns = turns_of(n)
    sess = tf.Session()
    known(sess, lambda: sess.run(turns, {n: np.int64(5)}))
    found: list[BaseException] = []

    def work() -> None:
        try:
            sess.run(turns, {n: np.int64(LONG)})
        except tf.errors.CancelledError as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]  # native code runs one of them
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    begin = time.perf_counter()
    sess.close()
    for thread in threads:
        thread.join(timeout=30)
    assert time.perf_counter() - begin < SOON
    assert len(found) == 2
    with pytest.raises(RuntimeError, match="closed"):
        sess.run(turns, {n: np.int64(5)})


def test_a_finalizer_may_run_the_same_function() -> None:
    """Of a fed array, which nobody else holds when the run lets it go."""
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [2])
    last = tf.while_loop(lambda i, z: i < n, lambda i, z: (i + 1, z + x), [0, x])[1]
    sess = tf.Session()
    inner: list[np.ndarray] = []
    other = np.float32([3, 4])

    class Fed(np.ndarray):
        def __del__(self) -> None:
            inner.append(sess.run(last, {n: np.int32(1), x: other}))

    known(sess, lambda: sess.run(last, {n: np.int32(1), x: other}))
    before = sys.getrefcount(other)
    for _ in range(50):
        feeds = {n: np.int32(2), x: np.ones(2, np.float32)}
        base = np.ones(2, np.float32).view(Fed)
        feeds[x] = np.asarray(base)
        del base
        np.testing.assert_array_equal(sess.run(last, feeds), [3, 3])
        del feeds
    gc.collect()
    assert len(inner) == 50 and all((i == other * 2).all() for i in inner)
    inner.clear()
    assert sys.getrefcount(other) == before
    assert native_runs(sess) >= 50


def test_a_context_that_was_stopped_lives_as_long_as_an_entry_names_it() -> None:
    n = tf.placeholder(tf.int64, [])
    turns = turns_of(n)
    with tf.Session() as sess:
        known(sess, lambda: sess.run(turns, {n: np.int64(3)}))
        known(sess, lambda: sess.run(turns, {n.name: np.int64(3)}))
        (reference,) = sess._runtime.calls._lent
        reference().stop.set()
        known(sess, lambda: sess.run(turns, {n: np.int64(3)}))  # with another context
        gc.collect()
        named = [entry.record[Entry.CONTEXT] for entry in sess._fast._entries.values()]
        assert len(set(named)) == 2 and reference().record.ctypes.data in named
        assert sess.run(turns, {n.name: np.int64(4)}) == 4
