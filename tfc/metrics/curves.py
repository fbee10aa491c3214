"""Metrics from counts at many thresholds: areas under curves, and points on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import variable_scope
from tfc.metrics.confusion import Counts, counts_at
from tfc.metrics.state import Metric, publish
from tfc.ops.array_ops import ones_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, logical_and, where
from tfc.ops.reduction_ops import reduce_min, reduce_sum
from tfc.ops.scan_ops import argmax, argmin, cumsum
from tfc.ops.sum_ops import div_no_nan, divide, maximum, minimum, multiply
from tfc.ops.unary_api import abs_, log

_BEYOND = 1e-7  # how far the first and the last threshold are outside of [0, 1]
_METHODS = ("trapezoidal", "careful_interpolation", "minoring", "majoring")


def _evenly(num_thresholds: int) -> list[float]:
    return [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]


def _result(
    compute: Callable[[Counts, str], Tensor],
    counts: tuple[Counts, Counts],
    metrics_collections: Any,
    updates_collections: Any,
) -> Metric:
    value = compute(counts[0], "value")
    publish(metrics_collections, value)
    update = compute(counts[1], "update_op")
    publish(updates_collections, update)
    return value, update


# ---- the area under a curve


def auc(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    curve: str = "ROC",
    name: str | None = None,
    summation_method: str = "trapezoidal",
    thresholds: Sequence[float] | None = None,
) -> Metric:
    """The area under the curve of true against false positive rate (ROC), or of precision against
    recall (PR), computed at `num_thresholds` even thresholds or at those given.

    summation_method: trapezoidal; minoring and majoring take the lesser and the greater end of each
    interval; careful_interpolation, of PR only, interpolates the counts and not their ratios.

    Raises:
      ValueError: shapes differ, weights do not fit, or there is no such curve or method.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    with variable_scope(name, "auc", (labels, predictions, weights)):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"Curve must be either ROC or PR. Curve {curve} is unknown.")
        if summation_method not in _METHODS:
            raise ValueError(
                f"Invalid summation_method: {summation_method} summation_method should be "
                "'trapezoidal', 'careful_interpolation', 'minoring', or 'majoring'."
            )
        inner = _evenly(num_thresholds) if thresholds is None else sorted(thresholds)
        limits = [0.0 - _BEYOND, *inner, 1.0 + _BEYOND]

        def compute(counts: Counts, name: str) -> Tensor:
            tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
            if curve == "PR" and summation_method == "careful_interpolation":
                return _interpolated_area(tp, fp, fn)
            if curve == "ROC":
                x, y = divide(fp, fp + tn + 1e-6), divide(tp + 1e-6, tp + fn + 1e-6)
            else:
                x, y = divide(tp + 1e-6, tp + fn + 1e-6), divide(tp + 1e-6, tp + fp + 1e-6)
            return _area(x, y, summation_method, name)

        counts = counts_at(labels, predictions, limits, weights)
        return _result(compute, counts, metrics_collections, updates_collections)


def _area(x: Tensor, y: Tensor, method: str, name: str) -> Tensor:
    if method == "minoring":
        heights = minimum(y[:-1], y[1:])
    elif method == "majoring":
        heights = maximum(y[:-1], y[1:])
    else:
        heights = (y[:-1] + y[1:]) / 2.0
    return reduce_sum(multiply(x[:-1] - x[1:], heights), name=name)


def _interpolated_area(tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
    """The area under precision against recall where true and false positives change evenly between
    two thresholds: an integral of `tp / (tp + fp)`, which has a logarithm in it."""
    gained = tp[:-1] - tp[1:]
    chosen = tp + fp
    before, after = chosen[:-1], chosen[1:]
    slope = div_no_nan(gained, maximum(before - after, 0), name="prec_slope")
    intercept = tp[1:] - multiply(slope, after)
    ratio = where(
        logical_and(before > 0, after > 0),
        div_no_nan(before, maximum(after, 0), name="recall_relative_ratio"),
        ones_like(after),
    )
    increments = div_no_nan(
        slope * (gained + intercept * log(ratio)),
        maximum(tp[1:] + fn[1:], 0),
        name="pr_auc_increment",
    )
    return reduce_sum(increments, name="interpolate_pr_auc")


# ---- points on the curves


def _rate_at_thresholds(scope: str, other: str, what: str) -> Callable[..., Metric]:
    def function(
        labels: Any,
        predictions: Any,
        thresholds: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Metric:
        def compute(counts: Counts, name: str) -> Tensor:
            hits, rest = counts["tp"], counts[other]
            return divide(hits, 1e-7 + hits + rest, name=f"{scope}_{name}")

        with variable_scope(name, f"{scope}_at_thresholds", (predictions, labels, weights)):
            counts = counts_at(labels, predictions, thresholds, weights, ("tp", other))
            return _result(compute, counts, metrics_collections, updates_collections)

    function.__name__ = function.__qualname__ = f"{scope}_at_thresholds"
    function.__doc__ = f"""True positives out of all that are {what}, at each threshold.

    labels: bools, of the shape of the predictions, which are in [0, 1].

    Raises:
      ValueError: shapes differ, or weights do not fit.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    return function


precision_at_thresholds = _rate_at_thresholds("precision", "fp", "predicted to be true")
recall_at_thresholds = _rate_at_thresholds("recall", "fn", "true")


def sensitivity_at_specificity(
    labels: Any,
    predictions: Any,
    specificity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The rate of true positives at that threshold whose rate of true negatives is nearest to
    `specificity`.

    Raises:
      ValueError: `specificity` is not in [0, 1], shapes differ, or weights do not fit.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    _check_rate("specificity", specificity)

    def compute(counts: Counts, name: str) -> Tensor:
        tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
        found = divide(tn, tn + fp + _BEYOND)
        at = cast(argmin(abs_(found - specificity), 0), dtypes.int32)
        return divide(tp[at], tp[at] + fn[at] + _BEYOND, name)

    with variable_scope(name, "sensitivity_at_specificity", (predictions, labels, weights)):
        limits = [0.0 - _BEYOND, *_evenly(num_thresholds), 1.0 + _BEYOND]
        counts = counts_at(labels, predictions, limits, weights)
        return _result(compute, counts, metrics_collections, updates_collections)


def specificity_at_sensitivity(
    labels: Any,
    predictions: Any,
    sensitivity: float,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The rate of true negatives at that threshold whose rate of true positives is nearest to
    `sensitivity`; the last such threshold.

    Raises:
      ValueError: `sensitivity` is not in [0, 1], shapes differ, or weights do not fit.
      InvalidArgumentError, when run: a prediction is not in [0, 1].
    """
    _check_rate("sensitivity", sensitivity)

    def compute(counts: Counts, name: str) -> Tensor:
        tp, fn, tn, fp = (counts[key] for key in ("tp", "fn", "tn", "fp"))
        away = abs_(divide(tp, tp + fn + _BEYOND) - sensitivity)
        nearest = cast(equal(away, reduce_min(away)), dtypes.int64)
        # The running count is at its greatest first where the last of them stands.
        at = cast(argmax(cumsum(nearest), 0), dtypes.int32)
        return divide(tn[at], tn[at] + fp[at] + _BEYOND, name)

    with variable_scope(name, "specificity_at_sensitivity", (predictions, labels, weights)):
        limits = [0.0 - _BEYOND, *_evenly(num_thresholds), 1.0 - _BEYOND]
        counts = counts_at(labels, predictions, limits, weights)
        return _result(compute, counts, metrics_collections, updates_collections)


def _check_rate(name: str, value: float) -> None:
    if value < 0 or value > 1:
        raise ValueError(f"`{name}` must be in the range [0, 1]. Currently, `{name}` got {value}.")
