"""Inverses, determinants and linear equations: ops and their functions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply, make_function
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.diag_ops import matrix_band_part
from tfc.ops.linalg import lapack, stacks
from tfc.ops.linalg.common import (
    MATRICES,
    Array,
    Dims,
    broadcast_batches,
    check_square,
    matrix_dims,
    spread,
    square_dims,
    square_shape,
    stacked,
    sum_batches,
)
from tfc.ops.lowering import invalid, is_complex, to
from tfc.ops.matmul_ops import matmul
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.unary_ops import real
from tfc.passes.lower_errors import NotNative
from tfc.runtime.lapack import order_of_rows

_SINGULAR = "Input is not invertible."
_MATRIX_SINGULAR = "Input matrix is not invertible."


class MatrixInverse(
    OpDef, sig="MatrixInverse(input: T, adjoint: bool = False) -> output: T", T=MATRICES
):
    """The inverses of square matrices, or of their adjoints."""

    shape = square_shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        inverse, flip = op.outputs[0], op.get_attr("adjoint")
        inner = matmul(dy, inverse, adjoint_a=flip, adjoint_b=not flip)
        return [-matmul(inverse, inner, adjoint_a=not flip)]

    def lower(build: Any, input: Value, *, adjoint: bool) -> Value:
        stacks.check_square(build, input)
        *batch, n, _ = input.type.shape
        unit = stacks.unit(build, prod(batch), n, n, input.type.dtype)
        unit = stacks.unstacked(build, unit, batch)
        return stacks.solved(build, input, unit, adjoint, _SINGULAR)


def _scalar_shape(input: TensorShape) -> TensorShape:
    dims = square_dims(input)
    return s.shape_of(None if dims is None else dims[:-2])


class MatrixDeterminant(OpDef, sig="MatrixDeterminant(input: T) -> output: T", T=MATRICES):
    """The determinants of square matrices."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [_scalar_shape(input)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        inverse = matrix_inverse(op.inputs[0], adjoint=True)
        return [spread(dy * op.outputs[0]) * inverse]  # without a conjugate, as TensorFlow

    def lower(build: Any, input: Value) -> Value:
        stacks.check_square(build, input)
        return stacks.determinant(build, input)


class LogMatrixDeterminant(
    OpDef,
    sig="LogMatrixDeterminant(input: T) -> sign: T, log_abs_determinant: T",
    T=MATRICES,
):
    """The sign (or the phase) of each determinant, and the logarithm of its magnitude."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [_scalar_shape(input)] * 2

    def grad(op: Any, dsign: Any, dlog: Tensor) -> list[Any]:
        return [spread(dlog) * matrix_inverse(op.inputs[0], adjoint=True)]

    def lower(build: Any, input: Value) -> list[Value]:
        stacks.check_square(build, input)
        return stacks.sign_and_log(build, input)


class MatrixSolve(
    OpDef,
    sig="MatrixSolve(matrix: T, rhs: T, adjoint: bool = False) -> output: T",
    T=MATRICES,
):
    """The X with `matrix` X = `rhs`, or with the adjoint of `matrix`."""

    def shape(matrix: TensorShape, rhs: TensorShape) -> list[TensorShape]:
        return [_solved(square_dims(matrix), matrix_dims(rhs))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        flip = op.get_attr("adjoint")
        drhs = matrix_solve(op.inputs[0], dy, adjoint=not flip)
        x = op.outputs[0]
        pair = (x, drhs) if flip else (drhs, x)
        return [-matmul(*pair, adjoint_b=True), drhs]

    def lower(build: Any, matrix: Value, rhs: Value, *, adjoint: bool) -> Value:
        stacks.check_equations(build, matrix, rhs)
        stacks.check_square(build, matrix, "First input (lhs) must be a square matrix.")
        return stacks.solved(build, matrix, rhs, adjoint, _MATRIX_SINGULAR)


def _solved(matrix: Dims, rhs: Dims) -> TensorShape:
    """The shape of the solutions of square equations, whose batch dimensions are equal."""
    side = None if matrix is None else matrix[-1]
    rows, columns = (None, None) if rhs is None else rhs[-2:]
    rows = s.merge_dim(side, rows)
    batch = s.merge_dims(None if matrix is None else matrix[:-2], None if rhs is None else rhs[:-2])
    return s.shape_of(None if batch is None else [*batch, rows, columns])


class MatrixTriangularSolve(
    OpDef,
    sig="MatrixTriangularSolve(matrix: T, rhs: T, lower: bool = True, adjoint: bool = False)"
    " -> output: T",
    T=MATRICES,
):
    """The X with T X = `rhs` for the lower or upper triangle T of `matrix`, or its adjoint. Batch
    dimensions broadcast."""

    def shape(matrix: TensorShape, rhs: TensorShape) -> list[TensorShape]:
        left, right = square_dims(matrix), matrix_dims(rhs)
        batch = broadcast_batches(left, right)
        if left is None or right is None or batch is None:
            return [s.unknown()]
        return [s.shape_of([*batch, s.merge_dim(left[-2], right[-2]), right[-1]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        a, b = op.inputs
        flip, lower = op.get_attr("adjoint"), op.get_attr("lower")
        db = _triangular(a, dy, lower, not flip)
        x = op.outputs[0]
        pair = (x, db) if flip else (db, x)
        da = -matmul(*pair, adjoint_b=True)
        da = matrix_band_part(da, -1, 0) if lower else matrix_band_part(da, 0, -1)
        return [sum_batches(da, a, b), sum_batches(db, b, a)]

    def lower(build: Any, matrix: Value, rhs: Value, *, lower: bool, adjoint: bool) -> Value:
        stacks.check_square(build, matrix)
        stacks.check_matrix(build, rhs, 1)
        left, right = matrix.type.shape, rhs.type.shape
        if left[-1] != right[-2]:
            raise invalid(build, "Input matrix and rhs are incompatible.")
        try:
            batch = np.broadcast_shapes(left[:-2], right[:-2])
        except ValueError:
            message = "Batch dimensions of matrix and rhs do not broadcast"
            raise invalid(build, f"{message}: {s.text(left)} vs. {s.text(right)}") from None
        if prod(batch) and right[-1]:  # else nothing is to be solved
            above = stacks.is_above_zero(build, stacks.diagonal(build, stacks.stack(build, matrix)))
            stacks.require(build, above, _MATRIX_SINGULAR)
        if prod(left[:-2]) != 1:  # one matrix stands for all
            matrix = p.broadcast_to(build, matrix, (*batch, *left[-2:]))
        rhs = p.broadcast_to(build, rhs, (*batch, *right[-2:]))
        x = p.triangular_solve(
            build, stacks.stack(build, matrix), stacks.stack(build, rhs),
            lower=lower, adjoint=adjoint,
        )  # fmt: skip
        return stacks.unstacked(build, x, batch)


class Lu(
    OpDef,
    sig="Lu(input: T, output_idx_type: type = int32) -> lu: T, p: output_idx_type",
    T=MATRICES,
    output_idx_type=INDEX,
):
    """The factors of square matrices with rows exchanged: L (with ones on its diagonal) below, U on
    and above the diagonal, and row p[i] of the matrix is row i of L U."""

    def shape(input: TensorShape) -> list[TensorShape]:
        dims = square_dims(input)
        return [s.shape_of(dims), s.shape_of(None if dims is None else dims[:-1])]

    def lower(build: Any, input: Value, *, output_idx_type: DType) -> list[Value]:
        if is_complex(input):
            raise NotNative("LAPACK chooses other pivots of complex matrices than TensorFlow")
        stacks.check_square(build, input)
        factors, order = stacks.factored(build, input, _SINGULAR)
        return [factors, to(build, order, output_idx_type.short)]

    def host(op: Any, input: Array, **_: Any) -> list[Array]:
        check_square(op, input)

        def factor(a: Array) -> list[Array]:
            factors, pivots, regular = lapack.lu_by_magnitude(a)
            if not regular.all():
                raise lapack.Failed
            return [factors, order_of_rows(pivots)]

        return stacked(op, factor, input, failed=_SINGULAR)


matrix_inverse = make_function(
    "MatrixInverse",
    "The inverses of square matrices [..., n, n], or of their adjoints. Float or complex.\n\n"
    "Raises:\n  ValueError: the matrices are not square.\n"
    "  InvalidArgumentError: when run, on a singular matrix.",
)
matrix_determinant = make_function(
    "MatrixDeterminant",
    "The determinants [...] of square matrices [..., n, n].\n\n"
    "Raises:\n  ValueError: the matrices are not square.",
)
slogdet = make_function(
    "LogMatrixDeterminant",
    "(sign, logarithm of the magnitude) of the determinants of square matrices [..., n, n].\n\n"
    "Raises:\n  ValueError: the matrices are not square.",
    "slogdet",
)
matrix_solve = make_function(
    "MatrixSolve",
    "The X [..., n, k] with `matrix` X = `rhs`, for `matrix` [..., n, n] or its adjoint.\n\n"
    "Raises:\n  ValueError: the shapes do not fit.\n"
    "  InvalidArgumentError: when run, on a singular matrix.",
)
lu = make_function(
    "Lu",
    "(lu, p) of square matrices: both triangular factors in one matrix, and the order of rows.\n\n"
    "Raises:\n  ValueError: the matrices are not square.\n"
    "  InvalidArgumentError: when run, on a singular matrix.",
)


def _triangular(a: Any, b: Any, lower: bool, adjoint: bool) -> Tensor:
    return matrix_triangular_solve(a, b, lower=lower, adjoint=adjoint)


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """The X [..., n, k] with T X = `rhs`, for the triangle T of `matrix` [..., n, n] or its
    adjoint; the other triangle is not read.

    Raises:
      ValueError: the shapes do not fit.
      InvalidArgumentError: when run, if the diagonal has a zero.
    """
    with name_scope(name, "triangular_solve", [matrix, rhs]):
        return apply("MatrixTriangularSolve", matrix, rhs, lower=lower, adjoint=adjoint)


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithms of the determinants of Hermitian positive definite matrices.

    Raises:
      InvalidArgumentError: when run, on a matrix that is not positive definite.
    """
    with name_scope(name, "logdet", [matrix]):
        factor = apply("Cholesky", convert_to_tensor(matrix))
        diagonal = real(apply("MatrixDiagPart", factor))
        return 2.0 * reduce_sum(apply("Log", diagonal), axis=[-1])
