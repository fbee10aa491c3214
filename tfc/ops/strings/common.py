"""What the ops on strings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import TensorShape


def invalid(op: Any, message: str) -> errors.OpError:
    """The InvalidArgumentError to raise at `op`."""
    return errors.InvalidArgumentError(None, op, message)


def same(input: TensorShape) -> list[TensorShape]:
    """The shape rule of ops that go element by element."""
    return [input]


def each(function: Callable[[bytes], Any], strings: np.ndarray, dtype: Any = object) -> np.ndarray:
    """`function` of every string."""
    result = np.empty(strings.size, dtype)
    result[:] = [function(v) for v in strings.ravel()]
    return result.reshape(strings.shape)


def vector(items: list[bytes]) -> np.ndarray:
    """A vector of strings."""
    result = np.empty(len(items), object)
    result[:] = items
    return result


def scalar_text(array: np.ndarray) -> bytes:
    """The one string of a scalar."""
    text: bytes = array.item()
    return text


def shown(text: bytes) -> str:
    """`text` as messages show it."""
    return text.decode("utf-8", "replace")
