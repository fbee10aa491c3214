"""TensorArrays that Python keeps: of strings, of elements that differ in shape, and growing ones.

Here an array is an array of objects, one an element, None where nothing was written. Where native
code made it, it may also be one array of numbers, the elements stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import shape_text
from tfc.ops.array_joins import check_split, no_elements
from tfc.ops.array_values import Info

Array = np.ndarray


def elements(flow: Array, mask: Array) -> list[Any]:
    """The elements one by one."""
    if flow.dtype == object:
        return [_element(part) for part in flow]
    pairs = zip(flow, mask, strict=True)
    return [np.asarray(part) if there else None for part, there in pairs]


def _element(part: Any) -> Any:
    """An element out of an array of objects, which keeps scalars as such and strings as bytes."""
    if part is None or isinstance(part, np.ndarray | np.generic):
        return None if part is None else np.asarray(part)
    scalar = np.empty((), object)
    scalar[()] = part
    return scalar


def packed(parts: Sequence[Any]) -> tuple[Array, Array]:
    """(array, mask) of these elements."""
    whole = np.full(len(parts), None, object)
    for k, part in enumerate(parts):
        whole[k] = part
    return whole, np.array([part is not None for part in parts], bool)


def create(op: Any, size: Array) -> tuple[Array, Array]:
    """An array of `size` elements that are not there yet."""
    if size.ndim:
        text = shape_text(size.shape)
        raise _invalid(op, f"TensorArray size must be scalar, but had shape: {text}")
    if size < 0:
        raise _invalid(op, "Size should be >= 0.")
    return packed([None] * int(size))


def _invalid(op: Any, message: str) -> errors.OpError:
    return errors.InvalidArgumentError(None, op, message)


def _missing(op: Any, info: Info, parts: Sequence[Any]) -> Array | None:
    """Zeros in place of an element that was never written; None if their shape is not known."""
    shape: Any = None
    if info.element_shape.is_fully_defined():
        shape = info.element_shape.as_list()
    elif info.identical:
        shape = next((part.shape for part in parts if part is not None), None)
    if shape is None:
        return None
    dtype = op.inputs[0].dtype.base_dtype
    if dtype.short == "str":
        return np.full(shape, b"", object)
    return np.zeros(shape, dtype.as_numpy_dtype)


def _at(op: Any, info: Info, parts: Sequence[Any], index: int) -> Array:
    if not 0 <= index < len(parts):
        raise _invalid(op, f"Tried to read from index {index} but array size is: {len(parts)}")
    part = parts[index] if parts[index] is not None else _missing(op, info, parts)
    if part is None:
        raise _invalid(op, info.unwritten(index))
    found: Array = part
    return found


def read(op: Any, info: Info, flow: Array, mask: Array, index: Array) -> Array:
    """The element at `index`."""
    return _at(op, info, elements(flow, mask), _place(op, index)).copy()


def _place(op: Any, index: Array) -> int:
    if index.ndim:
        text = shape_text(index.shape)
        raise _invalid(op, f"TensorArray index must be scalar, but had shape: {text}")
    return int(index)


def write(
    op: Any, info: Info, flow: Array, mask: Array, index: Array, value: Array, add: bool, over: bool
) -> tuple[Array, Array]:
    """(array, mask) with `value` written at `index`. over: in place of what is there."""
    parts = elements(flow, mask)
    at = _place(op, index)
    if over and 0 <= at < len(parts):
        parts[at] = None
    put(op, info, parts, _place(op, index), value, add)
    return packed(parts)


def put(op: Any, info: Info, parts: list[Any], index: int, value: Array, add: bool = False) -> None:
    """Write one element into the list."""
    if index >= len(parts) and info.dynamic:
        parts.extend([None] * (index + 1 - len(parts)))
    if not 0 <= index < len(parts):
        raise _invalid(op, info.no_room(index, len(parts)))
    known = next((part.shape for part in parts if part is not None), None)
    if wrong := info.check(index, value.shape, known):
        raise _invalid(op, wrong)
    if parts[index] is not None and not add:
        raise _invalid(op, info.written_twice(index))
    parts[index] = value if parts[index] is None else parts[index] + value


def gather(op: Any, info: Info, flow: Array, mask: Array, indices: Array) -> Array:
    """The elements at `indices`, stacked."""
    parts = elements(flow, mask)
    found = [_at(op, info, parts, int(k)) for k in indices]
    if not found:
        zero = _missing(op, info, parts)
        if zero is None:
            dims = info.element_shape
            text = "<unknown>" if dims.ndims is None else shape_text(dims.as_list())
            raise errors.UnimplementedError(
                None,
                op,
                f"TensorArray has size zero, but element shape {text} is not fully defined. "
                "Currently only static shapes are supported when packing zero-size TensorArrays.",
            )
        return np.zeros((0, *zero.shape), zero.dtype)
    for k, part in enumerate(found):
        if part.shape != found[0].shape:
            raise _invalid(
                op,
                "TensorArray has inconsistent shapes.  Index 0 has shape: "
                f"{shape_text(found[0].shape)} but index {k} has shape: {shape_text(part.shape)}",
            )
    return np.stack(found)


def scatter(
    op: Any, info: Info, flow: Array, mask: Array, indices: Array, value: Array
) -> tuple[Array, Array]:
    """(array, mask) with each element of `value` written at its place."""
    if value.ndim < 1 or indices.shape != value.shape[:1]:
        raise _invalid(
            op,
            f"Expected len(indices) == values.shape[0], but saw: {shape_text(indices.shape)} vs. "
            f"{shape_text(value.shape)}",
        )
    parts = elements(flow, mask)
    top = int(indices.max(initial=-1))
    if top >= len(parts) and not info.dynamic:
        raise _invalid(op, f"Max scatter index must be < array size ({top} vs. {len(parts)})")
    for k, part in zip(indices, value, strict=True):
        put(op, info, parts, int(k), np.asarray(part, value.dtype))
    return packed(parts)


def concat(op: Any, info: Info, flow: Array, mask: Array, except0: Any) -> tuple[Array, Array]:
    """(the elements one after the other, their lengths)."""
    parts = elements(flow, mask)
    if not parts:
        zero = _missing(op, info, parts)
        if zero is None and not except0.is_fully_defined():
            raise no_elements(op, except0)
        dims = except0.as_list() if zero is None else zero.shape[1:]
        dtype = op.outputs[0].dtype.as_numpy_dtype
        return np.zeros((0, *dims), dtype), np.zeros(0, np.int64)
    found = [_at(op, info, parts, k) for k in range(len(parts))]
    for k, part in enumerate(found):
        if not part.ndim:
            raise _invalid(
                op,
                f"Concat saw a scalar shape at index {k} but requires at least vectors.  Did you "
                "mean to call pack?",
            )
        if part.shape[1:] != found[0].shape[1:]:
            raise _invalid(
                op,
                "TensorArray has inconsistent shapes.  Index 0 has (excepting dimension 0) shape: "
                f"{shape_text(found[0].shape[1:])} but index {k} has (excepting dimension 0) "
                f"shape: {shape_text(part.shape[1:])}",
            )
    return np.concatenate(found), np.array([len(part) for part in found], np.int64)


def split(
    op: Any, info: Info, flow: Array, mask: Array, value: Array, lengths: Array
) -> tuple[Array, Array]:
    """(array, mask) with the parts of `value` of these lengths as elements."""
    parts = elements(flow, mask)
    if wrong := check_split(info, len(parts), value.shape, [int(n) for n in lengths]):
        raise _invalid(op, wrong)
    start = 0
    for k, n in enumerate(lengths):
        put(op, info, parts, k, value[start : start + int(n)])
        start += int(n)
    return packed(parts)


# ---- gradients, whose elements are all there


def at(flow: Array, index: Array) -> Array:
    """The element at `index`."""
    return np.asarray(_element(flow[int(index)]))


def only(like: Array, index: Array, value: Array) -> Array:
    """Zeros like the array `like`, with `value` at `index`."""
    result = zeros_like(like)
    result[int(index)] = value
    return result


def zeros_like(like: Array) -> Array:
    """Zeros for every element that is there."""
    if like.dtype != object:
        return np.zeros_like(like)
    return packed([None if part is None else np.zeros_like(_element(part)) for part in like])[0]


def taken(flow: Array, indices: Array) -> Array:
    """The elements at `indices`, stacked."""
    if flow.dtype != object:
        return np.asarray(flow[indices])
    return np.stack([_element(flow[int(k)]) for k in indices])


def spread(like: Array, indices: Array, value: Array) -> Array:
    """Zeros like the array `like`, with the rows of `value` added at `indices`."""
    result = zeros_like(like)
    for k, part in zip(indices, value, strict=True):
        old = result[int(k)]
        result[int(k)] = part if old is None else old + part
    return result


def parted(like: Array, value: Array) -> Array:
    """The parts of `value` as the elements of an array like `like`."""
    if like.dtype != object:
        return value.reshape(like.shape)
    lengths = [len(_element(part)) for part in like]
    return packed(np.split(value, np.cumsum(lengths)[:-1]))[0]


def chained(flow: Array, count: int) -> Array:
    """The first `count` elements one after the other."""
    return np.concatenate([_element(part) for part in flow[:count]])
