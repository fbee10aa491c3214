"""Datasets of files: lines of text, records of fixed length, TensorFlow's record files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.framework.session_objects import Call
from tfc.ops.datasets import records
from tfc.ops.datasets.nodes import Element, Elements, Node, Run, boxed, node_of, scalar
from tfc.ops.datasets.source_ops import handle
from tfc.ops.strings.common import invalid

Reader = Callable[[bytes], Iterator[bytes]]


class Files(Node):
    """The records of files, one file after the other."""

    fresh = True

    def __init__(self, paths: Sequence[bytes], read: Reader):
        self.paths, self.read = paths, read

    def elements(self, run: Run) -> Elements:
        return FileElements(self, run)


class FileElements(Elements):
    """A file that cannot be read raises once; the next element is of the file behind it."""

    def __init__(self, node: Files, run: Run):
        self.node, self.run = node, run
        self.paths = iter(node.paths)
        self.records: Iterator[bytes] = iter(())

    def item(self) -> Element:
        self.run.check()
        while True:
            for record in self.records:
                return (boxed(record),)
            self.records = self.node.read(next(self.paths))


def _files(op: Any, filenames: np.ndarray, read: Reader) -> np.ndarray:
    if filenames.ndim > 1:
        raise invalid(op, "`filenames` must be a scalar or a vector.")
    return boxed(Files(filenames.ravel().tolist(), read))


class TextLineDataset(
    OpDef,
    sig="TextLineDataset(filenames: string, compression_type: string, buffer_size: int64)"
    " -> handle: variant",
):
    """The lines of text files."""

    stateful = True
    shape = handle

    def host(
        op: Any, filenames: np.ndarray, compression_type: np.ndarray, buffer_size: np.ndarray
    ) -> np.ndarray:
        compression = _compression(op, compression_type, buffer_size)
        return _files(op, filenames, lambda path: records.lines(op, path, compression))


def _compression(op: Any, compression_type: np.ndarray, buffer_size: np.ndarray) -> str:
    if scalar(op, "buffer_size", buffer_size) < 0:
        raise invalid(op, "`buffer_size` must be >= 0 (0 == default)")
    compression: str = scalar(op, "compression_type", compression_type).decode()
    if compression not in ("", "GZIP", "ZLIB"):
        raise invalid(op, "Unsupported compression_type.")
    return compression


class FixedLengthRecordDatasetV2(
    OpDef,
    sig="FixedLengthRecordDatasetV2(filenames: string, header_bytes: int64, record_bytes: int64, "
    "footer_bytes: int64, buffer_size: int64, compression_type: string) -> handle: variant",
):
    """The records of files of records of one length."""

    stateful = True
    shape = handle

    def host(
        op: Any,
        filenames: np.ndarray,
        header_bytes: np.ndarray,
        record_bytes: np.ndarray,
        footer_bytes: np.ndarray,
        buffer_size: np.ndarray,
        compression_type: np.ndarray,
    ) -> np.ndarray:
        header = scalar(op, "header_bytes", header_bytes)
        length = scalar(op, "record_bytes", record_bytes)
        footer = scalar(op, "footer_bytes", footer_bytes)
        if header < 0 or footer < 0:
            raise invalid(op, "header_bytes and footer_bytes must be >= 0")
        if length <= 0:
            raise invalid(op, "record_bytes must be > 0")
        compression = _compression(op, compression_type, buffer_size)

        def read(path: bytes) -> Iterator[bytes]:
            return records.pieces(op, path, compression, header, length, footer)

        return _files(op, filenames, read)


class TFRecordDataset(
    OpDef,
    sig="TFRecordDataset(filenames: string, compression_type: string, buffer_size: int64)"
    " -> handle: variant",
):
    """The records of TensorFlow's record files."""

    stateful = True
    shape = handle

    def host(
        op: Any, filenames: np.ndarray, compression_type: np.ndarray, buffer_size: np.ndarray
    ) -> np.ndarray:
        compression = _compression(op, compression_type, buffer_size)
        return _files(op, filenames, lambda path: records.records(op, path, compression))


class DatasetToTFRecord(
    OpDef,
    sig="DatasetToTFRecord(input_dataset: variant, filename: string, compression_type: string)"
    " -> ()",
):
    """Write the elements of a dataset of scalar strings to a record file."""

    stateful = takes_session = True

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        return []

    def host(
        call: Call, op: Any, dataset: np.ndarray, filename: np.ndarray, compression: np.ndarray
    ) -> None:
        elements = node_of(dataset).elements(Run(call))
        kind = scalar(op, "compression_type", compression).decode()
        path = scalar(op, "filename", filename)
        records.write(op, path, kind, (scalar(op, "a record", part) for (part,) in elements))
