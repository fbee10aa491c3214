"""Session.run_loop: the bits of the same steps through Session.run, what ends it and what fails."""

from __future__ import annotations

import collections
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc.client import loop_plan
from tfc.client.run_loop import LoopResult

pytestmark = pytest.mark.usefixtures("fresh_graph")

STEPS = 23
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adam": tf.train.AdamOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9, use_nesterov=True),
    "sgd": tf.train.GradientDescentOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}


class Model:
    """A small classifier with dropout, whose learning rate falls as steps are counted."""

    def __init__(self, optimizer: Callable[[Any], Any] = tf.train.AdamOptimizer):
        tf.set_random_seed(3)
        random = np.random.RandomState(0)
        self.x = tf.placeholder(tf.float32, [None, 20], name="x")
        self.y = tf.placeholder(tf.int32, [None], name="y")
        self.keep = tf.placeholder(tf.float32, [], name="keep")
        step = tf.train.get_or_create_global_step()
        self.rate = tf.train.exponential_decay(0.05, step, 4, 0.8, staircase=True)
        w1 = tf.get_variable("w1", [20, 12])
        b1 = tf.get_variable("b1", [12])
        w2 = tf.get_variable("w2", [12, 5])
        hidden = tf.nn.dropout(tf.nn.relu(tf.matmul(self.x, w1) + b1), keep_prob=self.keep)
        self.logits = tf.matmul(hidden, w2)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=self.y, logits=self.logits)
        self.loss = tf.reduce_mean(losses)
        self.train = optimizer(self.rate).minimize(self.loss, global_step=step)
        self.fetches = [self.train, self.loss, {"rate": self.rate, "step": step}, self.logits]
        self.images = random.rand(37, 20).astype(np.float32)
        self.labels = random.randint(0, 5, 37)
        self.keeps = (random.rand(STEPS) * 0.5 + 0.4).astype(np.float32)

    def session(self) -> tf.Session:
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
        return sess

    def batches(self) -> tf.Batches:
        return tf.Batches({self.x: self.images, self.y: self.labels}, size=5, seed=4)


def assert_same_bits(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


def counter(sess: Any) -> tuple[Any, Any]:
    """An int32 variable that starts at 0, and the tensor that adds 1 to it."""
    v = tf.Variable(0)
    sess.run(v.initializer)
    return v, v.assign_add(1)


# --- the same bits --------------------------------------------------------------------------


@pytest.mark.parametrize("small_calls", (False, True))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_same_bits_as_session_run(name: str, small_calls: bool, monkeypatch) -> None:
    if small_calls:  # a few rows a call, of each kind
        monkeypatch.setattr(loop_plan, "ROW_BYTES", 400)
        monkeypatch.setattr(loop_plan, "TABLE_BYTES", 7 * 5 * 8)
        monkeypatch.setattr(loop_plan, "MOST_ROWS", 4)
    model = Model(OPTIMIZERS[name])
    with model.session() as sess:
        loop = sess.run_loop(
            model.fetches, STEPS, per_step={model.keep: model.keeps}, data=model.batches()
        )
        after = sess.run(tf.global_variables())
        following = sess.run(model.logits, {**next(model.batches()), model.keep: 0.5})
    assert (loop.steps, loop.stopped, loop.values[0]) == (STEPS, None, None)
    with model.session() as sess:
        batches, runs = model.batches(), []
        for keep in model.keeps:
            runs.append(sess.run(model.fetches, {**next(batches), model.keep: keep}))
        assert_same_bits(loop.values[1], [r[1] for r in runs])
        for key in ("rate", "step"):
            assert_same_bits(loop.values[2][key], [r[2][key] for r in runs])
        assert_same_bits(loop.values[3], [r[3] for r in runs])
        for got, want in zip(after, sess.run(tf.global_variables()), strict=True):
            assert_same_bits(got, want)
        # the dropout goes on where it was
        assert_same_bits(
            following, sess.run(model.logits, {**next(model.batches()), model.keep: 0.5})
        )
    assert runs[0][2]["rate"] > runs[-1][2]["rate"]


@pytest.mark.parametrize("stops", ({}, {"stop_on_nan": True}))
def test_sums_have_the_bits_of_session_run(stops: dict[str, Any]) -> None:
    """How a sum is split depends on what is fused with it: the loop must add nothing to that."""
    x, y = (tf.placeholder(tf.float32, [None]) for _ in range(2))
    slope, offset = tf.Variable(0.0), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.squared_difference(x * slope + offset, y))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    points = np.random.RandomState(0).standard_normal(801).astype(np.float32)

    def batches() -> tf.Batches:
        return tf.Batches({x: points, y: 3 * points + 1}, size=100)

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run_loop([train, loss], 60, data=batches(), **stops).values[1]
        after = sess.run([slope, offset])
        sess.run(tf.global_variables_initializer())
        feeds = batches()
        want = [sess.run([train, loss], next(feeds))[1] for _ in range(60)]
        assert_same_bits(got, want)
        assert_same_bits(after, sess.run([slope, offset]))


def test_the_kernels_of_a_step_are_compiled_once(monkeypatch) -> None:
    model = Model()
    seen: list[Any] = []
    monkeypatch.setattr("tfc.compiler.observers", [seen.append])
    with model.session() as sess:
        feed = {model.keep: 0.5}
        sess.run([model.train, model.loss], {**feed, **next(model.batches())})
        sess.run_loop([model.train, model.loss], 3, feed, data=model.batches())
    run, loop = seen[-2:]
    assert len(run.code.kernels) > 5
    assert set(run.code.kernels) <= set(loop.code.kernels)


def test_steps_in_parts_go_on_where_they_were() -> None:
    model = Model()
    feed = {model.keep: 0.8}
    with model.session() as sess:
        whole = sess.run_loop(model.loss, 12, feed, data=model.batches()).values
    with model.session() as sess:
        batches = model.batches()
        first = sess.run_loop(model.loss, 5, feed, data=batches).values
        second = [sess.run(model.loss, {**feed, **next(batches)}) for _ in range(3)]
        third = sess.run_loop(model.loss, 4, feed, data=batches).values
    assert_same_bits([*first, *second, *third], whole)


def test_one_native_function_serves_all_numbers_of_steps() -> None:
    model = Model()
    with model.session() as sess:
        before = sess.statistics.misses
        batches = model.batches()
        for steps, every in ((1, 1), (17, 2), (300, 7)):
            sess.run_loop(
                [model.train, model.loss], steps, {model.keep: 1.0}, data=batches, every=every
            )
        assert sess.statistics.misses == before + 1
        calls = sess.statistics.native_calls
        sess.run_loop([model.train, model.loss], 5000, {model.keep: 1.0}, data=batches)
        assert sess.statistics.native_calls - calls < 50


def test_control_flow_inside_of_a_step() -> None:
    v, w = tf.Variable(1.0), tf.Variable(np.arange(40, dtype=np.float32))
    x = tf.placeholder(tf.float32, [])
    halved = tf.cond(v > x, lambda: v * 0.5, lambda: v + x)
    grown = tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, tf.sin(z) + v), [0, w])[1]
    step = tf.group(v.assign(halved), w.assign(grown))
    xs = np.linspace(0, 2, 9, dtype=np.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        loop = sess.run_loop([step, v, w], 9, per_step={x: xs})
        after = sess.run([v, w])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        runs = [sess.run([step, v, w], {x: k}) for k in xs]
        for k in (1, 2):
            assert_same_bits(loop.values[k], [r[k] for r in runs])
            assert_same_bits(after[k - 1], sess.run([v, w][k - 1]))


def test_a_loop_whose_gradient_needs_more_room() -> None:
    """How many iterations there is room for is learned in the middle of the steps."""
    v, n = tf.Variable(1.0), tf.placeholder(tf.int32, [])
    y = tf.while_loop(lambda i, z: i < n, lambda i, z: (i + 1, tf.sin(z) + 0.5 * v), [0, v])[1]
    train = tf.train.GradientDescentOptimizer(0.01).minimize(y)
    turns = np.array([3, 40, 5000, 7, 12000, 1], np.int32)
    with tf.Session() as sess:
        sess.run(v.initializer)
        got = sess.run_loop([train, y], 6, per_step={n: turns}).values[1]
        after = sess.run(v)
        sess.run(v.initializer)
        assert_same_bits(got, [sess.run([train, y], {n: k})[1] for k in turns])
        assert_same_bits(after, sess.run(v))


def test_variables_that_change_places() -> None:
    a, b = tf.Variable(np.arange(50.0)), tf.Variable(np.arange(50.0)[::-1].copy())
    old_a, old_b = tf.identity(a), tf.identity(b)
    with tf.control_dependencies([old_a, old_b]):
        swap = tf.group(a.assign(old_b), b.assign(old_a + 1.0))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run_loop(swap, 7)
        got = sess.run([a, b])
        sess.run(tf.global_variables_initializer())
        for _ in range(7):
            sess.run(swap)
        for one, other in zip(got, sess.run([a, b]), strict=True):
            assert_same_bits(one, other)


# --- what is collected ----------------------------------------------------------------------


def test_structures_and_types() -> None:
    Pair = collections.namedtuple("Pair", "x y")
    x = tf.placeholder(tf.float64, [2])
    with tf.Session() as sess:
        v, up = counter(sess)
        got = sess.run_loop(
            Pair({"up": up, "op": up.op}, [x, up > 2, v.name]), 4, {x: [1, 2]}
        ).values
    assert isinstance(got, Pair) and got.x["op"] is None
    assert_same_bits(got.x["up"], np.array([1, 2, 3, 4], np.int32))
    assert_same_bits(got.y[0], np.array([[1.0, 2.0]] * 4))
    assert_same_bits(got.y[1], np.array([False, False, True, True]))


@pytest.mark.parametrize("every", (1, 2, 3, 10, 11))
@pytest.mark.parametrize("row_bytes", (8, 1 << 18))
def test_every(every: int, row_bytes: int, monkeypatch) -> None:
    monkeypatch.setattr(loop_plan, "ROW_BYTES", row_bytes)
    with tf.Session() as sess:
        _, up = counter(sess)
        result = sess.run_loop([up, tf.fill([3], up)], 10, every=every)
    assert_same_bits(result.values[0], np.arange(every, 11, every, dtype=np.int32))
    assert result.values[1].shape == (10 // every, 3) and result.steps == 10
    assert (result.values[1] == result.values[0][:, None]).all()


DTYPES = ["bool", "complex64", "complex128", "bfloat16", "float16", "float32", "float64"]
DTYPES += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_is_fed_and_collected(name: str) -> None:
    dtype = getattr(tf, name)
    random = np.random.RandomState(0)
    each, table = (random.randint(0, 2, s).astype(dtype.as_numpy_dtype) for s in ((7, 2), (9, 3)))
    same, step, batch = (tf.placeholder(dtype, shape) for shape in ([], [2], [None, 3]))
    v = tf.Variable(np.zeros(2, dtype.as_numpy_dtype))
    with tf.Session() as sess:
        sess.run(v.initializer)
        got = sess.run_loop(
            [v.assign(step), step, batch, same],
            7,
            {same: each[0, 0]},
            per_step={step: each},
            data=tf.Batches({batch: table}, 4, seed=2),
        ).values
        assert_same_bits(sess.run(v), each[-1])
    order = tf.Batches({batch: table}, 4, seed=2).peek(7)
    for value, want in zip(got, (each, each, table[order], np.full(7, each[0, 0])), strict=True):
        assert_same_bits(value, want)


def test_steps_that_do_next_to_nothing() -> None:
    empty = tf.Variable(tf.zeros([0, 3]))
    with tf.Session() as sess:
        sess.run(empty.initializer)
        assert sess.run_loop(tf.no_op(), 5) == LoopResult(None, 5)
        assert sess.run_loop([], 3).values == []
        assert sess.run_loop(tf.constant([1, 2]), 2).values.tolist() == [[1, 2], [1, 2]]
        assert sess.run_loop(empty.assign_add(tf.ones([0, 3])), 3).values.shape == (3, 0, 3)


def test_more_values_than_there_is_memory_for() -> None:
    with tf.Session() as sess:
        v, up = counter(sess)
        with pytest.raises(tf.errors.ResourceExhaustedError, match="collect fewer of them"):
            sess.run_loop(up, 10**15)
        assert sess.run(v) == 0


def test_values_larger_than_what_one_call_collects() -> None:
    with tf.Session() as sess:
        _, up = counter(sess)
        got = sess.run_loop(tf.fill([100_000], up), 5).values
    assert got.shape == (5, 100_000) and (got == np.arange(1, 6)[:, None]).all()


# --- batches --------------------------------------------------------------------------------


def test_the_order_of_batches() -> None:
    x, y = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int64, [None])
    rows = np.arange(22).reshape(11, 2)
    batches = tf.Batches({x: rows, y: np.arange(11)}, size=4, seed=9)
    random = np.random.default_rng(9)
    order = np.concatenate([random.permutation(11)[:8] for _ in range(3)]).reshape(6, 4)
    assert batches.steps_per_epoch == 2
    for k in range(2):
        feed = next(batches)
        assert_same_bits(feed[x], rows[order[k]].astype(np.float32))
        assert_same_bits(feed[y], order[k])
    with tf.Session() as sess:
        xs, ys = sess.run_loop([x, y], 4, data=batches).values
    assert_same_bits(ys, order[2:])
    assert_same_bits(xs, rows[order[2:]].astype(np.float32))
    plain = tf.Batches({y: range(5)}, size=2, shuffle=False)
    with tf.Session() as sess:
        assert_same_bits(sess.run_loop(y, 3, data=plain).values, np.array([[0, 1], [2, 3], [0, 1]]))


def test_batches_that_cannot_be() -> None:
    x, y = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int64, [4])
    rows = np.zeros((6, 2))
    with pytest.raises(TypeError, match="a dictionary of tensors"):
        tf.Batches({}, 2)
    with pytest.raises(TypeError, match="must be a tensor, but is 'x'"):
        tf.Batches({"x": rows}, 2)
    for size in (0, 7):
        with pytest.raises(ValueError, match=f"batches of {size} cannot be made of 6 examples"):
            tf.Batches({x: rows}, size)
    with pytest.raises(ValueError, match="as many entries of each"):
        tf.Batches({x: rows, y: np.zeros(5, int)}, 4)
    with pytest.raises(ValueError, match=r"shape \(2,\) for Tensor 'Placeholder_1:0'"):
        tf.Batches({y: np.zeros(5, int)}, 2)
    with pytest.raises(ValueError, match="no axis of entries"):
        tf.Batches({tf.placeholder(tf.float32): 1.0}, 2)


# --- what ends a loop -----------------------------------------------------------------------


def test_until() -> None:
    with tf.Session() as sess:
        v, up = counter(sess)
        result = sess.run_loop(up, 100, until=up >= 5)
        assert (result.steps, result.stopped, result.stopped_by.op.type) == (
            5, "until", "GreaterEqual",
        )  # fmt: skip
        assert_same_bits(result.values, np.arange(1, 6, dtype=np.int32))
        assert sess.run(v) == 5
        result = sess.run_loop(up, 100, every=3, until=up >= 12)
        assert (result.steps, list(result.values)) == (7, [8, 11])
        with pytest.raises(ValueError, match="until must be a bool tensor, but .* is int32"):
            sess.run_loop(up, 3, until=up)
        with pytest.raises(ValueError, match="until must be a scalar"):
            sess.run_loop(up, 3, until=tf.constant([True]))


def test_stop_on_nan() -> None:
    x = tf.placeholder(tf.float32, [3])
    y = x * 2.0
    xs = np.ones((6, 3), np.float32)
    xs[3, 1] = np.nan
    with tf.Session() as sess:
        v, up = counter(sess)
        for which in (True, y, [y]):
            sess.run(v.initializer)
            result = sess.run_loop([y, up], 6, per_step={x: xs}, stop_on_nan=which)
            assert (result.steps, result.stopped, sess.run(v)) == (4, "nan", 4)
            assert result.stopped_by is y
            assert_same_bits(result.values[0], xs[:4] * 2)
        assert sess.run_loop([y, up], 6, per_step={x: xs}).stopped is None
        assert sess.run_loop(up, 6, per_step={x: xs}, stop_on_nan=True).stopped is None
        both = sess.run_loop(up, 6, per_step={x: xs}, stop_on_nan=y, until=tf.is_nan(y)[1])
        assert (both.steps, both.stopped) == (4, "nan")
        with pytest.raises(ValueError, match="stop_on_nan takes floating tensors"):
            sess.run_loop(y, 6, per_step={x: xs}, stop_on_nan=up)


def test_the_tensor_with_the_nan_is_named() -> None:
    """In registers and in memory; of several the first that was asked for."""
    x = tf.placeholder(tf.float32, [])
    for big in (x, x + tf.zeros([3000])):
        root, log, plain = tf.sqrt(big), tf.log(big), big * 2.0
        with tf.Session() as sess:
            for value, wanted, found in (
                (-1.0, [plain, log, root], log),
                (-1.0, [root, log], root),
                (np.nan, [plain, log], plain),
            ):
                xs = np.array([1.0, 2.0, value, 1.0], np.float32)
                result = sess.run_loop([], 4, per_step={x: xs}, stop_on_nan=wanted)
                assert (result.steps, result.stopped, result.stopped_by) == (3, "nan", found)
            assert sess.run_loop(log, 2, {x: 1.0}, stop_on_nan=True).stopped_by is None


def test_callbacks() -> None:
    seen = []
    with tf.Session() as sess:
        v, up = counter(sess)

        def callback(step: int, values: Any) -> bool:
            seen.append((step, values["up"], sess.run(v)))
            return step == 12

        result = sess.run_loop({"up": up}, 100, every=2, callback=callback, callback_every=4)
        assert seen == [(4, 4, 4), (8, 8, 8), (12, 12, 12)]
        assert (result.steps, result.stopped) == (12, "callback")
        assert list(result.values["up"]) == [2, 4, 6, 8, 10, 12]
        with pytest.raises(ValueError, match="callback_every=3 is no multiple of every=2"):
            sess.run_loop(up, 9, every=2, callback=callback, callback_every=3)


def test_callbacks_by_time(monkeypatch) -> None:
    monkeypatch.setattr("tfc.client.run_loop.SECONDS", 0.01)
    seen = []
    with tf.Session() as sess:
        v, up = counter(sess)

        def callback(step: int, value: Any) -> bool:
            assert step % 1000 == 0 and value == step == sess.run(v)
            seen.append(step)
            return len(seen) == 3

        result = sess.run_loop(up, 2 * 10**9, every=1000, callback=callback)
    assert (result.steps, result.stopped) == (seen[-1], "callback")


def test_what_a_callback_assigns_counts() -> None:
    with tf.Session() as sess:
        v, up = counter(sess)
        result = sess.run_loop(
            up, 4, callback=lambda step, _: v.load(10 * step, sess), callback_every=2
        )
    assert list(result.values) == [1, 2, 21, 22]


def test_what_a_callback_is_given_is_its_own() -> None:
    v = tf.Variable(tf.zeros([2]))
    up = v.assign_add([1.0, 1.0])
    kept = []

    def callback(_: int, value: Any) -> None:
        value += 90.0
        kept.append(value)

    with tf.Session() as sess:
        sess.run(v.initializer)
        result = sess.run_loop(up, 4, callback=callback, callback_every=2)
        assert result.values[:, 0].tolist() == [1, 2, 3, 4]
        assert [value.tolist() for value in kept] == [[92, 92], [94, 94]]
        assert all(value.base is None for value in kept)
        with pytest.raises(TypeError, match="callback must be callable, but is 3"):
            sess.run_loop(up, 4, callback=3)


def test_a_callback_that_changes_the_shape_of_a_variable() -> None:
    v = tf.Variable(tf.zeros([2]), validate_shape=False)
    new = tf.placeholder(tf.float32)
    other = tf.assign(v, new, validate_shape=False)
    up, total = v.assign_add(tf.ones_like(v)), tf.Variable(0.0)
    with tf.control_dependencies([up]):
        add = total.assign_add(tf.reduce_sum(v))
    with tf.Session() as sess:

        def callback(step: int, _: Any) -> None:
            sess.run(other.op, {new: np.zeros(step + 1)})

        sess.run([v.initializer, total.initializer])
        result = sess.run_loop([up.op, add], 4, callback=callback, callback_every=2)
        assert result.values[1].tolist() == [2, 6, 9, 15]
        sess.run(v.initializer)
        with pytest.raises(ValueError, match=r"was \(2,\) and is \(3,\) from step 3 on") as failed:
            sess.run_loop(up, 4, callback=callback, callback_every=2)
        assert failed.value.result.steps == 2


def test_numbers_larger_than_a_machine_word() -> None:
    with tf.Session() as sess:
        v, up = counter(sess)
        result = sess.run_loop(up.op, 2**70, until=up >= 5)
        assert (result.steps, result.stopped, sess.run(v)) == (5, "until", 5)
        result = sess.run_loop(up, 10, every=2**63, callback=print, callback_every=2**65)
        assert (result.steps, result.stopped, result.values.shape) == (10, None, (0,))


def test_progress(monkeypatch) -> None:
    bars: list[Any] = []

    class Bar:
        def __init__(self, total: int, unit: str):
            self.total, self.done, self.closed = total, 0, False
            bars.append(self)

        def update(self, steps: int) -> None:
            self.done += steps

        def close(self) -> None:
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    with tf.Session() as sess:
        _, up = counter(sess)
        sess.run_loop(up, 1000, progress=True)
        (bar,) = bars
        assert (bar.total, bar.done, bar.closed) == (1000, 1000, True)
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        with pytest.raises(ImportError, match="through tqdm, which is not installed"):
            sess.run_loop(up, 10, progress=True)


# --- what fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ("memory", "registers"))
@pytest.mark.parametrize("level", (0, 1))
def test_a_step_that_fails_undoes_itself_alone(where: str, level: int, monkeypatch) -> None:
    """Whether the loop keeps its values in memory or in registers: what it did before stays."""
    monkeypatch.setattr("tfc.base.options.options.level", level)
    i = tf.placeholder(tf.int32, [])
    table = tf.constant([5, 6, 7])
    shape = [] if where == "registers" else [40]
    indices = np.array([0, 1, 2, 0, 2, 1, 0, 3, 1, 0], np.int32)
    with tf.Session() as sess:
        count, up = counter(sess)
        total = tf.Variable(tf.zeros(shape, tf.int32))
        sess.run(total.initializer)
        add = total.assign_add(tf.fill(shape, tf.gather(table, i)))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"3 .*not in \[0, 3\)") as failed:
            sess.run_loop([up, add.op], 10, per_step={i: indices})
        assert failed.value.op is not None
        assert sess.run(count) == 7 and (sess.run(total) == 5 * 3 + 6 * 2 + 7 * 2).all()
        result = failed.value.result
        assert (result.steps, result.stopped, list(result.values[0])) == (
            7, "error", [1, 2, 3, 4, 5, 6, 7],
        )  # fmt: skip


def test_arguments_that_do_not_fit() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    y = x * 2.0
    rows = np.zeros((4, 2), np.float32)
    with tf.Session() as sess:
        for steps, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
            with pytest.raises(error, match="steps must be"):
                sess.run_loop(y, steps, {x: [1, 2]})
        with pytest.raises(ValueError, match="every must be positive"):
            sess.run_loop(y, 4, {x: [1, 2]}, every=0)
        with pytest.raises(ValueError, match="'x:0' has 4 entries, for 5 steps"):
            sess.run_loop(y, 5, per_step={x: rows})
        with pytest.raises(ValueError, match=r"shape \(3,\) for Tensor 'x:0'"):
            sess.run_loop(y, 4, per_step={x: np.zeros((4, 3))})
        with pytest.raises(TypeError, match="per_step must be a dictionary"):
            sess.run_loop(y, 4, per_step=rows)
        with pytest.raises(ValueError, match="no axis of entries"):
            sess.run_loop(tf.constant(1), 4, per_step={tf.placeholder(tf.float32, []): 1.0})
        with pytest.raises(ValueError, match="fed in more than one way: x:0"):
            sess.run_loop(y, 4, {x: [1, 2]}, per_step={x: rows})
        with pytest.raises(TypeError, match=r"data must be a tf\.Batches"):
            sess.run_loop(y, 4, data={x: rows})
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
            sess.run_loop(y, 4)
        with tf.Graph().as_default():
            other = tf.Batches({tf.placeholder(tf.float32, [None, 2]): rows}, 2)
        with pytest.raises(ValueError, match="another graph"):
            sess.run_loop(y, 4, {x: [1, 2]}, data=other)
        assert sess.run_loop(y, 2, {x: [1, 2]}).values.tolist() == [[2, 4], [2, 4]]
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run_loop(y, 2, {x: [1, 2]})


def test_uninitialised_variables() -> None:
    v, w = tf.Variable(1.0, name="v"), tf.Variable(1.0, name="w")
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
            sess.run_loop(v.assign_add(1.0), 3)
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value w"):
            sess.run_loop(w.initializer, 3)


def test_steps_that_are_not_native() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    v = tf.Variable(tf.zeros([2]), validate_shape=False, name="v")
    grow = tf.while_loop(
        lambda z: tf.reduce_sum(z) < 9.0,
        lambda z: tf.concat([z, z], 0),
        [x],
        shape_invariants=[tf.TensorShape([None])],
    )
    refused = {
        r"PyFunc 'f' .*: it runs in Python": tf.py_func(lambda a: a, [x], tf.float32, name="f") * 2,
        r"Where 'w' .*: it runs in Python": tf.where(x > 0.0, name="w"),
        "While 'while/While' .*after an iteration": grow,
        "strings have no native form": tf.as_string(x),
        "Variable.* 'v' .* f32.2. before a step and f32.4. after": tf.assign(
            v, tf.zeros([4]), validate_shape=False
        ),
    }
    with tf.Session() as sess:
        sess.run(v.initializer)
        for message, fetch in refused.items():
            with pytest.raises(tf.errors.UnimplementedError, match=message):
                sess.run_loop(fetch, 3, {x: [1.0, 2.0]})
        with pytest.raises(tf.errors.UnimplementedError, match="is no array of one shape"):
            sess.run_loop(tf.TensorArray(tf.float32, 3).handle, 2)
        zeros = tf.zeros([n])
        assert sess.run_loop(zeros, 3, {n: 2}).values.shape == (3, 2)
        assert sess.run_loop([zeros, n], 3, {n: 4}).values[0].shape == (3, 4)
        with pytest.raises(tf.errors.UnimplementedError, match="'n:0' decides a shape"):
            sess.run_loop(zeros, 3, per_step={n: [1, 2, 3]})


def test_closing_the_session_ends_a_loop() -> None:
    sess = tf.Session()
    _, up = counter(sess)
    threading.Timer(0.2, sess.close).start()
    with pytest.raises(tf.errors.CancelledError, match="Session has been closed"):
        sess.run_loop(up, 10**12, every=10**11)


def test_the_time_limit_is_that_of_a_step() -> None:
    config = tf.ConfigProto(operation_timeout_in_ms=300)
    with tf.Session(config=config) as sess:
        v, up = counter(sess)
        until = tf.while_loop(lambda z: z > 4.0, lambda z: z + 1.0, [tf.cast(up, tf.float32)])
        with pytest.raises(tf.errors.DeadlineExceededError) as failed:
            sess.run_loop(until, 10)
        assert failed.value.result.steps == sess.run(v) == 4


def test_a_single_step_that_takes_longer_than_the_limit() -> None:
    """It has no loop that could be told to stop: it is done, and then an error, as in `run`."""
    x = tf.Variable(tf.zeros([30_000, 40]))
    sorted_ = tf.reduce_sum(tf.sort(tf.cumsum(tf.sin(x), axis=0), axis=0))
    with tf.Session() as sess:
        v, up = counter(sess)
        sess.run(x.initializer)
        sess.run_loop([sorted_, up], 2)  # compiles
        sess._timeout = 1
        with pytest.raises(tf.errors.DeadlineExceededError) as failed:
            sess.run_loop([sorted_, up], 100_000)
        sess._timeout = 0
        assert failed.value.result.steps == sess.run(v) - 2
