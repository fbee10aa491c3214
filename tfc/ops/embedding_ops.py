"""Looking rows up in tables, whole or in shards."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.partitioned import PartitionedVariable
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops.cast_ops import cast
from tfc.ops.const_ops import identity
from tfc.ops.gather_ops import gather
from tfc.ops.join_ops import concat
from tfc.ops.shape_ops import expand_dims, reshape, shape, size


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """Rows `ids` of the table `params`, or of the table that the shards in `params` make up.

    partition_strategy: row i is in shard i % n ("mod"), or shards are consecutive ("div").
    max_norm: rows of a greater norm are scaled down to it.

    Raises:
      ValueError: no shards, or another strategy.
    """
    shards = list(params) if isinstance(params, (list, tuple, PartitionedVariable)) else [params]
    if not shards:
        raise ValueError(f"Need at least one param, not {params!r}")
    with name_scope(name, "embedding_lookup", [*shards, ids]) as scope:
        ids = convert_to_tensor(ids, name="ids")
        if len(shards) == 1:
            rows = gather(shards[0], ids, name=scope)
            return _clipped(identity(rows), ids, max_norm)
        tables = [convert_to_tensor(shard) for shard in shards]
        flat = reshape(ids, [-1])
        part, inner = _places(tables, flat, partition_strategy)
        places = apply("DynamicPartition", inner, part, num_partitions=len(tables))
        order = apply("Range", 0, size(flat), 1)
        came_from = apply("DynamicPartition", order, part, num_partitions=len(tables))
        found = [gather(table, at) for table, at in zip(tables, places, strict=True)]
        rows = apply("DynamicStitch", came_from, found, name=scope)
        rest = tables[0].get_shape()[1:]
        row_shape = rest if rest.is_fully_defined() else shape(tables[0])[1:]
        result = reshape(rows, concat([shape(ids), row_shape], 0))
        result.set_shape(ids.get_shape().concatenate(rest))
        return _clipped(result, ids, max_norm)


def _places(tables: list[Tensor], flat: Tensor, strategy: str) -> tuple[Tensor, Tensor]:
    """(shard, row in that shard) of each id."""
    count = len(tables)
    if strategy == "mod":
        return cast(flat % count, dtypes.int32), flat // count
    if strategy != "div":
        raise ValueError(f"Unrecognized partition strategy: {strategy}")
    kind = flat.dtype.base_dtype
    known = [table.get_shape() for table in tables]
    rows = [None if one.ndims is None else one.as_list()[0] for one in known]
    each: Any
    extra: Any
    if None not in rows:
        each, extra = divmod(sum(n for n in rows if n is not None), count)
        least = max(each, 1)
    else:
        total = apply("AddN", [cast(shape(table)[0], kind) for table in tables])
        each, extra = total // count, total % count
        least = apply("Maximum", each, apply("OnesLike", each))
    # the first `extra` shards hold one row more than the others
    wide, late = flat // (each + 1), (flat - extra) // least
    part = apply("Maximum", wide, late)
    in_wide = part < extra
    row = apply("Select", in_wide, flat % (each + 1), (flat - extra) % least)
    return cast(part, dtypes.int32), cast(row, kind)


def _clipped(rows: Tensor, ids: Tensor, max_norm: float | None) -> Tensor:
    """Each row scaled down to a norm of `max_norm`."""
    if max_norm is None:
        return rows
    ids_rank, rank = ids.get_shape().ndims, rows.get_shape().ndims
    if ids_rank is None or rank is None:
        raise ValueError("max_norm needs ids and params of known rank")
    axes = list(range(ids_rank, rank))
    norm = apply("Sqrt", apply("Sum", rows * rows, axes, keep_dims=True))
    limit = convert_to_tensor(max_norm, dtype=rows.dtype.base_dtype)
    return rows * limit / apply("Maximum", norm, limit)


def embedding_lookup_sparse(
    params: Any,
    sp_ids: Any,
    sp_weights: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    combiner: str | None = None,
    max_norm: float | None = None,
) -> Tensor:
    """For each row of the SparseTensor `sp_ids` the rows of the table that it names, combined:
    their weighted "sum", "mean" (the default), or the sum over the norm of the weights, "sqrtn".

    sp_weights: a SparseTensor of the shape of sp_ids, or None for weights of 1. Every row up to the
    last one with an id has a result.

    Raises:
      TypeError: ids or weights are not sparse. ValueError: another combiner.
    """
    combiner = _checked_combiner(combiner, sp_ids, sp_weights)
    shards = list(params) if isinstance(params, (list, tuple, PartitionedVariable)) else [params]
    with name_scope(name, "embedding_lookup_sparse", [*shards, sp_ids.values]) as scope:
        segments = cast(sp_ids.indices[:, 0], dtypes.int32)
        rows = embedding_lookup(shards, sp_ids.values, partition_strategy, max_norm=max_norm)
        if sp_weights is None:
            places = apply("Range", 0, size(segments), 1)
            op = {"sum": "Sum", "mean": "Mean", "sqrtn": "SqrtN"}[combiner]
            return apply(f"SparseSegment{op}", rows, places, segments, name=scope)
        weights = cast(sp_weights.values, rows.dtype.base_dtype)
        total = apply("SegmentSum", rows * _as_factors(weights, rows), segments)
        if combiner == "sum":
            return identity(total, name=scope)
        scale = apply("SegmentSum", weights if combiner == "mean" else weights * weights, segments)
        scale = scale if combiner == "mean" else apply("Sqrt", scale)
        return apply("DivNoNan", total, _as_factors(scale, total), name=scope)


def _checked_combiner(combiner: str | None, ids: Any, weights: Any) -> str:
    chosen = "mean" if combiner is None else combiner
    if chosen not in ("mean", "sqrtn", "sum"):
        raise ValueError("combiner must be one of 'mean', 'sqrtn' or 'sum'")
    if not isinstance(ids, SparseTensor):
        raise TypeError("sp_ids must be SparseTensor")
    if weights is not None:
        if not isinstance(weights, SparseTensor):
            raise TypeError("sp_weights must be either None or SparseTensor")
        ids.values.get_shape().assert_is_compatible_with(weights.values.get_shape())
        ids.indices.get_shape().assert_is_compatible_with(weights.indices.get_shape())
    return chosen


def _as_factors(weights: Tensor, rows: Tensor) -> Tensor:
    """A number for each row in a shape that multiplies the rows."""
    rank = rows.get_shape().ndims
    if rank is not None:
        return reshape(weights, [-1] + [1] * (rank - 1))
    ones = apply("Fill", expand_dims(apply("Rank", rows) - 1, 0), 1)
    return reshape(weights, concat([[-1], ones], 0))


def safe_embedding_lookup_sparse(
    embedding_weights: Any,
    sparse_ids: Any,
    sparse_weights: Any = None,
    combiner: str | None = "mean",
    default_id: int | None = None,
    name: str | None = None,
    partition_strategy: str = "div",
    max_norm: float | None = None,
) -> Tensor:
    """`embedding_lookup_sparse` where negative ids, and with weights those that are not positive
    unless the combiner is "sum", do not count, and where a row without any gives the embedding of
    `default_id`, zeros if that is None. Ids of rank n give a result of rank n.

    Raises:
      ValueError: no table, or another combiner. TypeError: ids or weights are not sparse.
    """
    many = isinstance(embedding_weights, (list, tuple))
    if embedding_weights is None or (many and not embedding_weights):
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    combiner = _checked_combiner(combiner, sparse_ids, sparse_weights)
    shards = list(embedding_weights) if many else [embedding_weights]
    tables = [convert_to_tensor(shard) for shard in shards]
    with name_scope(name, "embedding_lookup", [*tables, sparse_ids.values]) as scope:
        ids, outer = sparse_ids.values, sparse_ids.dense_shape[:-1]
        weights, valid = _valid_weights(ids, sparse_weights, combiner, tables[0].dtype.base_dtype)
        known = apply("Select", valid, ids, apply("ZerosLike", ids))
        found = embedding_lookup(tables, known, partition_strategy, max_norm=max_norm)
        strides = apply("Cumprod", outer, 0, exclusive=True, reverse=True)
        segments = apply("Sum", sparse_ids.indices[:, :-1] * strides, [1], keep_dims=False)
        count = apply("Prod", outer, [0], keep_dims=False)
        total = apply("UnsortedSegmentSum", found * _as_factors(weights, found), segments, count)
        if combiner != "sum":
            parts = weights if combiner == "mean" else weights * weights
            scale = apply("UnsortedSegmentSum", parts, segments, count)
            scale = scale if combiner == "mean" else apply("Sqrt", scale)
            total = apply("DivNoNan", total, _as_factors(scale, total))
        other = apply("ZerosLike", total)
        if default_id is not None:
            single = convert_to_tensor([default_id], dtype=ids.dtype.base_dtype)
            other += embedding_lookup(tables, single, partition_strategy, max_norm=max_norm)
        used = apply("UnsortedSegmentSum", cast(valid, dtypes.int32), segments, count)
        chosen = apply("Select", apply("Equal", used, 0), other, total)
        dims = concat([cast(outer, dtypes.int32), shape(chosen)[1:]], 0)
        result = reshape(chosen, dims, name=scope)
        rank = sparse_ids.dense_shape.get_shape().as_list()[0]
        if rank is not None:
            front = sparse_ids.get_shape()[: rank - 1]
            result.set_shape(front.concatenate(tables[0].get_shape()[1:]))
        return result


def _valid_weights(ids: Any, given: Any, combiner: str, kind: Any) -> tuple[Tensor, Tensor]:
    """(the weight of each id, 0 for those that do not count; which ones count)."""
    valid = apply("GreaterEqual", ids, 0)
    weights = apply("OnesLike", cast(ids, kind))
    if given is not None:
        weights = cast(given.values, kind)
        if combiner != "sum":
            valid = apply("LogicalAnd", valid, apply("Greater", weights, 0))
    return apply("Select", valid, weights, apply("ZerosLike", weights)), valid
