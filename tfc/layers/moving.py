"""Moving averages that layers keep."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor, colocate_with, convert_to_tensor, name_scope
from tfc.ops.cast_ops import cast
from tfc.ops.state_ops import assign_sub


def add_to_average(variable: Any, value: Any, momentum: Any) -> Tensor:
    """variable -= (1 - momentum) (variable - value); the result is the variable after that."""
    with name_scope(None, "AssignMovingAvg", [variable, value, momentum]) as scope:
        dtype = variable.dtype.base_dtype
        with colocate_with(variable.op):
            decay = cast(convert_to_tensor(1.0 - momentum, name="decay"), dtype)
            step = (convert_to_tensor(variable) - cast(value, dtype)) * decay
            result: Tensor = assign_sub(variable, step, name=scope)
            return result
