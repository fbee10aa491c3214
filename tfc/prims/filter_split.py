"""How the gradient of a convolution for its filter is split: from shapes alone.

The inner loops are images and pixels, of which there are mostly more than elements of the filter.
They are cut into blocks whose panel of dy stays in the nearest cache while all rows of a part go
by; and into slices that chunks sum by themselves. Where slices would be short, chunks are parts of
the filter.
"""

from __future__ import annotations

from math import prod

from tfc.base import dtypes
from tfc.base.target import aligned
from tfc.prims.contract_plan import (
    CHUNK_FLOPS,
    COLUMN_GRAIN,
    MOST_CHUNKS,
    SPLIT_FLOPS,
    TALLEST_TILE,
    WIDEST_TILE,
    Extents,
    Split,
    parts_of,
)
from tfc.prims.loop_nest import Contraction, ceil_div

# Steps of a block. Its panel of dy for 32 columns takes 16 KB: of the nearest cache, a third, so
# that the images have room beside it.
BLOCK = 128
# Least steps of a slice. Writing and reading its sums takes about as long as 20 steps.
SLICE = 2048
MOST_SUMS = 4 << 20  # bytes of all slices
# What a part of a filter has at least: it reads dy for its rows, and the images for its columns.
PART_LINES, PART_COLUMNS = 64, 128
# Rows of a panel that lie so many bytes apart fall into few sets of the nearest cache; from so many
# rows of a on it is copied.
FAR_BYTES, WORTH_COPYING = 512, 48


def filter_split(c: Contraction) -> Split:
    """The split of a gradient for the filter."""
    size = dtypes.by_short(c.dtype).size
    wide = max(size, 4 if c.dtype in dtypes.FLOATS else 1)
    wanted = min(MOST_CHUNKS, c.flops // CHUNK_FLOPS) if c.flops >= SPLIT_FLOPS else 1
    cut, block = _block(c)
    cuts = ceil_div(c.inner[cut].extent, block) if block else 1
    blocks = cuts * prod(d.extent for d in c.inner[:cut])
    slices = _slices(c, wanted, blocks)
    extents = _extents(c, wanted // slices, even=slices % 2 == 0)
    pack = _packs(c)
    depth = block * prod(d.extent for d in c.inner[cut + 1 :])
    panel = depth * WIDEST_TILE * wide if pack else 0
    partial = 0
    if blocks > slices:
        columns = ceil_div(extents[3], WIDEST_TILE) * WIDEST_TILE
        partial = extents[1] * (extents[2] + TALLEST_TILE) * columns * wide
    sums = aligned(c.batches * c.lines * c.col.extent * size) if slices > 1 else 0
    return Split(
        extents, parts_of(c, extents), pack, block, panel, partial, slices=slices, cut=cut,
        together=True, sums=sums,
    )  # fmt: skip


def _block(c: Contraction) -> tuple[int, int]:
    """Which loop is cut, and steps of it in a block: those of all loops in it are about BLOCK."""
    if c.depth <= 2 * BLOCK:
        return 0, c.inner[0].extent
    cut, rest = 0, c.depth // c.inner[0].extent
    while rest > BLOCK:
        cut += 1
        rest //= c.inner[cut].extent
    extent = c.inner[cut].extent
    return cut, ceil_div(extent, ceil_div(extent, BLOCK // rest))


def _slices(c: Contraction, wanted: int, blocks: int) -> int:
    """A power of two, so that two threads have as many each."""
    if c.dtype not in ("f32", "f64") or wanted <= 1:
        return 1
    each = c.batches * c.lines * c.col.extent * dtypes.by_short(c.dtype).size
    most = min(wanted, blocks, c.depth // SLICE, MOST_SUMS // each)
    return 1 << max(most, 1).bit_length() - 1


def _packs(c: Contraction) -> bool:
    """Whether panels of dy are copied."""
    if c.col.extent > 1 and c.col.b != 1:
        return True
    apart = c.inner[-1].b * dtypes.by_short(c.dtype).size
    ragged = c.col.extent % 16 != 0 or c.dtype in ("f16", "bf16")
    return c.lines >= WORTH_COPYING and c.depth >= 8 and (ragged or apart >= FAR_BYTES)


def _extents(c: Contraction, wanted: int, even: bool) -> Extents:
    """Of a part of the filter, of about `wanted` parts: groups, columns, then rows; of an even
    number, unless chunks are even without."""
    outer = ceil_div(max(c.batches, 1), max(1, min(wanted, c.batches)))
    groups = ceil_div(max(c.batches, 1), outer)
    left = wanted // groups
    cols, bands, rows = max(c.col.extent, 1), max(c.strips, 1), max(c.row.extent, 1)
    units = ceil_div(cols, COLUMN_GRAIN)
    cols = min(cols, ceil_div(units, max(1, min(left, cols // PART_COLUMNS))) * COLUMN_GRAIN)
    columns = ceil_div(max(c.col.extent, 1), cols)
    left = min(left // columns, c.lines // PART_LINES)
    if left > 1:
        bands = ceil_div(c.strips, min(left, c.strips))
        strips = ceil_div(c.strips, bands)
        left = ceil_div(left, strips)
        if not even and groups * columns * strips * left % 2:
            left += 1
        rows = ceil_div(c.row.extent, min(left, c.row.extent))
    return outer, bands, rows, cols
