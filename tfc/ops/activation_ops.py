"""Activations of neural networks: Relu and its family, Softmax and LogSoftmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.const_ops import zeros
from tfc.ops.shape_ops import shape

FLOATS, REALS = dtypes.FLOATS, dtypes.REALS
SELU_SCALE = 1.0507009873554804934193349852946
SELU_SCALE_ALPHA = 1.7580993408473768599402175208123


def _same(features: TensorShape) -> list[TensorShape]:
    return [features]


def _both(gradients: TensorShape, features: TensorShape) -> list[TensorShape]:
    return [s.shape_of(s.merge_dims(s.dims_of(gradients), s.dims_of(features)))]


def _where(condition: Tensor, a: Tensor) -> Tensor:
    """`a` where `condition` is true, else zeros."""
    return apply("Select", condition, a, zeros(shape(a), dtype=a.dtype))


class Relu(OpDef, sig="Relu(features: T) -> activations: T", T=REALS):
    """max(features, 0)."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("ReluGrad", dy, op.outputs[0])]

    def lower(build: Any, features: Value) -> Value:
        return p.max(build, features, p.full_like(build, features, 0))


class ReluGrad(OpDef, sig="ReluGrad(gradients: T, features: T) -> backprops: T", T=REALS):
    """`gradients` where `features` (the input or the output of Relu) is above 0."""

    shape = _both

    def grad(op: Any, dy: Tensor) -> list[Any]:
        x = op.inputs[1]
        return [apply("ReluGrad", dy, x), zeros(shape(x), dtype=x.dtype)]

    def lower(build: Any, gradients: Value, features: Value) -> Value:
        zero = p.full_like(build, features, 0)
        return p.select(build, p.gt(build, features, zero), gradients, zero)


class Relu6(OpDef, sig="Relu6(features: T) -> activations: T", T=REALS):
    """min(max(features, 0), 6)."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("Relu6Grad", dy, op.outputs[0])]

    def lower(build: Any, features: Value) -> Value:
        positive = p.max(build, features, p.full_like(build, features, 0))
        return p.min(build, positive, p.full_like(build, features, 6))


class Relu6Grad(OpDef, sig="Relu6Grad(gradients: T, features: T) -> backprops: T", T=REALS):
    """`gradients` where `features` is between 0 and 6."""

    shape = _both

    def grad(op: Any, dy: Tensor) -> list[Any]:
        x = op.inputs[1]
        return [apply("Relu6Grad", dy, x), zeros(shape(x), dtype=x.dtype)]

    def lower(build: Any, gradients: Value, features: Value) -> Value:
        zero = p.full_like(build, features, 0)
        above = p.gt(build, features, zero)
        below = p.lt(build, features, p.full_like(build, features, 6))
        return p.select(build, p.and_(build, above, below), gradients, zero)


class LeakyRelu(
    OpDef,
    sig="LeakyRelu(features: T, alpha: float = 0.2, T: type = float32) -> activations: T",
    T=FLOATS,
):
    """`features` where they are above 0, else alpha times them."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("LeakyReluGrad", dy, op.inputs[0], alpha=op.get_attr("alpha"))]

    def lower(build: Any, features: Value, *, alpha: float) -> Value:
        slope = p.mul(build, features, p.full_like(build, features, float(np.float32(alpha))))
        positive = p.gt(build, features, p.full_like(build, features, 0))
        return p.select(build, positive, features, slope)


class LeakyReluGrad(
    OpDef,
    sig="LeakyReluGrad(gradients: T, features: T, alpha: float = 0.2,"
    " T: type = float32) -> backprops: T",
    T=FLOATS,
):
    """`gradients` where `features` are above 0, else alpha times them."""

    shape = _both

    def grad(op: Any, dy: Tensor) -> list[Any]:
        x = op.inputs[1]
        return [
            apply("LeakyReluGrad", dy, x, alpha=op.get_attr("alpha")),
            zeros(shape(x), dtype=x.dtype),
        ]

    def lower(build: Any, gradients: Value, features: Value, *, alpha: float) -> Value:
        slope = p.mul(build, gradients, p.full_like(build, gradients, float(np.float32(alpha))))
        positive = p.gt(build, features, p.full_like(build, features, 0))
        return p.select(build, positive, gradients, slope)


class Elu(OpDef, sig="Elu(features: T) -> activations: T", T=FLOATS):
    """`features` where they are not negative, else exp(features) - 1."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("EluGrad", dy, op.outputs[0])]

    def lower(build: Any, features: Value) -> Value:
        negative = p.lt(build, features, p.full_like(build, features, 0))
        return p.select(build, negative, p.expm1(build, features), features)


class EluGrad(OpDef, sig="EluGrad(gradients: T, outputs: T) -> backprops: T", T=FLOATS):
    """gradients * (outputs + 1) where `outputs` is negative, else `gradients`."""

    shape = _both

    def grad(op: Any, dy: Tensor) -> list[Any]:
        y = op.inputs[1]
        return [apply("EluGrad", dy, y), _where(y < 0.0, dy * op.inputs[0])]

    def lower(build: Any, gradients: Value, outputs: Value) -> Value:
        negative = p.lt(build, outputs, p.full_like(build, outputs, 0))
        slope = p.add(build, outputs, p.full_like(build, outputs, 1))
        return p.select(build, negative, p.mul(build, gradients, slope), gradients)


class Selu(OpDef, sig="Selu(features: T) -> activations: T", T=FLOATS):
    """scale * features where they are not negative, else scale * alpha * (exp(features) - 1)."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("SeluGrad", dy, op.outputs[0])]

    def lower(build: Any, features: Value) -> Value:
        negative = p.lt(build, features, p.full_like(build, features, 0))
        curve = p.mul(
            build, p.full_like(build, features, SELU_SCALE_ALPHA), p.expm1(build, features)
        )
        line = p.mul(build, p.full_like(build, features, SELU_SCALE), features)
        return p.select(build, negative, curve, line)


class SeluGrad(OpDef, sig="SeluGrad(gradients: T, outputs: T) -> backprops: T", T=FLOATS):
    """The gradient of Selu, from its outputs."""

    shape = _both

    def grad(op: Any, dy: Tensor) -> list[Any]:
        y = op.inputs[1]
        return [apply("SeluGrad", dy, y), _where(y < 0.0, dy * op.inputs[0])]

    def lower(build: Any, gradients: Value, outputs: Value) -> Value:
        negative = p.lt(build, outputs, p.full_like(build, outputs, 0))
        slope = p.add(build, outputs, p.full_like(build, outputs, SELU_SCALE_ALPHA))
        line = p.mul(build, gradients, p.full_like(build, gradients, SELU_SCALE))
        return p.select(build, negative, p.mul(build, gradients, slope), line)


class Softplus(OpDef, sig="Softplus(features: T) -> activations: T", T=FLOATS):
    """log(1 + exp(features)), without overflow."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("SoftplusGrad", dy, op.inputs[0])]

    def lower(build: Any, features: Value) -> Value:
        # Beyond this distance from 0 the other term is below half an ulp: x, or exp(x), is exact.
        limit = math.log(_epsilon(features)) + 2.0
        exponential = p.exp(build, features)
        large = p.gt(build, features, p.full_like(build, features, -limit))
        small = p.lt(build, features, p.full_like(build, features, limit))
        middle = p.log1p(build, exponential)
        return p.select(build, large, features, p.select(build, small, exponential, middle))


def _epsilon(x: Value) -> float:
    return {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "f64": 2.0**-52}[x.type.dtype]


class SoftplusGrad(OpDef, sig="SoftplusGrad(gradients: T, features: T) -> backprops: T", T=FLOATS):
    """gradients / (1 + exp(-features))."""

    shape = _both

    def grad(op: Any, ddy: Tensor) -> list[Any]:
        dy, x = op.inputs
        return [
            apply("SoftplusGrad", ddy, x),
            ddy * dy / (apply("Exp", -x) + 2.0 + apply("Exp", x)),
        ]

    def lower(build: Any, gradients: Value, features: Value) -> Value:
        return p.mul(build, gradients, p.logistic(build, features))


class Softsign(OpDef, sig="Softsign(features: T) -> activations: T", T=FLOATS):
    """features / (|features| + 1)."""

    shape = _same

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("SoftsignGrad", dy, op.inputs[0])]

    def lower(build: Any, features: Value) -> Value:
        bottom = p.add(build, p.abs(build, features), p.full_like(build, features, 1))
        return p.div(build, features, bottom)


class SoftsignGrad(OpDef, sig="SoftsignGrad(gradients: T, features: T) -> backprops: T", T=FLOATS):
    """gradients / (|features| + 1) squared."""

    shape = _both

    def lower(build: Any, gradients: Value, features: Value) -> Value:
        bottom = p.add(build, p.abs(build, features), p.full_like(build, features, 1))
        return p.div(build, gradients, p.mul(build, bottom, bottom))


def shifted(build: Any, logits: Value) -> tuple[Value, Value, Value]:
    """(x - max x, exp of that, its sum) along the last axis; the largest becomes 0."""
    last = logits.type.rank - 1
    top = repeat_last(build, p.reduce(build, logits, dims=(last,), kind="max"), logits)
    moved = p.sub(build, logits, top)
    exponential = p.exp(build, moved)
    total = p.reduce(build, exponential, dims=(last,), kind="add")
    return moved, exponential, total


def repeat_last(build: Any, x: Value, like: Value) -> Value:
    """`x`, which lacks the last axis of `like`, repeated along it."""
    return p.broadcast(build, x, dims=tuple(range(x.type.rank)), shape=like.type.shape)


def _at_least_vector(logits: TensorShape) -> list[TensorShape]:
    s.with_rank_at_least(logits, 1)
    return [logits]


class Softmax(OpDef, sig="Softmax(logits: T) -> softmax: T", T=FLOATS):
    """exp(logits) times the reciprocal of its sum, as in TensorFlow, along the last axis."""

    shape = _at_least_vector

    def grad(op: Any, dy: Tensor) -> list[Any]:
        y = op.outputs[0]
        return [(dy - apply("Sum", dy * y, -1, keep_dims=True)) * y]

    def lower(build: Any, logits: Value) -> Value:
        _, exponential, total = shifted(build, logits)
        share = p.div(build, p.full_like(build, total, 1), total)
        return p.mul(build, exponential, repeat_last(build, share, logits))


class LogSoftmax(OpDef, sig="LogSoftmax(logits: T) -> logsoftmax: T", T=FLOATS):
    """The logarithm of Softmax, along the last axis."""

    shape = _at_least_vector

    def grad(op: Any, dy: Tensor) -> list[Any]:
        softmax = apply("Exp", op.outputs[0])
        return [dy - apply("Sum", dy, -1, keep_dims=True) * softmax]

    def lower(build: Any, logits: Value) -> Value:
        moved, _, total = shifted(build, logits)
        return p.sub(build, moved, repeat_last(build, p.log(build, total), logits))
