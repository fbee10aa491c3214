"""A Graph as TensorFlow's GraphDef message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import DType, as_dtype
from tfc.base.shapes import TensorShape
from tfc.io.export_lists import LIST_OPS, write_op
from tfc.io.export_regions import Nodes, Place, Regions
from tfc.io.protos import message
from tfc.io.tensor_proto import LISTED, put_values
from tfc.ir.core import Literal
from tfc.version import GRAPH_DEF_VERSION


def graph_to_proto(graph: Any, add_shapes: bool = True, first: int = 0) -> Any:
    """The GraphDef of `graph`: one node for each Operation from number `first` on, in the order
    in which they were made.

    With `add_shapes` every node says the static shapes of its outputs in `_output_shapes`, which
    TensorBoard writes on the edges.
    """
    proto = message("GraphDef")()
    proto.versions.producer = GRAPH_DEF_VERSION
    if any(op.type in ("If", "While") or op.type in LIST_OPS for op in graph.get_operations()):
        proto.node.extend(_nodes_of_regions(graph, add_shapes, first))
        return proto
    for op in graph.get_operations():
        if op._id < first:
            continue
        node_def = op.node_def
        node = proto.node.add(
            name=node_def.name, op=node_def.op, input=node_def.input, device=node_def.device
        )
        _set_attrs(node, node_def.attr, op if add_shapes else None)
    return proto


def _nodes_of_regions(graph: Any, add_shapes: bool, first: int) -> list[Any]:
    """The nodes of a graph with conditions, loops or TensorArrays, in the order of the ops that
    they are written for."""
    make = message("NodeDef")

    def write(op: str, name: str, inputs: Any, device: str, attrs: Any, like: Any) -> Any:
        node = make(name=name, op=op, input=inputs, device=device)
        _set_attrs(node, attrs, like if add_shapes else None)
        return node

    nodes = Nodes(graph, write)
    regions = Regions(graph, nodes, lambda op, place: write_op(op, place, regions))
    outside = [op for op in graph.get_operations() if op._region is None]
    regions.emit(outside, Place(nodes))
    nodes.every.sort(key=lambda pair: pair[0])
    return [node for number, node in nodes.every if number >= first]


def _set_attrs(node: Any, attrs: dict[str, Any], shaped: Any) -> None:
    """Attributes of a node, and the shapes of the outputs of the op `shaped`."""
    for name, value in attrs.items():
        if value is not None:  # one without a value a reader takes by its default
            _set_attr(node.attr[name], value, f"{name} of {node.name}")
    if shaped is not None and shaped.outputs:
        shapes = [tensor.get_shape() for tensor in shaped.outputs]
        _set_attr(node.attr["_output_shapes"], shapes, "_output_shapes")


def tensor_to_proto(array: np.ndarray, shape: Sequence[int] | None = None) -> Any:
    """The TensorProto of an array, as TensorFlow writes it: two numbers or more as raw
    little-endian bytes; one number, and those of some dtypes, in the field of the dtype.

    shape: another than the array's, with room for more elements: the last one again and again.
    """
    dtype = as_dtype(array.dtype)
    proto = message("TensorProto")(dtype=dtype.as_datatype_enum)
    proto.tensor_shape.SetInParent()
    for extent in array.shape if shape is None else shape:
        proto.tensor_shape.dim.add(size=extent)
    if shape is None and array.size > 1 and dtype.name not in LISTED:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    else:
        put_values(proto, array)
    return proto


def _shape_proto(shape: TensorShape) -> Any:
    proto = message("TensorShapeProto")()
    if shape.ndims is None:
        proto.unknown_rank = True
        return proto
    for dim in shape.as_list():
        proto.dim.add(size=-1 if dim is None else dim)
    return proto


def _set_attr(attr: Any, value: Any, where: str) -> None:
    """Fill the AttrValue `attr`. Raises TypeError for a value that GraphDef has no place for."""
    if isinstance(value, (list, tuple)):
        attr.list.SetInParent()
        for field, item in (_field(v, where) for v in value):
            getattr(attr.list, field).append(item)
        return
    field, item = _field(value, where)
    if field in ("shape", "tensor"):
        getattr(attr, field).CopyFrom(item)
    else:
        setattr(attr, field, item)


def _field(value: Any, where: str) -> tuple[str, Any]:
    """The field of AttrValue that holds `value`, and what stands in it."""
    match value:
        case bool():
            return "b", value
        case int() | np.integer():
            return "i", int(value)
        case float() | np.floating():
            return "f", float(value)
        case bytes():
            return "s", value
        case str():
            return "s", value.encode()
        case DType():
            return "type", value.as_datatype_enum
        case TensorShape():
            return "shape", _shape_proto(value)
        case Literal():
            return "tensor", tensor_to_proto(value.array)
        case np.ndarray():
            return "tensor", tensor_to_proto(value)
    raise TypeError(f"attribute {where} is {type(value).__name__}, which GraphDef cannot hold")
