"""Reductions over axes: Sum, Mean, Prod, Max, Min, All, Any, and what is written with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX, NUMBERS, REALS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import cast_ops, const_ops, join_ops, shape_ops, shape_rules
from tfc.ops.common import conj, define, no_gradient
from tfc.ops.lowering import invalid, reshape_value


def reduction_shape(
    input: TensorShape, reduction_indices: TensorShape, *, keep_dims: bool, op: Any, **_: Any
) -> list[TensorShape]:
    """The shape after a reduction, as far as the axes are known."""
    dims, axes = shape_rules.dims_of(input), shape_rules.static_ints(op, 1)
    shape_rules.with_rank_at_most(reduction_indices, 1)
    if dims is None:
        return [shape_rules.unknown()]
    if axes is None:
        return [shape_rules.unknown(len(dims) if keep_dims else None)]
    reduced = {_axis(axis, len(dims)) for axis in axes}
    if keep_dims:
        return [shape_rules.shape_of([1 if i in reduced else d for i, d in enumerate(dims)])]
    return [shape_rules.shape_of([d for i, d in enumerate(dims) if i not in reduced])]


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"Invalid reduction dimension {axis} for input with {rank} dimensions.")
    return axis % rank


def _static_axes(build: Any, x: Value, axes: Value) -> tuple[int, ...]:
    """The axes to reduce, ascending, each once."""
    found = set()
    for axis in build.static(axes).ravel().tolist():
        if not -x.type.rank <= axis < x.type.rank:
            raise invalid(
                build,
                f"Invalid reduction dimension ({axis} for input with {x.type.rank} dimension(s)",
            )
        if axis % x.type.rank in found:
            repeated = f"Axes contains duplicate dimension: {axis % x.type.rank}"
            raise invalid(build, f"Invalid reduction arguments: {repeated}")
        found.add(axis % x.type.rank)
    return tuple(sorted(found))


def _kept(x: Value, dims: tuple[int, ...], keep_dims: bool) -> tuple[int, ...]:
    shape = x.type.shape
    if keep_dims:
        return tuple(1 if i in dims else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in dims)


def _reducer(kind: str) -> Callable[..., Value]:
    def lower(build: Any, x: Value, axes: Value, *, keep_dims: bool, **_: Any) -> Value:
        dims = _static_axes(build, x, axes)
        reduced = p.reduce(build, x, dims=dims, kind=kind) if dims else x
        return reshape_value(build, reduced, _kept(x, dims, keep_dims))

    return lower


def _mean(build: Any, x: Value, axes: Value, *, keep_dims: bool) -> Value:
    dims = _static_axes(build, x, axes)
    count = int(np.prod([x.type.shape[d] for d in dims], dtype=object)) if dims else 1
    if x.type.dtype in dtypes.INTEGERS:  # a sum of 64 bits, which hardly overflows
        wide = p.convert(build, x, dtype="u64" if x.type.dtype.startswith("u") else "i64")
        total = p.reduce(build, wide, dims=dims, kind="add") if dims else wide
        mean = p.div(build, total, p.full_like(build, total, count))
        mean = p.convert(build, mean, dtype=x.type.dtype)
    else:
        total = p.reduce(build, x, dims=dims, kind="add") if dims else x
        mean = p.div(build, total, p.full_like(build, total, float(count)))
    return reshape_value(build, mean, _kept(x, dims, keep_dims))


def _norm(build: Any, x: Value, axes: Value, *, keep_dims: bool) -> Value:
    dims, dtype = _static_axes(build, x, axes), x.type.dtype
    if dtype in dtypes.COMPLEX:
        re, im = p.real(build, x), p.imag(build, x)
        squares = p.add(build, p.mul(build, re, re), p.mul(build, im, im))
    else:
        wide = p.convert(build, x, dtype="f64") if dtype in dtypes.INTEGERS else x
        squares = p.mul(build, wide, wide)
    norm = p.sqrt(build, p.reduce(build, squares, dims=dims, kind="add") if dims else squares)
    if dtype in dtypes.COMPLEX:
        norm = p.complex(build, norm, p.full_like(build, norm, 0.0))
    elif dtype in dtypes.INTEGERS:
        norm = p.convert(build, norm, dtype=dtype)
    return reshape_value(build, norm, _kept(x, dims, keep_dims))


# ---- gradients


def _reduced_shape(shape: Any, axes: Any) -> Any:
    """The shape with 1 for every reduced axis, as a tensor (a constant where possible)."""
    known, known_axes = constant_value(shape), constant_value(axes)
    if known is not None and known_axes is not None:
        kept = np.array(known)
        kept[known_axes] = 1
        return const_ops.constant(kept, dtype=shape.dtype)
    shape, axes = cast_ops.to_int32(shape), cast_ops.to_int32(axes)
    rank = shape_ops.size(shape)
    axes = (axes + rank) % rank
    return apply(
        "DynamicStitch",
        [apply("Range", 0, rank, 1), axes],
        [shape, apply("Fill", shape_ops.shape(axes), 1)],
    )


def _safe_shape_div(x: Any, y: Any) -> Any:
    """x // y for shapes in which a zero divides to zero."""
    return x // apply("Maximum", y, 1)


def _sum_grad(op: Any, dy: Any) -> list[Any]:
    """`dy` repeated over the reduced axes. Over all axes of known rank it needs one Tile."""
    x, axes = op.inputs[0], constant_value(op.inputs[1])
    rank = x.get_shape().ndims
    everything = axes is not None and np.array_equal(np.ravel(axes), np.arange(rank or 0))
    if rank is not None and everything:
        dy = shape_ops.reshape(dy, [1] * rank)
        if x.get_shape().is_fully_defined():
            return [apply("Tile", dy, x.get_shape().as_list()), None]
        return [apply("Tile", dy, shape_ops.shape(x)), None]
    shape = shape_ops.shape(x)
    kept = _reduced_shape(shape, op.inputs[1])
    repeats = _safe_shape_div(shape, kept)
    return [apply("Tile", shape_ops.reshape(dy, kept), repeats), None]


def _mean_grad(op: Any, dy: Any) -> list[Any]:
    spread = _sum_grad(op, dy)[0]
    inner = reduce_prod(shape_ops.shape(op.inputs[0]))
    outer = reduce_prod(shape_ops.shape(op.outputs[0]))
    factor = _safe_shape_div(inner, outer)
    return [apply("RealDiv", spread, cast_ops.cast(factor, spread.dtype), name="truediv"), None]


def _norm_grad(op: Any, dy: Any) -> list[Any]:
    """`x` over `y / dy`, as in TensorFlow, complex numbers too."""
    x, axes = op.inputs
    kept = _reduced_shape(shape_ops.shape(x), axes)
    y, dy = shape_ops.reshape(op.outputs[0], kept), shape_ops.reshape(dy, kept)
    return [apply("RealDiv", x, apply("RealDiv", y, dy)), None]


def _extremum_grad(op: Any, dy: Any) -> list[Any]:
    """`dy` in equal shares to the elements that equal the result."""
    x, axes = op.inputs
    shape = shape_ops.shape(x)
    kept = _reduced_shape(shape, axes)
    y, dy = shape_ops.reshape(op.outputs[0], kept), shape_ops.reshape(dy, kept)
    chosen = cast_ops.cast(apply("Equal", y, x), dy.dtype)
    count = shape_ops.reshape(apply("Sum", chosen, axes), kept)
    return [apply("Div", chosen, count) * dy, None]


def _prod_grad(op: Any, dy: Any) -> list[Any]:
    """dy times the product of the others, by products from both ends: right where zeros are."""
    x, axes = op.inputs
    shape = shape_ops.shape(x)
    kept = _reduced_shape(shape, shape_ops.reshape(axes, [-1]))
    repeats = _safe_shape_div(shape, kept)
    dy = apply("Tile", shape_ops.reshape(dy, kept), repeats)
    perm, size, back = _reduced_first(x, axes, shape)
    moved = apply("Transpose", x, perm)
    rows = shape_ops.reshape(moved, size)
    left = conj(apply("Cumprod", rows, 0, exclusive=True))
    right = conj(apply("Cumprod", rows, 0, exclusive=True, reverse=True))
    others = shape_ops.reshape(left * right, shape_ops.shape(moved))
    out = dy * apply("Transpose", others, back)
    return [shape_ops.reshape(out, shape), None]


def _reduced_first(x: Any, axes: Any, shape: Any) -> tuple[Any, Any, Any]:
    """The permutation that puts the reduced axes first, the shape [reduced, other] of the matrix
    that makes, and the inverse permutation."""
    rank, known = x.get_shape().ndims, constant_value(axes)
    if rank is not None and known is not None:
        reduced = sorted({int(a) % rank for a in np.ravel(known)})
        order = reduced + [d for d in range(rank) if d not in reduced]
        extent = reduce_prod(apply("GatherV2", shape, _ints(reduced), 0))
        rest = reduce_prod(apply("GatherV2", shape, _ints(order[len(reduced) :]), 0))
        back = np.argsort(np.array(order, np.int64)).astype(np.int32)
        return _ints(order), join_ops.stack([extent, rest]), const_ops.constant(back)
    count = shape_ops.rank(x)
    reduced_axes = (shape_ops.reshape(axes, [-1]) + count) % count
    other, _ = apply("ListDiff", apply("Range", 0, count, 1), reduced_axes)
    perm = join_ops.concat([reduced_axes, other], 0)
    extent = reduce_prod(apply("GatherV2", shape, reduced_axes, 0))
    rest = reduce_prod(apply("GatherV2", shape, other, 0))
    return perm, join_ops.stack([extent, rest]), shape_ops.invert_permutation(perm)


def _ints(values: list[int]) -> Any:
    return const_ops.constant(np.array(values, np.int32))


# ---- the ops


def _define(
    name: str, allowed: tuple[str, ...], what: str, lower: Any, grad: Any, result: str = "T"
) -> Any:
    types_of = {"Tidx": INDEX} if allowed == ("i1",) else {"T": allowed, "Tidx": INDEX}
    operand, result = ("bool", "bool") if allowed == ("i1",) else ("T", result)
    signature = (
        f"(input: {operand}, reduction_indices: Tidx, keep_dims: bool = False, "
        f"Tidx: type = int32) -> output: {result}"
    )
    return define(
        name, signature, what, shape=reduction_shape, types_of=types_of, lower=lower, grad=grad
    )


Sum = _define("Sum", NUMBERS, "The sum over the axes.", _reducer("add"), _sum_grad)
Mean = _define("Mean", NUMBERS, "The mean over the axes; integers truncate.", _mean, _mean_grad)
Prod = _define("Prod", NUMBERS, "The product over the axes.", _reducer("mul"), _prod_grad)
Max = _define("Max", REALS, "The greatest element over the axes.", _reducer("max"), _extremum_grad)
Min = _define("Min", REALS, "The least element over the axes.", _reducer("min"), _extremum_grad)
EuclideanNorm = _define(
    "EuclideanNorm",
    NUMBERS,
    "sqrt(sum(|x|^2)) over the axes; integers truncate.",
    _norm,
    _norm_grad,
)
All = _define("All", ("i1",), "Whether every element holds.", _reducer("and"), no_gradient)
Any_ = _define("Any", ("i1",), "Whether any element holds.", _reducer("or"), no_gradient)


# ---- the Python API


def reduction_axes(x: Any, axis: Any, reduction_indices: Any = None) -> Any:
    """The axes to reduce as something to pass to an op: all of them if none are given."""
    if reduction_indices is not None:
        if axis is not None:
            raise ValueError("Can't specify both axis' and 'reduction_indices'.")
        axis = reduction_indices
    if axis is not None:
        empty = isinstance(axis, list | tuple) and not axis
        return const_ops.constant(np.zeros(0, np.int32)) if empty else axis
    rank = x.get_shape().ndims
    if rank is not None:
        return const_ops.constant(np.arange(rank), dtype=dtypes.int32)
    return apply("Range", 0, shape_ops.rank(x), 1, name="range")


def keep(keepdims: Any, keep_dims: Any) -> bool:
    """The one of the two spellings that is given.

    Raises:
      ValueError: both are given.
    """
    if keep_dims is None:
        return bool(keepdims)
    if keepdims:
        raise ValueError("Cannot specify both 'keep_dims' and 'keepdims'")
    return bool(keep_dims)


def _reduction(op: str, what: str) -> Callable[..., Tensor]:
    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        kept = keep(keepdims, keep_dims)
        tensor = convert_to_tensor(input_tensor, name="input_tensor")
        axes = reduction_axes(tensor, axis, reduction_indices)
        result: Tensor = apply(op, tensor, axes, keep_dims=kept, name=name)
        if axis is None and reduction_indices is None and not kept:
            result.set_shape([])  # also where not even the rank of the operand is known
        return result

    function.__name__ = function.__qualname__ = f"reduce_{op.lower()}"
    function.__doc__ = what
    return function


reduce_sum = _reduction("Sum", "The sum over `axis`, over everything if it is None.")
reduce_mean = _reduction("Mean", "The mean over `axis`, over everything if it is None.")
reduce_prod = _reduction("Prod", "The product over `axis`, over everything if it is None.")
reduce_max = _reduction("Max", "The greatest element over `axis`.")
reduce_min = _reduction("Min", "The least element over `axis`.")
reduce_all = _reduction("All", "Whether every element along `axis` holds.")
reduce_any = _reduction("Any", "Whether any element along `axis` holds.")


def reduce_logsumexp(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """log(sum(exp(x))) over `axis`, without overflow."""
    kept = keep(keepdims, keep_dims)
    if reduction_indices is not None:
        axis = reduction_indices if axis is None else reduction_axes(None, axis, reduction_indices)
    with name_scope(name, "ReduceLogSumExp", [input_tensor]) as scope:
        x = convert_to_tensor(input_tensor, name="input_tensor")
        raw = reduce_max(x, axis, keepdims=True)
        finite = apply("Select", apply("IsFinite", raw), raw, const_ops.zeros_like(raw))
        shift = const_ops.stop_gradient(finite)
        total = reduce_sum(apply("Exp", x - shift), axis, keepdims=True)
        result = apply("Log", total) + shift
        if kept:
            return const_ops.identity(result, name=scope)
        shape = shape_ops.shape(reduce_sum(x, axis))
        return shape_ops.reshape(result, shape, name=scope)


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = dtypes.int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
    input: Any = None,
) -> Tensor:
    """How many elements along `axis` are not zero. `input` is another name of `input_tensor`."""
    if (input_tensor is None) == (input is None):
        raise ValueError("Must specify exactly one of 'input' and 'input_tensor'")
    input_tensor = input if input_tensor is None else input_tensor
    kept = keep(keepdims, keep_dims)
    with name_scope(name, "count_nonzero", [input_tensor]):
        x = convert_to_tensor(input_tensor, name="input_tensor")
        zero = const_ops.zeros([], dtype=x.dtype.base_dtype)
        marks = cast_ops.cast(apply("NotEqual", x, zero), dtypes.int64)
        total = reduce_sum(marks, axis, kept, reduction_indices=reduction_indices)
        return cast_ops.cast(total, dtypes.as_dtype(dtype))


def reduce_variance(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The mean square distance from the mean over `axis`; real for complex numbers.

    Raises:
      TypeError: `input_tensor` holds integers.
    """
    with name_scope(name, "reduce_variance", [input_tensor]):
        x = convert_to_tensor(input_tensor, name="input_tensor")
        distance = x - _mean_of_inexact(x, axis)
        if not x.dtype.is_complex:
            return reduce_mean(apply("Square", distance), axis, keepdims)
        square = apply("Real", distance * apply("Conj", distance), Tout=x.dtype.real_dtype)
        return reduce_mean(square, axis, keepdims)


def _mean_of_inexact(x: Tensor, axis: Any) -> Tensor:
    mean = reduce_mean(x, axis, True)
    if x.dtype.is_integer:
        raise TypeError(f"Input must be either real or complex. Received integer type {x.dtype}.")
    return mean


def reduce_std(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The standard deviation over `axis`."""
    with name_scope(name, "reduce_std", [input_tensor]):
        return apply("Sqrt", reduce_variance(input_tensor, axis, keepdims))


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """sqrt(sum(|x|^2)) over `axis`, in the type of the operand: integers truncate."""
    x = convert_to_tensor(input_tensor, name="input_tensor")
    axes = reduction_axes(x, axis)
    norm: Tensor = apply("EuclideanNorm", x, axes, keep_dims=keep(keepdims, None), name=name)
    if axis is None and not keepdims:
        norm.set_shape([])
    return norm
