"""A Session's variables: one aligned buffer each, under the name of the variable op.

Hidden state of ops (the counters of random number generators) lives here too, under
`<op name>/<suffix>`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.cells import Cell
from tfc.base.records import dataclass
from tfc.base.target import ALIGNMENT
from tfc.base.uninterrupted import Uninterrupted
from tfc.cache import default_cache
from tfc.client.kept import KeptPanels
from tfc.codegen import array_pool
from tfc.codegen.kept import Kept
from tfc.framework.session_objects import SessionObjects
from tfc.ir.core import Type
from tfc.runtime.python_abi import address_of


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array whose data starts at a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + nbytes].view(dtype).reshape(shape)


def pool_for(shape: tuple[int, ...], dtype: np.dtype) -> array_pool.ArrayPool | None:
    """Where the memory of an array comes from that is fetched; None: from numpy."""
    if math.prod(shape) * dtype.itemsize < array_pool.LEAST:
        return None
    return array_pool.the_pool(default_cache())


def fetched_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array that leaves the Session."""
    pool = pool_for(shape, dtype)
    if pool is None:
        return np.empty(shape, dtype)
    with Uninterrupted(), pool.current():  # or all that is made later might be the pool's
        return np.empty(shape, dtype)


@dataclass(slots=True)
class Buffer:
    """The content of one variable."""

    array: np.ndarray
    address: int
    type: Type


class Changed(Exception):
    """Something that ran in this thread since a run was prepared, the handler of a signal or a
    finalizer, has given a variable other memory, or closed the Session. Nothing is computed yet."""


class VariableStore:
    """Contents by key. `generation` changes whenever a variable appears or changes its type, before
    and after, and when the store is closed; native code reads it in `generation_cell`."""

    def __init__(self) -> None:
        self._buffers: dict[str, Buffer] = {}
        self._cells: dict[str, Cell] = {}
        self._versions: dict[str, Cell] = {}
        self._kept: dict[Any, KeptPanels] = {}
        self.generation = 0
        self._generations = itertools.count(1)
        self.generation_cell = Cell()
        self.closed = False
        self.was_forked = False  # and that is why it is closed
        self.objects = SessionObjects()

    def get(self, key: str) -> Buffer | None:
        return self._buffers.get(key)

    def cell(self, key: str) -> Cell:
        """What always holds the address of the content of `key`, as long as that has one."""
        return self._cells[key]

    def __getitem__(self, key: str) -> Buffer:
        return self._buffers[key]

    def version(self, key: str) -> Cell:
        """What counts the writes to a variable, from 1 on."""
        found = self._versions.get(key)
        return found if found is not None else self._versions.setdefault(key, Cell(1))

    @contextmanager
    def writing(self, keys: Iterable[str]) -> Iterator[None]:
        """Inside, native code writes these variables where they lie. Their versions change before,
        in case this is interrupted after, and after, in case something ran meanwhile that took a
        half written content for the new one."""
        cells = [self.version(key) for key in keys]
        for cell in cells:
            cell.value += 1
        try:
            yield
        finally:
            for cell in cells:
                cell.value += 1

    def kept(self, source: str | np.ndarray, form: Kept) -> KeptPanels:
        """The panels of a variable, given by its key, or of a constant, in a form."""
        key = source if isinstance(source, str) else id(source)
        found = self._kept.get((key, form.panels, form.nbytes))
        if found is None:
            version = self.version(source) if isinstance(source, str) else Cell(1)
            found = KeptPanels(version, form.nbytes, source)
            found = self._kept.setdefault((key, form.panels, form.nbytes), found)
        return found

    @property
    def kept_bytes(self) -> int:
        """Memory of all panels."""
        return sum(panels.nbytes for panels in list(self._kept.values()))

    def types(self, keys: Iterable[str]) -> dict[str, Type | None]:
        """The type of each variable's content; None where it has none."""
        found = {key: self.get(key) for key in keys}
        return {key: b.type if b is not None else None for key, b in found.items()}

    def held(self, types: Mapping[str, Type]) -> dict[str, Buffer]:
        """The contents of variables that have these types. Their memory stays as long as the
        caller has them. Raises Changed: one has another type, or no content."""
        found = {}
        for key, type in types.items():
            buffer = self.get(key)
            if buffer is None or (buffer.type is not type and buffer.type != type):
                raise Changed
            found[key] = buffer
        return found

    def check_held(self, held: Mapping[str, Buffer]) -> None:
        """Raises Changed: what is `held` is no longer the content of a variable."""
        if any(self.get(key) is not buffer for key, buffer in held.items()):
            raise Changed

    def put(self, key: str, array: np.ndarray) -> None:
        """Make `array` (C-contiguous, not used by the caller any more) the content of `key`."""
        type = Type(dtypes.short_of(array.dtype), array.shape)
        old = self._buffers.get(key)
        is_new = old is None or old.type != type
        if is_new:
            self._next_generation()
            for known in list(self._kept):  # runs of constants come without a lock
                if known[0] == key:
                    self._kept.pop(known, None)
        address = 0 if array.dtype == object else address_of(array)
        # before the old content may go: native code may look at any time
        self._cells.setdefault(key, Cell()).value = address
        self._buffers[key] = Buffer(array, address, type)
        if is_new:  # who has looked since the first time may have seen the old type
            self._next_generation()
        self.version(key).value += 1

    def put_missing(self, initial: Mapping[str, np.ndarray]) -> None:
        """Give contents to hidden variables that have none yet."""
        for key, array in initial.items():
            if key not in self._buffers:
                fresh = aligned_empty(array.shape, array.dtype)
                fresh[...] = array
                self.put(key, fresh)

    def close(self) -> None:
        """Free all contents, for good."""
        self.closed = True
        self._next_generation()
        self._buffers.clear()
        self._kept.clear()
        self.objects.closed = True
        self.objects.items.clear()

    def _next_generation(self) -> None:
        self.generation = next(self._generations)  # strings are put without the lock
        self.generation_cell.value = self.generation
