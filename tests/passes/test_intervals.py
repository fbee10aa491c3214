"""What is said of integers holds: random loops and branches over narrow integers, which wrap often,
run op by op, and every value must lie in its interval."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.ir.builder import Builder, eval_op
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run
from tfc.passes.inside import inside
from tfc.passes.intervals import Intervals, loop
from tfc.passes.options import PassOptions
from tfc.passes.ranges import ranges
from tfc.prims.effects import AssertionFailed
from tfc.prims.prim import REGISTRY

MOST_TURNS = 400  # of a function
NUMBERS = {"i8": (-128, -100, -7, -1, 0, 1, 2, 3, 9, 100, 127), "u8": (0, 1, 2, 5, 100, 200, 255)}
STEPS = (1, 1, 2, 3, 50)


class Stopped(Exception):
    """A loop runs for long."""


class Checked:
    """Runs functions, with a look at every value."""

    def __init__(self) -> None:
        self.narrow = 0  # intervals that say something
        self.left = 0

    def run(
        self, fn: Function, arrays: Sequence[np.ndarray], given: Sequence[tuple[int, int] | None]
    ) -> list[np.ndarray]:
        known = Intervals(fn.params, given)
        values = dict(zip(fn.params, arrays, strict=True))
        for param in fn.params:
            self.check(known, param, values[param])
        for op in fn.ops:
            known.add(op)
            operands = [values[v] for v in op.operands]
            if op.defn.name == "while":
                results = self.turns(op, operands, known)
            elif op.defn.name == "cond":
                region = op.regions[0 if operands[0] else 1]
                results = self.run(region, operands[1:], [known[v] for v in op.operands[1:]])
            else:
                results = list(eval_op(op, operands))
            for value, array in zip(op.results, results, strict=True):
                values[value] = array
                self.check(known, value, array)
        return [values[v] for v in fn.results]

    def turns(self, op, arrays, known: Intervals) -> list[np.ndarray]:
        condition, body = op.regions
        carried = loop(op, known)
        while self.run(condition, arrays, carried.around)[0]:
            if not self.left:
                raise Stopped
            self.left -= 1
            arrays = self.run(body, arrays, carried.inside)
        return arrays

    def check(self, known: Intervals, value: Value, array: np.ndarray) -> None:
        interval = known[value]
        if interval is not None and array.size:
            assert interval[0] <= int(array.min()) and int(array.max()) <= interval[1]
            limits = np.iinfo(numpy_dtype(value.type.dtype)) if value.type.dtype != "i1" else None
            self.narrow += limits is not None and interval[1] - interval[0] < limits.max


class Program:
    """A random function of integers of one dtype, with loops, branches and slices."""

    def __init__(self, seed: int, dtype: str):
        self.random = np.random.RandomState(seed)
        self.dtype, self.type = dtype, Type(dtype, ())

    def pick(self, values: Sequence) -> object:
        return values[self.random.randint(len(values))]

    def const(self, build: Builder, number: int | None = None) -> Value:
        number = self.pick(NUMBERS[self.dtype]) if number is None else number
        return p.constant(build, np.asarray(number).astype(numpy_dtype(self.dtype)))

    def make(self) -> Function:
        build = Builder("f")
        values = [build.param(self.type), self.const(build), self.const(build, 0)]
        array = build.param(Type(self.dtype, (9,)))
        made = self.ops(build, values, array, 0)
        return build.finish([*made[-3:], array])

    def ops(self, build: Builder, values: Sequence[Value], array: Value, depth: int) -> list[Value]:
        values = [*values, self.const(build)]
        for _ in range(self.random.randint(2, 6)):
            a, b, c = (self.pick(values) for _ in range(3))
            kind = self.random.randint(12)
            if kind < 6:
                name = self.pick(("add", "sub", "mul", "min", "max", "div", "rem"))
                values.append({"min": p.min_, "max": p.max_}.get(name) or getattr(p, name))
                values[-1] = values[-1](build, a, b)
            elif kind < 7:
                values.append(p.select(build, self.test(build, a, b), b, c))
            elif kind < 8:
                wide = p.convert(build, a, dtype="i32")
                start = self.pick((wide, p.rem(build, wide, p.constant(build, np.int32(7)))))
                part = p.dynamic_slice(build, array, start, sizes=(1,))
                values.append(p.reshape(build, part, shape=()))
            elif depth < 2:
                made = self.loop if kind < 11 else self.branch
                values += made(build, values, array, depth)
        return values

    def test(self, build: Builder, a: Value, b: Value) -> Value:
        return self.pick((p.lt, p.le, p.gt, p.ge, p.eq, p.ne))(build, a, b)

    def branch(self, build, values, array, depth) -> Sequence[Value]:
        inputs = [self.pick(values) for _ in range(2)]
        regions = []
        for _ in range(2):
            inner = Builder("branch", [Value(self.type), Value(self.type), Value(array.type)])
            made = self.ops(inner, inner.params[:2], inner.params[2], depth + 1)
            regions.append(inner.finish([self.pick(made), made[-1]]))
        test = self.test(build, self.pick(values), self.pick(values))
        return p.cond(build, test, *inputs, array, regions=tuple(regions))

    def loop(self, build, values, array, depth) -> Sequence[Value]:
        count = 4
        start = [self.pick(values) for _ in range(count)]
        written = p.splat(build, self.pick((0, 1, 5)), Type(self.dtype, (self.pick((9, 300)),)))
        operands = (*start, array, written)
        test = Builder("test", [Value(v.type) for v in operands])
        tests = []
        for _ in range(self.random.randint(1, 3)):
            a = self.pick(test.params[:count])
            bound = self.pick((*test.params[:count], self.const(test), self.const(test)))
            tests.append(self.pick((p.lt, p.le, p.gt, p.ge))(test, a, bound))
        go_on = tests[0] if len(tests) == 1 else p.and_(test, *tests)
        body = Builder("body", [Value(v.type) for v in operands])
        params, (array, written) = body.params[:count], body.params[count:]
        at = self.pick(params)
        read = p.reshape(body, p.dynamic_slice(body, written, at, sizes=(1,)), shape=())
        entry = p.reshape(body, self.const(body), shape=(1,))
        written = p.dynamic_update_slice(body, written, entry, at)
        made = self.ops(body, [*params, read], array, depth + 1)
        following = [self.pick(made) for _ in range(count)]
        for j in range(self.random.randint(1, count)):  # counters
            step = self.const(body, self.pick(STEPS))
            following[j] = self.pick((p.add, p.sub))(body, params[j], step)
        if self.random.randint(2):
            following[-1] = self.pick((params[-1], read))
        regions = (test.finish([go_on]), body.finish([*following, array, written]))
        return p.while_(build, *operands, regions=regions)[:count]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_intervals_hold(dtype: str) -> None:
    random, checked, ended = np.random.RandomState(5), Checked(), 0
    for seed in range(150):
        fn = Program(seed, dtype).make()
        number = numpy_dtype(dtype)
        first = np.asarray(random.choice(NUMBERS[dtype])).astype(number)
        arrays = [first, random.randint(0, 9, 9).astype(number)]
        checked.left = MOST_TURNS
        try:
            want = checked.run(fn, arrays, [None, None])
        except Stopped:
            continue
        ended += 1
        decided = inside(ranges(fn, PassOptions()), PassOptions())
        for got, expected in zip(run(decided, arrays), want, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert ended > 100 and checked.narrow > 3_000


def test_an_assert_that_may_fail_stays() -> None:
    """A counter that starts below the array is found out."""
    build = Builder("f")
    i32 = Type("i32", ())
    test, body = Builder("test", [Value(i32)]), Builder("body", [Value(i32)])
    go_on = p.lt(test, test.params[0], p.constant(test, np.int32(5)))
    (at,) = body.params
    p.assert_(body, p.ge(body, at, p.constant(body, np.int32(-2))), at, message="{0}")
    p.assert_(body, p.ge(body, at, p.constant(body, np.int32(0))), at, message="{0}")
    following = p.add(body, at, p.constant(body, np.int32(1)))
    start = p.constant(build, np.int32(-2))
    regions = (test.finish([go_on]), body.finish([following]))
    fn = build.finish([p.while_(build, start, regions=regions)])
    decided = ranges(fn, PassOptions())
    (looped,) = [op for op in decided.ops if op.regions]
    assert [op.defn.name for op in looped.regions[1].ops].count("assert") == 1
    with pytest.raises(AssertionFailed, match="-2"):
        run(decided, [])


@pytest.mark.parametrize("kind", ("lt", "le", "gt", "ge"))
def test_counters_lie_exactly_where_they_are(kind: str) -> None:
    """A counter that is tested, and one that is not."""
    i8, holds = Type("i8", ()), REGISTRY[kind].eval
    sign = 1 if kind in ("lt", "le") else -1
    for start, bound, stride in product((-60, -9, 0, 8, 60), (-4, 0, 7), (1, 2, 5)):
        test = Builder("test", [Value(i8), Value(i8)])
        go_on = REGISTRY[kind](test, test.params[0], p.constant(test, np.int8(bound)))
        body = Builder("body", [Value(i8), Value(i8)])
        steps = [p.constant(body, np.int8(n)) for n in (sign * stride, 1)]
        following = [p.add(body, v, n) for v, n in zip(body.params, steps, strict=True)]
        build = Builder("f")
        first = [p.constant(build, np.int8(n)) for n in (start, 0)]
        looped = p.while_(build, *first, regions=(test.finish([go_on]), body.finish(following)))
        seen = [start]
        while holds(seen[-1], bound):
            seen.append(seen[-1] + sign * stride)
        carried = loop(looped[0].op, Intervals())
        turns = len(seen) - 1
        assert carried.around == [(min(seen), max(seen)), (0, turns)]
        if turns:
            assert carried.inside == [(min(seen[:-1]), max(seen[:-1])), (0, turns - 1)]
