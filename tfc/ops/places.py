"""Checks of indices at run time, which say where the first bad one stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.distinct_values import check_distinct
from tfc.prims.effects import MAX_PAYLOAD


def check_indices(build: Any, indices: Value, count: int, what: str = "indices") -> None:
    """Fail with TensorFlow's message at the first index outside [0, count).

    Where indices are the different elements of a vector, left in their places, those that name
    nothing are passed over.
    """
    if any(tensor.op in build.distinct for tensor in build.op.inputs):
        check_distinct(build, indices, count)
        return
    zero, end = p.full_like(build, indices, 0), p.full_like(build, indices, count)
    ok = p.and_(build, p.ge(build, indices, zero), p.lt(build, indices, end))
    place, places = position(build, indices.type.shape, 1)
    message = f"{what}{place} = {{0}} is not in [0, {count})"
    build.assert_(ok, (indices, *places), message=message)


def position(build: Any, dims: tuple[int, ...], used: int) -> tuple[str, list[Value]]:
    """(message text, payload) that say where in an array of shape `dims` an element stands.

    used: payload values that come first.
    """
    if len(dims) < 2 or used + len(dims) > MAX_PAYLOAD:  # of a vector, the flat position
        return ("[{i}]" if dims else ""), []
    places = [p.iota(build, dtype="i64", shape=dims, dim=i) for i in range(len(dims))]
    return "[" + ",".join(f"{{{used + i}}}" for i in range(len(dims))) + "]", places


def check_rows(
    build: Any, indices: Value, dims: tuple[int, ...], what: str, ending: str = ""
) -> None:
    """Fail unless every row of `indices` is a place in a tensor of extents `dims`. what: the words
    between the row and `dims`."""
    depth, batch = indices.type.shape[-1], indices.type.shape[:-1]
    if depth == 0:
        return
    ends = p.constant(build, np.asarray(dims[:depth], dtypes.numpy_dtype(indices.type.dtype)))
    ends = p.broadcast(build, ends, dims=(len(batch),), shape=indices.type.shape)
    above = p.ge(build, indices, p.full_like(build, indices, 0))
    inside = p.and_(build, above, p.lt(build, indices, ends))
    ok = p.reduce(build, inside, dims=(len(batch),), kind="and")
    columns = []
    for k in range(min(depth, MAX_PAYLOAD)):
        start = (*(0 for _ in batch), k)
        column = p.slice(
            build, indices, start=start, limit=(*batch, k + 1), stride=(1,) * len(start)
        )
        columns.append(p.reshape(build, column, shape=batch))
    row = ", ".join(f"{{{k}}}" for k in range(len(columns)))
    place, places = position(build, batch, len(columns))
    message = f"indices{place} = [{row}] {what} {s.text(dims)}{ending}"
    build.assert_(ok, (*columns, *places), message=message)
