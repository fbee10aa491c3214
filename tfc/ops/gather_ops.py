"""Reading and writing at computed places: gather, gather_nd, scatter_nd, one_hot, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework import opdef
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import ANY, OpDef
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.host_forms import by_lowering, joined_rows
from tfc.ops.join_ops import concat
from tfc.ops.lowering import invalid, zero
from tfc.ops.places import check_indices, check_rows
from tfc.ops.shape_ops import expand_dims, reshape, shape, size, squeeze
from tfc.ops.shape_ops import rank as rank_of


def _take(build: Any, params: Value, indices: Value, axis: int, batch_dims: int) -> Value:
    """params[batch, outer, indices[batch, ...], inner] as [batch, outer, *indices', inner]."""
    dims, b = params.type.shape, batch_dims
    if dims[axis] == 0 and indices.type.size:
        raise invalid(build, "indices[0] = 0 is not in [0, 0)")
    check_indices(build, indices, dims[axis])
    rows = [*indices.type.shape, 1]
    places = [p.reshape(build, indices, shape=tuple(rows))]
    for d in range(b):
        counter = p.iota(build, dtype=indices.type.dtype, shape=indices.type.shape, dim=d)
        places.insert(d, p.reshape(build, counter, shape=tuple(rows)))
    index = places[0] if len(places) == 1 else p.concat(build, *places, dim=len(rows) - 1)
    taken = p.gather(build, params, index, dims=(*range(b), axis))
    # [*indices, *outer, *inner]: the outer axes go in front of what indices add to the batch
    more, outer = indices.type.rank - b, axis - b
    perm = (
        *range(b),
        *range(b + more, b + more + outer),
        *range(b, b + more),
        *range(b + more + outer, taken.type.rank),
    )
    return taken if not outer or not more else p.transpose(build, taken, perm=perm)


class Gather(
    OpDef,
    sig="Gather(params: Tparams, indices: Tindices, validate_indices: bool = True)"
    " -> output: Tparams",
    Tparams=ANY,
    Tindices=INDEX,
):
    """The slices of `params` along its first axis that `indices` name."""

    def shape(params: TensorShape, indices: TensorShape) -> list[TensorShape]:
        rest, front = s.with_rank_at_least(params, 1), s.dims_of(indices)
        return [s.unknown() if rest is None or front is None else s.shape_of(front + rest[1:])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [_slices(op.inputs[0], op.inputs[1], dy), None]

    def lower(build: Any, params: Value, indices: Value) -> Value:
        return _take(build, params, indices, 0, 0)

    host = by_lowering(lower)


class GatherV2(
    OpDef,
    sig="GatherV2(params: Tparams, indices: Tindices, axis: Taxis, batch_dims: int = 0)"
    " -> output: Tparams",
    Tparams=ANY,
    Tindices=INDEX,
    Taxis=INDEX,
):
    """The slices of `params` along `axis` that `indices` name."""

    def shape(
        params: TensorShape, indices: TensorShape, axis: TensorShape, *, batch_dims: int, op: Any
    ) -> list[TensorShape]:
        dims, index, at = s.dims_of(params), s.dims_of(indices), s.static_ints(op, 2)
        if dims is None or index is None:
            return [s.unknown()]
        b = batch_dims + len(index) if batch_dims < 0 else batch_dims
        if at is None:
            return [s.unknown(len(dims) + len(index) - 1 - b)]
        if not -len(dims) <= at[0] < len(dims):
            raise ValueError(
                f"Shape must be at least rank {at[0] + 1 if at[0] >= 0 else -at[0]} "
                f"but is rank {len(dims)}"
            )
        axis_at = at[0] % len(dims)
        return [s.shape_of([*dims[:axis_at], *index[b:], *dims[axis_at + 1 :]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        params, indices = op.inputs[0], op.inputs[1]
        at, b = s.static_ints(op, 2), op.get_attr("batch_dims")
        if at == [0] and b == 0:
            return [_slices(params, indices, dy), None, None]
        axis = op.inputs[2] if at is None else at[0]
        return [_axis_grad(params, indices, dy, axis, b), None, None]

    def lower(build: Any, params: Value, indices: Value, axis: Value, *, batch_dims: int) -> Value:
        rank = params.type.rank
        at = int(build.static(axis).ravel()[0])
        if not -rank <= at < rank:
            raise invalid(build, f"Expected axis in the range [{-rank}, {rank}), but got {at}")
        b = batch_dims + indices.type.rank if batch_dims < 0 else batch_dims
        if params.type.shape[:b] != indices.type.shape[:b]:
            raise invalid(
                build,
                f"params.shape[:{b}]: {s.text(params.type.shape[:b])} should be equal to "
                f"indices.shape[:{b}]: {s.text(indices.type.shape[:b])}",
            )
        if at % rank < b:
            raise invalid(build, f"batch_dims ({b}) must be at most axis ({at % rank})")
        return _take(build, params, indices, at % rank, b)

    host = by_lowering(lower)


def _slices(params: Tensor, indices: Tensor, dy: Tensor) -> IndexedSlices:
    """The gradient of a gather along axis 0."""
    whole = shape(params)
    count = expand_dims(size(indices), 0)
    values = reshape(dy, concat([count, whole[1:]], 0))
    return IndexedSlices(values, reshape(indices, count), whole)


def _axis_grad(
    params: Tensor, indices: Tensor, dy: Tensor, axis: int | Tensor, batch_dims: int
) -> Tensor:
    """The gradient of a gather along any axis, as sums over [batch * extent] rows. Ranks that
    are not known yet are computed, like what follows from them."""
    kind = indices.dtype.base_dtype
    whole, entries = shape(params, out_type=kind), shape(indices, out_type=kind)
    ranks: list[Any] = [params.get_shape().ndims, indices.get_shape().ndims]
    if None in ranks:
        ranks = [rank_of(params), rank_of(indices)]
    rank, index_rank = ranks
    at: Any = axis % rank
    b = batch_dims + index_rank if batch_dims < 0 else batch_dims
    outer, more = at - b, index_rank - b
    moved = _joined(
        _span(0, b),
        _span(b + outer, b + outer + more),
        _span(b, b + outer),
        _span(b + outer + more, rank + index_rank - 1 - b),
    )
    rest = concat([whole[b:at], whole[at + 1 :]], 0)
    count = opdef.apply("Prod", entries, [0], keep_dims=True)  # -1 would fail where rest has a 0
    updates = reshape(opdef.apply("Transpose", dy, moved), concat([count, rest], 0))
    batches = opdef.apply("Prod", entries[:b], [0])
    base = opdef.apply("Range", _index(0, kind), batches, _index(1, kind)) * whole[at]
    flat = reshape(indices, opdef.apply("Pack", [batches, opdef.apply("Prod", entries[b:], [0])]))
    rows = reshape(flat + expand_dims(base, 1), [-1])
    summed = opdef.apply("UnsortedSegmentSum", updates, rows, batches * whole[at])
    back = reshape(summed, concat([whole[:b], expand_dims(whole[at], 0), rest], 0))
    order = _joined(
        _span(0, b), _span(b + 1, b + 1 + outer), _span(b, b + 1), _span(b + 1 + outer, rank)
    )
    return opdef.apply("Transpose", back, order)


def _span(first: Any, last: Any) -> Any:
    """The numbers from `first` up to `last`: a list if both are known."""
    if isinstance(first, int) and isinstance(last, int):
        return list(range(first, last))
    return opdef.apply("Range", first, last, 1)


def _joined(*spans: Any) -> Any:
    if all(isinstance(span, list) for span in spans):
        return [n for span in spans for n in span]
    return concat([span for span in spans if not isinstance(span, list) or span], 0)


def _index(value: int, dtype: dtypes.DType) -> Tensor:
    return convert_to_tensor(value, dtype=dtype)


class GatherNd(
    OpDef,
    sig="GatherNd(params: Tparams, indices: Tindices, batch_dims: int = 0) -> output: Tparams",
    Tparams=ANY,
    Tindices=INDEX,
):
    """For each row of `indices`, the slice of `params` at that place."""

    def shape(params: TensorShape, indices: TensorShape) -> list[TensorShape]:
        dims, index = s.dims_of(params), s.with_rank_at_least(indices, 1)
        if dims is None or index is None or index[-1] is None:
            return [s.unknown()]
        if index[-1] > len(dims):
            raise ValueError(
                f"indices.shape[-1] must be <= params.rank, but saw indices shape: "
                f"{s.text(index)} and params shape: {s.text(dims)}"
            )
        return [s.shape_of(index[:-1] + dims[index[-1] :])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        params, indices = op.inputs
        whole = shape(params, out_type=indices.dtype.base_dtype)
        dims = s.dims_of(indices.get_shape())
        if dims is not None and len(dims) == 2 and dims[-1] == 1:
            return [IndexedSlices(dy, squeeze(indices, axis=-1), whole), None]
        return [opdef.apply("ScatterNd", indices, dy, whole), None]

    def lower(build: Any, params: Value, indices: Value) -> Value:
        if not params.type.size and int(np.prod(indices.type.shape[:-1])):
            raise invalid(
                build,
                "Requested more than 0 entries, but params is empty.  Params shape: "
                f"{s.text(params.type.shape)}",
            )
        check_rows(
            build,
            indices,
            params.type.shape,
            "does not index into param shape",
            f", node name: {build.op.name}",
        )
        depth = indices.type.shape[-1]
        return p.gather(build, params, indices, dims=tuple(range(depth)))

    host = by_lowering(lower)


class ScatterNd(
    OpDef,
    sig="ScatterNd(indices: Tindices, updates: T, shape: Tindices) -> output: T",
    T=ANY,
    Tindices=INDEX,
):
    """Zeros of `shape`, with each row of `updates` added at its place in `indices`."""

    def shape(
        indices: TensorShape, updates: TensorShape, shape: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        s.with_rank(shape, 1)
        exact = s.static_ints(op, 2)
        if exact is not None and min(exact, default=0) < -1:
            raise ValueError(f"Invalid value in tensor used for shape: {min(exact)}")
        dims = s.static_dims(op, 2)
        s.check_scatter_nd(dims, indices, updates)
        return [s.shape_of(dims)]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, opdef.apply("GatherNd", dy, op.inputs[0]), None]

    def lower(build: Any, indices: Value, updates: Value, shape: Value) -> Value:
        dims = tuple(int(d) for d in build.static(shape))
        depth, batch = indices.type.shape[-1], indices.type.shape[:-1]
        expected = batch + dims[depth:]
        if depth > len(dims) or updates.type.shape != expected:
            raise invalid(
                build,
                "Must have updates.shape = indices.shape[:batch_dim] + shape[num_index_dims:]"
                f", got updates.shape: {s.text(updates.type.shape)}, indices.shape: "
                f"{s.text(indices.type.shape)}, shape: {s.text(dims)}",
            )
        check_rows(build, indices, dims, "does not index into shape")
        zeros = p.broadcast(build, zero(build, updates.type.dtype), dims=(), shape=dims)
        kind = "set" if updates.type.dtype in ("i1", "str") else "add"
        return p.scatter(build, zeros, indices, updates, dims=tuple(range(depth)), kind=kind)

    def host(indices: np.ndarray, updates: np.ndarray, shape: np.ndarray, *, op: Any) -> Any:
        (found,) = by_lowering(ScatterNd.lower)(op, indices, updates, shape)
        return joined_rows(found, indices, updates)


class OneHot(
    OpDef,
    sig="OneHot(indices: TI, depth: int32, on_value: T, off_value: T, axis: int = -1,"
    " TI: type = int64) -> output: T",
    T=ANY,
    TI=("u8", "i8", "i32", "i64"),
):
    """`on_value` where a new axis of extent `depth` equals the index, `off_value` elsewhere."""

    def shape(
        indices: TensorShape,
        depth: TensorShape,
        on: TensorShape,
        off: TensorShape,
        *,
        axis: int,
        op: Any,
    ) -> list[TensorShape]:
        for scalar in (depth, on, off):
            s.with_rank(scalar, 0)
        dims, count = s.dims_of(indices), s.static_ints(op, 1)
        if count is not None and count[0] < 0:
            raise ValueError(f"depth must be non-negative, got: {count[0]}")
        if axis < -1:
            raise ValueError(f"axis must be >= -1, got: {axis}")
        if dims is None:
            return [s.unknown()]
        if axis > len(dims):  # an error of the run
            return [s.unknown()]
        at = len(dims) if axis == -1 else axis
        return [s.shape_of([*dims[:at], None if count is None else count[0], *dims[at:]])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        return [None, None, None, None]

    def lower(
        build: Any, indices: Value, depth: Value, on: Value, off: Value, *, axis: int
    ) -> Value:
        count, rank = int(build.static(depth)), indices.type.rank
        if count < 0:
            raise invalid(build, f"depth must be non-negative, got: {count}")
        if axis > rank:
            message = f"Expected axis to be -1 or between [0, {rank + 1}), but received: {axis}"
            raise invalid(build, message)
        at = rank if axis == -1 else axis
        dims = indices.type.shape
        out = (*dims[:at], count, *dims[at:])
        kept = tuple(i for i in range(rank + 1) if i != at)
        wide = p.convert(build, indices, dtype="i64")
        wide = p.broadcast(build, wide, dims=kept, shape=out)
        hit = p.eq(build, wide, p.iota(build, dtype="i64", shape=out, dim=at))
        on, off = (p.broadcast(build, v, dims=(), shape=out) for v in (on, off))
        return p.select(build, hit, on, off)

    host = by_lowering(lower)


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Tensor:
    """The slices of `params` along `axis` that `indices` name."""
    if axis is None:
        axis = batch_dims
    elif isinstance(axis, int | np.integer) and axis == 0:
        batch_dims = 0  # TensorFlow reads the rows and does not look at it
    params = convert_to_tensor(params, name="params")
    if params.dtype.is_ref_dtype and params.op.type in ("VariableV2", "Variable"):
        params = convert_to_tensor(params)
    return opdef.apply(
        "GatherV2", params, indices, axis, batch_dims=batch_dims, name=name or "GatherV2"
    )


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: Any = 0) -> Tensor:
    """For each row of `indices`, the slice of `params` at that place.

    batch_dims: how many first axes the two share; a row is a place in its part of `params`.

    Raises:
      TypeError: `batch_dims` is no number that the graph knows.
      ValueError: it is negative, or not below the ranks of both, which must be known.
    """
    if isinstance(batch_dims, Tensor):
        known = constant_value(batch_dims)
        if known is None or known.ndim:
            raise TypeError(f"batch_dims must be a number that the graph knows, not {batch_dims}")
        batch_dims = int(known)
    if batch_dims == 0:
        return opdef.apply("GatherNd", params, indices, name=name)
    if batch_dims < 0:
        raise ValueError("tf.gather_nd does not allow negative batch_dims.")
    with name_scope(name, "GatherNd", [params, indices]) as scope:
        params, indices = convert_to_tensor(params), convert_to_tensor(indices)
        if indices.get_shape().ndims is None:
            raise ValueError("gather_nd with batch_dims needs indices of known rank")
        for what, tensor in (("indices", indices), ("params", params)):
            ndims = tensor.get_shape().ndims
            if ndims is not None and batch_dims >= ndims:
                raise ValueError(f"batch_dims = {batch_dims} must be less than rank({what})")
        return opdef.apply("GatherNd", params, with_batch(indices, batch_dims), name=scope)


def with_batch(indices: Tensor, batch_dims: int) -> Tensor:
    """The rows of `indices`, of known rank, with the coordinates of their batch in front."""
    kind, rank = indices.dtype.base_dtype, indices.get_shape().ndims
    assert rank is not None
    entries = shape(indices, out_type=kind)
    columns = []
    for d in range(batch_dims):
        counter = opdef.apply("Range", _index(0, kind), entries[d], _index(1, kind))
        counter = reshape(counter, [-1 if k == d else 1 for k in range(rank)])
        columns.append(opdef.apply("BroadcastTo", counter, concat([entries[:-1], [1]], 0)))
    return concat([*columns, indices], -1) if columns else indices


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape`, with each row of `updates` added at its place in `indices`."""
    return opdef.apply("ScatterNd", indices, updates, shape, name=name)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """`on_value` (1) where a new axis of extent `depth` equals the index, else `off_value` (0).

    Raises:
      TypeError: `on_value`, `off_value` and `dtype` do not agree.
    """
    with name_scope(name, "one_hot", [indices, depth, on_value, off_value]) as scope:
        given = {}
        for key, value in (("on_value", on_value), ("off_value", off_value)):
            if value is not None:
                given[key] = _value_dtype(value, dtype)
        kinds = set(given.values())
        if len(kinds) == 2:
            raise TypeError(
                f"dtype {given['on_value']} of on_value does not match dtype "
                f"{given['off_value']} of off_value"
            )
        wanted = None if dtype is None else dtypes.as_dtype(dtype)
        if kinds and wanted is not None and kinds != {wanted}:
            raise TypeError(
                f"dtype {kinds.pop()} of on_value or off_value does not match dtype "
                f"parameter {wanted}"
            )
        kind = wanted or (kinds.pop() if kinds else dtypes.float32)
        if kind == dtypes.string and len(given) < 2:
            raise TypeError(f"dtype {kind} needs both on_value and off_value")
        on = convert_to_tensor(1 if on_value is None else on_value, dtype=kind, name="on_value")
        off = convert_to_tensor(0 if off_value is None else off_value, dtype=kind, name="off_value")
        return opdef.apply(
            "OneHot", indices, depth, on, off, axis=-1 if axis is None else axis, name=scope
        )


def _value_dtype(value: Any, dtype: Any) -> dtypes.DType:
    if isinstance(value, Tensor):
        return value.dtype.base_dtype
    if dtype is not None and not hasattr(value, "dtype"):
        return dtypes.as_dtype(dtype)
    return dtypes.as_dtype(getattr(value, "dtype", type(value)))


def boolean_mask(
    tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: int | None = None
) -> Tensor:
    """The slices of `tensor` where `mask`, over its axes from `axis` on, is true."""
    with name_scope(name, "boolean_mask", [tensor, mask]):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, name="mask")
        known, axis = mask.get_shape(), axis or 0
        if known.ndims == 0:
            raise ValueError("mask cannot be scalar.")
        if known.ndims is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None.  "
                "E.g. shape=[None] is ok, but shape=None is not."
            )
        dims = s.dims_of(tensor.get_shape())
        if dims is not None:
            s.shape_of(dims[axis : axis + known.ndims]).assert_is_compatible_with(known)
        whole = shape(tensor)
        count = opdef.apply("Prod", whole[axis : axis + known.ndims], [0])
        flat_shape = concat([whole[:axis], [count], whole[axis + known.ndims :]], 0)
        flat = reshape(tensor, flat_shape)
        if dims is not None:
            here = s.product(dims[axis : axis + known.ndims])
            flat.set_shape([*dims[:axis], here, *dims[axis + known.ndims :]])
        chosen = opdef.apply("Where", reshape(mask, [-1]))
        return gather(flat, squeeze(chosen, axis=[1]), axis=axis)
