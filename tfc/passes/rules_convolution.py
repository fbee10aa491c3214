# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""Rules about convolutions with few outputs, and input gradients: of few channels, with strides.

Along one axis, y[o] = sum over k of x[s o + k - low] f[k], so x at s a + p - low (its *phase* is p)
meets f at p, p + s, ... alone: dx[s a + p - low] = sum over t of dy[a - t] f[s t + p], which is
the gradient of a convolution without strides. The zeros that would spread dy out are not
multiplied.

A product whose columns are few channels leaves most lanes of a packet idle. It is turned round:
every place of the filter times every pixel is one product whose columns are pixels, and each pixel
of the result is the sum of those that belong to it, plane by plane. Groups of one channel and few
outputs leave lanes idle, too: with the channel repeated, packets lie along the groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import Builder
from tfc.ir.core import Op, Type, Value
from tfc.passes.matching import Ints

LANES = 16  # fewer columns than this cost as much
MOST_SUMMED = 64  # places of the filter
MOST_REPEATED = 8  # outputs of a channel; more of them fill a packet
# Multiply-adds of a packet that take as long as writing a product, and reading it to be summed.
# Two cores, 3x3 of 64 inputs to 1, 2 and 3 outputs: 1.25 ms each as columns; 0.54, 0.82, 0.92.
MEMORY = 10


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution: extents of x, dy and the filter, stride, padding before."""

    n: int
    out: int
    k: int
    s: int
    low: int

    @property
    def first(self) -> int:
        """The least a of any phase."""
        return self.low // self.s

    @property
    def count(self) -> int:
        """How many a there are from the first one on."""
        return (self.n - 1 + self.low) // self.s - self.first + 1

    @property
    def phases(self) -> int:
        """Those of the others are 0."""
        return min(self.k, self.s)

    @property
    def taps(self) -> int:
        """Most places of the filter that one phase meets."""
        return -(-self.k // self.s)

    def padding(self, taps: int) -> tuple[int, int]:
        """Around all of one phase, for the filter's `taps` places to give as many windows as dy
        has elements."""
        return self.first, self.out + taps - 1 - self.count - self.first


def _axes(op: Op) -> list[Axis] | None:
    """The axes of a conv_grad_input; None if it is empty, or its filter has holes."""
    f, dy = op.operands
    window: Ints = f.type.shape[:-2]
    if op.attr("f_dilation") != (1,) * len(window) or 0 in (op.result.type.size, dy.type.size):
        return None
    return [
        Axis(n, out, k, s, low)
        for n, out, k, s, (low, _) in zip(
            op.attr("shape")[1:-1], dy.type.shape[1:-1], window, op.attr("strides"),
            op.attr("padding"), strict=True,
        )
    ]  # fmt: skip


def _phases(axes: list[Axis]) -> Iterator[Ints]:
    return itertools.product(*(range(a.phases) for a in axes))


# -- few channels ---------------------------------------------------------------------------------
def grad_input_by_planes(build: Builder, op: Op) -> Value | None:
    """conv_grad_input for few channels = sums over the places of the filter of one dot. Of each
    element the same products are summed, those of a place first."""
    f, dy = op.operands
    axes = _axes(op)
    if axes is None or op.attr("groups") != 1:
        return None
    low = tuple(max(a.taps - 1 - a.first, 0) for a in axes)
    high = tuple(max(a.first + a.count - a.out, 0) for a in axes)
    z = _products(build, f, dy, low, high)
    if z is None:
        return None
    planes = {phase: _plane(build, z, axes, phase, low) for phase in _phases(axes)}
    x = _stacked(build, planes, len(axes), 3)
    x = p.transpose(build, x, perm=(*range(1, x.type.rank), 0))
    return _interleaved(build, x, axes, op.attr("shape"))


def conv_by_planes(build: Builder, op: Op) -> Value | None:
    """conv with few outputs = sums over the places of the filter of one dot, as above."""
    x, f = op.operands
    window, holes = f.type.shape[:-2], op.attr("f_dilation")
    ones = (1,) * len(window)
    plain = op.attr("strides") == op.attr("x_dilation") == ones and op.attr("groups") == 1
    if not plain or 0 in (op.result.type.size, x.type.size):
        return None
    low, high = (tuple(pair[side] for pair in op.attr("padding")) for side in (0, 1))
    turned = p.transpose(build, f, perm=(*range(len(window)), len(window) + 1, len(window)))
    z = _products(build, turned, x, low, high)
    if z is None:
        return None
    y: Ints = op.result.type.shape
    total = None
    for place in itertools.product(*map(range, window)):
        first = [k * d for k, d in zip(place, holes, strict=True)]
        total = _sum(build, total, z, place, first, y[1:-1])
    assert total is not None
    return p.transpose(build, total, perm=(*range(1, total.type.rank), 0))


def _products(build: Builder, f: Value, x: Value, low: Ints, high: Ints) -> Value | None:
    """[window, C, N, pixels]: f [window, C, K] times x [N, spatial, K], padded; None if that is not
    worth it."""
    channels, each = f.type.shape[-2:]
    places = prod(f.type.shape[:-2])
    as_columns, as_rows = each * LANES, (each + MEMORY * LANES) * channels
    if not 1 < places <= MOST_SUMMED or as_rows >= as_columns:
        return None
    zero, none = p.constant(build, 0, x.type.dtype), (0,) * x.type.rank
    x = p.pad(build, x, zero, low=(0, *low, 0), high=(0, *high, 0), interior=none)
    pixels: Ints = x.type.shape[:-1]
    filters = p.reshape(build, f, shape=(places * channels, each))
    columns = p.reshape(build, x, shape=(prod(pixels), each))
    z = p.dot(build, filters, columns, contract=((1,), (1,)))
    return p.reshape(build, z, shape=(*f.type.shape[:-1], *pixels))


def _plane(build: Builder, z: Value, axes: list[Axis], phase: Ints, low: Ints) -> Value:
    """[C, N, count and 1 for each axis] of one phase. z: [window, C, N, dy from -low on]."""
    channels, count = z.type.shape[len(axes) : len(axes) + 2]
    total = None
    for taps in itertools.product(*(range(q, a.k, a.s) for q, a in zip(phase, axes, strict=True))):
        first = [
            a.first - (k - q) // a.s + before
            for k, q, a, before in zip(taps, phase, axes, low, strict=True)
        ]
        total = _sum(build, total, z, taps, first, tuple(a.count for a in axes))
    assert total is not None
    shape = (channels, count, *(n for a in axes for n in (a.count, 1)))
    return p.reshape(build, total, shape=shape)


def _sum(
    build: Builder, total: Value | None, z: Value, place: Ints, first: Sequence[int], extents: Ints
) -> Value:
    """`total`, if there is one, and the pixels from `first` on that a place of the filter made."""
    channels, count = z.type.shape[len(place) : len(place) + 2]
    last = [b + n for b, n in zip(first, extents, strict=True)]
    limit = (*(k + 1 for k in place), channels, count, *last)
    part = p.slice_(build, z, start=(*place, 0, 0, *first), limit=limit, stride=(1,) * len(limit))
    part = p.reshape(build, part, shape=(channels, count, *extents))
    return part if total is None else p.add(build, total, part)


# -- strides --------------------------------------------------------------------------------------
def grad_input_by_phases(build: Builder, op: Op) -> Value | None:
    """conv_grad_input with strides = those without strides of each phase, interleaved. Sums are of
    the same products, in the same order but where a sum is cut; 0 times infinity is not among
    them."""
    f, dy = op.operands
    axes, channels = _axes(op), f.type.shape[-2]
    by_channel = op.attr("groups") > 1 and channels == 1  # has a kernel that knows phases
    if axes is None or by_channel or all(a.s == 1 for a in axes):
        return None
    phases = prod(a.phases for a in axes)
    even = all(a.phases * a.taps == a.k for a in axes)  # zeros in the filter would meet infinities
    together = prod(a.taps for a in axes) * _lanes(phases * channels)
    apart = prod(a.k for a in axes) * _lanes(channels)
    if op.attr("groups") == 1 and even and together < apart:
        parts = _together(build, f, dy, axes)
        return _interleaved(build, parts, axes, op.attr("shape"))
    return _cut_out(build, _apart(build, f, dy, axes, op.attr("groups")), axes, op.attr("shape"))


def _lanes(columns: int) -> int:
    return -(-columns // LANES) * LANES


def _together(build: Builder, f: Value, dy: Value, axes: list[Axis]) -> Value:
    """[N, count and phase of each axis, C]: all phases as outputs of one convolution. They meet
    equally many places of the filter."""
    channels, each = f.type.shape[-2:]
    count = len(axes)
    split = tuple(n for a in axes for n in (a.taps, a.phases))
    filters = p.reshape(build, f, shape=(*split, channels, each))
    filters = p.reverse(build, filters, dims=tuple(range(0, 2 * count, 2)))
    places, phases = range(0, 2 * count, 2), range(1, 2 * count, 2)
    perm = (*places, 2 * count + 1, *phases, 2 * count)
    filters = p.transpose(build, filters, perm=perm)
    outputs = prod(a.phases for a in axes) * channels
    filters = p.reshape(build, filters, shape=(*(a.taps for a in axes), each, outputs))
    ones, padding = (1,) * count, []
    for a in axes:
        low = a.taps - 1 - a.first
        padding.append((low, a.count + a.taps - 1 - a.out - low))
    z = p.conv(
        build, dy, filters, strides=ones, padding=tuple(padding), x_dilation=ones, f_dilation=ones,
        groups=1,
    )  # fmt: skip
    counts = z.type.shape[:-1]
    z = p.reshape(build, z, shape=(*counts, *(a.phases for a in axes), channels))
    order = [0, *(d for k in range(count) for d in (1 + k, 1 + count + k)), 1 + 2 * count]
    return p.transpose(build, z, perm=tuple(order))


def _apart(build: Builder, f: Value, dy: Value, axes: list[Axis], groups: int) -> Value:
    """[N, count and stride of each axis, C]: each phase a gradient of its own part of the filter,
    which writes it where it belongs."""
    ones = (1,) * len(axes)
    channels = f.type.shape[-2] * groups
    shape = (dy.type.shape[0], *(a.count for a in axes), channels)
    part = (shape[0], *(n for a in axes for n in (a.count, 1)), channels)
    whole = Type(dy.type.dtype, (shape[0], *(n for a in axes for n in (a.count, a.s)), channels))
    x, zero = p.splat(build, 0, whole), p.constant(build, 0, "i32")
    for phase in _phases(axes):
        mine = p.slice_(
            build, f, start=(*phase, 0, 0), limit=f.type.shape,
            stride=(*(a.s for a in axes), 1, 1),
        )  # fmt: skip
        padding = tuple(a.padding(n) for a, n in zip(axes, mine.type.shape, strict=False))
        z = p.conv_grad_input(
            build, mine, dy, shape=shape, strides=ones, padding=padding, f_dilation=ones,
            groups=groups,
        )  # fmt: skip
        at = (n for q in phase for n in (zero, p.constant(build, q, "i32")))
        z = p.reshape(build, z, shape=part)
        x = p.dynamic_update_slice(build, x, z, zero, *at, zero)
    return x


# -- both -----------------------------------------------------------------------------------------
def _stacked(build: Builder, parts: dict[Ints, Value], count: int, first: int) -> Value:
    """One value of those of the phases: each has an axis of one element for each of `count` axes,
    the `first` and every second one from there on."""
    for d in reversed(range(count)):
        rows: dict[Ints, list[Value]] = {}
        for phase, z in parts.items():
            rows.setdefault(phase[:-1], []).append(z)
        parts = {
            k: zs[0] if len(zs) == 1 else p.concat(build, *zs, dim=first + 2 * d)
            for k, zs in rows.items()
        }
    return parts[()]


def _interleaved(build: Builder, parts: Value, axes: list[Axis], shape: Ints) -> Value:
    """x of what lies in [N, count and phase of each axis, C]."""
    missing = tuple(n for a in axes for n in (0, a.s - a.phases))
    if any(missing):
        zero, none = p.constant(build, 0, parts.type.dtype), (0,) * (len(missing) + 2)
        parts = p.pad(build, parts, zero, low=none, high=(0, *missing, 0), interior=none)
    return _cut_out(build, parts, axes, shape)


def _cut_out(build: Builder, x: Value, axes: list[Axis], shape: Ints) -> Value:
    """x of [N, count and stride of each axis, C]."""
    x = p.reshape(build, x, shape=(shape[0], *(a.count * a.s for a in axes), shape[-1]))
    start = (0, *(a.low % a.s for a in axes), 0)
    limit = tuple(b + n for b, n in zip(start, shape, strict=True))
    return p.slice_(build, x, start=start, limit=limit, stride=(1,) * len(shape))


# -- several outputs of each channel --------------------------------------------------------------
def _multiple(f: Value | None, op: Op) -> int:
    """How many outputs each group has, if that has one channel: 1 if that is not worth a change."""
    if f is None or f.type.shape[-2] != 1 or op.attr("groups") == 1 or not op.result.type.size:
        return 1
    each = f.type.shape[-1] // op.attr("groups")
    return each if each <= MOST_REPEATED else 1


def _repeated(build: Builder, x: Value, each: int) -> Value:
    """x with each channel `each` times."""
    shape: Ints = x.type.shape
    dims = tuple(range(len(shape)))
    wide = p.broadcast(build, x, dims=dims, shape=(*shape, each))
    return p.reshape(build, wide, shape=(*shape[:-1], shape[-1] * each))


def conv_of_repeated(build: Builder, op: Op) -> Value | None:
    """conv whose groups have a channel and some outputs = one of single channels, repeated."""
    x, f = op.operands
    each = _multiple(f, op)
    if each == 1:
        return None
    groups = op.attr("groups") * each
    return p.conv(build, _repeated(build, x, each), f, **{**op.kwargs, "groups": groups})


def grad_input_of_repeated(build: Builder, op: Op) -> Value | None:
    """The gradient of a repeated channel is the sum of theirs."""
    f, dy = op.operands
    each = _multiple(f, op)
    if each == 1:
        return None
    shape, groups = op.attr("shape"), op.attr("groups")
    changed = {**op.kwargs, "groups": groups * each, "shape": (*shape[:-1], groups * each)}
    z = p.conv_grad_input(build, f, dy, **changed)
    z = p.reshape(build, z, shape=(*shape, each))
    return p.reduce(build, z, dims=(len(shape),), kind="add")


def grad_filter_of_repeated(build: Builder, op: Op) -> Value | None:
    """As conv_of_repeated: the filter is the same."""
    x, dy = op.operands
    each = _multiple(op.result, op)
    if each == 1:
        return None
    groups = op.attr("groups") * each
    x = _repeated(build, x, each)
    return p.conv_grad_filter(build, x, dy, **{**op.kwargs, "groups": groups})


RULES = {
    "conv": (conv_by_planes, conv_of_repeated),
    "conv_grad_input": (grad_input_by_planes, grad_input_of_repeated, grad_input_by_phases),
    "conv_grad_filter": (grad_filter_of_repeated,),
}
