"""A Philox generator per element: lanes that draw at their own pace from counters of their own.

TensorFlow gives each sample of a distribution that rejects some 256 counters. Lane i starts at the
op's counter + 256 i; how many counters it has used is part of its state, so that a loop over all
lanes draws for each one what TensorFlow's kernel draws.
"""

from __future__ import annotations

import math
from typing import Any

from tfc import prims as p
from tfc.ir.core import Type, Value
from tfc.ops.loops import Calc, Term
from tfc.runtime.rng import RESERVED

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10


def scalar_of(build: Any, vector: Value, at: int) -> Value:
    """Element `at` of a vector."""
    part = p.slice_(build, vector, start=(at,), limit=(at + 1,), stride=(1,))
    element: Value = p.reshape(build, part, shape=())
    return element


def wide_words(build: Any, counter: Value) -> tuple[Value, Value]:
    """The counter u32[4] as two u64 scalars, the lower first."""
    words = [p.convert(build, scalar_of(build, counter, i), dtype="u64") for i in range(4)]
    calc = Calc(build)
    low, high = (calc(words[i]) | (calc(words[i + 1]) << 32) for i in (0, 2))
    return low.value, high.value


def start_of(build: Any, counter: Value, lanes: Value) -> tuple[Value, Value]:
    """The first counter of each lane (its number is a u64), as two u64 arrays."""
    low, high = wide_words(build, counter)
    shape = lanes.type.shape
    calc = Calc(build)
    base, above = (calc(p.broadcast_to(build, v, shape)) for v in (low, high))
    first = base + calc(lanes) * RESERVED
    return first.value, (above + (first < base).to("u64")).value


def philox(key: tuple[Value, Value], low: Term, high: Term) -> list[Term]:
    """The four words that each counter gives, as u32."""
    build = low.calc.build
    shape = low.value.type.shape
    k0, k1 = (low.calc(p.broadcast_to(build, k, shape)) for k in key)
    words = [low.to("u32"), (low >> 32).to("u32"), high.to("u32"), (high >> 32).to("u32")]
    for _ in range(_ROUNDS):
        first = words[0].to("u64") * _MULTIPLIERS[0]
        second = words[2].to("u64") * _MULTIPLIERS[1]
        words = [
            (second >> 32).to("u32") ^ words[1] ^ k0,
            second.to("u32"),
            (first >> 32).to("u32") ^ words[3] ^ k1,
            first.to("u32"),
        ]
        k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
    return words


def unit(high: Term, low: Term) -> Term:
    """Two words as a float64 in [0, 1)."""
    bits = ((high.to("u64") & 0xFFFFF) << 32) | low.to("u64") | (0x3FF << 52)
    return bits.bits("f64") - 1.0


class Stream:
    """Random numbers drawn one by one, two from each counter, the second of them first.

    owed: whether one is left over; spare: that one. Both are carried by the loop.
    """

    def __init__(self, owed: Term, spare: Term):
        self.owed, self.spare = owed, spare

    def pop(self, fresh: tuple[Term, Term], wanted: Term) -> Term:
        """The next number of each lane; the lanes where `wanted` have then taken it."""
        number = self.spare.where(self.owed, fresh[1])
        left = self.spare.where(self.owed, fresh[0])
        self.spare = left.where(wanted, self.spare)
        self.owed = self.owed ^ wanted
        return number


def uniforms(words: list[Term]) -> tuple[Term, Term]:
    """Two float64 in [0, 1) from one group of words."""
    return unit(words[0], words[1]), unit(words[2], words[3])


def normals(words: list[Term]) -> tuple[Term, Term]:
    """Two standard normals from one group of words, by Box and Muller."""
    first, second = uniforms(words)
    radius = (first.atleast(1e-7).log() * -2.0).sqrt()
    angle = second * (2 * math.pi)
    build = first.calc.build
    sine, cosine = (first.calc(f(build, angle.value)) for f in (p.sin, p.cos))
    return sine * radius, cosine * radius


def lane_numbers(build: Any, samples: int, settings: int) -> Value:
    """u64[samples, settings]: TensorFlow goes through all samples of one setting, then the next."""
    shape = (samples, settings)
    row = p.iota(build, dtype="u64", shape=shape, dim=0)
    column = p.iota(build, dtype="u64", shape=shape, dim=1)
    numbers = Calc(build)(column) * samples + Calc(build)(row)
    return numbers.value


def zeros(build: Any, dtype: str, shape: tuple[int, ...]) -> Value:
    """Zeros, or false."""
    value: Value = p.splat(build, False if dtype == "i1" else 0, Type(dtype, shape))
    return value
