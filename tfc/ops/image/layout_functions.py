"""Where pixels are: flips, turns, crops, borders. Images are [height, width, channels] or a batch
of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ops import pad_ops, shape_ops
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import logical_and
from tfc.ops.cond_functions import case, cond
from tfc.ops.image import checks as c
from tfc.ops.join_ops import concat, stack
from tfc.ops.random_ops import random_uniform
from tfc.ops.reverse_ops import reverse
from tfc.ops.scan_ops import range_
from tfc.ops.slice_ops import slice_
from tfc.ops.unary_api import round_


def _by_rank(
    image: Tensor, of_image: Callable[[], Tensor], of_batch: Callable[[], Tensor]
) -> Tensor:
    """The one or the other, by the rank; decided when the graph runs if it is unknown.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    rank = image.get_shape().ndims
    if rank is None:
        either: Tensor = cond(apply("Equal", shape_ops.rank(image), 3), of_image, of_batch)
        return either
    if rank not in (3, 4):
        raise ValueError(f"'image' (shape {image.get_shape()}) must have either 3 or 4 dimensions.")
    return of_image() if rank == 3 else of_batch()


def _shape_as(image: Tensor, result: Tensor) -> Tensor:
    """`result`, which has the shape of the image [height, width, channels]."""
    known = image.get_shape()
    result.set_shape([None] * 3 if known.ndims is None else known)
    return result


# ---- flips


def _flip(image: Any, axis: int, scope_name: str) -> Tensor:
    with name_scope(None, scope_name, [image]):
        image = c.at_least_3d(convert_to_tensor(image, name="image"))
        return _by_rank(
            image,
            lambda: _shape_as(image, reverse(image, [axis])),
            lambda: reverse(image, [axis + 1]),
        )


def flip_left_right(image: Any) -> Tensor:
    """Columns in reverse order.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    return _flip(image, 1, "flip_left_right")


def flip_up_down(image: Any) -> Tensor:
    """Rows in reverse order.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    return _flip(image, 0, "flip_up_down")


def _random_flip(image: Any, axis: int, seed: int | None, scope_name: str) -> Tensor:
    with name_scope(None, scope_name, [image]) as scope:
        image = c.at_least_3d(convert_to_tensor(image, name="image"))

        def of_image() -> Tensor:
            number = random_uniform([], 0, 1.0, seed=seed)
            flips = apply("Less", number, 0.5)
            result = cond(flips, lambda: reverse(image, [axis]), lambda: image, name=scope)
            return _shape_as(image, result)

        def of_batch() -> Tensor:
            count = shape_ops.shape(image)[0]
            number = random_uniform([count], 0, 1.0, seed=seed)
            flips = round_(shape_ops.reshape(number, [count, 1, 1, 1]))
            flips = cast(flips, image.dtype)
            return flips * reverse(image, [axis + 1]) + (1 - flips) * image

        return _by_rank(image, of_image, of_batch)


def random_flip_up_down(image: Any, seed: int | None = None) -> Tensor:
    """Rows in reverse order or as they are, each with probability 1/2, image by image.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    return _random_flip(image, 0, seed, "random_flip_up_down")


def random_flip_left_right(image: Any, seed: int | None = None) -> Tensor:
    """Columns in reverse order or as they are, each with probability 1/2, image by image.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    return _random_flip(image, 1, seed, "random_flip_left_right")


# ---- turns


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Tensor:
    """Turned counter-clockwise `k` times by 90 degrees.

    Raises:
      ValueError: the rank is neither 3 nor 4, or `k` is no scalar.
    """
    with name_scope(name, "rot90", [image, k]) as scope:
        image = c.at_least_3d(convert_to_tensor(image, name="image"))
        turns = convert_to_tensor(k, dtype=dtypes.int32, name="k")
        turns.get_shape().assert_has_rank(0)
        turns = apply("FloorMod", turns, 4)
        if image.get_shape().ndims is None:
            return _turned(image, turns, shape_ops.rank(image) - 3, scope)
        return _by_rank(
            image, lambda: _turned(image, turns, 0, scope), lambda: _turned(image, turns, 1, scope)
        )


def _exchanged(image: Tensor, rows: Any) -> Tensor:
    """The axis `rows` and the next exchanged."""
    if not c.is_symbolic(rows):
        return shape_ops.transpose(image, [*range(rows), rows + 1, rows, rows + 2])
    return shape_ops.transpose(image, concat([range_(rows), stack([rows + 1, rows, rows + 2])], 0))


def _turned(image: Tensor, turns: Tensor, rows: Any, scope: str) -> Tensor:
    """By 90 degrees `turns` times; the axis `rows` and the next are height and width. Where the
    rank is unknown `rows` is a tensor: a branch for each rank would not fit the other."""
    columns = rows + 1

    def once() -> Tensor:
        return _exchanged(reverse(image, [columns]), rows)

    def twice() -> Tensor:
        return reverse(image, [rows, columns])

    def thrice() -> Tensor:
        return reverse(_exchanged(image, rows), [columns])

    cases = [(apply("Equal", turns, n), f) for n, f in enumerate((once, twice, thrice), 1)]
    result = case(cases, default=lambda: image, exclusive=True, name=scope)
    if not c.is_symbolic(rows):
        dims = image.get_shape().as_list()
        result.set_shape([*dims[:rows], None, None, dims[-1]])
    turned: Tensor = result
    return turned


def transpose(image: Any, name: str | None = None) -> Tensor:
    """Height and width exchanged.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    with name_scope(name, "transpose", [image]):
        image = c.at_least_3d(convert_to_tensor(image, name="image"))
        rank = image.get_shape().ndims
        if rank is None:  # one op for both ranks: a branch would not fit the other rank
            return _exchanged(image, shape_ops.rank(image) - 3)
        return _by_rank(
            image,
            lambda: shape_ops.transpose(image, [1, 0, 2], name=name),
            lambda: shape_ops.transpose(image, [0, 2, 1, 3], name=name),
        )


transpose_image = transpose


# ---- crops and borders


def central_crop(image: Any, central_fraction: Any) -> Tensor:
    """The middle of the image: that fraction of its height and of its width.

    Raises:
      ValueError: the rank is neither 3 nor 4, or a fraction given as a number is not in (0, 1].
    """
    with name_scope(None, "central_crop", [image]):
        image = convert_to_tensor(image, name="image")
        known = central_fraction
        if c.is_symbolic(central_fraction):
            value = constant_value(convert_to_tensor(central_fraction))
            known = None if value is None else float(value)
        message = "central_fraction must be within (0, 1]"
        if known is not None:
            if not 0.0 < known <= 1.0:
                raise ValueError(message)
            if known == 1.0:
                return image
        else:
            within = logical_and(central_fraction > 0.0, central_fraction <= 1.0)
            image = c.after(c.require(within, message), image)
        c.at_least_3d(image)
        rank = image.get_shape().ndims
        if rank not in (3, 4):
            raise ValueError(
                f"`image` should either be a Tensor with rank = 3 or rank = 4. Had rank = {rank}."
            )
        return _central(image, rank - 3, known, central_fraction)


def _central(image: Tensor, at: int, known: float | None, fraction: Any) -> Tensor:
    """The middle; `at` is the axis of the height. known: the fraction, if it is."""
    dims = image.get_shape().as_list()
    begins, sizes, static = [], [], []
    for axis in (at, at + 1):
        extent = dims[axis]
        if extent is not None and known is not None:
            begin: Any = int((float(extent) - float(extent) * known) / 2)
            static.append(extent - 2 * begin)
        else:
            extent = shape_ops.shape(image)[axis] if extent is None else extent
            whole = cast(extent, dtypes.float64)
            begin = cast((whole - whole * cast(fraction, dtypes.float64)) / 2, dtypes.int32)
            static.append(None)
        begins.append(begin)
        sizes.append(extent - begin * 2)
    lead = [0] * at
    result = slice_(image, stack([*lead, *begins, 0]), stack([*(-1 for _ in lead), *sizes, -1]))
    result.set_shape([*dims[:at], *static, dims[-1]])
    return result


def _known(*extents: Any) -> list[Any]:
    return [None if c.is_symbolic(n) else n for n in extents]


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The image with zeros around: `offset_height` rows above it and `offset_width` columns before
    it, and as many behind as the target size needs.

    Raises:
      ValueError: the rank is neither 3 nor 4, an offset is negative, or the image is too large.
    """
    with name_scope(None, "pad_to_bounding_box", [image]):
        image, is_batch = c.as_batch(convert_to_tensor(image, name="image"))
        batch, height, width, depth = c.dimensions(image, 4)
        right = target_width - offset_width - width
        below = target_height - offset_height - height
        checks = c.check_at_least_3d(image)
        checks += c.require(offset_height >= 0, "offset_height must be >= 0")
        checks += c.require(offset_width >= 0, "offset_width must be >= 0")
        checks += c.require(right >= 0, "width must be <= target - offset")
        checks += c.require(below >= 0, "height must be <= target - offset")
        image = c.after(checks, image)
        around = stack([0, 0, offset_height, below, offset_width, right, 0, 0])
        padded = pad_ops.pad(image, shape_ops.reshape(around, [4, 2]))
        padded.set_shape(_known(batch, target_height, target_width, depth))
        return c.as_given(padded, is_batch)


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The part of the image of the target size whose upper left corner is at the offsets.

    Raises:
      ValueError: the rank is neither 3 nor 4, an offset is negative, a size not positive, or the
      part reaches out of the image.
    """
    with name_scope(None, "crop_to_bounding_box", [image]):
        image, is_batch = c.as_batch(convert_to_tensor(image, name="image"))
        checks = c.check_at_least_3d(image)
        batch, height, width, depth = c.dimensions(image, 4)
        checks += c.require(offset_width >= 0, "offset_width must be >= 0.")
        checks += c.require(offset_height >= 0, "offset_height must be >= 0.")
        checks += c.require(target_width > 0, "target_width must be > 0.")
        checks += c.require(target_height > 0, "target_height must be > 0.")
        checks += c.require(
            width >= target_width + offset_width, "width must be >= target + offset."
        )
        checks += c.require(
            height >= target_height + offset_height, "height must be >= target + offset."
        )
        image = c.after(checks, image)
        begin = stack([0, offset_height, offset_width, 0])
        cropped = slice_(image, begin, stack([-1, target_height, target_width, -1]))
        cropped.set_shape(_known(batch, target_height, target_width, depth))
        return c.as_given(cropped, is_batch)


def resize_image_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Tensor:
    """The image in the target size: cut around its middle where it is larger, with zeros around
    where it is smaller.

    Raises:
      ValueError: the rank is neither 3 nor 4, or a size is not positive.
    """
    with name_scope(None, "resize_image_with_crop_or_pad", [image]):
        image, is_batch = c.as_batch(convert_to_tensor(image, name="image"))
        checks = c.check_at_least_3d(image)
        checks += c.require(target_width > 0, "target_width must be > 0.")
        checks += c.require(target_height > 0, "target_height must be > 0.")
        image = c.after(checks, image)
        if c.is_symbolic(target_height):
            target_height = c.after(checks, target_height)
        if c.is_symbolic(target_width):
            target_width = c.after(checks, target_width)
        _, height, width, _ = c.dimensions(image, 4)
        wider, higher = target_width - width, target_height - height
        cropped = crop_to_bounding_box(
            image, _greater(-higher // 2, 0), _greater(-wider // 2, 0),
            _less(target_height, height), _less(target_width, width),
        )  # fmt: skip
        resized = pad_to_bounding_box(
            cropped, _greater(higher // 2, 0), _greater(wider // 2, 0), target_height, target_width
        )
        _, height, width, _ = c.dimensions(resized, 4)
        checks = c.require(_equal(height, target_height), "resized height is not correct.")
        checks += c.require(_equal(width, target_width), "resized width is not correct.")
        return c.as_given(c.after(checks, resized), is_batch)


resize_with_crop_or_pad = resize_image_with_crop_or_pad


def _either(op: str, python: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of numbers in Python, of tensors in the graph."""

    def function(x: Any, y: Any) -> Any:
        return apply(op, x, y) if c.is_symbolic(x) or c.is_symbolic(y) else python(x, y)

    return function


_greater, _less = _either("Maximum", max), _either("Minimum", min)
_equal = _either("Equal", lambda x, y: x == y)
