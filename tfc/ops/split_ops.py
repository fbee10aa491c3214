"""Taking apart and repeating: split, tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import INDEX
from tfc.base.shapes import Dimension, TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import ANY, OpDef
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import concat, pieces, stack
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import shape


class Split(
    OpDef,
    sig="Split(split_dim: int32, value: T, num_split: int) -> output: num_split * T",
    T=ANY,
):
    """`value` in `num_split` equal parts along `split_dim`."""

    def shape(
        split_dim: TensorShape, value: TensorShape, *, num_split: int, op: Any
    ) -> list[TensorShape]:
        s.check_attr("Split", "num_split", num_split, 1)
        axis, dims = s.static_ints(op, 0), s.dims_of(value)
        if dims is None:
            return [s.unknown()] * num_split
        if axis is None:
            return [s.unknown(len(dims))] * num_split
        at = s.axis_in(axis[0], len(dims))
        extent = dims[at]
        if extent is not None and extent % num_split:
            raise ValueError(
                f"Dimension size must be evenly divisible by {num_split} but is {extent}: "
                "number of ways to split should evenly divide the split dimension"
            )
        dims[at] = None if extent is None else extent // num_split
        return [s.shape_of(dims)] * num_split

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [None, concat(list(dys), op.inputs[0])]

    def lower(build: Any, split_dim: Value, value: Value, *, num_split: int) -> tuple[Value, ...]:
        dims = value.type.shape
        at = int(build.static(split_dim))
        if not -len(dims) <= at < len(dims):
            raise invalid(
                build,
                f"-input rank(-{len(dims)}) <= split_dim < input rank ({len(dims)}), but got {at}",
            )
        extent = dims[at]
        if extent % num_split:
            raise invalid(
                build,
                "Number of ways to split should evenly divide the split dimension, but got "
                f"split_dim {at} (size = {extent}) and num_split {num_split}",
            )
        return tuple(pieces(build, value, at % len(dims), [extent // num_split] * num_split))

    host = by_lowering(lower)


class SplitV(
    OpDef,
    sig="SplitV(value: T, size_splits: Tlen, split_dim: int32, num_split: int,"
    " Tlen: type = int64)"
    " -> output: num_split * T",
    T=ANY,
    Tlen=INDEX,
):
    """`value` in parts of the given sizes along `split_dim`; one size may be -1."""

    def shape(
        value: TensorShape,
        size_splits: TensorShape,
        split_dim: TensorShape,
        *,
        num_split: int,
        op: Any,
    ) -> list[TensorShape]:
        dims, sizes, axis = s.dims_of(value), s.static_ints(op, 1), s.static_ints(op, 2)
        (count,) = s.with_rank(size_splits, 1)
        if count not in (None, num_split):
            raise ValueError(
                "Length of size_splits should be equal to num_outputs: "
                f"{count} sizes, {num_split} outputs"
            )
        if dims is None:
            return [s.unknown()] * num_split
        if axis is None:
            return [s.unknown(len(dims))] * num_split
        at = s.axis_in(axis[0], len(dims))
        parts: list[int | None] = [None] * num_split if sizes is None else list(sizes)
        if sizes is not None:
            if sizes.count(-1) > 1:
                raise ValueError("size_splits can only have one -1")
            known = sum(d for d in sizes if d != -1)
            extent = dims[at]
            rest = None if extent is None else extent - known
            if rest is not None and (rest < 0 or (rest and -1 not in sizes)):
                raise ValueError(
                    "can't split axis of size "
                    f"{dims[at]} into pieces of size [{','.join(map(str, sizes))}]"
                )
            parts = [rest if d == -1 else d for d in sizes]
        return [s.shape_of([*dims[:at], d, *dims[at + 1 :]]) for d in parts]

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [concat(list(dys), op.inputs[2]), None, None]

    def lower(
        build: Any, value: Value, size_splits: Value, split_dim: Value, *, num_split: int
    ) -> tuple[Value, ...]:
        dims = value.type.shape
        at = int(build.static(split_dim)) % max(len(dims), 1)
        if size_splits.type.shape != (num_split,):
            raise invalid(
                build,
                "size of the split_tensor must be 1-D and have the same elements as outputs got "
                f"{size_splits.type.rank} -D and {size_splits.type.size} elements",
            )
        sizes = [int(d) for d in build.static(size_splits)]
        rest = dims[at] - sum(d for d in sizes if d != -1)
        if rest < 0 or sizes.count(-1) > 1 or (rest and -1 not in sizes):
            raise invalid(
                build,
                f"Determined shape must either match input shape along split_dim exactly if "
                f"fully specified, or be less than the size of the input along split_dim if not "
                f"fully specified.  Got: {dims[at] - rest}",
            )
        return tuple(pieces(build, value, at, [rest if d == -1 else d for d in sizes]))

    host = by_lowering(lower)


class Tile(
    OpDef,
    sig="Tile(input: T, multiples: Tmultiples, Tmultiples: type = int32) -> output: T",
    T=ANY,
    Tmultiples=INDEX,
):
    """`input` repeated multiples[d] times along each axis d."""

    def shape(input: TensorShape, multiples: TensorShape, *, op: Any) -> list[TensorShape]:
        dims, times = s.dims_of(input), s.static_dims(op, 1)
        count = s.with_rank(multiples, 1)[0]
        if dims is None and times is not None:
            dims = [None] * len(times)
        if dims is None:
            return [s.unknown(count)]
        if count is not None and count != len(dims):
            raise ValueError(f"Shape must be rank {count} but is rank {len(dims)}")
        if times is None:
            return [s.unknown(len(dims))]
        pairs = zip(dims, times, strict=True)
        return [s.shape_of([s.product([d, n]) for d, n in pairs])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        """The copies side by side as an axis of their own, summed."""
        have = shape(op.inputs[0])
        times = op.inputs[1]
        if times.dtype.base_dtype != have.dtype.base_dtype:
            have = opdef.apply("Cast", have, DstT=times.dtype.base_dtype)
        both = stack([times, have])
        split_shape = opdef.apply("Reshape", opdef.apply("Transpose", both, [1, 0]), [-1])
        axes = opdef.apply("Range", 0, opdef.apply("Size", split_shape), 2)
        total = opdef.apply("Sum", opdef.apply("Reshape", dy, split_shape), axes)
        total.set_shape(op.inputs[0].get_shape())
        return [total, None]

    def lower(build: Any, input: Value, multiples: Value) -> Value:
        dims, times = input.type.shape, [int(d) for d in build.static(multiples)]
        if len(times) != len(dims):
            raise invalid(
                build,
                "Expected multiples argument to be a vector of length "
                f"{len(dims)} but got length {len(times)}",
            )
        for i, n in enumerate(times):
            if n < 0:
                raise invalid(build, f"Expected multiples[{i}] >= 0, but got {n}")
        if all(n == 1 for n in times):
            return input
        wide = tuple(k for n, d in zip(times, dims, strict=True) for k in (n, d))
        copies = p.broadcast(build, input, dims=tuple(range(1, 2 * len(dims), 2)), shape=wide)
        return p.reshape(
            build, copies, shape=tuple(n * d for n, d in zip(times, dims, strict=True))
        )

    host = by_lowering(lower)


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str | None = "split",
) -> list[Tensor]:
    """`value` in equal parts (an int), or in parts of the sizes given, along `axis`.

    Raises:
      ValueError: one size that is no int; sizes of which the graph does not know how many.
    """
    if isinstance(num_or_size_splits, int | np.integer | Dimension):
        count = int(num_or_size_splits)
        return list(opdef.apply("Split", axis, value, num_split=count, name=name or "split"))
    sizes = convert_to_tensor(num_or_size_splits)
    if sizes.get_shape().ndims == 0:
        raise ValueError(
            "Rank-0 tensors are not supported as the num_or_size_splits argument to split. "
            f"Argument provided: {num_or_size_splits!r}"
        )
    if num is None:
        num = s.with_rank(sizes.get_shape(), 1)[0]
    if num is None:
        raise ValueError(f"Cannot infer num from shape {sizes.get_shape()}: pass `num`")
    return list(opdef.apply("SplitV", value, sizes, axis, num_split=num, name=name or "split"))


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """`input` repeated multiples[d] times along each axis d."""
    return opdef.apply("Tile", input, multiples, name=name)
