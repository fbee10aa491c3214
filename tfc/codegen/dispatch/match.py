"""Whether an entry is what was asked for: the fetched objects, the keys and values of the feeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfc.codegen.dispatch.code import NO, NULL, YES, Code, function, py
from tfc.codegen.dispatch.layout import Entry, Feed, Kind, Node
from tfc.codegen.values import V, const, i64
from tfc.runtime import python_abi as abi


# -- what was fetched ---------------------------------------------------------------------------
@function("i1", "ptr ptr")
def is_same(c: Code, known: V, given: V) -> V:
    """Whether two objects are the same one, or equal names."""
    c.leave(c.same(known, given), YES)
    c.leave(c.differ(c.of_object(known, abi.TYPE), py("str")), NO)
    c.leave(c.differ(c.of_object(given, abi.TYPE), py("str")), NO)
    return c.same(c.call("i32", "PyUnicode_Compare", known, given), 0)


@function("i1", "ptr ptr")
def matches_leaf(c: Code, entry: V, fetch: V) -> V:
    kind = c.get(entry, Entry.KIND)
    item = c.load("ptr", c.get(entry, Entry.ITEMS, "ptr"), 8)
    return c.both(c.same(kind, Kind.LEAF), c.call("i1", "is_same", item, fetch))


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
        c.leave(c.same(c.call("i1", "is_same", known, c.item(of, fetch, loop.index)), NO), NO)
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
        c.leave(c.same(c.call("i1", "is_same", c.load("ptr", known, 8), key), NO), NO)
        item = c.load("ptr", c.gep(known, 1, "ptr"), 8)
        c.leave(c.same(c.call("i1", "is_same", item, value), NO), NO)
    return YES


@function("i1", "ptr ptr")
def matches_nested(c: Code, entry: V, fetch: V) -> V:
    c.leave(c.differ(c.get(entry, Entry.KIND), Kind.NESTED), NO)
    return c.call("i1", "matches_node", c.get(entry, Entry.ROOT, "ptr"), fetch)


@function("i1", "ptr ptr")
def matches_node(c: Code, node: V, fetch: V) -> V:
    kind, known = c.get(node, Node.KIND), c.get(node, Node.OBJECT, "ptr")
    with c.when(c.same(kind, Kind.LEAF)):
        c.give(c.call("i1", "is_same", known, fetch))
    c.leave(c.differ(c.of_object(fetch, abi.TYPE), known), NO)
    with c.when(c.same(kind, Kind.DICT)):
        c.give(c.call("i1", "matches_pairs", node, fetch))
    is_list = c.same(kind, Kind.LIST)
    count, children = c.get(node, Node.COUNT), c.get(node, Node.CHILDREN, "ptr")
    size = c.pick(
        is_list,
        lambda: c.call("i64", "PyList_Size", fetch),
        lambda: c.call("i64", "PyTuple_Size", fetch),
    )
    c.leave(c.differ(size, count), NO)
    with c.loop(i64(0), count) as loop:
        item = c.pick(
            is_list,
            lambda: c.item("List", fetch, loop.index),
            lambda: c.item("Tuple", fetch, loop.index),
        )
        child = c.gep(children, c.mul(loop.index, len(Node)), "i64")
        c.leave(c.same(c.call("i1", "matches_node", child, item), NO), NO)
        loop.next([])
    return YES


@function("i1", "ptr ptr")
def matches_pairs(c: Code, node: V, fetch: V) -> V:
    """Whether a dict has a node's keys and children, in their order."""
    count, children = c.get(node, Node.COUNT), c.get(node, Node.CHILDREN, "ptr")
    c.leave(c.differ(c.call("i64", "PyDict_Size", fetch), count), NO)
    keys = c.get(node, Node.KEYS, "ptr")
    place, key, value = c.alloca("i64", 8), c.alloca("ptr", 8), c.alloca("ptr", 8)
    c.store(i64(0), place, 8)
    with c.loop(i64(0), count) as loop:
        more = c.call("i32", "PyDict_Next", fetch, place, key, value)
        c.leave(c.same(more, 0), NO)
        known = c.load("ptr", c.gep(keys, loop.index, "ptr"), 8)
        c.leave(c.same(c.call("i1", "is_same", known, c.load("ptr", key, 8)), NO), NO)
        child = c.gep(children, c.mul(loop.index, len(Node)), "i64")
        item = c.load("ptr", value, 8)
        c.leave(c.same(c.call("i1", "matches_node", child, item), NO), NO)
        loop.next([])
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
@function("i1", "ptr ptr")
def has_shape(c: Code, feed: V, value: V) -> V:
    """Whether an array has the feed's shape."""
    rank = c.cast("sext", c.of_object(value, abi.ARRAY_RANK, "i32"), "i64")
    c.leave(c.differ(rank, c.get(feed, Feed.RANK)), NO)
    mine, wanted = c.of_object(value, abi.ARRAY_DIMS), c.get(feed, Feed.DIMS, "ptr")
    with c.loop(i64(0), rank) as loop:
        extent = c.load("i64", c.gep(mine, loop.index, "i64"), 8)
        c.leave(c.differ(extent, c.load("i64", c.gep(wanted, loop.index, "i64"), 8)), NO)
        loop.next([])
    return YES


@function("ptr", "ptr ptr")
def of_array(c: Code, feed: V, value: V) -> V:
    """Where the data of an array lies, as the native function takes it."""
    c.leave(c.same(c.call("i1", "has_shape", feed, value), NO), NULL)
    good = const("i32", abi.C_CONTIGUOUS_AND_ALIGNED)
    flags = c.op("and", c.of_object(value, abi.ARRAY_FLAGS, "i32"), good)
    descr = c.of_object(value, abi.ARRAY_DESCR)
    with c.when(c.differ(flags, good)):
        c.give(c.call("ptr", "of_other_array", feed, value, descr))
    with c.when(c.differ(descr, c.get(feed, Feed.DESCR, "ptr"))):  # the same dtype, made again?
        number = c.cast("sext", c.of_object(descr, abi.DESCR_NUMBER, "i32"), "i64")
        order = c.of_object(descr, abi.DESCR_BYTEORDER, "i8")
        swapped = c.both(c.differ(order, ord("=")), c.differ(order, ord("|")))
        with c.when(c.either(swapped, c.differ(number, c.get(feed, Feed.NUMBER)))):
            c.give(c.call("ptr", "of_other_array", feed, value, descr))
    return c.of_object(value, abi.ARRAY_DATA)


@function("i1", "ptr ptr")
def take(c: Code, feed: V, value: V) -> V:
    """Bind `value` to a feed, if it is of its type or can be converted to it."""
    type = c.of_object(value, abi.TYPE)
    c.put(value, feed, Feed.VALUE)
    with c.when(c.differ(c.get(feed, Feed.HELD), 0)):
        c.call("void", "Py_IncRef", value)
    address = c.pick(
        c.same(type, py("ndarray")),
        lambda: c.call("ptr", "of_array", feed, value),
        lambda: c.pick(
            c.same(type, py("list")),
            lambda: c.call("ptr", "of_list", feed, value),
            lambda: c.call("ptr", "of_number", feed, value),
        ),
    )
    c.leave(c.same(address, NULL), NO)
    c.store(address, c.get(feed, Feed.SLOT, "ptr"), 8)
    return YES


def _each_of_dict(c: Code, entry: V, fed: V, check: str) -> V:
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    with _pairs(c, feeds, count, len(Feed), fed) as (feed, key, value):
        c.leave(c.same(c.call("i1", "is_same", c.get(feed, Feed.KEY, "ptr"), key), NO), NO)
        c.leave(c.same(c.call("i1", check, feed, value), NO), NO)
    return YES


def _each_argument(c: Code, entry: V, fed: V, check: str) -> V:
    feeds, count = c.get(entry, Entry.FEEDS, "ptr"), c.get(entry, Entry.FEEDS_COUNT)
    with c.loop(i64(0), count) as loop:
        feed = c.gep(feeds, c.mul(loop.index, len(Feed)), "i64")
        value = c.load("ptr", c.gep(fed, loop.index, "ptr"), 8)
        c.leave(c.same(c.call("i1", check, feed, value), NO), NO)
        loop.next([])
    return YES


@function("i1", "ptr ptr")
def takes_dict(c: Code, entry: V, fed: V) -> V:
    """Whether the pairs of a dict are the entry's feeds, in their order; they are bound."""
    return _each_of_dict(c, entry, fed, "take")


@function("i1", "ptr ptr")
def suits_dict(c: Code, entry: V, fed: V) -> V:
    """Whether they may be; nothing is bound."""
    return _each_of_dict(c, entry, fed, "suits")


@function("i1", "ptr ptr")
def takes_arguments(c: Code, entry: V, fed: V) -> V:
    """As `takes_dict`, of the arguments of a callable."""
    return _each_argument(c, entry, fed, "take")


@function("i1", "ptr ptr")
def suits_arguments(c: Code, entry: V, fed: V) -> V:
    return _each_argument(c, entry, fed, "suits")
