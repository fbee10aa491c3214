"""An emitter over single elements: runs `emit` rules in Python, one result element at a time, with
each operation's numpy meaning. Every load is checked to lie inside its array."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import numpy_dtype
from tfc.ir.core import Literal, Op, Type
from tfc.prims.prim import REGISTRY

Array = np.ndarray


class ScalarElement:
    """An operand: index -> element."""

    def __init__(self, array: Array, type: Type):
        self.array, self.type = array, type

    def __call__(self, index: Sequence[int]) -> Array:
        assert len(index) == self.array.ndim
        for i, extent in zip(index, self.array.shape, strict=True):
            assert 0 <= i < extent, f"load at {index} of {self.type}"
        return np.asarray(self.array[tuple(index)])


class ScalarEmitter:
    """The emitter's face towards `emit` rules. Packets are arrays of rank 0, indices are ints."""

    def unary(self, name: str, a: Array) -> Array:
        return np.asarray(REGISTRY[name].eval(a))

    def binary(self, name: str, a: Array, b: Array) -> Array:
        return np.asarray(REGISTRY[name].eval(a, b))

    compare = binary

    def select(self, p: Array, a: Array, b: Array) -> Array:
        return a if p else b

    def convert(self, a: Array, dtype: str) -> Array:
        return np.asarray(REGISTRY["convert"].eval(a, dtype=dtype))

    def bitcast(self, a: Array, dtype: str) -> Array:
        return a.view(numpy_dtype(dtype))

    def const(self, dtype: str, value: Any) -> Array:
        return np.array(value).astype(numpy_dtype(dtype))

    def literal(self, literal: Literal, index: Sequence[int]) -> Array:
        return ScalarElement(literal.array, literal.type)(index)

    def packet_from(self, index: int, dtype: str) -> Array:
        return np.array(index).astype(numpy_dtype(dtype))

    def index_from(self, packet: Array) -> int:
        return int(packet.astype(np.int64))

    def index_at(self, element: Callable[[Sequence[int]], Array], at: Sequence[int]) -> int:
        return self.index_from(element(at))

    def in_range(self, index: int, lo: int, hi: int) -> Array:
        return np.array(lo <= index < hi)

    def known_within(self, index: int, lo: int, hi: int) -> int:
        assert lo <= index <= hi
        return index

    def clamp(self, index: int, lo: int, hi: int) -> int:
        assert lo <= hi
        return min(max(index, lo), hi)

    def index_floordiv(self, index: int, divisor: int) -> int:
        return index // divisor

    def index_mod(self, index: int, divisor: int) -> int:
        return index % divisor

    def linearize(self, index: Sequence[int], shape: Sequence[int]) -> int:
        flat = 0
        for i, extent in zip(index, shape, strict=True):
            flat = flat * extent + i
        return flat

    def delinearize(self, flat: int, shape: Sequence[int]) -> tuple[int, ...]:
        entries = []
        for extent in reversed(shape):
            entries.append(flat % extent)
            flat //= extent
        return tuple(reversed(entries))

    def fold(
        self, extents: Sequence[int], init: Array, body: Callable[[tuple[int, ...], Array], Array]
    ) -> Array:
        for index in itertools.product(*map(range, extents)):
            init = body(index, init)
        return init


def run_emit(op: Op, arrays: Sequence[Array]) -> Array:
    """The result of `op`, element by element."""
    elements = [
        ScalarElement(np.asarray(a), v.type) for a, v in zip(arrays, op.operands, strict=True)
    ]
    type = op.result.type
    result = np.zeros(type.shape, numpy_dtype(type.dtype))
    emitter = ScalarEmitter()
    with np.errstate(all="ignore"):
        for index in itertools.product(*map(range, type.shape)):
            result[index] = op.defn.emit(emitter, index, *elements, **op.kwargs)
    return result
