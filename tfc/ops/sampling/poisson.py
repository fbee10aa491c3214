"""Poisson samples, as TensorFlow's CPU kernel draws them: below a rate of 10 Knuth's products of
uniform numbers, from 10 on Hörmann's transformed rejection."""

from __future__ import annotations

import math
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.random_seed import get_seed
from tfc.ir.core import Value
from tfc.ops import random_values
from tfc.ops.common import no_gradient
from tfc.ops.loops import Calc, Term, any_of, while_loop
from tfc.ops.lowering import invalid, to
from tfc.ops.random_ops import shape_tensor, static_shape
from tfc.ops.sampling import lanes
from tfc.ops.sampling.gamma import sample_shape
from tfc.runtime.rng import RESERVED

_RATES = ("f16", "f32", "f64", "i32", "i64")
_FROM = 10.0


def draw_poisson(build: Any, key: Value, counter: Value, samples: int, rate: Value) -> Value:
    """f64[samples, n] for rates [n]; 0 for negative rates, NaN for those that are not finite."""
    settings = rate.type.shape[0]
    shape = samples, settings
    calc = Calc(build)
    wide = calc(to(build, rate, "f64"))
    valid = (wide > -float("inf")) & (wide < float("inf"))
    full = calc(p.broadcast(build, wide.where(valid, 0).value, dims=(1,), shape=shape))
    low, high = lanes.start_of(build, counter, lanes.lane_numbers(build, samples, settings))
    key_words = [lanes.scalar_of(build, key, i) for i in range(2)]
    kinds = ("u64", "i1", "f64", "i1", "f64", "f64")
    start = [lanes.zeros(build, kind, shape) for kind in kinds]
    start.append(full.of(1).value)
    fixed = [low, high, full.value, *key_words]
    results = while_loop(build, _unfinished, _attempt, start, fixed)
    good = calc(p.broadcast(build, valid.value, dims=(1,), shape=shape))
    return calc(results[4]).where(good, float("nan")).value


def _unfinished(region: Any, *values: Value) -> Value:
    return any_of(region, p.not_(region, values[3]))


def _attempt(region: Any, *values: Value) -> list[Value]:
    """One turn: one more factor for small rates, one trial for large ones."""
    calc = Calc(region)
    used, owed, spare, done, sample, count, product, low, high, rate = map(calc, values[:10])
    key = values[10], values[11]
    active, large = ~done, rate >= _FROM
    stream = lanes.Stream(owed, spare)
    # Trials take both numbers of a counter, so that a lane of them never is owed one.
    fresh = lanes.uniforms(lanes.philox(key, low + used, high))
    used = used + (active & ~owed).to("u64")
    u = stream.pop(fresh, active)
    v = stream.pop(fresh, active & large)
    product = (product * u).where(active, product)
    small_done = active & ~large & (product <= (-rate).exp())
    accepted, k = _trial(u, v, rate.atleast(_FROM))
    large_done = active & large & accepted
    sample = k.where(large_done, count.where(small_done, sample))
    count = (count + 1).where(active & ~small_done, count)
    terms = [used, stream.owed, stream.spare, done | small_done | large_done, sample, count]
    return [*(t.value for t in terms), product.value]


def _trial(u: Term, v: Term, rate: Term) -> tuple[Term, Term]:
    """(whether the trial succeeds, what it gives), for a rate of at least 10."""
    b = rate.sqrt() * 2.53 + 0.931
    a = b * 0.02483 - 0.059
    inverse_alpha = 1.1328 / (b - 3.4) + 1.1239
    u = u - 0.5
    rest = 0.5 - abs(u)
    k = ((a * 2 / rest + b) * u + rate + 0.43).floor()
    quick = (rest >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    hopeless = (k < 0) | ((rest < 0.013) & (v > rest))
    left = (v * inverse_alpha / (a / (rest * rest) + b)).log()
    right = k * rate.log() - rate - (k + 1).atleast(1).lgamma()
    return quick | (~hopeless & (left <= right)), k


class RandomPoissonV2(
    OpDef,
    sig="RandomPoissonV2(shape: S, rate: R, seed: int = 0, seed2: int = 0, dtype: type = int64)"
    " -> output: dtype",
    S=INDEX,
    R=_RATES,
    dtype=_RATES,
):
    """`shape` Poisson samples for each of the rates."""

    stateful = True
    shape = sample_shape
    grad = no_gradient

    def lower(
        build: Any, shape: Value, rate: Value, *, seed: int, seed2: int, dtype: Any, **_: Any
    ) -> Value:
        dims = static_shape(build, shape)
        samples, settings = math.prod(dims), rate.type.size
        full = (*dims, *rate.type.shape)
        if not samples:
            return lanes.zeros(build, dtype.short, full)
        if not settings:
            raise invalid(build, "Input rate should have non-zero element count, got: 0")
        key, counter = random_values.take(build, seed, seed2, samples * settings * RESERVED)
        flat = p.reshape(build, rate, shape=(settings,))
        sample = draw_poisson(build, key, counter, samples, flat)
        return p.reshape(build, to(build, sample, dtype.short), shape=full)


def random_poisson(
    lam: Any,
    shape: Any,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`shape` samples from the Poisson distribution for each rate in `lam`: shape + lam.shape."""
    return random_poisson_v2(shape, lam, dtype, seed, name)


def random_poisson_v2(
    shape: Any,
    lam: Any,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`random_poisson` with its first two parameters exchanged."""
    with name_scope(name, "random_poisson", [lam, shape]):
        size = shape_tensor(shape)
        first, second = get_seed(seed)
        wanted = dtypes.as_dtype(dtype)
        rate = convert_to_tensor(lam, name="lam")
        return apply(
            "RandomPoissonV2", size, rate, dtype=wanted, seed=first or 0, seed2=second or 0
        )
