"""Python's collector of cyclic garbage, and when it is in the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Iterator[None]:
    """A stretch of work that makes many objects and keeps most of them. Collections in it, each of
    which walks all there is, would free little and take up to half of its time; what it leaves is
    collected afterwards, as ever. Where the program has switched the collector off, it stays off.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
