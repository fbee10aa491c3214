"""Matrices of three diagonals: products with them and linear equations."""

from __future__ import annotations

import math
from typing import Any

from tfc import prims as p
from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.common import conj
from tfc.ops.const_ops import zeros_like
from tfc.ops.diag_ops import matrix_transpose
from tfc.ops.join_ops import concat, stack
from tfc.ops.linalg import stacks
from tfc.ops.linalg.common import MATRICES, matrix_dims
from tfc.ops.linalg.diagonal_ops import matrix_diag_part
from tfc.ops.lowering import invalid
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.shape_ops import expand_dims, squeeze


class TridiagonalSolve(
    OpDef,
    sig="TridiagonalSolve(diagonals: T, rhs: T, partial_pivoting: bool = True, "
    "perturb_singular: bool = False) -> output: T",
    T=MATRICES,
):
    """The X with T X = `rhs`, for the T whose diagonals above, on and below the main one are the
    rows of `diagonals`; the last number above and the first below are not read."""

    def shape(diagonals: TensorShape, rhs: TensorShape) -> list[TensorShape]:
        left, right = matrix_dims(diagonals), matrix_dims(rhs)
        if left is None or right is None:
            return [s.unknown()]
        s.merge_dim(left[-2], 3)
        batch = s.merge_dims(left[:-2], right[:-2]) or []
        return [s.shape_of([*batch, s.merge_dim(left[-1], right[-2]), right[-1]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        diagonals, x = op.inputs[0], op.outputs[0]
        above, main, below = (diagonals[..., k, :] for k in range(3))
        turned = stack([_forward(below, -1), main, _backward(above, -1)], axis=-2)
        drhs = apply(
            "TridiagonalSolve", turned, dy,
            partial_pivoting=op.get_attr("partial_pivoting"),
            perturb_singular=op.get_attr("perturb_singular"),
        )  # fmt: skip
        parts = [reduce_sum(drhs * y, -1) for y in (_forward(x, -2), x, _backward(x, -2))]
        return [-stack(parts, axis=-2), drhs]

    def lower(
        build: Any, diagonals: Value, rhs: Value, *, partial_pivoting: bool, **_: Any
    ) -> Value:
        stacks.check_matrix(build, diagonals)
        stacks.check_matrix(build, rhs, 1)
        left, right = diagonals.type.shape, rhs.type.shape
        if left[:-2] != right[:-2]:
            raise invalid(build, "All input tensors must have the same outer dimensions.")
        if left[-2] != 3:
            raise invalid(build, f"Expected diagonals to have 3 rows, got {left[-2]}")
        if left[-1] != right[-2]:
            raise invalid(build, "Expected the same number of left-hand sides and right-hand "
                          f"sides, got {left[-1]} and {right[-2]}")  # fmt: skip
        sides = stacks.turned(build, stacks.stack(build, rhs))
        x, ok = p.tridiagonal_solve(build, stacks.stack(build, diagonals), sides)
        if not partial_pivoting:
            stacks.require(
                build, ok,
                "The matrix is either not invertible or requires pivoting. Try setting "
                "partial_pivoting = True.",
            )  # fmt: skip
        regular = p.broadcast(build, ok, dims=(0,), shape=x.type.shape)
        x = p.select(build, regular, x, p.full_like(build, x, math.nan))
        return stacks.unstacked(build, stacks.turned(build, x), right[:-2])


def _zeros_along(x: Tensor, axis: int) -> Tensor:
    return zeros_like(x[..., :1] if axis == -1 else x[..., :1, :])


def _forward(x: Tensor, axis: int) -> Tensor:
    """Each element's successor along an axis, and zero behind the last."""
    rest = x[..., 1:] if axis == -1 else x[..., 1:, :]
    return concat([rest, _zeros_along(x, axis)], axis=axis)


def _backward(x: Tensor, axis: int) -> Tensor:
    """Each element's predecessor along an axis, and zero before the first."""
    rest = x[..., :-1] if axis == -1 else x[..., :-1, :]
    return concat([_zeros_along(x, axis), rest], axis=axis)


def _of_matrix(diagonals: Any) -> Tensor:
    """The three diagonals of square matrices, as rows."""
    matrix = convert_to_tensor(diagonals)
    dims = s.dims_of(matrix.get_shape())
    rows, columns = (None, None) if dims is None else dims[-2:]
    if rows and columns and rows != columns:
        raise ValueError(
            f"Expected last two dimensions of diagonals to be same, got {columns} and {rows}"
        )
    return matrix_diag_part(matrix, k=(-1, 1), padding_value=0, align="LEFT_RIGHT")


def _of_sequence(diagonals: Any) -> Tensor:
    if not isinstance(diagonals, tuple | list) or len(diagonals) != 3:
        raise ValueError("Expected diagonals to be a sequence of length 3.")
    above, main, below = (convert_to_tensor(d) for d in diagonals)
    for other in (above, below):
        if not other.get_shape()[:-1].is_compatible_with(main.get_shape()[:-1]):
            raise ValueError(
                "Tensors representing the three diagonals must have the same shape, except for "
                f"the last dimension, got {below.get_shape()}, {main.get_shape()}, "
                f"{above.get_shape()}"
            )
    count = (s.dims_of(main.get_shape()) or [None])[-1]
    above = _whole(above, count, "superdiagonal", before=False)
    return stack([above, main, _whole(below, count, "subdiagonal", before=True)], axis=-2)


def _whole(x: Tensor, count: int | None, what: str, before: bool) -> Tensor:
    """A diagonal beside the main one, as long as that."""
    have = (s.dims_of(x.get_shape()) or [None])[-1]
    if not have or not count or have == count:
        return x
    if have != count - 1:
        raise ValueError(f"Expected {what} to be have length {count} or {count - 1}, got {have}.")
    return concat([_zeros_along(x, -1), x] if before else [x, _zeros_along(x, -1)], axis=-1)


def _compact(diagonals: Any, form: str) -> Tensor:
    if form == "compact":
        return convert_to_tensor(diagonals)
    if form == "sequence":
        return _of_sequence(diagonals)
    if form == "matrix":
        return _of_matrix(diagonals)
    raise ValueError(f"Unrecognized diagonals_format: {form}")


def tridiagonal_solve(
    diagonals: Any,
    rhs: Any,
    diagonals_format: str = "compact",
    transpose_rhs: bool = False,
    conjugate_rhs: bool = False,
    name: str | None = None,
    partial_pivoting: bool = True,
    perturb_singular: bool = False,
) -> Tensor:
    """The X [..., m] or [..., m, k] with T X = `rhs`, for matrices T of three diagonals.

    diagonals: by `diagonals_format` "compact" rows [..., 3, m], the diagonals above, on and below
    the main one (the last number of the first and the first of the last are not read); "sequence"
    those three, the outer ones with or without those numbers; "matrix" [..., m, m]. A singular T
    gives NaN.

    Raises:
      ValueError: the shapes do not fit.
      UnimplementedError: `perturb_singular`; a singular matrix is not made regular here.
    """
    if perturb_singular:
        if not partial_pivoting:
            raise ValueError("partial_pivoting must be True if perturb_singular is.")
        raise errors.UnimplementedError(None, None, "tridiagonal_solve with perturb_singular")
    compact, x = _compact(diagonals, diagonals_format), convert_to_tensor(rhs)
    left, right = s.dims_of(compact.get_shape()), s.dims_of(x.get_shape())
    if left is not None:
        _check_shapes(left, right)
    vector = left is not None and right is not None and len(right) == len(left) - 1
    if vector:
        x = expand_dims(conj(x) if conjugate_rhs else x, -1)
    elif transpose_rhs:
        x = matrix_transpose(x, conjugate=conjugate_rhs)
    elif conjugate_rhs:
        x = conj(x)
    right = s.dims_of(x.get_shape())
    if left and right and left[-1] and right[-2] and left[-1] != right[-2]:
        raise ValueError(
            "Expected number of left-hand sided and right-hand sides to be equal, got "
            f"{left[-1]} and {right[-2]}"
        )
    solved = apply("TridiagonalSolve", compact, x, partial_pivoting=partial_pivoting, name=name)
    return squeeze(solved, [-1]) if vector else solved


def _check_shapes(left: list[int | None], right: s.Dims) -> None:
    rank = len(left)
    if rank < 2:
        raise ValueError(f"Expected diagonals to have rank at least 2, got {rank}")
    if right is not None:
        if len(right) not in (rank - 1, rank):
            raise ValueError(
                f"Expected the rank of rhs to be {rank - 1} or {rank}, got {len(right)}"
            )
        a, b = s.shape_of(left[:-2]), s.shape_of(right[: rank - 2])
        if not a.is_compatible_with(b):
            raise ValueError(f"Batch shapes {a} and {b} are incompatible")
    if left[-2] and left[-2] != 3:
        raise ValueError(f"Expected 3 diagonals got {left[-2]}")


def tridiagonal_matmul(
    diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None
) -> Tensor:
    """The product of matrices of three diagonals, given as for `tridiagonal_solve`, and `rhs`
    [..., m, k].

    Raises:
      ValueError: the diagonals are given in another form, or the shapes do not fit.
    """
    with name_scope(name, "TridiagonalMatMul", [rhs]):
        compact, x = _compact(diagonals, diagonals_format), convert_to_tensor(rhs)
        above, main, below = (expand_dims(compact[..., k, :], -1) for k in range(3))
        return above * _forward(x, -2) + main * x + below * _backward(x, -2)
