"""Weighted moments, averages of losses, the largest elements along an axis, CTC of dense labels."""

from __future__ import annotations

import itertools
import math
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


@given(st.sampled_from([[0], [1], [0, 1], [0, 1, 2], [2]]), st.booleans(), st.integers(0, 7))
@settings(max_examples=15)
def test_weighted_moments(axes: list[int], keep: bool, wide: int) -> None:
    rs = np.random.RandomState(wide)
    x = rs.normal(size=(3, 4, 2))
    weights = rs.rand(*(n if wide >> i & 1 else 1 for i, n in enumerate(x.shape)))
    all_weights = np.broadcast_to(weights, x.shape)
    at = tuple(axes)
    total = all_weights.sum(at, keepdims=True)
    mean = (all_weights * x).sum(at, keepdims=True) / total
    variance = (all_weights * (x - mean) ** 2).sum(at, keepdims=True) / total
    with tf.Graph().as_default():
        found = run(tf.nn.weighted_moments(x, axes, weights, keep_dims=keep))
    for got, expected in zip(found, (mean, variance), strict=True):
        np.testing.assert_allclose(got, expected if keep else expected.squeeze(at))


def test_weighted_moments_of_halves_and_gradient() -> None:
    x = np.arange(12, dtype=np.float16).reshape(3, 4)
    mean, variance = run(tf.nn.weighted_moments(x, [0], np.ones((3, 1), np.float16)))
    assert mean.dtype == np.float16
    np.testing.assert_allclose(mean, x.mean(0))
    np.testing.assert_allclose(variance, x.var(0), rtol=1e-3)
    check_gradient(
        lambda t, w: tf.add_n(tf.nn.weighted_moments(t, [1], w)),
        np.random.RandomState(0).normal(size=(2, 3)),
        np.random.RandomState(1).rand(1, 3) + 0.5,
    )


def test_averages() -> None:
    nn = tf.nn
    assert run(nn.scale_regularization_loss(tf.constant([1.0, 2.0]))) == 3
    assert run(nn.compute_average_loss([1.0, 2.0, 6.0])) == 3
    assert run(nn.compute_average_loss([1.0, 2.0, 4.0], [1.0, 0.0, 2.0])) == 3
    assert run(nn.compute_average_loss([1.0, 2.0, 3.0], global_batch_size=6)) == 1
    assert run(nn.compute_average_loss([[1.0, 2.0], [4.0, 2.0]], [1.0, 0.5])) == 3
    unknown = tf.placeholder(tf.float64, [None])
    assert run(nn.compute_average_loss(unknown), {unknown: [1.0, 2.0]}) == 1.5


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_approximate_top_k(axis: int) -> None:
    x = np.random.RandomState(0).permutation(60).reshape(3, 4, 5).astype(np.float32)
    for function, order in ((tf.nn.approx_max_k, -x), (tf.nn.approx_min_k, x)):
        values, places = run(function(x, 2, reduction_dimension=axis))
        expected = np.argsort(order, axis, kind="stable").take([0, 1], axis)
        np.testing.assert_array_equal(places, expected)
        np.testing.assert_array_equal(values, np.take_along_axis(x, expected, axis))
    with pytest.raises(ValueError, match="recall_target"):
        tf.nn.approx_max_k(x, 2, recall_target=0.0)
    with pytest.raises(ValueError, match="reduction_dimension"):
        tf.nn.approx_max_k(x, 2, 3)


# ---- CTC


def ctc(logits: np.ndarray, label: list[int], blank: int) -> float:
    """-log of the sum over all paths that collapse to the label."""
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if [c for c, _ in itertools.groupby(path) if c != blank] == label:
            total += math.prod(p[t, c] for t, c in enumerate(path))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize(
    ("blank", "time_major"), [(None, True), (0, False), (2, True), (2, False), (-1, True)]
)
def test_ctc_loss_of_dense_labels(blank: int | None, time_major: bool) -> None:
    rs = np.random.RandomState(0)
    logits = rs.normal(size=(4, 3, 4))
    at = 0 if blank is None else blank % 4
    kinds = [c for c in range(4) if c != at]
    labels = np.array([[kinds[0], kinds[1]], [kinds[1], kinds[1]], [kinds[2], kinds[0]]])
    counts, steps = [2, 2, 1], [4, 3, 2]
    expected = [ctc(logits[: steps[i], i], labels[i, : counts[i]].tolist(), at) for i in range(3)]
    given_logits = logits if time_major else logits.transpose(1, 0, 2)
    unique = tf.nn.ctc_unique_labels(labels) if time_major else None
    loss = tf.nn.ctc_loss_v2(labels, given_logits, counts, steps, time_major, unique, blank)
    assert loss.shape == (3,)
    np.testing.assert_allclose(run(loss), expected)
    if blank == 2:
        check_gradient(
            lambda t: tf.nn.ctc_loss_v2(labels[:1], t, [2], [3], time_major, None, blank),
            (logits[:3, :1] if time_major else given_logits[:1, :3]).copy(),
        )


def test_ctc_loss_of_no_label_and_no_path() -> None:
    logits = np.random.RandomState(1).normal(size=(3, 2, 3))
    loss = run(tf.nn.ctc_loss_v2([[1, 1], [2, 1]], logits, [2, 0], [2, 3]))
    np.testing.assert_allclose(loss, [math.inf, ctc(logits[:, 1], [], 0)])
    unknown = tf.placeholder(tf.float64, [None, None, None])
    labels = tf.placeholder(tf.int64, [None, None])
    loss = tf.nn.ctc_loss_v2(labels, unknown, [1, 1], [3, 3], blank_index=-1)
    assert loss.shape.as_list() == [2]
    found = run(loss, {unknown: logits, labels: [[0], [1]]})
    np.testing.assert_allclose(found, [ctc(logits[:, i], [i], 2) for i in range(2)])
    for labels, counts in (([[3]], [1]), ([[0]], [1]), ([[1]], [2]), ([[-1]], [1])):
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(tf.nn.ctc_loss_v2(labels, logits[:, :1], counts, [3]))


def test_ctc_loss_v2_of_sparse_labels() -> None:
    logits = np.random.RandomState(2).normal(size=(4, 2, 4))
    sparse = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], tf.constant([0, 2, 3], tf.int32), [2, 2])
    loss = run(tf.nn.ctc_loss_v2(sparse, logits, None, [4, 3], blank_index=1))
    np.testing.assert_allclose(loss, [ctc(logits[:, 0], [0, 2], 1), ctc(logits[:3, 1], [3], 1)])
    with pytest.raises(ValueError, match="blank_index"):
        tf.nn.ctc_loss_v2(sparse, logits, None, [4, 3])


@given(st.integers(0, 99))
@settings(max_examples=4)
def test_collapse_repeated_and_unique_labels(seed: int) -> None:
    rs = np.random.RandomState(seed)
    labels, lengths = rs.randint(0, 3, size=(3, 6)), rs.randint(0, 7, size=3)
    rows = [
        [c for c, _ in itertools.groupby(row[:n].tolist())]
        for row, n in zip(labels, lengths, strict=True)
    ]
    most = max(map(len, rows))
    with tf.Graph().as_default():
        found, counts = run(tf.nn.collapse_repeated(labels, lengths))
        values, places = run(tf.nn.ctc_unique_labels(labels))
    assert found.tolist() == [row + [0] * (most - len(row)) for row in rows]
    assert counts.tolist() == [len(row) for row in rows] and counts.dtype == lengths.dtype
    for row, unique, at in zip(labels, values, places, strict=True):
        order = list(dict.fromkeys(row.tolist()))
        assert unique.tolist() == order + [0] * (6 - len(order))
        assert at.tolist() == [order.index(c) for c in row]


# ---- learning rates


def test_linear_cosine_decay() -> None:
    steps = np.array([0.0, 30.0, 100.0, 130.0])
    at = np.minimum(steps, 100) / 100
    for periods, alpha, beta in ((0.5, 0.0, 0.001), (2.0, 0.1, 0.2)):
        expected = 0.1 * ((alpha + 1 - at) * (1 + np.cos(2 * np.pi * periods * at)) / 2 + beta)
        rate = np.float64(0.1)
        found = run(
            [tf.train.linear_cosine_decay(rate, int(s), 100, periods, alpha, beta) for s in steps]
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_noisy_linear_cosine_decay() -> None:
    tf.set_random_seed(5)
    rate = tf.train.noisy_linear_cosine_decay(0.1, 30, 100)
    np.testing.assert_allclose(run(rate), 0.002752789, rtol=1e-5)  # of real TensorFlow
