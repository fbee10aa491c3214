"""Strings in the corners of their functions. What is expected is what TensorFlow gives."""

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


def texts(*items):
    return np.array([item.encode() if isinstance(item, str) else item for item in items], object)


@pytest.mark.parametrize("shape", [[6], [None], None])
def test_shuffle_of_strings(shape):
    tf.set_random_seed(5)
    x = tf.placeholder(tf.string, shape)
    y = tf.random_shuffle(x, seed=3, name="mixed")
    assert y.name == "mixed:0" and y.get_shape().ndims == (1 if shape else None)
    numbers = tf.random_shuffle(tf.range(6), seed=3)
    value = texts("a", "b", "c", "d", "e", "f")
    with tf.Session() as session:
        for _ in range(3):
            mixed, order = session.run([y, numbers], {x: value})
            assert mixed.tolist() == value[order].tolist()
        assert sorted(mixed) == sorted(value)


def test_shuffle_of_rows_and_scalars_of_strings():
    tf.set_random_seed(5)
    rows = np.arange(12).reshape(6, 2)
    y = tf.random_shuffle(rows.astype(str), seed=3)
    unknown = tf.placeholder(tf.string)
    scalar = tf.random_shuffle(unknown)
    with tf.Session() as session:
        mixed, order = session.run([y, tf.random_shuffle(tf.range(6), seed=3)])
        assert mixed.astype(int).tolist() == rows[order].tolist()
        assert session.run(scalar, {unknown: b"one"}) == b"one"
        assert session.run(scalar, {unknown: np.empty((0, 2), object)}).shape == (0, 2)


def test_negative_lengths():
    text = texts("hello", "日本語")
    assert run(tf.substr(text, 1, -1))[0] == b"ello"
    assert run(tf.strings.substr(text, 1, -1, unit="UTF8_CHAR")).tolist() == [b"", b""]


def test_axes_outside():
    axis = tf.placeholder(tf.int32)
    joined = tf.reduce_join(texts("a", "b"), axis)
    with pytest.raises(tf.errors.OutOfRangeError, match="Invalid reduction dimension 2"):
        run(joined, {axis: 2})


def test_segments_leave_out_leading_empty_strings():
    joined = tf.strings.unsorted_segment_join(
        texts("", "a", "", "", "b", ""), [1, 1, 1, 0, 1, 0], 3, separator=","
    )
    assert run(joined).tolist() == [b"", b"a,,b", b""]


@pytest.mark.parametrize(
    ("sep", "most", "rows"),
    [
        (None, -1, [["a", "b", "c"], ["x"], [], ["a,b,,c"]]),
        (None, 0, [["a b  c"], [" x "], [""], ["a,b,,c"]]),
        (None, 1, [["a", "b  c"], ["x", ""], [], ["a,b,,c", ""]]),
        (None, 2, [["a", "b", "c"], ["x"], [], ["a,b,,c"]]),
        (",", 0, [["a b  c"], [" x "], [""], ["a,b,,c"]]),
        (",", 2, [["a b  c"], [" x "], [""], ["a", "b", ",c"]]),
        ("  ", 1, [["a b", "c"], [" x "], [""], ["a,b,,c"]]),
    ],
)
def test_most_cuts(sep, most, rows):
    for shape in ([4], [None], None):
        text = tf.placeholder(tf.string, shape)
        pieces = tf.strings.split(text, sep, most, result_type="RaggedTensor")
        value = run(pieces, {text: texts("a b  c", " x ", "", "a,b,,c")})
        assert [[v.decode() for v in row] for row in value.to_list()] == rows


def test_strings_of_an_unknown_rank_are_a_vector():
    text = tf.placeholder(tf.string)
    for pieces in (tf.string_split(text), tf.strings.split(text)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be a vector"):
            run(pieces, {text: [["a b"]]})


def test_signs_of_numbers_that_have_none():
    x = np.array([0, 99], np.uint16)
    spaces = [b"     0", b"    99"]
    zeros, left = [b"000000", b"000099"], [b"0     ", b"99    "]
    for fill, expected in (("+", spaces), (" ", spaces), ("0", zeros), ("-", left)):
        assert run(tf.as_string(x, width=6, fill=fill)).tolist() == expected
    assert run(tf.as_string(x.astype(np.int16), width=3, fill="+")).tolist() == [b" +0", b"+99"]


def test_padding_with_text():
    text = tf.placeholder(tf.string, [None])
    padded = tf.pad(text, [[1, 2]], constant_values="q")
    assert run(padded, {text: texts("a")}).tolist() == [b"q", b"a", b"q", b"q"]
    assert run(tf.pad(np.arange(2), [[1, 0]], constant_values=np.int64(0))).tolist() == [0, 0, 1]


# ---- characters

CONTROL = texts(b"a\x01b\xff")


@pytest.mark.parametrize(
    ("errors", "controls", "expected"),
    [
        ("replace", False, "a\x01b\ufffd"),
        ("replace", True, "a\ufffdb\ufffd"),
        ("ignore", False, "a\x01b"),
        ("ignore", True, "ab"),
    ],
)
def test_control_characters(errors, controls, expected):
    how = {"errors": errors, "replace_control_characters": controls}
    text = tf.strings.unicode_transcode(CONTROL, "UTF-8", "UTF-8", **how)
    points = tf.strings.unicode_decode(CONTROL, "UTF-8", **how)
    assert run(text)[0].decode() == expected
    assert run(points).to_list() == [[ord(c) for c in expected]]


def test_control_characters_are_errors_where_errors_are():
    for controls in (False, True):
        text = tf.strings.unicode_transcode(
            texts("a\tb"), "UTF-8", "UTF-8", "strict", replace_control_characters=controls
        )
        if not controls:
            assert run(text)[0] == b"a\tb"
            continue
        with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid formatting"):
            run(text)


def test_order_of_bytes():
    # big endian, unless a mark says otherwise; the mark is no character
    text = texts(b"\x00a\x00b", b"\xfe\xff\x00a", b"\xff\xfea\x00b\x00", b"")
    points, starts = tf.strings.unicode_decode_with_offsets(text, "UTF-16")
    assert run(points).to_list() == [[97, 98], [97], [97, 98], []]
    assert run(starts).to_list() == [[0, 2], [0], [0, 4], []]
    assert run(tf.strings.unicode_transcode(text, "UTF-16", "UTF-8")).tolist() == [
        b"ab", b"a", b"ab", b"",
    ]  # fmt: skip


def test_page_1252_has_a_character_everywhere():
    text = texts(b"\x80\x81\x93q")
    assert run(tf.strings.unicode_decode(text, "windows-1252", "strict")).to_list() == [
        [0x20AC, 0x81, 0x201C, 113]
    ]


def test_replacements():
    for char in (0x110000, -1):
        for y in (
            tf.strings.unicode_transcode(CONTROL, "UTF-8", "UTF-8", replacement_char=char),
            tf.strings.unicode_decode(CONTROL, "UTF-8", replacement_char=char),
            tf.strings.unicode_encode([65, -1], "UTF-8", replacement_char=char),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match="replacement_char out of"):
                run(y)
    half = tf.strings.unicode_transcode(CONTROL, "UTF-8", "UTF-8", replacement_char=0xD800)
    assert run(half)[0].decode() == "a\x01b\ufffd"


def test_unknown_compression():
    with pytest.raises(tf.errors.InvalidArgumentError, match="supported compressions"):
        run(tf.io.decode_compressed(texts("a"), "LZ4"))
