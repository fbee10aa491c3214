"""Learning rates that change with the global step, as tensors of the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import cast_ops, const_ops
from tfc.ops.random_ops import random_normal


def _prepared(learning_rate: Any, global_step: Any, *numbers: Any) -> tuple[Tensor, ...]:
    """The rate as a tensor, and the step and the other numbers in its dtype.

    Raises:
      ValueError: there is no global step.
    """
    if global_step is None:
        raise ValueError("global_step is required")
    rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
    dtype = rate.dtype.base_dtype
    return rate, *(cast_ops.cast(v, dtype) for v in (global_step, *numbers))


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * decay_rate ** (global_step / decay_steps); whole steps if `staircase`."""
    values = [learning_rate, global_step, decay_steps, decay_rate]
    with name_scope(name, "ExponentialDecay", values) as scope:
        rate, step, steps, decay = _prepared(learning_rate, global_step, decay_steps, decay_rate)
        part = step / steps
        if staircase:
            part = apply("Floor", part)
        return apply("Mul", rate, apply("Pow", decay, part), name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate * exp(-decay_rate * global_step / decay_steps)."""
    values = [learning_rate, global_step, decay_rate]
    with name_scope(name, "ExponentialDecay", values) as scope:
        rate, step, steps, decay = _prepared(learning_rate, global_step, decay_steps, decay_rate)
        part = step / steps
        if staircase:
            part = apply("Floor", part)
        return apply("Mul", rate, apply("Exp", -decay * part), name=scope)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """learning_rate / (1 + decay_rate * global_step / decay_steps)."""
    values = [learning_rate, global_step, decay_rate]
    with name_scope(name, "InverseTimeDecay", values) as scope:
        rate, step, steps, decay = _prepared(learning_rate, global_step, decay_steps, decay_rate)
        part = step / steps
        if staircase:
            part = apply("Floor", part)
        one = const_ops.constant(1, dtype=rate.dtype)
        return apply("RealDiv", rate, apply("Add", one, decay * part), name=scope)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """From learning_rate to end_learning_rate in decay_steps, by a power of what is left; then
    constant, or again over a longer time if `cycle`."""
    values = [learning_rate, global_step, decay_steps, end_learning_rate, power]
    with name_scope(name, "PolynomialDecay", values) as scope:
        rate, step, steps, end, exponent = _prepared(
            learning_rate, global_step, decay_steps, end_learning_rate, power
        )
        if cycle:
            started = apply("Ceil", step / steps)
            one = const_ops.constant(1, dtype=rate.dtype)
            zero = const_ops.constant(0, dtype=rate.dtype)
            times = apply("Select", apply("Equal", step, zero), one, started)
            steps = steps * times
        else:
            step = apply("Minimum", step, steps)
        left = 1 - step / steps
        return apply("Add", (rate - end) * apply("Pow", left, exponent), end, name=scope)


def piecewise_constant(
    x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None
) -> Tensor:
    """values[0] while x <= boundaries[0], values[i] while boundaries[i-1] < x <= boundaries[i],
    then the last one.

    Raises:
      ValueError: there is not one value more than boundaries, or dtypes differ.
    """
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    with name_scope(name, "PiecewiseConstant", [x, boundaries, values, name]) as scope:
        at = convert_to_tensor(x)
        dtype = at.dtype.base_dtype
        limits = [_boundary(b, dtype) for b in boundaries]
        rates = [convert_to_tensor(v) for v in values]
        for rate in rates:
            if rate.dtype.base_dtype != rates[0].dtype.base_dtype:
                raise ValueError(
                    f"Values must have elements all with the same dtype "
                    f"({rate.dtype.base_dtype} vs {rates[0].dtype.base_dtype})."
                )
        chosen = rates[-1]
        for limit, rate in zip(reversed(limits), reversed(rates[:-1]), strict=True):
            chosen = apply("Select", apply("LessEqual", at, limit), rate, chosen)
        return const_ops.identity(chosen, name=scope)


piecewise_constant_decay = piecewise_constant


def _boundary(value: Any, dtype: Any) -> Tensor:
    """A boundary in the dtype of x.

    Raises:
      ValueError: its own dtype is another one.
    """
    limit = convert_to_tensor(value)
    found = limit.dtype.base_dtype
    if found == dtype:
        return limit
    if found == dtypes.int32 and dtype == dtypes.int64:
        return cast_ops.cast(limit, dtype)
    raise ValueError(f"Boundaries ({found}) must have the same dtype as x ({dtype}).")


def cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    alpha: Any = 0.0,
    name: str | None = None,
) -> Tensor:
    """Half a cosine from learning_rate down to alpha * learning_rate in decay_steps."""
    with name_scope(name, "CosineDecay", [learning_rate, global_step]) as scope:
        rate, step, steps = _prepared(learning_rate, global_step, decay_steps)
        part = apply("Minimum", step, steps) / steps
        pi = const_ops.constant(math.pi, dtype=rate.dtype)
        cosine = 0.5 * (1.0 + apply("Cos", pi * part))
        return apply("Mul", rate, (1 - alpha) * cosine + alpha, name=scope)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: Any = 0.0,
    name: str | None = None,
) -> Tensor:
    """Cosine decay that starts anew after first_decay_steps, each time t_mul as long and from
    m_mul as high."""
    with name_scope(name, "SGDRDecay", [learning_rate, global_step]) as scope:
        rate, step, first = _prepared(learning_rate, global_step, first_decay_steps)
        dtype = rate.dtype.base_dtype
        times, heights, floor = (
            cast_ops.cast(convert_to_tensor(v, name=n), dtype)
            for v, n in ((t_mul, "t_mul"), (m_mul, "m_mul"), (alpha, "alpha"))
        )
        done = step / first
        # Restarts so far: of a geometric series of lengths, or of equal lengths if t_mul is 1.
        series = apply("Log", 1.0 - done * (1.0 - times)) / apply("Log", times)
        geometric = apply("Floor", series)
        total = (1.0 - apply("Pow", times, geometric)) / (1.0 - times)
        within = (done - total) / apply("Pow", times, geometric)
        whole = apply("Floor", done)
        equal = apply("Equal", times, const_ops.constant(1.0, dtype=dtype))
        restarts = apply("Select", equal, whole, geometric)
        part = apply("Select", equal, done - whole, within)
        pi = const_ops.constant(math.pi, dtype=dtype)
        cosine = 0.5 * apply("Pow", heights, restarts) * (1.0 + apply("Cos", pi * part))
        return apply("Mul", rate, (1 - floor) * cosine + floor, name=scope)


def _linear_cosine(
    rate: Tensor, step: Tensor, steps: Tensor, num_periods: Any, noise: Any = None
) -> tuple[Tensor, Tensor]:
    """(what is left of the steps, half a cosine of num_periods periods up to now)."""
    dtype = rate.dtype.base_dtype
    periods = cast_ops.cast(convert_to_tensor(num_periods, name="num_periods"), dtype)
    now = apply("Minimum", step, steps)
    left = (steps - now) / steps
    if noise is not None:
        left = left + noise(now, left)
    turned = 2.0 * periods * (now / steps)
    pi = const_ops.constant(math.pi, dtype=dtype)
    return left, 0.5 * (1.0 + apply("Cos", pi * turned))


def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """learning_rate * ((alpha + what is left of decay_steps) * a cosine + beta), where the cosine
    goes from 1 to 0 in half a period."""
    with name_scope(name, "LinearCosineDecay", [learning_rate, global_step]) as scope:
        rate, step, steps = _prepared(learning_rate, global_step, decay_steps)
        left, cosine = _linear_cosine(rate, step, steps, num_periods)
        return apply("Mul", rate, (alpha + left) * cosine + beta, name=scope)


def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: Any = 1.0,
    variance_decay: Any = 0.55,
    num_periods: Any = 0.5,
    alpha: Any = 0.0,
    beta: Any = 0.001,
    name: str | None = None,
) -> Tensor:
    """`linear_cosine_decay` with normal noise on what is left, of variance
    initial_variance / (1 + global_step) ** variance_decay."""
    with name_scope(name, "NoisyLinearCosineDecay", [learning_rate, global_step]) as scope:
        rate, step, steps = _prepared(learning_rate, global_step, decay_steps)
        dtype = rate.dtype.base_dtype
        first, power = (
            cast_ops.cast(convert_to_tensor(v, name=n), dtype)
            for v, n in ((initial_variance, "initial_variance"), (variance_decay, "variance_decay"))
        )

        def noise(now: Tensor, left: Tensor) -> Tensor:
            spread = apply("Sqrt", first / apply("Pow", 1.0 + now, power))
            return random_normal(left.get_shape(), stddev=spread, dtype=dtype)

        left, cosine = _linear_cosine(rate, step, steps, num_periods, noise)
        return apply("Mul", rate, (alpha + left) * cosine + beta, name=scope)
