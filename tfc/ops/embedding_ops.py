"""Looking rows up in tables, whole or in shards."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.partitioned import PartitionedVariable
from tfc.framework.sparse_tensor import SparseTensor
from tfc.ops.cast_ops import cast
from tfc.ops.clip_ops import clip_by_norm
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
        for table in tables[1:]:
            rest = rest.merge_with(table.get_shape()[1:])
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
        axes = apply("Range", apply("Rank", ids), apply("Rank", rows), 1)
        return clip_by_norm(rows, max_norm, axes=axes)
    return clip_by_norm(rows, max_norm, axes=list(range(ids_rank, rank)))


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
        # Each row is looked up once, so that the gradient of the table has each row once.
        ids, places = apply("Unique", sp_ids.values)
        rows = embedding_lookup(shards, ids, partition_strategy, max_norm=max_norm)
        kind = rows.dtype.base_dtype
        if kind in (dtypes.float16, dtypes.bfloat16):  # sums are made in float32
            rows = cast(rows, dtypes.float32)
        if sp_weights is None:
            op = {"sum": "Sum", "mean": "Mean", "sqrtn": "SqrtN"}[combiner]
            combined = apply(f"SparseSegment{op}", rows, places, segments)
        else:
            combined = _weighted(gather(rows, places), sp_weights.values, segments, combiner)
        return identity(cast(combined, kind), name=scope)


def _weighted(rows: Tensor, weights: Tensor, segments: Tensor, combiner: str) -> Tensor:
    """The rows times their weights, summed by segments, over what the combiner divides by."""
    weights = cast(weights, rows.dtype.base_dtype)
    total = apply("SegmentSum", rows * _as_factors(weights, rows), segments)
    if combiner == "sum":
        return total
    scale = apply("SegmentSum", weights if combiner == "mean" else weights * weights, segments)
    scale = scale if combiner == "mean" else apply("Sqrt", scale)
    return apply("DivNoNan", total, _as_factors(scale, total))


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
    from tfc.ops.sparse.functions import sparse_fill_empty_rows, sparse_reshape

    if isinstance(embedding_weights, (list, tuple, PartitionedVariable)):
        shards = list(embedding_weights)
    else:
        shards = [] if embedding_weights is None else [embedding_weights]
    if not shards:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    combiner = _checked_combiner(combiner, sparse_ids, sparse_weights)
    kind = None if sparse_weights is None else sparse_weights.dtype
    tables = [convert_to_tensor(shard, dtype=kind) for shard in shards]
    outer = sparse_ids.dense_shape[:-1]
    with name_scope(name, "embedding_lookup", [*tables, sparse_ids.values]) as scope:
        rows = [apply("Prod", outer, [0], keep_dims=False), sparse_ids.dense_shape[-1]]
        ids = sparse_reshape(sparse_ids, apply("Pack", rows))
        given = None if sparse_weights is None else sparse_weights.values
        weights = None if given is None else SparseTensor(ids.indices, given, ids.dense_shape)
        ids, weights = _kept(ids, weights, apply("GreaterEqual", ids.values, 0))
        if weights is not None and combiner != "sum":
            ids, weights = _kept(ids, weights, apply("Greater", weights.values, 0))
        # A row without ids looks up one, so that it has a place among the segments.
        ids, is_empty = sparse_fill_empty_rows(ids, default_id or 0)
        if weights is not None:
            weights, _ = sparse_fill_empty_rows(weights, 1.0)
        found = embedding_lookup_sparse(
            tables, ids, weights, partition_strategy, combiner=combiner, max_norm=max_norm
        )
        if default_id is None:
            found = apply("Select", is_empty, apply("ZerosLike", found), found)
        dims = concat([cast(outer, dtypes.int32), shape(found)[1:]], 0)
        result = reshape(found, dims, name=scope)
        rank = sparse_ids.dense_shape.get_shape().with_rank(1).as_list()[0]
        if rank is not None:
            front = TensorShape([None] * (rank - 1))
            result.set_shape(front.concatenate(found.get_shape()[1:]))
        return result


def _kept(
    ids: SparseTensor, weights: SparseTensor | None, valid: Tensor
) -> tuple[SparseTensor, SparseTensor | None]:
    """Ids and weights where `valid` holds."""
    from tfc.ops.sparse.functions import sparse_retain

    return (
        sparse_retain(ids, valid),
        None if weights is None else sparse_retain(weights, valid),
    )
