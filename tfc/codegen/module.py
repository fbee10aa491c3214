"""A whole function after `buffers` -> one native entry function and its kernels.

`codegen/entry.py` writes the entry; here it is put together with its kernels, compiled and loaded.
Kernels that the process has are not compiled again. What a module needs besides its machine code
(`Layout`) is plain data, so that another process can take up both (`reload`). A function may get a
first version, of machine code that is made fast, and be optimised later (`codegen/first.py`).
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field, replace
from typing import Any, Protocol

import numpy as np

from tfc.base.options import options
from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen import native
from tfc.codegen.entry import Assert, Entry
from tfc.codegen.first import Pending, Texts, fast_kernels
from tfc.codegen.kept import Kept
from tfc.codegen.kernels import CANCELLED
from tfc.codegen.profile import COUNTERS, Counters
from tfc.codegen.target import FAST, OPTIMISED
from tfc.ir.core import Function, Op
from tfc.runtime.cores import available_cores

__all__ = [
    "CANCELLED",
    "Assert",
    "Layout",
    "NativeCode",
    "ObjectStore",
    "compile_function",
    "optimise",
    "reload",
]

_libraries: weakref.WeakValueDictionary[str, native.Library] = weakref.WeakValueDictionary()
"""By kernel symbol: the library that holds it, while any function that uses it lives."""
_first_libraries: weakref.WeakValueDictionary[str, native.Library] = weakref.WeakValueDictionary()
"""The same of kernels that have been compiled fast."""

# Two modules instead of one cost 2 ms more of processor time, and LLVM takes about 1 ms for 1,300
# characters of text; measured on 2 cores, see `benchmarks/startup.py`.
LEAST_TEXT = 15_000  # characters of kernels in a module of their own
MOST_PARTS = 8
FAST_TEXT = 2  # how much more text LLVM takes at level FAST in the same time
CODE, FIRST_CODE = ".o", ".o0"  # how keys of machine code end; the latter's is a first version


def _living(
    libraries: weakref.WeakValueDictionary[str, native.Library],
) -> dict[str, native.Library]:
    """What a table holds now. Other threads write to it, and so may finalizers in between."""
    while True:
        try:
            return dict(libraries.items())
        except RuntimeError:  # it has changed its size
            continue


class ObjectStore(Protocol):
    """Where machine code is kept between processes."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, code: bytes) -> None: ...

    def remove(self, key: str) -> None: ...


@dataclass(frozen=True)
class Layout:
    """What there is to know of a module besides its machine code.

    keys: of the machine code in an ObjectStore. entry: the symbol of the entry. order: the symbol
    of each stage, in the order of the calls. defines: the kernels that the module holds; it takes
    those of `order` that are not among them from others. constants: the arrays of the last slots
    of the buffer table. asserts: by status. arena: bytes of temporary memory the entry needs,
    aligned. kept: the panels it keeps, in the order of their records in the buffer table.
    fast: those of the kernels it holds that have been compiled fast. foreign: the routines of
    LAPACK that kernels call.
    """

    keys: list[str]
    entry: str
    order: list[str]
    defines: list[str]
    constants: list[np.ndarray]
    asserts: dict[int, Assert]
    arena: int
    kept: list[Kept] = field(default_factory=list)
    fast: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@dataclass
class NativeCode:
    """A compiled function. It is valid as long as this object lives.

    address: of the entry. function: makes the function that was compiled. times: seconds by step.
    profile: with TFC_PROFILE, the ticks of each kernel. pending: of a first version, what there is
    to optimise; later: and the times of that, when it has been done.
    """

    address: int
    layout: Layout
    function: Callable[[], Function]
    times: dict[str, float]
    target: Target
    libraries: list[native.Library] = field(repr=False, default_factory=list)
    profile: Counters | None = None
    pending: Pending | None = field(repr=False, default=None)
    later: dict[str, float] = field(default_factory=dict)

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
    fn: Function,
    target: Target,
    objects: ObjectStore | None = None,
    ns: Callable[[Op], float] | None = None,
) -> NativeCode:
    """Compile and load `fn`, to which `buffers` has given places. `ns`, if given, says about how
    long a kernel takes, and the code may be a first version, which `optimise` makes whole."""
    start = time.perf_counter()
    entry = Entry(fn, target, bool(options.profile))
    entry.write()
    # held until the end: the tables are weak, and a session that dies meanwhile frees its kernels
    known, quick = _living(_libraries), _living(_first_libraries)
    new = [name for name in entry.stages if name not in known]
    fast = fast_kernels(entry, new, ns) if ns is not None else set()
    borrowed = [name for name in new if name in fast and name in quick]
    known.update((name, quick[name]) for name in borrowed)
    new = [name for name in new if name not in known]
    modules = _modules(entry, new, fast, known)
    times = {"emit_text": time.perf_counter() - start}
    _find_codes(modules, target, objects, times)
    hasty = [m for m in modules if m.level == FAST]
    layout = Layout(
        [m.key for m in modules],
        entry.symbol,
        entry.order,
        new,
        entry.constants,
        entry.asserts,
        fn.attr("arena", 0),
        entry.kept,
        [name for m in hasty for name in m.kernels],
        sorted(set().union(*(stage.foreign for stage in entry.stages.values()))),
    )
    codes = [m.code for m in modules]
    made = _loaded(layout, codes, known, lambda: fn, target, times, entry.profile is not None)
    if hasty or borrowed:
        kernels = {name: entry.kernels([name]) for name in borrowed}
        texts = Texts({m.key: m.text for m in hasty}, kernels)
        done = {m.key: m.code for m in modules if m.level != FAST}
        made.pending = Pending(lambda: texts, done)
    if entry.profile is not None:
        made.profile = entry.profile.found(made.libraries[0].addresses[COUNTERS])
    return made


@dataclass
class _Module:
    """A module to be compiled: its text, the kernels it defines, the level of code generation, and
    the key of the machine code; which is empty until it is made."""

    text: str
    kernels: list[str]
    level: int
    target: Target
    code: bytes = b""

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256(f"{self.target.key}\0{self.text}".encode()).hexdigest()

    @property
    def key(self) -> str:
        return self._digest + (FIRST_CODE if self.level == FAST else CODE)


def _modules(
    entry: Entry, new: Sequence[str], fast: Container[str], known: Mapping[str, Any]
) -> list[_Module]:
    """The entry and the kernels `new` as modules, those in `fast` apart from the others. The entry
    is in the first one, and runs through too few instructions to be worth more than its level."""
    hasty, others = [n for n in new if n in fast], [n for n in new if n not in fast]
    level = FAST if fast else OPTIMISED
    first, *parts = _parts(entry, hasty if fast else others, level)
    listed = [(part, level) for part in parts]
    if fast and others:
        listed += [(part, OPTIMISED) for part in _parts(entry, others, OPTIMISED)]
    apart = [name for part, _ in listed for name in part]
    text, defined = entry.module(known={*known, *apart})
    made = [_Module(text, defined, level, entry.target)]
    return made + [_Module(entry.kernels(p), p, of, entry.target) for p, of in listed]


def _parts(entry: Entry, names: Sequence[str], level: int) -> list[list[str]]:
    """The kernels of one or more modules, so that threads can compile them: each module gets about
    the same amount of text, and none a small one. There are more of them than threads: equal texts
    take unequal times."""
    sizes = {name: len(entry.stages[name].text) for name in names}
    least = LEAST_TEXT * (FAST_TEXT if level == FAST else 1)
    threads = options.threads or available_cores()
    most = min(MOST_PARTS, 2 * threads) if threads > 1 else 1
    count = min(sum(sizes.values()) // least, len(names), most)
    parts: list[list[str]] = [[] for _ in range(max(count, 1))]
    loads = [0] * len(parts)
    for name in sorted(names, key=lambda name: -sizes[name]):
        smallest = loads.index(min(loads))
        parts[smallest].append(name)
        loads[smallest] += sizes[name]
    return parts


def _find_codes(
    modules: Sequence[_Module],
    target: Target,
    objects: ObjectStore | None,
    times: dict[str, float],
) -> None:
    """Machine code of the modules; what the store does not hold is compiled, and put there. A
    module that is to be compiled fast, and is there optimised, is that."""
    for m in modules:
        m.code = _stored(m, objects)
    missing = [m for m in modules if not m.code]
    if not missing:
        return
    missing.sort(key=lambda m: -len(m.text) / (FAST_TEXT if m.level == FAST else 1))
    threads = options.threads or available_cores()
    levels = [m.level for m in missing]
    made = native.compile_objects([m.text for m in missing], target, times, threads, levels)
    for m, code in zip(missing, made, strict=True):
        m.code = code
        if objects is not None:
            objects.put(m.key, code)


def _stored(m: _Module, objects: ObjectStore | None) -> bytes:
    """The machine code of a module that the store holds; empty if it does not."""
    if objects is None:
        return b""
    if m.level == FAST:
        found = objects.get(optimised_key(m.key))
        if found is not None:
            m.level = OPTIMISED
            return found
    return objects.get(m.key) or b""


def optimised_key(key: str) -> str:
    """The key of the optimised machine code of a module, by that of its first version."""
    return key.removesuffix(FIRST_CODE) + CODE if key.endswith(FIRST_CODE) else key


def reload(
    layout: Layout,
    function: Callable[[], Function],
    target: Target,
    objects: ObjectStore,
    texts: Callable[[], Texts | None] | None = None,
) -> NativeCode | None:
    """What `compile_function` made of a function in another process; a first version, if `texts`
    gives what is to be optimised. None: its machine code, or a kernel of another module that it
    takes, is not there."""
    known = _living(_libraries)
    if texts is not None:
        known = {**_living(_first_libraries), **known}
    if not known.keys() >= set(layout.order) - set(layout.defines):
        return None
    codes = {key: objects.get(key) for key in layout.keys}
    whole = {key: code for key, code in codes.items() if code is not None}
    if len(whole) < len(codes):
        return None
    made = _loaded(layout, list(whole.values()), known, function, target, {})
    if texts is not None:
        done = {key: code for key, code in whole.items() if not key.endswith(FIRST_CODE)}
        made.pending = Pending(texts, done)
    return made


def optimise(
    code: NativeCode, objects: ObjectStore | None, compiling: Callable[[], AbstractContextManager]
) -> NativeCode | None:
    """A first version, optimised: it computes the same from the same buffers. Each module is
    compiled within a `compiling()`, which may raise to end it. None: the texts are lost."""
    pending = code.pending
    assert pending is not None
    texts, known, times = pending.texts(), _living(_libraries), dict[str, float]()
    if texts is None:
        return None
    kernels = {name: text for name, text in texts.kernels.items() if name not in known}
    codes = dict(pending.codes)
    for text in (*texts.modules.values(), *kernels.values()):
        with compiling():
            m = _Module(text, [], OPTIMISED, code.target)
            _find_codes([m], code.target, objects, times)
            codes[m.key] = m.code
    layout = replace(
        code.layout, keys=list(codes), defines=[*code.layout.defines, *kernels], fast=[]
    )
    for library in code.libraries[1:]:  # what it took from others, wherever that is now
        for name in library.addresses:
            known.setdefault(name, library)
    with compiling():
        made = _loaded(layout, list(codes.values()), known, code.function, code.target, times)
    _libraries.update(dict.fromkeys(layout.defines, made.libraries[0]))
    code.later = times
    return made


def _loaded(
    layout: Layout,
    codes: Sequence[bytes],
    known: Mapping[str, native.Library],
    function: Callable[[], Function],
    target: Target,
    times: dict[str, float],
    profiled: bool = False,
) -> NativeCode:
    used = {name: known[name] for name in dict.fromkeys(layout.order) if name not in layout.defines}
    imports = {name: library.addresses[name] for name, library in used.items()}
    if layout.foreign:
        from tfc.runtime import lapack

        imports.update(lapack.addresses(layout.foreign))
    counters = [COUNTERS] if profiled else []
    library = native.load(codes, [layout.entry, *counters, *layout.defines], imports, times)
    fast = set(layout.fast)
    for name in layout.defines:
        (_first_libraries if name in fast else _libraries).setdefault(name, library)
    libraries = [library, *{id(x): x for x in used.values()}.values()]
    address = library.addresses[layout.entry]
    return NativeCode(address, layout, function, times, target, libraries)
