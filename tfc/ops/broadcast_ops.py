"""Broadcasting as ops: BroadcastTo, BroadcastArgs and BroadcastGradientArgs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import constant_ints, invalid
from tfc.ops.shape_ops import reshape, shape


class BroadcastTo(
    OpDef,
    sig="BroadcastTo(input: T, shape: Tidx, Tidx: type = int32) -> output: T",
    T=ANY,
    Tidx=INDEX,
):
    """`input` repeated along dimensions of 1 and new leading dimensions, to have `shape`."""

    def shape(input: TensorShape, shape: TensorShape, *, op: Any) -> list[TensorShape]:
        s.with_rank(shape, 1)
        dims, wanted = s.dims_of(input), s.static_dims(op, 1)
        if dims is not None and wanted is not None:
            if len(dims) > len(wanted):
                raise ValueError(
                    f"Rank of input ({len(dims)}) must be no greater than rank of output shape "
                    f"({len(wanted)})"
                )
            for have, want in zip(dims[::-1], wanted[::-1], strict=False):
                if have is not None and want is not None and have not in (1, want):
                    raise ValueError(f"Incompatible shapes: {s.text(dims)} vs. {s.text(wanted)}")
        return [s.shape_of(wanted)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        have, want = shape(op.inputs[0]), op.inputs[1]
        if want.dtype.base_dtype != have.dtype:
            have = opdef.apply("Cast", have, DstT=want.dtype.base_dtype)
        _, axes = opdef.apply("BroadcastGradientArgs", want, have)
        summed = opdef.apply("Sum", dy, axes, keep_dims=True)
        return [reshape(summed, have), None]

    def lower(build: Any, input: Value, shape: Value) -> Value:
        wanted = tuple(int(d) for d in build.static(shape))
        have = input.type.shape
        pairs = zip(have[::-1], wanted[::-1], strict=False)
        if len(have) > len(wanted) or any(h not in (1, w) for h, w in pairs):
            raise invalid(build, f"Incompatible shapes: {s.text(have)} vs. {s.text(wanted)}")
        return p.broadcast_to(build, input, wanted)

    host = by_lowering(lower)


def _incompatible(build: Any, a: Sequence[int], b: Sequence[int]) -> Exception:
    return invalid(build, f"Incompatible shapes: {s.text(a)} vs. {s.text(b)}")


class BroadcastArgs(OpDef, sig="BroadcastArgs(s0: T, s1: T, T: type = int32) -> r0: T", T=INDEX):
    """The shape that shapes `s0` and `s1` broadcast to."""

    def shape(s0: TensorShape, s1: TensorShape) -> list[TensorShape]:
        a, b = s.with_rank(s0, 1)[0], s.with_rank(s1, 1)[0]
        return [s.shape_of([None if a is None or b is None else max(a, b)])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, None]

    def lower(build: Any, s0: Value, s1: Value) -> Value:
        a, b = ([int(d) for d in build.static(v)] for v in (s0, s1))
        try:
            dims = np.broadcast_shapes(tuple(a), tuple(b))
        except ValueError:
            raise _incompatible(build, a, b) from None
        return p.constant(build, np.asarray(dims, dtypes.numpy_dtype(s0.type.dtype)))


class BroadcastGradientArgs(
    OpDef, sig="BroadcastGradientArgs(s0: T, s1: T, T: type = int32) -> r0: T, r1: T", T=INDEX
):
    """The axes to sum the gradients of two broadcast operands of shapes `s0` and `s1` over."""

    def shape(s0: TensorShape, s1: TensorShape) -> list[TensorShape]:
        s.with_rank(s0, 1)
        s.with_rank(s1, 1)
        return [s.unknown(1), s.unknown(1)]

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [None, None]

    def lower(build: Any, s0: Value, s1: Value) -> tuple[Value, Value]:
        a, b = ([int(d) for d in build.static(v)] for v in (s0, s1))
        try:
            sums = gradient_axes(a, b)
        except ValueError:
            raise _incompatible(build, a, b) from None
        dtype = dtypes.by_short(s0.type.dtype)
        return constant_ints(build, sums[0], dtype), constant_ints(build, sums[1], dtype)


def gradient_axes(a: Sequence[int], b: Sequence[int]) -> tuple[list[int], list[int]]:
    """Axes of the broadcast shape along which each operand was repeated (or is of extent 1)."""
    if list(a) == list(b):
        return [], []
    rank = max(len(a), len(b))
    left, right = [1] * (rank - len(a)) + list(a), [1] * (rank - len(b)) + list(b)
    np.broadcast_shapes(tuple(left), tuple(right))
    pairs = list(enumerate(zip(left, right, strict=True)))
    return (
        [i for i, (x, y) in pairs if x == 1],
        [i for i, (x, y) in pairs if y == 1],
    )


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """`input` repeated to have `shape`."""
    return opdef.apply("BroadcastTo", input, shape, name=name)
