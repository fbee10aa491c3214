"""Reductions, scans and windows.

Floats accumulate in a wider type here; compiled code accumulates f16 and bf16 in f32, and f32 in
f32 in an order written out from shapes, so results are compared within a bound that grows with
the number of elements.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tfc.base.dtypes import FLOATS, INTEGERS, NUMBERS, REALS, as_dtype, numpy_dtype, short_of
from tfc.ir.core import Op, Type
from tfc.prims.movement import Ints, check_axes
from tfc.prims.numeric import Array, is_float, wide
from tfc.prims.prim import Prim, check, check_dtype

NEAR = 1e-5  # what is equal to `scatter_near`
Pairs = tuple[tuple[int, int], ...]

COMBINERS = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
}
WINDOWS = {**COMBINERS, "fmax": np.fmax}  # passes over NaN, and starts at the lowest finite number
_ALLOWED = {
    "add": NUMBERS,
    "mul": NUMBERS,
    "min": REALS,
    "max": REALS,
    "fmax": REALS,
    "and": (*INTEGERS, "i1"),
    "or": (*INTEGERS, "i1"),
}


def identity(kind: str, dtype: str) -> Any:
    """The Python scalar that `kind` leaves every `dtype` unchanged with: what an empty reduction
    gives."""
    match kind:
        case "add":
            return False if dtype == "i1" else 0
        case "mul":
            return 1
        case "and":
            return True if dtype == "i1" else (-1 if dtype[0] == "i" else _limit("max", dtype))
        case "or":
            return False if dtype == "i1" else 0
        case "fmax":
            least = as_dtype(numpy_dtype(dtype)).min
            return float(least) if dtype in FLOATS else int(least)
        case "max":
            return -np.inf if dtype in FLOATS else _limit("min", dtype)
        case "min":
            return np.inf if dtype in FLOATS else _limit("max", dtype)
    raise ValueError(f"no reduction is called {kind!r}")


def _limit(which: str, dtype: str) -> int:
    return int(getattr(np.iinfo(numpy_dtype(dtype)), which))


def check_kind(name: str, kind: str, allowed: tuple[str, ...], x: Type) -> None:
    check(kind in allowed, f"{name} has no kind {kind!r}")
    check_dtype(f"{name} {kind}", x, _ALLOWED[kind])


def _identity_array(kind: str, x: Array) -> Array:
    return np.array(identity(kind, short_of(x.dtype))).astype(x.dtype)


# --- reduce ---------------------------------------------------------------------------------


def _reduce_type(x: Type, *, dims: Ints, kind: str) -> tuple[Type, ...]:
    check_kind("reduce", kind, tuple(COMBINERS), x)
    check_axes("reduce", dims, x.rank)
    return (Type(x.dtype, tuple(n for d, n in enumerate(x.shape) if d not in dims)),)


def _reduce_array(x: Array, *, dims: Ints, kind: str) -> Array:
    wider = wide(x)
    start = _identity_array(kind, wider)
    combined = COMBINERS[kind].reduce(wider, axis=dims, dtype=wider.dtype, initial=start)
    return np.asarray(combined).astype(x.dtype)


def merge_index(kept: Any, reduced: Any, dims: Ints) -> tuple[Any, ...]:
    """The operand index of which `reduced` are the entries along `dims` and `kept` the others."""
    inner, outer = dict(zip(dims, reduced, strict=True)), iter(kept)
    return tuple(inner[d] if d in inner else next(outer) for d in range(len(kept) + len(dims)))


def _reduce_element(e: Any, i: Any, x: Any, *, dims: Ints, kind: str) -> Any:
    dtype = x.type.dtype
    return e.fold(
        [x.type.shape[d] for d in dims],
        e.const(dtype, identity(kind, dtype)),
        lambda r, acc: e.binary(kind, acc, x(merge_index(i, r, dims))),
    )


reduce = Prim(
    "reduce",
    "combine x along dims with add, mul, min, max, and, or; dims are dropped",
    _reduce_type,
    _reduce_array,
    _reduce_element,
    exact=False,
)


# --- arg_reduce -----------------------------------------------------------------------------


def _arg_reduce_type(x: Type, *, dim: int, kind: str, dtype: str) -> tuple[Type, ...]:
    check(kind in ("min", "max"), f"arg_reduce has no kind {kind!r}")
    check_dtype("arg_reduce", x, (*REALS, "i1"))
    check(dtype in INTEGERS, f"arg_reduce does not give {dtype}")
    check_axes("arg_reduce", (dim,), x.rank)
    return (Type(dtype, x.shape[:dim] + x.shape[dim + 1 :]),)


def _arg_reduce_array(x: Array, *, dim: int, kind: str, dtype: str) -> Array:
    target = numpy_dtype(dtype)
    if x.shape[dim] == 0:
        return np.zeros(x.shape[:dim] + x.shape[dim + 1 :], target)
    x = wide(x) if is_float(x) else x
    result: Array = (np.argmax if kind == "max" else np.argmin)(x, axis=dim).astype(target)
    return result


arg_reduce = Prim(
    "arg_reduce",
    "index along dim of the first least or greatest element; the first NaN counts as both; 0 "
    "along an empty axis",
    _arg_reduce_type,
    _arg_reduce_array,
)


# --- cumulative -----------------------------------------------------------------------------


def _cumulative_type(
    x: Type, *, dim: int, kind: str, exclusive: bool, reverse: bool
) -> tuple[Type, ...]:
    check_kind("cumulative", kind, ("add", "mul", "max"), x)
    check_axes("cumulative", (dim,), x.rank)
    return (x,)


def _cumulative_array(x: Array, *, dim: int, kind: str, exclusive: bool, reverse: bool) -> Array:
    along = np.moveaxis(wide(x), dim, 0)
    along = along[::-1] if reverse else along
    if exclusive:
        first = np.broadcast_to(_identity_array(kind, along), (1, *along.shape[1:]))
        along = np.concatenate([first, along])[: along.shape[0]]
    scanned = COMBINERS[kind].accumulate(along, axis=0, dtype=along.dtype)
    return np.moveaxis(scanned[::-1] if reverse else scanned, 0, dim).astype(x.dtype)


cumulative = Prim(
    "cumulative",
    "along dim, each element is all elements up to it combined with add, mul or max; without "
    "itself if exclusive; from the end if reverse",
    _cumulative_type,
    _cumulative_array,
    exact=False,
)


# --- windows --------------------------------------------------------------------------------


def window_extent(n: int, window: int, stride: int, dilation: int, padding: tuple[int, int]) -> int:
    """Number of windows along an axis of extent n; 0 if none fits."""
    room = n + sum(padding) - ((window - 1) * dilation + 1)
    return max(room // stride + 1, 0)


def check_window(x: Type, window: Ints, strides: Ints, dilations: Ints, padding: Pairs) -> None:
    given = len(window) == len(strides) == len(dilations) == len(padding) == x.rank
    check(given, f"windows over {x} take window, strides, dilations and padding per axis")
    positive = all(n > 0 for n in (*window, *strides, *dilations))
    check(positive, "windows, strides and dilations are positive")
    check(all(len(p) == 2 for p in padding), "padding is a pair (low, high) per axis")


def covered(n: int, extent: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Which windows o in 0..extent find position o * stride + offset inside 0..n: the slice of
    windows and the slice of positions."""
    first = max(-(offset // stride), 0)
    last = min((n - 1 - offset) // stride, extent - 1)
    if last < first:
        return slice(0, 0), slice(0, 0)
    begin = first * stride + offset
    return slice(first, last + 1), slice(begin, last * stride + offset + 1, stride)


def _reduce_window_type(
    x: Type, *, window: Ints, strides: Ints, dilations: Ints, padding: Pairs, kind: str
) -> tuple[Type, ...]:
    check_kind("reduce_window", kind, ("add", "mul", "max", "min", "fmax"), x)
    check_window(x, window, strides, dilations, padding)
    return (Type(x.dtype, tuple(map(window_extent, x.shape, window, strides, dilations, padding))),)


def _reduce_window_array(
    x: Array, *, window: Ints, strides: Ints, dilations: Ints, padding: Pairs, kind: str
) -> Array:
    wider = wide(x)
    shape = tuple(map(window_extent, x.shape, window, strides, dilations, padding))
    result = np.full(shape, identity(kind, short_of(x.dtype)), wider.dtype)
    for place in itertools.product(*map(range, window)):
        offsets = [k * d - p[0] for k, d, p in zip(place, dilations, padding, strict=True)]
        slices = list(map(covered, x.shape, shape, strides, offsets))
        into, source = tuple(s[0] for s in slices), tuple(s[1] for s in slices)
        result[into] = WINDOWS[kind](result[into], wider[source])
    return result.astype(x.dtype)


def _reduce_window_element(
    e: Any,
    i: Any,
    x: Any,
    *,
    window: Ints,
    strides: Ints,
    dilations: Ints,
    padding: Pairs,
    kind: str,
) -> Any:
    dtype, shape = x.type.dtype, x.type.shape
    neutral = e.const(dtype, identity(kind, dtype))
    if x.type.size == 0:
        return neutral
    extents = tuple(map(window_extent, shape, window, strides, dilations, padding))

    def body(r: Any, acc: Any) -> Any:
        inside, index = None, []
        for d, n in enumerate(shape):
            low, reach = padding[d][0], (window[d] - 1) * dilations[d]
            at = i[d] * strides[d] + r[d] * dilations[d] - low
            if low > 0 or (extents[d] - 1) * strides[d] + reach - low >= n:
                condition = e.in_range(at, 0, n)
                inside = condition if inside is None else e.binary("and", inside, condition)
                at = e.clamp(at, 0, n - 1)
            index.append(at)
        element = x(tuple(index))
        if inside is not None:
            element = e.select(inside, element, neutral)
        if kind == "fmax":
            return e.select(e.compare("gt", element, acc), element, acc)
        return e.binary(kind, acc, element)

    return e.fold(list(window), neutral, body)


reduce_window = Prim(
    "reduce_window",
    "combine each window of x with add, mul, max, min, or fmax, which passes over NaN and -inf: "
    "the lowest finite number is its least; padding holds the neutral value",
    _reduce_window_type,
    _reduce_window_array,
    _reduce_window_element,
    exact=False,
)


def _select_and_scatter_type(
    x: Type, dy: Type, *, window: Ints, strides: Ints, padding: Pairs
) -> tuple[Type, ...]:
    check_dtype("select_and_scatter", x, REALS)
    check_window(x, window, strides, (1,) * len(window), padding)
    extents = map(window_extent, x.shape, window, strides, (1,) * len(window), padding)
    expected = Type(x.dtype, tuple(extents))
    check(dy == expected, f"select_and_scatter over {x} takes {expected}, not {dy}")
    return (x,)


def _select_and_scatter_array(
    x: Array, dy: Array, *, window: Ints, strides: Ints, padding: Pairs
) -> Array:
    wider, flat = wide(x), np.arange(x.size).reshape(x.shape)
    best, chosen = np.zeros(dy.shape, wider.dtype), np.full(dy.shape, -1)
    for place in itertools.product(*map(range, window)):
        offsets = [k - p[0] for k, p in zip(place, padding, strict=True)]
        slices = list(map(covered, x.shape, dy.shape, strides, offsets))
        into, source = tuple(s[0] for s in slices), tuple(s[1] for s in slices)
        value, held = wider[source], best[into]
        take = (value > held) | (chosen[into] < 0)
        best[into] = np.where(take, value, held)
        chosen[into] = np.where(take, flat[source], chosen[into])
    result = np.zeros(x.size, wider.dtype)
    hit = chosen >= 0
    np.add.at(result, chosen[hit], dy[hit].astype(wider.dtype))
    return result.reshape(x.shape).astype(x.dtype)


def _scatter_near_type(
    x: Type, y: Type, dy: Type, *, window: Ints, strides: Ints, padding: Pairs
) -> tuple[Type, ...]:
    check(y == dy, f"scatter_near takes results and gradients of one type, not {y} and {dy}")
    return _select_and_scatter_type(x, dy, window=window, strides=strides, padding=padding)


def _scatter_near_array(
    x: Array, y: Array, dy: Array, *, window: Ints, strides: Ints, padding: Pairs
) -> Array:
    wider, best, given = wide(x), wide(y), wide(dy)
    limit = np.asarray(NEAR).astype(x.dtype).astype(wider.dtype) if is_float(x) else None
    result = np.zeros(x.shape, wider.dtype)
    for place in itertools.product(*map(range, window)):
        offsets = [k - p[0] for k, p in zip(place, padding, strict=True)]
        slices = list(map(covered, x.shape, dy.shape, strides, offsets))
        into, source = tuple(s[0] for s in slices), tuple(s[1] for s in slices)
        near = wider[source] == best[into]
        if limit is not None:
            away = np.abs(wider[source] - best[into]).astype(x.dtype)
            near = wide(away) < limit
        result[source] += np.where(near, given[into], 0)
    return result.astype(x.dtype)


def has_tiles(op: Op) -> bool:
    """Whether the windows of a scatter by windows lie side by side: no element is in two."""
    return bool(op.attr("strides") == op.attr("window"))


select_and_scatter = Prim(
    "select_and_scatter",
    "gradient of a max reduce_window: dy of each window goes to the first element of that window "
    "in x that none behind it exceeds (nothing exceeds a NaN, which exceeds nothing); a window "
    "wholly in the padding gives nothing",
    _select_and_scatter_type,
    _select_and_scatter_array,
    exact=False,
)

scatter_near = Prim(
    "scatter_near",
    "gradient of a max reduce_window that knows no first: dy of each window goes to all elements "
    "of that window in x that differ from its y by less than 1e-5; integers, that equal it",
    _scatter_near_type,
    _scatter_near_array,
    exact=False,
)
