"""Sparse tensors as strings and back. The strings are TensorFlow's."""

import numpy as np
import pytest

import tfc as tf
from tfc.framework.opdef import apply

pytestmark = pytest.mark.usefixtures("fresh_graph")

INDICES, SHAPE = np.array([[0, 1], [0, 3], [2, 0]]), [3, 4]


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


def sparse(values, indices=INDICES, shape=SHAPE):
    return tf.SparseTensor(indices, values, shape)


def test_strings():
    text = b'\x08\x07\x12\x04\x12\x02\x08\x03"\x07\x01\x00\x03axyz'
    found = run(tf.serialize_sparse(sparse(["a", "", "xyz"])))
    shape = b'\x08\t\x12\x04\x12\x02\x08\x02"\x10' + np.array(SHAPE, np.int64).tobytes()
    assert found.shape == (3,) and found[1] == text and found[2] == shape
    assert run(tf.parse_tensor(found[1], tf.string)).tolist() == [b"a", b"", b"xyz"]
    np.testing.assert_array_equal(run(tf.parse_tensor(found[0], tf.int64)), INDICES)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex64", "float16", "string"])
def test_there_and_back(dtype):
    values = np.array([1, 2, 3])
    values = values.astype(str).astype(object) if dtype == "string" else values.astype(dtype)
    rows = tf.serialize_many_sparse(sparse(values))
    assert rows.get_shape().as_list() == [None, 3] and rows.dtype == tf.string
    for rank in (None, 2):
        back = tf.deserialize_many_sparse(rows, tf.as_dtype(dtype), rank)
        assert back.indices.get_shape().as_list() == [None, rank]
        value = run(back)
        np.testing.assert_array_equal(value.indices, INDICES)
        want = [v.encode() for v in values] if dtype == "string" else values.tolist()
        assert value.values.tolist() == want and value.dense_shape.tolist() == SHAPE


def test_tensors_stacked():
    x = tf.sparse_placeholder(tf.float32)
    y = tf.io.serialize_sparse(x)
    one = tf.serialize_sparse(sparse([9.0], [[4]], [6]))
    both = tf.io.deserialize_many_sparse(tf.stack([y, one]), tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank prior to SparseTensor"):
        run(both, {x: (INDICES, [1, 2, 3], SHAPE)})
    value = run(both, {x: (INDICES[:1, :1], [1], [2])})
    assert value.indices.tolist() == [[0, 0], [1, 4]] and value.dense_shape.tolist() == [2, 6]
    assert run(tf.size(tf.serialize_sparse(sparse([1, 2, 3]), out_type=tf.variant))) == 3


def test_variants_stacked():
    x = tf.sparse_placeholder(tf.int64)
    rows = [
        tf.serialize_sparse(sparse([1, 2, 3]), out_type=tf.variant),
        tf.serialize_sparse(x, out_type=tf.variant),
    ]
    constants = tf.stack([rows[0], rows[0]])
    back = apply("DeserializeSparse", constants, dtype=tf.int32)
    assert run(back)[1].tolist() == [1, 2, 3, 1, 2, 3]
    indices, values, shape = apply("DeserializeSparse", tf.stack(rows[1:]), dtype=tf.int64)
    feeds = {x: (INDICES[:2], [5, 6], [7, 8])}
    assert run(indices, feeds).tolist() == [[0, 0, 1], [0, 0, 3]]
    assert run([values, shape], feeds)[1].tolist() == [1, 7, 8]
    for bad, message in (
        (tf.stack(rows), "type int64 but SparseTensor.0..values.dtype.. == int32"),
        (rows[1:], "rank prior to SparseTensor.1. was: 2 but rank of SparseTensor.1. is: 1"),
    ):
        if isinstance(bad, list):
            other = tf.serialize_sparse(
                sparse(np.array([4], np.int64), [[0]], [3]), out_type=tf.variant
            )
            bad = tf.stack([*bad, other])
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(apply("DeserializeSparse", bad, dtype=tf.int64).sparse_shape, feeds)


def test_refused():
    with pytest.raises(TypeError, match="must be a SparseTensor"):
        tf.serialize_sparse([1.0])
    many, back = tf.serialize_many_sparse, tf.deserialize_many_sparse
    with pytest.raises(ValueError, match="must be equal"):
        back([["a", "b"]], tf.float32)
    for y, message in (
        (many(sparse([1, 2, 3], INDICES[::-1])), "out of order"),
        (many(sparse([1, 2, 3], INDICES + 9)), "out of bounds"),
        (many(sparse([1, 2], [[0, 1], [0, 1]])), "repeated"),
        (many(sparse([1], [[1]], [3])), "should be > 1"),
        (back([["a", "b", "c"]], tf.float32).values, "Could not parse"),
        (back(many(sparse([1, 2, 3])), tf.int64).values, "Requested SparseTensor of type int64"),
        (back(many(sparse([], np.zeros((0, 2)), [0, 2])), tf.float32).values, "non-zero number"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(y)
