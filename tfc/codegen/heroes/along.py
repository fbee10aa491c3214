"""Inner products along memory: the lanes of a packet are neighbouring steps of the inner loop.

For products of a vector with a matrix whose rows lie along the inner loop (and of two vectors),
where copying the matrix in another order would cost more than the products; and for products with
fewer columns than a packet has lanes, which packets of columns would leave empty. A tile is some
rows of a with as many columns as a packet has lanes. Lane l of a column's sum takes the steps l,
l + lanes, ..., and the lanes are added as a tree of halves: an order that shapes and target alone
decide. Long sums are made of blocks, added in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.base import dtypes
from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes.dot_plan import Tile
from tfc.codegen.heroes.micro import Side, Step, load_packet
from tfc.codegen.heroes.pack import turned
from tfc.codegen.heroes.ranges import value_of
from tfc.codegen.memory import lane_numbers
from tfc.codegen.packets import REGISTER
from tfc.codegen.values import V, const, i64, vec, vector_const


class AlongKernel:
    """Some rows of a by `cols` columns of b. Gives packets of `cols` sums for each row. `lanes`: of
    packets along the innermost step, which is 1 in a and in b. blocks: the sums given to `run`
    are added to what it finds."""

    def __init__(
        self,
        e: Emitter,
        tile: Tile,
        cols: int,
        a: Side,
        b: Side,
        lanes: int,
        blocks: bool = False,
    ):
        self.e, self.t = e, e.text
        self.rows, self.streams, self.blocks = tile.rows, tile.streams, blocks
        self.cols, self.width, self.lanes = cols, lanes, tile.lanes
        self.packets = -(-cols // tile.lanes)
        self.a, self.b = a, b
        self.element = REGISTER[a.dtype]
        self.type = vec(self.element, tile.lanes)
        self.floats = a.dtype in dtypes.FLOATS

    def zeros(self) -> list[V]:
        """The sums before the first step."""
        return [const(self.type, 0)] * (self.rows * self.packets)

    def run(self, steps: Sequence[Step], a: V, b: V, sums: Sequence[V]) -> list[V]:
        """The sums after all `steps`; they start at zero, or at those of the blocks before."""
        zero = const(vec(self.element, self.width), 0)
        parts: list[list[V]] = [[] for _ in range(self.rows)]
        for first in range(0, self.cols, self.streams):
            some = min(self.streams, self.cols - first)
            at = self.t.gep(b, first * self.b.stride, self.b.element)
            found = self._loops(steps, a, at, [zero] * (self.rows * some))
            for row, mine in enumerate(parts):
                mine += found[row * some : (row + 1) * some]
        done = []
        for mine in parts:
            groups = (mine[n : n + self.lanes] for n in range(0, self.cols, self.lanes))
            done += [self._folded(g[0]) if self.lanes == 1 else self._tree(g) for g in groups]
        if not self.blocks:
            return done
        return [self._add(before, now) for before, now in zip(sums, done, strict=True)]

    def _loops(self, steps: Sequence[Step], a: V, b: V, parts: Sequence[V]) -> list[V]:
        t, head, rest = self.t, steps[0], steps[1:]
        if rest:
            with t.loop(0, head.extent, carried=(a, b, *parts)) as loop:
                at, bt, *now = loop.carried
                now = self._loops(rest, at, bt, now)
                at, bt = t.gep(at, head.a, self.a.element), t.gep(bt, head.b, self.b.element)
                loop.next((at, bt, *now))
            return loop.results[2:]
        extent, now = head.extent, list(parts)
        whole: int | V
        if isinstance(extent, int):
            whole = extent - extent % self.width
        else:
            whole = t.op("and", extent, i64(-self.width))
        if not isinstance(whole, int) or whole:
            with t.loop(0, whole, self.width, carried=now) as steps_loop:
                steps_loop.next(self._step(a, b, steps_loop.index, steps_loop.carried, None))
            now = steps_loop.results
        if not isinstance(extent, int) or not isinstance(whole, int):
            return self._rest(extent, whole, a, b, now)
        if whole < extent:
            mask = vector_const("i1", [lane < extent - whole for lane in range(self.width)])
            now = self._step(a, b, i64(whole), now, mask)
        return now

    def _rest(self, extent: int | V, whole: int | V, a: V, b: V, parts: Sequence[V]) -> list[V]:
        """The steps after the last whole packet, if there are, of a block that ends anywhere."""
        t = self.t
        with t.loop(value_of(whole), value_of(extent), self.width, carried=list(parts)) as loop:
            left = t.splat(t.op("sub", value_of(extent), loop.index), self.width)
            mask = t.cmp("slt", lane_numbers(self.width), left)
            loop.next(self._step(a, b, loop.index, loop.carried, mask))
        return loop.results

    def _step(self, a: V, b: V, at: V, parts: Sequence[V], mask: V | None) -> list[V]:
        """One packet of inner steps. Lanes outside the mask keep their sums: zeros are loaded
        there on both sides, and a sum that is zero so far may not become -0.0 or NaN."""
        t, out = self.t, list(parts)
        some = len(parts) // self.rows
        left = [self._packet(a, row, self.a, at, mask) for row in range(self.rows)]
        for column in range(some):
            right = self._packet(b, column, self.b, at, mask)
            for row in range(self.rows):
                place = row * some + column
                if self.floats:
                    out[place] = t.fma(left[row], right, out[place])
                else:
                    out[place] = t.op("add", out[place], t.op("mul", left[row], right))
        return out

    def _packet(self, ptr: V, line: int, side: Side, at: V, mask: V | None) -> V:
        """Inner steps from `at` on of a row of a, or of a column of b."""
        t = self.t
        here = t.gep(t.gep(ptr, at, side.element), line * side.stride, side.element)
        raw = load_packet(self.e, here, side, self.width, mask)
        return self.e.arithmetic.to_register(raw, side.dtype)

    def _add(self, a: V, b: V) -> V:
        return self.t.op("fadd" if self.floats else "add", a, b)

    def _folded(self, part: V) -> V:
        """The sum of all lanes, as a scalar."""
        t, width = self.t, self.width
        while width > 2:
            half = width // 2
            low = t.shuffle(part, None, range(half))
            part = self._add(low, t.shuffle(part, None, range(half, width)))
            width = half
        return part if width == 1 else self._add(t.extract(part, 0), t.extract(part, 1))

    def _tree(self, parts: Sequence[V]) -> V:
        """The packet whose lane c is the sum of all lanes of part c: each round adds halves of
        two parts and leaves both results in one packet."""
        t, lanes, half = self.t, self.width, self.width // 2
        zero = const(vec(self.element, lanes), 0)
        now: list[V | None] = [*parts, *[None] * (lanes - len(parts))]
        while half:
            low, high = [], []
            for lane in range(lanes):
                block = lane & half
                low.append(lane + lanes - half if block else lane)
                high.append(lane + lanes if block else lane + half)
            folded: list[V | None] = []
            for a, b in zip(now[:half], now[half : 2 * half], strict=True):
                both = (a, b or zero) if a else None
                folded.append(both and self._add(t.shuffle(*both, low), t.shuffle(*both, high)))
            now = folded
            half //= 2
        assert now[0] is not None, "there is a first column"
        return now[0]


class LinePacker:
    """Copies `cols` neighbouring columns of b so that each lies along the inner steps, `stride`
    elements apart. Lines end in room for a whole packet."""

    def __init__(self, e: Emitter, dtype: str, cols: int, lanes: int, stride: int):
        self.e, self.t = e, e.text
        self.source, self.panel = Side(dtype, 1), Side(dtype, stride)
        self.cols, self.lanes = cols, lanes

    def run(self, step: Step, b: V, panel: V) -> None:
        """Copy all of `step` from the elements at `b` on."""
        t, extent, element = self.t, step.extent, self.source.element
        whole: int | V
        if isinstance(extent, int):
            whole = extent - extent % self.lanes
        else:
            whole = t.op("and", extent, i64(-self.lanes))
        if not isinstance(whole, int) or whole:
            with t.loop(0, whole, self.lanes) as loop:
                self._square(step, b, panel, loop.index, self.lanes)
        if isinstance(extent, int) and isinstance(whole, int):
            if whole < extent:
                self._square(step, b, panel, i64(whole), extent - whole)
            return
        with t.loop(value_of(whole), value_of(extent)) as loop:
            at = t.gep(b, t.mul(loop.index, step.b), element)
            for column in range(self.cols):
                value = t.load(element, t.gep(at, column, element), self.source.size)
                to = t.gep(panel, t.add(loop.index, i64(column * self.panel.stride)), element)
                t.store(value, to, self.source.size)

    def _square(self, step: Step, b: V, panel: V, at: V, count: int) -> None:
        """`count` steps from `at` on, no more than a packet has lanes."""
        t, lanes, element = self.t, self.lanes, self.source.element
        start = t.gep(b, t.mul(at, step.b), element)
        to = t.gep(panel, at, element)
        for first in range(0, self.cols, lanes):
            some, mask = min(lanes, self.cols - first), None
            if some < lanes:
                mask = vector_const("i1", [lane < some for lane in range(lanes)])
            places = [t.gep(start, n * step.b + first, element) for n in range(count)]
            lines = [load_packet(self.e, p, self.source, lanes, mask) for p in places]
            lines += [const(lines[0].type, 0)] * (lanes - count)
            for column, line in enumerate(turned(self.e, lines)[:some], first):
                place = t.gep(to, column * self.panel.stride, element)
                t.store(line, place, self.source.size)
