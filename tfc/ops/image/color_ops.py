"""Colors: RGB and HSV, and what adjusts contrast, hue and saturation.

Colors stand along the last axis. Half types are computed in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes, errors
from tfc.base.dtypes import FLOATS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.cast_ops import cast
from tfc.ops.common import no_gradient
from tfc.ops.compare_ops import logical_and
from tfc.ops.image.values import Math
from tfc.ops.join_ops import stack
from tfc.ops.lowering import invalid, to
from tfc.ops.sum_ops import div_no_nan

Colors = tuple[Value, Value, Value]


def _of_three(images: TensorShape) -> list[TensorShape]:
    """The shape of the images, which have three channels."""
    dims = s.with_rank_at_least(images, 1)
    if dims is not None:
        s.merge_dim(dims[-1], 3)
        dims[-1] = 3
    return [s.shape_of(dims)]


def _adjusted(images: TensorShape, amount: TensorShape) -> list[TensorShape]:
    dims = s.with_rank_at_least(images, 3)
    s.with_rank(amount, 0)
    return [s.shape_of(dims)]


def _channels(build: Any, x: Value, least_rank: int = 1) -> Colors:
    """The three channels of `x`, in float32 if it is of a half type.

    Raises:
      InvalidArgumentError, FailedPreconditionError where any rank goes: there are not three.
    """
    dims = x.type.shape
    if len(dims) < least_rank:
        raise invalid(build, f"input must be at least {least_rank}-D, got shape{s.text(dims)}")
    if dims[-1] != 3:
        kind = errors.FailedPreconditionError if least_rank == 1 else errors.InvalidArgumentError
        raise kind(None, build.op, f"input must have 3 channels but instead has {dims[-1]}.")
    if x.type.dtype in ("f16", "bf16"):
        x = p.convert(build, x, dtype="f32")
    m = Math(build)
    return m.column(x, 0), m.column(x, 1), m.column(x, 2)


def _joined(build: Any, channels: Colors, like: Value) -> Value:
    return to(build, Math(build).columns(channels), like.type.dtype)


def _to_hsv(build: Any, rgb: Colors, folded: bool = False) -> Colors:
    """Hue, saturation and value. folded: 1 / (6 range) in one division, as AdjustSaturation."""
    m, (red, green, blue) = Math(build), rgb
    dtype = np.dtype(dtypes.numpy_dtype(red.type.dtype)).type
    value = m.max_(red, m.max_(green, blue))
    spread = m.sub(value, m.min_(red, m.min_(green, blue)))
    saturation = m.select(m.gt(value, 0), m.div(spread, value), 0)
    if folded:
        norm = m.div(p.full_like(build, spread, 1), m.mul(spread, 6))
    else:
        norm = m.mul(m.div(p.full_like(build, spread, 1), spread), dtype(1) / dtype(6))

    def later(x: Value, sixths: int) -> Value:
        if folded:  # its kernel adds a float64 number
            return m.to(m.add(m.to(x, "f64"), sixths / 6), "f32")
        return m.add(x, dtype(sixths) / dtype(6))

    of_green = later(m.mul(norm, m.sub(blue, red)), 2)
    of_blue = later(m.mul(norm, m.sub(red, green)), 4)
    hue = m.select(m.eq(green, value), of_green, of_blue)
    hue = m.select(m.eq(red, value), m.mul(norm, m.sub(green, blue)), hue)
    hue = m.select(m.gt(spread, 0), hue, 0)
    return m.select(m.lt(hue, 0), m.add(hue, 1), hue), saturation, value


class RGBToHSV(OpDef, sig="RGBToHSV(images: T, T: type = float32) -> output: T", T=FLOATS):
    """Hue, saturation and value, all in [0, 1], of red, green and blue in [0, 1]."""

    shape = _of_three

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [_hsv_gradient(op.inputs[0], op.outputs[0], dy)]

    def lower(build: Any, images: Value) -> Value:
        return _joined(build, _to_hsv(build, _channels(build, images)), images)


class HSVToRGB(OpDef, sig="HSVToRGB(images: T, T: type = float32) -> output: T", T=FLOATS):
    """Red, green and blue of hue, saturation and value."""

    shape = _of_three
    grad = no_gradient

    def lower(build: Any, images: Value) -> Value:
        m, (hue, saturation, value) = Math(build), _channels(build, images)
        turn, pale = m.mul(hue, 6), m.sub(1, saturation)

        def limited(x: Value) -> Value:
            return m.min_(m.max_(x, 0), 1)

        shares = (
            limited(m.sub(m.abs_(m.sub(turn, 3)), 1)),
            limited(m.sub(2, m.abs_(m.sub(turn, 2)))),
            limited(m.sub(2, m.abs_(m.sub(turn, 4)))),
        )
        colors = [m.mul(m.add(pale, m.mul(saturation, share)), value) for share in shares]
        return _joined(build, (colors[0], colors[1], colors[2]), images)


def _hsv_gradient(images: Tensor, hsv: Tensor, dy: Tensor) -> Tensor:
    """The gradient of RGBToHSV, piece by piece: which color is the greatest, and which the least.
    Of equal colors the first is the greatest and the last the least."""
    dtype = images.dtype
    color = [images[..., c] for c in range(3)]
    red, green, blue = color
    greatest = [
        logical_and(red >= blue, red >= green),
        logical_and(green > red, green >= blue),
        logical_and(blue > red, blue > green),
    ]
    least = [
        logical_and(red < blue, red < green),
        logical_and(green <= red, green < blue),
        logical_and(blue <= red, blue <= green),
    ]
    top, low = ([cast(x, dtype) for x in group] for group in (greatest, least))
    positive = [cast(c > 0, dtype) for c in color]
    inverse_range = _over(hsv[..., 1] * hsv[..., 1]) * _over(hsv[..., 2] * hsv[..., 2])
    parts = []
    for x in range(3):
        n, q = (x + 1) % 3, (x + 2) % 3  # the next color around the circle, and the one before
        ratio = (low[n] * color[n] + low[q] * color[q]) * _over(color[x] * color[x])
        share = low[x] * _over(top[n] * color[n] + top[q] * color[q])
        saturation = positive[x] * (top[x] * ratio - share)
        ahead, behind = color[n] - color[x], color[q] - color[x]
        turn = color[q] - color[n]
        hue = positive[x] * top[x] * turn * inverse_range
        near = low[x] * turn * _over(ahead * ahead) + low[q] * _over(turn)
        far = low[x] * turn * _over(behind * behind) + low[n] * _over(turn)
        hue += positive[n] * top[n] * near + positive[q] * top[q] * far
        parts.append(dy[..., 2] * top[x] + dy[..., 1] * saturation + dy[..., 0] * (hue / 6))
    return stack(parts, axis=-1)


def _over(x: Tensor) -> Tensor:
    """1 / x, 0 where x is."""
    return div_no_nan(cast(1.0, x.dtype), x)


class AdjustContrastv2(
    OpDef,
    sig="AdjustContrastv2(images: T, contrast_factor: float32, T: type = float32) -> output: T",
    T=("f16", "f32"),
):
    """The distance of each pixel from the mean of its channel in its image, times a factor."""

    shape = _adjusted

    def lower(build: Any, images: Value, contrast_factor: Value) -> Value:
        dims = images.type.shape
        if len(dims) < 3:
            raise invalid(build, f"input must be at least 3-D, got shape{s.text(dims)}")
        _check_scalar(build, "contrast_factor", contrast_factor)
        rank, m = len(dims), Math(build)
        total = p.reduce(build, to(build, images, "f32"), dims=(rank - 3, rank - 2), kind="add")
        mean = m.div(total, np.float32(dims[-3]) * np.float32(dims[-2]))
        mean = to(build, mean, images.type.dtype)
        mean = p.broadcast(build, mean, dims=(*range(rank - 3), rank - 1), shape=dims)
        away = to(build, m.sub(images, mean), "f32")
        away = m.mul(away, p.broadcast_to(build, contrast_factor, dims))
        return m.add(mean, to(build, away, images.type.dtype))


def _check_scalar(build: Any, name: str, x: Value) -> None:
    if x.type.shape != ():
        raise invalid(build, f"{name} must be scalar: {s.text(x.type.shape)}")


class AdjustSaturation(
    OpDef,
    sig="AdjustSaturation(images: T, scale: float32, T: type = float32) -> output: T",
    T=("f16", "f32"),
):
    """The saturation of RGB images, times `scale` and kept in [0, 1]."""

    shape = _adjusted

    def lower(build: Any, images: Value, scale: Value) -> Value:
        _check_scalar(build, "scale", scale)
        m = Math(build)
        hue, saturation, value = _to_hsv(build, _channels(build, images, 3), folded=True)
        scaled = m.mul(saturation, p.broadcast_to(build, scale, saturation.type.shape))
        return _joined(build, _from_sixths(m, hue, m.min_(m.max_(scaled, 0), 1), value), images)


def _from_sixths(m: Math, hue: Value, saturation: Value, value: Value) -> Colors:
    """RGB by the sixth of the circle that the hue is in."""
    chroma = m.mul(saturation, value)
    base, turn = m.sub(value, chroma), m.mul(hue, 6)
    sixth = m.floor(turn)
    odd = m.sub(turn, m.mul(m.floor(m.mul(turn, 0.5)), 2))
    middle = m.mul(chroma, m.sub(1, m.abs_(m.sub(odd, 1))))
    red = _by_sixth(m, sixth, [chroma, middle, 0, 0, middle, chroma])
    green = _by_sixth(m, sixth, [middle, chroma, chroma, middle, 0, 0])
    blue = _by_sixth(m, sixth, [0, 0, middle, chroma, chroma, middle])
    return m.add(red, base), m.add(green, base), m.add(blue, base)


def _by_sixth(m: Math, sixth: Value, choices: list[Any]) -> Value:
    """choices[sixth], 0 outside."""
    result: Any = 0
    for number, choice in reversed(list(enumerate(choices))):
        if isinstance(choice, Value) or isinstance(result, Value):
            result = m.select(m.eq(sixth, number), choice, result)
    chosen: Value = result
    return chosen


class AdjustHue(
    OpDef,
    sig="AdjustHue(images: T, delta: float32, T: type = float32) -> output: T",
    T=("f16", "f32"),
):
    """The hue of RGB images, turned by `delta` of the circle."""

    shape = _adjusted

    def lower(build: Any, images: Value, delta: Value) -> Value:
        _check_scalar(build, "delta", delta)
        m, (red, green, blue) = Math(build), _channels(build, images, 3)
        most, least = (f(red, f(green, blue)) for f in (m.max_, m.min_))
        spread = m.sub(most, least)
        hue = _sixths_of_hue(m, (red, green, blue), least, spread)
        hue = m.add(hue, p.broadcast_to(build, m.mul(delta, 6), hue.type.shape))
        hue = m.sub(hue, m.mul(m.floor(m.div(hue, 6)), 6))
        hue = m.select(m.ge(hue, 6), m.sub(hue, 6), hue)
        sixth = m.floor(hue)
        part = m.sub(hue, sixth)
        odd = m.eq(m.sub(sixth, m.mul(m.floor(m.mul(sixth, 0.5)), 2)), 1)
        part = m.select(odd, m.sub(1, part), part)
        middle = m.add(least, m.mul(part, spread))
        result = (
            _by_sixth(m, sixth, [most, middle, least, least, middle, most]),
            _by_sixth(m, sixth, [middle, most, most, middle, least, least]),
            _by_sixth(m, sixth, [least, least, middle, most, most, middle]),
        )
        return _joined(build, result, images)


def _sixths_of_hue(m: Math, rgb: Colors, least: Value, spread: Value) -> Value:
    """The hue in [0, 6]: the number of its sixth, and how far the middle color is through it."""
    red, green, blue = rgb
    below = m.lt(red, green)
    sixth = m.select(
        below,
        m.select(m.lt(blue, red), p.full_like(m.build, red, 1),
                 m.select(m.gt(blue, green), p.full_like(m.build, red, 3), 2)),
        m.select(m.lt(blue, green), p.full_like(m.build, red, 0),
                 m.select(m.gt(blue, red), p.full_like(m.build, red, 4), 5)),
    )  # fmt: skip
    # the color that is neither: the greater of the two smaller ones
    middle = m.max_(m.min_(red, green), m.min_(m.max_(red, green), blue))
    ratio = m.div(m.sub(middle, least), spread)
    odd = m.eq(m.sub(sixth, m.mul(m.floor(m.mul(sixth, 0.5)), 2)), 1)
    hue = m.add(sixth, m.select(odd, m.sub(1, ratio), ratio))
    return m.select(m.eq(spread, 0), 0, hue)
