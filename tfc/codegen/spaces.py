"""Iteration spaces: which neighbouring axes can be one loop, and nests over the result."""

from __future__ import annotations

from collections.abc import Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import Buffer, Emitter
from tfc.codegen.index import Atom, Index, as_index, row_major
from tfc.codegen.packets import REGISTER, Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const
from tfc.ir.core import Literal, Value


def merged_axes(
    accesses: Sequence[Index], axes: Sequence[Index], shape: Sequence[int]
) -> list[tuple[int, int]]:
    """Ranges (first, past last) of the axes of `shape` that make one loop each, in order.

    An access whose address grows by c * n when axis d grows by one and by c when axis d + 1 (of n
    elements) does, cannot tell the two axes from one; they merge if all accesses are such.
    """
    groups: list[tuple[int, int]] = []
    for d in range(len(shape)):
        first = groups[-1][0] if groups else 0
        if groups and all(_one_axis(a, axes[first:d], axes[d], shape[d]) for a in accesses):
            groups[-1] = (first, d + 1)
        else:
            groups.append((d, d + 1))
    return groups


def probe_axes(probe: Probe, shape: Sequence[int]) -> list[Index]:
    """An index for each axis; constant for axes of one element."""
    root = probe.text.root
    return [
        Index.of(Atom(root, (0, n - 1), V(f"%axis{d}", "i64"))) if n > 1 else Index()
        for d, n in enumerate(shape)
    ]


def _one_axis(access: Index, before: Sequence[Index], last: Index, extent: int) -> bool:
    """Whether the access takes axis `last` to go on where the one before it ends."""
    if last.is_const or all(axis.is_const for axis in before):
        return True
    previous = next(axis for axis in reversed(before) if not axis.is_const)
    a, b = previous.terms[0][0], last.terms[0][0]
    if _hidden(access, a) or _hidden(access, b):
        return False
    coefs = dict(access.terms)
    return coefs.get(a, 0) == coefs.get(b, 0) * extent


def _hidden(access: Index, axis: Atom) -> bool:
    """Whether a computed atom of the access depends on `axis`."""
    waiting = [atom.source for atom, _ in access.terms if atom.source is not None]
    while waiting:
        source = waiting.pop()
        for atom, _ in source.terms:
            if atom is axis:
                return True
            if atom.source is not None:
                waiting.append(atom.source)
    return False


class Probe(Emitter):
    """An emitter that writes nothing, and keeps the index of every access and test."""

    def __init__(self, buffers: dict[Value, Buffer]):
        super().__init__(Text(), 1)
        self.buffers = buffers
        self.accesses: list[Index] = []

    def dummy(self, dtype: str) -> Packet:
        """A packet of no meaning."""
        part = dtypes.REAL_PART.get(dtype)
        v = const(REGISTER[part or dtype], 0)
        return Packet((v, v) if part else v, dtype)

    def load(self, buffer: Buffer, index: Sequence[Index | int]) -> Packet:
        self.accesses.append(row_major(index, buffer.type.shape or ()))
        return self.dummy(buffer.type.dtype)

    def literal(self, literal: Literal, index: Sequence[Index | int]) -> Packet:
        if len(set(literal.array.reshape(-1).tolist())) > 1:
            self.accesses.append(row_major(index, literal.array.shape))
        return self.dummy(literal.type.dtype)

    def unary(self, name: str, a: Packet) -> Packet:
        dtype = "i1" if name == "is_finite" else a.dtype
        return self.dummy(dtypes.REAL_PART[dtype] if name in ("real", "imag") else dtype)

    def binary(self, name: str, a: Packet, b: Packet) -> Packet:
        whole = {"f32": "c64", "f64": "c128"}
        return self.dummy(whole[a.dtype] if name == "complex" else a.dtype)

    def compare(self, name: str, a: Packet, b: Packet) -> Packet:
        return self.dummy("i1")

    def select(self, p: Packet, a: Packet, b: Packet) -> Packet:
        return self.dummy(a.dtype)

    def convert(self, a: Packet, dtype: str) -> Packet:
        return self.dummy(dtype)

    def bitcast(self, a: Packet, dtype: str) -> Packet:
        return self.dummy(dtype)

    def packet_from(self, index: Index | int, dtype: str) -> Packet:
        self.accesses.append(as_index(index))
        return self.dummy(dtype)

    def in_range(self, index: Index | int, lo: int, hi: int) -> Packet:
        self.accesses.append(as_index(index))
        return self.dummy("i1")

    def clamp(self, index: Index | int, lo: int, hi: int) -> Index:
        index = as_index(index)
        self.accesses.append(index)
        return super().clamp(index, lo, hi)

    known_within = clamp
