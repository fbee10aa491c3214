"""Strings cut into pieces: StringSplit, StringSplitV2, and the functions that use them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.ragged_tensor import RaggedTensor
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops import shape_ops, slice_ops
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import invalid as _invalid
from tfc.ops.strings.common import scalar_text, vector

_OUT = " -> indices: int64, values: string, shape: int64"
_WHITE = b" \t\n\v\f\r"


def _shape(input: TensorShape, sep: TensorShape) -> list[TensorShape]:
    s.with_rank(input, 1)
    return [s.shape_of([None, 2]), s.shape_of([None]), s.shape_of([2])]


def _sparse(rows: list[list[bytes]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    widest = max((len(row) for row in rows), default=0)
    indices = np.array(places, np.int64).reshape(-1, 2)
    values = vector([piece for row in rows for piece in row])
    return indices, values, np.array([len(rows), widest], np.int64)


def _check_vector(op: Any, input: np.ndarray) -> None:
    if input.ndim != 1:
        raise _invalid(op, f"input must be a vector, got shape: {s.text(input.shape)}")


class StringSplit(
    OpDef, sig="StringSplit(input: string, delimiter: string, skip_empty: bool = True)" + _OUT
):
    """The pieces of each string between characters of `delimiter` (each byte, if it is empty)."""

    def shape(input: TensorShape, delimiter: TensorShape) -> list[TensorShape]:
        s.with_rank(delimiter, 0)
        return _shape(input, delimiter)

    def host(
        op: Any, input: np.ndarray, delimiter: np.ndarray, *, skip_empty: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if delimiter.ndim:
            raise _invalid(op, f"delimiter must be a scalar, got shape: {s.text(delimiter.shape)}")
        _check_vector(op, input)
        stops = scalar_text(delimiter)
        return _sparse([_pieces(text, stops, skip_empty) for text in input.ravel()])


def _pieces(text: bytes, stops: bytes, skip_empty: bool) -> list[bytes]:
    if not stops:
        return [text[i : i + 1] for i in range(len(text))]
    if not text:  # nothing, also where empty pieces are kept
        return []
    found = re.split(b"[" + re.escape(stops) + b"]", text)
    return [piece for piece in found if piece or not skip_empty]


class StringSplitV2(
    OpDef, sig="StringSplitV2(input: string, sep: string, maxsplit: int = -1)" + _OUT
):
    """The pieces of each string between whole separators, or between white space if it is empty:
    as Python's `str.split`, except that after `maxsplit` cuts at white space what is left is a
    piece also if it is empty. A `maxsplit` below 0 is none."""

    shape = _shape

    def host(
        op: Any, input: np.ndarray, sep: np.ndarray, *, maxsplit: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if sep.ndim:
            raise _invalid(op, f"sep must be a scalar, got shape: {s.text(sep.shape)}")
        _check_vector(op, input)
        return _sparse([_python_pieces(text, scalar_text(sep), maxsplit) for text in input.ravel()])


def _python_pieces(text: bytes, sep: bytes, maxsplit: int) -> list[bytes]:
    if maxsplit == 0:
        return [text]
    if sep:
        return text.split(sep, maxsplit)
    pieces: list[bytes] = []
    text = text.lstrip(_WHITE)
    while text and len(pieces) != maxsplit:
        cut = next((i for i, c in enumerate(text) if c in _WHITE), len(text))
        pieces.append(text[:cut])
        text = text[cut:].lstrip(_WHITE)
    return [*pieces, text] if len(pieces) == maxsplit else pieces


def string_split(
    source: Any,
    sep: Any = None,
    skip_empty: bool = True,
    delimiter: Any = None,
    result_type: str = "SparseTensor",
    name: str | None = None,
) -> Any:
    """The pieces of each string of the vector `source` between characters of `sep` (" ").

    sep: every character of it separates; an empty one separates all bytes. `delimiter` is its
    deprecated name. result_type: "SparseTensor", one row a string, or "RaggedTensor".

    Raises:
      ValueError: `source` is no vector, both names of the separator, another result type.
    """
    if delimiter is not None and sep is not None:
        raise ValueError("Cannot specify both 'delimiter' and 'sep'.")
    stops = delimiter if delimiter is not None else " " if sep is None else sep
    with name_scope(name, "StringSplit", [source]):
        source = convert_to_tensor(source, dtype=dtypes.string, name="source")
        indices, values, shape = apply("StringSplit", source, stops, skip_empty=skip_empty)
        return _result(SparseTensor(indices, values, shape), result_type)


def string_split_v2(
    input: Any = None,
    sep: Any = None,
    maxsplit: int = -1,
    result_type: str = "SparseTensor",
    source: Any = None,
    name: str | None = None,
) -> Any:
    """The pieces of each string between separators `sep`, or white space if there is none.

    maxsplit: at most so many cuts, if not negative; then what is left after as many cuts at white
    space is a piece also if it is empty. source: another name of `input`. result_type:
    "SparseTensor", for a scalar or a vector; "RaggedTensor" for strings of any rank, which is taken
    to be 1 if it is unknown.

    Raises:
      ValueError: both names of the input, another result type.
    """
    if input is not None and source is not None:
        raise ValueError("Cannot specify both 'input' and 'source'.")
    with name_scope(name, "StringSplit", [input]):
        text = convert_to_tensor(source if input is None else input, dtypes.string, "input")
        if result_type == "SparseTensor" and text.get_shape().ndims == 0:
            text = shape_ops.expand_dims(text, 0)
        if result_type == "SparseTensor":
            return _split_rows(text, sep, maxsplit)
        if result_type != "RaggedTensor":
            raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")
        return _split_ragged(text, sep, maxsplit)


def _split_rows(text: Tensor, sep: Any, maxsplit: int) -> SparseTensor:
    stop = "" if sep is None else sep
    indices, values, shape = apply("StringSplitV2", text, stop, maxsplit=maxsplit)
    return SparseTensor(indices, values, shape)


def _split_ragged(text: Tensor, sep: Any, maxsplit: int) -> RaggedTensor:
    rank = text.get_shape().ndims
    if rank is None:
        rank = 1
    if rank == 0:
        return _result(_split_rows(shape_ops.expand_dims(text, 0), sep, maxsplit), "RaggedTensor")
    flat = shape_ops.reshape(text, [-1]) if rank > 1 else text
    result: RaggedTensor = _result(_split_rows(flat, sep, maxsplit), "RaggedTensor")
    return result.with_uniform_rows(shape_ops.shape(text, out_type=dtypes.int64), rank)


def _result(pieces: SparseTensor, result_type: str) -> Any:
    if result_type == "SparseTensor":
        return pieces
    if result_type != "RaggedTensor":
        raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")
    rows = slice_ops.strided_slice(pieces.indices, [0, 0], [0, 1], end_mask=1, shrink_axis_mask=2)
    count = slice_ops.strided_slice(pieces.dense_shape, [0], [1], shrink_axis_mask=1)
    return RaggedTensor.from_value_rowids(pieces.values, rows, count)


def bytes_split(input: Any, name: str | None = None) -> Any:
    """Every byte of a string as a string: a vector for a scalar; a RaggedTensor with one more
    dimension, of rows as long as the strings, for a tensor of known rank."""
    with name_scope(name, "StringsByteSplit", [input]):
        text = convert_to_tensor(input, dtypes.string, "input")
        rank = text.get_shape().ndims
        if rank is None:
            raise ValueError("input must have a statically-known rank.")
        flat = text if rank == 1 else shape_ops.reshape(text, [-1])
        indices, values, shape = apply("StringSplit", flat, "", skip_empty=False)
        if rank == 0:
            return values
        result = _result(SparseTensor(indices, values, shape), "RaggedTensor")
        return result.with_uniform_rows(shape_ops.shape(text, out_type=dtypes.int64), rank)


class RaggedPlaces(
    OpDef, sig="RaggedPlaces(row_splits: int64) -> indices: int64, dense_shape: int64"
):
    """The row and column of every value of rows that start and end at `row_splits`, and the shape
    that holds them all. How many there are is data."""

    def shape(row_splits: TensorShape) -> list[TensorShape]:
        s.with_rank(row_splits, 1)
        return [s.shape_of([None, 2]), s.shape_of([2])]

    def host(op: Any, row_splits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = np.diff(row_splits)
        if (lengths < 0).any():
            raise _invalid(op, "row_splits fall")
        rows = np.repeat(np.arange(lengths.size), lengths)
        columns = np.arange(rows.size) - np.repeat(row_splits[:-1] - row_splits[:1], lengths)
        widest = lengths.max(initial=0)
        return np.stack([rows, columns], 1).astype(np.int64), np.array([lengths.size, widest])
