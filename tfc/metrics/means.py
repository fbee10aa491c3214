"""Metrics that are the mean of what is computed from each element."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, control_dependencies
from tfc.framework.variable_scope import variable_scope
from tfc.metrics.state import Metric, fitted, metric_variable, publish
from tfc.ops.array_ops import ones_like, size, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, less, where
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.state_ops import assign_add
from tfc.ops.sum_ops import div_no_nan, divide, maximum, multiply, squared_difference, subtract
from tfc.ops.unary_api import abs_, sqrt
from tfc.ops.weight_ops import broadcast_weights, remove_squeezable_dimensions


def _ratio(total: Any, count: Any, name: str) -> Tensor:
    return div_no_nan(total, maximum(count, 0), name=name)


def _weighted(values: Tensor, weights: Any) -> tuple[Tensor, Tensor]:
    """The values times their weights, and the weights in the shape of the values."""
    values, _, weights = fitted(values, None, weights)
    weights = broadcast_weights(cast(weights, dtypes.float32), values)
    return multiply(values, weights), weights


def mean(
    values: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weighted mean of all values, from the variables `total` and `count`.

    weights: a scalar, or of the rank of the values with each extent 1 or theirs.

    Raises:
      ValueError: weights do not fit.
    """
    with variable_scope(name, "mean", (values, weights)):
        values = cast(values, dtypes.float32)
        total = metric_variable([], dtypes.float32, "total")
        count = metric_variable([], dtypes.float32, "count")
        if weights is None:
            number = cast(size(values), dtypes.float32)
        else:
            values, weights = _weighted(values, weights)
            number = reduce_sum(weights)
        new_total = assign_add(total, reduce_sum(values))
        with control_dependencies([values]):
            new_count = assign_add(count, number)
        value = _ratio(total, count, "value")
        publish(metrics_collections, value)
        update = _ratio(new_total, new_count, "update_op")
        publish(updates_collections, update)
        return value, update


def mean_tensor(
    values: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weighted mean of each element over all batches, from the variables `total_tensor` and
    `count_tensor`.

    values: of a known shape. weights: as for `mean`.

    Raises:
      ValueError: weights do not fit, or the shape is not known.
    """
    with variable_scope(name, "mean", (values, weights)):
        values = cast(values, dtypes.float32)
        total = metric_variable(values.get_shape(), dtypes.float32, "total_tensor")
        count = metric_variable(values.get_shape(), dtypes.float32, "count_tensor")
        numbers = ones_like(values)
        if weights is not None:
            values, weights = _weighted(values, weights)
            numbers = multiply(numbers, weights)
        new_total = assign_add(total, values)
        with control_dependencies([values]):
            new_count = assign_add(count, numbers)
        value = _ratio(total, count, "value")
        publish(metrics_collections, value)
        update = _ratio(new_total, new_count, "update_op")
        publish(updates_collections, update)
        return value, update


def accuracy(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often predictions equal labels; see `mean`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    if labels.dtype.base_dtype != predictions.dtype.base_dtype:
        predictions = cast(predictions, labels.dtype.base_dtype)
    correct = cast(equal(predictions, labels), dtypes.float32)
    return mean(correct, weights, metrics_collections, updates_collections, name or "accuracy")


def mean_absolute_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `|predictions - labels|`; see `mean`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    errors = abs_(predictions - labels)
    name = name or "mean_absolute_error"
    return mean(errors, weights, metrics_collections, updates_collections, name)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `(labels - predictions)²`; see `mean`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    errors = squared_difference(labels, predictions)
    name = name or "mean_squared_error"
    return mean(errors, weights, metrics_collections, updates_collections, name)


def root_mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The square root of `mean_squared_error`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    name = name or "root_mean_squared_error"
    value, update = mean_squared_error(labels, predictions, weights, None, None, name)
    value = sqrt(value)
    publish(metrics_collections, value)
    update = sqrt(update)
    publish(updates_collections, update)
    return value, update


def mean_relative_error(
    labels: Any,
    predictions: Any,
    normalizer: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean of `|labels - predictions| / normalizer`, 0 where the normalizer is 0; see `mean`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    predictions, normalizer = remove_squeezable_dimensions(predictions, normalizer)
    predictions.get_shape().assert_is_compatible_with(normalizer.get_shape())
    errors = where(
        equal(normalizer, 0.0),
        zeros_like(labels),
        divide(abs_(labels - predictions), normalizer),
    )
    name = name or "mean_relative_error"
    return mean(errors, weights, metrics_collections, updates_collections, name)


def mean_cosine_distance(
    labels: Any,
    predictions: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """1 less the mean of `sum(predictions · labels)` along axis `dim`, which is kept; see `mean`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    predictions, labels, weights = fitted(predictions, labels, weights)
    products = reduce_sum(multiply(predictions, labels), axis=[dim], keepdims=True)
    value, update = mean(products, weights, None, None, name or "mean_cosine_distance")
    value, update = subtract(1.0, value), subtract(1.0, update)
    publish(metrics_collections, value)
    publish(updates_collections, update)
    return value, update


def percentage_below(
    values: Any,
    threshold: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How often values are less than the threshold, from 0 to 1; see `mean`.

    Raises:
      ValueError: weights do not fit.
    """
    below = cast(less(values, threshold), dtypes.float32)
    name = name or "percentage_below_threshold"
    return mean(below, weights, metrics_collections, updates_collections, name)
