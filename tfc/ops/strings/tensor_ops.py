"""Tensors as strings that hold a TensorProto message, and back."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tfc.base.dtypes import DType, as_dtype
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ops.common import scalar
from tfc.ops.examples import wire
from tfc.ops.strings.common import invalid, shown

_TYPES = tuple(t for t in ANY if t not in ("resource", "variant"))
# numbers of fields of TensorProto -> (dtypes whose elements stand there, how they are packed)
_FIXED = {5: "f", 6: "d", 9: "f", 12: "d"}
_VARINTS = {7, 10, 11, 13, 16, 17}
_LIMIT = 1 << 31


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def message_of(array: np.ndarray, dtype: DType, packed: bool = False) -> bytes:
    """The TensorProto of an array: numbers as raw bytes, strings one by one, or (`packed`) as their
    lengths and then all of them."""
    dims = b"".join(
        _field(2, b"\x08" + _varint(extent) if extent else b"") for extent in array.shape
    )
    head = b"\x08" + _varint(int(dtype.as_datatype_enum)) + _field(2, dims)
    if dtype.name == "string":
        texts = array.ravel().tolist()
        if packed and texts:
            return head + _field(4, b"".join([_varint(len(text)) for text in texts] + texts))
        return head + b"".join(_field(8, text) for text in texts)
    return head + _field(4, np.ascontiguousarray(array).tobytes()) if array.size else head


class SerializeTensor(OpDef, sig="SerializeTensor(tensor: T) -> serialized: string", T=_TYPES):
    """A tensor as a TensorProto message."""

    shape = scalar

    def host(op: Any, tensor: np.ndarray) -> np.ndarray:
        result = np.empty((), object)
        result[()] = message_of(np.asarray(tensor), op.inputs[0].dtype.base_dtype)
        return result


def _shape(body: bytes) -> list[int]:
    """The extents in a TensorShapeProto. Raises ValueError: unknown ones."""
    extents = []
    for number, kind, value in wire.fields(body):
        if number == 3 and value:
            raise ValueError("the rank is unknown")
        if number == 2 and kind == 2:
            sizes = [v for n, k, v in wire.fields(value) if n == 1 and k == 0]
            extents.append(sizes[-1] if sizes else 0)
    if any(extent >> 31 for extent in extents) or len(extents) > 254:
        raise ValueError(f"no extents: {extents[:8]}")
    return extents


def array_of(data: bytes) -> np.ndarray:
    """The array of a TensorProto message. Raises ValueError, TypeError: it is none."""
    enum, shape, content = 0, [], None
    texts: list[bytes] = []
    numbers: list[Any] = []
    for number, kind, value in wire.fields(data):
        if number == 1 and kind == 0:
            enum = value
        elif number == 2 and kind == 2:
            shape = _shape(value)
        elif number == 4 and kind == 2:
            content = value
        elif number == 8 and kind == 2:
            texts.append(value)
        elif number in _FIXED and kind in (1, 2, 5):
            code = _FIXED[number]
            numbers += struct.unpack(f"<{len(value) // struct.calcsize(code)}{code}", value)
        elif number in _VARINTS:
            numbers += wire.integers(kind, value)
    dtype = as_dtype(enum)
    if dtype.name in ("resource", "variant") or dtype.is_ref_dtype:
        raise ValueError(f"no tensors of {dtype.name}")
    count = 1
    for extent in shape:
        count *= extent
    numpy_type = np.dtype(dtype.as_numpy_dtype)
    if count * max(numpy_type.itemsize, 1) > _LIMIT:
        raise ValueError(f"{count} elements are too many")
    if dtype.name == "string":
        if content is not None and not texts:
            texts = _unpacked(content, count)
        return _filled(texts, count, numpy_type, b"").reshape(shape)
    if content is not None and not numbers:
        return np.frombuffer(content, numpy_type, count).reshape(shape).copy()
    return _filled(_typed(numbers, dtype), count, numpy_type, 0).reshape(shape)


def _unpacked(content: bytes, count: int) -> list[bytes]:
    """`count` strings, of their lengths and then all of them. Raises ValueError: they are not."""
    lengths, at = [], 0
    for _ in range(count):
        length, at = wire.varint(content, at)
        lengths.append(length)
    texts = []
    for length in lengths:
        texts.append(content[at : at + length])
        at += length
    if at != len(content):
        raise ValueError(f"strings of {at} bytes in {len(content)}")
    return texts


def _typed(numbers: list[Any], dtype: DType) -> Any:
    """The numbers of a field as elements of `dtype`."""
    if dtype.name in ("float16", "bfloat16"):
        return np.array(numbers, np.uint16).view(dtype.as_numpy_dtype)
    if dtype.is_complex:
        return [complex(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    if dtype.name == "uint64":
        return [number % (1 << 64) for number in numbers]
    return numbers


def _filled(values: Any, count: int, kind: np.dtype, empty: Any) -> np.ndarray:
    """`count` elements, the last of which is repeated."""
    if len(values) > count:
        raise ValueError(f"{len(values)} values for {count} elements")
    result = np.empty(count, kind)
    result[len(values) :] = values[-1] if len(values) else empty
    if len(values):
        result[: len(values)] = values
    return result


class ParseTensor(OpDef, sig="ParseTensor(serialized: string, out_type: type) -> output: out_type"):
    """The tensor in a TensorProto message."""

    def host(op: Any, serialized: np.ndarray, *, out_type: DType) -> np.ndarray:
        if serialized.shape != ():
            raise invalid(
                op,
                f"Expected `serialized` to be a scalar, got shape: {list(serialized.shape)}",
            )
        try:
            array = array_of(serialized.item())
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise invalid(
                op,
                "Could not parse `serialized` as TensorProto: "
                f"'{shown(serialized.item())}' ({error})",
            ) from None
        found = as_dtype(array.dtype)
        if found != out_type:
            raise invalid(
                op, f"Type mismatch between parsed tensor ({found.name}) and dtype "
                f"({out_type.name})",
            )  # fmt: skip
        return array


def serialize_tensor(tensor: Any, name: str | None = None) -> Tensor:
    """`tensor` as a string that holds a TensorProto message."""
    return apply("SerializeTensor", convert_to_tensor(tensor), name=name)


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Tensor:
    """The tensor that a string holds as a TensorProto message; its shape is unknown.

    Raises:
      InvalidArgumentError: there is no such message in it, or one of another dtype.
    """
    return apply("ParseTensor", serialized, out_type=as_dtype(out_type), name=name)
