"""schedule: the order of kernels.

In: constants, reshapes, fusions, loops and branches in some order. Out: the same ops in an order
that keeps the peak of live bytes low, that keeps ops with effects in their order, and in which a
kernel that computes a variable's new value comes after all others that read the old one and after
all in which a run may end. Only then may `buffers` let it write where the variable lies. Where
readers cannot all come first (they need the new value too), nothing is promised, and the variable
is copied at the end. What a loop carries is to its body as a variable is to a function.

Of a body with ops that serve the next turn only, what tells whether there is one comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from heapq import heapify, heappop, heappush

from tfc.base.records import dataclass
from tfc.ir.builder import make_op, with_operands
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import has_effects
from tfc.passes.kernels import can_stop
from tfc.passes.options import PassOptions
from tfc.prims.control import CONTROL, looks_ahead, read_by, serves_next_turn
from tfc.prims.kernel_info import ALIASES, buffer_of, buffers_of

# Neighbours in the order of the program share caches: a lower peak must be worth leaving it.
WORTH = 0.9
SMALL = 64  # bytes of a carried value that may as well lie in two places in turns


@dataclass(eq=False)
class _Node:
    """A kernel: what must come before it, what waits for it, and the memory it reads and makes."""

    op: Op
    at: int
    before: set[_Node] = field(default_factory=set)
    after: set[_Node] = field(default_factory=set)
    reads: list[Value] = field(default_factory=list)
    makes: int = 0


def schedule(fn: Function, options: PassOptions) -> Function:
    """`fn` with its kernels in the order they run; the given order if switched off."""
    if not options.enabled("schedule"):
        return fn
    return _scheduled(fn, [(fn.params[p], fn.results[r]) for p, r in fn.attr("donated", ())])


def _scheduled(
    fn: Function, renewed: Sequence[tuple[Value, Value]], tested: Sequence[int] = ()
) -> Function:
    """`fn` and its regions in order; of `renewed` pairs, the second is written over the first.
    tested: the results by which is told whether ops of `fn` that serve the next turn run."""
    fn, renewed = _with_scheduled_regions(fn, renewed)
    first = [fn.results[k] for k in tested]
    graph = _Graph(fn, renewed, first)
    order = graph.stable()
    frugal = graph.frugal()
    if graph.peak(frugal) < WORTH * graph.peak(order):
        order = frugal
    ops = _with_constants(fn, [node.op for node in order], first)
    return Function(fn.name, fn.params, ops, fn.results, fn.attrs)


def _with_scheduled_regions(
    fn: Function, renewed: Sequence[tuple[Value, Value]]
) -> tuple[Function, Sequence[tuple[Value, Value]]]:
    if not any(op.defn.name in CONTROL for op in fn.ops):
        return fn, renewed
    new: dict[Value, Value] = {}
    ops = []
    for old in fn.ops:
        op = with_operands(old, tuple(new.get(v, v) for v in old.operands))
        if op.defn.name in CONTROL:
            inner = tuple(_scheduled(r, _carried_pairs(op, r), _tested(op, r)) for r in op.regions)
            op = make_op(op.defn, op.operands, op.attrs, inner, op.loc)
        new.update(zip(old.results, op.results, strict=True))
        ops.append(op)
    results = tuple(new.get(v, v) for v in fn.results)
    pairs = [(old, new.get(then, then)) for old, then in renewed]
    return Function(fn.name, fn.params, tuple(ops), results, fn.attrs), pairs


def _carried_pairs(op: Op, region: Function) -> Sequence[tuple[Value, Value]]:
    """Of the body of a loop, what it carries, before and after a turn."""
    if op.defn.name != "while" or region is not op.regions[1]:
        return ()
    return [(p, r) for p, r in zip(region.params, region.results, strict=True) if p is not r]


def _tested(op: Op, region: Function) -> Sequence[int]:
    """Of the body of a loop that has ops for the next turn only: what the condition reads of its
    results."""
    body = op.defn.name == "while" and region is op.regions[1]
    return read_by(op.regions[0]) if body and looks_ahead(op) else ()


class _Graph:
    """The kernels of a function. `ahead`: those that come first, because `first` needs them."""

    def __init__(
        self,
        fn: Function,
        renewed: Sequence[tuple[Value, Value]],
        first: Sequence[Value],
    ):
        self.fn = fn
        kernels = [op for op in fn.ops if op.defn.name not in ALIASES]
        self.nodes = [_Node(op, at) for at, op in enumerate(kernels)]
        self.maker: dict[Value, _Node] = {}
        self.readers: dict[Value, list[_Node]] = {}
        self.results = {buffer_of(v) for v in fn.results}
        self.last_effect: _Node | None = None
        self.stopping: list[_Node] = []
        for node in self.nodes:
            self._add(node)
        self.ahead = self._ahead(first)
        for old, then in renewed:
            self._readers_first(old, then)

    def _add(self, node: _Node) -> None:
        node.reads = list(dict.fromkeys(b for v in node.op.operands for b in buffers_of(v)))
        for value in node.reads:
            self.readers.setdefault(value, []).append(node)
        for value in (*node.reads, *node.op.operands):
            if value in self.maker:
                self._edge(self.maker[value], node)
        for result in node.op.results:
            self.maker[result] = node
            if result not in self.results:
                node.makes += result.type.nbytes
        if has_effects(node.op):
            if self.last_effect is not None:
                self._edge(self.last_effect, node)
            self.last_effect = node
        if can_stop(node.op):
            self.stopping.append(node)

    def _ahead(self, values: Sequence[Value]) -> set[_Node]:
        """What `values` need. It comes before what serves the next turn, and before all else where
        it can."""
        if not values:
            return set()
        makers = {self.maker[b] for v in values for b in buffers_of(v) if b in self.maker}
        found, stack = set(makers), list(makers)
        while stack:
            fresh = stack.pop().before - found
            found |= fresh
            stack += fresh
        for node in self.nodes:
            if serves_next_turn(node.op):
                for maker in makers:
                    self._edge(maker, node)
        self.nodes.sort(key=lambda node: node not in found)
        for at, node in enumerate(self.nodes):
            node.at = at
        return found

    @staticmethod
    def _edge(first: _Node, then: _Node) -> None:
        first.after.add(then)
        then.before.add(first)

    def _readers_first(self, old: Value, new: Value) -> None:
        """Kernels that read `old`, and those in which a run may end, before the one that makes
        `new`."""
        writer = self.maker.get(buffer_of(new))
        if writer is None or (writer in self.ahead and new.type.nbytes <= SMALL):
            return
        readers = self.readers.get(old, ())
        first = [node for node in (*readers, *self.stopping) if node is not writer]
        later = self._reachable(writer)
        if not later.isdisjoint(first):
            return
        for node in first:
            self._edge(node, writer)

    @staticmethod
    def _reachable(node: _Node) -> set[_Node]:
        found, stack = {node}, [node]
        while stack:
            for then in stack.pop().after:
                if then not in found:
                    found.add(then)
                    stack.append(then)
        return found

    # -- orders -----------------------------------------------------------------------------------
    def stable(self) -> list[_Node]:
        """The given order, changed only where an edge asks for it."""
        waits = {node: len(node.before) for node in self.nodes}
        ready = [node.at for node in self.nodes if not node.before]
        heapify(ready)
        order = []
        while ready:
            node = self.nodes[heappop(ready)]
            order.append(node)
            for then in node.after:
                waits[then] -= 1
                if waits[then] == 0:
                    heappush(ready, then.at)
        return order

    def frugal(self) -> list[_Node]:
        """Of the kernels that can run, always one that frees most, less what it makes."""
        waits = {node: len(node.before) for node in self.nodes}
        left = {v: set(nodes) for v, nodes in self.readers.items() if v in self.maker}
        ready: list[tuple[int, int]] = []

        def offer(node: _Node) -> None:
            freed = sum(
                v.type.nbytes
                for v in node.reads
                if v in left and len(left[v]) == 1 and v not in self.results
            )
            heappush(ready, (node.makes - freed, node.at))

        for node in self.nodes:
            if not node.before:
                offer(node)
        order, done = [], set()
        while ready:
            node = self.nodes[heappop(ready)[1]]
            if node in done:  # offered again since, at a better price
                continue
            done.add(node)
            order.append(node)
            for value in node.reads:
                if value in left:
                    left[value].discard(node)
                    if len(left[value]) == 1:
                        (last,) = left[value]
                        if waits[last] == 0:
                            offer(last)
            for then in node.after:
                waits[then] -= 1
                if waits[then] == 0:
                    offer(then)
        return order

    def peak(self, order: list[_Node]) -> int:
        """The most bytes of kernel results, function results aside, that are live at one time."""
        left = {v: len(nodes) for v, nodes in self.readers.items()}
        live = most = 0
        for node in order:
            live += node.makes
            most = max(most, live)
            for value in node.reads:
                left[value] -= 1
                if left[value] == 0 and value in self.maker and value not in self.results:
                    live -= value.type.nbytes
        return most


def _with_constants(fn: Function, kernels: list[Op], first: Sequence[Value] = ()) -> tuple[Op, ...]:
    """The kernels, and before the first use of each the constants, reshapes and views they and the
    results need; those of `first` as soon as they can be."""
    ops: dict[Op, None] = {}
    makers = {b.op for v in first for b in buffers_of(v)}.intersection(kernels)

    def need(value: Value) -> None:
        chain: dict[Op, None] = {}
        waiting = [value]
        while waiting:
            op = waiting.pop().op
            if op is not None and op not in ops and op.defn.name in ALIASES:
                chain.pop(op, None)  # before what was found to need it
                chain[op] = None
                waiting += op.operands
        ops.update(dict.fromkeys(reversed(chain)))

    for kernel in kernels:
        if not makers:
            for value in first:
                need(value)
            first = ()
        for operand in kernel.operands:
            need(operand)
        ops[kernel] = None
        makers.discard(kernel)
    for result in fn.results:
        need(result)
    return tuple(ops)
