"""Records of a context and of lists of features, one feature a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops import shape_rules as s
from tfc.ops.examples import wire
from tfc.ops.examples.features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    VarLenFeature,
    Wanted,
)
from tfc.ops.examples.parse_ops import LISTS, Place, dense_feature, feature_values, sparse_rows
from tfc.ops.strings.common import invalid


class ParseSingleSequenceExample(
    OpDef,
    sig="ParseSingleSequenceExample(serialized: string, "
    "feature_list_dense_missing_assumed_empty: string, "
    "context_sparse_keys: Ncontext_sparse? * string, "
    "context_dense_keys: Ncontext_dense? * string, "
    "feature_list_sparse_keys: Nfeature_list_sparse? * string, "
    "feature_list_dense_keys: Nfeature_list_dense? * string, "
    "context_dense_defaults: [Tcontext_dense], debug_name: string, "
    "context_sparse_types: list(type) = [], feature_list_dense_types: list(type) = [], "
    "context_dense_shapes: list(shape) = [], feature_list_sparse_types: list(type) = [], "
    "feature_list_dense_shapes: list(shape) = []) -> "
    "context_sparse_indices: Ncontext_sparse * int64, "
    "context_sparse_values: [context_sparse_types], "
    "context_sparse_shapes: Ncontext_sparse * int64, "
    "context_dense_values: [Tcontext_dense], "
    "feature_list_sparse_indices: Nfeature_list_sparse * int64, "
    "feature_list_sparse_values: [feature_list_sparse_types], "
    "feature_list_sparse_shapes: Nfeature_list_sparse * int64, "
    "feature_list_dense_values: [feature_list_dense_types]",
):
    """The context and the lists of one SequenceExample message."""

    def shape(*inputs: TensorShape, op: Any) -> list[TensorShape]:
        s.with_rank(inputs[0], 0)
        sparse = op.get_attr("Ncontext_sparse")
        lists = op.get_attr("Nfeature_list_sparse")
        rows = [s.shape_of([None]).concatenate(x) for x in op.get_attr("feature_list_dense_shapes")]
        return [
            *[s.shape_of([None, 1])] * sparse,
            *[s.shape_of([None])] * sparse,
            *[s.shape_of([1])] * sparse,
            *op.get_attr("context_dense_shapes"),
            *[s.shape_of([None, 2])] * lists,
            *[s.shape_of([None])] * lists,
            *[s.shape_of([2])] * lists,
            *rows,
        ]

    def host(
        op: Any,
        serialized: np.ndarray,
        may_miss: np.ndarray,
        *rest: np.ndarray,
        Ncontext_sparse: int,
        Ncontext_dense: int,
        Nfeature_list_sparse: int,
        Nfeature_list_dense: int,
        **attrs: Any,
    ) -> list[Any]:
        counts = (Ncontext_sparse, Ncontext_dense, Nfeature_list_sparse, Nfeature_list_dense)
        every = iter(rest)
        groups = [[next(every).item() for _ in range(count)] for count in counts]
        defaults = [next(every) for _ in range(Ncontext_dense)]
        where = f"Name: {next(every).item().decode() or '<unknown>'}, "
        try:
            context, lists = wire.example(serialized.item()), wire.feature_lists(serialized.item())
        except ValueError as error:
            raise invalid(
                op, f"{where}Could not parse single sequence example input: {error}"
            ) from None
        results = _context(op, where, context, groups[0], groups[1], defaults, attrs)
        empty = set(may_miss.ravel().tolist())
        return results + _lists(op, where, lists, groups[2], groups[3], empty, attrs)


def _in_context(where: str, key: bytes) -> Place:
    return Place(where, key, role="Context feature")


def _context(
    op: Any, where: str, context: Mapping[bytes, bytes], sparse_keys: Sequence[bytes],
    dense_keys: Sequence[bytes], defaults: Sequence[np.ndarray], attrs: dict[str, Any],
) -> list[Any]:  # fmt: skip
    """The outputs about the context: places, values and shapes of sparse ones, dense ones."""
    sparse = []
    for key, dtype in zip(sparse_keys, attrs["context_sparse_types"], strict=True):
        found = feature_values(op, _in_context(where, key), context.get(key), dtype)
        values = np.empty(0, dtype.as_numpy_dtype) if found is None else found
        places = np.arange(len(values), dtype=np.int64)[:, None]
        sparse.append((places, values, np.array([len(values)], np.int64)))
    dense = [
        dense_feature(op, _in_context(where, key), context.get(key), dtype, shape, default)
        for key, dtype, shape, default in zip(
            dense_keys,
            attrs["Tcontext_dense"],
            attrs["context_dense_shapes"],
            defaults,
            strict=True,
        )  # fmt: skip
    ]
    return [part[k] for k in range(3) for part in sparse] + dense


def _lists(
    op: Any, where: str, lists: Mapping[bytes, list[bytes]], sparse_keys: Sequence[bytes],
    dense_keys: Sequence[bytes], empty: set[bytes], attrs: dict[str, Any],
) -> list[Any]:  # fmt: skip
    """The outputs about the lists: places, values and shapes of sparse ones, dense ones."""
    sparse = []
    for key, dtype in zip(sparse_keys, attrs["feature_list_sparse_types"], strict=True):
        rows = [
            feature_values(op, Place(where, key, at, "Feature list"), data, dtype)
            for at, data in enumerate(lists.get(key, []))
        ]
        sparse.append(sparse_rows(rows, dtype))
    dense = []
    types, shapes = attrs["feature_list_dense_types"], attrs["feature_list_dense_shapes"]
    for key, dtype, shape in zip(dense_keys, types, shapes, strict=True):
        if key not in lists and key not in empty:
            raise invalid(
                op, f"{where}Feature list '{key.decode()}' is required but could not be found.  "
                "Did you mean to include it in feature_list_dense_missing_assumed_empty or "
                "feature_list_dense_defaults?",
            )  # fmt: skip
        dense.append(_steps(op, where, key, lists.get(key, []), dtype, shape))
    return [part[k] for k in range(3) for part in sparse] + dense


def _steps(
    op: Any, where: str, key: bytes, features: Sequence[bytes], dtype: DType, shape: TensorShape
) -> np.ndarray:
    """A dense list: a row for each step."""
    dims: Any = shape.as_list()
    result = np.empty((len(features), *dims), dtype.as_numpy_dtype)
    for index, data in enumerate(features):
        values = feature_values(op, Place(where, key, index, "Feature list"), data, dtype)
        count = 0 if values is None else values.size
        if count != int(np.prod(dims, dtype=np.int64)):
            raise invalid(
                op, f"{where}Key: {key.decode()}, Index: {index}.  Number of {LISTS[dtype.name]} "
                f"values != expected.  values size: {count} but output shape: {s.text(dims)}",
            )  # fmt: skip
        result[index] = np.empty(dims, dtype.as_numpy_dtype) if values is None else (
            values.reshape(dims)
        )  # fmt: skip
    return result


def parse_single_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The features of one serialized SequenceExample message: (those of its context, those of its
    lists), by key.

    context_features: for each key a FixedLenFeature (a Tensor) or a VarLenFeature (a SparseTensor).
    sequence_features: a FixedLenSequenceFeature (a Tensor [steps, *shape], without steps where the
    list is missing and may be) or a VarLenFeature (a SparseTensor with a row for each step).
    example_name: a name for errors.

    Raises:
      ValueError: no features, or such that are none. InvalidArgumentError, when run: a message that
        is none, a feature of another dtype or length, or one that is missing.
    """
    if not (context_features or sequence_features):
        raise ValueError("Missing features.")
    context = _wanted(context_features, (VarLenFeature, FixedLenFeature))
    lists = _wanted(sequence_features, (VarLenFeature, FixedLenSequenceFeature))
    may_miss = []
    for key, (_, _, default) in lists.dense.items():
        if default is not None:
            raise ValueError(f"Value feature_list_dense_defaults[{key}] must be None")
        if sequence_features is not None and sequence_features[key].allow_missing:
            may_miss.append(key)
    with name_scope(name, "ParseSingleSequenceExample", [serialized, example_name]):
        groups = [context.sparse, context.dense, lists.sparse, lists.dense]
        parts = apply(
            "ParseSingleSequenceExample",
            convert_to_tensor(serialized, dtypes.string, "serialized"),
            convert_to_tensor(may_miss, dtypes.string),
            *[[convert_to_tensor(key) for key in group] for group in groups],
            context.defaults(),
            convert_to_tensor("" if example_name is None else example_name, dtypes.string),
            context_sparse_types=list(context.sparse.values()),
            feature_list_dense_types=[dtype for dtype, _, _ in lists.dense.values()],
            context_dense_shapes=[shape for _, shape, _ in context.dense.values()],
            feature_list_sparse_types=list(lists.sparse.values()),
            feature_list_dense_shapes=[
                TensorShape(shape.as_list()[1:]) for _, shape, _ in lists.dense.values()
            ],
        )
    return _by_key(context, parts[:4]), _by_key(lists, parts[4:])


def _wanted(features: Mapping[str, Any] | None, allowed: tuple[type, ...]) -> Wanted:
    for key, feature in (features or {}).items():
        if not isinstance(feature, allowed):
            raise ValueError(f"Unsupported {type(feature).__name__} {feature} of {key!r}.")
    return Wanted(features or {}, sequence=True)


def _by_key(wanted: Wanted, parts: Sequence[Any]) -> dict[str, Any]:
    places, values, shapes, dense = parts
    every = zip(places, values, shapes, strict=True)
    found: dict[str, Any] = dict(
        zip(wanted.sparse, [SparseTensor(*part) for part in every], strict=True)
    )
    found.update(zip(wanted.dense, dense, strict=True))
    return found
