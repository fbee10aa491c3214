"""How a finished kernel becomes an op: the fusion, and what stands around it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfc.ir.builder import Builder, copied, with_operands
from tfc.ir.core import Op, Value
from tfc.prims.control import fusion
from tfc.prims.indexing import dynamic_slice
from tfc.prims.kernel_info import ALIASES
from tfc.prims.movement import reshape

if TYPE_CHECKING:
    from tfc.passes.fuse import Kernel

Ints = tuple[int, ...]


def read_back(build: Builder, new: dict[Value, Value], piece: Value, update: Op) -> Value:
    """The view of what `update` made that is `piece`."""
    build.loc = update.loc
    starts = [known(build, new, v) for v in update.operands[2:]]
    sizes = update.operands[1].type.shape
    (part,) = build.emit(dynamic_slice, new[update.result], *starts, sizes=sizes)
    return build.emit(reshape, part, shape=piece.type.shape)[0]


def known(build: Builder, new: dict[Value, Value], value: Value) -> Value:
    """The value of the new function for `value`, making the constants, reshapes and views it
    needs."""
    chain: dict[Op, None] = {}
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if at not in new:
            op = at.op
            assert op is not None and op.defn.name in ALIASES, op
            chain.pop(op, None)  # before what was found to need it
            chain[op] = None
            waiting += op.operands
    for op in reversed(chain):
        build.loc = op.loc
        moved = with_operands(op, tuple(new[v] for v in op.operands))
        (new[op.result],) = build.adopt(moved)
    return new[value]


def emit_kernel(
    build: Builder,
    new: dict[Value, Value],
    kernel: Kernel,
    ops: list[Op],
    results: list[Value],
    **attrs: Ints,
) -> None:
    """A fusion."""
    region = Builder("kernel")
    region.fold_elements = -1  # the kernel is what `hero` says it is: nothing folds any more
    inner: dict[Value, Value] = {}
    operands = []
    for op in ops:
        for value in op.operands:
            if value not in inner:
                operands.append(known(build, new, value))
                inner[value] = region.param(value.type)
        region.loc = op.loc
        # a new op in any case: one op stands in one place
        made = region.adopt(copied(op, tuple([inner[v] for v in op.operands])))
        inner.update(zip(op.results, made, strict=True))
    body = region.finish([inner[v] for v in results])
    build.loc = _origin(ops)
    made = build.emit(fusion, *operands, regions=(body,), hero=kernel.name, **attrs)
    new.update(zip(results, made, strict=True))


def _origin(ops: list[Op]) -> str:
    """The TensorFlow ops that a kernel's ops came from, the first few of them."""
    names = list(dict.fromkeys(op.loc for op in ops if op.loc))
    return " ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
