"""Lessons: what runs teach about a plan.

Where a shape depends on data, lowering may guess, and guard the guess with an `assert` of a code of
its own. A run whose guess was wrong has changed nothing: it is done again, lowered knowing better.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from tfc.base import errors
from tfc.base.records import dataclass

LEAST_CAPACITY = 8
# Codes of asserts; the op is the one that guessed.
CAPACITY = "Capacity"  # a loop ran more often than there was room to keep; the text is how often
OUTSIDE = "Outside"  # a slice of known width reaches out of its tensor, which makes it shorter
GUESSES = frozenset({CAPACITY, OUTSIDE})


@dataclass
class Lessons:
    """capacities: for loops that kept too little, the iterations to have room for. refused: ops
    that may not guess again. roomed: loops that have to guess, since the whole array is needed of
    what they never change."""

    capacities: dict[Any, int] = field(default_factory=dict)
    refused: set[Any] = field(default_factory=set)
    roomed: set[Any] = field(default_factory=set)

    def learn(self, code: str, op: Any, text: str) -> None:
        """Take in that a guess of `op` was wrong."""
        if code == CAPACITY:
            self.capacities[op] = capacity_for(int(text))
        else:
            self.refused.add(op)

    def make_room(self, op: Any) -> None:
        """Have the loop `op` guess how often it runs. Raises InternalError if it had to already."""
        if op in self.roomed:
            raise errors.InternalError(None, op, f"'{op.name}' made no room for what it keeps")
        self.roomed.add(op)


def capacity_for(count: int) -> int:
    """The room to make for a loop that ran `count` times: at most an eighth too much, so that
    a loop whose count varies is not compiled for each."""
    step = max(1 << max(count.bit_length() - 4, 0), LEAST_CAPACITY)
    return -(-count // step) * step
