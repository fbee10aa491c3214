"""The entry function: copies, aliases, donated parameters, constants, errors, sharing of code."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.codegen.run import Running, alone, place
from tfc import prims as p
from tfc.base.options import options
from tfc.codegen import module
from tfc.codegen.target import host
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Literal, Type, Value, sorted_attrs


def test_parameters_constants_and_reshapes_as_results() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (2, 3)))
    flat = p.reshape(b, x, shape=(6,))
    c = p.const(b, value=Literal(np.arange(5)))
    total = p.add(b, x, x)
    fn = place(b.finish([x, flat, c, total, total, p.reshape(b, total, shape=(3, 2))]))
    a = np.arange(6, dtype="f").reshape(2, 3)
    got = Running(fn)(a)
    wants = [a, a.ravel(), np.arange(5), a + a, a + a, (a + a).reshape(3, 2)]
    for g, w in zip(got, wants, strict=True):
        np.testing.assert_array_equal(g, w)


class InPlace(Running):
    """Shows the parameters after the run."""

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        self.after = [a.copy() for a in arrays]
        outputs = super().__call__(*self.after)
        return outputs


def donated(fn: Function, pairs: tuple[tuple[int, int], ...]) -> Function:
    attrs = sorted_attrs([*fn.attrs, ("donated", pairs)])
    return Function(fn.name, fn.params, fn.ops, fn.results, attrs)


def test_donated_parameters_are_swapped_as_if_at_once() -> None:
    b = Builder("f")
    x, y, z = (b.param(Type("f32", (5,))) for _ in range(3))
    fn = donated(place(b.finish([y, z, x, x])), ((0, 0), (1, 1), (2, 2)))
    running = InPlace(fn)
    arrays = [np.full(5, n, np.float32) for n in (1, 2, 3)]
    got = running(*arrays)
    assert [a[0] for a in running.after] == [2, 3, 1]
    assert got[3][0] == 1  # the old value of x, which is also a plain result


def test_a_kernel_writes_a_donated_parameter_in_place() -> None:
    x = Value(Type("f32", (40,)))
    b = Builder("g")
    inner = b.param(x.type)
    b.finish([p.neg(b, inner)])
    op = alone(b.ops[0])
    attrs = dict(op.attrs) | {"out": (("param", 0),), "chunks": 1}
    fusion = make_op(op.defn, (x,), sorted_attrs(attrs.items()), op.regions)
    fn = Function("f", (x,), (fusion,), (fusion.result,), (("donated", ((0, 0),)),))
    running = InPlace(fn)
    running(np.ones(40, np.float32))
    assert (running.after[0] == -1).all()


def test_equal_kernels_are_compiled_once_in_a_process() -> None:
    def make(seed: int) -> Function:
        b = Builder(f"f{seed}")
        x = b.param(Type("f32", (77,)))
        return place(b.finish([p.mul(b, p.sub(b, x, x), p.sub(b, x, x))]))

    first = module.compile_function(make(1), host())
    second = module.compile_function(make(2), host())
    assert second.compiled == 0 and second.kernels == first.kernels
    del first
    a = np.arange(77, dtype="f")
    assert not Running(make(3))(a)[0].any()  # its code outlives the function that brought it


class Store(dict[str, bytes]):
    def put(self, key: str, code: bytes) -> None:
        self[key] = code


def test_machine_code_comes_from_the_store_the_second_time() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (91,)))
    fn = place(b.finish([p.sub(b, p.mul(b, x, x), x)]))
    store = Store()
    first = module.compile_function(fn, host(), store)
    assert len(store) == 1 and "emit" in first.times
    del first
    second = module.compile_function(fn, host(), store)
    assert "emit" not in second.times and second.compiled == 2


def _failing(shape: tuple[int, ...]) -> Function:
    b = Builder("f")
    x, y = b.param(Type("i32", shape)), b.param(Type("f32", ()))
    zero = p.broadcast(b, p.const(b, value=Literal(np.int32(0))), dims=(), shape=shape)
    ok = p.ge(b, x, zero)
    p.assert_(b, ok, x, y, message="{i}: {0} {1}", code="OutOfRangeError", op="check")
    return place(b.finish([p.neg(b, x)]))


@pytest.mark.parametrize("shape, where", [((), 0), ((7,), 6), ((3, 50), 101), ((500,), 17)])
def test_assert_reports_the_first_false_element(shape: tuple[int, ...], where: int) -> None:
    running = Running(_failing(shape))
    x = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    running(x, np.float32(2.5))
    x.reshape(-1)[where:] *= -1
    x.reshape(-1)[where] = -9
    with pytest.raises(RuntimeError) as raised:
        running(x, np.float32(2.5))
    status = raised.value.args[0]
    told = running.code.asserts[status]
    assert (told.code, told.op, told.message) == ("OutOfRangeError", "check", "{i}: {0} {1}")
    assert [t.dtype for t in told.payload] == ["i32", "f32"]
    assert running.record[0] == status and running.record[1] == where
    assert running.record[2:3].view(np.int32)[0] == -9
    assert running.record[3:4].view(np.float32)[0] == 2.5


def test_a_set_cancel_flag_stops_before_the_first_kernel() -> None:
    b = Builder("f")
    x = b.param(Type("f32", (3,)))
    code = module.compile_function(place(b.finish([p.neg(b, x)])), host())
    a, out = np.ones(3, "f"), np.zeros(3, "f")
    arena = np.zeros(code.arena + 64, np.uint8)
    table = (ctypes.c_void_p * 2)(a.ctypes.data, out.ctypes.data)
    flag, record = ctypes.c_int32(1), (ctypes.c_int64 * 10)()
    ctx = (ctypes.c_void_p * 6)(
        arena.ctypes.data, ctypes.addressof(table), ctypes.addressof(flag), ctypes.addressof(record)
    )
    run = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(code.address)
    assert run(ctx) == module.CANCELLED and not out.any()
    flag.value = 0
    assert run(ctx) == 0 and (out == -1).all()


def test_a_profile_counts_the_runs_of_each_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "profile", 1)
    b = Builder("f")
    x = b.param(Type("f32", (40,)))
    b2 = p.exp(b, p.add(b, x, x))
    running = Running(place(b.finish([p.reduce(b, b2, dims=(0,), kind="add")])))
    for _ in range(3):
        running(np.zeros(40))
    assert running.code.profile is not None
    found = running.code.profile.read()
    assert [(op.attr("hero"), runs) for op, runs, _ in found] == [
        ("loop", 3),
        ("loop", 3),
        ("reduce", 3),
    ]
    assert all(ticks > 0 for _, _, ticks in found)
    assert [line[1:] for line in running.code.profile.read()] == [(0, 0)] * 3
