"""How hard LLVM optimises does not change a bit: no flag lets it reorder or contract arithmetic."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest

from tests.codegen.run import Running, place
from tests.samples import SAMPLES, Sample, function
from tfc.base.target import Target
from tfc.codegen import module, native

SOME = 7  # a fifth of the samples is taken, in seven tests, so that all kinds are among them


def level_zero(target: Target, level: int = 2) -> object:
    """As `native.new_machine`, with a fast selector of instructions and no optimising."""
    made = llvm.Target.from_triple(target.triple)
    return made.create_target_machine(
        cpu=target.cpu, features=target.features, opt=0, reloc="pic", codemodel="small"
    )


def bits(results: list[np.ndarray]) -> list[bytes]:
    """The bits of results; which NaN it is depends on the order of operands, and says nothing."""
    found = []
    for x in results:
        real = x.reshape(-1).view(x.real.dtype) if x.dtype.kind == "c" else x
        kind = real.dtype.kind
        plain = np.where(real != real, real.dtype.type(1), real) if kind not in "iub" else real
        nan = (real != real).tobytes() if kind not in "iub" else b""
        found.append(plain.tobytes() + nan)
    return found


def results(sample: Sample, zero: bool) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_libraries", {})  # as if nothing had been compiled
        patch.setattr(native, "_idle", {})
        if zero:
            patch.setattr(native, "new_machine", level_zero)
        running = Running(place(function(sample)))
    return bits(running(*sample.arrays))


@pytest.mark.parametrize("first", range(SOME))
def test_samples(first: int) -> None:
    for sample in SAMPLES[first :: 5 * SOME]:
        assert results(sample, True) == results(sample, False), sample
