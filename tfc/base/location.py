"""Where in the user's program something was made: the nearest stack frame outside tfc."""

from __future__ import annotations

import linecache
import os
import sys

from tfc.base.records import dataclass

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_EXAMPLES = os.path.join(_PACKAGE, "examples") + os.sep  # user code that happens to live here
_outside: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Location:
    """A line of a user's file."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"

    @property
    def text(self) -> str:
        """The source line, stripped; empty where the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()


def user_location() -> Location | None:
    """The nearest frame outside the package, or None if there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        outside = _outside.get(name)
        if outside is None:
            outside = _outside[name] = _is_user_file(name)
        if outside:
            return Location(name, frame.f_lineno, code.co_name)
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


def _is_user_file(name: str) -> bool:
    if name.startswith("<frozen") or os.path.basename(name) == "contextlib.py":
        return False
    path = os.path.abspath(name)
    return not path.startswith(_PACKAGE) or path.startswith(_EXAMPLES)
