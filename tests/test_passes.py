"""Translation validation: a pass changes how a function computes, never what.

Every function of the `.ir` files and random programs are interpreted before and after each pass;
what `buffers` leaves is also run on real bytes.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfc.prims as p
from tests.passes.golden import cases, cases_of
from tests.passes.memory import run_on_bytes
from tests.randprog import Program, assert_same_results, programs
from tests.samples import SAMPLES, function, spread
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run
from tfc.ir.text import parse_all, print_function
from tfc.ir.walk import all_functions
from tfc.passes import simplify
from tfc.passes.matching import ELEMENTWISE
from tfc.passes.options import PassOptions
from tfc.passes.pipeline import PIPELINE, REQUIRED, check_order, run_pipeline
from tfc.prims import REGISTRY
from tfc.prims.effects import AssertionFailed
from tfc.prims.indexmap import operand_map

HERE = Path(__file__).resolve().parent
Array = np.ndarray
# Sums and products of floats may come in another order, and accumulate wider in the interpreter;
# the inputs of the samples are small, so a rounding in the last place is all that may show.
ULPS = 4.0


def _before_fuse(fn: Function) -> bool:
    return all(op.defn.name != "fusion" for f in all_functions(fn) for op in f.ops)


def _functions() -> list[tuple[str, Function]]:
    """Every function of the `.ir` files that parses and has no kernels yet."""
    found = [(str(case), case.function) for case in cases()]
    for path in sorted((HERE / "ir").glob("*.ir")):
        text = path.read_text()
        if "// error:" not in text:
            found += [(f"{path.stem}-{f.name}", f) for f in parse_all(text, REGISTRY)]
    return [(name, fn) for name, fn in found if _before_fuse(fn)]


def _inputs(fn: Function) -> tuple[Array, ...]:
    return tuple(spread(v.type.dtype, v.type.shape, k) for k, v in enumerate(fn.params))


def _check_pipeline(fn: Function, arrays: tuple[Array, ...], options: PassOptions) -> None:
    """Each pass keeps the results, and so do the buffers of the last one."""
    final = run_pipeline(fn, options)
    try:
        expected = run(fn, arrays)
    except AssertionFailed as failed:
        for record in options.records:
            with pytest.raises(AssertionFailed) as again:
                run(record.fn, arrays)
            assert again.value.message == failed.message
        return
    for record in options.records:
        assert_same_results(fn, record.fn, arrays, ULPS)
    for want, got in zip(run(final, arrays), run_on_bytes(final, arrays), strict=True):
        assert want.tobytes() == got.tobytes()
    assert len(expected) == len(final.results)


FUNCTIONS = _functions()


@pytest.mark.parametrize("fn", [f for _, f in FUNCTIONS], ids=[n for n, _ in FUNCTIONS])
@pytest.mark.parametrize("level", [0, 1])
def test_ir_files(fn: Function, level: int) -> None:
    _check_pipeline(fn, _inputs(fn), PassOptions(level=level, check=True))


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_samples(sample: object) -> None:
    """One op alone: what a rule makes of its special cases, NaN and -0.0 among the inputs."""
    if sample.prim.name == "fusion":  # type: ignore[attr-defined]
        return
    fn = function(sample)  # type: ignore[arg-type]
    _check_pipeline(fn, sample.arrays, PassOptions(check=True))  # type: ignore[attr-defined]


_SLOW = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


@_SLOW
@given(programs(), st.sampled_from((0, 1)))
def test_random_programs(program: Program, level: int) -> None:
    _check_pipeline(program.fn, program.arrays, PassOptions(level=level, check=True))


@_SLOW
@given(programs(max_ops=8, control=2), st.sampled_from((0, 2)))
def test_random_programs_with_loops_and_branches(program: Program, level: int) -> None:
    _check_pipeline(program.fn, program.arrays, PassOptions(level=level, check=True))


@_SLOW
@given(programs(), st.integers(0, 1000))
def test_order_of_independent_ops_does_not_matter(program: Program, seed: int) -> None:
    """TFC_SHUFFLE: results do not depend on an order that nobody promised."""
    options = PassOptions(check=True, shuffle=seed)
    _check_pipeline(program.fn, program.arrays, options)


@_SLOW
@given(programs(dtypes=("f32",)), st.data())
def test_variables(program: Program, data: st.DataObject) -> None:
    """Some parameters are variables, whose new values are results; and something may fail."""
    fn = program.fn
    results, donated = list(fn.results), []
    values = [r for op in fn.ops for r in op.results] + list(fn.params)
    for k, param in enumerate(fn.params):
        fitting = [v for v in values if v.type == param.type]
        if data.draw(st.booleans()):
            donated.append((k, len(results)))
            results.append(data.draw(st.sampled_from(fitting)))
    build = Builder(fn.name, fn.params)
    build.ops.extend(fn.ops)
    if data.draw(st.booleans()):
        last = data.draw(st.sampled_from(values))
        finite = p.ge(build, last, last) if last.type.dtype != "i1" else last
        ok = p.or_(build, finite, p.not_(build, finite))
        p.assert_(build, ok, message="never", op="A")
    changed = build.finish(results, [("donated", tuple(donated))])
    _check_pipeline(changed, program.arrays, PassOptions(check=True))


def test_rules_can_be_bisected() -> None:
    """With fuel for n firings only the first n rules fire."""
    build = Builder("f")
    x = build.param(Type("f32", (3,)))
    fn = build.finish([p.neg(build, p.neg(build, x)), p.abs_(build, p.abs_(build, x))])
    sizes = [len(simplify.simplify(fn, PassOptions(fuel=n)).ops) for n in range(4)]
    assert sizes == [4, 2, 1, 1]


def test_a_rule_that_loops_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap_for_ever(build: Builder, op: object) -> Value:
        x, y = op.operands  # type: ignore[attr-defined]
        return p.add(build, y, x)

    monkeypatch.setitem(simplify.RULES, "add", (swap_for_ever,))
    build = Builder("f")
    x, y = build.param(Type("f32", (3,))), build.param(Type("f32", (3,)))
    fn = build.finish([p.add(build, x, y)])
    with pytest.raises(simplify.RuleLoop, match="swap_for_ever"):
        simplify.simplify(fn, PassOptions())


def test_options() -> None:
    fn = Builder("f").finish([])
    with pytest.raises(ValueError, match="no pass 'fusse'"):
        run_pipeline(fn, PassOptions(passes="-fusse"))
    with pytest.raises(ValueError, match="write -name"):
        PassOptions(passes="fuse")
    names = []
    options = PassOptions(level=0, passes="+cse", hooks=[lambda r: names.append(r.name)])
    run_pipeline(fn, options)
    assert names == ["cse", "cse.2", "fuse", "schedule", "buffers"]
    assert [r.name for r in options.records] == names


def test_order_is_checked() -> None:
    names = [place.name for place in PIPELINE]
    check_order(names)
    with pytest.raises(ValueError, match="fuse must run before parallel"):
        check_order([n for n in names if n != "fuse"] + ["fuse"])
    for name in REQUIRED:
        with pytest.raises(ValueError, match=f"lacks {name}"):
            check_order([n for n in names if n != name])


def test_every_rule_says_its_identity_and_fires() -> None:
    """Each rule has a docstring, and some golden case makes it fire."""
    fired: set[str] = set()

    def counting(rule: simplify.Rule) -> simplify.Rule:
        def call(build: Builder, op: object) -> object:
            values = rule(build, op)  # type: ignore[arg-type]
            if values is not None:
                fired.add(rule.__name__)
            return values

        return call  # type: ignore[return-value]

    original = dict(simplify.RULES)
    try:
        for name, rules in original.items():
            simplify.RULES[name] = tuple(map(counting, rules))
        for path in sorted((HERE / "passes" / "simplify").glob("*.ir")):
            for case in cases_of(path):
                case.after()
    finally:
        simplify.RULES.update(original)
    rules = {rule.__name__: rule for rules in original.values() for rule in rules}
    assert all(rule.__doc__ for rule in rules.values())
    assert set(rules) - fired == set()


def test_elementwise_is_what_index_maps_say() -> None:
    seen = set()
    for sample in SAMPLES:
        if sample.prim.name in ELEMENTWISE and sample.arrays[0].size > 1:
            (op,) = function(sample).ops
            maps = [operand_map(op, k) for k in range(len(op.operands))]
            assert all(m is not None and m.is_identity for m in maps), sample
            seen.add(sample.prim.name)
    assert seen == ELEMENTWISE


def _chain(length: int) -> Function:
    build = Builder("chain")
    x = build.param(Type("f32", (64, 64)))
    weights = [build.param(Type("f32", (64, 64))) for _ in range(8)]
    for k in range(length):
        x = p.tanh(build, p.add(build, x, weights[k % 8]))
        if k % 10 == 0:
            x = p.dot(build, x, weights[k % 8], contract=((1,), (0,)))
    return build.finish([x])


def test_time_is_linear() -> None:
    """10,000 ops take about ten times what 1,000 take, not a hundred times."""

    def seconds(fn: Function) -> float:
        start = time.process_time()
        run_pipeline(fn, PassOptions())
        return time.process_time() - start

    short, long = _chain(500), _chain(5000)
    assert min(seconds(long) for _ in range(2)) < 40 * min(seconds(short) for _ in range(3))


def _kernel_ops(fn: Function) -> list[str]:
    return [op.defn.name for region in all_functions(fn)[1:] for op in region.ops]


def test_costly_ops_are_computed_once() -> None:
    """exp and dot stand in one kernel each, however many kernels read them."""
    build = Builder("f")
    x = build.param(Type("f32", (32, 32)))
    e = p.exp(build, x)
    sums = p.reduce(build, e, dims=(0,), kind="add"), p.reduce(build, e, dims=(1,), kind="add")
    fn = build.finish([p.dot(build, e, e, contract=((1,), (0,))), *sums])
    options = PassOptions()
    final = run_pipeline(fn, options)
    assert _kernel_ops(final).count("exp") == 1
    assert print_function(options.records[-1].fn) == print_function(final)
