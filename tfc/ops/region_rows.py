"""Gradients of loops and conditions that are rows: IndexedSlices of what their regions gathered.

Such a gradient stays rows where that shows: of a variable (and of other tensors that are made of no
others) at the top level. Optimizers update only the rows that are there, so which rows those are is
TensorFlow's: of a loop, those of its iterations, the last one first, behind a row of zeros at index
0; of a condition, those of the branch taken, and all rows, as zeros, of a branch that also gathers
and is not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape
from tfc.framework.convert import constant_tensor
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.operation import Operation, Tensor
from tfc.ir.core import Value
from tfc.ops import array_joins
from tfc.ops import array_values as av
from tfc.ops import shape_rules as s
from tfc.ops.tensor_array_ops import like


def stays_rows(op: Operation, captured: Tensor, gradient: Any) -> bool:
    """Whether the gradient of `op`, a While or If, by what it captures is to be IndexedSlices, if
    that of its region is `gradient`."""
    source = captured.op
    while source.type == "Identity":
        source = source.inputs[0].op
    return isinstance(gradient, IndexedSlices) and op._region is None and not source.inputs


class GradientRows(OpDef, sig="GradientRows(flow: T, first: T) -> rows: T", T=ANY):
    """`first` and the elements of an array, one after the other along the first axis."""

    takes_arrays = True

    def shape(flow: TensorShape, first: TensorShape) -> list[TensorShape]:
        count, each = (*(s.dims_of(flow) or ()), None, None)[:2]
        rows = None if count is None or each is None else 1 + count * each
        return [TensorShape([rows]).concatenate(first[1:])]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayConcatGrad", like(op.inputs[0]), dy[1:]), None]

    def lower(build: Any, flow: Any, first: Value) -> Value:
        count = av.size_of(flow)
        if not count:
            return first
        joined: Value = p.concat(build, first, array_joins.chained(build, flow, count), dim=0)
        return joined

    def host(flow: Any, first: Any) -> Any:
        return np.concatenate([first, *(np.asarray(part) for part in flow)])


class CarriedRows:
    """The rows that a gradient loop collects for one of the captured tensors: two arrays, of values
    and of indices, that are written from the first place on, as the loop goes backwards."""

    width = 4  # tensors that the loop carries

    def __init__(self, captured: Tensor, gradient: IndexedSlices):
        self.captured, self.gradient = captured, gradient

    def start(self, count: Tensor) -> list[Tensor]:
        """The first values of what the loop carries; `count` is the number of iterations."""
        carried: list[Tensor] = []
        for part in (self.gradient.values, self.gradient.indices):
            carried += apply(
                "TensorArrayV3",
                count,
                dtype=part.dtype.base_dtype,
                element_shape=part.get_shape(),
                identical_element_shapes=part.get_shape().is_fully_defined(),
            )
        return carried

    def next(self, carried: Sequence[Tensor], count: Tensor, index: Tensor) -> list[Tensor]:
        """The values after the turn that is for iteration `index`."""
        place = apply("Sub", apply("Sub", count, 1), index)
        written: list[Tensor] = []
        for k, part in enumerate((self.gradient.values, self.gradient.indices)):
            arrays = carried[2 * k : 2 * k + 2]
            written += apply(
                "TensorArrayWriteV3",
                *arrays,
                place,
                part,
                over=True,
                element_shape=TensorShape(None),
                identical=part.get_shape().is_fully_defined(),
            )
        return written

    def result(self, carried: Sequence[Tensor]) -> IndexedSlices:
        """The gradient, from the last values."""
        indices = self.gradient.indices.dtype.as_numpy_dtype
        zero = constant_tensor(np.zeros(1, indices), "Const")
        return IndexedSlices(
            apply("GradientRows", carried[0], _zero_row(self.captured)),
            apply("GradientRows", carried[2], zero),
            shape_of(self.captured),
        )


def _zero_row(tensor: Tensor) -> Tensor:
    dims = tensor.get_shape()[1:]
    dtype = tensor.dtype.base_dtype.as_numpy_dtype
    if dims.is_fully_defined():
        return constant_tensor(np.zeros((1, *dims.as_list()), dtype), "Const")
    one = constant_tensor(np.ones(1, np.int32), "Const")
    shape = apply("ConcatV2", [one, shape_of(tensor)[1:]], 0)
    zeros: Tensor = apply("Fill", shape, constant_tensor(np.zeros((), dtype), "Const"))
    return zeros


def shape_of(tensor: Tensor) -> Tensor:
    """The shape of a tensor, int32; a constant where it is known."""
    shape = tensor.get_shape()
    if shape.is_fully_defined():
        return constant_tensor(np.array(shape.as_list(), np.int32), "Const")
    result: Tensor = apply("Shape", tensor, out_type=np.int32)
    return result


def _index_dtype(gradients: Sequence[Any]) -> type:
    """The dtype of indices that rows of several branches have in common."""
    given = [g.indices.dtype.as_numpy_dtype for g in gradients if isinstance(g, IndexedSlices)]
    return np.int64 if np.int64 in given else np.int32


def branch_rows(captured: Tensor, gradients: Sequence[Any], taken: int) -> list[Tensor]:
    """(values, indices) of the gradient of a condition by `captured`, for the branch `taken`, where
    this is called: its rows, and zeros for all rows of each other branch that has a gradient."""
    dtype = _index_dtype(gradients)
    parts = []
    for branch, g in enumerate(gradients):
        if g is None:
            continue
        if branch == taken:
            values, indices = g.values, g.indices
        else:
            values = apply("ZerosLike", captured)
            indices = apply("Range", 0, shape_of(captured)[0], 1)
        if indices.dtype.as_numpy_dtype is not dtype:
            indices = apply("Cast", indices, DstT=dtype)
        parts.append((values, indices))
    columns = zip(*parts, strict=True)
    return [c[0] if len(c) == 1 else apply("ConcatV2", list(c), 0) for c in columns]
