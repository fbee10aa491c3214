"""Kernels whose results no cache holds stream them, if they begin a line and are not operands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import tfc.prims as p
from tests.codegen.run import native_call
from tests.samples import spread
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.codegen import module, native_rt
from tfc.codegen.kernels import kernel_stages
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run

SMALL = replace(host(), l3_bytes=1024)


def alone(type: Type, body: Callable[[Builder, Value], Value], chunks: int = 1) -> Function:
    """body(x), written to the result, as one kernel."""
    inner, outer = Builder("k"), Builder("f")
    region = inner.finish([body(inner, inner.param(type))])
    place = {"hero": "loop", "out": (("result", 0),), "chunks": chunks}
    made = outer.emit(p.fusion, outer.param(type), regions=(region,), **place)
    return outer.finish(made, (("arena", 0), ("donated", ())))


def squares(dtype: str, shape: tuple[int, ...], chunks: int = 1) -> Function:
    return alone(Type(dtype, shape), lambda build, x: p.mul(build, x, x), chunks)


def upside_down(rows: int, columns: int) -> Function:
    """Rows in reverse: one loop for each axis."""
    type = Type("f32", (rows, columns))
    return alone(type, lambda build, x: p.reverse(build, x, dims=(0,)))


def streams(fn: Function, target: Target = SMALL) -> bool:
    return "!nontemporal" in kernel_stages(fn.ops[0], target)[0].text


def aligned(type: Type, offset: int) -> np.ndarray:
    """A buffer that begins `offset` bytes behind the begin of a line."""
    raw = np.full(type.nbytes + 192, 0x55, np.uint8)
    begin = -raw.ctypes.data % 64 + offset
    return raw[begin : begin + type.nbytes].view(numpy_dtype(type.dtype)).reshape(type.shape)


@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "i8", "f16"])
@pytest.mark.parametrize("shape", [(1024,), (1027,), (64, 64), (3, 5, 128)])
@pytest.mark.parametrize("chunks", [1, 3])
def test_results_wherever_they_lie(dtype: str, shape: tuple[int, ...], chunks: int) -> None:
    fn = squares(dtype, shape, chunks)
    assert streams(fn)
    x = spread(dtype, shape)
    code = module.compile_function(fn, SMALL)
    [want] = run(squares(dtype, shape), [x])
    fork, arena = native_rt.parallel_for_address(2), np.zeros(64, np.uint8)
    for offset in (0, 16, x.dtype.itemsize):
        out = aligned(fn.results[0].type, offset)
        assert not native_call(code, [x, out], arena, np.zeros(10, np.int64), fork)()
        np.testing.assert_array_equal(out, want)
    same = aligned(fn.results[0].type, 0)
    same[...] = x
    assert not native_call(code, [same, same], arena, np.zeros(10, np.int64), fork)()
    np.testing.assert_array_equal(same, want)


def test_what_a_cache_holds_does_not_stream() -> None:
    assert not streams(squares("f32", (255,)))
    assert not streams(squares("f32", (1024,)), host())
    assert not streams(squares("c64", (1024,)))  # pairs


def test_rows_that_begin_within_a_line_do_not_stream() -> None:
    assert streams(upside_down(61, 64))
    assert not streams(upside_down(64, 61))
