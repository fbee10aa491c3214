"""Entries of shapes, whether they are Dimensions or plain numbers."""

from __future__ import annotations

from typing import Any

from tfc.base.shapes import Dimension, TensorShape


def dimension_value(dimension: Any) -> int | None:
    """The number of a Dimension, None if it is unknown; anything else as it is."""
    return dimension.value if isinstance(dimension, Dimension) else dimension


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    """The Dimension of `shape` at `index`, an unknown one if its rank is unknown."""
    return Dimension(None) if shape.ndims is None else Dimension(dimension_value(shape[index]))
