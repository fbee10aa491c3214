"""The second half of fuse: kernels over one space that read the same memory, or of which one reads
at its own index what the other writes, become one kernel with several results.

Two kernels may merge if no third stands between them. That is known from their numbers alone in
the cases that count: all other readers of the first come after the second, or all other kernels
that the second reads come before the first. So a merge costs no search, and the numbers stay
valid.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from tfc.ir.core import Value
from tfc.passes.kernels import takes_epilogue
from tfc.prims.kernel_info import is_neighbours, source_of_memory

if TYPE_CHECKING:
    from tfc.passes.fuse import Kernel, Partition

CANDIDATES = 8  # kernels of one space that are tried, latest first: keeps the pass linear


def merge_kernels(partition: Partition, most_ops: int, most_results: int) -> None:
    """Merge what may and should be; `partition.kernels` stays sorted by order."""
    merger = Merger(partition, most_ops, most_results)
    spaces: dict[Hashable, list[Kernel]] = {}
    for kernel in partition.kernels:
        for group in [spaces.setdefault(key, []) for key in _spaces(kernel)]:
            for other in reversed(group[-CANDIDATES:]):
                if other in merger.alive and merger.try_merge(other, kernel):
                    group.remove(other)
        for key in _spaces(kernel):
            spaces.setdefault(key, []).append(kernel)
    for kernel in tuple(merger.alive):
        merger.try_store(kernel)
        merger.read_stored(kernel)
    partition.kernels = sorted(merger.alive, key=lambda k: k.order)


def _spaces(kernel: Kernel) -> Iterator[Hashable]:
    """Kernels that share one of these may be merged."""
    hero = kernel.hero
    if hero is None:
        yield "results", kernel.shape
    elif hero.defn.name == "reduce":
        yield "reduce", hero.operands[0].type.shape, hero.attr("dims")
        yield "results", kernel.shape
    elif takes_epilogue(hero):
        yield "results", kernel.shape


def _stored_by(partition: Partition) -> dict[Value, Kernel]:
    """The kernels that write what others read in larger memory (`Merger.read_stored`)."""
    stored = partition.stored
    return {stored[op]: k for k in partition.kernels if k.stores for op in k.ops if op in stored}


STORING = frozenset({"loop", "dot", "conv", "conv_grad_input"})
"""Heroes whose kernels can write what they make into parts of larger memory."""


class Merger:
    """What is known of the kernels that are left, and how two of them become one."""

    def __init__(self, partition: Partition, most_ops: int, most_results: int):
        self.partition, self.most_ops, self.most_results = partition, most_ops, most_results
        self.alive: dict[Kernel, None] = dict.fromkeys(partition.kernels)
        self.before: dict[Kernel, set[Kernel]] = {k: set() for k in self.alive}
        self.after: dict[Kernel, set[Kernel]] = {k: set() for k in self.alive}
        self.inputs: dict[Kernel, set[Value]] = {k: set() for k in self.alive}
        homes = {**partition.home, **_stored_by(partition)}
        for value, readers in partition.reads.items():
            home = homes.get(value)
            for kernel, sites in readers.items():
                if kernel not in self.alive or (value.op in kernel.ops and None not in sites):
                    continue
                self.inputs[kernel].add(value)
                if home is not None:
                    self.before[kernel].add(home)
                    self.after[home].add(kernel)

    def try_merge(self, first: Kernel, second: Kernel) -> bool:
        """Merge `first` into `second` if that is legal and pays."""
        if first.order > second.order or first.donated != second.donated:
            return False
        if self._too_large(first, second):
            return False
        if not (self._feeds(first, second) or self._share(first, second)):
            return False
        order = self._order(first, second)
        if order is None:
            return False
        self._merge(first, second, order)
        for value in self.inputs[second]:
            sites = self.partition.reads[value][second]
            if first.root in sites:  # both are over the same space
                sites.remove(first.root)
                sites.add(second.root)
        return True

    def try_store(self, second: Kernel) -> None:
        """Merge into `second`, which only writes what one kernel makes into a part of memory, or
        several parts side by side, the one that makes it: it writes them itself. What is in memory
        already is written by a loop that reads it at its own index."""
        pieces = self._pieces(second) if second in self.alive else []
        if not pieces:
            return
        first = self.partition.home.get(pieces[0]) or self._reader(pieces[0], second)
        if first is None or first not in self.alive or first.donated or second.donated:
            return
        if first.name not in STORING or len(first.ops) + len(second.ops) > self.most_ops:
            return
        made = self.partition.home.get(pieces[0]) is not None
        for piece in pieces if made else ():
            joined = first.stores and piece.op is not None and piece.op.defn.name == "concat"
            fits = joined or piece.type.shape == first.shape
            own = piece.op in first.ops and fits
            if not own or self.partition.home.get(piece) is not first:
                return
        if self._results(first) + 1 > self.most_results:
            return
        # a loop that only reads the piece may come behind who writes it into the larger memory
        order = self._order(*sorted((first, second), key=lambda k: k.order))
        if order is None:
            return
        hero, shape, updates = first.hero, first.shape, list(second.ops)
        self._merge(first, second, order)
        second.hero, second.shape, second.stores = hero, shape, True
        second.root.evaluations = first.root.evaluations
        for op in updates:
            if op.defn.name == "dynamic_update_slice":
                self._take_in(op.operands[1], second)

    def _take_in(self, update: Value, kernel: Kernel) -> None:
        """The reshapes that an update is of what `kernel` makes or reads become part of it."""
        while update.op is not None and update.op.defn.name == "reshape":
            kernel.ops[update.op] = None
            update = update.op.operands[0]
        sites = self.partition.readers(update).get(kernel, set())
        sites.discard(None)
        sites.add(kernel.root)

    def _reader(self, piece: Value, writer: Kernel) -> Kernel | None:
        """A loop that reads `piece`, which lies in memory, at its own index only; or one that makes
        what is to be written over it."""
        if piece.type.size < 2:
            return None
        for kernel, sites in self.partition.readers(piece).items():
            here = all(site in kernel.roots for site in sites)
            if here and kernel is not writer and self._goes_over(piece, kernel):
                return kernel
        renewed = self.partition.renewed.get(piece)
        maker = None if renewed is None else self.partition.home.get(renewed)
        if maker is None or maker in self.partition.readers(piece):
            return None
        return maker if self._goes_over(piece, maker) else None

    def _goes_over(self, piece: Value, kernel: Kernel) -> bool:
        """Whether `kernel` is a loop over the elements of `piece`."""
        loop = kernel.name == "loop" and kernel.shape == piece.type.shape
        return loop and kernel in self.alive

    def _pieces(self, kernel: Kernel) -> list[Value]:
        """What a kernel that does nothing else writes into memory, if it is such."""
        names = {op.defn.name for op in kernel.ops} - {"const", "reshape"}
        ops = [op for op in kernel.ops if op.defn.name in names]
        if kernel.stores or len(ops) != 1 or self._results(kernel) != 1:
            return []
        (op,) = ops
        if op.defn.name == "concat" and kernel.hero is None:
            same = len({v.type for v in op.operands}) == 1 and op.result.type.size > 0
            return list(op.operands) if same and len(kernel.ops) == 1 else []
        if op.defn.name != "dynamic_update_slice" or kernel.hero is not op:
            return []
        # nobody else may read the old content: he would have to come before what makes the update
        alone = set(self.partition.reads[op.operands[0]]) == {kernel}
        update = op.operands[1]
        piece = source_of_memory(update)
        units = [n for n in update.type.shape if n > 1] == [n for n in piece.type.shape if n > 1]
        return [piece] if alone and units and update.type.size > 0 else []

    def read_stored(self, kernel: Kernel) -> None:
        """Others read what `kernel` writes into a part of memory there, and not in a place of its
        own beside it, if that is neighbours in memory and it is known where they begin."""
        home, stored = self.partition.home, self.partition.stored
        returned = self.partition.returned
        for op in kernel.ops if kernel.stores else ():
            if op.defn.name != "dynamic_update_slice" or home.get(op.result) is not kernel:
                continue
            update, starts = op.operands[1], op.operands[2:]
            piece = source_of_memory(update)
            if home.get(piece) is not kernel or piece in returned:
                continue
            # who writes on over the memory would have to wait for those who read it
            if op.result not in returned or self.partition.readers(op.result):
                continue
            fixed = all(v.op is None or v.op.defn.name == "const" for v in starts)
            if fixed and is_neighbours(op.result.type.shape, update.type.shape):
                stored[op] = piece
                del home[piece]

    def _too_large(self, first: Kernel, second: Kernel) -> bool:
        if len(first.ops) + len(second.ops) > self.most_ops:
            return True
        return self._results(first) + self._results(second) > self.most_results

    def _order(self, first: Kernel, second: Kernel) -> int | None:
        """The place of both as one kernel; None if a third may stand between them."""
        if all(k.order > second.order for k in self.after[first] if k is not second):
            return second.order
        if all(k.order < first.order for k in self.before[second] if k is not first):
            return first.order
        return None

    def _results(self, kernel: Kernel) -> int:
        home = self.partition.home
        return sum(1 for op in kernel.ops for r in op.results if home.get(r) is kernel)

    def _feeds(self, first: Kernel, second: Kernel) -> bool:
        """Whether `second`, a loop, reads results of `first` at its own index and no other."""
        if second.hero is not None or (first.hero is not None and not second.plain):
            return False
        links = [v for v in self.inputs[second] if self.partition.home.get(v) is first]
        reads = self.partition.reads
        return bool(links) and all(reads[v][second] == {second.root} for v in links)

    def _share(self, first: Kernel, second: Kernel) -> bool:
        """Whether two loops, or two reductions of one space, read the same large value."""
        if first.name != second.name or first in self.before[second]:
            return False
        space = first.root.evaluations
        if first.hero is not None and second.hero is not None:
            if first.name != "reduce":
                return False
            heroes = (first.hero, second.hero)
            if len({(h.operands[0].type.shape, h.attr("dims")) for h in heroes}) > 1:
                return False
            space = first.hero.operands[0].type.size
        common = self.inputs[first] & self.inputs[second]
        return any(v.type.size * 2 > space for v in common)

    def _merge(self, first: Kernel, second: Kernel, order: int) -> None:
        """`second` takes over what `first` computes, writes and reads, at `order`."""
        home = self.partition.home
        for op in first.ops:
            for result in op.results:
                if home.get(result) is first:
                    home[result] = second
        second.ops = {**first.ops, **second.ops}
        second.hero = first.hero or second.hero
        second.roots += first.roots
        second.plain = first.plain and second.plain
        second.order = order
        self.inputs[second] |= self.inputs.pop(first)
        self.inputs[second] = {v for v in self.inputs[second] if v.op not in second.ops}
        for mine, theirs in ((self.before, self.after), (self.after, self.before)):
            mine[second] |= mine.pop(first)
            mine[second] -= {first, second}
            for other in mine[second]:
                theirs[other].discard(first)
                theirs[other].add(second)
        for value in self.inputs[second]:
            sites = self.partition.reads[value]
            if first in sites:
                sites[second] = sites.get(second, set()) | sites.pop(first)
        del self.alive[first]
