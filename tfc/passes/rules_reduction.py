# A Prim, called, gives one Value here: mypy sees Any, since it may give several.
# mypy: disable-error-code="no-any-return"
"""Rules about reduce, arg_reduce, cumulative and reduce_window.

Sums and products of floats keep the order of their terms: a rule may drop axes that have one
element, never merge or reorder what is added. Kinds whose order does not matter at all (max, min,
and, or, and everything on integers) may.
"""

from __future__ import annotations

from tfc import prims as p
from tfc.base.dtypes import INEXACT
from tfc.ir.builder import Builder
from tfc.ir.core import Op, Type, Value
from tfc.ir.walk import made_by
from tfc.passes.matching import Ints, nonunit, only_units_differ, source_of

_IDEMPOTENT = ("max", "min", "and", "or")


def _any_order(op: Op) -> bool:
    """Whether the order in which `op` combines its elements does not show."""
    return op.attr("kind") in _IDEMPOTENT or op.operands[0].type.dtype not in INEXACT


def reduce_of_nothing(build: Builder, op: Op) -> Value | None:
    """reduce(x) along no axis = x, as 0 + x for sums of floats, for 0.0 + -0.0 is 0.0"""
    if op.attr("dims"):
        return None
    return _combined_with_start(build, op.operands[0], op.attr("kind"))


def _combined_with_start(build: Builder, x: Value, kind: str) -> Value:
    if kind == "add" and x.type.dtype in INEXACT:
        return p.add(build, x, p.full_like(build, x, 0.0))
    if kind == "fmax" and x.type.dtype in INEXACT:
        start = p.full_like(build, x, p.identity("fmax", x.type.dtype))
        return p.select(build, p.gt(build, x, start), x, start)
    return x


def reduce_of_units(build: Builder, op: Op) -> Value | None:
    """reduce(x) along axes of extent 1 = reshape(x), after the other axes are reduced"""
    x, dims, kind = op.operands[0], op.attr("dims"), op.attr("kind")
    real = tuple(d for d in dims if x.type.shape[d] != 1)
    if len(real) == len(dims):
        return None
    if real:
        x = p.reduce(build, x, dims=real, kind=kind)
    else:
        x = _combined_with_start(build, x, kind)
    return p.reshape(build, x, shape=op.result.type.shape)


def reduce_of_empty(build: Builder, op: Op) -> Value | None:
    """reduce(x) of no elements = the neutral element"""
    x, kind = op.operands[0], op.attr("kind")
    if x.type.size > 0 or op.result.type.size == 0:
        return None
    return p.splat(build, p.identity(kind, x.type.dtype), op.result.type)


def reduce_of_broadcast(build: Builder, op: Op) -> Value | None:
    """max, min, and, or of copies = one of them: axes that broadcast added need not be reduced"""
    inner, kind = made_by(op.operands[0], "broadcast"), op.attr("kind")
    if inner is None or kind not in _IDEMPOTENT or inner.result.type.size == 0:
        return None
    x, axes, dims = inner.operands[0], inner.attr("dims"), op.attr("dims")
    if all(d in axes for d in dims):
        return None
    x = p.reduce(build, x, dims=tuple(axes.index(d) for d in dims if d in axes), kind=kind)
    kept = [d for d in range(op.operands[0].type.rank) if d not in dims]
    left = tuple(kept.index(d) for d in axes if d not in dims)
    return p.broadcast(build, x, dims=left, shape=op.result.type.shape)


def reduce_of_transpose(build: Builder, op: Op) -> Value | None:
    """reduce(transpose(x)) = transpose(reduce(x)), where the order does not show"""
    inner = made_by(op.operands[0], "transpose")
    if inner is None or not _any_order(op):
        return None
    perm = inner.attr("perm")
    dims = tuple(sorted(perm[d] for d in op.attr("dims")))
    kept = [a for a in perm if a not in dims]
    x = p.reduce(build, inner.operands[0], dims=dims, kind=op.attr("kind"))
    return p.transpose(build, x, perm=tuple(sorted(kept).index(a) for a in kept))


def reduce_of_units_reshaped(build: Builder, op: Op) -> Value | None:
    """reduce(reshape(x)) that adds or drops axes of extent 1 = reshape(reduce(x))"""
    outer, x = op.operands[0], source_of(op.operands[0], "reshape")
    if x is None or not only_units_differ(x.type.shape, outer.type.shape):
        return None
    place = dict(zip(nonunit(outer.type.shape), nonunit(x.type.shape), strict=True))
    dims: Ints = tuple(place[d] for d in op.attr("dims") if d in place)
    if len(dims) < len(op.attr("dims")):
        return None  # reduce_of_units comes first
    x = p.reduce(build, x, dims=dims, kind=op.attr("kind"))
    return p.reshape(build, x, shape=op.result.type.shape)


def arg_reduce_of_one(build: Builder, op: Op) -> Value | None:
    """the place of the greatest of one element, or of equal ones, is 0"""
    x, dim = op.operands[0], op.attr("dim")
    inner = made_by(x, "broadcast")
    if x.type.shape[dim] > 1 and (inner is None or dim in inner.attr("dims")):
        return None
    return p.splat(build, 0, op.result.type)


def cumulative_of_one(build: Builder, op: Op) -> Value | None:
    """the scan of one element = the element, or the neutral element if exclusive"""
    x, kind = op.operands[0], op.attr("kind")
    if x.type.shape[op.attr("dim")] != 1:
        return None
    if op.attr("exclusive"):
        return p.splat(build, p.identity(kind, x.type.dtype), x.type)
    return x


def window_of_one(build: Builder, op: Op) -> Value | None:
    """reduce_window(x) over windows of one element = slice(x) by the strides, held above the
    lowest finite number if the kind is fmax"""
    x, padding = op.operands[0], op.attr("padding")
    if any(n != 1 for n in op.attr("window")) or any(n != (0, 0) for n in padding):
        return None
    shape: Type = x.type
    cut = p.slice_(
        build,
        x,
        start=(0,) * shape.rank,
        limit=shape.shape,
        stride=op.attr("strides"),
    )
    return _combined_with_start(build, cut, op.attr("kind"))


RULES = {
    "reduce": (
        reduce_of_nothing,
        reduce_of_empty,
        reduce_of_units,
        reduce_of_broadcast,
        reduce_of_transpose,
        reduce_of_units_reshaped,
    ),
    "arg_reduce": (arg_reduce_of_one,),
    "cumulative": (cumulative_of_one,),
    "reduce_window": (window_of_one,),
}
