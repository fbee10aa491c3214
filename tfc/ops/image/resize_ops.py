"""Resizing of [batch, height, width, channels]: bilinear, nearest neighbor, bicubic, area.

The results are float32 (nearest neighbor: the dtype of the images), as are weights and sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import FLOATS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.image import resample as r
from tfc.ops.lowering import invalid, to, typed
from tfc.ops.shape_ops import shape

PIXELS = ("i8", "u8", "i16", "u16", "i32", "i64", "f16", "f32", "f64", "bf16")
_FLAGS = "align_corners: bool = False, half_pixel_centers: bool = False"
_MOST = 2**31 - 1


def _sized(images: TensorShape, size: TensorShape, *, op: Any) -> list[TensorShape]:
    """[batch, *size, channels]."""
    dims = s.with_rank(images, 4)
    (count,) = s.with_rank(size, 1)
    if count not in (None, 2):
        raise ValueError(f"Dimension must be 2 but is {count}")
    new = s.static_dims(op, 1) or [None, None]
    if None in new:  # TensorFlow looks at sizes that it knows whole
        new = [None, None]
    return [s.shape_of([dims[0], *new, dims[3]])]


def _sizes(build: Any, images: Value, size: Value) -> tuple[int, int]:
    """The new height and width.

    Raises:
      InvalidArgumentError: there are none, or nothing to resize.
    """
    dims = images.type.shape
    if len(dims) != 4:
        raise invalid(build, f"input must be 4-dimensional{s.text(dims)}")
    new = build.static(size)
    if new.shape != (2,):
        raise invalid(build, f"shape_t must be 1-dimensional with two elements{s.text(new.shape)}")
    if dims[3] <= 0:
        raise invalid(build, "image must have at least one channel")
    if dims[1] <= 0 or dims[2] <= 0:
        raise invalid(build, "input image must be of non-zero size")
    height, width = (int(n) for n in new)
    if height <= 0 or width <= 0:
        raise invalid(build, f"output dimensions must be positive, not {height} and {width}")
    if max(dims[1], dims[2]) >= _MOST:
        raise invalid(build, "input sizes must be between 0 and max int32")
    return height, width


def _check_flags(build: Any, align_corners: bool, half_pixel_centers: bool) -> None:
    if align_corners and half_pixel_centers:
        raise invalid(build, "If half_pixel_centers is True, align_corners must be False.")


def _grads_sizes(build: Any, grads: Value, original: tuple[int, ...]) -> None:
    for dims, what in ((grads.type.shape, "input_grad"), (original, "original_image")):
        if len(dims) != 4:
            raise invalid(build, f"{what} must be 4-dimensional{s.text(dims)}")
    if grads.type.shape[1] <= 0 or grads.type.shape[2] <= 0:
        raise invalid(build, "resized dimensions must be positive")
    if original[1] <= 0 or original[2] <= 0:
        raise invalid(build, "original dimensions must be positive")


def _flags(op: Any) -> dict[str, Any]:
    return {name: op.attr(name) for name in ("align_corners", "half_pixel_centers")}


def _like_original(grads: TensorShape, original: TensorShape) -> list[TensorShape]:
    return [original]


# ---- bilinear


class ResizeBilinear(
    OpDef,
    sig=f"ResizeBilinear(images: T, size: int32, {_FLAGS}) -> resized_images: float32",
    T=PIXELS,
):
    """`images` in another size, between four pixels each. Between two pixels at whole distances
    nothing is computed, so an infinite neighbour does not count there."""

    shape = _sized

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("ResizeBilinearGrad", dy, op.inputs[0], **_flags(op)), None]

    def lower(
        build: Any, images: Value, size: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        _check_flags(build, align_corners, half_pixel_centers)
        new = _sizes(build, images, size)
        x = to(build, images, "f32")
        pairs = zip(images.type.shape[1:3], new, strict=True)
        rows, columns = (r.linear(a, b, align_corners, half_pixel_centers) for a, b in pairs)
        if r.fills_packets(images.type.shape[3]) and rows[2].any() and columns[2].any():
            return r.bilinear(build, x, rows, columns)
        if new[0] < images.type.shape[1] and not rows[2].any():  # rows that are not used
            return r.lerp(build, r.lerp(build, x, 1, *rows), 2, *columns)
        return r.lerp(build, r.lerp(build, x, 2, *columns), 1, *rows)


class ResizeBilinearGrad(
    OpDef,
    sig=f"ResizeBilinearGrad(grads: float32, original_image: T, {_FLAGS}) -> output: T",
    T=FLOATS,
):
    """The gradient of ResizeBilinear with respect to its images."""

    shape = _like_original

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, None]

    def lower(
        build: Any, grads: Value, original: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        _check_flags(build, align_corners, half_pixel_centers)
        _grads_sizes(build, grads, original.type.shape)
        sizes = original.type.shape[1:3]
        pairs = zip(sizes, grads.type.shape[1:3], strict=True)
        axes = [r.two(*r.linear(a, b, align_corners, half_pixel_centers)) for a, b in pairs]
        if original.type.dtype == "f64":
            return _scattered(build, grads, sizes, *axes)
        for axis, taps in enumerate(axes, 1):
            grads = r.resample(build, grads, axis, r.transposed(taps, sizes[axis - 1]))
        return to(build, grads, original.type.dtype)


def _scattered(
    build: Any, grads: Value, sizes: tuple[int, ...], rows: r.Taps, columns: r.Taps
) -> Value:
    """Float32 shares of each gradient, added in float64 in the order of TensorFlow's kernel: for a
    result that has the digits to show the difference."""
    assert rows.weight is not None and columns.weight is not None
    batch, channels = grads.type.shape[0], grads.type.shape[3]
    total = p.splat(build, 0.0, typed(grads, (batch, *sizes, channels), "f64"))
    for y in range(2):
        of_row = r.along(build, rows.weight[:, y], grads, 1)
        for x in range(2):
            of_column = r.along(build, columns.weight[:, x], grads, 2)
            share = p.mul(build, p.mul(build, grads, of_row), of_column)
            at = np.stack(np.meshgrid(rows.index[:, y], columns.index[:, x], indexing="ij"), -1)
            share = p.transpose(build, p.convert(build, share, dtype="f64"), perm=(1, 2, 0, 3))
            index = p.constant(build, at.astype(np.int32))
            total = p.scatter(build, total, index, share, dims=(1, 2), kind="add")
    return total


# ---- nearest neighbor


class ResizeNearestNeighbor(
    OpDef,
    sig=f"ResizeNearestNeighbor(images: T, size: int32, {_FLAGS}) -> resized_images: T",
    T=PIXELS,
):
    """`images` in another size, by repeating and leaving out pixels."""

    shape = _sized

    def grad(op: Any, dy: Tensor) -> list[Any]:
        image = op.inputs[0]
        known = image.get_shape()[1:3]
        size = known.as_list() if known.is_fully_defined() else shape(image)[1:3]
        return [apply("ResizeNearestNeighborGrad", dy, size, **_flags(op)), None]

    def lower(
        build: Any, images: Value, size: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        _check_flags(build, align_corners, half_pixel_centers)
        new = _sizes(build, images, size)
        if max(images.type.shape[1:3]) >= 1 << 24:
            raise invalid(build, "nearest neighbor requires max height & width of 2^24")
        for axis, count in enumerate(new, 1):
            index = r.nearest(images.type.shape[axis], count, align_corners, half_pixel_centers)
            images = r.take(build, images, axis, index)
        return images


class ResizeNearestNeighborGrad(
    OpDef,
    sig=f"ResizeNearestNeighborGrad(grads: T, size: int32, {_FLAGS}) -> output: T",
    T=("u8", "i8", "i32", "f16", "f32", "f64", "bf16"),
):
    """The gradient of ResizeNearestNeighbor: the sum over the repeats of each pixel."""

    shape = _sized

    def lower(
        build: Any, grads: Value, size: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        dims, new = grads.type.shape, build.static(size)
        if len(dims) != 4:
            raise invalid(build, f"input must be 4-dimensional{s.text(dims)}")
        if new.shape != (2,):
            raise invalid(build, f"shape_t must have two elements{s.text(new.shape)}")
        if new.min() <= 0:
            raise invalid(build, "shape_t's elements must be positive")
        for axis, count in enumerate((int(n) for n in new), 1):
            if dims[axis] == 0:
                return p.splat(build, 0, typed(grads, (dims[0], *map(int, new), dims[3])))
            index = r.nearest(count, dims[axis], align_corners, half_pixel_centers)
            taps = r.transposed(r.single(index), count)
            grads = r.resample(build, grads, axis, taps)
        return grads


# ---- bicubic


class ResizeBicubic(
    OpDef,
    sig=f"ResizeBicubic(images: T, size: int32, {_FLAGS}) -> resized_images: float32",
    T=PIXELS,
):
    """`images` in another size, by a cubic through four pixels in each direction."""

    shape = _sized

    def grad(op: Any, dy: Tensor) -> list[Any]:
        if op.inputs[0].dtype.base_dtype.short not in ("f32", "f64"):
            return [None, None]
        return [apply("ResizeBicubicGrad", dy, op.inputs[0], **_flags(op)), None]

    def lower(
        build: Any, images: Value, size: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        _check_flags(build, align_corners, half_pixel_centers)
        new = _sizes(build, images, size)
        x = to(build, images, "f32")
        for axis, count in enumerate(new, 1):
            taps = r.cubic(images.type.shape[axis], count, align_corners, half_pixel_centers)
            x = r.resample(build, x, axis, taps)
        return x


class ResizeBicubicGrad(
    OpDef,
    sig=f"ResizeBicubicGrad(grads: float32, original_image: T, {_FLAGS}) -> output: T",
    T=("f32", "f64"),
):
    """The gradient of ResizeBicubic with respect to its images."""

    shape = _like_original

    def lower(
        build: Any, grads: Value, original: Value, *, align_corners: bool, half_pixel_centers: bool
    ) -> Value:
        _check_flags(build, align_corners, half_pixel_centers)
        _grads_sizes(build, grads, original.type.shape)
        x, news = to(build, grads, original.type.dtype), grads.type.shape
        for axis in (1, 2):
            size = original.type.shape[axis]
            taps = r.cubic(size, news[axis], align_corners, half_pixel_centers)
            x = r.resample(build, x, axis, r.transposed(taps, size))
        return x


# ---- area


class ResizeArea(
    OpDef,
    sig="ResizeArea(images: T, size: int32, align_corners: bool = False)"
    " -> resized_images: float32",
    T=PIXELS,
):
    """`images` in another size: each pixel is the mean of what it covers."""

    shape = _sized

    def lower(build: Any, images: Value, size: Value, *, align_corners: bool) -> Value:
        new = _sizes(build, images, size)
        x = to(build, images, "f32")
        over = np.float32(1)
        for axis in (2, 1):
            old, count = images.type.shape[axis], new[axis - 1]
            x = r.resample(build, x, axis, r.area(old, count, align_corners))
            if old > 1:
                over = np.float32(over * r.scale_of(old, count, align_corners))
        return p.mul(build, x, p.full_like(build, x, np.float32(1.0 / np.float64(over))))
