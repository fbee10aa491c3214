"""Functions of `tf.nn` that work on blocks of the spatial axes: dilated windows as plain ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework.deprecation import either
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value
from tfc.ops import windows as w
from tfc.ops.join_ops import stack
from tfc.ops.pool_functions import avg_pool, avg_pool3d, max_pool, max_pool3d
from tfc.ops.shape_ops import expand_dims, shape, squeeze
from tfc.ops.space_ops import (
    batch_to_space_nd,
    required_space_to_batch_paddings,
    space_to_batch_nd,
)


def _spatial_axes(given: Any, count: int, rank: int | None, first: bool) -> list[int]:
    """The axes that blocks are taken of, in order."""
    axes = (
        list(range(2 if first else 1, (2 if first else 1) + count))
        if given is None
        else [int(a) for a in given]
    )
    if axes != sorted(set(axes)) or any(a < 1 for a in axes):
        raise ValueError(
            f"spatial_dims must be a monotonically increasing sequence of positive integers: {axes}"
        )
    if len(axes) != count:
        raise ValueError(f"spatial_dims has {len(axes)} entries, dilation_rate {count}")
    if rank is not None and rank < axes[-1] + 1:
        raise ValueError(f"input must have rank {axes[-1] + 1} at least, received {rank}")
    return axes


def _window_pads(filter_shape: Any, rates: Tensor, count: int) -> Any:
    """The zeros at both ends that give a dilated window a result everywhere."""
    sizes = convert_to_tensor(filter_shape, dtype=dtypes.int32, name="filter_shape")
    known = constant_value(sizes)
    rate = constant_value(rates)
    if known is not None and rate is not None:
        extra = (known[:count] - 1) * rate
        return np.stack([extra // 2, extra - extra // 2], axis=1).astype(np.int32)
    extra = (sizes[:count] - 1) * rates
    return stack([extra // 2, extra - extra // 2], axis=1)


def _at_axes(values: Any, axes: Sequence[int], filler: Any) -> Any:
    """One row for each axis from 1 to the last of `axes`: that of `values`, or `filler`."""
    last = axes[-1]
    if list(axes) == list(range(1, last + 1)):
        return values
    known = constant_value(values)
    if known is not None:
        rows = [known[axes.index(a)] if a in axes else filler for a in range(1, last + 1)]
        return convert_to_tensor(np.asarray(rows, np.int32))
    rows = [values[axes.index(a)] if a in axes else filler for a in range(1, last + 1)]
    return stack(rows)


def with_space_to_batch(
    input: Any,
    dilation_rate: Any,
    padding: Any,
    op: Callable[[Tensor, int, str], Tensor],
    filter_shape: Any = None,
    spatial_dims: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """`op`, which works on windows without holes, on `input` with windows that have holes.

    The spatial axes of `input` are taken apart into batches of every `dilation_rate`-th element,
    `op(batches, number of spatial axes, "VALID")` is called, and the results are put together
    again. With rates of 1, `op(input, number of spatial axes, padding)` is the result.

    padding: "SAME", "VALID", or a pair (before, after) for each axis of `input`.
    filter_shape: the window, which padding "SAME" needs. spatial_dims: the axes, where they are
    not those after the batch (and channels, where data_format begins with "NC").

    Raises:
      ValueError: rates below 1 or of unknown number, axes that do not rise, a rank that is too
        small, another padding, or "SAME" without filter_shape.
    """
    input = convert_to_tensor(input, name="input")
    rates = convert_to_tensor(dilation_rate, dtype=dtypes.int32, name="dilation_rate")
    rates.get_shape().assert_has_rank(1)
    count = rates.get_shape()[0].value
    if count is None:
        raise ValueError("rate must have known shape")
    if count < 1:
        raise ValueError("there is no dilation rate: dilation_rate is empty")
    if padding not in ("SAME", "VALID") and not isinstance(padding, (list, tuple)):
        raise ValueError(f"Invalid padding method {padding!r}")
    first = data_format is not None and data_format.startswith("NC")
    axes = _spatial_axes(spatial_dims, count, input.get_shape().ndims, first)
    rate = constant_value(rates)
    if rate is not None:
        if np.any(rate < 1):
            raise ValueError("dilation_rate must be positive")
        if np.all(rate == 1):
            return op(input, count, padding)
    if padding == "SAME" and filter_shape is None:
        raise ValueError("filter_shape must be specified for SAME padding")
    pads: Any = np.zeros((count, 2), np.int32)
    if padding == "SAME":
        pads = _window_pads(filter_shape, rates, count)
    elif padding != "VALID":
        pads = np.asarray([padding[a] for a in axes], np.int32)
    known = input.get_shape().as_list() if input.get_shape().ndims is not None else None
    if known is not None and all(known[a] is not None for a in axes):
        extents: Any = np.asarray([known[a] for a in axes], np.int32)
    else:
        sizes = shape(input)
        extents = stack([sizes[a] for a in axes])
    paddings, crops = required_space_to_batch_paddings(extents, rates, pads)
    blocks = _at_axes(rates, axes, 1)
    parts = space_to_batch_nd(input, blocks, _at_axes(paddings, axes, [0, 0]))
    result = op(parts, count, "VALID")  # the padding is among the blocks now
    whole = batch_to_space_nd(result, blocks, _at_axes(crops, axes, [0, 0]))
    if first and whole.get_shape().ndims is None and known is not None:
        whole.set_shape([None] * len(known))
    return whole


def _numbers(what: str, value: Any, count: int) -> np.ndarray:
    """`count` numbers of at least 1, of one or of as many."""
    if value is None:
        return np.ones(count, np.int32)
    numbers = np.asarray(value, np.int64).reshape(-1)
    if numbers.size == 1:
        numbers = np.repeat(numbers, count)
    if numbers.size != count:
        raise ValueError(f"len({what})={numbers.size} but should be {count}")
    if np.any(numbers < 1):
        raise ValueError(f"all values of {what} must be positive")
    return numbers


def _plain_pool(pooling_type: str, count: int, window: Any, steps: Any, first: bool) -> Any:
    """A pool over `count` axes as `with_space_to_batch` calls it."""
    layout = ("NCHW" if first else "NHWC") if count < 3 else ("NCDHW" if first else "NDHWC")
    at = 2 if first else 1
    functions = (max_pool, max_pool3d) if pooling_type == "MAX" else (avg_pool, avg_pool3d)
    more = [1] if count == 1 else []
    sizes = [w.from_last([1, *more, *map(int, v), 1], layout) for v in (window, steps)]

    def run(x: Tensor, _: int, padding: str, name: str | None = None) -> Tensor:
        x = expand_dims(x, at) if count == 1 else x
        result = functions[count == 3](x, sizes[0], sizes[1], padding, layout, name=name)
        return squeeze(result, [at]) if count == 1 else result

    return run


def pool(
    input: Any,
    window_shape: Sequence[int],
    pooling_type: str,
    padding: str,
    dilation_rate: Any = None,
    strides: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """Max or average pooling over one, two or three axes, by the length of `window_shape`.

    Raises:
      ValueError: another kind of pooling or padding; strides, or "SAME", with a dilated window;
        a stride beyond the window.
    """
    rate = either("dilations", dilations, "dilation_rate", dilation_rate)
    if pooling_type not in ("MAX", "AVG"):
        raise ValueError(f"pooling_type must be 'MAX' or 'AVG', not {pooling_type!r}")
    with name_scope(name, f"{pooling_type.lower()}_pool", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        count = len(window_shape)
        if not 1 <= count <= 3:
            raise ValueError(f"`window_shape` has {count} entries, but only 1 to 3 axes are pooled")
        input.get_shape().assert_has_rank(count + 2)
        rates = _numbers("dilation_rate", rate, count)
        steps = _numbers("strides", strides, count)
        if np.any(rates > 1):
            if np.any(steps > 1):
                raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
            if padding == "SAME":
                raise ValueError(
                    "pooling with SAME padding is not implemented for dilation_rate > 1"
                )
        if np.any(steps > np.asarray(window_shape)):
            raise ValueError("strides > window_shape are not supported")
        first = data_format is not None and w.channels_first(data_format)
        run = _plain_pool(pooling_type, count, window_shape, steps, first)
        if np.all(rates == 1):
            return run(input, count, padding, scope)
        axes = list(range(2, 2 + count) if first else range(1, 1 + count))
        return with_space_to_batch(
            input, rates, padding, run, filter_shape=window_shape, spatial_dims=axes
        )
