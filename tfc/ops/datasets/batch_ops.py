"""Datasets whose elements are several elements of others: batches and windows; and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.datasets.nodes import (
    INFINITE,
    Element,
    Elements,
    FromSource,
    Node,
    Run,
    boxed,
    node_of,
    own,
    scalar,
)
from tfc.ops.datasets.source_ops import TYPES, handle
from tfc.ops.strings.common import invalid


class Batch(Node):
    """Elements as rows, `count` at a time."""

    fresh = True

    def __init__(self, source: Node, count: int, drop: bool):
        self.source, self.count, self.drop = source, count, drop

    def elements(self, run: Run) -> Elements:
        return BatchElements(self, run)

    def size(self) -> int | None:
        whole = self.source.size()
        if whole is None or whole == INFINITE:
            return whole
        return whole // self.count if self.drop else -(-whole // self.count)


class BatchElements(FromSource):
    def item(self) -> Element:
        node = self.node
        found, columns = self.source.stacked(self.run, node.count)
        if not found or (node.drop and found < node.count):
            raise StopIteration
        return columns


def batched(op: Any, source: Node, size: np.ndarray, drop: np.ndarray) -> Node:
    """The node of a batch op."""
    count = scalar(op, "batch_size", size)
    if count < 1:
        raise invalid(op, "Batch size must be greater than zero.")
    return Batch(source, count, bool(scalar(op, "drop_remainder", drop)))


class BatchDatasetV2(
    OpDef,
    sig="BatchDatasetV2(input_dataset: variant, batch_size: int64, drop_remainder: bool, "
    f"parallel_copy: bool = False, {TYPES}) -> handle: variant",
):
    """Elements as rows, several at a time."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, size: np.ndarray, drop: np.ndarray) -> np.ndarray:
        return boxed(batched(op, node_of(source), size, drop))


class PaddedBatch(Node):
    """Elements as rows, `count` at a time, filled up to one shape."""

    fresh = True

    def __init__(
        self,
        source: Node,
        count: int,
        shapes: Sequence[Sequence[int]],
        values: Sequence[np.ndarray],
        drop: bool,
    ):
        self.source, self.count, self.drop = source, count, drop
        self.shapes, self.values = shapes, values

    def elements(self, run: Run) -> Elements:
        return PaddedBatchElements(self, run)

    def size(self) -> int | None:
        return Batch.size(self)  # type: ignore[arg-type]


class PaddedBatchElements(FromSource):
    def item(self) -> Element:
        node = self.node
        rows = [self.source.element(item) for item in self.source.items(node.count)]
        if not rows or (node.drop and len(rows) < node.count):
            raise StopIteration
        columns = zip(*rows, strict=True)
        parts = zip(columns, node.shapes, node.values, strict=True)
        return tuple([self._filled(k, *part) for k, part in enumerate(parts)])

    def _filled(
        self, number: int, rows: Sequence[np.ndarray], wanted: Sequence[int], value: np.ndarray
    ) -> np.ndarray:
        op = self.run.call.op
        for row in rows:
            if row.ndim != len(wanted):
                raise invalid(
                    op,
                    "All elements in a batch must have the same rank as the padded shape for "
                    f"component{number}: expected rank {len(wanted)} but got element with rank "
                    f"{row.ndim}",
                )
        extents = [max(row.shape[d] for row in rows) for d in range(len(wanted))]
        shape = [n if w == -1 else w for n, w in zip(extents, wanted, strict=True)]
        if any(n > w for n, w in zip(extents, shape, strict=True)):
            raise errors.DataLossError(
                None,
                op,
                "Attempted to pad to a smaller size than the input element: "
                f"{s.text(extents)} to {s.text(shape)}.",
            )
        whole = np.full((len(rows), *shape), value[()], rows[0].dtype)
        for k, row in enumerate(rows):
            box: Any = (k, *(slice(n) for n in row.shape))
            whole[box] = row if row.ndim else row[()]
        return whole


class PaddedBatchDatasetV2(
    OpDef,
    sig="PaddedBatchDatasetV2(input_dataset: variant, batch_size: int64, "
    "padded_shapes: N * int64, padding_values: [Toutput_types], drop_remainder: bool, "
    "parallel_copy: bool = False, output_shapes: list(shape)) -> handle: variant",
):
    """Elements as rows, several at a time, filled up to one shape."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, size: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        count = scalar(op, "batch_size", size)
        if count < 1:
            raise invalid(op, "Batch size must be greater than zero.")
        number = len(rest) // 2
        shapes = [shape.tolist() for shape in rest[:number]]
        values = [own(v) for v in rest[number:-1]]
        if any(v.ndim for v in values):
            raise invalid(op, "All padding values must be scalars")
        drop = bool(scalar(op, "drop_remainder", rest[-1]))
        return boxed(PaddedBatch(node_of(source), count, shapes, values, drop))


class Unbatch(Node):
    """The rows of the elements."""

    def __init__(self, source: Node):
        self.source = source

    def elements(self, run: Run) -> Elements:
        return UnbatchElements(self, run)


class UnbatchElements(FromSource):
    def __init__(self, node: Unbatch, run: Run):
        super().__init__(node, run)
        self.rows: Element = ()
        self.at = self.count = 0

    def item(self) -> Element:
        while self.at >= self.count:
            self.rows = next(self.source)
            op = self.run.call.op
            if any(not r.ndim for r in self.rows):
                raise invalid(op, "Input element must have a non-scalar value in each component.")
            counts = {len(r) for r in self.rows}
            if len(counts) != 1:
                raise invalid(
                    op,
                    "Input element must have the same batch size in each component. "
                    f"Sizes: {[len(r) for r in self.rows]}",
                )
            self.at, (self.count,) = 0, counts
        self.at += 1
        return tuple([r[self.at - 1, ...] for r in self.rows])


class UnbatchDataset(
    OpDef, sig=f"UnbatchDataset(input_dataset: variant, {TYPES}) -> handle: variant"
):
    """The rows of the elements, one after the other."""

    stateful = True
    shape = handle

    def host(source: np.ndarray) -> np.ndarray:
        return boxed(Unbatch(node_of(source)))


class Listed(Node):
    """Elements that are there already."""

    def __init__(self, members: Sequence[Element]):
        self.members = members

    def elements(self, run: Run) -> Elements:
        return ListedElements(self.members)

    def size(self) -> int:
        return len(self.members)


class ListedElements(Elements):
    def __init__(self, members: Sequence[Element]):
        self.members = iter(members)

    def item(self) -> Element:
        return next(self.members)


class Window(Node):
    """Datasets of `count` elements that lie `stride` apart, starting `shift` after each other."""

    def __init__(self, source: Node, count: int, shift: int, stride: int, drop: bool):
        self.source, self.count, self.drop = source, count, drop
        self.shift, self.stride = shift, stride

    def elements(self, run: Run) -> Elements:
        return WindowElements(self, run)

    def size(self) -> int | None:
        size = self.source.size()
        if size is None or size < 0:
            return size
        if not self.drop:
            return -(-size // self.shift)
        reach = (self.count - 1) * self.stride + 1
        return max(0, (size - reach) // self.shift + 1)


class WindowElements(FromSource):
    def __init__(self, node: Window, run: Run):
        super().__init__(node, run)
        self.buffer: list[Element] = []
        self.pause = 0  # elements to leave out before the next window
        self.ended = False

    def item(self) -> Element:
        node = self.node
        reach = (node.count - 1) * node.stride + 1
        while not self.ended and (self.pause or len(self.buffer) < reach):
            try:
                element = next(self.source)
            except StopIteration:
                self.ended = True
                break
            if self.pause:
                self.pause -= 1
            else:
                self.buffer.append(element)
        if not self.buffer or (node.drop and len(self.buffer) < reach):
            raise StopIteration
        members = self.buffer[: reach : node.stride]
        self.pause = max(node.shift - len(self.buffer), 0)
        del self.buffer[: node.shift]
        columns = zip(*members, strict=True)
        return tuple([boxed(Listed([(part,) for part in column])) for column in columns])


class WindowDataset(
    OpDef,
    sig="WindowDataset(input_dataset: variant, size: int64, shift: int64, stride: int64, "
    f"drop_remainder: bool, {TYPES}) -> handle: variant",
):
    """Datasets of elements that follow each other, one dataset a component."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *numbers: np.ndarray) -> np.ndarray:
        names = "Window size", "Window shift", "Window stride"
        values = [scalar(op, name, n) for name, n in zip(names, numbers[:3], strict=True)]
        size, shift, stride = values
        for name, value in zip(names, values, strict=True):
            if value < 1:
                raise invalid(op, f"{name} must be greater than zero.")
        drop = bool(scalar(op, "drop_remainder", numbers[3]))
        return boxed(Window(node_of(source), size, shift, stride, drop))
