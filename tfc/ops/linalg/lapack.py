"""LAPACK, called through ctypes: functions of stacks of matrices [count, rows, columns].

The library is the shared object in the wheel `scipy-openblas32`, loaded on first use. It runs on
one thread, so that results are the same bits whatever threads there are, and a fork stays safe.
What LAPACK overwrites is a copy of the whole stack in its own layout (the columns of a matrix one
after another). A matrix costs one foreign call with addresses that step through the stacks; what
else there is to do, and every check, is done on stacks at once. No matrix depends on another: the
bits are those of a stack of one.

Every function returns fresh arrays, and raises `Failed` where LAPACK says that an input has no
such factorisation. Arguments of wrong shapes are the caller's fault: op shapes are checked before.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray

_LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}
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
    return library


@functools.cache
def _routine(name: str, kind: str) -> Any:
    """A routine whose arguments are all pointers, made beforehand: to convert each of them once
    more, as its `argtypes` would, takes longer than a small matrix."""
    function = getattr(_library(), f"scipy_{_LETTERS[kind]}{name}_")
    function.restype = None
    return function


# What is behind the arguments of a routine: the length of each of its letters, which Fortran takes.
_LENGTH = ctypes.c_size_t.from_param(1)
_pointer = ctypes.c_void_p.from_param
_memory: Any = (ctypes.c_char * 0).from_buffer  # numpy tells slower where an array lies


@functools.lru_cache(4096)
def _number(value: int) -> Any:
    """A pointer to an integer that routines only read."""
    return ctypes.byref(ctypes.c_int32(value))


def _addresses(x: Array, count: int) -> Iterable[Any]:
    """The pointers to what an array has for one matrix after the other."""
    memory = _memory(x.swapaxes(1, 2) if x.ndim == 3 else x)
    if count == 1 or x.ndim == 1 or not x.size:
        return itertools.repeat(ctypes.byref(memory))
    address, step = ctypes.addressof(memory), x.strides[0]
    return map(_pointer, range(address, address + count * step, step))


def _call(name: str, kind: str, count: int, *arguments: Any) -> Array:
    """The `info` of a routine for each of `count` matrices: 0, or k > 0 where step k failed.

    Arrays of two and three dimensions are stacks, of vectors and of what `_columns` makes; what
    one dimension has is the same room for all matrices. Numbers are int32, letters bytes, and
    None is no array.
    """
    if not count:
        return np.zeros(0, np.int32)
    info = np.zeros((count, 1), np.int32)
    function = _routine(name, kind)
    steps: list[Iterable[Any]] = []
    lengths = []
    for argument in (*arguments, info):
        if isinstance(argument, np.ndarray):
            steps.append(_addresses(argument, count))
        elif isinstance(argument, int):
            steps.append(itertools.repeat(_number(argument)))
        else:
            steps.append(itertools.repeat(argument))
            if argument is not None:
                lengths.append(_LENGTH)
    for pointers in itertools.islice(zip(*steps, strict=False), count):
        function(*pointers, *lengths)
    return info[:, 0]


@functools.lru_cache(1024)
def _sizes(name: str, kind: str, dtypes: tuple[str, ...], before: Any, behind: Any) -> list[int]:
    """How large a routine wants its work arrays of these dtypes to be. `before`, `behind`: its
    other arguments, with None for arrays, which it does not look at."""
    query = [np.zeros(1, dtype) for dtype in dtypes]
    _call(name, kind, 1, *before, *itertools.chain(*((q, -1) for q in query)), *behind)
    return [max(1, int(q[0].real)) for q in query]


def _call_in_room(
    name: str, kind: str, count: int, *arguments: Any, asked: str = "", fixed: Sequence[Array] = ()
) -> Array:
    """`_call` with work arrays behind the arguments: one of the element type, and of those that
    `asked` names, as large as the routine wants them, each with its size; then `fixed` ones."""
    dtypes = (kind, *asked)
    before = tuple(None if isinstance(a, np.ndarray) else a for a in arguments)
    sizes = _sizes(name, kind, dtypes, before, (None,) * len(fixed))
    rooms = ((np.empty(size, dtype), size) for size, dtype in zip(sizes, dtypes, strict=True))
    return _call(name, kind, count, *arguments, *itertools.chain(*rooms), *fixed)


def _columns(x: Array) -> Array:
    """A copy of `x` that LAPACK may write to."""
    return np.array(x.swapaxes(-1, -2), order="C", copy=True).swapaxes(-1, -2)


def _zeros(count: int, rows: int, columns: int, dtype: Any) -> Array:
    """Zeros as LAPACK lays them out."""
    return np.zeros((count, columns, rows), dtype).swapaxes(-1, -2)


def diagonals(x: Array) -> Array:
    """The diagonal of each matrix of a stack: a view."""
    return x.diagonal(0, -2, -1)


def adjoints(x: Array) -> Array:
    """The conjugate of the transpose of each matrix of a stack."""
    return x.conj().swapaxes(-1, -2)


def _real(x: Array) -> Any:
    return x.real.dtype


def _turn(x: Array, adjoint: bool) -> bytes:
    return (b"C" if np.iscomplexobj(x) else b"T") if adjoint else b"N"


def lu(a: Array) -> tuple[Array, Array, Array]:
    """(L below and U on and above the diagonal, row exchanges counted from 1, no zero pivot).

    Row k is exchanged with row `pivots[k]`, k ascending; the last result is a bool a matrix.
    """
    work = _columns(a)
    count, n = a.shape[:2]
    pivots = np.zeros((count, n), np.int32)
    if n:
        _call("getrf", a.dtype.char, count, n, n, work, n, pivots)
    return work, pivots, (np.abs(diagonals(work)) > 0).all(axis=-1)


def lu_by_magnitude(a: Array) -> tuple[Array, Array, Array]:
    """What `lu` gives for complex matrices, with the entry of the greatest magnitude as pivot, as
    TensorFlow's library chooses it; LAPACK goes by |re| + |im|, and exchanges other rows."""
    work = _columns(a)
    count, n = a.shape[:2]
    every = np.arange(count)
    pivots = np.zeros((count, n), np.int32)
    regular = np.ones(count, bool)
    with np.errstate(all="ignore"):  # what is divided by no pivot is not regular
        for k in range(n):
            at = k + np.abs(work[:, k:, k]).argmax(axis=1)
            pivots[:, k] = at + 1
            work[every, k], work[every, at] = work[every, at], work[every, k]
            pivot = work[:, k, k, None]
            regular &= np.abs(pivot[:, 0]) > 0
            below = work[:, k + 1 :, k]
            below /= pivot
            work[:, k + 1 :, k + 1 :] -= below[:, :, None] * work[:, k, None, k + 1 :]
    return work, pivots, regular


def order_of_rows(pivots: Array) -> Array:
    """The rows of each matrix in their order after the exchanges of `lu`, counted from 0."""
    count, n = pivots.shape
    every = np.arange(count)
    order = np.tile(np.arange(n), (count, 1))
    for k in range(n):
        at = pivots[:, k] - 1
        order[:, k], order[every, at] = order[every, at], order[:, k].copy()
    return order


def signs(pivots: Array, dtype: Any) -> Array:
    """The sign of the order of rows that `lu` gives: 1 or -1 for each matrix."""
    moved = pivots != np.arange(1, pivots.shape[1] + 1)
    return 1 - 2 * np.logical_xor.reduce(moved, axis=-1).astype(dtype)


def _solved(a: Array, x: Array, adjoint: bool) -> Array:
    """`x`, laid out for LAPACK, after A X = x or A^H X = x has been solved in its place."""
    factors, pivots, regular = lu(a)
    if not regular.all():
        raise Failed
    count, n, width = x.shape
    if n and width:
        _call("getrs", a.dtype.char, count, _turn(a, adjoint), n, width, factors, n, pivots, x, n)
    return x


def solve(a: Array, b: Array, adjoint: bool) -> Array:
    """X with a X = b, or a^H X = b."""
    return _solved(a, _columns(b), adjoint)


def inverse(a: Array, adjoint: bool) -> Array:
    """The inverses of matrices, or of their adjoints."""
    count, n = a.shape[:2]
    unit = np.zeros((count, n * n), a.dtype)
    unit[:, :: n + 1] = 1
    return _solved(a, unit.reshape(count, n, n).swapaxes(1, 2), adjoint)


def cholesky(a: Array) -> Array:
    """L, lower, with L L^H = a; only the lower triangles of `a` are read."""
    work = _columns(a)
    count, n = a.shape[:2]
    if n and _call("potrf", a.dtype.char, count, b"L", n, work, n).any():
        raise Failed
    if not (diagonals(work).real > 0).all():  # NaN is no positive number either
        raise Failed
    return np.tril(work)


def solve_triangular(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """X with T X = b, or T^H X = b, for the lower or upper triangles T of `a`."""
    if not (np.abs(diagonals(a)) > 0).all():
        raise Failed
    matrix, x = _columns(a), _columns(b)
    count, n, width = b.shape
    if n and width:
        side, flag, kind = b"L" if lower else b"U", _turn(a, adjoint), a.dtype.char
        _call("trtrs", kind, count, side, flag, b"N", n, width, matrix, n, x, n)
    return x


def qr(a: Array, full: bool) -> tuple[Array, Array]:
    """(Q, R) by Householder reflections; Q has as many columns as rows if `full`."""
    count, rows, columns = a.shape
    least = min(rows, columns)
    width = rows if full else least
    work, kind = _columns(a), a.dtype.char
    scales = np.zeros((count, least), a.dtype)
    if least:
        _call_in_room("geqrf", kind, count, rows, columns, work, rows, scales)
    r = np.triu(work[:, :width])
    q = _zeros(count, rows, width, a.dtype)
    if least:
        q[:, :, :least] = work[:, :, :least]
        name = _UNITARY[kind] + "gqr"
        _call_in_room(name, kind, count, rows, width, least, q, rows, scales)
    else:
        q[...] = np.eye(rows, width)
    return q, r


def svd(a: Array, full: bool, vectors: bool) -> tuple[Array, Array, Array]:
    """(singular values, U, V) with a = U diag(s) V^H; empty U and V unless `vectors`. A matrix that
    is not finite has NaN everywhere."""
    count, rows, columns = a.shape
    least, kind = min(rows, columns), a.dtype.char
    widths = ((rows, columns) if full else (least, least)) if vectors else (0, 0)
    s = np.zeros((count, least), _real(a))
    u = _zeros(count, rows if vectors else 0, widths[0], a.dtype)
    vh = _zeros(count, widths[1], columns if vectors else 0, a.dtype)
    finite = np.isfinite(a).all(axis=(1, 2))
    if not least:
        u[...], vh[...] = np.eye(*u.shape[1:]), np.eye(*vh.shape[1:])
    elif finite.all():
        job = (b"A" if full else b"S") if vectors else b"N"
        _decompose(kind, job, _columns(a), s, u, vh)
    else:
        for array, part in zip((s, u, vh), svd(a[finite], full, vectors), strict=True):
            array[...] = np.nan
            array[finite] = part if array is not vh else adjoints(part)
    return s, u, adjoints(vh)


def _decompose(kind: str, job: bytes, work: Array, s: Array, u: Array, vh: Array) -> None:
    """Singular values and vectors of matrices that are finite and not empty; overwrites `work`."""
    count, rows, columns = work.shape
    least, most = min(rows, columns), max(rows, columns)
    fixed: list[Array] = [np.empty(8 * least, np.int32)]
    if np.iscomplexobj(work):
        several = least * max(5 * least + 7, 2 * most + 2 * least + 1)
        fixed.insert(0, np.empty(7 * least if job == b"N" else several, s.dtype))
    sides = max(1, u.shape[1]), max(1, vh.shape[1])
    info = _call_in_room(
        "gesdd", kind, count, job, rows, columns, work, rows, s, u, sides[0], vh, sides[1],
        fixed=fixed,
    )  # fmt: skip
    if info.any():
        raise Failed


def eigh(a: Array, vectors: bool) -> tuple[Array, Array]:
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices, of which only the
    lower triangles are read; no eigenvectors unless `vectors`."""
    count, n = a.shape[:2]
    kind = a.dtype.char
    work = _columns(a)
    values = np.zeros((count, n), _real(a))
    if not n:
        return values, work
    if not (np.isfinite(a).all() or np.isfinite(np.tril(a)).all()):
        raise Failed
    job = b"V" if vectors else b"N"
    asked = _real(a).char + "i" if np.iscomplexobj(a) else "i"
    info = _call_in_room(
        _HERMITIAN[kind] + "evd", kind, count, job, b"L", n, work, n, values, asked=asked
    )
    if info.any():
        raise Failed
    return values, work if vectors else work[:, :0, :0]


def least_squares(a: Array, b: Array) -> Array:
    """The X of least norm among those with least |a X - b|, by a complete orthogonal
    factorisation; columns whose pivots are lost in rounding do not count."""
    count, rows, columns = a.shape
    width, kind = b.shape[-1], a.dtype.char
    x = _zeros(count, max(rows, columns), width, a.dtype)
    x[:, :rows] = b
    if rows and columns and width:
        pivots, rank = np.zeros((count, columns), np.int32), np.zeros(1, np.int32)
        limit = np.full(1, np.finfo(_real(a)).eps * min(rows, columns), _real(a))
        fixed = [np.empty(2 * columns, _real(a))] if np.iscomplexobj(a) else []
        _call_in_room(
            "gelsy", kind, count, rows, columns, width, _columns(a), rows, x, x.shape[1], pivots,
            limit, rank, fixed=fixed,
        )  # fmt: skip
    return x[:, :columns]


def schur(a: Array) -> tuple[Array, Array]:
    """(T, Z) of complex matrices: T upper triangular and a = Z T Z^H."""
    count, n = a.shape[:2]
    t, z = _columns(a), _zeros(count, n, n, a.dtype)
    if not n:
        return t, z
    values, kept = np.zeros((count, n), a.dtype), np.zeros(1, np.int32)
    fixed = [np.empty(n, _real(a)), np.empty(n, np.int32)]
    info = _call_in_room(
        "gees", a.dtype.char, count, b"V", b"N", None, n, t, n, kept, values, z, n,
        fixed=fixed,
    )  # fmt: skip
    if info.any():
        raise Failed
    return np.triu(t), z


def tridiagonal(above: Array, main: Array, below: Array, b: Array) -> tuple[Array, Array]:
    """(X with T X = b, for the T with these diagonals [count, ...]; whether each T is regular)."""
    count, n, width = b.shape
    parts = [np.array(d, order="C", copy=True) for d in (below, main, above)]
    x = _columns(b)
    if not (n and width):
        return x, np.ones(count, bool)
    return x, _call("gtsv", b.dtype.char, count, n, width, *parts, x, n) == 0
