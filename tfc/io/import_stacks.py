"""Stacks in a GraphDef: what TensorFlow's gradients of loops keep of each turn.

A loop pushes a value in each of its turns, and the loop of the gradients, which counts down what
the first one counted up, pops it. Here the second loop is the gradient of the first, so a pop is
the value that was pushed, as it was in the turn that the gradient is of (`framework/regions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfc.framework.graph import Graph
from tfc.framework.operation import Tensor
from tfc.io.import_nodes import Key, Node

PASSES_ON = {"Identity", "Enter", "Switch"}  # of which output and first input are one value


class Stack:
    """What a stack's handle stands for. value: what was pushed, in the region of its push."""

    value: Any = None


class Pairs:
    """Which push each pop takes from.

    Raises:
      ValueError: a stack that has not one push and one pop.
    """

    def __init__(self, nodes: Mapping[str, Node]):
        self.nodes = nodes
        pushes: dict[str, list[Node]] = {}
        pops: dict[str, list[Node]] = {}
        for node in nodes.values():
            if node.op in ("StackPushV2", "StackPopV2"):
                found = pushes if node.op == "StackPushV2" else pops
                found.setdefault(self._stack(node), []).append(node)
        for stack in (*pushes, *pops):
            if len(pushes.get(stack, [])) != 1 or len(pops.get(stack, [])) > 1:
                raise ValueError(f"Node {stack!r}: a stack has one push, and one pop")
        self.push = {pop[0].name: pushes[stack][0] for stack, pop in pops.items()}

    def _stack(self, node: Node) -> str:
        """The node that makes the stack of a push or pop."""
        name, seen = node.name, 0
        while self.nodes[name].op != "StackV2":
            found = self.nodes[name]
            passes = found is node or found.op in PASSES_ON
            if not passes or not found.inputs or found.inputs[0][0] not in self.nodes or seen > 999:
                raise ValueError(f"Node {node.name!r} takes what is no stack")
            name, seen = found.inputs[0][0], seen + 1
        return name

    def origin(self, key: Key) -> list[Key]:
        """An output, and those that it is the value of, past Identities, Enters and stacks."""
        chain = [key]
        while key[0] in self.nodes and len(chain) < 1000:
            node = self.nodes[key[0]]
            if node.op == "StackPopV2" and len(self.push[node.name].inputs) == 2:
                key = self.push[node.name].inputs[1]
            elif node.op in ("Identity", "Enter") and node.inputs:
                key = node.inputs[0]
            else:
                break
            chain.append(key)
        return chain

    def constant(self, key: Key) -> Any:
        """The number that an output is, None if it is no constant of one."""
        node = self.nodes.get(self.origin(key)[-1][0])
        value = node.attrs.get("value") if node is not None and node.op == "Const" else None
        array = None if value is None else value.array
        return None if array is None or array.size != 1 or array.dtype.kind != "i" else array.item()

    def counts(self, loop: Any, merge: Node, op: Sequence[str]) -> bool:
        """Whether each turn adds one to a variable, or takes one from it."""
        step = self.nodes.get(self.origin(loop.nexts[merge.name].inputs[0])[-1][0])
        if step is None or step.op not in op or len(step.inputs) != 2:
            return False
        last = self.origin(step.inputs[0])[-1]
        return loop.switches.get(last[0]) == merge.name and self.constant(step.inputs[1]) == 1


def pair(plan: Sequence[Any], nodes: Mapping[str, Node]) -> None:
    """Find of which loops and conditions of the plan others are the gradients.

    Raises:
      ValueError: stacks that are not what gradients of loops make.
    """
    if not any(node.op == "StackPopV2" for node in nodes.values()):
        return
    pairs = Pairs(nodes)
    paths: dict[str, list[Any]] = {}
    _walk(plan, [], paths)
    for pop, push in pairs.push.items():
        if pop not in paths or push.name not in paths:
            raise ValueError(f"Node {pop!r}: its value is not of a turn of a loop")
        back, fore = paths[pop], paths[push.name]
        while back and fore and back[0][1] == fore[0][1] and _follows(back[0][0], fore[0][0]):
            back, fore = back[1:], fore[1:]
        if not back or len(back) != len(fore):
            raise ValueError(
                f"Node {pop!r} and {push.name!r} are not in loops that belong together"
            )
        for (one, side), (other, its) in zip(back, fore, strict=True):
            if type(one) is not type(other) or side != its or side in one.sources and (
                one.sources[side] is not other
            ):  # fmt: skip
                raise ValueError(f"Node {pop!r} is in what is no gradient of a loop")
            one.sources[side] = other
            if not hasattr(one, "frame"):
                if pairs.origin(other.pred)[-1] not in pairs.origin(one.pred):
                    raise ValueError(f"Node {pop!r} is in a branch of another decision")
            elif one.counter is None:
                one.counter = _counter(one, other, pairs)


def simplify(nodes: Mapping[str, Node]) -> None:
    """Take away what gradients write that says nothing here.

    What waits for a NoOp that waits for a Switch, which is how they group the two sides of a
    decision, waits for the Switch: the NoOp alone is in neither branch. A Switch of a stack by what
    was decided outside of the loop is the stack.
    """
    for node in nodes.values():
        found: list[str] = []
        for name in node.controls:
            group = nodes.get(name)
            parts = group.controls if group is not None and group.op == "NoOp" else []
            found += parts if any(n in nodes and nodes[n].op == "Switch" for n in parts) else [name]
        node.controls = list(dict.fromkeys(found))
    for node in nodes.values():
        guard = nodes.get(node.inputs[0][0]) if node.op == "StackPopV2" and node.inputs else None
        if guard is None or guard.op != "Switch" or len(guard.inputs) != 2:
            continue
        decides = nodes.get(guard.inputs[1][0])
        while decides is not None and decides.op == "Identity" and decides.inputs:
            decides = nodes.get(decides.inputs[0][0])
        if decides is not None and decides.op == "Enter":
            guard.op, node.inputs[0] = "Identity", (guard.name, 0)
            guard.inputs = guard.inputs[:1]


def _walk(plan: Sequence[Any], path: list[Any], found: dict[str, list[Any]]) -> None:
    """The loops and conditions that each node is in, and the sides of them, from outside to
    inside. Of a loop the body is side 1."""
    for item in plan:
        if isinstance(item, Node):
            found[item.name] = path
        else:
            parts = (item.test, item.body) if hasattr(item, "frame") else item.sides
            for side, part in enumerate(parts):
                _walk(part, [*path, (item, side)], found)


def _follows(item: Any, other: Any) -> bool:
    """Whether `item` is `other`, or a later part of the same condition."""
    while item is not None and item is not other:
        item = getattr(item, "before", None)
    return item is other


def _counter(back: Any, fore: Any, pairs: Pairs) -> str:
    """The variable of `back` that counts the turns of `fore` down to one.

    Raises:
      ValueError: there is none, so that the pops do not belong to the pushes turn by turn.
    """
    test = pairs.nodes.get(back.decides.inputs[0][0])
    merge = next((m for m in back.merges if test is not None and test.inputs[:1] == [(m.name, 0)]),
                 None)  # fmt: skip
    if (
        test is not None
        and merge is not None
        and test.op == "GreaterEqual"
        and len(test.inputs) == 2
        and pairs.constant(test.inputs[1]) == 1
        and pairs.counts(back, merge, ("Sub",))
    ):
        starts = pairs.origin(merge.inputs[0])
        ends = {e.name: fore.switches[e.inputs[0][0]] for e in fore.exits}
        counted = next((ends[n] for n, _ in starts if n in ends), None)
        first = next((m for m in fore.merges if m.name == counted), None)
        if first is not None and pairs.constant(first.inputs[0]) == 0 and (
            pairs.counts(fore, first, ("Add", "AddV2"))
        ):  # fmt: skip
            return merge.name
    raise ValueError(
        f"The loop {back.frame!r} pops, but does not count the turns of {fore.frame!r}"
    )


def stack_values(node: Node, values: Sequence[Any], graph: Graph) -> list[Any]:
    """The outputs of an op of stacks.

    Raises:
      ValueError: an input is no stack where there should be one, or nothing was pushed.
    """
    if node.op == "StackV2":
        return [Stack()]
    if not values or not isinstance(values[0], Stack):
        raise ValueError(f"op {node.op} takes no stack")
    if node.op == "StackCloseV2":
        return []
    if node.op == "Identity":
        return [values[0]]
    if node.op == "StackPushV2":
        values[0].value = values[1]
        return [values[1]]
    value, region = values[0].value, graph._region
    if value is None or region is None:
        raise ValueError("nothing was pushed")
    if isinstance(value, Tensor):
        (value,) = region.imported(node.op, [value])
    return [value]
