"""Arithmetic, reductions, running sums, segments and products of matrices against numpy, for random
shapes, dtypes and axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.evaluate import evaluate

FLOATS = ("float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
CHECK = settings(max_examples=15)
SEED = st.integers(0, 10**6)
SHAPE = st.lists(st.integers(0, 4), max_size=4)


def drawn(shape: list[int], dtype: str, seed: int) -> np.ndarray:
    """Small numbers of `dtype`, none of them 0."""
    r = np.random.RandomState(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.asarray(r.rand(*shape) > 0.5)
    if kind in "iu":
        values = r.randint(1, 9, shape)
        return np.asarray(values if kind == "u" else values * r.choice([-1, 1], shape), dtype)
    values = r.uniform(0.5, 3, shape) * r.choice([-1, 1], shape)
    if kind == "c":
        values = values + 1j * r.uniform(0.5, 3, shape)
    return np.asarray(values, dtype)


def computed(build: Callable[..., Any], *arrays: Any, unknown: bool = False) -> Any:
    """What `build` gives for these arrays as placeholders, of unknown shape if wanted."""
    with tf.Graph().as_default():
        fed = [tf.placeholder(np.asarray(a).dtype, None if unknown else a.shape) for a in arrays]
        made = build(*fed)
        several = isinstance(made, (list, tuple))
        found = evaluate(list(made) if several else [made], dict(zip(fed, arrays, strict=True)))
        for tensor, value in zip(made if several else [made], found, strict=True):
            assert tensor.get_shape().is_compatible_with(value.shape)
            assert tensor.dtype.as_numpy_dtype == value.dtype
        return found if several else found[0]


def agrees(found: np.ndarray, expected: Any) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    if found.dtype.kind in "fc":
        near = 1e-5 if np.finfo(found.dtype).bits == 32 else 1e-12
        np.testing.assert_allclose(found, expected, rtol=near, atol=near)
    else:
        np.testing.assert_array_equal(found, expected)


@st.composite
def broadcast_pair(draw: Any) -> tuple[list[int], list[int]]:
    """Two shapes that broadcast to one."""
    whole = draw(SHAPE)
    pair = []
    for _ in range(2):
        dims = [draw(st.sampled_from([1, d])) for d in whole]
        pair.append(dims[draw(st.integers(0, len(dims))) :])
    return pair[0], pair[1]


BINARY = {
    "add": (tf.add, np.add), "subtract": (tf.subtract, np.subtract),
    "multiply": (tf.multiply, np.multiply), "maximum": (tf.maximum, np.maximum),
    "minimum": (tf.minimum, np.minimum), "floordiv": (tf.floordiv, np.floor_divide),
    "mod": (tf.floormod, np.mod), "less": (tf.less, np.less),
    "greater_equal": (tf.greater_equal, np.greater_equal), "equal": (tf.equal, np.equal),
    "truncatemod": (tf.truncatemod, np.fmod),
    "squared_difference": (tf.squared_difference, lambda x, y: (x - y) * (x - y)),
}  # fmt: skip
WIDE = (*FLOATS, "int32", "int64")
ONLY_OF_SOME = {"squared_difference": WIDE, "truncatemod": WIDE}


@pytest.mark.parametrize("name", BINARY)
@given(shapes=broadcast_pair(), data=st.data(), unknown=st.booleans(), seed=SEED)
@CHECK
def test_two_operands(name: str, shapes: Any, data: Any, unknown: bool, seed: int) -> None:
    ours, numpys = BINARY[name]
    dtypes = ONLY_OF_SOME.get(name, (*FLOATS, *SIGNED, *UNSIGNED))
    dtype = data.draw(st.sampled_from(dtypes))
    x, y = drawn(shapes[0], dtype, seed), drawn(shapes[1], dtype, seed + 1)
    agrees(computed(ours, x, y, unknown=unknown), numpys(x, y))


@given(dtype=st.sampled_from(SIGNED + UNSIGNED), seed=SEED)
@CHECK
def test_division_of_integers(dtype: str, seed: int) -> None:
    limits, r = np.iinfo(dtype), np.random.RandomState(seed)
    x = r.randint(limits.min, limits.max, 20, dtype=np.dtype(dtype).name)
    y = drawn([20], dtype, seed)
    quotient, floored, modulo = computed(lambda a, b: (tf.truncatediv(a, b), a // b, a % b), x, y)
    np.testing.assert_array_equal(floored, x // y)
    np.testing.assert_array_equal(modulo, x % y)
    pairs = zip(x, y, strict=True)
    exact = [abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in pairs]
    np.testing.assert_array_equal(quotient, np.array(exact, object).astype(dtype))


@given(shape=SHAPE, source=st.sampled_from((*FLOATS, *SIGNED, *UNSIGNED, "bool")),
       target=st.sampled_from((*FLOATS, *SIGNED, *UNSIGNED, "bool")), seed=SEED)  # fmt: skip
@CHECK
def test_casts(shape: list[int], source: str, target: str, seed: int) -> None:
    x = np.abs(drawn(shape, source, seed)) if target in UNSIGNED else drawn(shape, source, seed)
    agrees(computed(lambda a: tf.cast(a, target), x), x.astype(target))


@given(dtype=st.sampled_from(SIGNED), target=st.sampled_from(SIGNED + UNSIGNED), seed=SEED)
@CHECK
def test_saturating_casts(dtype: str, target: str, seed: int) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = np.random.RandomState(seed).randint(low, high, 20, dtype=np.dtype(dtype).name)
    x[:2] = low, high
    limits = np.iinfo(target)
    expected = np.array([min(max(int(v), limits.min), limits.max) for v in x], object)
    agrees(computed(lambda a: tf.saturate_cast(a, target), x), expected.astype(target))


@st.composite
def shape_and_axes(draw: Any) -> tuple[list[int], Any]:
    """A shape, and axes of it as an int, a list in which some count from the end, or None."""
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    rank = len(shape)
    axes = draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank))
    signed = [a - rank if draw(st.booleans()) else a for a in axes]
    how = draw(st.sampled_from(("all", "one", "list")))
    return shape, None if how == "all" else signed[0] if how == "one" and signed else signed


REDUCTIONS = {
    "sum": (tf.reduce_sum, lambda x, **k: x.sum(dtype=x.dtype, **k)),
    "prod": (tf.reduce_prod, lambda x, **k: x.prod(dtype=x.dtype, **k)),
    "max": (tf.reduce_max, lambda x, **k: x.max(initial=_least(x), **k)),
    "min": (tf.reduce_min, lambda x, **k: x.min(initial=_greatest(x), **k)),
    "euclidean": (tf.math.reduce_euclidean_norm, lambda x, **k: np.sqrt((x * x).sum(**k))),
}  # fmt: skip


def _least(x: np.ndarray) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _greatest(x: np.ndarray) -> Any:
    return np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max


@pytest.mark.parametrize("name", REDUCTIONS)
@given(case=shape_and_axes(), data=st.data(), keep=st.booleans(), unknown=st.booleans(), seed=SEED)
@CHECK
def test_reductions(name: str, case: Any, data: Any, keep: bool, unknown: bool, seed: int) -> None:
    ours, numpys = REDUCTIONS[name]
    shape, axes = case
    dtype = data.draw(st.sampled_from(FLOATS if name == "euclidean" else (*FLOATS, *SIGNED)))
    x = drawn(shape, dtype, seed)
    along = tuple(axes) if isinstance(axes, list) else axes
    expected = numpys(x, axis=along, keepdims=keep)
    agrees(computed(lambda a: ours(a, axes, keep), x, unknown=unknown), expected)


@given(
    case=shape_and_axes(), dtype=st.sampled_from((*FLOATS, *SIGNED)), keep=st.booleans(), seed=SEED
)
@CHECK
def test_means(case: Any, dtype: str, keep: bool, seed: int) -> None:
    """Of integers, the exact sum divided and truncated."""
    shape, axes = case
    along = tuple(axes) if isinstance(axes, list) else axes
    x = drawn([d + 1 for d in shape], dtype, seed) * np.array(15, dtype)
    if x.dtype.kind == "f":
        expected = x.mean(axis=along, keepdims=keep)
    else:
        total = x.astype(np.int64).sum(axis=along, keepdims=keep)
        expected = np.trunc(total / (x.size / max(total.size, 1))).astype(dtype)
    agrees(computed(lambda a: tf.reduce_mean(a, axes, keep), x), expected)


@given(case=shape_and_axes(), keep=st.booleans(), unknown=st.booleans(), seed=SEED)
@CHECK
def test_logical_reductions_and_counts(case: Any, keep: bool, unknown: bool, seed: int) -> None:
    shape, axes = case
    along = tuple(axes) if isinstance(axes, list) else axes
    x = drawn(shape, "bool", seed)
    found = computed(
        lambda a: (tf.reduce_all(a, axes, keep), tf.reduce_any(a, axes, keep),
                   tf.count_nonzero(a, axes, keep)),
        x, unknown=unknown,
    )  # fmt: skip
    for value, function in zip(found, (np.all, np.any, np.sum), strict=True):
        agrees(value, function(x, axis=along, keepdims=keep))


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), data=st.data(),
       dtype=st.sampled_from((*FLOATS, *SIGNED, *UNSIGNED)), seed=SEED)  # fmt: skip
@CHECK
def test_places_of_extremes(shape: list[int], data: Any, dtype: str, seed: int) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = drawn(shape, dtype, seed)
    most, least = computed(
        lambda a: (tf.argmax(a, axis), tf.argmin(a, axis, output_type=tf.int32)), x
    )
    agrees(most, x.argmax(axis))
    agrees(least, x.argmin(axis))


@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=3), data=st.data(),
       exclusive=st.booleans(), reverse=st.booleans(), seed=SEED)  # fmt: skip
@CHECK
def test_running_sums(
    shape: list[int], data: Any, exclusive: bool, reverse: bool, seed: int
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = drawn(shape, data.draw(st.sampled_from(("float64", "int32", "uint8"))), seed)

    def running(function: Any, neutral: int) -> np.ndarray:
        y = np.flip(x, axis) if reverse else x
        result = function(y, axis=axis, dtype=x.dtype)
        if exclusive:
            result = np.roll(result, 1, axis)
            result[tuple(slice(0, 1) if i == axis % x.ndim else slice(None)
                         for i in range(x.ndim))] = neutral  # fmt: skip
        return np.flip(result, axis) if reverse else result

    total, product = computed(
        lambda a: (tf.cumsum(a, axis, exclusive, reverse), tf.cumprod(a, axis, exclusive, reverse)),
        x,
    )
    agrees(total, running(np.cumsum, 0))
    agrees(product, running(np.cumprod, 1))


SEGMENTS = {"sum": (np.sum, 0), "prod": (np.prod, 1), "max": (np.max, None), "min": (np.min, None)}


@pytest.mark.parametrize("kind", SEGMENTS)
@given(count=st.integers(1, 6), row=st.lists(st.integers(1, 3), max_size=2),
       dtype=st.sampled_from(("float64", "int32")), seed=SEED)  # fmt: skip
@CHECK
def test_segments(kind: str, count: int, row: list[int], dtype: str, seed: int) -> None:
    x, r = drawn([count, *row], dtype, seed), np.random.RandomState(seed)
    function, neutral = SEGMENTS[kind]
    ids = np.sort(r.randint(0, 4, count)).astype(np.int32)
    mixed = r.randint(-1, 4, count).astype(np.int32)
    found = computed(
        lambda a, i, j: (getattr(tf, f"segment_{kind}")(a, i),
                         getattr(tf, f"unsorted_segment_{kind}")(a, j, 4)),
        x, ids, mixed,
    )  # fmt: skip
    missing = {"sum": 0, "prod": 1, "max": 0, "min": 0}[kind]
    limits = (np.finfo if dtype == "float64" else np.iinfo)(dtype)
    empty = neutral if neutral is not None else limits.min if kind == "max" else limits.max
    for value, at, default in ((found[0], ids, missing), (found[1], mixed, empty)):
        for segment in range(len(value)):
            rows = x[at == segment]
            expected = function(rows, axis=0) if len(rows) else np.full(row, default, dtype)
            agrees(value[segment], expected)


@given(m=st.integers(0, 4), k=st.integers(0, 4), n=st.integers(0, 4),
       batches=broadcast_pair(), turned=st.tuples(st.booleans(), st.booleans()),
       dtype=st.sampled_from((*FLOATS, "int32", "complex128")), seed=SEED)  # fmt: skip
@CHECK
def test_products_of_matrices(
    m: int, k: int, n: int, batches: Any, turned: Any, dtype: str, seed: int
) -> None:
    left, right = batches
    x = drawn([*left, *((k, m) if turned[0] else (m, k))], dtype, seed)
    y = drawn([*right, *((n, k) if turned[1] else (k, n))], dtype, seed + 1)
    a = np.swapaxes(x, -1, -2) if turned[0] else x
    b = np.conj(np.swapaxes(y, -1, -2)) if turned[1] else y
    found = computed(lambda p, q: tf.matmul(p, q, transpose_a=turned[0], adjoint_b=turned[1]), x, y)
    assert found.shape == np.matmul(a, b).shape
    np.testing.assert_allclose(found, np.matmul(a, b), rtol=1e-4, atol=1e-4)


@given(dtype=st.sampled_from(SIGNED + UNSIGNED), shapes=broadcast_pair(), seed=SEED)
@CHECK
def test_bits(dtype: str, shapes: Any, seed: int) -> None:
    x, y = drawn(shapes[0], dtype, seed), np.abs(drawn(shapes[1], dtype, seed + 1))
    y = np.minimum(y, np.array(7, dtype))
    b = tf.bitwise
    found = computed(
        lambda p, q: (b.bitwise_and(p, q), b.bitwise_or(p, q), b.bitwise_xor(p, q),
                      b.left_shift(p, q), b.right_shift(p, q), b.invert(p)),
        x, y,
    )  # fmt: skip
    expected = (x & y, x | y, x ^ y, np.left_shift(x, y), np.right_shift(x, y), ~x)
    for value, want in zip(found, expected, strict=True):
        agrees(value, want)
