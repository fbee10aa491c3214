"""What the ops on matrices share: shape rules, host rules on batches, the adjoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import shape_ops, shape_rules
from tfc.ops.common import reduce_sum
from tfc.ops.diag_ops import matrix_transpose
from tfc.ops.linalg import lapack

MATRICES = ("f64", "f32", "c64", "c128")  # the element types of decompositions
Array = np.ndarray
Dims = list[int | None] | None


def square_dims(shape: TensorShape) -> Dims:
    """The dimensions of square matrices. Raises ValueError if the last two differ."""
    dims = shape_rules.with_rank_at_least(shape, 2)
    if dims is None:
        return None
    side = shape_rules.merge_dim(dims[-2], dims[-1])
    return [*dims[:-2], side, side]


def square_shape(input: TensorShape, **_: Any) -> list[TensorShape]:
    """Shape rule: a square matrix for a square matrix."""
    return [shape_rules.shape_of(square_dims(input))]


def matrix_dims(shape: TensorShape) -> Dims:
    """The dimensions of matrices of any shape."""
    return shape_rules.with_rank_at_least(shape, 2)


def broadcast_batches(a: Dims, b: Dims) -> Dims:
    """The batch dimensions that those of two shapes broadcast to."""
    if a is None or b is None:
        return None
    return shape_rules.broadcast_dims(a[:-2], b[:-2])


def invalid(op: Any, message: str) -> errors.OpError:
    """The InvalidArgumentError of the host op `op`."""
    return errors.InvalidArgumentError(None, op, message)


def check_matrix(op: Any, x: Array, index: int = 0) -> None:
    """InvalidArgumentError unless `x` has two dimensions or more."""
    if x.ndim < 2:
        raise invalid(op, f"Input tensor {index} must have rank >= 2, got {x.ndim}")


def check_square(op: Any, x: Array, message: str = "Input matrix must be square.") -> None:
    """InvalidArgumentError unless `x` holds square matrices."""
    check_matrix(op, x)
    if x.shape[-1] != x.shape[-2]:
        raise invalid(op, message)


def stacked(
    op: Any, function: Callable[..., Sequence[Array]], *arrays: Array, failed: str = ""
) -> list[Array]:
    """The results of `function` for arrays [..., rows, columns] whose dimensions of the batch are
    made one, and again as many as they were in each result.

    failed: the message where LAPACK finds no answer for a matrix.

    Raises:
      InvalidArgumentError: there is none.
    """
    batch = arrays[0].shape[:-2]
    count = math.prod(batch)
    try:
        results = function(*(a.reshape(count, *a.shape[-2:]) for a in arrays))
    except lapack.Failed:
        raise invalid(op, failed) from None
    return [
        np.asarray(r, t.dtype.as_numpy_dtype, order="C").reshape((*batch, *r.shape[1:]))
        for r, t in zip(results, op.outputs, strict=False)
    ]


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The conjugate of the transpose of every matrix.

    Raises:
      ValueError: the rank is below 2.
    """
    with name_scope(name, "adjoint", [matrix]):
        return matrix_transpose(convert_to_tensor(matrix, name="matrix"), conjugate=True)


def spread(x: Tensor) -> Tensor:
    """`x` with two more dimensions of extent 1 at its end: one number a matrix."""
    return shape_ops.expand_dims(shape_ops.expand_dims(x, -1), -1)


def sum_batches(grad: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """The gradient of an operand whose batch dimensions broadcast with those of `other`."""

    a, b = x.get_shape(), other.get_shape()
    if a.is_fully_defined() and b.is_fully_defined() and a.as_list()[:-2] == b.as_list()[:-2]:
        return grad
    mine, others = shape_ops.shape(x), shape_ops.shape(other)
    axes = apply("BroadcastGradientArgs", mine[:-2], others[:-2])[0]
    return shape_ops.reshape(reduce_sum(grad, axes), mine)
