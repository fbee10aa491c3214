"""The thread pool where others use the cores too: it notices, and every chunk still runs once."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tfc as tf
from tests.codegen.test_pool import _for
from tfc.codegen import crowd_text, native, native_rt
from tfc.codegen.target import host
from tfc.runtime.pool import WAIT_POLICIES

# args: counts, the caller's thread, microseconds that a chunk takes the caller, and others. Counts
# the chunk, as tally does, and sleeps.
NAPS = """
declare i64 @pthread_self()
declare i32 @usleep(i32)
define i32 @naps(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) {
entry:
  %counts = load ptr, ptr %args
  %caller.at = getelementptr i64, ptr %args, i64 1
  %caller = load i64, ptr %caller.at
  %mine.at = getelementptr i64, ptr %args, i64 2
  %mine = load i64, ptr %mine.at
  %theirs.at = getelementptr i64, ptr %args, i64 3
  %theirs = load i64, ptr %theirs.at
  %self = call i64 @pthread_self()
  %me = icmp eq i64 %self, %caller
  %time = select i1 %me, i64 %mine, i64 %theirs
  %us = trunc i64 %time to i32
  br label %next
next:
  %i = phi i64 [ %lo, %entry ], [ %i1, %next ]
  %p = getelementptr i64, ptr %counts, i64 %i
  %old = atomicrmw add ptr %p, i64 1 monotonic
  %slept = call i32 @usleep(i32 %us)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %hi
  br i1 %more, label %next, label %out
out:
  ret i32 0
}
"""
CHUNKS = 8


@functools.cache
def _naps() -> int:
    library = native.load([native.compile_object(NAPS, host(), {})], ["naps"], {})
    _naps.library = library  # type: ignore[attr-defined]  # stays loaded
    return library.addresses["naps"]


def _run_naps(mine: int, theirs: int) -> np.ndarray:
    """How often each chunk ran in a job of two threads, whose chunks take so many microseconds."""
    counts = np.zeros(CHUNKS, np.int64)
    args = (ctypes.c_int64 * 4)(counts.ctypes.data, threading.get_ident(), mine, theirs)
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    )
    run = kind(native_rt.parallel_for_address(2))
    assert run(0, _naps(), ctypes.addressof(args), CHUNKS) == 0
    return counts


def _pool_function(name: str, *arguments: type) -> Callable[..., int]:
    native_rt.the_pool()
    return ctypes.CFUNCTYPE(ctypes.c_int32, *arguments)(native_rt._loaded[0].addresses[name])


def _is_crowded() -> bool:
    return _pool_function("is_crowded")() > 0


@pytest.fixture
def crowd() -> Iterator[None]:
    """A caller has waited long for a worker."""
    deadline = time.monotonic() + 30
    while not _is_crowded():
        assert time.monotonic() < deadline
        # the caller's own chunks leave a worker, if others have the cores, the time to come
        np.testing.assert_array_equal(_run_naps(2_000, 20_000), 1)
    yield
    np.testing.assert_array_equal(_run_naps(0, 0), 1)


def test_callers_look_up_before_they_sleep() -> None:
    assert WAIT_POLICIES["auto"] >= crowd_text.LATE_SPINS


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_every_chunk_runs_once_in_a_crowd(crowd: None, threads: int) -> None:
    counts, expected = np.zeros(64, np.int64), np.zeros(64, np.int64)
    run = _for(threads)
    for r in range(3000):
        chunks = 1 + r % 64
        sign = -1 if r % 3 == 0 else 1
        assert run(0, "tally", counts.ctypes.data, sign * chunks) == 0
        expected[:chunks] += 1
    np.testing.assert_array_equal(counts, expected)


def test_workers_give_their_core_away_between_chunks(crowd: None) -> None:
    """Chunks of 0.4 ms, so that turns end within jobs."""
    for _ in range(12):
        np.testing.assert_array_equal(_run_naps(400, 400), 1)


def test_the_lowest_failure_is_reported_in_a_crowd(crowd: None) -> None:
    rng, run = np.random.default_rng(0), _for(2)
    for _ in range(300):
        codes = np.where(rng.random(64) < 0.1, rng.integers(1, 1000, 64), 0)
        record = np.full(1, -1, np.int64)
        status = run(record.ctypes.data, "fails", codes.ctypes.data, 64)
        bad = np.flatnonzero(codes)
        first = int(bad[0]) if bad.size else -1
        assert record[0] == first
        assert status == (codes[first] if bad.size else 0)


def test_results_are_the_same_in_a_crowd(crowd: None) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((257, 257)).astype(np.float32) for _ in range(2))
    found = []
    for threads in (1, 2, 2, 2):
        with tf.Graph().as_default():
            x, y = tf.placeholder(tf.float32, a.shape), tf.placeholder(tf.float32, b.shape)
            z = tf.matmul(tf.matmul(x, y), y)
            config = tf.ConfigProto(intra_op_parallelism_threads=threads)
            with tf.Session(config=config) as session:
                found += [session.run(z, {x: a, y: b}) for _ in range(3)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_forked_child_knows_of_no_crowd(crowd: None) -> None:
    child = os.fork()
    if child == 0:
        alone = not _is_crowded()
        os._exit(0 if alone and (_run_naps(0, 0) == 1).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no masks of cores here")
def test_a_thread_that_moves_keeps_its_mask() -> None:
    leave = _pool_function("leave", ctypes.c_int32)
    cpu_of_this = ctypes.CDLL(None).sched_getcpu
    moved: list[bool] = []
    masks: list[set[int]] = []

    def work() -> None:
        for _ in range(20):
            moved.append(any(leave(cpu_of_this()) for _ in range(100)))
            masks.append(os.sched_getaffinity(0))
        only = {min(masks[0])}
        os.sched_setaffinity(0, only)  # of this thread
        moved.append(bool(leave(min(only))))
        masks.append(os.sched_getaffinity(0) | masks[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    mask = os.sched_getaffinity(0)
    assert moved == [len(mask) > 1] * 20 + [False]
    assert masks == [mask] * 21
    assert leave(-1) == 0 and leave(1 << 20) == 0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no masks of cores here")
def test_workers_may_run_where_the_process_may(crowd: None) -> None:
    counts, run = np.zeros(64, np.int64), _for(2)
    for _ in range(2000):
        run(0, "tally", counts.ctypes.data, 64)
    time.sleep(0.01)
    for task in os.listdir("/proc/self/task"):
        assert os.sched_getaffinity(int(task)) == os.sched_getaffinity(0)
