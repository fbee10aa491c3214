"""What a Session keeps for native functions between runs: panels of weights (`codegen/kept.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.cells import Cell
from tfc.base.target import ALIGNMENT
from tfc.codegen.kept import Record


class KeptPanels:
    """Panels of one variable or constant in one form, and the record by which native functions find
    them. `version`: counts what may have been written to it. `source`: lives as long as this.
    `cell`: holds the record's address. Without memory for the panels, runs do without them."""

    __slots__ = ("__weakref__", "_held", "_record", "address", "cell", "nbytes")

    def __init__(self, version: Cell, nbytes: int, source: Any = None):
        self._record = np.zeros(len(Record), np.int64)
        self.nbytes = nbytes
        panels = None
        try:
            panels = np.empty(nbytes + ALIGNMENT, np.uint8)  # no memory before it is written
            start: int = panels.ctypes.data
            self._record[Record.PANELS] = start + -start % ALIGNMENT
        except MemoryError:
            self.nbytes = 0
        self._record[Record.VERSION] = version.address
        self._held = version, panels, source
        self.address: int = self._record.ctypes.data
        self.cell = Cell(self.address)

    @property
    def stamp(self) -> int:
        """The version that the panels were copied from; 0: none."""
        return int(self._record[Record.STAMP])
