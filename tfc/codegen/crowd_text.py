"""LLVM assembly of how the pool's workers share cores that others use too; see `native_rt.py`.

Who waits for a worker waits for all that the system gives its core to in between: if a
worker is put aside in the middle of a chunk, some milliseconds. So a worker that does not have its
core for itself leaves it of its own accord, between two chunks, before its time is over; what it
leaves, the others do. And a worker that the system wakes on the caller's core does not help: the
two would take turns.

`@crowded` says that a core is shared: above zero. It is set when a caller has waited long, when a
worker has moved away from the caller, and when a worker that gave its core away was a while without
it; it is counted down when one was not. While it is zero, nothing here costs anything.
"""

from __future__ import annotations

# The system's share of a core is 1.4 to 4 ms at a time; shorter turns cost switches.
TURN_NS = 2_000_000
AWAY_NS = 100_000  # sched_yield takes 0.3 us if nobody wants the core
# Turns after which a core nobody wanted counts as one's own again; fewer if a caller has waited,
# which may have been for a long chunk.
DOUBTS, DOUBTS_OF_CALLER = 10, 3
IDLE_SPINS = 500  # turns of an idle worker's loop before it lets others have a shared core, 8 us
LATE_SPINS = 3000  # turns of a caller's loop until it has waited long

_COMMON = """
@crowded = internal global i32 0
@caller_cpu = internal global i32 -1
declare i32 @clock_gettime(i32, ptr)
declare i32 @sched_yield()

define internal i64 @clock() noinline {
  %at = alloca [2 x i64], align 8
  %error = call i32 @clock_gettime(i32 MONOTONIC, ptr %at)
  %s = load i64, ptr %at, align 8
  %ns.at = getelementptr i64, ptr %at, i64 1
  %ns = load i64, ptr %ns.at, align 8
  %whole = mul i64 %s, 1000000000
  %now = add i64 %whole, %ns
  ret i64 %now
}

define i32 @is_crowded() {
  %n = load atomic i32, ptr @crowded monotonic, align 4
  ret i32 %n
}

; A caller has waited long for chunks of others.
define internal void @waited() noinline {
  %old = atomicrmw umax ptr @crowded, i32 DOUBTS_OF_CALLER monotonic
  ret void
}

; What a caller does before it wakes a worker, and if cores are shared before each job.
define internal void @here() noinline {
  %cpu = call i32 @this_cpu()
  store atomic i32 %cpu, ptr @caller_cpu monotonic, align 4
  ret void
}

; If this thread, a worker, is on the caller's core, move to another.
define internal void @apart() noinline {
  %cpu = load atomic i32, ptr @caller_cpu monotonic, align 4
  %moved = call i32 @leave(i32 %cpu)
  %apart = icmp eq i32 %moved, 0
  br i1 %apart, label %out, label %shared
shared:
  store atomic i32 DOUBTS, ptr @crowded monotonic, align 4
  br label %out
out:
  ret void
}

; Let others have worker %me's core, if they want it; whether nobody did.
define internal i1 @yield(i64 %me) noinline {
  %before = call i64 @clock()
  %error = call i32 @sched_yield()
  %after = call i64 @clock()
  %since.at = getelementptr %slot, ptr @slots, i64 %me, i32 3
  store i64 %after, ptr %since.at, align 8
  %seen.at = getelementptr %slot, ptr @slots, i64 %me, i32 4
  store i64 %after, ptr %seen.at, align 8
  call void @apart()
  %away = sub i64 %after, %before
  %wanted = icmp sgt i64 %away, AWAY_NS
  br i1 %wanted, label %shared, label %own
shared:
  store atomic i32 DOUBTS, ptr @crowded monotonic, align 4
  br label %own
own:
  %alone = xor i1 %wanted, true
  ret i1 %alone
}

; Worker %me has done a chunk, %done of them since it last accounted for any: give the core away if
; its turn is over. How many there are still to account for.
define internal i32 @between(i64 %me, i32 %done) noinline {
entry:
  %since.at = getelementptr %slot, ptr @slots, i64 %me, i32 3
  %since = load i64, ptr %since.at, align 8
  %seen.at = getelementptr %slot, ptr @slots, i64 %me, i32 4
  %seen = load i64, ptr %seen.at, align 8
  %now = call i64 @clock()
  store i64 %now, ptr %seen.at, align 8
  ; After a pause, or a chunk during which the core may have been taken, a turn begins.
  %gap = sub i64 %now, %seen
  %fresh = icmp sgt i64 %gap, GAP_NS
  br i1 %fresh, label %begins, label %goes.on
begins:
  store i64 %now, ptr %since.at, align 8
  ret i32 %done
goes.on:
  %turn = sub i64 %now, %since
  %over = icmp sgt i64 %turn, TURN_NS
  br i1 %over, label %give, label %keep
keep:
  ret i32 %done
give:
  call void @account(i32 %done)
  %alone = call i1 @yield(i64 %me)
  br i1 %alone, label %fewer, label %given
fewer:
  %doubts = load atomic i32, ptr @crowded monotonic, align 4
  %less = call i32 @llvm.usub.sat.i32(i32 %doubts, i32 1)
  store atomic i32 %less, ptr @crowded monotonic, align 4
  br label %given
given:
  ret i32 0
}
declare i32 @llvm.usub.sat.i32(i32, i32)
"""

# The threads that may run on a core are its own matter: the mask is the old one afterwards.
_LINUX = """
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal i32 @this_cpu() {
  %cpu = call i32 @sched_getcpu()
  ret i32 %cpu
}

; Move this thread to another core than %cpu; whether it was there and has moved.
define i32 @leave(i32 %cpu) noinline {
entry:
  %all = alloca [MASK x i8], align 8
  %others = alloca [MASK x i8], align 8
  %mine = call i32 @sched_getcpu()
  %same = icmp eq i32 %mine, %cpu
  %listed = icmp ult i32 %mine, BITS
  %shared = and i1 %same, %listed
  br i1 %shared, label %ask, label %stay
ask:
  call void @llvm.memset.p0.i64(ptr %all, i8 0, i64 MASK, i1 false)
  %unknown = call i32 @sched_getaffinity(i32 0, i64 MASK, ptr %all)
  %known = icmp eq i32 %unknown, 0
  br i1 %known, label %choose, label %stay
choose:
  call void @llvm.memcpy.p0.p0.i64(ptr %others, ptr %all, i64 MASK, i1 false)
  %byte = lshr i32 %cpu, 3
  %at = getelementptr i8, ptr %others, i32 %byte
  %number = and i32 %cpu, 7
  %place = trunc i32 %number to i8
  %bit = shl i8 1, %place
  %keep = xor i8 %bit, -1
  %old = load i8, ptr %at
  %new = and i8 %old, %keep
  store i8 %new, ptr %at
  %refused = call i32 @sched_setaffinity(i32 0, i64 MASK, ptr %others)
  %moved = icmp eq i32 %refused, 0
  br i1 %moved, label %restore, label %stay
restore:
  %error = call i32 @sched_setaffinity(i32 0, i64 MASK, ptr %all)
  ret i32 1
stay:
  ret i32 0
}
"""

# Where a thread cannot choose its core.
_ELSEWHERE = """
define internal i32 @this_cpu() {
  ret i32 -1
}
define i32 @leave(i32 %cpu) {
  ret i32 0
}
"""
_MASK = 1024  # bytes of a mask of cores
_NUMBERS = {
    "DOUBTS_OF_CALLER": DOUBTS_OF_CALLER,
    "DOUBTS": DOUBTS,
    "TURN_NS": TURN_NS,
    "AWAY_NS": AWAY_NS,
    "GAP_NS": TURN_NS // 2,
    "MASK": _MASK,
    "BITS": 8 * _MASK,
}


def crowd_text(linux: bool) -> str:
    """The functions `@here`, `@waited`, `@apart`, `@yield`, `@between`, `@is_crowded`, `@leave`."""
    text = (_COMMON + (_LINUX if linux else _ELSEWHERE)).replace("MONOTONIC", "1" if linux else "6")
    for name, value in _NUMBERS.items():
        text = text.replace(name, str(value))
    return text
