"""Measures of images: total variation, gradients, Sobel, signal to noise, structural similarity."""

import numpy as np
import pytest

import tfc as tf
from tests.ops.gradcheck import check_gradient

R = np.random.RandomState(15)
A = (np.arange(12 * 13) % 17 / 17).astype(np.float32).reshape(1, 12, 13, 1)
B = (np.arange(12 * 13) % 13 / 13).astype(np.float32).reshape(1, 12, 13, 1)
X = R.uniform(0, 1, (2, 5, 6, 3)).astype(np.float32)

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


def test_total_variation():
    sums = np.abs(np.diff(X, axis=1)).sum((1, 2, 3)) + np.abs(np.diff(X, axis=2)).sum((1, 2, 3))
    np.testing.assert_allclose(run(tf.image.total_variation(X)), sums, rtol=1e-5)
    np.testing.assert_allclose(run(tf.image.total_variation(X[0])), sums[0], rtol=1e-5)
    with pytest.raises(ValueError, match="3 or 4-dimensional"):
        tf.image.total_variation(tf.zeros([2, 2]))


def test_image_gradients():
    for image in (tf.constant(X), tf.placeholder(tf.float32, [None] * 4)):
        dy, dx = run(tf.image.image_gradients(image), {image: X})
        np.testing.assert_array_equal(dy[:, :-1], np.diff(X, axis=1))
        np.testing.assert_array_equal(dx[:, :, :-1], np.diff(X, axis=2))
        assert not dy[:, -1].any() and not dx[:, :, -1].any()
    check_gradient(lambda x: tf.stack(tf.image.image_gradients(x)), R.uniform(0, 1, (1, 3, 4, 2)))
    with pytest.raises(ValueError, match="expects a 4D tensor"):
        tf.image.image_gradients(tf.zeros([2, 2, 2]))


def test_sobel_edges():
    kernel = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    wide = np.pad(X, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    expected = np.zeros((*X.shape, 2))
    for i, j in np.ndindex(3, 3):
        window = wide[:, i : i + 5, j : j + 6]
        expected[..., 0] += kernel[i, j] * window
        expected[..., 1] += kernel[j, i] * window
    for image in (tf.constant(X), tf.placeholder(tf.float32, [None] * 4)):
        y = tf.image.sobel_edges(image)
        assert y.get_shape().as_list()[-1] == 2
        np.testing.assert_allclose(run(y, {image: X}), expected, atol=1e-5)
    check_gradient(tf.image.sobel_edges, R.uniform(0, 1, (1, 3, 4, 1)))


def test_psnr():
    np.testing.assert_allclose(run(tf.image.psnr(A, B, 1.0)), [7.5219955], rtol=1e-5)
    pixels = [R.randint(0, 256, X.shape).astype(np.uint8) for _ in range(2)]
    error = ((pixels[0] / 255.0 - pixels[1] / 255.0) ** 2).mean((1, 2, 3))
    expected = -10 * np.log10(error)
    np.testing.assert_allclose(run(tf.image.psnr(*pixels, 255)), expected, rtol=1e-4)
    same = tf.constant(X)
    assert np.isinf(run(tf.image.psnr(same, same, 1.0))).all()
    with pytest.raises(ValueError):
        tf.image.psnr(tf.zeros([4, 4, 1]), tf.zeros([4, 5, 1]), 1.0)
    with pytest.raises(ValueError, match="must be equal"):
        tf.image.psnr(tf.zeros([2, 4, 4, 1]), tf.zeros([3, 4, 4, 1]), 1.0)
    unknown = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.image.psnr(unknown, tf.zeros([4, 4, 1]), 1.0), {unknown: np.zeros((4, 5, 1))})


def similarity(a, b, size, sigma, k1=0.01, k2=0.03):
    at = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(at[:, None] ** 2 + at**2) / (2 * sigma**2))
    weights /= weights.sum()

    def mean(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
        return (windows * weights).sum((-2, -1))

    a, b = a.astype(np.float64), b.astype(np.float64)
    x, y = mean(a), mean(b)
    c1, c2 = k1**2, k2**2
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    structure = (2 * mean(a * b) - 2 * x * y + c2) / (mean(a * a + b * b) - x * x - y * y + c2)
    return luminance * structure


def test_ssim():
    np.testing.assert_allclose(run(tf.image.ssim(A, B, 1.0)), [-0.01648268], atol=1e-5)
    near = A * np.float32(0.5) + np.float32(0.2)
    options = {"filter_size": 5, "filter_sigma": 1.0}
    value = run(tf.image.ssim(A, near, 1.0, **options))
    np.testing.assert_allclose(value, [0.7977431], rtol=1e-4)
    whole = similarity(A, near, 5, 1.0)
    unknown = tf.placeholder(tf.float32)
    for image in (tf.constant(A), unknown):
        value = run(tf.image.ssim(image, near, 1.0, return_index_map=True, **options), {image: A})
        np.testing.assert_allclose(value, whole[..., 0], atol=1e-3)
    with pytest.raises(ValueError, match="Two images are not compatible"):
        tf.image.ssim(tf.zeros([2, 12, 12, 1]), tf.zeros([3, 12, 12, 1]), 1.0)
    with pytest.raises(ValueError, match="Negative dimension"):
        tf.image.ssim(tf.zeros([1, 5, 5, 1]), tf.zeros([1, 5, 5, 1]), 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.image.ssim(unknown, unknown, 1.0), {unknown: np.zeros((1, 5, 5, 1))})
    image = tf.constant(A)
    (grad,) = tf.gradients(tf.image.ssim(image, near, 1.0, **options), image)
    assert np.isfinite(run(grad)).all()


def test_ssim_multiscale():
    near = A * np.float32(0.5) + np.float32(0.2)
    options = {"power_factors": (0.5, 0.5), "filter_size": 5}
    value = run(tf.image.ssim_multiscale(A, near, 1.0, **options))
    np.testing.assert_allclose(value, [0.801951], rtol=1e-4)
    unknown = tf.placeholder(tf.float32, [None] * 4)
    value = run(tf.image.ssim_multiscale(unknown, near, 1.0, **options), {unknown: A})
    np.testing.assert_allclose(value, [0.801951], rtol=1e-4)
    same = tf.image.ssim_multiscale(A, A, 1.0, **options)
    np.testing.assert_allclose(run(same), [1.0], rtol=1e-6)
