"""Native dispatch gives what the Python method gives: all forms of fetches, all kinds of values."""

import collections
import warnings

import numpy as np
import pytest

import tfc as tf
from tests.dispatch.common import assert_same, known, native_runs, outcome, slow_session
from tfc.client.session import _python_run
from tfc.codegen.dispatch.layout import Kind

pytestmark = pytest.mark.usefixtures("fresh_graph")

DTYPES = ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8",
          "uint16", "uint32", "uint64", "bool", "complex64", "complex128"]  # fmt: skip


def test_forms_of_fetches():
    x = tf.placeholder(tf.float32, [2])
    y, z = tf.identity(x * 2.0, name="y"), tf.reduce_sum(x)
    group = tf.group(y)
    value = np.array([1, 2], np.float32)
    forms = [
        y, z, "y:0", [y, z], (z, y), (y,), [group, y, y], {"a": y, "b": group},
        {y: z}, ["y:0", group],
    ]  # fmt: skip
    with tf.Session() as sess, slow_session() as slow:
        for form in forms:
            got = known(sess, lambda form=form: sess.run(form, {x: value}))
            assert_same(got, slow.run(form, {x: value}))
        for nothing in (group, "y", [], {}, [group, "y"]):  # no native function
            assert_same(sess.run(nothing, {x: value}), slow.run(nothing, {x: value}))
        same = sess.run([y, y], {x: value})
        assert same[0] is same[1]


def test_nested_fetches():
    x = tf.placeholder(tf.float32, [2])
    y, z = x * 2.0, tf.reduce_sum(x)
    Pair = collections.namedtuple("Pair", "u v")
    value = np.array([1, 2], np.float32)
    forms = [
        {"k": [y, (z, y.op)]},
        Pair(y, [z]),
        Pair(y, z),
        collections.OrderedDict([("b", y), ("a", z)]),
        [tf.SparseTensor(tf.constant([[0]], tf.int64), z[None], tf.constant([3], tf.int64))],
        tf.IndexedSlices(y, tf.constant([0, 1])),
        ([], {"a": ((), [z, y])}),
    ]
    for form in forms:
        with tf.Session() as sess, slow_session() as slow:
            got = known(sess, lambda form=form: sess.run(form, {x: value}))
            assert_same(got, slow.run(form, {x: value}))
            first = next(iter(sess._fast._entries))[0]
            assert first == (Kind.LIST if type(form) is collections.OrderedDict else Kind.NESTED)


def test_nested_fetches_that_differ_a_little_are_others():
    x = tf.placeholder(tf.float32, [2])
    y, z = x * 2.0, tf.reduce_sum(x)
    pair, other = (collections.namedtuple(n, "u v") for n in ("Pair", "Other"))
    value = np.array([1, 2], np.float32)
    forms = [
        [y, [z]], [z, [y]], [y, (z,)], (y, [z]), [y, [z], []], [y, [z, z]], [[y], z],
        pair(y, [z]), other(y, [z]), (y, {"a": z}), (y, {"b": z}), (y, {"a": y}),
        (y, {"a": z, 1: z}),
    ]  # fmt: skip
    with tf.Session() as sess, slow_session() as slow:
        for _ in range(4):
            for form in forms:
                assert_same(sess.run(form, {x: value}), slow.run(form, {x: value}))


def test_names_are_known_by_their_letters():
    x = tf.placeholder(tf.float32, [2], name="x")
    y = tf.multiply(x, 2.0, name="y")
    value = np.array([1, 2], np.float32)

    def made(text: str) -> str:
        return "".join(list(text))

    with tf.Session() as sess:
        for form in (
            lambda: made("y:0"),
            lambda: [made("y:0"), y],
            lambda: {made("k"): made("y:0")},
        ):
            before = len(sess._fast._entries)
            known(sess, lambda form=form: sess.run(form(), {made("x:0"): value}))
            assert len(sess._fast._entries) <= before + 2
        assert list(sess.run("y:0", {"x:0": value})) == [2, 4]
        with pytest.raises(TypeError, match="Cannot interpret feed_dict key"):
            sess.run("y:0", {"nothing:0": value})
        with pytest.raises(ValueError, match="cannot be interpreted as a Tensor"):
            sess.run("nothing:0", {"x:0": value})
        assert list(sess.run("y:0", {"x:0": value, x: 2 * value})) == [4, 8]  # the last one counts


def test_methods_bound_before_native_dispatch_was_there():
    x = tf.placeholder(tf.float32, [2])
    y = x * 2.0
    value = np.array([1, 2], np.float32)
    with tf.Session() as sess:
        run = _python_run.__get__(sess)  # what `sess.run` is in a fresh process
        assert list(known(sess, lambda: run(y, {x: value}))) == [2, 4]
        assert list(known(sess, lambda: run(fetches=y, feed_dict={x: value}))) == [2, 4]
        assert list(known(sess, lambda: run([y], {x: [1, 2]})[0])) == [2, 4]
        assert list(run(y, {x: value}, tf.RunOptions())) == [2, 4]
    with pytest.raises(RuntimeError, match="closed Session"):
        run(y, {x: value})


def test_a_list_that_changes_is_another_fetch():
    x = tf.placeholder(tf.float32, [])
    y, z = x + 1.0, x + 2.0
    fetches = [y, z]
    with tf.Session() as sess:
        assert known(sess, lambda: sess.run(fetches, {x: 1.0})) == [2.0, 3.0]
        fetches.append(y)
        assert sess.run(fetches, {x: 1.0}) == [2.0, 3.0, 2.0]
        fetches[:] = [z]
        assert sess.run(fetches, {x: 1.0}) == [3.0]
        feeds = {x: 1.0}
        assert known(sess, lambda: sess.run(y, feeds)) == 2.0
        feeds[x] = 5.0
        assert sess.run(y, feeds) == 6.0
        feeds[z] = 7.0
        assert sess.run([y, z], feeds) == [6.0, 7.0]


def test_ways_to_call():
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    feeds = {x: 2.0}
    with tf.Session() as sess:
        assert known(sess, lambda: sess.run(y, feeds)) == 3.0
        assert known(sess, lambda: sess.run(y, feed_dict=feeds)) == 3.0
        assert known(sess, lambda: tf.Session.run(sess, y, feeds)) == 3.0
        assert known(sess, lambda: y.eval(feeds)) == 3.0
        assert known(sess, lambda: sess.run(fetches=y, feed_dict=feeds)) == 3.0
        assert known(sess, lambda: sess.run(y, {"Placeholder:0": 2.0})) == 3.0
        assert known(sess, lambda: sess.run(y, collections.OrderedDict(feeds))) == 3.0
        assert sess.run(y, feeds, None, None) == 3.0
        assert sess.run(y, feeds, run_metadata=tf.RunMetadata()) == 3.0
        with pytest.raises(TypeError, match="unexpected keyword argument 'feeds'"):
            sess.run(y, feeds=feeds)
        with pytest.raises(TypeError, match="positional"):
            sess.run(y, feeds, None, None, None)
        with pytest.raises(TypeError, match="fetches"):
            sess.run()
        with pytest.raises(TypeError, match="RunOptions"):
            sess.run(y, feeds, 3)
        with pytest.raises(tf.errors.InvalidArgumentError, match="must feed a value"):
            sess.run(y)
        with pytest.raises(TypeError, match="must be a dictionary"):
            sess.run(y, [1.0])


def values_for(dtype: np.dtype) -> list:
    """Values of all kinds, for a scalar placeholder: those it takes and those it does not."""
    scalars = [np.dtype(name).type(1) for name in ("f2", "f4", "f8", "i4", "i8", "u1", "?", "c8")]
    arrays = [np.ones((), dtype), np.ones((), "i4"), np.ones((), ">f4"), np.ones(1, dtype)]
    numbers = [0, 1, -1, 3, 127, 128, 255, 256, -129, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 1]
    numbers += [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 2**70, 10**400]
    floats = [0.0, -0.0, 1.5, 1e-40, 1e-46, 1e300, 3.4028235677973366e38, 3.40282347e38, 65504.0]
    floats += [float("inf"), float("-inf"), float("nan"), 0.1, 1e-320]
    others = [True, False, 1j, "1", None, [2], [[3]], [], object(), np.float64(0.1), dtype.type(3)]
    return [*scalars, *arrays, *numbers, *floats, *others, np.float64(1e300), np.float64("nan")]


@pytest.mark.parametrize("name", DTYPES)
def test_scalars(name):
    dtype = getattr(tf, name)
    x = tf.placeholder(dtype, [])
    y = tf.identity(x)
    with tf.Session() as sess, slow_session() as slow, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(
            known(sess, lambda: sess.run(y, {x: dtype.as_numpy_dtype(1)})),
            dtype.as_numpy_dtype(1),
        )
        for value in values_for(np.dtype(dtype.as_numpy_dtype)):
            wanted = outcome(lambda value=value: slow.run(y, {x: value}))
            for _ in range(4):
                assert_same(outcome(lambda value=value: sess.run(y, {x: value})), wanted)


@pytest.mark.parametrize("name, value", [
    ("float32", 1.5), ("float32", 7), ("float32", np.float64(0.1)), ("float64", 0.1),
    ("float64", -3), ("int32", 5), ("int64", -5), ("uint8", 255), ("uint64", 2**62),
    ("int8", -128), ("bool", True), ("bool", np.bool_(False)), ("complex128", np.complex128(1j)),
    ("float16", np.float16(0.1)),
])  # fmt: skip
def test_scalars_that_need_no_python(name, value):
    x = tf.placeholder(getattr(tf, name), [])
    y = tf.identity(x)
    with tf.Session() as sess, slow_session() as slow:
        got = known(sess, lambda: sess.run(y, {x: value}))
        assert_same(got, slow.run(y, {x: value}))
        assert list(sess._fast._entries)[0][0] == 0  # as it was called


class Derived(np.ndarray):
    """A subclass of ndarray."""


def arrays() -> dict[str, np.ndarray]:
    """Arrays [2, 3] that are not what native code takes as it is, and some that are."""
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    readonly = plain.copy()
    readonly.setflags(write=False)
    raw = np.zeros(25, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(2, 3)
    unaligned[...] = plain
    return {
        "plain": plain,
        "readonly": readonly,
        "fortran": np.asfortranarray(plain),
        "strided": np.repeat(plain, 2, axis=1)[:, ::2],
        "reversed": plain[::-1],
        "unaligned": unaligned,
        "big": plain.astype(">f4"),
        "double": plain.astype(np.float64),
        "int": plain.astype(np.int32),
        "derived": plain.view(Derived),
        "broadcast": np.broadcast_to(np.float32(3), (2, 3)),
        "metadata": plain.astype(np.dtype("f4", metadata={"a": 1})),
        "rows": np.zeros((0, 3), np.float32),
        "more": np.ones((5, 3), np.float32),
        "other": np.ones((2, 4), np.float32),
        "flat": np.ones(6, np.float32),
        "masked": np.ma.masked_array(plain, plain > 2),
    }


@pytest.mark.parametrize("what", sorted(arrays()))
def test_arrays(what):
    x = tf.placeholder(tf.float32, [None, 3])
    y = x * 2.0
    value = arrays()[what]
    before = value.copy()
    with tf.Session() as sess, slow_session() as slow:
        known(sess, lambda: sess.run(y, {x: arrays()["plain"]}))
        wanted = outcome(lambda: slow.run(y, {x: value}))
        for _ in range(5):
            got = outcome(lambda: sess.run(y, {x: value}))
            assert_same(got, wanted)
        assert_same(value.tobytes(), before.tobytes())
        if what not in ("other", "flat"):
            known(sess, lambda: sess.run(y, {x: value}))


def test_lists_are_converted_and_run_natively():
    x, k = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32)
    y = x * k
    with tf.Session() as sess:
        got = known(sess, lambda: sess.run([y], {x: [[1, 2], [3, 4]], k: [1.0, 10.0]}))
        np.testing.assert_array_equal(got[0], [[1, 20], [3, 40]])


def test_a_call_that_needs_no_help_gets_an_entry_beside_one_that_does():
    x = tf.placeholder(tf.float32, [2])
    y = x * 2.0
    array = np.ones(2, np.float32)
    with tf.Session() as sess:
        for _ in range(5):
            sess.run(y, {x: (1, 2)})
        for _ in range(70):
            sess.run(y, {x: array})
        assert {key[0] for key in sess._fast._entries} == {0, 1}


def test_results_belong_to_the_caller():
    x = tf.placeholder(tf.float32, [3])
    y = x + 1.0
    value = np.zeros(3, np.float32)
    sess = tf.Session()
    first = known(sess, lambda: sess.run(y, {x: value}))
    second = sess.run(y, {x: value})
    assert first.flags.owndata and first.flags.writeable and first.base is None
    assert not np.shares_memory(first, second)
    first[:] = 7
    sess.close()
    np.testing.assert_array_equal(second, [1, 1, 1])


def test_fed_and_fetched():
    x = tf.placeholder(tf.float32, [2])
    y = x + 1.0
    value = np.ones(2, np.float32)
    with tf.Session() as sess:
        for _ in range(4):
            a, b = sess.run([x, y], {x: value})
            assert not np.shares_memory(a, value)
            assert list(a) == [1, 1] and list(b) == [2, 2]
            assert list(sess.run(y, {y: value})) == [1, 1]


def test_shapes_decided_by_values_and_strings_stay_in_python():
    n, s = tf.placeholder(tf.int32, []), tf.placeholder(tf.string, [])
    zeros, text = tf.zeros([n]), tf.strings.join([s, "!"])
    with tf.Session() as sess:
        for k in (1, 2, 3, 1, 2, 3, 1):
            assert sess.run(zeros, {n: np.int32(k)}).shape == (k,)
            assert sess.run(text, {s: "a" * k}) == b"a" * k + b"!"
        assert native_runs(sess) == 0


def test_unused_feeds_are_checked():
    x, unused = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [2])
    y = x + 1.0
    good = np.zeros(2, np.float32)
    with tf.Session() as sess:
        assert known(sess, lambda: sess.run(y, {x: 1.0, unused: good})) == 2.0
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.run(y, {x: 1.0, unused: np.zeros(3, np.float32)})
        with pytest.raises(ValueError, match="could not convert"):
            sess.run(y, {x: 1.0, unused: "text"})
