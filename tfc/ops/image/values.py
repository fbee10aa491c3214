"""Shorter ways to write primitives: arithmetic with plain numbers, and loops.

`m = Math(build)`; then `m.add(x, 1)` is `p.add` of `x` and a splat of 1 of the type of `x`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc import prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value


class Math:
    """The elementwise primitives; operands may be numbers, but not all of them."""

    def __init__(self, build: Any):
        self.build = build

    def __getattr__(self, name: str) -> Callable[..., Value]:
        primitive = getattr(p, name)

        def function(*operands: Any) -> Value:
            tested = operands[1:] if name == "select" else operands
            like = next(x for x in tested if isinstance(x, Value))
            values = [self.value(x, like) for x in operands]
            result: Value = primitive(self.build, *values)
            return result

        return function

    def value(self, x: Any, like: Value) -> Value:
        """`x`, a splat of the type of `like` if it is a number."""
        return x if isinstance(x, Value) else p.full_like(self.build, like, x)

    def to(self, x: Value, dtype: str) -> Value:
        """`x` in another dtype."""
        return x if x.type.dtype == dtype else p.convert(self.build, x, dtype=dtype)

    def over(self, x: Value, shape: Sequence[int], *dims: int) -> Value:
        """`x`, whose axes are `dims` of `shape`, repeated over the others."""
        return p.broadcast(self.build, x, dims=dims, shape=tuple(shape))

    def column(self, x: Value, c: int) -> Value:
        """`x[..., c]`."""
        dims = x.type.shape
        start, limit = [0] * len(dims), list(dims)
        start[-1], limit[-1] = c, c + 1
        one = p.slice(
            self.build, x, start=tuple(start), limit=tuple(limit), stride=(1,) * len(dims)
        )
        return p.reshape(self.build, one, shape=dims[:-1])

    def columns(self, parts: Sequence[Value]) -> Value:
        """The parts as the entries of a new last axis."""
        wide = [p.reshape(self.build, v, shape=(*v.type.shape, 1)) for v in parts]
        return p.concat(self.build, *wide, dim=len(parts[0].type.shape))

    def element(self, x: Value, *at: Value) -> Value:
        """One element, at scalar places."""
        one = p.dynamic_slice(self.build, x, *at, sizes=(1,) * len(at))
        return p.reshape(self.build, one, shape=())

    def along(self, x: Value, axis: int, at: Value) -> Value:
        """The slice of `x` at the scalar place `at` of `axis`, which keeps the extent 1."""
        dims = x.type.shape
        zero = p.full_like(self.build, at, 0)
        starts = [at if d == axis else zero for d in range(len(dims))]
        sizes = tuple(1 if d == axis else n for d, n in enumerate(dims))
        return p.dynamic_slice(self.build, x, *starts, sizes=sizes)


def repeat(
    build: Any,
    start: Sequence[Value],
    test: Callable[..., Value],
    body: Callable[..., Sequence[Value]],
) -> list[Value]:
    """The `while` of values that begin as `start`: as long as test(m, *values), they become
    body(m, *values), with `m` the Math of the region. What the body returns as it is never changes.
    """
    types = [v.type for v in start]
    regions = (
        _region("condition", types, lambda m, *v: [test(m, *v)]),
        _region("body", types, body),
    )
    return list(build.emit(p.while_, *start, regions=regions))


def _region(name: str, types: Sequence[Type], write: Callable[..., Sequence[Value]]) -> Function:
    inner = Builder(name)
    results = write(Math(inner), *[inner.param(t) for t in types])
    return inner.finish(list(results))
