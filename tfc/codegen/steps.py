"""Runs of kernels as data. An entry that calls many kernels in a row holds their symbols and where
their arguments lie as a table, and one small loop that walks it: LLVM takes more than linear time
over a function of thousands of calls, and none over a table. A step of the walk costs nanoseconds.

A step is {kernel, chunks, arguments, base, polled}. What its arguments are follows, step after
step, in a second table: an arena offset times 2, or a buffer table offset times 2, plus 1. `base`
is added to the kernel's status if that is a failed assert's number; -1: the kernel has no status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

from tfc.base.records import dataclass
from tfc.codegen.kernels import Stage
from tfc.codegen.values import V
from tfc.ir.core import Op

T = TypeVar("T")

FEW = 16  # calls: written out below this number, where nanoseconds may count
NO_STATUS = -1


class Panels(NamedTuple):
    """Of a call: the record of the panels that a kernel keeps, which takes two arguments from
    `position` on; and the flag that says whether the kernel runs, if the call may be without it."""

    position: int
    record: V
    guard: V | None = None


class Call(NamedTuple):
    """A stage of a kernel to be called: on which pointers, from which assert on it counts its
    status, whether the cancel flag is read before, and the flag without which it is left out."""

    kernel: Op
    stage: Stage
    arguments: tuple[V, ...]
    base: int
    polled: bool
    light: bool
    joined: bool  # follows the call before chunk by chunk, or goes beside it
    records: tuple[Panels, ...] = ()
    guard: V | None = None

    @property
    def chunks(self) -> int:
        """What the fork takes: a light job has a negative number."""
        number = self.stage.chunks
        return -number if number != 1 and self.light else number


@dataclass(frozen=True)
class Step:
    """A call of a kernel on arguments ("arena", byte) or ("slot", number of the buffer table)."""

    kernel: str
    chunks: int
    arguments: tuple[tuple[str, int], ...]
    base: int
    polled: bool


def step_of(call: Call, names: Mapping[V, tuple[str, int]]) -> Step:
    """`call` as a step, all of whose arguments have names."""
    arguments = tuple(names[v] for v in call.arguments)
    return Step(call.stage.symbol, call.chunks, arguments, call.base, call.polled)


def table_text(name: str, steps: Sequence[Step]) -> str:
    """The globals `@name.steps` and `@name.arguments`."""
    rows = ", ".join(
        f"%step {{ptr @{s.kernel}, i32 {s.chunks}, i32 {len(s.arguments)}, i32 {s.base}, "
        f"i32 {int(s.polled)}}}"
        for s in steps
    )
    codes = [_code(*argument) for s in steps for argument in s.arguments]
    listed = ", ".join(f"i64 {code}" for code in codes)
    return (
        f"@{name}.steps = private unnamed_addr constant [{len(steps)} x %step] [{rows}]\n"
        f"@{name}.arguments = private unnamed_addr constant [{len(codes)} x i64] [{listed}]\n"
    )


def chains(calls: Sequence[T], joined: Callable[[T], bool]) -> list[list[T]]:
    """The calls in runs: one that is `joined` belongs to the run of the one before."""
    found: list[list[T]] = []
    for call in calls:
        if found and joined(call):
            found[-1].append(call)
        else:
            found.append([call])
    return found


def joined_call(name: str, calls: Sequence[Call]) -> tuple[Call, str]:
    """One call, of a function `name`, that does each chunk of all `calls` in turn; and its text.
    It takes a guard that some of the calls have as its last argument."""
    guards = {call.guard for call in calls}
    some = len(guards) > 1
    whole = calls[0].stage.chunks
    kernels, arguments = list[Link](), list[V]()
    records = list[Panels]()
    for call in calls:
        guard = call.guard if some else None
        for panels in call.records:
            records.append(panels._replace(position=panels.position + len(arguments), guard=guard))
        share = 0 if call.stage.chunks == whole else call.stage.chunks
        kernels.append(Link(call.stage.symbol, len(call.arguments), guard is not None, share))
        arguments += call.arguments
    if some:
        arguments += [guard for guard in guards if guard is not None]
    joined = calls[0]._replace(
        stage=Stage(name, "", frozenset(), whole),
        arguments=tuple(arguments),
        light=all(call.light for call in calls),
        records=tuple(records),
        guard=None if some else calls[0].guard,
    )
    return joined, chain_text(name, kernels, whole)


class Link(NamedTuple):
    """A kernel of a chain: its symbol, how many arguments it takes, whether it is guarded; and how
    many chunks it has if these are not those of the chain."""

    symbol: str
    arguments: int
    guarded: bool
    chunks: int = 0


def chain_text(name: str, kernels: Sequence[Link], chunks: int) -> str:
    """The function `@name` that does each of `chunks` of several kernels in turn, which have no
    status and whose arguments follow each other. The last argument of all is then where the guards'
    flag lies. A kernel with chunks of its own has a share of them done with each of the chain's."""
    lines, first, block = list[str](), 0, "each"
    for guarded, group in groupby(enumerate(kernels), lambda kernel: kernel[1].guarded):
        run = list(group)
        if guarded:
            past = f"past.{run[0][0]}"
            lines += [f"br i1 %on, label %guarded.{run[0][0]}, label %{past}"]
            lines += [f"guarded.{run[0][0]}:"]
        for number, link in run:
            at, begin, end, room = f"%args.{number}", "%chunk", "%next", "%room"
            lines.append(f"{at} = getelementptr ptr, ptr %args, i64 {first}")
            call = f"%status.{number} = call i32 @{link.symbol}(ptr %ctx, ptr {at}, "
            if link.chunks:
                begin = room = _share(lines, f"%begin.{number}", begin, link.chunks, chunks)
                end = _share(lines, f"%end.{number}", end, link.chunks, chunks)
                lines += [
                    f"%some.{number} = icmp ult i64 {begin}, {end}",
                    f"br i1 %some.{number}, label %share.{number}, label %shared.{number}",
                    f"share.{number}:",
                ]
            lines.append(f"{call}i64 {begin}, i64 {end}, i64 {room})")
            if link.chunks:
                block = f"shared.{number}"
                lines += [f"br label %{block}", f"{block}:"]
            first += link.arguments
        if guarded:
            lines += [f"br label %{past}", f"{past}:"]
            block = past
    head = [
        f"%flag.at = getelementptr ptr, ptr %args, i64 {first}",
        "%flag = load ptr, ptr %flag.at, align 8",
        "%set = load i8, ptr %flag, align 1",
        "%on = icmp ne i8 %set, 0",
    ]
    if not any(link.guarded for link in kernels):
        head = []
    entry, body = "\n".join(["entry:", *head]), "\n".join(lines)
    return f"""\
define internal i32 @{name}(ptr %ctx, ptr %args, i64 %lo, i64 %hi, i64 %room) nounwind {{
{entry}
br label %each
each:
%chunk = phi i64 [%lo, %entry], [%next, %{block}]
%next = add i64 %chunk, 1
{body}
%more = icmp slt i64 %next, %hi
br i1 %more, label %each, label %done
done:
ret i32 0
}}
"""


def _share(lines: list[str], name: str, chunk: str, mine: int, chunks: int) -> str:
    """Where, of `mine` chunks, those begin that go with chunk number `chunk` of `chunks`."""
    lines.append(f"{name}.all = mul i64 {chunk}, {mine}")
    lines.append(f"{name} = udiv i64 {name}.all, {chunks}")
    return name


def _code(kind: str, number: int) -> int:
    return 2 * number if kind == "arena" else 16 * number + 1


WALK = """\
%step = type {ptr, i32, i32, i32, i32}
define internal i32 @walk(ptr %ctx, ptr %args, ptr %steps, i64 %count, ptr %codes) nounwind {
entry:
%arena = load ptr, ptr %ctx, align 8
%table.at = getelementptr ptr, ptr %ctx, i64 1
%table = load ptr, ptr %table.at, align 8
%cancel.at = getelementptr ptr, ptr %ctx, i64 2
%cancel = load ptr, ptr %cancel.at, align 8
%fork.at = getelementptr ptr, ptr %ctx, i64 4
%fork = load ptr, ptr %fork.at, align 8
br label %step
step:
%i = phi i64 [0, %entry], [%i.next, %done]
%code = phi ptr [%codes, %entry], [%code.end, %done]
%s = getelementptr %step, ptr %steps, i64 %i
%kernel = load ptr, ptr %s, align 8
%chunks.at = getelementptr %step, ptr %s, i64 0, i32 1
%chunks = load i32, ptr %chunks.at, align 4
%length.at = getelementptr %step, ptr %s, i64 0, i32 2
%length.short = load i32, ptr %length.at, align 4
%length = zext i32 %length.short to i64
%base.at = getelementptr %step, ptr %s, i64 0, i32 3
%base = load i32, ptr %base.at, align 4
%polled.at = getelementptr %step, ptr %s, i64 0, i32 4
%polled = load i32, ptr %polled.at, align 4
%polls = icmp ne i32 %polled, 0
br i1 %polls, label %poll, label %arguments
poll:
%flag = load atomic i32, ptr %cancel monotonic, align 4
%stop = icmp ne i32 %flag, 0
br i1 %stop, label %cancelled, label %arguments
cancelled:
ret i32 -1
arguments:
%code.end = getelementptr i64, ptr %code, i64 %length
%none = icmp eq i64 %length, 0
br i1 %none, label %call, label %argument
argument:
%a = phi i64 [0, %arguments], [%a.next, %stored]
%c.at = getelementptr i64, ptr %code, i64 %a
%c = load i64, ptr %c.at, align 8
%bit = and i64 %c, 1
%direct = icmp eq i64 %bit, 0
%from = select i1 %direct, ptr %arena, ptr %table
%offset = lshr i64 %c, 1
%place = getelementptr i8, ptr %from, i64 %offset
br i1 %direct, label %stored, label %slot
slot:
%held = load ptr, ptr %place, align 8
br label %stored
stored:
%pointer = phi ptr [%place, %argument], [%held, %slot]
%arg.at = getelementptr ptr, ptr %args, i64 %a
store ptr %pointer, ptr %arg.at, align 8
%a.next = add i64 %a, 1
%a.more = icmp ult i64 %a.next, %length
br i1 %a.more, label %argument, label %call
call:
%whole = icmp eq i32 %chunks, 1
br i1 %whole, label %alone, label %split
alone:
%status.alone = call i32 %kernel(ptr %ctx, ptr %args, i64 0, i64 1, i64 0)
br label %called
split:
%many = sext i32 %chunks to i64
%status.split = call i32 %fork(ptr %ctx, ptr %kernel, ptr %args, i64 %many)
br label %called
called:
%status = phi i32 [%status.alone, %alone], [%status.split, %split]
%fine = icmp eq i32 %status, 0
%ignored = icmp slt i32 %base, 0
%goes.on = or i1 %fine, %ignored
br i1 %goes.on, label %done, label %failed
failed:
%stopped = icmp slt i32 %status, 0
%number.assert = add i32 %status, %base
%number = select i1 %stopped, i32 %status, i32 %number.assert
%record.at = getelementptr ptr, ptr %ctx, i64 3
%record = load ptr, ptr %record.at, align 8
%number.wide = sext i32 %number to i64
store i64 %number.wide, ptr %record, align 8
ret i32 %number
done:
%i.next = add i64 %i, 1
%more = icmp ult i64 %i.next, %count
br i1 %more, label %step, label %end
end:
ret i32 0
}
"""
