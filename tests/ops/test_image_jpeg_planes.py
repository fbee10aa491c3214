"""JPEG files whose colors are not of the image's size, in every way of reading them, and images as
they come out of such files. The checksums are of real TensorFlow."""

import base64
import zlib

import numpy as np
import pytest

import tfc as tf
from tests.ops.test_image_jpeg import FILES, STEPS, plain_file, segment

pytestmark = pytest.mark.usefixtures("fresh_graph")

COLORS = [0x11, 0x11]
LUMINANCE = {0x21: (8, 32), 0x12: (32, 8), 0x22: (16, 32)}
STEPS_OF_FOUR = [1, 1, 1, 1, 3, -1, 1, 2, -1, 0, -3, 2]


def adobe(transform):
    return segment(0xEE, b"Adobe" + bytes(6) + bytes([transform]))


def of_two(sampling):
    steps = STEPS_OF_FOUR if sampling == 0x22 else STEPS
    return plain_file(*LUMINANCE[sampling], [sampling, *COLORS], [steps])


def ink():
    steps = [1, 2, 3, -1, -2, 2, 1, -3, 2, 1, -1, 3]
    return plain_file(8, 32, [0x21, *COLORS, 0x21], [steps], more=adobe(2))


def rgb():
    return plain_file(8, 32, [0x21, *COLORS], [STEPS], more=adobe(0))


def checksums(*images):
    with tf.Session() as session:
        return [zlib.crc32(image.tobytes()) for image in session.run(list(images))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (of_two(0x21), [3512285398, 3034903792, 2211435404]),
        (of_two(0x12), [3733897375, 2180250297, 2407667729]),
        (of_two(0x22), [2463729205, 2918991318, 828397090]),
        (rgb(), [1233776983, 2701273014, 863325367]),
        (base64.b64decode(FILES[0][0]), [195434457, 451001513, 687095059]),
        (base64.b64decode(FILES[1][0]), [3335800530, 4065261282, 4088297057]),
        (base64.b64decode(FILES[2][0]), [1328205845, 64727134, 2813303441]),
        (base64.b64decode(FILES[3][0]), [4244407112, 2755339407, 2354091203]),
    ],
    ids=["wide", "high", "large", "rgb", "sequential", "progressive", "full", "gray"],
)
def test_accurate_without_weights(data, expected):
    ways = {"dct_method": "INTEGER_ACCURATE", "fancy_upscaling": False}
    assert checksums(*[tf.image.decode_jpeg(data, ratio=r, **ways) for r in (1, 2, 4)]) == expected


def test_gray_of_planes_of_red_green_and_blue():
    methods = ("", "INTEGER_ACCURATE")
    images = [
        tf.image.decode_jpeg(rgb(), 1, dct_method=method, fancy_upscaling=weighed)
        for method in methods
        for weighed in (True, False)
    ]
    assert checksums(*images) == [416501457, 983877380, 416501457, 983877380]


def test_four_colors():
    crop = tf.image.decode_and_crop_jpeg(ink(), [1, 3, 4, 9])
    assert checksums(tf.image.decode_jpeg(ink()), crop) == [2891210808, 3459692319]
    accurate = {"dct_method": "INTEGER_ACCURATE"}
    image, gray = (tf.image.decode_jpeg(ink(), channels=c, **accurate) for c in (3, 1))
    with tf.Session() as session:
        assert session.run(image)[0, 0].tolist() == [57, 53, 33]
        with pytest.raises(tf.errors.InvalidArgumentError, match="no gray"):
            session.run(gray)
        for refused in (
            tf.image.decode_jpeg(ink(), fancy_upscaling=False, **accurate),
            tf.image.decode_and_crop_jpeg(ink(), [1, 3, 4, 9], **accurate),
        ):
            with pytest.raises(tf.errors.UnimplementedError, match="four colors"):
                session.run(refused)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (0, [79779476, 3857883727, 2301544695, 3007454566]),
        (1, [3965024844, 2453786523, 3940044041, 4192337745]),
        (2, [2649616524, 2649616524, 862831228, 862831228]),
        (3, [2212090532, 2212090532, 346708112, 346708112]),
    ],
)
def test_a_part_is_weighed_by_itself(file, expected):
    data = base64.b64decode(FILES[file][0])
    parts = [
        tf.image.decode_and_crop_jpeg(data, [1, 2, 4, 3], dct_method=m, fancy_upscaling=weighed)
        for m in ("", "INTEGER_ACCURATE")
        for weighed in (True, False)
    ]
    assert checksums(*parts) == expected


def test_columns_from_a_block_on():
    # what libjpeg leaves out changes nothing but the weights at the edges
    crop = tf.image.decode_and_crop_jpeg(of_two(0x12), [3, 1, 20, 5])
    rough = tf.image.decode_and_crop_jpeg(of_two(0x12), [3, 1, 20, 5], fancy_upscaling=False)
    assert checksums(crop, rough) == [2266324340, 744552825]
    with tf.Session() as session:
        whole = session.run(tf.image.decode_jpeg(of_two(0x22)))
        part = session.run(tf.image.decode_and_crop_jpeg(of_two(0x22), [3, 1, 9, 15]))
        np.testing.assert_array_equal(part[:, :-1], whole[3:12, 1:15])
        assert (part[:, -1] != whole[3:12, 15]).any()
        for window in ([0, 0, 1, 33], [0, -1, 1, 1], [0, 31, 1, 2], [0, 0, 1, 0], [16, 0, 1, 1]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="crop window"):
                session.run(tf.image.decode_and_crop_jpeg(of_two(0x22), window))


def test_a_progressive_file_that_may_end_too_early():
    data = base64.b64decode(FILES[1][0])
    ways = {"fancy_upscaling": False, "try_recover_truncated": True}
    refused = tf.image.decode_jpeg(data, dct_method="INTEGER_ACCURATE", **ways)
    with pytest.raises(tf.errors.UnimplementedError, match="progressive"), tf.Session() as session:
        session.run(refused)
    fast = tf.image.decode_jpeg(data, **ways)
    assert checksums(fast) == checksums(tf.image.decode_jpeg(data, fancy_upscaling=False))


# ---- images of another quality

IMAGE = np.arange(90, dtype=np.uint8).reshape(6, 5, 3) * 2


@pytest.mark.parametrize(
    ("quality", "pixel", "accurate"), [(0, [77] * 3, [78] * 3), (40, [81] * 3, [81] * 3),
                                       (100, [75, 76, 78], [79, 80, 82])],
)  # fmt: skip
def test_adjust_quality(quality, pixel, accurate):
    image, number = tf.placeholder(tf.uint8, [None, None, 3]), tf.placeholder(tf.int32, [])
    y = tf.image.adjust_jpeg_quality(image, number)
    assert y.get_shape().as_list() == [None, None, 3] and y.dtype == tf.uint8
    z = tf.image.adjust_jpeg_quality(
        (IMAGE / 255.0).astype(np.float32), quality, "INTEGER_ACCURATE"
    )
    assert z.dtype == tf.float32
    with tf.Session() as session:
        assert session.run(y, {image: IMAGE, number: quality})[2, 3].tolist() == pixel
        np.testing.assert_allclose(session.run(z)[2, 3] * 255, accurate, rtol=1e-6)


def test_random_quality():
    tf.set_random_seed(4)
    y = tf.image.random_jpeg_quality(IMAGE, 1, 30, seed=3)
    with tf.Session() as session:
        assert [session.run(y)[0, 0].tolist() for _ in range(4)] == [[3] * 3, [0] * 3, [5] * 3,
                                                                     [0] * 3]  # fmt: skip
    for low, high in ((-1, 50), (50, 101)):
        with pytest.raises(ValueError, match="between 0 and 100"):
            tf.image.random_jpeg_quality(IMAGE, low, high)
    for low, high in ((50, 50), (60, 20)):
        with pytest.raises(ValueError, match="less than"):
            tf.image.random_jpeg_quality(IMAGE, low, high)


def test_refused_qualities():
    with pytest.raises(ValueError, match="rank 3"):
        tf.image.adjust_jpeg_quality(np.zeros((2, 2), np.uint8), 50)
    anything, number = tf.placeholder(tf.uint8), tf.placeholder(tf.int32)
    y = tf.image.adjust_jpeg_quality(anything, number)
    with tf.Session() as session:
        for image, quality, message in (
            (IMAGE, 101, "quality must be in"),
            (IMAGE[0], 50, "3-dimensional"),
            (IMAGE[:, :, :2], 50, "1 or 3 channels"),
            (IMAGE, [50], "must be scalar"),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                session.run(y, {anything: image, number: quality})
