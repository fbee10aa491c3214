"""Which function gives the gradient of an op: one the user registered, else the definition's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base.location import Location, user_location
from tfc.framework import opdef
from tfc.framework.operation import Operation

GradientFunction = Callable[..., Any]

_registered: dict[str, tuple[GradientFunction | None, Location | None]] = {}


class RegisterGradient:
    """`@tf.RegisterGradient("MyOp")` makes a function `(op, *grads) -> grads` the gradient of an op
    type, or a name to be used in `Graph.gradient_override_map`."""

    def __init__(self, op_type: str):
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, function: GradientFunction) -> GradientFunction:
        _register(self._op_type, function)
        return function


def NotDifferentiable(op_type: str) -> None:
    """Say that nothing flows back through ops of this type."""
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    _register(op_type, None)


NoGradient = NotDifferentiable  # the name in early versions


def _register(name: str, function: GradientFunction | None) -> None:
    if name in _registered:
        raise KeyError(
            f"Registering two gradient with name '{name}'! (Previous registration was in "
            f"{_registered[name][1]})"
        )
    defn = opdef.find(name)
    if defn is not None and defn.grad is not None:
        raise KeyError(
            f"Registering two gradient with name '{name}'! (The op itself defines one; use "
            "Graph.gradient_override_map to take another for some ops)"
        )
    _registered[name] = function, user_location()


def get_gradient_function(op: Operation) -> GradientFunction | None:
    """The gradient function of `op`; None if nothing flows back through it.

    Raises:
      LookupError: nobody has defined one.
    """
    if not op.inputs:
        return None
    if op._gradient_function is not None:
        return op._gradient_function
    name = op._attrs.get("_gradient_op_type", op.type)
    if name in _registered:
        return _registered[name][0]
    defn = op.defn if name == op.type else opdef.find(name)
    if defn is None or defn.grad is None:
        raise LookupError(f"gradient registry has no entry for: {name}")
    rule: GradientFunction = defn.grad
    return rule
