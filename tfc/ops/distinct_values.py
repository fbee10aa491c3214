"""The different elements of a vector, left in their places: `Unique` for ops that update rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.ir.core import Value
from tfc.ops.lowering import to


def distinct_values(build: Any, x: Value, dtype: str) -> tuple[Value, Value]:
    """(`x` with the least integer wherever an element has come before, for each element the place
    where its like comes first, as `dtype`).

    The least integer names no row, so scatters skip it, and that it is no element is asserted:
    whoever takes these indices would refuse it too.
    """
    count = x.type.shape[0]
    counter = p.iota(build, dtype="i32" if count < 1 << 31 else "i64", shape=(count,), dim=0)
    first = _first_places(build, x, counter) if count > 1 else counter
    none = _none_like(build, x)
    message = "indices[{i}] = {0} is not in the range of any variable"
    build.assert_(p.ne(build, x, none), (x,), message=message)
    kept = p.select(build, p.eq(build, first, counter), x, none)
    return kept, to(build, first, dtype)


def _first_places(build: Any, x: Value, counter: Value) -> Value:
    """For each element the place where its like comes first: sorted, equal ones stand side by side,
    in their order."""
    count = x.type.shape[0]
    keys, places = p.sort(build, x, counter, dim=0, num_keys=1)
    before = p.slice(build, keys, start=(0,), limit=(count - 1,), stride=(1,))
    after = p.slice(build, keys, start=(1,), limit=(count,), stride=(1,))
    begins = to(build, p.ne(build, before, after), counter.type.dtype)
    none = p.constant(build, np.zeros((), numpy_dtype(counter.type.dtype)))
    begins = p.pad(build, begins, none, low=(1,), high=(0,), interior=(0,))
    heads = p.cumulative(
        build, p.mul(build, begins, counter), dim=0, kind="max", exclusive=False, reverse=False
    )
    first = p.gather(build, places, p.reshape(build, heads, shape=(count, 1)), dims=(0,))
    at = p.reshape(build, places, shape=(count, 1))
    result: Value = p.scatter(build, counter, at, first, dims=(0,), kind="set")
    return result


def check_distinct(build: Any, indices: Value, rows: int) -> None:
    """Fail at the first of the indices that `distinct_values` kept that names none of `rows` rows;
    it is reported under its place among the kept ones."""
    none = _none_like(build, indices)
    zero, end = p.full_like(build, indices, 0), p.full_like(build, indices, rows)
    inside = p.and_(build, p.ge(build, indices, zero), p.lt(build, indices, end))
    kept = p.ne(build, indices, none)
    ok = p.or_(build, inside, p.not_(build, kept))
    place = p.cumulative(
        build, to(build, kept, "i64"), dim=0, kind="add", exclusive=True, reverse=False
    )
    message = f"indices[{{1}}] = {{0}} is not in [0, {rows})"
    build.assert_(ok, (indices, place), "InvalidArgumentError", message)


def _none_like(build: Any, x: Value) -> Value:
    least: Value = p.full_like(build, x, int(np.iinfo(numpy_dtype(x.type.dtype)).min))
    return least
