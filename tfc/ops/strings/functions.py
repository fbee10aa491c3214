"""The public functions on strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import apply
from tfc.ops.strings import text_ops  # noqa: F401 (defines the ops)


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Each number as C's printf writes it."""
    return apply(
        "AsString",
        input,
        precision=precision,
        scientific=scientific,
        shortest=shortest,
        width=width,
        fill=fill,
        name=name,
    )


def string_join(inputs: Sequence[Any], separator: str = "", name: str | None = None) -> Tensor:
    """The strings of all inputs, element by element, joined."""
    return apply("StringJoin", list(inputs), separator=separator, name=name)


def string_to_number(
    string_tensor: Any = None,
    out_type: Any = dtypes.float32,
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """Each string read as a number."""
    text = input if string_tensor is None else string_tensor
    return apply("StringToNumber", text, out_type=out_type, name=name)


def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: str | None = None,
    bytes: Any = None,
) -> Tensor:
    """The bytes of each string as a vector of numbers, along a new last axis.

    little_endian: the order of the bytes of one number. bytes: deprecated name of `input_bytes`.

    Raises:
      ValueError: neither or both names of the input, no dtype. InvalidArgumentError: strings of
        different lengths, or a length that is no multiple of the number's.
    """
    if (input_bytes is None) == (bytes is None):
        raise ValueError("Must specify exactly one of 'input_bytes' and 'bytes'")
    if out_type is None:
        raise ValueError("decode_raw() missing 1 positional argument: 'out_type'")
    text = bytes if input_bytes is None else input_bytes
    return apply("DecodeRaw", text, out_type=out_type, little_endian=little_endian, name=name)


def substr(input: Any, pos: Any, len: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """`len` bytes of each string from `pos` on."""
    return apply("Substr", input, pos, len, unit=unit, name=name)


def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """The number of bytes, or of UTF-8 characters, of each string."""
    return apply("StringLength", input, unit=unit, name=name)


def string_lower(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Each string in lower case."""
    return apply("StringLower", input, encoding=encoding, name=name)


def string_upper(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Each string in upper case."""
    return apply("StringUpper", input, encoding=encoding, name=name)


def string_strip(input: Any, name: str | None = None) -> Tensor:
    """Each string without white space at its ends."""
    return apply("StringStrip", input, name=name)


def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> Tensor:
    """Each string in web-safe base64."""
    return apply("EncodeBase64", input, pad=pad, name=name)


def decode_base64(input: Any, name: str | None = None) -> Tensor:
    """Each string decoded from web-safe base64."""
    return apply("DecodeBase64", input, name=name)


def reduce_join(
    inputs: Any,
    axis: Any = None,
    keep_dims: bool | None = None,
    separator: str = "",
    name: str | None = None,
    reduction_indices: Any = None,
    keepdims: bool | None = None,
) -> Tensor:
    """Strings joined along `axis`; along every axis, in order, if it is None."""
    inputs = convert_to_tensor(inputs, dtype=dtypes.string)
    axis = reduction_indices if axis is None else axis
    if axis is None:
        rank = inputs.get_shape().ndims
        if rank is None:
            axis = apply("Range", apply("Rank", inputs) - 1, -1, -1)
        else:
            axis = list(range(rank))[::-1]
    keep = bool(keep_dims if keepdims is None else keepdims)
    return apply("ReduceJoin", inputs, axis, keep_dims=keep, separator=separator, name=name)
