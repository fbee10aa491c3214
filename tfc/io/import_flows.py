"""Gradients of TensorArrays in a GraphDef, as TensorFlow 1 writes them.

There an array of gradients is a resource, made when it is first asked for, whose writes add up; its
flow is a scalar that says only in which order. Here the flow is the gradient: a tensor of all its
elements. The flow of the array itself stands for zeros, as does the scalar that sums start with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.io.import_nodes import Key, Node
from tfc.io.import_stacks import Pairs
from tfc.ops.tensor_array import TensorArray
from tfc.ops.tensor_array_ops import lengths_of, like

_MOVES = {"Identity", "Enter", "Switch"}
_SUMS = {"AddN", "Add", "AddV2"}
_KEEPS = _MOVES | _SUMS | {"Merge", "Exit", "NextIteration"}
_WRITES = {"TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3"}


class Handle:
    """The handle of an array of gradients."""


class Flows:
    """Which tensors are flows of gradients, and which loop variables will be."""

    def __init__(self, nodes: Mapping[str, Node]):
        self.known: set[Tensor] = set()
        self.nodes = nodes
        makers = [n for n in nodes.values() if n.op == "TensorArrayGradV3"]
        self.pairs = Pairs(nodes) if makers else None
        self.merges: dict[str, list[Node]] = {}  # and the nodes that their arrays come from
        if makers:
            self._find(makers)

    def _find(self, makers: Sequence[Node]) -> None:
        assert self.pairs is not None
        users: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            for name in dict.fromkeys(n for n, _ in node.inputs):
                users.setdefault(name, []).append(node)
        pops = {push.name: self.nodes[pop] for pop, push in self.pairs.push.items()}
        for maker in makers:
            work = [(maker, True), (maker, False)]
            seen = set(work)
            while work:
                node, handle = work.pop()
                for user in users.get(node.name, ()):
                    step: tuple[Node, bool] | None = None
                    taken = [k for n, k in user.inputs if n == node.name]
                    if node is maker and all((k == 0) != handle for k in taken):
                        continue
                    if user.op == "StackPushV2" and user.name in pops:
                        step = pops[user.name], handle
                    elif handle and user.op in _WRITES and user.inputs[0][0] == node.name:
                        step = user, False
                    elif user.op in (_MOVES if handle else _KEEPS):
                        step = user, handle
                    if step is not None and step not in seen:
                        seen.add(step)
                        work.append(step)
            for node, handle in seen:
                if node.op == "Merge" and not handle:
                    self.merges.setdefault(node.name, []).append(maker)

    def started(self, merge: str, value: Any, place: Any) -> Any:
        """`value` as what a loop variable, or the result of a branch, starts with: an array of
        zeros in place of a scalar.

        Raises:
          ValueError: nothing is at hand that tells how large the array is.
        """
        if merge not in self.merges or not isinstance(value, Tensor) or value in self.known:
            return value
        for maker in self.merges[merge]:
            for key in self._ends(maker):
                try:
                    array = place.value(key)
                    if isinstance(array, TensorArray):
                        return self.mark(apply("ZerosLike", like(array.flow)))
                except ValueError:  # it is of another place
                    continue
        raise ValueError(
            f"Node {merge!r}: the array that this is the gradient of is not known here"
        )

    def _ends(self, maker: Node) -> list[Key]:
        """What the flow that an array of gradients is made for was, from there to its start. Of a
        loop variable also what it was in the end."""
        assert self.pairs is not None
        chain = self.pairs.origin(maker.inputs[1])
        last = self.nodes.get(chain[-1][0])
        if last is not None and last.op == "Switch":
            ends = [n for n in self.nodes.values() if n.op == "Exit"]
            chain += [(n.name, 0) for n in ends if n.inputs[0] == (last.name, 0)]
        return chain

    def mark(self, flow: Tensor) -> Tensor:
        self.known.add(flow)
        return flow

    def follow(self, values: Sequence[Any], results: Sequence[Any]) -> None:
        """Results are flows where the values are."""
        for value, result in zip(values, results, strict=True):
            if isinstance(value, Tensor) and value in self.known:
                self.known.add(result)

    def takes(self, node: Node, values: Sequence[Any]) -> bool:
        """Whether a node is one of arrays of gradients, or of their flows."""
        if node.op == "TensorArrayGradV3" or values and isinstance(values[0], Handle):
            return True
        return any(isinstance(v, Tensor) and v in self.known for v in values)

    def values(self, node: Node, values: Sequence[Any], name: str) -> list[Any]:
        """The outputs of such a node.

        Raises:
          ValueError: it is not what gradients of arrays make.
        """
        try:
            if node.op == "TensorArrayGradV3":
                if not isinstance(values[0], (TensorArray, Handle)):
                    raise ValueError(f"{values[0]!r} is no TensorArray")
                return [Handle(), values[1]]
            if isinstance(values[0], Handle):
                if node.op == "Identity":
                    return [values[0]]
                return self._of_array(node, values, name)
        except IndexError:
            raise ValueError(f"op {node.op} has {len(values)} inputs") from None
        flows = [v for v in values if isinstance(v, Tensor) and v in self.known]
        if node.op in ("Identity", "ZerosLike"):
            return [self.mark(apply(node.op, flows[0], name=name))]
        if node.op in _SUMS:  # what is no flow is zero
            found = apply("AddN", flows, name=name) if len(flows) > 1 else flows[0]
            return [self.mark(found)]
        raise ValueError(f"op {node.op} takes the gradient of a TensorArray, which is not imported")

    def _of_array(self, node: Node, v: Sequence[Any], name: str) -> list[Any]:
        """An op of an array of gradients; the flow is its last input."""
        given, kind = v[-1], node.op.removeprefix("TensorArray")
        flow: Any = given.flow if isinstance(given, TensorArray) else given
        zero = isinstance(given, TensorArray)
        if not zero and not (isinstance(flow, Tensor) and flow in self.known):
            raise ValueError(f"{given!r} is no flow of gradients")
        if kind == "SizeV3":
            return [apply("TensorArraySizeV3", like(flow), name=name)]
        if kind == "CloseV3":
            return []
        if kind in ("WriteV3", "ScatterV3", "SplitV3"):
            if kind == "SplitV3":
                found = apply("TensorArrayConcatGrad", like(flow), v[1], name=name)
            else:
                op = "TensorArrayReadGrad" if kind == "WriteV3" else "TensorArrayGatherGrad"
                found = apply(op, like(flow), v[1], v[2], name=name)
            return [self.mark(found if zero else apply("AddN", [flow, found]))]
        whole = apply("ZerosLike", flow) if zero else flow
        if kind == "ReadV3":
            return [apply("TensorArrayWriteGrad", whole, v[1], name=name)]
        if kind == "GatherV3":
            return [apply("TensorArrayScatterGrad", whole, v[1], name=name)]
        if kind == "ConcatV3":
            return [apply("TensorArraySplitGrad", whole, lengths_of(whole), name=name)]
        raise ValueError(f"op {node.op} of an array of gradients is not imported")
