"""Skips the tests where there is no native dispatch."""

from __future__ import annotations

import pytest

from tfc.runtime import python_abi


@pytest.fixture(autouse=True)
def _possible() -> None:
    if python_abi.problem():
        pytest.skip(python_abi.problem())
