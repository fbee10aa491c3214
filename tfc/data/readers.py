"""Datasets of files: lines, records of fixed length, TensorFlow's record files, tables of CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.data.dataset import Dataset, DatasetV1Adapter, made
from tfc.framework.convert import convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.tensor_spec import TensorSpec
from tfc.ops.array_ops import reshape

_BUFFER = 256 * 1024
_STRING = TensorSpec([], dtypes.string)


def _file_names(filenames: Any) -> Dataset:
    """The names as a dataset of scalars. Raises TypeError, ValueError: they are no strings."""
    if isinstance(filenames, Dataset):
        if filenames.output_types != dtypes.string:
            raise TypeError("`filenames` must be a `tf.data.Dataset` of `tf.string` elements.")
        if not filenames.output_shapes.is_compatible_with([]):
            raise ValueError(
                "`filenames` must be a `tf.data.Dataset` of scalar `tf.string` elements."
            )
        return filenames
    names = convert_to_tensor(filenames, dtypes.string)
    return Dataset.from_tensor_slices(reshape(names, [-1], name="flat_filenames"))


def _set_up(
    dataset: Dataset, filenames: Any, parallel: Any, read: Callable[[Tensor], Tensor]
) -> None:
    """Let `dataset` be what `read` makes of each file name, one file after the other; of
    `parallel` files in turns, if that is given."""
    names = _file_names(filenames)

    def records(name: Tensor) -> Dataset:
        return made(read(name), _STRING)

    records.__name__ = "read"
    if parallel is None:
        found = names.flat_map(records)
    else:
        found = names.interleave(records, parallel, 1, num_parallel_calls=parallel)
    dataset._set(found._variant_tensor, found.element_spec)


def _options(compression_type: Any, buffer_size: Any) -> tuple[Tensor, Tensor]:
    compression = "" if compression_type is None else compression_type
    size = _BUFFER if buffer_size is None else buffer_size
    return (
        convert_to_tensor(compression, dtypes.string, "compression_type"),
        convert_to_tensor(size, dtypes.int64, "buffer_size"),
    )


class TextLineDataset(DatasetV1Adapter):
    """The lines of text files, without their ends, as scalar strings."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
    ):
        """filenames: a string, several, or a dataset of them. compression_type: "", "ZLIB" or
        "GZIP". num_parallel_reads: how many files are read in turns.

        Raises, when run:
          NotFoundError: there is no such file.
        """
        _set_up(
            self,
            filenames,
            num_parallel_reads,
            lambda name: apply("TextLineDataset", name, *_options(compression_type, buffer_size)),
        )


class TFRecordDataset(DatasetV1Adapter):
    """The records of TensorFlow's record files, as scalar strings; their checksums are checked."""

    def __init__(
        self,
        filenames: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
    ):
        """As for TextLineDataset.

        Raises, when run:
          DataLossError: a file is cut off, or a checksum is wrong.
        """
        _set_up(
            self,
            filenames,
            num_parallel_reads,
            lambda name: apply("TFRecordDataset", name, *_options(compression_type, buffer_size)),
        )


class FixedLengthRecordDataset(DatasetV1Adapter):
    """Records of one length of files, as scalar strings."""

    def __init__(
        self,
        filenames: Any,
        record_bytes: Any,
        header_bytes: Any = None,
        footer_bytes: Any = None,
        buffer_size: Any = None,
        compression_type: Any = None,
        num_parallel_reads: Any = None,
    ):
        """record_bytes: the length. header_bytes, footer_bytes: how much in front of the first and
        behind the last record is left out. The rest: as for TextLineDataset.

        Raises, when run:
          InvalidArgumentError: what is between them is no whole number of records.
        """
        given = (
            (header_bytes, "header_bytes"),
            (record_bytes, "record_bytes"),
            (footer_bytes, "footer_bytes"),
        )

        def read(name: Tensor) -> Tensor:
            sizes = [
                convert_to_tensor(0 if v is None else v, dtypes.int64, what) for v, what in given
            ]
            compression, size = _options(compression_type, buffer_size)
            found: Tensor = apply("FixedLengthRecordDatasetV2", name, *sizes, size, compression)
            return found

        _set_up(self, filenames, num_parallel_reads, read)


def csv_columns(
    line: Tensor,
    record_defaults: Sequence[Any],
    field_delim: str,
    use_quote_delim: bool,
    na_value: str,
    select_cols: Sequence[int] | None,
) -> list[Tensor]:
    """The fields of a line."""
    defaults = [_default(d) for d in record_defaults]
    found: list[Tensor] = apply(
        "DecodeCSV",
        line,
        defaults,
        field_delim=field_delim,
        use_quote_delim=use_quote_delim,
        na_value=na_value,
        select_cols=list(select_cols or ()),
    )
    return found


def _default(default: Any) -> Tensor:
    """The default of a column: a value, or a dtype for one that must be there."""
    if isinstance(default, dtypes.DType):
        return convert_to_tensor([], default)
    return convert_to_tensor(default)


class CsvDataset(DatasetV1Adapter):
    """The rows of files of comma separated values: tuples of scalars."""

    def __init__(
        self,
        filenames: Any,
        record_defaults: Sequence[Any],
        compression_type: Any = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Sequence[int] | None = None,
    ):
        """record_defaults: for each column a default, or its dtype if it must be there. header:
        whether the first line of a file is left out. na_value: stands for a missing value.
        select_cols: numbers of the columns that are taken. The rest: as for TextLineDataset.

        Raises, when run:
          InvalidArgumentError: a line has other fields.
        """

        def lines(name: Tensor) -> Dataset:
            given = _options(compression_type, buffer_size)
            dataset = made(apply("TextLineDataset", name, *given), _STRING)
            return dataset.skip(1) if header else dataset

        rows = _file_names(filenames).flat_map(lines)
        found = rows.map(
            lambda line: tuple(
                csv_columns(
                    line, record_defaults, field_delim, use_quote_delim, na_value, select_cols
                )
            )
        )
        self._set(found._variant_tensor, found.element_spec)
