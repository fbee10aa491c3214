"""Primitives that make or move elements without arithmetic on them.

Element rules receive an index tuple whose entries are Index objects or Python ints; both take
`+ - *` with ints. `e.in_range(index, lo, hi)` is the i1 packet lo <= index < hi, and
`e.clamp(index, lo, hi)` the index forced into lo..hi, both included; `e.known_within` is the same
for an index that is known to be one of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.dtypes import REALS, numpy_dtype
from tfc.ir.core import Literal, Type
from tfc.prims.elementwise import MOVED
from tfc.prims.prim import Prim, check, check_dtype, moves

Ints = tuple[int, ...]


def check_permutation(name: str, perm: Ints, rank: int) -> None:
    check(
        sorted(perm) == list(range(rank)), "{}: {} is no permutation of {} axes", name, perm, rank
    )


def check_axes(name: str, dims: Ints, rank: int) -> None:
    """`dims` are distinct axes of a value of that rank, in increasing order or not."""
    distinct = len(set(dims)) == len(dims)
    check(distinct and all(0 <= d < rank for d in dims), "{}: {} are no {} axes", name, dims, rank)


def check_shape(name: str, shape: Ints) -> None:
    check(all(d >= 0 for d in shape), "{}: a shape has no negative extents: {}", name, shape)


def _const_type(*, value: Any) -> tuple[Type, ...]:
    check(isinstance(value, Literal), "const takes an array, not {!r}", value)
    return (value.type,)


const = Prim(
    "const",
    "the array `value`",
    _const_type,
    lambda *, value: value.array,
    lambda e, i, *, value: e.literal(value, i),
    cheap=True,
)


def _iota_type(*, dtype: str, shape: Ints, dim: int) -> tuple[Type, ...]:
    check(dtype in REALS, "iota does not give {}", dtype)
    check_shape("iota", shape)
    check_axes("iota", (dim,), len(shape))
    return (Type(dtype, shape),)


def _iota_array(*, dtype: str, shape: Ints, dim: int) -> np.ndarray:
    counts = np.arange(shape[dim]).astype(numpy_dtype(dtype))
    return np.broadcast_to(counts.reshape([-1] + [1] * (len(shape) - 1 - dim)), shape)


iota = Prim(
    "iota",
    "each element is its own index along `dim`",
    _iota_type,
    _iota_array,
    lambda e, i, *, dtype, shape, dim: e.packet_from(i[dim], dtype),
    cheap=True,
)


def _broadcast_type(x: Type, *, dims: Ints, shape: Ints) -> tuple[Type, ...]:
    check_shape("broadcast", shape)
    check_axes("broadcast", dims, len(shape))
    fits = len(dims) == x.rank and all(shape[d] == n for d, n in zip(dims, x.shape, strict=True))
    check(fits, "broadcast: axes of {} are not axes {} of {}", x, dims, shape)
    return (Type(x.dtype, shape),)


def _broadcast_array(x: np.ndarray, *, dims: Ints, shape: Ints) -> np.ndarray:
    ordered = np.transpose(x, np.argsort(dims)) if dims else x
    aligned = ordered.reshape([n if d in dims else 1 for d, n in enumerate(shape)])
    return np.broadcast_to(aligned, shape)


broadcast = moves(
    "broadcast",
    "axis a of x becomes axis dims[a] of the result; the other axes repeat it",
    _broadcast_type,
    _broadcast_array,
    lambda e, i, x, *, dims, shape: x(tuple(i[d] for d in dims)),
    folds=False,
)


def _reshape_type(x: Type, *, shape: Ints) -> tuple[Type, ...]:
    check_shape("reshape", shape)
    result = Type(x.dtype, shape)
    check(result.size == x.size, "reshape: {} does not have the size of {}", x, shape)
    return (result,)


def reshape_groups(source: Ints, target: Ints) -> list[tuple[range, range]]:
    """The finest split of two shapes of one size into runs of axes with equal products: a reshape
    mixes indices only within a run. Axes of extent 1 stand in runs of their own."""
    groups: list[tuple[range, range]] = []
    a = b = 0
    while a < len(source) or b < len(target):
        start_a, start_b, size_a, size_b = a, b, 1, 1
        if a < len(source) and source[a] == 1:
            a += 1
        elif b < len(target) and target[b] == 1:
            b += 1
        else:
            size_a, size_b, a, b = source[a], target[b], a + 1, b + 1
            while size_a != size_b:
                if size_a < size_b:
                    size_a, a = size_a * source[a], a + 1
                else:
                    size_b, b = size_b * target[b], b + 1
        groups.append((range(start_a, a), range(start_b, b)))
    return groups


def _reshape_element(e: Any, i: Any, x: Any, *, shape: Ints) -> Any:
    source = x.type.shape
    if x.type.size == 0:
        return x((0,) * len(source))
    index: list[Any] = []
    for axes, result_axes in reshape_groups(source, shape):
        if not result_axes:
            index.append(0)
        elif len(axes) == 1 == len(result_axes):
            index.append(i[result_axes[0]])
        elif axes:
            linear = e.linearize(tuple(i[d] for d in result_axes), [shape[d] for d in result_axes])
            index.extend(e.delinearize(linear, [source[a] for a in axes]))
    return x(tuple(index))


reshape = moves(
    "reshape",
    "the same elements in row-major order under another shape",
    _reshape_type,
    lambda x, *, shape: x.reshape(shape),
    _reshape_element,
)


def _transpose_type(x: Type, *, perm: Ints) -> tuple[Type, ...]:
    check_permutation("transpose", perm, x.rank)
    return (Type(x.dtype, tuple(x.shape[a] for a in perm)),)


transpose = moves(
    "transpose",
    "axis d of the result is axis perm[d] of x",
    _transpose_type,
    lambda x, *, perm: np.transpose(x, perm),
    lambda e, i, x, *, perm: x(tuple(i[perm.index(a)] for a in range(len(perm)))),
)


def _slice_type(x: Type, *, start: Ints, limit: Ints, stride: Ints) -> tuple[Type, ...]:
    given = len(start) == len(limit) == len(stride) == x.rank
    check(given, "slice of {} takes start, limit and stride per axis", x)
    for n, a, b, s in zip(x.shape, start, limit, stride, strict=True):
        check(0 <= a <= b <= n and s > 0, "slice: {}:{}:{} does not lie in 0:{}", a, b, s, n)
    extents = zip(start, limit, stride, strict=True)
    return (Type(x.dtype, tuple(-((a - b) // s) for a, b, s in extents)),)


slice_ = moves(
    "slice",
    "x[start:limit:stride] along every axis",
    _slice_type,
    lambda x, *, start, limit, stride: x[tuple(map(slice, start, limit, stride))],
    lambda e, i, x, *, start, limit, stride: x(
        tuple(i[d] * stride[d] + start[d] for d in range(len(start)))
    ),
)


def _reverse_type(x: Type, *, dims: Ints) -> tuple[Type, ...]:
    check_axes("reverse", dims, x.rank)
    return (x,)


reverse = moves(
    "reverse",
    "x backwards along dims",
    _reverse_type,
    lambda x, *, dims: np.flip(x, dims),
    lambda e, i, x, *, dims: x(
        tuple(i[d] * -1 + (n - 1) if d in dims else i[d] for d, n in enumerate(x.type.shape))
    ),
)


def dilated(extent: int, interior: int) -> int:
    """Extent of an axis with `interior` new elements between neighbours."""
    return extent + max(extent - 1, 0) * interior


def _pad_type(x: Type, value: Type, *, low: Ints, high: Ints, interior: Ints) -> tuple[Type, ...]:
    check_dtype("pad", x, MOVED)
    check(value == Type(x.dtype, ()), "pad of {} takes a scalar {}, not {}", x, x.dtype, value)
    given = len(low) == len(high) == len(interior) == x.rank
    check(given and all(n >= 0 for n in interior), "pad of {}: low, high, interior per axis", x)
    pads = zip(x.shape, low, high, interior, strict=True)
    shape = tuple(dilated(n, k) + a + b for n, a, b, k in pads)
    check_shape("pad", shape)
    return (Type(x.dtype, shape),)


def _pad_array(
    x: np.ndarray, value: np.ndarray, *, low: Ints, high: Ints, interior: Ints
) -> np.ndarray:
    spread = np.full([dilated(n, k) for n, k in zip(x.shape, interior, strict=True)], value)
    spread[tuple(slice(None, None, k + 1) for k in interior)] = x
    widths = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    padded = np.pad(spread, widths, constant_values=value) if widths else spread
    crops = (
        slice(max(-a, 0), n - max(-b, 0)) for n, a, b in zip(padded.shape, low, high, strict=True)
    )
    return padded[tuple(crops)]


def _pad_element(
    e: Any, i: Any, x: Any, value: Any, *, low: Ints, high: Ints, interior: Ints
) -> Any:
    """Where the index falls between or beside the elements of x, the load is clamped and its
    element replaced."""
    if x.type.size == 0:
        return value(())
    inside, index = None, []
    for d, n in enumerate(x.type.shape):
        step, at = interior[d] + 1, i[d] - low[d]
        conditions = []
        if step > 1:
            conditions.append(e.in_range(e.index_mod(at, step), 0, 1))
            at = e.index_floordiv(at, step)
        if low[d] > 0 or high[d] > 0:
            conditions.append(e.in_range(at, 0, n))
            at = e.clamp(at, 0, n - 1)
        index.append(at)
        for condition in conditions:
            inside = condition if inside is None else e.binary("and", inside, condition)
    element = x(tuple(index))
    return element if inside is None else e.select(inside, element, value(()))


pad = Prim(
    "pad",
    "x with `low` and `high` elements of `value` around it and `interior` between neighbours, "
    "along every axis; negative low and high crop",
    _pad_type,
    _pad_array,
    _pad_element,
)


def _concat_type(*xs: Type, dim: int) -> tuple[Type, ...]:
    check(len(xs) > 0, "concat takes an operand")
    first = xs[0]
    check_axes("concat", (dim,), first.rank)
    for x in xs:
        same = x.dtype == first.dtype and x.rank == first.rank
        rest = (
            same
            and x.shape[:dim] + x.shape[dim + 1 :] == first.shape[:dim] + first.shape[dim + 1 :]
        )
        check(rest, "concat along {}: {} does not match {}", dim, x, first)
    total = sum(x.shape[dim] for x in xs)
    return (Type(first.dtype, (*first.shape[:dim], total, *first.shape[dim + 1 :])),)


def _concat_element(e: Any, i: Any, *xs: Any, dim: int) -> Any:
    """A chain of selects, each load clamped into its operand."""
    parts, offset = [], 0
    for x in xs:
        extent = x.type.shape[dim]
        if extent:
            parts.append((x, offset, extent))
        offset += extent
    if not parts:
        return e.const(xs[0].type.dtype, 0)
    chosen = None
    for x, start, extent in parts:
        at = i[dim] - start
        if len(parts) > 1:
            at = e.clamp(at, 0, extent - 1)
        element = x((*i[:dim], at, *i[dim + 1 :]))
        if chosen is None:
            chosen = element
        else:
            chosen = e.select(e.in_range(i[dim], 0, start), chosen, element)
    return chosen


concat = Prim(
    "concat",
    "the operands one after the other along dim",
    _concat_type,
    lambda *xs, dim: np.concatenate(xs, axis=dim),
    _concat_element,
)
