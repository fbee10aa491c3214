"""Joining and taking apart: concat, stack, unstack, split, tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import ANY, OpDef
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import constant_ints, invalid
from tfc.ops.shape_ops import rank, shape, shape_n


def _axis_of(build: Any, axis: Value, rank: int, op: str) -> int:
    """The static axis as a number in [0, rank)."""
    at = int(build.static(axis).ravel()[0])
    if not rank:
        raise invalid(build, f"{op} : Can't concatenate scalars (use tf.stack instead)")
    if not -rank <= at < rank:
        raise invalid(
            build,
            f"{op} : Expected concatenating dimensions in the range "
            f"[{-rank}, {rank}), but got {at}",
        )
    return at % rank


def _concat_shape(values: Sequence[TensorShape], axis: list[int] | None) -> TensorShape:
    ranks = {v.ndims for v in values if v.ndims is not None}
    if len(ranks) > 1:
        first, other = (v.ndims for v in _two_ranks(values))
        raise ValueError(f"Shape must be rank {first} but is rank {other}")
    if not ranks:
        return s.unknown()
    count = ranks.pop()
    if not count:
        raise ValueError("Can't concatenate scalars (use tf.stack instead)")
    if axis is None:
        return s.unknown(count)
    if len(axis) != 1:
        raise ValueError(f"axis must be one number, but has {len(axis)} elements")
    if not -count <= axis[0] < count:
        least = axis[0] + 1 if axis[0] >= 0 else -axis[0]
        raise ValueError(f"Shape must be at least rank {least} but is rank {count}")
    at = axis[0] % count
    total: int | None = 0
    merged: s.Dims = [None] * count
    for value in values:
        dims = s.dims_of(value) or [None] * count
        extent = dims[at]
        total = None if total is None or extent is None else total + extent
        free: list[int | None] = [None if i == at else d for i, d in enumerate(dims)]
        merged = s.merge_dims(merged, free)
    return s.shape_of([total if i == at else d for i, d in enumerate(merged or [])])


def _two_ranks(values: Sequence[TensorShape]) -> tuple[TensorShape, TensorShape]:
    known = [v for v in values if v.ndims is not None]
    return known[0], next(v for v in known if v.ndims != known[0].ndims)


def _lower_concat(build: Any, values: Sequence[Value], axis: Value) -> Value:
    if len(values) == 1:
        return values[0]
    first = values[0].type.shape
    at = _axis_of(build, axis, len(first), "ConcatOp")
    for i, value in enumerate(values):
        dims = value.type.shape
        if len(dims) != len(first):
            raise invalid(
                build,
                f"ConcatOp : Ranks of all input tensors should match: shape[0] = "
                f"{s.text(first)} vs. shape[{i}] = {s.text(dims)}",
            )
        if any(d != f for k, (d, f) in enumerate(zip(dims, first, strict=True)) if k != at):
            raise invalid(
                build,
                f"ConcatOp : Dimensions of inputs should match: shape[0] = "
                f"{s.text(first)} vs. shape[{i}] = {s.text(dims)}",
            )
    return p.concat(build, *values, dim=at)


def _concat_grad(values: Sequence[Tensor], axis: Tensor, dy: Tensor) -> list[Any]:
    """The piece of `dy` for each of `values`."""
    if len(values) == 1:
        return [dy]
    dy = convert_to_tensor(dy)
    at = axis % rank(values[0])
    shapes: Sequence[Tensor] = [shape(v) for v in values if v.get_shape().is_fully_defined()]
    if len(shapes) < len(values):
        shapes = shape_n(values)
    offsets = opdef.apply("ConcatOffset", at, list(shapes))
    return [
        opdef.apply("Slice", dy, begin, size) for begin, size in zip(offsets, shapes, strict=True)
    ]


class Concat(OpDef, sig="Concat(concat_dim: int32, values: N * T) -> output: T", T=ANY):
    """`values` joined along one axis, which comes first (before version 1.0)."""

    def shape(concat_dim: TensorShape, *values: TensorShape, op: Any) -> list[TensorShape]:
        return [_concat_shape(values, s.static_ints(op, 0))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, *_concat_grad(list(op.inputs)[1:], op.inputs[0], dy)]

    def lower(build: Any, concat_dim: Value, *values: Value) -> Value:
        return _lower_concat(build, values, concat_dim)

    host = by_lowering(lower)


class ConcatV2(
    OpDef,
    sig="ConcatV2(values: N * T, axis: Tidx, Tidx: type = int32) -> output: T",
    T=ANY,
    Tidx=INDEX,
):
    """`values` joined along `axis`."""

    def shape(*inputs: TensorShape, op: Any) -> list[TensorShape]:
        s.with_rank(inputs[-1], 0)
        return [_concat_shape(inputs[:-1], s.static_ints(op, len(inputs) - 1))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        inputs = list(op.inputs)
        return [*_concat_grad(inputs[:-1], inputs[-1], dy), None]

    def lower(build: Any, *inputs: Value) -> Value:
        return _lower_concat(build, inputs[:-1], inputs[-1])

    host = by_lowering(lower)


def _spaced(values: list[int]) -> str:
    return f"[{' '.join(map(str, values))}]"


class ConcatOffset(
    OpDef, sig="ConcatOffset(concat_dim: int32, shape: N * int32) -> offset: N * int32"
):
    """Where each of the tensors of these shapes begins in their concatenation."""

    def shape(concat_dim: TensorShape, *shape: TensorShape) -> list[TensorShape]:
        return list(shape)

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [None for _ in op.inputs]

    def lower(build: Any, concat_dim: Value, *shape: Value) -> tuple[Value, ...]:
        for k, v in enumerate(shape):
            if v.type.rank != 1:
                dims = s.text(v.type.shape)
                raise invalid(build, f"input {k + 1} should be a vector, but got shape {dims}")
        sizes = [[int(d) for d in build.static(v)] for v in shape]
        at, rank = int(build.static(concat_dim).ravel()[0]), len(sizes[0])
        if not -rank <= at < rank:
            raise invalid(build, f"Concat dim is out of range: {at} vs. {rank}")
        at %= rank
        offsets, begin = [], 0
        for k, size in enumerate(sizes):
            if len(size) != rank:
                said = f"input {k} should contain {rank} elements, but got {len(size)}"
                raise invalid(build, said)
            if any(a != b for i, (a, b) in enumerate(zip(size, sizes[0], strict=True)) if i != at):
                raise invalid(
                    build,
                    f"All dimensions except {at} must match. Input {k} has shape {_spaced(size)} "
                    f"and doesn't match input 0 with shape {_spaced(sizes[0])}.",
                )
            offsets.append([begin if i == at else 0 for i in range(len(size))])
            begin += size[at]
        return tuple(constant_ints(build, o, dtypes.int32) for o in offsets)


class Pack(OpDef, sig="Pack(values: N * T, axis: int = 0) -> output: T", T=ANY):
    """`values`, all of one shape, stacked along a new axis."""

    def shape(*values: TensorShape, axis: int) -> list[TensorShape]:
        merged: s.Dims = None
        for value in values:
            merged = s.merge_dims(merged, s.dims_of(value))
        if merged is None:
            return [s.unknown()]
        rank = len(merged) + 1
        if not -rank <= axis < rank:
            raise ValueError(f"Invalid axis = {axis}: must be in the range [{-rank}, {rank})")
        at = axis % rank
        return [s.shape_of([*merged[:at], len(values), *merged[at:]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return unstack(dy, num=len(op.inputs), axis=op.get_attr("axis"))

    def lower(build: Any, *values: Value, axis: int) -> Value:
        dims = values[0].type.shape
        for i, value in enumerate(values):
            if value.type.shape != dims:
                raise invalid(
                    build,
                    f"Shapes of all inputs must match: values[0].shape = {s.text(dims)} "
                    f"!= values[{i}].shape = {s.text(value.type.shape)}",
                )
        at = axis % (len(dims) + 1)
        wide = (*dims[:at], 1, *dims[at:])
        return p.concat(build, *[p.reshape(build, v, shape=wide) for v in values], dim=at)

    host = by_lowering(lower)


class ParallelConcat(OpDef, sig="ParallelConcat(values: N * T, shape: shape) -> output: T", T=ANY):
    """`values`, each with a first dimension of 1, joined along it."""

    def shape(*values: TensorShape, shape: TensorShape) -> list[TensorShape]:
        if not shape.is_fully_defined():
            raise ValueError("shape attr must be fully defined.")
        merged = s.dims_of(values[0])
        for value in values[1:]:
            merged = s.merge_dims(merged, s.dims_of(value))
        return [shape]

    def lower(build: Any, *values: Value) -> Value:
        return values[0] if len(values) == 1 else p.concat(build, *values, dim=0)

    host = by_lowering(lower)


class Unpack(OpDef, sig="Unpack(value: T, num: int, axis: int = 0) -> output: num * T", T=ANY):
    """The slices of `value` along `axis`, without that axis."""

    def shape(value: TensorShape, *, num: int, axis: int) -> list[TensorShape]:
        dims = s.dims_of(value)
        if dims is None:
            return [s.unknown()] * num
        at = _unpack_axis(axis, len(dims))
        if dims[at] not in (None, num):
            raise ValueError(f"Dimension must be {num} but is {dims[at]}")
        return [s.shape_of([*dims[:at], *dims[at + 1 :]])] * num

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [stack(list(dys), axis=op.get_attr("axis"))]

    def lower(build: Any, value: Value, *, num: int, axis: int) -> tuple[Value, ...]:
        dims = value.type.shape
        at = axis % max(len(dims), 1)
        if not dims or dims[at] != num:
            raise invalid(
                build, f"Input shape axis {axis} must equal {num}, got shape {s.text(dims)}"
            )
        rest = (*dims[:at], *dims[at + 1 :])
        rows = pieces(build, value, at, [1] * num)
        return tuple(p.reshape(build, row, shape=rest) for row in rows)

    host = by_lowering(lower)


def _unpack_axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"Invalid axis = {axis}: must be in the range [{-rank}, {rank})")
    return axis % rank


def pieces(build: Any, value: Value, at: int, sizes: Sequence[int]) -> list[Value]:
    """Consecutive parts of `value` along axis `at`."""
    dims, parts, begin = value.type.shape, [], 0
    for size in sizes:
        start = tuple(begin if i == at else 0 for i in range(len(dims)))
        limit = tuple(begin + size if i == at else d for i, d in enumerate(dims))
        parts.append(p.slice(build, value, start=start, limit=limit, stride=(1,) * len(dims)))
        begin += size
    return parts


def concat(values: Any, axis: Any, name: str | None = "concat") -> Tensor:
    """`values` joined along `axis`."""
    if not isinstance(values, (list, tuple)):
        values = [values]
    if len(values) == 1:
        with name_scope(name, "concat") as scope:
            checked = convert_to_tensor(axis, name="concat_dim", dtype=dtypes.int32)
            checked.get_shape().assert_is_compatible_with(TensorShape([]))
            return opdef.apply("Identity", values[0], name=scope)
    return opdef.apply("ConcatV2", list(values), axis, name=name or "concat")


def stack(values: Any, axis: int = 0, name: str | None = "stack") -> Tensor:
    """`values`, all of one shape, stacked along a new axis."""
    if axis == 0:
        try:
            # a list of numbers is one constant, as in TensorFlow
            return (
                convert_to_tensor(values, name=name)
                if not _any_tensor(values)
                else _pack(values, axis, name)
            )
        except (TypeError, ValueError):
            pass
    return _pack(values, axis, name)


def _any_tensor(values: Any) -> bool:
    return isinstance(values, list | tuple) and any(isinstance(v, Tensor) for v in values)


def _pack(values: Any, axis: int, name: str | None) -> Tensor:
    known = next((v.get_shape().ndims for v in values if isinstance(v, Tensor)), None)
    if known is not None and not -(known + 1) <= axis < known + 1:
        raise ValueError(f"axis = {axis} not in [{-(known + 1)}, {known + 1})")
    return opdef.apply("Pack", list(values), axis=axis, name=name or "stack")


def parallel_stack(values: Any, name: str | None = "parallel_stack") -> Tensor:
    """`values`, all of one known shape, stacked along a new first axis."""
    with name_scope(name, "parallel_stack") as scope:
        tensors = [convert_to_tensor(v) for v in values]
        if not tensors:
            raise ValueError("parallel_stack takes at least one tensor")
        dims = tensors[0].get_shape().as_list()
        wide = [opdef.apply("ExpandDims", t, 0) for t in tensors]
        return opdef.apply(
            "ParallelConcat", wide, shape=TensorShape([len(wide), *dims]), name=scope
        )


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack"
) -> list[Tensor]:
    """The slices of `value` along `axis`, without that axis."""
    if num is None:
        value = convert_to_tensor(value)
        known = value.get_shape()
        if known.ndims is not None:
            if not -known.ndims <= axis < known.ndims:
                raise ValueError(f"axis = {axis} not in [{-known.ndims}, {known.ndims})")
            num = known.as_list()[axis]
        if num is None:
            raise ValueError(
                f"Cannot infer num from shape {known}. Cannot infer argument `num` "
                f"from shape {known}"
            )
    return list(opdef.apply("Unpack", value, num=num, axis=axis, name=name or "unstack"))
