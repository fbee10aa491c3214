"""Functions of matrices: square root, logarithm, exponential."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply, make_function
from tfc.ops import shape_rules as s
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import where
from tfc.ops.const_ops import constant, zeros_like
from tfc.ops.diag_ops import eye, matrix_transpose
from tfc.ops.join_ops import concat
from tfc.ops.linalg import lapack
from tfc.ops.linalg.common import MATRICES, Array, check_square, spread, square_shape, stacked
from tfc.ops.linalg.diagonal_ops import matrix_set_diag
from tfc.ops.linalg.solve_ops import matrix_solve
from tfc.ops.matmul_ops import matmul
from tfc.ops.reduction_ops import reduce_max, reduce_sum
from tfc.ops.shape_ops import expand_dims, reshape
from tfc.ops.shape_ops import shape as shape_of
from tfc.ops.unary_api import abs_
from tfc.ops.while_functions import while_loop
from tfc.runtime.lapack import diagonals


def _triangular_root(t: Array) -> Array:
    """The principal square roots of upper triangular matrices [count, n, n], column by column."""
    n = t.shape[1]
    root = np.zeros_like(t, order="C")
    diagonal = np.sqrt(diagonals(t))
    for j in range(n):
        root[:, j, j] = diagonal[:, j]
        for i in range(j - 1, -1, -1):
            product = root[:, i, None, i + 1 : j] @ root[:, i + 1 : j, j, None]
            rest = t[:, i, j] - product[:, 0, 0]
            below = diagonal[:, i] + diagonal[:, j]
            value = np.where(rest == 0, 0, np.inf).astype(t.dtype)
            np.divide(rest, below, out=value, where=below != 0)
            root[:, i, j] = value
    return root


def _square_root(a: Array) -> Array:
    """The principal square roots; of real matrices with negative eigenvalues, which have no real
    ones, NaN everywhere."""
    t, z = lapack.schur(a.astype(np.complex128))
    root = z @ _triangular_root(t) @ lapack.adjoints(z)
    if np.iscomplexobj(a):
        return root
    values = diagonals(t)
    most = np.abs(values).max(axis=-1, initial=0, keepdims=True)
    rounding = np.finfo(a.dtype).eps * a.shape[1] * most
    negative = (values.real < -rounding) & (np.abs(values.imag) <= rounding)
    return np.where(negative.any(axis=-1)[:, None, None], np.nan, root.real)


# Gauss-Legendre nodes and weights on [0, 1]: log(1 + x) = sum of w x / (1 + node x), a Pade
# approximant exact to rounding for |x| < 0.25.
_NODES, _WEIGHTS = (side / 2 for side in np.polynomial.legendre.leggauss(8))
_NODES = _NODES + 0.5


def _logarithm(a: Array) -> Array:
    """The principal logarithms, by repeated square roots of the triangular factors."""
    t, z = lapack.schur(a.astype(np.complex128))
    count, n = a.shape[:2]
    unit, halvings = np.eye(n), np.zeros(count)
    with np.errstate(all="ignore"):
        logarithms = np.log(diagonals(t))
        for _ in range(100):
            far = np.abs(t - unit).sum(axis=1).max(axis=-1, initial=0) > 0.25
            if not far.any():
                break
            t[far] = _triangular_root(t[far])
            halvings += far
    rest = t - unit
    total = np.zeros_like(rest)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += weight * lapack.solve_triangular(unit + node * rest, rest, False, False)
    total *= 2.0 ** halvings[:, None, None]
    places = np.arange(n)
    total[:, places, places] = logarithms
    return z @ total @ lapack.adjoints(z)


def _host(function: Callable[[Array], Array], failed: str) -> Callable[..., list[Array]]:
    """The host rule of a function of stacks of finite matrices: NaN for what is not finite."""

    def whole(a: Array) -> list[Array]:
        finite = np.isfinite(a).all(axis=(1, 2))
        result = np.full_like(a, np.nan)
        result[finite] = function(a[finite])
        return [result]

    def host(op: Any, input: Array) -> list[Array]:
        check_square(op, input)
        return stacked(op, whole, input, failed=failed)

    return host


def _kronecker(a: Tensor, b: Tensor) -> Tensor:
    """The Kronecker products of square matrices of one shape."""
    dims = shape_of(a)
    side = dims[-1:]
    wide = expand_dims(expand_dims(a, -1), -3)
    narrow = expand_dims(expand_dims(b, -2), -4)
    return reshape(wide * narrow, concat([dims[:-2], side * side, side * side], 0))


class MatrixSquareRoot(OpDef, sig="MatrixSquareRoot(input: T) -> output: T", T=MATRICES):
    """The principal square root R of each matrix: R R = `input`."""

    shape = square_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        # R dX + dX R = dA: one linear equation for all elements of dX
        root = op.outputs[0]
        dims = shape_of(root)
        unit = eye(dims[-1], batch_shape=dims[:-2], dtype=root.dtype.base_dtype)
        equations = _kronecker(unit, matrix_transpose(root)) + _kronecker(root, unit)
        side = dims[-1:]
        column = concat([dims[:-2], side * side, [1]], 0)
        solved = matrix_solve(equations, reshape(matrix_transpose(dy), column))
        return [matrix_transpose(reshape(solved, dims))]

    host = _host(_square_root, "Matrix square root was not successful: no Schur form was found.")


class MatrixLogarithm(OpDef, sig="MatrixLogarithm(input: T) -> output: T", T=("c64", "c128")):
    """The principal logarithm L of each complex matrix: exp(L) = `input`."""

    shape = square_shape
    host = _host(_logarithm, "Input matrix has no logarithm: it is not invertible.")


sqrtm = make_function(
    "MatrixSquareRoot",
    "The R with R R = `input` [..., n, n] whose eigenvalues have no negative real part; NaN for a\n"
    "real matrix that has no such real root.\n\n"
    "Raises:\n  ValueError: the matrices are not square.",
    "sqrtm",
)
logm = make_function(
    "MatrixLogarithm",
    "The L with exp(L) = `input` [..., n, n], complex; eigenvalues have imaginary parts in\n"
    "(-pi, pi].\n\n"
    "Raises:\n  ValueError: the matrices are not square.\n"
    "  InvalidArgumentError: when run, on a singular matrix.",
    "logm",
)

# Diagonal Pade approximants of exp around 0, by their degrees: up to which 1-norm each is exact to
# rounding, as the method of scaling and squaring has them.
_LIMITS = {
    4: ((3, 4.258730016922831e-1), (5, 1.880152677804762), (7, 3.925724783138660)),
    8: (
        (3, 1.495585217958292e-2), (5, 2.539398330063230e-1), (7, 9.504178996162932e-1),
        (9, 2.097847961257068), (13, 5.371920351148152),
    ),
}  # fmt: skip


def _pade(matrix: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """(odd, even) parts of the numerator of the diagonal Pade approximant; the denominator is their
    difference."""
    top = math.factorial(2 * degree)
    coefficients = [
        math.factorial(2 * degree - k) * math.factorial(degree)
        / (top * math.factorial(k) * math.factorial(degree - k))
        for k in range(degree + 1)
    ]  # fmt: skip
    coefficients = [c / coefficients[-1] for c in coefficients]  # the highest power has factor 1
    unit = matrix_set_diag(zeros_like(matrix), _ones_on_diagonal(matrix))
    square = matmul(matrix, matrix)
    power, odd, even = unit, coefficients[1] * unit, coefficients[0] * unit
    for k in range(2, degree + 1, 2):
        power = square if k == 2 else matmul(power, square)
        even += coefficients[k] * power
        if k + 1 <= degree:
            odd += coefficients[k + 1] * power
    return matmul(matrix, odd), even


def _ones_on_diagonal(matrix: Tensor) -> Tensor:
    return apply("OnesLike", apply("MatrixDiagPart", matrix))


def _choose(conditions: Sequence[Tensor], cases: Sequence[Tensor]) -> Tensor:
    """For each matrix the case of the first condition that holds, else the last case."""
    result = cases[-1]
    for condition, case in zip(reversed(conditions), reversed(cases[:-1]), strict=True):
        result = where(condition, case, result)
    return result


def expm(input: Any, name: str | None = None) -> Tensor:
    """The exponential of every matrix [..., n, n], float or complex, by scaling and squaring.

    Raises:
      ValueError: the matrices are not square.
    """
    with name_scope(name, "matrix_exponential", [input]):
        given = convert_to_tensor(input, name="input")
        dims = s.with_rank_at_least(given.get_shape(), 2)
        if dims is not None and dims[-2:] == [0, 0]:
            return given
        if dims is not None:
            s.merge_dim(dims[-2], dims[-1])
        shape = shape_of(given)
        matrix = reshape(given, concat([[-1], shape[-2:]], 0))
        dtype = given.dtype.base_dtype
        limits = _LIMITS[4 if dtype.real_dtype.size == 4 else 8]
        norm = reduce_max(reduce_sum(abs_(matrix), axis=1), axis=-1)
        # what is not finite is left out of the computation, whose loop would not end
        finite = apply("IsFinite", norm)
        norm = where(finite, norm, zeros_like(norm))
        matrix = where(finite, matrix, zeros_like(matrix))
        counts = _squarings(norm, limits[-1][1])
        scale = spread(apply("Pow", constant(2.0, dtype=norm.dtype), counts))
        scaled = matrix / cast(scale, dtype)
        pairs = [_pade(matrix if k < len(limits) - 1 else scaled, degree)
                 for k, (degree, _) in enumerate(limits)]  # fmt: skip
        conditions = [norm < limit for _, limit in limits[:-1]]
        odd = _choose(conditions, [u for u, _ in pairs])
        even = _choose(conditions, [v for _, v in pairs])
        result = _squared(matrix_solve(even - odd, even + odd), counts)
        result = where(finite, result, zeros_like(result) + math.nan)
        result = reshape(result, shape)
        result.set_shape(given.get_shape())
        return result


def _squarings(norm: Tensor, limit: float) -> Tensor:
    """How often to halve each matrix so that its norm is within `limit`."""
    ratio = apply("Log", norm / constant(limit, dtype=norm.dtype)) / math.log(2.0)
    return apply("Maximum", apply("Floor", ratio), constant(0.0, dtype=norm.dtype))


def _squared(matrices: Tensor, counts: Tensor) -> Tensor:
    """Each matrix squared as often as its count says."""
    most = reduce_max(counts)

    def more(turn: Tensor, _: Tensor) -> Tensor:
        return turn < most

    def body(turn: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        return turn + 1, where(turn < counts, matmul(value, value), value)

    start = constant(0.0, dtype=counts.dtype)
    _, result = while_loop(more, body, [start, matrices])
    return result
