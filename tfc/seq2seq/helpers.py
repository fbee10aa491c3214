"""Helpers of BasicDecoder: what is sampled from an output, and what the next input is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value
from tfc.ops.array_ops import identity, reshape, shape, size, tile, zeros_like
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal, logical_or
from tfc.ops.cond_functions import cond
from tfc.ops.control_ops import Assert
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.random_ops import multinomial
from tfc.ops.reduction_ops import reduce_all, reduce_max
from tfc.ops.scan_ops import argmax
from tfc.ops.sum_ops import minimum
from tfc.ops.tensor_array import TensorArray
from tfc.rnn.shapes import swap_batch_and_time
from tfc.seq2seq.decoder import Steps


class Helper:
    """What a decoder asks at every step.

    `initialize()` gives (finished, first inputs); `sample(time, outputs, state)` the ids of what
    was sampled; `next_inputs(time, outputs, state, sample_ids)` gives (finished, next inputs,
    next state). Ids of one step have the shape [batch_size] + sample_ids_shape.
    """

    @property
    def batch_size(self) -> Any:
        raise NotImplementedError("batch_size has not been implemented")

    @property
    def sample_ids_shape(self) -> TensorShape:
        raise NotImplementedError("sample_ids_shape has not been implemented")

    @property
    def sample_ids_dtype(self) -> Any:
        raise NotImplementedError("sample_ids_dtype has not been implemented")

    def initialize(self, name: str | None = None) -> Any:
        raise NotImplementedError("initialize has not been implemented")

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        raise NotImplementedError("sample has not been implemented")

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        raise NotImplementedError("next_inputs has not been implemented")


class _ScalarIds(Helper):
    """A helper whose ids are one int32 for each row."""

    _batch_size: Any

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> TensorShape:
        return TensorShape([])

    @property
    def sample_ids_dtype(self) -> Any:
        return dtypes.int32


class CustomHelper(Helper):
    """A helper of three functions, which are its methods of these names."""

    def __init__(
        self,
        initialize_fn: Callable[..., Any],
        sample_fn: Callable[..., Any],
        next_inputs_fn: Callable[..., Any],
        sample_ids_shape: Any = None,
        sample_ids_dtype: Any = None,
    ):
        self._initialize_fn, self._sample_fn = initialize_fn, sample_fn
        self._next_inputs_fn = next_inputs_fn
        self._batch_size: Any = None
        self._shape = TensorShape(sample_ids_shape or [])
        self._dtype = sample_ids_dtype or dtypes.int32

    @property
    def batch_size(self) -> Any:
        if self._batch_size is None:
            raise ValueError("batch_size accessed before initialize was called")
        return self._batch_size

    @property
    def sample_ids_shape(self) -> TensorShape:
        return self._shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._dtype

    def initialize(self, name: str | None = None) -> Any:
        with name_scope(name, f"{type(self).__name__}Initialize"):
            finished, inputs = self._initialize_fn()
            if self._batch_size is None:
                self._batch_size = size(finished)
        return finished, inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{type(self).__name__}Sample"):
            return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        with name_scope(name, f"{type(self).__name__}NextInputs"):
            return self._next_inputs_fn(
                time=time, outputs=outputs, state=state, sample_ids=sample_ids
            )


class TrainingHelper(_ScalarIds):
    """The inputs are given, those of all steps.

    inputs: of shape [batch, time, …], or [time, batch, …] if `time_major`; sequence_length: how
    many of them each row of the batch has. The ids are those of the greatest outputs.

    Raises:
      ValueError: the lengths are no vector.
    """

    def __init__(
        self, inputs: Any, sequence_length: Any, time_major: bool = False, name: str | None = None
    ):
        with name_scope(name, "TrainingHelper", [sequence_length]):
            self._inputs = nest.map_leaves(convert_to_tensor, inputs)
            by_time = self._inputs
            if not time_major:
                by_time = nest.map_leaves(swap_batch_and_time, by_time)
            self._arrays = nest.map_leaves(unstacked, by_time)
            self._by_time = nest.flatten(by_time)[0]
            self._sequence_length = convert_to_tensor(sequence_length, name="sequence_length")
            if self._sequence_length.get_shape().ndims != 1:
                raise ValueError(
                    "Expected sequence_length to be a vector, but received shape: "
                    f"{self._sequence_length.get_shape()}"
                )
            self._zero_inputs = nest.map_leaves(lambda x: zeros_like(x[0, :]), by_time)
            self._batch_size = size(self._sequence_length)

    @property
    def inputs(self) -> Any:
        return self._inputs

    @property
    def sequence_length(self) -> Tensor:
        return self._sequence_length

    def steps(self, bound: Tensor | None) -> Steps:
        """How many steps the inputs are good for; no more than `bound`."""
        known = constant_value(self._sequence_length)
        if known is not None:
            longest: Any = int(known.max(initial=0))
            return Steps(longest if bound is None else minimum(longest, bound), True, True)
        there = shape(self._by_time)[0]
        limit = there if bound is None else minimum(there, bound)
        enough = logical_or(reduce_max(self._sequence_length) <= there, limit < there)
        message = "sequence_length is greater than the number of steps in inputs"
        with control_dependencies([Assert(enough, [message, self._sequence_length, there])]):
            return Steps(identity(limit), True)

    def _read(self, time: Any, finished: Tensor) -> Any:
        """The inputs at `time`, zeros when all rows have finished."""
        return cond(
            reduce_all(finished),
            lambda: self._zero_inputs,
            lambda: nest.map_leaves(lambda array: array.read(time), self._arrays),
        )

    def initialize(self, name: str | None = None) -> Any:
        with name_scope(name, "TrainingHelperInitialize"):
            finished = equal(0, self._sequence_length)
            return finished, self._read(0, finished)

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, "TrainingHelperSample", [time, outputs]):
            return cast(argmax(outputs, axis=-1), dtypes.int32)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        with name_scope(name, "TrainingHelperNextInputs", [time]):
            next_time = time + 1
            finished = next_time >= self._sequence_length
            return finished, self._read(next_time, finished), state


def unstacked(x: Tensor) -> TensorArray:
    """`x` step by step."""
    return TensorArray(dtype=x.dtype, size=shape(x)[0], element_shape=x.get_shape()[1:]).unstack(x)


class GreedyEmbeddingHelper(_ScalarIds):
    """The next input is the embedding of the id of the greatest output.

    embedding: a table, or a function from ids to inputs. start_tokens: the ids of the first
    inputs; end_token: the id after which a row has finished.

    Raises:
      ValueError: start_tokens are no vector, or end_token no scalar.
    """

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any):
        self._embedding_fn: Callable[[Any], Any] = (
            embedding if callable(embedding) else lambda ids: embedding_lookup(embedding, ids)
        )
        self._start_tokens = convert_to_tensor(
            start_tokens, dtype=dtypes.int32, name="start_tokens"
        )
        self._end_token = convert_to_tensor(end_token, dtype=dtypes.int32, name="end_token")
        if self._start_tokens.get_shape().ndims != 1:
            raise ValueError("start_tokens must be a vector")
        if self._end_token.get_shape().ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size = size(self._start_tokens)
        self._start_inputs = self._embedding_fn(self._start_tokens)

    def initialize(self, name: str | None = None) -> Any:
        return tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Tensor:
        _check_tensor(outputs)
        return argmax(outputs, axis=-1, output_type=dtypes.int32)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        finished = equal(sample_ids, self._end_token)
        inputs = cond(
            reduce_all(finished),
            lambda: self._start_inputs,
            lambda: self._embedding_fn(sample_ids),
        )
        return finished, inputs, state


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """The next input is the embedding of an id that is drawn, with the outputs as logits.

    softmax_temperature: what the logits are divided by; above 1, ids get more alike likely.
    """

    def __init__(
        self,
        embedding: Any,
        start_tokens: Any,
        end_token: Any,
        softmax_temperature: Any = None,
        seed: int | None = None,
    ):
        super().__init__(embedding, start_tokens, end_token)
        self._softmax_temperature, self._seed = softmax_temperature, seed

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Tensor:
        _check_tensor(outputs)
        logits = outputs
        if self._softmax_temperature is not None:
            logits = outputs / self._softmax_temperature
        drawn = multinomial(logits, 1, seed=self._seed, output_dtype=dtypes.int32)
        return reshape(drawn, [-1])


def _check_tensor(outputs: Any) -> None:
    if not isinstance(outputs, Tensor):
        raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")


class InferenceHelper(Helper):
    """A helper of functions of what is sampled.

    sample_fn: from outputs to samples, of shape [batch] + sample_shape and dtype sample_dtype.
    end_fn: from samples to whether rows have finished. next_inputs_fn: from samples to the next
    inputs, by default the samples themselves.
    """

    def __init__(
        self,
        sample_fn: Callable[[Any], Any],
        sample_shape: Any,
        sample_dtype: Any,
        start_inputs: Any,
        end_fn: Callable[[Any], Any],
        next_inputs_fn: Callable[[Any], Any] | None = None,
    ):
        self._sample_fn, self._end_fn, self._next_inputs_fn = sample_fn, end_fn, next_inputs_fn
        self._sample_shape, self._sample_dtype = TensorShape(sample_shape), sample_dtype
        self._start_inputs = convert_to_tensor(start_inputs, name="start_inputs")
        self._batch_size = shape(self._start_inputs)[0]

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> TensorShape:
        return self._sample_shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._sample_dtype

    def initialize(self, name: str | None = None) -> Any:
        return tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        return self._sample_fn(outputs)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        inputs = sample_ids if self._next_inputs_fn is None else self._next_inputs_fn(sample_ids)
        return self._end_fn(sample_ids), inputs, state
