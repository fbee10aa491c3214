"""Batches of matrices: the bits of one matrix at a time, errors in the middle, any layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.test_linalg import TYPES, adjoint, close, definite, matrices, regular, run
from tfc.ops.linalg import lapack
from tfc.runtime import lapack as stacks

few = hypothesis_settings(max_examples=25)
dtypes = st.sampled_from(TYPES)
counts = st.sampled_from([0, 1, 2, 7])
sides = st.sampled_from([0, 1, 2, 3, 5, 8, 17])
seeds = st.integers(0, 1000)

# The functions of stacks by what they are given. Those of `stacks` take matrices by columns, which
# are as good as others.
Function = Callable[..., Any]
SQUARE: dict[str, Function] = {
    "lu": stacks.lu,
    "lu_by_magnitude": lapack.lu_by_magnitude,
}
HERMITIAN: dict[str, Function] = {"cholesky": stacks.cholesky}
FILLED: dict[str, Function] = {
    "eigh": lambda a: stacks.eigh(a, True),
    "eigenvalues": lambda a: stacks.eigh(a, False),
}
ANY: dict[str, Function] = {
    "qr": lambda a: stacks.qr(a, min(a.shape[1:])),
    "qr_full": lambda a: stacks.qr(a, a.shape[2]),
    "svd": lambda a: stacks.svd(a, False, True),
    "svd_full": lambda a: stacks.svd(a, True, True),
    "singular_values": lambda a: stacks.svd(a, False, False),
}
EQUATIONS: dict[str, Function] = {
    "solve": lambda a, b: stacks.solve(a, b.swapaxes(1, 2), False),
    "solve_adjoint": lambda a, b: stacks.solve(a, b.swapaxes(1, 2), True),
    "lower": lambda a, b: lapack.solve_triangular(a, b, True, False),
    "lower_adjoint": lambda a, b: lapack.solve_triangular(a, b, True, True),
    "upper": lambda a, b: lapack.solve_triangular(a, b, False, False),
    "tridiagonal": lambda a, b: stacks.tridiagonal_solve(
        np.stack([a[:, 0], 4 + a[:, -1], a[:, 0]], 1), b.swapaxes(1, 2)
    ),
}


def parts(found: Any) -> tuple[np.ndarray, ...]:
    return found if isinstance(found, tuple) else (found,)


def one_by_one(function: Function, *arrays: np.ndarray) -> None:
    """The bits for a stack are those for stacks of one matrix, whatever the strides; nothing that
    was given is written to."""
    kept = [a.copy() for a in arrays]
    whole = parts(function(*arrays))
    for k in range(len(arrays[0])):
        alone = parts(function(*(a[k : k + 1].copy() for a in arrays)))
        for x, y in zip(whole, alone, strict=True):
            assert x[k].shape == y[0].shape and x.dtype == y.dtype
            assert x[k].tobytes() == y[0].tobytes()
    for x, y in zip(arrays, kept, strict=True):
        assert x.tobytes() == y.tobytes()
    for x, y in zip(whole, parts(function(*(scattered(a) for a in arrays))), strict=True):
        assert x.tobytes() == y.tobytes()


def scattered(x: np.ndarray) -> np.ndarray:
    """`x` with every stride another one than it has in memory of its own."""
    wide = np.zeros((x.shape[2] + 1, 2 * x.shape[0], x.shape[1]), x.dtype)
    view = wide[1:, ::-2].transpose(1, 2, 0)
    view[...] = x
    return view


@few
@given(dtypes, counts, sides, st.integers(0, 4), seeds)
def test_the_bits_are_those_of_each_matrix(
    dtype: Any, count: int, n: int, width: int, seed: int
) -> None:
    square, other = regular(seed, dtype, (count,), n), matrices(seed, dtype, count, n, width)
    for function in SQUARE.values():
        one_by_one(function, square[:, ::-1])
    for function in HERMITIAN.values():
        one_by_one(function, definite(seed, dtype, (count,), n))
    for function in FILLED.values() if n else ():
        one_by_one(function, definite(seed, dtype, (count,), n))
    for function in ANY.values() if n and width else ():
        one_by_one(function, other)
        one_by_one(function, adjoint(other))
    for function in EQUATIONS.values() if n else ():
        one_by_one(function, square, other)
    if n and width:
        one_by_one(stacks.least_squares, square, other.swapaxes(1, 2))
    if np.dtype(dtype).kind == "c":
        one_by_one(lapack.schur, square)


@few
@given(
    dtypes, st.sampled_from([(), (1,), (3,), (2, 2)]), st.sampled_from([1, 2, 3, 4, 6, 17]), seeds
)
def test_ops_on_batches_equal_ops_on_matrices(dtype: Any, batch: Any, n: int, seed: int) -> None:
    a = definite(seed, dtype, batch, n)
    b = matrices(seed + 1, dtype, *batch, n, 2)
    rows = np.stack([b[..., 0], a[..., 0] + 9, b[..., 1]], -2)

    def build(x: Any, y: Any, z: Any) -> list[Any]:
        roots = [tf.linalg.sqrtm(x)] + ([tf.linalg.logm(x)] if x.dtype.is_complex else [])
        return [
            tf.matrix_inverse(x), tf.matrix_determinant(x), *tf.linalg.slogdet(x),
            tf.matrix_solve(x, y), tf.matrix_triangular_solve(x, y), *tf.linalg.lu(x),
            tf.cholesky(x), *tf.qr(y), *tf.svd(y), tf.svd(y, compute_uv=False),
            *tf.self_adjoint_eig(x), tf.self_adjoint_eigvals(x), *roots,
            tf.matrix_solve_ls(x, y, 0.5), tf.matrix_solve_ls(x, y, fast=False),
            tf.linalg.tridiagonal_solve(z, y),
        ]  # fmt: skip

    whole = run(build, a, b, rows)
    for at in np.ndindex(*batch):
        for x, y in zip(whole, run(build, a[at], b[at], rows[at]), strict=True):
            assert x[at].tobytes() == y.tobytes()


@given(dtypes, st.integers(0, 9), st.integers(1, 6), seeds)
@few
def test_determinants_of_many(dtype: Any, count: int, n: int, seed: int) -> None:
    a = matrices(seed, dtype, count, n, n)
    det, (sign, log) = run(lambda x: (tf.matrix_determinant(x), tf.linalg.slogdet(x)), a)
    close(det, np.linalg.det(a))
    close(sign * np.exp(log), det)


def test_order_of_rows_against_the_permuted_matrices() -> None:
    for dtype in TYPES:
        a = matrices(4, dtype, 20, 5, 5)
        factors, order = run(tf.linalg.lu, a)
        lower, upper = np.tril(factors, -1) + np.eye(5, dtype=dtype), np.triu(factors)
        close(lower @ upper, np.take_along_axis(a, order[..., None].astype(int), 1))
        assert (np.sort(order, -1) == np.arange(5)).all()


BAD: list[tuple[Callable[..., Any], np.ndarray, str]] = [
    (tf.matrix_inverse, np.ones((3, 3)), "Input is not invertible"),
    (tf.linalg.lu, np.ones((3, 3)), "Input is not invertible"),
    (lambda x: tf.matrix_solve(x, x), np.ones((3, 3)), "Input matrix is not invertible"),
    (lambda x: tf.matrix_triangular_solve(x, x), np.diag([1.0, 0, 1]), "matrix is not invertible"),
    (tf.cholesky, np.diag([1.0, -1, 1]), "Cholesky decomposition was not successful"),
    (tf.cholesky, np.full((3, 3), np.nan), "Cholesky decomposition was not successful"),
    (tf.self_adjoint_eig, np.tril(np.full((3, 3), np.inf)), "eigen decomposition was not succ"),
]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("build", "bad", "message"), BAD)
def test_one_bad_matrix_of_a_batch(build: Any, bad: np.ndarray, message: str, dtype: Any) -> None:
    for at in (0, 2, 4):
        a = definite(1, dtype, (5,), 3)
        run(build, a)
        a[at] = bad
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(build, a)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_not_finite_leaves_the_other_matrices_alone(dtype: Any) -> None:
    a = definite(2, dtype, (4,), 3)
    b = a.copy()
    b[1, 0, 2], b[3, 2, 0] = np.nan, np.inf
    functions: list[Callable[..., Any]] = [tf.svd, lambda x: [tf.linalg.sqrtm(x)]]
    functions.append(lambda x: [tf.matrix_determinant(x), *tf.linalg.slogdet(x)])
    for build in functions:
        for x, y in zip(run(build, b), run(build, a), strict=True):
            assert x[::2].tobytes() == y[::2].tobytes()
    for x in run(tf.svd, b):
        assert np.isnan(x[1::2]).all()
    assert np.isnan(run(tf.linalg.sqrtm, b)[1::2]).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="decomposition was not successful"):
        run(tf.self_adjoint_eig, b)
    b[3] = a[3]  # what remains stands in an upper triangle, which is not read
    for x, y in zip(run(tf.self_adjoint_eig, b), run(tf.self_adjoint_eig, a), strict=True):
        assert x.tobytes() == y.tobytes()


def test_singular_matrices_of_three_diagonals() -> None:
    diagonals = np.ones((3, 3, 4)) * np.array([[1.0], [4.0], [1.0]])
    diagonals[1] = 0
    b = matrices(0, np.float64, 3, 4, 2)
    x = run(tf.linalg.tridiagonal_solve, diagonals, b)
    full = 4 * np.eye(4) + np.eye(4, k=1) + np.eye(4, k=-1)
    close(x[::2], np.linalg.solve(full, b[::2]))
    assert np.isnan(x[1]).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="requires pivoting"):
        run(lambda d, y: tf.linalg.tridiagonal_solve(d, y, partial_pivoting=False), diagonals, b)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_thousands_of_small_matrices(n: int) -> None:
    a = regular(0, np.float32, (3000,), n)
    inverse, det = run(lambda x: (tf.matrix_inverse(x), tf.matrix_determinant(x)), a)
    close(inverse @ a, np.broadcast_to(np.eye(n, dtype=np.float32), a.shape))
    np.testing.assert_allclose(det, np.linalg.det(a), rtol=1e-4)
