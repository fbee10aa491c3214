"""Emitter: what the primitives' `emit` rules see as `e`.

A rule gives the packet of its result at an index; its operands are functions from index to packet
(`Element`). `value(v, i)` is the heart: the packet of IR value v at index i is loaded if v has a
buffer in this kernel, taken from the memo if it has been computed in a scope that encloses this
one, and computed otherwise, in the outermost scope in which its index is known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from tfc.base.records import dataclass
from tfc.codegen.index import Index, as_index, index_key, row_major
from tfc.codegen.indices import Indices
from tfc.codegen.packets import Packet
from tfc.codegen.text import Scope, Text
from tfc.codegen.values import V
from tfc.ir.core import Literal, Type, Value

UNROLLED_FOLD = 16  # folds of at most this many elements are written out

_NAMES = """
abs neg sign not floor ceil round rsqrt sqrt exp expm1 log log1p sin cos tan tanh logistic erf asin
acos atan sinh cosh asinh acosh atanh lgamma digamma erfc is_finite popcount clz add sub mul div rem
pow max min and or xor shl shr atan2 eq ne lt le gt ge select convert bitcast complex real imag
"""
ELEMENTWISE = frozenset(_NAMES.split())


@dataclass(frozen=True, slots=True)
class Buffer:
    """Where a value's elements lie: dense, row-major."""

    ptr: V
    type: Type


class Element:
    """An operand of an emit rule: a function from index to packet, with the operand's type."""

    __slots__ = ("_emitter", "type", "value")

    def __init__(self, emitter: Emitter, value: Value):
        self._emitter, self.value, self.type = emitter, value, value.type

    def __call__(self, index: Sequence[Index | int]) -> Packet:
        return self._emitter.value(self.value, index)


class Emitter(Indices):
    """Writes packets of `lanes` elements into `text`."""

    def __init__(self, text: Text, lanes: int):
        super().__init__(text, lanes)
        self.buffers: dict[Value, Buffer] = {}
        self.pinned: set[Value] = set()  # depends on a hero's packet: stays where that is known

    # -- values ---------------------------------------------------------------------------------
    def value(self, v: Value, index: Sequence[Index | int]) -> Packet:
        """The packet of `v` at `index`."""
        found = self._known(v, index)
        if found is not None:
            return found
        # Elementwise operands first, by a stack of our own: chains may be long.
        key = index_key(index)
        stack = [v]
        while stack:
            top = stack[-1]
            if self._known(top, key) is None:
                inner = () if top in self.buffers else _same_index_operands(top)
                if waiting := [x for x in inner if self._known(x, key) is None]:
                    stack.extend(waiting)
                    continue
                self._compute(top, key)
            stack.pop()
        result = self._known(v, key)
        assert result is not None
        return result

    def index_at(self, element: Element, at: Sequence[Index | int]) -> Index:
        """An element of integers as an index, written where that element is known: what an inner
        loop reads at places that outer loops decide is found in front of it."""
        packet, key = element(at), (element.value, index_key(at), self.lanes)
        scope = self._scope_with(key)
        assert scope is not None, "an element has been computed"
        number = ("number", *key)
        if number not in scope.memo:
            with self.text.at(scope):
                scope.memo[number] = self.index_from(packet)
        index: Index = scope.memo[number]
        return index

    def _known(self, v: Value, index: Sequence[Index | int]) -> Packet | None:
        key = (v, index_key(index), self.lanes)
        scope = self._scope_with(key)
        found: Packet | None = None if scope is None else scope.memo[key]
        return found

    def _scope_with(self, key: Hashable) -> Scope | None:
        """The innermost scope that knows what `key` is, of those that enclose this one."""
        scope: Scope | None = self.text.scope
        while scope is not None and key not in scope.memo:
            scope = scope.parent
        return scope

    def _compute(self, v: Value, index: tuple[Index, ...]) -> None:
        scope = self.text.scope if v in self.pinned else self.scope_of(index)
        with self.text.at(scope):
            buffer = self.buffers.get(v)
            if buffer is not None:
                packets = {v: self.load(buffer, index)}
            else:
                packets = self._apply(v, index)
        for value, packet in packets.items():
            scope.memo[value, index, self.lanes] = packet

    def _apply(self, v: Value, index: tuple[Index, ...]) -> dict[Value, Packet]:
        op = v.op
        assert op is not None, "a parameter without a buffer"
        if op.defn.name == "const":
            return {v: self.literal(op.attr("value"), index)}
        if op.defn.emit is None:
            raise AssertionError(f"{op.defn.name} is a hero, not an element")
        out = op.defn.emit(self, index, *[Element(self, x) for x in op.operands], **op.kwargs)
        packets = out if isinstance(out, tuple) else (out,)
        return dict(zip(op.results, packets, strict=True))

    def put(self, v: Value, index: Sequence[Index | int], packet: Packet) -> None:
        """From here to the end of this scope, `packet` is the packet of `v` at `index`."""
        self.text.scope.memo[v, index_key(index), self.lanes] = packet

    def load(self, buffer: Buffer, index: Sequence[Index | int]) -> Packet:
        """The elements of a buffer at `index`."""
        flat = row_major(index, buffer.type.shape or ())
        return self.memory.load(buffer.ptr, buffer.type.dtype, flat, self.lanes)

    def store(
        self, buffer: Buffer, index: Sequence[Index | int], packet: Packet, mask: V | None = None
    ) -> None:
        flat = row_major(index, buffer.type.shape or ())
        self.memory.store(buffer.ptr, buffer.type.dtype, flat, packet, mask)

    def scope_of(self, index: Sequence[Index | int]) -> Scope:
        """The outermost scope in which all of `index` is known."""
        deepest = self.text.root
        for i in index:
            scope = as_index(i).scope(self.text.root)
            if scope.depth > deepest.depth:
                deepest = scope
        return deepest

    def literal(self, literal: Literal, index: Sequence[Index | int]) -> Packet:
        """An element of a constant array: in place if all are equal, else from a global."""
        array, dtype = literal.array, literal.type.dtype
        raw = np.ascontiguousarray(array).reshape(-1)
        if array.size and (raw.view(np.uint8).reshape(raw.size, -1) == _bytes(raw[0])).all():
            return self.const(dtype, raw[0])
        body = "".join(f"\\{b:02x}" for b in raw.tobytes())
        name = f"@KERNEL.{len(self.text.globals)}"
        size = raw.nbytes
        line = f'{name} = private constant [{size} x i8] c"{body}", align 64'
        for known in self.text.globals:
            if known.partition(" ")[2] == line.partition(" ")[2]:
                name = known.partition(" ")[0]
                break
        else:
            self.text.globals.append(line)
        return self.load(Buffer(V(name, "ptr"), literal.type), index)

    # -- folds ----------------------------------------------------------------------------------
    def fold(
        self,
        extents: Sequence[int],
        init: Packet,
        body: Callable[[tuple[Index, ...], Packet], Packet],
    ) -> Packet:
        """acc = body(r, acc) for each r of the extents in row-major order, starting from init."""
        if any(extent == 0 for extent in extents):
            return init
        if math.prod(extents) <= UNROLLED_FOLD:
            acc = init
            for position in itertools.product(*(range(extent) for extent in extents)):
                acc = body(tuple(Index(p) for p in position), acc)
            return acc
        return self._fold(tuple(extents), (), init, body)

    def _fold(
        self,
        extents: tuple[int, ...],
        done: tuple[Index, ...],
        acc: Packet,
        body: Callable[[tuple[Index, ...], Packet], Packet],
    ) -> Packet:
        if not extents:
            return body(done, acc)
        with self.text.loop(0, extents[0], carried=parts(acc)) as loop:
            r = self.loop_axis(loop, extents[0])
            out = self._fold(extents[1:], (*done, r), with_parts(acc, loop.carried), body)
            loop.next(parts(out))
        return with_parts(acc, loop.results)


def parts(packet: Packet) -> list[V]:
    """The one or two LLVM values of a packet."""
    return [packet.value] if isinstance(packet.value, V) else list(packet.value)


def with_parts(like: Packet, values: Sequence[V]) -> Packet:
    """A packet of the dtype of `like`, made of `values`."""
    value = values[0] if len(values) == 1 else tuple(values)
    return Packet(value, like.dtype)


def _bytes(element: Any) -> np.ndarray:
    return np.frombuffer(np.asarray(element).tobytes(), np.uint8)


def _same_index_operands(v: Value) -> Sequence[Value]:
    """Operands that the rule of v's op reads at v's own index, if it is elementwise."""
    op = v.op
    if op is None or op.defn.name not in ELEMENTWISE:
        return ()
    return op.operands
