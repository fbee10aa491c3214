"""Sorting the positions of a line by the keys they stand for: a bottom-up merge sort; stable."""

from __future__ import annotations

from tfc.base import dtypes
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.values import V, const, i64


class Sort:
    """One sort while its text is written."""

    def __init__(self, k: Kernel):
        self.k, self.e, self.t = k, k.e, k.t
        self.op = k.hero
        self.dim: int = self.op.attr("dim")
        self.shape: tuple[int, ...] = self.op.operands[0].type.shape or ()
        self.extent = self.shape[self.dim]
        limit = self.op.kwargs.get("limit")
        self.count: int = self.extent if limit is None else limit  # what is asked for
        t = self.t
        # Scratch of the chunk that [lo, hi) begins with.
        self.first = t.gep(k.scratch, t.mul(k.lo, 2 * self.extent), "i64")
        self.second = t.gep(self.first, self.extent, "i64")

    def line(self, kept: tuple[Index, ...]) -> None:
        """Sort one line of elements."""
        self.fill(kept)
        result = self.ordered(kept)
        with self.t.loop(0, self.count) as loop:
            at = self.e.loop_axis(loop, self.count)
            found = self.position(result, loop.index)
            values = {
                out: self.e.value(x, self.full(kept, found))
                for out, x in zip(self.op.results, self.op.operands, strict=True)
            }
            self.k.finish(self.full(kept, at), values)

    def fill(self, kept: tuple[Index, ...]) -> None:
        """All positions, to the first array."""
        with self.t.loop(0, self.extent) as loop:
            self.t.store(loop.index, self.t.gep(self.first, loop.index, "i64"), 8)

    def ordered(self, kept: tuple[Index, ...]) -> V:
        """The array that begins with what is asked for, in order."""
        t, passes = self.t, max(0, (self.extent - 1).bit_length())
        if not passes:
            return self.first
        with t.loop(0, passes, carried=(self.first, self.second)) as merge:
            source, target = merge.carried
            self.merge_runs(kept, source, target, t.op("shl", i64(1), merge.index))
            merge.next((target, source))
        return merge.results[0]

    def full(self, kept: tuple[Index, ...], at: Index) -> tuple[Index, ...]:
        return (*kept[: self.dim], at, *kept[self.dim :])

    def position(self, array: V, at: V) -> Index:
        value = self.t.load("i64", self.t.gep(array, at, "i64"), 8)
        return self.e.axis(value, 0, self.extent - 1)

    def merge_runs(self, kept: tuple[Index, ...], source: V, target: V, width: V) -> None:
        """Pairs of sorted runs of `width` positions become runs of twice that."""
        t, n = self.t, i64(self.extent)
        twice = t.op("shl", width, i64(1))
        rounded = t.op("add", t.op("sub", twice, i64(1)), n)
        with t.loop(i64(0), t.op("udiv", rounded, twice)) as run:
            start = t.op("mul", run.index, twice)
            middle = t.minimum(t.op("add", start, width), n)
            end = t.minimum(t.op("add", start, twice), n)
            with t.loop(start, end, carried=(start, middle)) as loop:
                left, right = loop.carried
                last = i64(self.extent - 1)
                a = t.load("i64", t.gep(source, t.minimum(left, last), "i64"), 8)
                b = t.load("i64", t.gep(source, t.minimum(right, last), "i64"), 8)
                before = self.before(kept, b, a)
                used = t.cmp("sge", left, middle)
                left_over = t.cmp("slt", right, end)
                take_b = t.op("and", left_over, t.op("or", used, before))
                t.store(t.select(take_b, b, a), t.gep(target, loop.index, "i64"), 8)
                one = t.cast("zext", take_b, "i64")
                stayed = t.op("xor", one, i64(1))
                loop.next((t.op("add", left, stayed), t.op("add", right, one)))

    def before(self, kept: tuple[Index, ...], a: V, b: V) -> V:
        """Whether position a must come before position b; false if their keys are equal."""
        t, e = self.t, self.e
        at_a, at_b = (self.full(kept, e.axis(p, 0, self.extent - 1)) for p in (a, b))
        result = const("i1", False)
        for key in reversed(self.op.operands[: self.op.attr("num_keys")]):
            x, y = e.value(key, at_a), e.value(key, at_b)
            if self.op.attr("descending"):
                x, y = y, x
            less = self.less(x.value, y.value, key.type.dtype)
            more = self.less(y.value, x.value, key.type.dtype)
            result = t.select(less, const("i1", True), t.select(more, const("i1", False), result))
        return result

    def less(self, x: V, y: V, dtype: str) -> V:
        t = self.t
        if dtype == "i1":
            return t.cmp("ult", x, y)
        wins = self.e.arithmetic.compare("lt", x, y, dtype)
        if dtype not in dtypes.FLOATS:
            return wins
        return t.op("or", wins, t.op("and", t.cmp("ord", x, x), t.cmp("uno", y, y)))
