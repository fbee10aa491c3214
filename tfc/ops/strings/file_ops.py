"""Files as strings, and compressed strings."""

from __future__ import annotations

import glob
import os
import zlib
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import each, invalid, same, scalar_text, vector


def _path(op: Any, array: np.ndarray) -> bytes:
    if array.ndim:
        said = s.text(array.shape)
        raise invalid(op, f"Input filename tensor must be scalar, but had shape: {said}")
    return scalar_text(array)


def file_error(op: Any, path: bytes, error: OSError) -> errors.OpError:
    """What TensorFlow raises for an error of the file system."""
    said = f"{os.fsdecode(path)}; {error.strerror or error}"
    match error:
        case FileNotFoundError():
            return errors.NotFoundError(None, op, said)
        case PermissionError():
            return errors.PermissionDeniedError(None, op, said)
        case IsADirectoryError():
            return errors.FailedPreconditionError(None, op, said)
    return errors.UnknownError(None, op, said)


class ReadFile(OpDef, sig="ReadFile(filename: string) -> contents: string"):
    """The content of a file."""

    def shape(filename: TensorShape) -> list[TensorShape]:
        s.with_rank(filename, 0)
        return [s.shape_of([])]

    def host(op: Any, filename: np.ndarray) -> np.ndarray:
        path = _path(op, filename)
        try:
            with open(path, "rb") as file:
                return vector([file.read()]).reshape(())
        except OSError as error:
            raise file_error(op, path, error) from None


class WriteFile(OpDef, sig="WriteFile(filename: string, contents: string) -> ()"):
    """Make a string the content of a file, and the folders that it lies in."""

    stateful = True

    def shape(filename: TensorShape, contents: TensorShape) -> list[TensorShape]:
        s.with_rank(filename, 0)
        s.with_rank(contents, 0)
        return []

    def host(op: Any, filename: np.ndarray, contents: np.ndarray) -> None:
        path = _path(op, filename)
        try:
            os.makedirs(os.path.dirname(path) or b".", exist_ok=True)
            with open(path, "wb") as file:
                file.write(scalar_text(contents))
        except OSError as error:
            raise file_error(op, path, error) from None


class MatchingFiles(OpDef, sig="MatchingFiles(pattern: string) -> filenames: string"):
    """The sorted names of the files that fit one of the patterns."""

    def shape(pattern: TensorShape) -> list[TensorShape]:
        s.with_rank_at_most(pattern, 1)
        return [s.shape_of([None])]

    def host(pattern: np.ndarray) -> np.ndarray:
        return vector(sorted(name for p in pattern.ravel() for name in glob.glob(p)))


class DecodeCompressed(
    OpDef,
    sig="DecodeCompressed(bytes: string, compression_type: str = '') -> output: string",
):
    """Each string decompressed."""

    shape = same

    def host(op: Any, bytes: np.ndarray, *, compression_type: str) -> np.ndarray:
        if compression_type not in ("", "ZLIB", "GZIP"):
            said = f"Only ZLIB, GZIP or NONE are supported compressions, not {compression_type!r}"
            raise errors.InvalidArgumentError(None, op, said)
        if not compression_type:
            return bytes
        form = 15 if compression_type == "ZLIB" else 31

        def expand(text: Any) -> Any:
            machine = zlib.decompressobj(form)
            try:
                whole = machine.decompress(text) + machine.flush()
            except zlib.error as error:
                raise errors.DataLossError(None, op, f"{compression_type}: {error}") from None
            if not machine.eof:
                raise errors.DataLossError(None, op, f"{compression_type}: the string is cut off")
            return whole

        return each(expand, bytes)


def read_file(filename: Any, name: str | None = None) -> Tensor:
    """The content of the file that the scalar string names, a scalar string.

    Raises, when run: NotFoundError, PermissionDeniedError, FailedPreconditionError (a folder).
    """
    return apply("ReadFile", filename, name=name)


def write_file(filename: Any, contents: Any, name: str | None = None) -> Any:
    """The Operation that writes a scalar string to a file, and makes the folders it lies in."""
    return apply("WriteFile", filename, contents, name=name)


def matching_files(pattern: Any, name: str | None = None) -> Tensor:
    """The sorted names of files that fit `pattern` (`*`, `?`, `[..]`), or one of a vector of
    patterns."""
    return apply("MatchingFiles", pattern, name=name)


def decode_compressed(bytes: Any, compression_type: str = "", name: str | None = None) -> Tensor:
    """Each string decompressed. compression_type: "", "ZLIB" or "GZIP".

    Raises:
      ValueError: another compression type. DataLossError, when run: a string that is not so made.
    """
    return apply("DecodeCompressed", bytes, compression_type=compression_type, name=name)
