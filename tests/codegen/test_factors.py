"""Factorisations in compiled code: the bits of their meaning, which is checked in test_prims."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.run import Running, place
from tests.samples import SAMPLES, function
from tfc.ir.interp import run
from tfc.prims.factorization import FACTORIZATIONS

CASES = [s for s in SAMPLES if s.prim.name in FACTORIZATIONS]


def same(got: list[np.ndarray], want: list[np.ndarray]) -> None:
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.asarray(g), np.asarray(w))


@pytest.mark.parametrize("name", sorted(FACTORIZATIONS))
@pytest.mark.parametrize("chunks", [1, 3])
def test_bits(name: str, chunks: int) -> None:
    for sample in [s for s in CASES if s.prim.name == name]:
        fn = function(sample)
        same(Running(place(fn, chunks))(*sample.arrays), run(fn, sample.arrays))
