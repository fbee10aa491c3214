"""tf.losses.Reduction and tf.losses.compute_weighted_loss."""

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
from tfc.ops.array_ops import ones_like, rank, size, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, where
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.scan_ops import range_
from tfc.ops.sum_ops import div_no_nan, multiply
from tfc.ops.weight_ops import assert_broadcastable, broadcast_weights


class Reduction:
    """How weighted losses become one number.

    NONE: they do not. SUM: their sum. MEAN: the sum, divided by the sum of the weights.
    SUM_OVER_BATCH_SIZE: divided by the number of losses. SUM_BY_NONZERO_WEIGHTS, also called
    SUM_OVER_NONZERO_WEIGHTS: divided by the number of losses whose weight is not 0.
    """

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """The keys that there are."""
        return (
            cls.NONE,
            cls.SUM,
            cls.MEAN,
            cls.SUM_OVER_BATCH_SIZE,
            cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )

    @classmethod
    def validate(cls, key: Any) -> None:
        """Raises ValueError if there is no such key."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}. Key should be one of {cls.all()}.")


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: Any = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """`losses` times `weights`, reduced to one number of the dtype of the losses.

    weights: a scalar, or of the rank of the losses with each extent 1 or theirs. The loss is added
    to `loss_collection`, unless that is None. Numbers are float32 in between.

    Raises:
      ValueError: the weights do not fit the losses, or there is no such reduction.
      InvalidArgumentError, when run: the same, where shapes were not known.

    Source: tensorflow/python/ops/losses/losses_impl.py.
    """
    Reduction.validate(reduction)
    with (
        name_scope(scope, "weighted_loss", (losses, weights)),
        control_dependencies((assert_broadcastable(weights, losses),)),
    ):
        losses = convert_to_tensor(losses)
        given = losses.dtype.base_dtype
        losses, weights = cast(losses, dtypes.float32), cast(weights, dtypes.float32)
        loss = multiply(losses, weights)
        if reduction != Reduction.NONE:
            loss = reduce_sum(loss)
        if reduction == Reduction.MEAN:
            loss = _divided(loss, reduce_sum(ones_like(losses) * weights))
        elif reduction == Reduction.SUM_BY_NONZERO_WEIGHTS:
            loss = _divided(loss, num_present(losses, weights))
        elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
            loss = _divided(loss, _num_elements(losses))
        loss = cast(loss, given)
        add_loss(loss, loss_collection)
        return loss


def _divided(total: Tensor, count: Tensor) -> Tensor:
    """`total / count`, 0 where there is nothing to count."""
    return div_no_nan(reduce_sum(total), count, name="value")


def _num_elements(losses: Tensor) -> Tensor:
    with name_scope(None, "num_elements", [losses]) as scope:
        return cast(size(losses, name=scope), losses.dtype.base_dtype)


def num_present(losses: Tensor, weights: Any, per_batch: bool = False) -> Tensor:
    """How many of the losses have a weight that is not 0: in all, or per first index, with the
    other axes kept."""
    with name_scope(None, "num_present", (losses, weights)) as scope:
        weights = cast(weights, dtypes.float32)
        present = where(equal(weights, 0.0), zeros_like(weights), ones_like(weights))
        present = broadcast_weights(present, losses)
        if per_batch:
            axes = range_(1, rank(present))
            return reduce_sum(present, axis=axes, keepdims=True, name=scope)
        return reduce_sum(present, name=scope)
