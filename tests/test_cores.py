"""How many threads are used where a control group limits the time of the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfc.runtime import cores


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


# the list of the process's groups, files of the groups, cores
V1 = "9:name=systemd:/\n4:memory:/a\n2:cpu,cpuacct:/a/b\n0::/\n"
CASES = {
    "no list": ("", {"cpu.max": "100000 100000"}, None),
    "no limit": ("0::/\n", {"cpu.max": "max 100000"}, None),
    "no file": ("0::/a\n", {}, None),
    "one core": ("0::/\n", {"cpu.max": "100000 100000"}, 1),
    "half a core": ("0::/\n", {"cpu.max": "50000 100000"}, 1),
    "one and a half": ("0::/\n", {"cpu.max": "150000 100000"}, 2),
    "of the innermost": ("0::/a/b\n", {"a/b/cpu.max": "400000 100000"}, 4),
    "of one around": (
        "0::/a/b\n",
        {"a/b/cpu.max": "400000 100000", "a/cpu.max": "200000 100000", "cpu.max": "max 100000"},
        2,
    ),
    "the host's path": ("0::/../pod/x\n", {"cpu.max": "300000 100000"}, 3),
    "first version": (
        V1,
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/a/b/cpu.cfs_quota_us": "250000",
            "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
        },
        3,
    ),
    "first version, mounted by one name": (
        V1,
        {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"},
        2,
    ),
    "both versions": ("3:cpu:/\n0::/c\n", {"unified/c/cpu.max": "100000 100000"}, 1),
    "nonsense": ("0::/\n", {"cpu.max": "much 0"}, None),
    "a period of none": ("0::/\n", {"cpu.max": "100000 0"}, None),
    "a line of another form": ("cpu\n0::/\n", {"cpu.max": "200000 100000"}, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_cores_that_groups_grant(case: str, tmp_path: Path) -> None:
    listed, files, expected = CASES[case]
    (tmp_path / "list").write_text(listed)
    mount = _tree(tmp_path / "mount", files)
    assert cores.granted_cores(tmp_path / "list", mount) == expected


def test_a_system_without_groups(tmp_path: Path) -> None:
    assert cores.granted_cores(tmp_path / "list", tmp_path) is None


@pytest.mark.parametrize("granted", [None, 1, 3, 1000])
def test_threads_by_default(granted: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    visible = 4
    monkeypatch.setattr(cores, "visible_cores", lambda: visible)
    monkeypatch.setattr(cores, "_granted_at_start", lambda: granted)
    assert cores.available_cores() == min(visible, granted or visible)


def test_visible_cores_are_those_of_the_mask() -> None:
    if hasattr(os, "sched_getaffinity"):
        assert cores.visible_cores() == len(os.sched_getaffinity(0))
    assert 1 <= cores.available_cores() <= cores.visible_cores()
