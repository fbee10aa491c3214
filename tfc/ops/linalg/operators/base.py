"""`tf.linalg.LinearOperator`: what every linear operator can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import Dimension, TensorShape
from tfc.framework.graph import Operation, Tensor, convert_to_tensor, name_scope
from tfc.framework.variables import Variable
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_equal, assert_less, assert_positive
from tfc.ops.diag_ops import eye
from tfc.ops.linalg.common import adjoint as adjoint_of
from tfc.ops.linalg.decomposition_ops import cholesky, cholesky_solve, self_adjoint_eigvals, svd
from tfc.ops.linalg.diagonal_ops import matrix_diag_part
from tfc.ops.linalg.operators.common import Hint, checked_hints, with_batches
from tfc.ops.linalg.solve_ops import matrix_determinant, matrix_solve, slogdet
from tfc.ops.reduction_ops import reduce_max, reduce_min, reduce_sum
from tfc.ops.shape_ops import expand_dims, size, squeeze
from tfc.ops.unary_api import abs_, exp, log


class LinearOperator:
    """A matrix, or a batch of them, of shape `[B1, ..., Bb, M, N]`, known by what it does.

    Subclasses say `_shape`, `_shape_tensor` and `_matmul`, and whatever they know a shorter way
    for; everything else comes from those, at the price of the dense matrix. The hints are believed,
    never checked at run time: they choose methods (a Cholesky factor where a matrix is said to be
    self-adjoint and positive definite). None means unknown.

    Source: TensorFlow 1.15, python/ops/linalg/linear_operator.py.
    """

    def __init__(
        self,
        dtype: Any,
        graph_parents: Sequence[Tensor] | None = None,
        is_non_singular: Hint = None,
        is_self_adjoint: Hint = None,
        is_positive_definite: Hint = None,
        is_square: Hint = None,
        name: str | None = None,
    ):
        """
        Raises:
          ValueError: the hints contradict each other, or a graph parent is no tensor.
        """
        is_non_singular, is_square = checked_hints(
            is_non_singular, is_self_adjoint, is_positive_definite, is_square
        )
        self._graph_parents = [*(graph_parents or ())]
        for index, parent in enumerate(self._graph_parents):
            if not isinstance(parent, Tensor):
                raise ValueError(f"Graph parent item {index} is not a Tensor; {parent}.")
        self._dtype: DType = dtypes.as_dtype(dtype).base_dtype if dtype else dtype
        self._is_non_singular, self._is_self_adjoint = is_non_singular, is_self_adjoint
        self._is_positive_definite, self._is_square = is_positive_definite, is_square
        self._name = name or type(self).__name__

    @contextmanager
    def _name_scope(self, name: str) -> Iterator[str]:
        with name_scope(f"{self._name}/{name}") as scope:
            yield scope

    # --- What it is

    @property
    def dtype(self) -> DType:
        """The dtype of its numbers, and of what it is applied to."""
        return self._dtype

    @property
    def name(self) -> str:
        """What the names of its ops begin with."""
        return self._name

    @property
    def graph_parents(self) -> list[Tensor]:
        """The tensors that it is made of."""
        return self._graph_parents

    @property
    def is_non_singular(self) -> Hint:
        """Whether it is said to have an inverse."""
        return self._is_non_singular

    @property
    def is_self_adjoint(self) -> Hint:
        """Whether it is said to equal its conjugate transpose."""
        return self._is_self_adjoint

    @property
    def is_positive_definite(self) -> Hint:
        """Whether x^H A x is said to have a positive real part for all x but zero."""
        return self._is_positive_definite

    @property
    def is_square(self) -> Hint:
        """Whether it has as many rows as columns. Raises ValueError if the hint denies it."""
        same = self.domain_dimension == self.range_dimension
        if self._is_square is False and same:
            raise ValueError("User set is_square hint to False, but the operator was square.")
        return same if self._is_square is None else self._is_square

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that it was made of."""
        found: dict[int, Variable] = {}
        for value in vars(self).values():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Variable):
                    found[id(part)] = part
                elif isinstance(part, LinearOperator):
                    found.update((id(v), v) for v in part.variables)
        return tuple(found.values())

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those of `variables` that are trained."""
        return tuple(v for v in self.variables if v.trainable)

    # --- Shapes

    def _shape(self) -> TensorShape:
        raise NotImplementedError("_shape is not implemented.")

    def _shape_tensor(self) -> Tensor:
        raise NotImplementedError("_shape_tensor is not implemented.")

    @property
    def shape(self) -> TensorShape:
        """`[B1, ..., Bb, M, N]`, as far as the graph knows."""
        return self._shape()

    @property
    def batch_shape(self) -> TensorShape:
        """`[B1, ..., Bb]`, as far as the graph knows."""
        return self.shape[:-2]

    @property
    def tensor_rank(self) -> int | None:
        """b + 2."""
        return self.shape.ndims

    @property
    def domain_dimension(self) -> Dimension:
        """N: the length of vectors that it takes."""
        dims = self.shape.dims
        return Dimension(None) if dims is None else dims[-1]

    @property
    def range_dimension(self) -> Dimension:
        """M: the length of vectors that it gives."""
        dims = self.shape.dims
        return Dimension(None) if dims is None else dims[-2]

    def shape_tensor(self, name: str = "shape_tensor") -> Tensor:
        """The shape, int32."""
        with self._name_scope(name):
            if self.shape.is_fully_defined():
                return convert_to_tensor(self.shape.as_list(), dtypes.int32, name="shape")
            return self._shape_tensor()

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Tensor:
        """The shape without the last two, int32."""
        with self._name_scope(name):
            if self.batch_shape.is_fully_defined():
                return convert_to_tensor(
                    self.batch_shape.as_list(), dtypes.int32, name="batch_shape"
                )
            return self.shape_tensor()[:-2]

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Tensor:
        """b + 2, int32."""
        with self._name_scope(name):
            rank = self.tensor_rank
            return size(self.shape_tensor()) if rank is None else convert_to_tensor(rank)

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Tensor:
        """N, int32."""
        with self._name_scope(name):
            known = self.domain_dimension.value
            return self.shape_tensor()[-1] if known is None else convert_to_tensor(known)

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Tensor:
        """M, int32."""
        with self._name_scope(name):
            known = self.range_dimension.value
            return self.shape_tensor()[-2] if known is None else convert_to_tensor(known)

    # --- Products and solutions

    def _taken(self, x: Any, name: str, fits: Dimension, axis: int) -> Tensor:
        tensor = convert_to_tensor(x, name=name)
        if tensor.dtype.base_dtype != self.dtype:
            raise TypeError(
                f"Expected argument to have dtype {self.dtype}.  Found: {tensor.dtype} in tensor "
                f"{tensor}"
            )
        if tensor.shape.dims is not None:
            fits.assert_is_compatible_with(tensor.shape.dims[axis])
        return tensor

    def _matmul(self, x: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        raise NotImplementedError("_matmul is not implemented.")

    def matmul(
        self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul"
    ) -> Any:
        """A x, for matrices `x` [..., N, R], batch dimensions broadcast; for an operator `x` the
        operator A x. `adjoint` and `adjoint_arg` take the conjugate transpose of either.

        Raises:
          TypeError: `x` has another dtype.
          ValueError: the dimensions do not fit.
        """
        if isinstance(x, LinearOperator):
            left, right = self._pair(x, adjoint, adjoint_arg, "x")
            with self._name_scope(name):
                return left._times(right)
        with self._name_scope(name):
            fits = self.range_dimension if adjoint else self.domain_dimension
            x = self._taken(x, "x", fits, -1 if adjoint_arg else -2)
            return self._matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Tensor:
        """A x, for vectors `x` [..., N]. Raises as `matmul`."""
        with self._name_scope(name):
            x = self._taken(x, "x", self.range_dimension if adjoint else self.domain_dimension, -1)
            return squeeze(self.matmul(expand_dims(x, -1), adjoint=adjoint), axis=[-1])

    def _pair(
        self, other: LinearOperator, adjoint: bool, adjoint_arg: bool, what: str
    ) -> tuple[LinearOperator, LinearOperator]:
        left = self.adjoint() if adjoint else self
        right = other.adjoint() if adjoint_arg else other
        if not left.domain_dimension.is_compatible_with(right.range_dimension):
            raise ValueError(
                f"Operators are incompatible. Expected `{what}` to have dimension "
                f"{left.domain_dimension} but got {right.range_dimension}."
            )
        return left, right

    def _times(self, right: LinearOperator) -> LinearOperator:
        from tfc.ops.linalg.operators.combined import product_of

        return product_of(self, right)

    def _solve(self, rhs: Tensor, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        rhs = adjoint_of(rhs) if adjoint_arg else rhs
        if self._can_use_cholesky():
            return with_batches(cholesky_solve, cholesky(self.to_dense()), rhs)
        return with_batches(matrix_solve, self.to_dense(), rhs, adjoint=adjoint)

    def _check_solvable(self) -> None:
        for hint, what in (
            (self.is_non_singular, "be singular"),
            (self.is_square, "not be square"),
        ):
            if hint is False:
                raise NotImplementedError(
                    f"Exact solve not implemented for an operator that is expected to {what}."
                )

    def solve(
        self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve"
    ) -> Any:
        """The X with A X = `rhs`, for matrices `rhs` [..., M, R], batch dimensions broadcast; for
        an operator `rhs` the operator A^-1 `rhs`.

        Raises:
          NotImplementedError: a hint says that it is singular or not square.
          TypeError, ValueError: as `matmul`.
        """
        self._check_solvable()
        if isinstance(rhs, LinearOperator):
            left, right = self._pair(rhs, adjoint, adjoint_arg, "rhs")
            with self._name_scope(name):
                return left.inverse()._times(right)
        with self._name_scope(name):
            fits = self.domain_dimension if adjoint else self.range_dimension
            rhs = self._taken(rhs, "rhs", fits, -1 if adjoint_arg else -2)
            return self._solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Tensor:
        """The x with A x = `rhs`, for vectors `rhs` [..., M]. Raises as `solve`."""
        with self._name_scope(name):
            fits = self.domain_dimension if adjoint else self.range_dimension
            rhs = self._taken(rhs, "rhs", fits, -1)
            return squeeze(self.solve(expand_dims(rhs, -1), adjoint=adjoint), axis=[-1])

    # --- Other operators

    def _adjoint(self) -> LinearOperator:
        from tfc.ops.linalg.operators.combined import LinearOperatorAdjoint

        return LinearOperatorAdjoint(self)

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        """Its conjugate transpose."""
        if self.is_self_adjoint is True:
            return self
        with self._name_scope(name):
            return self._adjoint()

    H = property(adjoint, None)

    def _inverse(self) -> LinearOperator:
        from tfc.ops.linalg.operators.combined import LinearOperatorInversion

        return LinearOperatorInversion(self)

    def inverse(self, name: str = "inverse") -> LinearOperator:
        """Its inverse. Raises ValueError if a hint says that there is none."""
        for hint, what in ((self.is_square, "non square"), (self.is_non_singular, "singular")):
            if hint is False:
                raise ValueError(
                    f"Cannot take the Inverse: This operator represents a {what} matrix."
                )
        with self._name_scope(name):
            return self._inverse()

    def _can_use_cholesky(self) -> bool:
        return bool(self.is_self_adjoint and self.is_positive_definite)

    def _cholesky(self) -> LinearOperator:
        from tfc.ops.linalg.operators.dense import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(cholesky(self.to_dense()), is_non_singular=True)

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The lower triangle L with L L^H = A.

        Raises:
          ValueError: the hints do not say that it is self-adjoint and positive definite.
        """
        if not self._can_use_cholesky():
            raise ValueError(
                "Cannot take the Cholesky decomposition: "
                "Not a positive definite self adjoint matrix."
            )
        with self._name_scope(name):
            return self._cholesky()

    # --- Numbers

    def _to_dense(self) -> Tensor:
        batch: Any = self.batch_shape
        if not batch.is_fully_defined():
            batch = self.batch_shape_tensor()
        columns: Any = self.domain_dimension.value
        if columns is None:
            columns = self.domain_dimension_tensor()
        unit = eye(columns, batch_shape=batch, dtype=self.dtype)
        dense: Tensor = self.matmul(unit)
        return dense

    def to_dense(self, name: str = "to_dense") -> Tensor:
        """The matrices, `[B1, ..., Bb, M, N]`."""
        with self._name_scope(name):
            return self._to_dense()

    def _diag_part(self) -> Tensor:
        return matrix_diag_part(self.to_dense())

    def diag_part(self, name: str = "diag_part") -> Tensor:
        """The diagonals, `[B1, ..., Bb, min(M, N)]`."""
        with self._name_scope(name):
            return self._diag_part()

    def _trace(self) -> Tensor:
        return reduce_sum(self.diag_part(), axis=-1)

    def trace(self, name: str = "trace") -> Tensor:
        """The sum of each diagonal, `[B1, ..., Bb]`."""
        with self._name_scope(name):
            return self._trace()

    def _add_to_tensor(self, x: Tensor) -> Tensor:
        return self.to_dense() + x

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Tensor:
        """A + `x`. Raises TypeError if `x` has another dtype."""
        with self._name_scope(name):
            return self._add_to_tensor(self._taken(x, "x", Dimension(None), -1))

    def _must_be_square(self, what: str) -> None:
        if self.is_square is False:
            raise NotImplementedError(
                f"{what} not implemented for an operator that is expected to not be square."
            )

    def _determinant(self) -> Tensor:
        if self._can_use_cholesky():
            return exp(self.log_abs_determinant())
        return matrix_determinant(self.to_dense())

    def determinant(self, name: str = "det") -> Tensor:
        """The determinants, `[B1, ..., Bb]`. Raises NotImplementedError if it is not square."""
        self._must_be_square("Determinant")
        with self._name_scope(name):
            return self._determinant()

    def _log_abs_determinant(self) -> Tensor:
        if self._can_use_cholesky():
            return 2 * reduce_sum(log(matrix_diag_part(cholesky(self.to_dense()))), axis=[-1])
        return slogdet(self.to_dense())[1]

    def log_abs_determinant(self, name: str = "log_abs_det") -> Tensor:
        """log |det A|, `[B1, ..., Bb]`. Raises NotImplementedError if it is not square."""
        self._must_be_square("Determinant")
        with self._name_scope(name):
            return self._log_abs_determinant()

    def _eigvals(self) -> Tensor:
        return self_adjoint_eigvals(self.to_dense())

    def eigvals(self, name: str = "eigvals") -> Tensor:
        """The eigenvalues, `[B1, ..., Bb, N]`, of what is said to be self-adjoint.

        Raises:
          NotImplementedError: it is not.
        """
        if not self.is_self_adjoint:
            raise NotImplementedError("Only self-adjoint matrices are supported.")
        with self._name_scope(name):
            return self._eigvals()

    def _singular_values(self) -> Tensor:
        return svd(self.to_dense(), compute_uv=False)

    def cond(self, name: str = "cond") -> Tensor:
        """Each matrix's largest singular value by its least, `[B1, ..., Bb]`."""
        with self._name_scope(name):
            values = abs_(self.eigvals()) if self.is_self_adjoint else self._singular_values()
            return reduce_max(values, axis=-1) / reduce_min(values, axis=-1)

    # --- Checks

    def _assert_non_singular(self) -> Any:
        if self._can_use_cholesky():
            return self.assert_positive_definite()
        values = self._singular_values()
        least = reduce_max([100, self.range_dimension_tensor(), self.domain_dimension_tensor()])
        epsilon = float(np.finfo(self.dtype.real_dtype.as_numpy_dtype).eps)
        return assert_less(
            reduce_max(values, axis=-1) / reduce_min(values, axis=-1),
            1.0 / (cast(least, self.dtype.real_dtype) * epsilon),
            message="Singular matrix up to precision epsilon.",
        )

    def assert_non_singular(self, name: str = "assert_non_singular") -> Operation:
        """An op that fails with InvalidArgumentError if a matrix is singular, up to rounding."""
        with self._name_scope(name):
            return self._assert_non_singular()

    def _assert_positive_definite(self) -> Any:
        if not self.is_self_adjoint:
            raise NotImplementedError("assert_positive_definite is not implemented.")
        factor = matrix_diag_part(cholesky(self.to_dense()))
        return assert_positive(
            cast(factor, self.dtype.real_dtype), message="Matrix was not positive definite."
        )

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Operation:
        """An op that fails with InvalidArgumentError if a matrix is not positive definite.

        Raises:
          NotImplementedError: there is no way to find out.
        """
        with self._name_scope(name):
            return self._assert_positive_definite()

    def _assert_self_adjoint(self) -> Any:
        dense = self.to_dense()
        return assert_equal(
            dense, adjoint_of(dense), message="Matrix was not equal to its adjoint."
        )

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Operation:
        """An op that fails with InvalidArgumentError if a matrix is not its conjugate transpose."""
        with self._name_scope(name):
            return self._assert_self_adjoint()
