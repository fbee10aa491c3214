"""rematerialize: what a loop need not keep for its gradient, because it can be made again.

What a body computes from values that do not change is computed once, outside. What it computes by a
few cheap ops from a value that is kept anyway, or from one that stands for several, is computed
again when an iteration is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects
from tfc.passes.matching import ELEMENTWISE
from tfc.passes.regions import inline

MOST_OPS = 8  # cheap ops that making one value again may take
_FREE = frozenset({"const", "broadcast"})


@dataclass(frozen=True)
class Recipe:
    """How a value of a body is made: ops, in order, from `bases`, which change, and `fixed` values,
    which do not."""

    value: Value
    ops: tuple[Op, ...]
    bases: tuple[Value, ...]
    fixed: tuple[Value, ...]

    @property
    def function(self) -> Function:
        """It as a function of the bases and the fixed values."""
        return Function("again", (*self.bases, *self.fixed), self.ops, (self.value,))


def invariant(build: Any, inner: Any, value: Value) -> Value | None:
    """A value of the region `inner` that only captured values go into, computed outside; None if
    others do."""
    ops, leaves = _above(value, _is_pure)
    if any(leaf not in inner.captured for leaf in leaves):
        return None
    function = Function("outside", tuple(leaves), tuple(ops), (value,))
    return inline(build, function, [inner.captured[leaf] for leaf in leaves])[0]


def recipes(inner: Any, values: Sequence[Value]) -> dict[Value, Recipe]:
    """For those of `values`, wanted of the region `inner`, that need not be kept: how each is made
    of others. Their bases are to be kept, be they among `values` or not."""
    made = {v: _recipe(inner, v) for v in values}
    found = {v: recipe for v, recipe in made.items() if recipe is not None}
    kept = {v for v in values if v not in found}
    while True:
        missing = {v: [b for b in r.bases if b not in kept] for v, r in found.items()}
        base = _worth_keeping(missing)
        if base is None:
            return {v: r for v, r in found.items() if not missing[v]}
        kept.add(base)


def _worth_keeping(missing: Mapping[Value, Sequence[Value]]) -> Value | None:
    """The base that, if kept, saves most bytes, by what can be made of it; None if none saves."""
    saved: dict[Value, int] = {}
    for value, bases in missing.items():
        if len(bases) == 1:
            saved[bases[0]] = saved.get(bases[0], -bases[0].type.nbytes) + value.type.nbytes
    best = max(saved, key=saved.__getitem__, default=None)
    return best if best is not None and saved[best] > 0 else None


def _recipe(inner: Any, value: Value) -> Recipe | None:
    """How few cheap ops make `value`; None if it takes others, or it is one of its own bases."""
    ops, leaves = _above(value, _is_cheap)
    if not ops or sum(op.defn.name not in _FREE for op in ops) > MOST_OPS or value in leaves:
        return None
    fixed = tuple(leaf for leaf in leaves if _is_fixed(inner, leaf))
    bases = tuple(leaf for leaf in leaves if leaf not in fixed)
    return Recipe(value, tuple(ops), bases, fixed)


def _is_fixed(inner: Any, value: Value) -> bool:
    _, leaves = _above(value, _is_pure)
    return all(leaf in inner.captured for leaf in leaves)


def _is_pure(op: Op) -> bool:
    return not has_effects(op)


def _is_cheap(op: Op) -> bool:
    name = op.defn.name
    return name in _FREE or (name in ELEMENTWISE and op.defn.cheap)


def _above(value: Value, through: Any) -> tuple[list[Op], list[Value]]:
    """The ops, in order, that `value` is computed by as far as `through` allows, and the values
    that they start from."""
    order: dict[Op, None] = {}
    leaves: dict[Value, None] = {}
    stack: list[tuple[Value, bool]] = [(value, False)]
    while stack:
        at, done = stack.pop()
        op = at.op
        if op is None or not through(op):
            leaves[at] = None
        elif done:
            order[op] = None
        elif op not in order:
            stack.append((at, True))
            stack.extend((v, False) for v in op.operands)
    return list(order), list(leaves)
