"""Slice, StridedSlice with all its masks, its gradient, and `tensor[...]`.

One function, `plan`, turns the sparse specification of a StridedSlice (with an ellipsis, new axes
and indices) into one entry per axis of the input; shape rule, lowering and gradient read that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from tfc.ir.walk import made_by
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import concat, stack
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import rank, reshape, shape

NEW_AXIS = -1
MASKS = ["begin_mask", "ellipsis_mask", "end_mask", "new_axis_mask", "shrink_axis_mask"]
_MASK_SIG = ", ".join(f"{m}: int = 0" for m in MASKS)


@dataclass(frozen=True)
class Axis:
    """What a StridedSlice does to one axis: entry `at` of begin, end, strides; whole if None."""

    at: int | None
    begin_masked: bool = True
    end_masked: bool = True
    shrinks: bool = False


def plan(count: int, rank: int, masks: dict[str, int]) -> tuple[list[Axis], list[int]]:
    """(one Axis per input axis, result axes as input axes or NEW_AXIS) for `count` entries.

    Raises:
      ValueError: more entries than the input has axes, or several ellipses.
    """

    def bit(mask: str, i: int) -> bool:
        return bool(masks[mask] >> i & 1)

    ellipses = [i for i in range(count) if bit("ellipsis_mask", i)]
    if len(ellipses) > 1:
        raise ValueError("Multiple ellipses in slice spec not allowed")
    ellipsis = ellipses[0] if ellipses else count
    new_after = sum(bit("new_axis_mask", i) for i in range(ellipsis + 1, count))
    axes: list[Axis] = []
    result: list[int] = []
    for i in range(max(count, ellipsis + 1)):
        if i == ellipsis:
            after = max(count - i - 1, 0) - new_after
            for _ in range(max(rank - after - len(axes), 0)):
                result.append(len(axes))
                axes.append(Axis(None))
        elif bit("new_axis_mask", i):
            result.append(NEW_AXIS)
        else:
            if len(axes) == rank:
                raise ValueError(
                    f"Index out of range using input dim {len(axes)}; input has only {rank} dims"
                )
            shrinks = bit("shrink_axis_mask", i)
            if not shrinks:
                result.append(len(axes))
            axes.append(Axis(i, bit("begin_mask", i), bit("end_mask", i), shrinks))
    return axes, result


def _extent(axis: Axis, dim: int | None, number: int, spec: tuple[int | None, ...]) -> int | None:
    """Elements taken along an axis of extent `dim` (None: unknown)."""
    begin, end, stride = spec
    if axis.shrinks:
        if begin is not None and dim is not None and not -dim <= begin < dim:
            raise ValueError(f"slice index {begin} of dimension {number} out of bounds.")
        return 1
    if axis.at is None:
        return dim
    if dim is None or stride is None:
        return None
    if (begin is None and not axis.begin_masked) or (end is None and not axis.end_masked):
        return None
    return len(_range_of(axis, dim, begin, end, stride))


def _range_of(axis: Axis, dim: int, begin: int | None, end: int | None, stride: int) -> range:
    first = None if axis.begin_masked else begin
    last = None if axis.end_masked else end
    return range(*slice(first, last, stride).indices(dim))


def _check_strides(axes: Sequence[Axis], strides: Sequence[int] | None) -> None:
    for axis in axes:
        if axis.at is None or strides is None:
            continue
        if strides[axis.at] == 0:
            raise ValueError(f"strides[{axis.at}] must be non-zero")
        if axis.shrinks and strides[axis.at] < 0:
            raise ValueError("only stride 1 allowed on non-range indexing.")


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
            exact = partial if starts is not None and all(b == 0 for b in starts) else None
            return [s.unknown(count) if exact is None else s.shape_of(exact)]
        out: list[int | None] = []
        for i, n in enumerate(sizes):
            dim = None if dims is None else dims[i]
            first = None if starts is None else starts[i]
            if n == -1:
                out.append(None if dim is None or first is None else dim - first)
            else:
                out.append(n)
            if dim is not None and first is not None and n != -1 and first + n > dim:
                raise ValueError(f"Dimension size is {dim} but begin + size is {first + n}")
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
                _check_index(
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


def _check_index(build: Any, index: Value, low: int, high: int, message: str) -> None:
    """Fail with `message` unless low <= index <= high."""
    above = p.ge(build, index, p.full_like(build, index, low))
    below = p.le(build, index, p.full_like(build, index, high))
    build.assert_(p.and_(build, above, below), (index,), message=message)


def entries_of(build: Any, vector: Value) -> list[Value]:
    """The elements of a vector as scalars: constants where a `stack` put constants in."""
    joined = made_by(vector, "concat")
    if joined is not None and all(v.type.shape == (1,) for v in joined.operands):
        pieces = list(joined.operands)
    else:
        count = vector.type.shape[0]
        pieces = [
            p.slice(build, vector, start=(i,), limit=(i + 1,), stride=(1,)) for i in range(count)
        ]
    return [p.reshape(build, piece, shape=()) for piece in pieces]


@dataclass
class Taken:
    """A StridedSlice with its input's shape known: what to read, and how to arrange it."""

    ranges: list[range]  # per axis; of one element (at 0) where the index is computed
    computed: dict[int, Value]  # axis -> index that only the run can tell, wrapped and checked
    result: tuple[int, ...]  # shape of the result

    @property
    def extents(self) -> tuple[int, ...]:
        return tuple(len(r) for r in self.ranges)

    @property
    def reversed(self) -> tuple[int, ...]:
        return tuple(i for i, r in enumerate(self.ranges) if r.step < 0)

    @property
    def forward(self) -> list[range]:
        return [r[::-1] if r.step < 0 else r for r in self.ranges]


def take(
    build: Any, dims: Sequence[int], spec: tuple[Value, Value, Value], masks: dict[str, int]
) -> Taken:
    """Resolve a StridedSlice of an input with extents `dims`.

    Raises:
      InvalidArgumentError: an index or a stride that TensorFlow's kernel refuses.
      NeedsValue: a range depends on a value that is not known yet.
    """
    begins, ends, strides = (entries_of(build, v) for v in spec)
    try:
        axes, order = plan(len(begins), len(dims), masks)
        _check_strides(axes, [int(build.static(v)) for v in strides])
    except ValueError as error:
        raise invalid(build, str(error)) from None
    ranges, computed = [], {}
    for number, (axis, dim) in enumerate(zip(axes, dims, strict=True)):
        if axis.at is None:
            ranges.append(range(dim))
        elif axis.shrinks:
            index = begins[axis.at]
            known = constant_value(index)
            message = f"slice index {{0}} of dimension {number} out of bounds."
            if known is None:
                _check_index(build, index, -dim, dim - 1, message)
                wrapped = p.add(build, index, p.full_like(build, index, dim))
                negative = p.lt(build, index, p.full_like(build, index, 0))
                computed[number] = p.select(build, negative, wrapped, index)
                ranges.append(range(1))
            elif not -dim <= int(known) < dim:
                raise invalid(build, message.replace("{0}", str(int(known))))
            else:
                ranges.append(range(int(known) % dim, int(known) % dim + 1))
        else:
            first = 0 if axis.begin_masked else int(build.static(begins[axis.at]))
            last = 0 if axis.end_masked else int(build.static(ends[axis.at]))
            stride = int(build.static(strides[axis.at]))
            ranges.append(_range_of(axis, dim, first, last, stride))
    shape = tuple(1 if a == NEW_AXIS else len(ranges[a]) for a in order)
    return Taken(ranges, computed, shape)


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
        _check_strides(axes, steps)
        begins, ends = (_known_entries(op, i, count) for i in (1, 2))
        extents: list[int | None] = []
        for number, (axis, dim) in enumerate(zip(axes, dims, strict=True)):
            at = axis.at
            spec = (
                (None, None, 1)
                if at is None
                else (begins[at], ends[at], None if steps is None else steps[at])
            )
            extents.append(_extent(axis, dim, number, spec))
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
        if taken.computed:
            dtype = next(iter(taken.computed.values())).type.dtype
            zero = p.constant(build, 0, dtype)
            starts = [taken.computed.get(i, zero) for i in range(len(dims))]
            sizes = tuple(1 if i in taken.computed else d for i, d in enumerate(dims))
            input = p.dynamic_slice(build, input, *starts, sizes=sizes)
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
        taken = take(build, dims, (begin, end, strides), _masks_of(attrs))
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
        whole = [1 if i in taken.computed else d for i, d in enumerate(dims)]
        part = p.pad(
            build,
            part,
            zero,
            low=tuple(r.start for r in ranges),
            high=tuple(d - 1 - r[-1] for d, r in zip(whole, ranges, strict=True)),
            interior=tuple(r.step - 1 for r in ranges),
        )
        if not taken.computed:
            return part
        origin = p.constant(build, 0, next(iter(taken.computed.values())).type.dtype)
        starts = [taken.computed.get(i, origin) for i in range(len(dims))]
        zeros = p.broadcast(build, zero, dims=(), shape=dims)
        return p.dynamic_update_slice(build, zeros, part, *starts)


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
