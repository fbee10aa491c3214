"""Regularizers of `tf.contrib.layers`: functions from weights to what is added to the loss."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from tfc.framework.graph import (
    GraphKeys,
    Tensor,
    add_to_collection,
    convert_to_tensor,
    get_collection,
    name_scope,
)
from tfc.ops.array_ops import constant
from tfc.ops.nn_functions import l2_loss
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.sum_ops import add_n, multiply
from tfc.ops.unary_api import abs_

Regularizer = Callable[..., Tensor | None]


def _disabled(scale: Any, name: str = "scale") -> bool:
    """Whether a scale is 0.

    Raises:
      ValueError: it is an integer or negative.
    """
    if isinstance(scale, numbers.Integral):
        raise ValueError(f"{name} cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real):
        if float(scale) < 0.0:
            raise ValueError(f"Setting a scale less than 0 on a regularizer: {float(scale):g}")
        return float(scale) == 0.0
    return False


def _scaled(
    scale: Any, scope: str | None, default: str, size: Callable[..., Tensor]
) -> Regularizer:
    if _disabled(scale):
        return lambda _: None

    def regularizer(weights: Any) -> Tensor:
        with name_scope(scope, default, [weights]) as name:
            factor = convert_to_tensor(scale, dtype=weights.dtype.base_dtype, name="scale")
            return multiply(factor, size(weights), name=name)

    return regularizer


def l1_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """`scale` times the sum of the absolute weights; None for a scale of 0.

    Raises:
      ValueError: the scale is an integer or negative.

    Source: tensorflow/contrib/layers/python/layers/regularizers.py.
    """
    return _scaled(scale, scope, "l1_regularizer", lambda w: reduce_sum(abs_(w)))


def l2_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """`scale` times half the sum of the squared weights; None for a scale of 0.

    Raises:
      ValueError: the scale is an integer or negative.
    """
    return _scaled(scale, scope, "l2_regularizer", l2_loss)


def l1_l2_regularizer(
    scale_l1: Any = 1.0, scale_l2: Any = 1.0, scope: str | None = None
) -> Regularizer | None:
    """The sum of both regularizers; one that has a scale of 0 is left out.

    Raises:
      ValueError: a scale is an integer or negative.
    """
    scope = scope or "l1_l2_regularizer"
    if _disabled(scale_l1, "scale_l1"):
        return l2_regularizer(scale_l2, scope)
    if _disabled(scale_l2, "scale_l2"):
        return l1_regularizer(scale_l1, scope)
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope=scope)


def sum_regularizer(
    regularizer_list: Sequence[Regularizer | None], scope: str | None = None
) -> Regularizer | None:
    """The sum of regularizers, of which those that are None, or give None, are left out; None if
    there are no others."""
    given = [regularizer for regularizer in regularizer_list if regularizer is not None]
    if not given:
        return None

    def regularizer(weights: Any) -> Tensor | None:
        with name_scope(scope, "sum_regularizer", [weights]) as name:
            losses = [loss for loss in (one(weights) for one in given) if loss is not None]
            return add_n(losses, name=name) if losses else None

    return regularizer


def apply_regularization(
    regularizer: Regularizer, weights_list: Sequence[Any] | None = None
) -> Tensor:
    """The sum of a regularizer over weights, those of the collection `WEIGHTS` if none are given.
    It goes to the collection of regularization losses.

    Raises:
      ValueError: there are no weights, or the regularizer returns no scalar.
    """
    weights_list = weights_list or get_collection(GraphKeys.WEIGHTS)
    if not weights_list:
        raise ValueError("No weights to regularize.")
    with name_scope("get_regularization_penalty", values=weights_list) as scope:
        losses = [regularizer(weights) for weights in weights_list]
        penalties = [constant(0.0) if loss is None else loss for loss in losses]
        for penalty in penalties:
            rank = penalty.get_shape().ndims
            if rank != 0:
                raise ValueError(
                    f"regularizer must return a scalar Tensor instead of a Tensor with rank {rank}."
                )
        total = add_n(penalties, name=scope)
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
        return total
