"""Geometry of convolutions and pooling: data formats, padding, output extents.

Inside lowering rules images are [batch, *spatial, channels]; `channels_last` and `as_given` go
there and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework.operation import Tensor
from tfc.ir.core import Value
from tfc.ops.lowering import invalid

Pairs = tuple[tuple[int, int], ...]


def channels_first(data_format: str) -> bool:
    """Whether channels are the second axis: NCHW, NCDHW, NCW."""
    if not isinstance(data_format, str):
        raise ValueError(f"data_format must be a string, but got {data_format!r}")
    return data_format.startswith("NC")


def spatial_axes(data_format: str, rank: int) -> list[int]:
    """Axes that are neither batch nor channels."""
    return list(range(2, rank)) if channels_first(data_format) else list(range(1, rank - 1))


def spatial_of(entries: Sequence[int], data_format: str) -> tuple[int, ...]:
    """The entries of an attribute such as `strides` that are about spatial axes."""
    return tuple(int(entries[i]) for i in spatial_axes(data_format, len(entries)))


def entries(value: Any, count: int, data_format: str, what: str) -> list[int]:
    """One number for each axis, from one number, one for each of `count` spatial axes, or all.

    None stands for 1.

    Raises:
      TypeError: no number, but a tensor. ValueError: another length, or not finite.
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    many = isinstance(value, list | tuple | TensorShape)
    given = list(value) if many else [1 if value is None else value]
    if any(isinstance(n, Tensor | list | tuple) for n in given):
        raise TypeError(f"Expected int for argument '{what}' not {value}.")
    try:
        steps = [int(n) for n in given]
    except OverflowError:
        raise ValueError(f"{what} are integers, but got {value}") from None
    if len(steps) == count + 2:
        return steps
    if len(steps) not in (1, count):
        raise ValueError(
            f"{what} should be of length 1, {count} or {count + 2} but was {len(steps)}"
        )
    return from_last([1, *(steps if len(steps) == count else steps * count), 1], data_format)


def check_plain(what: str, entries: Sequence[int], data_format: str, rank: int) -> None:
    """Raises ValueError unless `entries` are positive, and 1 for batch and channels."""
    if len(entries) != rank:
        raise ValueError(
            f"{what} requires the {what} attribute to contain {rank} values, but got: "
            f"{len(entries)}"
        )
    spatial = spatial_axes(data_format, rank)
    if any(n != 1 for i, n in enumerate(entries) if i not in spatial):
        raise ValueError(
            f"Current implementation does not support {what} in the batch and depth dimensions."
        )
    if any(n <= 0 for n in entries):
        raise ValueError(f"{what} must be positive, not {list(entries)}")


def channels_last(build: Any, x: Value, data_format: str) -> Value:
    """`x` as [batch, *spatial, channels]."""
    if not channels_first(data_format):
        return x
    rank = x.type.rank
    return p.transpose(build, x, perm=(0, *range(2, rank), 1))


def as_given(build: Any, x: Value, data_format: str) -> Value:
    """`x`, which is [batch, *spatial, channels], in the data format."""
    if not channels_first(data_format):
        return x
    rank = x.type.rank
    return p.transpose(build, x, perm=(0, rank - 1, *range(1, rank - 1)))


def to_last(dims: Sequence[Any], data_format: str) -> list[Any]:
    """A shape in the data format as [batch, *spatial, channels]."""
    return [dims[0], *dims[2:], dims[1]] if channels_first(data_format) else list(dims)


def from_last(dims: Sequence[Any], data_format: str) -> list[Any]:
    """A shape [batch, *spatial, channels] in the data format."""
    return [dims[0], dims[-1], *dims[1:-1]] if channels_first(data_format) else list(dims)


def extent(
    size: int | None,
    window: int | None,
    stride: int,
    dilation: int,
    padding: str,
    explicit: tuple[int, int] = (0, 0),
) -> int | None:
    """Extent of the result along one spatial axis, where the graph is made.

    Raises:
      ValueError: the window does not fit.
    """
    if size is None or (window is None and padding != "SAME"):
        return None
    if window is not None and padding != "SAME":
        reach, room = (window - 1) * dilation + 1, size + sum(explicit)
        if room < reach:
            raise ValueError(f"Negative dimension size caused by subtracting {reach} from {room}")
    return windows_in(size, window, stride, dilation, padding, explicit)


def windows_in(
    size: int | None,
    window: int | None,
    stride: int,
    dilation: int,
    padding: str,
    explicit: tuple[int, int] = (0, 0),
) -> int | None:
    """The same where the graph runs: a window that does not fit by less than two strides (in
    TensorFlow the quotient is cut, not rounded down) is no error, there are just no windows.

    Raises:
      ValueError: it does not fit by more.
    """
    if size is None or (window is None and padding != "SAME"):
        return None
    if padding == "SAME":
        return -(-size // stride)
    assert window is not None
    reach = (window - 1) * dilation + 1
    free = size + sum(explicit) - reach
    if free <= -2 * stride:
        raise ValueError(
            f"Computed output size would be negative: a window of {reach} by {stride} in {size}"
        )
    return max(free // stride + 1, 0)


@dataclass(frozen=True)
class Window:
    """A window's steps along the spatial axes, and the padding that they imply."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: Pairs


def window(
    build: Any,
    spatial: Sequence[int],
    sizes: Sequence[int],
    attrs: dict[str, Any],
) -> Window:
    """The window of `sizes` over an image of extents `spatial`.

    attrs: strides, padding, data_format, and if given dilations and explicit_paddings.

    Raises:
      InvalidArgumentError: the window does not fit into the image, see `windows_in`.
    """
    layout = attrs["data_format"]
    rank = len(attrs["strides"])
    strides = spatial_of(attrs["strides"], layout)
    dilations = spatial_of(attrs.get("dilations") or [1] * rank, layout)
    pairs = []
    explicit = explicit_pairs(attrs.get("explicit_paddings") or (), layout, rank)
    for i, (size, extent_of_window) in enumerate(zip(spatial, sizes, strict=True)):
        stride, dilation = strides[i], dilations[i]
        try:
            count = windows_in(
                size, extent_of_window, stride, dilation, attrs["padding"], explicit[i]
            )
        except ValueError as error:
            raise invalid(build, str(error)) from None
        assert count is not None
        if attrs["padding"] == "SAME":
            reach = (extent_of_window - 1) * dilation + 1
            total = max((count - 1) * stride + reach - size, 0) if count else 0
            pairs.append((total // 2, total - total // 2))
        else:
            pairs.append(explicit[i])
    return Window(strides, dilations, tuple(pairs))


def check_explicit(flat: Sequence[int], data_format: str, rank: int) -> None:
    """Raises ValueError unless `flat` pads `rank` axes, none by less than 0, only spatial ones."""
    if not flat:
        return
    if len(flat) != 2 * rank:
        raise ValueError(f"explicit_paddings must hold {2 * rank} values, but got {len(flat)}")
    if any(n < 0 for n in flat):
        raise ValueError(f"All elements of explicit_paddings must be nonnegative, not {list(flat)}")
    spatial = spatial_axes(data_format, rank)
    if any(n != 0 for i, n in enumerate(flat) if i // 2 not in spatial):
        raise ValueError(
            "Nonzero explicit padding in the batch or depth dimensions is not supported: "
            f"{list(flat)}"
        )


def explicit_pairs(flat: Sequence[int], data_format: str, rank: int) -> list[tuple[int, int]]:
    """(before, after) of each spatial axis, from the attribute `explicit_paddings`."""
    if not flat:
        return [(0, 0)] * (rank - 2)
    return [(int(flat[2 * i]), int(flat[2 * i + 1])) for i in spatial_axes(data_format, rank)]


def padding_attrs(padding: Any, data_format: str) -> dict[str, Any]:
    """`padding` as the ops hold it: a name, or explicit pairs for every axis.

    Raises:
      ValueError: it is a list, but not of one pair for each axis; or "EXPLICIT".
    """
    if not isinstance(padding, (list, tuple)):
        if padding == "EXPLICIT":
            raise ValueError(
                "'EXPLICIT' is not a valid value for `padding`. To use explicit padding, "
                "`padding` must be a list."
            )
        return {"padding": padding}
    rank = len(data_format)
    for i, pair in enumerate(padding):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                "When `padding` is a list, each element of `padding` must be a list/tuple of "
                f"size 2. Received: padding={padding} with element at index {i} of type "
                f"{type(pair)}"
            )
    if len(padding) != rank:
        raise ValueError(
            f"When padding is a list, it must be of size {rank}. "
            f"Received: padding={padding} of size {len(padding)}"
        )
    return {"padding": "EXPLICIT", "explicit_paddings": [int(n) for pair in padding for n in pair]}
