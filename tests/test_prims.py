"""Every primitive: its type rule, its numpy meaning and its element rule agree, and its numpy
meaning is what independent code says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc.prims as p
from tests.compare import assert_close, assert_equal, comparable
from tests.samples import SAMPLES, Sample, function, spread
from tests.scalar_emitter import run_emit
from tfc.base.dtypes import FLOATS, INTEGERS, numpy_dtype, short_of
from tfc.ir.builder import Builder
from tfc.ir.core import Type
from tfc.ir.interp import run
from tfc.prims.movement import reshape_groups

Array = np.ndarray


def test_every_primitive_is_whole_and_sampled() -> None:
    sampled = {s.prim.name for s in SAMPLES}
    assert set(p.REGISTRY) == sampled
    assert len({s.name for s in SAMPLES}) == len(SAMPLES)
    for prim in p.REGISTRY.values():
        assert prim.doc and callable(prim.infer) and callable(prim.eval)
        assert any(_touches_nothing(s) for s in SAMPLES if s.prim is prim), prim


def test_architecture_lists_them() -> None:
    page = (Path(__file__).resolve().parent.parent / "ARCHITECTURE.md").read_text()
    section = page.partition("## Primitives\n")[2].partition("\n## ")[0]
    listed = [name for row in section.split("\n- ") for name in row.partition(":")[2].split()]
    assert sorted(listed) == sorted(p.REGISTRY)


def _touches_nothing(sample: Sample) -> bool:
    results = function(sample).results
    return any(a.size == 0 for a in sample.arrays) or any(r.type.size == 0 for r in results)


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_eval_gives_the_inferred_types(sample: Sample) -> None:
    fn = function(sample)
    (op,) = fn.ops
    kwargs = op.kwargs | ({"regions": op.regions} if op.regions else {})
    with np.errstate(all="ignore"):
        values = sample.prim.eval(*sample.arrays, **kwargs)
    values = values if isinstance(values, tuple) else (values,)
    assert len(values) == len(op.results)
    for value, result in zip(values, op.results, strict=True):
        assert Type(short_of(value.dtype), value.shape) == result.type


_ELEMENTAL = [
    s for s in SAMPLES if s.prim.emit is not None and sum(a.size for a in s.arrays) < 1000
]


@pytest.mark.parametrize("sample", _ELEMENTAL, ids=repr)
def test_element_rule_agrees_with_eval(sample: Sample) -> None:
    fn = function(sample)
    (expected,) = run(fn, sample.arrays)
    actual = run_emit(fn.ops[0], sample.arrays)
    if sample.prim.name in ("reduce", "reduce_window"):
        assert_close(actual, expected, ulps=64, scale=16)
    elif sample.prim.exact:
        assert_equal(actual, expected)
    else:  # numpy's loops over arrays and over single elements differ in the last place
        assert_close(actual, expected, ulps=1)


# --- numpy meanings against independent code --------------------------------------------------


def _samples(name: str) -> list[Sample]:
    return [s for s in SAMPLES if s.prim.name == name]


def _checked(name: str) -> Any:
    return pytest.mark.parametrize("sample", _samples(name), ids=repr)


def _result(sample: Sample) -> Array:
    (result,) = run(function(sample), sample.arrays)
    return result


@_checked("dot")
def test_dot_is_einsum(sample: Sample) -> None:
    a, b = sample.arrays
    attrs = sample.prim.defaults | sample.attrs
    left, right = list(range(a.ndim)), list(range(20, 20 + b.ndim))
    for i, j in zip(*attrs["batch"], strict=True):
        right[j] = left[i]
    for i, j in zip(*attrs["contract"], strict=True):
        right[j] = left[i]
    batch = [left[d] for d in attrs["batch"][0]]
    rest = [d for d in left if d not in right]
    out = batch + rest + [d for d in right if d not in left]
    kind = np.float64 if short_of(a.dtype) in FLOATS else a.dtype
    with np.errstate(all="ignore"):
        expected = np.einsum(a.astype(kind), left, b.astype(kind), right, out)
        expected = np.asarray(expected).astype(a.dtype)
    assert_close(_result(sample), expected, ulps=2, scale=1)


def _positions(
    out: tuple[int, ...], window: tuple[int, ...], attrs: dict[str, Any], dilation: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """(window number, place in the window, position in x) for every pair."""
    for o in itertools.product(*map(range, out)):
        for k in itertools.product(*map(range, window)):
            at = tuple(
                i * s + j * d - pad[0]
                for i, j, s, d, pad in zip(
                    o, k, attrs["strides"], dilation, attrs["padding"], strict=True
                )
            )
            yield o, k, at


def _inside(at: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(at, shape, strict=True))


F32_CONVS = [s for s in _samples("conv") if s.arrays[0].dtype == np.float32]


def _plain_conv(x: Array, f: Array, attrs: dict[str, Any], out: tuple[int, ...]) -> Array:
    """Convolution straight from the definition, in float64."""
    groups, spread_by = attrs["groups"], attrs["x_dilation"]
    channels, outputs = f.shape[-2], f.shape[-1] // groups
    result = np.zeros(out, np.float64)
    pairs = zip(x.shape[1:-1], spread_by, strict=True)
    space = tuple((n - 1) * d + 1 if n else 0 for n, d in pairs)
    for o, k, at in _positions(out[1:-1], f.shape[:-2], attrs, attrs["f_dilation"]):
        if not _inside(at, space) or any(i % d for i, d in zip(at, spread_by, strict=True)):
            continue
        source = tuple(i // d for i, d in zip(at, spread_by, strict=True))
        for g in range(groups):
            taken = x[(slice(None), *source, slice(g * channels, (g + 1) * channels))]
            columns = slice(g * outputs, (g + 1) * outputs)
            filters = f[(*k, slice(None), columns)]
            result[(slice(None), *o, columns)] += taken.astype(np.float64) @ filters.astype(
                np.float64
            )
    return result


@pytest.mark.parametrize("sample", F32_CONVS, ids=repr)
def test_conv_is_its_definition(sample: Sample) -> None:
    actual = _result(sample)
    expected = _plain_conv(*sample.arrays, sample.attrs, actual.shape).astype(np.float32)
    assert_close(actual, expected, ulps=2, scale=1)


@pytest.mark.parametrize("which", ["conv_grad_input", "conv_grad_filter"])
@pytest.mark.parametrize(
    "sample",
    # the gradients take no x_dilation
    [s for s in F32_CONVS if all(d == 1 for d in s.attrs["x_dilation"])],
    ids=repr,
)
def test_conv_gradients_are_adjoint(sample: Sample, which: str) -> None:
    """<dy, conv(x, f)> = <grad_x, x> = <grad_f, f>, since conv is linear in each."""
    x, f = (a.astype(np.float64) for a in sample.arrays)
    attrs = dict(sample.attrs)
    y = p.REGISTRY["conv"].eval(x, f, **attrs)
    dy = spread("f64", y.shape, 7)
    del attrs["x_dilation"]
    if which == "conv_grad_input":
        inner = p.conv_grad_input.eval(f, dy, shape=x.shape, **attrs) * x
    else:
        inner = p.conv_grad_filter.eval(x, dy, shape=f.shape, **attrs) * f
    assert math.isclose(float(np.sum(inner)), float(np.sum(dy * y)), rel_tol=1e-9, abs_tol=1e-9)


@_checked("reduce_window")
def test_reduce_window_is_its_definition(sample: Sample) -> None:
    (x,), attrs = sample.arrays, sample.attrs
    actual = _result(sample)
    combine = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    combine["fmax"] = lambda best, new: new if new > best else best
    wide = x.astype(np.float64) if short_of(x.dtype) in FLOATS else x
    expected = np.full(actual.shape, p.identity(attrs["kind"], short_of(x.dtype))).astype(
        wide.dtype
    )
    with np.errstate(all="ignore"):
        for o, _, at in _positions(actual.shape, attrs["window"], attrs, attrs["dilations"]):
            if _inside(at, x.shape):
                expected[o] = combine[attrs["kind"]](expected[o], wide[at])
        expected = expected.astype(x.dtype)
    assert_close(actual, expected, ulps=2, scale=1)


@_checked("select_and_scatter")
def test_select_and_scatter_is_its_definition(sample: Sample) -> None:
    (x, dy), attrs = sample.arrays, sample.attrs
    expected, best = np.zeros(x.shape, np.float64), {}
    ones = (1,) * x.ndim
    for o, _, at in _positions(dy.shape, attrs["window"], attrs, ones):
        if _inside(at, x.shape):
            held = best.get(o)
            if held is None or x[at] > x[held]:
                best[o] = at
    for o, at in best.items():
        expected[at] += float(dy[o])
    with np.errstate(all="ignore"):
        narrow = expected.astype(np.int64) if x.dtype.kind in "iu" else expected
        assert_close(_result(sample), narrow.astype(x.dtype), ulps=2, scale=1)


@_checked("scatter_near")
def test_scatter_near_is_its_definition(sample: Sample) -> None:
    (x, y, dy), attrs = sample.arrays, sample.attrs
    expected, ones = np.zeros(x.shape, np.float64), (1,) * x.ndim
    for o, _, at in _positions(dy.shape, attrs["window"], attrs, ones):
        if _inside(at, x.shape):
            if x.dtype.kind in "iu":
                near = x[at] == y[o]
            else:
                with np.errstate(all="ignore"):
                    near = abs(x[at] - y[o]) < np.asarray(1e-5).astype(x.dtype)
            expected[at] += float(dy[o]) if near else 0.0
    with np.errstate(all="ignore"):
        narrow = expected.astype(np.int64) if x.dtype.kind in "iu" else expected
        assert_close(_result(sample), narrow.astype(x.dtype), ulps=2, scale=1)


@_checked("scatter")
def test_scatter_is_its_definition(sample: Sample) -> None:
    (x, index, update), attrs = sample.arrays, sample.attrs
    combine = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    expected = x.copy()
    for row in itertools.product(*map(range, index.shape[:-1])):
        place: list[Any] = [slice(None)] * x.ndim
        for entry, d in zip(index[row], attrs["dims"], strict=True):
            place[d] = int(entry)
        if all(0 <= place[d] < x.shape[d] for d in attrs["dims"]):
            at, kind = tuple(place), attrs["kind"]
            with np.errstate(all="ignore"):
                new = update[row] if kind == "set" else combine[kind](expected[at], update[row])
            expected[at] = new
    assert_equal(_result(sample), expected)


def _sort_key(v: Any) -> tuple[bool, Any]:
    return (bool(v != v), 0 if v != v else float(v))


@_checked("sort")
def test_sort_is_python_s_stable_sort(sample: Sample) -> None:
    keys = (sample.prim.defaults | sample.attrs)["num_keys"]
    descending, dim = sample.attrs.get("descending", False), sample.attrs["dim"]
    results = run(function(sample), sample.arrays)
    lines = [np.moveaxis(a, dim, -1) for a in sample.arrays]
    lines = [a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) for a in lines]
    for actual, given in zip(results, lines, strict=True):
        moved = comparable(np.moveaxis(actual, dim, -1).reshape(given.shape))
        for row in range(given.shape[0]):
            exact = [
                _exact_key([line[row] for line in lines[:keys]], k) for k in range(given.shape[1])
            ]
            order = sorted(range(given.shape[1]), key=exact.__getitem__, reverse=descending)
            if descending:  # Python keeps equal elements in order under reverse too
                assert order == sorted(order, key=exact.__getitem__, reverse=True)
            np.testing.assert_array_equal(moved[row], comparable(given)[row][order])


def _exact_key(rows: list[Array], k: int) -> tuple[Any, ...]:
    return tuple(int(r[k]) if r.dtype.kind in "iub" else _sort_key(r[k]) for r in rows)


@_checked("arg_reduce")
def test_arg_reduce_takes_the_first(sample: Sample) -> None:
    (x,), attrs = sample.arrays, sample.attrs
    actual = _result(sample)
    along = np.moveaxis(x, attrs["dim"], -1)
    for place in itertools.product(*map(range, actual.shape)):
        best = 0
        for k, v in enumerate(along[place]):
            held = along[place][best]
            better = v > held if attrs["kind"] == "max" else v < held
            if (better or (v != v and held == held)) and held == held:
                best = k
        assert actual[place] == best


def test_integer_arithmetic_is_total() -> None:
    for dtype in INTEGERS:
        info, kind = np.iinfo(numpy_dtype(dtype)), numpy_dtype(dtype)
        values = sorted({0, 1, 2, 3, 7, int(info.min), int(info.max), max(-3, int(info.min))})
        for x, y in itertools.product(values, values):
            a, b = np.array([x], kind), np.array([y], kind)
            with np.errstate(all="ignore"):
                quotient, rest = p.div.eval(a, b)[0], p.rem.eval(a, b)[0]
            exact = 0 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            wrapped = np.array([exact & (2 ** (8 * kind.itemsize) - 1)], np.uint64)
            assert quotient == wrapped.astype(kind)[0], (dtype, x, y)
            assert int(rest) == (0 if y == 0 else x - exact * y), (dtype, x, y)


def test_integer_powers_wrap_and_reciprocals_truncate() -> None:
    with np.errstate(all="ignore"):
        x = np.array([2, 3, -2, 0, 1, -1, -1, 2, 0], np.int32)
        y = np.array([31, 40, 3, 0, -5, -5, -4, -1, -1], np.int32)
        expected = [-(2**31), pow(3, 40, 2**32) - 2**32, -8, 1, 1, -1, 1, 0, 0]
        wrapped = [(e + 2**31) % 2**32 - 2**31 for e in expected]
        assert p.pow_.eval(x, y).tolist() == wrapped


@pytest.mark.parametrize(
    ("source", "target", "given", "expected"),
    [
        ("f32", "i32", 3e9, -(2**31)),
        ("f32", "i32", math.nan, -(2**31)),
        ("f64", "i64", -1e30, -(2**63)),
        ("f32", "i32", -7.9, -7),
        ("f32", "u8", 300.5, 44),
        ("f32", "u8", -1.0, 255),
        ("f32", "i8", 3e9, 0),
        ("f64", "u32", 4e9, 4000000000),
        ("f64", "u32", -1.0, 2**32 - 1),
        ("f64", "u64", 1.5e19, 15000000000000000000),
        ("f64", "u64", math.nan, 2**63),
        ("f64", "u64", 1e30, 2**63),
        ("f64", "f16", 65520.0, math.inf),
        ("f64", "i1", math.nan, True),
        ("i64", "i8", 257, 1),
        ("c64", "f32", 1.5 + 2j, 1.5),
    ],
)
def test_convert_out_of_range(source: str, target: str, given: Any, expected: Any) -> None:
    with np.errstate(all="ignore"):
        result = p.convert.eval(np.array([given], numpy_dtype(source)), dtype=target)
    assert result.dtype == numpy_dtype(target)
    assert result[0] == expected


def test_special_functions_against_known_values() -> None:
    x = np.array([0.5, 1.0, 2.5, 10.0, -0.5, 1e-3, 1e3])
    euler = 0.5772156649015329
    digamma = [-euler - 2 * math.log(2), -euler, 0.7031566406452432, 2.251752589066721]
    np.testing.assert_allclose(p.digamma.eval(x[:4]), digamma, rtol=1e-14)
    step = 1e-5
    slope = (p.lgamma.eval(x + step * x) - p.lgamma.eval(x - step * x)) / (2 * step * x)
    np.testing.assert_allclose(p.digamma.eval(x), slope, rtol=1e-7)
    assert p.lgamma.eval(np.array([0.0, -1.0, -np.inf])).tolist() == [math.inf] * 3
    assert np.isnan(p.digamma.eval(np.array([0.0, -0.0, -1.0, -np.inf]))).all()


def test_reshape_groups_are_the_finest() -> None:
    assert reshape_groups((2, 3, 4), (6, 4)) == [
        (range(2), range(1)),
        (range(2, 3), range(1, 2)),
    ]
    assert reshape_groups((1, 5), (5,)) == [(range(1), range(0)), (range(1, 2), range(1))]


# --- type rules -------------------------------------------------------------------------------

F, G, INTS = Type("f32", (2, 3)), Type("f32", (3, 2)), Type("i32", (2, 3))


@pytest.mark.parametrize(
    ("prim", "types", "attrs"),
    [
        (p.add, (F, G), {}),
        (p.add, (F, INTS), {}),
        (p.exp, (INTS,), {}),
        (p.not_, (F,), {}),
        (p.select, (F, F, F), {}),
        (p.select, (Type("i1", (3, 2)), F, F), {}),
        (p.convert, (F,), {"dtype": "f99"}),
        (p.bitcast, (F,), {"dtype": "f64"}),
        (p.broadcast, (F,), {"dims": (0,), "shape": (2, 3)}),
        (p.broadcast, (F,), {"dims": (0, 1), "shape": (2, 4)}),
        (p.broadcast, (F,), {"dims": (0, 0), "shape": (2, 3)}),
        (p.reshape, (F,), {"shape": (7,)}),
        (p.reshape, (F,), {"shape": (-2, -3)}),
        (p.transpose, (F,), {"perm": (0, 0)}),
        (p.slice_, (F,), {"start": (0, 0), "limit": (2, 4), "stride": (1, 1)}),
        (p.slice_, (F,), {"start": (0, 0), "limit": (2, 3), "stride": (1, 0)}),
        (p.pad, (F, F), {"low": (0, 0), "high": (0, 0), "interior": (0, 0)}),
        (p.pad, (F, Type("f32", ())), {"low": (-3, 0), "high": (0, 0), "interior": (0, 0)}),
        (p.concat, (F, G), {"dim": 0}),
        (p.concat, (), {"dim": 0}),
        (p.reduce, (F,), {"dims": (2,), "kind": "add"}),
        (p.reduce, (F,), {"dims": (1,), "kind": "mean"}),
        (p.reduce, (F,), {"dims": (1,), "kind": "and"}),
        (p.dot, (F, F), {"batch": ((), ()), "contract": ((1,), (0,))}),
        (p.dot, (F, INTS), {"batch": ((), ()), "contract": ((0,), (0,))}),
        (p.gather, (F, Type("f32", (2, 1))), {"dims": (0,)}),
        (p.gather, (F, Type("i32", (2, 2))), {"dims": (0,)}),
        (p.scatter, (F, Type("i32", (4, 1)), F), {"dims": (0,), "kind": "add"}),
        (p.dynamic_slice, (F, Type("i32", ())), {"sizes": (1, 1)}),
        (p.dynamic_slice, (F, Type("i32", ()), Type("i32", ())), {"sizes": (3, 1)}),
        (p.sort, (F, G), {"dim": 0, "descending": False, "num_keys": 1}),
        (p.sort, (F,), {"dim": 0, "descending": False, "num_keys": 2}),
        (p.rng_bits, (Type("u32", (2,)), Type("u32", (2,))), {"n": 3}),
        (p.assert_, (F,), {"code": "", "message": "", "op": ""}),
        (p.fusion, (F,), {"hero": "loop"}),
        (p.while_, (F,), {}),
        (p.while_, (), {"regions": (Builder("c").finish([]), Builder("b").finish([]))}),
        (p.cond, (Type("i1", ()), F), {}),
    ],
)
def test_type_rules_reject(prim: p.Prim, types: tuple[Type, ...], attrs: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        prim.infer(*types, **attrs)


# --- assert -----------------------------------------------------------------------------------


def test_assert_reports_the_first_false_element() -> None:
    build = Builder("f")
    index = build.param(Type("i32", (2, 2)))
    limit = p.splat(build, 5, index.type)
    p.assert_(
        build,
        p.lt(build, index, limit),
        index,
        p.constant(build, 5),
        message="indices[{i}] = {0} is not in [0, {1})",
        op="embedding/Gather",
    )
    fn = build.finish([])
    assert run(fn, [np.array([[1, 2], [3, 4]], np.int32)]) == ()
    with pytest.raises(p.AssertionFailed, match=r"^indices\[2\] = 9 is not in \[0, 5\)$") as info:
        run(fn, [np.array([[1, 2], [9, 7]], np.int32)])
    assert (info.value.code, info.value.op) == ("InvalidArgumentError", "embedding/Gather")
