"""Elements by key: windows of them, what they are reduced to, and buckets of sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.data import batches, nest, structure
from tfc.data.dataset import Dataset, made
from tfc.data.functions import Traced, unpacked, with_functions
from tfc.data.structure import DatasetSpec
from tfc.framework.convert import convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.tensor_spec import TensorSpec

Transformation = Callable[[Dataset], Dataset]
_KEY = TensorSpec([], dtypes.int64)


def _check_scalar(function: Traced, what: str) -> Traced:
    found = function.spec
    if not isinstance(found, TensorSpec) or found.dtype != dtypes.int64 or found.shape.ndims:
        raise ValueError(f"`{what}` must return a single tf.int64 tensor, but returns {found!r}.")
    return function


def group_by_window(
    key_func: Callable[..., Any],
    reduce_func: Callable[[Tensor, Dataset], Dataset],
    window_size: Any = None,
    window_size_func: Callable[[Tensor], Any] | None = None,
) -> Transformation:
    """The elements of `reduce_func(key, window)`, a dataset, of windows of elements of one key, for
    `Dataset.apply`.

    A window has `window_size` elements, or `window_size_func(key)`; those that are left in the end
    have fewer, and come in the order of the keys. The key is an int64 scalar.

    Raises:
      ValueError: not one of the sizes is given, or a key that is none. TypeError: `reduce_func`
      makes no dataset.
    """
    if (window_size is None) == (window_size_func is None):
        raise ValueError("Must pass either `window_size` or `window_size_func`, and not both.")

    def size_of(key: Tensor) -> Tensor:
        size = window_size if window_size_func is None else window_size_func(key)
        return convert_to_tensor(size, dtypes.int64)

    def transformed(dataset: Dataset) -> Dataset:
        spec = dataset.element_spec
        key = _check_scalar(Traced(unpacked(key_func), "group_by_window()", spec), "key_func")
        reduce = Traced(reduce_func, "group_by_window()", _KEY, DatasetSpec(spec))
        if not isinstance(reduce.spec, DatasetSpec):
            raise TypeError("`reduce_func` must return a `Dataset` object.")
        size = _check_scalar(Traced(size_of, "group_by_window()", _KEY), "window_size_func")
        functions = [key, reduce, size]
        inner = reduce.spec.element_spec
        variant = with_functions(
            "GroupByWindowDataset",
            functions,
            dataset._variant_tensor,
            *functions,
            **structure.attrs_of(inner),
        )
        return made(variant, inner, dataset.options())

    return transformed


class Reducer:
    """How elements are reduced: `init_func(key)` gives the first state, `reduce_func(state,
    element)` the next one, and `finalize_func(state)` the result."""

    def __init__(
        self,
        init_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        finalize_func: Callable[..., Any],
    ):
        self._init_func, self._reduce_func = init_func, reduce_func
        self._finalize_func = finalize_func

    @property
    def init_func(self) -> Callable[..., Any]:
        return self._init_func

    @property
    def reduce_func(self) -> Callable[..., Any]:
        return self._reduce_func

    @property
    def finalize_func(self) -> Callable[..., Any]:
        return self._finalize_func


def group_by_reducer(key_func: Callable[..., Any], reducer: Reducer) -> Transformation:
    """For each key what the elements with that key are reduced to, for `Dataset.apply`; in the
    order of the keys, int64 scalars.

    Raises:
      ValueError: a key that is none. TypeError: states of different structures or types.
    """

    def transformed(dataset: Dataset) -> Dataset:
        spec, where = dataset.element_spec, "group_by_reducer()"
        key = _check_scalar(Traced(unpacked(key_func), where, spec), "key_func")
        init = Traced(reducer.init_func, where, _KEY)
        reduce, state = batches.state_function(reducer.reduce_func, where, init.spec, spec)
        finalize = Traced(reducer.finalize_func, where, state)
        functions = [key, init, reduce, finalize]
        variant = with_functions(
            "GroupByReducerDataset",
            functions,
            dataset._variant_tensor,
            *functions,
            **structure.attrs_of(finalize.spec),
        )
        return made(variant, finalize.spec, dataset.options())

    return transformed


def bucket_by_sequence_length(
    element_length_func: Callable[..., Any],
    bucket_boundaries: Sequence[int],
    bucket_batch_sizes: Sequence[int],
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
) -> Transformation:
    """Padded batches of elements of about one length, for `Dataset.apply`.

    Elements whose length, `element_length_func(element)`, is below bucket_boundaries[0] make
    batches of bucket_batch_sizes[0], and so on; the last size is for those of the last boundary
    and more.
    pad_to_bucket_boundary: fill up to the boundary less one, which every element must be below.
    no_padding: batches are not filled up.

    Raises:
      ValueError: not one more batch size than boundaries.
    """
    if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
        raise ValueError("len(bucket_batch_sizes) must equal len(bucket_boundaries) + 1")
    sizes = np.array(bucket_batch_sizes, np.int64)
    bounds = np.array(bucket_boundaries, np.int32)

    def key_of(*element: Any) -> Tensor:
        length = apply("Cast", element_length_func(*element), DstT=dtypes.int32)
        below = apply("LessEqual", bounds, length)
        counted: Tensor = apply("Sum", apply("Cast", below, DstT=dtypes.int64), [0])
        return counted

    def size_of(key: Tensor) -> Any:
        return apply("GatherV2", sizes, key, 0)

    def batch_of(key: Tensor, group: Dataset) -> Dataset:
        size = size_of(key)
        if no_padding:
            return group.batch(size, drop_remainder=drop_remainder)
        shapes: Any = padded_shapes
        if shapes is None:
            shapes = nest.map_leaves(lambda leaf: leaf.shape, group.element_spec)
        if pad_to_bucket_boundary:
            shapes = _bounded(group.element_spec, shapes, bounds, key)
        return group.padded_batch(size, shapes, padding_values, drop_remainder)

    return group_by_window(key_of, batch_of, window_size_func=size_of)


def _bounded(spec: Any, shapes: Any, bounds: np.ndarray, key: Tensor) -> Any:
    """`shapes` with the bucket's largest length for each dimension that is unknown."""
    check = apply("Less", key, np.int64(len(bounds)))
    failed = apply(
        "Assert",
        check,
        [convert_to_tensor("an element is not below the last bucket boundary")],
        summarize=1,
    )
    with key.graph.control_dependencies([failed]):
        largest = apply("GatherV2", bounds.astype(np.int64), key, 0) - np.int64(1)

    def bounded(shape: Any) -> Any:
        dims = TensorShape(shape).as_list()
        if not any(d is None for d in dims):
            return shape
        return apply("Pack", [largest if d is None else np.int64(d) for d in dims])

    return nest.pack(spec, [bounded(shape) for shape in nest.flatten_up_to(spec, shapes)])
