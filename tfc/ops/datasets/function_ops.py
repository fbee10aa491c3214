"""Datasets that call functions: map, filter, flat_map, interleave, scan, take_while, groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.framework.opdef import OpDef
from tfc.ops.datasets.batch_ops import batched
from tfc.ops.datasets.nodes import (
    Element,
    Elements,
    FromSource,
    Function,
    Node,
    Run,
    Through,
    boxed,
    node_of,
    own,
    scalar,
)
from tfc.ops.datasets.source_ops import TYPES, handle
from tfc.ops.strings.common import invalid

_ARGUMENTS = "input_dataset: variant, other_arguments: [Targuments], "
_END = f"{TYPES}, use_inter_op_parallelism: bool = True"


class Map(Node):
    """`function` of each element. An OutOfRangeError in it ends the elements."""

    fresh = True

    def __init__(self, source: Node, function: Function):
        self.source, self.function = source, function

    def elements(self, run: Run) -> Elements:
        return MapElements(self, run)

    def size(self) -> int | None:
        return self.source.size()


class MapElements(FromSource):
    def item(self) -> Element:
        element = next(self.source)
        try:
            return tuple(self.node.function(self.run, *element))
        except errors.OutOfRangeError:
            raise StopIteration from None


class MapDataset(
    OpDef,
    sig=f"MapDataset({_ARGUMENTS}{_END}, preserve_cardinality: bool = False) -> handle: variant",
):
    """The function of each element."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        return boxed(Map(node_of(source), Function(op, 0, captured)))


class ParallelMapDataset(
    OpDef,
    sig=f"ParallelMapDataset({_ARGUMENTS}num_parallel_calls: int32, {_END}, sloppy: bool = False, "
    "preserve_cardinality: bool = False) -> handle: variant",
):
    """The function of each element, in order."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        calls(op, captured[-1])
        return boxed(Map(node_of(source), Function(op, 0, captured[:-1])))


def calls(op: Any, number: np.ndarray) -> None:
    """Raises InvalidArgumentError for a number of parallel calls that is none."""
    if scalar(op, "num_parallel_calls", number) < 1 and number != -1:
        raise invalid(op, "num_parallel_calls must be greater than zero.")


class MapAndBatchDataset(
    OpDef,
    sig=f"MapAndBatchDataset({_ARGUMENTS}batch_size: int64, num_parallel_calls: int64, "
    f"drop_remainder: bool, {TYPES}, preserve_cardinality: bool = False) -> handle: variant",
):
    """The function of each element, as rows, several at a time."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        captured, (size, number, drop) = rest[:-3], rest[-3:]
        calls(op, number)
        mapped = Map(node_of(source), Function(op, 0, captured))
        return boxed(batched(op, mapped, size, drop))


class Filter(Through):
    """The elements for which `predicate` is true."""

    def __init__(self, source: Node, predicate: Function):
        super().__init__(source)
        self.predicate = predicate

    def elements(self, run: Run) -> Elements:
        return FilterElements(self, run)


class FilterElements(FromSource):
    def item(self) -> Any:
        while True:
            item = self.source.item()
            if self.node.predicate.truth(self.run, *self.source.element(item)):
                return item


class FilterDataset(
    OpDef,
    sig="FilterDataset(input_dataset: variant, other_arguments: [Targuments], "
    f"{TYPES}) -> handle: variant",
):
    """The elements for which the function is true."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        return boxed(Filter(node_of(source), Function(op, 0, captured)))


class TakeWhile(Filter):
    """The elements before the first for which `predicate` is false."""

    def elements(self, run: Run) -> Elements:
        return TakeWhileElements(self, run)


class TakeWhileElements(FromSource):
    ended = False

    def item(self) -> Any:
        if not self.ended:
            item = self.source.item()
            if self.node.predicate.truth(self.run, *self.source.element(item)):
                return item
            self.ended = True
        raise StopIteration


class TakeWhileDataset(
    OpDef,
    sig="TakeWhileDataset(input_dataset: variant, other_arguments: [Targuments], "
    f"{TYPES}) -> handle: variant",
):
    """The elements before the first for which the function is false."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        return boxed(TakeWhile(node_of(source), Function(op, 0, captured)))


class Interleave(Node):
    """Elements of the datasets that `function` makes of elements: `block` elements of each in
    turn, of `cycle` datasets at a time."""

    def __init__(self, source: Node, function: Function, cycle: int, block: int):
        self.source, self.function = source, function
        self.cycle, self.block = cycle, block

    def elements(self, run: Run) -> Elements:
        return InterleaveElements(self, run)


class InterleaveElements(FromSource):
    def __init__(self, node: Interleave, run: Run):
        super().__init__(node, run)
        self.open: list[Elements | None] = [None] * node.cycle
        self.at = self.given = 0  # the dataset whose turn it is, and what it gave in this turn
        self.ended = False

    def item(self) -> Element:
        node = self.node
        while not self.ended or any(inner is not None for inner in self.open):
            inner = self.open[self.at]
            if inner is None:
                if self.ended or not self._open():
                    self._advance()
                continue
            try:
                element = next(inner)
            except StopIteration:
                self.open[self.at] = None
                self._advance()
                continue
            self.given += 1
            if self.given == node.block:
                self._advance()
            return element
        raise StopIteration

    def _advance(self) -> None:
        self.at, self.given = (self.at + 1) % self.node.cycle, 0

    def _open(self) -> bool:
        """Make the next dataset, whose turn it is; whether there is one."""
        try:
            element = next(self.source)
        except StopIteration:
            self.ended = True
            return False
        (made,) = self.node.function(self.run, *element)
        self.open[self.at] = node_of(made).elements(self.run)
        return True


class FlatMapDataset(
    OpDef,
    sig="FlatMapDataset(input_dataset: variant, other_arguments: [Targuments], "
    f"{TYPES}) -> handle: variant",
):
    """The elements of the datasets that the function makes, one dataset after the other."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        return boxed(Interleave(node_of(source), Function(op, 0, captured), 1, 1))


def _interleave(
    op: Any, source: np.ndarray, captured: Sequence[np.ndarray], cycle: Any, block: Any
) -> np.ndarray:
    counts = scalar(op, "cycle_length", cycle), scalar(op, "block_length", block)
    for name, count in zip(("cycle_length", "block_length"), counts, strict=True):
        if count < 1:
            raise invalid(op, f"{name} must be greater than zero.")
    return boxed(Interleave(node_of(source), Function(op, 0, captured), *counts))


class InterleaveDataset(
    OpDef,
    sig=f"InterleaveDataset({_ARGUMENTS}cycle_length: int64, block_length: int64, "
    f"{TYPES}) -> handle: variant",
):
    """Elements of the datasets that the function makes, in turns."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        return _interleave(op, source, rest[:-2], *rest[-2:])


class ParallelInterleaveDatasetV2(
    OpDef,
    sig=f"ParallelInterleaveDatasetV2({_ARGUMENTS}cycle_length: int64, block_length: int64, "
    f"num_parallel_calls: int64, {TYPES}, sloppy: bool = False) -> handle: variant",
):
    """Elements of the datasets that the function makes, in turns."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        calls(op, rest[-1])
        if rest[-1] > rest[-3] > 0:
            raise invalid(
                op,
                f"num_parallel_calls ({rest[-1]}) must be less than or equal to cycle_length "
                f"({rest[-3]}).",
            )
        return _interleave(op, source, rest[:-3], *rest[-3:-1])


class Scan(Node):
    """What `function(state, element)` gives beside the next state."""

    fresh = True

    def __init__(self, source: Node, function: Function, state: Sequence[np.ndarray]):
        self.source, self.function, self.state = source, function, state

    def elements(self, run: Run) -> Elements:
        return ScanElements(self, run)

    def size(self) -> int | None:
        return self.source.size()


class ScanElements(FromSource):
    def __init__(self, node: Scan, run: Run):
        super().__init__(node, run)
        self.state = node.state

    def item(self) -> Element:
        element = next(self.source)
        try:
            found = self.node.function(self.run, *self.state, *element)
        except errors.OutOfRangeError:
            raise StopIteration from None
        count = len(self.state)
        self.state = found[:count]
        return tuple(found[count:])


class ScanDataset(
    OpDef,
    sig="ScanDataset(input_dataset: variant, initial_state: [Tstate], "
    f"other_arguments: [Targuments], {TYPES}, preserve_cardinality: bool = False)"
    " -> handle: variant",
):
    """The function of a running state and each element."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *rest: np.ndarray, Tstate: Sequence[Any]) -> np.ndarray:
        count = len(Tstate)
        state = [own(part) for part in rest[:count]]
        return boxed(Scan(node_of(source), Function(op, 0, rest[count:]), state))


class Ignoring(Through):
    """The elements without those whose making fails."""

    def elements(self, run: Run) -> Elements:
        return IgnoringElements(self, run)


class IgnoringElements(FromSource):
    def item(self) -> Any:
        while True:
            self.run.check()
            try:
                return self.source.item()
            except (errors.CancelledError, errors.DeadlineExceededError):
                raise
            except errors.OpError:
                continue


class IgnoreErrorsDataset(
    OpDef,
    sig=f"IgnoreErrorsDataset(input_dataset: variant, {TYPES}, log_warning: bool = False)"
    " -> handle: variant",
):
    """The elements without those whose making fails."""

    stateful = True
    shape = handle

    def host(source: np.ndarray) -> np.ndarray:
        return boxed(Ignoring(node_of(source)))


class Unique(Through):
    """Each element once, where it is met first."""

    def elements(self, run: Run) -> Elements:
        return UniqueElements(self, run)


class UniqueElements(FromSource):
    def __init__(self, node: Unique, run: Run):
        super().__init__(node, run)
        self.met: set[Any] = set()

    def item(self) -> Any:
        while True:
            self.run.check()
            item = self.source.item()
            (value,) = self.source.element(item)
            key = value.shape, tuple(value.ravel().tolist())
            if key not in self.met:
                self.met.add(key)
                return item


class UniqueDataset(
    OpDef, sig=f"UniqueDataset(input_dataset: variant, {TYPES}) -> handle: variant"
):
    """Each element once."""

    stateful = True
    shape = handle

    def host(source: np.ndarray) -> np.ndarray:
        return boxed(Unique(node_of(source)))
