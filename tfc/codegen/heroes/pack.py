"""Copying a panel of b to scratch: [inner steps][columns of a tile], in the register form.

Packets of a panel are whole; what its lanes past the last column hold is never used. Columns that
are no neighbours in memory but contiguous along the inner loop are turned in registers, in squares
of 128 bits by as many columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes.micro import Side, Step, load_packet, turns
from tfc.codegen.packets import REGISTER
from tfc.codegen.values import V, i64, lanes_of, vector_const
from tfc.prims.contract_plan import FAR_BYTES

STAGED = 64  # inner steps copied at a time when columns lie far apart


class Packer:
    """Copies panels of `cols` columns that lie `stride` elements apart. `lanes` columns make a
    packet; `width` is the number of elements between inner steps in the panel."""

    def __init__(self, e: Emitter, dtype: str, cols: int, stride: int, lanes: int):
        self.e, self.t = e, e.text
        self.cols, self.stride, self.lanes = cols, stride, lanes
        self.source = Side(dtype, stride)
        self.element = REGISTER[dtype]
        self.packets = -(-cols // lanes)
        self.width = self.packets * lanes
        self.group = min(lanes, 2 if self.element in ("double", "i64") else 4)
        self.size = max(1, {"float": 4, "double": 8}.get(self.element, self.source.size))

    def run(self, steps: Sequence[Step], b: V, panel: V) -> None:
        """Copy all `steps` from the elements at `b` on to `panel`."""
        head, rest = steps[0], steps[1:]
        if rest:
            inner = turns(rest)
            with self.t.loop(0, head.extent, carried=(b, panel)) as loop:
                source, target = loop.carried
                self.run(rest, source, target)
                loop.next((self._from(source, head.b), self._to(target, inner * self.width)))
        elif self.stride == 1:
            self._copy(head, b, panel)
        elif head.b == 1 and self.lanes > 1:
            self._turn(head, b, panel)
        else:
            self._collect(head, b, panel)

    def _from(self, ptr: V, elements: int) -> V:
        return self.t.gep(ptr, elements, self.source.element)

    def _to(self, ptr: V, elements: int) -> V:
        return self.t.gep(ptr, elements, self.element)

    def _mask(self, packet: int) -> V | None:
        left = self.cols - packet * self.lanes
        if left >= self.lanes:
            return None
        return vector_const("i1", [lane < left for lane in range(self.lanes)])

    def _put(self, raw: V, panel: V) -> None:
        value = self.e.arithmetic.to_register(raw, self.source.dtype)
        self.t.store(value, panel, self.size)

    def _copy(self, step: Step, b: V, panel: V) -> None:
        """Columns are neighbours."""
        with self.t.loop(0, step.extent, carried=(b, panel)) as loop:
            source, target = loop.carried
            for p in range(self.packets):
                at = self._from(source, p * self.lanes)
                raw = load_packet(self.e, at, self.source, self.lanes, self._mask(p))
                self._put(raw, self._to(target, p * self.lanes))
            loop.next((self._from(source, step.b), self._to(target, self.width)))

    def _turn(self, step: Step, b: V, panel: V) -> None:
        """Inner steps are neighbours: `group` of them are turned in registers at a time."""
        t, group, extent = self.t, self.group, step.extent
        near = self.stride * self.source.size < FAR_BYTES
        block = group if near else STAGED
        if isinstance(extent, int):
            whole: int | V = extent - extent % block
        else:
            whole = t.op("and", extent, i64(-block))
        carried = [b, panel]
        if not isinstance(whole, int) or whole:
            with t.loop(0, whole, block, carried=carried) as loop:
                source, target = loop.carried
                self._each_packet(source, target, block, staged=not near)
                loop.next((self._from(source, block), self._to(target, block * self.width)))
            carried = loop.results
        self._turn_rest(whole, extent, block, carried)

    def _turn_rest(self, done: int | V, extent: int | V, block: int, carried: Sequence[V]) -> None:
        """Steps after the last whole block."""
        t, group = self.t, self.group
        if not isinstance(extent, int):
            with t.loop(done, extent, carried=carried) as loop:
                source, target = loop.carried
                self._column_by_column(source, target)
                loop.next((self._from(source, 1), self._to(target, self.width)))
            return
        left = extent % block
        if left >= group:
            with t.loop(0, left - left % group, group, carried=carried) as loop:
                source, target = loop.carried
                self._each_packet(source, target, group)
                loop.next((self._from(source, group), self._to(target, group * self.width)))
            carried = loop.results
        if left % group:
            self._each_packet(carried[0], carried[1], left % group)

    def _each_packet(self, b: V, panel: V, steps: int, staged: bool = False) -> None:
        """`steps` inner steps of all columns."""
        turn = self._turn_staged if staged else self._turn_packet
        whole = self.cols // self.lanes
        if whole:
            # A loop: written out for several packets, this takes LLVM long to compile.
            with self.t.loop(0, whole, carried=(b, panel)) as loop:
                source, target = loop.carried
                turn(source, target, steps, self.lanes, self.stride)
                moved = self._from(source, self.lanes * self.stride)
                loop.next((moved, self._to(target, self.lanes)))
            b, panel = loop.results
        if self.cols % self.lanes:
            turn(b, panel, steps, self.cols % self.lanes, self.stride)

    def _turn_staged(self, b: V, panel: V, steps: int, cols: int, stride: int) -> None:
        """One packet of columns that lie so far apart that few of them fit into the cache
        together: their steps are first copied to where they do."""
        t, line, element = self.t, steps + self.lanes, self.source.element
        stage = t.alloca(f"[{self.lanes * line} x {element}]")
        chunk = min(steps, self.lanes)
        with t.loop(0, cols, carried=(b, stage)) as loop:
            source, target = loop.carried
            for k in range(0, steps, chunk):
                raw = load_packet(self.e, self._from(source, k), self.source, chunk, None)
                t.store(raw, t.gep(target, k, element), self.source.size)
            loop.next((self._from(source, stride), t.gep(target, line, element)))
        with t.loop(0, steps, self.group, carried=(stage, panel)) as loop:
            source, target = loop.carried
            self._turn_packet(source, target, self.group, cols, line)
            loop.next((self._from(source, self.group), self._to(target, self.group * self.width)))

    def _turn_packet(self, b: V, panel: V, steps: int, cols: int, stride: int) -> None:
        """At most `group` steps of one packet, `cols` columns of which exist.

        Packet j of `lines` holds a group of steps of the columns j, j + group, j + 2 group, ...;
        turning each square of group x group within it gives one packet of columns per step.
        """
        group, mask = self.group, None
        if steps < group:
            mask = vector_const("i1", [k < steps for k in range(group)])
        lines = []
        for j in range(group):
            pieces = []
            for column in range(j, self.lanes, group):
                # Lanes past the last column repeat it, which keeps the load in bounds.
                at = self._from(b, min(column, cols - 1) * stride)
                pieces.append(load_packet(self.e, at, self.source, group, mask))
            lines.append(self._joined(pieces))
        for k, line in enumerate(turned(self.e, lines)[:steps]):
            self._put(line, self._to(panel, k * self.width))

    def _joined(self, pieces: Sequence[V]) -> V:
        """Packets one after the other, as one; their number is a power of two."""
        now = list(pieces)
        while len(now) > 1:
            width = 2 * lanes_of(now[0].type)
            pairs = zip(now[::2], now[1::2], strict=True)
            now = [self.t.shuffle(a, b, range(width)) for a, b in pairs]
        return now[0]

    def _collect(self, step: Step, b: V, panel: V) -> None:
        """Neither columns nor inner steps are neighbours."""
        with self.t.loop(0, step.extent, carried=(b, panel)) as loop:
            source, target = loop.carried
            self._column_by_column(source, target)
            loop.next((self._from(source, step.b), self._to(target, self.width)))

    def _column_by_column(self, source: V, target: V) -> None:
        """One inner step."""
        with self.t.loop(0, self.cols, carried=(source, target)) as loop:
            at, to = loop.carried
            self._put(self.t.load(self.source.element, at, self.source.size), to)
            loop.next((self._from(at, self.stride), self._to(to, 1)))


def copy_rows(e: Emitter, side: Side, source: V, target: V, rows: tuple[V, V], step: Step) -> None:
    """Copy elements [lo, hi) of each of the steps, which lie step.a apart in `source` and step.b in
    `target`. Their number is a multiple of a packet's lanes."""
    t, element = e.text, side.element
    lo, hi = rows
    count = t.op("sub", hi, lo)
    with t.loop(0, step.extent, carried=(t.gep(source, lo, element), target)) as steps:
        at, to = steps.carried
        with t.loop(i64(0), count, e.lanes) as loop:
            packet = load_packet(e, t.gep(at, loop.index, element), side, e.lanes, None)
            t.store(packet, t.gep(to, loop.index, element), side.size)
        steps.next((t.gep(at, step.a, element), t.gep(to, step.b, element)))


def turned(e: Emitter, lines: Sequence[V]) -> list[V]:
    """Squares turned: with n packets seen as rows of squares n x n side by side, each square is
    transposed. log2(n) rounds; each swaps blocks of `half` lanes between packets `half` apart.
    """
    t, now = e.text, list(lines)
    lanes, half = lanes_of(now[0].type), len(lines) // 2
    while half:
        if half == 2:
            return [v for k in range(0, len(now), 4) for v in _fours_turned(e, now[k : k + 4])]
        low, high = [], []
        for lane in range(lanes):
            block = lane & half
            low.append(lane + lanes - half if block else lane)
            high.append(lane + lanes if block else lane + half)
        for k in range(len(now)):
            if not k & half:
                a, b = now[k], now[k + half]
                now[k], now[k + half] = t.shuffle(a, b, low), t.shuffle(a, b, high)
        half //= 2
    return now


def _fours_turned(e: Emitter, lines: Sequence[V]) -> list[V]:
    """The last two rounds for four packets, as interleavings within 128 bits: these need no packets
    of lane numbers, which LLVM would keep in registers all through the kernel."""
    t, lanes = e.text, lanes_of(lines[0].type)

    def both(a: V, b: V, places: Sequence[int]) -> V:
        first = range(0, lanes, 4)
        return t.shuffle(a, b, [k + (p if p < 4 else p - 4 + lanes) for k in first for p in places])

    ones = [both(a, b, w) for w in ((0, 4, 1, 5), (2, 6, 3, 7)) for a, b in (lines[:2], lines[2:])]
    return [both(a, b, w) for a, b in (ones[:2], ones[2:]) for w in ((0, 1, 4, 5), (2, 3, 6, 7))]


def register_dtype(dtype: str) -> str:
    """What a panel of b holds."""
    return "f32" if dtype in ("f16", "bf16") else dtype


def packed_steps(steps: Sequence[Step], width: int) -> list[Step]:
    """The steps of a and of a packed panel."""
    out: list[Step] = []
    for k, step in enumerate(steps):
        out.append(Step(step.extent, step.a, turns(steps[k + 1 :]) * width))
    return out
