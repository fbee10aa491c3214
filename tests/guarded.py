"""Memory that ends, or begins, at pages that nobody may touch: what native code reads or writes
outside of its buffers ends the process.

`install` makes all that native code is given such memory, for good, so it belongs into a process of
its own (`tests/test_guarded.py`; with TFC_GUARD set, pytest's whole run). Arrays come from an
allocator of numpy's (NEP 49): feeds, results, variables, constants, rows and tables of `run_loop`,
records of native dispatch. Of the arena each storage has pages of its own, with gaps that are
looked at after each call. What native code has on the stack is such memory too.

TFC_GUARD is a list of words:
  end, begin    each buffer ends at a page that nobody may touch, or begins behind one
  twice         each function is run on memory full of 0xFF and of zeros: what it reads and nobody
                wrote makes the results differ. Calls from Python only.
  bits=128      code for older processors, with packets of so many bits: 128 or 256
  fast          machine code of level FAST, else OPTIMISED
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.guarded_memory import ALLOCATOR, PAGE, Arena, Storages, fail
from tfc.base.dtypes import numpy_dtype
from tfc.base.options import options

_OLDER = {128: ("x86-64", "", 16), 256: ("haswell", "+avx2,+fma,+f16c,+bmi,+bmi2", 16)}


class Guard:
    """What TFC_GUARD asks for."""

    def __init__(self, words: str):
        given = [word for word in words.replace(" ", "").split(",") if word]
        known = {"end", "begin", "twice", "fast", *(f"bits={n}" for n in _OLDER)}
        assert known.issuperset(given), f"TFC_GUARD={words!r}"
        self.begin, self.twice = "begin" in given, "twice" in given
        self.fast = "fast" in given
        self.bits = next((int(w[5:]) for w in given if w.startswith("bits=")), 0)
        self.arenas: dict[int, Storages] = {}
        self.calls = self.doubled = 0
        self.lock = threading.RLock()

    # -- numpy's arrays -------------------------------------------------------------------------
    def load_allocator(self) -> None:
        from tfc.codegen import native
        from tfc.codegen.target import host
        from tfc.runtime import python_abi as abi

        text = ALLOCATOR.replace("IS_END", "false" if self.begin else "true")
        text = text.replace("FRONT", "8192" if self.begin else "4096")
        text = text.replace("NAME", "\\00" * 120)
        code = native.compile_object(text, host(), {})
        names = ("handler", "filler", "guarded_room")
        self.library = native.load([code], names, {})
        abi.keep_forever(self.library)
        self.filler = ctypes.c_int32.from_address(self.library.addresses["filler"])
        abi.set_memory_handler()(abi.new_capsule(self.library.addresses["handler"], b"mem_handler"))

    # -- the arena ------------------------------------------------------------------------------
    def place(self, top: int, size: int) -> tuple[int, int]:
        """Where a storage lies, on pages of its own behind `top`, and where those end. Between them
        and any others lies one that nobody may touch."""
        pages = -(-max(size, 1) // PAGE) * PAGE
        at = top + PAGE
        return at if self.begin else at + pages - size, at + pages

    def register(self, top: int, parts: Sequence[tuple[int, int]]) -> int:
        """The size of an arena with storages (offset, bytes), by which it is known later: like that
        of no other arena, and none that anything else asks for."""
        size = top + PAGE + 17
        while size in self.arenas:
            size += PAGE
        self.arenas[size] = Storages(size, list(parts))
        return size

    def new_arena(self, size: int) -> Arena:
        return Arena(self.arenas.get(size) or Storages(size, [(0, size)] if size else []))


# -- putting it in place --------------------------------------------------------------------------
guard: Guard | None = None


def install(words: str) -> Guard:
    """Guard all that this process runs from now on."""
    global guard
    # what others stored lies in arenas of the ordinary kind
    options.cache, options.tiers, options.array_pool = "0", 0, 0
    if "twice" in words:
        options.fast_run = 0
    guard = Guard(words)
    _choose_machine(guard)
    guard.load_allocator()
    _place_storages(guard)
    _place_buffers()
    _guard_calls(guard)
    _guard_functions(guard)
    _guard_tests(guard)
    return guard


def _choose_machine(guard: Guard) -> None:
    from tfc.codegen import native
    from tfc.codegen import target as targets

    found, new_machine = targets._host(), targets.new_machine
    assert not guard.bits or found.triple.startswith("x86_64"), "a machine of another kind"
    if guard.bits:
        cpu, features, registers = _OLDER[guard.bits]
        more = {"fma": False, "half": False} if guard.bits == 128 else {}
        found = dataclasses.replace(
            found, cpu=cpu, features=features, vector_bits=guard.bits, registers=registers, **more
        )
    targets._host = lambda: found
    targets.host.cache_clear()
    if guard.fast:
        native.new_machine = lambda target, level=0: new_machine(target, targets.FAST)


def _place_storages(guard: Guard) -> None:
    from tfc.passes import buffers

    plan, storage = buffers._Plan, buffers._Plan._storage

    def sized(self: Any, size: int, start: int, end: int) -> Any:
        made = storage(self, size, start, end)
        made.exact = size
        return made

    dying = buffers._dying

    def same_size(frame: Any, step: Any, result: Any, operands: Any, taken: Any) -> Any:
        found = dying(frame, step, result, operands, taken)
        return found if found is None or found.exact == result.type.nbytes else None

    def offsets(storages: list[Any]) -> int:
        top = 0
        for one in storages:
            one.offset, top = guard.place(top, one.exact)
        return guard.register(top, [(s.offset, s.exact) for s in storages]) if storages else 0

    plan._storage, buffers._dying, buffers.assign_offsets = sized, same_size, offsets


def _place_buffers() -> None:
    from tfc.client import kept, outputs, pipeline, run_loop, state

    def empty(shape: Any, dtype: Any) -> np.ndarray:
        return np.empty(shape, dtype)

    for module in (state, outputs, pipeline, run_loop):
        module.aligned_empty = empty

    class Numpy:
        """numpy for `KeptPanels`, which asks for 64 bytes more than it needs."""

        int64, uint8, zeros = np.int64, np.uint8, np.zeros

        @staticmethod
        def empty(size: int, dtype: Any) -> np.ndarray:
            return np.empty(size - 64, dtype)

    kept.np = Numpy


def _guard_calls(guard: Guard) -> None:
    from tfc import compiler
    from tfc.runtime import memory

    class Context(compiler._Context):
        def __init__(self, buffers: int, arena: int, constants: Sequence[np.ndarray]):
            super().__init__(buffers, 0, constants)
            memory.check(arena)
            self.arena = guard.new_arena(arena)
            self.slots[0] = self.arena.address
            first = buffers - len(constants)
            self.moved = [np.array(c, order="C", copy=True) for c in constants]
            for index, constant in enumerate(self.moved):
                self.table[first + index] = constant.ctypes.data

    plain = compiler.Executable.__call__

    def call(self: Any, addresses: Sequence[int], threads: int, stop: Any = None) -> None:
        addresses, held = _moved(self, addresses)
        with guard.lock:  # the context is the one that the call takes
            guard.calls += 1
            context = self._context()
            self._free.append(context)
            if not guard.twice:
                plain(self, addresses, threads, stop)
            else:
                run = functools.partial(plain, self, addresses, threads, stop)
                _call_twice(guard, self, addresses, context, run)
            context.arena.check(self.signature)
        assert held is not None

    compiler._Context = Context
    compiler.Executable.__call__ = call


def _moved(executable: Any, addresses: Sequence[int]) -> tuple[list[int], list[np.ndarray]]:
    """The addresses, with those of what is only read replaced by copies in guarded memory: what is
    fed may lie in memory that numpy did not ask for. And the copies."""
    fn, addresses = executable.function, list(addresses)
    written, copies = set(addresses[len(fn.params) :]), list[np.ndarray]()
    for k, param in enumerate(fn.params):
        if addresses[k] in written:
            continue
        copies.append(np.empty(param.type.shape, numpy_dtype(param.type.dtype)))
        ctypes.memmove(copies[-1].ctypes.data, addresses[k], param.type.nbytes)
        addresses[k] = copies[-1].ctypes.data
    return addresses, copies


def _call_twice(
    guard: Guard, executable: Any, addresses: Sequence[int], context: Any, run: Any
) -> None:
    """Run on memory that is full of ones and of zeros, and compare."""
    fn = executable.function
    types = [v.type for v in (*fn.params, *fn.results)]
    places = dict(zip(addresses, types, strict=False))
    fresh = {at: t for at, t in places.items() if at not in addresses[: len(fn.params)]}
    before = {at: ctypes.string_at(at, t.nbytes) for at, t in places.items()}
    after = []
    for byte in (0xFF, 0):
        for at, type in places.items():
            ctypes.memmove(at, before[at], type.nbytes)
        for at, type in fresh.items():
            ctypes.memset(at, byte, type.nbytes)
        context.arena.fill(byte)
        run()  # what fails has no results
        after.append({at: ctypes.string_at(at, t.nbytes) for at, t in places.items()})
    guard.doubled += 1
    for at, type in places.items():
        one, two = (np.frombuffer(found[at], np.uint8) for found in after)
        if (one != two).any():
            at = int((one != two).argmax())
            fail(f"{executable.signature} depends on what nobody wrote: {type}, byte {at}")


def _guard_functions(guard: Guard) -> None:
    """What functions have on the stack, and tables that they hold."""
    from tfc.codegen import native, text
    from tfc.codegen.emitter import Buffer, Emitter
    from tfc.codegen.values import V

    stack = text.Text.alloca

    def alloca(self: Any, type: str, align: int = 64) -> V:
        if self.__class__ is not text.Text:  # native dispatch waits in Python, for long
            return stack(self, type, align)
        name, size = self.fresh(), f"ptrtoint (ptr getelementptr ({type}, ptr null, i64 1) to i64)"
        self.declares["guarded_room"] = "declare ptr @guarded_room(i64)"
        self.root.regions[0].lines.insert(0, f"{name} = call ptr @guarded_room(i64 {size})")
        return V(name, "ptr")

    literal, held = Emitter.literal, list[np.ndarray]()

    def table(self: Any, literal_: Any, index: Any) -> Any:
        array = np.array(literal_.array, order="C", copy=True)
        flat = array.reshape(-1)
        if not array.size or all(x.tobytes() == flat[0].tobytes() for x in flat):
            return literal(self, literal_, index)
        held.append(array)
        at = V(f"inttoptr (i64 {array.ctypes.data} to ptr)", "ptr")
        return self.load(Buffer(at, literal_.type), index)

    load, room = native.load, guard.library.addresses["guarded_room"]

    def loaded(codes: Any, exports: Any, imports: dict[str, int], times: Any = None) -> Any:
        return load(codes, exports, {**imports, "guarded_room": room}, times)

    text.Text.alloca, Emitter.literal, native.load = alloca, table, loaded


def _guard_tests(guard: Guard) -> None:
    """The same for what tests compile and call by themselves."""
    from tests.codegen import heroes, run

    class Room(run.Room):
        fill, newest = 0xAA, list[Arena]()

        def __init__(self) -> None:
            self._top, self._parts = 0, list[tuple[int, int]]()

        @property
        def size(self) -> int:
            return guard.register(self._top, self._parts) if self._parts else 0

        def add(self, size: int) -> int:
            offset, self._top = guard.place(self._top, size)
            self._parts.append((offset, size))
            return offset

        @staticmethod
        def memory(size: int) -> np.ndarray:
            if size not in guard.arenas:
                return np.full(size + (64 if size % 64 else 0), Room.fill, np.uint8)
            arena = guard.new_arena(size)
            arena.fill(Room.fill)
            Room.newest[:] = [arena]
            return arena.bytes

    call = run.Running.__call__

    def called(self: Any, *arrays: np.ndarray) -> list[np.ndarray]:
        arrays = tuple(np.array(a, order="C", copy=True) for a in arrays)
        found = []
        for Room.fill in (0xFF, 0) if guard.twice else (0xAA,):
            guard.calls += 1
            found.append(call(self, *arrays))
            for arena in Room.newest:
                arena.check(self.fn.name)
        guard.doubled += guard.twice
        if any(a.tobytes() != b.tobytes() for a, b in zip(found[0], found[-1], strict=True)):
            fail(f"{self.fn.name} depends on what nobody wrote")
        return found[0]

    run.Room = heroes.Room = Room
    run.Running.__call__ = called
