"""Products of a concat: the kernel of a `dot` reads what its first operand is joined of where that
lies, so that nobody copies it together.

The parts lie behind each other along the axis that is summed over, or along the rows of the result.
Sums take their steps in the same order either way: the bits are those of the product of a copy. Of
a part that is `select(p, zeros, x)`, p a scalar, nothing is multiplied where p holds.
"""

from __future__ import annotations

from tfc.base.records import dataclass
from tfc.ir.builder import constant_value
from tfc.ir.core import Op, Type, Value
from tfc.ir.walk import made_by
from tfc.prims.contract_plan import split
from tfc.prims.loop_nest import dot_contraction

Axes = tuple[tuple[int, ...], tuple[int, ...]]

MOST_PARTS = 4  # each is a loop of its own in the kernel
LEAST_EXTENT = 8  # of a part: shorter ones leave register tiles empty
LEAST_ROWS = 64  # with fewer, copying costs less than what the longer kernel takes to compile


@dataclass(frozen=True)
class Part:
    """A part that lies in memory as `value`; or that is zeros, whatever lies there, where the
    scalar `zero` holds."""

    value: Value
    zero: Value | None = None


@dataclass(frozen=True)
class Joined:
    """A product whose first operand is made by `concat`. steps: the parts follow each other along
    the inner loop; else along the rows."""

    concat: Op
    steps: bool

    @property
    def parts(self) -> list[Part]:
        return [_part(v) for v in self.concat.operands]

    @property
    def extents(self) -> tuple[int, ...]:
        """Steps, or rows, of each part."""
        dim = self.concat.attr("dim")
        return tuple(v.type.shape[dim] for v in self.concat.operands)


def joined(dot: Op) -> Joined | None:
    """How product `dot` reads parts of its first operand; None if it reads it as a whole. Shapes
    alone decide."""
    a, b = dot.operands
    concat = made_by(a, "concat")
    if concat is None or a is b or a.type.rank != 2 or a.type.dtype not in ("f32", "f64"):
        return None
    found = Joined(concat, concat.attr("dim") in dot.attr("contract")[0])
    if len(concat.operands) > MOST_PARTS or min(found.extents) < LEAST_EXTENT:
        return None
    return found if joins(a.type, b.type, found.steps, **dot.kwargs) else None


def joins(a: Type, b: Type, steps: bool, batch: Axes, contract: Axes) -> bool:
    """Whether the kernel of dot(a, b) can read a matrix `a` in parts: there is one loop over rows
    and one over steps, which no block and no chunk cuts."""
    c = dot_contraction(a, b, batch=batch, contract=contract)
    plain = not (c.swapped or c.turned or c.bands or any(d.a for d in c.outer))
    if not plain or len(c.inner) > 1 or (c.row.extent if steps else c.depth) < LEAST_ROWS:
        return False
    for keeps in (False, True):
        parts = split(c, light=True, keeps=keeps)
        whole = parts.block in (0, c.depth) and not parts.along and parts.slices == 1
        if not whole or parts.strip or (not steps and parts.parts[2] > 1):
            return False
    return True


def _part(value: Value) -> Part:
    select = made_by(value, "select")
    if select is None:
        return Part(value)
    spread, zeros, other = select.operands
    known, flag = constant_value(zeros), made_by(spread, "broadcast")
    if known is None or known.any() or flag is None or flag.operands[0].type.rank:
        return Part(value)
    return Part(other, flag.operands[0])
