"""Corners of arithmetic and reductions: numbers that TensorFlow 2.21 gives for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.ops.evaluate import evaluate
from tests.ops.gradcheck import check_gradient
from tests.ops.test_properties_math import computed

NAN, INF = np.nan, np.inf


def gradients(build: Any, x: Any, dy: Any) -> np.ndarray:
    """The gradient of build(x) for the incoming gradient `dy`."""
    x = np.asarray(x)
    seed = np.asarray(dy, x.dtype)
    return computed(lambda a: tf.gradients(build(a), a, grad_ys=tf.constant(seed))[0], x)


def test_gradients_of_complex_functions() -> None:
    """With conjugates where TensorFlow takes them."""
    z = np.array([0.5 + 1.0j, -0.3 + 0.2j])
    dy = np.array([1.0 - 2.0j, 0.5 + 0.5j])
    y = np.conj(np.tanh(z))
    np.testing.assert_allclose(gradients(tf.tanh, z, dy), dy * (1 - y * y))
    s = np.conj(1 / (1 + np.exp(-z)))
    np.testing.assert_allclose(gradients(tf.sigmoid, z, dy), dy * s * (1 - s))
    one = np.complex128(1.5 - 1j)
    np.testing.assert_allclose(gradients(tf.reduce_prod, z, one), one * np.conj(z[::-1]))


def test_divisions() -> None:
    """Of floats, toward zero; of integers, as floats where a zero gives 0."""
    x, y = np.array([1.5, -2.5, -7.0], np.float32), np.array([2.0, 1.5, 2.0], np.float32)
    assert computed(tf.truncatediv, x, y).tolist() == [0.0, -1.0, -3.0]
    for dtype, wide in (("int32", np.float64), ("int8", np.float32)):
        i, j = np.array([7, -7, 5], dtype), np.array([2, 0, 4], dtype)
        found = computed(tf.div_no_nan, i, j)
        assert found.tolist() == [3.5, 0.0, 1.25]
        assert found.dtype == wide
    with tf.Graph().as_default(), pytest.raises(TypeError, match="bool"):
        tf.constant(True) / tf.constant(True)


def test_running_products_with_zeros() -> None:
    """TensorFlow's gradient at a zero is 0."""
    found = gradients(tf.cumprod, [2.0, 0.0, 3.0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(found, [1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("dtype", "number"),
    [("int8", 100), ("uint8", 255), ("int16", 32767), ("uint16", 65535), ("int32", 2**31 - 1)],
)
def test_means_do_not_overflow(dtype: str, number: int) -> None:
    x = np.full([2, 3], number, dtype)
    assert computed(tf.reduce_mean, x) == number
    assert computed(lambda a: tf.reduce_mean(a, 1), x).tolist() == [number, number]


def test_extremes_ignore_what_is_no_number() -> None:
    x = np.array([[NAN, 1, 2, NAN], [1, NAN, 3, NAN], [NAN] * 4, [2, 1, NAN, 5]], np.float32)
    most, least = computed(lambda a: (tf.argmax(a, 1), tf.argmin(a, 1)), x)
    assert most.tolist() == [2, 2, 0, 3]
    assert least.tolist() == [1, 0, 0, 1]


def test_sorts_of_the_least_and_greatest_integers() -> None:
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        limits = np.iinfo(dtype)
        x = np.array([3, limits.max, limits.min, 1, limits.min], dtype)
        values, places = computed(lambda a: (tf.sort(a), tf.argsort(a)), x)
        np.testing.assert_array_equal(values, np.sort(x))
        np.testing.assert_array_equal(places, np.argsort(x, kind="stable"))


def test_variance_and_length_of_complex_numbers_and_integers() -> None:
    z = np.array([1 + 2j, 3 - 1j, -2 + 0.5j])
    variance, deviation, length = computed(
        lambda a: (tf.math.reduce_variance(a), tf.math.reduce_std(a),
                   tf.math.reduce_euclidean_norm(a)), z
    )  # fmt: skip
    np.testing.assert_allclose([variance, deviation], [np.var(z), np.std(z)])
    assert variance.dtype == np.float64
    np.testing.assert_allclose(length, np.linalg.norm(z))
    assert computed(tf.math.reduce_euclidean_norm, np.array([3, 4, 5], np.int32)) == 7
    with tf.Graph().as_default(), pytest.raises(TypeError, match="either real or complex"):
        tf.math.reduce_variance([1, 2])


@pytest.mark.usefixtures("fresh_graph")
def test_gradient_of_the_length_of_complex_numbers() -> None:
    """TensorFlow's: x times dy over y, no conjugate in it."""
    x = tf.constant(np.array([[1 + 2j, 3 - 1j], [0.5j, 2]], np.complex64))
    y = tf.math.reduce_euclidean_norm(x, 1)
    assert y.op.type == "EuclideanNorm" and y.name == "EuclideanNorm:0"
    (dx,) = tf.gradients(y, x, grad_ys=tf.constant([1 + 1j, 2 - 1j], tf.complex64))
    expected = [
        [-0.2581989 + 0.77459663j, 1.0327955 + 0.5163978j],
        [0.24253564 + 0.48507127j, 1.9402851 - 0.97014254j],
    ]
    np.testing.assert_allclose(evaluate([dx])[0], expected, rtol=1e-6)


def test_gradient_of_products_of_segments() -> None:
    ids = [0, 0, 1, 1, 1, 3]
    r = np.random.RandomState(0)
    check_gradient(lambda x: tf.segment_prod(x, ids), r.uniform(0.5, 2, (6, 2)))
    x = np.array([2.0, 0.0, 0.0, 0.0, 3.0, 4.0])  # one zero in the first, two in the second
    found = gradients(lambda a: tf.segment_prod(a, ids), x, [1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(found, [0.0, 2.0, 0.0, 0.0, 0.0, 1.0])


def test_gradients_of_scattered_extremes() -> None:
    """In equal shares to all that equal the result."""
    x, updates = np.array([1.0, 5.0, 2.0]), np.array([4.0, 3.0, 2.0])
    with tf.Graph().as_default():
        a, u = tf.constant(x), tf.constant(updates)
        y = tf.tensor_scatter_nd_max(a, [[0], [1], [2]], u)
        z = tf.tensor_scatter_nd_min(a, [[0], [1], [2]], u)
        dy = tf.constant([1.0, 10.0, 100.0], tf.float64)
        wanted = tf.gradients(y, [a, u], grad_ys=dy) + tf.gradients(z, [a, u], grad_ys=dy)
        found = evaluate([y, z, *wanted])
    expected = [[4, 5, 2], [1, 3, 2], [0, 10, 50], [1, 0, 50], [1, 0, 50], [0, 10, 50]]
    np.testing.assert_allclose(found, expected)


def test_gathers_of_nothing_have_gradients() -> None:
    with tf.Graph().as_default():
        x = tf.zeros([0, 3])
        (dx,) = tf.gradients(tf.gather(x, [1, 2], axis=-1), x)
        assert evaluate([dx])[0].shape == (0, 3)


def test_slopes_are_float32() -> None:
    """An attribute of an op is a float32, also for operands that are wider."""
    found = computed(lambda a: tf.nn.leaky_relu(a, 0.1), np.array([-1.0, 2.0]))
    assert found.tolist() == [-float(np.float32(0.1)), 2.0]


def test_masks_of_lengths_that_are_no_integers() -> None:
    found = computed(lambda a: tf.sequence_mask(a, 3), np.array([1.5, 2.9], np.float32))
    assert found.tolist() == [[True, False, False], [True, True, False]]


def test_bincount_of_wide_integers() -> None:
    found = computed(tf.bincount, np.array([1, 1, 4], np.int64))
    assert found.tolist() == [0, 2, 0, 0, 1]
    assert found.dtype == np.int32


def test_unwritten_element_after_a_loop_without_turns() -> None:
    """The first write tells the shape of the zeros that the others are."""
    with tf.Graph().as_default(), tf.Session() as session:
        n = tf.placeholder(tf.int32, [])
        empty = tf.TensorArray(tf.float32, 3)
        array = tf.while_loop(
            lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, 2.0)), [0, empty]
        )[1]
        element = array.read(1)
        assert session.run(element, {n: 1}) == 0
        assert session.run(element, {n: 2}) == 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="Could not read"):
            session.run(element, {n: 0})


def test_empty_strings_have_no_parts() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        first = tf.strings.substr(["", "\u00e9x"], 0, 1, unit="UTF8_CHAR")
        parts = tf.string_split(["", "a,,b"], ",", skip_empty=False)
        assert session.run(first).tolist() == [b"", "\u00e9".encode()]
        assert session.run(parts.values).tolist() == [b"a", b"", b"b"]
