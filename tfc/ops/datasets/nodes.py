"""What a dataset is while the graph runs: a `Node`, which makes `Elements`, which give one after
the other.

An element is a tuple of arrays, the components. Many datasets give rows of arrays that lie in
memory; then what goes from one to the next is an *item*, the number of a row, and batches gather
their rows at once. The `tables` of a node say so: one a component. A node without them has its
elements as items.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.records import dataclass
from tfc.framework.session_objects import Call
from tfc.ops import shape_rules as s

Element = tuple[np.ndarray, ...]
MOST_PLACES = 2**62  # numbers of rows are int64


class Run:
    """What the elements of one iterator are made with.

    call: the run of the host op that asks for them, another one each time. kept: the hidden state
    of the functions' random ops, which each iterator has for itself.
    """

    def __init__(self, call: Call):
        self.call = call
        self.kept = call.new_states()

    def check(self) -> None:
        """Raises CancelledError, DeadlineExceededError: the run is over."""
        self.call.check()


@dataclass(frozen=True)
class Table:
    """Rows in memory. Item number k stands for row k // stride % size, so that one number can
    stand for rows of several tables."""

    rows: Any  # an array, or what can be indexed like one
    size: int
    stride: int = 1

    def row(self, item: int) -> np.ndarray:
        """The row that `item` stands for; not to be written to."""
        found: np.ndarray = self.rows[item // self.stride % self.size, ...]
        return found

    def gather(self, items: np.ndarray) -> np.ndarray:
        """Rows stacked, in memory of their own."""
        found: np.ndarray = self.rows[items // self.stride % self.size]
        return found


Tables = tuple[Table, ...]
Items = Sequence[Any] | np.ndarray


class Node:
    """A dataset. fresh: its elements lie in memory of their own, which nobody else reads."""

    tables: Tables | None = None
    extent = 0  # with tables: every item is less than this
    fresh = False

    def elements(self, run: Run) -> Elements:
        """The elements from the first one on."""
        raise NotImplementedError

    def size(self) -> int | None:
        """How many elements there are, as far as that is known; INFINITE, or None."""
        return None


INFINITE = -1
UNKNOWN = -2


class Through(Node):
    """A node that hands on items of another one."""

    def __init__(self, source: Node):
        self.source = source
        self.tables, self.extent, self.fresh = source.tables, source.extent, source.fresh


class Elements:
    """One after the other. `item` raises StopIteration at the end, however often it is asked; after
    any other error the next element may be asked for."""

    tables: Tables | None = None

    def item(self) -> Any:
        """The next item."""
        raise NotImplementedError

    def items(self, count: int) -> Items:
        """The next `count` items; fewer at the end."""
        found = []
        for _ in itertools.repeat(None, count):
            try:
                found.append(self.item())
            except StopIteration:
                break
        return found

    def __iter__(self) -> Iterator[Element]:
        return self

    def __next__(self) -> Element:
        return self.element(self.item())

    def element(self, item: Any) -> Element:
        """What an item stands for."""
        if self.tables is None:
            found: Element = item
            return found
        return tuple([table.row(item) for table in self.tables])

    def stacked(self, run: Run, count: int) -> tuple[int, Element]:
        """The next elements as rows of one array a component, and how many there were.

        Raises:
          InvalidArgumentError: components of different shapes.
        """
        items = self.items(count)
        if not len(items):
            return 0, ()
        if self.tables is not None:
            places = np.asarray(items, np.int64)
            return len(places), tuple([table.gather(places) for table in self.tables])
        columns = zip(*items, strict=True)
        return len(items), tuple(
            [stack_rows(run, column, k, "batch") for k, column in enumerate(columns)]
        )


class FromSource(Elements):
    """Elements made of those of another node."""

    def __init__(self, node: Any, run: Run):
        self.node, self.run = node, run
        self.tables = node.tables
        self.source: Elements = node.source.elements(run)


class Function:
    """A function of an op, over what it captured when the op ran."""

    def __init__(self, op: Any, number: int, captured: Sequence[np.ndarray]):
        self.op, self.number = op, number
        self.captured = [own(c) for c in captured]

    def __call__(self, run: Run, *given: np.ndarray) -> Sequence[np.ndarray]:
        """The results, from the values of the parameters."""
        run.check()
        found: Sequence[np.ndarray] = run.call.function(
            self.op, self.number, [*given, *self.captured], run.kept
        )
        return found

    def truth(self, run: Run, *given: np.ndarray) -> bool:
        """Its result, a scalar bool."""
        (found,) = self(run, *given)
        if found.ndim:
            raise errors.InvalidArgumentError(
                None, self.op, f"a predicate must give a scalar, not {s.text(found.shape)}"
            )
        return bool(found)


def own(array: np.ndarray) -> np.ndarray:
    """A copy of `array` that nobody writes to."""
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy


def boxed(thing: Any) -> np.ndarray:
    """An object as the value of a tensor."""
    box = np.empty((), object)
    box[()] = thing
    return box


def node_of(handle: np.ndarray) -> Node:
    """The dataset behind a tensor's value."""
    node: Node = handle.item()
    return node


def scalar(op: Any, name: str, array: np.ndarray) -> Any:
    """The Python number of a scalar. Raises InvalidArgumentError if it is none."""
    if array.ndim:
        raise errors.InvalidArgumentError(None, op, f"{name} must be a scalar")
    return array.item()


def stack_rows(run: Run, rows: Sequence[np.ndarray], component: int, what: str) -> np.ndarray:
    """Arrays of one shape as one array. Raises InvalidArgumentError if shapes differ."""
    first = rows[0]
    for k, row in enumerate(rows):
        if row.shape != first.shape:
            raise errors.InvalidArgumentError(
                None,
                run.call.op,
                f"Cannot {what} tensors with different shapes in component {component}. First "
                f"element had shape {s.text(first.shape)} and element {k} had shape "
                f"{s.text(row.shape)}.",
            )
    whole = np.empty((len(rows), *first.shape), first.dtype)
    if first.dtype == object:
        for k, row in enumerate(rows):
            whole[k] = row if row.ndim else row[()]
    else:
        np.stack(rows, out=whole)
    return whole
