"""Entries with loops: calls that a signal, or a Session that is closed, has to end."""

from __future__ import annotations

from tfc.codegen.dispatch.code import ERROR, NO, NULL, YES, Code, function, py
from tfc.codegen.dispatch.layout import Context, Entry, Feed, Table, Watch
from tfc.codegen.values import V, const, i64


@function("ptr", "ptr")
def run_entry(c: Code, entry: V) -> V:
    """Run an entry whose feeds are bound. Null: it could not, and nothing has changed."""
    context = c.get(entry, Entry.CONTEXT, "ptr")
    watch = c.get(context, Context.WATCH, "ptr")
    return c.pick(
        c.same(watch, NULL),
        lambda: c.call("ptr", "run_bound", entry),
        lambda: c.call("ptr", "run_with_loops", entry, context, watch),
    )


@function("ptr", "ptr ptr ptr")
def run_with_loops(c: Code, entry: V, context: V, watch: V) -> V:
    """As `run_bound`; who closes the Session finds the thread. What other threads and signal
    handlers may change before the call is held from here on."""
    owner = c.get(entry, Entry.OWNER, "ptr")
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    c.put(i64(1), context, Context.BUSY)
    c.call("void", "Py_IncRef", owner)
    with c.each(feeds, count, len(Feed)) as feed:
        c.call("void", "Py_IncRef", c.get(feed, Feed.VALUE, "ptr"))
    thread = c.call("i64", "PyThread_get_thread_ident")
    c.put(thread, context, Context.THREAD)
    result = c.pick(
        c.same(thread, c.get(watch, Watch.MAIN)),
        lambda: c.call("ptr", "run_in_main_thread", entry, context, watch),
        lambda: c.call("ptr", "run_bound", entry),
    )
    c.put(i64(0), context, Context.THREAD)
    c.put(i64(1), context, Context.BUSY)  # until the values, which the records name, are let go
    with c.each(feeds, count, len(Feed)) as feed:
        c.drop(c.get(feed, Feed.VALUE, "ptr"))
    c.put(i64(0), context, Context.BUSY)
    c.drop(owner)
    return result


@function("ptr", "ptr ptr ptr")
def run_in_main_thread(c: Code, entry: V, context: V, watch: V) -> V:
    """As `run_bound`, ended by the first signal: whoever reads the wakeup fd sets the stop flag
    that RUNNING names. What has arrived before is handled first."""
    c.leave(c.same(c.call("i1", "listen", watch), NO), NULL)
    outer = c.get(watch, Watch.RUNNING, "ptr")
    c.put(c.get(context, Context.STOP, "ptr"), watch, Watch.RUNNING)
    raised = c.differ(c.call("i32", "PyErr_CheckSignals"), 0)
    result = c.pick(raised, lambda: ERROR, lambda: c.call("ptr", "run_if_current", entry))
    c.put(outer, watch, Watch.RUNNING)
    return result


@function("ptr", "ptr")
def run_if_current(c: Code, entry: V) -> V:
    """As `run_bound`, where Python code may have changed what the entry relies on."""
    current = c.call("i1", "is_good", entry)
    return c.pick(current, lambda: c.call("ptr", "run_bound", entry), lambda: NULL)


@function("i1", "ptr")
def listen(c: Code, watch: V) -> V:
    """Make our fd the wakeup fd. False if there is none, or if another library has its own."""
    args, keywords = c.get(watch, Watch.ARGS, "ptr"), c.get(watch, Watch.KEYWORDS, "ptr")
    c.leave(c.same(args, NULL), NO)
    cell, mine = c.get(watch, Watch.CELL, "ptr"), c.get(watch, Watch.FD)
    with c.when(c.differ(cell, NULL)):
        c.leave(c.same(c.cast("sext", c.load("i32", cell, 4), "i64"), mine), YES)
    before = c.call("ptr", "PyObject_Call", py("set_wakeup_fd"), args, keywords)
    with c.when(c.same(before, NULL), NO):
        c.call("void", "PyErr_Clear")
    number = c.call("i64", "PyLong_AsLongLongAndOverflow", before, c.alloca("i32", 4))
    free = c.either(c.same(number, -1), c.same(number, mine))
    with c.when(c.op("xor", free, YES)):
        c.drop(c.call("ptr", "PyObject_CallOneArg", py("set_wakeup_fd"), before))
        c.call("void", "PyErr_Clear")
    c.drop(before)
    return free


@function("i1", "ptr")
def is_current(c: Code, table: V) -> V:
    """Whether what a table's entries rely on is as it was when they were made."""
    same = const("i1", 1)
    for now, then in (
        (Table.MUTATIONS, Table.MUTATIONS_THEN),
        (Table.GENERATION, Table.GENERATION_THEN),
    ):
        current = c.load("i64", c.get(table, now, "ptr"), 8)
        same = c.both(same, c.same(current, c.get(table, then)))
    return same


@function("i1", "ptr")
def is_good(c: Code, entry: V) -> V:
    """Whether an entry may still be used, where others may have thrown it away meanwhile: what its
    table relies on now need not be what it was made for."""
    current = c.call("i1", "is_current", c.get(entry, Entry.TABLE, "ptr"))
    return c.both(current, c.same(c.get(entry, Entry.FAILED), 0))
