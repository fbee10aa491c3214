"""Linear operators that are made of others: adjoints, inverses, products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.ops.cast_ops import cast
from tfc.ops.join_ops import concat
from tfc.ops.linalg.common import adjoint as adjoint_of
from tfc.ops.linalg.operators.base import LinearOperator
from tfc.ops.linalg.operators.common import Hint, both
from tfc.ops.linalg.operators.dense import LinearOperatorLowerTriangular
from tfc.ops.linalg.operators.scaled import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorScaledIdentity,
)
from tfc.ops.reverse_ops import broadcast_dynamic_shape, broadcast_static_shape
from tfc.ops.shape_ops import expand_dims
from tfc.ops.unary_api import conj


def _agreed(own: Hint, given: Hint, what: str) -> Hint:
    """What `given` says of an operator, or `own` says. Raises ValueError if they contradict."""
    if own is not None and given is not None and bool(own) != bool(given):
        raise ValueError(
            f"The operator was hinted to be {what}: {own}, but {what}={given} was given."
        )
    return own if given is None else given


class _Derived(LinearOperator):
    """An operator made of one other, whose hints hold for it too."""

    def __init__(
        self,
        operator: LinearOperator,
        is_non_singular: Hint,
        is_self_adjoint: Hint,
        is_positive_definite: Hint,
        is_square: Hint,
        name: str,
    ):
        self._operator = operator
        super().__init__(
            operator.dtype,
            operator.graph_parents,
            _agreed(operator.is_non_singular, is_non_singular, "is_non_singular"),
            _agreed(operator.is_self_adjoint, is_self_adjoint, "is_self_adjoint"),
            _agreed(operator.is_positive_definite, is_positive_definite, "is_positive_definite"),
            _agreed(operator.is_square, is_square, "is_square"),
            name,
        )

    @property
    def operator(self) -> LinearOperator:
        """What it is made of."""
        return self._operator


class LinearOperatorAdjoint(_Derived):
    """The conjugate transpose of `operator`. Hints that are not given are the operator's.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_adjoint.py.
    """

    def __init__(
        self,
        operator: LinearOperator,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        """
        Raises:
          ValueError: a hint contradicts the operator's.
        """
        super().__init__(
            operator, is_non_singular, is_self_adjoint, is_positive_definite, is_square,
            name or operator.name + "_adjoint",
        )  # fmt: skip

    def _shape(self) -> TensorShape:
        shape = self._operator.shape
        return shape[:-2].concatenate(shape[-1:]).concatenate(shape[-2:-1])

    def _shape_tensor(self) -> Tensor:
        shape = self._operator.shape_tensor()
        return concat([shape[:-2], shape[-1:], shape[-2:-1]], 0)

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        result: Tensor = self._operator.matmul(x, adjoint=not adjoint, adjoint_arg=adjoint_arg)
        return result

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        result: Tensor = self._operator.solve(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)
        return result

    def _to_dense(self) -> Tensor:
        return adjoint_of(self._operator.to_dense())

    def _diag_part(self) -> Tensor:
        return conj(self._operator.diag_part())

    def _determinant(self) -> Tensor:
        return conj(self._operator.determinant())

    def _log_abs_determinant(self) -> Tensor:
        return self._operator.log_abs_determinant()

    def _assert_non_singular(self) -> Any:
        return self._operator.assert_non_singular()

    def _adjoint(self) -> LinearOperator:
        return self._operator


class LinearOperatorInversion(_Derived):
    """The inverse of `operator`. Hints that are not given are the operator's.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_inversion.py.
    """

    def __init__(
        self,
        operator: LinearOperator,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        """
        Raises:
          ValueError: a hint contradicts the operator's, or says that it is singular.
        """
        for hint in (is_non_singular, operator.is_non_singular):
            if hint is False:
                raise ValueError("operator and its inverse should be non-singular.")
        super().__init__(
            operator, True, is_self_adjoint, is_positive_definite, is_square,
            name or operator.name + "_inv",
        )  # fmt: skip

    def _shape(self) -> TensorShape:
        return self._operator.shape

    def _shape_tensor(self) -> Tensor:
        return self._operator.shape_tensor()

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        result: Tensor = self._operator.solve(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        return result

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        result: Tensor = self._operator.matmul(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        return result

    def _determinant(self) -> Tensor:
        return 1.0 / self._operator.determinant()

    def _log_abs_determinant(self) -> Tensor:
        return -1.0 * self._operator.log_abs_determinant()

    def _assert_non_singular(self) -> Any:
        return self._operator.assert_non_singular()

    def _inverse(self) -> LinearOperator:
        return self._operator


class LinearOperatorComposition(LinearOperator):
    """The product of `operators`: the last is applied first.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator_composition.py.
    """

    def __init__(
        self,
        operators: Sequence[LinearOperator],
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        """
        Raises:
          TypeError: the operators differ in dtype.
          ValueError: there are none, their dimensions do not fit, or a hint says that a product of
            invertible operators is singular.
        """
        self._operators = [*operators]
        if not self._operators:
            raise ValueError("Expected a non-empty list of operators.")
        for left, right in zip(self._operators, self._operators[1:], strict=False):
            if left.dtype != right.dtype:
                raise TypeError(
                    "Expected all operators to have the same dtype.  Found "
                    + "  ".join(f"{o.name}: {o.dtype.name}" for o in self._operators)
                )
            left.domain_dimension.assert_is_compatible_with(right.range_dimension)
        if all(operator.is_non_singular for operator in self._operators):
            if is_non_singular is False:
                raise ValueError(
                    "The composition of non-singular operators is always non-singular."
                )
            is_non_singular = True
        super().__init__(
            self._operators[0].dtype,
            [parent for operator in self._operators for parent in operator.graph_parents],
            is_non_singular, is_self_adjoint, is_positive_definite, is_square,
            name or "_o_".join(operator.name for operator in self._operators),
        )  # fmt: skip

    @property
    def operators(self) -> list[LinearOperator]:
        """The factors, the one that is applied last at first."""
        return self._operators

    def _shape(self) -> TensorShape:
        batch = self._operators[0].batch_shape
        for operator in self._operators[1:]:
            batch = broadcast_static_shape(batch, operator.batch_shape)
        ends = [self._operators[0].range_dimension, self._operators[-1].domain_dimension]
        return batch.concatenate(TensorShape(ends))

    def _shape_tensor(self) -> Tensor:
        batch = self._operators[0].batch_shape_tensor()
        for operator in self._operators[1:]:
            batch = broadcast_dynamic_shape(batch, operator.batch_shape_tensor())
        rows = self._operators[0].range_dimension_tensor()
        return concat([batch, [rows, self._operators[-1].domain_dimension_tensor()]], 0)

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        order = self._operators if adjoint else self._operators[::-1]
        result: Tensor = order[0].matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        for operator in order[1:]:
            result = operator.matmul(result, adjoint=adjoint)
        return result

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        order = self._operators[::-1] if adjoint else self._operators
        result: Tensor = order[0].solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        for operator in order[1:]:
            result = operator.solve(result, adjoint=adjoint)
        return result

    def _determinant(self) -> Tensor:
        result = self._operators[0].determinant()
        for operator in self._operators[1:]:
            result = result * operator.determinant()
        return result

    def _log_abs_determinant(self) -> Tensor:
        result = cast(self._operators[0].log_abs_determinant(), self.dtype)
        for operator in self._operators[1:]:
            result = result + cast(operator.log_abs_determinant(), self.dtype)
        return result


def _commuting(left: LinearOperator, right: LinearOperator) -> dict[str, Any]:
    """The hints of a product of two diagonal operators."""
    definite = left.is_positive_definite and right.is_positive_definite
    adjoint = left.is_self_adjoint and right.is_self_adjoint
    return {
        "is_non_singular": both(left.is_non_singular, right.is_non_singular),
        "is_self_adjoint": True if adjoint else None,
        "is_positive_definite": True if definite and adjoint else None,
        "is_square": True,
    }


def product_of(left: LinearOperator, right: LinearOperator) -> LinearOperator:
    """The operator `left` `right`, in the simplest form that is known."""
    if isinstance(left, LinearOperatorIdentity) and not left.batch_shape.ndims:
        return right
    if isinstance(right, LinearOperatorIdentity) and not right.batch_shape.ndims:
        return left
    hints = _commuting(left, right)
    for one, other, side in ((left, right, -1), (right, left, -2)):
        if isinstance(one, LinearOperatorScaledIdentity):
            if isinstance(other, LinearOperatorScaledIdentity):
                rows = one.domain_dimension_tensor()
                return LinearOperatorScaledIdentity(
                    rows, one.multiplier * other.multiplier, **hints
                )
            if isinstance(other, LinearOperatorDiag):
                return LinearOperatorDiag(one.multiplier[..., None] * other.diag, **hints)
        if isinstance(one, LinearOperatorDiag):
            if isinstance(other, LinearOperatorDiag):
                return LinearOperatorDiag(one.diag * other.diag, **hints)
            if isinstance(other, LinearOperatorLowerTriangular):
                return LinearOperatorLowerTriangular(
                    expand_dims(one.diag, side) * other.to_dense(),
                    is_non_singular=hints["is_non_singular"],
                )
    return LinearOperatorComposition([left, right])
