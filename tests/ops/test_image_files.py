"""GIF and BMP files, written here, and files of any kind."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feeds)


def codes(index: np.ndarray, bits: int) -> bytes:
    """The codes of a frame, none of them for more than one pixel."""
    clear, total, n = 1 << bits, 0, 0
    sequence = [clear]
    for i, value in enumerate(index.ravel().tolist()):
        # cleared before codes grow longer
        sequence += [value, clear] if i % max(1, clear - 3) == 0 else [value]
    for code in [*sequence, clear, clear + 1]:
        total |= code << n
        n += bits + 1
    data = total.to_bytes(-(-n // 8), "little")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    return bytes([bits]) + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0"


def frame(
    index: Any, left: int = 0, top: int = 0, palette: Any = None, clear: int | None = None,
    interlaced: bool = False, disposal: int = 0, bits: int = 2,
) -> bytes:  # fmt: skip
    index = np.array(index)
    kind, own = 64 * interlaced, b""
    if palette is not None:
        kind, own = kind | 128 | (bits - 1), np.array(palette, np.uint8).tobytes()
    flags = disposal << 2 | (clear is not None)
    control = b"!\xf9\x04" + bytes([flags, 9, 0, clear or 0, 0])
    height, width = index.shape
    lines = [index[i::n] for i, n in ((0, 8), (4, 8), (2, 4), (1, 2))] if interlaced else [index]
    place = b"," + struct.pack("<HHHHB", left, top, width, height, kind)
    return control + place + own + codes(np.concatenate(lines), bits)


def gif(*frames: bytes, palette: Any = None, bits: int = 2) -> bytes:
    own = b"" if palette is None else np.array(palette, np.uint8).tobytes()
    flags = 128 | (bits - 1) if own else 0
    return b"GIF89a" + struct.pack("<HHBBB", 3, 2, flags, 1, 0) + own + b"".join(frames) + b";"


COLORS = np.array([[9, 8, 7], [200, 0, 1], [2, 250, 3], [40, 50, 60]], np.uint8)
GRAYS = np.repeat(np.arange(4, dtype=np.uint8)[:, None], 3, axis=1)
FULL = [[0, 1, 2], [3, 2, 1]]


def test_frames_on_frames() -> None:
    """What TensorFlow makes of them: each on the one before, whatever the file says of disposal."""
    data = gif(
        frame(FULL, clear=3, disposal=2),
        frame([[1, 3]], left=1, top=1, disposal=3),
        frame([[2], [1]], left=2, palette=GRAYS, clear=1),
        palette=COLORS,
    )
    images = run(tf.image.decode_gif(data))
    assert images.dtype == np.uint8 and images.shape == (3, 2, 3, 3)
    first = COLORS[np.array(FULL)]
    first[1, 0] = 0  # nothing is there, thus black
    second = first.copy()
    second[1, 1:] = COLORS[[1, 3]]
    third = second.copy()
    third[0, 2] = GRAYS[2]
    np.testing.assert_array_equal(images, [first, second, third])
    still = tf.image.decode_image(data, expand_animations=False)
    assert still.shape.as_list() == [None, None, None]
    np.testing.assert_array_equal(run(still), first)
    assert tf.image.decode_image(data).shape.ndims is None
    np.testing.assert_array_equal(run(tf.image.decode_image(data)), images)


def test_sizes_of_gif_files() -> None:
    # the image is as large as the largest frame; what lies outside is cut off
    data = gif(frame([[1, 2]], left=1, top=0), frame([[3]], left=0, top=5), palette=COLORS)
    images = run(tf.image.decode_gif(data))
    np.testing.assert_array_equal(images, [[[[0, 0, 0], COLORS[1]]]] * 2)
    state = np.random.RandomState(0)
    index = state.randint(0, 16, (21, 13))
    palette = state.randint(0, 256, (16, 3))
    for interlaced in (False, True):
        data = gif(frame(index, interlaced=interlaced, bits=4), palette=palette, bits=4)
        np.testing.assert_array_equal(run(tf.image.decode_gif(data)), palette[index][None])
        # one frame is an image to the decoders of images
        np.testing.assert_array_equal(run(tf.image.decode_png(data)), palette[index])
        np.testing.assert_array_equal(run(tf.image.decode_jpeg(data, channels=3)), palette[index])


def test_damaged_gif_files() -> None:
    contents = tf.placeholder(tf.string, [])
    images = tf.image.decode_gif(contents)
    assert images.shape.as_list() == [None, None, None, 3]
    one, two = frame(FULL), frame([[1, 3]], palette=GRAYS)
    good = gif(one, two, palette=COLORS)
    head = len(good) - len(one) - len(two) - 1
    # the frames before the end of a file that ends too early
    for size in range(head + len(one), len(good) - 1):
        assert len(run(images, {contents: good[:size]})) == 1
    assert len(run(images, {contents: good[:-1]})) == 2
    huge = gif(frame(FULL), palette=COLORS).replace(
        struct.pack("<HHHH", 0, 0, 3, 2), struct.pack("<HHHH", 0, 0, 65535, 65535)
    )
    lacking = gif(frame([[3]], bits=2), palette=COLORS[:2], bits=1)
    for data, message in (
        *((good[:n], "Invalid|Trying") for n in range(0, head + len(one), 3)),
        (gif(), "no image"),
        (gif(one), "no palette"),
        (huge, "too large"),
        (lacking, "palette lacks"),
        (b"BM" + bytes(60), "BMP"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(images, {contents: data})
    with pytest.raises(tf.errors.InvalidArgumentError, match="2 frames"):
        run(tf.image.decode_png(good))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="channels must be one of 0, 3 for GIF"
    ):
        run(tf.image.decode_image(good, channels=1))
    state = np.random.RandomState(1)
    for _ in range(40):  # whatever stands in a file, images or an error come of it
        data = bytearray(good)
        data[state.randint(6, len(data))] = state.randint(256)
        try:
            assert run(images, {contents: bytes(data)}).ndim == 4
        except tf.errors.InvalidArgumentError:
            continue


# ---- BMP


def bmp(lines: np.ndarray, down: bool = False, more: bytes = b"") -> bytes:
    """A file of rows as they lie in it, [rows, width, channels]."""
    height, width, channels = lines.shape
    padding = bytes(-width * channels % 4)
    body = b"".join(line.tobytes() + padding for line in lines)
    start = 54 + len(more)
    head = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, -height if down else height, 1, 8 * channels,
                       0, 0, 0, 0, 0, 0)  # fmt: skip
    return head + info + more + body


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("stored", [1, 3, 4])
def test_bmp(stored: int, down: bool) -> None:
    lines = np.random.RandomState(stored).randint(0, 256, (3, 5, stored)).astype(np.uint8)
    data = bmp(lines, down, bytes(1024) if stored == 1 else b"")
    rows = lines if down else lines[::-1]
    rgb = np.repeat(rows, 3, 2) if stored == 1 else rows[:, :, 2::-1]
    alpha = rows[:, :, 3:] if stored == 4 else np.full((3, 5, 1), 255)
    rgba = np.concatenate([rgb, alpha], 2)
    expected = {0: {1: rows, 3: rgb, 4: rgba}[stored], 3: rgb, 4: rgba}
    for channels, image in expected.items():
        file = tf.image.decode_bmp(data, channels)
        assert file.shape.as_list() == [None, None, channels or None]
        np.testing.assert_array_equal(run(file), image)
        np.testing.assert_array_equal(run(tf.image.decode_image(data, channels)), image)


def test_damaged_bmp_files() -> None:
    contents = tf.placeholder(tf.string, [])
    image = tf.image.decode_bmp(contents)
    good = bmp(np.zeros((2, 3, 3), np.uint8))
    huge = good[:18] + struct.pack("<ii", 2**31 - 1, -(2**31)) + good[26:]
    sixteen = good[:28] + b"\x10" + good[29:]
    flat = good[:22] + bytes(4) + good[26:]
    for data in (b"", b"BM", good[:-1], good + b"x", huge, sixteen, flat, b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(image, {contents: data})
    with pytest.raises(tf.errors.InvalidArgumentError, match="channels"):
        run(tf.image.decode_bmp(good, channels=1))


# ---- files of any kind


def test_decode_image() -> None:
    x = np.random.RandomState(2).randint(0, 256, (4, 6, 3)).astype(np.uint8)
    wide = np.random.RandomState(3).randint(0, 65536, (4, 6, 3)).astype(np.uint16)
    files = {
        "png": run(tf.image.encode_png(x)),
        "jpeg": run(tf.image.encode_jpeg(x)),
        "bmp": bmp(x[::-1, :, ::-1]),
        "wide": run(tf.image.encode_png(wide)),
    }
    contents = tf.placeholder(tf.string, [])
    decode = tf.image.decode_image
    images = [
        decode(contents), decode(contents, 3, tf.uint16), decode(contents, dtype=tf.float32),
        decode(contents, dtype=tf.float64),
    ]  # fmt: skip
    assert [i.dtype for i in images] == [tf.uint8, tf.uint16, tf.float32, tf.float64]
    for kind, data in files.items():
        narrow, broad, single, double = run(images, {contents: data})
        if kind == "wide":
            np.testing.assert_array_equal(broad, wide)
            np.testing.assert_array_equal(narrow, wide >> 8)
            np.testing.assert_array_equal(single, wide * np.float32(1 / 65535))
        else:
            if kind != "jpeg":
                np.testing.assert_array_equal(narrow, x)
            scale = 257 if kind == "png" else 256
            np.testing.assert_array_equal(broad, narrow.astype(np.uint16) * np.uint16(scale))
            np.testing.assert_allclose(single, narrow / 255, rtol=1e-6)
        np.testing.assert_allclose(double, broad / 65535, rtol=1e-12)
    still = run(tf.image.decode_gif(files["png"]))
    np.testing.assert_array_equal(still, x[None])
    np.testing.assert_array_equal(run(tf.image.decode_jpeg(files["png"])), x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG format using DecodeBmp"):
        run(tf.image.decode_bmp(files["jpeg"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="PNG format using DecodeAndCropJpeg"):
        run(tf.image.decode_and_crop_jpeg(files["png"], [0, 0, 1, 1]))
    for bad, message in ((b"", "empty"), (b"RIFFxxxx", "Unknown image file format")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(images[0], {contents: bad})
    with pytest.raises(tf.errors.InvalidArgumentError, match="channels"):
        run(decode(files["jpeg"], channels=4))
    with pytest.raises(tf.errors.InvalidArgumentError, match="channels"):
        run(decode(files["png"], channels=2))
    with pytest.raises(ValueError, match="rank 0"):
        decode([files["png"]])


def test_names() -> None:
    assert tf.io.decode_image is tf.image.decode_image
    assert tf.io.decode_gif is tf.image.decode_gif and tf.io.decode_bmp is tf.image.decode_bmp
    file = tf.placeholder(tf.string, [])
    assert tf.image.decode_gif(file).op.type == "DecodeGif"
    assert tf.image.decode_bmp(file).op.type == "DecodeBmp"
    assert tf.image.decode_image(file).op.name == "decode_image/DecodeImage"
