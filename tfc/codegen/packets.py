"""Packets: W elements of one dtype, and arithmetic on them.

A packet's register form by dtype: i1 -> i1; integers -> themselves; f16, bf16, f32 -> float (the
16-bit types are rounded after every operation, to nearest even); f64 -> double; complex -> a pair
of those. Every operation is total: x/0 = 0, INT_MIN/-1 = INT_MIN, x%0 = 0, shifts past the width
give 0 or the sign, float to integer out of range gives INT_MIN of the target (i32 or i64).
"""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, element_of, lanes_of, suffix, vec

REGISTER = {
    "i1": "i1",
    "i8": "i8",
    "u8": "i8",
    "i16": "i16",
    "u16": "i16",
    "i32": "i32",
    "u32": "i32",
    "i64": "i64",
    "u64": "i64",
    "f16": "float",
    "bf16": "float",
    "f32": "float",
    "f64": "double",
}
MEMORY = REGISTER | {"i1": "i8", "f16": "i16", "bf16": "i16"}


@dataclass(frozen=True, slots=True)
class Packet:
    """W elements. `value` is one LLVM value, or the pair (re, im) of a complex dtype. `uniform`:
    every lane is known to be the same."""

    value: Any
    dtype: str
    uniform: bool = False

    @property
    def lanes(self) -> int:
        v = self.value
        return lanes_of((v if isinstance(v, V) else v[0]).type)


def bits_of(dtype: str) -> int:
    """Bits of one element in a register; of one part, if complex."""
    dtype = dtypes.REAL_PART.get(dtype, dtype)
    return {"float": 32, "double": 64}.get(REGISTER[dtype]) or int(REGISTER[dtype][1:])


def is_signed(dtype: str) -> bool:
    return dtype in dtypes.SIGNED


class Arithmetic:
    """Exact operations by dtype on single LLVM values; complex ones are in complexes.py and
    transcendental ones in approx.py."""

    def __init__(self, text: Text):
        self.text = text

    # -- rounding of 16-bit floats ------------------------------------------------------------
    def rounded(self, v: V, dtype: str) -> V:
        """`v` (float) as a value of `dtype`: rounded to nearest even if that has 16 bits."""
        if dtype == "f16":
            return self.f16_value(self.f16_bits(v))
        if dtype == "bf16":
            return self.bf16_value(self.bf16_bits(v))
        return v

    def f16_bits(self, v: V) -> V:
        """A float as the bits of a float16, rounded to nearest even."""
        t = self.text
        if t.half:
            return t.cast("bitcast", t.cast("fptrunc", v, "half"), "i16")
        bits = t.cast("bitcast", v, "i32")

        def number(value: int) -> V:
            return const(bits.type, value)

        size = t.op("and", bits, number(0x7FFFFFFF))
        sign = t.op("lshr", t.op("xor", bits, size), number(16))
        odd = t.op("and", t.op("lshr", size, number(13)), number(1))
        rounded = t.op("add", t.op("add", size, number(0xFFF)), odd)
        normal = t.op("lshr", t.op("sub", rounded, number(112 << 23)), number(13))
        # Next to 0.5 the last place is 2^-24, that of the least float16.
        near = t.op("fadd", t.cast("bitcast", size, "float"), const(v.type, 0.5))
        tiny = t.op("sub", t.cast("bitcast", near, "i32"), number(0x3F000000))
        out = t.select(t.cmp("ult", size, number(113 << 23)), tiny, normal)
        out = t.select(t.cmp("uge", size, number(0x477FF000)), number(0x7C00), out)
        out = t.select(t.cmp("ugt", size, number(0x7F800000)), number(0x7E00), out)
        return t.cast("trunc", t.op("or", out, sign), "i16")

    def f16_value(self, bits: V) -> V:
        """The float that the bits of a float16 stand for."""
        t = self.text
        if t.half:
            return t.cast("fpext", t.cast("bitcast", bits, "half"), "float")
        wide = t.cast("zext", bits, "i32")
        size = t.op("and", wide, const(wide.type, 0x7FFF))
        sign = t.op("shl", t.op("xor", wide, size), const(wide.type, 16))
        moved = t.op("shl", size, const(wide.type, 13))
        scaled = t.cast("bitcast", moved, "float")
        scaled = t.op("fmul", scaled, const(scaled.type, 2.0**112))
        finite = t.cast("bitcast", scaled, "i32")
        special = t.op("or", moved, const(wide.type, 0x7F800000))
        out = t.select(t.cmp("uge", size, const(wide.type, 0x7C00)), special, finite)
        return t.cast("bitcast", t.op("or", out, sign), "float")

    def bf16_bits(self, v: V) -> V:
        """The high 16 bits of a float, rounded to nearest even; NaN stays NaN. (LLVM's own
        conversion flushes denormals on some processors.)"""
        t = self.text
        bits = t.cast("bitcast", v, "i32")
        high = t.op("lshr", bits, const(bits.type, 16))
        odd = t.op("and", high, const(bits.type, 1))
        moved = t.op("add", t.op("add", bits, const(bits.type, 0x7FFF)), odd)
        kept = t.op("lshr", moved, const(bits.type, 16))
        quiet = t.op("or", high, const(bits.type, 0x40))
        return t.cast("trunc", t.select(t.cmp("uno", v, v), quiet, kept), "i16")

    def bf16_value(self, bits: V) -> V:
        t = self.text
        wide = t.cast("zext", bits, "i32")
        return t.cast("bitcast", t.op("shl", wide, const(wide.type, 16)), "float")

    # -- forms in memory ------------------------------------------------------------------------
    def to_register(self, raw: V, dtype: str) -> V:
        """What was loaded, as it is computed with."""
        t = self.text
        match dtype:
            case "i1":
                return t.cmp("ne", raw, const(raw.type, 0))
            case "f16":
                return self.f16_value(raw)
            case "bf16":
                return self.bf16_value(raw)
        return raw

    def to_memory(self, value: V, dtype: str) -> V:
        """The same back again."""
        t = self.text
        match dtype:
            case "i1":
                return t.cast("zext", value, "i8")
            case "f16":
                return self.f16_bits(value)
            case "bf16":
                return self.bf16_bits(value)
        return value

    # -- elementwise ----------------------------------------------------------------------------
    def unary(self, name: str, v: V, dtype: str) -> V:
        """Exact unary operations; the result has dtype `dtype`, for is_finite i1."""
        t = self.text
        if name == "not":
            return t.op("xor", v, const(v.type, True if dtype == "i1" else -1))
        if name in ("popcount", "clz"):
            return self._count_bits(name, v)
        if dtype in dtypes.FLOATS:
            return self._float_unary(name, v)
        if name == "neg":
            return t.op("sub", const(v.type, 0), v)
        if name == "abs":
            if not is_signed(dtype):
                return v
            return t.call(v.type, f"llvm.abs.{_int_suffix(v)}", v, const("i1", False))
        if name == "sign":
            zero, one = const(v.type, 0), const(v.type, 1)
            positive = t.select(t.cmp("ne", v, zero), one, zero)
            if not is_signed(dtype):
                return positive
            return t.select(t.cmp("slt", v, zero), const(v.type, -1), positive)
        if name in ("floor", "ceil", "round"):
            return v
        if name == "is_finite":
            return const(vec("i1", lanes_of(v.type)), True)
        raise NotImplementedError(f"{name} of {dtype}")

    def _count_bits(self, name: str, v: V) -> V:
        if name == "popcount":
            return self.text.call(v.type, f"llvm.ctpop.{_int_suffix(v)}", v)
        return self.text.call(v.type, f"llvm.ctlz.{_int_suffix(v)}", v, const("i1", False))

    def _float_unary(self, name: str, v: V) -> V:
        t = self.text
        match name:
            case "neg":
                return t.neg(v)
            case "abs":
                return t.intrinsic("fabs", v)
            case "sqrt" | "floor" | "ceil":
                return t.intrinsic(name, v)
            case "round":
                return t.intrinsic("roundeven", v)
            case "rsqrt":
                return t.op("fdiv", const(v.type, 1.0), t.intrinsic("sqrt", v))
            case "sign":
                zero = const(v.type, 0.0)
                one = t.intrinsic("copysign", const(v.type, 1.0), v)
                return t.select(t.cmp("one", v, zero), one, v)
            case "is_finite":
                big = const(v.type, float("inf"))
                return t.cmp("olt", t.intrinsic("fabs", v), big)
        raise NotImplementedError(f"{name} of floats")

    def binary(self, name: str, a: V, b: V, dtype: str) -> V:
        if name in ("and", "or", "xor"):
            return self.text.op(name, a, b)
        if dtype == "i1":
            return self._bool_binary(name, a, b)
        if dtype in dtypes.FLOATS:
            return self._float_binary(name, a, b)
        return self._int_binary(name, a, b, is_signed(dtype))

    def _bool_binary(self, name: str, a: V, b: V) -> V:
        opcode = {"max": "or", "add": "or", "min": "and", "mul": "and", "ne": "xor"}[name]
        return self.text.op(opcode, a, b)

    def _float_binary(self, name: str, a: V, b: V) -> V:
        t = self.text
        if name == "rem":
            return self._float_rem(a, b)
        if name == "div" and not t.half and b.type in ("<4 x float>", "<2 x double>"):
            # Lanes of both operands that no element has are zeros, and before AVX LLVM knows it;
            # it takes their quotients as zeros too, and leaves out what keeps NaN from being added.
            b = t.opaque(b)
        if name in ("add", "sub", "mul", "div"):
            return t.op("f" + name, a, b)
        if name in ("max", "min"):
            # NaN in either operand wins; of equal operands (0.0, -0.0) the first stays.
            better = t.cmp("uge" if name == "max" else "ule", a, b)
            picked = t.select(better, a, b)
            return t.select(t.cmp("uno", b, b), b, picked)
        raise NotImplementedError(f"{name} of floats")

    def _float_rem(self, a: V, b: V) -> V:
        raise NotImplementedError("rem of floats is in approx.py")

    def _int_binary(self, name: str, a: V, b: V, signed: bool) -> V:
        t = self.text
        match name:
            case "add" | "sub" | "mul":
                return t.op(name, a, b)
            case "max" | "min":
                return t.intrinsic(("s" if signed else "u") + name, a, b)
            case "div" | "rem":
                return self._int_div(name, a, b, signed)
            case "shl" | "shr":
                return self._shift(name, a, b, signed)
            case "pow":
                return self._int_pow(a, b, signed)
        raise NotImplementedError(f"{name} of integers")

    def _int_div(self, name: str, a: V, b: V, signed: bool) -> V:
        t = self.text
        zero, one = const(a.type, 0), const(a.type, 1)
        by_zero = t.cmp("eq", b, zero)
        safe = t.select(by_zero, one, b)
        if not signed:
            out = t.op("udiv" if name == "div" else "urem", a, safe)
            return t.select(by_zero, zero, out)
        minus = t.cmp("eq", b, const(a.type, -1))
        out = t.op("sdiv" if name == "div" else "srem", a, t.select(minus, one, safe))
        for_minus = t.op("sub", zero, a) if name == "div" else zero
        return t.select(by_zero, zero, t.select(minus, for_minus, out))

    def _shift(self, name: str, a: V, b: V, signed: bool) -> V:
        """Shift counts are taken as unsigned: a negative one is past the width."""
        t, width = self.text, _int_bits(a)
        past = t.cmp("ugt", b, const(b.type, width - 1))
        if name == "shr" and signed:
            return t.op("ashr", a, t.select(past, const(b.type, width - 1), b))
        safe = t.select(past, const(b.type, 0), b)
        out = t.op("shl" if name == "shl" else "lshr", a, safe)
        return t.select(past, const(a.type, 0), out)

    def _int_pow(self, a: V, b: V, signed: bool) -> V:
        """a**b by squaring, wrapping. A negative exponent gives the truncated quotient: 1 for
        a=1, ±1 for a=-1, else 0."""
        t, width = self.text, _int_bits(a)
        zero, one = const(a.type, 0), const(a.type, 1)
        with t.loop(0, width, carried=(one, a, b)) as loop:
            result, square, left = loop.carried
            odd = t.cmp("ne", t.op("and", left, one), zero)
            result = t.select(odd, t.op("mul", result, square), result)
            loop.next((result, t.op("mul", square, square), t.op("lshr", left, one)))
        power = loop.results[0]
        if not signed:
            return power
        odd = t.cmp("ne", t.op("and", b, one), zero)
        minus = t.select(odd, const(a.type, -1), one)
        negative = t.select(t.cmp("eq", a, const(a.type, -1)), minus, zero)
        negative = t.select(t.cmp("eq", a, one), one, negative)
        return t.select(t.cmp("slt", b, zero), negative, power)

    def compare(self, name: str, a: V, b: V, dtype: str) -> V:
        """i1: name in eq ne lt le gt ge. Comparisons with NaN are false, except ne."""
        if dtype in dtypes.FLOATS:
            return self.text.cmp("une" if name == "ne" else "o" + name, a, b)
        if name in ("eq", "ne"):
            return self.text.cmp(name, a, b)
        return self.text.cmp(("s" if is_signed(dtype) else "u") + name, a, b)

    # -- conversions ----------------------------------------------------------------------------
    def convert(self, v: V, source: str, target: str) -> V:
        """One real element type to another, as numpy and TensorFlow do on x86."""
        t, to = self.text, REGISTER[target]
        if source == target:
            return v
        if target == "i1":
            zero = const(v.type, 0)
            return t.cmp("une" if source in dtypes.FLOATS else "ne", v, zero)
        if source in dtypes.FLOATS:
            if target not in dtypes.FLOATS:
                return self._float_to_int(v, source, target)
            if source == "f64" and target != "f32":
                return self.double_to_16(v, target)
            wide = t.cast("fptrunc" if source == "f64" else "fpext", v, to)
            return self.rounded(wide, target)
        signed = is_signed(source)
        if target in dtypes.FLOATS:
            return self._int_to_float(v, source, target)
        narrower = _int_bits(v) > int(to[1:])
        return t.cast("trunc" if narrower else "sext" if signed else "zext", v, to)

    def _int_to_float(self, v: V, source: str, target: str) -> V:
        """Round once: a 64-bit integer does not go to a 16-bit float through float32."""
        t, opcode = self.text, "sitofp" if is_signed(source) else "uitofp"
        if target in ("f32", "f64"):
            return t.cast(opcode, v, REGISTER[target])
        if _int_bits(v) <= 16:
            return self.rounded(t.cast(opcode, v, "float"), target)
        return self.double_to_16(t.cast(opcode, v, "double"), target)

    def double_to_16(self, v: V, target: str) -> V:
        """A double rounded once to a 16-bit float: to odd in float32 first, which has enough bits
        beyond those of the target that the second rounding is the right one."""
        t = self.text
        near = t.cast("fptrunc", v, "float")
        back = t.cast("fpext", near, "double")
        bits = t.cast("bitcast", near, "i32")
        over = t.cmp("ogt", t.intrinsic("fabs", back), t.intrinsic("fabs", v))
        toward_zero = t.op("sub", bits, t.cast("zext", over, "i32"))
        inexact = t.cast("zext", t.cmp("one", back, v), "i32")
        odd = t.cast("bitcast", t.op("or", toward_zero, inexact), "float")
        return self.rounded(odd, target)

    def _float_to_int(self, v: V, source: str, target: str) -> V:
        """Truncated; out of range or NaN gives what cvttss2si gives: the least i32 or i64.
        Narrower targets take the low bits of the i32; u32 those of the i64."""
        t, width = self.text, 64 if target in ("i64", "u64", "u32") else 32
        high = const(v.type, 2.0 ** (width - 1))
        low = const(v.type, -(2.0 ** (width - 1)))
        least = const(vec(f"i{width}", lanes_of(v.type)), -(2 ** (width - 1)))
        below = t.cmp("olt", v, high)
        # A double above -2^31 - 1 truncates to a value of i32.
        floor = const(v.type, -(2.0**31) - 1) if source == "f64" and width == 32 else low
        above = t.cmp("ogt" if source == "f64" and width == 32 else "oge", v, floor)
        fits = t.op("and", below, above)
        inside = t.select(fits, v, const(v.type, 0.0))
        out = t.select(fits, t.cast("fptosi", inside, f"i{width}"), least)
        if target == "u64":
            out = self._to_u64(v, out, high)
        to = REGISTER[target]
        return out if int(to[1:]) == width else t.cast("trunc", out, to)

    def _to_u64(self, v: V, signed: V, high: V) -> V:
        """Values from 2^63 to 2^64 in addition to those of i64."""
        t = self.text
        moved = t.op("fsub", v, high)
        fits = t.op("and", t.cmp("oge", v, high), t.cmp("olt", moved, high))
        inside = t.select(fits, moved, const(v.type, 0.0))
        top = t.op("xor", t.cast("fptosi", inside, "i64"), const(signed.type, -(2**63)))
        return t.select(fits, top, signed)


def _int_suffix(v: V) -> str:
    return suffix(v.type)


def _int_bits(v: V) -> int:
    return int(element_of(v.type)[1:])
