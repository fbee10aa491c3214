"""Random values from a Philox generator: what the random ops lower to.

The generator of an op is a key and a 128-bit counter, kept per Session and made from the op's two
seeds as TensorFlow makes it. A run takes bits from the counter on and then moves it past all that
TensorFlow's kernel reserves, so sequences agree with TensorFlow's CPU kernels bit for bit in the
integers, and to the rounding of log, sin and cos in the normals.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.ir.core import Type, Value
from tfc.ops.lowering import to

_WORD = 0xFFFFFFFF


# ---- the generator


def initial_state(seed: int, seed2: int) -> np.ndarray:
    """Key and counter, u32[6], of PhiloxRandom(seed, seed2); random ones if both are 0."""
    if seed == 0 and seed2 == 0:
        seed, seed2 = (int.from_bytes(os.urandom(8), "little") for _ in range(2))
    seed, seed2 = seed & (1 << 64) - 1, seed2 & (1 << 64) - 1
    words = [seed & _WORD, seed >> 32, 0, 0, seed2 & _WORD, seed2 >> 32]
    return np.array(words, np.uint32)


def take(build: Any, seed: int, seed2: int, groups: int) -> tuple[Value, Value]:
    """The key u32[2] and the counter u32[4] of this run; `groups` groups of 4 words are used up."""
    ref = build.state("rng", Type("u32", (6,)), initial_state(seed, seed2))
    state = build.read(ref)
    key = p.slice_(build, state, start=(0,), limit=(2,), stride=(1,))
    counter = p.slice_(build, state, start=(2,), limit=(6,), stride=(1,))
    if groups:
        build.write(ref, p.concat(build, key, advanced(build, counter, groups), dim=0))
    return key, counter


def advanced(build: Any, counter: Value, groups: int) -> Value:
    """The 128-bit counter plus `groups`, below 2**64."""
    words, carry = [], None  # no carry is a carry of zero
    for i in range(4):
        word = p.slice_(build, counter, start=(i,), limit=(i + 1,), stride=(1,))
        total, overs = word, []
        step = groups >> 32 * i & _WORD
        for more in (p.full_like(build, word, step) if step else None, carry):
            if more is not None:
                total = p.add(build, total, more)
                overs.append(p.lt(build, total, more))
        words.append(total)
        if not overs:
            carry = None
            continue
        over = overs[0] if len(overs) == 1 else p.or_(build, *overs)
        carry = p.convert(build, over, dtype="u32")
    return p.concat(build, *words, dim=0)


# ---- distributions: (bits, how many) -> flat values


def _pick(build: Any, words: Value, count: int, every: int, at: int) -> Value:
    """Word `at` of each of the first `count` groups of `every` words."""
    grid = p.reshape(build, words, shape=(words.type.size // every, every))
    column = p.slice_(build, grid, start=(0, at), limit=(count, at + 1), stride=(1, 1))
    return p.reshape(build, column, shape=(count,))


def _words(build: Any, key: Value, counter: Value, count: int, every: int) -> Value:
    return p.rng_bits(build, key, counter, n=count * every)


def _mantissa(build: Any, words: Value, mask: int, one: int, dtype: str) -> Value:
    """Words as floats in [0, 1): `mask` bits of mantissa under the exponent of 1, minus 1."""
    bits = p.and_(build, words, p.full_like(build, words, mask))
    bits = p.or_(build, bits, p.full_like(build, words, one))
    number = p.bitcast(build, bits, dtype=dtype)
    return p.sub(build, number, p.full_like(build, number, 1))


def uniform_f32(build: Any, words: Value) -> Value:
    """One float32 in [0, 1) from each word."""
    return _mantissa(build, words, 0x7FFFFF, 0x3F800000, "f32")


def uniform_f64(build: Any, high: Value, low: Value) -> Value:
    """One float64 in [0, 1) from each pair of words."""
    return _mantissa(build, joined(build, low, high), (1 << 52) - 1, 0x3FF << 52, "f64")


def joined(build: Any, low: Value, high: Value) -> Value:
    """Pairs of words as u64."""
    wide = p.convert(build, high, dtype="u64")
    shifted = p.shl(build, wide, p.full_like(build, wide, 32))
    return p.or_(build, shifted, p.convert(build, low, dtype="u64"))


def uniform(build: Any, key: Value, counter: Value, count: int, dtype: str) -> Value:
    """`count` numbers in [0, 1)."""
    if dtype == "f64":
        words = _words(build, key, counter, count, 2)
        return uniform_f64(
            build, _pick(build, words, count, 2, 0), _pick(build, words, count, 2, 1)
        )
    words = _words(build, key, counter, count, 1)
    if dtype == "f32":
        return uniform_f32(build, words)
    half = p.convert(build, words, dtype="u16")  # the low half of each word
    if dtype == "f16":
        return _mantissa(build, half, 0x3FF, 15 << 10, "f16")
    return _mantissa(build, half, 0x7F, 127 << 7, "bf16")


def normal(build: Any, key: Value, counter: Value, count: int, dtype: str) -> Value:
    """`count` standard normals by Box and Muller, in pairs (sine, cosine)."""
    pairs = -(-count // 2)
    if dtype == "f64":
        words = _words(build, key, counter, pairs, 4)
        parts = [_pick(build, words, pairs, 4, i) for i in range(4)]
        first = uniform_f64(build, parts[0], parts[1])
        second = uniform_f64(build, parts[2], parts[3])
    else:
        words = _words(build, key, counter, pairs, 2)
        first = uniform_f32(build, _pick(build, words, pairs, 2, 0))
        second = uniform_f32(build, _pick(build, words, pairs, 2, 1))
    first = p.max(build, first, p.full_like(build, first, 1e-7))
    angle = _turn(build, second)
    log = p.log(build, first)
    radius = p.sqrt(build, p.mul(build, log, p.full_like(build, log, -2)))
    columns = [
        p.reshape(build, p.mul(build, wave(build, angle), radius), shape=(pairs, 1))
        for wave in (p.sin, p.cos)
    ]
    flat = p.reshape(build, p.concat(build, *columns, dim=1), shape=(2 * pairs,))
    if 2 * pairs != count:
        flat = p.slice_(build, flat, start=(0,), limit=(count,), stride=(1,))
    return to(build, flat, dtype)


def _turn(build: Any, fraction: Value) -> Value:
    """2 pi times `fraction`: computed in float64 and rounded, as TensorFlow's kernel does."""
    wide = to(build, fraction, "f64")
    angle = p.mul(build, wide, p.full_like(build, wide, 2 * math.pi))
    return to(build, angle, fraction.type.dtype)


def truncated_normal(build: Any, key: Value, counter: Value, count: int, dtype: str) -> Value:
    """`count` standard normals in (-2, 2)."""
    return p.rng_truncated_normal(build, key, counter, n=count, dtype=dtype)


def integer_bits(build: Any, key: Value, counter: Value, count: int, dtype: str) -> Value:
    """`count` integers of all bits: one word each, or two, the lower first."""
    if dtype in ("i64", "u64"):
        words = _words(build, key, counter, count, 2)
        pair = _pick(build, words, count, 2, 0), _pick(build, words, count, 2, 1)
        bits = joined(build, *pair)
    else:
        bits = _words(build, key, counter, count, 1)
    return bits if bits.type.dtype == dtype else p.bitcast(build, bits, dtype=dtype)


def uniform_ints(
    build: Any, key: Value, counter: Value, count: int, low: Value, high: Value
) -> Value:
    """`count` integers in [low, high), by remainders; the bounds are scalars."""
    dtype = low.type.dtype
    unsigned = "u64" if dtype in ("i64", "u64") else "u32"
    bits = integer_bits(build, key, counter, count, unsigned)
    span = p.sub(build, high, low)
    if dtype != unsigned:
        span = p.bitcast(build, span, dtype=unsigned)
    rest = p.rem(build, bits, p.broadcast_to(build, span, (count,)))
    offset = rest if dtype == unsigned else p.bitcast(build, rest, dtype=dtype)
    return p.add(build, offset, p.broadcast_to(build, low, (count,)))


# ---- shuffles and classes


def swap_partners(build: Any, words: Value, rows: int) -> Value:
    """i + word i % (rows - i), the row that row i is swapped with; the last one stays."""
    index = p.iota(build, dtype="u32", shape=(rows - 1,), dim=0)
    left = p.sub(build, p.full_like(build, index, rows), index)
    partner = p.add(build, index, p.rem(build, words, left))
    last = p.constant(build, np.array([rows - 1], np.uint32))
    return p.convert(build, p.concat(build, partner, last, dim=0), dtype="i32")


def permutation(build: Any, partner: Value) -> Value:
    """Where each row comes from after rows i and partner[i] >= i were swapped for i = 0, 1, ...

    Without a loop: swap s leaves in place partner[s] what stood in place s just then, so what
    place q holds at time t is known from the last s < t with partner[s] = q, and what stood in
    place s at time s from the last earlier swap with that partner, and so on to a swap without
    an earlier one. These chains are followed by pointer doubling.
    """
    rows = partner.type.shape[0]
    index = p.iota(build, dtype="i32", shape=(rows,), dim=0)
    none = p.full_like(build, index, -1)
    moved = p.select(build, p.eq(build, partner, index), none, partner)
    earlier = p.scatter(build, none, _column(build, moved), index, dims=(0,), kind="max")
    root = p.select(build, p.lt(build, earlier, p.full_like(build, index, 0)), index, earlier)
    for _ in range((rows - 1).bit_length()):
        root = _look_up(build, root, root)
    keys, swaps = p.sort(build, partner, index, dim=0, descending=False, num_keys=1)
    shift = {"low": (1,), "high": (-1,), "interior": (0,)}
    minus = p.constant(build, -1, "i32")
    before_key, before = (p.pad(build, v, minus, **shift) for v in (keys, swaps))
    same = p.eq(build, keys, before_key)
    found = p.select(build, same, _look_up(build, root, before), keys)
    return p.scatter(build, none, _column(build, swaps), found, dims=(0,), kind="set")


def _column(build: Any, index: Value) -> Value:
    return p.reshape(build, index, shape=(index.type.size, 1))


def _look_up(build: Any, table: Value, index: Value) -> Value:
    return p.gather(build, table, _column(build, index), dims=(0,))


def classes_of(build: Any, logits: Value, draws: Value) -> Value:
    """For each draw in [0, 1) how many classes' cumulative probabilities it reaches."""
    rows, classes = logits.type.shape
    grid = (rows, draws.type.shape[1], classes)
    wide = to(build, logits, "f64")
    finite = p.is_finite(build, wide)
    lowest = p.full_like(build, wide, float(np.finfo(np.float64).min))
    best = p.reduce(build, p.select(build, finite, wide, lowest), dims=(1,), kind="max")
    shifted = p.sub(build, wide, p.broadcast(build, best, dims=(0,), shape=wide.type.shape))
    weight = p.select(build, finite, p.exp(build, shifted), p.full_like(build, wide, 0))
    sums = p.cumulative(build, weight, dim=1, kind="add", exclusive=False, reverse=False)
    last = p.slice_(build, sums, start=(0, classes - 1), limit=(rows, classes), stride=(1, 1))
    wanted = p.mul(build, draws, p.broadcast_to(build, last, draws.type.shape))
    below = p.le(
        build,
        p.broadcast(build, sums, dims=(0, 2), shape=grid),
        p.broadcast(build, wanted, dims=(0, 1), shape=grid),
    )
    return p.reduce(build, p.convert(build, below, dtype="i32"), dims=(2,), kind="add")
