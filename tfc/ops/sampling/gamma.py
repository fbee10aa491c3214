"""Gamma samples by Marsaglia and Tsang's method, as TensorFlow's CPU kernel draws them.

Each turn takes a normal number and, if the cube of 1 + c x is positive, a uniform one, in float64
for every dtype. For a shape parameter below 1 a sample for alpha + 1 is scaled by u^(1 / alpha);
for 1 itself it is the logarithm of one uniform number.
"""

from __future__ import annotations

import math
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.framework.random_seed import get_seed
from tfc.ir.core import Value
from tfc.ops import const_ops, random_values, shape_ops, shape_rules
from tfc.ops.broadcast_ops import broadcast_to
from tfc.ops.common import reduce_sum
from tfc.ops.loops import Calc, Term, any_of, while_loop
from tfc.ops.lowering import invalid, to
from tfc.ops.random_ops import shape_tensor, static_shape
from tfc.ops.reverse_ops import broadcast_static_shape
from tfc.ops.sampling import lanes
from tfc.runtime.rng import RESERVED


def draw_gamma(build: Any, key: Value, counter: Value, samples: int, alpha: Value) -> Value:
    """f64[samples, n] for alpha [n]: samples of scale 1; NaN where alpha is not positive."""
    settings = alpha.type.shape[0]
    shape = samples, settings
    calc = Calc(build)
    wide = calc(to(build, alpha, "f64"))
    valid = (wide > 0) & (wide < float("inf"))
    safe = calc(p.broadcast(build, wide.where(valid, 1).value, dims=(1,), shape=shape))
    small = safe < 1
    d = safe + safe.of(2 / 3).where(small, -1 / 3)
    c = (1 / 3) / d.sqrt()
    low, high = lanes.start_of(build, counter, lanes.lane_numbers(build, samples, settings))
    key_words = [lanes.scalar_of(build, key, i) for i in range(2)]
    state = [("u64", "used"), ("i1", "owed n"), ("f64", "n"), ("i1", "owed u"), ("f64", "u")]
    start = [lanes.zeros(build, kind, shape) for kind, _ in state]
    start += [safe.equals(1).value, lanes.zeros(build, "f64", shape)]
    fixed = [low, high, d.value, c.value, *key_words]
    results = while_loop(build, _unfinished, _attempt, start, fixed)
    used, _, _, owed, spare, _, sample = map(calc, results)
    place = calc(low) + used
    group = lanes.philox((key_words[0], key_words[1]), place, calc(high))
    u = spare.where(owed, lanes.uniforms(group)[1])
    sample = (sample * u.pow(1 / safe)).where(small, sample)
    sample = (-(-u).log1p()).where(safe.equals(1), sample)
    good = calc(p.broadcast(build, valid.value, dims=(1,), shape=shape))
    return sample.where(good, float("nan")).value


def _unfinished(region: Any, *values: Value) -> Value:
    return any_of(region, p.not_(region, values[5]))


def _attempt(region: Any, *values: Value) -> list[Value]:
    """One turn: draw for the lanes that are not done, and accept what may be accepted."""
    calc = Calc(region)
    used, owed_n, spare_n, owed_u, spare_u, done, sample, low, high, d, c = map(calc, values[:11])
    key = values[11], values[12]
    active = ~done
    normal, uniform = lanes.Stream(owed_n, spare_n), lanes.Stream(owed_u, spare_u)
    fresh = lanes.normals(lanes.philox(key, low + used, high))
    used = used + (active & ~owed_n).to("u64")
    x = normal.pop(fresh, active)
    root = c * x + 1
    positive = active & (root > 0)
    cube = root * root * root
    fresh = lanes.uniforms(lanes.philox(key, low + used, high))
    used = used + (positive & ~owed_u).to("u64")
    u = uniform.pop(fresh, positive)
    square = x * x
    fits = u < 1 - square * square * 0.0331
    exact = u.log() < square * 0.5 + d * (1 - cube + cube.where(positive, 1).log())
    accepted = positive & (fits | exact)
    sample = (d * cube).where(accepted, sample)
    terms: list[Term] = [
        used, normal.owed, normal.spare, uniform.owed, uniform.spare, done | accepted, sample
    ]  # fmt: skip
    return [t.value for t in terms]


def sample_shape(shape: TensorShape, of: TensorShape, *, op: Any, **_: Any) -> list[TensorShape]:
    """Shape rule: the wanted shape, then that of the parameter."""
    dims, more = shape_rules.static_dims(op, 0), shape_rules.dims_of(of)
    if dims is None or more is None:
        return [shape_rules.unknown()]
    return [shape_rules.shape_of([*dims, *more])]


class RandomGamma(
    OpDef,
    sig="RandomGamma(shape: S, alpha: T, seed: int = 0, seed2: int = 0) -> output: T",
    S=INDEX,
    T=("f16", "f32", "f64"),
):
    """`shape` gamma samples of scale 1 for each shape parameter in `alpha`."""

    stateful = True
    shape = sample_shape

    def grad(op: Any, dy: Any) -> list[Any]:
        alpha, sample = op.inputs[1], op.outputs[0]
        with name_scope(None, "RandomGammaGrad"):
            count, of_alpha = shape_ops.size(op.inputs[0]), shape_ops.shape(alpha)
            ones = apply("Fill", shape_ops.expand_dims(count, 0), 1)
            full = shape_ops.reshape(alpha, apply("ConcatV2", [ones, of_alpha], 0))
            slope = apply("RandomGammaGrad", full, sample)
            return [None, reduce_sum(dy * slope, apply("Range", 0, count, 1))]

    def lower(build: Any, shape: Value, alpha: Value, *, seed: int, seed2: int, **_: Any) -> Value:
        dims = static_shape(build, shape)
        samples, settings = math.prod(dims), alpha.type.size
        full = (*dims, *alpha.type.shape)
        if not samples:
            return lanes.zeros(build, alpha.type.dtype, full)
        if not settings:
            raise invalid(build, "Input alpha should have non-zero element count, got: 0")
        key, counter = random_values.take(build, seed, seed2, samples * settings * RESERVED)
        flat = p.reshape(build, alpha, shape=(settings,))
        sample = draw_gamma(build, key, counter, samples, flat)
        return p.reshape(build, to(build, sample, alpha.type.dtype), shape=full)


def spread_over(alpha: Tensor, rate: Tensor) -> Tensor:
    """`alpha` broadcast to the common shape of both."""
    shapes = alpha.get_shape(), rate.get_shape()
    if all(shape.is_fully_defined() for shape in shapes):
        return broadcast_to(alpha, broadcast_static_shape(*shapes).as_list())
    common = apply("BroadcastArgs", shape_ops.shape(alpha), shape_ops.shape(rate))
    return broadcast_to(alpha, common)


def random_gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`shape` samples from the gamma distribution of shape `alpha` and inverse scale `beta` (1 if
    None) for each of their elements, broadcast: shape + broadcast(alpha, beta).

    Samples have a gradient by alpha and beta.
    """
    with name_scope(name, "random_gamma", [shape, alpha, beta]):
        size = shape_tensor(shape)
        wanted = dtypes.as_dtype(dtype)
        alpha = convert_to_tensor(alpha, name="alpha", dtype=wanted)
        rate = convert_to_tensor(1 if beta is None else beta, name="beta", dtype=wanted)
        alpha = spread_over(alpha, rate)
        first, second = get_seed(seed)
        unit = apply("RandomGamma", size, alpha, seed=first or 0, seed2=second or 0)
        least = const_ops.constant(wanted.as_numpy_dtype(_tiny(wanted)), dtype=wanted)
        return apply("Maximum", least, unit / rate)


def _tiny(dtype: Any) -> Any:
    """The least normal number."""
    import numpy as np

    return np.finfo(dtype.as_numpy_dtype).tiny
