"""Cholesky, QR, singular values and eigenvalues: ops, their gradients and their functions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply, make_function
from tfc.ir.core import Value
from tfc.ops import complex_math
from tfc.ops import shape_rules as s
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import zeros_like
from tfc.ops.diag_ops import eye, matrix_band_part
from tfc.ops.join_ops import concat
from tfc.ops.linalg import stacks
from tfc.ops.linalg.common import (
    MATRICES,
    adjoint,
    matrix_dims,
    square_dims,
    square_shape,
)
from tfc.ops.linalg.diagonal_ops import matrix_diag, matrix_diag_part, matrix_set_diag
from tfc.ops.linalg.solve_ops import matrix_triangular_solve
from tfc.ops.lowering import is_complex
from tfc.ops.matmul_ops import matmul
from tfc.ops.shape_ops import expand_dims
from tfc.ops.shape_ops import shape as shape_of
from tfc.ops.unary_ops import real


class Cholesky(OpDef, sig="Cholesky(input: T) -> output: T", T=MATRICES):
    """The lower triangular L with L L^H = `input`; only the lower triangle is read."""

    shape = square_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        # with P(X) the lower triangle of X and half of its diagonal, the gradient is the Hermitian
        # part of L^-H P(L^H dL) L^-1
        factor = op.outputs[0]
        dims = shape_of(factor)
        unit = eye(dims[-1], batch_shape=dims[:-2], dtype=factor.dtype.base_dtype)
        inverse = matrix_triangular_solve(factor, unit)
        middle = matmul(factor, dy, adjoint_a=True)
        middle = matrix_set_diag(middle, 0.5 * matrix_diag_part(middle))
        middle = matrix_band_part(middle, -1, 0)
        whole = matmul(matmul(inverse, middle, adjoint_a=True), inverse)
        return [0.5 * (whole + adjoint(whole))]

    def lower(build: Any, input: Value) -> Value:
        stacks.check_square(build, input)
        factor, ok = p.cholesky(build, stacks.stack(build, input))
        message = "Cholesky decomposition was not successful. The input might not be valid."
        stacks.require(build, ok, message)
        return stacks.unstacked(build, factor, input.type.shape[:-2])


class Qr(OpDef, sig="Qr(input: T, full_matrices: bool = False) -> q: T, r: T", T=MATRICES):
    """Q with orthonormal columns and R, upper triangular, with Q R = `input`."""

    def shape(input: TensorShape, *, full_matrices: bool) -> list[TensorShape]:
        dims = matrix_dims(input)
        if dims is None:
            return [s.unknown(), s.unknown()]
        *batch, rows, columns = dims
        least = None if rows is None or columns is None else min(rows, columns)
        width = rows if full_matrices else least
        return [s.shape_of([*batch, rows, width]), s.shape_of([*batch, width, columns])]

    def grad(op: Any, dq: Tensor, dr: Tensor) -> list[Any]:
        return [_qr_gradient(op, dq, dr)]

    def lower(build: Any, input: Value, *, full_matrices: bool) -> list[Value]:
        stacks.check_matrix(build, input)
        *batch, rows, columns = input.type.shape
        count, least, dtype = prod(batch), min(rows, columns), input.type.dtype
        width = rows if full_matrices else least
        if least:
            q, packed = p.qr(build, stacks.turned(build, stacks.stack(build, input)), width=width)
            q = stacks.turned(build, q)
            top = p.slice(
                build, packed, start=(0, 0, 0), limit=(count, columns, width), stride=(1, 1, 1)
            )
            r = stacks.upper(build, stacks.turned(build, top))
        else:
            q = stacks.unit(build, count, rows, width, dtype)
            r = stacks.unit(build, count, width, columns, dtype)  # without elements
        return [stacks.unstacked(build, x, batch) for x in (q, r)]


def _qr_gradient(op: Any, dq: Tensor, dr: Tensor) -> Tensor:
    """The gradient of the matrix that was decomposed.

    Raises:
      NotImplementedError: the shape is not known, or Q is larger than what R determines.
    """
    q, r = op.outputs
    dims = s.dims_of(r.get_shape())
    if dims is None or None in dims[-2:]:
        raise NotImplementedError(f"QrGrad not implemented with dynamic shapes: {r.get_shape()}")
    columns = int(dims[-1] or 0)
    q_dims = s.dims_of(q.get_shape()) or []
    rows = int(q_dims[-2] or 0)
    if int(dims[-2] or 0) > columns:
        raise NotImplementedError(
            "QrGrad not implemented when nrows > ncols and full_matrices is true. "
            f"Received r.shape={r.get_shape()}"
        )
    if rows >= columns:
        return _tall_qr_gradient(q, r, dq, dr)
    # A wide matrix [X, Y] has R = [U, V] with X = Q U and V = Q^H Y.
    y = op.inputs[0][..., rows:]
    du, dv = dr[..., :rows], dr[..., rows:]
    inner = dq + matmul(y, dv, adjoint_b=True)
    return concat([_tall_qr_gradient(q, r[..., :rows], inner, du), matmul(q, dv)], axis=-1)


def _tall_qr_gradient(q: Tensor, r: Tensor, dq: Tensor, dr: Tensor) -> Tensor:
    """The gradient for at least as many rows as columns, and Q as narrow as the matrix."""

    def over_r(x: Tensor) -> Tensor:
        return adjoint(matrix_triangular_solve(r, adjoint(x), lower=False))

    q_part, r_part = matmul(q, dq, adjoint_a=True), matmul(r, dr, adjoint_b=True)
    skew = (q_part - adjoint(q_part)) + (r_part - adjoint(r_part))
    within = matmul(q, dr + over_r(matrix_band_part(skew, -1, 0)))
    result = within + over_r(dq - matmul(q, q_part))
    if not q.dtype.is_complex:
        return result
    # R has a real diagonal: what would turn it is taken back
    turning = r_part - adjoint(q_part)
    diagonal = matrix_diag_part(turning)
    imaginary = matrix_diag(diagonal - cast(real(diagonal), q.dtype.base_dtype))
    return result + over_r(matmul(q, adjoint(imaginary)))


def _reciprocal(x: Tensor) -> Tensor:
    """1 / x, but 0 at 0: equal values have no one gradient, and it stays finite."""
    return x * apply("Reciprocal", x * x + 1e-20)


def _gaps(values: Tensor) -> Tensor:
    """1 / (values[j] - values[i]) in row i and column j, with zeros on the diagonal."""
    differences = expand_dims(values, -2) - expand_dims(values, -1)
    return matrix_set_diag(_reciprocal(differences), zeros_like(values))


class Svd(
    OpDef,
    sig="Svd(input: T, compute_uv: bool = True, full_matrices: bool = False) -> s: T, u: T, v: T",
    T=MATRICES,
):
    """Singular values, largest first, and U and V with U diag(s) V^H = `input`. Complex matrices
    are told by `s` being of their dtype; `svd` gives them as real numbers."""

    def shape(input: TensorShape, *, compute_uv: bool, full_matrices: bool) -> list[TensorShape]:
        dims = matrix_dims(input)
        if dims is None:
            empty = TensorShape([0])
            return [s.unknown()] + ([s.unknown()] * 2 if compute_uv else [empty, empty])
        *batch, rows, columns = dims
        least = None if rows is None or columns is None else min(rows, columns)
        values = s.shape_of([*batch, least])
        if not compute_uv:
            return [values, TensorShape([0]), TensorShape([0])]
        widths = (rows, columns) if full_matrices else (least, least)
        return [
            values, s.shape_of([*batch, rows, widths[0]]), s.shape_of([*batch, columns, widths[1]])
        ]  # fmt: skip

    def grad(op: Any, ds: Tensor, du: Tensor, dv: Tensor) -> list[Any]:
        if op.get_attr("compute_uv"):
            return [_svd_gradient(op, ds, du, dv)]
        _, u, v = apply("Svd", op.inputs[0], compute_uv=True, full_matrices=False)
        return [matmul(u, matmul(matrix_diag(ds), v, adjoint_b=True))]

    def lower(build: Any, input: Value, *, compute_uv: bool, full_matrices: bool) -> list[Value]:
        stacks.check_matrix(build, input)
        found = _values_and_vectors(build, stacks.stack(build, input), full_matrices, compute_uv)
        found = [stacks.unstacked(build, x, input.type.shape[:-2]) for x in found]
        if is_complex(input):
            found[0] = p.complex(build, found[0], p.full_like(build, found[0], 0))
        return found if compute_uv else [found[0], *[stacks.none(build, input.type.dtype)] * 2]


def _values_and_vectors(build: Any, a: Value, full: bool, vectors: bool) -> list[Value]:
    """The singular values of a stack, which are real, and U and V if `vectors`."""
    count, rows, columns = a.type.shape
    least, dtype = min(rows, columns), a.type.dtype
    if not least:
        real_dtype = dtypes.REAL_PART.get(dtype, dtype)
        values = p.constant(build, np.zeros((count, 0), dtypes.numpy_dtype(real_dtype)))
        widths = (rows, columns) if full else (0, 0)
        sides = zip((rows, columns), widths, strict=True)
        return [values, *(stacks.unit(build, count, *side, dtype) for side in sides)]
    stacks.check_room(build, a, least * (4 * least + 7) + 3 * max(rows, columns))
    values, *found, ok = p.svd(build, stacks.turned(build, a), full=full, vectors=vectors)
    message = "Singular value decomposition was not successful. The input might not be valid."
    stacks.require(build, ok, message)
    if not vectors:
        return [values]
    u, vh = found
    v = complex_math.conj(build, vh) if is_complex(vh) else vh
    return [values, stacks.turned(build, u), v]


def _svd_gradient(op: Any, ds: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """The gradient of the matrix. Vectors of equal singular values have none and give zeros.

    Raises:
      NotImplementedError: the shape is not known, or the full U or V has more than one column that
        the matrix does not determine.
    """
    a = op.inputs[0]
    values, u, v = op.outputs
    dims = s.dims_of(a.get_shape())
    rows, columns = (None, None) if dims is None else dims[-2:]
    if rows is None or columns is None:
        raise NotImplementedError(
            "SVD gradient has not been implemented for input with unknown inner matrix shape."
        )
    if op.get_attr("full_matrices") and abs(rows - columns) > 1:
        raise NotImplementedError(
            "svd gradient is not implemented for abs(m - n) > 1 when full_matrices is True. "
            f"Received: m={rows} and n={columns} from op input={a} with shape={a.get_shape()}."
        )
    if rows > columns:  # that of the adjoint: V S U^H
        result = _wide_svd_gradient(op, values, v, u, ds, dv, du, columns, rows)
        return adjoint(result)
    return _wide_svd_gradient(op, values, u, v, ds, du, dv, rows, columns)


def _wide_svd_gradient(
    op: Any, values: Tensor, u: Tensor, v: Tensor, ds: Tensor, du: Tensor, dv: Tensor,
    rows: int, columns: int,
) -> Tensor:  # fmt: skip
    """The gradient for at most as many rows as columns."""
    scale, squares = matrix_diag(values), apply("Square", values)
    gaps = _gaps(squares)
    v1, dv1 = v[..., :rows], dv[..., :rows]
    v_part = matmul(v1, dv1, adjoint_a=True)
    turned_u, turned_v = gaps * matmul(u, du, adjoint_a=True), gaps * v_part
    middle = (
        matrix_diag(ds)
        + matmul(turned_u + adjoint(turned_u), scale)
        + matmul(scale, turned_v + adjoint(turned_v))
    )
    inverse = matrix_diag(_reciprocal(values))
    if values.dtype.is_complex:
        # U and V may turn together; only their product counts
        phases = matrix_diag(matrix_diag_part(v_part))
        middle += 0.5 * matmul(inverse, adjoint(phases) - phases)
    result = matmul(u, matmul(middle, v1, adjoint_b=True))
    if rows == columns:
        return result
    outside = adjoint(dv1) - matmul(matmul(dv1, v1, adjoint_a=True), v1, adjoint_b=True)
    if op.get_attr("full_matrices"):
        v2, dv2 = v[..., rows:columns], dv[..., rows:columns]
        outside -= matmul(matmul(v1, dv2, adjoint_a=True), v2, adjoint_b=True)
    return result + matmul(matmul(u, inverse), outside)


class SelfAdjointEigV2(
    OpDef,
    sig="SelfAdjointEigV2(input: T, compute_v: bool = True) -> e: T, v: T",
    T=MATRICES,
):
    """Eigenvalues of Hermitian matrices, ascending, and eigenvectors as columns. Only the lower
    triangle is read."""

    def shape(input: TensorShape, *, compute_v: bool) -> list[TensorShape]:
        dims = square_dims(input)
        values = s.shape_of(None if dims is None else dims[:-1])
        return [values, s.shape_of(dims) if compute_v else TensorShape([0])]

    def grad(op: Any, de: Tensor, dv: Tensor) -> list[Any]:
        if op.get_attr("compute_v"):
            values, v = op.outputs
            inner = matrix_diag(de) + _gaps(values) * matmul(v, dv, adjoint_a=True)
        else:
            _, v = apply("SelfAdjointEigV2", op.inputs[0], compute_v=True)
            inner = matrix_diag(de)
        whole = matmul(v, matmul(inner, v, adjoint_b=True))
        # what is read is the lower triangle; it stands for the upper one as well
        whole = matrix_band_part(whole + adjoint(whole), -1, 0)
        return [matrix_set_diag(whole, 0.5 * matrix_diag_part(whole))]

    def lower(build: Any, input: Value, *, compute_v: bool) -> list[Value]:
        stacks.check_square(build, input)
        *batch, n, _ = input.type.shape
        if not n:
            real_dtype = dtypes.REAL_PART.get(input.type.dtype, input.type.dtype)
            values = p.constant(build, np.zeros((*batch, 0), dtypes.numpy_dtype(real_dtype)))
            vectors = input
        else:
            stacks.check_room(build, input, 2 * n * (n + 3) + 1)
            a = stacks.turned(build, stacks.stack(build, input))
            values, *found, ok = p.eigh(build, a, vectors=compute_v)
            stacks.require(
                build, ok,
                "Self-adjoint eigen decomposition was not successful. "
                "The input might not be valid.",
            )  # fmt: skip
            values = stacks.unstacked(build, values, batch)
            vectors = (
                stacks.unstacked(build, stacks.turned(build, found[0]), batch) if found else input
            )
        if is_complex(input):
            values = p.complex(build, values, p.full_like(build, values, 0))
        return [values, vectors if compute_v else stacks.none(build, input.type.dtype)]


cholesky = make_function(
    "Cholesky",
    "The lower triangular L with L L^H = `input`, for Hermitian positive definite matrices\n"
    "[..., n, n]; only the lower triangle is read.\n\n"
    "Raises:\n  ValueError: the matrices are not square.\n"
    "  InvalidArgumentError: when run, on a matrix that is not positive definite.",
)
qr = make_function(
    "Qr",
    "(q, r) with q r = `input` [..., m, n]: q has orthonormal columns, as many as the lesser of m\n"
    "and n, or m if `full_matrices`; r is upper triangular.",
)


def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """Singular values s [..., p] of matrices [..., m, n], descending, with p the lesser of m and n;
    or (s, u, v) with u diag(s) v^H = `tensor`, if `compute_uv`: u [..., m, p] and v [..., n, p], or
    both square if `full_matrices`. s is real."""
    values, u, v = apply(
        "Svd",
        convert_to_tensor(tensor, name="tensor"),
        compute_uv=compute_uv,
        full_matrices=full_matrices,
        name=name,
    )
    values = real(values)
    return (values, u, v) if compute_uv else values


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """(e, v): eigenvalues [..., n] of Hermitian matrices [..., n, n], ascending, and in column
    v[..., :, i] the eigenvector of e[..., i]. Only the lower triangle is read.

    Raises:
      ValueError: the matrices are not square.
      InvalidArgumentError: when run, on numbers that are not finite.
    """
    values, vectors = apply("SelfAdjointEigV2", tensor, compute_v=True, name=name)
    return values, vectors


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues that `self_adjoint_eig` gives."""
    values, _ = apply("SelfAdjointEigV2", tensor, compute_v=False, name=name)
    return values


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """The X [..., n, k] with A X = `rhs`, given the factor `chol` that `cholesky(A)` gave.

    Raises:
      ValueError: the shapes do not fit.
    """
    with name_scope(name, "cholesky_solve", [chol, rhs]):
        inner = apply("MatrixTriangularSolve", chol, rhs, lower=True, adjoint=False)
        return apply("MatrixTriangularSolve", chol, inner, lower=True, adjoint=True)
