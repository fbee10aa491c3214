"""Two sparse tensors to one that has the places of both: SparseAdd, SparseSparseMaximum, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base.dtypes import NUMBERS, REALS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.sparse.common import check_arrays, check_parts, distinct_rows, looked_up
from tfc.ops.strings.common import invalid

_PAIR = (
    "(a_indices: int64, a_values: T, a_shape: int64, b_indices: int64, b_values: T, b_shape: int64"
)


def _pair_shape(*shapes: TensorShape) -> int | None:
    """The rank of both."""
    check_parts(*shapes[:3])
    check_parts(*shapes[3:6])
    return s.merge_dim(s.with_rank(shapes[2], 1)[0], s.with_rank(shapes[5], 1)[0])


def union(op: Any, a: Any, b: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The places of both in order, the values of each there, zero where one has none, and where
    both have one.

    Raises:
      InvalidArgumentError: the two have different shapes, or places outside of them.
    """
    dims = check_arrays(op, *a)
    if dims != check_arrays(op, *b):
        raise invalid(
            op,
            f"Operands' shapes do not match: got {s.text(dims)} and {s.text(b[2])}",
        )
    places, where = distinct_rows(np.concatenate([a[0], b[0]]), dims)
    cut = len(a[0])
    values, there = [], []
    for part, at in ((a[1], where[:cut]), (b[1], where[cut:])):
        own = np.zeros(len(places), part.dtype)
        np.add.at(own, at, part)
        values.append(own)
        has = np.zeros(len(places), np.bool_)
        has[at] = True
        there.append(has)
    return places, values[0], values[1], there[0] & there[1]


class SparseAdd(
    OpDef,
    sig="SparseAdd" + _PAIR + ", thresh: Treal) -> sum_indices: int64, sum_values: T, "
    "sum_shape: int64",
    T=NUMBERS,
    Treal=REALS,
):
    """The sum of two sparse tensors; a sum less than the threshold is left out."""

    def shape(*shapes: TensorShape) -> list[TensorShape]:
        rank = _pair_shape(*shapes)
        return [s.shape_of([None, rank]), s.shape_of([None]), s.shape_of([rank])]

    def grad(op: Any, _: Any, dy: Tensor, __: Any) -> list[Any]:
        a, b, places = op.inputs[0], op.inputs[3], op.outputs[0]
        of_a, of_b = apply("SparseAddGrad", dy, a, b, places)
        return [None, of_a, None, None, of_b, None, None]

    def host(op: Any, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        places, x, y, both = union(op, arrays[:3], arrays[3:6])
        total = (x + y).astype(x.dtype)
        kept = ~both | (np.abs(total) >= arrays[6])  # only real sums are held against it
        return places[kept], total[kept], arrays[2]


class SparseAddGrad(
    OpDef,
    sig="SparseAddGrad(backprop_val_grad: T, a_indices: int64, b_indices: int64, "
    "sum_indices: int64) -> a_val_grad: T, b_val_grad: T",
    T=NUMBERS,
):
    """What the values of a sum pass back to those of its operands; zero where they were left
    out."""

    def shape(
        dy: TensorShape, a: TensorShape, b: TensorShape, places: TensorShape
    ) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(x, 2)[:1]) for x in (a, b)]

    def lower(build: Any, dy: Value, a: Value, b: Value, places: Value) -> tuple[Value, Value]:
        return looked_up(build, a, places, dy), looked_up(build, b, places, dy)


def _extreme(name: str, choose: Callable[..., np.ndarray]) -> None:
    class Extreme(
        OpDef,
        sig=f"{name}{_PAIR}) -> output_indices: int64, output_values: T",
        T=REALS,
    ):
        def shape(*shapes: TensorShape) -> list[TensorShape]:
            _pair_shape(*shapes)
            return [s.shape_of([None, None]), s.shape_of([None])]

        def host(op: Any, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
            places, x, y, _ = union(op, arrays[:3], arrays[3:6])
            return places, choose(x, y)

    Extreme.__doc__ = f"{name[12:]} of two sparse tensors; where one has no value it counts as 0."
    Extreme.__name__ = name


_extreme("SparseSparseMaximum", np.maximum)
_extreme("SparseSparseMinimum", np.minimum)
