"""Elements kept in files by the first whole pass, for the passes and the processes after it.

`<name>.index` says how many there are, and is written last: where it is, it is what is read.
`<name>.data-00000-of-00001` has a record for each component of each element, a TensorProto. While
they are written `<name>_0.lockfile` keeps others out. The files are not TensorFlow's, whose names
they have.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.dtypes import DType, as_dtype
from tfc.ops.datasets import records
from tfc.ops.datasets.nodes import Element, Elements, Node, Run
from tfc.ops.strings.common import invalid
from tfc.ops.strings.file_ops import file_error
from tfc.ops.strings.tensor_ops import array_of, message_of

_KIND = b"elements of a dataset, 1"


class FileCache(Node):
    """The elements of `source`, of components of `types`, kept in the files of a name."""

    fresh = True

    def __init__(self, op: Any, source: Node, name: bytes, types: Sequence[DType]):
        for dtype in types:
            if dtype.short in ("variant", "resource"):
                raise invalid(op, f"elements of {dtype.name} cannot be kept in a file")
        self.op, self.source, self.name, self.types = op, source, name, types
        self.index = name + b".index"
        self.data = name + b".data-00000-of-00001"

    def elements(self, run: Run) -> Elements:
        if os.path.exists(self.index):
            return _Read(self)
        return _Written(self, run)

    def size(self) -> int | None:
        return self.source.size()


class _Read(Elements):
    """The elements in the files."""

    def __init__(self, node: FileCache):
        self.node = node
        self.rest = self._read()

    def item(self) -> Element:
        return next(self.rest)

    def _read(self) -> Iterator[Element]:
        node = self.node
        head = list(records.records(node.op, node.index, ""))
        names = " ".join(dtype.name for dtype in node.types).encode()
        if len(head) != 3 or head[0] != _KIND:
            raise self._lost(f"{_text(node.index)} is no file of such elements")
        if head[1] != names:
            raise invalid(
                node.op,
                f"{_text(node.name)} keeps elements of {_text(head[1])}, not of {_text(names)}",
            )
        found = records.records(node.op, node.data, "")
        for _ in range(int(head[2])):
            element = tuple([self._component(found, dtype) for dtype in node.types])
            yield element

    def _component(self, found: Iterator[bytes], dtype: DType) -> np.ndarray:
        try:
            array = array_of(next(found))
        except StopIteration:
            raise self._lost("elements are missing") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise self._lost(f"{error}") from None
        if as_dtype(array.dtype) != dtype:
            raise self._lost(f"a component is of {array.dtype}")
        return array

    def _lost(self, why: str) -> errors.OpError:
        return errors.DataLossError(None, self.node.op, f"{_text(self.node.data)}: {why}")


class _Written(Elements):
    """The elements of the source, which are written as they are asked for; all of them are, or
    none. A pass that ends early leaves no files."""

    def __init__(self, node: FileCache, run: Run):
        self.node = node
        self.source: Elements | None = node.source.elements(run)
        self.count = 0
        self.file: Any = None
        self.part, self.lock = node.name + b"_0.data", node.name + b"_0.lockfile"
        self.discard: Any = None

    def item(self) -> Element:
        if self.source is None:
            raise StopIteration
        if self.file is None:
            self._open()
        try:
            element = next(self.source)
        except StopIteration:
            self.source = None
            self._finish()
            raise
        for array, dtype in zip(element, self.node.types, strict=True):
            self._write(self.file, records.as_record(message_of(np.asarray(array), dtype)))
        self.count += 1
        return tuple([np.array(array, order="C") for array in element])

    def _open(self) -> None:
        try:
            with open(self.lock, "x") as lock:
                lock.write(f"Created at: {int(time.time())}")
        except FileExistsError:
            with open(self.lock, errors="replace") as lock:
                content = lock.read(100)
            raise errors.AlreadyExistsError(
                None,
                self.node.op,
                "There appears to be a concurrent caching iterator running - cache lockfile "
                f"already exists ('{_text(self.lock)}'). If you are sure no other running "
                "TF computations are using this cache prefix, delete the lockfile and "
                f"re-initialize the iterator. Lockfile contents: {content}",
            ) from None
        except OSError as error:
            raise file_error(self.node.op, self.lock, error) from None
        self.discard = weakref.finalize(self, _remove, self.part, self.lock)
        self.file = open(self.part, "wb")  # noqa: SIM115 (it stays open between elements)
        weakref.finalize(self, self.file.close)

    def _write(self, file: Any, data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            raise file_error(self.node.op, self.part, error) from None

    def _finish(self) -> None:
        node, types = self.node, self.node.types
        names = " ".join(dtype.name for dtype in types).encode()
        try:
            self.file.close()
            os.replace(self.part, node.data)
            index = node.name + b"_0.index"
            records.write(node.op, index, "", [_KIND, names, b"%d" % self.count])
            os.replace(index, node.index)
        except OSError as error:
            raise file_error(node.op, node.name, error) from None
        self.discard()  # the lock; the part has its name


def _remove(*paths: bytes) -> None:
    for path in paths:
        with suppress(OSError):
            os.remove(path)


def _text(path: bytes) -> str:
    return path.decode(errors="replace")
