"""Elements of several datasets, as another one or chance says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.data import structure
from tfc.data.dataset import Dataset, DatasetV1Adapter, made
from tfc.data.random_seed import seed_tensors
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.tensor_spec import TensorSpec


class RandomDataset(DatasetV1Adapter):
    """Random numbers for ever: int64 scalars below 2**32."""

    def __init__(self, seed: Any = None):
        spec = TensorSpec([], dtypes.int64)
        variant = apply("RandomDataset", *seed_tensors(seed), **structure.attrs_of(spec))
        self._set(variant, spec)


def choose_from_datasets(
    datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset: bool = False
) -> Dataset:
    """Elements of the datasets whose numbers `choice_dataset` gives, int64 scalars; one that has no
    more is passed over, or with `stop_on_empty_dataset` ends it.

    Raises:
      TypeError: it gives something else, or the datasets' elements differ in type.
    """
    choice = choice_dataset.element_spec
    if not isinstance(choice, TensorSpec) or choice.dtype != dtypes.int64 or choice.shape.ndims:
        raise TypeError("`choice_dataset` must be a dataset of scalar `tf.int64` tensors.")
    return _directed(choice_dataset, datasets, stop_on_empty_dataset)


def _directed(selector: Dataset, datasets: Sequence[Dataset], stop: bool) -> Dataset:
    if not datasets:
        raise ValueError("`datasets` must be a non-empty list.")
    spec = datasets[0].element_spec
    for dataset in datasets[1:]:
        if structure.types_of(dataset.element_spec) != structure.types_of(spec):
            raise TypeError("`datasets` must have elements of the same types.")
        spec = structure.common(spec, dataset.element_spec)
    variants = [dataset._variant_tensor for dataset in datasets]
    attrs = structure.attrs_of(spec)
    found = apply(
        "DirectedInterleaveDataset",
        selector._variant_tensor,
        variants,
        stop_on_empty_dataset=stop,
        **attrs,
    )
    return made(found, spec)


def sample_from_datasets(
    datasets: Sequence[Dataset],
    weights: Any = None,
    seed: Any = None,
    stop_on_empty_dataset: bool = False,
) -> Dataset:
    """Each element is the next one of a random dataset; one that has no more is passed over, or
    with `stop_on_empty_dataset` ends it.

    weights: how likely each dataset is, a vector of floats, or a dataset of such vectors; all alike
    by default. seed: of the choices.

    Raises:
      TypeError, ValueError: weights of another type or shape; elements that differ in type.
    """
    seeds = RandomDataset(seed).batch(2)
    if isinstance(weights, Dataset):
        logs = weights.map(lambda *p: apply("Log", *p, name="logits"))
        return _directed(Dataset.zip((logs, seeds)).map(_chosen), datasets, stop_on_empty_dataset)
    logits = _logits(weights, len(datasets))
    if len(datasets) == 1:
        return datasets[0]

    def chosen(pair: Tensor) -> Tensor:
        return _chosen(logits, pair)

    return _directed(seeds.map(chosen), datasets, stop_on_empty_dataset)


def _logits(weights: Any, count: int) -> Tensor:
    if weights is None:
        return constant_tensor(np.ones((1, count), np.float32), "Const")
    tensor = convert_to_tensor(weights, name="weights")
    if tensor.dtype.base_dtype not in (dtypes.float32, dtypes.float64):
        raise TypeError(
            "`weights` must be convertible to a tensor of `tf.float32` or `tf.float64`."
        )
    if not tensor.get_shape().is_compatible_with([count]):
        raise ValueError("`weights` must be a vector of length `len(datasets)`.")
    found: Tensor = apply("ExpandDims", apply("Log", tensor, name="logits"), 0)
    return found


def _chosen(logits: Tensor, seed: Tensor) -> Tensor:
    """The number of a dataset, from the two words `seed`."""
    if logits.get_shape().ndims == 1:
        logits = apply("ExpandDims", logits, 0)
    number = apply("StatelessMultinomial", logits, 1, seed, output_dtype=dtypes.int64)
    found: Tensor = apply("Squeeze", number, squeeze_dims=[0, 1])
    return found
