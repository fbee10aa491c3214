"""Panels of weights that a Session keeps between runs: whoever writes a variable, by whatever way,
the next run sees what it wrote, to the bit."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc.base.options import options
from tfc.cache import default_cache

pytestmark = pytest.mark.usefixtures("fresh_graph")

ROWS, DEPTH, COLUMNS = 50, 60, 33  # such a product copies its second operand


@pytest.fixture(autouse=True, params=["python", "native"])
def _dispatch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "fast_run", 0 if request.param == "python" else 2)


def weights(seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randn(DEPTH, COLUMNS).astype(np.float32)


class Net:
    """x . w, and the same of a w that is fed, which nothing can keep."""

    def __init__(self) -> None:
        self.rows = np.random.RandomState(9).randn(ROWS, DEPTH).astype(np.float32)
        self.x = tf.placeholder(tf.float32, [ROWS, DEPTH])
        self.fed = tf.placeholder(tf.float32, [DEPTH, COLUMNS])
        self.w = tf.Variable(weights(0), name="w")
        self.y = tf.matmul(self.x, self.w)
        self.want = tf.matmul(self.x, self.fed)
        self.sess = tf.Session()
        self.sess.run(tf.global_variables_initializer())

    def check(self, runs: int = 4) -> None:
        """Some runs, the last of which reads panels, give what w holds."""
        now = self.sess.run(self.w)
        want = self.sess.run(self.want, {self.x: self.rows, self.fed: now})
        for _ in range(runs):
            np.testing.assert_array_equal(self.sess.run(self.y, {self.x: self.rows}), want)

    @property
    def store(self) -> Any:
        return self.sess._runtime.store

    def fresh(self) -> bool:
        """Whether the panels are those of what w holds."""
        (kept,) = self.store._kept.values()
        return bool(kept.stamp == self.store.version("w").value)


def test_panels_are_used() -> None:
    net = Net()
    net.check()
    assert net.fresh() and net.store.kept_bytes >= DEPTH * COLUMNS * 4
    before = net.sess.run(net.y, {net.x: net.rows})
    net.store["w"].array[...] = 0  # behind the Session's back: nobody counts it
    np.testing.assert_array_equal(net.sess.run(net.y, {net.x: net.rows}), before)
    net.store.version("w").value += 1
    assert not net.sess.run(net.y, {net.x: net.rows}).any()


def test_signatures_share_panels() -> None:
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, DEPTH])
    w = tf.Variable(weights(0), name="w")
    y, z = tf.matmul(x, w), tf.nn.relu(tf.matmul(x, w))
    with tf.Session() as sess:
        sess.run(w.initializer)
        for fetch in (y, z):
            for rows in (64, 128, 192):
                for _ in range(3):
                    sess.run(fetch, {x: np.ones((rows, DEPTH), np.float32)})
        assert len(sess._runtime.store._kept) < 4


def _of_optimizer(net: Net) -> Any:
    loss = tf.reduce_sum(tf.square(tf.matmul(net.x, net.w)))
    return tf.train.AdamOptimizer(0.1).minimize(loss, var_list=[net.w])


def _in_while(net: Net) -> Any:
    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.assign_add(net.w, tf.ones_like(net.w))]):
            return i + 1

    return tf.while_loop(lambda i: i < 3, body, [0])


def _in_cond(net: Net) -> Any:
    return tf.cond(
        tf.reduce_sum(net.x) < 1e9, lambda: tf.assign(net.w, net.w * 2), lambda: net.w.read_value()
    )


def _by_host(net: Net) -> Any:
    """What is written comes from Python."""
    value = tf.py_func(lambda a: a + np.float32(1), [net.w], tf.float32)
    value.set_shape(net.w.shape)
    return tf.assign(net.w, value)


WRITERS: dict[str, Callable[[Net], Any]] = {
    "assign": lambda net: tf.assign(net.w, tf.random_normal([DEPTH, COLUMNS])),
    "add": lambda net: tf.assign_add(net.w, tf.ones([DEPTH, COLUMNS])),
    "sub": lambda net: net.w.assign_sub(tf.ones([DEPTH, COLUMNS])),
    "rows": lambda net: tf.scatter_update(net.w, [3], tf.ones([1, COLUMNS])),
    "part": lambda net: net.w[2:5, 1].assign([1.0, 2.0, 3.0]),
    "fed": lambda net: tf.assign(net.w, net.x[:1, :1] + tf.zeros_like(net.w)),
    "another's": lambda net: tf.assign(net.w, tf.Variable(weights(7))),
    "optimizer": _of_optimizer,
    "while": _in_while,
    "cond": _in_cond,
    "host": _by_host,
    "initializer": lambda net: tf.group(tf.assign_add(net.w, net.w), net.w.initializer),
    "with a read": lambda net: [tf.assign_add(net.w, net.w), net.y],
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers(name: str) -> None:
    net = Net()
    writer = WRITERS[name](net)
    net.sess.run(tf.global_variables_initializer())
    feed = {net.x: net.rows}
    net.check()
    for turn in range(5):
        net.sess.run(writer, feed)
        net.check(turn)  # between none and enough runs for panels
    call = net.sess.make_callable(writer, [net.x])
    for _ in range(3):
        call(net.rows)
        net.check()
    assert net.fresh()


def test_a_run_that_fails_changes_nothing() -> None:
    net = Net()
    index = tf.placeholder(tf.int32, [1])
    bad = tf.scatter_update(net.w, index, tf.ones([1, COLUMNS]))
    both = tf.group(tf.assign_add(net.w, tf.ones_like(net.w)), bad)
    net.check()
    before = net.sess.run(net.w)
    for _ in range(3):
        with pytest.raises(tf.errors.InvalidArgumentError):
            net.sess.run(both, {index: [DEPTH]})
        net.check()
    np.testing.assert_array_equal(net.sess.run(net.w), before)
    net.sess.run(both, {index: [1]})
    net.check()


def test_load_restore_and_initialize(tmp_path: Path) -> None:
    net = Net()
    saver = tf.train.Saver()
    path = saver.save(net.sess, str(tmp_path / "model"))
    net.check()
    net.w.load(weights(3), net.sess)
    net.check()
    np.testing.assert_array_equal(net.sess.run(net.w), weights(3))
    saver.restore(net.sess, path)
    net.check()
    np.testing.assert_array_equal(net.sess.run(net.w), weights(0))
    net.w.load(weights(4), net.sess)
    net.check()
    net.sess.run(net.w.initializer)
    net.check()


def test_run_loop_writes() -> None:
    net = Net()
    train = _of_optimizer(net)
    fails = tf.group(train, tf.Assert(tf.less(net.w[0, 0], 1e9 * net.x[0, 0]), ["too large"]))
    net.sess.run(tf.global_variables_initializer())
    net.check()
    for steps in (1, 5):
        net.sess.run_loop(train, steps, feed_dict={net.x: net.rows})
        net.check()
    net.sess.run_loop(net.y, 5, feed_dict={net.x: net.rows})
    net.check()
    with pytest.raises(tf.errors.InvalidArgumentError):
        net.sess.run_loop(fails, 5, feed_dict={net.x: np.zeros_like(net.rows)})
    net.check()


def test_another_shape_and_back() -> None:
    net = Net()
    net.check()
    grow = tf.assign(net.w, tf.ones([DEPTH, COLUMNS + 2]), validate_shape=False)
    shrink = tf.assign(net.w, tf.fill([DEPTH, COLUMNS], 2.0), validate_shape=False)
    for _ in range(3):
        net.sess.run(grow)
        got = net.sess.run(net.w)
        assert got.shape == (DEPTH, COLUMNS + 2)
        want = net.rows @ got
        np.testing.assert_allclose(net.sess.run(net.y, {net.x: net.rows}), want, rtol=1e-4)
        net.sess.run(shrink)
        net.check()


def test_sessions_have_their_own() -> None:
    net = Net()
    net.check()
    first, net.sess = net.sess, tf.Session()
    net.sess.run(tf.assign(net.w, weights(5)))
    net.check()
    np.testing.assert_array_equal(net.sess.run(net.w), weights(5))
    net.sess = first
    net.check()


def test_close_frees_what_is_kept() -> None:
    net = Net()
    net.check()
    (kept,) = map(weakref.ref, net.store._kept.values())
    assert net.store.kept_bytes
    store = net.store
    net.sess.close()
    assert not store.kept_bytes
    del net, store
    gc.collect()
    assert kept() is None


def test_frozen_graph() -> None:
    net = Net()
    frozen = tf.graph_util.convert_variables_to_constants(
        net.sess, net.sess.graph_def, [net.y.op.name]
    )
    want = net.sess.run(net.y, {net.x: net.rows})
    with tf.Graph().as_default() as graph:
        (y,) = tf.import_graph_def(frozen, return_elements=[net.y.name], name="")
        x = graph.get_tensor_by_name(net.x.name)
        with tf.Session() as sess:
            for _ in range(5):
                np.testing.assert_array_equal(sess.run(y, {x: net.rows}), want)
            (kept,) = sess._runtime.store._kept.values()
            assert kept.stamp == 1
            wrong: list[Any] = []

            def work() -> None:
                for _ in range(20):
                    if not np.array_equal(sess.run(y, {x: net.rows}), want):
                        wrong.append(1)

            _all_at_once([work] * 4)
            assert not wrong


def _all_at_once(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_that_write_while_others_read() -> None:
    """Each read is of one content or of another, never of a mixture; and in the end of the last."""
    net = Net()
    value = tf.placeholder(tf.float32, [])
    write = tf.assign(net.w, tf.fill([DEPTH, COLUMNS], value))
    ones = np.ones((ROWS, DEPTH), np.float32)
    wrong: list[Any] = []
    done = threading.Event()

    def reads() -> None:
        while not done.is_set():
            got = net.sess.run(net.y, {net.x: ones})
            if (got != got[0, 0]).any() or got[0, 0] % DEPTH:
                wrong.append(got)

    def writes() -> None:
        for k in range(200):
            net.sess.run(write, {value: float(k)})
            got = net.sess.run(net.y, {net.x: ones})
            if not (got == k * DEPTH).all():
                wrong.append(got)
        done.set()

    net.sess.run(write, {value: 0.0})
    _all_at_once([writes, reads, reads])
    assert not wrong
    net.check()


def test_stages_and_iterators() -> None:
    """A run of several stages, one of which writes; and a dataset's function that reads."""
    net = Net()
    text = tf.as_string(tf.reduce_sum(net.y))  # Python's
    with tf.control_dependencies([text]):
        write = tf.assign_add(net.w, tf.ones_like(net.w))
        with tf.control_dependencies([write]):
            after = tf.matmul(net.x, net.w.read_value())
    for _ in range(4):
        got = net.sess.run([text, after], {net.x: net.rows})[1]
        now = net.sess.run(net.w)
        want = net.sess.run(net.want, {net.x: net.rows, net.fed: now})
        np.testing.assert_array_equal(got, want)
        net.check()


def test_recalled_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "cache", str(tmp_path))
    assert default_cache() is not None
    for _ in range(2):
        tf.reset_default_graph()
        net = Net()
        net.check()
        assert net.fresh()
        net.sess.run(tf.assign(net.w, weights(6)))
        net.check()
        net.sess.close()


def test_in_loops_and_branches() -> None:
    """Products in a loop's body and in a branch keep panels, of variables that nobody writes."""
    random = np.random.RandomState(1)
    size = 160
    w = tf.Variable(random.randn(size, size).astype(np.float32) / 12, name="w")
    x = tf.placeholder(tf.float32, [3, size])
    turns = tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(
        lambda i, _: i < turns, lambda i, s: (i + 1, tf.tanh(tf.matmul(s, w))), [0, x]
    )
    z = tf.cond(turns > 2, lambda: tf.matmul(x, w), lambda: tf.matmul(x, w * 2))
    bump = tf.assign_add(w, tf.ones_like(w) * 0.01)
    rows = random.randn(3, size).astype(np.float32)
    with tf.Session() as sess:
        sess.run(w.initializer)
        for _ in range(3):
            now = sess.run(w)
            for n in (0, 1, 2, 3, 7):
                want = rows
                for _ in range(n):
                    want = np.tanh(want @ now)
                got = sess.run([y, z], {x: rows, turns: n})
                np.testing.assert_allclose(got[0], want, rtol=2e-4, atol=1e-5)
                flat = rows @ now * (1 if n > 2 else 2)
                np.testing.assert_allclose(got[1], flat, rtol=2e-4, atol=1e-4)
            assert sess._runtime.store._kept
            assert any(
                kept.stamp == sess._runtime.store.version("w").value
                for kept in sess._runtime.store._kept.values()
            )
            sess.run(bump)
