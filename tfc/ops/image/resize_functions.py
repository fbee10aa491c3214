"""Images in other sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value_as_shape
from tfc.ops.cast_ops import cast
from tfc.ops.image import checks as c
from tfc.ops.image.layout_functions import pad_to_bounding_box
from tfc.ops.join_ops import stack
from tfc.ops.unary_api import floor, round_


class ResizeMethod:
    """How `resize_images` finds a pixel between others."""

    BILINEAR = 0
    NEAREST_NEIGHBOR = 1
    BICUBIC = 2
    AREA = 3


_OPS = {
    ResizeMethod.BILINEAR: "ResizeBilinear",
    ResizeMethod.NEAREST_NEIGHBOR: "ResizeNearestNeighbor",
    ResizeMethod.BICUBIC: "ResizeBicubic",
    ResizeMethod.AREA: "ResizeArea",
    "bilinear": "ResizeBilinear",
    "nearest": "ResizeNearestNeighbor",
    "bicubic": "ResizeBicubic",
    "area": "ResizeArea",
}


def resize_bilinear(
    images: Any,
    size: Any,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """[batch, *size, channels] as float32, each pixel between four of the images'.

    align_corners: the centers of the corner pixels stay where they are. half_pixel_centers: a pixel
    is at its middle, not at its corner.
    """
    return apply(
        "ResizeBilinear", images, size, align_corners=align_corners,
        half_pixel_centers=half_pixel_centers, name=name,
    )  # fmt: skip


def resize_nearest_neighbor(
    images: Any,
    size: Any,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """[batch, *size, channels], each pixel one of the images'. Flags: see `resize_bilinear`."""
    return apply(
        "ResizeNearestNeighbor", images, size, align_corners=align_corners,
        half_pixel_centers=half_pixel_centers, name=name,
    )  # fmt: skip


def resize_bicubic(
    images: Any,
    size: Any,
    align_corners: bool = False,
    name: str | None = None,
    half_pixel_centers: bool = False,
) -> Tensor:
    """[batch, *size, channels] as float32, on cubics through sixteen pixels. Flags: see
    `resize_bilinear`."""
    return apply(
        "ResizeBicubic", images, size, align_corners=align_corners,
        half_pixel_centers=half_pixel_centers, name=name,
    )  # fmt: skip


def resize_area(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None
) -> Tensor:
    """[batch, *size, channels] as float32, each pixel the mean of what it covers."""
    return apply("ResizeArea", images, size, align_corners=align_corners, name=name)


def resize_images(
    images: Any,
    size: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    name: str | None = None,
) -> Tensor:
    """Images ([height, width, channels], or a batch) with height and width `size`.

    preserve_aspect_ratio: `size` is a frame that the result just fits into. The result is float32,
    except of nearest neighbors and where the size is known to be that of the images already, which
    are returned then.

    Raises:
      ValueError: the rank is neither 3 nor 4, `size` is no pair of integers, or there is no such
      method.
    """
    with name_scope(name, "resize", [images, size]):
        images = convert_to_tensor(images, name="images")
        if images.get_shape().ndims is None:
            raise ValueError("'images' contains no shape.")
        if images.get_shape().ndims not in (3, 4):
            raise ValueError("'images' must have either 3 or 4 dimensions.")
        images, is_batch = c.as_batch(images)
        target = _pair(size)
        _, height, width, _ = images.get_shape().as_list()
        if preserve_aspect_ratio:
            frame = target
            target = _within(images, frame)
            new = _known_within(height, width, constant_value_as_shape(frame).as_list())
        else:
            new = constant_value_as_shape(target).as_list()
            if None not in new and [height, width] == new:
                return c.as_given(images, is_batch)
        op = _OPS.get(method) if isinstance(method, (int, str)) else None
        if op is None:
            raise ValueError(f"Resize method is not implemented: {method}")
        images = apply(op, images, target, align_corners=align_corners)
        images.set_shape([None, *new, None])
        return c.as_given(images, is_batch)


resize = resize_images


def _pair(size: Any) -> Tensor:
    try:
        target = convert_to_tensor(size, dtype=dtypes.int32, name="size")
    except (TypeError, ValueError):
        raise ValueError("'size' must be a 1-D int32 Tensor") from None
    if not target.get_shape().is_compatible_with([2]):
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    target.set_shape([2])
    return target


def _within(images: Tensor, size: Tensor) -> Tensor:
    """The largest size of the images' shape in a frame of `size`."""
    extents = [cast(n, dtypes.float32) for n in c.dimensions(images, 4)[1:3]]
    factors = [cast(size[i], dtypes.float32) / extents[i] for i in range(2)]
    factor = apply("Minimum", *factors)
    scaled = [cast(round_(factor * n), dtypes.int32) for n in extents]
    return stack(scaled, name="size")


def _known_within(
    height: int | None, width: int | None, frame: list[int | None]
) -> list[int | None]:
    """What `_within` gives, where it is known."""
    if height is None or width is None or frame[0] is None or frame[1] is None:
        return [None, None]
    extents = np.array([height, width], np.float32)
    factor = (np.array(frame, np.float32) / extents).min()
    return [int(n) for n in np.rint(factor * extents)]


def resize_image_with_pad(
    image: Any,
    target_height: Any,
    target_width: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
) -> Tensor:
    """The image as large as fits into the target size with its shape kept, and zeros around.

    Raises:
      ValueError: the rank is neither 3 nor 4, or a size is not positive.
    """
    with name_scope(None, "resize_image_with_pad", [image]):
        image, is_batch = c.as_batch(convert_to_tensor(image, name="image"))
        checks = c.check_at_least_3d(image)
        checks += c.require(target_width > 0, "target_width must be > 0.")
        checks += c.require(target_height > 0, "target_height must be > 0.")
        image = c.after(checks, image)
        _, height, width, _ = c.dimensions(image, 4)
        targets = [cast(n, dtypes.float32) for n in (target_height, target_width)]
        extents = [cast(n, dtypes.float32) for n in (height, width)]
        ratio = apply("Maximum", extents[1] / targets[1], extents[0] / targets[0])
        resized = [n / ratio for n in extents]
        before = [
            apply("Maximum", 0, cast(floor((t - n) / 2), dtypes.int32))
            for t, n in zip(targets, resized, strict=True)
        ]
        size = [cast(floor(n), dtypes.int32) for n in resized]
        smaller = resize_images(image, size, method, align_corners=align_corners)
        padded = pad_to_bounding_box(smaller, before[0], before[1], target_height, target_width)
        return c.as_given(padded, is_batch)


def crop_and_resize(
    image: Any,
    boxes: Any,
    box_ind: Any = None,
    crop_size: Any = None,
    method: str = "bilinear",
    extrapolation_value: float = 0,
    name: str | None = None,
    box_indices: Any = None,
) -> Tensor:
    """Parts of images, each resized to `crop_size`: float32 [boxes, height, width, channels].

    boxes: [boxes, 4] of y1, x1, y2, x2 in fractions of the image; y1 > y2 or x1 > x2 flips.
    box_indices (once `box_ind`): which image each box is of. method: 'bilinear' or 'nearest'.
    extrapolation_value: what stands outside of the image.

    Raises:
      ValueError: both names are given. OutOfRangeError, in the run: there is no such image.
    """
    if box_ind is not None and box_indices is not None:
        raise ValueError("Cannot specify both 'box_ind' and 'box_indices'")
    index = box_ind if box_indices is None else box_indices
    return apply(
        "CropAndResize", image, boxes, index, crop_size, method=method,
        extrapolation_value=float(extrapolation_value), name=name,
    )  # fmt: skip


def extract_glimpse(
    input: Any,
    size: Any,
    offsets: Any,
    centered: bool = True,
    normalized: bool = True,
    uniform_noise: bool = True,
    name: str | None = None,
) -> Tensor:
    """Windows of `size` of images, one each, around `offsets`: [batch, 2] of y, x.

    An offset is where the middle of the window is. centered: (0, 0) is the middle of the image,
    else its upper left corner. normalized: offsets are in fractions of the image (centered: from -1
    to 1), else in pixels (centered: in halves of them). Where a window reaches out of the image
    stands uniform noise, whatever uniform_noise says: in TensorFlow the op's attribute `noise`
    decides, which its function leaves at "uniform".
    """
    return apply(
        "ExtractGlimpse", input, size, offsets, centered=centered, normalized=normalized,
        uniform_noise=uniform_noise, name=name,
    )  # fmt: skip
