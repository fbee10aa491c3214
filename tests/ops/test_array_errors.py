"""Where TensorFlow finds a mistake when the graph is made, so do we; elsewhere the run does."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

BUILT = [
    ("tf.reshape([1, 2, 3], 3)", ValueError, "rank 1 but is rank 0"),
    ("tf.concat([[1], [2]], axis=[0, 0])", ValueError, "rank 0 but is rank 1"),
    ("tf.split(tf.zeros([5]), [2, -1, -1])", ValueError, "only have one -1"),
    ("tf.split(tf.zeros([4]), 0)", ValueError, "less than minimum 1"),
    ("tf.strided_slice([1, 2], [0], [1], ellipsis_mask=3)", ValueError, "Multiple ellipses"),
    ("tf.constant([1, 2])[True]", ValueError, "mask cannot be scalar"),
    ("tf.scatter_nd([[0]], [1], [-3])", ValueError, "-3"),
    ("tf.scatter_nd([[0]], [1], 3)", ValueError, "rank 1 but is rank 0"),
    ("tf.scatter_nd([[0]], [1.], [0])", ValueError, "empty input"),
    ("tf.tensor_scatter_update([1, 2], [[0]], [1, 2])", ValueError, "must be equal"),
    ("tf.roll([1, 2], [1, 1], 0)", ValueError, "equal rank"),
    ("tf.reverse_sequence(tf.zeros([2, 3]), [1, 2])", TypeError, "Expected int"),
    ("tf.space_to_batch(tf.zeros([1, 4, 4]), [[0, 0], [0, 0]], 2)", ValueError, "rank 4"),
    ("tf.space_to_batch(tf.zeros([1, 4, 4, 1]), [[0, 0]], 2)", ValueError, "must be equal"),
    ("tf.space_to_batch_nd(tf.zeros([1, 4]), [2, 2], [[0, 0], [0, 0]])", ValueError, "rank 3"),
    ("tf.space_to_batch_nd(tf.zeros([1, 4]), [0], [[0, 0]])", ValueError, "must be positive"),
    ("tf.space_to_depth(tf.zeros([1, 4, 4, 1]), 1)", ValueError, "less than minimum 2"),
    ("tf.depth_to_space(tf.zeros([1, 4, 4, 4]), 1)", ValueError, "less than minimum 2"),
    ("tf.dynamic_partition([1, 2], [0, 1], 0)", ValueError, "less than minimum 1"),
    ("tf.nn.top_k([1, 2], [1])", ValueError, "rank 0"),
    ("tf.sort([1, 2], axis=1)", ValueError, "out of bounds"),
    ("tf.argsort(3)", ValueError, "out of bounds"),
    ("tf.unsorted_segment_sum([1, 2], [0, 1], [2])", ValueError, "rank 0"),
    ("tf.diag(1.)", ValueError, "at least rank 1"),
    ("tf.random_uniform(2)", ValueError, "rank 1 but is rank 0"),
    ("tf.py_func(1, [1], tf.float32)", ValueError, "callable"),
    ("tf.parallel_stack([tf.constant(1), tf.constant([1])])", ValueError, "equal rank"),
    ("tf.parallel_stack([tf.placeholder(tf.int32, [None])])", ValueError, "fully defined"),
    ("tf.range(tf.constant(1, tf.uint8), tf.constant(2, tf.uint8))", AssertionError, "range"),
    ("tf.real('a')", TypeError, "numeric tensor"),
    ("tf.real(tf.constant(True))", TypeError, "numeric tensor"),
    ("tf.cast([1], None)", TypeError, "None"),
    ("tf.as_dtype(None)", TypeError, "None"),
    ("tf.bool.min", TypeError, "minimum"),
    ("-tf.constant(1, tf.uint8)", TypeError, "not in list of allowed"),
    ("tf.abs(tf.constant(1, tf.uint16))", TypeError, "not in list of allowed"),
    ("tf.sign(tf.constant(1, tf.uint32))", TypeError, "not in list of allowed"),
    ("tf.diag(tf.constant([1], tf.int8))", TypeError, "not in list of allowed"),
    ("tf.pow(tf.constant(1, tf.uint8), 1)", TypeError, "not in list of allowed"),
    ("tf.truncatemod(tf.constant(1, tf.int8), 1)", TypeError, "not in list of allowed"),
    ("tf.squared_difference(tf.constant(1, tf.int8), 1)", TypeError, "not in list of allowed"),
    ("tf.gradients(tf.unique(x)[0], x)", LookupError, "No gradient defined"),
    ("tf.gradients(tf.bitcast(x, tf.float32), x)", LookupError, "gradient"),
]
RUN = [
    ("tf.reshape([1, 2, 3], [-1, -1])", "Only one input size may be -1"),
    ("tf.reshape(tf.zeros([2, 3]), [0, -1])", "a tensor with 6 values, but the requested"),
    ("tf.slice([1, 2, 3], [1], [3])", "Expected size"),
    ("tf.one_hot([1], 2, axis=3)", "Expected axis"),
    ("tf.argmax([1, 2], 1)", "dimension"),
    ("tf.reduce_max([1.], tf.placeholder_with_default([0, 0], [2]))", "duplicate dimension"),
    ("tf.unique(tf.placeholder_with_default([[1]], None))[0]", "1D vector"),
    ("tf.matrix_band_part([[1.]], 5, 0)", "num_lower must be negative or less"),
    ("tf.matrix_band_part([[1.]], 0, 5)", "num_upper must be negative or less"),
]
FED = [
    (tf.int32, 2**40, TypeError, "not compatible with Tensor type"),
    (tf.uint8, 300, TypeError, "not compatible with Tensor type"),
    (tf.uint8, -1, TypeError, "not compatible with Tensor type"),
    (tf.string, 1, TypeError, "not compatible with Tensor type"),
]


@pytest.mark.parametrize(("text", "kind", "message"), BUILT)
def test_errors_of_construction(text: str, kind: type[Exception], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(kind, match=message):
        eval(text, {"tf": tf, "x": tf.constant([1.0, 2.0])})


@pytest.mark.parametrize(("text", "message"), RUN)
def test_errors_of_the_run(text: str, message: str) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        y = eval(text, {"tf": tf})
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(y)


@pytest.mark.parametrize(("dtype", "value", "kind", "message"), FED)
def test_feeds_that_do_not_fit(dtype: object, value: int, kind: type, message: str) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(dtype)
        with pytest.raises(kind, match=message):
            session.run(x, {x: value})


def test_casts_of_strings_fail_in_the_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        for y in (tf.cast(["a"], tf.int32), tf.cast([1], tf.string)):
            with pytest.raises(tf.errors.UnimplementedError, match="Cast .* is not supported"):
                session.run(y)


def test_nothing_flows_back_through_python_and_sequences() -> None:
    with tf.Graph().as_default():
        x = tf.constant(1.0)
        for y in (tf.py_func(lambda a: a, [x], tf.float32), tf.linspace(x, 2.0, 3)):
            assert tf.gradients(y, x) == [None]


def test_an_empty_graph_runs_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        for fetch in ("a", "a:0", 1):
            with pytest.raises(RuntimeError, match="graph is empty"):
                session.run(fetch)


def test_static_shapes_beside_errors() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32)
        assert tf.tile(x, [0, 1]).shape.as_list() == [0, None]
        assert tf.space_to_batch(x, [[0, 0], [0, 0]], 2).shape.ndims == 4
        assert tf.batch_to_space(x, [[0, 0], [0, 0]], 2).shape.ndims == 4
        assert tf.argmax(np.zeros(3), tf.placeholder(tf.int32)).shape.as_list() == []
