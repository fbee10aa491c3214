"""`tensor[...]`: what may stand between the brackets, as one StridedSlice."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import Dimension, TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor, name_scope
from tfc.ops.const_ops import constant_of
from tfc.ops.gather_ops import boolean_mask
from tfc.ops.join_ops import stack
from tfc.ops.slice_ops import MASKS

_INDEX_ERROR = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar "
    "tf.int32/tf.int64 tensors are valid indices"
)


def check_index_type(index: Any) -> None:
    """Raises TypeError unless `index` may stand between the brackets of `tensor[...]`."""
    if isinstance(index, (int, np.integer, Dimension)) and not isinstance(index, bool):
        return
    kind = getattr(index, "dtype", None)
    known = kind is not None and dtypes.as_dtype(kind).base_dtype.short in (
        "i16",
        "i32",
        "i64",
        "u8",
        "u16",
        "i8",
    )
    dims = getattr(index, "shape", None)
    is_vector = (
        dims is not None and (dims.ndims if isinstance(dims, TensorShape) else len(dims)) == 1
    )
    if not known or is_vector:
        raise TypeError(f"{_INDEX_ERROR}, got {index!r}")


def getitem(tensor: Tensor, spec: Any) -> Tensor:
    """`tensor[spec]`, as numpy's basic indexing; a boolean mask selects elements."""
    if isinstance(spec, (Tensor, np.ndarray)) and spec.dtype in (dtypes.bool_, np.bool_):
        return boolean_mask(tensor, spec)
    if isinstance(spec, bool):
        raise ValueError("mask cannot be scalar.")
    entries = list(spec) if isinstance(spec, (tuple, list)) else [spec]
    begins: list[Any] = []
    ends: list[Any] = []
    strides: list[Any] = []
    masks = dict.fromkeys(MASKS, 0)
    for i, entry in enumerate(entries):
        begin, end, stride = 0, 0, 1
        if isinstance(entry, slice):
            begin, end, stride, marked = _from_slice(entry)
        elif entry is Ellipsis:
            marked = ["ellipsis_mask"]
        elif entry is None:
            marked = ["new_axis_mask"]
        else:
            check_index_type(entry)
            begin, end, marked = entry, entry + 1, ["shrink_axis_mask"]
        for mask in marked:
            masks[mask] |= 1 << i
        begins.append(begin)
        ends.append(end)
        strides.append(stride)
    with name_scope(None, "strided_slice", [tensor, *begins, *ends, *strides]) as scope:
        if begins:
            packed = [stack(v) for v in (begins, ends, strides)]
            if any(v.dtype.base_dtype == dtypes.int64 for v in packed):
                packed = [_as_int64(v) for v in packed]
        else:
            packed = [constant_of(np.zeros(0, np.int32))] * 3
        return opdef.apply("StridedSlice", tensor, *packed, name=scope, **masks)


def _as_int64(index: Tensor) -> Tensor:
    if index.dtype.base_dtype == dtypes.int64:
        return index
    return opdef.apply("Cast", index, DstT=dtypes.int64)


def _from_slice(entry: slice) -> tuple[Any, Any, Any, list[str]]:
    """begin, end, stride and masks of a Python slice."""
    marked = []
    begin, end = entry.start, entry.stop
    if begin is None:
        begin, marked = 0, ["begin_mask"]
    else:
        check_index_type(begin)
    # old Pythons pass sys.maxsize for an end that was left out
    if end is None or (isinstance(end, int) and end == sys.maxsize):
        end = 0
        marked.append("end_mask")
    else:
        check_index_type(end)
    stride = 1 if entry.step is None else entry.step
    check_index_type(stride)
    return begin, end, stride, marked
