"""Arrays that start as room, compiled, against the interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tfc.prims as p
from tests.codegen.test_control import call, compiled
from tests.compare import assert_close, magnitude
from tests.passes.golden import cases_of
from tfc.base.dtypes import numpy_dtype
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.ir.interp import run

FILE = Path(__file__).parent.parent / "passes" / "fuse" / "room.ir"


@pytest.mark.parametrize("level", (2, 0))
@pytest.mark.parametrize("number", range(3))
def test_room(number: int, level: int) -> None:
    fn = cases_of(FILE)[number].function
    executable = compiled(fn, level)
    for seed in range(3):  # the memory of one run is that of the next
        x = np.random.RandomState(seed).uniform(-2, -1, 40).astype(np.float32)
        (actual,) = call(executable, x)
        (expected,) = run(fn, (x,))
        assert_close(actual, expected, 8)


@pytest.mark.parametrize("number", range(3))
def test_updates_that_fill_an_array(number: int) -> None:
    fn = cases_of(FILE.with_name("filled.ir"))[number].function
    executable = compiled(fn)
    for seed in range(3):
        arrays = np.random.RandomState(seed).uniform(-2, 2, (2, 4, 8)).astype(np.float32)
        for actual, expected in zip(call(executable, *arrays), run(fn, arrays), strict=True):
            assert_close(actual, expected, 8)


@pytest.mark.parametrize("dtype", ("f32", "f64", "f16"))
@pytest.mark.parametrize(
    ("extents", "window", "strides", "padding"),
    [
        ((12, 10), (3, 3), (2, 2), ((0, 1), (0, 1))),  # every pixel has a phase
        ((11, 9), (3, 3), (2, 2), ((1, 1), (1, 1))),
        ((13, 14), (5, 2), (3, 1), ((1, 0), (0, 1))),
        ((9, 8), (1, 3), (2, 2), ((0, 0), (0, 1))),  # some have none
        ((7,), (4,), (3,), ((2, 1),)),
        ((5, 6, 4), (2, 3, 3), (2, 2, 1), ((0, 0), (0, 1), (1, 1))),
    ],
)
def test_phases_of_gradients(dtype, extents, window, strides, padding) -> None:
    """They write what they make where it belongs; what reads the gradient changes nothing."""
    axes, random = len(extents), np.random.RandomState(0)
    at = {"strides": strides, "padding": padding, "f_dilation": (1,) * axes, "groups": 1}
    f, x = Type(dtype, (*window, 17, 19)), Type(dtype, (3, *extents, 17))
    dy = p.conv.infer(x, f, x_dilation=(1,) * axes, **at)[0]
    arrays = [random.standard_normal(v.shape).astype(numpy_dtype(dtype)) for v in (f, dy)]
    for more in (False, True):
        b = Builder("f")
        results = [p.conv_grad_input(b, b.param(f), b.param(dy), shape=x.shape, **at)]
        if more:
            results += [p.mul(b, results[0], results[0])]
        fn = b.finish(results)
        executable, expected = compiled(fn), run(fn, arrays)
        for threads in (1, 3):
            found = call(executable, *arrays, threads=threads)
            for actual, wanted in zip(found, expected, strict=True):
                assert_close(actual, wanted, 64, magnitude(wanted))
        again = call(executable, *arrays, threads=2)
        np.testing.assert_array_equal(again[0], call(executable, *arrays)[0])
