"""What serves the next turn only is left out of the last: the values of all else are the same bits,
for any number of turns and threads, in chains, with kept panels, and in loops in loops."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tests.codegen.run import Running
from tests.compare import assert_close
from tests.passes.memory import run_on_bytes
from tests.sample_control import I32, loop, region
from tfc.base.cells import Cell
from tfc.base.dtypes import numpy_dtype
from tfc.base.options import options
from tfc.client.kept import KeptPanels
from tfc.codegen.steps import FEW
from tfc.compiler import Cancelled, StopFlag, compile_function
from tfc.ir.attrs import ParseError
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Op, Type, Value
from tfc.ir.interp import run
from tfc.ir.text import parse, print_function
from tfc.ir.walk import all_functions
from tfc.passes import last_turn
from tfc.passes.options import PassOptions
from tfc.passes.pipeline import run_pipeline
from tfc.prims.control import serves_next_turn

Array = np.ndarray
ZERO = np.int32(0)


def marked(fn: Function) -> list[Op]:
    return [op for f in all_functions(fn) for op in f.ops if serves_next_turn(op)]


def results(fn: Function, arrays: Sequence[Array], passes: str, threads: int) -> list[Array]:
    executable = compile_function(fn, fn.name, PassOptions(passes=passes, check=True))
    outs = [np.full(v.type.shape, 7, numpy_dtype(v.type.dtype)) for v in fn.results]
    executable([a.ctypes.data for a in (*arrays, *outs)], threads)
    return outs


def check(fn: Function, arrays: Sequence[Array], passes: str = "") -> Function:
    """The function as it is compiled, whose results have the bits that they have when nothing is
    left out, and are what the interpreter says."""
    final = run_pipeline(fn, PassOptions(passes=passes, check=True))
    assert print_function(parse(print_function(final), p.REGISTRY)) == print_function(final)
    wanted = results(fn, arrays, f"{passes},-last_turn".strip(","), 1)
    for threads in (1, 2, 3):
        for got, want in zip(results(fn, arrays, passes, threads), wanted, strict=True):
            assert got.tobytes() == want.tobytes()
    for got, want in zip(wanted, run(final, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    return final


def runs(fn: Function, arrays: Sequence[Array], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often kernels ran, by hero."""
    monkeypatch.setattr(options, "profile", 1)
    running = Running(run_pipeline(fn, PassOptions(check=True)))
    running(*arrays)
    assert running.code.profile is not None
    found: dict[str, int] = {}
    for op, count, _ in running.code.profile.read():
        found[op.attr("hero")] = found.get(op.attr("hero"), 0) + count
    return found


def numbers(*shapes: tuple[int, ...]) -> list[Array]:
    random = np.random.RandomState(5)
    return [(random.standard_normal(s) / np.sqrt(max(s[-1], 1))).astype(np.float32) for s in shapes]


def recurrent(turns: int, rows: int, columns: int) -> Function:
    """s += tanh(h); h = tanh(h) . w: of the last turn, s alone is wanted."""
    h, w = Type("f32", (rows, columns)), Type("f32", (columns, columns))

    def body(b: Builder, _: Value, x: Value, y: Value, total: Value) -> list[Value]:
        e = p.tanh(b, x)
        return [p.dot(b, e, y, contract=((1,), (0,))), y, p.add(b, total, e)]

    build = Builder("f")
    params = [build.param(t) for t in (h, w, h)]
    regions = loop((I32, h, w, h), turns, body)
    made = p.while_(build, p.constant(build, ZERO), *params, regions=regions)
    return build.finish([made[3]])


@pytest.mark.parametrize("turns", (0, 1, 2, 5))
@pytest.mark.parametrize("rows, columns", [(64, 64), (61, 37), (256, 128), (1, 301)])
def test_a_product_less(
    turns: int, rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fn = recurrent(turns, rows, columns)
    arrays = numbers((rows, columns), (columns, columns), (rows, columns))
    final = check(fn, arrays)
    assert turns == 0 or [op.attr("hero") for op in marked(final)] == ["dot"]
    assert runs(fn, arrays, monkeypatch).get("dot", 0) == max(turns - 1, 0)


@pytest.mark.parametrize("turns", (1, 3))
def test_many_kernels_in_a_row(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a table, as they are elsewhere."""
    t = Type("f32", (24, 24))

    def body(b: Builder, _: Value, x: Value, total: Value) -> list[Value]:
        y = e = p.tanh(b, x)
        for _ in range(2 * FEW):
            y = p.dot(b, y, e, contract=((1,), (0,)))
        return [y, p.add(b, total, e)]

    build = Builder("f")
    params = [build.param(t), build.param(t)]
    made = p.while_(build, p.constant(build, ZERO), *params, regions=loop((I32, t, t), turns, body))
    fn, arrays = build.finish([made[2]]), numbers((24, 24), (24, 24))
    final = check(fn, arrays)
    assert len(marked(final)) == 2 * FEW and "@walk" in Running(final).code.llvm
    assert runs(fn, arrays, monkeypatch)["dot"] == 2 * FEW * (turns - 1)


def test_no_rows() -> None:
    check(recurrent(3, 0, 64), numbers((0, 64), (64, 64), (0, 64)))


@pytest.mark.parametrize("order", ("", "-schedule", "-chain", "-buffers"))
def test_chains(order: str) -> None:
    """Kernels by the same rows; what is left out stands between others."""
    t = Type("f32", (128, 256))

    def body(b: Builder, _: Value, x: Value, y: Value, z: Value) -> list[Value]:
        e = p.exp(b, p.neg(b, p.abs_(b, x)))
        f = p.dot(b, e, z, contract=((1,), (0,)))
        return [p.tanh(b, f), p.add(b, y, p.dot(b, e, z, contract=((1,), (1,)))), z]

    build = Builder("f")
    w = Type("f32", (256, 256))
    params = [build.param(v) for v in (t, t, w)]
    regions = loop((I32, t, t, w), 4, body)
    made = p.while_(build, p.constant(build, ZERO), *params, regions=regions)
    final = check(build.finish([made[2]]), numbers((128, 256), (128, 256), (256, 256)), order)
    left_out = marked(final)
    assert left_out
    assert any("joined" in op.kwargs for op in left_out) == (order != "-chain")


CONDITIONS = {
    "the sum": lambda b, i, h, s, a, c: p.lt(b, _sum(b, s), p.constant(b, 900.0, "f32")),
    "a product of the sum": lambda b, i, h, s, a, c: p.lt(
        b, _sum(b, p.dot(b, s, s, contract=((1,), (0,)))), p.constant(b, 4000.0, "f32")
    ),
    "the swapped": lambda b, i, h, s, a, c: p.lt(b, p.add(b, a, c), p.constant(b, 3.0, "f32")),
    "what becomes a constant": lambda b, i, h, s, a, c: p.ne(b, c, p.constant(b, 9.0, "f32")),
    "the state": lambda b, i, h, s, a, c: p.lt(b, _sum(b, h), p.constant(b, 400.0, "f32")),
}


def _sum(b: Builder, x: Value) -> Value:
    return p.reduce(b, p.abs_(b, x), dims=(0, 1), kind="add")


@pytest.mark.parametrize("reads", CONDITIONS)
@pytest.mark.parametrize("swap", (False, True))
def test_what_the_condition_reads(reads: str, swap: bool) -> None:
    """Sums, what changes places from turn to turn, a constant; and the state itself, which is then
    computed in every turn."""
    h, scalar = Type("f32", (40, 40)), Type("f32", ())
    carried = (I32, h, h, scalar, scalar)

    def test(b: Builder, i: Value, *rest: Value) -> Value:
        few = p.lt(b, i, p.constant(b, np.int32(4)))
        return p.and_(b, few, CONDITIONS[reads](b, i, *rest))

    def body(b: Builder, i: Value, x: Value, s: Value, a: Value, c: Value) -> list[Value]:
        e = p.tanh(b, x)
        state = p.dot(b, e, x, contract=((1,), (0,)))
        a = p.add(b, a, p.constant(b, 0.5, "f32"))
        given = [c, a] if swap else [a, p.constant(b, 9.0, "f32")]
        return [p.add(b, i, p.constant(b, np.int32(1))), state, p.add(b, s, e), *given]

    build = Builder("f")
    params = [build.param(v) for v in carried[1:]]
    regions = (region("condition", carried, test), region("body", carried, body))
    made = p.while_(build, p.constant(build, ZERO), *params, regions=regions)
    final = check(
        build.finish([made[2]]), numbers((40, 40), (40, 40)) + [np.zeros((), np.float32)] * 2
    )
    assert any(op.attr("hero") == "dot" for op in marked(final)) == (reads != "the state")


@pytest.mark.parametrize("rows, columns, joined", [(48, 300, False), (4096, 32, True)])
def test_kept_panels(rows: int, columns: int, joined: bool) -> None:
    """A run of one turn leaves out the kernel that would have kept panels: what the next one keeps
    is what the operand holds."""
    t, w, most = Type("f32", (rows, columns)), Type("f32", (columns, columns)), 5

    def test(b: Builder, i: Value, limit: Value, *_: Value) -> Value:
        return p.lt(b, i, limit)

    def body(b: Builder, i: Value, limit: Value, x: Value, s: Value, y: Value) -> list[Value]:
        e = p.tanh(b, x)
        after = p.add(b, i, p.constant(b, np.int32(1)))
        return [after, limit, p.dot(b, e, y, contract=((1,), (1,))), p.add(b, s, e), y]

    carried = (I32, I32, t, t, w)
    build = Builder("f")
    params = [build.param(v) for v in carried[1:]]
    regions = (region("condition", carried, test), region("body", carried, body))
    made = p.while_(build, p.constant(build, ZERO), *params, regions=regions)
    fn = build.finish([made[3]], (("donated", ()), ("lasting", (3,))))
    limit, arrays = np.zeros((), np.int32), numbers(t.shape, t.shape, w.shape)
    kept = compile_function(fn, "kept", PassOptions(passes="-arrange", check=True))
    (product,) = marked(kept.function)
    assert len(kept.kept) == 1 and "keeps" in product.kwargs
    assert bool(product.kwargs.get("joined")) == joined
    version = Cell(1)
    panels = [KeptPanels(version, k.nbytes) for k in kept.kept]
    out = np.zeros(t.shape, np.float32)
    for _ in range(2):
        for turns in (1, 1, 1, 2, 1, most, 0, most):
            limit[...] = turns
            given = (limit, *arrays, out)
            kept([a.ctypes.data for a in given] + [record.address for record in panels], 2)
            (want,) = results(fn, given[:-1], "-last_turn,-keep,-arrange", 1)
            assert out.tobytes() == want.tobytes()
        arrays[2] *= 2
        version.value += 1


def test_a_loop_without_end_can_be_cancelled() -> None:
    h = Type("f32", (64, 64))

    def body(b: Builder, x: Value, total: Value) -> list[Value]:
        e = p.tanh(b, x)
        return [p.dot(b, e, e, contract=((1,), (0,))), p.add(b, total, e)]

    build = Builder("f")
    params = [build.param(h), build.param(h)]
    always = region("condition", (h, h), lambda b, *_: p.constant(b, True))
    made = p.while_(build, *params, regions=(always, region("body", (h, h), body)))
    executable = compile_function(build.finish([made[1]]), "f", PassOptions(check=True))
    assert marked(executable.function)
    arrays, stop = [np.zeros((64, 64), np.float32) for _ in range(3)], StopFlag()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Cancelled):
        executable([a.ctypes.data for a in arrays], 1, stop)


def test_what_ends_a_turn_serves_more_than_the_next() -> None:
    text = print_function(run_pipeline(recurrent(3, 64, 64), PassOptions()))
    assert text.count("hero='dot', joined=True, next_turn=True") == 1
    head, body = text.split("func @body")
    wrong = body.replace("hero='loop'", "hero='loop', next_turn=True", 1)  # the counter's kernel
    with pytest.raises(ParseError, match="next_turn is needed to end the turn"):
        parse(f"{head}func @body{wrong}", p.REGISTRY)


# --- loops at random ------------------------------------------------------------------------

Draw = Any
SHAPES = ((17, 17), (17, 17), (17,), ())


@st.composite
def functions(draw: Draw) -> Function:
    """A loop that carries matrices, a vector and a scalar, of which one result is read; in it, with
    luck, loops and branches."""
    build = Builder("f")
    values = [build.param(Type("f32", shape)) for shape in SHAPES]
    made = _loop(draw, build, values, draw(st.integers(0, 2)))
    return build.finish([draw(st.sampled_from(made))])


def _loop(draw: Draw, build: Builder, values: list[Value], depth: int) -> list[Value]:
    carried = [
        draw(st.sampled_from([v for v in values if v.type.shape == s])) for s in (*SHAPES, ())
    ]
    types = (I32, *[v.type for v in carried])
    turns, tested = draw(st.integers(0, 4)), draw(st.integers(0, 2 * len(types)))

    def test(b: Builder, *given: Value) -> Value:
        more = p.lt(b, given[0], p.constant(b, np.int32(turns)))
        if not 0 < tested < len(types):
            return more
        x = given[tested]
        if x.type.rank == 2:  # in memory of its own
            x = p.tanh(b, p.dot(b, x, x, contract=((1,), (0,))))
        total = p.reduce(b, x, dims=tuple(range(x.type.rank)), kind="max")
        return p.and_(b, more, p.lt(b, total, p.constant(b, 0.9, "f32")))

    def body(b: Builder, count: Value, *given: Value) -> list[Value]:
        inner = [*given]
        for _ in range(draw(st.integers(4, 10))):
            _step(draw, b, inner, depth)
        after = p.add(b, count, p.constant(b, np.int32(1)))
        following = [[v for v in inner if v.type == t][-3:] for t in types[1:]]
        return [after, *[draw(st.sampled_from(these)) for these in following]]

    regions = (region("condition", types, test), region("body", types, body))
    made = p.while_(build, p.constant(build, ZERO), *carried, regions=regions)
    return list(made[1:])


def _step(draw: Draw, build: Builder, values: list[Value], depth: int) -> None:
    kind = draw(st.sampled_from(("add", "tanh", "dot", "sum", "row", "loop", "cond")))
    x = draw(st.sampled_from(values))
    y = draw(st.sampled_from([v for v in values if v.type == x.type]))
    if kind == "loop" and depth:
        values += _loop(draw, build, values, depth - 1)
    elif kind == "cond" and depth:
        positive = p.gt(build, values[4], p.constant(build, 0.0, "f32"))
        arms = [region("arm", (x.type, y.type), write) for write in (p.add, p.mul)]
        values.append(p.cond(build, positive, x, y, regions=tuple(arms)))
    elif kind == "dot" and x.type.rank == 2:
        values.append(p.dot(build, x, y, contract=((1,), (0,))))
    elif kind == "sum":
        values.append(p.reduce(build, x, dims=tuple(range(x.type.rank)), kind="max"))
    elif kind == "row" and x.type.rank == 2:
        first, last = (p.constant(build, np.int32(k)) for k in (0, 16))
        row = p.dynamic_slice(build, x, last, first, sizes=(1, 17))
        values.append(p.dynamic_update_slice(build, y, row, first, first))
    elif kind == "tanh":
        values.append(p.tanh(build, p.sub(build, x, y)))
    else:
        values.append(p.add(build, x, y))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(functions())
def test_random_loops(fn: Function) -> None:
    arrays = numbers(*SHAPES[:3], (1,))
    arrays[3] = arrays[3].reshape(())
    least, last_turn.LEAST_NS = last_turn.LEAST_NS, 0.0
    try:
        final, plain = (run_pipeline(fn, PassOptions(passes=s)) for s in ("", "-last_turn"))
    finally:
        last_turn.LEAST_NS = least
    with np.errstate(all="ignore"):
        (want,) = run(fn, arrays)
        (inside,) = run(final, arrays)
        (got,), (other,) = (Running(each)(*arrays) for each in (final, plain))
        (on_bytes,) = run_on_bytes(final, arrays)
    assert got.tobytes() == other.tobytes() and on_bytes.tobytes() == inside.tobytes()
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=0.0))
    assert_close(got, want, 4096.0, scale=scale)
    assert_close(inside, want, 4096.0, scale=scale)
