"""Loads and stores of packets: dense row-major buffers, any index.

The lanes of a packet may lie one after the other (a vector access), at one place (a load and a
splat), backwards, or anywhere (gather and scatter). Accesses of packets with a mask touch only the
lanes of the mask; lanes outside read as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tfc.base import dtypes
from tfc.codegen.index import Index
from tfc.codegen.packets import MEMORY, Arithmetic, Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, element_of, i64, lanes_of, suffix, vec, vector_const

_SIZE = {"i8": 1, "i16": 2, "i32": 4, "float": 4, "i64": 8, "double": 8}


class Memory:
    """Typed access. `scalar(index)` gives the i64 value in lane 0, `vector(index, lanes)` that of
    every lane; both are the emitter's."""

    def __init__(
        self,
        text: Text,
        arithmetic: Arithmetic,
        scalar: Callable[[Index], V],
        vector: Callable[[Index, int], V],
    ):
        self.text, self.arithmetic = text, arithmetic
        self.scalar, self.vector = scalar, vector
        self.streamed: frozenset[V] = frozenset()  # buffers whose packets are whole, aligned lines

    # -- public ---------------------------------------------------------------------------------
    def load(self, ptr: V, dtype: str, index: Index, lanes: int) -> Packet:
        """The elements at flat position `index` (in elements)."""
        mask = self.mask_of(index, lanes)
        part = dtypes.REAL_PART.get(dtype)
        if part is None:
            raw = self._load(ptr, MEMORY[dtype], index, lanes, mask)
            return Packet(self.arithmetic.to_register(raw, dtype), dtype, index.uniform)
        element = MEMORY[part]
        if not index.uniform and not index.varies_freely and index.lane_coef == 1:
            return Packet(self._load_pairs(ptr, element, index, lanes, mask), dtype)
        re = self._load(ptr, element, index * 2, lanes, mask)
        im = self._load(ptr, element, index * 2 + 1, lanes, mask)
        return Packet((re, im), dtype, index.uniform)

    def store(self, ptr: V, dtype: str, index: Index, packet: Packet, mask: V | None) -> None:
        """Write the packet's lanes (those of the mask) to flat position `index`."""
        lanes = packet.lanes
        mask = self.both(mask, self.mask_of(index, lanes))
        part = dtypes.REAL_PART.get(dtype)
        if part is None:
            raw = self.arithmetic.to_memory(packet.value, dtype)
            self._store(ptr, MEMORY[dtype], index, raw, mask)
            return
        re, im = packet.value
        if lanes > 1 and not index.varies_freely and index.lane_coef == 1:
            self._store_pairs(ptr, MEMORY[part], index, (re, im), mask)
            return
        self._store(ptr, MEMORY[part], index * 2, re, mask)
        self._store(ptr, MEMORY[part], index * 2 + 1, im, mask)

    def mask_of(self, index: Index, lanes: int) -> V | None:
        """The lanes in which all that `index` is made of exists."""
        mask = None
        if lanes > 1:
            for one in index.masks:
                mask = self.both(mask, one)
        return mask

    def both(self, a: V | None, b: V | None) -> V | None:
        if a is None or b is None or a == b:
            return b if a is None else a
        return self.text.op("and", a, b)

    # -- one plain element type -----------------------------------------------------------------
    def _load(self, ptr: V, element: str, index: Index, lanes: int, mask: V | None) -> V:
        t, size = self.text, _SIZE[element]
        if index.uniform or (lanes == 1 and not index.varies_freely):
            one = t.load(element, t.gep(ptr, self.scalar(index), element), size)
            return t.splat(one, lanes)
        type = vec(element, lanes)
        if not index.varies_freely and index.lane_coef == 1:
            at = t.gep(ptr, self.scalar(index), element)
            return self._masked_load(type, at, size, mask)
        if not index.varies_freely and index.lane_coef == -1:
            backward = list(range(lanes - 1, -1, -1))
            at = t.gep(ptr, self.scalar(index - (lanes - 1)), element)
            turned = None if mask is None else self._rearranged(mask, backward)
            return t.shuffle(self._masked_load(type, at, size, turned), None, backward)
        if lanes == 1:
            return t.load(element, t.gep(ptr, self.vector(index, 1), element), size)
        return self._gather(ptr, element, index, lanes, mask)

    def _masked_load(self, type: str, at: V, size: int, mask: V | None) -> V:
        if mask is None:
            return self.text.load(type, at, size)
        return self.text.call(
            type,
            f"llvm.masked.load.{suffix(type)}.p0",
            at,
            mask,
            V("zeroinitializer", type),
            notes=(f"align {size}",),
        )

    def _gather(self, ptr: V, element: str, index: Index, lanes: int, mask: V | None) -> V:
        t, type, pointers = self.text, vec(element, lanes), vec("ptr", lanes)
        at = self.vector(index, lanes)
        places = t.ins(f"getelementptr {element}, ptr {ptr.ref}, {at.type} {at.ref}", pointers)
        name = f"llvm.masked.gather.{suffix(type)}.{suffix(pointers)}"
        mask = mask or const(vec("i1", lanes), True)
        passed = V("zeroinitializer", type)
        return t.call(type, name, places, mask, passed, notes=(f"align {_SIZE[element]}",))

    def _store(self, ptr: V, element: str, index: Index, value: V, mask: V | None) -> None:
        t, size, lanes = self.text, _SIZE[element], lanes_of(value.type)
        if lanes == 1:
            place = self.vector(index, 1) if index.varies_freely else self.scalar(index)
            t.store(value, t.gep(ptr, place, element), size)
            return
        if not index.varies_freely and index.lane_coef == 1:
            at = t.gep(ptr, self.scalar(index), element)
            if mask is None and ptr in self.streamed:
                t.stream(value, at, lanes * size)
            else:
                self._masked_store(value, at, size, mask)
            return
        pointers, at = vec("ptr", lanes), self.vector(index, lanes)
        places = t.ins(f"getelementptr {element}, ptr {ptr.ref}, {at.type} {at.ref}", pointers)
        name = f"llvm.masked.scatter.{suffix(value.type)}.{suffix(pointers)}"
        mask = mask or const(vec("i1", lanes), True)
        t.call("void", name, value, places, mask, notes=("", f"align {size}"))

    def _masked_store(self, value: V, at: V, size: int, mask: V | None) -> None:
        if mask is None:
            self.text.store(value, at, size)
            return
        only = _only_lane(mask)
        if only is not None:
            # LLVM makes one store of it too, but where the value was narrowed just before, one of
            # as many bytes as it had before: past the end of the buffer.
            t, element = self.text, element_of(value.type)
            t.store(t.extract(value, only), t.gep(at, only, element), size)
            return
        name = f"llvm.masked.store.{suffix(value.type)}.p0"
        self.text.call("void", name, value, at, mask, notes=("", f"align {size}"))

    # -- complex: interleaved pairs -------------------------------------------------------------
    def _load_pairs(
        self, ptr: V, element: str, index: Index, lanes: int, mask: V | None
    ) -> tuple[V, V]:
        t = self.text
        if lanes == 1:
            at = t.gep(ptr, self.scalar(index * 2), element)
            high = t.gep(at, 1, element)
            return t.load(element, at, _SIZE[element]), t.load(element, high, _SIZE[element])
        at = t.gep(ptr, self.scalar(index * 2), element)
        twice = None if mask is None else self._doubled(mask, lanes)
        both = self._masked_load(vec(element, 2 * lanes), at, _SIZE[element], twice)
        evens = t.shuffle(both, None, range(0, 2 * lanes, 2))
        return evens, t.shuffle(both, None, range(1, 2 * lanes, 2))

    def _store_pairs(
        self, ptr: V, element: str, index: Index, pair: tuple[V, V], mask: V | None
    ) -> None:
        t, lanes = self.text, lanes_of(pair[0].type)
        order = [lane + part * lanes for lane in range(lanes) for part in (0, 1)]
        both = t.shuffle(pair[0], pair[1], order)
        at = t.gep(ptr, self.scalar(index * 2), element)
        twice = None if mask is None else self._doubled(mask, lanes)
        self._masked_store(both, at, _SIZE[element], twice)

    def _doubled(self, mask: V, lanes: int) -> V:
        """Each lane of a mask twice."""
        return self._rearranged(mask, [lane // 2 for lane in range(2 * lanes)])

    def _rearranged(self, mask: V, lanes: Sequence[int]) -> V:
        """Lanes of a mask by position. Those of a constant are a constant, and of what LLVM could
        find to be one it knows nothing: of one that a shuffle makes it takes lanes that nobody
        needs as set, and reads them."""
        known, t = constant_lanes(mask), self.text
        if known is not None:
            return vector_const("i1", [known[lane] for lane in lanes])
        if t.widens:
            count = lanes_of(mask.type)
            wide = t.opaque(t.cast("sext", mask, f"i{max(128 // count, 8)}"))
            mask = t.cmp("slt", wide, V("zeroinitializer", wide.type))
        return t.shuffle(mask, None, lanes)


def constant_lanes(mask: V) -> list[bool] | None:
    """The lanes of a constant mask that are set."""
    if mask.ref[0] != "<":
        return None
    return [bit == "i1 true" for bit in mask.ref.strip("<>").split(", ")]


def _only_lane(mask: V) -> int | None:
    """The lane of a constant mask that has one."""
    lanes = constant_lanes(mask)
    return lanes.index(True) if lanes is not None and sum(lanes) == 1 else None


def lane_numbers(lanes: int, element: str = "i64") -> V:
    """0, 1, 2 ... in the lanes."""
    return i64(0) if lanes == 1 and element == "i64" else vector_const(element, range(lanes))
