"""The loop nest of a contraction around the microkernel: parts, panels, tiles, epilogue.

    for chunk: for outer: for column tile: for block of the inner loop:
        copy the panel of b                                    (if packed)
        for band: for row tile: sums = microkernel; last block: finish, else: keep sums in scratch

A last row tile that would stick out is moved back so that it ends with the part; the rows it
shares with the tile before are computed twice and finished once. So one microkernel serves all
rows. The last columns have a narrower one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from tfc.base.records import dataclass
from tfc.codegen.emitter import Emitter
from tfc.codegen.heroes import turned
from tfc.codegen.heroes.along import AlongKernel, LinePacker
from tfc.codegen.heroes.dot_plan import Tile
from tfc.codegen.heroes.kept import KeptPanels
from tfc.codegen.heroes.micro import Microkernel, Side, Step
from tfc.codegen.heroes.pack import Packer, copy_rows, packed_steps, register_dtype
from tfc.codegen.heroes.parts import Group, Left, Parts
from tfc.codegen.heroes.ranges import (
    Range,
    as_number,
    part_range,
    share_range,
    static,
    unravel,
    value_of,
)
from tfc.codegen.index import Index, as_index
from tfc.codegen.packets import REGISTER, Packet
from tfc.codegen.values import V, const, i64, vector_const
from tfc.prims.contract_plan import Split
from tfc.prims.loop_nest import Contraction, Dim, ceil_div

Finish = Callable[[tuple[Index, ...], Packet], None]

STRAIGHT_FINISH = 48  # packets x ops of the epilogue that are written out without a loop


@dataclass(frozen=True)
class Place:
    """Where the loops stand: offsets in a and b (elements), and the indices of the result's axes
    known so far."""

    a: V
    b: V
    index: dict[int, V]


@dataclass(frozen=True)
class Block:
    """Where a block of the inner loop begins, its loops, whether sums have been started and whether
    they end with it (None: there is one block), and how many steps come before it."""

    place: Place
    steps: Sequence[Step]
    started: V | None
    last: V | None
    before: V = i64(0)


class Contract:
    """Writes the loops of one contraction. finish(index, packet) gets each packet of the result;
    `weight` is about how many instructions that takes; `wide`: lanes of packets along the inner
    loop; `joined`: where a lies, if in parts."""

    def __init__(
        self,
        e: Emitter,
        c: Contraction,
        split: Split,
        tile: Tile,
        finish: Finish,
        weight: int = 1,
        wide: int = 1,
        joined: Parts | None = None,
    ):
        self.e, self.t = e, e.text
        self.c, self.split, self.tile, self.finish, self.weight = c, split, tile, finish, weight
        self.wide, self.joined = wide, joined
        self.register = REGISTER[c.dtype]
        self.size = {"float": 4, "double": 8}.get(self.register) or int(self.register[1:]) // 8
        steps = [Step(d.extent, d.a, d.b) for d in c.inner]
        around = prod(d.extent for d in c.inner[: split.cut])
        self.cuts = ceil_div(c.inner[split.cut].extent, split.block) if split.block else 1
        self.blocks = around * self.cuts
        self.steps = steps
        self.empty = c.depth == 0
        self.block_range: Range = (0, self.blocks)
        self.slice = Index(0)
        self.ahead = i64(0)  # columns of the part before the tile
        self.kept: KeptPanels | None = None
        self.first = V("false", "i1")  # whether this is the first tile of a panel
        groups = (joined.groups if joined else ()) or (split.extents[2], c.row.extent)
        self.exact = not any(rows % tile.rows for rows in groups)
        # A result that does not fit into few registers' worth of code is finished from memory.
        packets = tile.rows * tile.packets
        self.from_memory = not self.exact or packets * weight > STRAIGHT_FINISH

    def chunks(self, lo: V | int, hi: V | int, a: V, b: V, scratch: V | None, room: V) -> None:
        """Do chunks [lo, hi). a, b: the operands' first elements. room: the number of the chunk
        whose scratch they use."""
        t, parts = self.t, self.split.parts
        panel = partial = V("null", "ptr")
        if scratch is not None and self.split.each:
            panel = t.gep(scratch, t.mul(room, self.split.each), "i8")
            partial = t.gep(panel, self.split.panel, "i8")
        with t.loop(lo, hi) as loop:
            # Neighbouring chunks, which one thread does, share columns: weights are written and
            # read again by the thread whose columns they are. Of an image they share bands.
            order = (0, 3, 1, 2) if self.c.strips == 1 else (0, 1, 2, 3)
            extents = [self.split.slices, *(parts[k] for k in order)]
            slice, *numbers = unravel(t, loop.index, extents)
            if self.split.slices > 1:
                self.slice = as_index(self.e.axis(as_number(slice), 0, self.split.slices - 1))
                self.block_range = share_range(t, slice, self.split.slices, self.blocks)
            ranges: list[Range] = [(0, 0)] * len(parts)
            for k, n in zip(order, numbers, strict=True):
                ranges[k] = part_range(t, n, self.split.extents[k], self._whole()[k])
            if self.kept is not None:
                self.kept.of_part(n for k, n in zip(order, numbers, strict=True) if k != 3)
            self.ranges(ranges, a, b, panel, partial)

    def _whole(self) -> tuple[int, int, int, int]:
        c = self.c
        return c.batches, c.strips, c.row.extent, c.col.extent

    def ranges(self, ranges: Sequence[Range], a: V, b: V, panel: V, partial: V) -> None:
        """Do the given ranges of outer, bands, rows and cols."""
        t = self.t
        self.panel, self.partial = panel, partial
        outer, self.bands, self.rows, cols = ranges
        with t.loop(*outer) as loop:
            index, at, bt = self._locate(loop.index, self.c.outer, a, b)
            if self.split.strip:
                at = self._copied(at, t.gep(partial, self.split.partial, "i8"))
            place = Place(at, bt, index)
            if self.split.together:
                self._blocks(place, lambda b: self._columns(cols, lambda n, w: self._tile(b, n, w)))
            else:
                self._columns(cols, lambda n, w: self._blocks(place, lambda b: self._tile(b, n, w)))

    def _columns(self, cols: Range, body: Callable[[V, int], None]) -> None:
        """body(column, width) for the tiles of a range of columns."""
        t, (lo, hi), tile, extent = self.t, cols, self.tile, self.c.col.extent
        whole = extent - tile.tail
        if whole:
            end: V | int = whole
            if not isinstance(hi, int):
                end = t.minimum(hi, i64(whole))
            with t.loop(lo, end, tile.cols) as columns:
                self.ahead = t.op("sub", columns.index, value_of(lo))
                body(columns.index, tile.cols)
        if tile.tail and isinstance(hi, int):
            self.ahead = i64(whole - lo) if isinstance(lo, int) else t.op("sub", i64(whole), lo)
            body(i64(whole), tile.tail)
        elif tile.tail:
            with t.when(t.cmp("eq", value_of(hi), i64(extent))):
                self.ahead = t.op("sub", i64(whole), value_of(lo))
                body(i64(whole), tile.tail)

    def _blocks(self, place: Place, body: Callable[[Block], None]) -> None:
        """The blocks of the inner loop, one after the other."""
        t, inner, split = self.t, self.c.inner, self.split
        if self.empty or self.blocks == 1:
            body(Block(place, () if self.empty else self._steps(inner[0].extent), None, None))
            return
        first = inner[split.cut]
        lo, hi = (value_of(end) for end in self.block_range)
        with t.loop(lo, hi) as block:
            extents = [*(d.extent for d in inner[: split.cut]), self.cuts]
            *around, number = unravel(t, block.index, extents)
            a, b = place.a, place.b
            start = t.mul(number, split.block)
            left = t.op("sub", i64(first.extent), start)
            extent: V | int = split.block
            if first.extent % split.block:
                extent = t.minimum(left, i64(split.block))
            steps = self._steps(extent)
            for d, n in zip(inner[: split.cut], around, strict=True):
                a, b = (
                    t.gep(a, t.mul(n, d.a), self._a.element),
                    t.gep(b, t.mul(n, d.b), self._b.element),
                )
            a = t.gep(a, t.mul(start, steps[0].a), self._a.element)
            b = t.gep(b, t.mul(start, steps[0].b), self._b.element)
            started = last = None
            if split.slices < self.blocks:
                started = t.cmp("ne", block.index, lo)
                last = t.cmp("eq", block.index, t.add(hi, i64(-1)))
            rest = prod(d.extent for d in inner[split.cut + 1 :])
            before = t.mul(start, rest)
            for k, n in enumerate(around):
                before = t.add(before, t.mul(n, prod(d.extent for d in inner[k + 1 :])))
            body(Block(Place(a, b, place.index), steps, started, last, before))

    def _steps(self, extent: V | int) -> list[Step]:
        """The loops of a block of `extent` steps."""
        first = self.c.inner[self.split.cut]
        return [
            Step(extent, self.split.strip or first.a, first.b),
            *self.steps[self.split.cut + 1 :],
        ]

    def _locate(self, flat: V, dims: Sequence[Dim], a: V, b: V) -> tuple[dict[int, V], V, V]:
        """Indices of `dims` at flat position `flat`, and the pointers moved there."""
        t, index = self.t, {}
        numbers = unravel(t, flat, [d.extent for d in dims])
        for d, number in zip(dims, numbers, strict=True):
            if d.axis >= 0:
                index[d.axis] = number
            a = t.gep(a, t.mul(number, d.a), self._a.element)
            b = t.gep(b, t.mul(number, d.b), self._b.element)
        return index, a, b

    @property
    def _a(self) -> Side:
        return Side(self.c.dtype, self.c.row.a)

    @property
    def _b(self) -> Side:
        return Side(self.c.dtype, self.tile.lanes)

    def _copied(self, a: V, to: V) -> V:
        """A copy of the rows of the range, as if all rows began there."""
        t, first, side = self.t, self.c.inner[0], self._a
        lo, hi = (value_of(bound) for bound in self.rows)
        copy_rows(self.e, side, a, to, (lo, hi), Step(first.extent, first.a, self.split.strip))
        return t.gep(to, t.op("sub", i64(0), lo), side.element)

    # -- one column tile ---------------------------------------------------------------------------
    def _tile(self, block: Block, col: V, cols: int) -> None:
        """All rows of the range for `cols` columns from `col` on: the steps of one block."""
        t, c, tile, steps = self.t, self.c, self.tile, list(block.steps)
        source = t.gep(block.place.b, t.mul(col, c.col.b), self._b.element)
        if self.split.along and steps:
            side = Side(c.dtype, c.col.b)
            if self.split.pack:
                side = Side(c.dtype, self.split.line)
                packer = LinePacker(self.e, c.dtype, cols, tile.lanes, side.stride)
                packer.run(steps[0], source, self.panel)
                source, steps = self.panel, [Step(steps[0].extent, steps[0].a, 1)]
            blocks = block.started is not None
            along = AlongKernel(self.e, tile, cols, self._a, side, self.wide, blocks)

            def lines(a: Left, sums: Sequence[V]) -> Sequence[V]:
                assert isinstance(a, V), "only whole operands are read along the inner loop"
                return along.run(steps, a, source, sums)

            self._rows(along, lines, block, col, cols)
            return
        micro = self._micro(cols, self._b, masked=True)
        if not steps:
            self._rows(micro, lambda a, sums: sums, block, col, cols)
        elif self.kept is None and self.split.pack and c.col.b == 1:
            self._making_panel(micro, block, source, col, cols)
        elif self.kept or self.split.pack:
            self._from_panel(block, source, col, cols)
        else:
            self._rows(micro, lambda a, sums: micro.run(steps, a, source, sums), block, col, cols)

    def _micro(self, cols: int, b: Side, masked: bool) -> Microkernel:
        """The microkernel of a tile of `cols` columns; masked: no more of b may be read."""
        lanes, mask = self.tile.lanes, None
        if masked and cols % lanes:
            mask = vector_const("i1", [lane < cols % lanes for lane in range(lanes)])
        return Microkernel(self.e, self.tile.rows, ceil_div(cols, lanes), lanes, self._a, b, mask)

    def _making_panel(
        self, direct: Microkernel, block: Block, source: V, col: V, cols: int
    ) -> None:
        """All rows of the range: the first tile reads b, whose columns are neighbours, and makes
        the panel that the others read, so that what it waits for memory goes beside products."""
        steps, panel = block.steps, self.panel
        micro = self._micro(cols, Side(register_dtype(self.c.dtype), self.tile.lanes), False)
        packed = packed_steps(steps, micro.packets * micro.lanes)

        def either(a: Left, sums: Sequence[V]) -> Sequence[V]:
            if self.first.ref == "false":
                return micro.run(packed, a, panel, sums)
            return self.t.choose(
                self.first,
                lambda: direct.run(steps, a, source, sums, panel),
                lambda: micro.run(packed, a, panel, sums),
            )

        self._rows(micro, either, block, col, cols)

    def _from_panel(self, block: Block, source: V, col: V, cols: int) -> None:
        """All rows of the range, from a panel of the columns: one that is kept, or in scratch;
        where none is copied to scratch and none can be kept now, from b itself."""
        t, steps, kept = self.t, block.steps, self.kept
        packer = Packer(self.e, self.c.dtype, cols, self.c.col.b, self.tile.lanes)
        packed = packed_steps(steps, packer.width)
        micro = self._micro(cols, Side(register_dtype(self.c.dtype), self.tile.lanes), False)
        panel = self.panel
        if kept is None:
            packer.run(steps, source, panel)
        else:
            at = t.add(t.mul(col, self.c.depth), t.mul(block.before, packer.width))
            panel = kept.panel(at, self.register, panel)
            missing = kept.missing if self.split.pack else t.op("and", kept.used, kept.missing)
            with t.when(missing):
                packer.run(steps, source, panel)
        if kept is None or self.split.pack:
            self._rows(micro, lambda a, sums: micro.run(packed, a, panel, sums), block, col, cols)
            return
        direct, used = self._micro(cols, self._b, masked=True), kept.used

        def either(a: Left, sums: Sequence[V]) -> Sequence[V]:
            return t.choose(
                used,
                lambda: micro.run(packed, a, panel, sums),
                lambda: direct.run(steps, a, source, sums),
            )

        self._rows(micro, either, block, col, cols)

    def _rows(
        self,
        micro: Microkernel | AlongKernel,
        run: Callable[[Left, Sequence[V]], Sequence[V]],
        block: Block,
        col: V,
        cols: int,
    ) -> None:
        """All bands and row tiles for one panel. run(a, sums): the sums after the products of the
        rows at `a`; `micro` is of their form."""
        t, tile, place = self.t, self.tile, block.place
        started, last = block.started, block.last
        band_lo, row_lo = self.bands[0], value_of(self.rows[0])
        # Sums between blocks: one tile after the other.
        tiles = ceil_div(self.split.extents[2], tile.rows)
        bytes_each = tile.rows * micro.packets * tile.lanes * self.size
        before = self.partial
        if self.split.together and started is not None:
            column = self.split.extents[1] * tiles * tile.rows * self.size
            before = t.gep(before, t.mul(self.ahead, column), "i8")
        with t.loop(*self.bands) as bands:
            index, a, _ = self._locate(bands.index, self.c.bands, place.a, place.b)
            index = place.index | index
            first_band = t.cmp("eq", bands.index, value_of(band_lo))
            for number, (range, left) in enumerate(self._groups(a)):
                with t.loop(*range, tile.rows) as rows:
                    self.first = V("false", "i1")
                    if number == 0:
                        self.first = t.op("and", first_band, t.cmp("eq", rows.index, row_lo))
                    at, skip = self._row_tile(rows.index, range[1])
                    sums: Sequence[V] = micro.zeros()
                    keep = before
                    if started is not None:
                        band = t.op("sub", bands.index, value_of(band_lo))
                        ahead = t.op("udiv", t.op("sub", rows.index, row_lo), i64(tile.rows))
                        ahead = t.add(t.mul(band, tiles), ahead)
                        keep = t.gep(keep, t.mul(ahead, bytes_each), "i8")
                        sums = self._kept(micro, keep, started)
                    sums = run(left(at), sums)
                    if last is None:
                        self._finish(micro, sums, index, at, skip, col, cols)
                    else:
                        self._keep(micro, sums, keep)
                        with t.when(last):
                            self._finish(micro, sums, index, at, skip, col, cols)

    def _groups(self, a: V) -> list[Group]:
        """The rows of the range, as they lie together; those of a band begin at `a`."""
        t, row = self.t, self.c.row
        if self.joined is not None:
            return self.joined.of(t, self.rows)
        return [(self.rows, lambda at: t.gep(a, t.mul(at, row.a), self._a.element))]

    def _row_tile(self, row: V, end: V | int) -> tuple[V, V]:
        """The first row of the tile for `row`, and how many of its rows the tile before has; rows
        end at `end`."""
        if self.exact:
            return row, i64(0)
        t = self.t
        at = t.minimum(row, t.add(value_of(end), i64(-self.tile.rows)))
        if static(at) and static(row):
            return at, i64(int(row.ref) - int(at.ref))
        return at, t.op("sub", row, at)

    # -- sums between blocks -----------------------------------------------------------------------
    def _kept(self, micro: Microkernel | AlongKernel, keep: V, started: V) -> list[V]:
        """The sums of the blocks before; zeros in the first one."""
        t, out = self.t, []
        for k in range(micro.rows * micro.packets):
            at = t.gep(keep, k * micro.lanes, self.register)
            value = t.load(micro.type, at, self.size)
            out.append(t.select(started, value, const(micro.type, 0)))
        return out

    def _keep(self, micro: Microkernel | AlongKernel, sums: Sequence[V], keep: V) -> None:
        for k, value in enumerate(sums):
            self.t.store(value, self.t.gep(keep, k * micro.lanes, self.register), self.size)

    # -- results -----------------------------------------------------------------------------------
    def _finish(
        self,
        micro: Microkernel | AlongKernel,
        sums: Sequence[V],
        index: dict[int, V],
        at: V,
        skip: V,
        col: V,
        cols: int,
    ) -> None:
        """Hand the tile's packets from row `skip` on to the epilogue."""
        if self.c.turned:
            self._finish_turned(micro, sums, index, col, cols)
            return
        if not self.from_memory:
            for row in range(micro.rows):
                mine = sums[row * micro.packets : (row + 1) * micro.packets]
                self._finish_row(mine, index, self._axis(at, row), col, cols)
            return
        t = self.t
        stack = t.alloca(f"[{len(sums)} x {micro.type}]")
        self._keep(micro, sums, stack)
        width = micro.packets * micro.lanes
        with t.loop(skip if not static(skip) else int(skip.ref), micro.rows) as rows:
            line = t.gep(stack, t.mul(rows.index, width), self.register)
            mine = [
                t.load(micro.type, t.gep(line, p * micro.lanes, self.register), self.size)
                for p in range(micro.packets)
            ]
            row_index = self._axis(t.add(at, rows.index), 0)
            self._finish_row(mine, index, row_index, col, cols)

    def _finish_turned(
        self,
        micro: Microkernel | AlongKernel,
        sums: Sequence[V],
        index: dict[int, V],
        col: V,
        cols: int,
    ) -> None:
        """The same where neighbours of the result are rows; a tile has all of them."""
        e, c = self.e, self.c
        known = {axis: self._outer_axis(axis, v) for axis, v in index.items()}

        def give(place: tuple[Index, ...], packet: Packet) -> None:
            here = known | {c.col.axis: place[0], c.row.axis: place[1]}
            self.finish(tuple(here.get(axis, Index(0)) for axis in range(c.rank)), packet)

        turned.finish(e, sums, micro.rows, col, cols, c.col.extent, self.size, c.dtype, give)

    def _axis(self, at: V, ahead: int) -> Index:
        if static(at):
            return Index(int(at.ref) + ahead)
        last = self.c.row.extent - 1
        return as_index(self.e.axis(at, 0, max(last - ahead, 0))) + ahead

    def _finish_row(
        self,
        packets: Sequence[V],
        index: dict[int, V],
        row: Index,
        col: V,
        cols: int,
    ) -> None:
        e, c, lanes = self.e, self.c, self.tile.lanes
        known = {axis: self._outer_axis(axis, v) for axis, v in index.items()}
        for p, value in enumerate(packets):
            left = cols - p * lanes
            mask = None
            if left < lanes:
                mask = vector_const("i1", [lane < left for lane in range(lanes)])
            base = self.t.add(col, i64(p * lanes)) if static(col) else col
            ahead = 0 if static(col) else p * lanes
            last = c.col.extent - 1
            if static(base) and lanes == 1:
                packed = Index(int(base.ref))
            else:
                packed = self.e.axis(base, 0, last - ahead, packet=True, mask=mask) + ahead
            full = []
            for axis in range(c.rank):
                if axis == c.col.axis:
                    full.append(packed)
                elif axis == c.row.axis:
                    full.append(row)
                else:
                    full.append(known.get(axis, Index(0)))
            rounded = e.arithmetic.rounded(value, c.dtype)
            self.finish(tuple(full), Packet(rounded, c.dtype))

    def _outer_axis(self, axis: int, value: V) -> Index:
        if static(value):
            return Index(int(value.ref))
        extent = next(d.extent for d in (*self.c.outer, *self.c.bands) if d.axis == axis)
        return self.e.axis(value, 0, extent - 1)
