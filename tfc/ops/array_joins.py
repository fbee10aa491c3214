"""TensorArrays in native code, joined to one tensor and split from one, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.shapes import TensorShape, shape_text
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.ops import array_values as av
from tfc.ops.array_values import Info
from tfc.ops.lowering import constant_ints
from tfc.passes.arrays import Elements, zeros
from tfc.passes.lower_arrays import dense, grown
from tfc.passes.lower_errors import NotNative


def concat(
    build: Any, info: Info, flow: Any, mask: Value, except0: TensorShape
) -> tuple[Value, Value]:
    """(the elements one after the other, their lengths)."""
    av.check_stays(build, info, flow)
    size = av.size_of(flow)
    if not size:
        return _nothing(build, flow, except0)
    if isinstance(flow, Elements) and flow.shape is None:
        parts = [_part(build, info, flow, k) for k in range(size)]
        check_parts(build, [v.type.shape for v in parts])
        lengths = [v.type.shape[0] for v in parts]
        value = parts[0] if size == 1 else p.concat(build, *parts, dim=0)
        return value, constant_ints(build, lengths, dtypes.int64)
    whole = dense(build, flow)
    if av.needs_mask(info):
        places = p.iota(build, dtype="i32", shape=(size,), dim=0)
        build.assert_(mask, (places,), message=info.unwritten("{0}"))
    check_parts(build, [whole.type.shape[1:]])
    length, *rest = whole.type.shape[1:]
    value = p.reshape(build, whole, shape=(size * length, *rest))
    return value, p.splat(build, length, Type("i64", (size,)))


def _part(build: Any, info: Info, flow: Elements, at: int) -> Value:
    value = flow.items.get(at)
    if value is None:
        raise av.refuse(build, info.unwritten(at))
    return value


def check_parts(build: Any, shapes: Sequence[tuple[int, ...]]) -> None:
    """Fail unless elements of these shapes can be joined along their first axes."""
    for k, shape in enumerate(shapes):
        if not shape:
            raise av.refuse(
                build,
                f"Concat saw a scalar shape at index {k} but requires at least vectors.  Did you "
                "mean to call pack?",
            )
        if shape[1:] != shapes[0][1:]:
            raise av.refuse(
                build,
                "TensorArray has inconsistent shapes.  Index 0 has (excepting dimension 0) shape: "
                f"{shape_text(shapes[0][1:])} but index {k} has (excepting dimension 0) shape: "
                f"{shape_text(shape[1:])}",
            )


def _nothing(build: Any, flow: Any, except0: TensorShape) -> tuple[Value, Value]:
    """What an array without elements is when joined."""
    shape = av.known_shape(flow)
    if shape is None and not except0.is_fully_defined():
        raise no_elements(build.op, except0)
    rest = except0.as_list() if shape is None else shape[1:]
    dtype = flow.dtype if isinstance(flow, Elements) else flow.type.dtype
    return zeros(build, Type(dtype, (0, *rest))), zeros(build, Type("i64", (0,)))


def no_elements(op: Any, except0: TensorShape) -> errors.OpError:
    """The error of joining nothing to a tensor of unknown shape."""
    text = "<unknown>" if except0.ndims is None else shape_text(except0.as_list())
    return errors.UnimplementedError(
        None,
        op,
        f"TensorArray has size zero, but element_shape_except0 {text} is not fully defined. "
        "Currently only static shapes are supported when concatenating zero-size TensorArrays.",
    )


def check_split(info: Info, size: int, dims: Sequence[int], lengths: Sequence[int]) -> str | None:
    """What is wrong with splitting a value of extents `dims` into an array of `size`."""
    if not dims:
        return "Expected value to be at least a vector, but received shape: []"
    if any(n < 0 for n in lengths):
        return f"Expected lengths to be >= 0, but they are {list(lengths)}"
    if sum(lengths) != dims[0]:
        return (
            "Expected sum of lengths to be equal to values.shape[0], but sum of lengths is "
            f"{sum(lengths)} and value's shape is: {shape_text(dims)}"
        )
    if len(lengths) != size and not info.dynamic:
        return (
            f"TensorArray's size is not equal to the size of lengths ({size} vs. "
            f"{len(lengths)}), and the TensorArray is not marked as dynamically resizeable"
        )
    return None


def split(
    build: Any, info: Info, flow: Any, mask: Value, value: Value, lengths: Value
) -> tuple[Any, Value]:
    """(array, mask) with the parts of `value` of these lengths as elements."""
    parts = [int(n) for n in build.static(lengths)]
    av.check_stays(build, info, flow)
    size = av.size_of(flow)
    if wrong := check_split(info, size, value.type.shape, parts):
        raise av.refuse(build, wrong)
    count = len(parts)
    known = av.known_shape(flow)
    rest = value.type.shape[1:]
    for k, n in enumerate(parts):
        if wrong := info.check(k, (n, *rest), known):
            raise av.refuse(build, wrong)
        known = (n, *rest)
    size = max(size, count)
    flow, mask = grown(build, flow, size), grown(build, mask, size)
    places = p.iota(build, dtype="i32", shape=(count,), dim=0)
    free = p.not_(build, av.rows(build, mask, places))
    build.assert_(free, (places,), message=info.written_twice("{0}"))
    written = av.put_rows(build, mask, places, None)
    dtype = value.type.dtype
    if count and len(set(parts)) == 1 and (info.identical or count > av.MOST_APART):
        whole = p.reshape(build, value, shape=(count, parts[0], *rest))
        return grown(build, whole, size), written
    items = dict(enumerate(apart(build, value, parts)))
    return Elements(dtype, size, items, (*known,) if info.identical and known else None), written


def apart(build: Any, value: Value, lengths: Sequence[int]) -> list[Value]:
    """The parts of `value` of these lengths along its first axis."""
    start, found, rest = 0, [], value.type.shape[1:]
    for n in lengths:
        found.append(
            p.slice(
                build,
                value,
                start=(start, *[0] * len(rest)),
                limit=(start + n, *rest),
                stride=(1,) * (1 + len(rest)),
            )
        )
        start += n
    return found


# ---- gradients


def at(build: Any, array: Any, index: Value) -> Value:
    """The element at `index` of a gradient, which is there."""
    place = constant_value(index)
    if isinstance(array, Elements) and place is not None and int(place) in array.items:
        return array.items[int(place)]
    return av.row(build, av.one(build, array), index)


def only(build: Any, like: Any, index: Value, dy: Value) -> Any:
    """An array like `like`, of zeros, with `dy` at `index`."""
    place = constant_value(index)
    if isinstance(like, Elements) and place is not None:
        items = {k: zeros(build, v.type) for k, v in like.items.items()}
        return replace(like, items={**items, int(place): dy})
    whole = zeros(build, av.one(build, like).type)
    return av.with_row(build, whole, index, dy)


def spread(build: Any, like: Any, indices: Value, dy: Value) -> Any:
    """An array like `like`, of zeros, with the rows of `dy` added at `indices`."""
    places = constant_value(indices)
    if isinstance(like, Elements) and places is not None and like.shape is None:
        items = {k: zeros(build, v.type) for k, v in like.items.items()}
        for k, place in enumerate(places.tolist()):
            part = av.slice_of(build, dy, k)
            items[place] = p.add(build, items[place], part) if place in items else part
        return replace(like, items=items)
    type = dy.type if isinstance(like, Elements) else like.type
    whole = zeros(build, Type(type.dtype, (av.size_of(like), *type.shape[1:])))
    if places is not None and np.array_equal(places, np.arange(whole.type.shape[0])):
        return dy
    return av.put_rows(build, whole, indices, dy, kind="add")


def taken(build: Any, array: Any, indices: Value) -> Value:
    """The elements at `indices` of a gradient, stacked."""
    places = constant_value(indices)
    if isinstance(array, Elements) and places is not None and len(places):
        parts = [at(build, array, p.constant(build, np.int32(k))) for k in places]
        wide = [p.reshape(build, v, shape=(1, *v.type.shape)) for v in parts]
        return wide[0] if len(wide) == 1 else p.concat(build, *wide, dim=0)
    return av.rows(build, av.one(build, array), indices)


def parted(build: Any, like: Any, dy: Value) -> Any:
    """The parts of `dy` as elements of an array like `like`."""
    if isinstance(like, Value):
        return p.reshape(build, dy, shape=like.type.shape)
    if like.shape is not None:
        return p.reshape(build, dy, shape=(like.size, *like.shape))
    lengths = [like.items[k].type.shape[0] for k in range(like.size)]
    return replace(like, items=dict(enumerate(apart(build, dy, lengths))))


def chained(build: Any, array: Any, count: int) -> Value:
    """The first `count` elements of a gradient one after the other."""
    if isinstance(array, Elements) and array.shape is None and len(array.items) >= count > 0:
        parts = [array.items[k] for k in range(count)]
        return parts[0] if count == 1 else p.concat(build, *parts, dim=0)
    whole = av.one(build, array)
    dims = whole.type.shape
    if len(dims) < 2:
        raise NotNative("a TensorArray of scalars cannot be joined")
    if dims[0] > count:
        stop = (count, *dims[1:])
        whole = p.slice(build, whole, start=(0,) * len(dims), limit=stop, stride=(1,) * len(dims))
    return p.reshape(build, whole, shape=(count * dims[1], *dims[2:]))
