"""Kernels of rows: several reductions along the last axis with what is made between them, against
the interpreter; and against the same sums in kernels of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.codegen.run import Running, fused, place
from tests.compare import EPSILON, assert_close, magnitude
from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run
from tfc.prims.row_plan import row_plan

SHAPES = [(3, 2), (7, 33), (5, 8, 129), (1, 67), (2, 1, 16), (33, 1024), (9, 2500), (17,)]
SHORT = [(40, 10), (131, 7), (2, 37, 5), (64, 16), (100, 3), (33, 2)]  # packets of rows
TARGETS = [bits for bits in (128, 256, 512) if bits <= host().vector_bits]


def target(bits: int) -> Target:
    """This machine as one with narrower vectors."""
    return dataclasses.replace(host(), vector_bits=bits, registers=16 if bits < 512 else 32)


def even(b: Builder, value: Value, shape: tuple[int, ...]) -> Value:
    """One element for each row, in all of the row."""
    return p.broadcast(b, value, dims=tuple(range(len(shape) - 1)), shape=shape)


def normalized(shape: tuple[int, ...], dtype: str = "f32") -> Function:
    """Softmax of a row of mean 0 and variance 1, scaled column by column; also the mean, the
    centred row (written in the second pass, read again later) and the greatest exponent."""
    b, dims = Builder("f"), (len(shape) - 1,)
    x, scale = b.param(Type(dtype, shape)), b.param(Type(dtype, shape[-1:]))
    outer = shape[:-1]

    def number(value: float, like: tuple[int, ...]) -> Value:
        one = p.const(b, value=np.array(value, numpy_dtype(dtype)))
        return p.broadcast(b, one, dims=(), shape=like)

    share = number(1 / shape[-1], outer)
    mean = p.mul(b, p.reduce(b, x, dims=dims, kind="add"), share)
    centred = p.sub(b, x, even(b, mean, shape))
    variance = p.mul(b, p.reduce(b, p.mul(b, centred, centred), dims=dims, kind="add"), share)
    root = p.rsqrt(b, p.add(b, variance, number(1e-3, outer)))
    columns = p.broadcast(b, scale, dims=dims, shape=shape)
    z = p.mul(b, p.mul(b, centred, even(b, root, shape)), columns)
    greatest = p.reduce(b, z, dims=dims, kind="max")
    e = p.exp(b, p.sub(b, z, even(b, greatest, shape)))
    total = p.reduce(b, e, dims=dims, kind="add")
    y = p.div(b, e, even(b, total, shape))
    return b.finish([y, mean, centred, greatest])


def arrays(fn: Function) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    types = [v.type for v in fn.params]
    return [rng.standard_normal(t.shape).astype(numpy_dtype(t.dtype)) for t in types]


def check(fn: Function, chunks: int = 1, bits: int | None = None) -> list[np.ndarray]:
    given = arrays(fn)
    got = Running(fused(fn, "rows", chunks), target(bits or host().vector_bits))(*given)
    for g, w in zip(got, run(fn, given), strict=True):
        assert_close(g, np.asarray(w), ulps=100.0, scale=magnitude(np.asarray(w)))
    return got


@pytest.mark.parametrize("bits", TARGETS)
@pytest.mark.parametrize("shape", SHAPES + SHORT)
def test_rows(shape: tuple[int, ...], bits: int) -> None:
    first = check(normalized(shape), 1, bits)
    for a, b in zip(first, check(normalized(shape), 3, bits), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16"])
@pytest.mark.parametrize("shape", [(7, 33), (5, 3, 130), (75, 9)])
def test_rows_of_other_floats(shape: tuple[int, ...], dtype: str) -> None:
    fn = normalized(shape, dtype)
    given = arrays(fn)
    wide = normalized(shape, "f64")
    for g, w in zip(
        Running(fused(fn, "rows", 2))(*given),
        run(wide, [a.astype(np.float64) for a in given]),
        strict=True,
    ):
        bound = EPSILON[dtype] * 40
        np.testing.assert_allclose(g.astype(np.float64), w, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", ["i32", "u8", "c64"])
@pytest.mark.parametrize("shape", [(6, 37), (139, 6)])
def test_rows_of_other_numbers(shape: tuple[int, ...], dtype: str) -> None:
    """The distance of every element from the sum of its row, and the sum of those."""
    b = Builder("f")
    x = b.param(Type(dtype, shape))
    total = p.reduce(b, x, dims=(1,), kind="add")
    away = p.sub(b, even(b, total, shape), x)
    fn = b.finish([p.reduce(b, p.mul(b, away, away), dims=(1,), kind="add"), away])
    check(fn, 2)


@pytest.mark.parametrize("shape", [(40, 21), (140, 11)])
def test_rows_with_bools(shape: tuple[int, ...]) -> None:
    """Which elements are the greatest of their row, and whether all are: bools are kept too."""
    b = Builder("f")
    x = b.param(Type("f32", shape))
    best = p.eq(b, x, even(b, p.reduce(b, x, dims=(1,), kind="max"), shape))
    every = p.reduce(b, best, dims=(1,), kind="and")
    fn = b.finish([p.xor(b, best, even(b, every, shape))])
    check(fn, 2)


@pytest.mark.parametrize("bits", TARGETS)
@pytest.mark.parametrize("shape", [(65, 4), (300, 4), (33, 2), (131, 7), (3, 47, 5), (64, 4)])
@pytest.mark.parametrize("dtype", ["f32", "i32"])
def test_what_there_is_one_of_for_each_row_of_short_rows(
    shape: tuple[int, ...], dtype: str, bits: int
) -> None:
    """Number and bool of a row reach the last row, of whatever number, as all others."""
    b = Builder("f")
    x, one = b.param(Type(dtype, shape)), b.param(Type(dtype, shape[:-1]))
    kept = b.param(Type("i1", shape[:-1]))
    y = p.select(b, even(b, kept, shape), p.mul(b, x, even(b, one, shape)), p.neg(b, x))
    fn = b.finish([y, p.reduce(b, y, dims=(len(shape) - 1,), kind="max")])
    rng = np.random.default_rng(0)
    given = [rng.integers(1, 99, v.type.shape).astype(numpy_dtype(dtype)) for v in fn.params[:2]]
    given.append(np.ones(shape[:-1], bool))
    for chunks in (1, 3):
        got = Running(fused(fn, "rows", chunks), target(bits))(*given)
        for g, w in zip(got, run(fn, given), strict=True):
            np.testing.assert_array_equal(g, w)


@pytest.mark.parametrize("shape", [(65, 4), (33, 2), (131, 7)])
def test_numbers_of_short_rows(shape: tuple[int, ...]) -> None:
    """What is computed of a row's number, too."""
    b = Builder("f")
    x = b.param(Type("i32", shape))
    y = p.mul(b, x, p.iota(b, dtype="i32", shape=shape, dim=0))
    fn = b.finish([y, p.reduce(b, y, dims=(1,), kind="max")])
    given = [np.random.default_rng(0).integers(1, 99, shape).astype(np.int32)]
    for got, want in zip(Running(fused(fn, "rows", 1))(*given), run(fn, given), strict=True):
        np.testing.assert_array_equal(got, want)


def test_sums_do_not_depend_on_the_kernel() -> None:
    """Each op in a kernel of its own gives the same bits."""
    for shape in ((7, 33), (33, 1024), (5, 8, 129), (45, 13), (2, 64, 4)):
        fn = normalized(shape)
        given = arrays(fn)
        together = Running(fused(fn, "rows", 3))(*given)
        for a, b in zip(together, Running(place(fn))(*given), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", [(19, 19), (16, 16)])
def test_what_is_read_elsewhere_is_computed_there(shape: tuple[int, ...]) -> None:
    """A row that adds up the rows of a transposed square array: what is kept for the row at hand
    is not what another row's place holds."""
    b = Builder("f")
    x = b.param(Type("f32", shape))
    e = p.exp(b, x)
    other = p.transpose(b, e, perm=(1, 0))
    total = p.reduce(b, p.add(b, e, other), dims=(1,), kind="add")
    share = p.div(b, e, even(b, total, shape))
    fn = b.finish([p.mul(b, share, other)])
    check(fn)


def test_plan_of_a_softmax() -> None:
    """What costs is kept for a later pass, in one row; what is cheap is made again."""
    fn = normalized((64, 100))
    op = fused(fn, "rows", 4).ops[0]
    plan = row_plan(op)
    names = [[v.op.defn.name for v in one.kept] for one in plan.passes]
    assert names == [[], [], [], ["exp"], []]
    assert [one.results for one in plan.passes] == [[], [2], [], [], [0]]
    assert [[r.attr("kind") for r in one.reduces] for one in plan.passes[:4]] == [
        ["add"], ["add"], ["max"], ["add"]]  # fmt: skip
    assert plan.scratch == 448 and op.attr("scratch")[2] == 4 * 448


def test_short_rows_with_zeros_of_both_signs() -> None:
    """A sum of negative zeros is what it is where each row is a packet: +0.0."""
    b = Builder("f")
    x = b.param(Type("f32", (32, 5)))
    total = p.reduce(b, x, dims=(1,), kind="add")
    fn = b.finish([p.mul(b, x, even(b, total, (32, 5))), total])
    given = np.full((32, 5), -0.0, np.float32)
    product, sums = Running(fused(fn, "rows", 1))(given)
    assert not np.signbit(sums).any() and np.signbit(product).all()
    for a, c in zip((product, sums), Running(place(fn))(given), strict=True):
        assert a.tobytes() == c.tobytes()


def test_rows_that_ask_ahead() -> None:
    """Of arrays that are large, where much is computed, the next row is asked for: also behind
    the last row, where there may be nothing."""
    shape = (301, 1021)
    b = Builder("f")
    x = b.param(Type("f32", shape))
    y = p.tanh(b, p.sub(b, x, even(b, p.reduce(b, x, dims=(1,), kind="max"), shape)))
    e = p.exp(b, p.sub(b, y, even(b, p.reduce(b, y, dims=(1,), kind="max"), shape)))
    total = p.reduce(b, e, dims=(1,), kind="add")
    fn = b.finish([p.div(b, e, even(b, total, shape))])
    first = check(fn)
    for a, c in zip(first, Running(place(fn))(*arrays(fn)), strict=True):
        assert a.tobytes() == c.tobytes()
