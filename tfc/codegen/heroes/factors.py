"""Factorisations: calls of LAPACK, matrix by matrix, with addresses that step through the stacks.

Routines are called by name; who loads the machine code knows their addresses. They overwrite what
they are given: a copy of the operand in the result, or in scratch where the result is another. All
arguments are addresses: those of numbers and letters, of constants of the module. A routine says in
an integer whether it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfc.base import dtypes
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import MEMORY
from tfc.codegen.values import V, const, i64
from tfc.ir.core import Value
from tfc.prims.factorization import Room, kind_of, places_of, real_kind, rooms_of, svd_sides
from tfc.runtime import lapack

Argument = V | int | bytes


class Factors:
    """One factorisation while its text is written: the matrix at `number` of the stacks."""

    def __init__(self, k: Kernel, number: V):
        self.k, self.t, self.op, self.number = k, k.t, k.hero, number
        a = self.op.operands[0].type
        self.kind, self.complex = kind_of(a), a.dtype in dtypes.COMPLEX
        self.element: str = MEMORY[dtypes.REAL_PART.get(a.dtype, a.dtype)]
        self.count, self.columns, self.rows = a.shape
        self.each: int = a.nbytes // max(self.count, 1)  # bytes of a matrix
        self.places = places_of(k.op)
        self.info = self.t.alloca("i32", 4)

    # -- places ---------------------------------------------------------------------------------
    def own(self, name: str) -> V:
        """What the chunk that [lo, hi) begins with has in scratch."""
        t = self.t
        part = t.gep(self.k.scratch, t.mul(self.k.lo, self.places[""]), "i8")
        return t.gep(part, self.places[name], "i8")

    def operand(self, position: int = 0) -> V:
        """The matrix of an operand; of a stack of one, that."""
        value = self.op.operands[position]
        return self._matrix(self.k.e.buffers[value].ptr, value)

    def result(self, position: int) -> V:
        """The place of a result's part for the matrix."""
        value = self.op.results[position]
        for buffer, stored in zip(self.k.results, self.k.region.results, strict=True):
            if stored is value:
                return self._matrix(buffer.ptr, value)
        return self.own(f"result{position}")

    def _matrix(self, pointer: V, value: Value) -> V:
        count = value.type.shape[0]
        if count == 1:
            return pointer
        return self.t.gep(pointer, self.t.mul(self.number, value.type.nbytes // count), "i8")

    def copied(self, target: V, position: int = 0) -> V:
        """The matrix of an operand, copied to `target`, which is given back."""
        type = self.op.operands[position].type
        size = i64(type.nbytes // max(type.shape[0], 1))
        source = self.operand(position)
        self.t.call("void", "llvm.memcpy.p0.p0.i64", target, source, size, V("false", "i1"))
        return target

    # -- calls ----------------------------------------------------------------------------------
    def constant(self, value: int | bytes) -> V:
        """The address of a number or a letter."""
        text = f"i32 {value}" if isinstance(value, int) else f"i8 {value[0]}"
        return self.global_(text)

    def global_(self, text: str) -> V:
        """The address of a constant."""
        t, line = self.t, f"private constant {text}, align 16"
        for known in t.globals:
            name, _, rest = known.partition(" = ")
            if rest == line:
                return V(name, "ptr")
        name = f"@KERNEL.{len(t.globals)}"
        t.globals.append(f"{name} = {line}")
        return V(name, "ptr")

    def call(self, routine: str, *arguments: Argument, tells: bool = True) -> None:
        """Call a routine; `info` holds what it tells, if it does."""
        passed = [x if isinstance(x, V) else self.constant(x) for x in arguments]
        letters = sum(isinstance(x, bytes) for x in arguments)
        name = lapack.symbol(routine, self.kind)
        self.t.foreign.add(name)
        told = [self.info] if tells else []
        self.t.call("void", name, *passed, *told, *[i64(1)] * letters)

    def rooms(self, rooms: Sequence[Room]) -> list[Argument]:
        """The work arrays of a routine as it takes them."""
        listed: list[Argument] = []
        for number, room in enumerate(rooms):
            listed.append(self.own(f"room{number}"))
            if room.given:
                listed.append(room.count)
        return listed

    def worked(self) -> V:
        """Whether the last routine told of no failure."""
        return self.t.cmp("eq", self.t.load("i32", self.info, 4), V("0", "i32"))

    # -- elements -------------------------------------------------------------------------------
    def real(self, pointer: V, at: V, part: int = 0) -> V:
        """The real or imaginary part of an element."""
        t = self.t
        place = t.add(t.mul(at, 2), i64(part)) if self.complex else at
        address = t.gep(pointer, place, self.element)
        return t.load(self.element, address, 4 if self.element == "float" else 8)

    def diagonal(self, pointer: V, good: Callable[[V], V], start: V) -> V:
        """`start`, and whether good(place) holds for all elements of the diagonal."""
        t, n = self.t, self.columns
        if not n:
            return start
        with t.loop(0, n, carried=(start,)) as loop:
            ok = good(t.mul(loop.index, n + 1))
            loop.next((t.op("and", loop.carried[0], ok),))
        return loop.results[0]

    def finite(self, pointer: V, lower: bool) -> V:
        """Whether all elements of a matrix by columns are, or those of its lower triangle."""
        t = self.t
        with t.loop(0, self.columns, carried=(const("i1", True),)) as columns:
            first = columns.index if lower else i64(0)
            base = t.mul(columns.index, self.rows)
            with t.loop(first, i64(self.rows), carried=columns.carried) as rows:
                fine = rows.carried[0]
                for part in range(2 if self.complex else 1):
                    x = self.real(pointer, t.add(base, rows.index), part)
                    none = t.cmp("oeq", t.op("fsub", x, x), const(x.type, 0.0))
                    fine = t.op("and", fine, none)
                rows.next((fine,))
            columns.next(rows.results)
        return columns.results[0]

    def not_numbers(self, position: int) -> None:
        """Fill the matrix's part of a result with NaN."""
        t, type = self.t, self.op.results[position].type
        parts = 2 if type.dtype in dtypes.COMPLEX else 1  # the imaginary ones are zero
        pointer, align = self.result(position), 4 if self.element == "float" else 8
        if not type.size:
            return
        with t.loop(0, type.size // self.count) as loop:
            for part in range(parts):
                at = t.add(t.mul(loop.index, parts), i64(part))
                value = const(self.element, 0.0 if part else float("nan"))
                t.store(value, t.gep(pointer, at, self.element), align)

    def tell(self, ok: V) -> None:
        """Write whether there is such a factorisation, the last result."""
        place = self.result(len(self.op.results) - 1)
        self.t.store(self.t.cast("zext", ok, "i8"), place, 1)


def _cholesky(f: Factors) -> None:
    t, n = f.t, f.columns
    if not n:
        f.tell(const("i1", True))
        return
    factor = f.copied(f.result(0))
    f.call("potrf", b"U", n, factor, n)
    zero = const(f.element, 0.0)
    f.tell(f.diagonal(factor, lambda at: t.cmp("ogt", f.real(factor, at), zero), f.worked()))
    if n == 1:
        return
    size = f.each // (n * n)
    with t.loop(0, n - 1) as rows:  # what stands above the diagonal
        after = t.gep(factor, t.add(t.mul(t.mul(rows.index, n + 1), size), i64(size)), "i8")
        rest = t.mul(t.op("sub", i64(n - 1), rows.index), size)
        t.call("void", "llvm.memset.p0.i64", after, V("0", "i8"), rest, V("false", "i1"))


def _lu(f: Factors) -> None:
    t, n = f.t, f.columns
    if not n:
        return
    exchanges = f.result(1)
    f.call("getrf", n, n, f.copied(f.result(0)), n, exchanges)
    if f.op.results[2] not in f.k.region.results:
        return
    order = f.result(2)

    def at(number: V) -> V:
        return t.gep(order, number, "i32")

    with t.loop(0, n) as rows:
        t.store(t.cast("trunc", rows.index, "i32"), at(rows.index), 4)
    with t.loop(0, n) as rows:
        exchange = t.load("i32", t.gep(exchanges, rows.index, "i32"), 4)
        other = t.add(t.cast("sext", exchange, "i64"), i64(-1))
        one, two = (t.load("i32", at(number), 4) for number in (rows.index, other))
        t.store(two, at(rows.index), 4)
        t.store(one, at(other), 4)


def _solve(f: Factors) -> None:
    t, n, ok = f.t, f.columns, const("i1", True)
    if n:
        factors, exchanges = f.copied(f.own("copy")), f.own("exchanges")
        f.call("getrf", n, n, factors, n, exchanges)
        zero = const(f.element, 0.0)
        ok = f.diagonal(factors, lambda at: t.cmp("ogt", _magnitude(f, factors, at), zero), ok)
        width = f.op.operands[1].type.shape[1]
        if width:
            x = f.copied(f.result(0), 1)
            f.call("getrs", _turn(f), n, width, factors, n, exchanges, x, n)
    f.tell(ok)


def _magnitude(f: Factors, pointer: V, at: V) -> V:
    """|re| + |im|: not above zero for zeros and NaN."""
    size = f.t.intrinsic("fabs", f.real(pointer, at))
    if not f.complex:
        return size
    return f.t.op("fadd", size, f.t.intrinsic("fabs", f.real(pointer, at, 1)))


def _turn(f: Factors) -> bytes:
    if not f.op.attr("adjoint"):
        return b"N"
    return b"C" if f.complex else b"T"


def _triangular(f: Factors) -> None:
    n, width = f.op.operands[1].type.shape[1:]
    if not n or not width:
        return
    x = f.copied(f.result(0), 1)
    one = f.global_(f"[2 x {f.element}] [{f.element} 1.0, {f.element} 0.0]")
    side = b"U" if f.op.attr("lower") else b"L"
    matrix = f.operand(0)
    f.call(
        "trsm", b"R", side, _turn(f), b"N", width, n, one, matrix, n, x, width, tells=False
    )  # fmt: skip


def _tridiagonal(f: Factors) -> None:
    t, (width, n) = f.t, f.op.operands[1].type.shape[1:]
    if not (n and width):
        f.tell(const("i1", True))
        return
    x, above = f.copied(f.result(0), 1), f.copied(f.own("copy"))
    size = f.each // (3 * n)
    main, below = (t.gep(above, number * size, "i8") for number in (n, 2 * n + 1))
    f.call("gtsv", n, width, below, main, above, x, n)
    f.tell(f.worked())


def _least_squares(f: Factors) -> None:
    t, rows, columns, no = f.t, f.rows, f.columns, V("false", "i1")
    width = f.op.operands[1].type.shape[1]
    size, longer = f.each // (rows * columns), max(rows, columns)

    def move(target: V, step: int, source: V, other: int, count: int) -> None:
        """`count` elements of each side, from one stride to another."""
        with t.loop(0, width) as sides:
            to = t.gep(target, t.mul(sides.index, step * size), "i8")
            taken = t.gep(source, t.mul(sides.index, other * size), "i8")
            t.call("void", "llvm.memcpy.p0.p0.i64", to, taken, i64(count * size), no)

    sides, order = f.own("sides"), f.own("order")
    for room, nbytes in ((sides, longer * width * size), (order, 4 * columns)):
        t.call("void", "llvm.memset.p0.i64", room, V("0", "i8"), i64(nbytes), no)
    move(sides, longer, f.operand(1), rows, rows)
    least = lapack.least_pivot(rows, columns, np.dtype(real_kind(f.kind)))
    limit = f.global_(f"{f.element} {const(f.element, least).ref}")
    work = f.copied(f.own("copy"))
    ((name, rooms),) = rooms_of(f.op).items()
    f.call(
        name, rows, columns, width, work, rows, sides, longer, order, limit, f.own("rank"),
        *f.rooms(rooms),
    )  # fmt: skip
    move(f.result(0), columns, sides, longer, columns)


def _qr(f: Factors) -> None:
    t, rows, columns, width = f.t, f.rows, f.columns, f.op.attr("width")
    least, scales = min(rows, columns), f.own("scales")
    (first, first_rooms), (second, second_rooms) = rooms_of(f.op).items()
    work = f.copied(f.result(1))
    f.call(first, rows, columns, work, rows, scales, *f.rooms(first_rooms))
    q, no = f.result(0), V("false", "i1")
    size = f.each // (rows * columns)
    t.call("void", "llvm.memcpy.p0.p0.i64", q, work, i64(least * rows * size), no)
    if width > least:
        rest = t.gep(q, least * rows * size, "i8")
        nbytes = i64((width - least) * rows * size)
        t.call("void", "llvm.memset.p0.i64", rest, V("0", "i8"), nbytes, no)
    f.call(second, rows, width, least, q, rows, scales, *f.rooms(second_rooms))


def _where_finite(f: Factors, lower: bool, found: Callable[[], None], else_ok: bool) -> None:
    """`found()` where the matrix is finite; elsewhere NaN, and `else_ok` as the last result."""
    t = f.t
    fine = f.finite(f.operand(), lower)
    with t.when(fine):
        found()
    with t.when(t.op("xor", fine, const("i1", True))):
        for position in range(len(f.op.results) - 1):
            f.not_numbers(position)
        f.tell(const("i1", else_ok))


def _eigh(f: Factors) -> None:
    vectors, n = f.op.attr("vectors"), f.columns

    def found() -> None:
        work = f.copied(f.result(1) if vectors else f.own("copy"))
        ((name, rooms),) = rooms_of(f.op).items()
        job = b"V" if vectors else b"N"
        f.call(name, job, b"L", n, work, n, f.result(0), *f.rooms(rooms))
        f.tell(f.worked())

    _where_finite(f, True, found, False)


def _svd(f: Factors) -> None:
    vectors = f.op.attr("vectors")

    def found() -> None:
        work = f.copied(f.own("copy"))
        u, vh = (f.result(1), f.result(2)) if vectors else (work, work)
        ((name, rooms),) = rooms_of(f.op).items()
        sides = svd_sides(f.op)
        job = lapack.svd_job(f.op.attr("full"), vectors)
        f.call(
            name, job, f.rows, f.columns, work, f.rows, f.result(0), u, sides[0], vh, sides[1],
            *f.rooms(rooms),
        )  # fmt: skip
        f.tell(f.worked())

    _where_finite(f, False, found, True)


WRITERS: dict[str, Callable[[Factors], None]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "solve": _solve,
    "triangular_solve": _triangular,
    "tridiagonal_solve": _tridiagonal,
    "least_squares": _least_squares,
    "qr": _qr,
    "eigh": _eigh,
    "svd": _svd,
}


def write(k: Kernel) -> None:
    """The whole kernel; chunks are ranges of matrices."""
    count = k.hero.results[0].type.shape[0]
    if not count:
        return
    with k.t.loop(*k.chunk_range(count)) as loop:
        WRITERS[k.hero.defn.name](Factors(k, loop.index))
