# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""Rules about the gradients of convolutions with strides.

Along one axis, y[o] = sum over k of x[s o + k - low] f[k], so x at s a + p - low (its *phase* is p)
meets f at p, p + s, ... alone: dx[s a + p - low] = sum over t of dy[a - t] f[s t + p], which is
the gradient of a convolution without strides. The zeros that would spread dy out are not
multiplied.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import prod

from tfc import prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Op, Value
from tfc.passes.matching import Ints

LANES = 16  # fewer columns than this cost as much


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


def grad_input_by_phases(build: Builder, op: Op) -> Value | None:
    """conv_grad_input with strides = those without strides of each phase, interleaved. Sums are of
    the same products, in the same order but where a sum is cut; 0 times infinity is not among
    them."""
    f, dy = op.operands
    shape, strides = op.attr("shape"), op.attr("strides")
    window: Ints = f.type.shape[:-2]
    plain = op.attr("f_dilation") == (1,) * len(window)
    by_channel = op.attr("groups") > 1 and f.type.shape[-2] == 1  # moves more than it multiplies
    if (
        not plain
        or by_channel
        or all(s == 1 for s in strides)
        or 0 in (op.result.type.size, dy.type.size)
    ):
        return None
    axes = [
        Axis(n, out, k, s, low)
        for n, out, k, s, (low, _) in zip(
            shape[1:-1], dy.type.shape[1:-1], window, strides, op.attr("padding"), strict=True
        )
    ]
    channels = f.type.shape[-2]
    phases = prod(a.phases for a in axes)
    even = all(a.phases * a.taps == a.k for a in axes)  # zeros in the filter would meet infinities
    together = prod(a.taps for a in axes) * _lanes(phases * channels)
    apart = prod(window) * _lanes(channels)
    if op.attr("groups") == 1 and even and together < apart:
        parts = _together(build, f, dy, axes)
    else:
        parts = _apart(build, f, dy, axes, op.attr("groups"))
    return _interleaved(build, parts, axes, shape)


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
    """As `_together`: each phase a gradient of its own part of the filter."""
    parts: dict[Ints, Value] = {}
    count, ones = len(axes), (1,) * len(axes)
    channels = f.type.shape[-2] * groups
    shape = (dy.type.shape[0], *(a.count for a in axes), channels)
    flat = (shape[0], *(n for a in axes for n in (a.count, 1)), channels)
    for phase in itertools.product(*(range(a.phases) for a in axes)):
        mine = p.slice_(
            build, f, start=(*phase, 0, 0), limit=f.type.shape,
            stride=(*(a.s for a in axes), 1, 1),
        )  # fmt: skip
        padding = tuple(a.padding(n) for a, n in zip(axes, mine.type.shape, strict=False))
        z = p.conv_grad_input(
            build, mine, dy, shape=shape, strides=ones, padding=padding, f_dilation=ones,
            groups=groups,
        )  # fmt: skip
        parts[phase] = p.reshape(build, z, shape=flat)
    for d in reversed(range(count)):
        rows: dict[Ints, list[Value]] = {}
        for phase, z in parts.items():
            rows.setdefault(phase[:-1], []).append(z)
        parts = {
            k: zs[0] if len(zs) == 1 else p.concat(build, *zs, dim=2 + 2 * d)
            for k, zs in rows.items()
        }
    return parts[()]


def _interleaved(build: Builder, parts: Value, axes: list[Axis], shape: Ints) -> Value:
    """x of what lies in [N, count and phase of each axis, C]."""
    missing = tuple(n for a in axes for n in (0, a.s - a.phases))
    if any(missing):
        zero, none = p.constant(build, 0, parts.type.dtype), (0,) * (len(missing) + 2)
        parts = p.pad(build, parts, zero, low=none, high=(0, *missing, 0), interior=none)
    whole = (shape[0], *(a.count * a.s for a in axes), shape[-1])
    parts = p.reshape(build, parts, shape=whole)
    start = (0, *(a.low % a.s for a in axes), 0)
    limit = tuple(b + n for b, n in zip(start, shape, strict=True))
    return p.slice_(build, parts, start=start, limit=limit, stride=(1,) * len(shape))


RULES = {"conv_grad_input": (grad_input_by_phases,)}
