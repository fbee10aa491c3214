"""Strings as the characters of Unicode that they encode."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.ragged_tensor import RaggedTensor
from tfc.ops import shape_ops
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import each, invalid, vector

_ERRORS = "errors: {'strict', 'replace', 'ignore'} = 'replace', replacement_char: int = 65533, "
_DECODE = (
    "(input: string, input_encoding: str, "
    + _ERRORS
    + "replace_control_characters: bool = False, Tsplits: type = int64)"
    " -> row_splits: Tsplits, char_values: int32"
)
_FORMS = "{'UTF-8', 'UTF-16-BE', 'UTF-32-BE'}"


def _codec(op: Any, encoding: str) -> str:
    """The name of the codec for `encoding`. InvalidArgumentError if there is none for text."""
    try:
        found = codecs.lookup(encoding)
        if not getattr(found, "_is_text_encoding", True):
            raise LookupError
    except (LookupError, ValueError):
        message = f"Could not create converter for input encoding: {encoding}"
        raise invalid(op, message) from None
    return found.name


def _check_replacement(op: Any, point: int) -> int:
    """What stands for `point`, which no encoding knows if it is half a pair."""
    if not 0 <= point <= 0x10FFFF:
        raise invalid(op, f"replacement_char out of unicode codepoint range: {point}")
    return 0xFFFD if 0xD800 <= point <= 0xDFFF else point


def _by_mark(text: bytes, codec: str) -> tuple[str, int]:
    """The codec of a text whose first bytes may tell their order, which is else big endian; and how
    many bytes tell it."""
    if codec not in ("utf-16", "utf-32"):
        return codec, 0
    for order in ("be", "le"):
        mark = "\ufeff".encode(f"{codec}-{order}")
        if text.startswith(mark):
            return f"{codec}-{order}", len(mark)
    return f"{codec}-be", 0


def _decoded(
    op: Any, text: bytes, codec: str, errors: str, replacement: int, replaces_controls: bool
) -> Iterator[tuple[int, int]]:
    """(code point, where its bytes start) of each character of `text`. A control character that is
    to be replaced is as one that could not be read."""
    codec, mark = _by_mark(text, codec)
    at = mark
    while at < len(text):
        try:
            good, bad = text[at:].decode(codec), 0
        except UnicodeDecodeError as error:
            good, bad = text[at : at + error.start].decode(codec), error.end - error.start
        points: list[tuple[int | None, int]] = []
        for c in good:
            is_control = replaces_controls and ord(c) < 32
            points.append((None if is_control else ord(c), len(c.encode(codec))))
        if bad:
            # this one page of 256 has a control character wherever it has no other
            found = text[at + len(good)] if codec == "cp1252" else None
            points.append((found, bad))
        for point, size in points:
            if point is None and errors == "strict":
                raise invalid(op, "Invalid formatting on input string")
            if point is not None or errors == "replace":
                # the mark in front of all counts as bytes of the first character
                yield (replacement if point is None else point), at if at > mark else 0
            at += size


def _decode_shape(input: TensorShape, *, op: Any) -> list[TensorShape]:
    dims = s.dims_of(input)
    size = None if dims is None else s.product(dims)
    rows = s.shape_of([None if size is None else size + 1])
    return [rows, *[s.shape_of([None])] * (len(op.outputs) - 1)]


def _decode(op: Any, input: np.ndarray, attrs: dict[str, Any]) -> tuple[np.ndarray, ...]:
    codec = _codec(op, attrs["input_encoding"])
    replacement = _check_replacement(op, attrs["replacement_char"])
    how = attrs["errors"], replacement, attrs["replace_control_characters"]
    rows = [list(_decoded(op, text, codec, *how)) for text in input.ravel()]
    splits = np.cumsum([0, *map(len, rows)]).astype(attrs["Tsplits"].as_numpy_dtype)
    every = np.array([pair for row in rows for pair in row], np.int64).reshape(-1, 2)
    return splits, every[:, 0].astype(np.int32), np.ascontiguousarray(every[:, 1])


class UnicodeDecode(OpDef, sig="UnicodeDecode" + _DECODE, Tsplits=("i32", "i64")):
    """The code points of all strings, and where those of each string start."""

    shape = _decode_shape

    def host(op: Any, input: np.ndarray, **attrs: Any) -> tuple[np.ndarray, ...]:
        return _decode(op, input, attrs)[:2]


class UnicodeDecodeWithOffsets(
    OpDef,
    sig="UnicodeDecodeWithOffsets" + _DECODE + ", char_to_byte_starts: int64",
    Tsplits=("i32", "i64"),
):
    """As UnicodeDecode, with the byte at which each character starts in its string."""

    shape = _decode_shape

    def host(op: Any, input: np.ndarray, **attrs: Any) -> tuple[np.ndarray, ...]:
        return _decode(op, input, attrs)


def _encoded(op: Any, points: Any, codec: str, errors: str, replacement: int) -> bytes:
    """The string of code points."""
    out = []
    for point in points:
        point = int(point)
        if not 0 <= point <= 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            if errors == "strict":
                raise invalid(op, "Code point is out of range for Unicode, or a noncharacter.")
            if errors == "ignore":
                continue
            point = replacement
        out.append(chr(point))
    return "".join(out).encode(codec, "replace")


class UnicodeEncode(
    OpDef,
    sig=f"UnicodeEncode(input_values: int32, input_splits: Tsplits, output_encoding: {_FORMS}, "
    + _ERRORS.rstrip(", ")
    + ", Tsplits: type = int64) -> output: string",
    Tsplits=("i32", "i64"),
):
    """The string of each row of code points."""

    def shape(values: TensorShape, splits: TensorShape) -> list[TensorShape]:
        s.with_rank(values, 1)
        (count,) = s.with_rank(splits, 1)
        return [s.shape_of([None if count is None else count - 1])]

    def host(
        op: Any,
        values: np.ndarray,
        splits: np.ndarray,
        *,
        output_encoding: str,
        errors: str,
        replacement_char: int,
    ) -> np.ndarray:
        if not splits.size or splits[0] or splits[-1] != values.size or (np.diff(splits) < 0).any():
            raise invalid(op, "input_splits must rise from 0 to the number of values")
        pairs = zip(splits[:-1], splits[1:], strict=True)
        how = output_encoding, errors, _check_replacement(op, replacement_char)
        return vector([_encoded(op, values[a:b], *how) for a, b in pairs])


class UnicodeTranscode(
    OpDef,
    sig=f"UnicodeTranscode(input: string, input_encoding: str, output_encoding: {_FORMS}, "
    + _ERRORS
    + "replace_control_characters: bool = False) -> output: string",
):
    """Each string in another encoding."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [input]

    def host(
        op: Any,
        input: np.ndarray,
        *,
        input_encoding: str,
        output_encoding: str,
        errors: str,
        replacement_char: int,
        replace_control_characters: bool,
    ) -> np.ndarray:
        codec, replacement = _codec(op, input_encoding), _check_replacement(op, replacement_char)

        def convert(text: bytes) -> bytes:
            how = errors, replacement, replace_control_characters
            points = [point for point, _ in _decoded(op, text, codec, *how)]
            return _encoded(op, points, output_encoding, "replace", replacement)

        return each(convert, input)


def unicode_transcode(
    input: Any,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """Each string, which is in `input_encoding`, in `output_encoding` (a UTF form).

    errors: what is done with bytes that encode nothing: "strict" raises InvalidArgumentError,
    "replace" puts `replacement_char` there, "ignore" leaves them out.
    """
    return apply(
        "UnicodeTranscode",
        input,
        input_encoding=input_encoding,
        output_encoding=output_encoding,
        errors=errors,
        replacement_char=replacement_char,
        replace_control_characters=replace_control_characters,
        name=name,
    )


def _rows(
    input: Any, name: str | None, default: str, offsets: bool, attrs: dict[str, Any]
) -> list[Any]:
    """The characters, and their offsets if wanted: vectors for a scalar, else RaggedTensors."""
    with name_scope(name, default, [input]):
        text = convert_to_tensor(input, dtypes.string, "input")
        rank = text.get_shape().ndims
        if rank is None:
            raise ValueError("Rank of `input` must be statically known.")
        flat = text if rank == 1 else shape_ops.reshape(text, [-1])
        op = "UnicodeDecodeWithOffsets" if offsets else "UnicodeDecode"
        splits, *parts = apply(op, flat, **attrs)
        if rank == 0:
            return parts
        shape = shape_ops.shape(text, out_type=dtypes.int64)
        return [RaggedTensor(part, splits).with_uniform_rows(shape, rank) for part in parts]


def _attrs(encoding: str, errors: str, replacement: int, controls: bool = False) -> dict[str, Any]:
    return dict(
        input_encoding=encoding,
        errors=errors,
        replacement_char=replacement,
        replace_control_characters=controls,
    )


def unicode_decode(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """The code points of each string, int32: a vector for a scalar, else a RaggedTensor with one
    dimension more.

    errors: as for `unicode_transcode`. Raises ValueError for an input of unknown rank.
    """
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    return _rows(input, name, "UnicodeDecode", False, attrs)[0]


def unicode_decode_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """`unicode_decode`, and the byte at which each character starts (int64, of the same form)."""
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    return tuple(_rows(input, name, "UnicodeDecodeWithOffsets", True, attrs))


def unicode_split(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Any:
    """The characters of each string, each a string in the same encoding, in the form that
    `unicode_decode` gives code points."""
    with name_scope(name, "UnicodeSplit", [input]):
        attrs = _attrs(input_encoding, errors, replacement_char)
        points = _rows(input, None, "UnicodeDecode", False, attrs)[0]
        return _single(points, input_encoding, attrs)


def unicode_split_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Any:
    """`unicode_split`, and the byte at which each character starts (int64, of the same form)."""
    with name_scope(name, "UnicodeSplitWithOffsets", [input]):
        attrs = _attrs(input_encoding, errors, replacement_char)
        points, starts = _rows(input, None, "UnicodeDecodeWithOffsets", True, attrs)
        return _single(points, input_encoding, attrs), starts


def _single(points: Any, encoding: str, attrs: dict[str, Any]) -> Any:
    """Every code point as a string."""
    if isinstance(points, RaggedTensor):
        return RaggedTensor(_single(points.values, encoding, attrs), points.row_splits)
    one = convert_to_tensor(np.int64(1))
    count = shape_ops.size(points, out_type=dtypes.int64)
    splits = apply("Range", convert_to_tensor(np.int64(0)), count + one, one)
    how: dict[str, Any] = dict(errors=attrs["errors"], replacement_char=attrs["replacement_char"])
    return apply("UnicodeEncode", points, splits, output_encoding=encoding, **how)


def unicode_encode(
    input: Any,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Any:
    """The string of each innermost row of code points (int32) in `output_encoding` (a UTF form).

    input: a RaggedTensor, or a tensor of known rank of at least 1.

    Raises:
      ValueError: the rank is unknown or 0.
    """
    how: dict[str, Any] = dict(
        output_encoding=output_encoding, errors=errors, replacement_char=replacement_char
    )
    with name_scope(name, "UnicodeEncode", [] if isinstance(input, RaggedTensor) else [input]):
        if isinstance(input, RaggedTensor):
            if input.ragged_rank > 1:
                inner = unicode_encode(input.values, output_encoding, errors, replacement_char)
                return RaggedTensor(inner, input.row_splits)
            return apply("UnicodeEncode", input.values, input.row_splits, **how)
        points = convert_to_tensor(input, dtypes.int32, "input")
        rank = points.get_shape().ndims
        if not rank:
            raise ValueError(
                "Rank of input_tensor must be statically known."
                if rank is None
                else "input_tensor's rank must be at least 1."
            )
        extents = apply("Unpack", shape_ops.shape(points, out_type=dtypes.int64), num=rank, axis=0)
        count = convert_to_tensor(np.int64(1))
        for extent in extents[:-1]:
            count = count * extent
        one = convert_to_tensor(np.int64(1))
        rows = apply("Range", convert_to_tensor(np.int64(0)), count + one, one)
        flat = shape_ops.reshape(points, [-1])
        texts = apply("UnicodeEncode", flat, rows * extents[-1], **how)
        return shape_ops.reshape(texts, apply("Pack", extents[:-1]) if rank > 1 else [])
