"""Files as records: lines, pieces of fixed length, and TensorFlow's record files with checksums."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.ops.strings.common import invalid
from tfc.ops.strings.file_ops import file_error

_POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected
_MASK_DELTA = 0xA282EAD8


def _byte_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
    return table


_BYTES = _byte_table()
# _SHIFTS[k][j][b]: what byte number j of a checksum, of value b, becomes after 2**k zero bytes.
_SHIFTS: list[np.ndarray] = []


def _shift_table(power: int) -> np.ndarray:
    while len(_SHIFTS) <= power:
        values = (
            np.arange(256, dtype=np.uint32)[None] << np.arange(0, 32, 8, dtype=np.uint32)[:, None]
        )
        if not _SHIFTS:
            _SHIFTS.append(_BYTES[values & 0xFF] ^ values >> 8)
        else:
            half = _SHIFTS[-1]
            _SHIFTS.append(_shifted(half, _shifted(half, values)))
    return _SHIFTS[power]


def _shifted(table: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """The checksums after the zero bytes that `table` is for."""
    found: np.ndarray = (
        table[0][sums & 0xFF]
        ^ table[1][sums >> 8 & 0xFF]
        ^ table[2][sums >> 16 & 0xFF]
        ^ table[3][sums >> 24]
    )
    return found


def crc32c(data: bytes) -> int:
    """The CRC-32C of `data`. Checksums of neighbouring pieces are joined, twice as long each time:
    one array operation for all pieces of a length."""
    sums = _BYTES[np.frombuffer(data, np.uint8)]
    power = 0
    while len(sums) > 1:
        if len(sums) % 2:  # zeros in front change nothing
            sums = np.concatenate([np.zeros(1, np.uint32), sums])
        sums = _shifted(_shift_table(power), sums[0::2]) ^ sums[1::2]
        power += 1
    start = np.array(0xFFFFFFFF, np.uint32)
    for power in range(len(data).bit_length()):
        if len(data) >> power & 1:
            start = _shifted(_shift_table(power), start)
    return int(start ^ (sums[0] if len(sums) else np.uint32(0))) ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """The checksum as record files hold it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def open_file(op: Any, path: bytes, compression: str) -> Any:
    """A stream of the bytes of a file. compression: "", "GZIP" or "ZLIB".

    Raises:
      NotFoundError and others: there is no such file. InvalidArgumentError: another compression.
    """
    if compression not in ("", "GZIP", "ZLIB"):
        raise invalid(op, "Unsupported compression_type.")
    try:
        if compression == "ZLIB":
            with open(path, "rb") as file:
                return io.BytesIO(_decompressed(op, path, file.read()))
        return gzip.open(path, "rb") if compression else open(path, "rb")
    except OSError as error:
        raise file_error(op, path, error) from None


def _decompressed(op: Any, path: bytes, data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise errors.DataLossError(None, op, f"{path.decode(errors='replace')}: {error}") from None


class _Reading:
    """A context that gives errors of the file system and of decompression as TensorFlow's."""

    def __init__(self, op: Any, path: bytes):
        self.op, self.path = op, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            text = self.path.decode(errors="replace")
            raise errors.DataLossError(None, self.op, f"{text}: {error}") from None
        if isinstance(error, OSError):
            raise file_error(self.op, self.path, error) from None


def lines(op: Any, path: bytes, compression: str) -> Iterator[bytes]:
    """The lines of a text file, without their ends."""
    with open_file(op, path, compression) as file, _Reading(op, path):
        for line in file:
            yield line.rstrip(b"\n").replace(b"\r", b"")


def pieces(
    op: Any, path: bytes, compression: str, header: int, length: int, footer: int
) -> Iterator[bytes]:
    """The pieces of `length` bytes between the first `header` and the last `footer` bytes."""
    with open_file(op, path, compression) as file, _Reading(op, path):
        size = file.seek(0, io.SEEK_END)
        body = size - header - footer
        if body < 0 or body % length:
            raise invalid(
                op,
                f"Excluding the header ({header} bytes) and footer ({footer} bytes), input file "
                f'"{path.decode(errors="replace")}" has body length {body} bytes, which is not an '
                f"exact multiple of the record length ({length} bytes).",
            )
        file.seek(header)
        for _ in range(body // length):
            yield file.read(length)


def records(op: Any, path: bytes, compression: str) -> Iterator[bytes]:
    """The records of one of TensorFlow's record files.

    Raises:
      DataLossError: the file is cut off, or a checksum is not that of what it is for.
    """
    with open_file(op, path, compression) as file, _Reading(op, path):
        yield from records_in(op, file)


def records_in(op: Any, file: Any) -> Iterator[bytes]:
    """The records of an open file; raises what `records` does. op: for the errors; may be None."""
    at = 0
    while head := file.read(12):
        if len(head) < 12:
            raise errors.DataLossError(None, op, f"truncated record at {at}")
        length, crc = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != crc:
            raise errors.DataLossError(None, op, f"corrupted record at {at}")
        body = file.read(length + 4)
        if len(body) < length + 4:
            raise errors.DataLossError(None, op, f"truncated record at {at}")
        if masked_crc(body[:-4]) != int.from_bytes(body[-4:], "little"):
            raise errors.DataLossError(None, op, f"corrupted record at {at + 12}")
        at += length + 16
        yield body[:-4]


def write(op: Any, path: bytes, compression: str, items: Iterable[bytes]) -> None:
    """Make a record file of `items`. Raises what `open_file` does."""
    if compression not in ("", "GZIP", "ZLIB"):
        raise invalid(op, "Unsupported compression_type.")
    form = {"": None, "GZIP": 31, "ZLIB": 15}[compression]
    packer = None if form is None else zlib.compressobj(wbits=form)
    try:
        with open(path, "wb") as file:
            for item in items:
                record = as_record(item)
                file.write(record if packer is None else packer.compress(record))
            if packer is not None:
                file.write(packer.flush())
    except OSError as error:
        raise file_error(op, path, error) from None


def as_record(data: bytes) -> bytes:
    """`data` as it stands in a record file."""
    head = struct.pack("<Q", len(data))
    tail = struct.pack("<I", masked_crc(data))
    return head + struct.pack("<I", masked_crc(head)) + data + tail
