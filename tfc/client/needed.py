"""Which ops a run needs, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from tfc.base import errors
from tfc.base.order import in_order
from tfc.framework.operation import Operation, Tensor
from tfc.passes.live import Needs


def needed_ops(elements: Sequence[Any], fed: Set[Tensor]) -> list[Operation]:
    """The ops that must run, in an order in which they can.

    That is the order in which they were made, which also orders writes to one variable; control
    inputs added later may ask for another one.
    """
    needed: set[Operation] = set()
    stack = [e.op if isinstance(e, Tensor) else e for e in elements if e not in fed]
    while stack:
        op = stack.pop()
        if op in needed:
            continue
        needed.add(op)
        stack.extend(t.op for t in op.inputs if t not in fed)
        stack.extend(_controls(op, fed))
    if any("_regions" in op._attrs for op in needed):
        needs = Needs(lambda op: True, fed, texts=True)
        needs.take(e for e in elements if e not in fed)
        needed = needs.ops()
    ordered = sorted(needed, key=_creation)
    position = {op: i for i, op in enumerate(ordered)}
    late = any(position.get(c, -1) >= i for i, op in enumerate(ordered) for c in op.control_inputs)
    return _topological(ordered, fed) if late else ordered


def _controls(op: Operation, fed: Set[Tensor]) -> list[Operation]:
    """The control inputs that are to run. A placeholder that is fed has nothing to do."""
    return [c for c in op.control_inputs if c.type != "Placeholder" or c.outputs[0] not in fed]


def _creation(op: Operation) -> int:
    return op._id


def _topological(ops: Sequence[Operation], fed: Set[Tensor]) -> list[Operation]:
    """The ops with every input before its users; among the ready ones, the oldest first."""
    needs = {op: {t.op for t in op.inputs if t not in fed}.union(_controls(op, fed)) for op in ops}
    ordered = in_order(ops, needs)
    if len(ordered) != len(ops):
        cycle = next(op for op in ops if op not in set(ordered))
        raise errors.InvalidArgumentError(
            None, cycle, f"The graph has a cycle of control edges through {cycle.name!r}."
        )
    return ordered
