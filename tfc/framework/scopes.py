"""Contexts of a Graph: names, control dependencies, devices, colocation, attributes of new ops."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfc.framework.device import merge_device
from tfc.framework.operation import Operation, Tensor

OP_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-/]*")
SCOPE_NAME = re.compile(r"[A-Za-z0-9_.\-/]*")


class NameScope:
    """`with graph.name_scope("a") as scope`: names made inside start with `a/` (or `a_1/`).

    A name that ends in a slash re-enters that scope; None or "" leaves all scopes.
    """

    __slots__ = ("_graph", "_name", "_old")

    def __init__(self, graph: ScopeStacks, name: str | None):
        self._graph, self._name, self._old = graph, name, ""

    def __enter__(self) -> str:
        graph, name = self._graph, self._name
        if name:
            if not isinstance(name, str):
                raise TypeError(f"a scope name is a string, not {name!r}")
            allowed = SCOPE_NAME if graph._name_stack else OP_NAME
            if not allowed.fullmatch(name):
                raise ValueError(f"'{name}' is not a valid scope name")
        self._old = graph._name_stack
        if not name:
            graph._name_stack = ""
        elif name[-1] == "/":
            graph._name_stack = name[:-1]
        else:
            graph._name_stack = graph.unique_name(name)
        return graph._name_stack + "/" if graph._name_stack else ""

    def __exit__(self, *exception: Any) -> None:
        self._graph._name_stack = self._old


class ControlDependencies:
    """Ops made inside run after `controls`; with `clear`, no outer context applies, and the ops
    are of no region."""

    def __init__(self, graph: ScopeStacks, controls: Sequence[Operation], clear: bool):
        self._graph, self.controls, self._clear = graph, list(controls), clear
        self.seen: set[Operation] = set()
        self._old: tuple[list[ControlDependencies], Any] = [], None

    def __enter__(self) -> None:
        graph = self._graph
        self._old = graph._control_stack, graph._region
        outer = [] if self._clear else graph._control_stack
        graph._control_stack = [*outer, self]
        if self._clear:
            graph._region = None

    def __exit__(self, *exception: Any) -> None:
        self._graph._control_stack, self._graph._region = self._old


class ScopeStacks:
    """What a Graph keeps of the contexts it is in."""

    def __init__(self) -> None:
        self._name_stack = ""
        self._names_in_use: dict[str, int] = {}
        self._control_stack: list[ControlDependencies] = []
        self._device_stack: list[Any] = []
        self._colocation: list[Operation] = []
        self._attr_scope: dict[str, Any] = {}
        self._gradient_overrides: dict[str, str] = {}
        self._container = ""
        self._region: Any = None  # the Region that new ops belong to

    def name_scope(self, name: str | None) -> NameScope:
        """A context whose ops are named inside `name`; entering it gives the prefix with slash."""
        return NameScope(self, name)

    def get_name_scope(self) -> str:
        """The current name scope, without a slash at the end."""
        return self._name_stack

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """`name` inside the current scope, with `_1`, `_2`, … where it was used before. Case
        matters: `Add` and `add` are two names."""
        if self._name_stack:
            name = f"{self._name_stack}/{name}"
        used = self._names_in_use
        count = used.get(name, 0)
        if mark_as_used:
            used[name] = count + 1
        if count == 0:
            return name
        base = name
        while name in used:
            name = f"{base}_{count}"
            count += 1
        if mark_as_used:
            used[name] = 1
        return name

    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> ControlDependencies:
        """A context whose ops run after the given operations and tensors. None clears all outer
        contexts.

        Raises:
          TypeError: an element is neither.
        """
        if control_inputs is None:
            return ControlDependencies(self, (), clear=True)
        controls: dict[Operation, None] = {}
        current = {op for c in self._control_stack for op in c.controls}
        for element in control_inputs:
            op = self._to_wait_for(self._control_op(element))
            if op not in current:
                controls[op] = None
        return ControlDependencies(self, list(controls), clear=False)

    def _to_wait_for(self, op: Operation) -> Operation:
        """What ops made now wait for, to wait for `op`."""
        return op

    def _control_op(self, element: Any) -> Operation:
        if hasattr(element, "_as_graph_element"):
            element = element._as_graph_element()
        elif hasattr(element, "values") and hasattr(element, "indices"):  # IndexedSlices
            element = element.values
        element = self.as_graph_element(element)
        op: Operation = element.op if isinstance(element, Tensor) else element
        return op

    def as_graph_element(self, obj: Any) -> Any:
        raise NotImplementedError

    def _controls_for(self, inputs: Sequence[Tensor]) -> list[Operation]:
        """Control inputs of a new op: of each context, unless an input of the op was made in that
        context and so runs after them anyway."""
        if not self._control_stack:
            return []
        sources = {t.op for t in inputs}
        found: dict[Operation, None] = {}
        for context in self._control_stack:
            if not any(op in context.seen for op in sources):
                found.update((op, None) for op in context.controls if op not in sources)
        return list(found)

    @contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        """A context whose ops carry this device; None clears the outer ones."""
        old = self._device_stack
        if device_name_or_function is None:
            self._device_stack = []
        else:
            self._device_stack = [*old, merge_device(device_name_or_function)]
        try:
            yield
        finally:
            self._device_stack = old

    def _place(self, op: Operation) -> None:
        """Give `op` the device of the contexts it is made in."""
        for function in self._device_stack:
            op._device = function(op) or ""

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """A context whose ops share the device (and its name) of `op`."""
        if op is None and not ignore_existing:
            raise ValueError("Trying to reset colocation (op is None) but ignore_existing is False")
        old, old_devices = self._colocation, self._device_stack
        outer = [] if ignore_existing else old
        self._colocation = outer if op is None else [*outer, self._control_op(op)]
        self._device_stack = []  # the device is that of `op`
        try:
            yield
        finally:
            self._colocation, self._device_stack = old, old_devices

    def _colocate(self, op: Operation) -> None:
        if not self._colocation:
            return
        groups: dict[str, None] = dict.fromkeys(op._attrs.get("_class", ()))
        for other in self._colocation:
            groups.update((g.decode(), None) for g in other.colocation_groups())
            if other.device:
                op._device = other.device
        op._attrs["_class"] = tuple(sorted(groups))

    @contextmanager
    def gradient_override_map(self, op_type_map: dict[str, str]) -> Iterator[None]:
        """A context in which ops of the types that are keys take the gradient registered under
        the name that is the value.

        Raises:
          TypeError: keys or values are no strings.
        """
        if not isinstance(op_type_map, dict):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        for key, value in op_type_map.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        old = self._gradient_overrides
        self._gradient_overrides = {**old, **op_type_map}
        try:
            yield
        finally:
            self._gradient_overrides = old

    @contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        """A context whose stateful ops belong to this resource container."""
        old = self._container
        self._container = container_name
        try:
            yield container_name
        finally:
            self._container = old
