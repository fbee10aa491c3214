"""Names that a package has, but loads when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def later(package: str, name: str, names: Mapping[str, str]) -> Any:
    """The value of `name` for the `__getattr__` of `package`: what `names` gives for it, a module
    or `module:attribute`. It is the package's attribute from then on.

    Raises:
      AttributeError: `names` has no such name.
    """
    if name not in names:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module, _, attribute = names[name].partition(":")
    value: Any = import_module(module)
    if attribute:
        value = getattr(value, attribute)
    setattr(sys.modules[package], name, value)
    return value
