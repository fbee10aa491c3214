"""First versions: compiled fast, optimised after the second run, and the same bits all along."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.codegen.run import place
from tfc import compiler, recall, tiers
from tfc import prims as p
from tfc.base.options import options
from tfc.cache import DiskCache, default_cache
from tfc.codegen import first, module, native
from tfc.codegen.entry import Entry
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type
from tfc.tiers import background

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def eager(fresh_graph: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every function has a first version, however little that saves, and no kernel is known."""
    monkeypatch.setattr(options, "tiers", 1)
    monkeypatch.setattr(options, "cache", "off")
    monkeypatch.setattr(first, "LEAST_SAVED", 0.0)
    monkeypatch.setattr(tiers, "WAIT_SECONDS", 0.01)
    forget(monkeypatch)
    yield
    assert background.wait()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been compiled in this process."""
    for name in ("_libraries", "_first_libraries"):
        monkeypatch.setattr(module, name, weakref.WeakValueDictionary())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskCache:
    monkeypatch.setattr(options, "cache", str(tmp_path))
    found = default_cache()
    assert found is not None
    return found


def make(extent: int = 40) -> Function:
    b = Builder("f")
    x = b.param(Type("f32", (extent,)))
    total = p.broadcast(b, p.reduce(b, x, dims=(0,), kind="add"), dims=(), shape=(extent,))
    return b.finish([p.add(b, p.tanh(b, x), p.mul(b, total, x))])


def run(executable: compiler.Executable, x: np.ndarray) -> bytes:
    out = np.zeros_like(x)
    executable([x.ctypes.data, out.ctypes.data], 1)
    return out.tobytes()


def names(store: DiskCache) -> set[str]:
    """The endings of what is stored of functions."""
    return {entry.path.suffix for entry in store.entries()}


X = np.linspace(-1, 1, 40, dtype="f")


def optimised_after(count: int) -> None:
    """Wait until that many more functions have been optimised than `count`."""
    assert background.wait() and background.counts.optimised == count


# -- one function -------------------------------------------------------------------------------
def test_the_second_run_has_a_function_optimised() -> None:
    before = background.counts.optimised
    executable = compiler.compile_function(make(), "f")
    hasty, code = executable.code, weakref.ref(executable.code.libraries[0])
    assert hasty.pending is not None and hasty.layout.fast == hasty.layout.defines
    expected = run(executable, X)
    optimised_after(before)
    assert executable.code is hasty
    assert run(executable, X) == expected
    optimised_after(before + 1)
    assert executable.code is not hasty and executable.code.pending is None
    assert hasty.later["emit"] > 0 and executable.optimise is None
    assert executable.code.layout.arena == hasty.layout.arena
    assert run(executable, X) == expected
    del hasty
    gc.collect()
    assert code() is None  # the first version's memory is free again


def test_the_option_says_whether_there_are_first_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "tiers", 0)
    assert compiler.compile_function(make(), "f").code.pending is None


def test_a_function_shares_the_kernels_of_a_first_version() -> None:
    before = background.counts.optimised
    one = compiler.compile_function(make(), "one")
    two = compiler.compile_function(make(), "two")
    assert two.code.compiled == 0 and two.code.pending is not None
    expected = run(one, X)
    assert run(two, X) == run(two, X) == expected
    optimised_after(before + 1)  # with a kernel that only the other has as text, and not optimised
    assert two.code.pending is None and set(two.code.layout.defines) == set(one.code.layout.defines)
    del one
    gc.collect()
    assert run(two, X) == expected
    three = compiler.compile_function(make(), "three")
    assert three.code.compiled == 0 and three.code.pending is None


def test_a_function_that_is_gone_is_not_optimised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "WAIT_SECONDS", 0.2)
    assert background.wait()
    counts = background.counts.optimised, background.counts.dropped
    executable = compiler.compile_function(make(), "f")
    run(executable, X), run(executable, X)
    del executable
    gc.collect()
    assert background.wait()
    assert (background.counts.optimised, background.counts.dropped) == (counts[0], counts[1] + 1)


def test_an_error_is_told_and_the_program_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = background.counts.failed
    executable = compiler.compile_function(make(), "f")

    def refuse(*_: object) -> None:
        raise RuntimeError("LLVM has no such instruction")

    monkeypatch.setattr(native, "compile_objects", refuse)
    monkeypatch.setattr(logging.getLogger("tfc"), "propagate", True)
    expected = run(executable, X)
    assert run(executable, X) == expected
    assert background.wait() and background.counts.failed == failed + 1
    assert "LLVM has no such instruction" in caplog.text
    assert executable.code.pending is not None and run(executable, X) == expected


# -- what is worth it ---------------------------------------------------------------------------
def choice(fn: Function, ns: float) -> list[bool]:
    entry = Entry(place(fn), host())
    entry.write()
    found = first.fast_kernels(entry, list(entry.stages), lambda op: ns)
    return [name in found for name in entry.stages]


def test_kernels_that_take_long_are_optimised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(choice(make(), 100.0))
    assert not any(choice(make(), 1e6))
    monkeypatch.setattr(first, "LEAST_SAVED", 1e9)
    assert not any(choice(make(), 100.0))


def test_loops_are_optimised_at_once_but_for_those_of_run_loop() -> None:
    seen: list[compiler.CompilationRecord] = []
    compiler.observers.append(seen.append)
    try:
        x, v = tf.placeholder(tf.float32, [8]), tf.Variable(tf.zeros([8]))
        step = tf.assign_add(v, tf.tanh(x) + v * 0.5)
        turns = tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.exp(-y)), [0, x])
        with tf.Session() as session:
            session.run(v.initializer)
            session.run(turns, {x: np.ones(8)})
            session.run(step, {x: np.ones(8)})
            session.run_loop(step, 3, {x: np.ones(8)})
    finally:
        compiler.observers.remove(seen.append)
    assert [record.code.pending is not None for record in seen] == [True, False, True, True]


# -- sessions -----------------------------------------------------------------------------------
def trained(tiered: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], int]:
    """The results of steps with variables and random numbers, through `run`, a callable and
    `run_loop`; and how many functions were optimised meanwhile."""
    tf.reset_default_graph()
    forget(monkeypatch)
    monkeypatch.setattr(options, "tiers", int(tiered))
    before = background.counts.optimised
    tf.set_random_seed(3)
    x = tf.placeholder(tf.float32, [6, 9])
    w = tf.Variable(tf.truncated_normal([9, 5], stddev=0.3))
    h = tf.nn.dropout(tf.nn.softmax(tf.matmul(x, w)), 0.5)
    loss = tf.reduce_mean(tf.square(h - 1.0))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    feed = {x: np.linspace(-1, 1, 54).reshape(6, 9)}
    found: list[bytes] = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        call = session.make_callable([train, loss, h], [x])
        for step in range(24):
            if step in (4, 16):  # before and after the second runs of `run` and of the callable
                assert background.wait()
            values = session.run([train, loss, h], feed) if step % 3 else call(feed[x])
            found += [values[1].tobytes(), values[2].tobytes()]
        for steps in (7, 300, 5):
            loop = session.run_loop([train, loss, h], steps, feed)
            found += [loop.values[1].tobytes(), session.run(w).tobytes()]
            assert background.wait()
        done = background.counts.optimised - before
    return found, done


def test_a_session_gives_the_same_bits_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, none = trained(False, monkeypatch)
    tiered, done = trained(True, monkeypatch)
    assert tiered == plain and none == 0 and done >= 2  # the step, and the loop of it


def test_python_dispatch_gives_the_same_bits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "fast_run", 0)
    plain, _ = trained(False, monkeypatch)
    tiered, done = trained(True, monkeypatch)
    assert tiered == plain and done >= 1


def test_driven_loops_and_functions_of_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    before = background.counts.optimised
    grown = tf.while_loop(  # of a shape that a turn decides: each region is a plan
        lambda i, y: i < 12,
        lambda i, y: (i + 1, tf.concat([y, tf.tanh(y[:1]) + 1.0], 0)),
        [0, tf.ones([1])],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    )[1]
    data = tf.data.Dataset.range(400).map(lambda n: tf.exp(-tf.cast(n, tf.float32) / 400.0))
    element = data.make_one_shot_iterator().get_next()
    with tf.Session() as session:
        for _ in range(3):
            expected = np.ones(1, "f")
            for _ in range(12):
                expected = np.concatenate([expected, np.tanh(expected[:1]) + 1])
            np.testing.assert_allclose(session.run(grown), expected, rtol=1e-6)
        values = []
        for n in range(400):
            values.append(session.run(element))
            if n == 50:
                assert background.wait()
        np.testing.assert_allclose(values, np.exp(-np.arange(400) / 400), rtol=1e-6)
    assert background.wait() and background.counts.optimised > before


@pytest.mark.parametrize("long", [False, True])
def test_threads_run_while_the_code_is_exchanged(
    long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(first, "NS_CHARACTER", 1e6)  # long as it is
    before = background.counts.optimised
    extent = 60_000 if long else 50  # native dispatch gives up the GIL, or does not
    x = tf.placeholder(tf.float32, [extent])
    y = tf.reduce_sum(tf.tanh(x) * 3.0) + tf.sin(x)
    given = np.linspace(-2, 2, extent, dtype="f")
    wrong: list[Any] = []
    with tf.Session() as session:
        expected = session.run(y, {x: given}).tobytes()
        until = time.monotonic() + 0.6

        def work() -> None:
            while time.monotonic() < until:
                if session.run(y, {x: given}).tobytes() != expected:
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong and background.wait() and background.counts.optimised > before


# -- the cache ----------------------------------------------------------------------------------
def test_a_stored_first_version_is_found_and_replaced(
    store: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = background.counts.optimised
    expected = run(compiler.compile_function(make(), "f"), X)
    assert names(store) >= {".o0", ".run0", ".ll0"} and ".run" not in names(store)
    forget(monkeypatch)
    again = compiler.compile_function(make(), "f")
    assert "emit_text" not in again.code.times and again.code.pending is not None
    assert run(again, X) == run(again, X) == expected
    optimised_after(before + 1)
    assert run(again, X) == expected and again.code.pending is None
    assert not names(store) & {".o0", ".run0", ".ll0"} and names(store) >= {".o", ".run"}
    forget(monkeypatch)
    third = compiler.compile_function(make(), "f")
    assert "emit_text" not in third.code.times and third.code.pending is None
    assert run(third, X) == run(third, X) == expected
    optimised_after(before + 1)


def test_the_optimised_version_is_preferred_whoever_left_it(
    store: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.compile_function(make(), "f")
    monkeypatch.setattr(options, "tiers", 0)
    forget(monkeypatch)
    made = compiler.compile_function(make(), "f")  # does not take the first version
    assert "emit_text" in made.code.times and made.code.pending is None
    monkeypatch.setattr(options, "tiers", 1)
    forget(monkeypatch)
    assert compiler.compile_function(make(), "f").code.pending is None


def test_without_its_texts_a_stored_first_version_is_forgotten(
    store: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert background.wait()  # for what other tests have left to do
    dropped = background.counts.dropped
    expected = run(compiler.compile_function(make(), "f"), X)
    for entry in store.entries():
        if entry.path.suffix == recall.TEXTS:
            entry.path.unlink()
    forget(monkeypatch)
    again = compiler.compile_function(make(), "f")
    assert run(again, X) == run(again, X) == expected
    assert background.wait() and background.counts.dropped == dropped + 1
    assert run(again, X) == expected and ".run0" not in names(store)


# -- the process --------------------------------------------------------------------------------
_PROGRAM = """
import os, sys, time
import numpy as np
import tfc as tf
from tfc import tiers
from tfc.codegen import first
from tfc.runtime import python_abi
first.LEAST_SAVED, tiers.WAIT_SECONDS, tiers.DISPATCH_WAIT_SECONDS = 0.0, 0.01, 0.02
x = tf.placeholder(tf.float32, [20, 30])
w = tf.Variable(tf.ones([30, 10]))
y = tf.nn.softmax(tf.matmul(tf.sin(x), w))
loss = tf.reduce_mean(tf.square(y - x[:, :10]))
train = tf.train.AdamOptimizer().minimize(loss)
session = tf.Session()
session.run(tf.global_variables_initializer())
feed = {x: np.linspace(0, 1, 600).reshape(20, 30)}
for _ in range(3):
    session.run([train, loss], feed)
"""


def start(end: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + end],
        env={**os.environ, "TFC_CACHE": "off", "TFC_TIERS": "1", **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_process_may_end_in_the_middle() -> None:
    for delays in ((0.0, 0.012), (0.02, 0.03), (0.045, 0.06), (0.08, 0.12)):
        running = [start(f"time.sleep({delay})") for delay in delays]
        ended = [(process.communicate(timeout=120)[0], process.returncode) for process in running]
        assert ended == [("", 0)] * len(delays)


def test_a_killed_process_leaves_a_cache_that_is_whole(tmp_path: Path) -> None:
    for delay in (0.015, 0.04, 0.08):
        end = f"time.sleep({delay})\nos.kill(os.getpid(), {int(signal.SIGKILL)})"
        process = start(end, TFC_CACHE=str(tmp_path))
        assert process.communicate(timeout=120)[0] == ""
        assert process.returncode == -signal.SIGKILL
        (folder,) = tmp_path.glob("*-llvm*")
        entries = DiskCache(folder).entries()
        assert entries and all(entry.is_whole() for entry in entries)
    end = (
        "assert tiers.background.wait(), 'waits'\n"
        "print(session.run(loss, feed).tobytes().hex(), tiers.background.counts.failed)"
    )
    found = start(end, TFC_CACHE=str(tmp_path)).communicate(timeout=120)[0]
    plain = start(end, TFC_TIERS="0").communicate(timeout=120)[0]
    assert found == plain and found.endswith(" 0\n")
    assert not names(DiskCache(folder)) & {".run0", ".ll0"} or ".run" in names(DiskCache(folder))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_has_no_such_thread_and_runs_on() -> None:
    end = """
plain = session.run(loss, feed)
for delay in (0.0, 0.02, 0.02, 0.03):
    time.sleep(delay)
    child = os.fork()
    if not child:
        counts = tiers.background.counts
        assert tiers.background._thread is None
        z = session.run(tf.reduce_sum(tf.cosh(x) * loss), feed)  # compiles
        sys.exit(0 if np.isfinite(z) and session.run(loss, feed) == plain else 3)
    if os.waitpid(child, 0)[1]:
        print("the child failed")
assert tiers.background.wait()
least = 1 if python_abi.problem() else 2  # without native dispatch, which is another
print(tiers.background.counts.failed, tiers.background.counts.optimised >= least)
"""
    quiet = "ignore::DeprecationWarning"  # Python 3.12 advises against forks beside threads
    said = start(end, PYTHONWARNINGS=quiet).communicate(timeout=120)[0]
    assert said == "0 True\n"
