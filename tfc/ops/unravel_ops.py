"""Flat positions as one for each axis, and choices that broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import const_ops, shape_rules
from tfc.ops.common import broadcast_args, sum_to
from tfc.ops.compare_ops import where
from tfc.ops.lowering import broadcast_values, invalid, reshape_value


class UnravelIndex(
    OpDef, sig="UnravelIndex(indices: Tidx, dims: Tidx) -> output: Tidx", Tidx=INDEX
):
    """The position in an array of shape `dims` of each flat position: one column each."""

    def shape(indices: TensorShape, dims: TensorShape) -> list[TensorShape]:
        count = shape_rules.with_rank(dims, 1)[0]
        at = shape_rules.dims_of(indices)
        if at is None:
            return [shape_rules.unknown()]
        flat = at if len(at) < 2 else [shape_rules.product(at)]  # which running refuses
        return [shape_rules.shape_of([count, *flat])]

    def lower(build: Any, indices: Value, dims: Value) -> Value:
        if dims.type.rank != 1 or indices.type.rank > 1:
            raise invalid(build, "The indices can only be scalar or vector.")
        count = dims.type.shape[0]
        sizes = [
            p.slice_(build, dims, start=(i,), limit=(i + 1,), stride=(1,)) for i in range(count)
        ]
        zero = p.full_like(build, dims, 0)
        build.assert_(
            p.gt(build, dims, zero), (dims,), "InvalidArgumentError",
            "Input dims cannot contain a dim of zero or less: dims[{i}] is {0}",
        )  # fmt: skip
        flat = reshape_value(build, indices, (indices.type.size,))
        rest, parts = flat, []
        for size in reversed(sizes):
            extent = p.broadcast_to(build, p.reshape(build, size, shape=()), flat.type.shape)
            parts.append(p.rem(build, rest, extent))
            rest = p.div(build, rest, extent)
        none = p.full_like(build, flat, 0)
        inside = p.and_(build, p.ge(build, flat, none), p.eq(build, rest, none))
        build.assert_(
            inside, (flat,), "InvalidArgumentError", "index is out of bound as with dims: {0}"
        )
        rows = [p.reshape(build, part, shape=(1, flat.type.size)) for part in reversed(parts)]
        shape = (count, *indices.type.shape)
        if not rows:
            return p.splat(build, 0, Type(flat.type.dtype, shape))
        return reshape_value(build, p.concat(build, *rows, dim=0), shape)


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """The positions in an array of shape `dims` of flat positions: a row for each axis.

    Raises:
      InvalidArgumentError: a position outside, or an extent of 0.
    """
    return apply("UnravelIndex", indices, dims, name=name)


class SelectV2(OpDef, sig="SelectV2(condition: bool, t: T, e: T) -> output: T", T=ANY):
    """`t` where the condition holds, `e` elsewhere, all three broadcast to one shape."""

    def shape(condition: TensorShape, t: TensorShape, e: TensorShape) -> list[TensorShape]:
        dims = [shape_rules.dims_of(x) for x in (condition, t, e)]
        both = shape_rules.broadcast_dims(dims[1], dims[2])
        return [shape_rules.shape_of(shape_rules.broadcast_dims(dims[0], both))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        condition, t, e = op.inputs
        zeros = const_ops.zeros_like(dy)
        parts = []
        for operand, choice in ((t, (dy, zeros)), (e, (zeros, dy))):
            of_operand, _, axes, _ = broadcast_args(operand, dy)
            taken = apply("SelectV2", condition, *choice)
            parts.append(sum_to(taken, axes, of_operand))
        return [None, *parts]

    def lower(build: Any, condition: Value, t: Value, e: Value) -> Value:
        t, e = broadcast_values(build, t, e)
        wide, t = broadcast_values(build, condition, t)
        _, e = broadcast_values(build, wide, e)
        return p.select(build, wide, t, e)

    def host(condition: np.ndarray, t: np.ndarray, e: np.ndarray) -> np.ndarray:
        return np.where(condition, t, e)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """`where`, whose condition and choices broadcast.

    Raises:
      ValueError: only one of x and y is given, or shapes that do not broadcast.
    """
    if x is None or y is None:
        return where(condition, x, y, name)
    return apply("SelectV2", condition, x, y, name=name)
