"""Ops on strings. Wanted values are TensorFlow's own."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tfc.ops.strings import regex

pytestmark = pytest.mark.usefixtures("fresh_graph")
ERROR = tf.errors.InvalidArgumentError


def run(fetch):
    with tf.Session() as session:
        return session.run(fetch)


def listed(fetch):
    value = run(fetch)
    return value.to_list() if hasattr(value, "to_list") else value.tolist()


def sparse(fetch):
    value = run(fetch)
    return value.indices.tolist(), value.values.tolist(), value.dense_shape.tolist()


def test_hashes_are_those_of_tensorflow():
    texts = ["", "a", "abcd", "abcdefgh", "x" * 20, "y" * 40, "z" * 64, "w" * 65, "q" * 128]
    assert listed(tf.string_to_hash_bucket_fast([*texts, "ab" * 100], 2**62)) == [
        1936946117179621455, 3694432073954588131, 1897425971756105985, 4533385575889643785,
        3621402210320469444, 276292113409495006, 294799756062990872, 3272011567211491968,
        3049490681071257226, 3793065838716207133,
    ]  # fmt: skip
    few = ["a", "", "hello world, this is long"]
    assert listed(tf.string_to_hash_bucket(few, 1000000)) == [535868, 283899, 811187]
    assert listed(tf.strings.to_hash_bucket(num_buckets=10**6, input=few[:1])) == [535868]
    strong = tf.string_to_hash_bucket_strong(["", "a", "abcdefgh", "x" * 20], 2**62, [1, 2])
    assert listed(strong) == [
        443797209252341627, 546566331822570742, 2649018002260510108, 407717789338964422,
    ]  # fmt: skip


def test_hashes_that_are_kept_are_those_computed():
    words = [b"", b"a", b"word" * 4, b"w" * 64, b"w" * 65]
    kept = tf.constant(words * 2)
    for hashed in (
        tf.string_to_hash_bucket_fast(kept, 2**62),
        tf.string_to_hash_bucket(kept, 2**62),
        tf.string_to_hash_bucket_strong(kept, 2**62, [1, 2]),
        tf.string_to_hash_bucket_strong(kept, 2**62, [2, 1]),
    ):
        first, again = listed(hashed), listed(hashed)
        assert first == again and first[: len(words)] == first[len(words) :]
        assert len({*first}) == len(words)
    keys = [listed(tf.string_to_hash_bucket_strong(words, 2**62, k)) for k in ([1, 2], [2, 1])]
    assert not {*keys[0]} & {*keys[1]}
    assert [v % 7 for v in listed(tf.string_to_hash_bucket_fast(words, 2**62))] != listed(
        tf.string_to_hash_bucket(words, 7)
    )


def test_numbers_of_any_shape_become_text():
    rng = np.random.default_rng(0)
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        limits = np.iinfo(dtype)
        x = rng.integers(limits.min, limits.max, (3, 5), dtype, endpoint=True)
        found = run(tf.as_string(x))
        assert found.shape == x.shape
        assert found.tolist() == [[b"%d" % int(v) for v in row] for row in x]
        assert listed(tf.as_string(x[:, 0], width=22, fill="0")) == [b"%022d" % v for v in x[:, 0]]
    assert run(tf.as_string(np.zeros((0, 2), np.int32))).shape == (0, 2)
    assert run(tf.string_join([np.full((2, 3), b"a"), b"b"], "-")).tolist() == [[b"a-b"] * 3] * 2


def test_hashes_refuse_what_makes_no_buckets():
    with pytest.raises(ValueError, match="passed 0 less than minimum 1"):
        tf.string_to_hash_bucket_fast(["a"], 0)
    with pytest.raises(ERROR, match="Key must have 2 elements"):
        run(tf.string_to_hash_bucket_strong(["a"], 10, [1]))


def test_as_string_formats_as_printf():
    values = [1.5, float("inf"), float("nan")]
    assert listed(tf.as_string(values, fill="0", width=8)) == [
        b"1.500000", b"     inf", b"     nan",
    ]  # fmt: skip
    assert listed(tf.as_string([1 + 2j], precision=2)) == [b"(1.00,2.00)"]
    assert listed(tf.as_string([1e20], shortest=True, precision=3)) == [b"1e+20"]
    assert listed(tf.as_string([1.5], scientific=True)) == [b"1.500000e+00"]
    assert listed(tf.as_string([7, -7], width=5, fill="0")) == [b"00007", b"-0007"]
    assert listed(tf.as_string([7], width=5, fill="-")) == [b"7    "]
    assert listed(tf.as_string([True], width=8)) == [b"true"]
    assert listed(tf.as_string(["a"], width=4)) == [b"   a"]


@pytest.mark.parametrize(
    ("value", "attrs", "message"),
    [
        (1, dict(precision=2), "precision not supported for datatype int32"),
        (1, dict(scientific=True), "scientific and shortest format not supported"),
        (1.0, dict(scientific=True, shortest=True), "Cannot select both"),
        (1.0, dict(fill="x"), "Fill argument not supported"),
        (1.0, dict(fill="00"), "Fill string must be one or fewer characters"),
    ],
)
def test_as_string_refuses(value, attrs, message):
    with pytest.raises(ERROR, match=message):
        run(tf.as_string([value], **attrs))


def test_string_to_number():
    texts = [" 1 ", "+1", "0x10", "1e40", "nan", "-inf"]
    found = run(tf.string_to_number(texts))
    np.testing.assert_array_equal(found, np.float32([1, 1, 16, np.inf, np.nan, -np.inf]))
    assert listed(tf.string_to_number([" 1 ", "+2"], tf.int32)) == [1, 2]
    for bad, dtype in (
        ("1_0", tf.float32), ("3000000000", tf.int32), ("1.5", tf.int64), ("9" * 5000, tf.int64),
    ):  # fmt: skip
        with pytest.raises(ERROR, match="could not correctly convert string"):
            run(tf.string_to_number([bad], dtype))


def test_split():
    assert sparse(tf.string_split(["a b  c"], sep=""))[1] == [b"a", b" ", b"b", b" ", b" ", b"c"]
    assert sparse(tf.string_split(["a  b"], skip_empty=False))[1] == [b"a", b"", b"b"]
    assert sparse(tf.string_split(["a,b;c", ""], delimiter=",;")) == (
        [[0, 0], [0, 1], [0, 2]], [b"a", b"b", b"c"], [2, 3],
    )  # fmt: skip
    assert sparse(tf.strings.split(["a,,b", ""], sep=",")) == (
        [[0, 0], [0, 1], [0, 2], [1, 0]], [b"a", b"", b"b", b""], [2, 3],
    )  # fmt: skip
    assert sparse(tf.strings.split(["a b c d "], maxsplit=2))[1] == [b"a", b"b", b"c d "]
    assert sparse(tf.strings.split("a--b-c", sep="--", maxsplit=1))[1] == [b"a", b"b-c"]
    ragged = tf.strings.split([["a b", "c"], ["", "d"]], result_type="RaggedTensor")
    assert listed(ragged) == [[[b"a", b"b"], [b"c"]], [[], [b"d"]]]
    assert ragged.ragged_rank == 2 and ragged.shape.ndims == 3
    assert listed(tf.strings.bytes_split(["ab", "c"])) == [[b"a", b"b"], [b"c"]]
    with pytest.raises(ValueError, match="Cannot specify both"):
        tf.string_split(["a"], ",", delimiter=",")
    with pytest.raises(ValueError, match="rank 1"):
        tf.string_split("a b")
    with pytest.raises(ValueError, match="result_type"):
        tf.strings.split(["a"], result_type="List")


def test_ragged_tensors_as_others():
    ragged = tf.strings.split(["a b", "", "c"], result_type="RaggedTensor")
    assert listed(ragged.to_tensor("-")) == [[b"a", b"b"], [b"-", b"-"], [b"c", b"-"]]
    assert listed(ragged.row_lengths()) == [2, 0, 1]
    assert run(ragged.nrows()) == 3
    assert sparse(ragged.to_sparse())[0] == [[0, 0], [0, 1], [2, 0]]
    points = tf.strings.unicode_decode(["hé", "x"], "UTF-8")
    assert listed(points.to_tensor()) == [[104, 233], [120, 0]]
    assert repr(run(points)) == "<tf.RaggedTensorValue [[104, 233], [120]]>"


def test_substr():
    assert listed(tf.substr(["hello", "hé"], [-2, -1], [9, 9], unit="UTF8_CHAR")) == [
        b"lo", "é".encode(),
    ]  # fmt: skip
    assert listed(tf.substr([["hello", "hé"]], [1, 1], [-1, 2])) == [[b"ello", "é".encode()]]
    assert listed(tf.substr("hello", [1, 2], [2, 2])) == [b"el", b"ll"]
    with pytest.raises(ERROR, match="pos 9 out of range"):
        run(tf.substr(["hello"], [9], [1]))
    with pytest.raises(ValueError, match="equal"):
        tf.substr(["a", "b"], [1, 2, 3], [1, 2, 3])


def test_regular_expressions():
    assert listed(tf.regex_replace(["abxd"], "x*", "-")) == [b"-a-b-d-"]
    assert listed(tf.regex_replace(["é1"], ".", "x")) == [b"xx"]
    assert listed(tf.regex_replace(["ab"], "(a)", r"\0\\\1")) == [b"a\\ab"]
    assert listed(tf.regex_replace(["ab\n"], "b$", "z")) == [b"ab\n"]
    assert listed(tf.regex_replace(["a1"], tf.constant("[[:digit:]]"), "z")) == [b"az"]
    assert listed(tf.regex_replace([r"a.b-acb"], r"\Qa.b\E", "z")) == [b"z-acb"]
    assert listed(tf.regex_replace([b"\xff"], "a", "z")) == [b"\xff"]
    assert listed(tf.strings.regex_full_match(["ab", "b"], "a.")) == [True, False]
    for bad in ("(a", "(?=b)", r"(a)\1", "[[:foo:]]", "[a", r"\x{110000}"):
        with pytest.raises(ERROR, match="Invalid pattern"):
            run(tf.strings.regex_full_match(["ab"], tf.constant(bad)))
    with pytest.raises(ERROR, match="invalid rewrite pattern"):
        run(tf.regex_replace(["ab"], "a", r"\1"))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.text("ab.*+c$|()", max_size=6), st.text("abc.\n", max_size=6))
def test_regular_expressions_agree_with_pythons(pattern, text):
    """On the syntax that both share; `$` is only the end in RE2."""
    try:
        wanted = re.compile(pattern.replace("$", r"\Z"))
        found = regex.compiled(pattern.encode())
    except re.error:
        return
    assert bool(found.fullmatch(text)) == bool(wanted.fullmatch(text))


def test_format():
    rows = tf.constant(np.arange(14, dtype=np.float32).reshape(7, 2))
    assert run(tf.strings.format("x {} {}", (rows, tf.constant("q")))) == (
        b'x [[0 1]\n [2 3]\n [4 5]\n ...\n [8 9]\n [10 11]\n [12 13]] "q"'
    )
    assert run(tf.strings.format("x {}", tf.constant(["a", 'b"']))) == b'x ["a" "b\\""]'
    assert run(tf.strings.format("%s {}", tf.constant([True]), placeholder="%s")) == b"[1] {}"
    assert run(tf.strings.format("{}", tf.constant([1e-5, 1e10, 0.1]))) == b"[1e-05 1e+10 0.1]"
    assert run(tf.strings.format("{}", tf.range(6), summarize=-1)) == b"[0 1 2 3 4 5]"
    assert run(tf.strings.format("{}", tf.zeros([2, 0]))) == b"[\n ...]"
    with pytest.raises(ValueError, match="2 placeholder.s. in template does not match 1"):
        tf.strings.format("{} {}", tf.range(3))


def test_unicode():
    bad = [b"h\xffe"]
    points, starts = tf.strings.unicode_decode_with_offsets(bad, "UTF-8")
    assert listed(points) == [[104, 65533, 101]] and listed(starts) == [[0, 1, 2]]
    assert listed(tf.strings.unicode_decode(bad, "UTF-8", errors="ignore")) == [[104, 101]]
    with pytest.raises(ERROR, match="Invalid formatting"):
        run(tf.strings.unicode_decode(bad, "UTF-8", errors="strict").values)
    with pytest.raises(ERROR, match="Could not create converter"):
        run(tf.strings.unicode_decode(bad, "foo").values)
    assert listed(tf.strings.unicode_decode("hé", "UTF-8")) == [104, 233]
    assert listed(tf.strings.unicode_decode([b"\0h\0i"], "UTF-16-BE")) == [[104, 105]]
    controls = tf.strings.unicode_decode([b"h\x01"], "UTF-8", replace_control_characters=True)
    assert listed(controls) == [[104, 65533]]
    assert run(tf.strings.unicode_encode([104, 233], "UTF-8")) == "hé".encode()
    assert listed(tf.strings.unicode_encode([[104, 233], [1, 55296]], "UTF-16-BE")) == [
        b"\0h\0\xe9", b"\0\x01\xff\xfd",
    ]  # fmt: skip
    letters = tf.strings.unicode_split(["hé", "x"], "UTF-8")
    assert listed(letters) == [[b"h", "é".encode()], [b"x"]]
    letters, at = tf.strings.unicode_split_with_offsets("éa", "UTF-8")
    assert listed(letters) == ["é".encode(), b"a"] and listed(at) == [0, 2]
    other = tf.strings.unicode_transcode([b"h\xc3\xa9\xff"], "UTF-8", "UTF-16-BE")
    assert listed(other) == [b"\0h\0\xe9\xff\xfd"]
    with pytest.raises(ValueError, match="foo"):
        tf.strings.unicode_decode(["a"], "UTF-8", errors="foo")


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=4))
def test_unicode_goes_there_and_back(texts):
    with tf.Graph().as_default():
        rows = tf.strings.unicode_decode(tf.constant(texts, tf.string, [len(texts)]), "UTF-8")
        again = tf.strings.unicode_encode(rows, "UTF-8")
        points, words = run([rows, again])
    assert points.to_list() == [[ord(c) for c in text] for text in texts]
    assert words.tolist() == [text.encode() for text in texts]


def test_lower_upper_strip_length_base64_and_joins():
    assert listed(tf.strings.lower(["ÀB"], encoding="utf-8")) == ["àb".encode()]
    assert listed(tf.strings.lower(["ÀB"])) == ["Àb".encode()]
    assert listed(tf.strings.upper(["ß"], encoding="utf-8")) == [b"SS"]
    assert listed(tf.strings.strip([" a\x0b\t", "\0b "])) == [b"a", b"\0b"]
    assert listed(tf.string_strip([" x "])) == [b"x"]
    with pytest.raises(ValueError, match="BYTE"):
        tf.strings.length(["é"], unit="X")
    for bad in ("YQ=", "a!b", "abcde", "abcd="):
        with pytest.raises(ERROR, match="(?i)base64"):
            run(tf.decode_base64([bad]))
    assert listed(tf.decode_base64(["YQ", "YQ=="])) == [b"a", b"a"]
    letters = [["a", "b"], ["c", "d"]]
    assert run(tf.reduce_join(letters, [1, 0])) == b"abcd"
    assert listed(tf.reduce_join(letters, [])) == [[b"a", b"b"], [b"c", b"d"]]
    with pytest.raises(ERROR, match="Duplicate reduction"):
        run(tf.reduce_join(letters, [0, 0]))
    joined = tf.strings.unsorted_segment_join(letters, [1, 1], 3, ":")
    assert listed(joined) == [[b"", b""], [b"a:c", b"b:d"], [b"", b""]]
    with pytest.raises(ERROR, match="segment_ids should be in"):
        run(tf.strings.unsorted_segment_join(["a"], [5], 3))


def test_decode_csv():
    columns = tf.decode_csv(['"a ""q"", b",2', ",", '"x\ny", 7'], [["z"], [2.5]])
    assert [c.tolist() for c in run(columns)] == [[b'a "q", b', b"z", b"x\ny"], [2, 2.5, 7]]
    chosen = tf.decode_csv(["NA,2,9"], [[7], [2.0]], na_value="NA", select_cols=[0, 2])
    assert [c.tolist() for c in run(chosen)] == [[7], [9.0]]
    assert run(tf.decode_csv('a"b;2', [["x"], [2]], ";", use_quote_delim=False)) == [b'a"b', 2]


@pytest.mark.parametrize(
    ("record", "defaults", "attrs", "message"),
    [
        ("1,2,3", [[1], [2]], {}, "Expect 2 fields but have 3 in record 0"),
        ("", [[1]], {}, "Expect 1 fields but have 0"),
        ("a,2", [[1], [2]], {}, "Field 0 in record 0 is not a valid int32: a"),
        ("1,", [[1], np.zeros([0], np.int32)], {}, "Field 1 is required but missing in record 0"),
        ('"a"b,2', [["x"], [2]], {}, "Quote inside a string"),
        ('a"b,2', [["x"], [2]], {}, "Unquoted fields cannot have quotes"),
        ('"a', [["x"]], {}, "Quoted field has to end with quote"),
        ("1;2", [[1], [2]], dict(field_delim=";;"), "field_delim should be only 1 char"),
    ],
)
def test_decode_csv_refuses(record, defaults, attrs, message):
    with pytest.raises(ERROR, match=message):
        run(tf.decode_csv(record, defaults, **attrs))


def test_decode_csv_refuses_when_built():
    with pytest.raises(ValueError, match="not strictly increasing"):
        tf.decode_csv("1,2", [[1], [2]], select_cols=[1, 0])
    with pytest.raises(ValueError, match="do not match"):
        tf.decode_csv("1,2", [[1], [2]], select_cols=[0])
    with pytest.raises(ValueError, match="length-0 or length-1"):
        tf.decode_csv("1", [[1, 2]])


def test_decode_raw():
    np.testing.assert_array_equal(
        run(tf.decode_raw([["abcd"]], tf.float16)), [[np.frombuffer(b"abcd", np.float16)]]
    )
    assert listed(tf.io.decode_raw(bytes=["ab"], out_type=tf.uint8)) == [[97, 98]]
    for bad, dtype in ((["ab", "abc"], tf.uint8), (["abc"], tf.int16)):
        with pytest.raises(ERROR, match="DecodeRaw"):
            run(tf.decode_raw(bad, dtype))
    with pytest.raises(ValueError, match="exactly one"):
        tf.decode_raw(out_type=tf.uint8)


def test_files(tmp_path):
    path = str(tmp_path / "folder" / "a.txt")
    run(tf.write_file(path, "text"))
    assert run(tf.read_file(path)) == b"text"
    run(tf.io.write_file(str(tmp_path / "folder" / "b.txt"), ""))
    names = run(tf.matching_files(str(tmp_path / "folder" / "*.txt"))).tolist()
    assert [name.rsplit(b"/")[-1] for name in names] == [b"a.txt", b"b.txt"]
    with pytest.raises(tf.errors.NotFoundError, match="nothing"):
        run(tf.read_file(str(tmp_path / "nothing")))
    packed = zlib.compress(b"many bytes" * 9)
    assert listed(tf.decode_compressed([packed], "ZLIB")) == [b"many bytes" * 9]
    for bad in (packed[:-3], b"no", b""):
        with pytest.raises(tf.errors.DataLossError, match="ZLIB"):
            run(tf.decode_compressed([bad], "ZLIB"))


def test_unknown_shapes():
    text = tf.placeholder(tf.string)
    assert tf.string_to_hash_bucket_fast(text, 3).shape.ndims is None
    assert tf.strings.unicode_transcode(text, "UTF-8", "UTF-8").shape.ndims is None
    assert [c.shape.ndims for c in tf.decode_csv(text, [[1], [2]])] == [None, None]
    row = tf.placeholder(tf.string, [None])
    assert tf.string_split(row).values.shape.as_list() == [None]
    assert tf.strings.regex_full_match(row, "a").shape.as_list() == [None]
    with pytest.raises(ValueError, match="statically"):
        tf.strings.unicode_decode(text, "UTF-8")
    with tf.Session() as session:
        found = session.run(tf.string_to_hash_bucket_fast(text, 1), {text: [["a"], ["b"]]})
    assert found.tolist() == [[0], [0]]
