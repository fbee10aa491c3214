"""How the work of a contraction is split: from shapes alone.

A `Split` cuts outer, band, row and col of a loop nest into parts; a chunk is one part of each.
Nothing here knows the target or the number of threads, so that chunks, scratch and results are the
same everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import prod

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.base.target import aligned
from tfc.ir.core import Op
from tfc.prims.loop_nest import PACKET, Contraction, ceil_div, dot_contraction

Extents = tuple[int, int, int, int]  # of outer axes, bands, rows and columns

# One chunk is worth handing to another thread from about 4 us on; a whole kernel below SPLIT_FLOPS
# (about 20 us) is not split.
CHUNK_FLOPS = 700_000
SPLIT_FLOPS = 3_000_000
# Products from LIGHT_FLOPS on (1.5 us) are shared with threads that are awake anyway: that costs
# 0.3 to 0.6 us, once for all that follow each other chunk by chunk.
LIGHT_CHUNK = 150_000
LIGHT_FLOPS = 400_000
MOST_LIGHT = 4
FEW_COLUMNS = 4  # parts of columns, of a product that is cut into rows as well
MOST_CHUNKS = 32
COLUMN_GRAIN = 32  # parts of columns are multiples of this many: whole packets for every target
# A block of the inner loop: its panel of b (BLOCK x COLUMN_GRAIN floats) stays in the L2 cache.
BLOCK = 1024
# Most columns and rows of a register tile on any target: what scratch is sized for.
WIDEST_TILE = 64
TALLEST_TILE = 32
# How many products in empty lanes are as much work as adding up the lanes of a packet, for each
# row; and how many rows are worth copying the columns for.
WORTH_FOLDING, LEAST_LINES = 1000, 64
# From so many times as many inner steps as rows on, such products are split along the inner loop.
MOSTLY_COLUMNS = 4
# Parts that copy rows of a: [1024,1024] transposed by [1024,256] takes 1.43 ms without copies, and
# with parts of 128 rows by 128, 256 columns 1.21 and 1.17. NEAR: bytes that are taken to fit into
# the L2 cache.
COPIED_ROWS, COPIED_COLS, MOST_COPIED = 128, 512, 1 << 25
NEAR, LINE = 1 << 20, 64
NEAREST = 40_000  # bytes; the most that are taken to stay in the L1 cache
LEAST_KEPT = 1 << 16  # bytes of b from which on panels are better than its own rows
# Rows of b that lie this many bytes apart fall into few sets of the cache: then b is copied. From
# half of it on that pays for 128 rows of a: 256 x 1024 by 1024 x 256 gains 24%, 50 rows lose 10%.
FAR_BYTES = 2048


@dataclass(frozen=True)
class Split:
    """Extents of one part of outer, bands, rows and cols, and how many parts of each there are.

    along: packets lie along the inner loop.  pack: panels of b are copied to scratch.  line: if
    packets lie along it, elements between the columns of a panel.  block: steps of `inner[cut]`,
    within one step of the loops around it, whose products are summed before the next panel is made;
    all of them if there is one block.  panel, partial: bytes of scratch per chunk, for the panel
    and for the sums between blocks.  together: each block does all columns of a part before the
    next block, and `partial` has room for all of them.  slices: if more than one, blocks are shared
    out as well, to that many chunks of each part; each leaves `sums` bytes of sums, which are added
    when all chunks have been done.  strip: if rows of a part are copied to scratch, which takes
    `copied` bytes, elements between inner steps there.  keeps: panels of b, which need not be in
    scratch, may be those of an earlier run.
    """

    extents: Extents
    parts: Extents
    pack: bool
    block: int
    panel: int
    partial: int
    along: bool = False
    line: int = 0
    slices: int = 1
    strip: int = 0
    copied: int = 0
    cut: int = 0
    together: bool = False
    sums: int = 0
    keeps: bool = False

    @property
    def chunks(self) -> int:
        return prod(self.parts) * self.slices

    @property
    def scratch(self) -> int:
        """Bytes for all chunks: any two may run at the same time."""
        return self.chunks * self.each + self.all_sums

    @property
    def all_sums(self) -> int:
        """Bytes for the sums of slices."""
        return self.slices * self.sums if self.slices > 1 else 0

    @property
    def each(self) -> int:
        """Bytes for one chunk."""
        return self.panel + self.partial + self.copied


@lru_cache(256)
def split(
    c: Contraction, most: int = MOST_CHUNKS, light: bool = False, keeps: bool = False
) -> Split:
    """How the work of `c` is cut into at most about `most` chunks, and what scratch it takes. An
    empty contraction is one chunk. `light`: what is not worth waking a thread is cut as well.
    `keeps`: panels of b may be kept from run to run."""
    if _runs_along(c):
        return _split_along(c)
    wanted = min(most, MOST_CHUNKS, c.flops // CHUNK_FLOPS)
    if c.flops < SPLIT_FLOPS:
        wanted = min(MOST_LIGHT, c.flops // LIGHT_CHUNK) if light and is_light(c) else 1
    if c.turned:  # as a product that is split along its inner loop: see below
        wanted = min(wanted, max(2, c.flops // CHUNK_FLOPS))
    if _has_few_columns(c):
        return _split_few_columns(c, wanted)
    if wanted > 1 and _falls_together(c):
        copying = _split_copying(c, wanted)
        if copying.scratch <= MOST_COPIED:
            return copying
    copied = packs(c)
    keeps = (
        keeps and (copied or _worth_keeping(c)) and all(d.b == 0 or d.extent == 1 for d in c.outer)
    )
    extents = _part_extents(c, copied or keeps, wanted)
    return replace(tile_split(c, extents, parts_of(c, extents)), keeps=keeps)


def parts_of(c: Contraction, extents: Extents) -> Extents:
    """How many parts of these extents there are."""
    outer, bands, rows, cols = extents
    return (
        ceil_div(c.batches, outer),
        ceil_div(c.strips, bands),
        ceil_div(c.row.extent, rows),
        ceil_div(c.col.extent, cols),
    )


def tile_split(c: Contraction, extents: Extents, parts: Extents) -> Split:
    """The split into given parts: whether b is copied, in what blocks, and the scratch for it."""
    wide = max(dtypes.by_short(c.dtype).size, 4 if c.dtype in dtypes.FLOATS else 1)
    pack, block = packs(c), _block(c)
    blocks = ceil_div(c.inner[0].extent, block) if block else 1
    depth = block * prod(d.extent for d in c.inner[1:])
    panel = depth * WIDEST_TILE * wide if pack else 0
    partial = _partial(c, extents) if blocks > 1 else 0
    return Split(extents, parts, pack, block, panel, partial)


def _partial(c: Contraction, extents: Extents) -> int:
    """Bytes for the sums of a part between blocks."""
    wide = max(dtypes.by_short(c.dtype).size, 4 if c.dtype in dtypes.FLOATS else 1)
    return extents[1] * (extents[2] + TALLEST_TILE) * WIDEST_TILE * wide


def _runs_along(c: Contraction) -> bool:
    """Whether c is inner products of neighbours, too few for each row of b to be worth a copy."""
    last = c.inner[-1]
    turned = c.col.b != 1 or c.col.extent == 1
    return c.lines <= 2 and last.a == last.b == 1 and last.extent >= 32 and turned


def _split_along(c: Contraction) -> Split:
    outer, cols = max(c.batches, 1), max(c.col.extent, 1)
    # Such products wait for memory: a core needs more of them before another one helps.
    wanted = min(MOST_CHUNKS, 2 * c.flops // CHUNK_FLOPS) if c.flops >= SPLIT_FLOPS // 4 else 1
    outer = ceil_div(outer, min(wanted, outer))
    wanted //= ceil_div(c.batches, outer) if c.batches else 1
    if wanted > 1:
        cols = _columns(c, wanted)[0]
    extents = (outer, max(c.strips, 1), max(c.row.extent, 1), cols)
    return Split(extents, parts_of(c, extents), False, c.inner[0].extent, 0, 0, True)


def _has_few_columns(c: Contraction) -> bool:
    """Whether columns that leave part of a packet empty are better done as inner products along
    memory; they are copied once for many rows, unless they lie so."""
    last = c.inner[-1]
    if len(c.inner) > 1 or c.turned or c.dtype not in ("f32", "f64") or last.a != 1:
        return False
    if not 1 < c.col.extent < PACKET or (last.b != 1 and (c.col.b != 1 or c.lines < 32)):
        return False
    packet = PACKET if c.dtype == "f32" else PACKET // 2
    return c.lines > 2 and -c.col.extent % packet * c.depth >= WORTH_FOLDING


def _split_few_columns(c: Contraction, wanted: int) -> Split:
    """Split into rows; each part copies the columns."""
    pack = c.inner[-1].b != 1
    # The columns of a block stay in the L1 cache while all rows go by.
    size = c.col.extent * dtypes.by_short(c.dtype).size
    blocks, slices = ceil_div(c.depth * size, NEAREST), 1
    if wanted > 1 and c.batches == c.strips == 1 and c.depth >= MOSTLY_COLUMNS * c.lines:
        # There is more to read of b than to write. Each thread keeps steps of its own, as it does
        # where these are rows of a result: of weights, where they are learnt.
        slices = min(MOST_CHUNKS, max(2, min(wanted, c.flops // CHUNK_FLOPS), blocks))
        blocks, wanted = slices, 1
    grain = PACKET if slices == 1 else COLUMN_GRAIN
    block = ceil_div(ceil_div(c.depth, blocks), grain) * grain if blocks > 1 else c.depth
    slices = ceil_div(c.depth, block) if slices > 1 else 1
    outer = ceil_div(c.batches, max(1, min(wanted, c.batches)))
    bands, left = _even(c.strips, wanted // ceil_div(c.batches, outer))
    least = LEAST_LINES if pack else 1
    rows = _rows(c.row.extent, min(left, c.row.extent // least))
    extents = (outer, bands, rows, c.col.extent)
    # Lines end in room for a packet, and do not all begin in the same set of the cache.
    line = ceil_div(block, PACKET) * PACKET + PACKET
    panel = aligned(line * size) if pack else 0
    partial = _partial(c, extents) if block < c.depth and slices == 1 else 0
    sums = aligned(c.lines * size) if slices > 1 else 0
    parts = parts_of(c, extents)
    return Split(extents, parts, pack, block, panel, partial, True, line, slices, sums=sums)


def _falls_together(c: Contraction) -> bool:
    """Whether the rows of a step are neighbours in memory, and those of the next step lie so far
    from them, by a power of two, that the nearer caches do not hold a tile's rows of all steps.
    Rows are then a multiple of COPIED_ROWS."""
    if c.dtype not in ("f32", "f64") or len(c.inner) > 1 or c.strips > 1 or c.row.a != 1:
        return False
    apart = c.inner[0].a * dtypes.by_short(c.dtype).size
    power = apart & -apart
    if power < COPIED_ROWS * 8 or power * c.depth <= NEAR:
        return False
    return c.row.extent >= COPIED_ROWS and c.col.extent >= COPIED_COLS // 4


def _split_copying(c: Contraction, wanted: int) -> Split:
    """Split into parts that copy their rows; few of columns, as each copies them anew."""
    outer = ceil_div(c.batches, min(wanted, c.batches))
    left = max(1, wanted // ceil_div(c.batches, outer))
    rows, cols = COPIED_ROWS, min(COPIED_COLS, c.col.extent)
    while ceil_div(c.row.extent, rows) * ceil_div(c.col.extent, cols) > left:
        rows *= 2
    extents = (outer, 1, min(rows, c.row.extent), cols)
    size = dtypes.by_short(c.dtype).size
    lines = ceil_div(extents[2] * size, LINE)
    strip = (lines + 1 - lines % 2) * LINE // size  # odd: steps fall into all sets of the cache
    whole = tile_split(c, extents, parts_of(c, extents))
    return replace(whole, strip=strip, copied=aligned(strip * c.depth * size))


def packs(c: Contraction) -> bool:
    """Whether b is copied: always if its columns are not neighbours; else if rows are many enough
    to pay for it and b is far apart, has a ragged edge or needs conversion."""
    if c.col.extent > 1 and c.col.b != 1:
        return True
    if c.lines < 48 or c.depth < 8:
        return False
    size = dtypes.by_short(c.dtype).size
    apart = c.inner[-1].b * size * (2 if c.lines >= 128 else 1)
    far = apart >= FAR_BYTES and c.depth >= 64
    return far or c.col.extent % 16 != 0 or c.dtype in ("f16", "bf16")


def _worth_keeping(c: Contraction) -> bool:
    """Whether panels of b are worth having though they are not worth making for one run."""
    size = dtypes.by_short(c.dtype).size
    wide = c.col.b == 1 and c.col.extent > WIDEST_TILE and not c.turned
    return wide and c.depth >= 8 and c.depth * c.col.extent * size >= LEAST_KEPT


def _block(c: Contraction) -> int:
    """Steps of `inner[0]` in one block."""
    steps = c.inner[0].extent
    rest = prod(d.extent for d in c.inner[1:])
    if c.lines <= 48 or c.depth <= 2 * BLOCK:
        return steps
    blocks = ceil_div(steps, max(1, BLOCK // max(rest, 1)))
    return ceil_div(steps, blocks)


def is_light(c: Contraction) -> bool:
    """Whether `c` is worth sharing with threads that are awake, and no others."""
    return LIGHT_FLOPS <= c.flops < SPLIT_FLOPS


def _part_extents(c: Contraction, pack: bool, wanted: int) -> Extents:
    if wanted <= 1:
        return max(c.batches, 1), max(c.strips, 1), max(c.row.extent, 1), max(c.col.extent, 1)
    if not pack and c.strips == 1 and c.outer and all(d.a == 0 for d in c.outer):
        # Panels of b. Rows first: what comes before and after goes by rows, a panel is a stream.
        rows = _rows(c.row.extent, min(wanted, MOST_CHUNKS // 2))
        outer, _ = _even(c.batches, wanted // ceil_div(c.row.extent, rows))
        return outer, max(c.strips, 1), rows, max(c.col.extent, 1)
    outer = ceil_div(c.batches, min(wanted, c.batches))
    wanted //= ceil_div(c.batches, outer)
    cols = c.col.extent
    if pack:
        # Parts of columns pack their own columns; parts of rows would all pack the same.
        cols, wanted = _columns(c, wanted)
        wanted = min(wanted, c.lines // 256)
    elif c.strips == 1 and not _goes_by_rows(c, wanted):
        # Columns first: they are what threads keep (see heroes/contract.py), and what their tiles
        # read of b stays in the L1 cache.
        cols, _ = _columns(c, min(wanted, FEW_COLUMNS))
        wanted //= ceil_div(c.col.extent, cols)
    bands, wanted = _even(c.strips, wanted)
    rows = _rows(c.row.extent, wanted)
    wanted //= ceil_div(c.row.extent, rows)
    if not pack and c.strips > 1:
        cols, wanted = _columns(c, wanted)
    return outer, bands, rows, cols


def _goes_by_rows(c: Contraction, wanted: int) -> bool:
    """Whether chunks are rows alone, as they are in what comes before and after: all columns of b
    stay in the L1 cache anyway, and there are enough rows."""
    if c.depth * c.col.extent * dtypes.by_short(c.dtype).size > NEAREST:
        return False
    return 2 * ceil_div(c.row.extent, _rows(c.row.extent, wanted)) > wanted


def _even(extent: int, wanted: int) -> tuple[int, int]:
    """(extent of one part, parts still wanted) for at most `wanted` parts."""
    part = ceil_div(extent, max(1, min(wanted, extent)))
    return part, wanted // ceil_div(extent, part)


def _columns(c: Contraction, wanted: int) -> tuple[int, int]:
    grain = COLUMN_GRAIN if c.col.extent < 256 or c.turned else 2 * COLUMN_GRAIN
    units, wanted = _even(ceil_div(c.col.extent, grain), max(wanted, 1))
    return min(c.col.extent, units * grain), wanted


def _rows(extent: int, wanted: int) -> int:
    """Rows of one part: near extent / wanted, and such that tiles of 8 to 14 rows fill it well."""
    if wanted < 2 or extent < 16:
        return extent

    def cost(part: int) -> tuple[float, int]:
        tiles = min(ceil_div(part, rows) * rows / part for rows in range(8, 15))
        return tiles * ceil_div(extent, part) * part / extent, part

    least = max(8, ceil_div(extent, wanted))
    return min(range(least, min(extent, 2 * least) + 1), key=cost)


# --- of fusions -------------------------------------------------------------------------------


def hero_of(fusion: Op) -> Op:
    """The op that names the fusion."""
    name = fusion.attr("hero")
    return next(op for op in fusion.regions[0].ops if op.defn.name == name)


def op_split(fusion: Op) -> Split:
    """The split of a fusion around a dot."""
    return split(op_contraction(fusion), light=True, keeps="keeps" in fusion.kwargs)


def op_contraction(fusion: Op) -> Contraction:
    """The loop nest of a fusion around a dot."""
    hero = hero_of(fusion)
    a, b = hero.operands
    return dot_contraction(a.type, b.type, **hero.kwargs)


def op_is_light(fusion: Op) -> bool:
    """Whether a fusion around a dot is worth sharing with threads that are awake, and no others."""
    return is_light(op_contraction(fusion))


def op_flops(fusion: Op) -> int:
    """Multiplications and additions of a fusion around a dot."""
    return op_contraction(fusion).flops


def op_chunks(fusion: Op) -> int:
    """Chunks of a fusion around a dot."""
    return op_split(fusion).chunks


def op_scratch(fusion: Op) -> int:
    """Bytes of scratch of a fusion around a dot."""
    return split_scratch(fusion, op_split(fusion))


def split_scratch(fusion: Op, parts: Split) -> int:
    """Bytes of scratch of a fusion that is split so; of one chunk, if it is left whole."""
    return parts.scratch if fusion.kwargs.get("chunks", 1) > 1 else parts.each + parts.all_sums
