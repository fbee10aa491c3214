"""How the convolutions become contractions over a padded copy of the images: from shapes alone.

A window of the padded image is read in place: output pixels are rows at `stride` pixels apart, the
window and the channels are the inner loops, and neighbours (window columns x channels) merge into
one. The gradient for the input is the same thing over the dilated gradient with the filter turned
round; the gradient for the filter sums over images and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.base.target import aligned
from tfc.ir.core import Op
from tfc.prims.channel_plan import CHANNELS, channel_plan
from tfc.prims.contract_plan import (
    CHUNK_FLOPS,
    COLUMN_GRAIN,
    MOST_CHUNKS,
    SPLIT_FLOPS,
    Split,
    hero_of,
    packs,
    split_scratch,
    tile_split,
)
from tfc.prims.filter_split import filter_split
from tfc.prims.loop_nest import Contraction, Dim, Ints, ceil_div, merged, static_shape, strides

BLOCK_BYTES = 256 * 1024  # padded images made at a time, if there is more than one
# Of a filter that does not stay in the L2 cache each chunk has columns of about so many bytes, and
# uses panels of them on more images: 3x3 of 256 at 14x14 reads 2.4 MB of the filter for each image.
WORTH_COPYING = 128  # rows that a part has for the panels that it copies
FILTER_BYTES, BLOCK_BYTES_FAR = 600 * 1024, 512 * 1024


@dataclass(frozen=True)
class Padded:
    """The padded copy of one image: `extents` pixels, of `channels` elements. Pixel i along axis d
    is at low[d] + i * dilation[d]; those in range(first[d], first[d] + count[d]) are inside."""

    source: Ints
    extents: Ints
    low: Ints
    dilation: Ints
    first: Ints
    count: Ints
    channels: int

    @property
    def strides(self) -> Ints:
        """Elements from pixel to pixel along each axis."""
        return tuple(s * self.channels for s in strides(self.extents))

    @property
    def source_strides(self) -> Ints:
        return tuple(s * self.channels for s in strides(self.source))

    @property
    def source_elements(self) -> int:
        return prod(self.source) * self.channels

    @property
    def elements(self) -> int:
        return prod(self.extents) * self.channels

    @property
    def copies(self) -> bool:
        """Whether the copy differs from the source."""
        return any(self.low) or self.extents != self.source


def padded(
    source: Ints, channels: int, padding: Sequence[tuple[int, int]], dilation: Ints
) -> Padded:
    """The padded copy of images of `source` pixels."""
    extents, first, count = [], [], []
    for n, (low, high), step in zip(source, padding, dilation, strict=True):
        size = low + max((n - 1) * step + 1, 0) + high
        begin = ceil_div(max(-low, 0), step)
        end = min(n, (size - 1 - low) // step + 1)
        extents.append(size)
        first.append(begin)
        count.append(max(end - begin, 0))
    lows = tuple(p[0] for p in padding)
    return Padded(source, tuple(extents), lows, dilation, tuple(first), tuple(count), channels)


@dataclass(frozen=True)
class WindowPlan:
    """A convolution as a contraction of one block of images with the filter.

    Result axes of `c`: 0 image (within the block), 1.. pixels, then group and channel of the
    group. parts: numbers of parts of images, of lines (bands of one image; 1 unless a part is one
    image) and of columns; images, lines: extents of a part. block: images made and used at a time.
    filter_start: element of b that the loops start from.
    """

    c: Contraction
    split: Split
    image: Padded
    count: int
    images: int
    lines: int
    block: int
    parts: tuple[int, int, int]
    filter_start: int

    @property
    def chunks(self) -> int:
        return prod(self.parts)

    @property
    def image_bytes(self) -> int:
        """Scratch of one chunk for padded images."""
        if not self.image.copies:
            return 0
        size = dtypes.by_short(self.c.dtype).size
        return aligned(self.block * self.image.elements * size)

    @property
    def chunk_bytes(self) -> int:
        return self.image_bytes + self.split.panel + self.split.partial

    @property
    def by_lines(self) -> bool:
        """Whether bands are lines of one image along its first axis, so that a part of them needs
        no more than some lines of it."""
        lines = len(self.image.source) == 2 and self.c.bands[-1].axis == 1
        return lines and self.block == 1 and self.parts[1] > 1

    @property
    def reach(self) -> tuple[int, int]:
        """Lines of the padded image from one band to the next, and lines that one needs."""
        band = self.c.bands[-1]
        step = band.a // self.image.strides[0]
        return step, self.image.extents[0] - (band.extent - 1) * step

    @property
    def strips(self) -> int:
        """Bands in one image."""
        return prod(d.extent for d in self.c.bands[1:])


def conv_plan(op: Op) -> WindowPlan:
    """The plan of a `conv` op."""
    at = op.kwargs
    x, f, y = (static_shape(v.type) for v in (*op.operands, op.result))
    groups, window = at["groups"], f[:-2]
    image = padded(x[1:-1], x[-1], at["padding"], at["x_dilation"])
    filter_strides = strides(f)
    taps = [
        Dim(n, a * d, b)
        for n, a, d, b in zip(
            window, image.strides, at["f_dilation"], filter_strides[:-2], strict=True
        )
    ]
    inner = [*taps, Dim(f[-2], 1, filter_strides[-2])]
    col = Dim(f[-1] // groups, 0, 1, len(y))
    group = Dim(groups, f[-2], f[-1] // groups, len(y) - 1)
    return _window_plan(image, y, at["strides"], group, inner, col, x[0], op.result.type.dtype, 0)


def conv_grad_input_plan(op: Op) -> WindowPlan:
    """The plan of a `conv_grad_input` op: a conv of the dilated dy with the turned filter."""
    at = op.kwargs
    f, dy, x = (static_shape(v.type) for v in (*op.operands, op.result))
    groups, window = at["groups"], f[:-2]
    padding = []
    for n, out, k, s, d, (low, _) in zip(
        x[1:-1], dy[1:-1], window, at["strides"], at["f_dilation"], at["padding"], strict=True
    ):
        reach = (k - 1) * d
        before = reach - low
        padding.append((before, n + reach - before - max((out - 1) * s + 1, 0)))
    image = padded(dy[1:-1], dy[-1], padding, at["strides"])
    filter_strides = strides(f)
    taps = [
        Dim(n, a * d, -b)
        for n, a, d, b in zip(
            window, image.strides, at["f_dilation"], filter_strides[:-2], strict=True
        )
    ]
    start = sum((n - 1) * b for n, b in zip(window, filter_strides[:-2], strict=True))
    each = f[-1] // groups
    inner = [*taps, Dim(each, 1, 1)]
    col = Dim(f[-2], 0, f[-1], len(x))
    group = Dim(groups, each, each, len(x) - 1)
    ones = (1,) * len(window)
    return _window_plan(image, x, ones, group, inner, col, x[0], op.result.type.dtype, start)


def _window_plan(
    image: Padded,
    result: Ints,
    step: Ints,
    group: Dim,
    inner: list[Dim],
    col: Dim,
    count: int,
    dtype: str,
    filter_start: int,
) -> WindowPlan:
    pixels = [
        Dim(n, a * s, 0, 1 + axis)
        for axis, (n, a, s) in enumerate(zip(result[1:-1], image.strides, step, strict=True))
    ]
    at = max(range(len(pixels)), key=lambda k: (pixels[k].extent, k), default=-1)
    row = pixels[at] if pixels else Dim(1)
    rest = [d for k, d in enumerate(pixels) if k != at]
    every = Dim(count, image.elements, 0, 0)
    rank = len(result) + 1
    c = Contraction((group,), (every, *rest), row, col, merged(inner), dtype, rank)
    return _cut(c, image, count, filter_start)


def _cut(c: Contraction, image: Padded, count: int, filter_start: int) -> WindowPlan:
    """Parts: of columns if the filter is large; images; if these are too few, lines of an image,
    and at last columns. Where panels of the filter are copied, columns come before lines: each part
    copies its own, and lines would all copy the same."""
    wanted = min(MOST_CHUNKS, c.flops // CHUNK_FLOPS) if c.flops >= SPLIT_FLOPS else 1
    size = dtypes.by_short(c.dtype).size
    far = round(c.depth * c.col.extent * size / FILTER_BYTES)
    cols = _columns(c, min(wanted, far))
    apart = cols < c.col.extent
    wanted //= ceil_div(c.col.extent, cols) if apart else 1
    images = ceil_div(count, max(1, min(wanted, count))) if count else 1
    wanted //= max(ceil_div(count, images), 1)
    strips = prod(d.extent for d in c.bands[1:])
    lines = strips
    copied = packs(c)
    if copied and not apart:
        cols = _columns(c, wanted)
        wanted //= max(ceil_div(c.col.extent, max(cols, 1)), 1)
    if copied:
        wanted = min(wanted, strips * c.row.extent // WORTH_COPYING)
    if images == 1 and wanted > 1:
        lines = ceil_div(strips, max(1, min(wanted, strips)))
        wanted //= max(ceil_div(strips, lines), 1)
    if not copied and not apart:
        cols = _columns(c, wanted)
    block = images
    if image.copies:
        most = BLOCK_BYTES_FAR if apart else BLOCK_BYTES
        block = max(1, min(images, most // max(image.elements * size, 1)))
    c = replace(c, bands=(replace(c.bands[0], extent=block), *c.bands[1:]))
    extents = (c.batches, block * lines, c.row.extent, cols)
    parts = (ceil_div(count, images), ceil_div(strips, lines), ceil_div(c.col.extent, cols))
    used = tile_split(c, extents, (1, 1, 1, parts[2]))
    return WindowPlan(c, used, image, count, images, lines, block, parts, filter_start)


def _columns(c: Contraction, parts: int) -> int:
    """Columns of one of at most so many parts."""
    units = ceil_div(c.col.extent, COLUMN_GRAIN)
    if parts <= 1 or units <= 2:
        return c.col.extent
    return min(c.col.extent, ceil_div(units, min(parts, units)) * COLUMN_GRAIN)


def by_channel(c: Contraction) -> bool:
    """Whether each group has one channel and one output, neighbours in memory on both sides."""
    (group,) = c.outer
    return group.extent > 1 and c.col.extent == 1 and group.a == group.b == 1


# --- of fusions -------------------------------------------------------------------------------


def window_plan(hero: Op) -> WindowPlan:
    """The plan of a `conv` or `conv_grad_input` op."""
    return conv_plan(hero) if hero.defn.name == "conv" else conv_grad_input_plan(hero)


def window_chunks(fusion: Op) -> int:
    """Chunks of a fusion around a convolution or its gradient for the input."""
    if not _works(fusion):
        return 1
    hero = hero_of(fusion)
    return (channel_plan(hero) or window_plan(hero)).chunks


def window_scratch(fusion: Op) -> int:
    """Bytes of scratch of such a fusion; of one chunk, if it is left whole."""
    if not _works(fusion):
        return 0
    hero = hero_of(fusion)
    if channel_plan(hero) is not None:
        return 0
    plan = window_plan(hero)
    return plan.chunk_bytes * (plan.chunks if fusion.kwargs.get("chunks", 1) > 1 else 1)


def _works(fusion: Op) -> bool:
    return all(r.type.size for r in fusion.results)


# --- gradient for the filter --------------------------------------------------------------------


@dataclass(frozen=True)
class FilterPlan:
    """conv_grad_filter as one contraction over images and pixels of padded copies of all images.

    Result axes of `c`: window axes, channel of the group, group, output of the group; and last one
    for the last window axis and the channel together, if `joined`.
    """

    c: Contraction
    split: Split
    image: Padded
    count: int
    joined: bool

    @property
    def image_bytes(self) -> int:
        """Scratch for the padded images, which all chunks share."""
        if not self.image.copies:
            return 0
        size = dtypes.by_short(self.c.dtype).size
        return aligned(self.count * self.image.elements * size)


def conv_grad_filter_plan(op: Op) -> FilterPlan:
    """The plan of a `conv_grad_filter` op."""
    at = op.kwargs
    x, dy, f = (static_shape(v.type) for v in (*op.operands, op.result))
    groups, window, rank = at["groups"], f[:-2], len(f)
    padding = [
        (low, (out - 1) * s + (k - 1) * d + 1 - low - n)
        for n, out, k, s, d, (low, _) in zip(
            x[1:-1], dy[1:-1], window, at["strides"], at["f_dilation"], at["padding"], strict=True
        )
    ]
    image = padded(x[1:-1], x[-1], padding, (1,) * len(window))
    dy_strides = strides(dy)
    pixels = [
        Dim(n, a * s, b)
        for n, a, s, b in zip(dy[1:-1], image.strides, at["strides"], dy_strides[1:-1], strict=True)
    ]
    inner = [Dim(x[0], image.elements, dy_strides[0]), *pixels]
    rows = [
        Dim(n, a * d, 0, axis)
        for axis, (n, a, d) in enumerate(zip(window, image.strides, at["f_dilation"], strict=True))
    ]
    channels, each = f[-2], f[-1] // groups
    joined = bool(rows) and rows[-1].a == channels
    if joined:
        rows[-1] = Dim(rows[-1].extent * channels, 1, 0, rank + 1)
    else:
        rows.append(Dim(channels, 1, 0, rank - 2))
    at_row = max(range(len(rows)), key=lambda k: (rows[k].extent, k))
    bands = tuple(d for k, d in enumerate(rows) if k != at_row)
    group = Dim(groups, channels, each, rank - 1)
    col = Dim(each, 0, 1, rank)
    c = Contraction(
        (group,), bands, rows[at_row], col, merged(inner), op.result.type.dtype, rank + 2
    )
    parts = _channel_split(c) if by_channel(c) else filter_split(c)
    return FilterPlan(c, parts, image, x[0], joined)


def _channel_split(c: Contraction) -> Split:
    """Ranges of channels: each is read by one chunk, and no sum is shared."""
    units = ceil_div(c.batches, CHANNELS)
    each = ceil_div(units, MOST_CHUNKS) * CHANNELS if c.flops >= SPLIT_FLOPS else c.batches
    parts = (ceil_div(c.batches, each), 1, 1, 1)
    return Split((each, c.strips, c.row.extent, 1), parts, False, 0, 0, 0)


def filter_chunks(fusion: Op) -> int:
    """Chunks of a fusion around conv_grad_filter."""
    if not _works(fusion):
        return 1
    single = channel_plan(hero_of(fusion))
    return single.chunks if single else conv_grad_filter_plan(hero_of(fusion)).split.chunks


def filter_scratch(fusion: Op) -> int:
    """Bytes of scratch of such a fusion."""
    if not _works(fusion):
        return 0
    single = channel_plan(hero_of(fusion))
    if single is not None:
        return single.sums_bytes
    plan = conv_grad_filter_plan(hero_of(fusion))
    return plan.image_bytes + split_scratch(fusion, plan.split)
