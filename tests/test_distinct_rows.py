"""Sparse gradients whose rows are added up in place: no host stage, one compilation, equal bits.

Who fetches what the optimizer's `Unique` gives, gets TensorFlow's list of different indices, and
the update on the way that goes by that list. So the same step with and without that fetch compares
the two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
t = tf.train
ROWS = 23
SIZES = [15, 40]  # of batches: fewer than there are rows, and more
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adadelta": lambda: t.AdadeltaOptimizer(0.5),
    "adagrad": lambda: t.AdagradOptimizer(0.1),
    "adagrad_da": lambda: t.AdagradDAOptimizer(0.1, tf.constant(3, tf.int64)),
    "adam": lambda: t.AdamOptimizer(0.1),
    "centered": lambda: t.RMSPropOptimizer(0.1, momentum=0.5, centered=True),
    "ftrl": lambda: t.FtrlOptimizer(0.1, l1_regularization_strength=0.01),
    "ftrl_shrinkage": lambda: t.FtrlOptimizer(0.1, l2_shrinkage_regularization_strength=0.1),
    "momentum": lambda: t.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "proximal": lambda: t.ProximalGradientDescentOptimizer(0.1, 0.01, 0.01),
    "proximal_adagrad": lambda: t.ProximalAdagradOptimizer(0.1, 0.1, 0.01, 0.01),
    "rmsprop": lambda: t.RMSPropOptimizer(0.1, momentum=0.5),
}


class LazyAdam(t.AdamOptimizer):
    """Adam whose moments change in the given rows only, as programs write it."""

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        at = grad.indices
        m_t = tf.scatter_update(m, at, tf.gather(m, at) * 0.9 + grad.values * 0.1)
        v_t = tf.scatter_update(v, at, tf.gather(v, at) * 0.99 + tf.square(grad.values) * 0.01)
        step = tf.gather(m_t, at) * 0.1 / (tf.sqrt(tf.gather(v_t, at)) + 1e-8)
        return tf.group(tf.scatter_sub(var, at, step), m_t, v_t)


OPTIMIZERS["lazy"] = lambda: LazyAdam(0.1)


def training(
    make: Callable[[], Any], index: Any = np.int32, dtype: Any = np.float32, width: int | None = 3
) -> tuple[Any, Any]:
    """(placeholder for rows, training op) of a table of `width` columns; None: of a vector."""
    rs = np.random.RandomState(7)
    table = rs.standard_normal((ROWS, width) if width is not None else (ROWS,)).astype(dtype)
    ids = tf.placeholder(index, [None], "ids")
    v = tf.get_variable("v", initializer=tf.constant(table))
    return ids, make().minimize(tf.reduce_sum(tf.sin(3 * tf.gather(v, ids)) ** 2))


def batches(index: Any, count: int = 6, size: int = 40) -> list[np.ndarray]:
    rs = np.random.RandomState(3)
    return [rs.randint(0, rs.randint(1, ROWS + 1), size).astype(index) for _ in range(count)]


def trained(ids: Any, fetches: Sequence[Any], feeds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All variables after one step with each of the feeds."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for fed in feeds:
            sess.run(fetches, {ids: fed})
        return sess.run(tf.global_variables())


def assert_same_bits(ids: Any, train: Any, feeds: Sequence[np.ndarray]) -> None:
    unique = [op for op in tf.get_default_graph().get_operations() if op.type == "Unique"]
    assert unique
    found = trained(ids, [train], feeds)
    wanted = trained(ids, [train, *(op.outputs[0] for op in unique)], feeds)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_have_the_bits_that_lists_of_rows_give(name: str, size: int) -> None:
    ids, train = training(OPTIMIZERS[name])
    assert_same_bits(ids, train, batches(np.int32, 4, size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_function_serves_any_number_of_different_rows(name: str, size: int) -> None:
    ids, train = training(OPTIMIZERS[name])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.statistics.misses
        for fed in batches(np.int32, 8, size):
            sess.run(train, {ids: fed})
        assert sess.statistics.misses == before + 1
        assert sess.statistics.host_stages == 0


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("width", "size"), [(None, 15), (None, 40), (0, 15), (1, 40), (17, 15)])
def test_dtypes_and_widths(index: Any, dtype: Any, width: int | None, size: int) -> None:
    ids, train = training(OPTIMIZERS["adam"], index, dtype, width)
    assert_same_bits(ids, train, batches(index, 3, size))


@pytest.mark.parametrize("size", [0, 1, ROWS])
@pytest.mark.parametrize("name", ["adagrad", "adam", "lazy"])
def test_few_rows(name: str, size: int) -> None:
    ids, train = training(OPTIMIZERS[name])
    assert_same_bits(ids, train, batches(np.int32, 3, size))


@given(st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=9))
def test_any_batch(feeds: list[list[int]]) -> None:
    """Rows of small whole numbers, whose sums are exact in any order."""
    ids, train = _COUNTING
    table = np.zeros((6, 2))
    with tf.Session(graph=train.graph) as sess:
        sess.run(_INITIAL)
        for fed in feeds:
            sess.run(train, {ids: fed})
            np.add.at(table, np.array(fed, int), np.array([-1.0, -2.0]))
        np.testing.assert_array_equal(sess.run("v:0"), table)
        assert sess.statistics.host_stages == 0


with tf.Graph().as_default():
    _ids = tf.placeholder(tf.int32, [None])
    _v = tf.get_variable("v", initializer=np.zeros((6, 2)))
    _rows = tf.stack([tf.ones_like(_ids), 2 * tf.ones_like(_ids)], 1)
    _grad = tf.IndexedSlices(tf.cast(_rows, tf.float64), _ids, tf.constant([6, 2]))
    _COUNTING = _ids, t.MomentumOptimizer(1.0, 0.0).apply_gradients([(_grad, _v)])
    _INITIAL = tf.global_variables_initializer()


def test_sums_are_in_the_order_of_the_rows() -> None:
    """1 + 1e8 - 1e8 is 0 in float32, in this order alone."""
    v = tf.Variable(np.zeros((4, 1), np.float32))
    ids = tf.placeholder(tf.int32, [None])
    grad = tf.IndexedSlices(tf.constant([[1.0], [5.0], [1e8], [-1e8]]), ids, tf.constant([4, 1]))
    train = t.MomentumOptimizer(1.0, 0.0).apply_gradients([(grad, v)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train, {ids: [2, 0, 2, 2]})
        np.testing.assert_array_equal(sess.run(v), [[-5.0], [0.0], [0.0], [0.0]])
        assert sess.statistics.host_stages == 0


def test_the_lists_are_tensorflows_when_fetched() -> None:
    ids, train = training(OPTIMIZERS["adagrad"])
    graph = tf.get_default_graph()
    y, idx = (graph.get_tensor_by_name(f"Adagrad/update_v/Unique:{k}") for k in (0, 1))
    summed = graph.get_tensor_by_name("Adagrad/update_v/UnsortedSegmentSum:0")
    count = graph.get_tensor_by_name("Adagrad/update_v/strided_slice:0")
    fed = np.array([5, 2, 5, 5, 9, 2], np.int32)
    with tf.Session() as sess:
        for fetched in ([y, idx], [train, y, idx], [idx, y, train]):
            sess.run(tf.global_variables_initializer())
            found = dict(zip(fetched, sess.run(fetched, {ids: fed}), strict=True))
            np.testing.assert_array_equal(found[y], [5, 2, 9])
            np.testing.assert_array_equal(found[idx], [0, 1, 0, 0, 2, 1])
        assert sess.run([train, idx], {ids: fed})[1].tolist() == [0, 1, 0, 0, 2, 1]
        assert sess.run([train, count], {ids: fed})[1] == 3
        assert sess.run([train, summed], {ids: fed})[1].shape == (3, 3)


def test_what_is_fed_stands_for_the_lists() -> None:
    ids, train = training(OPTIMIZERS["adagrad"])
    graph = tf.get_default_graph()
    y, idx = (graph.get_tensor_by_name(f"Adagrad/update_v/Unique:{k}") for k in (0, 1))
    rows = np.array([5, 2, 5], np.int32)
    with tf.Session() as sess:

        def after(feeds: dict[Any, Any]) -> np.ndarray:
            sess.run(tf.global_variables_initializer())
            sess.run(train, {ids: rows, **feeds})
            table: np.ndarray = sess.run(graph.get_tensor_by_name("v:0"))
            return table

        before = sess.run(tf.global_variables_initializer()) or sess.run("v:0")
        usual = after({})
        np.testing.assert_array_equal(after({y: [5, 2]}), usual)
        np.testing.assert_array_equal(after({idx: [0, 1, 0]}), usual)
        moved = np.flatnonzero((after({y: [7, 3]}) != before).any(1))
        np.testing.assert_array_equal(moved, [3, 7])


@pytest.mark.parametrize("bad", [-1, ROWS, np.iinfo(np.int32).min, np.iinfo(np.int32).max])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["adagrad", "adam"])
def test_rows_that_the_variable_does_not_have(name: str, size: int, bad: int) -> None:
    v = tf.get_variable("v", initializer=tf.ones([ROWS, 2]))
    ids = tf.placeholder(tf.int32, [None])
    grad = tf.IndexedSlices(tf.ones([size, 2]), ids, tf.constant([ROWS, 2]))
    train = OPTIMIZERS[name]().apply_gradients([(grad, v)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"= {bad} is not in") as caught:
            sess.run(train, {ids: [3, 0, 3, bad] + [-7] * (size - 4)})
        if size > ROWS or bad != np.iinfo(np.int32).min:  # the message counts different rows
            assert rf"indices[2] = {bad} is not in [0, {ROWS})" in str(caught.value)
        np.testing.assert_array_equal(sess.run(v), np.ones((ROWS, 2)))


def test_indices_of_another_rank_are_refused() -> None:
    v = tf.get_variable("v", initializer=tf.ones([ROWS, 2]))
    ids = tf.placeholder(tf.int32)
    grad = tf.IndexedSlices(tf.ones([4, 2]), ids, tf.constant([ROWS, 2]))
    train = OPTIMIZERS["adagrad"]().apply_gradients([(grad, v)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match="unique expects a 1D vector"):
            sess.run(train, {ids: [[1, 2], [3, 4]]})


def test_loops_run_the_steps() -> None:
    ids, train = training(OPTIMIZERS["adagrad"])
    feeds = batches(np.int32, 6)
    wanted = trained(ids, [train], feeds)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run_loop(train, len(feeds), per_step={ids: np.stack(feeds)})
        for a, b in zip(sess.run(tf.global_variables()), wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rows", [2, 9])
def test_a_variable_may_have_other_rows_than_the_graph_says(rows: int) -> None:
    ids = tf.placeholder(tf.int32, [None])
    v = tf.get_variable("v", initializer=tf.zeros([5, 1]))
    y, idx = tf.unique(ids)
    update = tf.scatter_add(v, y, tf.unsorted_segment_sum(tf.ones([6, 1]), idx, tf.size(y)))
    with tf.control_dependencies([tf.assign(v, tf.zeros([rows, 1]), validate_shape=False)]):
        at_once = tf.scatter_add(v, y, tf.unsorted_segment_sum(tf.ones([6, 1]), idx, tf.size(y)))
    with tf.Session() as sess:
        sess.run(v.initializer)
        for step in (at_once, update):
            sess.run(step, {ids: [1, 0, 1, 1, 0, rows - 1]})
        wanted = np.bincount([1, 0, 1, 1, 0, rows - 1], minlength=rows) * 2.0
        np.testing.assert_array_equal(sess.run(v.value())[:, 0], wanted)
        assert sess.statistics.host_stages == 0
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"= {rows} is not in \[0, {rows}"
        ):
            sess.run(update, {ids: [1, 0, 1, 1, 0, rows]})


def test_rows_that_the_graph_knows() -> None:
    """The graph knows how many there are; the values on the way have a place for each index."""
    v = tf.get_variable("v", initializer=tf.ones([5, 2]))
    train = t.AdagradOptimizer(0.5, 0.25).minimize(tf.reduce_sum(tf.gather(v, [0, 2, 0, 0])))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        moved = 1 - 0.5 * np.array([3 / np.sqrt(9.25), 0, 1 / np.sqrt(1.25), 0, 0])
        np.testing.assert_allclose(sess.run(v), np.stack([moved, moved], 1), rtol=1e-6)
        assert sess.statistics.host_stages == 0


def test_two_readers_of_one_table() -> None:
    ids = tf.placeholder(tf.int32, [None])
    v = tf.get_variable("v", initializer=tf.random_uniform([ROWS, 2], seed=1))
    looked = tf.gather(v, ids) * tf.nn.embedding_lookup(v, tf.maximum(ids - 3, 0))
    assert_same_bits(
        ids, t.AdagradOptimizer(0.1).minimize(tf.reduce_sum(looked)), batches(np.int32)
    )


@pytest.mark.parametrize("conditional", [True, False])
def test_steps_inside_a_condition(conditional: bool) -> None:
    ids = tf.placeholder(tf.int32, [None])
    go = tf.placeholder(tf.bool, [])
    v = tf.get_variable("v", initializer=tf.ones([ROWS, 2]))
    optimizer = t.AdagradOptimizer(0.5, 0.25)
    pairs = optimizer.compute_gradients(tf.reduce_sum(tf.gather(v, ids)))

    def step() -> Any:
        with tf.control_dependencies([optimizer.apply_gradients(pairs)]):
            return tf.constant(1)

    result = tf.cond(go, step, lambda: tf.constant(0)) if conditional else step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for rows in ([4, 4, 1], [2, 2, 2]):
            assert sess.run(result, {ids: rows, go: True}) == 1
        first, second, third = (1 - 0.5 * n / np.sqrt(n * n + 0.25) for n in (1, 2, 3))
        moved = np.array([1, first, third, 1, second])
        np.testing.assert_allclose(sess.run(v)[:5, 0], moved, rtol=1e-6)


def test_partitioned_and_resource_variables() -> None:
    ids = tf.placeholder(tf.int64, [None])
    initial = tf.constant_initializer(0.5)
    parts = tf.get_variable(
        "parts", [ROWS, 2], tf.float32, initial, partitioner=tf.fixed_size_partitioner(3)
    )
    whole = tf.get_variable("whole", [ROWS, 2], tf.float32, initial, use_resource=True)
    looked = [tf.nn.embedding_lookup(x, ids, partition_strategy="div") for x in (parts, whole)]
    train = t.AdamOptimizer(0.1).minimize(tf.add_n([tf.reduce_sum(x * x) for x in looked]))
    assert_same_bits(ids, train, batches(np.int64, 3))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for fed in batches(np.int64, 3):
            sess.run(train, {ids: fed})
        joined = sess.run(tf.convert_to_tensor(parts))
        np.testing.assert_array_equal(joined, sess.run(whole))


def test_indices_that_come_from_python_keep_the_place_of_the_rows() -> None:
    """A host op before the indices, and one between them and the update."""
    fed = tf.placeholder(tf.int32, [None])
    ids = tf.py_func(lambda x: x[::-1].copy(), [fed], tf.int32)
    ids.set_shape([None])
    v = tf.get_variable("v", initializer=tf.ones([ROWS, 2]))
    seen: list[int] = []
    note = tf.py_func(lambda x: np.int32(seen.append(len(x)) or 0), [ids], tf.int32)
    grad = tf.IndexedSlices(tf.gather(v, ids) * 0.5, ids, tf.constant([ROWS, 2]))
    rate = 0.1 + tf.reshape(tf.cast(note, tf.float32), [])
    train = t.MomentumOptimizer(rate, 0.9).apply_gradients([(grad, v)])
    assert_same_bits(fed, train, batches(np.int32, 3))
    assert seen == [40] * 6


@pytest.mark.parametrize(
    "use",
    [
        lambda y, rows: tf.reduce_sum(rows),
        lambda y, rows: tf.reverse(rows, [0]),
        lambda y, rows: tf.concat([rows, rows], 0),
        lambda y, rows: tf.check_numerics(rows, "no number"),
        lambda y, rows: rows + tf.ones([3, 2]),
        lambda y, rows: tf.shape(y),
        lambda y, rows: y + 1,
        lambda y, rows: tf.scatter_add(
            tf.get_variable("w", initializer=tf.zeros([4])), [0], [tf.reduce_sum(rows)]
        ),
        lambda y, rows: tf.scatter_update(
            tf.get_variable("z", initializer=tf.zeros([9, 2])), [1, 2, 3], rows
        ),
        lambda y, rows: tf.cond(tf.reduce_all(y > 0), lambda: rows * 2, lambda: rows),
        lambda y, rows: tf.gather(tf.ones([2, 9]), y, axis=1),
        lambda y, rows: tf.unique(y)[1],
        lambda y, rows: tf.squeeze(tf.shape(y)),
        lambda y, rows: rows * tf.placeholder_with_default([2.0, 3.0], None),
    ],
)
def test_other_uses_see_the_lists(use: Callable[[Any, Any], Any]) -> None:
    """What does not keep rows apart, or is fetched, gets as many rows as TensorFlow makes."""
    ids = tf.placeholder(tf.int32, [None])
    y, idx = tf.unique(ids)
    rows = tf.unsorted_segment_sum(tf.ones([5, 2]), idx, tf.shape(y)[0])
    v = tf.get_variable("v", initializer=tf.zeros([9, 2]))
    other = use(y, rows)
    other = tf.identity(other)
    update = tf.scatter_add(v, y, rows)
    fed = np.array([4, 4, 2, 8, 4], np.int32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        alone = sess.run(other, {ids: fed})
        sess.run(tf.global_variables_initializer())
        both = sess.run([other, update], {ids: fed})
        assert sess.statistics.host_stages >= 2
    np.testing.assert_array_equal(alone, both[0])
    np.testing.assert_array_equal(both[1][[4, 2, 8, 0]], [[3, 3], [1, 1], [1, 1], [0, 0]])
