"""Fourier transforms over the last one, two or three axes: ops and their functions.

numpy computes them; complex numbers of 64 bits come out as such, whatever precision it uses inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import COMPLEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply, make_function
from tfc.framework.tensor_util import constant_value, constant_value_as_shape
from tfc.ops import shape_rules as s
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import constant, ones, zeros, zeros_like
from tfc.ops.join_ops import concat, stack, unstack
from tfc.ops.pad_ops import pad
from tfc.ops.reduction_ops import reduce_prod
from tfc.ops.shape_ops import rank as rank_of
from tfc.ops.shape_ops import shape as shape_of
from tfc.ops.slice_ops import slice_
from tfc.ops.unary_ops import real

Array = np.ndarray
_SUFFIXES = ("", "2D", "3D")


def _check_rank(op: Any, x: Array, rank: int) -> None:
    if x.ndim < rank:
        raise errors.InvalidArgumentError(
            None, op, f"Input must have rank of at least {rank} but got: {s.text(x.shape)}"
        )


def _size(dims: Tensor, dtype: Any) -> Tensor:
    """The number of elements of an array of these extents, in another dtype."""
    return cast(cast(reduce_prod(dims), dtype.real_dtype), dtype)


def _complex_transform(name: str, rank: int, forward: bool) -> None:
    function = np.fft.fftn if forward else np.fft.ifftn
    axes = tuple(range(-rank, 0))

    class Transform(
        OpDef,
        sig=f"{name}(input: Tcomplex, Tcomplex: type = complex64) -> output: Tcomplex",
        Tcomplex=COMPLEX,
    ):
        __doc__ = (
            f"The {'' if forward else 'inverse '}discrete Fourier transform over the last "
            f"{rank} axes."
        )

        def shape(input: TensorShape) -> list[TensorShape]:
            s.with_rank_at_least(input, rank)
            return [input]

        def grad(op: Any, dy: Tensor) -> list[Any]:
            size = _size(shape_of(dy)[-rank:], dy.dtype.base_dtype)
            back = apply(_name(rank, not forward), dy)
            return [back * size if forward else back / size]

        def host(op: Any, input: Array) -> Array:
            _check_rank(op, input, rank)
            return function(input, axes=axes) if input.size else input


def _name(rank: int, forward: bool) -> str:
    return ("FFT" if forward else "IFFT") + _SUFFIXES[rank - 1]


def _length_shape(input: TensorShape, length: TensorShape, op: Any, rank: int) -> Any:
    """(the leading dimensions, the transform's lengths as far as known), None for an unknown
    rank."""
    dims = s.with_rank_at_least(input, rank)
    entries = s.with_rank(length, 1)[0]
    if entries is not None and entries != rank:
        raise ValueError(f"Dimension must be {rank} but is {entries}")
    if dims is None:
        return None
    lengths = s.static_ints(op, 1)
    return dims[:-rank], [None] * rank if lengths is None else list(lengths)


def _lengths(op: Any, input: Array, given: Array, rank: int, halved: bool) -> list[int]:
    """The lengths of the transform, which the input must not fall short of."""
    _check_rank(op, input, rank)
    if given.shape != (rank,):
        raise errors.InvalidArgumentError(None, op, f"fft_length must have shape [{rank}]")
    lengths = [int(n) for n in given]
    for axis, n in enumerate(lengths):
        if n < 0:
            raise errors.InvalidArgumentError(
                None, op, f"fft_length[{axis}] must be >= 0, but got: {n}"
            )
        least = n // 2 + 1 if halved and axis == rank - 1 and n else n
        have = input.shape[axis - rank]
        if have < least and input.size:
            raise errors.InvalidArgumentError(
                None, op, f"Input dimension {axis} must have length of at least {least} but got: "
                f"{have}"
            )  # fmt: skip
    return lengths


def _real_transform(rank: int) -> None:
    axes = tuple(range(-rank, 0))

    class Forward(
        OpDef,
        sig=f"RFFT{_SUFFIXES[rank - 1]}(input: Treal, fft_length: int32, "
        "Tcomplex: type = complex64) -> output: Tcomplex",
        Treal=("f32", "f64"),
        Tcomplex=COMPLEX,
    ):
        __doc__ = f"The non-negative frequencies of real numbers over the last {rank} axes."

        def shape(input: TensorShape, length: TensorShape, *, op: Any) -> list[TensorShape]:
            found = _length_shape(input, length, op, rank)
            if found is None:
                return [s.unknown()]
            batch, lengths = found
            if lengths[-1]:
                lengths[-1] = lengths[-1] // 2 + 1
            return [s.shape_of([*batch, *lengths])]

        def grad(op: Any, dy: Tensor) -> list[Any]:
            # the frequencies that are not there get no gradient; real numbers the real part of it
            length = op.inputs[1]
            whole = _resized(dy, length, rank)
            back = real(apply(_name(rank, False), whole) * _size(length, dy.dtype.base_dtype))
            return [_resized(back, shape_of(op.inputs[0])[-rank:], rank), None]

        def host(op: Any, input: Array, length: Array, *, Tcomplex: Any) -> Array:
            lengths = _lengths(op, input, length, rank, halved=False)
            if not input.size or 0 in lengths:
                last = lengths[-1] // 2 + 1 if lengths[-1] else 0
                shape = (*input.shape[:-rank], *lengths[:-1], last)
                return np.zeros(shape, Tcomplex.as_numpy_dtype)
            return np.fft.rfftn(input, s=lengths, axes=axes)

    class Backward(
        OpDef,
        sig=f"IRFFT{_SUFFIXES[rank - 1]}(input: Tcomplex, fft_length: int32, "
        "Treal: type = float32) -> output: Treal",
        Treal=("f32", "f64"),
        Tcomplex=COMPLEX,
    ):
        __doc__ = f"The real numbers that have these frequencies over the last {rank} axes."

        def shape(input: TensorShape, length: TensorShape, *, op: Any) -> list[TensorShape]:
            found = _length_shape(input, length, op, rank)
            return [s.unknown() if found is None else s.shape_of([*found[0], *found[1]])]

        def grad(op: Any, dy: Tensor) -> list[Any]:
            # a frequency stands for its negative as well, but for 0 and the highest of an even
            # length
            length, wide = op.inputs[1], op.inputs[0].dtype.base_dtype
            odd = apply("FloorMod", length[-1], 2)
            count = apply("FloorDiv", length[-1], 2) + 1
            narrow = dy.dtype.base_dtype
            one = ones([1], dtype=narrow)
            middle = 2.0 * ones(stack([count - 2 + odd]), dtype=narrow)
            weights = concat([one, middle, ones(stack([1 - odd]), dtype=narrow)], 0)
            forward = apply(f"RFFT{_SUFFIXES[rank - 1]}", dy, length, Tcomplex=wide)
            weights = weights / cast(reduce_prod(length), narrow)
            grad = forward * cast(weights, wide)
            return [_resized(grad, shape_of(op.inputs[0])[-rank:], rank), None]

        def host(op: Any, input: Array, length: Array, *, Treal: Any) -> Array:
            lengths = _lengths(op, input, length, rank, halved=True)
            if not input.size or 0 in lengths:
                return np.zeros((*input.shape[:-rank], *lengths), Treal.as_numpy_dtype)
            return np.fft.irfftn(input, s=lengths, axes=axes)


def _resized(x: Tensor, dims: Tensor, rank: int) -> Tensor:
    """`x` with its last axes cut, or continued by zeros, to the extents `dims`."""
    have = shape_of(x)
    batch = have[:-rank]
    kept = concat([batch, apply("Minimum", have[-rank:], dims)], 0)
    cut = slice_(x, zeros_like(have), kept)
    missing = concat([zeros_like(batch), apply("Maximum", dims - have[-rank:], 0)], 0)
    return pad(cut, stack([zeros_like(missing), missing], axis=1))


for _rank in (1, 2, 3):
    _complex_transform(_name(_rank, True), _rank, True)
    _complex_transform(_name(_rank, False), _rank, False)
    _real_transform(_rank)


def _function(name: str) -> Callable[..., Tensor]:
    what = "inverse discrete" if name.startswith("I") else "discrete"
    axes = {"": "last axis", "2D": "last two axes", "3D": "last three axes"}[name.split("FFT")[1]]
    return make_function(
        name,
        f"The {what} Fourier transform of complex numbers over the {axes}.\n\n"
        "Raises:\n  TypeError: the numbers are not complex.\n"
        "  ValueError: there are too few axes.",
        name.lower(),
    )


fft, ifft, fft2d = _function("FFT"), _function("IFFT"), _function("FFT2D")
ifft2d, fft3d, ifft3d = _function("IFFT2D"), _function("FFT3D"), _function("IFFT3D")


def _rank_at_least(x: Tensor, rank: int) -> None:
    found = x.get_shape().ndims
    if found is not None and found < rank:
        raise ValueError(f"Shape {x.get_shape()} must have rank at least {rank}")


def _own_length(x: Tensor, rank: int, inverse: bool) -> Tensor:
    """The lengths of the transform that the shape of `x` implies."""
    dims = s.dims_of(x.get_shape())
    last = None if dims is None else dims[-rank:]
    if last is not None and None not in last:
        known = [d or 0 for d in last]
        if inverse:
            known[-1] = max(0, 2 * (known[-1] - 1))
        return constant(known, dtype=dtypes.int32)
    lengths = shape_of(x)[-rank:]
    if not inverse:
        return lengths
    parts = unstack(lengths, num=rank)
    return stack([*parts[:-1], apply("Maximum", 2 * (parts[-1] - 1), 0)])


def _long_enough(x: Tensor, length: Tensor, rank: int, inverse: bool) -> Tensor:
    """`x` continued by zeros to where the transform reads."""
    dims = s.dims_of(x.get_shape())
    wanted = s.dims_of(constant_value_as_shape(length))
    if dims is not None and 0 in dims:
        return x
    if dims is not None and wanted is not None and None not in [*wanted, *dims[-len(wanted) :]]:
        needed = [d or 0 for d in wanted]
        if inverse:
            needed[-1] = needed[-1] // 2 + 1
        have = [d or 0 for d in dims[-len(needed) :]]
        missing = [max(n - m, 0) for n, m in zip(needed, have, strict=False)]
        if not any(missing):
            return x
        outer = max(len(dims) - len(needed), 0)
        return pad(x, [[0, 0]] * outer + [[0, n] for n in missing])
    if inverse:
        length = concat([length[:-1], apply("FloorDiv", length[-1:], 2) + 1], 0)
    outer_count = apply("Maximum", rank_of(x) - rank, 0)
    missing_dims = apply("Maximum", length - shape_of(x)[-rank:], 0)
    ends = concat([zeros(stack([outer_count]), dtype=dtypes.int32), missing_dims], 0)
    return pad(x, stack([zeros_like(ends), ends], axis=1))


def _real_function(rank: int, inverse: bool) -> Callable[..., Tensor]:
    op = ("IRFFT" if inverse else "RFFT") + _SUFFIXES[rank - 1]
    preferred = dtypes.complex64 if inverse else dtypes.float32
    allowed: Sequence[Any] = (
        (dtypes.complex64, dtypes.complex128) if inverse else (dtypes.float32, dtypes.float64)
    )

    def function(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, op.lower(), [input_tensor, fft_length]) as scope:
            x = convert_to_tensor(input_tensor, preferred_dtype=preferred)
            if x.dtype.base_dtype not in allowed:
                kinds = " or ".join(f"tf.{d.name}" for d in allowed)
                raise ValueError(f"{op[: 5 if inverse else 4]} requires {kinds} inputs, got: {x}")
            _rank_at_least(x, rank)
            if fft_length is None:
                length = _own_length(x, rank, inverse)
            else:
                length = convert_to_tensor(fft_length, dtype=dtypes.int32)
                if length.get_shape().ndims not in (None, 1):
                    raise ValueError(f"fft_length must be a vector, not {fft_length!r}")
            x = _long_enough(x, length, rank, inverse)
            known = constant_value(length)
            length = length if known is None else constant(known, name="fft_length")
            if inverse:
                return apply(op, x, length, Treal=x.dtype.real_dtype, name=scope)
            wide = dtypes.complex128 if x.dtype.base_dtype == dtypes.float64 else dtypes.complex64
            return apply(op, x, length, Tcomplex=wide, name=scope)

    function.__name__ = function.__qualname__ = op.lower()
    function.__doc__ = (
        "The real numbers whose non-negative frequencies these are"
        if inverse
        else "The non-negative frequencies of real numbers"
    ) + (
        f", over the last {rank} axes.\n\n    fft_length: as many lengths of the transform; "
        "the input is cut or continued by zeros to them.\n\n"
        "    Raises:\n      ValueError: another dtype, or too few axes.\n    "
    )
    return function


rfft, irfft = _real_function(1, False), _real_function(1, True)
rfft2d, irfft2d = _real_function(2, False), _real_function(2, True)
rfft3d, irfft3d = _real_function(3, False), _real_function(3, True)
