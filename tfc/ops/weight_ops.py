"""Weights of losses and metrics: which shapes they may have, and their expansion to the values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.framework.graph import (
    Operation,
    Tensor,
    control_dependencies,
    convert_to_tensor,
    name_scope,
)
from tfc.ops import control_ops
from tfc.ops.array_ops import ones_like, rank, reshape, shape, squeeze
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, logical_and, logical_or
from tfc.ops.reduction_ops import reduce_all
from tfc.ops.sum_ops import minimum, multiply

_PREFIX = "weights can not be broadcast to values."


def assert_broadcastable(weights: Any, values: Any) -> Operation:
    """An op that fails the run unless `weights` is a scalar, or of the rank of `values` with each
    extent 1 or that of the values. A no-op where the shapes are known.

    Raises:
      ValueError: known shapes do not fit.

    Source: tensorflow/python/ops/weights_broadcast_ops.py.
    """
    with name_scope(None, "assert_broadcastable", (weights, values)) as scope:
        weights, weights_shape, weights_rank = _measured("weights", weights)
        values, values_shape, values_rank = _measured("values", values)
        given, wanted = weights.get_shape(), values.get_shape()
        if given.ndims == 0:
            return control_ops.no_op(name="static_scalar_check_success")
        if given.ndims is not None and wanted.ndims is not None:
            _check_static(weights, values)
            if given.is_fully_defined() and wanted.is_fully_defined():
                return control_ops.no_op(name="static_dims_check_success")
        is_scalar = equal(0, weights_rank, name="is_scalar")
        # Slices of equal lengths can be compared whatever the ranks are.
        common = minimum(weights_rank, values_rank)
        few, many = weights_shape[:common], values_shape[:common]
        fits = reduce_all(logical_or(equal(few, 1), equal(few, many)))
        same_rank = equal(values_rank, weights_rank, name="is_same_rank")
        valid = logical_or(is_scalar, logical_and(same_rank, fits), name="is_valid_shape")
        data = (
            _PREFIX,
            "weights.shape=", weights.name, weights_shape,
            "values.shape=", values.name, values_shape,
            "is_scalar=", is_scalar,
        )  # fmt: skip
        return control_ops.Assert(valid, data, name=scope)


def _measured(name: str, value: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A value as a tensor, its shape and its rank."""
    with name_scope(None, name, (value,)) as scope:
        tensor = convert_to_tensor(value, name=scope)
        return tensor, shape(tensor, name="shape"), rank(tensor, name="rank")


def _check_static(weights: Tensor, values: Tensor) -> None:
    given, wanted = weights.get_shape(), values.get_shape()
    if given.ndims != wanted.ndims:
        raise ValueError(
            f"{_PREFIX} values.rank={wanted.ndims}. weights.rank={given.ndims}. "
            f"values.shape={wanted}. weights.shape={given}."
        )
    if not (given.is_fully_defined() and wanted.is_fully_defined()):
        return
    for at, (one, other) in enumerate(zip(given.as_list(), wanted.as_list(), strict=True)):
        if one not in (1, other):
            raise ValueError(
                f"{_PREFIX} Mismatch at dim {at}. values.shape={np.array(wanted.as_list())}, "
                f"weights.shape={np.array(given.as_list())}."
            )


def broadcast_weights(weights: Any, values: Any) -> Tensor:
    """`weights`, of the dtype of `values`, expanded to their shape.

    Raises:
      ValueError: as `assert_broadcastable`.
    """
    with name_scope(None, "broadcast_weights", (weights, values)) as scope:
        values = convert_to_tensor(values, name="values")
        weights = convert_to_tensor(weights, dtype=values.dtype.base_dtype, name="weights")
        given, wanted = weights.get_shape(), values.get_shape()
        if given.is_fully_defined() and wanted.is_fully_defined() and given == wanted:
            return weights
        with control_dependencies((assert_broadcastable(weights, values),)):
            return multiply(weights, ones_like(values), name=scope)


def without_last(x: Tensor, condition: Any) -> Tensor:
    """`x` without its last axis, which must be of extent 1, where the condition holds.

    The rank of the result is not known; so it is no condition between two ops.
    """
    with name_scope(None, "cond", (x, condition)):
        dims = shape(x)
        return reshape(x, dims[: rank(x) - cast(condition, dims.dtype)])


def remove_squeezable_dimensions(
    labels: Any, predictions: Any, expected_rank_diff: int = 0, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(labels, predictions), the one whose rank is too high by one without its last axis.

    expected_rank_diff: of the predictions, beyond that of the labels. An axis that is known not to
    be of extent 1 stays.

    Source: tensorflow/python/ops/confusion_matrix.py.
    """
    with name_scope(name, "remove_squeezable_dimensions", [labels, predictions]):
        predictions = convert_to_tensor(predictions)
        labels = convert_to_tensor(labels)
        more, fewer = expected_rank_diff + 1, expected_rank_diff - 1
        of_labels, of_predictions = labels.get_shape(), predictions.get_shape()
        if of_labels.ndims is not None and of_predictions.ndims is not None:
            known = of_predictions.ndims - of_labels.ndims
            if known == more and of_predictions[-1].is_compatible_with(1):
                predictions = squeeze(predictions, [-1])
            elif known == fewer and of_labels[-1].is_compatible_with(1):
                labels = squeeze(labels, [-1])
            return labels, predictions
        found = rank(predictions) - rank(labels)
        if may_lose_last(predictions):
            predictions = without_last(predictions, equal(more, found))
        if may_lose_last(labels):
            labels = without_last(labels, equal(fewer, found))
        return labels, predictions


def may_lose_last(x: Tensor) -> bool:
    """Whether there may be a last axis, of extent 1."""
    known = x.get_shape()
    return known.ndims is None or (known.ndims > 0 and known[-1].is_compatible_with(1))
