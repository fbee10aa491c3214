"""`tfc cache`: what the store of machine code holds, whether it is whole, and emptying it."""

from __future__ import annotations

import time
from typing import TextIO

from tfc import cache


def run(command: str, out: TextIO) -> int:
    """Run `tfc cache list`, `verify` or `clear`. The exit status: 1 if `verify` found damage, or
    if there is no cache to look at."""
    base = cache.base_folder()
    if base is None:
        out.write("the cache is off\n")
        return 1
    entries = cache.all_entries(base)
    return {"list": _list, "verify": _verify, "clear": _clear}[command](entries, str(base), out)


def _list(entries: list[cache.Entry], base: str, out: TextIO) -> int:
    """A line for each entry, those used last first, and a line for all. A first version is one
    that a program will replace when it has run for a while."""
    now = time.time()
    for entry in entries:
        out.write(
            f"{entry.size:>9}  {_age(now - entry.used):>8}  "
            f"{entry.path.parent.name}/{entry.path.name}"
            f"{'  first version' if entry.is_first else ''}\n"
        )
    total = sum(entry.room for entry in entries)
    out.write(
        f"{len(entries)} entries, {_megabytes(total)} of at most "
        f"{_megabytes(cache.LIMIT_BYTES)}, in {base}\n"
    )
    return 0


def _verify(entries: list[cache.Entry], base: str, out: TextIO) -> int:
    """A line for each entry that is not as it was written. None of them is ever loaded."""
    damaged = [entry for entry in entries if not entry.is_whole()]
    for entry in damaged:
        out.write(f"damaged: {entry.path}\n")
    out.write(f"{len(entries) - len(damaged)} of {len(entries)} entries are whole, in {base}\n")
    return 1 if damaged else 0


def _clear(entries: list[cache.Entry], base: str, out: TextIO) -> int:
    total = sum(entry.room for entry in entries)
    deleted = cache.shrink(entries[0].path.parent.parent, 0) if entries else 0
    out.write(f"deleted {deleted} entries, {_megabytes(total)}, in {base}\n")
    return 0 if deleted == len(entries) else 1


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"


def _age(seconds: float) -> str:
    """How long ago, in the largest unit that is not too coarse."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
