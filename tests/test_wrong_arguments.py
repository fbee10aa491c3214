"""Wrong arguments: a clear error at the line that made the op, or, where the graph did not know the
shapes, when it runs."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf


def unknown(value, dtype=None):
    """A tensor of whose shape nothing is known before the run."""
    return tf.placeholder_with_default(np.array(value, dtype), None)


def scatter_update(indices, updates):
    variable = tf.Variable(tf.zeros([3, 2]))
    with tf.control_dependencies([variable.initializer]):
        return tf.scatter_nd_update(variable, indices, updates)


AT_CONSTRUCTION = {
    "scalar indices": (lambda: tf.scatter_nd(0, [1.0], [3]), "at least rank 1"),
    "outer dimensions": (
        lambda: tf.tensor_scatter_update(tf.zeros([3]), [[0]], [1.0, 2.0]),
        r"Dimensions \[0,1\) of indices",
    ),
    "inner dimensions": (
        lambda: tf.tensor_scatter_update(tf.zeros([3, 2]), [[0]], [[1.0, 2.0, 3.0]]),
        r"Dimensions \[1,2\) of input",
    ),
    "rows of a variable": (lambda: scatter_update([[0]], [1.0]), r"Dimensions \[1,2\) of input"),
    "nothing to update": (
        lambda: tf.scatter_nd([[0]], [[1.0, 2.0]], [0, 2]),
        "Indices and updates specified for empty input",
    ),
    "parts without end": (lambda: tf.split(tf.zeros([0]), 2**31), "at most 1048576 outputs"),
    "block of two axes": (
        lambda: tf.batch_to_space(tf.zeros([4]), [[0, 0], [0, 0]], 2),
        "at least rank 3",
    ),
    "an axis of a scalar": (lambda: tf.signal.dct(1.0), "axis -1 is out of range"),
    "two axes": (lambda: tf.concat([[1, 2], [3]], [0, 0]), "rank 0 but is rank 1"),
    "sizes that are one number": (lambda: tf.split([1, 2], tf.constant(2)), "Rank-0 tensors"),
    "no tensors": (lambda: tf.parallel_stack([]), "at least one tensor"),
    "a mode that is no text": (lambda: tf.pad([1], [[1, 1]], mode=3), "padding mode"),
    "a layout that is no text": (
        lambda: tf.nn.bias_add(tf.zeros([2, 2]), [1.0, 2.0], data_format=3),
        "data_format must be a string",
    ),
    "an infinite rate": (
        lambda: tf.nn.atrous_conv2d(
            tf.zeros([1, 3, 3, 1]), tf.ones([1, 1, 1, 1]), float("inf"), "SAME"
        ),
        "integer",
    ),
}


@pytest.mark.parametrize("name", AT_CONSTRUCTION)
def test_at_construction(name):
    make, message = AT_CONSTRUCTION[name]
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        make()


WHEN_RUN = {
    "gather_nd with a scalar": (lambda: tf.gather_nd(tf.zeros([3]), unknown(0)), "rank 1"),
    "gather_nd with too deep indices": (
        lambda: tf.gather_nd(tf.zeros([3, 2]), unknown([[0, 0, 0]])),
        r"indices.shape\[-1\] must be <= params.rank",
    ),
    "scatter_nd with a scalar": (
        lambda: tf.scatter_nd(unknown(0), unknown([1.0], np.float32), [3, 2]),
        "rank 1",
    ),
    "updates with too deep indices": (
        lambda: tf.tensor_scatter_update(
            tf.zeros([3, 2]), unknown([[0, 0, 0]]), unknown([1.0], np.float32)
        ),
        "updates must have shape",
    ),
    "rows of a variable, too deep": (
        lambda: scatter_update(unknown([[0, 0, 0]]), unknown([1.0], np.float32)),
        "updates must have shape",
    ),
    "rows of a variable, a scalar": (
        lambda: scatter_update(unknown(0), unknown([1.0], np.float32)),
        "rank 1",
    ),
    "axis of argmax": (lambda: tf.argmax([1, 2], unknown([[0]])), "dim must be a scalar"),
    "number of segments": (
        lambda: tf.unsorted_segment_sum([1, 2], [0, 1], unknown([2])),
        "num_segments should be a scalar",
    ),
}


@pytest.mark.parametrize("name", WHEN_RUN)
def test_when_run(name):
    make, message = WHEN_RUN[name]
    with tf.Graph().as_default(), tf.Session() as sess:
        result = make()
        with pytest.raises(tf.errors.InvalidArgumentError, match=message) as caught:
            sess.run(result)
        assert "test_wrong_arguments.py" in str(caught.value)


def test_a_seed_may_be_a_small_integer_of_numpy():
    with tf.Graph().as_default(), tf.Session() as sess:
        narrow = tf.random_uniform([4], seed=np.int8(7))
        wide = tf.random_uniform([4], seed=7)
        first, second = sess.run([narrow, wide])
        np.testing.assert_array_equal(first, second)


def test_scalar_mul_takes_an_array():
    with tf.Graph().as_default(), tf.Session() as sess:
        np.testing.assert_array_equal(
            sess.run(tf.scalar_mul(2, np.ones(3, np.int8))), np.full(3, 2)
        )
