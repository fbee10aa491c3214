"""Initializers of `tf.contrib.layers`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor
from tfc.ops.init_ops import fans
from tfc.ops.random_ops import random_uniform, truncated_normal


def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: Any = dtypes.float32,
) -> Callable[..., Tensor]:
    """An initializer of variance `factor / n`, where n is the number of inputs (FAN_IN), of outputs
    (FAN_OUT), or their mean (FAN_AVG).

    uniform: in [-a, a]; else a normal distribution cut off at two standard deviations, of which
    1.3 times the variance is drawn to make up for that.

    Raises:
      TypeError: the dtype is not floating, or there is no such mode.

    Source: tensorflow/contrib/layers/python/layers/initializers.py.
    """
    if not dtypes.as_dtype(dtype).is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")
    kind = dtype

    def initializer(shape: Any, dtype: Any = kind, partition_info: Any = None) -> Tensor:
        if not dtypes.as_dtype(dtype).is_floating:
            raise TypeError("Cannot create initializer for non-floating point type.")
        inputs, outputs = fans([int(d) for d in shape])
        n = {"FAN_IN": inputs, "FAN_OUT": outputs, "FAN_AVG": (inputs + outputs) / 2.0}[mode]
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return random_uniform(shape, -limit, limit, dtype, seed=seed)
        return truncated_normal(shape, 0.0, math.sqrt(1.3 * factor / n), dtype, seed=seed)

    return initializer


def xavier_initializer(
    uniform: bool = True, seed: int | None = None, dtype: Any = dtypes.float32
) -> Callable[..., Tensor]:
    """`variance_scaling_initializer` of factor 1 and mode FAN_AVG."""
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)


xavier_initializer_conv2d = xavier_initializer
