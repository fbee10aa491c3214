"""A `while` primitive written by a lowering rule, and scalar arithmetic in few words for its body.

The regions of a `while` are closed: everything they read is carried, and what the body returns
untouched is invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc import prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Value


def while_loop(
    build: Any,
    test: Callable[..., Value],
    body: Callable[..., Sequence[Value]],
    start: Sequence[Value],
    fixed: Sequence[Value] = (),
) -> list[Value]:
    """As long as `test(region, *values, *fixed)` is true, `body(region, *values, *fixed)` gives
    the next values; the last ones. `fixed` never change."""
    carried = [*start, *fixed]
    regions = []
    for name, rule in (("test", test), ("body", body)):
        region = Builder(name)
        params = [region.param(v.type) for v in carried]
        given = rule(region, *params)
        results = [given] if isinstance(given, Value) else [*given, *params[len(start) :]]
        regions.append(region.finish(results))
    return list(build.emit(p.while_, *carried, regions=tuple(regions)))[: len(start)]


def any_of(build: Any, flags: Value) -> Value:
    """Whether one of the flags is true: i1[]."""
    rank = flags.type.rank
    if not rank:
        return flags
    found: Value = p.reduce(build, flags, dims=tuple(range(rank)), kind="or")
    return found


class Calc:
    """Arithmetic on values of one shape, where Python numbers stand for splats.

    `c(x)` wraps a Value; operators and the methods append primitives to the Builder of the Calc.
    """

    def __init__(self, build: Any):
        self.build = build

    def __call__(self, value: Value) -> Term:
        return Term(self, value)


class Term:
    """A value in an expression."""

    def __init__(self, calc: Calc, value: Value):
        self.calc, self.value = calc, value

    def of(self, number: float) -> Term:
        """A constant of the same type."""
        return Term(self.calc, p.full_like(self.calc.build, self.value, number))

    def _value(self, other: Any) -> Value:
        return other.value if isinstance(other, Term) else self.of(other).value

    def _apply(self, prim: Any, *others: Any, swap: bool = False) -> Term:
        operands = [self.value, *(self._value(o) for o in others)]
        return Term(self.calc, prim(self.calc.build, *(operands[::-1] if swap else operands)))

    def __add__(self, other: Any) -> Term:
        return self._apply(p.add, other)

    def __radd__(self, other: Any) -> Term:
        return self._apply(p.add, other)

    def __sub__(self, other: Any) -> Term:
        return self._apply(p.sub, other)

    def __rsub__(self, other: Any) -> Term:
        return self._apply(p.sub, other, swap=True)

    def __mul__(self, other: Any) -> Term:
        return self._apply(p.mul, other)

    def __rmul__(self, other: Any) -> Term:
        return self._apply(p.mul, other)

    def __truediv__(self, other: Any) -> Term:
        return self._apply(p.div, other)

    def __rtruediv__(self, other: Any) -> Term:
        return self._apply(p.div, other, swap=True)

    def __mod__(self, other: Any) -> Term:
        return self._apply(p.rem, other)

    def __neg__(self) -> Term:
        return self._apply(p.neg)

    def __abs__(self) -> Term:
        return self._apply(p.abs)

    def __lt__(self, other: Any) -> Term:
        return self._apply(p.lt, other)

    def __le__(self, other: Any) -> Term:
        return self._apply(p.le, other)

    def __gt__(self, other: Any) -> Term:
        return self._apply(p.gt, other)

    def __ge__(self, other: Any) -> Term:
        return self._apply(p.ge, other)

    def equals(self, other: Any) -> Term:
        return self._apply(p.eq, other)

    def differs(self, other: Any) -> Term:
        return self._apply(p.ne, other)

    def __and__(self, other: Any) -> Term:
        return self._apply(p.and_, other)

    def __or__(self, other: Any) -> Term:
        return self._apply(p.or_, other)

    def __xor__(self, other: Any) -> Term:
        return self._apply(p.xor, other)

    def __invert__(self) -> Term:
        return self._apply(p.not_)

    def __lshift__(self, other: Any) -> Term:
        return self._apply(p.shl, other)

    def __rshift__(self, other: Any) -> Term:
        return self._apply(p.shr, other)

    def where(self, flag: Term, otherwise: Any) -> Term:
        """self where `flag`, else `otherwise`."""
        other = self._value(otherwise)
        return Term(self.calc, p.select(self.calc.build, flag.value, self.value, other))

    def to(self, dtype: str) -> Term:
        """Converted to another dtype."""
        if self.value.type.dtype == dtype:
            return self
        return Term(self.calc, p.convert(self.calc.build, self.value, dtype=dtype))

    def atleast(self, low: Any) -> Term:
        return self._apply(p.max, low)

    def atmost(self, high: Any) -> Term:
        return self._apply(p.min, high)

    def exp(self) -> Term:
        return self._apply(p.exp)

    def expm1(self) -> Term:
        return self._apply(p.expm1)

    def log(self) -> Term:
        return self._apply(p.log)

    def log1p(self) -> Term:
        return self._apply(p.log1p)

    def sqrt(self) -> Term:
        return self._apply(p.sqrt)

    def floor(self) -> Term:
        return self._apply(p.floor)

    def lgamma(self) -> Term:
        return self._apply(p.lgamma)

    def digamma(self) -> Term:
        return self._apply(p.digamma)

    def erfc(self) -> Term:
        return self._apply(p.erfc)

    def pow(self, other: Any) -> Term:
        return self._apply(p.pow, other)

    def bits(self, dtype: str) -> Term:
        """The same bits as another dtype of the width."""
        return Term(self.calc, p.bitcast(self.calc.build, self.value, dtype=dtype))


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """The polynomial with these coefficients, constant first, by Horner's rule."""
    total = x.of(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total
