"""What passes know of kernels: which ops own loops, how the elements of a value are read from
inside a kernel, and which reads of a finished kernel stay at their own index.

A *site* is one index expression in a kernel: the iteration space itself, the space of the hero's
operand, or either seen through ops that move elements. All reads of a value at one site are one
computation of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import field
from math import inf, prod
from typing import Any

import numpy as np

from tfc.base.records import dataclass
from tfc.ir.builder import make_op
from tfc.ir.core import Function, Op, Value, sorted_attrs
from tfc.ir.walk import all_functions, has_effects
from tfc.passes.matching import ELEMENTWISE
from tfc.prims.control import CONTROL
from tfc.prims.factorization import FACTORIZATIONS
from tfc.prims.indexmap import operand_maps
from tfc.prims.kernel_info import pieces_of, source_of_memory
from tfc.prims.reduction import has_tiles
from tfc.prims.row_plan import row_plan

Ints = tuple[int, ...]
SAME = "same"  # read at the index of the result
PRODUCTS = frozenset({"dot", "conv", "conv_grad_input", "conv_grad_filter"})


@dataclass(frozen=True)
class Hero:
    """An op that owns the loops of its kernel. `elements`: the operands it reads element by
    element, so that what makes them may ride along; the others must lie in memory. `epilogue`:
    whether elementwise ops on its finished result may."""

    elements: frozenset[int] | None = frozenset()  # None: all
    epilogue: bool = False


HEROES = {
    "reduce": Hero(frozenset({0}), epilogue=True),
    "arg_reduce": Hero(frozenset({0})),
    "cumulative": Hero(frozenset({0})),
    "reduce_window": Hero(frozenset({0})),
    "select_and_scatter": Hero(epilogue=True),
    "scatter_near": Hero(epilogue=True),
    "dot": Hero(epilogue=True),
    "conv": Hero(epilogue=True),
    "conv_grad_input": Hero(epilogue=True),
    "conv_grad_filter": Hero(epilogue=True),
    "scatter": Hero(frozenset({2})),
    "dynamic_update_slice": Hero(),
    "sort": Hero(),
    **dict.fromkeys(FACTORIZATIONS, Hero()),
    "rng_bits": Hero(),
    "rng_truncated_normal": Hero(),
    "assert": Hero(None),
    "while": Hero(),
    "cond": Hero(),
}


BY_WINDOWS = frozenset({"select_and_scatter", "scatter_near"})
IN_MEMORY = frozenset({"scatter", "dynamic_update_slice"})
"""Heroes whose result is their first operand but for some elements: over its buffer, only those are
written."""


def is_hero(op: Op) -> bool:
    """Whether `op` owns the loops of its kernel. An update of a small part is a hero where what it
    updates is memory that it may be written over; else it is one element like another."""
    if op.defn.name != "dynamic_update_slice":
        return op.defn.name in HEROES
    x, update = op.operands[:2]
    maker = source_of_memory(x).op
    lies = maker is None or maker.defn.name in (*CONTROL, *IN_MEMORY)
    return lies and update.type.size * 2 <= x.type.size


@dataclass(eq=False)
class Site:
    """One index expression: how many elements are computed at it in one run of the kernel, and
    whether it is the index of the kernel's results (`root`) or behind the hero (`after`)."""

    evaluations: float
    root: bool = False
    after: bool = True
    moved: dict[Hashable, Site] = field(default_factory=dict)

    def through(self, key: Hashable, evaluations: float | None = None) -> Site:
        """The site at which an op at this site reads an operand that it moves as `key` says."""
        if key == SAME:
            return self
        if key not in self.moved:
            count = self.evaluations if evaluations is None else evaluations
            self.moved[key] = Site(count, after=self.after)
        return self.moved[key]


def takes_epilogue(hero: Op) -> bool:
    """Whether each element of the result of `hero` is finished at once."""
    tiled = hero.defn.name not in BY_WINDOWS or has_tiles(hero)
    return tiled and HEROES[hero.defn.name].epilogue


def partial_sums(ops: Sequence[Op], results: Container[Value]) -> set[Op]:
    """Of sums of many products, the partial ones: sums with a product that nobody else reads, which
    only another such sum reads. Each is finished with its product, in the memory of the one before,
    where otherwise the last would read all products from memory."""
    if sum(op.defn.name in PRODUCTS for op in ops) < 3:
        return set()
    table: dict[Value, list[Op]] = {}
    for op in ops:
        for v in op.operands:
            table.setdefault(v, []).append(op)

    def with_product(op: Op) -> bool:
        made = [v.op for v in op.operands if v.op and len(table[v]) == 1 and v not in results]
        return op.defn.name == "add" and any(maker.defn.name in PRODUCTS for maker in made)

    found = set()
    for op in ops:
        if with_product(op) and op.result not in results:
            readers = table.get(op.result, [])
            if len(readers) == 1 and with_product(readers[0]):
                found.add(op)
    return found


def is_free(op: Op) -> bool:
    """Whether computing `op` again costs next to nothing: it only moves or converts elements."""
    return op.defn.moves or op.defn.name in ("iota", "convert", "bitcast") or is_scalar(op)


def is_scalar(op: Op) -> bool:
    """Whether `op` is a constant whose elements are all equal: an immediate, not memory."""
    if op.defn.name != "const":
        return False
    array: np.ndarray = op.attr("value").array
    if array.size == 1:
        return True
    first = array.reshape(-1)[:1].tobytes()
    return array.dtype != object and array.size > 0 and first * array.size == array.tobytes()


def is_plain(op: Op) -> bool:
    """Whether `op` may stand behind a hero: elementwise, or free."""
    return op.defn.name in ELEMENTWISE or is_free(op)


def read_keys(op: Op) -> list[Hashable]:
    """For each operand, how `op` (no hero) reads it: SAME, or a key such that equal keys at one
    site mean one site: the index map, or the op itself where that is no single affine map."""
    if op.defn.name in ELEMENTWISE:
        return [SAME] * len(op.operands)
    keys: list[Hashable] = []
    for k, found in enumerate(operand_maps(op)):
        if found is None:
            keys.append((op, k))
        else:
            keys.append(SAME if found.is_identity else found)
    return keys


def hero_sites(op: Op, root: Site) -> list[Site | None]:
    """For each operand of a hero, the site it is read at; None if it must lie in memory."""
    hero = HEROES[op.defn.name]
    size = op.operands[0].type.size if op.operands else 0
    if op.defn.name == "reduce_window":
        size = op.result.type.size * prod(op.attr("window"))
    elif op.defn.name == "scatter":
        size = op.operands[2].type.size
        if len(op.attr("dims")) == op.operands[0].type.rank:
            size *= 2  # element by element, not in packets: what is costly is made before
    elif op.defn.name == "dynamic_update_slice":
        size = op.operands[1].type.size
        hero = Hero(frozenset(range(1, len(op.operands))))
    sites: list[Site | None] = []
    for k, operand in enumerate(op.operands):
        if hero.elements is not None and k not in hero.elements:
            sites.append(None)
            continue
        scalar = op.defn.name == "assert" and operand.type.shape != op.operands[0].type.shape
        scalar = scalar or (op.defn.name == "dynamic_update_slice" and k > 1)
        site = root.through(("hero", "scalar" if scalar else "space"), size)
        site.after = False
        sites.append(site)
    return sites


def wasted(op: Op, key: Hashable, position: int) -> bool:
    """Whether operand `position` is read at places only known at run time, so that how often an
    element of it would be computed is unknown."""
    return key is not SAME and op.defn.name == "gather" and position == 0


def read_sites(op: Op, site: Site) -> list[Site]:
    """The site of each operand of `op` (no hero) computed at `site`."""
    sites = []
    for k, key in enumerate(read_keys(op)):
        sites.append(site.through(key, inf if wasted(op, key, k) else None))
    return sites


def with_kernel_attrs(fn: Function, attrs_of: Callable[[Op], dict[str, Any]]) -> Function:
    """`fn` with what `attrs_of` says of each fusion, in regions too, added to its attributes."""
    new: dict[Value, Value] = {}
    ops = []
    for op in fn.ops:
        operands = tuple(new.get(v, v) for v in op.operands)
        attrs, inner = op.attrs, op.regions
        if op.defn.name == "fusion":
            attrs = sorted_attrs({**op.kwargs, **attrs_of(op)}.items())
        elif op.defn.name in CONTROL:
            inner = tuple(with_kernel_attrs(region, attrs_of) for region in op.regions)
        if attrs is not op.attrs or inner is not op.regions or operands != op.operands:
            changed = make_op(op.defn, operands, attrs, inner, op.loc)
            new.update(zip(op.results, changed.results, strict=True))
            op = changed
        ops.append(op)
    results = tuple(new.get(v, v) for v in fn.results)
    return Function(fn.name, fn.params, tuple(ops), results, fn.attrs)


def can_stop(op: Op) -> bool:
    """Whether a run may end in `op`: it may fail, or is a loop, which is told when to stop."""
    if has_effects(op) or op.defn.name == "while":
        return True
    return any(o.defn.name == "while" for r in op.regions for f in all_functions(r) for o in f.ops)


def in_place_operands(kernel: Op) -> list[set[int]]:
    """For each result of a fusion, the operands whose buffer it may overwrite: all that the kernel
    reads of them are the elements at the index that it is about to write, in bytes as well."""
    region = kernel.regions[0]
    if kernel.attr("hero") == "rows":
        return _taken_by_rows(kernel)
    found: dict[Value, set[Site]] = {}
    root = Site(1, root=True)
    for value in region.results:
        found.setdefault(value, set()).add(root)
    elsewhere = Site(1)
    stored = {r: pieces for r in region.results if (pieces := pieces_of(kernel, r))}
    own = {r: Site(1) for r in stored}  # of what it is written into, a result is the only reader
    for op in reversed(region.ops):
        if op.defn.name == kernel.attr("hero"):
            for k, operand in enumerate(op.operands):
                same = k == 0 and op.defn.name in IN_MEMORY
                found.setdefault(operand, set()).add(root if same else elsewhere)
            continue
        if op.results and op.result in stored:
            if op.defn.name in IN_MEMORY:
                for operand in op.operands[2:]:
                    found.setdefault(operand, set()).add(elsewhere)
                found.setdefault(op.operands[0], set()).add(own[op.result])
            for piece in stored[op.result]:
                found.setdefault(piece, set()).add(root)
            continue
        at = {site for r in op.results for site in found.get(r, ())}
        for operand, key in zip(op.operands, read_keys(op), strict=True):
            found.setdefault(operand, set()).update(s if key == SAME else elsewhere for s in at)
    if kernel.attr("hero") == "while":
        return _taken_by_loop(kernel)
    good = []
    for result, inner in zip(kernel.results, region.results, strict=True):
        width, here = _width(result), own.get(inner, root)
        good.append(
            {
                position
                for position, param in enumerate(region.params)
                if found.get(param, set()) <= {here}
                and param.type.size == result.type.size
                and param.type.shape == result.type.shape
                and _width(param) == width
            }
        )
    return good


def _taken_by_rows(kernel: Op) -> list[set[int]]:
    """For each result of a kernel of rows: only what the last pass writes lies where no later pass
    reads."""
    region, plan = kernel.regions[0], row_plan(kernel)
    found: dict[Value, set[Site | None]] = {}
    full, even = Site(1, root=True), Site(1)
    for value in region.results:
        found.setdefault(value, set()).add(full if value.type.shape == plan.shape else even)
    for op in reversed(region.ops):
        if op.defn.name == "reduce":
            found.setdefault(op.operands[0], set()).add(full)
            continue
        at = {site for r in op.results for site in found.get(r, ())}
        for operand, key in zip(op.operands, read_keys(op), strict=True):
            found.setdefault(operand, set()).update(at if key == SAME else {None})
    good = []
    for number, value in enumerate(region.results):
        site = full if value.type.shape == plan.shape else even
        width = _width(value)
        good.append(
            {
                position
                for position, param in enumerate(region.params)
                if number not in plan.early_results
                and found.get(param, set()) <= {site}
                and param.type.shape == value.type.shape
                and _width(param) == width
            }
        )
    return good


def _taken_by_loop(kernel: Op) -> list[set[int]]:
    """For each result of a loop in registers, the operand it starts as: written at the end, or
    filled from the start, while nothing else in the kernel reads that buffer."""
    region = kernel.regions[0]
    positions = {param: k for k, param in enumerate(region.params)}
    starts = [r.op.operands[r.index] for r in region.results if r.op is not None]
    return [{positions[v]} for v in starts]


def _width(value: Value) -> int:
    return value.type.nbytes // max(value.type.size, 1)
