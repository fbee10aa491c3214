"""The arguments of padded batches, and functions that carry a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape, as_shape
from tfc.data import nest, structure
from tfc.data.functions import Traced
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.operation import Tensor
from tfc.framework.tensor_spec import TensorSpec, common_shape
from tfc.framework.tensor_util import constant_value, constant_value_as_shape


def known_rows(count: Tensor, drop: Tensor) -> int | None:
    """How many rows every batch has, if that is known."""
    if not constant_value(drop):
        return None
    known = constant_value(count)
    return None if known is None else int(known)


@dataclass
class Padded:
    """The inputs of a padded batch, and what is known of its elements."""

    inputs: list[Any]
    spec: Any


def padded(spec: Any, batch_size: Any, shapes: Any, values: Any, drop_remainder: Any) -> Padded:
    """The inputs for elements of `spec`.

    Raises:
      TypeError: sparse tensors, or values of other types. ValueError: shapes that do not fit.
    """
    leaves = nest.flatten(spec)
    if any(not isinstance(leaf, TensorSpec) for leaf in leaves):
        raise TypeError("Batching of padded sparse tensors is not currently supported")
    count = convert_to_tensor(batch_size, dtypes.int64, "batch_size")
    wanted = [leaf.shape for leaf in leaves] if shapes is None else nest.flatten_up_to(spec, shapes)
    pairs = zip(wanted, leaves, strict=True)
    extents = [_padded_shape(shape, leaf) for shape, leaf in pairs]
    given = [None] * len(leaves) if values is None else _values(spec, values)
    fillers = [_filler(value, leaf) for value, leaf in zip(given, leaves, strict=True)]
    drop = convert_to_tensor(drop_remainder, dtypes.bool_, "drop_remainder")
    rows = known_rows(count, drop)
    found = [
        TensorSpec(TensorShape([rows]).concatenate(constant_value_as_shape(shape)), leaf.dtype)
        for shape, leaf in zip(extents, leaves, strict=True)
    ]
    return Padded([count, extents, fillers, drop], nest.pack(spec, found))


def _values(spec: Any, values: Any) -> list[Any]:
    """The filling values of the components; one scalar stands for all."""
    if not isinstance(values, tuple | dict):
        return [values] * len(nest.flatten(spec))
    return nest.flatten_up_to(spec, values)


def _padded_shape(shape: Any, leaf: TensorSpec) -> Tensor:
    """The shape that a component is filled up to, as an int64 vector with -1 for unknown sizes."""
    if isinstance(shape, Tensor):
        if shape.dtype.base_dtype != dtypes.int64 or shape.get_shape().ndims not in (1, None):
            raise TypeError(f"Padded shape {shape} must be a 1-D tensor of tf.int64 values.")
        tensor, known = shape, constant_value_as_shape(shape)
    else:
        if isinstance(shape, np.ndarray | list | tuple):
            shape = [None if d is None or d == -1 else d for d in shape]
        known = as_shape(shape)
        if known.ndims is None:
            raise ValueError("a padded shape must have a known rank")
        dims = [-1 if d is None else d for d in known.as_list()]
        tensor = constant_tensor(np.array(dims, np.int64), "Const")
    if leaf.shape.ndims is not None and known.ndims is not None:
        _check_padded(known, leaf.shape)
    return tensor


def _check_padded(padded: TensorShape, given: TensorShape) -> None:
    if padded.ndims != given.ndims:
        raise ValueError(
            f"The padded shape {padded} is not compatible with the shape {given} of the "
            "corresponding input component."
        )
    for wanted, size in zip(padded.as_list(), given.as_list(), strict=True):
        if wanted is not None and size is not None and wanted < size:
            raise ValueError(
                f"The padded shape {padded} is not compatible with the shape {given} of the "
                "corresponding input component."
            )


def _filler(value: Any, leaf: TensorSpec) -> Tensor:
    if value is None:
        if leaf.dtype == dtypes.string:
            return convert_to_tensor("", name="padding_value")
        return constant_tensor(np.zeros((), leaf.dtype.as_numpy_dtype), "padding_value")
    tensor = convert_to_tensor(value, name="padding_value") if isinstance(value, Tensor) else None
    if tensor is None:
        tensor = convert_to_tensor(value, leaf.dtype, "padding_value")
    if tensor.get_shape().ndims not in (0, None):
        raise ValueError(
            f"padding_values must be scalars, but one has the shape {tensor.get_shape()}."
        )
    if tensor.dtype.base_dtype != leaf.dtype:
        raise TypeError(
            f"Padding value tensor ({tensor}) does not match output type: {leaf.dtype.name}"
        )
    return tensor


def state_function(
    function: Callable[..., Any], where: str, state: Any, *specs: Any, outputs: bool = False
) -> tuple[Traced, Any]:
    """`function(state, …)`, traced again until what is known of the state is true of every state;
    and what that is. outputs: it returns a pair, of which the state is the first.

    Raises:
      TypeError: it returns another structure or type than `state` has.
    """
    while True:
        traced = Traced(function, where, state, *specs, returned=_pair(where) if outputs else None)
        found = traced.spec[0] if outputs else traced.spec
        _check_state(where, state, found)
        wide = nest.pack(
            state,
            [_wider(a, b) for a, b in zip(nest.flatten(state), nest.flatten(found), strict=True)],
        )
        if wide == state:
            return traced, state
        state = wide


def _pair(where: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise TypeError(
                f"The function passed to {where} must return a pair, a state and a value."
            )
        return tuple(value)

    return check


def _check_state(where: str, state: Any, found: Any) -> None:
    wanted, given = structure.classes_of(state), structure.classes_of(found)
    if wanted != given:
        raise TypeError(
            f"The element classes for the new state of {where} must match the initial state. "
            f"Expected {wanted}; got {given}."
        )
    types, got = structure.types_of(state), structure.types_of(found)
    if types != got:
        raise TypeError(
            f"The element types for the new state of {where} must match the initial state. "
            f"Expected {types}; got {got}."
        )


def _wider(a: Any, b: Any) -> Any:
    """What is true of both components."""
    if isinstance(a, structure.DatasetSpec):
        return a
    return type(a)(common_shape(a.shape, b.shape), a.dtype)
