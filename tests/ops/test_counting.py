"""Bitcast, histograms, confusion matrices, searches, sparse segments, fake quantisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

pytestmark = pytest.mark.usefixtures("fresh_graph")
SEEDS = st.integers(0, 2**31)


def run(y: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(y, feed)


@pytest.mark.parametrize("source", ["u1", "i2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("target", ["u1", "i2", "f4", "f8", "c8", "c16"])
def test_bitcast_is_numpys_view(source: str, target: str) -> None:
    x = np.arange(1, 33).astype(source).reshape(2, 16)
    ratio = np.dtype(target).itemsize // np.dtype(source).itemsize
    if ratio > 1:
        x = np.ascontiguousarray(x[:, :ratio])
    less = max(np.dtype(source).itemsize // np.dtype(target).itemsize, 1)
    shape = (2,) if ratio > 1 else x.shape if less == 1 else (*x.shape, less)
    expected = x.view(target).reshape(shape)
    y = tf.bitcast(tf.constant(x), tf.as_dtype(np.dtype(target)))
    assert y.shape == shape
    np.testing.assert_array_equal(run(y), expected)


def test_bitcast_errors() -> None:
    with pytest.raises(ValueError, match="Cannot bitcast"):
        tf.bitcast(tf.zeros([3], tf.uint8), tf.int32)
    with pytest.raises(TypeError):
        tf.bitcast(tf.constant([True]), tf.uint8)
    x = tf.placeholder(tf.uint8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot bitcast"):
        run(tf.bitcast(x, tf.int32), {x: np.zeros(3, np.uint8)})


@settings(max_examples=10)
@given(SEEDS, st.integers(1, 9))
def test_histograms(seed: int, bins: int) -> None:
    x = np.random.default_rng(seed).uniform(-2, 8, 20)
    inside = np.clip(x, 0, 5)
    expected = np.minimum((inside / (5 / bins)).astype(int), bins - 1)
    with tf.Graph().as_default():
        counts = tf.histogram_fixed_width(x, [0.0, 5.0], bins)
        places = tf.histogram_fixed_width_bins(x, [0.0, 5.0], bins)
        assert counts.shape == (bins,) and places.dtype == tf.int32
        found = run([counts, places])
    np.testing.assert_array_equal(found[0], np.bincount(expected, minlength=bins))
    np.testing.assert_array_equal(found[1], expected)


def test_histogram_errors() -> None:
    with pytest.raises(ValueError, match="nbins > 0"):
        tf.histogram_fixed_width([1.0], [0.0, 1.0], 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="value_range"):
        run(tf.histogram_fixed_width([1.0], [1.0, 0.0]))


def test_confusion_matrix() -> None:
    labels, predictions = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    matrix = tf.confusion_matrix(labels, predictions)
    assert matrix.dtype == tf.int32
    assert run(matrix).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 1]]
    weighted = tf.math.confusion_matrix(
        labels[:, None], predictions, num_classes=4, dtype=tf.float32, weights=[0.5, 1, 2, 3]
    )
    assert run(weighted)[2].tolist() == [0, 3, 2, 0]
    x = tf.placeholder(tf.int32, [None])
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of bound"):
        run(tf.confusion_matrix(x, x, 2), {x: [0, 2]})


@settings(max_examples=10)
@given(SEEDS, st.sampled_from(["left", "right"]))
def test_searchsorted(seed: int, side: str) -> None:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(0, 9, (2, 3, rng.integers(1, 7))), -1)
    values = rng.integers(-1, 10, (2, 3, 4))
    expected = [
        [np.searchsorted(r, v, side=side) for r, v in zip(a, b, strict=True)]
        for a, b in zip(rows, values, strict=True)
    ]
    with tf.Graph().as_default():
        found = run(tf.searchsorted(rows.astype(np.float32), values.astype(np.float32), side))
    np.testing.assert_array_equal(found, expected)


def test_searchsorted_errors() -> None:
    with pytest.raises(ValueError, match="side must be"):
        tf.searchsorted([1.0], [1.0], side="middle")


@settings(max_examples=10)
@given(SEEDS, st.sampled_from(["sum", "mean", "sqrt_n"]), st.booleans())
def test_sparse_segments(seed: int, kind: str, given_count: bool) -> None:
    rng = np.random.default_rng(seed)
    data, size = rng.normal(size=(5, 2)), int(rng.integers(1, 8))
    indices, ids = rng.integers(0, 5, size), np.sort(rng.integers(0, 4, size))
    count = 6 if given_count else ids[-1] + 1
    expected = np.zeros((count, 2))
    for row in range(count):
        taken = data[indices[ids == row]]
        scale = {"sum": 1, "mean": len(taken), "sqrt_n": np.sqrt(len(taken))}[kind]
        expected[row] = taken.sum(0) / max(scale, 1)
    function = getattr(tf, f"sparse_segment_{kind}")
    options = {"num_segments": 6} if given_count else {}
    with tf.Graph().as_default():
        y = function(tf.constant(data), indices, ids.astype(np.int32), **options)
        assert y.shape.as_list() == [6 if given_count else None, 2]
        np.testing.assert_allclose(run(y), expected, rtol=1e-12, atol=1e-12)


def test_sparse_segment_gradients_and_errors() -> None:
    data = np.arange(10.0).reshape(5, 2)
    for kind in ("sum", "mean", "sqrt_n"):
        function = getattr(tf, f"sparse_segment_{kind}")
        check_gradient(lambda x, f=function: f(x, [0, 2, 2, 4], [0, 0, 1, 3]), data)
    ids = tf.placeholder(tf.int32, [None])
    y = tf.sparse_segment_sum(data, [0, 1, 2], ids, num_segments=3)
    for bad, message in (
        ([0, 2, 1], "segment ids are not increasing"),
        ([-1, 0, 1], r"Segment id -1 out of range \[0, 3\)"),
        ([0, 1, 3], "segment ids must be < num_segments"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(y, {ids: bad})


def test_new_segments_and_places_need_no_new_code() -> None:
    """What is compiled depends on how many segments or rows there are, not on which, and they may
    be many."""
    rng = np.random.default_rng(0)
    size, count = 6000, 40
    x = rng.standard_normal((size, 3))
    ids, places = (tf.placeholder(dtype, [size]) for dtype in (tf.int64, tf.int32))
    fetches = [
        tf.segment_sum(x, ids),
        tf.segment_mean(x, ids),
        tf.segment_max(x, ids),
        tf.sparse_segment_sum(x, np.arange(size), ids),
        tf.dynamic_stitch([places], [x]),
    ]
    with tf.Session() as session:
        compiled = []
        for _ in range(3):
            numbers = np.sort(rng.integers(0, count - 1, size))
            numbers[numbers == 7] = 8
            numbers[-1] = count - 1
            order = rng.permutation(size)
            got = session.run(fetches, {ids: numbers, places: order})
            compiled.append(session.statistics.misses)
            total = np.zeros((count, 3))
            np.add.at(total, numbers, x)
            rows = np.bincount(numbers, minlength=count)[:, None]
            largest = np.full((count, 3), -np.inf)
            np.maximum.at(largest, numbers, x)
            stitched = np.empty_like(x)
            stitched[order] = x
            largest[rows[:, 0] == 0] = 0
            want = [total, total / np.maximum(rows, 1), largest, total, stitched]
            for a, b in zip(got, want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        assert compiled[0] == compiled[1] == compiled[2]
        with pytest.raises(tf.errors.InvalidArgumentError, match="indices hold -1, which is less"):
            session.run(fetches[-1], {places: np.append(order[1:], -1)})


def test_many_segments_in_a_loop() -> None:
    """In a body the numbers themselves have to be known, however many there are."""
    size = 5000
    x, ids = np.ones((size, 2)), np.sort(np.random.default_rng(0).integers(0, 9, size))
    fed = tf.placeholder(tf.int32, [None])
    total = tf.while_loop(
        lambda i, a: i < 3, lambda i, a: (i + 1, a + tf.segment_sum(x, fed)[-1, 0]),
        [0, np.float64(0)],
    )[1]  # fmt: skip
    assert run(total, {fed: ids}) == 3 * (ids == ids[-1]).sum()
    halves = tf.while_loop(
        lambda i, a: i < 3, lambda i, a: (i + 1, a + tf.segment_sum(x, fed // 2)[-1, 0]),
        [0, np.float64(0)],
    )[1]  # fmt: skip
    assert run(halves, {fed: ids}) == 3 * (ids // 2 == ids[-1] // 2).sum()


def test_counts_beyond_int32_are_not_wrapped() -> None:
    """They are more rows than there is memory for."""
    ids, places = tf.placeholder(tf.int64, [2]), tf.placeholder(tf.int32, [2])
    x = np.ones((2, 1 << 16))
    for y, feed in (
        (tf.segment_sum(x, ids), {ids: [0, 2**31 - 1]}),
        (tf.segment_sum(x, ids), {ids: [0, 2**40]}),
        (tf.dynamic_stitch([places], [x]), {places: [0, 2**31 - 1]}),
    ):
        with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM"):
            run(y, feed)


def test_values_beside_a_count_need_no_new_code() -> None:
    """What is sorted, cut or filled shares variables with how much of it there is."""
    factors = np.array([1, 2, 1, 0.5, 3, 1, 2, 4], np.float32)
    weights = tf.Variable(factors)
    x = tf.placeholder(tf.float32, [8])
    scaled = x * weights
    count = tf.reduce_sum(tf.cast(scaled > 0, tf.int32))
    top, _ = tf.nn.top_k(scaled, count)
    cut = tf.slice(scaled, [0], [count])
    laid = tf.reshape(scaled, tf.stack([count // 2, -1]))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        compiled = []
        for turn in range(6):
            fed = np.arange(1, 9, dtype=np.float32) * (-1) ** np.arange(8) + turn / 64
            value = fed * factors
            found = session.run([top, cut, laid], {x: fed})
            np.testing.assert_array_equal(found[0], np.sort(value)[::-1][:4])
            np.testing.assert_array_equal(found[1], value[:4])
            np.testing.assert_array_equal(found[2], value.reshape(2, 4))
            compiled.append(session.statistics.misses)
        assert compiled[0] == compiled[-1]
        assert len(session.run(top, {x: np.abs(fed)})) == 8


def test_unique_with_counts_and_paddings() -> None:
    values, index, count = run(tf.unique_with_counts([3, 1, 3, 2, 1, 3]))
    assert [values.tolist(), index.tolist(), count.tolist()] == [
        [3, 1, 2], [0, 1, 0, 2, 1, 0], [3, 2, 1]
    ]  # fmt: skip
    pads = tf.required_space_to_batch_paddings([5, 6], [2, 4], [[1, 0], [0, 2]])
    assert [v.tolist() for v in run(pads)] == [[[1, 0], [0, 2]], [[0, 0], [0, 0]]]
    size = tf.placeholder(tf.int32, [2])
    pads = tf.required_space_to_batch_paddings(size, [2, 4])
    assert [v.tolist() for v in run(pads, {size: [5, 6]})] == [[[0, 1], [0, 2]], [[0, 1], [0, 2]]]


def test_verify_tensor_all_finite() -> None:
    assert run(tf.verify_tensor_all_finite([1.0], "no")).tolist() == [1.0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="no : Tensor had Inf"):
        run(tf.verify_tensor_all_finite(x=[np.inf], message="no"))
    with pytest.raises(ValueError, match="both"):
        tf.verify_tensor_all_finite([1.0], x=[1.0])


def quantised(x: np.ndarray, low: Any, high: Any, bits: int = 8, narrow: int = 0) -> np.ndarray:
    top = 2**bits - 1
    scale = (np.float32(high) - np.float32(low)) / np.float32(top - narrow)
    zero = np.clip(np.floor(narrow - low / scale + 0.5), narrow, top)
    first, last = (narrow - zero) * scale, (top - zero) * scale
    return np.floor((np.clip(x, first, last) - first) / scale + 0.5) * scale + first


def test_fake_quantisation() -> None:
    x = np.linspace(-3, 4, 12, dtype=np.float32).reshape(4, 3)
    y = run(tf.fake_quant_with_min_max_args(x, -1.0, 2.0, 4, True))
    np.testing.assert_allclose(y, quantised(x, -1.0, 2.0, 4, 1), atol=1e-6)
    low, high = np.array([-1, 0, -2], np.float32), np.array([1, 2, 0.5], np.float32)
    q = tf.quantization
    y = run(q.fake_quant_with_min_max_vars_per_channel(x, low, high))
    np.testing.assert_allclose(y, quantised(x, low, high), atol=1e-6)
    t, a, b = tf.constant(x), tf.constant(-1.0), tf.constant(2.0)
    grads = run(tf.gradients(tf.fake_quant_with_min_max_vars(t, a, b), [t, a, b]))
    inside = (x >= -1) & (x <= 2)
    np.testing.assert_array_equal(grads[0], inside)
    assert (grads[1], grads[2]) == ((x < -1).sum(), (x > 2).sum())
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_bits"):
        run(tf.fake_quant_with_min_max_args(x, num_bits=17))


def test_raw_ops_take_keywords() -> None:
    assert run(tf.raw_ops.Add(x=1, y=2)) == 3
    with pytest.raises(TypeError):
        tf.raw_ops.Add(1, 2)
    with pytest.raises(AttributeError):
        _ = tf.raw_ops.NoSuchOp
