"""Graph: an append-only list of uniquely named Operations, and functions on the default one.

It is the TensorFlow side of the one IR: ops are added by `create_op` only, which checks them
against their definition and infers their shapes. What may change later (`set_shape`, control
inputs) is counted in `mutations`; appending invalidates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tfc.base.cells import Cell
from tfc.base.location import user_location
from tfc.base.shapes import shape_text
from tfc.framework import opdef, stack
from tfc.framework.collections import CollectionStore, GraphKeys
from tfc.framework.convert import (
    convert_n_to_tensor,
    convert_to_tensor,
    convert_to_tensor_or_indexed_slices,
    is_dense_tensor_like,
    register_tensor_conversion_function,
)
from tfc.framework.operation import NodeDef, Operation, Tensor
from tfc.framework.region_controls import visible_control
from tfc.framework.regions import not_visible
from tfc.framework.scopes import OP_NAME, ControlDependencies, NameScope, ScopeStacks
from tfc.framework.stack import get_default_graph, reset_default_graph

__all__ = [
    "Graph",
    "GraphKeys",
    "NodeDef",
    "Operation",
    "Tensor",
    "add_to_collection",
    "add_to_collections",
    "colocate_with",
    "container",
    "control_dependencies",
    "convert_n_to_tensor",
    "convert_to_tensor",
    "convert_to_tensor_or_indexed_slices",
    "device",
    "get_collection",
    "get_collection_ref",
    "get_default_graph",
    "is_dense_tensor_like",
    "name_scope",
    "op_scope",
    "register_tensor_conversion_function",
    "reset_default_graph",
]


class Graph(ScopeStacks, CollectionStore):
    """A dataflow graph."""

    building_function = False

    def __init__(self) -> None:
        ScopeStacks.__init__(self)
        CollectionStore.__init__(self)
        self._ops: list[Operation] = []
        self._by_name: dict[str, Operation] = {}
        self._hidden_ops = False  # whether some ops are those of functions
        self._finalized = False
        self._unfeedable: set[Tensor] = set()
        self._unfetchable: set[Any] = set()
        self.mutations_cell = Cell()
        self.seed: int | None = None
        self.unseeded_random_ops = 0  # ops that took their op seed from the graph seed
        self._original_op: Operation | None = None

    # ---- creating ops

    def create_op(
        self,
        op_type: str,
        inputs: Sequence[Tensor],
        dtypes: Any = None,
        input_types: Any = None,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
        op_def: Any = None,
        compute_shapes: bool = True,
        compute_device: bool = True,
    ) -> Operation:
        """Append an op of type `op_type`. A `name` that ends in a slash is taken as it is.

        `dtypes` and `input_types` follow from the definition and are accepted for TensorFlow's
        sake.

        Raises:
          TypeError, ValueError: inputs or attributes do not fit the definition; the message names
          the op, its input shapes and the user's line. RuntimeError: the graph is finalized.
        """
        self._check_not_finalized()
        defn = op_def or opdef.lookup(op_type)
        self._check_inputs(inputs)
        inputs = self._visible(op_type, inputs)
        name = op_type if name is None else name
        if not isinstance(name, str):
            raise TypeError(f"the name of an op is a string, not {name!r}")
        name = name[:-1] if name.endswith("/") else self.unique_name(name)
        if not OP_NAME.fullmatch(name):
            raise ValueError(f"'{name}' is not a valid node name")
        location = user_location()
        try:
            full = opdef.complete_attrs(defn, inputs, attrs or {})
            types = opdef.output_types(defn, full)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} for '{name}' (op: '{op_type}') ({location})") from None
        if op_type in self._gradient_overrides:
            full["_gradient_op_type"] = self._gradient_overrides[op_type]
        if self._container and full.get("container") == "":
            full["container"] = self._container
        controls = self._controls_for(inputs)
        number = len(self._ops)
        op = Operation(self, number, name, defn, inputs, full, types, controls, "", location)
        op._original_op = self._original_op
        self._place(op)
        self._colocate(op)
        self._infer_shapes(op)
        self._append(op)
        return op

    def _check_inputs(self, inputs: Sequence[Tensor]) -> None:
        for position, tensor in enumerate(inputs):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"Input #{position} is not a tensor: {tensor}")
            if tensor.graph is not self:
                raise ValueError(f"{tensor} is not from the passed-in graph.")

    def _visible(self, op_type: str, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The inputs as an op made now may take them; see `Region.imported`."""
        if self._region is not None:
            found: list[Tensor] = self._region.imported(op_type, inputs)
            return found
        for tensor in inputs:
            if tensor.op._region is not None:
                raise not_visible(op_type, tensor)
        return inputs

    def _infer_shapes(self, op: Operation) -> None:
        try:
            shapes = op.defn.infer_shapes(op)
        except ValueError as error:
            given = ", ".join(shape_text(t.get_shape().tuple) for t in op.inputs)
            raise ValueError(
                f"{error} for '{op.name}' (op: '{op.type}') with input shapes: {given}."
                + (f" ({op.location})" if op.location else "")
            ) from None
        for tensor, shape in zip(op.outputs, shapes, strict=True):
            tensor._shape = shape

    def _append(self, op: Operation) -> None:
        if op.name in self._by_name:
            raise ValueError(f"cannot add op with name {op.name} as that name is already used")
        self._ops.append(op)
        self._by_name[op.name] = op
        self._names_in_use.setdefault(op.name, 1)
        for tensor in op.inputs:
            tensor._consumers.append(op)
        for context in self._control_stack:
            context.seen.add(op)
        if self._region is not None:
            op._region = self._region
            self._region.ops.append(op)
            self._hidden_ops = self._hidden_ops or self._region.hidden

    def _mutated(self) -> None:
        """Something other than appending has changed what a run may rely on."""
        self.mutations_cell.value += 1

    @property
    def mutations(self) -> int:
        """How often something other than appending has changed the graph."""
        return self.mutations_cell.value

    # ---- what is in it

    @property
    def version(self) -> int:
        """Grows with every op."""
        return len(self._ops)

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        """Make the graph read-only."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were added; not those of functions."""
        if not self._hidden_ops:
            return list(self._ops)
        return [op for op in self._ops if op._region is None or not op._region.hidden]

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation called `name`.

        Raises:
          KeyError: there is none. ValueError: the name is one of a tensor.
        """
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        op: Operation = self.as_graph_element(name, allow_tensor=False, allow_operation=True)
        return op

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor called `name`, such as `add:0`.

        Raises:
          KeyError: there is none. ValueError: the name is not one of a tensor.
        """
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        tensor: Tensor = self.as_graph_element(name, allow_tensor=True, allow_operation=False)
        return tensor

    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The Tensor or Operation of this graph that `obj` is, names, or stands for.

        Raises:
          TypeError: it is neither. KeyError: nothing of that name. ValueError: of another graph.
        """
        kinds = [
            k for k, allow in (("Tensor", allow_tensor), ("Operation", allow_operation)) if allow
        ]
        if not kinds:
            raise ValueError("allow_tensor and allow_operation can't both be False.")
        wanted = " or ".join(kinds)
        if hasattr(obj, "_as_graph_element"):
            obj = obj._as_graph_element()
        if isinstance(obj, bytes):
            obj = obj.decode()
        if isinstance(obj, str):
            return self._element_named(obj, allow_tensor, allow_operation, wanted)
        if isinstance(obj, Tensor) and allow_tensor:
            if obj.graph is not self:
                raise ValueError(f"Tensor {obj} is not an element of this graph.")
            return obj
        if isinstance(obj, Operation) and allow_operation:
            if obj.graph is not self:
                raise ValueError(f"Operation {obj.name} is not an element of this graph.")
            return obj
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {wanted}.")

    def _element_named(
        self, name: str, allow_tensor: bool, allow_operation: bool, wanted: str
    ) -> Any:
        if ":" in name:
            if not allow_tensor:
                raise ValueError(f"Name {name!r} appears to refer to a Tensor, not a {wanted}.")
            return self._tensor_named(name)
        if allow_operation:
            if name not in self._by_name:
                raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")
            return self._by_name[name]
        found = "refers to an" if name in self._by_name else "looks like an (invalid)"
        ending = "" if name in self._by_name else " name"
        raise ValueError(
            f"The name {name!r} {found} Operation{ending}, not a {wanted}. Tensor names must be "
            'of the form "<op_name>:<output_index>".'
        )

    def _tensor_named(self, name: str) -> Tensor:
        op_name, _, index = name.partition(":")
        if not index.isdigit():
            raise ValueError(
                f"The name {name!r} looks a like a Tensor name, but is not a valid one. Tensor "
                'names must be of the form "<op_name>:<output_index>".'
            )
        start = f"The name {name!r} refers to a Tensor which does not exist. The operation, "
        op = self._by_name.get(op_name)
        if op is None:
            raise KeyError(f"{start}{op_name!r}, does not exist in the graph.")
        if int(index) >= len(op.outputs):
            raise KeyError(f"{start}{op_name!r}, exists but only has {len(op.outputs)} outputs.")
        return op.outputs[int(index)]

    def _to_wait_for(self, op: Operation) -> Operation:
        return op if op._region is None else visible_control(self, op)

    # ---- feeding and fetching

    def prevent_feeding(self, tensor: Tensor) -> None:
        self._unfeedable.add(tensor)
        self._mutated()

    def is_feedable(self, tensor: Tensor) -> bool:
        """Whether `tensor` may be fed: what is made in a loop or branch may not."""
        return tensor not in self._unfeedable and tensor.op._region is None

    def prevent_fetching(self, element: Any) -> None:
        self._unfetchable.add(element)

    def is_fetchable(self, element: Any) -> bool:
        """Whether a tensor or op may be fetched: what is made in a loop or branch may not."""
        op = element.op if isinstance(element, Tensor) else element
        return element not in self._unfetchable and op._region is None

    # ---- being the default

    def as_default(self) -> AbstractContextManager[Graph]:
        """A context in which new ops go to this graph."""
        return stack.graphs.get_controller(self)


def graph_of_values(values: Iterable[Any], graph: Graph | None = None) -> Graph:
    """The graph of the tensors and operations among `values`; the default one if there are none.

    Raises:
      ValueError: they are of several graphs, or of another one than `graph`.
    """
    first = None
    for value in values:
        found = getattr(value, "graph", None)  # of tensors, operations, variables, sparse forms
        if found is None:
            continue
        if graph is not None and found is not graph:
            if first is None:
                raise ValueError(f"{value} is not from the passed-in graph.")
            raise ValueError(f"{value} must be from the same graph as {first}.")
        first, graph = (value if first is None else first), found
    return graph or get_default_graph()


class name_scope:
    """`with tf.name_scope("layer") as scope`: ops made inside are named `layer/…`.

    name: the scope; `default_name` if None. values: tensors whose graph becomes the default.
    """

    def __init__(
        self, name: str | None, default_name: str | None = None, values: Iterable[Any] | None = None
    ):
        self._given = name
        self._name = default_name if name is None else name
        self._default_name = default_name
        self._values = list(values) if values is not None else None
        self._contexts: list[Any] = []

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        if self._name is None and self._values is not None:
            raise ValueError(
                f"At least one of name ({self._given}) and default_name ({self._default_name}) "
                "must be provided."
            )
        graph = graph_of_values(self._values or ())
        in_graph = graph.as_default()
        in_graph.__enter__()
        scope: NameScope = graph.name_scope(self._name)
        try:
            prefix = scope.__enter__()
        except BaseException:
            in_graph.__exit__(None, None, None)
            raise
        self._contexts.append((in_graph, scope))
        return prefix

    def __exit__(self, *exception: Any) -> None:
        in_graph, scope = self._contexts.pop()
        scope.__exit__(*exception)
        in_graph.__exit__(*exception)


def op_scope(
    values: Iterable[Any], name: str | None, default_name: str | None = None
) -> name_scope:
    """`name_scope` with the arguments in the order of early versions."""
    return name_scope(name, default_name, values)


def control_dependencies(control_inputs: Iterable[Any] | None) -> ControlDependencies:
    """A context whose ops run after `control_inputs`; see `Graph.control_dependencies`."""
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> Any:
    """A context whose ops carry this device; see `Graph.device`."""
    return get_default_graph().device(device_name_or_function)


def colocate_with(op: Any, ignore_existing: bool = False) -> Any:
    """A context whose ops share the device of `op`; see `Graph.colocate_with`."""
    return get_default_graph().colocate_with(op, ignore_existing)


def container(container_name: str) -> Any:
    """A context whose stateful ops belong to this container."""
    return get_default_graph().container(container_name)


def add_to_collection(name: Any, value: Any) -> None:
    """Append to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Append to several collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """A copy of a collection of the default graph; see `Graph.get_collection`."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """A collection of the default graph itself, not a copy."""
    return get_default_graph().get_collection_ref(key)


def get_name_scope() -> str:
    """The current name scope of the default graph, without a slash at its end."""
    return get_default_graph().get_name_scope()
