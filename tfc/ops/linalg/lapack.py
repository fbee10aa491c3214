"""LAPACK, called through ctypes: each function here takes one matrix as a numpy array.

The library is the shared object in the wheel `scipy-openblas32`, loaded on first use. It runs on
one thread, so that results are the same bits whatever threads there are, and a fork stays safe.
What LAPACK overwrites is a copy in its own layout (columns one after another).

Every function returns fresh arrays, and raises `Failed` where LAPACK says that the input has no
such factorisation. Arguments of wrong shapes are the caller's fault: op shapes are checked before.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray

_COLUMNS = ctypes.c_int(102)  # LAPACK_COL_MAJOR
_LETTERS = {"f": b"s", "d": b"d", "F": b"c", "D": b"z"}
_UNITARY = {"f": "or", "d": "or", "F": "un", "D": "un"}
_HERMITIAN = {"f": "sy", "d": "sy", "F": "he", "D": "he"}


class Failed(Exception):
    """A factorisation does not exist, or an iteration did not converge."""


@functools.cache
def _library() -> ctypes.CDLL:
    import scipy_openblas32

    folder = Path(scipy_openblas32.get_lib_dir())
    library = ctypes.CDLL(str(folder / scipy_openblas32.get_library(fullname=True)))
    library.scipy_openblas_set_num_threads(ctypes.c_int(1))
    # NaN in the input gives NaN in the output, as in TensorFlow, and not an error code.
    library.scipy_LAPACKE_set_nancheck(ctypes.c_int(0))
    return library


@functools.cache
def _routine(name: str, kind: str) -> Any:
    letter = _LETTERS[kind].decode()
    function = getattr(_library(), f"scipy_LAPACKE_{letter}{name}")
    function.restype = ctypes.c_int
    return function


def _call(name: str, kind: str, *arguments: Any) -> int:
    """The `info` of a routine: 0, or k > 0 where step k failed."""
    taken = [
        ctypes.c_void_p(a.ctypes.data)
        if isinstance(a, np.ndarray)
        else ctypes.c_char(a)
        if isinstance(a, bytes)
        else ctypes.c_int(a)
        for a in arguments
    ]
    info: int = _routine(name, kind)(_COLUMNS, *taken)
    if info < -1000:
        raise MemoryError(f"LAPACK {name}: no memory for its work space")
    return info


def _columns(x: Array) -> Array:
    """A copy of `x` that LAPACK may write to."""
    return np.array(x, order="F", copy=True)


def _leading(x: Array) -> int:
    return max(1, x.shape[0])


def _real(x: Array) -> Any:
    return x.real.dtype


def lu(a: Array) -> tuple[Array, Array, bool]:
    """(L below and U on and above the diagonal, row exchanges counted from 0, no zero pivot)."""
    work = _columns(a)
    n = a.shape[0]
    pivots = np.zeros(n, np.int32)
    if n:
        _call("getrf", a.dtype.char, n, n, work, _leading(work), pivots)
    diagonal = np.abs(np.diagonal(work))
    return work, pivots - 1, bool((diagonal > 0).all())


def lu_by_magnitude(a: Array) -> tuple[Array, Array, bool]:
    """What `lu` gives for a complex matrix, with the entry of the greatest magnitude as pivot, as
    TensorFlow's library chooses it; LAPACK goes by |re| + |im|, and exchanges other rows."""
    work = _columns(a)
    pivots = np.arange(len(a), dtype=np.int32)
    for k in range(len(a)):
        at = pivots[k] = k + int(np.argmax(np.abs(work[k:, k])))
        if not abs(work[at, k]) > 0:
            return work, pivots, False
        work[[k, at]] = work[[at, k]]
        below = work[k + 1 :, k]
        below /= work[k, k]
        work[k + 1 :, k + 1 :] -= np.outer(below, work[k, k + 1 :])
    return work, pivots, True


def solve_lu(factors: Array, pivots: Array, b: Array, adjoint: bool) -> Array:
    """X with A X = b, or A^H X = b, from what `lu(A)` gave."""
    x = _columns(b)
    n, count = b.shape
    if n and count:
        flag = (b"C" if np.iscomplexobj(factors) else b"T") if adjoint else b"N"
        ends = np.asarray(pivots + 1, np.int32)
        _call("getrs", factors.dtype.char, flag, n, count, factors, _leading(factors), ends, x, n)
    return x


def cholesky(a: Array) -> Array:
    """L, lower, with L L^H = a; only the lower triangle of `a` is read."""
    work = _columns(a)
    n = a.shape[0]
    if n and _call("potrf", a.dtype.char, b"L", n, work, n):
        raise Failed
    work = np.tril(work)
    if not (np.diagonal(work).real > 0).all():  # NaN is no positive number either
        raise Failed
    return work


def solve_triangular(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """X with T X = b, or T^H X = b, for the lower or upper triangle T of `a`."""
    if not (np.abs(np.diagonal(a)) > 0).all():
        raise Failed
    matrix, x = _columns(a), _columns(b)
    n, count = b.shape
    if n and count:
        flag = (b"C" if np.iscomplexobj(a) else b"T") if adjoint else b"N"
        side = b"L" if lower else b"U"
        _call("trtrs", a.dtype.char, side, flag, b"N", n, count, matrix, n, x, n)
    return x


def qr(a: Array, full: bool) -> tuple[Array, Array]:
    """(Q, R) by Householder reflections; Q has as many columns as rows if `full`."""
    rows, columns = a.shape
    least = min(rows, columns)
    width = rows if full else least
    work, kind = _columns(a), a.dtype.char
    scales = np.zeros(least, a.dtype)
    if least:
        _call("geqrf", kind, rows, columns, work, rows, scales)
    r = np.triu(work[:width])
    q = np.zeros((rows, width), a.dtype, order="F")
    q[:, :least] = work[:, :least]
    if not least:
        np.fill_diagonal(q, 1)
    elif rows:
        _call(_UNITARY[kind] + "gqr", kind, rows, width, least, q, rows, scales)
    return q, r


def svd(a: Array, full: bool, vectors: bool) -> tuple[Array, Array, Array]:
    """(singular values, U, V) with a = U diag(s) V^H; empty U and V unless `vectors`."""
    rows, columns = a.shape
    least, kind = min(rows, columns), a.dtype.char
    s = np.zeros(least, _real(a))
    widths = (rows, columns) if full else (least, least)
    if not vectors:
        widths = (0, 0)
    u = np.zeros((rows if vectors else 0, widths[0]), a.dtype, order="F")
    vh = np.zeros((widths[1], columns if vectors else 0), a.dtype, order="F")
    if not least:
        np.fill_diagonal(u, 1)
        np.fill_diagonal(vh, 1)
        return s, u, vh.conj().T
    if not np.isfinite(a).all():
        for array in (s, u, vh):
            array[...] = np.nan
        return s, u, vh.conj().T
    job = (b"A" if full else b"S") if vectors else b"N"
    work = _columns(a)
    info = _call(
        "gesdd", kind, job, rows, columns, work, rows, s, u, _leading(u), vh, _leading(vh)
    )  # fmt: skip
    if info:
        raise Failed
    return s, u, vh.conj().T


def eigh(a: Array, vectors: bool) -> tuple[Array, Array]:
    """(eigenvalues ascending, eigenvectors as columns) of a Hermitian matrix, of which only the
    lower triangle is read; no eigenvectors unless `vectors`."""
    n, kind = a.shape[0], a.dtype.char
    work = _columns(a)
    values = np.zeros(n, _real(a))
    if not n:
        return values, work
    if not np.isfinite(np.tril(a)).all():
        raise Failed
    job = b"V" if vectors else b"N"
    if _call(_HERMITIAN[kind] + "evd", kind, job, b"L", n, work, n, values):
        raise Failed
    return values, work if vectors else work[:0, :0]


def least_squares(a: Array, b: Array) -> Array:
    """The X of least norm among those with least |a X - b|, by a complete orthogonal
    factorisation; columns whose pivots are lost in rounding do not count."""
    rows, columns = a.shape
    count = b.shape[1]
    x = np.zeros((max(rows, columns), count), a.dtype, order="F")
    x[:rows] = b
    if rows and columns and count:
        pivots, rank = np.zeros(columns, np.int32), ctypes.c_int(0)
        limit = np.finfo(_real(a)).eps * min(rows, columns)
        real = ctypes.c_float if _real(a) == np.float32 else ctypes.c_double
        work = _columns(a)
        _routine("gelsy", a.dtype.char)(
            _COLUMNS, rows, columns, count, ctypes.c_void_p(work.ctypes.data), rows,
            ctypes.c_void_p(x.ctypes.data), len(x), ctypes.c_void_p(pivots.ctypes.data),
            real(limit), ctypes.byref(rank),
        )  # fmt: skip
    return x[:columns]


def schur(a: Array) -> tuple[Array, Array]:
    """(T, Z) of a complex matrix: T upper triangular and a = Z T Z^H."""
    n, kind = a.shape[0], a.dtype.char
    t, z = _columns(a), np.zeros_like(a, order="F")
    values, kept = np.zeros(n, a.dtype), ctypes.c_int(0)
    if not n:
        return t, z
    info = _routine("gees", kind)(
        _COLUMNS, ctypes.c_char(b"V"), ctypes.c_char(b"N"), None, n,
        ctypes.c_void_p(t.ctypes.data), n, ctypes.byref(kept),
        ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(z.ctypes.data), n,
    )  # fmt: skip
    if info:
        raise Failed
    return np.triu(t), z


def tridiagonal(above: Array, main: Array, below: Array, b: Array) -> Array:
    """X with T X = b, for the T with these diagonals."""
    n, count = b.shape
    parts = [np.array(d, copy=True) for d in (below, main, above)]
    x = _columns(b)
    if n and count and _call("gtsv", b.dtype.char, n, count, *parts, x, n):
        raise Failed
    return x
