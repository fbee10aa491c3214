"""Residuals: what a loop or a condition keeps of its body for the gradient.

A gradient region takes tensors of the region that it differentiates. For each, the op `Residual`
beside the owner stands for its values in all iterations; it names the tensor, so nothing is added
to the owner, which is lowered to keep just what the Residual ops of one function ask for: an array
with an entry an iteration. What never changes in the loop is kept once, as a `Kept` without an
axis for the iterations; who cannot take that gets the array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.ir.core import Type, Value
from tfc.passes.lower_errors import NotNative


@dataclass(frozen=True)
class Level:
    """A loop around a kept value: how many entries its array has (None: unknown), and whether the
    value has an axis for them (if not, it is the same in every iteration)."""

    entries: int | None
    stored: bool


@dataclass(frozen=True)
class Kept:
    """A value that iterations of one or more loops kept, outermost first; at least one of the
    levels is not stored, else it is an ordinary value."""

    value: Value
    levels: tuple[Level, ...]

    @property
    def type(self) -> Type:
        """The type of the whole array."""
        shape = list(self.value.type.shape)
        for axis, level in enumerate(self.levels):
            if not level.stored:
                if level.entries is None:
                    raise NotNative("how many entries a residual has is not known")
                shape.insert(axis, level.entries)
        return Type(self.value.type.dtype, tuple(shape))


def kept(value: Any, level: Level) -> Any:
    """`value`, itself perhaps kept by inner loops, as a loop around keeps it."""
    inner = value.levels if isinstance(value, Kept) else ()
    value = value.value if isinstance(value, Kept) else value
    levels = (level, *inner)
    if all(each.stored for each in levels):
        return value
    return Kept(value, levels)


def content(value: Any) -> Value:
    """What has to be stored of a value that may be kept."""
    found: Value = value.value if isinstance(value, Kept) else value
    return found


def dense(build: Any, value: Any) -> Any:
    """The whole array of a kept value; anything else as it is."""
    if not isinstance(value, Kept):
        return value
    type = value.type
    places = [axis for axis, level in enumerate(value.levels) if level.stored]
    places += range(len(value.levels), len(type.shape))
    return p.broadcast(build, value.value, shape=type.shape, dims=tuple(places))


def entry(build: Any, value: Any, index: Value) -> Any:
    """What was kept in iteration `index`."""
    if isinstance(value, Kept):
        first, *inner = value.levels
        if not first.stored:
            return Kept(value.value, tuple(inner)) if _some(inner) else value.value
        return Kept(entry(build, value.value, index), tuple(inner))
    shape = value.type.shape
    zero = p.constant(build, np.zeros((), np.int32))
    starts = [index, *[zero] * (len(shape) - 1)]
    one = p.dynamic_slice(build, value, *starts, sizes=(1, *shape[1:]))
    return p.reshape(build, one, shape=shape[1:])


def _some(levels: Sequence[Level]) -> bool:
    """Whether a value with these levels is less than its whole array."""
    return any(not level.stored for level in levels)


def residuals_among(ops: Iterable[Any]) -> dict[Any, list[Any]]:
    """By owner, the tensors of its regions that Residual ops among `ops` ask for."""
    found: dict[Any, list[Any]] = {}
    for op in ops:
        if op.type == "Residual":
            found.setdefault(op._attrs["_owner"], []).append(op._attrs["_tensor"])
    return found


def counted_among(ops: Iterable[Any]) -> set[Any]:
    """Owners of the LoopCount ops among `ops`."""
    return {op._attrs["_owner"] for op in ops if op.type == "LoopCount"}
