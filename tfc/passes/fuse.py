"""fuse: partition into kernels.

In: a function of primitives. Out: its top level is constants, reshapes (aliases of what they
reshape, no code), `fusion` ops, each the body of one native function, and loops and branches whose
regions are again of this form, in an order in which they can run. Afterwards nothing but what
kernels exchange has a buffer. A loop or branch whose values are few is one kernel.

Kernels grow from results to operands. An op joins the kernel of its users if they read it at one
site, so that it is computed once per element there; it may be needed elsewhere too if the kernel
can write it as one more result. Ops that only move or convert elements are repeated wherever they
are read. One op of a kernel may be a hero, which owns the loops; what rides before and behind it
is elementwise. The rule is that of XLA's emitters.md: nothing costly is computed twice.

Order: each kernel has a number, and reads only what kernels with smaller numbers write. An op that
several kernels read may join only the one with the smallest, so no cycle can arise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import field

from tfc.base.records import dataclass
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Op, Value
from tfc.ir.walk import live_ops
from tfc.passes.fresh import filled_by_updates, overwritten, room
from tfc.passes.fuse_emit import emit_kernel, known, read_back
from tfc.passes.fuse_merge import merge_kernels
from tfc.passes.fuse_rows import merge_rows
from tfc.passes.joins import JoinedProducts
from tfc.passes.kernels import (
    IN_MEMORY,
    Site,
    hero_sites,
    is_free,
    is_hero,
    is_plain,
    is_scalar,
    partial_sums,
    read_sites,
    takes_epilogue,
)
from tfc.passes.options import PassOptions
from tfc.passes.registers import filled_by, fits_registers
from tfc.prims.control import CONTROL, invariants
from tfc.prims.kernel_info import ALIASES, is_window, source_of_memory

Ints = tuple[int, ...]

# Ops of one kernel, and its results. A chain of 512 ops over 8 arrays of 100,000 floats, cut into
# kernels of 32, 64, 128 and 256 ops, runs 0.76, 0.92, 1.29 and 1.82 ms (registers run out), and
# compiles equally fast.
MOST_OPS = 64
MOST_RESULTS = 16
# Elements of an update that may be computed where they are written: that kernel is never split.
MOST_SERIAL = 1 << 15
# How often an element may be computed: a cheap op costs less than the memory it would need.
REPEAT_CHEAP, REPEAT_COSTLY = 2.0, 1.0


@dataclass(eq=False)
class Kernel:
    """A kernel under construction. `order`: see above. `shape`: of its results and iteration
    space. `ops`: what it computes; `donated`: one of them is a variable's new value. `rows`: the
    space of a kernel that goes row by row. `roots`: `root`, and those of kernels it took over.
    `stores`: some results are larger than its space, of which it writes parts."""

    order: int
    shape: Ints
    hero: Op | None = None
    ops: dict[Op, None] = field(default_factory=dict)
    root: Site = field(default_factory=lambda: Site(1, root=True))
    donated: bool = False
    plain: bool = True
    rows: Ints | None = None
    stores: bool = False
    roots: list[Site] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roots.append(self.root)

    @property
    def name(self) -> str:
        if self.rows is not None:
            return "rows"
        return "loop" if self.hero is None else str(self.hero.defn.name)


class Partition:
    """The kernels of one function, made from its last op to its first.

    reads[v][k]: the sites at which kernel k reads v; None among them if it needs v in memory.
    needed: values that must lie in memory for other reasons: results, and what reshapes alias.
    home: the kernel that writes a value to memory, for those that have one.
    stored: updates with what they write into a part of memory, if others read it there.
    fixed: parameters that nothing writes to while the function runs.
    renewed: of a loop's body, what is carried on for what it was given.
    joined: products that read what their first operand is joined of.
    """

    def __init__(self, fn: Function, most_ops: int, fixed: Collection[Value] = ()):
        self.fn, self.most_ops, self.fixed = fn, most_ops, fixed
        self.ops = live_ops(fn)
        self.position = {op: at for at, op in enumerate(self.ops)}
        self.reads: dict[Value, dict[Kernel, set[Site | None]]] = {}
        self.needed: set[Value] = set(fn.results)
        self.returned = {source_of_memory(v) for v in fn.results}
        self.home: dict[Value, Kernel] = {}
        self.kernels: list[Kernel] = []
        self.donated = {fn.results[r] for _, r in fn.attr("donated", ())}
        self.stored: dict[Op, Value] = {}
        self.totals = partial_sums(self.ops, self.returned)
        self.filled = filled_by_updates(self.ops, self.needed)
        self.renewed = _renewed(fn)
        self.joined = JoinedProducts(self.ops if most_ops > 1 else (), self.needed)

    def run(self) -> None:
        for op in reversed(self.ops):
            if op in self.joined.inside:
                continue
            if op.defn.name == "const":
                self._place_const(op)
            elif op.defn.name == "reshape":
                self._place_alias(op)
            elif is_hero(op) or op in self.filled:
                self._place_hero(op)
            elif is_free(op) or self._worth_repeating(op):
                self._place_free(op)
            else:
                self._place(op)
        self.kernels.sort(key=lambda k: k.order)

    # -- bookkeeping ------------------------------------------------------------------------------
    def readers(self, value: Value) -> dict[Kernel, set[Site | None]]:
        return self.reads.get(value, {})

    def _read(self, value: Value, kernel: Kernel, site: Site | None) -> None:
        self.reads.setdefault(value, {}).setdefault(kernel, set()).add(site)

    def _join(self, op: Op, kernel: Kernel, site: Site) -> None:
        """`op` (no hero) is computed in `kernel` at `site`."""
        kernel.ops[op] = None
        kernel.plain = kernel.plain and is_plain(op)
        for operand, at in zip(op.operands, read_sites(op, site), strict=True):
            self._read(operand, kernel, at)

    def _new(self, op: Op) -> Kernel:
        shape = op.results[0].type.shape if op.results else op.operands[0].type.shape
        assert shape is not None
        kernel = Kernel(-len(self.kernels), shape)
        kernel.root.evaluations = op.results[0].type.size if op.results else 1
        self.kernels.append(kernel)
        self._own(op, kernel)
        return kernel

    def _own(self, op: Op, kernel: Kernel) -> None:
        for result in op.results:
            self.home[result] = kernel
            kernel.donated = kernel.donated or result in self.donated

    def _reads_updated(self, op: Op, kernel: Kernel) -> bool:
        """Whether `op` reads what the kernel's hero should be written over, or would be taken for
        that hero."""
        if kernel.hero is None or kernel.hero.defn.name not in IN_MEMORY:
            return False
        if op.defn is kernel.hero.defn:
            return True
        updated = source_of_memory(kernel.hero.operands[0])
        return any(source_of_memory(v) is updated for v in op.operands)

    def _full(self, kernel: Kernel) -> bool:
        return len(kernel.ops) >= self.most_ops

    # -- placing ----------------------------------------------------------------------------------
    def _place_const(self, op: Op) -> None:
        """Immediates are part of every kernel that has room; others are memory."""
        if is_scalar(op):
            for kernel, sites in self.readers(op.result).items():
                if None not in sites and not self._full(kernel):
                    kernel.ops[op] = None

    def _place_alias(self, op: Op) -> None:
        """A reshape is memory under another shape: whoever reads it reads its operand's buffer. One
        that only adds and drops axes of one element is no more than another way to write an index:
        what makes its operand may join who reads it."""
        source = op.operands[0]
        maker = source.op
        rides = maker is not None and not _is_alias(maker) and not is_hero(maker) and _same_axes(op)
        if op.result in self.needed or not rides:
            self.needed.add(source)
        for kernel, sites in self.readers(op.result).items():
            serial = kernel.name == "dynamic_update_slice" and source.type.size > MOST_SERIAL
            if not rides or None in sites or self._full(kernel) or serial:
                self.needed.add(source)
                self._read(source, kernel, None)
                continue
            for site in sites:
                assert site is not None
                self._join(op, kernel, site)

    def _place_free(self, op: Op) -> None:
        result = op.result
        by_memory = []
        for kernel, sites in self.readers(result).items():
            if None in sites or self._full(kernel) or self._reads_updated(op, kernel):
                by_memory.append(kernel)
            else:
                for site in sites:
                    assert site is not None
                    self._join(op, kernel, site)
        if self._is_view(op):
            self._view(op, by_memory)
        elif by_memory or result in self.needed:
            kernel = self._new(op)
            self._join(op, kernel, kernel.root)

    def _view(self, op: Op, kernels: Iterable[Kernel]) -> None:
        for kernel in kernels:
            for operand in op.operands:
                self._read(operand, kernel, None)

    def _is_view(self, op: Op) -> bool:
        """Whether the result of `op` may be read where it lies in memory that nothing writes to.
        What the function returns is no view: it may be copied before kernels run."""
        if not is_window(op) or op.result in self.returned:
            return False
        return source_of_memory(op.operands[0]) in self.fixed

    def _worth_repeating(self, op: Op) -> bool:
        """A cheap op that several kernels read, made from at most one value of its size, which has
        memory anyway: reading that again costs what reading the result would."""
        if not op.defn.cheap or len(op.results) != 1 or op.result in self.needed:
            return False
        readers = self.readers(op.result)
        if len(readers) < 2 or any(None in s or self._full(k) for k, s in readers.items()):
            return False
        if any(
            s is not None and s.evaluations > op.result.type.size
            for r in readers.values()
            for s in r
        ):
            return False
        large = {v for v in op.operands if not self._small(v, op.result.type.size)}
        return len(large) <= 1 and all(self._in_memory(v) for v in large)

    def _small(self, value: Value, size: int) -> bool:
        while value.op is not None and value.op.defn.name == "broadcast":
            value = value.op.operands[0]
        return value.type.size * 8 <= size or (value.op is not None and is_scalar(value.op))

    def _in_memory(self, value: Value) -> bool:
        op = value.op
        return op is None or op.defn.name in ("const", "reshape") or value in self.needed

    def _place(self, op: Op) -> None:
        """An op that is computed once: in the first kernel that reads it, or in its own."""
        host = None if op in self.totals else self._host(op)
        if host is None and self._is_view(op):
            self._view(op, self.readers(op.result))
            return
        if host is None:
            kernel = self._new(op)
            self._join(op, kernel, kernel.root)
            return
        kernel, site = host
        if len(self.readers(op.result)) > 1 or op.result in self.needed:
            self._own(op, kernel)
        self._join(op, kernel, site)

    def _host(self, op: Op) -> tuple[Kernel, Site] | None:
        """The kernel that may compute `op` for all its readers, and the site it reads it at."""
        readers = self.readers(op.result)
        if not readers or len(op.results) != 1:
            return None
        kernel = min(readers, key=lambda k: k.order)
        if len(readers[kernel]) != 1 or self._full(kernel) or self._reads_updated(op, kernel):
            return None
        (site,) = readers[kernel]
        if site is None:
            return None
        if kernel.hero is not None and site.after and not is_plain(op):
            return None
        size = op.result.type.size
        limit = REPEAT_CHEAP if op.defn.cheap else REPEAT_COSTLY
        if site.evaluations > limit * size:
            return None
        if (len(readers) > 1 or op.result in self.needed) and not self._may_write(op, kernel, site):
            return None
        return kernel, site

    def _may_write(self, op: Op, kernel: Kernel, site: Site) -> bool:
        """Whether `kernel` can have `op` as one more result. A kernel that updates a variable does
        not hand values to others: they would have to wait for all who read the old value."""
        if not site.root or op.result.type.shape != kernel.shape:
            return False
        if len(self.readers(op.result)) > 1 and kernel.donated:
            return False
        written = sum(
            1 for other in kernel.ops for r in other.results if self.home.get(r) is kernel
        )
        return written < MOST_RESULTS

    def _place_hero(self, op: Op) -> None:
        kernel = self._epilogue_host(op) or self._new(op)
        if len(op.results) == 1 and (len(self.readers(op.result)) > 1 or op.result in self.needed):
            self._own(op, kernel)
        kernel.hero = op
        kernel.ops[op] = None
        unread = _unread(op)
        if op in self.joined.taken:
            unread |= {0}
            kernel.ops.update(dict.fromkeys(self.joined.taken[op]))
            for v in self.joined.read_by(op):
                self._read(v, kernel, None)
        for k, site in enumerate(hero_sites(op, kernel.root)):
            if k not in unread:
                self._read(op.operands[k], kernel, site)

    def _epilogue_host(self, op: Op) -> Kernel | None:
        """The kernel of elementwise ops that becomes the epilogue of hero `op`."""
        if not takes_epilogue(op):
            return None
        host = self._host(op) if self.readers(op.result) else None
        if host is None:
            return None
        kernel, site = host
        fits = site.root and kernel.hero is None and kernel.plain
        return kernel if fits and op.result.type.shape == kernel.shape else None


def fuse(fn: Function, options: PassOptions) -> Function:
    """`fn` as kernels; one op per kernel if fuse is switched off."""
    return _fuse(fn, options, _kept(fn))


def _kept(fn: Function) -> set[Value]:
    """The parameters of a whole function that are no variables it writes."""
    return set(fn.params) - {fn.params[p] for p, _ in fn.attr("donated", ())}


def _fuse(fn: Function, options: PassOptions, fixed: Collection[Value]) -> Function:
    """`fn` as kernels; nothing writes to the parameters `fixed` while it runs."""
    plainest = not options.enabled("fuse")
    partition = Partition(fn, 1 if plainest else MOST_OPS, () if plainest else fixed)
    partition.run()
    if not plainest:
        merge_kernels(partition, MOST_OPS, MOST_RESULTS)
        merge_rows(partition, MOST_RESULTS)
    return _emit(partition, options)


def _emit(partition: Partition, options: PassOptions) -> Function:
    """The function of fusions, in the order of the kernels."""
    fn = partition.fn
    build = Builder(fn.name, fn.params)
    new: dict[Value, Value] = {p: p for p in fn.params}
    written, rooms = _written(partition), set(partition.filled.values())
    bodies = [_ordered(partition, kernel) for kernel in partition.kernels]
    for kernel, ops in zip(partition.kernels, bodies, strict=True):
        mine = [r for op in ops for r in op.results if partition.home.get(r) is kernel]
        if kernel.hero is None and len(mine) == 1 and mine[0] in rooms:
            new[mine[0]] = room(build, mine[0])
        elif kernel.name in CONTROL:
            _emit_control(build, new, kernel, ops[0], written, options)
        else:
            space = {"space": kernel.shape} if kernel.stores else {}
            emit_kernel(build, new, kernel, ops, [r for r in mine if r in written], **space)
            for op in ops:
                if (piece := partition.stored.get(op)) in written:
                    new[piece] = read_back(build, new, piece, op)
    results = [known(build, new, v) for v in fn.results]
    return build.finish(results, fn.attrs)


def _renewed(fn: Function) -> dict[Value, Value]:
    """What a body of a loop gives for what it takes; nothing of other functions."""
    if [v.type for v in fn.params] != [v.type for v in fn.results]:
        return {}
    return {p: r for p, r in zip(fn.params, fn.results, strict=True) if p is not r}


def _is_alias(op: Op) -> bool:
    """Whether the result of `op` lies in memory without a kernel that writes it."""
    return op.defn.name in ("const", "reshape")


def _same_axes(reshape: Op) -> bool:
    """Whether a reshape keeps all axes of more than one element."""
    before, after = reshape.operands[0].type.shape, reshape.result.type.shape
    return [n for n in before if n != 1] == [n for n in after if n != 1]


def _written(partition: Partition) -> set[Value]:
    """The values that lie in memory."""
    written = set(partition.fn.results)
    for kernel in partition.kernels:
        written.update(v for op in kernel.ops for v in op.operands if v.op not in kernel.ops)
    waiting = list(written)
    while waiting:
        op = waiting.pop().op
        if op is not None and op.defn.name in ALIASES and op.result not in partition.home:
            waiting += [v for v in op.operands if v not in written]
            written.update(op.operands)
    return written


def _emit_control(
    build: Builder,
    new: dict[Value, Value],
    kernel: Kernel,
    op: Op,
    written: set[Value],
    options: PassOptions,
) -> None:
    """A loop or branch: one kernel, or one whose regions are kernels."""
    fixed = invariants(op) if op.defn.name == "while" else [False] * len(op.results)
    filled = filled_by(op)
    for result, operand, stays in zip(op.results, op.operands, fixed, strict=False):
        if stays:  # what a loop never changes is where it was
            new[result] = known(build, new, operand)
    if options.enabled("fuse") and fits_registers(op, filled):
        wanted = [r for r in op.results if r in written or r.index in filled]
        results = [r for r in wanted if not fixed[r.index]]
        given = {"filled": filled} if filled else {}
        emit_kernel(build, new, kernel, [op], results, **given)
        return
    unread = _unread(op)
    operands = tuple(
        room(build, v) if k in unread else known(build, new, v) for k, v in enumerate(op.operands)
    )
    inner = tuple(_fuse(region, options, _unwritten(op, region, fixed)) for region in op.regions)
    build.loc = op.loc
    made = build.adopt(make_op(op.defn, operands, op.attrs, inner, op.loc))
    moving = (pair for pair in zip(op.results, made, strict=True) if not fixed[pair[0].index])
    new.update(moving)


def _unwritten(op: Op, region: Function, fixed: list[bool]) -> set[Value]:
    """The parameters of a region of `op` that nothing writes to: `fixed` ones of a loop."""
    if op.defn.name != "while":
        return set(region.params)
    return {param for param, stays in zip(region.params, fixed, strict=True) if stays}


def _unread(op: Op) -> frozenset[int]:
    """The operands of a hero of which only the memory is wanted."""
    if op.defn.name != "while" or fits_registers(op, filled_by(op)):
        return frozenset()
    return overwritten(op)


def _ordered(partition: Partition, kernel: Kernel) -> list[Op]:
    return sorted(kernel.ops, key=partition.position.__getitem__)
