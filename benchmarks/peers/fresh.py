"""W11: a fresh process: import, then build a model, compile it and run one step of training.

A peer compiles anew each time; tfc with its cache of machine code empty, and again with what the
last process left there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TITLE = "W11, fresh process"
UNIT, SCALE = "s", 1
SIZES = ([{"row": row, "size": 0} for row in ("", "mlp", "cnn")],)
TOLERANCE = 1e-3
HERE = Path(__file__).resolve().parent


def per(**_):
    return 1


PROGRAM = """
import importlib, time, sys
sys.path.insert(0, {here!r})
import {module}
if {row!r}:
    start = time.perf_counter()
    row = importlib.import_module({row!r})
    print(row.ENTRIES[{entry!r}](**row.SIZES[{size}])()[0])
"""


def process(module, entry, cache=None):
    """What runs a model's first step in a process of its own; nothing but the import if `row` is
    empty."""

    def make(row, size):
        program = PROGRAM.format(here=str(HERE), module=module, entry=entry, row=row, size=size)
        # Modules that pip installs have byte code beside them; ours has after the first run.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

        def run():
            with tempfile.TemporaryDirectory() as empty:
                folder = cache or empty
                said = subprocess.run(
                    [sys.executable, "-c", program],
                    capture_output=True, text=True, check=True,
                    env={**environment, "TFC_CACHE": folder},
                )  # fmt: skip
            return float(said.stdout or 0)

        return run

    return make


WARM = tempfile.TemporaryDirectory()
ENTRIES = {
    "tfc, cold": process("tfc", "tfc"),
    "tfc, warm": process("tfc", "tfc", WARM.name),
    "tensorflow": process("tensorflow", "tensorflow"),
    "jax": process("jax", "jax"),
    "torch": process("torch", "torch"),
}
