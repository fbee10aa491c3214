"""autodiff: reverse mode over an SSA, one op at a time, each definition asked for its gradient.

The first of the two passes that stand before the pipeline: it runs while the user builds the
graph. In: values `ys` with a gradient each, and values `xs`. What an op's gradient is, how several
gradients of one value are added, and what they are made of, is the caller's: `Rules`.

Order is part of the contract, since the names of the ops that the rules add follow from it: an op
is visited when all ops between it and the ys have been (a count of pending uses per op), in the
order of a first-in first-out queue that starts with the ops of the ys. That is TensorFlow 1's
order. Only ops on a path from an x to a y are visited. Nothing here recurses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tfc.base.records import dataclass


@dataclass(frozen=True)
class Rules:
    """What reverse mode asks of its caller.

    add: (op, gradients) -> one gradient, of two or more for one result of `op`.
    differentiate: (op, gradients of its results, None where nothing arrives) -> gradients of its
    operands, None where nothing flows.
    accept: (op, operand index, gradient) -> None; called with each gradient that flows on.
    carries: value -> whether a gradient may flow through it. No path leads through one that does
    not carry any, such as an integer.
    """

    add: Callable[[Any, list[Any]], Any]
    differentiate: Callable[[Any, list[Any]], Sequence[Any]]
    accept: Callable[[Any, int, Any], None]
    carries: Callable[[Any], bool]


def reverse(
    ys: Sequence[Any],
    seeds: Sequence[Any],
    xs: Sequence[Any],
    stops: Sequence[Any],
    rules: Rules,
) -> list[Any]:
    """For each x, the sum over ys of the seed times dy/dx; None where no y depends on it.

    ys, xs: values with `op` and `index`. seeds: a gradient for each y. stops: values taken as
    constants.
    """
    targets = list(dict.fromkeys(y.op for y in ys))
    pending = pending_uses(targets, [x.op for x in xs], rules.carries)
    held = _stops([x.op for x in xs], [s.op for s in stops], pending)
    arrived: dict[Any, list[Any]] = {}  # op -> per result: list of gradients, later their sum
    for y, seed in zip(ys, seeds, strict=True):
        _slots(arrived, y.op)[y.index].append(seed)
    queue = deque(op for op in targets if pending.get(op) == 0)
    while queue:
        op = queue.popleft()
        sums = _add_up(arrived.get(op), op, rules)
        arrived[op] = sums
        flowing: Sequence[Any] = ()
        if op not in held and any(s is not None for s in sums):
            flowing = rules.differentiate(op, list(sums))
        for position, gradient in enumerate(flowing):
            if gradient is not None:
                rules.accept(op, position, gradient)
                operand = op.operands[position]
                _slots(arrived, operand.op)[operand.index].append(gradient)
        for operand in op.operands:
            source = operand.op
            if source in pending:
                pending[source] -= 1
                if pending[source] == 0:
                    queue.append(source)
    return [_result(arrived, x) for x in xs]


def pending_uses(
    targets: Sequence[Any], sources: Sequence[Any], carries: Callable[[Any], bool]
) -> dict[Any, int]:
    """For each op on a path from `sources` to `targets`, how many operands of such ops it makes."""
    reached = reachable(targets, sources, carries)
    between: dict[Any, None] = {}
    queue = deque(targets)
    while queue:
        op = queue.popleft()
        if op in reached and op not in between:
            between[op] = None
            queue.extend(operand.op for operand in op.operands)
    pending = dict.fromkeys(between, 0)
    for op in between:
        for operand in op.operands:
            if operand.op in pending:
                pending[operand.op] += 1
    return pending


def reachable(
    targets: Sequence[Any], sources: Sequence[Any], carries: Callable[[Any], bool]
) -> set[Any]:
    """Ops that `targets` depend on and that depend on one of `sources` through values that carry
    gradients; sources too."""
    users: dict[Any, list[Any]] = {}
    seen = set(targets)
    stack = list(targets)
    while stack:
        op = stack.pop()
        for source in dict.fromkeys(operand.op for operand in op.operands if carries(operand)):
            users.setdefault(source, []).append(op)
        for source in dict.fromkeys(operand.op for operand in op.operands):
            if source not in seen:
                seen.add(source)
                stack.append(source)
    stack = list(dict.fromkeys(sources))
    expanded: set[Any] = set()
    while stack:
        op = stack.pop()
        if op not in expanded:
            expanded.add(op)
            stack.extend(users.get(op, ()))
    return expanded


def _stops(sources: Sequence[Any], stops: Sequence[Any], pending: dict[Any, int]) -> set[Any]:
    """Ops whose gradient is not asked for: the stops, and the sources that depend on no other."""
    held = set(stops)
    for op in sources:
        if not any(pending.get(operand.op, 0) > 0 for operand in op.operands):
            held.add(op)
    return held


def _slots(arrived: dict[Any, list[Any]], op: Any) -> list[Any]:
    found = arrived.get(op)
    if found is None:
        found = arrived[op] = [[] for _ in op.results]
    return found


def _add_up(gradients: list[Any] | None, op: Any, rules: Rules) -> list[Any]:
    """One gradient, or None, per result of `op`."""
    if gradients is None:
        return [None] * len(op.results)
    sums: list[Any] = []
    for parts in gradients:
        if len(parts) > 1:
            sums.append(rules.add(op, parts))
        else:
            sums.append(parts[0] if parts else None)
    return sums


def _result(arrived: dict[Any, list[Any]], x: Any) -> Any:
    """The sum that arrived at `x`. A source off every path may hold seeds that nobody added."""
    found = arrived.get(x.op)
    if found is None:
        return None
    gradient = found[x.index]
    return None if isinstance(gradient, list) else gradient
