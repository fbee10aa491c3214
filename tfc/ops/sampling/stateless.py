"""Random ops that keep no state: their numbers are a function of a seed of two integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import FLOATS, INDEX, REALS, DType
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import random_values as values
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid, to
from tfc.ops.random_ops import (
    check_bounds,
    class_shape,
    draw_classes,
    shape_tensor,
    static_shape,
)
from tfc.ops.sampling import lanes
from tfc.ops.sampling.gamma import draw_gamma, spread_over
from tfc.ops.sampling.poisson import draw_poisson

_KEY = 0x3EC8F720, 0x02461E29  # under which a seed is scrambled into a key and a counter
_INTEGERS = ("i32", "i64", "u32", "u64")


def generator(build: Any, seed: Value) -> tuple[Value, Value]:
    """The key u32[2] and the counter u32[4] of a seed [2]."""
    if seed.type.shape != (2,):
        raise invalid(build, f"seed must have shape [2], not {shape_text(seed.type.shape)}")
    calc = Calc(build)
    wide = p.convert(build, seed, dtype="i64")
    low, high = (calc(lanes.scalar_of(build, wide, i)).bits("u64") for i in range(2))
    key = tuple(p.constant(build, word, "u32") for word in _KEY)
    words = lanes.philox((key[0], key[1]), low, high)
    rows = [p.reshape(build, w.value, shape=(1,)) for w in words]
    nothing = p.constant(build, np.zeros(2, np.uint32))
    key_words = p.concat(build, rows[0], rows[1], dim=0)
    return key_words, p.concat(build, nothing, rows[2], rows[3], dim=0)


def _seeded_shape(
    shape: TensorShape, seed: TensorShape, *others: TensorShape, op: Any, **_: Any
) -> list[TensorShape]:
    (size,) = shape_rules.with_rank(seed, 1)
    if size not in (None, 2):
        raise ValueError(f"Dimension must be 2 but is {size}")
    return [shape_rules.shape_of(shape_rules.static_dims(op, 0))]


def _distribution(name: str, what: str, draw: Callable[..., Value]) -> type[OpDef]:
    class Stateless(
        OpDef,
        sig=f"{name}(shape: T, seed: Tseed, dtype: type = float32, "
        "Tseed: type = int64, T: type = int32) -> output: dtype",
        T=INDEX,
        Tseed=INDEX,
        dtype=FLOATS,
    ):
        shape = _seeded_shape
        grad = no_gradient

        def lower(build: Any, shape: Value, seed: Value, *, dtype: DType, **_: Any) -> Value:
            dims = static_shape(build, shape)
            key, counter = generator(build, seed)
            flat = draw(build, key, counter, math.prod(dims), dtype.short)
            return p.reshape(build, flat, shape=dims)

    Stateless.__name__, Stateless.__doc__ = name, what
    return Stateless


StatelessRandomUniform = _distribution(
    "StatelessRandomUniform", "Numbers in [0, 1), a function of the seed.", values.uniform
)
StatelessRandomNormal = _distribution(
    "StatelessRandomNormal", "Standard normals, a function of the seed.", values.normal
)
StatelessTruncatedNormal = _distribution(
    "StatelessTruncatedNormal", "Standard normals in (-2, 2), a function of the seed.",
    values.truncated_normal,
)  # fmt: skip


class StatelessRandomUniformInt(
    OpDef,
    sig="StatelessRandomUniformInt(shape: T, seed: Tseed, minval: dtype, maxval: dtype, "
    "Tseed: type = int64)"
    " -> output: dtype",
    T=INDEX,
    Tseed=INDEX,
    dtype=_INTEGERS,
):
    """Integers in [minval, maxval), a function of the seed."""

    shape = _seeded_shape
    grad = no_gradient

    def lower(build: Any, shape: Value, seed: Value, minval: Value, maxval: Value) -> Value:
        dims = static_shape(build, shape)
        check_bounds(build, minval, maxval, dims)
        key, counter = generator(build, seed)
        drawn = values.uniform_ints(build, key, counter, math.prod(dims), minval, maxval)
        return p.reshape(build, drawn, shape=dims)


class StatelessRandomUniformFullInt(
    OpDef,
    sig="StatelessRandomUniformFullInt(shape: T, seed: Tseed, dtype: type = uint64, "
    "Tseed: type = int64, T: type = int32)"
    " -> output: dtype",
    T=INDEX,
    Tseed=INDEX,
    dtype=_INTEGERS,
):
    """Integers of the whole range of their type, a function of the seed."""

    shape = _seeded_shape
    grad = no_gradient

    def lower(build: Any, shape: Value, seed: Value, *, dtype: DType, **_: Any) -> Value:
        dims = static_shape(build, shape)
        key, counter = generator(build, seed)
        count = math.prod(dims)
        drawn = values.integer_bits(build, key, counter, count, dtype.short)
        return p.reshape(build, drawn, shape=dims)


class StatelessMultinomial(
    OpDef,
    sig="StatelessMultinomial(logits: T, num_samples: int32, seed: Tseed,"
    " output_dtype: type = int64,"
    " Tseed: type = int64) -> output: output_dtype",
    T=REALS,
    Tseed=INDEX,
    output_dtype=INDEX,
):
    """`num_samples` class numbers for each row of unnormalised log probabilities."""

    grad = no_gradient
    shape = class_shape

    def lower(
        build: Any, logits: Value, num_samples: Value, seed: Value, *, output_dtype: DType
    ) -> Value:
        def take(_: int) -> tuple[Value, Value]:
            return generator(build, seed)

        return draw_classes(build, logits, num_samples, output_dtype, take)


def _parameter_shape(
    shape: TensorShape, seed: TensorShape, parameter: TensorShape, *, op: Any, **_: Any
) -> list[TensorShape]:
    return _seeded_shape(shape, seed, op=op)


def _samples_of(build: Any, shape: Value, parameter: Value) -> tuple[tuple[int, ...], int]:
    """(the wanted shape, samples for each parameter); it must end with the parameters' shape."""
    dims = static_shape(build, shape)
    tail = parameter.type.shape
    if dims[len(dims) - len(tail) :] != tail:
        raise invalid(
            build, f"Shape passed in must end with broadcasted shape: {shape_text(dims)} does not "
            f"end with {shape_text(tail)}",
        )  # fmt: skip
    return dims, math.prod(dims[: len(dims) - len(tail)])


class StatelessRandomGammaV2(
    OpDef,
    sig="StatelessRandomGammaV2(shape: T, seed: Tseed, alpha: dtype, Tseed: type = int64)"
    " -> output: dtype",
    T=INDEX,
    Tseed=INDEX,
    dtype=("f16", "f32", "f64"),
):
    """Gamma samples of scale 1; `shape` ends with the shape of the parameters `alpha`."""

    shape = _parameter_shape

    def grad(op: Any, dy: Any) -> list[Any]:
        alpha, sample = op.inputs[2], op.outputs[0]
        slope = dy * apply("RandomGammaGrad", alpha + apply("ZerosLike", sample), sample)
        return [None, None, _summed_to(slope, alpha)]

    def lower(build: Any, shape: Value, seed: Value, alpha: Value) -> Value:
        dims, samples = _samples_of(build, shape, alpha)
        if 0 in dims:
            return lanes.zeros(build, alpha.type.dtype, dims)
        key, counter = generator(build, seed)
        flat = p.reshape(build, alpha, shape=(alpha.type.size,))
        sample = draw_gamma(build, key, counter, samples, flat)
        return p.reshape(build, to(build, sample, alpha.type.dtype), shape=dims)


def _summed_to(x: Any, like: Any) -> Any:
    """`x` summed over the axes that it has and `like` has not."""
    shape = apply("Shape", like)
    _, axes = apply("BroadcastGradientArgs", apply("Shape", x), shape)
    return apply("Reshape", apply("Sum", x, axes, keep_dims=False), shape)


class StatelessRandomPoisson(
    OpDef,
    sig="StatelessRandomPoisson(shape: T, seed: Tseed, lam: Rtype, dtype: type = int64, "
    "Tseed: type = int64)"
    " -> output: dtype",
    T=INDEX,
    Tseed=INDEX,
    Rtype=("f16", "f32", "f64", "i32", "i64"),
    dtype=("f16", "f32", "f64", "i32", "i64"),
):
    """Poisson samples; `shape` ends with the shape of the rates."""

    shape = _parameter_shape
    grad = no_gradient

    def lower(build: Any, shape: Value, seed: Value, lam: Value, *, dtype: DType) -> Value:
        dims, samples = _samples_of(build, shape, lam)
        if 0 in dims:
            return lanes.zeros(build, dtype.short, dims)
        key, counter = generator(build, seed)
        flat = p.reshape(build, lam, shape=(lam.type.size,))
        sample = draw_poisson(build, key, counter, samples, flat)
        return p.reshape(build, to(build, sample, dtype.short), shape=dims)


# ---- the Python API


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Numbers in [minval, maxval), a function of the seed [2]; for floats maxval is 1 if None, and
    integers of the whole range are drawn if both are None.

    Raises:
      ValueError: the dtype is not allowed, or only one bound of integers is None.
    """
    wanted = dtypes.as_dtype(dtype)
    if wanted.short not in (*FLOATS, *_INTEGERS):
        raise ValueError(f"Invalid dtype {wanted!r}")
    if wanted.is_integer:
        if (minval is None) != (maxval is None):
            raise ValueError(
                f"For integer dtype {wanted!r}, minval and maxval must be both `None` or both "
                f"non-`None`; got minval={minval} and maxval={maxval}"
            )
    elif maxval is None:
        maxval = 1
    with name_scope(name, "stateless_random_uniform", [shape, seed, minval, maxval]) as scope:
        size = shape_tensor(shape)
        if wanted.is_integer and minval is None:
            return apply("StatelessRandomUniformFullInt", size, seed, dtype=wanted, name=scope)
        low = convert_to_tensor(minval, dtype=wanted, name="min")
        high = convert_to_tensor(maxval, dtype=wanted, name="max")
        if wanted.is_integer:
            return apply("StatelessRandomUniformInt", size, seed, low, high, name=scope)
        unit = apply("StatelessRandomUniform", size, seed, dtype=wanted)
        scaled = apply("Mul", unit, apply("Sub", high, low, name="sub"), name="mul")
        return apply("Add", scaled, low, name=scope)


def _scaled(
    op: str, default: str, shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, name: Any
) -> Tensor:
    wanted = dtypes.as_dtype(dtype)
    with name_scope(name, default, [shape, seed, mean, stddev]) as scope:
        size = shape_tensor(shape)
        center = convert_to_tensor(mean, dtype=wanted, name="mean")
        spread = convert_to_tensor(stddev, dtype=wanted, name="stddev")
        unit = apply(op, size, seed, dtype=wanted)
        return apply("Add", apply("Mul", unit, spread, name="mul"), center, name=scope)


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers, a function of the seed [2]."""
    default = "stateless_random_normal"
    return _scaled("StatelessRandomNormal", default, shape, seed, mean, stddev, dtype, name)


def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers within two standard deviations, a function of the seed [2]."""
    default = "stateless_truncated_normal"
    return _scaled("StatelessTruncatedNormal", default, shape, seed, mean, stddev, dtype, name)


def stateless_multinomial(
    logits: Any,
    num_samples: Any,
    seed: Any,
    output_dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Tensor:
    """Class numbers drawn from rows of unnormalised log probabilities: [rows, num_samples]."""
    with name_scope(name, "stateless_multinomial", [logits, seed]):
        return stateless_categorical(logits, num_samples, seed, output_dtype)


def stateless_categorical(
    logits: Any,
    num_samples: Any,
    seed: Any,
    dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Tensor:
    """Class numbers drawn from rows of unnormalised log probabilities: [rows, num_samples]."""
    with name_scope(name, "stateless_categorical", [logits, seed]):
        tensor = convert_to_tensor(logits, name="logits")
        wanted = dtypes.as_dtype(dtype)
        return apply("StatelessMultinomial", tensor, num_samples, seed, output_dtype=wanted)


def stateless_gamma(
    shape: Any,
    seed: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Gamma samples, a function of the seed [2]; `shape` ends with the broadcast shape of alpha
    and beta."""
    with name_scope(name, "stateless_random_gamma", [shape, seed, alpha, beta]) as scope:
        size = shape_tensor(shape)
        wanted = dtypes.as_dtype(dtype)
        alpha = convert_to_tensor(alpha, dtype=wanted, name="alpha")
        rate = convert_to_tensor(1 if beta is None else beta, name="beta", dtype=wanted)
        unit = apply("StatelessRandomGammaV2", size, seed, spread_over(alpha, rate))
        least = wanted.as_numpy_dtype(np.finfo(wanted.as_numpy_dtype).tiny)
        return apply("Maximum", least, unit / rate, name=scope)


def stateless_poisson(
    shape: Any, seed: Any, lam: Any, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """Poisson samples, a function of the seed [2]; `shape` ends with the shape of the rates."""
    with name_scope(name, "stateless_random_poisson", [shape, seed, lam]) as scope:
        size = shape_tensor(shape)
        wanted = dtypes.as_dtype(dtype)
        return apply("StatelessRandomPoisson", size, seed, lam, dtype=wanted, name=scope)
