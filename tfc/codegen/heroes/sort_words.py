"""Sorting lines of words: a key of at most 32 bits, as an unsigned number in its order, above the
position it stands at. No two words are equal, and their order is that of a stable sort."""

from __future__ import annotations

import math
from collections.abc import Callable

from tfc.base import dtypes
from tfc.codegen.emitter import Buffer
from tfc.codegen.heroes.positions import Sort
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel
from tfc.codegen.packets import Packet, bits_of, is_signed
from tfc.codegen.values import V, const, i64
from tfc.ir.core import Op, Type

DIGIT, DIGITS = 256, 4  # values of a digit of a key, and how many digits it has
LEAST_DIGITS = 200  # words from which on going over them digit by digit takes less than merging
MOST_INSERTED = 32  # asked for, of a line: each that comes may move all of them
LEAST_BOUNDED = 11  # asked for, for which it takes less to find a bound first
GROUP = 8  # words that are looked at together
MOST_SIDE = 8  # packets of them, that stay in registers


def has_words(op: Op) -> bool:
    """Whether the keys of a sort fit into words with their positions."""
    key = op.operands[0].type
    small = key.dtype == "i1" or bits_of(key.dtype) <= 32
    return op.attr("num_keys") == 1 and small and int(key.shape[op.attr("dim")]) < 2**31


class Words(Sort):
    """One sort of words. lanes: of packets of keys."""

    def __init__(self, k: Kernel, lanes: int):
        super().__init__(k)
        self.wide = lanes
        self.digits = self.count > 0 and self.extent >= LEAST_DIGITS
        self.bounded = self.count >= LEAST_BOUNDED and self.bounds_well()
        few = self.count <= MOST_INSERTED and self.count * 2 < self.extent
        self.inserts = few and not (self.digits and self.bounded)
        if self.digits and not self.inserts:
            self.table = self.t.alloca(f"[{DIGITS * DIGIT} x i64]")

    # -- words ----------------------------------------------------------------------------------
    def fill(self, kept: tuple[Index, ...]) -> None:
        words = Buffer(self.first, Type("i64", (self.extent,)))
        with self.e.with_lanes(self.wide):

            def packet(j: Index) -> None:
                key = self.e.value(self.op.operands[0], self.full(kept, j))
                rank = self.t.cast("zext", self.rank(key), "i64")
                high = self.t.op("shl", rank, const(rank.type, 32))
                position = self.e.packet_from(j, "i64").value
                self.e.store(words, (j,), Packet(self.t.op("or", high, position), "i64"))

            self.k.for_packets(self.extent, packet)

    def rank(self, key: Packet) -> V:
        """A key as an unsigned number of 32 bits."""
        t, dtype = self.t, key.dtype
        if dtype in dtypes.FLOATS:
            value = t.op("fadd", key.value, const(key.value.type, 0.0))  # one zero
            bits = t.cast("bitcast", value, "i32")
            sign = t.op("ashr", bits, const(bits.type, 31))
            flips = t.op("or", sign, const(bits.type, -(2**31)))
            number = t.cmp("ord", value, value)
            rank = t.select(number, t.op("xor", bits, flips), const(bits.type, -1))
        elif is_signed(dtype):
            wide = t.cast("sext", key.value, "i32")
            rank = t.op("xor", wide, const(wide.type, -(2**31)))
        else:
            rank = t.cast("zext", key.value, "i32")
        if self.op.attr("descending"):
            rank = t.op("xor", rank, const(rank.type, -1))
        return rank

    def before(self, kept: tuple[Index, ...], a: V, b: V) -> V:
        return self.t.cmp("ult", a, b)

    def position(self, array: V, at: V) -> Index:
        word = self.t.load("i64", self.t.gep(array, at, "i64"), 8)
        value = self.t.op("and", word, i64(2**32 - 1))
        return self.e.axis(value, 0, self.extent - 1)

    def ordered(self, kept: tuple[Index, ...]) -> V:
        if self.inserts:
            return self.first_few()
        if not self.digits:
            return super().ordered(kept)
        if self.count * 4 > self.extent:
            return self.by_digits(self.first, self.second, i64(self.extent))
        few = self.not_above_bound() if self.bounded else self.candidates()
        return self.by_digits(self.second, self.first, few)

    # -- digit by digit -------------------------------------------------------------------------
    def counted(self, source: V, count: V, digits: range) -> None:
        """How often each digit has each value, to the table."""
        t = self.t
        size, no = i64(8 * DIGIT * DIGITS), V("false", "i1")
        t.call("void", "llvm.memset.p0.i64", self.table, V("0", "i8"), size, no)
        with t.loop(i64(0), count) as loop:
            word = t.load("i64", t.gep(source, loop.index, "i64"), 8)
            for d in digits:
                at = self.entry(word, i64(d))
                t.store(t.add(t.load("i64", at, 8), i64(1)), at, 8)

    def entry(self, word: V, digit: V) -> V:
        """The place in the table of a digit of `word`."""
        t = self.t
        shift = t.add(t.mul(digit, 8), i64(32))
        value = t.op("and", t.op("lshr", word, shift), i64(DIGIT - 1))
        return t.gep(self.table, t.add(t.mul(digit, DIGIT), value), "i64")

    def by_digits(self, source: V, target: V, count: V) -> V:
        """The array in which `count` words of `source` are in order: the least digit first. A
        digit that all have in common moves none."""
        t = self.t
        self.counted(source, count, range(DIGITS))
        with t.loop(0, DIGITS, carried=(source, target)) as digits:
            now, other = digits.carried
            some = t.load("i64", self.entry(t.load("i64", now, 8), digits.index), 8)
            common = t.cmp("eq", some, count)
            with t.when(t.op("xor", common, V("true", "i1"))):
                self.move(now, other, count, digits.index)
            digits.next((t.select(common, now, other), t.select(common, other, now)))
        return digits.results[0]

    def move(self, source: V, target: V, count: V, digit: V) -> None:
        """Words to where the words of lesser digits end, in the order they are in."""
        t = self.t
        start = t.gep(self.table, t.mul(digit, DIGIT), "i64")
        with t.loop(0, DIGIT, carried=(i64(0),)) as loop:
            at = t.gep(start, loop.index, "i64")
            here = t.load("i64", at, 8)
            t.store(loop.carried[0], at, 8)
            loop.next((t.add(loop.carried[0], here),))
        with t.loop(i64(0), count) as loop:
            word = t.load("i64", t.gep(source, loop.index, "i64"), 8)
            at = self.entry(word, digit)
            place = t.load("i64", at, 8)
            t.store(word, t.gep(target, place, "i64"), 8)
            t.store(t.add(place, i64(1)), at, 8)

    def candidates(self) -> V:
        """The words whose greatest digit is no greater than that of the last one asked for, to the
        second array, and how many they are."""
        t, last = self.t, DIGITS - 1
        self.counted(self.first, i64(self.extent), range(last, DIGITS))
        start = t.gep(self.table, last * DIGIT, "i64")
        with t.loop(0, DIGIT, carried=(i64(0), i64(0))) as loop:
            before, bound = loop.carried
            total = t.add(before, t.load("i64", t.gep(start, loop.index, "i64"), 8))
            few = t.cast("zext", t.cmp("slt", total, i64(self.count)), "i64")
            loop.next((total, t.add(bound, few)))
        bound = loop.results[1]
        return self.kept(lambda word: t.cmp("ule", t.op("lshr", word, i64(56)), bound))

    # -- below a bound ----------------------------------------------------------------------------
    def groups(self) -> tuple[int, int]:
        """(packets that are looked at side by side, how many times as many): together no fewer
        lanes than words are asked for."""
        packets = -(-self.count // GROUP)
        times = -(-packets // MOST_SIDE)
        return -(-packets // times), times

    def bounds_well(self) -> bool:
        """Whether few words of a random line are below the greatest of the groups' least: of g
        groups, about g (ln g + 0.6)."""
        side, times = self.groups()
        lanes = GROUP * side * times
        expected = lanes * (math.log(lanes) + 1)
        return bool(2 * expected <= self.extent)

    def not_above_bound(self) -> V:
        """The words up to a bound that as many as are asked for do not exceed, to the second array,
        and how many they are. Each lane of the groups has a least word; the greatest of these."""
        t, (side, times) = self.t, self.groups()
        wide = f"<{GROUP} x i64>"
        lanes = GROUP * side * times
        whole = self.extent - self.extent % lanes

        def packet(at: V, s: int) -> V:
            return t.load(wide, t.gep(self.first, t.add(at, i64(GROUP * s)), "i64"), 8)

        with t.loop(0, lanes, GROUP * side, carried=(const(wide, 0),)) as group:
            base = group.index
            start = [packet(base, s) for s in range(side)]
            with t.loop(i64(lanes), i64(whole), lanes, carried=start) as loop:
                at = t.add(loop.index, base)
                loop.next(
                    [t.intrinsic("umin", v, packet(at, s)) for s, v in enumerate(loop.carried)]
                )
            most = group.carried[0]
            for least in loop.results:
                most = t.intrinsic("umax", most, least)
            group.next((most,))
        bound = t.call("i64", f"llvm.vector.reduce.umax.v{GROUP}i64", group.results[0])
        return self.kept(lambda word: t.cmp("ule", word, bound))

    def kept(self, fits: Callable[[V], V]) -> V:
        """The words of the first array that fit, to the second one, and how many they are."""
        t = self.t
        with t.loop(0, self.extent, carried=(i64(0),)) as loop:
            word = t.load("i64", t.gep(self.first, loop.index, "i64"), 8)
            t.store(word, t.gep(self.second, loop.carried[0], "i64"), 8)
            loop.next((t.add(loop.carried[0], t.cast("zext", fits(word), "i64")),))
        return loop.results[0]

    # -- few ------------------------------------------------------------------------------------
    def first_few(self) -> V:
        """The least words, in order, in the second array."""
        t, whole = self.t, self.extent - self.extent % GROUP
        with t.loop(0, self.count) as loop:
            t.store(i64(-1), t.gep(self.second, loop.index, "i64"), 8)

        def one(at: V) -> None:
            word = t.load("i64", t.gep(self.first, at, "i64"), 8)
            with t.when(t.cmp("ult", word, self.worst())):
                self.insert(word)

        if whole:
            with t.loop(0, whole, GROUP) as loop:
                words = t.load(f"<{GROUP} x i64>", t.gep(self.first, loop.index, "i64"), 8)
                less = t.cmp("ult", words, t.splat(self.worst(), GROUP))
                some = t.call("i1", f"llvm.vector.reduce.or.v{GROUP}i1", less)
                with t.when(some), t.loop(0, GROUP) as lanes:
                    one(t.add(loop.index, lanes.index))
        if whole < self.extent:
            with t.loop(whole, self.extent) as loop:
                one(loop.index)
        return self.second

    def worst(self) -> V:
        return self.t.load("i64", self.t.gep(self.second, self.count - 1, "i64"), 8)

    def insert(self, word: V) -> None:
        """Words that are greater move on, the last one away."""
        t = self.t
        with t.repeat((i64(self.count - 1),)) as turn:
            at = turn.carried[0]
            before = t.load("i64", t.gep(self.second, t.add(at, i64(-1)), "i64"), 8)
            greater = t.cmp("ugt", before, word)
            turn.go_on(t.op("and", greater, t.cmp("sgt", at, i64(0))))
            t.store(before, t.gep(self.second, at, "i64"), 8)
            turn.next((t.add(at, i64(-1)),))
        t.store(word, t.gep(self.second, turn.carried[0], "i64"), 8)
