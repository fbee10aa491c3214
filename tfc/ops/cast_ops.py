"""Cast and what is written with it, and the ops that put complex numbers together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.dtypes import COMPLEX, FLOATS, NUMBERS, DType
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops.common import broadcast, broadcast_args, sum_to, unchanged
from tfc.ops.lowering import broadcast_values, to

CASTABLE = (*NUMBERS, "i1")


class Cast(OpDef, sig="Cast(x: SrcT, DstT: type) -> y: DstT", SrcT=(*CASTABLE, "str")):
    """`x` in another type. Floats are truncated to integers, and a complex number to its real
    part; anything but 0 is true. None is from or to strings: UnimplementedError in the run."""

    shape = unchanged

    def grad(op: Any, dy: Any) -> list[Any]:
        flows = {*FLOATS, *COMPLEX}
        source, target = op.inputs[0].dtype.base_dtype, dy.dtype.base_dtype
        if source.short in flows and target.short in flows:
            return [cast(dy, source)]
        return [None]

    def lower(build: Any, x: Value, *, DstT: DType) -> Value:
        source, target = x.type.dtype, DstT.short
        if source == target:
            return x
        if source in COMPLEX and target not in COMPLEX:
            if target == "i1":
                return p.ne(build, x, p.full_like(build, x, 0))
            return to(build, p.real(build, x), target)
        if target in COMPLEX and source not in COMPLEX:
            real = to(build, x, dtypes.REAL_PART[target])
            return p.complex(build, real, p.full_like(build, real, 0))
        return p.convert(build, x, dtype=target)

    @classmethod
    def run_host(cls, op: Any, arrays: Sequence[Any], *call: Any) -> tuple[Any, ...]:
        source, target = op.inputs[0].dtype.base_dtype.name, op.outputs[0].dtype.name
        message = f"Cast {source} to {target} is not supported"
        raise errors.UnimplementedError(None, op, message)


class Complex(
    OpDef,
    sig="Complex(real: T, imag: T, Tout: type = complex64) -> out: Tout",
    T=("f32", "f64"),
    Tout=COMPLEX,
):
    """real + i imag, with broadcasting."""

    shape = broadcast

    def grad(op: Any, dy: Any) -> list[Any]:
        sx, sy, rx, ry = broadcast_args(*op.inputs)
        real = apply("Real", dy, Tout=dy.dtype.real_dtype)
        imag = apply("Imag", dy, Tout=dy.dtype.real_dtype)
        return [sum_to(real, rx, sx), sum_to(imag, ry, sy)]

    def lower(build: Any, real: Value, imag: Value) -> Value:
        return p.complex(build, *broadcast_values(build, real, imag))


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """`x` in `dtype`; `x` itself if it has it. IndexedSlices and sparse tensors keep their indices.

    Raises:
      TypeError: strings cannot be cast.
    """
    base = dtypes.as_dtype(dtype).base_dtype
    if isinstance(x, Tensor) and x.dtype == base:
        return x
    with name_scope(name, "Cast", [x]) as scope:
        if isinstance(x, IndexedSlices):
            values = cast(x.values, base, name=scope)
            return IndexedSlices(values, x.indices, x.dense_shape)
        if hasattr(x, "indices") and hasattr(x, "dense_shape"):
            return type(x)(x.indices, cast(x.values, base, name=scope), x.dense_shape)
        tensor = convert_to_tensor(x, name="x")
        if tensor.dtype.base_dtype == base:
            return tensor
        return apply("Cast", tensor, DstT=base, name=scope)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`value` in `dtype`, clamped to what that can hold."""
    with name_scope(name, "saturate_cast", [value]) as scope:
        tensor = convert_to_tensor(value, name="value")
        target = dtypes.as_dtype(dtype).base_dtype
        source = tensor.dtype.base_dtype
        low, high = _bounds(source, target)
        infinite = source.is_floating and target.is_integer
        if _plain(source, source.min) < _plain(target, target.min) or infinite:
            limit = convert_to_tensor(low, dtype=source, name="min")
            tensor = apply("Maximum", tensor, limit)
        if _plain(source, source.max) > _plain(target, target.max) or infinite:
            limit = convert_to_tensor(high, dtype=source, name="max")
            tensor = apply("Minimum", tensor, limit)
        return cast(tensor, target, name=scope)


def _plain(dtype: DType, number: Any) -> int | float:
    """A bound as a Python number, which compares exactly with any other."""
    return int(number) if dtype.is_integer else float(number)


def _bounds(source: DType, target: DType) -> tuple[Any, Any]:
    """The least and greatest numbers of `source` that are in the range of `target`."""
    low, high = target.min, target.max
    if source.is_integer or not target.is_integer:
        return low, high
    numpy = source.as_numpy_dtype
    low, high = numpy(max(float(source.min), low)), numpy(min(float(source.max), high))
    if int(high) > int(target.max):  # rounded up beyond the range
        high = np.nextafter(high, numpy(0), dtype=numpy)
    return low, high


def to_float(x: Any, name: str = "ToFloat") -> Any:
    """`x` as float32."""
    return cast(x, dtypes.float32, name=name)


def to_double(x: Any, name: str = "ToDouble") -> Any:
    """`x` as float64."""
    return cast(x, dtypes.float64, name=name)


def to_int32(x: Any, name: str = "ToInt32") -> Any:
    """`x` as int32."""
    return cast(x, dtypes.int32, name=name)


def to_int64(x: Any, name: str = "ToInt64") -> Any:
    """`x` as int64."""
    return cast(x, dtypes.int64, name=name)


def to_bfloat16(x: Any, name: str = "ToBFloat16") -> Any:
    """`x` as bfloat16."""
    return cast(x, dtypes.bfloat16, name=name)


def to_complex64(x: Any, name: str = "ToComplex64") -> Any:
    """`x` as complex64."""
    return cast(x, dtypes.complex64, name=name)


def to_complex128(x: Any, name: str = "ToComplex128") -> Any:
    """`x` as complex128."""
    return cast(x, dtypes.complex128, name=name)


def complex_(real: Any, imag: Any, name: str | None = None) -> Tensor:
    """real + i imag.

    Raises:
      TypeError: the parts are not both float32 or both float64.
    """
    real = convert_to_tensor(real, name="real")
    imag = convert_to_tensor(imag, name="imag")
    results = {"f32": dtypes.complex64, "f64": dtypes.complex128}
    pair = real.dtype.base_dtype, imag.dtype.base_dtype
    result = results.get(pair[0].short)
    if result is None or pair[0] != pair[1]:
        names = f"{pair[0].name} {pair[1].name}"
        raise TypeError(f"real and imag have incorrect types: {names}")
    return apply("Complex", real, imag, Tout=result, name=name)
