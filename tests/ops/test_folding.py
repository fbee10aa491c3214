"""Static shapes that come from evaluating constant ops, as TensorFlow's shape functions do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf
from tfc.framework.folding import folded_value

KNOWN = [
    ("tf.reshape(a, tf.gather(tf.shape(a), [1, 0]))", [4, 3]),
    ("tf.reshape(a, tf.reverse(tf.shape(a), [0]))", [4, 3]),
    ("tf.reshape(a, tf.shape(a) * [2, 1] // [1, 2])", [6, 2]),
    ("tf.reshape(a, tf.identity(tf.shape(a)))", [3, 4]),
    ("tf.reshape(a, tf.shape_n([a, a])[0] + 0)", [3, 4]),
    ("tf.reshape(a, tf.where([True, True], tf.shape(a), [4, 3]))", [3, 4]),
    ("tf.reshape(a, tf.cast(tf.rint(tf.sqrt([16., 9.])), tf.int32))", [4, 3]),
    ("tf.reshape(a, tf.setdiff1d([3, 4, 5], [5])[0])", [3, 4]),
    ("tf.zeros([tf.shape(a)[0] + 1, 5])", [4, 5]),
    ("tf.pad(a, [[tf.shape(a)[0], 0], [0, 1]])", [6, 5]),
    ("tf.pad(a, [[0, 5 - tf.shape(a)[0]], [0, 0]])", [5, 4]),
    ("tf.pad(a, tf.constant([[1, 1], [2, 2]]) * 2)", [7, 12]),
    ("tf.pad(a, tf.reshape([1, 2, 3, 4], [2, 2]), 'SYMMETRIC')", [6, 11]),
    ("tf.slice(a, [1, 0], [tf.shape(a)[0] - 1, -1])", [2, 4]),
    ("a[:tf.shape(a)[0] // 2]", [1, 4]),
    ("tf.strided_slice(a, [0], [tf.shape(a)[0]])", [3, 4]),
    ("tf.split(a, [1, tf.shape(a)[0] - 1])[1]", [2, 4]),
    ("tf.transpose(a, tf.range(tf.rank(a))[::-1])", [4, 3]),
    ("tf.reduce_sum(a, tf.constant([0]) + 1, keepdims=True)", [3, 1]),
    ("tf.eye(tf.shape(a)[0])", [3, 3]),
    ("tf.unstack(tf.zeros([2, tf.shape(a)[0]]))[0]", [3]),
    ("tf.unstack(tf.range(tf.constant(2) + 3))[0]", []),
    ("tf.bincount([1, 2, 5])", [6]),
    ("tf.sequence_mask([1, 2])", [2, 2]),
    ("tf.confusion_matrix([1, 2], [1, 1])", [3, 3]),
    ("tf.image.resize_bilinear(tf.reshape(a, [1, 3, 4, 1]), tf.shape(a) * 2)", [1, 6, 8, 1]),
    ("tf.repeat(a, tf.constant([2]), axis=0)", [6, 4]),
    ("tf.repeat(a, [1, 0, 2], axis=0)", [None, 4]),
    ("tf.gradients(tf.reduce_sum(tf.square(a), [0]), a)[0]", [3, 4]),
]
UNKNOWN = [  # of a placeholder [?, 4]
    ("tf.reshape(a, [tf.shape(a)[0], 2, 2])", [None, 2, 2]),
    ("tf.reshape(a, tf.concat([tf.shape(a)[:1], [2, 2]], 0))", [None, 2, 2]),
    ("tf.reshape(a, [-1, tf.shape(a)[1] * 2])", [None, 8]),
    ("tf.pad(a, [[0, 5 - tf.shape(a)[0]], [0, 0]])", [None, 4]),
    ("tf.zeros([tf.shape(a)[0], tf.shape(a)[1]])", [None, 4]),
    ("tf.zeros(tf.random_uniform([2], 3, 4, tf.int32))", [None, None]),
    ("tf.zeros(tf.placeholder_with_default([2, 3], [2]))", [None, None]),
    ("tf.zeros(tf.Variable([2, 3]))", [None, None]),
    ("tf.zeros(tf.cond(tf.constant(True), lambda: tf.constant([1]), lambda: tf.constant([2])))",
     [None]),
    ("tf.reshape(a, tf.range(10) // tf.constant(0))", [None] * 10),  # an error of the run
]  # fmt: skip


def _shape(text: str, dims: list[Any]) -> list[Any]:
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, dims)
        return eval(text, {"tf": tf, "a": a}).get_shape().as_list()


@pytest.mark.parametrize(("text", "dims"), KNOWN)
def test_constants_are_evaluated(text: str, dims: list[Any]) -> None:
    assert _shape(text, [3, 4]) == dims


@pytest.mark.parametrize(("text", "dims"), UNKNOWN)
def test_what_only_the_run_tells_is_unknown(text: str, dims: list[Any]) -> None:
    assert _shape(text, [None, 4]) == dims


def test_long_and_large_computations_are_left_to_the_run() -> None:
    with tf.Graph().as_default():
        x = tf.constant(1)
        for _ in range(300):
            x = x + 1
        assert folded_value(x) is None
        large = tf.fill([200, 200], 1) + 1
        assert folded_value(large) is None
        assert folded_value(tf.reduce_max(tf.constant([1, 7])) + 1) == 8


def test_errors_of_constant_ops_are_errors_of_the_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        y = tf.zeros([tf.constant(6) // 0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
            session.run(y)


def test_a_slice_of_computed_extent_runs() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.constant(np.arange(12).reshape(3, 4))
        assert session.run(a[: tf.shape(a)[0] // 2]).tolist() == [[0, 1, 2, 3]]
