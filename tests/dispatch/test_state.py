"""Native dispatch and what changes between runs: variables, errors, the graph, the Session."""

import copy
import ctypes
import inspect
import pickle
import threading
import time

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import assert_same, known, native_runs, outcome, slow_session
from tfc.base.options import options
from tfc.client import fast_run
from tfc.client import session as session_module

pytestmark = pytest.mark.usefixtures("fresh_graph")


def regression():
    x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
    w, b = tf.Variable(0.5, name="w"), tf.Variable(0.0, name="b")
    loss = tf.reduce_mean(tf.squared_difference(x * w + b, y))
    train = tf.train.AdamOptimizer(0.1).minimize(loss, global_step=tf.train.create_global_step())
    return x, y, loss, train, [w, b]


def test_training_is_the_same():
    x, y, loss, train, variables = regression()
    rng = np.random.RandomState(0)
    steps = [rng.standard_normal(5 + k % 3).astype(np.float32) for k in range(40)]
    with tf.Session() as sess, slow_session() as slow:
        for s in (sess, slow):
            s.run(tf.global_variables_initializer())
        for value in steps:
            feeds = {x: value, y: 3 * value + 1}
            a, b = sess.run([train, loss], feeds), slow.run([train, loss], feeds)
            assert_same(a, b)
        assert native_runs(sess) > 30
        assert_same(sess.run(variables), slow.run(variables))
        assert sess.run(tf.train.get_global_step()) == 40


def test_random_numbers_are_the_same():
    tf.set_random_seed(3)
    noise, mixed = tf.random_normal([7]), tf.random_shuffle(tf.range(9))
    with tf.Session() as sess, slow_session() as slow:
        for _ in range(8):
            assert_same(sess.run(noise), slow.run(noise))
            assert_same(sess.run([noise, mixed]), slow.run([noise, mixed]))
        assert native_runs(sess) >= 10


def test_variables_that_get_other_memory_other_types_or_lose_their_value():
    x = tf.placeholder(tf.float32, [None])
    v = tf.Variable([1.0, 2.0], name="v")
    other = tf.assign(v, tf.placeholder_with_default([5.0, 6.0], [2]) * 2.0)
    resized = tf.assign(v, x, validate_shape=False)
    double = tf.identity(v) * 2.0
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            sess.run(double)
        sess.run(v.initializer)
        assert list(known(sess, lambda: sess.run(double))) == [2, 4]
        sess.run(other)
        assert list(known(sess, lambda: sess.run(double))) == [20, 24]
        sess.run(resized, {x: [1.0, 2.0, 3.0]})
        for _ in range(3):
            assert list(sess.run(double)) == [2, 4, 6]
        sess.run(v.initializer)
        assert list(known(sess, lambda: sess.run(double))) == [2, 4]
    with tf.Session() as sess, pytest.raises(tf.errors.FailedPreconditionError):
        sess.run(double)


def test_a_failed_run_says_the_same_and_changes_nothing():
    k = tf.placeholder(tf.int32, [])
    counter = tf.Variable(0, name="counter")
    value = tf.gather(tf.constant([10, 20, 30]), k)
    with tf.control_dependencies([tf.Assert(k < 100, [k])]):
        count = tf.assign_add(counter, value)
    with tf.Session() as sess, slow_session() as slow:
        for s in (sess, slow):
            s.run(counter.initializer)
        for index in (0, 1, 2, 1, 0, 7, 2, -1, 100, 1, 0, 1, 2, 0):
            for fetch in (value, count):
                mine = outcome(lambda f=fetch, i=index: sess.run(f, {k: np.int32(i)}))
                other = outcome(lambda f=fetch, i=index: slow.run(f, {k: np.int32(i)}))
                assert_same(mine, other)
        assert_same(sess.run(counter), slow.run(counter))
        known(sess, lambda: sess.run(count, {k: 1}))


def test_changes_of_the_graph_are_seen():
    x = tf.placeholder(tf.float32, None)
    y = x + 1.0
    v = tf.Variable(0.0)
    bump = tf.assign_add(v, 1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        value = np.zeros((2, 2), np.float32)
        call = sess.make_callable(y, [x])
        known(sess, lambda: sess.run(y, {x: value}))
        known(sess, lambda: call(value))
        y.op._add_control_input(bump.op)
        for k in range(4):
            sess.run(y, {x: value})
            assert sess.run(v) == k + 1
        call(value)
        assert sess.run(v) == 5
        x.set_shape([3])
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.run(y, {x: value})
        three = np.zeros(3, np.float32)
        known(sess, lambda: sess.run(y, {x: three}))
        known(sess, lambda: call(three))
        tf.get_default_graph().prevent_feeding(x)
        for run in (lambda: sess.run(y, {x: three}), lambda: call(three)):
            with pytest.raises(ValueError, match="may not be fed"):
                run()


def test_appending_to_the_graph_changes_nothing():
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session() as sess:
        known(sess, lambda: sess.run(y, {x: 1.0}))
        z = y * 2.0
        before = native_runs(sess)
        assert sess.run(y, {x: 2.0}) == 3.0 and native_runs(sess) == before + 1
        assert sess.run(z, {x: 2.0}) == 6.0


def test_closed():
    x = tf.placeholder(tf.float32, [])
    v = tf.Variable(1.0)
    y = x + v
    sess = tf.Session()
    sess.run(v.initializer)
    call = sess.make_callable(y, [x])
    known(sess, lambda: sess.run(y, {x: 1.0}))
    known(sess, lambda: call(1.0))
    sess.close()
    for run in (lambda: sess.run(y, {x: 1.0}), lambda: call(1.0)):
        with pytest.raises(RuntimeError, match="closed Session"):
            run()
    assert not sess._fast._entries


def test_time_limits_are_pythons():
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=60000)) as sess:
        for _ in range(5):
            assert sess.run(y, {x: 1.0}) == 2.0
            assert sess.make_callable(y, [x])(2.0) == 3.0
        assert native_runs(sess) == 0
    with tf.Session() as sess:
        known(sess, lambda: sess.run(y, {x: 1.0}))
        before = native_runs(sess)
        limit = tf.RunOptions(timeout_in_ms=60000)
        assert sess.run(y, {x: 1.0}, options=limit) == 2.0
        assert sess.run(y, {x: 1.0}, limit) == 2.0
        assert native_runs(sess) == before


def test_guesses_that_do_not_hold():
    x, begin = tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [])
    part = x[begin : begin + 3]
    value = np.arange(6, dtype=np.float32)
    with tf.Session() as sess, slow_session() as slow:
        for k in (0, 1, 2, 3, 4, 3, 2, 5, 1, 0, 1):
            feeds = {x: value, begin: np.int32(k)}
            assert_same(
                outcome(lambda f=feeds: sess.run(part, f)),
                outcome(lambda f=feeds: slow.run(part, f)),
            )


def test_statistics_count_native_runs():
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session() as sess:
        call = sess.make_callable(y, [x])
        for _ in range(5):
            sess.run(y, {x: 1.0})
            call(1.0)
        counts = sess.statistics
        assert (counts.hits, counts.misses, counts.native_calls) == (9, 1, 10)
        assert sess.statistics is counts and counts.hits == 9


def test_subclasses_and_replaced_methods(monkeypatch):
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    seen = []

    class Loud(tf.Session):
        def run(self, *args, **kwargs):
            seen.append(args[0])
            return super().run(*args, **kwargs)

    class Quiet(tf.Session):
        pass

    with Loud() as sess, Quiet() as quiet:
        assert known(sess, lambda: sess.run(y, {x: 1.0})) == 2.0
        assert seen == [y] * 4
        assert known(quiet, lambda: quiet.run(y, {x: 1.0})) == 2.0
        original = tf.Session.run
        monkeypatch.setattr(tf.Session, "run", lambda self, *a, **k: ("replaced", original))
        assert quiet.run(y, {x: 1.0})[0] == "replaced"
        monkeypatch.undo()
        assert quiet.run(y, {x: 1.0}) == 2.0
        quiet.run = lambda *a: "own"
        assert quiet.run(y) == "own"
    bare = object.__new__(tf.Session)
    with pytest.raises(AttributeError):
        bare.run(y)


def test_what_python_sees_of_the_method():
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session() as sess, slow_session() as slow:
        known(sess, lambda: sess.run(y, {x: 1.0}))
        names = list(inspect.signature(sess.run).parameters)
        assert names == ["fetches", "feed_dict", "options", "run_metadata"]
        assert "closed" in tf.Session.run.__doc__ and sess.run.__name__ == "run"
        for broken in (pickle.dumps, copy.deepcopy):
            mine, other = (outcome(lambda s=s, b=broken: b(s)) for s in (sess, slow))
            assert mine == other and issubclass(mine[0], Exception)
        shallow = copy.copy(sess)
        assert known(sess, lambda: shallow.run(y, {x: 1.0})) == 2.0


def test_entries_come_and_go(monkeypatch):
    x = tf.placeholder(tf.float32, [None])
    y = x * 2.0
    most = 5
    monkeypatch.setattr(fast_run, "MOST_ENTRIES", most)
    with tf.Session() as sess:
        for k in range(most + 4):
            value = np.ones(k, np.float32)
            for _ in range(3):
                assert len(sess.run(y, {x: value})) == k
        assert len(sess._fast._entries) == most
        assert chain_of(sess) == [e.address for e in reversed(sess._fast._entries.values())]
        for k in (most + 3, most, 1, 0, 2, most + 3, 1):
            value = np.ones(k, np.float32)
            assert len(known(sess, lambda v=value: sess.run(y, {x: v}))) == k
        assert chain_of(sess) == [e.address for e in reversed(sess._fast._entries.values())]


def chain_of(sess):
    """The addresses of the entries as native code finds them."""
    found, address = [], int(sess._dispatch[fast_run.Table.FIRST])
    while address:
        found.append(address)
        address = ctypes.c_int64.from_address(address).value
    return found


def test_where_it_cannot_be(monkeypatch):
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    monkeypatch.setattr(session_module.python_abi, "problem", lambda: "no GIL")
    with tf.Session() as sess:
        call = sess.make_callable(y, [x])
        for k in range(5):
            assert sess.run(y, {x: float(k)}) == k + 1
            assert call(float(k)) == k + 1
        assert native_runs(sess) == 0
    monkeypatch.undo()
    monkeypatch.setattr(options, "fast_run", 0)
    with tf.Session() as sess:
        assert sess._fast is None and [sess.run(y, {x: 1.0}) for _ in range(4)] == [2.0] * 4


def test_py_functions_may_run_the_session():
    x = tf.placeholder(tf.float32, [])
    v = tf.Variable(0.0)
    y, bump = x + 1.0, tf.assign_add(v, 1.0)
    with tf.Session() as sess:
        sess.run(v.initializer)

        def inner(value):
            return np.float32(sess.run(y, {x: value}) + sess.run(bump))

        outer = tf.py_func(inner, [x * 2.0], tf.float32)
        for k in range(1, 6):
            assert sess.run(outer, {x: np.float32(k)}) == 2 * k + 1 + k
        assert native_runs(sess) >= 5


def test_threads_share_a_session():
    x = tf.placeholder(tf.float32, [None])
    v = tf.Variable(tf.zeros([200, 200]))
    count = tf.Variable(0)
    bump, more = tf.assign_add(count, 1), tf.assign_add(v, tf.ones([200, 200]))
    long = tf.reduce_sum(tf.tanh(tf.matmul(v[:50], v)) * 0.0) + tf.reduce_sum(x)
    sizes = [np.ones(k, np.float32) for k in (3, 300, 100_000)]
    errors = []
    with tf.Session() as sess:
        sess.run([v.initializer, count.initializer])
        call = sess.make_callable(long, [x])

        def work(number):
            try:
                for k in range(60):
                    value = sizes[(k + number) % 3]
                    sess.run(bump)
                    sess.run([more, bump])
                    feeds = {x: value}
                    assert sess.run(long, feeds) == len(value)
                    feeds.clear()
                    assert call(value) == len(value)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=[k]) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors
        assert sess.run(count) == 480
        np.testing.assert_array_equal(sess.run(v), np.full((200, 200), 240))
        assert native_runs(sess) > 300


def test_the_gil_is_released_in_long_runs_only():
    x = tf.placeholder(tf.float32, [600, 600])
    short, long = x[0, 0] + 1.0, tf.reduce_sum(tf.matmul(tf.matmul(x, x), tf.matmul(x, x)))
    value = np.zeros((600, 600), np.float32)
    ticks = []
    with tf.Session() as sess:
        for fetch in (short, long):
            known(sess, lambda f=fetch: sess.run(f, {x: value}))
        flags = [e.record[fast_run.Entry.LONG] for e in sess._fast._entries.values()]
        assert flags == [0, 1]
        done = threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0.0001)

        thread = threading.Thread(target=tick)
        thread.start()
        start = time.perf_counter()
        for _ in range(20):
            sess.run(long, {x: value})
        seconds = time.perf_counter() - start
        done.set()
        thread.join()
        within = [t for t in ticks if start < t < start + seconds]
        assert len(within) > 10


def test_an_assignment_writes_where_the_variable_lies():
    x, y = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [5])
    v, w, u = tf.Variable(1.0), tf.Variable(tf.zeros([5])), tf.Variable(tf.ones([5]))
    to_x, to_7, to_y = v.assign(x), v.assign(7.0).op, w.assign(y).op
    swap = tf.group(w.assign(u), u.assign(w * 2.0))
    with tf.control_dependencies([tf.Assert(x < 5.0, [x])]):
        guarded = v.assign(x)
    init = tf.global_variables_initializer()
    with tf.Session() as sess:
        for _ in range(2):
            sess.run(init)
        assert known(sess, lambda: sess.run(to_x, {x: np.float32(3.0)})) == 3.0
        known(sess, lambda: sess.run(to_7))
        fed = np.arange(5, dtype=np.float32)
        known(sess, lambda: sess.run(to_y, {y: fed}))
        fed += 1
        assert sess.run(v) == 7.0
        assert_same(sess.run(w), fed - 1)
        sess.run(swap)
        assert_same(sess.run(w), np.ones(5, np.float32))
        known(sess, lambda: sess.run(guarded, {x: np.float32(4.0)}))
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(guarded, {x: np.float32(6.0)})
        assert sess.run(v) == 4.0


def test_an_entry_that_is_thrown_away_while_it_converts_is_not_run():
    """A warning of numpy's runs Python code, which gives the variable another type, and has new
    entries made: what all entries rely on is then as it should be, but for the one in flight."""
    v = tf.Variable(np.zeros(300, np.float32), validate_shape=False)
    p = tf.placeholder(tf.float32, [None])
    change = tf.assign(v, p, validate_shape=False).op
    large, called = np.full(300, 1e300), []
    with tf.Session() as sess:
        sess.run(v.initializer)
        known(sess, lambda: sess.run(change, {p: np.ones(300)}))

        def meanwhile(*_):
            if not called:
                called.append(True)
                sess.run(change, {p: np.ones(2)})
                known(sess, lambda: sess.run(change, {p: np.ones(2)}))

        before = np.seterrcall(meanwhile)
        try:
            with np.errstate(over="call"):
                sess.run(change, {p: large})
        finally:
            np.seterrcall(before)
        assert called and sess.run(v).tolist() == [np.inf] * 300
