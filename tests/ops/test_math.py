"""Arithmetic, comparisons, reductions, products and random ops: graphs as TensorFlow 1 builds them,
values against numpy, gradients against finite differences, errors in TensorFlow's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tfc as tf

Array = np.ndarray

RNG = np.random.RandomState(0)
A = RNG.uniform(-2.5, 2.5, (2, 3, 4))
B = RNG.uniform(0.3, 2.0, (3, 1))


pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(value: Any, feeds: dict[Any, Any] | None = None) -> Any:
    with tf.Session() as sess:
        return sess.run(value, feeds)


def op_list() -> list[tuple[str, str]]:
    return [(op.name, op.type) for op in tf.get_default_graph().get_operations()]


# ---- names


def test_operators_name_their_ops_and_constants_as_tensorflow_does() -> None:
    a = tf.constant(5, name="a")
    b = tf.constant(7, name="b")
    a + 2 * b
    assert op_list()[2:] == [("mul/x", "Const"), ("mul", "Mul"), ("add", "Add")]


def test_gradient_of_a_product_has_the_ops_of_the_seed() -> None:
    x = tf.constant(3.0, name="x")
    y = tf.constant(4.0, name="y")
    z = x * y
    before = len(op_list())
    tf.gradients(z, [x, y])
    inside = [(n.removeprefix("gradients/mul_grad/"), t) for n, t in op_list()[before + 3 :]]
    assert inside == [
        ("Shape", "Const"), ("Shape_1", "Const"),
        ("BroadcastGradientArgs", "BroadcastGradientArgs"),
        ("mul", "Mul"), ("Sum", "Sum"), ("Reshape", "Reshape"),
        ("mul_1", "Mul"), ("Sum_1", "Sum"), ("Reshape_1", "Reshape"),
    ]  # fmt: skip


def test_reduction_axes_are_a_constant_of_the_op() -> None:
    a = tf.placeholder(tf.float32, [2, 3], name="a")
    tf.reduce_sum(a)
    tf.reduce_mean(a, 1)
    names = [n for n, _ in op_list()[1:]]
    assert names == ["Const", "Sum", "Mean/reduction_indices", "Mean"]


# ---- values


BINARY: list[tuple[Callable[..., Any], Callable[..., Array]]] = [
    (tf.add, np.add),
    (tf.subtract, np.subtract),
    (tf.multiply, np.multiply),
    (tf.divide, np.divide),
    (tf.floordiv, np.floor_divide),
    (tf.floormod, np.mod),
    (tf.maximum, np.maximum),
    (tf.minimum, np.minimum),
    (tf.squared_difference, lambda x, y: (x - y) ** 2),
    (tf.atan2, np.arctan2),
    (tf.pow, lambda x, y: np.power(np.abs(x), y)),
]


@pytest.mark.parametrize(("function", "numpy"), BINARY, ids=[n.__name__ for _, n in BINARY])
def test_binary_ops_broadcast(function: Callable[..., Any], numpy: Callable[..., Array]) -> None:
    a = np.abs(A) if function is tf.pow else A
    got = run(function(tf.constant(a), tf.constant(B)))
    np.testing.assert_allclose(got, numpy(a, B), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_integer_division_rounds_as_python_and_c_do(dtype: str) -> None:
    x = np.array([7, 8, 9, 0, 100], dtype)
    y = np.array([3, 3, 4, 5, 7], dtype)
    if dtype != "uint8":
        x, y = np.concatenate([x, -x]), np.concatenate([y, y])
    p, q = tf.constant(x), tf.constant(y)
    floor, rest, trunc = run([p // q, p % q, tf.truncatediv(p, q)])
    np.testing.assert_array_equal(floor, x // y)
    np.testing.assert_array_equal(rest, x % y)
    np.testing.assert_array_equal(trunc, np.trunc(x / y).astype(dtype))
    if dtype in ("int32", "int64"):
        np.testing.assert_array_equal(run(tf.truncatemod(p, q)), np.fmod(x, y))


def test_true_division_of_integers_is_float64() -> None:
    quotient = tf.constant([1, 2]) / tf.constant([4, 4])
    assert quotient.dtype == tf.float64
    np.testing.assert_array_equal(run(quotient), [0.25, 0.5])


def test_integer_division_by_zero_is_an_error_that_names_the_op() -> None:
    x = tf.placeholder(tf.int32)
    quotient = tf.floordiv(5, x, name="quotient")
    with pytest.raises(tf.errors.InvalidArgumentError, match="Integer division by zero"):
        run(quotient, {x: 0})
    assert run(quotient, {x: 2}) == 2


@pytest.mark.parametrize("axis", [None, 0, -1, [0, 2], [], (1,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(axis: Any, keepdims: bool) -> None:
    x = tf.constant(A)
    numpy_axis = tuple(axis) if isinstance(axis, list) else axis
    for function, numpy in ((tf.reduce_sum, np.sum), (tf.reduce_mean, np.mean),
                            (tf.reduce_max, np.max), (tf.reduce_prod, np.prod)):  # fmt: skip
        made = function(x, axis, keepdims)
        want = numpy(A, axis=numpy_axis, keepdims=keepdims)
        assert made.get_shape().as_list() == list(np.shape(want))
        np.testing.assert_allclose(run(made), want, rtol=1e-12)


def test_mean_of_integers_truncates_and_mean_of_nothing_is_nan() -> None:
    assert run(tf.reduce_mean(tf.constant([1, 2, 2, -9]))) == -1
    assert np.isnan(run(tf.reduce_mean(tf.zeros([0, 3]), 0))).all()


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_matmul_and_its_gradients(flips: tuple[bool, bool], batch: tuple[int, ...]) -> None:
    a, b = RNG.randn(*batch, 3, 4), RNG.randn(*batch, 4, 5)
    left = np.swapaxes(a, -1, -2) if flips[0] else a
    right = np.swapaxes(b, -1, -2) if flips[1] else b
    x, y = tf.constant(left), tf.constant(right)
    z = tf.matmul(x, y, transpose_a=flips[0], transpose_b=flips[1])
    weights = RNG.randn(*batch, 3, 5)
    value, gx, gy = run([z, *tf.gradients(z, [x, y], [tf.constant(weights)])])
    np.testing.assert_allclose(value, a @ b, rtol=1e-12)
    want_x = weights @ np.swapaxes(b, -1, -2)
    want_y = np.swapaxes(a, -1, -2) @ weights
    np.testing.assert_allclose(gx, np.swapaxes(want_x, -1, -2) if flips[0] else want_x, rtol=1e-12)
    np.testing.assert_allclose(gy, np.swapaxes(want_y, -1, -2) if flips[1] else want_y, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_products_of_integers_wrap_around(dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    a = RNG.randint(low, high, (2, 3, 5), np.dtype(dtype))
    b = RNG.randint(low, high, (2, 5, 4), np.dtype(dtype))
    np.testing.assert_array_equal(run(tf.matmul(tf.constant(a), tf.constant(b))), a @ b)
    shared = tf.matmul(tf.constant(a), tf.constant(b[:1]))
    np.testing.assert_array_equal(run(shared), a @ b[:1])
    if dtype != "int16":  # TensorFlow's MatMul refuses it, as it does all unsigned integers
        plain = tf.matmul(tf.constant(a[0]), tf.constant(b[0]))
        np.testing.assert_array_equal(run(plain), a[0] @ b[0])
    for refused in ("uint8", "uint64", "bool"):
        with pytest.raises(TypeError, match=refused):
            tf.matmul(tf.constant(a.astype(refused)), tf.constant(b.astype(refused)))


def test_matmul_of_wrong_shapes_says_so_at_construction_and_at_run_time() -> None:
    message = r"Dimensions must be equal, but are 3 and 2 for 'MatMul'.*\[2,3\], \[2,3\]"
    with pytest.raises(ValueError, match=message):
        tf.matmul(tf.zeros([2, 3]), tf.zeros([2, 3]))
    x = tf.placeholder(tf.float32, [None, None])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"In\[0\]: \[2,3\], In\[1\]: \[2,3\]"):
        run(tf.matmul(x, x), {x: np.zeros((2, 3))})


@pytest.mark.parametrize(
    ("condition", "want"),
    [([True, False], [[1, 1], [0, 0]]), ([[True, False], [False, True]], [[1, 0], [0, 1]])],
)
def test_where_takes_rows_or_elements(condition: Any, want: Any) -> None:
    chosen = tf.where(tf.constant(condition), tf.ones([2, 2]), tf.zeros([2, 2]))
    np.testing.assert_array_equal(run(chosen), want)


def test_where_with_a_condition_alone_lists_places() -> None:
    x = tf.placeholder(tf.float32, [None, None])
    places = tf.where(x > 0)
    assert places.get_shape().as_list() == [None, 2]
    np.testing.assert_array_equal(run(places, {x: [[1, 0], [0, 2]]}), [[0, 0], [1, 1]])


def test_no_gradient_flows_through_integers() -> None:
    x = tf.constant([1.5])
    assert tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x) == [None]


def test_saturating_cast_keeps_to_the_range() -> None:
    x = tf.constant([-300.0, -1.5, 1.5, 127.9, 1e10])
    np.testing.assert_array_equal(run(tf.saturate_cast(x, tf.uint8)), [0, 0, 1, 127, 255])


# ---- gradients against finite differences


UNARY: list[tuple[str, float, float]] = [
    ("abs", 0.2, 2), ("square", -2, 2), ("sqrt", 0.2, 3), ("rsqrt", 0.2, 3), ("exp", -2, 2),
    ("expm1", -2, 2), ("log", 0.2, 3), ("log1p", -0.5, 3), ("sin", -3, 3), ("cos", -3, 3),
    ("tan", -1, 1), ("asin", -0.9, 0.9), ("acos", -0.9, 0.9), ("atan", -3, 3), ("sinh", -2, 2),
    ("cosh", -2, 2), ("tanh", -2, 2), ("asinh", -2, 2), ("acosh", 1.2, 3), ("atanh", -0.9, 0.9),
    ("sigmoid", -4, 4), ("erf", -2, 2), ("erfc", -2, 2), ("lgamma", 0.5, 4), ("digamma", 0.5, 4),
    ("reciprocal", 0.3, 2), ("negative", -2, 2), ("cumsum", -1, 1), ("cumprod", 0.5, 2),
    ("reduce_logsumexp", -2, 2), ("reduce_max", -2, 2), ("reduce_prod", -2, 2),
    ("reduce_mean", -2, 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "low", "high"), UNARY, ids=[n for n, _, _ in UNARY])
def test_gradient_equals_finite_differences(name: str, low: float, high: float) -> None:
    values = np.random.RandomState(5).uniform(low, high, (2, 3))
    x = tf.placeholder(tf.float64, [2, 3])
    y = getattr(tf, name)(x)
    total = tf.reduce_sum(tf.sin(y)) if y.get_shape().ndims else tf.sin(y)
    (gradient,) = tf.gradients(total, x)
    (second,) = tf.gradients(tf.reduce_sum(gradient * gradient), x)
    with tf.Session() as sess:
        got, twice = sess.run([gradient, second], {x: values})

        def numeric(of: Any) -> Array:
            step = 1e-6
            slopes = np.zeros_like(values)
            for place in np.ndindex(values.shape):
                up, down = values.copy(), values.copy()
                up[place] += step
                down[place] -= step
                above, below = sess.run(of, {x: up}), sess.run(of, {x: down})
                slopes[place] = (above - below) / (2 * step)
            return slopes

        np.testing.assert_allclose(got, numeric(total), rtol=1e-5, atol=1e-7)
        squares = tf.reduce_sum(gradient * gradient)
        np.testing.assert_allclose(twice, numeric(squares), rtol=1e-4, atol=1e-6)


# ---- random numbers


def test_a_seeded_op_starts_anew_in_each_session_and_goes_on_within_one() -> None:
    x = tf.random_normal([7], seed=7)
    with tf.Session() as sess:
        first, second = sess.run(x), sess.run(x)
    with tf.Session() as sess:
        again = sess.run(x)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_unseeded_ops_differ_between_sessions() -> None:
    x = tf.random_uniform([8])
    assert not np.array_equal(run(x), run(x))


def reference_shuffle(partner: Array) -> Array:
    rows = np.arange(len(partner))
    for i, j in enumerate(partner):
        rows[[i, j]] = rows[[j, i]]
    return rows


@pytest.mark.parametrize("rows", [2, 3, 7, 64, 257])
def test_shuffling_without_a_loop_equals_the_swaps_one_after_the_other(rows: int) -> None:
    from tfc.ir.builder import Builder
    from tfc.ir.core import Type
    from tfc.ir.interp import run as interpret
    from tfc.ops import random_values

    build = Builder("shuffle")
    partner = build.param(Type("i32", (rows,)))
    function = build.finish([random_values.permutation(build, partner)])
    for seed in range(20):
        rng = np.random.RandomState(seed)
        swaps = np.array([rng.randint(i, rows) for i in range(rows)], np.int32)
        (got,) = interpret(function, [swaps])
        np.testing.assert_array_equal(got, reference_shuffle(swaps))


def test_the_counter_carries_over_all_four_words() -> None:
    from tfc.ir.builder import Builder
    from tfc.ir.core import Type
    from tfc.ir.interp import run as interpret
    from tfc.ops import random_values

    start = (1 << 96) - 5
    for groups in (1, 5, 1 << 31, (1 << 63) + 12345):
        build = Builder("advance")
        counter = build.param(Type("u32", (4,)))
        function = build.finish([random_values.advanced(build, counter, groups)])
        words = np.array([start >> 32 * i & 0xFFFFFFFF for i in range(4)], np.uint32)
        (got,) = interpret(function, [words])
        assert sum(int(w) << 32 * i for i, w in enumerate(got)) == start + groups


# ---- assertions


def test_an_assertion_reports_the_values() -> None:
    x = tf.placeholder(tf.int32, name="px")
    check = tf.assert_equal(x, 2, message="boom")
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(check, {x: 1})
    assert "assertion failed: [boom]" in caught.value.message
    assert "[x (px:0) = ] [1]" in caught.value.message
    run(check, {x: 2})


def test_a_failed_assertion_guards_the_write_behind_it() -> None:
    x = tf.placeholder(tf.float32)
    v = tf.Variable(1.0)
    with tf.control_dependencies([tf.assert_positive(x)]):
        write = tf.assign(v, x)
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(write, {x: -1.0})
        assert sess.run(v) == 1.0
        sess.run(write, {x: 3.0})
        assert sess.run(v) == 3.0


def test_constants_are_checked_at_construction() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="did not hold"):
        tf.assert_less(tf.constant([1, 5]), tf.constant([2, 2]))


# ---- variables


def test_scatters_update_the_named_rows_and_check_them() -> None:
    v = tf.Variable(np.arange(6.0).reshape(3, 2))
    at = tf.placeholder(tf.int32, [None])
    add = tf.scatter_add(v, at, tf.ones([2, 2], tf.float64))
    with tf.Session() as sess:
        sess.run(v.initializer)
        np.testing.assert_array_equal(sess.run(add, {at: [0, 0]}), [[2, 3], [2, 3], [4, 5]])
        message = r"indices\[1\] = 3 is not in \[0, 3\)"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            sess.run(add, {at: [0, 3]})
        np.testing.assert_array_equal(sess.run(v), [[2, 3], [2, 3], [4, 5]])


def test_count_up_to_stops_at_the_limit() -> None:
    v = tf.Variable(0)
    count = tf.count_up_to(v, 2)
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert [sess.run(count), sess.run(count)] == [0, 1]
        with pytest.raises(tf.errors.OutOfRangeError, match="Reached limit of 2"):
            sess.run(count)


@pytest.mark.parametrize("function", [tf.sqrt, tf.rsqrt, tf.reciprocal])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.complex64])
def test_of_no_gradient_nothing_flows_back_from_a_pole(function, dtype):
    x = tf.placeholder(dtype, [3])
    dy = tf.placeholder(dtype, [3])
    gradient = tf.gradients(function(x), x, dy)[0]
    with tf.Session() as session:
        value = session.run(gradient, {x: [0, 0, 4], dy: [0, 1, 1]})
    slope = {tf.sqrt: 0.25, tf.rsqrt: -0.0625, tf.reciprocal: -0.0625}[function]
    assert value[0] == 0 and not np.isfinite(value[1])
    np.testing.assert_allclose(value[2], slope, rtol=1e-6)
