"""Memory of large fetched arrays, used again: a fresh array of 40 MB costs more in page faults than
a kernel takes to fill it.

The pool is an allocator for numpy (NEP 49): arrays made while it is the current one own memory of
ours, and give it back when they die, wherever that is. Below LEAST the C library does as well. A
block that was given back is kept, the newest first, until all that are kept exceed the limit
(TFC_ARRAY_POOL, in MiB); it serves requests that fill at least three quarters of it. In front of
each block are 64 bytes: its size, and the next block of the list.

The list is guarded by a flag that nobody waits for: who finds it taken asks the C library. So a
thread without the GIL and a child that was forked in the middle are safe.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tfc.base.options import options
from tfc.codegen import native, native_rt
from tfc.codegen.module import ObjectStore
from tfc.codegen.target import host
from tfc.runtime import python_abi as abi

_CAPSULE = b"mem_handler"  # numpy asks for this name
LEAST = 8 << 20  # bytes of an array that is worth it
_lock = threading.RLock()

_TEXT = """
@lock = internal global i32 0, align 64
@first = internal global ptr null
@held = internal global i64 0
@limit = internal global i64 0

declare ptr @aligned_alloc(i64, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)
declare ptr @memcpy(ptr, ptr, i64)
declare ptr @memset(ptr, i32, i64)

define internal i1 @enter() {
  %pair = cmpxchg ptr @lock, i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %pair, 1
  ret i1 %mine
}

define internal void @leave() {
  store atomic i32 0, ptr @lock release, align 4
  ret void
}

; A block of the list for %size bytes, taken out of it; null if there is none.
define internal ptr @kept(i64 %size) {
entry:
  %mine = call i1 @enter()
  br i1 %mine, label %walk, label %none
walk:
  br label %next
next:
  %at = phi ptr [ @first, %walk ], [ %link, %on ]
  %block = load ptr, ptr %at, align 8
  %end = icmp eq ptr %block, null
  br i1 %end, label %miss, label %look
look:
  %has = load i64, ptr %block, align 8
  %link = getelementptr i64, ptr %block, i64 1
  %enough = icmp uge i64 %has, %size
  %quarter = lshr i64 %has, 2
  %least = sub i64 %has, %quarter
  %full = icmp uge i64 %size, %least
  %fits = and i1 %enough, %full
  br i1 %fits, label %take, label %on
on:
  br label %next
take:
  %after = load ptr, ptr %link, align 8
  store ptr %after, ptr %at, align 8
  %all = load i64, ptr @held
  %less = sub i64 %all, %has
  store i64 %less, ptr @held
  call void @leave()
  ret ptr %block
miss:
  call void @leave()
  br label %none
none:
  ret ptr null
}

define internal ptr @pool_malloc(ptr %ctx, i64 %size) {
entry:
  %old = call ptr @kept(i64 %size)
  %some = icmp ne ptr %old, null
  br i1 %some, label %done, label %make
make:
  %huge = icmp ugt i64 %size, 9223372036850000000
  br i1 %huge, label %fail, label %ask
ask:
  %room = add i64 %size, 2097215
  %pages = and i64 %room, -2097152
  %new = call ptr @aligned_alloc(i64 2097152, i64 %pages)
  %bad = icmp eq ptr %new, null
  br i1 %bad, label %fail, label %made
made:
  ADVISE
  %usable = sub i64 %pages, 64
  store i64 %usable, ptr %new, align 8
  br label %done
done:
  %block = phi ptr [ %old, %entry ], [ %new, %made ]
  %data = getelementptr i8, ptr %block, i64 64
  ret ptr %data
fail:
  ret ptr null
}

; Free what exceeds %most bytes, the oldest blocks. Once it fits, the rest stays.
define internal void @shrink(i64 %most) {
entry:
  %mine = call i1 @enter()
  br i1 %mine, label %start, label %out
start:
  br label %next
next:
  %at = phi ptr [ @first, %start ], [ %link, %keep ]
  %sum = phi i64 [ 0, %start ], [ %with, %keep ]
  %block = load ptr, ptr %at, align 8
  %end = icmp eq ptr %block, null
  br i1 %end, label %over, label %look
look:
  %has = load i64, ptr %block, align 8
  %link = getelementptr i64, ptr %block, i64 1
  %with = add i64 %sum, %has
  %much = icmp ugt i64 %with, %most
  br i1 %much, label %cut, label %keep
keep:
  br label %next
cut:
  store ptr null, ptr %at, align 8
  br label %over
over:
  store i64 %sum, ptr @held
  call void @leave()
  br label %each
each:
  %gone = phi ptr [ %block, %over ], [ %then, %drop ]
  %last = icmp eq ptr %gone, null
  br i1 %last, label %out, label %drop
drop:
  %at2 = getelementptr i64, ptr %gone, i64 1
  %then = load ptr, ptr %at2, align 8
  call void @free(ptr %gone)
  br label %each
out:
  ret void
}

define internal void @pool_free(ptr %ctx, ptr %data, i64 %size) {
entry:
  %null = icmp eq ptr %data, null
  br i1 %null, label %out, label %some
some:
  %block = getelementptr i8, ptr %data, i64 -64
  %mine = call i1 @enter()
  br i1 %mine, label %keep, label %drop
drop:
  call void @free(ptr %block)
  ret void
keep:
  %link = getelementptr i64, ptr %block, i64 1
  %head = load ptr, ptr @first
  store ptr %head, ptr %link, align 8
  store ptr %block, ptr @first
  %has = load i64, ptr %block, align 8
  %all = load i64, ptr @held
  %more = add i64 %all, %has
  store i64 %more, ptr @held
  %most = load i64, ptr @limit
  call void @leave()
  %over = icmp ugt i64 %more, %most
  br i1 %over, label %cut, label %out
cut:
  call void @shrink(i64 %most)
  br label %out
out:
  ret void
}

define internal ptr @pool_calloc(ptr %ctx, i64 %count, i64 %each) {
entry:
  %pair = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %count, i64 %each)
  %size = extractvalue { i64, i1 } %pair, 0
  %wrong = extractvalue { i64, i1 } %pair, 1
  br i1 %wrong, label %fail, label %ask
ask:
  %data = call ptr @pool_malloc(ptr %ctx, i64 %size)
  %bad = icmp eq ptr %data, null
  br i1 %bad, label %fail, label %clear
clear:
  %same = call ptr @memset(ptr %data, i32 0, i64 %size)
  ret ptr %data
fail:
  ret ptr null
}
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)

define internal ptr @pool_realloc(ptr %ctx, ptr %data, i64 %size) {
entry:
  %new = call ptr @pool_malloc(ptr %ctx, i64 %size)
  %bad = icmp eq ptr %new, null
  %null = icmp eq ptr %data, null
  %either = or i1 %bad, %null
  br i1 %either, label %out, label %move
move:
  %at = getelementptr i8, ptr %data, i64 -64
  %has = load i64, ptr %at, align 8
  %less = icmp ult i64 %has, %size
  %count = select i1 %less, i64 %has, i64 %size
  %same = call ptr @memcpy(ptr %new, ptr %data, i64 %count)
  call void @pool_free(ptr %ctx, ptr %data, i64 %has)
  br label %out
out:
  ret ptr %new
}

define void @set_limit(i64 %most) {
  store i64 %most, ptr @limit
  call void @shrink(i64 %most)
  ret void
}

define void @trim() {
  call void @shrink(i64 0)
  ret void
}

define i64 @kept_bytes() {
  %all = load i64, ptr @held
  ret i64 %all
}

; numpy's PyDataMem_Handler: name, version, context, functions.
@handler = global { [127 x i8], i8, ptr, ptr, ptr, ptr, ptr } {
  [127 x i8] c"tfcNAME", i8 1, ptr null,
  ptr @pool_malloc, ptr @pool_calloc, ptr @pool_realloc, ptr @pool_free
}
"""
# Fewer and larger pages, as numpy asks for (MADV_HUGEPAGE).
_ADVISE = "%advice = call i32 @madvise(ptr %new, i64 %pages, i32 14)"


class ArrayPool:
    """The loaded allocator. `handler`: the capsule that numpy takes."""

    def __init__(self, objects: ObjectStore | None):
        linux = sys.platform.startswith("linux")
        text = _TEXT.replace("ADVISE", _ADVISE if linux else "").replace("NAME", "\\00" * 124)
        code = native_rt.object_code(text, host(), objects)
        names = ("handler", "set_limit", "trim", "kept_bytes")
        library = native.load([code], names, {})
        abi.keep_forever(library)
        at = library.addresses
        self._set_limit = ctypes.CFUNCTYPE(None, ctypes.c_int64)(at["set_limit"])
        self.trim = ctypes.CFUNCTYPE(None)(at["trim"])
        self.kept_bytes = ctypes.CFUNCTYPE(ctypes.c_int64)(at["kept_bytes"])
        self.handler = abi.new_capsule(at["handler"], _CAPSULE)
        self._make_current = abi.set_memory_handler()
        self.set_limit(options.array_pool)

    def set_limit(self, mebibytes: int) -> None:
        """Keep at most so much."""
        self._set_limit(mebibytes << 20)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Arrays made inside get their memory here."""
        before = self._make_current(self.handler)
        try:
            yield
        finally:
            self._make_current(before)


_pools: list[ArrayPool] = []  # arrays may outlive all else: the first is for good


def the_pool(objects: ObjectStore | None = None) -> ArrayPool | None:
    """The pool of the process, made on first use; None where there is none. `objects` may hold its
    machine code."""
    if not _pools and options.array_pool > 0 and not abi.problem():
        pool = ArrayPool(objects)
        with _lock:
            if not _pools:
                _pools.append(pool)
    return _pools[0] if _pools else None


def trim() -> None:
    """Give back to the system what is kept, if there is a pool."""
    for pool in _pools:
        pool.trim()
