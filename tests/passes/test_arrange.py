"""Operands laid out once give the bits that copying them in every product gives, for any shape."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codegen.test_control import call
from tfc.compiler import compile_function
from tfc.ir.core import Function
from tfc.ir.text import parse, print_function
from tfc.passes.arrange import arrange
from tfc.passes.options import PassOptions
from tfc.prims import REGISTRY

Array = np.ndarray
LOOP = """
func @f(%0: i32[], %1: {a}, %2: {b}, %3: {t}[{n}]) {{
  %4 = const() {{value={t}[] 0.0}} : {t}[]
  %5 = broadcast(%4) {{dims=(), shape=({m}, {n})}} : {c}
  %6, %7, %8, %9, %10 = while(%0, %1, %2, %3, %5) : i32[], {a}, {b}, {t}[{n}], {c}
    func @condition(%0: i32[], %1: {a}, %2: {b}, %3: {t}[{n}], %4: {c}) {{
      %5 = const() {{value=i32[] 3}} : i32[]
      %6 = lt(%0, %5) : i1[]
      return %6
    }}
    func @body(%0: i32[], %1: {a}, %2: {b}, %3: {t}[{n}], %4: {c}) {{
      %5 = const() {{value=i32[] 1}} : i32[]
      %6 = add(%0, %5) : i32[]
      %7 = dot(%1, %2) {{batch=((), ()), contract={contract}}} : {c}
      %8 = broadcast(%3) {{dims=(1,), shape=({m}, {n})}} : {c}
      %9 = add(%7, %8) : {c}
      %10 = slice(%9) {{limit=({m}, {half}), start=(0, 0), stride=(1, 1)}} : {t}[{m},{half}]
      %11 = slice(%9) {{limit=({m}, {n}), start=(0, {half}), stride=(1, 1)}} : {t}[{m},{rest}]
      %12 = exp(%10) : {t}[{m},{half}]
      %13 = concat(%12, %11) {{dim=1}} : {c}
      %14 = mul(%13, %4) : {c}
      %15 = sub(%13, %14) : {c}
      return %6, %1, %2, %3, %15
    }}
  return %10
}}
"""


def loop(m: int, k: tuple[int, ...], n: int, turned: bool, dtype: str) -> Function:
    """A loop of three turns around a product of [m, *k] and a fixed matrix, and a bias."""
    inner = ",".join(map(str, k))
    axes = tuple(range(1, len(k) + 1))
    texts = {
        "a": f"{dtype}[{m},{inner}]",
        "b": f"{dtype}[{n},{inner}]" if turned else f"{dtype}[{inner},{n}]",
        "c": f"{dtype}[{m},{n}]",
        "contract": (axes, axes if turned else tuple(range(len(k)))),
    }
    half = n // 2
    text = LOOP.format(t=dtype, m=m, n=n, half=half, rest=n - half, **texts)
    return parse(text, REGISTRY)


SHAPES = [
    (64, (156,), 512),  # panels
    (64, (156,), 513),
    (5, (67,), 96),
    (97, (64,), 1056),
    (129, (1,), 64),
    (50, (2100,), 544),  # blocks of the inner loop
    (64, (7, 13), 512),
]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits(shape: tuple[int, tuple[int, ...], int], turned: bool, dtype: str) -> None:
    fn = loop(*shape, turned, dtype)
    random = np.random.RandomState(4)
    kind = np.float32 if dtype == "f32" else np.float64
    arrays = [random.uniform(-1, 1, v.type.shape).astype(kind) for v in fn.params[1:]]
    results = {}
    for passes in ("", "-arrange"):
        executable = compile_function(fn, "f", PassOptions(passes=passes, check=True))
        results[passes] = call(executable, np.zeros((), np.int32), *arrays)[0]
        for threads in (2, 5):
            again = call(executable, np.zeros((), np.int32), *arrays, threads=threads)[0]
            assert again.tobytes() == results[passes].tobytes()
    assert results[""].tobytes() == results["-arrange"].tobytes()
    assert np.abs(results[""]).max() > 0


LAID = [(64, 512, False, True), (40, 256, True, True)]
LAID += [(40, 256, False, False), (64, 513, False, False)]


@pytest.mark.parametrize(("m", "n", "turned", "laid"), LAID)
def test_what_is_laid_out(m: int, n: int, turned: bool, laid: bool) -> None:
    text = print_function(arrange(loop(m, (128,), n, turned, "f32"), PassOptions()))
    assert ("transpose" in text) is laid
