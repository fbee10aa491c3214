"""`tf.graph_util`: GraphDefs taken apart and made smaller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tfc.base.dtypes import DType, int32, string
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Operation
from tfc.io.graphdef import tensor_to_proto
from tfc.io.import_graph import import_graph_def
from tfc.io.protos import message

_VARIABLES = ("Variable", "VariableV2")
_OF_VARIABLES = (
    *_VARIABLES, "AutoReloadVariable", "MutableHashTable", "MutableHashTableV2",
    "MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", "MutableDenseHashTable",
    "MutableDenseHashTableV2", "VarHandleOp", "BoostedTreesEnsembleResourceHandleOp",
    "BoostedTreesQuantileStreamResourceHandleOp",
)  # fmt: skip
__all__ = [
    "convert_variables_to_constants",
    "extract_sub_graph",
    "import_graph_def",
    "must_run_on_cpu",
    "remove_training_nodes",
    "tensor_shape_from_node_def_name",
]


def _source(text: str) -> str:
    """The name of the node that an input of a NodeDef comes from."""
    return text.lstrip("^").partition(":")[0]


def extract_sub_graph(graph_def: Any, dest_nodes: Iterable[str]) -> Any:
    """The GraphDef of those nodes that `dest_nodes` need, in their order.

    Raises:
      TypeError: graph_def is no GraphDef, or dest_nodes is one string.
      AssertionError: one of dest_nodes is not in the graph.
    """
    if not hasattr(graph_def, "node") or not hasattr(graph_def, "SerializeToString"):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be an iterable of strings.")
    inputs = {node.name: [_source(text) for text in node.input] for node in graph_def.node}
    wanted = [_source(name) for name in dest_nodes]
    for name in wanted:
        if name not in inputs:
            raise AssertionError(f"{name} is not in graph")
    needed: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += inputs.get(name, [])
    part = type(graph_def)()
    part.node.extend(node for node in graph_def.node if node.name in needed)
    part.library.CopyFrom(graph_def.library)
    part.versions.CopyFrom(graph_def.versions)
    return part


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Sequence[str],
    variable_names_whitelist: Iterable[str] | None = None,
    variable_names_blacklist: Iterable[str] | None = None,
) -> Any:
    """The GraphDef of what `output_node_names` need, with constants for variables.

    The constants are what the variables hold in `sess`. variable_names_whitelist: only these;
    variable_names_blacklist: not these.

    Raises:
      FailedPreconditionError: a variable holds nothing. What `extract_sub_graph` raises.
    """
    part = extract_sub_graph(input_graph_def, output_node_names)
    only = None if variable_names_whitelist is None else set(variable_names_whitelist)
    without = set(variable_names_blacklist or ())
    names = [
        node.name
        for node in part.node
        if node.op in _VARIABLES and (only is None or node.name in only)
    ]
    names = [name for name in names if name not in without]
    values = dict(zip(names, sess.run([f"{name}:0" for name in names]), strict=True))
    frozen = type(part)()
    for node in part.node:
        made = frozen.node.add()
        if node.name not in values:
            made.CopyFrom(node)
            continue
        made.op, made.name = "Const", node.name
        made.attr["dtype"].CopyFrom(node.attr["dtype"])
        made.attr["value"].tensor.CopyFrom(tensor_to_proto(values[node.name]))
    frozen.library.CopyFrom(part.library)
    frozen.versions.CopyFrom(part.versions)
    return frozen


def _dtype_is(node: Any, attr: str, *dtypes: DType) -> bool:
    value = node.attr[attr]
    enum = value.type if hasattr(value, "type") else value
    found = enum.as_datatype_enum if isinstance(enum, DType) else enum
    return found in [d.as_datatype_enum for d in dtypes]


def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether TensorFlow has no kernel of this Operation or NodeDef for other devices.

    pin_variables_on_cpu: say so of all variables.
    """
    made = node.node_def if isinstance(node, Operation) else node
    if pin_variables_on_cpu and made.op in _OF_VARIABLES:
        return True
    if made.op == "Const":
        return _dtype_is(made, "dtype", string, int32)
    if made.op in ("DynamicStitch", "ParallelDynamicStitch"):
        return _dtype_is(made, "T", int32)
    return made.op == "Cast" and _dtype_is(made, "SrcT", int32)


def tensor_shape_from_node_def_name(graph: Any, input_name: str) -> TensorShape:
    """The shape of the tensor called `input_name`, where ":0" may be left out."""
    name = input_name if ":" in input_name else f"{input_name}:0"
    shape: TensorShape = graph.get_tensor_by_name(name).get_shape()
    return shape


def remove_training_nodes(input_graph: Any, protected_nodes: Iterable[str] | None = None) -> Any:
    """The GraphDef without checks of numbers, and without ops that only hand on their input.

    protected_nodes: names of nodes that stay.
    """
    protected = set(protected_nodes or ())
    checks = {n.name for n in input_graph.node if n.op == "CheckNumerics"} - protected
    kept = []
    for node in input_graph.node:
        if node.name not in checks:
            copy = message("NodeDef")()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(text for text in node.input if _source(text) not in checks)
            kept.append(copy)
    passed = _handed_on(kept, protected)
    result = type(input_graph)()
    for node in kept:
        if node.name in passed:
            continue
        made = result.node.add()
        made.CopyFrom(node)
        del made.input[:]
        for text in node.input:
            while _bare(text) in passed:
                text = passed[_bare(text)]
            made.input.append(text)
    return result


def _bare(text: str) -> str:
    return text.removeprefix("^")


def _handed_on(nodes: Sequence[Any], protected: set[str]) -> dict[str, str]:
    """Nodes that may be left out -> what stands for them: Identity and StopGradient that nothing
    waits for, that wait for nothing, and that nothing is colocated with."""
    awaited = {_bare(text) for node in nodes for text in node.input if text.startswith("^")}
    anchors = {
        name.decode().removeprefix("loc:@")
        for node in nodes
        if "_class" in node.attr
        for name in node.attr["_class"].list.s
    }
    return {
        node.name: node.input[0]
        for node in nodes
        if node.op in ("Identity", "StopGradient")
        and node.name not in protected | awaited | anchors
        and not any(text.startswith("^") for text in node.input)
    }
