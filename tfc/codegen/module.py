"""A whole function after `buffers` -> one native entry function and its kernels.

`codegen/entry.py` writes the entry; here it is put together with its kernels, compiled and loaded.
Kernels that the process has are not compiled again.
"""

from __future__ import annotations

import hashlib
import time
import weakref
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tfc.base.options import options
from tfc.base.target import Target
from tfc.codegen import native
from tfc.codegen.entry import Assert, Entry
from tfc.codegen.kernels import CANCELLED
from tfc.codegen.profile import COUNTERS, Counters
from tfc.ir.core import Function

__all__ = ["CANCELLED", "Assert", "NativeCode", "ObjectStore", "compile_function"]

_libraries: weakref.WeakValueDictionary[str, native.Library] = weakref.WeakValueDictionary()
"""By kernel symbol: the library that holds it, while any function that uses it lives."""


class ObjectStore(Protocol):
    """Where machine code is kept between processes."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, code: bytes) -> None: ...


@dataclass
class NativeCode:
    """A compiled function. It is valid as long as this object lives.

    address: of the entry. llvm: LLVM's text of the entry and all its kernels. constants: the arrays
    of the last slots of the buffer table. asserts: by status. arena: bytes of temporary memory the
    entry needs, aligned. kernels: the symbol of each stage, in order. times: seconds by step.
    profile: with TFC_PROFILE, the ticks of each kernel.
    """

    address: int
    llvm: str
    constants: list[np.ndarray]
    asserts: dict[int, Assert]
    arena: int
    kernels: list[str]
    times: dict[str, float]
    target: Target
    compiled: int  # kernels that were not known in this process before
    libraries: list[native.Library] = field(repr=False, default_factory=list)
    profile: Counters | None = None

    @property
    def asm(self) -> str:
        """The machine code of all of it, as assembly."""
        return native.assembly(self.llvm, self.target)


def compile_function(
    fn: Function, target: Target, objects: ObjectStore | None = None
) -> NativeCode:
    """Compile and load `fn`, to which `buffers` has given places."""
    start = time.perf_counter()
    entry = Entry(fn, target, bool(options.profile))
    entry.write()
    times = {"emit_text": time.perf_counter() - start}
    # held until the end: the table is weak, and a session that dies meanwhile frees its kernels
    known = dict(_libraries)
    text, new = entry.module(known=known)
    key = hashlib.sha256((target.key + "\0" + text).encode()).hexdigest()
    code = objects.get(key) if objects is not None else None
    if code is None:
        code = native.compile_object(text, target, times)
        if objects is not None:
            objects.put(key, code)
    used = {name: known[name] for name in entry.stages if name not in new}
    imports = {name: library.addresses[name] for name, library in used.items()}
    counters = [COUNTERS] if entry.profile else []
    library = native.load(code, [entry.symbol, *counters, *new], imports, times)
    for name in new:
        _libraries[name] = library
    return NativeCode(
        address=library.addresses[entry.symbol],
        llvm=entry.module(known={})[0],
        constants=entry.constants,
        asserts=entry.asserts,
        arena=fn.attr("arena", 0),
        kernels=entry.order,
        times=times,
        target=target,
        compiled=len(new),
        libraries=[library, *{id(x): x for x in used.values()}.values()],
        profile=entry.profile.found(library.addresses[COUNTERS]) if entry.profile else None,
    )
