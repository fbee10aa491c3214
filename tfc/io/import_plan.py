"""The structure of a list of nodes: which are in which loop, and in which branch of a condition.

GraphDefs lay both out flat, with Switch, Merge, Enter, Exit and NextIteration. A plan is what they
stand for: a list of nodes, `Loop`s and `Condition`s, each after what it takes.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfc.io.import_nodes import Key, Node, plain

DEEPEST = 50  # how deep loops and conditions may be nested


@dataclass(eq=False)
class Loop:
    """One frame. test, body: names of nodes, and loops, in them."""

    frame: str
    parent: Loop | None = None
    depth: int = 0
    enters: list[Node] = field(default_factory=list)
    merges: list[Node] = field(default_factory=list)
    exits: list[Node] = field(default_factory=list)
    members: list[Any] = field(default_factory=list)  # nodes and loops, directly in it
    decides: Node | None = None
    nexts: dict[str, Node] = field(default_factory=dict)  # by Merge
    switches: dict[str, str] = field(default_factory=dict)  # Switch -> Merge
    test: list[Any] = field(default_factory=list)
    body: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.frame


@dataclass(eq=False)
class Condition:
    """What runs on one decision: a part of a group of Switches and Merges.

    sides: plans of the false branch and the true one. before: the parts of the group that ran
    earlier, whose values may be taken.
    """

    pred: Key
    switches: list[Node]
    merges: list[Node]
    sides: tuple[list[Any], list[Any]]
    before: Condition | None = None
    built: Any = None  # of each side, where its values are
    owner: Any = None


Context = tuple[tuple[Any, int], ...]  # decisions, from outside to inside, and their sides


def plan(nodes: Mapping[str, Node], order: Sequence[str]) -> list[Any]:
    """The plan of the nodes, which stand in an order in which they run.

    Raises:
      ValueError: control flow that is not what loops and conditions make.
    """
    root = Loop("")
    frames = _frames(nodes, order, root)
    for loop in [root, *frames]:
        _complete(loop, nodes)
    return _block(root.members, nodes)


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
    for end in loop.exits:
        if end.inputs[0][0] not in loop.switches or end.inputs[0][1] != 0:
            raise ValueError(f"Node {end.name!r} takes what is not the last value of a variable")
    _split(loop, kept, nodes)


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
    owner = _owners(members)

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
    loop.test = _block([m for m in members if m in tested], nodes)
    chosen = [m for m in members if m not in tested or m in both]
    loop.body = _block(chosen, nodes)


def members_of(member: Any) -> Iterator[Node]:
    """The nodes of a member: it alone, or all of a loop."""
    if isinstance(member, Node):
        yield member
        return
    work = [member]
    while work:
        loop = work.pop()
        yield from (*loop.enters, *loop.exits, *loop.merges, *loop.nexts.values())
        if loop.decides is not None:
            yield loop.decides
        for inner in loop.members:
            if isinstance(inner, Node):
                yield inner
            else:
                work.append(inner)


def _owners(members: Sequence[Any]) -> dict[str, Any]:
    """By name of a node, the member that its outputs come from."""
    owner: dict[str, Any] = {}
    for member in members:
        if isinstance(member, Node):
            owner[member.name] = member
        else:
            owner.update((e.name, member) for e in member.exits)
    return owner


def needs_of(member: Any) -> set[str]:
    """The names of nodes that a member takes or waits for; of a loop also what is in it."""
    return {
        n for node in members_of(member) for n in (*(s for s, _ in node.inputs), *node.controls)
    }


# ---- conditions


def _block(members: Sequence[Any], nodes: Mapping[str, Node]) -> list[Any]:
    """The plan of members of one place."""
    owner = _owners(members)
    needs = {m: {owner[n] for n in needs_of(m) if n in owner} - {m} for m in members}
    order = _sorted(members, needs)
    if not any(isinstance(m, Node) and plain(m.op) == "Switch" for m in members):
        return order
    contexts: dict[Any, Context] = {}
    for member in order:
        contexts[member] = _context(member, owner, contexts, nodes)
    return _Schedule(needs, contexts, owner, nodes).of(order, 0)


def _sorted(members: Sequence[Any], needs: Mapping[Any, set[Any]]) -> list[Any]:
    left = {m: len(needs[m]) for m in members}
    users: dict[Any, list[Any]] = {m: [] for m in members}
    for member in members:
        for need in needs[member]:
            users[need].append(member)
    place = {m: k for k, m in enumerate(members)}
    ready = [place[m] for m in members if not left[m]]
    order = []
    while ready:
        member = members[heapq.heappop(ready)]
        order.append(member)
        for user in users[member]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, place[user])
    if len(order) < len(left):
        stuck = next(m.name for m in members if left[m])
        raise ValueError(f"Node {stuck!r} is part of a cycle through a loop")
    return order


def decision(key: Key, nodes: Mapping[str, Node]) -> Key:
    """The tensor that a decision is, past Identities of it."""
    while key[0] in nodes and nodes[key[0]].op == "Identity" and not nodes[key[0]].controls:
        key = nodes[key[0]].inputs[0]
    return key


def _context(
    member: Any, owner: Mapping[str, Any], known: Mapping[Any, Context], nodes: Mapping[str, Node]
) -> Context:
    """The decisions under which a member runs. Of a Switch, those under which it decides."""
    if isinstance(member, Node) and plain(member.op) == "Merge":
        return _context_of_merge(member, owner, known, nodes)
    found: Context = ()
    for node in members_of(member):
        keys = [*node.inputs, *((n, None) for n in node.controls)]
        for key in keys:
            if key[0] in owner and owner[key[0]] is not member:
                given = _given(key, owner, known, nodes)
                short, long = sorted((found, given), key=len)
                if long[: len(short)] != short:
                    raise ValueError(f"Node {node.name!r} takes values of different branches")
                found = long
    if len(found) > DEEPEST:
        raise ValueError(f"Node {member.name!r}: conditions are nested too deep")
    return found


def _given(
    key: Key, owner: Mapping[str, Any], known: Mapping[Any, Context], nodes: Mapping[str, Node]
) -> Context:
    """The decisions under which an output has a value."""
    source = owner[key[0]]
    context = known[source]
    if isinstance(source, Node) and plain(source.op) == "Switch" and key[1] is not None:
        if len(source.inputs) != 2 or key[1] not in (0, 1):
            raise ValueError(f"Node {source.name!r} is no Switch")
        context = (*context, (decision(source.inputs[1], nodes), key[1]))
    return context


def _context_of_merge(
    merge: Node, owner: Mapping[str, Any], known: Mapping[Any, Context], nodes: Mapping[str, Node]
) -> Context:
    if len(merge.inputs) != 2:
        raise ValueError(f"Node {merge.name!r} joins {len(merge.inputs)} values, not two")
    sides = [_given(key, owner, known, nodes) if key[0] in owner else () for key in merge.inputs]
    a, b = sides
    if not a or len(a) != len(b) or a[:-1] != b[:-1] or a[-1][0] != b[-1][0] or a[-1] == b[-1]:
        raise ValueError(f"Node {merge.name!r} does not join the two branches of a condition")
    if a[-1][1] == 1:  # the value of the false branch first
        merge.inputs = merge.inputs[::-1]
        merge.attrs["_swapped"] = True
    return a[:-1]


class _Schedule:
    """Puts members of branches together, so that each condition is decided once, if that can be."""

    def __init__(
        self,
        needs: Mapping[Any, set[Any]],
        contexts: Mapping[Any, Context],
        owner: Mapping[str, Any],
        nodes: Mapping[str, Node],
    ):
        self.needs, self.contexts, self.owner, self.nodes = needs, contexts, owner, nodes

    def of(self, members: Sequence[Any], depth: int) -> list[Any]:
        """The plan of members whose first `depth` decisions are those of the place."""
        groups = self._groups(members, depth)
        here = set(members)
        left = {m: len(self.needs[m] & here) for m in members}
        users: dict[Any, list[Any]] = {m: [] for m in members}
        for m in members:
            for need in self.needs[m] & here:
                users[need].append(m)
        open_: dict[int, int] = {}  # of each group, how much it still waits for outside
        of_group: dict[int, list[Any]] = {}
        for m in members:
            if m in groups:
                g = groups[m]
                of_group.setdefault(g, []).append(m)
                outside = [n for n in self.needs[m] & here if groups.get(n) != g]
                open_[g] = open_.get(g, 0) + len(outside)
        place = {m: k for k, m in enumerate(members)}
        ready = [place[m] for m in members if not left[m] and m not in groups]
        whole = deque(g for g, count in open_.items() if not count)
        result: list[Any] = []
        done: set[Any] = set()
        parts: dict[int, Condition] = {}

        def finish(m: Any) -> None:
            done.add(m)
            for user in users[m]:
                left[user] -= 1
                g = groups.get(user)
                if g is None:
                    if not left[user]:
                        heapq.heappush(ready, place[user])
                elif groups.get(m) != g:
                    open_[g] -= 1
                    if not open_[g]:
                        whole.append(g)

        while len(done) < len(members):
            if ready:
                m = members[heapq.heappop(ready)]
                result.append(m)
                finish(m)
                continue
            if whole:
                g = whole.popleft()
                chosen = [m for m in of_group[g] if m not in done]
            else:
                g, chosen = self._part(of_group, done, left, users, groups, here)
            if not chosen:
                continue
            parts[g] = self._condition(chosen, depth, parts.get(g))
            result.append(parts[g])
            for m in chosen:
                finish(m)
        return result

    def _groups(self, members: Sequence[Any], depth: int) -> dict[Any, int]:
        """The number of the condition that a member belongs to. What is joined by the flow of
        values within branches is one condition."""
        parent: dict[Any, Any] = {}

        def root(m: Any) -> Any:
            while parent[m] is not m:
                parent[m] = parent[parent[m]]
                m = parent[m]
            return m

        def kind(m: Any) -> str:
            return plain(m.op) if isinstance(m, Node) else ""

        deep = {m for m in members if len(self.contexts[m]) > depth}
        ends = {m for m in members if m not in deep and kind(m) in ("Switch", "Merge")}
        for m in members:
            if m in deep or m in ends:
                parent[m] = m
        for m in members:
            if m in deep or kind(m) == "Merge" and m in ends:
                for need in self.needs[m]:
                    if need in deep or (need in ends and kind(need) == "Switch"):
                        parent[root(m)] = root(need)
        numbers: dict[Any, int] = {}
        return {m: numbers.setdefault(root(m), len(numbers)) for m in members if m in parent}

    def _part(self, of_group: Any, done: Any, left: Any, users: Any, groups: Any, here: Any) -> Any:
        """As much as can run now of a condition that waits for what waits for it, as gradients of
        one do."""
        for g, members in of_group.items():
            missing = {m: left[m] for m in members if m not in done}
            work = deque(m for m, count in missing.items() if not count)
            chosen = []
            while work:
                m = work.popleft()
                chosen.append(m)
                for user in users[m]:
                    if user in missing and groups.get(user) == g:
                        missing[user] -= 1
                        if not missing[user]:
                            work.append(user)
            if any(isinstance(m, Node) and plain(m.op) == "Merge" for m in chosen):
                return g, chosen
        stuck = min(m.name for m in here if m not in done)
        raise ValueError(f"Node {stuck!r} waits for a condition that waits for it")

    def _condition(self, chosen: Sequence[Any], depth: int, before: Condition | None) -> Condition:
        at_end = [m for m in chosen if len(self.contexts[m]) == depth]
        switches = [m for m in at_end if plain(m.op) == "Switch"]
        merges = [m for m in at_end if plain(m.op) == "Merge"]
        sides: tuple[list[Any], list[Any]] = ([], [])
        for m in chosen:
            if len(self.contexts[m]) > depth:
                sides[self.contexts[m][depth][1]].append(m)
        plans = self.of(sides[0], depth + 1), self.of(sides[1], depth + 1)
        pred = before.pred if before else switches[0].inputs[1]
        return Condition(pred, switches, merges, plans, before)
