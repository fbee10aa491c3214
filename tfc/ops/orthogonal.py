"""Orthonormal rows by Gram and Schmidt's method, as a native loop."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor
from tfc.framework.opdef import apply
from tfc.ops import const_ops, reduction_ops, shape_ops
from tfc.ops.cast_ops import cast
from tfc.ops.matmul_ops import matmul
from tfc.ops.while_functions import while_loop


def orthonormal_rows(x: Tensor) -> Tensor:
    """The rows of a matrix (no more of them than columns), each made orthogonal to those before and
    scaled to length 1.

    Each row is projected twice, which leaves errors of the size of rounding; half types are
    computed in float32.
    """
    kind = x.dtype.base_dtype
    rows = cast(x, dtypes.float32) if kind.size < 4 else x
    count = rows.get_shape().as_list()[0]
    zero = const_ops.constant(0, dtype=dtypes.int32)

    def body(j: Any, done: Any) -> list[Any]:
        row = apply("GatherV2", rows, shape_ops.reshape(j, [1]), 0)
        for _ in range(2):
            row = row - matmul(matmul(row, done, transpose_b=True), done)
        length = apply("Sqrt", reduction_ops.reduce_sum(row * row))
        places = shape_ops.reshape(j, [1, 1])
        return [j + 1, apply("TensorScatterUpdate", done, places, row / length)]

    _, found = while_loop(lambda j, _: j < count, body, [zero, const_ops.zeros_like(rows)])
    return cast(found, kind)
