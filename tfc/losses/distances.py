"""Losses that compare predictions with labels of the same shape, element by element."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import (
    GraphKeys,
    Tensor,
    control_dependencies,
    convert_to_tensor,
    name_scope,
)
from tfc.losses.lists import add_loss
from tfc.losses.weighted import Reduction, compute_weighted_loss, num_present
from tfc.ops.array_ops import ones_like, rank, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import where
from tfc.ops.nn_functions import relu
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.scan_ops import range_
from tfc.ops.sum_ops import (
    add,
    div_no_nan,
    maximum,
    minimum,
    multiply,
    squared_difference,
    subtract,
)
from tfc.ops.unary_api import abs_, log, square
from tfc.ops.weight_ops import assert_broadcastable

_BY_NONZERO = Reduction.SUM_BY_NONZERO_WEIGHTS


def check_given(**arguments: Any) -> None:
    """Raises ValueError for an argument that is None."""
    for name, value in arguments.items():
        if value is None:
            raise ValueError(f"Argument `{name}` must not be None.")


def _pair(predictions: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Both as float32 tensors. Raises ValueError if their shapes differ."""
    predictions, labels = cast(predictions, dtypes.float32), cast(labels, dtypes.float32)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    return predictions, labels


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss `|predictions - labels|`, as `compute_weighted_loss` reduces it.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "absolute_difference", (predictions, labels, weights)) as scope:
        predictions, labels = _pair(predictions, labels)
        losses = abs_(subtract(predictions, labels))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def cosine_distance(
    labels: Any,
    predictions: Any,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
    dim: int | None = None,
) -> Tensor:
    """The weighted loss `1 - sum(predictions · labels)` along an axis, which is kept; both are
    taken to be of length 1 there.

    dim: the old name of `axis`.

    Raises:
      ValueError: no axis or both names of it, shapes differ, weights do not fit, or an argument is
      None.
    """
    if dim is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'dim' and 'axis'.")
        axis = dim
    if axis is None:
        raise ValueError("You must specify argument `axis`.")
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "cosine_distance_loss", (predictions, labels, weights)) as scope:
        predictions, labels = _pair(predictions, labels)
        products = multiply(predictions, labels)
        losses = 1 - reduce_sum(products, axis=(axis,), keepdims=True)
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss `max(0, 1 - sign · logits)`, where labels of 0 and 1 are signs -1 and 1.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, logits=logits)
    with name_scope(scope, "hinge_loss", (logits, labels, weights)) as scope:
        logits, labels = _pair(logits, labels)
        ones = ones_like(labels)
        signs = subtract(2 * labels, ones)
        losses = relu(subtract(ones, multiply(signs, logits)))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss `d² / 2` of differences up to `delta`, and linear in d beyond.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "huber_loss", (predictions, labels, weights)) as scope:
        predictions, labels = _pair(predictions, labels)
        error = abs_(subtract(predictions, labels))
        near = minimum(error, delta)
        far = subtract(error, near)
        half = convert_to_tensor(0.5, dtype=near.dtype)
        losses = add(multiply(half, multiply(near, near)), multiply(delta, far))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss `-labels log(predictions) - (1 - labels) log(1 - predictions)`, with
    `epsilon` added inside both logarithms.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "log_loss", (predictions, labels, weights)) as scope:
        predictions, labels = _pair(predictions, labels)
        positive = -multiply(labels, log(predictions + epsilon))
        losses = positive - multiply(1 - labels, log(1 - predictions + epsilon))
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss `(predictions - labels)²`, as `compute_weighted_loss` reduces it.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "mean_squared_error", (predictions, labels, weights)) as scope:
        predictions, labels = _pair(predictions, labels)
        losses = squared_difference(predictions, labels)
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def mean_pairwise_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
) -> Tensor:
    """The sum over samples of the mean squared difference between differences of predictions and
    differences of labels, over all pairs of elements of the sample.

    labels, predictions: [batch, …]. weights: a scalar, or of their rank with each extent 1 or
    theirs. Of n elements with differences d, the mean is 2 Σd² / (n - 1) - 2 (Σd)² / (n (n - 1)).

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(labels=labels, predictions=predictions)
    with name_scope(scope, "mean_pairwise_squared_error", (predictions, labels, weights)) as scope:
        weights, labels = cast(weights, dtypes.float32), cast(labels, dtypes.float32)
        with control_dependencies((assert_broadcastable(weights, labels),)):
            predictions = cast(predictions, dtypes.float32)
            predictions.get_shape().assert_is_compatible_with(labels.get_shape())
            diffs = subtract(predictions, labels)
            axes = range_(1, rank(diffs))
            squares = reduce_sum(square(diffs), axis=axes, keepdims=True)
            count = num_present(diffs, weights, per_batch=True)
            alone = 2.0 * div_no_nan(squares, maximum(count - 1, 0), name="value")
            total = reduce_sum(diffs, axis=axes, keepdims=True)
            pairs = maximum(multiply(count, count - 1), 0)
            together = 2.0 * div_no_nan(square(total), pairs, name="value")
            loss = reduce_sum(multiply(alone - together, weights))
            loss = where(reduce_sum(count) > 0, loss, zeros_like(loss), name="value")
            add_loss(loss, loss_collection)
            return loss
