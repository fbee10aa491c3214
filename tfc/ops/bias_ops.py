"""BiasAdd, L2Loss, local response normalisation, top-k, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.gather_ops import gather, scatter_nd
from tfc.ops.join_ops import concat, stack
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import expand_dims, reshape, shape, size
from tfc.ops.split_ops import tile

FLOATS, NUMBERS, REALS = dtypes.FLOATS, dtypes.NUMBERS, dtypes.REALS


def channel_axis(data_format: str, rank: int) -> int:
    """The axis of the channels: the last of NHWC and its kin, the second of NCHW."""
    return 1 if data_format.startswith("NC") else rank - 1


def _bias_shape(value: TensorShape, bias: TensorShape, data_format: str) -> list[TensorShape]:
    dims = s.with_rank_at_least(value, 3 if data_format == "NCHW" else 2)
    count = s.with_rank(bias, 1)[0]
    if dims is None:
        return [value]
    at = channel_axis(data_format, len(dims))
    dims[at] = s.merge_dim(dims[at], count)
    return [s.shape_of(dims)]


def _bias_shape_rule(
    value: TensorShape, bias: TensorShape, *, data_format: str = "NHWC"
) -> list[TensorShape]:
    return _bias_shape(value, bias, data_format)


def _bias_lower(build: Any, value: Value, bias: Value, *, data_format: str = "NHWC") -> Value:
    dims = value.type.shape
    if len(dims) < 2:
        raise invalid(build, f"Input tensor must be at least 2D: {s.text(dims)}")
    at = channel_axis(data_format, len(dims))
    if bias.type.shape != (dims[at],):
        raise invalid(
            build,
            "Must provide as many biases as the last dimension of the input tensor: "
            f"{s.text(bias.type.shape)} vs. {s.text(dims)}",
        )
    return p.add(build, value, p.broadcast(build, bias, dims=(at,), shape=dims))


class BiasAdd(
    OpDef,
    sig="BiasAdd(value: T, bias: T, data_format: {'NHWC', 'NCHW'} = 'NHWC') -> output: T",
    T=NUMBERS,
):
    """`value` plus `bias`, one number for each channel."""

    shape = _bias_shape_rule
    lower = _bias_lower

    def grad(op: Any, dy: Tensor) -> list[Any]:
        kind = op.attr("data_format")
        return [dy, apply("BiasAddGrad", dy, data_format=kind)]


class BiasAddV1(OpDef, sig="BiasAddV1(value: T, bias: T) -> output: T", T=NUMBERS):
    """`value` plus `bias`, one number for each element of the last axis."""

    shape = _bias_shape_rule
    lower = _bias_lower

    def grad(op: Any, dy: Tensor) -> list[Any]:
        axes = apply("Range", 0, apply("Rank", dy) - 1, 1)
        return [dy, apply("Sum", dy, axes)]


class BiasAddGrad(
    OpDef,
    sig="BiasAddGrad(out_backprop: T, data_format: {'NHWC', 'NCHW'} = 'NHWC') -> output: T",
    T=NUMBERS,
):
    """The sum over every axis but that of the channels."""

    def shape(out_backprop: TensorShape, *, data_format: str) -> list[TensorShape]:
        dims = s.with_rank_at_least(out_backprop, 3 if data_format == "NCHW" else 2)
        if dims is None:
            return [s.unknown(1)]
        return [s.shape_of([dims[channel_axis(data_format, len(dims))]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        whole, bias = shape(op.inputs[0]), shape(dy)
        rank = op.inputs[0].get_shape().ndims
        if op.attr("data_format") == "NCHW":
            after = [1] * (rank - 2) if rank is not None else apply("OnesLike", whole[2:])
            wide = concat([[1], bias, after], 0)
            times = concat([whole[:1], [1], whole[2:]], 0)
        else:
            wide = concat([apply("OnesLike", whole[:-1]), bias], 0)
            times = concat([whole[:-1], [1]], 0)
        return [tile(reshape(dy, wide), times)]

    def lower(build: Any, out_backprop: Value, *, data_format: str) -> Value:
        rank = out_backprop.type.rank
        at = channel_axis(data_format, rank)
        dims = tuple(i for i in range(rank) if i != at)
        return p.reduce(build, out_backprop, dims=dims, kind="add")


class L2Loss(OpDef, sig="L2Loss(t: T) -> output: T", T=FLOATS):
    """Half the sum of the squares."""

    def shape(t: TensorShape) -> list[TensorShape]:
        return [s.shape_of([])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [op.inputs[0] * dy]

    def lower(build: Any, t: Value) -> Value:
        total = p.reduce(build, p.mul(build, t, t), dims=tuple(range(t.type.rank)), kind="add")
        return p.mul(build, total, p.full_like(build, total, 0.5))


def _norm_base(build: Any, x: Value, radius: int, bias: float, alpha: float) -> Value:
    """bias + alpha * (sum of squares over the neighbouring channels)."""
    rank = x.type.rank
    ones, none = (1,) * rank, ((0, 0),) * (rank - 1)
    total = p.reduce_window(
        build,
        p.mul(build, x, x),
        window=(*ones[1:], 2 * radius + 1),
        strides=ones,
        dilations=ones,
        padding=(*none, (radius, radius)),
        kind="add",
    )
    scaled = p.mul(build, total, p.full_like(build, x, alpha))
    return p.add(build, scaled, p.full_like(build, x, bias))


def _over_power(build: Any, x: Value, base: Value, beta: float) -> Value:
    """x / base ** beta. The powers that networks have are square roots of square roots: three
    roundings more at most, at half the time of a power or less."""
    if beta == 1.0:
        return p.div(build, x, base)
    if beta in (0.5, 0.75):
        root = p.sqrt(build, base)
        if beta == 0.75:
            root = p.mul(build, root, p.sqrt(build, root))
        return p.div(build, x, root)
    return p.mul(build, x, p.pow(build, base, p.full_like(build, base, -beta)))


_LRN_ATTRS = "depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5"


class LRN(
    OpDef,
    sig=f"LRN(input: T, {_LRN_ATTRS}, T: type = float32) -> output: T",
    T=("f16", "bf16", "f32"),
):
    """Local response normalisation: each channel over a power of its neighbours' squares."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(input, 4))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        names = ("depth_radius", "bias", "alpha", "beta")
        attrs = {name: op.attr(name) for name in names}
        return [apply("LRNGrad", dy, op.inputs[0], op.outputs[0], **attrs)]

    def lower(
        build: Any, input: Value, *, depth_radius: int, bias: float, alpha: float, beta: float
    ) -> Value:
        base = _norm_base(build, input, depth_radius, bias, alpha)
        return _over_power(build, input, base, beta)


class LRNGrad(
    OpDef,
    sig=f"LRNGrad(input_grads: T, input_image: T, output_image: T, {_LRN_ATTRS},"
    " T: type = float32) -> output: T",
    T=("f16", "bf16", "f32"),
):
    """The gradient of LRN."""

    def shape(
        input_grads: TensorShape, input_image: TensorShape, output_image: TensorShape
    ) -> list[TensorShape]:
        dims = s.merge_dims(s.with_rank(input_grads, 4), s.with_rank(input_image, 4))
        return [s.shape_of(s.merge_dims(dims, s.with_rank(output_image, 4)))]

    def lower(
        build: Any,
        dy: Value,
        x: Value,
        y: Value,
        *,
        depth_radius: int,
        bias: float,
        alpha: float,
        beta: float,
    ) -> Value:
        base = _norm_base(build, x, depth_radius, bias, alpha)
        direct = _over_power(build, dy, base, beta)
        share = p.div(build, p.mul(build, dy, y), base)
        ones, none = (1,) * x.type.rank, ((0, 0),) * (x.type.rank - 1)
        around = p.reduce_window(
            build,
            share,
            window=(*ones[1:], 2 * depth_radius + 1),
            strides=ones,
            dilations=ones,
            padding=(*none, (depth_radius, depth_radius)),
            kind="add",
        )
        factor = p.full_like(build, x, -2.0 * alpha * beta)
        return p.add(build, direct, p.mul(build, p.mul(build, factor, x), around))


def _top_shape(input: TensorShape, count: int | None) -> list[TensorShape]:
    dims = s.with_rank_at_least(input, 1)
    if dims is None:
        return [s.unknown(), s.unknown()]
    if count is not None and dims[-1] is not None and dims[-1] < count:
        raise ValueError(f"input must have last dimension >= k = {count} but is {dims[-1]}")
    return [s.shape_of([*dims[:-1], count])] * 2


def _lower_top(build: Any, input: Value, count: int) -> tuple[Value, Value]:
    dims = input.type.shape
    if not dims or dims[-1] < count:
        raise invalid(
            build,
            f"input must have at least k columns. Had {dims[-1] if dims else 0}, needed {count}",
        )
    if count < 0:
        raise invalid(build, f"Need k >= 0, got {count}")
    last = len(dims) - 1
    counter = p.iota(build, dtype="i32", shape=dims, dim=last)
    first = p.sort(build, input, counter, dim=last, descending=True, num_keys=1, limit=count)
    return first[0], first[1]


def _top_grad(op: Any, dy: Tensor) -> Tensor:
    """`dy` at the places of the largest elements, zeros elsewhere."""
    whole, taken = shape(op.inputs[0]), shape(op.outputs[1])
    columns = gather(taken, size(taken) - 1)
    rows = reshape(op.outputs[1], stack([-1, columns]))
    width = gather(whole, size(whole) - 1)
    first = apply("Range", 0, shape(rows)[0] * width, width)
    flat = reshape(rows + expand_dims(first, -1), [-1, 1])
    total = reshape(apply("Prod", whole, [0]), [1])
    return reshape(scatter_nd(flat, reshape(dy, [-1]), total), whole)


class TopK(
    OpDef,
    sig="TopK(input: T, k: int, sorted: bool = True) -> values: T, indices: int32",
    T=REALS,
):
    """The k largest elements along the last axis and where they stood; ties: the first."""

    def shape(input: TensorShape, *, k: int) -> list[TensorShape]:
        return _top_shape(input, k)

    def grad(op: Any, dy: Tensor, _: Any) -> list[Any]:
        return [_top_grad(op, dy)]

    def lower(build: Any, input: Value, *, k: int) -> tuple[Value, Value]:
        return _lower_top(build, input, k)


class TopKV2(
    OpDef,
    sig="TopKV2(input: T, k: int32, sorted: bool = True) -> values: T, indices: int32",
    T=REALS,
):
    """The k largest elements along the last axis and where they stood; ties: the first."""

    def shape(input: TensorShape, k: TensorShape, *, op: Any) -> list[TensorShape]:
        s.with_rank(k, 0)
        return _top_shape(input, s.extent_given(op, 1))

    def grad(op: Any, dy: Tensor, _: Any) -> list[Any]:
        return [_top_grad(op, dy), None]

    def lower(build: Any, input: Value, k: Value) -> tuple[Value, Value]:
        return _lower_top(build, input, int(build.static(k)))


def _lower_in_top(build: Any, predictions: Value, targets: Value, count: Value) -> Value:
    """Whether fewer than `count` predictions are above that of the target, per row.

    A target that is out of range, or a row whose target's prediction is not finite, is not in.
    """
    rows, classes = predictions.type.shape
    column = p.reshape(build, targets, shape=(rows, 1))
    counter = p.iota(build, dtype=targets.type.dtype, shape=(rows, 1), dim=0)
    places = p.concat(build, counter, column, dim=1)
    own = p.gather(build, predictions, places, dims=(0, 1))
    wide = p.broadcast(build, own, dims=(0,), shape=(rows, classes))
    above = p.convert(build, p.gt(build, predictions, wide), dtype="i64")
    larger = p.reduce(build, above, dims=(1,), kind="add")
    limit = p.broadcast(build, p.convert(build, count, dtype="i64"), dims=(), shape=(rows,))
    low = p.ge(build, targets, p.full_like(build, targets, 0))
    high = p.lt(build, targets, p.full_like(build, targets, classes))
    finite = p.reduce(build, p.is_finite(build, predictions), dims=(1,), kind="and")
    fine = p.and_(build, p.and_(build, low, high), finite)
    return p.and_(build, fine, p.lt(build, larger, limit))


def _in_top_shape(predictions: TensorShape, targets: TensorShape) -> list[TensorShape]:
    rows = s.merge_dim(s.with_rank(predictions, 2)[0], s.with_rank(targets, 1)[0])
    return [s.shape_of([rows])]


class InTopK(
    OpDef,
    sig="InTopK(predictions: float32, targets: T, k: int, T: type = int32) -> precision: bool",
    T=INDEX,
):
    """Whether the target of each row is among its `k` largest predictions."""

    shape = _in_top_shape

    def lower(build: Any, predictions: Value, targets: Value, *, k: int) -> Value:
        return _lower_in_top(build, predictions, targets, p.constant(build, np.int64(k)))


class InTopKV2(
    OpDef,
    sig="InTopKV2(predictions: float32, targets: T, k: T, T: type = int32) -> precision: bool",
    T=INDEX,
):
    """Whether the target of each row is among its `k` largest predictions."""

    def shape(predictions: TensorShape, targets: TensorShape, k: TensorShape) -> list[TensorShape]:
        return _in_top_shape(predictions, targets)

    def lower(build: Any, predictions: Value, targets: Value, k: Value) -> Value:
        return _lower_in_top(build, predictions, targets, k)
