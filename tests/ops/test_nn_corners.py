"""Corners of `tf.nn`: errors of windows and axes, attributes of single precision, complex numbers,
explicit padding, dilated pools, transposed sequences. Literal values are TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feed)


def grid(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.random.RandomState(len(shape)).normal(size=shape).astype(dtype)


# ---- activations


def test_leaky_relu_holds_its_slope_in_single_precision() -> None:
    x = tf.constant([-1.0, 2.0], tf.float64)
    y = tf.nn.leaky_relu(x, 0.1)
    g = tf.gradients(y, x)[0]
    slope = float(np.float32(0.1))
    np.testing.assert_array_equal(run(y), [-slope, 2.0])
    np.testing.assert_array_equal(run(g), [slope, 1.0])
    np.testing.assert_array_equal(run(tf.nn.leaky_relu(np.array([-2.0]), np.array(1.5))), [-3.0])
    with pytest.raises(TypeError, match="alpha"):
        tf.nn.leaky_relu([1.0], tf.constant(0.2))


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_complex_gradients_conjugate_once(name: str) -> None:
    x = np.array([0.3 + 0.4j, -1 + 0.5j])
    w = np.array([1 + 2j, -0.5 + 1j])
    t = tf.constant(x)
    y = getattr(tf, name)(t)
    expected = np.conj(np.tanh(x) if name == "tanh" else 1 / (1 + np.exp(-x)))
    slope = 1 - expected**2 if name == "tanh" else expected * (1 - expected)
    np.testing.assert_allclose(run(tf.gradients(y, t, [tf.constant(w)])[0]), w * slope)


def test_sigmoid_of_halves_is_rounded_once() -> None:
    x = np.array([5.2, 4.1, -4.1, 0.0, 11.0], np.float16)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_array_equal(run(tf.sigmoid(x)), exact.astype(np.float16))


@pytest.mark.parametrize("f", [tf.nn.softmax, tf.nn.log_softmax])
def test_softmax_axis_errors(f: Any) -> None:
    x = tf.constant(grid(2, 3))
    for axis in (2, -3):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be in the range"):
            f(x, axis)
    with pytest.raises(TypeError, match="rank"):
        f(tf.placeholder(tf.float32), 0)
    with pytest.raises(ValueError, match="Cannot specify both"):
        f(x, axis=0, dim=0)
    np.testing.assert_array_equal(run(f(x, tf.constant(0))), run(f(x, dim=0)))


def test_l2_normalize_of_complex_numbers() -> None:
    x = np.array([[3 + 4j, 0], [0, 2j]])
    y = run(tf.nn.l2_normalize(x, 1))
    np.testing.assert_allclose(y, [[0.6 + 0.8j, 0], [0, 1j]])
    with pytest.raises(ValueError, match="Cannot specify both"):
        tf.nn.l2_normalize(x, axis=0, dim=0)


def test_weighted_moments() -> None:
    x, w = grid(4, 3), np.array([[1.0], [0.0], [2.0], [1.0]])
    mean, variance = run(tf.nn.weighted_moments(x, [0], w))
    counted = np.repeat(x, [1, 0, 2, 1], axis=0)
    np.testing.assert_allclose(mean, counted.mean(0))
    np.testing.assert_allclose(variance, counted.var(0))
    kept = tf.nn.weighted_moments(x, [0, 1], w, keep_dims=True)
    assert kept[0].shape == (1, 1)
    half = tf.nn.weighted_moments(x.astype(np.float16), 0, w)
    assert [t.dtype for t in half] == [tf.float16, tf.float16]
    np.testing.assert_allclose(run(half[1]), counted.astype(np.float16).var(0), rtol=2e-3)
    check_gradient(lambda a, b: tf.nn.weighted_moments(a, [0], b)[1], x, w + 0.5)


def test_moments_over_all_axes() -> None:
    x = grid(3, 4)
    mean, variance = tf.nn.moments(x, None)
    assert mean.shape == variance.shape == ()
    np.testing.assert_allclose(run([mean, variance]), [x.mean(), x.var()])
    np.testing.assert_allclose(run(tf.nn.weighted_moments(x, None, 2.0)[1]), x.var())
    assert tf.nn.moments(x, None, keep_dims=True)[0].shape == (1, 1)


# ---- windows


@pytest.mark.parametrize(
    ("padding", "message"),
    [
        ([[1, 0], [1, 1], [0, 0], [0, 0]], "batch or depth"),
        ([[0, 0], [1, 1], [0, 0]], "must be of size 4"),
        ([[0, 0], [-1, 1], [0, 0], [0, 0]], "nonnegative"),
    ],
)
def test_explicit_padding_errors(padding: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tf.nn.conv2d(grid(1, 4, 4, 2), grid(2, 2, 2, 1), [1, 1, 1, 1], padding)


def test_strides_default_to_one() -> None:
    x, f = grid(1, 4, 5, 2), grid(2, 2, 2, 3)
    expected = run(tf.nn.conv2d(x, f, [1, 1, 1, 1], "SAME"))
    np.testing.assert_array_equal(run(tf.nn.conv2d(x, f, padding="SAME")), expected)
    assert tf.nn.max_pool(x, [1, 2, 2, 1], None, "VALID").shape == (1, 3, 4, 2)
    assert tf.nn.avg_pool(x, None, [2, 2], "VALID").shape == (1, 2, 3, 2)
    with pytest.raises(ValueError, match="of length 1, 2 or 4"):
        tf.nn.conv2d(x, f, [1, 2, 1], "SAME")


@pytest.mark.parametrize(("stride", "extent"), [([1, 2, 1], 4), (3, 3), ([2], 4)])
def test_conv1d_strides(stride: Any, extent: int) -> None:
    x, f = grid(2, 7, 3), grid(3, 3, 2)
    step = stride if isinstance(stride, int) else max(stride)
    y = tf.nn.conv1d(x, f, stride, "SAME")
    wide = tf.nn.conv2d(x[:, None], f[None], [1, 1, step, 1], "SAME")
    assert y.shape == (2, extent, 2)
    np.testing.assert_array_equal(run(y), run(wide)[:, 0])
    with pytest.raises(ValueError, match="of length 1, 1 or 3"):
        tf.nn.conv1d(x, f, [1, 2], "SAME")


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv1d_transpose(padding: str) -> None:
    y, f = grid(2, 4, 2), grid(3, 3, 2)
    extent = 8 if padding == "SAME" else 9
    x = tf.nn.conv1d_transpose(y, f, [2, extent, 3], 2, padding)
    assert x.shape == (2, extent, 3)
    probe = tf.placeholder(tf.float64, [2, extent, 3])
    forward = tf.nn.conv1d(probe, f, 2, padding)
    expected = run(tf.gradients(forward, probe, [tf.constant(y)])[0], {probe: grid(2, extent, 3)})
    np.testing.assert_allclose(run(x), expected)
    np.testing.assert_array_equal(
        run(tf.nn.conv_transpose(y, f, tf.constant([2, extent, 3]), 2, padding)), run(x)
    )
    check_gradient(lambda a, b: tf.nn.conv1d_transpose(a, b, [2, extent, 3], 2, padding), y, f)
    with pytest.raises(ValueError, match="NWC"):
        tf.nn.conv1d_transpose(y, f, [2, 8, 3], 2, data_format="NHWC")


def test_conv_transpose_by_rank() -> None:
    image, volume = grid(1, 3, 3, 2), grid(1, 2, 2, 2, 2)
    two = tf.nn.conv_transpose(image, grid(3, 3, 1, 2), [1, 6, 6, 1], 2)
    three = tf.nn.conv_transpose(volume, grid(2, 2, 2, 1, 2), [1, 4, 4, 4, 1], [1, 2, 2, 2, 1])
    assert (two.shape, three.shape) == ((1, 6, 6, 1), (1, 4, 4, 4, 1))
    same = tf.nn.conv2d_transpose(image, grid(3, 3, 1, 2), [6, 6], [1, 2, 2, 1])
    assert same.shape == (1, 6, 6, 1)
    np.testing.assert_array_equal(run(two), run(same))
    with pytest.raises(ValueError, match="length 3, 4 or 5"):
        tf.nn.conv_transpose(image, grid(3, 3, 1, 2), [6, 6], 2)


def test_gradient_functions_are_the_gradients() -> None:
    x, f = tf.constant(grid(1, 5, 4, 2)), tf.constant(grid(3, 2, 2, 2))
    y = tf.nn.depthwise_conv2d(x, f, [1, 1, 1, 1], "SAME")
    dy = tf.constant(grid(1, 5, 4, 4))
    of_x, of_f = tf.gradients(y, [x, f], [dy])
    got_x = tf.nn.depthwise_conv2d_backprop_input(x.shape, f, dy, [1, 1, 1, 1], "SAME")
    got_f = tf.nn.depthwise_conv2d_native_backprop_filter(x, f.shape, dy, [1, 1, 1, 1], "SAME")
    np.testing.assert_array_equal(run(got_x), run(of_x))
    np.testing.assert_array_equal(run(got_f), run(of_f))
    v, k = tf.constant(grid(1, 3, 3, 3, 2)), tf.constant(grid(2, 2, 2, 2, 1))
    z = tf.nn.conv3d(v, k, [1, 1, 1, 1, 1], "VALID")
    dz = tf.constant(grid(1, 2, 2, 2, 1))
    got_k = tf.nn.conv3d_backprop_filter_v2(v, k.shape, dz, [1, 1, 1, 1, 1], "VALID")
    np.testing.assert_array_equal(run(got_k), run(tf.gradients(z, k, [dz])[0]))


def test_separable_pointwise_filter_is_one_by_one() -> None:
    with pytest.raises(ValueError, match="not compatible"):
        tf.nn.separable_conv2d(
            grid(1, 4, 4, 2), grid(2, 2, 2, 1), grid(2, 1, 2, 3), [1, 1, 1, 1], "SAME"
        )


def test_depthwise_strides_among_the_blocks_of_a_rate() -> None:
    """Literal shape and values of TensorFlow: the strides act on the blocks."""
    x = np.arange(2 * 7 * 6, dtype=np.float64).reshape(2, 7, 6, 1)
    y = tf.nn.depthwise_conv2d(x, np.ones((3, 2, 1, 1)), [1, 2, 2, 1], "SAME", rate=[2, 2])
    assert y.shape == (2, 3, 4, 1)
    blocks = tf.space_to_batch_nd(x, [2, 2], [[2, 3], [1, 1]])
    strided = tf.nn.depthwise_conv2d(blocks, np.ones((3, 2, 1, 1)), [1, 2, 2, 1], "VALID")
    expected = tf.batch_to_space_nd(strided, [2, 2], [[0, 1], [0, 0]])
    np.testing.assert_array_equal(run(y), run(expected))


# ---- pools


def test_dilated_pool() -> None:
    x = grid(2, 7, 6, 3)
    y = tf.nn.pool(x, [2, 2], "MAX", "VALID", dilation_rate=[2, 3])
    expected = np.maximum.reduce([x[:, i : 5 + i, j : 3 + j] for i in (0, 2) for j in (0, 3)])
    assert y.shape == expected.shape
    np.testing.assert_array_equal(run(y), expected)
    unknown = tf.placeholder(tf.float64, [None, None, None, 3])
    mean = tf.nn.pool(unknown, [2, 2], "AVG", "VALID", [2, 3])
    parts = [x[:, i : 5 + i, j : 3 + j] for i in (0, 2) for j in (0, 3)]
    np.testing.assert_allclose(run(mean, {unknown: x}), sum(parts) / 4)
    check_gradient(lambda a: tf.nn.pool(a, [2], "AVG", "VALID", [2]), grid(1, 5, 2))


@pytest.mark.parametrize(
    "arguments",
    [
        {"padding": "SAME", "dilation_rate": [2, 2]},
        {"padding": "VALID", "dilation_rate": [2, 2], "strides": [2, 2]},
        {"padding": "VALID", "strides": [3, 3]},
        {"padding": "VALID", "strides": [1, 1, 1]},
    ],
)
def test_pool_refuses(arguments: Any) -> None:
    with pytest.raises(ValueError):
        tf.nn.pool(grid(1, 6, 6, 1), [2, 2], "MAX", **arguments)


def test_convolution_refuses_strides_with_dilations() -> None:
    with pytest.raises(ValueError, match="not supported in conjunction"):
        tf.nn.convolution(grid(1, 6, 6, 1), grid(2, 2, 1, 1), "SAME", [2, 2], [2, 2])


@pytest.mark.parametrize("shape", [(0, 4, 4, 2), (2, 4, 4, 0)])
@pytest.mark.parametrize("f", [tf.nn.max_pool, tf.nn.avg_pool])
def test_pools_of_nothing(f: Any, shape: tuple[int, ...]) -> None:
    x = tf.placeholder(tf.float32, shape)
    y = f(x, [1, 2, 2, 1], [1, 1, 1, 1], "SAME")
    assert y.shape == shape
    value, gradient = run([y, tf.gradients(y, x)[0]], {x: np.zeros(shape)})
    assert value.shape == gradient.shape == shape


def test_argmax_indices_are_integers() -> None:
    with pytest.raises(TypeError, match="Targmax"):
        tf.nn.max_pool_with_argmax(
            grid(1, 4, 4, 1), [1, 2, 2, 1], [1, 2, 2, 1], "SAME", Targmax=tf.float32
        )


def test_blocks_of_chosen_axes() -> None:
    """with_space_to_batch over the last axis only: a convolution with holes along it."""
    x, f = grid(1, 4, 7, 2), grid(1, 3, 2, 2)

    def along(blocks: Any, count: int, padding: str) -> Any:
        assert (count, padding) == (1, "VALID")
        return tf.nn.conv2d(blocks, f, [1, 1, 1, 1], padding)

    y = tf.nn.with_space_to_batch(x, [2], "SAME", along, filter_shape=[3], spatial_dims=[2])
    expected = tf.nn.conv2d(x, f, [1, 1, 1, 1], "SAME", dilations=[1, 1, 2, 1])
    np.testing.assert_allclose(run(y), run(expected))
    with pytest.raises(ValueError, match="filter_shape"):
        tf.nn.with_space_to_batch(x, [2], "SAME", along, spatial_dims=[2])
