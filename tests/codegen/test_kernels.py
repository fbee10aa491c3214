"""What kernels look like: packets, merged axes, tails, hoisted loads, no calls; and what they do
at the edges."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.codegen.run import Running, fused, native_call
from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Literal, Type, Value
from tfc.ir.interp import run


def kernel(running: Running) -> str:
    """The text of its only kernel."""
    found = re.search(r"define i32 @k.*?\n}", running.code.llvm, re.S)
    assert found
    return found.group(0)


def split(b: Builder, value: float, shape: tuple[int, ...]) -> Value:
    return p.broadcast(b, p.const(b, value=Literal(np.float32(value))), dims=(), shape=shape)


def loops(text: str) -> int:
    return len(re.findall(r"= phi i64", text))


def chain(shape: tuple[int, ...], length: int) -> Function:
    b = Builder("chain")
    x = b.param(Type("f32", shape))
    y = x
    for _ in range(length):
        y = p.add(b, p.mul(b, y, x), x)
    return b.finish([y])


def test_contiguous_axes_are_one_loop() -> None:
    text = kernel(Running(fused(chain((4, 5, 32), 2), "loop")))
    assert loops(text) == 1
    assert f"load <{host().lanes(32)} x float>" in text


def test_an_operand_is_loaded_once_for_all_its_uses() -> None:
    text = kernel(Running(fused(chain((1024,), 5), "loop")))
    assert len(re.findall(r"= load <", text)) == 1


def test_a_broadcast_row_keeps_two_loops_and_is_hoisted_where_it_can_be() -> None:
    b = Builder("f")
    x, bias, scale = (b.param(Type("f32", s)) for s in ((64, 128), (128,), (64,)))
    y = p.add(b, x, p.broadcast(b, bias, dims=(1,), shape=(64, 128)))
    y = p.mul(b, y, p.broadcast(b, scale, dims=(0,), shape=(64, 128)))
    running = Running(fused(b.finish([y]), "loop"))
    text = kernel(running)
    assert loops(text) == 2
    inner = text[text.rindex("= phi i64") :]
    assert "load float" not in inner  # the factor of a row is loaded outside the inner loop
    assert "gather" not in text
    arrays = [np.random.default_rng(0).standard_normal(s).astype("f") for s in ((64, 128), 128, 64)]
    np.testing.assert_array_equal(running(*arrays)[0], (arrays[0] + arrays[1]) * arrays[2][:, None])


def test_transcendentals_call_nothing() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (1000,)))
    y = p.tanh(b, p.exp(b, p.log1p(b, p.erf(b, p.abs_(b, x)))))
    running = Running(fused(b.finish([y]), "loop"))
    calls = re.findall(r"call [^@]*@([\w.]+)", kernel(running))
    assert calls and all(name.startswith("llvm.") for name in calls)
    assert not re.search(r"\bcallq?\b", running.code.asm.partition("\nrun:")[0])


def test_an_element_does_not_depend_on_its_place() -> None:
    """The same numbers at each offset of a packet, in the bulk and in the tail: same bits."""
    numbers = np.random.default_rng(3).standard_normal(37).astype(np.float32)
    b = Builder("f")
    x = b.param(Type("f32", (37 * 5,)))
    y = p.mul(b, p.sin(b, x), p.exp(b, x))
    (got,) = Running(fused(b.finish([y]), "loop"))(np.tile(numbers, 5))
    rows = got.reshape(5, 37)
    assert all(row.tobytes() == rows[0].tobytes() for row in rows)


def test_chunks_do_not_change_bits() -> None:
    x = np.random.default_rng(4).standard_normal((37, 53)).astype(np.float32)
    first = None
    for chunks in (1, 2, 5, 40):
        (got,) = Running(fused(chain((37, 53), 3), "loop", chunks))(x)
        first = got if first is None else first
        assert got.tobytes() == first.tobytes()


def test_nothing_is_written_outside_a_result() -> None:
    """Masked stores: the bytes behind a result of odd size stay as they are."""
    fn = chain((3, 7), 1)
    running = Running(fused(fn, "loop"))
    x = np.ones((3, 7), np.float32)
    (got,) = running(x)
    np.testing.assert_array_equal(got, run(fn, [x])[0])


def test_a_long_chain_is_no_recursion() -> None:
    fn = chain((8,), 2000)
    x = np.full(8, 1e-3, np.float32)
    np.testing.assert_allclose(Running(fused(fn, "loop"))(x)[0], run(fn, [x])[0], rtol=1e-5)


@pytest.mark.parametrize(
    "shape, perm",
    [
        ((33, 70), (1, 0)),
        ((5, 33, 70), (0, 2, 1)),
        ((33, 5, 70), (2, 1, 0)),
        ((3, 40, 4, 50), (0, 3, 2, 1)),
    ],
)
@pytest.mark.parametrize("chunks", [1, 3])
def test_transpositions_in_tiles(
    shape: tuple[int, ...], perm: tuple[int, ...], chunks: int
) -> None:
    b = Builder("f")
    fn = b.finish([p.neg(b, p.transpose(b, b.param(Type("f32", shape)), perm=perm))])
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(Running(fused(fn, "loop", chunks))(x)[0], -x.transpose(perm))


def test_concat_and_pad_along_the_last_axis_load_whole_packets() -> None:
    b = Builder("f")
    x, y = b.param(Type("f32", (4, 40))), b.param(Type("f32", (4, 24)))
    zero = p.const(b, value=Literal(np.float32(0)))
    z = p.concat(b, x, y, dim=1)
    z = p.pad(b, z, zero, low=(0, 3), high=(0, 2), interior=(0, 0))
    running = Running(fused(b.finish([z]), "loop"))
    assert "gather" not in kernel(running)
    a, c = (np.random.default_rng(6).standard_normal((4, n)).astype("f") for n in (40, 24))
    want = np.pad(np.concatenate([a, c], 1), ((0, 0), (3, 2)))
    np.testing.assert_array_equal(running(a, c)[0], want)


def test_several_results_share_one_loop() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (100,)))
    y = p.exp(b, x)
    running = Running(fused(b.finish([y, p.add(b, y, x), p.lt(b, y, x)]), "loop"))
    assert loops(kernel(running)) == 1
    a = np.linspace(-1, 1, 100).astype("f")
    e, s, less = running(a)
    np.testing.assert_array_equal(s, e + a)
    np.testing.assert_array_equal(less, e < a)


def test_reshape_inside_a_kernel_is_the_same_flat_order() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (6, 35)))
    y = p.reshape(b, p.neg(b, x), shape=(10, 21))
    running = Running(fused(b.finish([y]), "loop"))
    assert "gather" not in kernel(running) and loops(kernel(running)) == 1
    a = np.arange(210, dtype="f").reshape(6, 35)
    np.testing.assert_array_equal(running(a)[0], -a.reshape(10, 21))


@pytest.mark.parametrize("window", [(1, 2, 2, 1), (1, 5, 7, 1), (1, 3, 3, 2)])
def test_gradient_of_max_pooling_with_small_and_large_windows(window: tuple[int, ...]) -> None:
    b = Builder("f")
    shape, strides = (2, 9, 11, 20), (1, 2, 3, window[3])
    padding = ((0, 0), (1, 2), (2, 1), (0, 0))
    x = b.param(Type("f32", shape))
    pooled = p.reduce_window(
        Builder("shape"), x, window=window, strides=strides, dilations=(1,) * 4, padding=padding,
        kind="max",
    )  # fmt: skip
    dy = b.param(pooled.type)
    fn = b.finish([p.select_and_scatter(b, x, dy, window=window, strides=strides, padding=padding)])
    rng = np.random.default_rng(7)
    arrays = [rng.integers(0, 5, v.type.shape).astype("f") for v in fn.params]
    for chunks in (1, 2):
        (got,) = Running(fused(fn, "select_and_scatter", chunks))(*arrays)
        np.testing.assert_array_equal(got, run(fn, arrays)[0])


@pytest.mark.parametrize("window", [(1, 2, 2, 1), (1, 3, 4, 1), (2, 2, 5, 1), (1, 1, 4, 3)])
@pytest.mark.parametrize("low, high", [(0, 0), (1, 0), (0, 3), (2, 1)])
def test_windows_side_by_side_finish_each_element_once(
    window: tuple[int, ...], low: int, high: int
) -> None:
    b = Builder("f")
    padding = ((0, 0), (low, high), (high, low), (0, 0))
    x, z = (b.param(Type("f32", (4, 9, 11, 21))) for _ in range(2))
    pooled = p.reduce_window(
        Builder("shape"), x, window=window, strides=window, dilations=(1,) * 4, padding=padding,
        kind="max",
    )  # fmt: skip
    dy = b.param(pooled.type)
    dx = p.select_and_scatter(b, x, dy, window=window, strides=window, padding=padding)
    fn = b.finish([p.add(b, p.mul(b, dx, z), z)])
    rng = np.random.default_rng(7)
    arrays = [rng.integers(0, 5, v.type.shape).astype("f") for v in fn.params]
    for chunks in (1, 3):
        (got,) = Running(fused(fn, "select_and_scatter", chunks))(*arrays)
        np.testing.assert_array_equal(got, run(fn, arrays)[0])


@pytest.mark.parametrize("source, dtype", [("bf16", "bf16"), ("i32", "i8"), ("i64", "i16")])
@pytest.mark.parametrize("extent", [9, 17, 33, 65])
def test_a_last_packet_of_one_lane_writes_one_element(source: str, dtype: str, extent: int) -> None:
    b = Builder("f")
    x = b.param(Type(source, (extent,)))
    narrowed = p.neg(b, x) if source == dtype else p.convert(b, x, dtype=dtype)
    code = Running(fused(b.finish([narrowed]), "loop")).code
    given = np.arange(extent).astype(numpy_dtype(source))
    got = np.zeros(extent, numpy_dtype(dtype))
    arena, record = np.full(code.arena + 64, 0xAA, np.uint8), np.zeros(10, np.int64)
    assert native_call(code, [given, got], arena, record, None)() == 0
    assert abs(got[-1].astype(float)) == extent - 1
    start = -arena.ctypes.data % 64  # where the kernel writes what is then copied
    assert arena[start : start + got.nbytes].tobytes() == got.tobytes()
    assert (arena[start + got.nbytes :] == 0xAA).all()
