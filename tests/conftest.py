"""Fixtures that several test files use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Seeds are fixed: every run tries the same random programs.
settings.register_profile("tfc", derandomize=True, deadline=None)
settings.load_profile("tfc")

# All that native code is given lies between pages that nobody may touch (tests/guarded.py).
if os.environ.get("TFC_GUARD"):
    from tests import guarded

    guarded.install(os.environ["TFC_GUARD"])

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the seeds and recorded data, beside the checkout.

    Where it is absent the test is skipped; with TFC_REQUIRE_SHARED set it fails.
    """
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        message = "no folder `shared` beside the checkout"
        if os.environ.get("TFC_REQUIRE_SHARED"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def fresh_graph() -> Iterator[None]:
    """An empty default graph for the test, and another one after it."""
    import tfc as tf

    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite expected texts with actual ones")
