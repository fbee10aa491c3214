"""Resizing of images: against sums over pixels, one by one; gradients, shapes, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.evaluate import evaluate

R = np.random.RandomState(11)
F = np.float32

FUNCTIONS = {
    "bilinear": tf.image.resize_bilinear,
    "nearest": tf.image.resize_nearest_neighbor,
    "bicubic": tf.image.resize_bicubic,
    "area": tf.image.resize_area,
}
FLAGS = ({}, {"align_corners": True}, {"half_pixel_centers": True})

pytestmark = pytest.mark.usefixtures("fresh_graph")


# ---- references: the share of each input element in an output element


def step(size, new, flags):
    if flags.get("align_corners") and new > 1:
        return F(F(size - 1) / F(new - 1))
    return F(F(size) / F(new))


def place(i, size, new, flags):
    scale = step(size, new, flags)
    if flags.get("half_pixel_centers"):
        return F(F(F(i + 0.5) * scale) - F(0.5))
    return F(F(i) * scale)


def cubic(x, a):
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def shares(method, size, new, flags):
    """[new, size]"""
    m = np.zeros((new, size))
    half = flags.get("half_pixel_centers")
    for i in range(new):
        at = place(i, size, new, flags)
        low = int(np.floor(at))
        if method == "nearest":
            scale = step(size, new, flags)
            at = F(F(i + 0.5) * scale) if half else at
            whole = int(np.floor(at + 0.5)) if flags.get("align_corners") else int(np.floor(at))
            m[i, min(max(whole, 0), size - 1)] = 1
        elif method == "bilinear":
            m[i, max(low, 0)] += 1 - (at - low)
            m[i, min(int(np.ceil(at)), size - 1)] += at - low
        elif method == "bicubic":
            near = round(float(at - low) * 1024) / 1024
            for k in range(-1, 3):
                inside = 0 <= low + k < size
                if inside or not half:
                    share = cubic(near - k, -0.5 if half else -0.75)
                    m[i, min(max(low + k, 0), size - 1)] += share
            if half:
                m[i] /= m[i].sum()
        elif size == 1:
            m[i] = 1
        else:
            begin, end = (float(F(n) * step(size, new, flags)) for n in (i, i + 1))
            for k in range(int(np.floor(begin)), int(np.ceil(end))):
                m[i, min(k, size - 1)] += min(k + 1, end) - max(k, begin)
            m[i] /= step(size, new, flags)
    return m


def resized(method, x, new, flags):
    rows, columns = (shares(method, x.shape[d + 1], new[d], flags) for d in (0, 1))
    return np.einsum("ih,jw,nhwc->nijc", rows, columns, x.astype(np.float64))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.sampled_from(FLAGS),
    st.tuples(*[st.integers(1, 9)] * 2),
    st.tuples(*[st.integers(1, 14)] * 2),
    st.sampled_from(["float32", "uint8", "int32", "float16", "float64"]),
    st.integers(1, 4),
)
def test_resize(method, flags, size, new, dtype, depth):
    if method == "area":
        flags = {k: v for k, v in flags.items() if k != "half_pixel_centers"}
    x = np.random.RandomState(sum(size) + depth).uniform(0, 200, (2, *size, depth)).astype(dtype)
    with tf.Graph().as_default():
        y = FUNCTIONS[method](tf.constant(x), new, **flags)
        assert y.get_shape().as_list() == [2, *new, depth]
        (value,) = evaluate([y])
    expected = resized(method, x, new, flags)
    if method == "nearest":
        np.testing.assert_array_equal(value, expected.astype(dtype))
    else:
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, expected, rtol=2e-3, atol=0.5)


@settings(max_examples=30)
@given(
    st.sampled_from(["bilinear", "nearest", "bicubic"]),
    st.sampled_from(FLAGS),
    st.tuples(*[st.integers(1, 6)] * 2),
    st.tuples(*[st.integers(1, 12)] * 2),
    st.sampled_from(["float32", "float64"]),
)
def test_gradient_is_the_transpose(method, flags, size, new, dtype):
    state = np.random.RandomState(sum(size))
    x = state.uniform(-1, 1, (2, *size, 2)).astype(dtype)
    with tf.Graph().as_default():
        image = tf.constant(x)
        y = FUNCTIONS[method](image, new, **flags)
        dy = state.uniform(-1, 1, (2, *new, 2)).astype(y.dtype.as_numpy_dtype)
        (grad,) = tf.gradients(y, image, tf.constant(dy))
        assert grad.dtype == image.dtype
        (value,) = evaluate([grad])
    rows, columns = (shares(method, size[d], new[d], flags) for d in (0, 1))
    expected = np.einsum("ih,jw,nijc->nhwc", rows, columns, dy.astype(np.float64))
    np.testing.assert_allclose(value, expected, rtol=2e-3, atol=2e-3)


# From TensorFlow: one column of three pixels, in five.
COLUMN = np.array([0.0, 1.0, 4.0], np.float32).reshape(1, 3, 1, 1)
LITERAL = {
    ("bilinear", 0): [0.0, 0.6, 1.6000001, 3.4, 4.0],
    ("bilinear", 1): [0.0, 0.5, 1.0, 2.5, 4.0],
    ("bilinear", 2): [0.0, 0.40000004, 1.0, 2.8000004, 4.0],
    ("bicubic", 0): [0.0, 0.2876721, 1.624627, 3.495461, 4.323894],
    ("bicubic", 1): [0.0, 0.21875, 1.0, 2.59375, 4.0],
    ("bicubic", 2): [-0.07552557, 0.21669239, 1.0, 2.9912398, 4.2265763],
    ("nearest", 0): [0.0, 0.0, 1.0, 1.0, 4.0],
    ("nearest", 1): [0.0, 1.0, 1.0, 4.0, 4.0],
    ("nearest", 2): [0.0, 0.0, 1.0, 4.0, 4.0],
    ("area", 0): [0.0, 0.3333334, 1.0, 3.0000005, 3.9999993],
    ("area", 1): [0.0, 0.0, 1.0, 1.0, 4.0],
}


@pytest.mark.parametrize("method, flags", LITERAL)
def test_values_of_tensorflow(method, flags):
    y = FUNCTIONS[method](tf.constant(COLUMN), [5, 1], **FLAGS[flags])
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(y).ravel(), LITERAL[method, flags], rtol=1e-6)


def test_far_sizes_are_compiled():
    """More taps than are written out: a long reduction, and a gradient over all of an axis."""
    x = R.uniform(0, 1, (1, 70, 3, 2)).astype(np.float32)
    image = tf.placeholder(tf.float32, [None] * 4)
    small = tf.image.resize_area(image, [3, 2])
    large = tf.image.resize_bilinear(image, [50, 60])
    (grad,) = tf.gradients(large, image)
    with tf.Session() as session:
        values = session.run([small, grad], {image: x})
    np.testing.assert_allclose(values[0], resized("area", x, (3, 2), {}), rtol=1e-5)
    rows, columns = shares("bilinear", 70, 50, {}), shares("bilinear", 3, 60, {})
    expected = np.einsum("ih,jw->hw", rows, columns)[None, :, :, None] * np.ones(2)
    np.testing.assert_allclose(values[1], expected, rtol=1e-5)


def test_an_infinite_pixel_stays_in_its_place():
    """Entries that only fill a table of weights are left out, not multiplied by 0."""
    x = np.ones((1, 6, 1, 1), np.float32)
    x[0, 5] = np.inf
    (value,) = evaluate([tf.image.resize_area(tf.constant(x), [4, 1])])
    assert np.isfinite(value.ravel()[:3]).all() and np.isinf(value.ravel()[3])
    image = tf.constant(np.ones((1, 3, 1, 1), np.float32))
    dy = np.zeros((1, 5, 1, 1), np.float32)
    dy[0, 4] = np.inf
    y = tf.image.resize_nearest_neighbor(image, [5, 1])
    (value,) = evaluate(tf.gradients(y, image, tf.constant(dy)))
    np.testing.assert_array_equal(value.ravel(), [0, 0, np.inf])


def test_size_from_a_tensor_and_unknown_shapes():
    size = tf.placeholder(tf.int32, [2])
    image = tf.placeholder(tf.uint8, None)
    y = tf.image.resize_bilinear(image, size)
    assert y.get_shape().as_list() == [None] * 4
    x = R.randint(0, 255, (1, 4, 5, 3)).astype(np.uint8)
    with tf.Session() as session:
        for new in ((2, 3), (6, 7)):
            value = session.run(y, {image: x, size: new})
            np.testing.assert_allclose(value, resized("bilinear", x, new, {}), rtol=1e-4, atol=1e-3)


def test_refused_sizes():
    image = tf.placeholder(tf.float32, [1, 4, 4, 1])
    with pytest.raises(ValueError, match="rank 4 but is rank 3"):
        tf.image.resize_bilinear(tf.zeros([4, 4, 1]), [2, 2])
    with pytest.raises(ValueError, match="must be 2 but is 3"):
        tf.image.resize_area(image, [1, 2, 3])
    cases = (
        (tf.image.resize_bilinear(image, [0, 2]), "output dimensions must be positive"),
        (
            tf.image.resize_nearest_neighbor(
                image, [2, 2], align_corners=True, half_pixel_centers=True
            ),
            "align_corners must be False",
        ),
    )
    for y, message in cases:
        with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(y, {image: np.zeros((1, 4, 4, 1), np.float32)})


# ---- resize_images and what pads


def test_size_of_unknown_length():
    image, size = tf.placeholder(tf.float32, [None] * 4), tf.placeholder(tf.int32, [None])
    for keep in (False, True):
        y = tf.image.resize_images(image, size, preserve_aspect_ratio=keep)
        assert y.get_shape().as_list() == [None] * 4
        with tf.Session() as session:
            value = session.run(y, {image: np.ones((1, 2, 2, 1)), size: [6, 4]})
        assert value.shape == (1, 4 if keep else 6, 4, 1)


def test_resize_images():
    x = R.uniform(0, 1, (4, 6, 3)).astype(np.float32)
    image = tf.constant(x)
    methods = tf.image.ResizeMethod
    for method, name in (
        (methods.BILINEAR, "bilinear"), (methods.NEAREST_NEIGHBOR, "nearest"),
        (methods.BICUBIC, "bicubic"), (methods.AREA, "area"), ("bilinear", "bilinear"),
    ):  # fmt: skip
        y = tf.image.resize_images(image, [5, 3], method)
        assert y.get_shape().as_list() == [5, 3, 3]
        (value,) = evaluate([y])
        expected = resized(name, x[None], (5, 3), {})[0]
        np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3)
    y = tf.image.resize_images(image, [8, 8], preserve_aspect_ratio=True)
    assert evaluate([y])[0].shape == (5, 8, 3)
    same = tf.image.resize_images(tf.constant(x.astype(np.uint8)), [4, 6])
    assert same.dtype == tf.uint8
    with pytest.raises(ValueError, match="contains no shape"):
        tf.image.resize_images(tf.placeholder(tf.float32), [2, 2])
    with pytest.raises(ValueError, match="either 3 or 4 dimensions"):
        tf.image.resize_images(tf.zeros([2, 2]), [2, 2])
    with pytest.raises(ValueError, match="1-D Tensor of 2 elements"):
        tf.image.resize_images(image, [2])
    with pytest.raises(ValueError, match="not implemented: 7"):
        tf.image.resize_images(image, [2, 2], 7)


@pytest.mark.parametrize("known", [True, False])
def test_resize_image_with_pad(known):
    x = R.uniform(1, 2, (4, 2, 1)).astype(np.float32)
    image = tf.placeholder(tf.float32, x.shape if known else [None] * 3)
    y = tf.image.resize_image_with_pad(image, 8, 8)
    assert y.get_shape().as_list() == [8, 8, 1 if known else None]
    with tf.Session() as session:
        value = session.run(y, {image: x})
    assert not value[:, :2].any() and not value[:, 6:].any()
    middle = resized("bilinear", x[None], (8, 4), {})[0]
    np.testing.assert_allclose(value[:, 2:6], middle, rtol=1e-5)
    with pytest.raises(ValueError, match="target_width must be > 0"):
        tf.image.resize_image_with_pad(image, 3, 0)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(("size", "new"), [((5, 7), (9, 10)), ((12, 11), (5, 6)), ((4, 1), (7, 3))])
@pytest.mark.parametrize("channels", [13, 16, 45])
def test_many_channels_are_as_one(flags, size, new, channels):
    """Those that fill packets are read at four pixels at once: the same numbers, bit for bit."""
    images = R.standard_normal((2, *size, channels)).astype(F)
    given = tf.placeholder(tf.float32, images.shape)
    wide = tf.image.resize_bilinear(given, new, **flags)
    one = [tf.image.resize_bilinear(c, new, **flags) for c in tf.split(given, channels, 3)[::6]]
    with tf.Session() as sess:
        got, parts = sess.run([wide, tf.concat(one, 3)], {given: images})
    np.testing.assert_array_equal(got[..., ::6], parts)
    np.testing.assert_array_equal(evaluate([wide], {given: images})[0], got)
