# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""Rules about convolutions whose filter covers an axis: it is as long, and is there at one place.

Such an axis is channels by another name: conv of x [N, H, W, C] and f [k, W, C, O] is that of
[N, H, W C] and [k, W C, O]. Nothing is moved where the axes lie next to the channels, as in a text
whose filters are as wide as its embeddings, or where a picture becomes a vector. The gradient for x
gains most, also where axes have to be moved: at each of W places it would meet W places of the
filter, all but one of them outside dy.

A filter that is almost as long is there at few places, and what it gives at each is added up.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

from tfc import prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Op, Value
from tfc.passes.matching import Ints
from tfc.passes.rules_convolution import MEMORY

MOST_PLACES = 16  # where a filter is, for what it gives to be added up place by place
LEAST_SAVED = 2.0  # times the multiply-adds


def _covered(op: Op, x: Ints, window: Ints, y: Ints) -> Ints:
    """The spatial axes, from 0 on, that the filter covers."""
    dilations = op.kwargs.get("x_dilation", (1,) * len(window)), op.attr("f_dilation")
    return tuple(
        d
        for d, (n, k) in enumerate(zip(x[1:-1], window, strict=True))
        if n == k
        and k > 1
        and y[1 + d] == 1
        and op.attr("padding")[d] == (0, 0)
        and all(dilation[d] == 1 for dilation in dilations)
    )


def _kept(values: Sequence[int], covered: Ints) -> Ints:
    """Those of the axes that are not covered."""
    return tuple(n for d, n in enumerate(values) if d not in covered)


def _attributes(op: Op, covered: Ints) -> dict[str, object]:
    """The attributes without the covered axes; `shape` is the caller's."""
    changed = dict(op.kwargs)
    for name in ("strides", "padding", "x_dilation", "f_dilation"):
        if name in changed:
            changed[name] = tuple(v for d, v in enumerate(changed[name]) if d not in covered)
    return changed


def _free(covered: Ints, rank: int) -> bool:
    """Whether the covered axes, if any, are those next to the channels."""
    return bool(covered) and covered == tuple(range(rank - len(covered), rank))


def conv_of_covered(build: Builder, op: Op) -> Value | None:
    """conv whose filter covers the last axes = one with fewer axes, and their extents as channels;
    a dot if no axis is left"""
    x, f = op.operands
    window: Ints = f.type.shape[:-2]
    covered = _covered(op, x.type.shape, window, op.result.type.shape)
    if op.attr("groups") != 1 or not _free(covered, len(window)):
        return None
    n, *spatial, c = x.type.shape
    wide = c * prod(spatial[d] for d in covered)
    x = p.reshape(build, x, shape=(n, *_kept(spatial, covered), wide))
    f = p.reshape(build, f, shape=(*_kept(window, covered), wide, f.type.shape[-1]))
    if len(covered) == len(window):
        z = p.dot(build, x, f, contract=((1,), (0,)))
    else:
        z = p.conv(build, x, f, **_attributes(op, covered))
    return p.reshape(build, z, shape=op.result.type.shape)


def grad_filter_of_covered(build: Builder, op: Op) -> Value | None:
    """As conv_of_covered."""
    x, dy = op.operands
    window: Ints = op.result.type.shape[:-2]
    covered = _covered(op, x.type.shape, window, dy.type.shape)
    if op.attr("groups") != 1 or not _free(covered, len(window)):
        return None
    n, *spatial, c = x.type.shape
    wide, outputs = c * prod(spatial[d] for d in covered), dy.type.shape[-1]
    x = p.reshape(build, x, shape=(n, *_kept(spatial, covered), wide))
    dy = p.reshape(build, dy, shape=(n, *_kept(dy.type.shape[1:-1], covered), outputs))
    if len(covered) == len(window):
        z = p.dot(build, x, dy, contract=((0,), (0,)))
    else:
        shape = (*_kept(window, covered), wide, outputs)
        z = p.conv_grad_filter(build, x, dy, **{**_attributes(op, covered), "shape": shape})
    return p.reshape(build, z, shape=op.result.type.shape)


def grad_input_of_covered(build: Builder, op: Op) -> Value | None:
    """conv_grad_input whose filter covers axes = one without them, and their extents as channels,
    moved to where they belong"""
    f, dy = op.operands
    window: Ints = f.type.shape[:-2]
    shape: Ints = op.attr("shape")
    covered = _covered(op, shape, window, dy.type.shape)
    if op.attr("groups") != 1 or not covered:
        return None
    rank, (n, *spatial, c), outputs = len(window), shape, f.type.shape[-1]
    order = (*_kept(range(rank), covered), *covered)
    f = p.transpose(build, f, perm=(*order, rank, rank + 1))
    wide = c * prod(spatial[d] for d in covered)
    f = p.reshape(build, f, shape=(*_kept(window, covered), wide, outputs))
    dy = p.reshape(build, dy, shape=(n, *_kept(dy.type.shape[1:-1], covered), outputs))
    if len(covered) == rank:
        z = p.dot(build, dy, f, contract=((1,), (1,)))
    else:
        inner = (n, *_kept(spatial, covered), wide)
        z = p.conv_grad_input(build, f, dy, **{**_attributes(op, covered), "shape": inner})
    z = p.reshape(build, z, shape=(n, *(spatial[d] for d in order), c))
    back = sorted(range(rank), key=order.__getitem__)
    return p.transpose(build, z, perm=(0, *(1 + d for d in back), 1 + rank))


def grad_input_by_places(build: Builder, op: Op) -> Value | None:
    """conv_grad_input whose filter is at few places = one dot, and for each place what it gives
    there. Of each element the same products are summed, those of a place first."""
    f, dy = op.operands
    window, (n, *places, outputs) = f.type.shape[:-2], dy.type.shape
    channels, shape, strides = f.type.shape[-2], op.attr("shape"), op.attr("strides")
    ones, none = (1,) * len(window), ((0, 0),) * len(window)
    if op.attr("groups") != 1 or op.attr("f_dilation") != ones or op.attr("padding") != none:
        return None
    count, met = prod(places), prod(-(-k // s) for k, s in zip(window, strides, strict=True))
    by_places = count * prod(window) * (outputs + MEMORY)
    if not 1 < count <= MOST_PLACES or prod(shape[1:-1]) * met * outputs < LEAST_SAVED * by_places:
        return None
    rows = p.reshape(build, dy, shape=(n * count, outputs))
    columns = p.reshape(build, f, shape=(prod(window) * channels, outputs))
    z = p.dot(build, rows, columns, contract=((1,), (1,)))
    z = p.reshape(build, z, shape=(n, *places, *window, channels))
    zero, total = p.constant(build, 0, z.type.dtype), None
    for place in itertools.product(*map(range, places)):
        limit = (n, *(o + 1 for o in place), *window, channels)
        start = (0, *place, *(0,) * (len(window) + 1))
        part = p.slice_(build, z, start=start, limit=limit, stride=(1,) * len(limit))
        part = p.reshape(build, part, shape=(n, *window, channels))
        low = [o * s for o, s in zip(place, strides, strict=True)]
        high = [m - k - a for m, k, a in zip(shape[1:-1], window, low, strict=True)]
        around = {"low": (0, *low, 0), "high": (0, *high, 0), "interior": (0,) * len(shape)}
        part = p.pad(build, part, zero, **around)
        total = part if total is None else p.add(build, total, part)
    return total


RULES = {
    "conv": (conv_of_covered,),
    "conv_grad_input": (grad_input_of_covered, grad_input_by_places),
    "conv_grad_filter": (grad_filter_of_covered,),
}
