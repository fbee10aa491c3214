"""ParseExample, ParseSingleExample, ParseSingleSequenceExample: features of records as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.examples import wire
from tfc.ops.strings.common import invalid


def _keys(arrays: Sequence[np.ndarray]) -> list[bytes]:
    return [array.item() for array in arrays]


def feature_values(op: Any, where: str, key: bytes, data: bytes | None, dtype: DType) -> Any:
    """The values of a feature as an array, None where it is missing.

    Raises:
      InvalidArgumentError: it is of another dtype, or broken.
    """
    if data is None:
        return None
    try:
        found = wire.feature(data)
    except ValueError as error:
        message = f"{where}Key: {key.decode()}.  Could not parse the feature: {error}"
        raise invalid(op, message) from None
    if found is None:
        return None
    name, values = found
    if name != dtype.name:
        raise invalid(
            op,
            f"{where}Key: {key.decode()}.  Data types don't match. Expected type: {dtype.name} "
            f"but got {name}",
        )
    return values


def dense_feature(
    op: Any,
    where: str,
    key: bytes,
    data: bytes | None,
    dtype: DType,
    shape: TensorShape,
    default: np.ndarray,
) -> np.ndarray:
    """A feature of fixed length in its shape; the default where it is missing. A shape whose first
    extent is unknown takes as many rows as there are."""
    values = feature_values(op, where, key, data, dtype)
    dims: Any = shape.as_list()
    if dims and dims[0] is None:
        row = int(np.prod([d or 0 for d in dims[1:]], dtype=np.int64))
        if values is None:
            values = np.empty(0, dtype.as_numpy_dtype)
        if row == 0 or values.size % row:
            raise invalid(
                op,
                f"{where}Key: {key.decode()}, Index: 0.  Number of {dtype.name} values is not a "
                f"multiple of stride length. saw: {values.size} but output shape is: {shape}",
            )
        return values.reshape(-1, *dims[1:])
    if values is None:
        if default.size == 0 and 0 not in dims:
            raise invalid(
                op,
                f"{where}Feature: {key.decode()} (data type: {dtype.name}) is required but could "
                "not be found.",
            )
        return np.broadcast_to(default.ravel(), int(np.prod(dims, dtype=np.int64))).reshape(dims)
    if values.size != int(np.prod(dims, dtype=np.int64)):
        raise invalid(
            op,
            f"{where}Key: {key.decode()}.  Number of {dtype.name} values != expected.  Values "
            f"size: {values.size} but output shape: {s.text(dims)}",
        )
    return values.reshape(dims)


def _stacked(rows: list[np.ndarray], dtype: DType, shape: TensorShape, default: Any) -> np.ndarray:
    """One row for each record; with rows of different lengths, filled up with the default."""
    kind = dtype.as_numpy_dtype
    dims = [d or 0 for d in shape.as_list()]
    if shape.as_list() and shape.as_list()[0] is None:
        dims[0] = max((len(row) for row in rows), default=0)
    fill = default.ravel()[0] if default.size else b"" if kind is object else 0
    whole = np.full((len(rows), *dims), fill, kind)
    for k, row in enumerate(rows):
        if row.ndim:
            whole[k, : len(row)] = row
        else:
            whole[k] = row.item()
    return whole


class ParseExample(
    OpDef,
    sig="ParseExample(serialized: string, names: string, sparse_keys: Nsparse? * string, "
    "dense_keys: Ndense? * string, dense_defaults: [Tdense], sparse_types: list(type), "
    "dense_shapes: list(shape)) -> sparse_indices: Nsparse * int64, "
    "sparse_values: [sparse_types], sparse_shapes: Nsparse * int64, dense_values: [Tdense]",
):
    """The features of a vector of Example messages: sparse ones, and dense ones of a row each."""

    def shape(*inputs: TensorShape, op: Any) -> list[TensorShape]:
        (count,) = s.with_rank(inputs[0], 1)
        sparse = op.get_attr("Nsparse")
        dense = [s.shape_of([count]).concatenate(x) for x in op.get_attr("dense_shapes")]
        return [
            *[s.shape_of([None, 2])] * sparse,
            *[s.shape_of([None])] * sparse,
            *[s.shape_of([2])] * sparse,
            *dense,
        ]

    def host(
        op: Any,
        serialized: np.ndarray,
        names: np.ndarray,
        *rest: np.ndarray,
        Nsparse: int,
        Ndense: int,
        sparse_types: Sequence[DType],
        Tdense: Sequence[DType],
        dense_shapes: Sequence[TensorShape],
    ) -> list[np.ndarray]:
        sparse_keys, dense_keys = _keys(rest[:Nsparse]), _keys(rest[Nsparse : Nsparse + Ndense])
        defaults = rest[Nsparse + Ndense :]
        if names.size not in (0, serialized.size):
            raise invalid(op, "Expected len(names) == len(serialized)")
        labels = [n.decode() for n in names.ravel()] or ["<unknown>"] * serialized.size
        wheres = [f"Name: {label}, " for label in labels]
        records = []
        for where, data in zip(wheres, serialized.ravel(), strict=True):
            try:
                records.append(wire.example(data))
            except ValueError as error:
                message = f"{where}Could not parse example input, value: {error}"
                raise invalid(op, message) from None
        places: list[Any] = []
        values: list[Any] = []
        shapes: list[Any] = []
        for key, dtype in zip(sparse_keys, sparse_types, strict=True):
            rows = [
                feature_values(op, w, key, r.get(key), dtype)
                for w, r in zip(wheres, records, strict=True)
            ]
            part = sparse_rows(rows, dtype)
            for group, item in zip((places, values, shapes), part, strict=True):
                group.append(item)
        dense = []
        for key, dtype, shape, default in zip(
            dense_keys, Tdense, dense_shapes, defaults, strict=True
        ):
            rows = [
                dense_feature(op, w, key, r.get(key), dtype, shape, default)
                for w, r in zip(wheres, records, strict=True)
            ]
            dense.append(_stacked(rows, dtype, shape, default))
        return [*places, *values, *shapes, *dense]


def sparse_rows(rows: list[Any], dtype: DType) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of different lengths (None: empty) as the parts of a sparse matrix."""
    kind = dtype.as_numpy_dtype
    rows = [np.empty(0, kind) if row is None else row for row in rows]
    lengths = np.array([len(row) for row in rows], np.int64)
    at = np.repeat(np.arange(len(rows)), lengths)
    columns = [np.arange(n) for n in lengths]
    column = np.concatenate(columns) if columns else np.empty(0, np.int64)
    values = np.concatenate(rows) if rows else np.empty(0, kind)
    widest = int(lengths.max(initial=0))
    places = np.stack([at, column], 1).astype(np.int64)
    return places, values, np.array([len(rows), widest], np.int64)


class ParseSingleExample(
    OpDef,
    sig="ParseSingleExample(serialized: string, dense_defaults: [Tdense], num_sparse: int, "
    "sparse_keys: list(str), dense_keys: list(str), sparse_types: list(type), "
    "dense_shapes: list(shape)) -> sparse_indices: num_sparse * int64, "
    "sparse_values: [sparse_types], sparse_shapes: num_sparse * int64, dense_values: [Tdense]",
):
    """The features of one Example message."""

    def shape(*inputs: TensorShape, op: Any) -> list[TensorShape]:
        s.with_rank(inputs[0], 0)
        sparse = op.get_attr("num_sparse")
        return [
            *[s.shape_of([None, 1])] * sparse,
            *[s.shape_of([None])] * sparse,
            *[s.shape_of([1])] * sparse,
            *op.get_attr("dense_shapes"),
        ]

    def host(
        op: Any,
        serialized: np.ndarray,
        *defaults: np.ndarray,
        sparse_keys: Sequence[str],
        dense_keys: Sequence[str],
        sparse_types: Sequence[DType],
        Tdense: Sequence[DType],
        dense_shapes: Sequence[TensorShape],
    ) -> list[np.ndarray]:
        try:
            record = wire.example(serialized.item())
        except ValueError as error:
            raise invalid(op, f"Could not parse example input, value: {error}") from None
        places: list[Any] = []
        values: list[Any] = []
        shapes: list[Any] = []
        for name, dtype in zip(sparse_keys, sparse_types, strict=True):
            key = name.encode()
            found = feature_values(op, "", key, record.get(key), dtype)
            found = np.empty(0, dtype.as_numpy_dtype) if found is None else found
            places.append(np.arange(len(found), dtype=np.int64)[:, None])
            values.append(found)
            shapes.append(np.array([len(found)], np.int64))
        dense = [
            dense_feature(op, "", name.encode(), record.get(name.encode()), dtype, shape, default)
            for name, dtype, shape, default in zip(
                dense_keys, Tdense, dense_shapes, defaults, strict=True
            )
        ]
        return [*places, *values, *shapes, *dense]
