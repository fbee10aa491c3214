"""Arguments of layers whose windows move along axes, and the extents of their results."""

from __future__ import annotations

from typing import Any

from tfc.ops.init_ops import Zeros

ZEROS = Zeros()


def each_axis(value: Any, count: int, name: str) -> tuple[int, ...]:
    """One positive number for each of `count` axes, of a number or a sequence of them.

    Raises:
      ValueError: it is neither.
    """
    message = f"The `{name}` argument must be a tuple of {count} integers. Received: {value}"
    if isinstance(value, int):
        numbers = (value,) * count
    else:
        try:
            numbers = tuple(int(n) for n in value)
        except (TypeError, ValueError):
            raise ValueError(message) from None
        if len(numbers) != count:
            raise ValueError(message)
    if any(n <= 0 for n in numbers):
        raise ValueError(f"{message}, of which each must be > 0")
    return numbers


def padding_of(value: Any, causal: bool = False) -> str:
    """The name of a padding in small letters.

    Raises:
      ValueError: there is no such padding.
    """
    padding = str(value).lower()
    if padding not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be one of "valid", "same" (or "causal", only for '
            f"`Conv1D`). Received: {padding}"
        )
    if padding == "causal" and not causal:
        raise ValueError("Causal padding is only supported for `Conv1D` and `SeparableConv1D`.")
    return padding


def layout_of(value: Any) -> str:
    """channels_first or channels_last, in small letters.

    Raises:
      ValueError: it is neither.
    """
    layout = str(value).lower()
    if layout not in ("channels_first", "channels_last"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return layout


def check_windows(strides: tuple[int, ...], dilation_rate: tuple[int, ...]) -> None:
    """Raises ValueError where a window both skips places and has holes."""
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ValueError(
            "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
            f"strides={strides} and dilation_rate={dilation_rate}"
        )


def spatial_axes(rank: int, first: bool) -> range:
    """The axes that a window moves along, where the channels are before or after them."""
    return range(2, rank + 2) if first else range(1, rank + 1)


def output_length(
    extent: int | None, window: int, padding: str, stride: int, gaps: int = 1
) -> int | None:
    """How often a window fits, None if the extent is not known."""
    if extent is None:
        return None
    if padding == "valid":
        extent -= (window - 1) * gaps
    return (extent + stride - 1) // stride
