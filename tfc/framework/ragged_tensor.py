"""RaggedTensor: rows of different lengths, as the values of all rows and where each row starts.

What string functions return whose pieces differ in number from string to string.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.convert import convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.sparse_tensor import SparseTensor


class RaggedTensorValue(NamedTuple):
    """What fetching a RaggedTensor gives."""

    values: Any
    row_splits: Any

    def __str__(self) -> str:
        return repr(self)

    def to_list(self) -> list[Any]:
        """The rows as nested lists."""
        values = self.values
        rows = values.to_list() if isinstance(values, RaggedTensorValue) else values.tolist()
        splits = [int(v) for v in self.row_splits]
        return [rows[a:b] for a, b in zip(splits[:-1], splits[1:], strict=True)]

    def __repr__(self) -> str:
        return f"<tf.RaggedTensorValue {self.to_list()}>"

    @property
    def flat_values(self) -> Any:
        values = self.values
        return values.flat_values if isinstance(values, RaggedTensorValue) else values


class RaggedTensor:
    """Rows `values[row_splits[i]:row_splits[i + 1]]`.

    values: a tensor, or a RaggedTensor whose rows are what the rows hold. row_splits: int64
    [rows + 1], from 0 on, never falling.
    """

    def __init__(self, values: Any, row_splits: Any):
        ragged = isinstance(values, RaggedTensor)
        self._values = values if ragged else convert_to_tensor(values, name="values")
        self._row_splits = convert_to_tensor(row_splits, dtypes.int64, "row_splits")
        self._row_splits.get_shape().assert_has_rank(1)

    @classmethod
    def from_row_splits(cls, values: Any, row_splits: Any, name: str | None = None) -> RaggedTensor:
        """Rows of `values` that start and end where `row_splits` says."""
        return cls(values, row_splits)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any, name: str | None = None
    ) -> RaggedTensor:
        """Rows of `values`; `value_rowids`, which never falls, says in which row each lies."""
        rowids = convert_to_tensor(value_rowids, dtypes.int64, "value_rowids")
        ones = apply("OnesLike", rowids)
        lengths = apply("UnsortedSegmentSum", ones, rowids, nrows)
        ends = apply("Cumsum", lengths, 0)
        zero = convert_to_tensor(np.zeros(1, np.int64))
        return cls(values, apply("ConcatV2", [zero, ends], 0))

    def with_uniform_rows(self, shape: Any, rank: int) -> RaggedTensor:
        """This, whose rows are the elements of a tensor of this shape in their order, with that
        tensor's dimensions before them."""
        extents = apply("Unpack", shape, num=rank, axis=0) if rank > 1 else []
        result = self
        for k in range(rank - 1, 0, -1):
            count = extents[0]
            for extent in extents[1:k]:
                count = count * extent
            one = convert_to_tensor(np.int64(1))
            starts = apply("Range", convert_to_tensor(np.int64(0)), count + one, one)
            result = RaggedTensor(result, starts * extents[k])
        return result

    @property
    def values(self) -> Any:
        return self._values

    @property
    def flat_values(self) -> Tensor:
        """The values of the innermost rows."""
        inner = self._values
        return inner.flat_values if isinstance(inner, RaggedTensor) else inner

    @property
    def row_splits(self) -> Tensor:
        return self._row_splits

    @property
    def nested_row_splits(self) -> tuple[Tensor, ...]:
        """The row splits of every ragged dimension, the outermost first."""
        inner = self._values
        rest = inner.nested_row_splits if isinstance(inner, RaggedTensor) else ()
        return (self._row_splits, *rest)

    @property
    def ragged_rank(self) -> int:
        """How many dimensions are ragged."""
        return len(self.nested_row_splits)

    @property
    def dtype(self) -> DType:
        return self.flat_values.dtype

    @property
    def graph(self) -> Any:
        return self._row_splits.graph

    @property
    def op(self) -> Operation:
        return self.flat_values.op

    @property
    def shape(self) -> TensorShape:
        splits = self._row_splits.get_shape()[0].value
        inner = self._values.get_shape()
        rows = None if splits is None else splits - 1
        return TensorShape([rows, None]).concatenate(inner[1:])

    def get_shape(self) -> TensorShape:
        return self.shape

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """The number of rows, int64 unless `out_type` says otherwise."""
        count = apply("Size", self._row_splits, out_type=out_type or dtypes.int64)
        return apply("Sub", count, convert_to_tensor(1, count.dtype), name=name)

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Tensor:
        """The length of each row. Raises ValueError for any axis but 1."""
        if axis != 1:
            raise ValueError("row_lengths takes axis 1 only")
        splits = self._row_splits
        size = apply("Size", splits, out_type=dtypes.int32)
        ends = apply("Slice", splits, [1], apply("Pack", [size - 1]))
        starts = apply("Slice", splits, [0], apply("Pack", [size - 1]))
        return apply("Sub", ends, starts, name=name)

    def to_sparse(self, name: str | None = None) -> SparseTensor:
        """The elements at their rows and columns. Raises ValueError if more than one dimension is
        ragged."""
        if self.ragged_rank > 1:
            raise ValueError("to_sparse takes a RaggedTensor with one ragged dimension")
        indices, shape = apply("RaggedPlaces", self._row_splits)
        return SparseTensor(indices, self.flat_values, shape)

    def to_tensor(self, default_value: Any = None, name: str | None = None) -> Tensor:
        """The rows filled up with `default_value` (zero, or the empty string)."""
        places = self.to_sparse()
        if default_value is None:
            default_value = "" if self.dtype == dtypes.string else 0
        default = convert_to_tensor(default_value, self.dtype)
        parts = (places.indices, places.dense_shape, places.values, default)
        return apply("SparseToDense", *parts, validate_indices=False, name=name)

    def eval(self, feed_dict: Any = None, session: Any = None) -> RaggedTensorValue:
        """Its value in `session` or the default Session."""
        inner = self._values.eval(feed_dict, session)
        return RaggedTensorValue(inner, self._row_splits.eval(feed_dict, session))

    def __str__(self) -> str:
        return f"tf.RaggedTensor(values={self._values}, row_splits={self._row_splits})"
