"""TensorArrays, and what loops keep for gradients, as lists of tensors in a GraphDef.

Both are values, so the ops of tensor lists say the same: a write gives a new list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.operation import Operation
from tfc.io.export_regions import (
    DENSE,
    LIST,
    MASK,
    Place,
    Ref,
    Regions,
    element_type,
    wire_type,
)

_Rule = Callable[[Operation, Place, list[Ref]], Any]


def shape_input(place: Place, shape: TensorShape) -> Ref:
    """The shape of elements as ops of lists take it: -1 for what is not known."""
    if shape.ndims is None:
        return place.const(-1)
    return place.const([-1 if d is None else d for d in shape.as_list()])


def _reserve(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    shape = shape_input(place, op._attrs["element_shape"])
    dtype = op._attrs["dtype"]
    attrs = {"element_dtype": dtype, "shape_type": dtypes.int32}
    return "TensorListReserve", [shape, inputs[0]], attrs, [Ref(op.name, dtype, LIST)]


def _write(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    flow, _, index, value = inputs
    if op._attrs["add"]:
        shape = shape_input(place, op.inputs[3].get_shape())
        kind = element_type(flow)
        old = place.made("TensorListGetItem", [flow, index, shape], element_dtype=kind)
        value = Ref(place.made("AddN", [old, value], T=kind, N=2), kind)
    attrs: dict[str, Any] = {"element_dtype": element_type(flow)}
    if op._attrs["dynamic"]:
        attrs["resize_if_index_out_of_bounds"] = True
    return "TensorListSetItem", [flow, index, value], attrs, [_list(op, flow)]


def _read(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    flow, index = inputs[0], inputs[-1]
    shape = shape_input(place, op.outputs[0].get_shape())
    found = Ref(op.name, flow.dtype, flow.depth - 1)
    attrs = {"element_dtype": element_type(flow)}
    return "TensorListGetItem", [flow, index, shape], attrs, [found]


def _gather(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    flow, indices = inputs[0], inputs[-1]
    known = op.outputs[0].get_shape()
    shape = shape_input(place, known[1:] if known.ndims else TensorShape(None))
    attrs = {"element_dtype": flow.dtype}
    return "TensorListGather", [flow, indices, shape], attrs, [Ref(op.name, flow.dtype)]


def _scatter(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    flow, _, indices, value = inputs
    attrs = {"element_dtype": flow.dtype}
    return "TensorListScatterIntoExistingList", [flow, value, indices], attrs, [_list(op, flow)]


def _concat(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    rest = op._attrs["element_shape_except0"]
    shape = shape_input(place, TensorShape([None]).concatenate(rest))
    outputs = [Ref(op.name, inputs[0].dtype), Ref(op.name + ":1", dtypes.int64)]
    return (*_joined(place, inputs[0], shape), outputs)


def _joined(place: Place, flow: Ref, shape: Ref) -> Any:
    attrs = {"element_dtype": flow.dtype, "shape_type": dtypes.int32}
    none = place.const(np.zeros(0), np.int64)
    return "TensorListConcatV2", [flow, shape, none], attrs


def _split(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    flow, _, value, lengths = inputs
    return _parted(op, place, value, lengths, flow)


def _parted(op: Operation, place: Place, value: Ref, lengths: Any, flow: Ref) -> Any:
    known = op.inputs[-1 if op.type == "TensorArrayConcatGrad" else 2].get_shape()
    rest = known[1:] if known.ndims else TensorShape(None)
    shape = shape_input(place, TensorShape([None]).concatenate(rest))
    attrs = {"element_dtype": flow.dtype, "shape_type": dtypes.int32}
    return "TensorListSplit", [value, shape, lengths], attrs, [_list(op, flow)]


def _size(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    return "TensorListLength", [inputs[0]], {}, [Ref(op.name, dtypes.int32)]


def _close(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    return "NoOp", ["^" + inputs[0].text.partition(":")[0]], {}, []


def _only(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    """Zeros like a list, but for one entry."""
    like, index, value = inputs
    zeros = _zeros(place, like)
    attrs = {"element_dtype": element_type(like)}
    return "TensorListSetItem", [zeros, index, value], attrs, [_list(op, like)]


def _zeros(place: Place, like: Ref) -> Ref:
    return like._replace(text=place.made("ZerosLike", [like], T=wire_type(like)), here=True)


def _spread(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    """Rows added up by their indices: those of one index are one element."""
    like, indices, value = inputs
    size = place.made("TensorListLength", [like])
    attrs = {"T": like.dtype, "Tindices": dtypes.int32, "Tnumsegments": dtypes.int32}
    rows = place.made("UnsortedSegmentSum", [value, indices, size], **attrs)
    attrs = {"element_dtype": like.dtype, "shape_type": dtypes.int32}
    return "TensorListFromTensor", [rows, place.const(-1)], attrs, [_list(op, like)]


def _chained(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    joined = _joined(place, inputs[0], place.const(-1))
    return (*joined, [Ref(op.name, inputs[0].dtype)])


def _rows(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    """A tensor with the elements of a list behind it."""
    flow, first = inputs
    rest = op.inputs[1].get_shape()[1:]
    name, taken, attrs = _joined(
        place, flow, shape_input(place, TensorShape([None]).concatenate(rest))
    )
    joined = Ref(place.made(name, taken, **attrs), flow.dtype)
    attrs = {"N": 2, "T": flow.dtype, "Tidx": dtypes.int32}
    return "ConcatV2", [first, joined, place.const(0)], attrs, [Ref(op.name, flow.dtype)]


def _like_parts(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    like, value = inputs
    name, taken, attrs = _joined(place, like, place.const(-1))
    lengths = place.made(name, taken, **attrs) + ":1"
    return _parted(op, place, value, lengths, like)


def _padded(op: Operation, place: Place, inputs: list[Ref]) -> Any:
    """The gradient of a Slice, which TensorFlow writes as a Pad."""
    whole, begin, dy = inputs
    kind = {"T": begin.dtype}
    size = place.made("Shape", [dy], T=dy.dtype, out_type=begin.dtype)
    after = place.made("Sub", [place.made("Sub", [whole, begin], **kind), size], **kind)
    paddings = place.made("Pack", [begin, after], N=2, axis=1, **kind)
    attrs = {"T": dy.dtype, "Tpaddings": begin.dtype}
    return "Pad", [dy, paddings], attrs, [Ref(op.name, dy.dtype)]


def _list(op: Operation, flow: Ref) -> Ref:
    return Ref(op.name, flow.dtype, flow.depth)


_RULES: dict[str, _Rule] = {
    "TensorArrayV3": _reserve,
    "TensorArrayWriteV3": _write,
    "TensorArrayReadV3": _read,
    "TensorArrayGatherV3": _gather,
    "TensorArrayScatterV3": _scatter,
    "TensorArrayConcatV3": _concat,
    "TensorArraySplitV3": _split,
    "TensorArraySizeV3": _size,
    "TensorArrayCloseV3": _close,
    "TensorArrayWriteGrad": _read,
    "TensorArrayReadGrad": _only,
    "TensorArrayScatterGrad": _gather,
    "TensorArrayGatherGrad": _spread,
    "TensorArraySplitGrad": _chained,
    "TensorArrayConcatGrad": _like_parts,
    "GradientRows": _rows,
    "SliceGrad": _padded,
    "ResidualAt": _read,
    "ResidualAtGrad": _only,
}
LIST_OPS = frozenset(_RULES)
_OF_ANY = {"Identity", "ZerosLike", "AddN", "Add", "Merge", "Exit"}  # of lists as of tensors


def write_op(op: Operation, place: Place, regions: Regions) -> None:
    """The nodes of an op that owns no region."""
    waits = regions.waits(op)
    if op.type in ("Merge", "Exit") and op.outputs[0] in place.known:
        return  # the node that its owner wrote
    if op.type in ("Residual", "LoopCount"):
        _write_record(op, place, regions)
        return
    inputs = [place.ref(t) for t in op.inputs]
    if op.type in _OF_ANY and any(r.depth != DENSE for r in inputs):
        _write_moved(op, place, inputs, waits, regions)
        return
    if op.type in _RULES:
        takes = [_flow(op, place, k, r) for k, r in enumerate(inputs)]
        name, texts, attrs, outputs = _RULES[op.type](op, place, takes)
        place.add(name, op.name, texts, attrs, waits)
        masks = [Ref("", dtypes.bool_, MASK)] * (len(op.outputs) - len(outputs))
        place.known.update(zip(op.outputs, [*outputs, *masks], strict=True))
        return
    name = op.type
    if name in ("Merge", "Exit"):  # a second name of what the owner wrote
        name = "Identity"
    attrs = {k: op.get_attr(k) for k in op._attrs if k == "_class" or not k.startswith("_")}
    place.add(name, op.name, [place.dense(r) for r in inputs], attrs, waits, op)
    for k, tensor in enumerate(op.outputs):
        text = f"{op.name}:{k}" if k else op.name
        place.known[tensor] = Ref(text, tensor.dtype)


def _flow(op: Operation, place: Place, k: int, ref: Ref) -> Ref:
    """An input of an op of arrays: the first is the array, others are tensors."""
    if k == 0 and op.type not in ("TensorArrayV3", "SliceGrad"):
        return ref if ref.depth >= LIST else place.as_deep(ref, LIST)
    return ref if op.type.startswith("Residual") else place.dense(ref)


def _write_record(op: Operation, place: Place, regions: Regions) -> None:
    owner = op._attrs["_owner"]
    if owner.type == "If":
        regions.kept_of_branch(op, place)
        return
    key = op._attrs["_tensor"] if op.type == "Residual" else "count"
    ref = regions.records[owner, key]
    place.add("Identity", op.name, [ref], {"T": wire_type(ref)})
    place.known[op.outputs[0]] = ref._replace(text=op.name, here=True)


def _write_moved(
    op: Operation, place: Place, inputs: list[Ref], waits: list[str], regions: Regions
) -> None:
    """An op that takes lists as it takes tensors."""
    depth = max(r.depth for r in inputs)
    if depth == MASK:
        place.known[op.outputs[0]] = Ref("", dtypes.bool_, MASK)
        regions.controls[op] = waits
        return
    taken = [place.as_deep(r, depth) for r in inputs]
    attrs: dict[str, Any] = {"T": wire_type(taken[0])}
    name = op.type
    if name in ("Add", "AddN"):
        name, attrs["N"] = "AddN", len(taken)
    elif name in ("Merge", "Exit"):
        name = "Identity"
    place.add(name, op.name, taken, attrs, waits)
    place.known[op.outputs[0]] = taken[0]._replace(text=op.name, here=True)
