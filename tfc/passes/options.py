"""PassOptions: what a pass may be told, and what the pipeline says of what it did.

A module of its own so that every pass can import it, and pipeline.py can import every pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from tfc.base.records import dataclass
from tfc.ir.core import Function


@dataclass(frozen=True)
class Record:
    """One pass that ran: its name (`simplify.2` for a second stay), what it made, how long it
    took, and how many ops the function then had."""

    name: str
    fn: Function
    ms: float
    ops: int


@dataclass
class PassOptions:
    """Options of one compilation. `fuel` and `records` change while the pipeline runs.

    level: 0 runs only the required passes, in their plainest form; 1 runs all.
    passes: "-hoist,+simplify" switches passes off, or on at level 0. A required pass that is
      switched off still runs, in its plainest form: one op per kernel, the given order, no sharing.
    check: verify the function before the first pass and after each.
    fuel: how many rules may still fire; None for no limit. Bisects a bad rewrite.
    shuffle: seed for a random order of independent ops after each pass before `schedule`.
    hooks: called with each record as it is made.
    """

    level: int = 1
    passes: str = ""
    check: bool = False
    fuel: int | None = None
    shuffle: int | None = None
    records: list[Record] = field(default_factory=list)
    hooks: list[Callable[[Record], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._switches: dict[str, bool] = {}
        for item in self.passes.replace(" ", "").split(","):
            if item:
                if item[0] not in "+-" or len(item) < 2:
                    raise ValueError(f"passes={self.passes!r}: write -name or +name, not {item!r}")
                self._switches[item[1:]] = item[0] == "+"

    @property
    def switched(self) -> tuple[str, ...]:
        """The passes named in `passes`."""
        return tuple(self._switches)

    def enabled(self, name: str) -> bool:
        """Whether pass `name` is to do its work; if not, a required pass does its least."""
        return self._switches.get(name, self.level > 0)
