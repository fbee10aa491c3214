"""Diagonals, tridiagonal systems, norms, pseudo-inverses, and LU factors, against numpy.

Numbers written out are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient

few = hypothesis_settings(max_examples=12)
ALIGN = ["LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"]


def run(build: Callable[..., Any], *arrays: Any, unknown: bool = False) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        given = [np.asarray(a) for a in arrays]
        xs = [tf.placeholder(a.dtype, None if unknown else a.shape) for a in given]
        return session.run(build(*xs), dict(zip(xs, given, strict=True)))


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-1, 1, shape)


def diagonals_of(x: np.ndarray, low: int, high: int, align: str, padding: float) -> np.ndarray:
    """The band as rows, by its definition."""
    parts = {d: np.diagonal(x, d, -2, -1) for d in range(low, high + 1)}
    longest = max(p.shape[-1] for p in parts.values())
    upper, lower = align.split("_")
    rows = []
    for d in range(high, low - 1, -1):
        rest = longest - parts[d].shape[-1]
        left = (upper if d > 0 else lower if d < 0 else "LEFT") == "LEFT"
        ends = (0, rest) if left else (rest, 0)
        widths = [(0, 0)] * (x.ndim - 2) + [ends]
        rows.append(np.pad(parts[d], widths, constant_values=padding))
    return np.stack(rows, -2) if low < high else rows[0]


@few
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(ALIGN), st.booleans(), st.data())
def test_bands(rows: int, columns: int, align: str, unknown: bool, data: Any) -> None:
    low = data.draw(st.integers(1 - rows, columns - 1))
    high = data.draw(st.integers(low, columns - 1))
    k = low if low == high else (low, high)
    x = values(rows * 10 + columns, 2, rows, columns)
    expected = diagonals_of(x, low, high, align, 7.0)
    found = run(lambda x: tf.linalg.diag_part(x, k=k, padding_value=7, align=align), x,
                unknown=unknown)  # fmt: skip
    np.testing.assert_array_equal(found, expected)
    i, j = np.indices((rows, columns))
    inside = (j - i >= low) & (j - i <= high)
    again = run(
        lambda d: tf.linalg.diag(d, k=k, num_rows=rows, num_cols=columns, padding_value=5,
                                 align=align),
        expected, unknown=unknown,
    )  # fmt: skip
    np.testing.assert_array_equal(again, np.where(inside, x, 5))
    other = values(1, 2, rows, columns)
    changed = run(lambda x, d: tf.linalg.set_diag(x, d, k=k, align=align), other, expected,
                  unknown=unknown)  # fmt: skip
    np.testing.assert_array_equal(changed, np.where(inside, x, other))


def test_bands_are_those_of_tensorflow() -> None:
    x = np.arange(12).reshape(3, 4)
    found = run(lambda x: tf.matrix_diag_part(x, k=(-1, 2)), x)
    assert found.tolist() == [[0, 2, 7], [1, 6, 11], [0, 5, 10], [4, 9, 0]]
    assert run(lambda: tf.matrix_diag([1.0, 2.0], k=1)).tolist() == [[0, 1, 0], [0, 0, 2], [0] * 3]
    rows = np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]])
    found = run(lambda d: tf.matrix_diag(d, "d", (0, 1), 3, 4, padding_value=9), rows)
    assert found.tolist() == [[3, 1, 9, 9], [9, 4, 2, 9], [9, 9, 5, 0]]
    fed = run(lambda x, k: tf.matrix_diag_part(x, k=k), x, np.array([0, 1], "i4"))
    assert fed.tolist() == [[1, 6, 11], [0, 5, 10]]
    assert run(lambda: tf.matrix_diag([True, False])).tolist() == [[True, False], [False, False]]


def test_gradients_of_bands() -> None:
    x, rows = values(0, 2, 3, 4), values(1, 2, 2, 3)
    for align in ALIGN:
        check_gradient(lambda x, a=align: tf.linalg.diag_part(x, k=(-1, 2), align=a), x)
        check_gradient(lambda d, a=align: tf.linalg.diag(d, k=(-1, 0), align=a), rows)
        check_gradient(lambda x, d, a=align: tf.linalg.set_diag(x, d, k=(0, 1), align=a), x, rows)
    check_gradient(lambda x: tf.linalg.diag_part(x, k=1), x)


def test_names_shapes_and_errors_of_bands() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3, 4])
        assert tf.matrix_diag_part(x).name == "diag_part:0"
        assert tf.matrix_diag_part(x, k=(-1, 0)).shape.as_list() == [None, 2, 3]
        assert tf.matrix_diag_part(x, k=tf.placeholder(tf.int32)).shape.ndims is None
        some = tf.placeholder(tf.float32, [None, None])
        assert tf.matrix_diag_part(some, k=-1).shape.as_list() == [None]
        assert tf.matrix_diag(some, k=1).shape.as_list() == [None, None, None]
        assert tf.matrix_set_diag(x, tf.ones([1, 3]), k=1).shape.as_list() == [None, 3, 4]
        for build, message in (
            (lambda: tf.matrix_diag_part(x, k=-5), "lower_diag_index is out of bound"),
            (lambda: tf.matrix_diag_part(x, k=(2, 1)), "greater than upper_diag_index"),
            (lambda: tf.matrix_diag_part(x, k=1, align="UP"), "align must be one of"),
            (lambda: tf.matrix_diag(tf.ones([2, 3]), k=(0, 3)), "The number of rows of `diagonal`"),
            (lambda: tf.matrix_diag(tf.ones([2]), k=1, num_rows=1), "num_rows is too small"),
            (lambda: tf.matrix_diag(tf.ones([2]), num_rows=3, num_cols=3), "not consistent"),
        ):
            with pytest.raises(ValueError, match=message):
                build()
    with pytest.raises(tf.errors.InvalidArgumentError, match="Either first dimensions"):
        run(lambda x: tf.matrix_set_diag(x, tf.ones([2], tf.float64), k=1), values(0, 3, 4))
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of bound"):
        run(lambda x: tf.matrix_diag_part(x, k=9), values(0, 3, 4), unknown=True)


def band_matrix(rows: np.ndarray) -> np.ndarray:
    above, main, below = rows
    return np.diag(above[:-1], 1) + np.diag(main) + np.diag(below[1:], -1)


@hypothesis_settings(max_examples=6)
@given(st.integers(2, 5), st.integers(1, 3), st.sampled_from([1, 1j]), st.integers(0, 99))
def test_tridiagonal(m: int, k: int, unit: complex, seed: int) -> None:
    rows = values(seed, 3, m) + unit * values(seed + 1, 3, m) + 3 * np.eye(3)[1][:, None]
    rows, rhs = (rows.real if unit == 1 else rows), values(seed + 2, m, k)
    rhs = rhs.astype(rows.dtype)
    matrix = band_matrix(rows)
    expected = np.linalg.solve(matrix, rhs)
    forms = {"compact": rows, "matrix": matrix}
    for form, given_rows in forms.items():
        found = run(lambda d, x, f=form: (tf.linalg.tridiagonal_solve(d, x, f),
                                          tf.linalg.tridiagonal_matmul(d, x, f)),
                    given_rows, rhs)  # fmt: skip
        np.testing.assert_allclose(found[0], expected, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found[1], matrix @ rhs, rtol=1e-8, atol=1e-9)
    above, main, below = rows
    found = run(
        lambda a, b, c, x: tf.linalg.tridiagonal_solve((a, b, c), x, "sequence"),
        above[:-1],
        main,
        below[1:],
        rhs[:, 0],
    )
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-8, atol=1e-9)
    turned = run(lambda d, x: tf.linalg.tridiagonal_solve(
        d, x, transpose_rhs=True, conjugate_rhs=True), rows, rhs.conj().T)  # fmt: skip
    np.testing.assert_allclose(turned, expected, rtol=1e-8, atol=1e-9)


def test_tridiagonal_gradients_and_errors() -> None:
    rows, rhs = values(0, 2, 3, 4) + 3 * np.eye(3)[1][:, None], values(1, 2, 4, 2)
    check_gradient(tf.linalg.tridiagonal_solve, rows, rhs)
    check_gradient(tf.linalg.tridiagonal_matmul, rows, rhs)
    assert np.isnan(run(tf.linalg.tridiagonal_solve, np.zeros((3, 4)), values(0, 4, 2))).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="requires pivoting"):
        run(lambda d, x: tf.linalg.tridiagonal_solve(d, x, partial_pivoting=False),
            np.zeros((3, 4)), values(0, 4, 2))  # fmt: skip
    with tf.Graph().as_default():
        three, four = tf.ones([3, 4]), tf.ones([4])
        for build, message in (
            (lambda: tf.linalg.tridiagonal_solve(tf.ones([2, 4]), four), "Expected 3 diagonals"),
            (lambda: tf.linalg.tridiagonal_solve(three, tf.ones([5])), "got 4 and 5"),
            (lambda: tf.linalg.tridiagonal_solve(three, four, "x"), "Unrecognized diagonals"),
            (lambda: tf.linalg.tridiagonal_solve(tf.ones([2, 3, 4]), tf.ones([4, 2])), "Batch sh"),
            (lambda: tf.linalg.tridiagonal_solve(three, tf.ones([1, 2, 4])), "the rank of rhs to"),
            (lambda: tf.linalg.tridiagonal_solve([four], four, "sequence"), "sequence of length 3"),
            (lambda: tf.linalg.tridiagonal_solve([tf.ones([2]), four, four], four, "sequence"),
             "Expected superdiagonal to be have length 4 or 3, got 2"),
            (lambda: tf.linalg.tridiagonal_matmul(three, three, "matrix"), "last two dimensions"),
            (lambda: tf.linalg.tridiagonal_solve(
                three, four, partial_pivoting=False, perturb_singular=True), "partial_pivoting"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                build()
        with pytest.raises(tf.errors.UnimplementedError, match="perturb_singular"):
            tf.linalg.tridiagonal_solve(three, four, perturb_singular=True)


@pytest.mark.parametrize("unknown", [False, True])
def test_spectral_norm(unknown: bool) -> None:
    x = values(0, 2, 3, 4)
    for axes in ((-2, -1), (0, 2), (2, 1)):
        found = run(lambda x, a=axes: (tf.norm(x, 2, a), tf.norm(x, 2, list(a), keepdims=True)), x,
                    unknown=unknown)  # fmt: skip
        np.testing.assert_allclose(found[0], np.linalg.norm(x, 2, axes))
        np.testing.assert_allclose(found[1], np.linalg.norm(x, 2, axes, keepdims=True))
    z = values(1, 3, 2) + 1j * values(2, 3, 2)
    np.testing.assert_allclose(run(lambda z: tf.norm(z, 2, (0, 1)), z), np.linalg.norm(z, 2))


def test_norms() -> None:
    x = values(0, 3, 4)
    check_gradient(lambda x: tf.norm(x, 2, [-2, -1]), x)
    for order in (1, 2, 3, np.inf):
        found = run(lambda x, o=order: tf.linalg.normalize(x, o, axis=1), x)
        size = np.linalg.norm(x, order, 1, keepdims=True)
        np.testing.assert_allclose(found[1], size)
        np.testing.assert_allclose(found[0], x / size)
    check_gradient(lambda x: tf.linalg.normalize(x)[0], x)
    with tf.Graph().as_default():
        y = tf.placeholder(tf.float32, [2, 3, 4])
        assert tf.norm(y, 2, [-2, -1]).shape.as_list() == [None]
        for arguments, message in (
            (("nuc", [0, 1]), "must be a supported matrix norm"), (("fro",), "supported vector"),
            ((2, [0, 0]), "unique integers, got"), ((2, [0, 5]), "out of range"),
            ((-1,), "must be a supported vector norm"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                tf.norm(y, *arguments)


@few
@given(st.sampled_from([(), (2,)]), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_pseudo_inverse_and_rank(batch: Any, m: int, n: int, unknown: bool) -> None:
    x = values(m * n, *batch, m, n)
    x[..., -1, :] = x[..., 0, :]
    found, rank = run(lambda x: (tf.linalg.pinv(x), tf.linalg.matrix_rank(x)), x, unknown=unknown)
    np.testing.assert_allclose(found, np.linalg.pinv(x), rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(rank, np.linalg.matrix_rank(x))
    assert rank.dtype == np.int32


def test_pseudo_inverse_with_a_limit() -> None:
    x = np.diag([4.0, 1.0])
    np.testing.assert_allclose(run(lambda x: tf.linalg.pinv(x, 0.5), x), np.diag([0.25, 0]))
    assert run(lambda x: tf.linalg.matrix_rank(x, 2.0, validate_args=True), x, unknown=True) == 1
    check_gradient(tf.linalg.pinv, values(0, 3, 2))
    with tf.Graph().as_default():
        assert tf.linalg.pinv(tf.placeholder(tf.float32, [None, 3])).shape.as_list() == [3, None]
        with pytest.raises(TypeError, match="float"):
            tf.linalg.pinv(tf.ones([2, 2], tf.int32))
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            tf.linalg.matrix_rank(tf.ones([2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 2 dimensions"):
        run(lambda x: tf.linalg.pinv(x, validate_args=True), np.ones(2), unknown=True)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_what_lu_factors_are_good_for(batch: tuple[int, ...]) -> None:
    a, b = values(0, *batch, 3, 3) + 2 * np.eye(3)[::-1], values(1, *batch, 3, 2)

    def build(a: Any, b: Any) -> Any:
        lu = tf.linalg.lu(a)
        return (tf.linalg.lu_solve(*lu, b, validate_args=True), tf.linalg.lu_matrix_inverse(*lu),
                tf.linalg.lu_reconstruct(*lu))  # fmt: skip

    solved, inverse, again = run(build, a, b)
    np.testing.assert_allclose(solved, np.linalg.solve(a, b))
    np.testing.assert_allclose(inverse, np.linalg.inv(a))
    np.testing.assert_allclose(again, a)
    wide = run(lambda a, b: tf.linalg.lu_solve(*tf.linalg.lu(a), b), a, b.reshape(-1, 3, 2)[0])
    whole = np.broadcast_to(b.reshape(-1, 3, 2)[0], b.shape)
    np.testing.assert_allclose(wide, np.linalg.solve(a, whole))


def test_errors_of_lu_factors() -> None:
    with tf.Graph().as_default():
        for build, message in (
            (lambda: tf.linalg.lu_solve(tf.ones([3]), [0], tf.ones([3, 1])), "at least 2 dim"),
            (lambda: tf.linalg.lu_reconstruct(tf.ones([2, 3, 3]), [0, 1, 2]), "`rank"),
            (lambda: tf.linalg.lu_matrix_inverse(tf.ones([2, 3]), [0, 1]), "must be square"),
            (lambda: tf.linalg.lu_solve(tf.eye(3), [0, 1, 2], tf.ones([3])), "Input `rhs`"),
            (lambda: tf.linalg.lu_solve(tf.eye(3), [0, 1, 2], tf.ones([4, 1])), "must equal `rhs"),
        ):
            with pytest.raises(ValueError, match=message):
                build()


def test_conjugate_transposes() -> None:
    z = values(0, 2, 3) + 1j * values(1, 2, 3)
    found = run(lambda z: (tf.transpose(z, conjugate=True), tf.matrix_transpose(z, conjugate=True),
                           tf.linalg.adjoint(z)), z, unknown=True)  # fmt: skip
    for result in found:
        np.testing.assert_array_equal(result, z.conj().T)
    weights = values(2, 3, 2) + 1j
    grad = run(lambda z: tf.gradients(tf.linalg.adjoint(z), z, grad_ys=tf.constant(weights))[0], z)
    np.testing.assert_array_equal(grad, weights.conj().T)
    with tf.Graph().as_default():
        assert tf.transpose(tf.ones([2, 3]), conjugate=True).op.type == "Transpose"
        assert tf.linalg.adjoint(tf.zeros([2, 3], tf.complex64)).op.type == "ConjugateTranspose"


def test_products_of_matrices_and_vectors() -> None:
    a, b = values(0, 2, 3, 4), values(1, 2, 4)
    np.testing.assert_allclose(
        run(tf.linalg.matvec, a, b, unknown=True), (a @ b[..., None])[..., 0]
    )
    turned = run(lambda a, b: tf.linalg.matvec(a, b, transpose_a=True), a, values(2, 2, 3))
    np.testing.assert_allclose(turned, (a.swapaxes(1, 2) @ values(2, 2, 3)[..., None])[..., 0])
    c = values(3, 5, 2, 4, 3)
    np.testing.assert_allclose(run(tf.matmul, a, c, unknown=True), a @ c)
    check_gradient(tf.matmul, a, c[:2])
