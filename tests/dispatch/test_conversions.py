"""Fed values of another dtype or layout, which native code converts as numpy does, or not."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfc as tf
from tests.dispatch.common import assert_same, known, outcome, slow_session

SOURCES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", ">f8", ">i4")
TARGETS = ("bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64",
           "bfloat16", "complex64")  # fmt: skip


def nasty(source: str) -> list[np.ndarray]:
    """Arrays [6] of values that convert exactly, inexactly, or not."""
    dtype = np.dtype(source)
    if dtype.kind == "b":
        return [np.array([0, 1, 1, 0, 0, 1], dtype)]
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return [np.array([0, 1, 2, limits.max, limits.max - 1, limits.min], dtype)]
    info = np.finfo(dtype)
    return [
        np.array([0.0, -0.0, 0.1, 1.5, -3.0, 7.0], dtype),
        np.array([0.1, np.inf, -np.inf, np.nan, 1.0, 2.0], dtype),
        np.array([info.max, info.min, info.tiny, info.smallest_subnormal, 1.0, 300.0], dtype),
    ]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("strict", [True, False])
def test_arrays_of_all_dtypes(target: str, strict: bool) -> None:
    x = tf.placeholder(getattr(tf, target), [None])
    y = tf.identity(x)
    with tf.Session() as sess, slow_session() as slow, warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        for source in SOURCES:
            for value in nasty(source):
                for given in (value, np.repeat(value, 2)[::2], value[::-1]):
                    wanted = outcome(lambda given=given: slow.run(y, {x: given}))
                    for _ in range(3):
                        got = outcome(lambda given=given: sess.run(y, {x: given}))
                        assert_same(got, wanted)


@pytest.mark.parametrize("source, target", [
    ("f8", "float32"), ("i8", "float32"), ("i8", "int32"), ("f8", "int32"), ("f4", "float64"),
    ("u1", "float32"), ("f2", "float32"), ("?", "float32"), (">f4", "float32"), ("f8", "float16"),
])  # fmt: skip
def test_conversions_need_no_python(source: str, target: str) -> None:
    x, k = tf.placeholder(getattr(tf, target), [None, 3]), tf.placeholder(tf.float32, [])
    y = [x * 2, k + 1.0]
    value = np.arange(12).reshape(4, 3).astype(source)
    with tf.Session() as sess, slow_session() as slow:
        for given in (value, value[::-1], value.T.copy().T, value[:0], np.array(value)):
            got = known(sess, lambda given=given: sess.run(y, {x: given, k: 1}))
            assert_same(got, slow.run(y, {x: given, k: 1}))
        call = sess.make_callable(y, [x, k])
        assert_same(known(sess, lambda: call(value, 1.0)), slow.run(y, {x: value, k: 1}))


def test_lists_need_no_python() -> None:
    cases = [
        (tf.float32, [1.0, 2, np.float64(0.5), np.float32(3), np.int64(4)]),
        (tf.float64, [1.0, 2, np.float32(0.1), 2**53]), (tf.int32, [1, -(2**31), np.int64(7)]),
        (tf.uint8, [0, 255]), (tf.bool, [True, False]), (tf.int64, [2**63 - 1]),
        (tf.float32, [[1, 2.5], [3, 4]]), (tf.int64, [[[1], [2]], [[3], [4]]]), (tf.float32, []),
        (tf.float32, [[], []]),
    ]  # fmt: skip
    for dtype, value in cases:
        x = tf.placeholder(dtype)
        y = tf.identity(x)
        with tf.Session() as sess, slow_session() as slow:
            got = known(sess, lambda x=x, y=y, value=value: sess.run(y, {x: value}))
            assert_same(got, slow.run(y, {x: value}))
            if np.size(value):
                assert next(iter(sess._fast._entries))[0] == 0  # as it was called


numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.just(None), st.just("1"),
    st.floats(width=32).map(np.float32), st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.just(np.float16(1)), st.just(1j), st.lists(st.integers(0, 3), max_size=2),
)  # fmt: skip


@pytest.mark.parametrize("target", ["bool", "int8", "int32", "uint64", "float32", "float64"])
def test_lists_of_anything(target: str) -> None:
    x = tf.placeholder(getattr(tf, target))
    y = tf.identity(x)
    sess, slow = tf.Session(), slow_session()
    plain = np.zeros(3, x.dtype.as_numpy_dtype).tolist()

    @given(st.lists(numbers, min_size=1, max_size=3))
    def check(values: list) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wanted = outcome(lambda: slow.run(y, {x: values}))
            for _ in range(2):
                assert_same(outcome(lambda: sess.run(y, {x: values})), wanted)

    for n in (1, 2, 3):
        known(sess, lambda n=n: sess.run(y, {x: plain[:n]}))
    check()


def test_batches_of_several_sizes() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    y = tf.reduce_sum(x, 0)
    batches = [np.arange(2.0 * n).reshape(n, 2) for n in (5, 7, 3)]
    with tf.Session() as sess:
        for batch in batches * 2:
            for given in (batch, batch.astype("f"), batch.tolist()):
                got = known(sess, lambda given=given: sess.run(y, {x: given}))
                np.testing.assert_array_equal(got, batch.sum(0))


def test_a_warning_is_given_once_and_is_numpys() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = x + 1.0
    with tf.Session() as sess:
        known(sess, lambda: sess.run(y, {x: np.ones(2)}))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            got = known(sess, lambda: sess.run(y, {x: np.array([1e300, 1])}))
        assert list(got) == [np.inf, 2]
        assert [str(w.message) for w in seen] == ["overflow encountered in cast"] * 4
        with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
            sess.run(y, {x: np.array([1e300, 1])})
        assert list(sess.run(y, {x: np.ones(2)})) == [2, 2]


@pytest.mark.parametrize("deed", ["runs", "pops", "closes", "grows", "raises"])
def test_what_a_warning_may_do(deed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python code runs in the middle of the feeds; nothing that is bound may go away by it."""
    x, k = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.float32, [2])
    y = tf.reduce_sum(x) + k
    sess = tf.Session()
    quiet = {x: np.ones(3), k: np.ones(2)}
    known(sess, lambda: sess.run(y, quiet))
    feeds = {x: np.full(3, 2, np.float32), k: np.array([1e300, 1])}
    done: list[object] = []

    def act(*given: object, **_: object) -> None:
        done.append(1)
        if deed == "runs":
            assert list(sess.run(y, quiet)) == [4, 4]
        elif deed == "pops":
            feeds.clear()
        elif deed == "closes":
            sess.close()
        elif deed == "grows":
            tf.identity(y)
        else:
            raise KeyError("from a warning")

    monkeypatch.setattr(warnings, "showwarning", act)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        got = outcome(lambda: sess.run(y, feeds))
    assert done
    if deed == "closes":
        assert got == (RuntimeError, "Attempted to use a closed Session.")
    elif deed == "raises":
        assert got[0] is KeyError
    elif deed != "pops":
        assert list(got) == [np.inf, 7]
    if deed != "closes":
        assert list(sess.run(y, quiet)) == [4, 4]


def test_nothing_is_kept_and_nothing_is_lost() -> None:
    x, k = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.float32, [2])
    y = tf.reduce_sum(x) + k
    one, two, bad = np.ones(3), [1.0, 2.0], [1.0, object()]
    with tf.Session() as sess:
        known(sess, lambda: sess.run(y, {x: one, k: two}))
        before = [sys.getrefcount(v) for v in (one, two, bad, two[1])]
        for _ in range(100):
            sess.run(y, {x: one, k: two})
            with pytest.raises((TypeError, ValueError)):
                sess.run(y, {x: one, k: bad})
        assert [sys.getrefcount(v) for v in (one, two, bad, two[1])] == before
        assert list(sess.run(y, {x: one, k: two})) == [4, 5]
