"""tf.confusion_matrix."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.ops.array_ops import ones_like, scatter_nd, stack
from tfc.ops.cast_ops import cast
from tfc.ops.check_ops import assert_less, assert_non_negative
from tfc.ops.control_ops import with_dependencies
from tfc.ops.reduction_ops import reduce_max
from tfc.ops.sum_ops import maximum
from tfc.ops.weight_ops import remove_squeezable_dimensions


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
    weights: Any = None,
) -> Tensor:
    """[classes, classes]: how often each class was predicted, column, for each label, row.

    labels, predictions: vectors of classes. num_classes: one more than the greatest class there is
    if None. weights: a number for each pair, counted instead of 1.

    Raises:
      ValueError: shapes do not fit.
      InvalidArgumentError, when run: a class is negative or beyond the last.

    Source: tensorflow/python/ops/confusion_matrix.py.
    """
    with name_scope(name, "confusion_matrix", (predictions, labels, num_classes, weights)) as name:
        labels, predictions = remove_squeezable_dimensions(
            convert_to_tensor(labels, name="labels"),
            convert_to_tensor(predictions, name="predictions"),
        )
        predictions, labels = cast(predictions, dtypes.int64), cast(labels, dtypes.int64)
        negative = "`{}` contains negative values"
        labels = with_dependencies(
            [assert_non_negative(labels, message=negative.format("labels"))], labels
        )
        predictions = with_dependencies(
            [assert_non_negative(predictions, message=negative.format("predictions"))], predictions
        )
        if num_classes is None:
            num_classes = maximum(reduce_max(predictions), reduce_max(labels)) + 1
        else:
            bound = cast(num_classes, dtypes.int64)
            labels = with_dependencies(
                [assert_less(labels, bound, message="`labels` out of bound")], labels
            )
            predictions = with_dependencies(
                [assert_less(predictions, bound, message="`predictions` out of bound")], predictions
            )
        if weights is None:
            values = ones_like(predictions, dtype)
        else:
            weights = convert_to_tensor(weights, name="weights")
            predictions.get_shape().assert_is_compatible_with(weights.get_shape())
            values = cast(weights, dtype)
        extents = stack([num_classes, num_classes])
        places = stack([labels, predictions], axis=1)
        return scatter_nd(indices=places, updates=values, shape=cast(extents, dtypes.int64))
