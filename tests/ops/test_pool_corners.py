"""Pools of numbers without an order, explicit padding, images smaller than their windows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

NAN, INF = np.nan, np.inf
LOWEST = np.finfo(np.float32).min


def run(fetches: Any, feeds: Any = None) -> Any:
    with tf.Session() as session:
        return session.run(fetches, feeds)


def pairs_of(dims: Any, sizes: Any, strides: Any, padding: Any) -> list[tuple[int, int]]:
    if padding == "VALID":
        return [(0, 0)] * len(dims)
    if padding != "SAME":
        return [tuple(pair) for pair in padding]
    missing = [
        max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(dims, sizes, strides, strict=True)
    ]
    return [(n // 2, n - n // 2) for n in missing]


def counts_of(dims: Any, sizes: Any, strides: Any, padding: Any) -> list[int]:
    pairs = pairs_of(dims, sizes, strides, padding)
    return [
        max((n + sum(pair) - k) // s + 1, 0)
        for n, k, s, pair in zip(dims, sizes, strides, pairs, strict=True)
    ]


def windows(dims: Any, sizes: Any, strides: Any, padding: Any) -> Any:
    """(window, its places inside the image) of all windows."""
    pairs = pairs_of(dims, sizes, strides, padding)
    counts = counts_of(dims, sizes, strides, padding)
    for at in itertools.product(*map(range, counts)):
        starts = [i * s - pair[0] for i, s, pair in zip(at, strides, pairs, strict=True)]
        spans = [
            range(max(a, 0), min(a + k, n)) for a, k, n in zip(starts, sizes, dims, strict=True)
        ]
        yield at, list(itertools.product(*spans))


def images_by_hand(x: Any, sizes: Any, strides: Any, padding: Any, dy: Any) -> Any:
    """(maxima, argmax, gradient) of a max pool over images."""
    counts = counts_of(x.shape, sizes, strides, padding)
    y, best, dx = np.full(counts, LOWEST), np.zeros(counts, np.int64), np.zeros(x.shape)
    for at, places in windows(x.shape, sizes, strides, padding):
        chosen = places[0]
        for place in places:
            y[at] = x[place] if x[place] > y[at] else y[at]
            chosen = place if x[place] > x[chosen] else chosen
        best[at] = np.ravel_multi_index(chosen, x.shape)
        dx[chosen] += dy[at]
    return y, best, dx


SPECIAL = [NAN, -INF, INF, LOWEST, -1.0, 0.0, 2.0]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.data())
def test_max_pools_of_images_pass_over_nan(data: Any) -> None:
    tf.reset_default_graph()
    dims = [data.draw(st.integers(1, 2)), *(data.draw(st.integers(1, 5)) for _ in range(2)), 2]
    sizes = [1, *(data.draw(st.integers(1, 3)) for _ in range(2)), 1]
    strides = [1, *(data.draw(st.integers(1, 3)) for _ in range(2)), 1]
    explicit = [(0, 0), *((data.draw(st.integers(0, k - 1)), k - 1) for k in sizes[1:3]), (0, 0)]
    padding = data.draw(st.sampled_from(["SAME", "VALID", explicit]))
    seed = data.draw(st.integers(0, 1000))
    x = np.random.RandomState(seed).choice(SPECIAL, dims).astype(np.float32)
    given_x = tf.placeholder(tf.float32, [None] * 4)
    y = tf.nn.max_pool(given_x, sizes, strides, padding)
    dy = tf.range(1.0, tf.cast(tf.size(y), tf.float32) + 1.0)
    dy = tf.reshape(dy, tf.shape(y))
    fetches = [y, dy, tf.gradients(y, given_x, dy)[0]]
    if isinstance(padding, str):
        fetches += tf.nn.max_pool_with_argmax(given_x, sizes, strides, padding, Targmax=tf.int32)
    try:
        found = run(fetches, {given_x: x})
    except tf.errors.InvalidArgumentError:
        assert padding == "VALID"
        assert any(n - k <= -2 * s for n, k, s in zip(dims, sizes, strides, strict=True))
        return
    want_y, best, want_dx = images_by_hand(x, sizes, strides, padding, found[1])
    np.testing.assert_array_equal(found[0], want_y.astype(np.float32))
    np.testing.assert_array_equal(found[2], want_dx)
    if isinstance(padding, str):
        np.testing.assert_array_equal(found[3], x.ravel()[best.ravel()].reshape(best.shape))
        np.testing.assert_array_equal(found[4], best % x[0].size)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_windows_of_nothing_greater_give_the_lowest_finite_number(dtype: Any) -> None:
    x = np.reshape([NAN, NAN, -INF, NAN, -INF, -INF, 1.0, NAN], (1, 1, 8, 1))
    y = tf.nn.max_pool(tf.cast(tf.constant(x), dtype), [1, 1, 2, 1], [1, 1, 2, 1], "VALID")
    low = float(dtype.min)
    np.testing.assert_array_equal(run(tf.cast(y, tf.float64)).ravel(), [low, low, low, 1.0])


def test_max_pools_over_channels_keep_a_nan_that_comes_first() -> None:
    x = np.float32([[NAN, 1], [1, NAN], [-INF, -INF], [-INF, NAN], [3, 5]]).reshape(1, 1, 5, 2)
    y = tf.nn.max_pool(x, [1, 1, 1, 2], [1, 1, 1, 2], "SAME")
    np.testing.assert_array_equal(run(y).ravel(), [NAN, 1, -INF, -INF, 5])


def test_sequences_are_images_of_height_one() -> None:
    x = tf.constant(np.float32([NAN, 3, -INF, NAN, NAN, -INF]).reshape(1, 6, 1))
    y = tf.nn.max_pool1d(x, 2, 2, "VALID")
    gradient = tf.gradients(y, x, [[[1.0], [2.0], [3.0]]])[0]
    found = run([y, gradient])
    np.testing.assert_array_equal(found[0].ravel(), [3, LOWEST, LOWEST])
    np.testing.assert_array_equal(found[1].ravel(), [1, 0, 2, 0, 3, 0])


def volumes_by_hand(x: Any, y: Any, sizes: Any, strides: Any, padding: Any, dy: Any) -> Any:
    dx = np.zeros(x.shape)
    for at, places in windows(x.shape, sizes, strides, padding):
        for place in places:
            dx[place] += dy[at] * (abs(x[place] - y[at]) < np.float32(1e-5))
    return dx


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.data())
def test_gradients_over_volumes_go_to_all_that_equal_the_maximum(data: Any) -> None:
    tf.reset_default_graph()
    dims = [1, *(data.draw(st.integers(1, 5)) for _ in range(3)), 2]
    sizes = [1, *(data.draw(st.integers(1, 3)) for _ in range(3)), 1]
    strides = [1, *(data.draw(st.integers(1, k)) for k in sizes[1:4]), 1]
    padding = data.draw(st.sampled_from(["SAME", "VALID"]))
    if padding == "VALID":
        dims = [max(n, k) for n, k in zip(dims, sizes, strict=True)]
    near = [0.0, 0.0, 1.0, 1.0 + 5e-6, 1.0 - 2e-5, 2.0]
    x = np.random.RandomState(data.draw(st.integers(0, 1000))).choice(near, dims)
    x = x.astype(np.float32)
    given_x = tf.constant(x)
    y = tf.nn.max_pool3d(given_x, sizes, strides, padding)
    dy = tf.reshape(tf.range(1.0, y.shape.num_elements() + 1.0), y.shape)
    found = run([y, dy, tf.gradients(y, given_x, dy)[0]])
    want = np.full(y.shape, -INF)
    for at, places in windows(dims, sizes, strides, padding):
        want[at] = max(x[place] for place in places)
    np.testing.assert_array_equal(found[0], want)
    by_hand = volumes_by_hand(x, found[0], sizes, strides, padding, found[1])
    np.testing.assert_allclose(found[2], by_hand, rtol=1e-6)


def test_volumes_have_infinity_inside_and_the_lowest_number_at_their_border() -> None:
    x = np.full((1, 1, 1, 3, 1), -INF, np.float32)
    x[0, 0, 0, 1] = NAN
    inside = tf.nn.max_pool3d(x, [1, 1, 1, 3, 1], [1] * 5, "VALID")
    border = tf.nn.max_pool3d(x, [1, 1, 1, 3, 1], [1] * 5, "SAME")
    found = run([inside, border])
    np.testing.assert_array_equal(found[0].ravel(), [-INF])
    np.testing.assert_array_equal(found[1].ravel(), [LOWEST, -INF, LOWEST])


@pytest.mark.parametrize(
    ("size", "window", "stride", "at"),
    [(4, 1, 4, [1]), (4, 2, 4, [1]), (6, 1, 3, [1, 4]), (7, 1, 4, [1, 5]), (7, 1, 3, [0, 3, 6])],
)
def test_windows_over_volumes_that_leave_gaps_begin_late(
    size: int, window: int, stride: int, at: list[int]
) -> None:
    x = np.arange(1.0, size + 1).astype(np.float32)
    for pool, reduce in ((tf.nn.max_pool3d, np.max), (tf.nn.avg_pool3d, np.mean)):
        sizes, strides = [1, window, 1, 1, 1], [1, stride, 1, 1, 1]
        y = run(pool(x.reshape(1, size, 1, 1, 1), sizes, strides, "SAME"))
        assert y.ravel().tolist() == [reduce(x[i : i + window]) for i in at]


def test_second_gradients_take_the_first_that_equals_the_maximum() -> None:
    x = tf.constant(np.float32([[1, 2, 2], [NAN, 2, 1], [NAN] * 3]).reshape(1, 3, 3, 1))
    for pool, image, size in (
        (tf.nn.max_pool, x, [1, 1, 3, 1]),
        (tf.nn.max_pool3d, x[None], [1, 1, 1, 3, 1]),
    ):
        y = pool(image, size, [1] * len(size), "VALID")
        dy = tf.ones_like(y)
        dx = tf.gradients(y, image, dy)[0]
        ddx = tf.reshape(tf.range(1.0, 10.0), image.shape)
        second = tf.gradients(dx, dy, ddx)[0]
        assert run(second).ravel().tolist() == [2.0, 5.0, 0.0]


EXPLICIT = [[0, 0], [1, 0], [0, 1], [0, 0]]


def test_max_pools_take_explicit_padding() -> None:
    x = np.random.RandomState(0).standard_normal((1, 4, 4, 1)).astype(np.float32)
    image = tf.constant(x)
    for pool in (tf.nn.max_pool, tf.nn.max_pool2d, tf.nn.max_pool_v2):
        y = pool(image, 2, 2, EXPLICIT)
        assert y.shape.as_list() == [1, 2, 2, 1]
        dx = tf.gradients(y, image)[0]
        found = run([y, dx])
        want = images_by_hand(x, [1, 2, 2, 1], [1, 2, 2, 1], EXPLICIT, np.ones((1, 2, 2, 1)))
        np.testing.assert_array_equal(found[0], want[0].astype(np.float32))
        np.testing.assert_array_equal(found[1], want[2])
    last = tf.nn.max_pool(image, 2, 2, EXPLICIT)
    assert last.op.get_attr("explicit_paddings") == [0, 0, 1, 0, 0, 1, 0, 0]
    first = [EXPLICIT[0], EXPLICIT[3], EXPLICIT[1], EXPLICIT[2]]
    other = tf.nn.max_pool(tf.transpose(image, [0, 3, 1, 2]), 2, 2, first, data_format="NCHW")
    line = tf.nn.max_pool1d(image[0], 2, 2, [[0, 0], [1, 0], [0, 0]])
    windowed = tf.nn.pool(image, [2, 2], "MAX", EXPLICIT, strides=[2, 2])
    found = run([last, other, line, windowed])
    np.testing.assert_array_equal(found[1].transpose(0, 2, 3, 1), found[0])
    np.testing.assert_array_equal(found[3], found[0])
    want = [x[0, :, 0], x[0, :, 1:3].max(1)]
    np.testing.assert_array_equal(found[2], np.stack(want, 1))


def test_explicit_padding_is_checked() -> None:
    image = tf.zeros([1, 4, 4, 2])
    for pads, message in (
        ([[0, 0], [-1, 0], [0, 0], [0, 0]], "nonnegative"),
        ([[1, 0], [0, 0], [0, 0], [0, 0]], "batch or depth"),
        ([[0, 0], [0, 0], [0, 0], [0, 1]], "batch or depth"),
        ([[1, 0], [0, 0]], "size 4"),
        ([0, 0, 1, 0], "size 2"),
        ("EXPLICIT", "must be a list"),
    ):
        with pytest.raises(ValueError, match=message):
            tf.nn.max_pool(image, 2, 2, pads)
    wide = tf.nn.max_pool(image, 2, 2, [[0, 0], [2, 0], [0, 0], [0, 0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="less than the corresponding"):
        run(wide)
    with pytest.raises(TypeError, match="string"):
        tf.nn.avg_pool(image, 2, 2, EXPLICIT)
    y = tf.nn.max_pool(image, 2, 2, EXPLICIT)
    dy = tf.ones_like(y)
    with pytest.raises(ValueError, match="padding"):
        tf.gradients(tf.gradients(y, image, dy)[0], dy)


def test_windows_that_are_refused() -> None:
    image, volume = tf.zeros([2, 4, 4, 6]), tf.zeros([2, 4, 4, 4, 6])
    for pool, x, sizes, strides in (
        (tf.nn.max_pool, image, (2, 1, 1, 1), (1, 1, 1, 1)),
        (tf.nn.max_pool, image, (1, 1, 1, 1), (2, 1, 1, 1)),
        (tf.nn.max_pool, image, (1, 1, 1, 2), (1, 1, 1, 1)),
        (tf.nn.max_pool, image, (1, 1, 1, 4), (1, 1, 1, 4)),
        (tf.nn.max_pool, image, (1, 2, 2, 2), (1, 1, 1, 2)),
        (tf.nn.avg_pool, image, (1, 1, 1, 2), (1, 1, 1, 2)),
        (tf.nn.max_pool3d, volume, (1, 1, 1, 1, 2), (1, 1, 1, 1, 2)),
    ):
        y = pool(x, sizes, strides, "SAME")
        with pytest.raises(tf.errors.UnimplementedError):
            run(y)


def _pool_of(kind: str, x: Any, window: int, stride: int) -> Any:
    if kind.endswith("3d"):
        pool = tf.nn.max_pool3d if kind == "max3d" else tf.nn.avg_pool3d
        return pool(x[..., None], [1, window, 1, 1, 1], [1, stride, 1, 1, 1], "VALID")
    pool = {"max": tf.nn.max_pool, "avg": tf.nn.avg_pool}.get(kind)
    if pool is not None:
        return pool(x, [1, window, 1, 1], [1, stride, 1, 1], "VALID")
    if kind == "argmax":
        return tf.nn.max_pool_with_argmax(x, [1, window, 1, 1], [1, stride, 1, 1], "VALID")[0]
    strides = [1, stride, 1, 1]
    if kind == "conv":
        return tf.nn.conv2d(x, tf.ones([window, 1, 2, 3]), strides, "VALID")
    if kind == "conv3d":
        return tf.nn.conv3d(x[..., None], tf.ones([window, 1, 1, 1, 2]), [*strides, 1], "VALID")
    if kind == "depthwise":
        steps = [1, stride, stride, 1]
        return tf.nn.depthwise_conv2d(x, tf.ones([window, 1, 2, 2]), steps, "VALID")
    return tf.nn.dilation2d(x, tf.ones([window, 1, 2]), strides, [1] * 4, "VALID")


KINDS = ["max", "avg", "argmax", "max3d", "avg3d", "conv", "conv3d", "depthwise", "dilation"]


@pytest.mark.parametrize("kind", KINDS)
def test_fed_images_a_little_smaller_than_their_windows_have_none(kind: str) -> None:
    x = tf.placeholder(tf.float32, [2, None, 3, 2])
    fits = [(2, 3, 1), (2, 3, 2), (2, 5, 2), (1, 6, 3), (0, 2, 2)]
    for size, window, stride in fits:
        y = _pool_of(kind, x, window, stride)
        dx = tf.gradients(y, x)[0]
        found = run([y, dx], {x: np.ones((2, size, 3, 2), np.float32)})
        assert found[0].shape[:2] == (2, 0)
        np.testing.assert_array_equal(found[1], np.zeros((2, size, 3, 2)))
    y = _pool_of(kind, x, 6, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="would be negative"):
        run(y, {x: np.ones((2, 2, 3, 2), np.float32)})
    known = tf.zeros([2, 2, 3, 2])
    if kind != "dilation":
        with pytest.raises(ValueError, match="Negative dimension"):
            _pool_of(kind, known, 3, 1)
    else:
        assert _pool_of(kind, known, 3, 1).shape.as_list() == [2, 0, 3, 2]


def test_an_average_over_no_rows_has_a_gradient_of_no_rows() -> None:
    x = tf.placeholder(tf.float32, [2, None, 3, 2])
    y = tf.nn.avg_pool(x, 3, 2, "SAME")
    found = run([y, tf.gradients(y, x)[0]], {x: np.ones((2, 0, 3, 2), np.float32)})
    assert [v.shape for v in found] == [(2, 0, 2, 2), (2, 0, 3, 2)]
