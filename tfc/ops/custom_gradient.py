"""tf.custom_gradient: a function of tensors that says itself what its gradient is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, get_default_graph
from tfc.framework.opdef import ANY, OpDef, apply_op
from tfc.framework.variable_lists import global_variables, local_variables
from tfc.ir.core import Value
from tfc.ops.const_ops import identity


class IdentityN(OpDef, sig="IdentityN(input: [T]) -> output: [T]", T=ANY):
    """Several tensors as they are; with an overridden gradient, the frame of `custom_gradient`."""

    def shape(*inputs: TensorShape) -> list[TensorShape]:
        return list(inputs)

    def grad(op: Any, *dys: Any) -> list[Any]:
        return list(dys)

    def lower(build: Any, *inputs: Value) -> tuple[Value, ...]:
        return inputs

    def host(*inputs: Any) -> tuple[Any, ...]:
        return inputs


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a function that returns `(result, grad_fn)`.

    `grad_fn(*dresults)` returns a gradient for each argument. If `f` makes variables, or reads some
    that were made with `use_resource`, it also takes `variables=` and returns `(gradients,
    gradients of variables)`.

    Raises:
      TypeError: the decorated function is called with keyword arguments.
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise ValueError(
                "The custom_gradient decorator currently supports keywords arguments only when "
                "eager execution is enabled."
            )
        return _framed(f, [identity(convert_to_tensor(a)) for a in args])

    return decorated


def _framed(f: Callable[..., Any], args: list[Tensor]) -> Any:
    graph = get_default_graph()
    before, count = set(_variables()), len(graph.get_operations())
    result, grad_fn = f(*args)
    read = {t for op in graph.get_operations()[count:] for t in op.inputs}
    variables = [v for v in _variables() if v not in before or _watched(v, read)]
    many = isinstance(result, list | tuple)
    results = [convert_to_tensor(r) for r in (result if many else [result])]
    reads = [v.value() for v in variables]

    def gradient(op: Any, *dys: Any) -> list[Any]:
        given = dys[: len(results)]
        if variables:
            found, of_variables = grad_fn(*given, variables=variables)
        else:
            found, of_variables = grad_fn(*given), []
        found = list(found) if isinstance(found, list | tuple) else [found]
        if len(found) != len(args) or len(of_variables) != len(variables):
            raise ValueError(
                f"the gradient function of {f.__name__} returns {len(found)} gradients for "
                f"{len(args)} arguments and {len(of_variables)} for {len(variables)} variables"
            )
        return [None] * len(results) + found + list(of_variables)

    frame = apply_op("IdentityN", [*results, *args, *reads])
    frame._gradient_function = gradient
    outputs = frame.outputs[: len(results)]
    return type(result)(outputs) if many else outputs[0]


def _watched(variable: Any, read: set[Tensor]) -> bool:
    """Whether a variable of which TensorFlow watches the reads is read as one of these tensors."""
    watched = getattr(variable, "_use_resource", False) and variable.trainable
    return watched and not read.isdisjoint((variable._ref(), variable.value()))


def _variables() -> list[Any]:
    return [*global_variables(), *local_variables()]
