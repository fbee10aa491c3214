"""`tf.import_graph_def`: the nodes of a GraphDef as ops of a graph.

A GraphDef is data from elsewhere. All of it is checked, and its order found, before the first op
is made; what it may not do here is run Python functions or touch files.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Operation, Tensor, get_default_graph
from tfc.io.tensor_proto import array_of, dtype_of
from tfc.ir.core import Literal

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_REFUSED = {
    "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles", "If", "While",
    "Residual", "ResidualAt", "ResidualAtGrad", "LoopCount",
}  # fmt: skip
_Input = tuple[str, int]  # node, output; -1 is a control input


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Tensor | Operation] | None:
    """Add the nodes of `graph_def` to the default graph, under `name` ("import").

    input_map: names of inputs in `graph_def` ("x:0"), and the tensors to take instead.
    return_elements: names of tensors ("y:0") and ops ("y") of `graph_def` to return, in a list.
    op_dict is deprecated and ignored; producer_op_list is not needed.

    Raises:
      TypeError: arguments of other types. ValueError: a graph that is none (a name twice, an
        input that is nothing, a cycle, an unknown op, attributes that do not fit), that does what
        an imported graph may not (files, Python functions), or a name that is not in it.
    """
    if not hasattr(graph_def, "node") or not hasattr(graph_def, "SerializeToString"):
        raise TypeError("graph_def must be a GraphDef proto.")
    mapped = _mapped(input_map)
    wanted = _wanted(return_elements)
    nodes = _checked_nodes(graph_def)
    inputs = {key: [_input(key, text) for text in node.input] for key, node in nodes.items()}
    _check_inputs(nodes, inputs)
    used = {f"{node}:{k}" for every in inputs.values() for node, k in every if k >= 0}
    lost = sorted(key for key in mapped if key not in used)
    if lost:
        raise ValueError(
            f"Attempted to map inputs that were not found in graph_def: [{', '.join(lost)}]"
        )
    order = _ordered(inputs, mapped)
    attrs = {key: _attrs(node) for key, node in nodes.items()}
    for element in wanted:
        if element.partition(":")[0] not in nodes:
            raise ValueError(f"Requested return_element {element!r} not found in graph_def.")
    made = _made(nodes, order, inputs, attrs, mapped, name)
    return None if return_elements is None else [_element(made, e) for e in wanted]


def _mapped(input_map: Mapping[str, Any] | None) -> dict[str, Tensor]:
    if input_map is None:
        return {}
    if not isinstance(input_map, Mapping) or not all(isinstance(k, str) for k in input_map):
        raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    graph = get_default_graph()
    found = {}
    for key, value in input_map.items():
        tensor = graph.as_graph_element(value, allow_operation=False)
        found[key if ":" in key else f"{key}:0"] = tensor
    return found


def _wanted(return_elements: Any) -> list[str]:
    if return_elements is None:
        return []
    if isinstance(return_elements, str) or not all(isinstance(e, str) for e in return_elements):
        raise TypeError("return_elements must be a list of strings.")
    return list(return_elements)


def _checked_nodes(graph_def: Any) -> dict[str, Any]:
    """The nodes by name, in their order."""
    if len(graph_def.library.function):
        raise ValueError("graph_def has a library of functions, which are not imported")
    nodes: dict[str, Any] = {}
    for node in graph_def.node:
        if not _NAME.fullmatch(node.name) or len(node.name) > 1 << 16:
            raise ValueError(f"Node {node.name[:80]!r} has no valid name")
        if node.name in nodes:
            raise ValueError(f"Node {node.name!r} is not unique")
        if node.op in _REFUSED:
            raise ValueError(f"Node {node.name!r} (op: {node.op!r}) may not be imported")
        try:
            opdef.lookup(node.op)
        except ValueError as error:
            raise ValueError(f"Node {node.name!r}: {error}") from None
        nodes[node.name] = node
    return nodes


def _input(node: str, text: str) -> _Input:
    """What an input names: node, or node:k, or ^node."""
    if text.startswith("^"):
        return text[1:], -1
    name, colon, number = text.partition(":")
    if colon and not re.fullmatch(r"[0-9]{1,6}", number):
        raise ValueError(f"Node {node!r} has the input {text[:80]!r}, which is none")
    return name, int(number) if colon else 0


def _check_inputs(nodes: Mapping[str, Any], inputs: Mapping[str, list[_Input]]) -> None:
    for key, every in inputs.items():
        for name, _ in every:
            if name not in nodes:
                raise ValueError(f"Node {key!r}: Unknown input node {name[:80]!r}")


def _ordered(inputs: Mapping[str, list[_Input]], mapped: Mapping[str, Tensor]) -> list[str]:
    """The nodes, each after its inputs, otherwise in the order of the GraphDef."""
    position = {key: k for k, key in enumerate(inputs)}
    names = list(inputs)
    left: dict[str, int] = {}
    users: dict[str, list[str]] = {key: [] for key in inputs}
    for key, every in inputs.items():
        needs = {n for n, k in every if f"{n}:{k}" not in mapped}
        left[key] = len(needs)
        for need in needs:
            users[need].append(key)
    ready = [position[key] for key, count in left.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        key = names[heapq.heappop(ready)]
        order.append(key)
        for user in users[key]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, position[user])
    if len(order) < len(inputs):
        stuck = next(key for key, count in left.items() if count)
        raise ValueError(f"Node {stuck!r} is part of a cycle, or waits for one")
    return order


def _attrs(node: Any) -> dict[str, Any]:
    """The attributes of a node, as values of their kinds."""
    known = opdef.lookup(node.op).signature().attrs
    result = {}
    for key, proto in node.attr.items():
        if key.startswith("_"):
            continue  # colocation and shapes of outputs: what the importing graph finds itself
        try:
            value = _value(proto)
        except ValueError as error:
            raise ValueError(f"Node {node.name!r}: attribute {key!r}: {error}") from None
        if key in known:
            result[key] = value
        elif value:  # one that later versions added may be there, with its default
            raise ValueError(
                f"NodeDef mentions attr {key!r} not in Op<name={node.op}>; Node {node.name!r}"
            )
    return result


def _value(proto: Any) -> Any:
    """What an AttrValue holds. Raises ValueError: nothing, or nothing that is known."""
    kind = proto.WhichOneof("value")
    if kind == "list":
        every = [(f.name, v) for f, v in proto.list.ListFields()]
        if len(every) > 1:
            raise ValueError("a list of several kinds")
        return [_item(kind[0], v) for kind in every for v in kind[1]]
    if kind is None:
        raise ValueError("no value")
    return _item(kind, getattr(proto, kind))


def _item(kind: str, value: Any) -> Any:
    if kind == "type":
        return dtype_of(value)
    if kind == "shape":
        if value.unknown_rank:
            return TensorShape(None)
        sizes = [int(dim.size) for dim in value.dim]
        if len(sizes) > 254 or min(sizes, default=0) < -1:
            raise ValueError(f"no shape: {sizes[:8]}")
        return TensorShape([None if size == -1 else size for size in sizes])
    if kind == "tensor":
        return Literal(array_of(value))
    if kind in ("func", "placeholder"):
        raise ValueError(f"a value of kind {kind} is not imported")
    return value


def _made(
    nodes: Mapping[str, Any],
    order: list[str],
    inputs: Mapping[str, list[_Input]],
    attrs: Mapping[str, dict[str, Any]],
    mapped: Mapping[str, Tensor],
    name: str | None,
) -> dict[str, Operation]:
    """The ops of all nodes, by the names of the nodes."""
    graph = get_default_graph()
    made: dict[str, Operation] = {}
    prefix = "import" if name is None else name
    with graph.name_scope(prefix) as scope:
        taken = {op.name for op in graph.get_operations()}
        for key in order:
            if scope + key in taken:
                raise ValueError(f"Node name {scope + key!r} already exists in the Graph")
        for key in order:
            made[key] = _op(graph, scope, nodes[key], inputs[key], attrs[key], mapped, made)
    return made


def _op(
    graph: Any,
    scope: str,
    node: Any,
    inputs: list[_Input],
    attrs: dict[str, Any],
    mapped: Mapping[str, Tensor],
    made: Mapping[str, Operation],
) -> Operation:
    tensors, controls = [], []
    for source, k in inputs:
        if k < 0:
            controls.append(made[source])
            continue
        replaced = mapped.get(f"{source}:{k}")
        if replaced is None and k >= len(made[source].outputs):
            raise ValueError(
                f"Node {node.name!r}: Connecting to invalid output {k} of source node {source} "
                f"which has {len(made[source].outputs)} outputs."
            )
        tensors.append(made[source].outputs[k] if replaced is None else replaced)
    try:
        with graph.control_dependencies(controls), graph.device(node.device or None):
            op: Operation = graph.create_op(
                node.op, tensors, attrs=attrs, name=f"{scope}{node.name}/"
            )
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"Node {node.name!r}: {error}") from None
    for key, value in attrs.items():
        if op._attrs.get(key) != value and key in _types(op):
            raise ValueError(
                f"Node {node.name!r}: attribute {key} is {value!r}, but its inputs are of "
                f"{op._attrs.get(key)!r}"
            )
    return op


def _types(op: Operation) -> set[str]:
    """The attributes of an op that its inputs decide."""
    return {a.type_attr for a in op.defn.signature().inputs if a.type_attr is not None}


def _element(made: Mapping[str, Operation], text: str) -> Tensor | Operation:
    name, colon, number = text.partition(":")
    op = made[name]
    if not colon:
        return op
    if not number.isdigit() or int(number) >= len(op.outputs):
        raise ValueError(f"Requested return_element {text!r} not found in graph_def.")
    return op.outputs[int(number)]
