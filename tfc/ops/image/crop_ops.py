"""Crops at places that are known only when the graph runs: boxes, resized, and glimpses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import random_values
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.lowering import invalid, to
from tfc.ops.shape_ops import shape
from tfc.runtime.rng import RESERVED

IMAGES = ("u8", "u16", "i8", "i16", "i32", "i64", "f16", "f32", "f64")
_METHOD = "method: {'bilinear', 'nearest'} = 'bilinear'"


class _Axis:
    """Where a crop reads along one axis: values over [boxes, new].

    inside: the place is within the image. below, above: i32 elements around it (`nearest`: the
    nearest). between: how far it is from the lower one.
    """

    def __init__(self, build: Any, low: Value, high: Value, size: int, new: int):
        count = low.type.shape[0]
        grid = Type("f32", (count, new))

        def wide(x: Value) -> Value:
            return p.broadcast(build, x, dims=(0,), shape=grid.shape)

        last = p.full_like(build, low, np.float32(size - 1))
        self.step = p.full_like(build, low, 0.0)
        if new > 1:
            reach = p.mul(build, p.sub(build, high, low), last)
            self.step = p.div(build, reach, p.full_like(build, low, np.float32(new - 1)))
            at = p.iota(build, dtype="f32", shape=grid.shape, dim=1)
            start = wide(p.mul(build, low, last))
            place = p.add(build, start, p.mul(build, at, wide(self.step)))
        else:
            half = p.mul(build, p.add(build, low, high), p.full_like(build, low, 0.5))
            place = wide(p.mul(build, half, last))
        end = p.splat(build, np.float32(size - 1), grid)
        zero = p.splat(build, 0.0, grid)
        self.inside = p.and_(build, p.ge(build, place, zero), p.le(build, place, end))
        whole = p.floor(build, place)
        self.between = p.sub(build, place, whole)
        self.below = p.convert(build, whole, dtype="i32")
        self.above = p.convert(build, p.ceil(build, place), dtype="i32")
        up = p.ge(build, self.between, p.splat(build, 0.5, grid))
        nearest = p.select(build, up, p.add(build, whole, p.splat(build, 1.0, grid)), whole)
        self.nearest = p.convert(build, nearest, dtype="i32")


class _Crops:
    """The boxes of a crop: checked, and where they read."""

    def __init__(
        self, build: Any, image: tuple[int, ...], boxes: Value, index: Value, new: tuple[int, int]
    ):
        self.build, self.index, self.new = build, index, new
        count = _check_boxes(build, image, boxes, index, new)
        corners = [_column(build, boxes, c) for c in range(4)]
        self.rows = _Axis(build, corners[0], corners[2], image[1], new[0])
        self.columns = _Axis(build, corners[1], corners[3], image[2], new[1])
        self.grid = (count, *new)
        inside = p.and_(build, self.over(self.rows.inside, 1), self.over(self.columns.inside, 2))
        self.inside = inside

    def over(self, x: Value, axis: int) -> Value:
        """A value over [boxes, new of this axis] as one over [boxes, height, width]."""
        return p.broadcast(self.build, x, dims=(0, axis), shape=self.grid)

    def places(self, y: Value, x: Value) -> Value:
        """[boxes, height, width, 3]: image, row, column."""
        build = self.build
        batch = p.broadcast(build, self.index, dims=(0,), shape=self.grid)
        parts = (batch, self.over(y, 1), self.over(x, 2))
        columns = [p.reshape(build, v, shape=(*self.grid, 1)) for v in parts]
        return p.concat(build, *columns, dim=3)

    def pixels(self, image: Value, y: Value, x: Value) -> Value:
        """The pixels at rows `y` and columns `x`, as float32 [boxes, height, width, depth]."""
        taken = p.gather(self.build, image, self.places(y, x), dims=(0, 1, 2))
        return to(self.build, taken, "f32")

    def weights(self, depth: int) -> tuple[Value, Value]:
        """How far between the rows and the columns, over [boxes, height, width, depth]."""
        shape = (*self.grid, depth)
        pair = [
            p.broadcast(self.build, v, dims=(0, axis), shape=shape)
            for v, axis in ((self.rows.between, 1), (self.columns.between, 2))
        ]
        return pair[0], pair[1]

    def corners(self, image: Value) -> tuple[Value, ...]:
        """The pixels around each place: top left, top right, bottom left, bottom right."""
        y, x = self.rows, self.columns
        pairs = ((y.below, x.below), (y.below, x.above), (y.above, x.below), (y.above, x.above))
        return tuple(self.pixels(image, *pair) for pair in pairs)


def _column(build: Any, boxes: Value, c: int) -> Value:
    count = boxes.type.shape[0]
    column = p.slice(build, boxes, start=(0, c), limit=(count, c + 1), stride=(1, 1))
    return p.reshape(build, column, shape=(count,))


def _check_boxes(
    build: Any, image: tuple[int, ...], boxes: Value, index: Value, new: tuple[int, int]
) -> int:
    """How many boxes there are.

    Raises:
      InvalidArgumentError: shapes do not fit, now; a box is not finite, in the run.
      OutOfRangeError: there is no image of that number, in the run.
    """
    if len(image) != 4:
        raise invalid(build, f"input image must be 4-D{s.text(image)}")
    if image[1] <= 0 or image[2] <= 0:
        raise invalid(build, "image dimensions must be positive")
    if boxes.type.rank != 2 or boxes.type.shape[1] != 4:
        raise invalid(build, f"boxes must be 2-D with 4 columns, got: {s.text(boxes.type.shape)}")
    if index.type.shape != boxes.type.shape[:1]:
        raise invalid(build, f"box_index has incompatible shape {s.text(index.type.shape)}")
    if min(new) <= 0:
        raise invalid(build, "crop dimensions must be positive")
    ok = p.and_(
        build,
        p.ge(build, index, p.full_like(build, index, 0)),
        p.lt(build, index, p.full_like(build, index, image[0])),
    )
    message = f"box_index has values outside [0, batch_size): {{0}} is not in [0, {image[0]})"
    build.assert_(ok, (index,), "OutOfRangeError", message)
    message = "Boxes contains at least one element that is not finite"
    build.assert_(p.is_finite(build, boxes), (), message=message)
    count: int = boxes.type.shape[0]
    return count


def _crop_size(build: Any, crop_size: Value) -> tuple[int, int]:
    sizes = build.static(crop_size)
    if sizes.shape != (2,):
        raise invalid(build, f"crop_size must have two elements{s.text(sizes.shape)}")
    return int(sizes[0]), int(sizes[1])


class CropAndResize(
    OpDef,
    sig=f"CropAndResize(image: T, boxes: float32, box_ind: int32, crop_size: int32, {_METHOD},"
    " extrapolation_value: float = 0.0) -> crops: float32",
    T=IMAGES,
):
    """Boxes [y1, x1, y2, x2] of images, each resized to `crop_size`. The corners of a box are in
    fractions of the image's; `extrapolation_value` stands where a box reaches out of the image."""

    def shape(
        image: TensorShape, boxes: TensorShape, box_ind: TensorShape, crop_size: TensorShape,
        *, op: Any,
    ) -> list[TensorShape]:  # fmt: skip
        depth, (count, columns) = s.with_rank(image, 4)[3], s.with_rank(boxes, 2)
        s.merge_dim(columns, 4)
        count = s.merge_dim(count, s.with_rank(box_ind, 1)[0])
        s.merge_dim(s.with_rank(crop_size, 1)[0], 2)
        new = s.static_dims(op, 3) or [None, None]
        return [s.shape_of([count, *new, depth])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        image, boxes, index = op.inputs[:3]
        of_image = None
        if image.dtype.base_dtype.short in ("f16", "f32", "f64"):
            known = image.get_shape()
            size = known.as_list() if known.is_fully_defined() else shape(image)
            of_image = apply(
                "CropAndResizeGradImage", dy, boxes, index, size,
                T=image.dtype.base_dtype, method=op.attr("method"),
            )  # fmt: skip
        # nearest pixels do not change with the boxes: theirs is the bilinear gradient then too
        of_boxes = apply("CropAndResizeGradBoxes", dy, image, boxes, index)
        return [of_image, of_boxes, None, None]

    def lower(
        build: Any, image: Value, boxes: Value, box_ind: Value, crop_size: Value,
        *, method: str, extrapolation_value: float,
    ) -> Value:  # fmt: skip
        crops = _Crops(build, image.type.shape, boxes, box_ind, _crop_size(build, crop_size))
        if method == "nearest":
            value = crops.pixels(image, crops.rows.nearest, crops.columns.nearest)
        else:
            y, x = crops.weights(image.type.shape[3])
            corners = crops.corners(image)
            top, bottom = (_between(build, a, b, x) for a, b in (corners[:2], corners[2:]))
            value = _between(build, top, bottom, y)
        inside = p.broadcast(build, crops.inside, dims=(0, 1, 2), shape=value.type.shape)
        outside = p.full_like(build, value, np.float32(extrapolation_value))
        return p.select(build, inside, value, outside)


def _between(build: Any, low: Value, high: Value, weight: Value) -> Value:
    return p.add(build, low, p.mul(build, p.sub(build, high, low), weight))


class CropAndResizeGradImage(
    OpDef,
    sig="CropAndResizeGradImage(grads: float32, boxes: float32, box_ind: int32, image_size: int32,"
    f" T: type, {_METHOD}) -> output: T",
    T=("f32", "f16", "f64"),
):
    """The gradient of CropAndResize with respect to its image."""

    def shape(
        grads: TensorShape, boxes: TensorShape, box_ind: TensorShape, image_size: TensorShape,
        *, op: Any,
    ) -> list[TensorShape]:  # fmt: skip
        dims = s.static_dims(op, 3)
        return [s.unknown(4) if dims is None else s.shape_of(dims)]

    def lower(
        build: Any, grads: Value, boxes: Value, box_ind: Value, image_size: Value,
        *, method: str, T: Any,
    ) -> Value:  # fmt: skip
        dims = tuple(int(n) for n in build.static(image_size))
        if grads.type.rank != 4 or len(dims) != 4 or grads.type.shape[3] != dims[3]:
            raise invalid(
                build, f"image_size {s.text(dims)} and grads {grads.type} are incompatible"
            )
        crops = _Crops(build, dims, boxes, box_ind, grads.type.shape[1:3])
        total = p.splat(build, 0.0, Type(T.short, dims))
        y, x = crops.rows, crops.columns
        if method == "nearest":
            return _scatter(build, total, crops, (y.nearest, x.nearest), grads)
        of_y, of_x = crops.weights(dims[3])
        ones = p.full_like(build, of_y, 1.0)
        for row, weight in ((y.below, p.sub(build, ones, of_y)), (y.above, of_y)):
            share = p.mul(build, weight, grads)
            for column, part in ((x.below, p.sub(build, ones, of_x)), (x.above, of_x)):
                update = p.mul(build, part, share)
                total = _scatter(build, total, crops, (row, column), update)
        return total


def _scatter(
    build: Any, total: Value, crops: _Crops, at: tuple[Value, Value], update: Value
) -> Value:
    """`total` plus `update` at rows and columns; what is outside of the image is left out."""
    places = crops.places(*at)
    kept = p.broadcast(build, crops.inside, dims=(0, 1, 2), shape=places.type.shape)
    places = p.select(build, kept, places, p.full_like(build, places, -1))
    update = to(build, update, total.type.dtype)
    return p.scatter(build, total, places, update, dims=(0, 1, 2), kind="add")


class CropAndResizeGradBoxes(
    OpDef,
    sig="CropAndResizeGradBoxes(grads: float32, image: T, boxes: float32, box_ind: int32,"
    " method: {'bilinear'} = 'bilinear') -> output: float32",
    T=IMAGES,
):
    """The gradient of CropAndResize with respect to its boxes."""

    def shape(
        grads: TensorShape, image: TensorShape, boxes: TensorShape, box_ind: TensorShape
    ) -> list[TensorShape]:
        return [boxes]

    def lower(build: Any, grads: Value, image: Value, boxes: Value, box_ind: Value) -> Value:
        dims = image.type.shape
        crops = _Crops(build, dims, boxes, box_ind, grads.type.shape[1:3])
        if grads.type.shape[0] != crops.grid[0] or grads.type.shape[3] != dims[3]:
            raise invalid(build, f"image {image.type} and grads {grads.type} are incompatible")
        of_y, of_x = crops.weights(dims[3])
        left_top, right_top, left_bottom, right_bottom = crops.corners(image)
        down = [p.sub(build, left_bottom, left_top), p.sub(build, right_bottom, right_top)]
        across = [p.sub(build, right_top, left_top), p.sub(build, right_bottom, left_bottom)]
        slopes = _mixed(build, down, of_x), _mixed(build, across, of_y)
        ends: list[list[Value]] = []
        for axis, slope in enumerate(slopes, 1):
            share = p.reduce(build, p.mul(build, slope, grads), dims=(3,), kind="add")
            share = p.select(build, crops.inside, share, p.full_like(build, share, 0.0))
            share = p.reduce(build, share, dims=(3 - axis,), kind="add")
            ends.append(_to_ends(build, share, dims[axis], crops.new[axis - 1]))
        order = (ends[0][0], ends[1][0], ends[0][1], ends[1][1])
        columns = [p.reshape(build, v, shape=(*v.type.shape, 1)) for v in order]
        return p.concat(build, *columns, dim=1)


def _mixed(build: Any, pair: list[Value], weight: Value) -> Value:
    other = p.sub(build, p.full_like(build, weight, 1.0), weight)
    return p.add(build, p.mul(build, other, pair[0]), p.mul(build, weight, pair[1]))


def _to_ends(build: Any, share: Value, size: int, new: int) -> list[Value]:
    """What gradients of places, [boxes, new], give to the start and to the end of a box."""
    last = np.float32(size - 1)
    if new > 1:
        ratio = last / np.float32(new - 1)
        to_end = (np.arange(new, dtype=np.float32) * ratio).astype(np.float32)
        tables = [(last - to_end).astype(np.float32), to_end]
    else:
        tables = [np.full(1, 0.5 * last, np.float32)] * 2
    result = []
    for table in tables:
        weight = p.broadcast(build, p.constant(build, table), dims=(1,), shape=share.type.shape)
        result.append(p.reduce(build, p.mul(build, share, weight), dims=(1,), kind="add"))
    return result


# ---- glimpses


class ExtractGlimpse(
    OpDef,
    sig="ExtractGlimpse(input: float32, size: int32, offsets: float32, centered: bool = True,"
    " normalized: bool = True, uniform_noise: bool = True, noise: str = 'uniform')"
    " -> glimpse: float32",
):
    """Windows of `size` of images, around offsets; noise stands where they reach out of the image:
    "uniform" between the image's extremes, "gaussian" with each channel's mean and deviation, or
    "zero"; `uniform_noise` decides where `noise` is empty, as it is in old graphs alone. The noise
    has no seed, here as in TensorFlow."""

    stateful = True
    grad = no_gradient

    def shape(
        input: TensorShape, size: TensorShape, offsets: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        dims, (count, pair) = s.with_rank(input, 4), s.with_rank(offsets, 2)
        s.merge_dim(pair, 2)
        s.merge_dim(s.with_rank(size, 1)[0], 2)
        new = s.static_dims(op, 1) or [None, None]
        return [s.shape_of([s.merge_dim(dims[0], count), *new, dims[3]])]

    def lower(
        build: Any, input: Value, size: Value, offsets: Value, *, centered: bool, normalized: bool,
        uniform_noise: bool, noise: str,
    ) -> Value:  # fmt: skip
        dims, new = input.type.shape, build.static(size)
        if len(dims) != 4 or new.shape != (2,) or offsets.type.shape != (dims[0], 2):
            raise invalid(
                build,
                "input must be 4-dimensional, size have two elements, and offsets be a matrix of "
                f"[batch, 2], but they are {input.type}, {size.type} and {offsets.type}",
            )
        if new.min() < 0:
            raise invalid(build, f"size must not be negative: {s.text([int(n) for n in new])}")
        kind = noise or ("uniform" if uniform_noise else "gaussian")
        if kind not in ("uniform", "gaussian", "zero"):
            raise invalid(build, f"Unknown noise: {noise!r}")
        grid = (dims[0], int(new[0]), int(new[1]))
        axes = []
        for d in (0, 1):
            start = _glimpse_start(
                build, _column(build, offsets, d), dims[d + 1], grid[d + 1], centered, normalized
            )
            start = p.broadcast(build, start, dims=(0,), shape=grid)
            axes.append(p.add(build, start, p.iota(build, dtype="i32", shape=grid, dim=d + 1)))
        outside = _noise(build, input, (*grid, dims[3]), kind)
        if 0 in dims[1:3] or 0 in grid:
            return outside
        return _window(build, input, axes, outside)


def _glimpse_start(
    build: Any, offset: Value, size: int, new: int, centered: bool, normalized: bool
) -> Value:
    """The first row or column of each window, i32[batch]."""

    def number(x: float) -> Value:
        return p.full_like(build, offset, np.float32(x))

    if normalized:
        offset = p.mul(build, offset, number(size))
    if centered:
        offset = p.add(build, p.div(build, offset, number(2)), number(size / 2))
    offset = p.sub(build, offset, number(new / 2))
    return p.convert(build, offset, dtype="i32")


def _window(build: Any, input: Value, axes: list[Value], noise: Value) -> Value:
    """The pixels at rows and columns `axes`, or `noise` where there are none."""
    dims, grid = input.type.shape, axes[0].type.shape
    inside = p.splat(build, True, Type("i1", grid))
    for place, size in zip(axes, dims[1:3], strict=True):
        above = p.ge(build, place, p.full_like(build, place, 0))
        there = p.and_(build, above, p.lt(build, place, p.full_like(build, place, size)))
        inside = p.and_(build, inside, there)
    batch = p.iota(build, dtype="i32", shape=grid, dim=0)
    places = [p.reshape(build, v, shape=(*grid, 1)) for v in (batch, *axes)]
    taken = p.gather(build, input, p.concat(build, *places, dim=3), dims=(0, 1, 2))
    inside = p.broadcast(build, inside, dims=(0, 1, 2), shape=noise.type.shape)
    return p.select(build, inside, taken, noise)


def _noise(build: Any, input: Value, shape: tuple[int, ...], kind: str) -> Value:
    if kind == "zero":
        return p.splat(build, 0, Type("f32", shape))
    uniform = kind == "uniform"
    dims = (1, 2, 3) if uniform else (1, 2)
    kept = (0,) if uniform else (0, 3)

    def wide(x: Value) -> Value:
        return p.broadcast(build, x, dims=kept, shape=shape)

    count = int(np.prod(shape))
    key, counter = random_values.take(build, 0, 0, count * RESERVED)
    low = p.reduce(build, input, dims=dims, kind="min")
    high = p.reduce(build, input, dims=dims, kind="max")
    if uniform:
        drawn = p.reshape(
            build, random_values.uniform(build, key, counter, count, "f32"), shape=shape
        )
        spread = wide(p.sub(build, high, low))
        return p.add(build, wide(low), p.mul(build, drawn, spread))
    drawn = p.reshape(build, random_values.normal(build, key, counter, count, "f32"), shape=shape)
    pixels = p.full_like(build, low, np.float32(input.type.shape[1] * input.type.shape[2]))
    mean = p.div(build, p.reduce(build, input, dims=dims, kind="add"), pixels)
    away = p.sub(build, input, p.broadcast(build, mean, dims=kept, shape=input.type.shape))
    variance = p.div(
        build, p.reduce(build, p.mul(build, away, away), dims=dims, kind="add"), pixels
    )
    sigma = p.sqrt(build, variance)
    value = p.add(build, wide(mean), p.mul(build, drawn, wide(sigma)))
    return p.max(build, p.min(build, value, wide(high)), wide(low))
