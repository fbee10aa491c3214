"""The store of machine code on disk: what is put comes back whole, or not at all."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfc import cache
from tfc.base.options import options
from tfc.cache import DiskCache, default_cache
from tfc.tools.cli import main


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    store = DiskCache(tmp_path / "new" / "folder")
    assert store.get("key") is None and list(store.entries()) == []
    store.put("key", b"code")
    store.put("key", b"other")
    assert store.get("key") == b"other"
    assert [e.path.name for e in store.entries()] == ["key"]
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None])
def test_a_damaged_file_is_absent_and_deleted(tmp_path: Path, damage: bytes | None) -> None:
    store = DiskCache(tmp_path)
    store.put("key", b"machine code")
    path = tmp_path / "key"
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert store.get("key") is None
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = DiskCache(tmp_path / "file" / "folder")
    store.put("key", b"code")
    assert store.get("key") is None


def test_a_file_under_another_name_is_absent(tmp_path: Path) -> None:
    store = DiskCache(tmp_path)
    store.put("one", b"machine code")
    (tmp_path / "one").rename(tmp_path / "other")
    assert store.get("other") is None and not (tmp_path / "other").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_for_reading_only(tmp_path: Path) -> None:
    DiskCache(tmp_path).put("key", b"code")
    (tmp_path / "bad").write_bytes(b"x" * 40)
    tmp_path.chmod(0o500)
    try:
        assert DiskCache(tmp_path).get("key") == b"code"
        assert DiskCache(tmp_path).get("bad") is None
        DiskCache(tmp_path).put("more", b"code")
        assert DiskCache(tmp_path).get("more") is None
    finally:
        tmp_path.chmod(0o700)


def test_failing_writes_and_touches_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskCache(tmp_path)
    store.put("key", b"code")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert store.get("key") == b"code"
    store.put("more", b"code")
    assert [p.name for p in tmp_path.iterdir()] == ["key"]  # nothing half-written stays


def test_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT_BYTES", 2 * cache.BLOCK)
    folder, older = tmp_path / "2-llvm1", tmp_path / "1-llvm1"
    folder.mkdir()
    older.mkdir()
    for age, name in enumerate(["new", "middle", "old"]):
        path = folder / name
        path.write_bytes(b"x" * 60)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (older / "other").write_bytes(b"x")
    os.utime(older / "other", (1000, 1000))
    (tmp_path / "mine.txt").write_text("x" * 1000)  # not ours, so neither counted nor deleted
    abandoned, writing = folder / ".abandoned", folder / ".writing"
    abandoned.write_bytes(b"")
    os.utime(abandoned, (1000, 1000))
    writing.write_bytes(b"")
    looked = tmp_path / "looked"
    looked.touch()
    DiskCache(folder).put("newest", b"")  # somebody has looked within the hour
    assert (folder / "old").exists()
    os.utime(looked, (1000, 1000))
    DiskCache(folder).put("newest", b"")
    assert sorted(e.path.name for e in DiskCache(folder).entries()) == ["new", "newest"]
    assert looked.stat().st_mtime > 1000
    assert not (older / "other").exists() and (tmp_path / "mine.txt").exists()
    assert writing.exists() and not abandoned.exists()


def test_who_cannot_leave_word_does_not_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every entry would have all folders looked through."""
    monkeypatch.setattr(cache, "LIMIT_BYTES", 0)
    (tmp_path / "looked").mkdir()
    os.utime(tmp_path / "looked", (1000, 1000))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "touch", refuse)
    DiskCache(tmp_path / "1-llvm1").put("entry", b"code")
    assert (tmp_path / "1-llvm1" / "entry").exists()


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    folder = tmp_path / "1-llvm1"
    store = DiskCache(folder)
    for name in ("first", "second"):
        store.put(name, b"x" * 100)
        os.utime(folder / name, (1000, 1000))
    assert store.get("first") is not None
    assert cache.shrink(tmp_path, cache.BLOCK) == 1
    assert store.get("second") is None and store.get("first") is not None


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "cache", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where there is no home
    assert cache.base_folder() is None and default_cache() is None


_WRITER = """
import sys
from pathlib import Path
from tfc.cache import DiskCache
store = DiskCache(Path(sys.argv[1]))
for turn in range(150):
    key = f"key{turn % 5}"
    content = key.encode() * (1000 + turn)
    found = store.get(key)
    assert found is None or set(found.split(key.encode())) == {b""}, "half a file"
    store.put(key, content)
"""


def test_several_processes_at_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "1-llvm1")
    running = [subprocess.Popen([sys.executable, "-c", _WRITER, folder]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    entries = DiskCache(Path(folder)).entries()
    assert sorted(e.path.name for e in entries) == [f"key{n}" for n in range(5)]
    assert all(e.is_whole() for e in entries)


# -- the command


def command(*argv: str) -> tuple[int, str]:
    out = io.StringIO()
    return main(argv, out), out.getvalue()


def test_list_verify_and_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "cache", str(tmp_path))
    folder = tmp_path / "1-llvm1"
    store = DiskCache(folder)
    store.put("old.o", b"x" * 68)
    store.put("new.run0", b"y")
    os.utime(folder / "old.o", (time.time() - 7200, time.time() - 7200))
    status, text = command("cache", "list")
    assert status == 0
    assert re.sub(r" \d s", " now", text).splitlines() == [
        "       33       now  1-llvm1/new.run0  first version",
        "      100       2 h  1-llvm1/old.o",
        f"2 entries, 0.0 MB of at most 256.0 MB, in {tmp_path}",
    ]
    assert command("cache", "verify") == (0, f"2 of 2 entries are whole, in {tmp_path}\n")
    (folder / "old.o").write_bytes(b"x" * 100)
    status, text = command("cache", "verify")
    assert status == 1
    assert text == f"damaged: {folder}/old.o\n1 of 2 entries are whole, in {tmp_path}\n"
    assert command("cache", "clear") == (0, f"deleted 2 entries, 0.0 MB, in {tmp_path}\n")
    assert command("cache", "list") == (
        0,
        f"0 entries, 0.0 MB of at most 256.0 MB, in {tmp_path}\n",
    )
    monkeypatch.setattr(options, "cache", "off")
    assert command("cache", "list") == (1, "the cache is off\n")


def test_where_others_may_write_no_code_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "cache", str(tmp_path))
    store = default_cache()
    assert store is not None and store.folder.is_relative_to(tmp_path)
    store.put("key", b"code")
    store.folder.chmod(0o777)
    assert default_cache() is None
    for off in ("off", "0"):
        monkeypatch.setattr(options, "cache", off)
        assert default_cache() is None
