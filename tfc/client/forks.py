"""Sessions in a forked child, which has only the thread that forked.

What other threads were in the middle of does not go on there. A Session whose lock one of them held
may have half written variables: in the child it is closed, and says why.
"""

from __future__ import annotations

import os
import threading
import weakref

from tfc.client.state import VariableStore

_locks: weakref.WeakKeyDictionary[VariableStore, threading.RLock] = weakref.WeakKeyDictionary()


def follow(store: VariableStore, lock: threading.RLock) -> None:
    """Look after a Session's variables, which `lock` guards."""
    _locks[store] = lock


def _after_fork() -> None:
    for store, lock in list(_locks.items()):
        if lock.acquire(blocking=False):
            lock.release()
        else:
            lock._at_fork_reinit()  # type: ignore[attr-defined]
            store.close()
            store.was_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
