"""Panels kept between runs: the records by which an entry function finds them, and its side of it.

For each kernel that `keeps` panels, the buffer table holds the address of a record, of 8-byte
fields by position: `Record`. The caller owns records and panels, and counts up the version of what
the panels are copied from whenever that may have been written. The first run that meets a version
uses scratch, as if nothing were kept: what is written between any two runs costs nothing. The
second writes the panels, and those that come after it read them. Several threads may run one
function at the same time: one of them claims the record to write the panels; they are published by
the version of which they are.
"""

from __future__ import annotations

from enum import IntEnum

from tfc.base.records import dataclass
from tfc.codegen.text import Text
from tfc.codegen.values import V, i64
from tfc.ir.core import Function
from tfc.prims.control import CONTROL


class Record(IntEnum):
    """The fields of a record."""

    PANELS = 0  # address
    VERSION = 1  # address of the version of what they are copied from, which is never 0
    STAMP = 2  # the version that they are copied from; 0: none
    SEEN = 3  # the version that a run met last
    CLAIM = 4  # the version that somebody is copying; 0: nobody is


SCRATCH, WRITE, READ = 0, 1, 2


@dataclass(frozen=True)
class Kept:
    """Panels that a function keeps. slot: of the buffer table, what they are copied from, a
    parameter or a constant. panels: their form; functions with equal ones may share them. nbytes:
    memory for them."""

    slot: int
    panels: str
    nbytes: int


def count(fn: Function) -> int:
    """How many kernels of a function keep panels."""
    inner = (r for op in fn.ops if op.defn.name in CONTROL for r in op.regions)
    return sum("keeps" in op.kwargs for op in fn.ops) + sum(map(count, inner))


def begin(t: Text, args: V, position: int, record: V, runs: V | None = None) -> V:
    """Before a kernel that keeps panels: its two arguments from `position` on (`kernels.py`). What
    `end` is to be told. If it only runs where `runs` (i1) is true, nothing is begun elsewhere."""
    if runs is not None:
        (mode,) = t.choose(runs, lambda: [begin(t, args, position, record)], lambda: [i64(SCRATCH)])
        return mode
    mode = t.ins(f"call i64 @kept.begin(ptr {record.ref})", "i64")
    null = V("null", "ptr")
    panels = t.load("ptr", t.gep(record, int(Record.PANELS), "i64"), 8)
    base = t.select(t.cmp("ne", mode, i64(SCRATCH)), panels, null)
    fresh = t.select(t.cmp("eq", mode, i64(READ)), panels, null)
    for offset, pointer in enumerate((base, fresh)):
        t.store(pointer, t.gep(args, position + offset, "ptr"), 8)
    return mode


def end(t: Text, record: V, mode: V) -> None:
    """After that kernel, which has done all its work."""
    with t.when(t.cmp("eq", mode, i64(WRITE))):
        t.line(f"call void @kept.end(ptr {record.ref})")


def _field(name: str, field: Record) -> str:
    return f"%{name}.at = getelementptr i64, ptr %record, i64 {int(field)}"


TEXT = f"""\
define internal i64 @kept.begin(ptr %record) nounwind {{
entry:
{_field("version", Record.VERSION)}
{_field("stamp", Record.STAMP)}
{_field("seen", Record.SEEN)}
{_field("claim", Record.CLAIM)}
%cell = load ptr, ptr %version.at, align 8
%version = load atomic i64, ptr %cell acquire, align 8
%stamp = load atomic i64, ptr %stamp.at acquire, align 8
%known = icmp eq i64 %stamp, %version
br i1 %known, label %read, label %unknown
unknown:
%before = atomicrmw xchg ptr %seen.at, i64 %version acq_rel
%again = icmp eq i64 %before, %version
br i1 %again, label %try, label %scratch
try:
%tried = cmpxchg ptr %claim.at, i64 0, i64 %version acq_rel acquire
%claimed = extractvalue {{ i64, i1 }} %tried, 1
br i1 %claimed, label %look, label %scratch
look:
%stamp.now = load atomic i64, ptr %stamp.at acquire, align 8
%done = icmp eq i64 %stamp.now, %version
br i1 %done, label %give, label %write
give:
store atomic i64 0, ptr %claim.at release, align 8
br label %read
write:
ret i64 {WRITE}
read:
ret i64 {READ}
scratch:
ret i64 {SCRATCH}
}}
define internal void @kept.end(ptr %record) nounwind {{
entry:
{_field("stamp", Record.STAMP)}
{_field("claim", Record.CLAIM)}
%version = load i64, ptr %claim.at, align 8
store atomic i64 %version, ptr %stamp.at release, align 8
store atomic i64 0, ptr %claim.at release, align 8
ret void
}}
"""
