"""Sparse tensors and sets, against dense numpy; wanted values of corner cases are TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient
from tfc.framework.sparse_tensor import SparseTensorValue
from tfc.ops.sparse.common import distinct_rows

pytestmark = pytest.mark.usefixtures("fresh_graph")
ERROR = tf.errors.InvalidArgumentError
PLACES = [[0, 1], [1, 0], [1, 2]]


def run(fetch, feed=None):
    with tf.Session() as session:
        return session.run(fetch, feed)


def parts(fetch):
    value = run(fetch)
    return value.indices.tolist(), value.values.tolist(), value.dense_shape.tolist()


def sparse(values=(1.0, 2.0, 3.0), places=PLACES, shape=(2, 3)):
    return tf.SparseTensor(places, values, shape)


def dense(value):
    result = np.zeros(value.dense_shape, np.asarray(value.values).dtype)
    for place, entry in zip(value.indices, value.values, strict=True):
        result[tuple(place)] += entry
    return result


@st.composite
def values(draw, shape=None, dtype=np.float64):
    """A SparseTensorValue of up to three dimensions, places in order."""
    shape = shape or draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    cells = int(np.prod(shape))
    chosen = sorted(draw(st.sets(st.integers(0, cells - 1), max_size=8)))
    places = np.stack(np.unravel_index(np.array(chosen, np.int64), shape), 1)
    numbers = draw(st.lists(st.integers(-4, 4), min_size=len(chosen), max_size=len(chosen)))
    numbers = np.array(numbers, dtype)
    return SparseTensorValue(places.reshape(-1, len(shape)), numbers, np.array(shape, np.int64))


def placed(value):
    """The value as a constant SparseTensor."""
    return tf.SparseTensor(
        tf.constant(value.indices, tf.int64),
        tf.constant(value.values),
        tf.constant(value.dense_shape),
    )


CHECK = settings(max_examples=20, derandomize=True, deadline=None)


@CHECK
@given(st.data())
def test_one_sparse_tensor_agrees_with_numpy(data):
    value = data.draw(values())
    rank = len(value.dense_shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
    keep = data.draw(st.booleans())
    perm = data.draw(st.permutations(range(rank)))
    shuffled = data.draw(st.permutations(range(len(value.values))))
    whole = dense(value)
    with tf.Graph().as_default():
        x = placed(value)
        mixed = tf.SparseTensor(
            tf.gather(x.indices, np.array(shuffled, np.int32)),
            tf.gather(x.values, np.array(shuffled, np.int32)),
            x.dense_shape,
        )
        found = run(
            {
                "dense": tf.sparse_tensor_to_dense(x),
                "sum": tf.sparse_reduce_sum(x, axes, keepdims=keep),
                "sums": tf.sparse_reduce_sum_sparse(x, axes, keepdims=keep),
                "turned": tf.sparse_transpose(x, list(perm)),
                "ordered": tf.sparse_reorder(mixed),
                "flat": tf.sparse_reshape(x, [-1]),
                "again": tf.sparse.from_dense(tf.sparse_tensor_to_dense(x)),
                "kept": tf.sparse_retain(x, x.values > 0),
            }
        )
    total = whole.sum(tuple(axes), keepdims=keep)
    np.testing.assert_array_equal(found["dense"], whole)
    np.testing.assert_array_equal(found["sum"], total)
    np.testing.assert_array_equal(dense(found["sums"]), total)
    np.testing.assert_array_equal(dense(found["turned"]), whole.transpose(perm))
    np.testing.assert_array_equal(found["ordered"].indices, value.indices)
    np.testing.assert_array_equal(found["ordered"].values, value.values)
    np.testing.assert_array_equal(dense(found["flat"]), whole.ravel())
    np.testing.assert_array_equal(found["again"].indices, np.argwhere(whole))
    np.testing.assert_array_equal(dense(found["kept"]), np.maximum(whole, 0))


@CHECK
@given(st.data())
def test_two_sparse_tensors_agree_with_numpy(data):
    a = data.draw(values())
    b = data.draw(values(shape=tuple(a.dense_shape)))
    x, y = dense(a), dense(b)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    with tf.Graph().as_default():
        p, q = placed(a), placed(b)
        found = run(
            {
                "sum": tf.sparse_add(p, q),
                "dense": tf.sparse_add(p, tf.constant(y)),
                "max": tf.sparse_maximum(p, q),
                "min": tf.sparse_minimum(p, q),
                "joined": tf.sparse_concat(axis, [p, q]),
                "product": p * tf.constant(y),
            }
        )
    np.testing.assert_array_equal(dense(found["sum"]), x + y)
    np.testing.assert_array_equal(found["dense"], x + y)
    np.testing.assert_array_equal(dense(found["max"]), np.maximum(x, y))
    np.testing.assert_array_equal(dense(found["min"]), np.minimum(x, y))
    np.testing.assert_array_equal(dense(found["joined"]), np.concatenate([x, y], axis))
    np.testing.assert_array_equal(dense(found["product"]), x * y)
    for name in ("sum", "max", "joined"):
        rows = found[name].indices.tolist()
        assert rows == sorted(rows)


@CHECK
@given(st.data())
def test_parts_agree_with_numpy(data):
    value = data.draw(values())
    whole = dense(value)
    start = [data.draw(st.integers(0, n)) for n in whole.shape]
    size = [data.draw(st.integers(0, n + 1)) for n in whole.shape]
    axis = data.draw(st.integers(0, whole.ndim - 1))
    count = data.draw(st.integers(1, whole.shape[axis]))
    with tf.Graph().as_default():
        x = placed(value)
        part = run(tf.sparse_slice(x, start, size))
        pieces = run(tf.sparse_split(sp_input=x, num_split=count, axis=axis))
        filled, empty = run(tf.sparse_fill_empty_rows(x, 9.0))
    box = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    np.testing.assert_array_equal(dense(part), whole[box])
    for piece, wanted in zip(pieces, np.array_split(whole, count, axis), strict=True):
        np.testing.assert_array_equal(dense(piece), wanted)
    has = {int(row) for row in value.indices[:, 0]}
    np.testing.assert_array_equal(empty, [k not in has for k in range(whole.shape[0])])
    assert filled.indices[:, 0].tolist() == sorted(
        [*value.indices[:, 0].tolist(), *np.flatnonzero(empty).tolist()]
    )
    assert (filled.values == 9).sum() == empty.sum()


@CHECK
@given(st.data(), st.booleans(), st.booleans())
def test_matmul_agrees_with_numpy(data, adjoint_a, adjoint_b):
    rows, inner, columns = (data.draw(st.integers(1, 4)) for _ in range(3))
    a = data.draw(values(shape=(inner, rows) if adjoint_a else (rows, inner)))
    b = np.arange(inner * columns, dtype=np.float64).reshape(inner, columns)
    b = b.T if adjoint_b else b
    with tf.Graph().as_default():
        got = run(tf.sparse_tensor_dense_matmul(placed(a), b, adjoint_a, adjoint_b))
    x = dense(a)
    np.testing.assert_array_equal(got, (x.T if adjoint_a else x) @ (b.T if adjoint_b else b))


def test_gradients():
    v = np.array([0.5, -1.0, 2.0])
    w = np.array([1.5, 0.25])
    other = [[0, 1], [1, 1]]
    m = np.random.RandomState(1).uniform(-1, 1, (3, 2))

    def second(values):
        return tf.SparseTensor(other, values, [2, 3])

    check_gradient(lambda x: tf.sparse_tensor_to_dense(sparse(x), 1.0), v)
    check_gradient(lambda x, d: tf.sparse_to_dense(PLACES, [2, 3], x, d), v, np.array(0.5))
    check_gradient(lambda x: tf.sparse_reduce_sum(sparse(x), 0), v)
    check_gradient(lambda x: tf.sparse_reduce_sum(sparse(x), 1, keepdims=True), v)
    check_gradient(lambda x, y: tf.sparse_add(sparse(x), second(y)).values, v, w)
    check_gradient(lambda x, y: tf.sparse_add(sparse(x), y), v, m.T)
    check_gradient(lambda x, y: tf.sparse_tensor_dense_matmul(sparse(x), y), v, m)
    check_gradient(
        lambda x, y: tf.sparse_tensor_dense_matmul(sparse(x), y, adjoint_a=True, adjoint_b=True),
        v,
        m[:, :2],
    )
    check_gradient(lambda x: tf.sparse_softmax(sparse(x)).values, v, tolerance=1e-5)
    check_gradient(lambda x: tf.sparse_slice(sparse(x), [0, 1], [2, 5]).values, v)
    check_gradient(lambda x: tf.sparse_reorder(sparse(x, PLACES[::-1])).values, v)
    check_gradient(
        lambda x, d: tf.sparse_fill_empty_rows(tf.SparseTensor(PLACES, x, [4, 3]), d)[0].values,
        v,
        np.array(2.0),
    )
    check_gradient(lambda x, y: (sparse(x) * y).values, v, m.T)
    check_gradient(lambda x, y: (sparse(x) / (y + 3.0)).values, v, m.T)


def test_gradients_of_broadcast_operands():
    """Of a row, a column, a vector and a number that all entries share."""
    r = np.random.RandomState(3)
    for shape in ((1, 3), (2, 1), (3,), (1,), ()):
        y = r.uniform(1, 2, shape)
        for combine in (lambda s, d: s * d, lambda s, d: s / d):
            check_gradient(lambda v, d, f=combine: f(sparse(v), d).values, np.array([1.0, 2, 3]), y)


def test_what_has_no_gradient():
    x = tf.placeholder(tf.float32, [3])
    with pytest.raises(LookupError):
        tf.gradients(tf.sparse_reduce_max(sparse(x), 0), x)


def test_softmax_and_max():
    found = run(tf.sparse_softmax(sparse([1.0, 2.0, 3.0], [[0, 1], [0, 2], [1, 2]])))
    np.testing.assert_allclose(found.values, [0.26894143, 0.7310586, 1.0], rtol=1e-6)
    assert run(tf.sparse_reduce_max(sparse([-1.0, 2, 1], shape=[3, 3]), 1)).tolist() == [-1, 2, 0]
    assert parts(tf.sparse_reduce_max_sparse(sparse([1, 5, 3]), 1)) == ([[0], [1]], [1, 5], [2])
    with pytest.raises(ERROR, match="rank >= 2"):
        run(tf.sparse_softmax(tf.SparseTensor([[1]], [1.0], [3])).values)


def test_placeholder_and_fetch():
    x = tf.sparse_placeholder(tf.float32, [None, 3], name="x")
    assert [t.name for t in (x.indices, x.values, x.dense_shape)] == [
        "x/indices:0", "x/values:0", "x/shape:0",
    ]  # fmt: skip
    assert x.shape.as_list() == [None, 3]
    total = tf.sparse_reduce_sum(x)
    with tf.Session() as session:
        for shape in ([2, 3], [4, 3]):
            feed = SparseTensorValue(PLACES, [1.0, 2.0, 3.0], shape)
            value, number = session.run([x, total], {x: feed})
            assert value.dense_shape.tolist() == shape and number == 6
        assert session.run(total, {x: (PLACES, [1.0, 2.0, 4.0], [2, 3])}) == 7
    whole = tf.sparse.placeholder(tf.float32, [2, 3])
    assert whole.shape.as_list() == [2, 3]
    assert tf.sparse_placeholder(tf.string).shape.ndims is None


def test_to_dense():
    to_dense = tf.sparse_to_dense
    assert run(to_dense([1, 2], [4], 5, 7)).tolist() == [7, 5, 5, 7]
    assert run(to_dense(1, [4], 5, 7)).tolist() == [7, 5, 7, 7]
    assert run(to_dense([1, 2], [4], ["a", "b"], "z")).tolist() == [b"z", b"a", b"b", b"z"]
    late = to_dense([[2, 1], [0, 1]], [3, 2], [1.0, 2.0], validate_indices=False)
    assert run(late).tolist() == [[0, 2], [0, 0], [0, 1]]
    for places, message in (
        ([[2, 1], [0, 1]], "out of order"),
        ([[0, 1], [0, 1]], "repeated"),
        ([[0, 1], [0, 7]], "is out of bounds"),
        ([[-1, 0], [0, 1]], "is out of bounds"),
    ):
        with pytest.raises(ERROR, match=message):
            run(to_dense(places, [3, 2], [1.0, 2.0]))
    with pytest.raises(ERROR, match="incorrect shape"):
        run(to_dense([1, 2], [4], [5, 6, 7]))
    with pytest.raises(ERROR, match="incorrect number of elements"):
        run(to_dense([1, 2], [4, 4], [5, 6]))
    with pytest.raises(TypeError, match="SparseTensor"):
        tf.sparse_tensor_to_dense([1.0])


@CHECK
@given(st.integers(0, 2**31), st.lists(st.integers(1, 5), max_size=3), st.integers(0, 12))
def test_rows_are_found_as_numpy_finds_them(seed, dims, count):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(0, n, count) for n in dims] or [np.empty(count)], 1)
    rows = rows[:, : len(dims)].astype(np.int64)
    expected = np.unique(rows, axis=0, return_inverse=True) if dims and count else None
    for extents in (dims, [2**40] * len(dims)):  # keys of both fit into 64 bits, or may not
        found, where = distinct_rows(rows, extents)
        np.testing.assert_array_equal(found[where], rows)
        assert found.shape == (len({*map(tuple, rows)}), len(dims))
        if expected:
            np.testing.assert_array_equal(found, expected[0])
            np.testing.assert_array_equal(where, expected[1].ravel())


def test_add_threshold_and_errors():
    a, b = sparse(), sparse([-1.0, 2.0, 1e-9], [[0, 1], [1, 1], [1, 2]])
    assert parts(tf.sparse_add(a, b, 1e-6))[0] == [[1, 0], [1, 1], [1, 2]]
    with pytest.raises(ValueError, match="compatible"):
        tf.sparse_add(a, sparse(shape=[2, 4]))
    with pytest.raises(TypeError, match="At least one"):
        tf.sparse_add([1.0], [2.0])


def test_concat_reshape_and_shapes():
    a, b = sparse(), tf.SparseTensor([[0, 1]], [5.0], [2, 5])
    assert parts(tf.sparse_concat(0, [a, b], expand_nonconcat_dim=True)) == (
        [[0, 1], [1, 0], [1, 2], [2, 1]], [1, 2, 3, 5], [4, 5],
    )  # fmt: skip
    with pytest.raises(ERROR, match="Input shapes must match"):
        run(tf.sparse_concat(0, [a, b]).values)
    with pytest.raises(ERROR, match="Concat dimension"):
        run(tf.sparse_concat(3, [a, a]).values)
    joined = tf.sparse_concat(0, [a, a])
    assert joined.shape.as_list() == [4, 3] and joined.indices.shape.as_list() == [6, 2]
    assert tf.sparse_reshape(a, [-1, 1]).shape.as_list() == [6, 1]
    with pytest.raises(ValueError, match="Cannot reshape a tensor with 6 elements"):
        tf.sparse_reshape(a, [4, 2])
    wanted = tf.placeholder(tf.int64, [2])
    with pytest.raises(ERROR, match="has 8"):
        run(tf.sparse_reshape(a, wanted).indices, {wanted: [4, 2]})
    assert parts(tf.sparse_reset_shape(sparse(shape=[7, 8])))[2] == [2, 3]
    assert parts(tf.sparse_reset_shape(a, [3, 9]))[2] == [3, 9]
    with pytest.raises(ValueError, match="new_shape"):
        tf.sparse_reset_shape(a, [3, 2])
    assert parts(tf.sparse.expand_dims(a, 0)) == ([[0, *p] for p in PLACES], [1, 2, 3], [1, 2, 3])
    assert tf.sparse.expand_dims(a).shape.as_list() == [2, 3, 1]
    assert parts(tf.sparse.eye(2, 3)) == ([[0, 0], [1, 1]], [1, 1], [2, 3])
    for arguments, message in (
        (dict(keyword_required=a), "Keyword"), (dict(num_split=2), "sp_input"),
        (dict(sp_input=a, num_split=2), "axis"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            tf.sparse_split(**arguments)


def test_places_outside_are_errors():
    outside = sparse(places=[[0, 1], [1, 0], [1, 7]])
    for fetch in (
        tf.sparse_tensor_dense_matmul(outside, np.ones((3, 2), np.float32)),
        tf.sparse_reduce_sum(outside),
        tf.sparse_reorder(outside).values,
        tf.sparse_add(outside, outside).values,
        tf.sparse_fill_empty_rows(outside, 0.0)[1],
    ):
        with pytest.raises(ERROR, match="7"):
            run(fetch)
    with pytest.raises(ERROR, match="Invalid reduction dimension 5"):
        run(tf.sparse_reduce_sum(sparse(), 5))
    with pytest.raises(ValueError, match="must be equal, but are 3 and 2"):
        tf.sparse_tensor_dense_matmul(sparse(), np.ones((2, 2), np.float32))


def test_merge_indicator_mask_and_matmul():
    ids, weights = (tf.SparseTensor([[0, 0], [1, 0]], v, [2, 1]) for v in ([2, 1], [0.5, 0.25]))
    assert parts(tf.sparse_merge(ids, weights, 4)) == ([[0, 2], [1, 1]], [0.5, 0.25], [2, 4])
    marks = tf.sparse_to_indicator(ids, 3)
    assert run(marks).tolist() == [[False, False, True], [False, True, False]]
    assert marks.shape.as_list() == [2, 3]
    slices = tf.IndexedSlices(tf.ones([3, 2]), tf.constant([1, 5, 7]))
    assert run(tf.sparse_mask(slices, [5])).indices.tolist() == [1, 7]
    ones = tf.sparse_matmul(tf.ones([2, 3]), tf.ones([4, 3]), transpose_b=True)
    assert run(ones).tolist() == [[3.0] * 4] * 2
    with pytest.raises(TypeError, match="float32"):
        tf.sparse_matmul([[1]], [[1]])


A, B = [[1, 2, 3], [4, 5, 4]], [[2, 3, 9], [4, 4, 4]]


def test_sets():
    assert run(
        tf.sets.size(tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 1, 2], [2, 3]))
    ).tolist() == [1, 1]
    assert parts(tf.sets.intersection(A, B)) == ([[0, 0], [0, 1], [1, 0]], [2, 3, 4], [2, 2])
    assert parts(tf.sets.union(A, B))[1:] == ([1, 2, 3, 9, 4, 5], [2, 4])
    assert parts(tf.sets.difference(A, B)) == ([[0, 0], [1, 0]], [1, 5], [2, 1])
    assert parts(tf.sets.difference(A, B, aminusb=False)) == ([[0, 0]], [9], [2, 1])
    few = tf.SparseTensor([[0, 0], [1, 0]], [7, 4], [2, 3])
    assert parts(tf.sets.union([[1, 2], [4, 5]], few))[1] == [1, 2, 7, 4, 5]
    assert parts(tf.sets.difference(few, [[1, 2], [4, 5]]))[1] == [7]
    assert parts(tf.sets.union(few, few))[1:] == ([7, 4], [2, 1])
    assert parts(tf.sets.union([["a", "b"]], [["b", "c"]]))[1] == [b"a", b"b", b"c"]
    with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal"):
        tf.sets.union([[1, 2]], [[1], [2]])
    with pytest.raises(TypeError, match="float32"):
        tf.sets.union([[1.0]], [[2.0]])
    with pytest.raises(ERROR, match="out of order"):
        run(tf.sets.size(tf.SparseTensor([[1, 0], [0, 0]], [1, 2], [2, 3])))
    assert tf.sets.union(A, B).indices.shape.as_list() == [None, 2]


def test_unknown_shapes():
    x = tf.sparse_placeholder(tf.float64)
    y = tf.sparse_transpose(tf.sparse_reorder(x))
    found = run(y, {x: SparseTensorValue([[1, 0], [0, 2]], [1.0, 2.0], [2, 3])})
    assert found.indices.tolist() == [[0, 1], [2, 0]] and found.dense_shape.tolist() == [3, 2]
    assert tf.sparse_reduce_sum(x).shape.ndims is None
    assert tf.sparse_tensor_to_dense(x).shape.ndims is None
    product = tf.sparse_tensor_dense_matmul(x, tf.placeholder(tf.float64, [None, 4]))
    assert product.shape.as_list() == [None, 4]
