"""Datasets of elements by key: windows of them, and what they are reduced to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.framework.opdef import OpDef
from tfc.ops.datasets.batch_ops import Listed
from tfc.ops.datasets.nodes import (
    Element,
    Elements,
    FromSource,
    Function,
    Node,
    Run,
    boxed,
    node_of,
)
from tfc.ops.datasets.source_ops import TYPES, handle
from tfc.ops.strings.common import invalid


class GroupByWindow(Node):
    """The elements of the datasets that `reduce` makes of windows of elements of one key."""

    def __init__(self, source: Node, key: Function, reduce: Function, room: Function):
        self.source, self.key, self.reduce, self.room = source, key, reduce, room

    def elements(self, run: Run) -> Elements:
        return GroupByWindowElements(self, run)


class GroupByWindowElements(FromSource):
    def __init__(self, node: GroupByWindow, run: Run):
        super().__init__(node, run)
        self.groups: dict[int, list[Element]] = {}
        self.rooms: dict[int, int] = {}
        self.current: Elements | None = None
        self.ended = False

    def item(self) -> Element:
        while True:
            if self.current is not None:
                try:
                    return next(self.current)
                except StopIteration:
                    self.current = None
            if self.ended:
                if not self.groups:
                    raise StopIteration
                self._reduce(min(self.groups))
                continue
            try:
                element = next(self.source)
            except StopIteration:
                self.ended = True
                continue
            self._add(element)

    def _add(self, element: Element) -> None:
        key = int(self.node.key(self.run, *element)[0])
        group = self.groups.setdefault(key, [])
        if key not in self.rooms:
            room = int(self.node.room(self.run, np.array(key, np.int64))[0])
            if room <= 0:
                raise invalid(
                    self.node.key.op, f"Window size must be greater than zero, but got {room}."
                )
            self.rooms[key] = room
        group.append(element)
        if len(group) == self.rooms[key]:
            self._reduce(key)

    def _reduce(self, key: int) -> None:
        window = boxed(Listed(self.groups.pop(key)))
        self.rooms.pop(key)
        (made,) = self.node.reduce(self.run, np.array(key, np.int64), window)
        self.current = node_of(made).elements(self.run)


class GroupByWindowDataset(
    OpDef,
    sig="GroupByWindowDataset(input_dataset: variant, "
    "key_func_other_arguments: [Tkey_func_other_arguments], "
    "reduce_func_other_arguments: [Treduce_func_other_arguments], "
    "window_size_func_other_arguments: [Twindow_size_func_other_arguments], "
    f"{TYPES}) -> handle: variant",
):
    """Windows of elements of one key, reduced."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        return boxed(GroupByWindow(node_of(source), *functions_of(op, captured, _WINDOW)))


_WINDOW = "key_func", "reduce_func", "window_size_func"
_REDUCER = "key_func", "init_func", "reduce_func", "finalize_func"


def functions_of(op: Any, captured: Sequence[np.ndarray], names: Sequence[str]) -> list[Function]:
    """The functions of an op that has several, each with its own captured values."""
    found, at = [], 0
    for number, name in enumerate(names):
        count = len(op.get_attr(f"T{name}_other_arguments"))
        found.append(Function(op, number, captured[at : at + count]))
        at += count
    return found


class GroupByReducer(Node):
    """For each key what the elements with that key are reduced to."""

    fresh = True

    def __init__(self, source: Node, functions: Sequence[Function]):
        self.source = source
        self.key, self.init, self.reduce, self.finalize = functions

    def elements(self, run: Run) -> Elements:
        return GroupByReducerElements(self, run)


class GroupByReducerElements(FromSource):
    states: dict[int, Sequence[np.ndarray]] | None = None

    def item(self) -> Element:
        node, run = self.node, self.run
        if self.states is None:
            states: dict[int, Sequence[np.ndarray]] = {}
            for element in self.source:
                key = int(node.key(run, *element)[0])
                if key not in states:
                    states[key] = node.init(run, np.array(key, np.int64))
                states[key] = node.reduce(run, *states[key], *element)
            self.states = dict(sorted(states.items()))
        for key in self.states:
            return tuple(node.finalize(run, *self.states.pop(key)))
        raise StopIteration


class GroupByReducerDataset(
    OpDef,
    sig="GroupByReducerDataset(input_dataset: variant, "
    "key_func_other_arguments: [Tkey_func_other_arguments], "
    "init_func_other_arguments: [Tinit_func_other_arguments], "
    "reduce_func_other_arguments: [Treduce_func_other_arguments], "
    "finalize_func_other_arguments: [Tfinalize_func_other_arguments], "
    f"{TYPES}) -> handle: variant",
):
    """For each key what the elements with that key are reduced to, in the order of the keys."""

    stateful = True
    shape = handle

    def host(op: Any, source: np.ndarray, *captured: np.ndarray) -> np.ndarray:
        functions = functions_of(op, captured, _REDUCER)
        return boxed(GroupByReducer(node_of(source), functions))
