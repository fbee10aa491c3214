"""How a reduction is split: from shapes alone, so that results do not depend on threads.

Kept axes are split where there are enough of them. Else each chunk reduces a range of the first
reduced axes to partial results in scratch, and a last stage combines these in order.
"""

from __future__ import annotations

import math

from tfc.base import dtypes
from tfc.base.target import aligned
from tfc.ir.core import Op
from tfc.prims.row_plan import LEAST_ROWS, LEAST_SPLIT

WIDE = {"f16": "f32", "bf16": "f32"}
"""What 16-bit floats are accumulated in."""

MOST_PARTS = 16
PART = 1 << 14  # elements that a part has at least


def reductions(op: Op) -> list[Op]:
    """The `reduce` ops of a fusion; all over the same shape and dims."""
    return [inner for inner in op.regions[0].ops if inner.defn.name == "reduce"]


def partial_chunks(op: Op) -> int | None:
    """Into how many chunks fusion `op` falls, if each of them reduces a part of what is reduced;
    None if they have their own results.

    From the shape that is reduced alone: what else the kernel computes must not change in which
    order a sum is taken.
    """
    first = reductions(op)[0]
    shape: tuple[int, ...] = first.operands[0].type.shape
    if not splits_reduced(shape, first.attr("dims")):
        return None
    return min(MOST_PARTS, math.prod(shape) // PART)


def splits_reduced(shape: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    """Whether a reduction of `shape` along `dims` is one of parts, and then of their results."""
    kept = [n for d, n in enumerate(shape) if d not in dims and n > 1]
    reduced_size = math.prod(shape[d] for d in dims)
    if reduced_size <= 1 or math.prod(shape) < LEAST_SPLIT:
        return False
    if len(shape) - 1 in dims:
        return math.prod(kept) < LEAST_ROWS
    return (kept[0] if kept else 1) < LEAST_ROWS or reduced_size >= 4 * math.prod(kept)


def uses_partials(op: Op) -> bool:
    """Whether the chunks of fusion `op` write partial results."""
    return op.kwargs.get("chunks", 1) > 1 and partial_chunks(op) is not None


def partial_bytes(op: Op) -> int:
    """Scratch for the partial results: [reduction][chunk][kept axes], each aligned."""
    if not uses_partials(op):
        return 0
    chunks = op.kwargs["chunks"]
    return sum(_partial_size(one, chunks) for one in reductions(op))


def partial_offsets(op: Op) -> list[int]:
    """Where each reduction's partial results begin, in bytes."""
    chunks, offsets, at = op.kwargs["chunks"], [], 0
    for one in reductions(op):
        offsets.append(at)
        at += _partial_size(one, chunks)
    return offsets


def accumulator(one: Op) -> str:
    """The dtype in which a reduction adds up."""
    dtype = one.result.type.dtype
    return WIDE.get(dtype, dtype)


def _partial_size(one: Op, chunks: int) -> int:
    return aligned(chunks * one.result.type.size * dtypes.by_short(accumulator(one)).size)
