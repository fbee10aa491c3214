"""Linear algebra against numpy, its gradients against differences, its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import central_difference, check_gradient
from tfc.framework.opdef import apply

TYPES = [np.float32, np.float64, np.complex64, np.complex128]
dtypes = st.sampled_from(TYPES)
batches = st.sampled_from([(), (2,), (2, 1), (0,)])
sides = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 17])  # LAPACK is asked from 17 rows on
seeds = st.integers(0, 1000)
few = hypothesis_settings(max_examples=25)


def run(build: Callable[..., Any], *arrays: np.ndarray, unknown: bool = False) -> Any:
    """The value of `build` of placeholders, fed with the arrays."""
    with tf.Graph().as_default(), tf.Session() as session:
        xs = [tf.placeholder(a.dtype, None if unknown else a.shape) for a in arrays]
        return session.run(build(*xs), dict(zip(xs, arrays, strict=True)))


def matrices(seed: int, dtype: Any, *shape: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    x = random.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * random.uniform(-1, 1, shape)
    return x.astype(dtype)


def regular(seed: int, dtype: Any, batch: tuple[int, ...], n: int) -> np.ndarray:
    """Square matrices far from singular."""
    return matrices(seed, dtype, *batch, n, n) + 3 * np.eye(n, dtype=dtype)


def definite(seed: int, dtype: Any, batch: tuple[int, ...], n: int) -> np.ndarray:
    a = matrices(seed, dtype, *batch, n, n)
    return a @ a.conj().swapaxes(-1, -2) + np.eye(n, dtype=dtype)


def close(actual: Any, expected: Any) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    small = actual.dtype in (np.float32, np.complex64)
    np.testing.assert_allclose(actual, expected, rtol=2e-3 if small else 1e-8,
                               atol=2e-4 if small else 1e-9)  # fmt: skip


def adjoint(x: np.ndarray) -> np.ndarray:
    return x.conj().swapaxes(-1, -2)


@few
@given(dtypes, batches, sides, seeds, st.booleans())
def test_inverse_and_determinant(dtype: Any, batch: Any, n: int, seed: int, flip: bool) -> None:
    a = regular(seed, dtype, batch, n)
    inverse, det, (sign, log) = run(
        lambda x: (tf.matrix_inverse(x, adjoint=flip), tf.linalg.det(x), tf.linalg.slogdet(x)), a
    )
    assert inverse.dtype == det.dtype == sign.dtype == log.dtype == dtype
    close(inverse, np.linalg.inv(adjoint(a) if flip else a))
    close(det, np.linalg.det(a))
    close(sign * np.exp(log), np.linalg.det(a))


@few
@given(dtypes, batches, sides, st.integers(0, 3), seeds, st.booleans())
def test_solutions(dtype: Any, batch: Any, n: int, count: int, seed: int, flip: bool) -> None:
    a, b = regular(seed, dtype, batch, n), matrices(seed + 1, dtype, *batch, n, count)
    turned = adjoint(a) if flip else a
    close(run(lambda x, y: tf.matrix_solve(x, y, adjoint=flip), a, b), np.linalg.solve(turned, b))
    for lower in (True, False):
        part = np.tril(a) if lower else np.triu(a)
        x = run(lambda x, y, lower=lower: tf.matrix_triangular_solve(x, y, lower, flip), a, b)
        close((adjoint(part) if flip else part) @ x, b)


def test_triangular_solve_broadcasts() -> None:
    a, b = regular(0, np.float64, (2, 1), 3), matrices(1, np.float64, 4, 3, 2)
    close(run(tf.matrix_triangular_solve, a, b), np.linalg.solve(np.tril(a), b))
    check_gradient(tf.matrix_triangular_solve, a, b)


@few
@given(dtypes, batches, sides, seeds)
def test_cholesky_and_eigenvalues(dtype: Any, batch: Any, n: int, seed: int) -> None:
    a = definite(seed, dtype, batch, n)
    upper = a + 100 * np.triu(np.ones((n, n)), 1).astype(dtype)  # which is not read
    factor, log, (values, vectors), alone = run(
        lambda x: (tf.cholesky(x), tf.linalg.logdet(x), tf.self_adjoint_eig(x),
                   tf.self_adjoint_eigvals(x)), upper
    )  # fmt: skip
    close(factor, np.linalg.cholesky(a))
    assert log.dtype == np.zeros(0, dtype).real.dtype
    close(log, np.linalg.slogdet(a)[1])
    assert values.dtype == dtype
    close(values.real, np.linalg.eigvalsh(a))
    close(alone, values)
    close(vectors * values[..., None, :] @ adjoint(vectors), a)
    b = matrices(seed + 1, dtype, *batch, n, 2)
    close(run(tf.cholesky_solve, factor, b), np.linalg.solve(a, b))


@few
@given(dtypes, batches, st.integers(0, 5), st.integers(0, 5), seeds, st.booleans())
def test_qr_and_svd(dtype: Any, batch: Any, m: int, n: int, seed: int, full: bool) -> None:
    a = matrices(seed, dtype, *batch, m, n)
    (q, r), (s, u, v), alone = run(
        lambda x: (tf.qr(x, full_matrices=full), tf.svd(x, full_matrices=full),
                   tf.svd(x, compute_uv=False)), a
    )  # fmt: skip
    least = min(m, n)
    close(q @ r, a)
    close(np.tril(r, -1), np.zeros_like(r))
    for basis, rows in ((q, m), (u, m), (v, n)):
        width = rows if full else least
        assert basis.shape == (*batch, rows, width)
        close(adjoint(basis) @ basis, np.broadcast_to(np.eye(width), (*batch, width, width)))
    assert s.dtype == np.zeros(0, dtype).real.dtype
    close(s, np.linalg.svd(a, compute_uv=False) if a.size else np.zeros((*batch, least)))
    close(alone, s)
    close(u[..., :least] * s[..., None, :] @ adjoint(v[..., :least]), a)


@few
@given(dtypes, batches, sides, seeds)
def test_lu(dtype: Any, batch: Any, n: int, seed: int) -> None:
    a = matrices(seed, dtype, *batch, n, n) + np.eye(n, dtype=dtype)[::-1] * 2
    factors, order = run(tf.linalg.lu, a)
    assert order.dtype == np.int32
    lower, upper = np.tril(factors, -1) + np.eye(n, dtype=dtype), np.triu(factors)
    close(lower @ upper, np.take_along_axis(a, order[..., None].astype(int), -2))


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_pivots_are_the_greatest_in_magnitude(dtype: Any) -> None:
    """The order that TensorFlow gives; by |re| + |im| it would be 0, 1, 2."""
    a = np.array([[1 + 1j, 2, 3], [1.5, 4, 1], [0.9 + 1.1j, 1, 1]], dtype)
    factors, order = run(tf.linalg.lu, a)
    assert order.tolist() == [1, 2, 0]
    close(factors[0], a[1])
    close((np.tril(factors, -1) + np.eye(3, dtype=dtype)) @ np.triu(factors), a[order])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        run(tf.linalg.lu, np.ones((2, 2), dtype))


@few
@given(dtypes, batches, st.integers(1, 4), st.integers(1, 4), seeds, st.booleans())
def test_least_squares(dtype: Any, batch: Any, m: int, n: int, seed: int, unknown: bool) -> None:
    a, b = matrices(seed, dtype, *batch, m, n), matrices(seed + 1, dtype, *batch, m, 2)
    if not a.size:
        return
    small = (m, n) if m < n else (n, n)
    gram = a @ adjoint(a) if m < n else adjoint(a) @ a
    gram = gram + 0.5 * np.eye(small[0], dtype=dtype)
    expected = (
        adjoint(a) @ np.linalg.solve(gram, b) if m < n else np.linalg.solve(gram, adjoint(a) @ b)
    )
    found = run(lambda x, y: tf.matrix_solve_ls(x, y, l2_regularizer=0.5), a, b, unknown=unknown)
    close(found, expected)
    slow = run(lambda x, y: tf.matrix_solve_ls(x, y, fast=False), a, b)
    close(slow, np.linalg.pinv(a) @ b)


def test_least_squares_of_many_large_matrices_is_one_op() -> None:
    a, b = matrices(0, np.float64, 900, 6, 6) + 3 * np.eye(6), matrices(1, np.float64, 900, 6, 1)
    for dims in (6, 5):
        x = run(lambda x, y: tf.matrix_solve_ls(x, y, 0.25), a[..., :dims, :], b[:, :dims])
        part = a[..., :dims, :]
        gram = adjoint(part) @ part + 0.25 * np.eye(6)
        close(x, np.linalg.solve(gram, adjoint(part) @ b[:, :dims]))


@pytest.mark.parametrize("dtype", TYPES)
def test_functions_of_matrices(dtype: Any) -> None:
    a = np.stack([definite(1, dtype, (), 3), 0.001 * definite(2, dtype, (), 3)])
    a = np.concatenate([a, [8 * np.eye(3, k=1, dtype=dtype)]])
    values, vectors = np.linalg.eigh(a[:2])
    exponential = run(tf.linalg.expm, a)
    close(exponential[:2], vectors * np.exp(values)[..., None, :] @ adjoint(vectors))
    close(exponential[2], np.eye(3) + a[2] + a[2] @ a[2] / 2)
    root = run(tf.linalg.sqrtm, a[:2])
    assert root.dtype == dtype
    close(root @ root, a[:2])
    if np.dtype(dtype).kind == "c":
        close(run(tf.linalg.logm, a[:2]),
              vectors * np.log(values)[..., None, :] @ adjoint(vectors))  # fmt: skip


def test_exponential_of_what_is_not_finite() -> None:
    a = np.stack([np.eye(2), np.full((2, 2), np.inf), np.full((2, 2), np.nan)])
    found = run(tf.linalg.expm, a)
    close(found[0], np.eye(2) * np.e)
    assert np.isnan(found[1:]).all()


def test_root_of_a_real_matrix() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    close(run(tf.matrix_square_root, turn), np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2))
    assert np.isnan(run(tf.matrix_square_root, np.array([[-4.0, 1.0], [1.0, 3.0]]))).all()


GRADIENTS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "inverse": (tf.matrix_inverse, (2, 3, 3)),
    "inverse_adjoint": (lambda x: tf.matrix_inverse(x, adjoint=True), (3, 3)),
    "det": (tf.matrix_determinant, (2, 3, 3)),
    "slogdet": (lambda x: tf.linalg.slogdet(x)[1], (2, 3, 3)),
    "logdet": (tf.linalg.logdet, (3, 3)),
    "cholesky": (tf.cholesky, (2, 3, 3)),
    "qr_q": (lambda x: tf.qr(x)[0], (2, 4, 3)),
    "qr_r": (lambda x: tf.qr(x)[1], (3, 3)),
    "qr_wide": (lambda x: tf.concat(tf.qr(x), -1), (2, 4)),
    "svd": (lambda x: tf.svd(x, compute_uv=False), (2, 3, 2)),
    "svd_all": (lambda x: _rebuilt(*tf.svd(x)), (4, 2)),
    "svd_wide": (lambda x: _rebuilt(*tf.svd(x)), (2, 3)),
    "svd_full": (lambda x: _products(*tf.svd(x, full_matrices=True)), (2, 3)),
    "eigenvalues": (tf.self_adjoint_eigvals, (2, 3, 3)),
    "eigenvectors": (lambda x: _rebuilt(*_twice(*tf.self_adjoint_eig(x))), (3, 3)),
    "sqrtm": (tf.linalg.sqrtm, (2, 2, 2)),
    "lstsq": (lambda x: tf.matrix_solve_ls(x, tf.ones([4, 2], tf.float64), 0.1), (4, 2)),
    "lstsq_wide": (lambda x: tf.matrix_solve_ls(x, tf.ones([2, 2], tf.float64), 0.1), (2, 4)),
    "adjoint": (tf.linalg.adjoint, (2, 3)),
}


def _rebuilt(s: Any, u: Any, v: Any) -> Any:
    """What depends on all three, whatever the signs of the vectors."""
    return tf.matmul(u * tf.expand_dims(tf.sqrt(s) + 1, -2), v, transpose_b=True)


def _products(s: Any, u: Any, v: Any) -> Any:
    weights = tf.constant([[1.0, 2.0, 5.0]], tf.float64)
    return tf.concat([_rebuilt(s, u, v[:, :2]), tf.matmul(v * weights, v, transpose_b=True)], 0)


def _twice(e: Any, v: Any) -> tuple[Any, Any, Any]:
    return e, v, v


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    build, shape = GRADIENTS[name]
    square = shape[-1] == shape[-2]
    x = definite(3, np.float64, shape[:-2], shape[-1]) if square else matrices(3, float, *shape)

    def symmetric(x: Any) -> Any:
        y = (x + tf.matrix_transpose(x)) / 2 if name in ("cholesky", "logdet", "sqrtm") else x
        return build(y)

    check_gradient(symmetric, x, tolerance=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_gradients_of_solutions(flip: bool) -> None:
    a, b = regular(0, np.float64, (2,), 3), matrices(1, np.float64, 2, 3, 2)
    check_gradient(lambda x, y: tf.matrix_solve(x, y, adjoint=flip), a, b)
    for lower in (False, True):
        check_gradient(lambda x, y, w=lower: tf.matrix_triangular_solve(x, y, w, flip), a, b)
    check_gradient(lambda x, y: tf.matrix_solve_ls(x, y, 0.5), a, b)
    check_gradient(tf.cholesky_solve, a, b)


@pytest.mark.parametrize(
    "build",
    [tf.matrix_inverse, tf.cholesky, tf.linalg.det, lambda x: tf.svd(x, compute_uv=False),
     lambda x: tf.self_adjoint_eig(x)[0], lambda x: tf.matrix_solve(x, x[:, :1]),
     lambda x: tf.linalg.slogdet(x)[1]],
)  # fmt: skip
def test_second_derivatives(build: Callable[..., Any]) -> None:
    def slope(x: Any) -> Any:
        y = build((x + tf.transpose(x)) / 2)
        (dx,) = tf.gradients(y * y, x)
        return dx

    check_gradient(slope, definite(5, np.float64, (), 3), tolerance=1e-4)


def test_gradient_of_the_exponential() -> None:
    a = np.stack([3 * definite(1, np.float64, (), 2), 0.1 * definite(2, np.float64, (), 2)])
    weights = matrices(3, np.float64, 2, 2, 2)

    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(a.dtype, a.shape)
        total = tf.reduce_sum(tf.linalg.expm(x) * weights)
        found = session.run(tf.gradients(total, x)[0], {x: a})
        expected = central_difference(lambda v: float(session.run(total, {x: v})), [a], 0, 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_gradients_of_the_op_of_least_squares() -> None:
    a, b = matrices(0, np.float64, 2, 3, 2), matrices(1, np.float64, 2, 3, 1)
    for x, y in ((a, b), (adjoint(a), b[:, :2])):
        check_gradient(lambda x, y: apply("MatrixSolveLs", x, y, 0.5, fast=True), x, y)


def test_gradients_of_complex_matrices() -> None:
    """d Re(f) along a direction e is Re(<gradient, e>)."""
    a, e = regular(0, np.complex128, (), 3), matrices(1, np.complex128, 3, 3)
    cases: list[Callable[..., Any]] = [
        tf.matrix_inverse, lambda x: tf.svd(x, compute_uv=False), lambda x: tf.qr(x)[0],
        lambda x: tf.qr(x)[1], lambda x: tf.cholesky(tf.matmul(x, x, adjoint_b=True)),
        lambda x: tf.self_adjoint_eigvals(tf.matmul(x, x, adjoint_b=True)),
        lambda x: tf.linalg.adjoint(x), lambda x: tf.matmul(*_scaled(*tf.svd(x)), adjoint_b=True),
    ]  # fmt: skip
    step = 1e-6
    for build in cases:
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.placeholder(a.dtype, a.shape)
            y = build(x)
            w = tf.constant(matrices(7, y.dtype.as_numpy_dtype, *y.shape.as_list()))
            total = tf.reduce_sum(tf.real(tf.conj(w) * y))
            fetches = total, tf.gradients(total, x)[0]
            above, below, (_, found) = (
                session.run(fetches, {x: a + k * step * e}) for k in (1, -1, 0)
            )
        slope = (above[0] - below[0]) / (2 * step)
        np.testing.assert_allclose((found.conj() * e).sum().real, slope, rtol=1e-5, atol=1e-6)


def _scaled(s: Any, u: Any, v: Any) -> tuple[Any, Any]:
    return u * tf.cast(s * s, u.dtype), v


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tf.matrix_inverse(tf.zeros([2, 3])), "Dimensions must be equal, but are 2 and 3"),
        (lambda: tf.cholesky(tf.zeros([3])), "Shape must be at least rank 2 but is rank 1"),
        (lambda: tf.linalg.lu(tf.zeros([2, 3])), "Dimensions must be equal, but are 2 and 3"),
        (lambda: tf.linalg.expm(tf.zeros([2, 3])), "Dimensions must be equal, but are 2 and 3"),
        (lambda: tf.matrix_solve(tf.eye(3), tf.zeros([4, 2])), "Dimensions must be equal"),
        (lambda: tf.matrix_solve(tf.eye(3), tf.zeros([2, 3, 2])), "Shapes must be equal rank"),
        (lambda: tf.matrix_triangular_solve(tf.eye(3), tf.zeros([4, 2])), "Dimensions must be"),
        (lambda: tf.matrix_solve_ls(tf.zeros([2, 3]), tf.zeros([3, 2])), "Dimensions must be"),
        (lambda: tf.matrix_solve_ls(tf.eye(3), tf.zeros([4, 2]), fast=False), "Dimensions must be"),
    ],
)  # fmt: skip
def test_errors_at_construction(build: Callable[..., Any], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        build()


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
WIDE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("build", "x", "message"),
    [
        (tf.matrix_inverse, SINGULAR, "Input is not invertible"),
        (tf.matrix_inverse, WIDE, "Input matrix must be square"),
        (tf.matrix_inverse, np.ones(3), "must have rank >= 2"),
        (tf.linalg.lu, SINGULAR, "Input is not invertible"),
        (lambda x: tf.matrix_solve(x, tf.ones([2, 1], tf.float64)), SINGULAR, "matrix is not inv"),
        (lambda x: tf.matrix_solve(x, tf.ones([3, 1], tf.float64)), SINGULAR, "incompatible"),
        (lambda x: tf.matrix_solve(x, x), np.ones((2, 2, 3)), "First input"),
        (lambda x: tf.matrix_triangular_solve(x * 0, x), SINGULAR, "matrix is not invertible"),
        (lambda x: tf.matrix_triangular_solve(x, tf.ones([3, 1], tf.float64)), SINGULAR, "incomp"),
        (tf.cholesky, np.array([[1.0, 2.0], [2.0, 1.0]]), "Cholesky decomposition was not succ"),
        (tf.self_adjoint_eig, np.full((2, 2), np.nan), "decomposition was not successful"),
        (lambda x: tf.matrix_solve_ls(x, x, fast=False), np.ones(2), "must have rank >= 2"),
    ],
)  # fmt: skip
def test_errors_when_run(build: Callable[..., Any], x: np.ndarray, message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run(build, x, unknown=True)


def test_singular_values_of_nan_are_nan() -> None:
    for part in run(tf.svd, np.array([[np.nan, 1.0], [1.0, 2.0]])):
        assert np.isnan(part).all()


def test_what_has_no_gradient_says_so() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float64, [None, 3])
        with pytest.raises(NotImplementedError, match="unknown"):
            tf.gradients(tf.svd(x)[1], x)
        with pytest.raises(NotImplementedError, match="dynamic"):
            tf.gradients(tf.qr(x)[1], x)
        y = tf.placeholder(tf.float64, [4, 2])
        with pytest.raises(NotImplementedError, match="full_matrices"):
            tf.gradients(tf.qr(y, full_matrices=True)[0], y)
        with pytest.raises(NotImplementedError, match="full_matrices"):
            tf.gradients(tf.svd(y, full_matrices=True)[1], y)
        with pytest.raises(ValueError, match="fast=False"):
            tf.gradients(tf.matrix_solve_ls(y, y, fast=False), y)


def test_static_shapes() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3, None])
        lists = lambda *ts: [t.shape.as_list() for t in ts]  # noqa: E731
        assert lists(tf.matrix_inverse(x), *tf.linalg.lu(x)) == [[None, 3, 3]] * 2 + [[None, 3]]
        assert lists(*tf.linalg.slogdet(x)) == [[None], [None]]
        y = tf.placeholder(tf.float32, [4, None])
        assert lists(*tf.svd(y)) == [[None], [4, None], [None, None]]
        assert lists(*tf.svd(y, full_matrices=True)) == [[None], [4, 4], [None, None]]
        assert lists(*tf.qr(y)) == [[4, None], [None, None]]
        assert lists(*tf.self_adjoint_eig(y)) == [[4], [4, 4]]
        z, unknown = tf.placeholder(tf.float32, [3, None]), tf.placeholder(tf.float32)
        assert lists(tf.matrix_solve(unknown, z)) == [[3, None]]
        assert tf.matrix_triangular_solve(unknown, z).shape.ndims is None
        tall = tf.matrix_solve_ls(tf.placeholder(tf.float32, [4, 3]), y, fast=False)
        assert lists(tall) == [[3, None]]
