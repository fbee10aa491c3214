"""Reductions of every shape class, alone and with producers, epilogue and neighbours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.codegen.run import Running, fused
from tests.codegen.run import build as builder
from tests.codegen.test_samples import NARROW
from tests.compare import assert_close
from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type
from tfc.ir.interp import run

SHAPES = [
    ((1000,), (0,)),
    ((7, 33), (1,)),
    ((7, 33), (0,)),
    ((7, 33), (0, 1)),
    ((5, 6, 37), (0, 2)),
    ((5, 6, 37), (1,)),
    ((5, 6, 37), (0,)),
    ((3, 1, 70), (1,)),
    ((0, 4), (0,)),
    ((0, 4), (1,)),
    ((200, 10), (0,)),
    ((100, 10), (1,)),
    ((), ()),
    ((300, 200), (0,)),
    ((300, 200), (0, 1)),
    ((4, 5, 6, 7), (1, 3)),
    ((4, 5, 6, 7), (0, 2)),
    ((1, 1), (0,)),
    ((3, 150, 160), (0, 2)),
    ((5, 14_000), (1,)),
    ((70_000,), (0,)),
]
KINDS = [("f32", ("add", "max")), ("f16", ("add",)), ("i8", ("add", "min")), ("i1", ("and", "or")),
         ("c64", ("add",)), ("f64", ("add", "min"))]  # fmt: skip


def reductions(shape: tuple[int, ...], dims: tuple[int, ...], dtype: str, kinds: tuple) -> Function:
    """Several reductions of x and x*x, and an epilogue that uses the first and the last."""
    b = Builder("f")
    b.fold_elements = 0
    x = b.param(Type(dtype, shape))
    square = x if dtype == "i1" else p.mul(b, x, x)
    out = [p.reduce(b, (x, square)[n % 2], dims=dims, kind=k) for n, k in enumerate(kinds)]
    if dtype != "i1":
        out.append(p.add(b, out[0], out[-1]))
    return b.finish(out)


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("dtype, kinds", KINDS)
@pytest.mark.parametrize("shape, dims", SHAPES)
def test_reduce(
    shape: tuple[int, ...], dims: tuple[int, ...], dtype: str, kinds: tuple, chunks: int
) -> None:
    fn = reductions(shape, dims, dtype, kinds)
    x = np.random.default_rng(0).standard_normal(shape) * 3
    x = x > 0 if dtype == "i1" else x.astype(numpy_dtype(dtype))
    got = Running(fused(fn, "reduce", chunks))(x)
    for g, w in zip(got, run(fn, [x]), strict=True):
        size = np.abs(w[np.isfinite(w)]).astype(float).max(initial=0.0) if dtype != "i1" else 0.0
        assert_close(g, np.asarray(w), ulps=64.0, scale=max(float(size), x.size**0.5))


@pytest.mark.parametrize(
    "shape, dims", [((70_001,), (0,)), ((3_000, 130), (0,)), ((2, 60_000), (1,))]
)
def test_long_sums_are_accurate(shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)
    b = Builder("f")
    fn = b.finish([p.reduce(b, b.param(Type("f32", shape)), dims=dims, kind="add")])
    for chunks in (1, 4):
        (got,) = Running(fused(fn, "reduce", chunks))(x)
        np.testing.assert_allclose(got, x.sum(dims, dtype=np.float64), rtol=5e-7)


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize("position", [0, 16, 40, 99])
def test_a_nan_anywhere_is_the_extremum(kind: str, position: int) -> None:
    x = np.arange(100, dtype=np.float32)
    x[position] = np.nan
    b = Builder("f")
    fn = b.finish([p.reduce(b, b.param(Type("f32", (100,))), dims=(0,), kind=kind)])
    assert np.isnan(Running(fused(fn, "reduce"))(x)[0])


def test_chunks_are_bit_equal_in_any_order_of_calls() -> None:
    """A kernel split into chunks gives the same bits whoever runs which chunk: the runner calls
    them last first; here two runs and each range of chunks at once."""
    shape = (4_000, 33)
    fn = reductions(shape, (0,), "f32", ("add", "max"))
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    running = Running(fused(fn, "reduce", 5))
    first, second = running(x), running(x)
    for a, b in itertools.zip_longest(first, second):
        assert a.tobytes() == b.tobytes()


@pytest.mark.skipif(not host().triple.startswith("x86_64"), reason="older x86 processors")
@pytest.mark.parametrize("target", NARROW, ids=lambda t: str(t.vector_bits))
@pytest.mark.parametrize(("dtype", "count"), [("f32", 6), ("f32", 9), ("f64", 5), ("c64", 5)])
def test_lanes_that_no_element_has_are_left_out(dtype: str, count: int, target: Target) -> None:
    """Their quotients are NaN."""
    build, (x, y) = builder(dtype, dtype, shape=(count,))
    fn = build.finish([p.reduce(build, p.div(build, x, y), dims=(0,), kind="add")])
    array = np.arange(1, count + 1).astype(numpy_dtype(dtype))
    (found,) = Running(fused(fn, "reduce"), target)(2 * array, array)
    np.testing.assert_allclose(found, 2 * count, rtol=1e-6)
