"""LLVM text of native dispatch: `Session.run` from Python's arguments to the compiled function.

Three functions with the calling convention of METH_FASTCALL | METH_KEYWORDS leave this module:
`run` and `attempt` are methods of sessions (`attempt` gives NotImplemented where `run` calls the
Python method), `run_callable` is the method of what `make_callable` returns. All walk the records
of `layout.py`, and take an entry only if nothing can differ from what the Python method would do:
the graph and the types of the variables are those the entry was made for, the fetched objects
and the keys of the feeds are the same objects or equal names, each value is an array that can be
used as it is (or what `convert.py` converts as numpy does), nobody else is in a call of the same
function, and the Session's lock is free. Everything else is the Python method's, also the message
of a run that fails: a failed run has changed nothing, and is done again there.

Python code can run in only four places, and what is needed after them is held: where numpy
converts an array, where signals are handled before a loop, while the GIL is released, and where
objects are made or let go (collections of garbage run finalizers): large results, whose memory
handler is a context variable's value, and what the caller gets. Until then the objects are
borrowed from the caller. No exception is pending when a function here returns "not mine" (null).
"""

from __future__ import annotations

from tfc.codegen.dispatch import call, convert, match, watch
from tfc.codegen.dispatch.code import ERROR, FUNCTIONS, NULL, YES, Code, function, py
from tfc.codegen.dispatch.layout import Context, Entry, Kind, Table
from tfc.codegen.values import V, i64
from tfc.runtime import python_abi as abi

EXPORTS = ("run", "attempt", "run_callable")
PARTS = (match, convert, call, watch)  # what they define is in FUNCTIONS


# -- from Python --------------------------------------------------------------------------------
@function("ptr", "ptr")
def first_entry(c: Code, self: V) -> V:
    """The first entry of `self`, if what all of them rely on is as it was."""
    holder = c.of_object(self, abi.FIRST_SLOT)
    c.leave(c.same(holder, NULL), NULL)
    c.leave(c.differ(c.of_object(holder, abi.TYPE), py("ndarray")), NULL)
    table = c.of_object(holder, abi.ARRAY_DATA)
    first = c.get(table, Table.FIRST, "ptr")
    return c.select(c.call("i1", "is_current", table), first, NULL)


@function("ptr", "ptr ptr ptr ptr ptr ptr i64")
def search(c: Code, first: V, matches: V, fetch: V, suits: V, takes: V, fed: V, count: V) -> V:
    """Run the entry for these fetches and feeds; null if there is none."""
    with c.chain(first) as entry, c.when(c.same(c.get(entry, Entry.FEEDS_COUNT), count)):
        nested = c.both(c.same(c.get(entry, Entry.KIND), Kind.NESTED), c.differ(fetch, NULL))
        fits = c.select(nested, V("@matches_nested", "ptr"), matches)
        known = c.ins(f"call i1 {fits.ref}(ptr {entry.ref}, ptr {fetch.ref})", "i1")
        context = c.get(entry, Entry.CONTEXT, "ptr")
        busy = c.op("or", c.get(context, Context.BUSY), c.get(entry, Entry.FAILED))
        ready = c.both(known, c.same(busy, 0))
        converts = c.differ(c.get(entry, Entry.CONVERTS), 0)
        with c.when(c.both(ready, converts)):
            fits = c.ins(f"call i1 {suits.ref}(ptr {entry.ref}, ptr {fed.ref})", "i1")
            with c.when(fits):
                c.give(c.call("ptr", "run_converting", entry, takes, fed))
        with c.when(c.both(ready, c.op("xor", converts, YES))):
            fits = c.ins(f"call i1 {takes.ref}(ptr {entry.ref}, ptr {fed.ref})", "i1")
            with c.when(fits):
                c.give(c.call("ptr", "run_entry", entry))
    return NULL


@function("ptr", "ptr ptr i64 ptr")
def dispatch(c: Code, self: V, args: V, given: V, names: V) -> V:
    """`run(fetch[, feed_dict])` or `run(fetch, feed_dict=...)`; null for anything else."""
    first = c.call("ptr", "first_entry", self)
    c.leave(c.same(first, NULL), NULL)
    c.leave(c.cmp("slt", given, i64(1)), NULL)
    named = c.pick(
        c.same(names, NULL), lambda: i64(0), lambda: c.call("i64", "PyTuple_Size", names)
    )
    total = c.op("add", given, named)
    c.leave(c.cmp("sgt", total, i64(2)), NULL)
    with c.when(c.same(named, 1)):
        c.leave(c.differ(c.item("Tuple", names, 0), py("feed_dict")), NULL)
    fetch = c.load("ptr", args, 8)
    fed = c.pick(
        c.same(total, 2), lambda: c.load("ptr", c.gep(args, 1, "ptr"), 8), lambda: py("None")
    )
    nothing = c.same(fed, py("None"))
    is_dict = c.same(c.of_object(fed, abi.TYPE), py("dict"))
    c.leave(c.op("xor", c.either(nothing, is_dict), YES), NULL)
    count = c.pick(nothing, lambda: i64(0), lambda: c.call("i64", "PyDict_Size", fed))
    type = c.of_object(fetch, abi.TYPE)
    matches = V("@matches_leaf", "ptr")
    for of in ("list", "tuple", "dict"):
        matches = c.select(c.same(type, py(of)), V(f"@matches_{of}", "ptr"), matches)
    suits, takes = V("@suits_dict", "ptr"), V("@takes_dict", "ptr")
    return c.call("ptr", "search", first, matches, fetch, suits, takes, fed, count)


@function("ptr", "ptr ptr ptr i64 ptr")
def call_method(c: Code, method: V, self: V, args: V, given: V, names: V) -> V:
    """`method(self, *args, **kwargs)`, a function of Python."""
    named = c.pick(
        c.same(names, NULL), lambda: i64(0), lambda: c.call("i64", "PyTuple_Size", names)
    )
    count = c.op("add", given, named)
    room = c.op("add", count, i64(1))
    all_args = c.ins(f"alloca ptr, i64 {room.ref}, align 8", "ptr")
    c.store(self, all_args, 8)
    with c.loop(i64(0), count) as loop:
        value = c.load("ptr", c.gep(args, loop.index, "ptr"), 8)
        c.store(value, c.gep(c.gep(all_args, 1, "ptr"), loop.index, "ptr"), 8)
        loop.next([])
    positional = c.op("add", given, i64(1))
    return c.call("ptr", "PyObject_Vectorcall", method, all_args, positional, names)


@function("ptr", "ptr ptr i64 ptr")
def run(c: Code, self: V, args: V, given: V, names: V) -> V:
    result = c.call("ptr", "dispatch", self, args, given, names)
    c.leave(c.same(result, ERROR), NULL)
    c.leave(c.differ(result, NULL), result)
    return c.call("ptr", "call_method", py("python_run"), self, args, given, names)


@function("ptr", "ptr ptr i64 ptr")
def attempt(c: Code, self: V, args: V, given: V, names: V) -> V:
    result = c.call("ptr", "dispatch", self, args, given, names)
    c.leave(c.same(result, ERROR), NULL)
    c.leave(c.differ(result, NULL), result)
    c.call("void", "Py_IncRef", py("NotImplemented"))
    return py("NotImplemented")


@function("ptr", "ptr ptr i64 ptr")
def run_callable(c: Code, self: V, args: V, given: V, names: V) -> V:
    first = c.call("ptr", "first_entry", self)
    result = c.pick(
        c.both(c.differ(first, NULL), c.same(names, NULL)),
        lambda: c.call(
            "ptr", "search", first, V("@matches_any", "ptr"), NULL,
            V("@suits_arguments", "ptr"), V("@takes_arguments", "ptr"), args, given,
        ),
        lambda: NULL,
    )  # fmt: skip
    c.leave(c.same(result, ERROR), NULL)
    c.leave(c.differ(result, NULL), result)
    python = c.of_object(self, abi.FIRST_SLOT + 8)
    python = c.select(c.same(python, NULL), py("None"), python)
    return c.call("ptr", "PyObject_Vectorcall", python, args, given, names)


def module_text() -> str:
    """The whole module."""
    parts, declares, names = [], {}, {write.__name__ for _, _, write in FUNCTIONS}
    for type, parameters, write in FUNCTIONS:
        code = Code()
        values = [V(f"%p{k}", p) for k, p in enumerate(parameters.split())]
        result = write(code, *values)
        code.line(f"ret {result.type} {result.ref}")
        listed = ", ".join(f"{v.type} {v.ref}" for v in values)
        linkage = "" if write.__name__ in EXPORTS else "internal "
        head = f"define {linkage}{type} @{write.__name__}({listed}) {{\nentry:\n"
        parts.append(head + code.body() + "\n}\n")
        declares.update(code.declares)
    lines = [text for name, text in declares.items() if name not in names]
    lines += [f"@{name} = external global i8" for name in abi.symbols() if name[:3] == "py."]
    lines += [f"@py.{name} = external global i8" for name in ("python_run", "not_blocking")]
    return "\n".join([*lines, *parts])
