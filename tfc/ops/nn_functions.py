"""Functions of `tf.nn` that are written with other ops: softmax over any axis, dropout, moments,
batch normalisation and their kin. Names of the ops they add are TensorFlow's."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.errors import InvalidArgumentError
from tfc.framework.deprecation import either
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply, public_name
from tfc.framework.tensor_util import constant_value
from tfc.ops import reduction_ops
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import stop_gradient
from tfc.ops.join_ops import concat
from tfc.ops.matmul_ops import matmul
from tfc.ops.random_ops import random_uniform
from tfc.ops.shape_ops import shape, squeeze, transpose
from tfc.ops.unary_api import rsqrt, sigmoid, square

_HALF = (dtypes.float16, dtypes.bfloat16)


def _over_axis(op: str, logits: Any, axis: Any, dim: Any, name: str | None) -> Tensor:
    """`op`, which works along the last axis, along any; `dim` is an older name of `axis`."""
    axis = either("axis", axis, "dim", dim)
    axis = -1 if axis is None else axis
    logits = convert_to_tensor(logits, name="logits")
    rank = logits.get_shape().ndims
    if isinstance(axis, Tensor):
        known = constant_value(axis)
        if known is None:
            return _over_axis_of_run(op, logits, axis, name)
        axis = known
    if axis == -1 or (rank is not None and axis == rank - 1):
        return apply(op, logits, name=name)
    if rank is None:
        raise TypeError(f"{op} along an axis other than the last needs a tensor of known rank")
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            None,
            None,
            f"`dim` must be in the range [{-rank}, {rank}) where {rank} is the number of "
            f"dimensions in the input. Received: dim={axis}",
        )
    axis = operator.index(axis) % rank
    if axis == rank - 1:
        return apply(op, logits, name=name)
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    with name_scope(name, op, [logits]) as scope:
        result = transpose(apply(op, transpose(logits, order)), order, name=scope)
    result.set_shape(logits.get_shape())
    return result


def _over_axis_of_run(op: str, logits: Tensor, axis: Tensor, name: str | None) -> Tensor:
    """`op` along an axis that is known when it runs; InvalidArgumentError then if there is none."""
    rank = logits.get_shape().ndims
    if rank is None:
        raise TypeError(f"{op} along an axis of the run needs a tensor of known rank")
    places = np.arange(rank, dtype=axis.dtype.as_numpy_dtype)
    axis = apply("GatherV2", np.concatenate([places, places]), axis + rank, 0)
    last = apply("Fill", [rank], np.asarray(rank - 1, places.dtype))
    swapped = apply("Select", apply("Equal", places, axis), last, places)
    order = concat([swapped[:-1], apply("ExpandDims", axis, 0)], 0)
    moved = apply(op, transpose(logits, order))
    result = transpose(moved, order, name=name)
    result.set_shape(logits.get_shape())
    return result


def softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """exp(logits) over its sum along `axis` (the last).

    InvalidArgumentError: `axis` lies outside `logits`. TypeError: the rank is not known, and the
    axis is not the last.
    """
    return _over_axis("Softmax", logits, axis, dim, name)


def log_softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """The logarithm of `softmax`, without overflow; errors as there."""
    return _over_axis("LogSoftmax", logits, axis, dim, name)


def _unary(op: str, doc: str) -> Any:
    def function(features: Any, name: str | None = None) -> Tensor:
        return apply(op, features, name=name)

    function.__name__ = function.__qualname__ = public_name(op)
    function.__doc__ = doc
    return function


relu = _unary("Relu", "max(features, 0).")
elu = _unary("Elu", "`features` where they are not negative, else exp(features) - 1.")
selu = _unary("Selu", "The scaled exponential linear unit.")
softplus = _unary("Softplus", "log(1 + exp(features)).")
softsign = _unary("Softsign", "features / (|features| + 1).")


def relu6(features: Any, name: str | None = None) -> Tensor:
    """min(max(features, 0), 6)."""
    return apply("Relu6", features, name=name)


def leaky_relu(features: Any, alpha: Any = 0.2, name: str | None = None) -> Tensor:
    """`features` where they are above 0, else `alpha` times them; integers become float32.

    alpha: a number, or an array of one. TypeError: it is anything else.
    """
    with name_scope(name, "LeakyRelu", [features, alpha]) as scope:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = cast(features, dtypes.float32)
        if isinstance(alpha, np.ndarray):
            alpha = alpha.item()
        if not isinstance(alpha, numbers.Real):
            raise TypeError(f"Expected float for argument 'alpha' not {alpha!r}.")
        return apply("LeakyRelu", features, alpha=float(alpha), name=scope)


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """relu of [features, -features] joined along `axis`."""
    with name_scope(name, "CRelu", [features]) as scope:
        features = convert_to_tensor(features, name="features")
        return relu(concat([features, -features], axis, name=scope))


def swish(features: Any) -> Tensor:
    """features * sigmoid(features)."""
    with name_scope(None, "swish", [features]):
        features = convert_to_tensor(features, name="features")
        return features * sigmoid(features)


def bias_add(
    value: Any, bias: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """`value` plus `bias`, one number for each channel."""
    if data_format is not None:
        if not isinstance(data_format, str):
            raise ValueError(f"data_format must be a string, but got {data_format!r}")
        if data_format.startswith("NC"):
            data_format = "NCHW"
        elif data_format.startswith("N") and data_format.endswith("C"):
            data_format = "NHWC"
        else:
            raise ValueError("data_format must be of the form `N...C` or `NC...`")
    with name_scope(name, "BiasAdd", [value, bias]) as scope:
        value = convert_to_tensor(value, name="input")
        bias = convert_to_tensor(bias, dtype=value.dtype.base_dtype, name="bias")
        return apply("BiasAdd", value, bias, data_format=data_format or "NHWC", name=scope)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """x @ weights + biases."""
    with name_scope(name, "xw_plus_b", [x, weights, biases]) as scope:
        x, weights = convert_to_tensor(x, name="x"), convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return bias_add(matmul(x, weights), biases, name=scope)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """relu(x @ weights + biases)."""
    with name_scope(name, "relu_layer", [x, weights, biases]) as scope:
        x, weights = convert_to_tensor(x, name="x"), convert_to_tensor(weights, name="weights")
        biases = convert_to_tensor(biases, name="biases")
        return relu(bias_add(matmul(x, weights), biases), name=scope)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of the squares."""
    return apply("L2Loss", t, name=name)


def _keep_prob(keep_prob: Any, rate: Any) -> Any:
    """The share to keep, from whichever of the two was given."""
    if rate is not None and keep_prob is not None:
        raise ValueError("only one of `keep_prob` and `rate` may be given")
    if rate is None and keep_prob is None:
        raise ValueError("You must provide a rate to dropout.")
    if rate is not None:
        if isinstance(rate, numbers.Real) and not 0 <= float(rate) < 1:
            raise ValueError(
                f"rate must be a scalar tensor or a float in the range [0, 1), got {rate:g}"
            )
        return 1 - rate
    if isinstance(keep_prob, numbers.Real) and not 0 < float(keep_prob) <= 1:
        raise ValueError(
            "keep_prob must be a scalar tensor or a float in the range (0, 1], "
            f"got {float(keep_prob):g}"
        )
    return keep_prob


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """`x` with each element kept, and scaled by 1 / keep_prob, or set to 0.

    noise_shape: shape of the choices, broadcast over `x`.
    """
    keep_prob = _keep_prob(keep_prob, rate)
    with name_scope(name, "dropout", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_floating:
            raise ValueError(
                "x has to be a floating point tensor since it's going to be scaled. "
                f"Got a {x.dtype} tensor instead."
            )
        keep = convert_to_tensor(keep_prob, dtype=x.dtype.base_dtype, name="keep_prob")
        keep.get_shape().assert_is_compatible_with([])
        if constant_value(keep) == 1:
            return x
        noise = shape(x) if noise_shape is None else _noise_shape(x, noise_shape)
        # uniform in [keep_prob, 1 + keep_prob), so that its floor is 1 with probability keep_prob
        drawn = keep + random_uniform(noise, seed=seed, dtype=x.dtype.base_dtype)
        result = apply("RealDiv", x, keep, name="div") * apply("Floor", drawn)
        result.set_shape(x.get_shape())
        return result


def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    """The shape given, where None stands for the extent of `x`."""
    if isinstance(noise_shape, (list, tuple)) and None in noise_shape:
        known = x.get_shape().as_list()
        whole = shape(x)
        return [
            (known[i] if known[i] is not None else whole[i]) if n is None else n
            for i, n in enumerate(noise_shape)
        ]
    return noise_shape


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance (of the population) of `x` over `axes`. `shift` is not used."""
    keep = bool(keep_dims if keepdims is None else keepdims)
    with name_scope(name, "moments", [x, axes]):
        x = convert_to_tensor(x)
        half = x.dtype.base_dtype in _HALF
        y = cast(x, dtypes.float32) if half else x
        mean = reduction_ops.reduce_mean(y, axes, keepdims=True, name="mean")
        spread = apply("SquaredDifference", y, stop_gradient(mean))
        variance = reduction_ops.reduce_mean(spread, axes, keepdims=True, name="variance")
        if not keep:
            axes_list = moments_axes(axes)
            mean, variance = squeeze(mean, axes_list), squeeze(variance, axes_list)
        if half:
            kind = x.dtype.base_dtype
            return cast(mean, kind), cast(variance, kind)
        return mean, variance


def moments_axes(axes: Any) -> list[int] | None:
    """The axes of moments as numbers; None, which is all of them, stays None.

    Raises:
      ValueError: they are not known.
    """
    if axes is None:
        return None
    value = constant_value(axes) if isinstance(axes, Tensor) else axes
    if value is None:
        raise ValueError("tf.nn.moments needs axes that are known when the graph is built")
    return [int(value)] if isinstance(value, numbers.Integral) else [int(a) for a in value]


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: float,
    name: str | None = None,
) -> Tensor:
    """scale * (x - mean) / sqrt(variance + variance_epsilon) + offset, of the dtype of x."""
    with name_scope(name, "batchnorm", [x, mean, variance, scale, offset]):
        inverse = rsqrt(variance + variance_epsilon)
        if scale is not None:
            inverse = inverse * scale
        x = convert_to_tensor(x)
        start = offset - mean * inverse if offset is not None else -mean * inverse
        return x * cast(inverse, x.dtype) + cast(start, x.dtype)


def batch_norm_with_global_normalization(
    t: Any = None,
    m: Any = None,
    v: Any = None,
    beta: Any = None,
    gamma: Any = None,
    variance_epsilon: Any = None,
    scale_after_normalization: Any = None,
    name: str | None = None,
    input: Any = None,
    mean: Any = None,
    variance: Any = None,
) -> Tensor:
    """`batch_normalization`, with the scale used only if asked for."""
    t = either("input", input, "t", t)
    m = either("mean", mean, "m", m)
    v = either("variance", variance, "v", v)
    scale = gamma if scale_after_normalization else None
    return batch_normalization(t, m, v, beta, scale, variance_epsilon, name)


def l2_normalize(
    x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Tensor:
    """x / sqrt(max(sum of squares over `axis`, epsilon)); complex numbers count by magnitude."""
    axis = either("axis", axis, "dim", dim)
    with name_scope(name, "l2_normalize", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.base_dtype.is_complex:
            kind = x.dtype.base_dtype.real_dtype
            parts = apply("Real", x, Tout=kind), apply("Imag", x, Tout=kind)
            squares = square(parts[0]) + square(parts[1])
            total = reduction_ops.reduce_sum(squares, axis, keepdims=True)
            inverse = rsqrt(apply("Maximum", total, epsilon))
            return apply("Complex", *(apply("Mul", part, inverse) for part in parts), name=scope)
        total = reduction_ops.reduce_sum(square(x), axis, keepdims=True)
        return apply("Mul", x, rsqrt(apply("Maximum", total, epsilon)), name=scope)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The share of elements that are zero, as float32."""
    with name_scope(name, "zero_fraction", [value]):
        value = convert_to_tensor(value, name="value")
        zero = cast(0, value.dtype.base_dtype)
        return reduction_ops.reduce_mean(cast(apply("Equal", value, zero), dtypes.float32))


def top_k(
    input: Any, k: Any = 1, sorted: bool = True, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, largest first, and their indices; of equals the
    first. NaN counts as the largest; TensorFlow's order with NaN depends on how its sort goes."""
    return apply("TopKV2", input, k, sorted=sorted, name=name)


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether the target of each row is among its `k` largest predictions."""
    with name_scope(name, "in_top_k"):
        return apply("InTopKV2", predictions, targets, k)


def local_response_normalization(
    input: Any,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    name: str | None = None,
) -> Tensor:
    """Each channel over (bias + alpha * sum of its neighbours' squares) to the power beta."""
    return apply(
        "LRN", input, depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta, name=name
    )


lrn = local_response_normalization


def sufficient_statistics(
    x: Any,
    axes: Sequence[int],
    shift: Any = None,
    keep_dims: bool | None = None,
    name: str | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor, Tensor, Any]:
    """Count, sum and sum of squares of `x` over `axes` (of x - shift if given), and the shift."""
    keep = bool(keep_dims if keepdims is None else keepdims)
    with name_scope(name, "sufficient_statistics", [x, shift]):
        x = convert_to_tensor(x, name="x")
        dims = x.get_shape()
        if dims.ndims is not None and all(dims.as_list()[d] is not None for d in axes):
            known = 1
            for d in axes:
                known *= dims.as_list()[d]
            count = convert_to_tensor(known, dtype=x.dtype.base_dtype, name="count")
        else:
            extents = apply("GatherV2", shape(x), list(axes), 0)
            count = cast(reduction_ops.reduce_prod(extents), x.dtype.base_dtype, name="count")
        if shift is not None:
            shift = convert_to_tensor(shift, name="shift")
            mean = x - shift
            spread = apply("SquaredDifference", x, shift)
        else:
            mean, spread = x, square(x)
        total = reduction_ops.reduce_sum(mean, axes, keepdims=keep, name="mean_ss")
        squares = reduction_ops.reduce_sum(spread, axes, keepdims=keep, name="var_ss")
        return count, total, squares, shift


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from what `sufficient_statistics` gives."""
    with name_scope(name, "normalize", [counts, mean_ss, variance_ss, shift]):
        divisor = apply("Reciprocal", counts, name="divisor")
        if shift is not None:
            shifted = apply("Mul", mean_ss, divisor, name="shifted_mean")
            mean = apply("Add", shifted, shift, name="mean")
        else:
            shifted = mean = apply("Mul", mean_ss, divisor, name="mean")
        variance = apply(
            "Sub", apply("Mul", variance_ss, divisor), square(shifted), name="variance"
        )
        return mean, variance
