"""tf.while_loop with SparseTensors and IndexedSlices among its variables."""

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def sparse():
    return tf.SparseTensor([[0, 1]], [2.0], [3, 3])


def doubled(s):
    return tf.SparseTensor(s.indices, s.values * 2.0, s.dense_shape)


def test_a_sparse_tensor_is_carried(session):
    i, r = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, doubled(s)), [0, sparse()])
    assert [t.shape.as_list() for t in (r.indices, r.values, r.dense_shape)] == [
        [None, 2],
        [None],
        [2],
    ]
    assert [t.name for t in (i, r.indices, r.values, r.dense_shape)] == [
        "while/Exit:0", "while/Exit_1:0", "while/Exit_2:0", "while/Exit_3:0",
    ]  # fmt: skip
    count, found = session.run([i, r])
    assert count == 3 and found.indices.tolist() == [[0, 1]]
    assert found.values.tolist() == [16.0] and found.dense_shape.tolist() == [3, 3]
    (alone,) = tf.while_loop(lambda s: tf.reduce_sum(s.values) < 30.0, doubled, [sparse()])
    assert session.run(alone).values.tolist() == [32.0]
    bound = tf.while_loop(lambda s: True, doubled, [sparse()], maximum_iterations=2)
    assert session.run(bound).values.tolist() == [8.0]


def test_a_sparse_tensor_may_grow(session):
    def grown(i, s):
        return i + 1, tf.sparse_concat(0, [s, s])

    invariants = [tf.TensorShape([]), tf.TensorShape([2])]
    r = tf.while_loop(lambda i, s: i < 2, grown, [0, sparse()], shape_invariants=invariants)[1]
    found = session.run(r)
    assert found.dense_shape.tolist() == [12, 3] and found.values.tolist() == [2.0] * 4
    with pytest.raises(ValueError, match="1 dimension"):
        tf.while_loop(
            lambda i, s: i < 2,
            grown,
            [0, sparse()],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
        )


def test_indexed_slices_are_carried(session):
    def given(dense_shape):
        return tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([0]), dense_shape)

    def step(i, s):
        return i + 1, tf.IndexedSlices(s.values * 2.0, s.indices, s.dense_shape)

    r = tf.while_loop(lambda i, s: i < 3, step, [0, given(tf.constant([4, 2]))])[1]
    found = session.run([r.values, r.indices, r.dense_shape])
    assert [a.tolist() for a in found] == [[[8.0, 16.0]], [0], [4, 2]]
    assert (
        r.values.shape == (1, 2) and r.indices.shape == (1,) and r.indices.name == "while/Exit_2:0"
    )

    def longer(i, s):
        twice = tf.concat([s.values, s.values], 0), tf.concat([s.indices, s.indices + 1], 0)
        return i + 1, tf.IndexedSlices(*twice)

    invariants = [tf.TensorShape([]), tf.TensorShape([None, 2])]
    r = tf.while_loop(lambda i, s: i < 2, longer, [0, given(None)], shape_invariants=invariants)[1]
    assert r.indices.shape.as_list() == [None] and r.dense_shape is None
    assert session.run(r.indices).tolist() == [0, 1, 1, 2]


def test_variables_stay_what_they_are():
    with pytest.raises(TypeError, match="must stay what it is"):
        tf.while_loop(lambda s: True, lambda s: s.values, [sparse()])
    with pytest.raises(TypeError, match="must stay what it is"):
        tf.while_loop(lambda i: True, lambda i: sparse(), [np.float32(0)])
