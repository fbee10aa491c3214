"""Ops about shapes: Shape, Size, Rank, Reshape, ExpandDims, Squeeze, Transpose, broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX, DType
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import ANY, OpDef
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.const_ops import constant_of
from tfc.ops.host_forms import by_lowering
from tfc.ops.lowering import constant_ints, invalid, is_complex


def _extents(build: Any, x: Value, out_type: DType, number: int | None = None) -> Value:
    """The shape of `x` as a constant; number: of those that a ShapeN is asked for."""
    for dim, extent in enumerate(x.type.shape):
        if extent > int(out_type.max):
            which = "Shape output type is 32-bit  but"
            if number is not None:
                which = f"ShapeN output type is 32-bit but shape {number}"
            raise invalid(build, f"{which} dim {dim} is {extent}")
    return constant_ints(build, x.type.shape, out_type)


class Shape(OpDef, sig="Shape(input: T, out_type: type = int32) -> output: out_type", T=ANY):
    """The shape of `input` as a vector."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [s.shape_of([input.ndims])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, input: Value, *, out_type: DType) -> Value:
        return _extents(build, input, out_type)

    def host(input: np.ndarray, *, out_type: DType) -> np.ndarray:
        return np.asarray(input.shape, out_type.as_numpy_dtype)


class ShapeN(
    OpDef, sig="ShapeN(input: N * T, out_type: type = int32) -> output: N * out_type", T=ANY
):
    """The shapes of several tensors."""

    def shape(*input: TensorShape) -> list[TensorShape]:
        return [s.shape_of([x.ndims]) for x in input]

    def grad(op: Any, *dys: Tensor) -> list[Any]:
        return [None for _ in op.inputs]

    def lower(build: Any, *input: Value, out_type: DType) -> tuple[Value, ...]:
        return tuple(_extents(build, x, out_type, k) for k, x in enumerate(input))

    host = by_lowering(lower)


class Size(OpDef, sig="Size(input: T, out_type: type = int32) -> output: out_type", T=ANY):
    """The number of elements of `input`."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [s.shape_of([])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, input: Value, *, out_type: DType) -> Value:
        return p.constant(build, np.asarray(input.type.size, out_type.as_numpy_dtype))

    def host(input: np.ndarray, *, out_type: DType) -> np.ndarray:
        return np.asarray(input.size, out_type.as_numpy_dtype)


class Rank(OpDef, sig="Rank(input: T) -> output: int32", T=ANY):
    """The number of dimensions of `input`."""

    def shape(input: TensorShape) -> list[TensorShape]:
        return [s.shape_of([])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, input: Value) -> Value:
        return p.constant(build, np.int32(input.type.rank))

    def host(input: np.ndarray) -> np.ndarray:
        return np.asarray(input.ndim, np.int32)


class Reshape(
    OpDef,
    sig="Reshape(tensor: T, shape: Tshape, Tshape: type = int32) -> output: T",
    T=ANY,
    Tshape=INDEX,
):
    """The elements of `tensor` in another shape; one dimension may be -1, and is computed."""

    def shape(tensor: TensorShape, shape: TensorShape, *, op: Any) -> list[TensorShape]:
        s.with_rank(shape, 1)
        wanted = s.static_dims(op, 1)
        dims = s.dims_of(tensor)
        total = None if dims is None else s.product(dims)
        if wanted is None:
            return [s.unknown()]
        exact = s.static_ints(op, 1)
        if exact is not None and any(d < -1 for d in exact):
            at = next(i for i, d in enumerate(exact) if d < -1)
            raise ValueError(f"Size {at} must be non-negative, not {exact[at]}")
        if total is None:
            return [s.shape_of(_aligned_unknown(dims, wanted))]
        rest = s.product([d for d in wanted if d is not None])
        missing = [i for i, d in enumerate(wanted) if d is None]
        if not missing and rest != total:
            raise ValueError(
                f"Cannot reshape a tensor with {total} elements to shape {s.text(wanted)} "
                f"({rest} elements)"
            )
        if len(missing) == 1 and exact is not None or len(missing) == 1 and rest:
            if rest == 0 or rest is None:  # an error of the run
                return [s.shape_of(wanted)]
            if total % rest:
                raise ValueError(
                    f"Dimension size must be evenly divisible by {rest} but is {total}"
                )
            wanted = list(wanted)
            wanted[missing[0]] = total // rest
        return [s.shape_of(wanted)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [reshape(dy, shape(op.inputs[0])), None]

    def lower(build: Any, tensor: Value, shape: Value) -> Value:
        wanted = [int(d) for d in build.static(shape).ravel()]
        return p.reshape(
            build, tensor, shape=_resolved(build, tensor.type.size, tensor.type.shape, wanted)
        )

    host = by_lowering(lower)


def _aligned_unknown(dims: s.Dims, wanted: list[int | None]) -> list[int | None]:
    """An unknown batch dimension that is kept: [?,2,3] to [-1,6] stays unknown."""
    if dims is not None and dims.count(None) == 1 and wanted.count(None) == 1:
        known = s.product([d for d in dims if d is not None])
        rest = s.product([d for d in wanted if d is not None])
        if known == 0 and rest:
            return [0 if d is None else d for d in wanted]
    return wanted


def _resolved(build: Any, total: int, have: Sequence[int], wanted: list[int]) -> tuple[int, ...]:
    """`wanted` with its -1 computed.

    Raises:
      InvalidArgumentError: as TensorFlow's Reshape kernel.
    """
    if wanted.count(-1) > 1:
        at = [i for i, d in enumerate(wanted) if d == -1]
        raise invalid(build, f"Only one input size may be -1, not both {at[0]} and {at[1]}")
    for i, d in enumerate(wanted):
        if d < -1:
            raise invalid(build, f"Size {i} must be non-negative, not {d}")
    rest = int(np.prod([d for d in wanted if d != -1], dtype=object)) if wanted else 1
    if -1 in wanted:
        if rest == 0 == total:  # the extents that are not zero tell
            inner = int(np.prod([d for d in have if d], dtype=object))
            inner //= int(np.prod([d for d in wanted if d > 0], dtype=object))
            return tuple(inner if d == -1 else d for d in wanted)
        if rest and total % rest:
            raise invalid(
                build,
                f"Input to reshape is a tensor with {total} values, but the requested shape "
                f"requires a multiple of {rest}",
            )
        if rest:
            return tuple(total // rest if d == -1 else d for d in wanted)
    if rest != total:
        raise invalid(
            build,
            f"Input to reshape is a tensor with {total} values, but the requested shape has {rest}",
        )
    return tuple(wanted)


class ExpandDims(
    OpDef, sig="ExpandDims(input: T, dim: Tdim, Tdim: type = int32) -> output: T", T=ANY, Tdim=INDEX
):
    """`input` with a dimension of 1 inserted at `dim`."""

    def shape(input: TensorShape, dim: TensorShape, *, op: Any) -> list[TensorShape]:
        dims, at = s.dims_of(input), s.static_ints(op, 1)
        if dims is None or at is None:
            return [s.unknown()]
        if len(at) != 1:
            raise ValueError(f"'dim' input must be a tensor with a single value, not {len(at)}")
        if not -len(dims) - 1 <= at[0] <= len(dims):
            raise ValueError(f"dim {at[0]} not in the interval [{-len(dims) - 1}, {len(dims)}].")
        return [s.shape_of(_inserted(dims, at[0]))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [reshape(dy, shape(op.inputs[0])), None]

    def lower(build: Any, input: Value, dim: Value) -> Value:
        at, rank = int(build.static(dim).ravel()[0]), input.type.rank
        if not -rank - 1 <= at <= rank:
            raise invalid(
                build, f"Tried to expand dim index {at} for tensor with {rank} dimensions."
            )
        return p.reshape(build, input, shape=tuple(_inserted(list(input.type.shape), at)))

    host = by_lowering(lower)


def _inserted(dims: list[int | None], at: int) -> list[int | None]:
    at = at + len(dims) + 1 if at < 0 else at
    return [*dims[:at], 1, *dims[at:]]


class Squeeze(OpDef, sig="Squeeze(input: T, squeeze_dims: list(int) = []) -> output: T", T=ANY):
    """`input` without dimensions of 1: all of them, or those listed."""

    def shape(input: TensorShape, *, squeeze_dims: Sequence[int]) -> list[TensorShape]:
        dims = s.dims_of(input)
        if dims is None or (not squeeze_dims and None in dims):
            return [s.unknown()]
        return [s.shape_of(_squeezed(dims, squeeze_dims))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [reshape(dy, shape(op.inputs[0]))]

    def lower(build: Any, input: Value, *, squeeze_dims: Sequence[int]) -> Value:
        try:
            dims = _squeezed(list(input.type.shape), squeeze_dims)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        return p.reshape(build, input, shape=tuple(dims))

    host = by_lowering(lower)


def _squeezed(dims: list[int | None], listed: Sequence[int]) -> list[int | None]:
    if not listed:
        return [d for d in dims if d != 1]
    rank, chosen = len(dims), set()
    for at in listed:
        if not -rank <= at < rank:
            raise ValueError(f"Tried to squeeze dim index {at} for tensor with {rank} dimensions.")
        at %= rank
        if dims[at] not in (1, None):
            raise ValueError(
                f"Can not squeeze dim[{at}], expected a dimension of 1, got {dims[at]}"
            )
        chosen.add(at)
    return [d for i, d in enumerate(dims) if i not in chosen]


class Transpose(
    OpDef, sig="Transpose(x: T, perm: Tperm, Tperm: type = int32) -> y: T", T=ANY, Tperm=INDEX
):
    """Axis d of the result is axis perm[d] of `x`."""

    def shape(x: TensorShape, perm: TensorShape, *, op: Any) -> list[TensorShape]:
        dims, order = s.dims_of(x), s.static_ints(op, 1)
        entries = s.with_rank(perm, 1)[0]
        if dims is None:
            # an order of one axis, or none, does not tell a vector from a scalar
            return [s.unknown(None if entries is not None and entries < 2 else entries)]
        if entries is not None and entries != len(dims):
            raise ValueError(f"Dimension must be {len(dims)} but is {entries}")
        if order is None:
            return [s.unknown(len(dims))]
        for d in order:
            if not -len(dims) <= d < len(dims):
                raise ValueError(f"perm dim {d} is out of range of input rank {len(dims)}")
        return [s.shape_of([dims[d] for d in order])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [transpose(dy, invert_permutation(op.inputs[1])), None]

    def lower(build: Any, x: Value, perm: Value) -> Value:
        rank = x.type.rank
        order = [int(d) for d in build.static(perm)]
        if len(order) != rank:
            raise invalid(
                build,
                f"transpose expects a vector of size {rank}. But input(1) is a vector of "
                f"size {len(order)}",
            )
        for d in order:
            if not -rank <= d < rank:
                raise invalid(build, f"{d} is out of range [0 .. {rank})")
        order = [d % rank for d in order]
        if missing := set(range(rank)) - set(order):
            raise invalid(build, f"{min(missing)} is missing from {{{','.join(map(str, order))}}}.")
        return p.transpose(build, x, perm=tuple(order))

    host = by_lowering(lower)


class ConjugateTranspose(
    OpDef,
    sig="ConjugateTranspose(x: T, perm: Tperm, Tperm: type = int32) -> y: T",
    T=ANY,
    Tperm=INDEX,
):
    """Axis d of the result is axis perm[d] of `x`, and the elements are conjugated."""

    shape = Transpose.shape

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [transpose(dy, invert_permutation(op.inputs[1]), conjugate=True), None]

    def lower(build: Any, x: Value, perm: Value) -> Value:
        moved: Value = Transpose.lower(build, x, perm)
        if not is_complex(moved):
            return moved
        return p.complex_(build, p.real(build, moved), p.neg(build, p.imag(build, moved)))


class InvertPermutation(OpDef, sig="InvertPermutation(x: T, T: type = int32) -> y: T", T=INDEX):
    """y[x[i]] = i, for `x` a permutation of 0 to n - 1."""

    def shape(x: TensorShape) -> list[TensorShape]:
        return [s.shape_of(s.with_rank(x, 1))]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None]

    def lower(build: Any, x: Value) -> Value:
        if x.type.rank != 1:
            raise invalid(build, "invert_permutation expects a 1D vector.")
        count = x.type.shape[0]
        low, high = p.full_like(build, x, 0), p.full_like(build, x, count)
        ok = p.and_(build, p.ge(build, x, low), p.lt(build, x, high))
        build.assert_(ok, (x,), message=f"{{0}} is not between 0 and {count}")
        rows = p.reshape(build, x, shape=(count, 1))
        counting = p.iota(build, dtype=x.type.dtype, shape=(count,), dim=0)
        nowhere = p.full_like(build, x, -1)
        inverse = p.scatter(build, nowhere, rows, counting, dims=(0,), kind="set")
        again = p.gather(build, inverse, rows, dims=(0,))
        build.assert_(p.eq(build, again, counting), (x,), message="{0} is duplicated in the input.")
        return inverse


def shape(input: Any, name: str | None = None, out_type: DType = dtypes.int32) -> Tensor:
    """The shape of `input` as a vector; a constant where it is fully known."""
    return shape_internal(input, name, True, out_type)


def shape_internal(
    input: Any, name: str | None = None, optimize: bool = True, out_type: DType = dtypes.int32
) -> Tensor:
    """The shape of `input`, which is a Const op if `optimize` and the shape is fully known."""
    with name_scope(name, "Shape", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            kind = dtypes.as_dtype(out_type)
            return opdef.apply("Cast", input.dense_shape, DstT=kind, name=scope)
        input = convert_to_tensor(input)
        known = input.get_shape()
        if optimize and known.is_fully_defined():
            dims = np.asarray(known.as_list(), dtypes.as_dtype(out_type).as_numpy_dtype)
            return constant_of(dims, scope)
        return opdef.apply("Shape", input, out_type=dtypes.as_dtype(out_type), name=scope)


def shape_n(input: Sequence[Any], out_type: DType = dtypes.int32, name: str | None = None) -> Any:
    """The shapes of several tensors."""
    return opdef.apply("ShapeN", input, out_type=dtypes.as_dtype(out_type), name=name)


def size(input: Any, name: str | None = None, out_type: DType = dtypes.int32) -> Tensor:
    """The number of elements of `input`; a constant where it is known."""
    with name_scope(name, "Size", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            extents = opdef.apply("Cast", input.dense_shape, DstT=dtypes.as_dtype(out_type))
            return opdef.apply("Prod", extents, 0, name=scope)
        input = convert_to_tensor(input)
        known, kind = input.get_shape(), dtypes.as_dtype(out_type)
        if known.is_fully_defined():
            return constant_of(np.asarray(known.num_elements(), kind.as_numpy_dtype), scope)
        return opdef.apply("Size", input, out_type=kind, name=scope)


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of dimensions of `input`; a constant where it is known."""
    with name_scope(name, "Rank", [input]) as scope:
        if isinstance(input, SparseTensor | SparseTensorValue):
            return opdef.apply("Size", input.dense_shape, out_type=dtypes.int32, name=scope)
        input = convert_to_tensor(input)
        known = input.get_shape().ndims
        if known is not None:
            return constant_of(np.asarray(known, np.int32), scope)
        return opdef.apply("Rank", input, name=scope)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The elements of `tensor` in another shape, of which one dimension may be -1."""
    return opdef.apply("Reshape", tensor, shape, name=name)


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """`input` with a dimension of 1 inserted at `axis`, which may be called `dim`.

    Raises:
      ValueError: there is no axis, or two.
    """
    if dim is not None:
        if axis is not None:
            raise ValueError("can't specify both 'dim' and 'axis'")
        axis = dim
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return opdef.apply("ExpandDims", input, axis, name=name)


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Tensor:
    """`input` without its dimensions of 1: all of them, or those that `axis` names."""
    if squeeze_dims is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'squeeze_dims' and 'axis'")
        axis = squeeze_dims
    if isinstance(axis, Tensor):
        raise TypeError(f"Expected list for 'axis' argument to 'squeeze' Op, not {axis}.")
    chosen: list[Any] = [] if axis is None else list(axis) if np.ndim(axis) else [axis]
    return opdef.apply("Squeeze", input, squeeze_dims=[int(d) for d in chosen], name=name)


def transpose(
    a: Any, perm: Any = None, name: str | None = "transpose", conjugate: bool = False
) -> Tensor:
    """`a` with its axes permuted; reversed if `perm` is None. Conjugated if asked for."""
    with name_scope(name, "transpose", [a]) as scope:
        a = convert_to_tensor(a, name="a")
        kind = "ConjugateTranspose" if conjugate and a.dtype.is_complex else "Transpose"
        if perm is not None:
            return opdef.apply(kind, a, perm, name=scope)
        known = a.get_shape().ndims
        if known is not None:
            return opdef.apply(kind, a, list(range(known))[::-1], name=scope)
        order = (opdef.apply("Rank", a) - 1) - opdef.apply("Range", 0, opdef.apply("Rank", a), 1)
        return opdef.apply(kind, a, order, name=scope)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """y[x[i]] = i, for `x` a permutation of 0 to n - 1."""
    return opdef.apply("InvertPermutation", x, name=name)
