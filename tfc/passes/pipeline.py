"""The pipeline: one list of passes, each with the reason for its place, and the loop that runs it.

In: the function of primitives that `lower` made. Out: one whose top level is constants, reshapes
(aliases) and fusions (kernels) in the order they run, each with the buffers it writes.
`tfc passes` prints PIPELINE and ORDER; the order is checked when this module is imported.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from tfc.base.records import dataclass
from tfc.ir.core import Function, Op
from tfc.ir.verify import verify
from tfc.passes.accumulate import accumulate
from tfc.passes.arrange import arrange
from tfc.passes.buffers import buffers
from tfc.passes.chain import chain
from tfc.passes.cse import cse
from tfc.passes.dce import dce
from tfc.passes.entries import entries
from tfc.passes.first_turn import first_turn
from tfc.passes.fold import fold
from tfc.passes.fuse import fuse
from tfc.passes.hoist import hoist
from tfc.passes.inside import inside
from tfc.passes.keep import keep
from tfc.passes.last_turn import last_turn
from tfc.passes.layout import layout
from tfc.passes.narrow import narrow
from tfc.passes.options import PassOptions, Record
from tfc.passes.parallel import parallel
from tfc.passes.ranges import ranges
from tfc.passes.regions import regions
from tfc.passes.schedule import schedule
from tfc.passes.simplify import simplify
from tfc.passes.strip_mine import strip_mine

__all__ = ["BY_NAME", "ORDER", "PIPELINE", "REQUIRED", "Pass", "PassOptions", "Record"]


@dataclass(frozen=True)
class Pass:
    """One place in the pipeline: the pass that stands there, and why there."""

    run: Callable[[Function, PassOptions], Function]
    reason: str

    @property
    def name(self) -> str:
        return self.run.__name__


PIPELINE = (
    Pass(simplify, "first: every later pass sees fewer and more regular ops"),
    Pass(fold, "what became constant is computed once, here, and not in every run"),
    Pass(regions, "conditions that became constant decide; less crosses borders"),
    Pass(ranges, "counters that are one are seen to be; what is decided lets more be dropped"),
    Pass(cse, "rules and folding make ops equal that were not"),
    Pass(narrow, "slices that nobody reads are gone, and those that are left stand by the product"),
    Pass(hoist, "out of loop bodies, before fusion ties ops to their neighbours"),
    Pass(layout, "transposes have met; the last of them move into contractions"),
    Pass(simplify, "layout leaves transposes and reshapes that now cancel"),
    Pass(cse, "contractions that differed in a transpose only may now be equal"),
    Pass(accumulate, "sums are as the rules leave them, entries not yet part of kernels"),
    Pass(entries, "arrays at the borders of loops have their last form"),
    Pass(strip_mine, "sums stand in loops as they will be made, tapes as they will be read"),
    Pass(regions, "what hoist and the rules left is carried no further"),
    Pass(dce, "nothing dead may become a kernel"),
    Pass(arrange, "products stand as they will run, each with the operands it will read"),
    Pass(ranges, "what was rewritten has ends of its own, which may be decided too"),
    Pass(inside, "arrays have their last types"),
    Pass(first_turn, "what is joined for products stands as their kernels will take it in"),
    Pass(fuse, "the function is as small as it gets: cut it into kernels"),
    Pass(keep, "kernels are seen with the operands they will read; it decides how they are split"),
    Pass(parallel, "kernels are what is split among cores"),
    Pass(last_turn, "kernels are what a turn is spared; nothing is dropped or made any more"),
    Pass(schedule, "kernels are what is ordered"),
    Pass(buffers, "the order is final: liveness is known"),
    Pass(chain, "where values lie tells which kernels need not wait for each other"),
)
REQUIRED = frozenset({"fuse", "schedule", "buffers"})
ORDER = (
    ("simplify", "fold", "folding is for what no rule can do without computing"),
    ("simplify", "layout", "transposes must have met before they move into contractions"),
    ("layout", "simplify", "what layout moved may cancel"),
    ("layout", "fuse", "a contraction that absorbed its transpose needs no transposed buffer"),
    ("fold", "regions", "a predicate must have become constant before it picks a branch"),
    ("regions", "ranges", "bounds of a loop that are constants stand in its condition then"),
    ("ranges", "simplify", "what is chosen by a test that was decided falls away"),
    ("regions", "narrow", "a slice that no loop carries any further is not read"),
    ("narrow", "hoist", "the part of what never changes is cut off once, before a loop"),
    ("narrow", "layout", "layout takes in the transposes that the parts stand behind"),
    ("regions", "hoist", "what is made inside again must not be carried out"),
    ("regions", "fuse", "what a region takes or gives is memory once kernels are made"),
    ("simplify", "accumulate", "totals must start as plain zeros, sums be sums"),
    ("accumulate", "fuse", "an entry that became part of a kernel is no longer seen"),
    ("hoist", "fuse", "a kernel is inside a loop or outside of it"),
    ("arrange", "inside", "what is laid out in another way has another type"),
    ("inside", "fuse", "a slice in a kernel is not seen by itself"),
    ("arrange", "first_turn", "which product reads parts is known once it stands as it will run"),
    ("first_turn", "fuse", "what tells that a part is zeros goes into the product's kernel"),
    ("layout", "arrange", "layout would take the transposes back in"),
    ("regions", "arrange", "what never changes in a loop must be seen to be so"),
    ("arrange", "fuse", "what is laid out is a kernel of its own, before the loop"),
    ("cse", "fuse", "equal ops in two kernels would be computed twice"),
    ("layout", "entries", "transposes that nobody needs are gone, the others stand by their pads"),
    ("accumulate", "strip_mine", "a sum that takes entries in is no sum of products"),
    ("entries", "strip_mine", "what a turn takes of an array is then all that it takes"),
    ("strip_mine", "arrange", "the products behind strips are others than those in the loop"),
    ("entries", "fuse", "what no loop reads or fills any more is to be no kernel"),
    ("dce", "fuse", "a dead user would keep a value in memory"),
    ("fuse", "parallel", "kernels are what is split; their scratch depends on the split"),
    ("parallel", "schedule", "only kernels have an order that matters"),
    ("fuse", "last_turn", "kernels are what a turn is spared"),
    ("last_turn", "schedule", "what tells whether there is a next turn must come first"),
    ("schedule", "buffers", "liveness needs the final order"),
    ("buffers", "chain", "what shares memory is known once it is placed"),
    ("fuse", "keep", "kernels are what keeps panels"),
    ("keep", "parallel", "a product that keeps panels is split by columns"),
)
BY_NAME = {p.name: p for p in PIPELINE}


def check_order(names: list[str]) -> None:
    """Raises ValueError if `names`, a pipeline, breaks a constraint of ORDER or lacks a pass that
    must run. A pass that stands twice satisfies `a before b` by its first and `b` by its last."""
    for name in REQUIRED:
        if name not in names:
            raise ValueError(f"the pipeline lacks {name}, which must run")
    last = {name: at for at, name in enumerate(names)}
    for before, after, reason in ORDER:
        if before in last and after in last and names.index(before) >= last[after]:
            raise ValueError(f"{before} must run before {after}: {reason}")


check_order([p.name for p in PIPELINE])


_PLACING = [p.name for p in PIPELINE].index("schedule")


def run_pipeline(fn: Function, options: PassOptions) -> Function:
    """`fn` through every pass that `options` leaves on; a Record of each goes to
    `options.records` and the hooks.

    Raises:
      ValueError: `options.passes` names a pass that is not in the pipeline.
      VerifyError: with `options.check`, the input or what a pass made is not valid.
    """
    return place_kernels(make_kernels(fn, options), options)


def make_kernels(fn: Function, options: PassOptions) -> Function:
    """The first part of `run_pipeline`: kernels, in no particular order."""
    return _run(PIPELINE[:_PLACING], fn, options)


def place_kernels(fn: Function, options: PassOptions) -> Function:
    """The second part: in which order kernels run, and where their results lie."""
    return _run(PIPELINE[_PLACING:], fn, options)


def _run(passes: Sequence[Pass], fn: Function, options: PassOptions) -> Function:
    for name in options.switched:
        if name not in BY_NAME:
            raise ValueError(f"there is no pass {name!r}; there are {', '.join(BY_NAME)}")
    if options.check:
        verify(fn)
    seen: dict[str, int] = {}
    for at in passes:
        if at.name not in REQUIRED and not options.enabled(at.name):
            continue
        seen[at.name] = seen.get(at.name, 0) + 1
        start = time.perf_counter()
        fn = at.run(fn, options)
        ms = (time.perf_counter() - start) * 1e3
        if options.shuffle is not None and at.name not in ("schedule", "buffers", "chain"):
            fn = shuffled(fn, options.shuffle)
        if options.check:
            verify(fn)
        label = at.name if seen[at.name] == 1 else f"{at.name}.{seen[at.name]}"
        record = Record(label, fn, ms, len(fn.ops))
        options.records.append(record)
        for hook in options.hooks:
            hook(record)
    return fn


def shuffled(fn: Function, seed: int) -> Function:
    """`fn` with its ops in a random order in which they can run; ops with effects keep theirs.

    Two passes that depend on an order nobody promised show up as different results.
    """
    rng = random.Random(seed)
    waits: dict[Op, int] = {}
    blocks: dict[Op, list[Op]] = {op: [] for op in fn.ops}
    last_effect: Op | None = None
    for op in fn.ops:
        before = {v.op for v in op.operands if v.op is not None}
        if op.defn.effects:
            if last_effect is not None:
                before.add(last_effect)
            last_effect = op
        waits[op] = len(before)
        for other in before:
            blocks[other].append(op)
    ready = [op for op in fn.ops if waits[op] == 0]
    order = []
    while ready:
        at = rng.randrange(len(ready))
        ready[at], ready[-1] = ready[-1], ready[at]
        op = ready.pop()
        order.append(op)
        for user in blocks[op]:
            waits[user] -= 1
            if waits[user] == 0:
                ready.append(user)
    return Function(fn.name, fn.params, tuple(order), fn.results, fn.attrs)
