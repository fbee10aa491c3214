"""Colors of images: their dtype, their spaces, and adjustments, some of them random."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import shape_ops
from tfc.ops.cast_ops import cast, saturate_cast
from tfc.ops.const_ops import identity
from tfc.ops.const_ops import ones as ones_of
from tfc.ops.image import checks as c
from tfc.ops.join_ops import concat
from tfc.ops.linalg.tensordot import tensordot
from tfc.ops.random_ops import random_uniform
from tfc.ops.reduction_ops import reduce_mean, reduce_prod, reduce_std
from tfc.ops.split_ops import tile

# ---- dtypes


def convert_image_dtype(
    image: Any, dtype: Any, saturate: bool = False, name: str | None = None
) -> Tensor:
    """The image in another dtype. Floats are in [0, 1), integers in [0, their maximum].

    saturate: numbers out of range become the nearest in range; else they wrap around.

    Raises:
      AttributeError: a dtype is neither floating nor integer.
    """
    image = convert_to_tensor(image, name="image")
    target, source = dtypes.as_dtype(dtype), image.dtype.base_dtype
    for kind, what in ((target, "dtype"), (source, "image dtype")):
        if not kind.is_floating and not kind.is_integer:
            raise AttributeError(f"{what} must be either floating point or integer")
    if target == source:
        return identity(image, name=name)
    turn = saturate_cast if saturate else cast
    with name_scope(name, "convert_image", [image]) as scope:
        if source.is_integer and target.is_integer:
            return _between_integers(image, target, turn, scope)
        if source.is_floating and target.is_floating:
            result: Tensor = cast(image, target, name=scope)
        elif source.is_integer:
            result = apply("Mul", cast(image, target), 1.0 / source.max, name=scope)
        else:
            # half more than the maximum, so that 1.0 minus a rounding error is the maximum
            with np.errstate(over="ignore"):  # float16 has no number as large as 2**31
                scaled = apply("Mul", image, target.max + 0.5)
            result = turn(scaled, target, name=scope)
        return result


def _between_integers(image: Tensor, target: Any, turn: Any, scope: str) -> Tensor:
    most, new = image.dtype.base_dtype.max, target.max
    if most > new:
        scaled = apply("FloorDiv", image, (most + 1) // (new + 1), name="floordiv")
        result: Tensor = turn(scaled, target, name=scope)
        return result
    return apply("Mul", turn(image, target), (new + 1) // (most + 1), name=scope)


def _as_float(image: Tensor) -> Tensor:
    """The image as float32; float16 stays."""
    if image.dtype.base_dtype.short in ("f16", "f32"):
        return image
    return convert_image_dtype(image, dtypes.float32)


# ---- spaces


def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value, in [0, 1], of [..., 3] red, green, blue in [0, 1]."""
    return apply("RGBToHSV", images, name=name)


def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """Red, green and blue of [..., 3] hue, saturation, value, all in [0, 1]."""
    return apply("HSVToRGB", images, name=name)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """[..., 1]: the brightness of [..., 3] red, green, blue, in the dtype of the images."""
    with name_scope(name, "rgb_to_grayscale", [images]) as scope:
        images = convert_to_tensor(images, name="images")
        floats = convert_image_dtype(images, dtypes.float32)
        gray = shape_ops.expand_dims(_brightness(floats), -1)
        return convert_image_dtype(gray, images.dtype.base_dtype, name=scope)


def _brightness(images: Tensor) -> Tensor:
    weights = convert_to_tensor([0.2989, 0.5870, 0.1140])
    if images.get_shape().ndims is not None:
        return tensordot(images, weights, [-1, -1])
    sizes = shape_ops.shape(images)
    pixels = shape_ops.reshape(images, [-1, 3])
    return shape_ops.reshape(tensordot(pixels, weights, [1, 0]), sizes[:-1])


def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """[..., 3]: three times the one channel.

    Raises:
      ValueError: the last dimension is not 1.
    """
    with name_scope(name, "grayscale_to_rgb", [images]) as scope:
        images = convert_to_tensor(images, name="images")
        images = c.after(c.check_grayscale(images), images)
        lead = shape_ops.expand_dims(shape_ops.rank(images) - 1, 0)
        times = concat([ones_of(lead, dtype=dtypes.int32), shape_ops.expand_dims(3, 0)], 0)
        result = tile(images, times, name=scope)
        result.set_shape(images.get_shape()[:-1].concatenate([3]))
        return result


_YIQ = [
    [0.299, 0.59590059, 0.2115],
    [0.587, -0.27455667, -0.52273617],
    [0.114, -0.32134392, 0.31119955],
]
_FROM_YIQ = [
    [1.0, 1.0, 1.0],
    [0.95598634, -0.27201283, -1.10674021],
    [0.6208248, -0.64720424, 1.70423049],
]
_YUV = [
    [0.299, -0.14714119, 0.61497538],
    [0.587, -0.28886916, -0.51496512],
    [0.114, 0.43601035, -0.10001026],
]
_FROM_YUV = [
    [1.0, 1.0, 1.0],
    [0.0, -0.394642334, 2.03206185],
    [1.13988303, -0.58062185, 0.0],
]


def _mixed(images: Any, matrix: list[list[float]]) -> Tensor:
    """`images` times the matrix.

    Raises:
      TypeError: their rank is unknown.
    """
    images = convert_to_tensor(images, name="images")
    kernel = convert_to_tensor(matrix, dtype=images.dtype.base_dtype, name="kernel")
    rank = images.get_shape().ndims
    if rank is None:
        raise TypeError("the rank of the images must be known")
    return tensordot(images, kernel, axes=[[rank - 1], [0]])


def rgb_to_yiq(images: Any) -> Tensor:
    """[..., 3] luma and the two chrominances of NTSC, of red, green, blue."""
    return _mixed(images, _YIQ)


def yiq_to_rgb(images: Any) -> Tensor:
    """[..., 3] red, green, blue of YIQ."""
    return _mixed(images, _FROM_YIQ)


def rgb_to_yuv(images: Any) -> Tensor:
    """[..., 3] luma and the two chrominances of PAL, of red, green, blue."""
    return _mixed(images, _YUV)


def yuv_to_rgb(images: Any) -> Tensor:
    """[..., 3] red, green, blue of YUV."""
    return _mixed(images, _FROM_YUV)


# ---- adjustments


def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """`image` plus `delta`, in the range of floats; other dtypes are converted there and back."""
    with name_scope(None, "adjust_brightness", [image, delta]) as scope:
        image = convert_to_tensor(image, name="image")
        floats = _as_float(image)
        moved = apply("Add", floats, cast(delta, floats.dtype.base_dtype), name=scope)
        return convert_image_dtype(moved, image.dtype.base_dtype, saturate=True)


def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """The distance of each pixel from the mean of its channel in its image, times the factor."""
    with name_scope(None, "adjust_contrast", [images, contrast_factor]) as scope:
        images = convert_to_tensor(images, name="images")
        adjusted = apply("AdjustContrastv2", _as_float(images), contrast_factor, name=scope)
        return convert_image_dtype(adjusted, images.dtype.base_dtype, saturate=True)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """gain * image ** gamma, in the range of floats.

    Raises:
      ValueError: `gamma` is a negative number (InvalidArgumentError in the run, if a tensor).
    """
    with name_scope(None, "adjust_gamma", [image, gamma, gain]):
        image = convert_to_tensor(image, name="image")
        floats = _as_float(image)
        checks = c.require(gamma >= 0, "Gamma should be a non-negative real number.")
        if checks:
            gamma = c.after(checks, gamma)
        return convert_image_dtype(gain * floats**gamma, image.dtype.base_dtype, saturate=True)


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """The hue of RGB images, turned by `delta` of the circle."""
    with name_scope(name, "adjust_hue", [image]):
        image = convert_to_tensor(image, name="image")
        altered = apply("AdjustHue", _as_float(image), delta)
        return convert_image_dtype(altered, image.dtype.base_dtype)


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """The saturation of RGB images, times a factor."""
    with name_scope(name, "adjust_saturation", [image]):
        image = convert_to_tensor(image, name="image")
        adjusted = apply("AdjustSaturation", _as_float(image), saturation_factor)
        return convert_image_dtype(adjusted, image.dtype.base_dtype)


def per_image_standardization(image: Any) -> Tensor:
    """Each image as float32 with mean 0 and deviation 1; the deviation counts as at least
    1 / sqrt(pixels * channels).

    Raises:
      ValueError: there are less than three dimensions.
    """
    with name_scope(None, "per_image_standardization", [image]) as scope:
        image = c.at_least_3d(convert_to_tensor(image, name="image"))
        image = cast(image, dtypes.float32)
        count = reduce_prod(shape_ops.shape(image)[-3:])
        axes = [-1, -2, -3]
        mean = reduce_mean(image, axis=axes, keepdims=True)
        least = apply("Rsqrt", cast(count, dtypes.float32))
        deviation = apply("Maximum", reduce_std(image, axis=axes, keepdims=True), least)
        return apply("RealDiv", image - mean, deviation, name=scope)


# ---- random adjustments


def random_brightness(image: Any, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_brightness` by a number in [-max_delta, max_delta).

    Raises:
      ValueError: `max_delta` is negative.
    """
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_brightness(image, random_uniform([], -max_delta, max_delta, seed=seed))


def _check_range(lower: float, upper: float) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


def random_contrast(image: Any, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_contrast` by a factor in [lower, upper).

    Raises:
      ValueError: not 0 <= lower < upper.
    """
    _check_range(lower, upper)
    return adjust_contrast(image, random_uniform([], lower, upper, seed=seed))


def random_saturation(image: Any, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_saturation` by a factor in [lower, upper).

    Raises:
      ValueError: not 0 <= lower < upper.
    """
    _check_range(lower, upper)
    return adjust_saturation(image, random_uniform([], lower, upper, seed=seed))


def random_hue(image: Any, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_hue` by a number in [-max_delta, max_delta).

    Raises:
      ValueError: `max_delta` is not in [0, 0.5].
    """
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_hue(image, random_uniform([], -max_delta, max_delta, seed=seed))
