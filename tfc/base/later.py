"""Names that a package has, but loads when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from tfc.base.uninterrupted import Uninterrupted


def table(text: str) -> dict[str, str]:
    """By name, where it is: `module:attribute`. `text` has lines of `module: name name ...`, where
    `name=attribute` is for an attribute of another name; lines that are indented continue one."""
    return {name: f"{module}:{attribute}" for module, name, attribute in _entries(text)}


def modules(text: str) -> dict[str, str]:
    """By name, its module, of a text like that of `table`."""
    return {name: module for module, name, _ in _entries(text)}


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    module = ""
    for word in text.split():
        if word[-1] == ":":
            module = word[:-1]
        else:
            name, _, attribute = word.partition("=")
            yield module, name, attribute or name


def later(package: str, name: str, names: Mapping[str, str]) -> Any:
    """The value of `name` for the `__getattr__` of `package`: what `names` gives for it, a module
    or `module:attribute`. It is the package's attribute from then on.

    Raises:
      AttributeError: `names` has no such name.
    """
    if name not in names:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module, _, attribute = names[name].partition(":")
    with Uninterrupted(None):  # or other threads that load it might wait for ever
        value: Any = import_module(module)
    if attribute:
        value = getattr(value, attribute)
    setattr(sys.modules[package], name, value)
    return value
