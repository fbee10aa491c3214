"""Sparse tensors as rows of three: boxed arrays, as components of elements are, or strings."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import DType, as_dtype
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor, convert_to_tensor_or_sparse_tensor
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.datasets.batch_ops import Listed
from tfc.ops.datasets.nodes import boxed, own
from tfc.ops.datasets.source_ops import handle
from tfc.ops.strings.common import invalid
from tfc.ops.strings.tensor_ops import array_of, message_of

_SPARSE = "sparse_indices: int64, sparse_values: T, sparse_shape: int64"


_OUT = ("str", "variant")


def _row(op: Any, *arrays: np.ndarray) -> np.ndarray:
    row = np.empty(3, object)
    as_text = op.outputs[0].dtype == dtypes.string
    for k, array in enumerate(arrays):
        kind = op.inputs[k].dtype.base_dtype
        row[k] = message_of(array, kind, packed=True) if as_text else np.array(array, order="C")
    return row


def _check_sparse(op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> None:
    ranks = indices.ndim, values.ndim, shape.ndim
    if ranks != (2, 1, 1) or indices.shape != (values.size, shape.size):
        raise invalid(
            op,
            f"Input indices, values and shape do not fit: {s.text(indices.shape)}, "
            f"{s.text(values.shape)}, {s.text(shape.shape)}",
        )


def _check_order(op: Any, indices: np.ndarray, shape: np.ndarray) -> None:
    """Raises InvalidArgumentError unless the indices are in the shape and in order."""
    outside: np.ndarray = np.any((indices < 0) | (indices >= shape), axis=1)
    before: tuple[int, ...] = ()
    for k, row in enumerate(map(tuple, indices.tolist())):
        if outside[k] or row <= before:
            order = "repeated" if row == before else "out of order"
            why = "out of bounds" if outside[k] else order
            raise invalid(op, f"indices[{k}] = {s.text(row)} is {why}")
        before = row


class SerializeSparse(
    OpDef, sig=f"SerializeSparse({_SPARSE}, out_type: type = string) -> serialized: out_type",
    out_type=_OUT,
):  # fmt: skip
    """A sparse tensor as a row of three."""

    grad = no_gradient

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        return [s.shape_of([3])]

    def host(op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
        _check_sparse(op, indices, values, shape)
        return _row(op, indices, values, shape)


class SerializeManySparse(
    OpDef,
    sig=f"SerializeManySparse({_SPARSE}, out_type: type = string) -> serialized: out_type",
    out_type=_OUT,
):
    """The slices of a sparse tensor along its first axis, each as a row of three."""

    grad = no_gradient

    def shape(indices: TensorShape, values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        return [s.shape_of([None, 3])]

    def host(op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
        _check_sparse(op, indices, values, shape)
        if shape.size < 2:
            raise invalid(
                op, f"Rank of input SparseTensor should be > 1, but saw rank: {shape.size}"
            )
        _check_order(op, indices, shape)
        rows = np.empty((int(shape[0]), 3), object)
        for k in range(len(rows)):
            chosen = indices[:, 0] == k
            rows[k] = _row(op, indices[chosen, 1:], values[chosen], shape[1:])
        return rows


class DeserializeSparse(
    OpDef,
    sig="DeserializeSparse(serialized_sparse: Tserialized, dtype: type,"
    " Tserialized: type = string)"
    " -> sparse_indices: int64, sparse_values: dtype, sparse_shape: int64",
    Tserialized=_OUT,
):
    """The sparse tensor of a row of three; of several rows one tensor, with axes in front."""

    grad = no_gradient

    def shape(serialized: TensorShape) -> list[TensorShape]:
        return [s.shape_of([None, None]), s.shape_of([None]), s.shape_of([None])]

    def host(op: Any, serialized: np.ndarray, *, dtype: DType) -> tuple[np.ndarray, ...]:
        return _joined(op, serialized, dtype)


class DeserializeManySparse(
    OpDef,
    sig="DeserializeManySparse(serialized_sparse: string, dtype: type)"
    " -> sparse_indices: int64, sparse_values: dtype, sparse_shape: int64",
):
    """The sparse tensor of rows of three strings, with an axis of rows in front."""

    grad = no_gradient

    def shape(serialized: TensorShape) -> list[TensorShape]:
        s.merge_dim(s.with_rank(serialized, 2)[1], 3)
        return [s.shape_of([None, None]), s.shape_of([None]), s.shape_of([None])]

    def host(op: Any, serialized: np.ndarray, *, dtype: DType) -> tuple[np.ndarray, ...]:
        if serialized.ndim != 2:
            raise invalid(
                op, f"Serialized sparse should be a matrix, not {s.text(serialized.shape)}"
            )
        return _joined(op, serialized, dtype)


def _joined(op: Any, serialized: np.ndarray, dtype: DType) -> tuple[np.ndarray, ...]:
    """Indices, values and shape of what rows of three stand for."""
    if serialized.ndim == 0 or serialized.shape[-1] != 3:
        raise invalid(
            op,
            f"Serialized sparse should have 3 as the last dimension but has shape "
            f"{s.text(serialized.shape)}",
        )
    outer = serialized.shape[:-1]
    rows = [_arrays(op, k, row, dtype) for k, row in enumerate(serialized.reshape(-1, 3))]
    if not len(rows):
        raise invalid(op, "Serialized sparse should have a non-zero number of elements.")
    rank = rows[0][2].size
    for k, row in enumerate(rows):
        if row[2].size != rank:
            raise invalid(
                op,
                "Inconsistent shape across SparseTensors: rank prior to "
                f"SparseTensor[{k}] was: {rank} but rank of SparseTensor[{k}] is: {row[2].size}",
            )
    indices = []
    for place, row in zip(np.ndindex(outer), rows, strict=True):
        front = np.broadcast_to(np.array(place, np.int64), (len(row[0]), len(outer)))
        indices.append(np.concatenate([front, row[0]], axis=1))
    inner = np.max(np.stack([row[2] for row in rows]), axis=0)
    shape = np.concatenate([np.array(outer, np.int64), inner])
    return np.concatenate(indices), np.concatenate([row[1] for row in rows]), shape


def _arrays(op: Any, k: int, row: np.ndarray, dtype: DType) -> list[np.ndarray]:
    """The three arrays of row `k`."""
    arrays = list(row)
    if op.inputs[0].dtype != dtypes.variant:
        try:
            arrays = [array_of(text) for text in row]
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise invalid(op, f"Could not parse serialized proto: {error}") from None
    for part, array, kind in zip(
        ("indices", "values", "shape"), arrays, (dtypes.int64, dtype, dtypes.int64), strict=True
    ):
        if not isinstance(array, np.ndarray):
            raise invalid(op, f"SparseTensor[{k}].{part} is no tensor")
        found = as_dtype(array.dtype)
        if found != kind:
            raise invalid(
                op,
                f"Requested SparseTensor of type {dtype.name} but "
                f"SparseTensor[{k}].{part}.dtype() == {found.name}"
                if part == "values"
                else f"SparseTensor[{k}].{part} must be of int64, not of {found.name}",
            )
    _check_sparse(op, *arrays)
    return arrays


def _sparse_of(sp_input: Any) -> SparseTensor:
    found = convert_to_tensor_or_sparse_tensor(sp_input)
    if not isinstance(found, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return found


def serialize_sparse(
    sp_input: Any, name: str | None = None, out_type: Any = dtypes.string
) -> Tensor:
    """A sparse tensor as a vector of three strings, each a TensorProto: indices, values, shape.

    out_type: string, or variant, which `deserialize_many_sparse` does not take.

    Raises:
      TypeError: it is no sparse tensor.
    """
    x = _sparse_of(sp_input)
    out: Tensor = apply(
        "SerializeSparse", x.indices, x.values, x.dense_shape, out_type=out_type, name=name
    )
    return out


def serialize_many_sparse(
    sp_input: Any, name: str | None = None, out_type: Any = dtypes.string
) -> Tensor:
    """The slices of a sparse tensor along its first axis, each as `serialize_sparse` gives it:
    [slices, 3].

    Raises:
      TypeError: it is no sparse tensor. InvalidArgumentError, when run: its rank is below 2.
    """
    x = _sparse_of(sp_input)
    out: Tensor = apply(
        "SerializeManySparse", x.indices, x.values, x.dense_shape, out_type=out_type, name=name
    )
    return out


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None
) -> SparseTensor:
    """The sparse tensor whose slices `serialized_sparse`, [slices, 3], holds: as large in each
    dimension as the largest of them. rank: that of the result, if it is known.

    Raises, when run:
      InvalidArgumentError: they are no such strings, of another dtype, or of different ranks.
    """
    indices, values, shape = apply(
        "DeserializeManySparse", serialized_sparse, dtype=as_dtype(dtype), name=name
    )
    indices.set_shape([None, rank])
    shape.set_shape([rank])
    return SparseTensor(indices, values, shape)


class SparseTensorSliceDataset(
    OpDef,
    sig="SparseTensorSliceDataset(indices: int64, values: Tvalues, dense_shape: int64)"
    " -> handle: variant",
):
    """The rows of a sparse tensor, each as indices, values and shape."""

    stateful = True
    shape = handle

    def host(op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
        if not shape.size:
            raise invalid(op, "The shape of a sparse tensor with rows must not be empty.")
        if np.any(np.diff(indices[:, 0]) < 0):
            raise errors.UnimplementedError(
                None, op, "The SparseTensor must be ordered in the batch dimension."
            )
        rows = []
        for k in range(int(shape[0])):
            chosen = indices[:, 0] == k
            rows.append((own(indices[chosen, 1:]), own(values[chosen]), own(shape[1:])))
        return boxed(Listed(rows))
