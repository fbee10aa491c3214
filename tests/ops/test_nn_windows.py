"""Dilated pools, `with_space_to_batch`, transposed convolutions over one axis, arguments that have
two names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feed)


def windows(x: np.ndarray, size: int, rate: int) -> np.ndarray:
    """[batch, places, size, channels]: the dilated windows of [batch, width, channels]."""
    places = x.shape[1] - (size - 1) * rate
    at = np.arange(places)[:, None] + rate * np.arange(size)
    return x[:, at]


@given(width=st.integers(5, 9), size=st.integers(1, 3), rate=st.integers(1, 3), known=st.booleans())
@settings(max_examples=15)
def test_dilated_pools(width: int, size: int, rate: int, known: bool) -> None:
    x = np.random.RandomState(width).normal(size=(2, width, 3))
    if (size - 1) * rate >= width:
        return
    with tf.Graph().as_default():
        t = tf.constant(x) if known else tf.placeholder(tf.float64, [None, None, None])
        feed = {} if known else {t: x}
        for kind, reduce in (("MAX", np.max), ("AVG", np.mean)):
            y = tf.nn.pool(t, [size], kind, "VALID", [rate])
            np.testing.assert_allclose(run(y, feed), reduce(windows(x, size, rate), axis=2))


def test_dilated_pool_in_two_axes_and_its_gradient() -> None:
    x = np.random.RandomState(0).normal(size=(1, 5, 6, 2))
    y = run(tf.nn.pool(x, [2, 2], "AVG", "VALID", dilations=[2, 3]))
    expected = (x[:, :3, :3] + x[:, 2:, :3] + x[:, :3, 3:] + x[:, 2:, 3:]) / 4
    np.testing.assert_allclose(y, expected)
    check_gradient(lambda t: tf.nn.pool(t, [2, 2], "MAX", "VALID", [2, 3]), x)


def test_pool_errors() -> None:
    x = np.zeros((1, 6, 2))
    for match, arguments in {
        "strides > 1 not supported": ([2], "MAX", "VALID", [2], [2]),
        "SAME padding is not implemented": ([2], "MAX", "SAME", [2]),
        "strides > window_shape": ([2], "MAX", "VALID", [1], [3]),
        "positive": ([2], "MAX", "VALID", [0]),
        "should be 1": ([2], "MAX", "VALID", [1, 1]),
        "pooling_type": ([2], "MIN", "VALID"),
        "rank": ([2, 2], "MAX", "VALID"),
        "1 to 3": ([], "MAX", "VALID"),
    }.items():
        with pytest.raises(ValueError, match=match):
            tf.nn.pool(x, *arguments)


def test_with_space_to_batch() -> None:
    rs = np.random.RandomState(1)
    x, k = rs.normal(size=(2, 7, 6, 2)), rs.normal(size=(3, 3, 2, 2))
    calls = []

    def convolve(batches: Any, count: int, padding: str) -> Any:
        calls.append((count, padding))
        return tf.nn.conv2d(batches, k, [1, 1, 1, 1], padding)

    for padding in ("SAME", "VALID"):
        y = tf.nn.with_space_to_batch(x, [2, 1], padding, convolve, filter_shape=[3, 3])
        plain = tf.nn.conv2d(x, k, [1, 1, 1, 1], padding, dilations=[1, 2, 1, 1])
        np.testing.assert_allclose(*run([y, plain]), atol=1e-12)
    assert calls == [(2, "VALID")] * 2
    tf.nn.with_space_to_batch(x, [1, 1], "SAME", convolve)
    assert calls[-1] == (2, "SAME")
    row = k[:1]
    y = tf.nn.with_space_to_batch(
        x,
        [2],
        "SAME",
        lambda t, n, p: tf.nn.conv2d(t, row, [1, 1, 1, 1], p),
        filter_shape=[3],
        spatial_dims=[2],
    )
    plain = tf.nn.conv2d(x, row, [1, 1, 1, 1], "SAME", dilations=[1, 1, 2, 1])
    np.testing.assert_allclose(*run([y, plain]), atol=1e-12)


def test_with_space_to_batch_errors() -> None:
    x = tf.zeros([1, 4, 4, 1])
    for match, more in {
        "filter_shape must be": {"padding": "SAME"},
        "Invalid padding": {"padding": "FULL"},
        "monotonically": {"spatial_dims": [2, 1]},
        "rank": {"spatial_dims": [3, 4]},
        "positive": {"dilation_rate": [0, 1]},
        "known shape": {"dilation_rate": tf.placeholder(tf.int32, [None])},
    }.items():
        arguments = {"padding": "VALID", "dilation_rate": [2, 2], "op": lambda t, n, p: t, **more}
        with pytest.raises(ValueError, match=match):
            tf.nn.with_space_to_batch(x, **arguments)


def transposed(x: np.ndarray, k: np.ndarray, width: int, stride: int) -> np.ndarray:
    """The gradient of a VALID convolution of `width` places, place by place."""
    y = np.zeros((x.shape[0], width, k.shape[1]))
    for i in range(x.shape[1]):
        for j in range(k.shape[0]):
            if i * stride + j < width:
                y[:, i * stride + j] += x[:, i] @ k[j].T
    return y


@pytest.mark.parametrize("stride", [1, 2, [3]])
def test_conv1d_transpose(stride: Any) -> None:
    rs = np.random.RandomState(2)
    x, k = rs.normal(size=(2, 4, 3)), rs.normal(size=(3, 2, 3))
    step = stride if isinstance(stride, int) else stride[0]
    width = 3 * step + 3
    expected = transposed(x, k, width, step)
    for shape in ([2, width, 2], tf.constant([2, width, 2])):
        y = tf.nn.conv1d_transpose(x, k, shape, stride, "VALID")
        np.testing.assert_allclose(run(y), expected, atol=1e-12)
    y = tf.nn.conv_transpose(
        x.transpose(0, 2, 1), k, [2, 2, width], stride, "VALID", data_format="NCW"
    )
    np.testing.assert_allclose(run(y), expected.transpose(0, 2, 1), atol=1e-12)
    assert tf.nn.conv1d_transpose(x, k, [2, width, 2], stride, "VALID").shape == (2, width, 2)


def test_conv_transpose_by_rank_and_gradient() -> None:
    rs = np.random.RandomState(3)
    x, k = rs.normal(size=(1, 3, 3, 2)), rs.normal(size=(2, 2, 1, 2))
    sizes = [1, 6, 6, 1]
    both = [
        tf.nn.conv_transpose(x, k, sizes, 2),
        tf.nn.conv2d_transpose(x, k, sizes, [1, 2, 2, 1]),
    ]
    np.testing.assert_array_equal(*run(both))
    x3, k3 = x[:, :, None], k[:, None]
    both = [
        tf.nn.conv_transpose(x3, k3, [1, 6, 1, 6, 1], [2, 1, 2]),
        tf.nn.conv3d_transpose(x3, k3, [1, 6, 1, 6, 1], [1, 2, 1, 2, 1], input=None),
    ]
    np.testing.assert_array_equal(*run(both))
    check_gradient(
        lambda a, b: tf.nn.conv1d_transpose(a, b, [1, 6, 1], 2), x[:, 0].copy(), k[0].copy()
    )
    for arguments in ((3, 1), ([1, 2], 1), (tf.placeholder(tf.int32, [None]), 1)):
        with pytest.raises(ValueError, match="output_shape"):
            tf.nn.conv_transpose(x, k, *arguments)
    with pytest.raises(ValueError, match="input channels"):
        tf.nn.conv1d_transpose(x[0], k[0, :, :, :1], [3, 6, 1], 2)


def test_gradients_of_convolutions_by_name() -> None:
    rs = np.random.RandomState(4)
    x, k = tf.constant(rs.normal(size=(2, 5, 5, 2))), tf.constant(rs.normal(size=(3, 2, 2, 2)))
    dy = rs.normal(size=(2, 3, 3, 4))
    y = tf.nn.depthwise_conv2d_native(x, k, [1, 2, 2, 1], "SAME")
    dx, dk = run(tf.gradients(y, [x, k], dy))
    how = ([1, 2, 2, 1], "SAME")
    for function in (
        tf.nn.depthwise_conv2d_backprop_input,
        tf.nn.depthwise_conv2d_native_backprop_input,
    ):
        np.testing.assert_allclose(run(function([2, 5, 5, 2], k, dy, *how)), dx)
    for function in (
        tf.nn.depthwise_conv2d_backprop_filter,
        tf.nn.depthwise_conv2d_native_backprop_filter,
    ):
        np.testing.assert_allclose(run(function(x, [3, 2, 2, 2], dy, *how)), dk)
    volume, kernel = tf.expand_dims(x, 1), tf.constant(rs.normal(size=(1, 2, 2, 2, 3)))
    y = tf.nn.conv3d(volume, kernel, [1] * 5, "VALID")
    (expected,) = run(tf.gradients(y, [kernel]))
    for function in (tf.nn.conv3d_backprop_filter, tf.nn.conv3d_backprop_filter_v2):
        got = function(volume, [1, 2, 2, 2, 3], tf.ones_like(y), [1] * 5, "VALID")
        np.testing.assert_allclose(run(got), expected)


def test_two_names_for_one_argument() -> None:
    x, k, x3 = tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1]), tf.ones([1, 4, 4, 4, 1])
    k3, one = tf.ones([1, 1, 1, 1, 1]), tf.ones([1])
    n, pool = tf.nn, (2, 2, "SAME")
    old_and_new = {
        "value.*input": [
            lambda: n.max_pool(x, *pool, input=x),
            lambda: n.avg_pool(x, *pool, input=x),
            lambda: n.avg_pool2d(x, *pool, input=x),
            lambda: n.conv2d_transpose(x, k, [1, 8, 8, 1], 2, input=x),
        ],
        "filter.*filters": [
            lambda: n.convolution(x, k, "SAME", filters=k),
            lambda: n.conv3d_transpose(x3, k3, [1, 4, 4, 4, 1], 1, filters=k3),
        ],
        "dilation_rate.*dilations": [
            lambda: n.convolution(x, k, "SAME", dilation_rate=[1, 1], dilations=[1, 1]),
            lambda: n.pool(x, [2, 2], "MAX", "SAME", [1, 1], dilations=[1, 1]),
        ],
        "rate.*dilations": [
            lambda: n.depthwise_conv2d(x, k, [1] * 4, "SAME", [1, 1], dilations=[1, 1])
        ],
        "m.*mean": [
            lambda: n.batch_norm_with_global_normalization(x, one, one, one, one, mean=one)
        ],
    }
    for match, calls in old_and_new.items():
        for call in calls:
            with pytest.raises(ValueError, match=f"Cannot specify both '{match}'"):
                call()
    with pytest.raises(TypeError, match="value"):
        n.max_pool(ksize=2, strides=2, padding="SAME", input=x)
    with pytest.raises(TypeError, match="filter"):
        n.convolution(x, padding="SAME", filters=k)


def test_newer_names() -> None:
    x, k = tf.constant(np.arange(16.0).reshape(1, 4, 4, 1)), tf.ones([2, 2, 1, 1], tf.float64)
    n = tf.nn
    assert run(n.max_pool(None, 2, 2, "SAME", input=x)).ravel().tolist() == [5, 7, 13, 15]
    assert run(n.avg_pool2d(None, 4, 4, "SAME", input=x)).ravel().tolist() == [7.5]
    y = n.convolution(x, None, "VALID", filters=k, dilations=[3, 3])
    assert run(y).ravel().tolist() == [30]
    y = n.depthwise_conv2d(x, k, [1] * 4, "VALID", dilations=[3, 3])
    assert run(y).ravel().tolist() == [30]
    f = lambda v: tf.constant(v, tf.float64)  # noqa: E731
    y = n.batch_norm_with_global_normalization(
        input=x,
        mean=f([7.0]),
        variance=f([3.0]),
        beta=f([1.0]),
        gamma=f([9.0]),
        variance_epsilon=1.0,
    )
    assert run(y).ravel().tolist() == [(i - 7) / 2 + 1 for i in range(16)]  # the scale is not used


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size, stride", [(1, 1), (2, 2), (3, 3), (1, 3), (2, 5), (5, 2), (4, 7)])
@pytest.mark.parametrize("height", [1, 4, 5, 7, 12])
def test_the_gradient_of_mean_pools_is_their_transpose(
    height: int, size: int, stride: int, padding: str
) -> None:
    """Windows side by side, apart and over each other; those that do not fit are none."""
    if padding == "VALID" and height < size:
        return
    rng = np.random.RandomState(height)
    x, along = rng.normal(size=(2, 2, height, 9, 3))
    t = tf.placeholder(tf.float64, x.shape)
    y = tf.nn.avg_pool(t, [1, size, 2, 1], [1, stride, 3, 1], padding)
    dy = rng.normal(size=y.shape.as_list())
    (dx,) = tf.gradients(y, t, dy)
    got, ahead = run(dx, {t: x}), run(y, {t: along})
    np.testing.assert_allclose((got * along).sum(), (dy * ahead).sum(), rtol=1e-9, atol=1e-9)
