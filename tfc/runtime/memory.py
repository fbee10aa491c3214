"""How much memory this process may still take."""

from __future__ import annotations

from pathlib import Path

# Requests below this are left to the allocator: asking costs more than it tells.
LEAST = 1 << 28


def check(size: int) -> None:
    """Raise MemoryError if there are not `size` bytes.

    An allocation of more memory than there is may succeed, and the process die when it writes.
    """
    if size < LEAST:
        return
    found = available()
    if found is not None and size > found:
        raise MemoryError(f"{size} bytes asked for, {found} available")


def available() -> int | None:
    """Bytes that can be had without swapping: what the machine has and the control group allows;
    None where the system does not tell."""
    rooms = [n for n in (_of_machine(), _of_group()) if n is not None]
    return min(rooms, default=None)


def _of_machine() -> int | None:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _of_group() -> int | None:
    most, taken = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if not most.isdigit() or not taken.isdigit():
        return None
    # File pages count as taken, and go when memory is short.
    cached = 0
    for line in _read("/sys/fs/cgroup/memory.stat").splitlines():
        if line.startswith("inactive_file "):
            cached = int(line.split()[1])
    return int(most) - int(taken) + cached


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
