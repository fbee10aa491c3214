"""The emitted thread pool: every chunk once, lowest failure reported, nesting, callers, forks."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable

import numpy as np
import pytest

from tfc.codegen import native, native_rt
from tfc.codegen.target import host

# tally: add 1 to args[chunk].  fails: the first nonzero args[chunk] is stored to ctx[0] and
# returned.  nests: args[0] is parallel_for, args[1] an array of counts: runs tally on it again.
# rooms: args[2 * chunk] is the thread, args[2 * chunk + 1] the room it was given.
KERNELS = """
declare i64 @pthread_self()
declare i32 @usleep(i32)
define i32 @rooms(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) {
entry:
  %me = call i64 @pthread_self()
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %next ]
  %p = getelementptr [2 x i64], ptr %args, i64 %i
  %q = getelementptr i64, ptr %p, i64 1
  store i64 %me, ptr %p
  store i64 %room, ptr %q
  %slept = call i32 @usleep(i32 20)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %hi
  br i1 %more, label %next, label %out
out:
  ret i32 0
}
define i32 @tally(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) {
entry:
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %next ]
  %p = getelementptr i64, ptr %args, i64 %i
  %old = atomicrmw add ptr %p, i64 1 monotonic
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %hi
  br i1 %more, label %next, label %out
out:
  ret i32 0
}
define i32 @fails(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) {
entry:
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %fine ]
  %p = getelementptr i64, ptr %args, i64 %i
  %v = load i64, ptr %p
  %bad = icmp ne i64 %v, 0
  br i1 %bad, label %fail, label %fine
fine:
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %hi
  br i1 %more, label %next, label %out
out:
  ret i32 0
fail:
  store i64 %i, ptr %ctx
  %status = trunc i64 %v to i32
  ret i32 %status
}
define i32 @nests(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) {
entry:
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %next ]
  %for = load ptr, ptr %args
  %q = getelementptr ptr, ptr %args, i64 1
  %counts = load ptr, ptr %q
  %s = call i32 %for(ptr %ctx, ptr @tally, ptr %counts, i64 5)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %hi
  br i1 %more, label %next, label %out
out:
  ret i32 0
}
"""


@functools.cache
def _kernels() -> native.Library:
    names = ["tally", "fails", "nests", "rooms"]
    return native.load([native.compile_object(KERNELS, host(), {})], names, {})


def _for(threads: int) -> Callable[[int, str, int, int], int]:
    """parallel_for(ctx, kernel name, args, chunks)."""
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    )
    call = kind(native_rt.parallel_for_address(threads))
    return lambda ctx, name, args, chunks: int(call(ctx, _kernels().addresses[name], args, chunks))


@pytest.fixture(params=["active", "auto", "passive"])
def policy(request: pytest.FixtureRequest) -> object:
    pool = native_rt.the_pool()
    pool.set_policy(request.param)
    yield request.param
    pool.set_policy("auto")


def _tally(rounds: int, threads: int = 2) -> tuple[np.ndarray, np.ndarray]:
    counts, expected = np.zeros(64, np.int64), np.zeros(64, np.int64)
    run = _for(threads)
    for r in range(rounds):
        chunks = 1 + r % 64
        assert run(0, "tally", counts.ctypes.data, chunks) == 0
        expected[:chunks] += 1
    return counts, expected


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 1000])
def test_every_chunk_runs_once(threads: int, policy: str) -> None:
    counts, expected = _tally(300, threads)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_room_is_a_chunk_of_the_same_thread(threads: int, policy: str) -> None:
    shared = 0
    for chunks in (1, 2, 5, 32) * 10:
        seen = np.full((chunks, 2), -1, np.int64)
        assert _for(threads)(0, "rooms", seen.ctypes.data, chunks) == 0
        thread, room = seen.T
        np.testing.assert_array_equal(thread[room], thread)
        shared += len(set(room)) < chunks
    assert shared > 0  # chunks that one thread did one after the other


def test_callers_at_the_same_time(policy: str) -> None:
    results: list[bool] = []

    def work() -> None:
        counts, expected = _tally(1000)
        results.append(bool((counts == expected).all()))

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [True] * 4


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_light_job_wakes_nobody_and_loses_nothing(threads: int, policy: str) -> None:
    counts, run = np.zeros(64, np.int64), _for(threads)
    for r in range(300):
        assert run(0, "tally", counts.ctypes.data, -1 - r % 64) == 0
    np.testing.assert_array_equal(counts, _tally(300, 1)[1])


def test_light_jobs_make_no_workers() -> None:
    code = (
        "import os, numpy as np, tests.codegen.test_pool as t; c = np.zeros(64, np.int64); "
        "[t._for(2)(0, 'tally', c.ctypes.data, -8) for _ in range(9)]; "
        "assert c[:8].tolist() == [9] * 8; os._exit(t.native_rt.the_pool().workers())"
    )
    assert _exit_code(code) == 0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_lowest_failure_is_reported(threads: int) -> None:
    rng, run = np.random.default_rng(0), _for(threads)
    for _ in range(500):
        chunks = int(rng.integers(1, 64))
        codes = np.where(rng.random(64) < 0.1, rng.integers(1, 1000, 64), 0)
        record = np.full(1, -1, np.int64)
        status = run(record.ctypes.data, "fails", codes.ctypes.data, chunks)
        bad = np.flatnonzero(codes[:chunks])
        first = int(bad[0]) if bad.size else -1
        assert record[0] == first
        assert status == (codes[first] if bad.size else 0)


def test_a_chunk_may_call_parallel_for() -> None:
    counts = np.zeros(5, np.int64)
    args = (ctypes.c_void_p * 2)(native_rt.parallel_for_address(2), counts.ctypes.data)
    for _ in range(50):
        assert _for(2)(0, "nests", ctypes.addressof(args), 7) == 0
    np.testing.assert_array_equal(counts, np.full(5, 350))


def test_one_thread_makes_no_workers() -> None:
    code = (
        "import os, tests.codegen.test_pool as t; t._tally(100, 1); "
        "os._exit(t.native_rt.the_pool().workers())"
    )
    assert _exit_code(code) == 0


def test_workers_start_with_the_first_job_that_needs_them() -> None:
    code = (
        "import os, tests.codegen.test_pool as t; t._tally(100, 3); "
        "os._exit(t.native_rt.the_pool().workers())"
    )
    assert _exit_code(code) == 2


def test_an_interpreter_with_workers_ends() -> None:
    assert _exit_code("import tests.codegen.test_pool as t; t._tally(100, 3)") == 0


def _exit_code(code: str) -> int:
    import subprocess
    import sys

    return subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode


def test_a_forked_child_starts_anew() -> None:
    counts, expected = _tally(200)
    child = os.fork()
    if child == 0:
        mine, wanted = _tally(200)
        os._exit(0 if (mine == wanted).all() and native_rt.the_pool().workers() == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    again, _ = _tally(200)
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(counts, expected)


def test_bad_settings() -> None:
    pool = native_rt.the_pool()
    with pytest.raises(ValueError, match="wait policy"):
        pool.set_policy("eager")
    with pytest.raises(ValueError, match="at least one thread"):
        pool.address(0)
