"""Padding: constant, reflected and symmetric, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.join_ops import stack
from tfc.ops.lowering import invalid, zero
from tfc.ops.shape_ops import rank, reshape, shape


def _padded_shape(
    input: TensorShape, paddings: TensorShape, op: Any, sign: int = 1
) -> list[TensorShape]:
    rows, columns = s.with_rank(paddings, 2)
    if columns not in (None, 2):
        raise ValueError(f"Dimension must be 2 but is {columns}")
    dims, pads = s.dims_of(input), s.static_input(op, 1)
    if dims is None:
        return [s.unknown(rows)]
    if rows is not None and rows != len(dims):
        raise ValueError(f"Shape must be rank {rows} but is rank {len(dims)}")
    if pads is None:
        return [s.unknown(len(dims))]
    if pads.min(initial=0) < 0:
        raise ValueError("Paddings must be non-negative")
    totals = [sign * int(n) for n in pads.sum(1)]
    return [s.shape_of([None if d is None else d + n for d, n in zip(dims, totals, strict=True)])]


def _static_paddings(build: Any, x: Value, paddings: Value) -> list[tuple[int, int]]:
    """(before, after) of each axis.

    Raises:
      InvalidArgumentError: not two non-negative numbers for each axis of `x`.
    """
    pads = build.static(paddings)
    if pads.shape != (x.type.rank, 2):
        raise invalid(
            build,
            "The first dimension of paddings must be the rank of inputs"
            f"{s.text(pads.shape)} {s.text(x.type.shape)}",
        )
    pairs = [(int(a), int(b)) for a, b in pads]
    for a, b in pairs:
        if a < 0 or b < 0:
            raise invalid(build, f"Paddings must be non-negative: {a} {b}")
    return pairs


def _lower_pad(build: Any, input: Value, paddings: Value, value: Value) -> Value:
    pairs = _static_paddings(build, input, paddings)
    low, high = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    return p.pad(build, input, value, low=low, high=high, interior=(0,) * len(pairs))


def _pad_grad(op: Any, dy: Tensor) -> Tensor:
    """The part of `dy` over the input."""
    input, paddings = op.inputs[0], op.inputs[1]
    before = opdef.apply("Slice", paddings, [0, 0], stack([rank(input), 1]))
    sizes = shape(input, out_type=paddings.dtype.base_dtype)
    return opdef.apply("Slice", dy, reshape(before, [-1]), sizes)


class Pad(
    OpDef,
    sig="Pad(input: T, paddings: Tpaddings, Tpaddings: type = int32) -> output: T",
    T=ANY,
    Tpaddings=INDEX,
):
    """`input` with paddings[d] = (before, after) zeros added along each axis d."""

    def shape(input: TensorShape, paddings: TensorShape, *, op: Any) -> list[TensorShape]:
        return _padded_shape(input, paddings, op)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [_pad_grad(op, dy), None]

    def lower(build: Any, input: Value, paddings: Value) -> Value:
        return _lower_pad(build, input, paddings, zero(build, input.type.dtype))

    host = by_lowering(lower)


class PadV2(
    OpDef,
    sig="PadV2(input: T, paddings: Tpaddings, constant_values: T, Tpaddings: type = int32)"
    " -> output: T",
    T=ANY,
    Tpaddings=INDEX,
):
    """`input` with paddings[d] = (before, after) times `constant_values` along each axis d."""

    def shape(
        input: TensorShape, paddings: TensorShape, value: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        return _padded_shape(input, paddings, op)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [_pad_grad(op, dy), None, None]

    def lower(build: Any, input: Value, paddings: Value, value: Value) -> Value:
        return _lower_pad(build, input, paddings, value)

    host = by_lowering(lower)


def _check_mirror(build: Any, dims: tuple[int, ...], pairs: Any, mode: str) -> None:
    for d, (a, b) in zip(dims, pairs, strict=True):
        if mode == "SYMMETRIC" and max(a, b) > d:
            raise invalid(
                build,
                f"paddings must be no greater than the dimension size: {a}, {b} greater than {d}",
            )
        if mode == "REFLECT" and max(a, b) >= d and max(a, b) > 0:
            raise invalid(
                build, f"paddings must be less than the dimension size: {a}, {b} not less than {d}"
            )


def _mode(mode: Any) -> str:
    return mode.decode() if isinstance(mode, bytes) else mode


def _along(build: Any, x: Value, axis: int, begin: int, end: int) -> Value:
    dims = x.type.shape
    start = tuple(begin if i == axis else 0 for i in range(len(dims)))
    limit = tuple(end if i == axis else d for i, d in enumerate(dims))
    return p.slice(build, x, start=start, limit=limit, stride=(1,) * len(dims))


class MirrorPad(
    OpDef,
    sig="MirrorPad(input: T, paddings: Tpaddings, mode: str, Tpaddings: type = int32) -> output: T",
    T=ANY,
    Tpaddings=INDEX,
):
    """`input` continued by its mirror image; REFLECT does not repeat the border, SYMMETRIC does."""

    def shape(input: TensorShape, paddings: TensorShape, *, op: Any) -> list[TensorShape]:
        return _padded_shape(input, paddings, op)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        mode = op.get_attr("mode")
        return [opdef.apply("MirrorPadGrad", dy, op.inputs[1], mode=mode), None]

    def lower(build: Any, input: Value, paddings: Value, *, mode: Any) -> Value:
        pairs = _static_paddings(build, input, paddings)
        _check_mirror(build, input.type.shape, pairs, _mode(mode))
        skip = 1 if _mode(mode) == "REFLECT" else 0
        x = input
        for axis, (a, b) in enumerate(pairs):
            d = x.type.shape[axis]
            parts = []
            if a:
                head = _along(build, x, axis, skip, skip + a)
                parts.append(p.reverse(build, head, dims=(axis,)))
            parts.append(x)
            if b:
                tail = _along(build, x, axis, d - skip - b, d - skip)
                parts.append(p.reverse(build, tail, dims=(axis,)))
            x = parts[0] if len(parts) == 1 else p.concat(build, *parts, dim=axis)
        return x

    host = by_lowering(lower)


class MirrorPadGrad(
    OpDef,
    sig="MirrorPadGrad(input: T, paddings: Tpaddings, mode: str, Tpaddings: type = int32)"
    " -> output: T",
    T=dtypes.NUMBERS,
    Tpaddings=INDEX,
):
    """The gradient of MirrorPad: mirrored parts are folded back and added."""

    def shape(input: TensorShape, paddings: TensorShape, *, op: Any) -> list[TensorShape]:
        return _padded_shape(input, paddings, op, sign=-1)

    def grad(op: Any, dy: Tensor) -> list[Any]:
        mode = op.get_attr("mode")
        return [opdef.apply("MirrorPad", dy, op.inputs[1], mode=mode), None]

    def lower(build: Any, input: Value, paddings: Value, *, mode: Any) -> Value:
        pairs = _static_paddings(build, input, paddings)
        dims = tuple(n - a - b for n, (a, b) in zip(input.type.shape, pairs, strict=True))
        _check_mirror(build, dims, pairs, _mode(mode))
        skip = 1 if _mode(mode) == "REFLECT" else 0
        zero = p.constant(build, np.zeros((), dtypes.numpy_dtype(input.type.dtype)))
        x = input
        for axis in reversed(range(len(pairs))):
            (a, b), d = pairs[axis], dims[axis]
            total = _along(build, x, axis, a, a + d)
            for begin, count, at in ((0, a, skip), (a + d, b, d - skip - b)):
                if count:
                    part = _along(build, x, axis, begin, begin + count)
                    part = p.reverse(build, part, dims=(axis,))
                    before = tuple(at if i == axis else 0 for i in range(len(dims)))
                    after = tuple(d - at - count if i == axis else 0 for i in range(len(dims)))
                    wide = p.pad(
                        build, part, zero, low=before, high=after, interior=(0,) * len(dims)
                    )
                    total = p.add(build, total, wide)
            x = total
        return x


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: Any = 0,
) -> Tensor:
    """`tensor` continued by paddings[d] = (before, after) elements along each axis d.

    mode: CONSTANT fills with `constant_values`; REFLECT and SYMMETRIC mirror the tensor without
    and with its border.
    """
    if not isinstance(mode, str):
        raise ValueError(f"Unknown padding mode: {mode!r}")
    kind = mode.upper()
    if kind == "CONSTANT":
        given = None if isinstance(constant_values, Tensor) else np.asarray(constant_values)
        is_zero = given is not None and given.dtype.kind in "biufc" and not given.any()
        if is_zero:
            result = opdef.apply("Pad", tensor, paddings, name=name)
        else:
            result = opdef.apply("PadV2", tensor, paddings, constant_values, name=name)
    elif kind in ("REFLECT", "SYMMETRIC"):
        result = opdef.apply("MirrorPad", tensor, paddings, mode=kind, name=name)
    else:
        raise ValueError(f"Unknown padding mode: {mode}")
    _refine(result, result.op.inputs[0], paddings)
    return result


def _refine(result: Tensor, tensor: Tensor, paddings: Any) -> None:
    """Axes whose extent and paddings are known have a known extent even if others have not."""
    pads, known = _known_paddings(paddings), tensor.get_shape()
    if pads is None or known.ndims is None or result.get_shape().is_fully_defined():
        return
    dims: list[int | None] = []
    for pair, extent in zip(pads, known.as_list(), strict=True):
        if extent is None or pair is None or any(n is None for n in pair):
            dims.append(None)
        else:
            dims.append(extent + sum(int(n) for n in pair))
    result.set_shape(dims)


def _known_paddings(given: Any) -> Any:
    """Paddings, or a part of them, with None for what the graph does not know."""
    if isinstance(given, Tensor):
        value = constant_value(given)
        if value is not None or given.op.type != "Pack" or given.op.get_attr("axis"):
            return value
        given = list(given.op.inputs)
    return [_known_paddings(part) for part in given] if isinstance(given, list | tuple) else given
