"""Functions made of decompositions: pseudo-inverse, rank, and what LU factors are good for."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import shape_rules as s
from tfc.ops.broadcast_ops import broadcast_to
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_equal, assert_rank_at_least
from tfc.ops.compare_ops import where
from tfc.ops.const_ops import identity, ones, zeros_like
from tfc.ops.control_ops import identity_with_dependencies
from tfc.ops.diag_ops import eye, matrix_band_part
from tfc.ops.join_ops import concat
from tfc.ops.linalg.decomposition_ops import svd
from tfc.ops.linalg.diagonal_ops import matrix_set_diag
from tfc.ops.linalg.solve_ops import matrix_triangular_solve
from tfc.ops.matmul_ops import matmul
from tfc.ops.reduction_ops import reduce_max, reduce_sum
from tfc.ops.reverse_ops import argsort, batch_gather, broadcast_dynamic_shape
from tfc.ops.shape_ops import expand_dims
from tfc.ops.shape_ops import shape as shape_of


def _matrix(a: Any, validate: bool) -> Tensor:
    """`a` as a tensor of matrices.

    Raises:
      TypeError: the numbers are not float.
      ValueError: the rank is below 2.
    """
    x = convert_to_tensor(a, preferred_dtype=dtypes.float32, name="a")
    if not x.dtype.base_dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {x.dtype.name}).")
    rank = x.get_shape().ndims
    if rank is not None and rank < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {rank}).")
    if rank is None and validate:
        check = assert_rank_at_least(x, 2, message="Input `a` must have at least 2 dimensions.")
        x = identity_with_dependencies([check], x)
    return x


def _greater_side(x: Tensor, dtype: Any) -> Any:
    """The greater extent of matrices, as a float."""
    dims = s.dims_of(x.get_shape())
    if dims is not None and dims[-1] is not None and dims[-2] is not None:
        return float(max(dims[-1], dims[-2]))
    return cast(reduce_max(shape_of(x)[-2:]), dtype)


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The pseudo-inverses [..., n, m] of float matrices [..., m, n]. Singular values below `rcond`
    times the greatest count as zero; `rcond` is [...], by default 10 max(m, n) epsilon.

    Raises:
      TypeError: the numbers are not float.
      ValueError: the rank is below 2.
    """
    with name_scope(name or "pinv"):
        x = _matrix(a, validate_args)
        dtype = x.dtype.base_dtype
        if rcond is None:
            rcond = 10.0 * _greater_side(x, dtype) * float(np.finfo(dtype.as_numpy_dtype).eps)
        limit = convert_to_tensor(rcond, dtype=dtype, name="rcond")
        values, u, v = svd(x, full_matrices=False, compute_uv=True)
        least = expand_dims(limit * reduce_max(values, axis=-1), -1)
        kept = apply("Greater", values, least)
        infinite = zeros_like(values) + np.inf
        values = where(kept, values, infinite)
        result = matmul(v / expand_dims(values, -2), u, adjoint_b=True)
        dims = s.dims_of(x.get_shape())
        if dims is not None:
            result.set_shape([*dims[:-2], dims[-1], dims[-2]])
        return result


def matrix_rank(
    a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """How many singular values of each float matrix [..., m, n] exceed `tol`, by default the
    greatest one times max(m, n) epsilon: int32 [...].

    Raises:
      TypeError: the numbers are not float.
      ValueError: the rank is below 2.
    """
    with name_scope(name or "matrix_rank"):
        x = _matrix(a, validate_args)
        dtype = x.dtype.base_dtype
        values = svd(x, compute_uv=False)
        if tol is None:
            epsilon = float(np.finfo(dtype.as_numpy_dtype).eps)
            tol = epsilon * _greater_side(x, dtype) * reduce_max(values, axis=-1, keepdims=True)
        return reduce_sum(cast(apply("Greater", values, tol), dtypes.int32), axis=-1)


def _factors(lower_upper: Any, perm: Any, validate: bool) -> tuple[Tensor, Tensor]:
    """LU factors and their order of rows as tensors.

    Raises:
      ValueError: they surely do not fit.
    """
    lu = convert_to_tensor(lower_upper, preferred_dtype=dtypes.float32, name="lower_upper")
    order = convert_to_tensor(perm, preferred_dtype=dtypes.int32, name="perm")
    dims, rank = s.dims_of(lu.get_shape()), order.get_shape().ndims
    if dims is not None:
        if len(dims) < 2:
            raise ValueError("Input `lower_upper` must have at least 2 dimensions.")
        if rank is not None and len(dims) != rank + 1:
            raise ValueError("`rank(lower_upper)` must equal `rank(perm) + 1`")
        if None not in dims[-2:] and dims[-2] != dims[-1]:
            raise ValueError("`lower_upper` must be square.")
    if validate:
        sizes = shape_of(lu)
        checks = [
            assert_equal(sizes[-2], sizes[-1], message="`lower_upper` must be square."),
            assert_equal(apply("Rank", lu), apply("Rank", order) + 1,
                         message="`rank(lower_upper)` must equal `rank(perm) + 1`"),
        ]  # fmt: skip
        lu = identity_with_dependencies(checks, identity(lu))
    return lu, order


def _unit_lower(lu: Tensor) -> Tensor:
    diagonal = ones(shape_of(lu)[:-1], dtype=lu.dtype.base_dtype)
    return matrix_set_diag(matrix_band_part(lu, -1, 0), diagonal)


def lu_solve(
    lower_upper: Any, perm: Any, rhs: Any, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The X [..., n, k] with A X = `rhs`, given (lower_upper, perm) = lu(A). Batches broadcast.

    Raises:
      ValueError: the shapes do not fit, or the rank of `perm` or `rhs` is not known.
    """
    with name_scope(name or "lu_solve"):
        lu, order = _factors(lower_upper, perm, validate_args)
        b = convert_to_tensor(rhs, preferred_dtype=lu.dtype.base_dtype, name="rhs")
        dims, sides = s.dims_of(b.get_shape()), s.dims_of(lu.get_shape())
        if dims is not None and len(dims) < 2:
            raise ValueError("Input `rhs` must have at least 2 dimensions.")
        ends = {sides[-1] if sides else None, dims[-2] if dims else None} - {None}
        if len(ends) == 2:
            raise ValueError("`lower_upper.shape[-1]` must equal `rhs.shape[-1]`.")
        if dims is not None and len(dims) == 2 and order.get_shape().ndims == 1:
            permuted = apply("GatherV2", b, order, 0)
        else:
            batch = broadcast_dynamic_shape(shape_of(b)[:-2], shape_of(order)[:-1])
            permuted = batch_gather(
                broadcast_to(b, concat([batch, shape_of(b)[-2:]], 0)),
                broadcast_to(order, concat([batch, shape_of(order)[-1:]], 0)),
            )
        inner = matrix_triangular_solve(_unit_lower(lu), permuted)
        return matrix_triangular_solve(lu, inner, lower=False)


def lu_matrix_inverse(
    lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """The inverse of A, given (lower_upper, perm) = lu(A).

    Raises:
      ValueError: the shapes do not fit.
    """
    with name_scope(name or "lu_matrix_inverse"):
        lu, order = _factors(lower_upper, perm, validate_args)
        dims = s.dims_of(lu.get_shape())
        if dims is not None and None not in dims:
            unit = eye(dims[-1], batch_shape=dims[:-2], dtype=lu.dtype.base_dtype)
        else:
            sizes = shape_of(lu)
            unit = eye(sizes[-1], batch_shape=sizes[:-2], dtype=lu.dtype.base_dtype)
        return lu_solve(lu, order, unit)


def lu_reconstruct(
    lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None
) -> Tensor:
    """A, given (lower_upper, perm) = lu(A).

    Raises:
      ValueError: the shapes do not fit, or the rank of `perm` is not known.
    """
    with name_scope(name or "lu_reconstruct"):
        lu, order = _factors(lower_upper, perm, validate_args)
        product = matmul(_unit_lower(lu), matrix_band_part(lu, 0, -1))
        if order.get_shape().ndims == 1:
            result = apply("GatherV2", product, apply("InvertPermutation", order), 0)
        else:
            result = batch_gather(product, argsort(order))
        result.set_shape(lu.get_shape())
        return result
