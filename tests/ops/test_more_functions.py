"""Positions, broadcasting choices, identities, fingerprints, tensors as strings, volumes' patches,
edit distances, windows, printing."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feed)


# ---- positions and choices


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.booleans())
@settings(max_examples=20)
def test_unravel_index(dims: list[int], wide: bool, known: bool) -> None:
    kind = np.int64 if wide else np.int32
    flat = np.arange(math.prod(dims), dtype=kind)[::-1].copy()
    expected = np.array(np.unravel_index(flat, dims), kind)
    with tf.Graph().as_default():
        if known:
            y, feed = tf.unravel_index(flat, np.array(dims, kind)), {}
            assert y.shape == expected.shape
        else:
            at, of = tf.placeholder(kind, None), tf.placeholder(kind, [None])
            y, feed = tf.unravel_index(at, of), {at: flat, of: dims}
        got = run(y, feed)
        assert got.dtype == kind
        np.testing.assert_array_equal(got, expected)


def test_unravel_index_of_one_and_errors() -> None:
    assert run(tf.unravel_index(5, [2, 3])).tolist() == [1, 2]
    for indices, dims in (([6], [2, 3]), ([-1], [2, 3]), ([0], [2, 0]), ([[1]], [2, 3])):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(tf.unravel_index(indices, dims))
    with pytest.raises(ValueError, match="rank 1"):
        tf.unravel_index([1], 2)


SIDES = st.lists(st.booleans(), min_size=0, max_size=3)


@given(SIDES, SIDES, SIDES, st.integers(0, 99))
@settings(max_examples=25)
def test_where_v2(a: list[bool], b: list[bool], c: list[bool], seed: int) -> None:
    rs = np.random.RandomState(seed)
    shapes = [
        [n if f else 1 for n, f in zip((2, 3, 4)[3 - len(s) :], s, strict=True)] for s in (a, b, c)
    ]
    condition, x, y = rs.rand(*shapes[0]) < 0.5, rs.normal(size=shapes[1]), rs.rand(*shapes[2])
    expected = np.where(condition, x, y)
    with tf.Graph().as_default():
        found = tf.where_v2(condition, x, y)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(run(found), expected)
        unknown = tf.placeholder(tf.float64, [None] * len(shapes[1]))
        np.testing.assert_array_equal(
            run(tf.where_v2(condition, unknown, y), {unknown: x}), expected
        )


def test_where_v2_gradient_strings_errors() -> None:
    rs = np.random.RandomState(0)
    condition = rs.rand(3, 1) < 0.5
    check_gradient(
        lambda x, y: tf.where_v2(condition, x, y), rs.normal(size=(2, 1, 4)), rs.normal(size=(4,))
    )
    assert run(tf.where_v2([True, False], ["a", "b"], "z")).tolist() == [b"a", b"z"]
    assert run(tf.where_v2([[True, False], [False, True]])).tolist() == [[0, 0], [1, 1]]
    with pytest.raises(ValueError, match="both"):
        tf.where_v2([True], [1])
    with pytest.raises(ValueError, match="equal"):
        tf.where_v2([True], [1, 2], [1, 2, 3])


def test_identities() -> None:
    x = tf.constant([1.5, -2.5])
    assert [v.tolist() for v in run(tf.identity_n([x, 2 * x]))] == [[1.5, -2.5], [3.0, -5.0]]
    assert run(tf.guarantee_const(x)).tolist() == [1.5, -2.5]
    passed = tf.grad_pass_through(tf.floor)(x)
    values = run([passed, *tf.gradients(3 * passed, x)])
    assert [v.tolist() for v in values] == [[1.0, -3.0], [3.0, 3.0]]
    assert run(tf.user_ops.my_fact()) == b"0! == 1"
    before = time.time()
    assert before <= run(tf.timestamp()) <= time.time()


# ---- strings


def test_fingerprint() -> None:
    # of real TensorFlow
    texts = tf.fingerprint(["abc", "de"])
    assert texts.shape == (2, 8)
    assert run(texts).tolist() == [
        [105, 243, 231, 116, 160, 179, 165, 36], [132, 252, 67, 60, 7, 51, 37, 253]
    ]  # fmt: skip
    numbers = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert run(tf.fingerprint(numbers)).tolist() == [
        [226, 97, 231, 35, 137, 217, 164, 52], [135, 205, 247, 214, 112, 21, 177, 81]
    ]  # fmt: skip
    assert run(tf.fingerprint(np.zeros((0, 2)))).shape == (0, 8)
    with pytest.raises(ValueError, match="at least rank 1"):
        tf.fingerprint(5.0)
    with pytest.raises(ValueError, match="md5"):
        tf.fingerprint([5.0], method="md5")


KINDS = ["int8", "uint16", "int32", "uint64", "float16", "float32", "complex64", "bool"]


@given(st.sampled_from(KINDS), st.lists(st.integers(0, 3), max_size=3))
@settings(max_examples=25)
def test_serialize_and_parse(kind: str, shape: list[int]) -> None:
    x = (np.arange(math.prod(shape)).reshape(shape) * 7).astype(kind)
    with tf.Graph().as_default():
        text = tf.serialize_tensor(x)
        y = tf.parse_tensor(text, x.dtype)
        assert text.shape == () and y.shape.ndims is None
        got, data = run([y, text])
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got, x)
        made = type(tf.make_tensor_proto(x))()
        made.ParseFromString(data)
        np.testing.assert_array_equal(tf.make_ndarray(made), x)


def test_parse_tensor_fields_and_errors() -> None:
    for kind in ("float32", "float64", "int16", "int64", "bool", "complex128", "uint32", "float16"):
        proto = tf.make_tensor_proto(np.ones((), kind), shape=[2, 2])
        values = run(tf.parse_tensor(proto.SerializeToString(), kind))
        np.testing.assert_array_equal(values, np.ones((2, 2), kind))
    text = tf.serialize_tensor([["a", "bc"], ["", "d"]])
    assert run(text) == (
        b"\x08\x07\x12\x08\x12\x02\x08\x02\x12\x02\x08\x02B\x01aB\x02bcB\x00B\x01d"
    )
    assert run(tf.io.parse_tensor(text, tf.string)).tolist() == [[b"a", b"bc"], [b"", b"d"]]
    huge = b"\x08\x01\x12\x0c\x12\x0a\x08" + b"\xff" * 8 + b"\x01"
    for bad in (b"xx", b"", huge, b"\x08\x01\x12\x02\x18\x01"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse"):
            run(tf.parse_tensor(bad, tf.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Type mismatch"):
        run(tf.parse_tensor(tf.io.serialize_tensor([1]), tf.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="scalar"):
        run(tf.parse_tensor(["a"], tf.float32))


def sequences(rows: dict[tuple[int, ...], str], dims: list[int]) -> Any:
    indices = [[*at, i] for at, text in rows.items() for i in range(len(text))]
    values = [c for text in rows.values() for c in text]
    return tf.SparseTensor(np.array(indices, np.int64).reshape(-1, len(dims)), values, dims)


def test_edit_distance() -> None:
    truth = sequences({(0, 0): "kitten", (0, 1): "a", (2, 1): "xyz"}, [3, 2, 6])
    guess = sequences({(0, 0): "sitting", (1, 0): "b", (2, 1): "xyz"}, [3, 2, 7])
    y = tf.edit_distance(guess, truth)
    assert y.shape == (3, 2)
    expected = [[0.5, 1.0], [math.inf, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(run(y), expected)
    plain = [[3, 1], [1, 0], [0, 0]]
    assert run(tf.edit_distance(guess, truth, normalize=False)).tolist() == plain
    fed = tf.sparse_placeholder(tf.int64)
    feed = {fed: ([[0, 0], [0, 1]], [1, 2], [1, 2])}
    assert run(tf.edit_distance(fed, fed), feed).tolist() == [0.0]
    with pytest.raises(TypeError, match="Hypothesis"):
        tf.edit_distance(tf.constant([1]), truth)
    flat = tf.SparseTensor([[0]], ["a"], [1])
    with pytest.raises(ValueError, match="at least 2"):
        tf.edit_distance(flat, flat)
    lone = tf.SparseTensor([[5, 0]], ["a"], [3, 2])
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.edit_distance(lone, lone))


# ---- volumes and windows


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_extract_volume_patches(padding: str) -> None:
    rs = np.random.RandomState(0)
    x, k, step = rs.normal(size=(2, 5, 4, 6, 2)), (2, 3, 2), (2, 1, 3)
    sizes, steps = [1, *k, 1], [1, *step, 1]
    counts, wide = [], x
    for d in range(3):
        n = x.shape[d + 1]
        counts.append(-(-n // step[d]) if padding == "SAME" else (n - k[d]) // step[d] + 1)
        missing = max((counts[d] - 1) * step[d] + k[d] - n, 0) if padding == "SAME" else 0
        pads = [(0, 0)] * 5
        pads[d + 1] = (missing // 2, missing - missing // 2)
        wide = np.pad(wide, pads)
    expected = np.empty((2, *counts, math.prod(k) * 2))
    for at in np.ndindex(*counts):
        places = tuple(slice(a * s, a * s + n) for a, s, n in zip(at, step, k, strict=True))
        expected[(slice(None), *at)] = wide[(slice(None), *places)].reshape(2, -1)
    y = tf.extract_volume_patches(x, sizes, steps, padding)
    assert y.shape == expected.shape
    np.testing.assert_array_equal(run(y), expected)
    unknown = tf.placeholder(tf.float64, [None, None, None, None, 2])
    y = tf.extract_volume_patches(unknown, sizes, steps, padding)
    assert y.shape.as_list() == [None, None, None, None, expected.shape[-1]]
    np.testing.assert_array_equal(run(y, {unknown: x}), expected)
    check_gradient(
        lambda t: tf.extract_volume_patches(t, sizes, steps, padding), x[:1, :3, :3, :4, :1].copy()
    )


def test_extract_volume_patches_errors() -> None:
    x = tf.zeros([1, 3, 3, 3, 1])
    with pytest.raises(ValueError, match="contain 5"):
        tf.extract_volume_patches(x, [1, 1, 1], [1] * 5, "SAME")
    with pytest.raises(ValueError, match="would be negative"):
        tf.extract_volume_patches(x, [1, 5, 1, 1, 1], [1] * 5, "VALID")
    with pytest.raises(tf.errors.UnimplementedError):
        run(tf.extract_volume_patches(x, [2, 1, 1, 1, 1], [1] * 5, "SAME"))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_kaiser_windows(dtype: Any) -> None:
    for length, beta in ((1, 12.0), (2, 0.0), (7, 8.6), (16, 14.0)):
        y = run(tf.signal.kaiser_window(length, beta, dtype))
        np.testing.assert_allclose(y, np.kaiser(length, beta), rtol=2e-6, atol=1e-9)
        unknown = tf.placeholder(tf.int32, [])
        y = run(tf.signal.kaiser_window(unknown, beta, dtype), {unknown: max(length, 2)})
        np.testing.assert_allclose(y, np.kaiser(max(length, 2), beta), rtol=2e-6, atol=1e-9)
        y = run(tf.signal.kaiser_bessel_derived_window(2 * length, beta, dtype))
        sums = np.cumsum(np.kaiser(length + 1, beta))
        half = np.sqrt(sums[:-1] / sums[-1])
        np.testing.assert_allclose(y, np.concatenate([half, half[::-1]]), rtol=2e-6, atol=1e-9)
    with pytest.raises(ValueError, match="floating"):
        tf.signal.kaiser_window(3, dtype=tf.int32)


# ---- printing


def test_print(capsys, tmp_path) -> None:
    x, text = tf.constant([[1, 2], [3, 4]]), tf.constant("héllo")
    sparse = tf.SparseTensor([[0]], [1.5], [2])
    path = tmp_path / "log"
    calls = [
        tf.print("x:", x, {"b": text, "a": [1.5, x[0]]}, output_stream=sys.stdout),
        tf.print(text, 3, output_stream=sys.stdout, sep="|", end="!"),
        tf.print(text),
        tf.print(sparse, "{}", output_stream=sys.stderr),
        tf.print("n", tf.range(9), summarize=2, output_stream=f"file://{path}"),
        tf.print(tf.range(9), summarize=-1, output_stream=f"file://{path}", name="shown"),
    ]
    for call in calls:
        run(call)
    out, err = capsys.readouterr()
    # of real TensorFlow
    assert out == "x: [[1 2]\n [3 4]] {'a': [1.5, [1 2]], 'b': \"héllo\"}\n\"héllo\"|3!"
    assert err == "héllo\n'SparseTensor(indices=[[0]], values=[1.5], shape=[2])' {}\n"
    assert path.read_text() == "n [0 1 ... 7 8]\n[0 1 2 3 4 5 6 7 8]\n"
    assert calls[-1].name == "shown" and calls[-1].type == "PrintV2"
    with pytest.raises(ValueError, match="Unrecognized"):
        tf.print(x, color=1)
    with pytest.raises(ValueError, match="Unsupported output stream"):
        tf.print(x, output_stream="nowhere")


def test_print_to_the_log() -> None:
    import logging

    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append((record.levelname, record.getMessage()))
    tf.get_logger().addHandler(handler)
    try:
        run(tf.print("a", 1, output_stream=tf.logging.error))
        run(tf.print("b %s", output_stream=tf.logging.WARN))
    finally:
        tf.get_logger().removeHandler(handler)
    assert seen == [("ERROR", "a 1"), ("WARNING", "b %s")]
