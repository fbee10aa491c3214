"""Loops whose arrays start as room, compiled, against the interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.codegen.test_control import call, compiled
from tests.compare import assert_close
from tests.passes.golden import cases_of
from tfc.ir.interp import run

FILE = Path(__file__).parent.parent / "passes" / "fuse" / "room.ir"


@pytest.mark.parametrize("level", (2, 0))
@pytest.mark.parametrize("number", range(3))
def test_room(number: int, level: int) -> None:
    fn = cases_of(FILE)[number].function
    executable = compiled(fn, level)
    for seed in range(3):  # the memory of one run is that of the next
        x = np.random.RandomState(seed).uniform(-2, -1, 40).astype(np.float32)
        (actual,) = call(executable, x)
        (expected,) = run(fn, (x,))
        assert_close(actual, expected, 8)
