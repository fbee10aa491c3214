"""Windows of volumes as the channels of one element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.image import resample as r
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import shape

_ATTRS = "ksizes: list(int), strides: list(int), padding: {'SAME', 'VALID'}"


def _check(ksizes: list[int], strides: list[int]) -> None:
    for what, entries in (("ksizes", ksizes), ("strides", strides)):
        if len(entries) != 5:
            raise ValueError(f"ExtractVolumePatches requires the {what} attribute to contain 5 "
                             f"values, but got: {len(entries)}")  # fmt: skip
        if min(entries) < 1:
            raise ValueError(f"{what} must be positive, not {entries}")


def _counts(spatial: Sequence[int | None], attrs: dict[str, Any]) -> list[int | None]:
    """How many windows there are along each spatial axis."""
    sizes = zip(spatial, attrs["ksizes"][1:4], attrs["strides"][1:4], strict=True)
    return [w.windows_in(n, k, step, 1, attrs["padding"]) for n, k, step in sizes]


def _places(dims: Sequence[int], counts: Sequence[int], attrs: dict[str, Any]) -> list[Any]:
    """For each spatial axis where the elements of each window are, [windows, elements], counted
    from `before` elements in front of the axis on; and how many there are before and after it."""
    found = []
    for d, (size, count) in enumerate(zip(dims[1:4], counts, strict=True), 1):
        k, step = attrs["ksizes"][d], attrs["strides"][d]
        missing = max((count - 1) * step + k - size, 0) if attrs["padding"] == "SAME" else 0
        index = np.arange(count)[:, None] * step + np.arange(k)
        found.append((index, missing // 2, missing - missing // 2))
    return found


class ExtractVolumePatches(
    OpDef, sig=f"ExtractVolumePatches(input: T, {_ATTRS}) -> patches: T", T=dtypes.REALS
):
    """The windows of [batch, depth, height, width, channels], each as the channels of one element:
    planes of the window, its rows, its columns, channels."""

    def shape(input: TensorShape, **attrs: Any) -> list[TensorShape]:
        _check(attrs["ksizes"], attrs["strides"])
        batch, *spatial, channels = s.with_rank(input, 5)
        size = int(np.prod(attrs["ksizes"]))
        depth = None if channels is None else channels * size
        return [s.shape_of([batch, *_counts(spatial, attrs), depth])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("ksizes", "strides", "padding")}
        return [apply("ExtractVolumePatchesGrad", dy, shape(op.inputs[0]), **attrs)]

    def lower(build: Any, input: Value, **attrs: Any) -> Value:
        dims = input.type.shape
        if len(dims) != 5:
            raise invalid(build, f"input must be 5-dimensional{s.text(dims)}")
        for what in ("ksizes", "strides"):
            if attrs[what][0] != 1 or attrs[what][4] != 1:
                raise errors.UnimplementedError(
                    None, build.op, f"Only support {what} of 1 for batch and channels, not "
                    f"{list(attrs[what])}",
                )  # fmt: skip
        try:
            counts = _counts(dims[1:4], attrs)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        places = _places(dims, counts, attrs)  # type: ignore[arg-type]  # all are known here
        low = (0, *(before for _, before, _ in places), 0)
        high = (0, *(after for _, _, after in places), 0)
        zero = p.constant(build, 0, input.type.dtype)
        x = p.pad(build, input, zero, low=low, high=high, interior=(0,) * 5)
        for d in (3, 2, 1):
            x = r.take(build, x, d, places[d - 1][0])
        x = p.transpose(build, x, perm=(0, 1, 3, 5, 2, 4, 6, 7))
        depth = dims[4] * int(np.prod(attrs["ksizes"]))
        return p.reshape(build, x, shape=(dims[0], *counts, depth))


class ExtractVolumePatchesGrad(
    OpDef,
    sig=f"ExtractVolumePatchesGrad(grads: T, volume_shape: int32, {_ATTRS}) -> output: T",
    T=dtypes.FLOATS,
):
    """The gradient of ExtractVolumePatches: what all windows give to an element. (TensorFlow's
    gradient multiplies by a sparse matrix of ones.)"""

    def shape(grads: TensorShape, volume_shape: TensorShape, *, op: Any) -> list[TensorShape]:
        return [s.shape_of(s.static_dims(op, 1) or [None] * 5)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        attrs = {name: op.attr(name) for name in ("ksizes", "strides", "padding")}
        return [apply("ExtractVolumePatches", dy, **attrs), None]

    def lower(build: Any, grads: Value, volume_shape: Value, **attrs: Any) -> Value:
        dims = tuple(int(n) for n in build.static(volume_shape))
        batch, *counts, _ = grads.type.shape
        sizes = attrs["ksizes"][1:4]
        x = p.reshape(build, grads, shape=(batch, *counts, *sizes, dims[4]))
        x = p.transpose(build, x, perm=(0, 1, 4, 2, 5, 3, 6, 7))
        flat = [count * k for count, k in zip(counts, sizes, strict=True)]
        if 0 in flat or 0 in dims:
            return p.splat(build, 0, Type(x.type.dtype, dims))
        x = p.reshape(build, x, shape=(batch, *flat, dims[4]))
        for d, (index, before, _) in enumerate(_places(dims, counts, attrs), 1):
            places = index.ravel()[:, None] - before
            used = (places >= 0) & (places < dims[d])
            taps = r.Taps(np.clip(places, 0, dims[d] - 1), None, used)
            x = r.resample(build, x, d, r.transposed(taps, dims[d]))
        return x


def extract_volume_patches(
    input: Any,
    ksizes: Sequence[int],
    strides: Sequence[int],
    padding: str,
    name: str | None = None,
) -> Tensor:
    """The windows of volumes [batch, depth, height, width, channels], each as the channels of one
    element.

    Raises:
      ValueError: ksizes or strides that are not five. UnimplementedError: they are not 1 first and
        last.
    """
    return apply(
        "ExtractVolumePatches",
        input,
        ksizes=list(ksizes),
        strides=list(strides),
        padding=padding,
        name=name,
    )
