"""Explicit padding of convolutions: the same as a padded image and "VALID"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

PADS = [[0, 0], [1, 2], [2, 1], [0, 0]]
R = np.random.RandomState(3)
IMAGE = R.standard_normal((2, 7, 6, 4))
FILTER, DEEP = R.standard_normal((3, 2, 4, 6)), R.standard_normal((3, 2, 4, 2))


def first(nhwc: Any) -> list[Any]:
    return [nhwc[0], nhwc[3], nhwc[1], nhwc[2]]


def evaluate(fetches: Any) -> Any:
    with tf.Session() as session:
        return session.run(fetches)


def derivatives(y: Any, inputs: list[Any]) -> list[Any]:
    """First and second gradients of a weighted sum of `y`."""
    weights = np.random.RandomState(4).standard_normal(y.shape.as_list())
    once = tf.gradients(y, inputs, tf.constant(weights))
    return once + tf.gradients([tf.reduce_sum(t**2.0) for t in once], inputs)


CALLS: dict[str, tuple[Any, Any]] = {
    "conv2d": (lambda x, f, p: tf.nn.conv2d(x, f, 1, p), FILTER),
    "conv2d strided": (lambda x, f, p: tf.nn.conv2d(x, f, [2, 1], p), FILTER),
    "conv2d with holes": (lambda x, f, p: tf.nn.conv2d(x, f, 2, p, dilations=[1, 2]), FILTER),
    "convolution": (lambda x, f, p: tf.nn.convolution(x, f, p, dilation_rate=2), FILTER),
    "depthwise": (lambda x, f, p: tf.nn.depthwise_conv2d(x, f, [1, 2, 2, 1], p), DEEP),
    "depthwise with holes": (
        lambda x, f, p: tf.nn.depthwise_conv2d(x, f, [1] * 4, p, rate=[2, 1]),
        DEEP,
    ),
    "native": (lambda x, f, p: tf.nn.depthwise_conv2d_native(x, f, [1, 2, 2, 1], p), DEEP),
    "separable": (
        lambda x, f, p: tf.nn.separable_conv2d(x, f, np.ones((1, 1, 8, 3)), [1] * 4, p),
        DEEP,
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_padding_of_pairs_is_padding_in_front_of_the_op(call: str) -> None:
    function, kernel = CALLS[call]
    x, f = tf.constant(IMAGE), tf.constant(kernel)
    ys = [function(x, f, PADS), function(tf.pad(x, PADS), f, "VALID")]
    assert ys[0].shape.as_list() == ys[1].shape.as_list()
    found = [evaluate([y, *derivatives(y, [x, f])]) for y in ys]
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_strides_among_holes_step_from_block_to_block() -> None:
    x, f = tf.constant(IMAGE), tf.constant(DEEP)
    y = tf.nn.depthwise_conv2d(x, f, [1, 2, 2, 1], PADS, rate=[2, 2])
    padded = tf.pad(x, [[0, 0], [1, 2], [2, 2], [0, 0]])  # even extents: blocks of 2 by 2
    blocks = tf.space_to_batch_nd(padded, [2, 2], [[0, 0], [0, 0]])
    steps = tf.nn.depthwise_conv2d(blocks, f, [1, 2, 2, 1], "VALID")
    want = tf.batch_to_space_nd(steps, [2, 2], [[0, 0], [0, 0]])
    found = evaluate([y, want])
    assert y.name == "depthwise/BatchToSpaceND:0"
    rows, columns = found[0].shape[1:3]
    np.testing.assert_allclose(found[0], found[1][:, :rows, :columns], rtol=1e-12)


@pytest.mark.parametrize("call", ["conv2d", "depthwise", "separable", "transpose"])
def test_channels_in_front_are_padded_alike(call: str) -> None:
    x, f = tf.constant(IMAGE), tf.constant(DEEP)
    moved = tf.transpose(x, [0, 3, 1, 2])
    steps = [1, 2, 2, 1]
    if call == "conv2d":
        y = tf.nn.conv2d(x, FILTER, 2, PADS, dilations=2)
        z = tf.nn.conv2d(moved, FILTER, 2, first(PADS), data_format="NCHW", dilations=2)
    elif call == "depthwise":
        y = tf.nn.depthwise_conv2d(x, f, steps, PADS)
        z = tf.nn.depthwise_conv2d(moved, f, first(steps), first(PADS), data_format="NCHW")
    elif call == "separable":
        point = np.ones((1, 1, 8, 3))
        y = tf.nn.separable_conv2d(x, f, point, steps, PADS)
        z = tf.nn.separable_conv2d(moved, f, point, first(steps), first(PADS), data_format="NCHW")
    else:
        shape = [2, 12, 9, 5]
        kernel = R.standard_normal((3, 2, 5, 4))
        y = tf.nn.conv2d_transpose(x, kernel, shape, 2, PADS)
        z = tf.nn.conv2d_transpose(moved, kernel, first(shape), 2, first(PADS), "NCHW")
    assert z.shape.as_list() == first(y.shape.as_list())
    here, there = (evaluate([v, *derivatives_of_both(v, x)]) for v in (y, z))
    np.testing.assert_allclose(there[0].transpose(0, 2, 3, 1), here[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(there[1], here[1], rtol=1e-10, atol=1e-12)


def derivatives_of_both(y: Any, x: Any) -> list[Any]:
    return tf.gradients(tf.reduce_sum(y**2.0), x)


def test_padding_that_is_refused() -> None:
    x, f = tf.constant(IMAGE), tf.constant(DEEP)
    for pads, message in (
        ([[0, 0], [-1, 0], [0, 0], [0, 0]], "nonnegative"),
        ([[0, 0], [0, 0], [0, 0], [0, 1]], "batch or depth"),
        ([[1, 0], [0, 0]], "size 4"),
        ("EXPLICIT", "must be a list"),
    ):
        with pytest.raises(ValueError, match=message):
            tf.nn.depthwise_conv2d(x, f, [1] * 4, pads)
    with pytest.raises(TypeError, match="Expected string"):
        tf.nn.conv1d(IMAGE[0], FILTER[0], 1, [[0, 0], [1, 1], [0, 0]])
