"""Windows: weights of the numbers of a frame."""

from __future__ import annotations

import math
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import constant, ones, ones_like
from tfc.ops.join_ops import concat
from tfc.ops.scan_ops import cumsum
from tfc.ops.signal.frame_ops import Number, number, vector
from tfc.ops.special.bessel import bessel_i0e


def _checked(window_length: Any, dtype: Any) -> tuple[Number, Any]:
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {dtype}")
    return number(window_length, "window_length"), dtype


def _positions(length: Number, dtype: Any) -> Tensor:
    return cast(apply("Range", 0, length, 1), dtype)


def hann_window(
    window_length: Any,
    periodic: Any = True,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """0.5 - 0.5 cos(2 pi k / n) for k below `window_length`, n being that if `periodic`, else one
    less.

    Raises:
      ValueError: `dtype` is no float, or the length no scalar integer.
    """
    return _raised_cosine(name, "hann_window", window_length, periodic, dtype, 0.5, 0.5)


def hamming_window(
    window_length: Any,
    periodic: Any = True,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """0.54 - 0.46 cos(2 pi k / n) for k below `window_length`, n being that if `periodic`, else
    one less.

    Raises:
      ValueError: `dtype` is no float, or the length no scalar integer.
    """
    return _raised_cosine(name, "hamming_window", window_length, periodic, dtype, 0.54, 0.46)


def _raised_cosine(
    name: str | None, default: str, window_length: Any, periodic: Any, dtype: Any,
    a: float, b: float,
) -> Tensor:  # fmt: skip
    with name_scope(name, default, [window_length, periodic]):
        length, dtype = _checked(window_length, dtype)
        if not isinstance(length, Tensor) and length == 1:
            return ones([1], dtype=dtype)
        repeats = convert_to_tensor(periodic, dtype=dtypes.bool_, name="periodic")
        even = 1 - length % 2
        # only windows of even length differ: an odd one is made of whole periods either way
        count = length + cast(repeats, dtypes.int32) * even - 1
        turns = constant(2 * math.pi, dtype=dtype) * _positions(length, dtype)
        window = a - b * apply("Cos", turns / cast(count, dtype))
        if not isinstance(length, Tensor):
            return window
        alone = apply("Fill", vector(length), apply("Equal", length, 1))
        return apply("Select", alone, ones_like(window), window)


def vorbis_window(
    window_length: Any, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """sin(pi / 2 sin(pi (k + 0.5) / n)^2) for k below n, the `window_length`.

    Raises:
      ValueError: `dtype` is no float, or the length no scalar integer.
    """
    with name_scope(name, "vorbis_window", [window_length]):
        length, dtype = _checked(window_length, dtype)
        angles = math.pi / cast(length, dtype) * (_positions(length, dtype) + 0.5)
        return apply("Sin", (math.pi / 2.0) * apply("Square", apply("Sin", angles)))


def kaiser_window(
    window_length: Any,
    beta: Any = 12.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """I0(beta sqrt(1 - (2 k / (n - 1) - 1)^2)) / I0(beta) for k below n = `window_length`, I0 being
    the modified Bessel function of order 0.

    Raises:
      ValueError: `dtype` is no float, or the length no scalar integer.
    """
    with name_scope(name, "kaiser_window"):
        length, dtype = _checked(window_length, dtype)
        if not isinstance(length, Tensor) and length == 1:
            return ones([1], dtype)
        half = (cast(convert_to_tensor(length), dtypes.float32) - 1.0) / 2.0
        at = cast(apply("Range", -half, half + 0.1, 1.0), dtype)
        shape, half = cast(convert_to_tensor(beta), dtype), cast(half, dtype)
        off = apply("Relu", 1.0 - apply("Square", at / half))
        inner = shape * apply("Sqrt", off)
        # I0(x) = exp(x) I0e(x), and I0e does not overflow
        return apply("Exp", inner - shape) * (bessel_i0e(inner) / bessel_i0e(shape))


def kaiser_bessel_derived_window(
    window_length: Any,
    beta: Any = 12.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """The square roots of the running sums of a Kaiser window of half the length plus 1, over its
    whole sum, and then the same backwards.

    Raises:
      ValueError: `dtype` is no float, or the length no scalar integer.
    """
    with name_scope(name, "kaiser_bessel_derived_window"):
        length, dtype = _checked(window_length, dtype)
        sums = cumsum(kaiser_window(length // 2 + 1, beta, dtype))
        half = apply("Sqrt", sums[:-1] / sums[-1])
        return concat([half, half[::-1]], axis=0)
