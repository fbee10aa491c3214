"""TensorSpec and SparseTensorSpec: what is known of a tensor before there is one."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.operation import Tensor
from tfc.framework.sparse_tensor import SparseTensor


def common_shape(a: TensorShape, b: TensorShape) -> TensorShape:
    """What is true of both shapes."""
    if a.ndims is None or b.ndims is None or a.ndims != b.ndims:
        return TensorShape(None)
    pairs = zip(a.as_list(), b.as_list(), strict=True)
    return TensorShape([x if x == y else None for x, y in pairs])


class TensorSpec:
    """The shape and the dtype of a tensor, and perhaps its name."""

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None):
        self._shape, self._dtype, self._name = as_shape(shape), dtypes.as_dtype(dtype), name

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        """That of something with a shape, a dtype and a name."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """That of a tensor. Raises ValueError if it is none."""
        if not isinstance(tensor, Tensor):
            raise ValueError("`tensor` should be a tf.Tensor")
        return cls(tensor.shape, tensor.dtype, name or tensor.op.name)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def value_type(self) -> type:
        return Tensor

    def is_compatible_with(self, spec_or_tensor: Any) -> bool:
        """Whether the dtypes are equal and the shapes may be."""
        other = spec_or_tensor
        return bool(
            hasattr(other, "dtype")
            and self._dtype == other.dtype.base_dtype
            and self._shape.is_compatible_with(other.shape)
        )

    def most_specific_compatible_type(self, other: TensorSpec) -> TensorSpec:
        """What is true of both. Raises ValueError for another dtype."""
        if not isinstance(other, TensorSpec) or self._dtype != other._dtype:
            raise ValueError(f"No TensorSpec is compatible with both {self} and {other}")
        return TensorSpec(common_shape(self._shape, other._shape), self._dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self._dtype, self._name))

    def _key(self) -> Any:
        shape = self._shape
        return self._dtype, self._name, None if shape.ndims is None else shape.as_list()

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"


class SparseTensorSpec:
    """The dense shape and the dtype of a SparseTensor."""

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32):
        self._shape, self._dtype = as_shape(shape), dtypes.as_dtype(dtype)

    @classmethod
    def from_value(cls, value: SparseTensor) -> SparseTensorSpec:
        """That of a SparseTensor."""
        return cls(value.shape, value.dtype)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def value_type(self) -> type:
        return SparseTensor

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether the dtypes are equal and the shapes may be."""
        other = spec_or_value
        return bool(
            isinstance(other, SparseTensorSpec | SparseTensor)
            and self._dtype == other.dtype
            and self._shape.is_compatible_with(other.shape)
        )

    def most_specific_compatible_type(self, other: SparseTensorSpec) -> SparseTensorSpec:
        """What is true of both. Raises ValueError for another dtype."""
        if not isinstance(other, SparseTensorSpec) or self._dtype != other._dtype:
            raise ValueError(f"No SparseTensorSpec is compatible with both {self} and {other}")
        return SparseTensorSpec(common_shape(self._shape, other._shape), self._dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseTensorSpec) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(self._dtype)

    def __repr__(self) -> str:
        return f"SparseTensorSpec({self._shape}, {self._dtype!r})"
