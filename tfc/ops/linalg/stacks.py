"""What lowering rules of ops on matrices share: batches as stacks, matrices by columns, checks.

`build` is the Lowering that a rule receives. Factorisations (`prims/factorization.py`) take stacks
[count, rows, columns], or *by columns* [count, columns, rows].
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.ir.core import Value
from tfc.ops import complex_math
from tfc.ops.lowering import invalid, is_complex, reshape_value
from tfc.prims.factorization import MOST_SIDE, is_small_side

Shape = tuple[int, ...]


def check_matrix(build: Any, x: Value, index: int = 0) -> None:
    """Check that `x` holds matrices whose rows and columns LAPACK can count.

    Raises:
      InvalidArgumentError: it has less than two dimensions.
      ResourceExhaustedError: they have 2**31 rows or columns, or more.
    """
    if x.type.rank < 2:
        raise invalid(build, f"Input tensor {index} must have rank >= 2, got {x.type.rank}")
    check_room(build, x, max(x.type.shape[-2:]))


def check_equations(build: Any, matrix: Value, rhs: Value) -> None:
    """Check that matrices and right-hand sides are systems of equations.

    Raises:
      InvalidArgumentError: their ranks, outer dimensions or rows differ.
      ResourceExhaustedError: one has 2**31 rows or columns, or more.
    """
    check_matrix(build, matrix)
    left, right = matrix.type.shape, rhs.type.shape
    if len(left) != len(right):
        raise invalid(build, "All input tensors must have the same rank.")
    if left[:-2] != right[:-2]:
        raise invalid(build, "All input tensors must have the same outer dimensions.")
    if left[-2] != right[-2]:
        raise invalid(build, "Input matrix and rhs are incompatible.")
    check_matrix(build, rhs, 1)


def check_room(build: Any, x: Value, numbers: int) -> None:
    """ResourceExhaustedError if LAPACK, which counts in 32 bits, needs room for as many `numbers`
    or more to factor the matrices of `x`."""
    if numbers > MOST_SIDE:
        message = f"matrices of shape {list(x.type.shape[-2:])} are too large to be factored"
        raise errors.ResourceExhaustedError(None, build.op, message)


def check_square(build: Any, x: Value, message: str = "Input matrix must be square.") -> None:
    """InvalidArgumentError unless `x` holds square matrices."""
    check_matrix(build, x)
    if x.type.shape[-1] != x.type.shape[-2]:
        raise invalid(build, message)


def stack(build: Any, x: Value) -> Value:
    """Matrices [..., rows, columns] as a stack."""
    shape = x.type.shape
    return reshape_value(build, x, (prod(shape[:-2]), *shape[-2:]))


def unstacked(build: Any, x: Value, batch: Sequence[int]) -> Value:
    """A stack of anything with the dimensions of the batch in place of the first."""
    return reshape_value(build, x, (*batch, *x.type.shape[1:]))


def turned(build: Any, x: Value) -> Value:
    """A stack of matrices by columns from one by rows, and the other way round."""
    count, rows, columns = x.type.shape
    if 1 in (rows, columns):
        return reshape_value(build, x, (count, columns, rows))
    value: Value = p.transpose(build, x, perm=(0, 2, 1))
    return value


def diagonal(build: Any, x: Value) -> Value:
    """[count, n] of a stack of square matrices."""
    count, n, _ = x.type.shape
    flat = reshape_value(build, x, (count, n * n))
    value: Value = p.slice(build, flat, start=(0, 0), limit=(count, n * n), stride=(1, n + 1))
    return value


def is_above_zero(build: Any, x: Value) -> Value:
    """Whether |x| is: not of zeros and NaN."""
    size = p.abs(build, p.real(build, x) if is_complex(x) else x)
    if is_complex(x):
        size = p.add(build, size, p.abs(build, p.imag(build, x)))
    value: Value = p.gt(build, size, p.full_like(build, size, 0))
    return value


def require(build: Any, ok: Value, message: str) -> None:
    """Fail the run with an InvalidArgumentError unless all of `ok` are true."""
    build.assert_(ok, message=message)


def unit(build: Any, count: int, rows: int, columns: int, dtype: str) -> Value:
    """A stack of matrices with ones on the diagonal."""
    shape = (count, rows, columns)
    row, column = (p.iota(build, dtype="i64", shape=shape, dim=dim) for dim in (1, 2))
    one, zero = (p.constant(build, np.array(x, dtypes.numpy_dtype(dtype))) for x in (1, 0))
    ones, zeros = (p.broadcast(build, x, dims=(), shape=shape) for x in (one, zero))
    value: Value = p.select(build, p.eq(build, row, column), ones, zeros)
    return value


def upper(build: Any, x: Value) -> Value:
    """A stack with zeros below the diagonals."""
    row, column = (p.iota(build, dtype="i64", shape=x.type.shape, dim=dim) for dim in (1, 2))
    zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(x.type.dtype)))
    zeros = p.broadcast(build, zero, dims=(), shape=x.type.shape)
    value: Value = p.select(build, p.le(build, row, column), x, zeros)
    return value


def none(build: Any, dtype: str) -> Value:
    """What an op gives for vectors that were not asked for."""
    return p.constant(build, np.zeros(0, dtypes.numpy_dtype(dtype)))


def solved(build: Any, a: Value, b: Value, adjoint: bool, singular: str) -> Value:
    """The X [..., n, k] with A X = `b`, or A^H X = `b`, for matrices whose batches are equal. No
    matrix is singular where nothing is to be solved."""
    left, right = stack(build, a), stack(build, b)
    small = is_small_side(a.type.shape[-1])
    if not small:
        left, right = turned(build, left), turned(build, right)
    x, ok = p.solve(build, left, right, adjoint=adjoint)
    if b.type.size:
        require(build, ok, singular)
    return unstacked(build, x if small else turned(build, x), b.type.shape[:-2])


def _lu(build: Any, a: Value) -> tuple[Value, Value, Value]:
    """(factors, exchanges, order of rows) of square matrices; factors by rows if they are small,
    else by columns."""
    rows = stack(build, a)
    given = rows if is_small_side(a.type.shape[-1]) else turned(build, rows)
    factors, exchanges, order = p.lu(build, given)
    return factors, exchanges, order


def factored(build: Any, a: Value, singular: str) -> tuple[Value, Value]:
    """(L below and U on and above the diagonal, the order of rows) of regular matrices."""
    factors, _, order = _lu(build, a)
    require(build, is_above_zero(build, diagonal(build, factors)), singular)
    by_rows = factors if is_small_side(a.type.shape[-1]) else turned(build, factors)
    batch = a.type.shape[:-2]
    return unstacked(build, by_rows, batch), unstacked(build, order, batch)


def _pivots(build: Any, a: Value) -> tuple[Value, Value]:
    """(pivots [count, n] of LU factors; whether a row was exchanged for each)."""
    factors, exchanges, _ = _lu(build, a)
    number = p.iota(build, dtype="i32", shape=exchanges.type.shape, dim=1)
    here = p.add(build, number, p.full_like(build, number, 1))
    return diagonal(build, factors), p.ne(build, exchanges, here)


def _product(build: Any, x: Value, negative: Value) -> Value:
    """The product along the rows of `x`, of which some elements are taken negative."""
    signed = p.select(build, negative, p.neg(build, x), x)
    value: Value = p.reduce(build, signed, dims=(1,), kind="mul")
    return value


def determinant(build: Any, a: Value) -> Value:
    """The determinants of square matrices."""
    pivots, exchanged = _pivots(build, a)
    return unstacked(build, _product(build, pivots, exchanged), a.type.shape[:-2])


def sign_and_log(build: Any, a: Value) -> list[Value]:
    """The phases of the determinants, and the logarithms of their magnitudes, in the type of a."""
    pivots, exchanged = _pivots(build, a)
    if is_complex(pivots):
        size = complex_math.abs(build, pivots)
        parts = (p.div(build, part, size) for part in complex_math.parts(build, pivots))
        phases = p.complex(build, *parts)
    else:
        size = p.abs(build, pivots)
        phases = p.div(build, pivots, size)
    above = p.gt(build, size, p.full_like(build, size, 0))
    phases = p.select(build, above, phases, pivots)
    total = p.reduce(build, p.log(build, size), dims=(1,), kind="add")
    if is_complex(pivots):
        total = p.complex(build, total, p.full_like(build, total, 0))
    batch = a.type.shape[:-2]
    sign = _product(build, phases, exchanged)
    return [unstacked(build, sign, batch), unstacked(build, total, batch)]
