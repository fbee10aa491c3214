"""Example messages and the ops that parse them."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tfc.ops.examples import wire

pytestmark = pytest.mark.usefixtures("fresh_graph")
ERROR = tf.errors.InvalidArgumentError


def record(**features):
    """A serialized Example; ints, floats and bytes by the first element."""
    made = {}
    for key, values in features.items():
        kind = values[0] if values else 0
        if isinstance(kind, bytes):
            part = dict(bytes_list=tf.train.BytesList(value=values))
        elif isinstance(kind, float):
            part = dict(float_list=tf.train.FloatList(value=values))
        else:
            part = dict(int64_list=tf.train.Int64List(value=values))
        made[key] = tf.train.Feature(**part)
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def run(fetch):
    with tf.Session() as session:
        return session.run(fetch)


def test_messages_round_trip():
    data = record(a=[1, -2], b=[b"x"], c=[0.5])
    again = tf.train.Example.FromString(data)
    assert list(again.features.feature["a"].int64_list.value) == [1, -2]
    assert again.features.feature["b"].WhichOneof("kind") == "bytes_list"
    sequence = tf.train.SequenceExample()
    sequence.feature_lists.feature_list["s"].feature.add().float_list.value.append(1.0)
    assert tf.train.SequenceExample.FromString(sequence.SerializeToString()) == sequence


def test_single():
    found = tf.parse_single_example(
        record(a=[1, -2], s=[b"x", b"yz"], f=[1.5], n=list(range(6))),
        {
            "a": tf.FixedLenFeature([2], tf.int64),
            "f": tf.FixedLenFeature([], tf.float32),
            "m": tf.FixedLenFeature([2], tf.float32, default_value=7.0),
            "n": tf.FixedLenSequenceFeature([2], tf.int64, allow_missing=True),
            "s": tf.VarLenFeature(tf.string),
            "gone": tf.VarLenFeature(tf.int64),
        },
    )
    assert found["n"].shape.as_list() == [None, 2] and found["f"].shape.as_list() == []
    found = run(found)
    assert found["a"].tolist() == [1, -2] and found["f"] == 1.5 and found["m"].tolist() == [7, 7]
    assert found["n"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found["s"].values.tolist() == [b"x", b"yz"]
    assert found["gone"].dense_shape.tolist() == [0]


def test_many():
    parsed = tf.io.parse_example(
        [record(a=[1, 2], s=[b"x"]), record(), record(a=[3], s=[b"y", b"z"])],
        {
            "a": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True, default_value=-1),
            "f": tf.FixedLenFeature([1], tf.float32, 9.0),
            "s": tf.VarLenFeature(tf.string),
        },
    )
    assert parsed["f"].shape.as_list() == [3, 1]
    found = run(parsed)
    assert found["a"].tolist() == [[1, 2], [-1, -1], [3, -1]] and found["f"].tolist() == [[9.0]] * 3
    assert found["s"].indices.tolist() == [[0, 0], [2, 0], [2, 1]]
    assert found["s"].dense_shape.tolist() == [3, 2]


def test_sparse_feature():
    wanted = {"s": tf.SparseFeature("at", "v", tf.float32, 10)}
    one = record(at=[7, 3], v=[0.5, 0.25])
    found = run(tf.parse_single_example(one, wanted)["s"])
    assert found.indices.tolist() == [[3], [7]] and found.values.tolist() == [0.25, 0.5]
    found = run(tf.parse_example([record(), one], wanted)["s"])
    assert found.indices.tolist() == [[1, 3], [1, 7]] and found.dense_shape.tolist() == [2, 10]


@pytest.mark.parametrize(
    ("data", "feature", "message"),
    [
        (record(), tf.FixedLenFeature([], tf.int64), "is required but could not be found"),
        (record(a=[1.0]), tf.FixedLenFeature([], tf.int64), "Data types don't match"),
        (record(a=[1, 2]), tf.FixedLenFeature([3], tf.int64), "values != expected"),
        (
            record(a=[1, 2, 3]),
            tf.FixedLenSequenceFeature([2], tf.int64, True),
            "not a multiple of stride",
        ),
        (b"\xff\xff\xff", tf.VarLenFeature(tf.int64), "Could not parse example"),
        (record(a=[b"x"])[:-1], tf.VarLenFeature(tf.string), "Could not parse"),
    ],
)
def test_records_that_do_not_fit(data, feature, message):
    for parse, given in ((tf.parse_single_example, data), (tf.parse_example, [data])):
        with pytest.raises(ERROR, match=message):
            run(parse(given, {"a": feature})["a"])


def test_features_that_are_none():
    for features, error, message in (
        ({}, ValueError, "Missing"),
        ({"a": 3}, ValueError, "Invalid feature"),
        ({"a": tf.FixedLenFeature(None, tf.int64)}, ValueError, "Missing shape"),
        ({"a": tf.VarLenFeature(None)}, ValueError, "Missing type"),
        ({"a": tf.VarLenFeature(tf.int32)}, TypeError, "int32"),
        ({"a": tf.FixedLenSequenceFeature([], tf.int64)}, ValueError, "allow_missing"),
        ({"a": tf.FixedLenFeature([3], tf.int64, [1, 2])}, ValueError, "default_value"),
    ):
        with pytest.raises(error, match=message):
            tf.parse_example([b""], features)


def test_broken_messages_raise_and_nothing_else():
    data = record(a=[1, 300], s=[b"text"], f=[0.5])
    random = np.random.RandomState(1)
    for trial in range(400):
        broken = bytearray(data[: random.randint(len(data) + 1)])
        for _ in range(trial % 3):
            if broken:
                broken[random.randint(len(broken))] = random.randint(256)
        try:
            for part in wire.example(bytes(broken)).values():
                wire.feature(part)
        except ValueError:
            pass


# ---- sequences


def sequence(context: dict, lists: dict) -> bytes:
    """A SequenceExample; a feature is a list of numbers or of bytes."""

    def made(values: list) -> tf.train.Feature:
        if values and isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if values and isinstance(values[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    steps = {key: tf.train.FeatureList(feature=map(made, rows)) for key, rows in lists.items()}
    return tf.train.SequenceExample(
        context=tf.train.Features(feature={key: made(v) for key, v in context.items()}),
        feature_lists=tf.train.FeatureLists(feature_list=steps),
    ).SerializeToString()


def test_parse_single_sequence_example():
    data = sequence(
        {"n": [3], "words": [b"a", b"b"]},
        {"rows": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "tags": [[7], [], [8, 9]]},
    )
    context, lists = tf.parse_single_sequence_example(
        data,
        {
            "n": tf.FixedLenFeature([], tf.int64),
            "m": tf.FixedLenFeature([2], tf.float32, [0.5, 1.5]),
            "words": tf.VarLenFeature(tf.string),
            "nothing": tf.VarLenFeature(tf.int64),
        },
        {
            "rows": tf.FixedLenSequenceFeature([2], tf.float32),
            "tags": tf.VarLenFeature(tf.int64),
            "absent": tf.FixedLenSequenceFeature([], tf.string, allow_missing=True),
        },
        example_name="first",
    )
    assert context["n"].shape == () and context["m"].shape == (2,)
    assert lists["rows"].shape.as_list() == [None, 2]
    assert lists["absent"].shape.as_list() == [None]
    with tf.Session() as session:
        context, lists = session.run([context, lists])
    assert context["n"] == 3 and context["m"].tolist() == [0.5, 1.5]
    words, nothing = context["words"], context["nothing"]
    assert words.values.tolist() == [b"a", b"b"] and words.indices.tolist() == [[0], [1]]
    assert words.dense_shape.tolist() == [2] and nothing.dense_shape.tolist() == [0]
    assert lists["rows"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert lists["tags"].indices.tolist() == [[0, 0], [2, 0], [2, 1]]
    assert lists["tags"].values.tolist() == [7, 8, 9]
    assert lists["tags"].dense_shape.tolist() == [3, 2]
    assert lists["absent"].shape == (0,)


def test_errors_of_sequences():
    parse = tf.io.parse_single_sequence_example
    data = sequence({"n": [1]}, {"rows": [[1], [2, 3]]})
    one, rows = tf.FixedLenFeature([], tf.int64), tf.FixedLenSequenceFeature([], tf.int64)
    for call, match in (
        (lambda: parse(data), "Missing features"),
        (lambda: parse(data, {"n": rows}), "Unsupported"),
        (lambda: parse(data, None, {"n": one}), "Unsupported"),
        (
            lambda: parse(data, None, {"rows": tf.FixedLenSequenceFeature([], tf.int64, True, 0)}),
            "must be None",
        ),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    for (context, lists), match in (
        (({"m": one}, None), "required but could not be found"),
        ((None, {"none": rows}), "required but could not be found"),
        ((None, {"rows": rows}), "Index: 1.*expected"),
        ((None, {"rows": tf.VarLenFeature(tf.float32)}), "Data types don't match"),
    ):
        with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError, match=match):
            session.run(parse(data, context, lists, example_name="x"))
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError, match="parse"):
        session.run(parse(b"\x01", {"n": one}))
