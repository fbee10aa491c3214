"""Kernels that keep panels between runs: the bits of those that do not, in every mode, for any
shape, dtype, target width and number of threads."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tfc.base.cells import Cell
from tfc.base.dtypes import numpy_dtype
from tfc.base.target import Target
from tfc.client.kept import KeptPanels
from tfc.codegen.target import host
from tfc.compiler import Executable, compile_function
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Literal, Type
from tfc.passes.options import PassOptions

FORMS = {"nn": ((1,), (0,)), "nt": ((1,), (1,)), "tn": ((0,), (0,)), "tt": ((0,), (1,))}


def product(a: Type, b: Type | np.ndarray, contract: Any) -> Function:
    """relu(a . b); b, of the same in many runs, is a parameter or a constant."""
    build = Builder("product")
    x = build.param(a)
    y = build.param(b) if isinstance(b, Type) else p.const(build, value=Literal(b))
    z = p.dot(build, x, y, batch=((), ()), contract=contract)
    zero = p.broadcast(build, p.constant(build, np.zeros((), numpy_dtype(a.dtype))), dims=(),
                       shape=z.type.shape)  # fmt: skip
    lasting = (1,) if isinstance(b, Type) else ()
    return build.finish([p.max(build, z, zero)], (("donated", ()), ("lasting", lasting)))


class Kept:
    """A compiled function with its records."""

    def __init__(self, fn: Function, target: Target | None = None):
        self.fn, self.version = fn, Cell(1)
        self.executable = compile_function(fn, "kept", PassOptions(check=True), target)
        plain = PassOptions(passes="-keep", check=True)
        self.plain = compile_function(fn, "plain", plain, target)
        assert not self.plain.kept
        self.panels = [KeptPanels(self.version, k.nbytes) for k in self.executable.kept]

    def run(self, *arrays: np.ndarray, threads: int = 1, plain: bool = False) -> np.ndarray:
        (result,) = self.fn.results
        out = np.full(result.type.shape, 7, numpy_dtype(result.type.dtype))
        executable: Executable = self.plain if plain else self.executable
        addresses = [x.ctypes.data for x in (*arrays, out)]
        records = [] if plain else [panels.address for panels in self.panels]
        executable(addresses + records, threads)
        return out


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = numpy_dtype(dtype)
    if np.dtype(kind).kind in "iu":
        return rng.integers(0, 50, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def shapes(form: str, m: int, k: int, n: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return ((m, k) if form[0] == "n" else (k, m)), ((k, n) if form[1] == "n" else (n, k))


def check(kept: Kept, a: np.ndarray, b: np.ndarray, b2: np.ndarray) -> None:
    """All modes, one after the other; then another content."""
    want, want2 = kept.run(a, b, plain=True), kept.run(a, b2, plain=True)
    for threads in (1, 2, 2, 1):
        np.testing.assert_array_equal(kept.run(a, b, threads=threads), want)
    assert all(panels.stamp == 1 for panels in kept.panels)
    other = np.array(b)
    other[...] = 3  # nobody has said so: the panels still hold what b was
    if kept.panels:
        np.testing.assert_array_equal(kept.run(a, other), want)
    kept.version.value += 1
    for threads in (2, 2, 1):
        np.testing.assert_array_equal(kept.run(a, b2, threads=threads), want2)
    assert all(panels.stamp == 2 for panels in kept.panels)


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16", "i32", "u8"])
@pytest.mark.parametrize("form", FORMS)
def test_all_modes_give_the_same_bits(form: str, dtype: str) -> None:
    for m, k, n in ((49, 80, 33), (300, 70, 257), (60, 2100, 65)):
        at, bt = shapes(form, m, k, n)
        kept = Kept(product(Type(dtype, at), Type(dtype, bt), FORMS[form]))
        assert kept.panels, (m, k, n)
        check(kept, numbers(at, dtype, 0), numbers(bt, dtype, 1), numbers(bt, dtype, 2))


@settings(max_examples=12)
@given(
    m=st.integers(1, 700), k=st.integers(1, 2300), n=st.integers(1, 300),
    form=st.sampled_from(sorted(FORMS)), wide=st.sampled_from([128, 256, 0]),
)  # fmt: skip
def test_any_shape(m: int, k: int, n: int, form: str, wide: int) -> None:
    if m * k * n > 4_000_000:
        k = 4_000_000 // (m * n) + 1
    at, bt = shapes(form, m, k, n)
    bits = min(wide or 512, host().vector_bits)
    target = dataclasses.replace(host(), vector_bits=bits, registers=32 if bits > 256 else 16)
    kept = Kept(product(Type("f32", at), Type("f32", bt), FORMS[form]), target)
    check(kept, numbers(at, "f32", 0), numbers(bt, "f32", 1), numbers(bt, "f32", 2))


def test_a_constant_is_kept_too() -> None:
    b, b2 = numbers((50, 70), "f32", 1), numbers((50, 70), "f32", 2)
    fn = product(Type("f32", (64, 50)), b, FORMS["nn"])
    kept, a = Kept(fn), numbers((64, 50), "f32", 0)
    assert len(kept.panels) == 1 and kept.executable.kept[0].slot == 3
    want = kept.run(a, plain=True)
    for _ in range(4):
        np.testing.assert_array_equal(kept.run(a), want)
    assert kept.panels[0].stamp == 1 and not np.array_equal(want, np.maximum(a @ b2, 0))


def test_threads_that_meet_at_one_record() -> None:
    """Runs of one function at the same time, with one record: each gives the right bits whether it
    finds panels, writes them, or does without."""
    b = numbers((300, 257), "f32", 1)
    kept, a = Kept(product(Type("f32", (96, 300)), b, FORMS["nn"])), numbers((96, 300), "f32", 0)
    want = kept.run(a, plain=True)
    for _ in range(20):
        kept.panels = [KeptPanels(Cell(1), form.nbytes) for form in kept.executable.kept]
        wrong: list[int] = []
        gate = threading.Barrier(4)

        def work(gate: threading.Barrier = gate, wrong: list[int] = wrong) -> None:
            gate.wait()
            for turn in range(6):
                if not np.array_equal(kept.run(a), want):
                    wrong.append(turn)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong and kept.panels[0].stamp == 1


def test_without_memory_for_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    b = numbers((300, 257), "f32", 1)
    kept, a = Kept(product(Type("f32", (96, 300)), b, FORMS["nn"])), numbers((96, 300), "f32", 0)
    form = kept.executable.kept[0]

    def fails(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("tfc.client.kept.np.empty", fails)
        kept.panels = [KeptPanels(Cell(1), form.nbytes)]
    assert kept.panels[0].nbytes == 0
    want = kept.run(a, plain=True)
    for threads in (1, 2, 1, 2):
        np.testing.assert_array_equal(kept.run(a, threads=threads), want)


def test_what_is_not_kept() -> None:
    """Functions that nobody calls with records, operands that are fed, products that copy nothing,
    and panels too small to be worth it."""
    x, w = Type("f32", (64, 50)), Type("f32", (50, 70))
    fn = product(x, w, FORMS["nn"])
    assert compile_function(fn, "").kept
    alone = Function(fn.name, fn.params, fn.ops, fn.results, (("donated", ()),))
    assert not compile_function(alone, "").kept
    fed = Function(fn.name, fn.params, fn.ops, fn.results, (("donated", ()), ("lasting", (0,))))
    assert not compile_function(fed, "").kept
    direct = product(Type("f32", (8, 50)), Type("f32", (50, 64)), FORMS["nn"])
    assert not compile_function(direct, "").kept
    small = product(Type("f32", (64, 9)), Type("f32", (9, 17)), FORMS["nn"])
    assert not compile_function(small, "").kept


@pytest.mark.parametrize("name", ["conv", "conv_grad_input"])
def test_filters_of_convolutions(name: str) -> None:
    build = Builder("windows")
    attrs: dict[str, Any] = {
        "strides": (1, 1), "padding": ((1, 1), (1, 1)), "x_dilation": (1, 1),
        "f_dilation": (1, 1), "groups": 1,
    }  # fmt: skip
    image, filters = Type("f32", (3, 9, 10, 20)), Type("f32", (3, 3, 20, 33))
    if name == "conv":
        x, f = build.param(image), build.param(filters)
        y = p.conv(build, x, f, **attrs)
        arrays = [numbers(image.shape, "f32", 0), numbers(filters.shape, "f32", 1)]
        at = 1
    else:
        out = Type("f32", (3, 9, 10, 33))
        f, dy = build.param(filters), build.param(out)
        del attrs["x_dilation"]
        y = p.conv_grad_input(build, f, dy, shape=image.shape, **attrs)
        arrays = [numbers(filters.shape, "f32", 1), numbers(out.shape, "f32", 0)]
        at = 0
    kept = Kept(build.finish([y], (("donated", ()), ("lasting", (at,)))))
    assert len(kept.panels) == 1
    want = kept.run(*arrays, plain=True)
    for threads in (1, 2, 1, 2):
        np.testing.assert_array_equal(kept.run(*arrays, threads=threads), want)
    arrays[at] = numbers(filters.shape, "f32", 5)
    kept.version.value += 1
    want = kept.run(*arrays, plain=True)
    for threads in (2, 2, 1):
        np.testing.assert_array_equal(kept.run(*arrays, threads=threads), want)
