"""What ends native loops before their time: Ctrl-C, time limits, Session.close.

Programs that get signals run in a process of their own. Times allow for a busy machine: a loop that
nothing ends would run for hours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import tfc as tf

ROOT = Path(__file__).resolve().parent.parent
SOON = 2.0  # seconds; it takes a millisecond where the machine is idle
HEAD = """
import os, signal, threading, time
import numpy as np
import tfc as tf

def at(seconds, number=signal.SIGINT):
    def kill():
        global sent
        sent = time.perf_counter()
        os.kill(os.getpid(), number)
    threading.Timer(seconds, kill).start()

def soon():
    return time.perf_counter() - sent < 2

def endless(x):
    return tf.while_loop(lambda z: tf.reduce_all(z > 0.0), lambda z: z + 1.0, [x])

sess = tf.Session()
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shape", ([], [1000]), ids=("registers", "memory"))
def test_ctrl_c_ends_a_native_loop(shape: list[int]) -> None:
    program = f"""
        v = tf.Variable(tf.ones({shape}))
        sess.run(v.initializer)
        with tf.control_dependencies([v.assign_add(tf.ones({shape}))]):
            y = endless(v + 0.0)
        for _ in range(3):
            at(0.3)
            try:
                sess.run(y)
            except KeyboardInterrupt:
                print(soon(), sess.run(v).max())
    """
    assert run(program) == "True 1.0\n" * 3


@pytest.mark.parametrize("shape", ([], [1000]), ids=("registers", "memory"))
def test_ctrl_c_in_run_loop_leaves_a_whole_step(shape: list[int]) -> None:
    program = f"""
        v, w = (tf.Variable(tf.zeros({shape}, tf.float64)) for _ in range(2))
        sess.run([v.initializer, w.initializer])
        up = v.assign_add(tf.ones({shape}, tf.float64))
        fetches = [w.assign(up * 3.0).op, tf.reduce_max(up)]
        sess.run_loop(fetches, 3, every=1000)  # compiles
        sess.run([v.initializer, w.initializer])
        at(0.5)
        try:
            sess.run_loop(fetches, 10**9, every=1000)
        except KeyboardInterrupt as stop:
            r = stop.result
            a, b = sess.run([v, w])
            print(soon(), r.steps > 0, (a == r.steps).all(), (b == 3 * a).all(), r.stopped)
            print(len(r.values[1]) == r.steps // 1000)
    """
    assert run(program) == "True True True True error\nTrue\n"


def test_a_handler_that_raises_nothing_lets_the_run_go_on() -> None:
    program = """
        n = tf.placeholder(tf.int64, [])
        turns = tf.while_loop(lambda i: i < n, lambda i: i + 1, [tf.constant(0, tf.int64)])
        v = tf.Variable(0)
        sess.run(v.initializer)
        caught = []
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, lambda *_: caught.append(time.perf_counter() - sent < 2))
        sess.run(turns, {n: 10})
        count = 10**9
        at(0.1); at(0.2, signal.SIGUSR1); at(0.25, signal.SIGUSR1)
        print(sess.run(turns, {n: count}) == count)
        at(0.1); at(0.2, signal.SIGUSR1)
        print(sess.run_loop(v.assign_add(1), count, every=count).values[0] == count)
        print(len(caught) >= 4 and all(caught[:2]))
    """
    assert run(program) == "True\nTrue\nTrue\n"


def test_other_signals_and_other_threads() -> None:
    program = """
        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm

        y = endless(tf.constant(1.0))
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            sess.run(y)
        except Alarm:
            print("alarm")

        def work():
            try:
                sess.run(y)
            except tf.errors.CancelledError as error:
                print(error.message)
            ended.set()

        ended = threading.Event()
        threading.Thread(target=work).start()
        at(0.2)
        try:
            ended.wait()
        except KeyboardInterrupt:
            print("the main thread", soon())
        sess.close()
        ended.wait()
    """
    assert run(program) == "alarm\nthe main thread True\nSession has been closed.\n"


def test_the_wakeup_fd_of_others_is_left_to_them() -> None:
    program = """
        import socket
        mine, theirs = socket.socketpair()
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        y = endless(tf.constant(1.0))
        at(0.2)
        try:
            sess.run(y)
        except KeyboardInterrupt:
            print(soon())
        mine.settimeout(5)
        print(mine.recv(1)[0] == signal.SIGINT, signal.set_wakeup_fd(-1) == theirs.fileno())
    """
    assert run(program) == "True\nTrue True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ctrl_c_in_a_forked_child() -> None:
    program = """
        y = endless(tf.constant(1.0))
        at(0.2)
        try:
            sess.run(y)
        except KeyboardInterrupt:
            print(soon(), flush=True)
        child = os.fork()
        if child == 0:
            at(0.2)
            try:
                sess.run(y)
            except KeyboardInterrupt:
                os._exit(7 if soon() else 8)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run(program) == "True\n7\n"


# --- time limits, and closing ---------------------------------------------------------------


def endless() -> tf.Tensor:
    return tf.while_loop(lambda z: z > 0.0, lambda z: z + 1.0, [tf.constant(1.0)])


@pytest.mark.usefixtures("fresh_graph")
def test_time_limits() -> None:
    y = endless()
    limited = tf.RunOptions(timeout_in_ms=100)
    with tf.Session() as sess:
        start = time.perf_counter()
        with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out"):
            sess.run(y, options=limited)
        call = sess.make_callable(y, accept_options=True)
        with pytest.raises(tf.errors.DeadlineExceededError):
            call(options=limited)
        assert sess.run(tf.constant(1), options=limited) == 1
        with pytest.raises(TypeError, match=r"must be a tf\.RunOptions"):
            sess.run(y, options={"timeout_in_ms": 100})
    with tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=100)) as sess:
        with pytest.raises(tf.errors.DeadlineExceededError):
            sess.run(y)
        assert sess.run(tf.constant(1)) == 1
    assert time.perf_counter() - start < SOON + 0.3


@pytest.mark.usefixtures("fresh_graph")
def test_a_time_limit_ends_host_stages_and_driven_loops() -> None:
    v = tf.Variable(0)
    nap = tf.py_func(lambda: time.sleep(0.15) or np.int32(1), [], tf.int32)
    with tf.control_dependencies([nap]):
        late = v.assign_add(1)
    driven = tf.while_loop(
        lambda z: tf.size(z) > 0,
        lambda z: tf.concat([z, z[:1]], 0)[1:],
        [tf.py_func(lambda: np.ones(3, np.int32), [], tf.int32)],
        shape_invariants=[tf.TensorShape(None)],
    )
    limited = tf.RunOptions(timeout_in_ms=100)
    with tf.Session() as sess:
        sess.run(v.initializer)
        for fetch in (late, driven):
            with pytest.raises(tf.errors.DeadlineExceededError):
                sess.run(fetch, options=limited)
        assert sess.run(v) == 0


@pytest.mark.usefixtures("fresh_graph")
def test_a_run_that_took_too_long_is_an_error_in_the_end() -> None:
    """Where nothing looks at the time before, as in TensorFlow."""
    v = tf.Variable(0)
    nap = tf.py_func(lambda: time.sleep(0.05) or np.int32(1), [], tf.int32)
    limited = tf.RunOptions(timeout_in_ms=20)
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out"):
            sess.run(nap, options=limited)
        assert sess.run(nap, options=tf.RunOptions(timeout_in_ms=20_000)) == 1


@pytest.mark.usefixtures("fresh_graph")
def test_a_time_limit_ends_waiting_for_another_thread() -> None:
    v = tf.Variable(1.0)
    y = tf.while_loop(lambda z: z > 0.0, lambda z: z + 1.0, [v + 0.0])
    sess = tf.Session()
    sess.run(v.initializer)

    def work() -> None:
        with pytest.raises(tf.errors.CancelledError):
            sess.run(y)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    start = time.perf_counter()
    with pytest.raises(tf.errors.DeadlineExceededError):
        sess.run(v.assign_add(1.0), options=tf.RunOptions(timeout_in_ms=100))
    assert time.perf_counter() - start < SOON
    sess.close()
    thread.join()


@pytest.mark.usefixtures("fresh_graph")
def test_closing_a_session_ends_its_loops() -> None:
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign_add(1.0)]):
        y = tf.while_loop(lambda z: z > 0.0, lambda z: z + 1.0, [v + 0.0])
    sess = tf.Session()
    sess.run(v.initializer)
    found: list[BaseException] = []

    def work() -> None:
        try:
            sess.run(y)
        except tf.errors.CancelledError as error:
            found.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    start = time.perf_counter()
    sess.close()
    for thread in threads:
        thread.join(timeout=30)
    assert time.perf_counter() - start < SOON
    assert [type(e) for e in found] == [tf.errors.CancelledError] * 2
