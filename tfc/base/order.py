"""Topological order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def in_order(members: Sequence[T], needs: Mapping[T, Collection[T]]) -> list[T]:
    """The members, each after those it needs; among those that may come, the first of the sequence
    first. What is on a cycle, or waits for one, is left out. needs: distinct members, for each."""
    place = {member: k for k, member in enumerate(members)}
    left = [len(needs[member]) for member in members]
    users: list[list[int]] = [[] for _ in members]
    for k, member in enumerate(members):
        for need in needs[member]:
            users[place[need]].append(k)
    ready = [k for k, count in enumerate(left) if not count]  # sorted, and so a heap
    found = []
    while ready:
        k = heapq.heappop(ready)
        found.append(members[k])
        for user in users[k]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, user)
    return found
