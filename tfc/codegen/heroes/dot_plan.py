"""The register tile of a contraction: how many rows and packets of columns are summed at a time.

A tile keeps rows x packets accumulators in registers; each step of the inner loop loads `packets`
packets of b and one number of a per row. The tile changes speed only: every element of the result
is one chain of fused multiply-adds in the order of the inner loops, whatever the tile.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfc.base.records import dataclass
from tfc.base.target import Target
from tfc.prims.contract_plan import LINE, NEAREST, WIDEST_TILE, Split
from tfc.prims.loop_nest import Contraction, ceil_div

FMA_LATENCY = 4  # cycles; with two units, 8 chains keep both busy
FINISH = 1.5  # cycles to finish and store one packet, roughly; 20 to start a tile
START = 20
FAR_PACKET = 0.15  # cycles that a packet of b takes more if its panel is in the L2 cache
# 8 columns at the same time give a vector 54 GFLOP/s on a 1024 x 1024 matrix, 16 give 42.
STREAMS = 8
# [128,784] x [784,10] in us: 1 row 9.5, 2 rows 8.7; 5 rows by 5 columns, twice, 10.7.
ROWS_ALONG = 3


@dataclass(frozen=True)
class Tile:
    """rows x packets of `lanes` elements; the last columns, if any, are `tail` more. `streams`:
    where packets lie along the inner loop, how many columns are read at the same time."""

    rows: int
    packets: int
    lanes: int
    tail: int
    streams: int = STREAMS

    @property
    def cols(self) -> int:
        return self.packets * self.lanes


def choose_tile(
    c: Contraction, split: Split, target: Target, lanes: int, groups: Sequence[int] = ()
) -> Tile:
    """The tile with the least estimated time for a part of `c`. groups: how many rows lie
    together, if not all do; a tile has rows of one group."""
    groups, cols_part = groups or (split.extents[2],), split.extents[3]
    if split.along:
        return _along_tile(c, target, lanes)
    narrow = split.pack or split.keeps or split.partial or split.parts[3] > 1
    best: tuple[float, Tile] | None = None
    for packets in (1, 2, 4) if split.keeps else range(1, 9):  # few forms of what is kept
        cols = packets * lanes
        if packets > 1 and cols - lanes >= c.col.extent:
            break
        if packets > 1 and narrow and cols > WIDEST_TILE:
            break
        if split.parts[3] > 1 and cols_part % cols:
            continue
        least = c.row.extent if c.turned else 1  # what is turned has all rows in a tile
        for rows in range(least, min(*groups, c.row.extent, 28) + 1):
            if rows * packets + packets + 1 > target.registers and (packets, rows) != (1, least):
                break
            tile = Tile(rows, packets, lanes, c.col.extent % cols)
            time = _cost(tile, c, groups, cols_part)
            if best is None or time < best[0]:
                best = (time, tile)
    assert best is not None, "a column part holds whole packets"
    return best[1]


def _along_tile(c: Contraction, target: Target, lanes: int) -> Tile:
    """The tile of inner products along memory: with several rows, all columns at the same time."""
    cols = c.col.extent
    if c.lines <= 2:
        return Tile(1, 1, lanes, cols % lanes)
    packets = ceil_div(cols, lanes)
    rows = max(1, min(ROWS_ALONG, c.row.extent, (target.registers - 1) // (cols + 1)))
    streams = ceil_div(cols, ceil_div(cols, target.registers - 2))
    return Tile(rows, packets, lanes, cols % (packets * lanes), streams)


def _cost(tile: Tile, c: Contraction, groups: Sequence[int], cols: int) -> float:
    """Estimated cycles for a part of `cols` columns and of rows that lie in `groups`."""
    whole, rest = divmod(cols, tile.cols)
    time = whole * _tile_cost(tile.rows, tile.packets, c)
    if rest:
        time += _tile_cost(tile.rows, ceil_div(rest, tile.lanes), c) + START
    return time * sum(ceil_div(rows, tile.rows) for rows in groups)


def _tile_cost(rows: int, packets: int, c: Contraction) -> float:
    chains = rows * packets
    step = max(chains / 2, (rows + packets) / 2, FMA_LATENCY if chains < 8 else 0)
    # Small tiles move more of a and b per multiply-add; the caches notice.
    traffic = 0.1 * (rows + packets)
    if c.depth * packets * LINE > NEAREST:
        traffic += FAR_PACKET * packets
    return c.depth * (step + traffic) + START + FINISH * chains
