"""Variables in parts."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
VALUES = np.arange(10.0, dtype=np.float32).reshape(5, 2)


def test_names_values_and_use() -> None:
    v = tf.get_variable(
        "v", initializer=tf.constant(VALUES), partitioner=tf.fixed_size_partitioner(3)
    )
    assert v.name == "v" and v.dtype == tf.float32 and v.shape == (5, 2) == v.get_shape()
    assert [part.name for part in v] == ["v/part_0:0", "v/part_1:0", "v/part_2:0"]
    assert [part.shape.as_list() for part in v] == [[2, 2], [2, 2], [1, 2]]
    assert len(v) == 3 and list(v) == tf.trainable_variables() == tf.global_variables()
    whole = v.as_tensor()
    assert whole.op.name == "v" and whole.op.inputs[0].op.name == "v/ConcatPartitions/concat"
    twice = tf.matmul(v, [[1.0], [2.0]])
    loss = tf.reduce_sum(tf.square(v * 2.0)) + v[4, 1]
    train = tf.train.GradientDescentOptimizer(0.125).minimize(loss)
    found = tf.nn.embedding_lookup(v, [0, 4, 2], partition_strategy="div")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(whole), VALUES)
        np.testing.assert_array_equal(session.run(twice), VALUES @ [[1], [2]])
        np.testing.assert_array_equal(session.run(found), VALUES[[0, 4, 2]])
        session.run(train)
        expected = np.zeros((5, 2))
        expected[4, 1] = -0.125
        np.testing.assert_array_equal(session.run(whole), expected)
        session.run(v.assign(VALUES))
        session.run(v.assign_add(tf.ones([5, 2]), read_value=False))
        session.run(v.assign_sub([part * 0.5 for part in v]))
        np.testing.assert_array_equal(session.run(whole), (VALUES + 1) / 2)
        session.run(v.assign(v))
    with pytest.raises(ValueError, match="2 values for 3 parts"):
        v.assign([1.0, 2.0])


def test_initializers_are_told_of_the_whole() -> None:
    seen = []

    def by_place(shape, dtype=None, partition_info=None):
        seen.append((list(shape), partition_info.full_shape, partition_info.var_offset))
        return tf.zeros(shape, dtype)

    tf.get_variable("a", [2, 5], initializer=by_place, partitioner=tf.fixed_size_partitioner(2, 1))
    assert seen == [([2, 3], [2, 5], [0, 0]), ([2, 2], [2, 5], [0, 3])]
    with tf.variable_scope("s", partitioner=tf.fixed_size_partitioner(2)):
        b = tf.get_variable("b", [4], initializer=tf.ones_initializer)
        scalar = tf.get_variable("c", [])
        tf.get_variable("d", [3, 1])
    assert [part.op.name for part in b] == ["s/b/part_0", "s/b/part_1"]
    assert isinstance(scalar, tf.Variable)
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    tf.get_variable("e", [4], partitioner=tf.fixed_size_partitioner(2), regularizer=tf.nn.l2_loss)
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == len(losses) + 2


def test_reuse() -> None:
    parts = tf.fixed_size_partitioner(2)
    v = tf.get_variable("v", [4], partitioner=parts)
    with tf.variable_scope("", reuse=True):
        assert tf.get_variable("v", [4], partitioner=parts) is v
        assert tf.get_variable("v") is v
        with pytest.raises(ValueError, match="specified float32"):
            tf.get_variable("v", [5], partitioner=parts)
        with pytest.raises(ValueError, match="does not exist"):
            tf.get_variable("w", [5], partitioner=parts)
    with pytest.raises(ValueError, match="already exists"):
        tf.get_variable("v", [4], partitioner=parts)
    with pytest.raises(ValueError, match="No partitioner was provided"):
        tf.get_variable("v", [4])


def test_create_partitioned_variables() -> None:
    parts = tf.create_partitioned_variables([3, 4], [1, 2], tf.constant_initializer(2.0))
    assert [p.op.name for p in parts] == [
        "PartitionedVariable/part_0", "PartitionedVariable/part_1"
    ]  # fmt: skip
    assert [p.shape.as_list() for p in parts] == [[3, 2], [3, 2]]
    more = tf.create_partitioned_variables([4], [2], tf.zeros([4]), name="x", trainable=False)
    assert more[1].op.name == "x/part_1" and more[0] not in tf.trainable_variables()
    again = tf.create_partitioned_variables([4], [2], tf.zeros([4]), name="x", reuse=True)
    assert again == more
    for shape, slicing, match in (
        ([3, 4], [2], "must have the length"),
        ([], [], "rank at least 1"),
        ([4, 4], [2, 2], "only slice a variable along one"),
        ([4], [0], "zero partitions"),
        ([2], [3], "more parts than elements"),
    ):
        with pytest.raises(ValueError, match=match):
            tf.create_partitioned_variables(shape, slicing, tf.zeros_initializer(), name="bad")


def test_partitioners() -> None:
    shape = tf.TensorShape([10, 8])
    assert tf.fixed_size_partitioner(4, axis=1)(shape=shape, dtype=tf.float32) == [1, 4]
    assert tf.fixed_size_partitioner(40)(shape=shape) == [10, 1]
    by_size = tf.variable_axis_size_partitioner
    # of real TensorFlow
    assert by_size(64)(shape, tf.float32) == [5, 1]
    assert by_size(100, axis=1)(shape, tf.float64) == [1, 8]
    assert by_size(64, max_shards=3)(shape, tf.float32) == [3, 1]
    assert by_size(1)(shape, tf.string) == [10, 1]
    least = tf.min_max_variable_partitioner
    assert least(max_partitions=4, min_slice_size=64)(shape, tf.float32) == [4, 1]
    assert least(max_partitions=9, axis=1, min_slice_size=128)(shape, tf.float32) == [1, 3]
    assert least()(shape, tf.float32) == [1, 1]
    for call in (
        lambda: by_size(0),
        lambda: by_size(1, max_shards=0),
        lambda: by_size(1)([2], tf.float32),
        lambda: by_size(1)(tf.TensorShape([None]), tf.float32),
        lambda: least(axis=2)(shape, tf.float32),
        lambda: tf.get_variable("a", [4], partitioner=3),
        lambda: tf.get_variable("b", [4], partitioner=lambda **k: 2),
        lambda: tf.get_variable("c", [4], partitioner=lambda **k: [1, 2]),
        lambda: tf.get_variable("d", partitioner=lambda **k: [2], initializer=tf.zeros),
    ):
        with pytest.raises(ValueError):
            call()


def test_saved_as_one(tmp_path) -> None:
    parts = tf.fixed_size_partitioner(3)
    v = tf.get_variable("v", initializer=tf.constant(VALUES), partitioner=parts)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / "m"))
        other = tf.train.Saver({"renamed": v}).save(session, str(tmp_path / "n"))
        session.run(v.assign(tf.zeros([5, 2])))
        tf.train.Saver([v]).restore(session, path)
        np.testing.assert_array_equal(session.run(v.as_tensor()), VALUES)
    assert tf.train.list_variables(path) == [("v", [5, 2])]
    assert tf.train.list_variables(other) == [("renamed", [5, 2])]
    with tf.Graph().as_default():
        whole = tf.get_variable("v", [5, 2])
        with tf.Session() as session:
            tf.train.Saver().restore(session, path)
            np.testing.assert_array_equal(session.run(whole), VALUES)
    with tf.Graph().as_default():
        two = tf.get_variable("v", [5, 2], partitioner=tf.fixed_size_partitioner(2, axis=1))
        with tf.Session() as session:
            tf.train.Saver().restore(session, path)
            np.testing.assert_array_equal(session.run(two.as_tensor()), VALUES)
    with tf.Graph().as_default():
        tf.get_variable("v", [6, 2], partitioner=parts)
        with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError, match="5, 2"):
            tf.train.Saver().restore(session, path)
