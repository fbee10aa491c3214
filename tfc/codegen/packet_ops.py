"""Arithmetic on whole packets: by dtype, complex numbers and approximated functions included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.codegen import approx, complexes
from tfc.codegen.packets import MEMORY, REGISTER, Arithmetic, Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, vec


class PacketOps:
    """Writes operations on packets of `lanes` elements into `text`."""

    def __init__(self, text: Text, lanes: int):
        self.text, self.lanes = text, lanes
        self.arithmetic = Arithmetic(text)

    @contextmanager
    def with_lanes(self, lanes: int) -> Iterator[None]:
        """Packets of another width inside."""
        saved, self.lanes = self.lanes, lanes
        try:
            yield
        finally:
            self.lanes = saved

    def const(self, dtype: str, value: Any) -> Packet:
        """`value` in every lane."""
        part = dtypes.REAL_PART.get(dtype)
        if part is not None:
            number = complex(value)
            pair = (self._const(part, number.real), self._const(part, number.imag))
            return Packet(pair, dtype, True)
        return Packet(self._const(dtype, value), dtype, True)

    def _const(self, dtype: str, value: Any) -> V:
        if dtype in ("f16", "bf16"):
            value = float(np.asarray(value).astype(dtypes.numpy_dtype(dtype)))
        return const(vec(REGISTER[dtype], self.lanes), value)

    def unary(self, name: str, a: Packet) -> Packet:
        dtype = a.dtype
        if dtype in dtypes.COMPLEX:
            return complexes.unary(self, name, a)
        if name in approx.UNARY:
            value = approx.UNARY[name](self.text, a.value)
        else:
            value = self.arithmetic.unary(name, a.value, dtype)
        if name == "is_finite":
            return Packet(value, "i1", a.uniform)
        return Packet(self.arithmetic.rounded(value, dtype), dtype, a.uniform)

    def binary(self, name: str, a: Packet, b: Packet) -> Packet:
        dtype, uniform = a.dtype, a.uniform and b.uniform
        if name == "complex":
            return Packet((a.value, b.value), {"f32": "c64", "f64": "c128"}[dtype], uniform)
        if dtype in dtypes.COMPLEX:
            return complexes.binary(self, name, a, b)
        if dtype in dtypes.FLOATS and name in approx.BINARY:
            value = approx.BINARY[name](self.text, a.value, b.value)
        else:
            value = self.arithmetic.binary(name, a.value, b.value, dtype)
        return Packet(self.arithmetic.rounded(value, dtype), dtype, uniform)

    def compare(self, name: str, a: Packet, b: Packet) -> Packet:
        uniform = a.uniform and b.uniform
        if a.dtype in dtypes.COMPLEX:
            return complexes.compare(self, name, a, b)
        return Packet(self.arithmetic.compare(name, a.value, b.value, a.dtype), "i1", uniform)

    def select(self, p: Packet, a: Packet, b: Packet) -> Packet:
        uniform = p.uniform and a.uniform and b.uniform
        if p.value.ref in ("true", "splat (i1 true)"):
            return a
        if p.value.ref in ("false", "splat (i1 false)"):
            return b
        if a.dtype in dtypes.COMPLEX:
            parts = zip(a.value, b.value, strict=True)
            return Packet(
                tuple(self.text.select(p.value, x, y) for x, y in parts), a.dtype, uniform
            )
        return Packet(self.text.select(p.value, a.value, b.value), a.dtype, uniform)

    def convert(self, a: Packet, dtype: str) -> Packet:
        if a.dtype == dtype:
            return a
        if a.dtype in dtypes.COMPLEX or dtype in dtypes.COMPLEX:
            return complexes.convert(self, a, dtype)
        return Packet(self.arithmetic.convert(a.value, a.dtype, dtype), dtype, a.uniform)

    def bitcast(self, a: Packet, dtype: str) -> Packet:
        """The same bits as another dtype of the same width."""
        if dtype in dtypes.COMPLEX or a.dtype in dtypes.COMPLEX:
            return complexes.bitcast(self, a, dtype)
        raw = self.arithmetic.to_memory(a.value, a.dtype)
        same = self.text.cast("bitcast", raw, MEMORY[dtype])
        return Packet(self.arithmetic.to_register(same, dtype), dtype, a.uniform)
