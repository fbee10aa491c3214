"""The conditions among the nodes of one place: what runs in which branch, and what together."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from tfc.base.order import in_order
from tfc.io.import_nodes import Key, Node, plain
from tfc.io.import_parts import DEEPEST, Condition, Context, members_of, needs_of, owners_of


def block(members: Sequence[Any], nodes: Mapping[str, Node]) -> list[Any]:
    """The plan of members of one place."""
    owner = owners_of(members)
    needs = {m: {owner[n] for n in needs_of(m) if n in owner} - {m} for m in members}
    order = _sorted(members, needs)
    if not any(isinstance(m, Node) and plain(m.op) == "Switch" for m in members):
        return order
    contexts: dict[Any, Context] = {}
    for member in order:
        contexts[member] = _context(member, owner, contexts, nodes)
    return _Schedule(needs, contexts, owner, nodes).of(order, 0)


def _sorted(members: Sequence[Any], needs: Mapping[Any, set[Any]]) -> list[Any]:
    order = in_order(members, needs)
    if len(order) < len(members):
        stuck = next(m.name for m in members if m not in set(order))
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
        waits = [] if node.op == "ControlTrigger" else node.controls  # of branches not taken too
        for key in [*node.inputs, *((n, None) for n in waits)]:
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
        self.parts: dict[tuple[int, int], Condition] = {}  # by depth and group, the last
        self.groups: dict[int, dict[Any, int]] = {}

    def of(self, members: Sequence[Any], depth: int) -> list[Any]:
        """The plan of members whose first `depth` decisions are those of the place."""
        here = set(members)
        if depth not in self.groups:
            self.groups[depth] = self._groups(depth)
        groups = {m: g for m, g in self.groups[depth].items() if m in here}
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
            part = self._condition(chosen, depth, self.parts.get((depth, g)))
            self.parts[depth, g] = part
            result.append(part)
            for m in chosen:
                finish(m)
        return result

    def _groups(self, depth: int) -> dict[Any, int]:
        """The number of the condition that a member belongs to, at a depth. What is joined by the
        flow of values within branches is one condition."""
        parent: dict[Any, Any] = {}

        def root(m: Any) -> Any:
            while parent[m] is not m:
                parent[m] = parent[parent[m]]
                m = parent[m]
            return m

        def kind(m: Any) -> str:
            return plain(m.op) if isinstance(m, Node) else ""

        members = [m for m, context in self.contexts.items() if len(context) >= depth]
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
        pushes: dict[Any, Any] = {}  # what one condition keeps, one condition gives back
        for m in members:
            if m in deep and kind(m) == "StackPushV2":
                decided = *self.contexts[m][:depth], self.contexts[m][depth][0]
                parent[root(m)] = root(pushes.setdefault(decided, m))
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
        if not before and not switches:
            raise ValueError(f"Node {chosen[0].name!r} is in a branch without a decision")
        pred = before.pred if before else switches[0].inputs[1]
        return Condition(pred, switches, merges, plans, before)
