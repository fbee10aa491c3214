"""Random ops and their functions: uniform, normal, truncated normal, shuffles, classes.

What they draw, and how that agrees with TensorFlow, is in `random_values`.
"""

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
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.random_seed import get_seed
from tfc.ir.core import Value
from tfc.ops import random_values as values
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient, unchanged
from tfc.ops.lowering import invalid, to
from tfc.runtime.rng import RESERVED

# ---- the ops


def _given_shape(shape: TensorShape, *others: TensorShape, op: Any, **_: Any) -> list[TensorShape]:
    shape_rules.with_rank(shape, 1)
    return [shape_rules.shape_of(shape_rules.static_dims(op, 0))]


def static_shape(build: Any, shape: Value) -> tuple[int, ...]:
    """The value of the operand `shape`, which must be known before the run."""
    dims = build.static(shape)
    if dims.ndim != 1:
        raise invalid(
            build, f"shape must be a vector of {{int32,int64}}, got shape {shape_text(dims.shape)}"
        )
    if np.any(dims < 0):
        raise invalid(build, f"Dimension {int(dims.min())} must be >= 0")
    return tuple(int(d) for d in dims)


def _distribution(name: str, what: str, draw: Callable[..., Value]) -> type[OpDef]:
    class Random(
        OpDef,
        sig=f"{name}(shape: T, dtype: type, seed: int = 0, seed2: int = 0) -> output: dtype",
        T=INDEX,
        dtype=FLOATS,
    ):
        stateful = True
        shape = _given_shape
        grad = no_gradient

        def lower(
            build: Any, shape: Value, *, dtype: DType, seed: int, seed2: int, **_: Any
        ) -> Value:
            dims = static_shape(build, shape)
            count = math.prod(dims)
            key, counter = values.take(build, seed, seed2, count * RESERVED)
            return p.reshape(build, draw(build, key, counter, count, dtype.short), shape=dims)

    Random.__name__, Random.__doc__ = name, what
    return Random


RandomUniform = _distribution("RandomUniform", "Numbers in [0, 1).", values.uniform)
RandomStandardNormal = _distribution("RandomStandardNormal", "Standard normals.", values.normal)
TruncatedNormal = _distribution(
    "TruncatedNormal", "Standard normals, redrawn until in (-2, 2).", values.truncated_normal
)


def check_bounds(build: Any, minval: Value, maxval: Value, dims: tuple[int, ...]) -> None:
    """Fail unless the bounds of random integers are scalars and the first is less; where no number
    is asked for, it need not be."""
    for name, bound in (("minval", minval), ("maxval", maxval)):
        if bound.type.shape != ():
            raise invalid(build, f"{name} must be 0-D, got shape {shape_text(bound.type.shape)}")
    if not math.prod(dims):
        return
    message = "Need minval < maxval, got {0} >= {1}"
    ok = p.lt(build, minval, maxval)
    build.assert_(ok, (minval, maxval), "InvalidArgumentError", message)


class RandomUniformInt(
    OpDef,
    sig="RandomUniformInt(shape: T, minval: Tout, maxval: Tout, seed: int = 0, seed2: int = 0)"
    " -> output: Tout",
    T=INDEX,
    Tout=INDEX,
):
    """Integers in [minval, maxval)."""

    stateful = True
    grad = no_gradient

    def shape(
        shape: TensorShape, minval: TensorShape, maxval: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        for name, bound in (("minval", minval), ("maxval", maxval)):
            if bound.ndims:
                text = shape_rules.text(shape_rules.dims_of(bound))
                raise ValueError(f"{name} must be a scalar; got a tensor of shape {text}")
        return _given_shape(shape, op=op)

    def lower(
        build: Any, shape: Value, minval: Value, maxval: Value, *, seed: int, seed2: int, **_: Any
    ) -> Value:
        dims = static_shape(build, shape)
        check_bounds(build, minval, maxval, dims)
        count = math.prod(dims)
        key, counter = values.take(build, seed, seed2, count * RESERVED)
        drawn = values.uniform_ints(build, key, counter, count, minval, maxval)
        return p.reshape(build, drawn, shape=dims)


class RandomShuffle(
    OpDef, sig="RandomShuffle(value: T, seed: int = 0, seed2: int = 0) -> output: T", T=ANY
):
    """The rows of `value` in random order: swaps of row i with one of rows i to n - 1."""

    stateful = True
    shape = unchanged

    def grad(op: Any, dy: Any) -> list[Any]:
        raise LookupError("No gradient defined for operation 'RandomShuffle'")

    def lower(build: Any, value: Value, *, seed: int, seed2: int, **_: Any) -> Value:
        if value.type.size <= 1 or value.type.shape[0] <= 1:
            return value
        rows = value.type.shape[0]
        key, counter = values.take(build, seed, seed2, (rows - 1 + 3) // 4)
        words = p.rng_bits(build, key, counter, n=rows - 1)
        order = values.permutation(build, values.swap_partners(build, words, rows))
        at = p.reshape(build, order, shape=(rows, 1))
        return p.gather(build, value, at, dims=(0,))


def class_shape(
    logits: TensorShape, num: TensorShape, *others: TensorShape, op: Any, **_: Any
) -> list[TensorShape]:
    """Shape rule of class numbers: [rows of the logits, how many are drawn]."""
    rows, _classes = shape_rules.with_rank(logits, 2)
    shape_rules.with_rank(num, 0)
    return [shape_rules.shape_of([rows, shape_rules.extent_given(op, 1)])]


def draw_classes(
    build: Any,
    logits: Value,
    num_samples: Value,
    dtype: DType,
    take: Callable[[int], tuple[Value, Value]],
) -> Value:
    """Class numbers for each row of logits. `take(groups)` gives the key and the counter, and
    has that many groups of words used up."""
    if logits.type.rank != 2:
        raise invalid(
            build, f"logits should be a matrix, got shape {shape_text(logits.type.shape)}"
        )
    samples = int(build.static(num_samples).reshape(()))
    rows, classes = logits.type.shape
    if samples < 0:
        raise invalid(build, f"num_samples should be non-negative, got {samples}")
    if classes == 0:
        raise invalid(build, "num_classes should be positive, got 0")
    count = rows * samples
    reserved = 2 * rows * ((samples + 3) // 4 * 4)
    key, counter = take(reserved * RESERVED if count else 0)
    draws = values.uniform(build, key, counter, count, "f64")
    chosen = values.classes_of(build, logits, p.reshape(build, draws, shape=(rows, samples)))
    return to(build, chosen, dtype.short)


class Multinomial(
    OpDef,
    sig="Multinomial(logits: T, num_samples: int32, seed: int = 0, seed2: int = 0,"
    " output_dtype: type = int64) -> output: output_dtype",
    T=REALS,
    output_dtype=INDEX,
):
    """`num_samples` class numbers for each row of unnormalised log probabilities."""

    stateful = True
    grad = no_gradient
    shape = class_shape

    def lower(
        build: Any, logits: Value, num_samples: Value, *, seed: int, seed2: int,
        output_dtype: DType, **_: Any,
    ) -> Value:  # fmt: skip
        def take(groups: int) -> tuple[Value, Value]:
            return values.take(build, seed, seed2, groups)

        return draw_classes(build, logits, num_samples, output_dtype, take)


# ---- the Python API


def shape_tensor(shape: Any, name: str = "shape") -> Tensor:
    """A shape as an int32 (or given integer) vector."""
    if isinstance(shape, list | tuple | TensorShape) and len(shape) == 0:
        return convert_to_tensor([], dtype=dtypes.int32, name=name)
    return convert_to_tensor(shape, name=name)


def _seeds(seed: int | None) -> dict[str, Any]:
    first, second = get_seed(seed)
    return {"seed": first or 0, "seed2": second or 0}


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers in [minval, maxval); maxval is 1 for floats if not given.

    Raises:
      ValueError: the dtype is not allowed, or is an integer and maxval is not given.
    """
    wanted = dtypes.as_dtype(dtype)
    if wanted.short not in (*FLOATS, *INDEX):
        raise ValueError(f"Invalid dtype {wanted!r}")
    if maxval is None:
        if wanted.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {wanted!r}")
        maxval = 1
    with name_scope(name, "random_uniform", [shape, minval, maxval]) as scope:
        size = shape_tensor(shape)
        low = convert_to_tensor(minval, dtype=wanted, name="min")
        high = convert_to_tensor(maxval, dtype=wanted, name="max")
        seeds = _seeds(seed)
        if wanted.is_integer:
            return apply("RandomUniformInt", size, low, high, **seeds, name=scope)
        unit = apply("RandomUniform", size, dtype=wanted, **seeds)
        span = apply("Sub", high, low, name="sub")
        scaled = apply("Mul", unit, span, name="mul")
        return apply("Add", scaled, low, name=scope)


def _scaled(
    op: str,
    name: str | None,
    default: str,
    shape: Any,
    mean: Any,
    stddev: Any,
    dtype: Any,
    seed: Any,
) -> Tensor:
    wanted = dtypes.as_dtype(dtype)
    with name_scope(name, default, [shape, mean, stddev]) as scope:
        size = shape_tensor(shape)
        center = convert_to_tensor(mean, dtype=wanted, name="mean")
        spread = convert_to_tensor(stddev, dtype=wanted, name="stddev")
        unit = apply(op, size, dtype=wanted, **_seeds(seed))
        scaled = apply("Mul", unit, spread, name="mul")
        return apply("Add", scaled, center, name=scope)


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers."""
    return _scaled("RandomStandardNormal", name, "random_normal", shape, mean, stddev, dtype, seed)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers, redrawn until within two standard deviations."""
    return _scaled("TruncatedNormal", name, "truncated_normal", shape, mean, stddev, dtype, seed)


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows of `value` in random order; a scalar as it is.

    Strings are taken in the order that as many numbers are shuffled into.
    """
    value = convert_to_tensor(value, name="value")
    if value.dtype.base_dtype != dtypes.string:
        return apply("RandomShuffle", value, **_seeds(seed), name=name)
    with name_scope(name, "RandomShuffle", [value]) as scope:
        dims = apply("Shape", value)
        rows = apply("Prod", apply("StridedSlice", dims, [0], [1], [1]), [0])  # 1, of a scalar
        order = apply("RandomShuffle", apply("Range", 0, rows, 1), **_seeds(seed))
        tall = apply("Reshape", value, apply("ConcatV2", [[-1], dims[1:]], 0))
        shuffled = apply("Reshape", apply("GatherV2", tall, order, 0), dims, name=scope)
        shuffled.set_shape(value.get_shape())
        return shuffled


def multinomial(
    logits: Any,
    num_samples: Any,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = None,
) -> Tensor:
    """Class numbers drawn from rows of unnormalised log probabilities: [rows, num_samples]."""
    with name_scope(name, "multinomial", [logits]):
        tensor = convert_to_tensor(logits, name="logits")
        wanted = dtypes.int64 if output_dtype is None else dtypes.as_dtype(output_dtype)
        return apply("Multinomial", tensor, num_samples, output_dtype=wanted, **_seeds(seed))


def categorical(
    logits: Any,
    num_samples: Any,
    dtype: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """`multinomial` with its parameters in another order."""
    with name_scope(name, "categorical", [logits]):
        return multinomial(logits, num_samples, seed, output_dtype=dtype)
