"""What a program says of the features that it wants, and the functions that parse them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops import shape_ops


class VarLenFeature(NamedTuple):
    """A feature of any length; it is parsed to a SparseTensor."""

    dtype: Any


class FixedLenFeature(NamedTuple):
    """A feature of one shape; it is parsed to a Tensor. default_value: stands for it where a
    record lacks it, of the shape or one element; None: every record has it."""

    shape: Any
    dtype: Any
    default_value: Any = None


class FixedLenSequenceFeature(NamedTuple):
    """A feature of rows of one shape. allow_missing: must be true where it stands in an Example;
    rows that are missing are filled up with the default."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class SparseFeature(NamedTuple):
    """A SparseTensor whose indices stand in one feature (or several), and values in another."""

    index_key: Any
    value_key: Any
    dtype: Any
    size: Any
    already_sorted: bool = False


_TYPES = ("float32", "int64", "string")


class Wanted:
    """Features sorted by what the op does with them: keys in order, sparse and dense."""

    def __init__(self, features: Mapping[str, Any], sequence: bool = False):
        self.sparse: dict[str, Any] = {}
        self.dense: dict[str, tuple[Any, TensorShape, Any]] = {}
        self.joined: dict[str, SparseFeature] = {}
        self.asked = set(features)  # not those that only a SparseFeature reads
        for key in sorted(features):
            self._add(key, features[key], sequence)

    def _add(self, key: str, feature: Any, sequence: bool) -> None:
        match feature:
            case VarLenFeature():
                self._sparse_key(key, feature.dtype)
            case SparseFeature():
                indices = feature.index_key
                for name in [indices] if isinstance(indices, str) else indices:
                    self._sparse_key(name, dtypes.int64)
                self._sparse_key(feature.value_key, feature.dtype)
                self.joined[key] = feature
            case FixedLenFeature():
                shape = _checked_shape(key, feature.shape)
                self.dense[key] = _dtype(key, feature.dtype), shape, feature.default_value
            case FixedLenSequenceFeature():
                if not feature.allow_missing and not sequence:
                    raise ValueError(
                        "Unsupported: FixedLenSequenceFeature requires allow_missing to be True."
                    )
                shape = TensorShape([None]).concatenate(_checked_shape(key, feature.shape))
                self.dense[key] = _dtype(key, feature.dtype), shape, feature.default_value
            case _:
                raise ValueError(f"Invalid feature {key}:{feature}.")

    def _sparse_key(self, key: str, dtype: Any) -> None:
        kind = _dtype(key, dtype)
        if self.sparse.setdefault(key, kind) != kind:
            raise ValueError(f"Conflicting type {self.sparse[key]} vs {kind} for feature {key}.")

    def defaults(self) -> list[Tensor]:
        """A tensor for each dense feature: its default in its shape, or an empty one."""
        found = []
        for key, (dtype, shape, value) in self.dense.items():
            if value is None:
                found.append(convert_to_tensor(np.empty(0, dtype.as_numpy_dtype), dtype))
                continue
            tensor = convert_to_tensor(value, dtype, "default_value")
            dims = shape.as_list()
            if None in dims[:1]:
                tensor = shape_ops.reshape(tensor, [-1])
            elif tensor.get_shape().num_elements() not in (1, shape.num_elements(), None):
                raise ValueError(f"default_value of feature {key} must have the shape {shape}")
            elif tensor.get_shape().num_elements() != 1 or shape.num_elements() == 1:
                tensor = shape_ops.reshape(tensor, dims)
            found.append(tensor)
        return found


def _dtype(key: str, dtype: Any) -> Any:
    if dtype is None:
        raise ValueError(f"Missing type for feature {key}.")
    found = dtypes.as_dtype(dtype)
    if found.name not in _TYPES:
        raise TypeError(f"feature {key} has dtype {found.name}, which is none of {_TYPES}")
    return found


def _checked_shape(key: str, shape: Any) -> TensorShape:
    if shape is None:
        raise ValueError(f"Missing shape for feature {key}.")
    found = as_shape(shape)
    dims = found.as_list() if found.ndims is not None else [None, None]
    if None in dims[1:] or found.ndims is None:
        raise ValueError(f"First dimension of shape for feature {key} may be unknown, no other.")
    return found


def parse_example(
    serialized: Any, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """The features of a vector of serialized Example messages, by key.

    features: for each key a VarLenFeature or SparseFeature (parsed to a SparseTensor with a row
    for each message), a FixedLenFeature (a Tensor [messages, *shape]) or a FixedLenSequenceFeature
    (a Tensor with as many rows as the longest has). example_names: names for errors.

    Raises:
      ValueError: features that are none. InvalidArgumentError, when run: a message that is none,
        a feature of another dtype or length, or one that is missing without a default.
    """
    if not features:
        raise ValueError("Missing: features was None or empty.")
    wanted = Wanted(features)
    with name_scope(name, "ParseExample", [serialized, example_names]):
        names = [] if example_names is None else example_names
        names = convert_to_tensor(names, dtypes.string, "names")
        keys = [[convert_to_tensor(k) for k in group] for group in (wanted.sparse, wanted.dense)]
        parts = apply(
            "ParseExample",
            convert_to_tensor(serialized, dtypes.string, "serialized"),
            names,
            *keys,
            wanted.defaults(),
            sparse_types=list(wanted.sparse.values()),
            dense_shapes=[shape for _, shape, _ in wanted.dense.values()],
        )
        return _results(wanted, parts, 2)


def parse_single_example(
    serialized: Any, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """The features of one serialized Example message (a scalar string), by key: as of
    `parse_example`, without the dimension of the messages.

    Raises:
      ValueError, InvalidArgumentError: as `parse_example`.
    """
    if not features:
        raise ValueError("Missing features.")
    wanted = Wanted(features)
    with name_scope(name, "ParseSingleExample", [serialized, example_names]):
        parts = apply(
            "ParseSingleExample",
            convert_to_tensor(serialized, dtypes.string, "serialized"),
            wanted.defaults(),
            num_sparse=len(wanted.sparse),
            sparse_keys=list(wanted.sparse),
            dense_keys=list(wanted.dense),
            sparse_types=list(wanted.sparse.values()),
            dense_shapes=[shape for _, shape, _ in wanted.dense.values()],
        )
        return _results(wanted, parts, 1)


def _results(wanted: Wanted, parts: Any, rank: int) -> dict[str, Any]:
    """The tensors of an op's outputs by key."""
    places, values, shapes, dense = parts
    every = zip(places, values, shapes, strict=True)
    found: dict[str, Any] = dict(
        zip(wanted.sparse, [SparseTensor(*part) for part in every], strict=True)
    )
    for key, feature in wanted.joined.items():
        found[key] = _joined(found, feature, rank)
    result = {k: v for k, v in found.items() if k in wanted.asked}
    result.update(zip(wanted.dense, dense, strict=True))
    return result


def _index_keys(feature: SparseFeature) -> list[str]:
    return [feature.index_key] if isinstance(feature.index_key, str) else list(feature.index_key)


def _joined(found: Mapping[str, Any], feature: SparseFeature, rank: int) -> SparseTensor:
    """The SparseTensor whose indices and values stand in features of their own."""
    sizes = [feature.size] if isinstance(feature.index_key, str) else list(feature.size)
    ids = [found[key] for key in _index_keys(feature)]
    values = found[feature.value_key]
    columns = [apply("ExpandDims", x.values, 1) for x in ids]
    if rank > 1:
        columns.insert(0, apply("Slice", values.indices, [0, 0], [-1, rank - 1]))
    extents = [convert_to_tensor(np.array(sizes, np.int64))]
    if rank > 1:
        extents.insert(0, apply("Slice", values.dense_shape, [0], [rank - 1]))
    indices = apply("ConcatV2", columns, 1) if len(columns) > 1 else columns[0]
    shape = apply("ConcatV2", extents, 0) if len(extents) > 1 else extents[0]
    if feature.already_sorted:
        return SparseTensor(indices, values.values, shape)
    places, data = apply("SparseReorder", indices, values.values, shape)
    return SparseTensor(places, data, shape)
