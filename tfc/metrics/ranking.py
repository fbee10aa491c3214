"""Precision and recall of the best k of many classes, where each sample has a set of labels."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor, name_scope
from tfc.framework.variables import Variable
from tfc.metrics.class_sets import ClassSets
from tfc.metrics.state import Metric, metric_variable, publish
from tfc.ops.array_ops import ones_like, shape, size
from tfc.ops.cast_ops import cast
from tfc.ops.nn_functions import top_k
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.scan_ops import cumsum
from tfc.ops.state_ops import assign_add
from tfc.ops.sum_ops import add, div_no_nan, divide, minimum, multiply
from tfc.ops.weight_ops import assert_broadcastable, broadcast_weights


def _at_k_name(name: str, k: int | None = None, class_id: int | None = None) -> str:
    name = f"{name}_at_k" if k is None else f"{name}_at_{k}"
    return name if class_id is None else f"{name}_class{class_id}"


def _accumulated(name: str, counts: Any, weights: Any) -> tuple[Variable, Tensor]:
    """A variable of that name, and the op that adds the weighted counts to it."""
    with name_scope(None, name, (counts, weights)) as scope:
        counts = cast(counts(), dtypes.float64)
        if weights is not None:
            with control_dependencies((assert_broadcastable(weights, counts),)):
                counts = multiply(counts, cast(weights, dtypes.float64))
        variable = metric_variable([], dtypes.float64, scope)
        total = cast(reduce_sum(counts), dtypes.float64)
        return variable, assign_add(variable, total, name="update")


def _share(
    hits: tuple[Variable, Tensor],
    misses: tuple[Variable, Tensor],
    scope: str,
    metrics_collections: Any,
    updates_collections: Any,
) -> Metric:
    value = divide(hits[0], add(hits[0], misses[0]), name=scope)
    publish(metrics_collections, value)
    update = divide(hits[1], add(hits[1], misses[1]), name="update")
    publish(updates_collections, update)
    return value, update


def _sets(labels: Any, predictions_idx: Any) -> tuple[ClassSets, ClassSets]:
    """(labels, predictions) as sets of classes in rows that correspond."""
    predictions_idx = convert_to_tensor(predictions_idx)
    rows = ClassSets.of(labels).expanded_like(predictions_idx)
    return rows, ClassSets(cast(predictions_idx, dtypes.int64))


def precision_at_top_k(
    labels: Any,
    predictions_idx: Any,
    k: int | None = None,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How many of the classes chosen are among the labels of their sample, out of all chosen; NaN
    if none is.

    labels: int64 [..., labels] or [...], or a SparseTensor of that shape. predictions_idx: [..., k]
    classes. k: only names the variables. class_id: counts this class alone. weights: a scalar, or
    [...] with each extent 1 or that of the predictions.

    Raises:
      ValueError: shapes do not fit.
      TypeError: labels are no int64.
    """
    given = (predictions_idx, labels, weights)
    with name_scope(name, _at_k_name("precision", k, class_id), given) as scope:
        rows, chosen = (x.only(class_id) for x in _sets(labels, predictions_idx))
        right = _at_k_name("true_positive", k, class_id)
        wrong = _at_k_name("false_positive", k, class_id)
        hits = _accumulated(right, lambda: chosen.common(rows), weights)
        misses = _accumulated(wrong, lambda: chosen.missing_in(rows), weights)
        return _share(hits, misses, scope, metrics_collections, updates_collections)


def recall_at_top_k(
    labels: Any,
    predictions_idx: Any,
    k: int | None = None,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """How many of the labels are among the classes chosen for their sample, out of all labels; NaN
    if there are none. Arguments and errors are those of `precision_at_top_k`."""
    given = (predictions_idx, labels, weights)
    with name_scope(name, _at_k_name("recall", k, class_id), given) as scope:
        rows, chosen = (x.only(class_id) for x in _sets(labels, predictions_idx))
        right = _at_k_name("true_positive", k, class_id)
        wrong = _at_k_name("false_negative", k, class_id)
        hits = _accumulated(right, lambda: chosen.common(rows), weights)
        misses = _accumulated(wrong, lambda: rows.missing_in(chosen), weights)
        return _share(hits, misses, scope, metrics_collections, updates_collections)


def precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`precision_at_top_k` of the k classes with the greatest predictions [..., classes]."""
    given = (predictions, labels, weights)
    with name_scope(name, _at_k_name("precision", k, class_id), given) as scope:
        _, best = top_k(predictions, k)
        return precision_at_top_k(
            labels, best, k, class_id, weights, metrics_collections, updates_collections, scope
        )


def recall_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """`recall_at_top_k` of the k classes with the greatest predictions [..., classes]."""
    given = (predictions, labels, weights)
    with name_scope(name, _at_k_name("recall", k, class_id), given) as scope:
        _, best = top_k(predictions, k)
        return recall_at_top_k(
            labels, best, k, class_id, weights, metrics_collections, updates_collections, scope
        )


def sparse_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    class_id: int | None = None,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The old name of `precision_at_k`."""
    return precision_at_k(
        labels, predictions, k, class_id, weights, metrics_collections, updates_collections, name
    )


# ---- the mean of precisions


def average_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The mean over samples of: the sum of the precisions at each rank up to k that holds a label,
    divided by the number of labels or k, whichever is less.

    labels: int64 [..., labels] or [...], or a SparseTensor of that shape. predictions: [...,
    classes]. weights: a scalar, or [...] with each extent 1 or that of the predictions.

    Raises:
      ValueError: k is less than 1, or shapes do not fit.
      TypeError: labels are no int64.
    """
    if k < 1:
        raise ValueError(f"Invalid k={k}. `k` should be >= 1.")
    given = (predictions, labels, weights)
    with name_scope(name, _at_k_name("average_precision", k), given) as scope:
        predictions = convert_to_tensor(predictions)
        _, best = top_k(predictions, k)
        rows = ClassSets.of(labels).within(cast(shape(predictions)[-1], dtypes.int64))
        precisions = _average_precision(rows, cast(best, dtypes.int64), k)
        if weights is not None:
            weights = broadcast_weights(cast(weights, dtypes.float64), precisions)
            precisions = multiply(precisions, weights)
        # TensorFlow makes an op `Max` first, so that the variable is called like this.
        with name_scope(None, "max_1", (precisions,)) as inner:
            most = metric_variable([], dtypes.float64, inner)
            if weights is None:
                number = cast(size(precisions, name="batch_max"), dtypes.float64)
            else:
                number = reduce_sum(weights, name="batch_max")
            new_most = assign_add(most, number, name="update")
        with name_scope(None, "total", (precisions,)) as inner:
            total = metric_variable([], dtypes.float64, inner)
            batch = reduce_sum(precisions, name="batch_total")
            new_total = assign_add(total, batch, name="update")
        value = div_no_nan(total, most, name="mean")
        publish(metrics_collections, value)
        update = div_no_nan(new_total, new_most, name=scope)
        publish(updates_collections, update)
        return value, update


def _average_precision(labels: ClassSets, best: Tensor, k: int) -> Tensor:
    """The average precision of each sample."""
    with name_scope(None, "average_precision", (best,)) as scope:
        rows = labels.expanded_like(best)
        relevant = cast(ClassSets(best).members_of(rows), dtypes.float64)
        found = cumsum(relevant, axis=-1, name="tp_per_k")
        ranks = cumsum(ones_like(relevant), axis=-1, name="retrieved_per_k")
        precisions = multiply(divide(found, ranks), relevant)
        total = reduce_sum(precisions, axis=(-1,), name="precision_sum")
        most = cast(minimum(rows.relevant(), k), dtypes.float64)
        return divide(total, most, name=scope)


def sparse_average_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Metric:
    """The old name of `average_precision_at_k`."""
    return average_precision_at_k(
        labels, predictions, k, weights, metrics_collections, updates_collections, name
    )
