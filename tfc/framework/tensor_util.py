"""What the graph alone decides: the value of a tensor, or of a tensor that is used as a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base.shapes import TensorShape
from tfc.framework.convert import is_dense_tensor_like
from tfc.framework.operation import Operation, Tensor

# Chains of foldable ops are followed this far; shape arithmetic is never deeper.
_DEPTH = 24
# A Fill or Range of more elements is left to run time.
_ELEMENTS = 100_000


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor, a variable or a sparse form of either."""
    name = type(x).__name__
    return is_dense_tensor_like(x) or name in ("SparseTensor", "IndexedSlices")


def constant_value(tensor: Any, partial: bool = False) -> np.ndarray | None:
    """The value of `tensor` where the graph alone decides it, else None.

    `partial`: a Pack may have unknown parts, which are None in an object array.
    """
    if not isinstance(tensor, Tensor):
        return None
    value = _value(tensor, _DEPTH, partial)
    if value is not None and not partial:
        value = value.view()
        value.flags.writeable = False
    return value


def _value(tensor: Tensor, depth: int, partial: bool = False) -> np.ndarray | None:
    op = tensor.op
    if op.type == "Const":
        array: np.ndarray = op.attr("value").array
        return array
    if partial and op.type == "Pack":
        parts = [_value(t, depth - 1) for t in op.inputs]
        if any(p is None for p in parts):
            mixed = np.empty(len(parts), object)
            mixed[:] = [None if p is None or p.ndim else p.item() for p in parts]
            return mixed
    rule = _RULES.get(op.type)
    return None if rule is None or depth == 0 else rule(op, depth - 1)


def _dtype_of(op: Operation) -> Any:
    return op.outputs[0].dtype.as_numpy_dtype


def _shape(op: Operation, depth: int) -> np.ndarray | None:
    shape = op.inputs[0].get_shape()
    if not shape.is_fully_defined():
        return None
    return np.array(shape.as_list(), dtype=_dtype_of(op))


def _size(op: Operation, depth: int) -> np.ndarray | None:
    count = op.inputs[0].get_shape().num_elements()
    return None if count is None else np.array(count, dtype=_dtype_of(op))


def _rank(op: Operation, depth: int) -> np.ndarray | None:
    rank = op.inputs[0].get_shape().ndims
    return None if rank is None else np.array(rank, dtype=np.int32)


def _inputs(op: Operation, depth: int) -> list[np.ndarray] | None:
    values = []
    for tensor in op.inputs:
        value = _value(tensor, depth)
        if value is None:
            return None
        values.append(value)
    return values


def _range(op: Operation, depth: int) -> np.ndarray | None:
    values = _inputs(op, depth)
    if values is None or values[2] == 0:
        return None
    start, limit, delta = (v.item() for v in values)
    if abs((limit - start) / delta) > _ELEMENTS:
        return None
    return np.arange(start, limit, delta, dtype=_dtype_of(op))


def _cast(op: Operation, depth: int) -> np.ndarray | None:
    value = _value(op.inputs[0], depth)
    if value is None or op.outputs[0].dtype.is_integer and value.dtype.kind not in "biu":
        return None  # rounding of floats is the compiled code's affair
    return value.astype(_dtype_of(op))


def _pack(op: Operation, depth: int) -> np.ndarray | None:
    values = _inputs(op, depth)
    return np.stack(values, axis=op.attr("axis")) if values else None


def _concat(op: Operation, depth: int) -> np.ndarray | None:
    values = _inputs(op, depth)
    if values is None:
        return None
    if op.type == "Concat":
        values = [*values[1:], values[0]]
    return np.concatenate(values[:-1], axis=int(values[-1]))


def _fill(op: Operation, depth: int) -> np.ndarray | None:
    values = _inputs(op, depth)
    if values is None or int(np.prod(values[0], dtype=object)) > _ELEMENTS:
        return None
    return np.full(tuple(values[0]), values[1], dtype=_dtype_of(op))


def _compare(how: Callable[..., Any]) -> Callable[..., np.ndarray | None]:
    def rule(op: Operation, depth: int) -> np.ndarray | None:
        values = _inputs(op, depth)
        return None if values is None else np.asarray(how(*values))

    return rule


_RULES: dict[str, Callable[..., np.ndarray | None]] = {
    "Shape": _shape,
    "Size": _size,
    "Rank": _rank,
    "Range": _range,
    "Cast": _cast,
    "Pack": _pack,
    "Concat": _concat,
    "ConcatV2": _concat,
    "Fill": _fill,
    "Equal": _compare(np.equal),
    "NotEqual": _compare(np.not_equal),
}


def constant_value_as_shape(
    tensor: Any, known: Callable[[Any], np.ndarray | None] = constant_value
) -> TensorShape:
    """The shape that a vector of ints describes, as far as the graph decides it; -1 is unknown.

    Sees through Shape, Pack, ConcatV2 and StridedSlice, whose parts may be known one by one.
    known: the value of a tensor, or None.

    Raises:
      ValueError: the tensor is no vector.
    """
    return _as_shape(tensor, _DEPTH, known)


def dimension_value(tensor: Tensor) -> int | None:
    """The extent that a scalar is, taken out of a shape of which others may be unknown."""
    op = tensor.op
    if op.type != "StridedSlice" or op.inputs[0].get_shape().ndims != 1:
        return None
    return _as_dimension(tensor, _DEPTH, constant_value)


def _as_shape(tensor: Tensor, depth: int, known: Callable[[Any], Any]) -> TensorShape:
    op = tensor.op
    of_vector = tensor.get_shape().with_rank(1)
    if op.type == "Shape":
        return op.inputs[0].get_shape()
    value = known(tensor)
    if value is not None:
        return TensorShape([None if d < 0 else int(d) for d in value])
    if depth > 0:
        if op.type == "Pack":
            return TensorShape([_as_dimension(t, depth - 1, known) for t in op.inputs])
        if op.type == "ConcatV2":
            shape = TensorShape([])
            for part in op.inputs[:-1]:
                shape = shape.concatenate(_as_shape(part, depth - 1, known))
            return shape
        if op.type == "Cast":
            return _as_shape(op.inputs[0], depth - 1, known)
        if op.type == "StridedSlice":
            sliced = _slice_of_shape(op, depth - 1, known)
            if sliced is not None:
                return sliced
    count = of_vector.as_list()[0]
    return TensorShape(None if count is None else [None] * count)


def _as_dimension(tensor: Tensor, depth: int, known: Callable[[Any], Any]) -> int | None:
    """The extent that a scalar gives."""
    value = known(tensor)
    if value is not None:
        return None if value < 0 else int(value)
    op = tensor.op
    if op.type == "StridedSlice" and op.attr("shrink_axis_mask") == 1 and depth > 0:
        at = known(op.inputs[1])
        shape = _as_shape(op.inputs[0], depth - 1, known)
        if at is not None and shape.ndims is not None and -shape.ndims <= at[0] < shape.ndims:
            return shape.as_list()[int(at[0])]
    return None


def _slice_of_shape(op: Operation, depth: int, known: Callable[[Any], Any]) -> TensorShape | None:
    """The part of a shape that a StridedSlice with plain bounds takes."""
    bounds = [known(t) for t in op.inputs[1:]]
    masks = [op.attr(f"{m}_mask") for m in ("ellipsis", "new_axis", "shrink_axis")]
    if any(b is None or b.size != 1 for b in bounds) or any(masks):
        return None
    begin, end, stride = (int(b[0]) for b in bounds if b is not None)
    shape = _as_shape(op.inputs[0], depth, known)
    if shape.ndims is None:
        return None
    first = None if op.attr("begin_mask") & 1 else begin
    last = None if op.attr("end_mask") & 1 else end
    return TensorShape(shape.as_list()[first:last:stride])
