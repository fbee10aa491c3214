"""Datasets made of several others: side by side, one after the other, or as another one says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.framework.opdef import OpDef
from tfc.ops.datasets.nodes import (
    INFINITE,
    MOST_PLACES,
    Element,
    Elements,
    Items,
    Node,
    Run,
    Table,
    boxed,
    node_of,
)
from tfc.ops.datasets.source_ops import TYPES, handle
from tfc.ops.strings.common import invalid


class Zip(Node):
    """Elements side by side, as long as all have one.

    If all have tables, so has this: an item of it is the items of all in one number.
    """

    def __init__(self, sources: Sequence[Node]):
        self.sources = sources
        self.strides = [1]
        for source in sources:
            self.strides.append(self.strides[-1] * max(source.extent, 1))
        if all(n.tables is not None for n in sources) and self.strides[-1] < MOST_PLACES:
            self.extent = self.strides[-1]
            self.tables = tuple(
                Table(_Part(t, n.extent), max(n.extent, 1), stride)
                for n, stride in zip(sources, self.strides, strict=False)
                for t in n.tables or ()
            )

    def elements(self, run: Run) -> Elements:
        return ZipElements(self, run)

    def size(self) -> int | None:
        sizes = [source.size() for source in self.sources]
        if any(n is None for n in sizes):
            return None
        finite = [n for n in sizes if n is not None and n != INFINITE]
        return min(finite) if finite else INFINITE


class _Part:
    """The rows of a table of one source, by that source's items."""

    def __init__(self, table: Table, extent: int):
        self.table, self.extent = table, extent

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, tuple):
            return self.table.row(index[0])
        return self.table.gather(index)


class ZipElements(Elements):
    def __init__(self, node: Zip, run: Run):
        self.node, self.tables = node, node.tables
        self.sources = [source.elements(run) for source in node.sources]
        self.parts = list(zip(self.sources, node.strides, strict=False))
        self.ended = False

    def item(self) -> Any:
        if self.ended:
            raise StopIteration
        try:
            if self.tables is None:
                return tuple([part for source in self.sources for part in next(source)])
            found = 0
            for source, stride in self.parts:
                found += source.item() * stride
            return found
        except StopIteration:
            self.ended = True
            raise

    def items(self, count: int) -> Items:
        if self.tables is None or self.ended or len(self.sources) == 0:
            return super().items(count)
        columns = []
        for source in self.sources:
            # The others give no more elements than those before them.
            columns.append(np.asarray(source.items(count), np.int64))
            if len(columns[-1]) < count:
                count, self.ended = len(columns[-1]), True
        pairs = zip(columns, self.node.strides, strict=False)
        whole: np.ndarray = sum(column[:count] * stride for column, stride in pairs)  # type: ignore[assignment]
        return whole


class ZipDataset(OpDef, sig=f"ZipDataset(input_datasets: N * variant, {TYPES}) -> handle: variant"):
    """Elements side by side."""

    stateful = True
    shape = handle

    def host(*sources: np.ndarray) -> np.ndarray:
        return boxed(Zip([node_of(source) for source in sources]))


class Concatenate(Node):
    """The elements of one, then those of the other."""

    def __init__(self, first: Node, second: Node):
        self.both = first, second
        self.fresh = first.fresh and second.fresh

    def elements(self, run: Run) -> Elements:
        return ConcatenateElements(self, run)

    def size(self) -> int | None:
        sizes = [node.size() for node in self.both]
        if None in sizes:
            return None
        return INFINITE if INFINITE in sizes else sum(n for n in sizes if n is not None)


class ConcatenateElements(Elements):
    def __init__(self, node: Concatenate, run: Run):
        self.node, self.run = node, run
        self.source, self.last = node.both[0].elements(run), False

    def item(self) -> Element:
        if not self.last:
            try:
                return next(self.source)
            except StopIteration:
                self.source, self.last = self.node.both[1].elements(self.run), True
        return next(self.source)


class ConcatenateDataset(
    OpDef,
    sig="ConcatenateDataset(input_dataset: variant, another_dataset: variant, "
    f"{TYPES}) -> handle: variant",
):
    """The elements of one dataset, then those of another."""

    stateful = True
    shape = handle

    def host(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return boxed(Concatenate(node_of(first), node_of(second)))


class Directed(Node):
    """Elements of the sources whose numbers another dataset gives."""

    def __init__(self, op: Any, selector: Node, sources: Sequence[Node], stop_on_empty: bool):
        self.op, self.selector, self.sources = op, selector, sources
        self.stop_on_empty = stop_on_empty

    def elements(self, run: Run) -> Elements:
        return DirectedElements(self, run)


class DirectedElements(Elements):
    def __init__(self, node: Directed, run: Run):
        self.node, self.run = node, run
        self.selector = node.selector.elements(run)
        self.sources: list[Elements | None] = [n.elements(run) for n in node.sources]

    def item(self) -> Element:
        while any(source is not None for source in self.sources):
            self.run.check()
            (chosen,) = next(self.selector)
            number = int(chosen)
            if not 0 <= number < len(self.sources):
                raise invalid(
                    self.node.op,
                    f"Selector index out of range: {number} >= {len(self.sources)}",
                )
            source = self.sources[number]
            if source is None:
                continue
            try:
                return next(source)
            except StopIteration:
                if self.node.stop_on_empty:
                    break
                self.sources[number] = None
        self.sources = []
        raise StopIteration


class DirectedInterleaveDataset(
    OpDef,
    sig="DirectedInterleaveDataset(selector_input_dataset: variant, "
    f"data_input_datasets: N * variant, {TYPES}, stop_on_empty_dataset: bool = False)"
    " -> handle: variant",
):
    """Elements of the datasets whose numbers the selector gives."""

    stateful = True
    shape = handle

    def host(
        op: Any, selector: np.ndarray, *sources: np.ndarray, stop_on_empty_dataset: bool = False
    ) -> np.ndarray:
        nodes = [node_of(source) for source in sources]
        return boxed(Directed(op, node_of(selector), nodes, stop_on_empty_dataset))
