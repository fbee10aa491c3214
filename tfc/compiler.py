"""Function of primitives + Target -> Executable: the pipeline, then codegen.

`observers` see every compilation: `tfc dump-ir` and the tests hang there.
"""

from __future__ import annotations

import ctypes
import functools
import math
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import field, replace
from typing import Any

import numpy as np

from tfc import recall
from tfc.base import dtypes
from tfc.base.collector import no_collections
from tfc.base.number_text import number_text
from tfc.base.options import options as process_options
from tfc.base.records import dataclass
from tfc.base.target import ALIGNMENT, Target
from tfc.cache import DiskCache, default_cache
from tfc.codegen import module, native_rt
from tfc.codegen.dispatch import layout
from tfc.codegen.kept import Kept
from tfc.codegen.target import host
from tfc.ir.core import Function, Op
from tfc.ir.walk import all_functions
from tfc.passes import pipeline
from tfc.passes.options import PassOptions, Record
from tfc.passes.parallel import estimated_ns
from tfc.prims.contract_plan import hero_of
from tfc.prims.control import commits
from tfc.prims.effects import MAX_PAYLOAD
from tfc.runtime import memory
from tfc.tiers import Ended, background


@dataclass
class CompilationRecord:
    """What one compilation went through."""

    number: int
    signature: str
    lowered: Function
    passes: list[Record]
    code: module.NativeCode
    seconds: float


Observer = Callable[[CompilationRecord], None]
observers: list[Observer] = []
_compiled = 0


class AssertFailed(Exception):
    """An `assert` of a Function failed: the error class it asked for, the graph op, the text."""

    def __init__(self, code: str, op: str, text: str):
        super().__init__(f"{op}: {text}")
        self.code, self.op, self.text = code, op, text


class Cancelled(Exception):
    """A run was told to stop, and had written no donated buffer yet, but for what loops commit."""


class StopFlag:
    """Tells a run to end."""

    def __init__(self) -> None:
        self._cell = ctypes.c_int32(0)
        self.address = ctypes.addressof(self._cell)

    def set(self) -> None:
        """End the runs that were given this flag: within a turn of the loop they are in, and as
        long as they have not begun to write donated buffers. From any thread."""
        self._cell.value = 1

    @property
    def is_set(self) -> bool:
        return bool(self._cell.value)


_NEVER = StopFlag()
FLOPS_PER_NS = 100.0  # of one core, at most
RANDOM_NS = {"rng_bits": 0.7, "rng_truncated_normal": 8.0}  # a number, measured


class _Context:
    """The memory of one call in flight: slots, buffer table, arena, error record."""

    def __init__(self, buffers: int, arena: int, constants: Sequence[np.ndarray]):
        self.table = (ctypes.c_void_p * max(buffers, 1))()
        memory.check(arena)
        self._arena = np.empty(arena + ALIGNMENT, np.uint8)
        start = self._arena.ctypes.data
        self.record = (ctypes.c_int64 * (2 + MAX_PAYLOAD))()  # op number, flat index
        self.slots = (ctypes.c_void_p * 8)()
        self.slots[0] = start + (-start % ALIGNMENT)
        self.slots[1] = ctypes.addressof(self.table)
        self.slots[2] = _NEVER.address
        self.slots[3] = ctypes.addressof(self.record)
        first = buffers - len(constants)
        for index, constant in enumerate(constants):
            self.table[first + index] = constant.ctypes.data
        self.address = ctypes.addressof(self.slots)


class _Version:
    """Machine code, and how Python calls it."""

    __slots__ = ("code", "entry")

    _prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)

    def __init__(self, code: module.NativeCode):
        self.code, self.entry = code, self._prototype(code.address)


class LentContext:
    """A context for native callers, which put the addresses into the buffer table themselves; for
    one of them at a time. `record`: the CONTEXT of `codegen/dispatch/layout.py`. `stop` is never
    reset: a context that was stopped is replaced."""

    def __init__(self, context: _Context, version: _Version, threads: int):
        self._context = context
        self._versions = [version]  # those that a call may be in
        self.stop = StopFlag()
        context.slots[2] = self.stop.address
        context.slots[4] = native_rt.parallel_for_address(threads)
        fields = {
            layout.Context.FUNCTION: version.code.address,
            layout.Context.SLOTS: context.address,
            layout.Context.STOP: self.stop.address,
        }
        self.record = np.array([fields.get(field, 0) for field in layout.Context], np.int64)

    def take(self, version: _Version) -> None:
        """Call that version from now on."""
        self._versions.append(version)
        self.record[layout.Context.FUNCTION] = version.code.address

    def is_behind(self) -> bool:
        """Whether a call may be in the version before."""
        record, fields = self.record, layout.Context
        return bool(record[fields.BUSY] and record[fields.CALLED] != record[fields.FUNCTION])

    def forget_before(self) -> None:
        """Let go the versions before; no call is in them."""
        del self._versions[:-1]

    def slot(self, index: int) -> int:
        """Where the address of parameter `index`, or of result `index - parameters`, stands."""
        return ctypes.addressof(self._context.table) + 8 * index


@dataclass
class Executable:
    """One native function, callable with the addresses of its buffers.

    buffers: how many there are. donated: result -> parameter whose buffer it is written to.
    seconds: what compiling it took. estimated_ns: about how long a run takes on one core, without
    loops. optimise: of a first version, makes the Executable `take` the optimised one, and says
    whether it did; another thread calls it after the second run.
    """

    code: module.NativeCode
    signature: str
    buffers: int
    donated: dict[int, int]
    has_loops: bool
    seconds: float
    estimated_ns: float
    optimise: Callable[[weakref.ref[Executable]], bool] | None = None
    _free: list[_Context] = field(default_factory=list)
    _lent: LentContext | None = None
    _runs: int = 0

    def __post_init__(self) -> None:
        self._version = _Version(self.code)

    @property
    def kept(self) -> list[Kept]:
        """The panels that it keeps between runs; records of them follow the results."""
        return self.code.layout.kept

    @property
    def function(self) -> Function:
        """As the pipeline left it."""
        return self.code.function()

    def __call__(
        self, addresses: Sequence[int], threads: int, stop: StopFlag | None = None
    ) -> None:
        """Run on the buffers at `addresses`: parameters, then results, all C-contiguous; then the
        records of what is `kept`.

        Raises:
          AssertFailed: an `assert` failed; no donated buffer has changed, but for what loops
            commit.
          Cancelled: `stop` was set, with the same consequences.
        """
        if self.optimise is not None:
            self._count_run()
        version = self._version  # held by this call
        context = self._context()
        table = context.table
        for index, address in enumerate(addresses):
            table[index] = address
        context.slots[4] = native_rt.parallel_for_address(threads)
        if stop is not None:
            context.slots[2] = stop.address
        status = version.entry(context.address)
        if stop is not None:
            context.slots[2] = _NEVER.address
        if status:
            error = self._error(status, context.record)
            self._free.append(context)
            raise error
        self._free.append(context)

    def _context(self) -> _Context:
        try:
            return self._free.pop()
        except IndexError:
            return _Context(self.buffers, self.code.arena, self.code.constants)

    def lent(self, threads: int) -> LentContext:
        """The one context that native callers share."""
        lent = self._lent
        if lent is None or lent.stop.is_set:
            version = self._version
            lent = self._lent = LentContext(self._context(), version, threads)
            if self._version is not version:  # it has been optimised meanwhile
                lent.take(self._version)
            if self.optimise is not None:
                self._count_run()
        return lent

    def _count_run(self) -> None:
        """Have a first version optimised with the second run."""
        self._runs += 1
        if self._runs == 2 and self.optimise is not None:
            background.ask(functools.partial(self.optimise, weakref.ref(self)))

    def take(self, code: module.NativeCode) -> LentContext | None:
        """From the next call on, run `code`, which does the same. The code before it goes when no
        call is in it any more: those from Python hold it, and so does the context of native
        dispatch, if there is one, which is given back."""
        version = _Version(code)
        self.code, self._version, self.optimise = code, version, None
        lent = self._lent
        if lent is not None:
            lent.take(version)
        return lent

    def _error(self, status: int, record: Any) -> Exception:
        if status == module.CANCELLED:
            return Cancelled()
        failed = self.code.asserts[status]
        shorts = [type.dtype for type in failed.payload]
        payload = map(number_text, _payload(record, shorts))
        text = failed.message.format(*payload, i=record[1])
        return AssertFailed(failed.code, failed.op, text)


def _product_ns(kernel: Op) -> float:
    """At least how long a kernel takes that multiplies matrices: [m,k] by [k,n] is [m,n], so the
    root of the product of the three sizes is the number of multiplications."""
    if kernel.attr("hero") not in ("dot", "conv", "conv_grad_input", "conv_grad_filter"):
        return 0.0
    hero = hero_of(kernel)
    sizes = [v.type.size for v in (*hero.operands, *hero.results)]
    return 2 * math.sqrt(math.prod(sizes)) / FLOPS_PER_NS


def _random_ns(kernel: Op) -> float:
    """At least how long a kernel takes that makes random numbers."""
    each = RANDOM_NS.get(kernel.attr("hero"), 0.0)
    return each * sum(v.type.size for v in kernel.results) if each else 0.0


def _payload(record: Any, shorts: Sequence[str]) -> list[Any]:
    """The values that a failed assert left in the error record."""
    values = []
    for slot, short in enumerate(shorts):
        raw = np.array([record[2 + slot]], np.int64)
        values.append(raw.view(dtypes.numpy_dtype(short))[0])
    return values


def compile_function(
    function: Function,
    signature: str,
    options: PassOptions | None = None,
    target: Target | None = None,
    made_of: Function | None = None,
) -> Executable:
    """Run the pipeline on `function` and compile what it leaves. `made_of`: if given, `function` is
    made of the kernels of that one already, and they only have to be placed."""
    global _compiled
    start = time.perf_counter()
    target = target or host()
    options = options or PassOptions()
    run = pipeline.run_pipeline if made_of is None else pipeline.place_kernels
    cache = default_cache()
    key = None if cache is None else recall.key_of(function, run.__name__, options, target)
    made = None
    with no_collections():
        if key is not None and cache is not None and not observers:
            again = functools.partial(run, function, replace(options, records=[]))
            made = recall.load(key, again, target, cache, bool(process_options.tiers))
        if made is None:
            with native_rt.compiled_beside(cache):
                final = run(function, options)
                made = _compiled_kernels(final, target, cache)
            if key is not None and cache is not None:
                recall.store(key, made, cache)
    native_rt.the_pool(cache)  # here, where its machine code may come from the cache (0.1 s if not)
    _compiled += 1
    seconds = time.perf_counter() - start
    for observer in observers:
        lowered = made_of or function
        observer(
            CompilationRecord(_compiled, signature, lowered, options.records, made.code, seconds)
        )
    buffers = len(function.params) + len(function.results)
    buffers += len(made.code.layout.kept) + len(made.code.constants)
    optimise = None
    if made.code.pending is not None:
        optimise = functools.partial(_optimise, made, key, cache)
    return Executable(
        made.code, signature, buffers, made.donated, made.has_loops, seconds, made.ns, optimise
    )


def _compiled_kernels(final: Function, target: Target, cache: DiskCache | None) -> recall.Compiled:
    """Machine code of what the pipeline made: a first version, unless a run may last long."""
    loops = any(op.defn.name == "while" for f in all_functions(final) for op in f.ops)
    kernels = [op for f in all_functions(final) for op in f.ops if op.defn.name == "fusion"]
    times = {op: max(estimated_ns(op), _product_ns(op), _random_ns(op)) for op in kernels}
    first = process_options.tiers and not process_options.profile and _ends_soon(final)
    code = module.compile_function(final, target, cache, times.__getitem__ if first else None)
    donated = {result: param for param, result in final.attr("donated", ())}
    return recall.Compiled(code, donated, loops, sum(times.values()))


def _ends_soon(final: Function) -> bool:
    """Whether nothing is known to last: a loop may, but not one that is entered anew every tenth of
    a second (`client/run_loop.py`), if it is one over kernels."""
    return not any(
        op.defn.name == "while" and not (f is final and commits(op))
        for f in all_functions(final)
        for op in f.ops
    )


def _optimise(
    first: recall.Compiled,
    key: str | None,
    cache: DiskCache | None,
    executable: weakref.ref[Executable],
) -> bool:
    """Give the executable the optimised code of its first version, and the cache too. False: it is
    gone, or what is stored of it."""

    def compiling() -> AbstractContextManager[None]:
        if executable() is None:
            raise Ended
        return background.compiling()

    code = module.optimise(first.code, cache, compiling)
    with background.compiling():  # frees code, writes files
        if code is None:
            if key is not None and cache is not None:
                recall.forget_first(key, first, cache)
            return False
        if key is not None and cache is not None:
            optimised = recall.Compiled(code, first.donated, first.has_loops, first.ns)
            recall.replace_first(key, first, optimised, cache)
        taker = executable()
        lent = taker.take(code) if taker is not None else None
    while lent is not None and lent.is_behind():
        time.sleep(0.005)
    with background.compiling():
        if lent is not None:
            lent.forget_before()
    return taker is not None
