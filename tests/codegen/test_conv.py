"""conv and its gradients against their numpy meaning: any rank, stride, padding and dilation."""

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
from tfc.codegen.target import host
from tfc.ir.core import Type
from tfc.prims.contract_plan import hero_of
from tfc.prims.conv_plan import conv_grad_filter_plan

TOLERANCE = {"f32": 2e-6, "f64": 1e-14, "f16": 4e-3, "bf16": 3e-2}


def _attrs(
    spatial: int, strides: Any = None, padding: Any = None, dilation: Any = None, groups: int = 1
) -> dict[str, Any]:
    return {
        "strides": strides or (1,) * spatial,
        "padding": padding or ((0, 0),) * spatial,
        "f_dilation": dilation or (1,) * spatial,
        "groups": groups,
    }


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype in TOLERANCE:
        return rng.standard_normal(shape).astype(numpy_dtype(dtype))
    return rng.integers(-9, 9, shape).astype(numpy_dtype(dtype))


def _check(hero: str, a: np.ndarray, b: np.ndarray, attrs: dict[str, Any], dtype: str) -> None:
    kernel = HeroKernel(hero, [Type(dtype, a.shape), Type(dtype, b.shape)], attrs)
    got = kernel(a, b)
    np.testing.assert_array_equal(got, kernel(a, b, threads=2))
    meaning = getattr(p, hero).eval
    if dtype not in TOLERANCE:
        np.testing.assert_array_equal(got, meaning(a, b, **attrs))
        return
    wide = [x.astype(np.float64) for x in (a, b)]
    scale = meaning(*map(np.abs, wide), **attrs) + 1e-30
    error = np.abs(got.astype(np.float64) - meaning(*wide, **attrs))
    assert np.all(error <= TOLERANCE[dtype] * scale)


def _all_three(
    x: tuple[int, ...], f: tuple[int, ...], attrs: dict[str, Any], dtype: str = "f32"
) -> None:
    rng = np.random.default_rng(0)
    forward = attrs | {"x_dilation": (1,) * (len(x) - 2)}
    (y,) = p.conv.infer(Type(dtype, x), Type(dtype, f), **forward)
    images, filters = _random(rng, x, dtype), _random(rng, f, dtype)
    dy = _random(rng, y.shape, dtype)  # type: ignore[arg-type]
    _check("conv", images, filters, forward, dtype)
    _check("conv_grad_input", filters, dy, attrs | {"shape": x}, dtype)
    _check("conv_grad_filter", images, dy, attrs | {"shape": f}, dtype)


SAME = ((1, 1), (1, 1))
CASES = [
    ((2, 8, 9, 3), (3, 3, 3, 8), _attrs(2, padding=SAME)),
    ((2, 8, 9, 3), (3, 3, 3, 20), _attrs(2, (2, 1), ((0, 1), (1, 2)))),
    ((3, 11, 10, 4), (3, 2, 2, 6), _attrs(2, (2, 3), None, (2, 1), 2)),
    ((2, 12, 13, 5), (3, 3, 5, 17), _attrs(2, (1, 2), ((2, 2), (2, 1)), (2, 2))),
    ((3, 30, 4), (5, 4, 33), _attrs(1, padding=((2, 2),))),
    ((2, 5, 6, 7, 3), (2, 3, 2, 3, 9), _attrs(3, (1, 2, 1), ((1, 0), (1, 1), (0, 1)))),
    ((4, 5), (5, 7), _attrs(0)),
    ((5, 10, 10, 2), (3, 3, 2, 4), _attrs(2, padding=((-1, 2), (2, -2)))),
    ((9, 7, 7, 16), (1, 1, 16, 40), _attrs(2)),
    ((40, 3, 3, 16), (3, 3, 16, 40), _attrs(2)),
    ((2, 6, 6, 8), (3, 3, 1, 8), _attrs(2, padding=SAME, groups=8)),
    ((2, 6, 6, 8), (3, 3, 1, 16), _attrs(2, padding=SAME, groups=8)),
    ((1, 4, 4, 1), (4, 4, 1, 1), _attrs(2)),
    ((2, 3, 50, 6), (5, 5, 6, 6), _attrs(2, padding=((2, 2), (2, 2)))),
    ((3, 16, 17, 70), (3, 3, 70, 37), _attrs(2, (2, 2), SAME)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapes(case: Any) -> None:
    _all_three(*case)


@pytest.mark.parametrize(
    "x,f", [((8, 28, 28, 1), (5, 5, 1, 32)), ((8, 14, 14, 32), (5, 5, 32, 64))], ids=str
)
def test_split_into_chunks(x: tuple[int, ...], f: tuple[int, ...]) -> None:
    _all_three(x, f, _attrs(2, padding=((2, 2), (2, 2))))


def test_one_image_is_split_by_lines() -> None:
    attrs = _attrs(2, padding=((2, 2), (2, 2))) | {"x_dilation": (1, 1)}
    types = [Type("f32", (1, 14, 14, 32)), Type("f32", (5, 5, 32, 64))]
    assert HeroKernel("conv", types, attrs).chunks > 4
    _all_three((1, 14, 14, 32), (5, 5, 32, 64), _attrs(2, padding=((2, 2), (2, 2))))


@pytest.mark.parametrize(
    "x,f,attrs",
    [
        ((2, 41, 37, 24), (3, 3, 24, 32), _attrs(2, (2, 2), SAME)),
        ((1, 30, 30, 24), (5, 3, 24, 32), _attrs(2, (1, 3), ((2, 2), (0, 1)), (2, 1))),
        ((2, 40, 41, 16), (4, 3, 16, 40), _attrs(2, (3, 1), ((-1, 2), (2, -2)))),
        ((2, 60, 60, 70), (3, 3, 1, 70), _attrs(2, padding=SAME, groups=70)),
    ],
)
def test_parts_of_an_image_copy_their_lines(
    x: tuple[int, ...], f: tuple[int, ...], attrs: Any
) -> None:
    forward = attrs | {"x_dilation": (1, 1)}
    assert HeroKernel("conv", [Type("f32", x), Type("f32", f)], forward).chunks > x[0]
    _all_three(x, f, attrs)


@pytest.mark.parametrize(
    "x,f,attrs,dtype,cut,slices",
    [
        ((40, 11, 13, 5), (3, 3, 5, 37), _attrs(2, padding=SAME), "f32", 1, True),
        ((300, 3, 5, 6), (2, 2, 6, 40), _attrs(2, padding=((1, 1), (0, 1))), "f32", 0, True),
        ((3, 5, 301, 7), (3, 5, 7, 33), _attrs(2, (1, 1), ((1, 1), (2, 2))), "f32", 2, True),
        ((9, 29, 31, 3), (7, 5, 3, 67), _attrs(2, (2, 1), ((3, 3), (2, 2))), "f64", 1, True),
        ((5, 900, 4), (5, 4, 150), _attrs(1, (3,), None, (2,)), "f32", 1, False),
        ((2, 30, 29, 61), (3, 3, 61, 140), _attrs(2, padding=SAME), "f32", 1, False),
        ((2, 21, 23, 6), (3, 3, 3, 64), _attrs(2, padding=SAME, groups=2), "bf16", 1, False),
        ((7000, 5), (5, 50), _attrs(0), "f32", 0, True),
    ],
)
def test_blocks_and_slices_of_a_gradient_for_the_filter(
    x: tuple[int, ...], f: tuple[int, ...], attrs: Any, dtype: str, cut: int, slices: bool
) -> None:
    rng = np.random.default_rng(0)
    forward = attrs | {"x_dilation": (1,) * (len(x) - 2)}
    (y,) = p.conv.infer(Type(dtype, x), Type(dtype, f), **forward)
    images, dy = _random(rng, x, dtype), _random(rng, y.shape, dtype)  # type: ignore[arg-type]
    kernel = HeroKernel("conv_grad_filter", [Type(dtype, x), y], attrs | {"shape": f})
    found = conv_grad_filter_plan(hero_of(kernel.fn.ops[0])).split
    assert (found.cut, found.slices > 1) == (cut, slices)
    assert found.block < dy.shape[cut]
    _check("conv_grad_filter", images, dy, attrs | {"shape": f}, dtype)


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16", "i32", "u8"])
def test_dtypes(dtype: str) -> None:
    _all_three((2, 9, 8, 6), (3, 3, 3, 10), _attrs(2, (1, 2), SAME, groups=2), dtype)


@pytest.mark.parametrize("dilation", [(2, 3), (1, 2)])
def test_dilated_input(dilation: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    attrs = _attrs(2, padding=((-1, 2), (2, -2))) | {"x_dilation": dilation}
    x, f = _random(rng, (3, 11, 10, 4), "f32"), _random(rng, (3, 2, 4, 6), "f32")
    _check("conv", x, f, attrs, "f32")


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_any_small_convolution(data: st.DataObject) -> None:
    spatial = data.draw(st.integers(1, 2))
    groups = data.draw(st.integers(1, 2))
    window = tuple(data.draw(st.integers(1, 3)) for _ in range(spatial))
    dilation = tuple(data.draw(st.integers(1, 2)) for _ in range(spatial))
    strides = tuple(data.draw(st.integers(1, 3)) for _ in range(spatial))
    padding = tuple(
        (data.draw(st.integers(-1, 2)), data.draw(st.integers(-1, 2))) for _ in range(spatial)
    )
    sizes = tuple(data.draw(st.integers(8, 12)) for _ in range(spatial))
    channels, outputs = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20))
    x = (data.draw(st.integers(1, 3)), *sizes, channels * groups)
    f = (*window, channels, outputs * groups)
    _all_three(x, f, _attrs(spatial, strides, padding, dilation, groups))


@pytest.mark.parametrize(
    "x,f",
    [
        ((0, 5, 5, 2), (3, 3, 2, 4)),
        ((2, 5, 5, 0), (3, 3, 0, 4)),
        ((2, 5, 5, 2), (3, 3, 2, 0)),
        ((2, 2, 5, 2), (3, 3, 2, 4)),
    ],
    ids=str,
)
def test_empty(x: tuple[int, ...], f: tuple[int, ...]) -> None:
    """No image, channel, output or pixel: results of no elements, or zeros."""
    _all_three(x, f, _attrs(2))


def test_nan_reaches_only_the_windows_that_see_it() -> None:
    x = np.ones((1, 9, 9, 2), np.float32)
    x[0, 4, 4, 1] = np.nan
    f = np.ones((3, 3, 2, 5), np.float32)
    attrs = _attrs(2, padding=SAME) | {"x_dilation": (1, 1)}
    got = HeroKernel("conv", [Type("f32", x.shape), Type("f32", f.shape)], attrs)(x, f)
    expected = np.zeros((9, 9), bool)
    expected[3:6, 3:6] = True
    for output in range(5):
        np.testing.assert_array_equal(np.isnan(got[0, :, :, output]), expected)


@pytest.mark.parametrize("groups", [1, 6])
def test_bias_and_relu_ride_along(groups: int) -> None:
    def epilogue(build: Any, value: Any, extras: Any) -> Any:
        bias = p.broadcast(build, extras[0], dims=(3,), shape=value.type.shape)
        zero = p.splat(build, 0.0, value.type)
        return p.max(build, p.add(build, value, bias), zero)

    rng = np.random.default_rng(0)
    outputs = 21 if groups == 1 else groups
    x = _random(rng, (3, 10, 11, 6), "f32")
    f = _random(rng, (3, 3, 6 // groups, outputs), "f32")
    bias = _random(rng, (outputs,), "f32")
    attrs = _attrs(2, padding=SAME, groups=groups) | {"x_dilation": (1, 1)}
    types = [Type("f32", x.shape), Type("f32", f.shape)]
    kernel = HeroKernel("conv", types, attrs, epilogue, [Type("f32", bias.shape)])
    want = np.maximum(p.conv.eval(x.astype(np.float64), f.astype(np.float64), **attrs) + bias, 0)
    np.testing.assert_allclose(kernel(x, f, bias), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels, outputs, groups", [(8, 40, 1), (40, 40, 40)])
def test_filter_update_in_place_happens_once(channels: int, outputs: int, groups: int) -> None:
    def epilogue(build: Any, value: Any, extras: Any) -> Any:
        return p.sub(build, extras[0], value)

    rng = np.random.default_rng(0)
    x, dy = _random(rng, (20, 14, 14, channels), "f32"), _random(rng, (20, 14, 14, outputs), "f32")
    f = _random(rng, (5, 5, channels // groups, outputs), "f32")
    attrs = _attrs(2, padding=((2, 2), (2, 2)), groups=groups) | {"shape": f.shape}
    types = [Type("f32", x.shape), Type("f32", dy.shape)]
    kernel = HeroKernel(
        "conv_grad_filter", types, attrs, epilogue, [Type("f32", f.shape)], in_place=0
    )
    assert kernel.chunks > 1
    want = f - p.conv_grad_filter.eval(x.astype(np.float64), dy.astype(np.float64), **attrs)
    np.testing.assert_allclose(kernel(x, dy, f, threads=2), want, rtol=1e-3, atol=1e-3)


CHANNELS = [
    ((2, 9, 11, 64), (3, 3), _attrs(2, padding=SAME, groups=64)),
    ((2, 9, 12, 37), (3, 3), _attrs(2, (2, 2), SAME, groups=37)),
    ((1, 20, 31, 3), (11, 11), _attrs(2, groups=3)),
    ((3, 8, 19, 70), (5, 2), _attrs(2, (1, 3), ((2, 2), (0, 1)), (2, 1), groups=70)),
    ((2, 40, 17), (7,), _attrs(1, padding=((3, 3),), groups=17)),
    ((2, 3, 4, 5, 20), (2, 1, 3), _attrs(3, groups=20)),
    ((2, 30, 40, 18), (1, 1), _attrs(2, groups=18)),
    ((3, 1, 700, 2), (1, 30), _attrs(2, groups=2)),
    ((3, 300, 1, 20), (5, 1), _attrs(2, (2, 1), ((2, 2), (0, 0)), groups=20)),
    ((1, 5, 2600, 3), (1, 3), _attrs(2, padding=((0, 0), (1, 1)), groups=3)),
    ((1, 6, 90, 200), (4, 4), _attrs(2, (3, 2), ((1, 2), (2, 1)), groups=200)),
    ((9, 24, 25, 130), (3, 3), _attrs(2, padding=SAME, groups=130)),
    ((2, 12, 13, 6), (2, 1), _attrs(2, (3, 4), ((1, 0), (-1, 2)), groups=6)),
    ((1, 30, 33, 5), (3, 3), _attrs(2, (2, 3), ((7, 7), (20, 9)), (7, 10), groups=5)),
    ((2, 9, 9, 7), (3, 2), _attrs(2, (4, 6), ((2, 3), (5, 1)), (2, 4), groups=7)),
]


@pytest.mark.parametrize("x, window, attrs", CHANNELS)
def test_single_channels(x: tuple[int, ...], window: tuple[int, ...], attrs: Any) -> None:
    _all_three(x, (*window, 1, x[-1]), attrs)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_any_small_convolution_of_single_channels(data: st.DataObject) -> None:
    spatial = data.draw(st.integers(1, 3))

    def draw(low: int, high: int) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(low, high)) for _ in range(spatial))

    padding = tuple(zip(draw(-1, 5), draw(-1, 5), strict=True))
    groups = data.draw(st.integers(2, 40))
    attrs = _attrs(spatial, draw(1, 4), padding, draw(1, 3), groups)
    x = (data.draw(st.integers(1, 3)), *draw(2, 21), groups)
    _all_three(x, (*draw(1, 4), 1, groups), attrs)


def test_sums_over_lines_are_parts_that_two_threads_add_alike() -> None:
    shape = (9, 24, 25, 130)
    attrs = _attrs(2, padding=SAME, groups=130) | {"shape": (3, 3, 1, 130)}
    kernel = HeroKernel("conv_grad_filter", [Type("f32", shape)] * 2, attrs)
    assert kernel.chunks > 8


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16", "i32", "i8"])
def test_single_channels_of_other_dtypes(dtype: str) -> None:
    _all_three((2, 7, 9, 33), (3, 3, 1, 33), _attrs(2, padding=SAME, groups=33), dtype)


@pytest.mark.parametrize("bits", [128, 256])
def test_single_channels_in_narrower_packets(bits: int) -> None:
    """The sums are the same bits: each is taken in the order of the window."""
    rng = np.random.default_rng(0)
    narrow = dataclasses.replace(host(), vector_bits=min(bits, host().vector_bits), registers=16)
    x, f = (_random(rng, shape, "f32") for shape in ((2, 9, 11, 37), (3, 3, 1, 37)))
    attrs = _attrs(2, padding=SAME, groups=37) | {"x_dilation": (1, 1)}
    types = [Type("f32", x.shape), Type("f32", f.shape)]
    wide, other = (HeroKernel("conv", types, attrs, target=t) for t in (host(), narrow))
    assert wide(x, f).tobytes() == other(x, f).tobytes()


def test_a_long_sum_over_pixels_is_accurate() -> None:
    rng = np.random.default_rng(0)
    x, dy = (rng.uniform(0, 1, (8, 60, 60, 5)).astype(np.float32) for _ in range(2))
    attrs = _attrs(2, groups=5) | {"shape": (1, 1, 1, 5)}
    got = HeroKernel("conv_grad_filter", [Type("f32", x.shape)] * 2, attrs)(x, dy)
    want = (x.astype(np.float64) * dy).sum((0, 1, 2))
    np.testing.assert_allclose(got[0, 0, 0], want, rtol=1e-6)
