"""simplify: the table of rewrite rules and the driver.

A rule is a plain function `(build, op) -> value | None` with its identity as docstring; it gets
an op whose operands are simplified already, and returns a value of the same type that stands for
its result. The right side never costs more than the left, and is equal to it bit for bit (the
sign and payload of a NaN excepted) unless the docstring says what it assumes.

The driver is a Builder that asks the rules about each op before it appends it, so what a rule
builds is simplified as well. Rules that fire for ever are stopped by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tfc.ir.builder import Builder, rebuild
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import all_functions
from tfc.passes import (
    rules_arith,
    rules_contraction,
    rules_convolution,
    rules_covered,
    rules_movement,
    rules_reduction,
)
from tfc.passes.dce import dce
from tfc.passes.options import PassOptions

Rule = Callable[[Builder, Op], Value | None]

# In the order in which they are asked: cheap identities first, then what moves ops about.
TABLES: Sequence[Mapping[str, Sequence[Rule]]] = (
    rules_arith.RULES,
    rules_movement.RULES,
    rules_reduction.RULES,
    rules_contraction.RULES,
    rules_covered.RULES,
    rules_convolution.RULES,
)
SWEEPS = 8  # one sweep reaches almost every fixpoint, since rules look at operands only
FIRINGS_PER_OP = 32
NESTING = 64  # rules that build ops on which rules fire, and so on


class RuleLoop(Exception):
    """A rule fires for ever, or so it seems."""


def _index() -> dict[str, tuple[Rule, ...]]:
    table: dict[str, tuple[Rule, ...]] = {}
    for rules in TABLES:
        for name, functions in rules.items():
            table[name] = (*table.get(name, ()), *functions)
    return table


RULES = _index()


class Firing:
    """Counts what fires in one function: the budget, the depth, and the fuel of the options."""

    def __init__(self, fn: Function, options: PassOptions):
        self.options, self.fired, self.depth = options, 0, 0
        self.budget = 256 + FIRINGS_PER_OP * sum(len(f.ops) for f in all_functions(fn))
        self.function = fn.name

    def apply(self, build: Builder, op: Op) -> tuple[Value, ...] | None:
        """What the first rule that fires makes of `op`.

        Raises:
          RuleLoop: more rules fired than this function can need.
        """
        for rule in RULES.get(op.defn.name, ()):
            if self.options.fuel == 0:
                return None
            if self.fired > self.budget or self.depth > NESTING:
                raise RuleLoop(
                    f"rule {rule.__name__} on {op.defn.name} does not come to an end in "
                    f"@{self.function}: {self.fired} firings, {self.depth} deep"
                )
            self.depth += 1
            value = rule(build, op)
            self.depth -= 1
            if value is None:
                continue
            self.fired += 1
            if self.options.fuel is not None:
                self.options.fuel = max(0, self.options.fuel - 1)
            return (value,)
        return None


class Simplifier(Builder):
    """A Builder whose ops go through the rules before they are appended."""

    def __init__(self, fn: Function, firing: Firing):
        super().__init__(fn.name, fn.params)
        self.firing = firing

    def adopt(self, op: Op) -> tuple[Value, ...]:
        values = self.firing.apply(self, op)
        return super().adopt(op) if values is None else values


def simplify(fn: Function, options: PassOptions) -> Function:
    """`fn` with every rule applied until none fires."""
    firing = Firing(fn, options)

    def in_regions(build: Builder, op: Op) -> tuple[Value, ...] | None:
        return None if isinstance(build, Simplifier) else firing.apply(build, op)

    for _ in range(SWEEPS):
        before = firing.fired
        fn = dce(rebuild(fn, in_regions, Simplifier(fn, firing)), options)
        if firing.fired == before:
            break
    return fn
