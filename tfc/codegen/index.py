"""Indices: integer expressions const + sum(coef * atom), before instructions are written for them.

An atom is what an index may vary with: a loop variable, or a value computed at run time. The axis
that a packet lies along is an atom whose lane `l` has the value `base + l`; so the coefficient of
that atom says how an address moves from lane to lane, and a load is chosen by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from tfc.codegen.text import Scope
from tfc.codegen.values import V

_serial = itertools.count()


class Atom:
    """One variable of index expressions.

    value(): scalar i64, the value in lane 0; or, if `free`, an i64 packet that varies freely from
    lane to lane. `packet`: lane l is value + l.  mask: lanes that exist (None: all).
    lo, hi: least and greatest value in existing lanes.  scope: where it is known.
    source: the index that a computed atom is computed from.
    """

    __slots__ = (
        "_make",
        "_value",
        "free",
        "hi",
        "lo",
        "mask",
        "packet",
        "scope",
        "serial",
        "source",
    )

    def __init__(
        self,
        scope: Scope,
        bounds: tuple[int, int],
        value: V | Callable[[], V],
        free: bool = False,
        packet: bool = False,
        mask: V | None = None,
        source: Index | None = None,
    ):
        self.scope, self.free, self.packet, self.mask = scope, free, packet, mask
        self.lo, self.hi = bounds
        self._value: V | None = value if isinstance(value, V) else None
        self._make = None if isinstance(value, V) else value
        self.source = source
        self.serial = next(_serial)

    def value(self) -> V:
        """What the atom is, written on first use if it has to be computed."""
        if self._value is None:
            assert self._make is not None
            self._value = self._make()
        return self._value


class Index:
    """const + sum(coef * atom). Immutable; equal iff the same expression."""

    __slots__ = ("_hash", "bounds", "const", "terms")

    def __init__(
        self,
        const: int = 0,
        terms: tuple[tuple[Atom, int], ...] = (),
        bounds: tuple[int, int] | None = None,
    ):
        self.bounds = bounds  # tighter than the atoms tell; no part of what the index is
        self.const = const
        self.terms = terms  # by serial number of the atom, no zero coefficients
        self._hash = hash((const, terms))

    @staticmethod
    def of(atom: Atom, coef: int = 1) -> Index:
        return Index(0, ((atom, coef),)) if coef else Index()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.const == other.const and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms)
        if not other.terms:
            return Index(self.const + other.const, self.terms)
        coefs: dict[Atom, int] = dict(self.terms)
        for atom, coef in other.terms:
            coefs[atom] = coefs.get(atom, 0) + coef
        terms = sorted(((a, c) for a, c in coefs.items() if c), key=_by_serial)
        return Index(self.const + other.const, tuple(terms))

    __radd__ = __add__

    def __neg__(self) -> Index:
        return self * -1

    def __sub__(self, other: Index | int) -> Index:
        return self + (-other)

    def __rsub__(self, other: int) -> Index:
        return (-self) + other

    def __mul__(self, factor: Index | int) -> Index:
        if isinstance(factor, Index):
            if not factor.terms:
                factor = factor.const
            elif not self.terms:
                return factor * self.const
            else:
                raise TypeError("a product of two variables is no index")
        if factor == 0:
            return Index()
        return Index(self.const * factor, tuple((a, c * factor) for a, c in self.terms))

    __rmul__ = __mul__

    @property
    def is_const(self) -> bool:
        return not self.terms

    @property
    def lane_coef(self) -> int:
        """How much the value grows from one lane to the next; meaningless if `varies_freely`."""
        return sum(c for a, c in self.terms if a.packet)

    @property
    def varies_freely(self) -> bool:
        return any(a.free for a, _ in self.terms)

    @property
    def uniform(self) -> bool:
        """The same in every lane."""
        return not self.varies_freely and self.lane_coef == 0

    @property
    def masks(self) -> list[V]:
        """The masks of the lanes it is defined in, each once."""
        return list(dict.fromkeys(a.mask for a, _ in self.terms if a.mask is not None))

    @property
    def lo(self) -> int:
        if self.bounds:
            return self.bounds[0]
        return self.const + sum(c * (a.lo if c > 0 else a.hi) for a, c in self.terms)

    @property
    def hi(self) -> int:
        if self.bounds:
            return self.bounds[1]
        return self.const + sum(c * (a.hi if c > 0 else a.lo) for a, c in self.terms)

    def scope(self, root: Scope) -> Scope:
        """The outermost scope in which it is known."""
        deepest = root
        for atom, _ in self.terms:
            if atom.scope.depth > deepest.depth:
                deepest = atom.scope
        return deepest

    def split(self, divisor: int) -> tuple[Index, Index] | None:
        """(q, r) with self = q * divisor + r and 0 <= r < divisor, if both are affine; or None."""
        if self.lo >= 0 and self.hi < divisor:
            return Index(), self
        quotient = Index(
            self.const // divisor,
            tuple((a, c // divisor) for a, c in self.terms if c % divisor == 0),
        )
        rest = Index(self.const % divisor, tuple((a, c) for a, c in self.terms if c % divisor != 0))
        if rest.lo >= 0 and rest.hi < divisor:
            return quotient, rest
        return None

    def __repr__(self) -> str:
        body = " + ".join(f"{c}*a{a.serial}" for a, c in self.terms)
        return f"{body} + {self.const}" if body else str(self.const)


def _by_serial(term: tuple[Atom, int]) -> int:
    return term[0].serial


def as_index(value: Index | int) -> Index:
    return value if isinstance(value, Index) else Index(int(value))


def row_major(index: Sequence[Index | int], shape: Sequence[int]) -> Index:
    """The flat position of `index` in a dense array of `shape`."""
    flat, stride = Index(), 1
    for i, extent in zip(reversed(index), reversed(shape), strict=True):
        flat = flat + as_index(i) * stride
        stride *= extent
    return flat


def index_key(index: Sequence[Any]) -> tuple[Any, ...]:
    """A tuple of indices as a dictionary key."""
    return tuple(as_index(i) for i in index)
