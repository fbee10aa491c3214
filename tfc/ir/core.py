"""The SSA data structures: Type, Value, Op, Function, and the immutable array attribute Literal.

Everything here is immutable. Ops are made only by `ir.builder.Builder`; a pass is a function from
Function to Function that shares the ops it leaves alone. There are no use lists and no blocks:
control flow is ops with regions, and a region is a closed Function that takes all it uses as
operands.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Hashable, Iterable
from dataclasses import field
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """`f32[64,784]`: element dtype (short name) and shape.

    `shape` is a tuple of ints; only TensorFlow ops also have None as an extent (unknown) or as
    the whole shape (unknown rank), which is why checkers see `Any`.
    """

    dtype: str
    shape: Any

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements; only for static shapes."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of a dense row-major array of this type."""
        return self.size * dtypes.by_short(self.dtype).size

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[*]"
        return f"{self.dtype}[{','.join('?' if d is None else str(d) for d in self.shape)}]"


class Literal:
    """An immutable array attribute. Equal iff dtype, shape and bits are equal."""

    __slots__ = ("_key", "array")

    def __init__(self, array: Any):
        array = np.array(array, order="C", copy=True)
        array.flags.writeable = False
        self.array = array
        self._key: tuple[Any, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        if self._key is None:
            body = (
                tuple([_element_key(v) for v in self.array.ravel().tolist()])
                if self.array.dtype == object
                else self.array.tobytes()
            )
            self._key = (self.array.dtype.str, self.array.dtype.name, self.array.shape, body)
        return self._key

    @property
    def type(self) -> Type:
        return Type(dtypes.short_of(self.array.dtype), self.array.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Literal({self.array!r})"


def _element_key(value: Any) -> Hashable:
    """What an element of an array of objects is equal by; an array (a variant) by its content."""
    return Literal(value).key if isinstance(value, np.ndarray) else value


def attr_key(value: Any) -> Hashable:
    """A key under which two attributes are equal iff they print alike: Python type and value
    both count, floats by bit pattern (`0.0` is not `-0.0`, `1` is not `True`, a NaN equals itself).
    """
    kind = type(value)
    if kind is int or kind is str or kind is bool:
        return kind, value
    if isinstance(value, tuple):
        return tuple, tuple([attr_key(v) for v in value])
    if isinstance(value, float):
        return float, struct.pack("<d", value)
    if isinstance(value, complex):
        return complex, struct.pack("<dd", value.real, value.imag)
    return kind, value


def attrs_key(attrs: tuple[tuple[str, Any], ...]) -> Hashable:
    """A key under which two attribute lists are equal iff they print alike."""
    return tuple([(name, attr_key(value)) for name, value in attrs])


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor: a function parameter (`op` is None) or result `index` of `op`."""

    type: Type
    op: Op | None = None
    index: int = 0

    def __repr__(self) -> str:
        made_by = "parameter" if self.op is None else f"{self.op.defn.name} result {self.index}"
        return f"<Value {self.type} ({made_by})>"


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One application of a definition to values."""

    defn: Any  # a Prim, or a TensorFlow OpDef: both offer name, infer, effects
    operands: tuple[Value, ...]
    attrs: tuple[tuple[str, Any], ...]  # sorted by name
    regions: tuple[Function, ...] = ()
    loc: str = ""  # name of the TensorFlow op this came from
    results: tuple[Value, ...] = field(init=False, default=())

    def attr(self, name: str) -> Any:
        for key, value in self.attrs:
            if key == name:
                return value
        raise KeyError(name)

    @property
    def result(self) -> Value:
        """The only result."""
        (value,) = self.results
        return value

    @property
    def kwargs(self) -> dict[str, Any]:
        return dict(self.attrs)

    def __repr__(self) -> str:
        types = ", ".join(str(r.type) for r in self.results)
        return f"<Op {self.defn.name}({len(self.operands)} operands) : {types}>"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """Parameters, ops in an order in which they can run, results. Closed."""

    name: str
    params: tuple[Value, ...]
    ops: tuple[Op, ...]
    results: tuple[Value, ...]
    attrs: tuple[tuple[str, Any], ...] = ()  # what passes say of the whole: arena size, donations

    def attr(self, name: str, default: Any = None) -> Any:
        for key, value in self.attrs:
            if key == name:
                return value
        return default

    def __repr__(self) -> str:
        return f"<Function {self.name}: {len(self.params)} params, {len(self.ops)} ops>"


def sorted_attrs(attrs: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Attributes in the one order that Op and Function hold them in."""
    return tuple(sorted(attrs, key=lambda attr: attr[0]))
