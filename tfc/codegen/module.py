"""A whole function after `buffers` -> one native entry function and its kernels.

`codegen/entry.py` writes the entry; here it is put together with its kernels, compiled and loaded.
Kernels that the process has are not compiled again. What a module needs besides its machine code
(`Layout`) is plain data, so that another process can take up both (`reload`).
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Protocol

import numpy as np

from tfc.base.options import options
from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen import native
from tfc.codegen.entry import Assert, Entry
from tfc.codegen.kept import Kept
from tfc.codegen.kernels import CANCELLED
from tfc.codegen.profile import COUNTERS, Counters
from tfc.ir.core import Function
from tfc.runtime.cores import available_cores

__all__ = [
    "CANCELLED",
    "Assert",
    "Layout",
    "NativeCode",
    "ObjectStore",
    "compile_function",
    "reload",
]

_libraries: weakref.WeakValueDictionary[str, native.Library] = weakref.WeakValueDictionary()
"""By kernel symbol: the library that holds it, while any function that uses it lives."""

# Two modules instead of one cost 2 ms more of processor time, and LLVM takes about 1 ms for 1,300
# characters of text; measured on 2 cores, see `benchmarks/startup.py`.
LEAST_TEXT = 15_000  # characters of kernels in a module of their own
MOST_PARTS = 8


class ObjectStore(Protocol):
    """Where machine code is kept between processes."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, code: bytes) -> None: ...


@dataclass(frozen=True)
class Layout:
    """What there is to know of a module besides its machine code.

    keys: of the machine code in an ObjectStore. entry: the symbol of the entry. order: the symbol
    of each stage, in the order of the calls. defines: the kernels that the module holds; it takes
    those of `order` that are not among them from others. constants: the arrays of the last slots
    of the buffer table. asserts: by status. arena: bytes of temporary memory the entry needs,
    aligned. kept: the panels it keeps, in the order of their records in the buffer table.
    """

    keys: list[str]
    entry: str
    order: list[str]
    defines: list[str]
    constants: list[np.ndarray]
    asserts: dict[int, Assert]
    arena: int
    kept: list[Kept] = field(default_factory=list)


@dataclass
class NativeCode:
    """A compiled function. It is valid as long as this object lives.

    address: of the entry. function: makes the function that was compiled. times: seconds by step.
    profile: with TFC_PROFILE, the ticks of each kernel.
    """

    address: int
    layout: Layout
    function: Callable[[], Function]
    times: dict[str, float]
    target: Target
    libraries: list[native.Library] = field(repr=False, default_factory=list)
    profile: Counters | None = None

    @property
    def constants(self) -> list[np.ndarray]:
        return self.layout.constants

    @property
    def asserts(self) -> dict[int, Assert]:
        return self.layout.asserts

    @property
    def arena(self) -> int:
        return self.layout.arena

    @property
    def kernels(self) -> list[str]:
        """The symbol of each stage, in the order of the calls."""
        return self.layout.order

    @property
    def compiled(self) -> int:
        """Kernels that were not known in this process before."""
        return len(self.layout.defines)

    @property
    def llvm(self) -> str:
        """LLVM's text of the entry and all its kernels."""
        entry = Entry(self.function(), self.target)
        entry.write()
        return entry.module(known={})[0]

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
    # held until the end: the table is weak, and a session that dies meanwhile frees its kernels
    known = dict(_libraries)
    new = [name for name in entry.stages if name not in known]
    apart = [name for part in _apart(entry, new) for name in part]
    text, _ = entry.module(known={*known, *apart})
    texts = [text, *(entry.kernels(part) for part in _apart(entry, new))]
    keys = [hashlib.sha256(f"{target.key}\0{t}".encode()).hexdigest() + ".o" for t in texts]
    times = {"emit_text": time.perf_counter() - start}
    codes = _codes(texts, keys, target, objects, times)
    layout = Layout(
        keys,
        entry.symbol,
        entry.order,
        new,
        entry.constants,
        entry.asserts,
        fn.attr("arena", 0),
        entry.kept,
    )
    made = _loaded(layout, codes, known, lambda: fn, target, times, entry.profile is not None)
    if entry.profile is not None:
        made.profile = entry.profile.found(made.libraries[0].addresses[COUNTERS])
    return made


def _apart(entry: Entry, names: Sequence[str]) -> list[list[str]]:
    """Kernels for modules besides the entry's, so that threads can compile them: of all that is
    to be compiled, each module gets about the same amount of text, and none a small one. There
    are more of them than threads: equal texts take unequal times."""
    sizes = {name: len(entry.stages[name].text) for name in names}
    threads = options.threads or available_cores()
    most = min(MOST_PARTS, 2 * threads) if threads > 1 else 1
    count = min(sum(sizes.values()) // LEAST_TEXT, len(names), most)
    parts: list[list[str]] = [[] for _ in range(max(count, 1))]
    loads = [0] * len(parts)
    for name in sorted(names, key=lambda name: -sizes[name]):
        least = loads.index(min(loads))
        parts[least].append(name)
        loads[least] += sizes[name]
    return parts[1:]


def _codes(
    texts: Sequence[str],
    keys: Sequence[str],
    target: Target,
    objects: ObjectStore | None,
    times: dict[str, float],
) -> list[bytes]:
    """Machine code of the texts; what the store does not hold is compiled, and put there."""
    found = [objects.get(key) if objects is not None else None for key in keys]
    missing = [n for n, code in enumerate(found) if code is None]
    made = []
    if missing:
        threads = options.threads or available_cores()
        made = native.compile_objects([texts[n] for n in missing], target, times, threads)
    for n, code in zip(missing, made, strict=True):
        found[n] = code
        if objects is not None:
            objects.put(keys[n], code)
    return [code for code in found if code is not None]


def reload(
    layout: Layout, function: Callable[[], Function], target: Target, objects: ObjectStore
) -> NativeCode | None:
    """What `compile_function` made of a function in another process. None: its machine code, or a
    kernel of another module that it takes, is not there."""
    known = dict(_libraries)
    if not known.keys() >= set(layout.order) - set(layout.defines):
        return None
    codes = [objects.get(key) for key in layout.keys]
    whole = [code for code in codes if code is not None]
    if len(whole) < len(codes):
        return None
    return _loaded(layout, whole, known, function, target, {})


def _loaded(
    layout: Layout,
    codes: Sequence[bytes],
    known: dict[str, native.Library],
    function: Callable[[], Function],
    target: Target,
    times: dict[str, float],
    profiled: bool = False,
) -> NativeCode:
    used = {name: known[name] for name in dict.fromkeys(layout.order) if name not in layout.defines}
    imports = {name: library.addresses[name] for name, library in used.items()}
    counters = [COUNTERS] if profiled else []
    library = native.load(codes, [layout.entry, *counters, *layout.defines], imports, times)
    for name in layout.defines:
        _libraries.setdefault(name, library)
    libraries = [library, *{id(x): x for x in used.values()}.values()]
    address = library.addresses[layout.entry]
    return NativeCode(address, layout, function, times, target, libraries)
