"""The parts of a plan: loops and conditions, and what is said of nodes and loops alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

from tfc.base.records import dataclass
from tfc.io.import_nodes import Key, Node

DEEPEST = 50  # how deep loops and conditions may be nested


@dataclass(eq=False)
class Loop:
    """One frame. test, body: names of nodes, and loops, in them.

    sources: at 1, the loop whose gradient this one computes. counter: the variable that counts its
    turns down (`import_stacks.py`).
    """

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
    sources: dict[int, Loop] = field(default_factory=dict)
    counter: str | None = None
    built: Any = None  # the region of its turns, and the owner of that

    @property
    def name(self) -> str:
        return self.frame


@dataclass(eq=False)
class Condition:
    """What runs on one decision: a part of a group of Switches and Merges.

    sides: plans of the false branch and the true one. before: the parts of the group that ran
    earlier, whose values may be taken. sources: by side, the condition whose gradient it is.
    """

    pred: Key
    switches: list[Node]
    merges: list[Node]
    sides: tuple[list[Any], list[Any]]
    before: Condition | None = None
    sources: dict[int, Condition] = field(default_factory=dict)
    built: Any = None  # of each side, where its values are
    owner: Any = None


Context = tuple[tuple[Any, int], ...]  # decisions, from outside to inside, and their sides


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


def owners_of(members: Sequence[Any]) -> dict[str, Any]:
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
