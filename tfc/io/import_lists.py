"""The ops of TensorArrays and of tensor lists in a GraphDef, as the ops of arrays that are values.

A handle and a flow are both the array here; a list of tensors is one as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.tensor_util import constant_value
from tfc.io.import_nodes import Node
from tfc.ops.tensor_array import TensorArray

# Takes the values of the inputs and the name to give; makes the values of the outputs.
_Rule = Callable[[Node, Sequence[Any], str], list[Any]]


def list_values(node: Node, values: Sequence[Any], name: str, grows: bool) -> list[Any]:
    """The outputs of an op of arrays. grows: there are writes behind the ends of lists.

    Raises:
      ValueError: an input is no array where there should be one, or there are too few inputs.
    """
    if node.op in ("TensorListReserve", "EmptyTensorList"):
        return [_new_list(node, values, name, grows)]
    try:
        return _RULES[node.op](node, values, name)
    except IndexError:
        raise ValueError(f"op {node.op} has {len(values)} inputs") from None


def moved(node: Node, values: Sequence[Any]) -> TensorArray:
    """An array that goes through an op that is not of arrays.

    Raises:
      ValueError: the op does not take arrays.
    """
    arrays = [_array(v) for v in values]
    first = arrays[0]
    if node.op == "Identity":
        return first.identity() if node.controls else first
    if node.op == "ZerosLike":
        return first._with(apply("ZerosLike", first.flow), first.mask)
    if node.op == "AddN":
        mask = first.mask
        for other in arrays[1:]:
            mask = apply("LogicalOr", mask, other.mask)
        return first._with(apply("AddN", [a.flow for a in arrays]), mask)
    raise ValueError(f"op {node.op} takes a TensorArray, which is not imported")


def _array(value: Any) -> TensorArray:
    if not isinstance(value, TensorArray):
        raise ValueError(f"{value!r} is no TensorArray")
    return value


def _dtype(node: Node, key: str) -> Any:
    dtype = node.attrs.get(key)
    if dtype is None or dtype.name in ("variant", "resource"):
        raise ValueError(f"arrays of {dtype.name if dtype else 'no dtype'} are not imported")
    return dtype


def _new_array(node: Node, values: Sequence[Any], name: str) -> list[Any]:
    attrs = node.attrs
    array = TensorArray(
        _dtype(node, "dtype"),
        size=values[0],
        dynamic_size=bool(attrs.get("dynamic_size", False)),
        infer_shape=bool(attrs.get("identical_element_shapes", False)),
        element_shape=attrs.get("element_shape", TensorShape(None)),
        name=name,
    )
    return [array, array]


def _new_list(node: Node, values: Sequence[Any], name: str, grows: bool) -> TensorArray:
    empty = node.op == "EmptyTensorList"
    shape = _known_shape(values[0])
    return TensorArray(
        _dtype(node, "element_dtype"),
        size=0 if empty else values[1],
        dynamic_size=empty or grows,
        infer_shape=shape.is_fully_defined(),
        element_shape=shape,
        name=name,
    )


def _known_shape(tensor: Tensor) -> TensorShape:
    """The shape of the elements of a list, where it is a constant."""
    known = constant_value(tensor)
    if known is None or known.ndim != 1:
        return TensorShape(None)
    return TensorShape([None if d < 0 else int(d) for d in known])


def _read(array: Any, index: Any, name: str, shape: TensorShape | None = None) -> list[Any]:
    array = _array(array)
    value = apply("TensorArrayReadV3", array.flow, array.mask, index, name=name, **array._about())
    if shape is not None and value.get_shape().is_compatible_with(shape):
        value.set_shape(shape)
    return [value]


def _write(
    array: Any, index: Any, value: Tensor, name: str, grows: bool = False, over: bool = False
) -> list[Any]:
    array = _array(array)
    array._merge(value.get_shape())
    about = {**array._about(), "dynamic": array.dynamic_size or grows}
    pair = apply(
        "TensorArrayWriteV3", array.flow, array.mask, index, value, over=over, name=name, **about
    )
    return [array._with(*pair)]


def _push(array: Any, value: Tensor, name: str) -> list[Any]:
    size = apply("TensorArraySizeV3", _array(array).flow, **array._about())
    return _write(array, size, value, name, True)


def _gather(array: Any, indices: Any, name: str) -> list[Any]:
    array = _array(array)
    value = apply(
        "TensorArrayGatherV3", array.flow, array.mask, indices, name=name, **array._about()
    )
    return [value]


def _stack(array: Any, name: str) -> list[Any]:
    array = _array(array)
    size = apply("TensorArraySizeV3", array.flow, **array._about())
    return _gather(array, apply("Range", 0, size, 1), name)


def _scatter(array: Any, indices: Any, value: Tensor, name: str) -> list[Any]:
    array = _array(array)
    array._merge(value.get_shape()[1:])
    pair = apply(
        "TensorArrayScatterV3", array.flow, array.mask, indices, value, name=name, **array._about()
    )
    return [array._with(*pair)]


def _concat(array: Any, name: str) -> list[Any]:
    array = _array(array)
    rest = array.element_shape[1:] if array.element_shape.ndims else TensorShape(None)
    about = {**array._about(), "element_shape_except0": rest}
    return list(apply("TensorArrayConcatV3", array.flow, array.mask, name=name, **about))


def _split(array: Any, value: Tensor, lengths: Any, name: str) -> list[Any]:
    array = _array(array)
    pair = apply(
        "TensorArraySplitV3", array.flow, array.mask, value, lengths, name=name, **array._about()
    )
    return [array._with(*pair)]


def _size(array: Any, name: str) -> list[Any]:
    return [apply("TensorArraySizeV3", _array(array).flow, name=name, **array._about())]


def _close(array: Any, name: str) -> list[Any]:
    apply("TensorArrayCloseV3", _array(array).flow, name=name)
    return []


def _listed(node: Node, count: Tensor, shape: Tensor) -> TensorArray:
    known = _known_shape(shape)
    kind = _dtype(node, "element_dtype")
    return TensorArray(kind, size=count, infer_shape=True, element_shape=known)


def _from_tensor(node: Node, value: Tensor, shape: Tensor, name: str) -> list[Any]:
    count = apply("Shape", value, out_type=dtypes.int32)[0]
    array = _listed(node, count, shape)
    return _scatter(array, apply("Range", 0, count, 1), value, name)


def _split_list(node: Node, value: Tensor, shape: Tensor, lengths: Tensor, name: str) -> list[Any]:
    array = TensorArray(
        _dtype(node, "element_dtype"),
        size=apply("Size", lengths),
        infer_shape=False,
        element_shape=_known_shape(shape),
    )
    return _split(array, value, lengths, name)


_RULES: dict[str, _Rule] = {
    "TensorArrayV3": _new_array,
    "TensorArrayReadV3": lambda node, v, name: _read(v[2], v[1], name),
    "TensorArrayWriteV3": lambda node, v, name: _write(v[3], v[1], v[2], name),
    "TensorArrayGatherV3": lambda node, v, name: _gather(v[2], v[1], name),
    "TensorArrayScatterV3": lambda node, v, name: _scatter(v[3], v[1], v[2], name),
    "TensorArrayConcatV3": lambda node, v, name: _concat(v[1], name),
    "TensorArraySplitV3": lambda node, v, name: _split(v[3], v[1], v[2], name),
    "TensorArraySizeV3": lambda node, v, name: _size(v[1], name),
    "TensorArrayCloseV3": lambda node, v, name: _close(v[0], name),
    "TensorListGetItem": lambda node, v, name: _read(v[0], v[1], name, _known_shape(v[2])),
    "TensorListSetItem": lambda node, v, name: _write(
        v[0], v[1], v[2], name, bool(node.attrs.get("resize_if_index_out_of_bounds")), True
    ),
    "TensorListPushBack": lambda node, v, name: _push(v[0], v[1], name),
    "TensorListGather": lambda node, v, name: _gather(v[0], v[1], name),
    "TensorListStack": lambda node, v, name: _stack(v[0], name),
    "TensorListFromTensor": lambda node, v, name: _from_tensor(node, v[0], v[1], name),
    "TensorListScatterIntoExistingList": lambda node, v, name: _scatter(v[0], v[2], v[1], name),
    "TensorListConcatV2": lambda node, v, name: _concat(v[0], name),
    "TensorListSplit": lambda node, v, name: _split_list(node, v[0], v[1], v[2], name),
    "TensorListLength": lambda node, v, name: _size(v[0], name),
}
