"""Ctrl-C between any two lines of Python: what a loop did is counted, what it took is used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc.base.uninterrupted import GRACE, Uninterrupted, is_waiting
from tfc.client import loop_plan

pytestmark = [
    pytest.mark.usefixtures("fresh_graph"),
    pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="needs the main thread"
    ),
]

HOME = Path(tf.__file__).parent
TRACED = [str(HOME / part) for part in ("client", "ops/datasets", "compiler.py")]
TRIALS = 40


def at(seconds: float) -> None:
    threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]).start()


# --- the block itself -----------------------------------------------------------------------


def test_the_signal_waits_for_the_end() -> None:
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt):
        with Uninterrupted():
            assert not is_waiting()
            signal.raise_signal(signal.SIGINT)
            with Uninterrupted():
                done.append(is_waiting())
            done.append("outer")
        done.append("never")
    assert done == [True, "outer"] and signal.getsignal(signal.SIGINT) is before


def test_an_error_of_the_block_gives_way() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, Uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise KeyError("lost")
    assert isinstance(caught.value.__context__, KeyError)
    with pytest.raises(KeyError), Uninterrupted():
        raise KeyError("kept")


@pytest.mark.parametrize("sleeps", (True, False))
def test_it_waits_no_longer_than_its_grace(sleeps: bool) -> None:
    start, before = time.perf_counter(), signal.getsignal(signal.SIGINT)
    at(0.05)
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        time.sleep(20 if sleeps else 0)
        while True:  # a loop that passes is in no block for Python 3.13 as it jumps back
            assert time.perf_counter() - start < 20
    assert time.perf_counter() - start < 5 and signal.getsignal(signal.SIGINT) is before
    time.sleep(0.1)  # and there is no second one


def test_a_second_signal_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("not reached")
    time.sleep(0.1)


def test_the_signal_comes_while_a_thread_is_started() -> None:
    """Whose locks the main thread holds then."""
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), Uninterrupted(), threading._active_limbo_lock:
        signal.raise_signal(signal.SIGINT)
        time.sleep(20)
    assert time.perf_counter() - start < 5


def test_other_handlers() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []
    try:
        signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
        with Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == ["mine"]
        with Uninterrupted():  # who sets another one in it keeps it
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        with Uninterrupted():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    inside: list[Any] = []

    def work() -> None:
        with Uninterrupted():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


# --- at every place of a loop ---------------------------------------------------------------


def interrupted_at(line: int, work: Callable[[], Any]) -> tuple[Any, bool]:
    """The LoopResult of `work` with Ctrl-C when it comes to that many lines of Python of ours, and
    whether it came so far."""
    left = line

    def local(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if not left:
                sys.settrace(None)
                frame.f_trace = None
                signal.raise_signal(signal.SIGINT)
        return local

    def trace(frame: Any, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(tuple(TRACED)) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = work()
    except KeyboardInterrupt as error:
        found = getattr(error, "result", None)
    finally:
        sys.settrace(before)
    return found, left <= 0


@pytest.mark.parametrize("kind", ("per_step", "batches", "iterator"))
def test_ctrl_c_anywhere(kind: str, monkeypatch) -> None:
    for name, value in (("ROW_BYTES", 200), ("MOST_ROWS", 4), ("TABLE_BYTES", 200)):
        monkeypatch.setattr(loop_plan, name, value)
    v, steps = tf.Variable(0), 20 if kind != "iterator" else 5
    x: Any = tf.placeholder(tf.int64, [3])
    batches = tf.Batches({x: np.arange(7)}, 3, seed=1)
    rows = np.arange(3 * steps).reshape(steps, 3)
    feeds: dict[str, Any] = {"per_step": {x: rows}} if kind == "per_step" else {"data": batches}
    if kind == "iterator":
        dataset = tf.data.Dataset.range(10**9).map(lambda i: i + 0).batch(3)
        iterator = tf.data.make_one_shot_iterator(dataset)
        x, feeds = iterator.get_next(), {"data": iterator}
    w = tf.Variable(tf.zeros([3], tf.int64))
    fetches = [v.assign_add(1), w.assign(x)]
    with tf.Session() as sess:
        sess.run([v.initializer, w.initializer])

        def loop() -> Any:
            return sess.run_loop(fetches, steps, **feeds)

        loop()  # compiles
        lines, random = 0, np.random.default_rng(1)
        order = [random.permutation(7)[:6].reshape(2, 3) for _ in range(1000)]
        wanted = np.concatenate(order) if kind == "batches" else np.arange(3000).reshape(-1, 3)
        place = int(sess.run(v))  # elements that were used
        inside, stride = True, {"per_step": 31, "batches": 53, "iterator": 59}[kind]
        while inside:
            lines += stride
            before = int(sess.run(v))
            result, inside = interrupted_at(lines, loop)
            after = int(sess.run(v))
            place += after - before
            if result is not None:
                assert result.steps == after - before
                if result.values[0] is not None:
                    assert result.values[0].tolist() == [*range(before + 1, after + 1)]
            if after > before:
                last = rows[after - before - 1] if kind == "per_step" else wanted[place - 1]
                assert sess.run(w).tolist() == last.tolist()
            if kind == "batches":
                assert batches.peek(1).tolist() == [wanted[place].tolist()]
            elif kind == "iterator":
                assert sess.run(x).tolist() == wanted[place].tolist()
                place += 1
        assert lines > TRIALS / 2 * stride


def test_what_an_iterator_takes_of_its_source_is_not_lost() -> None:
    """Ctrl-C in the middle of a batch: the next batch begins where it would."""
    interrupting = [True]

    def function(i: Any) -> Any:
        if i == 4 and interrupting:
            interrupting.clear()
            signal.raise_signal(signal.SIGINT)
        return i

    dataset = tf.data.Dataset.range(30).map(lambda i: tf.py_func(function, [i], tf.int64)).batch(3)
    element = tf.data.make_one_shot_iterator(dataset).get_next()
    with tf.Session() as sess:
        assert sess.run(element).tolist() == [0, 1, 2]
        with pytest.raises(KeyboardInterrupt):
            sess.run(element)
        assert sess.run(element).tolist() == [6, 7, 8]


def test_ctrl_c_in_the_compiler() -> None:
    """Anywhere in llvmlite, which frees a string twice when it is broken there."""
    program = """
        import signal, sys
        import tfc as tf

        sess, left = tf.Session(), 0
        number = tf.constant(0.5)
        sess.run(number)

        def local(frame, event, _):
            global left
            if event == "line":
                left -= 1
                if not left:
                    sys.settrace(None)
                    signal.raise_signal(signal.SIGINT)
            return local

        def trace(frame, event, _):
            return local if "llvmlite" in frame.f_code.co_filename else None

        lost, line, ended = [], 0, False
        sys.unraisablehook = lambda what: lost.append(what.exc_value)
        while not ended:
            line += 23
            left = line
            fetch = number * (2.0 + line)
            sys.settrace(trace)
            try:
                sess.run(fetch)
                ended = left > 0
                assert ended, line
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(None)
            assert sess.run(fetch) == 0.5 * (2.0 + line)
        print(line > 10 * 23, lost)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(HOME.parent), "TFC_CACHE": "off", "TFC_TIERS": "0"},
    )
    assert (done.returncode, done.stdout) == (0, "True []\n"), done.stderr


def test_a_firm_block_in_another_one() -> None:
    """What has waited for its grace waits for the end of the inner block, and no longer."""
    done = []
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        with Uninterrupted(None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            time.sleep(2 * GRACE)
            done.append("inner")
        done.append("never")
    assert done == ["inner"]


def test_a_block_of_a_finalizer_sends_the_signal_again() -> None:
    class Finalized:
        def __del__(self) -> None:
            with Uninterrupted(None, raises=False):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Finalized()
        time.sleep(20)
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        Finalized()
        assert is_waiting()
