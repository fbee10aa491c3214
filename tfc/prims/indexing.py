"""Reads and writes at computed places, and sort. Indices never fault: reads clamp, writes outside
are skipped; `lower` puts an `assert` in front where TensorFlow reports an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import INTEGERS, REALS
from tfc.ir.core import Op, Type
from tfc.prims.elementwise import ANY, MOVED
from tfc.prims.movement import Ints, check_axes
from tfc.prims.numeric import Array, sort_rank
from tfc.prims.prim import Prim, check, check_dtype
from tfc.prims.reduction import check_kind


def _as_i64(index: Array) -> Array:
    """Indices as i64; a u64 beyond it wraps, and so is negative."""
    return index.astype(np.int64)


def rest_axes(rank: int, dims: Ints) -> Ints:
    return tuple(d for d in range(rank) if d not in dims)


def check_index(name: str, x: Type, index: Type, dims: Ints) -> None:
    check_axes(name, dims, x.rank)
    check_dtype(f"the index of {name}", index, INTEGERS)
    last = index.shape[-1:] == (len(dims),)
    check(last, f"{name}: the last axis of the index {index} has one entry for each of {dims}")


# --- gather, scatter ------------------------------------------------------------------------


def _gather_type(x: Type, index: Type, *, dims: Ints) -> tuple[Type, ...]:
    check_index("gather", x, index, dims)
    check_dtype("gather", x, MOVED)
    return (Type(x.dtype, index.shape[:-1] + tuple(x.shape[d] for d in rest_axes(x.rank, dims))),)


def _gather_array(x: Array, index: Array, *, dims: Ints) -> Array:
    rest = rest_axes(x.ndim, dims)
    if x.size == 0:
        return np.zeros(index.shape[:-1] + tuple(x.shape[d] for d in rest), x.dtype)
    ordered, index = np.transpose(x, dims + rest), _as_i64(index)
    if not dims:
        return np.broadcast_to(x, index.shape[:-1] + x.shape)
    places = tuple(np.clip(index[..., k], 0, x.shape[d] - 1) for k, d in enumerate(dims))
    result: Array = ordered[places]
    return result


def _gather_element(e: Any, i: Any, x: Any, index: Any, *, dims: Ints) -> Any:
    if x.type.size == 0:
        return e.const(x.type.dtype, 0)
    batch = index.type.rank - 1
    place: dict[int, Any] = {}
    for k, d in enumerate(dims):
        entry = e.index_at(index, (*i[:batch], k))
        place[d] = e.clamp(entry, 0, x.type.shape[d] - 1)
    place.update(zip(rest_axes(x.type.rank, dims), i[batch:], strict=True))
    return x(tuple(place[d] for d in range(x.type.rank)))


gather = Prim(
    "gather",
    "for each row of idx [*B, k], x at that place along dims: [*B, *axes of x not in dims]; "
    "indices are clamped, and an empty x gives zeros",
    _gather_type,
    _gather_array,
    _gather_element,
)

_SCATTERS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def _scatter_type(x: Type, index: Type, update: Type, *, dims: Ints, kind: str) -> tuple[Type, ...]:
    check_index("scatter", x, index, dims)
    if kind == "set":
        check_dtype("scatter", x, MOVED)
    else:
        check_kind("scatter", kind, tuple(_SCATTERS), x)
    rest = tuple(x.shape[d] for d in rest_axes(x.rank, dims))
    expected = Type(x.dtype, index.shape[:-1] + rest)
    check(update == expected, f"scatter into {x} takes updates {expected}, not {update}")
    return (x,)


def _scatter_array(x: Array, index: Array, update: Array, *, dims: Ints, kind: str) -> Array:
    rest = rest_axes(x.ndim, dims)
    order = dims + rest
    result = np.ascontiguousarray(np.transpose(x, order)).copy()
    rows = _as_i64(index).reshape(int(np.prod(index.shape[:-1])), len(dims))
    updates = update.reshape(rows.shape[0], *(x.shape[d] for d in rest))
    extents = np.array([x.shape[d] for d in dims], np.int64)
    inside = np.all((rows >= 0) & (rows < extents), axis=1)
    for row, entry in zip(rows[inside], updates[inside], strict=True):
        place = tuple(row)
        if kind == "set":
            result[place] = entry
        else:
            result[place] = _SCATTERS[kind](result[place], entry)
    return np.transpose(result, np.argsort(order)) if order else result


scatter = Prim(
    "scatter",
    "x with each row of upd [*B, *axes of x not in dims] set, added, … at the place along dims "
    "that its row of idx [*B, k] names; rows in row-major order; places outside are skipped",
    _scatter_type,
    _scatter_array,
)


# --- dynamic slices -------------------------------------------------------------------------


def _check_starts(name: str, x: Type, starts: tuple[Type, ...], sizes: Ints) -> None:
    check(len(starts) == len(sizes) == x.rank, f"{name} of {x} takes a start per axis")
    for start in starts:
        check(start.shape == () and start.dtype in INTEGERS, f"{name}: a start is no {start}")
    fits = all(0 <= k <= n for k, n in zip(sizes, x.shape, strict=True))
    check(fits, f"{name}: {sizes} do not fit into {x}")


def _dynamic_slice_type(
    x: Type, *starts: Type, sizes: Ints, inside: bool = False
) -> tuple[Type, ...]:
    _check_starts("dynamic_slice", x, starts, sizes)
    check_dtype("dynamic_slice", x, MOVED)
    return (Type(x.dtype, sizes),)


def _window(x: Array, starts: tuple[Array, ...], sizes: Ints) -> tuple[slice, ...]:
    clamped = (
        int(np.clip(_as_i64(start), 0, n - k))
        for start, n, k in zip(starts, x.shape, sizes, strict=True)
    )
    return tuple(slice(a, a + k) for a, k in zip(clamped, sizes, strict=True))


def is_inside(op: Op) -> bool:
    """Whether the starts of a dynamic slice, or update of one, are known to need no clamping."""
    return ("inside", True) in op.attrs


def clamped_starts(
    e: Any, x: Type, starts: Sequence[Any], sizes: Ints, inside: bool = False
) -> list[Any]:
    """The index at which each axis of a dynamic slice of x begins; inside: whether the starts are
    known to be such."""
    held = e.known_within if inside else e.clamp
    triples = zip(starts, x.shape, sizes, strict=True)
    return [0 if n == k else held(e.index_at(s, ()), 0, n - k) for s, n, k in triples]


def _dynamic_slice_element(
    e: Any, i: Any, x: Any, *starts: Any, sizes: Ints, inside: bool = False
) -> Any:
    begins = clamped_starts(e, x.type, starts, sizes, inside)
    return x(tuple(at + begin for at, begin in zip(i, begins, strict=True)))


dynamic_slice = Prim(
    "dynamic_slice",
    "`sizes` elements of x from the scalar starts on, which are clamped so that it fits; `inside` "
    "if they are known to",
    _dynamic_slice_type,
    lambda x, *starts, sizes, inside=False: x[_window(x, starts, sizes)],
    _dynamic_slice_element,
)


def _dynamic_update_slice_type(
    x: Type, update: Type, *starts: Type, inside: bool = False
) -> tuple[Type, ...]:
    check(update.dtype == x.dtype, f"dynamic_update_slice of {x} does not take {update}")
    _check_starts("dynamic_update_slice", x, starts, update.shape)
    check_dtype("dynamic_update_slice", x, ANY)
    return (x,)


def _dynamic_update_slice_array(
    x: Array, update: Array, *starts: Array, inside: bool = False
) -> Array:
    result = x.copy()
    result[_window(x, starts, update.shape)] = update
    return result


def _dynamic_update_slice_element(
    e: Any, i: Any, x: Any, update: Any, *starts: Any, inside: bool = False
) -> Any:
    sizes = update.type.shape
    if update.type.size == 0:
        return x(i)
    written, index = None, []
    begins = clamped_starts(e, x.type, starts, sizes, inside)
    for at, begin, size, extent in zip(i, begins, sizes, x.type.shape, strict=True):
        place = at - begin
        if size < extent:
            condition = e.in_range(place, 0, size)
            written = condition if written is None else e.binary("and", written, condition)
            place = e.clamp(place, 0, size - 1)
        index.append(place)
    element = update(tuple(index))
    return element if written is None else e.select(written, element, x(i))


dynamic_update_slice = Prim(
    "dynamic_update_slice",
    "x with `update` written over it from the scalar starts on, clamped so that it fits; `inside` "
    "if they are known to",
    _dynamic_update_slice_type,
    _dynamic_update_slice_array,
    _dynamic_update_slice_element,
)


# --- sort -----------------------------------------------------------------------------------


def _sort_type(
    *xs: Type, dim: int, descending: bool, num_keys: int, limit: int | None = None
) -> tuple[Type, ...]:
    check(1 <= num_keys <= len(xs), f"sort of {len(xs)} operands does not have {num_keys} keys")
    check_axes("sort", (dim,), xs[0].rank)
    for position, x in enumerate(xs):
        check(x.shape == xs[0].shape, f"sort takes operands of one shape, not {xs[0]} and {x}")
        check_dtype("sort", x, (*REALS, "i1") if position < num_keys else ANY)
    if limit is None:
        return xs
    shape = xs[0].shape
    check(0 <= limit <= shape[dim], f"the first {limit} are more than {xs[0]} has along axis {dim}")
    return tuple(Type(x.dtype, (*shape[:dim], limit, *shape[dim + 1 :])) for x in xs)


def _sort_arrays(
    *xs: Array, dim: int, descending: bool, num_keys: int, limit: int | None = None
) -> tuple[Array, ...]:
    ranks = [sort_rank(x) for x in xs[:num_keys]]
    if descending:
        ranks = [np.invert(r) for r in ranks]
    order = np.lexsort(ranks[::-1], axis=dim)
    order = np.take(order, range(order.shape[dim] if limit is None else limit), axis=dim)
    return tuple(np.take_along_axis(x, order, axis=dim) for x in xs)


sort = Prim(
    "sort",
    "all operands permuted along dim so that the first num_keys are in lexicographic order; "
    "stable; a NaN is greater than every number, and zeros of both signs are equal; of each line "
    "the first `limit`, if that is given",
    _sort_type,
    _sort_arrays,
    defaults={"descending": False, "num_keys": 1},
)
