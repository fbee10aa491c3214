"""Tensors as they are: several at once, constants that are promised, gradients passed through."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Value
from tfc.ops.common import unchanged
from tfc.ops.custom_gradient import custom_gradient


class GuaranteeConst(OpDef, sig="GuaranteeConst(input: T) -> output: T", T=ANY):
    """`input`, of which the program promises that it never changes."""

    stateful = True
    effects = False
    shape = unchanged

    def lower(build: Any, input: Value) -> Value:
        return input

    def host(input: Any) -> Any:
        return input


def guarantee_const(input: Any, name: str | None = None) -> Tensor:
    """`input`, of which the program promises that it never changes. Nothing is made of it."""
    return apply("GuaranteeConst", input, name=name)


def identity_n(input: Sequence[Any], name: str | None = None) -> list[Tensor]:
    """Tensors as they are, all available at once."""
    return apply("IdentityN", list(input), name=name)


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function like `f` whose gradient is that of the identity: what comes for the result goes to
    the argument as it is, and nothing to the variables that `f` reads.

    Raises:
      ValueError: when gradients are taken of a function of several arguments.
    """

    @custom_gradient
    def passing(*args: Any) -> Any:
        def gradient(*dys: Any, variables: Any = None) -> Any:
            found = dys if len(dys) > 1 else dys[0]
            return found if variables is None else (found, [None] * len(variables))

        return f(*args), gradient

    @functools.wraps(f)
    def wrapped(*args: Any) -> Any:
        return passing(*args)

    return wrapped
