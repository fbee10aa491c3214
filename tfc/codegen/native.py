"""LLVM text -> machine code -> a loaded library.

Kernels are written so that they need no optimising: the text goes straight to instruction
selection. We emit the object ourselves and hand it to LLJIT, which only links and loads it. It does
so with JITLink: all sections of an object lie in one piece of memory, so that code reaches its
constants. LLVM's older linker maps each section where the system has room, and ends the process if
that is 2 GB away.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite.binding import ffi

from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.codegen.inside_llvm import InsideLLVM, gate
from tfc.codegen.target import OPTIMISED, initialize, new_machine

_library_numbers = itertools.count()
_lljit: Any = None
LIBRARIES = 64  # that one LLJIT links
"""LLJIT unloads a library's code, but keeps 8 KB and its name as long as it lives itself. It goes
with the last of its libraries that is in use; making one takes as long as linking four of them."""
_idle: dict[tuple[Target, int], list[Any]] = {}


@dataclass(frozen=True)
class Library:
    """Loaded code. It stays loaded as long as this object lives.

    code: the memory goes with this array, not with the object itself. While a `__del__` of that
    ran, a WeakValueDictionary would still give it to other threads; and of what is garbage, the
    collector calls each `__del__`, and what waits for the object's end, before finalizers of the
    program that may run the code. An array goes when nothing can reach it.
    """

    addresses: dict[str, int]
    code: np.ndarray


def _unload(tracker: Any) -> None:
    """Free the code of a library that is gone."""
    with InsideLLVM(raises=False), ffi.OutputString() as message:
        if ffi.lib.LLVMPY_LLJIT_Dylib_Tracker_Dispose(tracker, message):
            raise RuntimeError(str(message))


def compile_object(
    text: str, target: Target, times: dict[str, float], level: int = OPTIMISED
) -> bytes:
    """The object file of a module's text. Raises RuntimeError on malformed text."""
    return compile_objects([text], target, times, 1, [level])[0]


def compile_objects(
    texts: Sequence[str],
    target: Target,
    times: dict[str, float],
    most_threads: int = 64,
    levels: Sequence[int] | None = None,
) -> list[bytes]:
    """The object files of several modules' texts, each at its level of code generation, OPTIMISED
    if none are given. Each thread begins with one, and takes the next when it is done. To `times`
    is added the time that passes, by what the threads did in it."""
    start = time.perf_counter()
    work = _Work(texts, target, levels or [OPTIMISED] * len(texts))
    threads = []
    if gate.is_closed:
        most_threads = 1  # the process ends: others are not let in
    try:
        for number in range(1, min(len(texts), most_threads)):
            thread = threading.Thread(target=work.run, args=(work.next(),))
            try:
                thread.start()
            except RuntimeError:  # no more threads are to be had
                work.waiting.appendleft(number)
                break
            threads.append(thread)
        work.run(0)
    finally:
        work.waiting.clear()
        _join(threads)
    if work.errors:
        raise work.errors.pop(0)
    passed = (time.perf_counter() - start) / sum(work.seconds.values())
    for what, seconds in work.seconds.items():
        times[what] = times.get(what, 0.0) + seconds * passed
    return work.codes


class _Work:
    """Modules that threads compile. seconds: what they took, all threads together."""

    def __init__(self, texts: Sequence[str], target: Target, levels: Sequence[int]):
        self.texts, self.target, self.levels = texts, target, levels
        self.codes = [b""] * len(texts)
        self.waiting = deque(range(1, len(texts)))
        self.errors: list[BaseException] = []
        self.seconds = {"parse": 0.0, "emit": 0.0}

    def next(self) -> int | None:
        """A module that nobody has begun with."""
        try:
            return self.waiting.popleft()
        except IndexError:
            return None

    def run(self, number: int | None) -> None:
        """Compile that module, then others, to the end or the first error."""
        try:
            while number is not None and not self.errors:
                with InsideLLVM():  # around all that the objects of llvmlite live
                    self._compile(number)
                number = self.next()
        except BaseException as error:  # the caller's to raise
            self.errors.append(error)

    def _compile(self, number: int) -> None:
        start = time.perf_counter()
        level = self.levels[number]
        with (
            _parsed(self.texts[number], self.target, level) as module,
            _idle_machine(self.target, level) as own,
        ):
            parsed = time.perf_counter()
            self.codes[number] = _emit(own, module)
        self.seconds["parse"] += parsed - start
        self.seconds["emit"] += time.perf_counter() - parsed


@contextmanager
def _idle_machine(target: Target, level: int = OPTIMISED) -> Iterator[Any]:
    """A target machine that no other thread uses meanwhile."""
    idle = _idle.setdefault((target, level), [])
    try:
        own = idle.pop()
    except IndexError:
        own = new_machine(target, level)
    yield own
    idle.append(own)


def _join(threads: Sequence[threading.Thread]) -> None:
    """Wait for the end of all threads, which read what the caller is about to free. What comes in
    between, such as Ctrl-C, is raised afterwards."""
    interruption: BaseException | None = None
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except BaseException as error:
                interruption = error
    if interruption is not None:
        raise interruption


def _emit(machine: Any, module: Any) -> bytes:
    """`machine.emit_object(module)`, while other threads emit modules of other contexts.

    llvmlite holds one lock around every call into LLVM. Nothing here is shared between threads but
    what LLVM itself guards, so this one call, nearly all of the time, is made without the lock.
    """
    emit = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    with ffi.OutputString() as message:
        buffer = getattr(emit, "_cfn", emit)(machine, module, 1, message)
        if not buffer:
            raise RuntimeError(str(message))
    try:
        start = ffi.lib.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


@contextmanager
def _parsed(text: str, target: Target, level: int = OPTIMISED) -> Iterator[Any]:
    """The module that `text` describes, in a context of its own: what LLVM keeps per context goes
    with it. Raises RuntimeError on malformed text."""
    initialize()
    with _idle_machine(target, level) as own:
        data = own.target_data
    head = f'target triple = "{target.triple}"\ntarget datalayout = "{data}"\n'
    with llvm.create_context() as context, llvm.parse_assembly(head + text, context) as module:
        yield module


def assembly(text: str, target: Target) -> str:
    """The machine code of a module's text, to read."""
    with InsideLLVM(), _parsed(text, target) as module, _idle_machine(target) as own:
        code: str = own.emit_assembly(module)
    return code


def load(
    object_codes: Sequence[bytes],
    exports: Iterable[str],
    imports: dict[str, int],
    times: dict[str, float] | None = None,
) -> Library:
    """Link objects with each other, with symbols at known addresses and those of the C library."""
    start = time.perf_counter()
    with InsideLLVM():
        library = _linked(object_codes, list(exports), imports)
    times = times if times is not None else {}
    times["load"] = times.get("load", 0.0) + time.perf_counter() - start
    return library


def _linked(
    object_codes: Sequence[bytes], exports: Sequence[str], imports: dict[str, int]
) -> Library:
    global _lljit
    number = next(_library_numbers)
    if _lljit is None or number % LIBRARIES == 0:
        initialize()
        _lljit = llvm.create_lljit_compiler(use_jit_link=True)
    builder = llvm.JITLibraryBuilder().add_current_process()
    for code in object_codes:
        builder.add_object_img(code)
    for name in exports:
        builder.export_symbol(name)
    for name, address in imports.items():
        builder.import_symbol(name, address)
    tracker = builder.link(_lljit, f"tfc{number}")
    library = Library({name: tracker[name] for name in exports}, np.empty(0, np.bool_))
    # LLVM's pointer: an object of llvmlite might be finalized before this one is.
    weakref.finalize(library.code, _unload, tracker._ptr).atexit = False
    tracker.detach()
    return library
