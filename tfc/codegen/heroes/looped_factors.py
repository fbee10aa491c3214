"""Factorisations of matrices with some rows more than registers hold: the steps of
`small_factors.py`, in the same order, as loops over a matrix in memory of the function.

What lies there is one packet for each element: of neighbouring matrices of a stack of many, else a
number. Right sides, in packets of columns then, have memory of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tfc.base.dtypes import by_short
from tfc.codegen.emitter import Buffer, parts, with_parts
from tfc.codegen.heroes.small_factors import Small, divided, each_matrix, square
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet
from tfc.codegen.values import V, i64
from tfc.ir.core import Type

Get = Callable[[Index, Index], Packet]


class Work:
    """Memory of the function for `count` packets."""

    def __init__(self, s: Small, dtype: str, count: int):
        self.e, lanes = s.e, s.e.lanes
        nbytes = count * lanes * by_short(dtype).size
        pointer = s.e.text.alloca(f"[{nbytes} x i8]")
        self.lanes, self.buffer = lanes, Buffer(pointer, Type(dtype, (count, lanes)))

    def _at(self, index: Index) -> tuple[Index, Index]:
        return index, self.e.axis(0, 0, self.lanes - 1, packet=True)

    def get(self, index: Index) -> Packet:
        with self.e.with_lanes(self.lanes):
            return self.e.load(self.buffer, self._at(index))

    def put(self, index: Index, packet: Packet) -> None:
        with self.e.with_lanes(self.lanes):
            self.e.store(self.buffer, self._at(index), packet)


class Looped(Small):
    """One factorisation, its first operand copied to memory of the function."""

    def __init__(self, k: Kernel, at: Index, wide: int):
        super().__init__(k, at, wide)
        self.work = Work(self, self.dtype, self.n * self.n)

    # -- loops ----------------------------------------------------------------------------------
    @contextmanager
    def rows(self, lo: Index | int = 0, hi: Index | int | None = None) -> Iterator[Index]:
        """For each row from lo to hi."""
        with self.e.text.loop(self._bound(lo), self._bound(self.n if hi is None else hi)) as loop:
            yield self.e.axis(loop.index, 0, self.n - 1)

    def reduced(
        self, start: list[Packet], lo: Index | int, hi: Index | int, step: Callable[..., list]
    ) -> list[Packet]:
        """The packets after `step(row, packets)` for each row from lo to hi."""
        carried = [v for packet in start for v in parts(packet)]
        with self.e.text.loop(self._bound(lo), self._bound(hi), carried=carried) as loop:
            row = self.e.axis(loop.index, 0, self.n - 1)
            after = step(row, self._packets(start, loop.carried))
            loop.next([v for packet in after for v in parts(packet)])
        return self._packets(start, loop.results)

    def _bound(self, x: Index | int) -> V:
        return i64(x) if isinstance(x, int) else self.e.scalar(x)

    def _packets(self, like: list[Packet], values: list[V]) -> list[Packet]:
        given, made = iter(values), []
        for packet in like:
            made.append(with_parts(packet, [next(given) for _ in parts(packet)]))
        return made

    # -- elements -------------------------------------------------------------------------------
    def get(self, i: Index, j: Index) -> Packet:
        return self.work.get(i * self.n + j)

    def put(self, i: Index, j: Index, x: Packet) -> None:
        self.work.put(i * self.n + j, x)

    def get_adjoint(self, i: Index, j: Index) -> Packet:
        return self.conj(self.get(j, i))

    def copy(self) -> None:
        """The first operand, to be worked on."""
        with self.rows() as i, self.rows() as j:
            self.put(i, j, self.load(0, i, j))

    def number(self, row: Index) -> Packet:
        """A row's number in all lanes."""
        return self.e.packet_from(row, "i32")

    # -- steps ----------------------------------------------------------------------------------
    def looped_lu(self) -> tuple[Work, Work]:
        """(the row that each was exchanged with, their order); the factors are in `work`."""
        e = self.e
        places, order = Work(self, "i32", self.n), Work(self, "i32", self.n)
        self.copy()
        with self.rows() as i:
            order.put(i, self.number(i))
        with self.rows() as k:

            def search(i: Index, known: list[Packet]) -> list[Packet]:
                best, place = known
                size = self.magnitude(self.get(i, k))
                more = e.compare("gt", size, best)
                return [e.select(more, size, best), e.select(more, self.number(i), place)]

            start = [self.magnitude(self.get(k, k)), self.number(k)]
            _, place = self.reduced(start, k + 1, self.n, search)
            places.put(k, place)
            with self.rows(k + 1) as i:
                self.exchange(k, i, e.compare("eq", place, self.number(i)), order)
            zero, one = e.const(self.dtype, 0), e.const(self.dtype, 1)
            diagonal = self.get(k, k)
            pivot = e.select(e.compare("eq", diagonal, zero), one, diagonal)
            with self.rows(k + 1) as i:
                factor = e.binary("div", self.get(i, k), pivot)
                self.put(i, k, factor)
                with self.rows(k + 1) as j:
                    self.put(i, j, self.minus(self.get(i, j), factor, self.get(k, j)))
        return places, order

    def exchange(self, k: Index, i: Index, where: Packet, order: Work) -> None:
        """Exchange rows k and i where that is so."""

        def swap(get: Callable[[Index], Packet], put: Callable[[Index, Packet], None]) -> None:
            above, below = get(k), get(i)
            put(k, self.e.select(where, below, above))
            put(i, self.e.select(where, above, below))

        with self._if_any(where):
            swap(order.get, order.put)
            with self.rows() as j:
                swap(lambda row: self.get(row, j), lambda row, x: self.put(row, j, x))

    @contextmanager
    def _if_any(self, where: Packet) -> Iterator[None]:
        """Of a single matrix, only where it holds."""
        if self.e.lanes > 1:
            yield
            return
        with self.e.text.when(where.value):
            yield

    def solve_with(self, t: Get, x: Work, lower: bool, ones: bool) -> None:
        """Solve T y = x in place for a triangle, whose diagonal may be `ones`."""
        last = self.n - 1
        with self.rows() as step:
            i = step if lower else last - step

            def term(turn: Index, known: list[Packet]) -> list[Packet]:
                j = turn if lower else last - turn
                return [self.minus(known[0], self.wide_of(t, i, j), x.get(j))]

            (rest,) = self.reduced([x.get(i)], 0, step, term)
            x.put(i, rest if ones else self.e.binary("div", rest, self.wide_of(t, i, i)))

    def wide_of(self, t: Get, i: Index, j: Index) -> Packet:
        """An element of a triangle, for all lanes of the right sides."""
        with self.e.with_lanes(self.work.lanes):
            found = t(i, j)
        return self.spread(found)

    def is_regular(self) -> Packet:
        """Whether no pivot is zero."""

        def test(k: Index, known: list[Packet]) -> list[Packet]:
            return [self.both(known[0], self.is_above_zero(self.get(k, k)))]

        (ok,) = self.reduced([self.e.const("i1", True)], 0, self.n, test)
        return ok


def _cholesky(s: Looped) -> None:
    e, n = s.e, s.n
    s.copy()

    def column(j: Index, known: list[Packet]) -> list[Packet]:
        first = s.get(j, j)
        start = [e.unary("real", first) if s.complex else first]
        (rest,) = s.reduced(
            start, 0, j, lambda k, x: [e.binary("sub", x[0], square(s, s.get(j, k)))]
        )
        root = e.unary("sqrt", rest)
        s.put(j, j, e.convert(root, s.dtype))
        with s.rows(j + 1) as i:
            (x,) = s.reduced(
                [s.get(i, j)], 0, j,
                lambda k, x: [s.minus(x[0], s.get(i, k), s.conj(s.get(j, k)))],
            )  # fmt: skip
            s.put(i, j, divided(s, x, root))
        return [s.both(known[0], e.compare("gt", rest, e.const(s.real, 0)))]

    (ok,) = s.reduced([e.const("i1", True)], 0, n, column)
    with s.rows() as i:
        with s.rows(0, i + 1) as j:
            s.store(0, (i, j), s.get(i, j))
        with s.rows(i + 1) as j:
            s.store(0, (i, j), e.const(s.dtype, 0))
    s.store(1, (), ok)


def _lu(s: Looped) -> None:
    places, order = s.looped_lu()
    with s.rows() as i:
        s.store(1, (i,), s.e.binary("add", places.get(i), s.e.const("i32", 1)))
        s.store(2, (i,), order.get(i))
        with s.rows() as j:
            s.store(0, (i, j), s.get(i, j))


def _solve(s: Looped) -> None:
    _, order = s.looped_lu()
    s.store(1, (), s.is_regular())
    adjoint = s.op.attr("adjoint")

    def row_of(i: Index) -> Index:
        """The row that came to be row i."""
        with s.e.with_lanes(order.lanes):
            return s.e.index_from(order.get(i))

    def column(c: Index) -> None:
        with s.rows() as i:
            x.put(i, s.load(1, i if adjoint else row_of(i), c))
        if adjoint:
            s.solve_with(s.get_adjoint, x, lower=True, ones=False)
            s.solve_with(s.get_adjoint, x, lower=False, ones=True)
        else:
            s.solve_with(s.get, x, lower=True, ones=True)
            s.solve_with(s.get, x, lower=False, ones=False)
        with s.rows() as i:
            s.store(0, (row_of(i) if adjoint else i, c), x.get(i))

    with s.along_columns():
        x = Work(s, s.dtype, s.n)
        s.columns(column)


def _triangular(s: Looped) -> None:
    s.copy()
    lower, adjoint = s.op.attr("lower"), s.op.attr("adjoint")
    t = s.get_adjoint if adjoint else s.get

    def column(c: Index) -> None:
        with s.rows() as i:
            x.put(i, s.load(1, i, c))
        s.solve_with(t, x, lower != adjoint, ones=False)
        with s.rows() as i:
            s.store(0, (i, c), x.get(i))

    with s.along_columns():
        x = Work(s, s.dtype, s.n)
        s.columns(column)


WRITERS: dict[str, Callable[[Looped], None]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "solve": _solve,
    "triangular_solve": _triangular,
}


def write(k: Kernel) -> None:
    """The whole kernel; chunks are ranges of matrices."""
    one = WRITERS[k.hero.defn.name]
    each_matrix(k, lambda at, lanes: one(Looped(k, at, lanes)))
