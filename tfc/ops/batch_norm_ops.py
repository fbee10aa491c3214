"""Batch normalisation with its statistics in one op, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.bias_ops import channel_axis
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import constant_of
from tfc.ops.lowering import invalid
from tfc.ops.reduction_ops import reduce_mean, reduce_sum
from tfc.ops.shape_ops import reshape
from tfc.ops.unary_api import rsqrt, square

_FACTOR = "exponential_avg_factor: float = 1.0"


_LAYOUT = ("data_format", "is_training", "exponential_avg_factor")


def _only(attrs: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: attrs[name] for name in names}


def _attrs(version: str, *more: str) -> str:
    layouts = "'NHWC', 'NCHW'" + (", 'NDHWC', 'NCDHW'" if version == "V3" else "")
    texts = ["epsilon: float = 0.0001", *more, f"data_format: {{{layouts}}} = 'NHWC'"]
    return ", ".join([*texts, "is_training: bool = True"])


MIN_EPSILON = 1.001e-5  # what TensorFlow's Python function raises a smaller epsilon to


def _sum(build: Any, x: Value, at: int) -> Value:
    return p.reduce(build, x, dims=tuple(i for i in range(x.type.rank) if i != at), kind="add")


def _count(x: Value, at: int) -> int:
    """How many elements a channel has."""
    return int(np.prod([d for i, d in enumerate(x.type.shape) if i != at]))


def _mean(build: Any, x: Value, at: int) -> Value:
    total = _sum(build, x, at)
    return p.div(build, total, p.full_like(build, total, _count(x, at)))


def _along(build: Any, vector: Value, like: Value, at: int) -> Value:
    """One number per channel, for every element."""
    return p.broadcast(build, vector, dims=(at,), shape=like.type.shape)


def _precise(build: Any, x: Value) -> Value:
    return p.convert(build, x, dtype="f32") if x.type.dtype in ("f16", "bf16") else x


def _inverse_deviation(build: Any, variance: Value, epsilon: float) -> Value:
    return p.rsqrt(build, p.add(build, variance, p.full_like(build, variance, epsilon)))


def _forward_shape(
    x: TensorShape,
    *vectors: TensorShape,
    data_format: str,
    is_training: bool,
    exponential_avg_factor: float,
) -> list[TensorShape]:
    dims = s.with_rank(x, len(data_format))
    at = channel_axis(data_format, len(dims))
    given = vectors[:2] if is_training and exponential_avg_factor == 1.0 else vectors
    for vector in given:
        dims[at] = s.merge_dim(dims[at], s.with_rank(vector, 1)[0])
    return [s.shape_of(dims), *[s.shape_of([dims[at]])] * 4]


def _statistics(
    build: Any, x: Value, at: int, old: tuple[Value, Value], factor: float
) -> tuple[Value, Value, Value, Value]:
    """Mean and variance of each channel, and their averages with the `old` ones."""
    mean = _mean(build, x, at)
    centered = p.sub(build, x, _along(build, mean, x, at))
    variance = _mean(build, p.mul(build, centered, centered), at)
    # the moving average is of the unbiased estimate, the normalisation is not
    count = _count(x, at)
    unbiased = p.full_like(build, variance, count / max(count - 1, 1))
    shown = [mean, p.mul(build, variance, unbiased)]
    if factor != 1.0:
        for i, before in enumerate(old):
            kept = p.mul(build, before, p.full_like(build, before, 1.0 - factor))
            new = p.mul(build, shown[i], p.full_like(build, before, factor))
            shown[i] = p.add(build, kept, new)
    return mean, variance, shown[0], shown[1]


def _check_vectors(build: Any, channels: int, vectors: dict[str, Value]) -> None:
    for name, vector in vectors.items():
        if vector.type.shape != (channels,):
            raise invalid(
                build,
                f"{name} must have the same number of elements as the channels of x, got "
                f"{s.text(vector.type.shape)} and {channels}",
            )


def _forward(
    build: Any,
    x: Value,
    scale: Value,
    offset: Value,
    mean: Value,
    variance: Value,
    *,
    epsilon: float,
    data_format: str,
    is_training: bool,
    exponential_avg_factor: float,
) -> tuple[Value, ...]:
    at = channel_axis(data_format, x.type.rank)
    _check_vectors(build, x.type.shape[at], {"scale": scale, "offset": offset})
    if not is_training or exponential_avg_factor != 1.0:
        given = {"mean": mean, "variance": variance}
        _check_vectors(build, x.type.shape[at], given)
    wide = _precise(build, x)
    if x.type.size == 0:  # TensorFlow shows that there are no statistics, and keeps none
        unknown, none = (p.full_like(build, scale, n) for n in (np.nan, 0.0))
        return x, unknown, unknown, none, none
    shown = (mean, variance)
    if is_training:
        mean, variance, *shown = _statistics(  # type: ignore[assignment]
            build, wide, at, shown, exponential_avg_factor
        )
    centered = p.sub(build, wide, _along(build, mean, wide, at))
    slope = p.mul(build, _inverse_deviation(build, variance, epsilon), scale)
    y = p.mul(build, centered, _along(build, slope, wide, at))
    y = p.add(build, y, _along(build, offset, wide, at))
    if y.type.dtype != x.type.dtype:
        y = p.convert(build, y, dtype=x.type.dtype)
    return y, *shown, mean, variance


def _gradient(
    build: Any,
    dy: Value,
    x: Value,
    scale: Value,
    mean: Value,
    variance: Value,
    *,
    epsilon: float,
    data_format: str,
    is_training: bool,
) -> tuple[Value, ...]:
    at, given = channel_axis(data_format, x.type.rank), x.type.dtype
    if dy.type.shape != x.type.shape:
        raise invalid(
            build,
            "x and y_backprop must have same shape, but x has shape "
            f"{s.text(x.type.shape)} and y_backprop has shape {s.text(dy.type.shape)}",
        )
    vectors = {"scale": scale, "reserve_space_1": mean, "reserve_space_2": variance}
    _check_vectors(build, x.type.shape[at], vectors)
    dy, x = _precise(build, dy), _precise(build, x)
    inverse = _inverse_deviation(build, variance, epsilon)
    centered = p.sub(build, x, _along(build, mean, x, at))
    d_offset = _sum(build, dy, at)
    d_scale = p.mul(build, _sum(build, p.mul(build, dy, centered), at), inverse)
    if is_training:
        share = p.full_like(build, d_offset, max(_count(x, at), 1))
        middle = p.div(build, d_offset, share)
        tilt = p.div(build, p.mul(build, d_scale, inverse), share)
        straight = p.sub(build, dy, _along(build, middle, x, at))
        dy = p.sub(build, straight, p.mul(build, centered, _along(build, tilt, x, at)))
    dx = p.mul(build, dy, _along(build, p.mul(build, scale, inverse), x, at))
    if dx.type.dtype != given:
        dx = p.convert(build, dx, dtype=given)
    none = p.constant(build, np.zeros(0, dtypes.numpy_dtype(scale.type.dtype)))
    return dx, d_scale, d_offset, none, none


def _backward_shape(
    dy: TensorShape, x: TensorShape, *vectors: TensorShape, data_format: str
) -> list[TensorShape]:
    rank = len(data_format)
    dims = s.merge_dims(s.with_rank(dy, rank), s.with_rank(x, rank)) or []
    at = channel_axis(data_format, rank)
    for vector in vectors[:3]:
        dims[at] = s.merge_dim(dims[at], s.with_rank(vector, 1)[0])
    one = s.shape_of([dims[at]])
    return [s.shape_of(dims), one, one, s.shape_of([0]), s.shape_of([0])]


def _second_gradient(op: Any, dx: Tensor, d_scale: Tensor, d_offset: Tensor, *_: Any) -> list[Any]:
    """The gradient of a normalisation's gradient, made of ops that have gradients themselves.

    dx, d_scale and d_offset are gradients of what the op gives. The statistics of a batch are
    computed from it again, since they are as much functions of it as the rest.
    """
    dy, x, scale, mean, variance = op.inputs[:5]
    layout, given = op.attr("data_format"), x.dtype
    first = layout.startswith("NC")
    axes = [0, *range(2, len(layout))] if first else list(range(len(layout) - 1))
    wide = [cast(t, dtypes.float32) for t in (dy, x, dx)]

    def along(vector: Tensor) -> Tensor:
        return reshape(vector, [1, -1, *[1] * (len(layout) - 2)]) if first else vector

    def average(t: Tensor) -> Tensor:
        return reduce_mean(t, axes, keepdims=True)

    dy, x, dx = wide
    training = op.attr("is_training")
    if training:
        centered = x - average(x)
        inverse = rsqrt(average(square(centered)) + op.attr("epsilon"))
    else:
        centered, inverse = x - along(mean), along(rsqrt(variance + op.attr("epsilon")))
    unit, slope = centered * inverse, along(scale) * inverse
    if not training:
        for_scale = reduce_sum(dx * dy * inverse, axes)
        for_dy = dx * slope + unit * along(d_scale) + along(d_offset)
        for_x = along(d_scale) * inverse * dy
    else:
        a, b = average(dx * unit), average(dy * unit)
        rest_dx = dx - average(dx) - unit * a
        rest_dy = dy - average(dy) - unit * b
        for_scale = reduce_sum(dx * rest_dy * inverse, axes)
        for_dy = slope * rest_dx + unit * along(d_scale) + along(d_offset)
        spread = unit * average(dx * rest_dy) + b * rest_dx + a * rest_dy
        for_x = along(d_scale) * inverse * rest_dy - slope * inverse * spread
    return [cast(for_dy, given), cast(for_x, given), for_scale] + [None] * (len(op.inputs) - 3)


def _gradient_rule(version: str) -> Any:
    """The gradient of the forward op of a version."""

    def grad(op: Any, dy: Tensor, *_: Any) -> list[Any]:
        x, scale = op.inputs[:2]
        attrs = {name: op.attr(name) for name in ("epsilon", "data_format", "is_training")}
        kept = list(op.outputs[3:] if attrs["is_training"] else op.inputs[3:5])
        if version == "V3" and not attrs["is_training"]:
            kept.append(op.outputs[5])
        found = apply(f"FusedBatchNormGrad{version}", dy, x, scale, *kept, **attrs)
        return [*found[:3], None, None]

    return grad


def _define(version: str, kinds: dict[str, Any]) -> None:
    """The forward op and its gradient; the third version has one more, unused, output."""
    u = "U" if version else "T"
    name, third = f"FusedBatchNorm{version}", version == "V3"

    class Forward(
        OpDef,
        sig=f"{name}(x: T, scale: {u}, offset: {u}, mean: {u}, variance: {u}, "
        f"{_attrs(version, _FACTOR)}) -> y: T, batch_mean: {u}, batch_variance: {u}, "
        f"reserve_space_1: {u}, reserve_space_2: {u}" + (f", reserve_space_3: {u}" * third),
        **kinds,
    ):
        """`x` normalised over all axes but the channels, scaled and moved; and its statistics."""

        grad = _gradient_rule(version)

        def shape(*shapes: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _forward_shape(*shapes, **_only(attrs, _LAYOUT)) + [s.unknown()] * third

        def lower(build: Any, *values: Value, **attrs: Any) -> tuple[Value, ...]:
            found = _forward(build, *values, **_only(attrs, ("epsilon", *_LAYOUT)))
            return (*found, p.constant(build, 0.0, values[1].type.dtype)) if third else found

    class Backward(
        OpDef,
        sig=f"FusedBatchNormGrad{version}(y_backprop: T, x: T, scale: {u}, reserve_space_1: {u}, "
        f"reserve_space_2: {u}, "
        + (f"reserve_space_3: {u}, " * third)
        + f"{_attrs(version)}) -> x_backprop: T, scale_backprop: {u}, "
        f"offset_backprop: {u}, reserve_space_4: {u}, reserve_space_5: {u}",
        **kinds,
    ):
        """The gradient of the op of the same version."""

        shape, grad = _backward_shape, _second_gradient

        def lower(build: Any, *values: Value, **attrs: Any) -> tuple[Value, ...]:
            return _gradient(build, *values[:5], **_only(attrs, ("epsilon", *_LAYOUT[:2])))


_define("", {"T": ("f32",)})
_define("V2", {"T": ("f16", "bf16", "f32"), "U": ("f32",)})
_define("V3", {"T": ("f16", "bf16", "f32"), "U": ("f32",)})


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
    exponential_avg_factor: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """(normalised images, mean, variance) of images [batch, height, width, channels], or volumes.

    With is_training `x` is normalised with its own statistics, and what is given back are those
    (the variance unbiased), or their share `exponential_avg_factor` beside that of `mean` and
    `variance`; else `mean` and `variance` are used. Of an empty `x` they are NaN.

    Raises:
      ValueError: `mean` or `variance` are missing where they are needed.
    """
    if (mean is None or variance is None) and (not is_training or exponential_avg_factor != 1.0):
        raise ValueError(
            "Both `mean` and `variance` must be a 1D tensor when `is_training` is False or "
            f"`exponential_avg_factor` != 1.0. Received: `mean` {mean!r} and `variance` "
            f"{variance!r}"
        )
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    if mean is None:
        mean = constant_of(np.zeros(0, np.float32))
    if variance is None:
        variance = constant_of(np.zeros(0, np.float32))
    y, batch_mean, batch_variance, *_ = apply(
        "FusedBatchNormV3",
        x,
        scale,
        offset,
        mean,
        variance,
        epsilon=max(epsilon, MIN_EPSILON),
        data_format=data_format,
        is_training=is_training,
        exponential_avg_factor=exponential_avg_factor,
        name=name,
    )
    return y, batch_mean, batch_variance
