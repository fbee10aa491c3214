"""LLVM values: how text refers to them, their types, and constants."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class V(NamedTuple):
    """An LLVM value: how it is referred to, and its type."""

    ref: str
    type: str


def vec(element: str, lanes: int) -> str:
    """The type of a packet of `lanes` elements; one lane is the element itself."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def lanes_of(type: str) -> int:
    return int(type[1 : type.index(" ")]) if type[0] == "<" else 1


def element_of(type: str) -> str:
    return type[type.index(" x ") + 3 : -1] if type[0] == "<" else type


_SUFFIX = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16", "ptr": "p0"}


def suffix(type: str) -> str:
    """How a type is spelled in the name of an overloaded intrinsic: `v16f32`."""
    element = element_of(type)
    name = _SUFFIX.get(element, element)
    return f"v{lanes_of(type)}{name}" if type[0] == "<" else name


def is_float(type: str) -> bool:
    return element_of(type) in ("float", "double", "half")


def scalar_text(element: str, value: Any) -> str:
    """The constant `value` of a scalar type, exactly (floats as the bits of a double)."""
    if element == "i1":
        return "true" if value else "false"
    if element in ("float", "double"):
        number = float(np.float32(value)) if element == "float" else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    return str(int(value))


def const(type: str, value: Any) -> V:
    """`value` in every lane."""
    element = element_of(type)
    text = scalar_text(element, value)
    return V(text if type[0] != "<" else f"splat ({element} {text})", type)


def vector_const(element: str, values: Sequence[Any]) -> V:
    """A packet constant, lane by lane."""
    if len(values) == 1:
        return const(element, values[0])
    body = ", ".join(f"{element} {scalar_text(element, v)}" for v in values)
    return V(f"<{body}>", vec(element, len(values)))


def i64(value: int) -> V:
    return V(str(value), "i64")
