"""Spectrograms: Fourier and cosine transforms of the frames of a signal, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import where
from tfc.ops.const_ops import zeros_like
from tfc.ops.join_ops import concat
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.reverse_ops import reverse
from tfc.ops.shape_ops import reshape
from tfc.ops.signal.dct_ops import dct
from tfc.ops.signal.fft_ops import irfft, rfft
from tfc.ops.signal.frame_ops import (
    Number,
    at_least,
    check_rank,
    extent,
    frame,
    number,
    overlap_and_add,
    pad_last,
    vector,
)
from tfc.ops.signal.window_ops import hann_window, vorbis_window
from tfc.ops.split_ops import split, tile

Window = Callable[..., Any] | None


def _power_of_two(length: Number) -> Number:
    """The least power of two that is not below `length`."""
    if not isinstance(length, Tensor):
        return int(2 ** math.ceil(math.log(length) / math.log(2.0))) if length else 0
    exponent = apply("Ceil", apply("Log", cast(length, dtypes.float32)) / math.log(2.0))
    return cast(apply("Pow", 2.0, exponent), dtypes.int32)


def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Window = hann_window,
    pad_end: bool = False,
    name: str | None = None,
) -> Tensor:
    """The short-time Fourier transform [..., frames, fft_length / 2 + 1] of signals [..., samples].

    fft_length: the least power of two that holds a frame, if None. window_fn: called with the
    length and `dtype`, gives the weights of a frame's numbers; None for no weights.

    Raises:
      ValueError: a length is no scalar integer, or the numbers are not float.
    """
    with name_scope(name, "stft", [signals, frame_length, frame_step]):
        x = convert_to_tensor(signals, name="signals")
        check_rank(x, 1)
        length, step = number(frame_length, "frame_length"), number(frame_step, "frame_step")
        size = _power_of_two(length) if fft_length is None else number(fft_length, "fft_length")
        frames = frame(x, length, step, pad_end=pad_end)
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=frames.dtype.base_dtype)
        return rfft(frames, vector(size))


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Any] = hann_window, name: str | None = None
) -> Callable[..., Tensor]:
    """The window for `inverse_stft` with which it inverts `stft` of `forward_window_fn`: a function
    of the frame length and `dtype`."""

    def inverse_window(frame_length: Any, dtype: Any) -> Tensor:
        with name_scope(name, "inverse_stft_window_fn", [forward_window_fn]):
            length, step = number(frame_length, "frame_length"), number(frame_step, "frame_step")
            window = forward_window_fn(length, dtype=dtype)
            overlaps = -(-length // step)
            squares = pad_last(apply("Square", window), 0, overlaps * step - length)
            sums = reduce_sum(reshape(squares, vector(overlaps, step)), 0)
            total = tile(sums, vector(overlaps))[:length]
            empty = apply("Equal", total, zeros_like(total))
            return where(empty, zeros_like(window), window / total)

    return inverse_window


def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Window = hann_window,
    name: str | None = None,
) -> Tensor:
    """Signals [..., samples] of short-time Fourier transforms [..., frames, bins]: the frames'
    inverses, weighted by `window_fn`, overlap and add. `inverse_stft_window_fn` gives the window
    that reconstructs the signal.

    Raises:
      ValueError: a length is no scalar integer, or the rank is below 2.
    """
    with name_scope(name, "inverse_stft", [stfts]):
        x = convert_to_tensor(stfts, name="stfts")
        check_rank(x, 2)
        length, step = number(frame_length, "frame_length"), number(frame_step, "frame_step")
        size = _power_of_two(length) if fft_length is None else number(fft_length, "fft_length")
        frames = _of_length(irfft(x, vector(size)), length)
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=x.dtype.real_dtype)
        return overlap_and_add(frames, step)


def _of_length(frames: Tensor, length: Number) -> Tensor:
    """Frames cut, or continued by zeros, to `length` numbers."""
    have = extent(frames, -1)
    if isinstance(have, Tensor) or isinstance(length, Tensor):
        frames = frames[..., :length]
        frames = pad_last(frames, 0, at_least(length - extent(frames, -1), 0))
    elif have > length:
        frames = frames[..., :length]
    elif have < length:
        frames = pad_last(frames, 0, length - have)
    rank = frames.get_shape().ndims
    if rank is not None and not isinstance(length, Tensor):
        frames.set_shape([None] * (rank - 1) + [length])
    return frames


def mdct(
    signals: Any,
    frame_length: Any,
    window_fn: Window = vorbis_window,
    pad_end: bool = False,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The modified discrete cosine transform [..., frames, frame_length / 2] of signals
    [..., samples], of frames that overlap by half.

    Raises:
      ValueError: `frame_length` is not a multiple of 4, or `norm` neither None nor "ortho".
    """
    with name_scope(name, "mdct", [signals, frame_length]):
        x = convert_to_tensor(signals, name="signals")
        check_rank(x, 1)
        length = number(frame_length, "frame_length")
        if not isinstance(length, Tensor) and length % 4:
            raise ValueError("The frame length must be a multiple of 4.")
        frames = frame(x, length, length // 2, pad_end=pad_end)
        if window_fn is None:
            frames = frames * (1.0 / math.sqrt(2.0))
        else:
            frames = frames * window_fn(length, dtype=frames.dtype.base_dtype)
        a, b, c, d = split(frames, 4, axis=-1)
        folded = concat([-reverse(c, [-1]) - d, a - reverse(b, [-1])], axis=-1)
        return dct(folded, type=4, norm=norm)


def inverse_mdct(
    mdcts: Any,
    window_fn: Window = vorbis_window,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """Signals [..., samples] of modified cosine transforms [..., frames, half a frame], as `mdct`
    with the same window and norm gave them; the first and the last half frame stay incomplete.

    Raises:
      ValueError: the rank is below 2, or `norm` is neither None nor "ortho".
    """
    with name_scope(name, "inverse_mdct", [mdcts]):
        x = convert_to_tensor(mdcts, name="mdcts")
        check_rank(x, 2)
        half = extent(x, -1)
        turned = dct(x, type=4, norm=norm)
        if norm is None:
            turned = (0.5 / cast(half, x.dtype.base_dtype)) * turned
        first, second = split(turned, 2, axis=-1)
        frames = concat([second, -reverse(second, [-1]), -reverse(first, [-1]), -first], axis=-1)
        if window_fn is None:
            frames = frames * (1.0 / math.sqrt(2.0))
        else:
            frames = frames * window_fn(2 * half, dtype=x.dtype.base_dtype)
        return overlap_and_add(frames, half)
