"""Whether an entry is what was asked for: the fetched objects, the keys and values of the feeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfc.codegen.dispatch.code import NO, NULL, YES, Code, function, py
from tfc.codegen.dispatch.layout import Entry, Feed, Kind, Number
from tfc.codegen.text import V, const, i64
from tfc.runtime import python_abi as abi

LARGEST_EXACT = 2.0**53  # integers up to here are floats of 64 bits
FLOAT_MIN, FLOAT_MAX = 2.0**-126, (2.0 - 2.0**-23) * 2.0**127


# -- what was fetched ---------------------------------------------------------------------------
@function("i1", "ptr ptr")
def matches_leaf(c: Code, entry: V, fetch: V) -> V:
    kind = c.get(entry, Entry.KIND)
    item = c.load("ptr", c.get(entry, Entry.ITEMS, "ptr"), 8)
    return c.both(c.same(kind, Kind.LEAF), c.same(item, fetch))


@function("i1", "ptr ptr")
def matches_any(c: Code, entry: V, fetch: V) -> V:
    """What a callable fetches was settled when it was made."""
    return YES


def _matches_sequence(c: Code, entry: V, fetch: V, of: str, kind: Kind) -> V:
    count = c.get(entry, Entry.ITEMS_COUNT)
    c.leave(c.differ(c.get(entry, Entry.KIND), kind), NO)
    c.leave(c.differ(c.call("i64", f"Py{of}_Size", fetch), count), NO)
    items = c.get(entry, Entry.ITEMS, "ptr")
    with c.loop(i64(0), count) as loop:
        known = c.load("ptr", c.gep(items, loop.index, "ptr"), 8)
        c.leave(c.differ(c.item(of, fetch, loop.index), known), NO)
        loop.next([])
    return YES


@function("i1", "ptr ptr")
def matches_list(c: Code, entry: V, fetch: V) -> V:
    return _matches_sequence(c, entry, fetch, "List", Kind.LIST)


@function("i1", "ptr ptr")
def matches_tuple(c: Code, entry: V, fetch: V) -> V:
    return _matches_sequence(c, entry, fetch, "Tuple", Kind.TUPLE)


@function("i1", "ptr ptr")
def matches_dict(c: Code, entry: V, fetch: V) -> V:
    count = c.get(entry, Entry.ITEMS_COUNT)
    c.leave(c.differ(c.get(entry, Entry.KIND), Kind.DICT), NO)
    c.leave(c.differ(c.call("i64", "PyDict_Size", fetch), count), NO)
    with _pairs(c, c.get(entry, Entry.ITEMS, "ptr"), count, 2, fetch) as (known, key, value):
        c.leave(c.differ(key, c.load("ptr", known, 8)), NO)
        c.leave(c.differ(value, c.load("ptr", c.gep(known, 1, "ptr"), 8)), NO)
    return YES


@contextmanager
def _pairs(c: Code, records: V, count: V, size: int, of: V) -> Iterator[tuple[V, V, V]]:
    """(record, key, value) for `count` records and the pairs of a dict, in their order."""
    place, key, value = c.alloca("i64", 8), c.alloca("ptr", 8), c.alloca("ptr", 8)
    c.store(i64(0), place, 8)
    with c.each(records, count, size) as record:
        more = c.call("i32", "PyDict_Next", of, place, key, value)
        c.leave(c.same(more, 0), NO)
        yield record, c.load("ptr", key, 8), c.load("ptr", value, 8)


# -- what was fed -------------------------------------------------------------------------------
@function("ptr", "ptr ptr")
def of_array(c: Code, feed: V, value: V) -> V:
    """Where the data of an array lies, if it is as the native function takes it."""
    good = const("i32", abi.C_CONTIGUOUS_AND_ALIGNED)
    flags = c.op("and", c.of_object(value, abi.ARRAY_FLAGS, "i32"), good)
    c.leave(c.differ(flags, good), NULL)
    descr = c.of_object(value, abi.ARRAY_DESCR)
    with c.when(c.differ(descr, c.get(feed, Feed.DESCR, "ptr"))):  # the same dtype, made again?
        number = c.cast("sext", c.of_object(descr, abi.DESCR_NUMBER, "i32"), "i64")
        c.leave(c.differ(number, c.get(feed, Feed.NUMBER)), NULL)
        order = c.of_object(descr, abi.DESCR_BYTEORDER, "i8")
        c.leave(c.both(c.differ(order, ord("=")), c.differ(order, ord("|"))), NULL)
    rank = c.cast("sext", c.of_object(value, abi.ARRAY_RANK, "i32"), "i64")
    c.leave(c.differ(rank, c.get(feed, Feed.RANK)), NULL)
    mine, wanted = c.of_object(value, abi.ARRAY_DIMS), c.get(feed, Feed.DIMS, "ptr")
    with c.loop(i64(0), rank) as loop:
        extent = c.load("i64", c.gep(mine, loop.index, "i64"), 8)
        c.leave(c.differ(extent, c.load("i64", c.gep(wanted, loop.index, "i64"), 8)), NULL)
        loop.next([])
    return c.of_object(value, abi.ARRAY_DATA)


@function("ptr", "ptr ptr ptr")
def of_float(c: Code, feed: V, value: V, type: V) -> V:
    """A Python number as a float, where it is finite, and no overflow or underflow could warn."""
    nan = const("double", float("nan"))
    known = c.either(c.same(type, py("float")), c.same(type, py("float64")))
    number = c.pick(
        known,
        lambda: c.call("double", "PyFloat_AsDouble", value),
        lambda: c.pick(
            c.same(type, py("int")), lambda: c.call("double", "as_double", value), lambda: nan
        ),
    )
    cell = c.get(feed, Feed.CELL, "ptr")
    size = c.intrinsic("fabs", number)
    with c.when(c.same(c.get(feed, Feed.CONVERSION), Number.FLOAT64)):
        c.leave(c.cmp("uno", number, number), NULL)
        c.store(number, cell, 8)
        c.give(cell)
    least = c.cmp("oge", size, const("double", FLOAT_MIN))
    most = c.cmp("ole", size, const("double", FLOAT_MAX))
    zero = c.cmp("oeq", number, const("double", 0.0))
    with c.when(c.either(c.both(least, most), zero)):
        c.store(c.cast("fptrunc", number, "float"), cell, 4)
        c.give(cell)
    return NULL


@function("double", "ptr")
def as_double(c: Code, value: V) -> V:
    """An int as a float; NaN if that were not exact."""
    overflow = c.alloca("i32", 4)
    number = c.call("i64", "PyLong_AsLongLongAndOverflow", value, overflow)
    wide = c.cast("sitofp", number, "double")
    exact = c.cmp("ole", c.intrinsic("fabs", wide), const("double", LARGEST_EXACT))
    fits = c.both(exact, c.same(c.load("i32", overflow, 4), 0))
    return c.select(fits, wide, const("double", float("nan")))


@function("ptr", "ptr ptr ptr")
def of_integer(c: Code, feed: V, value: V, type: V) -> V:
    """An int within the range of the dtype. Its low bytes come first in memory."""
    c.leave(c.differ(type, py("int")), NULL)
    overflow = c.alloca("i32", 4)
    number = c.call("i64", "PyLong_AsLongLongAndOverflow", value, overflow)
    c.leave(c.differ(c.load("i32", overflow, 4), 0), NULL)
    c.leave(c.cmp("slt", number, c.get(feed, Feed.LEAST)), NULL)
    c.leave(c.cmp("sgt", number, c.get(feed, Feed.MOST)), NULL)
    cell = c.get(feed, Feed.CELL, "ptr")
    c.store(number, cell, 8)
    return cell


@function("ptr", "ptr ptr ptr")
def of_bool(c: Code, feed: V, value: V, type: V) -> V:
    true = c.same(value, py("True"))
    c.leave(c.op("xor", c.either(true, c.same(value, py("False"))), YES), NULL)
    cell = c.get(feed, Feed.CELL, "ptr")
    c.store(c.cast("zext", true, "i8"), cell, 1)
    return cell


@function("ptr", "ptr ptr ptr")
def of_number(c: Code, feed: V, value: V, type: V) -> V:
    """Where a scalar of numpy, or the element that a Python number becomes, lies."""
    c.leave(c.differ(c.get(feed, Feed.RANK), 0), NULL)
    c.leave(c.same(type, c.get(feed, Feed.SCALAR, "ptr")), c.gep(value, abi.SCALAR_VALUE, "i8"))
    how = c.get(feed, Feed.CONVERSION)
    c.leave(c.same(how, Number.NONE), NULL)
    convert = c.select(c.same(how, Number.BOOL), V("@of_bool", "ptr"), V("@of_float", "ptr"))
    convert = c.select(c.same(how, Number.INTEGER), V("@of_integer", "ptr"), convert)
    arguments = f"ptr {feed.ref}, ptr {value.ref}, ptr {type.ref}"
    return c.ins(f"call ptr {convert.ref}({arguments})", "ptr")


@function("i1", "ptr ptr")
def take(c: Code, feed: V, value: V) -> V:
    """Bind `value` to a feed, if it is of its type."""
    type = c.of_object(value, abi.TYPE)
    address = c.pick(
        c.same(type, py("ndarray")),
        lambda: c.call("ptr", "of_array", feed, value),
        lambda: c.call("ptr", "of_number", feed, value, type),
    )
    c.leave(c.same(address, NULL), NO)
    c.store(address, c.get(feed, Feed.SLOT, "ptr"), 8)
    c.put(value, feed, Feed.VALUE)
    return YES


@function("i1", "ptr ptr")
def takes_dict(c: Code, entry: V, fed: V) -> V:
    """Whether the pairs of a dict are the entry's feeds, in their order."""
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    with _pairs(c, feeds, count, len(Feed), fed) as (feed, key, value):
        c.leave(c.differ(key, c.get(feed, Feed.KEY, "ptr")), NO)
        c.leave(c.same(c.call("i1", "take", feed, value), NO), NO)
    return YES


@function("i1", "ptr ptr")
def takes_arguments(c: Code, entry: V, fed: V) -> V:
    """As `takes_dict`, of the arguments of a callable."""
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    with c.loop(i64(0), count) as loop:
        feed = c.gep(feeds, c.mul(loop.index, len(Feed)), "i64")
        value = c.load("ptr", c.gep(fed, loop.index, "ptr"), 8)
        c.leave(c.same(c.call("i1", "take", feed, value), NO), NO)
        loop.next([])
    return YES
