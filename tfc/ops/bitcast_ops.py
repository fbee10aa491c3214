"""Bitcast: the bits of a tensor read as another dtype, wider or narrower ones too."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import COMPLEX, NUMBERS, REAL_PART, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules
from tfc.ops.lowering import invalid


def _bits(dtype: DType) -> int:
    return int(np.dtype(dtype.as_numpy_dtype).itemsize) * 8


def _cast_dims(dims: list[int | None], source: DType, target: DType) -> list[int | None]:
    """The shape after the cast.

    Raises:
      ValueError: the last dimension does not hold one element of the target.
    """
    ratio = _bits(target) / _bits(source)
    if ratio < 1:
        return [*dims, round(1 / ratio)]
    if ratio == 1:
        return dims
    if not dims:
        raise ValueError("Shape must be at least rank 1 but is rank 0")
    if dims[-1] not in (None, int(ratio)):
        raise ValueError(f"Cannot bitcast due to shape. {dims[-1]} does not match {int(ratio)}")
    return dims[:-1]


class Bitcast(OpDef, sig="Bitcast(input: T, type: dtype) -> output: type", T=NUMBERS, type=NUMBERS):
    """The same bits as `type`. To narrower elements a last dimension is added that counts them,
    least first; wider ones take up the last dimension."""

    def shape(input: TensorShape, *, type: DType, op: Any) -> list[TensorShape]:
        dims = shape_rules.dims_of(input)
        if dims is None:
            return [shape_rules.unknown()]
        source = op.inputs[0].dtype.base_dtype
        return [shape_rules.shape_of(_cast_dims(dims, source, type))]

    def lower(build: Any, input: Value, *, type: DType, op: Any) -> Value:
        source = op.inputs[0].dtype.base_dtype
        try:
            dims = _cast_dims(list(input.type.shape), source, type)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        if source == type:
            return input
        x, width = _as_bits(build, input)
        wanted = dtypes.by_short(REAL_PART.get(type.short, type.short)).bits
        if width > wanted:
            x = _split(build, x, width // wanted)
        elif width < wanted:
            x = _joined(build, x, wanted // width)
        shape = tuple(d for d in dims if d is not None)
        return _from_bits(build, x, shape, type.short)


def _as_bits(build: Any, x: Value) -> tuple[Value, int]:
    """The elements as a vector of unsigned integers of their width; complex ones as two."""
    if x.type.dtype in COMPLEX:
        parts = [p.reshape(build, f(build, x), shape=(x.type.size, 1)) for f in (p.real, p.imag)]
        x = p.concat(build, *parts, dim=1)
    width = dtypes.by_short(x.type.dtype).bits
    flat = p.reshape(build, x, shape=(x.type.size,))
    name = f"u{width}"
    return (flat if x.type.dtype == name else p.bitcast(build, flat, dtype=name)), width


def _split(build: Any, x: Value, count: int) -> Value:
    """Each integer as `count` narrower ones, least first."""
    narrow = dtypes.by_short(x.type.dtype).bits // count
    shape = (x.type.size, count)
    rows = p.broadcast(build, x, dims=(0,), shape=shape)
    place = p.iota(build, dtype=x.type.dtype, shape=shape, dim=1)
    shift = p.mul(build, place, p.full_like(build, place, narrow))
    parts = p.convert(build, p.shr(build, rows, shift), dtype=f"u{narrow}")
    return p.reshape(build, parts, shape=(x.type.size * count,))


def _joined(build: Any, x: Value, count: int) -> Value:
    """Each `count` integers as one wider one, the first of them its least part."""
    width = dtypes.by_short(x.type.dtype).bits
    wide = p.convert(build, x, dtype=f"u{width * count}")
    rows = p.reshape(build, wide, shape=(x.type.size // count, count))
    place = p.iota(build, dtype=wide.type.dtype, shape=rows.type.shape, dim=1)
    shift = p.mul(build, place, p.full_like(build, place, width))
    return p.reduce(build, p.shl(build, rows, shift), dims=(1,), kind="add")


def _from_bits(build: Any, x: Value, shape: tuple[int, ...], dtype: str) -> Value:
    """A vector of unsigned integers as `dtype`, complex numbers from pairs of them."""
    if dtype not in COMPLEX:
        value = x if x.type.dtype == dtype else p.bitcast(build, x, dtype=dtype)
        return p.reshape(build, value, shape=shape)
    numbers = p.bitcast(build, x, dtype=REAL_PART[dtype])
    pairs = p.reshape(build, numbers, shape=(x.type.size // 2, 2))
    parts = [
        p.slice_(build, pairs, start=(0, i), limit=(x.type.size // 2, i + 1), stride=(1, 1))
        for i in (0, 1)
    ]
    return p.complex(build, *(p.reshape(build, v, shape=shape) for v in parts))


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """The bits of `input` as `type`.

    Raises:
      TypeError: a dtype without fixed bits. ValueError: sizes do not fit.
    """
    return apply("Bitcast", input, type=dtypes.as_dtype(type), name=name)
