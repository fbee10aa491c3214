"""The ops of TensorArrays.

An array is by value: its *flow* is a tensor of the elements stacked, and its mask a tensor that
says which of them were written. A write gives a new flow and a new mask, so that loops, conditions
and gradients need to know nothing of arrays. Where the elements have no common shape yet, the flow
has a value of its own kind (`passes/arrays.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.operation import Tensor
from tfc.ir.core import Type, Value
from tfc.ops import array_host, array_joins
from tfc.ops import array_values as av
from tfc.ops import shape_rules as s
from tfc.ops.array_values import Info
from tfc.ops.lowering import invalid
from tfc.passes.arrays import Elements

INFO = (
    "array: str = '', element_shape: shape = None, identical: bool = False, dynamic: bool = False,"
    " declared: bool = False"
)


def info_of(op: Any) -> Info:
    """What the attributes of an op say of its array."""
    attrs = op._attrs
    names = ("array", "element_shape", "identical", "dynamic", "declared")
    return Info(*(attrs[name] for name in names))


def like(flow: Tensor) -> Tensor:
    """A tensor that tells the current region of what form `flow` is. Where only a record of it
    would be at hand, which is an array for each iteration, zeros like it stand for it."""
    region, home = flow.graph._region, flow.op._region
    if region is None or region._is_visible(flow):
        return flow
    with home:
        zeros: Tensor = apply("ZerosLike", flow)
    return zeros


def _flow_shape(op: Any, mask: TensorShape, flow: TensorShape, element: TensorShape) -> TensorShape:
    """The shape of an array after an element of the shape `element` was written."""
    if not op._attrs["identical"] or element.ndims is None:
        return flow
    size = None if mask.ndims != 1 or op._attrs["dynamic"] else mask.as_list()[0]
    return TensorShape([size, *element.as_list()]).merge_with(
        flow if flow.is_compatible_with(TensorShape([size, *element.as_list()])) else None
    )


class TensorArrayV3(
    OpDef,
    sig="TensorArrayV3(size: int32, dtype: type, element_shape: shape = None, "
    "dynamic_size: bool = False, clear_after_read: bool = True, "
    "identical_element_shapes: bool = False, tensor_array_name: str = '')"
    " -> flow: dtype, mask: bool",
    dtype=ANY,
):
    """An array of `size` elements, none of them written."""

    takes_arrays = True

    def shape(
        size: TensorShape, *, element_shape: TensorShape, dynamic_size: bool, op: Any
    ) -> list[TensorShape]:
        s.with_rank(size, 0)
        known = None if dynamic_size else s.static_ints(op, 0)
        count = None if known is None or known[0] < 0 else known[0]
        dims = s.dims_of(element_shape)
        flow = s.unknown() if dims is None else s.shape_of([count, *dims])
        return [flow, s.shape_of([count])]

    def grad(op: Any, *dys: Any) -> list[Any]:
        return [None]

    def lower(build: Any, size: Value, *, dtype: Any, element_shape: TensorShape) -> Any:
        if size.type.shape:
            text = shape_text(size.type.shape)
            raise invalid(build, f"TensorArray size must be scalar, but had shape: {text}")
        count = int(build.static(size))
        if count < 0:
            raise invalid(build, "Size should be >= 0.")
        known: Any = tuple(element_shape.as_list()) if element_shape.is_fully_defined() else None
        mask = p.splat(build, False, Type("i1", (count,)))
        return Elements(
            dtype.base_dtype.short, count, {}, None if known is None else tuple(known)
        ), mask

    def host(size: np.ndarray, *, op: Any) -> Any:
        return array_host.create(op, size)


class TensorArrayWriteV3(
    OpDef,
    sig="TensorArrayWriteV3(flow_in: T, mask_in: bool, index: int32, value: T, add: bool = False, "
    f"over: bool = False, {INFO}) -> flow_out: T, mask: bool",
    T=ANY,
):
    """The array with `value` at `index`. add: to what is there. over: in place of what is there, as
    lists do it; else that is an error."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, index: TensorShape, value: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        s.with_rank(index, 0)
        return [_flow_shape(op, mask, flow, value), _mask_shape(op, mask)]

    def grad(op: Any, dflow: Any, dmask: Any) -> list[Any]:
        index = op.inputs[2]
        dvalue = apply("TensorArrayWriteGrad", dflow, index)
        if op._attrs["over"]:  # what was there before has no gradient
            gone = apply("TensorArrayReadGrad", like(op.inputs[0]), index, apply("Neg", dvalue))
            dflow = apply("AddN", [dflow, gone])
        return [dflow, None, None, dvalue]

    def lower(
        build: Any,
        flow: Any,
        mask: Value,
        index: Value,
        value: Value,
        *,
        op: Any,
        add: bool,
        over: bool,
    ) -> Any:
        return av.write(build, info_of(op), flow, mask, index, value, add, over)

    def host(
        flow: Any, mask: Any, index: Any, value: Any, *, op: Any, add: bool, over: bool
    ) -> Any:
        return array_host.write(op, info_of(op), flow, mask, index, value, add, over)


def _mask_shape(op: Any, mask: TensorShape) -> TensorShape:
    return s.unknown(1) if op._attrs["dynamic"] else mask


class TensorArrayReadV3(
    OpDef,
    sig=f"TensorArrayReadV3(flow_in: T, mask: bool, index: int32, {INFO}) -> value: T",
    T=ANY,
):
    """The element at `index`."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, index: TensorShape, *, element_shape: TensorShape
    ) -> list[TensorShape]:
        s.with_rank(index, 0)
        return [element_shape]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayReadGrad", like(op.inputs[0]), op.inputs[2], dy), None, None]

    def lower(build: Any, flow: Any, mask: Value, index: Value, *, op: Any) -> Value:
        return av.read(build, info_of(op), flow, mask, index)

    def host(flow: Any, mask: Any, index: Any, *, op: Any) -> Any:
        return array_host.read(op, info_of(op), flow, mask, index)


class TensorArrayGatherV3(
    OpDef,
    sig=f"TensorArrayGatherV3(flow_in: T, mask: bool, indices: int32, {INFO}) -> value: T",
    T=ANY,
):
    """The elements at `indices`, stacked."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, indices: TensorShape, *, element_shape: TensorShape
    ) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(indices, 1)).concatenate(element_shape)]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayGatherGrad", like(op.inputs[0]), op.inputs[2], dy), None, None]

    def lower(build: Any, flow: Any, mask: Value, indices: Value, *, op: Any) -> Value:
        return av.gather(build, info_of(op), flow, mask, indices)

    def host(flow: Any, mask: Any, indices: Any, *, op: Any) -> Any:
        return array_host.gather(op, info_of(op), flow, mask, indices)


class TensorArrayScatterV3(
    OpDef,
    sig="TensorArrayScatterV3(flow_in: T, mask_in: bool, indices: int32, value: T, "
    f"{INFO}) -> flow_out: T, mask: bool",
    T=ANY,
):
    """The array with the elements of `value` at `indices`."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, indices: TensorShape, value: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        count = s.with_rank(indices, 1)[0]
        dims = s.with_rank_at_least(value, 1)
        if dims is None:
            return [flow, _mask_shape(op, mask)]
        s.merge_dim(dims[0], count)
        element = s.shape_of(dims[1:])
        return [_flow_shape(op, mask, flow, element), _mask_shape(op, mask)]

    def grad(op: Any, dflow: Any, dmask: Any) -> list[Any]:
        return [dflow, None, None, apply("TensorArrayScatterGrad", dflow, op.inputs[2])]

    def lower(build: Any, flow: Any, mask: Value, indices: Value, value: Value, *, op: Any) -> Any:
        return av.scatter(build, info_of(op), flow, mask, indices, value)

    def host(flow: Any, mask: Any, indices: Any, value: Any, *, op: Any) -> Any:
        return array_host.scatter(op, info_of(op), flow, mask, indices, value)


class TensorArrayConcatV3(
    OpDef,
    sig="TensorArrayConcatV3(flow_in: T, mask: bool, element_shape_except0: shape = None, "
    f"{INFO}) -> value: T, lengths: int64",
    T=ANY,
):
    """The elements one after the other, and the extent of each along its first axis."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, *, element_shape_except0: TensorShape
    ) -> list[TensorShape]:
        count = s.dims_of(mask)
        lengths = s.unknown(1) if count is None else s.shape_of(count)
        return [TensorShape([None]).concatenate(element_shape_except0), lengths]

    def grad(op: Any, dy: Any, dlengths: Any) -> list[Any]:
        return [apply("TensorArrayConcatGrad", like(op.inputs[0]), dy), None]

    def lower(
        build: Any, flow: Any, mask: Value, *, op: Any, element_shape_except0: TensorShape
    ) -> Any:
        return array_joins.concat(build, info_of(op), flow, mask, element_shape_except0)

    def host(flow: Any, mask: Any, *, op: Any, element_shape_except0: TensorShape) -> Any:
        return array_host.concat(op, info_of(op), flow, mask, element_shape_except0)


class TensorArraySplitV3(
    OpDef,
    sig="TensorArraySplitV3(flow_in: T, mask_in: bool, value: T, lengths: int64, "
    f"{INFO}) -> flow_out: T, mask: bool",
    T=ANY,
):
    """The array with parts of `value` as elements."""

    takes_arrays = True

    def shape(
        flow: TensorShape, mask: TensorShape, value: TensorShape, lengths: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        s.with_rank(lengths, 1)
        return [flow, _mask_shape(op, mask)]

    def grad(op: Any, dflow: Any, dmask: Any) -> list[Any]:
        return [None, None, apply("TensorArraySplitGrad", dflow, op.inputs[3]), None]

    def lower(build: Any, flow: Any, mask: Value, value: Value, lengths: Value, *, op: Any) -> Any:
        return array_joins.split(build, info_of(op), flow, mask, value, lengths)

    def host(flow: Any, mask: Any, value: Any, lengths: Any, *, op: Any) -> Any:
        return array_host.split(op, info_of(op), flow, mask, value, lengths)


class TensorArraySizeV3(OpDef, sig=f"TensorArraySizeV3(flow_in: T, {INFO}) -> size: int32", T=ANY):
    """How many elements the array has room for."""

    takes_arrays = True

    def shape(flow: TensorShape) -> list[TensorShape]:
        return [TensorShape([])]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [None]

    def lower(build: Any, flow: Any, *, op: Any) -> Value:
        av.check_stays(build, info_of(op), flow)
        return p.constant(build, np.asarray(av.size_of(flow), np.int32))

    def host(flow: Any) -> Any:
        return np.asarray(len(flow), np.int32)


class TensorArrayCloseV3(OpDef, sig="TensorArrayCloseV3(flow_in: T)", T=ANY):
    """Nothing: an array is a value, and holds no resources."""

    takes_arrays = True

    def shape(flow: TensorShape) -> list[TensorShape]:
        return []

    def lower(build: Any, flow: Any) -> Any:
        return ()

    def host(flow: Any) -> Any:
        return ()


# ---- gradients: pairs of ops that are each other's


class TensorArrayWriteGrad(
    OpDef, sig="TensorArrayWriteGrad(flow: T, index: int32) -> value: T", T=ANY
):
    """The element at `index` of an array of gradients, all of which are there."""

    takes_arrays = True

    def shape(flow: TensorShape, index: TensorShape) -> list[TensorShape]:
        return [_element_of(flow)]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayReadGrad", like(op.inputs[0]), op.inputs[1], dy), None]

    def lower(build: Any, flow: Any, index: Value) -> Value:
        return array_joins.at(build, flow, index)

    def host(flow: Any, index: Any) -> Any:
        return array_host.at(flow, index)


class TensorArrayReadGrad(
    OpDef, sig="TensorArrayReadGrad(like: T, index: int32, value: T) -> flow: T", T=ANY
):
    """Zeros like the array `like`, with `value` at `index`."""

    takes_arrays = True

    def shape(like: TensorShape, index: TensorShape, value: TensorShape) -> list[TensorShape]:
        return [like]

    def grad(op: Any, dflow: Any) -> list[Any]:
        return [None, None, apply("TensorArrayWriteGrad", dflow, op.inputs[1])]

    def lower(build: Any, like: Any, index: Value, value: Value) -> Any:
        return array_joins.only(build, like, index, value)

    def host(like: Any, index: Any, value: Any) -> Any:
        return array_host.only(like, index, value)


class TensorArrayScatterGrad(
    OpDef, sig="TensorArrayScatterGrad(flow: T, indices: int32) -> value: T", T=ANY
):
    """The elements at `indices` of an array of gradients, stacked."""

    takes_arrays = True

    def shape(flow: TensorShape, indices: TensorShape) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(indices, 1)).concatenate(_element_of(flow))]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayGatherGrad", like(op.inputs[0]), op.inputs[1], dy), None]

    def lower(build: Any, flow: Any, indices: Value) -> Value:
        return array_joins.taken(build, flow, indices)

    def host(flow: Any, indices: Any) -> Any:
        return array_host.taken(flow, indices)


class TensorArrayGatherGrad(
    OpDef, sig="TensorArrayGatherGrad(like: T, indices: int32, value: T) -> flow: T", T=ANY
):
    """Zeros like the array `like`, with the rows of `value` added at `indices`."""

    takes_arrays = True

    def shape(like: TensorShape, indices: TensorShape, value: TensorShape) -> list[TensorShape]:
        return [like]

    def grad(op: Any, dflow: Any) -> list[Any]:
        return [None, None, apply("TensorArrayScatterGrad", dflow, op.inputs[1])]

    def lower(build: Any, like: Any, indices: Value, value: Value) -> Any:
        return array_joins.spread(build, like, indices, value)

    def host(like: Any, indices: Any, value: Any) -> Any:
        return array_host.spread(like, indices, value)


class TensorArraySplitGrad(
    OpDef, sig="TensorArraySplitGrad(flow: T, lengths: int64) -> value: T", T=ANY
):
    """The elements of an array of gradients one after the other, one for each of `lengths`."""

    takes_arrays = True

    def shape(flow: TensorShape, lengths: TensorShape) -> list[TensorShape]:
        return [TensorShape([None]).concatenate(_element_of(flow)[1:])]

    def grad(op: Any, dy: Any) -> list[Any]:
        return [apply("TensorArrayConcatGrad", like(op.inputs[0]), dy), None]

    def lower(build: Any, flow: Any, lengths: Value) -> Value:
        return array_joins.chained(build, flow, lengths.type.size)

    def host(flow: Any, lengths: Any) -> Any:
        return array_host.chained(flow, len(lengths))


class TensorArrayConcatGrad(
    OpDef, sig="TensorArrayConcatGrad(like: T, value: T) -> flow: T", T=ANY
):
    """The parts of `value` as the elements of an array like `like`."""

    takes_arrays = True

    def shape(like: TensorShape, value: TensorShape) -> list[TensorShape]:
        return [like]

    def grad(op: Any, dflow: Any) -> list[Any]:
        return [None, apply("TensorArraySplitGrad", dflow, lengths_of(op.inputs[0]))]

    def lower(build: Any, like: Any, value: Value) -> Any:
        return array_joins.parted(build, like, value)

    def host(like: Any, value: Any) -> Any:
        return array_host.parted(like, value)


def lengths_of(flow: Tensor) -> Tensor:
    """A vector with an entry for each element of an array."""
    size = apply("TensorArraySizeV3", like(flow))
    lengths: Tensor = apply("Fill", apply("ExpandDims", size, 0), np.int64(0))
    return lengths


def _element_of(flow: TensorShape) -> TensorShape:
    return TensorShape(None) if flow.ndims is None else flow[1:]
