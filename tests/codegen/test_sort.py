"""sort against its numpy meaning: long lines, few of them, ties, every kind of key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tests.codegen.run import Running, fused
from tfc.base.dtypes import REALS, numpy_dtype
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.ir.interp import run


def _check(keys: np.ndarray, dtype: str, **attrs: Any) -> None:
    """Keys and the positions they stood at, in one chunk and in three."""
    b = Builder("f")
    x, at = b.param(Type(dtype, keys.shape)), b.param(Type("i32", keys.shape))
    fn = b.finish(p.sort(b, x, at, num_keys=1, **attrs))
    positions = np.broadcast_to(np.arange(keys.size).reshape(keys.shape), keys.shape)
    arrays = [keys, positions.astype(np.int32)]
    want = run(fn, arrays)
    for chunks in (1, 3):
        for got, expected in zip(Running(fused(fn, "sort", chunks))(*arrays), want, strict=True):
            np.testing.assert_array_equal(got.view(np.uint8), expected.view(np.uint8))


def _keys(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Many ties; among floats zeros of both signs, infinities and NaN."""
    kind = numpy_dtype(dtype)
    if dtype == "i1":
        return rng.random(shape) < 0.5
    if dtype[0] in "iu":
        info = np.iinfo(kind)
        wide = rng.integers(info.min, info.max, shape, dtype=kind, endpoint=True)
        return np.where(rng.random(shape) < 0.5, wide, (wide % 7).astype(kind))
    values = rng.standard_normal(shape).astype(np.float32)
    special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1.0])
    pick = special[rng.integers(0, len(special), shape)]
    return np.where(rng.random(shape) < 0.3, pick, values).astype(kind)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", (*REALS, "i1"))
@pytest.mark.parametrize("limit", [None, 5, 90])
def test_long_lines(dtype: str, descending: bool, limit: int | None) -> None:
    keys = _keys(np.random.default_rng(3), (3, 517), dtype)
    _check(keys, dtype, dim=1, descending=descending, limit=limit)


@pytest.mark.parametrize("limit", [0, 1, 3, 8, 40, 400])
@pytest.mark.parametrize("n", [400, 401])
def test_the_first_of_lines_that_grow_fall_and_stay(n: int, limit: int) -> None:
    up = np.arange(n, dtype=np.float32)
    keys = np.stack([up, -up, up * 0, up % 3, np.float32(2) ** (up % 250 - 125)])
    _check(keys, "f32", dim=1, descending=True, limit=limit)
    _check(keys, "f32", dim=1, descending=False, limit=limit)


@pytest.mark.parametrize(
    ("n", "limit"), [(200, 11), (407, 24), (1213, 33), (1600, 70), (1601, 64), (5003, 129)]
)
def test_some_of_long_lines(n: int, limit: int) -> None:
    """Some more than are inserted one by one, so few that a bound is found for them first."""
    up, rng = np.arange(n, dtype=np.float32), np.random.default_rng(n)
    ends = np.where(up < n - limit, 0, up)  # all that are wanted stand at the end
    often = np.where(up % 72 == 1, -up, 5)  # and in one lane
    random = rng.standard_normal(n).astype(np.float32)
    keys = np.stack([up, -up, up * 0, ends, often, random, _keys(rng, (n,), "f32")])
    _check(keys, "f32", dim=1, descending=True, limit=limit)
    _check(keys, "f32", dim=1, descending=False, limit=limit)
    _check(_keys(rng, (2, n), "i32"), "i32", dim=1, descending=True, limit=limit)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_lines(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 30)] * 3))
    shape = tuple(n * 13 if k == data.draw(st.integers(0, 2)) else n for k, n in enumerate(shape))
    dim = data.draw(st.integers(0, 2))
    dtype = data.draw(st.sampled_from(["f32", "f64", "i32", "u8", "bf16"]))
    keys = _keys(np.random.default_rng(data.draw(st.integers(0, 99))), shape, dtype)
    limit = data.draw(st.none() | st.integers(0, shape[dim]))
    _check(keys, dtype, dim=dim, descending=data.draw(st.booleans()), limit=limit)


def test_a_limit_beyond_the_axis_is_an_error() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (4, 7)))
    with pytest.raises(ValueError, match="first 8"):
        p.sort(b, x, dim=1, limit=8)
