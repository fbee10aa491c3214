"""Batch renormalization: what makes the statistics of a batch those of moving averages.

With mean and deviation of the batch and of the averages, `(x - mean) / stddev * r + d` is
`(x - renorm_mean) / renorm_stddev`, if r and d are not bounded.
"""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor, colocate_with, control_dependencies
from tfc.layers.branches import branch
from tfc.layers.moving import add_to_average
from tfc.ops.array_ops import constant, identity, ones_like, zeros_like
from tfc.ops.nn_functions import relu
from tfc.ops.state_ops import assign
from tfc.ops.sum_ops import maximum, minimum
from tfc.ops.unary_api import sqrt


def make_variables(layer: Any) -> None:
    """`moving_stddev`, beside the moving variance, and the averages that training uses."""

    def stddev(*args: Any, **kwargs: Any) -> Tensor:
        return sqrt(layer.moving_variance_initializer(*args, **kwargs))

    with colocate_with(layer.moving_variance.op):
        layer.moving_stddev = layer.make_moving("moving_stddev", stddev)
    with colocate_with(layer.moving_mean.op):
        layer.renorm_mean = layer.make_moving("renorm_mean", layer.moving_mean_initializer)
    with colocate_with(layer.moving_stddev.op):
        layer.renorm_stddev = layer.make_moving("renorm_stddev", stddev)


def kept(layer: Any, momentum: float, training: Any) -> Any:
    """The momentum in training, else 1: nothing changes."""
    dtype = layer.moving_mean.dtype.base_dtype
    return branch(training, lambda: constant(momentum, dtype), lambda: constant(1.0, dtype))


def correction(
    layer: Any, mean: Tensor, variance: Tensor, training: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(r, d, mean, variance) of a batch; the last two only exist once the averages are updated."""
    stddev = sqrt(variance + layer.epsilon)
    average = maximum(layer.renorm_stddev, sqrt(constant(layer.epsilon, stddev.dtype)))
    r = stddev / average
    d = (mean - layer.renorm_mean) / average
    with control_dependencies([r, d]):
        mean, stddev = identity(mean), identity(stddev)
    bounds = layer.renorm_clipping
    if bounds.get("rmin") is not None:
        r = maximum(r, bounds["rmin"])
    if bounds.get("rmax") is not None:
        r = minimum(r, bounds["rmax"])
    if bounds.get("dmax") is not None:
        d = minimum(maximum(d, -bounds["dmax"]), bounds["dmax"])
    r = branch(training, lambda: r, lambda: ones_like(r))
    d = branch(training, lambda: d, lambda: zeros_like(d))
    momentum = kept(layer, layer.renorm_momentum, training)
    updates = [
        add_to_average(layer.renorm_mean, mean, momentum),
        add_to_average(layer.renorm_stddev, stddev, momentum),
    ]
    with control_dependencies(updates):
        return r, d, identity(mean), identity(variance)


def update_variance(layer: Any, variance: Tensor, training: Any) -> Tensor:
    """The op that sets the moving variance to the square of the moving deviation."""
    momentum = kept(layer, layer.momentum, training)
    stddev = add_to_average(layer.moving_stddev, sqrt(variance + layer.epsilon), momentum)
    squared = relu(stddev * stddev - layer.epsilon)
    value = branch(training, lambda: squared, lambda: identity(layer.moving_variance))
    result: Tensor = assign(layer.moving_variance, value, name="AssignNewValue")
    return result
