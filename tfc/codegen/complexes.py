"""Arithmetic on complex packets: pairs (re, im) of LLVM values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfc.base import dtypes
from tfc.codegen.packets import Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const

if TYPE_CHECKING:
    from tfc.codegen.packet_ops import PacketOps


def unary(e: PacketOps, name: str, a: Packet) -> Packet:
    """neg, conj: complex; real, imag, is_finite: real."""
    t, (re, im) = e.text, a.value
    match name:
        case "neg":
            return Packet((t.neg(re), t.neg(im)), a.dtype, a.uniform)
        case "conj":
            return Packet((re, t.neg(im)), a.dtype, a.uniform)
        case "real" | "imag":
            part = re if name == "real" else im
            return Packet(part, dtypes.REAL_PART[a.dtype], a.uniform)
        case "is_finite":
            both = [e.arithmetic.unary(name, x, dtypes.REAL_PART[a.dtype]) for x in (re, im)]
            return Packet(t.op("and", *both), "i1", a.uniform)
    raise NotImplementedError(f"{name} of complex numbers")


def binary(e: PacketOps, name: str, a: Packet, b: Packet) -> Packet:
    t, uniform = e.text, a.uniform and b.uniform
    (ar, ai), (br, bi) = a.value, b.value
    value: Any
    match name:
        case "add" | "sub":
            value = (t.op("f" + name, ar, br), t.op("f" + name, ai, bi))
        case "mul":
            value = (
                t.op("fsub", t.op("fmul", ar, br), t.op("fmul", ai, bi)),
                t.op("fadd", t.op("fmul", ar, bi), t.op("fmul", ai, br)),
            )
        case "div":
            value = _divide(t, (ar, ai), (br, bi))
        case _:
            raise NotImplementedError(f"{name} of complex numbers")
    return Packet(value, a.dtype, uniform)


def _divide(t: Text, a: tuple[V, V], b: tuple[V, V]) -> tuple[V, V]:
    """Smith's method, with the larger part of the divisor scaled to one; x/0 as in reals."""
    (ar, ai), (br, bi) = a, b
    abs_r, abs_i = t.intrinsic("fabs", br), t.intrinsic("fabs", bi)
    steep = t.cmp("olt", abs_r, abs_i)
    large, small = t.select(steep, bi, br), t.select(steep, br, bi)
    ratio = t.op("fdiv", small, large)
    scale = t.op("fadd", large, t.op("fmul", small, ratio))
    # flat: (ar + ai*q, ai - ar*q); steep: (ar*q + ai, ai*q - ar)
    p, q = t.select(steep, ai, ar), t.select(steep, ar, ai)
    re = t.op("fadd", p, t.op("fmul", q, ratio))
    cross = t.op("fmul", p, ratio)
    im = t.select(steep, t.op("fsub", cross, ar), t.op("fsub", ai, t.op("fmul", ar, ratio)))
    zero = const(br.type, 0.0)
    by_zero = t.op("and", t.cmp("oeq", br, zero), t.cmp("oeq", bi, zero))
    out = []
    for exact, plain in ((re, ar), (im, ai)):
        quotient = t.op("fdiv", exact, scale)
        out.append(t.select(by_zero, t.op("fdiv", plain, abs_r), quotient))
    return out[0], out[1]


def compare(e: PacketOps, name: str, a: Packet, b: Packet) -> Packet:
    """eq and ne: both parts."""
    part, t = dtypes.REAL_PART[a.dtype], e.text
    re, im = (e.arithmetic.compare(name, x, y, part) for x, y in zip(a.value, b.value, strict=True))
    joined = t.op("and" if name == "eq" else "or", re, im)
    return Packet(joined, "i1", a.uniform and b.uniform)


def convert(e: PacketOps, a: Packet, dtype: str) -> Packet:
    """Complex to real drops the imaginary part; real to complex adds a zero; to bool: x != 0."""
    if a.dtype in dtypes.COMPLEX:
        if dtype == "i1":
            return compare(e, "ne", a, e.const(a.dtype, 0))
        source = dtypes.REAL_PART[a.dtype]
        if dtype not in dtypes.COMPLEX:
            return e.convert(Packet(a.value[0], source, a.uniform), dtype)
        target = dtypes.REAL_PART[dtype]
        pair = tuple(e.convert(Packet(x, source), target).value for x in a.value)
        return Packet(pair, dtype, a.uniform)
    target = dtypes.REAL_PART[dtype]
    return Packet((e.convert(a, target).value, e.const(target, 0).value), dtype, a.uniform)


def bitcast(e: PacketOps, a: Packet, dtype: str) -> Packet:
    """c64 and 64-bit types: the real part is the low half."""
    t = e.text
    if a.dtype == dtype:
        return a
    if a.dtype == "c64":
        re, im = (t.cast("zext", t.cast("bitcast", x, "i32"), "i64") for x in a.value)
        bits = t.op("or", re, t.op("shl", im, const(im.type, 32)))
        return e.bitcast(Packet(bits, "i64", a.uniform), dtype)
    bits = e.bitcast(a, "i64").value
    high = t.op("lshr", bits, const(bits.type, 32))
    pair = tuple(t.cast("bitcast", t.cast("trunc", x, "i32"), "float") for x in (bits, high))
    return Packet(pair, dtype, a.uniform)
