"""The store of machine code between processes: one file an entry, in a folder of the user's own.

A file holds the SHA-256 of its key and content, then the content; one that does not match (cut off,
damaged, another entry under this name) is deleted and counts as absent. Files are written under
another name and renamed, so a reader never sees half of one, and processes need no locks. When the
folders of all versions grow past `LIMIT_BYTES`, the files used longest ago go; that takes time with
the number of files, so somebody looks once in an hour.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tfc.base.options import options
from tfc.base.records import dataclass
from tfc.codegen.target import llvm_version
from tfc.version import VERSION

LIMIT_BYTES = 256 << 20
BLOCK = 4096  # what a file takes on disk is a multiple of this
LOOK_SECONDS = 3600
FIRST = ".o0", ".run0", ".ll0"  # how keys of first versions end
OFF = ("off", "0")  # as the option says it, and as the others are switched off
VERSIONS = "*-llvm*"  # the folders in the cache's folder that are ours
_DIGEST = 32
_UNFINISHED = "."  # how names begin of files that are being written
_LOOKED = "looked"  # the file in the cache's folder whose time is that of the last look
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class Entry:
    """A stored file: its path, its bytes, when it was used last (seconds since 1970)."""

    path: Path
    size: int
    used: float

    @property
    def room(self) -> int:
        """The bytes it takes on disk."""
        return -(-self.size // BLOCK) * BLOCK

    @property
    def is_first(self) -> bool:
        """Whether it is of a first version (`recall.py`), to be replaced by an optimised one."""
        return self.path.name.endswith(FIRST)

    def is_whole(self) -> bool:
        """Whether it is as it was written."""
        try:
            return _content(self.path.name, self.path.read_bytes()) is not None
        except OSError:
            return False


class DiskCache:
    """Content by key (a hash of all it was made from)."""

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, key: str) -> bytes | None:
        """What is stored under `key`, None if there is nothing."""
        path = self.folder / key
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        content = _content(key, stored)
        with contextlib.suppress(OSError):  # a folder may be for reading only
            if content is None:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep `content`. A folder that cannot be written is no error: others compile anew."""
        name = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self.folder, prefix=_UNFINISHED, delete=False
            ) as file:
                name = file.name
                file.write(_digest(key, content) + content)
            os.replace(name, self.folder / key)
        except OSError:
            if name is not None:
                _remove(Path(name))
            return
        if _is_time_to_look(self.folder.parent):
            shrink(self.folder.parent, LIMIT_BYTES)

    def remove(self, key: str) -> None:
        """Forget what is stored under `key`, if anything is."""
        _remove(self.folder / key)

    def entries(self) -> list[Entry]:
        """What is stored, the entries used last first."""
        return sorted(_entries(self.folder), key=lambda entry: -entry.used)


def _is_time_to_look(base: Path) -> bool:
    """Whether nobody has looked for an hour; whoever asks is the one who looks then. Who cannot
    leave word of it does not look."""
    path = base / _LOOKED
    try:
        if path.exists() and path.stat().st_mtime > time.time() - LOOK_SECONDS:
            return False
        path.touch(mode=0o600)
    except OSError:
        return False
    return True


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + content).digest()


def _content(key: str, stored: bytes) -> bytes | None:
    """What was put under `key`, if `stored` is just that."""
    content = stored[_DIGEST:]
    return content if _digest(key, content) == stored[:_DIGEST] else None


def _entries(folder: Path) -> Iterator[Entry]:
    """The files of a folder; those being written are left out, and deleted if nobody does."""
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            try:
                state = file.stat()
            except OSError:
                continue  # another process has deleted it
            if not file.name.startswith(_UNFINISHED):
                yield Entry(Path(file.path), state.st_size, state.st_mtime)
            elif state.st_mtime < time.time() - _ABANDONED_SECONDS:
                _remove(Path(file.path))


def all_entries(base: Path) -> list[Entry]:
    """The entries of all versions in the cache's folder, those used last first."""
    folders = base.glob(VERSIONS) if base.is_dir() else ()
    found = [entry for folder in folders for entry in _entries(folder)]
    return sorted(found, key=lambda entry: -entry.used)


def shrink(base: Path, limit: int) -> int:
    """Delete entries used longest ago until what is left takes at most `limit` bytes on disk. The
    number of entries deleted."""
    total = deleted = 0
    for entry in all_entries(base):
        total += entry.room
        if total > limit and _remove(entry.path):
            deleted += 1
    return deleted


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def base_folder() -> Path | None:
    """The cache's folder as the options name it; None if it is off, or the user has no home."""
    if options.cache in OFF:
        return None
    if options.cache:
        return Path(options.cache)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "tfc" if os.path.isabs(home) else None


def default_cache() -> DiskCache | None:
    """The cache of this version; None if it is off, or not the user's alone."""
    base = base_folder()
    if base is None:
        return None
    folder = base / f"{VERSION}-llvm{llvm_version()}"
    return DiskCache(folder) if _private(folder) else None


def _private(folder: Path) -> bool:
    """Whether nobody else can put code there that we would run."""
    try:
        state = folder.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return state.st_uid == os.getuid() and not state.st_mode & 0o022
