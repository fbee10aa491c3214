"""Grey-scale dilation and erosion of images by a structuring element, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.dtypes import REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.lowering import invalid
from tfc.ops.reverse_ops import reverse

_ATTRS = "strides: list(int), rates: list(int), padding: {'SAME', 'VALID'}"


def _check(strides: Sequence[int], rates: Sequence[int]) -> None:
    """Raises ValueError unless both hold four positive entries."""
    for what, entries in (("strides", strides), ("rates", rates)):
        if len(entries) != 4:
            raise ValueError(
                f"Dilation2D requires the {what} attribute to contain 4 values, but got: "
                f"{len(entries)}"
            )
        if any(n <= 0 for n in entries):
            raise ValueError(f"{what} must be positive, not {list(entries)}")


def _result_dims(
    dims: Sequence[int | None], sizes: Sequence[int | None], attrs: dict[str, Any]
) -> list[int | None]:
    strides, rates = attrs["strides"][1:3], attrs["rates"][1:3]
    out = [
        w.windows_in(d, k, stride, rate, attrs["padding"])
        for d, k, stride, rate in zip(dims[1:3], sizes, strides, rates, strict=True)
    ]
    return [dims[0], *out, dims[3]]


class _Geometry:
    """The windows of one dilation: `parts` goes through the filter's elements, and gives for each
    the image as seen at that element, and the element in that shape."""

    def __init__(self, build: Any, x: Value, kernel: Value, attrs: dict[str, Any]):
        if x.type.rank != 4 or kernel.type.rank != 3 or x.type.shape[3] != kernel.type.shape[2]:
            raise invalid(
                build, "input and filter must have the same depth: "
                f"{shape_text(x.type.shape)} vs {shape_text(kernel.type.shape)}",
            )  # fmt: skip
        self.build, self.x, self.kernel = build, x, kernel
        for what in ("strides", "rates"):
            if attrs[what][0] != 1 or attrs[what][3] != 1:
                message = f"Current implementation does not yet support {what} in the batch and "
                raise errors.UnimplementedError(None, build.op, message + "depth dimensions.")
        layout = {"strides": attrs["strides"], "padding": attrs["padding"], "data_format": "NHWC"}
        layout["dilations"] = attrs["rates"]
        dims, sizes = x.type.shape, kernel.type.shape[:2]
        at = w.window(build, dims[1:3], sizes, layout)
        self.strides, self.rates, self.padding = at.strides, at.dilations, at.padding
        self.dims: tuple[int, ...] = tuple(
            int(d) for d in _result_dims(dims, sizes, attrs) if d is not None
        )

    def padded(self, image: Value, fill: Value) -> Value:
        """`image` with its border."""
        low, high = (tuple(pair[i] for pair in self.padding) for i in (0, 1))
        wanted: Value = p.pad(
            self.build, image, fill, low=(0, *low, 0), high=(0, *high, 0), interior=(0,) * 4
        )
        return wanted

    def offsets(self) -> Iterator[tuple[int, int]]:
        yield from ((int(i), int(j)) for i, j in np.ndindex(*self.kernel.type.shape[:2]))

    def seen(self, wide: Value, at: tuple[int, int]) -> Value:
        """What each window sees of the padded image at one element of the filter."""
        start = [place * rate for place, rate in zip(at, self.rates, strict=True)]
        limit = [
            first + (n - 1) * stride + 1
            for first, n, stride in zip(start, self.dims[1:3], self.strides, strict=True)
        ]
        part: Value = p.slice_(
            self.build, wide, start=(0, *start, 0), limit=(self.dims[0], *limit, self.dims[3]),
            stride=(1, *self.strides, 1),
        )  # fmt: skip
        return part

    def element(self, at: tuple[int, int]) -> Value:
        """The filter's element, in the shape of the result."""
        depth = self.kernel.type.shape[2]
        part = p.slice_(
            self.build, self.kernel, start=(*at, 0), limit=(at[0] + 1, at[1] + 1, depth),
            stride=(1, 1, 1),
        )  # fmt: skip
        flat = p.reshape(self.build, part, shape=(depth,))
        spread: Value = p.broadcast(self.build, flat, dims=(3,), shape=self.dims)
        return spread

    def best(self) -> tuple[Value, Value]:
        """(the maxima, the number of the filter's element that each comes from)."""
        build = self.build
        lowest = p.constant(build, p.identity("max", self.x.type.dtype), self.x.type.dtype)
        inside = p.broadcast(build, p.constant(build, True, "i1"), dims=(), shape=self.x.type.shape)
        wide, known = self.padded(self.x, lowest), self.padded(inside, p.constant(build, False))
        top = p.broadcast(build, lowest, dims=(), shape=self.dims)
        place = p.broadcast(build, p.constant(build, 0, "i32"), dims=(), shape=self.dims)
        for number, at in enumerate(self.offsets()):
            total = p.add(build, self.seen(wide, at), self.element(at))
            higher = p.and_(build, self.seen(known, at), p.gt(build, total, top))
            top = p.select(build, higher, total, top)
            place = p.select(build, higher, p.full_like(build, place, number), place)
        return top, place


class Dilation2D(OpDef, sig=f"Dilation2D(input: T, filter: T, {_ATTRS}) -> output: T", T=REALS):
    """The maximum of input + filter over each window of images [batch, height, width, depth]."""

    def shape(
        input: TensorShape, filter: TensorShape, *, strides: Any, rates: Any, padding: str
    ) -> list[TensorShape]:
        _check(strides, rates)
        dims, kernel = s.with_rank(input, 4), s.with_rank(filter, 3)
        depth = s.merge_dim(dims[3], kernel[2])
        attrs = {"strides": strides, "rates": rates, "padding": padding}
        return [s.shape_of(_result_dims([*dims[:3], depth], kernel[:2], attrs))]

    def grad(op: Any, dy: Any) -> list[Any]:
        x, kernel = op.inputs
        attrs = {n: op.get_attr(n) for n in ("strides", "rates", "padding")}
        return [
            apply("Dilation2DBackpropInput", x, kernel, dy, **attrs),
            apply("Dilation2DBackpropFilter", x, kernel, dy, **attrs),
        ]

    def lower(build: Any, input: Value, filter: Value, **attrs: Any) -> Value:
        geometry = _Geometry(build, input, filter, attrs)
        if 0 in geometry.dims:
            return p.splat(build, 0, Type(input.type.dtype, geometry.dims))
        return geometry.best()[0]


class Dilation2DBackpropInput(
    OpDef,
    sig=f"Dilation2DBackpropInput(input: T, filter: T, out_backprop: T, {_ATTRS})"
    " -> in_backprop: T",
    T=REALS,
):
    """The gradient with respect to the image: to the place of the first maximum."""

    def shape(x: TensorShape, *others: TensorShape) -> list[TensorShape]:
        return [x]

    def lower(build: Any, x: Value, kernel: Value, dy: Value, **attrs: Any) -> Value:
        geometry = _Geometry(build, x, kernel, attrs)
        if 0 in geometry.dims:
            return p.full_like(build, x, 0)
        _, place = geometry.best()
        zero = p.constant(build, 0, x.type.dtype)
        wide = geometry.padded(x, zero).type.shape
        total = p.broadcast(build, zero, dims=(), shape=wide)
        nothing = p.full_like(build, dy, 0)
        for number, at in enumerate(geometry.offsets()):
            here = p.eq(build, place, p.full_like(build, place, number))
            share = p.select(build, here, dy, nothing)
            start = [a * rate for a, rate in zip(at, geometry.rates, strict=True)]
            rest = [
                size - first - ((n - 1) * stride + 1)
                for size, first, n, stride in zip(
                    wide[1:3], start, geometry.dims[1:3], geometry.strides, strict=True
                )
            ]
            interior = (0, *(stride - 1 for stride in geometry.strides), 0)
            low, high = (0, *start, 0), (0, *rest, 0)
            spread = p.pad(build, share, zero, low=low, high=high, interior=interior)
            total = p.add(build, total, spread)
        (top, _), (left, _) = geometry.padding
        height, width = x.type.shape[1:3]
        limit = (wide[0], top + height, left + width, wide[3])
        return p.slice_(build, total, start=(0, top, left, 0), limit=limit, stride=(1,) * 4)


class Dilation2DBackpropFilter(
    OpDef,
    sig=f"Dilation2DBackpropFilter(input: T, filter: T, out_backprop: T, {_ATTRS})"
    " -> filter_backprop: T",
    T=REALS,
):
    """The gradient with respect to the filter: to the element of the first maximum."""

    def shape(x: TensorShape, kernel: TensorShape, *others: TensorShape) -> list[TensorShape]:
        return [kernel]

    def lower(build: Any, x: Value, kernel: Value, dy: Value, **attrs: Any) -> Value:
        geometry = _Geometry(build, x, kernel, attrs)
        if 0 in geometry.dims:
            return p.full_like(build, kernel, 0)
        _, place = geometry.best()
        nothing = p.full_like(build, dy, 0)
        sums = []
        for number, _at in enumerate(geometry.offsets()):
            here = p.eq(build, place, p.full_like(build, place, number))
            share = p.select(build, here, dy, nothing)
            total = p.reduce(build, share, dims=(0, 1, 2), kind="add")
            sums.append(p.reshape(build, total, shape=(1, *total.type.shape)))
        return p.reshape(build, p.concat(build, *sums, dim=0), shape=kernel.type.shape)


def dilation2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    rates: Any = None,
    padding: Any = None,
    name: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The maximum of input + filter over windows; filter is [height, width, depth]."""
    kernel = filters if filter is None else filter
    gaps = dilations if rates is None else rates
    return apply(
        "Dilation2D", input, kernel, strides=list(strides), rates=list(gaps), padding=padding,
        name=name,
    )  # fmt: skip


def erosion2d(
    value: Any, kernel: Any, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Tensor:
    """The minimum of value - kernel over windows: the dilation of -value by the mirrored kernel,
    negated."""
    with name_scope(name, "erosion2d", [value, kernel]) as scope:
        mirrored = reverse(kernel, [0, 1])
        dilated = dilation2d(apply("Neg", value), mirrored, strides, rates, padding, name=scope)
        return apply("Neg", dilated)  # named after what it is: the dilation has the scope's name
