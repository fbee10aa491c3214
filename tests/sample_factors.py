"""Samples of the factorisations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfc.base.dtypes import COMPLEX
from tfc.prims.factorization import is_small_side

Array = np.ndarray
Case = tuple[str, tuple[Array, ...], dict[str, Any]]
Spread = Callable[..., Array]

MATRICES = ("f32", "f64", *COMPLEX)
STACKS = [
    (21, 6), (5, 3), (4, 18), (2, 8), (0, 3), (0, 9), (0, 17), (3, 0), (5, 1), (21, 4), (1, 2),
    (1, 5), (1, 70),
]  # fmt: skip
SHAPES = [(2, 3, 5), (2, 5, 3), (0, 3, 2), (3, 1, 4), (3, 4, 1), (1, 40, 9)]


def _squares(spread: Spread) -> Iterator[tuple[str, Array]]:
    """Stacks of matrices; one of three is singular, and one has a NaN or an infinity."""
    for dtype in MATRICES:
        for count, n in STACKS if dtype == "f32" else STACKS[:3]:
            a = spread(dtype, (count, n, n)) + 2 * np.eye(n, dtype=np.int8)
            a = a.astype(spread(dtype, ()).dtype)
            if n > 1:
                a[2::3] = 0
                a[3::4, -1, 0] = np.nan
                a[3::8, 0, -1] = np.inf
            yield f"{dtype}-{count}x{n}", a


def _definite(a: Array) -> Array:
    """A matrix with an even number that is positive definite, and others as they are."""
    made = a @ a.conj().swapaxes(1, 2) + np.eye(a.shape[1], dtype=a.dtype)
    made[1::2] = a[1::2]
    return made


def _cholesky(spread: Spread) -> Iterator[Case]:
    for label, a in _squares(spread):
        with np.errstate(all="ignore"):
            yield label, (_definite(a),), {}


def _lu(spread: Spread) -> Iterator[Case]:
    for label, a in _squares(spread):
        yield label, (a,), {}


def _equations(spread: Spread) -> Iterator[tuple[str, Array, Array, bool]]:
    """(label, squares, right sides with that many rows, a flag)."""
    for number, (label, a) in enumerate(_squares(spread)):
        count, n = a.shape[:2]
        width = (1, 3, 0, 19, 8)[number % 5]
        b = spread("f32", (count, n, width), 1).astype(a.dtype)
        yield f"{label}x{width}", a, b, bool(number % 3)


def _solve(spread: Spread) -> Iterator[Case]:
    for label, a, b, flag in _equations(spread):
        right = b if is_small_side(a.shape[1]) else np.ascontiguousarray(b.swapaxes(1, 2))
        yield label, (a, right), {"adjoint": flag}
        yield f"{label}-{not flag}", (a, right), {"adjoint": not flag}


def _triangular_solve(spread: Spread) -> Iterator[Case]:
    for number, (label, a, b, flag) in enumerate(_equations(spread)):
        a = a[:1] if number % 2 and len(a) else a
        for lower in (False, True):
            yield f"{label}-{lower}", (a, b), {"lower": lower, "adjoint": flag}


def _tridiagonal_solve(spread: Spread) -> Iterator[Case]:
    for label, a, b, _ in _equations(spread):
        count, n = a.shape[:2]
        diagonals = spread("f32", (count, 3, n), 2).astype(a.dtype)
        diagonals[2::3, 1:] = 0
        yield label, (diagonals, np.ascontiguousarray(b.swapaxes(1, 2))), {}


def _least_squares(spread: Spread) -> Iterator[Case]:
    for number, (label, a) in enumerate(_any(spread)):
        a[1::3] = a[1::3, :1]  # of rank 1
        width = (1, 3)[number % 2]
        yield label, (a, spread("f32", (len(a), width, a.shape[2])).astype(a.dtype)), {}


def _any(spread: Spread) -> Iterator[tuple[str, Array]]:
    for dtype in MATRICES:
        for shape in SHAPES if dtype == "f32" else SHAPES[:2]:
            yield f"{dtype}-{shape[0]}x{shape[1]}x{shape[2]}", spread(dtype, shape)


def _qr(spread: Spread) -> Iterator[Case]:
    for label, a in _any(spread):
        _, columns, rows = a.shape
        for width in sorted({rows, min(rows, columns)}):
            yield f"{label}-{width}", (a,), {"width": width}


def _eigh(spread: Spread) -> Iterator[Case]:
    for label, a in _squares(spread):
        if a.shape[1]:
            for vectors in (False, True):
                yield f"{label}-{vectors}", (a,), {"vectors": vectors}


def _svd(spread: Spread) -> Iterator[Case]:
    for label, a in _any(spread):
        a[1::3, 0, -1] = np.inf
        for full, vectors in ((False, True), (True, True), (False, False)):
            yield f"{label}-{full}-{vectors}", (a,), {"full": full, "vectors": vectors}


_CASES: dict[str, Callable[[Spread], Iterator[Case]]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "solve": _solve,
    "triangular_solve": _triangular_solve,
    "tridiagonal_solve": _tridiagonal_solve,
    "least_squares": _least_squares,
    "qr": _qr,
    "eigh": _eigh,
    "svd": _svd,
}


def factor_cases(spread: Spread) -> Iterator[tuple[str, Case]]:
    """(primitive, case) for every primitive of this file; `spread` makes arrays."""
    for name, cases in _CASES.items():
        yield from ((name, case) for case in cases(spread))
