"""Datasets of files: lines, records, tables, names."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

import tfc as tf
from tests.datasets.elements import Dataset, elements
from tfc.ops.datasets.records import as_record, crc32c, masked_crc

pytestmark = pytest.mark.usefixtures("fresh_graph")
Lines, Records = tf.data.TextLineDataset, tf.data.TFRecordDataset


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def test_lines(write):
    first, second = write("a", b"one\r\ntwo\n\nthree"), write("b", b"x\ny\n")
    assert elements(Lines(first)) == [b"one", b"two", b"", b"three"]
    assert elements(Lines([first, second]).skip(3)) == [b"three", b"x", b"y"]
    in_turns = Lines([first, second], num_parallel_reads=2)
    assert elements(in_turns) == [b"one", b"x", b"two", b"y", b"", b"three"]
    assert elements(Lines(write("z", zlib.compress(b"p\nq\n")), "ZLIB")) == [b"p", b"q"]
    assert elements(Lines(write("g", gzip.compress(b"r\ns")), "GZIP")) == [b"r", b"s"]
    names = Dataset.from_tensor_slices([second, first]).shuffle(1)
    assert elements(Lines(names).take(3)) == [b"x", b"y", b"one"]
    assert repr(Lines(first)) == "<TextLineDataset shapes: (), types: <dtype: 'string'>>"


def test_lines_that_cannot_be_read(write):
    first = write("a", b"x\n")
    element = Lines([first, first + "nothing", first]).make_one_shot_iterator().get_next()
    with tf.Session() as session:
        assert session.run(element) == b"x"
        with pytest.raises(tf.errors.NotFoundError, match="No such file"):
            session.run(element)
        assert session.run(element) == b"x"
    with pytest.raises(tf.errors.InvalidArgumentError, match="compression_type"):
        elements(Lines(first, "FOO"))
    for kind in ("GZIP", "ZLIB"):
        with pytest.raises(tf.errors.DataLossError):
            elements(Lines(first, kind))
    with pytest.raises(TypeError, match=r"tf\.string"):
        Lines(Dataset.range(3))
    with pytest.raises(ValueError, match="scalar"):
        Lines(Dataset.from_tensors([first]))


def test_records_of_one_length(write):
    path = write("f", b"HHaabbccF")
    whole = tf.data.FixedLengthRecordDataset(path, 2, 2, 1)
    assert elements(whole) == [b"aa", b"bb", b"cc"]
    bytes_of = whole.map(lambda r: tf.decode_raw(r, tf.uint8))
    assert elements(bytes_of)[0] == [97, 97]
    packed = write("z", gzip.compress(b"aabb"))
    assert elements(tf.data.FixedLengthRecordDataset(packed, 2, compression_type="GZIP")) == [
        b"aa", b"bb"
    ]  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match="body length 7 bytes, which is not"):
        elements(tf.data.FixedLengthRecordDataset(path, 2, 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="record_bytes"):
        elements(tf.data.FixedLengthRecordDataset(path, 0))


def test_checksums():
    """Those of TensorFlow's files, and the known ones of CRC-32C."""
    assert crc32c(b"") == 0 and crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    # the record "hello", as TensorFlow writes it
    assert as_record(b"hello").hex() == "0500000000000000eab2043e68656c6c6fbb1f1c19"
    assert masked_crc(b"") == 0xA282EAD8


def test_records(write, tmp_path):
    contents = [b"", b"hello", bytes(range(256)) * 9]
    whole = b"".join(as_record(c) for c in contents)
    path = write("r", whole)
    assert elements(Records(path)) == contents
    assert elements(Records([path, path], num_parallel_reads=2))[:3] == [b"", b"", b"hello"]
    assert elements(Records(write("g", gzip.compress(whole)), "GZIP")) == contents
    with pytest.raises(tf.errors.DataLossError, match="truncated record at 37"):
        elements(Records(write("t", whole[:-3])).skip(2))
    with pytest.raises(tf.errors.DataLossError, match="truncated record at 37"):
        elements(Records(write("t", whole[:42])).skip(2))
    for place, message in ((3, "corrupted record at 0"), (40, "at 37"), (60, "at 49")):
        broken = bytearray(whole)
        broken[place] ^= 1
        with pytest.raises(tf.errors.DataLossError, match=message):
            elements(Records(write("c", bytes(broken))))


@pytest.mark.parametrize("kind", [None, "GZIP", "ZLIB"])
def test_writing_records(tmp_path, kind):
    path = str(tmp_path / "written")
    dataset = Dataset.from_tensor_slices(["a", "bc", ""])
    operation = tf.data.experimental.TFRecordWriter(path, kind).write(dataset)
    with tf.Session() as session:
        session.run(operation)
    assert elements(Records(path, kind)) == [b"a", b"bc", b""]
    with pytest.raises(TypeError, match="DT_STRING"):
        tf.data.experimental.TFRecordWriter(path).write(Dataset.range(3))


def test_parsed_examples(write):
    def example(label: int) -> bytes:
        # features { feature { key: "y" value { int64_list { value: label } } } }
        return b"\x0a\x0c\x0a\x0a\x0a\x01y\x12\x05\x1a\x03\x0a\x01" + bytes([label])

    path = write("e", b"".join(as_record(example(k)) for k in (3, 1, 2)))
    features = {"y": tf.FixedLenFeature([], tf.int64)}
    one_by_one = Records(path).map(lambda r: tf.parse_single_example(r, features))
    assert elements(one_by_one) == [{"y": 3}, {"y": 1}, {"y": 2}]
    parse = tf.data.experimental.parse_example_dataset(features)
    assert elements(Records(path).batch(2).apply(parse)) == [{"y": [3, 1]}, {"y": [2]}]
    with pytest.raises(TypeError, match="vectors of strings"):
        Records(path).apply(parse)
    with pytest.raises(ValueError, match="features"):
        tf.data.experimental.parse_example_dataset({})


def test_names_of_files(write, tmp_path):
    names = [write(name, b"").encode() for name in ("a.txt", "b.txt", "c.txt", "d.gz")]
    pattern = str(tmp_path / "*.txt")
    assert elements(Dataset.list_files(pattern, shuffle=False)) == names[:3]
    both = Dataset.list_files([pattern, str(tmp_path / "*.gz")], seed=3)
    assert sorted(elements(both)) == names
    assert elements(both) == elements(both)
    with pytest.raises(tf.errors.InvalidArgumentError, match="No files matched pattern"):
        elements(Dataset.list_files(str(tmp_path / "nothing")))


def test_tables(write):
    table = tf.data.experimental.CsvDataset
    path = write("t", b"h,i,j\n1,2.5,a\n3,,b\n")
    rows = table(path, [tf.int32, [0.0], tf.string], header=True)
    assert elements(rows) == [(1, 2.5, b"a"), (3, 0.0, b"b")]
    assert rows.output_types == (tf.int32, tf.float32, tf.string)
    some = table(path, [tf.string], field_delim=",", header=True, select_cols=[2])
    assert elements(some) == [(b"a",), (b"b",)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not a valid int32: x"):
        elements(table(write("x", b"1,x\n"), [tf.int32, tf.int32]))
    numbers = table(path, [[0], [np.float32(7)], [""]], header=True, na_value="3")
    assert elements(numbers)[1] == (0, 7.0, b"b")
