"""Flips, turns, crops, borders and patches of images against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.evaluate import evaluate
from tests.ops.gradcheck import check_gradient

R = np.random.RandomState(12)
IMAGE = R.uniform(0, 1, (4, 5, 3)).astype(np.float32)
BATCH = R.uniform(0, 1, (2, 4, 5, 3)).astype(np.float32)

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


def fed(x, rank_known=True):
    return tf.placeholder(x.dtype, [None] * x.ndim if rank_known else None)


FLIPS = {
    "flip_left_right": lambda x: x[..., ::-1, :],
    "flip_up_down": lambda x: x[..., ::-1, :, :],
    "transpose": lambda x: np.swapaxes(x, -3, -2),
    "transpose_image": lambda x: np.swapaxes(x, -3, -2),
    "rot90": lambda x: np.rot90(x, 1, (-3, -2)),
}


@pytest.mark.parametrize("name", FLIPS)
@pytest.mark.parametrize("x", [IMAGE, BATCH], ids=["image", "batch"])
def test_flips_and_turns(name, x):
    function = getattr(tf.image, name)
    np.testing.assert_array_equal(run(function(tf.constant(x))), FLIPS[name](x))
    for rank_known in (True, False):
        image = fed(x, rank_known)
        np.testing.assert_array_equal(run(function(image), {image: x}), FLIPS[name](x))
    for rank in (2, 5):
        with pytest.raises(ValueError, match="dimension"):
            function(tf.zeros([2] * rank))


def test_rot90_by_any_number():
    turns = tf.placeholder(tf.int32, [])
    y = tf.image.rot90(tf.constant(IMAGE), turns)
    assert y.get_shape().as_list() == [None, None, 3]
    for k in (-1, 0, 2, 3, 7):
        np.testing.assert_array_equal(run(y, {turns: k}), np.rot90(IMAGE, k))


def test_empty_images_are_refused():
    with pytest.raises(ValueError, match="must be > 0"):
        tf.image.flip_left_right(tf.zeros([0, 2, 3]))
    image = tf.placeholder(tf.float32, [None] * 3)
    y = tf.image.flip_left_right(image)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be > 0"):
        run(y, {image: np.zeros((0, 2, 3), np.float32)})


@pytest.mark.parametrize("seed, flipped", [(1, False), (2, True)])
def test_random_flips(seed, flipped):
    """Those whose uniform number is below 1/2 (of a batch: above); `flipped` as TensorFlow does."""
    tf.set_random_seed(seed)
    for function, plain in (
        (tf.image.random_flip_left_right, tf.image.flip_left_right),
        (tf.image.random_flip_up_down, tf.image.flip_up_down),
    ):
        image = tf.constant(IMAGE)
        draw = tf.random_uniform([], 0, 1.0, seed=7)
        values = run([function(image, seed=7), plain(image), image, draw])
        expected = values[1] if values[3] < 0.5 else values[2]
        np.testing.assert_array_equal(values[0], expected)
        batch = tf.constant(BATCH)
        draws = tf.random_uniform([2], 0, 1.0, seed=8)
        values = run([function(batch, seed=8), plain(batch), draws])
        for k in range(2):
            expected = values[1][k] if values[2][k] > 0.5 else BATCH[k]
            np.testing.assert_array_equal(values[0][k], expected)
    value = run(tf.image.random_flip_left_right(IMAGE, seed=7))
    np.testing.assert_array_equal(value, IMAGE[:, ::-1] if flipped else IMAGE)


def test_random_crop():
    tf.set_random_seed(1)
    x = (np.arange(18).reshape(2, 3, 3) % 7 / 7).astype(np.float32)
    value = run(tf.image.random_crop(x, [1, 2, 3], seed=9))
    np.testing.assert_allclose(value.ravel()[:4], [2 / 7, 3 / 7, 4 / 7, 5 / 7], rtol=1e-6)


# ---- crops and borders


@settings(max_examples=40)
@given(
    st.booleans(),
    st.sampled_from(["known", "dims", "rank"]),
    st.tuples(*[st.integers(1, 9)] * 2),
    st.tuples(*[st.integers(1, 9)] * 2),
)
def test_crop_or_pad(batch, known, size, target):
    if batch and known == "rank":
        known = "dims"  # of unknown rank it is one image
    shape = (*((2,) if batch else ()), *size, 2)
    x = np.random.RandomState(sum(size)).uniform(1, 2, shape).astype(np.float32)
    shapes = {"known": shape, "dims": [None] * len(shape), "rank": None}
    with tf.Graph().as_default():
        image = tf.placeholder(tf.float32, shapes[known])
        y = tf.image.resize_image_with_crop_or_pad(image, *target)
        assert y.get_shape().as_list()[-3:-1] == list(target)
        (value,) = evaluate([y], {image: x})
    pads, cuts = [(0, 0)] * (len(shape) - 3), [slice(None)] * (len(shape) - 3)
    for have, want in zip(size, target, strict=True):
        start = max((have - want) // 2, 0)
        cuts.append(slice(start, start + min(have, want)))
        before = max((want - have) // 2, 0)
        pads.append((before, max(want - have, 0) - before))
    expected = np.pad(x[tuple(cuts)], [*pads, (0, 0)])
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("x", [IMAGE, BATCH], ids=["image", "batch"])
def test_boxes(x):
    for image in (tf.constant(x), fed(x)):
        feeds = {image: x}
        cut = tf.image.crop_to_bounding_box(image, 1, 2, 2, 3)
        np.testing.assert_array_equal(run(cut, feeds), x[..., 1:3, 2:5, :])
        padded = tf.image.pad_to_bounding_box(image, 1, 2, 7, 9)
        assert padded.get_shape().as_list()[-3:-1] == [7, 9]
        pads = [(0, 0)] * (x.ndim - 3) + [(1, 2), (2, 2), (0, 0)]
        np.testing.assert_array_equal(run(padded, feeds), np.pad(x, pads))
        grads = tf.gradients([cut, padded], image)
        expected = np.ones_like(x)
        expected[..., 1:3, 2:5, :] = 2
        np.testing.assert_array_equal(run(grads, feeds)[0], expected)


def test_refused_boxes():
    image, unknown = tf.constant(IMAGE), fed(IMAGE)
    cases = (
        (tf.image.crop_to_bounding_box, (0, 3, 2, 3), "width must be >= target"),
        (tf.image.crop_to_bounding_box, (3, 0, 2, 3), "height must be >= target"),
        (tf.image.pad_to_bounding_box, (0, 0, 3, 9), "height must be <= target"),
        (tf.image.pad_to_bounding_box, (0, 1, 9, 5), "width must be <= target"),
    )
    for function, box, message in cases:
        with pytest.raises(ValueError, match=message):
            function(image, *box)
        y = function(unknown, *box)
        # the slice or padding itself may be refused before the check runs
        refused = f"{message}|Expected size|must be non-negative"
        with pytest.raises(tf.errors.InvalidArgumentError, match=refused):
            run(y, {unknown: IMAGE})
    with pytest.raises(ValueError, match="offset_width must be >= 0"):
        tf.image.crop_to_bounding_box(unknown, 0, -1, 1, 1)
    with pytest.raises(ValueError, match="target_width must be > 0"):
        tf.image.resize_image_with_crop_or_pad(unknown, 1, 0)


@pytest.mark.parametrize("x", [IMAGE, BATCH], ids=["image", "batch"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 1.0])
def test_central_crop(x, fraction):
    cuts = []
    for n in x.shape[-3:-1]:
        start = int((n - n * fraction) / 2)
        cuts.append(slice(start, n - start))
    expected = x[..., cuts[0], cuts[1], :]
    known = tf.image.central_crop(tf.constant(x), fraction)
    assert known.get_shape().as_list() == list(expected.shape)
    image, share = fed(x), tf.placeholder(tf.float32, [])
    values = run(
        [known, tf.image.central_crop(image, fraction), tf.image.central_crop(image, share)],
        {image: x, share: fraction},
    )
    for value in values:
        np.testing.assert_array_equal(value, expected)
    with pytest.raises(ValueError, match="within"):
        tf.image.central_crop(image, 1.5)


# ---- patches


@settings(max_examples=40)
@given(
    st.tuples(*[st.integers(3, 9)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(1, 2)] * 2),
    st.sampled_from(["SAME", "VALID"]),
    st.sampled_from(["float32", "uint8", "complex64"]),
)
def test_patches(size, window, steps, rates, padding, dtype):
    x = np.random.RandomState(sum(size)).randint(1, 200, (2, *size, 2)).astype(dtype)
    reach = [(k - 1) * r + 1 for k, r in zip(window, rates, strict=True)]
    if padding == "VALID" and any(r > n for r, n in zip(reach, size, strict=True)):
        return
    pads, counts = [(0, 0)], []
    for n, step, r in zip(size, steps, reach, strict=True):
        count = -(-n // step) if padding == "SAME" else (n - r) // step + 1
        missing = max((count - 1) * step + r - n, 0) if padding == "SAME" else 0
        pads.append((missing // 2, missing - missing // 2))
        counts.append(count)
    wide = np.pad(x, [*pads, (0, 0)])
    expected = np.zeros((2, *counts, *window, 2), dtype)
    for i, j, a, b in np.ndindex(*counts, *window):
        at = i * steps[0] + a * rates[0], j * steps[1] + b * rates[1]
        expected[:, i, j, a, b] = wide[:, at[0], at[1]]
    with tf.Graph().as_default():
        y = tf.extract_image_patches(
            tf.constant(x), [1, *window, 1], [1, *steps, 1], [1, *rates, 1], padding
        )
        assert y.get_shape().as_list() == [2, *counts, window[0] * window[1] * 2]
        (value,) = evaluate([y])
    np.testing.assert_array_equal(value, expected.reshape(value.shape))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("steps, rates", [((1, 2), (2, 1)), ((3, 1), (1, 1))])
def test_gradient_of_patches(padding, steps, rates):
    def patches(x):
        return tf.image.extract_patches(x, [1, 2, 3, 1], [1, *steps, 1], [1, *rates, 1], padding)

    check_gradient(patches, R.uniform(-1, 1, (1, 5, 6, 2)))

    def squares(x):
        y = patches(x)
        return tf.gradients(y * y, x)[0]

    check_gradient(squares, R.uniform(-1, 1, (1, 4, 5, 1)))


def test_patches_when_the_size_is_fed():
    image = tf.placeholder(tf.float32, [None] * 4)
    y = tf.image.extract_image_patches(
        image, strides=[1, 3, 1, 1], rates=[1, 2, 1, 1], padding="VALID", sizes=[1, 3, 1, 1]
    )
    far = tf.image.extract_patches(image, [1, 3, 1, 1], [1, 3, 1, 1], [1, 3, 1, 1], "VALID")
    (grad,) = tf.gradients(y, image)
    x = np.ones((1, 4, 2, 1), np.float32)
    value, of_image = run([y, grad], {image: x})
    assert value.shape == (1, 0, 2, 3) and not of_image.any() and of_image.shape == x.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
        run(far, {image: np.ones((1, 1, 2, 1), np.float32)})


def test_refused_patches():
    image = tf.zeros([1, 4, 4, 1])
    ones = [1, 1, 1, 1]
    for ksizes, strides, message in (
        ([1, 6, 1, 1], ones, "would be negative"),
        ([2, 1, 1, 1], ones, "batch and depth"),
        ([1, 1, 1], ones, "contain 4 values"),
        (ones, [1, 0, 1, 1], "must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            tf.extract_image_patches(image, ksizes, strides, ones, "VALID")
    none = tf.extract_image_patches(image, [1, 5, 1, 1], ones, ones, "VALID")
    assert none.get_shape().as_list() == [1, 0, 4, 5] and run(none).shape == (1, 0, 4, 5)
    with pytest.raises(ValueError, match="both 'ksizes' and 'sizes'"):
        tf.extract_image_patches(image, ones, ones, ones, "VALID", sizes=ones)
