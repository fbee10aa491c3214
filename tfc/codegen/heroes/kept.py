"""Panels of a product that are kept from run to run, as its kernel sees them.

They lie one after the other, those of a tile of columns together: all its steps, block by block,
in the form in which the microkernel reads them (`heroes/pack.py`). Where they are to be written,
the first part of rows writes them; other parts, which may run at the same time, use their scratch.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfc.codegen.heroes.dot_plan import Tile
from tfc.codegen.kernels import Kernel
from tfc.codegen.text import Text
from tfc.codegen.values import V
from tfc.prims.loop_nest import Contraction

NULL = V("null", "ptr")


class KeptPanels:
    """`missing` (i1): the panels are not there yet, so that who uses one copies it first. `used`:
    whether this part uses them at all."""

    def __init__(self, k: Kernel, c: Contraction, tile: Tile, start: int = 0):
        """start: the element of the operand that the loops begin at."""
        self.t: Text = k.t
        steps = ",".join(f"{d.extent}@{d.b}" for d in c.inner)
        k.panels = f"{c.dtype} {start}+{steps} {c.col.extent}@{c.col.b} {tile.cols}/{tile.lanes}"
        self._base, fresh = k.kept
        with self.t.at(self.t.root):
            self.missing = self.t.cmp("eq", fresh, NULL)
            self._given = self.t.cmp("ne", self._base, NULL)
        self.used = self._given

    def of_part(self, numbers: Iterable[V]) -> None:
        """What follows is for a part of the product; numbers: of its part of rows and the like."""
        t, first = self.t, V("true", "i1")
        for number in numbers:
            if number.ref[0] == "%":
                first = t.op("and", first, t.cmp("eq", number, V("0", "i64")))
        if first.ref == "true":
            return
        usable = t.op("or", first, t.op("xor", self.missing, V("true", "i1")))
        self.used = t.op("and", self._given, usable)

    def panel(self, offset: V, element: str, other: V) -> V:
        """The panel that begins at an element of the panels, or the `other` one."""
        t = self.t
        return t.select(self.used, t.gep(self._base, offset, element), other)
