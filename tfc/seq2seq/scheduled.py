"""Helpers for scheduled sampling: some of the inputs are what the network gave itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes, nest
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.ops.array_ops import concat, fill, reshape, shape
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import less, logical_not, logical_or, where
from tfc.ops.cond_functions import cond
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.random_ops import multinomial, random_uniform
from tfc.ops.reduction_ops import reduce_all, reduce_any, reduce_max
from tfc.rnn.shapes import swap_batch_and_time
from tfc.seq2seq.helpers import TrainingHelper, unstacked


def _probability(given: Any) -> Tensor:
    made = convert_to_tensor(given, name="sampling_probability")
    if made.get_shape().ndims not in (0, 1):
        raise ValueError(
            f"sampling_probability must be either a scalar or a vector. saw shape: "
            f"{made.get_shape()}"
        )
    return made


def _chances(probability: Tensor, count: Any, dtype: Any, seed: int | None) -> Tensor:
    """`count` times, whether what has this probability happens."""
    wanted = concat([reshape(count, [1]), shape(probability)], 0)
    drawn = random_uniform(wanted, seed=seed, dtype=probability.dtype)
    return cast(less(drawn, probability), dtype)


class ScheduledEmbeddingTrainingHelper(TrainingHelper):
    """TrainingHelper that takes, now and then, the embedding of an id drawn from the last outputs
    for the next input, row by row. The ids are -1 where nothing was drawn.

    embedding: a table, or a function from ids to inputs, which is given an id for each row of the
    batch. sampling_probability: how likely a row is drawn for. seed: of the ids; scheduling_seed:
    of which rows. The other arguments are those of TrainingHelper.

    Raises:
      ValueError: sampling_probability is neither scalar nor vector.

    Source: tensorflow/contrib/seq2seq/python/ops/helper.py.
    """

    def __init__(
        self,
        inputs: Any,
        sequence_length: Any,
        embedding: Any,
        sampling_probability: Any,
        time_major: bool = False,
        seed: int | None = None,
        scheduling_seed: int | None = None,
        name: str | None = None,
    ):
        with name_scope(
            name, "ScheduledEmbeddingSamplingWrapper", [embedding, sampling_probability]
        ):
            self._embedding_fn: Callable[[Any], Any] = (
                embedding if callable(embedding) else lambda ids: embedding_lookup(embedding, ids)
            )
            self._sampling_probability = _probability(sampling_probability)
            self._seed, self._scheduling_seed = seed, scheduling_seed
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, "ScheduledEmbeddingTrainingHelperSample", [time, outputs]):
            chosen = _chances(
                self._sampling_probability, self.batch_size, dtypes.bool_, self._scheduling_seed
            )
            logits = convert_to_tensor(outputs, name="logits")
            kind = dtypes.int64 if logits.dtype.size > 4 else dtypes.int32
            drawn = multinomial(logits, 1, seed=self._seed, output_dtype=kind)
            ids = cast(reshape(drawn, [-1]), dtypes.int32)
            return where(chosen, ids, fill([self.batch_size], -1))

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        with name_scope(name, "ScheduledEmbeddingTrainingHelperNextInputs", [time, outputs]):
            finished, given, state = super().next_inputs(time, outputs, state, sample_ids)
            most = reduce_max(sample_ids)
            chosen = sample_ids > -1

            def mixed() -> Tensor:
                # A row that is not drawn for has an id that another row has: no other row of a
                # table gets a gradient.
                rows = fill(shape(sample_ids), most)
                return where(chosen, self._embedding_fn(where(chosen, sample_ids, rows)), given)

            none = logical_or(reduce_all(finished), most < 0)
            return finished, cond(none, lambda: given, mixed), state


class ScheduledOutputTrainingHelper(TrainingHelper):
    """TrainingHelper that takes, now and then, the last outputs for the next input, row by row.
    The ids are 1 where it does, 0 elsewhere.

    sampling_probability: how likely a row is. seed: of the choices. next_inputs_fn: from outputs,
    those of the whole batch, to inputs; by default these are the outputs. auxiliary_inputs: of the
    shape of the inputs but for the last axis; what is joined to the inputs, and to outputs that
    take their place. The other arguments are those of TrainingHelper.

    Raises:
      ValueError: sampling_probability is neither scalar nor vector.

    Source: tensorflow/contrib/seq2seq/python/ops/helper.py.
    """

    def __init__(
        self,
        inputs: Any,
        sequence_length: Any,
        sampling_probability: Any,
        time_major: bool = False,
        seed: int | None = None,
        next_inputs_fn: Callable[[Any], Any] | None = None,
        auxiliary_inputs: Any = None,
        name: str | None = None,
    ):
        with name_scope(name, "ScheduledOutputTrainingHelper", [inputs, auxiliary_inputs]):
            self._sampling_probability = _probability(sampling_probability)
            self._auxiliary: Any = None
            if auxiliary_inputs is not None:
                inputs = convert_to_tensor(inputs, name="inputs")
                beside = convert_to_tensor(auxiliary_inputs, name="auxiliary_inputs")
                inputs = concat((inputs, beside), -1)
                self._auxiliary = unstacked(beside if time_major else swap_batch_and_time(beside))
            self._seed, self._next_inputs_fn = seed, next_inputs_fn
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(self, time: Any, outputs: Any, state: Any = None, name: str | None = None) -> Tensor:
        with name_scope(name, "ScheduledOutputTrainingHelperSample", [time]):
            return _chances(self._sampling_probability, self.batch_size, dtypes.int32, self._seed)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        with name_scope(name, "ScheduledOutputTrainingHelperNextInputs", [time, sample_ids]):
            finished, given, state = super().next_inputs(time, outputs, state, sample_ids)
            chosen = cast(sample_ids, dtypes.bool_)

            def mixed() -> Any:
                made = outputs if self._next_inputs_fn is None else self._next_inputs_fn(outputs)
                if self._auxiliary is not None:
                    made = concat((made, self._auxiliary.read(time + 1)), -1)
                return nest.map_leaves(lambda x, y: where(chosen, x, y), made, given)

            none = logical_or(reduce_all(finished), logical_not(reduce_any(chosen)))
            return finished, cond(none, lambda: given, mixed), state
