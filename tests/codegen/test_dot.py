"""The dot hero against its numpy meaning: any axes, any dtype, ragged edges, epilogues, threads."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tests.codegen.heroes import HeroKernel
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.codegen.target import host
from tfc.ir.core import Type
from tfc.prims.contract_plan import split
from tfc.prims.loop_nest import dot_contraction

TOLERANCE = {"f32": 2e-5, "f64": 1e-12, "f16": 4e-3, "bf16": 4e-2}


def _operands(dtype: str, *shapes: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if dtype in TOLERANCE:
        return [rng.standard_normal(s).astype(numpy_dtype(dtype)) for s in shapes]
    return [rng.integers(0, 100, s).astype(numpy_dtype(dtype)) for s in shapes]


def _check(
    a: tuple[int, ...],
    b: tuple[int, ...],
    contract: Any,
    batch: Any = ((), ()),
    dtype: str = "f32",
) -> None:
    """Compiled = numpy in double precision, within a bound on rounding; the same for 2 threads."""
    left, right = _operands(dtype, a, b)
    attrs = {"batch": batch, "contract": contract}
    kernel = HeroKernel("dot", [Type(dtype, a), Type(dtype, b)], attrs)
    got = kernel(left, right)
    np.testing.assert_array_equal(got, kernel(left, right, threads=2))
    if dtype not in TOLERANCE:
        np.testing.assert_array_equal(got, p.dot.eval(left, right, **attrs))
        return
    wide = [x.astype(np.float64) for x in (left, right)]
    want = p.dot.eval(*wide, **attrs)
    scale = p.dot.eval(*map(np.abs, wide), **attrs) + 1e-30
    assert got.shape == want.shape
    assert np.all(np.abs(got.astype(np.float64) - want) <= TOLERANCE[dtype] * scale)


FORMS = {"nn": ((1,), (0,)), "nt": ((1,), (1,)), "tn": ((0,), (0,)), "tt": ((0,), (1,))}
SIZES = [
    (1, 1, 1),
    (1, 10, 7),
    (1, 300, 130),
    (2, 64, 70),
    (13, 1, 17),
    (5, 33, 1),
    (33, 784, 1),
    (16, 16, 16),
    (17, 31, 15),
    (100, 784, 10),
    (785, 130, 10),
    (99, 100, 15),
    (16, 50, 2),
    (131, 300, 7),
    (67, 2600, 13),
    (50, 2049, 3),
    (1024, 300, 130),
    (64, 100, 33),
    (61, 129, 100),
    (130, 65, 257),
    (200, 1600, 48),
    (3, 1024, 40),
    (70, 1030, 1024),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matrices(form: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    a = (m, k) if form[0] == "n" else (k, m)
    b = (k, n) if form[1] == "n" else (n, k)
    _check(a, b, FORMS[form])


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16", "i8", "u8", "i32", "i64", "u64"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(53, 70, 37), (67, 250, 11), (512, 300, 129)], ids=str)
def test_dtypes(size: tuple[int, int, int], form: str, dtype: str) -> None:
    m, k, n = size
    a = (m, k) if form[0] == "n" else (k, m)
    b = (k, n) if form[1] == "n" else (n, k)
    _check(a, b, FORMS[form], dtype=dtype)


def test_integers_wrap() -> None:
    kernel = HeroKernel(
        "dot",
        [Type("i32", (1, 2)), Type("i32", (2, 20))],
        {"batch": ((), ()), "contract": FORMS["nn"]},
    )
    a = np.full((1, 2), 2**31 - 1, np.int32)
    b = np.full((2, 20), 3, np.int32)
    np.testing.assert_array_equal(kernel(a, b), np.full((1, 20), -6, np.int32))


AXES = [
    # a, b, contract, batch
    ((300,), (300,), ((0,), (0,)), ((), ())),
    ((4, 50), (4, 50), ((1,), (1,)), ((0,), (0,))),
    ((5,), (7,), ((), ()), ((), ())),
    ((), (), ((), ()), ((), ())),
    ((), (33,), ((), ()), ((), ())),
    ((40, 784), (784,), ((1,), (0,)), ((), ())),
    ((784,), (784, 40), ((0,), (0,)), ((), ())),
    ((7, 9, 11), (7, 11, 13), ((2,), (1,)), ((0,), (0,))),
    ((7, 9, 11), (11, 7, 13), ((2,), (0,)), ((0,), (1,))),
    ((2, 3, 18, 20), (2, 3, 20, 33), ((3,), (2,)), ((0, 1), (0, 1))),
    ((2, 18, 3, 20), (2, 40, 3, 20), ((3,), (3,)), ((0, 2), (0, 2))),
    ((5, 7, 9, 11), (11, 7, 13, 2), ((3, 1), (0, 1)), ((), ())),
    ((8, 30, 64), (64, 80), ((2,), (0,)), ((), ())),
    ((8, 30, 64), (8, 30, 80), ((0, 1), (0, 1)), ((), ())),
    ((60, 8, 64), (64, 5, 40), ((2,), (0,)), ((), ())),
    ((64, 40, 40), (64, 40, 40), ((2,), (1,)), ((0,), (0,))),
    ((2, 2100, 256), (2, 2100, 130), ((1,), (1,)), ((0,), (0,))),
    ((3, 40, 70), (3, 40, 6), ((1,), (1,)), ((0,), (0,))),
    ((2, 50, 33, 1), (2, 50, 1, 9), ((1,), (1,)), ((0,), (0,))),
    ((3, 70, 400), (3, 400, 6), ((2,), (1,)), ((0,), (0,))),
    ((5, 33, 400), (400, 6), ((2,), (0,)), ((), ())),
    ((3, 9, 400), (3, 6, 400), ((2,), (2,)), ((0,), (0,))),
    ((30, 700, 3), (700, 3, 20), ((1, 2), (0, 1)), ((), ())),
    ((90, 700, 3), (3, 700, 20), ((1, 2), (1, 0)), ((), ())),
]


@pytest.mark.parametrize("case", AXES, ids=str)
def test_axes(case: Any) -> None:
    a, b, contract, batch = case
    _check(a, b, contract, batch)


@given(
    st.tuples(*[st.integers(1, 40)] * 3),
    st.integers(1, 3),
    st.sampled_from(sorted(FORMS)),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_any_small_shape(size: tuple[int, int, int], batches: int, form: str, double: bool) -> None:
    m, k, n = size
    a = (batches, m, k) if form[0] == "n" else (batches, k, m)
    b = (batches, k, n) if form[1] == "n" else (batches, n, k)
    contract = ((FORMS[form][0][0] + 1,), (FORMS[form][1][0] + 1,))
    _check(a, b, contract, ((0,), (0,)), "f64" if double else "f32")


def test_nothing_to_sum_is_zero() -> None:
    kernel = HeroKernel(
        "dot",
        [Type("f32", (9, 0)), Type("f32", (0, 21))],
        {"batch": ((), ()), "contract": FORMS["nn"]},
    )
    got = kernel(np.zeros((9, 0), np.float32), np.zeros((0, 21), np.float32))
    np.testing.assert_array_equal(got, np.zeros((9, 21), np.float32))


@pytest.mark.parametrize("a,b", [((0, 5), (5, 8)), ((4, 5), (5, 0))])
def test_no_result(a: tuple[int, int], b: tuple[int, int]) -> None:
    attrs = {"batch": ((), ()), "contract": FORMS["nn"]}
    kernel = HeroKernel("dot", [Type("f32", a), Type("f32", b)], attrs)
    got = kernel(np.zeros(a, np.float32), np.zeros(b, np.float32))
    assert got.shape == (a[0], b[1])


@pytest.mark.parametrize("form", FORMS)
def test_nan_and_infinity_stay_in_their_rows_and_columns(form: str) -> None:
    m, k, n = 50, 40, 37
    left, right = _operands("f32", (m, k), (k, n))
    left[7, 3] = np.nan
    right[5, 36] = np.inf
    bad = np.zeros((m, n), bool)
    bad[7, :] = bad[:, 36] = True
    a = left if form[0] == "n" else np.ascontiguousarray(left.T)
    b = right if form[1] == "n" else np.ascontiguousarray(right.T)
    attrs = {"batch": ((), ()), "contract": FORMS[form]}
    got = HeroKernel("dot", [Type("f32", a.shape), Type("f32", b.shape)], attrs)(a, b)
    np.testing.assert_array_equal(np.isfinite(got), ~bad)
    assert np.isnan(got[7]).all() and np.isinf(got[np.arange(m) != 7, 36]).all()


def _bias_relu(build: Any, value: Any, extras: Any) -> Any:
    rank = len(value.type.shape)
    bias = p.broadcast(build, extras[0], dims=(rank - 1,), shape=value.type.shape)
    zero = p.splat(build, 0.0, value.type)
    return p.max(build, p.add(build, value, bias), zero)


@pytest.mark.parametrize(
    "size", [(100, 784, 128), (33, 20, 19), (1, 50, 40), (64, 3, 1), (77, 785, 10)]
)
def test_bias_and_relu_ride_along(size: tuple[int, int, int]) -> None:
    m, k, n = size
    a, b, bias = _operands("f32", (m, k), (k, n), (n,))
    attrs = {"batch": ((), ()), "contract": FORMS["nn"]}
    types = [Type("f32", (m, k)), Type("f32", (k, n))]
    kernel = HeroKernel("dot", types, attrs, _bias_relu, [Type("f32", (n,))])
    want = np.maximum(a.astype(np.float64) @ b + bias, 0)
    np.testing.assert_allclose(kernel(a, b, bias), want, rtol=1e-4, atol=1e-4)


def _sgd(build: Any, value: Any, extras: Any) -> Any:
    rate = p.splat(build, 0.5, value.type)
    return p.sub(build, extras[0], p.mul(build, rate, value))


@pytest.mark.parametrize(
    "shape", [(784, 100, 128), (33, 50, 19), (17, 9, 1), (1, 9, 17), (784, 128, 10), (99, 97, 15)]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_update_in_place_happens_once(shape: tuple[int, int, int], threads: int) -> None:
    m, k, n = shape
    x, dy, w = _operands("f32", (k, m), (k, n), (m, n))
    attrs = {"batch": ((), ()), "contract": FORMS["tn"]}
    types = [Type("f32", (k, m)), Type("f32", (k, n))]
    kernel = HeroKernel("dot", types, attrs, _sgd, [Type("f32", (m, n))], in_place=0)
    want = w - 0.5 * (x.T.astype(np.float64) @ dy)
    np.testing.assert_allclose(kernel(x, dy, w, threads=threads), want, rtol=1e-4, atol=1e-4)


def test_whole_and_split_give_the_same_bits() -> None:
    for a, b, form in [
        ((300, 900), (900, 200), "nn"),
        ((300, 200), (300, 900), "tn"),
        ((128, 784), (784, 10), "nn"),
        ((128, 784), (128, 10), "tn"),
        ((700, 2600), (10, 2600), "nt"),
        ((300, 3072), (300, 200), "tn"),
        ((60, 9000), (9000, 3), "nn"),
    ]:
        left, right = _operands("f32", a, b)
        types = [Type("f32", a), Type("f32", b)]
        attrs = {"batch": ((), ()), "contract": FORMS[form]}
        parts = HeroKernel("dot", types, attrs)
        assert parts.chunks > 1
        whole = HeroKernel("dot", types, attrs, split=False)
        np.testing.assert_array_equal(parts(left, right, threads=2), whole(left, right))


def test_parts_cover_everything_once() -> None:
    for m, k, n in [(1000, 1000, 1000), (4096, 10, 512), (64, 5000, 640), (100, 784, 128)]:
        for b, contract in (((k, n), FORMS["nn"]), ((n, k), FORMS["nt"])):
            c = dot_contraction(
                Type("f32", (m, k)), Type("f32", b), batch=((), ()), contract=contract
            )
            parts = split(c)
            whole = (c.batches, c.strips, c.row.extent, c.col.extent)
            for extent, part, count in zip(whole, parts.extents, parts.parts, strict=True):
                assert (count - 1) * part < extent <= count * part


def _narrower(bits: int) -> Target:
    """This x86-64 machine as if it had AVX2 (256) or only SSE (128)."""
    missing = ("avx512", "avx10") if bits == 256 else ("avx", "fma", "f16c", "xop")
    features = ",".join(
        "-" + f[1:] if f[1:].startswith(missing) else f for f in host().features.split(",")
    )
    return dataclasses.replace(
        host(),
        features=features,
        cpu="haswell" if bits == 256 else "x86-64",
        vector_bits=bits,
        registers=16,
        fma=bits == 256,
    )


@pytest.mark.skipif(not host().triple.startswith("x86_64"), reason="narrower x86-64 targets")
@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "size",
    [(33, 70, 37), (64, 100, 10), (70, 100, 15), (45, 400, 10), (3, 40, 5), (1, 300, 40)],
    ids=str,
)
def test_narrower_targets(size: tuple[int, int, int], form: str, bits: int) -> None:
    if bits > host().vector_bits:
        pytest.skip("this machine is narrower")
    m, k, n = size
    a = (m, k) if form[0] == "n" else (k, m)
    b = (k, n) if form[1] == "n" else (n, k)
    left, right = _operands("f32", a, b)
    attrs = {"batch": ((), ()), "contract": FORMS[form]}
    types = [Type("f32", a), Type("f32", b)]
    got = HeroKernel("dot", types, attrs, target=_narrower(bits))(left, right)
    want = HeroKernel("dot", types, attrs)(left, right)
    if m > 2 and k < 400:  # one chain of multiply-adds for each element, whatever the tile
        np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
