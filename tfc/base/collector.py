"""Python's collector of cyclic garbage, and when it is in the way."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FEW = 1000  # objects set aside by Python 3.12 itself; a program that does it has more
_MARK = object()
_since: list[object] = []  # made, with the mark in it, when objects were set aside
_running: set[tuple[int, object]] = set()  # thread and mark of each stretch of work


@contextmanager
def no_collections() -> Iterator[None]:
    """A stretch of work that makes many objects and keeps most of them, or where no finalizer may
    run. Collections in it, each of which walks all there is, would free little and take up to half
    of its time; what it leaves is collected afterwards, as ever. Where the program has switched the
    collector off, it stays off.
    """
    if not gc.isenabled() and not _running:
        yield
        return
    me = threading.get_ident(), object()
    try:
        _running.add(me)
        gc.disable()
        yield
    finally:
        try:
            _running.discard(me)  # Ctrl-C may come behind any call
        finally:
            if not _running:
                gc.enable()


def _after_fork() -> None:
    """In a child the stretches of other threads do not end: they are over."""
    gone = {mark for mark in _running if mark[0] != threading.get_ident()}
    _running.difference_update(gone)
    if gone and not _running:
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def kept_to_the_end() -> Iterator[None]:
    """A stretch of work, such as imports, whose objects last as long as the process.

    They are set aside: small collections do not pass them on from generation to generation, and
    the end of the process, which walks all objects three times, does not look for garbage in them,
    nor in what was there before. The next full collection of the running program sees all of it
    again, so nothing is lost for good. Where the program has set objects aside, nothing is done.
    """
    global _since
    with no_collections():
        yield
        if gc.get_freeze_count() < FEW:
            gc.freeze()
            _since = [_MARK]
            gc.callbacks.append(_at_collection)


def _at_collection(phase: str, info: dict[str, Any]) -> None:
    """Takes back what was set aside before a full collection, unless the program has set more aside
    since: then Python does not find our list either. (To count what is set aside takes 5 ms.) Stays
    in the list of callbacks, which Python goes through just now."""
    global _since
    if _since and phase == "start" and info["generation"] == 2 and not sys.is_finalizing():
        if any(referrer is _since for referrer in gc.get_referrers(_MARK)):
            gc.unfreeze()
        _since = []
