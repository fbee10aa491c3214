"""LLVM assembly of the thread pool; `native_rt.py` says what it does.

The protocol. Each participant of a job has a slot: the caller the first, the workers the others.
`ticket` in it holds the job's number in its high 32 bits and below, 16 bits each, the end and the
start of the participant's range of chunks. He takes from the start, by compare-and-swap; whoever
has none left takes from the ends of the others' ranges. The job's fields are read only after
winning a chunk: until that is accounted for in `pending` the caller cannot return, so the fields
cannot change. A worker looks at its own slot only, for work and for being woken. `since` and
`seen` in it are when its turn on a shared core began, and when it last looked at the clock.
"""

from __future__ import annotations

from tfc.codegen.crowd_text import IDLE_SPINS, LATE_SPINS, crowd_text

_FUTEX = {"x86_64": 202, "aarch64": 98}  # number of the futex system call on Linux
_PAUSE = {"x86_64": "llvm.x86.sse2.pause()", "aarch64": "llvm.aarch64.hint(i32 1)"}

_STATE = """
; ticket, asleep, wake, since, seen
%slot = type { i64, i32, i32, i64, i64, [32 x i8] }
@slots = internal global [THREADS x %slot] zeroinitializer, align 64
@pending = internal global i32 0, align 64
@waiting = internal global i32 0
@failure = internal global i64 -1
@job_ctx = internal global ptr null, align 64
@job_kernel = internal global ptr null
@job_args = internal global ptr null
@parts = internal global i64 0
@number = internal global i64 0
@busy = internal global i32 0, align 64
@started = internal global i64 0
@spins = internal global i64 0, align 64

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)
"""

# Sleep while the i32 at %word is %seen, and wake up to %count sleepers.
_LINUX_WAIT = """
declare i64 @syscall(i64, ...)
define internal void @sleep_on(ptr %word, i32 %seen) noinline {
  call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 128, i32 %seen, ptr null, ptr null, i32 0)
  ret void
}
define internal void @wake_on(ptr %word, i32 %count) noinline {
  call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i32 129, i32 %count, ptr null, ptr null, i32 0)
  ret void
}
"""

# Where there is no futex, sleeping is polling at 50 us.
_POLLING_WAIT = """
declare i32 @usleep(i32)
define internal void @sleep_on(ptr %word, i32 %seen) noinline {
  %slept = call i32 @usleep(i32 50)
  ret void
}
define internal void @wake_on(ptr %word, i32 %count) noinline {
  ret void
}
"""

_WORK = """
; A chunk of the range of participant %p, the last one if %back, else the first; -1: none is left.
; With it the number of the job: who looks for chunks of one may find those of the next.
define internal { i64, i64 } @grab(i64 %p, i1 %back) {
entry:
  %at = getelementptr %slot, ptr @slots, i64 %p
  br label %try
try:
  %t = load atomic i64, ptr %at acquire, align 8
  %lo = and i64 %t, 65535
  %high = lshr i64 %t, 16
  %hi = and i64 %high, 65535
  %some = icmp ult i64 %lo, %hi
  br i1 %some, label %take, label %none
take:
  %more = add i64 %t, 1
  %less = sub i64 %t, 65536
  %new = select i1 %back, i64 %less, i64 %more
  %pair = cmpxchg ptr %at, i64 %t, i64 %new acq_rel acquire
  %won = extractvalue { i64, i1 } %pair, 1
  %last = sub i64 %hi, 1
  %chunk = select i1 %back, i64 %last, i64 %lo
  br i1 %won, label %got, label %try
got:
  %job = lshr i64 %t, 32
  %found = insertvalue { i64, i64 } poison, i64 %chunk, 0
  %both = insertvalue { i64, i64 } %found, i64 %job, 1
  ret { i64, i64 } %both
none:
  ret { i64, i64 } { i64 -1, i64 -1 }
}

; Run chunks as participant %me until none is left; how many this thread accounts for.
define internal i32 @work(i64 %me) noinline {
entry:
  %parts = load atomic i64, ptr @parts monotonic, align 8
  br label %range
range:
  %k = phi i64 [ 0, %entry ], [ %k1, %empty ]
  %before = phi i32 [ 0, %entry ], [ %done, %empty ]
  %room.was = phi i64 [ 0, %entry ], [ %room.now, %empty ]
  %job.was = phi i64 [ -1, %entry ], [ %job.now, %empty ]
  %beyond = add i64 %me, %k
  %wraps = icmp uge i64 %beyond, %parts
  %wrapped = sub i64 %beyond, %parts
  %p = select i1 %wraps, i64 %wrapped, i64 %beyond
  %theirs = icmp ne i64 %k, 0
  br label %next
next:
  %done = phi i32 [ %before, %range ], [ %done1, %ran ], [ %left, %shares ]
  %room.now = phi i64 [ %room.was, %range ], [ %room, %ran ], [ %room, %shares ]
  %job.now = phi i64 [ %job.was, %range ], [ %job, %ran ], [ %job, %shares ]
  %got = call { i64, i64 } @grab(i64 %p, i1 %theirs)
  %lo = extractvalue { i64, i64 } %got, 0
  %over = icmp slt i64 %lo, 0
  br i1 %over, label %empty, label %run
run:
  %ctx = load ptr, ptr @job_ctx
  %kernel = load ptr, ptr @job_kernel
  %args = load ptr, ptr @job_args
  %hi = add i64 %lo, 1
  ; The room of this thread is the first chunk that it does of a job.
  %job = extractvalue { i64, i64 } %got, 1
  %same = icmp eq i64 %job, %job.now
  %room = select i1 %same, i64 %room.now, i64 %lo
  %status = call i32 %kernel(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %ran, label %bad
bad:
  %wide = zext i32 %status to i64
  %high = shl i64 %lo, 32
  %key = or i64 %high, %wide
  %older = atomicrmw umin ptr @failure, i64 %key acq_rel
  br label %ran
ran:
  %done1 = add i32 %done, 1
  %crowd = load atomic i32, ptr @crowded monotonic, align 4
  %own = icmp eq i32 %crowd, 0
  %caller = icmp eq i64 %me, 0
  %stays = or i1 %own, %caller
  br i1 %stays, label %next, label %shares
shares:
  %left = call i32 @between(i64 %me, i32 %done1)
  br label %next
empty:
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, %parts
  br i1 %more, label %range, label %out
out:
  ret i32 %done
}

; Account for %done chunks; whoever finishes the last one wakes a sleeping caller.
define internal void @account(i32 %done) {
  %some = icmp ne i32 %done, 0
  br i1 %some, label %sub, label %out
sub:
  %old = atomicrmw sub ptr @pending, i32 %done seq_cst
  %last = icmp eq i32 %old, %done
  br i1 %last, label %final, label %out
final:
  %asleep = load atomic i32, ptr @waiting seq_cst, align 4
  %wake = icmp ne i32 %asleep, 0
  br i1 %wake, label %call, label %out
call:
  call void @wake_on(ptr @pending, i32 1)
  br label %out
out:
  ret void
}

; Whether participant %me has chunks of its own.
define internal i1 @wanted(i64 %me) {
  %at = getelementptr %slot, ptr @slots, i64 %me
  %t = load atomic i64, ptr %at seq_cst, align 8
  %lo = and i64 %t, 65535
  %high = lshr i64 %t, 16
  %hi = and i64 %high, 65535
  %some = icmp ult i64 %lo, %hi
  ret i1 %some
}

define internal ptr @worker(ptr %arg) noinline {
entry:
  %me = ptrtoint ptr %arg to i64
  %asleep = getelementptr %slot, ptr @slots, i64 %me, i32 1
  %wake = getelementptr %slot, ptr @slots, i64 %me, i32 2
  br label %idle
idle:
  br label %spin
spin:
  %n = phi i64 [ 0, %idle ], [ %n1, %more.turns ], [ %n1, %shares ], [ %n1, %give ]
  %go = call i1 @wanted(i64 %me)
  br i1 %go, label %job, label %again
again:
  call void @PAUSE
  %n1 = add i64 %n, 1
  %limit = load atomic i64, ptr @spins monotonic, align 8
  %more = icmp ult i64 %n1, %limit
  br i1 %more, label %more.turns, label %rest
more.turns:
  %crowd = load atomic i32, ptr @crowded monotonic, align 4
  %own = icmp eq i32 %crowd, 0
  br i1 %own, label %spin, label %shares
shares:
  %part = urem i64 %n1, IDLE_SPINS
  %enough = icmp eq i64 %part, 0
  br i1 %enough, label %give, label %spin
give:
  %alone = call i1 @yield(i64 %me)
  br label %spin
rest:
  %seen = load atomic i32, ptr %wake seq_cst, align 4
  store atomic i32 1, ptr %asleep seq_cst, align 4
  %late = call i1 @wanted(i64 %me)
  br i1 %late, label %up, label %down
down:
  call void @sleep_on(ptr %wake, i32 %seen)
  call void @apart()
  br label %up
up:
  store atomic i32 0, ptr %asleep seq_cst, align 4
  br label %idle
job:
  %done = call i32 @work(i64 %me)
  call void @account(i32 %done)
  br label %idle
}
"""

_START = """
; Create workers until there are %count, with all signals blocked in them. The caller holds @busy.
; Fewer workers than asked for is not an error: the caller does what nobody else does.
define internal void @start(i64 %count) noinline {
entry:
  %all = alloca [128 x i8], align 8
  %old = alloca [128 x i8], align 8
  %thread = alloca i64, align 8
  call void @llvm.memset.p0.i64(ptr %all, i8 -1, i64 128, i1 false)
  %m1 = call i32 @pthread_sigmask(i32 SIG_SETMASK, ptr %all, ptr %old)
  br label %next
next:
  %id = load i64, ptr @started
  %enough = icmp uge i64 %id, %count
  br i1 %enough, label %out, label %make
make:
  %id1 = add i64 %id, 1
  %arg = inttoptr i64 %id1 to ptr
  %error = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %arg)
  %ok = icmp eq i32 %error, 0
  br i1 %ok, label %made, label %out
made:
  %handle = load i64, ptr %thread
  %e2 = call i32 @pthread_detach(i64 %handle)
  store i64 %id1, ptr @started
  br label %next
out:
  %m2 = call i32 @pthread_sigmask(i32 SIG_SETMASK, ptr %old, ptr null)
  ret void
}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""

_FOR = """
define internal i32 @share(ptr %ctx, ptr %kernel, ptr %args, i64 %given, i64 %helpers) noinline {
entry:
  %light = icmp slt i64 %given, 0
  %opposite = sub i64 0, %given
  %chunks = select i1 %light, i64 %opposite, i64 %given
  %many = icmp ugt i64 %chunks, 1
  %fits = icmp ult i64 %chunks, 65536
  %split = and i1 %many, %fits
  %others = icmp ne i64 %helpers, 0
  %shared = and i1 %split, %others
  br i1 %shared, label %worth, label %alone
worth:
  ; A light job is not worth starting or waking anybody.
  %awake = load atomic i64, ptr @started monotonic, align 8
  %alone.yet = icmp eq i64 %awake, 0
  %asleep.at = getelementptr %slot, ptr @slots, i64 1, i32 1
  %sleeps = load atomic i32, ptr %asleep.at monotonic, align 4
  %dozing = icmp ne i32 %sleeps, 0
  %nobody = or i1 %alone.yet, %dozing
  %leave = and i1 %light, %nobody
  br i1 %leave, label %alone, label %take
take:
  %pair = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %pair, 1
  br i1 %mine, label %ready, label %alone
alone:
  %direct = call i32 %kernel(ptr %ctx, ptr %args, i64 0, i64 %chunks, i64 0)
  ret i32 %direct
ready:
  %rest = sub i64 %chunks, 1
  %helping = call i64 @llvm.umin.i64(i64 %helpers, i64 %rest)
  %have = load i64, ptr @started
  %few = icmp ult i64 %have, %helping
  br i1 %few, label %begin, label %publish
begin:
  call void @start(i64 %helping)
  br label %publish
publish:
  store ptr %ctx, ptr @job_ctx
  store ptr %kernel, ptr @job_kernel
  store ptr %args, ptr @job_args
  store i64 -1, ptr @failure
  %shares = add i64 %helping, 1
  store atomic i64 %shares, ptr @parts monotonic, align 8
  %count = trunc i64 %chunks to i32
  store atomic i32 %count, ptr @pending monotonic, align 4
  %number = load i64, ptr @number
  %number1 = add i64 %number, 1
  store i64 %number1, ptr @number
  %epoch = shl i64 %number1, 32
  br label %deal
deal:
  ; participant p's range is [p * chunks / shares, (p + 1) * chunks / shares)
  %left = phi i64 [ %shares, %publish ], [ %p, %deal ]
  %p = sub i64 %left, 1
  %low = mul i64 %p, %chunks
  %lo = udiv i64 %low, %shares
  %high = mul i64 %left, %chunks
  %hi = udiv i64 %high, %shares
  %end = shl i64 %hi, 16
  %range = or i64 %end, %lo
  %ticket = or i64 %epoch, %range
  %ticket.at = getelementptr %slot, ptr @slots, i64 %p
  %prior = atomicrmw xchg ptr %ticket.at, i64 %ticket seq_cst
  %dealt = icmp eq i64 %p, 0
  br i1 %dealt, label %rouse, label %deal
rouse:
  %w = phi i64 [ 1, %deal ], [ %w1, %roused ]
  %down.at = getelementptr %slot, ptr @slots, i64 %w, i32 1
  %down = load atomic i32, ptr %down.at seq_cst, align 4
  %asleep = icmp ne i32 %down, 0
  br i1 %asleep, label %call, label %roused
call:
  call void @here()
  %wake.at = getelementptr %slot, ptr @slots, i64 %w, i32 2
  %woke = atomicrmw add ptr %wake.at, i32 1 seq_cst
  call void @wake_on(ptr %wake.at, i32 1)
  br label %roused
roused:
  %w1 = add i64 %w, 1
  %further = icmp ult i64 %w1, %shares
  br i1 %further, label %rouse, label %go
go:
  %crowd = load atomic i32, ptr @crowded monotonic, align 4
  %own = icmp eq i32 %crowd, 0
  br i1 %own, label %begun, label %tell
tell:
  call void @here()
  br label %begun
begun:
  %done = call i32 @work(i64 0)
  %old = atomicrmw sub ptr @pending, i32 %done seq_cst
  br label %wait
wait:
  %n = phi i64 [ 0, %begun ], [ %n1, %pause ], [ %n1, %late ], [ %n, %woken ]
  %p1 = load atomic i32, ptr @pending acquire, align 4
  %over = icmp eq i32 %p1, 0
  br i1 %over, label %joined, label %hold
hold:
  %limit = load atomic i64, ptr @spins monotonic, align 8
  %patient = icmp ult i64 %n, %limit
  br i1 %patient, label %pause, label %sleep
pause:
  call void @PAUSE
  %n1 = add i64 %n, 1
  %is.late = icmp eq i64 %n1, LATE_SPINS
  br i1 %is.late, label %late, label %wait
late:
  call void @waited()
  br label %wait
sleep:
  store atomic i32 1, ptr @waiting seq_cst, align 4
  %p2 = load atomic i32, ptr @pending seq_cst, align 4
  %done2 = icmp eq i32 %p2, 0
  br i1 %done2, label %woken, label %futex
futex:
  call void @sleep_on(ptr @pending, i32 %p2)
  br label %woken
woken:
  store atomic i32 0, ptr @waiting seq_cst, align 4
  br label %wait
joined:
  %key = load atomic i64, ptr @failure acquire, align 8
  %good = icmp eq i64 %key, -1
  br i1 %good, label %finish, label %again
again:
  ; Several chunks may have written the error record: the lowest one writes it once more, alone.
  %bad = lshr i64 %key, 32
  %after = add i64 %bad, 1
  %repeat = call i32 %kernel(ptr %ctx, ptr %args, i64 %bad, i64 %after, i64 %bad)
  %first = trunc i64 %key to i32
  %same = icmp ne i32 %repeat, 0
  %failed = select i1 %same, i32 %repeat, i32 %first
  br label %finish
finish:
  %status = phi i32 [ 0, %joined ], [ %failed, %again ]
  store atomic i32 0, ptr @busy release, align 4
  ret i32 %status
}

define void @set_spins(i64 %n) {
  store atomic i64 %n, ptr @spins monotonic, align 8
  ret void
}

define i64 @workers() {
  %n = load i64, ptr @started
  ret i64 %n
}

; For a forked child, where only the forking thread exists.
define void @reset() {
  store i32 0, ptr @busy
  store i32 0, ptr @pending
  store i32 0, ptr @waiting
  store i64 0, ptr @started
  store i32 0, ptr @crowded
  call void @llvm.memset.p0.i64(ptr @slots, i8 0, i64 BYTES, i1 false)
  ret void
}
declare i64 @llvm.umin.i64(i64, i64)
"""

# One entry per number of threads: a session's setting is the function it calls.
_THUNK = """
define i32 @parallel_for_THREADS(ptr %ctx, ptr %kernel, ptr %args, i64 %chunks) {
  %status = tail call i32 @share(ptr %ctx, ptr %kernel, ptr %args, i64 %chunks, i64 HELPERS)
  ret i32 %status
}
"""
_PAUSE_CALL = "call void @PAUSE"


def runtime_text(machine: str, system: str, threads: int) -> str:
    """LLVM assembly of the pool for `machine` ("x86_64", "aarch64") and `system` (`sys.platform`),
    with entries `parallel_for_1` to `parallel_for_<threads>`."""
    linux = system.startswith("linux") and machine in _FUTEX
    state = _STATE.replace("THREADS", str(threads))
    forks = _FOR.replace("BYTES", str(64 * threads))
    parts = [
        state,
        _LINUX_WAIT if linux else _POLLING_WAIT,
        crowd_text(linux),
        _WORK,
        _START,
        forks,
    ]
    parts += [
        _THUNK.replace("THREADS", str(n)).replace("HELPERS", str(n - 1))
        for n in range(1, threads + 1)
    ]
    text = "".join(parts).replace("FUTEX", str(_FUTEX.get(machine, 0)))
    text = text.replace("IDLE_SPINS", str(IDLE_SPINS)).replace("LATE_SPINS", str(LATE_SPINS))
    text = text.replace("SIG_SETMASK", "2" if linux else "3")
    if machine not in _PAUSE:
        return text.replace(_PAUSE_CALL, "")
    pause = _PAUSE[machine]
    name, arguments = pause[: pause.index("(")], pause[pause.index("(") + 1 : -1]
    kind = arguments.split(" ")[0]
    return text.replace("@PAUSE", "@" + pause) + f"declare void @{name}({kind})\n"
