"""Sparse tensors as components of elements: three boxed arrays in a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.datasets.batch_ops import Listed
from tfc.ops.datasets.nodes import boxed, own
from tfc.ops.datasets.source_ops import handle
from tfc.ops.strings.common import invalid

_SPARSE = "sparse_indices: int64, sparse_values: T, sparse_shape: int64"


def _row(*arrays: np.ndarray) -> np.ndarray:
    row = np.empty(3, object)
    for k, array in enumerate(arrays):
        row[k] = np.array(array, order="C")
    return row


class SerializeSparse(
    OpDef, sig=f"SerializeSparse({_SPARSE}, out_type: type = 'variant') -> serialized: out_type",
    out_type=("variant",),
):  # fmt: skip
    """A sparse tensor as one component of an element."""

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        return [s.shape_of([3])]

    def host(indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
        return _row(indices, values, shape)


class SerializeManySparse(
    OpDef,
    sig=f"SerializeManySparse({_SPARSE}, out_type: type = 'variant') -> serialized: out_type",
    out_type=("variant",),
):
    """The slices of a sparse tensor along its first axis, each as one component."""

    def shape(indices: TensorShape, values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        return [s.shape_of([None, 3])]

    def host(op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
        if shape.size < 2:
            raise invalid(
                op, f"Rank of input SparseTensor should be > 1, but saw rank: {shape.size}"
            )
        rows = np.empty((int(shape[0]), 3), object)
        for k in range(len(rows)):
            chosen = indices[:, 0] == k
            rows[k] = _row(indices[chosen, 1:], values[chosen], shape[1:])
        return rows


class DeserializeSparse(
    OpDef,
    sig="DeserializeSparse(serialized_sparse: Tserialized, dtype: type)"
    " -> sparse_indices: int64, sparse_values: dtype, sparse_shape: int64",
    Tserialized=("variant",),
):
    """The sparse tensor of a component; of several rows one tensor, with axes in front."""

    def shape(serialized: TensorShape) -> list[TensorShape]:
        return [s.shape_of([None, None]), s.shape_of([None]), s.shape_of([None])]

    def host(op: Any, serialized: np.ndarray, *, dtype: DType) -> tuple[np.ndarray, ...]:
        if serialized.ndim == 0 or serialized.shape[-1] != 3:
            raise invalid(
                op,
                f"Serialized sparse should have 3 as the last dimension but has shape "
                f"{s.text(serialized.shape)}",
            )
        outer = serialized.shape[:-1]
        rows = serialized.reshape(-1, 3)
        if not len(rows):
            raise invalid(op, "Serialized sparse should have a non-zero number of elements.")
        ranks = {row[2].size for row in rows}
        if len(ranks) != 1:
            raise invalid(op, f"Inconsistent rank across SparseTensors: {sorted(ranks)}")
        indices = []
        for place, row in zip(np.ndindex(outer), rows, strict=True):
            front = np.broadcast_to(np.array(place, np.int64), (len(row[0]), len(outer)))
            indices.append(np.concatenate([front, row[0]], axis=1))
        values = [row[1].astype(dtype.as_numpy_dtype, copy=False) for row in rows]
        inner = np.max(np.stack([row[2] for row in rows]), axis=0)
        shape = np.concatenate([np.array(outer, np.int64), inner])
        return np.concatenate(indices), np.concatenate(values), shape


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
