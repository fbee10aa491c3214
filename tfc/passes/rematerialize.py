"""rematerialize: what a loop need not keep for its gradient, because it can be made again.

What a body computes from values that do not change is computed once, outside. What it computes by a
few cheap ops from a value that is kept anyway, or from one that stands for several, is computed
again when an iteration is asked for. So is what it reads of an array that does not change, and what
it joins for products that take the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tfc.base.records import dataclass
from tfc.ir.builder import make_op
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects
from tfc.passes.matching import ELEMENTWISE
from tfc.prims.joined import joined, joins

MOST_OPS = 8  # cheap ops that making one value again may take
_FREE = frozenset({"const", "broadcast", "reshape", "slice"})
_TESTS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})  # of scalars: what is made is a byte


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


class Invariants:
    """The values of a loop's body that nothing that changes goes into. The set is found once, and
    each of them computed outside at most once: bodies are long."""

    def __init__(self, build: Any, body: Any):
        self._build = build
        self._outside: dict[Value, Value] = dict(body.captured)
        self._values = set(body.captured)
        self.readers: dict[Value, list[Op]] = {}
        for op in body.ops:
            for operand in dict.fromkeys(op.operands):
                self.readers.setdefault(operand, []).append(op)
            if not has_effects(op) and all(v in self._values for v in op.operands):
                self._values.update(op.results)

    def makes_cheaply(self, op: Op) -> bool:
        """Whether making again what `op` of the body makes costs next to nothing."""
        name = op.defn.name
        if name == "dynamic_slice":
            return op.operands[0] in self._values
        if name == "concat":
            readers = self.readers.get(op.result, ())
            return bool(readers) and all(_takes_parts(op, reader) for reader in readers)
        if name in _TESTS:
            return op.results[0].type.size == 1
        return name in _FREE or (name in ELEMENTWISE and op.defn.cheap)

    def __contains__(self, value: Value) -> bool:
        return value in self._values

    def outside(self, value: Value) -> Value | None:
        """The same value outside; None if it may change."""
        if value not in self._values:
            return None
        for op in _above(value, lambda op: op.results[0] not in self._outside)[0]:
            operands = tuple(self._outside[v] for v in op.operands)
            made = self._build.adopt(make_op(op.defn, operands, op.attrs, op.regions, op.loc))
            self._outside.update(zip(op.results, made, strict=True))
        return self._outside[value]


def recipes(
    fixed: Invariants, values: Sequence[Value], known: Collection[Value] = ()
) -> dict[Value, Recipe]:
    """For those of `values`, wanted of a body with these invariants, that need not be kept: how
    each is made of others. Their bases are to be kept, be they among `values` or not, but for
    those `known` in every iteration."""
    made = {v: _recipe(fixed, v) for v in values}
    found = {v: recipe for v, recipe in made.items() if recipe is not None}
    kept = {v for v in values if v not in found}.union(known)
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


def _recipe(fixed: Invariants, value: Value) -> Recipe | None:
    """How few cheap ops make `value`; None if it takes others, or more."""
    left = MOST_OPS

    def through(op: Op) -> bool:
        nonlocal left
        cheap = fixed.makes_cheaply(op)
        left -= cheap and op.defn.name not in _FREE
        return cheap and left >= 0

    ops, leaves = _above(value, through)
    if not ops or left < 0:
        return None
    known = tuple(leaf for leaf in leaves if leaf in fixed)
    return Recipe(value, tuple(ops), tuple(v for v in leaves if v not in fixed), known)


def _takes_parts(concat: Op, reader: Op) -> bool:
    """Whether the kernel of `reader` will read the parts of `concat`, and so will that of the
    gradient for what it is multiplied by."""
    if reader.defn.name != "dot" or reader.result.type.rank != 2 or joined(reader) is None:
        return False
    a, gradient = concat.result.type, reader.result.type
    (contracted,), _ = reader.attr("contract")
    rows, steps = 1 - contracted, concat.attr("dim") != contracted
    return joins(a, gradient, steps, batch=((), ()), contract=((rows,), (0,)))


def _above(value: Value, through: Callable[[Op], bool]) -> tuple[list[Op], list[Value]]:
    """The ops, in order, that `value` is computed by as far as `through` allows, and the values
    that they start from. An op that it allows is asked about once."""
    order: dict[Op, None] = {}
    leaves: dict[Value, None] = {}
    stack: list[tuple[Value, bool]] = [(value, False)]
    while stack:
        at, done = stack.pop()
        op = at.op
        if done:
            assert op is not None
            order[op] = None
        elif op is None or (op not in order and not through(op)):
            leaves[at] = None
        elif op not in order:
            stack.append((at, True))
            stack.extend((v, False) for v in op.operands)
    return list(order), list(leaves)
