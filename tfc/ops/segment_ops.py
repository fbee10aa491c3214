"""Reductions of the rows of a tensor by segment number: SegmentSum ..., UnsortedSegmentSum ...

The maximum and the minimum of a segment with a NaN is NaN, for all shapes. TensorFlow's depends on
how many columns a packet has: in whole packets a NaN is passed over; in single columns it stays if
it comes last, and else takes with it what came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX, NUMBERS, REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply, public_name
from tfc.ir.builder import constant_value
from tfc.ir.core import Type, Value
from tfc.ops import cast_ops, const_ops, shape_ops, shape_rules
from tfc.ops.loops import Calc
from tfc.ops.lowering import counted, invalid, reshape_value, to
from tfc.ops.places import position

# ---- unsorted: the number of segments is given


def _unsorted_shape(
    data: TensorShape, ids: TensorShape, num: TensorShape, *, op: Any, **_: Any
) -> list[TensorShape]:
    shape_rules.with_rank(num, 0)
    dims, where = shape_rules.dims_of(data), shape_rules.dims_of(ids)
    count = shape_rules.extent_given(op, 2)
    if dims is None or where is None:
        return [shape_rules.unknown()]
    shape_rules.merge_dims(dims[: len(where)], where)
    return [shape_rules.shape_of([count, *dims[len(where) :]])]


def _scattered(build: Any, data: Value, ids: Value, count: int, kind: str, initial: Any) -> Value:
    """Rows of `data` combined into `count` rows that start as `initial`; others are dropped."""
    rank = ids.type.rank
    if data.type.shape[:rank] != ids.type.shape:
        raise invalid(
            build,
            f"data.shape = {shape_text(data.type.shape)} does not start with segment_ids.shape "
            f"= {shape_text(ids.type.shape)}",
        )
    row = data.type.shape[rank:]
    start = p.splat(build, initial, Type(data.type.dtype, (count, *row)))
    at = reshape_value(build, ids, (*ids.type.shape, 1))
    return p.scatter(build, start, at, data, dims=(0,), kind=kind)


def _check_ids(build: Any, ids: Value, count: int) -> None:
    ok = p.lt(build, ids, p.full_like(build, ids, count))
    place, places = position(build, ids.type.shape, 1)
    message = f"segment_ids{place} = {{0}} is out of range [0, {count})"
    build.assert_(ok, (ids, *places), "InvalidArgumentError", message)


def _unsorted(name: str, kind: str, what: str, grad: Callable[..., Any]) -> Any:
    allowed = NUMBERS if kind in ("add", "mul") else REALS

    class Unsorted(
        OpDef,
        sig=f"{name}(data: T, segment_ids: Tindices, num_segments: Tnumsegments, "
        "Tnumsegments: type = int32) -> output: T",
        T=allowed,
        Tindices=INDEX,
        Tnumsegments=INDEX,
    ):
        shape = _unsorted_shape

        def lower(build: Any, data: Value, segment_ids: Value, num: Value) -> Value:
            if num.type.rank:
                raise invalid(build, f"num_segments should be a scalar, not shape {num.type.shape}")
            count = int(build.static(num))
            if count < 0:
                raise invalid(build, f"Input num_segments == {count} must not be negative.")
            _check_ids(build, segment_ids, count)
            return _scattered(build, data, segment_ids, count, kind, _neutral(kind, data))

    Unsorted.grad = grad
    Unsorted.__name__ = name
    Unsorted.__doc__ = f"{what} of the rows with each segment number; negative ones are dropped."
    return Unsorted


def _neutral(kind: str, data: Value) -> Any:
    """What an empty segment holds."""
    if kind in ("add", "mul"):
        return 0 if kind == "add" else 1
    dtype = dtypes.by_short(data.type.dtype)
    return dtype.min if kind == "max" else dtype.max


def _gathered(params: Any, ids: Any) -> tuple[Any, Any, Any]:
    """Rows of `params` by segment number: 0 for negative numbers; the number, and whether it was
    not negative, in the shape of the rows."""
    clipped = apply("Maximum", ids, const_ops.zeros_like(ids))
    rows = apply("GatherV2", params, clipped, 0)
    positive = apply("GreaterEqual", ids, 0)
    extra = shape_ops.rank(rows) - shape_ops.rank(positive)
    ones = apply("Fill", shape_ops.reshape(extra, [1]), 1)
    shape = apply("ConcatV2", [shape_ops.shape(positive), ones], 0)
    mask = apply("LogicalAnd", shape_ops.reshape(positive, shape), const_ops.ones_like(rows, bool))
    return apply("Select", mask, rows, const_ops.zeros_like(rows)), clipped, mask


def _unsorted_sum_grad(op: Any, dy: Any) -> list[Any]:
    return [_gathered(dy, op.inputs[1])[0], None, None]


def _unsorted_extremum_grad(op: Any, dy: Any) -> list[Any]:
    """`dy` in equal shares to the rows that equal the result."""
    data, ids, num = op.inputs
    best, clipped, positive = _gathered(op.outputs[0], ids)
    chosen = apply("LogicalAnd", apply("Equal", data, best), positive)
    count = apply("UnsortedSegmentSum", cast_ops.cast(chosen, dy.dtype), ids, num)
    shares = apply("RealDiv", dy, count)
    rows = _gathered(shares, clipped)[0]
    return [apply("Select", chosen, rows, const_ops.zeros_like(rows)), None, None]


def _unsorted_prod_grad(op: Any, dy: Any) -> list[Any]:
    """The product over the other rows: right where one of them, but not two, is zero."""
    data, ids, num = op.inputs
    zero = apply("Equal", data, 0)
    zeros = apply("UnsortedSegmentSum", cast_ops.cast(zero, dtypes.int32), ids, num)
    dy = apply("Select", apply("Greater", zeros, 1), const_ops.zeros_like(dy), dy)
    without = apply("Select", zero, const_ops.ones_like(data), data)
    others = apply("UnsortedSegmentProd", without, ids, num)
    rows = apply("GatherV2", op.outputs[0], apply("Maximum", ids, const_ops.zeros_like(ids)), 0)
    nonzero = apply("GatherV2", others, apply("Maximum", ids, const_ops.zeros_like(ids)), 0)
    partial = apply("Select", zero, nonzero, rows / without)
    return [_gathered(dy, ids)[0] * partial, None, None]


UnsortedSegmentSum = _unsorted("UnsortedSegmentSum", "add", "The sum", _unsorted_sum_grad)
UnsortedSegmentProd = _unsorted("UnsortedSegmentProd", "mul", "The product", _unsorted_prod_grad)
UnsortedSegmentMax = _unsorted("UnsortedSegmentMax", "max", "The maximum", _unsorted_extremum_grad)
UnsortedSegmentMin = _unsorted("UnsortedSegmentMin", "min", "The minimum", _unsorted_extremum_grad)

# ---- sorted: the last number says how many segments there are


def _sorted_shape(data: TensorShape, ids: TensorShape) -> list[TensorShape]:
    dims = shape_rules.with_rank_at_least(data, 1)
    shape_rules.with_rank(ids, 1)
    return [shape_rules.unknown() if dims is None else shape_rules.shape_of([None, *dims[1:]])]


OUTSIDE = (
    "Segment id {0} out of range [0, {1}), possibly because 'segment_ids' input is not sorted."
)
FALLING = "segment ids are not increasing"


def check_sorted(build: Any, ids: Value, count: int) -> None:
    """Assert that segment numbers do not fall, and are in [0, count)."""
    if not ids.type.size:
        return
    known = constant_value(ids)
    if known is not None:
        _check_known(build, known, count)
        return
    size = ids.type.size
    first, second = (
        p.slice_(build, ids, start=(i,), limit=(size - 1 + i,), stride=(1,)) for i in (0, 1)
    )
    build.assert_(p.le(build, first, second), (), "InvalidArgumentError", FALLING)
    every = Calc(build)(ids)
    inside = ((every >= 0) & (every < count)).value
    build.assert_(inside, (ids,), "InvalidArgumentError", OUTSIDE.format("{0}", count))


def _check_known(build: Any, known: np.ndarray, count: int) -> None:
    """As TensorFlow goes: a segment is in range if the next one, which comes first, is larger."""
    falls = np.flatnonzero(np.diff(known) < 0)
    checked = known
    if falls.size:
        before = known[: falls[0]]
        checked = before[before < known[falls[0]]]
    outside = (checked < 0) | (checked >= count)
    if outside.any():
        raise invalid(build, OUTSIDE.format(checked[int(outside.argmax())], count))
    if falls.size:
        raise invalid(build, FALLING)


def last_of(build: Any, ids: Value) -> Value:
    """The last of some segment numbers."""
    size = ids.type.size
    last = p.slice_(build, ids, start=(size - 1,), limit=(size,), stride=(1,))
    return reshape_value(build, last, ())


def last_and_one(build: Any, ids: Value) -> int:
    """How many segments sorted numbers name: the last one and 1. In a region all numbers must be
    known.

    Raises:
      NeedsValue: not known before the run.
      InvalidArgumentError: the last one is negative.
    """
    if not ids.type.size:
        return 0
    if build.region_depth or build.is_static(ids):
        count = int(build.static(ids)[-1]) + 1
    else:
        last = Calc(build)(last_of(build, ids)).to("i64")
        count = counted(build, (last + 1).value)
    if count <= 0:
        raise invalid(build, "segment ids must be >= 0")
    return count


def rows_each(build: Any, ids: Value, count: int) -> Value:
    """i32[count]: how many rows each segment has."""
    start = p.splat(build, 0, Type("i32", (count,)))
    at = reshape_value(build, ids, (*ids.type.shape, 1))
    ones = p.splat(build, 1, Type("i32", ids.type.shape))
    each: Value = p.scatter(build, start, at, ones, dims=(0,), kind="add")
    return each


def _sorted(name: str, kind: str, what: str, grad: Callable[..., Any]) -> Any:
    class Sorted(
        OpDef,
        sig=f"{name}(data: T, segment_ids: Tindices) -> output: T",
        T=NUMBERS if kind in ("add", "mul", "mean") else REALS,
        Tindices=INDEX,
    ):
        shape = _sorted_shape

        def lower(build: Any, data: Value, segment_ids: Value) -> Value:
            if segment_ids.type.rank != 1:
                raise invalid(build, "segment_ids should be a vector.")
            if data.type.rank < 1 or data.type.shape[0] != segment_ids.type.size:
                raise invalid(build, "segment_ids should be the same size as dimension 0 of input.")
            count = last_and_one(build, segment_ids)
            check_sorted(build, segment_ids, count)
            if kind == "mean":
                total = _scattered(build, data, segment_ids, count, "add", 0)
                rows = Calc(build)(rows_each(build, segment_ids, count)).atleast(1).value
                return p.div(build, total, _per_row(build, rows, total))
            combined = _scattered(build, data, segment_ids, count, kind, _neutral(kind, data))
            if kind == "add":
                return combined
            # TensorFlow leaves 0 (1 for products) in the rows of numbers that do not occur.
            rows = rows_each(build, segment_ids, count)
            empty = p.eq(build, rows, p.full_like(build, rows, 0))
            empty = p.broadcast(build, empty, dims=(0,), shape=combined.type.shape)
            default = p.full_like(build, combined, 1 if kind == "mul" else 0)
            return p.select(build, empty, default, combined)

    Sorted.grad = grad
    Sorted.__name__ = name
    Sorted.__doc__ = f"{what} of the rows with each segment number; the numbers are sorted."
    return Sorted


def _per_row(build: Any, rows: Value, total: Value) -> Value:
    counts = to(build, rows, total.type.dtype)
    return p.broadcast(build, counts, dims=(0,), shape=total.type.shape)


def _sum_grad(op: Any, dy: Any) -> list[Any]:
    return [apply("GatherV2", dy, op.inputs[1], 0), None]


def _mean_grad(op: Any, dy: Any) -> list[Any]:
    ids = op.inputs[1]
    rank = shape_ops.rank(op.inputs[0])
    tail = apply("Fill", shape_ops.expand_dims(rank - 1, 0), 1)
    shape = apply("ConcatV2", [shape_ops.shape(ids), tail], 0)
    ones = apply("Fill", shape, const_ops.constant(1, dtype=dy.dtype))
    scaled = apply("RealDiv", dy, apply("SegmentSum", ones, ids))
    return [apply("GatherV2", scaled, ids, 0), None]


def _extremum_grad(op: Any, dy: Any) -> list[Any]:
    data, ids = op.inputs
    best = apply("GatherV2", op.outputs[0], ids, 0)
    chosen = apply("Equal", data, best)
    count = apply("SegmentSum", cast_ops.cast(chosen, dy.dtype), ids)
    rows = apply("GatherV2", apply("RealDiv", dy, count), ids, 0)
    return [apply("Select", chosen, rows, const_ops.zeros_like(rows)), None]


def _prod_grad(op: Any, dy: Any) -> list[Any]:
    """The product over the other rows: right where one of them, but not two, is zero."""
    data, ids = op.inputs
    zero = apply("Equal", data, 0)
    zeros = apply("SegmentSum", cast_ops.cast(zero, dtypes.int32), ids)
    dy = apply("Select", apply("Greater", zeros, 1), const_ops.zeros_like(dy), dy)
    without = apply("Select", zero, const_ops.ones_like(data), data)
    others = apply("GatherV2", apply("SegmentProd", without, ids), ids, 0)
    partial = apply("Select", zero, others, apply("GatherV2", op.outputs[0], ids, 0) / without)
    return [apply("GatherV2", dy, ids, 0) * partial, None]


SegmentSum = _sorted("SegmentSum", "add", "The sum", _sum_grad)
SegmentMean = _sorted("SegmentMean", "mean", "The mean", _mean_grad)
SegmentProd = _sorted("SegmentProd", "mul", "The product", _prod_grad)
SegmentMax = _sorted("SegmentMax", "max", "The maximum", _extremum_grad)
SegmentMin = _sorted("SegmentMin", "min", "The minimum", _extremum_grad)

# ---- the Python API


def _sorted_function(op: str) -> Callable[..., Tensor]:
    def function(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return apply(op, data, segment_ids, name=name)

    function.__name__ = function.__qualname__ = public_name(op)
    function.__doc__ = f"The op `{op}`: rows of `data` with equal, sorted numbers combined."
    return function


def _unsorted_function(op: str) -> Callable[..., Tensor]:
    def function(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        return apply(op, data, segment_ids, num_segments, name=name)

    function.__name__ = function.__qualname__ = public_name(op)
    function.__doc__ = f"The op `{op}`: rows of `data` with equal numbers combined."
    return function


segment_sum, segment_mean = _sorted_function("SegmentSum"), _sorted_function("SegmentMean")
segment_prod = _sorted_function("SegmentProd")
segment_max, segment_min = _sorted_function("SegmentMax"), _sorted_function("SegmentMin")
unsorted_segment_sum = _unsorted_function("UnsortedSegmentSum")
unsorted_segment_prod = _unsorted_function("UnsortedSegmentProd")
unsorted_segment_max = _unsorted_function("UnsortedSegmentMax")
unsorted_segment_min = _unsorted_function("UnsortedSegmentMin")


def _counts(data: Any, segment_ids: Any, num_segments: Any) -> Tensor:
    """How many rows each segment has, at least 1, in a shape that divides the sums."""
    ids = convert_to_tensor(segment_ids)
    ones = apply("Fill", shape_ops.shape(ids), const_ops.constant(1, dtype=data.dtype))
    count = apply("UnsortedSegmentSum", ones, ids, num_segments)
    ranks = data.get_shape().ndims, ids.get_shape().ndims
    if ranks[0] is None or ranks[1] is None:
        extra = shape_ops.rank(data) - shape_ops.rank(ids)
        tail = apply("Fill", shape_ops.reshape(extra, [1]), 1)
    else:
        tail = const_ops.constant(np.ones(ranks[0] - ranks[1]), dtype=dtypes.int32)
    head = shape_ops.reshape(cast_ops.to_int32(num_segments), [1])
    count = shape_ops.reshape(count, apply("ConcatV2", [head, tail], 0))
    return apply("Maximum", count, const_ops.constant(1, dtype=data.dtype))


def unsorted_segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Tensor:
    """The mean of the rows with each segment number."""
    with name_scope(name, "UnsortedSegmentMean"):
        data = convert_to_tensor(data)
        count = _counts(data, segment_ids, num_segments)
        return apply("UnsortedSegmentSum", data, segment_ids, num_segments) / count


def unsorted_segment_sqrt_n(
    data: Any, segment_ids: Any, num_segments: Any, name: str | None = None
) -> Tensor:
    """The sum of the rows with each segment number, over the square root of their count."""
    with name_scope(name, "UnsortedSegmentSqrtN"):
        data = convert_to_tensor(data)
        count = _counts(data, segment_ids, num_segments)
        total = apply("UnsortedSegmentSum", data, segment_ids, num_segments)
        return total / apply("Sqrt", count)
