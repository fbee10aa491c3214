"""ParseExample, ParseSingleExample, ParseSingleSequenceExample: features of records as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfc.base.dtypes import DType, as_dtype, kernel_name
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.examples import wire
from tfc.ops.strings.common import invalid


def _keys(arrays: Sequence[np.ndarray]) -> list[bytes]:
    return [array.item() for array in arrays]


LISTS = {"string": "bytes", "float32": "float", "int64": "int64"}  # the lists of a Feature


class Place(NamedTuple):
    """Where a feature is, as messages say it."""

    name: str  # "Name: NAME, ", empty if there is one message
    key: bytes
    at: int | None = None  # the number of the message, or of the step
    role: str = "Key"

    def __str__(self) -> str:
        number = "" if self.at is None else f", Index: {self.at}"
        return f"{self.name}{self.role}: {self.key.decode()}{number}. "

    def other_type(self, found: str, wanted: DType) -> str:
        """The message about a feature of another dtype than asked for."""
        if self.role == "Key":
            there = kernel_name(as_dtype(found))
            there = f"Data type: {there} but expected type: {kernel_name(wanted)}"
        else:
            kind = {"string": "bytes_list", "float32": "float_list", "int64": "int64_list"}[found]
            there = f"Expected type: {kernel_name(wanted)}  Feature is: {kind}"
        return f"{self} Data types don't match. {there}"


def feature_values(op: Any, place: Place, data: bytes | None, dtype: DType) -> Any:
    """The values of a feature as an array, None where it is missing.

    Raises:
      InvalidArgumentError: it is of another dtype, or broken.
    """
    if data is None:
        return None
    try:
        found = wire.feature(data)
    except ValueError as error:
        message = f"{place} Could not parse the feature: {error}"
        raise invalid(op, message) from None
    if found is None:
        return None
    name, values = found
    if name != dtype.name:
        raise invalid(op, place.other_type(name, dtype))
    return values


def dense_feature(
    op: Any,
    place: Place,
    data: bytes | None,
    dtype: DType,
    shape: TensorShape,
    default: np.ndarray,
) -> np.ndarray:
    """A feature of fixed length in its shape; the default where it is missing. A shape whose first
    extent is unknown takes as many rows as there are."""
    values = feature_values(op, place, data, dtype)
    dims: Any = shape.as_list()
    if dims and dims[0] is None:
        row = int(np.prod([d or 0 for d in dims[1:]], dtype=np.int64))
        if values is None:
            values = np.empty(0, dtype.as_numpy_dtype)
        if row == 0 or values.size % row:
            raise invalid(
                op,
                f"{place} Number of {LISTS[dtype.name]} values is not a multiple of stride "
                f"length. Saw {values.size} values but output shape is: {shape}",
            )
        return values.reshape(-1, *dims[1:])
    if values is None:
        if default.size == 0 and 0 not in dims:
            raise invalid(
                op,
                f"{place.name}Feature: {place.key.decode()} (data type: {kernel_name(dtype)}) is "
                "required but could not be found.",
            )
        return np.broadcast_to(default.ravel(), int(np.prod(dims, dtype=np.int64))).reshape(dims)
    if values.size != int(np.prod(dims, dtype=np.int64)):
        raise invalid(
            op,
            f"{place} Number of {LISTS[dtype.name]} values != expected.  Values size: "
            f"{values.size} but output shape: {s.text(dims)}",
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
                feature_values(op, Place(w, key, at), r.get(key), dtype)
                for at, (w, r) in enumerate(zip(wheres, records, strict=True))
            ]
            part = sparse_rows(rows, dtype)
            for group, item in zip((places, values, shapes), part, strict=True):
                group.append(item)
        dense = []
        for key, dtype, shape, default in zip(
            dense_keys, Tdense, dense_shapes, defaults, strict=True
        ):
            rows = [
                dense_feature(op, Place(w, key, at), r.get(key), dtype, shape, default)
                for at, (w, r) in enumerate(zip(wheres, records, strict=True))
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
            found = feature_values(op, Place("", key), record.get(key), dtype)
            found = np.empty(0, dtype.as_numpy_dtype) if found is None else found
            places.append(np.arange(len(found), dtype=np.int64)[:, None])
            values.append(found)
            shapes.append(np.array([len(found)], np.int64))
        dense = [
            dense_feature(op, Place("", key), record.get(key), dtype, shape, default)
            for key, dtype, shape, default in zip(
                [name.encode() for name in dense_keys], Tdense, dense_shapes, defaults, strict=True
            )
        ]
        return [*places, *values, *shapes, *dense]
