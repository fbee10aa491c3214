"""The distributions of candidate samplers, and the loop that draws from them.

The loop draws until enough candidates are found, word by word of one Philox sequence as
TensorFlow's kernels do; with `unique` a number that was drawn before is passed over, and the
expected counts follow from how many draws it took.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.ir.core import Type, Value
from tfc.ops import random_values
from tfc.ops.loops import Calc, Term, any_of, while_loop
from tfc.ops.sampling import lanes

# What a sampler draws: (value i64[], whether it counts as a draw, words used)
Draw = tuple[Term, Term, Term]


class Words:
    """The words of a Philox sequence, at places that a loop computes."""

    def __init__(self, region: Any, state: Sequence[Value]):
        self.calc = Calc(region)
        self.key = state[0], state[1]
        self.low, self.high, self.place = (self.calc(v) for v in state[2:5])

    def at(self, offset: int) -> Term:
        """The word `offset` places on, u32[]."""
        place = self.place + offset
        group = lanes.philox(self.key, self.low + (place >> 2), self.high)
        which = place & 3
        word = group[3]
        for i in range(3):
            word = group[i].where(which.equals(i), word)
        return word

    def pair(self) -> tuple[Term, Term]:
        """The next two words, where the place is even."""
        group = lanes.philox(self.key, self.low + (self.place >> 2), self.high)
        second = (self.place & 2).differs(0)
        return group[2].where(second, group[0]), group[3].where(second, group[1])


def _bounded(number: Term, count: Term | int) -> tuple[Term, Term]:
    """(a number below `count`, whether it is unbiased), from an unsigned one of all bits."""
    n = count if isinstance(count, Term) else number.of(count)
    full = number.of(2**64 - 1 if number.value.type.dtype == "u64" else 2**32 - 1)
    power = (n & (n - 1)).equals(0)
    return number % n, power | (number >= full % n + 1)


def draw_candidates(
    build: Any,
    state: tuple[Value, Value],
    count: int,
    unique: bool,
    draw: Callable[..., Draw],
    fixed: Sequence[Value] = (),
) -> tuple[Value, Value]:
    """(candidates i64[count], draws i32[]); `draw(words, *fixed)` gives one."""
    key, counter = state
    low, high = lanes.wide_words(build, counter)
    sequence = [*(lanes.scalar_of(build, key, i) for i in range(2)), low, high]
    start = [
        p.constant(build, 0, "u64"), p.constant(build, 0, "i32"), p.constant(build, 0, "i32"),
        p.splat(build, -1, Type("i64", (count,))),
    ]  # fmt: skip

    def test(region: Any, place: Value, found: Value, *_: Value) -> Value:
        return p.lt(region, found, p.full_like(region, found, count))

    def body(
        region: Any, place: Value, found: Value, tries: Value, sampled: Value, *rest: Value
    ) -> list[Value]:
        words = Words(region, [*rest[:4], place])
        value, good, used = draw(words, *rest[4:])
        calc = words.calc
        if unique:
            same = p.eq(region, sampled, p.broadcast_to(region, value.value, (count,)))
            new = good & ~calc(any_of(region, same))
        else:
            new = good
        entry = p.reshape(region, value.where(new, -1).value, shape=(1,))
        sampled = p.dynamic_update_slice(region, sampled, entry, found)
        following = calc(found) + new.to("i32"), calc(tries) + good.to("i32")
        return [(calc(place) + used).value, following[0].value, following[1].value, sampled]

    results = while_loop(build, test, body, start, [*sequence, *fixed])
    return results[3], results[2]


def expected(build: Any, probability: Value, count: int, tries: Value) -> Value:
    """How often a class of this probability (f32) is expected among `count` candidates."""
    shape = probability.type.shape
    calc = Calc(build)
    chance = calc(probability)
    draws = calc(p.broadcast_to(build, tries, shape))
    once = chance * float(count)
    several = -(draws.to("f32") * (-chance).log1p()).expm1()
    return once.where(draws.equals(count), several).value


class Sampler:
    """A distribution over the classes: how to draw one, and its probabilities as f32."""

    def __init__(self, build: Any, count: int):
        self.build, self.count = build, count
        self.fixed: list[Value] = []

    def draw(self, words: Words, *fixed: Value) -> Draw:
        raise NotImplementedError

    def probability(self, classes: Value) -> Value:
        raise NotImplementedError

    def update(self, true_classes: Value) -> None:
        """Learn from the true classes of this run."""


class LogUniform(Sampler):
    """P(k) = log((k + 2) / (k + 1)) / log(count + 1)."""

    def draw(self, words: Words, *fixed: Value) -> Draw:
        unit = lanes.unit(*words.pair())
        value = (unit * math.log1p(self.count)).exp().to("i64") - 1
        return value % self.count, unit >= 0, words.place.of(2)

    def probability(self, classes: Value) -> Value:
        number = Calc(self.build)(classes).to("f64")
        chance = ((number + 2) / (number + 1)).log() / math.log1p(self.count)
        return chance.to("f32").value


class Uniform(Sampler):
    def draw(self, words: Words, *fixed: Value) -> Draw:
        low, high = words.pair()
        bits = low.to("u64") | (high.to("u64") << 32)
        value, good = _bounded(bits, self.count)
        return value.bits("i64"), good, words.place.of(2)

    def probability(self, classes: Value) -> Value:
        chance: Value = p.splat(self.build, 1.0 / self.count, Type("f32", classes.type.shape))
        return chance


class Learned(Sampler):
    """Weights that start as 1 and grow by 1 with each true class that is seen."""

    def __init__(self, build: Any, count: int):
        super().__init__(build, count)
        self.ref = build.state("weights", Type("i32", (count,)), np.ones(count, np.int32))
        self.weights = build.read(self.ref)
        sums = p.cumulative(build, self.weights, dim=0, kind="add", exclusive=False, reverse=False)
        self.total = p.reduce(build, self.weights, dims=(0,), kind="add")
        self.fixed = [sums, self.total]

    def draw(self, words: Words, *fixed: Value) -> Draw:
        region = words.calc.build
        sums, total = fixed
        place, good = _bounded(words.at(0), words.calc(total).bits("u32"))
        wanted = p.broadcast_to(region, place.bits("i32").value, (self.count,))
        below = p.convert(region, p.le(region, sums, wanted), dtype="i64")
        value = words.calc(p.reduce(region, below, dims=(0,), kind="add"))
        return value, good, words.place.of(1)

    def probability(self, classes: Value) -> Value:
        at = p.reshape(self.build, classes, shape=(*classes.type.shape, 1))
        calc = Calc(self.build)
        weight = calc(p.gather(self.build, self.weights, at, dims=(0,))).to("f32")
        total = calc(p.broadcast_to(self.build, self.total, classes.type.shape))
        return (weight / total.to("f32")).value

    def update(self, true_classes: Value) -> None:
        at = p.reshape(self.build, true_classes, shape=(true_classes.type.size, 1))
        ones = p.splat(self.build, 1, Type("i32", (true_classes.type.size,)))
        grown = p.scatter(self.build, self.weights, at, ones, dims=(0,), kind="add")
        self.build.write(self.ref, grown)


class Fixed(Sampler):
    """Given weights, drawn from by Walker's alias method."""

    def __init__(self, build: Any, count: int, weights: np.ndarray):
        super().__init__(build, count)
        chances, others = _alias_table(weights)
        self.fixed = [p.constant(build, chances), p.constant(build, others)]
        total = np.float32(0)
        for weight in weights:
            total += weight
        self.chances = p.constant(build, (weights / total).astype(np.float32))

    def draw(self, words: Words, *fixed: Value) -> Draw:
        region, calc = words.calc.build, words.calc
        unit = calc(random_values.uniform_f32(region, words.at(0).value))
        # A biased number is drawn again for the same unit; more than twice next to never.
        place, good = _bounded(words.at(1), self.count)
        used = words.place.of(2)
        for offset in (2, 3):
            again, fine = _bounded(words.at(offset), self.count)
            used = used.where(good, offset + 1)
            place, good = place.where(good, again), good | fine
        at = p.reshape(region, place.to("i32").value, shape=(1,))
        chance, other = (
            calc(p.reshape(region, p.gather(region, table, at, dims=(0,)), shape=()))
            for table in fixed
        )
        return place.to("i64").where(unit < chance, other), good, used

    def probability(self, classes: Value) -> Value:
        at = p.reshape(self.build, classes, shape=(*classes.type.shape, 1))
        chance: Value = p.gather(self.build, self.chances, at, dims=(0,))
        return chance


def _alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(chance to stay in a place f32[n], where to go otherwise i64[n])."""
    count = len(weights)
    share = weights.astype(np.float64) * count / weights.astype(np.float64).sum()
    other = np.full(count, -1, np.int64)
    small = [i for i in range(count) if share[i] < 1.0]
    large = [i for i in range(count) if not share[i] < 1.0]
    while large and small:
        low, high = small.pop(), large.pop()
        other[low] = high
        share[high] -= 1.0 - share[low]
        (small if share[high] < 1.0 else large).append(high)
    for i in (*large, *small):  # 1 up to rounding
        share[i], other[i] = 1.0, i
    return share.astype(np.float32), other
