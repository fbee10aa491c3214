"""LLVM text -> machine code -> a loaded library.

Kernels are written so that they need no optimising: the text goes straight to instruction
selection. We emit the object ourselves and hand it to LLJIT, which only links and loads it.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from tfc.base.target import Target
from tfc.codegen.target import initialize, machine

_library_numbers = itertools.count()
_lljit: Any = None
_one_caller = threading.Lock()


@dataclass(frozen=True)
class Library:
    """Loaded code. It stays loaded as long as this object lives."""

    addresses: dict[str, int]
    tracker: Any


def compile_object(text: str, target: Target, times: dict[str, float]) -> bytes:
    """The object file of a module's text. Raises RuntimeError on malformed text."""
    return compile_objects([text], target, times)[0]


def compile_objects(texts: Sequence[str], target: Target, times: dict[str, float]) -> list[bytes]:
    """The object files of several modules' texts, made at the same time, each by a thread."""
    start = time.perf_counter()
    with ExitStack() as stack:
        modules = [stack.enter_context(_parsed(text, target)) for text in texts]
        parsed = time.perf_counter()
        with _one_caller:  # target machines are no thread's own
            codes = _emitted(modules, target)
    times["parse"] = times.get("parse", 0.0) + parsed - start
    times["emit"] = times.get("emit", 0.0) + time.perf_counter() - parsed
    return codes


def _emitted(modules: Sequence[Any], target: Target) -> list[bytes]:
    codes: list[bytes | BaseException] = [b""] * len(modules)
    initialize()
    machines = [machine(target, number) for number in range(len(modules))]

    def emit(number: int) -> None:
        try:
            codes[number] = _emit(machines[number], modules[number])
        except BaseException as error:  # the caller's to raise
            codes[number] = error

    threads = []
    try:
        for number in range(1, len(modules)):
            thread = threading.Thread(target=emit, args=(number,))
            try:
                thread.start()
            except RuntimeError:  # no more threads are to be had
                emit(number)
            else:
                threads.append(thread)
        emit(0)
    finally:
        _join(threads)
    whole: list[bytes] = []
    for code in codes:
        if isinstance(code, BaseException):
            raise code
        whole.append(code)
    return whole


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
def _parsed(text: str, target: Target) -> Iterator[Any]:
    """The module that `text` describes, in a context of its own: what LLVM keeps per context goes
    with it. Raises RuntimeError on malformed text."""
    initialize()
    data = machine(target).target_data
    head = f'target triple = "{target.triple}"\ntarget datalayout = "{data}"\n'
    with llvm.create_context() as context, llvm.parse_assembly(head + text, context) as module:
        yield module


def assembly(text: str, target: Target) -> str:
    """The machine code of a module's text, to read."""
    with _parsed(text, target) as module, _one_caller:
        code: str = machine(target).emit_assembly(module)
    return code


def load(
    object_codes: Sequence[bytes],
    exports: Iterable[str],
    imports: dict[str, int],
    times: dict[str, float] | None = None,
) -> Library:
    """Link objects with each other, with symbols at known addresses and those of the C library."""
    global _lljit
    start = time.perf_counter()
    if _lljit is None:
        initialize()
        _lljit = llvm.create_lljit_compiler()
    builder = llvm.JITLibraryBuilder().add_current_process()
    for code in object_codes:
        builder.add_object_img(code)
    exports = list(exports)
    for name in exports:
        builder.export_symbol(name)
    for name, address in imports.items():
        builder.import_symbol(name, address)
    tracker = builder.link(_lljit, f"tfc{next(_library_numbers)}")
    times = times if times is not None else {}
    times["load"] = times.get("load", 0.0) + time.perf_counter() - start
    return Library({name: tracker[name] for name in exports}, tracker)
