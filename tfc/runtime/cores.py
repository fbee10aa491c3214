"""How many cores this process may use."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path


def visible_cores() -> int:
    """Cores that the threads of this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_cores() -> int:
    """The default number of threads: the visible cores, and no more than the control groups give
    time for. Threads beyond that would use up the time of all of them earlier, and then stand
    still together until the next period."""
    granted = _granted_at_start()
    return visible_cores() if granted is None else min(visible_cores(), granted)


@functools.cache
def _granted_at_start() -> int | None:
    return granted_cores(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))


def granted_cores(groups: Path, mount: Path) -> int | None:
    """The cores, rounded up, that the process's control groups give it time for; None: no limit.
    `groups` is the system's list of them, of either version, and `mount` where they lie."""
    limits = [limit for folder in _folders(_read(groups), mount) for limit in _limits(folder)]
    return max(1, ceil(min(limits))) if limits else None


def _folders(groups: str, mount: Path) -> Iterator[Path]:
    """The folders of the groups that may limit time, and of those they are in. In a container the
    path may be the host's, which is not there: what it is in is then the container's own."""
    for line in groups.splitlines():
        number, names, path = (line.split(":", 2) + ["", ""])[:3]
        if number == "0" and not names:
            roots = [mount, mount / "unified"]
        elif "cpu" in names.split(","):
            roots = [mount / names, mount / "cpu"]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for root in dict.fromkeys(roots):
            for count in range(len(parts) + 1):
                yield root.joinpath(*parts[:count])


def _limits(folder: Path) -> Iterator[float]:
    """Cores that a group gives time for, if it says so."""
    both = _read(folder / "cpu.max").split()
    if len(both) != 2:
        both = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    quota, period = both
    if quota.isdigit() and period.isdigit() and int(quota) and int(period):
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
