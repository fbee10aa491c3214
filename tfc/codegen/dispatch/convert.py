"""Fed values that are not as the native function takes them: numbers, lists of numbers, arrays of
another dtype or order in memory.

What is done here is what numpy would do, and without Python code: numbers are taken where their
conversion could neither warn nor fail, lists where they hold such numbers. Arrays are numpy's to
convert, which may warn; entries that may do so are run by `run_converting`.
"""

from __future__ import annotations

from tfc.codegen.dispatch.code import NO, NULL, YES, Code, function, py
from tfc.codegen.dispatch.layout import Context, Entry, Feed, Number
from tfc.codegen.values import V, const, i64
from tfc.runtime import python_abi as abi

LARGEST_EXACT = 2.0**53  # integers up to here are floats of 64 bits
FLOAT_MIN, FLOAT_MAX = 2.0**-126, (2.0 - 2.0**-23) * 2.0**127
BOOL_TO_FLOAT64, FLOAT16 = 12, 23  # numbers of numpy's dtypes: 0 to 12, but for long double


# -- numbers ------------------------------------------------------------------------------------
@function("i1", "ptr ptr ptr ptr")
def put_float(c: Code, feed: V, value: V, type: V, to: V) -> V:
    """A number as a float, where it is finite, and no overflow or underflow could warn."""
    known = c.either(c.same(type, py("float")), c.same(type, py("float64")))
    number = c.pick(
        known,
        lambda: c.call("double", "PyFloat_AsDouble", value),
        lambda: c.pick(
            c.same(type, py("float32")),
            lambda: c.cast("fpext", c.of_object(value, abi.SCALAR_VALUE, "float"), "double"),
            lambda: c.call("double", "as_double", value, type),
        ),
    )
    size = c.intrinsic("fabs", number)
    with c.when(c.same(c.get(feed, Feed.CONVERSION), Number.FLOAT64)):
        c.leave(c.cmp("uno", number, number), NO)
        c.store(number, to, 8)
        c.give(YES)
    least = c.cmp("oge", size, const("double", FLOAT_MIN))
    most = c.cmp("ole", size, const("double", FLOAT_MAX))
    zero = c.cmp("oeq", number, const("double", 0.0))
    with c.when(c.either(c.both(least, most), zero)):
        c.store(c.cast("fptrunc", number, "float"), to, 4)
        c.give(YES)
    return NO


@function("double", "ptr ptr")
def as_double(c: Code, value: V, type: V) -> V:
    """An integer as a float; NaN if that were not exact."""
    overflow = c.alloca("i32", 4)
    number = c.call("i64", "integer_of", value, type, overflow)
    wide = c.cast("sitofp", number, "double")
    exact = c.cmp("ole", c.intrinsic("fabs", wide), const("double", LARGEST_EXACT))
    fits = c.both(exact, c.same(c.load("i32", overflow, 4), 0))
    return c.select(fits, wide, const("double", float("nan")))


@function("i64", "ptr ptr ptr")
def integer_of(c: Code, value: V, type: V, overflow: V) -> V:
    """An int, or numpy's scalar of one. At `overflow`: 0 if that is what it is."""
    c.store(const("i32", 0), overflow, 4)
    with c.when(c.same(type, py("int"))):
        c.give(c.call("i64", "PyLong_AsLongLongAndOverflow", value, overflow))
    with c.when(c.same(type, py("int64"))):
        c.give(c.of_object(value, abi.SCALAR_VALUE, "i64"))
    with c.when(c.same(type, py("int32"))):
        c.give(c.cast("sext", c.of_object(value, abi.SCALAR_VALUE, "i32"), "i64"))
    c.store(const("i32", 1), overflow, 4)
    return i64(0)


@function("i1", "ptr ptr ptr ptr")
def put_integer(c: Code, feed: V, value: V, type: V, to: V) -> V:
    """An integer within the range of the dtype. Its low bytes come first in memory."""
    overflow = c.alloca("i32", 4)
    number = c.call("i64", "integer_of", value, type, overflow)
    c.leave(c.differ(c.load("i32", overflow, 4), 0), NO)
    c.leave(c.cmp("slt", number, c.get(feed, Feed.LEAST)), NO)
    c.leave(c.cmp("sgt", number, c.get(feed, Feed.MOST)), NO)
    size = c.get(feed, Feed.SIZE)
    for bytes in (1, 2, 4):
        with c.when(c.same(size, bytes)):
            c.store(c.cast("trunc", number, f"i{8 * bytes}"), to, bytes)
            c.give(YES)
    c.store(number, to, 8)
    return YES


@function("i1", "ptr ptr ptr ptr")
def put_bool(c: Code, feed: V, value: V, type: V, to: V) -> V:
    true = c.same(value, py("True"))
    c.leave(c.op("xor", c.either(true, c.same(value, py("False"))), YES), NO)
    c.store(c.cast("zext", true, "i8"), to, 1)
    return YES


@function("i1", "ptr ptr ptr")
def put_number(c: Code, feed: V, value: V, to: V) -> V:
    """Write the element that a number becomes. False: it is Python's to convert."""
    how, type = c.get(feed, Feed.CONVERSION), c.of_object(value, abi.TYPE)
    c.leave(c.same(how, Number.NONE), NO)
    convert = c.select(c.same(how, Number.BOOL), V("@put_bool", "ptr"), V("@put_float", "ptr"))
    convert = c.select(c.same(how, Number.INTEGER), V("@put_integer", "ptr"), convert)
    arguments = f"ptr {feed.ref}, ptr {value.ref}, ptr {type.ref}, ptr {to.ref}"
    return c.ins(f"call i1 {convert.ref}({arguments})", "i1")


@function("ptr", "ptr ptr")
def of_number(c: Code, feed: V, value: V) -> V:
    """Where a scalar of numpy, or the element that a number becomes, lies."""
    c.leave(c.differ(c.get(feed, Feed.RANK), 0), NULL)
    same = c.same(c.of_object(value, abi.TYPE), c.get(feed, Feed.SCALAR, "ptr"))
    c.leave(same, c.gep(value, abi.SCALAR_VALUE, "i8"))
    cell = c.get(feed, Feed.CELL, "ptr")
    return c.select(c.call("i1", "put_number", feed, value, cell), cell, NULL)


# -- lists --------------------------------------------------------------------------------------
@function("ptr", "ptr ptr")
def of_list(c: Code, feed: V, value: V) -> V:
    """Where the elements lie that a list, or a list of lists, becomes."""
    room, rank = c.get(feed, Feed.ROOM, "ptr"), c.get(feed, Feed.RANK)
    c.leave(c.either(c.same(room, NULL), c.same(rank, 0)), NULL)
    start = c.of_object(room, abi.ARRAY_DATA)
    end = c.call("ptr", "put_list", feed, value, i64(0), start)
    return c.select(c.same(end, NULL), NULL, start)


@function("ptr", "ptr ptr i64 ptr")
def put_list(c: Code, feed: V, value: V, axis: V, to: V) -> V:
    """Write the elements of a list along an axis; where the next ones go, or null."""
    c.leave(c.differ(c.of_object(value, abi.TYPE), py("list")), NULL)
    extent = c.load("i64", c.gep(c.get(feed, Feed.DIMS, "ptr"), axis, "i64"), 8)
    c.leave(c.differ(c.call("i64", "PyList_Size", value), extent), NULL)
    next_axis, size = c.op("add", axis, i64(1)), c.get(feed, Feed.SIZE)
    innermost = c.same(next_axis, c.get(feed, Feed.RANK))
    with c.loop(i64(0), extent, carried=(to,)) as loop:
        item, at = c.item("List", value, loop.index), loop.carried[0]
        after = c.pick(
            innermost,
            lambda: c.select(
                c.call("i1", "put_number", feed, item, at), c.gep(at, size, "i8"), NULL
            ),
            lambda: c.call("ptr", "put_list", feed, item, next_axis, at),
        )
        c.leave(c.same(after, NULL), NULL)
        loop.next([after])
    return loop.results[0]


# -- arrays -------------------------------------------------------------------------------------
@function("ptr", "ptr ptr ptr")
def of_other_array(c: Code, feed: V, value: V, descr: V) -> V:
    """Where the elements lie that an array of the right shape becomes, of another dtype or order.
    Python code may run: numpy's warnings."""
    room = c.get(feed, Feed.ROOM, "ptr")
    c.leave(c.same(room, NULL), NULL)
    number = c.cast("sext", c.of_object(descr, abi.DESCR_NUMBER, "i32"), "i64")
    real = c.either(
        c.both(c.cmp("sge", number, i64(0)), c.cmp("sle", number, i64(BOOL_TO_FLOAT64))),
        c.same(number, FLOAT16),
    )
    known = c.both(real, c.differ(c.get(feed, Feed.REAL), 0))
    known = c.either(known, c.same(number, c.get(feed, Feed.NUMBER)))
    c.leave(c.same(known, NO), NULL)
    with c.when(c.differ(c.call("i32", "PyArray_CopyInto", room, value), 0), NULL):
        c.call("void", "PyErr_Clear")
    return c.of_object(room, abi.ARRAY_DATA)


@function("i1", "ptr ptr")
def suits(c: Code, feed: V, value: V) -> V:
    """Whether `take` may take a value, as far as a look tells, which runs no Python code."""
    type = c.of_object(value, abi.TYPE)
    with c.when(c.same(type, py("ndarray"))):
        c.give(c.call("i1", "has_shape", feed, value))
    rank = c.get(feed, Feed.RANK)
    with c.when(c.same(type, py("list"))):
        c.leave(c.same(rank, 0), NO)
        extent = c.load("i64", c.get(feed, Feed.DIMS, "ptr"), 8)
        c.give(c.same(c.call("i64", "PyList_Size", value), extent))
    return c.same(rank, 0)


@function("ptr", "ptr ptr ptr")
def run_converting(c: Code, entry: V, takes: V, fed: V) -> V:
    """Bind the feeds of an entry that suits, and run it. Null: it could not, and nothing has
    changed. While Python code may run, nobody else gets at the records, and what they name is
    held; afterwards it is looked at again whether the entry is good."""
    context, owner = c.get(entry, Entry.CONTEXT, "ptr"), c.get(entry, Entry.OWNER, "ptr")
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    c.put(i64(1), context, Context.BUSY)
    c.call("void", "Py_IncRef", owner)
    with c.each(feeds, count, len(Feed)) as feed:
        c.put(NULL, feed, Feed.VALUE)
    bound = c.ins(f"call i1 {takes.ref}(ptr {entry.ref}, ptr {fed.ref})", "i1")
    current = c.call("i1", "is_good", entry)
    result = c.pick(c.both(bound, current), lambda: c.call("ptr", "run_entry", entry), lambda: NULL)
    c.put(i64(1), context, Context.BUSY)
    with c.each(feeds, count, len(Feed)) as feed:
        value = c.get(feed, Feed.VALUE, "ptr")
        c.put(NULL, feed, Feed.VALUE)
        c.drop(value)
    c.put(i64(0), context, Context.BUSY)
    c.drop(owner)
    return result
