"""Memory next to pages that nobody may touch: an allocator for numpy's arrays, and arenas."""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
import os
import sys

import numpy as np

PAGE = mmap.PAGESIZE
GAP = 0x5C  # what lies around storages on their pages

# A block: a page that holds its size, with `end` the bytes right in front of a page that nobody may
# touch, else a page that nobody may touch and the bytes.
ALLOCATOR = """
declare ptr @mmap(ptr, i64, i32, i32, i32, i64)
declare i32 @munmap(ptr, i64)
declare i32 @mprotect(ptr, i64, i32)
declare ptr @memcpy(ptr, ptr, i64)
declare ptr @memset(ptr, i32, i64)

@filler = global i32 127

define internal ptr @block(i64 %size) {
entry:
  %up = add i64 %size, 4095
  %pages = and i64 %up, -4096
  %all = add i64 %pages, 8192
  %huge = icmp ugt i64 %size, 70368744177664
  br i1 %huge, label %fail, label %map
map:
  %start = call ptr @mmap(ptr null, i64 %all, i32 3, i32 34, i32 -1, i64 0)
  %bad = icmp eq ptr %start, inttoptr (i64 -1 to ptr)
  br i1 %bad, label %fail, label %made
made:
  store i64 %all, ptr %start
  %words = getelementptr i64, ptr %start, i64 1
  store i64 %size, ptr %words
  %behind = getelementptr i8, ptr %start, i64 4096
  %begin = getelementptr i8, ptr %behind, i64 4096
  %end = getelementptr i8, ptr %behind, i64 %pages
  %less = sub i64 %pages, %size
  %last = getelementptr i8, ptr %behind, i64 %less
  %fence = select i1 IS_END, ptr %end, ptr %behind
  %data = select i1 IS_END, ptr %last, ptr %begin
  %done = call i32 @mprotect(ptr %fence, i64 4096, i32 0)
  ret ptr %data
fail:
  ret ptr null
}

define internal ptr @head(ptr %data) {
  %at = ptrtoint ptr %data to i64
  %page = and i64 %at, -4096
  %start = sub i64 %page, FRONT
  %head = inttoptr i64 %start to ptr
  ret ptr %head
}

define ptr @guarded_malloc(ptr %ctx, i64 %size) {
entry:
  %data = call ptr @block(i64 %size)
  %none = icmp eq ptr %data, null
  br i1 %none, label %out, label %fill
fill:
  %with = load i32, ptr @filler
  %same = call ptr @memset(ptr %data, i32 %with, i64 %size)
  br label %out
out:
  ret ptr %data
}

define internal ptr @guarded_calloc(ptr %ctx, i64 %count, i64 %each) {
  %size = mul i64 %count, %each
  %data = call ptr @block(i64 %size)
  ret ptr %data
}

define void @guarded_free(ptr %ctx, ptr %data, i64 %size) {
entry:
  %none = icmp eq ptr %data, null
  br i1 %none, label %out, label %unmap
unmap:
  %head = call ptr @head(ptr %data)
  %all = load i64, ptr %head
  %done = call i32 @munmap(ptr %head, i64 %all)
  br label %out
out:
  ret void
}

define internal ptr @guarded_realloc(ptr %ctx, ptr %data, i64 %size) {
entry:
  %new = call ptr @guarded_malloc(ptr %ctx, i64 %size)
  %bad = icmp eq ptr %new, null
  %fresh = icmp eq ptr %data, null
  %either = or i1 %bad, %fresh
  br i1 %either, label %out, label %move
move:
  %head = call ptr @head(ptr %data)
  %words = getelementptr i64, ptr %head, i64 1
  %old = load i64, ptr %words
  %less = icmp ult i64 %old, %size
  %count = select i1 %less, i64 %old, i64 %size
  %same = call ptr @memcpy(ptr %new, ptr %data, i64 %count)
  call void @guarded_free(ptr %ctx, ptr %data, i64 %old)
  br label %out
out:
  ret ptr %new
}

; Memory for a function that runs now: what was given many calls ago is given back.
@rooms = internal global [4096 x ptr] zeroinitializer
@turn = internal global i64 0
define ptr @guarded_room(i64 %size) {
  %turn = atomicrmw add ptr @turn, i64 1 monotonic
  %slot = and i64 %turn, 4095
  %at = getelementptr ptr, ptr @rooms, i64 %slot
  %old = load ptr, ptr %at
  call void @guarded_free(ptr null, ptr %old, i64 0)
  %new = call ptr @guarded_malloc(ptr null, i64 %size)
  store ptr %new, ptr %at
  ret ptr %new
}

; numpy's PyDataMem_Handler: name, version, context, functions.
@handler = global { [127 x i8], i8, ptr, ptr, ptr, ptr, ptr } {
  [127 x i8] c"guardedNAME", i8 1, ptr null,
  ptr @guarded_malloc, ptr @guarded_calloc, ptr @guarded_realloc, ptr @guarded_free
}
"""


@dataclasses.dataclass
class Storages:
    """Where an arena's storages lie: offset, bytes. Its size is that of no other one."""

    size: int
    parts: list[tuple[int, int]]


class Arena:
    """The memory of one arena. `twice` fills it anew, `check` finds what was written between."""

    def __init__(self, storages: Storages):
        self.parts = [(offset, size) for offset, size in storages.parts if size]
        self.map = mmap.mmap(
            -1, (storages.size // PAGE + 1) * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        self._view = (ctypes.c_uint8 * len(self.map)).from_buffer(self.map)
        self.address = ctypes.addressof(self._view)
        self.bytes = np.frombuffer(self.map, np.uint8)
        end, apart = 0, list[tuple[int, int]]()
        self.gaps = list[tuple[int, int]]()
        for offset, size in self.parts:
            low = offset // PAGE * PAGE
            apart.append((end, low))
            end = -(-(offset + size) // PAGE) * PAGE
            self.gaps += [(low, offset), (offset + size, end)]
        self.gaps = [(low, high) for low, high in self.gaps if low < high]
        for low, high in self.gaps:
            self.bytes[low:high] = GAP
        for low, high in [*apart, (end, len(self.map))]:
            if low < high and self.parts:
                assert not _mprotect(self.address + low, high - low, 0), "mprotect"

    def fill(self, byte: int) -> None:
        for offset, size in self.parts:
            ctypes.memset(self.address + offset, byte, size)

    def check(self, what: str) -> None:
        for low, high in self.gaps:
            if (self.bytes[low:high] != GAP).any():
                fail(f"{what} writes between arena bytes {low} and {high}")


_libc = ctypes.CDLL(None, use_errno=True)


def _mprotect(address: int, size: int, allowed: int) -> int:
    function = _libc.mprotect
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return int(function(address, size, allowed))


def fail(message: str) -> None:
    """A wrong access that no exception may hide."""
    print(f"GUARD: {message}", file=sys.stderr, flush=True)
    folder = os.environ.get("TFC_GUARD_LOG")
    if folder:
        with open(folder, "a") as log:
            log.write(f"{os.environ.get('PYTEST_CURRENT_TEST', '')}: {message}\n")
    raise AssertionError(message)
