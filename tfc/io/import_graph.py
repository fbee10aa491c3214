"""`tf.import_graph_def`: the nodes of a GraphDef as ops of a graph.

A GraphDef is data from elsewhere. All of it is checked, and its structure found, before the first
op is made; what it may not do here is run Python functions or touch files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfc.framework.graph import Operation, Tensor, get_default_graph
from tfc.io.import_build import Builder, Place, mapped_name, top_values
from tfc.io.import_flows import Flows
from tfc.io.import_functions import Functions
from tfc.io.import_nodes import Key, Node, check_inputs, ordered, read_nodes, without_savers
from tfc.io.import_plan import plan
from tfc.ops.tensor_array import TensorArray


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Tensor | Operation] | None:
    """Add the nodes of `graph_def` to the default graph, under `name` ("import").

    Loops and conditions, be they of Switch, Merge, Enter, Exit and NextIteration or calls of
    functions (If, While, PartitionedCall), become those of this compiler; TensorArrays and lists of
    tensors become arrays that are values. Shapes of loop variables are not known, as in TensorFlow.
    A loop that computes gradients as TensorFlow 1 writes them, with stacks and arrays of gradients,
    becomes the gradient of its loop. Ops that save and restore variables, and what takes of them,
    are left out: a `tf.train.Saver` has no ops here.

    input_map: names of inputs in `graph_def` ("x:0"), and the tensors to take instead.
    return_elements: names of tensors ("y:0") and ops ("y") of `graph_def` to return, in a list.
    op_dict is deprecated and ignored; producer_op_list is not needed.

    Raises:
      TypeError: arguments of other types. ValueError: a graph that is none (a name twice, an
        input that is nothing, a cycle, an unknown op, attributes that do not fit, control flow that
        is no loop and no condition, functions that call themselves), that does what an imported
        graph may not (files, Python functions), or a name that is not in it.
    """
    if not hasattr(graph_def, "node") or not hasattr(graph_def, "SerializeToString"):
        raise TypeError("graph_def must be a GraphDef proto.")
    mapped = _mapped(input_map)
    wanted = _wanted(return_elements)
    functions = Functions(graph_def.library)
    nodes = read_nodes(without_savers(graph_def.node), functions.protos)
    functions.read(nodes)
    check_inputs(nodes)
    _map_inputs(nodes, mapped)
    for element in wanted:
        if element.partition(":")[0] not in nodes:
            raise ValueError(f"Requested return_element {element!r} not found in graph_def.")
    top = plan(nodes, ordered(nodes))
    place, made = _made(nodes, top, functions, mapped, name)
    return None if return_elements is None else [_element(place, made, e) for e in wanted]


def _mapped(input_map: Mapping[str, Any] | None) -> dict[Key, Tensor]:
    if input_map is None:
        return {}
    if not isinstance(input_map, Mapping) or not all(isinstance(k, str) for k in input_map):
        raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    graph = get_default_graph()
    found = {}
    for key, value in input_map.items():
        tensor = graph.as_graph_element(value, allow_operation=False)
        node, colon, number = key.partition(":")
        found[node, int(number) if number.isdigit() else number if colon else 0] = tensor
    return found


def _wanted(return_elements: Any) -> list[str]:
    if return_elements is None:
        return []
    if isinstance(return_elements, str) or not all(isinstance(e, str) for e in return_elements):
        raise TypeError("return_elements must be a list of strings.")
    return list(return_elements)


def _map_inputs(nodes: Mapping[str, Node], mapped: Mapping[Key, Tensor]) -> None:
    """Let nodes take the tensors of `input_map`.

    Raises:
      ValueError: no node takes what one of them stands for.
    """
    used = {key for node in nodes.values() for key in node.inputs}
    lost = sorted(f"{n}:{k}" for n, k in mapped if (n, k) not in used)
    if lost:
        raise ValueError(
            f"Attempted to map inputs that were not found in graph_def: [{', '.join(lost)}]"
        )
    for node in nodes.values():
        node.inputs = [(mapped_name(key), 0) if key in mapped else key for key in node.inputs]


def _made(
    nodes: Mapping[str, Node],
    top: Sequence[Any],
    functions: Functions,
    mapped: Mapping[Key, Tensor],
    name: str | None,
) -> tuple[Place, dict[str, Operation]]:
    """The place of the imported nodes, and their ops by name."""
    graph = get_default_graph()
    with graph.name_scope("import" if name is None else name) as scope:
        for key in nodes:
            if scope + key in graph._by_name:
                raise ValueError(f"Node name {scope + key!r} already exists in the Graph")
            graph._names_in_use.setdefault(scope + key, 1)  # which no other op may take
        grows = any(_grows(n) for n in (*nodes.values(), *functions.all_nodes()))
        builder = Builder(graph, grows, functions, Flows(nodes))
        place = Place(scope)
        place.values.update(top_values(mapped))
        builder.build(top, place)
    return place, builder.made


def _grows(node: Node) -> bool:
    resizes = bool(node.attrs.get("resize_if_index_out_of_bounds", False))
    return node.op == "TensorListPushBack" or resizes


def _element(place: Place, made: Mapping[str, Operation], text: str) -> Tensor | Operation:
    name, colon, number = text.partition(":")
    if not colon:
        if place.prefix + name not in made:
            raise ValueError(f"Requested return_element {text!r} is a part of a loop or condition.")
        return made[place.prefix + name]
    try:
        value = place.value((name, int(number)))
    except ValueError:
        raise ValueError(f"Requested return_element {text!r} not found in graph_def.") from None
    if isinstance(value, TensorArray):
        return value.flow
    tensor: Tensor = value
    return tensor
