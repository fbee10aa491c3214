"""Where elements come from: the handles and the specs of datasets of tensors, generators, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.base.shapes import Dimension
from tfc.data import nest, structure
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.graph import control_dependencies, get_default_graph, name_scope
from tfc.framework.literals import as_array
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.sparse_tensor import SparseTensor
from tfc.framework.tensor_spec import TensorSpec
from tfc.ops.array_ops import identity, shape
from tfc.ops.control_ops import Assert
from tfc.ops.datasets.source_ops import GeneratorMaker, generators
from tfc.ops.strings.functions import reduce_join

Made = tuple[Tensor, Any]


def from_tensors(tensors: Any) -> Made:
    """One element."""
    element = structure.normalized(tensors)
    spec = structure.spec_of(element)
    shapes = structure.component_shapes(spec)
    parts = structure.components(element)
    return apply("TensorDataset", parts, output_shapes=shapes), spec


def from_tensor_slices(tensors: Any) -> Made:
    """The slices of tensors."""
    element = structure.normalized(tensors)
    spec = structure.sliced(structure.spec_of(element))
    first = Dimension(None)
    for leaf in nest.flatten(element):
        found = leaf.get_shape()
        if found.ndims is not None:
            first = first.merge_with(found[0])
    shapes = structure.component_shapes(spec)
    parts = structure.batched_components(element)
    return apply("TensorSliceDataset", parts, output_shapes=shapes), spec


def from_sparse_tensor_slices(sparse_tensor: Any) -> Made:
    """The rows of a SparseTensor, taken apart."""
    if not isinstance(sparse_tensor, SparseTensor):
        raise TypeError(
            f"`sparse_tensor` must be a `tf.SparseTensor` object. Was {sparse_tensor!r}."
        )
    rank = sparse_tensor.indices.get_shape().as_list()[1]
    inner = None if rank is None else rank - 1
    spec = (
        TensorSpec([None, inner], dtypes.int64),
        TensorSpec([None], sparse_tensor.dtype),
        TensorSpec([inner], dtypes.int64),
    )
    parts = sparse_tensor.indices, sparse_tensor.values, sparse_tensor.dense_shape
    return apply("SparseTensorSliceDataset", *parts), spec


class GeneratorInputs:
    """What a dataset of a generator is made of.

    Raises:
      TypeError, ValueError: no function, or types and shapes of different structures.
    """

    def __init__(
        self, generator: Callable[..., Any], output_types: Any, output_shapes: Any, args: Any
    ):
        if not callable(generator):
            raise TypeError("`generator` must be callable.")
        self.spec = structure.spec_from(output_types, output_shapes)
        self.args = [convert_to_tensor(a, name="args") for a in (() if args is None else args)]
        form = nest.map_leaves(dtypes.as_dtype, output_types)
        maker = GeneratorMaker(generator, lambda v: nest.flatten_up_to(form, v), repr(form))
        self.token = generators.register(maker, get_default_graph())

    def dataset(self) -> Made:
        """What it yields."""
        attrs = structure.attrs_of(self.spec)
        return apply("GeneratorDataset", self.args, token=self.token, **attrs), self.spec


def number_range(args: Any) -> Made:
    """Numbers as Python's `range` gives them."""
    if not 1 <= len(args) <= 3:
        raise ValueError(
            f"Invalid `args`. The length of `args` should be between 1 and 3 but was {len(args)}."
        )
    start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    numbers = [
        convert_to_tensor(value, dtypes.int64, name)
        for value, name in ((start, "start"), (stop, "stop"), (step, "step"))
    ]
    spec = TensorSpec([], dtypes.int64)
    return apply("RangeDataset", *numbers, **structure.attrs_of(spec)), spec


class MatchingFiles:
    """The files that fit a pattern, which must be some.

    scope: the context of what is made of them. found: their names.
    """

    def __init__(self, file_pattern: Any):
        self.scope = name_scope("list_files")
        with self.scope as name:
            pattern = convert_to_tensor(file_pattern, dtypes.string, "file_pattern")
            files = apply("MatchingFiles", pattern)
            some = apply("Greater", shape(files)[0], 0, name="match_not_empty")
            start = constant_tensor(as_array("No files matched pattern: ", None), "message/x")
            joined = reduce_join(pattern, separator=", ")
            message = apply("StringJoin", [start, joined], name="message")
            check = Assert(some, [message], summarize=1, name="assert_not_empty")
            with control_dependencies([check]):
                self.found = identity(files)
        self.scope = get_default_graph().name_scope(name)

    def count(self) -> Tensor:
        """How many there are, at least 1."""
        number = shape(self.found, out_type=dtypes.int64)[0]
        found: Tensor = apply("Maximum", number, as_array(1, dtypes.int64))
        return found
