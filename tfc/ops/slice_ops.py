"""Slice, StridedSlice with all its masks, its gradient, and `tensor[...]`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import concat, stack
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import rank, reshape, shape
from tfc.ops.slice_plan import (
    NEW_AXIS,
    check_index,
    check_strides,
    entries_of,
    extent_of,
    plan,
    take,
)

MASKS = ["begin_mask", "ellipsis_mask", "end_mask", "new_axis_mask", "shrink_axis_mask"]
_MASK_SIG = ", ".join(f"{m}: int = 0" for m in MASKS)


class Slice(
    OpDef, sig="Slice(input: T, begin: Index, size: Index) -> output: T", T=ANY, Index=INDEX
):
    """`size` elements of `input_` from `begin` on; a size of -1 takes all that follow."""

    def shape(
        input: TensorShape, begin: TensorShape, size: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        entries = s.merge_dim(s.with_rank(begin, 1)[0], s.with_rank(size, 1)[0])
        dims = s.dims_of(input)
        if dims is not None and entries is not None and entries != len(dims):
            raise ValueError(f"Shape must be rank {entries} but is rank {len(dims)}")
        starts, sizes = s.static_ints(op, 1), s.static_ints(op, 2)
        if sizes is None:
            partial = s.static_dims(op, 2)
            count = entries if dims is None else len(dims)
            return [s.unknown(count) if partial is None else s.shape_of(partial)]
        out: list[int | None] = []
        for i, n in enumerate(sizes):
            dim = None if dims is None else dims[i]
            first = None if starts is None else starts[i]
            if n == -1:
                out.append(None if dim is None or first is None else dim - first)
            else:
                out.append(n)
            if (out[-1] or 0) < 0:
                raise ValueError(f"Expected size[{i}] in [0, {dim}], but got {n}")
        return [s.shape_of(out)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        """`dy` padded with zeros where nothing was taken."""
        input, begin = op.inputs[0], op.inputs[1]
        index = begin.dtype.base_dtype
        if s.static_ints(op, 1) is None:
            dx = opdef.apply("SliceGrad", shape(input, out_type=index), begin, dy)
            return [dx, None, None]
        size = shape(op.outputs[0], out_type=index)
        column = stack([rank(input), 1])
        before = reshape(begin, column)
        after = reshape(shape(input, out_type=index) - size - begin, column)
        return [opdef.apply("Pad", dy, concat([before, after], 1)), None, None]

    def lower(build: Any, input: Value, begin: Value, size: Value) -> Value:
        dims = input.type.shape
        sizes = [int(n) for n in build.static(size)]
        starts = entries_of(build, begin)
        if len(sizes) != len(dims) or len(starts) != len(dims):
            raise invalid(
                build,
                f"Expected begin and size arguments to be 1-D tensors of size {len(dims)}, "
                f"but got shapes [{len(starts)}] and [{len(sizes)}] instead.",
            )
        known = [constant_value(v) for v in starts]
        for i, (dim, n) in enumerate(zip(dims, sizes, strict=True)):
            first = known[i]
            if n == -1:
                sizes[i] = dim - int(build.static(starts[i]))
            limit = dim if first is None else dim - int(first)
            if first is not None and not 0 <= int(first) <= dim:
                raise invalid(build, f"Expected begin[{i}] in [0, {dim}], but got {int(first)}")
            if not 0 <= sizes[i] <= limit:
                raise invalid(build, f"Expected size[{i}] in [0, {limit}], but got {n}")
            if first is None:
                check_index(
                    build,
                    starts[i],
                    0,
                    dim - sizes[i],
                    f"Expected begin[{i}] in [0, {dim - sizes[i]}], but got {{0}}",
                )
        if all(first is not None for first in known):
            low = tuple(int(first) for first in known if first is not None)
            high = tuple(b + n for b, n in zip(low, sizes, strict=True))
            return p.slice(build, input, start=low, limit=high, stride=(1,) * len(dims))
        return p.dynamic_slice(build, input, *starts, sizes=tuple(sizes))

    host = by_lowering(lower)


class SliceGrad(
    OpDef, sig="SliceGrad(shape: Index, begin: Index, dy: T) -> output: T", T=ANY, Index=INDEX
):
    """`dy` from `begin` on in a tensor of `shape`, zeros elsewhere: paddings that only the run can
    tell would make the shape of a Pad unknown."""

    def shape(
        shape: TensorShape, begin: TensorShape, dy: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        return [s.shape_of(s.static_dims(op, 0))]

    def grad(op: Any, ddx: Tensor) -> list[Any]:
        _, begin, dy = op.inputs
        size = shape(dy, out_type=begin.dtype.base_dtype)
        return [None, None, opdef.apply("Slice", ddx, begin, size)]

    def lower(build: Any, shape: Value, begin: Value, dy: Value) -> Value:
        dims = tuple(int(n) for n in build.static(shape))
        zeros = p.splat(build, 0, Type(dy.type.dtype, dims))
        return p.dynamic_update_slice(build, zeros, dy, *entries_of(build, begin))


def _masks_of(attrs: dict[str, Any]) -> dict[str, int]:
    return {m: int(attrs[m]) for m in MASKS}


class StridedSlice(
    OpDef,
    sig=f"StridedSlice(input: T, begin: Index, end: Index, strides: Index, {_MASK_SIG})"
    " -> output: T",
    T=ANY,
    Index=INDEX,
):
    """`input[begin:end:strides]` along every axis, with masks for what Python's slices can say."""

    def shape(
        input: TensorShape,
        begin: TensorShape,
        end: TensorShape,
        strides: TensorShape,
        *,
        op: Any,
        **attrs: Any,
    ) -> list[TensorShape]:
        counts = [s.with_rank(v, 1)[0] for v in (begin, end, strides)]
        count = s.merge_dim(s.merge_dim(counts[0], counts[1]), counts[2])
        dims, steps = s.dims_of(input), s.static_ints(op, 3)
        if count is None or dims is None:
            return [s.unknown()]
        axes, order = plan(count, len(dims), _masks_of(attrs))
        check_strides(axes, steps)
        begins, ends = (_known_entries(op, i, count) for i in (1, 2))
        extents: list[int | None] = []
        for number, (axis, dim) in enumerate(zip(axes, dims, strict=True)):
            at = axis.at
            spec = (
                (None, None, 1)
                if at is None
                else (begins[at], ends[at], None if steps is None else steps[at])
            )
            extents.append(extent_of(axis, dim, number, spec))
        return [s.shape_of([1 if a == NEW_AXIS else extents[a] for a in order])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        input, begin, end, strides = op.inputs
        whole = shape(input, out_type=begin.dtype.base_dtype)
        masks = {m: op.get_attr(m) for m in MASKS}
        return [
            opdef.apply("StridedSliceGrad", whole, begin, end, strides, dy, **masks),
            None,
            None,
            None,
        ]

    def lower(
        build: Any, input: Value, begin: Value, end: Value, strides: Value, **attrs: Any
    ) -> Value:
        dims = input.type.shape
        taken = take(build, dims, (begin, end, strides), _masks_of(attrs))
        if taken.windows:
            starts = taken.starts(build)
            input = p.dynamic_slice(build, input, *starts, sizes=taken.sizes(dims))
        if 0 in taken.extents:
            empty = p.constant(build, np.zeros((), dtypes.numpy_dtype(input.type.dtype)))
            return p.broadcast(build, empty, dims=(), shape=taken.result)
        forward = taken.forward
        part = p.slice(
            build,
            input,
            start=tuple(r.start for r in forward),
            limit=tuple(r[-1] + 1 for r in forward),
            stride=tuple(r.step for r in forward),
        )
        if taken.reversed:
            part = p.reverse(build, part, dims=taken.reversed)
        return p.reshape(build, part, shape=taken.result)

    host = by_lowering(lower)


def _known_entries(op: Any, index: int, count: int) -> list[int | None]:
    """Entries of a 1-D input: those of a `stack` may be known one by one."""
    whole = s.static_ints(op, index)
    if whole is not None:
        return list(whole)
    made = op.inputs[index].op
    if made.type == "Pack" and len(made.inputs) == count:
        values = [s.static_input(made, i) for i in range(count)]
        return [None if v is None else int(v) for v in values]
    return [None] * count


class StridedSliceGrad(
    OpDef,
    sig=f"StridedSliceGrad(shape: Index, begin: Index, end: Index, strides: Index, dy: T, "
    f"{_MASK_SIG}) -> output: T",
    T=ANY,
    Index=INDEX,
):
    """`dy` at the places a StridedSlice of a tensor of `shape` reads, zeros elsewhere."""

    def shape(
        shape: TensorShape,
        begin: TensorShape,
        end: TensorShape,
        strides: TensorShape,
        dy: TensorShape,
        *,
        op: Any,
    ) -> list[TensorShape]:
        return [s.shape_of(s.static_dims(op, 0))]

    def grad(op: Any, ddx: Tensor) -> list[Any]:
        _, begin, end, strides, _ = op.inputs
        masks = {m: op.get_attr(m) for m in MASKS}
        return [None] * 4 + [opdef.apply("StridedSlice", ddx, begin, end, strides, **masks)]

    def lower(
        build: Any, shape: Value, begin: Value, end: Value, strides: Value, dy: Value, **attrs: Any
    ) -> Value:
        dims = tuple(int(d) for d in build.static(shape))
        taken = take(build, dims, (begin, end, strides), _masks_of(attrs), dy.type.shape)
        if dy.type.shape != taken.result:
            raise invalid(
                build, f"shape of dy was {s.text(dy.type.shape)} instead of {s.text(taken.result)}"
            )
        zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(dy.type.dtype)))
        if 0 in taken.extents:
            return p.broadcast(build, zero, dims=(), shape=dims)
        part = p.reshape(build, dy, shape=taken.extents)
        if taken.reversed:
            part = p.reverse(build, part, dims=taken.reversed)
        ranges = taken.forward
        whole = taken.sizes(dims)
        part = p.pad(
            build,
            part,
            zero,
            low=tuple(r.start for r in ranges),
            high=tuple(d - 1 - r[-1] for d, r in zip(whole, ranges, strict=True)),
            interior=tuple(r.step - 1 for r in ranges),
        )
        if not taken.windows:
            return part
        zeros = p.broadcast(build, zero, dims=(), shape=dims)
        return p.dynamic_update_slice(build, zeros, part, *taken.starts(build))


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """`size` elements of `input_` from `begin` on; a size of -1 takes all that follow."""
    return opdef.apply("Slice", input_, begin, size, name=name)


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """`input_[begin:end:strides]`; the masks are those of the StridedSlice op."""
    if strides is None:
        strides = opdef.apply("OnesLike", begin)
    return opdef.apply(
        "StridedSlice",
        input_,
        begin,
        end,
        strides,
        name=name,
        begin_mask=begin_mask,
        end_mask=end_mask,
        ellipsis_mask=ellipsis_mask,
        new_axis_mask=new_axis_mask,
        shrink_axis_mask=shrink_axis_mask,
    )
