"""Cross entropies of logits and labels as weighted losses."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import GraphKeys, Tensor, convert_to_tensor, name_scope
from tfc.losses.distances import check_given
from tfc.losses.weighted import Reduction, compute_weighted_loss
from tfc.ops.array_ops import rank, shape, squeeze, stop_gradient
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal
from tfc.ops.weight_ops import may_lose_last, remove_squeezable_dimensions, without_last
from tfc.ops.xent_ops import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)

_BY_NONZERO = Reduction.SUM_BY_NONZERO_WEIGHTS


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss of independent classes: `sigmoid_cross_entropy_with_logits`.

    multi_class_labels, logits: of one shape. label_smoothing: how much of each label is replaced
    by 1/2.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(multi_class_labels=multi_class_labels, logits=logits)
    given = (logits, multi_class_labels, weights)
    with name_scope(scope, "sigmoid_cross_entropy_loss", given) as scope:
        logits = convert_to_tensor(logits)
        labels = cast(multi_class_labels, logits.dtype.base_dtype)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss of exclusive classes: `softmax_cross_entropy_with_logits_v2`, one for each
    sample. No gradient flows to the labels.

    onehot_labels, logits: [batch, classes]. weights: a scalar or [batch]. label_smoothing: how much
    of the labels is replaced by an even distribution.

    Raises:
      ValueError: shapes differ, weights do not fit, or an argument is None.
    """
    check_given(onehot_labels=onehot_labels, logits=logits)
    given = (logits, onehot_labels, weights)
    with name_scope(scope, "softmax_cross_entropy_loss", given) as scope:
        logits = convert_to_tensor(logits)
        labels = cast(onehot_labels, logits.dtype.base_dtype)
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        if label_smoothing > 0:
            classes = cast(shape(labels)[-1], logits.dtype.base_dtype)
            other = label_smoothing / classes
            labels = labels * (1.0 - label_smoothing) + other
        labels = stop_gradient(labels, name="labels_stop_gradient")
        losses = softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = _BY_NONZERO,
) -> Tensor:
    """The weighted loss of exclusive classes given by number:
    `sparse_softmax_cross_entropy_with_logits`.

    labels: [batch …], or with a last axis of extent 1. logits: [batch …, classes]. weights: a
    scalar, [batch …], or with a last axis of extent 1.

    Raises:
      ValueError: shapes do not fit, or an argument is None.
    """
    check_given(labels=labels, logits=logits)
    given = (logits, labels, weights)
    with name_scope(scope, "sparse_softmax_cross_entropy_loss", given) as scope:
        labels, logits = remove_squeezable_dimensions(labels, logits, expected_rank_diff=1)
        if weights is not None:
            weights = _like_labels(convert_to_tensor(weights), labels)
        losses = sparse_softmax_cross_entropy_with_logits(
            labels=labels, logits=logits, name="xentropy"
        )
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction=reduction)


def _like_labels(weights: Tensor, labels: Tensor) -> Tensor:
    """The weights without their last axis, if the labels have one less."""
    known, of_labels = weights.get_shape().ndims, labels.get_shape().ndims
    if known is not None and of_labels is not None:
        return squeeze(weights, [-1]) if known - of_labels == 1 else weights
    if not may_lose_last(weights):
        return weights
    return without_last(weights, equal(1, rank(weights) - rank(labels)))
