"""The different elements of a vector, left in their places: `Unique` for ops that update rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.ir.core import Type, Value
from tfc.ops.lowering import to
from tfc.passes.lower import Ref


def distinct_values(build: Any, x: Value, dtype: str) -> tuple[Value, Value]:
    """(the different elements of `x`, and the least integer, which names no row, where there is
    none; for each element the place of its like among them, as `dtype`).

    There are as many places as elements, and an element stands where it comes first; or, if that is
    less, as many as the variable that they are rows of has rows.
    """
    rows = _rows_of_variables(build)
    if rows is not None and rows <= x.type.shape[0]:
        return _among_rows(build, x, rows, dtype)
    return _among_elements(build, x, dtype)


def _rows_of_variables(build: Any) -> int | None:
    """How many rows the smallest of the variables has that take the elements as indices."""
    types = [Ref(key, build).type for key in build.distinct[build.op]]
    if not types or any(type is None or not type.rank for type in types):
        return None
    return min(type.shape[0] for type in types if type is not None)


def _among_rows(build: Any, x: Value, rows: int, dtype: str) -> tuple[Value, Value]:
    count = x.type.shape[0]
    at = p.reshape(build, x, shape=(count, 1))
    counter = _counter(build, count)
    never = p.splat(build, count, Type(counter.type.dtype, (rows,)))
    first = p.scatter(build, never, at, counter, dims=(0,), kind="min")
    is_first = p.eq(build, p.gather(build, first, at, dims=(0,)), counter)
    _check_kept(build, x, is_first, _inside(build, x, rows), rows)
    row = p.iota(build, dtype=x.type.dtype, shape=(rows,), dim=0)
    kept = p.select(build, p.lt(build, first, never), row, _none_like(build, row))
    return kept, to(build, x, dtype)


def _among_elements(build: Any, x: Value, dtype: str) -> tuple[Value, Value]:
    """That the least integer is no element is asserted: whoever takes these indices would refuse
    it too."""
    count = x.type.shape[0]
    counter = _counter(build, count)
    first = _first_places(build, x, counter) if count > 1 else counter
    none = _none_like(build, x)
    message = "indices[{i}] = {0} is not in the range of any variable"
    build.assert_(p.ne(build, x, none), (x,), message=message)
    kept = p.select(build, p.eq(build, first, counter), x, none)
    return kept, to(build, first, dtype)


def _counter(build: Any, count: int) -> Value:
    """0, 1, ... `count` - 1, in numbers that go to `count`."""
    value: Value = p.iota(build, dtype="i32" if count < 1 << 31 else "i64", shape=(count,), dim=0)
    return value


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
    """Fail at the first of the indices kept by `distinct_values` that names none of `rows` rows."""
    kept = p.ne(build, indices, _none_like(build, indices))
    ok = p.or_(build, _inside(build, indices, rows), p.not_(build, kept))
    _check_kept(build, indices, kept, ok, rows)


def _check_kept(build: Any, indices: Value, kept: Value, ok: Value, rows: int) -> None:
    """Fail at the first index that is not `ok`, reported under its place among the kept ones."""
    place = p.cumulative(
        build, to(build, kept, "i64"), dim=0, kind="add", exclusive=True, reverse=False
    )
    message = f"indices[{{1}}] = {{0}} is not in [0, {rows})"
    build.assert_(ok, (indices, place), "InvalidArgumentError", message)


def _inside(build: Any, indices: Value, rows: int) -> Value:
    zero, end = p.full_like(build, indices, 0), p.full_like(build, indices, rows)
    inside: Value = p.and_(build, p.ge(build, indices, zero), p.lt(build, indices, end))
    return inside


def _none_like(build: Any, x: Value) -> Value:
    least: Value = p.full_like(build, x, int(np.iinfo(numpy_dtype(x.type.dtype)).min))
    return least
