"""Records of comma separated values, strings joined by segments, and n-grams."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import INDEX, DType, kernel_name
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import invalid, shown, vector
from tfc.ops.strings.text_ops import number


class DecodeCSV(
    OpDef,
    sig="DecodeCSV(records: string, record_defaults: [OUT_TYPE], field_delim: str = ',', "
    "use_quote_delim: bool = True, na_value: str = '', select_cols: list(int) = [])"
    " -> output: [OUT_TYPE]",
    OUT_TYPE=("f32", "f64", "i32", "i64", "str"),
):
    """The fields of each record, a tensor of the records' shape for each."""

    def shape(records: TensorShape, *defaults: TensorShape) -> list[TensorShape]:
        for default in defaults:
            dims = s.with_rank_at_most(default, 1)
            if dims and dims[0] is not None and dims[0] > 1:
                raise ValueError(
                    "Shape of a default must be a length-0 or length-1 vector, or a scalar."
                )
        return [records] * len(defaults)

    def host(
        op: Any,
        records: np.ndarray,
        *defaults: np.ndarray,
        field_delim: str,
        use_quote_delim: bool,
        na_value: str,
        select_cols: Sequence[int],
    ) -> list[np.ndarray]:
        if len(field_delim.encode()) != 1:
            raise invalid(op, "field_delim should be only 1 char")
        if field_delim in '"\n\r' and (use_quote_delim or field_delim != '"'):
            raise invalid(op, "field_delim cannot be a quote or a line end")
        types = [t.dtype.base_dtype for t in op.outputs]
        columns: list[list[Any]] = [[] for _ in types]
        for row, record in enumerate(records.ravel()):
            fields = _fields(op, record, field_delim.encode(), use_quote_delim)
            if select_cols:
                fields = [fields[c] for c in select_cols if c < len(fields)]
            if len(fields) != len(types):
                raise invalid(
                    op, f"Expect {len(types)} fields but have {len(fields)} in record {row}"
                )
            for k, text in enumerate(fields):
                missing = not text or text == na_value.encode()
                value = _default(op, defaults[k], k, row) if missing else text
                columns[k].append(value if missing else _value(op, text, types[k], k, row))
        return [
            _column(values, dtype).reshape(records.shape)
            for values, dtype in zip(columns, types, strict=True)
        ]


def _column(values: list[Any], dtype: DType) -> np.ndarray:
    if dtype.name == "string":
        return vector(values)
    with np.errstate(over="ignore"):
        return np.array(values).astype(dtype.as_numpy_dtype)


def _default(op: Any, default: np.ndarray, field: int, row: int) -> Any:
    if not default.size:
        raise invalid(op, f"Field {field} is required but missing in record {row}!")
    return default.ravel()[0]


def _value(op: Any, text: bytes, dtype: DType, field: int, row: int) -> Any:
    if dtype.name == "string":
        return text
    try:
        return number(text, dtype)
    except ValueError:
        raise invalid(
            op,
            f"Field {field} in record {row} is not a valid {kernel_name(dtype)}: {shown(text)}",
        ) from None


def _fields(op: Any, record: bytes, delimiter: bytes, quotes: bool) -> list[bytes]:
    """The fields of one record. In a quoted field two quotes are one, and anything else may stand.

    Raises:
      InvalidArgumentError: a quote or a line end where none may be.
    """
    if not quotes:
        return record.split(delimiter)
    fields, at = [], 0
    if not record:
        return []
    while True:
        if record[at : at + 1] == b'"':
            text, at = _quoted(op, record, at + 1)
        else:
            end = record.find(delimiter, at)
            end = len(record) if end < 0 else end
            text, at = record[at:end], end
            if any(c in text for c in b'"\n\r'):
                raise invalid(op, "Unquoted fields cannot have quotes/CRLFs inside")
        fields.append(text)
        if at >= len(record):
            return fields
        if record[at : at + 1] != delimiter:
            raise invalid(op, "Quote inside a string has to be escaped by another quote")
        at += 1


def _quoted(op: Any, record: bytes, at: int) -> tuple[bytes, int]:
    """The field whose text starts at `at`, and where its closing quote ends."""
    pieces = []
    while (end := record.find(b'"', at)) >= 0:
        pieces.append(record[at:end])
        if record[end + 1 : end + 2] != b'"':
            return b'"'.join(pieces), end + 1
        at = end + 2
    raise invalid(op, "Quoted field has to end with quote followed by delim or end")


class UnsortedSegmentJoin(
    OpDef,
    sig="UnsortedSegmentJoin(inputs: string, segment_ids: Tindices, num_segments: Tnumsegments, "
    "separator: str = '',"
    " Tnumsegments: type = int32) -> output: string",
    Tindices=INDEX,
    Tnumsegments=INDEX,
):
    """The strings of each segment, element by element, joined in their order; empty ones in front
    of all others are left out."""

    def shape(
        inputs: TensorShape, ids: TensorShape, count: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        dims, where = s.dims_of(inputs), s.dims_of(ids)
        s.with_rank(count, 0)
        if dims is None or where is None:
            return [s.unknown()]
        s.merge_dims(dims[: len(where)], where)
        known = s.static_ints(op, 2)
        return [s.shape_of([known[0] if known else None, *dims[len(where) :]])]

    def host(
        op: Any, inputs: np.ndarray, ids: np.ndarray, count: np.ndarray, *, separator: str
    ) -> np.ndarray:
        total = int(count)
        if inputs.shape[: ids.ndim] != ids.shape or total < 0:
            raise invalid(op, "segment_ids must be a prefix of inputs, num_segments not negative")
        rows = inputs.reshape(ids.size, -1) if ids.size else np.empty((0, 0), object)
        parts: list[list[Any]] = [[] for _ in range(total)]
        for row, segment in zip(rows, ids.ravel(), strict=True):
            if not 0 <= segment < total:
                raise invalid(op, f"segment_ids should be in [0, {total}), but got {segment}")
            parts[segment].append(row)
        rest = inputs.shape[ids.ndim :]
        width = int(np.prod(rest, dtype=np.int64))
        stop = separator.encode()
        columns = [[row[c] for row in rows] for rows in parts for c in range(width)]
        texts = [stop.join(itertools.dropwhile(_is_empty, column)) for column in columns]
        return vector(texts).reshape(total, *rest)


def _is_empty(text: Any) -> bool:
    return not text


def decode_csv(
    records: Any,
    record_defaults: Sequence[Any],
    field_delim: str = ",",
    use_quote_delim: bool = True,
    name: str | None = None,
    na_value: str = "",
    select_cols: Sequence[int] | None = None,
) -> list[Tensor]:
    """The fields of CSV records, one tensor of the shape of `records` for each column.

    record_defaults: a scalar or a vector of at most one element for each column. Its dtype
    (float32, float64, int32, int64, string) is the column's; it stands for an empty field, and a
    field without one is required. na_value: another text that counts as empty. select_cols: the
    columns wanted, rising; all if None. use_quote_delim: whether quotes enclose fields.

    Raises:
      ValueError: defaults of other shapes, columns that do not rise or fit the defaults.
      InvalidArgumentError, when run: a record that has other fields.
    """
    if select_cols is not None and any(
        b <= a for a, b in zip(select_cols[:-1], select_cols[1:], strict=True)
    ):
        raise ValueError("select_cols is not strictly increasing.")
    if select_cols is not None and select_cols and select_cols[0] < 0:
        raise ValueError("select_cols contains negative values.")
    if select_cols is not None and len(select_cols) != len(record_defaults):
        raise ValueError("Length of select_cols and record_defaults do not match.")
    return apply(
        "DecodeCSV",
        records,
        [convert_to_tensor(d) for d in record_defaults],
        field_delim=field_delim,
        use_quote_delim=use_quote_delim,
        na_value=na_value,
        select_cols=list(select_cols or []),
        name=name,
    )


def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: str = "", name: str | None = None
) -> Tensor:
    """The strings of each segment joined, in the order in which they come.

    segment_ids: for the first dimensions of `inputs`, the segment of each row.

    Raises:
      InvalidArgumentError, when run: an id that is no segment.
    """
    parts = (inputs, segment_ids, num_segments)
    return apply("UnsortedSegmentJoin", *parts, separator=separator, name=name)
