"""TensorArrays in native code: what their ops do to the values that stand for them.

An array is one value, the elements stacked, or `Elements`: each written element by itself. The
latter takes places that are known when the function is lowered; where a place is only known at run
time, the elements become one value. Which elements were written is a second value, the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape, shape_text
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.ops.lowering import invalid
from tfc.passes.arrays import Elements, zeros
from tfc.passes.lower_arrays import dense, grown
from tfc.passes.lower_errors import NotNative
from tfc.passes.lower_growth import note

# Elements that are read from an array one by one when it is taken apart.
MOST_APART = 64


@dataclass(frozen=True)
class Info:
    """What an op knows of its array. identical: all elements have one shape. declared: the whole
    shape of elements was given with the array."""

    name: str
    element_shape: TensorShape
    identical: bool
    dynamic: bool
    declared: bool = False

    def unwritten(self, index: Any) -> str:
        """The error of reading what was never written."""
        known = "<unknown>" if self.element_shape.ndims is None else shape_text(self._dims())
        return (
            f"TensorArray {self.name}: Could not read from TensorArray index {index}.  "
            f"Furthermore, the element shape is not fully defined: {known}.  It is possible you "
            "are working with a resizeable TensorArray and stop_gradients is not allowing the "
            "gradients to be written.  If you set the full element_shape property on the forward "
            "TensorArray, the proper all-zeros tensor will be returned instead of incurring this "
            "error."
        )

    def written_twice(self, index: Any) -> str:
        return (
            f"TensorArray {self.name}: Could not write to TensorArray index {index} because it has "
            "already been written to."
        )

    def no_room(self, index: Any, size: int) -> str:
        return (
            f"TensorArray {self.name}: Tried to write to index {index} but array is not resizeable "
            f"and size is: {size}"
        )

    def wrong_shape(self, index: Any, shape: Sequence[int], wanted: Any) -> str:
        return (
            f"TensorArray {self.name}: Could not write to TensorArray index {index} because the "
            f"value shape is {shape_text(shape)} which is incompatible with the TensorArray's "
            f"inferred element shape: {shape_text(wanted)} (consider setting infer_shape=False)."
        )

    def check(self, index: Any, shape: Sequence[int], known: Sequence[int] | None) -> str | None:
        """What is wrong with writing an element of `shape`, where others have the shape `known`."""
        if not self.element_shape.is_compatible_with(TensorShape(list(shape))):
            return self.wrong_shape(index, shape, self._dims())
        if self.identical and known is not None and tuple(known) != tuple(shape):
            return self.wrong_shape(index, shape, known)
        return None

    def _dims(self) -> list[int | None]:
        return self.element_shape.as_list()


def size_of(flow: Any) -> int:
    """How many elements the array has room for."""
    return int(flow.size if isinstance(flow, Elements) else flow.type.shape[0])


def one(build: Any, flow: Any) -> Value:
    """The array as one value.

    Raises:
      NotNative: it is none.
    """
    value = dense(build, flow)
    if isinstance(value, Elements):
        raise NotNative("nothing was written to a TensorArray that is read")
    return value


def _place(build: Any, index: Value) -> int | None:
    """The index as a number, if it is known."""
    if index.type.shape:
        shape = shape_text(index.type.shape)
        raise invalid(build, f"TensorArray index must be scalar, but had shape: {shape}")
    known = constant_value(index)
    return None if known is None else int(known)


def _starts(build: Any, index: Value, rank: int) -> list[Value]:
    return [index, *[p.constant(build, np.zeros((), np.int32))] * (rank - 1)]


def row(build: Any, flow: Value, index: Value) -> Value:
    """flow[index]; the index is clamped."""
    shape = flow.type.shape
    if 0 in shape:
        return zeros(build, Type(flow.type.dtype, shape[1:]))
    known = constant_value(flow)
    if known is not None and not any(known.strides):
        return p.splat(build, known.flat[0], Type(flow.type.dtype, shape[1:]))
    sizes = (1, *shape[1:])
    entry = p.dynamic_slice(build, flow, *_starts(build, index, len(shape)), sizes=sizes)
    return p.reshape(build, entry, shape=shape[1:])


def with_row(build: Any, flow: Value, index: Value, value: Value) -> Value:
    """`flow` with `value` at `index`, which is clamped."""
    shape = flow.type.shape
    if shape[0] == 0:
        return flow
    entry = p.reshape(build, value, shape=(1, *shape[1:]))
    return p.dynamic_update_slice(build, flow, entry, *_starts(build, index, len(shape)))


def _inside(build: Any, index: Value, size: int, message: str) -> None:
    """Fail unless 0 <= index < size, element by element."""
    low, high = p.full_like(build, index, 0), p.full_like(build, index, size)
    ok = p.and_(build, p.ge(build, index, low), p.lt(build, index, high))
    build.assert_(ok, (index,), message=message)


# ---- one element


def read(build: Any, info: Info, flow: Any, mask: Value, index: Value) -> Value:
    """The element at `index`."""
    size, at = size_of(flow), _place(build, index)
    if at is not None and not 0 <= at < size:
        raise refuse(build, f"Tried to read from index {at} but array size is: {size}")
    if at is None:
        _inside(build, index, size, f"Tried to read from index {{0}} but array size is: {size}")
    if isinstance(flow, Elements):
        if at is not None:
            return _element(build, info, flow, at)
        if not flow.items and flow.shape is None:
            raise refuse(build, info.unwritten(0))
    value = one(build, flow)
    if grows(build, info, flow):
        text = "Tried to read from index {0}, which was not written to yet"
        build.assert_(row(build, mask, index), (index,), message=text)
    elif needs_mask(info):
        text = info.unwritten("{0}" if at is None else at)
        build.assert_(row(build, mask, index), (index,), message=text)
    elif not build.region_depth and not info.declared:
        # The first write tells the shape of the others' zeros: none may have come if a loop wrote.
        text = info.unwritten("{0}" if at is None else at)
        any_written = p.reduce(build, mask, dims=(0,), kind="or")
        build.assert_(any_written, (index,), message=text)
    return row(build, value, index)


def grows(build: Any, info: Info, flow: Any) -> bool:
    """Whether a loop is lowered that may make this array larger, so that its size in an iteration
    is not the size that it has here."""
    if not info.dynamic or not build.region_depth or isinstance(flow, Elements):
        return False
    return flow not in build.captured


def check_stays(build: Any, info: Info, flow: Any) -> None:
    """For ops to which the size of an array matters. Raises NotNative: it may change."""
    if grows(build, info, flow):
        raise NotNative(f"{build.op.type} takes TensorArray {info.name}, which may grow here")


def refuse(build: Any, message: str) -> Exception:
    """The error of what is wrong already now; in a region, which may never run, that is left to
    the run."""
    return NotNative(message) if build.region_depth else invalid(build, message)


def needs_mask(info: Info) -> bool:
    """Whether reading what was never written is an error, though the array is one value: of others
    the shape of the zeros is known."""
    return not info.identical and not info.element_shape.is_fully_defined()


def _element(build: Any, info: Info, flow: Elements, at: int) -> Value:
    value = flow.items.get(at)
    if value is not None:
        return value
    if flow.shape is None:
        raise refuse(build, info.unwritten(at))
    return zeros(build, Type(flow.dtype, flow.shape))


def write(
    build: Any,
    info: Info,
    flow: Any,
    mask: Value,
    index: Value,
    value: Value,
    add: bool,
    over: bool = False,
) -> tuple[Any, Value]:
    """(array, mask) with `value` written at `index`: added to what is there, or in its place."""
    size, at = size_of(flow), _place(build, index)
    growing = at is None and info.dynamic
    if growing and not build.region_depth:
        raise NotNative(f"how far TensorArray {info.name} grows is not known")
    if at is not None:
        if at >= size and info.dynamic:
            size = at + 1
            flow, mask = grown(build, flow, size), grown(build, mask, size)
        if not 0 <= at < size:
            raise refuse(build, info.no_room(at, size))
    elif not growing:
        _inside(build, index, size, info.no_room("{0}", size))
    shape = value.type.shape
    if wrong := info.check("?" if at is None else at, shape, known_shape(flow)):
        raise refuse(build, wrong)
    yes = p.constant(build, np.array(True))
    if isinstance(flow, Elements) and at is not None:
        old = flow.items.get(at)
        if old is not None and not over:
            if not add:
                raise refuse(build, info.written_twice(at))
            value = p.add(build, old, value)
        kept = shape if info.identical else flow.shape
        flow = replace(flow, items={**flow.items, at: value}, shape=kept)
        return flow, with_row(build, mask, index, yes)
    if isinstance(flow, Elements):
        flow = dense(build, flow)
        if isinstance(flow, Elements):
            flow = zeros(build, Type(flow.dtype, (size, *shape)))
    if flow.type.shape[1:] != shape:
        raise NotNative(f"the elements of TensorArray {info.name} are of several shapes")
    if add:
        value = p.add(build, row(build, flow, index), value)
    elif not over:
        text = info.written_twice("{0}" if at is None else at)
        build.assert_(p.not_(build, row(build, mask, index)), (index,), message=text)
    results = with_row(build, flow, index, value), with_row(build, mask, index, yes)
    if growing:
        note(build, flow, mask, index, results)
    return results


def known_shape(flow: Any) -> tuple[int, ...] | None:
    """The shape of the elements, as far as one is known."""
    if isinstance(flow, Elements):
        first = next(iter(flow.items.values()), None)
        return flow.shape if first is None else first.type.shape
    shape: tuple[int, ...] = flow.type.shape[1:]
    return shape


# ---- many elements


def gather(build: Any, info: Info, flow: Any, mask: Value, indices: Value) -> Value:
    """The elements at `indices`, stacked."""
    check_stays(build, info, flow)
    size, places = size_of(flow), constant_value(indices)
    count = indices.type.size
    if not count:
        return _none(build, info, flow)
    if places is not None:
        for at in places[(places < 0) | (places >= size)].tolist()[:1]:
            raise refuse(build, f"Tried to read from index {at} but array size is: {size}")
    else:
        _inside(build, indices, size, f"Tried to read from index {{0}} but array size is: {size}")
    if isinstance(flow, Elements) and places is not None and flow.shape is None:
        parts = [_element(build, info, flow, int(at)) for at in places]
        _check_parts(build, [v.type.shape for v in parts])
        wide = [p.reshape(build, v, shape=(1, *v.type.shape)) for v in parts]
        return wide[0] if count == 1 else p.concat(build, *wide, dim=0)
    if isinstance(flow, Elements) and not flow.items and flow.shape is None:
        raise refuse(build, info.unwritten(0))
    value = one(build, flow)
    if needs_mask(info):
        build.assert_(rows(build, mask, indices), (indices,), message=info.unwritten("{0}"))
    return rows(build, value, indices)


def _check_parts(build: Any, shapes: Sequence[tuple[int, ...]]) -> None:
    for k, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise refuse(
                build,
                f"TensorArray has inconsistent shapes.  Index 0 has shape: "
                f"{shape_text(shapes[0])} but index {k} has shape: {shape_text(shape)}",
            )


def _none(build: Any, info: Info, flow: Any) -> Value:
    """No elements, stacked."""
    shape = known_shape(flow)
    if shape is None:
        dims = info.element_shape
        text = "<unknown>" if dims.ndims is None else shape_text(dims.as_list())
        raise errors.UnimplementedError(
            None,
            build.op,
            f"TensorArray has size zero, but element shape {text} is not fully defined. Currently "
            "only static shapes are supported when packing zero-size TensorArrays.",
        )
    dtype = flow.dtype if isinstance(flow, Elements) else flow.type.dtype
    return zeros(build, Type(dtype, (0, *shape)))


def rows(build: Any, flow: Value, indices: Value) -> Value:
    """flow[indices]; indices are clamped."""
    places = constant_value(indices)
    size = flow.type.shape[0]
    if places is not None and np.array_equal(places, np.arange(size)):
        return flow
    index = p.reshape(build, indices, shape=(*indices.type.shape, 1))
    return p.gather(build, flow, index, dims=(0,))


def scatter(
    build: Any, info: Info, flow: Any, mask: Value, indices: Value, value: Value
) -> tuple[Any, Value]:
    """(array, mask) with each element of `value` written at its place."""
    _check_scatter(build, indices, value)
    check_stays(build, info, flow)
    places, size = constant_value(indices), size_of(flow)
    if wrong := info.check(0, value.type.shape[1:], known_shape(flow)):
        raise refuse(build, wrong)
    if places is None:
        return _scatter_anywhere(build, info, flow, mask, indices, value)
    top = int(places.max(initial=-1))
    if top >= size:
        if not info.dynamic:
            raise refuse(build, f"Max scatter index must be < array size ({top} vs. {size})")
        size = top + 1
        flow, mask = grown(build, flow, size), grown(build, mask, size)
    if places.size and places.min() < 0:
        raise refuse(build, info.no_room(int(places.min()), size))
    distinct, counts = np.unique(places, return_counts=True)
    if (counts > 1).any():
        raise refuse(build, info.written_twice(int(distinct[counts > 1][0])))
    fresh = isinstance(flow, Elements) and not flow.items
    if fresh and not info.identical and places.size <= MOST_APART:
        items = {int(at): slice_of(build, value, k) for k, at in enumerate(places)}
        return replace(flow, items=items), put_rows(build, mask, indices, None)
    if fresh and np.array_equal(places, np.arange(places.size)):
        return grown(build, value, size), _written(build, size, places.size)
    return _scatter_anywhere(build, info, flow, mask, indices, value)


def _written(build: Any, size: int, count: int) -> Value:
    """A mask whose first `count` elements are true."""
    first = p.splat(build, True, Type("i1", (count,)))
    return grown(build, first, size)


def slice_of(build: Any, value: Value, at: int) -> Value:
    """value[at], which is known to be there."""
    rest = value.type.shape[1:]
    part = p.slice(
        build,
        value,
        start=(at, *[0] * len(rest)),
        limit=(at + 1, *rest),
        stride=(1,) * (1 + len(rest)),
    )
    return p.reshape(build, part, shape=rest)


def _check_scatter(build: Any, indices: Value, value: Value) -> None:
    if indices.type.rank != 1:
        raise invalid(build, f"Expected indices to be a vector, but received {indices.type.shape}")
    if value.type.rank < 1:
        raise invalid(build, "Input value for unpack must be at least a vector but is a scalar")
    if value.type.shape[0] != indices.type.shape[0]:
        raise invalid(
            build,
            f"Expected len(indices) == values.shape[0], but saw: {indices.type.shape[0]} vs. "
            f"{value.type.shape[0]}",
        )


def _scatter_anywhere(
    build: Any, info: Info, flow: Any, mask: Value, indices: Value, value: Value
) -> tuple[Value, Value]:
    if constant_value(indices) is None:
        if info.dynamic:
            raise NotNative(f"how far TensorArray {info.name} grows is not known")
        size = size_of(flow)
        _inside(build, indices, size, info.no_room("{0}", size))
        counts = zeros(build, Type("i32", (size,)))
        ones = p.full_like(build, p.convert(build, indices, dtype="i32"), 1)
        counts = put_rows(build, counts, indices, ones, kind="add")
        twice = p.le(build, counts, p.full_like(build, counts, 1))
        places = p.iota(build, dtype="i32", shape=(size,), dim=0)
        build.assert_(twice, (places,), message=info.written_twice("{0}"))
    free = p.not_(build, rows(build, mask, indices))
    build.assert_(free, (indices,), message=info.written_twice("{0}"))
    whole = dense(build, flow)
    if isinstance(whole, Elements):
        whole = zeros(build, Type(whole.dtype, (whole.size, *value.type.shape[1:])))
    if whole.type.shape[1:] != value.type.shape[1:]:
        raise NotNative(f"the elements of TensorArray {info.name} are of several shapes")
    return put_rows(build, whole, indices, value), put_rows(build, mask, indices, None)


def put_rows(
    build: Any, flow: Value, indices: Value, value: Value | None, kind: str = "set"
) -> Value:
    """`flow` with the rows of `value` (true, if None) at `indices`."""
    if value is None:
        value = p.splat(build, True, Type("i1", indices.type.shape))
    index = p.reshape(build, indices, shape=(*indices.type.shape, 1))
    return p.scatter(build, flow, index, value, dims=(0,), kind=kind)
