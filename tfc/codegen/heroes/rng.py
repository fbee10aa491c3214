"""Philox 4x32-10: each lane computes the four words of one counter."""

from __future__ import annotations

import math

from tfc.codegen.approx import UNARY
from tfc.codegen.emitter import Buffer
from tfc.codegen.index import Index
from tfc.codegen.kernels import Kernel, attributes
from tfc.codegen.packets import Packet
from tfc.codegen.text import Text
from tfc.codegen.values import V, const, element_of, i64, lanes_of, vec, vector_const
from tfc.runtime.rng import RESERVED

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
Words = list[V]
MOST_DRAWS = 2**20  # no group needs as many: each keeps four of five


class Philox:
    """Key and counter of one kernel, as scalars: two words, and the halves of 128 bits."""

    def __init__(self, t: Text, key: Words, low: V, high: V):
        self.t, self.key, self.low, self.high = t, key, low, high

    @staticmethod
    def of(k: Kernel) -> Philox:
        """Those that the kernel's hero takes."""
        key, counter = k.hero.operands
        with k.e.with_lanes(1):
            keys: Words = [k.e.value(key, (Index(i),)).value for i in range(2)]
            words = [k.e.value(counter, (Index(i),)).value for i in range(4)]
        wide = [k.t.cast("zext", w, "i64") for w in words]
        low, high = (k.t.op("or", wide[i], k.t.op("shl", wide[i + 1], i64(32))) for i in (0, 2))
        return Philox(k.t, keys, low, high)

    def words(self, steps: V) -> Words:
        """The words of counter + steps (an i64 packet), for each lane."""
        t, lanes = self.t, lanes_of(steps.type)
        low = t.op("add", t.splat(self.low, lanes), steps)
        carry = t.cast("zext", t.cmp("ult", low, steps), "i64")
        high = t.op("add", t.splat(self.high, lanes), carry)
        state = []
        for part in (low, high):
            state.append(t.cast("trunc", part, "i32"))
            shifted = t.op("lshr", part, const(part.type, 32))
            state.append(t.cast("trunc", shifted, "i32"))
        key = list(self.key)
        for _ in range(ROUNDS):
            state = self._round(state, [t.splat(k, lanes) for k in key])
            key = [t.op("add", k, const("i32", w - 2**32)) for k, w in zip(key, WEYL, strict=True)]
        return state

    def _round(self, state: Words, key: Words) -> Words:
        t, products = self.t, []
        for word, multiplier in zip(state[::2], MULTIPLIERS, strict=True):
            wide = t.cast("zext", word, "i64")
            product = t.op("mul", wide, const(wide.type, multiplier))
            high = t.cast("trunc", t.op("lshr", product, const(wide.type, 32)), "i32")
            products.append((high, t.cast("trunc", product, "i32")))
        (high0, low0), (high1, low1) = products
        return [
            t.op("xor", t.op("xor", high1, state[1]), key[0]),
            low1,
            t.op("xor", t.op("xor", high0, state[3]), key[1]),
            low0,
        ]


def steps_from(t: Text, base: V, lanes: int) -> V:
    """base + lane."""
    first = t.splat(base, lanes)
    return first if lanes == 1 else t.op("add", first, vector_const("i64", range(lanes)))


def interleaved(t: Text, packets: list[V]) -> V:
    """Lane 0 of each packet, then lane 1 of each, and so on."""
    while len(packets) > 1:
        half = len(packets) // 2
        packets = [_zipped(t, packets[i], packets[i + half]) for i in range(half)]
    return packets[0]


def _zipped(t: Text, a: V, b: V) -> V:
    lanes = lanes_of(a.type)
    if lanes == 1:
        both = V("poison", vec(a.type, 2))
        return t.insert(t.insert(both, a, 0), b, 1)
    return t.shuffle(a, b, [lane + part * lanes for lane in range(lanes) for part in (0, 1)])


def write_bits(k: Kernel) -> None:
    """rng_bits: packets of groups, four words each."""
    t, e, op = k.t, k.e, k.hero
    philox, n = Philox.of(k), op.attr("n")
    lanes = max(1, min(k.target.lanes(32), math.ceil(n / 4)))
    lanes = 1 << (lanes.bit_length() - 1)
    width = 4 * lanes

    def packet(at: Index) -> None:
        group = t.op("lshr", e.scalar(at), i64(2))
        words = interleaved(t, philox.words(steps_from(t, group, lanes)))
        k.finish((at,), {op.result: Packet(words, "u32")})

    with e.with_lanes(width):
        lo, hi = k.chunk_range(n, width)
        k.for_packets(n, packet, lo, hi)


# -- truncated normal --------------------------------------------------------------------------
def write_truncated_normal(k: Kernel) -> None:
    """Each lane fills one group of outputs from counters of its own, until all lanes are full."""
    t, op = k.t, k.hero
    n, dtype = op.attr("n"), op.attr("dtype")
    size = 2 if dtype == "f64" else 4
    groups = -(-n // size)
    lanes = k.target.lanes(64)
    while lanes > 1 and lanes // 2 >= groups:
        lanes //= 2
    philox = Philox.of(k)
    lo, hi = k.chunk_range(groups, lanes)
    low, high = (i64(x) if isinstance(x, int) else x for x in (lo, hi))
    with k.e.with_lanes(lanes), t.loop(low, high, lanes) as loop:
        _groups(k, philox, loop.index, lanes, size)


def _groups(k: Kernel, philox: Philox, base: V, lanes: int, size: int) -> None:
    t, n = k.t, k.hero.attr("n")
    group = steps_from(t, base, lanes)
    start = t.op("mul", group, const(group.type, size * RESERVED // 4))
    first = t.op("mul", group, const(group.type, size))
    left = t.op("sub", const(group.type, n), first)
    room = t.intrinsic("smin", left, const(group.type, size))  # outputs of this group, maybe < 1
    with t.loop(i64(0), i64(MOST_DRAWS), carried=(const(group.type, 0),)) as draw:
        (filled,) = draw.carried
        steps = t.op("add", start, t.splat(draw.index, lanes))
        for normal in _drawn(k, philox, steps, double=size == 2):
            wide = (
                normal if element_of(normal.type) == "double" else t.cast("fpext", normal, "double")
            )
            inside = t.cmp("olt", t.intrinsic("fabs", wide), const(wide.type, 2.0))
            keep = t.op("and", inside, t.cmp("slt", filled, room))
            _keep(k, normal, t.op("add", first, filled), keep)
            filled = t.op("add", filled, t.cast("zext", keep, "i64"))
        open_ = t.cmp("slt", filled, room)
        more = open_
        if lanes > 1:
            more = t.call("i1", f"llvm.vector.reduce.or.v{lanes}i1", open_)
        draw.stop = t.op("xor", more, const("i1", True))
        draw.next((filled,))


def _drawn(k: Kernel, philox: Philox, steps: V, double: bool) -> list[V]:
    """The normals of the words of counter + steps: a call of a function that all kernels of a
    module share, because it is most of each of them, and depends on nothing but the lanes."""
    t = k.t
    given = [steps, philox.low, philox.high, *philox.key]
    inner = Text(k.target.half)
    params = [V(f"%a{n}", v.type) for n, v in enumerate(given)]
    words = Philox(inner, params[3:], params[1], params[2]).words(params[0])
    made = _normals(inner, words, double)
    result = V("poison", "{" + ", ".join(v.type for v in made) + "}")
    for n, v in enumerate(made):
        text = f"insertvalue {result.type} {result.ref}, {v.type} {v.ref}, {n}"
        result = inner.ins(text, result.type)
    name = f"@normals.{lanes_of(steps.type)}.{'f64' if double else 'f32'}"
    listed = ", ".join(f"{v.type} {v.ref}" for v in params)
    t.declares.update(inner.declares)
    t.declares[name] = (
        f"define internal {result.type} {name}({listed}) {attributes(k.target)} {{\nentry:\n"
        f"{inner.body()}\nret {result.type} {result.ref}\n}}"
    )
    listed = ", ".join(f"{v.type} {v.ref}" for v in given)
    drawn = t.ins(f"call {result.type} {name}({listed})", result.type)
    return [
        t.ins(f"extractvalue {drawn.type} {drawn.ref}, {n}", v.type) for n, v in enumerate(made)
    ]


def _keep(k: Kernel, normal: V, at: V, keep: V) -> None:
    """Store the lanes of `keep` at flat positions `at`."""
    e, dtype = k.e, k.hero.attr("dtype")
    buffer: Buffer = k.results[0]
    kind = "f64" if element_of(normal.type) == "double" else "f32"
    packet = e.convert(Packet(normal, kind), dtype)
    index = e.lanes_index(at, 0, k.hero.attr("n") - 1)
    if e.lanes == 1:
        with k.t.when(keep):
            e.memory.store(buffer.ptr, dtype, index, packet, None)
        return
    e.memory.store(buffer.ptr, dtype, index, packet, keep)


def _normals(t: Text, words: Words, double: bool) -> list[V]:
    """Box and Muller's normals, in the order in which TensorFlow draws them."""
    if double:
        return _pair(t, _uniform64(t, words[0], words[1]), _uniform64(t, words[2], words[3]), True)
    uniforms = [_uniform32(t, w) for w in words]
    return _pair(t, uniforms[0], uniforms[1], False) + _pair(t, uniforms[2], uniforms[3], False)


def _uniform32(t: Text, word: V) -> V:
    """[0, 1) as float, from 23 bits."""
    low = t.op("and", word, const(word.type, 0x7FFFFF))
    one = t.cast("bitcast", t.op("or", low, const(word.type, 0x3F800000)), "float")
    return t.op("fsub", one, const(one.type, 1.0))


def _uniform64(t: Text, first: V, second: V) -> V:
    """[0, 1) as double, from 52 bits."""
    high = t.cast("zext", t.op("and", first, const(first.type, 0xFFFFF)), "i64")
    bits = t.op("or", t.op("shl", high, const(high.type, 32)), t.cast("zext", second, "i64"))
    one = t.op("or", bits, const(bits.type, 0x3FF0000000000000))
    one = t.cast("bitcast", one, "double")
    return t.op("fsub", one, const(one.type, 1.0))


def _pair(t: Text, first: V, second: V, double: bool) -> list[V]:
    """Two normals from two uniforms. Float32 is computed in float64 and rounded once a step, so
    that the last bit is that of an exact library."""

    def wide(v: V) -> V:
        return v if double else t.cast("fpext", v, "double")

    def rounded(v: V) -> V:
        return v if double else t.cast("fptrunc", v, "float")

    least = const(first.type, 1e-7)
    first = t.select(t.cmp("olt", first, least), least, first)
    angle = wide(second)
    angle = rounded(t.op("fmul", const(angle.type, 2 * math.pi), angle))
    logarithm = rounded(UNARY["log"](t, wide(first)))
    radius = t.intrinsic("sqrt", t.op("fmul", const(first.type, -2.0), logarithm))
    waves = [rounded(UNARY[name](t, wide(angle))) for name in ("sin", "cos")]
    return [t.op("fmul", wave, radius) for wave in waves]
