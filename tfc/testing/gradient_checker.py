"""Gradients of a graph against central differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.framework.gradients import gradients
from tfc.framework.graph import convert_to_tensor
from tfc.framework.session_stack import get_default_session
from tfc.ops import const_ops

Array = np.ndarray


def compute_gradient(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: dict[Any, Any] | None = None,
) -> Any:
    """(Jacobian by the graph's gradients, Jacobian by central differences), each [size of x, size
    of y], in the default Session; a list of such pairs if x is a list.

    x_init_value: where to compute them; random in [0, 1) if None. init_targets: ops to run first.

    Raises:
      ValueError: there is no default Session, or y does not depend on x, or one is complex.
    """
    session = get_default_session()
    if session is None:
        raise ValueError("compute_gradient needs a default Session")
    feeds = dict(extra_feed_dict or {})
    for target in [init_targets] if _is_one(init_targets) else init_targets or []:
        session.run(target)
    if not isinstance(x, list):
        return _jacobians(session, x, x_shape, y, y_shape, x_init_value, delta, feeds)
    values = x_init_value if isinstance(x_init_value, list) else [None] * len(x)
    points = [_point(t, shape, v) for t, shape, v in zip(x, x_shape, values, strict=True)]
    feeds |= dict(zip(x, points, strict=True))
    return [
        _jacobians(session, t, shape, y, y_shape, point, delta, feeds)
        for t, shape, point in zip(x, x_shape, points, strict=True)
    ]


def _is_one(targets: Any) -> bool:
    return targets is not None and not isinstance(targets, list | tuple)


def _point(x: Any, shape: Sequence[int], value: Any) -> Array:
    if value is None:
        value = np.random.random_sample(tuple(shape))
    return np.array(value, dtype=x.dtype.base_dtype.as_numpy_dtype).reshape(tuple(shape))


def _jacobians(
    session: Any, x: Any, x_shape: Any, y: Any, y_shape: Any, value: Any, delta: float,
    feeds: dict[Any, Any],
) -> tuple[Array, Array]:  # fmt: skip
    if x.dtype.is_complex or y.dtype.is_complex:
        raise ValueError(f"compute_gradient takes real tensors, not {x.dtype} and {y.dtype}")
    point = _point(x, x_shape, value)
    kind = y.dtype.base_dtype.as_numpy_dtype
    with x.graph.as_default():
        weights = const_ops.placeholder_with_default(np.ones(tuple(y_shape), kind), tuple(y_shape))
        (slope,) = gradients(y, x, grad_ys=[weights])
        if slope is None:
            raise ValueError(f"{y} does not depend on {x}")
        slope = convert_to_tensor(slope)
    count = int(np.prod(tuple(y_shape), dtype=int))
    found = np.zeros((point.size, count), point.dtype)
    estimated = np.zeros((point.size, count), point.dtype)
    for column in range(count):
        single = np.zeros(count, kind)
        single[column] = 1
        given = feeds | {x: point, weights: single.reshape(tuple(y_shape))}
        found[:, column] = np.ravel(session.run(slope, given))
    for row in range(point.size):
        sides = []
        for sign in (1, -1):
            moved = point.copy()
            moved.reshape(-1)[row] += sign * delta
            sides.append(np.ravel(session.run(y, feeds | {x: moved})))
        estimated[row] = (sides[0] - sides[1]) / (2 * delta)
    return found, estimated


def compute_gradient_error(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: dict[Any, Any] | None = None,
) -> float:
    """The greatest difference between the two Jacobians of `compute_gradient`."""
    pairs = compute_gradient(
        x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict
    )
    pairs = pairs if isinstance(x, list) else [pairs]
    return float(max((np.abs(a - b).max() for a, b in pairs if a.size), default=0.0))
