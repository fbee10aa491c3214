"""Linear operators that scale each coordinate: diagonals, and multiples of the identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_equal, assert_non_negative, assert_none_equal, assert_positive
from tfc.ops.const_ops import identity, ones, zeros, zeros_like
from tfc.ops.control_ops import identity_with_dependencies
from tfc.ops.diag_ops import eye
from tfc.ops.join_ops import concat
from tfc.ops.linalg.common import adjoint as adjoint_of
from tfc.ops.linalg.diagonal_ops import matrix_diag, matrix_diag_part, matrix_set_diag
from tfc.ops.linalg.operators.base import LinearOperator
from tfc.ops.linalg.operators.common import Hint, always, fit_batches
from tfc.ops.reduction_ops import reduce_prod, reduce_sum
from tfc.ops.shape_ops import expand_dims
from tfc.ops.shape_ops import shape as shape_of
from tfc.ops.unary_api import abs_, conj, log, sqrt
from tfc.ops.unary_ops import imag, real


class _Scaling(LinearOperator):
    """An operator whose diagonal, of shape [..., N] or [..., 1], is `_factors`."""

    _factors: Tensor

    def _columns(self, adjoint: bool) -> Tensor:
        factors = conj(self._factors) if adjoint else self._factors
        return expand_dims(factors, -1)

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._columns(adjoint) * (adjoint_of(x) if adjoint_arg else x)

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return (adjoint_of(rhs) if adjoint_arg else rhs) / self._columns(adjoint)

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        x, own = fit_batches(x, expand_dims(self.diag_part(), -1))
        return matrix_set_diag(x, matrix_diag_part(x) + own[..., 0])

    def _eigvals(self) -> Tensor:
        return self.diag_part()

    def _singular_values(self) -> Tensor:
        return abs_(self._factors)

    def _assert_non_singular(self) -> Any:
        size = abs_(self._factors)
        message = "Singular operator:  Diagonal contained zero values."
        return assert_none_equal(size, zeros_like(size), message=message)

    def _assert_positive_definite(self) -> Any:
        message = "Diagonal operator had diagonal entries with non-positive real part."
        return assert_positive(real(self._factors), message=message)

    def _assert_self_adjoint(self) -> Any:
        parts = imag(self._factors) if self.dtype.is_complex else zeros_like(self._factors)
        message = "This diagonal operator contained non-zero imaginary values."
        return assert_equal(parts, zeros_like(parts), message=message)


def _real_is_self_adjoint(dtype: Any, hint: Hint) -> Hint:
    if dtype.is_complex:
        return hint
    return always(hint, "A real diagonal operator is always self adjoint.")


class LinearOperatorDiag(_Scaling):
    """The operator of the diagonal matrices with diagonals `diag` [..., N].

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_diag.py.
    """

    def __init__(
        self,
        diag: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str = "LinearOperatorDiag",
    ):
        """
        Raises:
          TypeError: the numbers are neither float nor complex.
          ValueError: `diag` is a scalar; a hint denies what diagonal matrices are.
        """
        self._given = diag
        with name_scope(name, values=[diag]):
            self._factors = convert_to_tensor(diag, name="diag")
            dtype = self._factors.dtype.base_dtype
            if not (dtype.is_floating or dtype.is_complex):
                raise TypeError(f"Argument diag must be float or complex.  Found dtype: {dtype}")
            if self._factors.shape.ndims == 0:
                raise ValueError(f"Argument diag must have at least 1 dimension.  Found: {diag}")
            self_adjoint = _real_is_self_adjoint(dtype, is_self_adjoint)
            square = always(is_square, "Only square diagonal operators currently supported.")
        super().__init__(
            dtype, [self._factors], is_non_singular, self_adjoint, is_positive_definite, square,
            name,
        )  # fmt: skip

    @property
    def diag(self) -> Tensor:
        """The diagonals, [..., N]."""
        return self._factors

    def _shape(self) -> TensorShape:
        return self._factors.shape.concatenate(self._factors.shape[-1:])

    def _shape_tensor(self) -> Tensor:
        shape = shape_of(self._factors)
        return concat([shape, shape[-1:]], 0)

    def _to_dense(self) -> Tensor:
        return matrix_diag(self._factors)

    def _diag_part(self) -> Tensor:
        return identity(self._factors)

    def _determinant(self) -> Tensor:
        return reduce_prod(self._factors, axis=[-1])

    def _log_abs_determinant(self) -> Tensor:
        return cast(reduce_sum(log(abs_(self._factors)), axis=[-1]), self.dtype)

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorDiag(conj(self._factors), **_hints(self))

    def _inverse(self) -> LinearOperator:
        return LinearOperatorDiag(1.0 / self._factors, **_hints(self))

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorDiag(sqrt(self._factors), **_hints(self))


def _hints(operator: LinearOperator) -> dict[str, Any]:
    return {
        "is_non_singular": operator.is_non_singular,
        "is_self_adjoint": operator.is_self_adjoint,
        "is_positive_definite": operator.is_positive_definite,
        "is_square": True,
    }


class _Multiple(_Scaling):
    """A multiple of the identity of `num_rows` rows, at least one for each entry of a batch."""

    def _take_rows(self, num_rows: Any, assert_proper_shapes: bool) -> None:
        rows = convert_to_tensor(num_rows, name="num_rows")
        if not rows.dtype.is_integer:
            raise TypeError(f"Argument num_rows must be integer type.  Found: {rows}")
        self._static_rows = constant_value(rows)
        if rows.shape.ndims not in (None, 0):
            raise ValueError(f"Argument num_rows must be a 0-D Tensor.  Found: {rows}")
        if self._static_rows is not None and self._static_rows < 0:
            raise ValueError(f"Argument num_rows must be non-negative.  Found: {num_rows}")
        if assert_proper_shapes:
            check = assert_non_negative(rows, message="num_rows was negative")
            rows = identity_with_dependencies([check], rows)
        self._rows = cast(rows, dtypes.int32)

    def _shape_of(self, batch: TensorShape) -> TensorShape:
        rows = None if self._static_rows is None else int(self._static_rows)
        return batch.concatenate(TensorShape([rows, rows]))

    def _batch_tensor(self) -> Tensor:
        raise NotImplementedError

    def _shape_tensor(self) -> Tensor:
        return concat([self._batch_tensor(), [self._rows, self._rows]], 0)

    def _rows_as_number(self) -> Tensor:
        return cast(self._rows, self.dtype)

    def _unit(self) -> Tensor:
        rows = self._rows if self._static_rows is None else int(self._static_rows)
        return eye(rows, dtype=self.dtype)


class LinearOperatorIdentity(_Multiple):
    """The identity of `num_rows` rows, for each entry of a batch of `batch_shape`.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_identity.py.
    """

    def __init__(
        self,
        num_rows: Any,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: Hint = True,
        is_self_adjoint: Hint = True,
        is_positive_definite: Hint = True,
        is_square: Hint = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorIdentity",
    ):
        """
        Raises:
          TypeError: `num_rows` or `batch_shape` are no integers.
          ValueError: `num_rows` is negative or no scalar, `batch_shape` is no vector or has a
            negative entry; a hint denies what the identity is.
        """
        for hint, what in (
            (is_self_adjoint, "self adjoint"),
            (is_square, "square"),
            (is_non_singular, "non-singular"),
            (is_positive_definite, "positive-definite"),
        ):
            if not hint:
                raise ValueError(f"An identity operator is always {what}.")
        with name_scope(name):
            super().__init__(dtype or dtypes.float32, [], True, True, True, True, name)
            self._take_rows(num_rows, assert_proper_shapes)
            self._batch = None if batch_shape is None else self._batch_of(batch_shape)
            self._factors = ones([1], self.dtype)

    @staticmethod
    def _batch_of(batch_shape: Any) -> Tensor:
        batch = convert_to_tensor(batch_shape, name="batch_shape_arg", preferred_dtype=dtypes.int32)
        if isinstance(batch_shape, list | tuple) and not batch_shape:
            batch = zeros([0], dtypes.int32)
        if not batch.dtype.is_integer:
            raise TypeError(f"Argument batch_shape must be integer type.  Found: {batch}")
        if batch.shape.ndims not in (None, 1):
            raise ValueError(f"Argument batch_shape must be a 1-D Tensor.  Found: {batch}")
        known = constant_value(batch)
        if known is not None and np.any(known < 0):
            raise ValueError(f"Argument batch_shape must be non-negative.  Found: {batch_shape}")
        return cast(batch, dtypes.int32)

    def _static_batch(self) -> TensorShape:
        if self._batch is None:
            return TensorShape([])
        known = constant_value(self._batch)
        if known is not None:
            return TensorShape(known.tolist())
        size = self._batch.shape.dims
        return TensorShape(
            None if size is None else [None] * size[0].value if size[0].value else None
        )

    def _batch_tensor(self) -> Tensor:
        return zeros([0], dtypes.int32) if self._batch is None else self._batch

    def _shape(self) -> TensorShape:
        return self._shape_of(self._static_batch())

    def _broadcast(self, x: Tensor) -> Tensor:
        """`x` for every entry of the batch."""
        if self._batch is None:
            return identity(x)
        return x + zeros(concat([self._batch, [1, 1]], 0), self.dtype)

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._broadcast(adjoint_of(x) if adjoint_arg else x)

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._matmul(rhs, adjoint_arg=adjoint_arg)

    def _to_dense(self) -> Tensor:
        return self._broadcast(self._unit())

    def _diag_part(self) -> Tensor:
        return ones(concat([self._batch_tensor(), [self._rows]], 0), self.dtype)

    def _trace(self) -> Tensor:
        return self._rows_as_number() * self._determinant()

    def _determinant(self) -> Tensor:
        return ones(self._batch_tensor(), self.dtype)

    def _log_abs_determinant(self) -> Tensor:
        return zeros(self._batch_tensor(), self.dtype)

    def _singular_values(self) -> Tensor:
        return ones(concat([self._batch_tensor(), [1]], 0), self.dtype)

    def _inverse(self) -> LinearOperator:
        return self

    def _cholesky(self) -> LinearOperator:
        return self


class LinearOperatorScaledIdentity(_Multiple):
    """The identity of `num_rows` rows times `multiplier` [B1, ..., Bb].

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_identity.py.
    """

    def __init__(
        self,
        num_rows: Any,
        multiplier: Any,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ):
        """
        Raises:
          TypeError: `num_rows` is no integer, or `multiplier` neither float nor complex.
          ValueError: `num_rows` is negative or no scalar; a hint denies what it is.
        """
        if not is_square:
            raise ValueError("A ScaledIdentity operator is always square.")
        self._given = multiplier
        with name_scope(name, values=[multiplier, num_rows]):
            self._multiplier = convert_to_tensor(multiplier, name="multiplier")
            dtype = self._multiplier.dtype.base_dtype
            if not (dtype.is_floating or dtype.is_complex):
                raise TypeError(f"Argument multiplier must be float or complex.  Found: {dtype}")
            self_adjoint = _real_is_self_adjoint(dtype, is_self_adjoint)
            super().__init__(
                dtype, [self._multiplier], is_non_singular, self_adjoint, is_positive_definite,
                is_square, name,
            )  # fmt: skip
            self._take_rows(num_rows, assert_proper_shapes)
            self._factors = expand_dims(self._multiplier, -1)

    @property
    def multiplier(self) -> Tensor:
        """What the identity is multiplied by."""
        return self._multiplier

    def _batch_tensor(self) -> Tensor:
        return shape_of(self._multiplier)

    def _shape(self) -> TensorShape:
        return self._shape_of(self._multiplier.shape)

    def _to_dense(self) -> Tensor:
        return self._columns(False) * self._unit()

    def _diag_part(self) -> Tensor:
        return self._factors * ones([self._rows], self.dtype)

    def _trace(self) -> Tensor:
        return self._rows_as_number() * self._multiplier

    def _determinant(self) -> Tensor:
        return self._multiplier ** self._rows_as_number()

    def _log_abs_determinant(self) -> Tensor:
        return self._rows_as_number() * cast(log(abs_(self._multiplier)), self.dtype)

    def _changed(self, multiplier: Tensor) -> LinearOperator:
        return LinearOperatorScaledIdentity(self._rows, multiplier, **_hints(self))

    def _adjoint(self) -> LinearOperator:
        return self._changed(conj(self._multiplier))

    def _inverse(self) -> LinearOperator:
        return self._changed(1.0 / self._multiplier)

    def _cholesky(self) -> LinearOperator:
        return self._changed(sqrt(self._multiplier))
