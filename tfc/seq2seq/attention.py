"""LuongAttention and BahdanauAttention: how much each step of a memory matters to a query."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import dtypes, nest
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor, name_scope
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.layers.base import Layer
from tfc.layers.core import Dense
from tfc.ops.array_ops import (
    concat,
    expand_dims,
    identity,
    one_hot,
    ones,
    ones_like,
    rank,
    reshape,
    shape,
    squeeze,
)
from tfc.ops.check_ops import assert_positive
from tfc.ops.compare_ops import where
from tfc.ops.init_ops import Constant, Ones, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import softmax
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.reverse_ops import sequence_mask
from tfc.ops.scan_ops import argmax
from tfc.ops.unary_api import rsqrt, square, tanh
from tfc.rnn.shapes import zeros_of


class AttentionMechanism:
    """The class of all that AttentionWrapper takes: `mechanism(query, state)` gives (alignments of
    shape [batch, time of the memory], next state)."""


class MemoryAttention(AttentionMechanism):
    """A mechanism with a memory: its `values`, and its `keys`, which queries are compared with.

    query_layer, memory_layer: make what is compared of queries and of the memory.
    memory: of shape [batch, time, …]; memory_sequence_length: how many of the steps of each row
    count. probability_fn: from (scores, previous state) to alignments. score_mask_value: the
    score of steps that do not count, -inf by default. custom_key_value_fn: from (keys, values) to
    those to use.

    Raises:
      TypeError: a layer is no Layer, or probability_fn no function.
      ValueError: extents of the memory beyond batch and time are not known.
    """

    def __init__(
        self,
        query_layer: Any,
        memory: Any,
        probability_fn: Callable[[Any, Any], Any],
        memory_sequence_length: Any = None,
        memory_layer: Any = None,
        check_inner_dims_defined: bool = True,
        score_mask_value: Any = None,
        custom_key_value_fn: Callable[[Any, Any], Any] | None = None,
        name: str | None = None,
    ):
        for key, layer in (("query_layer", query_layer), ("memory_layer", memory_layer)):
            if layer is not None and not isinstance(layer, Layer):
                raise TypeError(f"{key} is not a Layer: {type(layer).__name__}")
        if not callable(probability_fn):
            raise TypeError(
                f"probability_fn must be callable, saw type: {type(probability_fn).__name__}"
            )
        self._query_layer, self._memory_layer = query_layer, memory_layer
        self.dtype = memory_layer.dtype
        if score_mask_value is None:
            score_mask_value = dtypes.as_dtype(self.dtype).as_numpy_dtype(-np.inf)
        self._to_probabilities = probability_fn
        self._mask_value = score_mask_value
        with name_scope(name, "BaseAttentionMechanismInit", nest.flatten(memory)):
            self._values = prepare_memory(memory, memory_sequence_length, check_inner_dims_defined)
            self._lengths = _positive(memory_sequence_length)
            self._keys = memory_layer(self._values) if memory_layer else self._values
            if custom_key_value_fn is not None:
                self._keys, self._values = custom_key_value_fn(self._keys, self._values)
            dims = self._keys.get_shape().as_list()
            self._batch_size = dims[0] or shape(self._keys)[0]
            self._alignments_size = dims[1] or shape(self._keys)[1]

    def _probabilities(self, score: Tensor, state: Any) -> Tensor:
        return self._to_probabilities(_masked_score(score, self._lengths, self._mask_value), state)

    @property
    def memory_layer(self) -> Any:
        return self._memory_layer

    @property
    def query_layer(self) -> Any:
        return self._query_layer

    @property
    def values(self) -> Any:
        return self._values

    @property
    def keys(self) -> Any:
        return self._keys

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def alignments_size(self) -> Any:
        return self._alignments_size

    @property
    def state_size(self) -> Any:
        return self._alignments_size

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Tensor:
        """Zeros of shape [batch_size, alignments_size]."""
        return zeros_of(self._alignments_size, batch_size, dtype)

    def initial_state(self, batch_size: Any, dtype: Any) -> Any:
        """The state that the first step is given: the initial alignments."""
        return self.initial_alignments(batch_size, dtype)


def prepare_memory(memory: Any, lengths: Any, check_inner: bool) -> Any:
    """The memory as tensors, zero where it does not count."""
    memory = nest.map_leaves(lambda m: convert_to_tensor(m, name="memory"), memory)
    if check_inner:
        for m in nest.flatten(memory):
            if not m.get_shape()[2:].is_fully_defined():
                raise ValueError(
                    f"Expected memory {m.name} to have fully defined inner dims, but saw shape: "
                    f"{m.get_shape()}"
                )
    if lengths is None:
        return memory
    first = nest.flatten(memory)[0]
    lengths = convert_to_tensor(lengths, name="memory_sequence_length")
    mask = sequence_mask(lengths, maxlen=shape(first)[1], dtype=first.dtype)

    def masked(m: Tensor) -> Tensor:
        known = m.get_shape().ndims
        axes: Any = rank(m) if known is None else known
        inner = ones([axes - 2], dtype=dtypes.int32)
        return m * reshape(mask, concat((shape(mask), inner), 0))

    return nest.map_leaves(masked, memory)


def _masked_score(score: Tensor, lengths: Any, value: Any) -> Tensor:
    """`score`, `value` where the memory does not count."""
    if lengths is None:
        return score
    mask = sequence_mask(lengths, maxlen=shape(score)[1])
    return where(mask, score, value * ones_like(score))


def _positive(lengths: Any) -> Any:
    """The lengths, checked to be positive: here and not at every step, where TensorFlow does."""
    if lengths is None:
        return None
    message = "All values in memory_sequence_length must be greater than zero."
    with control_dependencies([assert_positive(lengths, message=message)]):
        return identity(lengths)


class LuongAttention(MemoryAttention):
    """Multiplicative attention (https://arxiv.org/abs/1508.04025): the score of a step is the
    product of the query and the step's key, `memory · memory_layer/kernel`.

    num_units: the width of keys, which must be that of queries. scale: whether scores are scaled
    by a variable `attention_g`. probability_fn: from scores to alignments, softmax by default.
    The other arguments are those of all mechanisms.

    Raises, when called:
      ValueError: the widths differ.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        scale: bool = False,
        probability_fn: Callable[[Any], Any] | None = None,
        score_mask_value: Any = None,
        dtype: Any = None,
        custom_key_value_fn: Callable[[Any, Any], Any] | None = None,
        name: str = "LuongAttention",
    ):
        super().__init__(
            query_layer=None,
            memory_layer=dense_layer(num_units, "memory_layer", dtype),
            memory=memory,
            probability_fn=_of_score(probability_fn),
            memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn,
            name=name,
        )
        self._scale = scale

    def __call__(self, query: Any, state: Any) -> Any:
        with variable_scope(None, "luong_attention", [query]):
            score = self._score(query)
        alignments = self._probabilities(score, state)
        return alignments, alignments

    def _score(self, query: Any) -> Tensor:
        factor: Any = None
        if self._scale:
            factor = get_variable("attention_g", dtype=query.dtype, initializer=Ones(), shape=())
        depth, units = query.get_shape()[-1], self._keys.get_shape()[-1]
        if depth != units:
            raise ValueError(
                "Incompatible or unknown inner dimensions between query and keys.  Query "
                f"({query}) has units: {depth}.  Keys ({self._keys}) have units: {units}.  "
                f"Perhaps you need to set num_units to the keys' dimension ({units})?"
            )
        score = squeeze(matmul(expand_dims(query, 1), self._keys, transpose_b=True), [1])
        return score if factor is None else factor * score


class BahdanauAttention(MemoryAttention):
    """Additive attention (https://arxiv.org/abs/1409.0473): the score of a step is
    `sum(attention_v · tanh(key + query · query_layer/kernel))`.

    num_units: the width of keys. normalize: whether `attention_v` is normalized, scaled by
    `attention_g`, and a bias `attention_b` added under the tanh. probability_fn: from scores to
    alignments, softmax by default. The other arguments are those of all mechanisms.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        normalize: bool = False,
        probability_fn: Callable[[Any], Any] | None = None,
        score_mask_value: Any = None,
        dtype: Any = None,
        custom_key_value_fn: Callable[[Any, Any], Any] | None = None,
        name: str = "BahdanauAttention",
    ):
        super().__init__(
            query_layer=dense_layer(num_units, "query_layer", dtype),
            memory_layer=dense_layer(num_units, "memory_layer", dtype),
            memory=memory,
            probability_fn=_of_score(probability_fn),
            memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn,
            name=name,
        )
        self._num_units, self._normalize = num_units, normalize

    def __call__(self, query: Any, state: Any) -> Any:
        with variable_scope(None, "bahdanau_attention", [query]):
            score = self._score(query)
        alignments = self._probabilities(score, state)
        return alignments, alignments

    def _score(self, query: Any) -> Tensor:
        units, dtype = self._num_units, query.dtype.base_dtype
        processed = expand_dims(self.query_layer(query), 1)
        v: Any = get_variable("attention_v", [units], dtype=dtype)
        added = self._keys + processed
        if self._normalize:
            start = Constant(math.sqrt(1.0 / units))
            g = get_variable("attention_g", dtype=dtype, initializer=start, shape=())
            b = get_variable("attention_b", [units], dtype=dtype, initializer=Zeros())
            v, added = g * v * rsqrt(reduce_sum(square(v))), added + b
        return reduce_sum(v * tanh(added), [2])


def dense_layer(units: int, name: str, dtype: Any) -> Dense:
    """What makes keys or compared queries: a product, without a bias."""
    return Dense(units, name=name, use_bias=False, dtype=dtype or dtypes.float32)


def _of_score(function: Callable[[Any], Any] | None) -> Callable[[Any, Any], Any]:
    chosen = softmax if function is None else function
    return lambda score, _: chosen(score)


def hardmax(logits: Any, name: str | None = None) -> Tensor:
    """1 at the greatest of each row of `logits`, 0 elsewhere."""
    with name_scope(name, "Hardmax", [logits]):
        logits = convert_to_tensor(logits, name="logits")
        depth = logits.get_shape().as_list()[-1]
        if depth is None:
            depth = shape(logits)[-1]
        return one_hot(argmax(logits, -1), depth, dtype=logits.dtype)
