"""PNG files: round trips, files of every kind written here, what TensorFlow makes of them."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tfc.ops.image import png

R = np.random.RandomState(16)
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(lines, step, state):
    """Each row under a filter of its own, written by the standard's formulas."""
    result, above = b"", np.zeros(lines.shape[1], int)
    for line in lines.astype(int):
        kind = state.randint(0, 5)
        left = np.concatenate([np.zeros(step, int), line])[: len(line)]
        corner = np.concatenate([np.zeros(step, int), above])[: len(line)]
        guess = left + above - corner
        far = np.abs([guess - left, guess - above, guess - corner])
        nearest = np.choose(far.argmin(0), [left, above, corner])
        minus = (0 * line, left, above, (left + above) // 2, nearest)[kind]
        result += bytes([kind]) + ((line - minus) % 256).astype(np.uint8).tobytes()
        above = line
    return result


def written(samples, depth, color, interlaced, state, more=b""):
    height, width, channels = samples.shape
    body = b""
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        if not part.size:
            continue
        flat = part.reshape(len(part), -1)
        if depth == 16:
            lines = np.frombuffer(flat.astype(">u2").tobytes(), np.uint8).reshape(len(flat), -1)
        else:
            bits = np.unpackbits(flat.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
            lines = np.packbits(bits.reshape(len(flat), -1), axis=1)
        body += filtered(lines, max(depth * channels // 8, 1), state)
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    data = zlib.compress(body)
    pieces = chunk(b"IDAT", data[:7]) + chunk(b"IDAT", data[7:])
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + more + chunk(b"tEXt", b"x") + pieces + chunk(b"IEND", b"")


KINDS = [(0, d) for d in (1, 2, 4, 8, 16)] + [(c, d) for c in (2, 4, 6) for d in (8, 16)]


@settings(max_examples=60)
@given(
    st.sampled_from(KINDS), st.booleans(), st.tuples(*[st.integers(1, 12)] * 2), st.integers(0, 99)
)
def test_files_of_every_kind(kind, interlaced, size, seed):
    (color, depth), state = kind, np.random.RandomState(seed)
    samples = state.randint(0, 1 << depth, (*size, {0: 1, 2: 3, 4: 2, 6: 4}[color]))
    value = png.decode(written(samples, depth, color, interlaced, state), 0, True)
    most = (1 << depth) - 1
    np.testing.assert_array_equal(value, samples * (65535 // most))
    narrow = png.decode(written(samples, depth, color, interlaced, state), 0, False)
    assert narrow.dtype == np.uint8
    np.testing.assert_array_equal(narrow, value >> 8)


def test_palettes_and_transparent_colors():
    state = np.random.RandomState(3)
    table = state.randint(0, 256, (4, 3)).astype(np.uint8)
    index = state.randint(0, 4, (5, 6, 1))
    palette = chunk(b"PLTE", table.tobytes())
    plain = png.decode(written(index, 2, 3, False, state, palette), 0, False)
    np.testing.assert_array_equal(plain, table[index[:, :, 0]])
    clear = palette + chunk(b"tRNS", bytes([0, 128]))
    value = png.decode(written(index, 2, 3, True, state, clear), 0, False)
    np.testing.assert_array_equal(value[:, :, :3], plain)
    np.testing.assert_array_equal(value[:, :, 3], np.array([0, 128, 255, 255])[index[:, :, 0]])
    gray = index.astype(np.uint8) * 85
    clear = chunk(b"tRNS", struct.pack(">H", 2))
    value = png.decode(written(index, 2, 0, False, state, clear), 4, False)
    np.testing.assert_array_equal(value[:, :, :3], np.repeat(gray, 3, axis=2))
    np.testing.assert_array_equal(value[:, :, 3], np.where(index[:, :, 0] == 2, 0, 255))


@pytest.mark.parametrize("dtype", [tf.uint8, tf.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_round_trip(channels, dtype):
    x = R.randint(0, 256**dtype.size, (4, 5, channels)).astype(dtype.as_numpy_dtype)
    file = tf.image.encode_png(tf.constant(x), compression=9)
    assert file.get_shape().as_list() == []
    back = tf.image.decode_png(file, dtype=dtype)
    assert back.get_shape().as_list() == [None, None, None]
    np.testing.assert_array_equal(run(back), x)
    other = tf.image.decode_png(file, channels=3)
    assert other.get_shape().as_list() == [None, None, 3]
    colors = np.repeat(x[:, :, :1], 3, 2) if channels < 3 else x[:, :, :3]
    colors = colors if dtype == tf.uint8 else colors >> 8
    np.testing.assert_array_equal(run(other), colors)
    opaque = run(tf.image.decode_png(file, channels=4))[:, :, 3]
    if channels % 2:
        assert (opaque == 255).all()


def test_gray_of_colors():
    """From TensorFlow: weights in 15 bits, cut (rounded for 16 bits)."""
    x = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7], [200, 100, 50]]], np.uint8)
    value = run(tf.image.decode_png(tf.image.encode_png(x), channels=1))
    np.testing.assert_array_equal(value.ravel(), [76, 149, 29, 7, 124])


def test_is_jpeg():
    texts = tf.constant([b"\xff\xd8\xff\xe0", b"\x89PNG"])
    assert run([tf.image.is_jpeg(t) for t in tf.unstack(texts)]) == [True, False]


def test_damaged_files():
    contents = tf.placeholder(tf.string, [])
    y = tf.image.decode_png(contents)
    good = png.encode(R.randint(0, 256, (3, 3, 3)).astype(np.uint8))
    for data in (
        b"",
        b"RIFF",
        good[:40],
        good[:50] + b"\x00" + good[51:],
        good[:33] + good[-12:],
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG data"):
            run(y, {contents: data})
    huge = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        run(y, {contents: huge + chunk(b"IEND", b"")})
    for index in range(len(good)):  # whatever is damaged, Python raises no error of its own
        data = good[:index] + bytes([good[index] ^ 255]) + good[index + 1 :]
        with pytest.raises(ValueError):
            png.decode(data, 0, False)


def test_refused_images():
    with pytest.raises(ValueError, match="rank 3"):
        tf.image.encode_png(tf.zeros([2, 2], tf.uint8))
    for channels, level, message in ((5, -1, "1, 2, 3, or 4 channels"), (3, 10, "compression")):
        y = tf.image.encode_png(tf.zeros([2, 2, channels], tf.uint8), level)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(y)
    file = tf.image.encode_png(tf.zeros([2, 2, 3], tf.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError, match="channels must be"):
        run(tf.image.decode_png(file, channels=2))
    with pytest.raises(ValueError, match="non-negative"):
        tf.image.decode_png(file, channels=-1)
