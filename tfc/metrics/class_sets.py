"""Sets of classes, one in each row of the last axis, compared with one another."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.sparse_tensor import SparseTensor, convert_to_tensor_or_sparse_tensor
from tfc.metrics.state import with_last
from tfc.ops.array_ops import expand_dims, ones_like, rank, scatter_nd, shape
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_equal
from tfc.ops.compare_ops import equal, greater, greater_equal, logical_and, logical_not, where
from tfc.ops.control_ops import with_dependencies
from tfc.ops.diag_ops import matrix_band_part
from tfc.ops.reduction_ops import reduce_any, reduce_sum


class ClassSets:
    """values: int64 [..., n]. there: bools of that shape, which of them count; None for all."""

    def __init__(self, values: Tensor, there: Tensor | None = None, sparse: bool = False):
        self.values, self.there, self.sparse = values, there, sparse

    @classmethod
    def of(cls, given: Any) -> ClassSets:
        """A tensor of classes, or a SparseTensor of them.

        Raises:
          TypeError: they are no int64.
        """
        given = convert_to_tensor_or_sparse_tensor(given)
        if given.dtype.base_dtype != dtypes.int64:
            raise TypeError(f"Types don't match, {dtypes.int64!r} vs {given.dtype.base_dtype!r}.")
        if not isinstance(given, SparseTensor):
            return cls(given)
        dense = scatter_nd(given.indices, given.values, given.dense_shape)
        counted = ones_like(given.values, dtypes.int32)
        there = scatter_nd(given.indices, counted, given.dense_shape)
        return cls(dense, greater(there, 0), sparse=True)

    def _each(self, change: Any) -> ClassSets:
        there = None if self.there is None else change(self.there)
        return ClassSets(change(self.values), there, self.sparse)

    def within(self, classes: Any) -> ClassSets:
        """The sets with -1 in place of each class that is none of so many."""
        outside = greater_equal(self.values, classes)
        values = where(outside, -ones_like(self.values), self.values)
        return ClassSets(values, self.there, self.sparse)

    def expanded_like(self, predictions: Tensor) -> ClassSets:
        """The sets as rows of one class each, if the predictions have one more axis.

        Raises:
          ValueError: ranks differ otherwise.
        """
        found, wanted = self.values.get_shape().ndims, predictions.get_shape().ndims
        if found is None or wanted is None:
            missing = cast(equal(rank(predictions), rank(self.values) + 1), dtypes.int32)
            return self._each(lambda x: with_last(x, missing))
        if found == wanted:
            return self
        if wanted == found + 1:
            return self._each(lambda x: expand_dims(x, -1))
        raise ValueError(
            f"Unexpected labels shape {self.values.get_shape()} for predictions shape "
            f"{predictions.get_shape()}. Predictions rank should be the same rank as labels rank "
            "or labels rank plus one ."
        )

    def only(self, class_id: int | None) -> ClassSets:
        """The sets without any other class."""
        if class_id is None:
            return self
        chosen = equal(self.values, convert_to_tensor(class_id, dtypes.int64))
        there = chosen if self.there is None else logical_and(self.there, chosen)
        return ClassSets(self.values, there, self.sparse)

    def members_of(self, other: ClassSets) -> Tensor:
        """For each place, whether its class is in the same row of the other sets."""
        mine, theirs = _same_rows(self.values, other.values)
        found = equal(expand_dims(mine, -1), expand_dims(theirs, -2))
        if other.there is not None:
            found = logical_and(found, expand_dims(other.there, -2))
        found = reduce_any(found, axis=-1)
        return found if self.there is None else logical_and(self.there, found)

    def distinct(self) -> Tensor:
        """For each place, whether its class counts and does not stand earlier in its row."""
        same = equal(expand_dims(self.values, -1), expand_dims(self.values, -2))
        if self.there is not None:
            same = logical_and(same, expand_dims(self.there, -2))
        earlier = matrix_band_part(cast(same, dtypes.int32), -1, 0)
        first = equal(reduce_sum(earlier, axis=-1), 1)
        return first if self.there is None else logical_and(self.there, first)

    def common(self, other: ClassSets) -> Tensor:
        """How many classes are in both sets, for each row."""
        return _count(logical_and(self.distinct(), self.members_of(other)))

    def missing_in(self, other: ClassSets) -> Tensor:
        """How many classes are not in the other set, for each row."""
        return _count(logical_and(self.distinct(), logical_not(self.members_of(other))))

    def relevant(self) -> Tensor:
        """How many classes there are in each row: of a SparseTensor those given, once each; else
        those that are not negative."""
        if self.sparse:
            return _count(self.distinct())
        return _count(greater_equal(self.values, convert_to_tensor(0, dtypes.int64)))


def _count(flags: Tensor) -> Tensor:
    return reduce_sum(cast(flags, dtypes.int32), axis=-1)


def _same_rows(mine: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Both, checked to be of one shape but for the last extent.

    Raises:
      ValueError: they are known not to be.
    """
    first, second = mine.get_shape(), theirs.get_shape()
    if first.ndims is not None and second.ndims is not None:
        first[:-1].assert_is_compatible_with(second[:-1])
        if first[:-1].is_fully_defined() and second[:-1].is_fully_defined():
            return mine, theirs
    rows, other = shape(mine)[:-1], shape(theirs)[:-1]
    same = assert_equal(rows, other, message="predictions and labels have other rows")
    return with_dependencies([same], mine), theirs
