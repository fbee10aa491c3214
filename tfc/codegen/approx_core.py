"""Floats with operators, and the pieces that the approximations share: exp and log split into
parts, exact range reduction, conversion between float32 and float64 packets."""

from __future__ import annotations

from collections.abc import Callable

from tfc.base.records import dataclass
from tfc.codegen.approx_tables import COEFFICIENTS
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, element_of, lanes_of

LN2_HI = {"f32": 0.693145751953125, "f64": 0.6931471803691238}
LN2_LO = {"f32": 1.428606765330187e-06, "f64": 1.9082149292705877e-10}
MANTISSA = {"f32": 23, "f64": 52}
BIAS = {"f32": 127, "f64": 1023}


@dataclass(frozen=True, slots=True)
class X:
    """A packet of floats (or of bits) in the text it is computed in."""

    t: Text
    v: V

    @property
    def kind(self) -> str:
        """f32 or f64."""
        return "f32" if element_of(self.v.type) in ("float", "i32") else "f64"

    def of(self, value: float) -> X:
        """A constant of the same type."""
        return X(self.t, const(self.v.type, value))

    def _other(self, other: X | float) -> V:
        return other.v if isinstance(other, X) else const(self.v.type, other)

    def _op(self, opcode: str, other: X | float, swap: bool = False) -> X:
        a, b = self.v, self._other(other)
        return X(self.t, self.t.op(opcode, b, a) if swap else self.t.op(opcode, a, b))

    def __add__(self, other: X | float) -> X:
        return self._op("fadd", other)

    def __radd__(self, other: float) -> X:
        return self._op("fadd", other)

    def __sub__(self, other: X | float) -> X:
        return self._op("fsub", other)

    def __rsub__(self, other: float) -> X:
        return self._op("fsub", other, swap=True)

    def __mul__(self, other: X | float) -> X:
        return self._op("fmul", other)

    def __rmul__(self, other: float) -> X:
        return self._op("fmul", other)

    def __truediv__(self, other: X | float) -> X:
        return self._op("fdiv", other)

    def __rtruediv__(self, other: float) -> X:
        return self._op("fdiv", other, swap=True)

    def __neg__(self) -> X:
        return X(self.t, self.t.neg(self.v))

    def __abs__(self) -> X:
        return X(self.t, self.t.intrinsic("fabs", self.v))

    def fma(self, b: X | float, c: X | float) -> X:
        """self * b + c, rounded once."""
        return X(self.t, self.t.fma(self.v, self._other(b), self._other(c)))

    def sqrt(self) -> X:
        return X(self.t, self.t.intrinsic("sqrt", self.v))

    def floor(self) -> X:
        return X(self.t, self.t.intrinsic("floor", self.v))

    def signed_as(self, other: X) -> X:
        return X(self.t, self.t.intrinsic("copysign", self.v, other.v))

    def _test(self, predicate: str, other: X | float) -> V:
        return self.t.cmp(predicate, self.v, self._other(other))

    # Packets compare lane by lane, so what comes out is a mask and no bool.
    def __lt__(self, other: X | float) -> V:  # type: ignore[override]
        return self._test("olt", other)

    def __gt__(self, other: X | float) -> V:  # type: ignore[override]
        return self._test("ogt", other)

    def __ge__(self, other: X | float) -> V:  # type: ignore[override]
        return self._test("oge", other)

    def __le__(self, other: X | float) -> V:  # type: ignore[override]
        return self._test("ole", other)

    def equals(self, other: X | float) -> V:
        return self._test("oeq", other)

    def is_nan(self) -> V:
        return self.t.cmp("uno", self.v, self.v)

    def where(self, p: V, otherwise: X | float) -> X:
        """self where p holds."""
        return X(self.t, self.t.select(p, self.v, self._other(otherwise)))

    def atleast(self, low: float) -> X:
        """NaN stays."""
        return self.of(low).where(self < low, self)

    def atmost(self, high: float) -> X:
        return self.of(high).where(self > high, self)

    # -- bits -----------------------------------------------------------------------------------
    def bits(self) -> X:
        element = {"float": "i32", "double": "i64"}[element_of(self.v.type)]
        return X(self.t, self.t.cast("bitcast", self.v, element))

    def float(self) -> X:
        element = {"i32": "float", "i64": "double"}[element_of(self.v.type)]
        return X(self.t, self.t.cast("bitcast", self.v, element))

    def integer(self, opcode: str, other: X | int) -> X:
        """An integer operation on bits: add sub and or xor shl lshr ashr."""
        return self._op(opcode, other)

    def number(self) -> X:
        """Small integers as floats."""
        element = {"i32": "float", "i64": "double"}[element_of(self.v.type)]
        return X(self.t, self.t.cast("sitofp", self.v, element))


def polynomial(x: X, name: str) -> X:
    """The tabulated polynomial at x, by Horner's rule."""
    coefficients = COEFFICIENTS[name, x.kind]
    total = x.of(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total.fma(x, c)
    return total


def nearest(x: X, factor: float) -> tuple[X, X]:
    """round(x * factor) as float and as integer, for |x * factor| < 2^21 (f32) or 2^50 (f64); no
    undefined conversion for NaN."""
    magic = 1.5 * 2.0 ** MANTISSA[x.kind]
    shifted = x.fma(factor, magic)
    return shifted - magic, shifted.bits().integer("sub", x.of(magic).bits())


def exp_parts(x: X) -> tuple[X, X, X]:
    """(p, whole, n) with exp(x) = (1 + p) * 2^n, |p| < 0.42, and n as integer and as float; x is
    within the range of exp."""
    kind = x.kind
    n, whole = nearest(x, 1.4426950408889634)
    r = n.fma(-LN2_HI[kind], x)
    r = n.fma(-LN2_LO[kind], r)
    return (r * r).fma(polynomial(r, "exp"), r), whole, n


def power_of_two(n: X) -> X:
    """2^n for integers n of the range of normal numbers."""
    kind = n.kind
    return n.integer("add", BIAS[kind]).integer("shl", MANTISSA[kind]).float()


def scaled(x: X, whole: X, n: X) -> X:
    """x * 2^n for n as integer and as float; rounded once, so that results may be denormal or
    overflow: by an instruction where there is one, else by way of two factors."""
    bits = lanes_of(x.v.type) * (32 if x.kind == "f32" else 64)
    if x.t.scales and bits in (128, 256, 512):
        return X(x.t, _scale_packet(x.t, x.v, n.v, bits))
    half = whole.integer("ashr", 1)
    return x * power_of_two(half) * power_of_two(whole.integer("sub", half))


def _scale_packet(t: Text, v: V, n: V, bits: int) -> V:
    """v * 2^n in all lanes."""
    lanes = lanes_of(v.type)
    mask = V("-1", f"i{max(lanes, 8)}")
    name = f"llvm.x86.avx512.mask.scalef.{'ps' if element_of(v.type) == 'float' else 'pd'}.{bits}"
    rounding = [const("i32", 4)] if bits == 512 else []  # as set: to nearest
    return t.call(v.type, name, v, n, const(v.type, 0), mask, *rounding)


def split_exponent(x: X) -> tuple[X, X]:
    """(m, e) with x = m * 2^e, m in [sqrt(1/2), sqrt(2)), for finite positive x; e an integer."""
    kind, shift = x.kind, MANTISSA[x.kind]
    tiny = x < 2.0 ** (2 - BIAS[kind])
    grown = (x * 2.0**shift).where(tiny, x)
    bits = grown.bits()
    e = bits.integer("sub", x.of(0.7071067811865476).bits()).integer("ashr", shift)
    m = bits.integer("sub", e.integer("shl", shift)).float()
    moved = e.integer("sub", shift)
    return m, X(x.t, x.t.select(tiny, moved.v, e.v))


def two_sum(a: X, b: X) -> tuple[X, X]:
    """a + b = (sum, error), exactly."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: X, b: X) -> tuple[X, X]:
    """a * b = (product, error), exactly."""
    product = a * b
    return product, a.fma(b, -product)


def to_double(x: X) -> X:
    return X(x.t, x.t.cast("fpext", x.v, "double"))


def to_single(x: X) -> X:
    return X(x.t, x.t.cast("fptrunc", x.v, "float"))


def patched(out: X, rare: V, scalar: Callable[..., V], *arguments: X) -> X:
    """`out`, but lanes of `rare` are scalar(lane of each argument), computed one by one behind a
    branch that is not taken if there are none."""
    t, lanes = out.t, lanes_of(out.v.type)
    element, align = element_of(out.v.type), 4 if out.kind == "f32" else 8
    any_rare = rare if lanes == 1 else t.call("i1", f"llvm.vector.reduce.or.v{lanes}i1", rare)
    memory, mask = t.alloca(out.v.type), t.alloca(f"[{lanes} x i8]")
    inputs = [t.alloca(a.v.type) for a in arguments]
    t.store(out.v, memory, align)
    with t.when(any_rare):
        t.store(t.cast("zext", rare, "i8"), mask, 1)
        for place, argument in zip(inputs, arguments, strict=True):
            t.store(argument.v, place, align)
        with t.loop(0, lanes) as loop:
            mine = t.load("i8", t.gep(mask, loop.index, "i8"), 1)
            with t.when(t.cmp("ne", mine, const("i8", 0))):
                values = [t.load(element, t.gep(p, loop.index, element), align) for p in inputs]
                t.store(scalar(*values), t.gep(memory, loop.index, element), align)
    return X(t, t.load(out.v.type, memory, align))
