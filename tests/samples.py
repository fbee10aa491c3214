"""One table of samples for every primitive: inputs of each dtype, with zero-size dimensions,
scalars, odd sizes, NaN, infinities, -0.0 and extreme integers. The interpreter and compiled code
are run over the same table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tfc.prims as p
from tests.sample_control import control_cases
from tests.sample_factors import factor_cases
from tests.sample_heroes import hero_cases
from tfc.base.dtypes import (
    COMPLEX,
    FLOATS,
    INTEGERS,
    NUMBERS,
    REAL_PART,
    REALS,
    by_short,
    numpy_dtype,
    short_of,
)
from tfc.ir.builder import Builder, make_op
from tfc.ir.core import Function, Type, sorted_attrs
from tfc.prims.prim import REGISTRY, Prim, normal_attr

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Sample:
    """One application of `prim` to `arrays`. `name` is unique."""

    name: str
    prim: Prim
    arrays: tuple[Array, ...]
    attrs: dict[str, Any]
    regions: tuple[Function, ...] = ()

    def __repr__(self) -> str:
        return self.name


def function(sample: Sample) -> Function:
    """A Function of one op, not folded, that applies the sample's primitive to its parameters."""
    build = Builder("sample")
    params = tuple(build.param(Type(short_of(a.dtype), a.shape)) for a in sample.arrays)
    attrs = {k: normal_attr(v) for k, v in (sample.prim.defaults | sample.attrs).items()}
    op = make_op(sample.prim, params, sorted_attrs(attrs.items()), sample.regions)
    build.ops.append(op)
    return build.finish(op.results)


# --- arrays ---------------------------------------------------------------------------------


def special(dtype: str) -> Array:
    """Values of `dtype` where functions break: zeros, ones, limits, halves, subnormals, NaN."""
    if dtype == "i1":
        return np.array([True, False, True])
    if dtype in COMPLEX:
        part = special(REAL_PART[dtype])
        pick = part[[0, 1, 2, 3, 7, 8, 20, 21]]
        grid = [complex(a, b) for a, b in itertools.product(pick.tolist(), repeat=2)]
        return np.array(grid).astype(numpy_dtype(dtype))
    low, high = by_short(dtype).min, by_short(dtype).max
    if dtype in INTEGERS:
        values = [0, 1, 2, 3, 7, 100, int(low), int(low) + 1, int(high), int(high) - 1]
        if int(low) < 0:
            values += [-1, -2, -3, -100]
        return np.array(values, dtype=object).astype(numpy_dtype(dtype))
    tiny = float(np.finfo(np.float32).smallest_subnormal) if dtype == "f32" else float(high) ** -1
    values = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.14159, -10.0, 10.0, 1e-3, 0.75]
    values += [float(high), float(low), tiny, -tiny, 87.5, -104.0, np.inf, -np.inf, np.nan]
    return np.array(values).astype(numpy_dtype(dtype))


def spread(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Unremarkable values of `dtype`, the same in every run: floats in [-2, 2), small ints."""
    generator = np.random.default_rng([seed, *shape])
    if dtype == "i1":
        return np.asarray(generator.random(shape) < 0.5)
    if dtype in INTEGERS:
        low = 0 if dtype.startswith("u") else -9
        return generator.integers(low, 10, shape).astype(numpy_dtype(dtype))
    values = np.asarray(generator.random(shape) * 4 - 2)
    if dtype in COMPLEX:
        values = values + 1j * (generator.random(shape) * 4 - 2)
    return np.asarray(values).astype(numpy_dtype(dtype))


# --- cases by family: (label, arrays, attrs) ------------------------------------------------

Case = tuple[str, tuple[Array, ...], dict[str, Any]]
_SHAPES = {"scalar": (), "odd": (3, 7), "empty": (0, 3)}


def _elementwise(dtypes: tuple[str, ...], operands: int) -> Iterator[Case]:
    """All specials with all specials, for every dtype; shapes for the first."""
    for dtype in dtypes:
        values = special(dtype)
        if operands == 2 and len(values) > 16:
            values = values[[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 14, 16, 20, 21, 22]]
        grid = np.meshgrid(*[values] * operands, indexing="ij")
        yield f"{dtype}-special", tuple(np.ascontiguousarray(g).reshape(-1) for g in grid), {}
    for label, shape in _SHAPES.items():
        yield label, tuple(spread(dtypes[0], shape, k) for k in range(operands)), {}


_FLOAT_UNARY = [
    "floor",
    "ceil",
    "round",
    "sqrt",
    "rsqrt",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "cos",
    "tan",
    "tanh",
    "logistic",
    "sinh",
    "cosh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "erfc",
    "lgamma",
    "digamma",
    "is_finite",
]
_UNARY = dict.fromkeys(_FLOAT_UNARY, FLOATS) | {
    "abs": REALS,
    "neg": NUMBERS,
    "sign": REALS,
    "not": (*INTEGERS, "i1"),
    "popcount": INTEGERS,
    "clz": INTEGERS,
    "real": COMPLEX,
    "imag": COMPLEX,
}
_BINARY = (
    dict.fromkeys(("add", "sub", "mul", "div"), NUMBERS)
    | dict.fromkeys(("rem", "pow", "max", "min", "lt", "le", "gt", "ge"), REALS)
    | dict.fromkeys(("and", "or", "xor"), (*INTEGERS, "i1"))
    | dict.fromkeys(("shl", "shr"), INTEGERS)
    | dict.fromkeys(("eq", "ne"), (*NUMBERS, "i1"))
    | {"atan2": FLOATS, "complex": ("f32", "f64")}
)


def _select_cases() -> Iterator[Case]:
    for dtype in (*NUMBERS, "i1"):
        a, b = special(dtype), special(dtype)[::-1].copy()
        yield dtype, (spread("i1", a.shape), a, b), {}
    for label, shape in _SHAPES.items():
        arrays = spread("i1", shape), spread("f32", shape, 1), spread("f32", shape, 2)
        yield label, arrays, {}


def _convert_cases() -> Iterator[Case]:
    every = (*NUMBERS, "i1")
    for source, target in itertools.product(every, every):
        yield f"{source}-{target}", (special(source),), {"dtype": target}
    beyond = np.array([2**31 - 1, 2.0**31, -(2.0**31), -(2.0**31) - 1e3, 3e9, 1e10, 2.0**63, 1e30])
    for source, target in itertools.product(("f32", "f64"), INTEGERS):
        both = np.concatenate([beyond, -beyond]).astype(numpy_dtype(source))
        yield f"{source}-{target}-beyond", (both,), {"dtype": target}
    for label, shape in _SHAPES.items():
        yield label, (spread("f32", shape),), {"dtype": "i32"}


def _bitcast_cases() -> Iterator[Case]:
    widths: dict[int, list[str]] = {}
    for dtype in REALS:
        widths.setdefault(by_short(dtype).bits, []).append(dtype)
    for group in widths.values():
        for source, target in itertools.product(group, group):
            yield f"{source}-{target}", (special(source),), {"dtype": target}
    yield "empty", (spread("f32", (0, 3)),), {"dtype": "i32"}


# --- movement -------------------------------------------------------------------------------


def _const_cases() -> Iterator[Case]:
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (), {"value": special(dtype)}
    yield "scalar", (), {"value": np.array(-0.0, np.float32)}
    yield "empty", (), {"value": np.zeros((2, 0), np.int32)}
    yield "large", (), {"value": spread("f32", (13, 17))}
    yield "splat", (), {"value": np.full((5, 40), 2.5, np.float32)}


def _iota_cases() -> Iterator[Case]:
    for dtype in REALS:
        yield dtype, (), {"dtype": dtype, "shape": (5, 19), "dim": 1}
    yield "outer", (), {"dtype": "i32", "shape": (5, 3), "dim": 0}
    yield "empty", (), {"dtype": "i32", "shape": (0, 3), "dim": 1}


def _broadcast_cases() -> Iterator[Case]:
    yield "scalar", (spread("f32", ()),), {"dims": (), "shape": (3, 7)}
    yield "row", (spread("f32", (7,)),), {"dims": (1,), "shape": (3, 7)}
    yield "column", (spread("f32", (3,)),), {"dims": (0,), "shape": (3, 7)}
    yield "transposed", (spread("f64", (3, 5)),), {"dims": (2, 0), "shape": (5, 2, 3)}
    yield "empty", (spread("f32", (3,)),), {"dims": (1,), "shape": (0, 3)}
    yield "same", (spread("i1", (3,)),), {"dims": (0,), "shape": (3,)}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (5,)),), {"dims": (0,), "shape": (5, 9)}


def _reshape_cases() -> Iterator[Case]:
    pairs = [
        ((6, 35), (210,)),
        ((210,), (2, 3, 5, 7)),
        ((4, 6), (8, 3)),
        ((2, 3, 4), (6, 4)),
        ((1, 5, 1), (5,)),
        ((5,), (1, 5, 1)),
        ((), (1, 1)),
        ((1,), ()),
        ((0, 3), (3, 0, 2)),
        ((3, 7), (3, 7)),
        ((2, 15, 7), (5, 6, 7)),
    ]
    for source, target in pairs:
        yield f"{source}-{target}", (spread("f32", source),), {"shape": target}
    yield "c64", (spread("c64", (4, 3)),), {"shape": (2, 6)}


def _transpose_cases() -> Iterator[Case]:
    for shape, perm in [
        ((3, 7), (1, 0)),
        ((2, 3, 5), (2, 0, 1)),
        ((2, 3, 5), (0, 2, 1)),
        ((), ()),
        ((0, 3), (1, 0)),
        ((33, 17), (1, 0)),
        ((2, 3, 4, 5), (3, 1, 0, 2)),
    ]:
        yield f"{shape}-{perm}", (spread("f32", shape),), {"perm": perm}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (3, 5)),), {"perm": (1, 0)}


def _slice_cases() -> Iterator[Case]:
    x = spread("f32", (7, 19))
    for start, limit, stride in [
        ((0, 0), (7, 19), (1, 1)),
        ((2, 3), (5, 18), (1, 1)),
        ((1, 0), (7, 19), (3, 2)),
        ((3, 3), (3, 10), (1, 1)),
        ((6, 18), (7, 19), (5, 5)),
    ]:
        attrs = {"start": start, "limit": limit, "stride": stride}
        yield f"{start}-{limit}-{stride}", (x,), attrs
    yield "scalar", (spread("i32", ()),), {"start": (), "limit": (), "stride": ()}
    yield "empty", (spread("i8", (0,)),), {"start": (0,), "limit": (0,), "stride": (2,)}


def _pad_cases() -> Iterator[Case]:
    x, value = spread("f32", (3, 11)), np.array(7, np.float32)
    for low, high, interior in [
        ((0, 0), (0, 0), (0, 0)),
        ((1, 2), (3, 4), (0, 0)),
        ((-1, -2), (0, -3), (0, 0)),
        ((0, 1), (2, 0), (1, 2)),
        ((-2, 3), (1, -4), (2, 1)),
        ((-3, 0), (0, 0), (0, 0)),
        ((0, 0), (0, 0), (0, 3)),
    ]:
        attrs = {"low": low, "high": high, "interior": interior}
        yield f"{low}-{high}-{interior}", (x, value), attrs
    attrs = {"low": (1, 0), "high": (1, 2), "interior": (0, 1)}
    yield "empty", (spread("f32", (0, 2)), value), attrs
    yield "scalar", (spread("f32", ()), value), {"low": (), "high": (), "interior": ()}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (5, 3)), spread(dtype, ())), attrs


def _concat_cases() -> Iterator[Case]:
    yield "rows", (spread("f32", (2, 9)), spread("f32", (3, 9), 1)), {"dim": 0}
    three = spread("f32", (3, 5)), spread("f32", (3, 1), 1), spread("f32", (3, 12), 2)
    yield "columns", three, {"dim": 1}
    yield "one", (spread("i32", (4,)),), {"dim": 0}
    hollow = spread("i32", (0, 3)), spread("i32", (4, 3)), spread("i32", (0, 3))
    yield "hollow", hollow, {"dim": 0}
    yield "empty", (spread("f32", (0,)), spread("f32", (0,))), {"dim": 0}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (3,)), spread(dtype, (6,), 1)), {"dim": 0}


def _reverse_cases() -> Iterator[Case]:
    yield "both", (spread("f32", (3, 19)),), {"dims": (0, 1)}
    yield "inner", (spread("f32", (3, 19)),), {"dims": (1,)}
    yield "none", (spread("i16", (3,)),), {"dims": ()}
    yield "empty", (spread("f32", (0, 3)),), {"dims": (0,)}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (5,)),), {"dims": (0,)}


_MOVEMENT = {
    "select": _select_cases,
    "convert": _convert_cases,
    "bitcast": _bitcast_cases,
    "const": _const_cases,
    "iota": _iota_cases,
    "broadcast": _broadcast_cases,
    "reshape": _reshape_cases,
    "transpose": _transpose_cases,
    "slice": _slice_cases,
    "pad": _pad_cases,
    "concat": _concat_cases,
    "reverse": _reverse_cases,
}


def _all_cases() -> Iterator[tuple[str, Case]]:
    for name, dtypes in _UNARY.items():
        yield from ((name, case) for case in _elementwise(dtypes, 1))
    for name, dtypes in _BINARY.items():
        yield from ((name, case) for case in _elementwise(dtypes, 2))
    for name, cases in _MOVEMENT.items():
        yield from ((name, case) for case in cases())
    yield from hero_cases(spread, special)
    yield from factor_cases(spread)


def _fusion_samples() -> Iterator[Sample]:
    """A loop of several results, and a reduction with its producer and what follows it."""
    build = Builder("loop")
    x, y = build.param(Type("f32", (3, 7))), build.param(Type("f32", (7,)))
    total = p.add(build, x, p.broadcast_to(build, y, (3, 7)))
    loop = build.finish([total, p.gt(build, total, x)])
    arrays = spread("f32", (3, 7)), spread("f32", (7,), 1)
    yield Sample("fusion-loop", p.fusion, arrays, {"hero": "loop"}, (loop,))

    for label, shape in (("reduce", (3, 7)), ("empty", (0, 7))):
        rows = _row_norms(shape)
        yield Sample(
            f"fusion-{label}", p.fusion, (spread("f32", shape),), {"hero": "reduce"}, (rows,)
        )


def _row_norms(shape: tuple[int, ...]) -> Function:
    build = Builder("row norms")
    x = build.param(Type("f32", shape))
    square = p.mul(build, x, x)
    return build.finish([p.sqrt(build, p.reduce(build, square, dims=(1,), kind="add"))])


SAMPLES: tuple[Sample, ...] = (
    *(
        Sample(f"{name}-{label}".replace(" ", ""), REGISTRY[name], arrays, attrs)
        for name, (label, arrays, attrs) in _all_cases()
    ),
    *_fusion_samples(),
    *(
        Sample(f"{name}-{label}", REGISTRY[name], arrays, {}, regions)
        for name, (label, arrays, regions) in control_cases()
    ),
)
