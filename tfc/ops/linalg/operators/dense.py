"""Linear operators that are made of their matrix: full ones and lower triangles."""

from __future__ import annotations

from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.ops.check_ops import assert_none_equal
from tfc.ops.const_ops import zeros_like
from tfc.ops.diag_ops import matrix_band_part
from tfc.ops.linalg.common import adjoint as adjoint_of
from tfc.ops.linalg.diagonal_ops import matrix_diag_part
from tfc.ops.linalg.operators.base import LinearOperator
from tfc.ops.linalg.operators.common import Hint, always, fit_batches, with_batches
from tfc.ops.linalg.solve_ops import matrix_triangular_solve
from tfc.ops.matmul_ops import matmul
from tfc.ops.reduction_ops import reduce_prod, reduce_sum
from tfc.ops.shape_ops import shape as shape_of
from tfc.ops.unary_api import abs_, log


def _of_matrices(value: Any, name: str) -> Tensor:
    """Raises ValueError if the rank is below 2, TypeError if the numbers are not float."""
    tensor = convert_to_tensor(value, name=name)
    if tensor.shape.ndims is not None and tensor.shape.ndims < 2:
        raise ValueError(f"Argument {name} must have at least 2 dimensions.  Found: {tensor}")
    dtype = tensor.dtype.base_dtype
    if not (dtype.is_floating or dtype.is_complex):
        raise TypeError(f"Argument {name} must be float or complex.  Found dtype: {dtype}")
    return tensor


class _Dense(LinearOperator):
    """An operator whose matrix is `_matrix`."""

    _matrix: Tensor

    def _shape(self) -> TensorShape:
        return self._matrix.shape

    def _shape_tensor(self) -> Tensor:
        return shape_of(self._matrix)

    def _to_dense(self) -> Tensor:
        return self._matrix

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        x = adjoint_of(x) if adjoint_arg else x
        matrix, x = fit_batches(self._matrix, x)
        return matmul(matrix, x, adjoint_a=adjoint)


class LinearOperatorFullMatrix(_Dense):
    """The operator of the matrices `matrix` [..., M, N].

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_full_matrix.py.
    """

    def __init__(
        self,
        matrix: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorFullMatrix",
    ):
        """
        Raises:
          TypeError: the numbers are neither float nor complex.
          ValueError: `matrix` has less than two dimensions; the hints contradict each other.
        """
        self._given = matrix
        with name_scope(name, values=[matrix]):
            self._matrix = _of_matrices(matrix, "matrix")
        super().__init__(
            self._matrix.dtype, [self._matrix], is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip


class LinearOperatorLowerTriangular(_Dense):
    """The operator of the lower triangles of `tril` [..., N, N]; what is above is not read.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_lower_triangular.py.
    """

    def __init__(
        self,
        tril: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorLowerTriangular",
    ):
        """
        Raises:
          TypeError: the numbers are neither float nor complex.
          ValueError: `tril` has less than two dimensions; a hint says that it is not square.
        """
        square = always(is_square, "Only square lower triangular operators supported at this time.")
        self._given = tril
        with name_scope(name, values=[tril]):
            given = _of_matrices(tril, "tril")
            self._matrix = matrix_band_part(given, -1, 0)
        super().__init__(
            self._matrix.dtype, [given], is_non_singular, is_self_adjoint, is_positive_definite,
            square, name,
        )  # fmt: skip

    def _diagonal(self) -> Tensor:
        return matrix_diag_part(self._matrix)

    def _assert_non_singular(self) -> Any:
        message = "Singular operator:  Diagonal contained zero values."
        size = abs_(self._diagonal())
        return assert_none_equal(size, zeros_like(size), message=message)

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        rhs = adjoint_of(rhs) if adjoint_arg else rhs
        return with_batches(matrix_triangular_solve, self._matrix, rhs, adjoint=adjoint)

    def _determinant(self) -> Tensor:
        return reduce_prod(self._diagonal(), axis=[-1])

    def _log_abs_determinant(self) -> Tensor:
        return reduce_sum(log(abs_(self._diagonal())), axis=[-1])

    def _eigvals(self) -> Tensor:
        return self._diagonal()
