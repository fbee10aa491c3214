"""Sparse tensors with dense ones of their shape, or that broadcast to it, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.base.dtypes import FLOATS, INTEGERS, NUMBERS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.lowering import invalid
from tfc.ops.sparse.common import check_parts, column, extents_of


def _picked(build: Any, indices: Value, shape: Value, dense: Value) -> Value:
    """What stands in `dense`, broadcast to the sparse tensor's shape, at each place."""
    dims, own = extents_of(build, shape, indices), dense.type.shape
    skip = len(dims) - len(own)
    if skip < 0 or any(n not in (1, m) for n, m in zip(own, dims[skip:], strict=True)):
        raise invalid(
            build,
            "SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: "
            f"{s.text(dims)} vs. {s.text(own)}",
        )
    count = indices.type.shape[0]
    entries = [
        p.reshape(build, column(build, indices, k + skip), shape=(count, 1))
        for k in range(len(own))
    ]  # an axis of one element is read at it: reads are clamped
    if not entries:
        return p.broadcast(build, dense, dims=(), shape=(count,))
    at = p.concat(build, *entries, dim=1) if len(entries) > 1 else entries[0]
    return p.gather(build, dense, at, dims=tuple(range(len(own))))


def _op(name: str, combine: Callable[..., Value], grad: Callable[..., Any]) -> None:
    class Combined(
        OpDef,
        sig=f"{name}(sp_indices: int64, sp_values: T, sp_shape: int64, dense: T) -> output: T",
        T=NUMBERS,
    ):
        def shape(
            indices: TensorShape, values: TensorShape, shape: TensorShape, dense: TensorShape
        ) -> list[TensorShape]:
            check_parts(indices, values, shape)
            return [s.shape_of(s.with_rank(indices, 2)[:1])]

        def lower(build: Any, indices: Value, values: Value, shape: Value, dense: Value) -> Value:
            return combine(build, values, _picked(build, indices, shape, dense))

    Combined.__doc__ = f"{name[11:]} of each value and what the dense tensor has at its place."
    Combined.__name__ = name
    Combined.grad = staticmethod(grad)  # type: ignore[assignment]


def _checked_div(build: Any, x: Value, y: Value) -> Value:
    if x.type.dtype in INTEGERS:
        ok = p.ne(build, y, p.full_like(build, y, 0))
        build.assert_(ok, message="Integer division by zero")
    return p.div(build, x, y)


def _in_dense(op: Any) -> tuple[Any, Any]:
    """The places in the dense operand, whose dimensions may be fewer or 1, and what is there."""
    indices, _, shape, dense = op.inputs
    own = apply("Shape", dense, out_type=indices.dtype)
    more = apply("Sub", apply("Size", shape), apply("Size", own))
    ones = apply("Fill", apply("ExpandDims", more, 0), convert_to_tensor(1, own.dtype))
    wide = apply("ConcatV2", [ones, own], 0)
    # A dimension of 1 is there once for all places along it.
    scaled = apply("FloorDiv", indices, apply("FloorDiv", shape, wide))
    places = apply("Slice", scaled, apply("Pack", [0, more]), [-1, -1])
    return places, apply("GatherNd", dense, places)


def _to_dense(op: Any, places: Tensor, values: Tensor) -> Tensor:
    return apply("ScatterNd", places, values, apply("Shape", op.inputs[3], out_type=places.dtype))


def _mul_grad(op: Any, dy: Tensor) -> list[Any]:
    places, at = _in_dense(op)
    return [None, dy * at, None, _to_dense(op, places, dy * op.inputs[1])]


def _div_grad(op: Any, dy: Tensor) -> list[Any]:
    places, at = _in_dense(op)
    return [None, dy / at, None, _to_dense(op, places, dy * (-op.inputs[1] / (at * at)))]


def _add_grad(op: Any, dy: Tensor) -> list[Any]:
    return [None, dy, None, _to_dense(op, _in_dense(op)[0], dy)]


_op("SparseDenseCwiseMul", p.mul, _mul_grad)
_op("SparseDenseCwiseDiv", _checked_div, _div_grad)
_op("SparseDenseCwiseAdd", p.add, _add_grad)


def _operator(op_name: str, scope: str) -> Callable[..., SparseTensor]:
    def operator(sparse: SparseTensor, other: Any) -> SparseTensor:
        with name_scope(None, scope, [sparse.values, other]):
            dense = convert_to_tensor(other, sparse.dtype.base_dtype, "y")
            parts = (sparse.indices, sparse.values, sparse.dense_shape, dense)
            return SparseTensor(sparse.indices, apply(op_name, *parts), sparse.dense_shape)

    return operator


def _truediv(sparse: SparseTensor, other: Any) -> SparseTensor:
    """True division; integers are divided in float32 if they have 8 or 16 bits, else in float64."""
    kind = sparse.dtype.base_dtype
    if kind.is_integer:
        wide = "float32" if kind.size <= 2 else "float64"
        other = apply("Cast", convert_to_tensor(other, kind, "y"), DstT=wide)
        values = apply("Cast", sparse.values, DstT=wide)
        sparse = SparseTensor(sparse.indices, values, sparse.dense_shape)
    elif kind.short not in FLOATS:
        raise TypeError(f"a SparseTensor of {kind.name} cannot be divided")
    return _operator("SparseDenseCwiseDiv", "truediv")(sparse, other)


for method, function in (
    ("__mul__", _operator("SparseDenseCwiseMul", "mul")),
    ("__truediv__", _truediv),
    ("__div__", _operator("SparseDenseCwiseDiv", "div")),
):
    setattr(SparseTensor, method, function)
