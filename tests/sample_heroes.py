"""Samples of the primitives that reduce, contract, index, sort, draw and assert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfc.base.dtypes import COMPLEX, FLOATS, INTEGERS, NUMBERS, REALS
from tfc.prims import reduce_window

Array = np.ndarray
Case = tuple[str, tuple[Array, ...], dict[str, Any]]
Spread = Callable[..., Array]
Special = Callable[[str], Array]

_BITS = (*INTEGERS, "i1")
_KINDS = {"add": NUMBERS, "mul": NUMBERS, "min": REALS, "max": REALS, "and": _BITS, "or": _BITS}


def _reduce(spread: Spread, special: Special) -> Iterator[Case]:
    for kind, dtypes in _KINDS.items():
        for dtype in dtypes:
            yield f"{kind}-{dtype}", (spread(dtype, (3, 19)),), {"dims": (1,), "kind": kind}
        empty = spread(dtypes[0], (0, 3))
        yield f"{kind}-empty", (empty,), {"dims": (0,), "kind": kind}
    x = spread("f32", (3, 5, 37))
    for dims in [(), (0,), (0, 1), (0, 2), (0, 1, 2), (2,)]:
        yield f"dims{dims}", (x,), {"dims": dims, "kind": "add"}
    for kind in ("min", "max", "add"):
        yield f"{kind}-nan", (special("f32").reshape(1, -1),), {"dims": (1,), "kind": kind}
        rows = np.stack([special("f32"), special("f32")[::-1]], axis=1)
        yield f"{kind}-nan-columns", (rows,), {"dims": (1,), "kind": kind}
    yield "scalar", (spread("f32", ()),), {"dims": (), "kind": "add"}
    yield "long", (spread("f32", (3001,)),), {"dims": (0,), "kind": "add"}
    yield "empty-result", (spread("f32", (0, 3)),), {"dims": (1,), "kind": "add"}


def _arg_reduce(spread: Spread, special: Special) -> Iterator[Case]:
    for kind in ("min", "max"):
        for dtype in (*REALS, "i1"):
            attrs = {"dim": 1, "kind": kind, "dtype": "i64"}
            yield f"{kind}-{dtype}", (spread(dtype, (4, 21)),), attrs
        attrs = {"dim": 0, "kind": kind, "dtype": "i32"}
        yield f"{kind}-special", (special("f32"),), attrs
        yield f"{kind}-infinite", (np.full(5, -np.inf if kind == "max" else np.inf),), attrs
        yield f"{kind}-columns", (spread("f32", (6, 5)),), attrs
        yield f"{kind}-empty-axis", (spread("f32", (0, 3)),), attrs
        yield f"{kind}-empty", (spread("f32", (3, 0)),), attrs


def _cumulative(spread: Spread, special: Special) -> Iterator[Case]:
    for kind, dtypes in (("add", NUMBERS), ("mul", NUMBERS), ("max", REALS)):
        for dtype in dtypes:
            attrs = {"dim": 1, "kind": kind, "exclusive": False, "reverse": False}
            yield f"{kind}-{dtype}", (spread(dtype, (3, 9)),), attrs
            yield f"{kind}-{dtype}-rows", (spread(dtype, (11, 35)),), attrs
        for exclusive in (False, True):
            for reverse in (False, True):
                attrs = {"dim": 0, "kind": kind, "exclusive": exclusive, "reverse": reverse}
                label = f"{kind}-{exclusive}-{reverse}"
                yield label, (spread("f32", (7, 3)),), attrs
                yield f"{label}-empty", (spread("f32", (0, 3)),), attrs
                attrs = {**attrs, "dim": 2}
                yield f"{label}-rows", (spread("f32", (2, 9, 37)),), attrs
                yield f"{label}-even", (spread("f64", (16, 1, 16)),), attrs


def _reduce_window(spread: Spread, special: Special) -> Iterator[Case]:
    plain = {"strides": (1, 2), "dilations": (1, 1), "padding": ((0, 0), (1, 1))}
    for kind in ("add", "mul", "max", "min", "fmax"):
        for dtype in NUMBERS if kind in ("add", "mul") else REALS:
            attrs = {"window": (2, 3), "kind": kind, **plain}
            yield f"{kind}-{dtype}", (spread(dtype, (4, 9)),), attrs
    pool = {
        "window": (1, 3, 3, 1),
        "strides": (1, 2, 2, 1),
        "dilations": (1, 1, 1, 1),
        "padding": ((0, 0), (0, 1), (1, 1), (0, 0)),
    }
    for kind in ("max", "add", "fmax"):
        yield f"pool-{kind}", (spread("f32", (2, 6, 7, 5)),), {**pool, "kind": kind}
    crop = {"window": (2,), "strides": (1,), "dilations": (3,), "padding": ((-1, 2),)}
    yield "crop", (spread("f32", (11,)),), {**crop, "kind": "add"}
    wide = {"window": (9,), "strides": (1,), "dilations": (1,), "padding": ((0, 0),)}
    yield "none-fits", (spread("f32", (4,)),), {**wide, "kind": "max"}
    wide = {"window": (2,), "strides": (1,), "dilations": (1,), "padding": ((2, 2),)}
    yield "empty", (spread("f32", (0,)),), {**wide, "kind": "max"}
    for kind in ("max", "fmax"):
        yield f"special-{kind}", (special("f32"),), {**wide, "kind": kind}


def _select_and_scatter(spread: Spread, special: Special) -> Iterator[Case]:
    attrs = {"window": (2, 3), "strides": (1, 2), "padding": ((0, 0), (1, 1))}
    for dtype in REALS:
        yield dtype, (spread(dtype, (4, 9)), spread(dtype, (3, 5), 1)), attrs
    apart = {"window": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    yield "apart", (spread("f32", (7, 9)), spread("f32", (3, 4), 1)), apart
    ties = np.zeros((4, 9), np.float32), spread("f32", (3, 5), 1)
    yield "ties", ties, attrs
    line = {"window": (3,), "strides": (1,), "padding": ((0, 0),)}
    values = special("f32")
    yield "special", (values, spread("f32", (len(values) - 2,))), line
    beside = {"window": (2,), "strides": (1,), "padding": ((3, 0),)}
    yield "beside", (spread("f32", (4,)), spread("f32", (6,), 1)), beside
    yield (
        "empty",
        (spread("f32", (0, 4)), spread("f32", (0, 2))),
        {
            "window": (1, 2),
            "strides": (1, 2),
            "padding": ((0, 0), (0, 0)),
        },
    )


def _scatter_near(spread: Spread, special: Special) -> Iterator[Case]:
    for label, (x, dy), attrs in _select_and_scatter(spread, special):
        ones = (1,) * x.ndim
        pooled = reduce_window.eval(x, kind="max", dilations=ones, **attrs)
        yield label, (x, pooled, dy), attrs
    attrs = {"window": (3, 2), "strides": (2, 1), "padding": ((1, 1), (0, 0))}
    x = np.round(spread("f32", (6, 5))) * np.float32(2e-5) / 4
    yield "near", (x, np.zeros((3, 4), "f"), spread("f32", (3, 4), 1)), attrs


def _dot(spread: Spread, special: Special) -> Iterator[Case]:
    plain = {"batch": ((), ()), "contract": ((1,), (0,))}
    for dtype in REALS:
        yield dtype, (spread(dtype, (5, 7)), spread(dtype, (7, 3), 1)), plain
    for m, k, n in [(1, 1, 1), (64, 64, 64), (33, 65, 17), (1, 100, 10), (100, 1, 9), (16, 8, 48)]:
        arrays = spread("f32", (m, k)), spread("f32", (k, n), 1)
        yield f"{m}x{k}x{n}", arrays, plain
    for m, k, n in [(0, 3, 2), (3, 0, 2), (3, 2, 0)]:
        yield f"{m}x{k}x{n}", (spread("f32", (m, k)), spread("f32", (k, n), 1)), plain
    a, b = spread("f32", (9, 13)), spread("f32", (9, 13), 1)
    yield "a-transposed", (a, b), {"batch": ((), ()), "contract": ((0,), (0,))}
    yield "b-transposed", (a, b), {"batch": ((), ()), "contract": ((1,), (1,))}
    yield "both", (a, spread("f32", (5, 9))), {"batch": ((), ()), "contract": ((0,), (1,))}
    yield "outer", (spread("f32", (5,)), spread("f32", (7,), 1)), {}
    yield "inner", (a, b), {"batch": ((), ()), "contract": ((0, 1), (0, 1))}
    yield "vector", (a, spread("f32", (13,))), plain
    yield "scalar", (spread("f32", ()), spread("f32", (), 1)), {}
    batches = {"batch": ((0,), (0,)), "contract": ((2,), (1,))}
    yield "batch", (spread("f32", (4, 5, 6)), spread("f32", (4, 6, 3), 1)), batches
    mixed = {"batch": ((1,), (2,)), "contract": ((0, 3), (1, 0))}
    yield "mixed", (spread("f64", (2, 3, 4, 5)), spread("f64", (5, 2, 3, 7), 1)), mixed
    yield "special", (special("f32")[:, None], special("f32")[None, :]), plain


def _conv_attrs(spatial: int, **changed: Any) -> dict[str, Any]:
    ones = (1,) * spatial
    attrs = {"strides": ones, "padding": ((0, 0),) * spatial, "f_dilation": ones, "groups": 1}
    return attrs | changed


def _conv_shapes() -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """(label, shape of x, shape of f, attributes common to conv and its gradients)"""
    same = ((1, 1), (1, 1))
    yield "valid", (2, 7, 6, 3), (3, 2, 3, 5), _conv_attrs(2)
    yield "same", (2, 5, 9, 4), (3, 3, 4, 17), _conv_attrs(2, padding=same)
    yield "strided", (1, 8, 9, 3), (3, 3, 3, 4), _conv_attrs(2, strides=(2, 3), padding=same)
    yield "dilated", (1, 9, 9, 2), (3, 3, 2, 3), _conv_attrs(2, f_dilation=(2, 3))
    yield "grouped", (2, 5, 5, 6), (3, 3, 2, 9), _conv_attrs(2, padding=same, groups=3)
    yield "depthwise", (2, 5, 5, 4), (3, 3, 1, 8), _conv_attrs(2, padding=same, groups=4)
    yield "cropped", (1, 8, 8, 2), (3, 3, 2, 2), _conv_attrs(2, padding=((-1, 2), (0, -2)))
    yield "gray", (3, 12, 12, 1), (5, 5, 1, 32), _conv_attrs(2, padding=((2, 2), (2, 2)))
    yield "pointwise", (2, 4, 4, 16), (1, 1, 16, 8), _conv_attrs(2)
    yield "line", (2, 11, 3), (4, 3, 5), _conv_attrs(1, strides=(2,), padding=((3, 1),))
    yield "volume", (1, 4, 5, 4, 2), (2, 3, 2, 2, 3), _conv_attrs(3)
    yield "no-space", (3, 4), (4, 5), _conv_attrs(0)
    yield "no-images", (0, 5, 5, 2), (3, 3, 2, 3), _conv_attrs(2)
    yield "no-channels", (2, 5, 5, 0), (3, 3, 0, 3), _conv_attrs(2)
    yield "none-fits", (1, 2, 2, 2), (3, 3, 2, 3), _conv_attrs(2)


def _conv_out(x: tuple[int, ...], f: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    space = []
    for n, k, s, p, d in zip(
        x[1:-1], f[:-2], attrs["strides"], attrs["padding"], attrs["f_dilation"], strict=True
    ):
        space.append(max((n + sum(p) - (k - 1) * d - 1) // s + 1, 0))
    return (x[0], *space, f[-1])


def _conv(spread: Spread, special: Special) -> Iterator[Case]:
    for label, x, f, attrs in _conv_shapes():
        whole = attrs | {"x_dilation": (1,) * len(attrs["strides"])}
        yield label, (spread("f32", x), spread("f32", f, 1)), whole
    spaced = _conv_attrs(2, padding=((2, 1), (1, 2)), x_dilation=(2, 3))
    yield "x-dilated", (spread("f32", (1, 4, 3, 2)), spread("f32", (3, 3, 2, 3), 1)), spaced
    plain = _conv_attrs(2, x_dilation=(1, 1))
    for dtype in REALS:
        yield dtype, (spread(dtype, (1, 4, 5, 2)), spread(dtype, (2, 2, 2, 3), 1)), plain


def _conv_grad_input(spread: Spread, special: Special) -> Iterator[Case]:
    for label, x, f, attrs in _conv_shapes():
        arrays = spread("f32", f), spread("f32", _conv_out(x, f, attrs), 1)
        yield label, arrays, attrs | {"shape": x}
    for dtype in REALS:
        arrays = spread(dtype, (2, 2, 2, 3)), spread(dtype, (1, 3, 4, 3), 1)
        yield dtype, arrays, _conv_attrs(2, shape=(1, 4, 5, 2))


def _conv_grad_filter(spread: Spread, special: Special) -> Iterator[Case]:
    for label, x, f, attrs in _conv_shapes():
        arrays = spread("f32", x), spread("f32", _conv_out(x, f, attrs), 1)
        yield label, arrays, attrs | {"shape": f}
    for dtype in REALS:
        arrays = spread(dtype, (1, 4, 5, 2)), spread(dtype, (1, 3, 4, 3), 1)
        yield dtype, arrays, _conv_attrs(2, shape=(2, 2, 2, 3))


def _gather(spread: Spread, special: Special) -> Iterator[Case]:
    x = spread("f32", (6, 9))
    rows = np.array([[5], [0], [-1], [99], [3]], np.int32)
    yield "rows", (x, rows), {"dims": (0,)}
    yield "columns", (x, rows.astype(np.int64)), {"dims": (1,)}
    points = np.array([[[1, 2], [5, 8]], [[-3, 4], [2, 50]]], np.int32)
    yield "points", (x, points), {"dims": (0, 1)}
    yield "swapped", (x, points), {"dims": (1, 0)}
    yield "one", (x, np.array([2], np.int32)), {"dims": (0,)}
    yield "whole", (x, np.zeros((3, 0), np.int32)), {"dims": ()}
    yield "no-rows", (x, np.zeros((0, 1), np.int32)), {"dims": (0,)}
    yield "from-nothing", (spread("f32", (0, 3)), rows), {"dims": (0,)}
    for dtype in INTEGERS:
        index = special(dtype).reshape(-1, 1)
        yield f"index-{dtype}", (x, index), {"dims": (0,)}
    for dtype in (*NUMBERS, "i1"):
        yield dtype, (spread(dtype, (6, 2)), rows), {"dims": (0,)}


def _scatter(spread: Spread, special: Special) -> Iterator[Case]:
    x = spread("f32", (6, 9))
    rows = np.array([[5], [0], [-1], [5], [99], [3]], np.int32)
    for kind, dtypes in (
        ("set", (*NUMBERS, "i1")),
        ("add", NUMBERS),
        ("mul", NUMBERS),
        ("min", REALS),
        ("max", REALS),
    ):
        for dtype in dtypes:
            arrays = spread(dtype, (6, 3)), rows, spread(dtype, (6, 3), 1)
            yield f"{kind}-{dtype}", arrays, {"dims": (0,), "kind": kind}
        attrs = {"dims": (1,), "kind": kind}
        yield f"{kind}-columns", (x, rows.astype(np.int64), spread("f32", (6, 6), 1)), attrs
        points = np.array([[[1, 2], [5, 8]], [[-3, 4], [1, 2]]], np.int32)
        attrs = {"dims": (0, 1), "kind": kind}
        yield f"{kind}-points", (x, points, spread("f32", (2, 2), 1)), attrs
        none = x, np.zeros((0, 1), np.int32), spread("f32", (0, 9))
        yield f"{kind}-no-rows", none, {"dims": (0,), "kind": kind}
    nothing = spread("f32", (0, 3)), rows, spread("f32", (6, 3))
    yield "into-nothing", nothing, {"dims": (0,), "kind": "add"}
    yield (
        "whole",
        (x, np.zeros((2, 0), np.int32), spread("f32", (2, 6, 9))),
        {
            "dims": (),
            "kind": "add",
        },
    )


def _dynamic_slice(spread: Spread, special: Special) -> Iterator[Case]:
    x = spread("f32", (6, 19))
    for a, b in [(0, 0), (2, 5), (-3, 100)]:
        starts = np.array(a, np.int32), np.array(b, np.int64)
        yield f"{a}-{b}", (x, *starts), {"sizes": (3, 11)}
    starts = np.array(1, np.int8), np.array(2, np.uint8)
    yield "empty", (x, *starts), {"sizes": (0, 4)}
    yield "whole", (x, *starts), {"sizes": (6, 19)}
    yield "scalar", (spread("f32", ()),), {"sizes": ()}


def _dynamic_update_slice(spread: Spread, special: Special) -> Iterator[Case]:
    x = spread("f32", (6, 19))
    for a, b in [(0, 0), (2, 5), (-3, 100)]:
        starts = np.array(a, np.int32), np.array(b, np.int64)
        yield f"{a}-{b}", (x, spread("f32", (3, 11), 1), *starts), {}
    starts = np.array(1, np.int8), np.array(2, np.uint8)
    yield "nothing", (x, spread("f32", (0, 4)), *starts), {}
    yield "whole", (x, spread("f32", (6, 19), 1), *starts), {}
    yield "scalar", (spread("f32", ()), spread("f32", (), 1)), {}


def _sort(spread: Spread, special: Special) -> Iterator[Case]:
    for descending in (False, True):
        attrs = {"dim": 0, "descending": descending}
        for dtype in (*REALS, "i1"):
            values = np.concatenate([special(dtype), spread(dtype, (9,))])
            payload = np.arange(len(values), dtype=np.int32)
            yield f"{descending}-{dtype}", (values, payload), attrs
        inner = {"dim": 1, "descending": descending}
        yield f"{descending}-rows", (spread("f32", (4, 13)),), inner
        yield f"{descending}-columns", (spread("f32", (13, 4)),), attrs
        keys = spread("i32", (20,)) % 3, spread("f32", (20,)), np.arange(20)
        yield f"{descending}-two-keys", keys, {**attrs, "num_keys": 2}
        yield f"{descending}-empty", (spread("f32", (0, 3)),), attrs
    for dtype in COMPLEX:
        yield f"payload-{dtype}", (spread("f32", (7,)), spread(dtype, (7,))), {"dim": 0}


_KEY = np.array([0x12345678, 0x9ABCDEF0], np.uint32)
_COUNTERS = {
    "zero": np.zeros(4, np.uint32),
    "carry": np.array([0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF, 3], np.uint32),
    "wrap": np.full(4, 0xFFFFFFFF, np.uint32),
}


def _rng_bits(spread: Spread, special: Special) -> Iterator[Case]:
    for label, counter in _COUNTERS.items():
        for n in (0, 1, 4, 37):
            yield f"{label}-{n}", (_KEY, counter), {"n": n}


def _truncated_normal(spread: Spread, special: Special) -> Iterator[Case]:
    for dtype in FLOATS:
        for label, counter in _COUNTERS.items():
            yield f"{dtype}-{label}", (_KEY, counter), {"n": 41, "dtype": dtype}
    yield "empty", (_KEY, _COUNTERS["zero"]), {"n": 0, "dtype": "f32"}


def _assert(spread: Spread, special: Special) -> Iterator[Case]:
    attrs = {"message": "index {0} at {i} is not below {1}", "op": "Gather"}
    index = np.arange(5, dtype=np.int32)
    yield "holds", (index < 5, index, np.array(5, np.int32)), attrs
    yield "scalar", (np.array(True),), {"message": "no"}
    yield "empty", (np.zeros((0, 3), bool),), {"message": "no"}


_CASES: dict[str, Callable[[Spread, Special], Iterator[Case]]] = {
    "reduce": _reduce,
    "arg_reduce": _arg_reduce,
    "cumulative": _cumulative,
    "reduce_window": _reduce_window,
    "select_and_scatter": _select_and_scatter,
    "scatter_near": _scatter_near,
    "dot": _dot,
    "conv": _conv,
    "conv_grad_input": _conv_grad_input,
    "conv_grad_filter": _conv_grad_filter,
    "gather": _gather,
    "scatter": _scatter,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "sort": _sort,
    "rng_bits": _rng_bits,
    "rng_truncated_normal": _truncated_normal,
    "assert": _assert,
}


def hero_cases(spread: Spread, special: Special) -> Iterator[tuple[str, Case]]:
    """(primitive, case) for every primitive of this file; `spread` and `special` make arrays."""
    for name, cases in _CASES.items():
        yield from ((name, case) for case in cases(spread, special))
