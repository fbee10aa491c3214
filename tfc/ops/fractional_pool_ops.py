"""Fractional max and average pooling: windows of k or k + 1 elements in random order.

A sequence of n + 1 ends says where the n windows of an axis begin. It is drawn as TensorFlow draws
it: sizes shuffled, or (pseudo-random) the ends of equal fractional steps from a random start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import random_values as values
from tfc.ops import shape_rules as s
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid
from tfc.ops.sampling import lanes

_TYPES = ("f32", "f64", "i32", "i64")
_ATTRS = (
    "pooling_ratio: list(float), pseudo_random: bool = False, overlapping: bool = False,"
    " deterministic: bool = False, seed: int = 0, seed2: int = 0"
)
_RESULTS = "row_pooling_sequence: int64, col_pooling_sequence: int64"


def _pooled(dims: Sequence[int | None], ratios: Sequence[float]) -> list[int | None]:
    return [None if d is None else math.floor(d / r) for d, r in zip(dims, ratios, strict=True)]


def _result_shapes(value: TensorShape, ratios: Sequence[float]) -> list[TensorShape]:
    if len(ratios) != 4:
        raise ValueError("pooling_ratio field must specify 4 dimensions")
    if any(r < 1 for r in ratios):
        raise ValueError("pooling_ratio should be >= 1.0")
    dims = _pooled(s.with_rank(value, 4), ratios)
    ends = [None if d is None else d + 1 for d in dims[1:3]]
    return [s.shape_of(dims), *(s.shape_of([n]) for n in ends)]


# ---- sequences


def _sequence(build: Any, size: int, count: int, attrs: dict[str, Any]) -> Value:
    """Where each of `count` windows over `size` elements begins, and the end: i64[count + 1]."""
    pseudo, keep = attrs["pseudo_random"], attrs["deterministic"]
    groups = 1 if pseudo else (count + 3) // 4
    key, counter = values.take(build, attrs["seed"], attrs["seed2"], 0 if keep else groups)
    if keep and attrs["ahead"]:
        counter = values.advanced(build, counter, attrs["ahead"])
    if pseudo:
        return _stepped(build, key, counter, size, count)
    least, more = divmod(size, count)
    sizes = p.constant(build, np.array([least + (i < more) for i in range(count)], np.int64))
    if count > 1:
        words = p.rng_bits(build, key, counter, n=count - 1)
        order = values.permutation(build, values.swap_partners(build, words, count))
        sizes = p.gather(build, sizes, p.reshape(build, order, shape=(count, 1)), dims=(0,))
    ends = p.cumulative(build, sizes, dim=0, kind="add", exclusive=False, reverse=False)
    return p.concat(build, p.constant(build, np.zeros(1, np.int64)), ends, dim=0)


def _stepped(build: Any, key: Value, counter: Value, size: int, count: int) -> Value:
    step, least = size / count, size // count
    most = min((least + 2) / step - 1, (size + 1 - least) / step - (count - 1))
    words = p.rng_bits(build, key, counter, n=2)
    calc = Calc(build)
    unit = lanes.unit(*(calc(lanes.scalar_of(build, words, i)) for i in (0, 1))) * most
    place = calc(p.iota(build, dtype="f64", shape=(count + 1,), dim=0))
    start = calc(p.broadcast_to(build, unit.value, (count + 1,)))
    inner = -((-((place + start) * step)).floor())
    ends = (inner - 1).to("i64")
    whole = place.to("i64")
    first, last = whole.equals(0), whole.equals(count)
    return ends.of(0).where(first, ends.of(size).where(last, ends)).value


class _Windows:
    """The windows of both axes: for each offset into them the rows and columns it stands for."""

    def __init__(
        self, build: Any, dims: Sequence[int], rows: Value, columns: Value, overlapping: bool
    ):
        self.build, self.dims = build, tuple(dims)
        self.axes = [
            _Axis(build, dims[1], rows, overlapping),
            _Axis(build, dims[2], columns, overlapping),
        ]
        counts = (axis.count for axis in self.axes)
        self.shape: tuple[int, ...] = (dims[0], *counts, dims[3])

    def offsets(self) -> Iterator[tuple[Value, Value]]:
        """For each offset: (flat places in the image of what the windows have there, whether they
        have it), both in the result's shape; first rows, then columns."""
        build = self.build
        calc = Calc(build)
        batch, channel = (calc(p.iota(build, dtype="i64", shape=self.shape, dim=d)) for d in (0, 3))
        height, width, depth = self.dims[1:]
        for i in range(self.axes[0].most):
            row, has_row = (calc(self._spread(v, 1)) for v in self.axes[0].at(i))
            for j in range(self.axes[1].most):
                column, has = (calc(self._spread(v, 2)) for v in self.axes[1].at(j))
                place = ((batch * height + row) * width + column) * depth + channel
                yield place.value, (has_row & has).value

    def _spread(self, x: Value, dim: int) -> Value:
        result: Value = p.broadcast(self.build, x, dims=(dim,), shape=self.shape)
        return result

    def sizes(self) -> Value:
        """How many elements each window has: i64, in the result's shape."""
        calc = Calc(self.build)
        height, width = (calc(self._spread(a.size, d)) for d, a in enumerate(self.axes, 1))
        return (height * width).value


class _Axis:
    def __init__(self, build: Any, size: int, ends: Value, overlapping: bool):
        self.build = build
        self.count = ends.type.shape[0] - 1
        self.most = size // self.count + 1 + overlapping
        calc = Calc(build)
        start, after = (
            calc(p.slice_(build, ends, start=(i,), limit=(self.count + i,), stride=(1,)))
            for i in (0, 1)
        )
        self.limit = size - 1
        self.start, last = start, (after if overlapping else after - 1).atmost(size - 1)
        self.last = last
        self.size = (last - start + 1).value

    def at(self, offset: int) -> tuple[Value, Value]:
        """(the place `offset` into each window, whether the window reaches that far)."""
        place = self.start + offset
        return place.atmost(self.limit).value, (place <= self.last).value


def _read(build: Any, flat: Value, places: Value) -> Value:
    at = p.reshape(build, places, shape=(*places.type.shape, 1))
    value: Value = p.gather(build, flat, at, dims=(0,))
    return value


def _best(build: Any, x: Value, windows: _Windows) -> tuple[Value, Value]:
    """(the greatest element of each window, the flat place of the first one)."""
    flat = p.reshape(build, x, shape=(x.type.size,))
    calc = Calc(build)
    top = place = None
    for at, has in windows.offsets():
        value = calc(_read(build, flat, at))
        if top is None or place is None:
            top, place = value, calc(at)
            continue
        higher = calc(has) & (value > top)
        top, place = value.where(higher, top), calc(at).where(higher, place)
    assert top is not None and place is not None
    return top.value, place.value


def _check(build: Any, x: Value, ratios: Sequence[float]) -> list[int]:
    if x.type.rank != 4:
        raise invalid(build, "tensor_in must be 4-dimensional")
    if ratios[0] != 1 or ratios[3] != 1:
        raise invalid(build, "Fractional pooling is not yet supported on the batch nor channel "
                             "dimension.")  # fmt: skip
    counts = [n for n in _pooled(x.type.shape, ratios) if n is not None]
    if x.type.size and 0 in counts:
        raise invalid(build, f"pooling_ratio {list(ratios)} leaves nothing of {x.type}")
    return counts


def _sequences(build: Any, x: Value, attrs: dict[str, Any]) -> list[Value]:
    counts = _check(build, x, attrs["pooling_ratio"])
    first = 1 if attrs["pseudo_random"] else (counts[1] + 3) // 4
    return [
        _sequence(build, x.type.shape[axis], counts[axis], attrs | {"ahead": ahead})
        for axis, ahead in ((1, 0), (2, first))
    ]


class FractionalMaxPool(
    OpDef, sig=f"FractionalMaxPool(value: T, {_ATTRS}) -> output: T, {_RESULTS}", T=_TYPES
):
    """The largest element of each of the random windows, and where the windows begin."""

    stateful = True

    def shape(value: TensorShape, *, pooling_ratio: Any, **_: Any) -> list[TensorShape]:
        return _result_shapes(value, pooling_ratio)

    def grad(op: Any, dy: Any, *_: Any) -> list[Any]:
        y, rows, columns = op.outputs
        overlapping = op.get_attr("overlapping")
        x = op.inputs[0]
        return [apply("FractionalMaxPoolGrad", x, y, dy, rows, columns, overlapping=overlapping)]

    def lower(build: Any, value: Value, **attrs: Any) -> tuple[Value, Value, Value]:
        rows, columns = _sequences(build, value, attrs)
        windows = _Windows(build, value.type.shape, rows, columns, attrs["overlapping"])
        return _best(build, value, windows)[0], rows, columns


class FractionalMaxPoolGrad(
    OpDef,
    sig="FractionalMaxPoolGrad(orig_input: T, orig_output: T, out_backprop: T,"
    " row_pooling_sequence: int64, col_pooling_sequence: int64, overlapping: bool = False)"
    " -> output: T",
    T=_TYPES,
):
    """The gradient of FractionalMaxPool: to the first largest element of each window."""

    def shape(x: TensorShape, *others: TensorShape) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(x, 4))]

    def lower(
        build: Any, x: Value, y: Value, dy: Value, rows: Value, columns: Value, *,
        overlapping: bool,
    ) -> Value:  # fmt: skip
        windows = _Windows(build, x.type.shape, rows, columns, overlapping)
        _, place = _best(build, x, windows)
        at = p.reshape(build, place, shape=(*place.type.shape, 1))
        start = p.splat(build, 0, Type(x.type.dtype, (x.type.size,)))
        total = p.scatter(build, start, at, dy, dims=(0,), kind="add")
        return p.reshape(build, total, shape=x.type.shape)


class FractionalAvgPool(
    OpDef, sig=f"FractionalAvgPool(value: T, {_ATTRS}) -> output: T, {_RESULTS}", T=_TYPES
):
    """The mean of each of the random windows, and where the windows begin."""

    stateful = True

    def shape(value: TensorShape, *, pooling_ratio: Any, **_: Any) -> list[TensorShape]:
        return _result_shapes(value, pooling_ratio)

    def grad(op: Any, dy: Any, *_: Any) -> list[Any]:
        dims = apply("Shape", op.inputs[0], out_type=dtypes.int64)
        overlapping = op.get_attr("overlapping")
        rows, columns = op.outputs[1:]
        return [apply("FractionalAvgPoolGrad", dims, dy, rows, columns, overlapping=overlapping)]

    def lower(build: Any, value: Value, **attrs: Any) -> tuple[Value, Value, Value]:
        rows, columns = _sequences(build, value, attrs)
        windows = _Windows(build, value.type.shape, rows, columns, attrs["overlapping"])
        flat = p.reshape(build, value, shape=(value.type.size,))
        calc = Calc(build)
        total = calc(p.splat(build, 0, Type(value.type.dtype, windows.shape)))
        for at, has in windows.offsets():
            total = (total + calc(_read(build, flat, at))).where(calc(has), total)
        count = calc(windows.sizes()).to(value.type.dtype)
        return (total / count).value, rows, columns


class FractionalAvgPoolGrad(
    OpDef,
    sig="FractionalAvgPoolGrad(orig_input_tensor_shape: int64, out_backprop: T,"
    " row_pooling_sequence: int64, col_pooling_sequence: int64, overlapping: bool = False)"
    " -> output: T",
    T=_TYPES,
):
    """The gradient of FractionalAvgPool: in equal shares to the elements of each window."""

    def shape(dims: TensorShape, *others: TensorShape, op: Any, **_: Any) -> list[TensorShape]:
        known = s.static_dims(op, 0)
        return [s.unknown(4) if known is None else s.shape_of(known)]

    def lower(
        build: Any, dims: Value, dy: Value, rows: Value, columns: Value, *, overlapping: bool
    ) -> Value:
        extents = [int(d) for d in build.static(dims)]
        windows = _Windows(build, extents, rows, columns, overlapping)
        calc = Calc(build)
        share = calc(dy) / calc(windows.sizes()).to(dy.type.dtype)
        total = p.splat(build, 0, Type(dy.type.dtype, (math.prod(extents),)))
        for at, has in windows.offsets():
            given = share.where(calc(has), 0)
            places = p.reshape(build, at, shape=(*at.type.shape, 1))
            total = p.scatter(build, total, places, given.value, dims=(0,), kind="add")
        return p.reshape(build, total, shape=tuple(extents))


def _pool(op: str, value: Any, ratio: Any, options: dict[str, Any], name: Any) -> Any:
    return apply(op, value, pooling_ratio=[float(r) for r in ratio], name=name, **options)


def fractional_max_pool(
    value: Any,
    pooling_ratio: Any,
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(the largest elements of random windows of images [batch, height, width, channels], where
    the windows begin in rows, in columns); the extents shrink by `pooling_ratio`.

    deterministic: the windows of the first run stay.
    """
    options: dict[str, Any] = {"pseudo_random": pseudo_random, "overlapping": overlapping}
    options |= {"deterministic": deterministic, "seed": seed, "seed2": seed2}
    return _pool("FractionalMaxPool", value, pooling_ratio, options, name)


def fractional_avg_pool(
    value: Any,
    pooling_ratio: Any,
    pseudo_random: bool = False,
    overlapping: bool = False,
    deterministic: bool = False,
    seed: int = 0,
    seed2: int = 0,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with the means of the windows."""
    options: dict[str, Any] = {"pseudo_random": pseudo_random, "overlapping": overlapping}
    options |= {"deterministic": deterministic, "seed": seed, "seed2": seed2}
    return _pool("FractionalAvgPool", value, pooling_ratio, options, name)
