"""Least squares: `matrix_solve_ls`, by normal equations or by an orthogonal factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.cast_ops import cast
from tfc.ops.cond_functions import cond
from tfc.ops.diag_ops import eye
from tfc.ops.linalg import stacks
from tfc.ops.linalg.common import MATRICES, adjoint, matrix_dims
from tfc.ops.linalg.decomposition_ops import cholesky, cholesky_solve
from tfc.ops.lowering import to
from tfc.ops.matmul_ops import BatchMatMul, matmul
from tfc.ops.shape_ops import shape as shape_of

# Matrices beyond this many bytes are not worth reading twice, if a batch has many of them.
_CACHE = 256000


class MatrixSolveLs(
    OpDef,
    sig="MatrixSolveLs(matrix: T, rhs: T, l2_regularizer: float64, fast: bool = True) -> output: T",
    T=MATRICES,
):
    """The X with least |`matrix` X - `rhs`|^2 + l2_regularizer |X|^2; of several the least X."""

    def shape(matrix: TensorShape, rhs: TensorShape, l2: TensorShape) -> list[TensorShape]:
        s.with_rank(l2, 0)
        left, right = matrix_dims(matrix), matrix_dims(rhs)
        if left is None or right is None:
            return [s.unknown()]
        s.merge_dim(left[-2], right[-2])
        batch = s.merge_dims(left[:-2], right[:-2]) or []
        return [s.shape_of([*batch, left[-1], right[-1]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        if not op.get_attr("fast"):
            raise ValueError("Gradient not defined for fast=False")
        return [*_by_shape(op.inputs[0], lambda tall: list(_gradients(op, dy, tall))), None]

    def lower(build: Any, matrix: Value, rhs: Value, l2: Value, *, fast: bool) -> Value:
        stacks.check_equations(build, matrix, rhs)
        negative = p.lt(build, l2, p.full_like(build, l2, 0))
        stacks.require(build, p.not_(build, negative), "l2_regularizer must be >= 0.")
        a, b = stacks.stack(build, matrix), stacks.stack(build, rhs)
        weight = to(build, l2, matrix.type.dtype)
        x = _by_normal_equations(build, a, b, weight) if fast else _by_rank(build, a, b)
        return stacks.unstacked(build, x, matrix.type.shape[:-2])


def _by_normal_equations(build: Any, a: Value, b: Value, weight: Value) -> Value:
    """(A^H A + w)^-1 A^H B, or A^H (A A^H + w)^-1 B, where that is smaller."""
    product = BatchMatMul.lower
    count, rows, columns = a.type.shape
    tall, n = rows >= columns, min(rows, columns)
    gram = product(build, a, a, adj_x=tall, adj_y=not tall)
    unit = stacks.unit(build, count, n, n, a.type.dtype)
    scale = p.broadcast(build, weight, dims=(), shape=unit.type.shape)
    factor, ok = p.cholesky(build, p.add(build, gram, p.mul(build, scale, unit)))
    stacks.require(
        build, ok,
        "Input matrix was rank deficient or ill-conditioned. Try setting fast=False or "
        "provide a larger l2_regularizer > 0.",
    )  # fmt: skip
    x = product(build, a, b, adj_x=True, adj_y=False) if tall else b
    for flip in (False, True):
        x = p.triangular_solve(build, factor, x, lower=True, adjoint=flip)
    return x if tall else product(build, a, x, adj_x=True, adj_y=False)


def _by_rank(build: Any, a: Value, b: Value) -> Value:
    """The least X of those that are as good."""
    (count, rows, columns), width = a.type.shape, b.type.shape[2]
    if not (rows and columns and width):
        zero = p.constant(build, np.zeros((), numpy_dtype(a.type.dtype)))
        zeros: Value = p.broadcast(build, zero, dims=(), shape=(count, columns, width))
        return zeros
    x = p.least_squares(build, stacks.turned(build, a), stacks.turned(build, b))
    return stacks.turned(build, x)


def _gradients(op: Any, dy: Tensor, tall: bool) -> tuple[Tensor, Tensor]:
    """The gradients of matrix and right side of the solution by normal equations."""
    a, b = op.inputs[:2]
    weight = cast(op.inputs[2], a.dtype.base_dtype)
    factor = _gram_factor(a, weight, tall)
    if tall:  # X = (A^H A + w)^-1 A^H B
        z = cholesky_solve(factor, dy)
        product = matmul(op.outputs[0], z, adjoint_b=True)
        both = product + adjoint(product)
        return matmul(b, z, adjoint_b=True) - matmul(a, both), matmul(a, z)
    # X = A^H (A A^H + w)^-1 B
    db = cholesky_solve(factor, matmul(a, dy))
    inner = cholesky_solve(factor, b)
    rest = dy - matmul(a, db, adjoint_a=True)
    first = matmul(db, matmul(inner, a, adjoint_a=True))
    return matmul(inner, rest, adjoint_b=True) - first, db


def _gram_factor(matrix: Tensor, weight: Any, tall: bool) -> Tensor:
    """The Cholesky factor of A^H A + w, or of A A^H + w: the smaller one."""
    gram = matmul(matrix, matrix, adjoint_a=tall, adjoint_b=not tall)
    if isinstance(weight, Tensor) or weight != 0:
        dims = shape_of(matrix)
        static = s.dims_of(matrix.get_shape())
        at = -1 if tall else -2
        if static is not None and None not in static:
            unit = eye(static[at], batch_shape=static[:-2], dtype=matrix.dtype.base_dtype)
        else:
            unit = eye(dims[at], batch_shape=dims[:-2], dtype=matrix.dtype.base_dtype)
        gram += weight * unit
    return cholesky(gram)


def _by_shape(matrix: Tensor, rule: Any) -> Any:
    """`rule(whether there are as many rows as columns)`, decided when run if it must be."""
    dims = s.dims_of(matrix.get_shape())
    rows, columns = (None, None) if dims is None else dims[-2:]
    if rows is not None and columns is not None:
        return rule(rows >= columns)
    sizes = shape_of(matrix)[-2:]
    return cond(sizes[-2] >= sizes[-1], lambda: rule(True), lambda: rule(False))


def _composes(matrix: Tensor, fast: bool) -> bool:
    """Whether the solution is made of ops, and not by one op."""
    if not fast:
        return False
    shape = matrix.get_shape()
    if not shape.is_fully_defined():
        return True
    dims = [d or 0 for d in shape.as_list()]
    size = int(np.prod(dims, dtype=np.int64)) * matrix.dtype.size
    many = int(np.prod(dims[:-2], dtype=np.int64)) > min(dims[-2:])
    return not (size > _CACHE and many)


def matrix_solve_ls(
    matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None
) -> Tensor:
    """The X [..., n, k] with least |`matrix` X - `rhs`|^2 + l2_regularizer |X|^2.

    matrix: [..., m, n]. fast: by normal equations, which need full rank; else by an orthogonal
    factorisation, which has no gradient.

    Raises:
      ValueError: the shapes do not fit.
      InvalidArgumentError: when run, if `fast` and the rank is not full.
    """
    matrix = convert_to_tensor(matrix, name="matrix")
    if not _composes(matrix, fast):
        return apply("MatrixSolveLs", matrix, rhs, l2_regularizer, fast=fast, name=name)
    with name_scope(name, "matrix_solve_ls", [matrix, rhs, l2_regularizer]):
        rhs = convert_to_tensor(rhs, dtype=matrix.dtype.base_dtype, name="rhs")
        weight = l2_regularizer
        if isinstance(weight, Tensor):
            weight = cast(weight, matrix.dtype.base_dtype)

        def solve(tall: bool) -> Tensor:
            factor = _gram_factor(matrix, weight, tall)
            if tall:
                return cholesky_solve(factor, matmul(matrix, rhs, adjoint_a=True))
            return matmul(matrix, cholesky_solve(factor, rhs), adjoint_a=True)

        return _by_shape(matrix, solve)
