"""tf.contrib.seq2seq.sequence_loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor, name_scope
from tfc.ops.array_ops import reshape, shape
from tfc.ops.cast_ops import cast
from tfc.ops.reduction_ops import count_nonzero, reduce_sum
from tfc.ops.sum_ops import div_no_nan
from tfc.ops.xent_ops import sparse_softmax_cross_entropy_with_logits


def sequence_loss(
    logits: Any,
    targets: Any,
    weights: Any,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    sum_over_timesteps: bool = False,
    sum_over_batch: bool = False,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """The weighted cross-entropy of sequences.

    logits: [batch, time, classes]; targets: [batch, time], classes; weights: [batch, time].
    average_across_timesteps, average_across_batch: over which axes it is summed and divided by
    the sum of the weights. sum_over_timesteps, sum_over_batch: likewise, but divided by how many
    weights are not zero. softmax_loss_function: a function of (labels, logits) in place of the
    sparse softmax cross-entropy.

    Returns a scalar for both axes, a vector for one, [batch, time] for none.

    Raises:
      ValueError: ranks are others, or an axis is to be averaged and summed.

    Source: tensorflow/contrib/seq2seq/python/ops/loss.py.
    """
    if len(logits.get_shape()) != 3:
        raise ValueError("Logits must be a [batch_size x sequence_length x logits] tensor")
    if len(targets.get_shape()) != 2:
        raise ValueError("Targets must be a [batch_size x sequence_length] tensor")
    if len(weights.get_shape()) != 2:
        raise ValueError("Weights must be a [batch_size x sequence_length] tensor")
    for axis, average, total in (
        ("timesteps", average_across_timesteps, sum_over_timesteps),
        ("batch", average_across_batch, sum_over_batch),
    ):
        if average and total:
            raise ValueError(
                f"average_across_{axis} and sum_over_{axis} cannot be set to True at same time."
            )
    with name_scope(name, "sequence_loss", [logits, targets, weights]):
        flat_logits = reshape(logits, [-1, shape(logits)[2]])
        flat_targets = reshape(targets, [-1])
        loss = softmax_loss_function or sparse_softmax_cross_entropy_with_logits
        losses = loss(labels=flat_targets, logits=flat_logits) * reshape(weights, [-1])
        if average_across_timesteps and average_across_batch:
            return div_no_nan(reduce_sum(losses), reduce_sum(weights))
        if sum_over_timesteps and sum_over_batch:
            count = cast(count_nonzero(weights), losses.dtype)
            return div_no_nan(reduce_sum(losses), count)
        losses = reshape(losses, shape(logits)[0:2])
        if average_across_timesteps or average_across_batch:
            axes = [0] if average_across_batch else [1]
            return div_no_nan(reduce_sum(losses, axes), reduce_sum(weights, axes))
        if sum_over_timesteps or sum_over_batch:
            axes = [0] if sum_over_batch else [1]
            count = cast(count_nonzero(weights, axis=axes), losses.dtype)
            return div_no_nan(reduce_sum(losses, axes), count)
        return losses
