"""Assertions: find the first false element, and fill the error record with it.

The record is {status (the entry writes it), flat index, payload}: each payload value in the low
bytes of its 8-byte slot, as it lies in memory.
"""

from __future__ import annotations

import math

from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.loop import nest
from tfc.codegen.index import Index, row_major
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V, const, i64
from tfc.ir.core import Op, Type


def write(k: Kernel) -> None:
    """The whole kernel; its status is 1 if an element is false."""
    t, e, op = k.t, k.e, k.hero
    ok, shape = op.operands[0], op.operands[0].type.shape or ()
    count = math.prod(shape)
    if count == 0:
        return
    first = t.alloca("i64", 8)
    t.store(i64(count), first, 8)

    def test(at: tuple[Index, ...]) -> None:
        flat = row_major(at, shape)
        fine = e.value(ok, at).value
        bad = t.op("xor", fine, const(fine.type, True))
        mask = e.memory.mask_of(flat, e.lanes)
        if mask is not None:
            bad = t.op("and", bad, mask)
        found = bad
        if e.lanes > 1:
            found = t.call("i1", f"llvm.vector.reduce.or.v{e.lanes}i1", bad)
        with t.when(found):
            position = e.scalar(flat)
            if e.lanes > 1:
                bits = t.ins(f"bitcast {bad.type} {bad.ref} to i{e.lanes}", f"i{e.lanes}")
                lane = t.call(bits.type, f"llvm.cttz.i{e.lanes}", bits, const("i1", True))
                wide = lane if e.lanes == 64 else t.cast("zext", lane, "i64")
                position = t.add(position, wide)
            t.store(t.intrinsic("smin", position, t.load("i64", first, 8)), first, 8)

    k.chunks = 1
    nest(k, shape, test)
    position = t.load("i64", first, 8)
    failed = t.cmp("slt", position, i64(count))
    with t.when(failed), e.with_lanes(1):
        index = e.delinearize(e.axis(position, 0, count - 1), shape)
        fill_record(k, op, position, index)
    k.status = t.cast("zext", failed, "i32")


def fill_record(k: Kernel, op: Op, position: V, index: tuple[Index, ...]) -> None:
    """Write what assert `op` reports: the flat `position`, and the payload at `index`."""
    t, e = k.t, k.e
    record = t.load("ptr", t.gep(V("%ctx", "ptr"), 3, "ptr"), 8)
    t.store(position, t.gep(record, 1, "i64"), 8)
    for number, payload in enumerate(op.operands[1:]):
        slot = t.gep(record, 2 + number, "i64")
        t.store(i64(0), slot, 8)
        packet = e.value(payload, index if payload.type.shape else ())
        dtype = payload.type.dtype
        if dtype == "c128":
            packet, dtype = e.convert(packet, "c64"), "c64"
        e.store(Buffer(slot, Type(dtype, ())), (), packet)
