"""Ops on strings, which are byte strings. All of them run in Python."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import each, invalid, same, shown, vector


class AsString(
    OpDef,
    sig="AsString(input: T, precision: int = -1, scientific: bool = False, "
    "shortest: bool = False, width: int = -1, fill: str = '') -> output: string",
    T=(*dtypes.NUMBERS, "i1", "str"),
):
    """Each number as C's printf writes it."""

    shape = same

    def host(
        op: Any,
        input: np.ndarray,
        *,
        precision: int,
        scientific: bool,
        shortest: bool,
        width: int,
        fill: str,
    ) -> np.ndarray:
        inexact = input.dtype.kind in "fcV" or input.dtype.name == "bfloat16"
        _check_format(op, inexact, precision, scientific, shortest, fill)
        if input.dtype.kind == "u":
            fill = fill.strip(" +")  # flags of signs mean nothing to C where there are none
        head = "%" + fill + (str(width) if width > -1 else "")
        if input.dtype == np.bool_:
            return each(lambda v: b"true" if v else b"false", input)
        if input.dtype == object:
            return each(lambda v: _padded(v, width, fill), input)
        if not inexact:
            digits = (head + "d").encode()
            return vector([digits % v for v in input.ravel().tolist()]).reshape(input.shape)
        form = head + (f".{precision}" if precision > -1 else "")
        form += "e" if scientific else "g" if shortest else "f"
        if input.dtype.kind == "c":
            texts = [f"({_float(form, v.real)},{_float(form, v.imag)})" for v in input.ravel()]
            return np.array([v.encode() for v in texts], object).reshape(input.shape)
        return each(lambda v: _float(form, v).encode(), input)


def _check_format(
    op: Any, inexact: bool, precision: int, scientific: bool, shortest: bool, fill: str
) -> None:
    """InvalidArgumentError for arguments that do not go together, or not with the dtype."""
    dtype = op.inputs[0].dtype.name
    if not inexact and precision > -1:
        raise invalid(op, f"precision not supported for datatype {dtype}")
    if not inexact and (scientific or shortest):
        raise invalid(op, f"scientific and shortest format not supported for datatype {dtype}")
    if scientific and shortest:
        raise invalid(op, "Cannot select both scientific and shortest notation")
    if len(fill) > 1:
        raise invalid(op, "Fill string must be one or fewer characters")
    if fill and fill not in " +-0#":
        raise invalid(op, f'Fill argument not supported: "{fill}"')


def _padded(text: bytes, width: int, fill: str) -> bytes:
    """`text` at least `width` bytes wide, at the left if `fill` is a minus."""
    return text.ljust(max(width, 0)) if fill == "-" else text.rjust(max(width, 0))


def _float(form: str, value: Any) -> str:
    """`value` as C's printf writes it, which never pads infinity and NaN with zeros."""
    value = float(value)
    if not math.isfinite(value) and form.startswith("%0"):
        form = "%" + form[2:]
    return form % value


class StringJoin(
    OpDef, sig="StringJoin(inputs: N * string, separator: str = '') -> output: string"
):
    """The strings of all inputs, element by element, joined; scalars go with any shape."""

    def shape(*inputs: TensorShape) -> list[TensorShape]:
        merged: s.Dims = []
        for dims in map(s.dims_of, inputs):
            if dims is None:
                return [s.unknown()]
            merged = s.merge_dims(merged, dims) if merged and dims else merged or dims
        return [s.shape_of(merged)]

    def host(op: Any, *inputs: np.ndarray, separator: str) -> np.ndarray:
        shapes = {x.shape for x in inputs if x.ndim}
        if len(shapes) > 1:
            raise invalid(
                op,
                "Input shapes do not match: "
                f"{s.text(inputs[0].shape)} vs. {s.text(inputs[-1].shape)}",
            )
        arrays = np.broadcast_arrays(*inputs)
        flat = zip(*(a.ravel() for a in arrays), strict=True)
        join = separator.encode().join
        return vector([join(parts) for parts in flat]).reshape(arrays[0].shape)


class StringToNumber(
    OpDef,
    sig="StringToNumber(string_tensor: string, out_type: type = float32) -> output: out_type",
    out_type=("f32", "f64", "i32", "i64"),
):
    """Each string read as a number."""

    shape = same

    def host(op: Any, string_tensor: np.ndarray, *, out_type: DType) -> np.ndarray:
        def read(text: bytes) -> Any:
            try:
                return number(text, out_type)
            except ValueError:
                message = f"StringToNumberOp could not correctly convert string: {shown(text)}"
                raise invalid(op, message) from None

        with np.errstate(over="ignore"):
            return each(read, string_tensor, out_type.as_numpy_dtype)


def number(text: bytes, dtype: DType) -> Any:
    """`text`, with white space around it, as a number of `dtype`.

    Raises:
      ValueError: it is no number, or no integer that the dtype holds.
    """
    text = text.strip()
    if not dtype.is_integer:
        if b"_" in text:
            raise ValueError("no number")
        if text.lstrip(b"+-")[:2].lower() == b"0x":
            return float.fromhex(text.decode("ascii", "replace"))
        return float(text)
    if not re.fullmatch(rb"[+-]?[0-9]+", text):
        raise ValueError("no integer")
    if len(text) > 40:
        raise ValueError("out of range")
    value = int(text)
    if not dtype.min <= value <= dtype.max:
        raise ValueError("out of range")
    return value


class DecodeRaw(
    OpDef,
    sig="DecodeRaw(bytes: string, out_type: type, little_endian: bool = True) -> output: out_type",
    out_type=(*dtypes.NUMBERS, "i1"),
):
    """The bytes of each string as a vector of numbers, along a new last axis."""

    def shape(bytes: TensorShape) -> list[TensorShape]:
        dims = s.dims_of(bytes)
        return [s.unknown() if dims is None else s.shape_of([*dims, None])]

    def host(op: Any, bytes: np.ndarray, *, out_type: DType, little_endian: bool) -> np.ndarray:
        kind = np.dtype(out_type.as_numpy_dtype)
        sizes = [len(v) for v in bytes.ravel()]
        length = sizes[0] if sizes else 0
        for k, size in enumerate(sizes):
            if size != length:
                raise invalid(
                    op,
                    "DecodeRaw requires input strings to all be the same size, but element "
                    f"{k} has size {length} != {size}",
                )
        if length % kind.itemsize:
            raise invalid(
                op,
                f"Input to DecodeRaw has length {length} that is not a multiple of "
                f"{kind.itemsize}, the size of {dtypes.kernel_name(out_type)}",
            )
        data = np.frombuffer(b"".join(bytes.ravel()), kind)
        data = data if little_endian else data.byteswap()
        return data.reshape(*bytes.shape, length // kind.itemsize)


class Substr(
    OpDef,
    sig="Substr(input: string, pos: T, len: T, unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE')"
    " -> output: string",
    T=INDEX,
):
    """`len` bytes or characters of each string from `pos` on; a negative `pos` counts from the
    end. If `len` is negative: all bytes that follow, but no characters."""

    def shape(input: TensorShape, pos: TensorShape, len: TensorShape) -> list[TensorShape]:
        both = s.merge_dims(s.dims_of(pos), s.dims_of(len))
        return [s.shape_of(s.broadcast_dims(s.dims_of(input), both))]

    def host(
        op: Any, input: np.ndarray, pos: np.ndarray, len: np.ndarray, *, unit: str
    ) -> np.ndarray:
        if pos.shape != len.shape:
            raise invalid(
                op, f"pos and len should have the same shape, got {pos.shape} {len.shape}"
            )
        try:
            texts, starts, counts = np.broadcast_arrays(input, pos, len)
        except ValueError:
            a, b = s.text(input.shape), s.text(pos.shape)
            raise invalid(op, f"Incompatible shapes: {a} vs. {b}") from None
        result = np.empty(texts.size, object)
        every = zip(texts.ravel(), starts.ravel(), counts.ravel(), strict=True)
        for i, (text, start, count) in enumerate(every):
            units = text if unit == "BYTE" else _characters(text)
            size = units.__len__()
            if not -size <= start <= size:
                said = shown(text)
                raise invalid(op, f"pos {start} out of range for string b'{said}' at index {i}")
            first = int(start) + size if start < 0 else int(start)
            rest = size if unit == "BYTE" else first  # what a negative count leaves
            end = first + int(count) if count >= 0 else rest
            result[i] = b"".join(units[first:end]) if unit != "BYTE" else text[first:end]
        return result.reshape(texts.shape)


def _characters(text: bytes) -> list[bytes]:
    """`text` cut before every byte that starts a character of UTF-8."""
    starts = [i for i, byte in enumerate(text) if byte & 0xC0 != 0x80]
    ends = [*starts[1:], len(text)] if starts else []
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


class StringLength(
    OpDef, sig="StringLength(input: string, unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE') -> output: int32"
):
    """The number of bytes, or of UTF-8 characters, of each string."""

    shape = same

    def host(input: np.ndarray, *, unit: str) -> np.ndarray:
        if unit == "UTF8_CHAR":
            return each(lambda v: sum(b & 0xC0 != 0x80 for b in v), input, np.int32)
        return each(len, input, np.int32)


class StringStrip(OpDef, sig="StringStrip(input: string) -> output: string"):
    """Each string without white space at its ends."""

    shape = same

    def host(input: np.ndarray) -> np.ndarray:
        return each(bytes.strip, input)


def _cased(name: str, of_bytes: Callable[[bytes], bytes], of_text: Callable[[str], str]) -> None:
    class Cased(OpDef, sig=f"{name}(input: string, encoding: str = '') -> output: string"):
        shape = same

        def host(op: Any, input: np.ndarray, *, encoding: str) -> np.ndarray:
            if not encoding:
                return each(of_bytes, input)
            if encoding != "utf-8":
                raise invalid(op, f"only utf-8 or '' (no encoding) is supported, got {encoding}")
            return each(lambda v: of_text(v.decode("utf-8", "replace")).encode(), input)

    Cased.__doc__ = f"Each string in {name[6:].lower()} case: ASCII, or all of Unicode as UTF-8."


_cased("StringLower", bytes.lower, str.lower)
_cased("StringUpper", bytes.upper, str.upper)


class DecodeBase64(OpDef, sig="DecodeBase64(input: string) -> output: string"):
    """Each string decoded from web-safe base64, with or without padding."""

    shape = same

    def host(op: Any, input: np.ndarray) -> np.ndarray:
        def decode(text: bytes) -> bytes:
            body = text.rstrip(b"=")
            padding = len(text) - len(body)
            if len(text) % 4 == 1:
                raise invalid(op, "Base64 string length cannot be 1 modulo 4.")
            if (
                len(body) % 4 == 1
                or padding not in (0, -len(body) % 4)
                or not re.fullmatch(rb"[A-Za-z0-9_-]*", body)
            ):
                raise invalid(op, "Invalid character found in base64.")
            return base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))

        return each(decode, input)


class EncodeBase64(OpDef, sig="EncodeBase64(input: string, pad: bool = False) -> output: string"):
    """Each string in web-safe base64, with or without padding."""

    shape = same

    def host(input: np.ndarray, *, pad: bool) -> np.ndarray:
        def encode(text: bytes) -> bytes:
            coded = base64.urlsafe_b64encode(text)
            return coded if pad else coded.rstrip(b"=")

        return each(encode, input)


class ReduceJoin(
    OpDef,
    sig="ReduceJoin(inputs: string, reduction_indices: int32, keep_dims: bool = False, "
    "separator: str = '') -> output: string",
):
    """Strings joined along axes: along the first one given, then those along the next."""

    def shape(
        inputs: TensorShape, axes: TensorShape, *, keep_dims: bool, op: Any
    ) -> list[TensorShape]:
        dims, chosen = s.dims_of(inputs), s.static_ints(op, 1)
        if dims is None or chosen is None:
            return [s.unknown()]
        for a in chosen:
            if not -len(dims) <= a < len(dims):
                raise ValueError(
                    f"Invalid reduction dimension {a} for input with {len(dims)} dimensions."
                )
        gone = {a % len(dims) for a in chosen}
        if keep_dims:
            return [s.shape_of([1 if i in gone else d for i, d in enumerate(dims)])]
        return [s.shape_of([d for i, d in enumerate(dims) if i not in gone])]

    def host(
        op: Any, inputs: np.ndarray, axes: np.ndarray, *, keep_dims: bool, separator: str
    ) -> np.ndarray:
        for a in axes.ravel():
            if not -inputs.ndim <= a < inputs.ndim:
                said = f"Invalid reduction dimension {a} for input with {inputs.ndim} dimension(s)"
                raise errors.OutOfRangeError(None, op, said)
        order: list[int] = []
        for a in axes.ravel():
            if int(a) % inputs.ndim in order:
                raise invalid(op, f"Duplicate reduction dimension {a}")
            order.append(int(a) % inputs.ndim)
        if not order:
            return inputs
        rest = [d for d in range(inputs.ndim) if d not in order]
        moved = np.transpose(inputs, rest + order[::-1])
        outer = [inputs.shape[d] for d in rest]
        count = int(np.prod(outer, dtype=np.int64))
        rows = moved.reshape(count, -1) if count else moved.reshape(0, 0)
        result = np.empty(count, object)
        result[:] = [separator.encode().join(row) for row in rows]
        kept = [1 if d in order else n for d, n in enumerate(inputs.shape)]
        return result.reshape(kept if keep_dims else outer)
