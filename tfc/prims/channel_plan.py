"""Convolutions of single channels (depthwise) and their gradients, as kernels see them that read
images where they lie: no padded copies. From shapes alone.

Along each axis, positions of the result fall into *phases*: those that meet the same places of the
filter, as far as these find an element at all. A convolution has one phase; its gradient for the
input has one for each step of the stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.base.target import aligned
from tfc.ir.core import Op
from tfc.prims.contract_plan import (
    CHUNK_FLOPS,
    MOST_CHUNKS,
    SPLIT_FLOPS,
    ceil_div,
)
from tfc.prims.loop_nest import Ints, static_shape, strides

CHANNELS = 16  # of which each chunk has a multiple
MOST_TAPS = 12  # places of the filter along the row that are written out
NEIGHBOURS = 64  # channels that each chunk of sums over all lines may well have
FLOPS_MOVED = 16  # an element read and written takes as long as so many operations, at least


@dataclass(frozen=True)
class Tap:
    """A place of the filter, and where it reads: `offset` elements behind stride * j."""

    offset: int
    place: int


@dataclass(frozen=True)
class Phase:
    """The positions first + step * j of the result, for j in range(count). `taps`, equally far
    apart, are what they meet."""

    first: int
    step: int
    count: int
    stride: int
    taps: tuple[Tap, ...]

    def valid(self, tap: Tap, extent: int) -> tuple[int, int]:
        """The range of j for which a tap finds an element of a source of `extent`."""
        low = max(-(tap.offset // self.stride), 0)
        high = (extent - 1 - tap.offset) // self.stride + 1
        high = max(min(high, self.count), 0)
        return min(low, high), high

    def runs(self, width: int, extent: int) -> list[Run]:
        """All j, in blocks of `width` and a last one of fewer."""
        bounds = [b for tap in self.taps for b in self.valid(tap, extent)]
        whole = self.count // width
        cuts = {0, whole}
        for b in bounds:
            cuts |= {min(b // width, whole), min(ceil_div(b, width), whole)}
        ordered = sorted(cuts)
        found = [
            self._run(lo * width, hi - lo, width, extent)
            for lo, hi in zip(ordered, ordered[1:], strict=False)
        ]
        if self.count % width:
            found.append(self._run(whole * width, 1, self.count % width, extent))
        return found

    def _run(self, first: int, blocks: int, width: int, extent: int) -> Run:
        ranges = [self.valid(tap, extent) for tap in self.taps]
        meets = tuple(
            tuple(n for n, (lo, hi) in enumerate(ranges) if lo <= j < hi)
            for j in range(first, first + width)
        )
        return Run(first, blocks, width, meets)


@dataclass(frozen=True)
class Run:
    """Blocks of `width` positions j from `first` on. meets: for each position of a block, the
    numbers of the taps that find an element; the same in all blocks."""

    first: int
    blocks: int
    width: int
    meets: tuple[Ints, ...]


@dataclass(frozen=True)
class ChannelPlan:
    """source, result: spatial extents of what is read along windows, and of what has windows (in
    the gradient for the filter: of the images, and of dy). lines: lines of the result, of all
    images, in a part; groups: channels in a part. row: the axis that lines lie along."""

    axes: tuple[tuple[Phase, ...], ...]
    source: Ints
    result: Ints
    window: Ints
    count: int
    channels: int
    row: int
    dtype: str
    lines: int
    groups: int

    @property
    def all_lines(self) -> int:
        return self.count * prod(n for d, n in enumerate(self.result) if d != self.row)

    @property
    def parts(self) -> tuple[int, int]:
        """Parts of lines and of channels."""
        return ceil_div(self.all_lines, self.lines), ceil_div(self.channels, self.groups)

    @property
    def chunks(self) -> int:
        return prod(self.parts)

    @property
    def rest(self) -> tuple[int, ...]:
        """The axes other than the row."""
        return tuple(d for d in range(len(self.result)) if d != self.row)

    @property
    def sums(self) -> tuple[int, int, int]:
        """In the gradient for the filter: parts of lines, places of the filter, whole packets of
        channels."""
        return self.parts[0], prod(self.window), ceil_div(self.channels, CHANNELS) * CHANNELS

    @property
    def sums_bytes(self) -> int:
        size = max(dtypes.by_short(self.dtype).size, 4)
        return aligned(prod(self.sums) * size)


def channel_plan(op: Op) -> ChannelPlan | None:
    """The plan of a conv, conv_grad_input or conv_grad_filter; None if its groups have more than
    one channel or output, or its windows are long."""
    at, name = op.kwargs, op.defn.name
    a, b, y = (static_shape(v.type) for v in (*op.operands, op.result))
    x, f, dy = {"conv": (a, b, y), "conv_grad_input": (y, a, b)}.get(name, (a, y, b))
    single = f[-2] == 1 and f[-1] == at["groups"] > 1
    holes = any(n != 1 for n in at.get("x_dilation", ()))
    if not single or holes or len(x) < 3 or 0 in (*x, *f, *dy):
        return None
    backward = name == "conv_grad_input"
    axes = tuple(
        _backward(n, k, s, d, low) if backward else (_forward(out, k, s, d, low),)
        for n, out, k, s, d, (low, _) in zip(
            x[1:-1], dy[1:-1], f[:-2], at["strides"], at["f_dilation"], at["padding"], strict=True
        )
    )
    result, source = (x, dy) if backward else (dy, x)
    row = max(range(len(axes)), key=lambda d: (result[1 + d], d))
    if max(len(phase.taps) for phase in axes[row]) > MOST_TAPS:
        return None
    each = max(2 * prod(len(phases[0].taps) for phases in axes), FLOPS_MOVED)
    lines = x[0] * prod(n for d, n in enumerate(result[1:-1]) if d != row)
    wide = x[-1] // NEIGHBOURS if name == "conv_grad_filter" else 1
    cut = _cut(lines, x[-1], each * prod(result), max(wide, 1))
    dtype = op.result.type.dtype
    return ChannelPlan(axes, source[1:-1], result[1:-1], f[:-2], x[0], x[-1], row, dtype, *cut)


def _forward(out: int, k: int, s: int, d: int, low: int) -> Phase:
    return Phase(0, 1, out, s, tuple(Tap(place * d - low, place) for place in range(k)))


def _backward(n: int, k: int, s: int, d: int, low: int) -> tuple[Phase, ...]:
    """x at i meets dy at (i + low - place * d) / s, where that is whole."""
    phases = []
    for first in range(min(s, n)):
        taps = tuple(
            Tap((first + low - place * d) // s, place)
            for place in range(k)
            if (first + low - place * d) % s == 0
        )
        phases.append(Phase(first, s, ceil_div(n - first, s), 1, taps))
    return tuple(phases)


def _cut(lines: int, channels: int, flops: int, wide: int) -> tuple[int, int]:
    """Lines and channels of a part. Channels are cut into `wide` parts, lines into as many as that
    leaves; channels into more if there are too few lines."""
    wanted = min(MOST_CHUNKS, flops // CHUNK_FLOPS) if flops >= SPLIT_FLOPS else 1
    each = ceil_div(lines, max(1, min(wanted // wide, lines)))
    wanted //= ceil_div(lines, each)
    units = ceil_div(channels, CHANNELS)
    if wanted < 2 or units < 2:
        return each, channels
    return each, min(ceil_div(units, min(wanted, units)) * CHANNELS, channels)


def strides_of(extents: Sequence[int], channels: int) -> Ints:
    """Elements from neighbour to neighbour along each axis of `extents` pixels."""
    return tuple(step * channels for step in strides(extents))
