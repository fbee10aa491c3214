"""The recorded cases in ../shared/conformance: what must pass, what Python runs, what it drives.

`missing.txt` names the cases that do not pass yet: one that starts to pass is to be taken out.
"""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_host_list import ALLOWED, ARRAYS, RAGGED

HERE = Path(__file__).resolve().parent
# Why a loop or condition of the cases is driven by Python.
DRIVEN = {
    "a result changes its shape from iteration to iteration": ("after an iteration and was",),
    "the branches give different shapes": ("in one branch and",),
    "what it keeps changes its shape": ("it takes an array of several shapes",),
    "an op in it has no native form": ("has no native form",),
    "a shape in it depends on data": ("depends on what the loop computes",),
    "it holds or gives strings": ("string",),
    "a TensorArray grows no counter says how far": ("how far a TensorArray grows",),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(failing cases with their reasons, lines of notes) of the open set."""
    shared = HERE.parent.parent.parent / "shared" / "conformance"
    if not shared.is_dir():
        message = "no folder `shared` beside the checkout"
        if os.environ.get("TFC_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("conformance")
    root = HERE.parent.parent
    env = os.environ | {"TFC_CONFORMANCE_NOTES": str(folder / "notes"), "PYTHONPATH": str(root)}
    command = [sys.executable, str(shared / "check.py"), "--backend", "tests.conformance.backend"]
    command += ["--golden", str(shared), "--set", "open", "--static", "--jobs", "2"]
    command += ["--json", str(folder / "result.json")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    result = json.loads((folder / "result.json").read_text())
    notes = (folder / "notes").read_text().splitlines()
    return result, notes


def test_conformance(run):
    """One test, so that one worker runs the cases once."""
    result, notes = run
    known = set((HERE / "missing.txt").read_text().split())
    failing = {case["name"]: case["reason"] for case in result["failures"]}
    assert {name: why for name, why in failing.items() if name not in known} == {}
    assert sorted(known - failing.keys()) == [], "they pass: take them out of missing.txt"
    hosts = collections.Counter(line.split()[1] for line in notes if line.startswith("host "))
    assert {name: n for name, n in hosts.items() if name not in ALLOWED | RAGGED | ARRAYS} == {}
    driven = [line[len("driven ") :] for line in notes if line.startswith("driven ")]
    parts = [part for found in DRIVEN.values() for part in found]
    assert [reason for reason in driven if not any(part in reason for part in parts)] == []
