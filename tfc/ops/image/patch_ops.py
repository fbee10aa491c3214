"""Patches: windows of images as channels, and the gradient of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.image import resample as r
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import shape

_ATTRS = "ksizes: list(int), strides: list(int), rates: list(int), padding: {'SAME', 'VALID'}"
_TYPES = (*dtypes.NUMBERS, "i1")


def _check_windows(attrs: dict[str, Any]) -> None:
    """Raises ValueError unless sizes, strides and rates are of height and width alone."""
    for name in ("ksizes", "strides", "rates"):
        entries = attrs[name]
        if len(entries) != 4:
            raise ValueError(
                f"ExtractImagePatches requires the {name} attribute to contain 4 values, but got: "
                f"{len(entries)}"
            )
        if entries[0] != 1 or entries[3] != 1:
            raise ValueError(
                f"Current implementation does not yet support {name} in the batch and depth "
                "dimensions."
            )
        if entries[1] <= 0 or entries[2] <= 0:
            raise ValueError(f"{name} must be positive, not {list(entries)}")


def _counts(spatial: Sequence[int], attrs: dict[str, Any]) -> list[int]:
    """How many windows there are along height and width: one that is larger than the image by less
    than two steps fits no time.

    Raises:
      ValueError: it is larger by more.
    """
    counts = []
    for d, size in enumerate(spatial, 1):
        k, step, rate = (attrs[n][d] for n in ("ksizes", "strides", "rates"))
        room = size if attrs["padding"] == "SAME" else size - (k - 1) * rate - 1
        count = -(-size // step) if attrs["padding"] == "SAME" else (room + step) // step
        if room + step <= -step:
            raise ValueError(
                f"Computed output size would be negative: a window of {size - room} in {size}"
            )
        counts.append(max(count, 0))
    return counts


def _patch_shape(images: TensorShape, **attrs: Any) -> list[TensorShape]:
    _check_windows(attrs)
    batch, height, width, depth = s.with_rank(images, 4)
    rows, columns = attrs["ksizes"][1:3]
    channels = None if depth is None else depth * rows * columns
    counts: list[int | None] = [None, None]
    if height is not None and width is not None:
        counts = [*_counts([height, width], attrs)]
    return [s.shape_of([batch, *counts, channels])]


def _places(size: int, count: int, d: int, attrs: dict[str, Any]) -> tuple[np.ndarray, int, int]:
    """Where the elements of each window are, [windows, elements], counted from `before` elements
    in front of the axis on; and how many there are before and after it."""
    k, step, rate = attrs["ksizes"][d], attrs["strides"][d], attrs["rates"][d]
    index = np.arange(count)[:, None] * step + np.arange(k) * rate
    if attrs["padding"] == "VALID":
        return index, 0, 0
    missing = max((count - 1) * step + (k - 1) * rate + 1 - size, 0)
    return index, missing // 2, missing - missing // 2


class ExtractImagePatches(
    OpDef, sig=f"ExtractImagePatches(images: T, {_ATTRS}) -> patches: T", T=_TYPES
):
    """The windows of [batch, height, width, depth], each as the channels of one pixel: rows of the
    window, its columns, depth."""

    shape = _patch_shape
    shape_holds_when_run = False  # windows that just do not fit are none

    def grad(op: Any, dy: Tensor) -> list[Any]:
        image = op.inputs[0]
        return [apply("ExtractImagePatchesGrad", dy, shape(image), **_attrs_of(op))]

    def lower(build: Any, images: Value, **attrs: Any) -> Value:
        dims = images.type.shape
        if len(dims) != 4:
            raise invalid(build, f"input must be 4-dimensional{s.text(dims)}")
        try:
            counts = _counts(dims[1:3], attrs)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        low, high, tables = [0] * 4, [0] * 4, []
        for d, count in enumerate(counts, 1):
            index, low[d], high[d] = _places(dims[d], count, d, attrs)
            tables.append(index)
        zero = p.constant(build, 0, images.type.dtype)
        x = p.pad(build, images, zero, low=tuple(low), high=tuple(high), interior=(0,) * 4)
        x = r.take(build, r.take(build, x, 2, tables[1]), 1, tables[0])
        x = p.transpose(build, x, perm=(0, 1, 3, 2, 4, 5))
        depth = tables[0].shape[1] * tables[1].shape[1] * dims[3]
        return p.reshape(build, x, shape=(dims[0], *counts, depth))


class ExtractImagePatchesGrad(
    OpDef,
    sig=f"ExtractImagePatchesGrad(grads: T, image_shape: int32, {_ATTRS}) -> output: T",
    T=(*dtypes.FLOATS, *dtypes.COMPLEX),
):
    """The gradient of ExtractImagePatches: what all windows give to a pixel. (TensorFlow's gradient
    multiplies by a sparse matrix of ones.)"""

    def shape(grads: TensorShape, image_shape: TensorShape, *, op: Any) -> list[TensorShape]:
        return [s.shape_of(s.static_dims(op, 1) or [None] * 4)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [apply("ExtractImagePatches", dy, **_attrs_of(op)), None]

    def lower(build: Any, grads: Value, image_shape: Value, **attrs: Any) -> Value:
        dims = tuple(int(n) for n in build.static(image_shape))
        batch, *counts, _ = grads.type.shape
        sizes = attrs["ksizes"][1:3]
        x = p.reshape(build, grads, shape=(batch, *counts, *sizes, dims[3]))
        x = p.transpose(build, x, perm=(0, 1, 3, 2, 4, 5))
        flat = [count * k for count, k in zip(counts, sizes, strict=True)]
        x = p.reshape(build, x, shape=(batch, *flat, dims[3]))
        for d in (1, 2):
            index, before, _ = _places(dims[d], counts[d - 1], d, attrs)
            places = index.ravel()[:, None] - before
            used = (places >= 0) & (places < dims[d])
            taps = r.Taps(np.clip(places, 0, max(dims[d] - 1, 0)), None, used)
            x = r.resample(build, x, d, r.transposed(taps, dims[d])) if flat[d - 1] else x
        return x if 0 not in flat else p.splat(build, 0, type(x.type)(x.type.dtype, dims))


def _attrs_of(op: Any) -> dict[str, Any]:
    return {name: op.attr(name) for name in ("ksizes", "strides", "rates", "padding")}


def extract_image_patches(
    images: Any,
    ksizes: Any = None,
    strides: Any = None,
    rates: Any = None,
    padding: Any = None,
    name: str | None = None,
    sizes: Any = None,
) -> Tensor:
    """The windows of [batch, height, width, depth] as channels: [batch, rows, columns,
    ksizes[1] * ksizes[2] * depth].

    ksizes (or `sizes`, a new name for it), strides, rates: [1, height, width, 1]; a window takes
    every rates[d]-th pixel. padding: 'VALID', or 'SAME' for windows that reach into zeros around.

    Raises:
      ValueError: both names are given, an entry is not positive, or windows do not fit.
    """
    if ksizes is not None and sizes is not None:
        raise ValueError("Cannot specify both 'ksizes' and 'sizes'")
    windows = {"ksizes": ksizes if sizes is None else sizes, "strides": strides, "rates": rates}
    return apply("ExtractImagePatches", images, **windows, padding=padding, name=name)


def extract_patches(
    images: Any, sizes: Any, strides: Any, rates: Any, padding: Any, name: str | None = None
) -> Tensor:
    """`extract_image_patches` under the names of its later version."""
    return extract_image_patches(images, sizes, strides, rates, padding, name)
