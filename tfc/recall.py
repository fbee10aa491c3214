"""Compilations of other processes: what the pipeline and the code generator made of a function,
stored under a digest of all it was made from.

In: the function that `lower` made, the options and the target. What is stored is plain data (which
buffers are donated, how much memory is needed, the texts of asserts, constants) and the key of the
machine code. The digest covers the function op for op with its constants, the options, the target,
the versions of LLVM and numpy, and the files of the compiler itself: another compiler, another key.

A first version (`codegen/first.py`) is stored under a key of its own, with the texts that are to be
optimised beside it. When that has been done, in whatever process, the optimised version is stored,
and then the first one deleted; who looks for a compilation asks for the optimised one first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tfc.base import dtypes
from tfc.base.options import options as process_options
from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.cache import DiskCache
from tfc.codegen import module
from tfc.codegen.first import Texts
from tfc.codegen.kept import Kept
from tfc.codegen.target import llvm_version
from tfc.ir.core import Function, Type
from tfc.ir.structure import function_digest
from tfc.passes.options import PassOptions
from tfc.version import VERSION

COMPILER = ("base", "codegen", "ir", "passes", "prims", "runtime")
MOST_BYTES = 1 << 20  # of constants: larger ones are quicker made than read
RUN, FIRST_RUN = ".run", ".run0"  # how keys of compilations end; the latter's are first versions
TEXTS = ".ll0"  # of what is to be optimised of a first version


@dataclass(frozen=True)
class Compiled:
    """The outcome of a compilation: the code, result -> parameter whose buffer it is written to,
    whether it loops, and about how long a run takes but for loops."""

    code: module.NativeCode
    donated: dict[int, int]
    has_loops: bool
    ns: float


def key_of(fn: Function, how: str, options: PassOptions, target: Target) -> str | None:
    """The key of what the pipeline, run as `how` says, makes of `fn`. None: not to be stored,
    because running the passes is what is asked for."""
    observed = options.check or options.hooks or process_options.profile
    if observed or options.fuel is not None:
        return None
    digest = function_digest(
        fn,
        how,
        VERSION,
        llvm_version(),
        np.__version__,
        OWN_FILES,
        repr(target),
        repr((options.level, options.passes, options.shuffle)),
    )
    return digest + RUN


def _files() -> str:
    """A digest of names, sizes and times of the compiler's own files."""
    package = Path(__file__).parent
    found = []
    folders = [package / name for name in COMPILER]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    state = entry.stat()
                    found.append((entry.path, state.st_size, state.st_mtime_ns))
                elif entry.is_dir() and not entry.name.startswith("_"):
                    folders.append(Path(entry.path))
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()


OWN_FILES = _files()  # now, when they are read: later they may be others


def store(key: str, compiled: Compiled, cache: DiskCache) -> None:
    """Keep a compilation."""
    layout = compiled.code.layout
    if sum(c.nbytes for c in layout.constants) > MOST_BYTES:
        return
    asserts = {
        status: [a.code, a.message, a.op, [[t.dtype, t.shape] for t in a.payload]]
        for status, a in layout.asserts.items()
    }
    constants = [[dtypes.short_of(c.dtype), c.shape] for c in layout.constants]
    plain = {
        **{k: v for k, v in asdict(layout).items() if k not in ("constants", "asserts")},
        "asserts": asserts,
        "constants": constants,
        "donated": list(compiled.donated.items()),
        "has_loops": compiled.has_loops,
        "ns": compiled.ns,
    }
    head = json.dumps(plain).encode()
    body = b"".join(c.tobytes() for c in layout.constants)
    pending = compiled.code.pending
    if pending is not None:
        texts = pending.texts()
        if texts is None:
            return
        cache.put(_like(key, TEXTS), texts.as_bytes())  # before what needs it
        key = _like(key, FIRST_RUN)
    cache.put(key, len(head).to_bytes(8, "little") + head + body)


def replace_first(key: str, first: Compiled, optimised: Compiled, cache: DiskCache) -> None:
    """Keep an optimised compilation, and no longer its first version."""
    store(key, optimised, cache)
    forget_first(key, first, cache)


def forget_first(key: str, first: Compiled, cache: DiskCache) -> None:
    """Delete what is stored of a first version."""
    hasty = [k for k in first.code.layout.keys if module.optimised_key(k) != k]
    for gone in (_like(key, FIRST_RUN), _like(key, TEXTS), *hasty):
        cache.remove(gone)


def _like(key: str, ending: str) -> str:
    return key.removesuffix(RUN) + ending


def load(
    key: str, function: Callable[[], Function], target: Target, cache: DiskCache, first: bool
) -> Compiled | None:
    """The compilation stored under `key`, its first version too if `first`; `function` makes the
    function that was compiled, for those who want to see it. None if it is not there, or not all
    of it."""
    content = cache.get(key)
    if content is not None:
        return _made_of(content, function, target, cache, None)
    content = cache.get(_like(key, FIRST_RUN)) if first else None
    if content is None:
        return None

    def texts() -> Texts | None:
        stored = cache.get(_like(key, TEXTS))
        return None if stored is None else Texts.of(stored)

    return _made_of(content, function, target, cache, texts)


def _made_of(
    content: bytes,
    function: Callable[[], Function],
    target: Target,
    cache: DiskCache,
    texts: Callable[[], Texts | None] | None,
) -> Compiled | None:
    """What was stored as `content`."""
    end = 8 + int.from_bytes(content[:8], "little")
    plain = json.loads(content[8:end])
    constants = []
    for short, shape in plain["constants"]:
        type = Type(short, tuple(shape))
        flat = np.frombuffer(content, dtypes.numpy_dtype(short), type.size, end)
        constants.append(flat.reshape(type.shape).copy())
        end += type.nbytes
    asserts = {
        int(status): module.Assert(code, message, op, tuple(Type(d, tuple(s)) for d, s in payload))
        for status, (code, message, op, payload) in plain["asserts"].items()
    }
    layout = module.Layout(
        plain["keys"],
        plain["entry"],
        plain["order"],
        plain["defines"],
        constants,
        asserts,
        plain["arena"],
        [Kept(**kept) for kept in plain["kept"]],
        plain["fast"],
        plain["foreign"],
    )
    code = module.reload(layout, function, target, cache, texts)
    if code is None:
        return None
    return Compiled(code, dict(plain["donated"]), plain["has_loops"], plain["ns"])
