"""The last part of fuse: reductions along rows, and loops over the same rows, become one kernel
that does one row after the other (`prims/row_plan.py`). So softmax, a normalisation of layers, or
cross-entropy with its gradient read what they are given once.

Two kernels may be one if all that the second reads of what the first writes is of the row that it
is at: the same element, or what there is one of for each row. That is known from the sites at which
it reads. Whether a third kernel stands between them is known as in fuse_merge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tfc.base import dtypes
from tfc.passes.fuse_merge import CANDIDATES, Merger
from tfc.passes.kernels import Site
from tfc.prims.indexmap import IndexMap
from tfc.prims.row_plan import is_row_space

if TYPE_CHECKING:
    from tfc.passes.fuse import Kernel, Partition

Ints = tuple[int, ...]
MOST_OPS = 128  # of a kernel of rows; those of one pass are fewer


def merge_rows(partition: Partition, most_results: int) -> None:
    """Merge what may and should be; `partition.kernels` stays sorted by order."""
    merger = _RowMerger(partition, MOST_OPS, most_results)
    spaces: dict[Ints, list[Kernel]] = {}
    for kernel in partition.kernels:
        for outer in _outer(kernel):
            group = spaces.setdefault(outer, [])
            for other in reversed(group[-CANDIDATES:]):
                if other in merger.alive and merger.try_merge(other, kernel):
                    group.remove(other)
        for outer in _outer(kernel):
            spaces[outer].append(kernel)
    partition.kernels = sorted(merger.alive, key=lambda k: k.order)


def _outer(kernel: Kernel) -> Iterator[Ints]:
    """The rows that a kernel may be about."""
    space = _space(kernel)
    if space is not None:
        yield space[:-1]
    elif kernel.hero is None:
        yield kernel.shape
        if kernel.shape:
            yield kernel.shape[:-1]


def _space(kernel: Kernel) -> Ints | None:
    """The rows and the axis along them, of a kernel that reduces; None of any other."""
    if kernel.rows is not None:
        return kernel.rows
    hero = kernel.hero
    if hero is None or hero.defn.name != "reduce":
        return None
    shape: Ints = hero.operands[0].type.shape
    return shape if is_row_space(shape, hero.attr("dims")) else None


class _RowMerger(Merger):
    def try_merge(self, first: Kernel, second: Kernel) -> bool:
        spaces = {s for s in (_space(first), _space(second)) if s is not None}
        if first.order > second.order or first.donated != second.donated or len(spaces) != 1:
            return False
        (space,) = spaces
        if first.stores or second.stores:
            return False
        if not (_fits(first, space) and _fits(second, space)) or self._too_large(first, second):
            return False
        if _width(first) != _width(second):
            return False  # the lanes of a packet decide in which order a sum is taken
        if not self._near(first, second, space):
            return False
        order = self._order(first, second)
        if order is None:
            return False
        self._merge(first, second, order)
        second.rows = space
        return True

    def _near(self, first: Kernel, second: Kernel, space: Ints) -> bool:
        """Whether `second` reads something of the row that `first` makes or reads too, and nothing
        of what it makes elsewhere."""
        partition = self.partition
        mine, full = _local(second, space), False
        for value in self.inputs[second]:
            sites = partition.reads[value][second]
            if partition.home.get(value) is first:
                if any(s not in mine for s in sites):
                    return False
                full = True
            elif value in self.inputs[first] and value.type.shape == space:
                full = True
        return full


def _fits(kernel: Kernel, space: Ints) -> bool:
    """Whether a kernel is about these rows; a loop: each row, or each element of it."""
    return kernel.hero is not None or kernel.shape in (space, space[:-1])


def _local(kernel: Kernel, space: Ints) -> set[Site]:
    """The sites of a kernel that are an element of the row it is at, or that row."""
    found = set()
    for root in kernel.roots:
        found.add(root)
        full = root.moved.get(("hero", "space"))
        if full is None and kernel.shape == space:
            full = root
        if full is not None:
            found.add(full)
            found.update(s for key, s in full.moved.items() if _is_of_row(key, space))
    return found


def _is_of_row(key: object, space: Ints) -> bool:
    """Whether an index map leads from an element to what there is one of for its row."""
    if not isinstance(key, IndexMap) or key.shape != space or key.operand != space[:-1]:
        return False
    units = (tuple(int(a == d) for d in range(len(space))) for a in range(len(space) - 1))
    return key.coefs == tuple(units) and not any(key.consts)


def _width(kernel: Kernel) -> int:
    """Bytes of the widest element in a kernel, but for bool."""
    values = (v for op in kernel.ops for v in (*op.operands, *op.results))
    sizes = (dtypes.by_short(v.type.dtype).size for v in values if v.type.dtype != "i1")
    return max(sizes, default=0)
