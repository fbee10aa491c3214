"""Moving blocks of space to depth and to the batch, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.const_ops import constant, zeros, zeros_like
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import stack
from tfc.ops.lowering import invalid


def _divided(extent: int | None, block: int) -> int | None:
    if extent is None:
        return None
    if extent % block:
        raise ValueError(f"Dimension size must be evenly divisible by {block} but is {extent}")
    return extent // block


class SpaceToDepth(
    OpDef,
    sig="SpaceToDepth(input: T, block_size: int, data_format: {'NHWC', 'NCHW'} = 'NHWC')"
    " -> output: T",
    T=ANY,
):
    """Blocks of [block_size, block_size] pixels as channels of one."""

    def shape(input: TensorShape, *, block_size: int, data_format: str) -> list[TensorShape]:
        s.check_attr("SpaceToDepth", "block_size", block_size, 2)
        n, h, width, c = w.to_last(s.with_rank(input, 4), data_format)
        depth = None if c is None else c * block_size * block_size
        spatial = (_divided(h, block_size), _divided(width, block_size))
        return [s.shape_of(w.from_last([n, *spatial, depth], data_format))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("block_size", "data_format")}
        return [apply("DepthToSpace", dy, **attrs)]

    def lower(build: Any, input: Value, *, block_size: int, data_format: str) -> Value:
        x = w.channels_last(build, input, data_format)
        n, h, width, c = x.type.shape
        if h % block_size or width % block_size:
            raise invalid(
                build,
                f"Image height {h} and width {width} should be divisible by "
                f"block_size: {block_size}",
            )
        split = (n, h // block_size, block_size, width // block_size, block_size, c)
        x = p.transpose(build, p.reshape(build, x, shape=split), perm=(0, 1, 3, 2, 4, 5))
        x = p.reshape(build, x, shape=(n, split[1], split[3], block_size * block_size * c))
        return w.as_given(build, x, data_format)

    host = by_lowering(lower)


class DepthToSpace(
    OpDef,
    sig="DepthToSpace(input: T, block_size: int, data_format: {'NHWC', 'NCHW'} = 'NHWC')"
    " -> output: T",
    T=ANY,
):
    """Channels as blocks of [block_size, block_size] pixels."""

    def shape(input: TensorShape, *, block_size: int, data_format: str) -> list[TensorShape]:
        s.check_attr("DepthToSpace", "block_size", block_size, 2)
        n, h, width, c = w.to_last(s.with_rank(input, 4), data_format)
        spatial = [None if d is None else d * block_size for d in (h, width)]
        depth = _divided(c, block_size * block_size)
        return [s.shape_of(w.from_last([n, *spatial, depth], data_format))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("block_size", "data_format")}
        return [apply("SpaceToDepth", dy, **attrs)]

    def lower(build: Any, input: Value, *, block_size: int, data_format: str) -> Value:
        x = w.channels_last(build, input, data_format)
        n, h, width, c = x.type.shape
        if c % (block_size * block_size):
            raise invalid(
                build,
                f"Input depth dimension {c} should be divisible by: {block_size * block_size}",
            )
        depth = c // (block_size * block_size)
        split = (n, h, width, block_size, block_size, depth)
        x = p.transpose(build, p.reshape(build, x, shape=split), perm=(0, 1, 3, 2, 4, 5))
        x = p.reshape(build, x, shape=(n, h * block_size, width * block_size, depth))
        return w.as_given(build, x, data_format)

    host = by_lowering(lower)


def _static_blocks(build: Any, block: Value, pairs: Value) -> tuple[list[int], list[Any]]:
    sizes = [int(b) for b in build.static(block).ravel()]
    if any(b < 1 for b in sizes):
        raise invalid(build, "All values in block_shape must be positive")
    found = [(int(a), int(b)) for a, b in build.static(pairs)]
    if any(n < 0 for pair in found for n in pair):
        raise invalid(build, "All paddings and crops must be non-negative")
    return sizes, found


def _to_batch(build: Any, x: Value, block: Sequence[int], pads: Sequence[Any]) -> Value:
    count, zero = len(block), p.constant(build, 0, x.type.dtype)
    rest = x.type.rank - 1 - count
    low = (0, *(a for a, _ in pads), *(0,) * rest)
    high = (0, *(b for _, b in pads), *(0,) * rest)
    x = p.pad(build, x, zero, low=low, high=high, interior=(0,) * x.type.rank)
    batch, *spatial = x.type.shape[: count + 1]
    tail = x.type.shape[count + 1 :]
    for d, b in zip(spatial, block, strict=True):
        if d % b:
            raise invalid(build, f"padded_shape={d} is not divisible by block_shape={b}")
    split = [batch]
    for d, b in zip(spatial, block, strict=True):
        split += [d // b, b]
    x = p.reshape(build, x, shape=(*split, *tail))
    inner = [2 * i + 2 for i in range(count)]
    outer = [2 * i + 1 for i in range(count)]
    perm = (*inner, 0, *outer, *range(2 * count + 1, 2 * count + 1 + rest))
    x = p.transpose(build, x, perm=perm)
    total = batch * int(np.prod(block, dtype=np.int64))
    return p.reshape(
        build, x, shape=(total, *(d // b for d, b in zip(spatial, block, strict=True)), *tail)
    )


def _from_batch(build: Any, x: Value, block: Sequence[int], crops: Sequence[Any]) -> Value:
    count = len(block)
    total, *spatial = x.type.shape[: count + 1]
    tail = x.type.shape[count + 1 :]
    each = int(np.prod(block, dtype=np.int64))
    if total % each:
        raise invalid(
            build,
            f"Input batch dimension ({total}) is not divisible by product of block sizes ({each})",
        )
    x = p.reshape(build, x, shape=(*block, total // each, *spatial, *tail))
    perm = [count]
    for i in range(count):
        perm += [count + 1 + i, i]
    perm += list(range(2 * count + 1, x.type.rank))
    x = p.transpose(build, x, perm=tuple(perm))
    wide = [d * b for d, b in zip(spatial, block, strict=True)]
    x = p.reshape(build, x, shape=(total // each, *wide, *tail))
    start = (0, *(a for a, _ in crops), *(0,) * len(tail))
    ends = [d - b for d, (_, b) in zip(wide, crops, strict=True)]
    return p.slice(
        build, x, start=start, limit=(total // each, *ends, *tail), stride=(1,) * x.type.rank
    )


def _batch_shape(
    input: TensorShape, block: list[int] | None, pairs: np.ndarray | None, to_batch: bool
) -> list[TensorShape]:
    if block is None:
        return [s.unknown(input.ndims)]
    dims = s.with_rank_at_least(input, len(block) + 1)
    if any(b < 1 for b in block):
        raise ValueError("block_shape must be positive")
    if pairs is not None:
        s.merge_dims(list(pairs.shape), [len(block), 2])
        if (np.asarray(pairs) < 0).any():
            raise ValueError(f"{'paddings' if to_batch else 'crops'} cannot be negative")
    if dims is None:
        return [s.unknown()]
    each = int(np.prod(block, dtype=np.int64))
    out = list(dims)
    if dims[0] is not None:
        out[0] = dims[0] * each if to_batch else _divided(dims[0], each)
    for i, b in enumerate(block):
        d, ends = dims[i + 1], None if pairs is None else int(pairs[i].sum())
        if d is None or ends is None:
            out[i + 1] = None
        else:
            out[i + 1] = _divided(d + ends, b) if to_batch else d * b - ends
    return [s.shape_of(out)]


class SpaceToBatchND(
    OpDef,
    sig="SpaceToBatchND(input: T, block_shape: Tblock_shape, paddings: Tpaddings, "
    "Tblock_shape: type = int32, Tpaddings: type = int32) -> output: T",
    T=dtypes.NUMBERS + ("i1",),
    Tblock_shape=INDEX,
    Tpaddings=INDEX,
):
    """Blocks of the spatial axes, after padding with zeros, as further batches."""

    def shape(
        input: TensorShape, block: TensorShape, paddings: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        return _batch_shape(input, s.static_ints(op, 1), s.static_input(op, 2), True)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("BatchToSpaceND", dy, op.inputs[1], op.inputs[2]), None, None]

    def lower(build: Any, input: Value, block: Value, paddings: Value) -> Value:
        return _to_batch(build, input, *_static_blocks(build, block, paddings))


class BatchToSpaceND(
    OpDef,
    sig="BatchToSpaceND(input: T, block_shape: Tblock_shape, crops: Tcrops, "
    "Tblock_shape: type = int32, Tcrops: type = int32) -> output: T",
    T=dtypes.NUMBERS + ("i1",),
    Tblock_shape=INDEX,
    Tcrops=INDEX,
):
    """Batches as blocks of the spatial axes, which are then cropped."""

    def shape(
        input: TensorShape, block: TensorShape, crops: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        return _batch_shape(input, s.static_ints(op, 1), s.static_input(op, 2), False)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("SpaceToBatchND", dy, op.inputs[1], op.inputs[2]), None, None]

    def lower(build: Any, input: Value, block: Value, crops: Value) -> Value:
        return _from_batch(build, input, *_static_blocks(build, block, crops))


def space_to_depth(
    input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC"
) -> Tensor:
    """Blocks of [block_size, block_size] pixels as channels of one."""
    return apply("SpaceToDepth", input, block_size=block_size, data_format=data_format, name=name)


def depth_to_space(
    input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC"
) -> Tensor:
    """Channels as blocks of [block_size, block_size] pixels."""
    return apply("DepthToSpace", input, block_size=block_size, data_format=data_format, name=name)


def space_to_batch_nd(
    input: Any, block_shape: Any, paddings: Any, name: str | None = None
) -> Tensor:
    """Blocks of the spatial axes, after padding with zeros, as further batches."""
    return apply("SpaceToBatchND", input, block_shape, paddings, name=name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """Batches as blocks of the spatial axes, which are then cropped."""
    return apply("BatchToSpaceND", input, block_shape, crops, name=name)


def space_to_batch(
    input: Any,
    paddings: Any,
    block_size: int | None = None,
    name: str | None = None,
    block_shape: Any = None,
) -> Tensor:
    """`space_to_batch_nd` over two spatial axes with square blocks."""
    if block_shape is not None:
        return space_to_batch_nd(input, block_shape, paddings, name=name)
    result = space_to_batch_nd(input, [block_size, block_size], paddings, name=name)
    result.set_shape(result.get_shape().with_rank(4))
    return result


def batch_to_space(
    input: Any,
    crops: Any,
    block_size: int,
    name: str | None = None,
    block_shape: Any = None,
) -> Tensor:
    """`batch_to_space_nd` over two spatial axes with square blocks."""
    if block_shape is not None:
        return batch_to_space_nd(input, block_shape, crops, name=name)
    result = batch_to_space_nd(input, [block_size, block_size], crops, name=name)
    result.set_shape(result.get_shape().with_rank(4))
    return result


def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(paddings, crops), both [n, 2]: the least padding at the end that makes every block fit, on
    top of `base_paddings`, and the crops that take it away again.

    Constants where the arguments are known.
    """
    with name_scope(name, "required_space_to_batch_paddings", [input_shape, block_shape]):
        extents = convert_to_tensor(input_shape, dtype=dtypes.int32, name="input_shape")
        blocks = convert_to_tensor(block_shape, dtype=dtypes.int32, name="block_shape")
        blocks.get_shape().assert_is_fully_defined()
        blocks.get_shape().assert_has_rank(1)
        count = blocks.get_shape().as_list()[0]
        if count == 0:
            return zeros([0, 2], dtypes.int32), zeros([0, 2], dtypes.int32)
        extents.get_shape().assert_is_compatible_with([count])
        if base_paddings is None:
            base = convert_to_tensor(np.zeros((count, 2), np.int32))
        else:
            base = convert_to_tensor(base_paddings, dtype=dtypes.int32, name="base_paddings")
            base.get_shape().assert_is_compatible_with([count, 2])
        size, block, pads = (constant_value(t) for t in (extents, blocks, base))
        if size is not None and block is not None and pads is not None:
            more = -(size + pads.sum(axis=1)) % block
            padded = np.stack([pads[:, 0], pads[:, 1] + more], axis=1)
            cropped = np.stack([np.zeros_like(more), more], axis=1)
            return (
                constant(padded, dtype=dtypes.int32, name="paddings"),
                constant(cropped, dtype=dtypes.int32, name="crops"),
            )
        first, last = base[:, 0], base[:, 1]
        extra = (blocks - (extents + first + last) % blocks) % blocks
        paddings = stack([first, last + extra], axis=1, name="paddings")
        return paddings, stack([zeros_like(extra), extra], axis=1, name="crops")
