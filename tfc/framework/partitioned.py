"""Variables in parts: what says how many parts there are, and their container."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework.convert import (
    register_dense_tensor_like_type,
    register_tensor_conversion_function,
)
from tfc.framework.graph import control_dependencies, name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.overloads import Overloaded

Partitioner = Callable[..., list[int]]


class SaveSliceInfo:
    """Which part of a whole a variable is; with `save_slice_info_def`, what such a message says."""

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Any = None,
        var_offset: Any = None,
        var_shape: Any = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ):
        given = save_slice_info_def
        if given is not None:
            full_name, full_shape = given.full_name, given.full_shape
            var_offset, var_shape = given.var_offset, given.var_shape
            full_name = f"{import_scope}/{full_name}" if import_scope else full_name
        self.full_name = full_name
        self.full_shape = [int(n) for n in full_shape]
        self.var_offset = [int(n) for n in var_offset]
        self.var_shape = [int(n) for n in var_shape]

    @property
    def spec(self) -> str:
        """The whole's shape and the part's place, as TensorFlow writes them."""
        whole = " ".join(map(str, self.full_shape))
        pairs = zip(self.var_offset, self.var_shape, strict=True)
        return f"{whole} " + ":".join(f"{at},{size}" for at, size in pairs)


@dataclass(frozen=True)
class PartitionInfo:
    """What an initializer is told of the whole: its shape, and where the part begins."""

    full_shape: list[int]
    var_offset: list[int]


def check_partitions(partitions: Any, shape: TensorShape) -> list[int]:
    """What a partitioner gave, as numbers of parts along each axis.

    Raises:
      ValueError: it gave something else, or parts along several axes.
    """
    if not isinstance(partitions, list | tuple):
        raise ValueError(f"Partitioner must return a sequence, but saw: {partitions}")
    found = [int(n) for n in partitions]
    if len(found) != shape.ndims:
        raise ValueError(
            f"Partitioner returned a partition list that does not match the Variable's rank: "
            f"{found} vs. {shape}"
        )
    if any(n < 1 for n in found):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {found}")
    if sum(n > 1 for n in found) > 1:
        raise ValueError(
            f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {found}"
        )
    return found


def slices(shape: Sequence[int], partitions: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """(offset, shape) of each part: the first ones are one longer where it does not divide."""
    axis = next((i for i, n in enumerate(partitions) if n > 1), 0)
    count = partitions[axis]
    least, excess = divmod(shape[axis], count)
    found, at = [], 0
    for i in range(count):
        offset, size = [0] * len(shape), list(shape)
        offset[axis], size[axis] = at, least + (i < excess)
        at += size[axis]
        found.append((offset, size))
    return found


class PartitionedVariable(Overloaded):
    """The parts of one variable, in order, and the whole as a tensor."""

    def __init__(
        self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Any], partitions: Any
    ):
        """Raises TypeError, ValueError: parts that are none, or not of this shape."""
        if not isinstance(variable_list, list | tuple):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, list | tuple):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        if not all(n >= 1 for n in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        self._shape, self._dtype = TensorShape(shape), dtype
        if self._shape.ndims != len(partitions):
            raise ValueError(f"len(shape) != len(partitions): {shape} vs. {partitions}")
        for variable in variable_list:
            info = variable._save_slice_info
            if info is None:
                raise ValueError(
                    f"All variables must have a save_slice_info available: {variable.name} has none"
                )
            if info.full_shape != self._shape.as_list():
                raise ValueError(
                    f"All variables' full shapes must match shape: {variable.name} is part of a "
                    f"variable of shape {info.full_shape}, not {shape}"
                )
        self._name, self._partitions = name, list(partitions)
        self._parts = sorted(variable_list, key=lambda v: v._save_slice_info.var_offset)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    def get_shape(self) -> TensorShape:
        return self._shape

    @property
    def _axis(self) -> int:
        return next((i for i, n in enumerate(self._partitions) if n > 1), 0)

    @property
    def graph(self) -> Any:
        return self._parts[0].graph

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    __array_priority__ = 100

    def as_tensor(self) -> Tensor:
        """The whole, as it is when its parts are read."""
        with control_dependencies(None):
            whole: Tensor = self._parts[0]._AsTensor()
            if len(self._parts) > 1:
                with name_scope(f"{self._name}/ConcatPartitions/"):
                    parts = [v._AsTensor() for v in self._parts]
                    whole = apply("ConcatV2", parts, self._axis, name="concat")
            with name_scope(None):
                tensor: Tensor = apply("Identity", whole, name=self._name)
                return tensor

    _AsTensor = as_tensor

    def _each(
        self, method: str, value: Any, read_value: bool, options: dict[str, Any]
    ) -> list[Any]:
        if isinstance(value, list):
            if len(value) != len(self._parts):
                raise ValueError(f"{len(value)} values for {len(self._parts)} parts")
            values = value
        elif isinstance(value, PartitionedVariable):
            values = list(value)
        else:
            axis = self._axis
            sizes = [v.shape.as_list()[axis] for v in self._parts]
            values = apply("SplitV", value, sizes, axis, num_split=len(sizes))
        made = [
            getattr(part, method)(new, **options)
            for part, new in zip(self._parts, values, strict=True)
        ]
        return made if read_value else [result.op for result in made]

    def assign(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:
        """Assign to each part its part of `value`, or one of a list of values."""
        return self._each("assign", value, read_value, {"use_locking": use_locking, "name": name})

    def assign_add(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:
        """Add to each part its part of `value`, or one of a list of values."""
        options = {"use_locking": use_locking, "name": name}
        return self._each("assign_add", value, read_value, options)

    def assign_sub(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:
        """Subtract from each part its part of `value`, or one of a list of values."""
        options = {"use_locking": use_locking, "name": name}
        return self._each("assign_sub", value, read_value, options)


def _to_tensor(
    value: PartitionedVariable, dtype: Any = None, name: str | None = None, as_ref: bool = False
) -> Tensor:
    if dtype is not None and not dtype.is_compatible_with(value.dtype):
        raise ValueError(
            f"Incompatible type conversion requested to type {dtype.name!r} for variable of type "
            f"{value.dtype.name!r}"
        )
    return value.as_tensor()


register_tensor_conversion_function(PartitionedVariable, _to_tensor)
register_dense_tensor_like_type(PartitionedVariable)

# ---- how many parts


def _element_size(dtype: Any, of_string: int) -> int:
    kind = dtypes.as_dtype(dtype).base_dtype
    return of_string if kind == dtypes.string else int(kind.size)


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """What makes `num_shards` parts along an axis, as far as it is long enough."""

    def partitioner(shape: TensorShape, **unused: Any) -> list[int]:
        parts = [1] * len(shape)
        dims: Any = shape.as_list()
        parts[axis] = min(num_shards, dims[axis])
        return parts

    return partitioner


def variable_axis_size_partitioner(
    max_shard_bytes: int,
    axis: int = 0,
    bytes_per_string_element: int = 16,
    max_shards: int | None = None,
) -> Partitioner:
    """What makes parts along an axis of at most `max_shard_bytes`, at most `max_shards` of them.

    Raises:
      ValueError: a number below 1.
    """
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError(
            "Both max_shard_bytes and bytes_per_string_element must be positive, not "
            f"{max_shard_bytes} and {bytes_per_string_element}"
        )
    if max_shards is not None and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        if not isinstance(shape, TensorShape) or not shape.is_fully_defined():
            raise ValueError(f"shape is no fully defined TensorShape: {shape}")
        dims: Any = shape.as_list()
        size = _element_size(dtype, bytes_per_string_element)
        of_slice = math.prod(dims[:axis] + dims[axis:][1:]) * size
        slices_each = max(1, max_shard_bytes // of_slice)
        parts = [1] * len(dims)
        parts[axis] = min(max_shards or dims[axis], -(-dims[axis] // slices_each))
        return parts

    return partitioner


def min_max_variable_partitioner(
    max_partitions: int = 1,
    axis: int = 0,
    min_slice_size: int = 256 << 10,
    bytes_per_string_element: int = 16,
) -> Partitioner:
    """What makes parts along an axis of at least `min_slice_size` bytes, at most `max_partitions`
    of them."""

    def partitioner(shape: TensorShape, dtype: Any) -> list[int]:
        if axis >= len(shape):
            raise ValueError(
                f"Cannot partition variable along axis {axis} when shape is only {shape}"
            )
        dims: Any = shape.as_list()
        total = math.prod(dims) * _element_size(dtype, bytes_per_string_element)
        parts = [1] * len(dims)
        wanted = math.ceil(total / min_slice_size)
        parts[axis] = max(1, min(dims[axis], max_partitions, wanted))
        return parts

    return partitioner
