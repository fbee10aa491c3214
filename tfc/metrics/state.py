"""What metrics share: their variables, the shapes of their arguments, the collections.

A metric is a pair of tensors: its value, from local variables, and an op that adds a batch to the
variables and gives the value after that.

Source: tensorflow/python/ops/metrics_impl.py.
"""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import GraphKeys, Tensor, convert_to_tensor, name_scope
from tfc.framework.graph import add_to_collections as add_to
from tfc.framework.variables import Variable
from tfc.ops.array_ops import concat, expand_dims, identity, rank, reshape, shape, squeeze
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal
from tfc.ops.const_ops import ones, zeros
from tfc.ops.weight_ops import may_lose_last, remove_squeezable_dimensions, without_last

Metric = tuple[Tensor, Tensor]


def metric_variable(extents: Any, dtype: Any, name: str) -> Variable:
    """A variable of zeros, of this process only, that is not trained."""
    return Variable(
        lambda: zeros(extents, dtype),
        trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES],
        name=name,
    )


def publish(collections: Any, value: Any) -> None:
    """Put a result into the collections that were asked for."""
    if collections:
        add_to(collections, value)


def read(variable: Variable, collections: Any) -> Tensor:
    """What a variable holds, as the value of a metric."""
    value = identity(variable)
    publish(collections, value)
    return value


def fitted(predictions: Any, labels: Any, weights: Any) -> tuple[Tensor, Any, Any]:
    """(predictions, labels, weights), where ranks that differ by one are made equal: a last axis of
    extent 1 goes, or the weights get one. Labels and weights may be None.

    Raises:
      ValueError: predictions and labels differ in shape.
    """
    predictions = convert_to_tensor(predictions)
    if labels is not None:
        labels, predictions = remove_squeezable_dimensions(labels, predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    if weights is None:
        return predictions, labels, None
    weights = convert_to_tensor(weights)
    known, wanted = weights.get_shape().ndims, predictions.get_shape().ndims
    if known is not None and (known == 0 or wanted is not None):
        if wanted is not None and known - wanted == 1:
            weights = squeeze(weights, [-1])
        elif known > 0 and wanted is not None and wanted - known == 1:
            weights = expand_dims(weights, [-1])
        return predictions, labels, weights
    difference = rank(weights) - rank(predictions)
    scalar = equal(rank(weights), 0)
    if may_lose_last(weights):
        weights = without_last(weights, equal(difference, 1))
    missing = cast(equal(difference, -1), dtypes.int32) * (1 - cast(scalar, dtypes.int32))
    return predictions, labels, with_last(weights, missing)


def with_last(x: Tensor, count: Any) -> Tensor:
    """`x` with `count` more axes of extent 1 at its end."""
    with name_scope(None, "cond", (x, count)):
        added = ones(reshape(count, [1]), dtypes.int32)
        return reshape(x, concat([shape(x), added], 0))


def flat(x: Any) -> Tensor:
    """`x` as a vector."""
    x = convert_to_tensor(x)
    return x if x.get_shape().ndims == 1 else reshape(x, [-1])
