"""Feeds: what a program passes in `feed_dict`, checked and made into arrays for native code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.shapes import shape_text
from tfc.framework.graph import Graph
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.operation import Operation, Tensor
from tfc.framework.sparse_tensor import SparseTensor


def feed_arrays(graph: Graph, feed_dict: Mapping[Any, Any] | None) -> dict[Tensor, np.ndarray]:
    """The fed tensors and their values: C-contiguous, of the tensor's dtype and a fitting shape.

    Raises:
      TypeError: no mapping, a key that is no graph element, or a value that does not convert to
        the dtype.
      ValueError: a key that is not of this graph or may not be fed, or a value of another shape
        or structure.
    """
    if not feed_dict:
        return {}
    if not isinstance(feed_dict, Mapping):
        raise TypeError(f"feed_dict must be a dictionary, but is {feed_dict!r}")
    arrays: dict[Tensor, np.ndarray] = {}
    for key, value in feed_dict.items():
        if type(key) is Tensor and key.graph is graph:
            array = arrays[key] = _array(graph, key, value)
            if key.shape.tuple != array.shape:
                _check_shape(key, array.shape)
            continue
        for tensor, part in _parts(graph, key, value):
            array = arrays[tensor] = _array(graph, tensor, part)
            _check_shape(tensor, array.shape)
    return arrays


def feed_entries(
    graph: Graph, feeds: Mapping[Any, Any] | None, what: str, count: int | None = None
) -> dict[Tensor, np.ndarray]:
    """As `feed_arrays`, of arrays along whose first axis lie the entries of which one is fed at a
    time, or `count` of them at a time if that is given.

    what: the name of the argument, for messages.
    """
    if feeds is not None and not isinstance(feeds, Mapping):
        raise TypeError(f"{what} must be a dictionary of tensors and arrays, but is {feeds!r}")
    arrays: dict[Tensor, np.ndarray] = {}
    for key, value in (feeds or {}).items():
        for tensor, part in _parts(graph, key, value):
            array = _array(graph, tensor, part)
            if not array.ndim:
                raise ValueError(f"{what}: the value of {tensor.name!r} has no axis of entries")
            _check_shape(tensor, array.shape[1:] if count is None else (count, *array.shape[1:]))
            arrays[tensor] = array
    return arrays


def _parts(graph: Graph, key: Any, value: Any) -> list[tuple[Tensor, Any]]:
    """The tensors that `key` stands for, each with its part of `value`."""
    if isinstance(key, tuple):
        if not isinstance(value, (list, tuple)) or len(value) != len(key):
            raise ValueError(
                "Could not flatten dictionary. The key and its value are not of the same "
                f"structure. Key: {key}, value: {value}."
            )
        return [part for k, v in zip(key, value, strict=True) for part in _parts(graph, k, v)]
    if isinstance(key, SparseTensor):
        return _matched(key, (key.indices, key.values, key.dense_shape), value)
    if isinstance(key, IndexedSlices):
        keys = [key.values, key.indices]
        if key.dense_shape is not None:
            keys.append(key.dense_shape)
        return _matched(key, keys, value)
    try:
        tensor = graph.as_graph_element(key, allow_operation=False)
    except (TypeError, ValueError, KeyError) as error:
        text = error.args[0] if error.args else error
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {text}") from None
    return [(tensor, value)]


def _matched(key: Any, tensors: Sequence[Tensor], value: Any) -> list[tuple[Tensor, Any]]:
    """The parts of a key that is made of several tensors, with those of its value."""
    parts = tuple(value)
    if len(parts) != len(tensors):
        raise ValueError(f"{key} is fed {len(tensors)} arrays, but got {len(parts)}: {value!r}")
    return list(zip(tensors, parts, strict=True))


def _array(graph: Graph, tensor: Tensor, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        raise TypeError(
            "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include "
            "Python scalars, strings, lists, numpy ndarrays, or TensorHandles. "
            f"For reference, the tensor object was {value!r} which was passed to the feed with "
            f"key {tensor!r}."
        )
    if not graph.is_feedable(tensor):
        raise ValueError(f"Tensor {tensor.name} may not be fed.")
    dtype = tensor.dtype.as_numpy_dtype
    if dtype is object:
        if isinstance(value, int) and tensor.dtype.short == "str":
            raise _does_not_fit(value, tensor)
        array = np.array(value, dtype=object)  # a fetch of it gives it back as it is
    else:
        try:
            array = np.asarray(value, dtype=dtype, order="C")
        except OverflowError:
            raise _does_not_fit(value, tensor) from None
        if isinstance(value, int) and not isinstance(value, bool) and array.size == 1:
            _check_exact(value, array, tensor)
        if not array.flags.aligned:
            array = array.copy()
    return array


def _check_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    known = tensor.shape.tuple
    if known is not None and known != shape and not _fits(known, shape):
        raise ValueError(
            f"Cannot feed value of shape {shape!r} for Tensor {tensor.name!r}, which has "
            f"shape {str(tensor.shape)!r}"
        )


def _fits(known: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array of `shape` may be a tensor of which `known` is known."""
    return len(known) == len(shape) and all(
        k is None or k == d for k, d in zip(known, shape, strict=True)
    )


def _check_exact(value: int, array: np.ndarray, tensor: Tensor) -> None:
    if array.dtype.kind in "iub" and int(array.reshape(())) != value:
        raise _does_not_fit(value, tensor)


def _does_not_fit(value: Any, tensor: Tensor) -> TypeError:
    return TypeError(
        f"Type of feed value {value} with type {type(value)} is not compatible with Tensor "
        f"type {tensor.dtype.as_numpy_dtype}. Try explicitly setting the type of the feed "
        "tensor to a larger type (e.g. int64)."
    )


def as_bytes(array: np.ndarray) -> np.ndarray:
    """A string tensor as ops take it: an object array of bytes."""
    result = np.empty(array.size, object)
    result[:] = [v if isinstance(v, bytes) else _encoded(v) for v in array.ravel().tolist()]
    return result.reshape(array.shape)


def _encoded(value: Any) -> bytes:
    if not isinstance(value, str):
        raise errors.InternalError(None, None, f"Unsupported object type {type(value).__name__}")
    return value.encode()


def check_references(op: Operation, fed: Set[Tensor]) -> None:
    """A fed variable can be read, but there is nothing that an op could write to."""
    for k, (tensor, is_ref) in enumerate(zip(op.inputs, op.defn.ref_inputs(op), strict=True)):
        if is_ref and tensor in fed:
            name = dtypes.kernel_name(tensor.dtype.base_dtype)
            raise errors.InvalidArgumentError(
                None,
                op,
                f"Input {k} of node {op.name} was passed {name} from the feed of {tensor.name} "
                f"incompatible with expected {name}_ref.",
            )


def not_fed(op: Operation) -> None:
    """Raise what a placeholder that is needed and not fed is."""
    shape = op.outputs[0].shape
    known = "" if shape.ndims is None else f" and shape {shape_text(shape.as_list())}"
    raise errors.InvalidArgumentError(
        None,
        op,
        f"You must feed a value for placeholder tensor {op.name!r} with dtype "
        f"{dtypes.kernel_name(op.outputs[0].dtype)}{known}",
    )
