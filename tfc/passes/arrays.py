"""TensorArrays that are no one value: what lowering and plans know them by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.ir.core import Type, Value


@dataclass(frozen=True, eq=False)
class Elements:
    """A TensorArray of `size` elements that is no one value: each written element by itself.

    shape: of the elements that are missing, which are zeros then; None if nothing tells.
    """

    dtype: str
    size: int
    items: Mapping[int, Value] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None

    @property
    def type(self) -> None:
        """There is none."""
        return None


@dataclass(frozen=True)
class Element:
    """Element `index` of the TensorArray `array`. A tensor in all that plans ask of one."""

    array: Any
    index: int

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def op(self) -> Any:
        return self.array.op

    @property
    def name(self) -> str:
        return f"{self.array.name}[{self.index}]"


@dataclass(frozen=True)
class Count:
    """How often the loop `owner` runs, or how many rows another op's result has. A tensor in all
    that plans ask of one."""

    owner: Any
    dtype: Any = dtypes.int32

    @property
    def op(self) -> Any:
        return self.owner

    @property
    def name(self) -> str:
        return f"{self.owner.name}/count"


def zeros(build: Any, type: Type) -> Value:
    """Zeros of `type`."""
    made: Value = p.splat(build, False if type.dtype == "i1" else 0, type)
    return made


def stacked(build: Any, array: Any) -> Any:
    """The array as one value, zeros where nothing was written; as it is if its elements differ in
    shape, or nothing tells what they are."""
    if not isinstance(array, Elements):
        return array
    shapes = {v.type.shape for v in array.items.values()}
    if array.shape is not None:
        shapes.add(array.shape)
    if len(shapes) != 1:
        return array
    shape = shapes.pop()
    rows = {k: p.reshape(build, v, shape=(1, *shape)) for k, v in array.items.items()}
    if rows and len(rows) == array.size:
        return p.concat(build, *(rows[k] for k in range(array.size)), dim=0)
    result = zeros(build, Type(array.dtype, (array.size, *shape)))
    for k, row in rows.items():
        starts = [p.constant(build, at) for at in (k, *[0] * len(shape))]
        result = p.dynamic_update_slice(build, result, row, *starts)
    return result
