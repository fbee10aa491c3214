"""Metrics over several classes given by number."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import convert_to_tensor
from tfc.framework.variable_scope import variable_scope
from tfc.metrics.state import Metric, flat, metric_variable, publish
from tfc.ops.array_ops import ones_like, size
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, greater, not_equal, where
from tfc.ops.confusion_ops import confusion_matrix
from tfc.ops.const_ops import ones
from tfc.ops.diag_ops import diag_part
from tfc.ops.reduction_ops import reduce_mean, reduce_sum
from tfc.ops.scatter_ops import scatter_add
from tfc.ops.state_ops import assign_add
from tfc.ops.sum_ops import div_no_nan, divide, maximum


def mean_iou(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of `intersection / union` of the elements of that class and those
    predicted to be; classes that do not occur are left out. The update gives the variable
    `total_confusion_matrix`.

    labels, predictions: classes, of one shape. weights: a number for each element.

    Raises:
      ValueError: shapes differ.
      InvalidArgumentError, when run: a class is not in [0, num_classes).
    """
    with variable_scope(name, "mean_iou", (predictions, labels, weights)):
        predictions, labels = convert_to_tensor(predictions), convert_to_tensor(labels)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total = metric_variable([num_classes] * 2, dtypes.float64, "total_confusion_matrix")
        matrix = confusion_matrix(
            flat(cast(labels, dtypes.int64)),
            flat(cast(predictions, dtypes.int64)),
            cast(num_classes, dtypes.int64),
            weights=None if weights is None else flat(weights),
            dtype=dtypes.float64,
        )
        update = assign_add(total, matrix)
        rows = cast(reduce_sum(total, 0), dtypes.float32)
        columns = cast(reduce_sum(total, 1), dtypes.float32)
        both = cast(diag_part(total), dtypes.float32)
        union = rows + columns - both
        present = reduce_sum(cast(not_equal(union, 0), dtypes.float32))
        union = where(greater(union, 0), union, ones_like(union))
        total_share = reduce_sum(divide(both, union), name="mean_iou")
        value = where(greater(present, 0), total_share / present, convert_to_tensor(0.0))
        publish(metrics_collections, value)
        publish(updates_collections, update)
        return value, update


def mean_per_class_accuracy(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over classes of how often elements of that class are predicted to be, 0 for a class
    that does not occur. The update gives the accuracy of each class.

    labels, predictions: classes, of one shape. weights: a number for each element.

    Raises:
      ValueError: shapes differ.
    """
    with variable_scope(name, "mean_accuracy", (predictions, labels, weights)):
        labels, predictions = flat(cast(labels, dtypes.int64)), flat(predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total = metric_variable([num_classes], dtypes.float32, "total")
        count = metric_variable([num_classes], dtypes.float32, "count")
        all_of_them = ones([size(labels)], dtypes.float32)
        if predictions.dtype.base_dtype != dtypes.int64:
            predictions = cast(predictions, dtypes.int64)
        correct = cast(equal(predictions, labels), dtypes.float32)
        if weights is not None:
            weights = cast(flat(weights), dtypes.float32)
            correct, all_of_them = correct * weights, all_of_them * weights
        new_total = scatter_add(total, labels, all_of_them)
        new_count = scatter_add(count, labels, correct)
        shares = div_no_nan(count, maximum(total, 0))
        value = reduce_mean(shares, name="mean_accuracy")
        publish(metrics_collections, value)
        update = div_no_nan(new_count, maximum(new_total, 0), name="update_op")
        publish(updates_collections, update)
        return value, update
