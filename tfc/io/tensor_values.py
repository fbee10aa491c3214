"""`tf.make_tensor_proto` and `tf.make_ndarray`: arrays as TensorProto messages and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.dtypes import as_dtype
from tfc.base.shapes import as_shape
from tfc.framework.literals import as_array
from tfc.io.graphdef import tensor_to_proto
from tfc.io.tensor_proto import array_of


def make_tensor_proto(
    values: Any,
    dtype: Any = None,
    shape: Any = None,
    verify_shape: bool = False,
    allow_broadcast: bool = False,
) -> Any:
    """The TensorProto of `values`, of what converts to an array.

    dtype: what they are converted to. shape: what they are put in, the last value as often as
    there is room; with `verify_shape` only if they have it already. Without `verify_shape`,
    `allow_broadcast` changes nothing.

    Raises:
      TypeError: values that are not of `dtype`, or with `verify_shape` of another shape.
      ValueError: more values than the shape holds; both flags.
    """
    if allow_broadcast and verify_shape:
        raise ValueError("allow_broadcast and verify_shape are not both allowed.")
    if hasattr(values, "SerializeToString"):
        return values
    kind = None if dtype is None else as_dtype(dtype)
    array = as_array(
        values, kind, None if shape is None else as_shape(shape).as_list(), verify_shape
    )
    if shape is not None:
        given = as_array(values, kind)
        if given.size != array.size:
            return tensor_to_proto(given, array.shape)
    return tensor_to_proto(array)


def make_ndarray(tensor: Any) -> np.ndarray:
    """The array that a TensorProto holds.

    Raises:
      TypeError: it is of a dtype that has no arrays, or holds what does not fit its shape.
    """
    try:
        return array_of(tensor)
    except ValueError as error:
        raise TypeError(f"Unsupported tensor: {error}") from None
