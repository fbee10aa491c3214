"""Machine code made by several threads: the same as by one, whole or not at all."""

from __future__ import annotations

import _thread
import ctypes
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

from tests.codegen.run import Running, place
from tfc import prims as p
from tfc.base.options import options
from tfc.codegen import module, native, native_rt
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type


def text(name: str, value: int) -> str:
    return f"define i32 @{name}() {{\nret i32 {value}\n}}\n"


def test_several_modules_at_once_are_what_each_is_alone() -> None:
    texts = [text(f"f{n}", n) for n in range(4)]
    times: dict[str, float] = {}
    together = native.compile_objects(texts, host(), times)
    assert together == [native.compile_object(t, host(), {}) for t in texts]
    assert set(times) == {"parse", "emit"}
    library = native.load(together, [f"f{n}" for n in range(4)], {})
    for n in range(4):
        assert ctypes.CFUNCTYPE(ctypes.c_int32)(library.addresses[f"f{n}"])() == n


def test_malformed_text_is_an_error_wherever_it_stands() -> None:
    for texts in (["nonsense", text("f", 1)], [text("f", 1), "nonsense"]):
        with pytest.raises(RuntimeError, match="parsing error"):
            native.compile_objects(texts, host(), {})
    assert native.compile_object(text("f", 1), host(), {})


def test_what_fails_in_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = native._emit

    def failing(machine: Any, module: Any) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("no code")
        return emit(machine, module)

    monkeypatch.setattr(native, "_emit", failing)
    with pytest.raises(RuntimeError, match="no code"):
        native.compile_objects([text("f", 1), text("g", 2)], host(), {})
    monkeypatch.undo()
    assert native.compile_objects([text("f", 1), text("g", 2)], host(), {})


def test_without_threads_it_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text("f", 1), text("g", 2)]
    expected = native.compile_objects(texts, host(), {})

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert native.compile_objects(texts, host(), {}) == expected


def test_ctrl_c_waits_for_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    emit, ended = native._emit, []

    def slow(machine: Any, module: Any) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
            _thread.interrupt_main()
            time.sleep(0.2)
            ended.append(1)
        return emit(machine, module)

    monkeypatch.setattr(native, "_emit", slow)
    with pytest.raises(KeyboardInterrupt):
        native.compile_objects([text("f", 1), text("g", 2)], host(), {})
    assert ended


def test_threads_compile_at_the_same_time() -> None:
    found: list[bytes] = []

    def work() -> None:
        for _ in range(5):
            found.extend(native.compile_objects([text("f", 1), text("g", 2)], host(), {}))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40 and len(set(found)) == 2


def several(extent: int) -> Function:
    """A function of five kernels that differ."""
    b = Builder("f")
    x = b.param(Type("f32", (extent,)))
    made = [p.neg(b, x), p.exp(b, x), p.tanh(b, x), p.log1p(b, x), p.sqrt(b, x)]
    return place(b.finish(made))


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_large_functions_are_several_modules(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "threads", threads)
    x = np.linspace(0.1, 0.9, 37 + threads, dtype="f")
    whole = Running(several(x.size))
    assert len(whole.code.layout.keys) == 1
    expected = [y.tobytes() for y in whole(x)]
    monkeypatch.setattr(module, "_libraries", {})  # as if nothing had been compiled
    monkeypatch.setattr(module, "LEAST_TEXT", 100)
    split = Running(several(x.size))
    parts = 1 if threads == 1 else min(2 * threads, module.MOST_PARTS, 5)
    assert len(split.code.layout.keys) == parts
    assert split.code.layout.defines == whole.code.layout.defines
    assert [y.tobytes() for y in split(x)] == expected
    again = Running(several(x.size))  # takes the kernels of all parts
    assert again.code.compiled == 0 and [y.tobytes() for y in again(x)] == expected


def test_more_modules_than_threads() -> None:
    texts = [text(f"f{n}", n) for n in range(9)]
    expected = [native.compile_object(t, host(), {}) for t in texts]
    for threads in (1, 2, 64):
        assert native.compile_objects(texts, host(), {}, threads) == expected
    with pytest.raises(RuntimeError, match="parsing error"):
        native.compile_objects([*texts, "nonsense"], host(), {}, 2)


def fresh_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_pools", "_made"):  # what is loaded stays so: forks call it
        monkeypatch.setattr(native_rt, name, [])
    monkeypatch.setattr(options, "threads", 2)


def test_the_pool_is_compiled_beside_the_first_function(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh_pool(monkeypatch)
    before, kept = threading.active_count(), {}

    class Store:
        get, put = kept.get, kept.__setitem__

    with native_rt.compiled_beside(Store()):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before and len(native_rt._made) == 1
    assert native_rt.the_pool(Store()).address(2)
    assert not native_rt._made and len(kept) == 1
    monkeypatch.setattr(native_rt, "_pools", [])
    with native_rt.compiled_beside(Store()):  # the store has it
        assert threading.active_count() == before


def test_a_pool_that_was_not_compiled_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh_pool(monkeypatch)
    compile_object = native.compile_object

    def failing(*given: Any) -> bytes:
        raise RuntimeError("no code")

    monkeypatch.setattr(native, "compile_object", failing)
    with native_rt.compiled_beside(None):
        pass
    with pytest.raises(RuntimeError, match="no code"):
        native_rt.the_pool()
    monkeypatch.setattr(native, "compile_object", compile_object)
    assert native_rt.the_pool().address(1)


def used_memory() -> int:
    """Bytes that malloc has given out; LLVM's are among them."""

    class Info(ctypes.Structure):
        _fields_ = tuple(
            (name, ctypes.c_size_t)
            for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                         "uordblks", "fordblks", "keepcost")
        )  # fmt: skip

    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        pytest.skip("the C library does not say")
    function.restype = Info
    found: int = function().uordblks
    return found


def test_libraries_that_are_gone_leave_nothing() -> None:
    codes = [native.compile_object(text("f", 1), host(), {})]
    before = 0
    for number in range(5 * native.LIBRARIES):
        if number == native.LIBRARIES:
            before = used_memory()
        native.load(codes, ["f"], {})
    assert used_memory() - before < 2 * native.LIBRARIES * 8000  # of four times as many


def test_nobody_gets_a_library_that_is_being_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads run meanwhile, and take kernels of the libraries that they find."""
    known: weakref.WeakValueDictionary[str, native.Library] = weakref.WeakValueDictionary()
    found, dispose = [], native.ffi.lib.LLVMPY_LLJIT_Dylib_Tracker_Dispose

    def watched(*arguments: Any) -> Any:
        found.append(known.get("f"))
        return dispose(*arguments)

    library = native.load([native.compile_object(text("f", 1), host(), {})], ["f"], {})
    known["f"] = library
    monkeypatch.setitem(native.ffi.lib._fntab, "LLVMPY_LLJIT_Dylib_Tracker_Dispose", watched)
    del library
    assert found == [None]


FAR = """
import ctypes, mmap
from tfc.codegen import native
from tfc.codegen.target import host

numbers = [0.25 + k / 1024 for k in range(200)]
lines, want = [], 1.0
for k in range(2000):  # some pages of code, but one of constants
    number = numbers[k % 200]
    lines.append(f"%h{k} = fmul double %f{k}, 0.5")
    lines.append(f"%f{k + 1} = fadd double %h{k}, {number}")
    want = want * 0.5 + number
text = "define double @f(double %f0) {\\n" + "\\n".join(lines) + "\\nret double %f2000\\n}"
code = native.compile_object(text, host(), {})
other = native.compile_object("define void @g() {\\nret void\\n}", host(), {})
other = native.load([other], ["g"], {})  # what LLVM needs the first time

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
NORESERVE, FIXED_NOREPLACE = 0x4000, 0x100000

def reserve(address, size, flags=0):
    flags |= mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
    return libc.mmap(address, size, 0, flags, -1, 0)

start = reserve(None, 5 << 30)
assert start != ctypes.c_void_p(-1).value, "no room for 5 GB"
with open("/proc/self/maps") as file:
    spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in file]
for (_, low), (high, _) in zip(spans, spans[1:]):
    if low > start and 4096 < high - low < 1 << 40:
        reserve(low, high - low - 4096, FIXED_NOREPLACE)

library = native.load([code], ["f"], {})
f = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library.addresses["f"])
print(f(1.0) == want)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell what is mapped")
def test_code_reaches_its_constants_whatever_else_is_mapped() -> None:
    """Free memory near is single pages, and the rest is 5 GB away."""
    run = subprocess.run([sys.executable, "-c", FAR], capture_output=True, text=True)
    assert run.stdout == "True\n", run.stderr[-2000:]
