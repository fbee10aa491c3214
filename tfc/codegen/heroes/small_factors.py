"""Factorisations of matrices with few rows: all elements of a matrix in registers, no calls.

Of a stack of many, a packet is one element of neighbouring matrices; else packets lie along the
columns of right sides. Rows are exchanged by selection, so no step depends on the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tfc.base import dtypes
from tfc.codegen.emitter import parts, with_parts
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet

Elements = dict[tuple[int, int], Packet]
Swaps = list[tuple[int, int, Packet]]  # rows k and i, and where they are exchanged, in order


class Small:
    """One factorisation while its text is written, of the matrices `at` of the stacks."""

    def __init__(self, k: Kernel, at: Index, wide: int):
        self.k, self.e, self.op, self.at = k, k.e, k.hero, at
        self.across = k.e.lanes > 1  # packets are of neighbouring matrices
        self.wide = wide  # lanes of packets of columns, where they are not
        a = self.op.operands[0].type
        self.n: int = a.shape[1]
        self.dtype: str = a.dtype
        self.real: str = dtypes.REAL_PART.get(a.dtype, a.dtype)
        self.complex = a.dtype in dtypes.COMPLEX

    # -- memory ---------------------------------------------------------------------------------
    def load(self, position: int, row: Index | int, column: Index | int) -> Packet:
        """An element of an operand; a stack of one stands for all."""
        value = self.op.operands[position]
        at = Index(0) if value.type.shape[0] == 1 else self.at
        return self.e.load(self.e.buffers[value], (at, row, column))

    def matrix(self) -> Elements:
        """All elements of the first operand."""
        sides = range(self.n)
        return {(i, j): self.load(0, i, j) for i in sides for j in sides}

    def store(self, position: int, index: tuple[Index | int, ...], packet: Packet) -> None:
        """Write an element of a result, if the kernel writes that."""
        value = self.op.results[position]
        for buffer, stored in zip(self.k.results, self.k.region.results, strict=True):
            if stored is value:
                self.e.store(buffer, (self.at, *index), packet)

    # -- numbers --------------------------------------------------------------------------------
    def minus(self, a: Packet, b: Packet, c: Packet) -> Packet:
        """a - b c."""
        return self.e.binary("sub", a, self.e.binary("mul", b, c))

    def conj(self, x: Packet) -> Packet:
        return self.e.unary("conj", x) if self.complex else x

    def magnitude(self, x: Packet) -> Packet:
        """|re| + |im|."""
        if not self.complex:
            return self.e.unary("abs", x)
        parts = (self.e.unary("abs", self.e.unary(part, x)) for part in ("real", "imag"))
        return self.e.binary("add", *parts)

    def is_above_zero(self, x: Packet) -> Packet:
        size = self.magnitude(x)
        return self.e.compare("gt", size, self.e.const(size.dtype, 0))

    def both(self, a: Packet, b: Packet) -> Packet:
        return self.e.binary("and", a, b)

    def spread(self, x: Packet) -> Packet:
        """A number for all lanes of packets that are wider."""
        lanes = self.e.lanes
        if x.lanes == lanes:
            return x
        return with_parts(x, [self.e.text.splat(part, lanes) for part in parts(x)])

    # -- steps ----------------------------------------------------------------------------------
    def swapped(self, swaps: Swaps, x: Callable[[int], Packet], put: Callable[..., None]) -> None:
        """Exchange rows, of which x(i) gives and put(i, packet) takes one element."""
        for k, i, where in swaps:
            above, below = x(k), x(i)
            put(k, self.e.select(where, below, above))
            put(i, self.e.select(where, above, below))

    def lu(self) -> tuple[Elements, list[Packet], Swaps]:
        """(factors, the row that each was exchanged with, the exchanges)."""
        e, n, a = self.e, self.n, self.matrix()
        places: list[Packet] = []
        swaps: Swaps = []
        for k in range(n):
            best, place = self.magnitude(a[k, k]), e.const("i32", k)
            for i in range(k + 1, n):
                size = self.magnitude(a[i, k])
                more = e.compare("gt", size, best)
                place = e.select(more, e.const("i32", i), place)
                best = e.select(more, size, best)
            places.append(place)
            here = [(k, i, e.compare("eq", place, e.const("i32", i))) for i in range(k + 1, n)]
            for j in range(n):
                self.swapped(here, lambda i: a[i, j], lambda i, x: a.update({(i, j): x}))  # noqa: B023
            swaps += here
            zero, one = e.const(self.dtype, 0), e.const(self.dtype, 1)
            pivot = e.select(e.compare("eq", a[k, k], zero), one, a[k, k])
            for i in range(k + 1, n):
                a[i, k] = e.binary("div", a[i, k], pivot)
                for j in range(k + 1, n):
                    a[i, j] = self.minus(a[i, j], a[i, k], a[k, j])
        return a, places, swaps

    def substitute(self, t: Elements, x: list[Packet], lower: bool, ones: bool) -> None:
        """Solve T y = x in place for a triangle of `t`, whose diagonal may be `ones`."""
        rows = range(self.n)
        for i in rows if lower else reversed(rows):
            for j in range(i) if lower else reversed(rows[i + 1 :]):
                x[i] = self.minus(x[i], t[i, j], x[j])
            if not ones:
                x[i] = self.e.binary("div", x[i], t[i, i])

    def adjoint(self, a: Elements) -> Elements:
        return {(j, i): self.conj(x) for (i, j), x in a.items()}

    def columns(self, body: Callable[[Index], None]) -> None:
        """body(column) for the columns of the right sides."""
        width = self.op.operands[1].type.shape[2]
        if not self.across:
            self.k.for_packets(width, body)
        elif width:
            with self.e.text.loop(0, width) as loop:
                body(self.e.loop_axis(loop, width))

    @contextmanager
    def along_columns(self) -> Iterator[None]:
        """Packets inside lie along the columns of right sides, if not across matrices."""
        width, lanes = self.op.operands[1].type.shape[2], self.wide
        while lanes > max(width, 1):
            lanes //= 2
        with self.e.with_lanes(self.e.lanes if self.across else lanes):
            yield


def _cholesky(s: Small) -> None:
    e, a = s.e, s.matrix()
    ok = e.const("i1", True)
    zero = e.const(s.real, 0)
    for j in range(s.n):
        rest = e.unary("real", a[j, j]) if s.complex else a[j, j]
        for k in range(j):
            rest = e.binary("sub", rest, square(s, a[j, k]))
        ok = s.both(ok, e.compare("gt", rest, zero))
        root = e.unary("sqrt", rest)
        a[j, j] = e.convert(root, s.dtype)
        for i in range(j + 1, s.n):
            x = a[i, j]
            for k in range(j):
                x = s.minus(x, a[i, k], s.conj(a[j, k]))
            a[i, j] = divided(s, x, root)
    for i in range(s.n):
        for j in range(s.n):
            s.store(0, (i, j), a[i, j] if j <= i else e.const(s.dtype, 0))
    s.store(1, (), ok)


def square(s: Small, x: Packet) -> Packet:
    """|x|^2."""
    e = s.e
    if not s.complex:
        return e.binary("mul", x, x)
    re, im = e.unary("real", x), e.unary("imag", x)
    return e.binary("add", e.binary("mul", re, re), e.binary("mul", im, im))


def divided(s: Small, x: Packet, by: Packet) -> Packet:
    """`x` divided by a real number."""
    e = s.e
    if not s.complex:
        return e.binary("div", x, by)
    parts = (e.binary("div", e.unary(part, x), by) for part in ("real", "imag"))
    return e.binary("complex", *parts)


def _lu(s: Small) -> None:
    factors, places, swaps = s.lu()
    for (i, j), x in factors.items():
        s.store(0, (i, j), x)
    for k, place in enumerate(places):
        s.store(1, (k,), s.e.binary("add", place, s.e.const("i32", 1)))
    order = [s.e.const("i32", k) for k in range(s.n)]
    s.swapped(swaps, order.__getitem__, order.__setitem__)
    for k, row in enumerate(order):
        s.store(2, (k,), row)


def _solve(s: Small) -> None:
    factors, _, swaps = s.lu()
    ok = s.e.const("i1", True)
    for k in range(s.n):
        ok = s.both(ok, s.is_above_zero(factors[k, k]))
    s.store(1, (), ok)
    adjoint = s.op.attr("adjoint")
    if adjoint:
        factors, swaps = s.adjoint(factors), swaps[::-1]

    def column(c: Index) -> None:
        x = [s.load(1, i, c) for i in range(s.n)]
        if adjoint:
            s.substitute(t, x, lower=True, ones=False)
            s.substitute(t, x, lower=False, ones=True)
        s.swapped(moves, x.__getitem__, x.__setitem__)
        if not adjoint:
            s.substitute(t, x, lower=True, ones=True)
            s.substitute(t, x, lower=False, ones=False)
        for i, found in enumerate(x):
            s.store(0, (i, c), found)

    with s.along_columns():
        t = {at: s.spread(x) for at, x in factors.items()}
        moves = [(k, i, s.spread(where)) for k, i, where in swaps]
        s.columns(column)


def _triangular(s: Small) -> None:
    lower: bool = s.op.attr("lower")
    sides = range(s.n)
    kept = [(i, j) for i in sides for j in sides if (j <= i if lower else j >= i)]
    t = {(i, j): s.load(0, i, j) for i, j in kept}
    if s.op.attr("adjoint"):
        t, lower = s.adjoint(t), not lower
    with s.along_columns():
        t = {at: s.spread(x) for at, x in t.items()}

        def column(c: Index) -> None:
            x = [s.load(1, i, c) for i in sides]
            s.substitute(t, x, lower, ones=False)
            for i, found in enumerate(x):
                s.store(0, (i, c), found)

        s.columns(column)


WRITERS: dict[str, Callable[[Small], None]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "solve": _solve,
    "triangular_solve": _triangular,
}


def write(k: Kernel) -> None:
    """The whole kernel; chunks are ranges of matrices."""
    one = WRITERS[k.hero.defn.name]
    each_matrix(k, lambda at, lanes: one(Small(k, at, lanes)))


def each_matrix(k: Kernel, body: Callable[[Index, int], None]) -> None:
    """body(matrices, lanes of packets of columns), in packets of matrices where there are many."""
    e, count, lanes = k.e, k.hero.results[0].type.shape[0], k.e.lanes
    if not count:
        return
    if 2 * count >= lanes > 1:
        k.for_packets(count, lambda at: body(at, lanes), *k.chunk_range(count, lanes))
        return
    with e.with_lanes(1), k.t.loop(*k.chunk_range(count)) as loop:
        body(e.loop_axis(loop, count), lanes)
