"""Sessions under odd use: closed while they run, fed ever new shapes, out of memory."""

import gc
import logging
import threading

import numpy as np
import pytest

import tfc as tf
from tfc.client import stage_cache
from tfc.runtime import memory


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def test_closing_a_session_that_others_run_is_safe():
    """The variables' memory is not freed under native code that works on it."""
    p = tf.placeholder(tf.float32, [None])
    v = tf.Variable(np.zeros(1000, np.float32))
    y = tf.reduce_sum(p) + tf.reduce_sum(tf.assign_add(v, tf.ones([1000])))
    seen = set()
    for _ in range(8):
        sess = tf.Session()
        sess.run(v.initializer)
        running = threading.Barrier(4)

        def work(sess=sess, running=running):
            rng = np.random.default_rng(0)
            sess.run(y, {p: [1.0]})
            running.wait()
            try:
                while True:
                    sess.run(y, {p: np.ones(rng.integers(1, 4))})
            except Exception as error:
                seen.add(type(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        running.wait()
        sess.close()
        for t in threads:
            t.join()
    assert seen <= {RuntimeError, tf.errors.CancelledError}


def test_threads_that_change_and_read_the_type_of_a_variable():
    v = tf.Variable(np.zeros(1, np.float32), validate_shape=False)
    p = tf.placeholder(tf.float32, [None])
    change = tf.assign(v, p, validate_shape=False)
    total = tf.reduce_sum(v * 2.0)
    wrong = []
    with tf.Session() as sess:
        sess.run(v.initializer)

        def work(n):
            for _ in range(150):
                sess.run(change.op, {p: np.full(n, 1.0)})
                got = sess.run(total)
                if got not in (2000.0, 6000.0, 14000.0):
                    wrong.append(got)

        threads = [threading.Thread(target=work, args=(n,)) for n in (1000, 3000, 7000)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong


def test_a_change_of_type_is_seen_by_who_looks_without_the_lock():
    """Native dispatch asks for stages outside of the Session's lock: whatever it meets of a change,
    it does not take the new generation for the old type, nor make others do so."""
    v = tf.Variable(np.zeros(1, np.float32), validate_shape=False)
    change = tf.assign(v, np.ones(3, np.float32), validate_shape=False)
    total = tf.reduce_sum(v)
    with tf.Session() as sess:
        sess.run(v.initializer)
        sess.run(total)
        runtime, store = sess._runtime, sess._runtime.store
        branch = next(p for p in sess._plans.values() if total in p.elements).root
        before, types, seen = branch._key(runtime, {}), store.types, []

        class Cells(dict):
            def setdefault(self, *args):  # while the content is being changed
                seen.append(store.generation)
                return super().setdefault(*args)

        def in_the_middle(keys):  # while types are being read, another thread asks too
            store.types = types
            seen.append(branch._key(runtime, {}))
            return types(keys)

        store._cells = Cells(store._cells)
        sess.run(change.op)
        assert seen and store.generation not in seen
        seen.clear()
        store.types = in_the_middle
        after = branch._key(runtime, {})
        assert seen == [after] != [before]


def test_stages_of_ever_new_shapes_are_bounded_and_reported_once(monkeypatch, caplog):
    monkeypatch.setattr(stage_cache, "MOST_STAGES", 20)
    x = tf.placeholder(tf.float32, [None], name="batch")
    y = tf.reduce_sum(x)
    with tf.Session() as sess, caplog.at_level(logging.WARNING, "tfc"):
        for n in range(40):
            assert sess.run(y, {x: np.ones(n)}) == n
        assert sess.statistics.misses == 40
        sess.run(y, {x: np.ones(39)})
        assert sess.statistics.misses == 40
        sess.run(y, {x: np.ones(5)})
        assert sess.statistics.misses == 41
        (plan,) = sess._plans.values()
        assert len(plan.root.stages) == 20
    texts = [r.getMessage() for r in caplog.records if "compiled" in r.getMessage()]
    assert len(texts) == 1
    assert "'batch:0'" in texts[0] and "test_sessions.py" in texts[0]


def test_values_that_decide_shapes_are_reported_too(caplog):
    n = tf.placeholder(tf.int32, [], name="count")
    y = tf.reduce_sum(tf.zeros([n]))
    with tf.Session() as sess, caplog.at_level(logging.WARNING, "tfc"):
        for k in range(stage_cache.WARN_AT):
            sess.run(y, {n: k})
    assert "values of 'count:0'" in caplog.text


def test_compiling_keeps_no_functions_alive():
    """What compiled code was made from goes with it."""
    from tfc.ir.core import Op

    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(tf.tanh(x) * 2.0)

    def ops_after(first):
        with tf.Session() as sess:
            for n in range(first, first + 5):
                sess.run(y, {x: np.ones(n)})
        del sess
        gc.collect()
        return sum(isinstance(o, Op) for o in gc.get_objects())

    ops_after(1)
    assert ops_after(10) <= ops_after(20) + 2


def test_more_memory_than_there_is():
    n = tf.placeholder(tf.int64, [None])
    filled = tf.fill(n, 1.0, name="huge")
    with tf.Session() as sess:
        with pytest.raises(tf.errors.ResourceExhaustedError, match=r"shape\[1099511627776\]"):
            sess.run(tf.zeros([1 << 40]))
        with pytest.raises(tf.errors.ResourceExhaustedError, match="huge"):
            sess.run(filled, {n: [1 << 30, 1 << 20]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than"):
            sess.run(filled, {n: [1 << 40, 1 << 40]})
        assert sess.run(filled, {n: [2]}).tolist() == [1.0, 1.0]
        v = tf.Variable(tf.zeros([1 << 40]))
        with pytest.raises(tf.errors.ResourceExhaustedError):
            sess.run(v.initializer)


def test_a_result_that_memory_does_not_hold(monkeypatch):
    """The system promises more than it has, and ends who takes it at its word."""
    n = tf.placeholder(tf.int32, [])
    filled = tf.fill([n], 1.0, name="large")
    monkeypatch.setattr(memory, "available", lambda: 1 << 20)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.ResourceExhaustedError, match="large"):
            sess.run(filled, {n: 1 << 26})
        assert sess.run(filled, {n: 1}).tolist() == [1.0]


def test_memory_for_what_is_computed_on_the_way():
    x = tf.placeholder(tf.float32, [None, 1])
    product = tf.matmul(x, x, transpose_b=True)
    y = tf.reduce_sum(tf.matmul(product, x))
    with tf.Session() as sess:
        with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM"):
            sess.run(y, {x: np.zeros((1 << 21, 1))})
        assert sess.run(y, {x: np.ones((3, 1))}) == 9.0


def test_an_op_cannot_write_to_a_fed_variable():
    v = tf.Variable([1.0, 2.0])
    add = tf.assign_add(v, [1.0, 1.0])
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="float_ref"):
            sess.run(add, {v: [5.0, 6.0]})
        assert sess.run(v * 1.0, {v: [5.0, 6.0]}).tolist() == [5.0, 6.0]
        assert sess.run(v).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda p: tf.range(0.0, p, 1.0), np.inf),
        (lambda p: tf.range(0.0, p, 1.0), np.nan),
        (lambda p: tf.range(0.0, p, 1.0), 1e38),
        (lambda p: tf.dynamic_stitch([tf.cast([p, 0.0], tf.int32)], [[1.0, 2.0]]), -3.0),
    ],
)
def test_values_that_no_shape_can_come_from(make, value):
    p = tf.placeholder(tf.float32, [])
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError):
        sess.run(make(p), {p: value})
