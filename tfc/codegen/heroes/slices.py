"""Sums of slices of an inner loop: kept in scratch by the chunks, and added in order when all are
there."""

from __future__ import annotations

from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.loop import result_nest
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V
from tfc.ir.core import Type
from tfc.prims.contract_plan import Split


def sums_of(k: Kernel, scratch: V, parts: Split) -> Buffer:
    """Where slices keep their sums, each as the result lies: behind what the chunks have for
    themselves."""
    type = k.hero.result.type
    chunks = parts.chunks if k.op.kwargs.get("chunks", 1) > 1 else 1  # stages may be left whole
    pointer = k.t.gep(scratch, chunks * parts.each, "i8")
    return Buffer(pointer, Type(type.dtype, (parts.slices, *type.shape)))


def write_sums(k: Kernel, sums: Buffer) -> None:
    """The slices added in order, and the epilogue."""
    value = k.hero.result
    slices, *shape = sums.type.shape

    def element(index: tuple[Index, ...]) -> None:
        total = k.e.load(sums, (Index(0), *index))
        for n in range(1, slices):
            total = k.e.binary("add", total, k.e.load(sums, (Index(n), *index)))
        k.finish(index, {value: total})

    result_nest(k, tuple(shape), [(d, d + 1) for d in range(len(shape))], element)
