"""Which products read the parts of a joined operand where these lie (`prims/joined.py`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tfc.ir.core import Op, Value
from tfc.prims.joined import Joined, joined

_ON_THE_WAY = frozenset({"concat", "select", "broadcast", "const", "eq"})


class JoinedProducts:
    """Such products among the ops of a function, of which `needed` lie in memory in any case.

    taken: by product, what its kernel takes in, first of all the concat, whose result nothing but
    such products reads; then what tells that a part is zeros. inside: those of these ops that
    nothing else needs.
    """

    def __init__(self, ops: Sequence[Op], needed: Collection[Value]):
        products = (op for op in ops if op.defn.name == "dot")
        found = {op: joint for op in products if (joint := joined(op)) is not None}
        self.taken: dict[Op, list[Op]] = {}
        self.inside: set[Op] = set()
        if not found:
            return
        read = {v for op in ops for v in (op.operands[1:] if op in found else op.operands)}
        read.update(needed)
        self.taken = {op: _above(j) for op, j in found.items() if j.concat.result not in read}
        inside = {op for taken in self.taken.values() for op in taken}
        outside = {v for op in ops if op not in inside for v in self._operands(op)}
        outside.update(needed)
        self.inside = {op for op in inside if outside.isdisjoint(op.results)}

    def _operands(self, op: Op) -> tuple[Value, ...]:
        return op.operands[1:] if op in self.taken else op.operands

    def read_by(self, product: Op) -> list[Value]:
        """What lies in memory, of what the kernel of `product` takes in."""
        taken = self.taken[product]
        made = {v for op in taken for v in op.results}
        return list(dict.fromkeys(v for op in taken for v in op.operands if v not in made))


def _above(joint: Joined) -> list[Op]:
    """The concat, and what is above it as far as its kernel takes that in."""
    ends = {part.value for part in joint.parts}
    found, waiting = dict[Op, None](), [joint.concat]
    while waiting:
        op = waiting.pop()
        found[op] = None
        makers = (v.op for v in op.operands if v not in ends)
        waiting += [m for m in makers if m is not None and m.defn.name in _ON_THE_WAY]
    return list(found)
