"""Convolutions of single channels (depthwise) and their gradients, of images where they lie.

Packets lie along the channels. Of a line of the result, a block of positions stands side by side in
registers; what one of them reads another may read at the next place of the filter, and such loads
are written once. Along the line it is known when the code is written which places of a filter
find an element; along the other axes that is a range, found for each line.

Sums over all lines (the gradient for the filter) are one part for each chunk's lines, and the parts
are added in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.channels import BLOCK, SIDE_BY_SIDE, group_packets
from tfc.codegen.heroes.contract import STRAIGHT_FINISH
from tfc.codegen.heroes.dot import chunk_bounds, epilogue_weight, operand_pointer
from tfc.codegen.heroes.loop import result_nest
from tfc.codegen.heroes.micro import Side, load_packet
from tfc.codegen.heroes.ranges import Range, part_range, unravel, value_of
from tfc.codegen.index import Index, row_major
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import REGISTER, Packet
from tfc.codegen.spaces import Probe, merged_axes, probe_axes
from tfc.codegen.values import V, const, i64, vec
from tfc.ir.core import Type
from tfc.prims.channel_plan import CHANNELS, ChannelPlan, Phase, Run, channel_plan, strides_of

FEW_SUMS = 12  # sums of a line's gradient that stand side by side


@dataclass(frozen=True)
class Span:
    """The places of the filter that find an element along one axis: how many, how far the first
    is in the operands (elements), and each is from the one before."""

    count: V | int
    a: V
    b: V
    a_step: int
    b_step: int


class ChannelWindows:
    """The loops of one kernel. a: what has windows; b: what goes with them, the filter or dy.
    Places of the filter, or their sums, are `f_strides` elements (`b_element`) apart."""

    def __init__(self, k: Kernel, plan: ChannelPlan, a: V, b: V):
        self.k, self.e, self.t, self.plan, self.a, self.b = k, k.e, k.t, plan, a, b
        self.side = Side(plan.dtype, 0)
        self.type = vec(REGISTER[plan.dtype], k.e.lanes)
        self.floats = plan.dtype in dtypes.FLOATS
        self.a_strides = strides_of(plan.source, plan.channels)
        self.result_strides = strides_of(plan.result, plan.channels)
        summed = k.op.attr("hero") == "conv_grad_filter"
        self.f_strides = strides_of(plan.window, plan.sums[2] if summed else plan.channels)
        register = REGISTER[plan.dtype]
        self.b_element = register if summed else self.side.element
        self.register_size = 4 if register == "float" else self.side.size
        self.mask: V | None = None

    # -- lines ----------------------------------------------------------------------------------
    def chunks(
        self,
        line: Callable[[dict[int, V], V, Range], None],
        start: Callable[[V, Range], None] = lambda part, groups: None,
    ) -> None:
        """start(part, groups) for each chunk of this call, and line(index, part, groups) for each
        of its lines. index: of the image, by -1, and of the axes other than the row."""
        t, plan = self.t, self.plan
        with t.loop(*chunk_bounds(self.k, plan.chunks)) as chunks:
            part, group_part = unravel(t, chunks.index, plan.parts)
            groups = part_range(t, group_part, plan.groups, plan.channels)
            start(part, groups)
            with t.loop(*part_range(t, part, plan.lines, plan.all_lines)) as lines:
                extents = [plan.count, *(plan.result[d] for d in plan.rest)]
                numbers = unravel(t, lines.index, extents)
                line(dict(zip((-1, *plan.rest), numbers, strict=True)), part, groups)

    def spans(self, index: dict[int, V]) -> list[Span]:
        return [self._span(d, index[d]) for d in self.plan.rest]

    def _span(self, d: int, at: V) -> Span:
        t, phases, extent = self.t, self.plan.axes[d], self.plan.source[d]
        step, stride = phases[0].step, phases[0].stride
        pairs = [p.taps[:2] for p in phases if len(p.taps) > 1]
        ahead = pairs[0][1].offset - pairs[0][0].offset if pairs else 1
        places = pairs[0][1].place - pairs[0][0].place if pairs else 1
        which = t.op("urem", at, i64(step)) if len(phases) > 1 else i64(0)
        j = t.op("udiv", at, i64(step)) if step > 1 else at
        offset = self._of_phase(which, [p.taps[0].offset if p.taps else 0 for p in phases])
        place = self._of_phase(which, [p.taps[0].place if p.taps else 0 for p in phases])
        most = self._of_phase(which, [len(p.taps) for p in phases])
        base = t.add(t.mul(j, stride), offset)
        count: V | int
        if len(phases) == 1 and _always(phases[0], extent):
            lo, count = i64(0), len(phases[0].taps)
        else:
            left, right = t.mul(base, -1), t.add(t.mul(base, -1), i64(extent - 1))
            if ahead < 0:
                left, right = t.mul(right, -1), base
            lo = self._quotient(t.add(left, i64(abs(ahead) - 1)), abs(ahead))
            hi = t.minimum(self._quotient(t.add(right, i64(abs(ahead))), abs(ahead)), most)
            count = t.op("sub", hi, lo)
        a = t.mul(t.add(base, t.mul(lo, ahead)), self.a_strides[d])
        b = t.mul(t.add(place, t.mul(lo, places)), self.f_strides[d])
        return Span(count, a, b, ahead * self.a_strides[d], places * self.f_strides[d])

    def _of_phase(self, which: V, values: Sequence[int]) -> V:
        value = i64(values[0])
        for n, other in enumerate(values[1:], 1):
            if other != values[0]:
                here = self.t.cmp("eq", which, i64(n))
                value = self.t.select(here, i64(other), value)
        return value

    def _quotient(self, value: V, divisor: int) -> V:
        """value // divisor; 0 for what is less than 0."""
        held = self.t.intrinsic("smax", value, i64(0))
        return self.t.op("udiv", held, i64(divisor)) if divisor > 1 else held

    def over(
        self,
        spans: Sequence[Span],
        a: V,
        b: V,
        sums: Sequence[V],
        body: Callable[[V, V, Sequence[V]], list[V]],
    ) -> list[V]:
        """`sums` after body(a, b, sums) for each place along the axes other than the row."""
        if not spans:
            return body(a, b, sums)
        t, span, element = self.t, spans[0], self.side.element
        first = (t.gep(a, span.a, element), t.gep(b, span.b, self.b_element))
        with t.loop(0, span.count, carried=(*first, *sums)) as loop:
            at, bt, *now = loop.carried
            now = self.over(spans[1:], at, bt, now, body)
            ahead = (t.gep(at, span.a_step, element), t.gep(bt, span.b_step, self.b_element))
            loop.next((*ahead, *now))
        return loop.results[2:]

    def _image(self, base: V, extents: Sequence[int], at: V) -> V:
        """The first element of image `at`, of `extents` pixels."""
        size = prod(extents) * self.plan.channels
        return self.t.gep(base, self.t.mul(at, size), self.side.element)

    # -- windows --------------------------------------------------------------------------------
    def images(self, finish: Callable[[tuple[Index, ...], Packet], None]) -> None:
        """Each element of the result is the sum over its window."""
        plan = self.plan
        room = SIDE_BY_SIDE if self.k.target.registers > 16 else SIDE_BY_SIDE // 2
        width = max(1, min(room, STRAIGHT_FINISH // max(epilogue_weight(self.k), 1)))

        def line(index: dict[int, V], part: V, groups: Range) -> None:
            a = self._image(self.a, plan.source, index[-1])
            spans, known = self.spans(index), self._indices(index)
            for phase in plan.axes[plan.row]:
                for run in phase.runs(width, plan.source[plan.row]):
                    self._run(phase, run, known, spans, a, groups, finish)

        self.chunks(line)

    def _indices(self, index: dict[int, V]) -> list[Index]:
        """Those of image and pixel, the row's still 0."""
        plan, full = self.plan, [Index()] * (1 + len(self.plan.result))
        for d, value in index.items():
            last = (plan.count if d < 0 else plan.result[d]) - 1
            full[1 + d] = self.e.axis(_number(value), 0, last)
        return full

    def _run(
        self,
        phase: Phase,
        run: Run,
        known: list[Index],
        spans: Sequence[Span],
        a: V,
        groups: Range,
        finish: Callable[[tuple[Index, ...], Packet], None],
    ) -> None:
        plan, t, element = self.plan, self.t, self.side.element
        stride, last = self.a_strides[plan.row], run.first + run.width * (run.blocks - 1)
        used = any(run.meets)
        with t.loop(run.first, last + 1, run.width) as loop:
            base = _number(loop.index)
            block = self.e.axis(base, run.first, last)
            at = t.gep(a, t.mul(loop.index, phase.stride * stride), element)

            def packet(base: V | int, mask: V | None) -> None:
                self.mask = mask
                group = self.e.axis(base, 0, plan.channels - 1, packet=True, mask=mask)
                sums = [const(self.type, 0)] * run.width
                if used:
                    first = t.gep(at, value_of(base), element)
                    filters = t.gep(self.b, value_of(base), element)
                    sums = self.over(
                        spans, first, filters, sums,
                        lambda x, f, now: self._products(phase, run, x, f, now),
                    )  # fmt: skip
                for u, value in enumerate(sums):
                    full = list(known)
                    full[1 + plan.row] = (block + u) * phase.step + phase.first
                    rounded = self.e.arithmetic.rounded(value, plan.dtype)
                    finish((*full, group), Packet(rounded, plan.dtype))
                self.mask = None

            group_packets(self.e, plan.channels, groups, packet)

    def _products(self, phase: Phase, run: Run, a: V, b: V, sums: Sequence[V]) -> list[V]:
        """The places along the row; each element of a is loaded once."""
        row, found, now = self.plan.row, dict[int, V](), list(sums)
        for n, tap in enumerate(phase.taps):
            if not any(n in meets for meets in run.meets):
                continue
            weights = self._load(b, tap.place * self.f_strides[row])
            for u, meets in enumerate(run.meets):
                if n not in meets:
                    continue
                offset = (u * phase.stride + tap.offset) * self.a_strides[row]
                if offset not in found:
                    found[offset] = self._load(a, offset)
                now[u] = self._product(found[offset], weights, now[u])
        return now

    def _load(self, at: V, offset: int) -> V:
        pointer = self.t.gep(at, offset, self.side.element)
        raw = load_packet(self.e, pointer, self.side, self.e.lanes, self.mask)
        return self.e.arithmetic.to_register(raw, self.plan.dtype)

    def _product(self, a: V, b: V, value: V) -> V:
        t = self.t
        return t.fma(a, b, value) if self.floats else t.op("add", value, t.op("mul", a, b))

    def _add(self, a: V, b: V) -> V:
        return self.t.op("fadd" if self.floats else "add", a, b)

    # -- sums over all lines --------------------------------------------------------------------
    def filters(self, sums: V) -> None:
        """For each part of lines, the gradient of each place, to `sums`."""
        plan, t = self.plan, self.t
        (phase,) = plan.axes[plan.row]
        few = FEW_SUMS if self.k.target.registers > 16 else FEW_SUMS // 2
        width = max(1, min(SIDE_BY_SIDE, few // len(phase.taps)))
        runs = phase.runs(width, plan.source[plan.row])
        element, register = self.side.element, self.b_element

        def part_of(part: V) -> V:
            return t.gep(sums, t.mul(part, prod(plan.sums[1:])), register)

        def start(part: V, groups: Range) -> None:
            lo, hi = (value_of(end) for end in groups)
            hi = t.op("and", t.add(hi, i64(CHANNELS - 1)), i64(-CHANNELS))
            count = t.mul(t.op("sub", hi, lo), self.register_size)
            with t.loop(0, plan.sums[1]) as loop:
                at = t.add(t.mul(loop.index, plan.sums[2]), lo)
                self._zero(t.gep(part_of(part), at, register), count)

        def line(index: dict[int, V], part: V, groups: Range) -> None:
            x = self._image(self.a, plan.source, index[-1])
            dy = self._image(self.b, plan.result, index[-1])
            for d in plan.rest:
                dy = t.gep(dy, t.mul(index[d], self.result_strides[d]), element)
            spans, mine = self.spans(index), part_of(part)

            def packet(base: V | int, mask: V | None) -> None:
                self.mask = mask
                at = value_of(base)
                to, found = t.gep(mine, at, register), t.gep(dy, at, element)

                def row(a: V, b: V, none: Sequence[V]) -> list[V]:
                    self._add_row(phase, runs, a, found, b)
                    return []

                self.over(spans, t.gep(x, at, element), to, (), row)
                self.mask = None

            group_packets(self.e, plan.channels, groups, packet)

        self.chunks(line, start)

    def _zero(self, at: V, count: V) -> None:
        zero, no = V("0", "i8"), V("false", "i1")
        self.t.call("void", "llvm.memset.p0.i64", at, zero, count, no)

    def _add_row(self, phase: Phase, runs: Sequence[Run], x: V, dy: V, to: V) -> None:
        """Adds what one line gives to the sums of a row of places, at `to`."""
        t, width = self.t, max(run.width for run in runs)
        sums = [const(self.type, 0)] * (width * len(phase.taps))
        for run in runs:
            if any(run.meets):
                sums = self._row_loop(phase, run, width, (x, dy), sums)
        for n, tap in enumerate(phase.taps):
            mine = sums[n * width : (n + 1) * width]
            while len(mine) > 1:
                pairs = [self._add(*mine[u : u + 2]) for u in range(0, len(mine) - 1, 2)]
                mine = pairs + mine[len(pairs) * 2 :]
            place = t.gep(to, tap.place * self.f_strides[self.plan.row], self.b_element)
            before = t.load(self.type, place, self.register_size)
            t.store(self._add(before, mine[0]), place, self.register_size)

    def _row_loop(
        self, phase: Phase, run: Run, width: int, source: tuple[V, V], sums: list[V]
    ) -> list[V]:
        """`sums` after the blocks of a run; of many blocks, parts are summed by themselves."""
        t, end = self.t, run.first + run.blocks * run.width

        def blocks(lo: V | int, hi: V | int, start: Sequence[V]) -> list[V]:
            with t.loop(lo, hi, run.width, carried=start) as loop:
                loop.next(self._block(phase, run, width, source, loop.index, loop.carried))
            return loop.results

        if run.blocks <= 2 * BLOCK:
            return blocks(run.first, end, sums)
        size = BLOCK * run.width
        with t.loop(run.first, end, size, carried=sums) as parts:
            stop = t.minimum(t.add(parts.index, i64(size)), i64(end))
            got = blocks(parts.index, stop, [const(self.type, 0)] * len(sums))
            parts.next([self._add(a, b) for a, b in zip(parts.carried, got, strict=True)])
        return parts.results

    def _block(
        self, phase: Phase, run: Run, width: int, source: tuple[V, V], at: V, sums: Sequence[V]
    ) -> list[V]:
        t, row, element, now = self.t, self.plan.row, self.side.element, list(sums)
        x = t.gep(source[0], t.mul(at, phase.stride * self.a_strides[row]), element)
        dy = t.gep(source[1], t.mul(at, self.result_strides[row]), element)
        found: dict[int, V] = {}
        for u, meets in enumerate(run.meets):
            if not meets:
                continue
            right = self._load(dy, u * self.result_strides[row])
            for n in meets:
                offset = (u * phase.stride + phase.taps[n].offset) * self.a_strides[row]
                if offset not in found:
                    found[offset] = self._load(x, offset)
                place = n * width + u
                now[place] = self._product(found[offset], right, now[place])
        return now


def _always(phase: Phase, extent: int) -> bool:
    """Whether each place of the filter finds an element for each j."""
    return all(phase.valid(tap, extent) == (0, phase.count) for tap in phase.taps)


def _number(v: V) -> V | int:
    return v if v.ref[0] == "%" else int(v.ref)


def write_windows(k: Kernel, plan: ChannelPlan) -> None:
    """The only stage of a kernel around conv or conv_grad_input."""
    op = k.hero
    a, b = (operand_pointer(k, op, position) for position in (0, 1))
    if op.defn.name == "conv_grad_input":
        a, b = b, a
    with k.e.with_lanes(min(k.e.lanes, CHANNELS)):
        ChannelWindows(k, plan, a, b).images(lambda i, packet: k.finish(i, {op.result: packet}))


def write_filters(k: Kernel) -> None:
    """The sums of each part of the lines."""
    plan = channel_plan(k.hero)
    assert plan is not None
    x, dy = (operand_pointer(k, k.hero, position) for position in (0, 1))
    with k.e.with_lanes(min(k.e.lanes, CHANNELS)):
        ChannelWindows(k, plan, x, dy).filters(k.scratch)


def write_filter_sums(k: Kernel) -> None:
    """The parts added in order, and the epilogue."""
    op, plan = k.hero, channel_plan(k.hero)
    assert plan is not None
    shape = (plan.sums[0], *plan.window, 1, plan.sums[2])
    dtype = "f32" if plan.dtype in ("f16", "bf16") else plan.dtype
    sums = Buffer(k.scratch, Type(dtype, shape))

    def element(index: tuple[Index, ...]) -> None:
        def add(part: V, total: Sequence[V]) -> list[V]:
            here = (k.e.axis(_number(part), 0, plan.sums[0] - 1), *index)
            more = k.e.load(sums, here)
            return [k.e.binary("add", Packet(total[0], dtype), more).value]

        with k.t.loop(0, plan.sums[0], carried=[k.e.const(dtype, 0).value]) as loop:
            loop.next(add(loop.index, loop.carried))
        rounded = k.e.arithmetic.rounded(loop.results[0], plan.dtype)
        k.finish(index, {op.result: Packet(rounded, plan.dtype)})

    probe, space = Probe(k.e.buffers), op.result.type.shape
    axes = probe_axes(probe, space)
    probe.put(op.result, axes, probe.dummy(plan.dtype))
    for result in k.region.results:
        probe.value(result, axes)
    accesses = [*probe.accesses, row_major(axes, space), row_major(axes, shape[1:])]
    result_nest(k, space, merged_axes(accesses, axes, space), element)
