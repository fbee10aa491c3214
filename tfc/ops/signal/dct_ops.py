"""Discrete cosine transforms, by Fourier transforms of real numbers."""

from __future__ import annotations

import math
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops.cast_ops import cast, complex_
from tfc.ops.const_ops import constant
from tfc.ops.join_ops import concat
from tfc.ops.shape_ops import expand_dims
from tfc.ops.signal.fft_ops import irfft, rfft
from tfc.ops.signal.frame_ops import Number, at_least, extent, pad_last, vector
from tfc.ops.unary_ops import real

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def dct(
    input: Any,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The discrete cosine transform of type 1 to 4 over the last axis of float numbers.

    n: how many numbers to transform; the input is cut or continued by zeros. norm: "ortho" makes
    the transform a rotation (not for type 1).

    Raises:
      NotImplementedError: `axis` is not -1.
      ValueError: another type or norm, or `n` below 1.
    """
    return _checked(input, type, n, axis, norm, name, type)


def idct(
    input: Any,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The inverse of `dct` of the same type, up to a factor of twice the length if `norm` is None
    (for type 1: twice the length less one).

    Raises:
      NotImplementedError: `axis` is not -1.
      ValueError: another type or norm, or `n` below 1.
    """
    return _checked(input, type, n, axis, norm, name, _INVERSE.get(type, type))


def _checked(
    input: Any, given: int, n: int | None, axis: int, norm: str | None, name: str | None, type: int
) -> Tensor:
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if n is not None and n < 1:
        raise ValueError("n should be a positive integer or None")
    if given not in _INVERSE:
        raise ValueError("Types I, II, III and IV (I)DCT are supported.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")
    with name_scope(name, "dct", [input]):
        x = convert_to_tensor(input, preferred_dtype=dtypes.float32)
        if given == 1:
            if norm == "ortho":
                raise ValueError("Normalization is not supported for the Type-I DCT.")
            last = extent(x, -1)
            if not isinstance(last, Tensor) and last < 2:
                raise ValueError("Type-I DCT requires the dimension to be greater than one.")
        return _transform(x, type, n, norm)


def _transform(x: Tensor, type: int, n: Number | None, norm: str | None) -> Tensor:
    if n is not None:
        x = _of_length(x, n)
    length = extent(x, -1)
    dtype = x.dtype.base_dtype
    count = cast(length, dtype)
    if type == 1:
        return real(rfft(concat([x, x[..., -2:0:-1]], axis=-1)))
    if type == 2:
        turned = rfft(x, fft_length=vector(2 * length))[..., :length]
        result = real(turned * _turns(count, -1))
        if norm is None:
            return result
        first = 0.5 * apply("Rsqrt", count)
        return result * _weights(first, first * math.sqrt(2.0), length)
    if type == 3:
        if norm is None:
            x = x * count
        else:
            first = apply("Sqrt", count)
            x = x * _weights(first, first * math.sqrt(0.5), length)
        turned = _turns(count, 1) * complex_(x, constant(0, dtype=dtype))
        return irfft(turned, fft_length=vector(2 * length))[..., :length]
    result = _transform(x, 2, 2 * length, None)[..., 1::2]
    return result if norm is None else result * (math.sqrt(0.5) * apply("Rsqrt", count))


def _of_length(x: Tensor, n: Number) -> Tensor:
    """`x` with `n` numbers along its last axis: the first ones, or all and zeros."""
    have = extent(x, -1)
    if isinstance(n, Tensor) or isinstance(have, Tensor):
        return pad_last(x[..., :n], 0, at_least(n - have, 0))
    return x[..., :n] if n <= have else pad_last(x, 0, n - have)


def _turns(count: Tensor, sign: int) -> Tensor:
    """2 exp(sign i pi k / (2 count)) for every k below `count`."""
    zero, one = constant(0, dtype=count.dtype), constant(1, dtype=count.dtype)
    angles = apply("Range", zero, count, one) * (sign * math.pi * 0.5) / count
    return 2.0 * apply("Exp", complex_(zero, angles))


def _weights(first: Tensor, others: Tensor, length: Number) -> Tensor:
    rest = apply("Fill", vector(length - 1), others)
    return concat([expand_dims(first, 0), rest], 0)
