"""LAPACK, on stacks of matrices [count, rows, columns].

The library is the shared object in the wheel `scipy-openblas32`, loaded on first use. It runs on
one thread, so that results are the same bits whatever threads there are, and a fork stays safe.
Compiled code calls its routines by their addresses (`addresses`). `call` calls them from Python,
for host ops and for what the primitives of `prims/factorization.py` mean; the functions below are
those meanings. They have the layout in which LAPACK takes matrices: *by columns* is a stack
[count, columns, rows], the columns of each matrix one after another.

What LAPACK overwrites is a copy of the whole stack. A matrix costs one foreign call with addresses
that step through the stacks. No matrix depends on another: the bits are those of a stack of one.

Every function returns fresh arrays, and a bool a matrix where some have no such factorisation.
Arguments of wrong shapes are the caller's fault: types are checked before.
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
UNITARY = {"f": "or", "d": "or", "F": "un", "D": "un"}
HERMITIAN = {"f": "sy", "d": "sy", "F": "he", "D": "he"}


@functools.cache
def _library() -> ctypes.CDLL:
    import scipy_openblas32

    folder = Path(scipy_openblas32.get_lib_dir())
    library = ctypes.CDLL(str(folder / scipy_openblas32.get_library(fullname=True)))
    library.scipy_openblas_set_num_threads(ctypes.c_int(1))
    return library


def symbol(name: str, kind: str) -> str:
    """What the library calls a routine for matrices of numpy's element type `kind`."""
    return f"scipy_{_LETTERS[kind]}{name}_"


def addresses(symbols: Iterable[str]) -> dict[str, int]:
    """Where routines begin, which stays as it is until the process ends."""
    return {
        name: ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value or 0 for name in symbols
    }


@functools.cache
def _routine(name: str, kind: str) -> Any:
    """A routine whose arguments are all pointers, made beforehand: to convert each of them once
    more, as its `argtypes` would, takes longer than a small matrix."""
    function = getattr(_library(), symbol(name, kind))
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


def call(name: str, kind: str, count: int, *arguments: Any, tells: bool = True) -> Array:
    """The `info` of a routine for each of `count` matrices: 0, or k > 0 where step k failed; zeros
    of one that does not tell.

    Arrays of two and three dimensions are stacks, of vectors and of what `columns_of` makes; what
    one dimension has is the same room for all matrices. Numbers are int32, letters bytes, and
    None is no array.
    """
    if not count:
        return np.zeros(0, np.int32)
    info = np.zeros((count, 1), np.int32)
    function = _routine(name, kind)
    steps: list[Iterable[Any]] = []
    lengths = []
    for argument in (*arguments, info) if tells else arguments:
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
def sizes(name: str, kind: str, dtypes: str, before: tuple[Any, ...], behind: int) -> list[int]:
    """How large a routine wants its work arrays of numpy's `dtypes` to be. before: the arguments in
    front of them, with None for arrays, which it does not look at; behind: how many come after."""
    query = [np.zeros(1, dtype) for dtype in dtypes]
    asked = itertools.chain(*((q, -1) for q in query))
    call(name, kind, 1, *before, *asked, *(None,) * behind)
    return [max(1, int(q[0].real)) for q in query]


def call_in_room(
    name: str, kind: str, count: int, *arguments: Any, asked: str = "", fixed: Sequence[Array] = ()
) -> Array:
    """`call` with work arrays behind the arguments: one of the element type, and of those that
    `asked` names, as large as the routine wants them, each with its size; then `fixed` ones."""
    dtypes = kind + asked
    before = tuple(None if isinstance(a, np.ndarray) else a for a in arguments)
    wanted = sizes(name, kind, dtypes, before, len(fixed))
    rooms = ((np.empty(size, dtype), size) for size, dtype in zip(wanted, dtypes, strict=True))
    return call(name, kind, count, *arguments, *itertools.chain(*rooms), *fixed)


def columns_of(x: Array) -> Array:
    """A copy of `x` that LAPACK may write to."""
    return np.array(x.swapaxes(-1, -2), order="C", copy=True).swapaxes(-1, -2)


def zeros(count: int, rows: int, columns: int, dtype: Any) -> Array:
    """Zeros as LAPACK lays them out."""
    return np.zeros((count, columns, rows), dtype).swapaxes(-1, -2)


def diagonals(x: Array) -> Array:
    """The diagonal of each matrix of a stack: a view."""
    return x.diagonal(0, -2, -1)


def real_type(x: Array) -> Any:
    """The type of the real parts."""
    return x.real.dtype


def side_of(n: int) -> int:
    """An extent as LAPACK takes it where it says how far apart columns are."""
    return max(1, n)


def turn(x: Array, adjoint: bool) -> bytes:
    """The letter that says whether a routine takes a matrix or its adjoint."""
    return (b"C" if np.iscomplexobj(x) else b"T") if adjoint else b"N"


def _copied(x: Array) -> Array:
    """A copy of a stack by columns, in LAPACK's order of axes: what routines write to."""
    return np.array(x, order="C", copy=True).swapaxes(1, 2)


def _given(x: Array) -> Array:
    """A stack by columns that LAPACK wrote to, as it lies in memory."""
    return x.swapaxes(1, 2)


def _magnitudes(x: Array) -> Array:
    """|re| + |im|: not above zero for zeros and NaN."""
    size: Array = np.abs(x.real)
    return size + np.abs(x.imag) if np.iscomplexobj(x) else size


def cholesky(a: Array) -> tuple[Array, Array]:
    """(L, lower, with L L^H = a; whether there is one) of matrices by *rows*, of which only the
    lower triangles are read: by columns that is the upper triangle, and its factor."""
    work, (count, n) = _copied(a), a.shape[:2]
    ok = np.ones(count, bool)
    if n:
        ok = call("potrf", a.dtype.char, count, b"U", n, work, n) == 0
        ok &= (diagonals(work).real > 0).all(axis=-1)  # NaN is not above zero either
    return np.tril(_given(work)), ok


def lu(a: Array) -> tuple[Array, Array, Array]:
    """(L below and U on and above the diagonal; row exchanges counted from 1; the rows in their
    order after these) by columns. Row k is exchanged with row `exchanges[k]`, k ascending."""
    work, (count, n) = _copied(a), a.shape[:2]
    exchanges = np.zeros((count, n), np.int32)
    if n:
        call("getrf", a.dtype.char, count, n, n, work, n, exchanges)
    return _given(work), exchanges, order_of_rows(exchanges)


def order_of_rows(exchanges: Array) -> Array:
    """The rows of each matrix in their order after the exchanges of `lu`, counted from 0."""
    count, n = exchanges.shape
    every = np.arange(count)
    order = np.tile(np.arange(n, dtype=np.int32), (count, 1))
    for k in range(n):
        at = exchanges[:, k] - 1
        order[:, k], order[every, at] = order[every, at], order[:, k].copy()
    return order


def solve(a: Array, b: Array, adjoint: bool) -> tuple[Array, Array]:
    """(X with a X = b, or a^H X = b; whether no pivot of a is zero) by columns."""
    factors, exchanges, _ = lu(a)
    x, (count, width, n) = _copied(b), b.shape
    if n and width:
        flag, factored = turn(a, adjoint), factors.swapaxes(1, 2)
        call("getrs", a.dtype.char, count, flag, n, width, factored, n, exchanges, x, n)
    regular = np.asarray((_magnitudes(diagonals(factors)) > 0).all(axis=-1))
    return _given(x), regular


def triangular_solve(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """X with T X = b, or T^H X = b, for the lower or upper triangles T of `a`, or of the only one.
    Matrices are by *rows*; by columns the equation is X^T T^T = b^T."""
    count, n, width = b.shape
    x = _copied(b)
    if count and n and width:
        every = np.broadcast_to(a, (count, n, n)) if len(a) == 1 else a
        matrix, one = np.array(every, order="C").swapaxes(1, 2), np.ones(1, b.dtype)
        side, flag = b"U" if lower else b"L", turn(a, adjoint)
        call(
            "trsm", b.dtype.char, count, b"R", side, flag, b"N", width, n, one, matrix, n, x, width,
            tells=False,
        )  # fmt: skip
    return _given(x)


def tridiagonal_solve(diagonals: Array, b: Array) -> tuple[Array, Array]:
    """(X with T X = b by columns, for the T with these diagonals [count, 3, n] above, on and below
    the main one; whether each T is regular)."""
    count, width, n = b.shape
    x = _copied(b)
    if not (n and width):
        return _given(x), np.ones(count, bool)
    rows = (diagonals[:, 2, 1:], diagonals[:, 1], diagonals[:, 0, :-1])
    parts = [np.array(row, order="C", copy=True) for row in rows]
    ok = call("gtsv", b.dtype.char, count, n, width, *parts, x, n) == 0
    return _given(x), np.asarray(ok)


def least_squares(a: Array, b: Array) -> Array:
    """The X of least norm among those with least |a X - b| by columns, by a complete orthogonal
    factorisation; columns whose pivots are lost in rounding do not count."""
    count, columns, rows = a.shape
    width, kind = b.shape[1], a.dtype.char
    x = zeros(count, max(rows, columns), width, a.dtype)
    x[:, :rows] = b.swapaxes(1, 2)
    order, rank = np.zeros((count, columns), np.int32), np.zeros(1, np.int32)
    limit = np.full(1, least_pivot(rows, columns, real_type(a)), real_type(a))
    fixed = [np.empty(2 * columns, real_type(a))] if np.iscomplexobj(a) else []
    call_in_room(
        "gelsy", kind, count, rows, columns, width, _copied(a), rows, x, x.shape[1], order,
        limit, rank, fixed=fixed,
    )  # fmt: skip
    return _given(x[:, :columns])


def least_pivot(rows: int, columns: int, dtype: Any) -> float:
    """What counts as zero, of the greatest pivot."""
    return float(np.finfo(dtype).eps) * min(rows, columns)


def qr(a: Array, width: int) -> tuple[Array, Array]:
    """(Q [count, width, rows]; R on and above the diagonal [count, columns, rows], and below it how
    Q is made) of matrices by columns, with rows and columns."""
    count, columns, rows = a.shape
    work, kind, least = _copied(a), a.dtype.char, min(rows, columns)
    scales = np.zeros((count, least), a.dtype)
    call_in_room("geqrf", kind, count, rows, columns, work, rows, scales)
    q = zeros(count, rows, width, a.dtype)
    q[:, :, :least] = work[:, :, :least]
    name = UNITARY[kind] + "gqr"
    call_in_room(name, kind, count, rows, width, least, q, rows, scales)
    return _given(q), _given(work)


def eigh(a: Array, vectors: bool) -> tuple[Array, ...]:
    """(eigenvalues ascending; eigenvectors, by columns, if `vectors`; whether they were found) of
    Hermitian matrices by columns, with columns, of which only the lower triangles are read. NaN for
    those that are not finite."""
    count, n = a.shape[:2]
    kind = a.dtype.char
    work, values = _copied(a), np.zeros((count, n), real_type(a))
    ok = np.isfinite(np.triu(a)).all(axis=(1, 2))
    job = b"V" if vectors else b"N"
    asked = real_type(a).char + "i" if np.iscomplexobj(a) else "i"
    routine = HERMITIAN[kind] + "evd"
    found = call_in_room(
        routine, kind, int(ok.sum()), job, b"L", n, (part := _of(work, ok)), n,
        (some := values[ok]), asked=asked,
    )  # fmt: skip
    work[ok], values[ok] = part, some
    work[~ok], values[~ok] = np.nan, np.nan
    ok[ok] = found == 0
    return (values, _given(work), ok) if vectors else (values, ok)


def _of(x: Array, chosen: Array) -> Array:
    """Those matrices of `x`, in LAPACK's order, that are chosen."""
    return np.array(x.swapaxes(1, 2)[chosen], order="C").swapaxes(1, 2)


def svd(a: Array, full: bool, vectors: bool) -> tuple[Array, ...]:
    """(singular values; U and V^H by columns, if `vectors`; whether they were found) of matrices by
    columns, with rows and columns. Those that are not finite have NaN, which is found."""
    count, columns, rows = a.shape
    least, kind = min(rows, columns), a.dtype.char
    widths = ((rows, columns) if full else (least, least)) if vectors else (0, 0)
    ok = np.isfinite(a).all(axis=(1, 2))
    some = int(ok.sum())
    s = np.zeros((some, least), real_type(a))
    u = zeros(some, rows if vectors else 0, widths[0], a.dtype)
    vh = zeros(some, widths[1], columns if vectors else 0, a.dtype)
    fixed: list[Array] = [np.empty(8 * least, np.int32)]
    if np.iscomplexobj(a):
        fixed.insert(0, np.empty(svd_numbers(rows, columns, vectors), s.dtype))
    found = call_in_room(
        "gesdd", kind, some, svd_job(full, vectors), rows, columns, _of(_copied(a), ok), rows, s,
        u, side_of(u.shape[1]), vh, side_of(vh.shape[1]), fixed=fixed,
    )  # fmt: skip
    results = [_scattered(s, ok)]
    if vectors:
        results += [_scattered(_given(u), ok), _scattered(_given(vh), ok)]
    done = np.ones(count, bool)
    done[ok] = found == 0
    return (*results, done)


def svd_job(full: bool, vectors: bool) -> bytes:
    """The letter that says which singular vectors are asked for."""
    return (b"A" if full else b"S") if vectors else b"N"


def svd_numbers(rows: int, columns: int, vectors: bool) -> int:
    """How many real numbers the routine needs for complex matrices."""
    least, most = min(rows, columns), max(rows, columns)
    return least * max(5 * least + 7, 2 * most + 2 * least + 1) if vectors else 7 * least


def _scattered(x: Array, chosen: Array) -> Array:
    """`x` where matrices are chosen, and NaN elsewhere."""
    whole = np.full((len(chosen), *x.shape[1:]), np.nan, x.dtype)
    whole[chosen] = x
    return whole
