"""Factorisations of matrices, which LAPACK computes: a kernel calls its routines matrix by matrix.

Operands and results are stacks: the first axis counts matrices. *By columns* means that a matrix
lies as LAPACK takes it, its columns one after another: [count, columns, rows]. Each primitive is
total: `ok` says of each matrix whether there is such a factorisation, and lowering asserts it.

Those of few rows are *small*: a call would take longer than what is to be done. Kernels do them
themselves, and all is by rows (`prims/small_factors.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.dtypes import REAL_PART, numpy_dtype
from tfc.base.records import dataclass
from tfc.ir.core import Op, Type
from tfc.prims.prim import Prim, check, check_dtype

Array = np.ndarray
MATRICES = ("f32", "f64", "c64", "c128")
MOST_SIDE = 2**31 - 1  # LAPACK counts in 32 bits
MOST_SMALL = 16  # rows of what a kernel factors itself
MOST_IN_REGISTERS = 4  # and of what it writes out, element by element
LINE = 64  # what one chunk has in scratch begins at a multiple of this many bytes


def _lapack() -> Any:
    """The module that calls the library. Most programs have no use for it."""
    from tfc.runtime import lapack

    return lapack


def _small() -> Any:
    from tfc.prims import small_factors

    return small_factors


def _how(a: Array) -> Any:
    """The module that says what a primitive means for matrices of that size."""
    return _small() if is_small_side(a.shape[1]) else _lapack()


def is_small_side(n: int) -> bool:
    """Whether square matrices with n rows are small."""
    return 0 < n <= MOST_SMALL


def _check(name: str, x: Type, square: bool = False, least: int = 0) -> None:
    check_dtype(name, x, MATRICES)
    check(x.rank == 3, "{} takes stacks of matrices, not {}", name, x)
    check(max(x.shape) <= MOST_SIDE, "{} takes at most 2**31 - 1 rows, not {}", name, x)
    check(min(x.shape[1:]) >= least, "{} takes no empty matrices, such as {}", name, x)
    check(not square or x.shape[1] == x.shape[2], "{} takes square matrices, not {}", name, x)


def _real(x: Type, *shape: int) -> Type:
    return Type(REAL_PART.get(x.dtype, x.dtype), shape)


def _ok(x: Type) -> Type:
    return Type("i1", x.shape[:1])


# --- types ----------------------------------------------------------------------------------


def _cholesky_type(a: Type) -> tuple[Type, ...]:
    _check("cholesky", a, square=True)
    return (a, _ok(a))


def _lu_type(a: Type) -> tuple[Type, ...]:
    _check("lu", a, square=True)
    rows = Type("i32", a.shape[:2])
    return (a, rows, rows)


def _solve_type(a: Type, b: Type, *, adjoint: bool) -> tuple[Type, ...]:
    _check("solve", a, square=True)
    _check("solve", b)
    rows = b.shape[1 if is_small_side(a.shape[1]) else 2]
    fits = a.dtype == b.dtype and a.shape[0] == b.shape[0] and a.shape[1] == rows
    check(fits, "solve: {} and {} do not fit", a, b)
    return (b, _ok(a))


def _triangular_type(a: Type, b: Type, *, lower: bool, adjoint: bool) -> tuple[Type, ...]:
    _check("triangular_solve", a, square=True)
    _check("triangular_solve", b)
    fits = a.dtype == b.dtype and a.shape[0] in (1, b.shape[0]) and a.shape[1] == b.shape[1]
    check(fits, "triangular_solve: {} and {} do not fit", a, b)
    return (b,)


def _tridiagonal_type(diagonals: Type, b: Type) -> tuple[Type, ...]:
    _check("tridiagonal_solve", diagonals)
    _check("tridiagonal_solve", b)
    count, three, n = diagonals.shape
    fits = diagonals.dtype == b.dtype and (count, n) == (b.shape[0], b.shape[2]) and three == 3
    check(fits, "tridiagonal_solve: {} and {} do not fit", diagonals, b)
    return (b, _ok(b))


def _least_squares_type(a: Type, b: Type) -> tuple[Type, ...]:
    _check("least_squares", a, least=1)
    _check("least_squares", b, least=1)
    fits = a.dtype == b.dtype and (a.shape[0], a.shape[2]) == (b.shape[0], b.shape[2])
    check(fits, "least_squares: {} and {} do not fit", a, b)
    return (Type(a.dtype, (*b.shape[:2], a.shape[1])),)


def _qr_type(a: Type, *, width: int) -> tuple[Type, ...]:
    _check("qr", a, least=1)
    count, columns, rows = a.shape
    fits = width in (rows, min(rows, columns))
    check(fits, "qr of {} has no Q of {} columns", a, width)
    return (Type(a.dtype, (count, width, rows)), a)


def _eigh_type(a: Type, *, vectors: bool) -> tuple[Type, ...]:
    _check("eigh", a, square=True, least=1)
    values = _real(a, *a.shape[:2])
    return (values, a, _ok(a)) if vectors else (values, _ok(a))


def _svd_type(a: Type, *, full: bool, vectors: bool) -> tuple[Type, ...]:
    _check("svd", a, least=1)
    count, columns, rows = a.shape
    least = min(rows, columns)
    values = _real(a, count, least)
    if not vectors:
        return (values, _ok(a))
    widths = (rows, columns) if full else (least, least)
    u, vh = Type(a.dtype, (count, widths[0], rows)), Type(a.dtype, (count, columns, widths[1]))
    return (values, u, vh, _ok(a))


# --- primitives -----------------------------------------------------------------------------


def _factorization(
    name: str, doc: str, infer: Callable[..., tuple[Type, ...]], eval: Callable[..., Any]
) -> Prim:
    return Prim(name, doc, infer, eval, exact=False, folds=False)


cholesky = _factorization(
    "cholesky",
    "(L, ok): the lower triangular L with L L^H = a, of which only the lower triangles are read; "
    "matrices are by rows",
    _cholesky_type,
    lambda a: _how(a).cholesky(a),
)
lu = _factorization(
    "lu",
    "(factors, exchanges, order): by columns, or rows if small, U on and above the diagonal and "
    "below it L, whose diagonal is ones; row k was exchanged with row exchanges[k] - 1, k "
    "ascending, so that row order[k] came to be row k",
    _lu_type,
    lambda a: _how(a).lu(a),
)
solve = _factorization(
    "solve",
    "(x, ok): a x = b, or with the adjoint of a; all by columns, or rows if small; ok: no pivot is "
    "zero",
    _solve_type,
    lambda a, b, *, adjoint: _how(a).solve(a, b, adjoint),
)
triangular_solve = _factorization(
    "triangular_solve",
    "t x = b for the lower or upper triangle t of a, or its adjoint; all by rows; one matrix a may "
    "stand for all; what a zero on the diagonal divides is not finite",
    _triangular_type,
    lambda a, b, *, lower, adjoint: _how(a).triangular_solve(a, b, lower, adjoint),
)
tridiagonal_solve = _factorization(
    "tridiagonal_solve",
    "(x, ok): t x = b by columns, for the diagonals [count, 3, n] of t above, on and below the "
    "main one, of which the last above and the first below are not read; ok: t is regular",
    _tridiagonal_type,
    lambda diagonals, b: _lapack().tridiagonal_solve(diagonals, b),
)
least_squares = _factorization(
    "least_squares",
    "the x of least norm among those with least |a x - b|; all by columns; columns of a whose "
    "pivots are lost in rounding do not count",
    _least_squares_type,
    lambda a, b: _lapack().least_squares(a, b),
)
qr = _factorization(
    "qr",
    "(q, packed), by columns: q has `width` orthonormal columns; packed has the upper triangular R "
    "on and above its diagonal",
    _qr_type,
    lambda a, *, width: _lapack().qr(a, width),
)
eigh = _factorization(
    "eigh",
    "(values, vectors by columns if asked for, ok) of Hermitian matrices by columns, of which the "
    "lower triangles are read; NaN where those are not finite",
    _eigh_type,
    lambda a, *, vectors: _lapack().eigh(a, vectors),
)
svd = _factorization(
    "svd",
    "(values, u and v^H by columns if vectors are asked for, ok) of matrices by columns; u and v "
    "are square if `full`; NaN, which is ok, where a matrix is not finite",
    _svd_type,
    lambda a, *, full, vectors: _lapack().svd(a, full, vectors),
)
ELIMINATIONS = frozenset({"cholesky", "lu", "solve", "triangular_solve"})
FACTORIZATIONS = ELIMINATIONS | {"tridiagonal_solve", "least_squares", "qr", "eigh", "svd"}


def is_small(hero: Op) -> bool:
    """Whether a kernel does what `hero` does itself."""
    return hero.defn.name in ELIMINATIONS and is_small_side(hero.operands[0].type.shape[1])


# --- what their kernels need ----------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """A work array of one routine: how many elements, of which of numpy's types; `given`: whether
    the routine is told."""

    kind: str
    count: int
    given: bool = True

    @property
    def nbytes(self) -> int:
        return self.count * np.dtype(self.kind).itemsize


def kind_of(x: Type) -> str:
    """The letter by which numpy knows the elements."""
    return str(numpy_dtype(x.dtype).char)


def real_kind(kind: str) -> str:
    return kind.lower()


def rooms_of(hero: Op) -> dict[str, list[Room]]:
    """The work arrays of the routines that a factorisation calls, by routine, in the order in which
    they are passed. The library is asked how large it wants them."""
    rule = _ROOMS.get(hero.defn.name)
    return rule(hero) if rule else {}


def _wanted(name: str, kinds: str, before: tuple[Any, ...], behind: int = 0) -> list[Room]:
    counts = _lapack().sizes(name, kinds[0], kinds, before, behind)
    return [Room(kind, count) for kind, count in zip(kinds, counts, strict=True)]


def _least_squares_rooms(hero: Op) -> dict[str, list[Room]]:
    a, b = (v.type for v in hero.operands)
    kind, (_, columns, rows) = kind_of(a), a.shape
    before = (rows, columns, b.shape[1], None, rows, None, max(rows, columns), None, None, None)
    fixed = [Room(real_kind(kind), 2 * columns, given=False)] if kind.isupper() else []
    return {"gelsy": _wanted("gelsy", kind, before, len(fixed)) + fixed}


def _qr_rooms(hero: Op) -> dict[str, list[Room]]:
    _, columns, rows = hero.operands[0].type.shape
    kind, width, least = kind_of(hero.operands[0].type), hero.attr("width"), min(rows, columns)
    name = _lapack().UNITARY[kind] + "gqr"
    return {
        "geqrf": _wanted("geqrf", kind, (rows, columns, None, rows, None)),
        name: _wanted(name, kind, (rows, width, least, None, rows, None)),
    }


def _eigh_rooms(hero: Op) -> dict[str, list[Room]]:
    a = hero.operands[0].type
    kind, n = kind_of(a), a.shape[1]
    kinds = kind + (real_kind(kind) if kind.isupper() else "") + "i"
    name = _lapack().HERMITIAN[kind] + "evd"
    job = b"V" if hero.attr("vectors") else b"N"
    return {name: _wanted(name, kinds, (job, b"L", n, None, n, None))}


def _svd_rooms(hero: Op) -> dict[str, list[Room]]:
    _, columns, rows = hero.operands[0].type.shape
    kind, vectors = kind_of(hero.operands[0].type), hero.attr("vectors")
    job = _lapack().svd_job(hero.attr("full"), vectors)
    sides = svd_sides(hero)
    before = (job, rows, columns, None, rows, None, None, sides[0], None, sides[1])
    fixed = [Room("i", 8 * min(rows, columns), given=False)]
    if kind.isupper():
        count = _lapack().svd_numbers(rows, columns, vectors)
        fixed.insert(0, Room(real_kind(kind), count, given=False))
    return {"gesdd": _wanted("gesdd", kind, before, len(fixed)) + fixed}


def svd_sides(hero: Op) -> tuple[int, int]:
    """How far apart the columns of U and V^H are."""
    if not hero.attr("vectors"):
        return 1, 1
    return hero.results[1].type.shape[2], hero.results[2].type.shape[2]


_ROOMS: dict[str, Callable[[Op], dict[str, list[Room]]]] = {
    "least_squares": _least_squares_rooms,
    "qr": _qr_rooms,
    "eigh": _eigh_rooms,
    "svd": _svd_rooms,
}


def work_of(hero: Op) -> dict[str, int]:
    """Bytes by name of what a chunk needs for itself while it does one matrix: what routines
    overwrite and nobody takes, and the largest of their work arrays."""
    a = hero.operands[0].type if hero.operands else None
    assert a is not None
    size, matrix = dtypes.by_short(a.dtype).size, a.shape[1] * a.shape[2]
    found: dict[str, int] = {}
    name = hero.defn.name
    if name == "solve":
        found = {"copy": matrix * size, "exchanges": 4 * a.shape[1]}
    elif name == "tridiagonal_solve":
        found = {"copy": matrix * size}
    elif name == "least_squares":
        sides = hero.operands[1].type.shape[1] * max(a.shape[1:])
        found = {"copy": matrix * size, "sides": sides * size, "order": 4 * a.shape[1], "rank": 4}
    elif name == "qr":
        found = {"scales": min(a.shape[1:]) * size}
    elif name == "svd" or (name == "eigh" and not hero.attr("vectors")):
        found = {"copy": matrix * size}
    arrays = [[room.nbytes for room in rooms] for rooms in rooms_of(hero).values()]
    for sizes in arrays:
        for number, nbytes in enumerate(sizes):
            key = f"room{number}"
            found[key] = max(found.get(key, 0), nbytes)
    return found


def hero_of(kernel: Op) -> Op:
    """The factorisation of a kernel."""
    return next(op for op in kernel.regions[0].ops if op.defn.name == kernel.attr("hero"))


def places_of(kernel: Op) -> dict[str, int]:
    """Where in its part of scratch a chunk has what `work_of` names, and one matrix of each result
    that the kernel does not write; under "" how large the part is."""
    hero, taken, at = hero_of(kernel), set(kernel.regions[0].results), 0
    if is_small(hero):
        return {"": 0}
    needs = work_of(hero)
    for number, result in enumerate(hero.results):
        if result not in taken:
            needs[f"result{number}"] = result.type.nbytes // max(result.type.shape[0], 1)
    found: dict[str, int] = {}
    for name, nbytes in needs.items():
        found[name] = at
        at += -(-nbytes // LINE) * LINE
    return {**found, "": at}


def factor_scratch(kernel: Op) -> int:
    """Bytes of scratch of the kernel of a factorisation."""
    return places_of(kernel)[""] * int(kernel.kwargs.get("chunks", 1))


# Estimated nanoseconds of one matrix: the calls, and operations of multiplication and addition at
# the speed of matrices of some tens of rows.
NS_CALL, NS_OPERATION = 200.0, 0.1
NS_SMALL = 0.3  # an operation on elements in registers
_OPERATIONS = {
    "cholesky": 0.33, "lu": 0.67, "qr": 3.0, "least_squares": 3.0, "eigh": 12.0, "svd": 20.0
}  # of n^3  # fmt: skip
_TRIDIAGONAL = 50.0  # of n, for each side: most of it divisions that wait for each other


def factor_ns(hero: Op) -> float:
    """About how long a factorisation takes on one core."""
    shape = hero.operands[-1].type.shape
    count, n = shape[0], max(hero.operands[0].type.shape[1:])
    if is_small(hero):
        return float(count * NS_SMALL * n * (n * n + prod(shape[1:])))
    if hero.defn.name == "tridiagonal_solve":
        work = _TRIDIAGONAL * prod(shape[1:])
    elif "solve" in hero.defn.name:
        lu_part = 0.67 * n**3 if hero.defn.name == "solve" else 0.0
        work = lu_part + 2.0 * n * prod(shape[1:])
    else:
        work = _OPERATIONS[hero.defn.name] * n * prod(shape[1:])
    return float(count * (NS_CALL + NS_OPERATION * work))
