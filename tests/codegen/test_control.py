"""Loops and branches compiled, in registers and as loops of kernels, against the interpreter; their
errors, cancellation, and what they do to variables."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tests.codegen.run import Running
from tests.compare import assert_close
from tests.randprog import Program, programs
from tests.sample_control import I32, logistic, loop, region
from tests.samples import spread
from tfc.base.dtypes import numpy_dtype
from tfc.compiler import AssertFailed, Cancelled, Executable, StopFlag, compile_function
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.interp import run
from tfc.ir.text import parse
from tfc.ir.walk import all_functions
from tfc.passes.options import PassOptions
from tfc.passes.pipeline import run_pipeline

Array = np.ndarray
# Fused, in registers where values fit; and each op a kernel of its own.
LEVELS = (2, 0)


def compiled(fn: Function, level: int = 2) -> Executable:
    return compile_function(fn, fn.name, PassOptions(level=level, check=True))


def call(
    executable: Executable, *arrays: Array, threads: int = 1, stop: StopFlag | None = None
) -> list[Array]:
    outs = [np.zeros(v.type.shape, numpy_dtype(v.type.dtype)) for v in executable.function.results]
    given = [np.ascontiguousarray(a) for a in arrays]
    buffers = list(given)
    for k, out in enumerate(outs):
        param = executable.donated.get(k)
        buffers.append(out if param is None else given[param])
        if param is not None:
            outs[k] = given[param]
    executable([a.ctypes.data for a in buffers], threads, stop)
    return outs


def kernels(fn: Function, hero: str) -> list[Op]:
    return [
        op
        for f in all_functions(fn)
        for op in f.ops
        if op.defn.name == "fusion" and op.attr("hero") == hero
    ]


def loops(fn: Function) -> list[Op]:
    """The loops of the entry function, outermost first."""
    found = [op for f in all_functions(fn) for op in f.ops if op.defn.name == "while"]
    return [op for op in found if "out" in op.kwargs]


# --- values ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(programs(max_ops=6, control=2), st.sampled_from(LEVELS))
def test_random_programs(program: Program, level: int) -> None:
    final = run_pipeline(program.fn, PassOptions(level=level, check=True))
    with np.errstate(all="ignore"):
        wanted = run(program.fn, program.arrays)
        for got, want in zip(Running(final)(*program.arrays), wanted, strict=True):
            finite = np.abs(want[np.isfinite(want)].astype(np.float64))
            assert_close(got, want, 64.0, scale=float(finite.max(initial=0.0)))


@pytest.mark.parametrize("level", LEVELS)
def test_a_million_turns(level: int) -> None:
    build = Builder("f")
    x = build.param(Type("f32", ()))
    regions = logistic(1_000_000)
    fn = build.finish(p.while_(build, p.constant(build, np.int32(0)), x, regions=regions))
    executable = compiled(fn, level)
    assert len(kernels(executable.function, "while")) == (level == 2)
    count, got = call(executable, np.float32(0.5))
    want = np.float32(0.5)
    for _ in range(1_000_000):
        want = np.float32(3.7) * want * (np.float32(1) - want)
    assert count == 1_000_000 and got == want


def _power(shape: tuple[int, ...], dtype: str, turns: int) -> Function:
    """x = x * x + x again and again; the old values are read after the new ones are known."""
    build = Builder("f")
    types = (I32, Type(dtype, shape), Type(dtype, shape))
    regions = loop(types, turns, lambda b, _, x, y: [p.add(b, p.mul(b, x, y), y), p.max(b, x, y)])
    x, y = build.param(types[1]), build.param(types[2])
    made = p.while_(build, p.constant(build, np.int32(0)), x, y, regions=regions)
    return build.finish([*made, p.add(build, made[1], x)])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("turns", (0, 1, 2, 5))
@pytest.mark.parametrize(
    "shape, dtype",
    [
        ((), "f64"),
        ((3,), "f32"),
        ((0, 4), "f32"),
        ((17, 5), "i64"),
        ((40, 30), "f32"),
        ((7,), "u8"),
    ],
)
def test_carried_tensors(shape: tuple[int, ...], dtype: str, turns: int, level: int) -> None:
    fn = _power(shape, dtype, turns)
    arrays = [spread(dtype, shape, 0), spread(dtype, shape, 1)]
    with np.errstate(all="ignore"):
        want = run(fn, arrays)
    for got, expected in zip(call(compiled(fn, level), *arrays), want, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_threads_give_the_same_bits() -> None:
    fn = _power((500, 300), "f32", 6)
    executable = compiled(fn)
    (body,) = [op.regions[1] for op in loops(executable.function)]
    assert any(op.kwargs.get("chunks", 1) > 1 for op in body.ops)
    arrays = [spread("f32", (500, 300), k) for k in (0, 1)]
    one, two = (call(executable, *arrays, threads=n) for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("first", (0, 7))
def test_text_of_nested_control(level: int, first: int) -> None:
    """The function of tests/ir/control.ir, whose check fails if the loop makes no turn."""
    text = (Path(__file__).resolve().parent.parent / "ir" / "control.ir").read_text()
    fn = parse(text, p.REGISTRY)
    arrays = [np.array(first, np.int32), np.full(4, 0.25, np.float32)]
    executable = compiled(fn, level)
    if first:
        with pytest.raises(AssertFailed, match="no turn"):
            call(executable, *arrays)
    else:
        (want,) = run(fn, arrays)
        assert_close(call(executable, *arrays)[0], want, 16.0)


# --- places ---------------------------------------------------------------------------------


def _filling(length: int) -> Function:
    """a[i] = a[i - 1] * 0.5 + 1, row after row; and a second array that is filled twice a turn."""
    rows = Type("f32", (length, 40))

    def body(b: Builder, count: Value, a: Value, c: Value) -> list[Value]:
        zero = p.constant(b, np.int32(0))
        one = p.splat(b, 1.0, Type("f32", (1, 40)))
        before = p.sub(b, count, p.constant(b, np.int32(1)))
        row = p.dynamic_slice(b, a, before, zero, sizes=(1, 40))
        row = p.add(b, p.mul(b, row, p.splat(b, 0.5, row.type)), one)
        first = p.dynamic_update_slice(b, c, row, count, zero)
        second = p.dynamic_update_slice(b, first, one, zero, zero)
        return [p.dynamic_update_slice(b, a, row, count, zero), second]

    build = Builder("f")
    a, c = build.param(rows), build.param(rows)
    regions = loop((I32, rows, rows), length, body)
    return build.finish(p.while_(build, p.constant(build, np.int32(1)), a, c, regions=regions))


def test_an_array_that_is_filled_in_a_loop_is_not_copied() -> None:
    fn = _filling(50)
    executable = compiled(fn)
    (op,) = loops(executable.function)
    body = op.regions[1]
    assert [bool(spare) for spare in op.attr("spare")][1:] == [False, False]
    assert dict(body.attr("donated"))[1] == 1 and dict(body.attr("donated"))[2] == 2
    made = [
        pair for o in body.ops for pair in zip(o.kwargs.get("out", ()), o.results, strict=False)
    ]
    places = sorted(place for place, result in made if result.type.shape == (50, 40))
    assert places == [("param", 1), ("param", 2), ("param", 2)]
    arrays = [spread("f32", (50, 40), k) for k in (0, 1)]
    for got, want in zip(call(executable, *arrays), run(fn, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def _scan(turns: int) -> Function:
    """Sums of sums: an array is filled with what an inner loop makes of what it holds, read at
    places that another array names; two places a turn, one of them clamped."""
    line, places = Type("f32", (20,)), Type("i32", (20,))

    def body(b: Builder, count: Value, total: Value, a: Value, at: Value) -> list[Value]:
        place = p.reshape(b, p.dynamic_slice(b, at, count, sizes=(1,)), shape=())

        def inner(c: Builder, k: Value, x: Value, inside: Value, first: Value) -> list[Value]:
            there = p.add(c, first, k)
            found = p.dynamic_slice(c, inside, there, sizes=(1,))
            return [p.add(c, x, p.reshape(c, found, shape=())), inside, first]

        regions = loop((I32, total.type, line, I32), 3, inner)
        start = p.constant(b, np.int32(0))
        got = p.while_(b, start, total, a, place, regions=regions)[1]
        half = p.reshape(b, p.mul(b, got, p.constant(b, 0.25, "f32")), shape=(1,))
        once = p.dynamic_update_slice(b, a, half, count)
        last = p.constant(b, np.int32(99))
        return [got, p.dynamic_update_slice(b, once, p.neg(b, half), last), at]

    build = Builder("f")
    total, a, at = (build.param(t) for t in (Type("f32", ()), line, places))
    regions = loop((I32, total.type, line, places), turns, body)
    made = p.while_(build, p.constant(build, np.int32(0)), total, a, at, regions=regions)
    return build.finish([made[1], made[2], a])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("turns", (0, 1, 19))
def test_a_loop_in_registers_that_fills_an_array(turns: int, level: int) -> None:
    fn = _scan(turns)
    executable = compiled(fn, level)
    filling = [op for op in kernels(executable.function, "while") if "filled" in op.kwargs]
    assert len(filling) == (level == 2 and turns > 0)  # a loop of no turns is not there
    places = np.array([(7 * k) % 23 - 2 for k in range(20)], np.int32)
    arrays = [np.array(0.5, np.float32), spread("f32", (20,)), places]
    for got, want in zip(call(executable, *arrays), run(fn, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_what_reads_its_neighbours_has_two_places() -> None:
    """A stencil reads this turn's array and writes the next one: no copy, two places in turns."""
    line = Type("f32", (64,))
    build = Builder("f")
    x = build.param(line)
    regions = loop((I32, line), 7, lambda b, _, u: p.sub(b, p.reverse(b, u, dims=(0,)), u))
    fn = build.finish(p.while_(build, p.constant(build, np.int32(0)), x, regions=regions))
    executable = compiled(fn)
    (op,) = loops(executable.function)
    assert op.attr("spare")[1] and dict(op.regions[1].attr("donated")).get(1) is None
    (kernel,) = [o for o in op.regions[1].ops if o.results and o.results[0].type == line]
    assert kernel.attr("out") == (("result", 1),)
    array = spread("f32", (64,))
    np.testing.assert_array_equal(call(executable, array)[1], run(fn, [array])[1])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("turns", range(5))
def test_carried_values_that_change_places(turns: int, level: int) -> None:
    """(a, b, c) = (b, c, a + b): a copy a turn where nothing computes the value."""
    fib = Type("i64", (40,))
    build = Builder("f")
    regions = loop((I32, fib, fib, fib), turns, lambda b, _, x, y, z: [y, z, p.add(b, x, y)])
    values = [build.param(fib) for _ in range(3)]
    fn = build.finish(p.while_(build, p.constant(build, np.int32(0)), *values, regions=regions))
    arrays = [spread("i64", (40,), k) for k in range(3)]
    for got, want in zip(call(compiled(fn, level), *arrays), run(fn, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


# --- errors, variables, cancellation ----------------------------------------------------------


def _checked(shape: tuple[int, ...], turns: int) -> Function:
    """A variable is doubled in each turn, as long as all of it is below 100; and then by a kernel
    that could write in place."""
    t = Type("i32", shape)

    def body(b: Builder, count: Value, x: Value) -> Value:
        p.assert_(
            b,
            p.lt(b, x, p.splat(b, 100, t)),
            x,
            count,
            message="x[{i}] = {0} in turn {1}",
            code="OutOfRangeError",
            op="check",
        )
        return p.add(b, x, x)

    build = Builder("f")
    x, w = build.param(t), build.param(t)
    first = p.constant(build, np.int32(0))
    _, y = p.while_(build, first, x, regions=loop((I32, t), turns, body))
    return build.finish([y, p.neg(build, w)], [("donated", ((0, 0), (1, 1)))])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", ((), (3,), (50, 3)))
def test_a_failing_body_changes_no_variable(shape: tuple[int, ...], level: int) -> None:
    for turns, fails in ((3, False), (6, True)):
        executable = compiled(_checked(shape, turns), level)
        x, w = np.ones(shape, np.int32), np.ones(shape, np.int32)
        x.reshape(-1)[-1] = 5
        before = x.copy()
        if not fails:
            call(executable, x, w)
            assert (x == before * 8).all() and (w == -1).all()
            continue
        with pytest.raises(AssertFailed) as failed:
            call(executable, x, w)
        assert failed.value.text == f"x[{x.size - 1}] = 160 in turn 5"
        assert (failed.value.code, failed.value.op) == ("OutOfRangeError", "check")
        assert (x == before).all() and (w == 1).all()


def test_the_check_that_failed_is_named() -> None:
    """Several checks in one kernel, in branches and loops."""

    def body(b: Builder, count: Value) -> list[Value]:
        for limit in (9, 4, 7):
            ok = p.lt(b, count, p.constant(b, np.int32(limit)))
            p.assert_(b, ok, count, message=f"{limit}: {{0}}")
        return []

    build = Builder("f")
    made = p.while_(build, build.param(I32), regions=loop((I32,), 20, body))
    executable = compiled(build.finish([made]))
    assert len(kernels(executable.function, "while")) == 1
    for first, text in ((0, "4: 4"), (8, "4: 8"), (12, "9: 12")):
        with pytest.raises(AssertFailed) as failed:
            call(executable, np.array(first, np.int32))
        assert failed.value.text == text
    assert call(executable, np.array(33, np.int32))[0] == 33


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", ((), (2000,)))
def test_a_loop_without_end_can_be_cancelled(shape: tuple[int, ...], level: int) -> None:
    t = Type("f32", shape)
    build = Builder("f")
    regions = (
        region("condition", (t,), lambda b, x: p.constant(b, True)),
        region("body", (t,), lambda b, x: p.add(b, x, p.splat(b, 1.0, t))),
    )
    x = build.param(t)
    y = p.while_(build, x, regions=regions)
    executable = compiled(build.finish([y], [("donated", ((0, 0),))]), level)
    array = np.zeros(shape, np.float32)
    stop = StopFlag()
    threading.Timer(0.1, stop.set).start()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        call(executable, array, stop=stop)
    assert time.perf_counter() - start < 5 and not array.any()


def _committing(shape: tuple[int, ...], limit: int) -> Function:
    """In each turn a value is doubled where it lies, three rows change places, a matrix is
    multiplied by another, and the turn is counted; without end, unless a check fails."""
    t, m = Type("i32", shape), Type("f32", (6, 6))
    carried = (I32, t, t, t, t, m, m)

    def body(b: Builder, count: Value, x: Value, *rest: Value) -> list[Value]:
        first, second, third, square, turn = rest
        ok = p.lt(b, x, p.splat(b, limit, t))
        p.assert_(b, ok, count, message="turn {0}", code="OutOfRangeError", op="check")
        product = p.dot(b, square, turn, contract=((1,), (0,)), batch=((), ()))
        one = p.constant(b, np.int32(1))
        return [p.add(b, count, one), p.add(b, x, x), second, third, first, product, turn]

    build = Builder("f")
    params = [build.param(v) for v in carried]
    regions = (
        region("condition", carried, lambda b, *v: p.constant(b, True)),
        region("body", carried, body),
    )
    made = build.emit(p.while_, *params, regions=regions, commits=True)
    return build.finish(made, [("donated", tuple((k, k) for k in range(len(carried))))])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", ((3,), (50, 3)))
@pytest.mark.parametrize("fails", (True, False))
def test_a_loop_that_commits_leaves_whole_turns(
    shape: tuple[int, ...], level: int, fails: bool
) -> None:
    fn = _committing(shape, 500 if fails else 2**31 - 1)
    x = np.ones(shape, np.int32) if fails else np.zeros(shape, np.int32)
    rows = [np.full(shape, k, np.int32) for k in range(3)]
    turn = np.eye(6, k=1, dtype=np.float32) + np.eye(6, k=-5, dtype=np.float32)
    arrays = [np.zeros((), np.int32), x, *rows, np.eye(6, dtype=np.float32), turn]
    stop = StopFlag()
    if fails:
        with pytest.raises(AssertFailed, match="turn 9"):
            call(compiled(fn, level), *arrays)
    else:
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(Cancelled):
            call(compiled(fn, level), *arrays, stop=stop)
    done = int(arrays[0])
    assert done == (9 if fails else done) * level // 2  # unoptimised, nothing is written in place
    assert (arrays[1] == (2**done if fails else 0)).all()
    for k, row in enumerate(arrays[2:5]):
        assert (row == (k + done) % 3).all()
    np.testing.assert_array_equal(arrays[5], np.linalg.matrix_power(turn, done % 6))


@pytest.mark.parametrize("level", LEVELS)
def test_variables_in_branches(level: int) -> None:
    """A variable that one branch changes and the other leaves."""
    t = Type("f32", (30,))
    build = Builder("f")
    pred, x = build.param(Type("i1", ())), build.param(t)
    arms = (region("then", (t,), p.exp), region("else", (t,), lambda b, v: v))
    fn = build.finish([p.cond(build, pred, x, regions=arms)], [("donated", ((1, 0),))])
    executable = compiled(fn, level)
    array = spread("f32", (30,))
    before = array.copy()
    call(executable, np.array(False), array)
    assert array.tobytes() == before.tobytes()
    call(executable, np.array(True), array)
    assert_close(array, np.exp(before), 4.0)
