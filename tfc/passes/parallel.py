"""parallel: into how many chunks each kernel is split, as attribute `chunks` of its fusion.

Decided from shapes alone, so that results do not depend on the machine: a chunk is a fixed part of
the kernel's outermost axis, and however many threads there are, they do the same chunks. Their
number is a power of two where that is possible: two threads then have as many each. A kernel
too short to be worth a fork and join stays whole. One that is worth it only if the other threads
are awake says so in attribute `light`, unless there are so many of these in a run that together
they are worth waking a thread: the first one does, and the others find it awake.
"""

from __future__ import annotations

from collections.abc import Container
from math import prod
from typing import Any

from tfc.ir.core import Function, Op, Value
from tfc.passes.by_rows import rows_split
from tfc.passes.kernels import CONTROL, HEROES, is_free, with_kernel_attrs
from tfc.passes.options import PassOptions
from tfc.prims.contract_plan import op_flops, op_is_light
from tfc.prims.factorization import FACTORIZATIONS, factor_ns, places_of
from tfc.prims.kernel_info import buffer_of, kernel_chunks, pieces_of

# A fork and join takes 0.4 to 1 us on two cores that are awake, 2 to 5 us where one has to be
# woken: a kernel with less work than this stays whole.
LEAST_NS = 20_000.0
CHUNK_NS = 5_000.0  # a chunk is not worth more than this many to balance the load
MOST_CHUNKS = 16
# One that takes this long is shared with threads that are awake, which costs 0.3 to 0.6 us.
LIGHT_NS = 2_000.0
LIGHT_CHUNK_NS = 1_000.0
MOST_LIGHT = 4
LANES = 16  # of the widest packet: an innermost axis is not cut finer
# Estimated nanoseconds of one core, per element. The estimates are for vectors of 128 to 512 bits;
# in brackets what 512 bits measure, f32, data in L2: an op that moves or adds (0.01); one computed
# by a polynomial (exp 0.17, tanh 0.24, sin 0.34, erf 0.47, pow 2.3, lgamma 6.2); a division or root
# (0.1); a byte read or written (0.003 to 0.005 in L2 and L3, 0.012 to 0.1 out of memory).
NS_CHEAP, NS_COSTLY, NS_DIVIDE = 0.02, 1.0, 0.3
NS_BYTE, NS_BYTE_CACHED = 0.05, 0.01
CACHED = 1 << 20  # a kernel that moves no more bytes is taken to find them in a cache
NS_SORT = 20.0  # for short axes; 100,000 random floats take 235 each
# Heroes that split the outermost axis of what they compute; the others say themselves how they
# split (prims/kernel_info.py), or do not.
_SPLIT: tuple[str, ...] = (
    "loop",
    "reduce",
    "rows",
    "arg_reduce",
    "cumulative",
    "reduce_window",
    "select_and_scatter",
    "scatter_near",
)
MOST_ROOM = 1 << 28  # bytes of scratch of the chunks of a factorisation together
WAKING_FLOPS = 2_000_000  # of light kernels together: 8 to 14 us
LOOP_TURNS = 16  # of a loop, where nothing is known of them
_PARTS = frozenset({"slice", "dynamic_slice", "gather"})
_SELECTS = frozenset({"concat", "pad"})  # of each operand an element, of which one is taken
_SPLIT += ("sort", "rng_bits", "rng_truncated_normal", *FACTORIZATIONS)


def parallel(fn: Function, options: PassOptions) -> Function:
    """`fn` with `chunks` set on every fusion."""

    own = _Own()
    alone = _light_flops(fn, own) < WAKING_FLOPS
    neighbours = _chunks_of_neighbours(fn, own)

    def attrs(op: Op) -> dict[str, Any]:
        chunks = neighbours.get(op) or own[op]
        light = chunks > 1 and (_is_short(op) or (alone and _is_light(op)))
        return {"chunks": chunks, "light": True} if light else {"chunks": chunks}

    return with_kernel_attrs(fn, attrs)


class _Own(dict[Op, int]):
    """The chunks of each kernel by itself, found once."""

    def __missing__(self, kernel: Op) -> int:
        self[kernel] = chunks_of(kernel)
        return self[kernel]


def _chunks_of_neighbours(fn: Function, own: _Own) -> dict[Op, int]:
    """Of loops that hand rows to a product or take them from one: the chunks of that product, if
    both go by the same rows then, and these are not far fewer than the loop would have. No thread
    need wait for another between the two (see the pass `chain`)."""
    found: dict[Op, int] = {}
    for op in fn.ops:
        for region in op.regions if op.defn.name in CONTROL else ():
            found.update(_chunks_of_neighbours(region, own))
        if op.defn.name != "fusion":
            continue
        for maker in dict.fromkeys(buffer_of(v).op for v in op.operands):
            if maker is None or maker.defn.name != "fusion":
                continue
            heroes = [kernel.attr("hero") for kernel in (maker, op)]
            if sorted(heroes) == ["dot", "loop"]:
                loop, product = (maker, op) if heroes[0] == "loop" else (op, maker)
                many = own[product]
                rows = rows_split(product, many) if 1 < own[loop] <= 4 * many else None
                if rows is not None and rows == rows_split(loop, many):
                    found[loop] = many
    return found


def _is_light(kernel: Op) -> bool:
    """Whether a kernel is not worth waking a thread for."""
    return bool(kernel.attr("hero") == "dot" and op_is_light(kernel))


def _is_short(kernel: Op) -> bool:
    """Whether a kernel that is no product is shared only with threads that are awake."""
    return kernel_chunks(kernel) is None and estimated_ns(kernel) < LEAST_NS


def _light_flops(fn: Function, own: _Own) -> int:
    """What the kernels of a run that are light have to do together."""
    total = 0
    for op in fn.ops:
        if op.defn.name == "fusion":
            total += op_flops(op) if _is_light(op) and own[op] > 1 else 0
        elif op.defn.name in CONTROL:
            turns = LOOP_TURNS if op.defn.name == "while" else 1
            total += turns * sum(_light_flops(region, own) for region in op.regions)
    return total


def chunks_of(kernel: Op) -> int:
    """The number of chunks of fusion `kernel`, at least 1."""
    forced = kernel_chunks(kernel)
    if forced is not None:
        return max(1, forced)
    if kernel.attr("hero") not in _SPLIT or not kernel.results:
        return 1
    work = estimated_ns(kernel)
    if work < LIGHT_NS:
        return 1
    most, each = (MOST_CHUNKS, CHUNK_NS) if work >= LEAST_NS else (MOST_LIGHT, LIGHT_CHUNK_NS)
    if kernel.attr("hero") in FACTORIZATIONS:
        room = max(1, places_of(kernel)[""])
        most = min(most, kernel.results[0].type.shape[0], max(1, MOST_ROOM // room))
    elif kernel.attr("hero") not in ("reduce", "rows"):
        # axes that are neighbours in memory are one axis to the loop nest, so what counts is the
        # size; chunks beyond the extent of an outermost axis that stays alone are empty
        space = kernel.kwargs.get("space", kernel.results[0].type.shape)
        most = min(most, int(prod(space)) // LANES)
    wanted = 1 << (max(1, int(work / each)) - 1).bit_length()
    return max(1, min(most, wanted))


def estimated_ns(kernel: Op) -> float:
    """About how long the kernel takes on one core."""
    region = kernel.regions[0]
    pieces = {r: pieces_of(kernel, r) or [r] for r in region.results}
    moved = sum(v.type.nbytes for parts in pieces.values() for v in parts)
    stores = {r.op for r, parts in pieces.items() if parts != [r]}
    moved += sum(_bytes_read(region, param, stores) for param in region.params)
    per_byte = NS_BYTE_CACHED if moved <= CACHED else NS_BYTE
    return float(moved * per_byte + sum(_op_ns(op) for op in region.ops if op not in stores))


def _bytes_read(region: Function, param: Value, stores: Container[Op | None]) -> int:
    """The bytes of `param` that are read: of a part or of rows, no more than those; none by
    `stores`, which write."""
    total = 0
    for op in region.ops:
        if param in op.operands and op not in stores:
            part = op.defn.name in _PARTS and op.operands[0] is param
            total += op.result.type.nbytes if part else param.type.nbytes
    return min(total, int(param.type.nbytes))


def _op_ns(op: Op) -> float:
    if is_free(op):
        return 0.0
    size = max((v.type.size for v in op.results), default=0)
    if "window" in op.kwargs:
        return float(size * prod(op.attr("window")) * NS_CHEAP * 2)
    if op.defn.name in FACTORIZATIONS:
        return factor_ns(op)
    if op.defn.name == "sort":
        return max(v.type.size for v in op.operands) * NS_SORT
    if op.defn.name in HEROES:
        return max((v.type.size for v in op.operands), default=0) * NS_CHEAP * 2
    if op.defn.cheap:
        return size * NS_CHEAP
    if op.defn.name in _SELECTS:
        return size * NS_CHEAP * len(op.operands)
    return size * (NS_DIVIDE if op.defn.exact else NS_COSTLY)
