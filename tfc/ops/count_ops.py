"""Counting and places: histograms, search in sorted rows."""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX, REALS, DType
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import cast_ops, const_ops, shape_ops, shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.join_ops import stack
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid, to

# ---- histograms


class HistogramFixedWidth(
    OpDef,
    sig="HistogramFixedWidth(values: T, value_range: T, nbins: int32, dtype: type = int32)"
    " -> out: dtype",
    T=("i32", "i64", "f32", "f64"),
    dtype=INDEX,
):
    """How many values are in each of `nbins` parts of the range; what lies outside counts in the
    first or the last."""

    grad = no_gradient

    def shape(
        values: TensorShape, value_range: TensorShape, nbins: TensorShape, *, op: Any, **_: Any
    ) -> list[TensorShape]:
        (size,) = shape_rules.with_rank(value_range, 1)
        shape_rules.merge_dim(size, 2)
        shape_rules.with_rank(nbins, 0)
        known = shape_rules.static_ints(op, 2)
        if known is not None and known[0] <= 0:
            raise ValueError(f"Requires nbins > 0: {known[0]}")
        return [shape_rules.shape_of(known or [None])]

    def lower(
        build: Any, values: Value, value_range: Value, nbins: Value, *, dtype: DType
    ) -> Value:
        count = int(build.static(nbins).ravel()[0])
        if count <= 0:
            raise invalid(build, f"nbins should be a positive number, but got '{count}'")
        if value_range.type.shape != (2,):
            raise invalid(build, "value_range should have 2 elements")
        ends = [
            p.reshape(
                build, p.slice_(build, value_range, start=(i,), limit=(i + 1,), stride=(1,)),
                shape=(),
            )
            for i in (0, 1)
        ]  # fmt: skip
        message = "value_range should satisfy value_range[0] < value_range[1], but got '[{0}, {1}]'"
        build.assert_(p.lt(build, *ends), ends, "InvalidArgumentError", message)
        size = values.type.size
        flat = p.reshape(build, values, shape=(size,))
        low, high = (p.broadcast_to(build, v, (size,)) for v in ends)
        calc = Calc(build)
        step = (calc(high) - calc(low)).to("f64") / count
        above = (calc(flat).atleast(calc(low)) - calc(low)).to("f64") / step
        place = above.atmost(count - 1).to("i32").atleast(0)
        at = p.reshape(build, place.value, shape=(size, 1))
        start = p.broadcast_to(build, p.constant(build, 0, dtype.short), (count,))
        one = p.broadcast_to(build, p.constant(build, 1, dtype.short), (size,))
        return p.scatter(build, start, at, one, dims=(0,), kind="add")


def histogram_fixed_width(
    values: Any,
    value_range: Any,
    nbins: Any = 100,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How many values are in each of `nbins` equal parts of value_range; what lies outside counts
    in the first or the last part."""
    with name_scope(name, "histogram_fixed_width", [values, value_range, nbins]) as scope:
        wanted = dtypes.as_dtype(dtype)
        values = convert_to_tensor(values, name="values")
        ends = convert_to_tensor(value_range, dtype=values.dtype.base_dtype, name="value_range")
        return apply("HistogramFixedWidth", values, ends, nbins, dtype=wanted, name=scope)


def histogram_fixed_width_bins(
    values: Any,
    value_range: Any,
    nbins: Any = 100,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """For each value the number of its part, of `nbins` equal parts of value_range: int32.

    `dtype` is taken and, as in TensorFlow, changes nothing.

    Raises:
      TypeError: the values are integers.
    """
    with name_scope(name, "histogram_fixed_width_bins", [values, value_range, nbins]):
        values = convert_to_tensor(values, name="values")
        shape = shape_ops.shape(values)
        flat = shape_ops.reshape(values, [-1])
        kind = flat.dtype.base_dtype
        ends = convert_to_tensor(value_range, name="value_range", dtype=kind)
        count = convert_to_tensor(nbins, dtype=dtypes.int32, name="nbins")
        scaled = (flat - ends[0]) / (ends[1] - ends[0])
        wide = cast_ops.cast(count, kind)
        places = cast_ops.cast(apply("Floor", wide * scaled), dtypes.int32)
        last = count - const_ops.constant(1, dtype=dtypes.int32)
        inside = apply("Maximum", apply("Minimum", places, last), 0)
        return shape_ops.reshape(inside, shape)


# ---- search in sorted rows


def _bound(name: str, what: str, before: Any) -> type[OpDef]:
    class Bound(
        OpDef,
        sig=f"{name}(sorted_inputs: T, values: T, out_type: type = int32) -> output: out_type",
        T=REALS,
        out_type=INDEX,
    ):
        grad = no_gradient

        def shape(sorted_inputs: TensorShape, values: TensorShape) -> list[TensorShape]:
            shape_rules.with_rank(sorted_inputs, 2)
            return [shape_rules.shape_of(shape_rules.with_rank(values, 2))]

        def lower(build: Any, sorted_inputs: Value, values: Value, *, out_type: DType) -> Value:
            rows = sorted_inputs.type.shape[0]
            if sorted_inputs.type.rank != 2 or values.type.rank != 2:
                raise invalid(build, "sorted_inputs and values must be matrices")
            if values.type.shape[0] != rows:
                raise invalid(build, "Leading dim_size of both tensors must match.")
            return to(build, _searched(build, sorted_inputs, values, before), out_type.short)

    Bound.__name__, Bound.__doc__ = name, what
    return Bound


def _searched(build: Any, rows: Value, values: Value, before: Any) -> Value:
    """How many elements of its row come before each value, by bisection; i32."""
    size, shape = rows.type.shape[1], values.type.shape
    zeros = p.broadcast_to(build, p.constant(build, 0, "i32"), shape)
    if not size:
        return zeros
    calc = Calc(build)
    low, high = calc(zeros), calc(zeros) + size
    row = p.reshape(build, p.iota(build, dtype="i32", shape=shape, dim=0), shape=(*shape, 1))
    for _ in range(size.bit_length()):
        middle = (low + high) >> 1
        at = p.reshape(build, middle.value, shape=(*shape, 1))
        element = p.gather(build, rows, p.concat(build, row, at, dim=2), dims=(0, 1))
        less = calc(before(build, element, values)) & (low < high)
        low, high = (middle + 1).where(less, low), high.where(less, middle.where(low < high, high))
    return low.value


LowerBound = _bound("LowerBound", "How many elements of its row are below each value.", p.lt)
UpperBound = _bound("UpperBound", "How many elements of its row are not above each value.", p.le)


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    side: str = "left",
    out_type: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """Where in its row of `sorted_sequence` each of `values` belongs: before equal ones if `side`
    is "left", after them if "right". All dimensions but the last agree.

    Raises:
      ValueError: another side.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    wanted = dtypes.as_dtype(out_type)
    rows = convert_to_tensor(sorted_sequence, name="sorted_sequence")
    values = convert_to_tensor(values, name="values", dtype=rows.dtype.base_dtype)
    matrices = [shape_ops.reshape(t, stack([-1, shape_ops.shape(t)[-1]])) for t in (rows, values)]
    op = "UpperBound" if side == "right" else "LowerBound"
    found = apply(op, *matrices, out_type=wanted, name=name)
    return shape_ops.reshape(found, shape_ops.shape(values))
