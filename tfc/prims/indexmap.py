"""Which elements of its operands a result element is made of: found by running each primitive's
`emit` on a symbolic emitter, so known and not guessed. `fuse`, `parallel` and the in-place check
ask here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base.records import dataclass
from tfc.ir.core import Literal, Op, Type, attrs_key


@dataclass(frozen=True, slots=True)
class IndexMap:
    """Operand axis a is read at `consts[a] + sum(coefs[a][d] * i[d])` for result index i, of a
    result of `shape` from an operand of `operand` shape."""

    coefs: tuple[tuple[int, ...], ...]
    consts: tuple[int, ...]
    shape: tuple[int, ...]
    operand: tuple[int, ...]

    @property
    def is_identity(self) -> bool:
        """Result element i is made of operand element i alone."""
        unit = all(
            consts == 0 and all(c == (a == d) for d, c in enumerate(coefs))
            for a, (coefs, consts) in enumerate(zip(self.coefs, self.consts, strict=True))
        )
        return unit and self.shape == self.operand

    @property
    def reads_once(self) -> bool:
        """No operand element is read for two result elements."""
        moved = {d for coefs in self.coefs if _one(coefs) for d, c in enumerate(coefs) if c}
        return all(d in moved for d, n in enumerate(self.shape) if n > 1)


def _one(coefs: tuple[int, ...]) -> bool:
    return sum(c != 0 for c in coefs) == 1


def operand_map(op: Op, k: int) -> IndexMap | None:
    """How `op` reads its operand k; None if that is not one affine map (several reads, computed
    indices, a reduction, or an op that owns its loops)."""
    return _reads(op)[k].map


def operand_maps(op: Op) -> list[IndexMap | None]:
    """`operand_map` of every operand, in the time of one: an op may have thousands."""
    return [read.map for read in _reads(op)]


def reads_once(op: Op, k: int) -> bool:
    """Whether every element of operand k is known to be read for at most one result element. An
    op that is no pure index map, such as reshape, may also be one-to-one."""
    return _reads(op)[k].once


@dataclass(frozen=True, slots=True)
class _Read:
    map: IndexMap | None
    once: bool


# What was found, by all that decides it. The ops themselves are not kept: they keep functions.
_found: dict[tuple[Any, ...], tuple[_Read, ...]] = {}
_MOST_FOUND = 4096


def _reads(op: Op) -> tuple[_Read, ...]:
    if op.defn.emit is None or len(op.results) != 1:
        return (_Read(None, False),) * len(op.operands)
    types = tuple(v.type for v in op.operands)
    key = op.defn, types, op.result.type, attrs_key(op.attrs)
    found = _found.get(key)
    if found is None:
        if len(_found) >= _MOST_FOUND:
            _found.clear()
        found = _found[key] = _read_symbolically(op)
    return found


def _read_symbolically(op: Op) -> tuple[_Read, ...]:
    assert op.defn.emit is not None
    shape = op.result.type.shape
    index = tuple(Affine.axis(d, n) for d, n in enumerate(shape))
    elements = [_Element(v.type) for v in op.operands]
    op.defn.emit(_SymbolicEmitter(), index, *elements, **op.kwargs)
    return tuple(_summary(e, shape) for e in elements)


def _summary(element: _Element, shape: tuple[int, ...]) -> _Read:
    reads = set(element.reads)
    if not reads:
        return _Read(None, True)
    if len(reads) > 1:
        return _Read(None, False)
    (index,) = reads
    rank = len(shape)
    if all(isinstance(i, Affine) for i in index) and all(d < rank for i in index for d in i.axes):
        coefs = tuple(tuple(i.coef(d) for d in range(rank)) for i in index)
        consts = tuple(i.const for i in index)
        found = IndexMap(coefs, consts, shape, element.type.shape)
        return _Read(found, found.reads_once)
    return _Read(None, _one_to_one(index, shape))


def _one_to_one(index: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether every result axis shows in an operand axis of its own, or in a flat index all of
    whose parts are there."""
    shown: set[int] = set()
    for entry in index:
        if isinstance(entry, Affine) and len(entry.axes) == 1:
            shown.update(entry.axes)
        if isinstance(entry, _Part) and all(
            _Part(entry.flat, k, entry.count) in index for k in range(entry.count)
        ):
            shown.update(entry.flat.axes)
    return all(d in shown for d, n in enumerate(shape) if n > 1)


# --- symbolic indices -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Affine:
    """const + sum(coef * axis); `terms` are (axis, coef, extent of the axis). Axes past the
    result's rank are those of a fold."""

    const: int
    terms: tuple[tuple[int, int, int], ...] = ()

    @staticmethod
    def axis(d: int, extent: int) -> Affine:
        return Affine(0, ((d, 1, extent),))

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(d for d, _, _ in self.terms)

    def coef(self, axis: int) -> int:
        return sum(c for d, c, _ in self.terms if d == axis)

    @property
    def lo(self) -> int:
        return self.const + sum(min(c * max(n - 1, 0), 0) for _, c, n in self.terms)

    @property
    def hi(self) -> int:
        return self.const + sum(max(c * max(n - 1, 0), 0) for _, c, n in self.terms)

    def __add__(self, other: Any) -> Any:
        other = _as_index(other)
        if not isinstance(other, Affine):
            return _Opaque()
        coefs = {d: (c, n) for d, c, n in self.terms}
        for d, c, n in other.terms:
            coefs[d] = (coefs.get(d, (0, n))[0] + c, n)
        terms = tuple((d, c, n) for d, (c, n) in sorted(coefs.items()) if c)
        return Affine(self.const + other.const, terms)

    __radd__ = __add__

    def __mul__(self, factor: int) -> Affine:
        terms = tuple((d, c * factor, n) for d, c, n in self.terms if factor)
        return Affine(self.const * factor, terms)

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        return self + _as_index(other) * -1

    def __rsub__(self, other: Any) -> Any:
        return self * -1 + other


class _Opaque:
    """An index that is not affine in the result's axes; equal only to itself."""

    def __add__(self, other: Any) -> _Opaque:
        return _Opaque()

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __add__


@dataclass(frozen=True, slots=True)
class _Flat:
    """The flat index of a run of result axes."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """Entry `place` of `count` of a flat index split by another shape."""

    flat: _Flat
    place: int
    count: int

    def __add__(self, other: Any) -> _Opaque:
        return _Opaque()

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __add__


def _as_index(value: Any) -> Any:
    return Affine(value) if isinstance(value, int) else value


class _Packet:
    """Stands for any element; indices made from it are opaque."""


class _Element:
    """An operand that remembers at which indices it was read."""

    def __init__(self, type: Type):
        self.type = type
        self.reads: list[tuple[Any, ...]] = []

    def __call__(self, index: Sequence[Any]) -> _Packet:
        self.reads.append(tuple(_as_index(i) for i in index))
        return _Packet()


class _SymbolicEmitter:
    """The emitter's face towards `emit` rules, without code."""

    def __init__(self) -> None:
        self.folded = 1 << 20  # numbers the axes of folds, past those of any result

    def unary(self, name: str, a: Any) -> _Packet:
        return _Packet()

    def binary(self, name: str, a: Any, b: Any) -> _Packet:
        return _Packet()

    def compare(self, name: str, a: Any, b: Any) -> _Packet:
        return _Packet()

    def select(self, p: Any, a: Any, b: Any) -> _Packet:
        return _Packet()

    def convert(self, a: Any, dtype: str) -> _Packet:
        return _Packet()

    def bitcast(self, a: Any, dtype: str) -> _Packet:
        return _Packet()

    def const(self, dtype: str, value: Any) -> _Packet:
        return _Packet()

    def literal(self, literal: Literal, index: Sequence[Any]) -> _Packet:
        return _Packet()

    def packet_from(self, index: Any, dtype: str) -> _Packet:
        return _Packet()

    def in_range(self, index: Any, lo: int, hi: int) -> _Packet:
        return _Packet()

    def index_at(self, element: Any, at: Sequence[Any]) -> _Opaque:
        element(at)
        return _Opaque()

    def clamp(self, index: Any, lo: int, hi: int) -> Any:
        index = _as_index(index)
        inside = isinstance(index, Affine) and lo <= index.lo and index.hi <= hi
        return index if inside else _Opaque()

    known_within = clamp

    def index_floordiv(self, index: Any, divisor: int) -> Any:
        index = _as_index(index)
        if isinstance(index, Affine):
            if all(c % divisor == 0 for _, c, _ in index.terms):
                terms = tuple((d, c // divisor, n) for d, c, n in index.terms)
                return Affine(index.const // divisor, terms)
            if index.lo >= 0 and index.hi < divisor:
                return Affine(0)
        return _Opaque()

    def index_mod(self, index: Any, divisor: int) -> Any:
        index = _as_index(index)
        if isinstance(index, Affine):
            if all(c % divisor == 0 for _, c, _ in index.terms):
                return Affine(index.const % divisor)
            if index.lo >= 0 and index.hi < divisor:
                return index
        return _Opaque()

    def linearize(self, index: Sequence[Any], shape: Sequence[int]) -> Any:
        entries = [_as_index(i) for i in index]
        if all(isinstance(i, Affine) for i in entries) and entries:
            whole = all(
                i == Affine.axis(i.axes[0], n) if len(i.axes) == 1 else False
                for i, n in zip(entries, shape, strict=True)
            )
            if whole:
                return _Flat(tuple(i.axes[0] for i in entries))
        return Affine(0) if not entries else _Opaque()

    def delinearize(self, flat: Any, shape: Sequence[int]) -> tuple[Any, ...]:
        if isinstance(flat, _Flat):
            return tuple(_Part(flat, k, len(shape)) for k in range(len(shape)))
        return tuple(_Opaque() for _ in shape)

    def fold(
        self, extents: Sequence[int], init: Any, body: Callable[[tuple[Any, ...], Any], Any]
    ) -> _Packet:
        axes = range(self.folded, self.folded + len(extents))
        self.folded += len(extents)
        body(tuple(Affine.axis(d, n) for d, n in zip(axes, extents, strict=True)), init)
        return _Packet()
