"""Fed rows whose number is data: indices and values of sparse tensors.

Their number is part of a signature, and differs from batch to batch. Ops that say in `pads` which
of their inputs are such rows take more of them, at the end, that stand for nothing: their indices
are LEAST. When a plan has been compiled for some numbers, it is given rows up to one of few sizes.
What else takes the rows, or fetches them, gets them as they are: then nothing is added.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence, Set
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.ir.core import Type, Value

LEAST = np.iinfo(np.int64).min
MOST_EXACT = 4  # stages that a plan has before rows are added
SMALLEST = 16

Pair = tuple[Any, Any]  # indices and values


class Padding:
    """What of a run can be given more rows. pairs: the fed indices, with their values, that only
    ops take that may be given more; fed: all of these. ops: those to run then. Left out is what
    these ops' gradients by their values are made by, where nobody takes those: it is waited for,
    and that is all."""

    def __init__(self, ops: Sequence[Any], fetched: Set[Any], fed: Set[Any]):
        self.pairs: list[Pair] = []
        self.fed: frozenset[Any] = frozenset()
        self.ops = ops
        scopes = [f"{op.name}_grad/" for op in ops if op.defn.pads]
        if not scopes:
            return
        wanted, idle = set(fetched), set[Any]()
        for op in reversed(ops):
            of_gradient = bool(op.outputs) and any(scope in op.name for scope in scopes)
            if of_gradient and wanted.isdisjoint(op.outputs):
                idle.add(op)
            else:
                wanted.update(op.inputs)
        self.ops = [op for op in ops if op not in idle]
        users: dict[Any, list[tuple[Any, int]]] = {}
        for op in self.ops:
            for k, tensor in enumerate(op.inputs):
                if tensor in fed:
                    users.setdefault(tensor, []).append((op, k))
        partner = {t: _partner(uses) for t, uses in users.items() if t not in fetched}
        for first, second in partner.items():
            if second and second[1] and partner.get(second[0]) == (first, False):
                self.pairs.append((first, second[0]))
        self.fed = frozenset(t for pair in self.pairs for t in pair)

    def pad(self, values: MutableMapping[Any, np.ndarray]) -> bool:
        """Add rows to the arrays of the pairs. False, and nothing is changed, where these are not
        what ops take, or indices stand for nothing already: that is for the ops to say."""
        more = {}
        for indices, entries in self.pairs:
            rows, given = values[indices], values[entries]
            count = rows.shape[0] if rows.ndim == 2 else 0
            if not count or not rows.shape[1] or given.shape != (count,):
                return False
            if rows.dtype != np.int64 or given.dtype == object or (rows == LEAST).any():
                return False
            size = room_for(count)
            more[indices] = np.full((size, rows.shape[1]), LEAST)
            more[indices][:count] = rows
            more[entries] = np.zeros(size, given.dtype)
            more[entries][:count] = given
        values.update(more)
        return True


def _partner(uses: Sequence[tuple[Any, int]]) -> tuple[Any, bool] | None:
    """The tensor that goes with one that is taken so by all ops, and whether that one is the
    indices; None if not all take it as rows, or they do not agree."""
    partners = set()
    for op, k in uses:
        pads = op.defn.pads
        if pads is None or k not in pads:
            return None
        at = pads.index(k)
        partners.add((op.inputs[pads[1 - at]], at == 0))
    return partners.pop() if len(partners) == 1 else None


def room_for(count: int) -> int:
    """The size that so many rows are brought to: a power of two, or the middle between two."""
    size = max(SMALLEST, 1 << (count - 1).bit_length())
    return size * 3 // 4 if count <= size * 3 // 4 and size > SMALLEST else size


def stand_for_something(build: Any, indices: Value, number: int) -> Value | None:
    """i1 [n]: which rows of `indices`, input `number` of the op that is being lowered, stand for
    something; None: all."""
    if build.op.inputs[number] not in build.padded:
        return None
    size = indices.type.shape[0]
    column = p.slice(build, indices, start=(0, 0), limit=(size, 1), stride=(1, 1))
    first = p.reshape(build, column, shape=(size,))
    there: Value = p.ne(build, first, p.splat(build, LEAST, Type("i64", (size,))))
    return there
