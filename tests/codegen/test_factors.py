"""Factorisations in compiled code: the bits of their meaning, which is checked in test_prims."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.run import Running, place
from tests.samples import SAMPLES, function
from tfc.ir.interp import run
from tfc.prims.factorization import FACTORIZATIONS, is_small

CASES = [s for s in SAMPLES if s.prim.name in FACTORIZATIONS]


def same(got: list[np.ndarray], want: list[np.ndarray], exact: bool) -> None:
    for g, w in zip(got, want, strict=True):
        g, w = (np.ascontiguousarray(x).view(x.real.dtype) for x in (g, w))
        if exact:
            np.testing.assert_array_equal(g, w)
        else:  # numpy multiplies complex numbers with fused additions, where the processor has them
            np.testing.assert_allclose(g, w, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", sorted(FACTORIZATIONS))
@pytest.mark.parametrize("chunks", [1, 3])
def test_bits(name: str, chunks: int) -> None:
    for sample in [s for s in CASES if s.prim.name == name]:
        fn = function(sample)
        own = is_small(fn.ops[0]) and sample.arrays[0].dtype.kind == "c"
        same(Running(place(fn, chunks))(*sample.arrays), run(fn, sample.arrays), exact=not own)
