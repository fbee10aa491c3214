"""What passes and code generation both know of kernels: into how many chunks one falls, how much
scratch memory it needs, in whose buffer a value lies. From shapes and ops alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.ir.core import Op, Value
from tfc.prims.contract_plan import op_chunks, op_scratch
from tfc.prims.control import invariants
from tfc.prims.conv_plan import filter_chunks, filter_scratch, window_chunks, window_scratch
from tfc.prims.factorization import FACTORIZATIONS, factor_scratch
from tfc.prims.reduce_plan import partial_bytes, partial_chunks
from tfc.prims.row_plan import row_scratch


def _sort_bytes(op: Op) -> int:
    """Two arrays of 64-bit positions along the sorted axis, for each chunk."""
    inner = next(x for x in op.regions[0].ops if x.defn.name == "sort")
    shape = inner.operands[0].type.shape or ()
    return 16 * int(shape[inner.attr("dim")]) * int(op.kwargs.get("chunks", 1))


def _whole(op: Op) -> int:
    """Heroes whose order of elements is part of the meaning."""
    return 1


CHUNKS: dict[str, Callable[[Op], int | None]] = {
    "reduce": partial_chunks,
    "dot": op_chunks,
    "conv": window_chunks,
    "scatter": _whole,
    "dynamic_update_slice": _whole,
    "assert": _whole,
    "conv_grad_input": window_chunks,
    "conv_grad_filter": filter_chunks,
}
"""By hero: the only number of chunks, other than one, that a fusion op may be split into. Heroes
that are not listed, or of which the rule gives None, split their outermost axis into any number."""

SCRATCH: dict[str, Callable[[Op], int]] = {
    "reduce": partial_bytes,
    "rows": row_scratch,
    "dot": op_scratch,
    "conv": window_scratch,
    "sort": _sort_bytes,
    "conv_grad_input": window_scratch,
    "conv_grad_filter": filter_scratch,
    **dict.fromkeys(FACTORIZATIONS, factor_scratch),
}
"""By hero: bytes of scratch of a fusion op, its attribute `chunks` being set. Heroes that are not
listed need none."""


def kernel_scratch(op: Op) -> int:
    """Bytes of scratch memory that the kernel of fusion `op` needs."""
    rule = SCRATCH.get(op.attr("hero"))
    return rule(op) if rule else 0


def kernel_chunks(op: Op) -> int | None:
    """The number of chunks that the kernel of fusion `op` falls into; None if any will do."""
    rule = CHUNKS.get(op.attr("hero"))
    return rule(op) if rule else None


def source_of_memory(value: Value) -> Value:
    """The value whose buffer holds `value`, as kernels see it: what it is a reshape of, or what a
    loop was given and never changes."""
    while (op := value.op) is not None:
        if op.defn.name == "reshape":
            value = op.operands[0]
        elif op.defn.name == "while" and invariants(op)[value.index]:
            value = op.operands[value.index]
        else:
            break
    return value


# --- stores ---------------------------------------------------------------------------------


def pieces_of(kernel: Op, result: Value) -> list[Value]:
    """What the kernel of fusion `kernel` writes of `result`, a result of its region, by pieces of
    its iteration space (attribute `space`): the update, behind what adds axes of one element, of an
    update in memory; what a concat takes, an updating one too. None of other results, which are the
    space itself."""
    op, space = result.op, kernel.kwargs.get("space", result.type.shape)
    if op is None or result.type.shape == space:
        return []
    source = result if op.defn.name == "concat" else source_of_memory(op.operands[1])
    if source.type.shape == space or source.op is None or source.op.defn.name != "concat":
        return [source]
    return list(source.op.operands)


# --- among kernels --------------------------------------------------------------------------

VIEWS = frozenset({"slice", "dynamic_slice"})
ALIASES = frozenset({"const", "reshape", *VIEWS})
"""What stands among kernels and is no code: constants, other shapes of memory, and *views*: the
neighbours in memory that a slice takes."""


def is_window(op: Op) -> bool:
    """Whether `op` is a slice of neighbours in memory."""
    if op.defn.name not in VIEWS or any(step != 1 for step in op.kwargs.get("stride", ())):
        return False
    return is_neighbours(op.operands[0].type.shape, op.result.type.shape)


def is_neighbours(shape: Sequence[int], part: Sequence[int]) -> bool:
    """Whether a part of that shape, of an array of `shape`, is neighbours in memory."""
    many = next((k for k, size in enumerate(part) if size > 1), len(part))
    return tuple(shape[many + 1 :]) == tuple(part[many + 1 :])


def buffer_of(value: Value) -> Value:
    """The value whose buffer `value` lies in, as kernels stand: where views of it are read, too."""
    source = source_of_memory(value)
    while source.op is not None and source.op.defn.name in VIEWS:
        source = source_of_memory(source.op.operands[0])
    return source


def buffers_of(value: Value) -> list[Value]:
    """The values that must be there for `value` to be read: the one it lies in, and those that say
    where views of it begin."""
    found, source = [], source_of_memory(value)
    while source.op is not None and source.op.defn.name in VIEWS:
        found += [v for start in source.op.operands[1:] for v in buffers_of(start)]
        source = source_of_memory(source.op.operands[0])
    return [source, *found]
