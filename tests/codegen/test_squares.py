"""Transpositions: squares of packets turned in registers, their edges, and what rides along."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen.run import Running, fused
from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.ir.interp import run


def _check(fn: Any, arrays: list[np.ndarray], turned: bool | None = None) -> None:
    want = run(fn, arrays)[0]
    for chunks in (1, 3):
        running = Running(fused(fn, "loop", chunks))
        np.testing.assert_array_equal(running(*arrays)[0], want)
    if turned is not None:
        assert ("gather" not in running.code.llvm) == turned


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "u8", "i64", "bf16"])
@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (100, 17), (16, 1000)])
def test_both_axes_have_edges(dtype: str, shape: tuple[int, int]) -> None:
    b = Builder("f")
    x = b.param(Type(dtype, shape))
    fn = b.finish([p.transpose(b, x, perm=(1, 0))])
    values = np.random.default_rng(0).integers(0, 99, shape).astype(numpy_dtype(dtype))
    _check(fn, [values])


@pytest.mark.parametrize("perm", list(itertools.permutations(range(4))), ids=str)
def test_all_orders_of_four_axes(perm: tuple[int, ...]) -> None:
    b = Builder("f")
    x = b.param(Type("f32", (3, 18, 35, 20)))
    fn = b.finish([p.transpose(b, x, perm=perm)])
    _check(fn, [np.random.default_rng(0).standard_normal((3, 18, 35, 20)).astype("f")])


def test_what_lies_along_neither_axis_rides_along() -> None:
    b, shape = Builder("f"), (40, 65)
    x, bias, scale = (b.param(Type("f32", s)) for s in ((65, 40), (65,), (40,)))
    y = p.add(b, p.transpose(b, x, perm=(1, 0)), p.broadcast(b, bias, dims=(1,), shape=shape))
    fn = b.finish([p.mul(b, y, p.broadcast(b, scale, dims=(0,), shape=shape))])
    rng = np.random.default_rng(0)
    _check(fn, [rng.standard_normal(v.type.shape).astype("f") for v in fn.params], turned=True)


def test_one_that_lies_as_the_result_does_keeps_packets_along_it() -> None:
    b = Builder("f")
    x, y = b.param(Type("f32", (70, 40))), b.param(Type("f32", (40, 70)))
    fn = b.finish([p.add(b, p.transpose(b, x, perm=(1, 0)), y)])
    rng = np.random.default_rng(0)
    _check(fn, [rng.standard_normal(v.type.shape).astype("f") for v in fn.params])


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_any_transposition(data: st.DataObject) -> None:
    rank = data.draw(st.integers(2, 4))
    shape = tuple(data.draw(st.sampled_from([1, 2, 7, 16, 19, 33])) for _ in range(rank))
    perm = tuple(data.draw(st.permutations(range(rank))))
    b = Builder("f")
    x = b.param(Type("i32", shape))
    fn = b.finish([p.neg(b, p.transpose(b, x, perm=perm))])
    _check(fn, [np.arange(np.prod(shape), dtype=np.int32).reshape(shape)])
