"""`tf.raw_ops`: every op as a function that takes its arguments by keyword only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework import opdef


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of the op called `name`, made when it is asked for."""
    if opdef.find(name) is None:
        raise AttributeError(f"module 'tensorflow.raw_ops' has no attribute {name!r}")

    def function(*, name: str | None = None, **arguments: Any) -> Any:
        return opdef.apply(op, name=name, **arguments)

    op = name
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The op `{op}`: inputs and attributes by keyword."
    return function


def __dir__() -> list[str]:
    return sorted(opdef.all_opdefs())
