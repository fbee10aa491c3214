"""Ops that move elements against numpy, for random shapes, axes, indices and slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.test_properties_math import SEED, agrees, computed, drawn

CHECK = settings(max_examples=15)
DIMS = st.lists(st.integers(0, 4), min_size=1, max_size=4)
FULL = st.lists(st.integers(1, 4), min_size=1, max_size=3)
DTYPE = st.sampled_from(("float32", "int8", "int64", "bool", "complex64"))


@st.composite
def indexed(draw: Any) -> tuple[list[int], tuple[Any, ...]]:
    """A shape and what may stand between brackets: numbers, slices, an ellipsis, new axes."""
    shape = draw(DIMS)
    spec: list[Any] = []
    for extent in shape[: draw(st.integers(0, len(shape)))]:
        bound = st.none() | st.integers(-extent - 2, extent + 2)
        step = st.none() | st.sampled_from((1, 2, -1, -2, 3))
        if extent and draw(st.booleans()):
            spec.append(draw(st.integers(-extent, extent - 1)))
        else:
            spec.append(slice(draw(bound), draw(bound), draw(step)))
    if draw(st.booleans()):
        spec.insert(draw(st.integers(0, len(spec))), None)
    if draw(st.booleans()):  # at the end, so that each slice keeps its axis
        spec.append(...)
    return shape, tuple(spec)


@CHECK
@given(case=indexed(), dtype=DTYPE, unknown=st.booleans(), seed=SEED)
def test_slices(case: Any, dtype: str, unknown: bool, seed: int) -> None:
    shape, spec = case
    x = drawn(shape, dtype, seed)
    agrees(computed(lambda a: a[spec], x, unknown=unknown), x[spec])


@CHECK
@given(case=indexed(), seed=SEED)
def test_gradients_of_slices(case: Any, seed: int) -> None:
    shape, spec = case
    x = drawn(shape, "float64", seed)
    expected = np.zeros_like(x)
    expected[spec] = 2 * x[spec]
    agrees(computed(lambda a: tf.gradients(tf.square(a[spec]), a)[0], x), expected)


@settings(max_examples=4)  # each compiles
@given(case=indexed(), seed=SEED)
def test_assigned_slices(case: Any, seed: int) -> None:
    shape, spec = case
    spec = tuple(s for s in spec if s is not None)
    x = drawn(shape, "int32", seed)
    value = drawn(list(x[spec].shape), "int32", seed + 1)
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.Variable(x)
        session.run(variable.initializer)
        session.run(variable[spec].assign(value))
        found = session.run(variable)
    x[spec] = value
    agrees(found, x)


@CHECK
@given(shape=DIMS, data=st.data(), dtype=DTYPE, unknown=st.booleans(), seed=SEED)
def test_orders(shape: list[int], data: Any, dtype: str, unknown: bool, seed: int) -> None:
    x = drawn(shape, dtype, seed)
    order = data.draw(st.permutations(range(len(shape))))
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    shift = data.draw(st.integers(-5, 5))
    found = computed(
        lambda a: (tf.transpose(a, order), tf.transpose(a), tf.reverse(a, np.array(axes, np.int32)),
                   tf.roll(a, shift, order[0])),
        x, unknown=unknown,
    )  # fmt: skip
    expected = (x.transpose(order), x.T, np.flip(x, axes), np.roll(x, shift, order[0]))
    for value, want in zip(found, expected, strict=True):
        agrees(value, want)


@CHECK
@given(shape=DIMS, data=st.data(), dtype=DTYPE, seed=SEED)
def test_joined_and_split(shape: list[int], data: Any, dtype: str, seed: int) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shape[axis] = sum(sizes)
    x = drawn(shape, dtype, seed)
    cuts = np.cumsum(sizes)[:-1]
    parts = computed(lambda a: tf.split(a, sizes, axis), x)
    for value, want in zip(parts, np.split(x, cuts, axis), strict=True):
        agrees(value, want)
    joined = computed(lambda *a: tf.concat(list(a), axis), *np.split(x, cuts, axis))
    agrees(joined, x)
    stacked, taken = computed(lambda a: (tf.stack([a, a], axis), tf.stack(tf.unstack(a, axis=axis),
                              axis=axis) if sum(sizes) else a), x)  # fmt: skip
    at = axis + len(shape) + 1 if axis < 0 else axis
    agrees(stacked, np.stack([x, x], at))
    agrees(taken, x)


@CHECK
@given(shape=FULL, data=st.data(), mode=st.sampled_from(("CONSTANT", "REFLECT", "SYMMETRIC")),
       unknown=st.booleans(), seed=SEED)  # fmt: skip
def test_pads_and_tiles(shape: list[int], data: Any, mode: str, unknown: bool, seed: int) -> None:
    x = drawn(shape, "float32", seed)
    most = [{"CONSTANT": 3, "REFLECT": d - 1, "SYMMETRIC": d}[mode] for d in shape]
    ends = [(data.draw(st.integers(0, m)), data.draw(st.integers(0, m))) for m in most]
    times = [data.draw(st.integers(0, 3)) for _ in shape]
    padded, tiled = computed(
        lambda a: (tf.pad(a, ends, mode), tf.tile(a, times)), x, unknown=unknown
    )
    agrees(padded, np.pad(x, ends, mode.lower()))
    agrees(tiled, np.tile(x, times))


@CHECK
@given(shape=FULL, data=st.data(), dtype=DTYPE, seed=SEED)
def test_gathers(shape: list[int], data: Any, dtype: str, seed: int) -> None:
    x, r = drawn(shape, dtype, seed), np.random.RandomState(seed)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    where = r.randint(0, shape[axis], data.draw(st.lists(st.integers(0, 3), max_size=2)))
    depth = data.draw(st.integers(0, len(shape)))
    places = np.stack([r.randint(0, d, 3) for d in shape[:depth]], 1) if depth else np.zeros((3, 0))
    taken, picked = computed(
        lambda a, i, j: (tf.gather(a, i, axis=axis), tf.gather_nd(a, j)),
        x, np.asarray(where, np.int32), np.asarray(places, np.int64),
    )  # fmt: skip
    agrees(taken, np.take(x, where, axis))
    agrees(picked, np.stack([x[tuple(int(k) for k in p)] for p in places]))


@CHECK
@given(shape=FULL, data=st.data(), kind=st.sampled_from(("update", "add", "sub")), seed=SEED)
def test_scatters(shape: list[int], data: Any, kind: str, seed: int) -> None:
    x, r = drawn(shape, "int32", seed), np.random.RandomState(seed)
    depth = data.draw(st.integers(1, len(shape)))
    rows = sorted({tuple(int(r.randint(0, d)) for d in shape[:depth]) for _ in range(3)})
    updates = drawn([len(rows), *shape[depth:]], "int32", seed + 1)
    places = np.array(rows, np.int32)
    scatter = getattr(tf, f"tensor_scatter_{kind}")
    changed, fresh = computed(
        lambda a, i, u: (scatter(a, i, u), tf.scatter_nd(i, u, shape)), x, places, updates
    )
    expected, zeros = x.copy(), np.zeros_like(x)
    for place, update in zip(rows, updates, strict=True):
        old = expected[place]
        expected[place] = {"update": update, "add": old + update, "sub": old - update}[kind]
        zeros[place] = update
    agrees(changed, expected)
    agrees(fresh, zeros)


@CHECK
@given(shape=FULL, data=st.data(), descending=st.booleans(),
       dtype=st.sampled_from(("float32", "int8", "int64", "uint8")), seed=SEED)  # fmt: skip
def test_sorts(shape: list[int], data: Any, descending: bool, dtype: str, seed: int) -> None:
    """The least integer has no negative; equal elements keep their order."""
    x = drawn(shape, dtype, seed)
    if x.dtype.kind == "i":
        x.flat[0] = np.iinfo(dtype).min
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    way = "DESCENDING" if descending else "ASCENDING"
    values, places, top, first = computed(
        lambda a: (tf.sort(a, axis, way), tf.argsort(a, axis, way), *tf.nn.top_k(a, 1)), x
    )
    order = np.argsort(-x.astype(np.float64) if descending else x, axis, kind="stable")
    agrees(values, np.take_along_axis(x, order, axis))
    agrees(places, order)
    agrees(top, x.max(-1, keepdims=True))
    agrees(first, x.argmax(-1)[..., None])


@CHECK
@given(
    values=st.lists(st.integers(-3, 3), max_size=8), other=st.lists(st.integers(-3, 3), max_size=4)
)
def test_distinct_values(values: list[int], other: list[int]) -> None:
    x, y = np.array(values, np.int32), np.array(other, np.int32)
    kept, index, again, _, count, left, at = computed(
        lambda a, b: [*tf.unique(a), *tf.unique_with_counts(a), *tf.setdiff1d(a, b)], x, y
    )
    order = list(dict.fromkeys(values))
    assert kept.tolist() == again.tolist() == order
    assert [order[i] for i in index] == values
    assert count.tolist() == [values.count(v) for v in order]
    assert left.tolist() == [v for v in values if v not in other]
    assert at.tolist() == [i for i, v in enumerate(values) if v not in other]


@CHECK
@given(shape=FULL, data=st.data(), unknown=st.booleans(), seed=SEED)
def test_reshapes(shape: list[int], data: Any, unknown: bool, seed: int) -> None:
    x = drawn(shape, "int32", seed)
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    wide = [1 if data.draw(st.booleans()) else d for d in shape]
    found = computed(
        lambda a, b: (tf.expand_dims(a, axis), tf.reshape(a, [-1]), tf.squeeze(b),
                      tf.broadcast_to(b, shape), tf.shape(a), tf.size(a), tf.rank(a)),
        x, x[tuple(slice(0, d) for d in wide)], unknown=unknown,
    )  # fmt: skip
    narrow = x[tuple(slice(0, d) for d in wide)]
    expected = (np.expand_dims(x, axis), x.ravel(), narrow.squeeze(),
                np.broadcast_to(narrow, shape), np.array(shape), x.size, x.ndim)  # fmt: skip
    for value, want in zip(found, expected, strict=True):
        agrees(value, want)


@CHECK
@given(rows=st.integers(0, 4), count=st.integers(1, 3), seed=SEED)
def test_partitions_are_stitched_again(rows: int, count: int, seed: int) -> None:
    x, r = drawn([rows, 2], "float32", seed), np.random.RandomState(seed)
    to = r.randint(0, count, rows).astype(np.int32)
    *parts, back = computed(
        lambda a, i: [*tf.dynamic_partition(a, i, count),
                      tf.dynamic_stitch(tf.dynamic_partition(tf.range(rows), i, count),
                                        tf.dynamic_partition(a, i, count))],
        x, to,
    )  # fmt: skip
    for k, part in enumerate(parts):
        agrees(part, x[to == k])
    agrees(back, x)
