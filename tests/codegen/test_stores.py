"""Kernels that write parts of larger results, against the interpreter: split, in place or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import tfc.prims as p
from tests.codegen.run import Running, place
from tests.samples import spread
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Type, Value
from tfc.ir.interp import run
from tfc.passes.kernels import in_place_operands


def kernel(fn: Function, space: Sequence[int], chunks: int = 1) -> Function:
    """The whole of `fn` as one kernel over `space`."""
    params = [Value(v.type) for v in fn.params]
    attrs = (("hero", "loop"), ("space", tuple(space)))
    op = make_op(p.fusion, tuple(params), attrs, (fn,))
    return place(Function("f", tuple(params), (op,), op.results), chunks)


def updates(shape: Sequence[int], units: Sequence[int], rows: int) -> Function:
    """abs(x), and two arrays with -x in place of their entry number i; `units`: where the entry has
    axes of one element beside the first."""
    build = Builder("k")
    build.fold_elements = -1
    entry = (1, *units, *shape)
    whole = Type("f64", (rows, *entry[1:]))
    x, a, b = build.param(Type("f64", tuple(shape))), build.param(whole), build.param(whole)
    at = build.param(Type("i32", ()))
    zero = p.constant(build, np.int32(0))
    update = p.reshape(build, p.neg(build, x), shape=entry)
    starts = [at, *[zero] * (len(entry) - 1)]
    made = [p.dynamic_update_slice(build, v, update, *starts) for v in (a, b)]
    return build.finish([p.abs(build, x), *made])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (7,), (5, 1), (3, 37), (4, 2, 16), (64, 130)])
@pytest.mark.parametrize("chunks", [1, 4])
@pytest.mark.parametrize("at", [-2, 1, 9])
def test_updates_of_entries(shape: tuple[int, ...], chunks: int, at: int) -> None:
    for units in ((), (1,)):
        fn = updates(shape, units, 3)
        arrays = [spread("f64", v.type.shape, k) for k, v in enumerate(fn.params[:3])]
        arrays.append(np.asarray(at, np.int32))
        for got, want in zip(
            Running(kernel(fn, shape, chunks))(*arrays), run(fn, arrays), strict=True
        ):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("shape", [(2, 3, 1), (1, 1, 1), (5, 4, 33), (16, 2, 16)])
def test_parts_side_by_side(dim: int, chunks: int, shape: tuple[int, ...]) -> None:
    build = Builder("k")
    build.fold_elements = -1
    x = build.param(Type("f64", shape))
    parts = [f(build, x) for f in (p.neg, p.abs, p.sign)]
    fn = build.finish([p.concat(build, *parts, dim=dim), parts[1]])
    array = spread("f64", shape, 1)
    for got, want in zip(Running(kernel(fn, shape, chunks))(array), run(fn, [array]), strict=True):
        np.testing.assert_array_equal(got, want)


def test_each_update_may_lie_over_what_it_updates_and_nothing_else() -> None:
    op = kernel(updates((8,), (), 3), (8,)).ops[0]
    assert in_place_operands(op) == [{0}, {1}, {2}]
