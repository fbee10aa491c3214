"""What is measured of images: differences between neighbours, and how much two images differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation
from tfc.ops import pad_ops, shape_ops
from tfc.ops.cast_ops import cast
from tfc.ops.cond_functions import cond
from tfc.ops.const_ops import constant, identity, zeros
from tfc.ops.control_ops import Assert
from tfc.ops.conv_functions import depthwise_conv2d
from tfc.ops.image.color_functions import convert_image_dtype
from tfc.ops.join_ops import concat, stack, unstack
from tfc.ops.nn_functions import softmax
from tfc.ops.pool_functions import avg_pool
from tfc.ops.reduction_ops import reduce_all, reduce_any, reduce_mean, reduce_prod, reduce_sum
from tfc.ops.scan_ops import range_
from tfc.ops.split_ops import tile
from tfc.ops.unary_api import abs_, log, square

# ---- neighbours


def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the absolute differences between neighbours, of an image or of each of a batch.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    with name_scope(name, "total_variation"):
        images = convert_to_tensor(images)
        rank = images.get_shape().ndims
        if rank not in (3, 4):
            raise ValueError("'images' must be either 3 or 4-dimensional.")
        if rank == 3:
            down, across = images[1:] - images[:-1], images[:, 1:] - images[:, :-1]
            axes = None
        else:
            down = images[:, 1:] - images[:, :-1]
            across = images[:, :, 1:] - images[:, :, :-1]
            axes = [1, 2, 3]
        return reduce_sum(abs_(down), axis=axes) + reduce_sum(abs_(across), axis=axes)


def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """(dy, dx): each pixel's difference to the one below, and to the one on its right; 0 at the
    end.

    Raises:
      ValueError: the rank is not 4.
    """
    image = convert_to_tensor(image)
    if image.get_shape().ndims != 4:
        raise ValueError(
            f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {image.get_shape()}."
        )
    whole = shape_ops.shape(image)
    batch, height, width, depth = unstack(whole, 4)
    dy = image[:, 1:, :, :] - image[:, :-1, :, :]
    dx = image[:, :, 1:, :] - image[:, :, :-1, :]
    kind = image.dtype.base_dtype
    row = zeros(stack([batch, 1, width, depth]), kind)
    dy = shape_ops.reshape(concat([dy, row], 1), whole)
    column = zeros(stack([batch, height, 1, depth]), kind)
    dx = shape_ops.reshape(concat([dx, column], 2), whole)
    return dy, dx


def sobel_edges(image: Any) -> Tensor:
    """[batch, height, width, depth, 2]: Sobel's differences downward and to the right, with the
    border reflected."""
    image = convert_to_tensor(image)
    known, whole = image.get_shape(), shape_ops.shape(image)
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    kernels = np.stack([down, down.T], axis=-1)[:, :, None, :]
    filters = tile(
        constant(kernels, dtype=image.dtype.base_dtype), [1, 1, whole[-1], 1], name="sobel_filters"
    )
    padded = pad_ops.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    output = depthwise_conv2d(padded, filters, [1, 1, 1, 1], "VALID")
    output = shape_ops.reshape(output, concat([whole, [2]], 0))
    output.set_shape(known.concatenate([2]))
    return output


# ---- two images


def _comparable(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, list[Operation]]:
    """(shape of a, shape of b, checks that both are images of one size).

    Raises:
      ValueError: they are not, as the graph knows already.
    """
    known = [t.get_shape().with_rank_at_least(3) for t in (a, b)]
    if all(k.ndims is not None for k in known):
        known[0][-3:].assert_is_compatible_with(known[1][-3:])
        leads = [k.as_list()[:-3][::-1] for k in known]
        for m, n in zip(*leads, strict=False):
            if m is not None and n is not None and m != n and 1 not in (m, n):
                raise ValueError(f"Two images are not compatible: {known[0]} and {known[1]}")
    shapes = shape_ops.shape_n([a, b])
    enough = apply("GreaterEqual", shape_ops.size(shapes[0]), 3)
    same = reduce_all(apply("Equal", shapes[0][-3:], shapes[1][-3:]))
    checks = [Assert(ok, list(shapes), summarize=10) for ok in (enough, same)]
    return shapes[0], shapes[1], checks


def _range_of(max_val: Any, like: Tensor) -> Tensor:
    """`max_val` of the images' dtype as float32."""
    return convert_image_dtype(cast(max_val, like.dtype.base_dtype), dtypes.float32)


def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio of images [..., height, width, channels], in decibel.

    max_val: the difference between the greatest and the least value a pixel may have.

    Raises:
      ValueError: the shapes do not fit.
    """
    with name_scope(name, "PSNR", [a, b]):
        a, b = convert_to_tensor(a), convert_to_tensor(b)
        peak = _range_of(max_val, a)
        a, b = (convert_image_dtype(x, dtypes.float32) for x in (a, b))
        error = reduce_mean(apply("SquaredDifference", a, b), [-3, -2, -1])
        value = apply(
            "Sub", 20 * log(peak) / log(10.0), np.float32(10 / np.log(10)) * log(error),
            name="psnr",
        )  # fmt: skip
        _, _, checks = _comparable(a, b)
        with control_dependencies(checks):
            return identity(value)


def _gaussian(size: Tensor, sigma: Tensor) -> Tensor:
    """[size, size, 1, 1] weights of a Gaussian, with sum 1."""
    kind = sigma.dtype.base_dtype
    at = cast(range_(size), kind) - cast(size - 1, kind) / 2.0
    power = square(at) * (-0.5 / square(sigma))
    both = shape_ops.reshape(power, [1, -1]) + shape_ops.reshape(power, [-1, 1])
    weights = softmax(shape_ops.reshape(both, [1, -1]))
    return shape_ops.reshape(weights, stack([size, size, 1, 1]))


def _similarity(
    x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor], peak: Tensor, k1: float, k2: float
) -> tuple[Tensor, Tensor]:
    """(likeness of the means, likeness of contrast and structure) at each place."""
    c1, c2 = (k1 * peak) ** 2, (k2 * peak) ** 2
    mean_x, mean_y = mean(x), mean(y)
    product = mean_x * mean_y * 2.0
    squares = square(mean_x) + square(mean_y)
    luminance = (product + c1) / (squares + c1)
    both = mean(x * y) * 2.0
    each = mean(square(x) + square(y))
    return luminance, (both - product + c2) / (each - squares + c2)


def _ssim_by_channel(
    x: Tensor, y: Tensor, peak: Tensor, options: tuple[Any, ...], as_map: bool = False
) -> tuple[Tensor, Tensor]:
    """(structural similarity, its contrast-structure part) of each channel; `as_map`: at each
    place, the first of them."""
    filter_size, filter_sigma, k1, k2 = options
    size = constant(filter_size, dtype=dtypes.int32)
    sigma = constant(filter_sigma, dtype=x.dtype.base_dtype)
    shapes = shape_ops.shape_n([x, y])
    checks = [
        Assert(reduce_all(apply("GreaterEqual", s[-3:-1], size)), [s, size], summarize=8)
        for s in shapes
    ]
    with control_dependencies(checks):
        x = identity(x)
    kernel = tile(_gaussian(size, sigma), stack([1, 1, shapes[0][-1], 1]))

    def mean(image: Tensor) -> Tensor:
        whole = shape_ops.shape(image)
        flat = shape_ops.reshape(image, concat([[-1], whole[-3:]], 0))
        local = depthwise_conv2d(flat, kernel, strides=[1, 1, 1, 1], padding="VALID")
        return shape_ops.reshape(local, concat([whole[:-3], shape_ops.shape(local)[1:]], 0))

    luminance, structure = _similarity(x, y, mean, peak, k1, k2)
    if as_map:
        return luminance * structure, structure
    return reduce_mean(luminance * structure, [-3, -2]), reduce_mean(structure, [-3, -2])


def _prepared(a: Any, b: Any, max_val: Any) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Both images as float32, checked; the range; their shapes."""
    a, b = convert_to_tensor(a, name="img1"), convert_to_tensor(b, name="img2")
    *shapes, checks = _comparable(a, b)
    with control_dependencies(checks):
        a = identity(a)
    peak = _range_of(max_val, a)
    a, b = (convert_image_dtype(x, dtypes.float32) for x in (a, b))
    return a, b, peak, shapes


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of images [..., height, width, channels], under a Gaussian window;
    `return_index_map`: at each place.

    Raises:
      ValueError: the shapes do not fit. InvalidArgumentError, in the run: an image is smaller than
      the window.
    """
    with name_scope(None, "SSIM", [img1, img2]):
        x, y, peak, _ = _prepared(img1, img2, max_val)
        options = (filter_size, filter_sigma, k1, k2)
        by_channel, _structure = _ssim_by_channel(x, y, peak, options, return_index_map)
        return reduce_mean(by_channel, [-1])


_SCALE_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim_multiscale(
    img1: Any,
    img2: Any,
    max_val: Any,
    power_factors: Sequence[float] = _SCALE_POWERS,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """The structural similarity over several scales, each half the one before: the product of
    powers of their contrast-structure parts, and of the last one's similarity.

    Raises:
      ValueError: the shapes do not fit. InvalidArgumentError, in the run: a scale is smaller than
      the window.
    """
    with name_scope(None, "MS-SSIM", [img1, img2]):
        x, y, peak, shapes = _prepared(img1, img2, max_val)
        images, tails = [x, y], [s[-3:] for s in shapes]
        parts: list[Tensor] = []
        for k in range(len(power_factors)):
            with name_scope(None, f"Scale{k}", images):
                if k > 0:
                    images, tails = _halved(images, [s[:-3] for s in shapes], tails)
                options = (filter_size, filter_sigma, k1, k2)
                similarity, structure = _ssim_by_channel(images[0], images[1], peak, options)
                parts.append(apply("Relu", structure))
        parts[-1] = apply("Relu", similarity)
        powers = apply("Pow", stack(parts, axis=-1), list(power_factors))
        return reduce_mean(reduce_prod(powers, [-1]), [-1])


def _halved(
    images: list[Tensor], heads: list[Tensor], tails: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The means of 2 x 2 pixels, an odd edge mirrored first; and [height, width, channels]."""
    flat = [shape_ops.reshape(x, concat([[-1], t], 0)) for x, t in zip(images, tails, strict=True)]
    rest = apply("FloorMod", tails[0], constant([2, 2, 1], dtype=dtypes.int32))

    def padded() -> list[Tensor]:
        pads = pad_ops.pad(shape_ops.expand_dims(rest, -1), [[1, 0], [1, 0]])
        return [pad_ops.pad(x, pads, mode="SYMMETRIC") for x in flat]

    even = cond(reduce_any(apply("NotEqual", rest, 0)), padded, lambda: flat)
    window = [1, 2, 2, 1]
    small = [avg_pool(x, ksize=window, strides=window, padding="VALID") for x in even]
    tails = [s[1:] for s in shape_ops.shape_n(small)]
    images = [
        shape_ops.reshape(x, concat([h, t], 0)) for x, h, t in zip(small, heads, tails, strict=True)
    ]
    return images, tails
