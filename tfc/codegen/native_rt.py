"""The native half of the runtime, emitted as LLVM IR: the thread pool behind `parallel_for`.

`i32 parallel_for(ptr ctx, ptr kernel, ptr args, i64 chunks)` runs chunks [0, chunks) of a kernel
`i32 k(ptr ctx, ptr args, i64 lo, i64 hi, i64 room)` and returns 0, or the status of the lowest
chunk that failed, with the error record that this chunk alone would have left. Each thread has the
same range of chunks of every job with as many, so that what one kernel leaves in a core's cache the
next one finds there; a thread that comes to its end takes from the others'. What a chunk is was
fixed before, so results do not depend on who runs it. A negative number of chunks is a *light* job:
not worth waking a thread that sleeps; the caller then runs it alone.

One job runs at a time: a caller that finds the pool busy (a second Python thread, or a kernel that
is itself a chunk) runs its chunks itself. The calling thread takes part and waits for the others by
spinning for a while and then sleeping on a futex; idle workers do the same. Where other programs
use the cores too, workers let them, between chunks (`crowd_text.py`). Workers are created by the
first parallel job, block all signals, and live as long as the process; in a forked child `reset`
forgets them and the next job makes new ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections.abc import Iterator

from tfc.base.options import options
from tfc.base.target import Target
from tfc.codegen import native
from tfc.codegen.module import CODE, FIRST_CODE, ObjectStore
from tfc.codegen.pool_text import runtime_text
from tfc.codegen.target import FAST, OPTIMISED, host
from tfc.runtime import cores, pool

MOST_THREADS = max(8, cores.visible_cores())
_OTHERS = ("set_spins", "workers", "reset", "is_crowded", "leave")
_lock = threading.Lock()
_loaded: list[native.Library] = []  # workers run this code until the process ends
_pools: list[pool.Pool] = []
_made: list[bytes] = []  # the pool's machine code, until it is loaded


@contextlib.contextmanager
def compiled_beside(objects: ObjectStore | None) -> Iterator[None]:
    """Another thread makes the pool's machine code while the block runs, if nobody has it yet and
    there is a core for it. The thread ends with the block."""
    thread = None
    if not _pools and not _made and (options.threads or cores.available_cores()) > 1:
        key = _key(_pool_text(), host())
        if objects is None or objects.get(key) is None:
            thread = threading.Thread(target=_compile_ahead)
            try:
                thread.start()
            except RuntimeError:  # no more threads are to be had
                thread = None
    try:
        yield
    finally:
        if thread is not None:
            thread.join()


def _compile_ahead() -> None:
    with contextlib.suppress(Exception):  # who needs the pool tries again, and raises it
        _made.append(native.compile_object(_pool_text(), host(), {}))


def the_pool(objects: ObjectStore | None = None) -> pool.Pool:
    """The process's pool, made on first use, which waits as TFC_WAIT says; `objects` may hold its
    machine code."""
    if not _pools:
        made = _make_pool(objects)  # not under a lock: what runs meanwhile may ask for it too
        with _lock:
            if not _pools:
                _pools.append(made)
    return _pools[0]


def _make_pool(objects: ObjectStore | None) -> pool.Pool:
    try:
        code = _made.pop()
    except IndexError:
        code = object_code(_pool_text(), host(), objects)
    else:
        if objects:
            objects.put(_key(_pool_text(), host()), code)
    names = [f"parallel_for_{n}" for n in range(1, MOST_THREADS + 1)]
    library = native.load([code], [*names, *_OTHERS], {})
    _loaded.append(library)
    return pool.Pool(library.addresses, options.wait)


def _pool_text() -> str:
    machine = host().triple.partition("-")[0].replace("arm64", "aarch64")
    return runtime_text(machine, sys.platform, MOST_THREADS)


def _key(text: str, target: Target, level: int = OPTIMISED) -> str:
    digest = hashlib.sha256((target.key + "\0" + text).encode()).hexdigest()
    return digest + (FIRST_CODE if level == FAST else CODE)


def object_code(
    text: str, target: Target, objects: ObjectStore | None, level: int = OPTIMISED
) -> bytes:
    """The object file of a module's text, from `objects` if it is there."""
    key = _key(text, target, level)
    code = objects.get(key) if objects else None
    if code is None:
        code = native.compile_object(text, target, {}, level)
        if objects:
            objects.put(key, code)
    return code


def is_stored(text: str, target: Target, objects: ObjectStore | None) -> bool:
    """Whether the optimised object file of a module's text is in `objects`."""
    return objects is not None and objects.get(_key(text, target)) is not None


def forget_first(text: str, target: Target, objects: ObjectStore | None) -> None:
    """Delete the first version of a module, now that there is a better one."""
    if objects is not None:
        objects.remove(_key(text, target, FAST))


def parallel_for_address(threads: int) -> int:
    """Address of the `parallel_for` for sessions that use `threads` threads (1: all inline)."""
    return the_pool().address(threads)
