"""tf.data.Dataset: elements one after the other, described in the graph, made when it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.data import batches, iterators, nest, sources, structure
from tfc.data.functions import Traced, unpacked, with_functions
from tfc.data.options import Options
from tfc.data.random_seed import seed_tensors
from tfc.data.structure import DatasetSpec
from tfc.framework.convert import convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor

AUTOTUNE = -1


class Dataset:
    """Elements one after the other; each is a tensor, or a structure of tensors: a tuple, a
    namedtuple or a dict of them, nested at will.

    Datasets are made by `from_tensor_slices` and the like, or of other datasets. They change
    nothing in place: every method returns another dataset. Functions that are given to them are
    called once, with tensors, and run compiled; those of several arguments get the parts of tuples.
    """

    _variant_tensor: Tensor
    _spec: Any
    _options: Options

    def __init__(self) -> None:
        """Raises TypeError: datasets are made by functions such as `from_tensor_slices`."""
        raise TypeError("a Dataset is made by Dataset.from_tensor_slices and the like")

    def _set(self, variant: Tensor, spec: Any, options: Options | None = None) -> None:
        self._variant_tensor, self._spec = variant, spec
        self._options = options or Options()

    def _then(self, op: str, *inputs: Any, spec: Any = None, **attrs: Any) -> Dataset:
        """The dataset of `op` over this one; `spec` is its own, if it has another one."""
        spec = self._spec if spec is None else spec
        found = apply(op, self._variant_tensor, *inputs, **attrs, **structure.attrs_of(spec))
        return made(found, spec, self._options)

    def _calling(
        self, op: str, function: Traced, *inputs: Any, spec: Any = None, **attrs: Any
    ) -> Dataset:
        """The dataset of `op` over this one, which calls `function`."""
        spec = self._spec if spec is None else spec
        found = with_functions(
            op, [function], self._variant_tensor, *inputs, **attrs, **structure.attrs_of(spec)
        )
        return made(found, spec, self._options)

    # ---- sources

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element: `tensors`."""
        return made(*sources.from_tensors(tensors))

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The slices of `tensors` along their first axes, which have one length.

        Raises:
          ValueError: a scalar, or lengths that differ.
        """
        return made(*sources.from_tensor_slices(tensors))

    @staticmethod
    def from_sparse_tensor_slices(sparse_tensor: Any) -> Dataset:
        """The rows of a SparseTensor, as (indices, values, dense shape).

        Raises:
          TypeError: it is none.
        """
        return made(*sources.from_sparse_tensor_slices(sparse_tensor))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any,
        output_shapes: Any = None,
        args: Any = None,
    ) -> Dataset:
        """What `generator(*args)` yields, which is called for each pass; `args` are tensors, given
        as arrays. Shapes are unknown by default.

        Raises:
          TypeError: `generator` is no function. InvalidArgumentError, when run: what it yields does
          not fit, or it raises.
        """
        given = sources.GeneratorInputs(generator, output_types, output_shapes, args)
        return Dataset.from_tensors(0).flat_map(lambda _: made(*given.dataset()))

    @staticmethod
    def range(*args: Any) -> Dataset:
        """The numbers of `range(*args)`, int64 scalars. Raises ValueError on 0 or 4 arguments."""
        return made(*sources.number_range(args))

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        """Elements of a structure of datasets side by side, in that structure; as many as the
        shortest one has.

        Raises:
          TypeError: something else than datasets in tuples, namedtuples and dicts.
        """
        leaves = nest.flatten(datasets)
        for leaf in leaves:
            if isinstance(leaf, Dataset):
                continue
            hint = ". nested structures are tuples, not lists" if isinstance(leaf, list) else ""
            raise TypeError(
                f"The argument to `zip` must be a structure of `Dataset`s, not {leaf!r}{hint}"
            )
        spec = nest.pack(datasets, [leaf.element_spec for leaf in leaves])
        variants = [leaf._variant_tensor for leaf in leaves]
        return made(apply("ZipDataset", variants, **structure.attrs_of(spec)), spec)

    @staticmethod
    def list_files(file_pattern: Any, shuffle: bool | None = None, seed: Any = None) -> Dataset:
        """The names of the files that fit `file_pattern`, a string or a vector of them; in random
        order unless `shuffle` is false.

        Raises, when run:
          InvalidArgumentError: none does.
        """
        names = sources.MatchingFiles(file_pattern)
        with names.scope:
            files = Dataset.from_tensor_slices(names.found)
            if shuffle or shuffle is None:
                files = files.shuffle(names.count(), seed=seed)
        return files

    # ---- some of the elements, or the same again

    def concatenate(self, dataset: Dataset) -> Dataset:
        """The elements of this dataset, then those of `dataset`.

        Raises:
          TypeError, ValueError: elements of other types or structures.
        """
        mine, other = self._spec, dataset.element_spec
        if structure.types_of(mine) != structure.types_of(other):
            raise TypeError(
                f"Two datasets to concatenate have different types {structure.types_of(mine)} and "
                f"{structure.types_of(other)}"
            )
        if structure.classes_of(mine) != structure.classes_of(other):
            raise TypeError(
                "Two datasets to concatenate have different classes "
                f"{structure.classes_of(mine)} and {structure.classes_of(other)}"
            )
        spec = structure.common(mine, other)
        return self._then("ConcatenateDataset", dataset._variant_tensor, spec=spec)

    def repeat(self, count: Any = None) -> Dataset:
        """The elements `count` times; for ever if it is None or -1."""
        return self._then("RepeatDataset", _int64(-1 if count is None else count, "count"))

    def take(self, count: Any) -> Dataset:
        """The first `count` elements; all if it is -1."""
        return self._then("TakeDataset", _int64(count, "count"))

    def skip(self, count: Any) -> Dataset:
        """All but the first `count` elements; none if it is -1."""
        return self._then("SkipDataset", _int64(count, "count"))

    def shard(self, num_shards: Any, index: Any) -> Dataset:
        """The elements whose number is `index` modulo `num_shards`."""
        shards = _int64(num_shards, "num_shards")
        return self._then("ShardDataset", shards, _int64(index, "index"))

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = None
    ) -> Dataset:
        """The elements in random order: each is a random one of `buffer_size` that wait.

        seed: of the order. reshuffle_each_iteration: whether every pass has an order of its own,
        as it has by default.
        """
        reshuffle = True if reshuffle_each_iteration is None else bool(reshuffle_each_iteration)
        room = _int64(buffer_size, "buffer_size")
        seeds = seed_tensors(seed)
        return self._then("ShuffleDataset", room, *seeds, reshuffle_each_iteration=reshuffle)

    def cache(self, filename: Any = "") -> Dataset:
        """The elements as the first whole pass gave them, kept in memory, or in files whose names
        begin with `filename`.

        Files are read by the passes that begin after them, of other processes as well, whatever the
        dataset is then. They are not TensorFlow's: neither reads the other's. A pass that ends
        early leaves none.

        Raises, when run:
          AlreadyExistsError: another pass is writing them. DataLossError: they are damaged.
          InvalidArgumentError: they keep elements of other types, or elements are sparse.
        """
        name = convert_to_tensor(filename, dtypes.string, "filename")
        return self._then("CacheDataset", name)

    def prefetch(self, buffer_size: Any) -> Dataset:
        """The elements as they are: they are made when they are asked for."""
        size = AUTOTUNE if buffer_size is None else buffer_size
        return self._then("PrefetchDataset", _int64(size, "buffer_size"))

    def enumerate(self, start: Any = 0) -> Dataset:
        """Pairs of a number, from `start` on, and an element."""
        return Dataset.zip((Dataset.range(start, np.iinfo(np.int64).max), self))

    # ---- several elements as one

    def batch(self, batch_size: Any, drop_remainder: Any = False) -> Dataset:
        """`batch_size` elements at a time as rows of tensors. drop_remainder: leave out a last
        batch that is smaller, so that the size is known."""
        count = _int64(batch_size, "batch_size")
        drop = convert_to_tensor(drop_remainder, dtypes.bool_, "drop_remainder")
        spec = structure.stacked(self._spec, batches.known_rows(count, drop))
        return self._then("BatchDatasetV2", count, drop, spec=spec)

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: Any = False,
    ) -> Dataset:
        """As `batch`, for elements of different shapes: rows are filled up.

        padded_shapes: shapes in the structure of elements; a dimension None or -1 is as large as
        the batch needs; by default the shapes that are known. padding_values: scalars in that
        structure; zeros and empty strings by default.

        Raises:
          TypeError, ValueError: shapes or values that do not fit. DataLossError, when run: an
          element is larger than its shape.
        """
        given = batches.padded(
            self._spec, batch_size, padded_shapes, padding_values, drop_remainder
        )
        shapes = structure.component_shapes(given.spec)
        variant = apply(
            "PaddedBatchDatasetV2", self._variant_tensor, *given.inputs, output_shapes=shapes
        )
        return made(variant, given.spec, self._options)

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: Any = False
    ) -> Dataset:
        """Datasets of `size` elements, `stride` apart, each window `shift` (by default `size`)
        after the one before; of a structure of tensors a structure of datasets."""
        first = _int64(size, "size")
        numbers = first, _int64(size if shift is None else shift, "shift"), _int64(stride, "stride")
        drop = convert_to_tensor(drop_remainder, dtypes.bool_, "drop_remainder")
        spec = nest.map_leaves(DatasetSpec, self._spec)
        return self._then("WindowDataset", *numbers, drop, spec=spec)

    def unbatch(self) -> Dataset:
        """The rows of the elements, one after the other. Raises ValueError for scalars."""
        return self._then("UnbatchDataset", spec=structure.sliced(self._spec))

    # ---- functions

    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None) -> Dataset:
        """`map_func` of each element, in order. num_parallel_calls changes nothing but the op.

        Raises:
          TypeError: the function returns no structure of tensors. ValueError: it returns nothing.
        """
        function = Traced(unpacked(map_func), "Dataset.map()", self._spec)
        if num_parallel_calls is None:
            return self._calling("MapDataset", function, function, spec=function.spec)
        calls = convert_to_tensor(num_parallel_calls, dtypes.int32, "num_parallel_calls")
        return self._calling("ParallelMapDataset", function, function, calls, spec=function.spec)

    map_with_legacy_function = map

    def flat_map(self, map_func: Callable[..., Any]) -> Dataset:
        """The elements of the datasets that `map_func` makes of elements, one after the other.

        Raises:
          TypeError: it makes something else.
        """
        function = Traced(unpacked(map_func), "Dataset.flat_map()", self._spec)
        return self._calling("FlatMapDataset", function, function, spec=_inner_spec(function))

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = AUTOTUNE,
        block_length: Any = 1,
        num_parallel_calls: Any = None,
    ) -> Dataset:
        """The elements of the datasets that `map_func` makes of elements: `block_length` of each in
        turn, of `cycle_length` datasets at a time (by default as many as there are cores, and no
        fewer than parallel calls).

        Raises:
          TypeError: it makes something else. InvalidArgumentError, when run: a count is none, or
            there are more parallel calls than `cycle_length`.
        """
        function = Traced(unpacked(map_func), "Dataset.interleave()", self._spec)
        if cycle_length is None or (isinstance(cycle_length, int) and cycle_length == AUTOTUNE):
            known = num_parallel_calls if isinstance(num_parallel_calls, int) else 1
            cycle_length = max(os.cpu_count() or 1, known)
        block_length = 1 if block_length is None else block_length
        counts = _int64(cycle_length, "cycle_length"), _int64(block_length, "block_length")
        spec = _inner_spec(function)
        if num_parallel_calls is None:
            return self._calling("InterleaveDataset", function, function, *counts, spec=spec)
        calls = _int64(num_parallel_calls, "num_parallel_calls")
        op = "ParallelInterleaveDatasetV2"
        return self._calling(op, function, function, *counts, calls, spec=spec)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which `predicate`, a scalar bool, is true.

        Raises:
          ValueError: it returns something else.
        """
        function = predicate_of(predicate, "Dataset.filter()", self._spec)
        return self._calling("FilterDataset", function, function)

    filter_with_legacy_function = filter

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any]) -> Any:
        """The last state: `reduce_func(state, element)` of each element, from `initial_state`. A
        tensor, or a structure of them.

        Raises:
          TypeError: the function returns a state of another structure or type.
        """
        state = structure.normalized(initial_state, "initial_state/normalize_element")
        function, spec = batches.state_function(
            reduce_func, "Dataset.reduce()", structure.spec_of(state), self._spec
        )
        found = with_functions(
            "ReduceDataset",
            [function],
            self._variant_tensor,
            structure.components(state),
            function,
            **structure.attrs_of(spec),
        )
        return structure.element_from(spec, found)

    def apply(self, transformation_func: Callable[[Dataset], Any]) -> Any:
        """`transformation_func` of this dataset. Raises TypeError if that is no dataset."""
        dataset = transformation_func(self)
        if not isinstance(dataset, Dataset):
            raise TypeError(
                f"`transformation_func` must return a Dataset. Got {type(dataset).__name__}."
            )
        return dataset

    # ---- what it is, and its elements

    @property
    def element_spec(self) -> Any:
        """What is known of elements, in their structure."""
        return self._spec

    def _components(self) -> tuple[list[Any], list[TensorShape]]:
        return structure.component_types(self._spec), structure.component_shapes(self._spec)

    @property
    def output_types(self) -> Any:
        """The dtypes of elements, in their structure."""
        return structure.types_of(self._spec)

    @property
    def output_shapes(self) -> Any:
        """The shapes of elements, as far as known, in their structure."""
        return structure.shapes_of(self._spec)

    @property
    def output_classes(self) -> Any:
        """The classes of what elements consist of, in their structure."""
        return structure.classes_of(self._spec)

    def options(self) -> Options:
        """The options of this dataset and of those that it is made of."""
        return self._options

    def with_options(self, options: Options) -> Dataset:
        """This dataset with `options`; one that is set already must have the same value.

        Raises:
          ValueError: it has another one.
        """
        return made(self._variant_tensor, self._spec, self._options.merge(options))

    def make_one_shot_iterator(self) -> iterators.Iterator:
        """An iterator that begins by itself.

        Raises:
          ValueError: the dataset depends on a placeholder or a variable.
        """
        return iterators.one_shot(self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> iterators.Iterator:
        """An iterator that begins when its `initializer` runs."""
        return iterators.initializable(self, shared_name)

    def __iter__(self) -> Any:
        raise RuntimeError(
            "__iter__() is only supported inside of tf.function or when eager execution is enabled."
        )

    def __repr__(self) -> str:
        shapes = str(nest.map_leaves(str, self.output_shapes)).replace("'", "")
        return f"<{type(self).__name__} shapes: {shapes}, types: {self.output_types}>"


class DatasetV1Adapter(Dataset):
    """What methods of datasets return."""


def made(variant: Tensor, spec: Any, options: Options | None = None) -> Dataset:
    """The dataset of a handle."""
    dataset = DatasetV1Adapter.__new__(DatasetV1Adapter)
    dataset._set(variant, spec, options)
    return dataset


DatasetSpec.make, DatasetSpec.kind = staticmethod(made), Dataset


def _int64(value: Any, name: str) -> Tensor:
    return convert_to_tensor(value, dtypes.int64, name)


def _inner_spec(function: Traced) -> Any:
    """What is known of the elements of the datasets that a function returns."""
    if not isinstance(function.spec, DatasetSpec):
        raise TypeError("`map_func` must return a `Dataset` object.")
    return function.spec.element_spec


def predicate_of(predicate: Callable[..., Any], where: str, spec: Any) -> Traced:
    """A function of elements that returns a scalar bool. Raises ValueError if it does not."""
    function = Traced(unpacked(predicate), where, spec)
    found = function.spec
    scalar = TensorShape([])
    if (
        not isinstance(found, structure.TensorSpec)
        or found.dtype != dtypes.bool_
        or not found.shape.is_compatible_with(scalar)
    ):
        raise ValueError(f"`predicate` must return a scalar boolean tensor, but returns {found!r}.")
    return function


def get_output_types(dataset_or_iterator: Any) -> Any:
    """The dtypes of the elements of a dataset or an iterator, in their structure."""
    return structure.types_of(dataset_or_iterator.element_spec)


def get_output_shapes(dataset_or_iterator: Any) -> Any:
    """The shapes of the elements of a dataset or an iterator, in their structure."""
    return structure.shapes_of(dataset_or_iterator.element_spec)


def get_output_classes(dataset_or_iterator: Any) -> Any:
    """The classes of what the elements of a dataset or an iterator consist of."""
    return structure.classes_of(dataset_or_iterator.element_spec)


def make_one_shot_iterator(dataset: Dataset) -> iterators.Iterator:
    """An iterator over `dataset` that begins by itself."""
    return dataset.make_one_shot_iterator()


def make_initializable_iterator(
    dataset: Dataset, shared_name: str | None = None
) -> iterators.Iterator:
    """An iterator over `dataset` that begins when its `initializer` runs."""
    return dataset.make_initializable_iterator(shared_name)
