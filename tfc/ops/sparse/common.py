"""What the ops on sparse tensors share.

A sparse tensor is three values: places [n, rank], values [n], extents [rank]. In native code the
order of places is that of their *keys*: the number that each has in the dense tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops.lowering import invalid, reshape_value, to
from tfc.ops.places import check_rows

LARGEST = 2**63 - 1  # key of a place


def as_sparse(value: Any) -> SparseTensor:
    """`value` as a SparseTensor. Raises TypeError if it is none and no SparseTensorValue."""
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return value


def check_parts(indices: TensorShape, values: TensorShape, shape: TensorShape) -> None:
    """ValueError unless these can be the shapes of the parts of one sparse tensor."""
    (count, rank), (length,) = s.with_rank(indices, 2), s.with_rank(values, 1)
    (extents,) = s.with_rank(shape, 1)
    s.merge_dim(count, length)
    s.merge_dim(rank, extents)


def column(build: Any, places: Value, k: int) -> Value:
    """Entry `k` of every place, i64 [n]."""
    count = places.type.shape[0]
    part = p.slice(build, places, start=(0, k), limit=(count, k + 1), stride=(1, 1))
    return to(build, p.reshape(build, part, shape=(count,)), "i64")


def keys(build: Any, places: Value, extents: Sequence[Any]) -> Value:
    """The key of every place in a tensor of `extents`, numbers or scalar i64 values."""
    count, rank = places.type.shape
    total = p.splat(build, 0, Type("i64", (count,)))
    for k in range(rank):
        extent = extents[k]
        if isinstance(extent, Value):
            factor = p.broadcast(build, extent, dims=(), shape=(count,))
        else:
            factor = p.splat(build, int(extent), total.type)
        total = p.add(build, p.mul(build, total, factor), column(build, places, k))
    return total


def sorted_by_keys(build: Any, places: Value, values: Value, extents: Sequence[Any]) -> Any:
    """Places and values in the order of their keys; equal ones in the order that they had."""
    order = order_of(build, keys(build, places, extents))
    return taken(build, places, order), taken(build, values, order)


def order_of(build: Any, numbers: Value) -> Value:
    """Where, in the sorted order of `numbers`, each comes from."""
    counter = p.iota(build, dtype="i64", shape=numbers.type.shape, dim=0)
    return p.sort(build, numbers, counter, dim=0, descending=False, num_keys=1)[1]


def taken(build: Any, rows: Value, at: Value) -> Value:
    """The rows at `at`."""
    return p.gather(build, rows, reshape_value(build, at, (*at.type.shape, 1)), dims=(0,))


def looked_up(build: Any, wanted: Value, places: Value, values: Value) -> Value:
    """For each row of `wanted`, the value at that place, or zero. `places` are in order."""
    count, total = wanted.type.shape[0], places.type.shape[0]
    if not count or not total:
        return p.splat(build, 0, Type(values.type.dtype, (count,)))
    extents = []
    for k in range(wanted.type.shape[1]):
        ends = [
            p.reduce(build, column(build, x, k), dims=(0,), kind="max") for x in (wanted, places)
        ]
        end = p.max(build, *ends)
        extents.append(p.add(build, end, p.full_like(build, end, 1)))
    found = keys(build, places, extents)
    queries = keys(build, wanted, extents)
    low = p.full_like(build, queries, 0)
    step = 1 << (total.bit_length() - 1)
    while step:  # the number of keys that are less, bit by bit
        tried = p.add(build, low, p.full_like(build, low, step))
        before = p.sub(build, tried, p.full_like(build, low, 1))
        less = p.lt(build, taken(build, found, before), queries)
        fits = p.and_(build, p.le(build, tried, p.full_like(build, low, total)), less)
        low = p.select(build, fits, tried, low)
        step //= 2
    there = p.eq(build, taken(build, found, low), queries)  # reads are clamped to the last key
    valid = p.ge(
        build, wanted, p.full_like(build, wanted, 0)
    )  # the key of a negative one is another's
    there = p.and_(build, there, p.reduce(build, valid, dims=(1,), kind="and"))
    value = taken(build, values, low)
    return p.select(build, there, value, p.full_like(build, value, 0))


def extents_of(build: Any, shape: Value, places: Value) -> tuple[int, ...]:
    """The extents that `shape` holds, which must be known, after checking the places.

    Raises:
      InvalidArgumentError: they are no extents, or not as many as places have entries.
    """
    dims = tuple(int(d) for d in build.static(shape).ravel())
    if min(dims, default=0) < 0:
        raise invalid(build, f"the shape of a sparse tensor has a negative extent: {s.text(dims)}")
    if places.type.shape[1] != len(dims):
        raise invalid(
            build,
            f"indices have {places.type.shape[1]} entries each for a sparse tensor of "
            f"{len(dims)} dimensions",
        )
    check_rows(build, places, dims, "is out of bounds: need 0 <= index <")
    return dims


def distinct_rows(places: np.ndarray, dims: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of `places` in order, each once, and where each of the given ones is among them.
    `places` must lie within `dims`. Rows that are in order, or a few such runs, take linear time.
    """
    if math.prod(dims) > LARGEST:
        rows, where = np.unique(places, axis=0, return_inverse=True)
        return rows, where.ravel()
    keys = np.zeros(len(places), np.int64)
    for column, extent in zip(places.T, dims, strict=True):
        keys *= extent
        keys += column
    order = np.argsort(keys, kind="stable")  # merges runs
    keys = keys[order]
    fresh = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    where = np.empty(len(keys), np.intp)
    where[order] = np.cumsum(fresh) - 1
    return places[order[fresh]], where


def check_arrays(
    op: Any, indices: np.ndarray, values: np.ndarray, shape: np.ndarray
) -> tuple[int, ...]:
    """The extents of a sparse tensor that host rules were given.

    Raises:
      InvalidArgumentError: the parts do not fit together, or a place is outside.
    """
    ok = (
        indices.ndim == 2 and values.shape == indices.shape[:1] and shape.shape == indices.shape[1:]
    )
    if not ok:
        raise errors.InvalidArgumentError(
            None,
            op,
            "the parts of a sparse tensor do not fit together: indices "
            f"{s.text(indices.shape)}, values {s.text(values.shape)}, shape {s.text(shape.shape)}",
        )
    wrong = (indices < 0) | (indices >= shape)
    if wrong.any():
        at = int(wrong.any(axis=1).argmax())
        raise errors.InvalidArgumentError(
            None,
            op,
            f"indices[{at}] = {s.text(indices[at].tolist())} is out of bounds: need 0 <= index < "
            f"{s.text(shape.tolist())}",
        )
    return tuple(int(d) for d in shape)
