"""Running an entry whose feeds are bound, and making what the caller gets of its results."""

from __future__ import annotations

from tfc.codegen.dispatch.code import (
    DONE,
    ERROR,
    MISSED,
    NO,
    NULL,
    YES,
    Code,
    function,
    py,
)
from tfc.codegen.dispatch.layout import Context, Entry, Feed, Kind, Node, Output, Variable
from tfc.codegen.values import V, const, i64
from tfc.runtime import python_abi as abi


# -- the call -----------------------------------------------------------------------------------
@function("i32", "ptr")
def call_native(c: Code, entry: V) -> V:
    context = c.get(entry, Entry.CONTEXT, "ptr")
    function = c.get(context, Context.FUNCTION, "ptr")
    c.put(function, context, Context.CALLED)
    slots = c.get(context, Context.SLOTS, "ptr")
    return c.ins(f"call i32 {function.ref}(ptr {slots.ref})", "i32")


@function("i32", "ptr")
def call_without_gil(c: Code, entry: V) -> V:
    """As `call_native`; other threads may change the dict of feeds meanwhile, so they are held."""
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    with c.each(feeds, count, len(Feed)) as feed:
        c.call("void", "Py_IncRef", c.get(feed, Feed.VALUE, "ptr"))
    state = c.call("ptr", "PyEval_SaveThread")
    status = c.call("i32", "call_native", entry)
    c.call("void", "PyEval_RestoreThread", state)
    with c.each(feeds, count, len(Feed)) as feed:
        c.drop(c.get(feed, Feed.VALUE, "ptr"))
    return status


@function("ptr", "ptr")
def plain_array(c: Code, output: V) -> V:
    descr = c.get(output, Output.DESCR, "ptr")
    c.call("void", "Py_IncRef", descr)  # the next call takes one
    rank = c.cast("trunc", c.get(output, Output.RANK), "i32")
    dims, none = c.get(output, Output.DIMS, "ptr"), const("i32", 0)
    return c.call(
        "ptr", "PyArray_NewFromDescr", py("ndarray"), descr, rank, dims, NULL, NULL, none, NULL
    )


@function("ptr", "ptr")
def new_array(c: Code, output: V) -> V:
    """A fresh array; null if there is no memory for it."""
    handler = c.get(output, Output.HANDLER, "ptr")
    with c.when(c.same(handler, NULL)):
        c.give(c.call("ptr", "plain_array", output))
    before = c.call("ptr", "PyDataMem_SetHandler", handler)
    c.leave(c.same(before, NULL), NULL)
    array = c.call("ptr", "plain_array", output)
    with c.when(c.same(array, NULL)):
        c.call("void", "PyErr_Clear")
    c.drop(c.call("ptr", "PyDataMem_SetHandler", before))
    c.drop(before)
    return array


@function("i32", "ptr")
def invoke(c: Code, entry: V) -> V:
    """Bind results and variables, and call; DONE or what says why not. Making a result may run
    Python code, which changes variables: they are bound after that."""
    outputs, count = c.get(entry, Entry.OUTPUTS, "ptr"), c.get(entry, Entry.OUTPUTS_COUNT)
    with c.each(outputs, count, len(Output)) as output:
        slot = c.get(output, Output.SLOT, "ptr")
        c.store(c.get(output, Output.CELL, "ptr"), slot, 8)
        with c.when(c.differ(c.get(output, Output.RANK), 0)):
            array = c.call("ptr", "new_array", output)
            with c.when(c.same(array, NULL), MISSED):
                c.call("void", "PyErr_Clear")
            c.put(array, output, Output.OBJECT)
            c.store(c.of_object(array, abi.ARRAY_DATA), slot, 8)
    c.leave(c.same(c.call("i1", "is_good", entry), NO), MISSED)
    count = c.get(entry, Entry.VARIABLES_COUNT)
    with c.each(c.get(entry, Entry.VARIABLES, "ptr"), count, len(Variable)) as variable:
        address = c.load("ptr", c.get(variable, Variable.CELL, "ptr"), 8)
        c.store(address, c.get(variable, Variable.SLOT, "ptr"), 8)
        version = c.get(variable, Variable.VERSION, "ptr")
        c.store(c.add(c.load("i64", version, 8), i64(1)), version, 8)
    status = c.pick(
        c.same(c.get(entry, Entry.LONG), 0),
        lambda: c.call("i32", "call_native", entry),
        lambda: c.call("i32", "call_without_gil", entry),
    )
    with c.when(c.differ(status, DONE), status):
        c.put(i64(1), entry, Entry.FAILED)
    runs = c.get(entry, Entry.RUNS, "ptr")
    c.store(c.add(c.load("i64", runs, 8), i64(1)), runs, 8)
    return status


@function("i32", "ptr")
def invoke_locked(c: Code, entry: V) -> V:
    """As `invoke`, with the Session's lock where a variable is touched. Who has to wait for it
    waits in Python, where signals are seen."""
    lock = c.get(entry, Entry.LOCK, "ptr")
    with c.when(c.same(lock, NULL)):
        c.give(c.call("i32", "invoke", entry))
    got = c.call("ptr", "PyObject_Call", lock, py("not_blocking"), NULL)
    with c.when(c.same(got, NULL)):
        c.call("void", "PyErr_Clear")
    c.drop(got)
    c.leave(c.differ(got, py("True")), MISSED)
    status = c.call("i32", "invoke", entry)
    c.drop(c.call("ptr", "PyObject_CallNoArgs", c.get(entry, Entry.UNLOCK, "ptr")))
    return status


# -- the result ---------------------------------------------------------------------------------
@function("i1", "ptr")
def make_scalars(c: Code, entry: V) -> V:
    """The numpy scalars among the results. False: an exception is set."""
    outputs, count = c.get(entry, Entry.OUTPUTS, "ptr"), c.get(entry, Entry.OUTPUTS_COUNT)
    with c.each(outputs, count, len(Output)) as output:
        scalar = c.same(c.get(output, Output.RANK), 0)
        with c.when(scalar):
            cell, descr = c.get(output, Output.CELL, "ptr"), c.get(output, Output.DESCR, "ptr")
            made = c.call("ptr", "PyArray_Scalar", cell, descr, NULL)
            c.leave(c.same(made, NULL), NO)
            c.put(made, output, Output.OBJECT)
    return YES


@function("ptr", "ptr i64")
def value_of(c: Code, entry: V, index: V) -> V:
    """A new reference to the value of item number `index`."""
    results = c.get(entry, Entry.RESULTS, "ptr")
    output = c.load("ptr", c.gep(results, index, "ptr"), 8)
    value = c.pick(
        c.same(output, NULL), lambda: py("None"), lambda: c.get(output, Output.OBJECT, "ptr")
    )
    c.call("void", "Py_IncRef", value)
    return value


def _build_sequence(c: Code, entry: V, of: str) -> V:
    count = c.get(entry, Entry.ITEMS_COUNT)
    made = c.call("ptr", f"Py{of}_New", count)
    c.leave(c.same(made, NULL), NULL)
    with c.loop(i64(0), count) as loop:
        value = c.call("ptr", "value_of", entry, loop.index)
        c.call("i32", f"Py{of}_SetItem", made, loop.index, value)  # takes the reference
        loop.next([])
    return made


@function("ptr", "ptr")
def build_list(c: Code, entry: V) -> V:
    return _build_sequence(c, entry, "List")


@function("ptr", "ptr")
def build_tuple(c: Code, entry: V) -> V:
    return _build_sequence(c, entry, "Tuple")


@function("ptr", "ptr")
def build_dict(c: Code, entry: V) -> V:
    count, items = c.get(entry, Entry.ITEMS_COUNT), c.get(entry, Entry.ITEMS, "ptr")
    made = c.call("ptr", "PyDict_New")
    c.leave(c.same(made, NULL), NULL)
    with c.loop(i64(0), count) as loop:
        key = c.load("ptr", c.gep(items, c.mul(loop.index, 2), "ptr"), 8)
        value = c.call("ptr", "value_of", entry, loop.index)
        status = c.call("i32", "PyDict_SetItem", made, key, value)
        c.drop(value)
        with c.when(c.differ(status, 0), NULL):
            c.drop(made)
        loop.next([])
    return made


@function("ptr", "ptr")
def build_node(c: Code, node: V) -> V:
    """A new reference to the value of a node. Null: an exception is set."""
    kind, make = c.get(node, Node.KIND), c.get(node, Node.MAKE, "ptr")
    with c.when(c.differ(make, NULL)):
        parts = c.call("ptr", "build_parts", node)
        c.leave(c.same(parts, NULL), NULL)
        made = c.call("ptr", "PyObject_CallOneArg", make, parts)
        c.drop(parts)
        c.give(made)
    with c.when(c.same(kind, Kind.LEAF)):
        output = c.get(node, Node.RESULT, "ptr")
        value = c.pick(
            c.same(output, NULL), lambda: py("None"), lambda: c.get(output, Output.OBJECT, "ptr")
        )
        c.call("void", "Py_IncRef", value)
        c.give(value)
    with c.when(c.same(kind, Kind.LIST)):
        c.give(c.call("ptr", "build_parts", node))
    with c.when(c.same(kind, Kind.TUPLE)):
        c.give(_build_children(c, node, "Tuple"))
    return c.call("ptr", "build_pairs", node)


@function("ptr", "ptr")
def build_parts(c: Code, node: V) -> V:
    """A list of the values of a node's children."""
    return _build_children(c, node, "List")


def _build_children(c: Code, node: V, of: str) -> V:
    count, children = c.get(node, Node.COUNT), c.get(node, Node.CHILDREN, "ptr")
    made = c.call("ptr", f"Py{of}_New", count)
    c.leave(c.same(made, NULL), NULL)
    with c.loop(i64(0), count) as loop:
        child = c.gep(children, c.mul(loop.index, len(Node)), "i64")
        value = c.call("ptr", "build_node", child)
        with c.when(c.same(value, NULL), NULL):
            c.drop(made)
        c.call("i32", f"Py{of}_SetItem", made, loop.index, value)  # takes the reference
        loop.next([])
    return made


@function("ptr", "ptr")
def build_pairs(c: Code, node: V) -> V:
    count, children = c.get(node, Node.COUNT), c.get(node, Node.CHILDREN, "ptr")
    keys, made = c.get(node, Node.KEYS, "ptr"), c.call("ptr", "PyDict_New")
    c.leave(c.same(made, NULL), NULL)
    with c.loop(i64(0), count) as loop:
        child = c.gep(children, c.mul(loop.index, len(Node)), "i64")
        value = c.call("ptr", "build_node", child)
        with c.when(c.same(value, NULL), NULL):
            c.drop(made)
        key = c.load("ptr", c.gep(keys, loop.index, "ptr"), 8)
        status = c.call("i32", "PyDict_SetItem", made, key, value)
        c.drop(value)
        with c.when(c.differ(status, 0), NULL):
            c.drop(made)
        loop.next([])
    return made


@function("ptr", "ptr")
def build(c: Code, entry: V) -> V:
    """What the caller gets; ERROR if there is no memory for it."""
    c.leave(c.same(c.call("i1", "make_scalars", entry), NO), ERROR)
    kind = c.get(entry, Entry.KIND)
    with c.when(c.same(kind, Kind.LEAF)):
        c.give(c.call("ptr", "value_of", entry, i64(0)))
    with c.when(c.same(kind, Kind.NESTED)):
        nested = c.call("ptr", "build_node", c.get(entry, Entry.ROOT, "ptr"))
        c.give(c.select(c.same(nested, NULL), ERROR, nested))
    write = c.select(c.same(kind, Kind.LIST), V("@build_list", "ptr"), V("@build_tuple", "ptr"))
    write = c.select(c.same(kind, Kind.DICT), V("@build_dict", "ptr"), write)
    made = c.ins(f"call ptr {write.ref}(ptr {entry.ref})", "ptr")
    return c.select(c.same(made, NULL), ERROR, made)


@function("ptr", "ptr")
def run_bound(c: Code, entry: V) -> V:
    """Run an entry whose feeds are bound. Null: it could not, and nothing has changed."""
    context, owner = c.get(entry, Entry.CONTEXT, "ptr"), c.get(entry, Entry.OWNER, "ptr")
    c.put(i64(1), context, Context.BUSY)
    c.put(i64(1), entry, Entry.USED)
    c.call("void", "Py_IncRef", owner)
    status = c.call("i32", "invoke_locked", entry)
    result = c.pick(c.same(status, DONE), lambda: c.call("ptr", "build", entry), lambda: NULL)
    outputs, count = c.get(entry, Entry.OUTPUTS, "ptr"), c.get(entry, Entry.OUTPUTS_COUNT)
    with c.each(outputs, count, len(Output)) as output:
        c.drop(c.get(output, Output.OBJECT, "ptr"))
        c.put(NULL, output, Output.OBJECT)
    c.put(i64(0), context, Context.BUSY)
    c.drop(owner)
    return result
