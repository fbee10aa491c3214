"""Every primitive, compiled on its own, against the interpreter: all samples, split and not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.codegen.run import Running, place, ulps
from tests.compare import EPSILON, comparable, magnitude
from tests.samples import SAMPLES, Sample, function
from tfc.base import dtypes
from tfc.base.target import Target
from tfc.codegen.target import host
from tfc.ir.interp import run
from tfc.prims.kernel_info import CHUNKS

# Sums and products of many terms: the order differs, so errors are measured by the largest term.
LOOSE = frozenset(
    [
        "dot",
        "conv",
        "conv_grad_input",
        "conv_grad_filter",
        "reduce",
        "cumulative",
        "reduce_window",
        "select_and_scatter",
        "scatter_near",
        "fusion",
    ]
)
# Their numpy meaning is no better than this in float64; test_approx.py compares with exact values.
ROUGH_MEANING = {"lgamma": 1e-13, "digamma": 1e-13}


def close(got: np.ndarray, want: np.ndarray, sample: Sample) -> bool:
    """Equal bit for bit where the primitive is exact; within its ULP bound where it is not; sums
    and complex products by the size of what they are made of."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    short = dtypes.short_of(got.dtype)
    if short in dtypes.COMPLEX:
        size = magnitude(want)
        return all(
            _near(a.astype(np.float64), b.astype(np.float64), dtypes.REAL_PART[short], size)
            for a, b in ((got.real, want.real), (got.imag, want.imag))
        )
    if short not in dtypes.FLOATS:
        return bool(np.array_equal(got, want))
    a, b = comparable(got), comparable(want)
    if sample.prim.name in LOOSE:
        return _near(a, b, short, magnitude(want))
    if sample.prim.exact:
        return bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())
    if short == "f64" and sample.prim.name in ROUGH_MEANING:
        return _near(a, b, short, 1.0)
    if short in ("f32", "f64"):
        return bool((ulps(got, want) <= max(sample.prim.ulp, 1.0)).all())
    return _near(a, b, short, 2.0**-14)


def _near(a: np.ndarray, b: np.ndarray, short: str, size: float) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(a - b) <= 64 * EPSILON[short] * (size + np.abs(b))
    return bool((near | (a == b) | (np.isnan(a) & np.isnan(b))).all())


# Heroes that say themselves into how many chunks they fall: see the tests of each.
OWN_CHUNKS = {*CHUNKS, "fusion"}
COMPILED = [s for s in SAMPLES if s.prim.name not in ("const", "reshape", "assert")]


@pytest.mark.parametrize("sample", COMPILED, ids=lambda s: s.name)
def test_sample(sample: Sample) -> None:
    fn = function(sample)
    want = run(fn, sample.arrays)
    for chunks in (1,) if sample.prim.name in OWN_CHUNKS else (1, 3):
        got = Running(place(fn, chunks))(*sample.arrays)
        for g, w in zip(got, want, strict=True):
            assert close(g, np.asarray(w), sample), f"chunks={chunks}\n{g}\n{w}"


NARROW = [
    dataclasses.replace(
        host(), cpu="haswell", features="+avx2,+fma,+f16c,+bmi,+bmi2", vector_bits=256, registers=16
    ),
    dataclasses.replace(
        host(), cpu="x86-64", features="", vector_bits=128, registers=16, fma=False, half=False
    ),
]


@pytest.mark.skipif(not host().triple.startswith("x86_64"), reason="older x86 processors")
@pytest.mark.parametrize("target", NARROW, ids=lambda t: str(t.vector_bits))
@pytest.mark.parametrize("name", sorted({s.prim.name for s in COMPILED} - OWN_CHUNKS))
def test_older_processors(name: str, target: Target) -> None:
    """A sample of each dtype, on narrower vectors and without fma or float16 instructions."""
    samples = [s for s in COMPILED if s.prim.name == name]
    for sample in samples[:: max(1, len(samples) // 8)]:
        want = run(function(sample), sample.arrays)
        got = Running(place(function(sample)), target)(*sample.arrays)
        for g, w in zip(got, want, strict=True):
            assert close(g, np.asarray(w), sample), f"{sample.name}\n{g}\n{w}"
