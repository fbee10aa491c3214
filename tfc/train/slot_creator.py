"""Slots: the variables that an optimizer keeps beside each variable it updates.

A slot is named after its variable, `layer/weights/Adam`, under the variable scope that is open:
minimize() in a scope `train` makes `train/layer/weights/Adam`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import convert_to_tensor
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.framework.variables import Variable
from tfc.ops import const_ops, init_ops, shape_ops


def create_slot(
    primary: Any,
    value: Callable[[], Any],
    name: str,
    dtype: DType,
    validate_shape: bool = True,
) -> Variable:
    """A variable `<primary>/<name>` that starts as what `value()` makes.

    Raises:
      ValueError: the variable scope only reuses variables.
    """
    return _slot(primary, convert_to_tensor(value(), dtype), name, None, dtype, validate_shape)


def create_constant_slot(
    primary: Any, number: float, name: str, dtype: DType | None = None
) -> Variable:
    """A slot of the shape of `primary` with `number` everywhere. Raises as `create_slot`."""
    kind = primary.dtype.base_dtype if dtype is None else dtype
    shape: TensorShape = primary.get_shape()
    if shape.is_fully_defined():
        return _slot(primary, init_ops.Constant(number, kind), name, shape, kind, True)

    def value() -> Any:
        like = shape_ops.shape(
            primary.initialized_value() if hasattr(primary, "initialized_value") else primary
        )
        return const_ops.fill(like, const_ops.constant(number, dtype=kind))

    return create_slot(primary, value, name, kind, validate_shape=False)


def create_zeros_slot(primary: Any, name: str, dtype: DType | None = None) -> Variable:
    """A slot of the shape of `primary` that starts as zeros. Raises as `create_slot`."""
    return create_constant_slot(primary, 0, name, dtype)


def _slot(
    primary: Any, initializer: Any, name: str, shape: Any, dtype: DType, validate_shape: bool
) -> Variable:
    with variable_scope(None, f"{primary.op.name}/{name}") as scope:
        scope.set_partitioner(None)
        slot: Variable = get_variable(
            "",  # the slot has the name of the scope
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            trainable=False,
            validate_shape=validate_shape,
            use_resource=getattr(primary, "_use_resource", None),
        )
    return slot
