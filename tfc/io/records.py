"""`tf.python_io`: TensorFlow's record files, written and read by a program; events out of them."""

from __future__ import annotations

import enum
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from typing import Any

from tfc.base import errors
from tfc.io.protos import message
from tfc.ops.datasets.records import as_record, records_in


class TFRecordCompressionType(enum.IntEnum):
    """How a record file is compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


class TFRecordOptions:
    """How record files are compressed.

    compression_type: "GZIP", "ZLIB", "" or None for none, or a TFRecordCompressionType.
    compression_level, mem_level, window_bits, compression_strategy and compression_method are
    zlib's; flush_mode and the sizes of buffers change nothing in the file.
    """

    compression_type_map = {
        TFRecordCompressionType.ZLIB: "ZLIB",
        TFRecordCompressionType.GZIP: "GZIP",
        TFRecordCompressionType.NONE: "",
    }

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: int | None = None,
        input_buffer_size: int | None = None,
        output_buffer_size: int | None = None,
        window_bits: int | None = None,
        compression_level: int | None = None,
        compression_method: int | None = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ):
        """Raises ValueError for another compression_type."""
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode, self.window_bits = flush_mode, window_bits
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.compression_level, self.mem_level = compression_level, mem_level
        self.compression_method = compression_method
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """The name of the compression that options, a type or a name stand for.

        Raises:
          ValueError: they stand for none.
        """
        if not options:
            return ""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        if isinstance(options, int) and options in cls.compression_type_map:
            return cls.compression_type_map[TFRecordCompressionType(options)]
        if options in cls.compression_type_map.values():
            return str(options)
        raise ValueError(f'Not a valid compression_type: "{options}"')

    def _packer(self) -> Any:
        """A zlib compressor; None for no compression."""
        kind = self.get_compression_type_string(self)
        if not kind:
            return None
        given = {
            "level": self.compression_level,
            "method": self.compression_method,
            "memLevel": self.mem_level,
            "strategy": self.compression_strategy,
        }
        bits = self.window_bits or (31 if kind == "GZIP" else 15)
        known: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
        return zlib.compressobj(wbits=bits, **known)


def _of_system(path: str, error: OSError) -> errors.OpError:
    kinds = {FileNotFoundError: errors.NotFoundError, PermissionError: errors.PermissionDeniedError}
    kind = kinds.get(type(error), errors.FailedPreconditionError)
    return kind(None, None, f"{path}; {error.strerror or error}")


class TFRecordWriter:
    """Writes records to a file; also a context."""

    def __init__(self, path: str | os.PathLike[str], options: Any = None):
        """Makes the file. options: TFRecordOptions, a TFRecordCompressionType, or its name.

        Raises:
          errors.NotFoundError and others: it cannot be made. ValueError: other options.
        """
        if not isinstance(options, TFRecordOptions):
            options = TFRecordOptions(compression_type=options)
        self._packer = options._packer()
        self._path = os.fspath(path)
        try:
            self._file: io.BufferedWriter | None = open(self._path, "wb")  # noqa: SIM115
        except OSError as error:
            raise _of_system(self._path, error) from None

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, record: bytes) -> None:
        """Append a record.

        Raises:
          TypeError: it is no bytes. errors.FailedPreconditionError: the writer is closed.
        """
        if not isinstance(record, bytes | bytearray | memoryview | str):
            raise TypeError(f"a record is bytes, not {type(record).__name__}")
        if self._file is None:
            raise errors.FailedPreconditionError(None, None, "Writer is closed.")
        data = record.encode() if isinstance(record, str) else bytes(record)
        whole = as_record(data)
        self._put(whole if self._packer is None else self._packer.compress(whole))

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def flush(self) -> None:
        """Hand what was written on to the system."""
        if self._file is None:
            return
        if self._packer is not None:
            self._put(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """End the file. Closing again does nothing."""
        if self._file is None:
            return
        if self._packer is not None:
            self._put(self._packer.flush())
        self._file.close()
        self._file = None


def _opened(path: str, kind: str) -> Any:
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise _of_system(path, error) from None
    if not kind:
        return file
    if kind == "GZIP":
        return gzip.GzipFile(fileobj=file)
    with file:
        try:
            return io.BytesIO(zlib.decompress(file.read()))
        except zlib.error as error:
            raise errors.DataLossError(None, None, f"{path}: {error}") from None


def tf_record_iterator(path: str | os.PathLike[str], options: Any = None) -> Iterator[bytes]:
    """The records of a file.

    options: TFRecordOptions, a TFRecordCompressionType, or its name.

    Raises:
      errors.NotFoundError: there is no such file. errors.DataLossError: it is cut off, or a
        checksum is not that of what it is for. ValueError: other options.
    """
    kind = TFRecordOptions.get_compression_type_string(options)
    name = os.fspath(path)
    with _opened(name, kind) as file:
        try:
            yield from records_in(None, file)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise errors.DataLossError(None, None, f"{name}: {error}") from None


def summary_iterator(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The Event messages of an event file, as `tf.summary.FileWriter` makes one.

    Raises:
      What `tf_record_iterator` raises. google.protobuf.message.DecodeError: a record is no event.
    """
    for record in tf_record_iterator(path):
        yield message("Event").FromString(record)
