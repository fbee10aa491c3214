"""`tf.data.experimental`: more that can be done with datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.data import batches, structure
from tfc.data.dataset import AUTOTUNE, Dataset, predicate_of
from tfc.data.functions import Traced, unpacked
from tfc.data.groups import Reducer, bucket_by_sequence_length, group_by_reducer, group_by_window
from tfc.data.mixing import RandomDataset, choose_from_datasets, sample_from_datasets
from tfc.data.options import DistributeOptions, OptimizationOptions, ThreadingOptions
from tfc.data.random_seed import seed_tensors
from tfc.data.readers import CsvDataset
from tfc.data.structure import DatasetSpec as DatasetStructure
from tfc.framework.convert import convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.tensor_spec import SparseTensorSpec, TensorSpec
from tfc.ops.examples.features import parse_example

Transformation = Callable[[Dataset], Dataset]
INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = -1, -2

__all__ = [
    "AUTOTUNE",
    "CsvDataset",
    "DatasetStructure",
    "DistributeOptions",
    "OptimizationOptions",
    "RandomDataset",
    "Reducer",
    "ThreadingOptions",
    "bucket_by_sequence_length",
    "choose_from_datasets",
    "group_by_reducer",
    "group_by_window",
    "sample_from_datasets",
]


def Counter(start: Any = 0, step: Any = 1, dtype: Any = dtypes.int64) -> Dataset:
    """The numbers start, start + step, and so on for ever, of `dtype`."""

    def next_state(state: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        return state + by, state

    kind = dtypes.as_dtype(dtype)
    by = convert_to_tensor(step, kind, "step")
    first = convert_to_tensor(start, kind, "start")
    return Dataset.from_tensors(0).repeat(None).apply(scan(first, next_state))


def enumerate_dataset(start: Any = 0) -> Transformation:
    """`Dataset.enumerate`, for `Dataset.apply`."""
    return lambda dataset: dataset.enumerate(start)


def unbatch() -> Transformation:
    """`Dataset.unbatch`, for `Dataset.apply`."""
    return lambda dataset: dataset.unbatch()


def ignore_errors(log_warning: bool = False) -> Transformation:
    """The elements without those whose making fails, for `Dataset.apply`.

    log_warning is accepted: nothing is logged.
    """
    return lambda dataset: dataset._then("IgnoreErrorsDataset")


def unique() -> Transformation:
    """Each element once, for `Dataset.apply`; elements are single tensors."""

    def transformed(dataset: Dataset) -> Dataset:
        if not isinstance(dataset.element_spec, TensorSpec):
            raise TypeError("`unique()` takes a dataset of single tensors.")
        return dataset._then("UniqueDataset")

    return transformed


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Transformation:
    """`shuffle(buffer_size, seed)` and then `repeat(count)`, for `Dataset.apply`; but the next pass
    gets into the buffer as soon as there is room."""

    def transformed(dataset: Dataset) -> Dataset:
        room = convert_to_tensor(buffer_size, dtypes.int64, "buffer_size")
        times = convert_to_tensor(-1 if count is None else count, dtypes.int64, "count")
        return dataset._then("ShuffleAndRepeatDataset", room, *seed_tensors(seed), times)

    return transformed


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: Any,
    num_parallel_batches: Any = None,
    drop_remainder: Any = False,
    num_parallel_calls: Any = None,
) -> Transformation:
    """`map(map_func)` and then `batch(batch_size, drop_remainder)`, for `Dataset.apply`.

    Raises:
      ValueError: both num_parallel_batches and num_parallel_calls, which change nothing, are given.
    """
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError(
            "The `num_parallel_batches` and `num_parallel_calls` arguments are mutually exclusive."
        )

    def transformed(dataset: Dataset) -> Dataset:
        function = Traced(unpacked(map_func), "map_and_batch()", dataset.element_spec)
        size = convert_to_tensor(batch_size, dtypes.int64, "batch_size")
        calls = num_parallel_calls
        if calls is None:
            calls = 1 if num_parallel_batches is None else size * num_parallel_batches
        drop = convert_to_tensor(drop_remainder, dtypes.bool_, "drop_remainder")
        return dataset._calling(
            "MapAndBatchDataset",
            function,
            function,
            size,
            convert_to_tensor(calls, dtypes.int64, "num_parallel_calls"),
            drop,
            spec=structure.stacked(function.spec, batches.known_rows(size, drop)),
        )

    return transformed


map_and_batch_with_legacy_function = map_and_batch


def parallel_interleave(
    map_func: Callable[..., Any],
    cycle_length: Any,
    block_length: Any = 1,
    sloppy: Any = False,
    buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Transformation:
    """`interleave(map_func, cycle_length, block_length)`, for `Dataset.apply`, always in order."""
    return lambda dataset: dataset.interleave(map_func, cycle_length, block_length)


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Transformation:
    """The values of `state, value = scan_func(state, element)`, for `Dataset.apply`.

    Raises:
      TypeError: the function returns no pair, or a state of another structure or type.
    """

    def transformed(dataset: Dataset) -> Dataset:
        state = structure.normalized(initial_state)
        function, _ = batches.state_function(
            scan_func, "scan()", structure.spec_of(state), dataset.element_spec, outputs=True
        )
        parts = structure.components(state)
        return dataset._calling("ScanDataset", function, parts, function, spec=function.spec[1])

    return transformed


def take_while(predicate: Callable[..., Any]) -> Transformation:
    """The elements before the first for which `predicate` is false, for `Dataset.apply`."""

    def transformed(dataset: Dataset) -> Dataset:
        function = predicate_of(predicate, "take_while()", dataset.element_spec)
        return dataset._calling("TakeWhileDataset", function, function)

    return transformed


def get_single_element(dataset: Dataset) -> Any:
    """The one element of a dataset.

    Raises:
      TypeError: it is no dataset. InvalidArgumentError, when run: there is none, or another one.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
    spec = dataset.element_spec
    attrs = structure.attrs_of(spec)
    found = apply("DatasetToSingleElement", dataset._variant_tensor, **attrs)
    return structure.element_from(spec, found)


def cardinality(dataset: Dataset) -> Tensor:
    """How many elements there are, an int64 scalar: -1 for infinitely many, -2 if it is not known
    without making them."""
    found: Tensor = apply("DatasetCardinality", dataset._variant_tensor)
    return found


def prefetch_to_device(device: str, buffer_size: Any = None) -> Transformation:
    """`Dataset.prefetch`, for `Dataset.apply`: there is one device."""
    return lambda dataset: dataset.prefetch(buffer_size)


def copy_to_device(target_device: str, source_device: str = "/cpu:0") -> Transformation:
    """The elements as they are, for `Dataset.apply`: there is one device."""
    return lambda dataset: dataset.prefetch(0)


def parse_example_dataset(features: Any, num_parallel_calls: Any = 1) -> Transformation:
    """`tf.parse_example(element, features)` of each element, a vector of serialized Examples, for
    `Dataset.apply`.

    Raises:
      ValueError: `features` is empty. TypeError: elements are no vectors of strings.
    """
    if not features:
        raise ValueError(f"Missing: `features` was {features!r}.")

    def transformed(dataset: Dataset) -> Dataset:
        spec = dataset.element_spec
        if not TensorSpec([None], dtypes.string).is_compatible_with(spec):
            raise TypeError("Input dataset should be a dataset of vectors of strings")
        return dataset.map(lambda records: parse_example(records, features), num_parallel_calls)

    return transformed


class TFRecordWriter:
    """Writes datasets of scalar strings to one of TensorFlow's record files."""

    def __init__(self, filename: Any, compression_type: Any = None):
        """compression_type: "", "ZLIB" or "GZIP"."""
        self._filename = convert_to_tensor(filename, dtypes.string, "filename")
        compression = "" if compression_type is None else compression_type
        self._compression = convert_to_tensor(compression, dtypes.string, "compression_type")

    def write(self, dataset: Dataset) -> Any:
        """The Operation that writes the elements of `dataset`.

        Raises:
          TypeError: they are no scalar strings.
        """
        if not isinstance(dataset, Dataset):
            raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
        if not TensorSpec([], dtypes.string).is_compatible_with(dataset.element_spec):
            raise TypeError(
                "`dataset` must produce scalar `DT_STRING` tensors whereas it produces "
                f"shape {dataset.output_shapes} and types {dataset.output_types}"
            )
        return apply(
            "DatasetToTFRecord", dataset._variant_tensor, self._filename, self._compression
        )


def TensorStructure(dtype: Any, shape: Any) -> TensorSpec:
    """A TensorSpec, under the name that it had."""
    return TensorSpec(shape, dtype)


def SparseTensorStructure(dtype: Any, shape: Any) -> SparseTensorSpec:
    """A SparseTensorSpec, under the name that it had."""
    return SparseTensorSpec(shape, dtype)


def get_structure(dataset_or_iterator: Any) -> Any:
    """What is known of the elements of a dataset or an iterator."""
    return dataset_or_iterator.element_spec
