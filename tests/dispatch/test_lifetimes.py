"""Native dispatch leaks nothing and keeps what it uses."""

import gc
import os
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import known, native_runs, outcome

pytestmark = pytest.mark.usefixtures("fresh_graph")


def test_a_hundred_thousand_runs():
    x, k = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.int32, [])
    v = tf.Variable(0)
    fetches = {"y": x * 2.0, "n": tf.assign_add(v, k), "op": v.initializer}
    del fetches["op"]
    value, number = np.ones(3, np.float32), 300
    with tf.Session() as sess:
        sess.run(v.initializer)
        call = sess.make_callable(list(fetches.values()), [x, k])
        run = lambda: sess.run(fetches, {x: value, k: number})  # noqa: E731
        known(sess, run)
        known(sess, lambda: call(value, number))
        held = [None, np.dtype(np.float32), np.dtype(np.int32), x, k, value, fetches["y"], run]
        held += [sess, call.__self__, *sess._fast._entries.values()]
        counts = [sys.getrefcount(o) for o in held]
        runs = native_runs(sess)
        for _ in range(50_000):
            run()
            call(value, number)
        assert native_runs(sess) == runs + 100_000
        now = [sys.getrefcount(o) for o in held]
        assert all(abs(a - b) < 1000 for a, b in zip(now, counts, strict=True)), (counts, now)
        tracemalloc.start()
        try:
            run(), call(value, number)
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(500):
                run()
                call(value, number)
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert after - before < 5_000
        assert sess.run(v) == 300 * (8 + 100_000 + 2 + 1000)


def test_failed_runs_leak_nothing():
    k = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [3])
    fetches = [tf.gather(tf.constant([1, 2, 3]), k), x * 2.0]
    value = np.ones(3, np.float32)
    with tf.Session() as sess:
        known(sess, lambda: sess.run(fetches, {k: 1, x: value}))
        outcome(lambda: sess.run(fetches, {k: 5, x: value}))
        gc.collect()
        dtype = np.dtype(np.float32)
        counts = sys.getrefcount(dtype), sys.getrefcount(value), len(gc.get_objects())
        for _ in range(200):
            assert outcome(lambda: sess.run(fetches, {k: 5, x: value}))[0] is (
                tf.errors.InvalidArgumentError
            )
            for _ in range(3):
                sess.run(fetches, {k: 1, x: value})
        gc.collect()
        now = sys.getrefcount(dtype), sys.getrefcount(value), len(gc.get_objects())
        # references that are lost are as bad as those that are kept
        assert all(abs(a - b) < 150 for a, b in zip(now[:2], counts[:2], strict=True)), (
            counts,
            now,
        )
        # of all objects fewer is no leak: what other tests left may go at any time
        assert now[2] - counts[2] < 150, (counts, now)


@pytest.mark.parametrize("what", ["session", "callable", "cycle"])
def test_sessions_are_collected(what):
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    sess = tf.Session()
    call = sess.make_callable(y, [x])
    known(sess, lambda s=sess: s.run(y, {x: 1.0}))
    known(sess, lambda c=call: c(1.0))
    gone = weakref.ref(sess)
    if what == "session":
        del call
    if what == "cycle":
        sess.mine, sess.bound = call, sess.run
        del call
    del sess
    gc.collect()
    if what == "callable":
        assert call(2.0) == 3.0
        del call
        gc.collect()
    assert gone() is None


def test_what_entries_refer_to_stays():
    """What is fetched and the keys are held: nothing else gets their addresses."""
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session() as sess:
        name = "".join([y.name])
        counts = sys.getrefcount(name), sys.getrefcount(x)
        assert known(sess, lambda: sess.run([name], {x: 2.0})) == [3.0]
        assert sys.getrefcount(name) > counts[0] and sys.getrefcount(x) > counts[1]
    gc.collect()
    assert sys.getrefcount(name) == counts[0]


def test_arrays_outlive_everything():
    x = tf.placeholder(tf.float32, [4])
    y = x * 3.0
    sess = tf.Session()
    value = known(sess, lambda: sess.run(y, {x: np.ones(4, np.float32)}))
    sess.close()
    sess = x = y = None
    tf.reset_default_graph()
    gc.collect()
    np.testing.assert_array_equal(value, [3, 3, 3, 3])


def test_runs_while_garbage_is_collected():
    """Finalizers that use the Session in the middle of its own runs."""
    x = tf.placeholder(tf.float32, [2])
    y = [x * 2.0, x + 1.0]
    value = np.ones(2, np.float32)
    seen = []
    with tf.Session() as sess:

        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                seen.append(sess.run(y, {x: value})[0][0])

        known(sess, lambda: sess.run(y, {x: value}))
        thresholds = gc.get_threshold()
        gc.set_threshold(5, 2, 2)
        try:
            for _ in range(500):
                Cycle()
                got = sess.run(y, {x: value})
                assert got[0][0] == 2 and got[1][0] == 2
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()
        assert len(seen) == 500 and set(seen) == {2.0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks():
    x = tf.placeholder(tf.float32, [300, 300])
    small, big = x[0] + 1.0, tf.reduce_sum(tf.matmul(x, x))
    value = np.ones((300, 300), np.float32)
    with tf.Session() as sess:
        run = lambda: (sess.run(small, {x: value})[0], sess.run(big, {x: value}))  # noqa: E731
        for _ in range(4):
            wanted = run()
        before = native_runs(sess)
        child = os.fork()
        if not child:
            good = run() == wanted and native_runs(sess) == before + 2
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert run() == wanted


AT_EXIT = """
import builtins, sys
import numpy as np
import tfc as tf
x = tf.placeholder(tf.float32, [None])
y = x + 1.0
sess = tf.Session()
value = np.zeros(3_000_000, np.float32)

class Last:
    def __init__(self):
        self.array, self.sess = sess.run(y, {x: value}), sess

    def __del__(self, x=x, y=y, value=value, print=print):
        print(self.sess.run(y, {x: value})[0])

for _ in range(4):
    sess.run(y, {x: value})
builtins.keep = [sess.run(y, {x: value}), Last()]
sys.keep, mine = [sess.run(y, {x: value})], Last()
"""


def test_the_process_ends_well():
    """Arrays and Sessions that are let go when modules have gone."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0 and "Fatal" not in done.stderr, done.stderr
    assert done.stdout.startswith("1.0")
