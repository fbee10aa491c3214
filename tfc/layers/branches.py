"""Either of two functions, by a condition that may be known when the graph is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.framework.graph import Tensor
from tfc.framework.tensor_util import constant_value
from tfc.ops.cond_functions import cond


def known(condition: Any) -> bool | None:
    """The condition, None if it is only known when run. No condition at all is False, as is the
    learning phase of TensorFlow that stands for it there, unless it is set.

    Raises:
      TypeError: it is no bool, 0, 1 or bool tensor.
    """
    if hasattr(condition, "_ref") or isinstance(condition, Tensor):
        value = constant_value(condition) if isinstance(condition, Tensor) else None
        return None if value is None else bool(value)
    if condition is None or (np.ndim(condition) == 0 and condition in (0, 1)):
        return bool(condition)
    raise TypeError(
        f"`pred` must be a Tensor, or a Python bool, or 1 or 0. Found instead: {condition}"
    )


def branch(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """What `yes` returns if the condition holds, else what `no` returns.

    Raises:
      TypeError: the condition is no bool, 0, 1 or bool tensor.
    """
    decided = known(condition)
    if decided is None:
        return cond(condition, yes, no)
    return yes() if decided else no()
