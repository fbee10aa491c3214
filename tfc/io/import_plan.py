"""The structure of a list of nodes: which are in which loop, and in which branch of a condition.

GraphDefs lay both out flat, with Switch, Merge, Enter, Exit and NextIteration. A plan is what they
stand for: a list of nodes, `Loop`s and `Condition`s, each after what it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfc.io.import_conditions import block
from tfc.io.import_nodes import Node, plain
from tfc.io.import_parts import DEEPEST, Loop, needs_of, owners_of
from tfc.io.import_stacks import pair, simplify


def plan(nodes: Mapping[str, Node], order: Sequence[str]) -> list[Any]:
    """The plan of the nodes, which stand in an order in which they run.

    Raises:
      ValueError: control flow that is not what loops and conditions make.
    """
    simplify(nodes)
    root = Loop("")
    frames = _frames(nodes, order, root)
    for loop in [root, *frames]:
        _complete(loop, nodes)
    result = block(root.members, nodes)
    pair(result, nodes)
    return result


# ---- loops


def _frames(nodes: Mapping[str, Node], order: Sequence[str], root: Loop) -> list[Loop]:
    """The loops; every node is made a member of its own."""
    loops: dict[tuple[Loop, str], Loop] = {}
    inside: dict[str, Loop] = {}  # where the outputs of a node are
    for name in order:
        node = nodes[name]
        kind = plain(node.op)
        sources = [inside[n] for n, _ in node.inputs if n in inside]
        sources += [inside[n] for n in node.controls if n in inside]
        home = _deepest(node, sources, root)
        if kind == "Enter":
            key = home, str(_text(node.attrs.get("frame_name", "")))
            if key not in loops:
                if home.depth >= DEEPEST:
                    raise ValueError(f"Node {name!r}: loops are nested too deep")
                loops[key] = Loop(key[1], home, home.depth + 1)
                home.members.append(loops[key])
            loops[key].enters.append(node)
            inside[name] = loops[key]
        elif kind == "Exit":
            if home.parent is None:
                raise ValueError(f"Node {name!r}: an Exit outside of loops")
            home.exits.append(node)
            inside[name] = home.parent
        else:
            home.members.append(node)
            inside[name] = home
    return list(loops.values())


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _deepest(node: Node, sources: Iterable[Loop], root: Loop) -> Loop:
    """The loop that a node is in: that of its inputs. They may come from outside of it."""
    found = root
    for loop in sources:
        a, b = (loop, found) if loop.depth > found.depth else (found, loop)
        up: Loop | None = a
        while up is not None and up.depth > b.depth:
            up = up.parent
        if up is not b:
            raise ValueError(f"Node {node.name!r} takes inputs from different loops")
        found = a
    return found


def _complete(loop: Loop, nodes: Mapping[str, Node]) -> None:
    """Find the parts of a loop, and split what is in it into test and body."""
    own = {m.name for m in loop.members if isinstance(m, Node)}
    rest = []
    for member in loop.members:
        kind = plain(member.op) if isinstance(member, Node) else ""
        if kind == "LoopCond":
            if loop.decides is not None:
                raise ValueError(f"Node {member.name!r}: a loop has one LoopCond")
            loop.decides = member
        elif kind == "NextIteration" or kind == "Merge" and _turns(member, nodes):
            if kind == "Merge":
                loop.merges.append(member)
        else:
            rest.append(member)
    if loop.parent is None:
        if loop.decides is not None or loop.merges:
            raise ValueError(f"Node {(loop.decides or loop.merges[0]).name!r}: no loop is there")
        loop.members = rest
        return
    if loop.decides is None or not loop.merges:
        raise ValueError(f"The loop {loop.frame!r} has no LoopCond, or no variables")
    entered = {e.name for e in loop.enters if not e.attrs.get("is_constant", False)}
    for merge in loop.merges:
        (first, _), (last, _) = sorted(
            merge.inputs, key=lambda k: k[0] in own and plain(nodes[k[0]].op) == "NextIteration"
        )
        if first not in entered or last not in own:
            raise ValueError(f"Node {merge.name!r} is no variable of the loop {loop.frame!r}")
        entered.remove(first)
        merge.inputs = [(first, 0), (last, 0)]
        loop.nexts[merge.name] = nodes[last]
    entered &= {n for node in nodes.values() for n, _ in node.inputs} if entered else set()
    if entered:
        raise ValueError(f"Node {min(entered)!r} enters the loop {loop.frame!r} as no variable")
    variables = {m.name for m in loop.merges}
    kept = []
    for member in rest:
        if isinstance(member, Node) and plain(member.op) == "Switch" and (
            member.inputs[1][0] == loop.decides.name
        ):  # fmt: skip
            if member.inputs[0][0] not in variables:
                raise ValueError(f"Node {member.name!r} switches what is no variable of its loop")
            loop.switches[member.name] = member.inputs[0][0]
        else:
            kept.append(member)
    kept = _without_ends(loop, kept, nodes)
    for end in loop.exits:
        if end.inputs[0][0] not in loop.switches or end.inputs[0][1] != 0:
            raise ValueError(f"Node {end.name!r} takes what is not the last value of a variable")
    _split(loop, kept, nodes)


def _without_ends(loop: Loop, members: Sequence[Any], nodes: Mapping[str, Node]) -> list[Any]:
    """The members that are not Identities of the last value of a variable, of which Exits take
    what those are of."""
    ends = {name: (name, 0) for name in loop.switches}
    kept = []
    for member in members:
        first = member.inputs[0] if isinstance(member, Node) and member.inputs else None
        if first is not None and member.op == "Identity" and first[0] in ends and first[1] == 0:
            ends[member.name] = ends[first[0]]
        else:
            kept.append(member)
    for end in loop.exits:
        if end.inputs[0][1] == 0:
            end.inputs[0] = ends.get(end.inputs[0][0], end.inputs[0])
    return kept


def _turns(merge: Node, nodes: Mapping[str, Node]) -> bool:
    kinds = [plain(nodes[n].op) for n, _ in merge.inputs if n in nodes]
    if "NextIteration" not in kinds:
        return False
    if sorted(kinds) != ["Enter", "NextIteration"]:
        raise ValueError(f"Node {merge.name!r} joins more than two values of a loop")
    return True


def _split(loop: Loop, members: Sequence[Any], nodes: Mapping[str, Node]) -> None:
    """What LoopCond needs is the test. What the body takes of that is in both."""
    assert loop.decides is not None
    owner = owners_of(members)

    def closure(starts: Iterable[str]) -> set[Any]:
        found: set[Any] = set()
        work = [owner[n] for n in starts if n in owner]
        while work:
            member = work.pop()
            if member not in found:
                found.add(member)
                work += [owner[n] for n in needs_of(member) if n in owner]
        return found

    tested = closure(n for n, _ in loop.decides.inputs)
    body = [m for m in members if m not in tested]
    needed = [n for m in body for n in needs_of(m)]
    needed += [n for node in loop.nexts.values() for n, _ in node.inputs]
    both = closure(needed) & tested
    loop.test = block([m for m in members if m in tested], nodes)
    chosen = [m for m in members if m not in tested or m in both]
    loop.body = block(chosen, nodes)
