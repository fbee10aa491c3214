"""tf.map_fn, tf.scan, tf.foldl, tf.foldr: values, structures, shapes, names, errors, gradients."""

import collections
import logging

import numpy as np
import pytest

import tfc as tf

F, D = tf.float32, tf.float64


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.fixture
def rows():
    return np.random.RandomState(0).rand(4, 3).astype(np.float32)


# ---- values


def test_map(session, rows, caplog):
    x = tf.placeholder(F, [4, 3])
    y = tf.map_fn(lambda row: row * tf.reduce_sum(row), x)
    assert y.name == "map/TensorArrayStack/TensorArrayGatherV3:0" and y.shape == (4, 3)
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run(y, {x: rows})
    np.testing.assert_allclose(got, rows * rows.sum(1, keepdims=True), rtol=1e-6)
    assert caplog.messages == []


def test_map_structures_and_dtypes(session):
    a, b = tf.constant([1, 2, 3]), tf.constant([[1.0], [2.0], [3.0]])
    pair = tf.map_fn(lambda t: (t[1] * 2.0, t[0] + 1), (a, b), dtype=(F, tf.int32))
    assert isinstance(pair, tuple)
    first, second = session.run(pair)
    np.testing.assert_array_equal(first, [[2], [4], [6]])
    np.testing.assert_array_equal(second, [2, 3, 4])
    total = tf.map_fn(lambda d: d["a"] + tf.cast(d["b"][0], tf.int32), {"a": a, "b": b}, tf.int32)
    np.testing.assert_array_equal(session.run(total), [2, 4, 6])
    halves = tf.map_fn(lambda v: tf.cast(v, F) * 0.5, [1, 2, 3] * np.ones(3, np.int32), dtype=F)
    np.testing.assert_array_equal(session.run(halves), [0.5, 1, 1.5])


def test_scan(session, rows, caplog):
    x = tf.placeholder(F, [4, 3])
    y = tf.scan(lambda acc, row: acc * 0.5 + row, x)
    z = tf.scan(lambda acc, row: acc * 0.5 + row, x, initializer=tf.ones([3]))
    back = tf.scan(lambda acc, row: acc * 0.5 + row, x, reverse=True)
    assert y.name == "scan/TensorArrayStack/TensorArrayGatherV3:0" and y.shape == (4, 3)
    with caplog.at_level(logging.INFO, "tfc"):
        got = session.run([y, z, back], {x: rows})
    assert caplog.messages == []
    wanted = [[rows[0]], [0.5 + rows[0]], [rows[3]]]
    for k in (1, 2, 3):
        wanted[0].append(wanted[0][-1] * 0.5 + rows[k])
        wanted[1].append(wanted[1][-1] * 0.5 + rows[k])
        wanted[2].insert(0, wanted[2][0] * 0.5 + rows[3 - k])
    for found, want in zip(got, wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-6)


def test_scan_structures(session):
    fibonacci = tf.scan(
        lambda acc, _: (acc[1], acc[0] + acc[1]), tf.range(6), (tf.constant(0), tf.constant(1))
    )
    np.testing.assert_array_equal(session.run(fibonacci), [[1, 1, 2, 3, 5, 8], [1, 2, 3, 5, 8, 13]])
    pairs = (tf.constant([1, 2, 3]), tf.constant([4, 5, 6]))
    sums = tf.scan(lambda acc, e: (acc[0] + e[1], acc[1] + e[0]), pairs)
    np.testing.assert_array_equal(session.run(sums), [[1, 6, 12], [4, 6, 9]])


def test_folds(session):
    x = tf.placeholder(tf.int32, [4])
    feed = {x: [1, 2, 3, 4]}
    left = tf.foldl(lambda acc, v: acc * 10 + v, x)
    right = tf.foldr(lambda acc, v: acc * 10 + v, x)
    assert (left.op.type, left.name) == ("Exit", "foldl/while/Exit_2:0")
    assert right.name == "foldr/while/Exit_2:0"
    assert session.run([left, right], feed) == [1234, 4321]
    started = [f(lambda acc, v: acc * 10 + v, x, initializer=9) for f in (tf.foldl, tf.foldr)]
    assert session.run(started, feed) == [91234, 94321]
    both = tf.foldl(lambda acc, v: (acc[0] + v, acc[1] * v), x, initializer=(0, 1))
    assert session.run(both, feed) == (10, 24)


def test_unknown_shapes(session, rows):
    rank, none = tf.placeholder(F, [None, 3]), tf.placeholder(F)
    for x in (rank, none):
        mapped, scanned = tf.map_fn(lambda v: v * 2.0, x), tf.scan(lambda a, v: a + v, x)
        folded = tf.foldl(lambda a, v: a + v, x)
        got = session.run([mapped, scanned, folded], {x: rows})
        np.testing.assert_allclose(got[0], rows * 2, rtol=1e-6)
        np.testing.assert_allclose(got[1], rows.cumsum(0), rtol=1e-5)
        np.testing.assert_allclose(got[2], rows.sum(0), rtol=1e-5)
    assert tf.map_fn(lambda v: v, rank).shape.as_list() == [None, 3]
    assert tf.map_fn(lambda v: v, none).shape.ndims is None


def test_nothing_to_go_through(session):
    x = tf.placeholder(F, [None, 3])
    feed = {x: np.zeros((0, 3))}
    start = tf.ones([3])
    assert session.run(tf.map_fn(lambda v: v * 2.0, x), feed).shape == (0, 3)
    assert session.run(tf.scan(lambda a, v: a + v, x, start), feed).shape == (0, 3)
    np.testing.assert_array_equal(
        session.run(tf.foldl(lambda a, v: a + v, x, start), feed), [1] * 3
    )
    np.testing.assert_array_equal(
        session.run(tf.foldr(lambda a, v: a + v, x, start), feed), [1] * 3
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="Tried to read from index 0"):
        session.run(tf.scan(lambda a, v: a + v, x), feed)


def test_variables_and_random_numbers_inside(session):
    x = tf.constant([1.0, 2.0, 3.0])

    def scaled(v):
        with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
            return v * tf.get_variable("w", [], initializer=tf.constant_initializer(2.0))

    y = tf.map_fn(scaled, x)
    draws = tf.map_fn(lambda v: v + tf.random_uniform([]), tf.zeros([5]))
    session.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(session.run(y), [2, 4, 6])
    assert len(set(session.run(draws).tolist())) == 5


def test_strings(session):
    words = tf.constant(["a", "b", "c"])
    louder = tf.map_fn(lambda s: tf.string_join([s, "!"]), words)
    joined = tf.scan(lambda a, s: tf.string_join([a, s]), words)
    numbers = tf.map_fn(tf.string_to_number, tf.constant(["1", "2.5"]), dtype=F)
    assert session.run(louder).tolist() == [b"a!", b"b!", b"c!"]
    assert session.run(joined).tolist() == [b"a", b"ab", b"abc"]
    np.testing.assert_array_equal(session.run(numbers), [1, 2.5])
    assert session.run(tf.foldr(lambda a, s: tf.string_join([a, s]), words)) == b"cba"


def test_results_of_several_shapes_cannot_be_stacked(session):
    y = tf.map_fn(tf.range, tf.constant([1, 2]), infer_shape=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="inconsistent shapes"):
        session.run(y)


def test_errors():
    x = tf.constant([1, 2])
    for function in (tf.map_fn, tf.scan, tf.foldl, tf.foldr):
        with pytest.raises(TypeError, match="fn must be callable"):
            function(1, x)
        with pytest.raises(ValueError, match="1\\+ dimensional"):
            function(lambda *a: a[0], tf.constant(1))
        with pytest.raises(ValueError, match="elems must be"):
            function(lambda *a: a[0], [])
    with pytest.raises(ValueError, match="same nested structure"):
        tf.map_fn(lambda v: (v, v), x)
    with pytest.raises(ValueError, match="same nested structure"):
        tf.scan(lambda a, v: (a, v), x)
    with pytest.raises(ValueError, match="Dimensions 2 and 1 are not compatible"):
        tf.map_fn(lambda t: t[0], (x, tf.constant([1])))
    with pytest.raises(tf.errors.InvalidArgumentError, match="trying to write dtype float32"):
        tf.map_fn(lambda v: tf.cast(v, F), x)
    with pytest.raises(ValueError, match="Inconsistent shapes"):
        tf.scan(lambda a, v: tf.concat([a, a], 0), tf.constant([[1, 2]]))


# ---- gradients


FUNCTIONS = {
    "map": lambda x: tf.map_fn(lambda v: v * v * tf.exp(v), x),
    "map_rows": lambda x: tf.map_fn(tf.nn.softmax, tf.reshape(x, [2, 2])),
    "map_captures": lambda x: tf.map_fn(lambda v: v * tf.reduce_sum(x * x), x),
    "scan": lambda x: tf.scan(lambda a, v: a * v + tf.sin(a), x),
    "scan_reversed": lambda x: tf.scan(lambda a, v: a * v + tf.sin(a), x, reverse=True),
    "scan_from": lambda x: tf.scan(lambda a, v: tf.tanh(a * v), x, initializer=x[0]),
    "foldl": lambda x: tf.foldl(lambda a, v: a * v + tf.sin(a), x),
    "foldr": lambda x: tf.foldr(lambda a, v: a * v + tf.sin(a), x, initializer=x[1]),
    "nested": lambda x: tf.map_fn(
        lambda row: tf.scan(lambda a, v: a * v + v, row), tf.reshape(x, [2, 2])
    ),
    "in_a_condition": lambda x: tf.cond(
        x[0] > 0.0, lambda: tf.map_fn(lambda v: v * v, x), lambda: x
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(session, name, caplog):
    x = tf.placeholder(D, [4])
    y = FUNCTIONS[name](x)
    loss = tf.reduce_sum(tf.sin(y) * y)
    first = tf.gradients(loss, x)[0]
    norm = tf.reduce_sum(first * first)
    second = tf.gradients(norm, x)[0]
    at = np.array([0.3, 0.5, 0.7, 0.4])
    for gradient, of in ((first, loss), (second, norm)):
        wanted = np.zeros(4)
        for k in range(4):
            step = np.eye(4)[k] * 1e-6
            up, down = (session.run(of, {x: at + s * step}) for s in (1, -1))
            wanted[k] = (up - down) / 2e-6
        with caplog.at_level(logging.INFO, "tfc"):
            got = session.run(gradient, {x: at})
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-7)
    assert caplog.messages == [], "driven by Python"


@pytest.mark.parametrize("function", [tf.map_fn, tf.scan, tf.foldl, tf.foldr])
def test_back_prop(session, function):
    x = tf.constant([1.0, 2.0])
    assert tf.gradients(function(lambda *a: a[-1] * a[0], x, back_prop=False), x) == [None]
    assert tf.gradients(function(lambda *a: a[-1] * a[0], x), x) != [None]
    loop = tf.while_loop(lambda v: v < 5.0, lambda v: v * x[1], [x[0]], back_prop=False)
    assert tf.gradients(loop, x) == [None]


def test_a_hundred_thousand_steps(session):
    x = tf.placeholder(D, [100_000])
    y = tf.scan(lambda a, v: a * 0.5 + v, x)
    got, dx = session.run([y, tf.gradients(y, x)[0]], {x: np.ones(100_000)})
    np.testing.assert_allclose(got[-1], 2.0)
    np.testing.assert_allclose(dx[[0, -2, -1]], [2.0, 1.5, 1.0])
    assert session.statistics.native_calls == 1


def test_a_named_tuple_stays_one():
    """In every loop over structures; TensorFlow 1.15 says so too."""
    pair = collections.namedtuple("pair", "a b")
    first = pair(tf.constant(0.0), tf.constant(1.0))
    rows = tf.constant([1.0, 2.0])

    def plain(acc, x):
        return acc[0] + x, acc[1] * x

    for loop in (tf.scan, tf.foldl, tf.foldr):
        with pytest.raises(TypeError, match="don't have the same sequence type"):
            loop(plain, rows, first)
        with pytest.raises(TypeError, match="don't have the same sequence type"):
            loop(plain, rows, list(first))
    with pytest.raises(TypeError, match="don't have the same sequence type"):
        tf.map_fn(lambda x: (x, x), rows, dtype=pair(tf.float32, tf.float32))
    sums = tf.scan(lambda acc, x: pair(*plain(acc, x)), rows, first)
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(sums.b), [1, 2])
