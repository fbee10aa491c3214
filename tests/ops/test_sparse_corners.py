"""Corners of sparse tensors, sorting and unique: thresholds, NaN, named results, unknown ranks."""

import numpy as np
import pytest

import tfc as tf

PLACES = np.array([[0, 0], [0, 2], [1, 1], [2, 0]])
VALUES = np.array([5.0, -1.0, 4.0, -2.0])


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def sparse(dtype=np.float64, shape=(3, 4)):
    return tf.SparseTensor(PLACES, VALUES.astype(dtype), shape)


def test_the_threshold_of_a_sum_is_for_places_that_both_have(session):
    other = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], np.array([-4.5, 0.25, -2.0]), [3, 4])
    total = session.run(tf.sparse_add(sparse(), other, thresh=3.0))
    assert total.indices.tolist() == [[0, 1], [0, 2], [1, 1], [2, 0]]
    assert total.values.tolist() == [0.25, -1.0, 4.0, -4.0]


@pytest.mark.parametrize(
    "dtype, found",
    [("uint8", "float32"), ("int16", "float32"), ("int32", "float64"), ("float16", "float16")],
)
def test_true_division_has_the_dtype_that_dense_division_has(session, dtype, found):
    quotient = tf.SparseTensor(PLACES, np.abs(VALUES).astype(dtype), [3, 4]) / np.full(4, 2, dtype)
    assert quotient.dtype.name == found
    assert session.run(quotient.values).tolist() == [2.5, 0.5, 2.0, 1.0]


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_no_division_of_what_has_no_quotient(dtype):
    with pytest.raises(TypeError, match=dtype):
        sparse(dtype) / np.ones(4, dtype)


def test_shape_size_and_rank_of_a_sparse_tensor(session):
    x = tf.sparse_placeholder(tf.float32)
    fed = {x: (PLACES, VALUES, [3, 4])}
    got = session.run([tf.shape(x), tf.size(x), tf.rank(x), tf.shape(x, out_type=tf.int64)], fed)
    assert [np.asarray(a).tolist() for a in got] == [[3, 4], 12, 2, [3, 4]]
    assert [np.asarray(a).dtype.name for a in got] == ["int32", "int32", "int32", "int64"]


def parts():
    return tf.placeholder(tf.int64), tf.placeholder(tf.float64), tf.placeholder(tf.int64)


def test_unknown_rank(session):
    x = parts()
    fed = dict(zip(x, (PLACES, VALUES, [3, 4]), strict=True))
    given = tf.SparseTensor(*x)
    reordered = tf.sparse_reorder(given)
    assert reordered.indices.shape.as_list() == [None, None]
    assert reordered.values.shape.as_list() == [None]
    small = tf.SparseTensor([[1, 0]], np.array([7.0]), np.array([2, 1]))
    wide = session.run(tf.sparse_concat(1, [given, small], expand_nonconcat_dim=True), fed)
    assert wide.dense_shape.tolist() == [3, 5]
    assert wide.indices.tolist() == [[0, 0], [0, 2], [1, 1], [1, 4], [2, 0]]
    ids = tf.SparseTensor(x[0], np.array([3, 1, 0, 2]), x[2])
    merged = session.run(tf.sparse_merge(ids, given, 5), fed)
    assert merged.dense_shape.tolist() == [3, 5]
    assert merged.indices.tolist() == [[0, 1], [0, 3], [1, 0], [2, 2]]
    assert merged.values.tolist() == [-1.0, 5.0, 4.0, -2.0]


def test_what_is_known_of_a_sum_before_the_shape_is(session):
    x = tf.sparse_placeholder(tf.float64, [None, 4])
    assert tf.sparse_reduce_sum(x, 0).shape.ndims is None
    assert tf.sparse_reduce_sum(sparse(), 0).shape.as_list() == [4]


def test_every_nan_is_different(session):
    values, index = session.run(tf.unique([1.0, np.nan, 1.0, np.nan]))
    np.testing.assert_array_equal(values, [1.0, np.nan, np.nan])
    assert index.tolist() == [0, 1, 0, 2]


def test_several_outputs_have_names(session):
    found = tf.nn.top_k([[1.0, 3.0, 2.0]], 2)
    got = session.run(found)
    assert got.values.tolist() == [[3.0, 2.0]]
    assert got.indices.tolist() == [[1, 2]]
    assert session.run(found.indices).tolist() == [[1, 2]]
    assert type(found).__name__ == "TopKV2"
    assert tf.unique([1, 1])._fields == ("y", "idx")
    assert tf.unique_with_counts([1, 1])._fields == ("y", "idx", "count")
    assert tf.setdiff1d([1, 2], [1])._fields == ("out", "idx")
    assert tf.nn.max_pool_with_argmax(
        np.ones((1, 2, 2, 1), np.float32), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    )._fields == ("output", "argmax")


def test_eye_of_sides_that_the_run_tells():
    with tf.Graph().as_default(), tf.Session() as session:
        n = tf.placeholder(tf.int32, [])
        for x, want in (
            (tf.sparse.eye(n), np.eye(3)),
            (tf.sparse.eye(n, 2, tf.float64), np.eye(3, 2)),
            (tf.sparse.eye(2, n), np.eye(2, 3)),
        ):
            value = session.run(tf.sparse.to_dense(x), {n: 3})
            assert value.dtype == x.dtype.as_numpy_dtype
            np.testing.assert_array_equal(value, want)
        with pytest.raises(ValueError, match="rank"):
            tf.sparse.eye(tf.constant([1, 2]))


@pytest.mark.parametrize("axis", [-3, -1, 0, 1, 2])
def test_axes_and_ranks_that_the_run_tells(axis):
    indices, values, dims = np.array([[0, 0], [1, 2]]), np.array([1.0, 2.0], np.float32), [2, 3]
    with tf.Graph().as_default(), tf.Session() as session:
        x, fed = tf.SparseTensor(indices, values, dims), tf.sparse_placeholder(tf.float32)
        at = tf.placeholder(tf.int32, [])
        for of in (x, fed):
            for place in (axis, at, tf.constant(axis)):
                y = tf.sparse.expand_dims(of, place)
                value = session.run(y, {at: axis, fed: (indices, values, dims)})
                k = axis % 3
                np.testing.assert_array_equal(value.indices, np.insert(indices, k, 0, axis=1))
                assert value.dense_shape.tolist() == [*dims[:k], 1, *dims[k:]]
                assert value.values.tolist() == [1.0, 2.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
            session.run(tf.sparse.expand_dims(x, at).indices, {at: 3})
