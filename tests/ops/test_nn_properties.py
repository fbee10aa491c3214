"""`tf.nn` on random shapes, axes and attributes against numpy, window by window."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

FEW = settings(max_examples=8)
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
PADDING = st.sampled_from(["SAME", "VALID"])
SEEDS = st.integers(0, 99)
TOLERANCE = {np.float16: 2e-2, np.float32: 2e-5, np.float64: 1e-12}


def run(build: Any, *arrays: np.ndarray) -> Any:
    """What `build` gives for the arrays fed to placeholders of unknown extents."""
    with tf.Graph().as_default(), tf.Session() as session:
        fed = [tf.placeholder(a.dtype, [None] * a.ndim) for a in arrays]
        return session.run(build(*fed), dict(zip(fed, arrays, strict=True)))


def normal(seed: int, shape: Any, dtype: Any = np.float64) -> np.ndarray:
    return np.random.RandomState(seed).normal(size=tuple(shape)).astype(dtype)


def close(got: np.ndarray, want: np.ndarray, dtype: Any) -> None:
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


# ---- windows


def starts(size: int, window: int, stride: int, gap: int, padding: str) -> list[range]:
    """The places along one axis that each window covers, outside ones included."""
    reach = (window - 1) * gap + 1
    if padding == "VALID":
        return [range(s, s + reach, gap) for s in range(0, size - reach + 1, stride)]
    count = -(-size // stride)
    before = max((count - 1) * stride + reach - size, 0) // 2
    return [range(i * stride - before, i * stride - before + reach, gap) for i in range(count)]


def patches(x: np.ndarray, window: Any, strides: Any, gaps: Any, padding: str) -> np.ndarray:
    """[batch, *places, *window, channels], NaN where a window reaches outside `x`."""
    axes = [
        starts(d, k, s, g, padding)
        for d, k, s, g in zip(x.shape[1:-1], window, strides, gaps, strict=True)
    ]
    out = np.full((x.shape[0], *map(len, axes), *window, x.shape[-1]), np.nan)
    for place in np.ndindex(*map(len, axes)):
        for offset in np.ndindex(*window):
            at = [axes[a][i][o] for a, (i, o) in enumerate(zip(place, offset, strict=True))]
            if all(0 <= p < d for p, d in zip(at, x.shape[1:-1], strict=True)):
                out[(slice(None), *place, *offset)] = x[(slice(None), *at)]
    return out


@st.composite
def windows(draw: Any, count: int) -> tuple[Any, ...]:
    """Extents of an image, and window, strides and dilations that fit into it."""
    window = [draw(st.integers(1, 3)) for _ in range(count)]
    gaps = [draw(st.integers(1, 2)) for _ in range(count)]
    extents = [(k - 1) * g + 1 + draw(st.integers(0, 3)) for k, g in zip(window, gaps, strict=True)]
    return extents, window, [draw(st.integers(1, 3)) for _ in range(count)], gaps


@FEW
@given(at=windows(2), padding=PADDING, dtype=DTYPES, groups=st.integers(1, 2), seed=SEEDS)
def test_conv2d(at: Any, padding: str, dtype: Any, groups: int, seed: int) -> None:
    extents, window, strides, gaps = at
    x = normal(seed, (2, *extents, 2 * groups), dtype)
    f = normal(seed + 1, (*window, 2, 3 * groups), dtype)
    cut = np.nan_to_num(patches(x, window, strides, gaps, padding))
    want = np.concatenate(
        [
            np.einsum("nijhwc,hwco->nijo", a, b)
            for a, b in zip(
                np.split(cut, groups, -1), np.split(f.astype(np.float64), groups, -1), strict=True
            )
        ],
        axis=-1,
    )
    full = [1, *strides, 1], [1, *gaps, 1]
    close(
        run(lambda a, b: tf.nn.conv2d(a, b, full[0], padding, dilations=full[1]), x, f), want, dtype
    )
    first = np.transpose(x, (0, 3, 1, 2))
    moved = [[1, 1, *strides], [1, 1, *gaps]]
    got = run(
        lambda a, b: tf.nn.conv2d(a, b, moved[0], padding, data_format="NCHW", dilations=moved[1]),
        first,
        f,
    )
    close(np.transpose(got, (0, 2, 3, 1)), want, dtype)


@pytest.mark.parametrize("count", [1, 3])
@FEW
@given(data=st.data(), padding=PADDING, seed=SEEDS)
def test_convolution_over_one_and_three_axes(
    count: int, data: Any, padding: str, seed: int
) -> None:
    extents, window, strides, gaps = data.draw(windows(count))
    if count == 3:
        gaps = [1, 1, 1]
        extents = [max(d, k) for d, k in zip(extents, window, strict=True)]
    elif max(strides) > 1:
        gaps = [1]
    x, f = normal(seed, (2, *extents, 2)), normal(seed + 1, (*window, 2, 3))
    cut = np.nan_to_num(patches(x, window, strides, gaps, padding))
    want = np.tensordot(cut, f, axes=count + 1)
    got = run(
        lambda a, b: tf.nn.convolution(tf.ensure_shape(a, x.shape), b, padding, strides, gaps),
        x,
        f,
    )
    close(got, want, np.float64)


@FEW
@given(at=windows(2), padding=PADDING, times=st.integers(1, 2), seed=SEEDS)
def test_depthwise_conv2d(at: Any, padding: str, times: int, seed: int) -> None:
    extents, window, strides, gaps = at
    strides = [1, 1] if max(gaps) > 1 else [strides[0]] * 2
    x, f = normal(seed, (1, *extents, 3)), normal(seed + 1, (*window, 3, times))
    cut = np.nan_to_num(patches(x, window, strides, gaps, padding))
    want = np.einsum("nijhwc,hwcm->nijcm", cut, f)
    full = [1, *strides, 1]
    got = run(lambda a, b: tf.nn.depthwise_conv2d(a, b, full, padding, gaps), x, f)
    close(got, want.reshape(*want.shape[:3], -1), np.float64)


@FEW
@given(at=windows(2), padding=PADDING, seed=SEEDS)
def test_dilation2d(at: Any, padding: str, seed: int) -> None:
    extents, window, strides, gaps = at
    x, f = normal(seed, (1, *extents, 2)), normal(seed + 1, (*window, 2))
    cut = patches(x, window, strides, gaps, padding) + f
    want = np.nanmax(cut, axis=(3, 4))
    full = [1, *strides, 1], [1, *gaps, 1]
    close(run(lambda a, b: tf.nn.dilation2d(a, b, *full, padding), x, f), want, np.float64)


@pytest.mark.parametrize("kind", ["MAX", "AVG"])
@FEW
@given(data=st.data(), count=st.integers(1, 3), padding=PADDING, seed=SEEDS)
def test_pools(kind: str, data: Any, count: int, padding: str, seed: int) -> None:
    extents, window, strides, _ = data.draw(windows(count))
    strides = [min(s, k) for s, k in zip(strides, window, strict=True)]
    x = normal(seed, (2, *extents, 2))
    cut = patches(x, window, strides, [1] * count, padding)
    axes = tuple(range(1 + count, 1 + 2 * count))
    want = (np.nanmax if kind == "MAX" else np.nanmean)(cut, axis=axes)
    close(run(lambda a: tf.nn.pool(a, window, kind, padding, strides=strides), x), want, np.float64)


@FEW
@given(at=windows(2), padding=PADDING, whole=st.booleans(), seed=SEEDS)
def test_max_pool_with_argmax(at: Any, padding: str, whole: bool, seed: int) -> None:
    extents, window, strides, _ = at
    x = normal(seed, (2, *extents, 2))
    full = [1, *window, 1], [1, *strides, 1]
    largest, where = run(
        lambda a: tf.nn.max_pool_with_argmax(a, *full, padding, include_batch_in_index=whole), x
    )
    cut = patches(x, window, strides, [1, 1], padding)
    np.testing.assert_array_equal(largest, np.nanmax(cut, axis=(3, 4)))
    flat = x.reshape(-1) if whole else x.reshape(2, -1)
    for n, values in enumerate(zip(largest, where, strict=True)):
        chosen = (flat if whole else flat[n])[values[1]]
        np.testing.assert_array_equal(chosen, values[0])


# ---- along an axis


@FEW
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    data=st.data(),
    dtype=DTYPES,
    seed=SEEDS,
)
def test_softmax_and_moments(shape: list[int], data: Any, dtype: Any, seed: int) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    keep = data.draw(st.booleans())
    x = normal(seed, shape, dtype) * dtype(3)
    wide = x.astype(np.float64)
    moved = np.exp(wide - wide.max(axis, keepdims=True))
    share = moved / moved.sum(axis, keepdims=True)
    soft, logs, (mean, variance) = run(
        lambda a: [
            tf.nn.softmax(a, axis),
            tf.nn.log_softmax(a, axis),
            tf.nn.moments(a, [axis], keep_dims=keep),
        ],
        x,
    )
    close(soft, share, dtype)
    np.testing.assert_allclose(logs, np.log(share), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    close(mean, wide.mean(axis, keepdims=keep), dtype)
    np.testing.assert_allclose(
        variance, wide.var(axis, keepdims=keep), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
    )


@FEW
@given(
    rows=st.lists(st.integers(1, 3), max_size=2),
    classes=st.integers(1, 5),
    index=st.sampled_from([np.int32, np.int64]),
    seed=SEEDS,
)
def test_cross_entropies(rows: list[int], classes: int, index: Any, seed: int) -> None:
    rs = np.random.RandomState(seed)
    logits, labels = rs.normal(size=(*rows, classes)), rs.uniform(size=(*rows, classes))
    chosen = rs.randint(0, classes, rows).astype(index)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    dense, sparse, each, weighted = run(
        lambda a, b, c: [
            tf.nn.softmax_cross_entropy_with_logits_v2(labels=b, logits=a),
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=c, logits=a),
            tf.nn.sigmoid_cross_entropy_with_logits(labels=b, logits=a),
            tf.nn.weighted_cross_entropy_with_logits(b, a, 2.0),
        ],
        logits,
        labels,
        chosen,
    )
    close(dense, -(labels * logs).sum(-1), np.float64)
    close(sparse, -np.take_along_axis(logs, chosen[..., None].astype(int), -1)[..., 0], np.float64)
    yes, no = np.log1p(np.exp(-logits)), np.log1p(np.exp(logits))
    close(each, labels * yes + (1 - labels) * no, np.float64)
    close(weighted, 2 * labels * yes + (1 - labels) * no, np.float64)


@FEW
@given(shape=st.lists(st.integers(1, 4), max_size=2), k=st.integers(0, 6), seed=SEEDS)
def test_top_k(shape: list[int], k: int, seed: int) -> None:
    x = np.random.RandomState(seed).randint(0, 4, (*shape, 6)).astype(np.float32)  # with ties
    values, where = run(lambda a: tf.nn.top_k(a, k), x)
    order = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    np.testing.assert_array_equal(where, order)
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, -1))
    if shape:
        rows, targets = x.reshape(-1, 6), np.arange(int(np.prod(shape))) % 6
        inside = run(lambda a, b: tf.nn.in_top_k(a, b, k), rows, targets.astype(np.int32))
        above = (rows > rows[np.arange(len(rows)), targets][:, None]).sum(1)
        np.testing.assert_array_equal(inside, above < k)


@FEW
@given(parts=st.integers(1, 3), strategy=st.sampled_from(["mod", "div"]), seed=SEEDS)
def test_embedding_lookup(parts: int, strategy: str, seed: int) -> None:
    rs = np.random.RandomState(seed)
    table = rs.normal(size=(7, 2))
    rows = np.arange(7)
    if strategy == "mod":
        shards = [table[rows % parts == i] for i in range(parts)]
    else:
        shards = np.array_split(table, parts)  # longer parts first, as `div` has them
    ids = rs.randint(0, 7, (2, 3))
    got = run(
        lambda i, *p: tf.nn.embedding_lookup(list(p), i, partition_strategy=strategy), ids, *shards
    )
    np.testing.assert_array_equal(got, table[ids])


@FEW
@given(
    kind=st.sampled_from(["add", "sub", "mul", "div", "min", "max", "update"]),
    rows=st.lists(st.integers(0, 3), max_size=5),
    seed=SEEDS,
)
def test_scatter_updates(kind: str, rows: list[int], seed: int) -> None:
    rows = list(dict.fromkeys(rows)) if kind == "update" else rows
    start, updates = normal(seed, (4, 2)), np.abs(normal(seed + 1, (len(rows), 2))) + 0.5
    want = start.copy()
    functions = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
        "min": np.minimum, "max": np.maximum, "update": lambda _, u: u,
    }  # fmt: skip
    for row, update in zip(rows, updates, strict=True):
        want[row] = functions[kind](want[row], update)
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(start)
        changed = getattr(tf, f"scatter_{kind}")(v, np.array(rows, np.int32), updates)
        session.run(v.initializer)
        np.testing.assert_allclose(session.run(changed), want)
        np.testing.assert_allclose(session.run(v), want)


@FEW
@given(
    norm=st.floats(0.1, 3.0),
    shapes=st.lists(st.lists(st.integers(1, 3), max_size=3), min_size=1, max_size=3),
    seed=SEEDS,
)
def test_clip_by_norms(norm: float, shapes: list[list[int]], seed: int) -> None:
    arrays = [normal(seed + i, shape) for i, shape in enumerate(shapes)]
    length = np.sqrt(sum((a**2).sum() for a in arrays))
    clipped, found = run(lambda *ts: tf.clip_by_global_norm(list(ts), norm), *arrays)
    assert found == pytest.approx(length)
    for a, got in zip(arrays, clipped, strict=True):
        np.testing.assert_allclose(got, a * min(1.0, norm / length))
    one = run(lambda t: tf.clip_by_norm(t, norm), arrays[0])
    own = np.sqrt((arrays[0] ** 2).sum())
    np.testing.assert_allclose(one, arrays[0] * min(1.0, norm / own))


@FEW
@given(steps=st.integers(0, 4), width=st.integers(1, 3), back=st.booleans(), seed=SEEDS)
def test_scan_and_folds(steps: int, width: int, back: bool, seed: int) -> None:
    x, start = normal(seed, (steps, width)), normal(seed + 1, (width,))
    want, states = start, []
    for row in x[::-1] if back else x:
        want = 0.5 * want + row
        states.append(want)
    if back:
        states.reverse()
    fold = tf.foldr if back else tf.foldl
    folded, scanned, mapped = run(
        lambda a, b: [
            fold(lambda s, r: 0.5 * s + r, a, initializer=b),
            tf.scan(lambda s, r: 0.5 * s + r, a, initializer=b, reverse=back),
            tf.map_fn(lambda r: tf.reduce_sum(r) * b, a),
        ],
        x,
        start,
    )
    np.testing.assert_allclose(folded, want)
    np.testing.assert_allclose(scanned, np.array(states).reshape(steps, width))
    np.testing.assert_allclose(mapped, x.sum(1)[:, None] * start)


def test_the_window_helper_knows_both_paddings() -> None:
    """The reference itself, on places that are easy to count."""
    assert [list(r) for r in starts(5, 3, 2, 1, "SAME")] == [[-1, 0, 1], [1, 2, 3], [3, 4, 5]]
    assert [list(r) for r in starts(6, 2, 3, 2, "VALID")] == [[0, 2], [3, 5]]
    assert all(len(r) == 2 for r in itertools.chain(starts(4, 2, 1, 1, "SAME")))
