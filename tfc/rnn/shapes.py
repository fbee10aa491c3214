"""Shapes and structures of states and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.tensor_util import constant_value
from tfc.ops.array_ops import concat, constant, expand_dims, rank, shape, transpose, zeros
from tfc.ops.scan_ops import range_


def joined(prefix: Any, suffix: Any) -> Tensor:
    """The shape `prefix + suffix` as a tensor. Each is an extent, a shape or an int32 tensor.

    Raises:
      ValueError: one of them is not known.
    """
    parts = [_vector(prefix), _vector(suffix)]
    if parts[0] is None or parts[1] is None:
        raise ValueError(
            f"Provided a prefix or suffix of None: prefix {prefix} and suffix {suffix}"
        )
    return concat(parts, 0)


def joined_static(prefix: Any, suffix: Any) -> TensorShape:
    """What is known of the shape `prefix + suffix`."""
    return _static(prefix).concatenate(_static(suffix))


def _vector(part: Any) -> Tensor | None:
    if isinstance(part, Tensor):
        ndims = part.get_shape().ndims
        if ndims not in (0, 1):
            raise ValueError(
                f"prefix and suffix tensors must be either a scalar or vector, but saw: {part!r}"
            )
        return expand_dims(part, 0) if ndims == 0 else part
    known = TensorShape(part)
    return constant(known.as_list(), dtypes.int32) if known.is_fully_defined() else None


def _static(part: Any) -> TensorShape:
    if not isinstance(part, Tensor):
        return TensorShape(part)
    value = constant_value(part)
    if value is not None:
        return TensorShape(value)
    return TensorShape([None] if part.get_shape().ndims == 0 else None)


def zeros_of(sizes: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros of shape `[batch_size] + size` for every size of a structure."""

    def make(size: Any) -> Tensor:
        made = zeros(joined(batch_size, size), dtype=dtype)
        # TensorFlow makes these constants a second time, and how many ops there are decides the
        # default seed of a random op.
        _vector(batch_size), _vector(size)
        made.set_shape(joined_static(batch_size, size))
        return made

    return nest.map_leaves(make, sizes)


def batch_of(flat_input: Sequence[Tensor]) -> Any:
    """The batch size of inputs of shape [time, batch, …]: a number if one of them says so.

    Raises:
      ValueError: one of them has less than two axes.
    """
    for value in flat_input:
        known = value.get_shape()
        if known.ndims is None:
            continue
        if known.ndims < 2:
            raise ValueError(f"Expected input tensor {value.name} to have rank at least 2")
        if known.as_list()[1] is not None:
            return known.as_list()[1]
    return shape(flat_input[0])[1]


def state_dtype(explicit: Any, state: Any) -> Any:
    """The dtype of zeros beside `state`.

    Raises:
      ValueError: none is given, and the tensors of the state have none or several.
    """
    if explicit is not None:
        return explicit
    found = [x.dtype for x in nest.flatten(state)]
    if not found:
        raise ValueError("Unable to infer dtype from empty state.")
    if any(dtype != found[0] for dtype in found):
        raise ValueError(
            "State has tensors of different inferred_dtypes. Unable to infer a single "
            "representative dtype."
        )
    return found[0]


def swap_batch_and_time(x: Any) -> Tensor:
    """`x` with its first two axes exchanged; one of less axes as it is."""
    x = convert_to_tensor(x)
    known = x.get_shape()
    if known.ndims is not None and known.ndims < 2:
        return x
    # With these ops, not with a list, for their names and number are TensorFlow's.
    swapped = transpose(x, concat([[1, 0], range_(2, rank(x))], axis=0))
    if known.ndims is not None:
        swapped.set_shape([known[1], known[0], *known[2:]])
    return swapped


def map_numbered(function: Callable[..., Any], form: Any, *structures: Any) -> Any:
    """`function(number, *parts)` for the parts of `structures` at each leaf of `form`, which may
    end before they do; in the form of `form`."""
    count = iter(range(len(nest.flatten(form))))

    def walk(at: Any, parts: Sequence[Any]) -> Any:
        if not nest.is_sequence(at):
            return function(next(count), *parts)
        if isinstance(at, dict):
            return {key: walk(at[key], [part[key] for part in parts]) for key in sorted(at)}
        rows = zip(at, *parts, strict=True)
        made = [walk(row[0], row[1:]) for row in rows]
        return type(at)(*made) if hasattr(at, "_fields") else type(at)(made)

    return walk(form, structures)
