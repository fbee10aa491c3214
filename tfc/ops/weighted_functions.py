"""Functions of `tf.nn` about weights and averages, and the largest elements along any axis."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import reduction_ops
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import zeros_like
from tfc.ops.nn_functions import moments_axes, top_k
from tfc.ops.shape_ops import expand_dims, shape, squeeze, transpose

_HALF = (dtypes.float16, dtypes.bfloat16)


def weighted_moments(
    x: Any,
    axes: Any,
    frequency_weights: Any,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and variance of `x` over `axes`, each element counted as often as frequency_weights,
    which broadcasts to `x`, says."""
    keep = bool(keep_dims if keepdims is None else keepdims)
    with name_scope(name, "weighted_moments", [x, frequency_weights, axes]):
        x = convert_to_tensor(x, name="x")
        weights = convert_to_tensor(frequency_weights, name="frequency_weights")
        half = x.dtype.base_dtype in _HALF
        wide = dtypes.float32 if half else x.dtype.base_dtype
        y = cast(x, wide) if half else x
        weights = cast(weights, wide) if weights.dtype.base_dtype != wide else weights
        total = reduction_ops.reduce_sum(
            weights * y, axes, keepdims=True, name="weighted_input_sum"
        )
        spread = weights + zeros_like(y)
        count = reduction_ops.reduce_sum(spread, axes, keepdims=True, name="sum_of_weights")
        divisor = apply("Reciprocal", count, name="inv_weight_sum")
        mean = total * divisor
        squares = apply("Mul", weights, apply("SquaredDifference", y, mean))
        variance = reduction_ops.reduce_sum(squares, axes, keepdims=True, name="weighted_distsq")
        variance = variance * divisor
        if not keep:
            listed = moments_axes(axes)
            mean, variance = squeeze(mean, listed), squeeze(variance, listed)
        if half:
            return cast(mean, x.dtype.base_dtype), cast(variance, x.dtype.base_dtype)
        return mean, variance


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of the loss; there is one replica to share it between."""
    return reduction_ops.reduce_sum(regularization_loss)


def compute_average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None
) -> Tensor:
    """The sum of the losses of a batch, times `sample_weight` if given, over its size.

    global_batch_size: the number of examples; the first extent of the losses if None.
    """
    losses = convert_to_tensor(per_example_loss)
    kind = losses.dtype.base_dtype
    if sample_weight is not None:
        weights = cast(convert_to_tensor(sample_weight), kind)
        while (
            weights.get_shape().ndims is not None
            and losses.get_shape().ndims is not None
            and 0 < weights.get_shape().ndims < losses.get_shape().ndims
        ):
            weights = expand_dims(weights, -1)
        losses = losses * weights
    size = shape(losses)[0] if global_batch_size is None else convert_to_tensor(global_batch_size)
    average: Tensor = reduction_ops.reduce_sum(losses) / cast(size, kind)
    return average


def _approximate(
    operand: Any, k: int, axis: int, recall: float, largest: bool, name: str | None
) -> tuple[Tensor, Tensor]:
    if not 0 < recall <= 1:
        raise ValueError(f"recall_target must be in (0, 1], not {recall}")
    with name_scope(name, "ApproxTopK", [operand]):
        x = convert_to_tensor(operand, name="operand")
        rank = x.get_shape().ndims
        if rank is None:
            raise ValueError("the rank of the operand must be known")
        if not -rank <= axis < rank:
            raise ValueError(f"reduction_dimension {axis} is not in [-{rank}, {rank})")
        order = list(range(rank))
        order[axis], order[-1] = order[-1], order[axis]
        moved = transpose(x, order) if axis % rank != rank - 1 else x
        values, places = top_k(moved if largest else -moved, k)
        values = values if largest else -values
        if axis % rank != rank - 1:
            values, places = transpose(values, order), transpose(places, order)
        return values, places


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along an axis, in order, and their places, int32.

    They are exact, whatever recall_target asks for; reduction_input_size_override and
    aggregate_to_topk are about parts of an approximation that is not made.

    Raises:
      ValueError: an axis or recall_target out of range, or an unknown rank.
    """
    return _approximate(operand, k, reduction_dimension, recall_target, True, name)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The `k` smallest elements along an axis, in order, and their places; see `approx_max_k`."""
    return _approximate(operand, k, reduction_dimension, recall_target, False, name)
