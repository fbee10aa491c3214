"""Long runs of kernels as tables: what they compute, where they stop, and how they are written."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.codegen.run import Running, place
from tfc import prims as p
from tfc.base.target import Target
from tfc.codegen import kernels
from tfc.codegen.entry import Entry
from tfc.codegen.steps import FEW, Step, table_text
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Literal, Op, Type
from tfc.ir.walk import all_functions
from tfc.passes.options import PassOptions
from tfc.passes.pipeline import run_pipeline


def chain(length: int, asserts: bool = False) -> Function:
    """cumulative sums of cumulative sums: a kernel each."""
    b = Builder("f")
    x = b.param(Type("i32", (5,)))
    bound = p.broadcast(b, p.const(b, value=Literal(np.int32(1000))), dims=(), shape=(5,))
    for number in range(length):
        if asserts:
            p.assert_(
                b, p.lt(b, x, bound), message="{i}", code="OutOfRangeError", op=f"check{number}"
            )
        x = p.cumulative(b, x, dim=0, kind="add", exclusive=False, reverse=number % 2 == 1)
    return place(b.finish([x]))


def expected(x: np.ndarray, length: int) -> np.ndarray:
    for number in range(length):
        x = np.cumsum(x[::-1])[::-1] if number % 2 else np.cumsum(x)
    return x


@pytest.mark.parametrize("length", [FEW - 2, FEW, 3 * FEW])
def test_a_run_of_kernels_computes_what_calls_do(length: int) -> None:
    running = Running(chain(length))
    assert ("@walk" in running.code.llvm) == (length >= FEW)
    assert length <= len(running.code.kernels) <= length + 1  # a copy into the result, perhaps
    x = np.array([1, 0, -1, 0, 2], np.int32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(running(x)[0], expected(x, length).astype(np.int32))


def test_the_assert_that_fails_is_told_by_its_number() -> None:
    length = 2 * FEW
    running = Running(chain(length, asserts=True))
    assert "@walk" in running.code.llvm
    x = np.array([1, 0, 0, 0, 0], np.int32)
    first = next(k for k in range(length) if (expected(x, k) >= 1000).any())
    with pytest.raises(RuntimeError) as raised:
        running(x)
    assert running.code.asserts[raised.value.args[0]].op == f"check{first}"
    assert running.record[0] == raised.value.args[0]


def test_the_text_of_a_table() -> None:
    steps = [
        Step("k1", 1, (("arena", 0), ("arena", 64), ("slot", 3)), -1, True),
        Step("k2", 8, (), 2, False),
    ]
    assert table_text("run.0", steps) == (
        "@run.0.steps = private unnamed_addr constant [2 x %step] ["
        "%step {ptr @k1, i32 1, i32 3, i32 -1, i32 1}, "
        "%step {ptr @k2, i32 8, i32 0, i32 2, i32 0}]\n"
        "@run.0.arguments = private unnamed_addr constant [3 x i64] [i64 0, i64 128, i64 49]\n"
    )


# -- kernels that are written once


def fusions(fn: Function) -> list[Op]:
    return [op for f in all_functions(fn) for op in f.ops if op.defn.name == "fusion"]


def test_equal_fusions_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Op] = []
    write = kernels.write_stages

    def noted(op: Op, target: Target) -> list[kernels.Stage]:
        written.append(op)
        return write(op, target)

    monkeypatch.setattr(kernels, "write_stages", noted)
    monkeypatch.setattr(kernels, "_written", {})
    fn = chain(3 * FEW)
    Entry(fn, host()).write()
    assert len(fusions(fn)) >= 3 * FEW and len(written) <= 3  # forwards, backwards, a copy


def test_what_is_remembered_of_kernels_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MOST_WRITTEN", 2)
    monkeypatch.setattr(kernels, "_written", {})
    for extent in (3, 4, 5, 6):
        b = Builder("f")
        x = b.param(Type("f32", (extent,)))
        Entry(place(b.finish([p.neg(b, x)])), host()).write()
    assert len(kernels._written) == 2


def variants() -> dict[str, Function]:
    """Functions of one kernel that differ in one thing each."""

    def make(dtype: str = "f32", extent: int = 9, value: float = 2.0, swapped: bool = False):
        b = Builder("f")
        x, y = (b.param(Type(dtype, (extent,))) for _ in range(2))
        c = p.const(b, value=Literal(np.array(value, {"f32": "f", "f64": "d"}[dtype])))
        factor = p.broadcast(b, c, dims=(), shape=(extent,))
        x, y = (y, x) if swapped else (x, y)
        return run_pipeline(b.finish([p.sub(b, p.mul(b, x, factor), y)]), PassOptions())

    return {
        "plain": make(),
        "dtype": make(dtype="f64"),
        "extent": make(extent=10),
        "constant": make(value=-0.0),
        "other zero": make(value=0.0),
    }


def test_what_differs_is_written_anew() -> None:
    texts = {
        name: [kernels.kernel_stages(op, host())[0].text for op in fusions(fn)]
        for name, fn in variants().items()
    }
    assert len({tuple(t) for t in texts.values()}) == len(texts)


def test_remembered_text_is_the_text_written() -> None:
    for fn in (*variants().values(), chain(4), chain(3, asserts=True)):
        for op in fusions(fn):
            assert kernels.kernel_stages(op, host()) == kernels.write_stages(op, host())
            assert not any(
                re.search(r"@k[0-9a-f]{16}", s.text) for s in kernels.write_stages(op, host())
            )


def test_kernels_of_a_module_share_the_function_that_draws_normals() -> None:
    b = Builder("f")
    key, counter = b.param(Type("u32", (2,))), b.param(Type("u32", (4,)))
    sizes = (40, 600)
    made = [p.rng_truncated_normal(b, key, counter, n=n, dtype="f32") for n in sizes]
    running = Running(place(b.finish(made)))
    assert running.code.llvm.count("define internal") == 1
    outs = running(np.array([7, 8], np.uint32), np.array([1, 0, 0, 0], np.uint32))
    assert [y.size for y in outs] == list(sizes)
    np.testing.assert_array_equal(outs[0], outs[1][:40])  # one counter, so one sequence
    assert (np.abs(outs[1]) < 2).all() and outs[1].std() > 0.8
