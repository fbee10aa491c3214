"""Places of elements (Where), of the different ones (Unique, UniqueWithCounts), and of parts."""

import hypothesis as hyp
import hypothesis.strategies as st
import numpy as np
import pytest

import tfc as tf
from tfc.ops import found_places as places

SETTINGS = hyp.settings(max_examples=60, deadline=None, derandomize=True)
REALS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
REALS += ("float16", "float32", "float64")


def firsts(x):
    """For each element the first place of one that equals it; NaN equals nothing."""
    return [next((i for i in range(k) if x[i] == x[k]), k) for k in range(len(x))]


@hyp.given(
    st.sampled_from([*REALS, "bool", "complex64"]), st.integers(0, 40), st.integers(1, 9),
    st.booleans(), st.randoms(use_true_random=False),
)  # fmt: skip
@SETTINGS
def test_distinct(dtype, count, kinds, wide, random):
    pool = np.array([random.choice([0, 1, 2, 3]) for _ in range(kinds)]).astype(dtype)
    if wide and pool.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        pool = np.array([random.randint(limits.min, limits.max) for _ in range(kinds)], dtype)
    if wide and pool.dtype.kind == "f":
        pool = np.array([random.choice([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5])] * kinds, dtype)
        pool[: kinds // 2] = -0.0
    x = pool[[random.randrange(kinds) for _ in range(count)]]
    kept, rank = places.distinct(x)
    first = firsts(x)
    np.testing.assert_array_equal(kept, sorted(set(first)))
    np.testing.assert_array_equal(kept[rank] if count else [], first)


@pytest.mark.parametrize("dtype", REALS)
def test_distinct_at_the_limits_of_a_dtype(dtype):
    limits = np.iinfo(dtype) if "int" in dtype else np.finfo(dtype)
    low, high = limits.min, limits.max
    near = [high, low, high, low] if "float" in dtype else [high, high - 1, high, high - 2]
    for values in (near, [low] * 3, [high, low, 0, high, low]):
        x = np.array(values, dtype)
        kept, rank = places.distinct(x)
        np.testing.assert_array_equal(kept[rank], firsts(x))


@hyp.given(
    st.lists(st.integers(0, 5), max_size=4), st.sampled_from(["bool", "float32", "int64"]),
    st.integers(0, 2**31),
)  # fmt: skip
@SETTINGS
def test_true_places(shape, dtype, seed):
    x = np.random.RandomState(seed).randint(0, 2, shape).astype(dtype)
    expected = [i for i in np.ndindex(*shape) if x[i]]
    found = places.true_places(x)
    assert found.dtype == np.int64 and found.flags.c_contiguous
    np.testing.assert_array_equal(
        found, np.array(expected, np.int64).reshape(len(expected), len(shape))
    )


@pytest.mark.parametrize("shape", [(3, places.BLOCK), (places.BLOCK * 2 + 7,), (67, 41, 101)])
def test_true_places_of_several_blocks(shape):
    x = np.random.RandomState(0).rand(*shape) < 0.3
    np.testing.assert_array_equal(places.true_places(x), np.argwhere(x))
    np.testing.assert_array_equal(places.true_places(x.T), np.argwhere(x.T))


@pytest.mark.parametrize("count", [1, places.FEW, places.FEW + 1, 300, 70_000])
@pytest.mark.parametrize("row", [(), (3,), (2, 0)])
def test_parts(count, row):
    random = np.random.RandomState(0)
    for rows in (0, 1, 50):
        data = random.standard_normal((rows, *row))
        part = random.randint(0, count, rows).astype(np.int32)
        found = places.parts(data, part, count)
        assert len(found) == count
        for k in range(0, count, max(1, count // 7)):
            np.testing.assert_array_equal(found[k], data[part == k])


def test_in_a_session():
    x = tf.placeholder(tf.float32, [None, None])
    ids = tf.placeholder(tf.int64, [None])
    wheres, (y, idx, counts) = tf.where(x), tf.unique_with_counts(ids)
    split = tf.dynamic_partition(x, tf.cast(tf.reduce_sum(x, 1) > 1, tf.int32), 2)
    strings = tf.dynamic_partition(["a", "b", "c"], [1, 0, 1], 6)
    with tf.Session() as sess:
        given = [[0.0, 2.0], [np.nan, 0.0], [-1.0, 1.0]]
        found = sess.run(wheres, {x: given})
        np.testing.assert_array_equal(found, [[0, 1], [1, 0], [2, 0], [2, 1]])
        got = sess.run([y, idx, counts], {ids: [2**40, -3, 2**40, 7, -3]})
        np.testing.assert_array_equal(got[0], [2**40, -3, 7])
        np.testing.assert_array_equal(got[1], [0, 1, 0, 2, 1])
        np.testing.assert_array_equal(got[2], [2, 2, 1])
        few, many = sess.run(split, {x: given})
        np.testing.assert_array_equal(few, given[1:])
        np.testing.assert_array_equal(many, given[:1])
        assert [list(s) for s in sess.run(strings)] == [[b"b"], [b"a", b"c"], [], [], [], []]
