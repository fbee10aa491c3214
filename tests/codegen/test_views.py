"""Slices that kernels read where they lie: compiled, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tfc.prims as p
from tests.compare import assert_close
from tests.samples import spread
from tfc.base.dtypes import numpy_dtype
from tfc.compiler import compile_function
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run
from tfc.passes.options import PassOptions

Call = Callable[..., list[np.ndarray]]


def compiled(fn: Function) -> tuple[Function, Call]:
    """The function as the pipeline leaves it, and a caller of its code."""
    executable = compile_function(fn, fn.name, PassOptions(check=True))

    def call(*arrays: np.ndarray) -> list[np.ndarray]:
        results = [np.empty(v.type.shape, np.float32) for v in fn.results]
        executable([a.ctypes.data for a in (*arrays, *results)], 1)
        return results

    return executable.function, call


def views(fn: Function) -> int:
    return sum(op.defn.name in ("slice", "dynamic_slice") for op in fn.ops)


def product(build: Builder, x: Value, w: Value) -> Value:
    return p.dot(build, x, w, contract=((x.type.rank - 1,), (0,)))


@pytest.mark.parametrize("dtype", ["i8", "u8", "i32", "i64", "u64"])
@pytest.mark.parametrize("start", [-3, 0, 2, 4, 100])
def test_a_view_begins_where_the_slice_would(dtype: str, start: int) -> None:
    build = Builder("f")
    x, w = build.param(Type("f32", (5, 3, 7))), build.param(Type("f32", (7, 4)))
    at = build.param(Type(dtype, ()))
    zero = p.constant(build, np.asarray(0, np.int32))
    row = p.dynamic_slice(build, x, at, zero, zero, sizes=(1, 3, 7))
    fn = build.finish([product(build, p.reshape(build, row, shape=(3, 7)), w)])
    final, call = compiled(fn)
    assert views(final) == 1
    number = np.asarray(start).astype(numpy_dtype(dtype))
    arrays = (*(spread("f32", v.type.shape, k) for k, v in enumerate((x, w))), number)
    assert_close(call(*arrays)[0], run(fn, arrays)[0], 4.0, 8.0)


def test_views_of_views_and_of_two_axes() -> None:
    build = Builder("f")
    x, w = build.param(Type("f32", (5, 6, 7))), build.param(Type("f32", (7, 4)))
    a, b = build.param(Type("i32", ())), build.param(Type("i64", (3,)))
    zero = p.constant(build, np.asarray(0, np.int32))
    second = p.reshape(build, p.dynamic_slice(build, b, a, sizes=(1,)), shape=())
    part = p.dynamic_slice(build, x, a, second, zero, sizes=(1, 4, 7))
    fixed = p.slice_(build, x, start=(1, 2, 0), limit=(2, 6, 7), stride=(1, 1, 1))
    both = [p.reshape(build, v, shape=(4, 7)) for v in (part, fixed)]
    fn = build.finish([product(build, v, w) for v in both])
    final, call = compiled(fn)
    assert views(final) == 3
    arrays = (
        spread("f32", x.type.shape, 0),
        spread("f32", w.type.shape, 1),
        np.asarray(2, np.int32),
        np.asarray([9, 0, 1], np.int64),
    )
    for got, want in zip(call(*arrays), run(fn, arrays), strict=True):
        assert_close(got, want, 4.0, 8.0)
