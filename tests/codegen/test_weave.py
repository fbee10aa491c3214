"""Several packets in a turn of a loop: the order of instructions, and the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tfc.prims as p
from tests.codegen.run import Running, fused
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.codegen import kernels, weave
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value

NARROW = replace(host(), vector_bits=128, registers=16)


def lines(text: str) -> list[weave.Line]:
    return [weave.Line(line.strip()) for line in text.splitlines() if line.strip()]


CHAIN = """
    %v1 = load <16 x float>, ptr %v0, align 4
    %v2 = fmul <16 x float> %v1, %v1
    %v3 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v2, <16 x float> %v2, <16 x float> %v1)
    store <16 x float> %v3, ptr %v0, align 4
"""


def test_packets_are_written_by_depth() -> None:
    one = lines(CHAIN)
    two = weave.renamed(one, "u1", "%v0", "%v9")
    assert [line.text.partition(" = ")[0] for line in weave.by_depth([one, two])] == [
        "%v1",  # a load takes no cycles of its own
        "%v2",
        "%v1u1",
        "%v2u1",
        "%v3",
        "%v3u1",
        "store <16 x float> %v3, ptr %v0, align 4",
        "store <16 x float> %v3u1, ptr %v9, align 4",
    ]


def test_what_uses_memory_keeps_its_order() -> None:
    text = (
        CHAIN
        + """
    %v5 = load <16 x float>, ptr %v0, align 4
    %v6 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %v0, i32 4)
    store <16 x float> %v6, ptr %v7, align 4
    call void @llvm.masked.store.v16f32.p0(<16 x float> %v5, ptr %v0, i32 4)
    %v8 = load float, ptr %v0, align 4
    """
    )
    order = [line.text for line in weave.by_depth([lines(text)])]
    touching = [line.text for line in lines(text) if line.reads or line.acts]
    assert sorted(order) == sorted(line.text for line in lines(text))
    places = [order.index(t) for t in touching]
    first, store, load, masked, second, hidden, last = places
    assert first < store < min(load, masked) and max(load, masked) < second < hidden < last


def test_depth_and_registers() -> None:
    one = lines(CHAIN)
    assert weave.depth(one) == 9  # 4 of fmul, 4 of fma, and the store
    assert weave.most_live(one, 512) == 2
    assert weave.most_live(one, 128) == 8
    assert not weave.waits(one)  # a chain so short


def element(build: Builder, x: Value, name: str) -> Value:
    """A function of x with long chains."""
    if name == "gates":
        return p.add(build, p.mul(build, p.logistic(build, x), p.tanh(build, x)), p.exp(build, x))
    if name == "pow":
        return p.pow(build, p.abs(build, x), x)
    found: Value = getattr(p, name)(build, x)
    return found


def whole(name: str, dtype: str, shape: tuple[int, ...], chunks: int) -> Function:
    build = Builder("f")
    x = build.param(Type(dtype, shape))
    return fused(build.finish([element(build, x, name)]), "loop", chunks)


def sums(dtype: str, shape: tuple[int, ...], chunks: int) -> Function:
    build = Builder("f")
    x = build.param(Type(dtype, shape))
    total = p.reduce(build, p.exp(build, x), kind="add", dims=(len(shape) - 1,))
    return fused(build.finish([total]), "reduce", chunks)


def softmax(dtype: str, shape: tuple[int, ...], chunks: int) -> Function:
    build = Builder("f")
    x = build.param(Type(dtype, shape))
    y = p.exp(build, p.tanh(build, x))
    total = p.reduce(build, y, kind="add", dims=(1,))
    wide = p.broadcast(build, total, shape=shape, dims=(0,))
    return fused(build.finish([p.log(build, p.div(build, y, wide))]), "rows", chunks)


def both(fn: Function, target: Target, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, np.ndarray]:
    """Whether texts differ with several packets in a turn, and the result, the same without."""
    [param] = fn.params
    rng = np.random.default_rng(3)
    x = rng.standard_normal(param.type.shape).astype(numpy_dtype(param.type.dtype)) * 3
    texts, outs = [], []
    waits = weave.waits
    for chains in (False, True):
        monkeypatch.setattr(weave, "waits", waits if chains else lambda lines: False)
        monkeypatch.setattr(kernels, "_written", {})
        texts.append([s.text for op in fn.ops for s in kernels.kernel_stages(op, target)])
        outs.append(Running(fn, target)(x)[0])
    assert outs[0].tobytes() == outs[1].tobytes()
    return texts[0] != texts[1], outs[1]


@pytest.mark.parametrize("target", [host(), NARROW], ids=["host", "narrow"])
@pytest.mark.parametrize("name", ["exp", "log1p", "gates", "pow"])
@pytest.mark.parametrize(
    "shape, chunks", [((4096,), 1), ((4096,), 3), ((4133,), 5), ((67, 101), 2)]
)
def test_the_same_bits(
    name: str,
    shape: tuple[int, ...],
    chunks: int,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woven, _ = both(whole(name, "f32", shape, chunks), target, monkeypatch)
    assert woven or name == "pow"


@pytest.mark.parametrize("make", [sums, softmax])
@pytest.mark.parametrize("dtype, shape", [("f32", (67, 192)), ("f64", (67, 101))])
def test_the_same_bits_of_rows(
    make: object, dtype: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(make)
    woven, _ = both(make(dtype, shape, 2), host(), monkeypatch)
    assert woven or dtype == "f64"


def test_any_number_of_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weave, "LEAST_PACKETS", 1)
    for size in range(1, 170, 7):
        for chunks in (1, 2):
            _, got = both(whole("tanh", "f32", (size,), chunks), host(), monkeypatch)
            assert got.shape == (size,)


def test_memory_and_few_packets_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not both(whole("neg", "f32", (4096,), 1), host(), monkeypatch)[0]
    assert not both(whole("sqrt", "f32", (4096,), 1), host(), monkeypatch)[0]
    assert not both(whole("exp", "f32", (64,), 1), host(), monkeypatch)[0]
