"""SparseTensor: coordinates and values of the elements that are not zero."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import name_scope
from tfc.framework.operation import Operation, Tensor
from tfc.framework.tensor_util import constant_value_as_shape


class SparseTensorValue(NamedTuple):
    """What fetching a SparseTensor gives, and what may be fed for one."""

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor:
    """A tensor of shape `dense_shape` with `dense[indices[i]] = values[i]` and zeros elsewhere.

    indices: int64 [n, rank]; values: [n]; dense_shape: int64 [rank].
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any):
        with name_scope(None, "SparseTensor", [indices, values, dense_shape]):
            indices = convert_to_tensor(indices, dtypes.int64, "indices")
            values = convert_to_tensor(values, name="values")
            dense_shape = convert_to_tensor(dense_shape, dtypes.int64, "dense_shape")
        self._indices, self._values, self._dense_shape = indices, values, dense_shape
        of_indices = indices.get_shape().with_rank(2)
        of_values = values.get_shape().with_rank(1)
        of_shape = dense_shape.get_shape().with_rank(1)
        self._known_shape: TensorShape | None = None  # where the tensor of the shape does not tell
        of_indices[0].merge_with(of_values[0])
        of_indices[1].merge_with(of_shape[0])

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """A SparseTensor holding a SparseTensorValue; one that is given stays itself."""
        value = sparse_tensor_value
        if isinstance(value, cls):
            return value
        if not isinstance(value, SparseTensorValue):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {value}.")
        return cls(value.indices, value.values, value.dense_shape)

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        return self._dense_shape

    @property
    def op(self) -> Operation:
        return self._values.op

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def graph(self) -> Any:
        return self._indices.graph

    @property
    def shape(self) -> TensorShape:
        return self._known_shape or constant_value_as_shape(self._dense_shape)

    def get_shape(self) -> TensorShape:
        return self.shape

    def eval(self, feed_dict: Any = None, session: Any = None) -> SparseTensorValue:
        """Its value in `session` or the default Session."""
        parts = (self._indices, self._values, self._dense_shape)
        return SparseTensorValue(*(np.asarray(t.eval(feed_dict, session)) for t in parts))

    def __str__(self) -> str:
        return (
            f"SparseTensor(indices={self._indices}, values={self._values}, "
            f"dense_shape={self._dense_shape})"
        )

    __repr__ = __str__


def convert_to_tensor_or_sparse_tensor(
    value: Any, dtype: Any = None, name: str | None = None
) -> Any:
    """A SparseTensor(Value) as a SparseTensor, anything else as a Tensor.

    Raises:
      RuntimeError: a SparseTensor of another dtype.
    """
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if isinstance(value, SparseTensor):
        if dtype is not None and dtypes.as_dtype(dtype).base_dtype != value.dtype.base_dtype:
            raise RuntimeError(
                f"Sparse dtype: requested = {dtypes.as_dtype(dtype).name}, "
                f"actual = {value.dtype.name}"
            )
        return value
    return convert_to_tensor(value, dtype, name)
