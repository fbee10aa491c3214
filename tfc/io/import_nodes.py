"""The nodes of a GraphDef, or of a function in one, checked and in an order in which they run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

from tfc.base import dtypes
from tfc.base.order import in_order
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.io.tensor_proto import array_of, dtype_of
from tfc.ir.core import Literal

Key = tuple[str, Any]  # a node, and the number of an output, or its name and place in functions

_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_REFUSED = {
    "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "MatchingFiles", "RegionParameter",
    "Residual", "ResidualAt", "ResidualAtGrad", "LoopCount",
}  # fmt: skip
_SAVERS = {
    "MergeV2Checkpoints", "Restore", "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2",
    "ShardedFilename", "ShardedFilespec",
}  # fmt: skip
_REFS = {"RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration"}
FLOW = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "ControlTrigger"} | _REFS
CALLS = {
    "Case", "StatelessCase", "If", "StatelessIf", "While", "StatelessWhile", "PartitionedCall",
    "StatefulPartitionedCall",
}  # fmt: skip
OPTIONALS = {"OptionalFromValue", "OptionalNone", "OptionalGetValue"}  # of conditions' gradients
STACKS = {"StackV2", "StackPushV2", "StackPopV2", "StackCloseV2"}
LISTS = OPTIONALS | STACKS | {
    "TensorArrayGradV3",
    "TensorArrayV3", "TensorArrayReadV3", "TensorArrayWriteV3", "TensorArrayGatherV3",
    "TensorArrayScatterV3", "TensorArrayConcatV3", "TensorArraySplitV3", "TensorArraySizeV3",
    "TensorArrayCloseV3", "TensorListReserve", "EmptyTensorList", "TensorListGetItem",
    "TensorListSetItem", "TensorListPushBack", "TensorListGather", "TensorListStack",
    "TensorListFromTensor", "TensorListScatterIntoExistingList", "TensorListConcatV2",
    "TensorListSplit", "TensorListLength",
}  # fmt: skip
_OUTPUTS = {
    "Switch": ("output_false", "output_true"), "RefSwitch": ("output_false", "output_true"),
    "Merge": ("output", "value_index"), "RefMerge": ("output", "value_index"),
    "TensorArrayV3": ("handle", "flow"), "TensorArrayConcatV3": ("value", "lengths"),
    "TensorArrayGradV3": ("grad_handle", "flow_out"),
    "TensorListConcatV2": ("tensor", "lengths"),
}  # fmt: skip

# Later ops that are the same as earlier ones, and attributes that were added, with their defaults.
_NEWER = {"FusedBatchNormV3": "FusedBatchNormV2"}
_ADDED = {
    "exponential_avg_factor": 1.0, "incompatible_shape_error": True, "shape_type": dtypes.int32,
    "Tk": dtypes.int32, "index_type": dtypes.int32,
}  # fmt: skip
# That a product is part of a gradient, and what the inputs of an op tell.
_HINTS = {"grad_a", "grad_b", "grad_x", "grad_y", "Tblock_shape", "TInput"}


@dataclass(eq=False)
class Node:
    """One node: its data inputs, the nodes it waits for, its attributes as Python values."""

    name: str
    op: str
    device: str = ""
    inputs: list[Key] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


def plain(op: str) -> str:
    """`op` without the word that says it is of references."""
    return op.removeprefix("Ref") if op in _REFS else op


def without_savers(protos: Iterable[Any]) -> list[Any]:
    """The nodes that are not of a Saver, and take nothing of its: Savers have no ops here."""
    protos = list(protos)
    users: dict[str, list[Any]] = {}
    for proto in protos:
        for text in proto.input:
            users.setdefault(text.removeprefix("^").partition(":")[0], []).append(proto)
    work = [proto for proto in protos if proto.op in _SAVERS]
    gone = {proto.name for proto in work}
    while work:
        for user in users.get(work.pop().name, ()):
            if user.name not in gone:
                gone.add(user.name)
                work.append(user)
    return [proto for proto in protos if proto.name not in gone]


def read_nodes(protos: Iterable[Any], functions: Collection[str] = ()) -> dict[str, Node]:
    """The nodes of a graph by name, in their order. functions: names of those that may be called.

    Raises:
      ValueError: a name twice, an op that is none or that may not be imported, an input that is
        nothing, an attribute that does not fit.
    """
    nodes: dict[str, Node] = {}
    for proto in protos:
        name = proto.name
        if not _NAME.fullmatch(name) or len(name) > 1 << 16:
            raise ValueError(f"Node {name[:80]!r} has no valid name")
        if name in nodes:
            raise ValueError(f"Node {name!r} is not unique")
        if proto.op in _REFUSED:
            raise ValueError(f"Node {name!r} (op: {proto.op!r}) may not be imported")
        if proto.op in functions:
            raise ValueError(f"Node {name!r}: a function is no op: {proto.op!r}")
        op = _NEWER.get(proto.op, proto.op)
        if op not in FLOW and op not in CALLS and op not in LISTS:
            try:
                opdef.lookup(op)
            except ValueError as error:
                raise ValueError(f"Node {name!r}: {error}") from None
        nodes[name] = Node(name, op, proto.device)
    for proto in protos:
        node = nodes[proto.name]
        node.attrs = _attrs(proto, node.op)
        for text in proto.input:
            if text.startswith("^"):
                node.controls.append(text[1:])
            else:
                node.inputs.append(_input(node.name, text))
    return nodes


def check_inputs(nodes: Mapping[str, Node], given: Collection[str] = ()) -> None:
    """given: names that stand for values, as arguments of a function do.

    Raises:
      ValueError: an input is no node.
    """
    for node in nodes.values():
        for name in (*(n for n, _ in node.inputs), *node.controls):
            if name not in nodes and name not in given:
                raise ValueError(f"Node {node.name!r}: Unknown input node {name[:80]!r}")
        resolved = [(n, number_of(nodes[n].op, k) if n in nodes else k) for n, k in node.inputs]
        node.inputs = resolved


def number_of(op: str, output: Any) -> Any:
    """The number of an output that a function names; as it is where only the op's definition
    tells."""
    if isinstance(output, int):
        return output
    name, place = output
    if op in _OUTPUTS:
        if name not in _OUTPUTS[op]:
            raise ValueError(f"op {op} has no output {name!r}")
        return _OUTPUTS[op].index(name) + place
    return place if op in CALLS or op in LISTS or op in FLOW else output


def _input(node: str, text: str) -> Key:
    """What an input names: node, or node:k, or in a function node:output:k."""
    name, colon, rest = text.partition(":")
    if not colon:
        return name, 0
    output, colon, number = rest.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,6}", number) or (colon and not output):
        raise ValueError(f"Node {node!r} has the input {text[:80]!r}, which is none")
    return name, (output, int(number)) if colon else int(number)


def ordered(nodes: Mapping[str, Node], mapped: Collection[Key] = ()) -> list[str]:
    """The nodes, each after its inputs, otherwise in the order of the GraphDef. What the turn of a
    loop leaves to the next is no input. mapped: outputs that other tensors stand for.

    Raises:
      ValueError: there is a cycle.
    """
    needs: dict[str, set[str]] = {}
    for key, node in nodes.items():
        sources = {n for n, k in node.inputs if (n, k) not in mapped}
        if plain(node.op) == "Merge":
            sources = {n for n in sources if n in nodes and plain(nodes[n].op) != "NextIteration"}
        needs[key] = {n for n in sources | set(node.controls) if n in nodes}
    order = in_order(list(nodes), needs)
    if len(order) < len(nodes):
        stuck = next(key for key in nodes if key not in set(order))
        raise ValueError(f"Node {stuck!r} is part of a cycle, or waits for one")
    return order


def _attrs(proto: Any, op: str) -> dict[str, Any]:
    """The attributes of a node, as values of their kinds."""
    free = op in FLOW or op in CALLS or op in LISTS
    known = {} if free else opdef.lookup(op).signature().attrs
    result = {}
    for key, attr in proto.attr.items():
        if key.startswith("_") or key in _HINTS and key not in known:
            continue  # colocation and shapes of outputs: what the importing graph finds itself
        try:
            value = _value(attr)
        except ValueError as error:
            raise ValueError(f"Node {proto.name!r}: attribute {key!r}: {error}") from None
        if key in known or free:
            result[key] = value
        elif (
            value and _ADDED.get(key) != value
        ):  # one that later versions added may be there, with its default
            raise ValueError(
                f"NodeDef mentions attr {key!r} not in Op<name={proto.op}>; Node {proto.name!r}"
            )
    return result


class Called(str):
    """The name of a function, as the value of an attribute."""


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
    if kind == "func":
        if len(value.attr):
            raise ValueError("a function with attributes of its own is not imported")
        return Called(value.name)
    if kind == "placeholder":
        raise ValueError("a value of kind placeholder is not imported")
    return value
