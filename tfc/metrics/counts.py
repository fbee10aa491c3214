"""Counts of true and false positives and negatives, precision and recall, of two classes."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, control_dependencies
from tfc.framework.variable_scope import variable_scope
from tfc.metrics.state import Metric, fitted, metric_variable, publish, read
from tfc.ops.array_ops import rank, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_rank_in
from tfc.ops.compare_ops import equal, greater, logical_and, where
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.state_ops import assign_add
from tfc.ops.sum_ops import divide, multiply


def _as_bools(predictions: Any, labels: Any, weights: Any) -> tuple[Tensor, Tensor, Any]:
    return fitted(cast(predictions, dtypes.bool_), cast(labels, dtypes.bool_), weights)


def _count(
    scope: str,
    arguments: tuple[Any, Any, Any],
    label: bool,
    prediction: bool,
    metrics_collections: Any,
    updates_collections: Any,
    name: str | None,
) -> Metric:
    """The sum of weights where labels and predictions have these values."""
    labels, predictions, weights = arguments
    with variable_scope(name, scope, (predictions, labels, weights)):
        predictions, labels, weights = _as_bools(predictions, labels, weights)
        hits = logical_and(equal(labels, label), equal(predictions, prediction))
        count = metric_variable([], dtypes.float32, "count")
        values = cast(hits, dtypes.float32)
        if weights is not None:
            with control_dependencies((assert_rank_in(weights, (0, rank(values))),)):
                values = multiply(values, cast(weights, dtypes.float32))
        value = read(count, metrics_collections)
        update = assign_add(count, reduce_sum(values))
        publish(updates_collections, update)
        return value, update


def true_positives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weight of elements that are true and predicted so, from the variable `count`.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    given = (labels, predictions, weights)
    return _count(
        "true_positives", given, True, True, metrics_collections, updates_collections, name
    )


def true_negatives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weight of elements that are false and predicted so; see `true_positives`."""
    given = (labels, predictions, weights)
    return _count(
        "true_negatives", given, False, False, metrics_collections, updates_collections, name
    )


def false_positives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weight of elements that are false and predicted true; see `true_positives`."""
    given = (labels, predictions, weights)
    return _count(
        "false_positives", given, False, True, metrics_collections, updates_collections, name
    )


def false_negatives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The weight of elements that are true and predicted false; see `true_positives`."""
    given = (labels, predictions, weights)
    return _count(
        "false_negatives", given, True, False, metrics_collections, updates_collections, name
    )


def _share(hits: Any, misses: Any, name: str) -> Tensor:
    """`hits / (hits + misses)`, 0 if there are neither."""
    total = hits + misses
    return where(greater(total, 0), divide(hits, hits + misses), zeros_like(total), name)


def precision(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """True positives out of all that are predicted true, 0 if there are none.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    with variable_scope(name, "precision", (predictions, labels, weights)):
        predictions, labels, weights = _as_bools(predictions, labels, weights)
        hits, new_hits = true_positives(labels, predictions, weights)
        misses, new_misses = false_positives(labels, predictions, weights)
        value = _share(hits, misses, "value")
        publish(metrics_collections, value)
        update = _share(new_hits, new_misses, "update_op")
        publish(updates_collections, update)
        return value, update


def recall(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """True positives out of all that are true, 0 if there are none.

    Raises:
      ValueError: shapes differ, or weights do not fit.
    """
    with variable_scope(name, "recall", (predictions, labels, weights)):
        predictions, labels, weights = _as_bools(predictions, labels, weights)
        hits, new_hits = true_positives(labels, predictions, weights)
        misses, new_misses = false_negatives(labels, predictions, weights)
        value = _share(hits, misses, "value")
        publish(metrics_collections, value)
        update = _share(new_hits, new_misses, "update_op")
        publish(updates_collections, update)
        return value, update
