"""Convolutions with few outputs, and input gradients with strides or few channels, as simplify
rewrites them."""

from __future__ import annotations

import numpy as np
import pytest

import tfc.prims as p
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type
from tfc.ir.interp import run
from tfc.passes.options import PassOptions
from tfc.passes.simplify import simplify


def gradient(rng: np.random.Generator) -> Function:
    """One of random extents, filters, strides, padding and groups."""
    axes, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 1, 2]))
    largest = 8 if axes < 3 else 5
    window = tuple(int(k) for k in rng.integers(1, 6 if axes < 3 else 4, axes))
    extents = tuple(int(n) for n in rng.integers(1, largest + 1, axes))
    padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 4, (axes, 2)))
    strides = tuple(int(s) for s in rng.integers(1, 4, axes))
    channels = int(rng.choice([1, 2, 3, 20]))
    f = Type("f64", (*window, channels, int(rng.choice([1, 2, 50])) * groups))
    x = Type("f64", (2, *extents, channels * groups))
    at = {"strides": strides, "padding": padding, "f_dilation": (1,) * axes, "groups": groups}
    dy = p.conv.infer(x, f, x_dilation=(1,) * axes, **at)[0]
    b = Builder("f")
    return b.finish([p.conv_grad_input(b, b.param(f), b.param(dy), shape=x.shape, **at)])


@pytest.mark.parametrize("seed", range(8))
def test_phases_together_are_the_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    changed = 0
    for _ in range(12):
        fn = gradient(rng)
        after = simplify(fn, PassOptions())
        changed += all(
            op.defn.name != "conv_grad_input" or set(op.attr("strides")) == {1} for op in after.ops
        )
        arrays = [rng.standard_normal(v.type.shape) for v in fn.params]
        np.testing.assert_allclose(run(after, arrays)[0], run(fn, arrays)[0], atol=1e-12)
    assert changed > 6


@pytest.mark.parametrize("seed", range(4))
def test_planes_together_are_the_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    changed = 0
    for _ in range(12):
        axes = int(rng.integers(1, 4))
        window, holes = (tuple(int(k) for k in rng.integers(1, 4, axes)) for _ in range(2))
        extents = tuple(int(n) for n in rng.integers(5, 8, axes))
        padding = tuple((int(a), int(b)) for a, b in rng.integers(-1, 4, (axes, 2)))
        ones, channels = (1,) * axes, int(rng.choice([3, 33]))
        b = Builder("f")
        x = b.param(Type("f64", (2, *extents, channels)))
        f = b.param(Type("f64", (*window, channels, int(rng.integers(1, 3)))))
        y = p.conv(
            b, x, f, strides=ones, padding=padding, x_dilation=ones, f_dilation=holes, groups=1
        )
        fn = b.finish([y])
        after = simplify(fn, PassOptions())
        changed += all(op.defn.name != "conv" for op in after.ops)
        arrays = [rng.standard_normal(v.type.shape) for v in fn.params]
        np.testing.assert_allclose(run(after, arrays)[0], run(fn, arrays)[0], atol=1e-12)
    assert changed > 2


def test_zeros_between_gradients_meet_no_infinity() -> None:
    b = Builder("f")
    f, dy = b.param(Type("f32", (2, 1, 1))), b.param(Type("f32", (1, 3, 1)))
    at = {"strides": (2,), "padding": ((0, 0),), "f_dilation": (1,), "groups": 1}
    fn = simplify(b.finish([p.conv_grad_input(b, f, dy, shape=(1, 6, 1), **at)]), PassOptions())
    filters = np.float32([1, np.inf]).reshape(2, 1, 1)
    (got,) = run(fn, [filters, np.float32([1, 2, -3]).reshape(1, 3, 1)])
    np.testing.assert_array_equal(got.ravel(), [1, np.inf, 2, np.inf, -3, -np.inf])


@pytest.mark.parametrize("each", [2, 3, 8, 17])
def test_channels_of_several_outputs_are_repeated(each: int) -> None:
    rng, groups = np.random.default_rng(each), 3
    common = {"strides": (2, 1), "padding": ((1, 0), (2, 1)), "f_dilation": (1, 2)}
    at = {**common, "groups": groups}
    x, f = Type("f64", (2, 6, 7, groups)), Type("f64", (3, 2, 1, groups * each))
    dy = p.conv.infer(x, f, x_dilation=(1, 1), **at)[0]
    b = Builder("f")
    vx, vf, vdy = (b.param(t) for t in (x, f, dy))
    results = [
        p.conv(b, vx, vf, x_dilation=(1, 1), **at),
        p.conv_grad_input(b, vf, vdy, shape=x.shape, **at),
        p.conv_grad_filter(b, vx, vdy, shape=f.shape, **at),
    ]
    fn = b.finish(results)
    after = simplify(fn, PassOptions())
    found = [op.attr("groups") for op in after.ops if "groups" in op.kwargs]
    assert len(found) >= 3 and set(found) == {groups * each if each <= 8 else groups}
    arrays = [rng.standard_normal(v.type.shape) for v in fn.params]
    for got, want in zip(run(after, arrays), run(fn, arrays), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("name", ["conv", "conv_grad_input", "conv_grad_filter"])
@pytest.mark.parametrize("seed", range(3))
def test_a_covered_axis_is_channels(name: str, seed: int) -> None:
    """Filters as long as some axes of x, which are gone after the rule."""
    rng = np.random.default_rng(seed)
    changed = 0
    for _ in range(12):
        axes = int(rng.integers(1, 4))
        window = tuple(int(k) for k in rng.integers(2, 5, axes))
        free = rng.integers(0, 2, axes) * rng.integers(0, 3, axes)  # 0: covered
        extents = tuple(k + int(more) for k, more in zip(window, free, strict=True))
        channels, outputs = (int(n) for n in rng.choice([1, 3, 20], 2))
        x, f = Type("f64", (2, *extents, channels)), Type("f64", (*window, channels, outputs))
        ones = (1,) * axes
        strides = tuple(int(s) for s in rng.integers(1, 3, axes))
        at = {"strides": strides, "padding": ((0, 0),) * axes, "f_dilation": ones, "groups": 1}
        dy = p.conv.infer(x, f, x_dilation=ones, **at)[0]
        b = Builder("f")
        if name == "conv":
            fn = b.finish([p.conv(b, b.param(x), b.param(f), x_dilation=ones, **at)])
        elif name == "conv_grad_input":
            fn = b.finish([p.conv_grad_input(b, b.param(f), b.param(dy), shape=x.shape, **at)])
        else:
            fn = b.finish([p.conv_grad_filter(b, b.param(x), b.param(dy), shape=f.shape, **at)])
        after = simplify(fn, PassOptions())
        ranks = [op.result.type.rank for op in after.ops if op.defn.name == name]
        changed += any(rank < axes + 2 for rank in ranks) or not ranks
        arrays = [rng.standard_normal(v.type.shape) for v in fn.params]
        np.testing.assert_allclose(run(after, arrays)[0], run(fn, arrays)[0], atol=1e-12)
    assert changed > 3


@pytest.mark.parametrize("seed", range(4))
def test_places_of_a_long_filter(seed: int) -> None:
    """Filters almost as long as x: what they give at each place, added up."""
    rng = np.random.default_rng(seed)
    changed = 0
    for _ in range(8):
        axes = int(rng.integers(1, 3))
        window = tuple(int(k) for k in rng.integers(4, 9, axes))
        strides = tuple(int(s) for s in rng.integers(1, 3, axes))
        extents = tuple(
            k + int(more) for k, more in zip(window, rng.integers(0, 4, axes), strict=True)
        )
        x, f = Type("f64", (2, *extents, 3)), Type("f64", (*window, 3, 40))
        at = {"strides": strides, "padding": ((0, 0),) * axes, "f_dilation": (1,) * axes}
        dy = p.conv.infer(x, f, x_dilation=(1,) * axes, groups=1, **at)[0]
        b = Builder("f")
        y = p.conv_grad_input(b, b.param(f), b.param(dy), shape=x.shape, groups=1, **at)
        fn = b.finish([y])
        after = simplify(fn, PassOptions())
        changed += all(op.defn.name != "conv_grad_input" for op in after.ops)
        arrays = [rng.standard_normal(v.type.shape) for v in fn.params]
        np.testing.assert_allclose(run(after, arrays)[0], run(fn, arrays)[0], atol=1e-12)
    assert changed > 3
