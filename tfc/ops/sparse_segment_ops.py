"""Reductions by segment of rows picked by index: SparseSegmentSum, Mean, SqrtN, and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.base.dtypes import FLOATS, INDEX, REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Type, Value
from tfc.ops import shape_ops, shape_rules
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid, to, typed
from tfc.ops.places import check_indices
from tfc.ops.segment_ops import check_sorted, last_and_one, last_of


def _shape(
    data: TensorShape, indices: TensorShape, ids: TensorShape, *num: TensorShape, op: Any
) -> list[TensorShape]:
    dims = shape_rules.with_rank_at_least(data, 1)
    shape_rules.merge_dims(shape_rules.with_rank(indices, 1), shape_rules.with_rank(ids, 1))
    known = shape_rules.static_ints(op, 3) if num else None
    if known is not None and known[0] < 0:
        raise ValueError("Cannot specify a negative value for num_segments")
    if dims is None:
        return [shape_rules.unknown()]
    return [shape_rules.shape_of([known[0] if known else None, *dims[1:]])]


def _count_of(build: Any, ids: Value, num: tuple[Value, ...]) -> int:
    """How many segments there are; asserts that the numbers are sorted and in range."""
    if not num:
        count = last_and_one(build, ids)
    else:
        count = int(build.static(num[0]).ravel()[0])
        if ids.type.size:
            fits = Calc(build)(last_of(build, ids)) < count
            message = "segment ids must be < num_segments"
            build.assert_(fits.value, (), "InvalidArgumentError", message)
    check_sorted(build, ids, count)
    return max(count, 0)


def _check_vectors(build: Any, indices: Value, ids: Value) -> None:
    if indices.type.rank != 1:
        raise invalid(build, "indices should be a vector.")
    if ids.type.rank != 1:
        raise invalid(build, "segment_ids should be a vector.")
    if indices.type.shape != ids.type.shape:
        raise invalid(build, "segment_ids and indices should have same size.")


def _scale(build: Any, ids: Value, count: int, kind: str, dtype: str) -> Value:
    """What each segment's sum is divided by: f64 or f32[count]."""
    wide = "f64" if dtype == "f64" else "f32"
    start = p.splat(build, 0, Type(wide, (count,)))
    ones = p.splat(build, 1, Type(wide, ids.type.shape))
    at = p.reshape(build, ids, shape=(*ids.type.shape, 1))
    sizes = Calc(build)(p.scatter(build, start, at, ones, dims=(0,), kind="add")).atleast(1)
    return (sizes.sqrt() if kind == "SqrtN" else sizes).value


def _reduced(
    build: Any, data: Value, indices: Value, ids: Value, num: tuple[Value, ...], kind: str
) -> Value:
    if data.type.rank < 1:
        raise invalid(build, "input must be at least rank 1")
    _check_vectors(build, indices, ids)
    count = _count_of(build, ids, num)
    row = data.type.shape[1:]
    if indices.type.size and not data.type.shape[0]:
        raise invalid(build, f"indices are out of range [0, 0): {shape_text(data.type.shape)}")
    check_indices(build, indices, data.type.shape[0])
    wide = {"f16": "f32", "bf16": "f32"}.get(data.type.dtype, data.type.dtype)
    places = p.reshape(build, indices, shape=(*indices.type.shape, 1))
    rows = to(build, p.gather(build, data, places, dims=(0,)), wide)
    start = p.splat(build, 0, Type(wide, (count, *row)))
    at = p.reshape(build, ids, shape=(*ids.type.shape, 1))
    total = p.scatter(build, start, at, rows, dims=(0,), kind="add")
    if kind != "Sum":
        scale = _scale(build, ids, count, kind, wide)
        scale = p.broadcast(build, scale, dims=(0,), shape=total.type.shape)
        total = p.div(build, total, scale)
    return to(build, total, data.type.dtype)


def _gradient(kind: str) -> Callable[..., Any]:
    def grad(op: Any, dy: Any) -> list[Any]:
        data, indices, ids = list(op.inputs)[:3]
        rows = shape_ops.shape(data)[0]
        nothing = [None] * (len(op.inputs) - 1)
        if kind == "Sum":
            taken = apply("GatherV2", dy, ids, 0)
            return [apply("UnsortedSegmentSum", taken, indices, rows), *nothing]
        return [apply(f"SparseSegment{kind}Grad", dy, indices, ids, rows), *nothing]

    return grad


_DATA = "data: T, indices: Tidx, segment_ids: Tsegmentids"
_TYPES = "Tidx: type = int32, Tsegmentids: type = int32"


def _define(kind: str, what: str) -> None:
    kinds = {"T": REALS if kind == "Sum" else FLOATS, "Tidx": INDEX, "Tsegmentids": INDEX}

    class SparseSegment(OpDef, sig=f"SparseSegment{kind}({_DATA}, {_TYPES}) -> output: T", **kinds):
        shape = _shape

        def lower(build: Any, data: Value, indices: Value, ids: Value) -> Value:
            return _reduced(build, data, indices, ids, (), kind)

    class WithNumSegments(
        OpDef,
        sig=f"SparseSegment{kind}WithNumSegments({_DATA}, num_segments: Tnumsegments, "
        f"{_TYPES}, Tnumsegments: type = int32) -> output: T",
        Tnumsegments=INDEX,
        **kinds,
    ):
        shape = _shape

        def lower(build: Any, data: Value, indices: Value, ids: Value, num: Value) -> Value:
            return _reduced(build, data, indices, ids, (num,), kind)

    for defn in (SparseSegment, WithNumSegments):
        defn.grad = _gradient(kind)
        defn.__doc__ = f"{what} of the rows of `data` at `indices` with each segment number."


def _define_gradient(kind: str) -> None:
    class Gradient(
        OpDef,
        sig=f"SparseSegment{kind}Grad(grad: T, indices: Tidx, segment_ids: Tsegmentids,"
        " output_dim0: int32) -> output: T",
        T=FLOATS,
        Tidx=INDEX,
        Tsegmentids=INDEX,
    ):
        def shape(
            grad: TensorShape, indices: TensorShape, ids: TensorShape, rows: TensorShape, *, op: Any
        ) -> list[TensorShape]:
            dims, known = shape_rules.with_rank_at_least(grad, 1), shape_rules.static_ints(op, 3)
            if dims is None:
                return [shape_rules.unknown()]
            return [shape_rules.shape_of([known[0] if known else None, *dims[1:]])]

        def lower(build: Any, grad: Value, indices: Value, ids: Value, rows: Value) -> Value:
            _check_vectors(build, indices, ids)
            count = int(build.static(rows).ravel()[0])
            check_indices(build, ids, grad.type.shape[0], "segment_ids")
            check_indices(build, indices, count)
            scale = _scale(build, ids, grad.type.shape[0], kind, grad.type.dtype)
            scale = to(build, scale, grad.type.dtype)
            scaled = p.div(build, grad, p.broadcast(build, scale, dims=(0,), shape=grad.type.shape))
            at = p.reshape(build, ids, shape=(*ids.type.shape, 1))
            taken = p.gather(build, scaled, at, dims=(0,))
            start = p.splat(build, 0, typed(grad, (count, *grad.type.shape[1:])))
            places = p.reshape(build, indices, shape=(*indices.type.shape, 1))
            return p.scatter(build, start, places, taken, dims=(0,), kind="add")

    Gradient.__doc__ = f"The gradient of SparseSegment{kind} with respect to its data."


for _kind, _what in (
    ("Sum", "The sum"),
    ("Mean", "The mean"),
    ("SqrtN", "The sum over the square root of the count"),
):
    _define(_kind, _what)
for _kind in ("Mean", "SqrtN"):
    _define_gradient(_kind)


def _function(kind: str, public: str, what: str) -> Callable[..., Tensor]:
    def function(
        data: Any,
        indices: Any,
        segment_ids: Any,
        name: str | None = None,
        num_segments: Any = None,
    ) -> Tensor:
        op = f"SparseSegment{kind}"
        if num_segments is None:
            return apply(op, data, indices, segment_ids, name=name)
        op += "WithNumSegments"
        return apply(op, data, indices, segment_ids, num_segments, name=name)

    function.__name__ = function.__qualname__ = public
    function.__doc__ = (
        f"{what} of the rows of `data` at `indices` with each of the sorted segment numbers; as "
        "many segments as `num_segments`, or as the last number says."
    )
    return function


sparse_segment_sum = _function("Sum", "sparse_segment_sum", "The sum")
sparse_segment_mean = _function("Mean", "sparse_segment_mean", "The mean")
sparse_segment_sqrt_n = _function(
    "SqrtN", "sparse_segment_sqrt_n", "The sum over the square root of the count"
)
