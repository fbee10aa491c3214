"""Reversing, rolling, sorting and repeating along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.axis_orders import swapped_with_last
from tfc.ops.cast_ops import cast
from tfc.ops.gather_ops import gather
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import invalid
from tfc.ops.nn_functions import top_k
from tfc.ops.shape_ops import expand_dims, reshape, shape, size, transpose


class ReverseV2(
    OpDef,
    sig="ReverseV2(tensor: T, axis: Tidx, Tidx: type = int32) -> output: T",
    T=ANY,
    Tidx=INDEX,
):
    """`tensor` with the axes in `axis` reversed."""

    def shape(tensor: TensorShape, axis: TensorShape, *, op: Any) -> list[TensorShape]:
        axes, dims = s.static_ints(op, 1), s.dims_of(tensor)
        s.with_rank(axis, 1)
        if axes is not None and dims is not None:
            _checked_axes(axes, len(dims))
        return [tensor]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("ReverseV2", dy, op.inputs[1]), None]

    def lower(build: Any, tensor: Value, axis: Value) -> Value:
        try:
            axes = _checked_axes([int(a) for a in build.static(axis)], tensor.type.rank)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        return p.reverse(build, tensor, dims=tuple(axes)) if axes else tensor

    host = by_lowering(lower)


def _checked_axes(axes: Sequence[int], rank: int) -> list[int]:
    found: list[int] = []
    for a in axes:
        if not -rank <= a < rank:
            raise ValueError(f"'axis'[{len(found)}] = {a} is out of valid range [0, {rank - 1}]")
        if a % rank in found:
            raise ValueError(f"axis {a % rank} specified more than once.")
        found.append(a % rank)
    return sorted(found)


class ReverseSequence(
    OpDef,
    sig="ReverseSequence(input: T, seq_lengths: Tlen, seq_dim: int, batch_dim: int = 0,"
    " Tlen: type = int64)"
    " -> output: T",
    T=ANY,
    Tlen=INDEX,
):
    """`input` with the first seq_lengths[b] elements along `seq_dim` of each batch b reversed."""

    def shape(
        input: TensorShape, seq_lengths: TensorShape, *, seq_dim: int, batch_dim: int
    ) -> list[TensorShape]:
        dims, rows = s.dims_of(input), s.with_rank(seq_lengths, 1)[0]
        if dims is None:
            return [s.unknown()]
        for what, at in (("batch_dim", batch_dim), ("seq_dim", seq_dim)):
            if at >= len(dims):
                raise ValueError(f"{what} must be < input rank: {at} vs. {len(dims)}")
        dims[batch_dim] = s.merge_dim(dims[batch_dim], rows)
        return [s.shape_of(dims)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("seq_dim", "batch_dim")}
        return [apply("ReverseSequence", dy, op.inputs[1], **attrs), None]

    def lower(
        build: Any, input: Value, seq_lengths: Value, *, seq_dim: int, batch_dim: int
    ) -> Value:
        dims, kind = input.type.shape, seq_lengths.type.dtype
        if seq_lengths.type.shape != (dims[batch_dim],):
            raise invalid(
                build,
                f"len(seq_lens) != input.dims({batch_dim}), "
                f"({seq_lengths.type.size} vs. {dims[batch_dim]})",
            )
        limit = p.full_like(build, seq_lengths, dims[seq_dim])
        low = p.ge(build, seq_lengths, p.full_like(build, seq_lengths, 0))
        ok = p.and_(build, low, p.le(build, seq_lengths, limit))
        build.assert_(
            ok, (seq_lengths,), message=f"seq_lens({{i}}) = {{0}} is not in [0, {dims[seq_dim]}]"
        )
        plane = (dims[batch_dim], dims[seq_dim])
        at = p.iota(build, dtype=kind, shape=plane, dim=1)
        lengths = p.broadcast(build, seq_lengths, dims=(0,), shape=plane)
        mirrored = p.sub(build, p.sub(build, lengths, at), p.full_like(build, at, 1))
        source = p.select(build, p.lt(build, at, lengths), mirrored, at)
        rows = p.iota(build, dtype=kind, shape=plane, dim=0)
        index = p.concat(
            build, *(p.reshape(build, v, shape=(*plane, 1)) for v in (rows, source)), dim=2
        )
        taken = p.gather(build, input, index, dims=(batch_dim, seq_dim))
        rest = [d for d in range(len(dims)) if d not in (batch_dim, seq_dim)]
        order = [batch_dim, seq_dim, *rest]
        return p.transpose(build, taken, perm=tuple(order.index(d) for d in range(len(dims))))

    host = by_lowering(lower)


class Roll(
    OpDef,
    sig="Roll(input: T, shift: Tshift, axis: Taxis) -> output: T",
    T=ANY,
    Tshift=INDEX,
    Taxis=INDEX,
):
    """`input` with elements moved by `shift` along `axis`; what leaves at an end enters again."""

    def shape(input: TensorShape, shift: TensorShape, axis: TensorShape) -> list[TensorShape]:
        s.with_rank_at_least(input, 1)
        s.merge_dims(
            s.with_rank_at_most(shift, 1),
            s.with_rank_at_most(axis, 1),
        )
        return [input]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("Roll", dy, -op.inputs[1], op.inputs[2]), None, None]

    def lower(build: Any, input: Value, shift: Value, axis: Value) -> Value:
        if not input.type.rank:
            raise invalid(build, "input must be 1-D or higher")
        shifts, axes = (build.static(v).ravel() for v in (shift, axis))
        for amount, at in zip(shifts, axes, strict=True):
            rank = input.type.rank
            if not -rank <= at < rank:
                raise invalid(build, f"axis {at} is out of range")
            d, at = input.type.shape[at], int(at) % rank
            amount = int(amount) % d if d else 0
            if amount:
                none, full = [0] * rank, list(input.type.shape)
                cut = d - amount
                start, limit = list(none), list(full)
                start[at] = limit[at] = cut
                ones = (1,) * rank
                tail = p.slice(build, input, start=tuple(start), limit=tuple(full), stride=ones)
                head = p.slice(build, input, start=tuple(none), limit=tuple(limit), stride=ones)
                input = p.concat(build, tail, head, dim=at)
        return input

    host = by_lowering(lower)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """`tensor` with the axes in `axis` reversed."""
    return apply("ReverseV2", tensor, axis, name=name)


reverse_v2 = reverse


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: int | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Tensor:
    """`input` with the first seq_lengths[b] elements along `seq_axis` of each batch reversed."""
    at = seq_dim if seq_axis is None else seq_axis
    batch = batch_dim if batch_axis is None else batch_axis
    if at is None:
        raise TypeError("Expected int for argument 'seq_dim' not None.")
    return apply("ReverseSequence", input, seq_lengths, seq_dim=at, batch_dim=batch or 0, name=name)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """`input` with elements moved by `shift` along `axis`, around the ends."""
    return apply("Roll", input, shift, axis, name=name)


def _sorted_last(values: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    """(sorted values, their former places) along the last axis."""
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(
            f"direction should be one of ASCENDING, DESCENDING. Received: direction={direction}"
        )
    dims = s.dims_of(values.get_shape())
    count: Any = dims[-1] if dims and dims[-1] is not None else shape(values)[-1]
    if direction == "DESCENDING":
        return top_k(values, count)
    turned, places = top_k(_turned(values), count)
    return _turned(turned), places


def _turned(values: Tensor) -> Tensor:
    """`values` in the opposite order, one to one: the least integer has no negative."""
    if values.dtype.is_unsigned:
        return values.dtype.max - values
    return -values - 1 if values.dtype.is_integer else -values


def _along_axis(values: Any, axis: int, direction: str, which: int, name: str | None) -> Tensor:
    with name_scope(name, "argsort" if which else "sort", [values]):
        values = convert_to_tensor(values, name="values")
        rank = values.get_shape().ndims
        if axis == -1 or (rank is not None and axis == rank - 1):
            return _sorted_last(values, direction)[which]
        if rank is not None and not -rank <= axis < rank:
            raise ValueError(f"slice index {axis} of dimension 0 out of bounds.")
        order = swapped_with_last(values, axis)
        return transpose(_sorted_last(transpose(values, order), direction)[which], order)


def sort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None
) -> Tensor:
    """`values` in order along `axis`."""
    return _along_axis(values, axis, direction, 0, name)


def argsort(
    values: Any,
    axis: int = -1,
    direction: str = "ASCENDING",
    stable: bool = False,
    name: str | None = None,
) -> Tensor:
    """Indices that put `values` in order along `axis`; equal elements keep their order."""
    return _along_axis(values, axis, direction, 1, name)


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """`input` with each element along `axis` (of all elements in a row, if None) repeated."""
    with name_scope(name, "Repeat", [input, repeats]):
        data = convert_to_tensor(input, name="input")
        times = cast(convert_to_tensor(repeats, name="repeats"), dtypes.int32)
        if axis is None:
            data, axis = reshape(data, [-1]), 0
        count = shape(data)[axis]
        known = constant_value(times)
        if known is not None and known.size == 1:
            each = int(known.ravel()[0])
            places = reshape(
                expand_dims(apply("Range", 0, count, 1), 1) + apply("Fill", [1, each], 0),
                [-1],
            )
            result = gather(data, places, axis=axis)
            dims = s.dims_of(data.get_shape())
            if dims is not None:
                dims[axis] = s.product([dims[axis], each])
                result.set_shape(dims)
            return result
        every = apply("BroadcastTo", times, expand_dims(count, 0))
        ends = apply("Cumsum", every, 0)
        # TensorFlow masks copies, and so never knows how many are left; a default that could be
        # replaced is not folded.
        total = apply("PlaceholderWithDefault", apply("Sum", every, [0]), shape=[])
        # place k of the result is of the first element whose last copy lies beyond k
        before = apply(
            "LessEqual", expand_dims(ends, 0), expand_dims(apply("Range", 0, total, 1), 1)
        )
        places = apply("Sum", cast(before, dtypes.int32), [1])
        return gather(data, places, axis=axis)


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool_, name: str | None = None
) -> Tensor:
    """mask[..., j] = j < lengths[...], for j below `maxlen` (the greatest length)."""
    with name_scope(name, "SequenceMask", [lengths, maxlen]):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            kind = lengths.dtype.base_dtype
            flat = reshape(lengths, [-1])
            maxlen = apply("Maximum", apply("Max", flat, [0]), convert_to_tensor(0, dtype=kind))
        else:
            maxlen = convert_to_tensor(maxlen)
            kind = maxlen.dtype.base_dtype
        if maxlen.get_shape().ndims not in (None, 0):
            raise ValueError("maxlen must be scalar for sequence_mask")
        row = apply(
            "Range",
            convert_to_tensor(0, dtype=kind),
            maxlen,
            convert_to_tensor(1, dtype=kind),
        )
        column = apply("Cast", expand_dims(lengths, -1), DstT=row.dtype.base_dtype)
        mask = apply("Less", row, column)
        wanted = dtypes.as_dtype(dtype)
        return mask if wanted == dtypes.bool_ else cast(mask, wanted)


def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """Coordinates of a grid: each vector repeated along the axes of the others.

    kwargs: `indexing`, "xy" (the default) puts the second vector along the first axis, "ij" keeps
    the order; and `name`.

    Raises:
      TypeError: another keyword. ValueError: another way of indexing.
    """
    indexing, name = kwargs.pop("indexing", "xy"), kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with name_scope(name, "meshgrid", list(args)):
        tensors = [convert_to_tensor(x) for x in args]
        count = len(tensors)
        lines = []
        for i, x in enumerate(tensors):
            lines.append(reshape(x, [1] * i + [-1] + [1] * (count - 1 - i)))
        extents = [size(x) for x in tensors]
        if indexing == "xy" and count > 1:
            lines[0] = reshape(lines[0], [1, -1] + [1] * (count - 2))
            lines[1] = reshape(lines[1], [-1, 1] + [1] * (count - 2))
            extents[0], extents[1] = extents[1], extents[0]
        # times ones, as TensorFlow does it, so that gradients are sums
        ones = apply("Fill", extents, cast(1, tensors[0].dtype.base_dtype))
        return [line * ones for line in lines]


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """For each batch, the rows of `params` that its row of `indices` names.

    Raises:
      ValueError: the rank of `indices` is unknown, or the batches are of different shapes.
    """
    indices = convert_to_tensor(indices, name="indices")
    rank = indices.get_shape().ndims
    if rank is None:
        raise ValueError("batch_gather does not allow indices with unknown shape.")
    last = rank - 1
    rows = gather(params, indices, axis=last, batch_dims=last, name=name or "BatchGather")
    if rows.get_shape().ndims is not None:
        rest = s.unknown(rows.get_shape().ndims - last)
        rows.set_shape(indices.get_shape()[:last].concatenate(rest))  # of params as of indices
    return rows


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape that tensors of these shapes broadcast to, as a tensor."""
    return apply("BroadcastArgs", shape_x, shape_y)


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The shape that tensors of these shapes broadcast to.

    Raises:
      ValueError: they do not broadcast.
    """
    try:
        return s.shape_of(s.broadcast_dims(s.dims_of(shape_x), s.dims_of(shape_y)))
    except ValueError:
        raise ValueError(f"Incompatible shapes for broadcasting: {shape_x} and {shape_y}") from None
