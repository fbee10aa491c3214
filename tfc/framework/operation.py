"""Operation and Tensor: one node of a Graph, and one of its outputs.

They follow the protocol of `ir.core.Op` and `Value` (defn, operands, attrs, regions, loc, results;
type, op, index), so the printer and the walks of `ir` serve them. What changes after a node was
made (`set_shape`, late control inputs) is counted by its Graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from tfc.base.dtypes import DType
from tfc.base.errors import OperatorNotAllowedInGraphError
from tfc.base.location import Location
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape, as_shape, shape_text
from tfc.framework.literals import as_bytes
from tfc.framework.node_text import node_text
from tfc.framework.overloads import Overloaded
from tfc.framework.session_stack import get_default_session
from tfc.ir.core import Literal, Type

_AS_BOOL = (
    "Using a `tf.Tensor` as a Python `bool` is not allowed. Use `if t is not None:` instead of "
    "`if t:` to test if a tensor is defined, and use TensorFlow ops such as tf.cond to execute "
    "subgraphs conditioned on the value of a tensor."
)
_ITERATED = (
    "iterating over `tf.Tensor` is not allowed in Graph execution. Use tf.map_fn, or tf.unstack "
    "where the number of elements is known."
)


class Tensor(Overloaded):
    """Output number `value_index` of an Operation. Equal to itself only (as any object)."""

    __array_priority__ = 100  # numpy leaves `array + tensor` to us

    def __init__(self, op: Operation, value_index: int, dtype: DType):
        self._op, self._value_index, self._dtype = op, value_index, dtype
        self._shape = TensorShape(None)
        self._consumers: list[Operation] = []

    @property
    def op(self) -> Operation:
        return self._op

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def graph(self) -> Any:
        return self._op.graph

    @property
    def name(self) -> str:
        return f"{self._op.name}:{self._value_index}"

    @property
    def device(self) -> str:
        return self._op.device

    @property
    def shape(self) -> TensorShape:
        return self._shape

    def get_shape(self) -> TensorShape:
        return self._shape

    def set_shape(self, shape: Any) -> None:
        """Add what is known of the shape; ValueError if it contradicts what was known."""
        given = as_shape(shape)
        if not self._shape.is_compatible_with(given):
            raise ValueError(_contradiction(self._shape, given))
        merged = self._shape.merge_with(given)
        if merged != self._shape:
            self._shape = merged
            self.graph._mutated()

    @property
    def value_index(self) -> int:
        return self._value_index

    index = value_index

    @property
    def type(self) -> Type:
        """The type as the IR prints it: element dtype and known shape."""
        return Type(self._dtype.short, self._shape.tuple)

    def consumers(self) -> list[Operation]:
        """The Operations that take this tensor as an input, once for each use."""
        return list(self._consumers)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """The value, computed in `session` or the default Session.

        Raises:
          ValueError: there is no Session, or it is of another graph.
        """
        return run_in_session(self, feed_dict, session, "evaluate tensor using `eval()`", "tensor")

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self._shape} dtype={self._dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self._shape.ndims is None else f", shape={self._shape}"
        device = f", device={self.device}" if self.device else ""
        return f'Tensor("{self.name}"{shape}, dtype={self._dtype.name}{device})'

    def __copy__(self) -> Tensor:
        return self

    def __iter__(self) -> Any:
        raise OperatorNotAllowedInGraphError(_ITERATED)

    def __len__(self) -> int:
        raise TypeError(
            f"len is not well defined for symbolic Tensors. ({self.name}) "
            f"Please call `x.shape` rather than `len(x)` for shape information."
        )

    def __bool__(self) -> bool:
        raise OperatorNotAllowedInGraphError(_AS_BOOL)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise NotImplementedError(
            f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array."
        )


def _contradiction(known: TensorShape, given: TensorShape) -> str:
    """Why two shapes cannot be of one tensor."""
    a, b = known.as_list(), given.as_list()
    if len(a) != len(b):
        return f"Shapes must be equal rank, but are {len(a)} and {len(b)}"
    at, x, y = next(
        (i, x, y)
        for i, (x, y) in enumerate(zip(a, b, strict=True))
        if x is not None and y is not None and x != y
    )
    return (
        f"Dimension {at} in both shapes must be equal, but are {x} and {y}. Shapes are "
        f"{shape_text(a)} and {shape_text(b)}."
    )


@dataclass
class NodeDef:
    """What a GraphDef says of one node. attr: name -> value, in TensorFlow's Python types."""

    name: str
    op: str
    input: list[str]
    device: str
    attr: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return node_text(self.name, self.op, self.input, self.device, self.attr)


class Operation:
    """A node of a Graph: an application of an op definition to tensors.

    Made by `Graph.create_op` only. `location` is the user's line that asked for it.
    """

    def __init__(
        self,
        graph: Any,
        number: int,
        name: str,
        defn: Any,
        inputs: Sequence[Tensor],
        attrs: dict[str, Any],
        output_types: Sequence[DType],
        control_inputs: list[Operation],
        device: str,
        location: Location | None,
    ):
        self._graph, self._id, self._name, self.defn = graph, number, name, defn
        self._inputs, self._attrs = tuple(inputs), attrs
        self._outputs = [Tensor(self, i, dtype) for i, dtype in enumerate(output_types)]
        self._control_inputs = control_inputs
        self._device, self.location = device, location
        self._original_op: Operation | None = None
        self._gradient_function: Callable[..., Any] | None = None
        self._region: Any = None  # the Region that the op belongs to
        self._functions: tuple[Any, ...] = ()  # hidden regions that it calls; no GraphDef has them
        self._dataset: Tensor | None = None  # what a one-shot iterator begins with
        self._shapes_met: frozenset[Any] = frozenset()  # of arrays that its host rule took

    @property
    def graph(self) -> Any:
        return self._graph

    @property
    def name(self) -> str:
        return self._name

    @property
    def type(self) -> str:
        name: str = self.defn.name
        return name

    @property
    def device(self) -> str:
        return self._device

    def _set_device(self, device: str) -> None:
        self._device = device

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self._inputs

    @property
    def outputs(self) -> list[Tensor]:
        return self._outputs

    @property
    def control_inputs(self) -> list[Operation]:
        return list(self._control_inputs)

    @property
    def _control_outputs(self) -> list[Operation]:
        return [op for op in self._graph.get_operations() if self in op._control_inputs]

    def values(self) -> tuple[Tensor, ...]:
        return tuple(self._outputs)

    # The protocol of ir.core.Op.

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return self._inputs

    @property
    def results(self) -> tuple[Tensor, ...]:
        return tuple(self._outputs)

    @property
    def result(self) -> Tensor:
        (tensor,) = self._outputs
        return tensor

    @property
    def attrs(self) -> tuple[tuple[str, Any], ...]:
        """Attributes by name in plain, hashable Python values: dtypes by short name, shapes as
        tuples."""
        public = ((k, v) for k, v in self._attrs.items() if not k.startswith("_"))
        return tuple(sorted((k, plain_attr(v)) for k, v in public))

    @property
    def kwargs(self) -> dict[str, Any]:
        return dict(self.attrs)

    def attr(self, name: str) -> Any:
        """An attribute as rules of definitions see it: strings are str, dtypes DType."""
        return self._attrs[name]

    @property
    def regions(self) -> tuple[Any, ...]:
        """The Regions that the op owns: branches, or the test and body of a loop."""
        found = self._attrs.get("_regions", ())
        return tuple(found)

    @property
    def loc(self) -> str:
        return self._name

    def get_attr(self, name: str) -> Any:
        """An attribute as TensorFlow hands it out: strings are bytes.

        Raises:
          ValueError: the op has no attribute of that name.
        """
        if name not in self._attrs:
            raise ValueError(f"Operation '{self._name}' has no attr named '{name}'.")
        value = self._attrs[name]
        if isinstance(value, tuple):
            return [as_bytes(v) if isinstance(v, str) else v for v in value]
        return as_bytes(value) if isinstance(value, str) else value

    def _set_attr(self, name: str, value: Any) -> None:
        """Change an attribute after the fact; such an op is another op to the caches."""
        self._attrs[name] = value
        self._graph._mutated()

    def _add_control_inputs(self, ops: Sequence[Operation]) -> None:
        known = set(self._control_inputs)
        fresh = [op for op in dict.fromkeys(ops) if op not in known]
        for op in fresh:
            if op.graph is not self._graph:
                raise ValueError(f"{op.name} must be from the same graph as {self._name}.")
        if fresh:
            self._control_inputs.extend(fresh)
            self._graph._mutated()

    def _add_control_input(self, op: Operation) -> None:
        self._add_control_inputs([op])

    @property
    def node_def(self) -> NodeDef:
        inputs = [t.op.name + (f":{t.value_index}" if t.value_index else "") for t in self._inputs]
        inputs += ["^" + op.name for op in self._control_inputs]
        attrs = {name: self.get_attr(name) for name in self._attrs}
        return NodeDef(self._name, self.type, inputs, self._device, attrs)

    @property
    def op_def(self) -> Any:
        return self.defn

    @property
    def traceback(self) -> list[tuple[str, int, str, str]]:
        """The user's line as (file, line, function, text); empty if the op has none."""
        at = self.location
        return [] if at is None else [(at.file, at.line, at.function, at.text)]

    def colocation_groups(self) -> list[bytes]:
        """Names of the groups this op shares a device with; its own if it was given none."""
        given = self._attrs.get("_class")
        if given is None:
            return [f"loc:@{self._name}".encode()]
        return [v.encode() for v in given if v.startswith("loc:@")]

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Run this operation in `session` or the default Session.

        Raises:
          ValueError: there is no Session, or it is of another graph.
        """
        run_in_session(self, feed_dict, session, "execute operation using `run()`", "operation")

    def __repr__(self) -> str:
        return f"<tf.Operation {self._name!r} type={self.type}>"

    def __str__(self) -> str:
        return str(self.node_def)


def plain_attr(value: Any) -> Any:
    """An attribute value as the IR holds it."""
    if isinstance(value, DType):
        return value.short
    if isinstance(value, TensorShape):
        return value.tuple
    if isinstance(value, list | tuple):
        return tuple(plain_attr(v) for v in value)
    if isinstance(value, np.ndarray):
        return Literal(value)
    return value


def run_in_session(what: Any, feed_dict: Any, session: Any, doing: str, kind: str) -> Any:
    """`what` run in `session`, else in the default Session."""
    graph = what.graph
    if session is None:
        session = get_default_session()
        if session is None:
            raise ValueError(
                f"Cannot {doing}: No default session is registered. Use "
                "`with sess.as_default()` or pass an explicit session to "
                + ("`eval(session=sess)`" if kind == "tensor" else "`run(session=sess)`")
            )
        if session.graph is not graph:
            raise ValueError(
                f"Cannot use the default session to {doing.split(' using')[0]}: the {kind}'s "
                f"graph is different from the session's graph. Pass an explicit session to "
                + ("`eval(session=sess)`." if kind == "tensor" else "`run(session=sess)`.")
            )
    elif session.graph is not graph:
        raise ValueError(
            f"Cannot use the given session to {doing.split(' using')[0]}: the {kind}'s graph is "
            "different from the session's graph."
        )
    return session.run(what, feed_dict)
