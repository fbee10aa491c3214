"""True and false positives and negatives at each of several thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor
from tfc.framework.variable_scope import variable_scope
from tfc.metrics.state import Metric, fitted, metric_variable, publish, read
from tfc.ops.array_ops import constant, expand_dims, reshape
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_greater_equal, assert_less_equal
from tfc.ops.compare_ops import greater, logical_and, logical_not
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.state_ops import assign_add
from tfc.ops.weight_ops import broadcast_weights

ALL = ("tp", "fn", "tn", "fp")
_VARIABLES = {
    "tp": "true_positives",
    "fn": "false_negatives",
    "tn": "true_negatives",
    "fp": "false_positives",
}
Counts = dict[str, Any]


def counts_at(
    labels: Any,
    predictions: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    includes: Sequence[str] = ALL,
) -> tuple[Counts, Counts]:
    """({key: variable}, {key: update}) of the counts that are named, each [thresholds].

    Raises:
      ValueError: shapes differ, or weights do not fit.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    predictions = convert_to_tensor(predictions)
    dtype = predictions.dtype.base_dtype
    message = "predictions must be in [0, 1]"
    low = assert_greater_equal(predictions, cast(0.0, dtype), message=message)
    high = assert_less_equal(predictions, cast(1.0, dtype), message=message)
    with control_dependencies([low, high]):
        predictions, labels, weights = fitted(
            cast(predictions, dtypes.float32), cast(labels, dtypes.bool_), weights
        )
    # One row for each threshold, one column for each element.
    limits = expand_dims(constant(thresholds, dtypes.float32), 1)
    row = reshape(predictions, [1, -1])
    positive, true = greater(row, limits), reshape(labels, [1, -1])
    if weights is not None:
        weights = broadcast_weights(cast(weights, dtypes.float32), predictions)
        weights = reshape(weights, [1, -1])
    values, updates = {}, {}
    for key in ALL:
        if key in includes:
            right = true if key in ("tp", "fn") else logical_not(true)
            chosen = positive if key in ("tp", "fp") else logical_not(positive)
            hits: Tensor = cast(logical_and(right, chosen), dtypes.float32)
            if weights is not None:
                hits = hits * weights
            variable = metric_variable([len(thresholds)], dtypes.float32, _VARIABLES[key])
            updates[key] = assign_add(variable, reduce_sum(hits, 1))
            values[key] = variable
    return values, updates


def _at_thresholds(key: str, what: str) -> Callable[..., Metric]:
    scope = _VARIABLES[key]

    def function(
        labels: Any,
        predictions: Any,
        thresholds: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        with variable_scope(name, scope, (predictions, labels, weights)):
            values, updates = counts_at(labels, predictions, thresholds, weights, (key,))
            value = read(values[key], metrics_collections)
            publish(updates_collections, updates[key])
            return value, updates[key]

    function.__name__ = function.__qualname__ = f"{scope}_at_thresholds"
    function.__doc__ = f"""The weight of elements that are {what} the threshold, for each
    threshold, from the variable `{scope}`.

    labels: bools, of the shape of the predictions, which are in [0, 1].

    Raises:
      ValueError: shapes differ, or weights do not fit.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    return function


true_positives_at_thresholds = _at_thresholds("tp", "true and predicted to be above")
false_negatives_at_thresholds = _at_thresholds("fn", "true and not predicted to be above")
true_negatives_at_thresholds = _at_thresholds("tn", "false and not predicted to be above")
false_positives_at_thresholds = _at_thresholds("fp", "false and predicted to be above")
