"""Checks of image shapes: at once where the graph knows them, else when it runs."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.operation import Operation
from tfc.framework.variables import Variable
from tfc.ops import check_ops, shape_ops
from tfc.ops.control_ops import Assert, identity_with_dependencies
from tfc.ops.join_ops import unstack


def is_symbolic(x: Any) -> bool:
    """Whether `x` is known only when the graph runs."""
    return isinstance(x, (Tensor, Variable))


def require(condition: Any, message: str) -> list[Operation]:
    """[an Assert op], or [] where the condition is known to hold.

    Raises:
      ValueError: it is known not to hold.
    """
    if is_symbolic(condition):
        return [Assert(condition, [message])]
    if not condition:
        raise ValueError(message)
    return []


def dimensions(image: Tensor, rank: int) -> list[Any]:
    """The extents of an image of that rank: numbers, and scalar tensors where they are unknown."""
    known = image.get_shape()
    if known.is_fully_defined():
        return list(known.as_list())
    static = known.with_rank(rank).as_list()
    dynamic = unstack(shape_ops.shape(image), rank)
    return [d if s is None else s for s, d in zip(static, dynamic, strict=True)]


def check_at_least_3d(image: Tensor) -> list[Operation]:
    """Checks that there are [..., height, width, channels], none of them 0.

    Raises:
      ValueError: there are not, as the graph knows already.
    """
    known = image.get_shape()
    if known.ndims is not None and known.ndims < 3:
        raise ValueError(f"'image' (shape {known}) must be at least three-dimensional.")
    inner = [None] * 3 if known.ndims is None else known.as_list()[-3:]
    if 0 in inner:
        raise ValueError(f"inner 3 dims of 'image.shape' must be > 0: {known}")
    if None not in inner:
        return []
    sizes = shape_ops.shape(image)
    return [
        check_ops.assert_positive(sizes[-3:], ["inner 3 dims of 'image.shape' must be > 0."]),
        check_ops.assert_greater_equal(
            shape_ops.rank(image), 3, message="'image' must be at least three-dimensional."
        ),
    ]


def at_least_3d(image: Tensor) -> Tensor:
    """`image`, once `check_at_least_3d` holds."""
    return after(check_at_least_3d(image), image)


def check_grayscale(image: Tensor) -> list[Operation]:
    """Checks that the last dimension is 1.

    Raises:
      ValueError: it is not, as the graph knows already.
    """
    known = image.get_shape()
    if known.ndims is not None and known.ndims < 2:
        raise ValueError(f"A grayscale image (shape {known}) must be at least two-dimensional.")
    message = "Last dimension of a grayscale image should be size 1."
    if known.is_fully_defined():
        if known.as_list()[-1] != 1:
            raise ValueError(message)
        return []
    return [
        check_ops.assert_equal(shape_ops.shape(image)[-1], 1, message=message),
        check_ops.assert_greater_equal(
            shape_ops.rank(image), 3, message="A grayscale image must be at least two-dimensional."
        ),
    ]


def after(checks: list[Operation], image: Tensor) -> Tensor:
    """`image`, once the checks have run."""
    checked: Tensor = identity_with_dependencies(checks, image)
    return checked


def as_batch(image: Tensor) -> tuple[Tensor, bool]:
    """(a batch of images, whether `image` is one). Of unknown rank it counts as one image.

    Raises:
      ValueError: the rank is neither 3 nor 4.
    """
    known = image.get_shape()
    if known.ndims == 4:
        return image, True
    if known.ndims not in (3, None):
        raise ValueError(f"'image' (shape {known}) must have either 3 or 4 dimensions.")
    batch = shape_ops.expand_dims(image, 0)
    if known.ndims is None:
        batch.set_shape([None] * 4)
    return batch, False


def as_given(batch: Tensor, is_batch: bool) -> Tensor:
    """The batch, or the one image that it is of."""
    return batch if is_batch else shape_ops.squeeze(batch, axis=[0])
